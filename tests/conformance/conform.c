/* The C program of the conformance suite: tests/conformance/README.md describes its commands.

     conform read PATH [CONDITION]... | salvage PATH | types PATH | write DIR COUNT | stage DIR COUNT | tail DIR COUNT */
#define _POSIX_C_SOURCE 200809L
#include "describe.h"

#include <binlog.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- reading */

/* The text before an element of a list. */
static void begin_element(struct text *list) { put_text(list, list->len == 0 ? "\n    " : ",\n    "); }

static void print_list(const char *key, struct text *list, const char *end) {
  printf("  \"%s\": [%.*s]%s\n", key, (int)list->len, list->len == 0 ? "" : list->bytes, end);
  free(list->bytes);
}

static void on_loss(void *userdata, const binlog_loss *loss) {
  begin_element(userdata);
  put_loss(userdata, loss);
}

static void read_log(const char *path, binlog_filter filter, int salvage) {
  struct text end = {0}, events = {0}, losses = {0}, records = {0}, segments = {0};
  binlog_reader_options options = {.struct_size = sizeof options};
  if (salvage) {
    options.mode = BINLOG_READER_SALVAGE;
    options.on_loss = on_loss;
    options.on_loss_userdata = &losses;
  }
  binlog_reader *reader = NULL;
  binlog_error *err = NULL;
  if (binlog_reader_open(path, &options, &reader, &err) < 0) {
    put_error(&end, err);
  } else {
    binlog_cursor *cursor = NULL;
    filter.struct_size = sizeof filter;
    filter.flags |= BINLOG_FILTER_EVENTS;
    check(binlog_cursor_open(reader, &filter, &cursor, &err), err);
    binlog_record record;
    binlog_status status;
    /* One at a time, so that the names are those that the log has defined by then. */
    while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
      const int is_event = (record.flags & BINLOG_RECORD_EVENT) != 0 && event_name(record.type) != NULL;
      begin_element(is_event ? &events : &records);
      if (is_event)
        put_event(&events, &record);
      else
        put_record(&records, &record, cursor);
    }
    if (status == BINLOG_END) {
      binlog_tail tail;
      check(binlog_cursor_tail(cursor, &tail, &err), err);
      put_tail(&end, &tail);
    } else {
      put_error(&end, err);
    }
    binlog_cursor_close(cursor);
    size_t count = 0;
    check(binlog_reader_segment_count(reader, &count, &err), err);
    for (size_t i = 0; i < count; i++) {
      binlog_segment segment;
      check(binlog_reader_segment(reader, i, &segment, &err), err);
      begin_element(&segments);
      put_segment(&segments, &segment);
    }
    binlog_reader_close(reader);
  }
  printf("{\n  \"end\": %.*s,\n", (int)end.len, end.bytes);
  free(end.bytes);
  print_list("events", &events, ",");
  if (salvage) print_list("losses", &losses, ",");
  print_list("records", &records, ",");
  print_list("segments", &segments, "");
  puts("}");
}

/* ---------------------------------------------------------------- conditions */

static int64_t number_of(const char *word) {
  char *end = NULL;
  const long long number = strtoll(word, &end, 10);
  if (*word == '\0' || *end != '\0') fail("%s is no number", word);
  return number;
}

/* The value of the condition on `what`, or NULL when the condition is on something else. */
static char *value_of(char *condition, const char *what) {
  const size_t len = strlen(what);
  return strncmp(condition, what, len) == 0 && condition[len] == '=' ? condition + len + 1 : NULL;
}

enum { CONDITIONS = 16 };

static void read_filtered(const char *path, char **conditions, int count) {
  uint32_t types[CONDITIONS];
  const char *names[CONDITIONS], *pairs[2 * CONDITIONS];
  binlog_filter filter = {.types = types, .type_names = names, .metadata = pairs};
  if (count > CONDITIONS) fail("more than %d conditions", CONDITIONS);
  for (int i = 0; i < count; i++) {
    char *value;
    if ((value = value_of(conditions[i], "from_id")) != NULL) {
      filter.from_id = (uint64_t)number_of(value);
    } else if ((value = value_of(conditions[i], "to_id")) != NULL) {
      filter.to_id = (uint64_t)number_of(value);
    } else if ((value = value_of(conditions[i], "from_time")) != NULL) {
      filter.from_time_ns = number_of(value);
    } else if ((value = value_of(conditions[i], "to_time")) != NULL) {
      filter.to_time_ns = number_of(value);
    } else if ((value = value_of(conditions[i], "type")) != NULL) {
      types[filter.type_count++] = (uint32_t)number_of(value);
    } else if ((value = value_of(conditions[i], "type_name")) != NULL) {
      names[filter.type_name_count++] = value;
    } else if ((value = value_of(conditions[i], "last")) != NULL) {
      filter.last = (uint64_t)number_of(value);
    } else if (strcmp(conditions[i], "newest_first") == 0) {
      filter.flags |= BINLOG_FILTER_NEWEST_FIRST;
    } else if ((value = value_of(conditions[i], "pair")) != NULL && strchr(value, '=') != NULL) {
      pairs[2 * filter.metadata_count] = value;
      value = strchr(value, '=');
      *value = '\0';
      pairs[2 * filter.metadata_count++ + 1] = value + 1;
    } else {
      fail("%s is no condition", conditions[i]);
    }
  }
  read_log(path, filter, 0);
}

