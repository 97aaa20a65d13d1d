//! In which segment a cursor begins, and how it finds its place again when segments were removed or came up meanwhile.

use std::sync::Arc;

use super::cursor::Moved;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::log::{Found, Known};
use crate::segment::Segment;

/// Where the file of a cursor's segment is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the directory, when that was listed last.
    Listed,
    /// It was removed, as all before it were: old segments are.
    Removed,
    /// It was removed, and earlier ones of its log were not.
    Lost,
}

/// Finds the number of leading segments for which something holds, as long as one for which it holds comes before none
/// for which it does not.
type Holds<'a> = &'a dyn Fn(&Cursor, Known) -> bool;

impl Cursor {
    /// The segment number `at`; `None` when there is none any more, and the places have changed.
    pub(super) fn open_at(&mut self, at: usize) -> Result<Option<Arc<Segment>>> {
        match self.snapshot.open(at)? {
            Found::Segment(segment) => return Ok(Some(segment)),
            Found::Unborn => self.forget(at),
            Found::Gone => self.look_anew()?,
        }
        Ok(None)
    }

    fn forget(&mut self, at: usize) {
        self.snapshot.slots.remove(at);
        self.at -= usize::from(at < self.at);
    }

    /// Lists the segments again. The current one keeps its place among them, also when its file was removed.
    pub(super) fn look_anew(&mut self) -> Result<()> {
        let mut fresh = self.source.snapshot(&self.snapshot, self.mode)?;
        if let Some(salvage) = &self.salvage {
            salvage.forget_repeated(&mut fresh);
        }
        let current = self.snapshot.slots[self.at].clone();
        match fresh.slots.iter().position(|slot| Arc::ptr_eq(slot, &current)) {
            Some(at) => (self.at, self.standing) = (at, Standing::Listed),
            None => {
                self.at = fresh.insert(current.clone());
                let before = self.at.checked_sub(1).map(|before| &fresh.slots[before]);
                let before = before.filter(|before| before.log.id == current.log.id);
                // One that was removed while the list was made may stand in it all the same.
                self.standing = match before.is_none_or(|before| before.is_gone()) {
                    true => Standing::Removed,
                    false => Standing::Lost,
                };
            }
        }
        self.snapshot = fresh;
        Ok(())
    }

    /// The first segment that can hold something wanted, so that those before need not be read. Only a log of one piece
    /// can be searched so.
    pub(super) fn find_start(&mut self) -> Result<(usize, Arc<Segment>)> {
        loop {
            let Some(start) = self.search()? else { continue };
            if let Some(segment) = self.open_at(start)? {
                return Ok((start, segment));
            }
        }
    }

    /// As [`Self::find_start`], by number; `None` when the places have changed.
    fn search(&mut self) -> Result<Option<usize>> {
        if !self.snapshot.is_one_log() {
            return Ok(Some(0));
        }
        let mut start = 0;
        if self.selection.first_id() > 1 {
            let holds: Holds = &|cursor, known| cursor.selection.begins_at(known.first_id);
            let Some(count) = self.count_leading(holds)? else { return Ok(None) };
            start = count.saturating_sub(1);
        }
        if self.selection.has_first_time() {
            // Old headers do not tell the time: what they do not tell is taken on trust first, and found out after.
            let holds: Holds = &|cursor, known| known.latest_ns.is_none_or(|time| cursor.selection.begins_behind(time));
            let Some(count) = self.count_leading(holds)? else { return Ok(None) };
            let at = count.saturating_sub(1);
            let known = self.snapshot.slots.get(at).and_then(|slot| slot.known());
            let is_told =
                known.and_then(|known| known.latest_ns).is_some_and(|time| self.selection.begins_behind(time));
            start = start.max(if is_told { at } else { 0 });
        }
        Ok(Some(start))
    }

    fn count_leading(&mut self, holds: Holds<'_>) -> Result<Option<usize>> {
        let (mut from, mut to) = (0, self.snapshot.slots.len());
        'search: while from < to {
            let middle = from + (to - from) / 2;
            // A file whose header is damaged tells nothing: the ones behind it do.
            for at in middle..to {
                let slot = self.snapshot.slots[at].clone();
                if slot.known().is_none() {
                    match self.snapshot.open(at) {
                        Ok(Found::Segment(_)) => (),
                        Ok(Found::Unborn) => {
                            self.forget(at);
                            to -= 1;
                            continue 'search;
                        }
                        Ok(Found::Gone) => {
                            self.look_anew()?;
                            return Ok(None);
                        }
                        Err(error) if error.kind() == Kind::Corrupt => continue,
                        Err(error) => return Err(error),
                    }
                }
                match slot.known().is_some_and(|known| holds(self, known)) {
                    true => from = at + 1,
                    false => to = middle,
                }
                continue 'search;
            }
            to = middle;
        }
        Ok(Some(from))
    }

    /// Whether nothing before the segment with this header is wanted.
    pub(super) fn begins_with(&self, header: &FileHeader) -> bool {
        let latest = header.predecessor.as_ref().and_then(|told| told.latest_ns);
        self.selection.begins_at(header.first_id) || latest.is_some_and(|time| self.selection.begins_behind(time))
    }

    /// The segment that comes behind the current one. Behind everything wanted of a log, that is its last one, which
    /// tells how the log ends.
    pub(super) fn next_place(&self) -> usize {
        let slots = &self.snapshot.slots;
        if !self.past || self.at + 1 >= slots.len() {
            return self.at + 1;
        }
        let here = &slots[self.at].log;
        let other = slots[self.at + 1..].iter().position(|slot| slot.log.id != here.id);
        match other {
            Some(behind) => self.at + 1 + behind,
            None => slots.len() - 1,
        }
    }

    /// Between the current segment and `next`, which is number `at`, others are missing. When they were removed because
    /// they were old, goes on behind them, and says once what was missed; `None` when it is damage.
    pub(super) fn pass_removed(&mut self, at: usize, expected: u64, next: &Arc<Segment>) -> Result<Option<Moved>> {
        let ended = &self.segment().header;
        let told = next.header.predecessor.as_ref().map_or(next.header.sequence - 1, |told| told.sequence);
        if told <= ended.sequence || next.header.first_id < expected {
            return Ok(None);
        }
        // A list that is made while files come and go may lack some that were there all the time.
        let unlisted = self.standing == Standing::Listed && self.snapshot.slots[self.at].is_gone();
        if unlisted || !std::mem::replace(&mut self.listed_again, true) {
            self.look_anew()?;
            return Ok(Some(Moved::Again));
        }
        if self.standing != Standing::Removed || self.salvage.is_some() {
            return Ok(None);
        }
        let first_id = next.header.first_id;
        self.begin_segment(at, next)?;
        self.expected = Some(first_id);
        match self.missed_between(expected, first_id) {
            Some(missed) => Err(missed),
            None => Ok(Some(Moved::Again)),
        }
    }

    /// What is to be said of records from `expected` on that are no longer in a log that begins with `first_id`.
    pub(super) fn missed_between(&self, expected: u64, first_id: u64) -> Option<Error> {
        let first = expected.max(self.selection.first_id()).max(1);
        let last = first_id.saturating_sub(1).min(self.selection.last_id());
        (first <= last).then(|| Error::of_missed(first, last).at(&self.segment().path))
    }
}
