//! Shows the records of a log, block by block. Which block comes next is decided in `forward` and `backward`, what is
//! read of it in `load`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backward::Backward;
use super::block::Walk;
use super::filter::Selection;
use super::gone::Looks;
use super::place::Standing;
use super::route::Route;
use super::salvage::Salvage;
use super::{Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::packed::Frame;
use crate::format::Malformed;
use crate::io::Watch;
use crate::log::{Found, Snapshot, Source};
use crate::memory::NoMemory;
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::record::{Hit, Record};
use crate::segment::{Scanner, Segment};

/// Flags of a record, as the C interface and packed frames show them.
pub(crate) mod flag {
    /// The time is meant, even if it is 0.
    pub const TIME: u32 = 1;
    /// The library's own record.
    pub const EVENT: u32 = 2;
    /// The payload was not read.
    pub const NO_PAYLOAD: u32 = 4;
}

/// Shows the records of a log, the oldest first unless the filter says otherwise. It belongs to one thread at a time; it
/// keeps what it needs of its reader.
///
/// At the end [`Self::next`] returns `None`, and continues when asked again after a writer has appended more.
pub struct Cursor {
    pub(super) source: Source,
    pub(super) snapshot: Snapshot,
    pub(super) mode: ReaderMode,
    pub(super) selection: Selection,
    /// Index of the segment being read.
    pub(super) at: usize,
    pub(super) standing: Standing,
    /// The segments were listed once more because some seemed to be missing behind the current one.
    pub(super) listed_again: bool,
    pub(super) scanner: Scanner,
    pub(super) shown: Shown,
    /// The way through the segment that its index tells, for a filter that need not see every block.
    pub(super) route: Option<Route>,
    /// The place of a cursor that shows the newest first.
    pub(super) backward: Option<Backward>,
    pub(super) salvage: Option<Salvage>,
    /// The id that must come next in this log; `None` before the first block.
    pub(super) expected: Option<u64>,
    /// The last block read was a TRAILER.
    pub(super) sealed: bool,
    /// Offset at which a bad block was found once, to be read again before it counts as damage.
    pub(super) suspect: Option<u64>,
    /// The end of the segment was looked at once more, after no writer was found to have it open, or the next one was
    /// found to have been begun.
    pub(super) looked_again: bool,
    /// The segment that the log goes on in, as the current one tells.
    pub(super) successor: Option<String>,
    /// The id that comes next although it is not the one expected: the log tells that those between are lost.
    pub(super) acknowledged: Option<u64>,
    /// The records from here on are past the filter's range, in this log.
    pub(super) past: bool,
    /// Where reading goes on after a record was asked for by its id.
    resume: Option<Resume>,
    /// Only the first wanted record of the next block is to be read: whoever seeks may want no other.
    pub(super) first_only: bool,
    pub(super) tail: Tail,
    failure: Option<Error>,
    /// Says which records are not there any more: for the next call.
    pub(super) missed: Option<Error>,
    /// Wakes a cursor that waits.
    pub(super) watch: Option<Box<dyn Watch>>,
    /// A file on another machine was told that all of it is read from here on.
    pub(super) announced: bool,
    /// When a store is to be listed again.
    pub(super) looks: Looks,
}

/// Where reading goes on.
struct Resume {
    id: u64,
    /// The cursor has shown the record before: what it misses from there on is to be told.
    was_here: bool,
}

/// What is shown of the block that is loaded.
pub(super) enum Shown {
    Nothing,
    /// Every record; the whole payload is there.
    Walk(Walk),
    /// These, from the one at the second field on.
    Hits(Vec<Hit>, usize),
}

/// What came of trying to move to the next block.
pub(super) enum Moved {
    /// A block with something wanted is loaded.
    Block,
    /// Go on trying.
    Again,
    /// There is no more for now.
    End,
}

impl Cursor {
    pub(crate) fn new(
        source: Source,
        mut snapshot: Snapshot,
        options: &ReaderOptions,
        filter: &Filter,
    ) -> Result<Self> {
        let selection = Selection::new(filter)?;
        let first = loop {
            if snapshot.slots.is_empty() {
                return Err(Error::new(Kind::NotFound, "there is no segment to read"));
            }
            match snapshot.open(0)? {
                Found::Segment(first) => break first,
                Found::Unborn => drop(snapshot.slots.remove(0)),
                Found::Gone => snapshot = source.snapshot(&snapshot, options.mode)?,
            }
        };
        let salvaging = options.mode == ReaderMode::Salvage;
        if filter.newest_first && salvaging {
            return Err(Error::invalid("salvage reads from the oldest record to the newest"));
        }
        let mut cursor = Cursor {
            source,
            mode: options.mode,
            selection,
            at: 0,
            standing: Standing::Listed,
            listed_again: false,
            scanner: Scanner::new(first.clone(), first.start),
            shown: Shown::Nothing,
            route: None,
            backward: None,
            salvage: salvaging.then(|| Salvage::new(options.on_loss.clone())),
            expected: None,
            sealed: false,
            suspect: None,
            looked_again: false,
            successor: None,
            acknowledged: None,
            past: false,
            resume: None,
            first_only: false,
            tail: Tail::default(),
            failure: None,
            missed: None,
            watch: None,
            announced: false,
            looks: Looks::default(),
            snapshot,
        };
        if let Some(salvage) = &cursor.salvage {
            salvage.tell_unreadable(&cursor.snapshot.unreadable);
        }
        if let Some(most) = filter.last {
            let first_id = cursor.first_of_the_last(most, options, filter)?;
            cursor.selection.limit_to_ids_from(first_id);
        }
        if filter.newest_first {
            cursor.backward = Some(cursor.behind_the_last()?);
        } else {
            let (start, segment) = cursor.find_start()?;
            cursor.begin_segment(start, &segment)?;
            // Whoever begins with the first segment would want those before it.
            if start == 0 && cursor.check_readable(0).is_ok() && filter.last.is_none() {
                cursor.missed = filter.from_id.and_then(|id| cursor.missed_before(&segment, id));
            }
        }
        Ok(cursor)
    }

    /// Id of the first of the last `most` records that the filter lets through.
    fn first_of_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter) -> Result<u64> {
        if !self.snapshot.is_one_log() {
            return Err(Error::new(
                Kind::Unsupported,
                "there are several logs here: name the one whose last records are meant",
            ));
        }
        match self.salvage.is_some() {
            true => self.look_for_the_last(most, options, filter, true),
            false => match self.look_for_the_last(most, options, filter, false) {
                // A file that is compressed as a whole.
                Err(error) if error.kind() == Kind::Unsupported => self.look_for_the_last(most, options, filter, true),
                found => found,
            },
        }
    }

    fn look_for_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter, forward: bool) -> Result<u64> {
        let filter = Filter { last: None, newest_first: !forward, headers_only: true, events: false, ..filter.clone() };
        // What is lost is told once, by the cursor that shows the records.
        let options = ReaderOptions { on_loss: None, ..options.clone() };
        let mut looking = Cursor::new(self.source.clone(), self.snapshot.clone(), &options, &filter)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // From the newest on, only the last of them counts.
        let kept = if forward { most } else { 1 };
        let (mut ids, mut count, mut refused) = (VecDeque::new(), 0, None);
        while forward || count < most {
            let want = if forward { usize::MAX } else { most - count };
            let seen = looking.next_batch(want, |record| {
                count += 1;
                if ids.len() == kept {
                    ids.pop_front();
                }
                match ids.try_reserve(1) {
                    Ok(()) if kept > 0 => ids.push_back(record.id),
                    Ok(()) => (),
                    Err(_) => refused = Some(NoMemory { bytes: 8 * (ids.len() as u64 + 1) }),
                }
            });
            if let Some(refused) = refused {
                return Err(refused.into());
            }
            match seen {
                Ok(0) => break,
                Ok(_) => (),
                // The cursor that shows the records will meet it.
                Err(error) if error.kind() == Kind::Corrupt => break,
                Err(error) => return Err(error),
            }
        }
        Ok(match (ids.front(), most) {
            (Some(&id), 1..) => id,
            (None, 1..) => self.selection.first_id(),
            (_, 0) => looking.tail().next_id.max(self.selection.first_id()),
        })
    }

    /// The next record, or `None` at the end. Its views live until the next call.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] at damage, once everything before it has been shown, and again in every later call;
    /// [`Kind::Io`] when the system fails to read, [`Kind::NoMemory`] when it has no memory for the block: the same call may be
    /// tried again; [`Kind::TooLarge`] for a block that takes more than [`field@ReaderOptions::block_max_bytes`]. A cursor that salvages goes on
    /// behind damage instead. [`Kind::Missed`], once, when old segments that the cursor had yet to read were removed, or
    /// the log does not go back to the filter's `from_id`: [`Error::missed`] says which records are not there any more,
    /// and the next call goes on behind them.
    #[allow(clippy::should_implement_trait)] // the record borrows from the cursor, which an iterator's item cannot
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        if let Shown::Walk(walk) = &mut self.shown {
            if let Some(hit) = walk.next_short(self.scanner.entries()) {
                return Ok(Some(hit.record(self.scanner.entries(), self.scanner.payload())));
            }
        }
        self.next_otherwise()
    }

    /// [`Self::next`] for what is not shown the quick way.
    #[inline(never)]
    fn next_otherwise(&mut self) -> Result<Option<Record<'_>>> {
        match self.next_hit()? {
            Some(hit) => Ok(Some(hit.record(self.scanner.entries(), self.scanner.payload()))),
            None => Ok(None),
        }
    }

    /// Shows up to `most` records, at least one unless the log ends here, and returns how many. All are of one block;
    /// their views live until the cursor's next call.
    pub fn next_batch(&mut self, most: usize, mut each: impl FnMut(&Record<'_>)) -> Result<usize> {
        let mut left = most;
        self.next_while(|record| {
            if left == 0 {
                return false;
            }
            left -= 1;
            each(record);
            true
        })
    }

    /// Copies as many records as fit into `buffer`, as packed frames of one block (`docs/c-api.md` has their layout),
    /// and returns bytes and records; 0 and 0 at the end.
    ///
    /// # Errors
    /// As [`Self::next`], and [`Kind::TooLarge`] when not even the next record fits: the reason says how many bytes it
    /// takes.
    pub fn read_packed(&mut self, buffer: &mut [u8]) -> Result<(usize, usize)> {
        let no_payload = if self.selection.headers_only() { flag::NO_PAYLOAD } else { 0 };
        let (mut len, mut needed) = (0, 0);
        let count = self.next_while(|record| {
            let event = if record.is_event() { flag::EVENT } else { 0 };
            let frame = Frame {
                id: record.id,
                time: record.time,
                type_id: record.type_id,
                flags: flag::TIME | event | no_payload,
                metadata: record.metadata.as_bytes(),
                payload: record.payload,
                payload_len: if no_payload == 0 { record.payload.len() as u32 } else { record.payload_len },
            };
            needed = frame.size();
            let Some(room) = buffer.get_mut(len..).and_then(|left| left.get_mut(..needed)) else { return false };
            frame.encode(room);
            len += needed;
            true
        })?;
        match (count, needed) {
            (0, 1..) => Err(Error::new(
                Kind::TooLarge,
                format!("the next record takes {needed} bytes packed; the buffer has {}", buffer.len()),
            )),
            _ => Ok((len, count)),
        }
    }

    /// Goes to the record with this id, or to the first behind it that the filter lets through, wherever the cursor is:
    /// the next record shown is that one. Costs the reading of one block.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a cursor that shows the newest first or salvages, and as [`Self::next`].
    pub fn seek(&mut self, id: u64) -> Result<()> {
        self.check_seeks()?;
        self.selection.set_first_id(id);
        self.restart()?;
        self.first_only = true;
        Ok(())
    }

    /// Goes to the first record, in the order of writing, of this time or later, in nanoseconds since the Unix epoch;
    /// records of an earlier time are not shown from there on. Otherwise as [`Self::seek`].
    pub fn seek_time(&mut self, time: i64) -> Result<()> {
        self.check_seeks()?;
        self.selection.set_first_time(time);
        self.restart()?;
        self.first_only = true;
        Ok(())
    }

    /// Goes on with the record `id`, or the first behind it that is wanted.
    fn go_on(&mut self, from: Resume) -> Result<()> {
        self.selection.go_on_from(from.id);
        self.restart()?;
        if from.was_here && self.at == 0 {
            self.missed = self.missed_before(&self.segment().clone(), from.id);
        }
        Ok(())
    }

    /// What is to be said to one who wants the record `id` of a log that begins with this segment now.
    fn missed_before(&self, first: &Segment, id: u64) -> Option<Error> {
        let can_tell = self.salvage.is_none() && self.snapshot.is_one_log();
        can_tell.then(|| self.missed_between(id, first.header.first_id)).flatten()
    }

    /// The record with this id, `None` when the log has none or the filter does not let it through. Reading goes on
    /// behind it. An event is no record. Reads the entries of its block and the pages it stands on, and nothing else.
    pub fn get(&mut self, id: u64) -> Result<Option<Record<'_>>> {
        let last_id = self.selection.last_id();
        self.seek(id)?;
        self.selection.set_last_id(id.min(last_id));
        let events = self.selection.set_events(false);
        let hit = self.next_hit();
        self.selection.set_last_id(last_id);
        self.selection.set_events(events);
        self.resume_behind(id, matches!(hit, Ok(Some(_))));
        match hit? {
            Some(hit) => Ok(Some(hit.record(self.scanner.entries(), self.scanner.payload()))),
            None => Ok(None),
        }
    }

    /// Has reading go on behind the record `id`.
    pub(super) fn resume_behind(&mut self, id: u64, was_here: bool) {
        self.resume = Some(Resume { id: id.saturating_add(1), was_here });
    }

    /// Where the cursor came to an end and why; [`TailState::More`] while it has not.
    pub fn tail(&self) -> Tail {
        Tail { next_id: self.expected.unwrap_or(self.selection.first_id()).max(1), ..self.tail.clone() }
    }

    /// The name that a type number was given for, as far as the log has told by now.
    pub fn type_name(&self, type_id: u32) -> Option<&str> {
        self.selection.name_of(type_id)
    }

    /// Whether payloads are left unread.
    pub fn headers_only(&self) -> bool {
        self.selection.headers_only()
    }

    /// The segment being read.
    pub(crate) fn segment(&self) -> &Arc<Segment> {
        self.scanner.segment()
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
        self.route = Some(Route::whole(&segment)?);
        self.learn_names();
        Ok(())
    }

    /// Shows records of one block for as long as `each` takes them, and returns how many it took.
    #[inline]
    fn next_while(&mut self, mut each: impl FnMut(&Record<'_>) -> bool) -> Result<usize> {
        loop {
            let (entries, payload) = (self.scanner.entries(), self.scanner.payload());
            let (count, ended) = match &mut self.shown {
                Shown::Nothing => (0, Ok(true)),
                Shown::Walk(walk) => walk.for_each(&self.selection, entries, payload, &mut each),
                Shown::Hits(hits, at) => show_hits(hits, at, (entries, payload), &mut each),
            };
            match (count, ended) {
                (count, Ok(false)) => return Ok(count),
                (0, Ok(true)) => {
                    if !self.advance()? {
                        return Ok(0);
                    }
                }
                (count, Ok(true)) => {
                    self.shown = Shown::Nothing;
                    return Ok(count);
                }
                (0, Err(reason)) => return Err(self.corrupt(&reason)),
                // The error comes with the next call, which finds it again.
                (count, Err(_)) => return Ok(count),
            }
        }
    }

    fn next_hit(&mut self) -> Result<Option<Hit>> {
        loop {
            if let Shown::Walk(walk) = &mut self.shown {
                match walk.next_hit(&self.selection, self.scanner.entries()) {
                    Ok(Some(hit)) => return Ok(Some(hit)),
                    Ok(None) => (),
                    Err(reason) => return Err(self.corrupt(&reason)),
                }
            } else if let Shown::Hits(hits, at) = &mut self.shown {
                *at += 1;
                if let Some(hit) = hits.get(*at - 1) {
                    return Ok(Some(hit.clone()));
                }
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Loads the next block that may hold something wanted; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.shown = Shown::Nothing;
        if let Some(from) = self.resume.take() {
            self.go_on(from)?;
        }
        if let Some(missed) = self.missed.take() {
            return Err(missed);
        }
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.tail = Tail::default();
        self.looked_again = false;
        match self.backward.is_some() {
            true => self.advance_backward(),
            false => self.advance_forward(),
        }
    }

    /// Stops at damage at the scanner's place.
    pub(super) fn corrupt(&mut self, reason: &Malformed) -> Error {
        let offset = self.scanner.offset();
        let segment = self.scanner.segment().clone();
        self.tail.unread_bytes = self.left().unwrap_or(0);
        self.tail.offset = segment.told_offset(offset);
        let error = segment.corrupt(offset, reason);
        self.fail(error)
    }

    /// Stops at damage for good.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.shown = Shown::Nothing;
        self.tail.state = TailState::Corrupt;
        self.tail.path = self.segment().path.clone();
        self.tail.reason = error.reason().to_owned();
        self.failure = Some(error.clone());
        error
    }
}

/// Shows records that were picked out of a block for as long as `each` takes them. Apart from its caller, so that the
/// loop over whole blocks stays as tight as it is.
#[inline(never)]
fn show_hits(
    hits: &[Hit],
    at: &mut usize,
    (entries, payload): (&[u8], &[u8]),
    each: &mut dyn FnMut(&Record<'_>) -> bool,
) -> (usize, std::result::Result<bool, Malformed>) {
    let from = *at;
    while hits.get(*at).is_some_and(|hit| each(&hit.record(entries, payload))) {
        *at += 1;
    }
    (*at - from, Ok(*at == hits.len()))
}
