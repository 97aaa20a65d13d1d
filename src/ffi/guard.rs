//! The only panic boundary, and the closed set of helpers that read a caller's pointers.

use std::ffi::{c_char, c_void, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use super::error::binlog_error;
use super::types::*;
use crate::error::{Error, Result};

/// Runs the body of an export: an error becomes a status and an error object, a panic becomes BINLOG_E_PANIC.
///
/// # Safety
/// `err` is NULL or a place for a pointer.
#[inline]
pub(super) unsafe fn guard(err: *mut *mut binlog_error, body: impl FnOnce() -> Result<binlog_status>) -> binlog_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        // SAFETY: the caller's promise.
        Ok(Err(error)) => unsafe { report(&error, err) },
        // SAFETY: the caller's promise.
        Err(_) => unsafe { hand_out(binlog_error::panic(), BINLOG_E_PANIC, err) },
    }
}

#[cold]
unsafe fn report(error: &Error, err: *mut *mut binlog_error) -> binlog_status {
    let status = error.kind().status();
    if err.is_null() {
        return status;
    }
    // SAFETY: the caller's promise.
    unsafe { hand_out(binlog_error::new(error), status, err) }
}

#[cold]
unsafe fn hand_out(error: binlog_error, status: binlog_status, err: *mut *mut binlog_error) -> binlog_status {
    if !err.is_null() {
        // SAFETY: not NULL, and so a place for a pointer.
        unsafe { err.write(Box::into_raw(Box::new(error))) };
    }
    status
}

#[cold]
fn null(what: &str) -> Error {
    Error::invalid(format!("{what} must not be NULL"))
}

/// For a handle, which a caller in another language did not choose to be NULL.
#[cold]
fn no_handle(what: &str) -> Error {
    Error::invalid(format!("there is no {what}: it was not opened, or is closed or moved from"))
}

/// The target of a handle.
///
/// # Safety
/// `pointer` is NULL or valid for as long as `'a`.
#[inline]
pub(super) unsafe fn handle<'a, T>(pointer: *const T, what: &str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| no_handle(what))
}

/// The target of a handle, mutable.
///
/// # Safety
/// `pointer` is NULL or valid for as long as `'a`, and not used elsewhere meanwhile.
#[inline]
pub(super) unsafe fn handle_mut<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| no_handle(what))
}

/// The target of a pointer.
///
/// # Safety
/// `pointer` is NULL or valid for as long as `'a`.
#[inline]
pub(super) unsafe fn by_ref<'a, T>(pointer: *const T, what: &str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(what))
}

/// The target of a pointer, mutable.
///
/// # Safety
/// `pointer` is NULL or valid for as long as `'a`, and not used elsewhere meanwhile.
#[inline]
pub(super) unsafe fn by_mut<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(what))
}

/// `len` values at `pointer`, which may be NULL when there are none.
///
/// # Safety
/// `pointer` is NULL or points to `len` values that are not changed as long as `'a`.
#[inline]
pub(super) unsafe fn slice<'a, T>(pointer: *const T, len: usize, what: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(what));
    }
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::invalid(format!("the length of {what} is larger than memory")));
    }
    // SAFETY: not NULL, the length is possible, and the caller promises the rest.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// A text.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that is not changed as long as `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| Error::invalid(format!("{what} is not UTF-8")))
}

/// A text; invalid UTF-8 in it is replaced by U+FFFD.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn lossy_text(text: *const c_char, what: &str) -> Result<String> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A path: any bytes.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn path<'a>(text: *const c_char, what: &str) -> Result<&'a Path> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    match bytes {
        [] => Err(Error::invalid(format!("{what} is empty"))),
        bytes => Ok(Path::new(OsStr::from_bytes(bytes))),
    }
}

/// A path, unless it is NULL.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn path_if_any(text: *const c_char, what: &str) -> Result<Option<PathBuf>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { path(text, what) }.map(|path| Some(path.to_owned()))
}

/// Structs that begin with their own size and may grow in later versions.
///
/// # Safety
/// All zeros is a valid value, and the first field is `struct_size: usize`.
pub(super) unsafe trait SelfSized: Copy {}

/// No struct of options will ever be larger; a greater size is a mistake, and the struct is not read.
const LARGEST: usize = 4096;

/// The caller's struct, as this version knows it. NULL selects all defaults. Fields of a newer version are refused if
/// they are set; fields that an older caller lacks are zero.
///
/// # Safety
/// `given` is NULL or points to as many bytes as its struct_size states.
pub(super) unsafe fn sized<T: SelfSized>(given: *const T, what: &str) -> Result<T> {
    // SAFETY: the caller's promise.
    let (known, unknown) = unsafe { sized_unchecked(given, what) }?;
    unknown?;
    Ok(known)
}

