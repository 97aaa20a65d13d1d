//! Telling, once, what costs no record: copies that are passed over, files with a wrong name, damaged ones whose other form
//! is read instead.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::Shown;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Progress;
use crate::log::{Found, Remark, Slot, Snapshot};
use crate::options::{OnLoss, ReaderMode};
use crate::record::is_event;
use crate::segment::{last_block, Bad, Scanner, Segment};

/// Whom a cursor tells, and of which files it has.
pub(super) struct Remarks {
    on_loss: Option<OnLoss>,
    told: HashSet<PathBuf>,
    /// What is read instead of damaged files.
    instead: HashMap<PathBuf, Arc<Slot>>,
    /// Those about the current segment are still to be told.
    are_due: bool,
}

impl Remarks {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        Remarks { on_loss, told: HashSet::new(), instead: HashMap::new(), are_due: false }
    }

    /// Another segment is read from here on.
    pub fn begin_segment(&mut self) {
        self.are_due = true;
    }
}

impl Cursor {
    /// Tells what there is to tell of the files of the current segment.
    ///
    /// # Errors
    /// In strict mode each of them is one.
    pub(super) fn tell_remarks(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.remarks.are_due) || self.past {
            return Ok(());
        }
        let due: Vec<Remark> = self.snapshot.remarks_at(self.at).cloned().collect();
        due.iter().try_for_each(|remark| self.remark(remark))
    }

    fn remark(&mut self, remark: &Remark) -> Result<()> {
        if self.mode == ReaderMode::Strict {
            let error = Error::corrupt(&remark.reason).at_offset(&remark.path, 0);
            let error = self.fail(error);
            self.tail.path.clone_from(&remark.path);
            return Err(error);
        }
        if let Some(on_loss) = self.remarks.on_loss.clone().filter(|_| self.remarks.told.insert(remark.path.clone())) {
            on_loss(&remark.to_loss());
        }
        Ok(())
    }

    /// Goes on in another file of the current segment, in which the scanner stands at something that is no block. False when
    /// there is none, or it holds no more than was read.
    pub(super) fn takes_alternative(&mut self, bad: &Bad) -> Result<bool> {
        let is_end = matches!(bad, Bad::End { left: 0 });
        if self.mode == ReaderMode::Strict || self.past || is_end || self.segment().is_live() {
            return Ok(false);
        }
        let Some(other) = self.snapshot.alternative(self.at).cloned() else { return Ok(false) };
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let segment = match self.snapshot.open_slot(&other) {
            Ok(Found::Segment(segment)) if reaches(&segment, expected) => segment,
            _ => {
                // What can be saved is saved of this one, then.
                self.snapshot.forget_alternative(self.at);
                self.scanner.reread();
                return Ok(self.salvage.is_some());
            }
        };
        let Some(remark) = self.take_alternative(self.at, &bad.tell().1) else { return Ok(false) };
        let shown = self.events_shown_before(expected)?;
        self.begin_segment(self.at, &segment)?;
        self.expected = Some(segment.header.first_id);
        self.selection.skip_ids_to(expected - 1);
        self.repeated_events = shown;
        self.remark(&remark)?;
        Ok(true)
    }

    /// How many wanted events with the id of the record that comes next, `id`, are before the scanner's place in the segment.
    fn events_shown_before(&self, id: u64) -> Result<usize> {
        let mut scanner = Scanner::new(self.segment().clone(), self.segment().start);
        let mut count = 0;
        while scanner.offset() < self.scanner.offset() {
            let header = match scanner.header() {
                Ok(header) => header,
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => break,
            };
            if scanner.offset() < self.scanner.offset() && header.has_events() && header.next_id() == id {
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
        let (mut progress, mut at, mut count) = (Progress::new(header.min_time), header.first_id, 0);
        while let Some(entry) = progress.next(scanner.entries())? {
            match is_event(entry.type_id) {
                true => count += usize::from(at == id && self.selection.wants(at, &entry)),
                false => at += 1,
            }
        }
        Ok(count)
    }

    /// Takes those events out of the loaded block that were shown from another file of the segment; false when nothing is left.
    pub(super) fn drop_repeated(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        if self.repeated_events == 0 || !header.has_events() {
            return Ok(true);
        }
        self.list_shown(header)?;
        let (first_id, left) = (self.selection.first_id(), &mut self.repeated_events);
        let Shown::Hits(hits, _) = &mut self.shown else { return Ok(true) };
        hits.retain(|hit| {
            let is_repeated = *left > 0 && hit.is_event() && hit.id == first_id;
            *left -= usize::from(is_repeated);
            !is_repeated
        });
        Ok(!hits.is_empty())
    }

    /// As [`Self::takes_alternative`] for a cursor that shows the newest first, of segment number `at`, which is damaged like
    /// this: it is to be entered anew.
    pub(super) fn turns_to_alternative(&mut self, at: usize, reason: &str) -> Result<bool> {
        let Some(other) = self.snapshot.alternative(at).filter(|_| self.mode != ReaderMode::Strict).cloned() else {
            return Ok(false);
        };
        match self.snapshot.open_slot(&other) {
            Ok(Found::Segment(segment)) if segment.ends_with_trailer()? == Some(true) => (),
            _ => return Ok(false),
        }
        match self.take_alternative(at, reason) {
            Some(remark) => self.remark(&remark).map(|()| true),
            None => Ok(false),
        }
    }

    /// The snapshot, with the files that this cursor has read its segments from.
    pub(crate) fn read_from(&self, snapshot: &Snapshot) -> Snapshot {
        let mut snapshot = snapshot.clone();
        for slot in &mut snapshot.slots {
            if let Some(other) = self.remarks.instead.get(&slot.path()) {
                *slot = other.clone();
            }
        }
        snapshot
    }

    /// Has the segment number `at`, which is damaged like this, read from its other file from now on, if it has one.
    fn take_alternative(&mut self, at: usize, damage: &str) -> Option<Remark> {
        let remark = self.snapshot.take_alternative(at, damage)?;
        self.remarks.instead.insert(remark.path.clone(), self.snapshot.slots[at].clone());
        Some(remark)
    }

    /// Whether what is whole of a damaged block is shown: not as long as the block may be whole in another file.
    pub(super) fn saves_pages(&self) -> bool {
        self.salvage.is_some() && self.snapshot.alternative(self.at).is_none()
    }

    /// Has the segment number `at` read from another file, when it cannot be opened because of this; false when there is
    /// none.
    pub(super) fn opens_alternative(&mut self, at: usize, error: &Error) -> Result<bool> {
        if self.mode == ReaderMode::Strict || error.kind() != Kind::Corrupt {
            return Ok(false);
        }
        match self.take_alternative(at, error.reason()) {
            Some(remark) => self.remark(&remark).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Whether the segment holds record `id`, or was closed before that, as far as its last block tells.
fn reaches(segment: &Segment, id: u64) -> bool {
    let reaches = |last: BlockHeader| last.next_id() > id || (last.next_id() == id && last.kind == BlockKind::Trailer);
    last_block(segment).ok().flatten().is_some_and(|(_, last)| reaches(last))
}
