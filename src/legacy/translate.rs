//! Makes blocks of the records of an older library's file.

use std::io::Result;
use std::ops::Range;

use super::item::{Item, Step, Type};
use super::window::Window;
use super::{java, lines, python, shoebox, Form};
use crate::format::block::{BlockHeader, BlockKind, HAS_EVENTS, HEADER};
use crate::format::draft::Place;
use crate::format::{checksum, entries, trailer, varint};
use crate::record::{event, is_event, MetadataBuf, NamedType, EVENT_BIT, FIRST_NAMED_TYPE};

/// A block ends when its payload has so many bytes, or its entries have, or there are so many of them.
const PAYLOAD: usize = 128 << 10;
const ENTRIES: usize = 256 << 10;
const COUNT: u32 = 4096;
/// A record of so many bytes has a block to itself.
const LARGE: usize = 1 << 20;

/// Where a block begins, and what has to be known to make it once more.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// In the file that the blocks are shown as, and in the older library's.
    pub at: u64,
    pub source: u64,
    pub first_id: u64,
    /// Names of types that came before.
    names: usize,
    /// The record before was an event that says that no more comes.
    is_closed: bool,
}

impl Row {
    pub fn first(at: u64, source: u64, first_id: u64) -> Self {
        Row { at, source, first_id, names: 0, is_closed: false }
    }
}

/// Why no more records come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file ends here and says so, or is of a kind that need not say so.
    Closed,
    /// It ends here, and was not closed.
    Unclosed,
    /// It ends within a record.
    Torn(String),
    /// What follows is no record.
    Corrupt(String),
}

/// A block: its first bytes, and where its payload stands in the window.
#[derive(Debug, Default)]
pub struct Built {
    pub head: Vec<u8>,
    pub payload: Vec<Range<usize>>,
    pub payload_len: usize,
}

impl Built {
    pub fn len(&self) -> u64 {
        (self.head.len() + self.payload_len) as u64
    }
}

/// Makes blocks, one after the other or again.
pub struct Translator {
    form: Form,
    marker: u64,
    pub window: Window,
    names: Vec<String>,
    item: Item,
    rest: Vec<u8>,
}

impl Translator {
    pub fn new(form: Form, marker: u64, window: Window) -> Self {
        Translator { form, marker, window, names: vec![], item: Item::default(), rest: vec![] }
    }

    /// Makes the block that begins with the row, and tells the row behind it, or that there is none. An empty block is
    /// none.
    pub fn build(&mut self, row: Row, built: &mut Built) -> Result<(Row, Option<Verdict>)> {
        self.window.begin_at(row.source);
        built.payload.clear();
        let mut making = Making::new(row);
        self.rest.clear();
        let (mut at, mut looked) = (0, 0);
        let verdict = loop {
            if making.payload_len >= PAYLOAD || self.rest.len() >= ENTRIES || making.entries >= COUNT {
                break None;
            }
            self.item.clear();
            match self.look(at, looked) {
                Step::Record => {
                    looked = 0;
                    if self.item.size >= LARGE && making.entries > 0 {
                        break None;
                    }
                    let payload = at + self.item.payload.start..at + self.item.payload.end;
                    at += self.item.size;
                    self.push(&mut making);
                    match built.payload.last_mut() {
                        Some(last) if last.end == payload.start => last.end = payload.end,
                        _ => built.payload.push(payload),
                    }
                }
                Step::Need(len) => {
                    looked = self.window.bytes().len() - at;
                    if looked >= LARGE && making.entries > 0 {
                        break None;
                    }
                    match self.window.fill(at + len) {
                        Ok(true) => continue,
                        // The last line may lack its end.
                        Ok(false) if self.form == Form::Lines && self.window.bytes().len() > at => (),
                        Ok(false) => {
                            let left = self.window.bytes().len() - at;
                            break Some(self.verdict_at_end(left, len, making.is_closed));
                        }
                        Err(e) if e.raw_os_error().is_some() => return Err(e),
                        Err(e) => {
                            break Some(Verdict::Corrupt(format!("the compressed file does not decompress: {e}")))
                        }
                    }
                }
                Step::Malformed(reason) => break Some(Verdict::Corrupt(reason)),
            }
        };
        let next = Row {
            at: row.at,
            source: row.source + at as u64,
            first_id: row.first_id + u64::from(making.count),
            names: making.names,
            is_closed: making.is_closed,
        };
        built.payload_len = making.payload_len;
        built.head.clear();
        if making.entries > 0 {
            self.seal(&making, row, built);
        }
        Ok((Row { at: row.at + built.len(), ..next }, verdict))
    }

