//! Recovery.
// Reserved fields need no comment.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

use super::error::binlog_error;
use super::guard::*;
use super::loss::{binlog_loss_callback, LossCallback};
use super::types::*;
use crate::error::{Error, Result};
use crate::options::{OnLoss, ReaderOptions};
use crate::recovery::Recovery;

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

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_recovery>() == 64);
};

fn listener(on_loss: binlog_loss_callback, userdata: *mut c_void) -> Option<OnLoss> {
    let userdata = Userdata { pointer: userdata, drop: None };
    on_loss.map(|call| LossCallback { call, userdata }.into_on_loss())
}

/// Writes everything that can be read of the log at `source` (a file, a directory or a pattern) to a new log: segments
/// of the same names in the directory `target`, which is created if needed and must contain no segment. The source is
/// only read. Ids stay the same; where records are lost, an event states which. `on_loss` (may be NULL) is called for
/// each loss when it is found, in the thread of the call; `out` (may be NULL) gets the sums. Any thread.
///
/// Returns BINLOG_OK, also when something was lost: out->losses counts the losses; BINLOG_E_NOT_FOUND when nothing is
/// there, or the target is no directory; BINLOG_E_CORRUPT when there is no block in any of its files,
/// BINLOG_E_UNSUPPORTED when it is of a newer version, BINLOG_E_INVALID when the target contains segments already, or
/// the leftovers of an interrupted recovery, BINLOG_E_IO, BINLOG_E_NO_SPACE. After an error, and after a crash, the
/// target keeps what was written by then, and the file `recovery-at-work`: while it exists, neither a writer nor a
/// recovery takes the target for a log.
///
/// # Safety
/// `source` and `target` are NUL-terminated strings, `on_loss` NULL or a function, `out` and `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_recover(
    source: *const c_char,
    target: *const c_char,
    on_loss: binlog_loss_callback,
    userdata: *mut c_void,
    out: *mut binlog_recovery,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (source, target) = (path(source, "source")?, path(target, "target")?);
            report(
                crate::recovery::recover(
                    source,
                    target,
                    ReaderOptions { on_loss: listener(on_loss, userdata), ..ReaderOptions::default() },
                ),
                out,
            )
        })
    }
}

/// Writes the damaged segments of the log at `path` (a directory or a file) anew, under their names, after keeping the
/// damaged files as `<segment>.damaged`. Segments without damage are left alone. No writer may have the log open. A
/// crash in the middle leaves every segment either as it was or recovered; another call continues. `on_loss` and `out`
/// are those of binlog_recover. Any thread.
///
/// Returns BINLOG_OK, also when something was lost; BINLOG_E_LOCKED when a writer has the log open; BINLOG_E_INVALID for
/// a pattern; BINLOG_E_NOT_FOUND when nothing is there; BINLOG_E_CORRUPT when there is no block in any of its files;
/// BINLOG_E_UNSUPPORTED when it is of a newer version; BINLOG_E_IO or BINLOG_E_NO_SPACE.
///
/// # Safety
/// As for binlog_recover.
#[no_mangle]
pub unsafe extern "C" fn binlog_recover_in_place(
    path: *const c_char,
    on_loss: binlog_loss_callback,
    userdata: *mut c_void,
    out: *mut binlog_recovery,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let place = super::guard::path(path, "path")?;
            report(
                crate::recovery::recover_in_place(
                    place,
                    ReaderOptions { on_loss: listener(on_loss, userdata), ..ReaderOptions::default() },
                ),
                out,
            )
        })
    }
}

/// Appends an index that covers all of it to each segment of the log at `path` (a directory or a file) whose index is
/// incomplete, and closes it. Reads headers, no payload. `written_out` (may be NULL) gets the number of segments that
/// were written to. No writer may have the log open. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_CORRUPT when a segment is damaged or ends with a torn tail and has to be recovered first,
/// BINLOG_E_LOCKED when a writer has the log open, BINLOG_E_NOT_FOUND, BINLOG_E_UNSUPPORTED, BINLOG_E_INVALID (also for
/// a pattern), BINLOG_E_IO, BINLOG_E_NO_SPACE.
///
/// # Safety
/// `path` is a NUL-terminated string, `written_out` and `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_rebuild_index(
    path: *const c_char,
    written_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let written = crate::recovery::rebuild_index(super::guard::path(path, "path")?)?;
            if let Some(out) = written_out.as_mut() {
                *out = written.len();
            }
            Ok(BINLOG_OK)
        })
    }
}

/// # Safety
/// `out` is NULL or writable.
unsafe fn report(recovered: Result<Recovery, Error>, out: *mut binlog_recovery) -> Result<binlog_status> {
    let recovery = recovered?;
    // SAFETY: the caller's promise.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = binlog_recovery {
            records: recovery.records,
            lost_records: recovery.lost_records,
            losses: recovery.losses,
            segments: recovery.segments.len() as u64,
            reserved: [0; 4],
        };
    }
    Ok(BINLOG_OK)
}
