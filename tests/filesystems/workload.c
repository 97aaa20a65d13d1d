/* A program that writes a log as tests/writer/power_loss.rs does, and prints what was acknowledged to standard output, its
   ledger; and a program that compares what is left of the log with the ledger.

     workload run LOG POLICY SESSIONS   so many sessions, 0 = until a call fails or the program is killed
     workload check LOG LEDGER          durable <= readable <= taken, ids 1, 2, 3 ..., before and after a new writer

   Ledger: "taken ID" before an append that is going to give ids up to this one; "durable ID" when all up to this id were
   acknowledged; "found ID" when a writer continues after this record; "error STATUS". Each line is a write(2) of its
   own. The first ends with 0, or with 3 when a call failed; the second with 0 unless a promise was broken. */
#include "../c/check.h"

#include <stdarg.h>

#define LONGEST 60000u

static void ledger(const char *format, ...) {
  char line[400];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n <= 0 || write(1, line, (size_t)n) != n) exit(4); /* the reader has gone */
}

/* The payload of record number `id`: its length and its bytes follow from the number. */
static size_t payload_of(uint64_t id, uint8_t *room) {
  const size_t lengths[] = {10, 0, 700, 13000, 100, 900, 900, 900, 2000, 3000, 3000, 3000, 4000, 2000, 5, 20, 6000, 4100, 1};
  const size_t len = id % 211 == 0 ? LONGEST : lengths[id % COUNT_OF(lengths)];
  uint64_t state = id * 0x9E3779B97F4A7C15u | 1; /* does not compress */
  for (size_t i = 0; i < len; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    room[i] = id % 3 == 0 ? (uint8_t)(id + i / 50) : (uint8_t)(state >> 40);
  }
  return len;
}

static binlog_writer *writer;
static uint64_t taken = 0;
static uint8_t room[5][LONGEST];

/* Continues, or ends the program. */
static void must(binlog_status status, binlog_error **err) {
  if (status == BINLOG_OK) return;
  ledger("error %s: %.300s\n", binlog_status_name(status), *err == NULL ? "" : binlog_error_message(*err));
  exit(3);
}

/* What the writer calls durable is acknowledged. */
static void note(void) {
  static uint64_t noted = 0;
  binlog_error *err = NULL;
  binlog_position position;
  must(binlog_writer_position(writer, &position, &err), &err);
  CHECK(position.durable_id <= position.flushed_id && position.flushed_id <= position.appended_id);
  if (position.durable_id > noted) ledger("durable %llu\n", (unsigned long long)position.durable_id);
  if (position.durable_id > noted) noted = position.durable_id;
}

static void append(size_t n, uint32_t type) {
  binlog_error *err = NULL;
  binlog_record records[5];
  uint64_t id = 0;
  CHECK(n <= COUNT_OF(records));
  memset(records, 0, sizeof records);
  ledger("taken %llu\n", (unsigned long long)(taken + n));
  for (size_t i = 0; i < n; i++) {
    records[i].type = type;
    records[i].data = room[i];
    records[i].len = payload_of(taken + 1 + i, room[i]);
  }
  if (n == 1) must(binlog_writer_append(writer, type, room[0], records[0].len, &id, &err), &err);
  else must(binlog_writer_append_batch(writer, records, n, &id, &err), &err);
  CHECK(id == taken + 1);
  taken += n;
  note();
}

static void call(binlog_status (*function)(binlog_writer *, binlog_error **), int makes_durable) {
  binlog_error *err = NULL;
  must(function(writer, &err), &err);
  note();
  if (makes_durable) ledger("durable %llu\n", (unsigned long long)taken);
}

static int is_file;

static void open_log(const char *log, const char *policy) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  binlog_roll_options roll;
  binlog_position position;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  CHECK_IS(binlog_roll_options_init(&roll, sizeof roll), BINLOG_OK);
  options.block_bytes = 4096;
  options.segment_bytes = 300000;
  if (strcmp(policy, "each-synced") == 0) options.sync_records = 1;
  if (strcmp(policy, "flushed") == 0) {
    options.flush_records = 1;
    options.sync_records = 3;
  }
  if (strcmp(policy, "bytes") == 0) {
    options.flush_bytes = 5000;
    options.sync_bytes = 20000;
    options.codec = BINLOG_CODEC_LZ4;
  }
  if (strcmp(policy, "background") == 0) {
    options.flags = BINLOG_WRITER_BACKGROUND;
    options.flush_interval_ms = 1;
    options.sync_interval_ms = 2;
  }
  if (strcmp(policy, "rolling") == 0) {
    roll.records = 40;
    options.roll = &roll;
    options.flags = BINLOG_WRITER_BACKGROUND;
  }
  is_file = strcmp(policy, "file") == 0;
  must((is_file ? binlog_writer_open_file : binlog_writer_open)(log, &options, &writer, &err), &err);
  must(binlog_writer_position(writer, &position, &err), &err);
  taken = position.appended_id;
  ledger("found %llu\n", (unsigned long long)taken);
}

