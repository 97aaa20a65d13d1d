//! Finds whole blocks that are not where they were written, because bytes before them were removed from the file or
//! inserted: the checksum of a block's header shows where it was written.

use super::headers::each_header;
use super::tail::{block_at, find_marker, is_head_good, is_near, is_space, read, Moved};
use super::Segment;
use crate::error::Result;
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::checksum;
use crate::format::trailer;
use crate::io;
use crate::memory;

/// The most by which a block can be moved if only its own checksums and the low bits of its offset confirm it: the last
/// one of a segment that was not closed, after bytes that are not a block.
const MOST_ALONE: u64 = 128 << 10;

/// The first valid block at or after `from` that was written after the offset `written`: moved by `shift` like those
/// before it, or, if written at `written` or later, by any distance. A block was written for each of the offsets `written`
/// and `next`, which confirms one that is found. The segment's ids end before `end_id`, where that is known: what looks
/// like a moved block with others is a damaged header.
pub(crate) fn next_moved(
    segment: &Segment,
    from: u64,
    shift: i64,
    (written, next): (u64, u64),
    end_id: Option<u64>,
) -> Result<Option<Moved>> {
    find_marker(segment, from, |found| {
        let moved =
            decode(segment, found, shift)?.filter(|moved| moved.shift == 0 || has_ids_of(segment, moved, end_id));
        let Some(moved) = moved else { return Ok(None) };
        let is_behind = match moved.shift == shift {
            true => moved.written_at() > written,
            false => moved.written_at() >= written,
        };
        let is_it = is_behind && (moved.shift == shift || is_confirmed(segment, &moved, (written, next))?);
        Ok(is_it.then_some(moved))
    })
}

/// Passes every valid block header from `from` on to `each`; of blocks that were written elsewhere only those whose
/// entries are whole.
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

/// The header at `offset`: moved by `shift`, if that is right, otherwise as its checksum shows.
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
    let may_be = (written >= segment.start || segment.is_rescued) && is_near(segment, offset, written)?;
    Ok(may_be.then(|| Moved { offset, shift: offset.wrapping_sub(written) as i64, header }))
}

/// Whether the ids of the block can be those of the segment, which end before `end_id`.
fn has_ids_of(segment: &Segment, moved: &Moved, end_id: Option<u64>) -> bool {
    let header = &moved.header;
    matches!(header.kind, BlockKind::Skippable(_))
        || ((segment.is_rescued || header.first_id >= segment.header.first_id)
            && end_id.is_none_or(|end_id| header.next_id() <= end_id))
}

