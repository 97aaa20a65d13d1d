#include "shim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "_cgo_export.h"

/* Errors */

static void read_error(const binlog_error *raw, blgo_error *out) {
  out->message = binlog_error_message(raw);
  out->path = binlog_error_path(raw);
  out->offset = binlog_error_offset(raw);
  out->record_id = binlog_error_record_id(raw);
  out->status = binlog_error_status(raw);
  out->os_code = binlog_error_os_code(raw);
  binlog_error_missed(raw, &out->missed_first, &out->missed_last);
}

static blgo_error no_memory = {
    .message = "there was no memory for what the error says", .path = "", .offset = -1, .status = BINLOG_E_NO_MEMORY};

blgo_error blgo_closed = {.message = "use after close", .path = "", .offset = -1, .status = BLGO_CLOSED};

blgo_error blgo_within = {.message = "a writer cannot be used by a function that it has called",
                          .path = "", .offset = -1, .status = BINLOG_E_INVALID};
int blgo_object_is_calling(uintptr_t object) { return blgo_is_calling((const void *)object); }

static blgo_error *taken(binlog_error *raw) {
  blgo_error *out = calloc(1, sizeof *out);
  if (out == NULL) {
    binlog_error_free(raw);
    return &no_memory;
  }
  out->raw = raw;
  read_error(raw, out);
  return out;
}

blgo_error *blgo_take(binlog_error *raw, binlog_status status) {
  if (status >= 0) return NULL;
  blgo_error *const out = taken(raw);
  /* That of the call counts. */
  if (out != &no_memory) out->status = status;
  return out;
}

void blgo_error_free(blgo_error *err) {
  if (err == &no_memory || err == &blgo_closed || err == &blgo_within) return;
  binlog_error_free(err->raw);
  free(err);
}

void blgo_free(void *memory) { free(memory); }
void *blgo_zeroed(size_t bytes) { return calloc(1, bytes); }

/* Callbacks: the exported functions of Go have no const, and take the userdata as a number. */

static binlog_status hook(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  blgo_answer answer = {0};
  blgoHook((uintptr_t)userdata, (binlog_segment_file *)segment, &answer);
  if (answer.moved_to != NULL) binlog_hook_result_set_path(result, answer.moved_to, NULL);
  if (answer.failure != NULL) binlog_hook_result_set_error(result, answer.failure, NULL);
  free(answer.moved_to);
  free(answer.failure);
  return answer.status;
}
static int32_t check(void *userdata, const binlog_segment_state *state) {
  return blgoCheck((uintptr_t)userdata, (binlog_segment_state *)state);
}
static void failure(void *userdata, const binlog_error *error) {
  blgo_error facts = {0};
  read_error(error, &facts);
  blgoFailure((uintptr_t)userdata, &facts);
}
static void loss(void *userdata, const binlog_loss *what) {
  blgoLoss((uintptr_t)userdata, (uintptr_t)blgo_this_thread.reporter, (binlog_loss *)what);
}
static void counted(void *userdata, const binlog_type_count *what) {
  blgoCounted((uintptr_t)userdata, (binlog_type_count *)what);
}
static void described(void *userdata, const binlog_type_info *info) {
  blgoDescribed((uintptr_t)userdata, (binlog_type_info *)info);
}
static void pruned(void *userdata, const binlog_pruned *what) {
  blgoPruned((uintptr_t)userdata, (binlog_pruned *)what);
}
static int32_t progress(void *userdata, const binlog_progress *what) {
  return blgoProgress((uintptr_t)userdata, (binlog_progress *)what);
}
static void compressed(void *userdata, const binlog_compressed *what) {
  blgoCompressed((uintptr_t)userdata, (binlog_compressed *)what);
}
static int32_t event(void *userdata, const binlog_ship_event *what) {
  blgo_error facts = {0};
  if (what->error != NULL) read_error(what->error, &facts);
  return blgoEvent((uintptr_t)userdata, (binlog_ship_event *)what, &facts);
}
static void problem(void *userdata, const binlog_ship_problem *what) {
  blgoProblem((uintptr_t)userdata, (binlog_ship_problem *)what);
}
static void drop(void *userdata) { blgoDrop((uintptr_t)userdata); }

