//! Archives of shoebox, version 1.
//!
//! `record*`, a record being `preamble header metadata raw`, all integers little-endian as on the machines it ran on:
//! preamble `0x69867884` (4 bytes) and version 1 (2); header `metadata_length4 raw_length4 0`; metadata `count4`, which is
//! four times the number of pairs, the lengths of each pair's key and value (4 each), then keys and values; raw
//! `data_length4 data`.

use byteorder::{ByteOrder, LittleEndian as LE};

use super::item::{check_len, Item, Step};

const MAGIC: u32 = 0x6986_7884;
/// Preamble and header.
const HEAD: usize = 18;

/// Whether a file that begins like this is an archive. An empty one could be anything.
pub fn is_one(first: &[u8]) -> bool {
    first.len() >= 4 && LE::read_u32(first) == MAGIC
}

/// Parses the record that begins with `bytes`, after which the file has `beyond` more bytes.
pub fn parse(bytes: &[u8], beyond: usize, item: &mut Item) -> Step {
    match read(bytes, beyond, item) {
        Ok(step) => step,
        Err(reason) => Step::Malformed(reason),
    }
}

fn read(bytes: &[u8], beyond: usize, item: &mut Item) -> Result<Step, String> {
    let Some(head) = bytes.get(..HEAD) else {
        // A cut preamble may be a record's beginning; one that differs is none.
        let magic = MAGIC.to_le_bytes();
        let part = bytes.len().min(4);
        return match bytes[..part] == magic[..part] {
            true => Ok(Step::Need(HEAD)),
            false => Err("no record begins here: the tag is missing".to_owned()),
        };
    };
    if LE::read_u32(head) != MAGIC {
        return Err("no record begins here: the tag is missing".to_owned());
    }
    let (version, end) = (LE::read_u16(&head[4..]), LE::read_i32(&head[14..]));
    if version != 1 {
        return Err(format!("the record is of version {version}, and only version 1 is known"));
    }
    let (metadata, raw) = (LE::read_i32(&head[6..]), LE::read_i32(&head[10..]));
    let (Ok(metadata), Ok(raw)) = (u32::try_from(metadata), u32::try_from(raw)) else {
        return Err(format!("a record declares lengths of {metadata} and {raw} bytes"));
    };
    if metadata < 4 || raw < 4 || end != 0 {
        return Err("the lengths in the record's header do not fit together".to_owned());
    }
    let raw_at = HEAD + check_len(u64::from(metadata))?;
    let size = raw_at + check_len(u64::from(raw))?;
    if bytes.len() + beyond < size {
        return Ok(Step::Need(size));
    }
    if bytes.len() < raw_at + 4 {
        return Ok(Step::Need(raw_at + 4));
    }
    if LE::read_u32(&bytes[raw_at..]) != raw - 4 {
        return Err("the two lengths of the payload differ".to_owned());
    }
    read_pairs(&bytes[HEAD..raw_at], item)?;
    (item.size, item.payload) = (size, raw_at + 4..size);
    Ok(Step::Record)
}

fn read_pairs(bytes: &[u8], item: &mut Item) -> Result<(), String> {
    let count = LE::read_i32(bytes);
    let pairs = usize::try_from(count / 4).ok().filter(|_| count % 4 == 0);
    let pairs = pairs.ok_or_else(|| format!("a record declares {count} quarter pairs of metadata"))?;
    let short = || "the metadata is longer than its length".to_owned();
    let lengths = bytes.get(4..4 + 8 * pairs).ok_or_else(short)?;
    let mut at = 4 + 8 * pairs;
    let mut take = |length: &[u8]| {
        let to = at.checked_add(LE::read_u32(length) as usize).ok_or_else(short)?;
        let taken = bytes.get(at..to).ok_or_else(short)?;
        at = to;
        Ok::<_, String>(taken)
    };
    for pair in lengths.chunks_exact(8) {
        let (key, value) = (take(&pair[..4])?, take(&pair[4..])?);
        item.put(key, value)?;
    }
    match at == bytes.len() {
        true => Ok(()),
        false => Err("the metadata is shorter than its length".to_owned()),
    }
}