static void on_type(void *text, const binlog_type_info *info) { put_type(text, info); }

static void list_types(const char *path) {
  struct text lines = {0};
  binlog_reader *reader = NULL;
  binlog_error *err = NULL;
  check(binlog_reader_open(path, NULL, &reader, &err), err);
  check(binlog_reader_types(reader, on_type, &lines, &err), err);
  binlog_reader_close(reader);
  printf("%.*s", (int)lines.len, lines.len == 0 ? "" : lines.bytes);
  free(lines.bytes);
}

/* ---------------------------------------------------------------- writing */

enum { RUN = 10, FLUSH = 100, SEGMENT = 1000, LONGEST = 700, METADATA = 128 };

/* Records that are appended one after the other, with the memory that they point to. */
struct run {
  binlog_record records[RUN];
  uint8_t payloads[RUN][LONGEST], metadata[RUN][METADATA];
};

/* Record number `i` of a log that is written here. */
static void make(struct run *run, size_t at, uint64_t i, uint32_t named) {
  static const char key[] = "ключ", value[] = "значение";
  binlog_error *err = NULL;
  binlog_record record = {.type = i % 5 == 0 ? named : (uint32_t)(i % 5),
                          .time_ns = INT64_C(1700000000000000000) + (int64_t)i * 1000,
                          .flags = BINLOG_RECORD_TIME,
                          .data = run->payloads[at],
                          .len = (size_t)(i * 7919 % LONGEST),
                          .metadata = run->metadata[at]};
  for (size_t j = 0; j < record.len; j++) run->payloads[at][j] = (uint8_t)(i * 31 + j * 7);
  if (i % 3 == 0) {
    char number[24];
    uint8_t *pairs = run->metadata[at];
    size_t len = 0;
    snprintf(number, sizeof number, "%" PRIu64, i);
    check(binlog_metadata_put(pairs, METADATA, &len, "i", 1, number, strlen(number), NULL), err);
    check(binlog_metadata_put(pairs, METADATA, &len, key, sizeof key - 1, value, sizeof value - 1, NULL), err);
    record.metadata_len = len;
  }
  run->records[at] = record;
}

/* Through the appender, unless it is NULL. */
static void append_run(binlog_writer *writer, binlog_appender *appender, const struct run *run, size_t n, int way) {
  static uint64_t frames[RUN * (LONGEST + METADATA + 48) / 8]; /* frames begin at multiples of 8 */
  binlog_error *err = NULL;
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    const binlog_record *record = &run->records[i];
    const size_t third = record->len / 3, half = (record->len - third) / 2;
    const uint8_t *const payload = record->data;
    const binlog_slice parts[] = {{payload, third},
                                  {payload + third, half},
                                  {payload + third + half, record->len - third - half}};
    if (way == 0)
      check(appender ? binlog_appender_append_record(appender, record, &err)
                     : binlog_writer_append_record(writer, record, NULL, &err), err);
    if (way == 1)
      check(appender ? binlog_appender_gather_record(appender, record, parts, 3, &err)
                     : binlog_writer_gather_record(writer, record, parts, 3, NULL, &err), err);
    if (way == 3) check(binlog_packed_put(frames, sizeof frames, &len, record), err);
  }
  if (way == 2)
    check(appender ? binlog_appender_append_batch(appender, run->records, n, &err)
                   : binlog_writer_append_batch(writer, run->records, n, NULL, &err), err);
  if (way == 3)
    check(appender ? binlog_appender_append_packed(appender, frames, len, &err)
                   : binlog_writer_append_packed(writer, frames, len, NULL, &err), err);
}

