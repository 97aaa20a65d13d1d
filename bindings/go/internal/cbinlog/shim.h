/* One C function for each operation, so that Go crosses the boundary once: it returns the result or the contents of
   an error. Results are returned by value: no memory of Go's is written to, because a callback during the call may
   move the goroutine's stack. */
#ifndef BLGO_SHIM_H
#define BLGO_SHIM_H

#include <binlog.h>

#include "gate.h"

/* The address of a writer's gate, as a number: cgo scans what a pointer refers to each time that it is passed, but
   not for a number. */
typedef uintptr_t blgo_writer;

/* The contents of an error. The texts live as long as `raw`; blgo_error_free frees both. */
typedef struct blgo_error {
  binlog_error *raw;
  const char *message;
  const char *path;
  int64_t offset;
  uint64_t record_id;
  uint64_t missed_first;
  uint64_t missed_last;
  binlog_status status;
  int32_t os_code;
} blgo_error;

/* `err` is NULL when the status is not less than 0. Two words are returned in registers. */
typedef struct blgo_result {
  uint64_t value;
  blgo_error *err;
} blgo_result;

/* The result of an append after closing; no function of the library returns this status. */
enum { BLGO_CLOSED = -1000 };
extern blgo_error blgo_closed;
/* The result of a call by a function that the writer has called. */
extern blgo_error blgo_within;

typedef struct blgo_opened {
  void *handle;
  blgo_error *err;
} blgo_opened;

typedef struct blgo_type_info {
  binlog_type_info info;
  blgo_error *err;
} blgo_type_info;

typedef struct blgo_position {
  binlog_position position;
  blgo_error *err;
} blgo_position;

typedef struct blgo_record {
  binlog_record record;
  blgo_error *err;
  uint32_t found; /* 0 at the end */
} blgo_record;

/* `found` is 1 when there is a record or an error for the next call. Otherwise look again when `descriptor` is
   readable, and at the latest after `look_after_ns`; the descriptor is -1 if there is none. */
typedef struct blgo_look {
  blgo_error *err;
  int64_t look_after_ns;
  int descriptor;
  uint32_t found;
} blgo_look;

typedef struct blgo_packed {
  size_t len;
  size_t n;
  blgo_error *err;
} blgo_packed;

typedef struct blgo_tail {
  binlog_tail tail;
  blgo_error *err;
} blgo_tail;

typedef struct blgo_text {
  binlog_slice text;
  blgo_error *err;
} blgo_text;

/* `segments` is freed with blgo_free; the strings are the reader's. */
typedef struct blgo_segments {
  binlog_segment *segments;
  size_t n;
  blgo_error *err;
} blgo_segments;

/* `splits` is freed with blgo_free; the strings are the plan's. */
typedef struct blgo_splits {
  binlog_plan *plan;
  binlog_split *splits;
  size_t n;
  blgo_error *err;
} blgo_splits;

typedef struct blgo_recovery {
  binlog_recovery sums;
  blgo_error *err;
} blgo_recovery;

/* `failure` is the last one, or NULL; `err` that of this call. The texts are the shipper's or the writer's. */
typedef struct blgo_ship_status {
  binlog_ship_status status;
  blgo_error *failure;
  blgo_error *err;
} blgo_ship_status;

/* `text` is freed with blgo_free. */
typedef struct blgo_metrics {
  char *text;
  size_t len;
  blgo_error *err;
} blgo_metrics;

typedef struct blgo_ship_report {
  binlog_ship_report report;
  blgo_error *err;
} blgo_ship_report;

typedef struct blgo_ship_verified {
  binlog_ship_verified sums;
  blgo_error *err;
} blgo_ship_verified;

/* The result of a hook in Go; both are NULL or from malloc. */
typedef struct blgo_answer {
  char *moved_to;
  char *failure;
  binlog_status status;
} blgo_answer;

void blgo_error_free(blgo_error *err);
void blgo_free(void *memory);
void *blgo_zeroed(size_t bytes);

/* Puts the callbacks of Go into options, with a handle as userdata. */
void blgo_set_hook(binlog_hook *hook, uintptr_t handle);
void blgo_set_check(binlog_roll_options *roll, uintptr_t handle);
void blgo_set_failure(binlog_writer_options *options, uintptr_t handle);
void blgo_set_loss(binlog_reader_options *options, uintptr_t handle);
void blgo_set_progress(binlog_compress_options *options, uintptr_t handle);

