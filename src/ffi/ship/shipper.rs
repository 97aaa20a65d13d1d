//! The shipper's handle.

use std::ffi::{c_char, c_void};

use super::engine::Engine;
use super::options::binlog_ship_options;
use super::types::*;
use crate::error::{Error, Result};
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;

/// Ships one log to one store, beside its writer or without one. Threads may share it, except for closing.
pub struct binlog_shipper {
    engine: Engine,
}

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_ship_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_ship_options_init(
    options: *mut binlog_ship_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_ship_options")) }
}

/// Opens a shipper of the log `log` in a directory; of the only one there when `log` is NULL. Nothing is sent yet, and
/// no request is made. A writer may have the log open: only segments that have a successor are shipped. Options are not
/// needed after the call. Close the shipper with binlog_shipper_close. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for an invalid URL or option, and for several logs without a name;
/// BINLOG_E_NOT_FOUND when there is no such directory or log; BINLOG_E_LOCKED when the log is being shipped already,
/// possibly by its writer (not with BINLOG_SHIP_DRY_RUN); BINLOG_E_IO; BINLOG_E_UNSUPPORTED when the store is on a
/// server and libbinlog_stores.so.0 is not installed.
///
/// # Safety
/// `directory` is a NUL-terminated string, `log` NULL or one, `options` NULL or valid, `out` a place for a pointer, `err`
/// NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_open(
    directory: *const c_char,
    log: *const c_char,
    options: *const binlog_ship_options,
    out: *mut *mut binlog_shipper,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let out = by_mut(out, "out")?;
            let directory = path(directory, "directory")?;
            let log = if log.is_null() { None } else { Some(text(log, "log")?) };
            let engine = Engine::open(directory, log, by_ref(options, "options")?)?;
            Ok(give(out, binlog_shipper { engine }))
        })
    }
}

/// Ships all segments that are closed, in their order, and removes those here that need not stay. Failures that may
/// pass are retried for binlog_ship_options.patience_ms. `on_event` (may be NULL) is called for each step in this
/// thread; `out` (may be NULL) gets the sums. Any thread; calls that ship take turns.
///
/// Returns BINLOG_OK, also when there was nothing to ship, or it was asked to stop, in which case out->stopped is 1.
/// Otherwise the first failure that an operator has to resolve, or that did not pass in that time; no later segment is
/// shipped before it: BINLOG_E_MISMATCH when the store contains another object of the segment's name, which is left as
/// it is; BINLOG_E_IO and other errors of the store or the system; BINLOG_E_FORKED, BINLOG_E_INVALID. BINLOG_E_CORRUPT,
/// after everything else is done, when segments are damaged, which are not sent, or missing: nothing from the first of
/// them on is removed here; BINLOG_E_MISMATCH, likewise, when a whole file here differs from what was shipped;
/// `on_event` was called for each, and `out` is not written.
///
/// # Safety
/// `shipper` is NULL or open, `on_event` NULL or a function, `out` and `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_run(
    shipper: *mut binlog_shipper,
    on_event: binlog_ship_event_callback,
    userdata: *mut c_void,
    out: *mut binlog_ship_report,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let report = handle(shipper, "shipper")?.engine.run(on_event, userdata)?;
            if let Some(out) = out.as_mut() {
                *out = report;
            }
            Ok(BINLOG_OK)
        })
    }
}

/// Ships existing and new segments, until binlog_shipper_stop is called or `on_event` returns another number than 0.
/// Failures are retried without limit: `on_event` (may be NULL) and the status report them. Any thread.
///
/// Returns BINLOG_OK when it was asked to stop; BINLOG_E_FORKED, BINLOG_E_INVALID.
///
/// # Safety
/// `shipper` is NULL or open, `on_event` NULL or a function, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_follow(
    shipper: *mut binlog_shipper,
    on_event: binlog_ship_event_callback,
    userdata: *mut c_void,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            handle(shipper, "shipper")?.engine.follow(on_event, userdata)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Makes the calls in progress return soon, and later ones at once: the current upload is given up, and resumed by the
