//! The index of a segment while it grows: rows for the blocks since the last INDEX block, and totals of the segment.

use std::collections::BTreeMap;
use std::ops::Range;

use super::block::Block;
use crate::format::checksum;
use crate::format::draft::BlockPlace;
use crate::format::filter;
use crate::format::index::{self, Located, Pairs, Row, Totals, TypeCount, Window};
use crate::format::tally::Tally;
use crate::memory::{self, NoMemory};
use crate::record::{is_event, Metadata, NamedType};

/// An INDEX block is written after this many blocks, or the bytes set in the writer's options. It limits the memory of
/// the rows, and what finding one record has to decode.
const WINDOW_ROWS: usize = 4096;
/// Records are located one by one only in blocks whose entries take more than this: decoding fewer costs nothing.
const LOCATED_FROM_ENTRIES: usize = 512;
/// At most so many records of a block are located.
const LOCATED_MOST: usize = 4;
/// Types that the totals count; the index of a segment with more has no counts.
const TYPES_MOST: usize = 1 << 16;

/// The values of a row.
pub(crate) struct Summary<'a> {
    pub offset: u64,
    pub len: u64,
    pub head_len: u32,
    pub first_id: u64,
    pub count: u32,
    pub times: (i64, i64),
    /// The largest time of its records, without events; `i64::MIN` = it has none.
    pub latest: i64,
    pub tallies: Option<&'a [Tally]>,
    /// Checksums of the payload's pages, when it is stored as it is.
    pub checksums: Option<&'a [u8]>,
    pub entries_len: usize,
}

impl<'a> Summary<'a> {
    /// For a block that was written to `place.0..place.1` of the file.
    pub fn of(block: &'a Block<'_>, place: (u64, u64), head_len: usize, checksums: Option<&'a [u8]>) -> Self {
        let draft = block.draft;
        Summary {
            offset: place.0,
            len: place.1 - place.0,
            head_len: head_len as u32,
            first_id: draft.first_id,
            count: draft.count,
            times: draft.times(),
            latest: draft.latest(),
            tallies: draft.tallies(block.buffers),
            checksums,
            entries_len: draft.entries_len(),
        }
    }
}

/// The contents of the next INDEX block.
#[derive(Debug)]
pub(crate) struct Indexing {
    window: Window,
    counts: BTreeMap<u32, u64>,
    /// Whether `counts` holds every record so far.
    exact: bool,
    last_index: u64,
    /// The places of all INDEX blocks, as far as the segment states them.
    written: Vec<Range<u64>>,
    /// The largest time of the segment's records; `i64::MIN` = there are none, `None` = not known.
    latest: Option<i64>,
    hashes: Vec<u32>,
}

impl Indexing {
    /// For a segment whose blocks begin at `start`, before the first.
    pub fn new(start: u64) -> Self {
        Self::after(0, start, &Totals { counts: Some(vec![]), latest: Some(i64::MIN), ..Totals::default() })
    }

    /// After the INDEX block at `last_index` (0 = none), which ends at `from` and contains these totals.
    pub fn after(last_index: u64, from: u64, totals: &Totals) -> Self {
        let last = (last_index > 0).then_some(last_index..from);
        Indexing {
            window: Window::new(last_index, from),
            counts: memory::map(totals.counts.iter().flatten().copied()),
            exact: totals.counts.is_some(),
            last_index,
            written: totals.earlier.iter().cloned().chain(last).collect(),
            latest: totals.latest,
            hashes: vec![],
        }
    }

    /// The largest time of the segment's records; `i64::MIN` = there are none, `None` = not known.
    pub fn latest(&self) -> Option<i64> {
        self.latest
    }

    /// The smallest time of the blocks after the last INDEX block; `i64::MAX` = there are none.
    pub fn earliest_since(&self) -> i64 {
        self.window.rows.iter().map(|row| row.min_time).min().unwrap_or(i64::MAX)
    }

    /// Offset of the first byte after the last INDEX block.
    pub fn since(&self) -> u64 {
        self.window.from
    }

    /// The places of all INDEX blocks, as far as the segment states them.
    pub fn written(&self) -> &[Range<u64>] {
        &self.written
    }

    /// Offset of the last INDEX block, 0 if none.
    pub fn last_index(&self) -> u64 {
        self.last_index
    }

    /// Whether an INDEX block is due when the segment ends at `end`; `every` is the interval in bytes.
    pub fn is_due(&self, end: u64, every: u64) -> bool {
        let rows = self.window.rows.len();
        rows >= WINDOW_ROWS || (rows > 0 && end - self.window.from >= every)
    }

