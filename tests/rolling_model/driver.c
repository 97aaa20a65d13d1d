/*
 * A program that runs the commands of its standard input, one per line, on a log. The commands set the time: the
 * library calls this file's clock_gettime for CLOCK_REALTIME. Each command is answered with a line of "ok" or "error",
 * after lines with the calls of hooks. run.py has the model with which all of it is compared.
 */
#define _GNU_SOURCE
#include <binlog.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t false_now;

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *out) {
  if (id != CLOCK_REALTIME) return (int)syscall(SYS_clock_gettime, id, out);
  const int64_t now = __atomic_load_n(&false_now, __ATOMIC_SEQ_CST);
  out->tv_sec = (time_t)(now / 1000000000), out->tv_nsec = (long)(now % 1000000000);
  return 0;
}

static binlog_writer *writer;
static binlog_error *err;
/* 0 = nothing, 1 = move each closed segment away, 2 = fail for every third and move the others, 3 = fail. */
static int mode;
static char moved_to[4096];

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

static void answer(binlog_status status, uint64_t value) {
  if (status == BINLOG_OK) {
    printf("ok %" PRIu64 "\n", value);
  } else {
    printf("error %d %s\n", (int)status, err != NULL ? binlog_error_message(err) : "");
    binlog_error_free(err);
    err = NULL;
  }
  fflush(stdout);
}

static binlog_status on_open(void *userdata, const binlog_segment_file *it, binlog_hook_result *result) {
  (void)userdata, (void)result;
  printf("open %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", it->sequence, it->first_id, it->records, name_of(it->path));
  return BINLOG_OK;
}

static binlog_status on_close(void *userdata, const binlog_segment_file *it, binlog_hook_result *result) {
  (void)userdata;
  printf("close %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", it->sequence, it->first_id, it->records, name_of(it->path));
  if (mode == 0) return BINLOG_OK;
  char target[8192];
  snprintf(target, sizeof target, "%s/%s", moved_to, name_of(it->path));
  if (mode == 3 || (mode == 2 && it->sequence % 3 == 0) || rename(it->path, target) != 0) {
    binlog_hook_result_set_error(result, "it stays", NULL);
    return BINLOG_E_IO;
  }
  return binlog_hook_result_set_path(result, target, NULL);
}

static void on_failure(void *userdata, const binlog_error *error) {
  (void)userdata;
  printf("failure %s\n", binlog_error_message(error));
}

static const char *given(const char *word) { return strcmp(word, "-") == 0 ? NULL : word; }

/* A record contains the time at which it was appended. */
static const char *payload(size_t len) {
  static char bytes[4 << 20];
  const int64_t now = false_now;
  memset(bytes, 'x', len);
  memcpy(bytes, &now, sizeof now);
  return bytes;
}

static void show(const char *path) {
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options options;
  binlog_reader_options_init(&options, sizeof options);
  options.mode = BINLOG_READER_STRICT;
  binlog_status status = binlog_reader_open(path, &options, &reader, &err);
  if (status == BINLOG_OK) {
    size_t count = 0;
    if (binlog_reader_segment_count(reader, &count, NULL) != BINLOG_OK) count = 0;
    for (size_t i = 0; i < count; i++) {
      binlog_segment it;
      if (binlog_reader_segment(reader, i, &it, NULL) != BINLOG_OK) continue;
      printf("segment %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n", it.sequence, it.first_id, it.created_ns, name_of(it.path));
    }
    status = binlog_cursor_open(reader, NULL, &cursor, &err);
  }
  binlog_record record;
  while (status == BINLOG_OK && (status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
    int64_t then = 0;
    memcpy(&then, record.data, sizeof then);
    printf("record %" PRIu64 " %" PRId64 " %" PRId64 "\n", record.id, record.time_ns, then);
  }
  answer(status == BINLOG_END ? BINLOG_OK : status, 0);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

int main(void) {
  static char line[16384];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *word[16] = {0};
    int count = 0;
    for (char *at = strtok(line, " \n"); at != NULL && count < 16; at = strtok(NULL, " \n")) word[count++] = at;
    const char *what = count > 0 ? word[0] : "";
    uint64_t id = 0;
    if (strcmp(what, "clock") == 0) {
      __atomic_store_n(&false_now, strtoll(word[1], NULL, 10), __ATOMIC_SEQ_CST);
      answer(BINLOG_OK, 0);
    } else if (strcmp(what, "open") == 0 || strcmp(what, "rules") == 0) {
      /* period zone template age records, and to open: directory bytes mode moved-to background lazy */
      binlog_roll_options roll;
      binlog_roll_options_init(&roll, sizeof roll);
      roll.period_s = strtoull(word[1], NULL, 10);
      roll.zone = given(word[2]), roll.name_template = given(word[3]);
      roll.age_ms = strtoull(word[4], NULL, 10), roll.records = strtoull(word[5], NULL, 10);
      if (what[0] == 'r') {
        answer(binlog_writer_set_roll(writer, &roll, &err), 0);
        continue;
      }
      binlog_writer_options options;
      binlog_writer_options_init(&options, sizeof options);
      options.name = "log", options.roll = &roll, options.segment_bytes = strtoull(word[7], NULL, 10);
      options.block_bytes = options.segment_bytes != 0 ? 4096 : 0;
      options.flush_interval_ms = BINLOG_NEVER;
      options.flush_records = strcmp(word[11], "1") == 0 ? 0 : 1;
      options.flags = strcmp(word[10], "1") == 0 ? BINLOG_WRITER_BACKGROUND : 0;
      mode = atoi(word[8]);
      snprintf(moved_to, sizeof moved_to, "%s", word[9]);
      const binlog_hook opened = {BINLOG_HOOK_CALL, 0, NULL, on_open, NULL, NULL, {0}};
      const binlog_hook closed = {BINLOG_HOOK_CALL, 0, NULL, on_close, NULL, NULL, {0}};
      options.on_open = &opened, options.on_open_count = 1;
      options.on_close = &closed, options.on_close_count = 1;
      options.on_failure = on_failure;
      answer(binlog_writer_open(word[6], &options, &writer, &err), 0);
    } else if (strcmp(what, "append") == 0) {
      const size_t len = strtoull(word[1], NULL, 10);
      const binlog_status status = binlog_writer_append(writer, 1, payload(len), len, &id, &err);
      answer(status, id);
    } else if (strcmp(what, "batch") == 0) {
      static binlog_record records[256];
      const size_t n = strtoull(word[1], NULL, 10), len = strtoull(word[2], NULL, 10);
      memset(records, 0, sizeof records);
      for (size_t i = 0; i < n; i++) records[i].type = 1, records[i].data = (const uint8_t *)payload(len), records[i].len = len;
      const binlog_status status = binlog_writer_append_batch(writer, records, n, &id, &err);
      answer(status, id);
    } else if (strcmp(what, "flush") == 0) {
      answer(binlog_writer_flush(writer, &err), 0);
    } else if (strcmp(what, "sync") == 0) {
      answer(binlog_writer_sync(writer, &err), 0);
    } else if (strcmp(what, "tick") == 0) {
      answer(binlog_writer_tick(writer, &err), 0);
    } else if (strcmp(what, "roll") == 0) {
      answer(binlog_writer_roll(writer, &err), 0);
    } else if (strcmp(what, "close") == 0) {
      const binlog_status status = binlog_writer_close(writer, &err);
      writer = NULL;
      answer(status, 0);
    } else if (strcmp(what, "show") == 0) {
      show(word[1]);
    } else {
      fprintf(stderr, "no such command: %s\n", what);
      return 2;
    }
  }
  return 0;
}
