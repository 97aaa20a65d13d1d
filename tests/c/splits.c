/* Plans and splits: what they say, tokens that are none, and arguments that make no sense. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

#define SEGMENTS 5
#define EACH 200

static char untouched; /* its address is one that no call could give */

static void write_log(const char *directory) {
  binlog_error *err = NULL;
  binlog_writer *w;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  CHECK_OK(binlog_writer_open(directory, &options, &w, &err), err);
  for (int i = 0; i < SEGMENTS * EACH; i++) {
    char payload[100];
    binlog_record r;
    memset(&r, 0, sizeof r);
    r.len = (size_t)snprintf(payload, sizeof payload, "record %090d", i);
    r.data = payload;
    r.type = (uint32_t)(i % 3);
    r.time_ns = 1000 + i;
    r.flags = BINLOG_RECORD_TIME;
    CHECK_OK(binlog_writer_append_record(w, &r, NULL, &err), err);
    if (i % EACH == EACH - 1) CHECK_OK(binlog_writer_roll(w, &err), err);
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
}

static binlog_reader *reader_of(const char *path) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  return reader;
}

static binlog_plan *plan_of(const char *path, const binlog_filter *filter, uint64_t target_bytes, uint64_t most) {
  binlog_error *err = NULL;
  binlog_plan *plan = NULL;
  binlog_plan_options options;
  CHECK_IS(binlog_plan_options_init(&options, sizeof options), BINLOG_OK);
  options.target_bytes = target_bytes;
  options.most = most;
  binlog_reader *reader = reader_of(path);
  CHECK_OK(binlog_reader_plan(reader, filter, &options, &plan, &err), err);
  /* The plan does not need it any more. */
  binlog_reader_close(reader);
  return plan;
}

static size_t count_of(const binlog_plan *plan) {
  binlog_error *err = NULL;
  size_t count = 77;
  CHECK_OK(binlog_plan_count(plan, &count, &err), err);
  return count;
}

static binlog_split split_of(const binlog_plan *plan, size_t index) {
  binlog_error *err = NULL;
  binlog_split split;
  CHECK_OK(binlog_plan_split(plan, index, &split, &err), err);
  return split;
}

/* A copy of the first token of a plan of the log. */
static char *token_of(const char *path) {
  binlog_plan *plan = plan_of(path, NULL, 0, 0);
  CHECK(count_of(plan) == 1);
  const char *token = split_of(plan, 0).token;
  char *copy = (char *)malloc(strlen(token) + 1);
  CHECK(copy != NULL);
  strcpy(copy, token);
  binlog_plan_close(plan);
  return copy;
}

static void refused(const char *token, binlog_status expected) {
  binlog_error *err = NULL;
  binlog_reader *reader = (binlog_reader *)(void *)&untouched;
  CHECK_FAILS(binlog_split_open(token, NULL, &reader, &err), expected, err);
  CHECK(reader == (binlog_reader *)(void *)&untouched);
  CHECK_IS(binlog_split_open(token, NULL, &reader, NULL), expected);
}

static void each_record_is_in_one_split(const char *log, const binlog_filter *filter, uint64_t step) {
  binlog_error *err = NULL;
  binlog_plan *plan = plan_of(log, filter, 8192, 0);
  const size_t count = count_of(plan);
  CHECK(count >= SEGMENTS);
  uint64_t next = 1, records = 0;
  for (size_t i = 0; i < count; i++) {
    const binlog_split split = split_of(plan, i);
    CHECK(split.last_id >= split.first_id && strchr(split.token, ' ') == NULL && split.location[0] == '/');
    CHECK(strstr(split.token, split.location) != NULL && split.bytes > 0);
    records += split.records;
    binlog_reader *part = NULL;
    binlog_cursor *cursor = NULL;
    binlog_record r;
    binlog_status status;
    CHECK_OK(binlog_split_open(split.token, NULL, &part, &err), err);
    CHECK_OK(binlog_cursor_open(part, filter, &cursor, &err), err);
    while ((status = binlog_cursor_next(cursor, &r, &err)) == BINLOG_OK) {
      CHECK(r.id == next && r.id >= split.first_id && r.id <= split.last_id);
      CHECK(r.time_ns >= split.first_time_ns && r.time_ns <= split.last_time_ns);
      next += step;
    }
    CHECK_NO_ERROR(err);
    CHECK_IS(status, BINLOG_END);
    binlog_cursor_close(cursor);
    binlog_reader_close(part);
  }
  CHECK(next > SEGMENTS * EACH && next - step <= SEGMENTS * EACH);
  CHECK(records == (SEGMENTS * EACH + step - 1) / step);
  binlog_plan_close(plan);
}