/// next shipper. Does not wait for them. A stopped shipper stays stopped. May be called by any thread and by a signal
/// handler; NULL is a no-op. Returns BINLOG_OK.
///
/// # Safety
/// `shipper` is NULL or open.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_stop(shipper: *mut binlog_shipper) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe {
        guard(std::ptr::null_mut(), || {
            if let Some(shipper) = shipper.as_ref() {
                shipper.engine.stop();
            }
            Ok(BINLOG_OK)
        })
    }
}

/// Compares the store with the files here, and with what is known of files that were here. Nothing is changed. `flags`
/// is 0 or BINLOG_SHIP_VERIFY_READ_BACK. `on_problem` (may be NULL) is called for each problem, in the order of the
/// segments, and then for foreign objects, after everything was compared; `on_event` (may be NULL) for each segment
/// that is compared; both with `userdata`, in this thread, and they must not throw or jump out. `out` (may be NULL)
/// gets the sums. Any thread; waits until no other call ships with this shipper.
///
/// Returns BINLOG_OK, also when something is wrong: out->problems counts the problems; BINLOG_E_UNSUPPORTED for
/// `exec:` and other stores whose objects cannot be read; BINLOG_E_IO and other errors of the store or the system, without
/// a retry, except that reading an object back is retried for half a minute; BINLOG_E_FORKED, BINLOG_E_INVALID.
///
/// # Safety
/// `shipper` is NULL or open, `on_problem` and `on_event` NULL or functions, `out` and `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_verify(
    shipper: *mut binlog_shipper,
    flags: u32,
    on_problem: binlog_ship_problem_callback,
    on_event: binlog_ship_event_callback,
    userdata: *mut c_void,
    out: *mut binlog_ship_verified,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let shipper = handle(shipper, "shipper")?;
            if flags & !BINLOG_SHIP_VERIFY_READ_BACK != 0 {
                return Err(Error::invalid(format!("flags has unknown bits: {flags:#x}")));
            }
            let read_back = flags & BINLOG_SHIP_VERIFY_READ_BACK != 0;
            let verified = shipper.engine.verify(read_back, on_problem, on_event, userdata)?;
            if let Some(out) = out.as_mut() {
                *out = verified;
            }
            Ok(BINLOG_OK)
        })
    }
}

/// Accepts that a damaged segment is sent as it is, or that a missing one is lost and not waited for; noted in
/// `<log>.archive`, for this store. `segment` is the number of the segment or the name of its file; for missing ones
/// also the first and the last with a dash between ("3-5"). Nothing is sent yet. Any thread; waits until no other call
/// ships with this shipper.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID when the segment is neither damaged nor missing, or does not belong to the log;
/// BINLOG_E_IO, BINLOG_E_FORKED.
///
/// # Safety
/// `shipper` is NULL or open, `segment` a NUL-terminated string, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_accept(
    shipper: *mut binlog_shipper,
    segment: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            handle(shipper, "shipper")?.engine.accept(text(segment, "segment")?)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Makes room in the store for the segment as it is here, when the object of its name differs: the object is copied to
/// another name (NAME.replaced-1), compared, and removed; the next binlog_shipper_run sends the segment. `segment` as
/// with binlog_shipper_accept. Any thread; waits until no other call ships with this shipper.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID when the segment is not one of the log's closed ones, or the store contains it
/// as it is here; BINLOG_E_CORRUPT when the file here is damaged and that was not accepted; BINLOG_E_NOT_FOUND when the
/// store has no such object; BINLOG_E_UNSUPPORTED for `exec:`; BINLOG_E_IO and other errors of the store or the system;
/// BINLOG_E_FORKED.
///
/// # Safety
/// `shipper` is NULL or open, `segment` a NUL-terminated string, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_replace(
    shipper: *mut binlog_shipper,
    segment: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            handle(shipper, "shipper")?.engine.replace(text(segment, "segment")?)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Forgets the shipper's store: its entries in `<log>.archive` are removed, and segments are no longer kept here
