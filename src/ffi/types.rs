//! The plain structs and numbers of the C interface.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

pub use super::compress::binlog_compress_options;
pub use super::hooks::{binlog_failure_callback, binlog_hook};
pub use super::required::binlog_required;
pub use super::rolling::{binlog_retention, binlog_roll_options};
pub use super::ship::binlog_ship_options;
pub use crate::store::table::binlog_store_open_callback;

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
    /// Nanoseconds since the Unix epoch, UTC. When appending, 0 without BINLOG_RECORD_TIME means now.
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

/// Ids of the last record at each stage; 0 if there is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_position {
    /// Taken by the writer.
    pub appended_id: u64,
    /// Passed to the system: survives the process.
    pub flushed_id: u64,
    /// On the disk: survives the machine.
    pub durable_id: u64,
    pub reserved: [u64; 3],
}

/// How a log is written. Set it to zeros, or call binlog_writer_options_init, and change what is needed: zero means
/// the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_writer_options {
    /// sizeof(binlog_writer_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_WRITER_*.
    pub flags: u32,
    /// BINLOG_CODEC_*: compression of payloads, block by block.
    pub codec: u32,
    /// zstd's level; 0 = 1.
    pub codec_level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB; 0 = 128 KiB.
    pub block_bytes: u32,
    /// Name of the log, 1 to 128 bytes of UTF-8 without a slash, which begins its files' names; NULL = "default".
    pub name: *const c_char,
    /// The MIME type of the payloads; NULL = "application/octet-stream".
    pub content_type: *const c_char,
    /// The user's own facts: key, value, key, value ...; stored in every segment's header.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    /// Rolls to a new segment before one grows over this many bytes, at least block_bytes (128 KiB by default); 0 = 1
    /// GiB, UINT64_MAX = never.
    pub segment_bytes: u64,
    /// The longest payload that is accepted, up to 2 GiB - 1; 0 = 1 GiB.
    pub record_max_bytes: u64,
    /// Flush before an append returns that would leave this many records, or bytes of payload, unflushed; 0 = no rule.
    pub flush_records: u64,
    pub flush_bytes: u64,
    /// Sync likewise: sync_records = 1 makes every append durable before it returns.
    pub sync_records: u64,
    pub sync_bytes: u64,
    /// Flush data of this age, in milliseconds: on time with the background thread, otherwise in the next append or
    /// binlog_writer_tick; 0 = 1000, BINLOG_NEVER.
    pub flush_interval_ms: u32,
    /// Sync likewise; 0 = never.
    pub sync_interval_ms: u32,
    /// Permission bits of new files, whatever the umask is; 0 = 0640.
    pub file_mode: u32,
    /// BINLOG_FULL_DISK_*: the policy for a full disk, quota or file size limit.
    pub full_disk: u32,
    /// With BINLOG_FULL_DISK_WAIT, the longest wait of a call, in milliseconds; 0 = no limit. Otherwise 0.
    pub full_disk_wait_ms: u64,
    /// A part of a segment's index is written after this many bytes of the file: opening after a crash may have to read
    /// that much; 0 = 64 MiB, at least 4096.
    pub index_bytes: u64,
    /// When a log of segments rolls besides its size, and how they are named; NULL = neither age nor period, and the
    /// default names.
    pub roll: *const binlog_roll_options,
    /// Which old segments are removed, after each roll and when the writer is opened; NULL = none.
    pub keep: *const binlog_retention,
    /// Requirements for an existing log; NULL = none.
    pub require: *const binlog_required,
    /// Called when a segment is begun, or an existing one is continued; in their order.
    pub on_open: *const binlog_hook,
    /// Number of hooks in on_open.
    pub on_open_count: usize,
    /// Called when a segment was closed and is durable, including the last one when the writer is closed.
    pub on_close: *const binlog_hook,
    /// Number of hooks in on_close.
    pub on_close_count: usize,
    /// Called for failures of anything but the writing of records; may be NULL. binlog_writer_failures counts them
    /// anyway.
    pub on_failure: binlog_failure_callback,
    /// Passed to on_failure.
    pub on_failure_userdata: *mut c_void,
    /// Called once with on_failure_userdata after the last call of on_failure, as binlog_hook.drop is.
    pub on_failure_drop: binlog_drop_callback,
    /// A BINLOG_EVENT_HEARTBEAT is written when this many milliseconds have passed since the last one, by the
    /// background thread or in binlog_writer_tick: it shows readers that the writer of a quiet log is alive; 0 = never.
    pub heartbeat_ms: u64,
    /// Group that owns new files: its name, or its number in digits; NULL = the system's default.
    pub file_group: *const c_char,
    /// Ships closed segments to a store, in a thread of the library; NULL = no shipping. on_failure is called for each
    /// failure. A log that is one file has no closed segments: BINLOG_E_UNSUPPORTED. It cannot be combined with hooks
    /// that move or remove segments, because those segments could not be shipped.
    pub ship: *const binlog_ship_options,
    /// Must be 0.
    pub reserved: [u64; 5],
}