/* `writer` is an empty gate, which receives the writer. */
blgo_result blgo_writer_open(blgo_writer writer, const char *directory, const binlog_writer_options *options);
blgo_result blgo_writer_open_file(blgo_writer writer, const char *path, const binlog_writer_options *options);
/* Whether this thread runs a function that the object has called, and for which closing would wait: the gate of a writer,
   a shipper, a reader or a cursor. */
int blgo_object_is_calling(uintptr_t object);
/* Refuses later appends, without waiting for those in progress. */
void blgo_writer_refuse(blgo_writer writer);
/* Waits for the appends in progress, and closes; the gate stays, shut. */
blgo_result blgo_writer_close(blgo_writer writer);
int blgo_is_open(blgo_writer writer);
/* Frees the gate, and closes the writer first if necessary: once, when no pointer to the gate is left. */
void blgo_writer_free(blgo_writer writer);
/* Inline, as it is called most: the compiler merges it with cgo's code around it. */
blgo_error *blgo_take(binlog_error *raw, binlog_status status);
static inline blgo_result blgo_writer_append(blgo_writer writer, uint32_t type, const uint8_t *data, size_t len) {
  blgo_gate *const gate = (blgo_gate *)writer;
  if (blgo_is_calling(gate)) return (blgo_result){0, &blgo_within};
  blgo_thread *record;
  if (!blgo_enter(gate, &record)) return (blgo_result){0, &blgo_closed};
  blgo_result made = {0, NULL};
  binlog_error *raw = NULL;
  const binlog_status status = binlog_writer_append(gate->writer, type, data, len, &made.value, &raw);
  blgo_leave(gate, record);
  if (status < 0) made.err = blgo_take(raw, status);
  return made;
}
blgo_result blgo_writer_append_record(blgo_writer writer, uint32_t type, uint32_t flags, int64_t time_ns,
                                      const uint8_t *data, size_t len, const uint8_t *metadata, size_t metadata_len);
blgo_result blgo_writer_gather(blgo_writer writer, uint32_t type, const binlog_slice *parts, size_t n);
blgo_result blgo_writer_gather_record(blgo_writer writer, uint32_t type, uint32_t flags, int64_t time_ns,
                                      const uint8_t *metadata, size_t metadata_len, const binlog_slice *parts, size_t n);
blgo_result blgo_writer_append_batch(blgo_writer writer, const binlog_record *records, size_t n);
blgo_result blgo_writer_append_packed(blgo_writer writer, const uint8_t *frames, size_t len);
blgo_result blgo_writer_type(blgo_writer writer, const char *name, const char *content_type);
blgo_result blgo_writer_type_of(blgo_writer writer, const binlog_type_options *options);
blgo_result blgo_writer_flush(blgo_writer writer);
blgo_result blgo_writer_sync(blgo_writer writer);
blgo_result blgo_writer_tick(blgo_writer writer);
blgo_position blgo_writer_position(blgo_writer writer);
blgo_result blgo_writer_dropped(blgo_writer writer);
blgo_result blgo_writer_roll(blgo_writer writer);
blgo_result blgo_writer_roll_because(blgo_writer writer, const char *reason);
blgo_result blgo_writer_set_roll(blgo_writer writer, const binlog_roll_options *roll);
blgo_result blgo_writer_heartbeat(blgo_writer writer);
blgo_result blgo_writer_failures(blgo_writer writer);
blgo_ship_status blgo_writer_ship_status(blgo_writer writer);
blgo_metrics blgo_writer_ship_metrics(blgo_writer writer);

/* Appenders, which stage in an area; `writer` is theirs, for calls by functions that it has called. */
blgo_opened blgo_appender_open(blgo_writer writer, uint64_t hand_over_bytes, binlog_area *area, size_t size);
blgo_result blgo_appender_append_record(blgo_writer writer, binlog_appender *appender, uint32_t type, uint32_t flags,
                                        int64_t time_ns, const uint8_t *data, size_t len, const uint8_t *metadata,
                                        size_t metadata_len);
blgo_result blgo_appender_gather_record(blgo_writer writer, binlog_appender *appender, uint32_t type, uint32_t flags,
                                        int64_t time_ns, const uint8_t *metadata, size_t metadata_len,
                                        const binlog_slice *parts, size_t n);
blgo_result blgo_appender_append_packed(blgo_writer writer, binlog_appender *appender, const uint8_t *frames, size_t len);
blgo_result blgo_appender_settle(blgo_writer writer, binlog_appender *appender);
blgo_result blgo_appender_flush(blgo_writer writer, binlog_appender *appender);
/* Ends it, whatever it returns. */
blgo_result blgo_appender_close(binlog_appender *appender);

