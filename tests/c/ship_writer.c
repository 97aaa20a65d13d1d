/* A writer that ships its own log: its report on that, that closing waits for it, that the next writer ships what is
   left, and its callback for failures. */
#include "check.h"

#include <pthread.h>
#include <sched.h>

struct place { char *log, *store, *url; };

static void make_place(struct place *p, const char *scratch, const char *name) {
  char text[64];
  snprintf(text, sizeof text, "%s-store", name);
  p->log = path_in(scratch, name);
  p->store = path_in(scratch, text);
  p->url = path_in("file://", p->store + 1);
}

static void free_place(struct place *p) { free(p->log), free(p->store), free(p->url); }

static unsigned long long count_records(const char *where) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  unsigned long long count = 0;
  CHECK_OK(binlog_reader_open(where, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &record, &err) == BINLOG_OK) count++;
  CHECK_NO_ERROR(err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

static binlog_writer *open_writer(const struct place *p, binlog_writer_options *o, binlog_ship_options *archive) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  archive->url = p->url;
  o->ship = archive;
  CHECK_OK(binlog_writer_open(p->log, o, &writer, &err), err);
  /* The options are not needed any more. */
  memset(archive, 0xA5, sizeof *archive);
  return writer;
}

static void append(binlog_writer *writer, int count) {
  binlog_error *err = NULL;
  for (int i = 0; i < count; i++) CHECK_OK(binlog_writer_append(writer, 1, "an order", 8, NULL, &err), err);
}

static void init(binlog_writer_options *o, binlog_ship_options *archive) {
  CHECK_IS(binlog_writer_options_init(o, sizeof *o), BINLOG_OK);
  CHECK_IS(binlog_ship_options_init(archive, sizeof *archive), BINLOG_OK);
}

static void *append_many(void *writer) {
  binlog_error *err = NULL;
  for (int i = 0; i < 10; i++) {
    append((binlog_writer *)writer, 50);
    CHECK_OK(binlog_writer_roll((binlog_writer *)writer, &err), err);
  }
  return NULL;
}

/* Closed segments are shipped while writing continues; closing leaves none. */
static void ships_what_it_closes(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "written");
  CHECK(mkdir(p.store, 0755) == 0);
  binlog_error *err = NULL;
  binlog_writer_options o;
  binlog_ship_options archive;
  init(&o, &archive);
  o.name = "orders";
  binlog_writer *writer = open_writer(&p, &o, &archive);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, append_many, writer) == 0);
  binlog_ship_status status;
  do {
    sched_yield();
    CHECK_OK(binlog_writer_ship_status(writer, &status, &err), err);
  } while (status.uploaded_segments < 5);
  CHECK(strcmp(status.log, "orders") == 0 && strcmp(status.store, p.url) == 0 && status.last_upload_ns > 0);
  for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  char text[8192];
  size_t len = 0;
  CHECK_OK(binlog_writer_ship_metrics(writer, text, sizeof text, &len, &err), err);
  CHECK(len == strlen(text) && strstr(text, "binlog_ship_uploaded_segments_total{log=\"orders\"") != NULL);
  CHECK(binlog_writer_ship_failure(writer) == NULL);
  append(writer, 7);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  /* Closing rolled first: the last records are in the store as well. */
  CHECK(count_records(p.log) == 1007 && count_records(p.url) == 1007);

  /* Without that flag the next writer ships them, after it has rolled. */
  init(&o, &archive);
  o.name = "orders";
  archive.flags = BINLOG_SHIP_NO_ROLL_AT_CLOSE;
  writer = open_writer(&p, &o, &archive);
  append(writer, 3);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK(count_records(p.log) == 1010 && count_records(p.url) == 1007);
  free_place(&p);
}

struct heard { pthread_mutex_t lock; unsigned failures, drops; };

static void hear(void *userdata, const binlog_error *error) {
  struct heard *heard = (struct heard *)userdata;
  CHECK(binlog_error_status(error) < 0 && binlog_error_message(error)[0] != '\0');
  pthread_mutex_lock(&heard->lock);
  heard->failures++;
  pthread_mutex_unlock(&heard->lock);
}

static void forget(void *userdata) { ((struct heard *)userdata)->drops++; }

/* The place of the first segment is taken: appends succeed, on_failure reports it, and once the obstacle is removed the
   log is shipped. */
static void tells_of_failures_and_recovers(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "mended");
  CHECK(mkdir(p.store, 0755) == 0);
  char *taken = path_in(p.store, "default.0000000001.binlog");
  FILE *file = fopen(taken, "w");
  CHECK(file != NULL && fputs("a foreign file", file) >= 0 && fclose(file) == 0);
  binlog_error *err = NULL;
  binlog_writer_options o;
  binlog_ship_options archive;
  struct heard heard;
  memset(&heard, 0, sizeof heard);
  CHECK(pthread_mutex_init(&heard.lock, NULL) == 0);
  init(&o, &archive);
  archive.first_delay_ms = 1;
  archive.longest_delay_ms = 20;
  o.on_failure = hear;
  o.on_failure_userdata = &heard;
  o.on_failure_drop = forget;
  binlog_writer *writer = open_writer(&p, &o, &archive);
  append(writer, 10);
  CHECK_OK(binlog_writer_roll(writer, &err), err);
  binlog_ship_status status;
  do {
    sched_yield();
    CHECK_OK(binlog_writer_ship_status(writer, &status, &err), err);
  } while (status.failures < 2);
  CHECK(status.last_failure_ns > 0 && status.uploaded_segments == 0);
  binlog_error *failure = binlog_writer_ship_failure(writer);
  CHECK(failure != NULL && binlog_error_status(failure) == BINLOG_E_MISMATCH);
  binlog_error_free(failure);
  uint64_t failures = 0;
  CHECK_OK(binlog_writer_failures(writer, &failures, &err), err);
  CHECK(failures >= 1);
  append(writer, 10);
  CHECK(unlink(taken) == 0);
  do {
    sched_yield();
    CHECK_OK(binlog_writer_ship_status(writer, &status, &err), err);
  } while (status.uploaded_segments < 1);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK(heard.failures >= 2 && heard.drops == 1);
  CHECK(count_records(p.url) == 20);
  pthread_mutex_destroy(&heard.lock);
  free(taken);
  free_place(&p);
}

/* A log has one shipper at a time, be it a writer or a shipper beside it. */
static void one_ships_at_a_time(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "alone");
  CHECK(mkdir(p.store, 0755) == 0);
  binlog_error *err = NULL;
  binlog_writer_options o;
  binlog_ship_options archive, beside;
  init(&o, &archive);
  binlog_writer *writer = open_writer(&p, &o, &archive);
  append(writer, 1);
  CHECK_OK(binlog_writer_roll(writer, &err), err);
  binlog_ship_status status;
  do {
    sched_yield();
    CHECK_OK(binlog_writer_ship_status(writer, &status, &err), err);
  } while (status.uploaded_segments < 1);
  binlog_shipper *shipper = NULL;
  CHECK_IS(binlog_ship_options_init(&beside, sizeof beside), BINLOG_OK);
  beside.url = p.url;
  CHECK_FAILS(binlog_shipper_open(p.log, NULL, &beside, &shipper, &err), BINLOG_E_LOCKED, err);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK_OK(binlog_shipper_open(p.log, NULL, &beside, &shipper, &err), err);
  binlog_shipper_close(shipper);
  free_place(&p);
}

static void test(const char *scratch) {
  ships_what_it_closes(scratch);
  tells_of_failures_and_recovers(scratch);
  one_ships_at_a_time(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
