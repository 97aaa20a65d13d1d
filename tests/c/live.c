/* Reading a log while it is written: END means "not yet", and the same cursor continues when more has arrived, over
   segments and over a close and reopen, too. */
#include "check.h"

#include <time.h>

struct pair { binlog_writer *w; binlog_cursor *cursor; uint64_t written, read; };

static void append(struct pair *p, int count) {
  binlog_error *err = NULL;
  for (int i = 0; i < count; i++) {
    uint64_t id = 0;
    const uint64_t number = p->written + 1;
    CHECK_OK(binlog_writer_append(p->w, 1, &number, sizeof number, &id, &err), err);
    CHECK(id == ++p->written);
  }
}

/* The cursor sees exactly what was written up to `until`, then END. */
static void read_to(struct pair *p, uint64_t until) {
  binlog_error *err = NULL;
  binlog_record r;
  while (p->read < until) {
    CHECK_OK(binlog_cursor_next(p->cursor, &r, &err), err);
    uint64_t number = 0;
    CHECK(r.id == ++p->read && r.len == sizeof number);
    memcpy(&number, r.data, sizeof number);
    CHECK(number == r.id);
  }
  CHECK_IS(binlog_cursor_next(p->cursor, &r, &err), BINLOG_END);
}

static binlog_tail tail_of(binlog_cursor *cursor) {
  binlog_error *err = NULL;
  binlog_tail tail;
  CHECK_OK(binlog_cursor_tail(cursor, &tail, &err), err);
  return tail;
}

static void follow(const char *log, uint32_t flags, int in_directory) {
  binlog_status (*const open)(const char *, const binlog_writer_options *, binlog_writer **, binlog_error **) =
      in_directory ? binlog_writer_open : binlog_writer_open_file;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_writer_options options;
  struct pair p = {NULL, NULL, 0, 0};
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flags = flags;
  options.flush_interval_ms = BINLOG_NEVER; /* only flush() makes records visible, or a full block */
  CHECK_OK(open(log, &options, &p.w, &err), err);
  CHECK_OK(binlog_writer_flush(p.w, &err), err);
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &p.cursor, &err), err);

  read_to(&p, 0); /* nothing yet */
  CHECK(tail_of(p.cursor).state == BINLOG_TAIL_LIVE && tail_of(p.cursor).next_id == 1);
  append(&p, 3);
  CHECK_OK(binlog_writer_flush(p.w, &err), err);
  read_to(&p, 3);
  append(&p, 1);
  read_to(&p, 3); /* appended, but still in the writer's memory */
  CHECK_OK(binlog_writer_sync(p.w, &err), err);
  read_to(&p, 4);
  append(&p, 50000); /* several blocks */
  CHECK_OK(binlog_writer_flush(p.w, &err), err);
  CHECK(tail_of(p.cursor).next_id == 5);
  read_to(&p, p.written);
  CHECK(tail_of(p.cursor).state == BINLOG_TAIL_LIVE && tail_of(p.cursor).next_id == p.written + 1);

  if (in_directory) {
    append(&p, 5);
    CHECK_OK(binlog_writer_roll(p.w, &err), err);
    append(&p, 5);
    CHECK_OK(binlog_writer_roll(p.w, &err), err);
    append(&p, 5);
    CHECK_OK(binlog_writer_flush(p.w, &err), err);
    read_to(&p, p.written); /* into segments that were not there when the reader was opened */
  } else {
    CHECK_FAILS(binlog_writer_roll(p.w, &err), BINLOG_E_UNSUPPORTED, err);
  }

  append(&p, 2);
  CHECK_OK(binlog_writer_close(p.w, &err), err);
  read_to(&p, p.written);
  CHECK(tail_of(p.cursor).state == BINLOG_TAIL_CLOSED && tail_of(p.cursor).unread_bytes == 0);

  CHECK_OK(open(log, &options, &p.w, &err), err); /* ids and the cursor continue */
  append(&p, 2);
  CHECK_OK(binlog_writer_flush(p.w, &err), err);
  read_to(&p, p.written);
  CHECK_OK(binlog_writer_close(p.w, &err), err);
  read_to(&p, p.written);
  binlog_cursor_close(p.cursor);
  binlog_reader_close(reader);
}

/* A policy "flush every n records" needs no call of flush. */
static void flush_policy(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_writer_options options;
  binlog_position where;
  struct pair p = {NULL, NULL, 0, 0};
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flush_records = 10;
  options.sync_records = 20;
  options.flush_interval_ms = BINLOG_NEVER;
  CHECK_OK(binlog_writer_open(log, &options, &p.w, &err), err);
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &p.cursor, &err), err);
  append(&p, 9);
  read_to(&p, 0);
  append(&p, 1);
  read_to(&p, 10);
  append(&p, 10);
  read_to(&p, 20);
  CHECK_OK(binlog_writer_position(p.w, &where, &err), err);
  CHECK(where.appended_id == 20 && where.flushed_id == 20 && where.durable_id == 20);
  CHECK_OK(binlog_writer_close(p.w, &err), err);
  binlog_cursor_close(p.cursor);
  binlog_reader_close(reader);
}

static uint64_t flushed(binlog_writer *w) {
  binlog_error *err = NULL;
  binlog_position where;
  CHECK_OK(binlog_writer_position(w, &where, &err), err);
  return where.flushed_id;
}

/* A policy "flush every n milliseconds" works by tick, and in the background without any call. */
static void flush_interval(const char *log, uint32_t flags) {
  const struct timespec pause = {0, 30 * 1000000};
  binlog_error *err = NULL;
  binlog_writer_options options;
  struct pair p = {NULL, NULL, 0, 0};
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flush_interval_ms = 20;
  options.flags = flags;
  CHECK_OK(binlog_writer_open(log, &options, &p.w, &err), err);
  append(&p, 1);
  for (int i = 0; i < 300 && flushed(p.w) == 0; i++) { /* up to nine seconds: the machine may be busy */
    nanosleep(&pause, NULL);
    if (flags == 0) CHECK_OK(binlog_writer_tick(p.w, &err), err);
  }
  CHECK(flushed(p.w) == p.written);
  CHECK_OK(binlog_writer_close(p.w, &err), err);
}

static void test(const char *scratch) {
  for (int i = 0; i < 4; i++) {
    char name[20];
    snprintf(name, sizeof name, "log-%d", i);
    char *log = path_in(scratch, name);
    follow(log, i % 2 ? BINLOG_WRITER_BACKGROUND : 0, i / 2);
    free(log);
  }
  char *records = path_in(scratch, "every-10-records"), *own = path_in(scratch, "every-20-ms");
  char *background = path_in(scratch, "every-20-ms-in-the-background");
  flush_policy(records);
  flush_interval(own, 0);
  flush_interval(background, BINLOG_WRITER_BACKGROUND);
  free(records), free(own), free(background);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
