//! The plain structs and numbers of the C interface.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

pub use super::archive::binlog_archive_options;
pub use super::compress::binlog_compress_options;
pub use super::hooks::{binlog_failure_callback, binlog_hook};
pub use super::required::binlog_required;
pub use super::rolling::{binlog_retention, binlog_roll_options};
pub use crate::store::table::binlog_store_open_callback;

/// What a call came to: 0 = done, greater = an outcome that is no error, less = an error. Numbers are never reused.
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
/// The system failed to read or write; binlog_error_os_code says why.
pub const BINLOG_E_IO: i32 = -2;
/// The bytes of a file are not what a writer wrote.
pub const BINLOG_E_CORRUPT: i32 = -3;
/// There is no such file, log, record, type or key.
pub const BINLOG_E_NOT_FOUND: i32 = -4;
/// Another writer has the log open, or somebody else ships it.
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
/// Records that were asked for are no longer in the log, because old segments were removed: binlog_error_missed says
/// which. Told once; the next call goes on behind them.
pub const BINLOG_E_MISSED: i32 = -11;
/// The log is another one than was required, or a store holds another object than was shipped.
pub const BINLOG_E_MISMATCH: i32 = -12;
/// The system has no memory for what a file, the caller or another machine asked for. Nothing was done; the same call may
/// be tried again. Small allocations of a fixed size are not looked at: where these fail, the process ends.
pub const BINLOG_E_NO_MEMORY: i32 = -13;
/// A waiting was ended from outside, by binlog_cursor_interrupt or because a signal handler has run in the thread. Nothing was
/// done; the same call goes on.
pub const BINLOG_E_INTERRUPTED: i32 = -14;
/// A defect of the library. The handle must not be used any more, except to close it.
pub const BINLOG_E_PANIC: i32 = -100;

/// The time-out of binlog_cursor_wait that never comes.
pub const BINLOG_FOREVER: i64 = i64::MAX;

/// Payloads as they are.
pub const BINLOG_CODEC_NONE: u32 = 0;
/// LZ4: the fastest.
pub const BINLOG_CODEC_LZ4: u32 = 1;
/// Zstandard: smaller.
pub const BINLOG_CODEC_ZSTD: u32 = 2;

/// binlog_record.flags: time_ns is meant, even if it is 0. Set in every record that a cursor shows.
pub const BINLOG_RECORD_TIME: u32 = 1;
/// binlog_record.flags: one of the library's own events.
pub const BINLOG_RECORD_EVENT: u32 = 2;
/// binlog_record.flags: only headers are read, of records and of events; data is NULL and len is the payload's length
/// nevertheless.
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
/// The log goes on in the segment named by the metadata "file".
pub const BINLOG_EVENT_ROTATE_NEXT: u32 = 0x8000_0004;
/// The log comes from the segment named by the metadata "file".
pub const BINLOG_EVENT_ROTATE_PREV: u32 = 0x8000_0005;
/// The segment was opened for writing.
pub const BINLOG_EVENT_OPENED: u32 = 0x8000_0006;
/// The segment was closed.
pub const BINLOG_EVENT_CLOSED: u32 = 0x8000_0007;
/// A torn tail was cut: metadata "offset", "bytes", "kept" (file that keeps them), "reason". Or a recovery says which
/// records are lost here: metadata "first_lost_id", "last_lost_id".
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
/// binlog_reader_options.mode: damage is an error once everything before it has been read; a torn tail is an end.
pub const BINLOG_READER_PREFIX: u32 = 0;
/// binlog_reader_options.mode: a torn tail, an end without a clean close and a damaged index are errors too.
pub const BINLOG_READER_STRICT: u32 = 1;
/// binlog_reader_options.mode: go on behind damage, and tell on_loss of each loss. Not with
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
/// binlog_loss.kind: bytes, records or segments that should be there are not.
pub const BINLOG_LOSS_MISSING: u32 = 3;
/// binlog_loss.kind: the beginning of a segment is damaged, or nothing is left of it.
pub const BINLOG_LOSS_HEADER_LOST: u32 = 4;
/// binlog_loss.kind: bytes were removed from the file, or put into it. What follows is read where it is now.
pub const BINLOG_LOSS_SHIFTED: u32 = 5;
/// binlog_loss.kind: bytes that a power cut left, which are no blocks, as a later segment of the log says.
pub const BINLOG_LOSS_HOLE: u32 = 6;
/// binlog_loss.kind: a file that holds a segment which is read from another one. No record is lost.
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
/// there with BINLOG_E_CORRUPT; this state tells that from damage.
pub const BINLOG_TAIL_UNCLOSED: u32 = 3;
/// binlog_tail.state: no writer has it open, and behind the last whole block is the torn tail that a crash left. A strict
/// reader fails there with BINLOG_E_CORRUPT; this state tells that from damage.
pub const BINLOG_TAIL_TORN: u32 = 4;
/// binlog_tail.state: the cursor stopped at damage.
pub const BINLOG_TAIL_CORRUPT: u32 = 5;

