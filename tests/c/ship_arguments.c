/* Wrong arguments for compressing and shipping: refused with a clear status and a sentence that names the argument. A
   library without the feature "upload" has the same functions, and reports that. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include <stdbool.h>

#include "check.h"

/* The call fails with this status, and its message contains this. */
static void refused(const char *what, binlog_status status, binlog_status expected, binlog_error **err,
                    const char *says) {
  if (status != expected) fprintf(stderr, "no \"%s\":\n", says);
  check_status(__FILE__, __LINE__, what, status, expected);
  CHECK(*err != NULL);
  if (strstr(binlog_error_message(*err), says) == NULL) {
    fprintf(stderr, "%s: \"%s\" does not say \"%s\"\n", what, binlog_error_message(*err), says);
    exit(1);
  }
  binlog_error_free(*err);
  *err = NULL;
}

/* Two records in two segments, so that one can be compressed and shipped. */
static void write_log(const char *directory) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  CHECK_OK(binlog_writer_open(directory, NULL, &writer, &err), err);
  CHECK_OK(binlog_writer_append(writer, 1, "one", 3, NULL, &err), err);
  CHECK_OK(binlog_writer_roll(writer, &err), err);
  CHECK_OK(binlog_writer_append(writer, 1, "two", 3, NULL, &err), err);
  CHECK_OK(binlog_writer_close(writer, &err), err);
}

