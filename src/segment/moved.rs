//! Finds blocks that are whole and stand elsewhere than they were written, because bytes before them were removed from the
//! file or inserted: the checksum of a block's header tells where it was written.

use super::tail::{block_at, find_marker, read, NEAR};
use super::Segment;
use crate::error::Result;
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum;
use crate::format::trailer;
use crate::io;
use crate::memory;

/// So far can a block be moved that nothing but its own checksums and the low bits of its offset bears out: the last one of
/// a segment that was not closed, behind bytes that are no block.
const MOST_ALONE: u64 = 128 << 10;

/// A block where it is found.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub offset: u64,
    /// By how much that differs from where it was written; negative when bytes before it are missing.
    pub shift: i64,
    pub header: BlockHeader,
}

impl Moved {
    /// Where it was written.
    pub fn written_at(&self) -> u64 {
        self.offset.wrapping_add_signed(-self.shift)
    }
}

/// The first valid block at `from` or behind that was written behind the offset `written`: where those before it are moved by
/// `shift`, or, from `written` on, anywhere else.
pub(crate) fn next_moved(segment: &Segment, from: u64, shift: i64, written: u64) -> Result<Option<Moved>> {
    find_marker(segment, from, |found| {
        let Some(moved) = decode(segment, found, shift)? else { return Ok(None) };
        let is_behind = match moved.shift == shift {
            true => moved.written_at() > written,
            false => moved.written_at() >= written,
        };
        let is_it = is_behind && (moved.shift == shift || is_borne_out(segment, &moved, written)?);
        Ok(is_it.then_some(moved))
    })
}

/// Shows every valid block header from `from` on, and those that were written elsewhere and are whole with their entries.
pub(super) fn each_block(segment: &Segment, from: u64, mut each: impl FnMut(&Moved)) -> Result<()> {
    let seen = find_marker(segment, from, |found| {
        if let Some(block) = decode(segment, found, 0)? {
            if block.shift == 0 || is_head_good(segment, &block)? {
                each(&block);
            }
        }
        Ok(None::<()>)
    });
    seen.map(|_| ())
}

/// The header at `offset`: as one that is moved by `shift`, if that is right, else as what its checksum says.
fn decode(segment: &Segment, offset: u64, shift: i64) -> Result<Option<Moved>> {
    let mut bytes = [0; HEADER];
    let n = read(segment, &mut bytes, offset)?;
    let marker = segment.header.marker;
    let in_place = offset.checked_add_signed(-shift);
    if let Some(header) = in_place.and_then(|written| BlockHeader::decode(&bytes[..n], marker, written).ok()) {
        return Ok(Some(Moved { offset, shift, header }));
    }
    // Kind, codec and flags of every block that this version writes: nearly all other bytes fail here.
    if !matches!(bytes[12..16], [1..=3, 0..=2, 0..=3, 0]) {
        return Ok(None);
    }
    let Ok((header, written)) = BlockHeader::decode_moved(&bytes[..n], marker, offset) else { return Ok(None) };
    let len = segment.file.len().map_err(|e| crate::error::Error::io(&e, "stat").at(&segment.path))?;
    let is_near = offset.abs_diff(written) <= len.max(NEAR);
    Ok((is_near && (written >= segment.start || segment.is_rescued)).then(|| Moved {
        offset,
        shift: offset.wrapping_sub(written) as i64,
        header,
    }))
}

/// Whether something besides the low bits of its offset says that the header is what was written: a damaged one tells an
/// offset too, though any.
fn is_borne_out(segment: &Segment, moved: &Moved, written: u64) -> Result<bool> {
    let (header, end) = (&moved.header, moved.offset + moved.header.block_len());
    if matches!(header.kind, BlockKind::Skippable(_)) || !is_head_good(segment, moved)? {
        return Ok(false);
    }
    if moved.written_at() == written || moved_at(segment, end, moved.shift)?.is_some() {
        return Ok(true);
    }
    // The next one may be damaged.
    let is_like_it = |place| Ok(moved_at(segment, place, moved.shift)?.map(|_| ()));
    if find_marker(segment, end, is_like_it)?.is_some() {
        return Ok(true);
    }
    if header.kind == BlockKind::Trailer && header.block_len() == trailer::LEN as u64 {
        let mut entries = [0; trailer::LEN - HEADER];
        let n = read(segment, &mut entries, moved.offset + HEADER as u64)?;
        // A flipped bit in its header must not make it count records.
        return Ok(header.count == 0 && segment.check_trailer(header, &entries[..n]).is_ok());
    }
    let len = segment.file.len().map_err(|e| crate::error::Error::io(&e, "stat").at(&segment.path))?;
    Ok(end == len && moved.shift.unsigned_abs() <= MOST_ALONE)
}

