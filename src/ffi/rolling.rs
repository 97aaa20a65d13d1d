//! When a log rolls, and which of its segments are kept.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{binlog_error, c_string};
use super::guard::*;
use super::types::*;
use crate::error::{Error, Result};
use crate::rolling::{Period, Retention, RollCheck, RollOptions, SegmentState};

/// The segment that is being written, as the argument of a check. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_segment_state {
    /// Its file.
    pub path: *const c_char,
    /// Its number in the log, from 1.
    pub sequence: u64,
    /// When it was begun, and the current time, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    pub now_ns: i64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Id of the first record in it.
    pub first_id: u64,
    /// Records in it.
    pub records: u64,
    pub reserved: [u64; 3],
}

/// Decides whether the log rolls now: 0 = no. Called after each write to the file and in binlog_writer_tick, in the
/// thread of that call, while no lock is held; several threads may call it at the same time. It may use the writer as a
/// hook may (binlog_hook_callback), and must not throw or jump out.
pub type binlog_roll_check_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, state: *const binlog_segment_state) -> i32>;

/// When a log rolls, besides binlog_writer_options.segment_bytes, and how its segments are named. The log rolls when
/// the first rule is met. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_roll_options {
    /// sizeof(binlog_roll_options) of the caller.
    pub struct_size: usize,
    /// At each multiple of this many seconds, by the wall clock of zone: 3600 is each full hour, 86400 each midnight.
    /// Periods of more than a day are counted from 1970-01-01. Up to 100 years; 0 = never.
    pub period_s: u64,
    /// This many milliseconds after the segment was begun; 0 = never.
    pub age_ms: u64,
    /// After this many records: no segment contains more, except for a larger batch; 0 = no rule.
    pub records: u64,
    /// Time zone of period_s and of the times in names: a name of the IANA time zone database, such as "Europe/Berlin";
    /// NULL or "" = UTC.
    pub zone: *const c_char,
    /// Names of segments: "{name}" is the log's name, "{seq}" the segment's number in ten digits, the rest as in
    /// strftime(3), from a fixed set of conversions; NULL = "{name}.{seq}". ".binlog" is added.
    pub name_template: *const c_char,
    /// Decides whether to roll; may be NULL.
    pub check: binlog_roll_check_callback,
    /// Passed to check.
    pub check_userdata: *mut c_void,
    /// Called once with check_userdata after the last call of check: when the writer is closed at the latest, or before
    /// the call that received these options returns, if it fails or check is NULL. Must not throw or jump out. May be
    /// NULL. Not called when a struct_size is wrong: then nothing else was read.
    pub check_drop: binlog_drop_callback,
    /// Must be 0.
    pub reserved: [u64; 5],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_roll_options {}

/// binlog_retention.flags: in a log that is shipped to a store, also remove segments that are in no store yet. Without
/// it such a segment stays, with those after it, even if the rules would remove it. Not in binlog_ship_options.keep.
pub const BINLOG_RETENTION_UNSHIPPED: u32 = 1;

/// Which old segments are removed. A segment is removed when any of the given rules requires it; the segment that is
/// being written always stays. Zeros keep everything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_retention {
    /// sizeof(binlog_retention) of the caller.
    pub struct_size: usize,
    /// A segment is removed when the one after it was begun more than this many milliseconds ago; 0 = no rule.
    pub age_ms: u64,
    /// The oldest are removed until there are no more than this many, including the one being written; 0 = no rule.
    pub segments: u64,
    /// The oldest are removed until all together take no more than this many bytes, including the one being written; 0
    /// = no rule.
    pub bytes: u64,
    /// BINLOG_RETENTION_UNSHIPPED.
    pub flags: u32,
    pub reserved32: u32,
    /// Must be 0.
    pub reserved: [u64; 3],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_retention {}

/// binlog_prune: remove nothing, and report what would be removed.
pub const BINLOG_PRUNE_DRY_RUN: u32 = 1;

/// A segment that was removed, or would be. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_pruned {
    /// Its file.
    pub path: *const c_char,
    /// The rule that removed it: "age", "segments" or "bytes".
    pub reason: *const c_char,
    /// Its number in the log.
    pub sequence: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Id of its first record, and of its last one; last_id is first_id - 1 when it contains none.
    pub first_id: u64,
    pub last_id: u64,
    pub reserved: [u64; 2],
}