void blgo_set_hook(binlog_hook *to, uintptr_t handle) {
  to->call = hook;
  to->userdata = (void *)handle;
  to->drop = drop;
}
void blgo_set_check(binlog_roll_options *roll, uintptr_t handle) {
  roll->check = check;
  roll->check_userdata = (void *)handle;
  roll->check_drop = drop;
}
void blgo_set_failure(binlog_writer_options *options, uintptr_t handle) {
  options->on_failure = failure;
  options->on_failure_userdata = (void *)handle;
  options->on_failure_drop = drop;
}
void blgo_set_loss(binlog_reader_options *options, uintptr_t handle) {
  options->on_loss = loss;
  options->on_loss_userdata = (void *)handle;
  options->on_loss_drop = drop;
}
void blgo_set_progress(binlog_compress_options *options, uintptr_t handle) {
  options->on_progress = progress;
  options->on_progress_userdata = (void *)handle;
}

/* Operations. `made` is the result, `raw` receives the error. */
#define CALL(type, call)               \
  type made = {0};                     \
  binlog_error *raw = NULL;            \
  const binlog_status status = (call); \
  made.err = blgo_take(raw, status);   \
  return made

/* NULL, which the library refuses, for one that was never opened. */
static binlog_writer *writer_of(blgo_writer writer) { return writer == 0 ? NULL : ((const blgo_gate *)writer)->writer; }

blgo_result blgo_writer_open(blgo_writer writer, const char *directory, const binlog_writer_options *options) {
  CALL(blgo_result, binlog_writer_open(directory, options, &((blgo_gate *)writer)->writer, &raw));
}
blgo_result blgo_writer_open_file(blgo_writer writer, const char *path, const binlog_writer_options *options) {
  CALL(blgo_result, binlog_writer_open_file(path, options, &((blgo_gate *)writer)->writer, &raw));
}
static blgo_result close_writer(binlog_writer *writer) { CALL(blgo_result, binlog_writer_close(writer, &raw)); }

void blgo_writer_refuse(blgo_writer writer) { blgo_refuse((blgo_gate *)writer); }
blgo_result blgo_writer_close(blgo_writer writer) {
  blgo_gate *const gate = (blgo_gate *)writer;
  blgo_shut(gate);
  binlog_writer *const open = gate->writer;
  gate->writer = NULL;
  return close_writer(open);
}
int blgo_is_open(blgo_writer writer) { return !__atomic_load_n(&((const blgo_gate *)writer)->shut, __ATOMIC_SEQ_CST); }
void blgo_writer_free(blgo_writer writer) {
  if (writer_of(writer) != NULL) {
    blgo_error *err = blgo_writer_close(writer).err;
    if (err != NULL) blgo_error_free(err);
  }
  free((void *)writer);
}

/* A call that is refused to the writer's own function: it would wait for itself, or be called again for what it
   writes. The library refuses it in the thread that has called the function; Go's function runs in another one. */
#define USE(type, call)                                                                  \
  if (blgo_is_calling((const void *)writer)) return (type){.err = &blgo_within};         \
  CALL(type, call)

