//! Segments whose checksums are all right, over any contents: a fuzzer could never guess them.

/// The marker of every block of a segment made here. Random enough not to occur elsewhere by chance.
pub const MARKER: u64 = 0xA5C3_96F1_5B0D_E847;
/// The segment's file, and the log it belongs to.
pub const FILE: &str = "default.0000000001.binlog";
pub const LOG: &str = "default";

const HEADER: usize = 80;
const PAGE: usize = 4096;

/// CRC-32 of `bytes` continued from `seed`.
pub fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// The declaration and the file header of a segment whose first record is `first_id`.
pub fn segment_start(first_id: u64) -> Vec<u8> {
    let mut message = vec![0x12, LOG.len() as u8];
    message.extend(LOG.bytes());
    message.extend([0x2a, 16]);
    message.extend([7; 16]);
    message.push(0x31);
    message.extend(MARKER.to_le_bytes());
    message.extend([0x38, 1, 0x40]);
    put_varint(&mut message, first_id);
    let mut out = b"BINLOG\x20\x01".to_vec();
    out.extend((message.len() as u32).to_le_bytes());
    out.extend(message);
    let sum = crc(0, &out);
    out.extend(sum.to_le_bytes());
    out
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A block, as it will be stored.
#[derive(Clone, Default)]
pub struct Block {
    pub kind: u8,
    pub codec: u8,
    pub flags: u16,
    pub count: u32,
    pub entries: Vec<u8>,
    pub payload: Vec<u8>,
    /// Decoded lengths, if they are to differ from the stored ones.
    pub entries_len: Option<u32>,
    pub payload_len: Option<u32>,
    pub first_id: u64,
    pub min_time: i64,
    pub max_time: i64,
    pub durable_end: u64,
    pub last_index: u64,
}

impl Block {
    /// Appends the block to the segment `file`, with the right checksums.
    pub fn put(&self, file: &mut Vec<u8>) {
        let at = file.len();
        let mut header = vec![0; HEADER];
        header[12] = self.kind;
        header[13] = self.codec;
        header[14..16].copy_from_slice(&self.flags.to_le_bytes());
        let (entries, payload) = (self.entries.len() as u32, self.payload.len() as u32);
        for (i, word) in [self.count, entries, payload, self.payload_len.unwrap_or(payload)].into_iter().enumerate() {
            header[16 + 4 * i..20 + 4 * i].copy_from_slice(&word.to_le_bytes());
        }
        let (min, max) = (self.min_time as u64, self.max_time as u64);
        for (i, word) in [self.first_id, min, max, self.durable_end, self.last_index].into_iter().enumerate() {
            header[32 + 8 * i..40 + 8 * i].copy_from_slice(&word.to_le_bytes());
        }
        header[76..80].copy_from_slice(&self.entries_len.unwrap_or(entries).to_le_bytes());
        file.extend(header);
        file.extend(std::iter::repeat_n(0, 4 * self.payload.len().div_ceil(PAGE)));
        file.extend(&self.entries);
        file.extend(&self.payload);
        seal(file, at, MARKER);
    }
}

/// The payload for the entries, with different bytes at every place.
pub fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// The segment with right checksums in its file header and in each block, as far as the lengths in it lead from one
/// block to the next.
pub fn mend(segment: &[u8]) -> Vec<u8> {
    let mut file = segment.to_vec();
    let Some(len) = file.get(8..12).map(|len| u32::from_le_bytes(len.try_into().expect("four bytes")) as usize) else {
        return file;
    };
    let start = len.saturating_add(16);
    if start > file.len() {
        return file;
    }
    let sum = crc(0, &file[..start - 4]);
    file[start - 4..start].copy_from_slice(&sum.to_le_bytes());
    // The fuzzer may have changed the marker in the file header; the blocks follow it.
    let marker = marker_of(&file[12..start - 4]);
    let mut at = start;
    while let (Some(marker), Some(end)) = (marker, block_end(&file, at)) {
        seal(&mut file, at, marker);
        at = end;
    }
    if let (Some(marker), Some(header)) = (marker, file.get_mut(at..at + HEADER)) {
        // The block is cut: its header says so with a right checksum.
        header[..8].copy_from_slice(&marker.to_le_bytes());
        seal_header(header, at);
    }
    file
}

/// Where the block at `at` ends, if it is whole.
fn block_end(file: &[u8], at: usize) -> Option<usize> {
    let header = file.get(at..)?.get(..HEADER)?;
    let word = |i: usize| u32::from_le_bytes(header[i..i + 4].try_into().expect("four bytes")) as usize;
    let end = at + HEADER + 4 * word(24).div_ceil(PAGE) + word(20) + word(24);
    (end <= file.len()).then_some(end)
}

/// Puts the marker and the checksums into a whole block.
fn seal(file: &mut [u8], at: usize, marker: u64) {
    let end = block_end(file, at).expect("a whole block");
    let (seed, block) = (marker as u32, &mut file[at..end]);
    let stored = |i: usize| u32::from_le_bytes(block[i..i + 4].try_into().expect("four bytes")) as usize;
    let (entries, payload) = (stored(20), stored(24));
    let pages_end = HEADER + 4 * payload.div_ceil(PAGE);
    let (head, payload) = block.split_at_mut(pages_end + entries);
    for (page, (bytes, sum)) in payload.chunks(PAGE).zip(head[HEADER..pages_end].chunks_exact_mut(4)).enumerate() {
        sum.copy_from_slice(&crc(seed.wrapping_add(page as u32), bytes).to_le_bytes());
    }
    head[..8].copy_from_slice(&marker.to_le_bytes());
    let meta = crc(seed, &head[HEADER..]);
    head[72..76].copy_from_slice(&meta.to_le_bytes());
    seal_header(&mut head[..HEADER], at);
}

fn seal_header(header: &mut [u8], at: usize) {
    header[8..12].fill(0);
    let sum = crc(at as u32, header);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
}

/// Field 6 of the file header; `None` for a message that cannot be parsed.
fn marker_of(mut message: &[u8]) -> Option<u64> {
    while let Some((&tag, rest)) = message.split_first() {
        let (len, rest) = match tag & 7 {
            0 => (rest.iter().position(|&byte| byte < 0x80)? + 1, rest),
            1 => (8, rest),
            2 => {
                let width = rest.iter().position(|&byte| byte < 0x80)? + 1;
                let len = rest[..width].iter().take(4).rev().fold(0usize, |sum, &b| sum << 7 | usize::from(b & 0x7f));
                (len, &rest[width..])
            }
            _ => return None,
        };
        let value = rest.get(..len)?;
        if tag == 0x31 {
            return value.try_into().ok().map(u64::from_le_bytes);
        }
        message = &rest[len..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
        std::fs::read(format!("{path}{name}.binlog")).expect("a golden file")
    }

    #[test]
    fn mending_leaves_a_good_segment_as_it_is() {
        for name in ["plain", "lz4", "many_zstd", "large_none", "reopened", "torn"] {
            assert!(mend(&golden(name)) == golden(name), "{name}");
        }
    }

    #[test]
    fn a_mended_segment_is_read_although_every_checksum_was_wrong() {
        let (whole, mut bytes) = (golden("large_none"), golden("large_none"));
        let at = 16 + u32::from_le_bytes(whole[8..12].try_into().expect("four bytes")) as usize;
        bytes[at - 4..at + 12].fill(0);
        bytes[at + 72..at + 76].fill(0);
        assert!(mend(&bytes) == whole);
    }

    #[test]
    fn a_block_made_here_is_what_a_writer_would_have_made() {
        let mut file = segment_start(1);
        // Payloads of one byte and of three, type 1, no metadata, the same time.
        let block =
            Block { kind: 1, count: 2, entries: vec![1, 2, 0, 3, 2, 0], payload: payload(4), ..Block::default() };
        Block { first_id: 1, ..block }.put(&mut file);
        let directory = binlog::io::MemoryDirectory::new();
        directory.set_contents(FILE, file);
        let seen = crate::reading::see(&directory, binlog::ReaderMode::Prefix, &crate::reading::everything());
        let seen = seen.expect("a segment");
        assert!(seen.shows_all(), "{:?}", seen.end);
        assert_eq!(seen.rows.iter().map(|row| (row.id, row.payload.len())).collect::<Vec<_>>(), [(1, 1), (2, 3)]);
    }
}
