//! Options and results of shipping in the C interface.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

use crate::ffi::types::*;

/// binlog_ship_options.flags: within a writer, closing it does not roll first. The records of the newest segment are
/// then shipped after the log has been opened again and has rolled.
pub const BINLOG_SHIP_NO_ROLL_AT_CLOSE: u32 = 1;
/// binlog_ship_options.flags: nothing is written, sent or removed: binlog_shipper_run only reports what it would do. Not
/// within a writer.
pub const BINLOG_SHIP_DRY_RUN: u32 = 2;

/// binlog_ship_status.state: nothing waits, or shipping has not begun.
pub const BINLOG_SHIP_IDLE: u32 = 0;
/// binlog_ship_status.state: segments are being shipped.
pub const BINLOG_SHIP_WORKING: u32 = 1;
/// binlog_ship_status.state: something has failed, and is tried again later.
pub const BINLOG_SHIP_WAITING: u32 = 2;

/// binlog_ship_event.kind: a segment is about to be sent, or compared.
pub const BINLOG_SHIP_EVENT_BEGINS: u32 = 1;
/// binlog_ship_event.kind: this many more bytes of it were taken, or were found in the store from an earlier try.
pub const BINLOG_SHIP_EVENT_SENT: u32 = 2;
/// binlog_ship_event.kind: the store contains it.
pub const BINLOG_SHIP_EVENT_UPLOADED: u32 = 3;
/// binlog_ship_event.kind: its file here was removed.
pub const BINLOG_SHIP_EVENT_PRUNED: u32 = 4;
/// binlog_ship_event.kind: something has failed.
pub const BINLOG_SHIP_EVENT_FAILED: u32 = 5;

/// binlog_ship_problem.kind: a segment that was shipped is not in the store.
pub const BINLOG_SHIP_PROBLEM_MISSING: u32 = 1;
/// binlog_ship_problem.kind: the object in the store differs from what was shipped.
pub const BINLOG_SHIP_PROBLEM_DIFFERENT: u32 = 2;
/// binlog_ship_problem.kind: segments of the log that are neither here nor in the store.
pub const BINLOG_SHIP_PROBLEM_GAP: u32 = 3;
/// binlog_ship_problem.kind: an object whose name begins with the log's name, but which is no segment of it. It is left
/// alone, and counted only in binlog_ship_verified.foreign.
pub const BINLOG_SHIP_PROBLEM_FOREIGN: u32 = 4;
/// binlog_ship_problem.kind: the file here is damaged, or is no longer what was shipped; message states which. object
/// is its name. A problem of the object is reported separately.
pub const BINLOG_SHIP_PROBLEM_CHANGED: u32 = 5;
/// binlog_ship_problem.kind: the object is what was shipped, but was damaged already then, and that was not accepted;
/// message states the damage. Only found with BINLOG_SHIP_VERIFY_READ_BACK.
pub const BINLOG_SHIP_PROBLEM_DAMAGED: u32 = 6;

/// binlog_shipper_verify: read every object and compare its bytes, even if the store's own checksum is sufficient, and
/// verify it as a segment.
pub const BINLOG_SHIP_VERIFY_READ_BACK: u32 = 1;

