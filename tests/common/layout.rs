//! The bytes of a segment, parsed by the documented layout and not by the library's own code.

use std::ops::Range;

pub const HEADER: usize = 80;
pub const PAGE: usize = 4096;
pub const RECORDS: u8 = 1;
pub const INDEX: u8 = 2;
pub const TRAILER: u8 = 3;

/// One block, from its header.
#[derive(Clone, Debug)]
pub struct Block {
    pub offset: usize,
    pub kind: u8,
    pub codec: u8,
    pub count: u32,
    pub first_id: u64,
    pub durable_end: u64,
    pub last_index: u64,
    pub entries: Range<usize>,
    pub payload: Range<usize>,
    /// For each entry in order: its payload's range in the file if it is stored as it is, and its id unless it is an
    /// event.
    pub records: Vec<(Range<usize>, Option<u64>)>,
}

impl Block {
    pub fn end(&self) -> usize {
        self.payload.end
    }

    pub fn next_id(&self) -> u64 {
        self.first_id + u64::from(self.count)
    }

    /// Ids of its records.
    pub fn ids(&self) -> Range<u64> {
        self.first_id..self.next_id()
    }

    pub fn pages(&self) -> usize {
        self.payload.len().div_ceil(PAGE)
    }

    /// The range of a page of the payload in the file.
    pub fn page(&self, page: usize) -> Range<usize> {
        let from = self.payload.start + page * PAGE;
        from..self.payload.end.min(from + PAGE)
    }
}

/// A parsed segment.
pub struct Segment {
    pub marker: u64,
    /// Where the first block begins.
    pub start: usize,
    pub blocks: Vec<Block>,
}

impl Segment {
    /// Parses a whole segment without damage.
    pub fn parse(bytes: &[u8]) -> Self {
        let start = 16 + u32_at(bytes, 8) as usize;
        let marker = u64_at(bytes, start);
        let mut blocks = vec![];
        let mut at = start;
        while at < bytes.len() {
            blocks.push(block(bytes, at, marker));
            at = blocks.last().expect("one was added").end();
        }
        Segment { marker, start, blocks }
    }

    pub fn of_kind(&self, kind: u8) -> Vec<&Block> {
        self.blocks.iter().filter(|block| block.kind == kind).collect()
    }
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn block(bytes: &[u8], offset: usize, marker: u64) -> Block {
    assert_eq!(u64_at(bytes, offset), marker, "a block begins at {offset}");
    let field = |at: usize| u32_at(bytes, offset + at) as usize;
    let payload_len = field(24);
    let entries_at = offset + HEADER + 4 * payload_len.div_ceil(PAGE);
    let entries = entries_at..entries_at + field(20);
    let payload = entries.end..entries.end + payload_len;
    let (kind, codec, first_id) = (bytes[offset + 12], bytes[offset + 13], u64_at(bytes, offset + 32));
    let compressed = bytes[offset + 14] & 1 != 0;
    let records = match kind == RECORDS && codec == 0 && !compressed {
        true => records(&bytes[entries.clone()], payload.start, first_id),
        false => vec![],
    };
    Block {
        offset,
        kind,
        codec,
        count: field(16) as u32,
        first_id,
        durable_end: u64_at(bytes, offset + 56),
        last_index: u64_at(bytes, offset + 64),
        entries,
        payload,
        records,
    }
}

fn records(entries: &[u8], mut from: usize, mut id: u64) -> Vec<(Range<usize>, Option<u64>)> {
    let mut source = Source { bytes: entries, at: 0 };
    let mut records = vec![];
    while source.at < entries.len() {
        let (len, tag) = (source.number() as usize, source.number());
        source.number();
        let pairs = if tag & 1 != 0 { source.number() } else { 0 };
        (0..2 * pairs).for_each(|_| {
            let len = source.number() as usize;
            source.take(len);
        });
        let is_event = binlog::is_event((tag >> 1) as u32);
        records.push((from..from + len, (!is_event).then_some(id)));
        id += u64::from(!is_event);
        from += len;
    }
    records
}

/// Reads varints and bytes.
pub struct Source<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Source<'a> {
    pub fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    pub fn signed(&mut self) -> i64 {
        let value = self.number();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub fn take(&mut self, len: usize) -> &'a [u8] {
        self.at += len;
        &self.bytes[self.at - len..self.at]
    }
}

pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Corrects the checksum of the block header at `offset`.
pub fn seal_header(bytes: &mut [u8], offset: usize) {
    let header = &mut bytes[offset..offset + HEADER];
    header[8..12].fill(0);
    let sum = crc(offset as u32, header);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
}

/// Gives the block at `offset`, which has no payload and no page checksums, the right checksums for that place.
pub fn sign(block: &mut [u8], marker: u64, offset: usize) {
    let meta = crc(marker as u32, &block[HEADER..]);
    block[..8].copy_from_slice(&marker.to_le_bytes());
    block[72..76].copy_from_slice(&meta.to_le_bytes());
    block[8..12].fill(0);
    let header = crc(offset as u32, &block[..HEADER]);
    block[8..12].copy_from_slice(&header.to_le_bytes());
}
