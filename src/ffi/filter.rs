//! Which records a cursor shows.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::c_char;

use super::guard::*;
use super::types::*;
use crate::error::{Error, Result};
use crate::Filter;

/// Which records a cursor shows. Zeros show all.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_filter {
    /// sizeof(binlog_filter) of the caller.
    pub struct_size: usize,
    /// BINLOG_FILTER_*.
    pub flags: u32,
    /// Must be 0.
    pub reserved32: u32,
    /// From the first id to the second, both included; 0 = no bound.
    pub from_id: u64,
    pub to_id: u64,
    /// From this time on and before that one, in nanoseconds since the Unix epoch; 0 = no bound.
    pub from_time_ns: i64,
    pub to_time_ns: i64,
    /// Of these types, or of the named ones below; of all types if none is given.
    pub types: *const u32,
    pub type_count: usize,
    /// Names of types, NUL-terminated UTF-8. A name that the log does not contain is no error: it has no records yet.
    pub type_names: *const *const c_char,
    pub type_name_count: usize,
    /// With each of these metadata pairs: key, value, key, value ...; NUL-terminated UTF-8.
    pub metadata: *const *const c_char,
    /// Number of pairs in metadata.
    pub metadata_count: usize,
    /// Only the last N of the records that match the rest, in the same order; 0 = all. Events do not count.
    pub last: u64,
    /// Must be 0.
    pub reserved: [u64; 5],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_filter {}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_filter>() == 144);
};

/// Sets a filter to its defaults: all records. `struct_size` is the caller's sizeof(binlog_filter). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `filter` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_filter_init(filter: *mut binlog_filter, struct_size: usize) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(filter, struct_size, "binlog_filter")) }
}

/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn filter_of(given: *const binlog_filter) -> Result<Filter> {
    // SAFETY: the caller's promises.
    unsafe {
        let given = sized(given, "binlog_filter")?;
        check_reserved("binlog_filter", &given.reserved)?;
        check_reserved("binlog_filter", &[u64::from(given.reserved32)])?;
        if given.flags & !(BINLOG_FILTER_HEADERS | BINLOG_FILTER_EVENTS | BINLOG_FILTER_NEWEST_FIRST) != 0 {
            return Err(Error::invalid(format!("binlog_filter.flags has unknown bits: {:#x}", given.flags)));
        }
        let names = slice(given.type_names, given.type_name_count, "binlog_filter.type_names")?;
        let names = names.iter().map(|&name| text(name, "a type's name").map(str::to_owned));
        let texts = given.metadata_count.checked_mul(2).ok_or_else(|| Error::invalid("metadata_count is too large"))?;
        let texts = slice(given.metadata, texts, "binlog_filter.metadata")?;
        let pairs = texts.chunks_exact(2).map(|pair| {
            Ok((text(pair[0], "a metadata key")?.to_owned(), text(pair[1], "a metadata value")?.to_owned()))
        });
        Ok(Filter {
            from_id: (given.from_id != 0).then_some(given.from_id),
            to_id: (given.to_id != 0).then_some(given.to_id),
            from_time: (given.from_time_ns != 0).then_some(given.from_time_ns),
            to_time: (given.to_time_ns != 0).then_some(given.to_time_ns),
            types: slice(given.types, given.type_count, "binlog_filter.types")?.to_vec(),
            type_names: names.collect::<Result<_>>()?,
            metadata: pairs.collect::<Result<_>>()?,
            last: (given.last != 0).then_some(given.last),
            newest_first: given.flags & BINLOG_FILTER_NEWEST_FIRST != 0,
            headers_only: given.flags & BINLOG_FILTER_HEADERS != 0,
            events: given.flags & BINLOG_FILTER_EVENTS != 0,
        })
    }
}
