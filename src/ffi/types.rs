//! The plain structs and numbers of the C interface.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::c_void;

/// The result of a call: 0 = done, greater = an outcome that is no error, less = an error. Numbers are never reused.
pub type binlog_status = i32;

/// Done.
pub const BINLOG_OK: i32 = 0;
/// There is no more, for now.
pub const BINLOG_END: i32 = 1;
/// The time was up.
pub const BINLOG_TIMEOUT: i32 = 2;
/// The disk is full, and the records were dropped and counted: see BINLOG_FULL_DISK_DROP.
pub const BINLOG_DROPPED: i32 = 3;
/// The arguments are wrong; nothing was done.
pub const BINLOG_E_INVALID: i32 = -1;
/// The system failed to read or write; binlog_error_os_code returns the reason.
pub const BINLOG_E_IO: i32 = -2;
/// The bytes of a file are not what a writer wrote.
pub const BINLOG_E_CORRUPT: i32 = -3;
/// There is no such file, log, record, type or key.
pub const BINLOG_E_NOT_FOUND: i32 = -4;
/// Another writer has the log open, or another process ships it.
pub const BINLOG_E_LOCKED: i32 = -5;
/// A record, a batch, a buffer or a block is over its limit.
pub const BINLOG_E_TOO_LARGE: i32 = -6;
/// This build, this format version or this kind of log cannot do it.
pub const BINLOG_E_UNSUPPORTED: i32 = -7;
/// An fsync failed earlier: the writer refuses everything until the log is opened anew.
pub const BINLOG_E_FAILED: i32 = -8;
/// The disk, the quota or the file size limit is full. Writing works again once there is space.
pub const BINLOG_E_NO_SPACE: i32 = -9;
/// The handle was made before a fork, and this is the child.
pub const BINLOG_E_FORKED: i32 = -10;
/// Records that were requested are no longer in the log, because old segments were removed: binlog_error_missed returns
/// which. Reported once; the next call continues behind them.
pub const BINLOG_E_MISSED: i32 = -11;
/// The log is not the required one, or a store contains another object than was shipped.
pub const BINLOG_E_MISMATCH: i32 = -12;
/// The system has no memory for what a file, the caller or another machine requires. Nothing was done; the same call
/// may be tried again. Small allocations of a fixed size are not checked: if one fails, the process ends.
pub const BINLOG_E_NO_MEMORY: i32 = -13;
/// A wait was ended from outside, by binlog_cursor_interrupt or because a signal handler has run in the thread. Nothing
/// was done; the same call may be repeated.
pub const BINLOG_E_INTERRUPTED: i32 = -14;
/// A defect of the library. The handle must not be used any more, except to close it.
pub const BINLOG_E_PANIC: i32 = -100;

/// A time-out of binlog_cursor_wait without an end.
pub const BINLOG_FOREVER: i64 = i64::MAX;
/// For binlog_writer_options.fill_ahead_bytes: a segment is never filled with zeros ahead of its blocks.
pub const BINLOG_FILL_NEVER: u64 = u64::MAX;

/// Payloads as they are.
pub const BINLOG_CODEC_NONE: u32 = 0;
/// LZ4: the fastest.
pub const BINLOG_CODEC_LZ4: u32 = 1;
/// Zstandard: smaller.
pub const BINLOG_CODEC_ZSTD: u32 = 2;

/// binlog_record.flags: time_ns is set, even if it is 0. Set in every record that a cursor shows.
pub const BINLOG_RECORD_TIME: u32 = 1;
/// binlog_record.flags: one of the library's own events.
pub const BINLOG_RECORD_EVENT: u32 = 2;
/// binlog_record.flags: only headers are read, of records and of events; data is NULL, but len is the payload's length.
pub const BINLOG_RECORD_NO_PAYLOAD: u32 = 4;

