//! Callbacks for the beginning and the end of segments, and for failures.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{binlog_error, c_string};
use super::guard::*;
use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::hooks;
use crate::hooks::{Hook, OnFailure, SegmentFile};

/// binlog_hook.kind: `call` is called.
pub const BINLOG_HOOK_CALL: u32 = 1;
/// binlog_hook.kind: the file gets the extension `argument`, such as ".done", which replaces the part of its name from
/// the last dot on.
pub const BINLOG_HOOK_CHANGE_EXTENSION: u32 = 2;
/// binlog_hook.kind: the file is moved into the directory `argument`, which must exist; it may be on another file
/// system. A relative path is one from the working directory at the time of the call that receives the hook.
pub const BINLOG_HOOK_MOVE_TO: u32 = 3;
/// binlog_hook.kind: the file is removed. It should be the last hook: those after it find no file.
pub const BINLOG_HOOK_DELETE: u32 = 4;

/// A segment in a hook. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_segment_file {
    /// The current path of its file.
    pub path: *const c_char,
    /// The log's name.
    pub log: *const c_char,
    /// Why it was closed: "bytes", "period", "age", "records", "check", "options", "moved", "close", or the argument of
    /// binlog_writer_roll_because; "" when it is being opened.
    pub reason: *const c_char,
    /// Its number in the log, from 1.
    pub sequence: u64,
    /// When it was begun, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Id of the first record in it, or of the one that will be the first.
    pub first_id: u64,
    /// Records in it.
    pub records: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    pub reserved: [u64; 4],
}

/// The result of a hook besides its status. It lives until the callback returns.
pub struct binlog_hook_result {
    path: Option<PathBuf>,
    error: Option<String>,
}

/// Processes a segment: returns BINLOG_OK, or any other number for a failure (preferably a status of the library, less
/// than 0), which is reported to on_failure with the text of binlog_hook_result_set_error; the other hooks still run. A
/// hook that has moved the file reports the new path with binlog_hook_result_set_path, for the next hook.
///
/// Hooks run one after the other, while no lock of the library is held: with BINLOG_WRITER_BACKGROUND in a thread of
/// the library, or in one that opens, rolls by call or closes; without it in the thread whose call made it necessary,
/// in one that appends next when several append at a time, or, if a thread calls binlog_writer_tick at least once a
/// second, in that thread. In the thread of the call, functions that append to this writer, name a type, flush, sync,
/// roll, tick or close are refused (BINLOG_E_INVALID; the writer stays open): the hook would wait for itself, or be
/// called again for what it writes. It must not wait for another thread that does so. binlog_writer_position and other
/// functions that only report something, and other writers, may be used. Hooks must not throw or jump out.
pub type binlog_hook_callback = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        segment: *const binlog_segment_file,
        result: *mut binlog_hook_result,
    ) -> binlog_status,
>;

/// An action on a segment. Set it to zeros and fill in what is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_hook {
    /// BINLOG_HOOK_*. None of the library's own kinds replaces an existing file: it fails, and the segment stays.
    pub kind: u32,
    /// Must be 0.
    pub reserved32: u32,
    /// The extension or the directory, for the kinds that take one; otherwise NULL.
    pub argument: *const c_char,
    /// With BINLOG_HOOK_CALL, the function; otherwise NULL.
    pub call: binlog_hook_callback,
    /// Passed to call.
    pub userdata: *mut c_void,
    /// Called once with userdata after the last use of call: when the writer is closed, or before the call that
    /// received the hook returns, if it fails or the hook is of another kind. Must not throw or jump out. May be NULL.
    /// Not called when struct_size of the options is wrong: then nothing else was read.
    pub drop: binlog_drop_callback,
    /// Must be 0.
    pub reserved: [u64; 3],
}