/// Some bytes. data may be NULL when len is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_slice {
    pub data: *const u8,
    pub len: usize,
}

/// A record, to append or as a cursor shows it. To append one, set it to zeros and fill in what is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_record {
    /// 1, 2, 3 ... across the whole log; ignored when appending. An event shows the id of the record that follows it.
    pub id: u64,
    /// Nanoseconds since the Unix epoch, UTC. When appending, 0 without BINLOG_RECORD_TIME means now.
    pub time_ns: i64,
    /// The payload.
    pub data: *const u8,
    pub len: usize,
    /// String pairs: see binlog_metadata_put and binlog_metadata_next.
    pub metadata: *const u8,
    pub metadata_len: usize,
    /// The user's number below BINLOG_TYPE_NAMED, or one that binlog_writer_type gave, or an event's.
    /// Named `type` in C.
    pub r#type: u32,
    /// BINLOG_RECORD_*; when appending only BINLOG_RECORD_TIME counts.
    pub flags: u32,
    /// Must be 0.
    pub reserved: [u64; 2],
}

/// Ids of the last record that has got so far; 0 for none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_position {
    /// Taken by the writer.
    pub appended_id: u64,
    /// Handed to the system: survives the process.
    pub flushed_id: u64,
    /// On the disk: survives the machine.
    pub durable_id: u64,
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
    /// Name of the log, 1 to 128 bytes of UTF-8 without a slash; begins its files' names; NULL = "default".
    pub name: *const c_char,
    /// What the payloads are, as a MIME type; NULL = "application/octet-stream".
    pub content_type: *const c_char,
    /// Facts of the user's own: key, value, key, value ...; kept in every segment's header.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    /// Roll to a new segment rather than let one grow over this many bytes, at least block_bytes (128 KiB by default); 0 = 1 GiB,
    /// UINT64_MAX = never.
    pub segment_bytes: u64,
    /// The longest payload that is accepted, up to 2 GiB - 1; 0 = 1 GiB.
    pub record_max_bytes: u64,
    /// Flush before an append returns that would leave so many records, or bytes of payload, unflushed; 0 = no rule.
    pub flush_records: u64,
    pub flush_bytes: u64,
    /// Sync likewise: sync_records = 1 makes every append durable before it returns.
    pub sync_records: u64,
    pub sync_bytes: u64,
    /// Flush what is so old, in milliseconds: on time with the background thread, else in the next append or
    /// binlog_writer_tick; 0 = 1000, BINLOG_NEVER.
    pub flush_interval_ms: u32,
    /// Sync likewise; 0 = never.
    pub sync_interval_ms: u32,
    /// Permission bits of new files, whatever the umask is; 0 = 0640.
    pub file_mode: u32,
    /// BINLOG_FULL_DISK_*: what is done when the disk, the quota or the file size limit is full.
    pub full_disk: u32,
    /// With BINLOG_FULL_DISK_WAIT, how long a call waits at the most, in milliseconds; 0 = for ever. Else 0.
    pub full_disk_wait_ms: u64,
    /// The index of a segment grows by a piece after so many bytes of the file: what an opening after a crash may have
    /// to look through; 0 = 64 MiB, at least 4096.
    pub index_bytes: u64,
    /// When a log of segments rolls besides its size, and what they are called; NULL = neither age nor period, and the
    /// default names.
    pub roll: *const binlog_roll_options,
    /// Which old segments are removed, after each roll and when the writer is opened; NULL = none.
    pub keep: *const binlog_retention,
    /// What a log that is there already must be; NULL = any.
    pub require: *const binlog_required,
    /// Called when a segment is begun, or an existing one is being written again; in their order.
    pub on_open: *const binlog_hook,
    /// Number of hooks in on_open.
    pub on_open_count: usize,
    /// Called when a segment was closed and is durable; the last one, when the writer is closed, among them.
    pub on_close: *const binlog_hook,
    /// Number of hooks in on_close.
    pub on_close_count: usize,
    /// Told of what fails beside the writing of records; may be NULL. binlog_writer_failures counts it anyway.
    pub on_failure: binlog_failure_callback,
    /// Given to on_failure.
    pub on_failure_userdata: *mut c_void,
    /// Called once with on_failure_userdata when nothing will call on_failure any more, as binlog_hook.drop is.
    pub on_failure_drop: binlog_drop_callback,
    /// A BINLOG_EVENT_HEARTBEAT is written when so many milliseconds have passed since the last one, by the background
    /// thread or in binlog_writer_tick: a reader sees by it that the writer of a quiet log is alive; 0 = never.
    pub heartbeat_ms: u64,
    /// Group that owns new files: its name, or its number in digits; NULL = as the system gives it.
    pub file_group: *const c_char,
    /// Ships closed segments to a store, in a thread of the library; NULL = does not. on_failure is told of each failure. A
    /// log that is one file has no closed segments: BINLOG_E_UNSUPPORTED. Hooks that move or remove segments do not go
    /// together with it: what is gone cannot be shipped.
    pub archive: *const binlog_archive_options,
    /// Must be 0.
    pub reserved: [u64; 5],
}

