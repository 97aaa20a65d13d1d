/* Wrong arguments for rolling, hooks, retention and required facts: refused with a clear status, and every drop is
   called exactly once whatever the result of the call. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

/* The calls of one callback and of its drop. */
struct seen { int calls, drops; };

static void dropped(void *userdata) { ((struct seen *)userdata)->drops++; }

static int32_t never_rolls(void *userdata, const binlog_segment_state *state) {
  CHECK(state->path != NULL && state->sequence > 0);
  ((struct seen *)userdata)->calls++;
  return 0;
}

static binlog_status hooked(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  CHECK(segment->path != NULL && result != NULL);
  ((struct seen *)userdata)->calls++;
  return BINLOG_OK;
}

static void failed(void *userdata, const binlog_error *error) {
  CHECK(binlog_error_status(error) < 0);
  ((struct seen *)userdata)->calls++;
}

/* Options with a callback in every place, and the calls of each. */
struct all {
  binlog_writer_options writer;
  binlog_roll_options roll;
  binlog_retention keep;
  binlog_required require;
  binlog_hook on_open[2], on_close[2];
  struct seen check, opens[2], closes[2], failure;
};

static void set_all(struct all *a) {
  memset(a, 0, sizeof *a);
  CHECK_IS(binlog_writer_options_init(&a->writer, sizeof a->writer), BINLOG_OK);
  CHECK_IS(binlog_roll_options_init(&a->roll, sizeof a->roll), BINLOG_OK);
  CHECK_IS(binlog_retention_init(&a->keep, sizeof a->keep), BINLOG_OK);
  CHECK_IS(binlog_required_init(&a->require, sizeof a->require), BINLOG_OK);
  a->roll.check = never_rolls;
  a->roll.check_userdata = &a->check;
  a->roll.check_drop = dropped;
  for (int i = 0; i < 2; i++) {
    const binlog_hook opened = {BINLOG_HOOK_CALL, 0, NULL, hooked, &a->opens[i], dropped, {0}};
    const binlog_hook closed = {BINLOG_HOOK_CALL, 0, NULL, hooked, &a->closes[i], dropped, {0}};
    a->on_open[i] = opened;
    a->on_close[i] = closed;
  }
  a->writer.roll = &a->roll;
  a->writer.keep = &a->keep;
  a->writer.require = &a->require;
  a->writer.on_open = a->on_open;
  a->writer.on_open_count = COUNT_OF(a->on_open);
  a->writer.on_close = a->on_close;
  a->writer.on_close_count = COUNT_OF(a->on_close);
  a->writer.on_failure = failed;
  a->writer.on_failure_userdata = &a->failure;
  a->writer.on_failure_drop = dropped;
}

/* Each drop was called so many times: those of the hooks, the check and the listener for failures. */
static void check_drops(const struct all *a, int hooks, int check) {
  CHECK(a->opens[0].drops == hooks && a->opens[1].drops == hooks);
  CHECK(a->closes[0].drops == hooks && a->closes[1].drops == hooks);
  CHECK(a->failure.drops == hooks);
  CHECK(a->check.drops == check);
}

static void refused(const char *scratch, struct all *a, int hooks, int check) {
  char *directory = path_in(scratch, "refused");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  CHECK_FAILS(binlog_writer_open(directory, &a->writer, &w, &err), BINLOG_E_INVALID, err);
  CHECK(w == NULL && access(directory, F_OK) != 0);
  check_drops(a, hooks, check);
  CHECK(a->opens[0].calls == 0 && a->closes[0].calls == 0 && a->check.calls == 0);
  free(directory);
}

static void wrong_options(const char *scratch) {
  struct all a;
#define REFUSED(statement)      \
  do {                          \
    set_all(&a);                \
    statement;                  \
    refused(scratch, &a, 1, 1); \
  } while (0)
  static const char *const no_value[] = {"key", NULL};
  REFUSED(a.writer.flags = 0x80000000u);
  REFUSED(a.writer.reserved[0] = 1);
  REFUSED(a.writer.reserved[2] = 1);
  REFUSED(a.writer.block_bytes = 1);
  REFUSED(a.writer.file_group = "no such group");
  REFUSED(a.writer.file_group = "");
  REFUSED(a.writer.name = "\xFF");
  REFUSED(a.roll.reserved[4] = 1);
  REFUSED(a.roll.period_s = UINT64_MAX);
  REFUSED(a.roll.zone = "\xFF");
  REFUSED(a.roll.name_template = "\xFF");
  REFUSED(a.keep.reserved[0] = 1);
  REFUSED(a.keep.struct_size = 8);
  REFUSED(a.require.reserved[0] = 1);
  REFUSED(a.require.struct_size = 8);
  REFUSED(a.require.name = "\xFF");
  REFUSED(a.require.parameters = no_value; a.require.parameter_count = 1);
  REFUSED(a.require.parameters = NULL; a.require.parameter_count = 1);
  REFUSED(a.on_open[1].kind = 0);
  REFUSED(a.on_open[0].kind = 5);
  REFUSED(a.on_close[0].reserved32 = 1);
  REFUSED(a.on_close[1].reserved[2] = 1);
  REFUSED(a.on_close[0].call = NULL);
  REFUSED(a.on_close[0].argument = ".done");
  /* The library's own hooks take no callback, and need the right argument. */
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_DELETE);
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_DELETE; a.on_close[0].call = NULL; a.on_close[0].argument = "x");
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_CHANGE_EXTENSION; a.on_close[0].argument = ".done");
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_CHANGE_EXTENSION; a.on_close[0].call = NULL);
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_CHANGE_EXTENSION; a.on_close[0].call = NULL; a.on_close[0].argument = "done");
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_CHANGE_EXTENSION; a.on_close[0].call = NULL; a.on_close[0].argument = "./x");
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_MOVE_TO; a.on_close[0].call = NULL);
  REFUSED(a.on_close[0].kind = BINLOG_HOOK_MOVE_TO; a.on_close[0].call = NULL; a.on_close[0].argument = "");

  /* If a size is wrong, nothing of that struct is read. */
  set_all(&a);
  a.writer.struct_size = 8;
  refused(scratch, &a, 0, 0);
  set_all(&a);
  a.roll.struct_size = 8;
  refused(scratch, &a, 1, 0);

  /* Requests of a newer caller beyond the known fields are refused, and the callbacks are known nevertheless. */
  struct { binlog_writer_options known; uint64_t newer; } larger;
  set_all(&a);
  larger.known = a.writer;
  larger.known.struct_size = sizeof larger;
  larger.newer = 1;
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  char *directory = path_in(scratch, "newer");
  CHECK_FAILS(binlog_writer_open(directory, &larger.known, &w, &err), BINLOG_E_INVALID, err);
  check_drops(&a, 1, 1);

  set_all(&a);
  CHECK_FAILS(binlog_writer_open(directory, &a.writer, NULL, &err), BINLOG_E_INVALID, err);
  check_drops(&a, 1, 1);
  set_all(&a);
  CHECK_FAILS(binlog_writer_open_file(NULL, &a.writer, &w, &err), BINLOG_E_INVALID, err);
  check_drops(&a, 1, 1);
  free(directory);
}

