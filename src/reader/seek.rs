//! Moves to another place of the log: to an id, to a time, or behind a record that was requested by its id.

use super::direction::Resume;
use super::route::Route;
use super::view::Shown;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::options::{Filter, ReaderOptions};
use crate::record::Record;
use crate::segment::Segment;

impl Cursor {
    /// Goes to the record with this id, or to the first one after it that matches the filter, wherever the cursor is:
    /// that record is shown next. Reads one block. When old segments with records from this id on were removed, the
    /// next call reports which ([`Kind::Missed`]), once, and the call after it continues behind them.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a cursor that shows the newest first or salvages, and as [`Self::next`].
    pub fn seek(&mut self, id: u64) -> Result<()> {
        self.check_seeks()?;
        self.view.selection.set_first_id(id);
        self.restart()?;
        self.ending.missed = self.missed_at_the_beginning(id);
        self.view.first_only = true;
        Ok(())
    }

    /// Goes to the first record, in the order of writing, of this time or later, in nanoseconds since the Unix epoch;
    /// records of an earlier time are not shown from there on. Otherwise as [`Self::seek`]: removed records are
    /// reported unless the log still states that all of them were earlier, and the ids are those among which records of
    /// this time may have been.
    pub fn seek_time(&mut self, time: i64) -> Result<()> {
        self.check_seeks()?;
        self.view.selection.set_first_time(time);
        self.restart()?;
        self.ending.missed = self.missed_at_the_beginning(0);
        self.view.first_only = true;
        Ok(())
    }

    /// Goes behind the newest record, even one that does not match the filter: records that are appended later are
    /// shown next. The end is found in the same way as by a cursor that shows the newest first.
    ///
    /// # Errors
    /// As [`Self::seek`].
    pub fn seek_end(&mut self) -> Result<()> {
        self.check_seeks()?;
        let options = ReaderOptions { mode: self.list.mode, ..ReaderOptions::default() };
        let newest = Filter { newest_first: true, headers_only: true, ..Filter::default() };
        let now = self.list.source.snapshot(&self.list.snapshot, self.list.mode)?;
        let mut last = Cursor::new(self.list.source.clone(), now, &options, &newest)?;
        let next_id = match last.next()?.map(|record| record.id + 1) {
            Some(next_id) => next_id,
            None => last.segment().header.first_id,
        };
        self.seek(next_id)
    }

    /// The record with this id, `None` when the log has none or it does not match the filter. Reading continues after
    /// it. An event is no record. Reads the entries of its block and the pages that contain it, and nothing else.
    ///
    /// # Errors
    /// As [`Self::seek`]; [`Kind::Missed`] when the record was removed with old segments.
    pub fn get(&mut self, id: u64) -> Result<Option<Record<'_>>> {
        let last_id = self.view.selection.last_id();
        self.seek(id)?;
        self.view.selection.set_last_id(id.min(last_id));
        self.ending.missed = self.missed_at_the_beginning(id);
        let events = self.view.selection.set_events(false);
        let hit = self.next_hit();
        self.view.selection.set_last_id(last_id);
        self.view.selection.set_events(events);
        self.resume_behind(id);
        match hit? {
            Some(hit) => Ok(Some(hit.record(self.position.scanner.entries(), self.position.scanner.payload()))),
            None => Ok(None),
        }
    }

    /// Continues after the record `id`.
    pub(super) fn resume_behind(&mut self, id: u64) {
        self.direction.set_resume(Some(Resume(id.saturating_add(1))));
    }

    /// Continues with the record `id`, or the first wanted one after it.
    pub(super) fn go_on(&mut self, Resume(id): Resume) -> Result<()> {
        self.view.selection.go_on_from(id);
        self.restart()?;
        if self.list.at == 0 {
            let first = self.segment().clone();
            self.ending.missed = self.missed_before(&first, id);
        }
        Ok(())
    }

    /// The error for records from `id` on that were removed, when the cursor has reached the first segment. A file
    /// before that which cannot be read is damage, as it is for a cursor that starts before it.
    pub(super) fn missed_at_the_beginning(&mut self, id: u64) -> Option<Error> {
        if self.list.at > 0 || self.check_readable(0).is_err() {
            return None;
        }
        if !self.may_be_wanted_before_the_first() {
            return None;
        }
        let first = self.segment().clone();
        self.missed_before(&first, id)
    }

    /// Whether a wanted record may have been among those removed before the first segment: the log may still state that
    /// none of them was of a wanted time.
    pub(super) fn may_be_wanted_before_the_first(&self) -> bool {
        let known = self.list.snapshot.slots[0].known();
        self.view.selection.may_want_up_to(known.and_then(|first| first.latest_ns))
    }

    /// The error for records from `id` on of a log that now begins with this segment.
    fn missed_before(&self, first: &Segment, id: u64) -> Option<Error> {
        self.list.snapshot.is_one_log().then(|| self.missed_between(id, first.header.first_id)).flatten()
    }

    fn check_seeks(&self) -> Result<()> {
        match self.direction.is_backward() || self.direction.is_salvage() {
            true => Err(Error::new(Kind::Unsupported, "a cursor that shows the newest first or salvages cannot seek")),
            false => Ok(()),
        }
    }

    /// Begins again, with the current selection.
    fn restart(&mut self) -> Result<()> {
        self.view.shown = Shown::Nothing;
        self.ending.restart();
        self.direction.set_resume(None);
        self.view.first_only = false;
        self.position.forget_ids();
        self.position.past = false;
        let (start, segment) = self.find_start()?;
        self.enter_segment(start, &segment);
        self.go_by_map()
    }

    /// Reads the current segment by a map of all its blocks, and nothing that comes before what is wanted.
    pub(super) fn go_by_map(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        let route = Route::whole(&segment)?;
        self.position.scanner.set_len(route.map.len);
        self.direction.set_route(Some(route));
        self.learn_names();
        Ok(())
    }
}
