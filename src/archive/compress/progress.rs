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
    done: u64,
}

impl<'a> Told<'a> {
    pub fn begin(to: Option<&'a OnProgress>, path: &'a Path, bytes: u64) -> Result<Self> {
        let told = Told { to, path, bytes, done: 0 };
        told.tell()?;
        Ok(told)
    }

    /// The file was read and written up to this offset.
    #[inline]
    pub fn written(&mut self, offset: u64) -> Result<()> {
        self.at(offset)
    }

    /// All of it was written.
    pub fn all_written(&mut self) -> Result<()> {
        self.done = self.bytes;
        self.tell()
    }

    /// The file was compared up to this offset.
    #[inline]
    pub fn compared(&mut self, offset: u64) -> Result<()> {
        self.at(self.bytes.saturating_add(offset))
    }

    /// All of it was compared.
    pub fn all_compared(&mut self) -> Result<()> {
        self.done = self.bytes.saturating_mul(2);
        self.tell()
    }

    #[inline]
    fn at(&mut self, done: u64) -> Result<()> {
        if done < self.done.saturating_add(STEP) {
            return Ok(());
        }
        self.done = done;
        self.tell()
    }

    fn tell(&self) -> Result<()> {
        let Some(to) = self.to else { return Ok(()) };
        let progress = ArchiveProgress { path: self.path.to_owned(), done: self.done, bytes: self.bytes };
        match to(&progress) {
            true => Ok(()),
            false => Err(Error::new(Kind::Io, "the work was stopped by the caller").at(self.path)),
        }
    }
}
