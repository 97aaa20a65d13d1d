/* A wait can be ended: by an interrupt from another thread or a signal handler, by a signal, by a loop that polls; and in
   the child of a fork. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;

struct log {
  binlog_writer *w;
  binlog_reader *r;
  binlog_cursor *cursor;
};

static struct log open_both(const char *path) {
  struct log log = {0};
  binlog_error *err = NULL;
  binlog_writer_options options = {.struct_size = sizeof options, .flush_records = 1};
  CHECK_OK(binlog_writer_open(path, &options, &log.w, &err), err);
  CHECK_OK(binlog_reader_open(path, NULL, &log.r, &err), err);
  CHECK_OK(binlog_cursor_open(log.r, NULL, &log.cursor, &err), err);
  return log;
}

static void close_both(struct log *log) {
  binlog_error *err = NULL;
  binlog_cursor_close(log->cursor);
  binlog_reader_close(log->r);
  CHECK_OK(binlog_writer_close(log->w, &err), err);
}

static void append(binlog_writer *w) {
  binlog_error *err = NULL;
  CHECK_OK(binlog_writer_append(w, 1, "x", 1, NULL, &err), err);
}

static void sleep_ms(long ms) {
  const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int readable(int descriptor, int ms) {
  struct pollfd asked = {.fd = descriptor, .events = POLLIN};
  return poll(&asked, 1, ms) == 1;
}

/* --- from another thread ---------------------------------------------------------------------------------------- */

static void *interrupts_soon(void *cursor) {
  sleep_ms(50);
  binlog_cursor_interrupt(cursor);
  return NULL;
}

static void by_a_thread(const char *scratch) {
  char *path = path_in(scratch, "thread");
  struct log log = open_both(path);
  binlog_error *err = NULL;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, interrupts_soon, log.cursor) == 0);
  CHECK_FAILS(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), BINLOG_E_INTERRUPTED, err);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_IS(binlog_cursor_wait(log.cursor, 0, &err), BINLOG_TIMEOUT);
  /* Before the wait begins, several times: one of them. */
  binlog_cursor_interrupt(log.cursor);
  binlog_cursor_interrupt(log.cursor);
  CHECK_FAILS(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), BINLOG_E_INTERRUPTED, err);
  CHECK_IS(binlog_cursor_wait(log.cursor, SECOND / 100, &err), BINLOG_TIMEOUT);
  /* A time-out that has passed only checks. */
  CHECK_IS(binlog_cursor_wait(log.cursor, -1, &err), BINLOG_TIMEOUT);
  CHECK_IS(binlog_cursor_wait(log.cursor, INT64_MIN, &err), BINLOG_TIMEOUT);
  append(log.w);
  CHECK_OK(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), err);
  binlog_cursor_interrupt(NULL);
  close_both(&log);
  free(path);
}

/* --- by signals -------------------------------------------------------------------------------------------------- */

static binlog_cursor *volatile waiting;
static volatile sig_atomic_t handled;

static void interrupts(int number) {
  (void)number;
  binlog_cursor_interrupt(waiting);
}

static void counts(int number) {
  (void)number;
  handled++;
}

static void *signals_until_joined(void *thread) {
  for (int i = 0; i < 20; i++) {
    sleep_ms(20);
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
  }
  return NULL;
}

static void by_signals(const char *scratch) {
  char *path = path_in(scratch, "signals");
  struct log log = open_both(path);
  binlog_error *err = NULL;
  pthread_t this_thread = pthread_self(), thread;
  /* With SA_RESTART too: a wait is not restarted. */
  struct sigaction action = {.sa_flags = SA_RESTART};
  action.sa_handler = counts;
  sigaction(SIGUSR1, &action, NULL);
  CHECK(pthread_create(&thread, NULL, signals_until_joined, &this_thread) == 0);
  CHECK_FAILS(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), BINLOG_E_INTERRUPTED, err);
  CHECK(handled > 0);
  pthread_join(thread, NULL);

  waiting = log.cursor;
  action.sa_handler = interrupts;
  sigaction(SIGUSR1, &action, NULL);
  errno = 77;
  raise(SIGUSR1);
  CHECK_IS(errno, 77);
  CHECK_FAILS(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), BINLOG_E_INTERRUPTED, err);
  /* In the middle of reads and waits, again and again. */
  CHECK(pthread_create(&thread, NULL, signals_until_joined, &this_thread) == 0);
  binlog_record record;
  int interrupted = 0, shown = 0;
  for (int i = 0; i < 2000; i++) {
    append(log.w);
    binlog_status status = binlog_cursor_wait(log.cursor, SECOND, &err);
    if (status == BINLOG_E_INTERRUPTED) interrupted++, binlog_error_free(err), err = NULL;
    while ((status = binlog_cursor_next(log.cursor, &record, &err)) == BINLOG_OK) CHECK_IS(record.id, (uint64_t)++shown);
    CHECK_IS(status, BINLOG_END);
  }
  pthread_join(thread, NULL);
  CHECK_IS(shown, 2000);
  waiting = NULL;
  signal(SIGUSR1, SIG_DFL);
  close_both(&log);
  free(path);
}

