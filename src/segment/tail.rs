//! Finds blocks in the bytes of a segment by their marker, and distinguishes damage from a torn tail, which a crash
//! leaves and of which nothing was promised.

use std::sync::Arc;

use memchr::memmem;

use super::{reading, Scanner, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum::{self, PAGE};
use crate::format::declaration::SPACE;
use crate::format::{trailer, Malformed};
use crate::io;
use crate::memory;

const WINDOW: usize = 256 << 10;
/// Bytes of a marker that may be before a window while the rest is in it.
const OVERLAP: usize = 7;
/// A block is searched for no farther from where it was written than this, or than the length of its file if that is
/// more.
const NEAR: u64 = 1 << 20;

/// What follows bytes that are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nothing of the segment.
    Nothing,
    /// A block, at this offset.
    Block(u64),
    /// At this offset, bytes that were a block at another place: bytes were removed or inserted before them. No crash
    /// causes that.
    Moved(u64),
}

/// Whether the bad bytes at `offset`, behind blocks that are moved by `shift`, are a torn tail: they start where nothing
/// was known to be durable yet, and nothing of the segment follows them.
pub(crate) fn is_torn(segment: &Segment, offset: u64, shift: i64, durable_end: u64) -> Result<bool> {
    if let Some(translated) = &segment.translated {
        return Ok(translated.is_torn());
    }
    Ok(may_be_lost(segment, offset, shift, durable_end)? && behind(segment, offset, shift)? == Behind::Nothing)
}

/// Whether a crash may have left the bad bytes at `offset`, given that the segment states that it was durable up to
/// `durable_end`.
pub(super) fn may_be_lost(segment: &Segment, offset: u64, shift: i64, durable_end: u64) -> Result<bool> {
    // A later version's block is not lost, and nobody writes to a file that is compressed as a whole.
    if offset.saturating_add_signed(-shift) < durable_end
        || segment.is_compressed_whole()
        || matches!(header_at(segment, offset)?, Err(Malformed::Newer(_)))
    {
        return Ok(false);
    }
    Ok(!lacks_trailer(segment, offset)?)
}

/// Whether a segment that was compressed or recovered has no TRAILER before `offset`, where it ends or is damaged.
/// Everything up to its first TRAILER was durable before it got its name, so something is missing then.
pub(crate) fn lacks_trailer(segment: &Segment, offset: u64) -> Result<bool> {
    let header = &segment.header;
    let was_made_at_once = header.original.is_some() || header.recovered.is_some();
    Ok(was_made_at_once && !segment.is_rescued && !is_closed_before(segment, offset)?)
}

/// Whether there is a TRAILER among the blocks before `offset`.
fn is_closed_before(segment: &Segment, offset: u64) -> Result<bool> {
    if segment.has_trailer() {
        return Ok(true);
    }
    let mut at = segment.start;
    while at < offset {
        if let Some(hole) = segment.hole_at(at) {
            at = hole.end();
            continue;
        }
        match block_at(segment, at)? {
            Some(header) if header.kind == BlockKind::Trailer => {
                segment.saw_trailer();
                return Ok(true);
            }
            Some(header) => at += header.block_len(),
            None => break,
        }
    }
    Ok(false)
}

/// Whether the bytes from `offset` to the end of the file are space that the writer has filled ahead: zeros, in a
/// segment whose header allows them. While a writer is active, which may allocate gigabytes ahead, only one page is
/// checked.
pub(crate) fn is_space(segment: &Segment, offset: u64) -> Result<bool> {
    if segment.header.incompatible & SPACE == 0 || segment.translated.is_some() {
        return Ok(false);
    }
    let page = offset.saturating_add(PAGE as u64);
    if segment.is_live() {
        return are_zeros(segment, offset, page);
    }
    // A reader that follows the log judges the same end each time it looks: the next block would begin here.
    let here = (offset, segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?);
    let is_known = segment.is_known_space(here);
    // Zeros before the place where a compressed file is broken may be left of records.
    let is_space = are_zeros(segment, offset, if is_known { page } else { u64::MAX })? && !segment.is_broken_off();
    segment.note_space(is_space.then_some(here));
    Ok(is_space)
}

/// Whether there are bytes at `offset`, and those up to `most`, or to the end of the file, are zeros.
fn are_zeros(segment: &Segment, offset: u64, most: u64) -> Result<bool> {
    let mut window = vec![0; PAGE];
    let mut at = offset;
    loop {
        let n = read(segment, &mut window, at)?;
        if window[..n].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        at += n as u64;
        if n < window.len() || at >= most {
            return Ok(at > offset);
        }
        memory::resize(&mut window, WINDOW)?;
    }
}

