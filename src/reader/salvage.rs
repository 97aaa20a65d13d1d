//! Continues after damage, and reports exactly what was lost.

use std::sync::Arc;

use super::cursor::Moved;
use super::locate::is_in_its_place;
use super::view::Shown;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::declaration::FileHeader;
use crate::format::Malformed;
use crate::log::{Missing, SlotState};
use crate::options::{Loss, LossKind};
use crate::record::Hit;
use crate::segment::{
    durable_end, is_space, is_torn, moved_at, next_block, next_moved, Bad, Moved as MovedBlock, Segment,
};

impl Cursor {
    /// Looks at the index of the segment that was entered, unless that is done.
    pub(super) fn begin_salvaging(&mut self) -> Result<()> {
        if !self.direction.salvage().is_some_and(|salvage| salvage.is_to_begin) {
            return Ok(());
        }
        let segment = self.segment().clone();
        let begun = self.begin_naming().and_then(|()| match segment.is_rescued {
            true => self.lose((0, segment.start), None, &Malformed::Beginning),
            false => Ok(()),
        });
        if let Some(salvage) = self.direction.salvage_mut() {
            // Without memory, the next call does it again.
            salvage.is_to_begin = begun.as_ref().is_err_and(|error| error.kind() == Kind::NoMemory);
        }
        begun
    }

    /// Continues when the bytes at the scanner's place are no block, or not the block that should come next.
    pub(super) fn salvage_after(&mut self, bad: Bad) -> Result<Moved> {
        let gave_up = self.direction.salvage().is_some_and(|salvage| salvage.gave_up);
        if gave_up || matches!(bad, Bad::End { left: 0 }) {
            return self.leave_segment(0, String::new());
        }
        let offset = self.position.scanner.offset();
        self.position.scanner.reread();
        // A writer at work may have completed the block since it was read.
        if self.position.suspect.replace(offset) != Some(offset) {
            self.position.scanner.segment().file.doubt();
            return Ok(Moved::Again);
        }
        match self.position.scanner.header() {
            Ok(header) => self.salvage_block(&header, bad),
            Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => Err(error),
            Err(_) => self.salvage_bytes(offset, None, bad),
        }
    }

    /// The block at the scanner's place takes more memory than one block may use, as the error says: it is skipped.
    pub(super) fn salvage_too_large(&mut self, error: &Error) -> Result<Moved> {
        let header = match self.position.scanner.header() {
            Ok(header) => header,
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => return self.salvage_after(bad),
        };
        let ids = (header.count > 0).then(|| (header.first_id, header.next_id() - 1));
        let place = (self.position.scanner.offset(), header.block_len());
        self.lose(place, ids, &Malformed::TooLarge(error.reason().to_owned()))?;
        self.position.scanner.skip(&header);
        self.position.sealed = false;
        self.position.expected = Some(header.next_id());
        Ok(Moved::Again)
    }

    /// The block's header is good; something else in it is wrong.
    fn salvage_block(&mut self, header: &BlockHeader, bad: Bad) -> Result<Moved> {
        let offset = self.position.scanner.offset();
        if let Some(reason) = self.position.out_of_order(header) {
            let expected = self.position.next_id();
            if header.first_id > expected {
                let (lost_from, lost_to) = (self.position.lost_from(), self.within_segment(header.first_id) - 1);
                self.lose((offset, 0), (lost_to >= lost_from).then_some((lost_from, lost_to)), &reason)?;
                self.position.expected = Some(header.first_id);
            } else {
                self.lose((offset, header.block_len()), None, &reason)?;
                self.position.scanner.skip(header);
            }
            return Ok(Moved::Again);
        }
        match self.position.scanner.check_whole(header) {
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_cut(header, bad),
            Ok(()) => (),
        }
        if self.is_being_written(header.block_len())? {
            return self.leave_segment(1, bad.describe().1);
        }
        // The bytes after it may be the block itself, if its header was written twice.
        if let Some(moved) = self.moved_behind(header, self.position.scanner.written_offset())? {
            let next_id = moved.header.first_id.max(header.first_id);
            let ids = (next_id > header.first_id).then(|| (header.first_id, next_id - 1));
            let reason = self.moved_reason(&moved);
            self.lose((offset, moved.offset - offset), ids, &reason)?;
            self.position.scanner.jump_moved(&moved);
            self.position.expected = Some(next_id);
            return Ok(Moved::Again);
        }
        let next_id = self.next_id_behind(header)?;
        let ids = (next_id > header.first_id).then(|| (header.first_id, next_id - 1));
        let reason = match header.kind {
            BlockKind::Index => Malformed::Index(bad.describe().1),
            _ => bad.into_malformed(),
        };
        self.lose((offset, header.block_len()), ids, &reason)?;
        self.position.scanner.skip(header);
        self.position.expected = Some(next_id);
        Ok(Moved::Again)
    }