/// Types from here on were given for a name by binlog_writer_type. Numbers below are the user's own.
pub const BINLOG_TYPE_NAMED: u32 = 0x4000_0000;
/// Types from here on are the library's own events.
pub const BINLOG_TYPE_EVENT: u32 = 0x8000_0000;
/// A writer began.
pub const BINLOG_EVENT_STARTED: u32 = 0x8000_0001;
/// A writer ended.
pub const BINLOG_EVENT_STOPPED: u32 = 0x8000_0002;
/// A writer is alive.
pub const BINLOG_EVENT_HEARTBEAT: u32 = 0x8000_0003;
/// The log continues in the segment named by the metadata "file".
pub const BINLOG_EVENT_ROTATE_NEXT: u32 = 0x8000_0004;
/// The log comes from the segment named by the metadata "file".
pub const BINLOG_EVENT_ROTATE_PREV: u32 = 0x8000_0005;
/// The segment was opened for writing.
pub const BINLOG_EVENT_OPENED: u32 = 0x8000_0006;
/// The segment was closed.
pub const BINLOG_EVENT_CLOSED: u32 = 0x8000_0007;
/// A torn tail was cut: metadata "offset", "bytes", "kept" (file that keeps them), "reason". Or a recovery declares
/// which records are lost here: metadata "first_lost_id", "last_lost_id".
pub const BINLOG_EVENT_RECOVERED: u32 = 0x8000_0008;
/// Records were dropped by the policy for a full disk: metadata "count" (since the last such event), "total" (since the
/// writer was opened).
pub const BINLOG_EVENT_DROPPED: u32 = 0x8000_0009;
/// A type was named: metadata "id", "name", "content_type".
pub const BINLOG_EVENT_TYPE: u32 = 0x8000_000A;
/// A schema of types: metadata "sha256", "encoding"; the payload is the schema.
pub const BINLOG_EVENT_SCHEMA: u32 = 0x8000_000B;

/// In an option in milliseconds: never.
pub const BINLOG_NEVER: u32 = 0xFFFF_FFFF;
/// binlog_writer_options.flags: encode and write in one background thread.
pub const BINLOG_WRITER_BACKGROUND: u32 = 1;
/// binlog_writer_options.full_disk: a call that finds the disk full fails with BINLOG_E_NO_SPACE, an append before it
/// takes its record.
pub const BINLOG_FULL_DISK_FAIL: u32 = 0;
/// binlog_writer_options.full_disk: append, flush, sync, roll and close wait for space, and fail with
/// BINLOG_E_NO_SPACE after full_disk_wait_ms. Opening a log, binlog_writer_tick and the background thread do not wait.
pub const BINLOG_FULL_DISK_WAIT: u32 = 1;
/// binlog_writer_options.full_disk: an append that finds no room drops its record, or all of its batch, counts it, and
/// returns BINLOG_DROPPED. No id is taken. Other calls fail with BINLOG_E_NO_SPACE as long as records that were taken
/// cannot be written.
pub const BINLOG_FULL_DISK_DROP: u32 = 2;
/// binlog_reader_options.mode: damage is an error after everything before it has been read; a torn tail is an end.
pub const BINLOG_READER_PREFIX: u32 = 0;
/// binlog_reader_options.mode: a torn tail, an end without a clean close and a damaged index are errors too.
pub const BINLOG_READER_STRICT: u32 = 1;
/// binlog_reader_options.mode: continue behind damage, and call on_loss for each loss. Not with
/// BINLOG_FILTER_NEWEST_FIRST.
pub const BINLOG_READER_SALVAGE: u32 = 2;
/// binlog_filter.flags: never touch the bytes of payloads.
pub const BINLOG_FILTER_HEADERS: u32 = 1;
/// binlog_filter.flags: show the library's own events too.
pub const BINLOG_FILTER_EVENTS: u32 = 2;
/// binlog_filter.flags: from the newest record to the oldest; what is appended later is not shown.
pub const BINLOG_FILTER_NEWEST_FIRST: u32 = 4;

