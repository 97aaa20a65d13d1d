//! binlog through its C interface and its shared library.

mod abi;
mod appender;
mod find;
mod read;
mod repair;
mod tail;
mod ticked;
mod write;

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr;

use crate::Result;

pub use appender::{BinlogAppender, BinlogAppenders};
pub use find::{last_id, read_type, ByIndex};
pub use read::{read_headers, BatchReader, NextReader};
pub use repair::{rebuild_index, salvage, Lost};
pub use tail::Tail;
pub use ticked::TickedWriter;
pub use write::{BinlogWriter, Codec, Durable, Layout, Mode, FILL_NEVER};

/// The version of the library that is linked.
pub fn version() -> String {
    // SAFETY: the library returns a string that lives for ever.
    unsafe { CStr::from_ptr(abi::binlog_version()) }.to_string_lossy().into_owned()
}

/// Turns a status and its error object into a result; the value says whether the call reached an end.
fn check(status: abi::Status, error: *mut abi::Error) -> Result<bool> {
    match status {
        abi::OK => Ok(false),
        abi::END => Ok(true),
        _ => Err(take_message(status, error).into()),
    }
}

#[cold]
fn take_message(status: abi::Status, error: *mut abi::Error) -> String {
    if error.is_null() {
        return format!("binlog says {status}");
    }
    // SAFETY: the failed call has returned the error, whose message lives until it is freed here.
    unsafe {
        let message = CStr::from_ptr(abi::binlog_error_message(error)).to_string_lossy().into_owned();
        abi::binlog_error_free(error);
        message
    }
}

/// Calls a function whose last argument is the error, and checks what it returned.
macro_rules! call {
    ($function:ident($($argument:expr),*)) => {{
        let mut error = ::std::ptr::null_mut();
        // SAFETY: each caller passes live handles and valid places, as binlog.h requires for this function.
        let status = unsafe { $crate::binlog_c::abi::$function($($argument,)* &mut error) };
        $crate::binlog_c::check(status, error)
    }};
}
use call;

fn c_path(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_encoded_bytes())?)
}

impl abi::Record {
    const EMPTY: Self = abi::Record {
        id: 0,
        time_ns: 0,
        data: ptr::null(),
        len: 0,
        metadata: ptr::null(),
        metadata_len: 0,
        record_type: 0,
        flags: 0,
        reserved: [0; 2],
    };
}