    /// The id of the record after the block with this header, which is lost; where the two disagree, the next block
    /// decides.
    fn next_id_behind(&self, header: &BlockHeader) -> Result<u64> {
        let behind = moved_at(
            self.segment(),
            self.position.scanner.offset() + header.block_len(),
            self.position.scanner.shift(),
        )?;
        let behind = behind.filter(|next| !matches!(next.kind, BlockKind::Skippable(_)));
        let next_id = behind.map_or(header.next_id(), |next| next.first_id);
        Ok(self.within_segment(next_id).max(header.first_id))
    }

    /// The id with which records that are claimed to be lost end: those of the next segment are not among them.
    fn within_segment(&self, next_id: u64) -> u64 {
        self.end_id().map_or(next_id, |end_id| next_id.min(end_id))
    }

    /// The next block, if there is none where the damaged block with this header ends, because bytes before it are
    /// missing or were added. The next block was written at `written` or later.
    pub(super) fn moved_behind(&self, header: &BlockHeader, written: u64) -> Result<Option<MovedBlock>> {
        let (offset, shift) = (self.position.scanner.offset(), self.position.scanner.shift());
        let end = offset + header.block_len();
        if self.segment().translated.is_some() || moved_at(self.segment(), end, shift)?.is_some() {
            return Ok(None);
        }
        let next = end.wrapping_add_signed(-shift);
        let moved = next_moved(self.segment(), offset + HEADER as u64, shift, (written, next), self.end_id())?;
        Ok(moved.filter(|moved| moved.shift != shift))
    }

    /// As [`Self::moved_behind`], if the bytes are missing from this block, or were inserted into it.
    pub(super) fn moved_within(&self, header: &BlockHeader) -> Result<Option<MovedBlock>> {
        let end = self.position.scanner.offset() + header.block_len();
        let written_end = end.wrapping_add_signed(-self.position.scanner.shift());
        let moved = self.moved_behind(header, written_end)?;
        Ok(moved.filter(|moved| moved.written_at() == written_end || moved.offset < end))
    }

    /// What happened to the bytes between the scanner's place and this block.
    pub(super) fn moved_reason(&self, moved: &MovedBlock) -> Malformed {
        let by = moved.shift - self.position.scanner.shift();
        Malformed::Shifted(match (by, by.unsigned_abs()) {
            (-1, _) => "1 byte of the file is missing here".to_owned(),
            (1, _) => "1 byte too many of the file is here".to_owned(),
            (1.., bytes) => format!("{bytes} bytes too many of the file are here"),
            (_, bytes) => format!("{bytes} bytes of the file are missing here"),
        })
    }