/// Where a segment to which nobody writes ends: the length of its file without space after the blocks, which a power cut
/// may leave there until the next writer cuts it off.
pub(crate) fn end_before_space(segment: &Segment) -> Result<u64> {
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    let may_have_space = segment.header.incompatible & SPACE != 0 && segment.translated.is_none() && len != u64::MAX;
    if !may_have_space || segment.ends_with_trailer()? == Some(true) {
        return Ok(len);
    }
    let (end, durable_end) = match last_block(segment)? {
        Some((offset, last)) => (offset.saturating_add(last.block_len()), last.durable_end),
        None => (segment.start, 0),
    };
    // Zeros before a durable end are damage.
    let is_space = end < len && end >= durable_end && are_zeros(segment, end, u64::MAX)?;
    Ok(if is_space { end } else { len })
}

/// What follows the bad bytes at `offset`, behind blocks that are moved by `shift`. At `offset` itself there may be a block
/// that belongs elsewhere.
pub(crate) fn behind(segment: &Segment, offset: u64, shift: i64) -> Result<Behind> {
    let written = offset.saturating_add_signed(-shift);
    // A header at the offset that is moved as well is that of the block that is bad.
    let from = offset + u64::from(shift != 0);
    let seen = find_marker(segment, from, |found| {
        Ok(match header_at(segment, found)? {
            // A block that only a later version can read is a block too.
            Ok(_) | Err(Malformed::Newer(_)) => (found > offset).then_some(Behind::Block(found)),
            Err(_) if is_moved(segment, found, written)? => Some(Behind::Moved(found)),
            // A part of a header, from a torn write, or eight bytes that only look like a marker.
            Err(_) => None,
        })
    })?;
    Ok(seen.unwrap_or(Behind::Nothing))
}

/// Whether the bytes at `place`, which begin like a block of this segment and are not one, are a block that was written
/// at another place, at or after `from`: a copy of earlier bytes may be part of a payload. The header's checksum shows
/// where it was written, and the checksum of the entries after it that it is a header.
pub(super) fn is_moved(segment: &Segment, place: u64, from: u64) -> Result<bool> {
    let mut bytes = [0; HEADER];
    let n = read(segment, &mut bytes, place)?;
    let marker = segment.header.marker;
    let Ok((header, written_at)) = BlockHeader::decode_moved(&bytes[..n], marker, place) else { return Ok(false) };
    if written_at < from || !is_near(segment, place, written_at)? {
        return Ok(false);
    }
    let shift = place.wrapping_sub(written_at) as i64;
    Ok(header.head_len() > HEADER && is_head_good(segment, &Moved { offset: place, shift, header })?)
}

/// Whether a block at `place` may have been written at the offset `written`: a damaged header yields any offset.
pub(super) fn is_near(segment: &Segment, place: u64, written: u64) -> Result<bool> {
    let distance = place.abs_diff(written);
    Ok(distance <= NEAR || distance <= segment.bytes()?)
}

/// The first result of `look` for the offsets of the segment's marker, from `from` on.
pub(super) fn find_marker<T>(
    segment: &Segment,
    from: u64,
    mut look: impl FnMut(u64) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let marker = segment.header.marker.to_le_bytes();
    let finder = memmem::Finder::new(&marker);
    // Most often the marker is near.
    let mut window = vec![0; 16 << 10];
    let mut at = from;
    loop {
        let n = read(segment, &mut window, at)?;
        for found in finder.find_iter(&window[..n]) {
            if let Some(seen) = look(at + found as u64)? {
                return Ok(Some(seen));
            }
        }
        if n < window.len() {
            return Ok(None);
        }
        // A marker may extend across two windows.
        at += (n - OVERLAP) as u64;
        memory::resize(&mut window, WINDOW)?;
    }
}

/// Offset of the first valid block header at or after `from`.
pub(crate) fn next_block(segment: &Segment, from: u64) -> Result<Option<u64>> {
    find_marker(segment, from, |found| {
        // A block that only a later version can read is a block too.
        let is_block = matches!(header_at(segment, found)?, Ok(_) | Err(Malformed::Newer(_)));
        Ok(is_block.then_some(found))
    })
}

/// The last valid block header of the file, and its offset. It is the last block unless bytes were made to look like
/// one.
pub(crate) fn last_block(segment: &Segment) -> Result<Option<(u64, BlockHeader)>> {
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    if len == u64::MAX {
        return Ok(None);
    }
    // A closed segment ends with a trailer.
    if let Some(offset) = len.checked_sub(trailer::LEN as u64).filter(|&offset| offset >= segment.start) {
        if let Some(header) = block_at(segment, offset)? {
            return Ok(Some((offset, header)));
        }
    }
    let marker = segment.header.marker.to_le_bytes();
    let finder = memmem::FinderRev::new(&marker);
    let mut window = memory::zeros(WINDOW)?;
    let mut end = len;
    while end > segment.start {
        let at = end.saturating_sub((WINDOW - OVERLAP) as u64).max(segment.start);
        let want = (end - at) as usize + OVERLAP;
        let n = read(segment, &mut window[..want], at)?;
        for found in finder.rfind_iter(&window[..n]) {
            let offset = at + found as u64;
            if let Some(header) = block_at(segment, offset)? {
                return Ok(Some((offset, header)));
            }
        }
        end = at;
    }
    Ok(None)
}

