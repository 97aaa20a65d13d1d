//! The 80-byte header with which every block begins.

use byteorder::{ByteOrder, LittleEndian as LE};

use super::{checksum, limits, Malformed};

/// Bytes of a block header.
pub const HEADER: usize = 80;

/// The kinds of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A batch of records.
    Records,
    /// One row for each RECORDS block since the INDEX block before.
    Index,
    /// The clean end of a segment.
    Trailer,
    /// A kind of a later version that may be skipped (bit 6 is set).
    Skippable(u8),
}

impl BlockKind {
    fn to_byte(self) -> u8 {
        match self {
            BlockKind::Records => 1,
            BlockKind::Index => 2,
            BlockKind::Trailer => 3,
            BlockKind::Skippable(kind) => kind,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, Malformed> {
        match byte {
            1 => Ok(BlockKind::Records),
            2 => Ok(BlockKind::Index),
            3 => Ok(BlockKind::Trailer),
            kind if kind & 0x40 != 0 => Ok(BlockKind::Skippable(kind)),
            kind => Err(Malformed::Newer(format!("kind {kind}"))),
        }
    }
}

/// Flag bit 0: the entries are compressed with the block's codec.
pub const ENTRIES_COMPRESSED: u16 = 1;
/// Flag bit 1: at least one of the entries is an event.
pub const HAS_EVENTS: u16 = 2;
const KNOWN_FLAGS: u16 = ENTRIES_COMPRESSED | HAS_EVENTS;

/// A block header, its lengths within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    pub kind: BlockKind,
    /// Codec of the payload, as in [`super::codec::Codec`].
    pub codec: u8,
    pub flags: u16,
    /// Records, events not counted.
    pub count: u32,
    /// Lengths of the entries and of the payload, as stored and decoded.
    pub entries_stored: u32,
    pub entries_len: u32,
    pub payload_stored: u32,
    pub payload_len: u32,
    /// Id of the block's first record, or of the record that will come next when there is none.
    pub first_id: u64,
    pub min_time: i64,
    pub max_time: i64,
    /// Offset up to which the file was known to be on disk when the block was built.
    pub durable_end: u64,
    /// Offset of the last INDEX block before this one, 0 if none.
    pub last_index: u64,
    /// Checksum of the page checksums and the entries as stored.
    pub meta_crc: u32,
}

impl BlockHeader {
    /// Bytes of the page checksums that follow the header.
    pub fn checksums_len(&self) -> usize {
        4 * checksum::pages(self.payload_stored as usize)
    }

    /// Bytes before the payload: header, page checksums and entries.
    pub fn head_len(&self) -> usize {
        HEADER + self.checksums_len() + self.entries_stored as usize
    }

    /// Bytes of the whole block.
    pub fn block_len(&self) -> u64 {
        self.head_len() as u64 + u64::from(self.payload_stored)
    }

    /// Id of the first record after this block.
    pub fn next_id(&self) -> u64 {
        self.first_id + u64::from(self.count)
    }

    /// Whether at least one of the entries is an event.
    pub fn has_events(&self) -> bool {
        self.flags & HAS_EVENTS != 0
    }

    /// Writes the header of a block that begins at `offset` of the file to the first [`HEADER`] bytes of `out`.
    pub fn encode(&self, marker: u64, offset: u64, out: &mut [u8]) {
        LE::write_u64(&mut out[0..], marker);
        LE::write_u32(&mut out[8..], 0);
        out[12] = self.kind.to_byte();
        out[13] = self.codec;
        LE::write_u16(&mut out[14..], self.flags);
        LE::write_u32(&mut out[16..], self.count);
        LE::write_u32(&mut out[20..], self.entries_stored);
        LE::write_u32(&mut out[24..], self.payload_stored);
        LE::write_u32(&mut out[28..], self.payload_len);
        LE::write_u64(&mut out[32..], self.first_id);
        LE::write_i64(&mut out[40..], self.min_time);
        LE::write_i64(&mut out[48..], self.max_time);
        LE::write_u64(&mut out[56..], self.durable_end);
        LE::write_u64(&mut out[64..], self.last_index);
        LE::write_u32(&mut out[72..], self.meta_crc);
        LE::write_u32(&mut out[76..], self.entries_len);
        let sum = checksum::crc(offset as u32, &out[..HEADER]);
        LE::write_u32(&mut out[8..], sum);
    }