/* With a callback, drops wait for the writer's end; without one they do not. */
static void drops_at_the_end(const char *scratch) {
  char *log = path_in(scratch, "log"), *moved = path_in(scratch, "moved-away");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  struct all a;
  set_all(&a);
  CHECK_OK(binlog_writer_open(log, &a.writer, &w, &err), err);
  CHECK_OK(binlog_writer_append(w, 1, "x", 1, NULL, &err), err);
  check_drops(&a, 0, 0);
  CHECK_OK(binlog_writer_close(w, &err), err);
  check_drops(&a, 1, 1);

  set_all(&a);
  a.roll.check = NULL;
  a.writer.on_failure = NULL;
  a.on_close[0].kind = BINLOG_HOOK_MOVE_TO;
  a.on_close[0].call = NULL;
  a.on_close[0].argument = scratch;
  a.writer.on_close_count = 1;
  CHECK_OK(binlog_writer_open(moved, &a.writer, &w, &err), err);
  CHECK(a.check.drops == 1 && a.failure.drops == 1 && a.closes[0].drops == 1);
  CHECK(a.opens[0].drops == 0 && a.closes[1].drops == 0);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(a.check.drops == 1 && a.failure.drops == 1 && a.closes[0].drops == 1 && a.opens[0].drops == 1);
  free(log), free(moved);
}

static void never_pruned(void *userdata, const binlog_pruned *pruned) {
  (void)userdata, (void)pruned;
  CHECK(!"a refused call has called back");
}

static void other_calls(const char *scratch) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  uint64_t first = 77, last = 77;
  size_t count = 77;
  struct all a;

  set_all(&a);
  CHECK_FAILS(binlog_writer_set_roll(NULL, &a.roll, &err), BINLOG_E_INVALID, err);
  CHECK(a.check.drops == 1);
  CHECK_FAILS(binlog_writer_set_roll(NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_roll_because(NULL, "x", &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_heartbeat(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_failures(NULL, &first, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_wait(NULL, 0, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_hook_result_set_path(NULL, "x", &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_hook_result_set_error(NULL, "x", &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_error_missed(NULL, &first, &last), BINLOG_E_NOT_FOUND);

  a.keep.segments = 1;
  CHECK_FAILS(binlog_prune(NULL, NULL, &a.keep, 0, never_pruned, NULL, &count, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_prune("", NULL, &a.keep, 0, never_pruned, NULL, &count, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_prune(scratch, "\xFF", &a.keep, 0, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_prune(scratch, NULL, &a.keep, 2, never_pruned, NULL, &count, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_prune(scratch, NULL, NULL, 0, never_pruned, NULL, &count, &err), BINLOG_E_INVALID, err);
  a.keep.segments = 0;
  CHECK_FAILS(binlog_prune(scratch, NULL, &a.keep, 0, never_pruned, NULL, &count, &err), BINLOG_E_INVALID, err);

  char *log = path_in(scratch, "log");
  binlog_reader_options options;
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  options.require = &a.require;
  a.require.reserved[2] = 1;
  CHECK_FAILS(binlog_reader_open(log, &options, &reader, &err), BINLOG_E_INVALID, err);
  a.require.reserved[2] = 0;
  CHECK_OK(binlog_reader_open(log, &options, &reader, &err), err); /* zeros take any log */
  CHECK_FAILS(binlog_reader_open(NULL, &options, NULL, &err), BINLOG_E_INVALID, err);
  binlog_reader_close(reader);
  free(log);
  CHECK(first == 77 && last == 77 && count == 77);
}

static void test(const char *scratch) {
  wrong_options(scratch);
  drops_at_the_end(scratch);
  other_calls(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
