/* Damaged logs: what strict, prefix and salvaging readers make of the same bytes, what on_loss receives, and when its
   userdata is dropped; recovery to a new log and in place, and the index of what is left. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

#include <pthread.h>

#define PAYLOAD 1024
#define IN_BLOCK 16 /* records: four pages of 4 KiB with four records each */
#define RECORDS 160
#define SEGMENT_1 "default.0000000001.binlog"
#define SEGMENT_2 "default.0000000002.binlog"

static void payload_of(uint64_t id, char *text) {
  memset(text, 'a' + (int)(id % 26), PAYLOAD);
  text[snprintf(text, PAYLOAD, "<record %04d>", (int)id)] = ' ';
}

/* RECORDS records in blocks of 16, synced after the first half; `roll_after` records a new segment begins (0 = never). */
static void write_log(const char *log, int roll_after) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  char text[PAYLOAD];
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = PAYLOAD * IN_BLOCK;
  options.flush_interval_ms = BINLOG_NEVER;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  for (int i = 1; i <= RECORDS; i++) {
    payload_of((uint64_t)i, text);
    CHECK_OK(binlog_writer_append(w, 1, text, PAYLOAD, NULL, &err), err);
    if (i == RECORDS / 2) CHECK_OK(binlog_writer_sync(w, &err), err);
    if (i == roll_after) CHECK_OK(binlog_writer_roll(w, &err), err);
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
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

/* The offset of a record's payload in its file. */
static size_t place_of(const struct bytes *file, uint64_t id) {
  char mark[32];
  const size_t len = (size_t)snprintf(mark, sizeof mark, "<record %04d>", (int)id);
  for (size_t at = 0; at + len <= file->len; at++)
    if (memcmp(file->data + at, mark, len) == 0) return at;
  check_failed(__FILE__, __LINE__, mark);
  return 0;
}

static void flip(const char *path, size_t at) {
  FILE *f = fopen(path, "r+b");
  CHECK(f != NULL && fseek(f, (long)at, SEEK_SET) == 0);
  const int byte = fgetc(f);
  CHECK(byte != EOF && fseek(f, (long)at, SEEK_SET) == 0);
  CHECK(fputc(byte ^ 0x20, f) != EOF && fclose(f) == 0);
}

/* ------------------------------------------------------------------ callbacks */

struct heard {
  pthread_mutex_t lock;
  int calls, drops;
  binlog_loss last;
  char path[PATH_MAX], reason[200];
};

static void listen(void *userdata, const binlog_loss *loss) {
  struct heard *heard = (struct heard *)userdata;
  CHECK(pthread_mutex_lock(&heard->lock) == 0);
  CHECK(heard->drops == 0 && loss->kind != 0 && loss->reserved[0] == 0 && loss->reserved[1] == 0);
  heard->calls++;
  heard->last = *loss; /* the strings live only until this returns */
  snprintf(heard->path, sizeof heard->path, "%s", loss->path);
  snprintf(heard->reason, sizeof heard->reason, "%s", loss->reason);
  CHECK(pthread_mutex_unlock(&heard->lock) == 0);
}

static void drop(void *userdata) { ((struct heard *)userdata)->drops++; }

static void reset(struct heard *heard) {
  memset(heard, 0, sizeof *heard);
  CHECK(pthread_mutex_init(&heard->lock, NULL) == 0);
}

static binlog_reader_options listening(uint32_t mode, struct heard *heard) {
  binlog_reader_options options;
  reset(heard);
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  options.mode = mode;
  options.on_loss = listen;
  options.on_loss_userdata = heard;
  options.on_loss_drop = drop;
  return options;
}

/* ------------------------------------------------------------------ reading */

/* Reads all that is shown; each record must be right. Ids from..to (0 = none) must be the only ones missing. */
static binlog_status read_all(binlog_cursor *cursor, uint64_t from, uint64_t to, uint64_t *seen) {
  binlog_error *err = NULL;
  binlog_record r;
  binlog_status status;
  char text[PAYLOAD];
  uint64_t expected = 1;
  *seen = 0;
  while ((status = binlog_cursor_next(cursor, &r, &err)) == BINLOG_OK) {
    if (expected == from) expected = to + 1;
    payload_of(expected, text);
    CHECK(r.id == expected && r.len == PAYLOAD && memcmp(r.data, text, PAYLOAD) == 0);
    expected++, ++*seen;
  }
  binlog_error_free(err);
  return status;
}

static uint64_t read_log(const char *log, const binlog_reader_options *options, binlog_status expected, uint64_t from,
                         uint64_t to) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  uint64_t seen = 0;
  CHECK_OK(binlog_reader_open(log, options, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  binlog_reader_close(reader); /* before its cursor: the callback is still called */
  CHECK_IS(read_all(cursor, from, to, &seen), expected);
  CHECK_IS(binlog_cursor_next(cursor, &(binlog_record){0}, NULL), expected);
  binlog_cursor_close(cursor);
  return seen;
}

static void strict(const char *log, uint64_t records, uint64_t from, uint64_t to) {
  binlog_reader_options options;
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  options.mode = BINLOG_READER_STRICT;
  CHECK(read_log(log, &options, BINLOG_END, from, to) == records);
}

/* One flipped bit in the payload of record 38, which is in the second page of the third block. */
static void one_page(const char *log, const char *segment, const struct bytes *good) {
  struct heard heard;
  binlog_reader_options options;
  flip(segment, place_of(good, 38) + 20);

  for (uint32_t mode = BINLOG_READER_PREFIX; mode <= BINLOG_READER_STRICT; mode++) {
    options = listening(mode, &heard);
    /* The records of the block before the damaged page are shown. */
    CHECK(read_log(log, &options, BINLOG_E_CORRUPT, 0, 0) == 36);
    CHECK(heard.calls == 0 && heard.drops == 1);
  }
  options = listening(BINLOG_READER_SALVAGE, &heard);
  CHECK(read_log(log, &options, BINLOG_END, 37, 40) == RECORDS - 4);
  CHECK(heard.calls == 1 && heard.drops == 1);
  CHECK(strcmp(heard.path, segment) == 0 && strstr(heard.reason, "page 1") != NULL);
  CHECK(heard.last.first_id == 37 && heard.last.last_id == 40);
  CHECK(heard.last.first_page == 1 && heard.last.page_count == 1);
  CHECK(heard.last.offset == place_of(good, 37) && heard.last.bytes == 4096);
  CHECK(heard.last.durable == 1);

  options.on_loss = NULL, options.on_loss_drop = NULL; /* losses are not reported */
  CHECK(read_log(log, &options, BINLOG_END, 37, 40) == RECORDS - 4);
}

/* The header of the fifth block: all of the block is lost, and no page of it is. */
static void one_block(const char *log, const char *segment, const struct bytes *good) {
  struct heard heard;
  binlog_reader_options options = listening(BINLOG_READER_SALVAGE, &heard);
  const size_t after_fourth = place_of(good, 64) + PAYLOAD, after_fifth = place_of(good, 80) + PAYLOAD;
  flip(segment, after_fourth + 33);
  CHECK(read_log(log, &options, BINLOG_END, 65, 80) == RECORDS - IN_BLOCK);
  CHECK(heard.calls == 1 && heard.last.first_id == 65 && heard.last.last_id == 80);
  CHECK(heard.last.offset == after_fourth && heard.last.bytes == after_fifth - after_fourth);
  CHECK(heard.last.first_page == 0 && heard.last.page_count == 0 && heard.last.durable == 1);
  flip(segment, after_fourth + 33);
}

struct worker { binlog_reader *reader; uint64_t seen; };

static void *read_in_a_thread(void *argument) {
  struct worker *worker = (struct worker *)argument;
  binlog_cursor *cursor = NULL;
  CHECK_IS(binlog_cursor_open(worker->reader, NULL, &cursor, NULL), BINLOG_OK);
  CHECK_IS(read_all(cursor, 37, 40, &worker->seen), BINLOG_END);
  binlog_cursor_close(cursor);
  return NULL;
}

/* Each cursor reports what it meets; the userdata is dropped when the reader and all of them are closed. */
static void threads(const char *log) {
  struct heard heard;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options options = listening(BINLOG_READER_SALVAGE, &heard);
  pthread_t ids[4];
  struct worker workers[4];
  CHECK_OK(binlog_reader_open(log, &options, &reader, &err), err);
  for (size_t i = 0; i < COUNT_OF(ids); i++) {
    workers[i].reader = reader;
    CHECK(pthread_create(&ids[i], NULL, read_in_a_thread, &workers[i]) == 0);
  }
  for (size_t i = 0; i < COUNT_OF(ids); i++) {
    CHECK(pthread_join(ids[i], NULL) == 0);
    CHECK(workers[i].seen == RECORDS - 4);
  }
  CHECK(heard.calls == 4 && heard.drops == 0);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  binlog_reader_close(reader);
  CHECK(heard.drops == 0);
  binlog_cursor_close(cursor);
  CHECK(heard.drops == 1);
}

/* Whatever is wrong with the call, the userdata is dropped once, before the call returns. */
static void drops(const char *log, const char *scratch) {
  struct heard heard;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  struct { binlog_reader_options known; uint64_t newer; } larger;
  char *missing = path_in(scratch, "missing");
  binlog_reader_options o;
#define DROPPED(statement, where, out, status)                                            \
  do {                                                                                    \
    o = listening(BINLOG_READER_SALVAGE, &heard);                                         \
    statement;                                                                            \
    CHECK_FAILS(binlog_reader_open(where, &o, out, &err), status, err);                   \
    CHECK(heard.drops == 1 && heard.calls == 0 && reader == NULL);                        \
  } while (0)
  DROPPED(o.mode = 3, log, &reader, BINLOG_E_INVALID);
  DROPPED(o.flags = 1, log, &reader, BINLOG_E_INVALID);
  DROPPED(o.reserved[0] = 1, log, &reader, BINLOG_E_INVALID);
  DROPPED(o.mode = 3; o.on_loss = NULL, log, &reader, BINLOG_E_INVALID);
  DROPPED((void)o, log, NULL, BINLOG_E_INVALID);
  DROPPED((void)o, NULL, &reader, BINLOG_E_INVALID);
  DROPPED((void)o, "", &reader, BINLOG_E_INVALID);
  DROPPED((void)o, missing, &reader, BINLOG_E_NOT_FOUND);
  DROPPED(o.on_loss = NULL, missing, &reader, BINLOG_E_NOT_FOUND);

  memset(&larger, 0, sizeof larger); /* a newer caller that requests something unknown */
  larger.known = listening(BINLOG_READER_SALVAGE, &heard);
  larger.known.struct_size = sizeof larger;
  larger.newer = 1;
  CHECK_FAILS(binlog_reader_open(log, &larger.known, &reader, &err), BINLOG_E_INVALID, err);
  CHECK(heard.drops == 1);

  o = listening(BINLOG_READER_SALVAGE, &heard); /* a struct without a size is not read */
  o.struct_size = 8;
  CHECK_FAILS(binlog_reader_open(log, &o, &reader, &err), BINLOG_E_INVALID, err);
  CHECK(heard.drops == 0);

  o = listening(BINLOG_READER_SALVAGE, &heard); /* without a callback the userdata is not needed */
  o.on_loss = NULL;
  CHECK_OK(binlog_reader_open(log, &o, &reader, &err), err);
  CHECK(heard.drops == 1);
  binlog_reader_close(reader);
  CHECK(heard.drops == 1);

  o = listening(BINLOG_READER_SALVAGE, &heard); /* userdata alone */
  o.on_loss_drop = NULL;
  CHECK_OK(binlog_reader_open(log, &o, &reader, &err), err);
  binlog_reader_close(reader);
  CHECK(heard.drops == 0);
  free(missing);
}

/* ------------------------------------------------------------------ recovery */

/* The log itself records the gap. */
static void reports_the_gap(const char *log, const char *first, const char *last) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  binlog_filter f;
  int recovered = 0;
  CHECK_IS(binlog_filter_init(&f, sizeof f), BINLOG_OK);
  f.flags = BINLOG_FILTER_EVENTS;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, &f, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    binlog_slice value;
    if (r.type != BINLOG_EVENT_RECOVERED) continue;
    recovered++;
    CHECK_IS(binlog_metadata_find(r.metadata, r.metadata_len, "first_lost_id", 13, &value), BINLOG_OK);
    CHECK(slice_is(&value, first));
    CHECK_IS(binlog_metadata_find(r.metadata, r.metadata_len, "last_lost_id", 12, &value), BINLOG_OK);
    CHECK(slice_is(&value, last));
  }
  CHECK_NO_ERROR(err);
  CHECK(recovered == 1);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

static int is_untouched(const binlog_recovery *sums) {
  return sums->records == UINT64_C(0x5A5A5A5A5A5A5A5A) && sums->segments == sums->records;
}

static void recovering(const char *log, const char *segment, const char *scratch) {
  struct heard heard;
  binlog_error *err = NULL;
  binlog_recovery sums;
  char *target = path_in(scratch, "recovered"), *other = path_in(scratch, "other");
  char *missing = path_in(scratch, "missing"), *pattern = path_in(log, "*.binlog");
  char kept[PATH_MAX];
  const long long before = file_size(segment);
  size_t written = 77;

  /* Nothing is done, and nothing is reported. */
  reset(&heard);
  memset(&sums, 0x5A, sizeof sums);
  CHECK_FAILS(binlog_recover(missing, target, listen, &heard, &sums, &err), BINLOG_E_NOT_FOUND, err);
  CHECK(access(target, F_OK) != 0);
  CHECK_FAILS(binlog_recover(log, log, listen, &heard, &sums, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover(log, segment, listen, &heard, &sums, &err), BINLOG_E_NOT_FOUND, err); /* no directory */
  CHECK_FAILS(binlog_recover_in_place(missing, listen, &heard, &sums, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_recover_in_place(pattern, listen, &heard, &sums, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_rebuild_index(missing, &written, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_rebuild_index(pattern, &written, &err), BINLOG_E_INVALID, err);
  CHECK(heard.calls == 0 && is_untouched(&sums) && written == 77);

  CHECK_OK(binlog_recover(log, target, listen, &heard, &sums, &err), err);
  CHECK(heard.calls == 1 && heard.last.first_id == 37 && heard.last.last_id == 40 && heard.last.first_page == 1);
  CHECK(sums.records == RECORDS - 4 && sums.lost_records == 4 && sums.losses == 1 && sums.segments == 2);
  CHECK(sums.reserved[0] == 0 && file_size(segment) == before); /* the source is only read */
  strict(target, RECORDS - 4, 37, 40);
  reports_the_gap(target, "37", "40");
  CHECK_IS(binlog_recover(pattern, other, NULL, NULL, NULL, NULL), BINLOG_OK);
  strict(other, RECORDS - 4, 37, 40);

  /* A writer continues in it, with the next id; recovery refuses the log as long as that writer has it open. */
  binlog_writer *w = NULL;
  uint64_t id = 0;
  CHECK_OK(binlog_writer_open(other, NULL, &w, &err), err);
  CHECK_FAILS(binlog_recover_in_place(other, listen, &heard, &sums, &err), BINLOG_E_LOCKED, err);
  CHECK_FAILS(binlog_rebuild_index(other, &written, &err), BINLOG_E_LOCKED, err);
  CHECK_OK(binlog_writer_append(w, 1, "x", 1, &id, &err), err);
  CHECK(id == RECORDS + 1);
  CHECK_OK(binlog_writer_close(w, &err), err);

  /* In place: only the damaged segment is written, and kept. */
  reset(&heard);
  CHECK_OK(binlog_recover_in_place(log, listen, &heard, &sums, &err), err);
  CHECK(heard.calls == 1 && sums.segments == 1 && sums.losses == 1 && sums.lost_records == 4);
  snprintf(kept, sizeof kept, "%s.damaged", segment);
  CHECK(file_size(kept) == before);
  strict(log, RECORDS - 4, 37, 40);
  reports_the_gap(log, "37", "40");
  CHECK_OK(binlog_recover_in_place(log, listen, &heard, &sums, &err), err); /* nothing is left to do */
  CHECK(heard.calls == 1 && sums.segments == 0 && sums.losses == 0 && sums.records == 0);
  CHECK_IS(binlog_recover_in_place(log, NULL, NULL, NULL, NULL), BINLOG_OK);
  CHECK_OK(binlog_rebuild_index(log, &written, &err), err);
  CHECK(written == 0);
  free(target), free(other), free(missing), free(pattern);
}

/* An index can be written anew only for a segment whose blocks are all there. */
static void a_cut_segment(const char *log, const char *segment, const struct bytes *good) {
  binlog_error *err = NULL;
  size_t written = 77;
  CHECK(truncate(segment, (off_t)(place_of(good, 160) + PAYLOAD)) == 0); /* INDEX and TRAILER are gone */
  CHECK_OK(binlog_rebuild_index(log, &written, &err), err);
  CHECK(written == 1);
  strict(log, RECORDS, 0, 0);
  CHECK(truncate(segment, (off_t)(place_of(good, 160) + 100)) == 0);
  written = 77;
  CHECK_FAILS(binlog_rebuild_index(log, &written, &err), BINLOG_E_CORRUPT, err);
  CHECK(written == 77);

  struct heard heard;
  binlog_reader_options options = listening(BINLOG_READER_SALVAGE, &heard);
  CHECK(read_log(log, &options, BINLOG_END, 157, 160) == RECORDS - 4); /* the page that is cut */
  CHECK(heard.calls >= 1 && heard.drops == 1);
}

/* A segment that is not there: no bytes, but ids. */
static void a_missing_segment(const char *log, const char *segment) {
  struct heard heard;
  binlog_reader_options options = listening(BINLOG_READER_SALVAGE, &heard);
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  CHECK(remove(segment) == 0);
  CHECK_OK(binlog_reader_open(log, &options, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) CHECK(r.id > 0);
  CHECK_NO_ERROR(err);
  CHECK(heard.calls == 1 && heard.last.bytes == 0 && heard.last.first_page == 0 && heard.last.page_count == 0);
  CHECK(heard.last.first_id > 0 && heard.last.last_id == RECORDS); /* the lock file notes what it held at the close */
  CHECK(strstr(heard.reason, SEGMENT_2) != NULL);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  CHECK(heard.drops == 1);
}

/* No block anywhere, and the lock file notes that there were some: a loss, and a recovery makes an empty log of it. */
static void nothing_left(const char *log, const char *segment) {
  struct heard heard;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  binlog_recovery sums;
  binlog_reader_options options = listening(BINLOG_READER_SALVAGE, &heard);
  char *kept = path_in(log, SEGMENT_1 ".damaged-2"); /* an earlier recovery left the first one */
  FILE *f = fopen(segment, "wb");
  CHECK(f != NULL && fputs("This was a log once.\n", f) >= 0 && fclose(f) == 0);
  CHECK_OK(binlog_reader_open(log, &options, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  CHECK(binlog_cursor_next(cursor, &r, &err) == BINLOG_END);
  CHECK_NO_ERROR(err);
  CHECK(heard.calls >= 1);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  CHECK(heard.drops == 1);
  CHECK_OK(binlog_recover_in_place(log, NULL, NULL, &sums, &err), err);
  CHECK(sums.losses >= 1 && sums.records == 0 && file_size(kept) == 21);
  free(kept);
}

static void test(const char *scratch) {
  char *log = path_in(scratch, "log"), *whole = path_in(scratch, "whole");
  char *first = path_in(log, SEGMENT_1), *second = path_in(log, SEGMENT_2), *only = path_in(whole, SEGMENT_1);
  write_log(log, 96);
  strict(log, RECORDS, 0, 0);
  struct bytes good = load(first);
  one_block(log, first, &good);
  one_page(log, first, &good);
  threads(log);
  drops(log, scratch);
  recovering(log, first, scratch);
  a_missing_segment(log, second);
  nothing_left(log, first);

  write_log(whole, 0);
  struct bytes all = load(only);
  a_cut_segment(whole, only, &all);
  free(good.data), free(all.data);
  free(log), free(whole), free(first), free(second), free(only);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
