/* Makes the calls of a script, one per line, on the log in a directory or in one file: calls.txt lists them.

     calls SCRIPT POLICY DIRECTORY|FILE [LINE]   from that line on */
#include "../c/check.h"

#include <fcntl.h>

static binlog_writer *writer;
static uint8_t bytes[1 << 20];

static void open_log(const char *policy, const char *log) {
  binlog_error *err = NULL;
  binlog_writer_options options;
  binlog_roll_options roll;
  CHECK_IS(binlog_writer_options_init(&options, sizeof options), BINLOG_OK);
  options.block_bytes = 4096;
  options.segment_bytes = 30000;
  options.flush_interval_ms = BINLOG_NEVER;
  if (strcmp(policy, "each synced") == 0) options.sync_records = 1;
  if (strcmp(policy, "each flushed") == 0) {
    options.flush_records = 1;
    options.sync_records = 3;
  }
  if (strcmp(policy, "by bytes") == 0) {
    options.flush_bytes = 5000;
    options.sync_bytes = 20000;
  }
  CHECK_IS(binlog_roll_options_init(&roll, sizeof roll), BINLOG_OK);
  roll.records = 4;
  if (strcmp(policy, "rolling") == 0) options.roll = &roll;
  if (strcmp(policy, "file") == 0) CHECK_OK(binlog_writer_open_file(log, &options, &writer, &err), err);
  else CHECK_OK(binlog_writer_open(log, &options, &writer, &err), err);
}

static void batch(size_t n, size_t len) {
  binlog_error *err = NULL;
  binlog_record records[16];
  CHECK(n <= COUNT_OF(records));
  memset(records, 0, sizeof records);
  for (size_t i = 0; i < n; i++) {
    records[i].type = 1;
    records[i].data = bytes;
    records[i].len = len;
  }
  CHECK_OK(binlog_writer_append_batch(writer, records, n, NULL, &err), err);
}

/* Adds bytes after the end of a file of the log. */
static void torn(const char *policy, const char *log, const char *name, size_t len) {
  char path[PATH_MAX];
  const int is_file = strcmp(policy, "file") == 0;
  snprintf(path, sizeof path, is_file ? "%s" : "%s/%s", log, name);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  struct stat facts;
  CHECK(fd >= 0 && fstat(fd, &facts) == 0);
  CHECK(pwrite(fd, bytes, len, facts.st_size) == (ssize_t)len);
  close(fd);
}

int main(int argc, char **argv) {
  CHECK(argc >= 4);
  const char *policy = argv[2], *log = argv[3];
  const int from = argc > 4 ? atoi(argv[4]) : 0;
  binlog_error *err = NULL;
  memset(bytes, 0xA5, sizeof bytes);
  FILE *script = fopen(argv[1], "re");
  CHECK(script != NULL);
  char line[200], text[100];
  unsigned long a, b;
  for (int number = 1; fgets(line, sizeof line, script) != NULL; number++) {
    line[strcspn(line, "\n")] = 0;
    if (number <= from || line[0] == '#') continue;
    if (sscanf(line, "append %lu %lu", &a, &b) == 2)
      CHECK_OK(binlog_writer_append(writer, (uint32_t)a, bytes, b, NULL, &err), err);
    else if (sscanf(line, "batch %lu %lu", &a, &b) == 2) batch(a, b);
    else if (sscanf(line, "torn %99s %lu", text, &b) == 2) torn(policy, log, text, b);
    else if (strncmp(line, "type ", 5) == 0) {
      uint32_t type;
      CHECK_OK(binlog_writer_type(writer, line + 5, NULL, &type, &err), err);
      CHECK_OK(binlog_writer_append(writer, type, bytes, 100, NULL, &err), err);
    } else if (strcmp(line, "open") == 0) open_log(policy, log);
    else if (strcmp(line, "flush") == 0) CHECK_OK(binlog_writer_flush(writer, &err), err);
    else if (strcmp(line, "sync") == 0) CHECK_OK(binlog_writer_sync(writer, &err), err);
    else if (strcmp(line, "tick") == 0) CHECK_OK(binlog_writer_tick(writer, &err), err);
    else if (strcmp(line, "heartbeat") == 0) CHECK_OK(binlog_writer_heartbeat(writer, &err), err);
    else if (strcmp(line, "close") == 0) CHECK_OK(binlog_writer_close(writer, &err), err);
    else if (strcmp(line, "roll") == 0) {
      if (strcmp(policy, "file") != 0) CHECK_OK(binlog_writer_roll(writer, &err), err);
    } else if (strcmp(line, "leave") == 0) {
      /* The same as a kill: the system closes the files, and another process continues. */
      char behind[12];
      snprintf(behind, sizeof behind, "%d", number);
      execl("/proc/self/exe", argv[0], argv[1], policy, log, behind, (char *)NULL);
      check_failed(__FILE__, __LINE__, "exec");
    } else check_failed(__FILE__, __LINE__, line);
  }
  fclose(script);
  return 0;
}
