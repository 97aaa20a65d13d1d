//! Makes blocks from the records of a legacy file.

use std::collections::BTreeMap;
use std::io;
use std::mem::take;

use super::item::{Item, Step, Type};
use super::window::{Window, BLOCK};
use super::{java, lines, python, shoebox, Form};
use crate::format::block::{BlockHeader, BlockKind, HAS_EVENTS, HEADER};
use crate::format::draft::BlockPlace;
use crate::format::{checksum, entries, trailer, varint};
use crate::io::does_not_decompress;
use crate::memory::{self, NoMemory};
use crate::record::{event, is_event, Hit, MetadataBuf, NamedType, EVENT_BIT, FIRST_NAMED_TYPE};

/// A block ends earlier when its metadata have this many bytes, or there are this many of them.
const METADATA: usize = 256 << 10;
const COUNT: usize = 4096;

/// Where a block begins, and the state that is needed to make it again.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Offset in the translation, and in the legacy file.
    pub at: u64,
    pub source: u64,
    pub first_id: u64,
    /// Number of type names before it.
    names: u32,
    /// The previous record was an event after which no more records follow.
    is_closed: bool,
}

impl Row {
    pub fn first(at: u64, source: u64, first_id: u64) -> Self {
        Row { at, source, first_id, names: 0, is_closed: false }
    }
}

/// Why there are no more records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file ends here and states it, or is of a form that does not state it.
    Closed,
    /// It ends here, and was not closed.
    Unclosed,
    /// It ends within a record.
    Torn(String),
    /// The bytes that follow are no record.
    Corrupt(String),
}

/// A block.
#[derive(Debug, Default)]
pub struct Built {
    /// The bytes before the payload.
    pub head: Vec<u8>,
    /// Its records, and the places of their payloads in the window.
    pub hits: Vec<Hit>,
    pub payload_len: usize,
    /// The window contains all payloads. It does not contain that of a long record unless it is wanted.
    pub has_payloads: bool,
}

impl Built {
    pub fn len(&self) -> u64 {
        (self.head.len() + self.payload_len) as u64
    }
}

/// Makes blocks, in order or again.
pub struct Translator {
    form: Form,
    marker: u64,
    pub window: Window,
    /// Numbers of the types by name.
    names: BTreeMap<String, u32>,
    item: Item,
    pairs: Vec<u8>,
}

impl Translator {
    pub fn new(form: Form, marker: u64, window: Window) -> Self {
        Translator { form, marker, window, names: BTreeMap::new(), item: Item::default(), pairs: vec![] }
    }

    /// Makes the block that begins with the row. Returns the row after it, and the verdict if there is none. An empty
    /// block counts as none. Without `payloads`, only the head of a record that is longer than a block is read.
    pub fn build(&mut self, row: Row, built: &mut Built, payloads: bool) -> io::Result<(Row, Option<Verdict>)> {
        let Translator { form, window, names, item, pairs, .. } = self;
        window.begin_at(row.source);
        built.hits.clear();
        pairs.clear();
        let mut making = Making { names, pairs, hits: &mut built.hits, at: 0, next: row };
        let (mut wanted, mut looked) = (BLOCK, 0);
        // Bytes of a long record after the window.
        let mut beyond = 0;
        let verdict = loop {
            let is_end = !window.fill(wanted)?;
            let bytes = window.bytes(wanted);
            // Three loops instead of a check in each step.
            let step = match *form {
                Form::Java { width } => making.take(bytes, item, |bytes, item| java::parse(bytes, beyond, width, item)),
                Form::Python { .. } => making.take(bytes, item, |bytes, item| python::parse(bytes, beyond, item)),
                Form::Shoebox => making.take(bytes, item, |bytes, item| shoebox::parse(bytes, beyond, item)),
                Form::Lines => {
                    let is_last = is_end && window.broken().is_none();
                    let parse = |bytes: &[u8], item: &mut Item| lines::parse(bytes, take(&mut looked), is_last, item);
                    making.take(bytes, item, parse)
                }
            };
            if let Some(refused) = item.refused.take() {
                return Err(refused.into());
            }
            match step {
                Step::Record => break None,
                Step::Malformed(reason) => break Some(Verdict::Corrupt(reason)),
                Step::Need(_) if !is_end && making.at > 0 => break None,
                Step::Need(len) if !is_end => {
                    looked = bytes.len();
                    // The end of a line can only be found by reading.
                    let ahead = if payloads || *form == Form::Lines { None } else { window.ahead()? };
                    match ahead.map(|ahead| usize::try_from(ahead).unwrap_or(usize::MAX)) {
                        Some(ahead) if ahead < len => {
                            break Some(verdict_at_end(*form, ahead, len, making.next.is_closed));
                        }
                        Some(_) if beyond == 0 => beyond = len - looked,
                        // All of it, or a head that is long itself.
                        _ => (wanted, beyond) = (len, 0),
                    }
                }
                Step::Need(len) => {
                    break Some(match window.broken() {
                        Some(reason) => Verdict::Corrupt(does_not_decompress(reason)),
                        None => verdict_at_end(*form, bytes.len() - making.at, len, making.next.is_closed),
                    })
                }
            }
        };
        let next = Row { source: row.source + making.at as u64, ..making.next };
        built.head.clear();
        built.payload_len = 0;
        built.has_payloads = making.at <= window.bytes(usize::MAX).len();
        if !built.hits.is_empty() {
            built.payload_len =
                put_block(&mut built.hits, &self.pairs, self.place(row), row.first_id, &mut built.head)?;
        }
        Ok((Row { at: row.at + built.len(), ..next }, verdict))
    }