    /// The file ends within the block, or that was reported: records whose pages are all there can be saved.
    fn salvage_cut(&mut self, header: &BlockHeader, bad: Bad) -> Result<Moved> {
        let offset = self.position.scanner.offset();
        let moved = self.moved_within(header)?;
        let followed = moved.is_none() && next_block(self.segment(), offset + 1)?.is_some();
        if followed || self.position.scanner.load_entries(header).is_err() {
            return self.salvage_bytes(offset, Some(header), bad);
        }
        if moved.is_none() && (self.is_being_written(0)? || self.look_again()) {
            return self.leave_segment(1, bad.describe().1);
        }
        let (hits, len) = match self.salvage_hits(header) {
            Ok(saved) => saved,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_bytes(offset, Some(header), bad),
        };
        match moved {
            Some(_) => self.position.scanner.skip(header),
            None => self.position.scanner.set_offset(len),
        }
        self.position.pass_records(header);
        self.position.sealed = false;
        if hits.is_empty() {
            return Ok(Moved::Again);
        }
        self.view.shown = Shown::Hits(hits, 0);
        Ok(Moved::Block)
    }

    fn salvage_hits(&mut self, header: &BlockHeader) -> Result<(Vec<Hit>, u64), Bad> {
        let hits = self.hits(header)?;
        let hits = self.load_what_is_good(header, hits)?;
        let len = self.position.scanner.offset() + self.position.left()?;
        Ok((hits, len))
    }

    /// There is no block at `offset`, or one that cannot be read and has this header: continues at the next one.
    fn salvage_bytes(&mut self, offset: u64, header: Option<&BlockHeader>, bad: Bad) -> Result<Moved> {
        let (expected, lost_from) = (self.position.next_id(), self.position.lost_from());
        let lost = |first_id: u64| (first_id > lost_from).then(|| (lost_from, first_id.saturating_sub(1)));
        let (from, shift) = (self.position.scanner.head_end(), self.position.scanner.shift());
        let (written, end_id) = (self.position.scanner.written_offset(), self.end_id());
        if let Some(next) = next_moved(self.segment(), from, shift, (written, written), end_id)? {
            let first_id = next.header.first_id;
            let reason = match next.shift == shift {
                true => bad.into_malformed(),
                false => self.moved_reason(&next),
            };
            let place = (offset.min(next.offset), next.offset.saturating_sub(offset));
            self.lose(place, lost(first_id), &reason)?;
            self.position.scanner.jump_moved(&next);
            self.position.expected = Some(first_id.max(expected));
            return Ok(Moved::Again);
        }
        if self.is_being_written(0)? || self.look_again() {
            return self.leave_segment(1, bad.describe().1);
        }
        let left = match self.position.left() {
            Ok(left) => left,
            Err(bad) => return Err(Error::corrupt(bad.describe().1)),
        };
        let stated = header.filter(|header| !matches!(header.kind, BlockKind::Skippable(_))).map(BlockHeader::next_id);
        let first_id = self.next_first_id().or(stated).unwrap_or(expected);
        self.lose((offset, left), lost(first_id), &bad.into_malformed())?;
        self.position.scanner.set_offset(offset + left);
        if let (true, Some(salvage)) =
            (self.position.scanner.segment().is_compressed_whole(), self.direction.salvage_mut())
        {
            // The damage is reported once.
            salvage.gave_up = true;
        }
        self.position.expected = Some(first_id.max(expected));
        self.position.sealed = false;
        Ok(Moved::Again)
    }

    /// Id of the first record of the next segment in the same log.
    fn next_first_id(&self) -> Option<u64> {
        self.next_segment().map(|next| next.header.first_id)
    }

    /// The id after the last record that the current segment can hold, as far as the next one shows that.
    fn end_id(&self) -> Option<u64> {
        let here = &self.segment().header;
        let next = self.next_segment().filter(|next| next.header.sequence > here.sequence)?;
        // One that takes this one's place begins with the same records.
        (!is_in_its_place(here, &next.header)).then_some(next.header.first_id)
    }

    /// The next segment in the same log. A file that cannot be opened is reported where it is read.
    fn next_segment(&self) -> Option<Arc<Segment>> {
        let next = self.list.snapshot.slots.get(self.list.at + 1)?;
        let is_ours = next.log.id == self.segment().header.log_id;
        match self.list.snapshot.open_slot(next) {
            Ok(SlotState::Segment(next)) if is_ours => Some(next),
            _ => None,
        }
    }

