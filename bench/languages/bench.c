/* The bindings' benchmark programs are compared with this one: the same work through the C interface.

     bench WORK SIZE COUNT DIR     prints the nanoseconds of the part that is timed

   append        one call for each record, from the first until the flush has returned
   append-staged the same through an appender
   append-batch  the same, 100 records a call
   read          all records of the log in DIR, one call for each
   plain-append  no binlog: stdio with a buffer of 128 KiB, a length and a CRC-32C for each record, flushed at the end

   Everything is done once before the clock starts: with a quarter of the records, in a directory beside DIR that is
   removed again; reading, with all of them. */
#define _POSIX_C_SOURCE 200809L
#include <binlog.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 100, BUFFER = 128 << 10, TYPE = 1 };

static void fail(const char *what, const char *why) {
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

static void check(binlog_status status, binlog_error *err) {
  if (status < 0) fail(binlog_status_name(status), binlog_error_message(err));
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---------------------------------------------------------------- works; each returns its nanoseconds */

struct load {
  const uint8_t *payload;
  size_t size;
  uint64_t count;
};

static binlog_writer *open_writer(const char *dir) {
  binlog_writer_options options = {.struct_size = sizeof options, .name = "bench"};
  binlog_writer *writer = NULL;
  binlog_error *err = NULL;
  check(binlog_writer_open(dir, &options, &writer, &err), err);
  return writer;
}

static int64_t append(const struct load *load, const char *dir) {
  binlog_writer *writer = open_writer(dir);
  binlog_error *err = NULL;
  uint64_t id = 0;
  const int64_t start = now();
  for (uint64_t i = 0; i < load->count; i++)
    check(binlog_writer_append(writer, TYPE, load->payload, load->size, &id, &err), err);
  check(binlog_writer_flush(writer, &err), err);
  const int64_t took = now() - start;
  check(binlog_writer_close(writer, &err), err);
  return took;
}

static int64_t append_staged(const struct load *load, const char *dir) {
  binlog_writer *writer = open_writer(dir);
  binlog_appender *appender = NULL;
  binlog_error *err = NULL;
  check(binlog_appender_open(writer, NULL, &appender, &err), err);
  const int64_t start = now();
  for (uint64_t i = 0; i < load->count; i++)
    check(binlog_appender_append(appender, TYPE, load->payload, load->size, &err), err);
  check(binlog_appender_flush(appender, NULL, &err), err);
  const int64_t took = now() - start;
  check(binlog_appender_close(appender, NULL, &err), err);
  check(binlog_writer_close(writer, &err), err);
  return took;
}

static int64_t append_batch(const struct load *load, const char *dir) {
  binlog_writer *writer = open_writer(dir);
  binlog_error *err = NULL;
  binlog_record records[BATCH];
  uint64_t id = 0;
  const int64_t start = now();
  for (uint64_t done = 0; done < load->count;) {
    size_t n = 0;
    for (; n < BATCH && done < load->count; n++, done++)
      records[n] = (binlog_record){.type = TYPE, .data = load->payload, .len = load->size};
    check(binlog_writer_append_batch(writer, records, n, &id, &err), err);
  }
  check(binlog_writer_flush(writer, &err), err);
  const int64_t took = now() - start;
  check(binlog_writer_close(writer, &err), err);
  return took;
}

static int64_t read_all(const struct load *load, const char *dir) {
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_error *err = NULL;
  binlog_record record;
  binlog_status status;
  uint64_t count = 0, bytes = 0, first_bytes = 0;
  const int64_t start = now();
  check(binlog_reader_open(dir, NULL, &reader, &err), err);
  check(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) {
    count++;
    bytes += record.len;
    if (record.len > 0) first_bytes += *(const unsigned char *)record.data;
  }
  check(status, err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  const int64_t took = now() - start;
  /* Any contender may have written the log: its records begin with the same byte. */
  if (count != load->count || bytes != load->count * load->size || (count > 0 && first_bytes % count != 0))
    fail(dir, "other records than there should be");
  return took;
}

/* ---------------------------------------------------------------- without binlog */

/* By the processor's instruction where there is one, as the runtimes of other languages do it. */
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_processor(const uint8_t *data, size_t len) {
  uint64_t sum = 0xFFFFFFFFu;
  for (; len >= 8; data += 8, len -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    sum = __builtin_ia32_crc32di(sum, word);
  }
  uint32_t last = (uint32_t)sum;
  for (; len > 0; data++, len--) last = __builtin_ia32_crc32qi(last, *data);
  return ~last;
}
static int has_instruction(void) { return __builtin_cpu_supports("sse4.2") != 0; }
#else
static uint32_t crc32c_by_processor(const uint8_t *data, size_t len) { return (void)data, (uint32_t)len; }
static int has_instruction(void) { return 0; }
#endif

static uint32_t table[256];

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t sum = i;
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0x82F63B78u : 0u);
    table[i] = sum;
  }
}