    /// Reads and checks the header of a block that begins at `offset` of the file. The lengths are not yet compared
    /// with the size of the file.
    pub fn decode(bytes: &[u8], marker: u64, offset: u64) -> Result<Self, Malformed> {
        let Some(bytes) = bytes.get(..HEADER) else { return Err(Malformed::Short("block header")) };
        if LE::read_u64(bytes) != marker {
            return Err(Malformed::Marker);
        }
        let mut copy = [0; HEADER];
        copy.copy_from_slice(bytes);
        LE::write_u32(&mut copy[8..], 0);
        if checksum::crc(offset as u32, &copy) != LE::read_u32(&bytes[8..]) {
            return Err(Malformed::Checksum("block header"));
        }
        let header = BlockHeader {
            kind: BlockKind::from_byte(bytes[12])?,
            codec: bytes[13],
            flags: LE::read_u16(&bytes[14..]),
            count: LE::read_u32(&bytes[16..]),
            entries_stored: LE::read_u32(&bytes[20..]),
            payload_stored: LE::read_u32(&bytes[24..]),
            payload_len: LE::read_u32(&bytes[28..]),
            first_id: LE::read_u64(&bytes[32..]),
            min_time: LE::read_i64(&bytes[40..]),
            max_time: LE::read_i64(&bytes[48..]),
            durable_end: LE::read_u64(&bytes[56..]),
            last_index: LE::read_u64(&bytes[64..]),
            meta_crc: LE::read_u32(&bytes[72..]),
            entries_len: LE::read_u32(&bytes[76..]),
        };
        header.check(offset)?;
        Ok(header)
    }

    /// Reads the header of a block that begins at `here` of the file, wherever it was written, and returns it with the
    /// offset at which it was written: its checksum yields the low 32 bits of that, and the nearest offset with these
    /// bits is assumed. Only the offset confirms the header, so the caller has to check something else.
    pub fn decode_moved(bytes: &[u8], marker: u64, here: u64) -> Result<(Self, u64), Malformed> {
        let Some(bytes) = bytes.get(..HEADER) else { return Err(Malformed::Short("block header")) };
        let mut copy = [0; HEADER];
        copy.copy_from_slice(bytes);
        LE::write_u32(&mut copy[8..], 0);
        let low = checksum::seed_of(LE::read_u32(&bytes[8..]), &copy);
        let Some(written_at) = here.checked_add_signed(i64::from(low.wrapping_sub(here as u32) as i32)) else {
            return Err(Malformed::Checksum("block header"));
        };
        Ok((Self::decode(bytes, marker, written_at)?, written_at))
    }

