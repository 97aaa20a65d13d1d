/* Damaged files: flipped bytes give E_CORRUPT with file and offset after every good record before them; a torn tail
   is an end and is distinguished; any truncation and any flipped byte of a small file loses records, but never
   changes one. */
#include "check.h"

#include <sys/wait.h>

#define RECORDS 300

static size_t expected_payload(uint64_t id, char *text, size_t size) {
  memset(text, 'a' + (int)(id % 26), size);
  return (size_t)snprintf(text, size, "record %d ", (int)id) + (size_t)(id % 90);
}

static void write_log(const char *path, int count, int finish) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  char text[128];
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  CHECK_OK(binlog_writer_open_file(path, &options, &w, &err), err);
  for (int i = 1; i <= count; i++) {
    const size_t len = expected_payload((uint64_t)i, text, sizeof text);
    CHECK_OK(binlog_writer_append(w, 1, text, len, NULL, &err), err);
  }
  if (finish) CHECK_OK(binlog_writer_close(w, &err), err);
  else CHECK_OK(binlog_writer_flush(w, &err), err), _exit(0); /* like a crash: never closed */
}

struct bytes { uint8_t *data; size_t len; };

static struct bytes load(const char *path) {
  struct bytes b;
  FILE *f = fopen(path, "rb");
  CHECK(f != NULL);
  b.len = (size_t)file_size(path);
  b.data = (uint8_t *)malloc(b.len);
  CHECK(b.data != NULL && fread(b.data, 1, b.len, f) == b.len && fclose(f) == 0);
  return b;
}