blgo_result blgo_writer_append_record(blgo_writer writer, uint32_t type, uint32_t flags, int64_t time_ns,
                                      const uint8_t *data, size_t len, const uint8_t *metadata, size_t metadata_len) {
  const binlog_record record = {.type = type, .flags = flags, .time_ns = time_ns, .data = data, .len = len,
                                .metadata = metadata, .metadata_len = metadata_len};
  USE(blgo_result, binlog_writer_append_record(writer_of(writer), &record, &made.value, &raw));
}
blgo_result blgo_writer_gather(blgo_writer writer, uint32_t type, const binlog_slice *parts, size_t n) {
  USE(blgo_result, binlog_writer_gather(writer_of(writer), type, parts, n, &made.value, &raw));
}
blgo_result blgo_writer_gather_record(blgo_writer writer, uint32_t type, uint32_t flags, int64_t time_ns,
                                      const uint8_t *metadata, size_t metadata_len, const binlog_slice *parts, size_t n) {
  const binlog_record record = {.type = type, .flags = flags, .time_ns = time_ns,
                                .metadata = metadata, .metadata_len = metadata_len};
  USE(blgo_result, binlog_writer_gather_record(writer_of(writer), &record, parts, n, &made.value, &raw));
}
blgo_result blgo_writer_append_batch(blgo_writer writer, const binlog_record *records, size_t n) {
  USE(blgo_result, binlog_writer_append_batch(writer_of(writer), records, n, &made.value, &raw));
}
blgo_result blgo_writer_append_packed(blgo_writer writer, const uint8_t *frames, size_t len) {
  USE(blgo_result, binlog_writer_append_packed(writer_of(writer), frames, len, &made.value, &raw));
}
blgo_opened blgo_appender_open(blgo_writer writer, uint64_t hand_over_bytes, binlog_area *area, size_t size) {
  const binlog_appender_options options = {.struct_size = sizeof options, .hand_over_bytes = hand_over_bytes};
  USE(blgo_opened, binlog_appender_open_area(writer_of(writer), &options, area, size,
                                             (binlog_appender **)&made.handle, &raw));
}
blgo_result blgo_appender_append_record(blgo_writer writer, binlog_appender *appender, uint32_t type, uint32_t flags,
                                        int64_t time_ns, const uint8_t *data, size_t len, const uint8_t *metadata,
                                        size_t metadata_len) {
  const binlog_record record = {.type = type, .flags = flags, .time_ns = time_ns, .data = data, .len = len,
                                .metadata = metadata, .metadata_len = metadata_len};
  USE(blgo_result, binlog_appender_append_record(appender, &record, &raw));
}
blgo_result blgo_appender_gather_record(blgo_writer writer, binlog_appender *appender, uint32_t type, uint32_t flags,
                                        int64_t time_ns, const uint8_t *metadata, size_t metadata_len,
                                        const binlog_slice *parts, size_t n) {
  const binlog_record record = {.type = type, .flags = flags, .time_ns = time_ns,
                                .metadata = metadata, .metadata_len = metadata_len};
  USE(blgo_result, binlog_appender_gather_record(appender, &record, parts, n, &raw));
}
blgo_result blgo_appender_append_packed(blgo_writer writer, binlog_appender *appender, const uint8_t *frames, size_t len) {
  USE(blgo_result, binlog_appender_append_packed(appender, frames, len, &raw));
}
blgo_result blgo_appender_settle(blgo_writer writer, binlog_appender *appender) {
  USE(blgo_result, binlog_appender_settle(appender, &raw));
}
blgo_result blgo_appender_flush(blgo_writer writer, binlog_appender *appender) {
  USE(blgo_result, binlog_appender_flush(appender, &made.value, &raw));
}
blgo_result blgo_appender_close(binlog_appender *appender) {
  CALL(blgo_result, binlog_appender_close(appender, &made.value, &raw));
}
blgo_result blgo_writer_type(blgo_writer writer, const char *name, const char *content_type) {
  if (blgo_is_calling((const void *)writer)) return (blgo_result){.err = &blgo_within};
  uint32_t type = 0;
  binlog_error *raw = NULL;
  const binlog_status status = binlog_writer_type(writer_of(writer), name, content_type, &type, &raw);
  return (blgo_result){.value = type, .err = blgo_take(raw, status)};
}
blgo_result blgo_writer_type_of(blgo_writer writer, const binlog_type_options *options) {
  if (blgo_is_calling((const void *)writer)) return (blgo_result){.err = &blgo_within};
  uint32_t type = 0;
  binlog_error *raw = NULL;
  const binlog_status status = binlog_writer_type_of(writer_of(writer), options, &type, &raw);
  return (blgo_result){.value = type, .err = blgo_take(raw, status)};
}
blgo_result blgo_writer_flush(blgo_writer writer) { USE(blgo_result, binlog_writer_flush(writer_of(writer), &raw)); }
blgo_result blgo_writer_sync(blgo_writer writer) { USE(blgo_result, binlog_writer_sync(writer_of(writer), &raw)); }
blgo_result blgo_writer_tick(blgo_writer writer) { USE(blgo_result, binlog_writer_tick(writer_of(writer), &raw)); }
blgo_position blgo_writer_position(blgo_writer writer) {
  CALL(blgo_position, binlog_writer_position(writer_of(writer), &made.position, &raw));
}
blgo_result blgo_writer_dropped(blgo_writer writer) {
  CALL(blgo_result, binlog_writer_dropped(writer_of(writer), &made.value, &raw));
}
blgo_result blgo_writer_roll(blgo_writer writer) { USE(blgo_result, binlog_writer_roll(writer_of(writer), &raw)); }
blgo_result blgo_writer_roll_because(blgo_writer writer, const char *reason) {
  USE(blgo_result, binlog_writer_roll_because(writer_of(writer), reason, &raw));
}
blgo_result blgo_writer_set_roll(blgo_writer writer, const binlog_roll_options *roll) {
  USE(blgo_result, binlog_writer_set_roll(writer_of(writer), roll, &raw));
}
blgo_result blgo_writer_heartbeat(blgo_writer writer) { USE(blgo_result, binlog_writer_heartbeat(writer_of(writer), &raw)); }
blgo_result blgo_writer_failures(blgo_writer writer) {
  CALL(blgo_result, binlog_writer_failures(writer_of(writer), &made.value, &raw));
}

