/* Every way to write a record, in both kinds of log, with every codec, in the caller's thread and in the background:
   what is read is what was written. */
#include "check.h"

#define BIG (3u << 20) /* over any block: written directly from the caller's memory */

static uint8_t *pattern(size_t len, unsigned seed) {
  uint8_t *bytes = (uint8_t *)malloc(len);
  CHECK(bytes != NULL);
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1103515245u + 12345u;
    bytes[i] = (uint8_t)(seed >> 16 & (i % 64 < 32 ? 255 : 3)); /* half noise, half compressible */
  }
  return bytes;
}

static void write_all(binlog_writer *w, const uint8_t *big) {
  binlog_error *err = NULL;
  uint64_t id = 0;
  uint32_t named = 0, again = 0;

  CHECK_OK(binlog_writer_append(w, 1, "one", 3, &id, &err), err);
  CHECK(id == 1);
  CHECK_OK(binlog_writer_append(w, BINLOG_TYPE_NAMED - 1, NULL, 0, &id, &err), err); /* empty, the largest own number */
  CHECK(id == 2);
  CHECK_OK(binlog_writer_append(w, 0, "three", 5, NULL, NULL), err); /* without id and error */

  uint8_t metadata[64];
  size_t metadata_len = 0;
  CHECK_IS(binlog_metadata_put(metadata, sizeof metadata, &metadata_len, "who", 3, "me", 2, NULL), BINLOG_OK);
  CHECK_IS(binlog_metadata_put(metadata, sizeof metadata, &metadata_len, "", 0, "\xC3\xA9", 2, NULL), BINLOG_OK);
  binlog_record record;
  memset(&record, 0, sizeof record);
  record.type = 4;
  record.data = (const uint8_t *)"four";
  record.len = 4;
  record.time_ns = -1500; /* before 1970 */
  record.metadata = metadata;
  record.metadata_len = metadata_len;
  CHECK_OK(binlog_writer_append_record(w, &record, &id, &err), err);
  CHECK(id == 4);

  const binlog_slice parts[] = {{(const uint8_t *)"fi", 2}, {NULL, 0}, {(const uint8_t *)"ve", 2}};
  CHECK_OK(binlog_writer_gather(w, 5, parts, COUNT_OF(parts), &id, &err), err);
  CHECK(id == 5);

  const binlog_slice big_parts[] = {{big, BIG / 3}, {big + BIG / 3, BIG - BIG / 3}};
  record.type = 6;
  record.data = NULL;
  record.len = 0;
  record.flags = BINLOG_RECORD_TIME;
  record.time_ns = 0; /* 1970 itself: with the flag a zero is a time */
  CHECK_OK(binlog_writer_gather_record(w, &record, big_parts, COUNT_OF(big_parts), &id, &err), err);
  CHECK(id == 6);

  CHECK_OK(binlog_writer_type(w, "app.named", "text/plain", &named, &err), err);
  CHECK(named >= BINLOG_TYPE_NAMED && named < BINLOG_TYPE_EVENT);
  CHECK_OK(binlog_writer_type(w, "app.named", "text/plain", &again, &err), err);
  CHECK(again == named);
  CHECK_OK(binlog_writer_type(w, "app.other", NULL, &again, &err), err);
  CHECK(again != named);
  CHECK_OK(binlog_writer_append(w, named, "seven", 5, &id, &err), err);
  CHECK(id == 7);

  binlog_record batch[3];
  memset(batch, 0, sizeof batch);
  for (size_t i = 0; i < COUNT_OF(batch); i++) {
    batch[i].type = 8;
    batch[i].data = (const uint8_t *)"batched" + i;
    batch[i].len = 7 - i;
  }
  CHECK_OK(binlog_writer_append_batch(w, batch, COUNT_OF(batch), &id, &err), err);
  CHECK(id == 8);

  uint8_t frames[256];
  size_t frames_len = 0;
  record.type = 11;
  record.data = (const uint8_t *)"packed";
  record.len = 6;
  record.time_ns = 11;
  CHECK_IS(binlog_packed_put(frames, sizeof frames, &frames_len, &record), BINLOG_OK);
  record.type = 12;
  record.metadata = NULL;
  record.metadata_len = 0;
  record.time_ns = 12;
  CHECK_IS(binlog_packed_put(frames, sizeof frames, &frames_len, &record), BINLOG_OK);
  CHECK_OK(binlog_writer_append_packed(w, frames, frames_len, &id, &err), err);
  CHECK(id == 11);

  CHECK_OK(binlog_writer_append(w, 13, big, BIG, &id, &err), err);
  CHECK(id == 13);

  CHECK_OK(binlog_writer_tick(w, &err), err);
  CHECK_OK(binlog_writer_flush(w, &err), err);
  binlog_position where;
  CHECK_OK(binlog_writer_position(w, &where, &err), err);
  CHECK(where.appended_id == 13 && where.flushed_id == 13 && where.durable_id <= 13);
  CHECK_OK(binlog_writer_sync(w, &err), err);
  CHECK_OK(binlog_writer_position(w, &where, &err), err);
  CHECK(where.appended_id == 13 && where.flushed_id == 13 && where.durable_id == 13);
}

