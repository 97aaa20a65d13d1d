/* The sizes and offsets that C, C++, Java and Go callers were compiled with. They are those of 64-bit machines
   (x86-64, aarch64); src/ffi asserts the same numbers on its side. A change here is a change of the ABI. */
#define BINLOG_NO_ATTRIBUTES /* NULL is passed on purpose */

#include "check.h"

/* C99 has no static_assert: an array of negative size stops the compiler instead. */
#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define STATIC_CHECK(condition) extern char GLUE(static_check_, __LINE__)[(condition) ? 1 : -1]
#define SIZE(type, bytes) STATIC_CHECK(sizeof(type) == (bytes))
#define AT(type, field, offset) STATIC_CHECK(offsetof(type, field) == (offset))

#if UINTPTR_MAX == 0xFFFFFFFFFFFFFFFFu
SIZE(binlog_status, 4);

SIZE(binlog_slice, 16);
AT(binlog_slice, data, 0);
AT(binlog_slice, len, 8);

SIZE(binlog_record, 72);
AT(binlog_record, id, 0);
AT(binlog_record, time_ns, 8);
AT(binlog_record, data, 16);
AT(binlog_record, len, 24);
AT(binlog_record, metadata, 32);
AT(binlog_record, metadata_len, 40);
AT(binlog_record, type, 48);
AT(binlog_record, flags, 52);
AT(binlog_record, reserved, 56);

SIZE(binlog_position, 48);
AT(binlog_position, appended_id, 0);
AT(binlog_position, flushed_id, 8);
AT(binlog_position, durable_id, 16);
AT(binlog_position, reserved, 24);

SIZE(binlog_area, 128);
AT(binlog_area, end, 0);
AT(binlog_area, reserved, 8);
AT(binlog_area, limit, 64);
AT(binlog_area, taken, 72);
AT(binlog_area, from_ns, 80);
AT(binlog_area, until_ns, 88);
AT(binlog_area, types_end, 96);
AT(binlog_area, payload_max, 100);
AT(binlog_area, reserved2, 104);
SIZE(binlog_appender_options, 48);
AT(binlog_appender_options, struct_size, 0);
AT(binlog_appender_options, hand_over_bytes, 8);
AT(binlog_appender_options, reserved, 16);

SIZE(binlog_writer_options, 280);
AT(binlog_writer_options, struct_size, 0);
AT(binlog_writer_options, flags, 8);
AT(binlog_writer_options, codec, 12);
AT(binlog_writer_options, codec_level, 16);
AT(binlog_writer_options, block_bytes, 20);
AT(binlog_writer_options, name, 24);
AT(binlog_writer_options, content_type, 32);
AT(binlog_writer_options, parameters, 40);
AT(binlog_writer_options, parameter_count, 48);
AT(binlog_writer_options, segment_bytes, 56);
AT(binlog_writer_options, record_max_bytes, 64);
AT(binlog_writer_options, flush_records, 72);
AT(binlog_writer_options, flush_bytes, 80);
AT(binlog_writer_options, sync_records, 88);
AT(binlog_writer_options, sync_bytes, 96);
AT(binlog_writer_options, flush_interval_ms, 104);
AT(binlog_writer_options, sync_interval_ms, 108);
AT(binlog_writer_options, file_mode, 112);
AT(binlog_writer_options, full_disk, 116);
AT(binlog_writer_options, full_disk_wait_ms, 120);
AT(binlog_writer_options, index_bytes, 128);
AT(binlog_writer_options, roll, 136);
AT(binlog_writer_options, keep, 144);
AT(binlog_writer_options, require, 152);
AT(binlog_writer_options, on_open, 160);
AT(binlog_writer_options, on_open_count, 168);
AT(binlog_writer_options, on_close, 176);
AT(binlog_writer_options, on_close_count, 184);
AT(binlog_writer_options, on_failure, 192);
AT(binlog_writer_options, on_failure_userdata, 200);
AT(binlog_writer_options, on_failure_drop, 208);
AT(binlog_writer_options, heartbeat_ms, 216);
AT(binlog_writer_options, file_group, 224);
AT(binlog_writer_options, ship, 232);
AT(binlog_writer_options, fill_ahead_bytes, 240);
AT(binlog_writer_options, schema_bytes, 248);
AT(binlog_writer_options, reserved, 256);
STATIC_CHECK(sizeof(((binlog_writer_options *)0)->reserved) == 24);

