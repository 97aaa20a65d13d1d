//! What the index states about a log as a whole: records of each type, and how far the index itself reaches.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::holes::look_for_holes;
use super::{Cursor, Reader};
use crate::error::Result;
use crate::log::{Limit, Slot, SlotState, Snapshot};
use crate::memory;
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::record::is_event;
use crate::segment::{Bad, Segment};

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
    /// Events are not counted, and losses are not reported ([`ReaderOptions::on_loss`]).
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
            let first_id = segment.header.first_id;
            if counted.is_none() && first_id < limit.first_id {
                continue;
            }
            let (from, next) = counted.unwrap_or((first_id, first_id));
            if first_id != next {
                return Ok(None);
            }
            let indexed = indexed(&snapshot, at, &segment)?;
            let Some(indexed) = indexed.filter(|indexed| indexed.is_whole && indexed.next_id <= behind) else { break };
            sums.add_all(indexed.counts, &indexed.names);
            counted = Some((from, indexed.next_id));
        }
        Ok(counted.map(|ids| (sums, ids)))
    }

    /// Counts the records of these ids, the second exclusive.
    fn count_by_reading(&self, (from, to): (u64, u64), sums: &mut Sums) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let ids = Filter { headers_only: true, from_id: Some(from), to_id: Some(to - 1), ..Filter::default() };
        let options = self.quiet();
        count_by(&mut Cursor::of_former(self.source.clone(), self.now(false)?, &options, &ids, self.begins)?, sums)
    }

    /// Its options for a cursor that counts: losses are reported by those that show records.
    fn quiet(&self) -> ReaderOptions {
        ReaderOptions { on_loss: None, ..self.options.clone() }
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
            self.count_segment(snapshot, at, &segment, &mut sums)?;
        }
        sums.finish()
    }

    /// Counts segment number `at`: by its index, as far as that reaches, and the rest as a cursor reads it, which judges
    /// what is wrong there.
    fn count_segment(&self, snapshot: &Snapshot, at: usize, segment: &Arc<Segment>, sums: &mut Sums) -> Result<()> {
        let mut from = segment.header.first_id;
        if let Some(indexed) = indexed(snapshot, at, segment)? {
            sums.add_all(indexed.counts, &indexed.names);
            if indexed.is_whole {
                return Ok(());
            }
            from = indexed.next_id;
        }
        let is_same = |slot: &&Arc<Slot>| slot.log.id == snapshot.slots[at].log.id;
        let end = at + snapshot.slots[at..].iter().take_while(is_same).count();
        let mut next_id = None;
        for later in at + 1..end {
            match snapshot.open(later) {
                Ok(SlotState::Segment(next)) => {
                    next_id = Some(next.header.first_id);
                    break;
                }
                Ok(SlotState::Unborn | SlotState::Gone) => (),
                Err(error) => return Err(error),
            }
        }
        if next_id.is_some_and(|next_id| next_id <= from) {
            return Ok(());
        }
        let ids = Filter {
            headers_only: true,
            from_id: Some(from),
            to_id: next_id.map(|next_id| next_id - 1),
            ..Filter::default()
        };
        let mut here = snapshot.clone();
        here.slots.truncate(end);
        here.slots.drain(..at);
        count_by(&mut Cursor::new(self.source.clone(), here, &self.quiet(), &ids)?, sums)
    }

    /// As [`Self::counts`], for one segment alone, which [`Self::paths`] names.
    ///
    /// # Errors
    /// As [`Self::counts`] and [`Self::only`].
    pub fn counts_of(&self, path: impl AsRef<Path>) -> Result<Vec<TypeCount>> {
        let at = self.place_of(path.as_ref())?;
        let mut sums = Sums::default();
        self.count_segment(&self.snapshot, at, &self.snapshot.segment(at)?, &mut sums)?;
        sums.finish()
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

/// Counts what a cursor shows.
fn count_by(cursor: &mut Cursor, sums: &mut Sums) -> Result<()> {
    while let Some(type_id) = cursor.next()?.map(|record| record.type_id) {
        sums.add(type_id, cursor.type_name(type_id), 1);
    }
    Ok(())
}

type Counts = BTreeMap<u32, u64>;

/// What the index of a segment states of its records.
struct Indexed {
    counts: Counts,
    names: BTreeMap<u32, String>,
    next_id: u64,
    /// It describes the segment to its end.
    is_whole: bool,
}

/// By the index of segment number `at`. `None` if it has none, and if a power cut left holes in it: the index of what the
/// writer held to be there does not know of them.
fn indexed(snapshot: &Snapshot, at: usize, segment: &Arc<Segment>) -> Result<Option<Indexed>> {
    if segment.translated.is_some() || segment.is_compressed_whole() || segment.is_rescued {
        return Ok(None);
    }
    let mut map = segment.indexed()?;
    let is_whole = map.trailer.is_some() && map.trailer == map.end();
    if !is_whole {
        if segment.file.is_far() {
            // Asking the segments after it would fetch each of them: a cursor asks them where it meets a hole.
            return Ok(None);
        }
        look_for_holes(snapshot, at, segment)?;
        map = segment.indexed()?;
    }
    let Some(counts) = map.counts.as_ref().filter(|_| map.is_contiguous(segment.start)) else { return Ok(None) };
    Ok(segment.holes().is_empty().then(|| Indexed {
        counts: memory::map(counts.iter().copied()),
        names: memory::map(map.names.iter().map(|named| (named.number, named.name.clone()))),
        next_id: map.parts.last().map_or(segment.header.first_id, |part| part.next_id),
        is_whole,
    }))
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
