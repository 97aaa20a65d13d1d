//! The largest time of all records before a place, which lets a reader find a time among many segments.

use std::sync::Arc;

use super::{Found, Scanner, Segment};
use crate::format::block::BlockKind;

/// The largest time of the records in the segment and in those before it; `i64::MIN` = there are none, `None` = it cannot
/// be told. An INDEX block of a window without records tells 0, so it may be too large, never too small. Costs a
/// header for each INDEX block.
pub(crate) fn latest_time(segment: &Arc<Segment>, found: &Found) -> Option<i64> {
    let before = match &segment.header.predecessor {
        Some(told) => told.latest_ns?,
        None if segment.header.sequence == 1 => i64::MIN,
        None => return None,
    };
    let mut latest = before.max(found.indexing.latest());
    let mut at = found.indexing.last_index();
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    while at != 0 {
        scanner.jump(at);
        let header = scanner.header().ok().filter(|header| header.kind == BlockKind::Index)?;
        latest = latest.max(header.max_time);
        at = Some(header.last_index).filter(|&previous| previous < at)?;
    }
    Some(latest)
}
