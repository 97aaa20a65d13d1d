//! Going on behind damage, and telling exactly what was lost by it.

use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::{Moved, Shown};
use super::lost_names::LostNames;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum::PAGE;
use crate::format::declaration::FileHeader;
use crate::format::entries::Progress;
use crate::format::Malformed;
use crate::log::{Missing, Snapshot, Source};
use crate::memory::{self, NoMemory};
use crate::options::{Loss, LossKind, OnLoss};
use crate::record::{is_event, Hit};
use crate::segment::{durable_end, moved_at, next_block, next_moved, Bad, Moved as MovedBlock, Segment};

/// Whom a salvaging cursor tells of losses.
pub(super) struct Salvage {
    on_loss: Option<OnLoss>,
    /// What is lost before this id was not asked for.
    from_id: u64,
    /// Up to where the current segment says that it was durable, once that was asked.
    durable_end: Option<u64>,
    /// It was told already that segments are missing at the end of the current log.
    told_end: bool,
    /// Where the last loss in the current segment ends.
    told_to: u64,
    /// Nothing more can be had of the current segment.
    gave_up: bool,
    /// Segments that were passed over because their records had been there before.
    repeated: Vec<PathBuf>,
    pub(super) names: LostNames,
}

impl Salvage {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        Salvage {
            on_loss,
            from_id: 0,
            durable_end: None,
            told_end: false,
            told_to: 0,
            gave_up: false,
            repeated: vec![],
            names: LostNames::default(),
        }
    }

    /// Tells nothing of what is lost before this id.
    pub fn tell_from(&mut self, from_id: u64) {
        self.from_id = from_id;
    }

    /// Takes the segments out that are to be passed over.
    pub fn forget_repeated(&self, snapshot: &mut Snapshot) {
        if !self.repeated.is_empty() {
            snapshot.slots.retain(|slot| !self.repeated.contains(&slot.path()));
        }
    }

    /// Tells of files in which there is nothing to salvage.
    pub fn tell_unreadable(&self, snapshot: &Snapshot, source: &Source) -> Result<()> {
        for file in &snapshot.unreadable {
            if let Some(on_loss) = &self.on_loss {
                on_loss(&Loss {
                    kind: LossKind::of_file(file.error.kind()),
                    path: file.path.clone(),
                    offset: 0,
                    bytes: file.bytes,
                    ids: file.ids,
                    pages: None,
                    reason: file.error.reason().to_owned(),
                    durable: snapshot.was_durable(source, file)?,
                });
            }
        }
        Ok(())
    }
}

/// Records that follow each other and touch damaged pages.
struct Run {
    ids: (u64, u64),
    /// First damaged page, and how many are.
    pages: (usize, usize),
    last_page: usize,
}

impl Cursor {
    pub(super) fn begin_salvaging(&mut self) -> Result<()> {
        if let Some(salvage) = &mut self.salvage {
            (salvage.durable_end, salvage.told_to) = (None, 0);
            salvage.gave_up = false;
        }
        let segment = self.segment().clone();
        self.begin_naming()?;
        if segment.is_rescued {
            self.lose((0, segment.start), None, &Malformed::Beginning)?;
        }
        Ok(())
    }

    /// What comes next when the scanner stands at bytes that are no block, or not the one that should come.
    pub(super) fn salvage_after(&mut self, bad: Bad) -> Result<Moved> {
        let gave_up = self.salvage.as_ref().is_some_and(|salvage| salvage.gave_up);
        if gave_up || matches!(bad, Bad::End { left: 0 }) {
            return self.leave_segment(0, String::new());
        }
        let offset = self.scanner.offset();
        self.scanner.reread();
        // A writer at work may have completed the block since it was read.
        if self.suspect.replace(offset) != Some(offset) {
            self.scanner.segment().file.doubt();
            return Ok(Moved::Again);
        }
        match self.scanner.header() {
            Ok(header) => self.salvage_block(&header, bad),
            Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => Err(error),
            Err(_) => self.salvage_bytes(offset, None, bad),
        }
    }

