//! The blocks of a segment file, from their headers alone: see docs/format.md.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::Result;

const HEADER: u64 = 80;
const PAGE: u64 = 4096;
/// Offsets of the fields in a header.
const RECORDS: usize = 16;
const FIRST_ID: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Records,
    Index,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub kind: Kind,
    pub offset: u64,
    pub payload: u64,
    pub end: u64,
    /// Id of its first record, and number of its records.
    pub first_id: u64,
    pub records: u64,
}

impl Block {
    /// Where the 4 KiB pages of its payload begin.
    pub fn pages(&self) -> impl Iterator<Item = u64> {
        (self.payload..self.end).step_by(PAGE as usize)
    }
}

/// The whole blocks of a segment, up to the first that is not valid.
pub fn of(segment: &Path) -> Result<Vec<Block>> {
    let file = File::open(segment)?;
    let len = file.metadata()?.len();
    let mut declaration = [0; 12];
    file.read_exact_at(&mut declaration, 0)?;
    let mut offset = 12 + u64::from(number(&declaration, 8)) + 4;
    let mut blocks = Vec::new();
    let mut marker = None;
    let mut header = [0; HEADER as usize];
    while offset + HEADER <= len {
        file.read_exact_at(&mut header, offset)?;
        if *marker.get_or_insert(header[..8].to_vec()) != header[..8] {
            break;
        }
        let (entries, payload) = (u64::from(number(&header, 20)), u64::from(number(&header, 24)));
        let payload_at = offset + HEADER + 4 * payload.div_ceil(PAGE) + entries;
        let kind = match header[12] {
            1 => Kind::Records,
            2 => Kind::Index,
            _ => Kind::Other,
        };
        let block = Block {
            kind,
            offset,
            payload: payload_at,
            end: payload_at + payload,
            first_id: u64::from(number(&header, FIRST_ID)) | u64::from(number(&header, FIRST_ID + 4)) << 32,
            records: u64::from(number(&header, RECORDS)),
        };
        if block.end > len {
            break;
        }
        offset = block.end;
        blocks.push(block);
    }
    Ok(blocks)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The segments of a folder's log, in their order.
pub fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut segments: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|word| word == "binlog")).collect();
    segments.sort();
    Ok(segments)
}

pub fn only_segment(folder: &Path) -> Result<PathBuf> {
    match &segments(folder)?[..] {
        [segment] => Ok(segment.clone()),
        several => Err(format!("{} segments are in {}, not one", several.len(), folder.display()).into()),
    }
}

/// Cuts a closed segment before its last INDEX block, and damages the earlier ones, so that none can be used.
pub fn lose_index(segment: &Path) -> Result<()> {
    let blocks = of(segment)?;
    let mut indexes = blocks.iter().filter(|block| block.kind == Kind::Index);
    let last = indexes.next_back().ok_or("the segment has no index")?;
    let file = OpenOptions::new().read(true).write(true).open(segment)?;
    file.set_len(last.offset)?;
    for index in indexes {
        let mut byte = [0];
        file.read_exact_at(&mut byte, index.end - 1)?;
        file.write_all_at(&[byte[0] ^ 1], index.end - 1)?;
    }
    Ok(file.sync_all()?)
}
