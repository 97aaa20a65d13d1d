//! The bytes that an earlier writer left in a segment after its durable end.
//!
//! The page cache shows them, but after a failed fsync that proves nothing about the disk: the system has marked the
//! pages as clean, and no later fsync writes them. There is no way to ask whether an fsync has failed. Therefore the
//! bytes are written anew in place before a sync may count them, and then read past the page cache: on ext4 a page
//! whose write has failed once reaches the disk only after it was evicted and read again.

use std::sync::Arc;

use super::{block_at, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum::{self, PAGE};
use crate::format::declaration::{FileHeader, Hole, SPACE};
use crate::format::Malformed;
use crate::io;

/// Bytes that are read and written at a time.
const BUFFER: usize = 1 << 20;
/// Bytes that are evicted at a time: the system evicts what is between two multiples of this, in pages of any size.
const GIVEN_UP: u64 = 4 << 20;
/// How often that is tried: another process may be using a page.
const TRIES: usize = 3;

/// Bytes of a segment that no writer has seen durable.
pub(crate) struct Inherited {
    pub segment: Arc<Segment>,
    /// A block or the file begins here.
    from: u64,
    end: u64,
    /// Runs of bytes in this range that are no blocks.
    holes: Vec<Hole>,
    /// Nothing is appended to the segment any more: zeros that were filled ahead are cut off.
    ends_here: bool,
}

impl Inherited {
    /// For a segment that is known to be durable up to `durable_end`, and ends at `end`.
    pub fn new(segment: Arc<Segment>, durable_end: u64, end: u64) -> Self {
        // A block may be damaged, so its durable end is only believed if a block begins there.
        let is_boundary = durable_end >= end || block_at(&segment, durable_end).is_ok_and(|block| block.is_some());
        let from = if durable_end >= segment.start && is_boundary { durable_end } else { 0 };
        Inherited { segment, from, end, holes: vec![], ends_here: false }
    }

    /// The same, for a segment that is followed by another: space after its end is released, which the crash left.
    pub fn without_space(self) -> Self {
        let may_have_space = self.segment.header.incompatible & SPACE != 0;
        Inherited { ends_here: may_have_space, ..self }
    }

    /// The same, for a segment in which these bytes are no blocks.
    pub fn with_holes(self, holes: Vec<Hole>) -> Self {
        Inherited { holes, ..self }
    }

    /// For a segment that must not be written to.
    pub fn to_be_synced(segment: Arc<Segment>) -> Self {
        Inherited { segment, from: 0, end: 0, holes: vec![], ends_here: false }
    }

    /// Writes the same bytes anew at the same place, for the next sync of the file.
    ///
    /// # Errors
    /// Errors of the system, and [`crate::Kind::Corrupt`] when the bytes are no longer those that were written: the
    /// system has dropped what was not on the disk yet. Whatever was written by then, the bytes are unchanged.
    pub fn renew(&self) -> Result<()> {
        self.go_through(Way::Anew)?;
        let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at_offset(&self.segment.path, self.end);
        if self.ends_here && self.segment.file.len().map_err(|e| failed(&e, "stat"))? > self.end {
            self.segment.file.set_len(self.end).map_err(|e| failed(&e, "truncate"))?;
        }
        Ok(())
    }

    /// Checks that the bytes, which were written anew and synced, are on the disk. If not, they are written once more
    /// after the system has evicted their pages. While the value that `hold_writes` returns is alive, nothing else may
    /// write to the last of these pages.
    ///
    /// # Errors
    /// As [`Self::renew`], and [`crate::Kind::Io`] when the disk does not accept the bytes.
    pub fn prove<G>(&self, hold_writes: impl Fn() -> G) -> Result<()> {
        if self.from >= self.end {
            return Ok(());
        }
        let failed = |e: std::io::Error| Error::io(&e, "read").at(&self.segment.path);
        let can_read_disk = self.segment.file.read_disk(&mut [0], self.from).map_err(failed)?.is_some();
        for _ in 0..TRIES {
            if can_read_disk && self.is_on_disk()? {
                return Ok(());
            }
            self.mend(&hold_writes)?;
            if !can_read_disk {
                return Ok(());
            }
        }
        match self.is_on_disk()? {
            true => Ok(()),
            false => {
                let reason = "what an earlier writer left here was written anew and synced, and is not on the disk";
                Err(Error::new(crate::Kind::Io, reason).at_offset(&self.segment.path, self.from))
            }
        }
    }

    fn is_on_disk(&self) -> Result<bool> {
        // A damaged index is damaged there too.
        let damaged = self.go_through(Way::Cached)?;
        Ok(self.go_through(Way::Disk).is_ok_and(|there| there == damaged))
    }

    /// Writes the bytes to pages that were evicted before. If the process is killed in the few microseconds between the
    /// two, bytes are lost that were never durable, and whose write the disk has refused.
    fn mend<G>(&self, hold_writes: impl Fn() -> G) -> Result<()> {
        let file = &self.segment.file;
        let failed = |e: &std::io::Error, doing: &str, at| Error::io(e, doing).at_offset(&self.segment.path, at);
        let sync = || file.sync_data().map_err(|e| failed(&e, "sync", self.from));
        let mut buffer = vec![];
        let mut at = self.from / GIVEN_UP * GIVEN_UP;
        while at < self.end {
            let (from, next) = (at.max(self.from), at + GIVEN_UP);
            let held = (next >= self.end).then(&hold_writes);
            // Dirty pages are not evicted.
            if held.is_some() {
                sync()?;
            }
            let len = file.len().map_err(|e| failed(&e, "stat", at))?;
            buffer.resize((next.min(len).saturating_sub(from)) as usize, 0);
            let n = io::read_full(&**file, &mut buffer, from).map_err(|e| failed(&e, "read", from))?;
            file.forget(at..next);
            io::write_full(&**file, &[&buffer[..n]], from)
                .map_err(|(done, e)| failed(&e, "write anew", from + done))?;
            at = next;
        }
        sync()
    }

    /// Verifies all of it; returns the number of damaged INDEX blocks, which readers skip.
    fn go_through(&self, way: Way) -> Result<usize> {
        let (next, end) = (self.from, self.end);
        let mut source = Source { segment: &self.segment, way, next, end, buffer: vec![], used: 0, have: 0 };
        let (start, mut damaged) = (self.segment.start, 0);
        if self.from < start.min(self.end) {
            let mut bytes = vec![];
            source.each(start - self.from, |part| bytes.extend_from_slice(part))?;
            let same = FileHeader::decode_segment_start(&bytes).is_ok_and(|(header, _)| header == self.segment.header);
            if !same {
                return Err(self.changed(0, &Malformed::Checksum("file header")));
            }
        }
        while source.offset() < self.end {
            let at = source.offset();
            if let Some(hole) = self.holes.iter().find(|hole| hole.offset == at) {
                source.each(hole.end().min(self.end) - at, |_| ())?;
                continue;
            }
            if let Some(reason) = self.block(&mut source, &mut damaged)? {
                return Err(self.changed(at, &reason));
            }
        }
        Ok(damaged)
    }

    /// Skips a block; returns what is wrong with it.
    fn block(&self, source: &mut Source<'_>, damaged: &mut usize) -> Result<Option<Malformed>> {
        let (marker, at) = (self.segment.header.marker, source.offset());
        let short = || Ok(Some(Malformed::Short("block")));
        if self.end - at < HEADER as u64 {
            return short();
        }
        let (mut head, mut filled) = ([0; HEADER], 0);
        source.each(HEADER as u64, |bytes| {
            head[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        })?;
        let header = match BlockHeader::decode(&head, marker, at) {
            Ok(header) if header.block_len() > self.end - at => return short(),
            Ok(header) => header,
            Err(reason) => return Ok(Some(reason)),
        };
        // Only a later version knows the meaning of the fields in its blocks.
        if matches!(header.kind, BlockKind::Skippable(_)) {
            return source.each(header.block_len() - HEADER as u64, |_| ()).map(|()| None);
        }
        let (mut sum, mut sums) = (crc32fast::Hasher::new_with_initial(marker as u32), vec![]);
        let sums_len = header.checksums_len();
        let no_memory =
            |_| Error::io(&std::io::Error::from_raw_os_error(libc::ENOMEM), "read").at_offset(&self.segment.path, at);
        sums.try_reserve_exact(sums_len).map_err(no_memory)?;
        source.each((header.head_len() - HEADER) as u64, |bytes| {
            sum.update(bytes);
            sums.extend_from_slice(&bytes[..bytes.len().min(sums_len - sums.len())]);
        })?;
        if sum.finalize() != header.meta_crc {
            match header.kind {
                BlockKind::Index => *damaged += 1,
                _ => return Ok(Some(Malformed::Checksum("list of entries of the block"))),
            }
        }
        let (mut page, mut number, mut bad) = (Vec::with_capacity(PAGE), 0, None);
        let mut left = header.payload_stored as usize;
        source.each(u64::from(header.payload_stored), |mut bytes| {
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

/// Where bytes are read from, and whether they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Read as the system shows them.
    Cached,
    /// Read as the system shows them, and written back.
    Anew,
    /// Read from the disk.
    Disk,
}

/// Reads the bytes of a part of a file.
struct Source<'a> {
    segment: &'a Segment,
    way: Way,
    /// The offset after what was read.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
    have: usize,
}

impl Source<'_> {
    /// The offset of the next byte.
    fn offset(&self) -> u64 {
        self.next - (self.have - self.used) as u64
    }

    /// Passes the next `len` bytes to `show`, a part at a time.
    fn each(&mut self, mut len: u64, mut show: impl FnMut(&[u8])) -> Result<()> {
        while len > 0 {
            if self.used == self.have {
                self.read_next()?;
            }
            let n = len.min((self.have - self.used) as u64) as usize;
            show(&self.buffer[self.used..self.used + n]);
            self.used += n;
            len -= n as u64;
        }
        Ok(())
    }

    fn read_next(&mut self) -> Result<()> {
        let failed = |e: &std::io::Error, doing: &str, at| Error::io(e, doing).at_offset(&self.segment.path, at);
        let want = (self.end - self.next).min(BUFFER as u64) as usize;
        self.buffer.resize(want, 0);
        let file = &self.segment.file;
        let n = match self.way {
            Way::Disk => file.read_disk(&mut self.buffer, self.next).map(Option::unwrap_or_default),
            _ => io::read_full(&**file, &mut self.buffer, self.next),
        };
        let n = n.map_err(|e| failed(&e, "read", self.next))?;
        if n < want || n == 0 {
            let reason = "the file has become shorter than it was when the log was opened";
            return Err(Error::corrupt(reason).at_offset(&self.segment.path, self.next + n as u64));
        }
        if self.way == Way::Anew {
            io::write_full(&**file, &[&self.buffer], self.next)
                .map_err(|(done, e)| failed(&e, "write anew", self.next + done))?;
        }
        self.next += n as u64;
        (self.used, self.have) = (0, n);
        Ok(())
    }
}
