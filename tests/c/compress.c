/* Compresses finished segments and decompresses them again: the same records in each form, the report on each segment,
   and how the work is stopped. */
#include "check.h"

enum { RECORDS = 3000, PER_SEGMENT = 1000 };

static void write_log(const char *directory, const char *name) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  binlog_writer_options options;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.name = name;
  CHECK_OK(binlog_writer_open(directory, &options, &writer, &err), err);
  for (int i = 1; i <= RECORDS; i++) {
    char text[80];
    const int len = snprintf(text, sizeof text, "{\"event\":\"compute.instance.update\",\"number\":%d}", i);
    CHECK_OK(binlog_writer_append(writer, 7, text, (size_t)len, NULL, &err), err);
    if (i % PER_SEGMENT == 0) CHECK_OK(binlog_writer_roll(writer, &err), err);
  }
  CHECK_OK(binlog_writer_close(writer, &err), err);
}

/* All records are there, under their ids, and read from the middle as well. */
static void check_records(const char *path) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  for (int i = 1; i <= RECORDS; i++) {
    char text[80];
    snprintf(text, sizeof text, "{\"event\":\"compute.instance.update\",\"number\":%d}", i);
    CHECK_OK(binlog_cursor_next(cursor, &record, &err), err);
    CHECK(record.id == (uint64_t)i && record.type == 7 && record_is(&record, text));
  }
  CHECK_IS(binlog_cursor_next(cursor, &record, &err), BINLOG_END);
  CHECK_OK(binlog_cursor_get(cursor, 1234, &record, &err), err);
  CHECK(record.id == 1234);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

struct totals {
  unsigned count;
  uint64_t last_sequence, before, after;
  const char *ending;
  int is_dry, has_sha256;
};

static int ends_with(const char *text, const char *ending) {
  const size_t len = strlen(text), end = strlen(ending);
  return len >= end && strcmp(text + len - end, ending) == 0;
}

static void add_segment(void *userdata, const binlog_compressed *made) {
  struct totals *totals = (struct totals *)userdata;
  totals->count++;
  CHECK(made->sequence > totals->last_sequence || made->sequence == 1);
  totals->last_sequence = made->sequence;
  totals->before += made->bytes_before;
  totals->after += made->bytes_after;
  CHECK(ends_with(made->path, totals->ending) && ends_with(made->source, ".binlog"));
  CHECK(made->reserved32 == 0 && made->reserved[0] == 0 && made->reserved[1] == 0);
  CHECK(made->bytes_before > 0);
  if (totals->is_dry) {
    CHECK(made->records == 0 && made->bytes_after == 0 && !made->source_removed && file_size(made->source) > 0);
  } else {
    CHECK(made->records == PER_SEGMENT && made->source_removed && file_size(made->source) < 0);
    CHECK(file_size(made->path) == (long long)made->bytes_after);
  }
  CHECK((made->sha256 != NULL) == totals->has_sha256);
  if (made->sha256 != NULL) CHECK(strlen(made->sha256) == 64 && strstr(made->path, made->sha256) != NULL);
}