    /// Whether a writer is at work, and nothing follows the `len` bytes at the scanner's place: they are then not
    /// written yet, and not lost.
    fn is_being_written(&self, len: u64) -> Result<bool> {
        let from = self.position.scanner.offset() + len.max(1);
        Ok(self.segment().is_live() && next_block(self.segment(), from)?.is_none())
    }

    /// Whether the end has to be read once more: the writer may have continued, or closed the log, since it was read.
    fn look_again(&mut self) -> bool {
        let again = !self.position.looked_again && self.list.is_at_the_last();
        // Leaving the segment sets the flag.
        again && !self.segment().is_live()
    }

    /// Reports what is missing between a segment and the one that follows it.
    pub(super) fn salvage_chain(
        &mut self,
        ended: &FileHeader,
        expected: u64,
        next: &Arc<Segment>,
        reason: Malformed,
    ) -> Result<Moved> {
        let first_id = next.header.first_id;
        let offset = self.position.scanner.offset();
        // Records that were only reported lost are shown if the next segment has them.
        if next.header.sequence <= ended.sequence || first_id < self.position.read_to {
            // It repeats records that were shown: the segment is skipped.
            let durable_end = self.direction.salvage_mut().and_then(|salvage| salvage.durable_end.take());
            let bytes = next.file_len().unwrap_or_else(|| self.list.snapshot.slots[self.list.at + 1].len());
            let place = (0, bytes);
            self.lose_in(Some(next), Lost { place, block: place, ids: None, pages: None }, &reason)?;
            let repeated = self.list.snapshot.slots.remove(self.list.at + 1);
            if let Some(salvage) = self.direction.salvage_mut() {
                salvage.durable_end = durable_end;
                salvage.repeated.push(repeated.path());
            }
            self.position.looked_again = false;
            return Ok(Moved::Again);
        }
        let ids = (first_id > expected).then(|| (expected, first_id - 1));
        self.lose((offset, 0), ids, &reason)?;
        self.position.expected = Some(first_id);
        self.begin_segment(self.list.at + 1, next)?;
        Ok(Moved::Again)
    }

    /// Another log begins, whose end is judged by itself.
    pub(super) fn salvage_another_log(&mut self) {
        if let Some(salvage) = self.direction.salvage_mut() {
            salvage.reported_end = false;
        }
    }

    /// The log contained more, which is missing.
    pub(super) fn salvage_end(&mut self, missing: &Missing) -> Result<()> {
        let Some(salvage) = self.direction.salvage_mut() else { return Ok(()) };
        if std::mem::replace(&mut salvage.reported_end, true) {
            return Ok(());
        }
        // A compressed segment records its last record id, and the lock file records the ids of closed segments.
        let expected = self.position.next_id();
        let original =
            self.segment().header.original.as_ref().filter(|_| !self.position.sealed).map(|original| original.last_id);
        let original = original.filter(|&last_id| self.position.acknowledged.is_none_or(|id| id <= last_id));
        let proven = self.list.snapshot.last_id_proven(&self.list.source, self.list.at);
        let ids = original.max(proven).filter(|&last_id| expected <= last_id).map(|last_id| (expected, last_id));
        let place = (self.position.scanner.next_offset(), 0);
        let reported_to = self.direction.salvage().map_or(0, |salvage| salvage.reported_to);
        if missing.is_end_of_file && ids.is_none() && place.0 <= reported_to {
            // The damage before it was reported with everything that is lost.
            return Ok(());
        }
        self.lose(place, ids, &Malformed::Missing(missing.reason.clone()))?;
        match self.list.snapshot.unclosed_behind(&self.list.source, self.list.at).filter(|_| ids.is_some()) {
            Some(number) => {
                let more =
                    format!("segment number {number}, which is not here, held records too: nobody knows how many");
                self.lose(place, None, &Malformed::Missing(more))
            }
            None => Ok(()),
        }
    }

