//! Reports, once, findings that cost no record: ignored copies, files with a wrong name, and damaged files whose other
//! form is read instead.

use std::sync::Arc;

use super::view::Shown;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Entries;
use crate::log::{Remark, SlotState, Snapshot};
use crate::options::ReaderMode;
use crate::record::is_event;
use crate::segment::{last_block_inflated, Bad, Scanner, Segment};

impl Cursor {
    /// Reports the findings about the files of the current segment.
    ///
    /// # Errors
    /// In strict mode each finding is an error.
    pub(super) fn report_remarks(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.position.remarks_are_due) || self.position.past {
            return Ok(());
        }
        // Whoever reads the beginning of the segment reports them.
        if self.view.selection.limit().is_some_and(|limit| limit.first_id > self.segment().header.first_id) {
            return Ok(());
        }
        let due: Vec<Remark> = self.list.snapshot.remarks_at(self.list.at).cloned().collect();
        due.iter().try_for_each(|remark| self.remark(remark))
    }

    fn remark(&mut self, remark: &Remark) -> Result<()> {
        if self.list.mode == ReaderMode::Strict {
            let error = Error::corrupt(&remark.reason).at_offset(&remark.path, 0);
            let error = self.fail(error);
            self.ending.tail.path.clone_from(&remark.path);
            return Err(error);
        }
        self.reports.file(&remark.path, &remark.to_loss());
        Ok(())
    }

    /// Continues in another file of the current segment, when there is no block at the scanner's place. False when
    /// there is no other file, or it contains no more than was read.
    pub(super) fn takes_alternative(&mut self, bad: &Bad) -> Result<bool> {
        if matches!(bad, Bad::End { left: 0 }) {
            return Ok(false);
        }
        let had_one = self.list.snapshot.alternative(self.list.at).is_some();
        if self.goes_on_in_another(&bad.describe().1, false)? {
            return Ok(true);
        }
        // Without another file, the whole parts of the damaged block are shown.
        let is_alone = had_one && self.list.snapshot.alternative(self.list.at).is_none();
        if is_alone {
            self.position.scanner.reread();
        }
        Ok(is_alone && self.direction.is_salvage())
    }

    /// As [`Self::takes_alternative`], where the current segment ends although more was written: it was cut off where a
    /// block ends, or copied before that.
    pub(super) fn takes_longer(&mut self, reason: &str) -> Result<bool> {
        self.goes_on_in_another(reason, self.position.sealed)
    }

    /// Continues in another file, which has more than what was read, or is at least closed there, unless it `needs_more`.
    fn goes_on_in_another(&mut self, reason: &str, needs_more: bool) -> Result<bool> {
        if self.list.mode == ReaderMode::Strict || self.position.past || self.segment().is_live() {
            return Ok(false);
        }
        let expected = self.position.next_id();
        let segment = loop {
            let Some(other) = self.list.snapshot.alternative(self.list.at).cloned() else { return Ok(false) };
            match self.list.snapshot.open_slot(&other) {
                Ok(SlotState::Segment(segment)) if reaches(&segment, expected, needs_more) => break segment,
                _ => self.list.snapshot.forget_alternative(self.list.at, &other),
            }
        };
        let Some(remark) = self.take_alternative(self.list.at, reason) else { return Ok(false) };
        let shown = self.events_shown_before(expected)?;
        self.begin_segment(self.list.at, &segment)?;
        self.position.expected = Some(segment.header.first_id);
        self.view.selection.skip_ids_to(expected - 1);
        if let Some(salvage) = self.direction.salvage_mut() {
            // What the other file has lost of the records before is not lost.
            salvage.from_id = salvage.from_id.max(expected);
        }
        self.position.repeated_events = shown;
        self.remark(&remark)?;
        Ok(true)
    }

    /// How many wanted events with `id`, the id of the next record, come before the scanner's place in the segment.
    fn events_shown_before(&self, id: u64) -> Result<usize> {
        let mut scanner = Scanner::new(self.segment().clone(), self.segment().start);
        let mut count = 0;
        while scanner.offset() < self.position.scanner.offset() {
            let header = match scanner.header() {
                Ok(header) => header,
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => break,
            };
            if scanner.offset() < self.position.scanner.offset() && header.has_events() && header.next_id() == id {
                match self.count_events(&mut scanner, &header, id) {
                    Ok(more) => count += more,
                    Err(Bad::Io(error)) => return Err(error),
                    Err(_) => break,
                }
            }
            scanner.skip(&header);
        }
        Ok(count)
    }

    fn count_events(&self, scanner: &mut Scanner, header: &BlockHeader, id: u64) -> Result<usize, Bad> {
        scanner.load_entries(header)?;
        let mut count = 0;
        for placed in Entries::new(header, scanner.entries()) {
            let placed = placed?;
            let is_there = is_event(placed.entry.type_id) && placed.id == id;
            count += usize::from(is_there && self.view.selection.wants(id, &placed.entry));
        }
        Ok(count)
    }

    /// Drops the events of the loaded block that were shown from another file of the segment; false when nothing is
    /// left.
    pub(super) fn drop_repeated(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        if self.position.repeated_events == 0 || !header.has_events() {
            return Ok(true);
        }
        self.list_shown(header)?;
        let (first_id, left) = (self.view.selection.first_id(), &mut self.position.repeated_events);
        let Shown::Hits(hits, _) = &mut self.view.shown else { return Ok(true) };
        hits.retain(|hit| {
            let is_repeated = *left > 0 && hit.is_event() && hit.id == first_id;
            *left -= usize::from(is_repeated);
            !is_repeated
        });
        Ok(!hits.is_empty())
    }

    /// As [`Self::takes_alternative`], for a cursor that shows the newest first, of segment number `at` with this
    /// damage. The caller enters the segment again.
    pub(super) fn turns_to_alternative(&mut self, at: usize, reason: &str) -> Result<bool> {
        let Some(other) = self.list.snapshot.alternative(at).filter(|_| self.list.mode != ReaderMode::Strict).cloned()
        else {
            return Ok(false);
        };
        match self.list.snapshot.open_slot(&other) {
            Ok(SlotState::Segment(segment)) if segment.ends_with_trailer()? == Some(true) => (),
            _ => return Ok(false),
        }
        match self.take_alternative(at, reason) {
            Some(remark) => self.remark(&remark).map(|()| true),
            None => Ok(false),
        }
    }

    /// As [`Self::turns_to_alternative`], where the last segment ends before the record `next_id`, unless it is closed.
    pub(super) fn turns_to_longer(&mut self, at: usize, next_id: u64) -> Result<bool> {
        let closed = self.segment().ends_with_trailer()?.unwrap_or(false);
        if self.list.mode == ReaderMode::Strict || closed || self.segment().is_live() {
            return Ok(false);
        }
        while let Some(other) = self.list.snapshot.alternative(at).cloned() {
            match self.list.snapshot.open_slot(&other) {
                Ok(SlotState::Segment(segment))
                    if !segment.is_compressed_whole() && reaches(&segment, next_id, false) =>
                {
                    let remark = self.take_alternative(at, SHORT);
                    return remark.map_or(Ok(false), |remark| self.remark(&remark).map(|()| true));
                }
                _ => self.list.snapshot.forget_alternative(at, &other),
            }
        }
        Ok(false)
    }

    /// The snapshot, with the files that this cursor has read its segments from.
    pub(crate) fn read_from(&self, snapshot: &Snapshot) -> Snapshot {
        let mut snapshot = snapshot.clone();
        for slot in &mut snapshot.slots {
            if let Some(other) = self.list.instead.get(&slot.path()) {
                *slot = other.clone();
            }
        }
        snapshot
    }

    /// From now on, segment number `at`, which has this damage, is read from its other file, if there is one.
    fn take_alternative(&mut self, at: usize, damage: &str) -> Option<Remark> {
        let remark = self.list.snapshot.take_alternative(at, damage)?;
        self.list.instead.insert(remark.path.clone(), self.list.snapshot.slots[at].clone());
        Some(remark)
    }

    /// Whether the whole parts of a damaged block are shown: not while another file may contain the whole block.
    pub(super) fn saves_pages(&self) -> bool {
        self.direction.is_salvage() && self.list.snapshot.alternative(self.list.at).is_none()
    }

    /// Selects another file for segment number `at`, which cannot be opened because of this error; false when there is
    /// none.
    pub(super) fn opens_alternative(&mut self, at: usize, error: &Error) -> Result<bool> {
        if self.list.mode == ReaderMode::Strict || error.kind() != Kind::Corrupt {
            return Ok(false);
        }
        match self.take_alternative(at, error.reason()) {
            Some(remark) => self.remark(&remark).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Why another file is read where a file ends although more was written.
pub(super) const SHORT: &str = "the end of the segment is missing";

/// Whether the segment contains record `id`, or, unless it `needs_more`, was closed before it, by its last block.
fn reaches(segment: &Arc<Segment>, id: u64, needs_more: bool) -> bool {
    let is_closed = |last: &BlockHeader| last.next_id() == id && last.kind == BlockKind::Trailer && !needs_more;
    let reaches = |last: BlockHeader| last.next_id() > id || is_closed(&last);
    last_block_inflated(segment).ok().flatten().is_some_and(|(_, last)| reaches(last))
}
