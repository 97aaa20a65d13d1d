/* Eight threads append to one writer, in every way at once, while another reads: ids are 1..n, each given once, and
   each record is found under the id that its append returned. */
#include "check.h"

#include <pthread.h>

#define THREADS 8
#define ROUNDS 400
#define IDS_PER_ROUND 6 /* append, gather, append_record, a batch of three */

struct worker {
  binlog_writer *writer;
  uint32_t number;
  uint64_t *owner; /* owner[id]: the thread that got the id, and the number of its record */
  uint64_t made;
};

struct payload { uint32_t thread; uint32_t serial; char filler[24]; };

static struct payload next_payload(struct worker *me) {
  struct payload p;
  memset(&p, (int)me->number, sizeof p);
  p.thread = me->number;
  p.serial = (uint32_t)me->made++;
  return p;
}

static void claim(struct worker *me, uint64_t id, const struct payload *p) {
  CHECK(id >= 1 && id <= (uint64_t)THREADS * ROUNDS * IDS_PER_ROUND);
  CHECK(me->owner[id] == 0); /* ids are distinct, so no two threads touch one element */
  me->owner[id] = ((uint64_t)p->thread + 1) << 32 | p->serial;
}

static void *work(void *argument) {
  struct worker *me = (struct worker *)argument;
  binlog_error *err = NULL;
  uint64_t id = 0, last = 0;
  for (int round = 0; round < ROUNDS; round++) {
    struct payload p = next_payload(me);
    CHECK_OK(binlog_writer_append(me->writer, me->number, &p, sizeof p, &id, &err), err);
    claim(me, id, &p);
    CHECK(id > last); /* one thread sees its own records in its own order */
    last = id;

    p = next_payload(me);
    const binlog_slice parts[] = {{(const uint8_t *)&p, 8}, {(const uint8_t *)&p + 8, sizeof p - 8}};
    CHECK_OK(binlog_writer_gather(me->writer, me->number, parts, 2, &id, &err), err);
    claim(me, id, &p);

    p = next_payload(me);
    binlog_record r;
    memset(&r, 0, sizeof r);
    r.type = me->number;
    r.data = (const uint8_t *)&p;
    r.len = sizeof p;
    CHECK_OK(binlog_writer_append_record(me->writer, &r, &id, &err), err);
    claim(me, id, &p);

    struct payload three[3];
    binlog_record batch[3];
    for (int i = 0; i < 3; i++) {
      three[i] = next_payload(me);
      batch[i] = r;
      batch[i].data = (const uint8_t *)&three[i];
    }
    CHECK_OK(binlog_writer_append_batch(me->writer, batch, 3, &id, &err), err);
    for (int i = 0; i < 3; i++) claim(me, id + (uint64_t)i, &three[i]); /* a batch's ids are consecutive */
    last = id + 2;

    if (round % 100 == 50) CHECK_OK(binlog_writer_sync(me->writer, &err), err);
    if (round % 50 == 25) CHECK_OK(binlog_writer_flush(me->writer, &err), err);
    if (round == ROUNDS / 2 && me->number == 0) CHECK_OK(binlog_writer_roll(me->writer, &err), err);
    binlog_position where;
    CHECK_OK(binlog_writer_position(me->writer, &where, &err), err);
    CHECK(where.appended_id >= last && where.appended_id >= where.flushed_id && where.flushed_id >= where.durable_id);
  }
  return NULL;
}

/* Reads everything; returns how many records there were. With `owner`, each record must be its owner's. */
static uint64_t read_back(const char *log, const uint64_t *owner) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  uint64_t count = 0;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    struct payload p;
    CHECK(r.id == ++count && r.len == sizeof p);
    memcpy(&p, r.data, sizeof p);
    CHECK(p.thread == r.type && p.filler[23] == (char)p.thread);
    if (owner != NULL) CHECK(owner[r.id] == (((uint64_t)p.thread + 1) << 32 | p.serial));
  }
  CHECK_NO_ERROR(err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

static void run(const char *log, uint32_t flags) {
  const uint64_t total = (uint64_t)THREADS * ROUNDS * IDS_PER_ROUND;
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  uint64_t *owner = (uint64_t *)calloc(total + 1, sizeof *owner);
  pthread_t threads[THREADS];
  struct worker workers[THREADS];
  CHECK(owner != NULL);
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.flags = flags;
  options.block_bytes = 8192;
  options.flush_interval_ms = 1;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  for (uint32_t i = 0; i < THREADS; i++) {
    workers[i].writer = w;
    workers[i].number = i;
    workers[i].owner = owner;
    workers[i].made = 0;
    CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
  }
  uint64_t seen = 0;
  for (int i = 0; i < 10; i++) { /* a reader meanwhile sees a prefix, whole and in order, that never shrinks */
    const uint64_t now = read_back(log, NULL);
    CHECK(now >= seen);
    seen = now;
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  binlog_position where;
  CHECK_OK(binlog_writer_position(w, &where, &err), err);
  CHECK(where.appended_id == total);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(read_back(log, owner) == total);
  free(owner);
}

static volatile int rolling; /* goes from 1 to 0 once, and a late look costs one more round of reading */

static void *roll_on_and_on(void *writer) {
  binlog_error *err = NULL;
  const struct payload p = {0, 0, {0}};
  for (int i = 0; i < 300; i++) {
    CHECK_OK(binlog_writer_append((binlog_writer *)writer, 0, &p, sizeof p, NULL, &err), err);
    CHECK_OK(binlog_writer_roll((binlog_writer *)writer, &err), err);
  }
  rolling = 0;
  return NULL;
}

/* A log can be opened and read at every moment, also while its next segment is being made. */
static void read_while_rolling(const char *log) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  pthread_t thread;
  uint64_t seen = 0;
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  rolling = 1;
  CHECK(pthread_create(&thread, NULL, roll_on_and_on, w) == 0);
  while (rolling) {
    const uint64_t now = read_back(log, NULL);
    CHECK(now >= seen);
    seen = now;
  }
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(read_back(log, NULL) == 300);
}

static void test(const char *scratch) {
  char *own = path_in(scratch, "own-threads"), *background = path_in(scratch, "background");
  run(own, 0);
  run(background, BINLOG_WRITER_BACKGROUND);
  char *rolled = path_in(scratch, "rolled");
  read_while_rolling(rolled);
  free(rolled);
  free(own);
  free(background);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