    fn place(&self, row: Row) -> BlockPlace {
        BlockPlace { marker: self.marker, offset: row.at, durable_end: 0, last_index: 0 }
    }

    /// The bytes after the last block: a trailer, or an event that names a torn end in the middle of the log.
    pub fn ending(&self, row: Row, records: u64, verdict: &Verdict, is_last: bool) -> io::Result<Vec<u8>> {
        Ok(match verdict {
            Verdict::Closed => {
                let trailer = trailer::Trailer { records, last_index: 0 };
                trailer::encode(trailer, row.first_id, 0, self.place(row)).to_vec()
            }
            Verdict::Unclosed | Verdict::Corrupt(_) => vec![],
            Verdict::Torn(_) if is_last => vec![],
            Verdict::Torn(reason) => {
                let facts = [("offset", row.source.to_string()), ("reason", reason.clone())];
                let (mut pairs, mut out) = (vec![], vec![]);
                let hit = event_hit(row.first_id, event::RECOVERED, 0, &MetadataBuf::from_iter(facts), &mut pairs);
                put_block(&mut [hit], &pairs, self.place(row), row.first_id, &mut out)?;
                out
            }
        })
    }
}

/// `left` bytes are left in the place of a record of at least `len`.
fn verdict_at_end(form: Form, left: usize, len: usize, is_closed: bool) -> Verdict {
    let has_end = matches!(form, Form::Python { end: Some(_) });
    match (left, form) {
        (0, Form::Python { end: Some(_) } | Form::Shoebox | Form::Lines) => Verdict::Closed,
        (0, _) if is_closed => Verdict::Closed,
        (0, _) => Verdict::Unclosed,
        _ if has_end => Verdict::Corrupt("the records do not end where the map begins".to_owned()),
        _ => Verdict::Torn(format!("the file ends within a record: {left} of at least {len} bytes are there")),
    }
}

/// A block in progress.
struct Making<'a> {
    names: &'a mut BTreeMap<String, u32>,
    /// For each record that has any: the number of its pairs, and the pairs.
    pairs: &'a mut Vec<u8>,
    hits: &'a mut Vec<Hit>,
    /// Bytes of the window that were parsed.
    at: usize,
    /// The row after the parsed bytes, without its places.
    next: Row,
}

