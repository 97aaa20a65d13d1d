//! Recovery, and the callbacks that tell of losses.

use std::ffi::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::error::c_string;
use super::guard::*;
use super::types::*;
use crate::error::{Error, Result};
use crate::options::{Loss, OnLoss};
use crate::Recovery;

/// A callback of the caller's, and what goes with it.
pub(super) struct LossCallback {
    pub call: unsafe extern "C" fn(*mut c_void, *const binlog_loss),
    pub userdata: Userdata,
}

impl LossCallback {
    pub fn into_on_loss(self) -> OnLoss {
        Arc::new(move |loss: &Loss| self.tell(loss))
    }

    fn tell(&self, loss: &Loss) {
        let (path, reason) = (c_string(loss.path.as_os_str().as_bytes()), c_string(loss.reason.as_bytes()));
        let (first_id, last_id) = loss.ids.unwrap_or_default();
        let (first_page, page_count) = loss.pages.unwrap_or_default();
        let told = binlog_loss {
            path: path.as_ptr(),
            reason: reason.as_ptr(),
            offset: loss.offset,
            bytes: loss.bytes,
            first_id,
            last_id,
            first_page,
            page_count,
            durable: u32::from(loss.durable),
            kind: loss.kind as u32,
            reserved: [0; 2],
        };
        // SAFETY: what `told` points to outlives the call, and the userdata is the caller's own.
        unsafe { (self.call)(self.userdata.pointer, &told) };
    }
}

fn listener(on_loss: binlog_loss_callback, userdata: *mut c_void) -> Option<OnLoss> {
    let userdata = Userdata { pointer: userdata, drop: None };
    on_loss.map(|call| LossCallback { call, userdata }.into_on_loss())
}

/// Writes everything that can be read of the log at `source` (a file, a directory or a pattern) to a new log: segments
/// of the same names in the directory `target`, which is made when it is not there and must hold no segment. The source
/// is only read. Ids stay as they are; where records are lost, an event says which. `on_loss` (may be NULL) is told of
/// each loss as it is met, in the thread of the call; `out` (may be NULL) gets the sums. Any thread.
///
/// Returns BINLOG_OK, also when something was lost: out->losses tells; BINLOG_E_NOT_FOUND when nothing is there, or
/// the target is no directory; BINLOG_E_CORRUPT when there is no block in any of its files, BINLOG_E_UNSUPPORTED when it
/// is of a newer version, BINLOG_E_INVALID when the target holds segments already, or what a recovery has left there that
/// was stopped, BINLOG_E_IO, BINLOG_E_NO_SPACE. After an error, and after a crash, the target keeps what was written by
/// then, and the file `recovery-at-work`, by which neither a writer nor a recovery takes it for a log.
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
            report(crate::recover(source, target, listener(on_loss, userdata)), out)
        })
    }
}

/// Writes the damaged segments of the log at `path` (a directory or a file) anew, under their names, after keeping the
/// damaged files as `<segment>.damaged`. Segments without damage are left alone. No writer may have the log open. A
/// crash in the middle leaves every segment either as it was or recovered; calling again goes on. Otherwise as
/// binlog_recover.
///
/// Returns BINLOG_OK, also when something was lost; BINLOG_E_LOCKED when a writer has the log open; BINLOG_E_INVALID for
/// a pattern; BINLOG_E_NOT_FOUND, BINLOG_E_CORRUPT, BINLOG_E_UNSUPPORTED, BINLOG_E_IO, BINLOG_E_NO_SPACE as
/// binlog_recover.
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
            report(crate::recover_in_place(place, listener(on_loss, userdata)), out)
        })
    }
}

/// Writes an index that covers all of it to the end of each segment of the log at `path` (a directory or a file) whose
/// index is incomplete, and closes it. Reads headers, no payload. How many segments were written to goes to
/// `written_out` (may be NULL). No writer may have the log open. Any thread.
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
            let written = crate::rebuild_index(super::guard::path(path, "path")?)?;
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
