//! The segments before the last one, when a writer opens a log of which nothing says how far it is durable.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::format::declaration::Predecessor;
use crate::io::{Access, Directory};
use crate::segment::{self, Segment};

/// Makes the segments before `last` durable, and sees that they are whole, back to one that was known to be durable.
///
/// The writer that rolled does so right after the roll, before its next sync of the current segment. It may have been
/// killed before, and then no segment that says nothing about durability speaks for those before it.
pub(crate) fn make_earlier_durable(
    directory: &dyn Directory,
    last: &Arc<Segment>,
    earlier: &[(u64, String)],
) -> Result<()> {
    let mut next = last.clone();
    while let Some(told) = next.header.predecessor.clone() {
        let Some(segment) = predecessor(directory, &told, earlier)? else {
            // It may have been removed because of its age: then it was durable.
            match earlier.iter().find(|(sequence, _)| *sequence == told.sequence) {
                None => return Ok(()),
                Some((_, name)) => return Err(cut_short(&told, &next).at_offset(&directory.path_of(name), 0)),
            }
        };
        if segment.file.len().is_ok_and(|len| len == u64::MAX) {
            // Nobody compresses what is not durable.
            return Ok(());
        }
        if segment.header.recovered.is_some() || segment.header.original.is_some() {
            // It took its place when it was durable, and those before it; and knows what is lost at its end.
            return Ok(());
        }
        let found = segment::recover(&segment)?;
        if found.end < told.bytes || found.next_id != told.last_id + 1 {
            return Err(cut_short(&told, &next).at_offset(&segment.path, found.end));
        }
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        if found.durable_end > 0 {
            return Ok(());
        }
        next = segment;
    }
    Ok(())
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