/// Whether the page checksums and the entries behind the header are those that it tells of.
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

/// The header of the block at `offset`, if one is there that is moved by `shift`.
pub(crate) fn moved_at(segment: &Segment, offset: u64, shift: i64) -> Result<Option<BlockHeader>> {
    if shift == 0 {
        return block_at(segment, offset);
    }
    let mut bytes = [0; HEADER];
    let n = read(segment, &mut bytes, offset)?;
    let written = offset.checked_add_signed(-shift);
    Ok(written.and_then(|written| BlockHeader::decode(&bytes[..n], segment.header.marker, written).ok()))
}

/// The TRAILER at the end of the segment, which is `len` bytes long, if it stands elsewhere than it was written.
pub(super) fn moved_trailer(segment: &Segment, len: u64) -> Result<Option<Moved>> {
    let Some(offset) = len.checked_sub(trailer::LEN as u64).filter(|&offset| offset >= segment.start) else {
        return Ok(None);
    };
    let moved = decode(segment, offset, 0)?.filter(|moved| moved.shift != 0);
    Ok(moved.filter(|moved| moved.header.kind == BlockKind::Trailer && moved.header.block_len() == trailer::LEN as u64))
}

/// Where the first block begins whose own checksums are right though it stands elsewhere than it was written, where it was
/// written, its marker and its header.
pub(super) fn first_moved(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, u64, BlockHeader)>> {
    let len = file.len()?;
    let mut head = vec![];
    super::rescue::each_header(file, |offset, marker, bytes| {
        let Ok((header, written)) = BlockHeader::decode_moved(bytes, marker, offset) else { return Ok(None) };
        let (rest, end) = (header.head_len() - HEADER, offset.saturating_add(header.head_len() as u64));
        if end > len || offset.abs_diff(written) > len {
            return Ok(None);
        }
        memory::resize(&mut head, rest)?;
        let n = io::read_full(file, &mut head, offset + HEADER as u64)?;
        let is_good = n == rest && checksum::crc(marker as u32, &head) == header.meta_crc;
        Ok(is_good.then_some((offset, written, marker, header)))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::{Access, MemoryDirectory};
    use crate::{Writer, WriterOptions};

    #[test]
    fn a_trailer_whose_damaged_header_counts_records_is_not_one_that_was_moved() {
        let directory = MemoryDirectory::new();
        let writer = Writer::open_file_in(Arc::new(directory.clone()), "a.binlog", WriterOptions::default()).unwrap();
        writer.append(1, b"a record").unwrap();
        writer.close().unwrap();
        let mut bytes = directory.contents("a.binlog").unwrap();
        let at = bytes.len() - trailer::LEN;
        let moved = (1u32..).find_map(|count| {
            bytes[at + 16..at + 20].copy_from_slice(&count.to_le_bytes());
            directory.set_contents("a.binlog", bytes.clone());
            let segment = Segment::open(&directory, "a.binlog", Access::Read).unwrap();
            let moved = decode(&segment, at as u64, 0).unwrap();
            moved.filter(|moved| moved.written_at() > at as u64).map(|moved| (segment, moved))
        });
        let (segment, moved) = moved.expect("one count in 4,096 makes the checksum right for an offset that is near");
        assert!(is_head_good(&segment, &moved).unwrap() && moved.header.count > 0);
        assert!(next_moved(&segment, at as u64, 0, at as u64).unwrap().is_none());
    }
}
