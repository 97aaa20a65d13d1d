/* Rolling, hooks, retention, required facts and waiting in a C program. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

#include <dirent.h>

/* How many files of the directory end with this. */
static int count_files(const char *directory, const char *ending) {
  int count = 0;
  DIR *dir = opendir(directory);
  CHECK(dir != NULL);
  for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    const size_t len = strlen(entry->d_name), end = strlen(ending);
    count += len > end && strcmp(entry->d_name + len - end, ending) == 0;
  }
  closedir(dir);
  return count;
}

static int ends_with(const char *text, const char *ending) {
  const size_t len = strlen(text), end = strlen(ending);
  return len >= end && strcmp(text + len - end, ending) == 0;
}

static void append(binlog_writer *w, int count) {
  binlog_error *err = NULL;
  for (int i = 0; i < count; i++) CHECK_OK(binlog_writer_append(w, 1, "payload", 7, NULL, &err), err);
}

/* ---------------------------------------------------------------- hooks */

/* What hooks have noted, in the order of their calls. */
struct notes {
  char lines[32][64];
  int count, drops;
};

static void note(struct notes *notes, const char *what, const char *reason, uint64_t sequence) {
  CHECK(notes->count < (int)COUNT_OF(notes->lines));
  snprintf(notes->lines[notes->count++], sizeof notes->lines[0], "%s %u %s", what, (unsigned)sequence, reason);
}

static void dropped(void *userdata) { ((struct notes *)userdata)->drops++; }

static binlog_status note_opened(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  (void)result;
  CHECK(access(segment->path, F_OK) == 0 && strcmp(segment->log, "orders") == 0);
  CHECK(segment->created_ns > 0 && segment->first_id > 0);
  note((struct notes *)userdata, "open", segment->reason, segment->sequence);
  return BINLOG_OK;
}

static binlog_status note_closed(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  (void)result;
  CHECK(ends_with(segment->path, ".binlog") && file_size(segment->path) == (long long)segment->bytes);
  CHECK(segment->records == 2);
  note((struct notes *)userdata, "close", segment->reason, segment->sequence);
  return BINLOG_OK;
}

/* Moves the file itself, and returns its new path. */
static binlog_status move_away(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  char moved[PATH_MAX];
  CHECK(ends_with(segment->path, ".done")); /* the hook before has been at work */
  snprintf(moved, sizeof moved, "%s.moved", segment->path);
  CHECK(rename(segment->path, moved) == 0);
  CHECK_IS(binlog_hook_result_set_path(result, moved, NULL), BINLOG_OK);
  note((struct notes *)userdata, "move", segment->reason, segment->sequence);
  return BINLOG_OK;
}

static binlog_status fail(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  CHECK(ends_with(segment->path, ".moved"));
  CHECK_IS(binlog_hook_result_set_error(result, "the archive is away", NULL), BINLOG_OK);
  note((struct notes *)userdata, "fail", segment->reason, segment->sequence);
  return BINLOG_E_NOT_FOUND;
}

static void note_failure(void *userdata, const binlog_error *error) {
  CHECK_IS(binlog_error_status(error), BINLOG_E_NOT_FOUND);
  CHECK(strstr(binlog_error_message(error), "the archive is away") != NULL);
  note((struct notes *)userdata, "failure", "", 0);
}

