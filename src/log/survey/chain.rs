//! Whether one segment follows another.

use crate::error::Result;
use crate::format::declaration::FileHeader;
use crate::format::Malformed;
use crate::segment::{lacks_trailer, Segment, NO_TRAILER};

/// What is wrong between a segment that ends at the offset `end`, where the record `expected` should come next, and the
/// one after it.
pub(crate) fn chain_break(ended: &Segment, end: u64, expected: u64, next: &Segment) -> Result<Option<Malformed>> {
    if lacks_trailer(ended, end)? {
        return Ok(Some(Malformed::Missing(NO_TRAILER.to_owned())));
    }
    Ok(header_break(&ended.header, end, expected, next))
}

/// Whether a later segment with this header names the segment of this number as lost as a whole.
fn passes_over(later: &FileHeader, sequence: u64) -> bool {
    later.holes.iter().any(|hole| hole.is_whole() && hole.sequence == sequence)
}

fn header_break(ended: &FileHeader, end: u64, expected: u64, next: &Segment) -> Option<Malformed> {
    let first_id = next.header.first_id;
    let stated = next.header.predecessor.as_ref().filter(|stated| stated.sequence == ended.sequence);
    let missing = match stated {
        Some(stated) if !ended.is_followed_by(stated) => {
            let (this, that) = (ended.sequence, next.header.sequence);
            let reason = format!("segment {that} was written after another segment {this} than the one that is here");
            return Some(Malformed::Missing(reason));
        }
        Some(stated) => {
            let length = ended.comparable_length(stated, end).filter(|&length| stated.bytes > length);
            length.map(|length| format!("{} bytes of the file", stated.bytes - length))
        }
        // It skips this one, or what was between them is lost with its beginning.
        None if next.follows_lost() || passes_over(&next.header, ended.sequence) => None,
        // It was begun when hooks had moved away all segments before it: only its number shows which one it follows.
        None if next.header.predecessor.is_none() && next.header.sequence == ended.sequence + 1 => None,
        None if next.header.sequence <= ended.sequence => {
            let twice = next.path.display();
            let reason = format!("segment {} of the log is here twice, also as {twice}", next.header.sequence);
            return Some(Malformed::Repeated(reason));
        }
        None => Some(format!("the segments {} to {}", ended.sequence + 1, next.header.sequence - 1)),
    };
    if let Some(missing) = missing {
        let records = match first_id > expected {
            true => format!(", with the records {expected} to {}", first_id - 1),
            false => String::new(),
        };
        return Some(Malformed::Missing(format!("{missing} are missing{records}")));
    }
    // The header of a recovered segment states the records that it lost at its end.
    let is_lost_between = first_id > expected && next.lost_from() == Some(expected);
    let is_lost_at_end = ended.recovered.as_ref().is_some_and(|recovered| recovered.last_id + 1 == first_id);
    if first_id != expected && !is_lost_between && !is_lost_at_end {
        let reason = format!("the next segment begins with record {first_id}, where {expected} should come");
        return Some(Malformed::Missing(reason));
    }
    None
}
