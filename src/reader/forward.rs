//! Reads from block to block and from segment to segment, the oldest first.

use std::sync::Arc;

use super::cursor::Moved;
use super::ending::Failure;
use super::remarks::SHORT;
use super::route::Route;
use super::{Cursor, Tail, TailState};
use crate::error::{Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::{index, Malformed};
use crate::log::{chain_break, Missing, SlotState};
use crate::options::ReaderMode;
use crate::segment::{is_torn, lacks_trailer, Bad, Segment, NO_TRAILER};

impl Cursor {
    /// Loads the next block that may contain something wanted; false at the end.
    pub(super) fn advance_forward(&mut self) -> Result<bool> {
        loop {
            match self.advance_among_those_there() {
                Err(error) if error.kind() == Kind::NotFound && self.list.source.is_far() => self.pass_gone(error)?,
                advanced => return advanced,
            }
        }
    }

    fn advance_among_those_there(&mut self) -> Result<bool> {
        loop {
            self.report_remarks()?;
            self.begin_salvaging()?;
            let moved = match self.step() {
                Ok(moved) => moved,
                Err(Bad::Io(error)) if error.kind() == Kind::TooLarge && self.direction.is_salvage() => {
                    self.salvage_too_large(&error)?
                }
                Err(Bad::Io(error)) if error.kind() == Kind::NoMemory => return Err(self.position.placed(error)),
                Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
                Err(Bad::End { left }) if left > 0 && self.turn_back() => Moved::Again,
                Err(Bad::Malformed(_)) if self.turn_back() => Moved::Again,
                Err(Bad::End { left: 1.. } | Bad::Malformed(_)) if self.is_at_space()? => {
                    self.position.scanner.reread();
                    self.leave_segment(0, String::new())?
                }
                Err(Bad::End { left: 1.. } | Bad::Malformed(_)) if self.looks_for_holes()? => Moved::Again,
                Err(bad) if self.takes_alternative(&bad)? => Moved::Again,
                Err(bad) if self.direction.is_salvage() => self.salvage_after(bad)?,
                Err(Bad::Io(error)) => return Err(self.fail(error)),
                Err(bad) => match self.end_of_segment(bad) {
                    // A compressed file can be damaged where its end was looked for.
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
        self.position.past |= self.view.selection.is_done(self.position.expected);
        if self.position.past {
            return Err(Bad::End { left: 0 });
        }
        if let Some(moved) = self.follow_route()? {
            return Ok(moved);
        }
        if !self.position.announced {
            self.announce_all();
        }
        let header = self.position.scanner.header();
        if let Some(hole) = self.position.scanner.take_passed() {
            self.pass_hole(&hole)?;
        }
        let header = header?;
        if let Some(reason) = self.position.out_of_order(&header) {
            return Err(Bad::Malformed(reason));
        }
        if !self.verify(&header) {
            if self.turn_back() {
                return Ok(Moved::Again);
            }
            self.direction.set_route(None);
        }
        match header.kind {
            BlockKind::Records => (),
            BlockKind::Trailer => {
                self.position.scanner.load_entries(&header)?;
                self.segment().check_trailer(&header, self.position.scanner.entries())?;
                return self.pass_over(&header, true);
            }
            BlockKind::Index => {
                self.position.scanner.check_whole(&header)?;
                self.check_index(&header)?;
                return self.pass_over(&header, false);
            }
            BlockKind::Skippable(_) => {
                self.position.scanner.check_whole(&header)?;
                return self.pass_over(&header, false);
            }
        }
        self.position.past = self.view.selection.is_past(&header);
        if self.position.past {
            return Ok(Moved::Again);
        }
        let wanted = self.view.selection.wants_block(&header);
        if header.has_events() {
            self.position.scanner.load_entries(&header)?;
            self.learn(&header)?;
        }
        if !wanted || !self.load(&header)? || !self.drop_repeated(&header)? {
            self.position.scanner.check_whole(&header)?;
            return self.pass_over(&header, false);
        }
        self.pass_over(&header, false)?;
        Ok(Moved::Block)
    }

    /// A damaged index hides nothing, so it is reported only to readers that check every byte.
    fn check_index(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        if self.list.mode == ReaderMode::Prefix {
            return Ok(());
        }
        let written = self.position.scanner.written_offset();
        let loaded = self.position.scanner.load_entries(header);
        match loaded.and_then(|()| index::decode(self.position.scanner.entries(), written).map_err(Bad::from)) {
            Err(Bad::Malformed(_)) if self.is_superseded(header)? => Ok(()),
            read => read.map(|_| ()),
        }
    }

    /// Whether a newer index covers all that surrounds the INDEX block with this header.
    fn is_superseded(&self, header: &BlockHeader) -> Result<bool, Bad> {
        let from = self.position.scanner.offset();
        let is_covered = || self.segment().is_in_a_gap(from, from + header.block_len());
        Ok(self.position.scanner.shift() == 0 && is_covered().map_err(Bad::Io)?)
    }

    fn pass_over(&mut self, header: &BlockHeader, sealed: bool) -> Result<Moved, Bad> {
        self.position.scanner.skip(header);
        self.position.sealed = sealed;
        if sealed {
            self.segment().saw_trailer();
        }
        if !matches!(header.kind, BlockKind::Skippable(_)) {
            self.position.pass_records(header);
        }
        Ok(Moved::Again)
    }

    /// The current segment shows no further block: because it ends, because its writer is in the middle of one, or
    /// because it is damaged.
    fn end_of_segment(&mut self, bad: Bad) -> Result<Moved> {
        let segment = self.position.scanner.segment().clone();
        let offset = self.position.scanner.offset();
        let (left, reason) = bad.describe();
        // Forget the bytes: they may be others next time.
        self.position.scanner.reread();
        if left > 0 && segment.file.is_far() && self.position.suspect.replace(offset) != Some(offset) {
            segment.file.doubt();
            return Ok(Moved::Again);
        }
        let durable_end =
            self.position.scanner.durable_end().max(if left > 0 { self.list.durable_end_by_others()? } else { 0 });
        if left > 0 && !is_torn(&segment, offset, 0, durable_end)? {
            // A writer at work may have completed this block, and others after it, since it was read.
            if self.position.suspect.replace(offset) != Some(offset) {
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

    /// Continues after the current segment, whose last `left` bytes are no block for this reason.
    pub(super) fn leave_segment(&mut self, left: u64, reason: String) -> Result<Moved> {
        if self.position.past && self.view.selection.limit().is_some() {
            self.ending.tail = self.end_of_part();
            return Ok(Moved::End);
        }
        self.check_readable(self.list.at + 1)?;
        let next = self.list.next_place(self.position.past);
        if next < self.list.snapshot.slots.len() {
            return match self.may_go_on_in(next)? {
                true => self.enter_next(next, left, &reason),
                false => Ok(Moved::Again),
            };
        }
        if self.finds_another_segment(left == 0)? {
            // The current segment may have grown before the other one began: look again.
            return Ok(Moved::Again);
        }
        self.check_place()?;
        self.end(left, reason)
    }

    /// A file that should be a segment but is none is damage for each cursor that reaches its place, before segment
    /// `at`.
    pub(super) fn check_readable(&mut self, at: usize) -> Result<()> {
        if self.direction.is_salvage() || self.position.past {
            return Ok(());
        }
        match self.list.snapshot.unreadable_before(at).cloned() {
            Some(file) => {
                let tail = Tail { path: file.path, unread_bytes: file.bytes, ..Tail::default() };
                Err(self.fail_with(Failure::damage(file.error, tail)))
            }
            None => Ok(()),
        }
    }

    /// Comes to an end after the last segment, where `left` bytes are no block for this reason.
    fn end(&mut self, left: u64, reason: String) -> Result<Moved> {
        let live = self.segment().is_live();
        if !live && !self.position.looked_again {
            // The writer may have continued, or closed the log, between the last look at the file and the question just
            // asked.
            self.position.looked_again = true;
            return Ok(Moved::Again);
        }
        if left == 0 && !live && self.takes_longer(SHORT)? {
            return Ok(Moved::Again);
        }
        if left == 0 && !live && !self.position.past && lacks_trailer(self.segment(), self.position.scanner.offset())? {
            match self.direction.is_salvage() {
                true => {
                    self.salvage_end(&Missing { reason: NO_TRAILER.to_owned(), is_end_of_file: false })?;
                }
                false => return Err(self.corrupt(&Malformed::inconsistent(NO_TRAILER))),
            }
        }
        self.check_end_of_part(left)?;
        let shift = self.position.scanner.shift();
        let missing_behind = || self.list.missing_behind(self.position.successor.as_deref(), shift);
        let gone = if live || self.position.past { None } else { missing_behind() };
        let is_gone = gone.is_some();
        let is_end_of_file = gone.as_ref().is_some_and(|missing| missing.is_end_of_file);
        let gone = gone.map(|missing| missing.reason);
        // The segment arrives in the store after it is closed.
        let is_archive = is_gone && self.list.is_archive();
        let (state, reason) = match (left, live, gone) {
            (0, true, _) => (TailState::Live, String::new()),
            (_, true, _) => (TailState::Live, reason),
            (0, _, _) if self.position.past => (TailState::Closed, String::new()),
            (0, _, Some(gone)) if is_archive => (TailState::Live, gone),
            (0, _, Some(gone)) => (TailState::Unclosed, gone),
            (0, _, None) if self.position.sealed => (TailState::Closed, String::new()),
            (0, _, None) if self.segment().is_unborn && !self.list.snapshot.unreadable.is_empty() => {
                (TailState::Unclosed, "nothing of the log can be read".to_owned())
            }
            (0, _, None) if self.segment().is_unborn => {
                (TailState::Unclosed, "the log was not begun: nothing was ever written to its file".to_owned())
            }
            (0, _, None) => (TailState::Unclosed, "the log was not closed: there may have been more".to_owned()),
            (_, _, _) => (TailState::Torn, reason),
        };
        let strict = self.list.mode == ReaderMode::Strict
            && matches!(state, TailState::Unclosed | TailState::Torn)
            && !self.segment().is_unborn;
        let unread_bytes = if left > 0 { self.position.left().unwrap_or(left) } else { 0 };
        let (path, offset) =
            (self.segment().path.clone(), self.segment().reported_offset(self.position.scanner.offset()));
        let lacks_records = is_gone && state == TailState::Unclosed;
        let tail = Tail { state, next_id: 0, path, offset, unread_bytes, reason, lacks_records };
        if strict {
            return Err(self.refuse_end(tail));
        }
        if lacks_records {
            self.salvage_end(&Missing { reason: tail.reason.clone(), is_end_of_file })?;
        }
        self.ending.tail = tail;
        Ok(Moved::End)
    }

    /// Whether another segment exists after the last known one. `clean` means that this one ends with a whole block.
    fn finds_another_segment(&mut self, clean: bool) -> Result<bool> {
        if self.segment().is_unborn {
            return self.finds_birth();
        }
        // A writer in the middle of a segment does not begin another. A later writer may leave a torn segment as it is,
        // and begin its own.
        let is_at_work = (!clean || !self.position.sealed) && self.segment().is_live();
        if !self.list.source.may_go_on() || is_at_work {
            return Ok(false);
        }
        if !self.list.may_look() {
            return Ok(false);
        }
        if !self.take_successor()? {
            self.relist()?;
        }
        let found = self.list.at + 1 < self.list.snapshot.slots.len();
        if found {
            self.list.found_another();
            self.look_for_holes_again();
        }
        Ok(found)
    }

    /// Whether a writer has begun the log in the file since it was read: the log is then read from its first block on.
    fn finds_birth(&mut self) -> Result<bool> {
        if !self.list.may_look() {
            return Ok(false);
        }
        let fresh = self.list.source.snapshot(&self.list.snapshot, self.list.mode)?;
        if fresh.slots.is_empty() {
            return Ok(false);
        }
        match fresh.open(0)? {
            SlotState::Segment(segment) if !segment.is_unborn => {
                self.list.snapshot = fresh;
                self.position.forget_ids();
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
            // The writer of the other log may be at work.
            if left > 0 && !self.direction.is_salvage() && !self.segment().is_live() {
                if !std::mem::replace(&mut self.position.looked_again, true) {
                    return Ok(Moved::Again);
                }
                if !self.passes_torn_log(left, reason) {
                    return Err(self.corrupt(&Malformed::inconsistent(reason)));
                }
            }
            if !self.position.past && !self.passes_end_of_log()? {
                return Ok(Moved::Again);
            }
            self.position.forget_ids();
            self.position.past = false;
        } else if !self.position.past {
            let expected = self.position.expected.unwrap_or(ended.header.first_id);
            // The end that the next segment names was written before that one existed.
            let broken = chain_break(&ended, self.position.scanner.written_offset(), expected, &next)?;
            // The name of the next file may have been listed before the file had contents: then the current segment may
            // have been read too early to be complete.
            if (left > 0 || broken.is_some()) && !std::mem::replace(&mut self.position.looked_again, true) {
                return Ok(Moved::Again);
            }
            if broken.is_some() && self.looks_for_holes()? {
                return Ok(Moved::Again);
            }
            if let Some(reason) = broken {
                if self.takes_longer(&reason.to_string())? {
                    return Ok(Moved::Again);
                }
                if let Some(moved) = self.pass_removed(at, expected, &next)? {
                    return Ok(moved);
                }
                match self.direction.is_salvage() {
                    true => return self.salvage_chain(&ended.header, expected, &next, reason),
                    false => return Err(self.corrupt(&reason)),
                }
            }
            if left > 0 && !self.direction.is_salvage() {
                return Err(self.corrupt(&Malformed::inconsistent(reason)));
            }
            self.position.expected = Some(next.header.first_id);
        }
        self.begin_segment(at, &next)?;
        Ok(Moved::Again)
    }

    /// Goes to the beginning of segment number `at`.
    pub(super) fn begin_segment(&mut self, at: usize, segment: &Arc<Segment>) -> Result<()> {
        self.enter_segment(at, segment);
        // Nothing is read of a segment after the filter's range, and payloads that are not wanted are not fetched.
        let is_worth_it = self.view.selection.is_selective(segment.header.first_id)
            || (self.view.selection.headers_only() && segment.file.is_far());
        let by_index = !self.position.past && self.list.mode == ReaderMode::Prefix && is_worth_it;
        self.direction.set_route(if by_index { Route::by_index(segment)? } else { None });
        self.learn_names();
        if let Some(salvage) = self.direction.salvage_mut().filter(|_| !self.position.past) {
            (salvage.durable_end, salvage.reported_to) = (None, 0);
            salvage.gave_up = false;
            salvage.is_to_begin = true;
        }
        self.begin_salvaging()
    }

    /// As [`Self::begin_segment`], without a way through the segment.
    pub(super) fn enter_segment(&mut self, at: usize, segment: &Arc<Segment>) {
        self.list.enter(at);
        self.position.enter(segment);
        self.position.past |= self.view.selection.is_behind(segment.header.sequence);
        self.direction.set_route(None);
        if let Some(salvage) = self.direction.salvage_mut() {
            salvage.is_to_begin = false;
        }
        self.view.selection.begin_segment();
        self.begin_holes();
    }

    /// Learns the named types in the index of the segment.
    pub(super) fn learn_names(&mut self) {
        if let Some(route) = self.direction.route() {
            for named in &*route.map.names {
                self.view.selection.learn_name(named.clone());
            }
        }
    }
}
