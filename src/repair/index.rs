//! Writes a lost or damaged index anew.

use std::path::PathBuf;
use std::sync::Arc;

use super::{check_whole, directory_of, lock, open};
use crate::error::{Error, Result};
use crate::io::{Access, Location};
use crate::log::{note_new_end, refuse_url, Source};
use crate::memory;
use crate::options::{ReaderOptions, DEFAULT_BLOCK_MAX_BYTES};
use crate::segment::{self, Appender, FillAhead, Segment};

/// Appends an INDEX block that covers all of the segment, and a TRAILER, to each segment of the log whose index is
/// incomplete; a segment whose index is whole is left alone. Reads headers and entries, and the payload of blocks that are
/// not known to be durable. Returns the files that were written to. No writer may have the log open.
///
/// # Errors
/// [`crate::Kind::Corrupt`] when a segment is damaged or ends with a torn tail: it has to be recovered first, by a
/// writer that opens it or by [`crate::recovery::recover_in_place`]; [`crate::Kind::Locked`] when a writer has the log open; and
/// errors of the system.
pub fn rebuild_index(location: impl Into<Location>) -> Result<Vec<PathBuf>> {
    let location = location.into();
    refuse_url(&location, "write an index")?;
    rebuild(&Source::of(location, &ReaderOptions::default())?)
}

fn rebuild(source: &Source) -> Result<Vec<PathBuf>> {
    let directory = directory_of(source)?;
    check_whole(source)?;
    let snapshot = open(source, DEFAULT_BLOCK_MAX_BYTES)?;
    let _locks = lock(&*directory, &snapshot, matches!(source, Source::Directory(_)))?;
    let mut written = vec![];
    for old in snapshot.segments() {
        let old = old?;
        // A segment that is compressed as a whole is not written to, and one that was never begun is empty.
        if old.is_unborn || old.is_compressed_whole() || old.is_fully_indexed()? {
            continue;
        }
        let segment = Arc::new(Segment::open(&*directory, &old.name, Access::ReadWrite)?);
        check_end(&segment)?;
        let found = segment::survey(&segment)?;
        let (names, next_id) = (memory::copied(&found.types)?, found.next_id);
        // Zeros that were filled ahead are cut off before the TRAILER is written.
        let mut appender = Appender::resume(segment.clone(), found).filling(FillAhead::default());
        appender.reopen();
        appender.close(&names)?;
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        if matches!(source, Source::Directory(_)) {
            note_new_end(&*directory, &segment, next_id)?;
        }
        written.push(segment.path.clone());
    }
    Ok(written)
}

/// A block whose payload never reached the disk has a whole header, and zeros that were filled ahead follow it: an index
/// behind it would make damage of a torn tail.
fn check_end(segment: &Arc<Segment>) -> Result<()> {
    let found = segment::recover(segment)?;
    match found.torn_bytes {
        0 => Ok(()),
        bytes => Err(Error::corrupt(format!(
            "{}: a torn tail of {bytes} bytes, in front of which no index is written; a writer that opens the log cuts it \
             off, and so does recovery in place",
            found.torn_reason
        ))
        .at_offset(&segment.path, found.end)),
    }
}
