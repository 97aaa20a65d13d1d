//! Passing over bytes that a power cut left in a segment, as the header of a later one names them.

use std::collections::HashSet;
use std::sync::Arc;

use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::Hole;
use crate::format::Malformed;
use crate::log::{Found, Snapshot};
use crate::options::{Loss, LossKind, OnLoss, ReaderMode};
use crate::segment::{is_space, Bad, Map, Segment, HOLE};

/// So many later segments are looked at where there is no block: several may have been begun before the one that names what
/// was found.
const LATER: usize = 64;

/// What a cursor knows of holes.
#[derive(Default)]
pub(super) struct Holes {
    on_loss: Option<OnLoss>,
    /// The later segments were looked at, because bytes of this one are no block.
    looked: bool,
    /// Those that were told: the segment's marker, and the offset.
    told: HashSet<(u64, u64)>,
}

impl Holes {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        Holes { on_loss, ..Holes::default() }
    }
}

impl Cursor {
    /// Learns of the holes in the segment that was just begun, as the next one names them.
    pub(super) fn begin_holes(&mut self) {
        self.holes.looked = false;
        let segment = self.segment().clone();
        self.ask_the_next(self.at, &segment);
    }

    /// Learns of the holes in the segment number `at` that the next one names. What lies on another machine is not fetched
    /// for that, and a next one that cannot be opened keeps nobody from what is before it: whoever meets a hole asks again,
    /// and whoever comes to the next one is told.
    fn ask_the_next(&self, at: usize, segment: &Segment) {
        if !segment.file.is_far() {
            let _ = self.learn_holes(at, segment, 1);
        }
    }

    /// Whether later segments name holes in the current one that were not known, now that something is wrong in it.
    pub(super) fn looks_for_holes(&mut self) -> Result<bool> {
        let segment = self.segment().clone();
        Ok(!std::mem::replace(&mut self.holes.looked, true) && self.learn_holes(self.at, &segment, LATER)?)
    }

    /// Another segment was found behind the last one.
    pub(super) fn look_for_holes_again(&mut self) {
        self.holes.looked = false;
    }

    /// Where all blocks of the segment number `at` are, but for the holes in it that later ones name.
    pub(super) fn map_past_holes(&self, at: usize, segment: &Arc<Segment>) -> Result<Arc<Map>> {
        self.ask_the_next(at, segment);
        let map = segment.mapped()?;
        match (map.stopped.is_some() || !map.holes.is_empty()) && self.learn_holes(at, segment, LATER)? {
            true => segment.mapped(),
            false => Ok(map),
        }
    }

    /// Tells of the holes in the current segment, which is read from its end, that are at this offset or behind it.
    pub(super) fn tell_holes_from(&mut self, offset: u64, map: &Map) -> Result<()> {
        let segment = self.segment().clone();
        for hole in segment.holes().iter().rev().take_while(|hole| hole.offset >= offset) {
            if !self.concerns(hole, id_behind(&segment, map, hole)) {
                continue;
            }
            if self.mode == ReaderMode::Strict {
                self.scanner.jump(hole.offset);
                return Err(self.corrupt(&Malformed::inconsistent(HOLE)));
            }
            self.tell_hole(hole);
        }
        Ok(())
    }

    /// Tells of the holes between the scanner's place and `end` over which a map of the segment leads.
    pub(super) fn tell_holes_before(&mut self, end: u64, map: &Map) -> Result<(), Bad> {
        let (segment, from) = (self.segment().clone(), self.scanner.next_offset());
        let mut passed = segment.holes().iter().filter(|hole| (from..end).contains(&hole.offset));
        passed.try_for_each(|hole| match self.concerns(hole, id_behind(&segment, map, hole)) {
            true => self.report_hole(hole),
            false => Ok(()),
        })
    }