/// As [`last_block`]; a file that is compressed as a whole is decompressed up to its first damage for that.
pub(crate) fn last_block_inflated(segment: &Arc<Segment>) -> Result<Option<(u64, BlockHeader)>> {
    if !segment.is_compressed_whole() {
        return last_block(segment);
    }
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    let mut last = None;
    while let Ok(header) = scanner.header() {
        if scanner.check_whole(&header).is_err() {
            break;
        }
        scanner.skip(&header);
        last = Some((scanner.offset(), header));
    }
    Ok(last)
}

/// The header of the block at `offset`, if there is a valid one.
pub(crate) fn block_at(segment: &Segment, offset: u64) -> Result<Option<BlockHeader>> {
    Ok(header_at(segment, offset)?.ok())
}

pub(super) fn header_at(segment: &Segment, offset: u64) -> Result<std::result::Result<BlockHeader, Malformed>> {
    let mut header = [0; HEADER];
    let n = read(segment, &mut header, offset)?;
    Ok(BlockHeader::decode(&header[..n], segment.header.marker, offset))
}

pub(super) fn read(segment: &Segment, buffer: &mut [u8], at: u64) -> Result<usize> {
    io::read_full(&*segment.file, buffer, at).map_err(|e| reading(&e).at_offset(&segment.path, at))
}

/// A block where it is found.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub offset: u64,
    /// The difference from where it was written; negative when bytes before it are missing.
    pub shift: i64,
    pub header: BlockHeader,
}

impl Moved {
    /// The offset at which it was written.
    pub fn written_at(&self) -> u64 {
        self.offset.wrapping_add_signed(-self.shift)
    }
}

/// Whether the page checksums and the entries after the header match its checksum.
pub(super) fn is_head_good(segment: &Segment, moved: &Moved) -> Result<bool> {
    let (mut at, end) = (moved.offset + HEADER as u64, moved.offset + moved.header.head_len() as u64);
    let mut sum = segment.header.marker as u32;
    let mut buffer = [0; 4096];
    while at < end {
        let want = (end - at).min(buffer.len() as u64) as usize;
        let n = read(segment, &mut buffer[..want], at)?;
        if n < want {
            return Ok(false);
        }
        sum = checksum::crc(sum, &buffer[..n]);
        at += n as u64;
    }
    Ok(sum == moved.header.meta_crc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, Location, MemoryDirectory};
    use crate::{Kind, ReaderOptions, Writer, WriterOptions};

    /// A log of one file that ends with a block of this kind.
    fn ends_with(kind: u8) -> MemoryDirectory {
        let directory = MemoryDirectory::new();
        let log = Arc::new(directory.clone());
        let writer = Writer::open(Location::File(log, "a.binlog".to_owned()), WriterOptions::default()).unwrap();
        writer.append(1, b"a record").unwrap();
        writer.close().unwrap();
        let mut bytes = directory.contents("a.binlog").unwrap();
        let segment = Segment::open(&directory, "a.binlog", Access::Read).unwrap();
        let (at, last) = last_block(&segment).unwrap().unwrap();
        let header = BlockHeader { kind: BlockKind::Skippable(kind), entries_stored: 0, entries_len: 0, ..last };
        bytes.resize(bytes.len() + HEADER, 0);
        let end = at as usize + trailer::LEN;
        header.encode(segment.header.marker, end as u64, &mut bytes[end..]);
        directory.set_contents("a.binlog", bytes);
        directory
    }

    #[test]
    fn a_block_that_only_a_later_version_knows_is_neither_torn_nor_damaged() {
        for (kind, is_known) in [(0x47, true), (0x07, false)] {
            let directory = ends_with(kind);
            let before = directory.contents("a.binlog").unwrap();
            let reader = crate::Reader::open(
                Location::File(Arc::new(directory.clone()), "a.binlog".to_owned()),
                ReaderOptions::default(),
            );
            let mut cursor = reader.unwrap().cursor(&crate::Filter::default()).unwrap();
            assert_eq!(cursor.next().unwrap().unwrap().payload, b"a record");
            match cursor.next() {
                Ok(end) => assert!(end.is_none() && is_known),
                Err(error) => assert!(error.kind() == Kind::Unsupported && !is_known, "{error}"),
            }
            let opened = Writer::open(
                Location::File(Arc::new(directory.clone()), "a.binlog".to_owned()),
                WriterOptions::default(),
            );
            assert_eq!(opened.is_ok(), is_known, "kind {kind:#x}");
            drop(opened);
            let after = directory.contents("a.binlog").unwrap();
            assert!(after.starts_with(&before) && (is_known || after == before), "nothing is cut");
        }
    }
}
