//! What a roll consists of: the request, the new beginning, and the work that it leaves.

use super::lost::Lost;
use crate::io::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use crate::log::{Left, Naming};
use crate::options::SegmentFile;

/// A requested roll.
pub(super) struct Turn {
    /// For the events and hooks.
    pub reason: String,
    /// Rolls even when the segment holds no record.
    pub forced: bool,
    /// How segments are named from the next one on.
    pub naming: Option<Naming>,
    /// When it was requested: the next segment is begun for this time, however late it is created.
    pub at: i64,
}

/// Where the current segment begins, for the append stage.
#[derive(Default)]
pub(super) struct Mark {
    created: AtomicI64,
    first_id: AtomicU64,
}

impl Mark {
    pub fn set(&self, begun: i64, first_id: u64) {
        self.created.store(begun, Ordering::Relaxed);
        self.first_id.store(first_id, Ordering::Release);
    }

    /// When it was created, and the id of its first record.
    pub fn get(&self) -> (i64, u64) {
        let first_id = self.first_id.load(Ordering::Acquire);
        (self.created.load(Ordering::Relaxed), first_id)
    }
}

/// Work on a segment beside writing it.
pub(super) enum Step {
    Opened(SegmentFile, Left),
    /// With what the log has given by then.
    Closed(SegmentFile, Left),
    /// Its file was removed or replaced while it was written: no hook may touch the file that now has its name.
    Lost(Lost),
}
