//! The largest time of all records before a place, which lets a reader find a time among many segments.

use super::{Recovered, Segment};

/// The largest time of the records in the segment and in those before it; `i64::MIN` = there are none, `None` = not
/// known.
pub(crate) fn latest_time(segment: &Segment, found: &Recovered) -> Option<i64> {
    Some(segment.header.latest_before_ns()?.max(found.indexing.latest()?))
}
