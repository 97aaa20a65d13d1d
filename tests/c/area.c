/* Programs that stage records by themselves, as the documentation of binlog_appender_open_area says: threads do so beside one
   that flushes, syncs and rolls; the writer is closed in the middle; named types, times, metadata, bounds of policies; what is
   no frame, and other wrong arguments. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */
#include "numbers.h"

#include <pthread.h>
#include <sys/wait.h>

enum { EACH = 60000, FRAMES = 4096, MEMORY = sizeof(binlog_area) + FRAMES };

struct stager {
  binlog_writer *writer;
  binlog_appender *appender;
  binlog_area *area;
  uint32_t number;
  uint64_t made, calls;
  int is_open;
};

static int64_t now(void) {
  struct timespec t;
  CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void open_area(struct stager *me) {
  binlog_error *err = NULL;
  me->area = (binlog_area *)malloc(MEMORY);
  CHECK(me->area != NULL);
  memset(me->area, 0xEE, MEMORY);
  CHECK_OK(binlog_appender_open_area(me->writer, NULL, me->area, MEMORY, &me->appender, &err), err);
  CHECK(me->area->end == 0 && me->area->limit == 0 && me->area->taken == 0);
}

/* The three steps of the documentation. */
static binlog_status stage(struct stager *me, const binlog_record *given, binlog_error **err) {
  binlog_area *area = me->area;
  uint8_t *frames = (uint8_t *)(area + 1);
  binlog_record r = *given;
  const int64_t time = now();
  if ((r.flags & BINLOG_RECORD_TIME) == 0) r.time_ns = time;
  const uint64_t limit = __atomic_load_n(&area->limit, __ATOMIC_RELAXED);
  size_t end = area->end;
  const int is_in_time = time >= area->from_ns && time < area->until_ns;
  const int is_known = r.type < BINLOG_TYPE_NAMED || (r.type < BINLOG_TYPE_EVENT && r.type < area->types_end);
  if (!is_in_time || !is_known || r.len > area->payload_max || binlog_packed_put(frames, limit, &end, &r) != BINLOG_OK) {
    me->calls++;
    return binlog_appender_append_record(me->appender, given, err);
  }
  __atomic_store_n(&area->end, end, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&area->limit, __ATOMIC_SEQ_CST) == 0) return binlog_appender_settle(me->appender, err);
  return BINLOG_OK;
}

static binlog_status stage_number(struct stager *me, binlog_error **err) {
  const uint64_t n = me->made;
  binlog_record r;
  memset(&r, 0, sizeof r);
  r.type = me->number;
  r.data = &n;
  r.len = sizeof n;
  return stage(me, &r, err);
}

static void close_area(struct stager *me, uint64_t *last_id) {
  binlog_error *err = NULL;
  CHECK_OK(binlog_appender_close(me->appender, last_id, &err), err);
  free(me->area);
}

static void *work(void *argument) {
  struct stager *me = (struct stager *)argument;
  binlog_error *err = NULL;
  open_area(me);
  for (; me->made < EACH; me->made++) CHECK_OK(stage_number(me, &err), err);
  /* Most records cost no call. */
  CHECK(me->calls < EACH / 4);
  uint64_t last = 0;
  close_area(me, &last);
  CHECK(last > 0);
  return NULL;
}

static void start(pthread_t *running, struct stager *stagers, binlog_writer *w, void *(*body)(void *)) {
  memset(stagers, 0, THREADS * sizeof *stagers);
  for (uint32_t i = 0; i < THREADS; i++) {
    stagers[i].writer = w;
    stagers[i].number = i;
    CHECK(pthread_create(&running[i], NULL, body, &stagers[i]) == 0);
  }
}

static void threads(const char *log, uint32_t flags) {
  binlog_error *err = NULL;
  pthread_t running[THREADS];
  struct stager stagers[THREADS];
  binlog_writer *w = open_writer(log, flags);
  start(running, stagers, w, work);
  append_others(w);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(running[i], NULL) == 0);
  CHECK_OK(binlog_writer_close(w, &err), err);
  in_order(log, THREADS * EACH + OTHERS);
}

static void *until_closed(void *argument) {
  struct stager *me = (struct stager *)argument;
  binlog_error *err = NULL;
  open_area(me);
  __atomic_store_n(&me->is_open, 1, __ATOMIC_RELEASE);
  while (stage_number(me, &err) == BINLOG_OK) me->made++;
  CHECK(binlog_error_status(err) == BINLOG_E_INVALID && binlog_error_record_id(err) == 0);
  binlog_error_free(err);
  err = NULL;
  CHECK_FAILS(binlog_appender_flush(me->appender, NULL, &err), BINLOG_E_INVALID, err);
  close_area(me, NULL);
  return NULL;
}

