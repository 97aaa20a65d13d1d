//! Errors in the C interface.

use std::ffi::{c_char, CString};
use std::os::unix::ffi::OsStrExt;

use super::types::*;
use crate::error::{Error, Kind};

/// An error: a line for people and facts for programs. Free it with binlog_error_free.
pub struct binlog_error {
    status: binlog_status,
    os_code: i32,
    message: CString,
    path: CString,
    offset: i64,
    record_id: u64,
    missed: Option<(u64, u64)>,
}

/// Bytes as a C string; a NUL inside, which no path and no message of the library contains, ends it.
pub(super) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// Each kind has the status of its name.
const _: () = {
    assert!(Kind::Invalid as i32 == BINLOG_E_INVALID && Kind::Io as i32 == BINLOG_E_IO);
    assert!(Kind::Corrupt as i32 == BINLOG_E_CORRUPT && Kind::NotFound as i32 == BINLOG_E_NOT_FOUND);
    assert!(Kind::Locked as i32 == BINLOG_E_LOCKED && Kind::TooLarge as i32 == BINLOG_E_TOO_LARGE);
    assert!(Kind::Unsupported as i32 == BINLOG_E_UNSUPPORTED && Kind::Failed as i32 == BINLOG_E_FAILED);
    assert!(Kind::NoSpace as i32 == BINLOG_E_NO_SPACE && Kind::Forked as i32 == BINLOG_E_FORKED);
    assert!(Kind::Missed as i32 == BINLOG_E_MISSED && Kind::Mismatch as i32 == BINLOG_E_MISMATCH);
    assert!(Kind::NoMemory as i32 == BINLOG_E_NO_MEMORY && Kind::Interrupted as i32 == BINLOG_E_INTERRUPTED);
};

impl binlog_error {
    pub(super) fn new(error: &Error) -> Self {
        binlog_error {
            status: error.kind().status(),
            os_code: error.os_code().unwrap_or(0),
            message: c_string(error.to_string().as_bytes()),
            path: c_string(error.path().map_or(&[], |path| path.as_os_str().as_bytes())),
            offset: error.offset().map_or(-1, |offset| offset as i64),
            record_id: error.record_id().unwrap_or(0),
            missed: error.missed(),
        }
    }

    pub(super) fn panic() -> Self {
        let message = c"a defect of the library: the call was given up, and the handle must only be closed".to_owned();
        binlog_error {
            status: BINLOG_E_PANIC,
            os_code: 0,
            message,
            path: CString::default(),
            offset: -1,
            record_id: 0,
            missed: None,
        }
    }
}

/// SAFETY of the functions below: `error` is NULL or was returned by this library and was not freed yet.
unsafe fn facts<'a>(error: *const binlog_error) -> Option<&'a binlog_error> {
    // SAFETY: as promised above.
    unsafe { error.as_ref() }
}

/// The error's status, less than 0; BINLOG_OK for NULL. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_status(error: *const binlog_error) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(BINLOG_OK, |facts| facts.status)
}

/// The system's errno when a system call failed, else 0. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_os_code(error: *const binlog_error) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(0, |facts| facts.os_code)
}

/// One line for people, UTF-8, with file, offset and reason; "" for NULL. Lives as long as the error. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_message(error: *const binlog_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(c"".as_ptr(), |facts| facts.message.as_ptr())
}

/// The file or directory that it happened in, "" if there is none. Lives as long as the error. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_path(error: *const binlog_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(c"".as_ptr(), |facts| facts.path.as_ptr())
}

/// The offset in that file, in bytes from its beginning; -1 if there is none. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_offset(error: *const binlog_error) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(-1, |facts| facts.offset)
}

/// The id of the last record that an append took although it failed: the record is in the writer's memory, and only the
/// flush or sync that a policy requires did not succeed. 0 = nothing was taken: append it again. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_record_id(error: *const binlog_error) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { facts(error) }.map_or(0, |facts| facts.record_id)
}

