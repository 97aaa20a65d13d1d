//! Where a log is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Directory, RealDirectory};
use crate::error::{Error, Result};

/// Where a log is. Functions that open a log take anything that converts to a location: a path as a `&str`, `&Path` or
/// `PathBuf`, or a directory of the caller's making as an `Arc`.
///
/// ```
/// use binlog::io::MemoryDirectory;
/// use binlog::{Location, Reader, ReaderOptions, Writer, WriterOptions};
/// use std::sync::Arc;
///
/// # fn main() -> binlog::Result<()> {
/// let memory = Arc::new(MemoryDirectory::default());
/// let writer = Writer::open(memory.clone(), WriterOptions::default())?;
/// writer.append(7, b"a record")?;
/// writer.close()?;
/// let reader = Reader::open(memory.clone(), ReaderOptions::default())?;
/// assert_eq!(reader.first_segment()?.first_id, 1);
/// // One segment of it.
/// Reader::open(Location::File(memory, "default.0000000001.binlog".to_owned()), ReaderOptions::default())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub enum Location {
    /// A path of the file system. Functions that read a log also take a pattern (`*`, `?`, `[…]`) or the URL of an object store.
    Path(PathBuf),
    /// A directory of the caller's making.
    Directory(Arc<dyn Directory>),
    /// The file of this name in a directory of the caller's making. The name contains no slash.
    File(Arc<dyn Directory>, String),
}

impl Location {
    /// The path that error messages show.
    pub fn path(&self) -> PathBuf {
        match self {
            Location::Path(path) => path.clone(),
            Location::Directory(directory) => directory.path().to_owned(),
            Location::File(directory, name) => directory.path_of(name),
        }
    }

    /// The directory of this machine that it refers to.
    pub(crate) fn directory(self) -> Result<Arc<dyn Directory>> {
        match self {
            Location::Path(path) => {
                let directory =
                    RealDirectory::open(&path).map_err(|e| Error::io(&e, "open the directory").at(&path))?;
                Ok(Arc::new(directory))
            }
            Location::Directory(directory) => Ok(directory),
            Location::File(..) => Err(Error::invalid("name the directory of the log, not a file").at(&self.path())),
        }
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let variant = match self {
            Location::Path(_) => "Path",
            Location::Directory(_) => "Directory",
            Location::File(..) => "File",
        };
        f.debug_tuple(variant).field(&self.path()).finish()
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Location {
    fn from(path: &P) -> Self {
        Location::Path(path.as_ref().to_owned())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Location::Path(path)
    }
}

impl From<String> for Location {
    fn from(path: String) -> Self {
        Location::Path(path.into())
    }
}

impl From<OsString> for Location {
    fn from(path: OsString) -> Self {
        Location::Path(path.into())
    }
}

impl From<Arc<dyn Directory>> for Location {
    fn from(directory: Arc<dyn Directory>) -> Self {
        Location::Directory(directory)
    }
}

impl<D: Directory + 'static> From<Arc<D>> for Location {
    fn from(directory: Arc<D>) -> Self {
        Location::Directory(directory)
    }
}