static void compressing(const char *log) {
  binlog_error *err = NULL;
  binlog_compress_options o;
  size_t count = 77;
#define REFUSED(expected, says) \
  refused("binlog_compress", binlog_compress(log, NULL, &o, NULL, NULL, &count, &err), expected, &err, says)
#define SET(field, value) (CHECK_IS(binlog_compress_options_init(&o, sizeof o), BINLOG_OK), o.field = (value))
  SET(struct_size, sizeof o - 8);
  REFUSED(BINLOG_E_INVALID, "binlog_compress_options.struct_size");
  SET(reserved[4], 1);
  REFUSED(BINLOG_E_INVALID, "reserved");
  SET(flags, 32);
  REFUSED(BINLOG_E_INVALID, "flags");
  SET(codec, 300);
  REFUSED(BINLOG_E_INVALID, "codec 300");
  SET(level, 23);
  REFUSED(BINLOG_E_INVALID, "level 23");
  SET(threads, 65);
  REFUSED(BINLOG_E_INVALID, "threads");
  SET(block_bytes, 100);
  REFUSED(BINLOG_E_INVALID, "block");
  SET(whole, 3);
  REFUSED(BINLOG_E_INVALID, "whole");
#undef REFUSED
  CHECK(count == 77);
  CHECK_FAILS(binlog_compress(NULL, NULL, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_compress("", NULL, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_compress("not/there", NULL, NULL, NULL, NULL, NULL, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_compress(log, "a/b", NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_decompress(NULL, NULL, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_decompress(log, "\xff", NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_compress(NULL, NULL, NULL, NULL, NULL, NULL, NULL), BINLOG_E_INVALID);
#undef SET
}

static void shipping(const char *log, const char *url) {
  binlog_error *err = NULL;
  binlog_shipper *shipper = NULL;
  binlog_ship_options o;
  binlog_retention keep;
  binlog_compress_options compress;
#define REFUSED(expected, says) \
  refused("binlog_shipper_open", binlog_shipper_open(log, NULL, &o, &shipper, &err), expected, &err, says)
#define SET(field, value) \
  (CHECK_IS(binlog_ship_options_init(&o, sizeof o), BINLOG_OK), o.url = url, o.field = (value))
  SET(struct_size, 8);
  REFUSED(BINLOG_E_INVALID, "binlog_ship_options.struct_size");
  SET(reserved[0], 1);
  REFUSED(BINLOG_E_INVALID, "reserved");
  SET(flags, 4);
  REFUSED(BINLOG_E_INVALID, "flags");
  SET(url, NULL);
  REFUSED(BINLOG_E_INVALID, "the store's URL must not be NULL");
  SET(url, "\xff");
  REFUSED(BINLOG_E_INVALID, "UTF-8");
  SET(url, "ftp://somewhere/logs");
  REFUSED(BINLOG_E_INVALID, "s3://");
  SET(url, "file:///tmp/x?colour=red");
  REFUSED(BINLOG_E_INVALID, "colour");
  SET(credentials, "");
  REFUSED(BINLOG_E_INVALID, "the file of credentials is empty");
  SET(in_flight, 65);
  REFUSED(BINLOG_E_INVALID, "in flight");
  SET(threads, 65);
  REFUSED(BINLOG_E_INVALID, "threads");
  SET(part_bytes, UINT64_MAX);
  REFUSED(BINLOG_E_INVALID, "part");
  SET(first_delay_ms, 500);
  o.longest_delay_ms = 100;
  REFUSED(BINLOG_E_INVALID, "longest_delay");
  /* A secret is not repeated. */
  SET(url, "s3://me:sesame@bucket/logs");
  CHECK_IS(binlog_shipper_open(log, NULL, &o, &shipper, &err), BINLOG_E_INVALID);
  CHECK(strstr(binlog_error_message(err), "sesame") == NULL);
  binlog_error_free(err);
  err = NULL;

  SET(keep, &keep);
  CHECK_IS(binlog_retention_init(&keep, sizeof keep), BINLOG_OK);
  keep.flags = 2;
  REFUSED(BINLOG_E_INVALID, "binlog_retention.flags");
  keep.flags = BINLOG_RETENTION_UNSHIPPED;
  REFUSED(BINLOG_E_INVALID, "unshipped");
  keep.flags = 0;
  keep.reserved32 = 1;
  REFUSED(BINLOG_E_INVALID, "binlog_retention");

  SET(compress, &compress);
  CHECK_IS(binlog_compress_options_init(&compress, sizeof compress), BINLOG_OK);
  compress.whole = BINLOG_WHOLE_GZIP;
  REFUSED(BINLOG_E_INVALID, "whole");
  compress.whole = BINLOG_WHOLE_NONE;
  compress.flags = BINLOG_COMPRESS_KEEP_SOURCE;
  REFUSED(BINLOG_E_INVALID, "the keeping of the source");
  compress.flags = 0;
  compress.threads = 65;
  REFUSED(BINLOG_E_INVALID, "threads");

  SET(flags, 0);
  refused("no log", binlog_shipper_open("not/there", NULL, &o, &shipper, &err), BINLOG_E_NOT_FOUND, &err, "not/there");
  refused("no such log", binlog_shipper_open(log, "other", &o, &shipper, &err), BINLOG_E_NOT_FOUND, &err, "other");
  CHECK_FAILS(binlog_shipper_open(NULL, NULL, &o, &shipper, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_open(log, NULL, NULL, &shipper, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_open(log, NULL, &o, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_shipper_open(log, NULL, NULL, &shipper, NULL), BINLOG_E_INVALID);
  CHECK(shipper == NULL);

  /* Within a writer, refused options leave no file behind. */
  binlog_writer_options w;
  binlog_writer *writer = NULL;
  CHECK_IS(binlog_writer_options_init(&w, sizeof w), BINLOG_OK);
  w.ship = &o;
  o.flags = BINLOG_SHIP_DRY_RUN;
  char *fresh = path_in(log, "fresh");
  refused("a dry run", binlog_writer_open(fresh, &w, &writer, &err), BINLOG_E_INVALID, &err, "DRY_RUN");
  SET(url, "ftp://somewhere/logs");
  refused("no store", binlog_writer_open(fresh, &w, &writer, &err), BINLOG_E_INVALID, &err, "s3://");
  CHECK(rmdir(fresh) == 0 || file_size(fresh) < 0);
  SET(flags, 0);
  refused("a file", binlog_writer_open_file(fresh, &w, &writer, &err), BINLOG_E_UNSUPPORTED, &err, "file");
  CHECK(file_size(fresh) < 0 && writer == NULL);
  free(fresh);
#undef SET
#undef REFUSED
}

/*
 * Requests the text with `spare` bytes more than its length: it fits when there is one for the NUL. Time passes between
 * the calls, so the length is requested until it stays the same.
 */
static void metrics_fit(binlog_shipper *shipper, size_t spare) {
  size_t len = 0;
  CHECK_IS(binlog_shipper_metrics(shipper, NULL, 0, &len, NULL), BINLOG_E_TOO_LARGE);
  bool same = false;
  for (int i = 0; i < 100 && !same; i++) {
    const size_t before = len, cap = before + spare;
    char *room = (char *)malloc(cap);
    CHECK(room != NULL);
    const binlog_status is = binlog_shipper_metrics(shipper, room, cap, &len, NULL);
    CHECK_IS(is, len < cap ? BINLOG_OK : BINLOG_E_TOO_LARGE);
    CHECK(is != BINLOG_OK || strlen(room) == len);
    same = len == before;
    free(room);
  }
  CHECK(same);
}

/* NULL, and arguments of a shipper that is open. */
static void handles(const char *log, const char *url) {
  binlog_error *err = NULL;
  binlog_ship_status status;
  size_t len = 77;
  CHECK_FAILS(binlog_shipper_run(NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_follow(NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_verify(NULL, 0, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_status(NULL, &status, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_metrics(NULL, NULL, 0, &len, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_ship_status(NULL, &status, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_ship_metrics(NULL, NULL, 0, &len, &err), BINLOG_E_INVALID, err);
  CHECK(len == 77 && binlog_writer_ship_failure(NULL) == NULL && binlog_shipper_last_failure(NULL) == NULL);
  CHECK_IS(binlog_shipper_stop(NULL), BINLOG_OK);
  binlog_shipper_close(NULL);

  binlog_ship_options o;
  binlog_shipper *shipper = NULL;
  CHECK_IS(binlog_ship_options_init(&o, sizeof o), BINLOG_OK);
  o.url = url;
  CHECK_OK(binlog_shipper_open(log, NULL, &o, &shipper, &err), err);
  CHECK_FAILS(binlog_shipper_verify(shipper, 2, NULL, NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_shipper_status(shipper, NULL, &err), BINLOG_E_INVALID, err);
  char text[16];
  CHECK_FAILS(binlog_shipper_metrics(shipper, NULL, 1, &len, &err), BINLOG_E_INVALID, err);
  CHECK(len == 77);
  memset(text, 'x', sizeof text);
  CHECK_FAILS(binlog_shipper_metrics(shipper, text, sizeof text, &len, &err), BINLOG_E_TOO_LARGE, err);
  CHECK(len > sizeof text && text[0] == 'x');
  CHECK_FAILS(binlog_shipper_metrics(shipper, NULL, 0, NULL, &err), BINLOG_E_TOO_LARGE, err);
  metrics_fit(shipper, 0);
  metrics_fit(shipper, 1);
  CHECK(binlog_shipper_last_failure(shipper) == NULL);
  /* A log has one shipper at a time. */
  binlog_shipper *second = NULL;
  CHECK_FAILS(binlog_shipper_open(log, NULL, &o, &second, &err), BINLOG_E_LOCKED, err);
  binlog_shipper_close(shipper);
  CHECK_OK(binlog_shipper_open(log, NULL, &o, &second, &err), err);
  binlog_shipper_close(second);

  /* A writer that ships nothing reports that. */
  binlog_writer *writer = NULL;
  CHECK_OK(binlog_writer_open(log, NULL, &writer, &err), err);
  CHECK_FAILS(binlog_writer_ship_status(writer, &status, &err), BINLOG_E_NOT_FOUND, err);
  CHECK_FAILS(binlog_writer_ship_status(writer, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_ship_metrics(writer, text, sizeof text, &len, &err), BINLOG_E_NOT_FOUND, err);
  CHECK(binlog_writer_ship_failure(writer) == NULL);
  CHECK_OK(binlog_writer_close(writer, &err), err);
}

/* For a library that was built without the feature. */
static void absent(const char *log, const char *url) {
  binlog_error *err = NULL;
  binlog_shipper *shipper = NULL;
  binlog_reader *reader = NULL;
  binlog_writer *writer = NULL;
  binlog_ship_options o;
  binlog_writer_options w;
  binlog_ship_status status;
  CHECK_IS(binlog_ship_options_init(&o, sizeof o), BINLOG_OK);
  CHECK_IS(binlog_writer_options_init(&w, sizeof w), BINLOG_OK);
  o.url = url;
  w.ship = &o;
  const char *says = "without the feature \"upload\"";
  refused("shipper", binlog_shipper_open(log, NULL, &o, &shipper, &err), BINLOG_E_UNSUPPORTED, &err, says);
  refused("writer", binlog_writer_open(log, &w, &writer, &err), BINLOG_E_UNSUPPORTED, &err, says);
  refused("reader", binlog_reader_open(url, NULL, &reader, &err), BINLOG_E_UNSUPPORTED, &err, says);
  CHECK_OK(binlog_writer_open(log, NULL, &writer, &err), err);
  refused("status", binlog_writer_ship_status(writer, &status, &err), BINLOG_E_UNSUPPORTED, &err, says);
  refused("metrics", binlog_writer_ship_metrics(writer, NULL, 0, NULL, &err), BINLOG_E_UNSUPPORTED, &err, says);
  CHECK(binlog_writer_ship_failure(writer) == NULL);
  CHECK_OK(binlog_writer_close(writer, &err), err);
  CHECK_IS(binlog_shipper_stop(NULL), BINLOG_OK);
  binlog_shipper_close(NULL);
}

static void test(const char *scratch) {
  char *log = path_in(scratch, "log"), *store = path_in(scratch, "store"), *url = path_in("file://", store + 1);
  CHECK(mkdir(store, 0755) == 0);
  write_log(log);
  compressing(log);
  binlog_error *err = NULL;
  binlog_shipper *shipper = NULL;
  binlog_ship_options o;
  CHECK_IS(binlog_ship_options_init(&o, sizeof o), BINLOG_OK);
  o.url = url;
  const binlog_status status = binlog_shipper_open(log, NULL, &o, &shipper, &err);
  binlog_error_free(err);
  binlog_shipper_close(shipper);
  if (status == BINLOG_E_UNSUPPORTED) {
    absent(log, url);
  } else {
    shipping(log, url);
    handles(log, url);
  }
  free(log), free(store), free(url);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