static void store(const char *path, const uint8_t *data, size_t len) {
  FILE *f = fopen(path, "wb");
  CHECK(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

struct outcome { binlog_status status; uint64_t records; int64_t offset; binlog_tail tail; };

/* Reads until anything but a record comes. Each record must be right. */
static struct outcome read_what_is_there(const char *path, uint32_t mode) {
  struct outcome o;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options options;
  binlog_record r;
  char text[128];
  memset(&o, 0, sizeof o);
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  options.mode = mode;
  o.offset = -1;
  o.status = binlog_reader_open(path, &options, &reader, &err);
  if (o.status == BINLOG_OK) o.status = binlog_cursor_open(reader, NULL, &cursor, &err);
  while (o.status == BINLOG_OK && (o.status = binlog_cursor_next(cursor, &r, &err)) == BINLOG_OK) {
    const size_t len = expected_payload(++o.records, text, sizeof text);
    CHECK(r.id == o.records && r.len == len && memcmp(r.data, text, len) == 0 && r.type == 1);
  }
  CHECK((o.status < 0) == (err != NULL));
  if (err != NULL) {
    CHECK(strcmp(binlog_error_path(err), path) == 0);
    CHECK(strstr(binlog_error_message(err), path) != NULL);
    o.offset = binlog_error_offset(err);
    binlog_error_free(err);
    err = NULL;
  }
  if (cursor != NULL) CHECK_OK(binlog_cursor_tail(cursor, &o.tail, &err), err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return o;
}

static void flipped_payload(const char *path, const struct bytes *good) {
  struct bytes bad = {(uint8_t *)malloc(good->len), good->len};
  CHECK(bad.data != NULL);
  memcpy(bad.data, good->data, good->len);
  size_t hit = 0;
  while (hit + 10 < bad.len && memcmp(bad.data + hit, "record 200", 10) != 0) hit++;
  CHECK(hit + 10 < bad.len);
  bad.data[hit + 3] ^= 0x10;
  store(path, bad.data, bad.len);
  for (uint32_t mode = BINLOG_READER_PREFIX; mode <= BINLOG_READER_STRICT; mode++) {
    const struct outcome o = read_what_is_there(path, mode);
    CHECK_IS(o.status, BINLOG_E_CORRUPT);
    CHECK(o.records > 100 && o.records < 200);
    CHECK(o.offset > 0 && o.offset <= (int64_t)hit + 3 && (int64_t)hit - o.offset < 3 * 4096);
    CHECK(o.tail.state == BINLOG_TAIL_CORRUPT && o.tail.next_id == o.records + 1);
    CHECK(o.tail.unread_bytes > 0);
    CHECK((int64_t)(o.tail.offset + o.tail.unread_bytes) == (int64_t)bad.len);
  }
  binlog_filter headers; /* headers need no payload, so they all pass */
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  uint64_t seen = 0;
  CHECK_IS(binlog_filter_init(&headers, sizeof headers), BINLOG_OK);
  headers.flags = BINLOG_FILTER_HEADERS;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, &headers, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) seen++;
  CHECK_NO_ERROR(err);
  CHECK(seen == RECORDS);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  free(bad.data);
}

/* Every cut, and a flip of every byte, of a small closed file: an exact prefix, or an error. */
static void every_byte(const char *path, const struct bytes *good, uint64_t total) {
  uint8_t *bad = (uint8_t *)malloc(good->len);
  CHECK(bad != NULL);
  memcpy(bad, good->data, good->len);
  for (size_t at = 0; at < good->len; at++) {
    bad[at] ^= (uint8_t)(1u << at % 8);
    store(path, bad, good->len);
    const struct outcome o = read_what_is_there(path, BINLOG_READER_PREFIX);
    const int reported = o.status < 0 || o.tail.state != BINLOG_TAIL_CLOSED;
    CHECK(o.records == total || reported); /* never a silent loss */
    CHECK(o.records <= total);
    bad[at] = good->data[at];

    store(path, good->data, at);
    const struct outcome cut = read_what_is_there(path, BINLOG_READER_PREFIX);
    CHECK(cut.records <= total);
    CHECK(cut.status < 0 || cut.tail.state != BINLOG_TAIL_CLOSED);
  }
  free(bad);
}

static void torn_tail(const char *path, const struct bytes *unclosed) {
  store(path, unclosed->data, unclosed->len);
  struct outcome o = read_what_is_there(path, BINLOG_READER_PREFIX);
  CHECK_IS(o.status, BINLOG_END);
  CHECK(o.records == RECORDS && o.tail.state == BINLOG_TAIL_UNCLOSED && o.tail.unread_bytes == 0);

  store(path, unclosed->data, unclosed->len - 7);
  o = read_what_is_there(path, BINLOG_READER_PREFIX);
  CHECK_IS(o.status, BINLOG_END);
  CHECK(o.records > 0 && o.records < RECORDS && o.tail.state == BINLOG_TAIL_TORN);
  CHECK(o.tail.next_id == o.records + 1 && o.tail.unread_bytes > 0);
  CHECK(o.tail.offset + o.tail.unread_bytes == unclosed->len - 7);
  o = read_what_is_there(path, BINLOG_READER_STRICT);
  CHECK_IS(o.status, BINLOG_E_CORRUPT);
  CHECK(o.offset > 0);

  /* A writer cuts the torn tail off and continues after the last whole record. */
  const uint64_t kept = o.records;
  char text[128];
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  uint64_t id = 0;
  const size_t len = expected_payload(kept + 1, text, sizeof text);
  CHECK_OK(binlog_writer_open_file(path, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_append(w, 1, text, len, &id, &err), err);
  CHECK(id == kept + 1);
  CHECK_OK(binlog_writer_close(w, &err), err);
  o = read_what_is_there(path, BINLOG_READER_STRICT);
  CHECK_IS(o.status, BINLOG_END);
  CHECK(o.records == kept + 1 && o.tail.state == BINLOG_TAIL_CLOSED);
}

static void test(const char *scratch) {
  char *source = path_in(scratch, "source"), *small = path_in(scratch, "small"), *path = path_in(scratch, "damaged");
  char *crashed = path_in(scratch, "crashed");
  write_log(source, RECORDS, 1);
  write_log(small, 3, 1);
  struct bytes good = load(source), few = load(small);
  flipped_payload(path, &good);
  every_byte(path, &few, 3);

  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) write_log(crashed, RECORDS, 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  struct bytes unclosed = load(crashed);
  torn_tail(path, &unclosed);

  free(unclosed.data), free(good.data), free(few.data);
  free(source), free(small), free(path), free(crashed);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
