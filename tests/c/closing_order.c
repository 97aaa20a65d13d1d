/* Handles may be closed in any order: a cursor keeps what it needs of its reader and of the log alive. */
#include "check.h"

static void test(const char *scratch) {
  char *log = path_in(scratch, "log");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_reader *first = NULL, *second = NULL;
  binlog_cursor *a = NULL, *b = NULL, *c = NULL;
  binlog_record r;
  binlog_slice name;
  uint32_t named = 0;

  CHECK_OK(binlog_writer_open(log, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_type(w, "kept", NULL, &named, &err), err);
  for (int i = 0; i < 5; i++) CHECK_OK(binlog_writer_append(w, named, "hello", 5, NULL, &err), err);
  CHECK_OK(binlog_writer_flush(w, &err), err);

  CHECK_OK(binlog_reader_open(log, NULL, &first, &err), err);
  CHECK_OK(binlog_cursor_open(first, NULL, &a, &err), err);
  CHECK_OK(binlog_cursor_open(first, NULL, &b, &err), err);
  CHECK_OK(binlog_reader_open(log, NULL, &second, &err), err);
  CHECK_OK(binlog_cursor_open(second, NULL, &c, &err), err);

  CHECK_OK(binlog_cursor_next(a, &r, &err), err);
  binlog_reader_close(first); /* before its cursors, one in use and one fresh */
  CHECK(record_is(&r, "hello")); /* not a call on the cursor: the view still lives */
  CHECK_OK(binlog_cursor_next(a, &r, &err), err);
  CHECK(r.id == 2 && record_is(&r, "hello"));
  CHECK_OK(binlog_cursor_next(b, &r, &err), err);
  CHECK(r.id == 1 && record_is(&r, "hello"));

  CHECK_OK(binlog_writer_close(w, &err), err); /* before its log's readers */
  CHECK_OK(binlog_cursor_next(a, &r, &err), err);
  CHECK(r.id == 3);
  binlog_cursor_close(a);
  CHECK_OK(binlog_cursor_next(b, &r, &err), err);
  CHECK_OK(binlog_cursor_type_name(b, named, &name, &err), err);
  CHECK(slice_is(&name, "kept"));

  binlog_cursor_close(c); /* before its reader, unused */
  CHECK_OK(binlog_cursor_open(second, NULL, &c, &err), err);
  binlog_reader_close(second);
  for (uint64_t id = 1; id <= 5; id++) {
    CHECK_OK(binlog_cursor_next(c, &r, &err), err);
    CHECK(r.id == id);
  }
  CHECK_IS(binlog_cursor_next(c, &r, &err), BINLOG_END);
  binlog_cursor_close(c);
  binlog_cursor_close(b);
  free(log);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
