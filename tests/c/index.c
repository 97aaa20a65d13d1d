/* Finding records: by id, by time, by type, by metadata, the last ones, the newest first, counts; over several segments
   with several INDEX blocks each, in a log that was closed and in one that a crash left. */
#include "check.h"

#include <sys/wait.h>

#define RECORDS 2000
#define RARE 400 /* one record of this many is of the rare type */
#define SECOND INT64_C(1000000000)

static int is_rare(uint64_t id) { return id % RARE == 0; }

static size_t payload_of(uint64_t id, char *text, size_t size) {
  memset(text, 'a' + (int)(id % 26), size);
  return (size_t)snprintf(text, size, "record %d", (int)id) + (size_t)(id % 60);
}

/* Record i is at i seconds, of type 1 or "rare"; its metadata contains the shard, and for a rare one that it is urgent. */
static void write_log(const char *log, int closing) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  uint32_t rare = 0;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  options.segment_bytes = 60000;
  options.index_bytes = 10000;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  CHECK_OK(binlog_writer_type(w, "rare", NULL, &rare, &err), err);
  for (uint64_t id = 1; id <= RECORDS; id++) {
    char text[128], shard[16];
    uint8_t pairs[64];
    size_t pairs_len = 0;
    binlog_record r;
    memset(&r, 0, sizeof r);
    const int shard_len = snprintf(shard, sizeof shard, "%d", (int)(id / 100));
    CHECK_IS(binlog_metadata_put(pairs, sizeof pairs, &pairs_len, "shard", 5, shard, (size_t)shard_len, NULL), BINLOG_OK);
    if (is_rare(id)) CHECK_IS(binlog_metadata_put(pairs, sizeof pairs, &pairs_len, "urgent", 6, "yes", 3, NULL), BINLOG_OK);
    r.type = is_rare(id) ? rare : 1;
    r.time_ns = (int64_t)id * SECOND;
    r.len = payload_of(id, text, sizeof text);
    r.data = (const uint8_t *)text;
    r.metadata = pairs;
    r.metadata_len = pairs_len;
    CHECK_OK(binlog_writer_append_record(w, &r, NULL, &err), err);
  }
  if (closing) {
    CHECK_OK(binlog_writer_close(w, &err), err);
  } else { /* like a crash: the program is gone, and what it left in memory is lost */
    CHECK_OK(binlog_writer_flush(w, &err), err);
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    _exit(1);
  }
}

static int is_record(const binlog_record *r, uint64_t id) {
  char text[128];
  const size_t len = payload_of(id, text, sizeof text);
  return r->id == id && r->time_ns == (int64_t)id * SECOND && r->len == len && memcmp(r->data, text, len) == 0 &&
         (r->type >= BINLOG_TYPE_NAMED) == is_rare(id) && r->flags == BINLOG_RECORD_TIME;
}

static binlog_filter fresh(void) {
  binlog_filter f;
  CHECK_IS(binlog_filter_init(&f, sizeof f), BINLOG_OK);
  return f;
}

static binlog_cursor *cursor_of(binlog_reader *reader, const binlog_filter *filter) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = NULL;
  CHECK_OK(binlog_cursor_open(reader, filter, &cursor, &err), err);
  return cursor;
}

/* The next record is this one; 0: there is none. */
static void next_is(binlog_cursor *cursor, uint64_t id) {
  binlog_error *err = NULL;
  binlog_record r;
  if (id == 0) {
    CHECK_IS(binlog_cursor_next(cursor, &r, &err), BINLOG_END);
  } else {
    CHECK_OK(binlog_cursor_next(cursor, &r, &err), err);
    CHECK(is_record(&r, id));
  }
}

