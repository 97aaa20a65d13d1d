//! From block to block and from segment to segment, the oldest first.

use std::sync::Arc;

use super::cursor::{Failure, Moved};
use super::place::{replaced, Standing};
use super::route::Route;
use super::{Cursor, Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::{index, Malformed};
use crate::io::Access;
use crate::log::{chain_break, Found, Missing, Source};
use crate::options::ReaderMode;
use crate::segment::{is_torn, lacks_trailer, Bad, Scanner, Segment, NO_TRAILER};

impl Cursor {
    /// Loads the next block that may hold something wanted; false at the end.
    pub(super) fn advance_forward(&mut self) -> Result<bool> {
        loop {
            match self.advance_among_those_there() {
                Err(error) if error.kind() == Kind::NotFound && self.source.is_far() => self.pass_gone(error)?,
                advanced => return advanced,
            }
        }
    }

    fn advance_among_those_there(&mut self) -> Result<bool> {
        loop {
            self.tell_remarks()?;
            let moved = match self.step() {
                Ok(moved) => moved,
                Err(Bad::Io(error)) if error.kind() == Kind::TooLarge && self.salvage.is_some() => {
                    self.salvage_too_large(&error)?
                }
                Err(Bad::Io(error)) if error.kind() == Kind::NoMemory => return Err(self.placed(error)),
                Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
                Err(Bad::End { left }) if left > 0 && self.turn_back() => Moved::Again,
                Err(Bad::Malformed(_)) if self.turn_back() => Moved::Again,
                Err(Bad::End { left: 1.. } | Bad::Malformed(_)) if self.is_at_space()? => {
                    self.scanner.reread();
                    self.leave_segment(0, String::new())?
                }
                Err(Bad::End { left: 1.. } | Bad::Malformed(_)) if self.looks_for_holes()? => Moved::Again,
                Err(bad) if self.takes_alternative(&bad)? => Moved::Again,
                Err(bad) if self.salvage.is_some() => self.salvage_after(bad)?,
                Err(Bad::Io(error)) => return Err(self.fail(error)),
                Err(bad) => match self.end_of_segment(bad) {
                    // A compressed file can break where its end was looked for.
                    Err(error) if error.kind() == Kind::Corrupt => return Err(self.fail(error)),
                    ended => ended?,
                },
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
        if let Some(moved) = self.follow_route()? {
            return Ok(moved);
        }
        if !self.announced {
            self.announce_all();
        }
        let header = self.scanner.header();
        if let Some(hole) = self.scanner.take_passed() {
            self.pass_hole(&hole)?;
        }
        let header = header?;
        if let Some(reason) = self.out_of_order(&header) {
            return Err(Bad::Malformed(reason));
        }
        if !self.verify(&header) {
            if self.turn_back() {
                return Ok(Moved::Again);
            }
            self.route = None;
        }
        match header.kind {
            BlockKind::Records => (),
            BlockKind::Trailer => {
                self.scanner.load_entries(&header)?;
                self.segment().check_trailer(&header, self.scanner.entries())?;
                return self.pass_over(&header, true);
            }
            BlockKind::Index => {
                self.scanner.check_whole(&header)?;
                self.check_index(&header)?;
                return self.pass_over(&header, false);
            }
            BlockKind::Skippable(_) => {
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
        if !wanted || !self.load(&header)? || !self.drop_repeated(&header)? {
            self.scanner.check_whole(&header)?;
            return self.pass_over(&header, false);
        }
        self.pass_over(&header, false)?;
        Ok(Moved::Block)
    }

    /// A damaged index hides nothing, so only those hear of it who want to know of every byte.
    fn check_index(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        if self.mode == ReaderMode::Prefix {
            return Ok(());
        }
        let written = self.scanner.written_offset();
        let loaded = self.scanner.load_entries(header);
        match loaded.and_then(|()| index::decode(self.scanner.entries(), written).map_err(Bad::from)) {
            Err(Bad::Malformed(_)) if self.is_superseded(header)? => Ok(()),
            read => read.map(|_| ()),
        }
    }

    /// Whether an index that was written anew tells of all that is around the INDEX block with this header.
    fn is_superseded(&self, header: &BlockHeader) -> Result<bool, Bad> {
        let from = self.scanner.offset();
        let is_told = || self.segment().is_in_a_gap(from, from + header.block_len());
        Ok(self.scanner.shift() == 0 && is_told().map_err(Bad::Io)?)
    }

    fn pass_over(&mut self, header: &BlockHeader, sealed: bool) -> Result<Moved, Bad> {
        self.scanner.skip(header);
        self.sealed = sealed;
        if sealed {
            self.segment().saw_trailer();
        }
        if !matches!(header.kind, BlockKind::Skippable(_)) {
            self.expected = Some(header.next_id());
        }
        Ok(Moved::Again)
    }

    /// Ids must follow each other without a gap, unless the log itself tells of the gap.
    pub(super) fn out_of_order(&self, header: &BlockHeader) -> Option<Malformed> {
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let skippable = matches!(header.kind, BlockKind::Skippable(_));
        if skippable
            || header.first_id == expected
            || (header.first_id > expected && self.acknowledged == Some(header.first_id))
        {
            return None;
        }
        Some(match header.first_id > expected {
            true => Malformed::Missing(format!("the records {expected} to {} are missing", header.first_id - 1)),
            false => Malformed::Inconsistent(format!(
                "the block begins with record {}, where {expected} should come",
                header.first_id
            )),
        })
    }

    /// The error with the place of the block at which the scanner stands.
    pub(super) fn placed(&self, error: Error) -> Error {
        let segment = self.scanner.segment();
        error.at_offset(&segment.path, segment.told_offset(self.scanner.offset()))
    }

    /// Bytes of the file from the scanner's offset on, as far as that is known.
    pub(super) fn left(&self) -> Result<u64, Bad> {
        let segment = self.scanner.segment();
        let len = segment.file.len().map_err(|e| Bad::Io(Error::io(&e, "stat").at(&segment.path)))?;
        let len = if len == u64::MAX { segment.file.inflated_end().map_or(0, |end| end.at) } else { len };
        Ok(len.saturating_sub(self.scanner.offset()))
    }

    /// Up to where the current segment was durable as others prove, if that is asked.
    fn durable_end_by_others(&self, is_asked: bool) -> Result<u64> {
        match is_asked {
            true => self.snapshot.durable_end_by_others(&self.source, self.at),
            false => Ok(0),
        }
    }

    /// The current segment shows no further block: because it ends, because its writer is in the middle of one, or
    /// because it is damaged.
    fn end_of_segment(&mut self, bad: Bad) -> Result<Moved> {
        let segment = self.scanner.segment().clone();
        let offset = self.scanner.offset();
        let (left, reason) = bad.tell();
        // Forget the bytes: there may be others next time.
        self.scanner.reread();
        if left > 0 && segment.file.is_far() && self.suspect.replace(offset) != Some(offset) {
            segment.file.doubt();
            return Ok(Moved::Again);
        }
        let durable_end = self.scanner.durable_end().max(self.durable_end_by_others(left > 0)?);
        if left > 0 && !is_torn(&segment, offset, durable_end)? {
            // A writer at work may have completed this block, and others behind it, since it was read.
            if self.suspect.replace(offset) != Some(offset) {
                return Ok(Moved::Again);
            }
            let reason = match bad {
                Bad::Malformed(reason) => reason,
                _ => Malformed::inconsistent(format!("{reason}, of which more was durable once")),
            };
            let error = self.corrupt(&reason);
            return if self.show_intact() { Ok(Moved::Block) } else { Err(error) };
        }
        self.leave_segment(left, reason)
    }

    /// Goes on behind the current segment, whose last `left` bytes are no block for this reason.
    pub(super) fn leave_segment(&mut self, left: u64, reason: String) -> Result<Moved> {
        self.check_readable(self.at + 1)?;
        let next = self.next_place();
        if next < self.snapshot.slots.len() {
            return self.enter_next(next, left, &reason);
        }
        if self.finds_another_segment(left == 0)? {
            // The current one may have grown before the other began: look again.
            return Ok(Moved::Again);
        }
        self.check_place()?;
        self.end(left, reason)
    }

    /// Whether the name of the file, behind which nothing is known to come, still leads to it. What is in another one need not
    /// follow what was shown, and nothing more is going to come in this one.
    fn check_place(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        // Each look at a store is a request, and what is there is not replaced.
        let is_settled = segment.is_unborn || segment.file.is_far();
        let ours = segment.file.identity().ok().flatten().filter(|_| !is_settled);
        let (Some(ours), Some(name)) = (ours, segment.path.file_name()) else { return Ok(()) };
        let (directory, name) = (self.snapshot.slots[self.at].directory(), name.to_string_lossy());
        let facts = directory.facts(&name);
        self.waiting.is_gone = facts.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        let there = match facts {
            Ok(facts) if facts.is_plain => facts.identity,
            // Through a symbolic link it was opened, and what that leads to counts.
            Ok(_) => directory.open(&name, Access::Read).ok().and_then(|file| file.identity().ok().flatten()),
            Err(_) => None,
        };
        match there {
            Some(there) if there != ours => Err(replaced(&segment)),
            _ => Ok(()),
        }
    }

    /// A file that should be a segment and is none is damage for whoever comes to its place, before segment `at`.
    pub(super) fn check_readable(&mut self, at: usize) -> Result<()> {
        if self.salvage.is_some() || self.past {
            return Ok(());
        }
        match self.snapshot.unreadable_before(at).cloned() {
            Some(file) => {
                let (state, reason) = (TailState::Corrupt, file.error.reason().to_owned());
                let tail = Tail { state, path: file.path, unread_bytes: file.bytes, reason, ..Tail::default() };
                Err(self.fail_with(Failure { error: file.error, tail }))
            }
            None => Ok(()),
        }
    }

    /// Comes to an end behind the last segment, where `left` bytes are no block for this reason.
    fn end(&mut self, left: u64, reason: String) -> Result<Moved> {
        let live = self.segment().is_live();
        if !live && !self.looked_again {
            // The writer may have gone on, or closed, between the last look at the file and the question just asked.
            self.looked_again = true;
            return Ok(Moved::Again);
        }
        if left == 0 && !live && !self.past && lacks_trailer(self.segment(), self.scanner.offset())? {
            match self.salvage.is_some() {
                true => {
                    self.salvage_end(&Missing { reason: NO_TRAILER.to_owned(), is_end_of_file: false })?;
                }
                false => return Err(self.corrupt(&Malformed::inconsistent(NO_TRAILER))),
            }
        }
        let shift = self.scanner.shift();
        let goes_on = || self.snapshot.missing_behind(&self.source, self.at, self.successor.as_deref(), shift);
        let gone = if live || self.past { None } else { goes_on() };
        let is_gone = gone.is_some();
        let is_end_of_file = gone.as_ref().is_some_and(|missing| missing.is_end_of_file);
        let gone = gone.map(|missing| missing.reason);
        // It comes to the store when it is closed.
        let is_archive = is_gone && self.snapshot.is_archive(&self.source, self.at);
        let (state, reason) = match (left, live, gone) {
            (0, true, _) => (TailState::Live, String::new()),
            (_, true, _) => (TailState::Live, reason),
            (0, _, _) if self.past => (TailState::Closed, String::new()),
            (0, _, Some(gone)) if is_archive => (TailState::Live, gone),
            (0, _, Some(gone)) => (TailState::Unclosed, gone),
            (0, _, None) if self.sealed => (TailState::Closed, String::new()),
            (0, _, None) if self.segment().is_unborn && !self.snapshot.unreadable.is_empty() => {
                (TailState::Unclosed, "nothing of the log can be read".to_owned())
            }
            (0, _, None) if self.segment().is_unborn => {
                (TailState::Unclosed, "the log was not begun: nothing was ever written to its file".to_owned())
            }
            (0, _, None) => (TailState::Unclosed, "the log was not closed: there may have been more".to_owned()),
            (_, _, _) => (TailState::Torn, reason),
        };
        let strict = self.mode == ReaderMode::Strict
            && matches!(state, TailState::Unclosed | TailState::Torn)
            && !self.segment().is_unborn;
        let unread_bytes = if left > 0 { self.left().unwrap_or(left) } else { 0 };
        let (path, offset) = (self.segment().path.clone(), self.segment().told_offset(self.scanner.offset()));
        let tail = Tail { state, next_id: 0, path, offset, unread_bytes, reason };
        if strict {
            return Err(self.refuse_end(tail));
        }
        if state == TailState::Unclosed && is_gone {
            self.salvage_end(&Missing { reason: tail.reason.clone(), is_end_of_file })?;
        }
        self.tail = tail;
        Ok(Moved::End)
    }

    /// Whether a segment has come up behind the last known one. `clean` says that this ends with a whole block.
    fn finds_another_segment(&mut self, clean: bool) -> Result<bool> {
        if self.segment().is_unborn {
            return self.finds_birth();
        }
        // A writer that is in the middle of a segment does not begin another. One that comes after it may leave what that has
        // torn, and begin its own.
        let is_at_work = (!clean || !self.sealed) && self.segment().is_live();
        if matches!(self.source, Source::File(..)) || is_at_work {
            return Ok(false);
        }
        if !self.may_look() {
            return Ok(false);
        }
        if !self.take_successor()? {
            self.look_anew()?;
        }
        let found = self.at + 1 < self.snapshot.slots.len();
        if found {
            self.found_another();
            self.look_for_holes_again();
        }
        Ok(found)
    }

    /// Whether a writer has begun the log in the file since it was read: then that is read from its first block on.
    fn finds_birth(&mut self) -> Result<bool> {
        if !self.may_look() {
            return Ok(false);
        }
        let fresh = self.source.snapshot(&self.snapshot, self.mode)?;
        if fresh.slots.is_empty() {
            return Ok(false);
        }
        match fresh.open(0)? {
            Found::Segment(segment) if !segment.is_unborn => {
                self.snapshot = fresh;
                self.expected = None;
                self.begin_segment(0, &segment)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn enter_next(&mut self, at: usize, left: u64, reason: &str) -> Result<Moved> {
        let ended = self.segment().clone();
        let Some(next) = self.open_at(at)? else { return Ok(Moved::Again) };
        if next.header.log_id != ended.header.log_id {
            // The other log's writer may be at work.
            if left > 0 && self.salvage.is_none() && !self.segment().is_live() {
                if !std::mem::replace(&mut self.looked_again, true) {
                    return Ok(Moved::Again);
                }
                if !self.passes_torn_log(left, reason) {
                    return Err(self.corrupt(&Malformed::inconsistent(reason)));
                }
            }
            if !self.past && !self.passes_end_of_log()? {
                return Ok(Moved::Again);
            }
            self.expected = None;
            self.past = false;
        } else if !self.past {
            let expected = self.expected.unwrap_or(ended.header.first_id);
            // The end that the next segment tells of was written before that one existed.
            let broken = chain_break(&ended, self.scanner.written_offset(), expected, &next)?;
            // The name of a file may have been listed before anything stood in it: then what was read of the current
            // segment was not all of it.
            if (left > 0 || broken.is_some()) && !std::mem::replace(&mut self.looked_again, true) {
                return Ok(Moved::Again);
            }
            if broken.is_some() && self.looks_for_holes()? {
                return Ok(Moved::Again);
            }
            if let Some(reason) = broken {
                if let Some(moved) = self.pass_removed(at, expected, &next)? {
                    return Ok(moved);
                }
                match self.salvage.is_some() {
                    true => return self.salvage_chain(&ended.header, expected, &next, reason),
                    false => return Err(self.corrupt(&reason)),
                }
            }
            if left > 0 && self.salvage.is_none() {
                return Err(self.corrupt(&Malformed::inconsistent(reason)));
            }
            self.expected = Some(next.header.first_id);
        }
        self.begin_segment(at, &next)?;
        Ok(Moved::Again)
    }

    /// Goes to the beginning of a segment, which is number `at`.
    pub(super) fn begin_segment(&mut self, at: usize, segment: &Arc<Segment>) -> Result<()> {
        self.at = at;
        self.remarks.begin_segment();
        self.repeated_events = 0;
        self.standing = Standing::Listed;
        self.listed_again = false;
        self.sealed = false;
        self.suspect = None;
        self.looked_again = false;
        self.successor = None;
        self.acknowledged = None;
        match Arc::ptr_eq(self.scanner.segment(), segment) {
            true => {
                self.scanner.reread();
                self.scanner.jump(segment.start);
            }
            false => {
                self.scanner.segment().forget_rows();
                self.scanner = Scanner::new(segment.clone(), segment.start);
            }
        }
        // Nothing is read of a segment behind the filter's range.
        // Payloads that are not wanted are not fetched either.
        let is_worth_it = self.selection.is_selective(segment.header.first_id)
            || (self.selection.headers_only() && segment.file.is_far());
        let by_index = !self.past && self.mode == ReaderMode::Prefix && is_worth_it;
        self.route = if by_index { Route::by_index(segment)? } else { None };
        self.announced = false;
        self.selection.begin_segment();
        self.begin_holes();
        self.learn_names();
        match self.salvage.is_some() {
            true => self.begin_salvaging(),
            false => Ok(()),
        }
    }

    /// Learns the named types that the index of the segment tells.
    pub(super) fn learn_names(&mut self) {
        if let Some(route) = &self.route {
            for named in &route.map().names {
                self.selection.learn_name(named.clone());
            }
        }
    }
}
