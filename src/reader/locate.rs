//! Finds the segment in which a cursor begins, and its place again when segments were removed or added meanwhile.

use std::ops::Range;
use std::sync::Arc;

use super::cursor::Moved;
use super::segments::FileState;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::log::{Known, SlotState};
use crate::segment::Segment;

/// The result of asking a segment in a search.
enum Probe {
    /// The segment of this number has this information.
    Known(usize, Known),
    /// None of the segments that were asked has information.
    Unreadable,
    /// It contained nothing, and is no longer among the segments.
    Forgotten,
    /// The segments were listed again.
    Changed,
}

/// A condition that is true for some segments at the beginning of a log and false for all after them.
type Holds<'a> = &'a dyn Fn(&Cursor, Known) -> bool;

impl Cursor {
    /// Opens segment number `at`; `None` when it no longer exists, and the places have changed.
    pub(super) fn open_at(&mut self, at: usize) -> Result<Option<Arc<Segment>>> {
        match self.list.snapshot.open(at) {
            Ok(SlotState::Segment(segment)) => return Ok(Some(segment)),
            Ok(SlotState::Unborn) => self.list.forget(at),
            Ok(SlotState::Gone) => self.relist()?,
            Err(error) if self.opens_alternative(at, &error)? => (),
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    /// Lists the segments again. The current one keeps its place among them, even if its file was removed.
    pub(super) fn relist(&mut self) -> Result<()> {
        let repeated = self.direction.salvage().map_or(&[][..], |salvage| &salvage.repeated[..]);
        let fresh = self.list.listed(repeated)?;
        self.list.take(fresh);
        Ok(())
    }

    /// Takes the segment that the current one, the last, names as the next: listing thousands of files is avoided.
    /// False when it does not exist.
    pub(super) fn take_successor(&mut self) -> Result<bool> {
        match &self.position.successor {
            Some(file) if !self.direction.is_salvage() => self.list.snapshot.take_next(&self.list.source, file),
            _ => Ok(false),
        }
    }

    /// The first segment that can contain something wanted; those before it need not be read. Only a single log can be
    /// searched.
    pub(super) fn find_start(&mut self) -> Result<(usize, Arc<Segment>)> {
        loop {
            let Some(start) = self.search()? else { continue };
            if !self.may_go_on_in(start)? {
                continue;
            }
            if let Some(segment) = self.open_at(start)? {
                return Ok((start, segment));
            }
        }
    }

    /// As [`Self::find_start`], by number; `None` when the places have changed.
    fn search(&mut self) -> Result<Option<usize>> {
        if !self.list.snapshot.is_one_log() {
            return Ok(Some(0));
        }
        let mut start = 0;
        if self.view.selection.first_id() > 1 {
            let holds: Holds = &|cursor, known| cursor.view.selection.begins_at(known.first_id);
            let Some(count) = self.count_leading(holds)? else { return Ok(None) };
            start = count.saturating_sub(1);
        }
        if self.view.selection.has_first_time() {
            // Old headers do not contain the time. Such a header is assumed to match, and the result is checked
            // afterwards.
            let holds: Holds =
                &|cursor, known| known.latest_ns.is_none_or(|time| cursor.view.selection.begins_behind(time));
            let places = self.list.snapshot.slots.len();
            let Some(count) = self.count_leading(holds)? else { return Ok(None) };
            if self.list.snapshot.slots.len() != places {
                // A file that contains nothing was forgotten, maybe before the place that was found by the ids.
                return Ok(None);
            }
            let at = count.saturating_sub(1);
            let known = self.list.snapshot.slots.get(at).and_then(|slot| slot.known());
            let is_stated =
                known.and_then(|known| known.latest_ns).is_some_and(|time| self.view.selection.begins_behind(time));
            start = start.max(if is_stated { at } else { 0 });
        }
        Ok(Some(start))
    }

    fn count_leading(&mut self, holds: Holds<'_>) -> Result<Option<usize>> {
        let (mut from, mut to) = (0, self.list.snapshot.slots.len());
        while from < to {
            let middle = from + (to - from) / 2;
            match self.probe(middle..to)? {
                Probe::Known(at, known) if holds(self, known) => from = at + 1,
                Probe::Known(..) | Probe::Unreadable => to = middle,
                Probe::Forgotten => to -= 1,
                Probe::Changed => return Ok(None),
            }
        }
        Ok(Some(from))
    }

    /// The information of the first of these segments that has any. A file whose header is damaged has none; the search
    /// continues with those after it.
    fn probe(&mut self, places: Range<usize>) -> Result<Probe> {
        for at in places {
            if let Some(known) = self.list.snapshot.slots[at].known() {
                return Ok(Probe::Known(at, known));
            }
            match self.list.snapshot.open(at) {
                Ok(SlotState::Segment(_)) => (),
                Ok(SlotState::Unborn) => {
                    self.list.forget(at);
                    return Ok(Probe::Forgotten);
                }
                Ok(SlotState::Gone) => {
                    self.relist()?;
                    return Ok(Probe::Changed);
                }
                Err(error) if error.kind() == Kind::Corrupt => continue,
                Err(error) => return Err(error),
            }
            if let Some(known) = self.list.snapshot.slots[at].known() {
                return Ok(Probe::Known(at, known));
            }
        }
        Ok(Probe::Unreadable)
    }

    /// Whether nothing before the segment with this header is wanted.
    pub(super) fn begins_with(&self, header: &FileHeader) -> bool {
        let latest = header.predecessor.as_ref().and_then(|before| before.latest_ns);
        self.view.selection.begins_at(header.first_id)
            || latest.is_some_and(|time| self.view.selection.begins_behind(time))
    }

    /// Segments are missing between the current one and `next`, which is number `at`. If they were removed because they
    /// were old, continues after them, and reports once what was missed; `None` when it is damage.
    pub(super) fn pass_removed(&mut self, at: usize, expected: u64, next: &Arc<Segment>) -> Result<Option<Moved>> {
        let ended = &self.segment().header;
        if is_in_its_place(ended, &next.header) {
            self.begin_segment(at, next)?;
            self.position.expected = Some(next.header.first_id);
            return Ok(Some(Moved::Again));
        }
        let before = next.header.predecessor.as_ref().map_or(next.header.sequence - 1, |before| before.sequence);
        if before <= ended.sequence || next.header.first_id < expected {
            return Ok(None);
        }
        // A list that is made while files are created and removed may lack some that existed all the time.
        let unlisted = self.list.file_state == FileState::Listed && self.list.snapshot.slots[self.list.at].is_gone();
        if unlisted || !std::mem::replace(&mut self.list.listed_again, true) {
            self.relist()?;
            return Ok(Some(Moved::Again));
        }
        if self.list.file_state != FileState::Removed {
            return Ok(None);
        }
        let first_id = next.header.first_id;
        self.begin_segment(at, next)?;
        self.position.expected = Some(first_id);
        match self.missed_between(expected, first_id) {
            Some(missed) => Err(missed),
            None => Ok(Some(Moved::Again)),
        }
    }

    /// The current segment, or the next one, can no longer be read because it was removed. If everything before it was
    /// removed too, as retention does, continues after it, and reports once what was missed.
    pub(super) fn pass_gone(&mut self, error: Error) -> Result<()> {
        if !self.list.snapshot.is_one_log() {
            return Err(error);
        }
        self.relist()?;
        self.check_place()?;
        let next = self.list.at + 1;
        if self.list.file_state != FileState::Removed || next >= self.list.snapshot.slots.len() {
            return Err(error);
        }
        let Some(segment) = self.open_at(next)? else { return Ok(()) };
        let expected = self.position.next_id();
        let first_id = segment.header.first_id;
        self.begin_segment(next, &segment)?;
        self.position.expected = Some(first_id);
        match self.missed_between(expected, first_id) {
            Some(missed) => Err(missed),
            None => Ok(()),
        }
    }

    /// The error for records from `expected` on that are no longer in a log that begins with `first_id`.
    pub(super) fn missed_between(&self, expected: u64, first_id: u64) -> Option<Error> {
        let first = expected.max(self.view.selection.first_id()).max(1);
        let last = first_id.saturating_sub(1).min(self.view.selection.last_id());
        (first <= last).then(|| Error::of_missed(first, last).at(&self.segment().path))
    }
}

/// Whether a writer has begun `next` because the file of `ended` was removed while it was written: it follows the same
/// segment, accounts for the same ids, and declares the records of `ended` lost.
pub(super) fn is_in_its_place(ended: &FileHeader, next: &FileHeader) -> bool {
    let marker_before = |header: &FileHeader| header.predecessor.as_ref().map(|before| before.marker);
    next.sequence > ended.sequence
        && next.first_id == ended.first_id
        && marker_before(next) == marker_before(ended)
        && next.log_id == ended.log_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::codec::{Codec, Compressor};
    use crate::format::declaration::Predecessor;
    use crate::format::draft::{Buffers, Draft, NewEntry};
    use crate::io::{Directory, Fault, MemoryDirectory, Operation};
    use crate::segment::{Appender, Block};
    use crate::{Filter, Reader, ReaderOptions};

    const SEGMENTS: u64 = 500;

    /// A record's time: increasing, except that one now and then is earlier than those before it.
    fn time_of(id: u64) -> i64 {
        10 * id as i64 - if id.is_multiple_of(7) { 95 } else { 0 }
    }

    /// A log with one record in each segment, whose headers give the latest time before them where `has_latest` returns
    /// true.
    fn a_log(has_latest: impl Fn(u64) -> bool) -> MemoryDirectory {
        let directory = MemoryDirectory::new();
        let (mut before, mut latest): (Option<Predecessor>, i64) = (None, i64::MIN);
        for id in 1..=SEGMENTS {
            let header = FileHeader {
                name: "log".into(),
                log_id: vec![1; 16],
                marker: id,
                sequence: id,
                first_id: id,
                predecessor: before.clone(),
                ..FileHeader::default()
            };
            let name = format!("log.{id:010}.binlog");
            let file = directory.create(&name, 0o640).unwrap();
            let mut appender = Appender::new(Arc::new(Segment::create(&directory, &name, file, header).unwrap()), 0);
            let mut buffers = Buffers::default();
            let mut draft = Draft::new(id, &mut buffers, 0);
            draft.push(&NewEntry { type_id: 1, time: time_of(id), metadata: (0, &[]), payload_len: 2 }, &mut buffers);
            buffers.settle();
            let block = Block { draft: &draft, buffers: &buffers, parts: &[b"it"], compressed: None };
            let mut compressor = Compressor::new(Codec::None, 0).unwrap();
            appender.append(&[block], &mut compressor).map_err(|(_, e)| e).unwrap();
            appender.close(&[]).unwrap();
            latest = latest.max(time_of(id));
            let (latest_ns, bytes) = (has_latest(id + 1).then_some(latest), appender.end());
            before = Some(Predecessor { sequence: id, last_id: id, bytes, marker: id, latest_ns, disorder_ns: None });
        }
        directory
    }

    fn opened<T>(directory: &MemoryDirectory, ask: impl FnOnce() -> T) -> (T, usize) {
        directory.set_fault(Some(Fault { from: usize::MAX, times: 0, errno: 0, only: Some(Operation::Open) }));
        let answer = ask();
        let opened = directory.operations();
        directory.set_fault(None);
        (answer, opened)
    }

    fn shown(cursor: &mut Cursor, most: usize) -> Vec<u64> {
        let mut ids = vec![];
        while ids.len() < most {
            match cursor.next().unwrap() {
                Some(record) => ids.push(record.id),
                None => break,
            }
        }
        ids
    }

    #[test]
    fn a_time_is_found_without_opening_what_is_before_it_and_nothing_is_left_out() {
        for (has_latest, few) in [
            (Box::new(|_| true) as Box<dyn Fn(u64) -> bool>, 30),
            // Headers of an older writer: all of them, those at the beginning, some.
            (Box::new(|_| false), usize::MAX),
            (Box::new(|id| id > SEGMENTS / 2), usize::MAX),
            (Box::new(|id| !id.is_multiple_of(3)), usize::MAX),
        ] {
            let directory = a_log(has_latest);
            let open = || Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
            let mut sought = open().cursor(&Filter::default()).unwrap();
            for time in [i64::MIN + 1, 0, 10, 1234, 2500, 2505, 3330, 4990, 5000, 5001, i64::MAX] {
                let expected: Vec<u64> = (1..=SEGMENTS).filter(|&id| time_of(id) >= time).collect();
                let filter = Filter { from_time: Some(time), ..Filter::default() };
                let first = &expected[..expected.len().min(3)];
                let (seen, count) = opened(&directory, || shown(&mut open().cursor(&filter).unwrap(), first.len()));
                assert_eq!(seen, first, "from {time}");
                assert!(count <= few, "{count} files from {time}");
                assert_eq!(shown(&mut open().cursor(&filter).unwrap(), usize::MAX), expected, "from {time}");
                let (seen, count) = opened(&directory, || {
                    sought.seek_time(time).unwrap();
                    shown(&mut sought, first.len())
                });
                assert_eq!(seen, first, "sought {time}");
                assert!(count <= few, "{count} files to seek {time}");
                let newest = Filter { newest_first: true, ..filter };
                let reversed: Vec<u64> = expected.iter().rev().copied().collect();
                let (seen, count) = opened(&directory, || shown(&mut open().cursor(&newest).unwrap(), usize::MAX));
                assert_eq!(seen, reversed, "back to {time}");
                assert!(count <= few.saturating_add(expected.len() + 20), "{count} files back to {time}");
            }
            let filter = Filter { from_time: Some(3000), from_id: Some(100), ..Filter::default() };
            assert_eq!(shown(&mut open().cursor(&filter).unwrap(), 1), [300]);
            let filter = Filter { from_id: Some(400), ..filter };
            assert_eq!(shown(&mut open().cursor(&filter).unwrap(), 1), [400]);
        }
    }
}
