/* Shipping a log to a store beside its writer, and reading it back from there: what a shipper reports, how it is
   stopped from another thread, what verifying finds, and which segments stay here. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

enum { PER_SEGMENT = 50 };

/* A scratch log, its store, and the store's URL. */
struct place { char *log, *store, *url; };

static void make_place(struct place *p, const char *scratch, const char *name) {
  char text[64];
  snprintf(text, sizeof text, "%s-store", name);
  p->log = path_in(scratch, name);
  p->store = path_in(scratch, text);
  p->url = path_in("file://", p->store + 1);
  CHECK(mkdir(p->store, 0755) == 0);
}

static void free_place(struct place *p) { free(p->log), free(p->store), free(p->url); }

/* Writes this many further closed segments, and an empty one after them. */
static void write_segments(const char *directory, int segments) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  CHECK_OK(binlog_writer_open(directory, NULL, &writer, &err), err);
  for (int i = 0; i < segments * PER_SEGMENT; i++) {
    CHECK_OK(binlog_writer_append(writer, 7, "an order", 8, NULL, &err), err);
    if ((i + 1) % PER_SEGMENT == 0) CHECK_OK(binlog_writer_roll(writer, &err), err);
  }
  CHECK_OK(binlog_writer_close(writer, &err), err);
}

static unsigned long long count_records(const char *where, const binlog_reader_options *options) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_status status;
  unsigned long long count = 0;
  CHECK_OK(binlog_reader_open(where, options, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
    CHECK(record.id == ++count && record_is(&record, "an order"));
  }
  CHECK_NO_ERROR(err);
  CHECK(status == BINLOG_END);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

/* How many files in a directory end with this. */
static int files_in(const char *directory, const char *ending) {
  int count = 0;
  DIR *dir = opendir(directory);
  CHECK(dir != NULL);
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const size_t len = strlen(entry->d_name), end = strlen(ending);
    count += len >= end && strcmp(entry->d_name + len - end, ending) == 0;
  }
  closedir(dir);
  return count;
}

static binlog_shipper *open_shipper(const struct place *p, const binlog_ship_options *more) {
  binlog_error *err = NULL;
  binlog_shipper *shipper = NULL;
  binlog_ship_options options;
  CHECK_IS(binlog_ship_options_init(&options, sizeof options), BINLOG_OK);
  if (more != NULL) options = *more;
  options.url = p->url;
  CHECK_OK(binlog_shipper_open(p->log, NULL, &options, &shipper, &err), err);
  return shipper;
}

struct events {
  unsigned begins, uploaded, found, pruned, failed;
  uint64_t sent, bytes;
  uint32_t stop_at; /* an event of this kind stops the call */
  int retries;      /* failures that are tried again */
};

static int32_t see(void *userdata, const binlog_ship_event *event) {
  struct events *seen = (struct events *)userdata;
  switch (event->kind) {
    case BINLOG_SHIP_EVENT_BEGINS: seen->begins++; break;
    case BINLOG_SHIP_EVENT_SENT: seen->sent += event->bytes; break;
    case BINLOG_SHIP_EVENT_UPLOADED:
      seen->uploaded++;
      seen->found += event->found;
      seen->bytes += event->bytes;
      break;
    case BINLOG_SHIP_EVENT_PRUNED: seen->pruned++; break;
    case BINLOG_SHIP_EVENT_FAILED:
      seen->failed++;
      seen->retries += event->wait_ns >= 0;
      CHECK(binlog_error_status(event->error) < 0 && event->path == NULL);
      break;
    default: CHECK(!"an unknown kind of event");
  }
  const int names_a_segment = event->kind == BINLOG_SHIP_EVENT_BEGINS ||
                              event->kind == BINLOG_SHIP_EVENT_UPLOADED || event->kind == BINLOG_SHIP_EVENT_PRUNED;
  CHECK((event->path != NULL && event->sequence > 0) == names_a_segment);
  CHECK((event->error != NULL) == (event->kind == BINLOG_SHIP_EVENT_FAILED));
  return event->kind == seen->stop_at;
}