/* A bit of everything that a program does with a log. */
static void session(const char *log, const char *policy) {
  binlog_error *err = NULL;
  uint32_t type = 2;
  open_log(log, policy);
  for (int i = 0; i < 3; i++) append(1, 1);
  call(binlog_writer_flush, 0);
  append(1, 3);
  must(binlog_writer_type(writer, "an order", "text/plain", &type, &err), &err);
  append(1, type);
  append(3, 1);
  call(binlog_writer_sync, 1);
  append(1, 1);
  if (!is_file) call(binlog_writer_roll, 1);
  for (int i = 0; i < 12; i++) append(1, 2);
  call(binlog_writer_flush, 0);
  append(5, type);
  call(binlog_writer_flush, 0);
  append(1, 1);
  if (taken % 3 == 0) call(binlog_writer_sync, 1);
  for (int i = 0; i < 20; i++) append(1, 1);
  must(binlog_writer_close(writer, &err), &err);
  ledger("durable %llu\n", (unsigned long long)taken);
}

/* Reads the log; returns how many records it has, and whether it came to its end without an error. */
static uint64_t read_log(const char *log, uint32_t mode, int *whole) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options options;
  binlog_record r;
  uint64_t count = 0;
  *whole = 1;
  CHECK_IS(binlog_reader_options_init(&options, sizeof options), BINLOG_OK);
  options.mode = mode;
  const binlog_status opened = binlog_reader_open(log, &options, &reader, &err);
  if (opened == BINLOG_E_NOT_FOUND || opened == BINLOG_E_CORRUPT) {
    *whole = opened == BINLOG_E_NOT_FOUND;
    binlog_error_free(err);
    return 0;
  }
  CHECK_OK(opened, err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    CHECK(r.id == ++count);
    const size_t len = payload_of(r.id, room[0]);
    if (r.len == 5 && memcmp(r.data, "after", 5) == 0) continue;
    CHECK(r.len == len && memcmp(r.data, room[0], len) == 0);
  }
  if (err != NULL) {
    fprintf(stderr, "%s\n", binlog_error_message(err));
    *whole = 0;
    binlog_error_free(err);
  }
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

static void check(const char *log, const char *path) {
  binlog_error *err = NULL;
  char line[500];
  unsigned long long durable = 0, most = 0, n;
  uint64_t id = 0;
  int whole;
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "taken %llu", &n) == 1) most = n > most ? n : most;
    if (sscanf(line, "durable %llu", &n) == 1) durable = n > durable ? n : durable;
    if (sscanf(line, "found %llu", &n) == 1) {
      CHECK(n >= durable);
      most = n;
    }
  }
  fclose(file);
  const uint64_t before = read_log(log, BINLOG_READER_PREFIX, &whole);
  if (before < durable || before > most)
    fprintf(stderr, "%llu durable, %llu readable, %llu taken\n", durable, (unsigned long long)before, most);
  CHECK(durable <= before && before <= most);
  struct stat facts;
  const int single = stat(log, &facts) == 0 && !S_ISDIR(facts.st_mode);
  const binlog_status opened = (single ? binlog_writer_open_file : binlog_writer_open)(log, NULL, &writer, &err);
  if (opened == BINLOG_E_CORRUPT) {
    /* Rightly, when never-durable bytes survived behind others that were lost: nothing is cut then. */
    printf("%llu durable, %llu readable, %llu taken, refused\n", durable, (unsigned long long)before, most);
    return;
  }
  CHECK_OK(opened, err);
  CHECK_OK(binlog_writer_append(writer, 1, "after", 5, &id, &err), err);
  CHECK(id == before + 1);
  CHECK_OK(binlog_writer_sync(writer, &err), err);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK(read_log(log, BINLOG_READER_STRICT, &whole) == id && whole);
  printf("%llu durable, %llu readable, %llu taken\n", durable, (unsigned long long)before, most);
}

int main(int argc, char **argv) {
  CHECK(argc >= 4);
  if (strcmp(argv[1], "check") == 0) {
    check(argv[2], argv[3]);
    return 0;
  }
  CHECK(strcmp(argv[1], "run") == 0 && argc == 5);
  const int sessions = atoi(argv[4]);
  for (int n = 0; sessions == 0 || n < sessions; n++) session(argv[2], argv[3]);
  return 0;
}