/* --- by a loop that polls ----------------------------------------------------------------------------------------- */

static void by_poll(const char *scratch) {
  char *path = path_in(scratch, "poll");
  struct log log = open_both(path);
  binlog_error *err = NULL;
  binlog_record record;
  int descriptor = -1, again = -1;
  int64_t look_after = 0;
  CHECK_FAILS(binlog_cursor_descriptor(NULL, &descriptor, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_descriptor(log.cursor, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_cursor_descriptor(log.cursor, &descriptor, &look_after, &err), err);
  CHECK_OK(binlog_cursor_descriptor(log.cursor, &again, NULL, &err), err);
  CHECK(descriptor >= 0 && again == descriptor && look_after >= SECOND);
  CHECK(fcntl(descriptor, F_GETFD) == FD_CLOEXEC);
  CHECK_IS(binlog_cursor_wait(log.cursor, 0, &err), BINLOG_TIMEOUT);
  CHECK(!readable(descriptor, 20));
  for (uint64_t id = 1; id <= 50; id++) {
    append(log.w);
    if (id % 10 == 0) CHECK_OK(binlog_writer_roll(log.w, &err), err);
    CHECK(readable(descriptor, 10000));
    CHECK_OK(binlog_cursor_wait(log.cursor, 0, &err), err);
    CHECK_OK(binlog_cursor_next(log.cursor, &record, &err), err);
    CHECK_IS(record.id, id);
    CHECK_IS(binlog_cursor_wait(log.cursor, 0, &err), BINLOG_TIMEOUT);
    CHECK(!readable(descriptor, 0));
  }
  binlog_cursor_interrupt(log.cursor);
  CHECK(readable(descriptor, 0));
  CHECK_FAILS(binlog_cursor_wait(log.cursor, 0, &err), BINLOG_E_INTERRUPTED, err);
  CHECK(!readable(descriptor, 0));
  close_both(&log);
  CHECK(fcntl(descriptor, F_GETFD) == -1);
  free(path);
}

/* --- in the child of a fork ----------------------------------------------------------------------------------------- */

static void after_a_fork(const char *scratch) {
  char *path = path_in(scratch, "fork");
  struct log log = open_both(path);
  binlog_error *err = NULL;
  CHECK_IS(binlog_cursor_wait(log.cursor, SECOND / 100, &err), BINLOG_TIMEOUT);
  int ready[2];
  CHECK(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    /* A reader of the child's own, whose waits take nothing from the parent's. */
    binlog_reader *reader = NULL;
    binlog_cursor *cursor = NULL;
    binlog_status status = binlog_reader_open(path, NULL, &reader, NULL);
    if (status == BINLOG_OK) status = binlog_cursor_open(reader, NULL, &cursor, NULL);
    if (status == BINLOG_OK) status = binlog_cursor_wait(cursor, SECOND / 100, NULL) == BINLOG_TIMEOUT ? 0 : 9;
    if (write(ready[1], "x", 1) != 1) _exit(8);
    if (status == BINLOG_OK) status = binlog_cursor_wait(cursor, 20 * SECOND, NULL);
    binlog_cursor_close(cursor);
    binlog_reader_close(reader);
    /* The copies of the parent's handles; the parent continues with its own. */
    binlog_cursor_close(log.cursor);
    binlog_reader_close(log.r);
    free(path);
    _exit(status == BINLOG_OK ? 0 : 7);
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  append(log.w);
  CHECK_OK(binlog_cursor_wait(log.cursor, 20 * SECOND, &err), err);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_IS(WEXITSTATUS(status), 0);
  close(ready[0]), close(ready[1]);
  close_both(&log);
  free(path);
}

static void test(const char *scratch) {
  by_a_thread(scratch);
  by_signals(scratch);
  by_poll(scratch);
  after_a_fork(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