/// For an error with the status BINLOG_E_MISSED: `first_out` and `last_out`, which may be NULL, get the ids of the
/// first and the last record that are no longer in the log. Any thread. Returns BINLOG_OK, or BINLOG_E_NOT_FOUND when
/// the error names no such records.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed, `first_out` and `last_out` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_missed(
    error: *const binlog_error,
    first_out: *mut u64,
    last_out: *mut u64,
) -> binlog_status {
    // SAFETY: the caller's promise.
    let Some((first, last)) = unsafe { facts(error) }.and_then(|facts| facts.missed) else {
        return BINLOG_E_NOT_FOUND;
    };
    for (out, id) in [(first_out, first), (last_out, last)] {
        if !out.is_null() {
            // SAFETY: not NULL, and so writable.
            unsafe { out.write(id) };
        }
    }
    BINLOG_OK
}

/// Frees an error; NULL is a no-op. Any thread.
///
/// # Safety
/// `error` is NULL or an error of this library that was not freed; it must not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn binlog_error_free(error: *mut binlog_error) {
    if !error.is_null() {
        // SAFETY: every error handed out was made by Box::into_raw, and the caller gives it back once.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// The kind of a loss (binlog_loss.kind) as a word, such as "torn_tail", as the command shows it; "unknown" for any
/// other number. Static; any thread.
#[no_mangle]
pub extern "C" fn binlog_loss_kind_name(kind: u32) -> *const c_char {
    match kind {
        BINLOG_LOSS_DAMAGE => c"damage",
        BINLOG_LOSS_TORN_TAIL => c"torn_tail",
        BINLOG_LOSS_MISSING => c"missing",
        BINLOG_LOSS_HEADER_LOST => c"header_lost",
        BINLOG_LOSS_SHIFTED => c"shifted",
        BINLOG_LOSS_HOLE => c"hole",
        BINLOG_LOSS_DOUBLE => c"double",
        BINLOG_LOSS_MISNAMED => c"misnamed",
        BINLOG_LOSS_OTHER_FORM => c"other_form",
        BINLOG_LOSS_NEWER => c"newer",
        BINLOG_LOSS_TYPE_NAME => c"type_name",
        BINLOG_LOSS_INDEX => c"index",
        BINLOG_LOSS_TOO_LARGE => c"too_large",
        _ => c"unknown",
    }
    .as_ptr()
}

/// The state of a tail (binlog_tail.state) as a word, such as "torn"; "unknown" for any other number. Static; any
/// thread.
#[no_mangle]
pub extern "C" fn binlog_tail_state_name(state: u32) -> *const c_char {
    match state {
        BINLOG_TAIL_MORE => c"more",
        BINLOG_TAIL_CLOSED => c"closed",
        BINLOG_TAIL_LIVE => c"live",
        BINLOG_TAIL_UNCLOSED => c"unclosed",
        BINLOG_TAIL_TORN => c"torn",
        BINLOG_TAIL_CORRUPT => c"corrupt",
        _ => c"unknown",
    }
    .as_ptr()
}

/// The status as a word, such as "E_CORRUPT"; "UNKNOWN" for any other number. Static; any thread.
#[no_mangle]
pub extern "C" fn binlog_status_name(status: binlog_status) -> *const c_char {
    match status {
        BINLOG_OK => c"OK",
        BINLOG_END => c"END",
        BINLOG_TIMEOUT => c"TIMEOUT",
        BINLOG_DROPPED => c"DROPPED",
        BINLOG_E_INVALID => c"E_INVALID",
        BINLOG_E_IO => c"E_IO",
        BINLOG_E_CORRUPT => c"E_CORRUPT",
        BINLOG_E_NOT_FOUND => c"E_NOT_FOUND",
        BINLOG_E_LOCKED => c"E_LOCKED",
        BINLOG_E_TOO_LARGE => c"E_TOO_LARGE",
        BINLOG_E_UNSUPPORTED => c"E_UNSUPPORTED",
        BINLOG_E_FAILED => c"E_FAILED",
        BINLOG_E_NO_SPACE => c"E_NO_SPACE",
        BINLOG_E_FORKED => c"E_FORKED",
        BINLOG_E_MISSED => c"E_MISSED",
        BINLOG_E_MISMATCH => c"E_MISMATCH",
        BINLOG_E_NO_MEMORY => c"E_NO_MEMORY",
        BINLOG_E_INTERRUPTED => c"E_INTERRUPTED",
        BINLOG_E_PANIC => c"E_PANIC",
        _ => c"UNKNOWN",
    }
    .as_ptr()
}
