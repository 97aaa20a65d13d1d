//! The functions of a writer that report the shipping of its log.

use std::ffi::c_char;

use super::engine;
use super::shipper::{copy_text, handed_out};
use super::types::*;
use crate::ffi::guard::*;
use crate::ffi::types::*;

/// The progress of the shipping that binlog_writer_options.ship requests. Never waits. Any thread. Returns BINLOG_OK;
/// BINLOG_E_NOT_FOUND when the writer ships nothing; BINLOG_E_FORKED, BINLOG_E_INVALID.
///
/// # Safety
/// `writer` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_ship_status(
    writer: *const binlog_writer,
    out: *mut binlog_ship_status,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (by_ref(writer, "writer")?, by_mut(out, "out")?);
            *out = engine::writer_status(writer)?;
            Ok(BINLOG_OK)
        })
    }
}

/// The same in the text format of Prometheus: see binlog_shipper_metrics. Any thread. Returns BINLOG_OK, BINLOG_E_TOO_LARGE
/// as that does, and otherwise as binlog_writer_ship_status.
///
/// # Safety
/// `writer` is NULL or open, `buf` points to `cap` writable bytes, `len_out` and `err` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_ship_metrics(
    writer: *const binlog_writer,
    buf: *mut c_char,
    cap: usize,
    len_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || copy_text(&engine::writer_metrics(by_ref(writer, "writer")?)?, buf, cap, len_out)) }
}

/// The last failure of shipping since the writer was opened, to be freed with binlog_error_free; NULL when nothing has
/// failed. binlog_writer_options.on_failure is called for each failure when it happens. Any thread.
///
/// # Safety
/// `writer` is NULL or open.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_ship_failure(writer: *const binlog_writer) -> *mut binlog_error {
    let mut failure = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        guard(std::ptr::null_mut(), || {
            failure = handed_out(engine::writer_failure(by_ref(writer, "writer")?)?);
            Ok(BINLOG_OK)
        });
    }
    failure
}