    /// The block at the scanner's place takes more memory than may be used for one, as the error says: it is passed over.
    pub(super) fn salvage_too_large(&mut self, error: &Error) -> Result<Moved> {
        let header = match self.scanner.header() {
            Ok(header) => header,
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => return self.salvage_after(bad),
        };
        let ids = (header.count > 0).then(|| (header.first_id, header.next_id() - 1));
        let place = (self.scanner.offset(), header.block_len());
        self.lose(place, ids, &Malformed::TooLarge(error.reason().to_owned()))?;
        self.scanner.skip(&header);
        self.sealed = false;
        self.expected = Some(header.next_id());
        Ok(Moved::Again)
    }

    /// The block's header is good; something else is wrong with it.
    fn salvage_block(&mut self, header: &BlockHeader, bad: Bad) -> Result<Moved> {
        let offset = self.scanner.offset();
        if let Some(reason) = self.out_of_order(header) {
            let expected = self.expected.unwrap_or(self.segment().header.first_id);
            if header.first_id > expected {
                self.lose((offset, 0), Some((expected, header.first_id - 1)), &reason)?;
                self.expected = Some(header.first_id);
            } else {
                self.lose((offset, header.block_len()), None, &reason)?;
                self.scanner.skip(header);
            }
            return Ok(Moved::Again);
        }
        match self.scanner.check_whole(header) {
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_cut(header, bad),
            Ok(()) => (),
        }
        if self.is_being_written(header.block_len())? {
            return self.leave_segment(1, bad.tell().1);
        }
        // What is behind may be the block itself, whose header was put there twice.
        if let Some(moved) = self.moved_behind(header, self.scanner.written_offset())? {
            let next_id = moved.header.first_id.max(header.first_id);
            let ids = (next_id > header.first_id).then(|| (header.first_id, next_id - 1));
            let reason = self.tell_moved(&moved);
            self.lose((offset, moved.offset - offset), ids, &reason)?;
            self.scanner.jump_moved(&moved);
            self.expected = Some(next_id);
            return Ok(Moved::Again);
        }
        let next_id = self.next_id_behind(header)?;
        let ids = (next_id > header.first_id).then(|| (header.first_id, next_id - 1));
        let reason = match header.kind {
            BlockKind::Index => Malformed::Index(bad.tell().1),
            _ => bad.into_malformed(),
        };
        self.lose((offset, header.block_len()), ids, &reason)?;
        self.scanner.skip(header);
        self.expected = Some(next_id);
        Ok(Moved::Again)
    }

    /// The id of the record behind the block with this header, which is lost: as the next block says, where the two disagree.
    fn next_id_behind(&self, header: &BlockHeader) -> Result<u64> {
        let behind = moved_at(self.segment(), self.scanner.offset() + header.block_len(), self.scanner.shift())?;
        let behind = behind.filter(|next| !matches!(next.kind, BlockKind::Skippable(_)));
        Ok(behind.map_or(header.next_id(), |next| next.first_id.max(header.first_id)))
    }

    /// The next block, when none is where the damaged block with this header ends, because bytes are missing or too many before
    /// it; it was written at `written` or behind.
    fn moved_behind(&self, header: &BlockHeader, written: u64) -> Result<Option<MovedBlock>> {
        let (offset, shift) = (self.scanner.offset(), self.scanner.shift());
        let end = offset + header.block_len();
        if self.segment().translated.is_some() || moved_at(self.segment(), end, shift)?.is_some() {
            return Ok(None);
        }
        let moved = next_moved(self.segment(), offset + HEADER as u64, shift, written)?;
        Ok(moved.filter(|moved| moved.shift != shift))
    }

    /// As [`Self::moved_behind`], when the bytes are missing from this block, or were put into it.
    fn moved_within(&self, header: &BlockHeader) -> Result<Option<MovedBlock>> {
        let end = self.scanner.offset() + header.block_len();
        let written_end = end.wrapping_add_signed(-self.scanner.shift());
        let moved = self.moved_behind(header, written_end)?;
        Ok(moved.filter(|moved| moved.written_at() == written_end || moved.offset < end))
    }

    /// What has become of the bytes between the scanner's place and this block.
    fn tell_moved(&self, moved: &MovedBlock) -> Malformed {
        let by = moved.shift - self.scanner.shift();
        Malformed::Shifted(match (by, by.unsigned_abs()) {
            (-1, _) => "1 byte of the file is missing here".to_owned(),
            (1, _) => "1 byte too many of the file is here".to_owned(),
            (1.., bytes) => format!("{bytes} bytes too many of the file are here"),
            (_, bytes) => format!("{bytes} bytes of the file are missing here"),
        })
    }

