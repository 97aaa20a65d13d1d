//! The largest time of all records before a place, which lets a reader find a time among many segments.

use std::sync::Arc;

use super::{Found, Scanner, Segment};
use crate::format::block::BlockKind;

/// The largest time in the segment and in those before it; events count too, so that it may be too large, never too
/// small. `None` when it cannot be told. Costs a header for each INDEX block.
pub(crate) fn latest_time(segment: &Arc<Segment>, found: &Found) -> Option<i64> {
    let before = match &segment.header.predecessor {
        Some(told) => told.latest_ns?,
        None if segment.header.sequence == 1 => i64::MIN,
        None => return None,
    };
    let mut latest = before.max(found.indexing.latest().unwrap_or(i64::MIN));
    let mut at = found.indexing.last_index();
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    while at != 0 {
        scanner.jump(at);
        let header = scanner.header().ok().filter(|header| header.kind == BlockKind::Index)?;
        latest = latest.max(header.max_time);
        at = Some(header.last_index).filter(|&previous| previous < at)?;
    }
    (latest != i64::MIN).then_some(latest)
}
