/* What can be opened: a directory log, one of its files, a pattern, a single-file log; the files in a directory after
   that; and that one log has one writer. */
#include "check.h"

#include <dirent.h>

static binlog_writer *open_writer(const char *directory, const binlog_writer_options *options) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  CHECK_OK(binlog_writer_open(directory, options, &w, &err), err);
  return w;
}

static void append(binlog_writer *w, int count) {
  binlog_error *err = NULL;
  for (int i = 0; i < count; i++) CHECK_OK(binlog_writer_append(w, 1, "0123456789", 10, NULL, &err), err);
}

static uint64_t count_records(const char *path, uint64_t *first_id, size_t *segments) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record r;
  uint64_t count = 0, last = 0;
  CHECK_OK(binlog_reader_open(path, NULL, &reader, &err), err);
  CHECK_OK(binlog_reader_segment_count(reader, segments, &err), err);
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while (binlog_cursor_next(cursor, &r, &err) == BINLOG_OK) {
    if (count++ == 0) *first_id = r.id;
    else CHECK(r.id == last + 1);
    last = r.id;
  }
  CHECK_NO_ERROR(err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return count;
}

/* Three segments of 10, 20 and 30 records, with names and times that sort as written. */
static void directory_log(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_writer_options options;
  binlog_segment s;
  static const char *const parameters[] = {"host", "here", "unit", "test"};
  size_t segments = 0;
  uint64_t first = 0;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.name = "app";
  options.content_type = "text/plain";
  options.parameters = parameters;
  options.parameter_count = 2;
  options.file_mode = 0600;
  binlog_writer *w = open_writer(log, &options);
  append(w, 10);
  CHECK_OK(binlog_writer_roll(w, &err), err);
  append(w, 20);
  CHECK_OK(binlog_writer_roll(w, &err), err);
  append(w, 30);
  CHECK_OK(binlog_writer_close(w, &err), err);

  static const char *const names[] = {"app.0000000001.binlog", "app.0000000002.binlog", "app.0000000003.binlog"};
  static const uint64_t firsts[] = {1, 11, 31}, counts[] = {10, 20, 30};
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  CHECK_OK(binlog_reader_segment_count(reader, &segments, &err), err);
  CHECK(segments == 3);
  for (size_t i = 0; i < segments; i++) {
    char *path = path_in(log, names[i]);
    struct stat st;
    size_t one = 0;
    CHECK_OK(binlog_reader_segment(reader, i, &s, &err), err);
    CHECK(s.sequence == i + 1 && s.first_id == firsts[i] && s.created_ns > 1600000000000000000);
    CHECK(strcmp(s.path, path) == 0 && strcmp(s.name, "app") == 0 && strcmp(s.content_type, "text/plain") == 0);
    CHECK(s.parameter_count == 2);
    for (size_t j = 0; j < 4; j++) CHECK(strcmp(s.parameters[j], parameters[j]) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600 && s.bytes == (uint64_t)st.st_size);
    CHECK(count_records(path, &first, &one) == counts[i]); /* one file of the log alone */
    CHECK(one == 1 && first == firsts[i]);
    free(path);
  }
  binlog_reader_close(reader);
  char *lock = path_in(log, "app.lock");
  CHECK(access(lock, F_OK) == 0);
  free(lock);

  CHECK(count_records(log, &first, &segments) == 60 && segments == 3);
  char *pattern = path_in(log, "app.*.binlog");
  CHECK(count_records(pattern, &first, &segments) == 60 && segments == 3);
  free(pattern);
  pattern = path_in(log, "app.*[23].binlog");
  CHECK(count_records(pattern, &first, &segments) == 50 && segments == 2 && first == 11);
  free(pattern);
  pattern = path_in(log, "nobody.*.binlog");
  CHECK_FAILS(binlog_reader_open(pattern, NULL, &reader, &err), BINLOG_E_NOT_FOUND, err);
  free(pattern);
}

/* Names are never reused: opening again makes new files or continues in its own, and overwrites none. Nor do the
   numbers of named types change. */
static void reopening(const char *log) {
  binlog_error *err = NULL;
  uint64_t first = 0;
  size_t segments = 0;
  uint32_t number = 0, again = 0;
  for (int i = 1; i <= 3; i++) {
    binlog_writer *w = open_writer(log, NULL);
    CHECK_OK(binlog_writer_type(w, i == 2 ? "another" : "same", NULL, i == 1 ? &number : &again, &err), err);
    CHECK(i != 2 || again != number);
    CHECK(i != 3 || again == number);
    append(w, 5);
    CHECK_OK(binlog_writer_close(w, &err), err);
    CHECK(count_records(log, &first, &segments) == (uint64_t)i * 5 && first == 1);
  }
  DIR *d = opendir(log);
  CHECK(d != NULL);
  for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
    if (e->d_name[0] == '.') continue;
    CHECK(strncmp(e->d_name, "default.", 8) == 0); /* the name when none is given */
    const size_t n = strlen(e->d_name);
    CHECK(strcmp(e->d_name, "default.lock") == 0 || (n == 25 && strcmp(e->d_name + n - 7, ".binlog") == 0));
  }
  closedir(d);
}

static void rolling_by_size(const char *log) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  uint64_t first = 0;
  size_t segments = 0;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  options.segment_bytes = 16384;
  binlog_writer *w = open_writer(log, &options);
  append(w, 10000);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK(count_records(log, &first, &segments) == 10000 && segments >= 6);
  binlog_reader *reader = NULL;
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);
  for (size_t i = 0; i < segments; i++) {
    binlog_segment s;
    CHECK_OK(binlog_reader_segment(reader, i, &s, &err), err);
    CHECK(s.bytes <= 16384 + 4096); /* closing needs a little room of its own */
  }
  binlog_reader_close(reader);
}

static void one_writer(const char *log, const char *file) {
  binlog_error *err = NULL;
  binlog_writer *w = open_writer(log, NULL), *second = NULL, *other = NULL;
  binlog_writer_options options;
  CHECK_FAILS(binlog_writer_open(log, NULL, &second, &err), BINLOG_E_LOCKED, err);
  CHECK_IS(binlog_writer_open(log, NULL, &second, &err), BINLOG_E_LOCKED);
  char pid[32];
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  CHECK(strstr(binlog_error_message(err), pid) != NULL); /* it names the holder */
  binlog_error_free(err);
  err = NULL;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.name = "other"; /* another log may live in the same directory */
  CHECK_OK(binlog_writer_open(log, &options, &other, &err), err);
  CHECK_OK(binlog_writer_close(other, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err); /* free again */
  CHECK_OK(binlog_writer_close(w, &err), err);

  CHECK_OK(binlog_writer_open_file(file, NULL, &w, &err), err);
  CHECK_FAILS(binlog_writer_open_file(file, NULL, &second, &err), BINLOG_E_LOCKED, err);
  CHECK(second == NULL);
  append(w, 7);
  CHECK_OK(binlog_writer_close(w, &err), err);
  uint64_t first = 0;
  size_t segments = 0;
  CHECK(count_records(file, &first, &segments) == 7 && segments == 1);
}

static void test(const char *scratch) {
  static void (*const parts[])(const char *) = {directory_log, reopening, rolling_by_size};
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    char name[20];
    snprintf(name, sizeof name, "log-%d", (int)i);
    char *log = path_in(scratch, name);
    parts[i](log);
    free(log);
  }
  char *log = path_in(scratch, "locked"), *file = path_in(scratch, "single.binlog");
  one_writer(log, file);
  free(log);
  free(file);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