static void check_metadata(const binlog_record *r) {
  binlog_slice key, value;
  const uint8_t *at = r->metadata;
  size_t len = r->metadata_len;
  CHECK_IS(binlog_metadata_next(&at, &len, &key, &value), BINLOG_OK);
  CHECK(slice_is(&key, "who") && slice_is(&value, "me"));
  CHECK_IS(binlog_metadata_next(&at, &len, &key, &value), BINLOG_OK);
  CHECK(slice_is(&key, "") && slice_is(&value, "\xC3\xA9"));
  CHECK_IS(binlog_metadata_next(&at, &len, &key, &value), BINLOG_END);
  CHECK_IS(binlog_metadata_find(r->metadata, r->metadata_len, "who", 3, &value), BINLOG_OK);
  CHECK(slice_is(&value, "me"));
  CHECK_IS(binlog_metadata_find(r->metadata, r->metadata_len, "why", 3, &value), BINLOG_E_NOT_FOUND);
}

static void check_record(const binlog_record *r, uint64_t id, const uint8_t *big) {
  static const uint32_t types[] = {1, BINLOG_TYPE_NAMED - 1, 0, 4, 5, 6, 0, 8, 8, 8, 11, 12, 13};
  static const char *const texts[] = {"one", "", "three", "four", "five", NULL, "seven", "batched", "atched", "tched",
                                      "packed", "packed", NULL};
  CHECK(r->id == id);
  CHECK(r->flags == BINLOG_RECORD_TIME);
  CHECK(r->reserved[0] == 0 && r->reserved[1] == 0);
  CHECK(id == 7 ? r->type >= BINLOG_TYPE_NAMED : r->type == types[id - 1]);
  if (texts[id - 1] != NULL)
    CHECK(record_is(r, texts[id - 1]));
  else
    CHECK(r->len == BIG && memcmp(r->data, big, BIG) == 0);
  switch (id) {
    case 4: CHECK(r->time_ns == -1500); break;
    case 6: CHECK(r->time_ns == 0); break;
    case 11: CHECK(r->time_ns == 11); break;
    case 12: CHECK(r->time_ns == 12); break;
    default: CHECK(r->time_ns > 1600000000000000000); /* now, which is after 2020 */
  }
  if (id == 4 || id == 6 || id == 11)
    check_metadata(r);
  else
    CHECK(r->metadata_len == 0);
}

static void read_all(const char *path, const uint8_t *big) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record, records[4];
  binlog_tail tail;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);

  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  for (uint64_t id = 1; id <= 13; id++) {
    CHECK_OK(binlog_cursor_next(cursor, &record, &err), err);
    check_record(&record, id, big);
    if (id == 7) {
      binlog_slice name;
      CHECK_OK(binlog_cursor_type_name(cursor, record.type, &name, &err), err);
      CHECK(slice_is(&name, "app.named"));
      CHECK_FAILS(binlog_cursor_type_name(cursor, 7, &name, &err), BINLOG_E_NOT_FOUND, err);
    }
  }
  CHECK_IS(binlog_cursor_next(cursor, &record, &err), BINLOG_END);
  CHECK_IS(binlog_cursor_next(cursor, &record, &err), BINLOG_END); /* and stays there */
  CHECK_OK(binlog_cursor_tail(cursor, &tail, &err), err);
  CHECK(tail.state == BINLOG_TAIL_CLOSED && tail.next_id == 14 && tail.unread_bytes == 0);
  binlog_cursor_close(cursor);

  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  uint64_t id = 1;
  size_t n = 99;
  while (binlog_cursor_next_batch(cursor, records, COUNT_OF(records), &n, &err) == BINLOG_OK) {
    CHECK(n >= 1 && n <= COUNT_OF(records));
    for (size_t i = 0; i < n; i++) check_record(&records[i], id++, big);
  }
  CHECK_NO_ERROR(err);
  CHECK(n == 0 && id == 14);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

static void test(const char *scratch) {
  uint8_t *big = pattern(BIG, 7);
  for (uint32_t combination = 0; combination < 12; combination++) {
    char name[40];
    binlog_writer_options options;
    binlog_error *err = NULL;
    binlog_writer *w = NULL;
    CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
    options.codec = combination % 3;
    options.flags = combination / 3 % 2 ? BINLOG_WRITER_BACKGROUND : 0;
    options.block_bytes = 4096;
    const int in_directory = combination / 6 == 0;
    snprintf(name, sizeof name, "log-%u", (unsigned)combination);
    char *path = path_in(scratch, name);
    if (in_directory)
      CHECK_OK(binlog_writer_open(path, &options, &w, &err), err);
    else
      CHECK_OK(binlog_writer_open_file(path, &options, &w, &err), err);
    write_all(w, big);
    CHECK_OK(binlog_writer_close(w, &err), err);
    read_all(path, big);
    free(path);
  }
  free(big);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