/// As [`sized`], for a caller that must read the struct even if unknown fields are set in it. The second value is the
/// error for those.
///
/// # Safety
/// As for [`sized`].
pub(super) unsafe fn sized_unchecked<T: SelfSized>(given: *const T, what: &str) -> Result<(T, Result<()>)> {
    // SAFETY: all zeros is valid, as SelfSized promises.
    let mut known: T = unsafe { std::mem::zeroed() };
    if given.is_null() {
        return Ok((known, Ok(())));
    }
    // SAFETY: the struct begins with its size; read without assuming more than that to be there.
    let size = unsafe { given.cast::<usize>().read() };
    if !(size_of::<T>()..=LARGEST).contains(&size) {
        let reason = format!("{what}.struct_size is {size}; it must be sizeof({what}), {} or more", size_of::<T>());
        return Err(Error::invalid(reason));
    }
    // SAFETY: `size` bytes are readable, as the caller promises; u8 has no alignment.
    let bytes = unsafe { std::slice::from_raw_parts(given.cast::<u8>(), size) };
    let unknown = match bytes[size_of::<T>()..].iter().any(|&byte| byte != 0) {
        true => Err(Error::invalid(format!("{what} has fields set that this version of the library does not know"))),
        false => Ok(()),
    };
    // SAFETY: both are valid for size_of::<T>() bytes and do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut known).cast::<u8>(), size_of::<T>()) };
    Ok((known, unknown))
}

/// Sets a struct to its defaults: zeros, and its size.
///
/// # Safety
/// `out` is NULL or points to `size` writable bytes.
pub(super) unsafe fn init_sized<T: SelfSized>(out: *mut T, size: usize, what: &str) -> Result<binlog_status> {
    if out.is_null() {
        return Err(null(what));
    }
    if !(size_of::<T>()..=LARGEST).contains(&size) {
        return Err(Error::invalid(format!("struct_size is {size}; it must be sizeof({what})")));
    }
    // SAFETY: not NULL, and `size` bytes are writable, as the caller promises.
    unsafe {
        std::ptr::write_bytes(out.cast::<u8>(), 0, size);
        out.cast::<usize>().write(size);
    }
    Ok(BINLOG_OK)
}

/// Refuses reserved fields that are set.
#[inline]
pub(super) fn check_reserved(what: &str, fields: &[u64]) -> Result<()> {
    match fields.iter().all(|&field| field == 0) {
        true => Ok(()),
        false => Err(Error::invalid(format!("a reserved field of {what} is not 0"))),
    }
}

/// The argument of a callback. Dropped once, after the last call.
pub(super) struct Userdata {
    pub pointer: *mut c_void,
    pub drop: binlog_drop_callback,
}

// SAFETY: the interface states for each callback in which threads it may run, and whether at the same time.
unsafe impl Send for Userdata {}
// SAFETY: as above.
unsafe impl Sync for Userdata {}

impl Drop for Userdata {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: the caller gave both for this one call.
            unsafe { drop(self.pointer) };
        }
    }
}

/// A rule, where 0 means none.
pub(super) fn nonzero(rule: u64) -> Option<u64> {
    (rule != 0).then_some(rule)
}

/// Passes a new handle to the caller.
///
/// # Safety
/// `out` is valid for a pointer.
pub(super) unsafe fn give<T>(out: *mut *mut T, made: T) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { out.write(Box::into_raw(Box::new(made))) };
    BINLOG_OK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::error::{binlog_error_free, binlog_error_status};

    #[test]
    fn a_panic_becomes_a_status_and_an_error_and_goes_no_further() {
        let mut err = std::ptr::null_mut();
        // SAFETY: `err` is a place for a pointer, and the error is freed once.
        unsafe {
            assert_eq!(guard(&mut err, || panic!("a defect")), BINLOG_E_PANIC);
            assert_eq!(binlog_error_status(err), BINLOG_E_PANIC);
            binlog_error_free(err);
            assert_eq!(guard(std::ptr::null_mut(), || panic!("a defect")), BINLOG_E_PANIC);
        }
    }

    #[test]
    fn a_struct_of_a_newer_caller_is_taken_when_what_is_unknown_is_zero() {
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct Known {
            struct_size: usize,
            from_id: u64,
        }
        // SAFETY: integers, of which the first is struct_size.
        unsafe impl SelfSized for Known {}
        #[repr(C)]
        struct Newer {
            known: Known,
            unknown: u64,
        }
        // SAFETY: all zeros is valid for both.
        let mut newer: Newer = unsafe { std::mem::zeroed() };
        newer.known.struct_size = size_of::<Newer>();
        newer.known.from_id = 7;
        // SAFETY: struct_size bytes are there.
        let read = unsafe { sized(&raw const newer.known, "known") };
        assert_eq!(read.map(|known| known.from_id).ok(), Some(7));
        newer.unknown = 1;
        // SAFETY: as above.
        assert!(unsafe { sized(&raw const newer.known, "known") }.is_err());
        newer.known.struct_size = 8;
        // SAFETY: as above.
        assert!(unsafe { sized(&raw const newer.known, "known") }.is_err());
    }
}
