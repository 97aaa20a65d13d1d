/* Tables: the stream's contents as a program without Arrow's library sees them, who owns what, damage, and arguments. */
#include "check.h"

#include <errno.h>
#include <pthread.h>

#define RECORDS 3000

static void write_log(const char *path) {
  binlog_error *err = NULL;
  binlog_writer *w;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  CHECK_OK(binlog_writer_open_file(path, &options, &w, &err), err);
  uint32_t named;
  CHECK_OK(binlog_writer_type(w, "order", "text/plain", &named, &err), err);
  uint8_t pairs[64];
  size_t pairs_len = 0;
  CHECK_OK(binlog_metadata_put_text(pairs, sizeof pairs, &pairs_len, "host", "a", &err), err);
  CHECK_OK(binlog_metadata_put_text(pairs, sizeof pairs, &pairs_len, "host", "", &err), err);
  for (int i = 0; i < RECORDS; i++) {
    char payload[32];
    binlog_record r;
    memset(&r, 0, sizeof r);
    r.len = (size_t)snprintf(payload, sizeof payload, "record %06d", i);
    if (i % 5 == 1) payload[0] = (char)0xff; /* no text */
    r.data = payload;
    r.type = i % 2 ? named : 7;
    r.time_ns = i * 1000 - 1;
    r.flags = BINLOG_RECORD_TIME;
    if (i % 4 == 0) r.metadata = pairs, r.metadata_len = pairs_len;
    CHECK_OK(binlog_writer_append_record(w, &r, NULL, &err), err);
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
}

static struct ArrowArrayStream table_of(const char *path, const binlog_table_options *options) {
  binlog_error *err = NULL;
  binlog_reader *reader;
  struct ArrowArrayStream stream;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  CHECK_OK(binlog_reader_table(reader, NULL, options, &stream, &err), err);
  /* The stream keeps what it needs. */
  binlog_reader_close(reader);
  return stream;
}

static int is_valid(const struct ArrowArray *column, int64_t row) {
  const uint8_t *bits = (const uint8_t *)column->buffers[0];
  return bits == NULL || (bits[row / 8] >> (row % 8) & 1);
}

static int bytes_are(const struct ArrowArray *column, int64_t row, const char *wanted, size_t len) {
  const int32_t *offsets = (const int32_t *)column->buffers[1];
  return (size_t)(offsets[row + 1] - offsets[row]) == len &&
         memcmp((const char *)column->buffers[2] + offsets[row], wanted, len) == 0;
}

static void check_rows(const struct ArrowArray *batch, int64_t first) {
  struct ArrowArray **columns = batch->children;
  for (int64_t row = 0; row < batch->length; row++) {
    const int64_t i = first + row;
    char payload[32];
    const size_t len = (size_t)snprintf(payload, sizeof payload, "record %06d", (int)i);
    if (i % 5 == 1) payload[0] = (char)0xff;
    CHECK(((const uint64_t *)columns[0]->buffers[1])[row] == (uint64_t)i + 1);
    CHECK(((const int64_t *)columns[1]->buffers[1])[row] == i * 1000 - 1);
    CHECK((((const uint32_t *)columns[2]->buffers[1])[row] == 7) == (i % 2 == 0));
    CHECK(is_valid(columns[3], row) == (i % 2 == 1));
    if (i % 2) CHECK(bytes_are(columns[3]->dictionary, ((const int32_t *)columns[3]->buffers[1])[row], "order", 5));
    const int32_t *pairs = (const int32_t *)columns[4]->buffers[1];
    CHECK(pairs[row + 1] - pairs[row] == (i % 4 == 0 ? 2 : 0));
    const struct ArrowArray *entries = columns[4]->children[0];
    if (i % 4 == 0) {
      CHECK(bytes_are(entries->children[0], pairs[row], "host", 4) && bytes_are(entries->children[1], pairs[row], "a", 1));
      CHECK(bytes_are(entries->children[1], pairs[row] + 1, "", 0));
    }
    CHECK(((const uint64_t *)columns[5]->buffers[1])[row] == len);
    CHECK(bytes_are(columns[6], row, payload, len));
    CHECK(is_valid(columns[7], row) == (i % 5 != 1) && bytes_are(columns[7], row, payload, i % 5 == 1 ? 0 : len));
    CHECK(is_valid(columns[8], row) == (i % 4 == 0) && bytes_are(columns[8], row, "a", i % 4 == 0 ? 1 : 0));
    CHECK(!is_valid(columns[9], row));
  }
}

static void schema(struct ArrowArrayStream *stream) {
  static const char *const names[] = {"id",     "time",    "type", "type_name",     "metadata",
                                      "length", "payload", "text", "metadata.host", "metadata.none"};
  static const char *const formats[] = {"L", "tsn:UTC", "I", "i", "+m", "L", "z", "u", "u", "u"};
  struct ArrowSchema s;
  CHECK(stream->get_schema(stream, &s) == 0);
  CHECK(strcmp(s.format, "+s") == 0 && s.n_children == (int64_t)COUNT_OF(names));
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    CHECK(strcmp(s.children[i]->name, names[i]) == 0 && strcmp(s.children[i]->format, formats[i]) == 0);
    CHECK((s.children[i]->flags & ARROW_FLAG_NULLABLE) == (i == 3 || i >= 7 ? ARROW_FLAG_NULLABLE : 0));
  }
  CHECK(strcmp(s.children[3]->dictionary->format, "u") == 0);
  CHECK(strcmp(s.children[4]->children[0]->format, "+s") == 0);
  /* A caller may keep one column of the schema. */
  struct ArrowSchema kept = *s.children[4];
  s.children[4]->release = NULL;
  s.release(&s);
  CHECK(s.release == NULL && strcmp(kept.name, "metadata") == 0);
  kept.release(&kept);
}

