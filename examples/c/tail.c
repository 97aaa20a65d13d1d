/* Follows a log while another process writes it, and continues after a restart where it had stopped: it only stores the
   id of the last record that it has processed.

   Usage: tail                                 shows itself, with a writer in a process of its own
          tail LOG POSITION-FILE [RECORDS]     follows a log until so many records were shown, or for ever */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* fork, nanosleep */
#endif
#include <binlog.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

static void pause_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* ------------------------------------------------------------------ the position */

/* 0 when there is none yet. */
static unsigned long long load_position(const char *path) {
  unsigned long long id = 0;
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu", &id) != 1) id = 0;
  fclose(file);
  return id;
}

/* Renamed over the old one: a crash leaves one of the two, and never half of one. */
static void store_position(const char *path, unsigned long long id) {
  char next[600];
  snprintf(next, sizeof next, "%s.new", path);
  FILE *file = fopen(next, "w");
  if (file == NULL || fprintf(file, "%llu\n", id) < 0 || fclose(file) != 0 || rename(next, path) != 0) {
    perror(path);
    exit(1);
  }
}

/* ------------------------------------------------------------------ following */

static volatile sig_atomic_t is_to_end;
static binlog_cursor *volatile waiting;

static void end(int signal) {
  (void)signal;
  is_to_end = 1;
  if (waiting != NULL) binlog_cursor_interrupt(waiting); /* may be called here: it takes no lock */
}

/* The log may not exist yet: the program that is started first waits for the other. */
static binlog_reader *open_log(const char *directory) {
  for (;;) {
    binlog_error *err = NULL;
    binlog_reader *reader = NULL;
    const binlog_status status = binlog_reader_open(directory, NULL, &reader, &err);
    if (status != BINLOG_E_NOT_FOUND) return check(status, &err), reader;
    binlog_error_free(err);
    pause_ms(10);
  }
}

/* Shows `count` records after the stored position; 0 = for ever. */
static void follow(const char *directory, const char *position, unsigned count) {
  binlog_error *err = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader *reader = open_log(directory);
  binlog_filter filter = {.struct_size = sizeof filter, .from_id = load_position(position) + 1};
  check(binlog_cursor_open(reader, &filter, &cursor, &err), &err);
  printf("following from record %llu on\n", (unsigned long long)filter.from_id);
  waiting = cursor;

  for (unsigned shown = 0; !is_to_end && (count == 0 || shown < count);) {
    binlog_record record;
    const binlog_status status = binlog_cursor_next(cursor, &record, &err);
    if (status == BINLOG_OK) {
      printf("%llu: %.*s\n", (unsigned long long)record.id, (int)record.len, (const char *)record.data);
      /* Stored after the record was processed: a crash before this line shows it once more, and none is ever left
         out. */
      store_position(position, record.id);
      shown++;
    } else if (status == BINLOG_END) {
      /* "No more, for now", over rolls and restarts of the writer. The system wakes this up, without polling. Ctrl-C
         and SIGTERM end it: the handler is called in this thread, or interrupts the cursor in another one. */
      const binlog_status waited = binlog_cursor_wait(cursor, BINLOG_FOREVER, &err);
      if (waited != BINLOG_E_INTERRUPTED) check(waited, &err);
      binlog_error_free(err);
      err = NULL;
    } else if (status == BINLOG_E_MISSED) {
      /* We were away for longer than old segments are kept. Reported once; the next call continues after the gap. */
      uint64_t first = 0, last = 0;
      binlog_error_missed(err, &first, &last);
      fprintf(stderr, "missed the records %llu to %llu\n", (unsigned long long)first, (unsigned long long)last);
      binlog_error_free(err);
      err = NULL;
    } else {
      check(status, &err);
    }
  }
  waiting = NULL; /* before it is closed */
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

/* ------------------------------------------------------------------ a writer */

/* Twelve lines, in segments of five, each visible to readers as soon as it is appended. */
static void write_lines(const char *directory) {
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  binlog_roll_options roll = {.struct_size = sizeof roll, .records = 5};
  binlog_writer_options options = {.struct_size = sizeof options, .roll = &roll, .flush_records = 1};
  check(binlog_writer_open(directory, &options, &writer, &err), &err);
  for (int i = 1; i <= 12; i++) {
    char line[32];
    const int len = snprintf(line, sizeof line, "line %d", i);
    check(binlog_writer_append(writer, 0, line, (size_t)len, NULL, &err), &err);
    pause_ms(5);
  }
  check(binlog_writer_close(writer, &err), &err);
}

int main(int argc, char **argv) {
  struct sigaction ending = {.sa_handler = end};
  sigemptyset(&ending.sa_mask);
  if (sigaction(SIGINT, &ending, NULL) != 0 || sigaction(SIGTERM, &ending, NULL) != 0) return perror("sigaction"), 1;
  if (argc > 2) return follow(argv[1], argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 0), 0;

  const pid_t writer = fork(); /* before any handle is there: those of the parent would be useless in the child */
  if (writer < 0) return perror("fork"), 1;
  if (writer == 0) return write_lines("tail-log"), 0;
  follow("tail-log", "tail-position", 7);
  printf("... here the consumer ends, and is started again\n");
  follow("tail-log", "tail-position", 5);

  int status = 0;
  while (waitpid(writer, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