SIZE(binlog_type_options, 72);
AT(binlog_type_options, struct_size, 0);
AT(binlog_type_options, name, 8);
AT(binlog_type_options, content_type, 16);
AT(binlog_type_options, encoding, 24);
AT(binlog_type_options, message, 32);
AT(binlog_type_options, schema, 40);
AT(binlog_type_options, schema_len, 48);
AT(binlog_type_options, reserved, 56);

SIZE(binlog_type_info, 104);
AT(binlog_type_info, type, 0);
AT(binlog_type_info, reserved32, 4);
AT(binlog_type_info, name, 8);
AT(binlog_type_info, content_type, 16);
AT(binlog_type_info, encoding, 24);
AT(binlog_type_info, message, 32);
AT(binlog_type_info, schema, 40);
AT(binlog_type_info, schema_len, 48);
AT(binlog_type_info, schema_sha256, 56);
AT(binlog_type_info, reserved, 88);

SIZE(binlog_reader_options, 120);
AT(binlog_reader_options, struct_size, 0);
AT(binlog_reader_options, flags, 8);
AT(binlog_reader_options, mode, 12);
AT(binlog_reader_options, on_loss, 16);
AT(binlog_reader_options, on_loss_userdata, 24);
AT(binlog_reader_options, on_loss_drop, 32);
AT(binlog_reader_options, require, 40);
AT(binlog_reader_options, cache, 48);
AT(binlog_reader_options, cache_bytes, 56);
AT(binlog_reader_options, credentials, 64);
AT(binlog_reader_options, block_max_bytes, 72);
AT(binlog_reader_options, log, 80);
AT(binlog_reader_options, open_store, 88);
AT(binlog_reader_options, open_store_userdata, 96);
AT(binlog_reader_options, reserved, 104);

SIZE(binlog_plan_options, 64);
AT(binlog_plan_options, struct_size, 0);
AT(binlog_plan_options, target_bytes, 8);
AT(binlog_plan_options, most, 16);
AT(binlog_plan_options, reserved, 24);

SIZE(binlog_split, 96);
AT(binlog_split, token, 0);
AT(binlog_split, location, 8);
AT(binlog_split, first_id, 16);
AT(binlog_split, last_id, 24);
AT(binlog_split, records, 32);
AT(binlog_split, bytes, 40);
AT(binlog_split, first_time_ns, 48);
AT(binlog_split, last_time_ns, 56);
AT(binlog_split, reserved, 64);

SIZE(binlog_loss, 88);
AT(binlog_loss, path, 0);
AT(binlog_loss, reason, 8);
AT(binlog_loss, offset, 16);
AT(binlog_loss, bytes, 24);
AT(binlog_loss, first_id, 32);
AT(binlog_loss, last_id, 40);
AT(binlog_loss, first_page, 48);
AT(binlog_loss, page_count, 56);
AT(binlog_loss, durable, 64);
AT(binlog_loss, kind, 68);
AT(binlog_loss, reserved, 72);

SIZE(binlog_recovery, 64);
AT(binlog_recovery, records, 0);
AT(binlog_recovery, lost_records, 8);
AT(binlog_recovery, losses, 16);
AT(binlog_recovery, segments, 24);
AT(binlog_recovery, reserved, 32);

SIZE(binlog_type_count, 40);
AT(binlog_type_count, type, 0);
AT(binlog_type_count, several_numbers, 4);
AT(binlog_type_count, records, 8);
AT(binlog_type_count, name, 16);
AT(binlog_type_count, reserved, 24);

SIZE(binlog_roll_options, 112);
AT(binlog_roll_options, struct_size, 0);
AT(binlog_roll_options, period_s, 8);
AT(binlog_roll_options, age_ms, 16);
AT(binlog_roll_options, records, 24);
AT(binlog_roll_options, zone, 32);
AT(binlog_roll_options, name_template, 40);
AT(binlog_roll_options, check, 48);
AT(binlog_roll_options, check_userdata, 56);
AT(binlog_roll_options, check_drop, 64);
AT(binlog_roll_options, reserved, 72);

SIZE(binlog_segment_state, 80);
AT(binlog_segment_state, path, 0);
AT(binlog_segment_state, sequence, 8);
AT(binlog_segment_state, created_ns, 16);
AT(binlog_segment_state, now_ns, 24);
AT(binlog_segment_state, bytes, 32);
AT(binlog_segment_state, first_id, 40);
AT(binlog_segment_state, records, 48);
AT(binlog_segment_state, reserved, 56);