/* Each record that was staged is in the log, or its thread has been told that it is not. */
static void closed_meanwhile(const char *scratch, int round, uint32_t flags) {
  char name[32];
  snprintf(name, sizeof name, "closed-%u-%d", flags, round);
  char *log = path_in(scratch, name);
  binlog_error *err = NULL;
  pthread_t running[THREADS];
  struct stager stagers[THREADS];
  binlog_writer *w = open_writer(log, flags);
  start(running, stagers, w, until_closed);
  for (int i = 0; i < THREADS; i++)
    while (__atomic_load_n(&stagers[i].is_open, __ATOMIC_ACQUIRE) == 0) pause_for(100000);
  pause_for(3000000);
  CHECK_OK(binlog_writer_close(w, &err), err);
  uint64_t made = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(running[i], NULL) == 0);
    made += stagers[i].made;
  }
  in_order(log, made);
  free(log);
}

/* A thread that ended without a call, and one that says nothing for a while: the interval is kept by the background. */
static void intervals(const char *log) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flags = BINLOG_WRITER_BACKGROUND;
  options.flush_interval_ms = 20;
  struct stager me;
  memset(&me, 0, sizeof me);
  CHECK_OK(binlog_writer_open(log, &options, &me.writer, &err), err);
  open_area(&me);
  for (; me.made < 3; me.made++) CHECK_OK(stage_number(&me, &err), err);
  CHECK(me.calls == 1);
  binlog_position where = {0};
  for (int i = 0; where.flushed_id < 3; i++) {
    CHECK(i < 5000);
    pause_for(2000000);
    CHECK_OK(binlog_writer_position(me.writer, &where, &err), err);
  }
  close_area(&me, NULL);
  CHECK_OK(binlog_writer_close(me.writer, &err), err);
}

/* No more is staged than the policy allows. */
static void policies(const char *log) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flush_records = 10;
  struct stager me;
  memset(&me, 0, sizeof me);
  CHECK_OK(binlog_writer_open(log, &options, &me.writer, &err), err);
  open_area(&me);
  for (; me.made < 1000; me.made++) {
    CHECK_OK(stage_number(&me, &err), err);
    binlog_position where;
    CHECK_OK(binlog_writer_position(me.writer, &where, &err), err);
    CHECK(me.made + 1 - where.flushed_id <= 20);
  }
  uint64_t last = 0;
  close_area(&me, &last);
  CHECK(last == 1000);
  CHECK_OK(binlog_writer_close(me.writer, &err), err);
  in_order(log, 1000);
}