    fn look(&mut self, at: usize, looked: usize) -> Step {
        let bytes = &self.window.bytes()[at..];
        match self.form {
            Form::Java { width } => java::parse(bytes, width, &mut self.item),
            Form::Python { .. } => python::parse(bytes, &mut self.item),
            Form::Shoebox => shoebox::parse(bytes, &mut self.item),
            Form::Lines => lines::parse(bytes, looked, self.window.is_end(), &mut self.item),
        }
    }

    /// `left` bytes are left where a record of at least `len` should be.
    fn verdict_at_end(&self, left: usize, len: usize, is_closed: bool) -> Verdict {
        let told_end = matches!(self.form, Form::Python { end: Some(_) });
        match (left, self.form) {
            (0, Form::Python { end: Some(_) } | Form::Shoebox | Form::Lines) => Verdict::Closed,
            (0, _) if is_closed => Verdict::Closed,
            (0, _) => Verdict::Unclosed,
            _ if told_end => Verdict::Corrupt("the records do not end where the map begins".to_owned()),
            _ => Verdict::Torn(format!("the file ends within a record: {left} of at least {len} bytes are there")),
        }
    }

    /// Adds the item to the block's entries.
    #[inline]
    fn push(&mut self, making: &mut Making) {
        let type_id = match &self.item.type_of {
            Type::Number(number) => *number,
            Type::Name(_) => self.number_of_name(making),
        };
        let item = &self.item;
        let len = item.payload.len();
        let tag = u64::from(type_id) << 1 | u64::from(item.pairs > 0);
        making.add(&mut self.rest, item.time, len, tag);
        if item.pairs > 0 {
            varint::put(&mut self.rest, item.pairs);
            self.rest.extend_from_slice(&item.metadata);
        }
        making.payload_len += len;
        if is_event(type_id) {
            making.has_events = true;
            making.is_closed = matches!(type_id, event::CLOSED | event::STOPPED);
        } else {
            making.count += 1;
            making.is_closed = false;
        }
    }

    /// The number of the item's type; the block says so before the first record of it.
    #[cold]
    #[inline(never)]
    fn number_of_name(&mut self, making: &mut Making) -> u32 {
        let Type::Name(name) = &self.item.type_of else { return 0 };
        let index = match self.names.iter().position(|known| known == name) {
            Some(index) => index,
            None => {
                self.names.push(name.clone());
                self.names.len() - 1
            }
        };
        // A file with more names than numbers would take years to write.
        let number = (FIRST_NAMED_TYPE + index as u32).min(EVENT_BIT - 1);
        if index >= making.names {
            making.names = index + 1;
            let named = NamedType { number, name: name.clone(), content_type: String::new() };
            put_event(making, &mut self.rest, event::TYPE, self.item.time, &named.to_facts());
        }
        number
    }

    fn seal(&self, making: &Making, row: Row, built: &mut Built) {
        put_block(
            making,
            &self.rest,
            Place { marker: self.marker, offset: row.at, durable_end: 0, last_index: 0 },
            &mut built.head,
        );
    }

