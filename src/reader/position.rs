//! The place of a cursor in a segment, and what it knows about the bytes there.

use std::sync::Arc;

use crate::error::Error;
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::Malformed;
use crate::segment::{Bad, Scanner, Segment};

/// The place in the current segment.
pub(super) struct Position {
    pub scanner: Scanner,
    /// The id that must come next in this log; `None` before the first block.
    pub expected: Option<u64>,
    /// The id after the last record of this log that was read or passed over. `expected` is greater where the records
    /// after that are lost.
    pub read_to: u64,
    /// The id that comes next although it is not the expected one: the log declares the records between them lost.
    pub acknowledged: Option<u64>,
    /// The segment that the current one names as the next.
    pub successor: Option<String>,
    /// The last block read was a TRAILER.
    pub sealed: bool,
    /// The records from here on are past the filter's range, in this log.
    pub past: bool,
    /// Offset at which a bad block was found once, to be read again before it counts as damage.
    pub suspect: Option<u64>,
    /// The end of the segment was read once more, after no writer was found to have it open, or the next one was found
    /// to have been begun.
    pub looked_again: bool,
    /// Later segments were asked for holes, because bytes of this one are no block.
    pub looked_for_holes: bool,
    /// It was announced to a file on another machine that all of it is read from here on.
    pub announced: bool,
    /// The findings about the segment's files have not been reported yet.
    pub remarks_are_due: bool,
    /// This many events before the next record were shown from another file of the segment.
    pub repeated_events: usize,
    /// Whether the segment ends with a TRAILER, once that was asked.
    pub is_closed: Option<bool>,
}

impl Position {
    /// At the beginning of this segment.
    pub fn new(segment: Arc<Segment>) -> Self {
        let start = segment.start;
        Position {
            scanner: Scanner::new(segment, start),
            expected: None,
            read_to: 0,
            acknowledged: None,
            successor: None,
            sealed: false,
            past: false,
            suspect: None,
            looked_again: false,
            looked_for_holes: false,
            announced: false,
            remarks_are_due: false,
            repeated_events: 0,
            is_closed: None,
        }
    }

    /// Goes to the beginning of this segment; the ids that come next stay.
    pub fn enter(&mut self, segment: &Arc<Segment>) {
        match Arc::ptr_eq(self.segment(), segment) {
            true => {
                self.scanner.reread();
                self.scanner.jump(segment.start);
            }
            false => {
                self.segment().forget_rows();
                self.scanner = Scanner::new(segment.clone(), segment.start);
            }
        }
        (self.acknowledged, self.successor, self.suspect) = (None, None, None);
        (self.sealed, self.looked_again, self.looked_for_holes, self.announced) = (false, false, false, false);
        (self.remarks_are_due, self.repeated_events, self.is_closed) = (true, 0, None);
    }

    pub fn segment(&self) -> &Arc<Segment> {
        self.scanner.segment()
    }

    /// Another log begins, or the same one is read again.
    pub fn forget_ids(&mut self) {
        (self.expected, self.read_to) = (None, 0);
    }

    /// The records of the block with this header were read, or passed over.
    pub fn pass_records(&mut self, header: &BlockHeader) {
        self.expected = Some(header.next_id());
        if header.count > 0 {
            self.read_to = header.next_id();
        }
    }

    /// The id that must come next.
    pub fn next_id(&self) -> u64 {
        self.expected.unwrap_or(self.segment().header.first_id)
    }

    /// The first id that can be lost here: the log declares those before it lost.
    pub fn lost_from(&self) -> u64 {
        self.next_id().max(self.acknowledged.unwrap_or(0))
    }

    /// Ids must follow each other without a gap, unless the log itself declares the gap.
    pub fn out_of_order(&self, header: &BlockHeader) -> Option<Malformed> {
        let expected = self.next_id();
        let skippable = matches!(header.kind, BlockKind::Skippable(_));
        if skippable
            || header.first_id == expected
            || (header.first_id > expected && self.acknowledged == Some(header.first_id))
        {
            return None;
        }
        Some(match header.first_id > expected {
            true => Malformed::Missing(format!("the records {expected} to {} are missing", header.first_id - 1)),
            false => Malformed::Inconsistent(format!(
                "the block begins with record {}, where {expected} should come",
                header.first_id
            )),
        })
    }

    /// The error with the place of the block at the scanner.
    pub fn placed(&self, error: Error) -> Error {
        let segment = self.segment();
        error.at_offset(&segment.path, segment.reported_offset(self.scanner.offset()))
    }

    /// Bytes of the file from the scanner's offset on, as far as that is known.
    pub fn left(&self) -> Result<u64, Bad> {
        let segment = self.segment();
        let len = segment.known_bytes().map_err(|e| Bad::Io(Error::io(&e, "stat").at(&segment.path)))?;
        Ok(len.saturating_sub(self.scanner.offset()))
    }
}
