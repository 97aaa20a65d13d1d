/* Appenders from C: several threads stage records beside one that flushes, syncs and rolls; the writer is closed in the
   middle; handles are closed in any order; a fork; wrong arguments. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */
#include "numbers.h"

#include <pthread.h>
#include <sys/wait.h>

enum { EACH = 30000 };

struct worker {
  binlog_writer *writer;
  uint32_t number;
  uint64_t made, last_id;
};

/* Appends the thread's next numbers, in every way. */
static void append_some(binlog_appender *a, struct worker *me) {
  binlog_error *err = NULL;
  uint64_t n = me->made;
  CHECK_OK(binlog_appender_append(a, me->number, &n, sizeof n, &err), err);
  n++;
  const binlog_slice parts[] = {{&n, 3}, {(const char *)&n + 3, 5}};
  CHECK_OK(binlog_appender_gather(a, me->number, parts, 2, &err), err);
  n++;
  binlog_record r[2];
  memset(r, 0, sizeof r);
  uint64_t two[] = {n, n + 1};
  for (int i = 0; i < 2; i++) {
    r[i].type = me->number;
    r[i].data = &two[i];
    r[i].len = sizeof two[i];
  }
  CHECK_OK(binlog_appender_append_batch(a, r, 2, &err), err);
  n += 2;
  r[0].data = &n;
  r[0].time_ns = 1;
  CHECK_OK(binlog_appender_append_record(a, &r[0], &err), err);
  n++;
  r[0].data = &n;
  uint64_t frames[32];
  size_t len = 0;
  CHECK_IS(binlog_packed_put(frames, sizeof frames, &len, &r[0]), BINLOG_OK);
  CHECK_OK(binlog_appender_append_packed(a, frames, len, &err), err);
  me->made = n + 1;
}

static void *work(void *argument) {
  struct worker *me = (struct worker *)argument;
  binlog_error *err = NULL;
  binlog_appender *a = NULL;
  CHECK_OK(binlog_appender_open(me->writer, NULL, &a, &err), err);
  while (me->made < EACH) append_some(a, me);
  CHECK_OK(binlog_appender_close(a, &me->last_id, &err), err);
  return NULL;
}

static void start(pthread_t *running, struct worker *workers, binlog_writer *w, void *(*body)(void *)) {
  for (uint32_t i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){w, i, 0, 0};
    CHECK(pthread_create(&running[i], NULL, body, &workers[i]) == 0);
  }
}

static void threads(const char *log, uint32_t flags) {
  binlog_error *err = NULL;
  pthread_t running[THREADS];
  struct worker workers[THREADS];
  binlog_writer *w = open_writer(log, flags);
  start(running, workers, w, work);
  append_others(w);
  binlog_position where;
  uint64_t last = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(running[i], NULL) == 0);
    if (workers[i].last_id > last) last = workers[i].last_id;
  }
  CHECK_OK(binlog_writer_position(w, &where, &err), err);
  CHECK(where.flushed_id == THREADS * EACH + OTHERS && last <= where.flushed_id && last > 0);
  CHECK_OK(binlog_writer_close(w, &err), err);
  in_order(log, THREADS * EACH + OTHERS);
}

/* Appends until the writer is closed. */
static void *until_closed(void *argument) {
  struct worker *me = (struct worker *)argument;
  binlog_error *err = NULL;
  binlog_appender *a = NULL;
  CHECK_OK(binlog_appender_open(me->writer, NULL, &a, &err), err);
  __atomic_store_n(&me->last_id, 1, __ATOMIC_RELEASE);
  for (;;) {
    const binlog_status status = binlog_appender_append(a, me->number, &me->made, sizeof me->made, &err);
    if (status != BINLOG_OK) break;
    me->made++;
  }
  CHECK(binlog_error_status(err) == BINLOG_E_INVALID && binlog_error_record_id(err) == 0);
  binlog_error_free(err);
  err = NULL;
  CHECK_FAILS(binlog_appender_flush(a, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_appender_close(a, NULL, &err), err);
  return NULL;
}

/* Each record that an append has taken is in the log, although the writer is closed meanwhile. */
static void closed_meanwhile(const char *log, uint32_t flags) {
  binlog_error *err = NULL;
  pthread_t running[THREADS];
  struct worker workers[THREADS];
  binlog_writer *w = open_writer(log, flags);
  start(running, workers, w, until_closed);
  for (int i = 0; i < THREADS; i++)
    while (__atomic_load_n(&workers[i].last_id, __ATOMIC_ACQUIRE) == 0) pause_for(100000);
  pause_for(20000000);
  CHECK_OK(binlog_writer_close(w, &err), err);
  uint64_t made = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(running[i], NULL) == 0);
    made += workers[i].made;
  }
  in_order(log, made);
}

