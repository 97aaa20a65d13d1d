/* A cursor's filter: types by number and by name, ids, times, headers only, events; alone and together. */
#include "check.h"

#define RECORDS 1000
#define SECOND INT64_C(1000000000)

/* Record i (from 1) is at i seconds; types go round 1, 2, "blue", "green". */
static void write_log(const char *log, uint32_t *blue) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;     /* many blocks */
  options.segment_bytes = 20000;  /* and several segments */
  CHECK_OK(binlog_writer_open(log, &options, &w, &err), err);
  uint32_t types[4] = {1, 2, 0, 0};
  CHECK_OK(binlog_writer_type(w, "blue", "text/plain", &types[2], &err), err);
  CHECK_OK(binlog_writer_type(w, "green", NULL, &types[3], &err), err);
  *blue = types[2];
  for (int i = 1; i <= RECORDS; i++) {
    char text[100];
    memset(text, 'x', sizeof text);
    snprintf(text, sizeof text, "record %d", i);
    binlog_record r;
    memset(&r, 0, sizeof r);
    r.type = types[(i - 1) % 4];
    r.time_ns = i * SECOND;
    r.data = (const uint8_t *)text;
    r.len = sizeof text;
    CHECK_OK(binlog_writer_append_record(w, &r, NULL, &err), err);
  }
  CHECK_OK(binlog_writer_close(w, &err), err);
}

/* Reads with `filter` and expects, in order, exactly the ids from..to that `wanted` accepts. */
static void expect(binlog_reader *reader, const binlog_filter *filter, uint64_t from, uint64_t to,
                   int (*wanted)(uint64_t id)) {
  binlog_error *err = NULL;
  binlog_cursor *one = NULL, *many = NULL;
  binlog_record r, batch[7];
  size_t n = 0, used = 0;
  CHECK_OK(binlog_cursor_open(reader, filter, &one, &err), err);
  CHECK_OK(binlog_cursor_open(reader, filter, &many, &err), err);
  for (uint64_t id = from; id <= to; id++) {
    if (!wanted(id)) continue;
    char text[40];
    snprintf(text, sizeof text, "record %d", (int)id);
    CHECK_OK(binlog_cursor_next(one, &r, &err), err);
    CHECK(r.id == id && r.time_ns == (int64_t)id * SECOND && r.len == 100);
    if (filter->flags & BINLOG_FILTER_HEADERS)
      CHECK(r.data == NULL && r.flags == (BINLOG_RECORD_TIME | BINLOG_RECORD_NO_PAYLOAD));
    else
      CHECK(strcmp((const char *)r.data, text) == 0 && r.flags == BINLOG_RECORD_TIME);
    if (used == n) { /* both ways to read agree */
      CHECK_OK(binlog_cursor_next_batch(many, batch, COUNT_OF(batch), &n, &err), err);
      used = 0;
    }
    CHECK(batch[used].id == id && batch[used].type == r.type && batch[used].flags == r.flags);
    used++;
  }
  CHECK_IS(binlog_cursor_next(one, &r, &err), BINLOG_END);
  CHECK(used == n);
  CHECK_IS(binlog_cursor_next_batch(many, batch, COUNT_OF(batch), &n, &err), BINLOG_END);
  CHECK(n == 0);
  binlog_cursor_close(one);
  binlog_cursor_close(many);
}

static int every(uint64_t id) { return id != 0; }
static int none(uint64_t id) { return id == 0; }
static int type_2(uint64_t id) { return id % 4 == 2; }
static int blue(uint64_t id) { return id % 4 == 3; }
static int one_and_blue(uint64_t id) { return id % 4 == 1 || id % 4 == 3; }

static binlog_filter fresh(void) {
  binlog_filter f;
  CHECK_IS(binlog_filter_init(&f, sizeof f), BINLOG_OK);
  return f;
}

static void filters(binlog_reader *reader, uint32_t blue_number) {
  static const uint32_t two[] = {2}, one[] = {1}, unknown[] = {999};
  static const char *const blue_name[] = {"blue"}, *const unknown_name[] = {"mauve"};
  const uint32_t by_number[] = {blue_number};

  for (uint32_t flags = 0; flags <= BINLOG_FILTER_HEADERS; flags++) {
    binlog_filter f = fresh();
    f.flags = flags;
    expect(reader, &f, 1, RECORDS, every);

    f.types = two, f.type_count = 1;
    expect(reader, &f, 1, RECORDS, type_2);
    f.types = by_number;
    expect(reader, &f, 1, RECORDS, blue);
    f.types = unknown;
    expect(reader, &f, 1, RECORDS, none);
    f.types = NULL, f.type_count = 0;
    f.type_names = blue_name, f.type_name_count = 1;
    expect(reader, &f, 1, RECORDS, blue);
    f.types = one, f.type_count = 1; /* numbers and names add up */
    expect(reader, &f, 1, RECORDS, one_and_blue);
    f.types = NULL, f.type_count = 0;
    f.type_names = unknown_name;
    expect(reader, &f, 1, RECORDS, none);

    f = fresh();
    f.flags = flags;
    f.from_id = 500;
    expect(reader, &f, 500, RECORDS, every);
    f.to_id = 510; /* inclusive */
    expect(reader, &f, 500, 510, every);
    f.type_names = blue_name, f.type_name_count = 1;
    expect(reader, &f, 500, 510, blue);
    f.from_id = RECORDS + 1, f.to_id = 0;
    expect(reader, &f, 1, RECORDS, none);

    f = fresh();
    f.flags = flags;
    f.from_time_ns = 300 * SECOND;
    expect(reader, &f, 300, RECORDS, every);
    f.to_time_ns = 333 * SECOND; /* exclusive */
    expect(reader, &f, 300, 332, every);
    f.types = two, f.type_count = 1;
    expect(reader, &f, 300, 332, type_2);
    f.from_id = 320;
    expect(reader, &f, 320, 332, type_2);
    f.from_time_ns = 0, f.from_id = 0;
    expect(reader, &f, 1, 332, type_2);
  }
}

/* Events are shown only when asked for: the first is STARTED or OPENED, names are defined, the last is the end of the
   log. */
static void events(binlog_reader *reader, uint32_t blue_number) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  binlog_filter f = fresh();
  f.flags = BINLOG_FILTER_EVENTS;
  CHECK_OK(binlog_cursor_open(reader, &f, &cursor, &err), err);
  uint64_t users = 0, next_id = 1;
  int names = 0;
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    CHECK((r.type >= BINLOG_TYPE_EVENT) == ((r.flags & BINLOG_RECORD_EVENT) != 0));
    CHECK(r.id == next_id); /* an event shows the id of the record that follows it */
    if (r.flags & BINLOG_RECORD_EVENT) {
      if (r.type == BINLOG_EVENT_TYPE) names++;
    } else {
      users++, next_id++;
    }
  }
  CHECK_NO_ERROR(err);
  CHECK(users == RECORDS && names >= 2);
  binlog_slice name;
  CHECK_OK(binlog_cursor_type_name(cursor, blue_number, &name, &err), err);
  CHECK(slice_is(&name, "blue"));
  binlog_cursor_close(cursor);
}

static void test(const char *scratch) {
  char *log = path_in(scratch, "log");
  uint32_t blue_number = 0;
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  write_log(log, &blue_number);
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  size_t segments = 0;
  CHECK_OK(binlog_reader_segment_count(reader, &segments, &err), err);
  CHECK(segments >= 4);
  filters(reader, blue_number);
  events(reader, blue_number);
  binlog_reader_close(reader);
  free(log);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