/// Something that a cursor or a recovery could not read, or skips. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_loss {
    /// The file that contained it, or that shows that it is missing.
    pub path: *const c_char,
    /// What is wrong with the bytes, in one line.
    pub reason: *const c_char,
    /// The skipped bytes; bytes is 0 when bytes that should follow are missing.
    pub offset: u64,
    pub bytes: u64,
    /// First and last id of the lost records; 0 and 0 when there are none, or they are not known.
    pub first_id: u64,
    pub last_id: u64,
    /// Number of the first damaged page of 4 KiB of the block's payload, and the number of damaged pages; 0 and 0 when
    /// the damage is not in pages.
    pub first_page: u64,
    pub page_count: u64,
    /// 1 when the bytes had been made durable, which means that a disk or a person damaged them and not a crash;
    /// otherwise 0.
    pub durable: u32,
    /// BINLOG_LOSS_*: the kind of loss. Later versions may add kinds.
    pub kind: u32,
    pub reserved: [u64; 2],
}

/// Called for a loss, in the thread that reads, which waits for it. It must not use the cursor or the reader that calls
/// it, and must not throw or jump out.
pub type binlog_loss_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, loss: *const binlog_loss)>;

/// Frees the userdata of a callback.
pub type binlog_drop_callback = Option<unsafe extern "C" fn(userdata: *mut c_void)>;

/// How a log is read. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_reader_options {
    /// sizeof(binlog_reader_options) of the caller.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u32,
    /// BINLOG_READER_*.
    pub mode: u32,
    /// Called by each cursor for each loss that it finds and skips: with BINLOG_READER_SALVAGE for all of them, with
    /// BINLOG_READER_PREFIX for those that cause no error (binlog_loss.kind), with BINLOG_READER_STRICT for none. May
    /// be NULL. Cursors in several threads call it at the same time.
    pub on_loss: binlog_loss_callback,
    /// Passed to on_loss.
    pub on_loss_userdata: *mut c_void,
    /// Called once with on_loss_userdata after the last call of on_loss: when the reader and all its cursors are
    /// closed, or before binlog_reader_open returns if it fails or on_loss is NULL. Runs in the thread that does that,
    /// and must not throw or jump out. May be NULL. Not called when struct_size is wrong: then nothing else was read.
    pub on_loss_drop: binlog_drop_callback,
    /// Requirements for the log; NULL = none.
    pub require: *const binlog_required,
    /// For a log in a store: a local directory as a cache, so nothing is fetched twice. It is created if needed, and
    /// any number of processes of one user may share it. A directory that other users may write to is refused
    /// (BINLOG_E_INVALID): they could put records into the log. NULL = no cache.
    pub cache: *const c_char,
    /// How many bytes that directory may contain; the least recently used are removed first. 0 = 1 GiB.
    pub cache_bytes: u64,
    /// For a log in a store: a file of KEY=VALUE lines with the credentials, which other users must not be able to
    /// read; NULL = they are in the environment, or are provided by the machine itself.
    pub credentials: *const c_char,
    /// The most memory, in bytes, that reading one block may take: its stored bytes, and its decompressed bytes; bytes
    /// that are not read, such as payloads with BINLOG_FILTER_HEADERS, do not count. A block that takes more is
    /// BINLOG_E_TOO_LARGE, and a loss for a reader that salvages. 0 = 4 GiB: every block that a writer makes without
    /// compression. Use a smaller limit for a log from an untrusted source.
    pub block_max_bytes: u64,
    /// In a directory or a pattern with several logs, only the one of this name is read, as UTF-8; NULL = all of them,
    /// one after the other. BINLOG_E_NOT_FOUND when none has it.
    pub log: *const c_char,
    /// For a log in a store that is neither a directory nor one of libbinlog_stores: opens it, during
    /// binlog_reader_open. Called for each URL except those of directories; if it returns BINLOG_E_UNSUPPORTED,
    /// libbinlog_stores is asked. May be NULL.
    pub open_store: binlog_store_open_callback,
    /// Passed to open_store.
    pub open_store_userdata: *mut c_void,
    /// Must be 0.
    pub reserved: [u64; 2],
}

