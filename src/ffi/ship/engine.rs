//! The calls of [`crate::shipping::Shipper`] behind the C functions.

use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::monitor::{report_problems, Call};
use super::options::{binlog_ship_options, options};
use super::status::{status_of, ShipStrings};
use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::io::ForkMark;
use crate::shipping::{ShipReport, Shipper};

pub(super) struct Engine {
    shipper: Shipper,
    strings: ShipStrings,
    stopped: AtomicBool,
    fork: ForkMark,
}

impl Engine {
    /// # Safety
    /// What `given` points to is valid.
    pub unsafe fn open(directory: &Path, log: Option<&str>, given: &binlog_ship_options) -> Result<Self> {
        // SAFETY: the caller's promise.
        let options = unsafe { options(given) }?;
        let fork = ForkMark::new();
        let shipper = Shipper::open(directory, log, options)?;
        let strings = ShipStrings::of(&shipper.status());
        Ok(Engine { shipper, strings, stopped: AtomicBool::new(false), fork })
    }

    /// The locks and connections of the parent do not exist in a child.
    fn here(&self) -> Result<&Shipper> {
        match self.fork.is_child() {
            false => Ok(&self.shipper),
            true => Err(Error::new(Kind::Forked, "the shipper was opened before a fork, and this is the child")),
        }
    }

    pub fn run(&self, on_event: binlog_ship_event_callback, userdata: *mut c_void) -> Result<binlog_ship_report> {
        let report = self.here()?.run_once(&Call::new(on_event, userdata, &self.stopped))?;
        Ok(sums_of(&report))
    }

    pub fn follow(&self, on_event: binlog_ship_event_callback, userdata: *mut c_void) -> Result<()> {
        self.here()?.run(&Call::new(on_event, userdata, &self.stopped));
        Ok(())
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// # Safety
    /// The functions may be called with `userdata`.
    pub unsafe fn verify(
        &self,
        read_back: bool,
        on_problem: binlog_ship_problem_callback,
        on_event: binlog_ship_event_callback,
        userdata: *mut c_void,
    ) -> Result<binlog_ship_verified> {
        let report = self.here()?.verify(read_back, &Call::new(on_event, userdata, &self.stopped))?;
        // SAFETY: the caller's promise.
        unsafe { report_problems(on_problem, userdata, &report.problems, &report.foreign) };
        Ok(binlog_ship_verified {
            sound_segments: report.sound_segments,
            sound_bytes: report.sound_bytes,
            waiting_segments: report.waiting_segments,
            first_sequence: report.first,
            last_sequence: report.last,
            problems: report.problems.len() as u64,
            foreign: report.foreign.len() as u64,
            stopped: u32::from(report.stopped),
            reserved32: 0,
            accepted_segments: report.accepted_segments,
            reserved: [0; 3],
        })
    }

    pub fn accept(&self, segment: &str) -> Result<()> {
        self.here()?.accept(segment)
    }

    pub fn replace(&self, segment: &str) -> Result<()> {
        self.here()?.replace(segment).map(drop)
    }

    pub fn forget(&self) -> Result<()> {
        self.here()?.forget().map(drop)
    }

    pub fn status(&self) -> Result<binlog_ship_status> {
        Ok(status_of(&self.here()?.status(), &self.strings))
    }

    pub fn metrics(&self) -> Result<String> {
        Ok(self.here()?.metrics())
    }

    pub fn last_failure(&self) -> Option<Error> {
        self.here().ok()?.status().last_failure.map(|(error, _)| error)
    }

    /// In a child everything stays as it is, because it belongs to the parent.
    pub fn close(self) {
        if self.fork.is_child() {
            std::mem::forget(self);
        }
    }
}

fn sums_of(report: &ShipReport) -> binlog_ship_report {
    binlog_ship_report {
        uploaded_segments: report.uploaded.len() as u64,
        uploaded_bytes: report.uploaded.iter().map(|segment| segment.bytes).sum(),
        found_segments: report.uploaded.iter().filter(|segment| segment.found).count() as u64,
        pruned_segments: report.pruned.len() as u64,
        pruned_bytes: report.pruned.iter().map(|segment| segment.bytes).sum(),
        stopped: u32::from(report.stopped),
        reserved32: 0,
        reserved: [0; 4],
    }
}