    /// The file ends within the block, or is said to: records whose pages are all there can be saved.
    fn salvage_cut(&mut self, header: &BlockHeader, bad: Bad) -> Result<Moved> {
        let offset = self.scanner.offset();
        let moved = self.moved_within(header)?;
        let followed = moved.is_none() && next_block(self.segment(), offset + 1)?.is_some();
        if followed || self.scanner.load_entries(header).is_err() {
            return self.salvage_bytes(offset, Some(header), bad);
        }
        if moved.is_none() && (self.is_being_written(0)? || self.look_again()) {
            return self.leave_segment(1, bad.tell().1);
        }
        let (hits, len) = match self.salvage_hits(header) {
            Ok(saved) => saved,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_bytes(offset, Some(header), bad),
        };
        match moved {
            Some(_) => self.scanner.skip(header),
            None => self.scanner.stand_at(len),
        }
        self.expected = Some(header.next_id());
        self.sealed = false;
        if hits.is_empty() {
            return Ok(Moved::Again);
        }
        self.shown = Shown::Hits(hits, 0);
        Ok(Moved::Block)
    }

    fn salvage_hits(&mut self, header: &BlockHeader) -> Result<(Vec<Hit>, u64), Bad> {
        let hits = self.hits(header)?;
        let hits = self.load_what_is_good(header, hits)?;
        let len = self.scanner.offset() + self.left()?;
        Ok((hits, len))
    }

    /// There is no block at `offset`, or one that cannot be read and has this header: goes on at the next one.
    fn salvage_bytes(&mut self, offset: u64, header: Option<&BlockHeader>, bad: Bad) -> Result<Moved> {
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let lost = |first_id: u64| (first_id > expected).then(|| (expected, first_id.saturating_sub(1)));
        let (from, shift) = (self.scanner.head_end(), self.scanner.shift());
        if let Some(next) = next_moved(self.segment(), from, shift, self.scanner.written_offset())? {
            let first_id = next.header.first_id;
            let reason = match next.shift == shift {
                true => bad.into_malformed(),
                false => self.tell_moved(&next),
            };
            let place = (offset.min(next.offset), next.offset.saturating_sub(offset));
            self.lose(place, lost(first_id), &reason)?;
            self.scanner.jump_moved(&next);
            self.expected = Some(first_id.max(expected));
            return Ok(Moved::Again);
        }
        if self.is_being_written(0)? || self.look_again() {
            return self.leave_segment(1, bad.tell().1);
        }
        let left = match self.left() {
            Ok(left) => left,
            Err(bad) => return Err(Error::corrupt(bad.tell().1)),
        };
        let told = header.filter(|header| !matches!(header.kind, BlockKind::Skippable(_))).map(BlockHeader::next_id);
        let first_id = self.next_first_id().or(told).unwrap_or(expected);
        self.lose((offset, left), lost(first_id), &bad.into_malformed())?;
        self.scanner.stand_at(offset + left);
        if let (true, Some(salvage)) = (self.scanner.segment().is_compressed_whole(), &mut self.salvage) {
            // That it is broken is told once.
            salvage.gave_up = true;
        }
        self.expected = Some(first_id.max(expected));
        self.sealed = false;
        Ok(Moved::Again)
    }

    /// Id of the first record of the segment behind this one in its log.
    fn next_first_id(&self) -> Option<u64> {
        let next = self.snapshot.slots.get(self.at + 1)?;
        let known = next.known().filter(|_| next.log.id == self.segment().header.log_id)?;
        Some(known.first_id)
    }

    /// Whether a writer is at work, and nothing follows the `len` bytes at the scanner's place: then they are not there
    /// yet, and not lost.
    fn is_being_written(&self, len: u64) -> Result<bool> {
        let from = self.scanner.offset() + len.max(1);
        Ok(self.segment().is_live() && next_block(self.segment(), from)?.is_none())
    }