static void write_log(const char *directory, uint64_t count, int staged) {
  static const char *const parameters[] = {"writer", "c"};
  static struct run run;
  binlog_roll_options roll = {.struct_size = sizeof roll, .records = staged ? 0 : SEGMENT};
  binlog_writer_options options = {.struct_size = sizeof options,
                                   .name = "conform",
                                   .content_type = "application/x-conform",
                                   .parameters = parameters,
                                   .parameter_count = 1,
                                   .roll = &roll};
  binlog_writer *writer = NULL;
  binlog_appender *appender = NULL;
  binlog_error *err = NULL;
  binlog_position before, after;
  uint32_t named = 0;
  check(binlog_writer_open(directory, &options, &writer, &err), err);
  check(binlog_writer_type(writer, "conform.named", "text/plain", &named, &err), err);
  check(binlog_writer_position(writer, &before, &err), err);
  if (staged) check(binlog_appender_open(writer, NULL, &appender, &err), err);
  for (uint64_t done = 0; done < count;) {
    size_t n = 0;
    for (; n < RUN && done + n < count; n++) make(&run, n, before.appended_id + done + n + 1, named);
    append_run(writer, appender, &run, n, (int)(done / RUN % 4));
    done += n;
    if (done % FLUSH == 0) check(binlog_writer_flush(writer, &err), err);
  }
  if (staged) check(binlog_appender_close(appender, NULL, &err), err);
  check(binlog_writer_position(writer, &after, &err), err);
  check(binlog_writer_close(writer, &err), err);
  if (after.appended_id != before.appended_id + count)
    fail("the last id is %" PRIu64 " after %" PRIu64 " records behind %" PRIu64, after.appended_id, count,
         before.appended_id);
}

/* ---------------------------------------------------------------- following */

static const int64_t SECOND = 1000000000;

static binlog_reader *open_soon(const char *directory) {
  const struct timespec pause = {.tv_nsec = 5000000};
  for (int64_t waited = 0;; waited += pause.tv_nsec) {
    binlog_reader *reader = NULL;
    binlog_error *err = NULL;
    const binlog_status status = binlog_reader_open(directory, NULL, &reader, &err);
    if (status == BINLOG_OK) return reader;
    if (status != BINLOG_E_NOT_FOUND || waited > 30 * SECOND) check(status, err);
    binlog_error_free(err);
    nanosleep(&pause, NULL);
  }
}

static void tail_log(const char *directory, uint64_t count) {
  binlog_reader *reader = open_soon(directory);
  binlog_filter filter = {.struct_size = sizeof filter, .from_id = 1};
  binlog_cursor *cursor = NULL;
  binlog_error *err = NULL;
  check(binlog_cursor_open(reader, &filter, &cursor, &err), err);
  binlog_reader_close(reader);
  for (uint64_t seen = 0; seen < count;) {
    binlog_record record;
    binlog_status status = binlog_cursor_next(cursor, &record, &err);
    if (status == BINLOG_END) {
      status = binlog_cursor_wait(cursor, 60 * SECOND, &err);
      if (status == BINLOG_TIMEOUT) fail("no more than %" PRIu64 " of %" PRIu64 " records came in 60 s", seen, count);
      check(status, err);
    } else {
      struct text line = {0};
      check(status, err);
      put_record(&line, &record, cursor);
      printf("%.*s\n", (int)line.len, line.bytes);
      free(line.bytes);
      seen++;
    }
  }
  binlog_cursor_close(cursor);
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  const binlog_filter everything = {.struct_size = sizeof everything};
  if (argc >= 3 && strcmp(command, "read") == 0)
    read_filtered(argv[2], argv + 3, argc - 3);
  else if (argc == 3 && strcmp(command, "salvage") == 0)
    read_log(argv[2], everything, 1);
  else if (argc == 3 && strcmp(command, "types") == 0)
    list_types(argv[2]);
  else if (argc == 4 && strcmp(command, "write") == 0)
    write_log(argv[2], (uint64_t)number_of(argv[3]), 0);
  else if (argc == 4 && strcmp(command, "stage") == 0)
    write_log(argv[2], (uint64_t)number_of(argv[3]), 1);
  else if (argc == 4 && strcmp(command, "tail") == 0)
    tail_log(argv[2], (uint64_t)number_of(argv[3]));
  else
    fail("conform read PATH [CONDITION]... | salvage PATH | types PATH | write|stage|tail DIR COUNT");
  if (fflush(stdout) != 0 || ferror(stdout)) fail("the output cannot be written");
  return 0;
}
