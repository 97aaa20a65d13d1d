//! In which segment a cursor begins, and how it finds its place again when segments were removed or came up meanwhile.

use std::ops::Range;
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

/// What came of asking a segment in a search.
enum Probe {
    /// The segment of this number says so.
    Known(usize, Known),
    /// None of those that were asked can say anything.
    Unreadable,
    /// It held nothing, and is not among the segments any more.
    Forgotten,
    /// The segments were listed again.
    Changed,
}

/// What holds for some segments at the beginning of a log and for none behind them.
type Holds<'a> = &'a dyn Fn(&Cursor, Known) -> bool;

impl Cursor {
    /// The segment number `at`; `None` when there is none any more, and the places have changed.
    pub(super) fn open_at(&mut self, at: usize) -> Result<Option<Arc<Segment>>> {
        match self.snapshot.open(at) {
            Ok(Found::Segment(segment)) => return Ok(Some(segment)),
            Ok(Found::Unborn) => self.forget(at),
            Ok(Found::Gone) => self.look_anew()?,
            Err(error) if self.opens_alternative(at, &error)? => (),
            Err(error) => return Err(error),
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
        match fresh.place_of(&current) {
            Some(at) => (self.at, self.standing) = (at, Standing::Listed),
            // Not even one of its segments, and others of its name.
            None if !fresh.slots.iter().any(|slot| slot.log.id == current.log.id)
                && fresh.slots.iter().any(|slot| slot.log.name == current.log.name) =>
            {
                return Err(replaced(self.segment()));
            }
            None => {
                self.at = fresh.insert(current.clone());
                let before = self.at.checked_sub(1).map(|before| &fresh.slots[before]);
                let before = before.filter(|before| before.log.id == current.log.id);
                self.standing = if before.is_some() { Standing::Lost } else { Standing::Removed };
            }
        }
        self.snapshot = fresh;
        Ok(())
    }

    /// Takes the segment that the current one, the last, names as the next: there may be thousands to be listed else.
    /// False when that is not there.
    pub(super) fn take_successor(&mut self) -> Result<bool> {
        match &self.successor {
            Some(file) if self.salvage.is_none() => self.snapshot.take_next(&self.source, file),
            _ => Ok(false),
        }
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

    /// What the first of these segments says that says anything: a file whose header is damaged does not, and those behind
    /// it do.
    fn probe(&mut self, places: Range<usize>) -> Result<Probe> {
        for at in places {
            if let Some(known) = self.snapshot.slots[at].known() {
                return Ok(Probe::Known(at, known));
            }
            match self.snapshot.open(at) {
                Ok(Found::Segment(_)) => (),
                Ok(Found::Unborn) => {
                    self.forget(at);
                    return Ok(Probe::Forgotten);
                }
                Ok(Found::Gone) => {
                    self.look_anew()?;
                    return Ok(Probe::Changed);
                }
                Err(error) if error.kind() == Kind::Corrupt => continue,
                Err(error) => return Err(error),
            }
            if let Some(known) = self.snapshot.slots[at].known() {
                return Ok(Probe::Known(at, known));
            }
        }
        Ok(Probe::Unreadable)
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
        if is_in_its_place(ended, &next.header) {
            self.begin_segment(at, next)?;
            self.expected = Some(next.header.first_id);
            return Ok(Some(Moved::Again));
        }
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

/// Another file, or another log, is where the one was that is read.
pub(super) fn replaced(segment: &Segment) -> Error {
    let reason = "another file is in the place of the one that is read, and need not hold what was shown of it: \
                  open a reader anew, and go on behind the last record that was shown";
    Error::new(Kind::Mismatch, reason).at(&segment.path)
}

/// Whether a writer has begun `next` because the file of `ended` was removed while it was written: it follows the same
/// segment, accounts for the same ids, and says that those which `ended` had are lost.
fn is_in_its_place(ended: &FileHeader, next: &FileHeader) -> bool {
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

    /// A record's time: later and later, with one now and then that is earlier than those before it.
    fn time_of(id: u64) -> i64 {
        10 * id as i64 - if id.is_multiple_of(7) { 95 } else { 0 }
    }

    /// A log with one record in each segment, whose headers tell the latest time before where `tells` says so.
    fn a_log(tells: impl Fn(u64) -> bool) -> MemoryDirectory {
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
            let (latest_ns, bytes) = (tells(id + 1).then_some(latest), appender.end());
            before = Some(Predecessor { sequence: id, last_id: id, bytes, marker: id, latest_ns });
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
        for (tells, few) in [
            (Box::new(|_| true) as Box<dyn Fn(u64) -> bool>, 30),
            // Headers of an older writer: all of them, those at the beginning, some.
            (Box::new(|_| false), usize::MAX),
            (Box::new(|id| id > SEGMENTS / 2), usize::MAX),
            (Box::new(|id| !id.is_multiple_of(3)), usize::MAX),
        ] {
            let directory = a_log(tells);
            let open = || Reader::open_in(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
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
