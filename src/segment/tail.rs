//! Finds blocks in the bytes of a segment by their marker, and tells a torn tail, which a crash leaves behind and nobody
//! was promised, from damage.

use memchr::memmem;

use super::{reading, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::trailer;
use crate::io;
use crate::memory;

const WINDOW: usize = 256 << 10;
/// Bytes of a marker that may lie before a window while the rest lies in it.
const OVERLAP: usize = 7;

/// Whether the bad bytes at `offset` are a torn tail: they start where nothing was known to be durable yet, and no
/// valid block follows them.
pub(crate) fn is_torn(segment: &Segment, offset: u64, durable_end: u64) -> Result<bool> {
    if let Some(translated) = &segment.translated {
        return Ok(translated.is_torn());
    }
    // All up to the first TRAILER of a compressed segment was durable before it took its name.
    if offset < durable_end || (segment.header.original.is_some() && !is_closed_before(segment, offset)?) {
        return Ok(false);
    }
    Ok(next_block(segment, offset + 1)?.is_none())
}

/// Whether a TRAILER stands among the blocks before `offset`.
fn is_closed_before(segment: &Segment, offset: u64) -> Result<bool> {
    let mut at = segment.start;
    while at < offset {
        match block_at(segment, at)? {
            Some(header) if header.kind == BlockKind::Trailer => return Ok(true),
            Some(header) => at += header.block_len(),
            None => break,
        }
    }
    Ok(false)
}

/// Offset of the first valid block header at `from` or behind.
pub(crate) fn next_block(segment: &Segment, from: u64) -> Result<Option<u64>> {
    let marker = segment.header.marker.to_le_bytes();
    let finder = memmem::Finder::new(&marker);
    // Most often it is near.
    let mut window = vec![0; 16 << 10];
    let mut at = from;
    loop {
        let n = read(segment, &mut window, at)?;
        for found in finder.find_iter(&window[..n]) {
            if block_at(segment, at + found as u64)?.is_some() {
                return Ok(Some(at + found as u64));
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
    let mut header = [0; HEADER];
    let n = read(segment, &mut header, offset)?;
    Ok(BlockHeader::decode(&header[..n], segment.header.marker, offset).ok())
}

fn read(segment: &Segment, buffer: &mut [u8], at: u64) -> Result<usize> {
    io::read_full(&*segment.file, buffer, at).map_err(|e| reading(&e).at_offset(&segment.path, at))
}