static void ships_and_reads_back(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "plain");
  write_segments(p.log, 3);
  binlog_error *err = NULL;
  binlog_ship_report report;
  binlog_ship_status status;

  /* A dry run takes no lock, and leaves the store as it is. */
  binlog_ship_options dry;
  CHECK_IS(binlog_ship_options_init(&dry, sizeof dry), BINLOG_OK);
  dry.flags = BINLOG_SHIP_DRY_RUN;
  binlog_shipper *shipper = open_shipper(&p, NULL), *looker = open_shipper(&p, &dry);
  CHECK_OK(binlog_shipper_run(looker, NULL, NULL, &report, &err), err);
  CHECK(report.uploaded_segments == 3 && files_in(p.store, ".binlog") == 0);
  binlog_shipper_close(looker);

  CHECK_OK(binlog_shipper_status(shipper, &status, &err), err);
  CHECK(strcmp(status.log, "default") == 0 && strcmp(status.store, p.url) == 0);
  CHECK(status.state == BINLOG_SHIP_IDLE && status.waiting_segments == 3 && status.waiting_bytes > 0);
  CHECK(status.oldest_waiting_ns >= 0 && status.uploaded_segments == 0 && status.last_upload_ns == 0);

  struct events seen;
  memset(&seen, 0, sizeof seen);
  CHECK_OK(binlog_shipper_run(shipper, see, &seen, &report, &err), err);
  CHECK(report.uploaded_segments == 3 && report.found_segments == 0 && report.pruned_segments == 0 && !report.stopped);
  CHECK(seen.begins == 3 && seen.uploaded == 3 && seen.failed == 0 && seen.bytes == report.uploaded_bytes);
  CHECK(seen.sent == seen.bytes && files_in(p.store, ".binlog") == 3);
  CHECK_OK(binlog_shipper_status(shipper, &status, &err), err);
  CHECK(status.waiting_segments == 0 && status.waiting_bytes == 0 && status.oldest_waiting_ns == 0);
  CHECK(status.uploaded_segments == 3 && status.uploaded_bytes == seen.bytes && status.sent_bytes >= seen.bytes);
  CHECK(status.shipped_up_to == 3 && status.last_upload_ns > 0 && status.failures == 0 && status.last_failure_ns == 0);
  CHECK(status.damaged_segments == 0 && status.missing_segments == 0);
  CHECK(status.reserved32 == 0 && status.reserved[0] == 0 && status.reserved[5] == 0);
  /* Again there is nothing to do; out and callback may be NULL. */
  CHECK_OK(binlog_shipper_run(shipper, NULL, NULL, NULL, &err), err);

  char text[8192];
  size_t len = 0;
  CHECK_OK(binlog_shipper_metrics(shipper, text, sizeof text, &len, &err), err);
  CHECK(len == strlen(text) && strstr(text, "# TYPE binlog_ship_waiting_segments gauge\n") != NULL);
  CHECK(strstr(text, "binlog_ship_uploaded_segments_total{log=\"default\",store=\"file://") != NULL);
  binlog_shipper_close(shipper);

  /* The store contains the whole log: read as a whole, by one segment, and by a pattern; cached for the next time. */
  CHECK(count_records(p.url, NULL) == 3 * PER_SEGMENT);
  char *cache = path_in(scratch, "cache"), *pattern = path_in(p.url, "default.*.binlog");
  binlog_reader_options cached;
  CHECK_IS(binlog_reader_options_init(&cached, sizeof cached), BINLOG_OK);
  cached.cache = cache;
  cached.cache_bytes = 1 << 20;
  CHECK(count_records(p.url, &cached) == 3 * PER_SEGMENT && count_records(p.url, &cached) == 3 * PER_SEGMENT);
  CHECK(file_size(cache) >= 0 && count_records(pattern, NULL) == 3 * PER_SEGMENT);
  cached.reserved[0] = 1;
  binlog_reader *reader = NULL;
  CHECK_FAILS(binlog_reader_open(p.url, &cached, &reader, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_open("s3://me:sesame@bucket/logs", NULL, &reader, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_compress(p.url, NULL, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  free(cache), free(pattern);
  free_place(&p);
}

/* Compressed before it is shipped, and only the newest segment stays here: the store has all of them. */
static void compresses_and_keeps_few(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "few");
  write_segments(p.log, 4);
  binlog_error *err = NULL;
  binlog_ship_options o;
  binlog_compress_options compress;
  binlog_retention keep;
  CHECK_IS(binlog_ship_options_init(&o, sizeof o), BINLOG_OK);
  CHECK_IS(binlog_compress_options_init(&compress, sizeof compress), BINLOG_OK);
  CHECK_IS(binlog_retention_init(&keep, sizeof keep), BINLOG_OK);
  keep.segments = 2;
  o.keep = &keep;
  o.compress = &compress;
  o.file_mode = 0600;
  binlog_shipper *shipper = open_shipper(&p, &o);
  struct events seen;
  memset(&seen, 0, sizeof seen);
  binlog_ship_report report;
  CHECK_OK(binlog_shipper_run(shipper, see, &seen, &report, &err), err);
  CHECK(report.uploaded_segments == 4 && report.pruned_segments == 3 && report.pruned_bytes > 0 && seen.pruned == 3);
  CHECK(files_in(p.store, ".z.binlog") == 4 && files_in(p.log, ".binlog") == 2);
  CHECK(count_records(p.url, NULL) == 4 * PER_SEGMENT);
  binlog_shipper_close(shipper);

  /* A segment that was not shipped stays, unless the flag says otherwise. */
  write_segments(p.log, 1);
  keep.segments = 1;
  size_t gone = 77;
  CHECK_OK(binlog_prune(p.log, NULL, &keep, 0, NULL, NULL, &gone, &err), err);
  const int stay = files_in(p.log, ".binlog");
  CHECK(stay >= 2);
  keep.flags = BINLOG_RETENTION_UNSHIPPED;
  CHECK_OK(binlog_prune(p.log, NULL, &keep, 0, NULL, NULL, &gone, &err), err);
  CHECK(gone == (size_t)(stay - 1) && files_in(p.log, ".binlog") == 1);
  free_place(&p);
}

struct problems { unsigned all, kinds[5]; int is_here; };

static void find(void *userdata, const binlog_ship_problem *problem) {
  struct problems *found = (struct problems *)userdata;
  CHECK(problem->kind >= 1 && problem->kind <= 4 && problem->message[0] != '\0');
  found->all++;
  found->kinds[problem->kind]++;
  found->is_here += (int)problem->is_here;
  if (problem->kind == BINLOG_SHIP_PROBLEM_FOREIGN) CHECK(problem->sequence == 0 && problem->object != NULL);
  else CHECK(problem->sequence > 0 && problem->last_sequence >= problem->sequence);
}

/* verify takes one userdata for both callbacks; this one needs none. */
static int32_t pass(void *userdata, const binlog_ship_event *event) {
  (void)userdata;
  return event->kind == 0;
}

static void write_file(const char *path, const char *text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void verifying(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "verified");
  write_segments(p.log, 3);
  binlog_error *err = NULL;
  binlog_shipper *shipper = open_shipper(&p, NULL);
  CHECK_OK(binlog_shipper_run(shipper, NULL, NULL, NULL, &err), err);
  binlog_ship_verified verified;
  struct problems found;
  memset(&found, 0, sizeof found);
  CHECK_OK(binlog_shipper_verify(shipper, 0, find, pass, &found, &verified, &err), err);
  CHECK(found.all == 0 && verified.sound_segments == 3 && verified.sound_bytes > 0 && verified.problems == 0);
  CHECK(verified.first_sequence == 1 && verified.waiting_segments == 0 && verified.foreign == 0 && !verified.stopped);
  CHECK_OK(binlog_shipper_verify(shipper, BINLOG_SHIP_VERIFY_READ_BACK, NULL, NULL, NULL, NULL, &err), err);

  /* One object is missing, one is another, and there is a foreign one. */
  char *first = path_in(p.store, "default.0000000001.binlog"), *second = path_in(p.store, "default.0000000002.binlog");
  char *other = path_in(p.store, "default.0000000009.binlog");
  CHECK(unlink(first) == 0 && file_size(second) > 0);
  write_file(second, "something else");
  write_file(other, "no segment");
  CHECK_OK(binlog_shipper_verify(shipper, 0, find, NULL, &found, &verified, &err), err);
  CHECK(verified.problems == 2 && verified.foreign == 1 && verified.sound_segments == 1 && found.all == 3);
  CHECK(found.kinds[BINLOG_SHIP_PROBLEM_MISSING] == 1 && found.is_here == 1);
  CHECK(found.kinds[BINLOG_SHIP_PROBLEM_DIFFERENT] == 1 && found.kinds[BINLOG_SHIP_PROBLEM_FOREIGN] == 1);
  binlog_shipper_close(shipper);
  free(first), free(second), free(other);
  free_place(&p);
}

/* If the place of a segment in the store is taken by something else, that is reported, and nothing is overwritten. */
static void never_overwrites(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "taken");
  write_segments(p.log, 2);
  char *taken = path_in(p.store, "default.0000000001.binlog");
  write_file(taken, "a foreign file");
  binlog_error *err = NULL;
  binlog_shipper *shipper = open_shipper(&p, NULL);
  struct events seen;
  memset(&seen, 0, sizeof seen);
  binlog_ship_report report;
  memset(&report, 0xA5, sizeof report);
  CHECK_FAILS(binlog_shipper_run(shipper, see, &seen, &report, &err), BINLOG_E_MISMATCH, err);
  CHECK(report.uploaded_segments == UINT64_C(0xA5A5A5A5A5A5A5A5) && seen.failed == 1 && seen.retries == 0);
  binlog_ship_status status;
  CHECK_OK(binlog_shipper_status(shipper, &status, &err), err);
  CHECK(status.failures == 1 && status.last_failure_ns > 0 && status.waiting_segments == 2);
  binlog_error *failure = binlog_shipper_last_failure(shipper);
  CHECK(failure != NULL && binlog_error_status(failure) == BINLOG_E_MISMATCH && binlog_error_message(failure)[0] != '\0');
  binlog_shipper_close(shipper);
  /* The error belongs to the caller, and outlives the shipper. */
  CHECK(binlog_error_status(failure) == BINLOG_E_MISMATCH);
  binlog_error_free(failure);
  CHECK(file_size(taken) == (long long)strlen("a foreign file") && files_in(p.store, ".binlog") == 1);
  free(taken);
  free_place(&p);
}

struct following { binlog_shipper *shipper; binlog_status status; binlog_error *err; struct events seen; };

static void *follow(void *argument) {
  struct following *mine = (struct following *)argument;
  mine->status = binlog_shipper_follow(mine->shipper, see, &mine->seen, &mine->err);
  return NULL;
}

/* One thread ships while another appends, a third asks for the progress, and one stops it. */
static void follows_until_it_is_stopped(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "followed");
  write_segments(p.log, 1);
  binlog_error *err = NULL;
  struct following mine;
  memset(&mine, 0, sizeof mine);
  mine.shipper = open_shipper(&p, NULL);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, follow, &mine) == 0);
  write_segments(p.log, 2);
  binlog_ship_status status;
  do {
    sched_yield();
    CHECK_OK(binlog_shipper_status(mine.shipper, &status, &err), err);
    char text[8192];
    CHECK_OK(binlog_shipper_metrics(mine.shipper, text, sizeof text, NULL, &err), err);
  } while (status.uploaded_segments < 3);
  CHECK_IS(binlog_shipper_stop(mine.shipper), BINLOG_OK);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(mine.status, mine.err);
  CHECK(mine.seen.uploaded == 3 && mine.seen.failed == 0);
  /* It stays stopped. */
  write_segments(p.log, 1);
  binlog_ship_report report;
  CHECK_OK(binlog_shipper_run(mine.shipper, NULL, NULL, &report, &err), err);
  CHECK(report.uploaded_segments == 0);
  CHECK_OK(binlog_shipper_follow(mine.shipper, NULL, NULL, &err), err);
  binlog_shipper_close(mine.shipper);

  /* A callback stops only its own call. */
  binlog_shipper *shipper = open_shipper(&p, NULL);
  struct events seen;
  memset(&seen, 0, sizeof seen);
  seen.stop_at = BINLOG_SHIP_EVENT_BEGINS;
  CHECK_OK(binlog_shipper_run(shipper, see, &seen, &report, &err), err);
  CHECK(report.stopped == 1 && report.uploaded_segments == 0);
  seen.stop_at = BINLOG_SHIP_EVENT_UPLOADED;
  CHECK_OK(binlog_shipper_follow(shipper, see, &seen, &err), err);
  CHECK(seen.uploaded == 1 && files_in(p.store, ".binlog") == 4);
  binlog_shipper_close(shipper);
  free_place(&p);
}

