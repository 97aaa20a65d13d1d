//! A table as an ArrowArrayStream.

use std::ffi::{c_char, c_int, CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};

use super::array::{array_of, end};
use super::schema::schema_of;
use super::{ArrowArray, ArrowArrayStream, ArrowSchema};
use crate::error::{Error, Kind, Result};
use crate::ffi::error::c_string;
use crate::table::Table;

/// The private data of a stream.
struct Streamed {
    table: Table,
    /// A call has panicked: the table is not used any more.
    is_broken: bool,
    last_error: Option<CString>,
}

/// The table as a stream, which owns it. It may be moved to another thread, and is released once.
pub fn stream_of(table: Table) -> ArrowArrayStream {
    let streamed = Box::new(Streamed { table, is_broken: false, last_error: None });
    ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release),
        private_data: Box::into_raw(streamed).cast(),
    }
}

impl Streamed {
    /// Runs the body of a callback: an error or a panic becomes an errno, and the line of get_last_error.
    fn run(&mut self, body: impl FnOnce(&mut Table) -> Result<()>) -> c_int {
        const DEFECT: &CStr = c"a defect of the library: the call was given up, and the stream must only be released";
        let done = match self.is_broken {
            true => None,
            false => catch_unwind(AssertUnwindSafe(|| body(&mut self.table))).ok(),
        };
        self.is_broken = done.is_none();
        let (code, line) = match done {
            Some(Ok(())) => (0, None),
            Some(Err(error)) => (errno_of(&error), Some(c_string(error.to_string().as_bytes()))),
            None => (libc::EIO, Some(DEFECT.to_owned())),
        };
        self.last_error = line;
        code
    }
}

fn errno_of(error: &Error) -> c_int {
    match error.kind() {
        Kind::Invalid => libc::EINVAL,
        Kind::Corrupt => libc::EBADMSG,
        Kind::Missed => libc::ESTALE,
        Kind::NotFound => libc::ENOENT,
        Kind::NoMemory => libc::ENOMEM,
        Kind::TooLarge => libc::EOVERFLOW,
        Kind::Unsupported => libc::ENOTSUP,
        _ => error.os_code().filter(|&code| code > 0).unwrap_or(libc::EIO),
    }
}

/// The private data of a stream; `None` after it was released.
///
/// # Safety
/// `stream` is NULL or one of [`stream_of`], and not in use elsewhere.
unsafe fn streamed<'a>(stream: *mut ArrowArrayStream) -> Option<&'a mut Streamed> {
    // SAFETY: the caller's promise.
    unsafe { stream.as_ref()?.private_data.cast::<Streamed>().as_mut() }
}

unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the consumer's promise.
    let Some(streamed) = (unsafe { streamed(stream) }).filter(|_| !out.is_null()) else { return libc::EINVAL };
    streamed.run(|table| {
        // SAFETY: not NULL, and so a place for a struct.
        unsafe { out.write(schema_of(table.schema())) };
        Ok(())
    })
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: the consumer's promise.
    let Some(streamed) = (unsafe { streamed(stream) }).filter(|_| !out.is_null()) else { return libc::EINVAL };
    streamed.run(|table| {
        let array = table.next_batch()?.map_or_else(end, array_of);
        // SAFETY: not NULL, and so a place for a struct.
        unsafe { out.write(array) };
        Ok(())
    })
}

unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    // SAFETY: the consumer's promise.
    let line = unsafe { streamed(stream) }.and_then(|streamed| streamed.last_error.as_ref());
    line.map_or(null(), |line| line.as_ptr())
}

unsafe extern "C" fn release(stream: *mut ArrowArrayStream) {
    // SAFETY: the consumer's promise.
    let Some(stream) = (unsafe { stream.as_mut() }) else { return };
    stream.release = None;
    let streamed = std::mem::replace(&mut stream.private_data, null_mut()).cast::<Streamed>();
    if !streamed.is_null() {
        // SAFETY: made by Box::into_raw, and taken from the stream once.
        let streamed = unsafe { Box::from_raw(streamed) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(streamed)));
    }
}