blgo_opened blgo_reader_open(const char *path, const binlog_reader_options *options) {
  CALL(blgo_opened, binlog_reader_open(path, options, (binlog_reader **)&made.handle, &raw));
}
blgo_segments blgo_reader_segments(const binlog_reader *reader) {
  blgo_segments made = {0};
  binlog_error *raw = NULL;
  size_t count = 0;
  binlog_status status = binlog_reader_segment_count(reader, &count, &raw);
  if (status >= 0 && count > 0) {
    made.segments = calloc(count, sizeof *made.segments);
    if (made.segments == NULL) status = BINLOG_E_NO_MEMORY;
  }
  while (status >= 0 && made.n < count) {
    status = binlog_reader_segment(reader, made.n, &made.segments[made.n], &raw);
    made.n++;
  }
  made.err = blgo_take(raw, status);
  return made;
}
blgo_result blgo_reader_counts(const binlog_reader *reader, uintptr_t handle) {
  CALL(blgo_result, binlog_reader_counts(reader, counted, (void *)handle, &raw));
}

blgo_result blgo_reader_types(const binlog_reader *reader, uintptr_t handle) {
  CALL(blgo_result, binlog_reader_types(reader, described, (void *)handle, &raw));
}

blgo_splits blgo_reader_plan(const binlog_reader *reader, const binlog_filter *filter, const binlog_plan_options *options) {
  blgo_splits made = {0};
  binlog_error *raw = NULL;
  size_t count = 0;
  binlog_status status = binlog_reader_plan(reader, filter, options, &made.plan, &raw);
  if (status >= 0) status = binlog_plan_count(made.plan, &count, &raw);
  if (status >= 0 && count > 0) {
    made.splits = calloc(count, sizeof *made.splits);
    if (made.splits == NULL) status = BINLOG_E_NO_MEMORY;
  }
  while (status >= 0 && made.n < count) {
    status = binlog_plan_split(made.plan, made.n, &made.splits[made.n], &raw);
    made.n++;
  }
  made.err = blgo_take(raw, status);
  return made;
}
blgo_opened blgo_split_open(const char *token, const binlog_reader_options *options) {
  CALL(blgo_opened, binlog_split_open(token, options, (binlog_reader **)&made.handle, &raw));
}

/* A call in which the object may call the listener of losses. A listener's own call of another object restores it. */
static binlog_status reports_end(const void *outer, binlog_status status) {
  blgo_this_thread.reporter = outer;
  return status;
}
static const void *reports_begin(const void *object) {
  const void *const outer = blgo_this_thread.reporter;
  blgo_this_thread.reporter = object;
  return outer;
}
#define REPORTS(type, object, call)                 \
  const void *const outer = reports_begin(object);  \
  CALL(type, reports_end(outer, (call)))