/// Where a log is shipped to, and how. Zeros are the defaults; only url is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_options {
    /// sizeof(binlog_ship_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_SHIP_NO_ROLL_AT_CLOSE, BINLOG_SHIP_DRY_RUN.
    pub flags: u32,
    /// Concurrent requests for the parts of one segment: 1 to 64; 0 = 4.
    pub in_flight: u32,
    /// The store: `s3://BUCKET/PREFIX?region=...`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX?account=...`,
    /// `swift://CONTAINER/PREFIX?auth=...`, `file:///DIRECTORY` or `exec:COMMAND`, which finds the file's path in the
    /// environment variable BINLOG_PATH and its name in BINLOG_NAME; docs/stores.md lists all of their options. A URL
    /// that contains something secret is refused.
    pub url: *const c_char,
    /// A file of KEY=VALUE lines with the credentials, which other users must not be able to read; NULL = they are in
    /// the environment, or are provided by the machine itself.
    pub credentials: *const c_char,
    /// Which segments stay here after the store contains them; NULL = all. A segment that the store does not contain
    /// stays in any case, and so do those after it. Before a file is removed the store is asked once more.
    pub keep: *const binlog_retention,
    /// Each segment is compressed before it is shipped, and the source removed; NULL = segments are shipped as they
    /// are. whole, on_progress and the flags about sources and dry runs must be 0.
    pub compress: *const binlog_compress_options,
    /// Segments over this many bytes are sent in parts of this size, up to 1 GiB, or of a larger size if there would be
    /// more than 1000; 0 = 8 MiB. An upload holds as many parts in memory as are in flight. S3, Google and Azure
    /// require 5 MiB at least.
    pub part_bytes: u64,
    /// Bytes per second that are sent at most; 0 = no limit.
    pub bandwidth: u64,
    /// After this many milliseconds without any progress a request has failed; 0 = 30000.
    pub timeout_ms: u64,
    /// Longest wait after a first failure, and, doubling, after one of many, in milliseconds; 0 = 1000 and 300000. The
    /// time is chosen at random between nothing and that: many clients that fail at once do not return at once.
    pub first_delay_ms: u64,
    pub longest_delay_ms: u64,
    /// For how many milliseconds binlog_shipper_run retries without any progress before it fails; 0 = 300000.
    pub patience_ms: u64,
    /// At the start, uploads of this log that any process began longer ago than this are given up, to stop the cost of
    /// their leftovers; in milliseconds, 0 = 7 days.
    pub stale_ms: u64,
    /// Within a writer: for how many milliseconds binlog_writer_close continues shipping; 0 = 5000. The rest is shipped
    /// when the log is opened again.
    pub close_wait_ms: u64,
    /// Permission bits of `<log>.archive`, the file in the log's directory that records the stage of each segment; 0 =
    /// 0640.
    pub file_mode: u32,
    /// Threads that ship, 1 to 64; 0 = 1, which is only the calling one. With more, this many compute the checksums of
    /// a segment that is sent in parts, and while one segment is completed, the next ones, one less than this number,
    /// are read already, and their parts are sent. They are still completed in their order.
    pub threads: u32,
    /// Which segments stay in the store: the others are removed there when one was shipped, and once an hour; NULL =
    /// all stay.
    pub keep_remote: *const binlog_retention,
    /// Opens a store that is neither a directory, a command nor one of libbinlog_stores, during the call that received
    /// these options, possibly more than once. Called for each URL except those of directories and commands; if it
    /// returns BINLOG_E_UNSUPPORTED, libbinlog_stores is asked. May be NULL.
    pub open_store: binlog_store_open_callback,
    /// Passed to open_store.
    pub open_store_userdata: *mut c_void,
    /// Must be 0.
    pub reserved: [u64; 3],
}

/// The progress of shipping a log. Counters begin at 0 when the shipper or the writer is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_status {
    /// The log's name, and the store's URL without options. They live as long as the shipper or the writer.
    pub log: *const c_char,
    pub store: *const c_char,
    /// BINLOG_SHIP_IDLE, _WORKING or _WAITING.
    pub state: u32,
    pub reserved32: u32,
    /// Closed segments that the store does not contain yet, and their bytes.
    pub waiting_segments: u64,
    pub waiting_bytes: u64,
    /// How long ago the oldest of them was closed, in nanoseconds; 0 when none waits.
    pub oldest_waiting_ns: i64,
    /// Segments that the store was found to contain, and their bytes.
    pub uploaded_segments: u64,
    pub uploaded_bytes: u64,
    /// Bytes that the store has taken, including those of uploads that became no object; bytes that it had already are
    /// not counted.
    pub sent_bytes: u64,
    /// Segments whose files were removed here.
    pub pruned_segments: u64,
    /// Steps that have failed; binlog_shipper_last_failure or binlog_writer_ship_failure returns the last failure.
    pub failures: u64,
    /// When the last one failed, in nanoseconds since the Unix epoch; 0 = there was none.
    pub last_failure_ns: i64,
    /// When a segment was last found in the store, in nanoseconds since the Unix epoch; 0 = never.
    pub last_upload_ns: i64,
    /// Number of the newest segment up to which all closed ones are in the store; 0 if there is none.
    pub shipped_up_to: u64,
    /// Closed segments whose files are damaged: they are not sent, and count as waiting.
    pub damaged_segments: u64,
    /// Segments that are neither here nor in the store, although the log names them, and whose loss has not been
    /// accepted.
    pub missing_segments: u64,
    pub reserved: [u64; 6],
}

