//! The whole records of a block of which some pages are damaged.

use super::cursor::Shown;
use super::{Cursor, Tail};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::checksum::PAGE;
use crate::format::entries::Progress;
use crate::record::is_event;
use crate::segment::Bad;

impl Cursor {
    /// After the cursor has stopped at the damaged block at the scanner's place: shows what is wanted of it that it comes
    /// to before the first damaged page in its direction. False when that is nothing. The error is told behind that.
    pub(super) fn show_intact(&mut self) -> bool {
        // What is wrong with the block is known; that it cannot be read once more says nothing new.
        let found = self.load_intact().unwrap_or(false);
        match found {
            // It has not come to its end yet.
            true => self.tail = Tail::default(),
            false => self.shown = Shown::Nothing,
        }
        found
    }

    fn load_intact(&mut self) -> Result<bool, Bad> {
        let header = self.scanner.header()?;
        let has_pages = header.kind == BlockKind::Records && header.codec == 0 && self.segment().translated.is_none();
        if !has_pages || self.selection.headers_only() {
            return Ok(false);
        }
        self.scanner.check_whole(&header)?;
        self.scanner.load_entries(&header)?;
        let mut hits = self.hits(&header)?;
        let bad = self.scanner.load_damaged(&header)?;
        let (Some(first), Some(last)) = (bad.first(), bad.last()) else { return Ok(false) };
        match self.selection.is_newest_first() {
            true => hits.retain(|hit| hit.payload_at >= (last + 1) * PAGE),
            false => {
                hits.retain(|hit| hit.payload_at + hit.payload_len as usize <= first * PAGE);
                self.expected = Some(self.first_behind(&header, first * PAGE)?);
            }
        }
        let any = !hits.is_empty();
        self.shown = Shown::Hits(hits, 0);
        Ok(any)
    }

    /// Id of the first record of the block, whose entries are loaded, of which something is behind this byte of the payload.
    fn first_behind(&self, header: &BlockHeader, end: usize) -> Result<u64, Bad> {
        let (mut id, mut at) = (header.first_id, 0);
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries())? {
            at += entry.payload_len as usize;
            if at > end {
                break;
            }
            id += u64::from(!is_event(entry.type_id));
        }
        Ok(id)
    }
}
