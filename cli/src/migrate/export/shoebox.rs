//! The forms of shoebox: its archives, version 1, and its lines of JSON.
//!
//! An archive is `record*`, a record being `preamble header metadata raw`, all integers little-endian: preamble
//! `0x69867884` (4 bytes) and version 1 (2); header `metadata_length4 raw_length4 0`; metadata `count4`, which is four times
//! the number of pairs, the lengths of each pair's key and value (4 each), then keys and values; raw `data_length4 data`.
//! The JSON variant is a payload a line, compressed with gzip.

use std::collections::HashMap;
use std::io::Write;

use binlog::Record;

use super::form::{Form, Loss, Losses, Stop};
use crate::human;

const MAGIC: u32 = 0x6986_7884;
const VERSION: u16 = 1;

pub struct Archive {
    losses: Losses,
    head: Vec<u8>,
}

impl Archive {
    pub fn new(losses: Losses) -> Self {
        Archive { losses, head: vec![] }
    }
}

/// The pairs of a dictionary: a repeated key keeps its place and takes the later value, as in Python.
fn dictionary<'a>(record: &Record<'a>, losses: &Losses) -> Result<Vec<(&'a str, &'a str)>, Stop> {
    let mut places = HashMap::new();
    let mut pairs: Vec<(&str, &str)> = vec![];
    for (key, value) in record.metadata {
        let place = *places.entry(key).or_insert(pairs.len());
        match pairs.get_mut(place) {
            None => pairs.push((key, value)),
            Some(pair) => {
                losses.allow(Loss::Metadata, || {
                    format!("has the metadata key {key:?} more than once, and shoebox keeps metadata in a dictionary")
                })?;
                pair.1 = value;
            }
        }
    }
    Ok(pairs)
}

impl Form for Archive {
    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        self.losses.no_time(record, "shoebox")?;
        self.losses.no_type(record, name, "shoebox")?;
        let pairs = dictionary(record, &self.losses)?;
        let strings: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
        let lengths = (length(4 + 8 * pairs.len() + strings), length(4 + record.payload.len()));
        let (Some(metadata_len), Some(raw_len)) = lengths else {
            let len = human::count(record.payload.len() as u64);
            return Err(Stop::Refused(format!(
                "takes {len} bytes, more than a length of shoebox can express (31 bits)"
            )));
        };
        let head = &mut self.head;
        head.clear();
        head.extend_from_slice(&MAGIC.to_le_bytes());
        head.extend_from_slice(&VERSION.to_le_bytes());
        for number in [metadata_len, raw_len, 0, 4 * pairs.len() as u32] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        for (key, value) in &pairs {
            head.extend_from_slice(&(key.len() as u32).to_le_bytes());
            head.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        for (key, value) in &pairs {
            head.extend_from_slice(key.as_bytes());
            head.extend_from_slice(value.as_bytes());
        }
        head.extend_from_slice(&(raw_len - 4).to_le_bytes());
        out.write_all(head)?;
        Ok(out.write_all(record.payload)?)
    }
}

/// A signed integer of 4 bytes.
fn length(len: usize) -> Option<u32> {
    i32::try_from(len).ok().map(|len| len as u32)
}

pub struct Lines {
    losses: Losses,
}

impl Lines {
    pub fn new(losses: Losses) -> Self {
        Lines { losses }
    }
}

impl Form for Lines {
    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        const FORM: &str = "the JSON variant of shoebox";
        self.losses.no_time(record, FORM)?;
        self.losses.no_type(record, name, FORM)?;
        self.losses.no_metadata(record, FORM)?;
        if !record.payload.starts_with(b"{") {
            return Err(Stop::Refused(format!("does not begin as a JSON object does, and {FORM} holds nothing else")));
        }
        if memchr::memchr(b'\n', record.payload).is_some() {
            return Err(Stop::Refused(format!("has a line break in its payload, and {FORM} is a payload a line")));
        }
        out.write_all(record.payload)?;
        Ok(out.write_all(b"\n")?)
    }
}
