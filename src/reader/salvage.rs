//! Going on behind damage, and telling exactly what was lost by it.

use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::{Moved, Shown};
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::BlockHeader;
use crate::format::checksum::PAGE;
use crate::format::declaration::FileHeader;
use crate::format::entries::Progress;
use crate::format::Malformed;
use crate::log::{Snapshot, Unreadable};
use crate::memory::{self, NoMemory};
use crate::options::{Loss, OnLoss};
use crate::record::{is_event, Hit};
use crate::segment::{block_at, last_block, next_block, Bad, Segment};

/// Whom a salvaging cursor tells of losses.
pub(super) struct Salvage {
    on_loss: Option<OnLoss>,
    /// Up to where the current segment says that it was durable, once that was asked.
    durable_end: Option<u64>,
    /// It was told already that segments are missing at the end.
    told_end: bool,
    /// Nothing more can be had of the current segment.
    gave_up: bool,
    /// Segments that were passed over because their records had been there before.
    repeated: Vec<PathBuf>,
}

impl Salvage {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        Salvage { on_loss, durable_end: None, told_end: false, gave_up: false, repeated: vec![] }
    }

    /// Takes the segments out that are to be passed over.
    pub fn forget_repeated(&self, snapshot: &mut Snapshot) {
        if !self.repeated.is_empty() {
            snapshot.slots.retain(|slot| !self.repeated.contains(&slot.path()));
        }
    }

    /// Tells of files in which there is nothing to salvage.
    pub fn tell_unreadable(&self, unreadable: &[Unreadable]) {
        for file in unreadable {
            if let Some(on_loss) = &self.on_loss {
                on_loss(&Loss {
                    path: file.path.clone(),
                    offset: 0,
                    bytes: file.bytes,
                    ids: None,
                    pages: None,
                    reason: file.error.reason().to_owned(),
                    durable: true,
                });
            }
        }
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
            salvage.durable_end = None;
            salvage.gave_up = false;
        }
        let segment = self.segment().clone();
        // Types that were named in a block that is lost may stand in the index still.
        if !segment.is_compressed_whole() {
            for named in &segment.indexed()?.names {
                self.selection.learn_name(named.clone());
            }
        }
        if segment.is_rescued {
            self.lose((0, segment.start), None, &Malformed::inconsistent("the beginning of the segment is damaged"))?;
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
            Err(_) => self.salvage_bytes(offset, bad),
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
        self.lose(place, ids, &Malformed::inconsistent(error.reason()))?;
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
        if self.segment().is_compressed_whole() && !matches!(bad, Bad::Malformed(_)) {
            return self.give_up(offset, bad);
        }
        match self.scanner.check_whole(header) {
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_cut(header, bad),
            Ok(()) => (),
        }
        if self.is_being_written(header.block_len())? {
            return self.leave_segment(1, bad.tell().1);
        }
        let ids = (header.count > 0).then(|| (header.first_id, header.next_id() - 1));
        self.lose((offset, header.block_len()), ids, &bad.into_malformed())?;
        self.scanner.skip(header);
        self.expected = Some(header.next_id());
        Ok(Moved::Again)
    }

    /// The file ends within the block, or is said to: records whose pages are all there can be saved.
    fn salvage_cut(&mut self, header: &BlockHeader, bad: Bad) -> Result<Moved> {
        let offset = self.scanner.offset();
        let followed = next_block(self.segment(), offset + 1)?.is_some();
        if followed || self.scanner.load_entries(header).is_err() {
            return self.salvage_bytes(offset, bad);
        }
        if self.is_being_written(0)? || self.look_again() {
            return self.leave_segment(1, bad.tell().1);
        }
        let (hits, len) = match self.salvage_hits(header) {
            Ok(saved) => saved,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return self.salvage_bytes(offset, bad),
        };
        self.scanner.stand_at(len);
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

    /// There is no block at `offset`: goes on at the next one.
    fn salvage_bytes(&mut self, offset: u64, bad: Bad) -> Result<Moved> {
        if self.segment().is_compressed_whole() {
            return self.give_up(offset, bad);
        }
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let lost = |first_id: u64| (first_id > expected).then(|| (expected, first_id.saturating_sub(1)));
        if let Some(next) = next_block(self.segment(), offset + 1)? {
            let first_id = block_at(self.segment(), next)?.map_or(expected, |header| header.first_id);
            self.lose((offset, next - offset), lost(first_id), &bad.into_malformed())?;
            self.scanner.jump(next);
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
        let first_id = self.next_first_id().unwrap_or(expected);
        self.lose((offset, left), lost(first_id), &bad.into_malformed())?;
        self.scanner.stand_at(offset + left);
        self.expected = Some(first_id.max(expected));
        self.sealed = false;
        Ok(Moved::Again)
    }

    /// A gzip or zstd file cannot be read behind the place where it is broken.
    fn give_up(&mut self, offset: u64, bad: Bad) -> Result<Moved> {
        let expected = self.expected.unwrap_or(self.segment().header.first_id);
        let first_id = self.next_first_id().unwrap_or(expected);
        let reason = match bad {
            Bad::Io(error) => Malformed::inconsistent(error.reason()),
            other => other.into_malformed(),
        };
        self.lose((offset, 0), (first_id > expected).then(|| (expected, first_id - 1)), &reason)?;
        self.expected = Some(first_id.max(expected));
        self.sealed = false;
        if let Some(salvage) = &mut self.salvage {
            salvage.gave_up = true;
        }
        self.leave_segment(0, String::new())
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

    /// The log went on in a segment that is not there.
    pub(super) fn salvage_end(&mut self, reason: &str) -> Result<()> {
        let Some(salvage) = &mut self.salvage else { return Ok(()) };
        if std::mem::replace(&mut salvage.told_end, true) {
            return Ok(());
        }
        self.lose((self.scanner.next_offset(), 0), None, &Malformed::inconsistent(reason))
    }

    /// Reads the payload of a block whose entries are loaded, keeps the hits that touch no damaged page, and tells of
    /// all records that touch one.
    pub(super) fn load_what_is_good(&mut self, header: &BlockHeader, hits: Vec<Hit>) -> Result<Vec<Hit>, Bad> {
        let bad = self.scanner.load_damaged(header)?;
        let is_doubted = self.suspect == Some(self.scanner.offset());
        if let Some(&page) = bad.first().filter(|_| self.segment().file.is_far() && !is_doubted) {
            // It may be good there: once, it is fetched again.
            return Err(Bad::Malformed(Malformed::Page { page }));
        }
        let all = (header.first_id, header.next_id().saturating_sub(1));
        let payload = self.scanner.offset() + header.head_len() as u64;
        if header.codec != 0 {
            let reason = match bad.first() {
                Some(&page) => Malformed::Page { page },
                None => match self.scanner.load_payload(header) {
                    Ok(()) => return Ok(hits),
                    Err(Bad::Malformed(reason)) => reason,
                    Err(other) => return Err(other),
                },
            };
            let pages = bad.first().map(|&page| (page as u64, bad.len() as u64));
            let ids = (header.count > 0).then_some(all);
            let place = (payload, u64::from(header.payload_stored));
            let segment = self.segment().clone();
            self.lose_in(&segment, place, ids, pages, &reason).map_err(Bad::Io)?;
            return Ok(vec![]);
        }
        if bad.is_empty() {
            return Ok(hits);
        }
        for run in self.runs(header, &bad)? {
            let from = (run.pages.0 * PAGE) as u64;
            let to = u64::from(header.payload_stored).min(((run.last_page + 1) * PAGE) as u64);
            let pages = Some((run.pages.0 as u64, run.pages.1 as u64));
            let segment = self.segment().clone();
            let reason = Malformed::Page { page: run.pages.0 };
            self.lose_in(&segment, (payload + from, to - from), Some(run.ids), pages, &reason).map_err(Bad::Io)?;
        }
        for (first, count) in self.pages_of_events(header, &bad)? {
            let (from, to) = ((first * PAGE) as u64, ((first + count) * PAGE) as u64);
            let place = (payload + from, u64::from(header.payload_stored).min(to) - from);
            let segment = self.segment().clone();
            let reason = Malformed::Page { page: first };
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

    fn lose(&mut self, place: (u64, u64), ids: Option<(u64, u64)>, reason: &Malformed) -> Result<()> {
        let segment = self.segment().clone();
        self.lose_in(&segment, place, ids, None, reason)
    }

    fn lose_in(
        &mut self,
        segment: &Segment,
        (offset, bytes): (u64, u64),
        ids: Option<(u64, u64)>,
        pages: Option<(u64, u64)>,
        reason: &Malformed,
    ) -> Result<()> {
        let Some(salvage) = &mut self.salvage else { return Ok(()) };
        let durable_end = match salvage.durable_end {
            Some(durable_end) => durable_end,
            None => last_block(segment)?.map_or(0, |(_, header)| header.durable_end),
        };
        salvage.durable_end = Some(durable_end);
        let Some(on_loss) = salvage.on_loss.clone() else { return Ok(()) };
        on_loss(&Loss {
            path: segment.path.clone(),
            offset: segment.told_offset(offset),
            bytes,
            ids,
            pages,
            reason: reason.to_string(),
            durable: offset < durable_end,
        });
        Ok(())
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
