//! Compresses segments that are finished, and decompresses them.
//!
//! A compressed segment contains the records and events of its source, under the same ids, in larger, compressed
//! blocks. It is a segment like any other: it can be read from any place, by its index, or by headers only.
//!
//! The new form is written to a file `.<name>.part` beside the old one, read back and compared with the old one record
//! by record, made durable, and renamed, durably. Only then is the old file removed. One of the two is therefore
//! present and whole at each moment, even if the power fails. The next run finishes or removes what an interrupted run
//! has left.

mod blocks;
mod closed;
mod compare;
mod crew;
mod dictionary;
mod forms;
mod group;
mod make;
mod pack;
mod part;
mod progress;
mod regroup;
mod sum;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::{Directory, Location, RealDirectory};
use crate::log::{mark, names, Source};
use crate::options::{CompressOptions, ReaderOptions, Whole};
use closed::Direction;

/// A segment that was compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The file that was made, or that an earlier run had made.
    pub path: PathBuf,
    /// The file that it was made from.
    pub source: PathBuf,
    /// Whether the source is gone.
    pub source_removed: bool,
    /// The segment's number in its log.
    pub sequence: u64,
    /// Records in it, without events; 0 after a dry run.
    pub records: u64,
    /// Length of the source in bytes.
    pub bytes_before: u64,
    /// Length of the file that was made; 0 after a dry run.
    pub bytes_after: u64,
    /// SHA-256 of the file that was made, in hexadecimal digits, if its name should contain it.
    pub sha256: Option<String>,
}

/// Compresses finished segments: all of the logs in a directory, one file, or the files that match a pattern. The name of a
/// [`Location::File`] must be that of a segment.
///
/// In a directory, the segments that have a successor are compressed, log by log, the oldest first. The newest segment
/// of each log, in which a writer continues, segments that are already compressed, and logs of one file are skipped. A
/// log of one file has to be named and must have been closed; it stays beside its compressed form unless
/// [`CompressOptions::remove_single`] is set. No lock is taken in a directory, and no writer or reader is disturbed.
///
/// First finishes or removes the leftovers of interrupted runs. Returns the segments that were made, durably.
///
/// # Errors
/// [`Kind::Invalid`] for wrong options and for a file that cannot be compressed because it is the newest of its log,
/// not closed, or already compressed; [`Kind::NotFound`] when nothing is there; [`Kind::Locked`] when a writer or
/// another process uses the segment; [`Kind::Corrupt`] when it is damaged; [`Kind::NoSpace`] and other errors of the
/// system. The segment that failed is unchanged. The other segments of a directory are still compressed, and the first
/// error is returned.
pub fn compress(location: impl Into<Location>, options: &CompressOptions) -> Result<Vec<Compressed>> {
    each_of(location.into(), options, Direction::Compress)
}

/// Compresses finished segments, file by file, as a whole, for other programs: `<name>.binlog.gz` or
/// `<name>.binlog.zst`. Such a file can only be read from its beginning: to find one record in it, everything before it
/// has to be read. The options `level` (gzip's ends at 9), `keep_source`, `remove_single`, `dry_run`, `log` and
/// `progress` apply. Otherwise, and in its errors, as [`compress`].
pub fn pack(location: impl Into<Location>, whole: Whole, options: &CompressOptions) -> Result<Vec<Compressed>> {
    whole.check(options.level)?;
    each_of(location.into(), options, Direction::Pack(whole))
}

/// Makes ordinary segments from compressed ones: in a directory, one file, or the files that match a pattern. Their
/// blocks are not compressed, and have the size of the compressed segment's blocks; a file that was compressed as a
/// whole becomes what it was, byte for byte. The options `keep_source`, `remove_single`, `dry_run`, `log` and
/// `progress` apply. Otherwise, and in its errors, as [`compress`].
pub fn decompress(location: impl Into<Location>, options: &CompressOptions) -> Result<Vec<Compressed>> {
    each_of(location.into(), options, Direction::Decompress)
}

/// Removes the leftovers of interrupted runs of [`compress`] and its neighbours in a directory: of the log `log`, or of
/// each one. Files that another process is working on stay. Returns the number of files.
///
/// # Errors
/// Errors of the system.
pub fn sweep(location: impl Into<Location>, log: Option<&str>) -> Result<usize> {
    part::sweep(&*location.into().directory()?, log)
}

/// Compresses one segment of a directory, whose files the caller has listed already.
pub(crate) fn compress_segment(directory: &dyn Directory, name: &str, options: &CompressOptions) -> Result<Compressed> {
    options.check()?;
    make::make(directory, name, options, Direction::Compress)
}

fn each_of(location: Location, options: &CompressOptions, direction: Direction) -> Result<Vec<Compressed>> {
    options.check()?;
    let path = location.path();
    let is_in_a_store = || {
        let reason =
            "what is in a store stays as it is: segments are compressed on the machine where they were written";
        Err(Error::invalid(reason).at(&path))
    };
    match Source::of(location, &ReaderOptions::default())? {
        Source::Matching(..) | Source::Part(_) => is_in_a_store(),
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
        let done = make::make(directory, &name, options, direction);
        let is_not_found = done.as_ref().is_err_and(|error| error.kind() == Kind::NotFound);
        // Old segments may be removed beside it.
        if is_not_found && directory.facts(&name).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            continue;
        }
        made.take(done);
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

/// What has been made so far, and the first error.
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