SIZE(binlog_retention, 64);
AT(binlog_retention, struct_size, 0);
AT(binlog_retention, age_ms, 8);
AT(binlog_retention, segments, 16);
AT(binlog_retention, bytes, 24);
AT(binlog_retention, flags, 32);
AT(binlog_retention, reserved32, 36);
AT(binlog_retention, reserved, 40);

SIZE(binlog_pruned, 64);
AT(binlog_pruned, path, 0);
AT(binlog_pruned, reason, 8);
AT(binlog_pruned, sequence, 16);
AT(binlog_pruned, bytes, 24);
AT(binlog_pruned, first_id, 32);
AT(binlog_pruned, last_id, 40);
AT(binlog_pruned, reserved, 48);

SIZE(binlog_hook, 64);
AT(binlog_hook, kind, 0);
AT(binlog_hook, reserved32, 4);
AT(binlog_hook, argument, 8);
AT(binlog_hook, call, 16);
AT(binlog_hook, userdata, 24);
AT(binlog_hook, drop, 32);
AT(binlog_hook, reserved, 40);

SIZE(binlog_segment_file, 96);
AT(binlog_segment_file, path, 0);
AT(binlog_segment_file, log, 8);
AT(binlog_segment_file, reason, 16);
AT(binlog_segment_file, sequence, 24);
AT(binlog_segment_file, created_ns, 32);
AT(binlog_segment_file, first_id, 40);
AT(binlog_segment_file, records, 48);
AT(binlog_segment_file, bytes, 56);
AT(binlog_segment_file, reserved, 64);

SIZE(binlog_required, 64);
AT(binlog_required, struct_size, 0);
AT(binlog_required, name, 8);
AT(binlog_required, content_type, 16);
AT(binlog_required, parameters, 24);
AT(binlog_required, parameter_count, 32);
AT(binlog_required, reserved, 40);

SIZE(binlog_progress, 40);
AT(binlog_progress, path, 0);
AT(binlog_progress, done, 8);
AT(binlog_progress, bytes, 16);
AT(binlog_progress, reserved, 24);

SIZE(binlog_compress_options, 96);
AT(binlog_compress_options, struct_size, 0);
AT(binlog_compress_options, flags, 8);
AT(binlog_compress_options, codec, 12);
AT(binlog_compress_options, level, 16);
AT(binlog_compress_options, threads, 20);
AT(binlog_compress_options, block_bytes, 24);
AT(binlog_compress_options, whole, 28);
AT(binlog_compress_options, on_progress, 32);
AT(binlog_compress_options, on_progress_userdata, 40);
AT(binlog_compress_options, reserved, 48);

SIZE(binlog_compressed, 80);
AT(binlog_compressed, path, 0);
AT(binlog_compressed, source, 8);
AT(binlog_compressed, sha256, 16);
AT(binlog_compressed, sequence, 24);
AT(binlog_compressed, records, 32);
AT(binlog_compressed, bytes_before, 40);
AT(binlog_compressed, bytes_after, 48);
AT(binlog_compressed, source_removed, 56);
AT(binlog_compressed, reserved32, 60);
AT(binlog_compressed, reserved, 64);

SIZE(binlog_store_object, 64);
AT(binlog_store_object, struct_size, 0);
AT(binlog_store_object, name, 8);
AT(binlog_store_object, bytes, 16);
AT(binlog_store_object, modified_ns, 24);
AT(binlog_store_object, tag, 32);
AT(binlog_store_object, sha256, 40);
AT(binlog_store_object, reserved, 48);

SIZE(binlog_store_reply, 48);
AT(binlog_store_reply, struct_size, 0);
AT(binlog_store_reply, context, 8);
AT(binlog_store_reply, failed, 16);
AT(binlog_store_reply, object, 24);
AT(binlog_store_reply, bytes, 32);
AT(binlog_store_reply, version, 40);

SIZE(binlog_store_range, 16);
AT(binlog_store_range, begin, 0);
AT(binlog_store_range, end, 8);