/// Whether more than the low bits of its offset confirms that the header is what was written: a damaged one yields an
/// offset too, but an arbitrary one.
fn is_confirmed(segment: &Segment, moved: &Moved, (written, next): (u64, u64)) -> Result<bool> {
    let (header, end) = (&moved.header, moved.offset + moved.header.block_len());
    if matches!(header.kind, BlockKind::Skippable(_)) || !is_head_good(segment, moved)? {
        return Ok(false);
    }
    if [written, next].contains(&moved.written_at()) || moved_at(segment, end, moved.shift)?.is_some() {
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
    let is_last = end == segment.bytes()? || is_space(segment, end)?;
    Ok(moved.shift.unsigned_abs() <= MOST_ALONE && is_last)
}

/// The header of the block at `offset`, if there is one that is moved by `shift`.
pub(crate) fn moved_at(segment: &Segment, offset: u64, shift: i64) -> Result<Option<BlockHeader>> {
    if shift == 0 {
        return block_at(segment, offset);
    }
    let mut bytes = [0; HEADER];
    let n = read(segment, &mut bytes, offset)?;
    let written = offset.checked_add_signed(-shift);
    Ok(written.and_then(|written| BlockHeader::decode(&bytes[..n], segment.header.marker, written).ok()))
}

/// The TRAILER at the end of the segment, which is `len` bytes long, if it is not where it was written.
pub(super) fn moved_trailer(segment: &Segment, len: u64) -> Result<Option<Moved>> {
    let Some(offset) = len.checked_sub(trailer::LEN as u64).filter(|&offset| offset >= segment.start) else {
        return Ok(None);
    };
    let moved = decode(segment, offset, 0)?.filter(|moved| moved.shift != 0);
    Ok(moved.filter(|moved| moved.header.kind == BlockKind::Trailer && moved.header.block_len() == trailer::LEN as u64))
}

/// For the first block whose own checksums are right although it is not where it was written: its offset, the offset at
/// which it was written, its marker and its header.
pub(super) fn first_moved(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, u64, BlockHeader)>> {
    each_header(file, |offset, marker, bytes| {
        let Ok((header, written)) = BlockHeader::decode_moved(bytes, marker, offset) else { return Ok(None) };
        let is_it = offset.abs_diff(written) <= io::bytes_of(file)? && confirms_marker(file, offset, marker, &header)?;
        Ok(is_it.then_some((offset, written, marker, header)))
    })
}

/// Whether the checksums and entries of the block at `offset` are those of its header, and of a segment with this
/// marker.
pub(super) fn confirms_marker(
    file: &dyn io::File,
    offset: u64,
    marker: u64,
    header: &BlockHeader,
) -> std::io::Result<bool> {
    let rest = header.head_len() - HEADER;
    if offset.saturating_add(header.head_len() as u64) > io::bytes_of(file)? {
        return Ok(false);
    }
    let mut head = memory::zeros(rest)?;
    let n = io::read_full(file, &mut head, offset + HEADER as u64)?;
    Ok(n == rest && checksum::crc(marker as u32, &head) == header.meta_crc)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::{Access, Location, MemoryDirectory};
    use crate::{Writer, WriterOptions};

    #[test]
    fn a_trailer_whose_damaged_header_counts_records_is_not_one_that_was_moved() {
        let directory = MemoryDirectory::new();
        let writer =
            Writer::open(Location::File(Arc::new(directory.clone()), "a.binlog".to_owned()), WriterOptions::default())
                .unwrap();
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
        assert!(next_moved(&segment, at as u64, 0, (at as u64, at as u64), None).unwrap().is_none());
    }

    /// A log of one record a block in whose first two headers the same two bytes are wrong, so that the second block looks
    /// like one that was moved; and where its blocks end. Its file header is `longer` than the shortest.
    fn damaged_alike(longer: usize) -> Option<(Segment, Moved, Vec<u64>)> {
        let directory = MemoryDirectory::new();
        let location = Location::File(Arc::new(directory.clone()), "a.binlog".to_owned());
        let options = WriterOptions { content_type: "x".repeat(longer + 1), ..WriterOptions::default() };
        let writer = Writer::open(location, options).unwrap();
        let ends: Vec<u64> = (1..=3)
            .map(|_| {
                writer.append(1, b"a record").unwrap();
                writer.flush().unwrap();
                directory.contents("a.binlog").unwrap().len() as u64
            })
            .collect();
        writer.close().unwrap();
        let whole = directory.contents("a.binlog").unwrap();
        let from = ends[0];
        (1..=u16::MAX).find_map(|wrong| {
            let mut bytes = whole.clone();
            for &at in &ends[..2] {
                let at = at as usize + 38;
                bytes[at..at + 2].copy_from_slice(&wrong.to_le_bytes());
            }
            directory.set_contents("a.binlog", bytes);
            let segment = Segment::open(&directory, "a.binlog", Access::Read).unwrap();
            let moved =
                next_moved(&segment, from, 0, (from, from), None).unwrap().filter(|moved| moved.offset == from)?;
            Some((segment, moved, ends.clone()))
        })
    }

    #[test]
    fn headers_that_are_damaged_alike_are_not_moved_blocks_with_ids_of_later_segments() {
        // One value in 4,096 makes the checksums right for an offset that is near, with most lengths of a file header.
        let (segment, moved, ends) = (0..64).find_map(damaged_alike).expect("a length with such a value");
        let from = ends[0];
        assert!(moved.header.first_id > 1 << 48);
        let next = next_moved(&segment, from, 0, (from, from), Some(4)).unwrap();
        assert!(next.is_some_and(|next| next.offset == ends[2] && next.shift == 0));
    }
}
