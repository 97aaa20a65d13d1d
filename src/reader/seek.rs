//! Going to another place of the log: to an id, to a time, behind a record that was asked for by its id.

use super::cursor::Shown;
use super::route::Route;
use super::{Cursor, Tail};
use crate::error::{Error, Kind, Result};
use crate::options::{Filter, ReaderOptions};
use crate::record::Record;
use crate::segment::Segment;

/// Where reading goes on: with this id.
pub(super) struct Resume(u64);

impl Cursor {
    /// Goes to the record with this id, or to the first behind it that the filter lets through, wherever the cursor is:
    /// the next record shown is that one. Costs the reading of one block. When old segments with records from this id on
    /// were removed, the next call says once which ([`Kind::Missed`]), and the one after it goes on behind them.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a cursor that shows the newest first or salvages, and as [`Self::next`].
    pub fn seek(&mut self, id: u64) -> Result<()> {
        self.check_seeks()?;
        self.selection.set_first_id(id);
        self.restart()?;
        self.missed = self.missed_at_the_beginning(id);
        self.first_only = true;
        Ok(())
    }

    /// Goes to the first record, in the order of writing, of this time or later, in nanoseconds since the Unix epoch;
    /// records of an earlier time are not shown from there on. Otherwise as [`Self::seek`]: what was removed is told
    /// unless the log still says that all of it was earlier, and the ids are those among which records of this time may have been.
    pub fn seek_time(&mut self, time: i64) -> Result<()> {
        self.check_seeks()?;
        self.selection.set_first_time(time);
        self.restart()?;
        self.missed = self.missed_at_the_beginning(0);
        self.first_only = true;
        Ok(())
    }

    /// Goes behind the newest record that is there, whatever the filter lets through: what is shown next was appended later. The
    /// end is looked for as a cursor does that shows the newest first.
    ///
    /// # Errors
    /// As [`Self::seek`].
    pub fn seek_end(&mut self) -> Result<()> {
        self.check_seeks()?;
        let options = ReaderOptions { mode: self.mode, ..ReaderOptions::default() };
        let newest = Filter { newest_first: true, headers_only: true, ..Filter::default() };
        let now = self.source.snapshot(&self.snapshot, self.mode)?;
        let mut last = Cursor::new(self.source.clone(), now, &options, &newest)?;
        let next_id = match last.next()?.map(|record| record.id + 1) {
            Some(next_id) => next_id,
            None => last.segment().header.first_id,
        };
        self.seek(next_id)
    }

    /// The record with this id, `None` when the log has none or the filter does not let it through. Reading goes on
    /// behind it. An event is no record. Reads the entries of its block and the pages it stands on, and nothing else.
    ///
    /// # Errors
    /// As [`Self::seek`]; [`Kind::Missed`] when the record was removed with old segments.
    pub fn get(&mut self, id: u64) -> Result<Option<Record<'_>>> {
        let last_id = self.selection.last_id();
        self.seek(id)?;
        self.selection.set_last_id(id.min(last_id));
        self.missed = self.missed_at_the_beginning(id);
        let events = self.selection.set_events(false);
        let hit = self.next_hit();
        self.selection.set_last_id(last_id);
        self.selection.set_events(events);
        self.resume_behind(id);
        match hit? {
            Some(hit) => Ok(Some(hit.record(self.scanner.entries(), self.scanner.payload()))),
            None => Ok(None),
        }
    }

    /// Has reading go on behind the record `id`.
    pub(super) fn resume_behind(&mut self, id: u64) {
        self.resume = Some(Resume(id.saturating_add(1)));
    }

    /// Goes on with the record `id`, or the first behind it that is wanted.
    pub(super) fn go_on(&mut self, Resume(id): Resume) -> Result<()> {
        self.selection.go_on_from(id);
        self.restart()?;
        if self.at == 0 {
            let first = self.segment().clone();
            self.missed = self.missed_before(&first, id);
        }
        Ok(())
    }

    /// What is to be said to one who wants the records from `id` on, when the cursor has come to the first segment. A
    /// file before that which cannot be read is damage, as it is for whoever reads on from one before it.
    pub(super) fn missed_at_the_beginning(&mut self, id: u64) -> Option<Error> {
        if self.at > 0 || self.check_readable(0).is_err() {
            return None;
        }
        if !self.may_be_wanted_before_the_first() {
            return None;
        }
        let first = self.segment().clone();
        self.missed_before(&first, id)
    }

    /// Whether a wanted record may have been in what was removed before the first segment: the log may still say that
    /// nothing of a wanted time was there.
    pub(super) fn may_be_wanted_before_the_first(&self) -> bool {
        let known = self.snapshot.slots[0].known();
        self.selection.may_want_up_to(known.and_then(|first| first.latest_ns))
    }

    /// What is to be said to one who wants the records from `id` on of a log that begins with this segment now.
    fn missed_before(&self, first: &Segment, id: u64) -> Option<Error> {
        self.snapshot.is_one_log().then(|| self.missed_between(id, first.header.first_id)).flatten()
    }

    fn check_seeks(&self) -> Result<()> {
        match self.backward.is_some() || self.salvage.is_some() {
            true => Err(Error::new(Kind::Unsupported, "a cursor that shows the newest first or salvages cannot seek")),
            false => Ok(()),
        }
    }

    /// Begins anew, with what the selection says now.
    fn restart(&mut self) -> Result<()> {
        self.shown = Shown::Nothing;
        self.failure = None;
        self.missed = None;
        self.resume = None;
        self.first_only = false;
        self.expected = None;
        self.past = false;
        self.tail = Tail::default();
        let (start, segment) = self.find_start()?;
        self.begin_segment(start, &segment)?;
        self.go_by_map()
    }

    /// Has the current segment read by a map of all its blocks, so that nothing is read that comes before what is wanted.
    pub(super) fn go_by_map(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        self.route = Some(Route::whole(&segment)?);
        self.learn_names();
        Ok(())
    }
}