/// Which records a cursor shows. Zeros show all.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_filter {
    /// sizeof(binlog_filter) of the caller.
    pub struct_size: usize,
    /// BINLOG_FILTER_*.
    pub flags: u32,
    /// Must be 0.
    pub reserved32: u32,
    /// From the first id to the second, both included; 0 = no bound.
    pub from_id: u64,
    pub to_id: u64,
    /// From this time on and before that one, in nanoseconds since the Unix epoch; 0 = no bound.
    pub from_time_ns: i64,
    pub to_time_ns: i64,
    /// Of these types, or of the named ones below; of all types if none is given.
    pub types: *const u32,
    pub type_count: usize,
    /// Names of types, NUL-terminated UTF-8. A name that the log does not contain is no error: it has no records yet.
    pub type_names: *const *const c_char,
    pub type_name_count: usize,
    /// With each of these metadata pairs: key, value, key, value ...; NUL-terminated UTF-8.
    pub metadata: *const *const c_char,
    /// Number of pairs in metadata.
    pub metadata_count: usize,
    /// Only the last N of the records that match the rest, in the same order; 0 = all. Events do not count.
    pub last: u64,
    /// Must be 0.
    pub reserved: [u64; 5],
}

/// How many records of a type a log contains.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_type_count {
    /// The type's number.
    pub r#type: u32,
    pub reserved32: u32,
    pub records: u64,
    /// The name that the number was given for, NUL-terminated; NULL if there is none. It lives until the callback
    /// returns.
    pub name: *const c_char,
    pub reserved: [u64; 2],
}

/// Called for a type.
pub type binlog_type_count_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, counted: *const binlog_type_count)>;

/// What a recovery saved and what it could not.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_recovery {
    /// Records in the segments that were written.
    pub records: u64,
    /// Records that are known to be lost.
    pub lost_records: u64,
    /// Losses that were reported; a loss need not cost a record.
    pub losses: u64,
    /// Segments that were written.
    pub segments: u64,
    pub reserved: [u64; 4],
}

/// Where a cursor came to an end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_tail {
    /// BINLOG_TAIL_*.
    pub state: u32,
    pub reserved32: u32,
    /// The id that the next record would have: use it as binlog_filter.from_id to continue reading later. At most the id
    /// after binlog_filter.to_id. With to_time_ns, records of a later time before this id have been passed: to read on
    /// from that time, do not set from_id.
    pub next_id: u64,
    /// Where reading stopped in the file that was read last, and how many bytes follow there.
    pub offset: u64,
    pub unread_bytes: u64,
    /// That file, and what was wrong with the unread bytes; "" if nothing. They live until the cursor's next call.
    pub path: *const c_char,
    pub reason: *const c_char,
    pub reserved: [u64; 2],
}

/// The facts of a segment. The strings live as long as the reader.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_segment {
    /// Number of the segment in its log, from 1.
    pub sequence: u64,
    /// Id of the first record in it.
    pub first_id: u64,
    /// When it was created, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Its length when the reader was opened; 0 for a file that is compressed as a whole.
    pub bytes: u64,
    /// The file.
    pub path: *const c_char,
    /// The log's name and the MIME type of its payloads.
    pub name: *const c_char,
    pub content_type: *const c_char,
    /// The parameters that its writer set: key, value, key, value ..., sorted by key; NULL when there are none.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    pub reserved: [u64; 2],
}

/// An error: a line for people and facts for programs. Free it with binlog_error_free.
pub struct binlog_error {
    pub(super) facts: super::error::ErrorFacts,
}

/// A log being written. Threads may share it, except for closing.
pub struct binlog_writer {
    /// The writer's number for checks of the callback that a thread is in.
    pub(super) caller: usize,
    /// Taken out when the writer is closed, while callbacks may still use the handle.
    pub(super) writer: std::mem::ManuallyDrop<crate::Writer>,
    /// The strings of a status, after the first request for them.
    pub(super) ship: std::sync::OnceLock<super::ship::ShipStrings>,
}

/// A log to be read. Threads may share it, except for closing.
pub struct binlog_reader {
    pub(super) reader: crate::Reader,
    pub(super) segments: std::sync::OnceLock<Vec<super::reader::SegmentStrings>>,
}

/// Records of a log, one after the other. Belongs to one thread at a time, except for binlog_cursor_interrupt.
pub struct binlog_cursor {
    /// Read by any thread while another one uses the rest.
    pub(super) interrupter: crate::Interrupter,
    pub(super) cursor: crate::Cursor,
    pub(super) tail: super::cursor::TailStrings,
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<binlog_slice>() == 16);
    assert!(size_of::<binlog_record>() == 72);
    assert!(offset_of!(binlog_record, r#type) == 48);
    assert!(size_of::<binlog_position>() == 48);
    assert!(size_of::<binlog_writer_options>() == 280);
    assert!(offset_of!(binlog_writer_options, full_disk_wait_ms) == 120);
    assert!(size_of::<binlog_reader_options>() == 120);
    assert!(size_of::<binlog_filter>() == 144);
    assert!(size_of::<binlog_tail>() == 64);
    assert!(size_of::<binlog_segment>() == 88);
    assert!(size_of::<binlog_loss>() == 88);
    assert!(size_of::<binlog_type_count>() == 40);
    assert!(size_of::<binlog_recovery>() == 64);
};