/* The child of a fork does not own the parent's shipper, and leaves it alone. */
static void forks(const char *scratch) {
  struct place p;
  make_place(&p, scratch, "forked");
  write_segments(p.log, 1);
  binlog_error *err = NULL;
  binlog_shipper *shipper = open_shipper(&p, NULL);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    binlog_ship_status status;
    const int ok = binlog_shipper_run(shipper, NULL, NULL, NULL, NULL) == BINLOG_E_FORKED &&
                   binlog_shipper_follow(shipper, NULL, NULL, NULL) == BINLOG_E_FORKED &&
                   binlog_shipper_verify(shipper, 0, NULL, NULL, NULL, NULL, NULL) == BINLOG_E_FORKED &&
                   binlog_shipper_status(shipper, &status, NULL) == BINLOG_E_FORKED &&
                   binlog_shipper_last_failure(shipper) == NULL;
    binlog_shipper_close(shipper);
    /* A leak checker would count what the library has to leave alone here. */
    execl("/bin/sh", "sh", "-c", ok ? "exit 0" : "exit 1", (char *)NULL);
    _exit(98);
  }
  int code = -1;
  CHECK(waitpid(child, &code, 0) == child && WIFEXITED(code) && WEXITSTATUS(code) == 0);
  binlog_ship_report report;
  CHECK_OK(binlog_shipper_run(shipper, NULL, NULL, &report, &err), err);
  CHECK(report.uploaded_segments == 1);
  binlog_shipper_close(shipper);
  free_place(&p);
}

static void test(const char *scratch) {
  ships_and_reads_back(scratch);
  compresses_and_keeps_few(scratch);
  verifying(scratch);
  never_overwrites(scratch);
  follows_until_it_is_stopped(scratch);
  forks(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
