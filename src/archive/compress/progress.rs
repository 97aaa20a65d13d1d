//! How far the work on a segment has come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};

/// How far the work on one segment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// The file that is being read.
    pub path: PathBuf,
    /// Bytes of it that were read, to be written and to be compared with what was written: in the end twice `bytes`.
    pub done: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Is told how far the work has come, about once for each 4 MiB, and when a segment begins,
/// is written and is compared, on the thread that called. When
/// it returns false the work stops: the call fails, and leaves everything as it was before the current segment.
pub type OnProgress = Arc<dyn Fn(&ArchiveProgress) -> bool + Send + Sync>;

/// A call for at least so many bytes.
const STEP: u64 = 4 << 20;

/// Tells how far the work on one file has come.
pub(super) struct Told<'a> {
    to: Option<&'a OnProgress>,
    path: &'a Path,
    bytes: u64,
    written: u64,
    compared: u64,
    /// Of both together, what was told last.
    last: u64,
}

impl<'a> Told<'a> {
    pub fn begin(to: Option<&'a OnProgress>, path: &'a Path, bytes: u64) -> Result<Self> {
        let mut told = Told { to, path, bytes, written: 0, compared: 0, last: 0 };
        told.tell()?;
        Ok(told)
    }

    /// So many bytes of the file were read and written.
    #[inline]
    pub fn written(&mut self, bytes: u64) -> Result<()> {
        self.written = bytes;
        self.step()
    }

    /// All of it was written.
    pub fn all_written(&mut self) -> Result<()> {
        self.written = self.bytes;
        self.tell()
    }

    /// So many bytes of the file were compared.
    #[inline]
    pub fn compared(&mut self, bytes: u64) -> Result<()> {
        self.compared = bytes;
        self.step()
    }

    /// All of it was compared.
    pub fn all_compared(&mut self) -> Result<()> {
        (self.written, self.compared) = (self.bytes, self.bytes);
        self.tell()
    }

    #[inline]
    fn step(&mut self) -> Result<()> {
        match self.written + self.compared < self.last.saturating_add(STEP) {
            true => Ok(()),
            false => self.tell(),
        }
    }

    fn tell(&mut self) -> Result<()> {
        self.last = self.written + self.compared;
        let Some(to) = self.to else { return Ok(()) };
        let progress = ArchiveProgress { path: self.path.to_owned(), done: self.last, bytes: self.bytes };
        match to(&progress) {
            true => Ok(()),
            false => Err(Error::new(Kind::Io, "the work was stopped by the caller").at(self.path)),
        }
    }
}