/// Called for a failure that no call returns: of a hook, of the removal of an old segment, of the `.active` file, of an
/// active file that was removed, of shipping to a store. `error` lives until it returns, and is not freed. Called in
/// the thread in which it happened, while no lock of the library is held; it may use the writer as a hook may
/// (binlog_hook_callback), and must not throw or jump out.
pub type binlog_failure_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, error: *const binlog_error)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_segment_file>() == 96);
    assert!(size_of::<binlog_hook>() == 64);
};

/// For a hook that has moved the segment's file: its new path, which is copied. Only within the callback that received
/// `result`. Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `result` is NULL or the argument of the callback, `path` a NUL-terminated string, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_hook_result_set_path(
    result: *mut binlog_hook_result,
    path: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            by_mut(result, "result")?.path = Some(super::guard::path(path, "path")?.to_owned());
            Ok(BINLOG_OK)
        })
    }
}

/// For a hook that fails: the reason, in one line of UTF-8, which is copied; invalid UTF-8 in it is replaced by U+FFFD.
/// The hook then counts as failed, whatever it returns, and whatever this returns. Only within the callback that
/// received `result`. Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `result` is NULL or the argument of the callback, `message` a NUL-terminated string, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_hook_result_set_error(
    result: *mut binlog_hook_result,
    message: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let result = by_mut(result, "result")?;
            // A missing reason does not make it a success.
            result.error = Some("it did not say why".to_owned());
            result.error = Some(lossy_text(message, "message")?);
            Ok(BINLOG_OK)
        })
    }
}

impl binlog_hook_result {
    fn into_outcome(self, status: binlog_status, segment: &SegmentFile) -> Result<Option<PathBuf>> {
        // Only BINLOG_OK is a success: a program that returns an errno, or the result of a read, has not checked it.
        if status == BINLOG_OK && self.error.is_none() {
            return Ok(self.path);
        }
        let reason = self.error.unwrap_or_else(|| match status {
            ..0 => format!("it returned the status {status}"),
            _ => format!("it returned {status}, which is not BINLOG_OK"),
        });
        // The caller reports that a hook failed.
        Err(Error::new(Kind::of_status(status), reason.replace(char::is_control, " ")).at(&segment.path))
    }
}

/// Takes over all hooks, even if some are invalid, so the drop of each is called.
///
/// # Safety
/// `given` points to `count` valid hooks with what they point to.
pub(super) unsafe fn hooks_of(given: *const binlog_hook, count: usize, what: &str) -> Result<Vec<Hook>> {
    // SAFETY: the caller's promise.
    let given = unsafe { slice(given, count, what) }?;
    let owned = given.iter().map(|hook| (hook, Userdata { pointer: hook.userdata, drop: hook.drop }));
    let owned: Vec<_> = owned.collect();
    // SAFETY: the caller's promise.
    owned.into_iter().map(|(hook, userdata)| unsafe { hook_of(hook, userdata) }).collect()
}

/// # Safety
/// What `given` points to is valid.
unsafe fn hook_of(given: &binlog_hook, userdata: Userdata) -> Result<Hook> {
    check_reserved("binlog_hook", &given.reserved)?;
    check_reserved("binlog_hook", &[u64::from(given.reserved32)])?;
    match (given.kind, given.call, given.argument.is_null()) {
        (BINLOG_HOOK_CALL, Some(call), true) => return Ok(HookCallback { call, userdata }.into_hook()),
        (BINLOG_HOOK_CALL, None, _) => return Err(Error::invalid("binlog_hook.call must not be NULL")),
        (BINLOG_HOOK_CALL | BINLOG_HOOK_DELETE, _, false) => {
            return Err(Error::invalid("binlog_hook.argument is set, and the hook takes none"))
        }
        (BINLOG_HOOK_CHANGE_EXTENSION..=BINLOG_HOOK_DELETE, Some(_), _) => {
            return Err(Error::invalid("binlog_hook.call is set, and the hook is one of the library's own"))
        }
        _ => (),
    }
    // SAFETY: the caller's promise.
    unsafe {
        Ok(match given.kind {
            BINLOG_HOOK_CHANGE_EXTENSION => {
                let extension = text(given.argument, "the hook's argument")?;
                hooks::check_extension(extension)?;
                hooks::change_extension(extension)
            }
            BINLOG_HOOK_MOVE_TO => hooks::move_to(path(given.argument, "the hook's argument")?),
            BINLOG_HOOK_DELETE => hooks::delete(),
            kind => return Err(Error::invalid(format!("there is no kind of hook {kind}"))),
        })
    }
}

