//! A log divided into splits.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, CString};

use super::error::{binlog_error, c_string};
use super::filter::{binlog_filter, filter_of};
use super::guard::*;
use super::reader::{binlog_reader, binlog_reader_options, reader_options};
use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::splits::{PlanOptions, Split};
use crate::Reader;

/// A log divided into splits. Threads may share it, except for closing.
pub struct binlog_plan {
    splits: Vec<SplitStrings>,
}

/// A split, with its strings as C reads them.
struct SplitStrings {
    token: CString,
    location: CString,
    split: Split,
}

/// How a log is planned. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_plan_options {
    /// sizeof(binlog_plan_options) of the caller.
    pub struct_size: usize,
    /// Bytes of the blocks in a split, as they are stored; 0 = 64 MiB. A split is shorter where a log ends, and longer
    /// where a segment cannot be cut.
    pub target_bytes: u64,
    /// No more splits than this, as far as possible: each log has at least one, and two where something is wrong in it.
    /// 0 = no limit.
    pub most: u64,
    /// Must be 0.
    pub reserved: [u64; 5],
}

// SAFETY: a plain C struct of integers whose first field is struct_size.
unsafe impl SelfSized for binlog_plan_options {}

/// A part of a log that is read independently of the others. The strings live as long as the plan.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_split {
    /// One line of text, for binlog_split_open in this process or in another one. It contains no credentials.
    pub token: *const c_char,
    /// Where the log is: an absolute path, a pattern, or a URL with its options.
    pub location: *const c_char,
    /// Ids of the first and the last record that can be in it. The splits of a plan do not overlap. last_id is first_id
    /// - 1 if there are only events in it.
    pub first_id: u64,
    pub last_id: u64,
    /// How many of its records the filter may want, by the index: those in the blocks that may contain something
    /// wanted, with the ids of the filter, and of its types where the index states the types of a block. Times and
    /// metadata are known for blocks only: fewer records may match, but never more.
    pub records: u64,
    /// Bytes of these blocks as they are stored; of the whole file where blocks are not known.
    pub bytes: u64,
    /// No record in these blocks has an earlier or a later time, in nanoseconds since the Unix epoch; INT64_MIN and
    /// INT64_MAX = not known.
    pub first_time_ns: i64,
    pub last_time_ns: i64,
    pub reserved: [u64; 4],
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_plan_options>() == 64);
    assert!(size_of::<binlog_split>() == 96);
};

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_plan_options). Any thread. Returns
/// BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_plan_options_init(
    options: *mut binlog_plan_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_plan_options")) }
}

/// Divides what the filter selects into splits, which can be read independently of each other, also by other processes
/// and on other machines. `filter` and `options` may be NULL. Every record that the filter selects, of those that are
/// in the log at the time of the call, is in exactly one split, and so is every event; records that are appended later
/// are in none. Reads headers and the index, no payload; segments and blocks that contain nothing wanted are left out.
/// A reader with BINLOG_READER_STRICT or BINLOG_READER_SALVAGE leaves out nothing within the filter's ids.
///
/// The filter is not a part of the tokens: use the same filter again with each split. Any thread. Close the plan
/// with binlog_plan_close; it does not need the reader any more.
///
/// Returns BINLOG_OK, BINLOG_E_INVALID (also for a filter with `last` or BINLOG_FILTER_NEWEST_FIRST, and for a URL that
/// contains a secret), BINLOG_E_IO, BINLOG_E_NOT_FOUND; BINLOG_E_CORRUPT when no segment of a log can be read. Other
/// damage is no error here: readers of the split that contains its place report it.
///
/// # Safety
/// `reader` is NULL or open, `filter` and `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_plan(
    reader: *const binlog_reader,
    filter: *const binlog_filter,
    options: *const binlog_plan_options,
    out: *mut *mut binlog_plan,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (reader, out) = (handle(reader, "reader")?, by_mut(out, "out")?);
            let plan = reader.reader.plan(&filter_of(filter)?, &plan_options(options)?)?;
            let splits = plan.splits().iter().map(|split| SplitStrings {
                token: c_string(split.token.as_bytes()),
                location: c_string(split.location.as_bytes()),
                split: split.clone(),
            });
            Ok(give(out, binlog_plan { splits: splits.collect() }))
        })
    }
}

/// The number of splits; 0 when the filter selects nothing. Any thread. Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `plan` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_plan_count(
    plan: *const binlog_plan,
    out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            *by_mut(out, "out")? = handle(plan, "plan")?.splits.len();
            Ok(BINLOG_OK)
        })
    }
}

/// Split number `index` (from 0, in the order of writing). The strings live as long as the plan. Any thread. Returns
/// BINLOG_OK, BINLOG_E_NOT_FOUND beyond the last, BINLOG_E_INVALID.
///
/// # Safety
/// `plan` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_plan_split(
    plan: *const binlog_plan,
    index: usize,
    out: *mut binlog_split,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (plan, out) = (handle(plan, "plan")?, by_mut(out, "out")?);
            let Some(SplitStrings { token, location, split }) = plan.splits.get(index) else {
                let count = plan.splits.len();
                return Err(Error::new(Kind::NotFound, format!("there is no split {index}, only {count} of them")));
            };
            *out = binlog_split {
                token: token.as_ptr(),
                location: location.as_ptr(),
                first_id: split.first_id,
                last_id: split.last_id,
                records: split.records,
                bytes: split.bytes,
                first_time_ns: split.first_time,
                last_time_ns: split.last_time,
                reserved: [0; 4],
            };
            Ok(BINLOG_OK)
        })
    }
}

/// Frees the plan. NULL is a no-op. No other thread may be using it.
///
/// # Safety
/// `plan` is NULL or open and not in use elsewhere; it must not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn binlog_plan_close(plan: *mut binlog_plan) {
    // SAFETY: every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(std::ptr::null_mut(), || {
            if !plan.is_null() {
                drop(Box::from_raw(plan));
            }
            Ok(BINLOG_OK)
        });
    }
}

/// Opens a split by its token: a reader that shows the records of the split and no others. `options` may be NULL; use
/// the same options as for the log, and the filter of the plan for its cursors. Close the reader with
/// binlog_reader_close. Any thread.
///
/// The files of the segments are opened by their names where the token contains these, without listing the directory
/// or the store. A token stays valid while the log goes on, and when segments are compressed, or others are removed.
/// Open tokens of untrusted origin only where any path could be opened.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for a text that is no token, BINLOG_E_UNSUPPORTED for a token of another
/// version, BINLOG_E_MISSED when all segments of the split were removed (some: the first call of a cursor reports
/// which records are missing, once), BINLOG_E_MISMATCH when another log is at its place; else as binlog_reader_open.
///
/// # Safety
/// `token` is a NUL-terminated string, `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_split_open(
    token: *const c_char,
    options: *const binlog_reader_options,
    out: *mut *mut binlog_reader,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            // First, so on_loss_drop is called even if something else is wrong.
            let options = reader_options(options)?;
            let out = by_mut(out, "out")?;
            Ok(give(out, binlog_reader::of(Reader::open_split(text(token, "token")?, options)?)))
        })
    }
}

/// # Safety
/// `given` is NULL or valid.
unsafe fn plan_options(given: *const binlog_plan_options) -> Result<PlanOptions> {
    // SAFETY: the caller's promise.
    let given = unsafe { sized(given, "binlog_plan_options") }?;
    check_reserved("binlog_plan_options", &given.reserved)?;
    let most = usize::try_from(given.most).unwrap_or(usize::MAX);
    Ok(PlanOptions { target_bytes: given.target_bytes, most })
}