    /// What stands behind the last block: a trailer, or an event that tells of a torn end which is not the log's.
    pub fn ending(&self, row: Row, records: u64, verdict: &Verdict, is_last: bool) -> Vec<u8> {
        let place = Place { marker: self.marker, offset: row.at, durable_end: 0, last_index: 0 };
        let mut out = vec![];
        let mut making = Making::new(row);
        match verdict {
            Verdict::Closed => out.extend_from_slice(&trailer::encode(
                trailer::Trailer { records, last_index: 0 },
                row.first_id,
                0,
                place,
            )),
            Verdict::Unclosed | Verdict::Corrupt(_) => (),
            Verdict::Torn(_) if is_last => (),
            Verdict::Torn(reason) => {
                let mut rest = vec![];
                let facts = [("offset", row.source.to_string()), ("reason", reason.clone())];
                put_event(&mut making, &mut rest, event::RECOVERED, 0, &MetadataBuf::from_iter(facts));
                put_block(&making, &rest, place, &mut out);
            }
        }
        out
    }
}

/// A block that is being made.
struct Making {
    first_id: u64,
    count: u32,
    entries: u32,
    has_events: bool,
    min_time: i64,
    max_time: i64,
    last_time: i64,
    /// The first entry up to its time, which is coded against the smallest of the block.
    first_head: Vec<u8>,
    first_time: i64,
    payload_len: usize,
    names: usize,
    is_closed: bool,
}

impl Making {
    fn new(row: Row) -> Self {
        Making {
            first_id: row.first_id,
            count: 0,
            entries: 0,
            has_events: false,
            min_time: 0,
            max_time: 0,
            last_time: 0,
            first_head: vec![],
            first_time: 0,
            payload_len: 0,
            names: row.names,
            is_closed: row.is_closed,
        }
    }

    #[inline]
    fn add(&mut self, rest: &mut Vec<u8>, time: i64, len: usize, tag: u64) {
        if self.entries == 0 {
            entries::put_head(&mut self.first_head, len as u64, tag);
            (self.first_time, self.min_time, self.max_time) = (time, time, time);
        } else {
            entries::put(rest, len as u64, tag, varint::zigzag(time.wrapping_sub(self.last_time)));
            self.min_time = self.min_time.min(time);
            self.max_time = self.max_time.max(time);
        }
        self.last_time = time;
        self.entries += 1;
    }
}

fn put_event(making: &mut Making, rest: &mut Vec<u8>, type_id: u32, time: i64, facts: &MetadataBuf) {
    making.add(rest, time, 0, u64::from(type_id) << 1 | 1);
    making.has_events = true;
    let pairs = facts.as_metadata();
    varint::put(rest, pairs.into_iter().count() as u64);
    rest.extend_from_slice(pairs.as_bytes());
}

/// Appends everything of a block but its payload. The checksums of the payload's pages are left out: whoever reads the
/// block knows that nothing was stored that could have changed since.
fn put_block(making: &Making, rest: &[u8], place: Place, out: &mut Vec<u8>) {
    let checksums = 4 * checksum::pages(making.payload_len);
    out.resize(HEADER + checksums, 0);
    if making.entries > 0 {
        out.extend_from_slice(&making.first_head);
        varint::put(out, varint::zigzag(making.first_time.wrapping_sub(making.min_time)));
        out.extend_from_slice(rest);
    }
    let entries_len = (out.len() - HEADER - checksums) as u32;
    let header = BlockHeader {
        kind: BlockKind::Records,
        codec: 0,
        flags: u16::from(making.has_events) * HAS_EVENTS,
        count: making.count,
        entries_stored: entries_len,
        entries_len,
        payload_stored: making.payload_len as u32,
        payload_len: making.payload_len as u32,
        first_id: making.first_id,
        min_time: making.min_time,
        max_time: making.max_time,
        durable_end: place.durable_end,
        last_index: place.last_index,
        meta_crc: checksum::crc(place.marker as u32, &out[HEADER..]),
    };
    header.encode(place.marker, place.offset, out);
}
