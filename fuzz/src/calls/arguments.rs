//! Arguments from the fuzzer's bytes.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use binlog::ffi::*;

use super::Program;

/// Every status that a call may return. BINLOG_E_PANIC is not among them, nor are the errors of a disk that fails.
const EXPECTED: [binlog_status; 9] = [
    BINLOG_OK,
    BINLOG_END,
    BINLOG_E_INVALID,
    BINLOG_E_CORRUPT,
    BINLOG_E_NOT_FOUND,
    BINLOG_E_LOCKED,
    BINLOG_E_TOO_LARGE,
    BINLOG_E_UNSUPPORTED,
    BINLOG_E_IO,
];

/// A struct that begins with its size, in memory that is longer than any size that the library accepts.
#[repr(C)]
pub(super) struct Sized<T> {
    pub known: T,
    beyond: [u64; 1024],
}

impl<T> Sized<T> {
    /// All zeros.
    pub fn zeroed() -> Box<Self> {
        // SAFETY: only used with plain structs of integers and pointers, for which zeros are valid.
        unsafe { Box::new(std::mem::zeroed()) }
    }
}

/// Makes the call, with a place for an error or without, and checks the error against the status.
pub(super) fn checked(wants_error: bool, call: impl FnOnce(*mut *mut binlog_error) -> binlog_status) -> binlog_status {
    let mut err = null_mut();
    let status = call(if wants_error { &mut err } else { null_mut() });
    assert!(EXPECTED.contains(&status), "status {status}");
    assert_eq!(err.is_null(), status >= 0 || !wants_error, "an error object for every error, and for nothing else");
    // SAFETY: `err` is NULL or an error that is freed once.
    unsafe {
        assert_eq!(binlog_error_status(err), if err.is_null() { BINLOG_OK } else { status });
        let message = CStr::from_ptr(binlog_error_message(err)).to_str().expect("messages are UTF-8");
        assert_eq!(message.is_empty(), err.is_null());
        assert!(!message.contains('\n'));
        let _ = CStr::from_ptr(binlog_error_path(err));
        binlog_error_os_code(err);
        assert!(binlog_error_offset(err) >= -1);
        assert_eq!(binlog_error_record_id(err), 0, "no policy can fail here");
        binlog_error_free(err);
    }
    status
}

/// Makes a call that returns no error objects.
pub(super) fn without_error(call: impl FnOnce() -> binlog_status) -> binlog_status {
    checked(false, |_| call())
}

impl<'a> Program<'a> {
    /// One in eight is.
    pub(super) fn is_null(&mut self) -> bool {
        self.input.u8() & 7 == 7
    }

    pub(super) fn pick<const N: usize, T: Copy>(&mut self, of: [T; N]) -> T {
        of[usize::from(self.input.u8()) % N]
    }

    pub(super) fn or_null<T>(&mut self, place: &mut T) -> *mut T {
        if self.is_null() {
            null_mut()
        } else {
            place
        }
    }

    /// A pointer to valid bytes; long ones are repeated from a few.
    pub(super) fn content(&mut self) -> Vec<u8> {
        let len = self.input.u8();
        let few = self.input.bytes(usize::from(len & 0x1f)).to_vec();
        match len >> 5 {
            6 => few.iter().copied().cycle().take(5000 * few.len()).collect(),
            7 => few.iter().copied().cycle().take(300 * few.len()).collect(),
            _ => few,
        }
    }

    /// Length for a NULL pointer or for valid bytes; now and then one larger than memory, which is refused before
    /// anything is read.
    pub(super) fn argument(&mut self, bytes: &[u8]) -> (*const u8, usize) {
        match self.input.u8() & 0x1f {
            0x1f => (null(), bytes.len()),
            0x1e => (bytes.as_ptr(), usize::MAX),
            0x1d => (null(), 0),
            _ => (bytes.as_ptr(), bytes.len()),
        }
    }

    pub(super) fn type_id(&mut self) -> u32 {
        match self.input.u8() {
            0xff => self.input.u32(),
            0xfe => BINLOG_TYPE_NAMED,
            low => u32::from(low % 5),
        }
    }

    /// Metadata of two kinds: valid pairs, and arbitrary bytes.
    pub(super) fn metadata(&mut self) -> Vec<u8> {
        match self.input.u8() {
            0xff => {
                let len = self.input.u8();
                self.input.bytes(usize::from(len)).to_vec()
            }
            pairs => (0..pairs & 3).flat_map(|i| [1, b'a' + i, 2, b'v', b'0' + i]).collect(),
        }
    }

    /// A record that nearly always has the given data and metadata.
    pub(super) fn record(&mut self, content: &[u8], metadata: &[u8]) -> binlog_record {
        let ((data, len), (pairs, metadata_len)) = (self.argument(content), self.argument(metadata));
        let rare = self.input.u8();
        binlog_record {
            id: 0,
            time_ns: if rare & 1 != 0 { self.input.i64() } else { 0 },
            data: data.cast(),
            len,
            metadata: pairs,
            metadata_len,
            r#type: self.type_id(),
            flags: if rare & 2 != 0 { u32::from(self.input.u8()) } else { 0 },
            reserved: [u64::from(rare == 0xf0), 0],
        }
    }

    /// A string for a name, or NULL.
    pub(super) fn name(&mut self) -> *const std::ffi::c_char {
        let names = [c"a", c"name", c"", c"with space", c"\xff\xfe", c"../x", c".hidden", c"job"];
        if self.is_null() {
            null()
        } else {
            self.pick(names).as_ptr()
        }
    }

    /// The value of a struct's size field: mostly right.
    pub(super) fn struct_size(&mut self, right: usize) -> usize {
        match self.input.u8() {
            0xff => self.input.u64() as usize,
            0xfe => right + 8,
            0xfd => right - 8,
            0xfc => 0,
            _ => right,
        }
    }
}