/// binlog_loss.kind: bytes that are not what was written.
pub const BINLOG_LOSS_DAMAGE: u32 = 1;
/// binlog_loss.kind: the end of a log that a crash tore: its bytes had never been durable.
pub const BINLOG_LOSS_TORN_TAIL: u32 = 2;
/// binlog_loss.kind: bytes, records or segments that should exist are missing.
pub const BINLOG_LOSS_MISSING: u32 = 3;
/// binlog_loss.kind: the beginning of a segment is damaged, or nothing is left of it.
pub const BINLOG_LOSS_HEADER_LOST: u32 = 4;
/// binlog_loss.kind: bytes were removed from the file, or inserted into it. What follows is read where it is now.
pub const BINLOG_LOSS_SHIFTED: u32 = 5;
/// binlog_loss.kind: bytes that a power cut left, which are no blocks, as a later segment of the log states.
pub const BINLOG_LOSS_HOLE: u32 = 6;
/// binlog_loss.kind: a file of a segment that is read from another file. No record is lost.
pub const BINLOG_LOSS_DOUBLE: u32 = 7;
/// binlog_loss.kind: a file that has the name of another segment. It is read in its place; no record is lost.
pub const BINLOG_LOSS_MISNAMED: u32 = 8;
/// binlog_loss.kind: a damaged file whose segment is read from another one, compressed or not, or a copy. No record is
/// lost.
pub const BINLOG_LOSS_OTHER_FORM: u32 = 9;
/// binlog_loss.kind: something that only a newer version of the library can read.
pub const BINLOG_LOSS_NEWER: u32 = 10;
/// binlog_loss.kind: the name of a type.
pub const BINLOG_LOSS_TYPE_NAME: u32 = 11;
/// binlog_loss.kind: a damaged INDEX block. No record is lost.
pub const BINLOG_LOSS_INDEX: u32 = 12;
/// binlog_loss.kind: a block that takes more memory than binlog_reader_options.block_max_bytes.
pub const BINLOG_LOSS_TOO_LARGE: u32 = 13;

/// binlog_tail.state: the cursor has not come to an end.
pub const BINLOG_TAIL_MORE: u32 = 0;
/// binlog_tail.state: the log was closed cleanly, or the filter's range is passed: everything was read.
pub const BINLOG_TAIL_CLOSED: u32 = 1;
/// binlog_tail.state: a writer has the log open; more may come.
pub const BINLOG_TAIL_LIVE: u32 = 2;
/// binlog_tail.state: no writer has it open and it was never closed; it ends with a whole block. A strict reader fails
/// there with BINLOG_E_CORRUPT; this state distinguishes that from damage.
pub const BINLOG_TAIL_UNCLOSED: u32 = 3;
/// binlog_tail.state: no writer has it open, and the bytes after the last whole block are the torn tail of a crash. A
/// strict reader fails there with BINLOG_E_CORRUPT; this state distinguishes that from damage.
pub const BINLOG_TAIL_TORN: u32 = 4;
/// binlog_tail.state: the cursor stopped at damage.
pub const BINLOG_TAIL_CORRUPT: u32 = 5;

/// Some bytes. data may be NULL when len is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_slice {
    pub data: *const c_void,
    pub len: usize,
}

/// A record, to append or as a cursor shows it. To append one, set it to zeros and fill in what is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_record {
    /// 1, 2, 3 ... across the whole log; ignored when appending. An event has the id of the record that follows it.
    pub id: u64,
    /// Nanoseconds since the Unix epoch, UTC. When appending, 0 without BINLOG_RECORD_TIME means now: the
    /// system's clock, to within 2 microseconds.
    pub time_ns: i64,
    /// The payload.
    pub data: *const c_void,
    pub len: usize,
    /// String pairs: see binlog_metadata_put and binlog_metadata_next.
    pub metadata: *const u8,
    pub metadata_len: usize,
    /// The user's number below BINLOG_TYPE_NAMED, or one that binlog_writer_type returned, or an event's.
    pub r#type: u32,
    /// BINLOG_RECORD_*; when appending only BINLOG_RECORD_TIME applies.
    pub flags: u32,
    /// Must be 0.
    pub reserved: [u64; 2],
}

/// Frees the userdata of a callback.
pub type binlog_drop_callback = Option<unsafe extern "C" fn(userdata: *mut c_void)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<binlog_slice>() == 16);
    assert!(size_of::<binlog_record>() == 72);
    assert!(offset_of!(binlog_record, r#type) == 48);
};
