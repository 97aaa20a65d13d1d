/* Writes typed records into a log directory and reads those of one type back. */
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return; /* OK, or END of the log */
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

int main(void) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  uint32_t login = 0;

  check(binlog_writer_open("quickstart-log", NULL, &writer, &err), &err); /* made if it is not there */
  check(binlog_writer_append(writer, 7, "any bytes", 9, NULL, &err), &err); /* a type is a number of yours ... */
  check(binlog_writer_type(writer, "login", "text/plain", &login, &err), &err); /* ... or a name */

  uint8_t pairs[64]; /* metadata: pairs of strings */
  size_t pairs_len = 0;
  check(binlog_metadata_put_text(pairs, sizeof pairs, &pairs_len, "host", "example.org", &err), &err);
  binlog_record record = {.type = login, .data = (const uint8_t *)"alice", .len = 5,
                          .metadata = pairs, .metadata_len = pairs_len};
  check(binlog_writer_append_record(writer, &record, NULL, &err), &err);
  check(binlog_writer_sync(writer, &err), &err); /* from here on it survives a power cut */
  check(binlog_writer_close(writer, &err), &err);

  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  const char *const names[] = {"login"};
  binlog_filter filter = {.struct_size = sizeof filter, .type_names = names, .type_name_count = 1};
  check(binlog_reader_open("quickstart-log", NULL, &reader, &err), &err);
  check(binlog_cursor_open(reader, &filter, &cursor, &err), &err);

  binlog_status status;
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) { /* views, until the next call */
    binlog_slice host = {NULL, 0};
    binlog_metadata_find(record.metadata, record.metadata_len, "host", 4, &host);
    printf("record %llu: %.*s from %.*s\n", (unsigned long long)record.id, (int)record.len, (const char *)record.data,
           (int)host.len, (const char *)host.data);
  }
  check(status, &err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return 0;
}
