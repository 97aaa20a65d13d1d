// binlog.h in a C++ program that does without binlog.hpp: writes a record, reads it, and requests an error.
#include <binlog.h>
#include <cstdio>

int main() {
  binlog_writer_options options;
  if (binlog_writer_options_init(&options, sizeof options) != BINLOG_OK) return 1;
  options.name = "header";
  binlog_error* err = nullptr;
  binlog_writer* writer = nullptr;
  if (binlog_writer_open("header-log", &options, &writer, &err) != BINLOG_OK) return 2;
  if (binlog_writer_append(writer, 7, "any bytes", 9, nullptr, &err) != BINLOG_OK) return 3;
  if (binlog_writer_close(writer, &err) != BINLOG_OK) return 4;

  binlog_reader* reader = nullptr;
  binlog_cursor* cursor = nullptr;
  binlog_record record;
  if (binlog_reader_open("header-log", nullptr, &reader, &err) != BINLOG_OK) return 5;
  if (binlog_cursor_open(reader, nullptr, &cursor, &err) != BINLOG_OK) return 6;
  if (binlog_cursor_next(cursor, &record, &err) != BINLOG_OK || record.len != 9) return 7;
  if (binlog_cursor_next(cursor, &record, &err) != BINLOG_END) return 8;
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);

  if (binlog_reader_open("no-such-log", nullptr, &reader, &err) != BINLOG_E_NOT_FOUND) return 9;
  std::printf("%s: %s\n", binlog_status_name(binlog_error_status(err)), binlog_error_message(err));
  binlog_error_free(err);
  return 0;
}
