//! The functions of a writer that report the shipping of its log.

use std::ffi::c_char;

use super::shipper::{copy_text, handed_out};
use super::status::{status_of, ShipStrings};
use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;
use crate::ffi::writer::binlog_writer;
use crate::shipping::{ship_metrics, ShipStatus};

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
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            let status = ship_status(writer)?;
            *out = status_of(&status, writer.ship.get_or_init(|| ShipStrings::of(&status)));
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
    unsafe {
        guard(err, || {
            let status = ship_status(handle(writer, "writer")?)?;
            copy_text(&ship_metrics(&[status]), buf, cap, len_out)
        })
    }
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
            let status = ship_status(handle(writer, "writer")?)?;
            failure = handed_out(status.last_failure.map(|(error, _)| error));
            Ok(BINLOG_OK)
        });
    }
    failure
}

fn ship_status(writer: &binlog_writer) -> Result<ShipStatus> {
    writer
        .writer
        .ship_status()?
        .ok_or_else(|| Error::new(Kind::NotFound, "the writer ships nothing: its options name no store"))
}
