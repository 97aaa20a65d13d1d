//! What the index states about a log as a whole: records of each type, and how far the index itself reaches.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::holes::look_for_holes;
use super::Reader;
use crate::error::{Kind, Result};
use crate::format::block::BlockKind;
use crate::format::entries::Entries;
use crate::log::{Limit, SlotState, Snapshot};
use crate::memory;
use crate::options::{Filter, ReaderMode};
use crate::record::{event, is_event, Metadata, NamedType};
use crate::segment::{is_space, is_torn, Bad, Scanner, Segment};

/// How many records of a type a log contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type's number; for a named type, the number in the first log that contains it.
    pub type_id: u32,
    /// The name that the number was given for, if any.
    pub name: Option<String>,
    /// Records of this type.
    pub records: u64,
    /// Whether these have several numbers, of which `type_id` is the first: a name has another one with each schema.
    pub has_several_numbers: bool,
}

impl TypeCount {
    fn add(&mut self, type_id: u32, records: u64) {
        self.records += records;
        self.has_several_numbers |= type_id != self.type_id;
    }
}

/// The index of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFacts {
    /// The segment's file.
    pub path: PathBuf,
    /// Its INDEX blocks that can be used, in order.
    pub blocks: Vec<IndexBlockFacts>,
    /// Bytes of the file whose blocks the index does not describe: the end of a segment that was not closed, or more
    /// when the index is missing or damaged.
    pub unindexed_bytes: u64,
}

/// One INDEX block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBlockFacts {
    /// Where the span of the file that it describes begins; the span includes the block itself.
    pub from: u64,
    /// Offset after the span.
    pub to: u64,
    /// Blocks of records in that span.
    pub blocks: u64,
    /// Id of the first record in it, and of the first one after it.
    pub first_id: u64,
    /// See `first_id`.
    pub next_id: u64,
    /// Smallest and greatest time in it, in nanoseconds since the Unix epoch.
    pub min_time: i64,
    /// See `min_time`.
    pub max_time: i64,
}

impl Reader {
    /// How many records of each type there are now, the most frequent first. Reads the index, and the headers of the
    /// blocks that it does not describe; never a payload. In a store, segments that a catalog describes are not opened.
    /// Events are not counted.
    ///
    /// # Errors
    /// [`crate::Kind::Corrupt`] where headers have to be read and are damaged.
    pub fn counts(&self) -> Result<Vec<TypeCount>> {
        self.counts_with_progress(&mut |_, _| ())
    }

    /// As [`Self::counts`]; `progress` is called with how many segments are done, and of how many.
    ///
    /// # Errors
    /// As [`Self::counts`].
    pub fn counts_with_progress(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<TypeCount>> {
        if let Some(limit) = self.source.limit() {
            return self.counts_of_part(limit);
        }
        let snapshot = self.now(true)?;
        let counts = self.counts_in(&snapshot, progress)?;
        self.by_headers(&snapshot)?.map_or(Ok(counts), |snapshot| self.counts_in(&snapshot, progress))
    }

    /// As [`Self::counts`], for a part of a log. It may begin and end within a segment, whose index only states the
    /// whole: these are read.
    fn counts_of_part(&self, limit: &Limit) -> Result<Vec<TypeCount>> {
        let behind = limit.last_id.saturating_add(1);
        let counted = self.count_whole_segments(limit)?;
        let (mut sums, (from, to)) = counted.unwrap_or_else(|| (Sums::default(), (behind, behind)));
        self.count_by_reading((limit.first_id, from), &mut sums)?;
        self.count_by_reading((to, behind), &mut sums)?;
        sums.finish()
    }

    /// Counts the segments of a part that are in it as a whole, one after the other, by their index, and returns the ids
    /// of their records, the second exclusive. `None` if there are none, or if something is not as it should be, which a
    /// cursor reports.
    fn count_whole_segments(&self, limit: &Limit) -> Result<Option<(Sums, (u64, u64))>> {
        if self.options.mode == ReaderMode::Salvage {
            return Ok(None);
        }
        let behind = limit.last_id.saturating_add(1);
        let snapshot = self.now(true)?;
        let mut sums = Sums::default();
        let mut counted: Option<(u64, u64)> = None;
        for (at, slot) in snapshot.slots.iter().enumerate() {
            if slot.sequence > limit.last_sequence {
                break;
            }
            let Ok(SlotState::Segment(segment)) = snapshot.open(at) else { return Ok(None) };
            if segment.translated.is_some() || segment.is_compressed_whole() || segment.is_rescued {
                return Ok(None);
            }
            let first_id = segment.header.first_id;
            if counted.is_none() && first_id < limit.first_id {
                continue;
            }
            let (from, next) = counted.unwrap_or((first_id, first_id));
            if first_id != next {
                return Ok(None);
            }
            let map = segment.indexed()?;
            let is_whole = map.trailer.is_some() && map.trailer == map.end() && map.is_contiguous(segment.start);
            let next_id = map.parts.last().map_or(first_id, |part| part.next_id);
            if !is_whole || map.counts.is_none() || next_id > behind {
                break;
            }
            let (counts, names) = count(&segment)?;
            sums.add_all(counts, &names);
            counted = Some((from, next_id));
        }
        Ok(counted.map(|ids| (sums, ids)))
    }

    /// Counts the records of these ids, the second exclusive.
    fn count_by_reading(&self, (from, to): (u64, u64), sums: &mut Sums) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let ids = Filter { headers_only: true, from_id: Some(from), to_id: Some(to - 1), ..Filter::default() };
        let mut cursor = self.cursor(&ids)?;
        while let Some(type_id) = cursor.next()?.map(|record| record.type_id) {
            sums.add(type_id, cursor.type_name(type_id), 1);
        }
        Ok(())
    }

