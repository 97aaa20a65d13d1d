//! Skips bytes that a power cut left in a segment, as the header of a later segment names them.

use std::sync::Arc;

use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::Hole;
use crate::format::Malformed;
use crate::log::{SlotState, Snapshot};
use crate::options::{Loss, LossKind, ReaderMode};
use crate::segment::{is_space, Bad, Map, Segment, HOLE};

/// The number of later segments that are read where there is no block: several may have been begun before the one that
/// names what was found.
const LATER: usize = 64;

impl Cursor {
    /// Learns the holes in the segment that was just entered, as the next one names them.
    pub(super) fn begin_holes(&mut self) {
        let segment = self.segment().clone();
        self.ask_the_next(self.list.at, &segment);
    }

    /// Learns the holes in segment number `at` that the next one names. A segment on another machine is not fetched for
    /// this. A next segment that cannot be opened is no reason to stop before it: a cursor that meets a hole asks
    /// again, and the cursor that reaches the next segment reports the error.
    fn ask_the_next(&self, at: usize, segment: &Segment) {
        if !segment.file.is_far() {
            let _ = self.learn_holes(at, segment, 1);
        }
    }

    /// Whether later segments name holes in the current one that were not known, now that something is wrong in it.
    pub(super) fn looks_for_holes(&mut self) -> Result<bool> {
        let segment = self.segment().clone();
        Ok(!std::mem::replace(&mut self.position.looked_for_holes, true)
            && self.learn_holes(self.list.at, &segment, LATER)?)
    }

    /// Another segment was found after the last one.
    pub(super) fn look_for_holes_again(&mut self) {
        self.position.looked_for_holes = false;
    }

    /// Maps all blocks of segment number `at`, apart from the holes in it that later segments name.
    pub(super) fn map_past_holes(&self, at: usize, segment: &Arc<Segment>) -> Result<Arc<Map>> {
        self.ask_the_next(at, segment);
        let map = segment.mapped()?;
        match (map.stopped.is_some() || !map.holes.is_empty()) && self.learn_holes(at, segment, LATER)? {
            true => segment.mapped(),
            false => Ok(map),
        }
    }

    /// Reports the holes in the current segment, which is read from its end, that are at this offset or after it.
    pub(super) fn report_holes_from(&mut self, offset: u64, map: &Map) -> Result<()> {
        let segment = self.segment().clone();
        for hole in segment.holes().iter().rev().take_while(|hole| hole.offset >= offset) {
            if !self.concerns(hole, id_behind(&segment, map, hole)) {
                continue;
            }
            if self.list.mode == ReaderMode::Strict {
                self.position.scanner.jump(hole.offset);
                return Err(self.corrupt(&Malformed::inconsistent(HOLE)));
            }
            self.report_hole_once(hole);
        }
        Ok(())
    }

    /// Reports the holes between the scanner's place and `end` that a map of the segment skips.
    pub(super) fn report_holes_before(&mut self, end: u64, map: &Map) -> Result<(), Bad> {
        let (segment, from) = (self.segment().clone(), self.position.scanner.next_offset());
        let mut passed = segment.holes().iter().filter(|hole| (from..end).contains(&hole.offset));
        passed.try_for_each(|hole| match self.concerns(hole, id_behind(&segment, map, hole)) {
            true => self.report_hole(hole),
            false => Ok(()),
        })
    }

    /// Whether a hole, after which the record `next_id` comes, is in the wanted range of ids. Nothing else is known of
    /// the lost records, so a filter by times, types or metadata excludes no hole.
    fn concerns(&self, hole: &Hole, next_id: u64) -> bool {
        let (first, last) = (self.view.selection.first_id(), self.view.selection.last_id());
        match hole.lost() {
            Some(lost) => lost.0 <= last && first <= lost.1,
            None if self.view.selection.limit().is_some_and(|limit| first == limit.first_id) => {
                first <= next_id
                    && next_id <= self.view.selection.last_id().saturating_add(1)
                    && self.view.selection.limit().is_some_and(|limit| limit.owns(next_id))
            }
            None => (first == 0 || first < next_id) && next_id <= last,
        }
    }

    fn learn_holes(&self, at: usize, segment: &Segment, most: usize) -> Result<bool> {
        learn_holes(&self.list.snapshot, at, segment, most)
    }

    /// Whether nothing but preallocated space comes after the last block.
    pub(super) fn is_at_space(&self) -> Result<bool> {
        let offset = self.position.scanner.offset();
        Ok(offset >= self.position.scanner.durable_end() && is_space(self.segment(), offset)?)
    }

    /// Continues after a hole, and reports it once.
    pub(super) fn pass_hole(&mut self, hole: &Hole) -> Result<(), Bad> {
        let next_id = hole.next_id(self.position.next_id());
        if self.concerns(hole, next_id) {
            self.report_hole(hole)?;
        }
        self.position.expected = Some(next_id);
        self.position.sealed = false;
        Ok(())
    }

    /// Reports a hole in the current segment; in strict mode it is an error.
    fn report_hole(&mut self, hole: &Hole) -> Result<(), Bad> {
        if self.list.mode == ReaderMode::Strict {
            return Err(Bad::Io(Error::corrupt(HOLE).at_offset(&self.segment().path, hole.offset)));
        }
        self.report_hole_once(hole);
        Ok(())
    }

    /// Reports a hole in the current segment, once.
    pub(super) fn report_hole_once(&mut self, hole: &Hole) {
        let segment = self.segment().clone();
        let there = segment.file.len().unwrap_or(0);
        let loss = Loss {
            kind: LossKind::Hole,
            path: segment.path.clone(),
            offset: hole.offset,
            bytes: hole.end().min(there).saturating_sub(hole.offset),
            ids: hole.lost(),
            pages: None,
            reason: HOLE.to_owned(),
            durable: false,
        };
        self.reports.hole(segment.header.marker, &loss);
    }
}

/// Id of the record after a hole, by the map of the segment.
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

/// Whether later segments name holes in segment number `at` that were not known.
pub(super) fn look_for_holes(snapshot: &Snapshot, at: usize, segment: &Segment) -> Result<bool> {
    learn_holes(snapshot, at, segment, LATER)
}

/// Records the holes in segment number `at` that one of the `most` segments after it names; true when they were not
/// known.
fn learn_holes(snapshot: &Snapshot, at: usize, segment: &Segment, most: usize) -> Result<bool> {
    if segment.translated.is_some() || segment.is_unborn {
        return Ok(false);
    }
    let mut next = None;
    for at in (at + 1..snapshot.slots.len()).take(most) {
        let later = match snapshot.open(at) {
            Ok(SlotState::Segment(later)) => later,
            Ok(SlotState::Unborn | SlotState::Gone) => continue,
            // The reader that reaches it reports the error.
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
