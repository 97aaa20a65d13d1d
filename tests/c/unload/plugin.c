/* A plugin that contains the library, and writes a log. */
#include <binlog.h>

#include <stddef.h>

int use(const char *log);

int use(const char *log) {
  binlog_writer *w = NULL;
  if (binlog_writer_open(log, NULL, &w, NULL) != BINLOG_OK) return 1;
  if (binlog_writer_append(w, 1, "x", 1, NULL, NULL) != BINLOG_OK) return 2;
  return binlog_writer_close(w, NULL) == BINLOG_OK ? 0 : 3;
}
