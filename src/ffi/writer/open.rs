//! Opens and closes writers.

use std::ffi::c_char;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;

use super::options::{binlog_writer_options, writer_options};
use crate::calling::is_calling;
use crate::error::{Error, Kind};
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::ship::ShipStrings;
use crate::ffi::types::*;
use crate::Writer;

/// A log being written. Threads may share it, except for closing.
pub struct binlog_writer {
    /// The writer's number for checks of the callback that a thread is in.
    caller: usize,
    /// Taken out when the writer is closed, while callbacks may still use the handle.
    pub(in crate::ffi) writer: ManuallyDrop<Writer>,
    /// The strings of a status, after the first request for them.
    pub(in crate::ffi) ship: OnceLock<ShipStrings>,
}

/// Opens the log in a directory for writing; both are created if they do not exist, and appends continue after the last
/// record. `options` may be NULL, and is not needed after the call. Close the writer with binlog_writer_close. Any
/// thread.
///
/// Returns BINLOG_OK; BINLOG_E_LOCKED when another writer has the log open, BINLOG_E_CORRUPT when its end is damaged (a
/// torn tail, as a crash leaves it, is cut instead, after its bytes have been kept in `SEGMENT.torn-OFFSET`),
/// BINLOG_E_MISMATCH when it is not what binlog_writer_options.require asks for, BINLOG_E_INVALID,
/// BINLOG_E_UNSUPPORTED, BINLOG_E_NO_SPACE, BINLOG_E_NOT_FOUND or BINLOG_E_IO.
///
/// # Safety
/// `directory` is a NUL-terminated string, `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_open(
    directory: *const c_char,
    options: *const binlog_writer_options,
    out: *mut *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            // First, so every drop is called even if something else is wrong.
            let options = writer_options(options)?;
            let out = by_mut(out, "out")?;
            let writer = Writer::open(path(directory, "directory")?, options)?;
            Ok(give(out, handle_of(writer)))
        })
    }
}

/// Opens a log that is the single file `path`; it is created if it does not exist, in an existing directory. A file
/// that is empty, or contains only a part of a log's beginning, as a crash in the first moment leaves it, is taken for
/// the log and begun. Such a log never rolls: rules for rolling, names and keeping have no effect. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_LOCKED when another writer has the log open; BINLOG_E_CORRUPT when the file is damaged,
/// or is no log (a torn tail is cut, as in binlog_writer_open); BINLOG_E_NOT_FOUND when its directory does not exist;
/// BINLOG_E_MISMATCH when the log is not what binlog_writer_options.require asks for; BINLOG_E_UNSUPPORTED for a file
/// of a newer version; BINLOG_E_INVALID, BINLOG_E_NO_SPACE or BINLOG_E_IO.
///
/// # Safety
/// As for binlog_writer_open.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_open_file(
    path: *const c_char,
    options: *const binlog_writer_options,
    out: *mut *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let options = writer_options(options)?;
            let out = by_mut(out, "out")?;
            let writer = Writer::open_file(crate::ffi::guard::path(path, "path")?, options)?;
            Ok(give(out, handle_of(writer)))
        })
    }
}

fn handle_of(writer: Writer) -> binlog_writer {
    binlog_writer { caller: writer.caller(), writer: ManuallyDrop::new(writer), ship: OnceLock::new() }
}

/// Writes the records in memory, closes the last segment, makes it durable and frees the writer, whatever the status:
/// the handle must not be used afterwards. NULL is a no-op. No other thread may be using the writer.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY when records could not be written: the
/// message names them, those after the flushed_id of binlog_writer_position; BINLOG_E_NOT_FOUND when the file of a
/// segment was removed, replaced or moved; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child, where
/// nothing is written; BINLOG_E_INVALID for a call from a function that the writer has called (a hook, a check,
/// on_failure): the writer then stays open, and the status has no other meaning here.
///
/// # Safety
/// `writer` is NULL or open and not in use elsewhere, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_close(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises; every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(err, || {
            if writer.is_null() {
                return Ok(BINLOG_OK);
            }
            // By its address alone: another thread, or a call below this one, may be closing it, and then waits for
            // this one.
            if is_calling((&raw const (*writer).caller).read()) {
                return Err(Error::invalid(
                    "a writer cannot be closed by a function that it has called: it stays open",
                ));
            }
            // The handle is freed last: hooks are called meanwhile, and may use it.
            let closed = ManuallyDrop::into_inner((&raw const (*writer).writer).read()).close();
            drop(Box::from_raw(writer));
            // BINLOG_E_INVALID has only the meaning above.
            let closed = closed.map_err(|e| if e.kind() == Kind::Invalid { e.with_kind(Kind::Io) } else { e });
            closed.map(|()| BINLOG_OK)
        })
    }
}