/// Something that a cursor or a recovery could not read, or passes over. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_loss {
    /// The file it was in, or that shows that it is missing.
    pub path: *const c_char,
    /// What is wrong with the bytes, in one line.
    pub reason: *const c_char,
    /// The bytes that were passed over; bytes is 0 when those that should follow are not there at all.
    pub offset: u64,
    pub bytes: u64,
    /// First and last id of the records that are lost; 0 and 0 when none are, or nobody knows.
    pub first_id: u64,
    pub last_id: u64,
    /// Number of the first damaged page of 4 KiB of the block's payload, and of how many; 0 and 0 when it is not pages
    /// that are damaged.
    pub first_page: u64,
    pub page_count: u64,
    /// 1 when the bytes had been made durable, so that a disk or a person damaged them and not a crash; else 0.
    pub durable: u32,
    /// BINLOG_LOSS_*: what it is. Later versions may add kinds.
    pub kind: u32,
    pub reserved: [u64; 2],
}

/// Is told of a loss, in the thread that reads, while that waits. It must not use the cursor or the reader that it is
/// told by, and must not throw or jump out.
pub type binlog_loss_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, loss: *const binlog_loss)>;

/// Frees what a callback was given as userdata.
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
    /// Is called by each cursor for each loss that it meets and goes on behind: with BINLOG_READER_SALVAGE all of them,
    /// with BINLOG_READER_PREFIX those that cost no error (binlog_loss.kind), with BINLOG_READER_STRICT none. May be NULL.
    /// Cursors in several threads call it at the same time.
    pub on_loss: binlog_loss_callback,
    /// Given to on_loss.
    pub on_loss_userdata: *mut c_void,
    /// Called once with on_loss_userdata when nothing will call on_loss any more: when the reader and all its cursors
    /// are closed, or before binlog_reader_open returns when it fails or on_loss is NULL. Runs in the thread that does
    /// that, and must not throw or jump out. May be NULL. Not called when struct_size is wrong: then nothing else was
    /// looked at.
    pub on_loss_drop: binlog_drop_callback,
    /// What the log must be; NULL = any.
    pub require: *const binlog_required,
    /// For a log in a store: a directory of this machine that keeps what was fetched, so that it is not fetched again. It is
    /// made when it is not there, and any number of processes of one user may share it. One that others may write is refused
    /// (BINLOG_E_INVALID): they could put records into the log. NULL = nothing is kept.
    pub cache: *const c_char,
    /// How many bytes that directory may hold; what was not used for longest goes first. 0 = 1 GiB.
    pub cache_bytes: u64,
    /// For a log in a store: a file of KEY=VALUE lines with the credentials, which others must not be able to read; NULL =
    /// the environment has them, or the machine itself.
    pub credentials: *const c_char,
    /// The most memory, in bytes, that reading one block may take: its bytes as they are stored, and those they are
    /// decompressed to; what is not read, such as payloads with BINLOG_FILTER_HEADERS, does not count. A block that takes
    /// more is BINLOG_E_TOO_LARGE, and a loss for a reader that salvages. 0 = 4 GiB: every block that a writer makes without
    /// compression. A log from somebody else is better read with less.
    pub block_max_bytes: u64,
    /// Of the logs of a directory or a pattern, the one of this name alone is read, as UTF-8; NULL = all of them, one after the
    /// other. BINLOG_E_NOT_FOUND when none has it.
    pub log: *const c_char,
    /// For a log in a store that is neither a directory nor of libbinlog_stores: opens it, during binlog_reader_open. Asked for
    /// each URL but those of directories; where it answers BINLOG_E_UNSUPPORTED, libbinlog_stores is asked. May be NULL.
    pub open_store: binlog_store_open_callback,
    /// Given to open_store.
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
    /// From this id to that one, both shown; 0 = no bound.
    pub from_id: u64,
    pub to_id: u64,
    /// From this time on and before that one, in nanoseconds since the Unix epoch; 0 = no bound.
    pub from_time_ns: i64,
    pub to_time_ns: i64,
    /// Of these types, or of the named ones below; of all when there are neither.
    pub types: *const u32,
    pub type_count: usize,
    /// Names of types, NUL-terminated UTF-8. One that the log does not have is no error: no record is of it, yet.
    pub type_names: *const *const c_char,
    pub type_name_count: usize,
    /// With each of these metadata pairs: key, value, key, value ...; NUL-terminated UTF-8.
    pub metadata: *const *const c_char,
    /// Number of pairs in metadata.
    pub metadata_count: usize,
    /// Only the last so many of those that the rest lets through, in the same order; 0 = all. Events do not count.
    pub last: u64,
    /// Must be 0.
    pub reserved: [u64; 5],
}

