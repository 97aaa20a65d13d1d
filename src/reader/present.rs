//! What is there now, for who asks a reader for the end of a log, or from its beginning on, after it was opened.

use super::gone::Looks;
use super::Reader;
use crate::error::Result;
use crate::log::{Found, Snapshot, Source};

/// The segments when they were last looked at.
pub(super) struct Present {
    snapshot: Snapshot,
    looks: Looks,
}

impl Present {
    pub fn new(snapshot: Snapshot) -> Self {
        Present { snapshot, looks: Looks::just_now() }
    }
}

impl Reader {
    /// The segments that are there now, without listing them where nothing can have changed. Old ones may have been
    /// removed; whether the log has rolled matters `to_the_end` alone, as a cursor that reads forward finds that itself.
    pub(super) fn present(&self, to_the_end: bool) -> Result<Snapshot> {
        let mut present = self.present.lock();
        let may_differ = match (&self.source, self.source.is_far()) {
            (Source::File(..), _) => present.snapshot.slots.first().is_some_and(|only| only.is_unborn),
            (_, true) => to_the_end && present.looks.is_time(),
            (_, false) if present.snapshot.slots.first().is_some_and(|only| only.is_unborn) => true,
            (_, false) => has_lost_its_beginning(&present.snapshot) || (to_the_end && may_go_on(&present.snapshot)),
        };
        if may_differ {
            let fresh = self.source.snapshot(&present.snapshot, self.options.mode)?;
            if fresh.slots.len() != present.snapshot.slots.len() {
                present.looks = Looks::just_now();
            }
            // Of a log that was removed as a whole, what is still open is shown.
            if !fresh.slots.is_empty() {
                present.snapshot = fresh;
            }
        }
        Ok(present.snapshot.clone())
    }
}

fn has_lost_its_beginning(snapshot: &Snapshot) -> bool {
    snapshot.slots.first().is_some_and(|first| first.is_gone())
}

/// Whether there may be a segment behind the last one: not while a writer is in the middle of that.
fn may_go_on(snapshot: &Snapshot) -> bool {
    let Some(last) = snapshot.slots.len().checked_sub(1) else { return true };
    match snapshot.open(last) {
        Ok(Found::Segment(segment)) => !segment.is_live() || segment.ends_with_trailer().ok().flatten() != Some(false),
        // Whoever comes to it is told what is wrong.
        Ok(Found::Unborn | Found::Gone) | Err(_) => true,
    }
}