    /// Whether the end is to be looked at once more: the writer may have gone on, or closed, since it was read.
    fn look_again(&mut self) -> bool {
        let again = !self.looked_again && self.at + 1 == self.snapshot.slots.len();
        // Leaving the segment takes note of it.
        again && !self.segment().is_live()
    }

    /// What is missing between a segment and the one that follows it.
    pub(super) fn salvage_chain(
        &mut self,
        ended: &FileHeader,
        expected: u64,
        next: &Arc<Segment>,
        reason: Malformed,
    ) -> Result<Moved> {
        let first_id = next.header.first_id;
        let offset = self.scanner.offset();
        if next.header.sequence <= ended.sequence || first_id < expected {
            // The same records again: the segment is passed over.
            let durable_end = self.salvage.as_mut().and_then(|salvage| salvage.durable_end.take());
            self.lose_in(next, (0, next.file.len().unwrap_or(0)), None, None, &reason)?;
            let repeated = self.snapshot.slots.remove(self.at + 1);
            if let Some(salvage) = &mut self.salvage {
                salvage.durable_end = durable_end;
                salvage.repeated.push(repeated.path());
            }
            self.looked_again = false;
            return Ok(Moved::Again);
        }
        let ids = (first_id > expected).then(|| (expected, first_id - 1));
        self.lose((offset, 0), ids, &reason)?;
        self.expected = Some(first_id);
        self.begin_segment(self.at + 1, next)?;
        Ok(Moved::Again)
    }

    /// Another log begins, whose end is judged by itself.
    pub(super) fn salvage_another_log(&mut self) {
        if let Some(salvage) = &mut self.salvage {
            salvage.told_end = false;
        }
    }

    /// The log had more, which is not there.
    pub(super) fn salvage_end(&mut self, missing: &Missing) -> Result<()> {
        let Some(salvage) = &mut self.salvage else { return Ok(()) };
        if std::mem::replace(&mut salvage.told_end, true) {
            return Ok(());
        }
        // One that was compressed knows which its last record was, and the lock file what closed segments held.
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let original =
            self.segment().header.original.as_ref().filter(|_| !self.sealed).map(|original| original.last_id);
        let original = original.filter(|&last_id| self.acknowledged.is_none_or(|id| id <= last_id));
        let proven = self.snapshot.last_id_proven(&self.source, self.at);
        let ids = original.max(proven).filter(|&last_id| expected <= last_id).map(|last_id| (expected, last_id));
        let place = (self.scanner.next_offset(), 0);
        let told_to = self.salvage.as_ref().map_or(0, |salvage| salvage.told_to);
        if missing.is_end_of_file && ids.is_none() && place.0 <= told_to {
            // The damage in front of it was told with all that is lost.
            return Ok(());
        }
        self.lose(place, ids, &Malformed::Missing(missing.reason.clone()))?;
        match self.snapshot.unclosed_behind(&self.source, self.at).filter(|_| ids.is_some()) {
            Some(number) => {
                let more =
                    format!("segment number {number}, which is not here, held records too: nobody knows how many");
                self.lose(place, None, &Malformed::Missing(more))
            }
            None => Ok(()),
        }
    }