SIZE(binlog_store_upload, 144);
AT(binlog_store_upload, struct_size, 0);
AT(binlog_store_upload, context, 8);
AT(binlog_store_upload, name, 16);
AT(binlog_store_upload, path, 24);
AT(binlog_store_upload, bytes, 32);
AT(binlog_store_upload, sha256, 40);
AT(binlog_store_upload, part_bytes, 72);
AT(binlog_store_upload, part_count, 80);
AT(binlog_store_upload, part_md5, 88);
AT(binlog_store_upload, resume, 96);
AT(binlog_store_upload, read, 104);
AT(binlog_store_upload, sent, 112);
AT(binlog_store_upload, found, 120);
AT(binlog_store_upload, note, 128);
AT(binlog_store_upload, stop, 136);

SIZE(binlog_store_options, 48);
AT(binlog_store_options, struct_size, 0);
AT(binlog_store_options, credentials, 8);
AT(binlog_store_options, part_bytes, 16);
AT(binlog_store_options, timeout_ms, 24);
AT(binlog_store_options, bandwidth, 32);
AT(binlog_store_options, in_flight, 40);
AT(binlog_store_options, reserved32, 44);

SIZE(binlog_store, 152);
AT(binlog_store, struct_size, 0);
AT(binlog_store, userdata, 8);
AT(binlog_store, url, 16);
AT(binlog_store, flags, 24);
AT(binlog_store, reserved32, 28);
AT(binlog_store, stat, 32);
AT(binlog_store, upload, 40);
AT(binlog_store, send_parts, 48);
AT(binlog_store, read, 56);
AT(binlog_store, read_end, 64);
AT(binlog_store, list, 72);
AT(binlog_store, remove, 80);
AT(binlog_store, abort, 88);
AT(binlog_store, abort_stale, 96);
AT(binlog_store, is_directory, 104);
AT(binlog_store, drop, 112);
AT(binlog_store, reserved, 120);

SIZE(binlog_ship_options, 168);
AT(binlog_ship_options, struct_size, 0);
AT(binlog_ship_options, flags, 8);
AT(binlog_ship_options, in_flight, 12);
AT(binlog_ship_options, url, 16);
AT(binlog_ship_options, credentials, 24);
AT(binlog_ship_options, keep, 32);
AT(binlog_ship_options, compress, 40);
AT(binlog_ship_options, part_bytes, 48);
AT(binlog_ship_options, bandwidth, 56);
AT(binlog_ship_options, timeout_ms, 64);
AT(binlog_ship_options, first_delay_ms, 72);
AT(binlog_ship_options, longest_delay_ms, 80);
AT(binlog_ship_options, patience_ms, 88);
AT(binlog_ship_options, stale_ms, 96);
AT(binlog_ship_options, close_wait_ms, 104);
AT(binlog_ship_options, file_mode, 112);
AT(binlog_ship_options, threads, 116);
AT(binlog_ship_options, keep_remote, 120);
AT(binlog_ship_options, open_store, 128);
AT(binlog_ship_options, open_store_userdata, 136);
AT(binlog_ship_options, reserved, 144);

SIZE(binlog_ship_status, 176);
AT(binlog_ship_status, log, 0);
AT(binlog_ship_status, store, 8);
AT(binlog_ship_status, state, 16);
AT(binlog_ship_status, reserved32, 20);
AT(binlog_ship_status, waiting_segments, 24);
AT(binlog_ship_status, waiting_bytes, 32);
AT(binlog_ship_status, oldest_waiting_ns, 40);
AT(binlog_ship_status, uploaded_segments, 48);
AT(binlog_ship_status, uploaded_bytes, 56);
AT(binlog_ship_status, sent_bytes, 64);
AT(binlog_ship_status, pruned_segments, 72);
AT(binlog_ship_status, failures, 80);
AT(binlog_ship_status, last_failure_ns, 88);
AT(binlog_ship_status, last_upload_ns, 96);
AT(binlog_ship_status, shipped_up_to, 104);
AT(binlog_ship_status, damaged_segments, 112);
AT(binlog_ship_status, missing_segments, 120);
AT(binlog_ship_status, reserved, 128);

SIZE(binlog_ship_event, 64);
AT(binlog_ship_event, kind, 0);
AT(binlog_ship_event, found, 4);
AT(binlog_ship_event, path, 8);
AT(binlog_ship_event, sequence, 16);
AT(binlog_ship_event, bytes, 24);
AT(binlog_ship_event, error, 32);
AT(binlog_ship_event, wait_ns, 40);
AT(binlog_ship_event, reserved, 48);