    /// Whether a hole, behind which the record `next_id` comes, is in the range of ids that was asked for: what else the lost
    /// records were, nobody knows, so that a filter by times, types or metadata excludes no hole.
    fn concerns(&self, hole: &Hole, next_id: u64) -> bool {
        let (first, last) = (self.selection.first_id(), self.selection.last_id());
        match hole.lost() {
            Some(lost) => lost.0 <= last && first <= lost.1,
            None => (first == 0 || first < next_id) && next_id <= last,
        }
    }

    fn learn_holes(&self, at: usize, segment: &Segment, most: usize) -> Result<bool> {
        learn_holes(&self.snapshot, at, segment, most)
    }

    /// Whether nothing but space that was filled ahead comes behind the last block.
    pub(super) fn is_at_space(&self) -> Result<bool> {
        let offset = self.scanner.offset();
        Ok(offset >= self.scanner.durable_end() && is_space(self.segment(), offset)?)
    }

    /// Goes on behind a hole, and tells of it once.
    pub(super) fn pass_hole(&mut self, hole: &Hole) -> Result<(), Bad> {
        let next_id = hole.next_id(self.expected.unwrap_or(self.segment().header.first_id));
        if self.concerns(hole, next_id) {
            self.report_hole(hole)?;
        }
        self.expected = Some(next_id);
        self.sealed = false;
        Ok(())
    }

    /// Tells of a hole in the current segment; in strict mode it is an error.
    fn report_hole(&mut self, hole: &Hole) -> Result<(), Bad> {
        if self.mode == ReaderMode::Strict {
            return Err(Bad::Io(Error::corrupt(HOLE).at_offset(&self.segment().path, hole.offset)));
        }
        self.tell_hole(hole);
        Ok(())
    }

    /// Tells of a hole in the current segment, once.
    pub(super) fn tell_hole(&mut self, hole: &Hole) {
        let segment = self.segment().clone();
        let place = (segment.header.marker, hole.offset);
        if !self.holes.told.insert(place) {
            return;
        }
        if let Some(on_loss) = &self.holes.on_loss {
            let there = segment.file.len().unwrap_or(0);
            on_loss(&Loss {
                kind: LossKind::Hole,
                path: segment.path.clone(),
                offset: hole.offset,
                bytes: hole.end().min(there).saturating_sub(hole.offset),
                ids: hole.lost(),
                pages: None,
                reason: HOLE.to_owned(),
                durable: false,
            });
        }
    }
}

/// Id of the record behind a hole, as the map of the segment tells.
fn id_behind(segment: &Arc<Segment>, map: &Map, hole: &Hole) -> u64 {
    let Some(part) = map.parts.iter().find(|part| part.to >= hole.end()) else {
        return map.parts.last().map_or(segment.header.first_id, |part| part.next_id);
    };
    if part.from >= hole.end() {
        return part.first_id;
    }
    let rows = segment.rows(part).ok();
    let row = rows.as_ref().and_then(|window| window.rows.iter().find(|row| row.offset >= hole.end()));
    row.map_or(part.next_id, |row| row.first_id)
}

/// Whether later segments name holes in the segment number `at` that were not known.
pub(super) fn look_for_holes(snapshot: &Snapshot, at: usize, segment: &Segment) -> Result<bool> {
    learn_holes(snapshot, at, segment, LATER)
}

/// Takes note of the holes in the segment number `at` that one of the `most` behind it names; true when they were not known.
fn learn_holes(snapshot: &Snapshot, at: usize, segment: &Segment, most: usize) -> Result<bool> {
    if segment.translated.is_some() || segment.is_unborn {
        return Ok(false);
    }
    let mut next = None;
    for at in (at + 1..snapshot.slots.len()).take(most) {
        let later = match snapshot.open(at) {
            Ok(Found::Segment(later)) => later,
            Ok(Found::Unborn | Found::Gone) => continue,
            // Whoever comes there will be told.
            Err(error) if error.kind() == Kind::Corrupt => continue,
            Err(error) => return Err(error),
        };
        if later.header.log_id != segment.header.log_id {
            break;
        }
        if segment.learn_holes(&next.get_or_insert(later.clone()).header, &later.header) {
            return Ok(true);
        }
    }
    Ok(false)
}
