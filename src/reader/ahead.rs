//! Tells a file on another machine what is going to be read, so that many pieces are fetched at a time.

use std::ops::Range;

use super::Cursor;
use crate::format::checksum::PAGE;
use crate::format::index::{Row, Window};
use crate::segment::{Map, Part};

/// Stretches that are told of at a time.
const STRETCHES: usize = 1024;
/// Rows after which no further part of a segment is told of: those of so many are kept for when they are read.
const ROWS: usize = 4 << 10;
/// A block of more bytes than this is not fetched as a whole when a part of it may do.
const LARGE: u64 = 1 << 20;

impl Cursor {
    /// Tells the file of the rest of its blocks, if all of them are going to be read one after the other.
    pub(super) fn announce_all(&mut self) {
        if self.route.is_some() {
            return;
        }
        self.announced = true;
        let (segment, from) = (self.scanner.segment(), self.scanner.next_offset());
        if segment.file.is_far() && !self.selection.headers_only() {
            if let Some(len) = segment.file.len().ok().filter(|&len| len > from) {
                segment.file.will_need(std::slice::from_ref(&(from..len)));
            }
        }
    }

    /// Tells the file of row `at` of a part of the segment and of what comes next, as far into the other parts as is worth
    /// it. Returns the part and the row at which that ends: the first row that the file was not told of, or, newest first,
    /// the last one that it was.
    pub(super) fn announce(&self, map: &Map, (part, at): (usize, usize), newest_first: bool) -> (usize, usize) {
        let segment = self.scanner.segment();
        let mut stretches = vec![];
        let mut rows = 0;
        let mut reached = if newest_first { (part, at + 1) } else { (part, at) };
        // What is wrong with a part comes up when it is its turn.
        while let Ok(window) = segment.rows(&map.parts[reached.0]) {
            let (part, row) = (reached.0, reached.1.min(window.rows.len()));
            let told = match newest_first {
                false => self.collect(&window, window.rows[row..].iter(), &mut stretches),
                true => self.collect(&window, window.rows[..row].iter().rev(), &mut stretches),
            };
            reached.1 = if newest_first { row - told } else { row + told };
            rows += told;
            if self.is_enough(&stretches) || rows >= ROWS {
                break;
            }
            let wanted = |part: &Part| self.selection.wants_part(part);
            let next = match newest_first {
                false => map.parts[part + 1..].iter().position(wanted).map(|skipped| (part + 1 + skipped, 0)),
                true => map.parts[..part].iter().rposition(wanted).map(|part| (part, usize::MAX)),
            };
            let Some(next) = next else { break };
            reached = next;
        }
        if !stretches.is_empty() {
            segment.file.will_need(&stretches);
        }
        reached
    }

    fn is_enough(&self, stretches: &[Range<u64>]) -> bool {
        stretches.len() >= STRETCHES || (self.first_only && !stretches.is_empty())
    }

    /// Adds the stretches that these rows will have read, until they are enough; returns of how many rows.
    fn collect<'a>(
        &self,
        window: &Window,
        rows: impl Iterator<Item = &'a Row>,
        stretches: &mut Vec<Range<u64>>,
    ) -> usize {
        let mut told = 0;
        for row in rows {
            if self.is_enough(stretches) {
                break;
            }
            told += 1;
            self.stretches_of(window, row, stretches);
        }
        told
    }

    /// What is going to be read of the block of this row: as `load_located` and `load` have it.
    fn stretches_of(&self, window: &Window, row: &Row, out: &mut Vec<Range<u64>>) {
        let headers_only = self.selection.headers_only();
        let head = row.offset..row.offset + u64::from(row.head_len);
        if !self.selection.wants_row(window, row) {
            // Its events are to be learnt from.
            if super::route::must_be_seen(window, row, self.scanner.segment()) {
                out.push(head);
            }
            return;
        }
        let located = if row.has_events { None } else { self.selection.located(window, row) };
        match located.filter(|located| !located.is_empty()) {
            Some(_) if headers_only => (),
            Some(located) => out.extend(located.iter().map(|(_, located)| {
                let pages = located.pages();
                let from = head.end + (pages.start * PAGE) as u64;
                from..row.end().min(head.end + (pages.end * PAGE) as u64).max(from)
            })),
            None if headers_only || (row.len > LARGE && (self.first_only || self.selection.is_picky())) => {
                out.push(head)
            }
            None => out.push(row.offset..row.end()),
        }
    }
}
