/* One record from parts that lie apart: a small header, two large buffers that are not copied together first, and a
   trailer. Then the payloads are skipped and only the headers read.

   Usage: gather [LOG DIRECTORY] */
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES (512 * 1024)

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "gather-log";
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  uint32_t image = 0;
  uint8_t *left = malloc(FRAME_BYTES), *right = malloc(FRAME_BYTES);
  if (left == NULL || right == NULL) return 1;
  memset(left, 'L', FRAME_BYTES);
  memset(right, 'R', FRAME_BYTES);

  check(binlog_writer_open(directory, NULL, &writer, &err), &err);
  check(binlog_writer_type(writer, "stereo.image", "application/octet-stream", &image, &err), &err);
  for (uint32_t frame = 1; frame <= 3; frame++) {
    const binlog_slice parts[] = {{(const uint8_t *)&frame, sizeof frame},
                                  {left, FRAME_BYTES},
                                  {right, FRAME_BYTES},
                                  {(const uint8_t *)"end", 3}};
    uint64_t id = 0;
    /* The parts may be reused after the call returns. */
    check(binlog_writer_gather(writer, image, parts, sizeof parts / sizeof parts[0], &id, &err), &err);
    printf("frame %u is record %llu\n", (unsigned)frame, (unsigned long long)id);
  }
  check(binlog_writer_close(writer, &err), &err);
  free(left);
  free(right);

  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_status status;
  binlog_filter headers = {.struct_size = sizeof headers, .flags = BINLOG_FILTER_HEADERS};
  check(binlog_reader_open(directory, NULL, &reader, &err), &err);
  check(binlog_cursor_open(reader, &headers, &cursor, &err), &err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK)
    printf("record %llu has %zu bytes, none of which was read\n", (unsigned long long)record.id, record.len);
  check(status, &err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return 0;
}
