//! Reads from block to block and from segment to segment, the newest first.

use std::path::PathBuf;
use std::sync::Arc;

use super::backward_state::Backward;
use super::direction::Direction;
use super::ending::Failure;
use super::route::must_be_seen;
use super::segments::FileState;
use super::view::Shown;
use super::{Cursor, Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::index::{Row, Window};
use crate::format::Malformed;
use crate::log::{chain_break, names};
use crate::segment::{block_at, is_torn, lacks_trailer, last_block, Bad, Hole, Map, Scanner, NO_TRAILER};

/// Nothing has been announced to the file.
const NOTHING: (usize, usize) = (usize::MAX, 0);

impl Cursor {
    /// The place after the last record.
    pub(super) fn behind_the_last(&mut self) -> Result<Backward> {
        let map = loop {
            let at = self.last_own_place();
            let Some(map) = self.enter_backward(at)? else { continue };
            let next_id = map.parts.last().map_or(self.segment().header.first_id, |part| part.next_id);
            if !self.reaches_the_end() || !self.turns_to_longer(at, next_id)? {
                break map;
            }
        };
        // Damage at the very end is reported after the blocks before it.
        let map = map.up_to_damaged_end()?.map_or(map, Arc::new);
        let below = map.end().unwrap_or(0);
        let (parts, verdict) = (map.parts.len(), Tail::default());
        let shown_from = map.parts.last().map_or(self.segment().header.first_id, |part| part.next_id);
        self.position.expected = Some(shown_from);
        let is_enough = false;
        let mut place = Backward {
            parts,
            map,
            rows: None,
            announced: NOTHING,
            below,
            shown_from,
            is_enough,
            verdict,
            damage: None,
            is_refused: false,
        };
        self.look_at_the_end(&mut place)?;
        Ok(place)
    }

    /// Finds how the log ends: what a cursor that reads forward would meet there.
    fn look_at_the_end(&mut self, place: &mut Backward) -> Result<()> {
        if !self.reaches_the_end() {
            place.verdict = self.end_of_part();
            return Ok(());
        }
        let segment = self.segment().clone();
        let end = place.map.end().unwrap_or(segment.start);
        let live = segment.is_live();
        let (left, reason) = place.map.stopped.as_ref().map_or((0, String::new()), |stopped| stopped.1.describe());
        let last = last_block(&segment)?;
        let durable_end = last.as_ref().map_or(0, |(_, header)| header.durable_end);
        // A writer at work may have completed a block since the last look.
        let is_there_now = live && block_at(&segment, end)?.is_some();
        if left > 0 && !is_there_now && !is_torn(&segment, end, 0, durable_end)? {
            place.damage = Some(Error::corrupt(reason).at_offset(&segment.path, segment.reported_offset(end)));
            return Ok(());
        }
        if let Some(file) = self.list.snapshot.unreadable_before(self.list.at + 1) {
            place.damage = Some(file.error.clone());
            return Ok(());
        }
        if let Some(reason) = self.break_behind(&segment, &place.map)? {
            place.damage = Some(segment.corrupt(end, &reason));
            return Ok(());
        }
        let closed =
            last.is_some_and(|(at, header)| header.kind == BlockKind::Trailer && at + header.block_len() == end);
        if !live && closed && self.list.source.may_go_on() {
            self.learn_from_the_last_row(&place.map)?;
        }
        if left == 0 && !live && !closed && lacks_trailer(&segment, end)? {
            place.damage = Some(Error::corrupt(NO_TRAILER).at_offset(&segment.path, end));
            return Ok(());
        }
        let successor = self.position.successor.take();
        // The log may have rolled since the reader was opened.
        let rolled = match &successor {
            // Another segment may have been given its name.
            Some(file) if !live && names::plain(file) != names::plain(&segment.name) => {
                let fresh = self.list.source.snapshot(&self.list.snapshot, self.list.mode)?;
                fresh.slots.iter().any(|slot| names::plain(&slot.name) == names::plain(file))
            }
            _ => false,
        };
        let missing_behind = || self.list.missing_behind(successor.as_deref(), 0);
        let gone = if live || rolled { None } else { missing_behind().map(|missing| missing.reason) };
        let lacks_records = gone.is_some() && !self.list.is_archive();
        let (state, reason) = match (live || rolled, left, gone) {
            (true, ..) => (TailState::Live, reason),
            (false, 1.., _) => (TailState::Torn, reason),
            (false, 0, Some(gone)) if self.list.is_archive() => (TailState::Live, gone),
            (false, 0, Some(gone)) => (TailState::Unclosed, gone),
            (false, 0, None) if closed => (TailState::Closed, reason),
            (false, 0, None) => (TailState::Unclosed, "the log was not closed: there may have been more".to_owned()),
        };
        let unread_bytes = segment.known_bytes().map_or(0, |len| len.saturating_sub(end));
        place.verdict = Tail {
            state,
            next_id: 0,
            path: segment.path.clone(),
            offset: segment.reported_offset(end),
            unread_bytes,
            reason,
            lacks_records,
        };
        if self.list.mode == crate::options::ReaderMode::Strict
            && matches!(state, TailState::Torn | TailState::Unclosed)
            && !segment.is_unborn
        {
            place.is_refused = true;
        }
        Ok(())
    }

    /// The last block with records or events of a closed segment says whether the log continues.
    fn learn_from_the_last_row(&mut self, map: &Map) -> Result<()> {
        let segment = self.segment().clone();
        let mut read = Ok(());
        // The last part may contain nothing but the trailer.
        for part in map.parts.iter().rev() {
            let window = match segment.rows(part) {
                Ok(window) => window,
                Err(bad) => {
                    read = Err(bad);
                    break;
                }
            };
            if let Some(row) = window.rows.last() {
                if must_be_seen(&window, row, &segment) {
                    read = self.learn_row(row);
                }
                break;
            }
        }
        match read {
            Err(Bad::Io(error)) => Err(error),
            // Damage is found when the block is read.
            _ => Ok(()),
        }
    }

    fn learn_row(&mut self, row: &Row) -> Result<(), Bad> {
        let header = self.header_of(row)?;
        self.position.scanner.load_entries(&header)?;
        self.learn(&header)
    }

    /// The header of the block that a row names; fails if it does not match the row.
    fn header_of(&mut self, row: &Row) -> Result<BlockHeader, Bad> {
        self.position.scanner.jump_to(row);
        let header = self.position.scanner.header()?;
        let is_as_indexed = header.kind == BlockKind::Records
            && (header.first_id, header.count, header.block_len()) == (row.first_id, row.count, row.len);
        match is_as_indexed {
            true => Ok(header),
            false => Err(Bad::Malformed(Malformed::inconsistent("the block is not the one that the index lists"))),
        }
    }

    /// Makes the segment current, to be read from its end; `None` when it is not there, and the places have changed.
    fn enter_backward(&mut self, at: usize) -> Result<Option<Arc<Map>>> {
        let Some(segment) = self.open_at(at)? else { return Ok(None) };
        if segment.is_compressed_whole() {
            let reason = "a file that is compressed as a whole cannot be read from its end: decompress it first";
            return Err(Error::new(Kind::Unsupported, reason).at(&segment.path));
        }
        // If this fails, the place stays where it is, and the next call tries again.
        let map = self.map_past_holes(at, &segment)?;
        self.list.at = at;
        self.position.remarks_are_due = true;
        self.position.successor = None;
        if !Arc::ptr_eq(self.position.scanner.segment(), &segment) {
            self.position.scanner.segment().forget_rows();
        }
        self.position.scanner = Scanner::new(segment.clone(), segment.start);
        self.view.selection.begin_segment();
        self.learn_map(&map);
        match self.pass_torn_legacy() {
            Err(Bad::Malformed(reason)) => Err(self.corrupt(&reason)),
            Err(Bad::Io(error)) => Err(error),
            Ok(()) | Err(Bad::End { .. }) => Ok(Some(map)),
        }
    }

    /// Learns the named types of a segment.
    fn learn_map(&mut self, map: &Map) {
        for named in &*map.names {
            self.view.selection.learn_name(named.clone());
        }
    }

    /// Loads the block before the last one shown that may contain something wanted; false at the beginning.
    pub(super) fn advance_backward(&mut self) -> Result<bool> {
        let Some(mut place) = self.direction.take_backward() else { return Ok(false) };
        let moved = match self.step_back(&mut place) {
            Err(error) if error.kind() == Kind::NotFound && self.list.source.is_far() => {
                self.end_where_removed(&mut place, error)
            }
            moved => moved,
        };
        self.direction = Direction::Backward(place);
        let any = moved?;
        if let Shown::Walk(walk) = &mut self.view.shown {
            // Only listed hits can be shown in another order; if they cannot be listed, that is damage.
            let wrong =
                walk.rest(&self.view.selection, self.position.scanner.entries(), 0).err().map(Bad::into_malformed);
            return Err(self.corrupt(&wrong.unwrap_or_else(Malformed::miscounted)));
        }
        if let Shown::Hits(hits, _) = &mut self.view.shown {
            hits.reverse();
        }
        Ok(any)
    }

    /// An object in a store is gone at once when it is removed. The cursor then ends there, and reports once which
    /// records it has not shown.
    fn end_where_removed(&mut self, place: &mut Backward, error: Error) -> Result<bool> {
        if !self.list.snapshot.is_one_log() {
            return Err(error);
        }
        self.relist()?;
        self.check_place()?;
        if self.list.file_state != FileState::Removed {
            return Err(error);
        }
        (place.parts, place.rows, place.is_enough) = (0, None, true);
        let missed = self.ending.wanted_from.take().and_then(|from| self.missed_between(from, place.shown_from));
        self.list.at = 0;
        match missed {
            Some(missed) => Err(missed),
            None => self.step_back(place),
        }
    }

    /// Stops at bytes that are no block.
    fn stop_at_hole(&mut self, hole: &Hole) -> Error {
        self.position.scanner.jump(hole.from);
        self.corrupt(&Malformed::inconsistent(hole.bad.describe().1))
    }

    fn step_back(&mut self, place: &mut Backward) -> Result<bool> {
        loop {
            self.report_remarks()?;
            if let Some((window, left)) = &mut place.rows {
                while *left > 0 {
                    *left -= 1;
                    let row = &window.rows[*left];
                    if !self.view.selection.wants_row(window, row) {
                        continue;
                    }
                    self.report_holes_from(row.end(), &place.map)?;
                    if place.announced > (place.parts, *left) && self.position.scanner.segment().file.is_far() {
                        place.announced = self.announce(&place.map, (place.parts, *left), true);
                    }
                    match self.show_row(&window.clone(), row) {
                        Ok(any) => {
                            (place.below, place.shown_from) = (row.offset, row.first_id);
                            if any {
                                return Ok(true);
                            }
                        }
                        Err(Bad::Io(error)) => {
                            // The next call tries again.
                            *left += 1;
                            return Err(error);
                        }
                        Err(bad) if self.turns_to_alternative(self.list.at, &bad.describe().1)? => {
                            self.go_back_again(place)?;
                            break;
                        }
                        Err(bad) => match self.without_index(place, &bad) {
                            Ok(()) => break,
                            Err(_) if self.ending.failure().is_some() && self.show_intact() => return Ok(true),
                            Err(error) => return Err(error),
                        },
                    }
                }
                if place.rows.as_ref().is_some_and(|(_, left)| *left > 0) {
                    continue;
                }
                place.rows = None;
            }
            let hole = place.map.parts.get(place.parts).and_then(|part| {
                let before = place.parts.checked_sub(1).map(|before| place.map.parts[before].next_id);
                let is_past = before.is_some_and(|next_id| next_id > self.view.selection.last_id());
                let is_wanted = !is_past && !self.view.selection.begins_at(part.first_id);
                place.map.hole_before(part.from).filter(|_| is_wanted)
            });
            if let Some(reason) = hole.map(|hole| hole.bad.describe().1) {
                if self.turns_to_alternative(self.list.at, &reason)? {
                    self.go_back_again(place)?;
                    continue;
                }
            }
            if let Some(hole) = hole {
                return Err(self.stop_at_hole(hole));
            }
            if place.parts > 0 {
                place.parts -= 1;
                let part = &place.map.parts[place.parts];
                if self.view.selection.wants_part(part) {
                    let segment = self.segment().clone();
                    match segment.rows(part) {
                        Ok(window) => {
                            place.rows = Some((window.clone(), window.rows.len()));
                        }
                        Err(Bad::Io(error)) => {
                            place.parts += 1;
                            return Err(error);
                        }
                        Err(bad) => self.without_index(place, &bad)?,
                    }
                }
            } else if !self.enter_previous(place)? {
                return Ok(false);
            }
        }
    }

    /// Enters the current segment again from its end, because its file is another one now, and shows what was not shown
    /// yet.
    fn go_back_again(&mut self, place: &mut Backward) -> Result<()> {
        let last_id = self.view.selection.last_id().min(place.shown_from.saturating_sub(1));
        self.view.selection.set_last_id(last_id);
        let map = self.enter_backward(self.list.at)?.unwrap_or_default();
        (place.announced, place.rows) = (NOTHING, None);
        (place.parts, place.below) = (map.parts.len(), map.end().unwrap_or(0));
        place.map = map;
        Ok(())
    }

    fn show_row(&mut self, window: &Window, row: &Row) -> Result<bool, Bad> {
        match self.load_located(window, row) {
            Ok(true) => return Ok(true),
            Err(Bad::Io(error)) => return Err(Bad::Io(error)),
            // Read the block itself, and report what is wrong with it.
            Ok(false) | Err(_) => (),
        }
        let header = self.header_of(row)?;
        let any = self.load(&header)?;
        match self.list_shown(&header) {
            Err(Bad::Io(error)) => Err(Bad::Io(error)),
            // Damage is reported after what was shown before it.
            Ok(()) | Err(_) => Ok(any),
        }
    }

    /// A block did not match its index. The first time, the segment is mapped without its index, and reading continues
    /// below what has been shown. If it was mapped without the index already, the segment is damaged.
    fn without_index(&mut self, place: &mut Backward, bad: &Bad) -> Result<()> {
        let end = place.below;
        place.announced = NOTHING;
        if place.map.parts.iter().all(|part| part.is_held()) {
            let (_, reason) = bad.describe();
            return Err(self.corrupt(&Malformed::inconsistent(reason)));
        }
        let segment = self.segment().clone();
        let whole = segment.hopped()?;
        self.learn_map(&whole);
        place.parts = 0;
        place.rows = None;
        for (i, part) in whole.parts.iter().enumerate().take_while(|(_, part)| part.from <= end) {
            let Ok(window) = segment.rows(part) else { continue };
            place.parts = i;
            place.rows = Some((window.clone(), window.rows.partition_point(|row| row.end() <= end)));
        }
        let stopped = whole.stopped.clone().filter(|stopped| stopped.0 < end);
        place.map = whole;
        match stopped {
            Some((offset, bad)) => {
                self.position.scanner.jump(offset);
                Err(self.corrupt(&Malformed::inconsistent(bad.describe().1)))
            }
            None => Ok(()),
        }
    }

    /// Goes to the end of the previous segment; false when there is none.
    fn enter_previous(&mut self, place: &mut Backward) -> Result<bool> {
        let next = self.segment().clone();
        self.report_holes_from(next.start, &place.map)?;
        if !place.is_enough && self.begins_with(&next.header) && self.list.snapshot.is_one_log() {
            // Nothing before this segment is wanted.
            (place.parts, place.is_enough, self.list.at) = (0, true, 0);
        }
        if !place.is_enough {
            self.check_readable(self.list.at)?;
        }
        let Some(at) = self.list.at.checked_sub(1) else {
            let first_id = next.header.first_id;
            if let Some(from) =
                self.ending.wanted_from.take().filter(|_| !place.is_enough && self.list.snapshot.is_one_log())
            {
                let may_be_wanted = self.may_be_wanted_before_the_first();
                if let Some(missed) = self.missed_between(from, first_id).filter(|_| may_be_wanted) {
                    return Err(missed);
                }
            }
            return match place.damage.take() {
                Some(error) => {
                    let path = error.path().map_or_else(PathBuf::new, |path| path.to_owned());
                    let tail = Tail { path, offset: error.offset().unwrap_or(0), ..Tail::default() };
                    Err(self.fail_with(Failure::damage(error, tail)))
                }
                None if place.is_refused => Err(self.refuse_end(place.verdict.clone())),
                None => {
                    self.ending.tail = place.verdict.clone();
                    Ok(false)
                }
            };
        };
        let slot = self.list.snapshot.slots[self.list.at].clone();
        let entered = if self.may_go_on_in(at)? { self.enter_backward(at)? } else { None };
        let Some(map) = entered else {
            // The places have changed: another segment, or none, comes before the current one now.
            place.parts = 0;
            return Ok(true);
        };
        let ended = self.segment().clone();
        let end = map.end().unwrap_or(ended.start);
        if ended.header.log_id == next.header.log_id {
            let expected = map.parts.last().map_or(ended.header.first_id, |part| part.next_id);
            let reason = match &map.stopped {
                Some((_, bad)) => Some(Malformed::inconsistent(bad.describe().1)),
                None => chain_break(&ended, end, expected, &next)?,
            };
            if reason.is_some() && !std::mem::replace(&mut self.list.listed_again, true) {
                // A list that was made while a segment was being created may lack it.
                if let Err(error) = self.relist() {
                    (self.list.at, self.list.listed_again) = (at + 1, false);
                    self.position.scanner = Scanner::new(next.clone(), next.start);
                    return Err(error);
                }
                let back = self.list.snapshot.place_of(&slot);
                let back = back.unwrap_or_else(|| self.list.snapshot.insert(slot));
                place.map = self.enter_backward(back)?.unwrap_or_default();
                place.parts = 0;
                return Ok(true);
            }
            if let Some(reason) = reason {
                if self.turns_to_alternative(at, &reason.to_string())? {
                    // Return to the segment after it, to come here again.
                    place.map = self.enter_backward(at + 1)?.unwrap_or_default();
                    place.parts = 0;
                    return Ok(true);
                }
                self.position.scanner.jump(end);
                return Err(self.corrupt(&reason));
            }
        } else if map.stopped.is_none() && !place.is_enough {
            self.learn_from_the_last_row(&map)?;
            let successor = self.position.successor.take();
            if let Some(error) = self.end_of_log_behind(end, successor.as_deref())? {
                place.damage.get_or_insert(error);
            }
        }
        self.list.listed_again = false;
        place.announced = NOTHING;
        place.parts = map.parts.len();
        place.rows = None;
        place.below = end;
        place.map = map;
        Ok(true)
    }
}