SIZE(binlog_ship_report, 80);
AT(binlog_ship_report, uploaded_segments, 0);
AT(binlog_ship_report, uploaded_bytes, 8);
AT(binlog_ship_report, found_segments, 16);
AT(binlog_ship_report, pruned_segments, 24);
AT(binlog_ship_report, pruned_bytes, 32);
AT(binlog_ship_report, stopped, 40);
AT(binlog_ship_report, reserved32, 44);
AT(binlog_ship_report, reserved, 48);

SIZE(binlog_ship_problem, 56);
AT(binlog_ship_problem, kind, 0);
AT(binlog_ship_problem, is_here, 4);
AT(binlog_ship_problem, sequence, 8);
AT(binlog_ship_problem, last_sequence, 16);
AT(binlog_ship_problem, object, 24);
AT(binlog_ship_problem, message, 32);
AT(binlog_ship_problem, reserved, 40);

SIZE(binlog_ship_verified, 96);
AT(binlog_ship_verified, sound_segments, 0);
AT(binlog_ship_verified, sound_bytes, 8);
AT(binlog_ship_verified, waiting_segments, 16);
AT(binlog_ship_verified, first_sequence, 24);
AT(binlog_ship_verified, last_sequence, 32);
AT(binlog_ship_verified, problems, 40);
AT(binlog_ship_verified, foreign, 48);
AT(binlog_ship_verified, stopped, 56);
AT(binlog_ship_verified, reserved32, 60);
AT(binlog_ship_verified, accepted_segments, 64);
AT(binlog_ship_verified, reserved, 72);

SIZE(binlog_filter, 144);
AT(binlog_filter, struct_size, 0);
AT(binlog_filter, flags, 8);
AT(binlog_filter, reserved32, 12);
AT(binlog_filter, from_id, 16);
AT(binlog_filter, to_id, 24);
AT(binlog_filter, from_time_ns, 32);
AT(binlog_filter, to_time_ns, 40);
AT(binlog_filter, types, 48);
AT(binlog_filter, type_count, 56);
AT(binlog_filter, type_names, 64);
AT(binlog_filter, type_name_count, 72);
AT(binlog_filter, metadata, 80);
AT(binlog_filter, metadata_count, 88);
AT(binlog_filter, last, 96);
AT(binlog_filter, reserved, 104);

SIZE(binlog_table_options, 80);
STATIC_CHECK(offsetof(binlog_table_options, columns) == 8);
STATIC_CHECK(offsetof(binlog_table_options, flags) == 12);
STATIC_CHECK(offsetof(binlog_table_options, metadata) == 16);
STATIC_CHECK(offsetof(binlog_table_options, metadata_count) == 24);
STATIC_CHECK(offsetof(binlog_table_options, batch_rows) == 32);
STATIC_CHECK(offsetof(binlog_table_options, batch_bytes) == 40);
STATIC_CHECK(offsetof(binlog_table_options, reserved) == 48);
SIZE(struct ArrowSchema, 72);
SIZE(struct ArrowArray, 80);
SIZE(struct ArrowArrayStream, 40);

SIZE(binlog_tail, 64);
AT(binlog_tail, state, 0);
AT(binlog_tail, reserved32, 4);
AT(binlog_tail, next_id, 8);
AT(binlog_tail, offset, 16);
AT(binlog_tail, unread_bytes, 24);
AT(binlog_tail, path, 32);
AT(binlog_tail, reason, 40);
AT(binlog_tail, reserved, 48);

SIZE(binlog_segment, 88);
AT(binlog_segment, sequence, 0);
AT(binlog_segment, first_id, 8);
AT(binlog_segment, created_ns, 16);
AT(binlog_segment, bytes, 24);
AT(binlog_segment, path, 32);
AT(binlog_segment, name, 40);
AT(binlog_segment, content_type, 48);
AT(binlog_segment, parameters, 56);
AT(binlog_segment, parameter_count, 64);
AT(binlog_segment, reserved, 72);
#endif

