//! Shows the records of a log, block by block. Which block comes next is decided in `forward` and `backward`, what is
//! read of it in `load`.

use std::sync::Arc;

use super::backward::Backward;
use super::block::Walk;
use super::elders::TornEnds;
use super::filter::Selection;
use super::gone::Looks;
use super::holes::Holes;
use super::place::Standing;
use super::remarks::Remarks;
use super::route::Route;
use super::salvage::Salvage;
use super::seek::Resume;
use super::wait::Waiting;
use super::{Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::packed::Frame;
use crate::format::Malformed;
use crate::log::{Found, Snapshot, Source};
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
    pub(super) torn_ends: TornEnds,
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
    pub(super) resume: Option<Resume>,
    /// Only the first wanted record of the next block is to be read: whoever seeks may want no other.
    pub(super) first_only: bool,
    pub(super) tail: Tail,
    pub(super) failure: Option<Failure>,
    /// Damage because of which fewer of the last records are shown than were asked for, told behind those.
    hidden: Option<Failure>,
    /// The least id that was asked for, as far as the log had it or was known to have had it.
    pub(super) wanted_from: Option<u64>,
    /// Says which records are not there any more: for the next call.
    pub(super) missed: Option<Error>,
    pub(super) waiting: Waiting,
    /// A file on another machine was told that all of it is read from here on.
    pub(super) announced: bool,
    /// When a store is to be listed again.
    pub(super) looks: Looks,
    /// What it tells although it costs no record.
    pub(super) remarks: Remarks,
    /// What it knows of bytes that are passed over.
    pub(super) holes: Holes,
    /// So many events before the next record were shown from another file of the segment.
    pub(super) repeated_events: usize,
}

/// Why a cursor shows nothing more, and what its tail says from then on.
#[derive(Clone)]
pub(super) struct Failure {
    pub error: Error,
    pub tail: Tail,
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
    /// Over the segments of the snapshot.
    pub(crate) fn new(source: Source, snapshot: Snapshot, options: &ReaderOptions, filter: &Filter) -> Result<Self> {
        Self::of_former(source, snapshot, options, filter, None)
    }

    /// As [`Self::new`], of a log that began with the record `begins`, of which the first segments may have been removed.
    pub(super) fn of_former(
        source: Source,
        mut snapshot: Snapshot,
        options: &ReaderOptions,
        filter: &Filter,
        begins: Option<u64>,
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
            torn_ends: TornEnds::new(options.on_loss.clone()),
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
            hidden: None,
            wanted_from: None,
            missed: None,
            waiting: Waiting::default(),
            announced: false,
            looks: Looks::default(),
            remarks: Remarks::new(options.on_loss.clone()),
            holes: Holes::new(options.on_loss.clone()),
            repeated_events: 0,
            snapshot,
        };
        if let Some(salvage) = &cursor.salvage {
            salvage.tell_unreadable(&cursor.snapshot, &cursor.source)?;
        }
        cursor.wanted_from = match (filter.from_id, filter.from_time) {
            (Some(id), _) => Some(id),
            // Of that time, everything.
            (None, Some(_)) => Some(0),
            (None, None) => begins.or(Some(first.header.first_id)),
        };
        if let Some(most) = filter.last {
            let last = cursor.find_the_last(most, options, filter)?;
            cursor.selection.limit_to_ids_from(last.first_id);
            cursor.hidden = last.hidden;
            cursor.wanted_from = Some(last.first_id.max(first.header.first_id));
            if let Some(salvage) = &mut cursor.salvage {
                salvage.tell_from(last.first_id);
            }
        }
        if filter.newest_first {
            cursor.backward = Some(cursor.behind_the_last()?);
            return Ok(cursor);
        }
        let (start, segment) = cursor.find_start()?;
        cursor.begin_segment(start, &segment)?;
        if filter.last.is_some() {
            cursor.go_to_the_last()?;
        } else if let Some(from) = cursor.wanted_from {
            cursor.missed = cursor.missed_at_the_beginning(from);
        }
        Ok(cursor)
    }

    /// The next record, or `None` at the end. Its views live until the next call.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] at damage, once everything before it has been shown, whole records of a damaged block among that,
    /// and again in every later call;
    /// [`Kind::Io`] when the system fails to read, [`Kind::NoMemory`] when it has no memory for the block: the same call may be
    /// tried again; [`Kind::TooLarge`] for a block that takes more than [`field@ReaderOptions::block_max_bytes`]. A cursor that salvages goes on
    /// behind damage instead. [`Kind::Missed`], once, when old segments that the cursor had yet to read were removed, or
    /// the log does not go back to the filter's `from_id` or `from_time`: [`Error::missed`] says which records are not there
    /// any more, and the next call goes on behind them.
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

    /// Where the cursor came to an end and why; [`TailState::More`] while it has not. A reader in the mode
    /// [`ReaderMode::Strict`] fails at a torn tail and at an end that is not closed: then the state says that it is
    /// [`TailState::Torn`] or [`TailState::Unclosed`], and not damage.
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

    pub(super) fn next_hit(&mut self) -> Result<Option<Hit>> {
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
            self.tail = failure.tail.clone();
            return Err(failure.error.clone());
        }
        self.tail = Tail::default();
        self.looked_again = false;
        let any = match self.backward.is_some() {
            true => self.advance_backward()?,
            false => self.advance_forward()?,
        };
        match self.hidden.clone().filter(|_| !any) {
            Some(hidden) => Err(self.fail_with(hidden)),
            None => Ok(any),
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

    /// Stops at damage for good. What was found first is what is told.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        if let Some(failure) = self.failure.clone() {
            return self.fail_with(failure);
        }
        self.tail.path = self.segment().path.clone();
        let (state, reason) = (TailState::Corrupt, error.reason().to_owned());
        let tail = Tail { state, reason, ..self.tail.clone() };
        self.fail_with(Failure { error, tail })
    }

    /// Fails a strict reader at an end that is not clean. What the tail says of it stays, to be told from damage.
    pub(super) fn refuse_end(&mut self, tail: Tail) -> Error {
        let torn = if tail.state == TailState::Torn { "torn tail: " } else { "" };
        let error = Error::corrupt(format!("{torn}{}", tail.reason)).at_offset(&tail.path, tail.offset);
        self.fail_with(Failure { error, tail })
    }

    /// As [`Self::fail`], where it is known what the tail says of it.
    pub(super) fn fail_with(&mut self, failure: Failure) -> Error {
        self.shown = Shown::Nothing;
        self.tail = failure.tail.clone();
        let error = failure.error.clone();
        self.failure = Some(failure);
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
