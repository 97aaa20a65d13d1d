/* The whole test framework: CHECK and the other macros stop at the first failure with its place and the actual value;
   test_main gives each program a scratch directory. Works as C99 and as C++17.

   Include it first: it asks the system for POSIX. */
#ifndef CHECK_H
#define CHECK_H
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binlog.h"

#define CHECK(condition)                                                                  \
  do {                                                                                    \
    if (!(condition)) check_failed(__FILE__, __LINE__, #condition);                       \
  } while (0)

/* The status is exactly this one. */
#define CHECK_IS(call, expected) check_status(__FILE__, __LINE__, #call, (call), (expected))

/* The call succeeds; `err` is the binlog_error* whose address the call was given. */
#define CHECK_OK(call, err) check_ok(__FILE__, __LINE__, #call, (call), &(err))

/* The call fails with this status and leaves an error that agrees, which is freed here. */
#define CHECK_FAILS(call, expected, err) check_fails(__FILE__, __LINE__, #call, (call), (expected), &(err))

/* No call of the loop before has failed; otherwise prints the error. */
#define CHECK_NO_ERROR(err)                                                               \
  do {                                                                                    \
    if ((err) != NULL) check_failed(__FILE__, __LINE__, binlog_error_message(err));       \
  } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline void check_failed(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  exit(1);
}

static inline void check_status(const char *file, int line, const char *call, binlog_status got,
                                binlog_status expected) {
  if (got == expected) return;
  fprintf(stderr, "%s:%d: %s gave %s, not %s\n", file, line, call, binlog_status_name(got),
          binlog_status_name(expected));
  exit(1);
}

static inline void check_ok(const char *file, int line, const char *call, binlog_status got, binlog_error **err) {
  if (got != BINLOG_OK && *err != NULL) fprintf(stderr, "%s\n", binlog_error_message(*err));
  check_status(file, line, call, got, BINLOG_OK);
  if (*err != NULL) check_failed(file, line, "an error object although the call succeeded");
}

static inline void check_fails(const char *file, int line, const char *call, binlog_status got, binlog_status expected,
                               binlog_error **err) {
  check_status(file, line, call, got, expected);
  if (*err == NULL) check_failed(file, line, "a failed call left no error object");
  if (binlog_error_status(*err) != expected) check_failed(file, line, "the error object has another status");
  if (binlog_error_message(*err)[0] == '\0') check_failed(file, line, "the error has no message");
  binlog_error_free(*err);
  *err = NULL;
}

/* "<directory>/<name>", in a buffer that the caller frees. */
static inline char *path_in(const char *directory, const char *name) {
  const size_t size = strlen(directory) + strlen(name) + 2;
  char *path = (char *)malloc(size);
  CHECK(path != NULL);
  snprintf(path, size, "%s/%s", directory, name);
  return path;
}

static inline long long file_size(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

/* The payload is this text. */
static inline int record_is(const binlog_record *record, const char *text) {
  return record->len == strlen(text) && (record->len == 0 || memcmp(record->data, text, record->len) == 0);
}

static inline int slice_is(const binlog_slice *slice, const char *text) {
  return slice->len == strlen(text) && (slice->len == 0 || memcmp(slice->data, text, slice->len) == 0);
}

static inline int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)st, (void)kind, (void)where;
  return remove(path);
}

/* Runs the test in argv[1], which is kept, or in a directory under TMPDIR that is removed after success. */
static inline int test_main(int argc, char **argv, void (*test)(const char *scratch)) {
  char made[PATH_MAX];
  if (argc > 1) {
    test(argv[1]);
    return 0;
  }
  const char *tmp = getenv("TMPDIR");
  snprintf(made, sizeof made, "%s/binlog-test-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
  if (mkdtemp(made) == NULL) {
    perror(made);
    return 1;
  }
  test(made);
  return nftw(made, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
#endif