    fn check(&self, offset: u64) -> Result<(), Malformed> {
        let refuse = |what: &str| Err(Malformed::inconsistent(format!("the block header is inconsistent: {what}")));
        let regions = [self.entries_stored, self.entries_len, self.payload_stored, self.payload_len];
        if regions.iter().any(|&len| u64::from(len) > limits::REGION) {
            return refuse("a region is over 2 GiB");
        }
        if matches!(self.kind, BlockKind::Skippable(_)) {
            return Ok(());
        }
        if self.codec == 0 && (self.payload_stored != self.payload_len || self.entries_stored != self.entries_len) {
            return refuse("stored and decoded lengths differ without a codec");
        }
        if self.flags & !KNOWN_FLAGS != 0 {
            return Err(Malformed::Newer(format!("flags {:#x}", self.flags & !KNOWN_FLAGS)));
        }
        if self.flags & ENTRIES_COMPRESSED == 0 && self.entries_stored != self.entries_len {
            return refuse("stored and decoded lengths of the entries differ");
        }
        if self.first_id == 0 || self.first_id.checked_add(u64::from(self.count)).is_none() {
            return refuse("record ids out of range");
        }
        if self.durable_end > offset || self.last_index >= offset.max(1) {
            return refuse("it points past itself");
        }
        Ok(())
    }
}

/// Checks the page checksums and the entries as stored, the two regions after the header, given together in `meta`.
pub fn verify_meta(header: &BlockHeader, marker: u64, meta: &[u8]) -> Result<(), Malformed> {
    if checksum::crc(marker as u32, meta) != header.meta_crc {
        return Err(Malformed::Checksum("list of entries of the block"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader {
            kind: BlockKind::Records,
            codec: 0,
            flags: HAS_EVENTS,
            count: 3,
            entries_stored: 12,
            entries_len: 12,
            payload_stored: 9000,
            payload_len: 9000,
            first_id: 17,
            min_time: -4,
            max_time: i64::MAX,
            durable_end: 4000,
            last_index: 0,
            meta_crc: 0xDEAD_BEEF,
        }
    }

    #[test]
    fn a_header_comes_back_with_the_lengths_of_its_block() {
        let mut bytes = [0; HEADER];
        header().encode(5, 4096, &mut bytes);
        let back = BlockHeader::decode(&bytes, 5, 4096).unwrap();
        assert_eq!(back, header());
        assert_eq!((back.checksums_len(), back.head_len(), back.block_len(), back.next_id()), (12, 104, 9104, 20));
    }

    #[test]
    fn every_flipped_bit_another_offset_and_another_marker_are_noticed() {
        let mut bytes = [0; HEADER];
        header().encode(5, 4096, &mut bytes);
        for i in 0..HEADER * 8 {
            let mut bad = bytes;
            bad[i / 8] ^= 1 << (i % 8);
            assert!(BlockHeader::decode(&bad, 5, 4096).is_err(), "bit {i}");
        }
        assert_eq!(BlockHeader::decode(&bytes, 5, 8192), Err(Malformed::Checksum("block header")));
        assert_eq!(BlockHeader::decode(&bytes, 6, 4096), Err(Malformed::Marker));
    }

    #[test]
    fn a_moved_header_shows_where_it_was_written() {
        let mut bytes = [0; HEADER];
        let far = (3u64 << 32) + 77;
        for (written_at, here) in [(4096, 4096), (4096, 4095), (5000, 4_000_000), (far, far + 9), (far, far - 100)] {
            header().encode(5, written_at, &mut bytes);
            assert_eq!(BlockHeader::decode_moved(&bytes, 5, here), Ok((header(), written_at)));
        }
        assert_eq!(BlockHeader::decode_moved(&bytes, 6, far), Err(Malformed::Marker));
    }

    #[test]
    fn a_kind_with_bit_6_may_be_skipped_and_others_may_not() {
        let mut bytes = [0; HEADER];
        BlockHeader { kind: BlockKind::Skippable(0x47), flags: 0x80, codec: 9, ..header() }.encode(5, 0, &mut bytes);
        assert_eq!(BlockHeader::decode(&bytes, 5, 0).unwrap().kind, BlockKind::Skippable(0x47));
        BlockHeader { kind: BlockKind::Skippable(0x07), ..header() }.encode(5, 0, &mut bytes);
        assert!(matches!(BlockHeader::decode(&bytes, 5, 0), Err(Malformed::Newer(_))));
        bytes[12] = 1;
        assert_eq!(BlockHeader::decode(&bytes, 5, 0), Err(Malformed::Checksum("block header")), "the sum comes first");
    }

    #[test]
    fn unknown_flags_are_those_of_a_newer_version() {
        let mut bytes = [0; HEADER];
        BlockHeader { flags: 4, ..header() }.encode(5, 0, &mut bytes);
        assert!(matches!(BlockHeader::decode(&bytes, 5, 0), Err(Malformed::Newer(_))));
    }
}
