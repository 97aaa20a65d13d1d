/* A program that writes a log and prints what it knows of it to standard output, its ledger; and one that compares the
   log with that ledger. The ledger is written with write(2), which the library does not use, so that it stays true
   while the system calls on the log fail.

     session write LOG own|background [LAST]  every kind of call, with rolls; the log ends with record LAST before
     session fill LOG fail|wait|drop own|background  until the disk is full; continues after a line on standard input
     session check LOG LEDGER  flushed and synced <= readable <= taken, ids 1, 2, 3 ..., before and after a reopening

   All end with 0 unless a promise was broken.

   Ledger: "taken ID" all records up to this id were taken; "kept ID" up to this one were flushed or synced;
   "error STATUS"; "full", "dropped N"; "end". */
#include "../c/check.h"

#include <stdarg.h>
#include <time.h>

#define LONGEST 300000u

static void ledger(const char *format, ...) {
  char line[200];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  CHECK(n > 0 && write(1, line, (size_t)n) == n);
}

/* The payload of record number `id`: its length and its bytes follow from the number. */
static size_t payload_of(uint64_t id, uint8_t *room) {
  size_t len = (size_t)(id * 37 % 900);
  if (id % 23 == 0) len = 9000;      /* more than a block */
  if (id == 97) len = LONGEST;
  for (size_t i = 0; i < len; i++) room[i] = (uint8_t)(id * 31 + i * 7 + (i >> 8));
  return len;
}

static binlog_writer *writer;
static uint64_t taken = 0;
static int failed = 0; /* a call gave BINLOG_E_FAILED */
static uint8_t room[3][LONGEST];

/* Records the result of a call; true when it was done. `n` records were to be appended. */
static int came(binlog_status status, binlog_error **err, uint64_t n, uint64_t id) {
  if (status == BINLOG_OK) {
    CHECK(!failed); /* nothing succeeds after a failed fsync */
    if (n > 0) CHECK(id == taken + 1);
  } else if (status == BINLOG_DROPPED) {
    CHECK(n > 0 && id == 0);
    return 0;
  } else {
    ledger("error %s: %s\n", binlog_status_name(status), binlog_error_message(*err));
    CHECK(status == BINLOG_E_NO_SPACE || status == BINLOG_E_IO || status == BINLOG_E_FAILED);
    CHECK(!failed || status == BINLOG_E_FAILED);
    failed = failed || status == BINLOG_E_FAILED;
    CHECK(binlog_error_status(*err) == status);
    const uint64_t nevertheless = binlog_error_record_id(*err);
    binlog_error_free(*err);
    *err = NULL;
    if (nevertheless == 0) return 0;
    CHECK(nevertheless == taken + n);
  }
  if (n > 0) {
    taken += n;
    ledger("taken %llu\n", (unsigned long long)taken);
  }
  return status == BINLOG_OK;
}

static int append_as(uint32_t type) {
  binlog_error *err = NULL;
  uint64_t id = 0;
  const size_t len = payload_of(taken + 1, room[0]);
  const binlog_status status = binlog_writer_append(writer, type, room[0], len, &id, &err);
  return came(status, &err, 1, id);
}

static int append(void) { return append_as(1); }

static void batch(void) {
  binlog_error *err = NULL;
  binlog_record records[3];
  uint64_t id = 0;
  memset(records, 0, sizeof records);
  for (unsigned i = 0; i < 3; i++) {
    records[i].data = room[i];
    records[i].len = payload_of(taken + 1 + i, room[i]);
  }
  const binlog_status status = binlog_writer_append_batch(writer, records, 3, &id, &err);
  came(status, &err, 3, id);
}

/* A call after whose success every record that was taken is kept. */
static int keep(binlog_status (*call)(binlog_writer *, binlog_error **)) {
  binlog_error *err = NULL;
  const int done = came(call(writer, &err), &err, 0, 0);
  if (done) ledger("kept %llu\n", (unsigned long long)taken);
  return done;
}

static int open_log(const char *log, uint64_t segment_bytes, uint32_t full_disk, const char *background) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  options.segment_bytes = segment_bytes;
  options.flush_interval_ms = BINLOG_NEVER;
  options.full_disk = full_disk;
  if (strcmp(background, "background") == 0) options.flags = BINLOG_WRITER_BACKGROUND;
  return came(binlog_writer_open(log, &options, &writer, &err), &err, 0, 0);
}

