//! The segments before the last one, when a writer opens a log of which nothing says how far it is durable.

use std::sync::Arc;

use super::left::Left;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::Predecessor;
use crate::io::{Access, Directory};
use crate::segment::{self, Inherited, Segment};

/// What stands in the segments before `last` and was never known to be durable, the newest first, back to one whose
/// beginning was known to be. Sees that they are whole.
///
/// The writer that rolled makes them durable right after the roll, before its next sync of the current segment. It may
/// have been killed before, or its fsync may have failed, and then no segment that says nothing about durability speaks
/// for those before it.
pub(crate) fn earlier_not_durable(
    directory: &dyn Directory,
    last: &Arc<Segment>,
    earlier: &[(u64, String)],
    left: Option<&Left>,
) -> Result<Vec<Inherited>> {
    let mut inherited = vec![];
    let mut next = last.clone();
    while let Some(told) = next.header.predecessor.clone() {
        let Some(segment) = predecessor(directory, &told, earlier)? else {
            // It may have been removed because of its age: then it was durable.
            match earlier.iter().find(|(sequence, _)| *sequence == told.sequence) {
                None => break,
                Some((_, name)) => return Err(cut_short(&told, &next).at_offset(&directory.path_of(name), 0)),
            }
        };
        if segment.file.len().is_ok_and(|len| len == u64::MAX) {
            // Nobody compresses what is not durable.
            break;
        }
        if segment.header.recovered.is_some() || segment.header.original.is_some() {
            // It took its place when it was durable, and those before it; and knows what is lost at its end.
            break;
        }
        let found = segment::recover(&segment)?;
        if found.end < told.bytes || found.next_id != told.last_id + 1 {
            return Err(cut_short(&told, &next).at_offset(&segment.path, found.end));
        }
        inherited.extend(to_renew(directory, &segment, (found.durable_end, found.end), &told, left)?);
        if found.durable_end > 0 {
            break;
        }
        next = segment;
    }
    Ok(inherited)
}

/// Makes the segments before `last` durable, for somebody else than a writer.
pub(crate) fn make_earlier_durable(
    directory: &dyn Directory,
    last: &Arc<Segment>,
    earlier: &[(u64, String)],
) -> Result<()> {
    for inherited in earlier_not_durable(directory, last, earlier, None)? {
        inherited.renew()?;
        let segment = &inherited.segment;
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        inherited.prove(|| ())?;
    }
    Ok(())
}

/// The bytes of a segment, which are known to be durable up to the first of two offsets and end at the other, as somebody
/// may write them anew.
fn to_renew(
    directory: &dyn Directory,
    segment: &Arc<Segment>,
    (durable_end, end): (u64, u64),
    told: &Predecessor,
    left: Option<&Left>,
) -> Result<Option<Inherited>> {
    match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain => (),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(&e, "stat").at(&segment.path)),
        // It was moved elsewhere, as hooks do when it is durable, and this is a link to it.
        Ok(_) => return Ok(Some(Inherited::to_be_synced(segment.clone()))),
    }
    match Segment::open(directory, &segment.name, Access::ReadWrite) {
        Ok(writable) if writable.header.is_followed_by(told) => {
            Ok(Some(Inherited::new(Arc::new(writable), durable_end, end)))
        }
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) if matches!(e.os_code(), Some(libc::EACCES | libc::EPERM | libc::EROFS)) => {
            // A log says where it goes on when its segments are durable, before a hook may do anything to them.
            let is_ours = |left: &&Left| left.log_id == segment.header.log_id;
            if left.filter(is_ours).is_some_and(|left| left.sequence >= told.sequence && left.next_id > told.last_id) {
                return Ok(Some(Inherited::to_be_synced(segment.clone())));
            }
            Err(e.because("the end of the segment may not be on the disk, and has to be written anew"))
        }
        Err(e) => Err(e),
        Ok(_) => Err(Error::new(Kind::Io, "another file took the place of the segment").at(&segment.path)),
    }
}

/// The segment that `told` describes. Its number in the name may be greater than the one in its header.
fn predecessor(
    directory: &dyn Directory,
    told: &Predecessor,
    earlier: &[(u64, String)],
) -> Result<Option<Arc<Segment>>> {
    for (_, name) in earlier.iter().rev().take_while(|(sequence, _)| *sequence >= told.sequence) {
        match Segment::open(directory, name, Access::Read) {
            Ok(segment) if segment.header.is_followed_by(told) => return Ok(Some(Arc::new(segment))),
            Err(e) if matches!(e.kind(), Kind::Io | Kind::NoMemory) => return Err(e),
            // Another one, or a file that is none.
            _ => (),
        }
    }
    Ok(None)
}

fn cut_short(told: &Predecessor, next: &Segment) -> Error {
    Error::corrupt(format!(
        "the segment is shorter than {} says: {} bytes, up to record {}; nothing is appended behind such a gap: read what \
         is there with `binlog cat`, and append to a new log",
        next.name, told.bytes, told.last_id
    ))
}
