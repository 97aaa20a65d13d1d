//! The progress of the work on a segment.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::options::{CompressProgress, OnProgress};

/// Least number of bytes between two calls.
const STEP: u64 = 4 << 20;

/// Reports the progress of the work on one file.
pub(super) struct Progress<'a> {
    to: Option<&'a OnProgress>,
    path: &'a Path,
    bytes: u64,
    written: u64,
    compared: u64,
    /// The sum of both at the last report.
    last: u64,
}

impl<'a> Progress<'a> {
    pub fn begin(to: Option<&'a OnProgress>, path: &'a Path, bytes: u64) -> Result<Self> {
        let mut progress = Progress { to, path, bytes, written: 0, compared: 0, last: 0 };
        progress.report()?;
        Ok(progress)
    }

    /// This many bytes of the file were read and written.
    #[inline]
    pub fn written(&mut self, bytes: u64) -> Result<()> {
        self.written = bytes;
        self.step()
    }

    /// All of it was written.
    pub fn all_written(&mut self) -> Result<()> {
        self.written = self.bytes;
        self.report()
    }

    /// This many bytes of the file were compared.
    #[inline]
    pub fn compared(&mut self, bytes: u64) -> Result<()> {
        self.compared = bytes;
        self.step()
    }

    /// All of it was compared.
    pub fn all_compared(&mut self) -> Result<()> {
        (self.written, self.compared) = (self.bytes, self.bytes);
        self.report()
    }

    #[inline]
    fn step(&mut self) -> Result<()> {
        match self.written + self.compared < self.last.saturating_add(STEP) {
            true => Ok(()),
            false => self.report(),
        }
    }

    fn report(&mut self) -> Result<()> {
        self.last = self.written + self.compared;
        let Some(to) = self.to else { return Ok(()) };
        let progress = CompressProgress { path: self.path.to_owned(), done: self.last, bytes: self.bytes };
        match to(&progress) {
            true => Ok(()),
            false => Err(Error::new(Kind::Io, "the work was stopped by the caller").at(self.path)),
        }
    }
}