static void times_types_and_metadata(const char *log) {
  binlog_error *err = NULL;
  struct stager me;
  memset(&me, 0, sizeof me);
  me.writer = open_writer(log, 0);
  open_area(&me);
  uint32_t type = 0;
  CHECK_OK(stage_number(&me, &err), err);
  CHECK_OK(binlog_writer_type(me.writer, "named", NULL, &type, &err), err);
  uint8_t pairs[32];
  size_t pairs_len = 0;
  CHECK_IS(binlog_metadata_put(pairs, sizeof pairs, &pairs_len, "key", 3, "value", 5, NULL), BINLOG_OK);
  binlog_record r;
  memset(&r, 0, sizeof r);
  r.type = type;
  r.time_ns = -5;
  r.flags = BINLOG_RECORD_TIME;
  r.metadata = pairs;
  r.metadata_len = pairs_len;
  r.data = "payload";
  r.len = 7;
  const uint64_t calls = me.calls;
  CHECK_OK(stage(&me, &r, &err), err); /* a name that the area does not know yet */
  CHECK(me.calls == calls + 1);
  CHECK_OK(stage(&me, &r, &err), err);
  CHECK(me.calls == calls + 1);
  const int64_t before = now();
  CHECK_OK(stage_number(&me, &err), err);
  CHECK(me.area->payload_max == 131072);
  close_area(&me, NULL);
  CHECK_OK(binlog_writer_close(me.writer, &err), err);
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  for (uint64_t id = 1; id <= 4; id++) {
    CHECK_OK(binlog_cursor_next(cursor, &r, &err), err);
    CHECK(r.id == id);
    if (id == 2 || id == 3) CHECK(r.type == type && r.time_ns == -5 && r.metadata_len == pairs_len && memcmp(r.data, "payload", 7) == 0);
    if (id == 4) CHECK(r.time_ns >= before && r.time_ns <= now());
  }
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

/* What is no frame is reported with its place, what was before it is there, and staging goes on. */
static void damaged(const char *log) {
  binlog_error *err = NULL;
  struct stager me;
  memset(&me, 0, sizeof me);
  me.writer = open_writer(log, 0);
  open_area(&me);
  uint64_t expected = 0;
  for (int way = 0; way < 6; way++) {
    for (int i = 0; i < 2; i++, me.made++, expected++) CHECK_OK(stage_number(&me, &err), err);
    uint8_t *frame = (uint8_t *)(me.area + 1) + me.area->end;
    uint64_t end = me.area->end + 48;
    memset(frame, 0, 48);
    const uint32_t size[] = {48, 48, 56, 40, 48, 48}, len[] = {8, 8, 8, 8, 1u << 30, 8};
    const uint32_t types[] = {BINLOG_TYPE_EVENT, BINLOG_TYPE_NAMED + 7, 0, 0, 0, 0};
    memcpy(frame, &size[way], 4);
    memcpy(frame + 4, &types[way], 4);
    memcpy(frame + 28, &len[way], 4);
    if (way == 5) { /* no end: nobody knows which frames are complete that were not taken before */
      CHECK_OK(binlog_writer_flush(me.writer, &err), err);
      end = (uint64_t)1 << 40;
    }
    __atomic_store_n(&me.area->end, end, __ATOMIC_SEQ_CST);
    if (way % 2 == 0) CHECK_OK(binlog_writer_flush(me.writer, &err), err);
    const binlog_status status = binlog_appender_settle(me.appender, &err);
    CHECK(status == BINLOG_E_INVALID && strstr(binlog_error_message(err), "an appender") != NULL);
    binlog_error_free(err);
    err = NULL;
  }
  CHECK_OK(binlog_appender_settle(me.appender, &err), err);
  CHECK_OK(binlog_appender_flush(me.appender, NULL, &err), err);
  close_area(&me, NULL);
  CHECK_OK(binlog_writer_close(me.writer, &err), err);
  in_order(log, expected);
}

static void forked(const char *log) {
  binlog_error *err = NULL;
  struct stager me;
  memset(&me, 0, sizeof me);
  me.writer = open_writer(log, 0);
  open_area(&me);
  for (; me.made < 2; me.made++) CHECK_OK(stage_number(&me, &err), err);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20); /* a deadlock ends here, by signal */
    if (binlog_appender_settle(me.appender, NULL) != BINLOG_E_FORKED) _exit(1);
    if (binlog_appender_close(me.appender, NULL, NULL) != BINLOG_E_FORKED) _exit(2);
    execl("/bin/true", "true", (char *)NULL);
    _exit(3);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close_area(&me, NULL);
  CHECK_OK(binlog_writer_close(me.writer, &err), err);
  in_order(log, 2);
}

static void bad_arguments(const char *log) {
  binlog_error *err = NULL;
  binlog_writer *w = open_writer(log, 0);
  binlog_appender *a = NULL;
  static uint64_t words[(sizeof(binlog_area) + (1 << 20)) / 8 + 2];
  binlog_area *memory = (binlog_area *)words;
  CHECK_FAILS(binlog_appender_settle(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_open_area(NULL, NULL, memory, MEMORY, &a, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_open_area(w, NULL, NULL, MEMORY, &a, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_open_area(w, NULL, memory, MEMORY, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_appender_open_area(w, NULL, (binlog_area *)(void *)((char *)memory + 4), MEMORY, &a, &err), BINLOG_E_INVALID, err);
  const size_t sizes[] = {0, sizeof(binlog_area), sizeof(binlog_area) + 1023, sizeof(binlog_area) + (1 << 20) + 1, sizeof words};
  for (size_t i = 0; i < COUNT_OF(sizes); i++)
    CHECK_FAILS(binlog_appender_open_area(w, NULL, memory, sizes[i], &a, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_appender_open_area(w, NULL, memory, sizeof(binlog_area) + 1024, &a, &err), err);
  CHECK_OK(binlog_appender_settle(a, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK_OK(binlog_appender_settle(a, &err), err);
  CHECK_OK(binlog_appender_close(a, NULL, &err), err);
}

static void test(const char *scratch) {
  char *logs[] = {path_in(scratch, "plain"),   path_in(scratch, "background"), path_in(scratch, "intervals"),
                  path_in(scratch, "records"), path_in(scratch, "policies"),   path_in(scratch, "damaged"),
                  path_in(scratch, "forked"),  path_in(scratch, "bad")};
  threads(logs[0], 0);
  threads(logs[1], BINLOG_WRITER_BACKGROUND);
  for (int round = 0; round < 10; round++) closed_meanwhile(scratch, round, round % 2 == 0 ? 0 : BINLOG_WRITER_BACKGROUND);
  intervals(logs[2]);
  times_types_and_metadata(logs[3]);
  policies(logs[4]);
  damaged(logs[5]);
  forked(logs[6]);
  bad_arguments(logs[7]);
  for (size_t i = 0; i < COUNT_OF(logs); i++) free(logs[i]);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
