//! Reports the events of shipping to a caller's functions.

use std::ffi::c_void;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::types::*;
use crate::error::Error;
use crate::ffi::error::{binlog_error, c_string};
use crate::ffi::guard::Userdata;
use crate::rolling::Pruned;
use crate::shipping::{Problem, ShipMonitor, Shipped};

/// One call that ships or compares.
pub(super) struct Call<'a> {
    on_event: binlog_ship_event_callback,
    userdata: Userdata,
    /// The shipper was asked to stop.
    stopped: &'a AtomicBool,
    /// This call was asked to stop, by its callback.
    ended: AtomicBool,
}

const NOTHING: binlog_ship_event = binlog_ship_event {
    kind: 0,
    found: 0,
    path: null(),
    sequence: 0,
    bytes: 0,
    error: null(),
    wait_ns: 0,
    reserved: [0; 2],
};

impl<'a> Call<'a> {
    pub fn new(on_event: binlog_ship_event_callback, userdata: *mut c_void, stopped: &'a AtomicBool) -> Self {
        let userdata = Userdata { pointer: userdata, drop: None };
        Call { on_event, userdata, stopped, ended: AtomicBool::new(false) }
    }

    fn report(&self, event: &binlog_ship_event) {
        let Some(on_event) = self.on_event else { return };
        // SAFETY: the data behind `event` outlives the call, and the userdata is the caller's own.
        if unsafe { on_event(self.userdata.pointer, event) } != 0 {
            self.ended.store(true, Ordering::Relaxed);
        }
    }

    fn report_file(&self, kind: u32, path: &Path, event: binlog_ship_event) {
        let path = c_string(path.as_os_str().as_bytes());
        self.report(&binlog_ship_event { kind, path: path.as_ptr(), ..event });
    }
}

impl ShipMonitor for Call<'_> {
    fn begins(&self, segment: &Shipped) {
        let (sequence, bytes) = (segment.sequence, segment.bytes);
        let event = binlog_ship_event { sequence, bytes, ..NOTHING };
        self.report_file(BINLOG_SHIP_EVENT_BEGINS, &segment.path, event);
    }

    fn sent(&self, bytes: u64) {
        self.report(&binlog_ship_event { kind: BINLOG_SHIP_EVENT_SENT, bytes, ..NOTHING });
    }

    fn uploaded(&self, segment: &Shipped) {
        let (sequence, bytes) = (segment.sequence, segment.bytes);
        let event = binlog_ship_event { sequence, bytes, found: u32::from(segment.found), ..NOTHING };
        self.report_file(BINLOG_SHIP_EVENT_UPLOADED, &segment.path, event);
    }

    fn pruned(&self, segment: &Pruned) {
        let (sequence, bytes) = (segment.sequence, segment.bytes);
        let event = binlog_ship_event { sequence, bytes, ..NOTHING };
        self.report_file(BINLOG_SHIP_EVENT_PRUNED, &segment.path, event);
    }

    fn failed(&self, error: &Error, wait: Option<Duration>) {
        let wait_ns = wait.map_or(-1, |wait| i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
        let error = binlog_error::new(error);
        self.report(&binlog_ship_event { kind: BINLOG_SHIP_EVENT_FAILED, error: &error, wait_ns, ..NOTHING });
    }

    fn stop(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.ended.load(Ordering::Relaxed)
    }
}

/// Reports each problem, and each object that does not belong to the log.
///
/// # Safety
/// `each` may be called with `userdata`.
pub(super) unsafe fn report_problems(
    each: binlog_ship_problem_callback,
    userdata: *mut c_void,
    problems: &[Problem],
    foreign: &[String],
) {
    let Some(each) = each else { return };
    for problem in problems {
        let file;
        let (kind, is_here, sequence, last_sequence, object) = match problem {
            Problem::Missing { sequence, object, is_here } => {
                (BINLOG_SHIP_PROBLEM_MISSING, *is_here, *sequence, *sequence, Some(object))
            }
            Problem::Different { sequence, object } => {
                (BINLOG_SHIP_PROBLEM_DIFFERENT, false, *sequence, *sequence, Some(object))
            }
            Problem::Gap { first, last, .. } => (BINLOG_SHIP_PROBLEM_GAP, false, *first, *last, None),
            Problem::Damaged { sequence, object, .. } => {
                (BINLOG_SHIP_PROBLEM_DAMAGED, false, *sequence, *sequence, Some(object))
            }
            Problem::Changed { sequence, path, .. } => {
                file = path.file_name().map(|name| name.to_string_lossy().into_owned());
                (BINLOG_SHIP_PROBLEM_CHANGED, true, *sequence, *sequence, file.as_ref())
            }
        };
        let object = object.map(|object| c_string(object.as_bytes()));
        let message = c_string(problem.to_string().as_bytes());
        let reported = binlog_ship_problem {
            kind,
            is_here: u32::from(is_here),
            sequence,
            last_sequence,
            object: object.as_ref().map_or(null(), |object| object.as_ptr()),
            message: message.as_ptr(),
            reserved: [0; 2],
        };
        // SAFETY: the data behind `reported` outlives the call, and the caller promises the rest.
        unsafe { each(userdata, &reported) };
    }
    for name in foreign {
        let (object, message) =
            (c_string(name.as_bytes()), c_string(format!("{name} is no segment of the log").as_bytes()));
        let reported = binlog_ship_problem {
            kind: BINLOG_SHIP_PROBLEM_FOREIGN,
            is_here: 0,
            sequence: 0,
            last_sequence: 0,
            object: object.as_ptr(),
            message: message.as_ptr(),
            reserved: [0; 2],
        };
        // SAFETY: as above.
        unsafe { each(userdata, &reported) };
    }
}