static uint32_t crc32c_by_table(const uint8_t *data, size_t len) {
  uint32_t sum = 0xFFFFFFFFu;
  for (size_t i = 0; i < len; i++) sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xFF];
  return ~sum;
}

static int64_t plain_append(const struct load *load, const char *dir) {
  static char buffer[BUFFER];
  char path[4096];
  if (mkdir(dir, 0777) != 0 && errno != EEXIST) fail(dir, strerror(errno));
  if (snprintf(path, sizeof path, "%s/plain", dir) >= (int)sizeof path) fail(dir, "the path is too long");
  FILE *file = fopen(path, "wb");
  if (file == NULL) fail(path, strerror(errno));
  setvbuf(file, buffer, _IOFBF, sizeof buffer);
  make_table();
  const uint8_t known[] = "123456789"; /* the check value of the checksum's definition */
  uint32_t (*const crc32c)(const uint8_t *, size_t) = has_instruction() ? crc32c_by_processor : crc32c_by_table;
  if (crc32c(known, 9) != 0xE3069283u || crc32c_by_table(known, 9) != 0xE3069283u) fail("CRC-32C", "a wrong sum");
  const int64_t start = now();
  for (uint64_t i = 0; i < load->count; i++) {
    const uint32_t header[] = {(uint32_t)load->size, crc32c(load->payload, load->size)};
    fwrite(header, sizeof header, 1, file);
    fwrite(load->payload, 1, load->size, file);
  }
  if (fflush(file) != 0 || ferror(file)) fail(path, strerror(errno));
  const int64_t took = now() - start;
  fclose(file);
  return took;
}

/* ---------------------------------------------------------------- around them */

static void remove_directory(const char *dir) {
  DIR *entries = opendir(dir);
  if (entries == NULL) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlinkat(dirfd(entries), entry->d_name, 0);
  }
  closedir(entries);
  rmdir(dir);
}

static uint64_t number(const char *word) {
  char *end = NULL;
  const unsigned long long value = strtoull(word, &end, 10);
  if (*word < '0' || *word > '9' || *end != '\0') fail(word, "is no number");
  return value;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int64_t (*run)(const struct load *load, const char *dir);
  } works[] = {{"append", append}, {"append-staged", append_staged}, {"append-batch", append_batch}, {"read", read_all},
               {"plain-append", plain_append}};
  if (argc != 5) fail("usage", "bench WORK SIZE COUNT DIR");
  int64_t (*run)(const struct load *, const char *) = NULL;
  for (size_t i = 0; i < sizeof works / sizeof *works; i++)
    if (strcmp(argv[1], works[i].name) == 0) run = works[i].run;
  if (run == NULL) fail(argv[1], "there is no such work");

  struct load load = {.size = (size_t)number(argv[2]), .count = number(argv[3])};
  uint8_t *payload = malloc(load.size + 1);
  if (payload == NULL) fail("payload", "no memory");
  for (size_t i = 0; i < load.size; i++) payload[i] = (uint8_t)(i * 131 + 7);
  load.payload = payload;

  if (run == read_all) {
    run(&load, argv[4]);
  } else {
    char beside[4096];
    const int len = snprintf(beside, sizeof beside, "%s.warming", argv[4]);
    if (len >= (int)sizeof beside) fail(argv[4], "the path is too long");
    const struct load less = {.payload = payload, .size = load.size, .count = load.count / 4};
    run(&less, beside);
    remove_directory(beside);
  }
  printf("%" PRId64 "\n", run(&load, argv[4]));
  free(payload);
  return 0;
}