static void getting(binlog_reader *reader) {
  static const char *const rare[] = {"rare"};
  binlog_error *err = NULL;
  binlog_record r;
  binlog_cursor *cursor = cursor_of(reader, NULL);
  for (uint64_t i = 0; i < RECORDS; i += 7) {
    const uint64_t id = 1 + i * 611 % RECORDS; /* here and there */
    CHECK_OK(binlog_cursor_get(cursor, id, &r, &err), err);
    CHECK(is_record(&r, id));
    if (i % 2 == 0) next_is(cursor, id < RECORDS ? id + 1 : 0); /* reading continues after it */
  }
  memset(&r, 0x5A, sizeof r);
  CHECK_FAILS(binlog_cursor_get(cursor, 0, &r, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_cursor_get(cursor, RECORDS + 1, &r, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_cursor_get(cursor, UINT64_MAX, &r, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_IS(binlog_cursor_get(cursor, UINT64_MAX, &r, NULL), BINLOG_E_NOT_FOUND);
  CHECK(r.id == UINT64_C(0x5A5A5A5A5A5A5A5A));
  next_is(cursor, 0);

  /* A batch and packed frames continue after it too. */
  uint8_t room[512];
  const uint8_t *frames = room;
  binlog_record batch[3];
  size_t n = 0, len = 0;
  CHECK_OK(binlog_cursor_get(cursor, 1000, &r, &err), err);
  CHECK_OK(binlog_cursor_next_batch(cursor, batch, COUNT_OF(batch), &n, &err), err);
  CHECK(n >= 1 && is_record(&batch[0], 1001));
  CHECK_OK(binlog_cursor_get(cursor, 77, &r, &err), err);
  CHECK_OK(binlog_cursor_read_packed(cursor, room, sizeof room, &len, &n, &err), err);
  CHECK(n >= 1 && binlog_packed_next(&frames, &len, &r) == BINLOG_OK && is_record(&r, 78));
  binlog_cursor_close(cursor);

  binlog_filter f = fresh(); /* what the filter excludes is not found */
  f.type_names = rare, f.type_name_count = 1;
  cursor = cursor_of(reader, &f);
  CHECK_OK(binlog_cursor_get(cursor, 3 * RARE, &r, &err), err);
  CHECK(is_record(&r, 3 * RARE));
  CHECK_FAILS(binlog_cursor_get(cursor, RARE + 1, &r, &err), BINLOG_E_NOT_FOUND, err);
  next_is(cursor, 2 * RARE);
  binlog_cursor_close(cursor);

  f = fresh();
  f.flags = BINLOG_FILTER_HEADERS;
  cursor = cursor_of(reader, &f);
  CHECK_OK(binlog_cursor_get(cursor, 500, &r, &err), err);
  CHECK(r.id == 500 && r.data == NULL && r.len > 0 && (r.flags & BINLOG_RECORD_NO_PAYLOAD) != 0);
  binlog_cursor_close(cursor);
}

static void seeking(binlog_reader *reader) {
  static const uint64_t places[] = {1500, 1, 2, RECORDS, 999, 1000, 1001, 3};
  binlog_error *err = NULL;
  binlog_cursor *cursor = cursor_of(reader, NULL);
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    const uint64_t id = places[i];
    CHECK_OK(binlog_cursor_seek(cursor, id, &err), err);
    next_is(cursor, id);
    next_is(cursor, id < RECORDS ? id + 1 : 0);
    CHECK_OK(binlog_cursor_seek_time(cursor, (int64_t)id * SECOND, &err), err);
    next_is(cursor, id);
    CHECK_OK(binlog_cursor_seek_time(cursor, (int64_t)id * SECOND - 1, &err), err); /* between two */
    next_is(cursor, id);
    CHECK_OK(binlog_cursor_seek_time(cursor, (int64_t)id * SECOND + 1, &err), err);
    next_is(cursor, id < RECORDS ? id + 1 : 0);
  }
  CHECK_OK(binlog_cursor_seek(cursor, 0, &err), err);
  next_is(cursor, 1);
  CHECK_OK(binlog_cursor_seek(cursor, RECORDS + 1, &err), err);
  next_is(cursor, 0);
  CHECK_OK(binlog_cursor_seek(cursor, 1, &err), err);
  CHECK_OK(binlog_cursor_seek_end(cursor, &err), err);
  next_is(cursor, 0);
  CHECK_OK(binlog_cursor_seek_time(cursor, INT64_MIN, &err), err);
  next_is(cursor, 1);
  CHECK_OK(binlog_cursor_seek_time(cursor, INT64_MAX, &err), err);
  next_is(cursor, 0);
  binlog_cursor_close(cursor);

  const uint32_t one[] = {1};
  binlog_filter f = fresh(); /* a seek keeps to the filter */
  f.types = one, f.type_count = 1;
  f.from_id = 100, f.to_id = RARE + 1;
  cursor = cursor_of(reader, &f);
  CHECK_OK(binlog_cursor_seek(cursor, RARE, &err), err);
  next_is(cursor, RARE + 1);
  next_is(cursor, 0);
  CHECK_OK(binlog_cursor_seek(cursor, 1, &err), err);
  next_is(cursor, 100);
  binlog_cursor_close(cursor);
}

/* Exactly these ids, in order, one by one and in batches. */
static void expect(binlog_reader *reader, const binlog_filter *filter, const uint64_t *ids, size_t count) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = cursor_of(reader, filter);
  for (size_t i = 0; i < count; i++) next_is(cursor, ids[i]);
  next_is(cursor, 0);
  binlog_cursor_close(cursor);

  binlog_record batch[16];
  size_t n = 0, at = 0;
  cursor = cursor_of(reader, filter);
  while (binlog_cursor_next_batch(cursor, batch, COUNT_OF(batch), &n, &err) == BINLOG_OK)
    for (size_t i = 0; i < n; i++) CHECK(at < count && is_record(&batch[i], ids[at++]));
  CHECK_NO_ERROR(err);
  CHECK(at == count);
  binlog_cursor_close(cursor);
}

static void filtering(binlog_reader *reader) {
  static const char *const rare[] = {"rare"}, *const unknown[] = {"unknown"};
  static const char *const urgent[] = {"urgent", "yes"}, *const no[] = {"urgent", "no"};
  static const char *const urgent_there[] = {"urgent", "yes", "shard", "8"}, *const shard[] = {"shard", "3"};
  const uint64_t all_rare[] = {400, 800, 1200, 1600, 2000}, reversed[] = {2000, 1600, 1200, 800, 400};
  uint64_t ids[RECORDS], down[RECORDS];
  for (uint64_t id = 1; id <= RECORDS; id++) ids[id - 1] = id, down[RECORDS - id] = id;

  binlog_filter f = fresh();
  f.type_names = rare, f.type_name_count = 1;
  expect(reader, &f, all_rare, 5);
  f.last = 2;
  expect(reader, &f, all_rare + 3, 2);
  f.flags = BINLOG_FILTER_NEWEST_FIRST;
  expect(reader, &f, reversed, 2);
  f.last = 0;
  expect(reader, &f, reversed, 5);
  f.to_id = 1599;
  expect(reader, &f, reversed + 2, 3);
  f.type_names = unknown;
  expect(reader, &f, NULL, 0);

  f = fresh();
  f.metadata = urgent, f.metadata_count = 1;
  expect(reader, &f, all_rare, 5);
  f.flags = BINLOG_FILTER_NEWEST_FIRST;
  expect(reader, &f, reversed, 5);
  f.flags = 0;
  f.metadata = no;
  expect(reader, &f, NULL, 0);
  f.metadata = urgent_there, f.metadata_count = 2; /* both pairs */
  expect(reader, &f, all_rare + 1, 1);
  f.metadata = shard, f.metadata_count = 1;
  expect(reader, &f, ids + 299, 100); /* 300 to 399 */
  f.last = 3;
  expect(reader, &f, ids + 396, 3);

  f = fresh();
  f.last = 10;
  expect(reader, &f, ids + RECORDS - 10, 10);
  f.flags = BINLOG_FILTER_NEWEST_FIRST;
  expect(reader, &f, down, 10);
  f.last = 0;
  expect(reader, &f, down, RECORDS);
  f.last = RECORDS + 5;
  expect(reader, &f, down, RECORDS);
  f.from_time_ns = 500 * SECOND, f.to_time_ns = 510 * SECOND;
  expect(reader, &f, down + RECORDS - 509, 10);
}

struct counted { int calls; uint64_t others, rare; uint32_t rare_number; };

static void count(void *userdata, const binlog_type_count *type) {
  struct counted *c = (struct counted *)userdata;
  CHECK(type->several_numbers == 0 && type->reserved[0] == 0 && type->reserved[1] == 0);
  if (c->calls++ == 0) { /* the most frequent comes first */
    CHECK(type->type == 1 && type->name == NULL);
    c->others = type->records;
  } else {
    CHECK(strcmp(type->name, "rare") == 0);
    c->rare = type->records, c->rare_number = type->type;
  }
}

static void counting(binlog_reader *reader) {
  struct counted c = {0, 0, 0, 0};
  binlog_error *err = NULL;
  CHECK_OK(binlog_reader_counts(reader, count, &c, &err), err);
  CHECK(c.calls == 2 && c.others == RECORDS - 5 && c.rare == 5 && c.rare_number >= BINLOG_TYPE_NAMED);
}

/* A cursor that shows the newest first or salvages cannot seek, and a salvaging one cannot read backward. */
static void unsupported(const char *log, binlog_reader *reader) {
  binlog_error *err = NULL;
  binlog_record r;
  binlog_filter f = fresh();
  f.flags = BINLOG_FILTER_NEWEST_FIRST;
  binlog_cursor *cursor = cursor_of(reader, &f);
  next_is(cursor, RECORDS);
  for (int salvaging = 0; salvaging <= 1; salvaging++) {
    CHECK_FAILS(binlog_cursor_get(cursor, 5, &r, &err), BINLOG_E_UNSUPPORTED, err);
    CHECK_FAILS(binlog_cursor_seek(cursor, 5, &err), BINLOG_E_UNSUPPORTED, err);
    CHECK_FAILS(binlog_cursor_seek_time(cursor, 5, &err), BINLOG_E_UNSUPPORTED, err);
    CHECK_FAILS(binlog_cursor_seek_end(cursor, &err), BINLOG_E_UNSUPPORTED, err);
    next_is(cursor, salvaging ? 2 : RECORDS - 1); /* none of that moved it */
    binlog_cursor_close(cursor);
    cursor = NULL;
    if (salvaging) break;
    binlog_reader_options options;
    binlog_reader *salvager = NULL;
    CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
    options.mode = BINLOG_READER_SALVAGE;
    CHECK_OK(binlog_reader_open(log, &options, &salvager, &err), err);
    CHECK_FAILS(binlog_cursor_open(salvager, &f, &cursor, &err), BINLOG_E_INVALID, err);
    CHECK(cursor == NULL);
    cursor = cursor_of(salvager, NULL);
    next_is(cursor, 1);
    binlog_reader_close(salvager);
  }
}

static void everything(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  size_t segments = 0;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_reader_segment_count(reader, &segments, &err), err);
  CHECK(segments >= 3);
  getting(reader);
  seeking(reader);
  filtering(reader);
  counting(reader);
  unsupported(log, reader);
  binlog_reader_close(reader);
}

/* The writer's index is whole after a close; what a crash left is completed, once, and never beside a writer. */
static void rebuilding(const char *closed, const char *crashed) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  size_t written = 77;
  CHECK_OK(binlog_rebuild_index(closed, &written, &err), err);
  CHECK(written == 0);
  CHECK_OK(binlog_rebuild_index(crashed, &written, &err), err);
  CHECK(written == 1);
  CHECK_OK(binlog_rebuild_index(crashed, &written, &err), err);
  CHECK(written == 0);
  CHECK_IS(binlog_rebuild_index(crashed, NULL, NULL), BINLOG_OK);
  everything(crashed);

  written = 77;
  CHECK_OK(binlog_writer_open(closed, NULL, &w, &err), err);
  CHECK_FAILS(binlog_rebuild_index(closed, &written, &err), BINLOG_E_LOCKED, err);
  CHECK(written == 77);
  CHECK_OK(binlog_writer_close(w, &err), err);
}

static void test(const char *scratch) {
  char *closed = path_in(scratch, "closed"), *crashed = path_in(scratch, "crashed");
  write_log(closed, 1);
  everything(closed);

  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) write_log(crashed, 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  everything(crashed);
  rebuilding(closed, crashed);
  free(closed), free(crashed);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