blgo_opened blgo_reader_open(const char *path, const binlog_reader_options *options);
blgo_segments blgo_reader_segments(const binlog_reader *reader);
blgo_result blgo_reader_counts(const binlog_reader *reader, uintptr_t handle);
blgo_result blgo_reader_types(const binlog_reader *reader, uintptr_t handle);

blgo_splits blgo_reader_plan(const binlog_reader *reader, const binlog_filter *filter, const binlog_plan_options *options);
blgo_opened blgo_split_open(const char *token, const binlog_reader_options *options);

blgo_opened blgo_cursor_open(binlog_reader *reader, const binlog_filter *filter);
blgo_record blgo_cursor_next(binlog_cursor *cursor);
blgo_record blgo_cursor_get(binlog_cursor *cursor, uint64_t id);
/* Checks without waiting. */
blgo_look blgo_cursor_look(binlog_cursor *cursor);
/* A duplicate of the descriptor, which the caller closes: Go's poller owns what it polls; -1 if there is none. */
int blgo_own_descriptor(int descriptor);
blgo_result blgo_cursor_seek(binlog_cursor *cursor, uint64_t id);
blgo_result blgo_cursor_seek_time(binlog_cursor *cursor, int64_t time_ns);
blgo_result blgo_cursor_seek_end(binlog_cursor *cursor);
blgo_packed blgo_cursor_read_packed(binlog_cursor *cursor, uint8_t *buf, size_t cap);
blgo_tail blgo_cursor_tail(binlog_cursor *cursor);
blgo_text blgo_cursor_type_name(const binlog_cursor *cursor, uint32_t type);
blgo_type_info blgo_cursor_type(binlog_cursor *cursor, uint32_t type);

blgo_result blgo_prune(const char *path, const char *log, const binlog_retention *keep, uint32_t flags,
                       uintptr_t handle);
/* `handle` 0: losses are not reported. */
blgo_recovery blgo_recover(const char *source, const char *target, uintptr_t handle);
blgo_recovery blgo_recover_in_place(const char *path, uintptr_t handle);
blgo_result blgo_rebuild_index(const char *path);

blgo_result blgo_compress(const char *path, const char *log, const binlog_compress_options *options, uintptr_t handle);
blgo_result blgo_decompress(const char *path, const char *log, const binlog_compress_options *options, uintptr_t handle);

blgo_opened blgo_shipper_open(const char *directory, const char *log, const binlog_ship_options *options);
/* `handle` 0: events are not reported. */
blgo_ship_report blgo_shipper_run(binlog_shipper *shipper, uintptr_t handle);
blgo_result blgo_shipper_follow(binlog_shipper *shipper, uintptr_t handle);
/* `events` 0: only problems are reported. */
blgo_ship_verified blgo_shipper_verify(binlog_shipper *shipper, uint32_t flags, uint32_t events, uintptr_t handle);
blgo_result blgo_shipper_accept(binlog_shipper *shipper, const char *segment);
blgo_result blgo_shipper_replace(binlog_shipper *shipper, const char *segment);
blgo_result blgo_shipper_forget(binlog_shipper *shipper);
blgo_ship_status blgo_shipper_status(const binlog_shipper *shipper);
blgo_metrics blgo_shipper_metrics(const binlog_shipper *shipper);

/* The library's functions for metadata and packed frames, which the tests compare with Go's. */
typedef struct blgo_put {
  size_t len;
  binlog_status status;
} blgo_put;
blgo_put blgo_metadata_put(uint8_t *buf, size_t cap, size_t len, const char *key, size_t key_len, const char *value,
                              size_t value_len);
typedef struct blgo_pair {
  binlog_slice key;
  binlog_slice value;
  size_t taken; /* bytes of the metadata that the pair took */
  binlog_status status;
} blgo_pair;
blgo_pair blgo_metadata_next(const uint8_t *metadata, size_t len);
typedef struct blgo_found {
  binlog_slice text;
  binlog_status status;
} blgo_found;
blgo_found blgo_metadata_find(const uint8_t *metadata, size_t len, const char *key, size_t key_len);
blgo_put blgo_packed_put(uint8_t *buf, size_t cap, size_t len, uint64_t id, uint32_t type, uint32_t flags,
                            int64_t time_ns, const uint8_t *data, size_t data_len, const uint8_t *metadata,
                            size_t metadata_len);
typedef struct blgo_unpacked {
  binlog_record record;
  size_t taken; /* bytes that the frame took */
  binlog_status status;
} blgo_unpacked;
blgo_unpacked blgo_packed_next(const uint8_t *frames, size_t len);

#endif