/// An event of shipping or comparing a log. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_event {
    /// BINLOG_SHIP_EVENT_*.
    pub kind: u32,
    /// With _UPLOADED, 1 when the store contained the segment already; otherwise 0.
    pub found: u32,
    /// With _BEGINS, _UPLOADED and _PRUNED, the segment's file; otherwise NULL.
    pub path: *const c_char,
    /// Likewise its number in the log; otherwise 0.
    pub sequence: u64,
    /// Likewise the length of the file in bytes; with _SENT, how many more bytes were taken; with _FAILED 0.
    pub bytes: u64,
    /// With _FAILED, the failure, which is not freed; otherwise NULL.
    pub error: *const binlog_error,
    /// With _FAILED, nanoseconds until the retry, -1 when there is none; otherwise 0.
    pub wait_ns: i64,
    pub reserved: [u64; 2],
}

/// Called for each event, in the thread of the call that ships. Returns 0 to continue; anything else makes the call
/// stop as binlog_shipper_stop does, but only this call. It may ask for status and metrics, but must not ship, verify
/// or close, and must not throw or jump out.
pub type binlog_ship_event_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, event: *const binlog_ship_event) -> i32>;

/// What binlog_shipper_run has done, or would do.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_report {
    /// Segments that the store contains now and was not known to contain before, and their bytes.
    pub uploaded_segments: u64,
    pub uploaded_bytes: u64,
    /// How many of them were there already.
    pub found_segments: u64,
    /// Segments that were removed here, and their bytes.
    pub pruned_segments: u64,
    pub pruned_bytes: u64,
    /// 1 when it was asked to stop before all was done; otherwise 0.
    pub stopped: u32,
    pub reserved32: u32,
    pub reserved: [u64; 4],
}

/// A problem with the contents of the store. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_problem {
    /// BINLOG_SHIP_PROBLEM_*.
    pub kind: u32,
    /// With _MISSING, 1 when the segment's file is still here; with _CHANGED 1; otherwise 0.
    pub is_here: u32,
    /// The segment's number in the log, and with _GAP that of the last missing one, too; 0 and 0 with _FOREIGN.
    pub sequence: u64,
    pub last_sequence: u64,
    /// The object's name; NULL with _GAP.
    pub object: *const c_char,
    /// A line for people.
    pub message: *const c_char,
    pub reserved: [u64; 2],
}

/// Called for a problem, in the thread of the call.
pub type binlog_ship_problem_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, problem: *const binlog_ship_problem)>;

/// What binlog_shipper_verify has found.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_verified {
    /// Segments that the store contains as they were shipped, and their bytes.
    pub sound_segments: u64,
    pub sound_bytes: u64,
    /// Closed segments that wait to be shipped.
    pub waiting_segments: u64,
    /// Numbers of the oldest and the newest segment that are here or there; 0 when there is none.
    pub first_sequence: u64,
    pub last_sequence: u64,
    /// The number of problems, and the number of objects that are no segments of the log.
    pub problems: u64,
    pub foreign: u64,
    /// 1 when it was asked to stop before all was compared; otherwise 0.
    pub stopped: u32,
    pub reserved32: u32,
    /// Segments that are neither here nor there, and whose loss was accepted.
    pub accepted_segments: u64,
    pub reserved: [u64; 3],
}

/// Ships one log to one store, beside its writer or without one. Threads may share it, except for closing.
pub struct binlog_shipper {
    pub(super) engine: super::engine::Engine,
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_ship_options>() == 168);
    assert!(size_of::<binlog_ship_status>() == 176);
    assert!(size_of::<binlog_ship_event>() == 64);
    assert!(size_of::<binlog_ship_report>() == 80);
    assert!(size_of::<binlog_ship_problem>() == 56);
    assert!(size_of::<binlog_ship_verified>() == 96);
};