static void forked(const char *log) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_appender *a = NULL;
  uint64_t id = 0;
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  CHECK_OK(binlog_appender_open(w, NULL, &a, &err), err);
  CHECK_OK(binlog_appender_append(a, 1, "parent", 6, &err), err);
  const pid_t child = fork();
  if (child == 0) {
    binlog_appender *none = NULL;
    alarm(20); /* a deadlock ends here, by signal */
    if (binlog_appender_append(a, 1, "child", 5, NULL) != BINLOG_E_FORKED) _exit(1);
    if (binlog_appender_flush(a, NULL, NULL) != BINLOG_E_FORKED) _exit(2);
    if (binlog_appender_open(w, NULL, &none, NULL) != BINLOG_E_FORKED) _exit(3);
    if (binlog_appender_close(a, NULL, NULL) != BINLOG_E_FORKED) _exit(4);
    execl("/bin/true", "true", (char *)NULL);
    _exit(5);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_OK(binlog_appender_close(a, &id, &err), err);
  CHECK(id == 1);
  CHECK_OK(binlog_writer_close(w, &err), err);
}

static void bad_arguments(const char *log) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_appender *a = NULL;
  binlog_record r;
  const binlog_slice part = {"x", 1};
  memset(&r, 0, sizeof r);
  CHECK_FAILS(binlog_appender_open(NULL, NULL, &a, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append(NULL, 1, "x", 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append_record(NULL, &r, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_gather(NULL, 1, &part, 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_gather_record(NULL, &r, &part, 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append_batch(NULL, &r, 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append_packed(NULL, "", 0, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_flush(NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_appender_close(NULL, NULL, NULL), BINLOG_OK);
  CHECK_IS(binlog_appender_options_init(NULL, sizeof(binlog_appender_options)), BINLOG_E_INVALID);

  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  CHECK_FAILS(binlog_appender_open(w, NULL, NULL, &err), BINLOG_E_INVALID, err);
  binlog_appender_options options;
  CHECK_IS(binlog_appender_options_init(&options, sizeof options), BINLOG_OK);
  options.hand_over_bytes = 1;
  CHECK_FAILS(binlog_appender_open(w, &options, &a, &err), BINLOG_E_INVALID, err);
  options.hand_over_bytes = 1u << 16;
  options.reserved[3] = 1;
  CHECK_FAILS(binlog_appender_open(w, &options, &a, &err), BINLOG_E_INVALID, err);
  options.reserved[3] = 0;
  CHECK_OK(binlog_appender_open(w, &options, &a, &err), err);
  CHECK_FAILS(binlog_appender_append(a, 1, NULL, 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append(a, BINLOG_TYPE_EVENT, "x", 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append(a, BINLOG_TYPE_NAMED, "x", 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append(a, 1, "x", (size_t)1 << 40, &err), BINLOG_E_TOO_LARGE, err);
  CHECK_FAILS(binlog_appender_append_record(a, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_append_packed(a, "12345678", 8, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_appender_append_batch(a, NULL, 0, &err), err);
  CHECK_OK(binlog_appender_append(a, 1, NULL, 0, &err), err);
  uint64_t id = 0;
  CHECK_OK(binlog_writer_close(w, &err), err); /* before its appender */
  CHECK_OK(binlog_appender_close(a, &id, &err), err);
  CHECK(id == 1);
}

static void test(const char *scratch) {
  char *logs[] = {path_in(scratch, "plain"), path_in(scratch, "background"), path_in(scratch, "closed"),
                  path_in(scratch, "closed-background"), path_in(scratch, "forked"), path_in(scratch, "bad")};
  threads(logs[0], 0);
  threads(logs[1], BINLOG_WRITER_BACKGROUND);
  closed_meanwhile(logs[2], 0);
  closed_meanwhile(logs[3], BINLOG_WRITER_BACKGROUND);
  forked(logs[4]);
  bad_arguments(logs[5]);
  for (size_t i = 0; i < COUNT_OF(logs); i++) free(logs[i]);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
