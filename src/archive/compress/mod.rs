//! Compression of segments that are finished, and back.
//!
//! A compressed segment holds the records and events of the one that it was made of, under the same ids, in larger blocks
//! that are compressed. It is a segment as any other: it can be read from any place, by its index, by headers only.
//!
//! The new form is written to a file `.<name>.part` beside the old one, read back and compared with the old one record by
//! record, made durable, and given its name, durably. Only then the old file goes. So at each moment, also when the power
//! fails, one of the two is there and whole; what a run that was cut short has left is finished or swept by the next.

mod blocks;
mod closed;
mod compare;
mod crew;
mod dictionary;
mod forms;
mod group;
mod make;
mod options;
mod pack;
mod part;
mod progress;
mod regroup;
mod sum;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::{Directory, RealDirectory};
use crate::log::{mark, names, Source};
use crate::options::ReaderOptions;
use closed::Direction;

pub use options::{CompressOptions, Dictionary, Whole, COMPRESSED_BLOCK_BYTES};
pub use progress::{ArchiveProgress, OnProgress};

/// A segment that was compressed, or that was made an ordinary one again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The file that was made, or that an earlier run had made.
    pub path: PathBuf,
    /// The file that it was made of.
    pub source: PathBuf,
    /// Whether that is gone.
    pub source_removed: bool,
    /// The segment's number in its log.
    pub sequence: u64,
    /// Records in it, events not counted; 0 after a dry run.
    pub records: u64,
    /// Length of the source in bytes.
    pub bytes_before: u64,
    /// Length of what was made; 0 after a dry run.
    pub bytes_after: u64,
    /// SHA-256 of what was made, in hexadecimal digits, if its name was to have it.
    pub sha256: Option<String>,
}

/// Compresses finished segments: all of the logs in a directory, one file, or the files that match a pattern.
///
/// Of a directory, the segments that have a successor are compressed, log by log, the oldest first; the newest of each log,
/// in which a writer goes on, and those that are compressed already are passed over, and so is a log of one file. That one
/// has to be named, must have been closed, and stays beside what is made of it unless [`CompressOptions::remove_single`] says
/// otherwise. No lock is taken in a directory, and no writer or reader is disturbed.
///
/// What is left of runs that were cut short is swept, or finished, first. Returns what was made, durably.
///
/// # Errors
/// [`Kind::Invalid`] for wrong options and for a file that cannot be compressed, which is the newest of its log, not closed,
/// or compressed already; [`Kind::NotFound`] when nothing is there; [`Kind::Locked`] when a writer or another process has
/// the segment; [`Kind::Corrupt`] when it is damaged; [`Kind::NoSpace`] and what else the system says. The segment that
/// failed is as it was. The others of a directory are compressed nevertheless, and the error is the first one.
pub fn compress(path: impl AsRef<Path>, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    each_of(path.as_ref(), options, Direction::Compress)
}

/// As [`compress`], over all segments in a directory of the caller's making.
pub fn compress_in(directory: &dyn Directory, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    all_in(directory, options, Direction::Compress)
}

/// Compresses the one segment in the file `name`, as [`compress`] does a file that is named. `name` has no slash in it.
pub fn compress_segment(directory: &dyn Directory, name: &str, options: &CompressOptions) -> Result<Compressed> {
    options.check()?;
    make::make(directory, name, options, Direction::Compress)
}

/// Compresses finished segments, file by file, as a whole, for the tools of others: `<name>.binlog.gz` or `<name>.binlog.zst`.
/// Such a file can only be read from its beginning, so that finding one record in it costs reading all before that. Of the
/// options, `level` (gzip's ends at 9), `keep_source`, `remove_single`, `dry_run`, `log` and `progress` count. Otherwise, and in
/// how it fails, as [`compress`].
pub fn pack(path: impl AsRef<Path>, whole: Whole, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    whole.check()?;
    each_of(path.as_ref(), options, Direction::Pack(whole))
}

/// As [`pack`], over all segments in a directory of the caller's making.
pub fn pack_in(directory: &dyn Directory, whole: Whole, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    whole.check()?;
    all_in(directory, options, Direction::Pack(whole))
}

