//! Finds blocks in the bytes of a segment by their marker, and tells a torn tail, which a crash leaves behind and nobody
//! was promised, from damage.

use memchr::memmem;

use super::moved::{is_head_good, Moved};
use super::{reading, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum::PAGE;
use crate::format::declaration::SPACE;
use crate::format::{trailer, Malformed};
use crate::io;
use crate::memory;

const WINDOW: usize = 256 << 10;
/// Bytes of a marker that may lie before a window while the rest lies in it.
const OVERLAP: usize = 7;
/// A block is looked for no farther from where it was written than this, or than its file is long, whichever is more.
pub(super) const NEAR: u64 = 1 << 20;

/// What lies behind bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nothing of the segment.
    Nothing,
    /// A block, at this offset.
    Block(u64),
    /// Bytes that were a block at another place, at this offset: bytes were removed before them or put in. No crash does
    /// that.
    Moved(u64),
}

/// Whether the bad bytes at `offset` are a torn tail: they start where nothing was known to be durable yet, and nothing of
/// the segment follows them.
pub(crate) fn is_torn(segment: &Segment, offset: u64, durable_end: u64) -> Result<bool> {
    if let Some(translated) = &segment.translated {
        return Ok(translated.is_torn());
    }
    Ok(may_be_lost(segment, offset, durable_end)? && behind(segment, offset)? == Behind::Nothing)
}

/// Whether the bad bytes at `offset` may be what a crash left, by what the segment says of itself: that it was durable up to
/// `durable_end`.
pub(super) fn may_be_lost(segment: &Segment, offset: u64, durable_end: u64) -> Result<bool> {
    // A later version's block is no bytes that are lost, and nobody writes to a file that is compressed as a whole.
    if offset < durable_end
        || segment.is_compressed_whole()
        || matches!(header_at(segment, offset)?, Err(Malformed::Newer(_)))
    {
        return Ok(false);
    }
    Ok(!lacks_trailer(segment, offset)?)
}

/// Whether a segment that was compressed or recovered has no TRAILER before `offset`, where it ends or is damaged. All up to
/// its first one was durable before it took its name, so that something is missing then.
pub(crate) fn lacks_trailer(segment: &Segment, offset: u64) -> Result<bool> {
    let header = &segment.header;
    let was_made_at_once = header.original.is_some() || header.recovered.is_some();
    Ok(was_made_at_once && !segment.is_rescued && !is_closed_before(segment, offset)?)
}

/// Whether a TRAILER stands among the blocks before `offset`.
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

/// Whether the bytes from `offset` to the end of the file are space that the writer has filled ahead: zeros, in a segment
/// whose header says that there may be such. While a writer is at work, which may take gigabytes ahead, a page of them is
/// enough.
pub(crate) fn is_space(segment: &Segment, offset: u64) -> Result<bool> {
    if segment.header.incompatible & SPACE == 0 || segment.translated.is_some() {
        return Ok(false);
    }
    let most = if segment.is_live() { offset.saturating_add(PAGE as u64) } else { u64::MAX };
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

/// What lies behind the bad bytes at `offset`. At that place itself a block may be that belongs elsewhere.
pub(crate) fn behind(segment: &Segment, offset: u64) -> Result<Behind> {
    let seen = find_marker(segment, offset, |found| {
        Ok(match header_at(segment, found)? {
            // One that only a later version can read is no less a block.
            Ok(_) | Err(Malformed::Newer(_)) => (found > offset).then_some(Behind::Block(found)),
            Err(_) if is_moved(segment, found, offset)? => Some(Behind::Moved(found)),
            // A part of a header, as a write leaves it that was torn, or eight bytes that look so.
            Err(_) => None,
        })
    })?;
    Ok(seen.unwrap_or(Behind::Nothing))
}

/// Whether the bytes at `place`, which begin as a block of this segment and are none, are one that was written elsewhere, at
/// `from` or behind: a copy of what is before that may be anybody's payload. The header's checksum says where it was, and
/// that of the entries behind it that it is a header.
pub(super) fn is_moved(segment: &Segment, place: u64, from: u64) -> Result<bool> {
    let mut bytes = [0; HEADER];
    let n = read(segment, &mut bytes, place)?;
    let marker = segment.header.marker;
    let Ok((header, written_at)) = BlockHeader::decode_moved(&bytes[..n], marker, place) else { return Ok(false) };
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    if written_at < from || written_at.abs_diff(place) > len.max(NEAR) {
        return Ok(false);
    }
    let shift = place.wrapping_sub(written_at) as i64;
    Ok(header.head_len() > HEADER && is_head_good(segment, &Moved { offset: place, shift, header })?)
}

/// What `look` says first of the offsets at which markers of the segment are, from `from` on.
pub(super) fn find_marker<T>(
    segment: &Segment,
    from: u64,
    mut look: impl FnMut(u64) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let marker = segment.header.marker.to_le_bytes();
    let finder = memmem::Finder::new(&marker);
    // Most often it is near.
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
        // A marker may lie across two windows.
        at += (n - OVERLAP) as u64;
        memory::resize(&mut window, WINDOW)?;
    }
}

/// Offset of the first valid block header at `from` or behind.
pub(crate) fn next_block(segment: &Segment, from: u64) -> Result<Option<u64>> {
    find_marker(segment, from, |found| {
        // One that only a later version can read is no less a block.
        let is_block = matches!(header_at(segment, found)?, Ok(_) | Err(Malformed::Newer(_)));
        Ok(is_block.then_some(found))
    })
}

/// The last valid block header of the file, and its offset. It is the last block unless the bytes were made to look so.
pub(crate) fn last_block(segment: &Segment) -> Result<Option<(u64, BlockHeader)>> {
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    if len == u64::MAX {
        return Ok(None);
    }
    // A segment that was closed ends with a trailer.
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

/// The header of the block at `offset`, if a valid one is there.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::{Access, MemoryDirectory};
    use crate::{Kind, ReaderOptions, Writer, WriterOptions};

    /// A log of one file that ends with a block of this kind.
    fn ends_with(kind: u8) -> MemoryDirectory {
        let directory = MemoryDirectory::new();
        let log = Arc::new(directory.clone());
        let writer = Writer::open_file_in(log, "a.binlog", WriterOptions::default()).unwrap();
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
            let reader = crate::Reader::open_file_in(Arc::new(directory.clone()), "a.binlog", ReaderOptions::default());
            let mut cursor = reader.unwrap().cursor(&crate::Filter::default()).unwrap();
            assert_eq!(cursor.next().unwrap().unwrap().payload, b"a record");
            match cursor.next() {
                Ok(end) => assert!(end.is_none() && is_known),
                Err(error) => assert!(error.kind() == Kind::Unsupported && !is_known, "{error}"),
            }
            let opened = Writer::open_file_in(Arc::new(directory.clone()), "a.binlog", WriterOptions::default());
            assert_eq!(opened.is_ok(), is_known, "kind {kind:#x}");
            drop(opened);
            let after = directory.contents("a.binlog").unwrap();
            assert!(after.starts_with(&before) && (is_known || after == before), "nothing is cut");
        }
    }
}
