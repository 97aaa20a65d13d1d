//! Tells a torn tail, which a crash leaves behind and nobody was promised, from damage.

use super::Segment;
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, HEADER};
use crate::io;

const WINDOW: usize = 256 << 10;

/// Whether the bad bytes at `offset` are a torn tail: they start where nothing was known to be durable yet, and no
/// valid block follows them.
pub(crate) fn is_torn(segment: &Segment, offset: u64, durable_end: u64) -> Result<bool> {
    Ok(offset >= durable_end && next_block(segment, offset + 1)?.is_none())
}

/// Offset of the first valid block header at `from` or behind.
pub(crate) fn next_block(segment: &Segment, from: u64) -> Result<Option<u64>> {
    let marker = segment.header.marker.to_le_bytes();
    let mut window = vec![0; WINDOW];
    let mut at = from;
    loop {
        let n = io::read_full(&*segment.file, &mut window, at)
            .map_err(|e| Error::io(&e, "read").at_offset(&segment.path, at))?;
        let mut searched = 0;
        while let Some(found) = find(&window[searched..n], &marker) {
            let offset = at + (searched + found) as u64;
            let mut header = [0; HEADER];
            let len = io::read_full(&*segment.file, &mut header, offset)
                .map_err(|e| Error::io(&e, "read").at_offset(&segment.path, offset))?;
            if BlockHeader::decode(&header[..len], segment.header.marker, offset).is_ok() {
                return Ok(Some(offset));
            }
            searched += found + 1;
        }
        if n < WINDOW {
            return Ok(None);
        }
        // A marker may lie across two windows.
        at += (n - (marker.len() - 1)) as u64;
    }
}

fn find(bytes: &[u8], marker: &[u8; 8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&byte| byte == marker[0]) {
        at += found;
        if bytes[at..].starts_with(marker) {
            return Some(at);
        }
        at += 1;
    }
    None
}