/* After a failed fsync, every call reports it. */
static void all_fail(void) {
  uint32_t type;
  CHECK_IS(binlog_writer_append(writer, 1, "x", 1, NULL, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_append(writer, 1, room[0], 9000, NULL, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_append_batch(writer, NULL, 0, NULL, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_type(writer, "new", NULL, &type, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_flush(writer, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_sync(writer, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_tick(writer, NULL), BINLOG_E_FAILED);
  CHECK_IS(binlog_writer_roll(writer, NULL), BINLOG_E_FAILED);
}

static void write_session(const char *log, const char *background, const char *last) {
  binlog_error *err = NULL;
  uint32_t type = 2;
  if (last != NULL) {
    taken = strtoull(last, NULL, 10);
    ledger("taken %s\nkept %s\n", last, last);
  }
  if (!open_log(log, 200000, BINLOG_FULL_DISK_FAIL, background)) {
    ledger("end\n");
    return;
  }
  for (int i = 0; i < 4; i++) append();
  keep(binlog_writer_flush);
  append();
  keep(binlog_writer_sync);
  if (came(binlog_writer_type(writer, "named", NULL, &type, &err), &err, 0, 0)) append_as(type);
  batch();
  keep(binlog_writer_roll);
  for (int i = 0; i < 95; i++) append(); /* small and large ones */
  keep(binlog_writer_flush);
  batch();
  keep(binlog_writer_sync);
  if (failed) all_fail();
  const binlog_status status = binlog_writer_close(writer, &err);
  if (failed) CHECK(status == BINLOG_E_FAILED);
  if (came(status, &err, 0, 0)) ledger("kept %llu\n", (unsigned long long)taken);
  ledger("end\n");
}

/* Waits until the test has made room. */
static void wait_for_go(void) {
  char byte;
  do CHECK(read(0, &byte, 1) == 1);
  while (byte != '\n');
}

static void fill(const char *log, const char *policy, const char *background) {
  binlog_error *err = NULL;
  uint64_t dropped = 0;
  const uint32_t full_disk = strcmp(policy, "wait") == 0   ? BINLOG_FULL_DISK_WAIT
                             : strcmp(policy, "drop") == 0 ? BINLOG_FULL_DISK_DROP
                                                           : BINLOG_FULL_DISK_FAIL;
  CHECK(open_log(log, UINT64_MAX, full_disk, background));
  for (int i = 0; i < 20; i++) CHECK(append());
  CHECK(keep(binlog_writer_sync));
  if (full_disk == BINLOG_FULL_DISK_WAIT) {
    for (int i = 0; i < 4000; i++) CHECK(append()); /* some 3.5 MB */
  } else {
    int more = 100000;
    while (append()) CHECK(more-- > 0);
    /* Unless a record larger than a block met it, others wait in memory. */
    const binlog_status expected = payload_of(taken + 1, room[0]) > 4096 ? BINLOG_OK : BINLOG_E_NO_SPACE;
    const binlog_status flushed = binlog_writer_flush(writer, NULL);
    CHECK(flushed == BINLOG_E_NO_SPACE || flushed == expected);
    CHECK_IS(binlog_writer_sync(writer, NULL), flushed);
    for (int i = 0; i < 300; i++) CHECK(!append());
    CHECK_OK(binlog_writer_dropped(writer, &dropped, &err), err);
    CHECK(dropped == (full_disk == BINLOG_FULL_DISK_DROP ? 301 : 0));
    ledger("full\n");
    wait_for_go();
    const struct timespec a_while = {0, 150000000}; /* a full disk is tried ten times a second */
    nanosleep(&a_while, NULL);
    for (int i = 0; i < 50; i++) CHECK(append());
  }
  CHECK(keep(binlog_writer_sync));
  for (int i = 0; i < 50; i++) CHECK(append());
  ledger("dropped %llu\n", (unsigned long long)dropped);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  ledger("kept %llu\nend\n", (unsigned long long)taken);
}

/* Reads the log and returns how many records it has. `dropped` gets the sum of the DROPPED events. */
static uint64_t read_log(const char *log, uint32_t mode, uint64_t extra, uint64_t *dropped) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options options;
  binlog_filter filter;
  binlog_record r;
  uint64_t count = 0;
  *dropped = 0;
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  options.mode = mode;
  filter.flags = BINLOG_FILTER_EVENTS;
  const binlog_status opened = binlog_reader_open(log, &options, &reader, &err);
  if (opened == BINLOG_E_NOT_FOUND) {
    binlog_error_free(err);
    return 0;
  }
  CHECK_OK(opened, err);
  CHECK_OK(binlog_cursor_open(reader, &filter, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    if (r.type == BINLOG_EVENT_DROPPED) {
      binlog_slice value;
      CHECK_IS(binlog_metadata_find(r.metadata, r.metadata_len, "count", 5, &value), BINLOG_OK);
      *dropped += strtoull((const char *)value.data, NULL, 10);
    }
    if (r.flags & BINLOG_RECORD_EVENT) continue;
    CHECK(r.id == ++count);
    if (r.id == extra) continue;
    CHECK(r.len == payload_of(r.id, room[0]));
    CHECK(memcmp(r.data, room[0], r.len) == 0);
  }
  CHECK_NO_ERROR(err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

static void check(const char *log, const char *path) {
  binlog_error *err = NULL;
  char line[400];
  unsigned long long kept = 0, most = 0, dropped = 0;
  uint64_t counted, id = 0;
  int ended = 0;
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    sscanf(line, "taken %llu", &most);
    sscanf(line, "kept %llu", &kept);
    sscanf(line, "dropped %llu", &dropped);
    ended = strcmp(line, "end\n") == 0;
  }
  fclose(file);
  CHECK(ended); /* the program reached its end */
  const uint64_t before = read_log(log, BINLOG_READER_PREFIX, 0, &counted);
  CHECK(kept <= before && before <= most);
  /* The next writer continues, and finds no less. */
  CHECK_OK(binlog_writer_open(log, NULL, &writer, &err), err);
  CHECK_OK(binlog_writer_append(writer, 1, "after", 5, &id, &err), err);
  CHECK(id > before && id <= most + 1);
  CHECK_OK(binlog_writer_sync(writer, &err), err);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK(read_log(log, BINLOG_READER_STRICT, id, &counted) == id);
  CHECK(counted == dropped);
  printf("%llu kept, %llu readable, %llu taken, %llu dropped\n", kept, (unsigned long long)before, most, dropped);
}

int main(int argc, char **argv) {
  CHECK(argc >= 3);
  const char *third = argc > 3 ? argv[3] : NULL, *fourth = argc > 4 ? argv[4] : NULL;
  if (strcmp(argv[1], "write") == 0) write_session(argv[2], third, fourth);
  else if (strcmp(argv[1], "fill") == 0) fill(argv[2], third, fourth);
  else if (strcmp(argv[1], "check") == 0) check(argv[2], third);
  else check_failed(__FILE__, __LINE__, "an unknown command");
  return 0;
}
