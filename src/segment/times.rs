//! The times of records before a place, which let a reader find a time among many segments.

use std::sync::Arc;

use super::{Bad, Recovered, Scanner, Segment};
use crate::error::Result;
use crate::format::block::BlockKind;
use crate::format::index;

/// The largest time of the records in the segment and in those before it; `i64::MIN` = there are none, `None` = not
/// known.
pub(crate) fn latest_time(segment: &Segment, found: &Recovered) -> Option<i64> {
    Some(segment.header.latest_before_ns()?.max(found.indexing.latest()?))
}

/// A time that no record of the segment is before; `i64::MAX` = it has no records, `None` = not known. It takes a header for
/// each INDEX block, which states the smallest time of the blocks that it lists.
pub(crate) fn earliest_time(segment: &Arc<Segment>, found: &Recovered) -> Result<Option<i64>> {
    let (indexing, written) = (&found.indexing, found.indexing.written());
    let begins = written.last().map_or(segment.start, |last| last.end);
    if segment.translated.is_some() || !found.holes.is_empty() || indexing.since() != begins {
        return Ok(None);
    }
    match of_indexed(segment, written) {
        Ok(earliest) => Ok(earliest.map(|earliest| earliest.min(indexing.earliest_since()))),
        Err(Bad::Io(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The smallest time of the blocks that these INDEX blocks list, if they are all that the segment has.
fn of_indexed(segment: &Arc<Segment>, written: &[std::ops::Range<u64>]) -> Result<Option<i64>, Bad> {
    let mut earliest = i64::MAX;
    let Some(first) = written.first() else { return Ok(Some(earliest)) };
    let mut scanner = Scanner::new(segment.clone(), first.start);
    // The first one last: a scanner reads ahead after entries.
    for (number, index) in written.iter().enumerate().rev() {
        scanner.jump(index.start);
        let header = scanner.header()?;
        if header.kind != BlockKind::Index {
            return Ok(None);
        }
        if number == 0 {
            // A segment states the places of its INDEX blocks from one of them on.
            scanner.load_entries(&header)?;
            let (begins, previous) = index::decode_reach(scanner.entries())?;
            if (begins, previous) != (segment.start, 0) {
                return Ok(None);
            }
        }
        earliest = earliest.min(header.min_time);
    }
    Ok(Some(earliest))
}