    pub(super) fn lose(&mut self, place: (u64, u64), ids: Option<(u64, u64)>, reason: &Malformed) -> Result<()> {
        self.lose_in(None, Lost { place, block: place, ids, pages: None }, reason)
    }

    /// The offset up to which the segment was durable, as the segment itself or others prove, counted in the file as it
    /// was written.
    fn durable_end(&self, segment: &Segment) -> Result<u64> {
        if let Some(known) = self.direction.salvage().and_then(|salvage| salvage.durable_end) {
            return Ok(known);
        }
        let by_others = match segment.path == self.segment().path {
            true => self.list.durable_end_by_others()?,
            false => 0,
        };
        Ok(durable_end(segment)?.max(by_others))
    }

    /// Reports what another segment, or the current one, has lost.
    pub(super) fn lose_in(&mut self, other: Option<&Segment>, lost: Lost, reason: &Malformed) -> Result<()> {
        if other.is_none() {
            self.look_for_names()?;
        }
        let current = self.segment().clone();
        let segment = other.unwrap_or(&current);
        let expected = self.position.next_id();
        let Lost { place: (offset, found_bytes), block, mut ids, pages } = lost;
        let mut bytes = found_bytes;
        if let Some(limit) = self.view.selection.limit() {
            // Of a loss that spans several parts, each reports its own records, and the first one the bytes.
            let own = ids.map(|ids| limit.clip(ids));
            if own == Some(None) || (own.is_none() && !limit.owns(expected)) {
                return Ok(());
            }
            if own.flatten().map(|own| own.0) != ids.map(|ids| ids.0) {
                bytes = 0;
            }
            ids = own.flatten();
        }
        let from_id = self.direction.salvage().map_or(u64::MAX, |salvage| salvage.from_id);
        if ids.map_or(expected, |(_, last)| last) < from_id {
            return Ok(());
        }
        let ids = ids.map(|(first, last)| (first.max(from_id), last));
        let durable_end = self.durable_end(segment)?;
        let Some(salvage) = self.direction.salvage_mut() else { return Ok(()) };
        salvage.durable_end = Some(durable_end);
        if other.is_none() {
            salvage.reported_to = offset + found_bytes;
        }
        let shift = self.position.scanner.shift();
        let written = offset.saturating_add_signed(-shift);
        let kind = match LossKind::of(reason) {
            LossKind::Damage if other.is_none() && self.is_torn(block, durable_end)? => LossKind::TornTail,
            kind => kind,
        };
        self.reports.loss(&Loss {
            kind,
            path: segment.path.clone(),
            offset: segment.reported_offset(offset),
            bytes,
            ids,
            pages,
            reason: reason.to_string(),
            durable: written < durable_end,
        });
        Ok(())
    }

    /// Whether these bytes, which are no whole block, are the torn tail of the log that is read.
    fn is_torn(&self, (offset, bytes): (u64, u64), durable_end: u64) -> Result<bool> {
        let segment = self.segment();
        let next = self.list.snapshot.slots.get(self.list.at + 1);
        if bytes == 0 || next.is_some_and(|next| next.log.id == segment.header.log_id) {
            return Ok(false);
        }
        let end = segment.reported_offset(offset) + bytes;
        let is_at_the_end =
            segment.file_len().is_some_and(|len| end >= len) || is_space(segment, offset + bytes).unwrap_or(false);
        Ok(is_at_the_end && is_torn(segment, offset, self.position.scanner.shift(), durable_end)?)
    }
}

/// What is lost at one place of a segment.
pub(super) struct Lost {
    /// Offset and length of the bytes that are lost.
    pub place: (u64, u64),
    /// Those of the block that the bytes are in, or of the bytes themselves.
    pub block: (u64, u64),
    /// The first and the last record.
    pub ids: Option<(u64, u64)>,
    /// The first page of the block's payload, and how many there are.
    pub pages: Option<(u64, u64)>,
}