/// How many records of a type a log holds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_type_count {
    /// The type's number.
    pub r#type: u32,
    pub reserved32: u32,
    pub records: u64,
    /// The name it was given for, NUL-terminated; NULL when it has none. It lives until the callback returns.
    pub name: *const c_char,
    pub reserved: [u64; 2],
}

/// Is told of a type.
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
    /// Losses that were told of; a loss need not cost a record.
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
    /// The id that the next record would have: what to put into binlog_filter.from_id to go on reading later.
    pub next_id: u64,
    /// Where in the file that was read last reading stopped, and how many bytes follow there.
    pub offset: u64,
    pub unread_bytes: u64,
    /// That file, and what was wrong with the unread bytes; "" when nothing. They live until the cursor's next call.
    pub path: *const c_char,
    pub reason: *const c_char,
    pub reserved: [u64; 2],
}

/// What a segment says about itself. The strings live as long as the reader.
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
    /// The facts that its writer gave: key, value, key, value ..., sorted by key; NULL when there are none.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    pub reserved: [u64; 2],
}

/// An error: a line for people and facts for programs. Free it with binlog_error_free.
pub struct binlog_error {
    pub(super) facts: super::error::ErrorFacts,
}

/// A log being written. Threads may share it, closing excepted.
pub struct binlog_writer {
    /// What the writer is known by to those who ask within whose callback they are.
    pub(super) caller: usize,
    /// Taken out by the one who closes, while callbacks may still come with the handle.
    pub(super) writer: std::mem::ManuallyDrop<crate::Writer>,
    /// What a status points to, once somebody has asked for it.
    pub(super) archive: std::sync::OnceLock<super::archive::ArchiveStrings>,
}

/// A log to be read. Threads may share it, closing excepted.
pub struct binlog_reader {
    pub(super) reader: crate::Reader,
    pub(super) segments: std::sync::OnceLock<Vec<super::reader::SegmentStrings>>,
}

/// Records of a log, one after the other. Belongs to one thread at a time, but for binlog_cursor_interrupt.
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
    assert!(size_of::<binlog_position>() == 24);
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
