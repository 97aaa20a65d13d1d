//! How far a segment was on the disk according to its own blocks, including those after damage and those that are not
//! where they were written.

use super::moved::each_block;
use super::tail::last_block;
use super::tail::Moved;
use super::Segment;
use crate::error::{Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};

/// The greatest durable end in the headers of the segment's blocks, as an offset of the file as it was written.
pub(crate) fn durable_end(segment: &Segment) -> Result<u64> {
    if segment.translated.is_some() {
        return Ok(0);
    }
    let header = &segment.header;
    let was_made_at_once = (header.original.is_some() || header.recovered.is_some()) && !segment.is_rescued;
    let is_known_kind = |header: &BlockHeader| !matches!(header.kind, BlockKind::Skippable(_));
    let last = last_block(segment)?.filter(|(_, last)| is_known_kind(last) && !was_made_at_once);
    // In a file no block states a smaller durable end than one before it.
    let (from, mut end) = last.map_or((segment.start, 0), |(at, last)| (at + 1, last.durable_end));
    let mut made = was_made_at_once.then_some(u64::MAX);
    let looked = each_block(segment, from, |block: &Moved| {
        if is_known_kind(&block.header) {
            end = end.max(block.header.durable_end);
        }
        if made == Some(u64::MAX) && block.header.kind == BlockKind::Trailer {
            made = Some(block.written_at() + block.header.block_len());
        }
    });
    match looked {
        // A file that is compressed as a whole and breaks off.
        Err(error) if error.kind() == Kind::Corrupt => (),
        looked => looked?,
    }
    // A recovered or compressed segment got its name when everything up to its first TRAILER was durable.
    Ok(end.max(made.unwrap_or(0)))
}