struct HookCallback {
    call: unsafe extern "C" fn(*mut c_void, *const binlog_segment_file, *mut binlog_hook_result) -> binlog_status,
    userdata: Userdata,
}

impl HookCallback {
    fn into_hook(self) -> Hook {
        Arc::new(move |segment: &SegmentFile| self.run(segment))
    }

    fn run(&self, segment: &SegmentFile) -> Result<Option<PathBuf>> {
        let path = c_string(segment.path.as_os_str().as_bytes());
        let (log, reason) = (c_string(segment.log.as_bytes()), c_string(segment.reason.as_bytes()));
        let file = binlog_segment_file {
            path: path.as_ptr(),
            log: log.as_ptr(),
            reason: reason.as_ptr(),
            sequence: segment.sequence,
            created_ns: segment.created,
            first_id: segment.first_id,
            records: segment.records,
            bytes: segment.bytes,
            reserved: [0; 4],
        };
        let mut result = binlog_hook_result { path: None, error: None };
        // SAFETY: the data behind `file` and `result` outlive the call, and the userdata is the caller's own.
        let status = unsafe { (self.call)(self.userdata.pointer, &file, &mut result) };
        result.into_outcome(status, segment)
    }
}

/// The callback for failures. Takes over the userdata even if there is no callback.
pub(super) fn failure_listener(call: binlog_failure_callback, userdata: Userdata) -> Option<OnFailure> {
    let call = call?;
    Some(Arc::new(move |error: &Error| {
        // The whole struct, so the callback owns the userdata.
        let userdata: &Userdata = &userdata;
        let failure = binlog_error::new(error);
        // SAFETY: `failure` outlives the call, and the userdata is the caller's own.
        unsafe { call(userdata.pointer, &failure) };
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::error::{binlog_error_message, binlog_error_status};
    use crate::Kind;
    use std::ffi::CStr;
    use std::path::Path;

    /// The arguments of the callbacks, and how often their userdata was dropped.
    #[derive(Default)]
    struct Notes {
        calls: Vec<String>,
        drops: usize,
    }

    unsafe fn notes<'a>(userdata: *mut c_void) -> &'a mut Notes {
        // SAFETY: the tests pass nothing else as userdata, and call in one thread.
        unsafe { &mut *userdata.cast() }
    }

    unsafe fn string(text: *const c_char) -> String {
        // SAFETY: the library promises a NUL-terminated string.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
    }

    unsafe extern "C" fn count_drop(userdata: *mut c_void) {
        // SAFETY: see `notes`.
        unsafe { notes(userdata) }.drops += 1;
    }

    unsafe extern "C" fn moves(
        userdata: *mut c_void,
        segment: *const binlog_segment_file,
        result: *mut binlog_hook_result,
    ) -> binlog_status {
        // SAFETY: the library's arguments are valid.
        unsafe {
            let segment = &*segment;
            let line = format!("{} {} {}", string(segment.path), string(segment.reason), segment.sequence);
            notes(userdata).calls.push(line);
            binlog_hook_result_set_path(result, c"elsewhere/a.done".as_ptr(), std::ptr::null_mut())
        }
    }

    unsafe extern "C" fn fails(
        _userdata: *mut c_void,
        _segment: *const binlog_segment_file,
        result: *mut binlog_hook_result,
    ) -> binlog_status {
        // SAFETY: the library's arguments are valid.
        unsafe { binlog_hook_result_set_error(result, c"nobody\nanswers".as_ptr(), std::ptr::null_mut()) };
        BINLOG_E_LOCKED
    }

    unsafe extern "C" fn hears(userdata: *mut c_void, error: *const binlog_error) {
        // SAFETY: the library's arguments are valid.
        unsafe {
            assert_eq!(binlog_error_status(error), BINLOG_E_LOCKED);
            notes(userdata).calls.push(string(binlog_error_message(error)));
        }
    }

    fn hook(call: binlog_hook_callback, notes: &mut Notes) -> binlog_hook {
        let userdata = (&raw mut *notes).cast();
        let (argument, reserved) = (std::ptr::null(), [0; 3]);
        binlog_hook {
            kind: BINLOG_HOOK_CALL,
            reserved32: 0,
            argument,
            call,
            userdata,
            drop: Some(count_drop),
            reserved,
        }
    }

    fn segment() -> SegmentFile {
        SegmentFile {
            path: "a.binlog".into(),
            log: "a".into(),
            sequence: 7,
            created: 1,
            first_id: 2,
            records: 3,
            bytes: 4,
            reason: "period".into(),
        }
    }

    #[test]
    fn a_callback_says_where_the_file_is_or_why_it_failed() {
        let mut notes = Notes::default();
        let given = [hook(Some(moves), &mut notes), hook(Some(fails), &mut notes)];
        // SAFETY: the hooks are valid.
        let hooks = unsafe { hooks_of(given.as_ptr(), given.len(), "on_close") }.unwrap();
        assert_eq!(hooks[0](&segment()).unwrap().as_deref(), Some(Path::new("elsewhere/a.done")));
        let error = hooks[1](&segment()).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (Kind::Locked, "a.binlog: nobody answers".into()));

        let userdata = Userdata { pointer: (&raw mut notes).cast(), drop: Some(count_drop) };
        let listener = failure_listener(Some(hears), userdata).unwrap();
        listener(&error);
        assert_eq!(notes.calls, ["a.binlog period 7", "a.binlog: nobody answers"]);
        assert_eq!(notes.drops, 0);
        drop((hooks, listener));
        assert_eq!(notes.drops, 3);
    }

    #[test]
    fn only_binlog_ok_without_a_reason_is_a_success() {
        let into_outcome = |status, message: Option<*const c_char>| {
            let mut result = binlog_hook_result { path: None, error: None };
            // SAFETY: `result` lives, and the messages are NULL or strings.
            let set = message.map(|it| unsafe { binlog_hook_result_set_error(&mut result, it, std::ptr::null_mut()) });
            (result.into_outcome(status, &segment()).map_err(|error| (error.kind(), error.reason().to_owned())), set)
        };
        assert_eq!(into_outcome(BINLOG_OK, None).0, Ok(None));
        for status in [1, 2, 7, i32::MAX] {
            let reason = format!("it returned {status}, which is not BINLOG_OK");
            assert_eq!(into_outcome(status, None).0, Err((Kind::Io, reason)));
        }
        assert_eq!(into_outcome(BINLOG_E_NO_SPACE, None).0, Err((Kind::NoSpace, "it returned the status -9".into())));
        for status in [BINLOG_OK, 1] {
            let (failed, set) = into_outcome(status, Some(c"no\xffspace".as_ptr()));
            assert_eq!((failed, set), (Err((Kind::Io, "no\u{fffd}space".into())), Some(BINLOG_OK)));
            let (failed, set) = into_outcome(status, Some(std::ptr::null()));
            assert_eq!((failed, set), (Err((Kind::Io, "it did not say why".into())), Some(BINLOG_E_INVALID)));
        }
    }

    #[test]
    fn hooks_that_are_refused_are_dropped_all_of_them() {
        let mut notes = Notes::default();
        let given = [hook(None, &mut notes), hook(Some(moves), &mut notes)];
        // SAFETY: the hooks are valid.
        assert!(unsafe { hooks_of(given.as_ptr(), given.len(), "on_close") }.is_err());
        assert_eq!(notes.drops, 2);
    }
}
