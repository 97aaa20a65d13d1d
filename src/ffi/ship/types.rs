//! The plain structs and numbers of shipping.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

use crate::ffi::error::binlog_error;

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

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_ship_status>() == 176);
    assert!(size_of::<binlog_ship_event>() == 64);
    assert!(size_of::<binlog_ship_report>() == 80);
    assert!(size_of::<binlog_ship_problem>() == 56);
    assert!(size_of::<binlog_ship_verified>() == 96);
};