blgo_opened blgo_cursor_open(binlog_reader *reader, const binlog_filter *filter) {
  REPORTS(blgo_opened, reader, binlog_cursor_open(reader, filter, (binlog_cursor **)&made.handle, &raw));
}
blgo_record blgo_cursor_next(binlog_cursor *cursor) {
  blgo_record made = {0};
  binlog_error *raw = NULL;
  const void *const outer = reports_begin(cursor);
  const binlog_status status = reports_end(outer, binlog_cursor_next(cursor, &made.record, &raw));
  made.found = status == BINLOG_OK;
  made.err = blgo_take(raw, status);
  return made;
}
blgo_record blgo_cursor_get(binlog_cursor *cursor, uint64_t id) {
  REPORTS(blgo_record, cursor, binlog_cursor_get(cursor, id, &made.record, &raw));
}
blgo_look blgo_cursor_look(binlog_cursor *cursor) {
  blgo_look look = {.descriptor = -1, .look_after_ns = BINLOG_FOREVER};
  binlog_error *raw = NULL;
  /* Before the look: what arrives between the two makes the descriptor readable. */
  if (binlog_cursor_descriptor(cursor, &look.descriptor, &look.look_after_ns, &raw) != BINLOG_OK) {
    binlog_error_free(raw);
    raw = NULL;
    look.descriptor = -1;
    look.look_after_ns = BINLOG_FOREVER;
  }
  const void *const outer = reports_begin(cursor);
  const binlog_status status = reports_end(outer, binlog_cursor_wait(cursor, 0, &raw));
  look.found = status == BINLOG_OK;
  /* Nothing interrupts the cursor; a signal may have. Look again at once. */
  if (status == BINLOG_E_INTERRUPTED) {
    binlog_error_free(raw);
    look.look_after_ns = 0;
    return look;
  }
  look.err = blgo_take(raw, status);
  return look;
}
int blgo_own_descriptor(int descriptor) {
  const int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  /* Go then takes it for one that can be polled. */
  const int flags = fcntl(own, F_GETFL);
  if (flags >= 0 && fcntl(own, F_SETFL, flags | O_NONBLOCK) == 0) return own;
  close(own);
  return -1;
}
blgo_result blgo_cursor_seek(binlog_cursor *cursor, uint64_t id) {
  REPORTS(blgo_result, cursor, binlog_cursor_seek(cursor, id, &raw));
}
blgo_result blgo_cursor_seek_time(binlog_cursor *cursor, int64_t time_ns) {
  REPORTS(blgo_result, cursor, binlog_cursor_seek_time(cursor, time_ns, &raw));
}
blgo_result blgo_cursor_seek_end(binlog_cursor *cursor) {
  REPORTS(blgo_result, cursor, binlog_cursor_seek_end(cursor, &raw));
}
blgo_packed blgo_cursor_read_packed(binlog_cursor *cursor, uint8_t *buf, size_t cap) {
  REPORTS(blgo_packed, cursor, binlog_cursor_read_packed(cursor, buf, cap, &made.len, &made.n, &raw));
}
blgo_tail blgo_cursor_tail(binlog_cursor *cursor) { CALL(blgo_tail, binlog_cursor_tail(cursor, &made.tail, &raw)); }
blgo_text blgo_cursor_type_name(const binlog_cursor *cursor, uint32_t type) {
  CALL(blgo_text, binlog_cursor_type_name(cursor, type, &made.text, &raw));
}
blgo_type_info blgo_cursor_type(binlog_cursor *cursor, uint32_t type) {
  CALL(blgo_type_info, binlog_cursor_type(cursor, type, &made.info, &raw));
}

blgo_result blgo_prune(const char *path, const char *log, const binlog_retention *keep, uint32_t flags,
                       uintptr_t handle) {
  size_t count = 0; /* each one is reported */
  CALL(blgo_result, binlog_prune(path, log, keep, flags, pruned, (void *)handle, &count, &raw));
}
blgo_recovery blgo_recover(const char *source, const char *target, uintptr_t handle) {
  CALL(blgo_recovery, binlog_recover(source, target, handle == 0 ? NULL : loss, (void *)handle, &made.sums, &raw));
}
blgo_recovery blgo_recover_in_place(const char *path, uintptr_t handle) {
  CALL(blgo_recovery, binlog_recover_in_place(path, handle == 0 ? NULL : loss, (void *)handle, &made.sums, &raw));
}
blgo_result blgo_rebuild_index(const char *path) {
  size_t written = 0;
  binlog_error *raw = NULL;
  const binlog_status status = binlog_rebuild_index(path, &written, &raw);
  return (blgo_result){.value = written, .err = blgo_take(raw, status)};
}

blgo_result blgo_compress(const char *path, const char *log, const binlog_compress_options *options, uintptr_t handle) {
  size_t count = 0; /* each one is reported */
  CALL(blgo_result, binlog_compress(path, log, options, compressed, (void *)handle, &count, &raw));
}
blgo_result blgo_decompress(const char *path, const char *log, const binlog_compress_options *options, uintptr_t handle) {
  size_t count = 0;
  CALL(blgo_result, binlog_decompress(path, log, options, compressed, (void *)handle, &count, &raw));
}

/* Shipping */

/* Copies a text into memory that is large enough; the next text may be some digits longer than the last. */
#define METRICS(call)                             \
  blgo_metrics made = {0};                        \
  for (size_t cap = 0;; cap = made.len + 256) {   \
    binlog_error *raw = NULL;                     \
    free(made.text);                              \
    made.text = cap == 0 ? NULL : malloc(cap);    \
    if (cap != 0 && made.text == NULL) {          \
      made.err = &no_memory;                      \
      return made;                                \
    }                                             \
    const binlog_status status = (call);          \
    if (status != BINLOG_E_TOO_LARGE) {           \
      made.err = blgo_take(raw, status);          \
      return made;                                \
    }                                             \
    binlog_error_free(raw);                       \
  }