/// Called for a segment that was removed.
pub type binlog_pruned_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, pruned: *const binlog_pruned)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_segment_state>() == 80);
    assert!(size_of::<binlog_roll_options>() == 112);
    assert!(size_of::<binlog_retention>() == 64);
    assert!(size_of::<binlog_pruned>() == 64);
};

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_roll_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_roll_options_init(
    options: *mut binlog_roll_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_roll_options")) }
}

/// Sets rules to their defaults: everything is kept. `struct_size` is the caller's sizeof(binlog_retention). Any
/// thread. Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `retention` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_retention_init(retention: *mut binlog_retention, struct_size: usize) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(retention, struct_size, "binlog_retention")) }
}

/// Removes the old segments of the log `log` in the directory `path`, by the rules of `keep`; of each log there,
/// separately, when `log` is NULL. A log's last segment always stays, and a writer may have the log open. Only files
/// whose header shows that they are segments of the log are removed, and never through a symbolic link. `flags` is 0 or
/// BINLOG_PRUNE_DRY_RUN.
///
/// `each` (may be NULL) is called for each removed segment, log by log, the oldest first, after all of them were
/// removed, in this thread; it must not throw or jump out. `count_out` (may be NULL) gets their number. Any thread. In
/// a log that is shipped to a store, segments that are in no store yet stay, unless BINLOG_RETENTION_UNSHIPPED is set.
///
/// Returns BINLOG_OK, also when there was nothing to remove; BINLOG_E_INVALID, also for a `keep` without a rule;
/// BINLOG_E_NOT_FOUND when there is no such directory or log; BINLOG_E_CORRUPT when a copy, a renamed or a damaged
/// segment keeps newer ones here; BINLOG_E_IO: in both cases some segments may have been removed, and the message
/// states how many.
///
/// # Safety
/// `path` is a NUL-terminated string, `log` NULL or one, `keep` NULL or valid, `each` NULL or a function, `count_out` and
/// `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_prune(
    path: *const c_char,
    log: *const c_char,
    keep: *const binlog_retention,
    flags: u32,
    each: binlog_pruned_callback,
    userdata: *mut c_void,
    count_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let keep = rules_to_prune_by(keep, flags)?;
            let log = if log.is_null() { None } else { Some(text(log, "log")?) };
            let place = super::guard::path(path, "path")?;
            let pruned = crate::rolling::prune(place, log, &keep, flags & BINLOG_PRUNE_DRY_RUN != 0)?;
            report_pruned(each, userdata, &pruned);
            if let Some(out) = count_out.as_mut() {
                *out = pruned.len();
            }
            Ok(BINLOG_OK)
        })
    }
}

/// # Safety
/// `keep` is NULL or valid.
unsafe fn rules_to_prune_by(keep: *const binlog_retention, flags: u32) -> Result<Retention> {
    if flags & !BINLOG_PRUNE_DRY_RUN != 0 {
        return Err(Error::invalid(format!("flags has unknown bits: {flags:#x}")));
    }
    // SAFETY: the caller's promise.
    let keep = unsafe { retention(keep) }?;
    match keep.is_some() {
        true => Ok(keep),
        false => Err(Error::invalid("there is no rule by which segments are removed: give at least one limit")),
    }
}

/// # Safety
/// `each` may be called with `userdata`.
unsafe fn report_pruned(each: binlog_pruned_callback, userdata: *mut c_void, pruned: &[crate::rolling::Pruned]) {
    let Some(each) = each else { return };
    for one in pruned {
        let (path, reason) = (c_string(one.path.as_os_str().as_bytes()), c_string(one.why.as_bytes()));
        let removed = binlog_pruned {
            path: path.as_ptr(),
            reason: reason.as_ptr(),
            sequence: one.sequence,
            bytes: one.bytes,
            first_id: one.first_id,
            last_id: one.last_id,
            reserved: [0; 2],
        };
        // SAFETY: the data behind `removed` outlives the call, and the caller promises the rest.
        unsafe { each(userdata, &removed) };
    }
}

