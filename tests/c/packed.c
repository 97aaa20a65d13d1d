/* Frames in memory: put, walk, append them to a log, read them back, copy them into a second log. */
#include "check.h"

#define RECORDS 500

static binlog_record sample(int i, uint8_t *payload, const uint8_t *metadata, size_t metadata_len) {
  binlog_record r;
  memset(&r, 0, sizeof r);
  memset(payload, i & 255, (size_t)i);
  r.type = (uint32_t)i % 5;
  r.time_ns = i * 1000 - 5000; /* before, at and after 1970 */
  r.flags = BINLOG_RECORD_TIME;
  r.data = payload;
  r.len = (size_t)i;
  if (i % 3 == 0) {
    r.metadata = metadata;
    r.metadata_len = metadata_len;
  }
  return r;
}

static void check_sample(const binlog_record *got, const binlog_record *wanted) {
  CHECK(got->type == wanted->type && got->time_ns == wanted->time_ns);
  CHECK(got->len == wanted->len && (got->len == 0 || memcmp(got->data, wanted->data, got->len) == 0));
  CHECK(got->metadata_len == wanted->metadata_len);
  CHECK(got->metadata_len == 0 || memcmp(got->metadata, wanted->metadata, got->metadata_len) == 0);
}

static uint32_t u32_at(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The layout that binlog.h documents, so that other languages may walk frames themselves. */
static void layout(void) {
  uint8_t buf[64];
  size_t len = 0;
  binlog_record r;
  memset(&r, 0, sizeof r);
  r.id = 9;
  r.type = 3;
  r.time_ns = -1;
  r.flags = BINLOG_RECORD_TIME;
  r.data = (const uint8_t *)"hello";
  r.len = 5;
  CHECK_IS(binlog_packed_put(buf, sizeof buf, &len, &r), BINLOG_OK);
  CHECK(len == 48); /* 40 + 5, rounded up to 8 */
  CHECK(u32_at(buf) == 48 && u32_at(buf + 4) == 3 && u32_at(buf + 8) == 9 && u32_at(buf + 12) == 0);
  CHECK(u32_at(buf + 16) == UINT32_MAX && u32_at(buf + 20) == UINT32_MAX);
  CHECK(u32_at(buf + 24) == 0 && u32_at(buf + 28) == 5 && u32_at(buf + 36) == 0);
  CHECK(memcmp(buf + 40, "hello\0\0\0", 8) == 0);

  CHECK_IS(binlog_packed_put(buf, sizeof buf, &len, &r), BINLOG_E_TOO_LARGE);
  CHECK(len == 48);

  const uint8_t *at = buf;
  binlog_record out;
  CHECK_IS(binlog_packed_next(&at, &len, &out), BINLOG_OK);
  CHECK(out.id == 9 && len == 0);
  check_sample(&out, &r);
  CHECK_IS(binlog_packed_next(&at, &len, &out), BINLOG_END);

  for (size_t cut = 1; cut < 48; cut++) { /* every truncation is noticed, and nothing is consumed */
    at = buf, len = cut;
    CHECK_IS(binlog_packed_next(&at, &len, &out), BINLOG_E_INVALID);
    CHECK(at == buf && len == cut);
  }
  buf[0] = 0; /* a frame of size 0 would never end */
  at = buf, len = 48;
  CHECK_IS(binlog_packed_next(&at, &len, &out), BINLOG_E_INVALID);
}

static size_t pack_all(uint8_t *frames, size_t cap, const uint8_t *metadata, size_t metadata_len) {
  uint8_t payload[RECORDS + 1];
  size_t len = 0;
  for (int i = 0; i < RECORDS; i++) {
    const binlog_record r = sample(i, payload, metadata, metadata_len);
    CHECK_IS(binlog_packed_put(frames, cap, &len, &r), BINLOG_OK);
  }
  return len;
}

static void check_log(const char *log, const uint8_t *metadata, size_t metadata_len, const char *copy) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_writer *w = NULL;
  uint8_t payload[RECORDS + 1], room[2048];
  size_t len = 0, n = 0;
  int i = 0;
  if (copy != NULL) CHECK_OK(binlog_writer_open(copy, NULL, &w, &err), err);
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);

  CHECK_FAILS(binlog_cursor_read_packed(cursor, room, 16, &len, &n, &err), BINLOG_E_TOO_LARGE, err);
  while (binlog_cursor_read_packed(cursor, room, sizeof room, &len, &n, &err) == BINLOG_OK) {
    CHECK(n >= 1 && len > 0 && len <= sizeof room && len % 8 == 0);
    if (w != NULL) {
      uint64_t first = 0;
      CHECK_OK(binlog_writer_append_packed(w, room, len, &first, &err), err);
      CHECK(first == (uint64_t)i + 1);
    }
    const uint8_t *at = room;
    binlog_record r;
    for (size_t k = 0; k < n; k++, i++) {
      const binlog_record wanted = sample(i, payload, metadata, metadata_len);
      CHECK_IS(binlog_packed_next(&at, &len, &r), BINLOG_OK);
      CHECK(r.id == (uint64_t)i + 1);
      check_sample(&r, &wanted);
    }
    CHECK_IS(binlog_packed_next(&at, &len, &r), BINLOG_END);
  }
  CHECK_NO_ERROR(err);
  CHECK(len == 0 && n == 0 && i == RECORDS);
  if (w != NULL) CHECK_OK(binlog_writer_close(w, &err), err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

/* Frames of a headers-only cursor contain the payload's length and no payload, so they cannot be appended. */
static void headers_only(const char *log, binlog_writer *elsewhere) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_filter filter;
  binlog_record r;
  uint8_t room[2048];
  size_t len = 0, n = 0;
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.flags = BINLOG_FILTER_HEADERS;
  filter.from_id = 401;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, &filter, &cursor, &err), err);
  CHECK_OK(binlog_cursor_read_packed(cursor, room, sizeof room, &len, &n, &err), err);
  CHECK(n > 10); /* 400 bytes each would not have fitted */
  CHECK_FAILS(binlog_writer_append_packed(elsewhere, room, len, NULL, &err), BINLOG_E_INVALID, err);
  const uint8_t *at = room;
  for (size_t i = 0; i < n; i++) {
    CHECK_IS(binlog_packed_next(&at, &len, &r), BINLOG_OK);
    CHECK(r.id == 401 + i && r.len == 400 + i && r.data == NULL && (r.flags & BINLOG_RECORD_NO_PAYLOAD));
  }
  CHECK_IS(binlog_packed_next(&at, &len, &r), BINLOG_END);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

static void test(const char *scratch) {
  const size_t cap = 1u << 20;
  uint8_t metadata[32], *frames = (uint8_t *)malloc(cap);
  size_t metadata_len = 0;
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  uint64_t first = 0;
  char *log = path_in(scratch, "log"), *copy = path_in(scratch, "copy");
  CHECK(frames != NULL);
  layout();

  CHECK_IS(binlog_metadata_put(metadata, sizeof metadata, &metadata_len, "key", 3, "value", 5, NULL), BINLOG_OK);
  size_t len = pack_all(frames, cap, metadata, metadata_len);
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_append_packed(w, frames, len, &first, &err), err);
  CHECK(first == 1);
  CHECK_FAILS(binlog_writer_append_packed(w, frames, len - 1, &first, &err), BINLOG_E_INVALID, err); /* all or none */
  CHECK_OK(binlog_writer_close(w, &err), err);

  check_log(log, metadata, metadata_len, copy);
  check_log(copy, metadata, metadata_len, NULL);
  CHECK_OK(binlog_writer_open(copy, NULL, &w, &err), err);
  headers_only(log, w);
  CHECK_OK(binlog_writer_close(w, &err), err);
  free(frames);
  free(log);
  free(copy);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
