//! The way through a segment by its index, for a cursor that need not see every block.
//!
//! The index is a hint: a block that it names is compared with the index, and when they differ, the cursor goes back to
//! where it came from and continues without the index.

use std::sync::Arc;

use crate::error::Result;
use crate::format::index::{Row, Window};
use crate::record::event;
use crate::segment::{Map, Segment};

/// How far the index of a segment has been followed.
pub(super) struct Route {
    pub map: Arc<Map>,
    pub part: usize,
    /// The rows of that part.
    pub rows: Option<Arc<Window>>,
    /// The rows before this row of this part have been announced to the file.
    pub announced: (usize, usize),
    /// Where the last jump began, until the block at its end is found to match the index.
    pub origin: Option<(u64, Option<u64>)>,
    /// The block that comes next, as the index names it.
    pub named: Option<(Arc<Window>, usize)>,
    /// Records up to this id were shown since that jump without a look at the headers of their blocks.
    pub shown_to: u64,
}

impl Route {
    /// A route by the index alone; `None` when there is none.
    pub fn by_index(segment: &Arc<Segment>) -> Result<Option<Self>> {
        let map = segment.indexed()?;
        Ok((!map.parts.is_empty()).then(|| Self::through(map)))
    }

    /// A route through the whole segment.
    pub fn whole(segment: &Arc<Segment>) -> Result<Self> {
        Ok(Self::through(segment.mapped()?))
    }

    fn through(map: Arc<Map>) -> Self {
        Route { map, part: 0, rows: None, announced: (0, 0), origin: None, named: None, shown_to: 0 }
    }
}

/// Whether the block may name the next segment, which has to be known at its end.
pub(super) fn must_be_seen(window: &Window, row: &Row, segment: &Segment) -> bool {
    // Every segment begins with a block whose event says that it was opened; there is nothing before it to forget.
    row.has_events
        && row.offset != segment.start
        && window.types_of(row).is_none_or(|types| {
            types.iter().any(|counted| matches!(counted.type_id, event::ROTATE_NEXT | event::OPENED | event::RECOVERED))
        })
}