    /// Reserves room for so many more rows. Called before a block with a row is written.
    pub fn reserve(&mut self, rows: usize) -> Result<(), NoMemory> {
        memory::reserve(&mut self.window.rows, rows)
    }

    /// Adds the row of a block, for which room is reserved; `pairs` is the metadata of each of its records that has
    /// any.
    pub fn add<'a>(&mut self, block: &Summary<'_>, pairs: impl Iterator<Item = &'a [u8]>) {
        self.latest = self.latest.map(|latest| latest.max(block.latest));
        let window = &mut self.window;
        let from = window.types.len();
        let mut left = if block.entries_len > LOCATED_FROM_ENTRIES { LOCATED_MOST } else { 0 };
        // The block is written; without memory the index contains less about it.
        let tallies = block.tallies.filter(|tallies| {
            memory::reserve(&mut window.types, tallies.len()).is_ok()
                && memory::reserve(&mut window.located, LOCATED_MOST).is_ok()
        });
        for tally in tallies.unwrap_or_default() {
            let at = window.located.len();
            let located = block.checksums.is_some_and(|sums| locate(tally, sums, &mut left, &mut window.located));
            let located = located.then_some(at as u32);
            window.types.push(TypeCount { type_id: tally.type_id, count: tally.count, located });
            *self.counts.entry(tally.type_id).or_default() += u64::from(tally.count);
        }
        self.exact &= tallies.is_some() && self.counts.len() <= TYPES_MOST;
        if !self.exact {
            self.counts.clear();
        }
        let pairs = filter_of(pairs, &mut self.hashes, &mut window.filters);
        window.rows.push(Row {
            offset: block.offset,
            len: block.len,
            head_len: block.head_len,
            first_id: block.first_id,
            count: block.count,
            min_time: block.times.0,
            max_time: block.times.1,
            has_events: window.types[from..].iter().any(|counted| is_event(counted.type_id)),
            types: tallies.map(|_| from..window.types.len()),
            pairs,
        });
    }

    /// The INDEX block at `place`.
    pub fn encode(&self, names: &[NamedType], next_id: u64, place: BlockPlace) -> Result<Vec<u8>, NoMemory> {
        let counts = || memory::collect(self.counts.iter().map(|(&type_id, &count)| Ok((type_id, count))));
        let counts = self.exact.then(counts).transpose()?;
        let totals = Totals { counts, names: vec![], latest: self.latest, earlier: self.written.clone() };
        index::encode(&self.window, &totals, names, next_id, place)
    }

    /// Notes that the INDEX block was written, from `offset` to `end`.
    pub fn wrote(&mut self, offset: u64, end: u64) {
        self.window.begin(offset, end);
        self.written.push(offset..end);
        self.last_index = offset;
    }
}

/// Records the places of the records of a type, when they are few enough and can be read alone.
fn locate(tally: &Tally, checksums: &[u8], left: &mut usize, out: &mut Vec<Located>) -> bool {
    let Some(standings) = tally.standings().filter(|standings| standings.len() <= *left) else { return false };
    let fits = |located: &Located| !located.standing.has_metadata && located.pages().len() <= index::LOCATED_PAGES;
    let places = standings.iter().map(|&standing| Located { standing, ..Located::default() });
    if is_event(tally.type_id) || !places.clone().all(|located| fits(&located)) {
        return false;
    }
    *left -= standings.len();
    out.extend(places.map(|mut located| {
        let pages = located.pages();
        for (sum, page) in located.sums.iter_mut().zip(pages) {
            *sum = checksum::of_page(checksums, page);
        }
        located
    }));
    true
}

fn filter_of<'a>(all: impl Iterator<Item = &'a [u8]>, hashes: &mut Vec<u32>, filters: &mut Vec<u8>) -> Pairs {
    hashes.clear();
    let mut before: &[u8] = &[];
    for pairs in all {
        // Records often have the same metadata as the previous one.
        if pairs != before {
            for (key, value) in Metadata::from_bytes(pairs) {
                if memory::push(hashes, filter::hash(key, value)).is_err() {
                    return Pairs::Any;
                }
            }
            before = pairs;
        }
    }
    if hashes.is_empty() {
        return Pairs::None;
    }
    match filter::build(hashes) {
        Some(filter) => {
            let from = filters.len();
            match memory::extend(filters, &filter) {
                Ok(()) => Pairs::Filter(from..filters.len()),
                Err(_) => Pairs::Any,
            }
        }
        None => Pairs::Any,
    }
}
