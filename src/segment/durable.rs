//! Up to where a segment was on the disk, as far as its own blocks tell: also those behind damage, and those that are not
//! where they were written.

use super::moved::{each_block, Moved};
use super::tail::last_block;
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
    let is_told = |header: &BlockHeader| !matches!(header.kind, BlockKind::Skippable(_));
    let last = last_block(segment)?.filter(|(_, last)| is_told(last) && !was_made_at_once);
    // No block of a file tells less than one before it.
    let (from, mut end) = last.map_or((segment.start, 0), |(at, last)| (at + 1, last.durable_end));
    let mut made = was_made_at_once.then_some(u64::MAX);
    let looked = each_block(segment, from, |block: &Moved| {
        if is_told(&block.header) {
            end = end.max(block.header.durable_end);
        }
        if made == Some(u64::MAX) && block.header.kind == BlockKind::Trailer {
            made = Some(block.written_at() + block.header.block_len());
        }
    });
    match looked {
        // A file that is compressed as a whole, and breaks off.
        Err(error) if error.kind() == Kind::Corrupt => (),
        looked => looked?,
    }
    // One that was recovered or compressed took its name when all up to its first TRAILER was durable.
    Ok(end.max(made.unwrap_or(0)))
}