    /// Reads the payload of a block whose entries are loaded, keeps the hits that touch no damaged page, and tells of
    /// all records that touch one.
    pub(super) fn load_what_is_good(&mut self, header: &BlockHeader, hits: Vec<Hit>) -> Result<Vec<Hit>, Bad> {
        let mut bad = self.scanner.load_damaged(header)?;
        let is_doubted = self.suspect == Some(self.scanner.offset());
        if let Some(&page) = bad.first().filter(|_| self.segment().file.is_far() && !is_doubted) {
            // It may be good there: once, it is fetched again.
            return Err(Bad::Malformed(Malformed::Page { page }));
        }
        let is_new_hole = !bad.is_empty() && self.looks_for_holes().map_err(Bad::Io)?;
        if let Some(&page) = bad.first().filter(|_| is_new_hole) {
            // The block may be within a hole, which is passed over as a whole: it is looked at once more.
            self.suspect = None;
            return Err(Bad::Malformed(Malformed::Page { page }));
        }
        let moved = if bad.is_empty() { None } else { self.moved_within(header).map_err(Bad::Io)? };
        if let Some(moved) = &moved {
            self.scanner.go_on_at(moved.clone());
            bad = self.scanner.load_damaged(header)?;
        }
        if let (Some(&page), None) = (bad.first(), &moved) {
            // All of it may be behind, and only its header is here twice.
            let written = self.scanner.written_offset();
            let behind = self.moved_behind(header, written).map_err(Bad::Io)?;
            if behind.is_some_and(|moved| moved.written_at() == written) {
                return Err(Bad::Malformed(Malformed::Page { page }));
            }
        }
        let by = moved.as_ref().map_or(0, |moved| moved.shift - self.scanner.shift());
        let because = moved.as_ref().map(|moved| self.tell_moved(moved));
        let all = (header.first_id, header.next_id().saturating_sub(1));
        let payload = self.scanner.offset() + header.head_len() as u64;
        if header.codec != 0 && (because.is_none() || !bad.is_empty()) {
            let reason = match bad.first() {
                Some(&page) => Malformed::Page { page },
                None => match self.scanner.decompress_loaded(header) {
                    Ok(()) => return Ok(hits),
                    Err(Bad::Malformed(reason)) => reason,
                    Err(other) => return Err(other),
                },
            };
            let reason = because.unwrap_or(reason);
            let pages = bad.first().map(|&page| (page as u64, bad.len() as u64));
            let ids = (header.count > 0).then_some(all);
            let place = (payload, u64::from(header.payload_stored).saturating_add_signed(by));
            let segment = self.segment().clone();
            self.lose_in(&segment, place, ids, pages, &reason).map_err(Bad::Io)?;
            return Ok(vec![]);
        }
        if let (Some(reason), true) = (&because, bad.is_empty()) {
            let place = (payload + u64::from(header.payload_stored), by.max(0) as u64);
            let segment = self.segment().clone();
            self.lose_in(&segment, place, None, None, reason).map_err(Bad::Io)?;
            if header.codec != 0 {
                self.scanner.decompress_loaded(header)?;
            }
        }
        if bad.is_empty() {
            return Ok(hits);
        }
        for run in self.runs(header, &bad)? {
            let from = (run.pages.0 * PAGE) as u64;
            let to = u64::from(header.payload_stored).min(((run.last_page + 1) * PAGE) as u64);
            let pages = Some((run.pages.0 as u64, run.pages.1 as u64));
            let segment = self.segment().clone();
            let reason = because.clone().unwrap_or(Malformed::Page { page: run.pages.0 });
            let place = (payload + from, (to - from).saturating_add_signed(by));
            self.lose_in(&segment, place, Some(run.ids), pages, &reason).map_err(Bad::Io)?;
        }
        for (first, count) in self.pages_of_events(header, &bad)? {
            let (from, to) = ((first * PAGE) as u64, ((first + count) * PAGE) as u64);
            let len = u64::from(header.payload_stored).min(to) - from;
            let place = (payload + from, len.saturating_add_signed(by));
            let segment = self.segment().clone();
            let reason = because.clone().unwrap_or(Malformed::Page { page: first });
            let pages = Some((first as u64, count as u64));
            self.lose_in(&segment, place, None, pages, &reason).map_err(Bad::Io)?;
        }
        let good = |hit: &Hit| bad_pages(&bad, hit.payload_at, hit.payload_len as usize).is_empty();
        Ok(hits.into_iter().filter(good).collect())
    }

