//! The whole records of a block of which some pages are damaged.

use super::view::Shown;
use super::{Cursor, Tail};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::checksum::PAGE;
use crate::format::entries::Entries;
use crate::segment::{durable_end, Bad};

impl Cursor {
    /// After the cursor has stopped at the damaged block at the scanner's place: shows the wanted records of the block
    /// that come before the first damaged page in the cursor's direction. The error is reported after them. Returns
    /// false if there are none, or if the block was never durable.
    pub(super) fn show_intact(&mut self) -> bool {
        // The error of the block is known; a second failure to read it adds nothing.
        let found = self.load_intact().unwrap_or(false);
        match found {
            // The cursor has not come to its end yet.
            true => self.ending.tail = Tail::default(),
            false => self.view.shown = Shown::Nothing,
        }
        found
    }

    fn load_intact(&mut self) -> Result<bool, Bad> {
        let header = self.position.scanner.header()?;
        let has_pages = header.kind == BlockKind::Records && header.codec == 0 && self.segment().translated.is_none();
        if !has_pages || self.view.selection.headers_only() {
            return Ok(false);
        }
        // After a crash a batch is whole or absent, and it is not known which records of a block were one batch.
        let end = self.position.scanner.offset() + header.block_len();
        if durable_end(self.segment()).map_err(Bad::Io)? < end {
            return Ok(false);
        }
        self.position.scanner.check_whole(&header)?;
        self.position.scanner.load_entries(&header)?;
        let mut hits = self.hits(&header)?;
        let bad = self.position.scanner.load_damaged(&header)?;
        let (Some(first), Some(last)) = (bad.first(), bad.last()) else { return Ok(false) };
        match self.view.selection.is_newest_first() {
            true => hits.retain(|hit| hit.payload_at >= (last + 1) * PAGE),
            false => {
                hits.retain(|hit| hit.payload_at + hit.payload_len as usize <= first * PAGE);
                self.position.expected = Some(self.first_behind(&header, first * PAGE)?);
            }
        }
        let any = !hits.is_empty();
        self.view.shown = Shown::Hits(hits, 0);
        Ok(any)
    }

    /// Id of the first record, in the block whose entries are loaded, with any byte after this byte of the payload.
    fn first_behind(&self, header: &BlockHeader, end: usize) -> Result<u64, Bad> {
        for placed in Entries::new(header, self.position.scanner.entries()) {
            let placed = placed?;
            if placed.payload.end > end {
                return Ok(placed.id);
            }
        }
        Ok(header.next_id())
    }
}
