//! What an earlier writer left in a segment behind its durable end.
//!
//! The page cache shows it, but after a failed fsync that says nothing about the disk: the system has taken the pages for
//! clean, and no later fsync writes them. Whether there was one nobody can ask. So the bytes are written anew where they
//! are, before a sync may count them.

use std::sync::Arc;

use super::Segment;
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum::{self, PAGE};
use crate::format::declaration::FileHeader;
use crate::format::Malformed;
use crate::io;

/// Bytes that are read and written at a time.
const PIECE: usize = 1 << 20;

/// Bytes of a segment that no writer has seen durable.
pub(crate) struct Inherited {
    pub segment: Arc<Segment>,
    /// A block begins here, or the file.
    from: u64,
    end: u64,
}

impl Inherited {
    /// Of a segment that is known to be durable up to `durable_end`, and ends at `end`.
    pub fn new(segment: Arc<Segment>, durable_end: u64, end: u64) -> Self {
        Inherited { segment, from: durable_end, end }
    }

    /// Of a segment that is not to be written to.
    pub fn to_be_synced(segment: Arc<Segment>) -> Self {
        Inherited { segment, from: 0, end: 0 }
    }

    /// Writes the bytes anew, the same ones at the same place, so that the next sync of the file makes them durable.
    ///
    /// # Errors
    /// What the system says, and [`crate::Kind::Corrupt`] when the bytes are no longer those that were written: the
    /// system has dropped what it had not brought to the disk. They are as they were then, whatever was written.
    pub fn renew(&self) -> Result<()> {
        let mut pieces =
            Pieces { segment: &self.segment, next: self.from, end: self.end, buffer: vec![], used: 0, have: 0 };
        let start = self.segment.start;
        if self.from < start.min(self.end) {
            let mut bytes = vec![];
            pieces.each(start - self.from, |piece| bytes.extend_from_slice(piece))?;
            let same = FileHeader::decode_segment_start(&bytes).is_ok_and(|(header, _)| header == self.segment.header);
            if !same {
                return Err(self.changed(0, &Malformed::Checksum("file header")));
            }
        }
        while pieces.offset() < self.end {
            let at = pieces.offset();
            if let Some(reason) = self.block(&mut pieces)? {
                return Err(self.changed(at, &reason));
            }
        }
        Ok(())
    }

    /// Passes over a block; says what is wrong with it.
    fn block(&self, pieces: &mut Pieces<'_>) -> Result<Option<Malformed>> {
        let (marker, at) = (self.segment.header.marker, pieces.offset());
        let short = || Ok(Some(Malformed::Short("block")));
        if self.end - at < HEADER as u64 {
            return short();
        }
        let (mut head, mut filled) = ([0; HEADER], 0);
        pieces.each(HEADER as u64, |bytes| {
            head[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        })?;
        let header = match BlockHeader::decode(&head, marker, at) {
            Ok(header) if header.block_len() > self.end - at => return short(),
            Ok(header) => header,
            Err(reason) => return Ok(Some(reason)),
        };
        // What a later version's block means by its fields, only that version knows.
        if matches!(header.kind, BlockKind::Skippable(_)) {
            return pieces.each(header.block_len() - HEADER as u64, |_| ()).map(|()| None);
        }
        let (mut sum, mut sums) = (crc32fast::Hasher::new_with_initial(marker as u32), vec![]);
        let sums_len = header.checksums_len();
        let no_memory =
            |_| Error::io(&std::io::Error::from_raw_os_error(libc::ENOMEM), "read").at_offset(&self.segment.path, at);
        sums.try_reserve_exact(sums_len).map_err(no_memory)?;
        pieces.each((header.head_len() - HEADER) as u64, |bytes| {
            sum.update(bytes);
            sums.extend_from_slice(&bytes[..bytes.len().min(sums_len - sums.len())]);
        })?;
        // An index that is damaged is passed over by everybody.
        if sum.finalize() != header.meta_crc && header.kind != BlockKind::Index {
            return Ok(Some(Malformed::Checksum("list of entries of the block")));
        }
        let (mut page, mut number, mut bad) = (Vec::with_capacity(PAGE), 0, None);
        let mut left = header.payload_stored as usize;
        pieces.each(u64::from(header.payload_stored), |mut bytes| {
            while !bytes.is_empty() {
                let (now, rest) = bytes.split_at(bytes.len().min(PAGE.min(left) - page.len()));
                page.extend_from_slice(now);
                bytes = rest;
                if page.len() == PAGE.min(left) {
                    let is_good = checksum::is_page_good(marker, number, &page, checksum::of_page(&sums, number));
                    bad = bad.or((!is_good).then_some(number));
                    left -= page.len();
                    number += 1;
                    page.clear();
                }
            }
        })?;
        Ok(bad.map(|page| Malformed::Page { page }))
    }

    fn changed(&self, at: u64, reason: &Malformed) -> Error {
        let reason = format!(
            "what an earlier writer left here was in the system's memory and never on the disk, and is lost ({reason}): \
             open the log anew, which finds out what is there"
        );
        Error::corrupt(reason).at_offset(&self.segment.path, at)
    }
}

/// The bytes of a part of a file, which are written back as they are read.
struct Pieces<'a> {
    segment: &'a Segment,
    /// Offset behind what was read.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
    have: usize,
}

impl Pieces<'_> {
    /// Where the next byte is.
    fn offset(&self) -> u64 {
        self.next - (self.have - self.used) as u64
    }

    /// Shows the next `len` bytes, a part at a time.
    fn each(&mut self, mut len: u64, mut show: impl FnMut(&[u8])) -> Result<()> {
        while len > 0 {
            if self.used == self.have {
                self.renew_next()?;
            }
            let n = len.min((self.have - self.used) as u64) as usize;
            show(&self.buffer[self.used..self.used + n]);
            self.used += n;
            len -= n as u64;
        }
        Ok(())
    }

    fn renew_next(&mut self) -> Result<()> {
        let failed = |e: &std::io::Error, doing: &str, at| Error::io(e, doing).at_offset(&self.segment.path, at);
        let want = (self.end - self.next).min(PIECE as u64) as usize;
        self.buffer.resize(want, 0);
        let n = io::read_full(&*self.segment.file, &mut self.buffer, self.next)
            .map_err(|e| failed(&e, "read", self.next))?;
        if n < want || n == 0 {
            let reason = "the file has become shorter than it was when the log was opened";
            return Err(Error::corrupt(reason).at_offset(&self.segment.path, self.next + n as u64));
        }
        io::write_full(&*self.segment.file, &[&self.buffer], self.next)
            .map_err(|(done, e)| failed(&e, "write anew", self.next + done))?;
        self.next += n as u64;
        (self.used, self.have) = (0, n);
        Ok(())
    }
}
