//! State of a cursor that shows the newest first.

use std::sync::Arc;

use super::Tail;
use crate::error::Error;
use crate::format::index::Window;
use crate::segment::Map;

/// How far the log has been shown.
pub(super) struct Backward {
    pub map: Arc<Map>,
    /// Parts of the segment that are still to be shown, and the rows of the part after them.
    pub parts: usize,
    pub rows: Option<(Arc<Window>, usize)>,
    /// The rows from this row of this part on have been announced to the file.
    pub announced: (usize, usize),
    /// Everything in the segment from this offset on has been shown, and every record from this id on.
    pub below: u64,
    pub shown_from: u64,
    /// Nothing before the segment is wanted, even if it exists.
    pub is_enough: bool,
    /// What is found at the end of the log. It is reported after everything before it has been shown.
    pub verdict: Tail,
    pub damage: Option<Error>,
    /// A strict reader fails at that end.
    pub is_refused: bool,
}