static void *release_batch(void *batch) {
  ((struct ArrowArray *)batch)->release((struct ArrowArray *)batch);
  return NULL;
}

static void contents(const char *path) {
  static const char *const keys[] = {"host", "none"};
  binlog_table_options options;
  CHECK_IS(binlog_table_options_init(&options, sizeof options), BINLOG_OK);
  options.metadata = keys;
  options.metadata_count = 2;
  options.batch_rows = 700;
  struct ArrowArrayStream stream = table_of(path, &options);
  schema(&stream);
  struct ArrowArray column, batch;
  int64_t rows = 0;
  memset(&column, 0, sizeof column);
  for (;;) {
    CHECK(stream.get_next(&stream, &batch) == 0);
    if (batch.release == NULL) break;
    CHECK(batch.n_children == 10 && batch.length <= 700);
    check_rows(&batch, rows);
    rows += batch.length;
    if (rows == 700) {
      /* A caller may keep one column of a batch, as long as it likes. */
      column = *batch.children[6];
      batch.children[6]->release = NULL;
    }
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, release_batch, &batch) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(batch.release == NULL);
  }
  CHECK(rows == RECORDS);
  CHECK(stream.get_next(&stream, &batch) == 0 && batch.release == NULL && stream.get_last_error(&stream) == NULL);
  stream.release(&stream);
  CHECK(stream.release == NULL);
  CHECK(column.length == 700 && bytes_are(&column, 699, "record 000699", 13));
  column.release(&column);
}

static void damage(const char *path, const char *damaged) {
  FILE *in = fopen(path, "rb"), *out = fopen(damaged, "wb");
  CHECK(in != NULL && out != NULL);
  static char bytes[1 << 20];
  const size_t len = fread(bytes, 1, sizeof bytes, in);
  size_t at = 0;
  while (at + 13 < len && memcmp(bytes + at, "record 002000", 13) != 0) at++;
  CHECK(at + 13 < len);
  bytes[at] ^= 1;
  CHECK(fwrite(bytes, 1, len, out) == len && fclose(in) == 0 && fclose(out) == 0);

  struct ArrowArrayStream stream = table_of(damaged, NULL);
  struct ArrowArray batch;
  CHECK(stream.get_next(&stream, &batch) == 0 && batch.release != NULL);
  CHECK(batch.length > 1000 && batch.length <= 2000);
  batch.release(&batch);
  for (int i = 0; i < 3; i++) {
    CHECK(stream.get_next(&stream, &batch) == EBADMSG);
    const char *line = stream.get_last_error(&stream);
    CHECK(line != NULL && strstr(line, damaged) != NULL && strstr(line, "offset") != NULL);
  }
  struct ArrowSchema s;
  CHECK(stream.get_schema(&stream, &s) == 0);
  s.release(&s);
  stream.release(&stream);
}

static void arguments(const char *path) {
  static const char *const twice[] = {"a", "a"};
  static const char *const null_key[] = {NULL};
  binlog_error *err = NULL;
  binlog_reader *reader;
  struct ArrowArrayStream stream;
  memset(&stream, 0x5a, sizeof stream);
  const struct ArrowArrayStream before = stream;
  binlog_table_options options, good;
  binlog_filter filter;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  CHECK_IS(binlog_table_options_init(&good, sizeof good), BINLOG_OK);
  CHECK_IS(binlog_table_options_init(NULL, sizeof good), BINLOG_E_INVALID);
  CHECK_IS(binlog_table_options_init(&good, 8), BINLOG_E_INVALID);
#ifndef __clang__
  CHECK_FAILS(binlog_reader_table(NULL, NULL, NULL, &stream, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_table(reader, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
#endif
#define REFUSED(change)                                                                        \
  do {                                                                                         \
    options = good;                                                                            \
    change;                                                                                    \
    CHECK_FAILS(binlog_reader_table(reader, NULL, &options, &stream, &err), BINLOG_E_INVALID, err); \
    CHECK(memcmp(&stream, &before, sizeof stream) == 0);                                       \
  } while (0)
  REFUSED(options.struct_size = 0);
  REFUSED(options.struct_size = sizeof options - 8);
  REFUSED(options.columns = 256);
  REFUSED(options.flags = 2);
  REFUSED(options.reserved[3] = 1);
  REFUSED(options.metadata_count = 1);
  REFUSED((options.metadata = null_key, options.metadata_count = 1));
  REFUSED((options.metadata = twice, options.metadata_count = 2));
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.flags = BINLOG_FILTER_HEADERS;
  options = good;
  options.columns = BINLOG_COLUMN_TEXT;
  CHECK_FAILS(binlog_reader_table(reader, &filter, &options, &stream, &err), BINLOG_E_INVALID, err);
  /* Columns that need no payload. */
  CHECK_OK(binlog_reader_table(reader, &filter, NULL, &stream, &err), err);
  struct ArrowSchema s;
  CHECK(stream.get_schema(&stream, &s) == 0 && s.n_children == 6);
  s.release(&s);
  CHECK(stream.get_schema(&stream, NULL) == EINVAL && stream.get_next(&stream, NULL) == EINVAL);
  stream.release(&stream);
  binlog_reader_close(reader);
}

static void test(const char *scratch) {
  char *path = path_in(scratch, "log.binlog"), *damaged = path_in(scratch, "damaged.binlog");
  write_log(path);
  contents(path);
  damage(path, damaged);
  arguments(path);
  free(path);
  free(damaged);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