    fn counts_in(&self, snapshot: &Snapshot, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<TypeCount>> {
        if let Some(file) = snapshot.unreadable.first() {
            return Err(file.error.clone());
        }
        let mut sums = Sums::default();
        for (at, slot) in snapshot.slots.iter().enumerate() {
            progress(at as u64, snapshot.slots.len() as u64);
            if let Some(summary) = self.summary_in(slot) {
                for counted in &summary.types {
                    sums.add(counted.type_id, counted.name.as_deref(), counted.records);
                }
                continue;
            }
            let SlotState::Segment(segment) = snapshot.open(at)? else { continue };
            let (counts, names) = match count(&segment) {
                Err(error) if error.kind() == Kind::Corrupt && look_for_holes(snapshot, at, &segment)? => {
                    count(&segment)?
                }
                counted => counted?,
            };
            sums.add_all(counts, &names);
        }
        sums.finish()
    }

    /// As [`Self::counts`], for one segment alone, which [`Self::paths`] names.
    ///
    /// # Errors
    /// As [`Self::counts`] and [`Self::only`].
    pub fn counts_of(&self, path: impl AsRef<Path>) -> Result<Vec<TypeCount>> {
        let (counts, names) = count(&self.snapshot.segment(self.place_of(path.as_ref())?)?)?;
        let mut sums: Vec<TypeCount> = vec![];
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (type_id, records) in counts.into_iter().filter(|&(type_id, records)| !is_event(type_id) && records > 0) {
            let name = names.get(&type_id);
            // Several numbers may have the same name.
            match name.map(|name| *places.entry(name).or_insert(sums.len())) {
                Some(at) if at < sums.len() => sums[at].add(type_id, records),
                _ => memory::push(
                    &mut sums,
                    TypeCount { type_id, name: name.cloned(), records, has_several_numbers: false },
                )?,
            }
        }
        Ok(sums)
    }

    /// The index of one segment, which [`Self::paths`] names.
    ///
    /// # Errors
    /// As [`Self::only`].
    pub fn index_of(&self, path: impl AsRef<Path>) -> Result<IndexFacts> {
        let segment = self.snapshot.segment(self.place_of(path.as_ref())?)?;
        facts(&segment).inspect(|_| segment.forget_windows())
    }

    /// The index of each segment, in the order of writing.
    pub fn index(&self) -> Result<Vec<IndexFacts>> {
        self.index_with_progress(&mut |_, _| ())
    }

    /// As [`Self::index`]; `progress` is called with how many segments are done, and of how many.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub fn index_with_progress(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<IndexFacts>> {
        let mut list = |snapshot: &Snapshot| {
            let of = snapshot.slots.len() as u64;
            let segments = (0..).zip(snapshot.segments()).inspect(|(done, _)| progress(*done, of));
            let each = |segment: Arc<Segment>| facts(&segment).inspect(|_| segment.forget_rows());
            segments.map(|(_, segment)| segment.and_then(each)).collect()
        };
        let listed: Result<Vec<_>> = list(&self.snapshot);
        match self.by_headers(&self.snapshot)? {
            Some(snapshot) => list(&snapshot),
            None => listed,
        }
    }
}

