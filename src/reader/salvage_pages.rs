//! Saves the records of a block whose pages are damaged in part, and reports those that are lost.

use super::salvage::Lost;
use super::Cursor;
use crate::format::block::BlockHeader;
use crate::format::checksum::PAGE;
use crate::format::entries::{Entries, Placed};
use crate::format::Malformed;
use crate::memory::{self, NoMemory};
use crate::record::{is_event, Hit};
use crate::segment::Bad;

/// Consecutive records that touch damaged pages.
struct Run {
    ids: (u64, u64),
    /// First damaged page, and how many there are.
    pages: (usize, usize),
    last_page: usize,
}

impl Cursor {
    /// Reads the payload of a block whose entries are loaded, keeps the hits that touch no damaged page, and reports
    /// all records that touch one.
    pub(super) fn load_what_is_good(&mut self, header: &BlockHeader, hits: Vec<Hit>) -> Result<Vec<Hit>, Bad> {
        let mut bad = self.position.scanner.load_damaged(header)?;
        let is_doubted = self.position.suspect == Some(self.position.scanner.offset());
        if let Some(&page) = bad.first().filter(|_| self.segment().file.is_far() && !is_doubted) {
            // The stored bytes may be good: they are fetched again, once.
            return Err(Bad::Malformed(Malformed::Page { page }));
        }
        let is_new_hole = !bad.is_empty() && self.looks_for_holes().map_err(Bad::Io)?;
        if let Some(&page) = bad.first().filter(|_| is_new_hole) {
            // The block may be within a hole, which is skipped as a whole: it is read once more.
            self.position.suspect = None;
            return Err(Bad::Malformed(Malformed::Page { page }));
        }
        let moved = if bad.is_empty() { None } else { self.moved_within(header).map_err(Bad::Io)? };
        if let Some(moved) = &moved {
            self.position.scanner.continue_at(moved.clone());
            bad = self.position.scanner.load_damaged(header)?;
        }
        if let (Some(&page), None) = (bad.first(), &moved) {
            // The whole block may come later, and only its header is here twice.
            let written = self.position.scanner.written_offset();
            let behind = self.moved_behind(header, written).map_err(Bad::Io)?;
            if behind.is_some_and(|moved| moved.written_at() == written) {
                return Err(Bad::Malformed(Malformed::Page { page }));
            }
        }
        let by = moved.as_ref().map_or(0, |moved| moved.shift - self.position.scanner.shift());
        let because = moved.as_ref().map(|moved| self.moved_reason(moved));
        let all = (header.first_id, header.next_id().saturating_sub(1));
        let payload = self.position.scanner.offset() + header.head_len() as u64;
        if header.codec != 0 && (because.is_none() || !bad.is_empty()) {
            let reason = match bad.first() {
                Some(&page) => Malformed::Page { page },
                None => match self.position.scanner.decompress_loaded(header) {
                    Ok(()) => return Ok(hits),
                    Err(Bad::Malformed(reason)) => reason,
                    Err(other) => return Err(other),
                },
            };
            let reason = because.unwrap_or(reason);
            let pages = bad.first().map(|&page| (page as u64, bad.len() as u64));
            let ids = (header.count > 0).then_some(all);
            let place = (payload, u64::from(header.payload_stored).saturating_add_signed(by));
            self.lose_within(header, place, ids, pages, &reason)?;
            return Ok(vec![]);
        }
        if let (Some(reason), true) = (&because, bad.is_empty()) {
            let place = (payload + u64::from(header.payload_stored), by.max(0) as u64);
            self.lose_within(header, place, None, None, reason)?;
            if header.codec != 0 {
                self.position.scanner.decompress_loaded(header)?;
            }
        }
        if bad.is_empty() {
            return Ok(hits);
        }
        for run in self.runs(header, &bad)? {
            let from = (run.pages.0 * PAGE) as u64;
            let to = u64::from(header.payload_stored).min(((run.last_page + 1) * PAGE) as u64);
            let pages = Some((run.pages.0 as u64, run.pages.1 as u64));
            let reason = because.clone().unwrap_or(Malformed::Page { page: run.pages.0 });
            let place = (payload + from, (to - from).saturating_add_signed(by));
            self.lose_within(header, place, Some(run.ids), pages, &reason)?;
        }
        for (first, count) in self.pages_of_events(header, &bad)? {
            let (from, to) = ((first * PAGE) as u64, ((first + count) * PAGE) as u64);
            let len = u64::from(header.payload_stored).min(to) - from;
            let place = (payload + from, len.saturating_add_signed(by));
            let reason = because.clone().unwrap_or(Malformed::Page { page: first });
            let pages = Some((first as u64, count as u64));
            self.lose_within(header, place, None, pages, &reason)?;
        }
        let good = |hit: &Hit| bad_pages(&bad, hit.payload_at, hit.payload_len as usize).is_empty();
        Ok(hits.into_iter().filter(good).collect())
    }

    /// Reports a loss within the block at the scanner's place.
    fn lose_within(
        &mut self,
        header: &BlockHeader,
        place: (u64, u64),
        ids: Option<(u64, u64)>,
        pages: Option<(u64, u64)>,
        reason: &Malformed,
    ) -> Result<(), Bad> {
        let block = (self.position.scanner.offset(), header.block_len());
        self.lose_in(None, Lost { place, block, ids, pages }, reason).map_err(Bad::Io)
    }

    /// Runs of damaged pages that no record touches, which contain the payloads of events: the first page and the
    /// number of pages of each.
    fn pages_of_events(&self, header: &BlockHeader, bad: &[usize]) -> Result<Vec<(usize, usize)>, Bad> {
        let mut alone: Vec<(usize, usize)> = vec![];
        let mut next = 0;
        let mut add = |pages: &[usize]| {
            for &page in pages {
                match alone.last_mut().filter(|(first, count)| first + count == page) {
                    Some((_, count)) => *count += 1,
                    None => memory::push(&mut alone, (page, 1))?,
                }
            }
            Ok::<(), NoMemory>(())
        };
        for placed in Entries::new(header, self.position.scanner.entries()) {
            let Placed { entry, payload, .. } = placed?;
            if !payload.is_empty() && !is_event(entry.type_id) {
                let from = bad.partition_point(|&page| page < payload.start / PAGE);
                let to = bad.partition_point(|&page| page < payload.end.div_ceil(PAGE));
                add(&bad[next..from.max(next)])?;
                next = to.max(next);
            }
        }
        add(&bad[next..])?;
        Ok(alone)
    }

    /// The records that touch damaged pages, in runs of consecutive ones.
    fn runs(&self, header: &BlockHeader, bad: &[usize]) -> Result<Vec<Run>, Bad> {
        let mut runs: Vec<Run> = vec![];
        for placed in Entries::new(header, self.position.scanner.entries()) {
            let Placed { entry, id, payload } = placed?;
            let touched = bad_pages(bad, payload.start, payload.len());
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
        }
        Ok(runs)
    }
}

/// The damaged pages, of this ordered list, that `len` bytes at `at` touch.
fn bad_pages(bad: &[usize], at: usize, len: usize) -> &[usize] {
    if len == 0 {
        return &[];
    }
    let from = bad.partition_point(|&page| page < at / PAGE);
    let to = bad.partition_point(|&page| page < (at + len).div_ceil(PAGE));
    &bad[from..to]
}
