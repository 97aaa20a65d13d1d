//! The current segments, for calls that ask for the end or the beginning of a log after its reader was opened.

use parking_lot::Mutex;

use super::looks::Looks;
use crate::error::Result;
use crate::log::{SlotState, Snapshot, Source};
use crate::options::ReaderMode;

/// The segments at the last look.
pub(super) struct Present {
    last: Mutex<Last>,
}

struct Last {
    snapshot: Snapshot,
    looks: Looks,
}

impl Present {
    pub fn new(snapshot: Snapshot) -> Self {
        Present { last: Mutex::new(Last { snapshot, looks: Looks::just_now() }) }
    }

    /// The segments that exist now; they are not listed again where nothing can have changed. Old ones may have been
    /// removed; whether the log has rolled matters only `to_the_end`, as a cursor that reads forward finds that itself.
    pub fn now(&self, source: &Source, mode: ReaderMode, to_the_end: bool) -> Result<Snapshot> {
        let mut last = self.last.lock();
        let may_differ = match (source, source.is_far()) {
            (Source::File(..), _) => last.snapshot.slots.first().is_some_and(|only| only.is_unborn),
            (Source::Part(_), _) => false,
            (_, true) => to_the_end && last.looks.is_time(),
            (_, false) if last.snapshot.slots.first().is_some_and(|only| only.is_unborn) => true,
            (_, false) => has_lost_its_beginning(&last.snapshot) || (to_the_end && may_go_on(&last.snapshot)),
        };
        if may_differ {
            let fresh = source.snapshot(&last.snapshot, mode)?;
            if fresh.slots.len() != last.snapshot.slots.len() {
                last.looks = Looks::just_now();
            }
            // If the whole log was removed, the segments that are still open are shown.
            if !fresh.slots.is_empty() {
                last.snapshot = fresh;
            }
        }
        Ok(last.snapshot.clone())
    }
}

fn has_lost_its_beginning(snapshot: &Snapshot) -> bool {
    snapshot.slots.first().is_some_and(|first| first.is_gone())
}

/// Whether there may be a segment after the last one: not while a writer is in the middle of that.
fn may_go_on(snapshot: &Snapshot) -> bool {
    let Some(last) = snapshot.slots.len().checked_sub(1) else { return true };
    match snapshot.open(last) {
        Ok(SlotState::Segment(segment)) => {
            !segment.is_live() || segment.ends_with_trailer().ok().flatten() != Some(false)
        }
        // The reader that reaches it reports the error.
        Ok(SlotState::Unborn | SlotState::Gone) | Err(_) => true,
    }
}