/* The status and, after a failure, the last one. */
#define STATUS(call, last_failure)                          \
  blgo_ship_status made = {0};                           \
  binlog_error *raw = NULL;                                 \
  const binlog_status status = (call);                      \
  made.err = blgo_take(raw, status);                        \
  if (status < 0 || made.status.failures == 0) return made; \
  binlog_error *const failed = (last_failure);              \
  if (failed != NULL) made.failure = taken(failed);         \
  return made

blgo_ship_status blgo_writer_ship_status(blgo_writer writer) {
  STATUS(binlog_writer_ship_status(writer_of(writer), &made.status, &raw),
         binlog_writer_ship_failure(writer_of(writer)));
}
blgo_metrics blgo_writer_ship_metrics(blgo_writer writer) {
  METRICS(binlog_writer_ship_metrics(writer_of(writer), made.text, cap, &made.len, &raw));
}

blgo_opened blgo_shipper_open(const char *directory, const char *log, const binlog_ship_options *options) {
  CALL(blgo_opened, binlog_shipper_open(directory, log, options, (binlog_shipper **)&made.handle, &raw));
}
blgo_ship_report blgo_shipper_run(binlog_shipper *shipper, uintptr_t handle) {
  CALL(blgo_ship_report,
       binlog_shipper_run(shipper, handle == 0 ? NULL : event, (void *)handle, &made.report, &raw));
}
blgo_result blgo_shipper_follow(binlog_shipper *shipper, uintptr_t handle) {
  CALL(blgo_result, binlog_shipper_follow(shipper, handle == 0 ? NULL : event, (void *)handle, &raw));
}
blgo_ship_verified blgo_shipper_verify(binlog_shipper *shipper, uint32_t flags, uint32_t events, uintptr_t handle) {
  CALL(blgo_ship_verified, binlog_shipper_verify(shipper, flags, problem, events == 0 ? NULL : event, (void *)handle,
                                                    &made.sums, &raw));
}
blgo_result blgo_shipper_accept(binlog_shipper *shipper, const char *segment) {
  CALL(blgo_result, binlog_shipper_accept(shipper, segment, &raw));
}
blgo_result blgo_shipper_replace(binlog_shipper *shipper, const char *segment) {
  CALL(blgo_result, binlog_shipper_replace(shipper, segment, &raw));
}
blgo_result blgo_shipper_forget(binlog_shipper *shipper) {
  CALL(blgo_result, binlog_shipper_forget(shipper, &raw));
}
blgo_ship_status blgo_shipper_status(const binlog_shipper *shipper) {
  STATUS(binlog_shipper_status(shipper, &made.status, &raw), binlog_shipper_last_failure(shipper));
}
blgo_metrics blgo_shipper_metrics(const binlog_shipper *shipper) {
  METRICS(binlog_shipper_metrics(shipper, made.text, cap, &made.len, &raw));
}

/* Metadata and packed frames */

blgo_put blgo_metadata_put(uint8_t *buf, size_t cap, size_t len, const char *key, size_t key_len, const char *value,
                              size_t value_len) {
  blgo_put made = {.len = len};
  made.status = binlog_metadata_put(buf, cap, &made.len, key, key_len, value, value_len, NULL);
  return made;
}
blgo_pair blgo_metadata_next(const uint8_t *metadata, size_t len) {
  blgo_pair made = {0};
  size_t left = len;
  made.status = binlog_metadata_next(&metadata, &left, &made.key, &made.value);
  made.taken = len - left;
  return made;
}
blgo_found blgo_metadata_find(const uint8_t *metadata, size_t len, const char *key, size_t key_len) {
  blgo_found made = {0};
  made.status = binlog_metadata_find(metadata, len, key, key_len, &made.text);
  return made;
}
blgo_put blgo_packed_put(uint8_t *buf, size_t cap, size_t len, uint64_t id, uint32_t type, uint32_t flags,
                            int64_t time_ns, const uint8_t *data, size_t data_len, const uint8_t *metadata,
                            size_t metadata_len) {
  const binlog_record record = {.id = id, .type = type, .flags = flags, .time_ns = time_ns, .data = data,
                                .len = data_len, .metadata = metadata, .metadata_len = metadata_len};
  blgo_put made = {.len = len};
  made.status = binlog_packed_put(buf, cap, &made.len, &record);
  return made;
}
blgo_unpacked blgo_packed_next(const uint8_t *frames, size_t len) {
  blgo_unpacked made = {0};
  size_t left = len;
  made.status = binlog_packed_next(&frames, &left, &made.record);
  made.taken = len - left;
  return made;
}
