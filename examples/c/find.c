/* Finds single records in a log of many: all of a rare type, one by its id, those from a time on, those with a
   metadata pair, the newest ten. None of it reads the log from its beginning.

   Usage: find [LOG DIRECTORY] */
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 50000
#define SECOND INT64_C(1000000000)

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

/* A trade every second from 1 on, and an alarm, which says its host, after every 9,999 of them. */
static void write_log(const char *directory) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  uint32_t trade = 0, alarm = 0;
  uint8_t pairs[64];
  size_t pairs_len = 0;
  check(binlog_metadata_put_text(pairs, sizeof pairs, &pairs_len, "host", "example.org", &err), &err);
  check(binlog_writer_open(directory, NULL, &writer, &err), &err);
  check(binlog_writer_type(writer, "trade", "text/plain", &trade, &err), &err);
  check(binlog_writer_type(writer, "alarm", "text/plain", &alarm, &err), &err);
  for (int i = 1; i <= RECORDS; i++) {
    char text[40];
    const int is_alarm = i % 10000 == 0;
    const int len = snprintf(text, sizeof text, "%s %d", is_alarm ? "alarm after" : "trade", is_alarm ? i - 1 : i);
    binlog_record record = {.type = is_alarm ? alarm : trade, .time_ns = i * SECOND,
                            .data = (const uint8_t *)text, .len = (size_t)len};
    if (is_alarm) record.metadata = pairs, record.metadata_len = pairs_len;
    check(binlog_writer_append_record(writer, &record, NULL, &err), &err);
  }
  check(binlog_writer_close(writer, &err), &err);
}

static void print(const binlog_record *record) {
  printf("  record %llu at %lld s: %.*s\n", (unsigned long long)record->id, (long long)(record->time_ns / SECOND),
         (int)record->len, (const char *)record->data);
}

static void print_all(binlog_reader *reader, const char *title, const binlog_filter *filter) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_status status;
  printf("%s:\n", title);
  check(binlog_cursor_open(reader, filter, &cursor, &err), &err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) print(&record);
  check(status, &err);
  binlog_cursor_close(cursor);
}

static void print_count(void *userdata, const binlog_type_count *type) {
  (void)userdata;
  printf("  %llu of %s\n", (unsigned long long)type->records, type->name != NULL ? type->name : "a type without a name");
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "find-log";
  static const char *const alarms[] = {"alarm"}, *const host[] = {"host", "example.org"};
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  write_log(directory);
  check(binlog_reader_open(directory, NULL, &reader, &err), &err);

  printf("How many there are:\n");
  check(binlog_reader_counts(reader, print_count, NULL, &err), &err);

  binlog_filter rare = {.struct_size = sizeof rare, .type_names = alarms, .type_name_count = 1};
  print_all(reader, "All alarms", &rare);
  binlog_filter pair = {.struct_size = sizeof pair, .metadata = host, .metadata_count = 1, .last = 2};
  print_all(reader, "The last two with host=example.org", &pair);
  binlog_filter newest = {.struct_size = sizeof newest, .flags = BINLOG_FILTER_NEWEST_FIRST, .last = 10};
  print_all(reader, "The newest ten", &newest);

  printf("One by its id, and the one behind it:\n");
  check(binlog_cursor_open(reader, NULL, &cursor, &err), &err);
  check(binlog_cursor_get(cursor, 31415, &record, &err), &err);
  print(&record);
  check(binlog_cursor_next(cursor, &record, &err), &err);
  print(&record);
  printf("The first at 40,000 s or later:\n");
  check(binlog_cursor_seek_time(cursor, 40000 * SECOND, &err), &err);
  check(binlog_cursor_next(cursor, &record, &err), &err);
  print(&record);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return 0;
}
