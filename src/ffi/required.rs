//! Requirements for a log.

use std::collections::BTreeMap;
use std::ffi::c_char;

use super::guard::*;
use super::types::*;
use crate::error::Result;
use crate::Required;

/// What the file headers of a log must contain for it to be opened: BINLOG_E_MISMATCH otherwise. Zeros accept any log.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_required {
    /// sizeof(binlog_required) of the caller.
    pub struct_size: usize,
    /// The log's name; NULL = any.
    pub name: *const c_char,
    /// The MIME type of the payloads; NULL = any.
    pub content_type: *const c_char,
    /// These parameters, with these values: key, value, key, value ...; there may be others.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    /// Must be 0.
    pub reserved: [u64; 3],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_required {}

// The layout is part of the interface: tests/c/layout.c asserts the same number.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<binlog_required>() == 64);

/// Sets requirements to their defaults: any log. `struct_size` is the caller's sizeof(binlog_required). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `required` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_required_init(required: *mut binlog_required, struct_size: usize) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(required, struct_size, "binlog_required")) }
}

/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn required(given: *const binlog_required) -> Result<Required> {
    // SAFETY: the caller's promises.
    unsafe {
        let given = sized(given, "binlog_required")?;
        check_reserved("binlog_required", &given.reserved)?;
        let optional = |string: *const c_char, what| match string.is_null() {
            true => Ok(None),
            false => text(string, what).map(|text| Some(text.to_owned())),
        };
        Ok(Required {
            name: optional(given.name, "the required name")?,
            content_type: optional(given.content_type, "the required content type")?,
            parameters: parameters(given.parameters, given.parameter_count, "the required parameters")?,
        })
    }
}

/// `count` pairs of key and value.
///
/// # Safety
/// `given` points to twice as many NUL-terminated strings.
pub(super) unsafe fn parameters(
    given: *const *const c_char,
    count: usize,
    what: &str,
) -> Result<BTreeMap<String, String>> {
    // SAFETY: the caller's promise.
    unsafe {
        let pairs = slice(given, count.saturating_mul(2), what)?.chunks_exact(2);
        pairs
            .map(|pair| {
                let (key, value) = (text(pair[0], "a parameter's key")?, text(pair[1], "a parameter's value")?);
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect()
    }
}