/// Makes ordinary segments of compressed ones: of a directory, one file, or the files that match a pattern. Their blocks are
/// not compressed, and as large as they are in the compressed ones; a file that was compressed as a whole becomes what it
/// was, byte for byte. Of the options, `keep_source`, `remove_single`, `dry_run`, `log` and `progress` count. Otherwise, and in
/// how it fails, as [`compress`].
pub fn decompress(path: impl AsRef<Path>, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    each_of(path.as_ref(), options, Direction::Decompress)
}

/// As [`decompress`], over all segments in a directory of the caller's making.
pub fn decompress_in(directory: &dyn Directory, options: &CompressOptions) -> Result<Vec<Compressed>> {
    options.check()?;
    all_in(directory, options, Direction::Decompress)
}

/// As [`decompress`], for the one segment in the file `name`.
pub fn decompress_segment(directory: &dyn Directory, name: &str, options: &CompressOptions) -> Result<Compressed> {
    options.check()?;
    make::make(directory, name, options, Direction::Decompress)
}

/// Removes what runs of [`compress`] and its neighbours that were cut short have left in a directory: of the log `log`, or
/// of each one. What another process is at work on stays. Returns how many files that were.
///
/// # Errors
/// What the system says.
pub fn sweep(directory: &dyn Directory, log: Option<&str>) -> Result<usize> {
    part::sweep(directory, log)
}

fn each_of(path: &Path, options: &CompressOptions, direction: Direction) -> Result<Vec<Compressed>> {
    let is_in_a_store = || {
        let reason =
            "what is in a store stays as it is: segments are compressed on the machine where they were written";
        Err(Error::invalid(reason).at(path))
    };
    match Source::of(path, &ReaderOptions::default())? {
        Source::Matching(..) => is_in_a_store(),
        source if source.is_far() => is_in_a_store(),
        Source::Directory(directory) => all_in(&*directory, options, direction),
        Source::File(directory, name) => Ok(vec![make::make(&*directory, &name, options, direction)?]),
        Source::Glob(pattern) => {
            let mut made = Gone::default();
            for (directory, names) in matched(&pattern)? {
                for name in names.iter().filter(|name| closed::is_due(&*directory, name, options, direction)) {
                    made.take(make::make(&*directory, name, options, direction));
                }
            }
            made.finish()
        }
    }
}

fn all_in(directory: &dyn Directory, options: &CompressOptions, direction: Direction) -> Result<Vec<Compressed>> {
    mark::check_in(directory)?;
    if !options.dry_run {
        part::sweep(directory, options.log.as_deref())?;
    }
    let mut made = Gone::default();
    for name in closed::all(directory, options, direction)? {
        made.take(make::make(directory, &name, options, direction));
    }
    made.finish()
}

/// Files of a directory.
type Files = (Arc<dyn Directory>, Vec<String>);

/// The files that match the pattern, by directory.
fn matched(pattern: &str) -> Result<Vec<Files>> {
    let paths = glob::glob(pattern);
    let paths = paths.map_err(|e| Error::invalid(format!("the pattern {pattern:?} is not understood: {e}")))?;
    let mut found: Vec<Files> = vec![];
    for path in paths.filter_map(|path| path.ok()).filter(|path| path.is_file()) {
        let parent = path.parent().unwrap_or(Path::new(""));
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| names::is_segment(name)) else {
            continue;
        };
        match found.iter_mut().find(|(directory, _)| directory.path() == parent) {
            Some((_, names)) => names.push(name.to_owned()),
            None => {
                let directory = RealDirectory::open(parent).map_err(|e| Error::io(&e, "open").at(parent))?;
                found.push((Arc::new(directory), vec![name.to_owned()]));
            }
        }
    }
    match found.is_empty() {
        true => Err(Error::new(Kind::NotFound, "no segment matches the pattern").at(Path::new(pattern))),
        false => Ok(found),
    }
}

/// What has been made so far, and what failed first.
#[derive(Default)]
struct Gone {
    made: Vec<Compressed>,
    failed: Option<Error>,
}

impl Gone {
    fn take(&mut self, made: Result<Compressed>) {
        match made {
            Ok(made) => self.made.push(made),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    fn finish(self) -> Result<Vec<Compressed>> {
        match self.failed {
            None => Ok(self.made),
            Some(error) if self.made.is_empty() => Err(error),
            Some(error) => Err(error.because(&format!("{} segments were gone through, one was not", self.made.len()))),
        }
    }
}
