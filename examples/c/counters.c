/* Records this machine's counters and its package manager's log as several types of one log, then reads each type
   back and prints a table. Needs Linux's /proc.

   Usage: counters [LOG DIRECTORY]

   Counters: one record for each line of the /proc files below. The payload is the line's numbers, as little-endian
   u64; the metadata has the "source" file and the "name" that the line begins with (MemTotal, cpu0, eth0 ...).
   Package log: one record for each line, as text, with its "source" and "line" number. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* nanosleep, getline */
#endif
#include <binlog.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 10
#define PAUSE_MS 50
#define MAX_NUMBERS 64
#define PACKAGE_LOG "package.log"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct source {
  const char *type, *path;
  int header_lines; /* to skip */
  int name_column;  /* -1: the line has no name */
  const char *only; /* lines that begin so; NULL: all */
};

static const struct source sources[] = {
    {"proc.meminfo", "/proc/meminfo", 0, 0, NULL},
    {"proc.cpu", "/proc/stat", 0, 0, "cpu"},
    {"proc.loadavg", "/proc/loadavg", 0, -1, NULL}, /* in hundredths */
    {"proc.diskstats", "/proc/diskstats", 0, 2, NULL},
    {"proc.net.dev", "/proc/net/dev", 2, 0, NULL},
};

static const char *const package_logs[] = {
    "/var/log/dpkg.log", "/var/log/apt/history.log", "/var/log/pacman.log", "/var/log/dnf.rpm.log",
    "/var/log/dnf.log",  "/var/log/yum.log",         "/var/log/zypp/history"};

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

/* ------------------------------------------------------------------ writing */

static void put_pair(uint8_t *pairs, size_t cap, size_t *len, const char *key, const char *value) {
  binlog_error *err = NULL;
  check(binlog_metadata_put_text(pairs, cap, len, key, value, &err), &err);
}

static void append(binlog_writer *writer, uint32_t type, const void *data, size_t len, const char *source,
                   const char *key, const char *value) {
  uint8_t pairs[512];
  binlog_error *err = NULL;
  binlog_record record = {.type = type, .data = data, .len = len, .metadata = pairs};
  put_pair(pairs, sizeof pairs, &record.metadata_len, "source", source);
  if (value != NULL) put_pair(pairs, sizeof pairs, &record.metadata_len, key, value);
  check(binlog_writer_append_record(writer, &record, NULL, &err), &err);
}

/* "0.52" becomes 52: counters are whole numbers, and the loads have two decimals. 0 if the word is not a
   number. */
static int parse_number(const char *word, uint64_t *number) {
  *number = 0;
  for (; *word != '\0'; word++) {
    if (*word == '.') continue;
    if (*word < '0' || *word > '9') return 0;
    *number = *number * 10 + (uint64_t)(*word - '0');
  }
  return 1;
}

static void append_counter_line(binlog_writer *writer, uint32_t type, const struct source *s, char *line) {
  uint8_t payload[MAX_NUMBERS * 8];
  size_t len = 0;
  uint64_t number = 0;
  const char *name = NULL;
  int column = 0;
  for (char *word = strtok(line, " \t:\n"); word != NULL; word = strtok(NULL, " \t:\n")) {
    if (column == s->name_column) name = word;
    if (column++ <= s->name_column) continue;
    if (len == sizeof payload || !parse_number(word, &number)) break; /* a unit, or loadavg's running/all */
    for (int i = 0; i < 8; i++) payload[len++] = (uint8_t)(number >> 8 * i);
  }
  append(writer, type, payload, len, s->path, "name", name);
}

static void record_counters(binlog_writer *writer, uint32_t type, const struct source *s) {
  char *line = NULL;
  size_t room = 0;
  int number = 0;
  FILE *file = fopen(s->path, "r");
  if (file == NULL) { /* a container may hide some */
    fprintf(stderr, "%s: %s; going on without it\n", s->path, strerror(errno));
    return;
  }
  while (getline(&line, &room, file) >= 0) {
    if (number++ < s->header_lines) continue;
    if (s->only != NULL && strncmp(line, s->only, strlen(s->only)) != 0) continue;
    append_counter_line(writer, type, s, line);
  }
  free(line);
  fclose(file);
}