/// because it does not contain them. Its objects stay. Use it for a store that the log is no longer shipped to; when
/// the log has several stores, a segment is removed here only after all of them contain it. Any thread; waits until no
/// other call ships with this shipper.
///
/// Returns BINLOG_OK, also when nothing was known of the store; BINLOG_E_IO, BINLOG_E_INVALID, BINLOG_E_FORKED.
///
/// # Safety
/// `shipper` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_forget(
    shipper: *mut binlog_shipper,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            handle(shipper, "shipper")?.engine.forget()?;
            Ok(BINLOG_OK)
        })
    }
}

/// The current status. Never waits for calls that ship. Any thread. Returns BINLOG_OK, BINLOG_E_FORKED or
/// BINLOG_E_INVALID.
///
/// # Safety
/// `shipper` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_status(
    shipper: *const binlog_shipper,
    out: *mut binlog_ship_status,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (shipper, out) = (handle(shipper, "shipper")?, by_mut(out, "out")?);
            *out = shipper.engine.status()?;
            Ok(BINLOG_OK)
        })
    }
}

/// The same in the text format of Prometheus: the `cap` bytes at `buf` get the text with a NUL at its end, `len_out`
/// (may be NULL) its length without the NUL. `buf` may be NULL when `cap` is 0. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_TOO_LARGE when it does not fit: then only the length is written, to `len_out`, and the
/// next text may be longer by some digits; BINLOG_E_FORKED, BINLOG_E_INVALID.
///
/// # Safety
/// `shipper` is NULL or open, `buf` points to `cap` writable bytes, `len_out` and `err` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_metrics(
    shipper: *const binlog_shipper,
    buf: *mut c_char,
    cap: usize,
    len_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || copy_text(&handle(shipper, "shipper")?.engine.metrics()?, buf, cap, len_out)) }
}

/// The last failure since the shipper was opened, to be freed with binlog_error_free; NULL when nothing has failed. Any
/// thread.
///
/// # Safety
/// `shipper` is NULL or open.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_last_failure(shipper: *const binlog_shipper) -> *mut binlog_error {
    let mut failure = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        guard(std::ptr::null_mut(), || {
            failure = handed_out(handle(shipper, "shipper")?.engine.last_failure());
            Ok(BINLOG_OK)
        });
    }
    failure
}

/// Frees the shipper; another one may then ship the log. NULL is a no-op. No other thread may be using the shipper:
/// call binlog_shipper_stop and wait for the calls in progress.
///
/// # Safety
/// `shipper` is NULL or open and not in use elsewhere; it must not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn binlog_shipper_close(shipper: *mut binlog_shipper) {
    // SAFETY: every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(std::ptr::null_mut(), || {
            if !shipper.is_null() {
                Box::from_raw(shipper).engine.close();
            }
            Ok(BINLOG_OK)
        });
    }
}

/// An error for the caller to free, if there is one.
pub(super) fn handed_out(error: Option<Error>) -> *mut binlog_error {
    error.map_or(std::ptr::null_mut(), |error| Box::into_raw(Box::new(binlog_error::new(&error))))
}

/// # Safety
/// `buf` points to `cap` writable bytes, `len_out` is NULL or writable.
pub(super) unsafe fn copy_text(text: &str, buf: *mut c_char, cap: usize, len_out: *mut usize) -> Result<binlog_status> {
    if buf.is_null() && cap > 0 {
        return Err(Error::invalid("buf is NULL"));
    }
    // SAFETY: the caller's promise.
    if let Some(out) = unsafe { len_out.as_mut() } {
        *out = text.len();
    }
    if cap <= text.len() {
        let reason = format!("the text and its NUL have {} bytes, and the buffer {cap}", text.len() + 1);
        return Err(Error::new(crate::Kind::TooLarge, reason));
    }
    // SAFETY: there is room for the text and the NUL, and no other code uses the buffer.
    unsafe {
        buf.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        buf.add(text.len()).write(0);
    }
    Ok(BINLOG_OK)
}