/// # Safety
/// `given` is NULL or valid.
pub(super) unsafe fn retention(given: *const binlog_retention) -> Result<Retention> {
    // SAFETY: the caller's promise.
    let given = unsafe { sized(given, "binlog_retention") }?;
    check_reserved("binlog_retention", &given.reserved)?;
    check_reserved("binlog_retention", &[u64::from(given.reserved32)])?;
    if given.flags & !BINLOG_RETENTION_UNSHIPPED != 0 {
        return Err(Error::invalid(format!("binlog_retention.flags has unknown bits: {:#x}", given.flags)));
    }
    Ok(Retention {
        age: nonzero(given.age_ms).map(Duration::from_millis),
        segments: nonzero(given.segments),
        bytes: nonzero(given.bytes),
        unshipped: given.flags & BINLOG_RETENTION_UNSHIPPED != 0,
    })
}

/// Takes over the check even if something else is wrong, so its drop is called.
///
/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn roll_options(given: *const binlog_roll_options) -> Result<RollOptions> {
    // SAFETY: the caller's promise.
    let (given, unknown) = unsafe { sized_unchecked(given, "binlog_roll_options") }?;
    let userdata = Userdata { pointer: given.check_userdata, drop: given.check_drop };
    let check = given.check.map(|call| CheckCallback { call, userdata }.into_check());
    unknown?;
    check_reserved("binlog_roll_options", &given.reserved)?;
    let period = |s| Period::from_seconds(s).ok_or_else(|| Error::invalid(format!("there is no period of {s} s")));
    let mut options = RollOptions {
        period: nonzero(given.period_s).map(period).transpose()?,
        age: nonzero(given.age_ms).map(Duration::from_millis),
        records: nonzero(given.records),
        check,
        ..RollOptions::default()
    };
    // SAFETY: the caller's promises.
    unsafe {
        if !given.zone.is_null() {
            options.zone = text(given.zone, "the time zone")?.to_owned();
        }
        if !given.name_template.is_null() {
            options.template = text(given.name_template, "the template of names")?.to_owned();
        }
    }
    Ok(options)
}

struct CheckCallback {
    call: unsafe extern "C" fn(*mut c_void, *const binlog_segment_state) -> i32,
    userdata: Userdata,
}

impl CheckCallback {
    fn into_check(self) -> RollCheck {
        Arc::new(move |state: &SegmentState| self.ask(state))
    }

    fn ask(&self, state: &SegmentState) -> bool {
        let path = c_string(state.path.as_os_str().as_bytes());
        let given = binlog_segment_state {
            path: path.as_ptr(),
            sequence: state.sequence,
            created_ns: state.created,
            now_ns: state.now,
            bytes: state.bytes,
            first_id: state.first_id,
            records: state.records,
            reserved: [0; 3],
        };
        // SAFETY: the data behind `given` outlives the call, and the userdata is the caller's own.
        unsafe { (self.call)(self.userdata.pointer, &given) != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn many_records(userdata: *mut c_void, state: *const binlog_segment_state) -> i32 {
        // SAFETY: the test gives a counter as userdata, and the library a valid state.
        unsafe {
            *userdata.cast::<u32>() += 1;
            i32::from((*state).records > 10)
        }
    }

    unsafe extern "C" fn add_a_hundred(userdata: *mut c_void) {
        // SAFETY: as above.
        unsafe { *userdata.cast::<u32>() += 100 };
    }

    #[test]
    fn a_check_is_asked_with_what_the_segment_is_and_dropped_once() {
        let mut asked = 0u32;
        // SAFETY: all zeros is valid.
        let mut given: binlog_roll_options = unsafe { std::mem::zeroed() };
        given.struct_size = size_of::<binlog_roll_options>();
        given.check = Some(many_records);
        given.check_userdata = (&raw mut asked).cast();
        given.check_drop = Some(add_a_hundred);
        // SAFETY: the struct is valid.
        let options = unsafe { roll_options(&given) }.unwrap();
        let path = "a.binlog".into();
        let mut state = SegmentState { path, sequence: 1, created: 0, now: 1, bytes: 2, first_id: 1, records: 10 };
        let check = options.check.clone().unwrap();
        assert!(!check(&state));
        state.records = 11;
        assert!(check(&state));
        drop((check, options));
        assert_eq!(asked, 102);
    }
}
