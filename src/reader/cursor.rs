//! Goes through the records of a log, from block to block and from segment to segment.

use std::sync::Arc;

use super::block::{Hit, Walk};
use super::filter::Selection;
use super::{Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Progress;
use crate::format::packed::Frame;
use crate::format::{trailer, Malformed};
use crate::log::{Snapshot, Source};
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::record::{event, Metadata, Record};
use crate::segment::{is_torn, Bad, Scanner, Segment};

/// Flags of a record, as the C interface and packed frames show them.
pub(crate) mod flag {
    /// The time is meant, even if it is 0.
    pub const TIME: u32 = 1;
    /// The library's own record.
    pub const EVENT: u32 = 2;
    /// The payload was not read.
    pub const NO_PAYLOAD: u32 = 4;
}

/// Shows the records of a log in order. It belongs to one thread at a time; it keeps what it needs of its reader.
///
/// At the end [`Self::next`] returns `None`, and continues when asked again after a writer has appended more.
pub struct Cursor {
    source: Source,
    snapshot: Snapshot,
    mode: ReaderMode,
    selection: Selection,
    /// Index of the segment being read.
    at: usize,
    scanner: Scanner,
    walk: Option<Walk>,
    /// The id that must come next in this log; `None` before the first block.
    expected: Option<u64>,
    /// The last block read was a TRAILER.
    sealed: bool,
    /// Offset at which a bad block was found once, to be read again before it counts as damage.
    suspect: Option<u64>,
    /// The end was looked at once more after no writer was found to have the segment open.
    looked_again: bool,
    /// The segment that the log goes on in, as the current one tells.
    successor: Option<String>,
    /// The records from here on are past the filter's range, in this log.
    past: bool,
    tail: Tail,
    failure: Option<Error>,
}

/// What came of trying to move to the next block.
enum Moved {
    /// A block with something wanted is loaded.
    Block,
    /// Go on trying.
    Again,
    /// There is no more for now.
    End,
}

impl Cursor {
    pub(super) fn new(source: Source, snapshot: Snapshot, options: ReaderOptions, filter: &Filter) -> Result<Self> {
        let selection = Selection::new(filter)?;
        let Some(first) = snapshot.segments.first().cloned() else {
            return Err(Error::new(Kind::NotFound, "there is no segment to read"));
        };
        let mut cursor = Cursor {
            source,
            mode: options.mode,
            selection,
            at: 0,
            scanner: Scanner::new(first.clone(), first.start),
            walk: None,
            expected: None,
            sealed: false,
            suspect: None,
            looked_again: false,
            successor: None,
            past: false,
            tail: Tail::default(),
            failure: None,
            snapshot,
        };
        let start = cursor.first_wanted_segment();
        cursor.begin_segment(start);
        Ok(cursor)
    }

    /// The next record, or `None` at the end. Its views live until the next call.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] at damage, once everything before it has been shown, and again in every later call;
    /// [`Kind::Io`] when the system fails to read: the same call may be tried again.
    #[allow(clippy::should_implement_trait)] // the record borrows from the cursor, which an iterator's item cannot
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
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
                payload_len: record.payload_len,
            };
            needed = frame.size();
            if needed > buffer.len() - len {
                return false;
            }
            frame.encode(&mut buffer[len..]);
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
    fn segment(&self) -> &Segment {
        self.scanner.segment()
    }

    /// Shows records of one block for as long as `each` takes them, and returns how many it took.
    #[inline]
    fn next_while(&mut self, mut each: impl FnMut(&Record<'_>) -> bool) -> Result<usize> {
        loop {
            if self.walk.is_none() && !self.advance()? {
                return Ok(0);
            }
            let Some(walk) = &mut self.walk else { continue };
            let (entries, payload) = (self.scanner.entries(), self.scanner.payload());
            match walk.for_each(&self.selection, entries, payload, &mut each) {
                (count, Ok(false)) => return Ok(count),
                (0, Ok(true)) => self.walk = None,
                (count, Ok(true)) => {
                    self.walk = None;
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
            if let Some(walk) = &mut self.walk {
                match walk.next_hit(&self.selection, self.scanner.entries()) {
                    Ok(Some(hit)) => return Ok(Some(hit)),
                    Ok(None) => self.walk = None,
                    Err(reason) => return Err(self.corrupt(&reason)),
                }
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Loads the next block that may hold something wanted; false at the end.
    fn advance(&mut self) -> Result<bool> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.tail = Tail::default();
        self.looked_again = false;
        loop {
            let moved = match self.step() {
                Ok(moved) => moved,
                Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
                Err(Bad::Io(error)) => return Err(self.fail(error)),
                Err(bad) => self.end_of_segment(bad)?,
            };
            match moved {
                Moved::Block => return Ok(true),
                Moved::Again => (),
                Moved::End => return Ok(false),
            }
        }
    }

    /// Looks at the next block of the segment.
    fn step(&mut self) -> Result<Moved, Bad> {
        if self.past {
            return Err(Bad::End { left: 0 });
        }
        let header = self.scanner.header()?;
        if let Some(reason) = self.out_of_order(&header) {
            return Err(Bad::Malformed(reason));
        }
        match header.kind {
            BlockKind::Records => (),
            BlockKind::Trailer => {
                self.scanner.load_entries(&header)?;
                let records = header.first_id.wrapping_sub(self.segment().header.first_id);
                if trailer::decode(self.scanner.entries()).map_err(Bad::Malformed)?.records != records {
                    return Err(Bad::Malformed(Malformed::inconsistent(
                        "the trailer counts other records than there are",
                    )));
                }
                return self.pass_over(&header, true);
            }
            BlockKind::Index | BlockKind::Skippable(_) => {
                self.scanner.check_whole(&header)?;
                return self.pass_over(&header, false);
            }
        }
        self.past = self.selection.is_past(&header);
        if self.past {
            return Ok(Moved::Again);
        }
        let wanted = self.selection.wants_block(&header);
        if header.has_events() {
            self.scanner.load_entries(&header)?;
            self.learn(&header)?;
        }
        if !wanted || !self.load(&header)? {
            self.scanner.check_whole(&header)?;
            return self.pass_over(&header, false);
        }
        self.walk = Some(Walk::new(&header, &self.selection));
        self.pass_over(&header, false)?;
        Ok(Moved::Block)
    }

    fn pass_over(&mut self, header: &BlockHeader, sealed: bool) -> Result<Moved, Bad> {
        self.scanner.skip(header);
        self.sealed = sealed;
        if !matches!(header.kind, BlockKind::Skippable(_)) {
            self.expected = Some(header.next_id());
        }
        Ok(Moved::Again)
    }

    /// Ids must follow each other without a gap.
    fn out_of_order(&self, header: &BlockHeader) -> Option<Malformed> {
        let expected = match self.expected {
            Some(expected) => expected,
            None => self.segment().header.first_id,
        };
        if matches!(header.kind, BlockKind::Skippable(_)) || header.first_id == expected {
            return None;
        }
        Some(Malformed::inconsistent(match header.first_id > expected {
            true => format!("the records {expected} to {} are missing", header.first_id - 1),
            false => format!("the block begins with record {}, where {expected} should come", header.first_id),
        }))
    }

    /// Reads what the filter needs of the block; false when it holds nothing wanted.
    fn load(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        if !self.selection.by_type() && !self.selection.headers_only() {
            self.scanner.load(header)?;
            return Ok(true);
        }
        self.scanner.load_entries(header)?;
        if self.selection.by_type() && !self.holds_wanted_type(header)? {
            return Ok(false);
        }
        match self.selection.headers_only() {
            true => self.scanner.check_whole(header)?,
            false => self.scanner.load_payload(header)?,
        }
        Ok(true)
    }

    fn holds_wanted_type(&self, header: &BlockHeader) -> Result<bool, Bad> {
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries()).map_err(Bad::Malformed)? {
            if self.selection.wants_type(entry.type_id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes note of what the block's events say about types, and about where the log goes on.
    fn learn(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries()).map_err(Bad::Malformed)? {
            let facts = Metadata::from_bytes(entry.metadata);
            match entry.type_id {
                event::TYPE => self.selection.learn(facts),
                event::ROTATE_NEXT => self.successor = facts.get("file").map(str::to_owned),
                event::OPENED => self.successor = None,
                _ => (),
            }
        }
        Ok(())
    }

    /// Bytes of the file from the scanner's offset on.
    fn left(&self) -> Result<u64, Bad> {
        let segment = self.scanner.segment();
        let len = segment.file.len().map_err(|e| Bad::Io(Error::io(&e, "stat").at(&segment.path)))?;
        Ok(len.saturating_sub(self.scanner.offset()))
    }

    /// The current segment shows no further block: because it ends, because its writer is in the middle of one, or
    /// because it is damaged.
    fn end_of_segment(&mut self, bad: Bad) -> Result<Moved> {
        let segment = self.scanner.segment().clone();
        let offset = self.scanner.offset();
        let (left, reason) = match &bad {
            Bad::End { left } => (*left, "the file ends within a block".to_owned()),
            Bad::Malformed(reason) => (1, reason.to_string()),
            Bad::Io(error) => (1, error.to_string()),
        };
        // Forget the bytes: there may be others next time.
        self.scanner.reread();
        if left > 0 && !is_torn(&segment, offset, self.scanner.durable_end())? {
            // A writer at work may have completed this block, and others behind it, since it was read.
            if self.suspect.replace(offset) != Some(offset) {
                return Ok(Moved::Again);
            }
            let reason = match bad {
                Bad::Malformed(reason) => reason,
                _ => Malformed::inconsistent(format!("{reason}, of which more was durable once")),
            };
            return Err(self.corrupt(&reason));
        }
        if self.at + 1 < self.snapshot.segments.len() {
            return self.enter_next(left, &reason);
        }
        if self.finds_another_segment(left == 0)? {
            // The current one may have grown before the other began: look again.
            return Ok(Moved::Again);
        }
        self.end(left, reason)
    }

    /// Comes to an end behind the last segment, where `left` bytes are no block for this reason.
    fn end(&mut self, left: u64, reason: String) -> Result<Moved> {
        let live = self.segment().is_live();
        if !live && !self.looked_again {
            // The writer may have gone on, or closed, between the last look at the file and the question just asked.
            self.looked_again = true;
            return Ok(Moved::Again);
        }
        let alone = matches!(self.source, Source::File(..));
        let gone = self.successor.clone().filter(|_| !alone && !live);
        let (state, reason) = match (left, live, gone) {
            (0, true, _) => (TailState::Live, String::new()),
            (_, true, _) => (TailState::Live, reason),
            (0, _, _) if self.past => (TailState::Closed, String::new()),
            (0, _, Some(file)) => (TailState::Unclosed, format!("the log goes on in {file}, which is not here")),
            (0, _, None) if self.sealed => (TailState::Closed, String::new()),
            (0, _, None) => (TailState::Unclosed, "the log was not closed: there may have been more".to_owned()),
            (_, _, _) => (TailState::Torn, reason),
        };
        let strict = self.mode == ReaderMode::Strict && matches!(state, TailState::Unclosed | TailState::Torn);
        if strict {
            let torn = if state == TailState::Torn { "torn tail: " } else { "" };
            return Err(self.corrupt(&Malformed::Inconsistent(format!("{torn}{reason}"))));
        }
        let unread_bytes = if left > 0 { self.left().unwrap_or(left) } else { 0 };
        let (path, offset) = (self.segment().path.clone(), self.scanner.offset());
        self.tail = Tail { state, next_id: 0, path, offset, unread_bytes, reason };
        Ok(Moved::End)
    }

    /// Whether a segment has come up behind the last known one. `clean` says that this ends with a whole block.
    fn finds_another_segment(&mut self, clean: bool) -> Result<bool> {
        // A writer that is in the middle of a segment does not begin another.
        if matches!(self.source, Source::File(..)) || !clean || (!self.sealed && self.segment().is_live()) {
            return Ok(false);
        }
        let fresh = self.source.snapshot(&self.snapshot)?;
        let here = self.segment().path.clone();
        if let Some(at) = fresh.segments.iter().position(|segment| segment.path == here) {
            self.at = at;
            self.snapshot = fresh;
        }
        Ok(self.at + 1 < self.snapshot.segments.len())
    }

    fn enter_next(&mut self, left: u64, reason: &str) -> Result<Moved> {
        let ended = self.segment().header.clone();
        let next = self.snapshot.segments[self.at + 1].clone();
        if next.header.log_id != ended.log_id {
            if left > 0 {
                return Err(self.corrupt(&Malformed::inconsistent(reason)));
            }
            self.expected = None;
            self.past = false;
        } else if !self.past {
            // The end that the next segment tells of was written before that one existed.
            let offset = self.scanner.offset();
            let told = next.header.predecessor.as_ref().filter(|told| told.sequence == ended.sequence);
            let missing = match told {
                Some(told) if told.bytes > offset => Some(format!("{} bytes of the file", told.bytes - offset)),
                Some(_) => None,
                None if next.header.sequence <= ended.sequence => {
                    let twice = next.path.display();
                    let reason = format!("segment {} of the log is here twice, also as {twice}", next.header.sequence);
                    return Err(self.corrupt(&Malformed::Inconsistent(reason)));
                }
                None => Some(format!("the segments {} to {}", ended.sequence + 1, next.header.sequence - 1)),
            };
            let expected = self.expected.unwrap_or(ended.first_id);
            if let Some(missing) = missing {
                let records = match next.header.first_id > expected {
                    true => format!(", with the records {expected} to {}", next.header.first_id - 1),
                    false => String::new(),
                };
                return Err(self.corrupt(&Malformed::inconsistent(format!("{missing} are missing{records}"))));
            }
            if left > 0 {
                return Err(self.corrupt(&Malformed::inconsistent(reason)));
            }
            if next.header.first_id != expected {
                let first = next.header.first_id;
                let reason = format!("the next segment begins with record {first}, where {expected} should come");
                return Err(self.corrupt(&Malformed::Inconsistent(reason)));
            }
        }
        self.begin_segment(self.at + 1);
        Ok(Moved::Again)
    }

    /// The segment that the first wanted id stands in, so that those before need not be read. Only a log of one piece
    /// can be searched so.
    fn first_wanted_segment(&self) -> usize {
        let segments = &self.snapshot.segments;
        let one_log = segments.windows(2).all(|pair| pair[0].header.log_id == pair[1].header.log_id);
        match one_log {
            true => segments.partition_point(|s| s.header.first_id <= self.selection.first_id()).saturating_sub(1),
            false => 0,
        }
    }

    fn begin_segment(&mut self, at: usize) {
        let segment: Arc<Segment> = self.snapshot.segments[at].clone();
        self.at = at;
        self.sealed = false;
        self.suspect = None;
        self.successor = None;
        self.selection.begin_segment();
        self.scanner = Scanner::new(segment.clone(), segment.start);
    }

    fn corrupt(&mut self, reason: &Malformed) -> Error {
        let offset = self.scanner.offset();
        let segment = self.scanner.segment().clone();
        self.tail.unread_bytes = self.left().unwrap_or(0);
        self.tail.offset = offset;
        let error = segment.corrupt(offset, reason);
        self.fail(error)
    }

    /// Stops at damage for good.
    fn fail(&mut self, error: Error) -> Error {
        self.walk = None;
        self.tail.state = TailState::Corrupt;
        self.tail.path = self.segment().path.clone();
        self.tail.reason = error.reason().to_owned();
        self.failure = Some(error.clone());
        error
    }
}