/* Numbers are never reused: old programs still hold them. */
STATIC_CHECK(BINLOG_OK == 0 && BINLOG_END == 1 && BINLOG_TIMEOUT == 2 && BINLOG_DROPPED == 3);
STATIC_CHECK(BINLOG_E_INVALID == -1 && BINLOG_E_IO == -2 && BINLOG_E_CORRUPT == -3 && BINLOG_E_NOT_FOUND == -4);
STATIC_CHECK(BINLOG_E_LOCKED == -5 && BINLOG_E_TOO_LARGE == -6 && BINLOG_E_UNSUPPORTED == -7);
STATIC_CHECK(BINLOG_E_FAILED == -8 && BINLOG_E_NO_SPACE == -9 && BINLOG_E_FORKED == -10 && BINLOG_E_PANIC == -100);
STATIC_CHECK(BINLOG_E_MISSED == -11 && BINLOG_E_MISMATCH == -12 && BINLOG_E_NO_MEMORY == -13);
STATIC_CHECK(BINLOG_E_INTERRUPTED == -14 && BINLOG_FOREVER == INT64_MAX);
STATIC_CHECK(BINLOG_CODEC_NONE == 0 && BINLOG_CODEC_LZ4 == 1 && BINLOG_CODEC_ZSTD == 2);
STATIC_CHECK(BINLOG_RECORD_TIME == 1 && BINLOG_RECORD_EVENT == 2 && BINLOG_RECORD_NO_PAYLOAD == 4);
STATIC_CHECK(BINLOG_TYPE_NAMED == 0x40000000u && BINLOG_TYPE_EVENT == 0x80000000u);
STATIC_CHECK(BINLOG_EVENT_STARTED == 0x80000001u && BINLOG_EVENT_TYPE == 0x8000000Au);
STATIC_CHECK(BINLOG_EVENT_SCHEMA == 0x8000000Bu);
STATIC_CHECK(BINLOG_NEVER == 0xFFFFFFFFu && BINLOG_WRITER_BACKGROUND == 1);
STATIC_CHECK(BINLOG_FULL_DISK_FAIL == 0 && BINLOG_FULL_DISK_WAIT == 1 && BINLOG_FULL_DISK_DROP == 2);
STATIC_CHECK(BINLOG_READER_PREFIX == 0 && BINLOG_READER_STRICT == 1 && BINLOG_READER_SALVAGE == 2);
STATIC_CHECK(BINLOG_FILTER_HEADERS == 1 && BINLOG_FILTER_EVENTS == 2 && BINLOG_FILTER_NEWEST_FIRST == 4);
STATIC_CHECK(BINLOG_HOOK_CALL == 1 && BINLOG_HOOK_CHANGE_EXTENSION == 2);
STATIC_CHECK(BINLOG_HOOK_MOVE_TO == 3 && BINLOG_HOOK_DELETE == 4 && BINLOG_PRUNE_DRY_RUN == 1);
STATIC_CHECK(BINLOG_RETENTION_UNSHIPPED == 1);
STATIC_CHECK(BINLOG_COMPRESS_KEEP_SOURCE == 1 && BINLOG_COMPRESS_SHA256_NAME == 2 && BINLOG_COMPRESS_NO_DICTIONARY == 4);
STATIC_CHECK(BINLOG_COMPRESS_DRY_RUN == 8 && BINLOG_COMPRESS_REMOVE_SINGLE == 16);
STATIC_CHECK(BINLOG_WHOLE_NONE == 0 && BINLOG_WHOLE_GZIP == 1 && BINLOG_WHOLE_ZSTD == 2);
STATIC_CHECK(BINLOG_SHIP_NO_ROLL_AT_CLOSE == 1 && BINLOG_SHIP_DRY_RUN == 2);
STATIC_CHECK(BINLOG_SHIP_IDLE == 0 && BINLOG_SHIP_WORKING == 1 && BINLOG_SHIP_WAITING == 2);
STATIC_CHECK(BINLOG_SHIP_EVENT_BEGINS == 1 && BINLOG_SHIP_EVENT_SENT == 2 && BINLOG_SHIP_EVENT_UPLOADED == 3);
STATIC_CHECK(BINLOG_SHIP_EVENT_PRUNED == 4 && BINLOG_SHIP_EVENT_FAILED == 5);
STATIC_CHECK(BINLOG_SHIP_PROBLEM_MISSING == 1 && BINLOG_SHIP_PROBLEM_DIFFERENT == 2);
STATIC_CHECK(BINLOG_SHIP_PROBLEM_GAP == 3 && BINLOG_SHIP_PROBLEM_FOREIGN == 4);
STATIC_CHECK(BINLOG_SHIP_VERIFY_READ_BACK == 1);
STATIC_CHECK(BINLOG_TAIL_MORE == 0 && BINLOG_TAIL_CLOSED == 1 && BINLOG_TAIL_LIVE == 2);
STATIC_CHECK(BINLOG_TAIL_UNCLOSED == 3 && BINLOG_TAIL_TORN == 4 && BINLOG_TAIL_CORRUPT == 5);