static void record_package_log(binlog_writer *writer, uint32_t type) {
  FILE *file = NULL;
  size_t i = 0;
  while (i < COUNT_OF(package_logs) && (file = fopen(package_logs[i], "r")) == NULL) i++;
  if (file == NULL) {
    fprintf(stderr, "no package manager's log to be read under /var/log; going on without it\n");
    return;
  }
  char *line = NULL, where[24];
  size_t room = 0;
  unsigned long number = 0;
  for (ssize_t len; (len = getline(&line, &room, file)) >= 0;) {
    if (len > 0 && line[len - 1] == '\n') len--;
    snprintf(where, sizeof where, "%lu", ++number);
    append(writer, type, line, (size_t)len, package_logs[i], "line", where);
  }
  free(line);
  fclose(file);
}

static void write_log(const char *directory) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  uint32_t types[COUNT_OF(sources)], package_log = 0;
  check(binlog_writer_open(directory, NULL, &writer, &err), &err);
  for (size_t i = 0; i < COUNT_OF(sources); i++)
    check(binlog_writer_type(writer, sources[i].type, "application/x-u64-le", &types[i], &err), &err);
  check(binlog_writer_type(writer, PACKAGE_LOG, "text/plain", &package_log, &err), &err);

  record_package_log(writer, package_log);
  for (int round = 0; round < ROUNDS; round++) {
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    if (round > 0) nanosleep(&pause, NULL);
    for (size_t i = 0; i < COUNT_OF(sources); i++) record_counters(writer, types[i], &sources[i]);
  }
  check(binlog_writer_close(writer, &err), &err);
}

/* ------------------------------------------------------------------ reading */

static uint64_t u64_at(const uint8_t *p) {
  uint64_t number = 0;
  for (int i = 7; i >= 0; i--) number = number << 8 | p[i];
  return number;
}

/* One line of at most `room` bytes: the text of a package log's record, or a counter's name and numbers. */
static void describe(const binlog_record *record, int is_text, char *out, size_t room) {
  size_t used = 0;
  out[0] = '\0';
  if (is_text) {
    snprintf(out, room, "%.*s", (int)record->len, (const char *)record->data);
    for (char *p = out; *p != '\0'; p++)
      if ((unsigned char)*p < ' ') *p = ' ';
    return;
  }
  binlog_slice name = {NULL, 0};
  if (binlog_metadata_find(record->metadata, record->metadata_len, "name", 4, &name) == BINLOG_OK)
    used = (size_t)snprintf(out, room, "%.*s", (int)name.len, (const char *)name.data);
  for (size_t at = 0; at + 8 <= record->len && used < room; at += 8)
    used += (size_t)snprintf(out + used, room - used, "%s%llu", used > 0 ? " " : "",
                             (unsigned long long)u64_at((const uint8_t *)record->data + at));
}

/* Prints one row; returns the number of records of this type. */
static uint64_t print_type(binlog_reader *reader, const char *type, int is_text) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_status status;
  uint64_t count = 0, bytes = 0;
  char sample[60] = "";
  binlog_filter filter = {.struct_size = sizeof filter, .type_names = &type, .type_name_count = 1};
  check(binlog_cursor_open(reader, &filter, &cursor, &err), &err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
    if (count++ == 0) describe(&record, is_text, sample, sizeof sample);
    bytes += record.len;
  }
  check(status, &err);
  printf("%-15s %9llu %11llu  %s\n", type, (unsigned long long)count, (unsigned long long)bytes, sample);
  binlog_cursor_close(cursor);
  return count;
}

static void print_log(const char *directory) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  uint64_t total = 0;
  check(binlog_reader_open(directory, NULL, &reader, &err), &err);
  printf("%-15s %9s %11s  %s\n", "type", "records", "bytes", "first record");
  for (size_t i = 0; i < COUNT_OF(sources); i++) total += print_type(reader, sources[i].type, 0);
  total += print_type(reader, PACKAGE_LOG, 1);
  printf("%-15s %9llu\n", "all", (unsigned long long)total);
  binlog_reader_close(reader);
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "counters-log";
  write_log(directory);
  print_log(directory);
  return 0;
}
