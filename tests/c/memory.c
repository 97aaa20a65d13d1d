/* Out of memory, under a limit of this process's address space: calls fail with a status, take nothing and can be
   repeated, and the process continues. The hostile log is made here, by docs/format.md. */
#include "check.h"

#include <stdint.h>
#include <sys/resource.h>

#define MIB ((size_t)1 << 20)
/* What a zstd frame of so few bytes decodes to: blocks of 128 KiB of the same byte. */
enum { BLOCKS = 16000, DECODED = BLOCKS * 131072, PAGE = 4096, HEADER = 80 };

/* CRC-32/ISO-HDLC, continued from `seed`. */
static uint32_t crc(uint32_t seed, const uint8_t *bytes, size_t len) {
  uint32_t sum = ~seed;
  for (size_t i = 0; i < len; i++) {
    sum ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0);
  }
  return ~sum;
}

static void put(uint8_t *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

/* Whether address space can be limited: valgrind and the sanitizers need all of it. */
static int can_limit(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#else
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded == NULL || strstr(preloaded, "vgpreload") == NULL;
#endif
}

static struct rlimit before;

/* Leaves `more` bytes of address space beyond what is in use. */
static void limit(size_t more) {
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  CHECK(statm != NULL && fscanf(statm, "%lu", &pages) == 1);
  fclose(statm);
  CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  struct rlimit now = before;
  now.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
  CHECK(setrlimit(RLIMIT_AS, &now) == 0);
}

static void lift(void) { CHECK(setrlimit(RLIMIT_AS, &before) == 0); }

/* A segment with one record of 2 GB in some 64 KB, and a small one after it. Returns where its first block begins. */
static uint64_t make_hostile(const char *path) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  CHECK_OK(binlog_writer_open_file(path, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_append(w, 1, "x", 1, NULL, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  static uint8_t file[65536 + 4096];
  FILE *f = fopen(path, "r+b");
  CHECK(f != NULL && fread(file, 1, 4096, f) > 100);
  const size_t start = 12 + (file[8] | file[9] << 8) + 4;
  uint8_t marker_bytes[8];
  memcpy(marker_bytes, file + start, 8);
  const uint32_t marker = (uint32_t)marker_bytes[0] | (uint32_t)marker_bytes[1] << 8 |
                          (uint32_t)marker_bytes[2] << 16 | (uint32_t)marker_bytes[3] << 24;

  /* The frame: magic, no single segment, a window of 8 MiB, four bytes of content size; then RLE blocks. */
  static uint8_t frame[10 + 4 * BLOCKS];
  put(frame, 0xFD2FB528u, 4);
  frame[4] = 0x80, frame[5] = 13 << 3;
  put(frame + 6, DECODED, 4);
  for (uint32_t i = 0; i < BLOCKS; i++) put(frame + 10 + 4 * i, (i + 1 == BLOCKS) | 1 << 1 | 131072 << 3, 3);

  uint8_t *block = file + start;
  const size_t pages = (sizeof frame + PAGE - 1) / PAGE;
  for (size_t i = 0; i < pages; i++) {
    const size_t at = i * PAGE, len = sizeof frame - at < PAGE ? sizeof frame - at : PAGE;
    put(block + HEADER + 4 * i, crc(marker + (uint32_t)i, frame + at, len), 4);
  }
  uint8_t *entry = block + HEADER + 4 * pages;
  size_t n = 0;
  for (uint64_t len = DECODED; n < 5; len >>= 7, n++) entry[n] = (uint8_t)((len & 0x7F) | (n < 4 ? 0x80 : 0));
  entry[n++] = 1 << 1; /* type 1, no metadata */
  entry[n++] = 0;      /* the block's time */
  memset(block, 0, HEADER);
  memcpy(block, marker_bytes, 8);
  block[12] = 1, block[13] = 2; /* RECORDS, zstd */
  put(block + 16, 1, 4);
  put(block + 20, n, 4);
  put(block + 24, sizeof frame, 4);
  put(block + 28, DECODED, 4);
  put(block + 32, 1, 8);
  put(block + 72, crc(marker, block + HEADER, 4 * pages + n), 4);
  put(block + 76, n, 4);
  put(block + 8, crc((uint32_t)start, block, HEADER), 4);
  rewind(f);
  CHECK(fwrite(file, 1, start + HEADER + 4 * pages + n, f) == start + HEADER + 4 * pages + n);
  CHECK(fwrite(frame, 1, sizeof frame, f) == sizeof frame && fflush(f) == 0);
  CHECK(ftruncate(fileno(f), ftell(f)) == 0 && fclose(f) == 0);
  CHECK_OK(binlog_writer_open_file(path, NULL, &w, &err), err);
  CHECK_OK(binlog_writer_append(w, 1, "behind it", 9, NULL, &err), err);
  CHECK_OK(binlog_writer_close(w, &err), err);
  return start;
}

struct losses {
  int count;
  uint64_t first_id, last_id, offset;
};

static void lost(void *userdata, const binlog_loss *loss) {
  struct losses *seen = userdata;
  seen->count++;
  seen->first_id = loss->first_id, seen->last_id = loss->last_id, seen->offset = loss->offset;
  CHECK(strstr(loss->reason, "block_max_bytes") != NULL);
}

static binlog_cursor *open_cursor(const char *path, const binlog_reader_options *options, uint32_t flags) {
  binlog_error *err = NULL;
  binlog_reader *r = NULL;
  binlog_cursor *c = NULL;
  binlog_filter filter;
  CHECK(binlog_filter_init(&filter, sizeof filter) == BINLOG_OK);
  filter.flags = flags;
  CHECK_OK(binlog_reader_open(path, options, &r, &err), err);
  CHECK_OK(binlog_cursor_open(r, &filter, &c, &err), err);
  binlog_reader_close(r);
  return c;
}

/* The status, file and offset of the next record's error; the message contains `says`. */
static void next_fails(binlog_cursor *c, binlog_status expected, const char *path, uint64_t offset, const char *says) {
  binlog_error *err = NULL;
  binlog_record record;
  CHECK_IS(binlog_cursor_next(c, &record, &err), expected);
  CHECK(binlog_error_status(err) == expected && strcmp(binlog_error_path(err), path) == 0);
  CHECK((uint64_t)binlog_error_offset(err) == offset && strstr(binlog_error_message(err), says) != NULL);
  binlog_error_free(err);
}

static void hostile_blocks(const char *path) {
  const uint64_t start = make_hostile(path);
  binlog_error *err = NULL;
  binlog_record record;
  binlog_reader_options options;
  CHECK(binlog_reader_options_init(&options, sizeof options) == BINLOG_OK);

  if (can_limit()) {
    limit(512 * MIB);
    binlog_cursor *c = open_cursor(path, NULL, 0);
    for (int i = 0; i < 3; i++) next_fails(c, BINLOG_E_NO_MEMORY, path, start, "no memory for");
    binlog_cursor_close(c);
    c = open_cursor(path, NULL, BINLOG_FILTER_NEWEST_FIRST);
    CHECK_OK(binlog_cursor_next(c, &record, &err), err);
    CHECK(record.id == 2 && record.len == 9);
    for (int i = 0; i < 3; i++) next_fails(c, BINLOG_E_NO_MEMORY, path, start, "no memory for");
    binlog_cursor_close(c);
    /* A lack of memory is not a loss: no record is given up. */
    options.mode = BINLOG_READER_SALVAGE;
    c = open_cursor(path, &options, 0);
    for (int i = 0; i < 3; i++) next_fails(c, BINLOG_E_NO_MEMORY, path, start, "no memory for");
    binlog_cursor_close(c);
    lift();
  }

  /* A reader's own bound. */
  options.mode = BINLOG_READER_PREFIX;
  options.block_max_bytes = 64 * MIB;
  binlog_cursor *c = open_cursor(path, &options, 0);
  for (int i = 0; i < 3; i++) next_fails(c, BINLOG_E_TOO_LARGE, path, start, "2097216");
  CHECK_OK(binlog_cursor_get(c, 2, &record, &err), err);
  CHECK(record.len == 9);
  binlog_cursor_close(c);
  c = open_cursor(path, &options, BINLOG_FILTER_HEADERS);
  CHECK_OK(binlog_cursor_next(c, &record, &err), err);
  CHECK(record.id == 1 && record.len == DECODED && record.data == NULL);
  binlog_cursor_close(c);
  struct losses seen = {0};
  options.mode = BINLOG_READER_SALVAGE;
  options.on_loss = lost;
  options.on_loss_userdata = &seen;
  c = open_cursor(path, &options, 0);
  CHECK_OK(binlog_cursor_next(c, &record, &err), err);
  CHECK(record.id == 2 && record.len == 9);
  CHECK_IS(binlog_cursor_next(c, &record, &err), BINLOG_END);
  CHECK(seen.count == 1 && seen.first_id == 1 && seen.last_id == 1 && seen.offset == start);
  binlog_cursor_close(c);
}

/* Appends that find no memory take nothing; the id of the next record is `id`, whatever was tried before. */
static void refused(binlog_status status, binlog_error **err) {
  CHECK_IS(status, BINLOG_E_NO_MEMORY);
  CHECK(binlog_error_status(*err) == BINLOG_E_NO_MEMORY && binlog_error_record_id(*err) == 0);
  binlog_error_free(*err);
  *err = NULL;
}

static void large_appends(const char *path, uint32_t codec) {
  const int limited = can_limit();
  const size_t len = limited ? 200 * MIB : 2 * MIB;
  uint8_t *data = calloc(1, len);
  CHECK(data != NULL);
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options options;
  CHECK(binlog_writer_options_init(&options, sizeof options) == BINLOG_OK);
  options.codec = codec;
  CHECK_OK(binlog_writer_open_file(path, &options, &w, &err), err);
  uint64_t id = 0, expected = 0;
  if (limited) limit(100 * MIB);
  /* Alone it is written from where it is; without memory to compress it in, as it is. */
  const binlog_slice parts[2] = {{data, len / 2}, {data + len / 2, len / 2}};
  CHECK_OK(binlog_writer_gather(w, 1, parts, 2, &id, &err), err);
  CHECK(id == ++expected);
  for (int i = 0; i < 3; i++) {
    static binlog_record records[200];
    for (size_t j = 0; j < 200; j++)
      records[j].type = 1, records[j].data = data + j * (len / 200), records[j].len = len / 200;
    const binlog_status status = binlog_writer_append_batch(w, records, 200, &id, &err);
    if (limited) {
      refused(status, &err);
    } else {
      CHECK(status == BINLOG_OK && id == expected + 1);
      expected += 200;
    }
    CHECK_OK(binlog_writer_append(w, 1, "small", 5, &id, &err), err);
    CHECK(id == ++expected);
    CHECK_OK(binlog_writer_flush(w, &err), err);
  }
  if (limited) lift();
  CHECK_OK(binlog_writer_close(w, &err), err);
  free(data);
  binlog_cursor *c = open_cursor(path, NULL, BINLOG_FILTER_HEADERS);
  binlog_record record;
  for (uint64_t i = 1; i <= expected; i++) {
    CHECK_OK(binlog_cursor_next(c, &record, &err), err);
    CHECK(record.id == i);
  }
  CHECK_IS(binlog_cursor_next(c, &record, &err), BINLOG_END);
  binlog_cursor_close(c);
  CHECK(unlink(path) == 0);
}

static void test(const char *scratch) {
  char *path = path_in(scratch, "hostile.binlog");
  hostile_blocks(path);
  free(path);
  path = path_in(scratch, "large.binlog");
  large_appends(path, BINLOG_CODEC_NONE);
  large_appends(path, BINLOG_CODEC_LZ4);
  free(path);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
