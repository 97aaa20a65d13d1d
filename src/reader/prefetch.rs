//! Announces to a file on another machine what will be read, so it can fetch many spans at a time.

use std::ops::Range;

use super::route::must_be_seen;
use super::Cursor;
use crate::format::checksum::PAGE;
use crate::format::index::{Row, Window};
use crate::segment::{Map, Part};

/// Spans that are announced at a time.
const SPANS: usize = 1024;
/// After this many rows no further part of a segment is announced: the announced rows are kept until they are read.
const ROWS: usize = 4 << 10;
/// A block of more bytes than this is not fetched as a whole if a part of it may be enough.
const LARGE: u64 = 1 << 20;

impl Cursor {
    /// Announces the rest of the blocks to the file, if all of them will be read one after the other.
    pub(super) fn announce_all(&mut self) {
        if self.direction.route().is_some() {
            return;
        }
        self.position.announced = true;
        let (segment, from) = (self.position.scanner.segment(), self.position.scanner.next_offset());
        if segment.file.is_far() && !self.view.selection.headers_only() {
            if let Some(len) = segment.file.len().ok().filter(|&len| len > from) {
                segment.file.will_need(std::slice::from_ref(&(from..len)));
            }
        }
    }

    /// Announces to the file row `at` of a part of the segment and the rows after it, as far into the other parts as is
    /// useful. Returns the part and the row at which that ends: the first row that was not announced, or, newest first,
    /// the last one that was.
    pub(super) fn announce(&self, map: &Map, (part, at): (usize, usize), newest_first: bool) -> (usize, usize) {
        let segment = self.position.scanner.segment();
        let mut spans = vec![];
        let mut rows = 0;
        let mut reached = if newest_first { (part, at + 1) } else { (part, at) };
        // An error in a part is reported when the part is read.
        while let Ok(window) = segment.rows(&map.parts[reached.0]) {
            let (part, row) = (reached.0, reached.1.min(window.rows.len()));
            let count = match newest_first {
                false => self.collect(&window, window.rows[row..].iter(), &mut spans),
                true => self.collect(&window, window.rows[..row].iter().rev(), &mut spans),
            };
            reached.1 = if newest_first { row - count } else { row + count };
            rows += count;
            if self.is_enough(&spans) || rows >= ROWS {
                break;
            }
            let wanted = |part: &Part| self.view.selection.wants_part(part);
            let next = match newest_first {
                false => map.parts[part + 1..].iter().position(wanted).map(|skipped| (part + 1 + skipped, 0)),
                true => map.parts[..part].iter().rposition(wanted).map(|part| (part, usize::MAX)),
            };
            let Some(next) = next else { break };
            reached = next;
        }
        if !spans.is_empty() {
            segment.file.will_need(&spans);
        }
        reached
    }

    fn is_enough(&self, spans: &[Range<u64>]) -> bool {
        spans.len() >= SPANS || (self.view.first_only && !spans.is_empty())
    }

    /// Adds the spans that will be read for these rows, until there are enough; returns the number of rows.
    fn collect<'a>(&self, window: &Window, rows: impl Iterator<Item = &'a Row>, spans: &mut Vec<Range<u64>>) -> usize {
        let mut count = 0;
        for row in rows {
            if self.is_enough(spans) {
                break;
            }
            count += 1;
            self.spans_of(window, row, spans);
        }
        count
    }

    /// The spans that will be read of the block of this row, as in `load_located` and `load`.
    fn spans_of(&self, window: &Window, row: &Row, out: &mut Vec<Range<u64>>) {
        let headers_only = self.view.selection.headers_only();
        let head = row.offset..row.offset + u64::from(row.head_len);
        if !self.view.selection.wants_row(window, row) {
            // Its events have to be learnt.
            if must_be_seen(window, row, self.position.scanner.segment()) {
                out.push(head);
            }
            return;
        }
        let located = if row.has_events { None } else { self.view.selection.located(window, row) };
        match located.filter(|located| !located.is_empty()) {
            Some(_) if headers_only => (),
            Some(located) => out.extend(located.iter().map(|(_, located)| {
                let pages = located.pages();
                let from = head.end + (pages.start * PAGE) as u64;
                from..row.end().min(head.end + (pages.end * PAGE) as u64).max(from)
            })),
            None if headers_only || (row.len > LARGE && (self.view.first_only || self.view.selection.is_picky())) => {
                out.push(head)
            }
            None => out.push(row.offset..row.end()),
        }
    }
}
