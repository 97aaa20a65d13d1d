//! From block to block and from segment to segment, the newest first.

use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::Shown;
use super::forward::chain_break;
use super::route::must_be_seen;
use super::{Cursor, Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::index::{Row, Window};
use crate::format::Malformed;
use crate::log::names;
use crate::segment::{is_torn, last_block, Bad, Map, Scanner};

/// How far the log has been shown.
pub(super) struct Backward {
    map: Arc<Map>,
    /// Parts of the segment that are still to be shown, and rows of the part after them.
    parts: usize,
    rows: Option<(Arc<Window>, usize)>,
    /// The file was told of the rows from this row of this part on.
    told: (usize, usize),
    /// Everything in the segment from this offset on has been shown.
    below: u64,
    /// What is found at the end of the log, to be told once everything before it has been shown.
    verdict: Tail,
    damage: Option<Error>,
}

/// The file was told of nothing.
const NOTHING: (usize, usize) = (usize::MAX, 0);

impl Cursor {
    /// The place behind the last record.
    pub(super) fn behind_the_last(&mut self) -> Result<Backward> {
        let map = loop {
            if let Some(map) = self.enter_backward(self.snapshot.slots.len() - 1)? {
                break map;
            }
        };
        let below = map.end().unwrap_or(0);
        let (parts, verdict) = (map.parts.len(), Tail::default());
        let mut place = Backward { parts, map, rows: None, told: NOTHING, below, verdict, damage: None };
        self.expected = place.map.parts.last().map(|part| part.next_id);
        self.look_at_the_end(&mut place)?;
        Ok(place)
    }

    /// How the log ends: what a cursor that reads forward would meet there.
    fn look_at_the_end(&mut self, place: &mut Backward) -> Result<()> {
        let segment = self.segment().clone();
        let end = place.map.end().unwrap_or(segment.start);
        let live = segment.is_live();
        let (left, reason) = place.map.stopped.as_ref().map_or((0, String::new()), |stopped| stopped.1.tell());
        if left > 0 && !live && !is_torn(&segment, end, 0)? {
            place.damage = Some(Error::corrupt(reason).at_offset(&segment.path, segment.told_offset(end)));
            return Ok(());
        }
        if let Some(file) = self.snapshot.unreadable_before(self.snapshot.slots.len()) {
            place.damage = Some(file.error.clone());
            return Ok(());
        }
        let closed = last_block(&segment)?
            .is_some_and(|(at, header)| header.kind == BlockKind::Trailer && at + header.block_len() == end);
        if !live && closed && !matches!(self.source, crate::log::Source::File(..)) {
            self.learn_from_the_last_row(&place.map)?;
        }
        let successor = self.successor.take();
        // The log may have rolled since the reader was opened.
        let rolled = match &successor {
            Some(file) if !live => {
                let fresh = self.source.snapshot(&self.snapshot, self.mode)?;
                fresh.slots.iter().any(|slot| names::plain(&slot.name) == names::plain(file))
            }
            _ => false,
        };
        let (state, reason) = match (live || rolled, left, successor) {
            (true, ..) => (TailState::Live, reason),
            (false, 1.., _) => (TailState::Torn, reason),
            (false, 0, Some(file)) if self.source.is_far() => {
                (TailState::Live, format!("the log goes on in {file}, which is not here yet"))
            }
            (false, 0, Some(file)) => (TailState::Unclosed, format!("the log goes on in {file}, which is not here")),
            (false, 0, None) if closed => (TailState::Closed, reason),
            (false, 0, None) => (TailState::Unclosed, "the log was not closed: there may have been more".to_owned()),
        };
        let unread_bytes = segment.file.len().map_or(0, |len| len.saturating_sub(end));
        place.verdict = Tail {
            state,
            next_id: 0,
            path: segment.path.clone(),
            offset: segment.told_offset(end),
            unread_bytes,
            reason,
        };
        if self.mode == crate::options::ReaderMode::Strict && matches!(state, TailState::Torn | TailState::Unclosed) {
            place.damage =
                Some(Error::corrupt(&place.verdict.reason).at_offset(&segment.path, segment.told_offset(end)));
        }
        Ok(())
    }

    /// The last block with records or events of a segment that was closed tells whether the log goes on.
    fn learn_from_the_last_row(&mut self, map: &Map) -> Result<()> {
        let segment = self.segment().clone();
        let mut read = Ok(());
        // The last part may hold nothing but the trailer.
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
            // Damage comes up when the block is read.
            _ => Ok(()),
        }
    }

    fn learn_row(&mut self, row: &Row) -> Result<(), Bad> {
        let header = self.header_of(row)?;
        self.scanner.load_entries(&header)?;
        self.learn(&header)
    }

    /// The header of the block that a row tells of, which has to be as the row tells.
    fn header_of(&mut self, row: &Row) -> Result<BlockHeader, Bad> {
        self.scanner.jump_to(row);
        let header = self.scanner.header()?;
        let as_told = header.kind == BlockKind::Records
            && (header.first_id, header.count, header.block_len()) == (row.first_id, row.count, row.len);
        match as_told {
            true => Ok(header),
            false => Err(Bad::Malformed(Malformed::inconsistent("the block is not the one that the index tells of"))),
        }
    }

    /// Makes the segment current, to be read from its end; `None` when it is not there, and the places have changed.
    fn enter_backward(&mut self, at: usize) -> Result<Option<Arc<Map>>> {
        let Some(segment) = self.open_at(at)? else { return Ok(None) };
        if segment.is_compressed_whole() {
            let reason = "a file that is compressed as a whole cannot be read from its end: decompress it first";
            return Err(Error::new(Kind::Unsupported, reason).at(&segment.path));
        }
        // While this fails, the place stays where it is, for the next call to try again.
        let map = segment.mapped()?;
        self.at = at;
        self.successor = None;
        if !Arc::ptr_eq(self.scanner.segment(), &segment) {
            self.scanner.segment().forget_rows();
        }
        self.scanner = Scanner::new(segment.clone(), segment.start);
        self.selection.begin_segment();
        self.learn_map(&map);
        Ok(Some(map))
    }

    /// Learns the named types of a segment.
    fn learn_map(&mut self, map: &Map) {
        for named in &map.names {
            self.selection.learn_name(named.clone());
        }
    }

    /// Loads the block before the last one shown that may hold something wanted; false at the beginning.
    pub(super) fn advance_backward(&mut self) -> Result<bool> {
        let Some(mut place) = self.backward.take() else { return Ok(false) };
        let moved = self.step_back(&mut place);
        self.backward = Some(place);
        let any = moved?;
        if let Shown::Walk(walk) = &mut self.shown {
            // Only hits can be shown in another order.
            // Only hits can be shown in another order; that these could not be listed is damage.
            let wrong = walk.rest(&self.selection, self.scanner.entries(), 0).err().map(Bad::into_malformed);
            return Err(self.corrupt(&wrong.unwrap_or_else(Malformed::miscounted)));
        }
        if let Shown::Hits(hits, _) = &mut self.shown {
            hits.reverse();
        }
        Ok(any)
    }

    fn step_back(&mut self, place: &mut Backward) -> Result<bool> {
        loop {
            if let Some((window, left)) = &mut place.rows {
                while *left > 0 {
                    *left -= 1;
                    let row = &window.rows[*left];
                    if !self.selection.wants_row(window, row) {
                        continue;
                    }
                    if place.told > (place.parts, *left) && self.scanner.segment().file.is_far() {
                        place.told = self.announce(&place.map, (place.parts, *left), true);
                    }
                    match self.show_row(&window.clone(), row) {
                        Ok(any) => {
                            place.below = row.offset;
                            if any {
                                return Ok(true);
                            }
                        }
                        Err(Bad::Io(error)) => {
                            // The next call tries again.
                            *left += 1;
                            return Err(error);
                        }
                        Err(bad) => {
                            self.without_index(place, &bad)?;
                            break;
                        }
                    }
                }
                if place.rows.as_ref().is_some_and(|(_, left)| *left > 0) {
                    continue;
                }
                place.rows = None;
            }
            if place.parts > 0 {
                place.parts -= 1;
                let part = &place.map.parts[place.parts];
                if self.selection.wants_part(part) {
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

    fn show_row(&mut self, window: &Window, row: &Row) -> Result<bool, Bad> {
        match self.load_located(window, row) {
            Ok(true) => return Ok(true),
            Err(Bad::Io(error)) => return Err(Bad::Io(error)),
            // Read the block itself, and say what is wrong with it.
            Ok(false) | Err(_) => (),
        }
        let header = self.header_of(row)?;
        let any = self.load(&header)?;
        match self.list_shown(&header) {
            Err(Bad::Io(error)) => Err(Bad::Io(error)),
            // Damage is told behind what was shown before.
            Ok(()) | Err(_) => Ok(any),
        }
    }

    /// A block was not as the index told: once, the segment is mapped without its index, and reading goes on below what
    /// has been shown. When it was mapped so already, the segment is damaged.
    fn without_index(&mut self, place: &mut Backward, bad: &Bad) -> Result<()> {
        let end = place.below;
        place.told = NOTHING;
        if place.map.parts.iter().all(|part| part.is_held()) {
            let (_, reason) = bad.tell();
            return Err(self.corrupt(&Malformed::inconsistent(reason)));
        }
        let segment = self.segment().clone();
        let whole = segment.hopped()?;
        self.learn_map(&whole);
        place.parts = 0;
        place.rows = None;
        for (i, part) in whole.parts.iter().enumerate().take_while(|(_, part)| part.from < end) {
            let Ok(window) = segment.rows(part) else { continue };
            place.parts = i;
            place.rows = Some((window.clone(), window.rows.partition_point(|row| row.end() <= end)));
        }
        let stopped = whole.stopped.clone().filter(|stopped| stopped.0 < end);
        place.map = whole;
        match stopped {
            Some(stopped) => {
                self.scanner.jump(stopped.0);
                Err(self.corrupt(&Malformed::inconsistent(stopped.1.tell().1)))
            }
            None => Ok(()),
        }
    }

    /// Goes to the end of the segment before; false when there is none.
    fn enter_previous(&mut self, place: &mut Backward) -> Result<bool> {
        let next = self.segment().clone();
        self.check_readable(self.at)?;
        let Some(at) = self.at.checked_sub(1) else {
            return match place.damage.take() {
                Some(error) => {
                    self.fail(error.clone());
                    self.tail.path = error.path().map_or_else(PathBuf::new, |path| path.to_owned());
                    self.tail.offset = error.offset().unwrap_or(0);
                    Err(error)
                }
                None => {
                    self.tail = place.verdict.clone();
                    Ok(false)
                }
            };
        };
        // Nothing before this segment is wanted.
        if self.begins_with(&next.header) && self.snapshot.is_one_log() {
            place.parts = 0;
            self.at = 0;
            return Ok(true);
        }
        let slot = self.snapshot.slots[self.at].clone();
        let Some(map) = self.enter_backward(at)? else {
            // What was removed had come to its end: there is another before this one now, or none.
            place.parts = 0;
            return Ok(true);
        };
        let ended = self.segment().clone();
        let end = map.end().unwrap_or(ended.start);
        if ended.header.log_id == next.header.log_id {
            let expected = map.parts.last().map_or(ended.header.first_id, |part| part.next_id);
            let reason = match &map.stopped {
                Some(stopped) => Some(Malformed::inconsistent(stopped.1.tell().1)),
                None => chain_break(&ended.header, end, expected, &next),
            };
            if reason.is_some() && !std::mem::replace(&mut self.listed_again, true) {
                // A list that was made while a segment was begun may lack it.
                if let Err(error) = self.look_anew() {
                    (self.at, self.listed_again) = (at + 1, false);
                    self.scanner = Scanner::new(next.clone(), next.start);
                    return Err(error);
                }
                let back = self.snapshot.place_of(&slot);
                let back = back.unwrap_or_else(|| self.snapshot.insert(slot));
                place.map = self.enter_backward(back)?.unwrap_or_default();
                place.parts = 0;
                return Ok(true);
            }
            if let Some(reason) = reason {
                self.scanner.jump(end);
                return Err(self.corrupt(&reason));
            }
        }
        self.listed_again = false;
        place.told = NOTHING;
        place.parts = map.parts.len();
        place.rows = None;
        place.below = end;
        place.map = map;
        Ok(true)
    }
}