/* The initialisers write struct_size and zeros (which mean the defaults), never more than the size they are given. */
#define CHECK_INIT(type, init)                                                            \
  do {                                                                                    \
    struct { type options; unsigned char after[8]; } room;                                \
    const unsigned char *bytes = (const unsigned char *)&room;                            \
    memset(&room, 0xA5, sizeof room);                                                     \
    CHECK_IS(init(&room.options, sizeof room.options), BINLOG_OK);                        \
    CHECK(room.options.struct_size == sizeof room.options);                               \
    for (size_t i = sizeof(size_t); i < sizeof(type); i++) CHECK(bytes[i] == 0);          \
    for (size_t i = 0; i < sizeof room.after; i++) CHECK(room.after[i] == 0xA5);          \
    CHECK_IS(init(NULL, sizeof room.options), BINLOG_E_INVALID);                          \
    CHECK_IS(init(&room.options, 0), BINLOG_E_INVALID);                                   \
    CHECK_IS(init(&room.options, sizeof(type) - 8), BINLOG_E_INVALID);                    \
  } while (0)

static void test(const char *scratch) {
  (void)scratch;
  CHECK_INIT(binlog_writer_options, binlog_writer_options_init);
  CHECK_INIT(binlog_reader_options, binlog_reader_options_init);
  CHECK_INIT(binlog_plan_options, binlog_plan_options_init);
  CHECK_INIT(binlog_filter, binlog_filter_init);
  CHECK_INIT(binlog_roll_options, binlog_roll_options_init);
  CHECK_INIT(binlog_retention, binlog_retention_init);
  CHECK_INIT(binlog_required, binlog_required_init);
  CHECK_INIT(binlog_compress_options, binlog_compress_options_init);
  CHECK_INIT(binlog_table_options, binlog_table_options_init);
  CHECK_INIT(binlog_ship_options, binlog_ship_options_init);

  /* version_number and version are the same: "major.minor.patch". */
  const uint32_t number = binlog_version_number();
  char expected[40];
  snprintf(expected, sizeof expected, "%u.%u.%u", (unsigned)(number >> 16), (unsigned)(number >> 8 & 255),
           (unsigned)(number & 255));
  CHECK(strncmp(binlog_version(), expected, strlen(expected)) == 0);

  /* Every status has a name of its own, and an unknown one does not crash. */
  static const binlog_status all[] = {
      BINLOG_OK, BINLOG_END, BINLOG_TIMEOUT, BINLOG_DROPPED, BINLOG_E_INVALID, BINLOG_E_IO, BINLOG_E_CORRUPT,
      BINLOG_E_NOT_FOUND, BINLOG_E_LOCKED, BINLOG_E_TOO_LARGE, BINLOG_E_UNSUPPORTED, BINLOG_E_FAILED,
      BINLOG_E_NO_SPACE, BINLOG_E_FORKED, BINLOG_E_MISSED, BINLOG_E_MISMATCH, BINLOG_E_NO_MEMORY,
      BINLOG_E_INTERRUPTED, BINLOG_E_PANIC};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    for (size_t j = 0; j < i; j++) CHECK(strcmp(binlog_status_name(all[i]), binlog_status_name(all[j])) != 0);
  CHECK(binlog_status_name(-12345) != NULL && binlog_status_name(12345) != NULL);
  for (uint32_t i = BINLOG_LOSS_DAMAGE; i <= BINLOG_LOSS_TOO_LARGE; i++)
    for (uint32_t j = 0; j < i; j++) CHECK(strcmp(binlog_loss_kind_name(i), binlog_loss_kind_name(j)) != 0);
  CHECK(strcmp(binlog_loss_kind_name(BINLOG_LOSS_TORN_TAIL), "torn_tail") == 0);
  for (uint32_t i = BINLOG_TAIL_MORE; i <= BINLOG_TAIL_CORRUPT + 1; i++)
    for (uint32_t j = 0; j < i; j++) CHECK(strcmp(binlog_tail_state_name(i), binlog_tail_state_name(j)) != 0);
  CHECK(strcmp(binlog_tail_state_name(BINLOG_TAIL_TORN), "torn") == 0 && binlog_tail_state_name(99) != NULL);
}

int main(int argc, char **argv) { return test_main(argc, argv, test); }
