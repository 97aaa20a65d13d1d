//! A record of a legacy file, as its parser found it.

use std::ops::Range;

use crate::format::{limits, metadata};
use crate::memory::{self, NoMemory};

/// The kind of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number of the user, or of one of this library's events.
    Number(u32),
    /// The item's name.
    Name,
}

/// A record, with places counted from its first byte.
#[derive(Debug)]
pub struct Item {
    /// The bytes that it takes in the file, including its framing.
    pub size: usize,
    pub type_of: Type,
    /// The type's name, or that of an earlier record.
    pub name: String,
    /// In nanoseconds since the Unix epoch; 0 when it is not stated.
    pub time: i64,
    /// Pairs in this library's format, and their number.
    pub metadata: Vec<u8>,
    pub pairs: u64,
    pub payload: Range<usize>,
    /// There was no memory for its contents: the parser's result is not valid.
    pub refused: Option<NoMemory>,
}

impl Default for Item {
    fn default() -> Self {
        Item {
            size: 0,
            type_of: Type::Number(0),
            name: String::new(),
            time: 0,
            metadata: vec![],
            pairs: 0,
            payload: 0..0,
            refused: None,
        }
    }
}

/// The result of looking for a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A record was found.
    Record,
    /// At least this many bytes are needed from its beginning.
    Need(usize),
    /// The bytes cannot be a record.
    Malformed(String),
}

impl Item {
    /// Forgets the previous record, except for its name: the next one may have the same.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.metadata.clear();
        self.pairs = 0;
        self.time = 0;
        self.type_of = Type::Number(0);
    }

    /// Adds a pair. Bytes that are not UTF-8 are written as `\xff`.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.pairs += 1;
        if self.pairs > limits::METADATA_PAIRS {
            return Err(format!("the record has more than {} pairs of metadata", limits::METADATA_PAIRS));
        }
        let too_long = || format!("the metadata of the record takes more than {} bytes", limits::METADATA);
        // Written as text they would not be shorter.
        if key.len() > limits::METADATA || value.len() > limits::METADATA {
            return Err(too_long());
        }
        if let Err(refused) = self.put_text(key, value) {
            self.refused = Some(refused);
        }
        match self.metadata.len() <= limits::METADATA {
            true => Ok(()),
            false => Err(too_long()),
        }
    }

    fn put_text(&mut self, key: &[u8], value: &[u8]) -> Result<(), NoMemory> {
        let (key, value) = (text(key)?, text(value)?);
        memory::reserve(&mut self.metadata, key.len() + value.len() + 20)?;
        metadata::put(&mut self.metadata, &key, &value);
        Ok(())
    }
}

/// Bytes as text; those that are not UTF-8 are written as `\xff`.
pub fn text(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, NoMemory> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.into());
    }
    let len = bytes.utf8_chunks().map(|chunk| chunk.valid().len() + 4 * chunk.invalid().len()).sum();
    let mut out = String::new();
    out.try_reserve_exact(len).map_err(|_| NoMemory { bytes: len as u64 })?;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    Ok(out.into())
}

/// The longest payload that is read.
pub const LONGEST: u64 = limits::RECORD_DEFAULT;

/// Refuses a length over the limit.
pub fn check_len(len: u64) -> Result<usize, String> {
    match len <= LONGEST {
        true => Ok(len as usize),
        false => Err(format!("a record of {len} bytes, longer than the longest that is read, {LONGEST}")),
    }
}