static void round_trips(const char *scratch) {
  binlog_error *err = NULL;
  char *log = path_in(scratch, "log");
  write_log(log, NULL);
  binlog_compress_options o;
  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  size_t count = 0;

  struct totals dry = {0, 0, 0, 0, ".z.binlog", 1, 0};
  o.flags = BINLOG_COMPRESS_DRY_RUN;
  CHECK_OK(binlog_compress(log, NULL, &o, add_segment, &dry, &count, &err), err);
  CHECK(dry.count == 3 && count == 3);

  struct totals made = {0, 0, 0, 0, ".z.binlog", 0, 0};
  o.flags = BINLOG_COMPRESS_NO_DICTIONARY;
  o.threads = 2;
  CHECK_OK(binlog_compress(log, "default", &o, add_segment, &made, &count, &err), err);
  CHECK(made.count == 3 && count == 3 && made.after < made.before / 2 && made.before == dry.before);
  check_records(log);
  /* The newest is not compressed, and the others are. */
  CHECK_OK(binlog_compress(log, NULL, NULL, NULL, NULL, &count, &err), err);
  CHECK(count == 0);

  struct totals back = {0, 0, 0, 0, ".binlog", 0, 0};
  CHECK_OK(binlog_decompress(log, NULL, NULL, add_segment, &back, &count, &err), err);
  CHECK(back.count == 3 && back.before == made.after);
  check_records(log);

  /* The whole file as gzip; decompressed, it is what it was byte for byte. */
  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  o.whole = BINLOG_WHOLE_GZIP;
  CHECK_OK(binlog_compress(log, NULL, &o, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  check_records(log);
  CHECK_OK(binlog_decompress(log, NULL, NULL, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  check_records(log);

  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  o.codec = BINLOG_CODEC_LZ4;
  o.block_bytes = 64 << 10;
  CHECK_OK(binlog_compress(log, NULL, &o, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  check_records(log);
  CHECK_OK(binlog_decompress(log, NULL, NULL, NULL, NULL, NULL, &err), err);

  /* A library without the feature "archive" has no SHA-256, and reports that. */
  struct totals named = {0, 0, 0, 0, ".binlog", 0, 1};
  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  o.flags = BINLOG_COMPRESS_SHA256_NAME;
  const binlog_status status = binlog_compress(log, NULL, &o, add_segment, &named, &count, &err);
  if (status == BINLOG_E_UNSUPPORTED)
    CHECK(strstr(binlog_error_message(err), "SHA-256") != NULL && named.count == 0);
  else
    CHECK(status == BINLOG_OK && named.count == 3);
  binlog_error_free(err);
  check_records(log);
  free(log);
}

/* Compresses only the log that is named. */
static void one_log_of_two(const char *scratch) {
  binlog_error *err = NULL;
  char *log = path_in(scratch, "two");
  write_log(log, "a");
  write_log(log, "b");
  size_t count = 0;
  CHECK_OK(binlog_compress(log, "b", NULL, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  CHECK_OK(binlog_compress(log, NULL, NULL, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  CHECK_OK(binlog_decompress(log, "a", NULL, NULL, NULL, &count, &err), err);
  CHECK(count == 3);
  free(log);
}

struct progress { unsigned calls, stop_at; };

static int32_t watch(void *userdata, const binlog_progress *progress) {
  struct progress *seen = (struct progress *)userdata;
  CHECK(progress->path != NULL && progress->bytes > 0 && progress->done <= 2 * progress->bytes);
  return ++seen->calls == seen->stop_at;
}

/* A call that is stopped keeps all that was there; the next call continues. */
static void stopping(const char *scratch) {
  binlog_error *err = NULL;
  char *log = path_in(scratch, "stopped");
  write_log(log, NULL);
  struct progress seen = {0, 2};
  size_t count = 77;
  binlog_compress_options o;
  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  o.on_progress = watch;
  o.on_progress_userdata = &seen;
  CHECK_FAILS(binlog_compress(log, NULL, &o, NULL, NULL, &count, &err), BINLOG_E_IO, err);
  CHECK(count == 77 && seen.calls >= 2);
  check_records(log);
  seen.stop_at = 0;
  CHECK_OK(binlog_compress(log, NULL, &o, NULL, NULL, &count, &err), err);
  check_records(log);
  free(log);
}

/* A log of one file: compressed once it was closed, and kept beside it unless that is asked for. */
static void one_file(const char *scratch) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  char *file = path_in(scratch, "single.binlog");
  size_t count = 0;
  binlog_compress_options o;
  CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK);
  CHECK_OK(binlog_writer_open_file(file, NULL, &writer, &err), err);
  CHECK_OK(binlog_writer_append(writer, 1, "only one", 8, NULL, &err), err);
  CHECK_OK(binlog_writer_sync(writer, &err), err);
  const binlog_status open_one = binlog_compress(file, NULL, &o, NULL, NULL, &count, &err);
  CHECK(open_one == BINLOG_E_LOCKED || open_one == BINLOG_E_INVALID);
  binlog_error_free(err);
  err = NULL;
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK_OK(binlog_compress(file, NULL, &o, NULL, NULL, &count, &err), err);
  CHECK(count == 1 && file_size(file) > 0);
  o.flags = BINLOG_COMPRESS_REMOVE_SINGLE;
  CHECK_OK(binlog_compress(file, NULL, &o, NULL, NULL, &count, &err), err);
  CHECK(count == 1 && file_size(file) < 0);
  free(file);
}

static void test(const char *scratch) {
  round_trips(scratch);
  one_log_of_two(scratch);
  stopping(scratch);
  one_file(scratch);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