/// Records by type. A name is the same type in every log, and so is a number without a name.
#[derive(Default)]
struct Sums(BTreeMap<(Option<String>, u32), TypeCount>);

impl Sums {
    fn add(&mut self, type_id: u32, name: Option<&str>, records: u64) {
        if is_event(type_id) || records == 0 {
            return;
        }
        let name = name.map(str::to_owned);
        let key = (name.clone(), if name.is_some() { 0 } else { type_id });
        let none = TypeCount { type_id, name, records: 0, has_several_numbers: false };
        self.0.entry(key).or_insert(none).add(type_id, records);
    }

    fn add_all(&mut self, counts: Counts, names: &BTreeMap<u32, String>) {
        for (type_id, records) in counts {
            self.add(type_id, names.get(&type_id).map(|name| &**name), records);
        }
    }

    /// The most frequent first.
    fn finish(self) -> Result<Vec<TypeCount>> {
        let mut counts = memory::list(self.0.into_values())?;
        counts.sort_unstable_by(|a, b| {
            (Reverse(a.records), &a.name, a.type_id).cmp(&(Reverse(b.records), &b.name, b.type_id))
        });
        Ok(counts)
    }
}

type Counts = BTreeMap<u32, u64>;

fn count(segment: &Arc<Segment>) -> Result<(Counts, BTreeMap<u32, String>)> {
    let map = segment.indexed()?;
    let mut names = memory::map(map.names.iter().map(|named| (named.number, named.name.clone())));
    let (mut counts, from) = match (&map.counts, map.end()) {
        (Some(counts), Some(end)) if map.is_contiguous(segment.start) => (memory::map(counts.iter().copied()), end),
        _ => (Counts::new(), segment.start),
    };
    if map.trailer == Some(from) {
        return Ok((counts, names));
    }
    let mut scanner = Scanner::new(segment.clone(), from);
    loop {
        match count_block(&mut scanner, &mut counts, &mut names) {
            Ok(()) => (),
            Err(Bad::End { left: 0 }) => return Ok((counts, names)),
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => {
                let offset = scanner.offset();
                if is_torn(segment, offset, scanner.durable_end())? || is_space(segment, offset)? {
                    return Ok((counts, names));
                }
                return Err(segment.corrupt(offset, &bad.into_malformed()));
            }
        }
    }
}

fn count_block(scanner: &mut Scanner, counts: &mut Counts, names: &mut BTreeMap<u32, String>) -> Result<(), Bad> {
    let header = scanner.header()?;
    scanner.check_whole(&header)?;
    if header.kind == BlockKind::Records {
        scanner.load_entries(&header)?;
        let (mut last, mut run) = (0, 0);
        for placed in Entries::new(&header, scanner.entries()) {
            let entry = placed?.entry;
            if entry.type_id != last {
                *counts.entry(last).or_default() += std::mem::take(&mut run);
                last = entry.type_id;
            }
            run += 1;
            if entry.type_id == event::TYPE {
                let named = NamedType::from_event(Metadata::from_bytes(entry.metadata));
                names.extend(named.map(|named| (named.number, named.name)));
            }
        }
        *counts.entry(last).or_default() += run;
    }
    scanner.skip(&header);
    Ok(())
}

fn facts(segment: &Arc<Segment>) -> Result<IndexFacts> {
    let map = segment.indexed()?;
    let mut blocks = vec![];
    let mut known = segment.start;
    for part in &map.parts {
        let window = match segment.rows(part) {
            Ok(window) => window,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => continue,
        };
        known += part.to - part.from;
        blocks.push(IndexBlockFacts {
            from: part.from,
            to: part.to,
            blocks: window.rows.len() as u64,
            first_id: part.first_id,
            next_id: part.next_id,
            min_time: part.min_time,
            max_time: part.max_time,
        });
    }
    let bytes = segment.file.len().ok().filter(|&len| len != u64::MAX).unwrap_or(known);
    // The trailer needs no index.
    let trailer = map.end().filter(|end| bytes.checked_sub(*end) == Some(crate::format::trailer::LEN as u64));
    let unindexed_bytes =
        if trailer.is_some() && map.is_contiguous(segment.start) { 0 } else { bytes.saturating_sub(known) };
    Ok(IndexFacts { path: segment.path.clone(), blocks, unindexed_bytes })
}
