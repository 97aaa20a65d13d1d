/* From shoebox to this library. Each step shows shoebox's call (Python) and what takes its place here.

   | shoebox                                        | here                                                         |
   |------------------------------------------------|--------------------------------------------------------------|
   | archive file                                   | segment: a file of a log, all in one directory               |
   | WritingRollManager.write(metadata, payload)    | binlog_writer_append_record                                  |
   | SizeRollChecker, TimeRollChecker               | segment_bytes, binlog_roll_options.age_ms                    |
   | a RollChecker of one's own                     | binlog_roll_options.check                                    |
   | callback.on_open, callback.on_close            | hooks: on_open, on_close                                     |
   | filename template                              | binlog_roll_options.name_template                            |
   | ReadingRollManager, NoMoreFiles                | binlog_reader and binlog_cursor, BINLOG_END                  |

   What changes: files are ordered by a number in their header, whatever they are called; a file that is there is never
   opened for writing from its beginning; every byte has a checksum; who reads need not wait until a file is closed.

   Usage: migrate [LOG DIRECTORY] */
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

/* class MyChecker(roll_checker.RollChecker):
       def check(self, archive):
           return archive.get_file_handle().tell() > ...

   Sees the facts of the segment, and may not use the writer. */
static int32_t roll_now(void *userdata, const binlog_segment_state *segment) {
  const uint64_t *most = userdata;
  return segment->records >= *most;
}

/* class MyCallback(object):
       def on_open(self, filename): ...
       def on_close(self, filename): ... */
static binlog_status on_open(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  (void)userdata, (void)result;
  printf("segment %llu is opened\n", (unsigned long long)segment->sequence);
  return BINLOG_OK;
}

static binlog_status on_close(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  (void)userdata, (void)result;
  printf("segment %llu is closed, with %llu records\n", (unsigned long long)segment->sequence,
         (unsigned long long)segment->records);
  return BINLOG_OK;
}

static void write_events(const char *directory) {
  /* checker = roll_checker.SizeRollChecker(roll_size_mb=100)
     manager = roll_manager.WritingRollManager("test_%c.events", checker, directory, archive_callback=MyCallback())

     Here several rules may hold at once: 100 MiB, a day, or what roll_now says. flush_records = 1 hands each record to
     the system before the call is back. */
  uint64_t most = 4;
  const binlog_hook opened = {.kind = BINLOG_HOOK_CALL, .call = on_open};
  const binlog_hook closed = {.kind = BINLOG_HOOK_CALL, .call = on_close};
  binlog_roll_options roll = {.struct_size = sizeof roll, .name_template = "{name}_%c", .age_ms = 24 * 3600 * 1000,
                              .check = roll_now, .check_userdata = &most};
  binlog_writer_options options = {.struct_size = sizeof options, .name = "test", .content_type = "application/json",
                                   .segment_bytes = 100 * 1024 * 1024, .roll = &roll, .flush_records = 1,
                                   .on_open = &opened, .on_open_count = 1, .on_close = &closed, .on_close_count = 1};
  binlog_error *err = NULL;
  binlog_writer *manager = NULL;
  check(binlog_writer_open(directory, &options, &manager, &err), &err);

  for (int index = 0; index < 10; index++) {
    /* manager.write({"index": str(index)}, "payload_%d" % index) */
    char payload[32], number[12];
    uint8_t metadata[64];
    size_t metadata_len = 0;
    const int payload_len = snprintf(payload, sizeof payload, "payload_%d", index);
    const int number_len = snprintf(number, sizeof number, "%d", index);
    check(binlog_metadata_put(metadata, sizeof metadata, &metadata_len, "index", 5, number, (size_t)number_len, &err), &err);
    const binlog_record record = {.data = (const uint8_t *)payload, .len = (size_t)payload_len,
                                  .metadata = metadata, .metadata_len = metadata_len};
    check(binlog_writer_append_record(manager, &record, NULL, &err), &err);
  }

  /* manager.close() */
  check(binlog_writer_close(manager, &err), &err);
}

static void read_events(const char *directory) {
  /* manager = roll_manager.ReadingRollManager("test_*.events", directory) */
  binlog_error *err = NULL;
  binlog_reader *manager = NULL;
  binlog_cursor *cursor = NULL;
  check(binlog_reader_open(directory, NULL, &manager, &err), &err);
  check(binlog_cursor_open(manager, NULL, &cursor, &err), &err);

  /* while True:
         try:
             metadata, payload = manager.read()
         except roll_manager.NoMoreFiles:
             break */
  binlog_record record;
  binlog_status status;
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
    printf("%.*s", (int)record.len, (const char *)record.data);
    binlog_slice key, value;
    while (binlog_metadata_next(&record.metadata, &record.metadata_len, &key, &value) == BINLOG_OK)
      printf(" %.*s=%.*s", (int)key.len, (const char *)key.data, (int)value.len, (const char *)value.data);
    printf("\n");
  }
  check(status, &err); /* the end is no error; a damaged file is one, and says where */
  binlog_cursor_close(cursor);
  binlog_reader_close(manager);
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "migrate-log";
  write_events(directory);
  read_events(directory);
  return 0;
}