impl Making<'_> {
    /// Adds the records that `parse` finds, until it finds none or the block is full.
    #[inline(always)]
    fn take(&mut self, bytes: &[u8], item: &mut Item, mut parse: impl FnMut(&[u8], &mut Item) -> Step) -> Step {
        while self.hits.len() < COUNT && self.pairs.len() < METADATA && self.at <= bytes.len() {
            item.clear();
            match parse(&bytes[self.at..], item) {
                Step::Record => match item.refused {
                    None => match self.push(item) {
                        Ok(()) => (),
                        Err(refused) => {
                            item.refused = Some(refused);
                            return Step::Record;
                        }
                    },
                    Some(_) => return Step::Record,
                },
                other => return other,
            }
        }
        Step::Record
    }

    #[inline(always)]
    fn push(&mut self, item: &Item) -> Result<(), NoMemory> {
        // One more for the event that names its type.
        memory::reserve(self.hits, 2)?;
        let type_id = match item.type_of {
            Type::Number(number) => number,
            Type::Name => self.number_of_name(item)?,
        };
        let from = self.pairs.len();
        if item.pairs > 0 {
            memory::reserve(self.pairs, item.metadata.len() + 10)?;
            varint::put(self.pairs, item.pairs);
            self.pairs.extend_from_slice(&item.metadata);
        }
        self.hits.push(Hit {
            id: self.next.first_id,
            time: item.time,
            type_id,
            payload_len: item.payload.len() as u32,
            metadata: from..self.pairs.len(),
            payload_at: self.at + item.payload.start,
        });
        self.at += item.size;
        self.next.is_closed = matches!(type_id, event::CLOSED | event::STOPPED);
        self.next.first_id += u64::from(!is_event(type_id));
        Ok(())
    }

    /// The number of the item's type; an event names it before its first record.
    fn number_of_name(&mut self, item: &Item) -> Result<u32, NoMemory> {
        let index = match self.names.get(&item.name) {
            Some(&index) => index,
            None => {
                let index = self.names.len() as u32;
                self.names.insert(item.name.clone(), index);
                index
            }
        };
        // To write a file with more names than numbers would take years.
        let number = FIRST_NAMED_TYPE.saturating_add(index).min(EVENT_BIT - 1);
        if index >= self.next.names {
            let named = NamedType { number, name: item.name.clone(), ..NamedType::default() };
            let facts = named.to_facts();
            memory::reserve(self.pairs, facts.as_metadata().as_bytes().len() + 10)?;
            self.next.names = index + 1;
            self.hits.push(event_hit(self.next.first_id, event::TYPE, item.time, &facts, self.pairs));
        }
        Ok(number)
    }
}

/// An event with these facts, which are added to the pairs.
fn event_hit(id: u64, type_id: u32, time: i64, facts: &MetadataBuf, pairs: &mut Vec<u8>) -> Hit {
    let from = pairs.len();
    let facts = facts.as_metadata();
    varint::put(pairs, facts.into_iter().count() as u64);
    pairs.extend_from_slice(facts.as_bytes());
    Hit { id, time, type_id, payload_len: 0, metadata: from..pairs.len(), payload_at: 0 }
}

/// Appends everything of a block except its payload, and returns the payload's length. Places of metadata in `pairs`
/// become places in the entries. The checksums of the payload's pages are omitted: the reader of the block knows that
/// it was not stored.
fn put_block(hits: &mut [Hit], pairs: &[u8], place: BlockPlace, first_id: u64, out: &mut Vec<u8>) -> io::Result<usize> {
    let (mut payload_len, mut events) = (0, 0);
    let (mut min_time, mut max_time) = (i64::MAX, i64::MIN);
    for hit in hits.iter() {
        payload_len += hit.payload_len as usize;
        events += u32::from(hit.is_event());
        (min_time, max_time) = (min_time.min(hit.time), max_time.max(hit.time));
    }
    let entries_at = HEADER + 4 * checksum::pages(payload_len);
    // An entry takes at most 20 bytes, and a few more are written after it for a moment.
    memory::reserve(out, entries_at + 32 * hits.len() + pairs.len())?;
    out.resize(entries_at, 0);
    let mut last_time = min_time;
    for hit in hits.iter_mut() {
        let tag = u64::from(hit.type_id) << 1 | u64::from(!hit.metadata.is_empty());
        entries::put(out, u64::from(hit.payload_len), tag, varint::zigzag(hit.time.wrapping_sub(last_time)));
        last_time = hit.time;
        hit.metadata = match &pairs[hit.metadata.clone()] {
            [] => 0..0,
            counted => {
                out.extend_from_slice(counted);
                let mut count_len = 0;
                varint::get(counted, &mut count_len);
                let end = out.len() - entries_at;
                end - (counted.len() - count_len)..end
            }
        };
    }
    let entries_len = (out.len() - entries_at) as u32;
    let header = BlockHeader {
        kind: BlockKind::Records,
        codec: 0,
        flags: u16::from(events > 0) * HAS_EVENTS,
        count: hits.len() as u32 - events,
        entries_stored: entries_len,
        entries_len,
        payload_stored: payload_len as u32,
        payload_len: payload_len as u32,
        first_id,
        min_time,
        max_time,
        durable_end: place.durable_end,
        last_index: place.last_index,
        meta_crc: checksum::crc(place.marker as u32, &out[HEADER..]),
    };
    header.encode(place.marker, place.offset, out);
    Ok(payload_len)
}
