/* Threads that append numbers to one log: each its own type, and 0, 1, 2 ... under it. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include "check.h"

#include <time.h>

enum { THREADS = 4, OTHERS = 50 };

/* Each thread's numbers are there, in order. */
static inline void in_order(const char *log, uint64_t expected) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  uint64_t next[THREADS + 1] = {0}, records = 0;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  binlog_status status;
  while ((status = binlog_cursor_next(cursor, &r, &err)) == BINLOG_OK) {
    uint64_t n;
    CHECK(r.id == ++records && r.type <= THREADS && r.len == sizeof n);
    memcpy(&n, r.data, sizeof n);
    CHECK(n == next[r.type]++);
  }
  CHECK(status == BINLOG_END && records == expected);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

static inline binlog_writer *open_writer(const char *log, uint32_t flags) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flags = flags;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  return w;
}

/* Appends OTHERS numbers through the writer, with a flush, a sync or a roll after each. */
static inline void append_others(binlog_writer *w) {
  binlog_error *err = NULL;
  for (uint64_t n = 0; n < OTHERS; n++) {
    CHECK_OK(binlog_writer_append(w, THREADS, &n, sizeof n, NULL, &err), err);
    CHECK_OK(n % 3 == 0 ? binlog_writer_sync(w, &err) : n % 3 == 1 ? binlog_writer_flush(w, &err) : binlog_writer_roll(w, &err), err);
  }
}

static inline void pause_for(long nanoseconds) {
  const struct timespec time = {0, nanoseconds};
  CHECK(nanosleep(&time, NULL) == 0);
}

#endif