/* In order, each with what the one before has done; one that fails is reported, and the others still run. */
static void hooks(const char *scratch, uint32_t flags, const char *name) {
  char *log = path_in(scratch, name);
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  struct notes notes;
  memset(&notes, 0, sizeof notes);
  const binlog_hook on_open[] = {{BINLOG_HOOK_CALL, 0, NULL, note_opened, &notes, dropped, {0}}};
  const binlog_hook on_close[] = {{BINLOG_HOOK_CALL, 0, NULL, note_closed, &notes, dropped, {0}},
                                  {BINLOG_HOOK_CHANGE_EXTENSION, 0, ".done", NULL, NULL, NULL, {0}},
                                  {BINLOG_HOOK_CALL, 0, NULL, move_away, &notes, dropped, {0}},
                                  {BINLOG_HOOK_CALL, 0, NULL, fail, &notes, dropped, {0}},
                                  {BINLOG_HOOK_DELETE, 0, NULL, NULL, NULL, NULL, {0}}};
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.name = "orders";
  options.flags = flags;
  options.on_open = on_open;
  options.on_open_count = COUNT_OF(on_open);
  options.on_close = on_close;
  options.on_close_count = COUNT_OF(on_close);
  options.on_failure = note_failure;
  options.on_failure_userdata = &notes;
  options.on_failure_drop = dropped;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  append(w, 2);
  CHECK_FAILS(binlog_writer_roll_because(w, "", &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_roll_because(w, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_writer_roll_because(w, "by hand", &err), err);
  append(w, 2);
  if (flags == 0) { /* else the thread of the library may not have got so far */
    uint64_t failures = 0;
    CHECK_OK(binlog_writer_failures(w, &failures, &err), err);
    CHECK(failures == 1 && notes.drops == 0);
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(notes.drops == 5);
  CHECK(count_files(log, ".moved") == 0 && count_files(log, ".done") == 0 && count_files(log, ".binlog") == 0);

  /* A segment may be opened before or after the hooks of the one before. */
  static const char *const closes[] = {"close 1 by hand", "move 1 by hand", "fail 1 by hand", "failure 0 ",
                                       "close 2 close",   "move 2 close",   "fail 2 close",   "failure 0 "};
  static const char *const opens[] = {"open 1 ", "open 2 "};
  size_t closed = 0, opened = 0;
  for (int i = 0; i < notes.count; i++) {
    if (strncmp(notes.lines[i], "open", 4) == 0) {
      CHECK(opened < COUNT_OF(opens) && strcmp(notes.lines[i], opens[opened++]) == 0);
    } else {
      CHECK(closed < COUNT_OF(closes) && strcmp(notes.lines[i], closes[closed++]) == 0);
    }
  }
  CHECK(opened == COUNT_OF(opens) && closed == COUNT_OF(closes));
  free(log);
}

/* ---------------------------------------------------------------- rules */

static int32_t rolls_at_three(void *userdata, const binlog_segment_state *state) {
  CHECK(state->path != NULL && state->now_ns >= state->created_ns && state->bytes > 0 && state->first_id > 0);
  ++*(int *)userdata;
  return state->records >= 3;
}

static void rules(const char *scratch) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  binlog_roll_options roll;
  binlog_retention keep;
  int asked = 0;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  CHECK_IS(binlog_roll_options_init(&roll, sizeof roll), BINLOG_OK);
  CHECK_IS(binlog_retention_init(&keep, sizeof keep), BINLOG_OK);
  options.roll = &roll;

  char *by_records = path_in(scratch, "by-records");
  roll.records = 2;
  CHECK_OK(binlog_writer_open(by_records, &options, &w, &err), err);
  append(w, 6);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(count_files(by_records, ".binlog") == 3);

  char *by_check = path_in(scratch, "by-check");
  roll.records = 0;
  roll.check = rolls_at_three;
  roll.check_userdata = &asked;
  options.flush_records = 1; /* asked after each write */
  CHECK_OK(binlog_writer_open(by_check, &options, &w, &err), err);
  append(w, 7);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(asked >= 7 && count_files(by_check, ".binlog") == 3);

  char *kept = path_in(scratch, "kept");
  roll.check = NULL;
  roll.records = 1;
  keep.segments = 2;
  options.keep = &keep;
  CHECK_OK(binlog_writer_open(kept, &options, &w, &err), err);
  append(w, 10);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(count_files(kept, ".binlog") <= 2);
  free(by_records), free(by_check), free(kept);
}

static void new_rules(const char *scratch) {
  char *log = path_in(scratch, "new-rules");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_roll_options roll;
  struct notes notes;
  memset(&notes, 0, sizeof notes);
  CHECK_IS(binlog_roll_options_init(&roll, sizeof roll), BINLOG_OK);
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  append(w, 1);
  int asked = 0;
  roll.check_userdata = &notes;
  roll.check_drop = dropped; /* without a check: called at once */
  roll.name_template = "{name}-%Y-%Q.{seq}";
  CHECK_FAILS(binlog_writer_set_roll(w, &roll, &err), BINLOG_E_INVALID, err);
  roll.name_template = "../{name}";
  CHECK_FAILS(binlog_writer_set_roll(w, &roll, &err), BINLOG_E_INVALID, err);
  roll.name_template = NULL;
  roll.zone = "Nowhere/At_All";
  CHECK_FAILS(binlog_writer_set_roll(w, &roll, &err), BINLOG_E_INVALID, err);
  CHECK(notes.drops == 3 && count_files(log, ".binlog") == 1);
  roll.zone = ""; /* UTC */
  roll.name_template = "{name}-%Y.{seq}";
  roll.check_drop = NULL;
  roll.check = rolls_at_three;
  roll.check_userdata = &asked;
  CHECK_OK(binlog_writer_set_roll(w, &roll, &err), err);
  append(w, 1);
  CHECK_OK(binlog_writer_flush(w, &err), err);
  CHECK(asked > 0 && count_files(log, ".0000000002.binlog") == 1);
  CHECK(count_files(log, "default.0000000002.binlog") == 0);
  CHECK_OK(binlog_writer_close(w, &err), err);

  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.roll = &roll;
  roll.name_template = "%Y.{name}";
  w = NULL;
  CHECK_FAILS(binlog_writer_open(log, &options, &w, &err), BINLOG_E_INVALID, err);
  CHECK(w == NULL);
  free(log);
}

/* ---------------------------------------------------------------- what a log must be */

static void requirements(const char *scratch) {
  static const char *const region[] = {"region", "eu"}, *const other[] = {"region", "us"};
  char *log = path_in(scratch, "required");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_reader *r = NULL;
  binlog_writer_options options;
  binlog_reader_options reading;
  binlog_required required;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  CHECK_IS(binlog_reader_options_init(&reading, sizeof reading), BINLOG_OK);
  CHECK_IS(binlog_required_init(&required, sizeof required), BINLOG_OK);
  options.content_type = "text/plain";
  options.parameters = region;
  options.parameter_count = 1;
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  append(w, 1);
  CHECK_OK(binlog_writer_close(w, &err), err);
  options.require = &required;
  reading.require = &required;
  w = NULL;
#define MISMATCHES(statement)                                                          \
  do {                                                                                 \
    CHECK_IS(binlog_required_init(&required, sizeof required), BINLOG_OK);             \
    statement;                                                                         \
    CHECK_FAILS(binlog_writer_open(log, &options, &w, &err), BINLOG_E_MISMATCH, err);  \
    CHECK_FAILS(binlog_reader_open(log, &reading, &r, &err), BINLOG_E_MISMATCH, err);  \
    CHECK(w == NULL && r == NULL);                                                     \
  } while (0)
  MISMATCHES(required.name = "orders");
  MISMATCHES(required.content_type = "application/json");
  MISMATCHES(required.parameters = other; required.parameter_count = 1);
  required.name = "default";
  required.content_type = "text/plain";
  required.parameters = region;
  CHECK_OK(binlog_reader_open(log, &reading, &r, &err), err);
  binlog_reader_close(r);
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  free(log);
}

/* ---------------------------------------------------------------- reading meanwhile */

struct log {
  binlog_writer *w;
  binlog_reader *reader;
  binlog_cursor *cursor;
};

static struct log open_both(const char *path, const binlog_writer_options *options, const binlog_filter *filter) {
  binlog_error *err = NULL;
  struct log both = {NULL, NULL, NULL};
  CHECK_OK(binlog_writer_open(path, options, &both.w, &err), err);
  CHECK_OK(binlog_writer_flush(both.w, &err), err);
  CHECK_OK(binlog_reader_open(path, NULL, &both.reader, &err), err);
  CHECK_OK(binlog_cursor_open(both.reader, filter, &both.cursor, &err), err);
  return both;
}

static void close_both(struct log *both) {
  binlog_error *err = NULL;
  binlog_cursor_close(both->cursor);
  binlog_reader_close(both->reader);
  CHECK_OK(binlog_writer_close(both->w, &err), err);
}

static void waiting(const char *scratch) {
  char *path = path_in(scratch, "waiting");
  binlog_error *err = NULL;
  binlog_record r;
  struct log log = open_both(path, NULL, NULL);
  CHECK_IS(binlog_cursor_next(log.cursor, &r, NULL), BINLOG_END);
  CHECK_IS(binlog_cursor_wait(log.cursor, 0, &err), BINLOG_TIMEOUT);
  CHECK_IS(binlog_cursor_wait(log.cursor, 20 * 1000000, &err), BINLOG_TIMEOUT);
  CHECK(err == NULL);
  append(log.w, 1);
  CHECK_OK(binlog_writer_flush(log.w, &err), err);
  CHECK_OK(binlog_cursor_wait(log.cursor, BINLOG_FOREVER, &err), err);
  CHECK_OK(binlog_cursor_next(log.cursor, &r, &err), err);
  CHECK(r.id == 1);
  CHECK_IS(binlog_cursor_next(log.cursor, &r, NULL), BINLOG_END);
  CHECK_OK(binlog_writer_roll(log.w, &err), err);
  append(log.w, 1);
  CHECK_OK(binlog_writer_flush(log.w, &err), err);
  CHECK_OK(binlog_cursor_wait(log.cursor, INT64_MAX, &err), err);
  CHECK_OK(binlog_cursor_next(log.cursor, &r, &err), err);
  CHECK(r.id == 2);
  close_both(&log);
  free(path);
}

static void heartbeats(const char *scratch) {
  char *path = path_in(scratch, "heartbeats");
  binlog_error *err = NULL;
  binlog_record r;
  binlog_filter filter;
  const uint32_t beat = BINLOG_EVENT_HEARTBEAT;
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.flags = BINLOG_FILTER_EVENTS;
  filter.types = &beat;
  filter.type_count = 1;
  struct log log = open_both(path, NULL, &filter);
  CHECK_OK(binlog_writer_heartbeat(log.w, &err), err);
  CHECK_OK(binlog_writer_heartbeat(log.w, &err), err);
  int beats = 0;
  while (binlog_cursor_next(log.cursor, &r, &err) == BINLOG_OK) beats += r.type == BINLOG_EVENT_HEARTBEAT;
  CHECK_NO_ERROR(err);
  CHECK(beats == 2);
  close_both(&log);
  free(path);
}

struct pruned { int count; uint64_t last_sequence, bytes; };

static void note_pruned(void *userdata, const binlog_pruned *pruned) {
  struct pruned *seen = (struct pruned *)userdata;
  CHECK(strcmp(pruned->reason, "segments") == 0 && ends_with(pruned->path, ".binlog"));
  CHECK(pruned->sequence > seen->last_sequence && pruned->first_id <= pruned->last_id);
  seen->last_sequence = pruned->sequence;
  seen->bytes += pruned->bytes;
  seen->count++;
}

/* Segments are removed before a cursor has reached them: it reports once which records are missing, and continues. */
static void pruning(const char *scratch) {
  char *path = path_in(scratch, "pruned");
  binlog_error *err = NULL;
  binlog_record r;
  binlog_writer_options options;
  binlog_roll_options roll;
  binlog_retention keep;
  struct pruned seen = {0, 0, 0};
  size_t count = 0;
  uint64_t first = 0, last = 0;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  CHECK_IS(binlog_roll_options_init(&roll, sizeof roll), BINLOG_OK);
  CHECK_IS(binlog_retention_init(&keep, sizeof keep), BINLOG_OK);
  roll.records = 2;
  options.roll = &roll;
  struct log log = open_both(path, &options, NULL);
  append(log.w, 9); /* 1 2, 3 4, 5 6, 7 8, 9 */
  CHECK_OK(binlog_writer_flush(log.w, &err), err);
  CHECK_OK(binlog_cursor_next(log.cursor, &r, &err), err);
  CHECK_OK(binlog_cursor_next(log.cursor, &r, &err), err);
  CHECK(r.id == 2);
  CHECK_IS(binlog_error_missed(NULL, NULL, NULL), BINLOG_E_NOT_FOUND);

  keep.segments = 2;
  CHECK_OK(binlog_prune(path, NULL, &keep, BINLOG_PRUNE_DRY_RUN, note_pruned, &seen, &count, &err), err);
  CHECK(count == 3 && seen.count == 3 && seen.bytes > 0 && count_files(path, ".binlog") == 5);
  CHECK_FAILS(binlog_prune(path, "orders", &keep, 0, NULL, NULL, NULL, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_OK(binlog_prune(path, "default", &keep, 0, NULL, NULL, &count, &err), err);
  CHECK(count == 3 && count_files(path, ".binlog") == 2);

  CHECK_IS(binlog_cursor_next(log.cursor, &r, &err), BINLOG_E_MISSED);
  CHECK_IS(binlog_error_missed(err, &first, &last), BINLOG_OK);
  CHECK(first == 3 && last == 6);
  CHECK_IS(binlog_error_missed(err, NULL, NULL), BINLOG_OK);
  binlog_error_free(err);
  err = NULL;
  for (uint64_t id = 7; id <= 9; id++) {
    CHECK_OK(binlog_cursor_next(log.cursor, &r, &err), err);
    CHECK(r.id == id);
  }
  CHECK_IS(binlog_cursor_next(log.cursor, &r, &err), BINLOG_END);
  close_both(&log);
  free(path);
}

static void test(const char *scratch) {
  hooks(scratch, 0, "hooks");
  hooks(scratch, BINLOG_WRITER_BACKGROUND, "hooks-in-the-background");
  rules(scratch);
  new_rules(scratch);
  requirements(scratch);
  waiting(scratch);
  heartbeats(scratch);
  pruning(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
