//! In place of the engine in a library that ships nothing: no shipper can be opened, and no writer ships.

use std::convert::Infallible;
use std::ffi::c_void;
use std::path::Path;

use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::ffi::types::*;
use crate::WriterOptions;

/// There is none.
pub(in crate::ffi) struct Engine(Infallible);

/// Of no writer.
pub(in crate::ffi) struct ArchiveStrings;

fn unsupported() -> Error {
    Error::new(Kind::Unsupported, "this build of the library ships nothing: it was made without the feature \"upload\"")
}

impl Engine {
    /// # Safety
    /// None is needed.
    pub unsafe fn open(_directory: &Path, _log: Option<&str>, _given: &binlog_archive_options) -> Result<Self> {
        Err(unsupported())
    }

    pub fn run(&self, _: binlog_archive_event_callback, _: *mut c_void) -> Result<binlog_archive_report> {
        match self.0 {}
    }

    pub fn follow(&self, _: binlog_archive_event_callback, _: *mut c_void) -> Result<()> {
        match self.0 {}
    }

    pub fn stop(&self) {
        match self.0 {}
    }

    /// # Safety
    /// None is needed.
    pub unsafe fn verify(
        &self,
        _: bool,
        _: binlog_archive_problem_callback,
        _: binlog_archive_event_callback,
        _: *mut c_void,
    ) -> Result<binlog_archive_verified> {
        match self.0 {}
    }

    pub fn accept(&self, _segment: &str) -> Result<()> {
        match self.0 {}
    }

    pub fn replace(&self, _segment: &str) -> Result<()> {
        match self.0 {}
    }

    pub fn forget(&self) -> Result<()> {
        match self.0 {}
    }

    pub fn status(&self) -> Result<binlog_archive_status> {
        match self.0 {}
    }

    pub fn metrics(&self) -> Result<String> {
        match self.0 {}
    }

    pub fn last_failure(&self) -> Option<Error> {
        match self.0 {}
    }

    pub fn close(self) {
        match self.0 {}
    }
}

/// # Safety
/// None is needed.
pub(in crate::ffi) unsafe fn ship_by(_writer: &mut WriterOptions, given: *const binlog_archive_options) -> Result<()> {
    match given.is_null() {
        true => Ok(()),
        false => Err(unsupported()),
    }
}

pub(super) fn writer_status(_writer: &binlog_writer) -> Result<binlog_archive_status> {
    Err(unsupported())
}

pub(super) fn writer_metrics(_writer: &binlog_writer) -> Result<String> {
    Err(unsupported())
}

pub(super) fn writer_failure(_writer: &binlog_writer) -> Result<Option<Error>> {
    Err(unsupported())
}
