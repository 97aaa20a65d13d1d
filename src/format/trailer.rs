//! The TRAILER block: the clean end of a segment.

use byteorder::{ByteOrder, LittleEndian as LE};

use super::block::{BlockHeader, BlockKind, HEADER};
use super::draft::BlockPlace;
use super::{checksum, declaration::DECLARATION, Malformed};

/// Bytes of a TRAILER's entries: record count, offset of the last INDEX block, the file's first eight bytes once more.
const ENTRIES: usize = 24;
/// Bytes of a whole TRAILER block.
pub const LEN: usize = HEADER + ENTRIES;

/// The contents of a TRAILER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Ids that the segment accounts for: its next id minus its first, including those of records that it reports as
    /// lost.
    pub records: u64,
    /// Offset of the last INDEX block, 0 if none.
    pub last_index: u64,
}

/// The bytes of a trailer at `place`; `next_id` is the id of the record after the segment.
pub fn encode(trailer: Trailer, next_id: u64, time: i64, place: BlockPlace) -> [u8; LEN] {
    let mut out = [0; LEN];
    LE::write_u64(&mut out[HEADER..], trailer.records);
    LE::write_u64(&mut out[HEADER + 8..], trailer.last_index);
    out[HEADER + 16..].copy_from_slice(&DECLARATION);
    let header = BlockHeader {
        kind: BlockKind::Trailer,
        codec: 0,
        flags: 0,
        count: 0,
        entries_stored: ENTRIES as u32,
        entries_len: ENTRIES as u32,
        payload_stored: 0,
        payload_len: 0,
        first_id: next_id,
        min_time: time,
        max_time: time,
        durable_end: place.durable_end,
        last_index: place.last_index,
        meta_crc: checksum::crc(place.marker as u32, &out[HEADER..]),
    };
    header.encode(place.marker, place.offset, &mut out);
    out
}

/// Reads the verified entries of a TRAILER block in a file that begins with `declaration`; `None` = its first bytes are
/// damaged.
pub fn decode(entries: &[u8], declaration: Option<&[u8; 8]>) -> Result<Trailer, Malformed> {
    let is_end = |end: &[u8]| declaration.map_or(end.starts_with(b"BINLOG"), |declaration| end == declaration);
    if entries.len() != ENTRIES || !is_end(&entries[16..]) {
        return Err(Malformed::inconsistent("the trailer does not end as the file begins"));
    }
    Ok(Trailer { records: LE::read_u64(entries), last_index: LE::read_u64(&entries[8..]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_comes_back_and_ends_as_the_file_begins() {
        let place = BlockPlace { marker: 5, offset: 100, durable_end: 50, last_index: 0 };
        let bytes = encode(Trailer { records: 7, last_index: 0 }, 8, 1, place);
        assert_eq!(bytes[LEN - 8..], DECLARATION);
        let header = BlockHeader::decode(&bytes, 5, 100).unwrap();
        assert_eq!((header.kind, header.block_len(), header.next_id()), (BlockKind::Trailer, LEN as u64, 8));
        super::super::block::verify_meta(&header, 5, &bytes[HEADER..]).unwrap();
        let (read, newer) = (Ok(Trailer { records: 7, last_index: 0 }), *b"BINLOG\x2f\x01");
        assert_eq!(decode(&bytes[HEADER..], Some(&DECLARATION)), read);
        assert_eq!(decode(&bytes[HEADER..], None), read);
        assert!(decode(&bytes[HEADER..], Some(&newer)).is_err());
        let mut of_newer = bytes[HEADER..].to_vec();
        of_newer[16..].copy_from_slice(&newer);
        assert_eq!((decode(&of_newer, Some(&newer)), decode(&of_newer, None)), (read.clone(), read));
        assert!(decode(&of_newer, Some(&DECLARATION)).is_err());
        of_newer[16] = b'X';
        assert!(decode(&of_newer, None).is_err());
    }
}
