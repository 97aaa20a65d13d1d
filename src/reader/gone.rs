//! Going on when the segment that is being read was removed from its store, and looking for new ones there.
//!
//! A file that is removed stays readable for whoever has it open; an object does not.

use std::time::{Duration, Instant};

use super::place::Standing;
use super::Cursor;
use crate::error::{Error, Result};

/// First and longest time between two lists of a store that showed nothing new.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// When a store is to be listed again.
#[derive(Default)]
pub(super) struct Looks {
    next: Option<Instant>,
    pause: Duration,
}

impl Looks {
    /// Behind a look that has shown something new.
    pub fn just_now() -> Self {
        Looks { next: Some(Instant::now() + PAUSES.0), pause: PAUSES.0 }
    }

    /// Whether it is time to; counts as a look if it is.
    pub fn is_time(&mut self) -> bool {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.pause = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
        self.next = Some(now + self.pause);
        true
    }
}

impl Cursor {
    /// Whether to look for another segment behind the last one now: each look at a store is a request, which somebody pays.
    pub(super) fn may_look(&mut self) -> bool {
        !self.source.is_far() || self.looks.is_time()
    }

    /// There was another segment: the next may be there soon.
    pub(super) fn found_another(&mut self) {
        self.looks = Looks::default();
    }

    /// The current segment, or one that came next, cannot be read any more because it was removed. Goes on behind it, if
    /// all that was before was removed, too, as old segments are, and says once what was missed.
    pub(super) fn pass_gone(&mut self, error: Error) -> Result<()> {
        if self.salvage.is_some() || !self.snapshot.is_one_log() {
            return Err(error);
        }
        self.look_anew()?;
        let next = self.at + 1;
        if self.standing != Standing::Removed || next >= self.snapshot.slots.len() {
            return Err(error);
        }
        let Some(segment) = self.open_at(next)? else { return Ok(()) };
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let first_id = segment.header.first_id;
        self.begin_segment(next, &segment)?;
        self.expected = Some(first_id);
        match self.missed_between(expected, first_id) {
            Some(missed) => Err(missed),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_looked_at_more_and_more_seldom() {
        let mut looks = Looks::default();
        let mut pauses = vec![];
        for _ in 0..8 {
            assert!(looks.is_time() && !looks.is_time());
            pauses.push(looks.pause.as_secs());
            looks.next = Some(Instant::now());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
