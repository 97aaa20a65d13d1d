/* A child of fork shares the parent's file, so it may not write: its calls return E_FORKED at once, also when another
   thread of the parent was in the middle of an append, and the parent continues undisturbed. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

#define FORKS 20

typedef binlog_status open_writer(const char *, const binlog_writer_options *, binlog_writer **, binlog_error **);

static volatile int stop = 0; /* only ever goes from 0 to 1, and a late look costs one more append */

/* Keeps the writer's lock busy, so that forks meet it held. */
static void *append_on_and_on(void *writer) {
  binlog_error *err = NULL;
  while (!stop) CHECK_OK(binlog_writer_append((binlog_writer *)writer, 1, "busy", 4, NULL, &err), err);
  return NULL;
}

/* Ends a child by exec, with this exit code, or 99 if a file of the log is still open then: descriptors are
   close-on-exec. (And so a leak checker does not count what the library has to leave alone in a child.) */
static void leave(const char *log, int code) {
  static const char script[] =
      "for fd in /proc/$$/fd/*; do case $(readlink \"$fd\") in \"$1\"*) exit 99 ;; esac; done; exit \"$2\"";
  char text[12];
  snprintf(text, sizeof text, "%d", code);
  execl("/bin/sh", "sh", "-c", script, "sh", log, text, (char *)NULL);
  _exit(98);
}

/* Returns the number of the first expectation that failed, 0 when all held. */
static int in_child(binlog_writer *w) {
  binlog_record r;
  const binlog_slice part = {(const uint8_t *)"x", 1};
  binlog_position position;
  uint32_t type = 0;
  uint64_t dropped = 0;
  binlog_error *err = NULL;
  memset(&r, 0, sizeof r);
  alarm(20); /* a deadlock ends here, by signal */
  if (binlog_writer_append(w, 1, "child", 5, NULL, &err) != BINLOG_E_FORKED) return 1;
  if (err == NULL || binlog_error_status(err) != BINLOG_E_FORKED) return 2;
  binlog_error_free(err);
  if (binlog_writer_append_record(w, &r, NULL, NULL) != BINLOG_E_FORKED) return 3;
  if (binlog_writer_gather(w, 1, &part, 1, NULL, NULL) != BINLOG_E_FORKED) return 4;
  if (binlog_writer_append_batch(w, &r, 1, NULL, NULL) != BINLOG_E_FORKED) return 5;
  if (binlog_writer_flush(w, NULL) != BINLOG_E_FORKED) return 6;
  if (binlog_writer_sync(w, NULL) != BINLOG_E_FORKED) return 7;
  if (binlog_writer_tick(w, NULL) != BINLOG_E_FORKED) return 8;
  if (binlog_writer_roll(w, NULL) != BINLOG_E_FORKED) return 9;
  if (binlog_writer_append_packed(w, "", 0, NULL, NULL) != BINLOG_E_FORKED) return 10;
  if (binlog_writer_type(w, "child", NULL, &type, NULL) != BINLOG_E_FORKED) return 11;
  if (binlog_writer_position(w, &position, NULL) != BINLOG_E_FORKED) return 12;
  if (binlog_writer_dropped(w, &dropped, NULL) != BINLOG_E_FORKED) return 13;
  if (binlog_writer_close(w, NULL) != BINLOG_E_FORKED) return 14;
  return 0;
}

static void run(const char *log, uint32_t flags) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL, *second = NULL;
  binlog_writer_options options;
  pthread_t busy;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flags = flags;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  stop = 0;
  CHECK(pthread_create(&busy, NULL, append_on_and_on, w) == 0);
  for (int i = 0; i < FORKS; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) leave(log, in_child(w));
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) fprintf(stderr, "expectation %d\n", WEXITSTATUS(status));
    CHECK(!WIFSIGNALED(status)); /* SIGALRM: it hung */
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = 1;
  CHECK(pthread_join(busy, NULL) == 0);

  /* The child's close has not released the parent's lock, and the log has no record of the child. */
  CHECK_FAILS(binlog_writer_open(log, NULL, &second, &err), BINLOG_E_LOCKED, err);
  uint64_t last = 0;
  CHECK_OK(binlog_writer_append(w, 1, "parent", 6, &last, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);

  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  uint64_t count = 0;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    CHECK(r.id == ++count);
    CHECK(record_is(&r, count == last ? "parent" : "busy"));
  }
  CHECK_NO_ERROR(err);
  CHECK(count == last);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

static uint32_t tail_state(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  binlog_tail tail;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) continue;
  CHECK_OK(binlog_cursor_tail(cursor, &tail, &err), err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return tail.state;
}

/* A child that lives on, with the parent's descriptors, must not keep the log locked after the parent's close. */
static void child_that_stays(const char *log, open_writer *open_log) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  int gate[2];
  char byte;
  CHECK(pipe(gate) == 0);
  CHECK_OK(open_log(log, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_append(w, 1, "x", 1, NULL, &err), err);
  CHECK(tail_state(log) == BINLOG_TAIL_LIVE);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(gate[1]);
    leave(log, read(gate[0], &byte, 1) == 0 ? 0 : 1); /* until the parent closes its end */
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(tail_state(log) == BINLOG_TAIL_CLOSED);
  CHECK_OK(open_log(log, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  close(gate[1]);
  close(gate[0]);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test(const char *scratch) {
  char *own = path_in(scratch, "own-thread"), *background = path_in(scratch, "background");
  char *stays = path_in(scratch, "stays"), *file = path_in(scratch, "stays.binlog");
  child_that_stays(stays, binlog_writer_open);
  child_that_stays(file, binlog_writer_open_file);
  free(stays);
  free(file);
  run(own, 0);
  run(background, BINLOG_WRITER_BACKGROUND);
  free(own);
  free(background);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