static void targets(const char *log) {
  binlog_plan *plan = plan_of(log, NULL, UINT64_MAX, UINT64_MAX);
  CHECK(count_of(plan) == 1 && split_of(plan, 0).records == SEGMENTS * EACH);
  CHECK(split_of(plan, 0).first_time_ns == 1000 && split_of(plan, 0).last_time_ns == 1000 + SEGMENTS * EACH - 1);
  binlog_plan_close(plan);
  plan = plan_of(log, NULL, 1, 2);
  CHECK(count_of(plan) <= 2);
  binlog_plan_close(plan);
  const uint32_t nothing = 99;
  binlog_filter filter;
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.types = &nothing;
  filter.type_count = 1;
  plan = plan_of(log, &filter, 1, 0);
  CHECK(count_of(plan) == 0);
  binlog_error *err = NULL;
  binlog_split split;
  memset(&split, 7, sizeof split);
  const binlog_split before = split;
  CHECK_FAILS(binlog_plan_split(plan, 0, &split, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_plan_split(plan, SIZE_MAX, &split, &err), BINLOG_E_NOT_FOUND, err);
  CHECK(memcmp(&split, &before, sizeof split) == 0);
  binlog_plan_close(plan);
}

static void null_everywhere(const char *log) {
  binlog_error *err = NULL;
  binlog_plan *plan = (binlog_plan *)(void *)&untouched;
  binlog_reader *reader = reader_of(log);
  binlog_reader *part = NULL;
  binlog_split split;
  size_t count = 77;
  CHECK_IS(binlog_plan_options_init(NULL, sizeof(binlog_plan_options)), BINLOG_E_INVALID);
  CHECK_FAILS(binlog_reader_plan(NULL, NULL, NULL, &plan, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_plan(reader, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_plan_count(NULL, &count, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_plan_split(NULL, 0, &split, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_plan_split(NULL, 0, NULL, NULL), BINLOG_E_INVALID);
  CHECK(plan == (binlog_plan *)(void *)&untouched && count == 77);
  CHECK_OK(binlog_reader_plan(reader, NULL, NULL, &plan, &err), err);
  CHECK_FAILS(binlog_plan_count(plan, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_plan_split(plan, 0, NULL, &err), BINLOG_E_INVALID, err);
  refused(NULL, BINLOG_E_INVALID);
  CHECK_FAILS(binlog_split_open(split_of(plan, 0).token, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK(part == NULL);
  binlog_plan_close(plan);
  binlog_plan_close(NULL);
  binlog_reader_close(reader);
}

static int drops;

static void on_loss(void *userdata, const binlog_loss *loss) { (void)userdata, (void)loss; }

static void on_drop(void *userdata) {
  (void)userdata;
  drops++;
}

static void options(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = reader_of(log);
  binlog_plan *plan = (binlog_plan *)(void *)&untouched;
  struct { binlog_plan_options known; uint64_t newer[2]; } larger;
  binlog_plan_options o;
  CHECK_IS(binlog_plan_options_init(&o, sizeof o - 1), BINLOG_E_INVALID);
  CHECK_IS(binlog_plan_options_init(&o, sizeof o), BINLOG_OK);
  o.struct_size = 0;
  CHECK_FAILS(binlog_reader_plan(reader, NULL, &o, &plan, &err), BINLOG_E_INVALID, err);
  o.struct_size = sizeof o - 8;
  CHECK_FAILS(binlog_reader_plan(reader, NULL, &o, &plan, &err), BINLOG_E_INVALID, err);
  o.struct_size = sizeof o;
  o.reserved[4] = 1;
  CHECK_FAILS(binlog_reader_plan(reader, NULL, &o, &plan, &err), BINLOG_E_INVALID, err);
  memset(&larger, 0, sizeof larger);
  larger.known.struct_size = sizeof larger;
  larger.newer[1] = 1;
  CHECK_FAILS(binlog_reader_plan(reader, NULL, &larger.known, &plan, &err), BINLOG_E_INVALID, err);
  binlog_filter filter;
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.last = 1;
  CHECK_FAILS(binlog_reader_plan(reader, &filter, NULL, &plan, &err), BINLOG_E_INVALID, err);
  filter.last = 0;
  filter.flags = BINLOG_FILTER_NEWEST_FIRST;
  CHECK_FAILS(binlog_reader_plan(reader, &filter, NULL, &plan, &err), BINLOG_E_INVALID, err);
  filter.flags = 1u << 30;
  CHECK_FAILS(binlog_reader_plan(reader, &filter, NULL, &plan, &err), BINLOG_E_INVALID, err);
  CHECK(plan == (binlog_plan *)(void *)&untouched);
  larger.newer[1] = 0;
  CHECK_OK(binlog_reader_plan(reader, NULL, &larger.known, &plan, &err), err);
  binlog_plan_close(plan);
  binlog_reader_close(reader);

  /* The function that drops is called once, whatever is wrong. */
  binlog_reader_options how;
  CHECK_IS(binlog_reader_options_init(&how, sizeof how), BINLOG_OK);
  how.mode = BINLOG_READER_SALVAGE;
  how.on_loss = on_loss;
  how.on_loss_drop = on_drop;
  binlog_reader *part = NULL;
  CHECK_FAILS(binlog_split_open("no token", &how, &part, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_split_open(NULL, &how, &part, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_split_open("no token", &how, NULL, &err), BINLOG_E_INVALID, err);
  CHECK(drops == 3);
  char *token = token_of(log);
  CHECK_OK(binlog_split_open(token, &how, &part, &err), err);
  CHECK(drops == 3);
  binlog_reader_close(part);
  CHECK(drops == 4);
  how.struct_size = 1;
  CHECK_FAILS(binlog_split_open(token, &how, &part, &err), BINLOG_E_INVALID, err);
  free(token);
}

static void tokens(const char *log, const char *other) {
  char *good = token_of(log);
  const size_t len = strlen(good);
  char *bad = (char *)malloc(len + 3);
  CHECK(bad != NULL);
  refused("", BINLOG_E_INVALID);
  refused("binlog-split:", BINLOG_E_INVALID);
  refused(log, BINLOG_E_INVALID);
  refused("binlog-split:1:\xFF\xFE", BINLOG_E_INVALID);
  for (size_t cut = 0; cut < len - strlen(log); cut++) {
    memcpy(bad, good, cut);
    bad[cut] = '\0';
    refused(bad, BINLOG_E_INVALID);
  }
  static const char *const ends[] = {"\n", " ", "\r\n"};
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    strcpy(bad, good);
    strcat(bad, ends[i]);
    refused(bad, BINLOG_E_INVALID);
  }
  strcpy(bad, good);
  CHECK(strncmp(bad, "binlog-split:1:", 15) == 0);
  bad[13] = '2';
  refused(bad, BINLOG_E_UNSUPPORTED);
  /* The token of the first log where the second one is. */
  strcpy(bad, good);
  char *digit = bad + 15;
  *digit = *digit == '0' ? '1' : '0';
  refused(bad, BINLOG_E_MISMATCH);
  free(bad);
  char *place = (char *)malloc(len + strlen(other) + 1);
  CHECK(place != NULL);
  snprintf(place, len + strlen(other) + 1, "%.*s%s", (int)(strstr(good, log) - good), good, other);
  refused(place, BINLOG_E_MISMATCH);
  snprintf(place, len + strlen(other) + 1, "%.*s/nowhere", (int)(strstr(good, log) - good), good);
  refused(place, BINLOG_E_NOT_FOUND);
  free(place);
  free(good);
}

static void test(const char *scratch) {
  char real[PATH_MAX];
  CHECK(realpath(scratch, real) != NULL);
  char *log = path_in(real, "log"), *other = path_in(real, "other");
  write_log(log);
  write_log(other);
  const uint32_t type = 0;
  binlog_filter filter;
  CHECK_IS(binlog_filter_init(&filter, sizeof filter), BINLOG_OK);
  filter.types = &type;
  filter.type_count = 1;
  each_record_is_in_one_split(log, NULL, 1);
  each_record_is_in_one_split(log, &filter, 3);
  targets(log);
  null_everywhere(log);
  options(log);
  tokens(log, other);
  free(log);
  free(other);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
