//! Shows the records of a log, block by block. `forward` and `backward` choose the next block, and `load` reads what is
//! needed of it.

use std::sync::Arc;

use super::direction::Direction;
use super::ending::{Ending, Failure};
use super::filter::Selection;
use super::position::Position;
use super::reports::Reports;
use super::segments::SegmentList;
use super::types::Schemas;
use super::view::{Shown, View};
use super::waiting::Waiting;
use super::{Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::packed::Frame;
use crate::format::Malformed;
use crate::log::{SlotState, Snapshot, Source};
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::record::{Hit, Record};
use crate::segment::Segment;

/// Flags of a record, as in the C interface and in packed frames.
pub(crate) mod flag {
    /// The time was set, even if it is 0.
    pub const TIME: u32 = 1;
    /// The library's own record.
    pub const EVENT: u32 = 2;
    /// The payload was not read.
    pub const NO_PAYLOAD: u32 = 4;
}

/// Shows the records of a log, the oldest first unless the filter asks for another order. It belongs to one thread at a
/// time, and keeps what it needs of its reader alive.
///
/// At the end [`Self::next`] returns `None`; it continues in a later call when a writer has appended more.
pub struct Cursor {
    pub(super) list: SegmentList,
    pub(super) position: Position,
    pub(super) view: View,
    pub(super) direction: Direction,
    pub(super) ending: Ending,
    pub(super) reports: Reports,
    pub(super) waiting: Waiting,
    pub(super) schemas: Schemas,
}

/// The result of trying to move to the next block.
pub(super) enum Moved {
    /// A block that contains something wanted is loaded.
    Block,
    /// Try again.
    Again,
    /// There is no more for now.
    End,
}

impl Cursor {
    /// A cursor over the segments of the snapshot.
    pub(crate) fn new(source: Source, snapshot: Snapshot, options: &ReaderOptions, filter: &Filter) -> Result<Self> {
        Self::of_former(source, snapshot, options, filter, None)
    }

    /// As [`Self::new`], for a log that began with the record `begins`, whose first segments may have been removed.
    pub(super) fn of_former(
        source: Source,
        mut snapshot: Snapshot,
        options: &ReaderOptions,
        filter: &Filter,
        begins: Option<u64>,
    ) -> Result<Self> {
        let selection = Selection::new(filter)?.within(source.limit());
        let first = loop {
            if snapshot.slots.is_empty() {
                return Err(match &source {
                    Source::Part(part) => part.why_nothing(options.log.as_deref(), options.block_max_bytes())?,
                    _ => Error::new(Kind::NotFound, "there is no segment to read"),
                });
            }
            match snapshot.open(0)? {
                SlotState::Segment(first) => break first,
                SlotState::Unborn => drop(snapshot.slots.remove(0)),
                SlotState::Gone => snapshot = source.snapshot(&snapshot, options.mode)?,
            }
        };
        let salvaging = options.mode == ReaderMode::Salvage;
        if filter.newest_first && salvaging {
            return Err(Error::invalid("salvage reads from the oldest record to the newest"));
        }
        let mut cursor = Cursor {
            list: SegmentList::new(source, snapshot, options.mode),
            position: Position::new(first.clone()),
            view: View::new(selection),
            direction: if salvaging { Direction::Salvage(Box::default()) } else { Direction::default() },
            ending: Ending::default(),
            reports: Reports::new(options.on_loss.clone()),
            waiting: Waiting::default(),
            schemas: Schemas::default(),
        };
        if salvaging {
            cursor.reports.unreadable(&cursor.list.snapshot, &cursor.list.source)?;
        }
        let from_id = filter.from_id.max(cursor.list.source.limit().map(|limit| limit.first_id));
        cursor.ending.wanted_from = match (from_id, filter.from_time) {
            (Some(id), _) => Some(id),
            // Of that time, everything.
            (None, Some(_)) => Some(0),
            (None, None) => begins.or(Some(first.header.first_id)),
        };
        if let Some(most) = filter.last {
            let last = cursor.find_the_last(most, options, filter)?;
            cursor.view.selection.limit_to_ids_from(last.first_id);
            cursor.ending.hidden = last.hidden;
            cursor.ending.wanted_from = Some(last.first_id.max(first.header.first_id));
            if let Some(salvage) = cursor.direction.salvage_mut() {
                salvage.from_id = last.first_id;
            }
        }
        if filter.newest_first {
            cursor.direction = Direction::Backward(Box::new(cursor.behind_the_last()?));
            return Ok(cursor);
        }
        let (start, segment) = cursor.find_start()?;
        cursor.begin_segment(start, &segment)?;
        cursor.go_to_the_part()?;
        if filter.last.is_some() {
            cursor.go_to_the_last()?;
        } else if let Some(from) = cursor.ending.wanted_from {
            cursor.ending.missed = cursor.missed_at_the_beginning(from);
        }
        Ok(cursor)
    }

    /// The next record, or `None` at the end. Its views live until the next call.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] at damage, after everything before it has been shown, including the whole records of a damaged
    /// block, and again in every later call;
    /// [`Kind::Io`] when the system fails to read, and [`Kind::NoMemory`] when there is no memory for the block: the
    /// same call may be tried again; [`Kind::TooLarge`] for a block that takes more than
    /// [`field@ReaderOptions::block_max_bytes`]. A cursor that salvages continues after damage instead.
    /// [`Kind::Missed`], once, when old segments that the cursor had yet to read were removed, or the log does not go
    /// back to the filter's `from_id` or `from_time`: [`Error::missed`] returns which records are no longer there, and
    /// the next call continues after them.
    #[allow(clippy::should_implement_trait)] // the record borrows from the cursor, which an iterator's item cannot
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        if let Some(hit) = self.view.next_short(&self.position.scanner) {
            return Ok(Some(hit.record(self.position.scanner.entries(), self.position.scanner.payload())));
        }
        self.next_otherwise()
    }

    /// [`Self::next`] for everything that the fast path does not show.
    #[inline(never)]
    fn next_otherwise(&mut self) -> Result<Option<Record<'_>>> {
        match self.next_hit()? {
            Some(hit) => Ok(Some(hit.record(self.position.scanner.entries(), self.position.scanner.payload()))),
            None => Ok(None),
        }
    }

    /// Shows up to `most` records, at least one unless the log ends here, and returns how many. All are from one block;
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

    /// Copies as many records as fit into `buffer`, as packed frames of one block (`docs/c-api.md` describes their
    /// layout), and returns bytes and records; 0 and 0 at the end.
    ///
    /// # Errors
    /// As [`Self::next`], and [`Kind::TooLarge`] when not even the next record fits: the reason states how many bytes
    /// it takes.
    pub fn read_packed(&mut self, buffer: &mut [u8]) -> Result<(usize, usize)> {
        let no_payload = if self.view.selection.headers_only() { flag::NO_PAYLOAD } else { 0 };
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
    /// [`ReaderMode::Strict`] fails at a torn tail and at an end that is not closed: the state is then
    /// [`TailState::Torn`] or [`TailState::Unclosed`], not damage.
    pub fn tail(&self) -> Tail {
        let next_id = self.position.expected.unwrap_or(self.view.selection.first_id()).max(1);
        // A whole block is passed at once, also the part of it after the last id of the filter.
        Tail { next_id: next_id.min(self.view.selection.next_after_filter()), ..self.ending.tail.clone() }
    }

    /// The name that a type number was given for, as far as the log has been read.
    pub fn type_name(&self, type_id: u32) -> Option<&str> {
        self.view.selection.name_of(type_id)
    }

    /// Whether payloads are left unread.
    pub fn headers_only(&self) -> bool {
        self.view.selection.headers_only()
    }

    /// The segment being read.
    pub(crate) fn segment(&self) -> &Arc<Segment> {
        self.position.segment()
    }

    /// Shows records of one block for as long as `each` takes them, and returns how many it took.
    #[inline]
    fn next_while(&mut self, mut each: impl FnMut(&Record<'_>) -> bool) -> Result<usize> {
        loop {
            match self.view.show(&self.position.scanner, &mut each) {
                (count, Ok(false)) => return Ok(count),
                (0, Ok(true)) => {
                    if !self.advance()? {
                        return Ok(0);
                    }
                }
                (count, Ok(true)) => {
                    self.view.shown = Shown::Nothing;
                    return Ok(count);
                }
                (0, Err(reason)) => return Err(self.corrupt(&reason)),
                // The next call finds the error again, and returns it.
                (count, Err(_)) => return Ok(count),
            }
        }
    }

    pub(super) fn next_hit(&mut self) -> Result<Option<Hit>> {
        loop {
            match self.view.next_hit(&self.position.scanner) {
                Ok(Some(hit)) => return Ok(Some(hit)),
                Ok(None) => (),
                Err(reason) => return Err(self.corrupt(&reason)),
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Loads the next block that may contain something wanted; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.view.shown = Shown::Nothing;
        if let Some(from) = self.direction.take_resume() {
            self.go_on(from)?;
        }
        self.ending.leave()?;
        self.position.looked_again = false;
        let any = match self.direction.is_backward() {
            true => self.advance_backward()?,
            false => self.advance_forward()?,
        };
        match self.ending.hidden.clone().filter(|_| !any) {
            Some(hidden) => Err(self.fail_with(hidden)),
            None => Ok(any),
        }
    }

    /// Stops at damage at the scanner's place.
    pub(super) fn corrupt(&mut self, reason: &Malformed) -> Error {
        let offset = self.position.scanner.offset();
        let segment = self.position.scanner.segment().clone();
        self.ending.tail.unread_bytes = self.position.left().unwrap_or(0);
        self.ending.tail.offset = segment.reported_offset(offset);
        let error = segment.corrupt(offset, reason);
        self.fail(error)
    }

    /// Stops at damage for good. The damage that was found first is reported.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        if let Some(failure) = self.ending.failure().cloned() {
            return self.fail_with(failure);
        }
        self.ending.tail.path = self.segment().path.clone();
        let failure = Failure::damage(error, self.ending.tail.clone());
        self.fail_with(failure)
    }

    /// Fails a strict reader at an end that is not clean. The tail keeps its state, which distinguishes it from damage.
    pub(super) fn refuse_end(&mut self, tail: Tail) -> Error {
        let torn = if tail.state == TailState::Torn { "torn tail: " } else { "" };
        let error = Error::corrupt(format!("{torn}{}", tail.reason)).at_offset(&tail.path, tail.offset);
        self.fail_with(Failure { error, tail })
    }

    /// As [`Self::fail`], where the state of the tail is known.
    pub(super) fn fail_with(&mut self, failure: Failure) -> Error {
        self.view.shown = Shown::Nothing;
        self.ending.fail(failure)
    }
}
