/* Arguments that make no sense: a clear status, outs untouched, and the log as it was. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

static char untouched; /* its address is one that no call could give */

static void never_called(void *userdata, const binlog_type_count *type) {
  (void)userdata, (void)type;
  CHECK(!"a refused call has called back");
}

static void never_a_loss(void *userdata, const binlog_loss *loss) {
  (void)userdata, (void)loss;
  CHECK(!"a refused call has called back");
}

static void null_everywhere(void) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_reader *r = NULL;
  binlog_cursor *c = NULL;
  binlog_record record;
  binlog_slice slice = {NULL, 0};
  binlog_position position;
  binlog_segment segment;
  binlog_tail tail;
  binlog_recovery recovery = {0, 0, 77, 0, {0}};
  uint64_t id = 77;
  uint32_t type = 77;
  size_t n = 77, len = 77;
  uint8_t room[64];
  const uint8_t *bytes = NULL;
  memset(&record, 0, sizeof record);

  CHECK_FAILS(binlog_writer_open(NULL, NULL, &w, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_open("unused", NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_open_file(NULL, NULL, &w, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_open_file("unused", NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append(NULL, 1, "x", 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append_record(NULL, &record, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_gather(NULL, 1, &slice, 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_gather_record(NULL, &record, &slice, 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append_batch(NULL, &record, 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append_packed(NULL, room, sizeof room, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_type(NULL, "a", NULL, &type, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_flush(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_sync(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_tick(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_roll(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_position(NULL, &position, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_dropped(NULL, &id, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_writer_close(NULL, NULL), BINLOG_OK);
  CHECK_IS(binlog_writer_flush(NULL, NULL), BINLOG_E_INVALID); /* without an error object */

  CHECK_FAILS(binlog_reader_open(NULL, NULL, &r, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_open("unused", NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_segment_count(NULL, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_segment(NULL, 0, &segment, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_counts(NULL, never_called, NULL, &err), BINLOG_E_INVALID, err);
  binlog_reader_close(NULL);
  CHECK_FAILS(binlog_cursor_open(NULL, NULL, &c, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_next(NULL, &record, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_get(NULL, 1, &record, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_seek(NULL, 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_seek_time(NULL, 1, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_cursor_seek(NULL, 1, NULL), BINLOG_E_INVALID);
  CHECK_FAILS(binlog_cursor_seek_end(NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_next_batch(NULL, &record, 1, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_read_packed(NULL, room, sizeof room, &len, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_tail(NULL, &tail, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_type_name(NULL, 1, &slice, &err), BINLOG_E_INVALID, err);
  binlog_cursor_close(NULL);

  CHECK_FAILS(binlog_recover(NULL, "unused", never_a_loss, NULL, &recovery, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover("unused", NULL, never_a_loss, NULL, &recovery, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover("", "unused", NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover("unused", "", NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover_in_place(NULL, never_a_loss, NULL, &recovery, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_recover_in_place("", NULL, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_rebuild_index(NULL, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_rebuild_index("", NULL, &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_recover(NULL, NULL, NULL, NULL, NULL, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_recover_in_place(NULL, NULL, NULL, NULL, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_rebuild_index(NULL, NULL, NULL), BINLOG_E_INVALID);
  CHECK(recovery.losses == 77);

  len = 0;
  CHECK_OK(binlog_metadata_put(NULL, 0, &len, "k", 1, "v", 1, &err), err); /* only counts */
  CHECK_OK(binlog_metadata_put_text(NULL, 0, &len, "key", "value", &err), err);
  CHECK(len == 4 + 10);
  CHECK_FAILS(binlog_metadata_put(room, 20, &len, "key", 3, "value", 5, &err), BINLOG_E_TOO_LARGE, err);
  CHECK(len == 14);
  CHECK_IS(binlog_metadata_put(room, 20, &len, "key", 3, "value", 5, &err), BINLOG_E_TOO_LARGE);
  CHECK(strcmp(binlog_error_message(err), "the pair takes 10 bytes, and 6 of the 20 are free") == 0);
  binlog_error_free(err);
  err = NULL;
  len = 21;
  CHECK_FAILS(binlog_metadata_put(room, 20, &len, "k", 1, "v", 1, &err), BINLOG_E_INVALID, err);
  len = 0;
  CHECK_FAILS(binlog_metadata_put(room, 20, &len, "\xFF", 1, "v", 1, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_metadata_put_text(room, 20, &len, NULL, "v", &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_metadata_put_text(room, 20, &len, "k", NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_metadata_put_text(room, 20, NULL, "k", "v", &err), BINLOG_E_INVALID, err);
  CHECK_IS(binlog_metadata_put(room, sizeof room, NULL, "k", 1, "v", 1, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_put(room, sizeof room, &len, NULL, 1, "v", 1, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_put(room, sizeof room, &len, "k", 1, NULL, 1, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_next(NULL, &len, &slice, &slice), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_next(&bytes, NULL, &slice, &slice), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_find(NULL, 5, "k", 1, &slice), BINLOG_E_INVALID);
  CHECK_IS(binlog_metadata_find(room, 0, NULL, 1, &slice), BINLOG_E_INVALID);
  CHECK(binlog_packed_put(NULL, 0, &len, &record) < 0);
  CHECK_IS(binlog_packed_put(room, sizeof room, NULL, &record), BINLOG_E_INVALID);
  CHECK_IS(binlog_packed_put(room, sizeof room, &len, NULL), BINLOG_E_INVALID);
  CHECK_IS(binlog_packed_next(NULL, &len, &record), BINLOG_E_INVALID);
  CHECK_IS(binlog_packed_next(&bytes, NULL, &record), BINLOG_E_INVALID);
  CHECK(len == 0);

  binlog_error_free(NULL);
  CHECK(binlog_error_message(NULL) != NULL && binlog_error_path(NULL) != NULL);
  CHECK(binlog_error_offset(NULL) == -1 && binlog_error_os_code(NULL) == 0 && binlog_error_record_id(NULL) == 0);
  (void)binlog_error_status(NULL);

  CHECK(w == NULL && r == NULL && c == NULL && id == 77 && type == 77 && n == 77);
}

/* Opens with these options must fail and leave nothing behind. */
static void refuses(const char *scratch, const void *options, binlog_status expected) {
  char *directory = path_in(scratch, "refused");
  binlog_error *err = NULL;
  binlog_writer *w = (binlog_writer *)(void *)&untouched;
  CHECK_FAILS(binlog_writer_open(directory, (const binlog_writer_options *)options, &w, &err), expected, err);
  CHECK(w == (binlog_writer *)(void *)&untouched);
  CHECK(access(directory, F_OK) != 0);
  free(directory);
}

static void writer_options(const char *scratch) {
  struct { binlog_writer_options known; uint64_t newer[2]; } larger;
  binlog_writer_options o;
  memset(&larger, 0, sizeof larger);
  larger.known.struct_size = sizeof larger;
  char *path = path_in(scratch, "from-a-newer-header");
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  CHECK_OK(binlog_writer_open(path, &larger.known, &w, &err), err); /* a zero tail requests nothing new */
  CHECK_OK(binlog_writer_close(w, &err), err);
  free(path);
  larger.newer[1] = 1; /* requests something this library does not know */
  refuses(scratch, &larger, BINLOG_E_INVALID);

#define REFUSED(statement)                                                                \
  do {                                                                                    \
    CHECK_IS(binlog_writer_options_init(&o, sizeof o), BINLOG_OK);                        \
    statement;                                                                            \
    refuses(scratch, &o, BINLOG_E_INVALID);                                               \
  } while (0)
  static const char *const no_value[] = {"key", NULL};
  static const char *const not_utf8[] = {"key", "\xFF"};
  REFUSED(o.struct_size = 0);
  REFUSED(o.struct_size = sizeof(size_t));
  REFUSED(o.struct_size = sizeof o - 1);
  REFUSED(o.full_disk = 3);
  REFUSED(o.full_disk_wait_ms = 1);
  REFUSED(o.full_disk = BINLOG_FULL_DISK_DROP; o.full_disk_wait_ms = 1);
  REFUSED(o.reserved[0] = 1);
  REFUSED(o.reserved[2] = 1);
  REFUSED(o.fill_ahead_bytes = (64u << 20) + 1);
  REFUSED(o.index_bytes = 4095);
  REFUSED(o.flags = 0x80000000u);
  REFUSED(o.codec = 77);
  REFUSED(o.block_bytes = 4095);
  REFUSED(o.block_bytes = (16u << 20) + 1);
  REFUSED(o.record_max_bytes = UINT64_C(1) << 31);
  REFUSED(o.name = "../outside");
  REFUSED(o.name = "\xFF");
  REFUSED(o.content_type = "\xFF");
  REFUSED(o.file_mode = 010000);
  REFUSED(o.parameters = NULL; o.parameter_count = 1);
  REFUSED(o.parameters = no_value; o.parameter_count = 1);
  REFUSED(o.parameters = not_utf8; o.parameter_count = 1);
}

static void reader_options_and_filters(const char *log) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_reader_options o;
  binlog_filter f;
#define OPEN_REFUSED(statement)                                                           \
  do {                                                                                    \
    CHECK_IS(binlog_reader_options_init(&o, sizeof o), BINLOG_OK);                        \
    statement;                                                                            \
    CHECK_FAILS(binlog_reader_open(log, &o, &reader, &err), BINLOG_E_INVALID, err);       \
  } while (0)
  OPEN_REFUSED(o.struct_size = 8);
  OPEN_REFUSED(o.struct_size = sizeof o - 1);
  OPEN_REFUSED(o.flags = 0x100);
  OPEN_REFUSED(o.mode = 99);
  OPEN_REFUSED(o.mode = 3);
  OPEN_REFUSED(o.reserved[0] = 1);
  CHECK(reader == NULL);
  CHECK_OK(binlog_reader_open(log, NULL, &reader, &err), err);

  static const char *const null_name[] = {NULL};
  static const char *const not_utf8[] = {"\xFF"};
  static const char *const no_key[] = {NULL, "v"}, *const no_value[] = {"k", NULL};
  static const char *const bad_key[] = {"\xFF", "v"}, *const bad_value[] = {"k", "\xFF"};
#define FILTER_REFUSED(statement)                                                         \
  do {                                                                                    \
    CHECK_IS(binlog_filter_init(&f, sizeof f), BINLOG_OK);                                \
    statement;                                                                            \
    CHECK_FAILS(binlog_cursor_open(reader, &f, &cursor, &err), BINLOG_E_INVALID, err);    \
  } while (0)
  FILTER_REFUSED(f.struct_size = 8);
  FILTER_REFUSED(f.struct_size = sizeof f - 1);
  FILTER_REFUSED(f.flags = 0x100);
  FILTER_REFUSED(f.reserved32 = 1);
  FILTER_REFUSED(f.reserved[4] = 1);
  FILTER_REFUSED(f.type_count = 1);
  FILTER_REFUSED(f.type_name_count = 1);
  FILTER_REFUSED(f.type_names = null_name; f.type_name_count = 1);
  FILTER_REFUSED(f.type_names = not_utf8; f.type_name_count = 1);
  FILTER_REFUSED(f.flags = 8);
  FILTER_REFUSED(f.metadata_count = 1);
  FILTER_REFUSED(f.metadata = no_key; f.metadata_count = 1);
  FILTER_REFUSED(f.metadata = no_value; f.metadata_count = 1);
  FILTER_REFUSED(f.metadata = bad_key; f.metadata_count = 1);
  FILTER_REFUSED(f.metadata = bad_value; f.metadata_count = 1);
  FILTER_REFUSED(f.metadata = no_key; f.metadata_count = SIZE_MAX);
  FILTER_REFUSED(f.metadata = no_key; f.metadata_count = SIZE_MAX / 2 + 2); /* twice as many is 2 */
  struct { binlog_filter known; uint64_t newer; } larger;
  memset(&larger, 0, sizeof larger);
  larger.known.struct_size = sizeof larger;
  larger.newer = 1;
  CHECK_FAILS(binlog_cursor_open(reader, &larger.known, &cursor, &err), BINLOG_E_INVALID, err);
  CHECK(cursor == NULL);

  CHECK_FAILS(binlog_cursor_open(reader, NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_segment_count(reader, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_segment(reader, 0, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_reader_counts(reader, NULL, NULL, &err), BINLOG_E_INVALID, err);
  binlog_segment segment;
  memset(&segment, 0x5A, sizeof segment);
  CHECK_FAILS(binlog_reader_segment(reader, 1000, &segment, &err), BINLOG_E_NOT_FOUND, err);
  CHECK(segment.sequence == UINT64_C(0x5A5A5A5A5A5A5A5A));

  binlog_record record;
  size_t n = 0, len = 0;
  uint8_t room[8];
  CHECK_OK(binlog_cursor_open(reader, NULL, &cursor, &err), err);
  CHECK_FAILS(binlog_cursor_next(cursor, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_next_batch(cursor, NULL, 4, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_next_batch(cursor, &record, 0, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_next_batch(cursor, &record, 1, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_read_packed(cursor, NULL, 64, &len, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_read_packed(cursor, room, sizeof room, NULL, &n, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_tail(cursor, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_get(cursor, 1, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_cursor_type_name(cursor, 1, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_OK(binlog_cursor_next(cursor, &record, &err), err); /* none of that moved it */
  CHECK(record.id == 1 && record_is(&record, "good"));
  CHECK_IS(binlog_cursor_next(cursor, &record, &err), BINLOG_END);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
}

/* Appends that must fail, on a log whose records may have at most 100 bytes and that ends with one good record. */
static void appends(const char *log) {
  binlog_error *err = NULL;
  binlog_writer *w = NULL;
  binlog_writer_options o;
  uint64_t id = 77;
  uint32_t type = 77;
  uint8_t bytes[128] = {0};
  CHECK_IS(binlog_writer_options_init(&o, sizeof o), BINLOG_OK);
  o.record_max_bytes = 100;
  CHECK_OK(binlog_writer_open(log, &o, &w, &err), err);

  CHECK_FAILS(binlog_writer_append(w, 1, bytes, 101, &id, &err), BINLOG_E_TOO_LARGE, err);
  CHECK_FAILS(binlog_writer_append(w, 1, NULL, 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append(w, 1, bytes, SIZE_MAX, &id, &err), BINLOG_E_INVALID, err); /* over any object */
  CHECK_FAILS(binlog_writer_append(w, BINLOG_TYPE_EVENT, "x", 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append(w, UINT32_MAX, "x", 1, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append(w, BINLOG_TYPE_NAMED, "x", 1, &id, &err), BINLOG_E_INVALID, err); /* no such type */

  const binlog_slice halves[] = {{bytes, 51}, {bytes, 50}}, hole[] = {{bytes, 4}, {NULL, 4}};
  const binlog_slice overflow[] = {{bytes, SIZE_MAX / 2}, {bytes, SIZE_MAX / 2}, {bytes, 4}}; /* the sum wraps to 2 */
  CHECK_FAILS(binlog_writer_gather(w, 1, halves, 2, &id, &err), BINLOG_E_TOO_LARGE, err);
  CHECK_FAILS(binlog_writer_gather(w, 1, hole, 2, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_gather(w, 1, overflow, 3, &id, &err), BINLOG_E_TOO_LARGE, err);
  CHECK_FAILS(binlog_writer_gather(w, 1, NULL, 2, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_gather(w, BINLOG_TYPE_EVENT, halves, 1, &id, &err), BINLOG_E_INVALID, err);

  binlog_record batch[2];
#define RECORD_REFUSED(statement, expected)                                                       \
  do {                                                                                            \
    binlog_record *r = &batch[1]; /* after a good one, which must not stay either */              \
    memset(batch, 0, sizeof batch);                                                               \
    batch[0].data = r->data = bytes;                                                              \
    batch[0].len = r->len = 4;                                                                    \
    statement;                                                                                    \
    CHECK_FAILS(binlog_writer_append_record(w, r, &id, &err), expected, err);                     \
    CHECK_FAILS(binlog_writer_append_batch(w, batch, 2, &id, &err), expected, err);               \
  } while (0)
  static const uint8_t half_pair[] = {1, 'k'}, runs_over[] = {1, 'k', 9, 'v'}, not_utf8[] = {1, 'k', 1, 0xFF};
  static const uint8_t huge[] = {1, 'k', 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
  static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
#define METADATA(wrong) (r->metadata = (wrong), r->metadata_len = sizeof(wrong))
  RECORD_REFUSED(METADATA(half_pair), BINLOG_E_INVALID);
  RECORD_REFUSED(METADATA(runs_over), BINLOG_E_INVALID);
  RECORD_REFUSED(METADATA(not_utf8), BINLOG_E_INVALID);
  RECORD_REFUSED(METADATA(huge), BINLOG_E_INVALID);
  RECORD_REFUSED(METADATA(endless), BINLOG_E_INVALID);
  RECORD_REFUSED(r->metadata_len = 4, BINLOG_E_INVALID);
  RECORD_REFUSED(r->reserved[0] = 1, BINLOG_E_INVALID);
  RECORD_REFUSED(r->reserved[1] = 1, BINLOG_E_INVALID);
  RECORD_REFUSED(r->type = BINLOG_TYPE_EVENT, BINLOG_E_INVALID);
  RECORD_REFUSED(r->type = BINLOG_TYPE_NAMED + 5, BINLOG_E_INVALID);
  RECORD_REFUSED(r->data = NULL, BINLOG_E_INVALID);
  RECORD_REFUSED(r->len = 101, BINLOG_E_TOO_LARGE);
  CHECK_FAILS(binlog_writer_append_record(w, NULL, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append_batch(w, NULL, 2, &id, &err), BINLOG_E_INVALID, err);

  CHECK_FAILS(binlog_writer_append_packed(w, NULL, 40, &id, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_append_packed(w, bytes, 40, &id, &err), BINLOG_E_INVALID, err); /* zeros are no frame */
  CHECK_FAILS(binlog_writer_type(w, NULL, NULL, &type, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_type(w, "", NULL, &type, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_type(w, "\xFF", NULL, &type, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_type(w, "a", "\xFF", &type, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_type(w, "a", NULL, NULL, &err), BINLOG_E_INVALID, err);
  CHECK_FAILS(binlog_writer_position(w, NULL, &err), BINLOG_E_INVALID, err);

  CHECK(id == 77 && type == 77);
  CHECK_OK(binlog_writer_append(w, 1, "good", 4, &id, &err), err);
  CHECK(id == 1); /* no refused record took an id */
  CHECK_OK(binlog_writer_close(w, &err), err);
}

static void missing_and_foreign_files(const char *scratch) {
  binlog_error *err = NULL;
  binlog_reader *reader = NULL;
  char *path = path_in(scratch, "nothing-here");
  CHECK_FAILS(binlog_reader_open(path, NULL, &reader, &err), BINLOG_E_NOT_FOUND, err);
  free(path);

  path = path_in(scratch, "foreign");
  FILE *f = fopen(path, "wb");
  CHECK(f != NULL && fputs("This is a letter, not a log.\n", f) >= 0 && fclose(f) == 0);
  const binlog_status status = binlog_reader_open(path, NULL, &reader, &err);
  CHECK(status == BINLOG_E_CORRUPT || status == BINLOG_E_UNSUPPORTED);
  CHECK(strcmp(binlog_error_path(err), path) == 0 && binlog_error_offset(err) == 0);
  binlog_error_free(err);
  err = NULL;
  binlog_writer *w = NULL;
  CHECK(binlog_writer_open_file(path, NULL, &w, NULL) < 0 && w == NULL);
  CHECK(file_size(path) == 29); /* a foreign file stays as it was */
  free(path);
}

static void test(const char *scratch) {
  char *log = path_in(scratch, "log");
  null_everywhere();
  writer_options(scratch);
  appends(log);
  reader_options_and_filters(log);
  missing_and_foreign_files(scratch);
  free(log);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