    /// Damaged pages that no record touches, which the payloads of events are on: the first and how many, those that follow
    /// each other together.
    fn pages_of_events(&self, header: &BlockHeader, bad: &[usize]) -> Result<Vec<(usize, usize)>, Bad> {
        let mut alone: Vec<(usize, usize)> = vec![];
        let (mut next, mut at) = (0, 0);
        let mut add = |pages: &[usize]| {
            for &page in pages {
                match alone.last_mut().filter(|(first, count)| first + count == page) {
                    Some((_, count)) => *count += 1,
                    None => memory::push(&mut alone, (page, 1))?,
                }
            }
            Ok::<(), NoMemory>(())
        };
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries())? {
            let len = entry.payload_len as usize;
            if len > 0 && !is_event(entry.type_id) {
                let from = bad.partition_point(|&page| page < at / PAGE);
                let to = bad.partition_point(|&page| page < (at + len).div_ceil(PAGE));
                add(&bad[next..from.max(next)])?;
                next = to.max(next);
            }
            at += len;
        }
        add(&bad[next..])?;
        Ok(alone)
    }

    /// The records that touch damaged pages, those that follow each other together.
    fn runs(&self, header: &BlockHeader, bad: &[usize]) -> Result<Vec<Run>, Bad> {
        let mut runs: Vec<Run> = vec![];
        let (mut id, mut at) = (header.first_id, 0);
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries()).map_err(Bad::from)? {
            let touched = bad_pages(bad, at, entry.payload_len as usize);
            at += entry.payload_len as usize;
            if is_event(entry.type_id) {
                continue;
            }
            if let (Some(&first), Some(&last)) = (touched.first(), touched.last()) {
                match runs.last_mut().filter(|run| run.ids.1 + 1 == id) {
                    Some(run) => {
                        run.ids.1 = id;
                        run.pages.1 += touched.iter().filter(|&&page| page > run.last_page).count();
                        run.last_page = last;
                    }
                    None => {
                        memory::push(&mut runs, Run { ids: (id, id), pages: (first, touched.len()), last_page: last })?
                    }
                }
            }
            id += 1;
        }
        Ok(runs)
    }

    pub(super) fn lose(&mut self, place: (u64, u64), ids: Option<(u64, u64)>, reason: &Malformed) -> Result<()> {
        let segment = self.segment().clone();
        self.lose_in(&segment, place, ids, None, reason)
    }

    /// Up to where the segment was durable, as it says itself or others prove, as an offset of the file as it was written.
    fn durable_end(&self, segment: &Segment) -> Result<u64> {
        if let Some(known) = self.salvage.as_ref().and_then(|salvage| salvage.durable_end) {
            return Ok(known);
        }
        let by_others = match segment.path == self.segment().path {
            true => self.snapshot.durable_end_by_others(&self.source, self.at)?,
            false => 0,
        };
        Ok(durable_end(segment)?.max(by_others))
    }

    fn lose_in(
        &mut self,
        segment: &Segment,
        (offset, bytes): (u64, u64),
        ids: Option<(u64, u64)>,
        pages: Option<(u64, u64)>,
        reason: &Malformed,
    ) -> Result<()> {
        if segment.path == self.segment().path {
            self.look_for_names()?;
        }
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        if self.salvage.as_ref().is_none_or(|salvage| ids.map_or(expected, |(_, last)| last) < salvage.from_id) {
            return Ok(());
        }
        let durable_end = self.durable_end(segment)?;
        let is_current = segment.path == self.segment().path;
        let Some(salvage) = &mut self.salvage else { return Ok(()) };
        salvage.durable_end = Some(durable_end);
        if is_current {
            salvage.told_to = offset + bytes;
        }
        let Some(on_loss) = salvage.on_loss.clone() else { return Ok(()) };
        let written = offset.saturating_add_signed(-self.scanner.shift());
        let is_torn = written >= durable_end && self.is_at_the_end(segment, segment.told_offset(offset), bytes);
        let kind = match LossKind::of(reason) {
            LossKind::Damage if is_torn => LossKind::TornTail,
            kind => kind,
        };
        on_loss(&Loss {
            kind,
            path: segment.path.clone(),
            offset: segment.told_offset(offset),
            bytes,
            ids,
            pages,
            reason: reason.to_string(),
            durable: written < durable_end,
        });
        Ok(())
    }

    /// Whether these are the last bytes of the log that is read.
    fn is_at_the_end(&self, segment: &Segment, offset: u64, bytes: u64) -> bool {
        let next = self.snapshot.slots.get(self.at + 1);
        bytes > 0
            && segment.path == self.segment().path
            && next.is_none_or(|next| next.log.id != segment.header.log_id)
            && segment.file_len().is_some_and(|len| offset + bytes >= len)
    }
}

/// Those of the damaged pages, which are in order, that `len` bytes at `at` touch.
fn bad_pages(bad: &[usize], at: usize, len: usize) -> &[usize] {
    if len == 0 {
        return &[];
    }
    let from = bad.partition_point(|&page| page < at / PAGE);
    let to = bad.partition_point(|&page| page < (at + len).div_ceil(PAGE));
    &bad[from..to]
}
