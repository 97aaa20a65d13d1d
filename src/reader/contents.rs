//! What a log contains: records, types, bytes, times and ids.
//!
//! Where the index of a segment is whole, its rows describe each block: the block's header is compared with the row,
//! and its entries are read only where the row does not state how many bytes each type has. Blocks that no row covers
//! are walked by their headers and entries. If anything in a log is not as it should be, a cursor reads it instead, and
//! reports what is wrong in the usual way.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::by_type::{Batch, ByNumber, ByType, Sum, NO_TIMES};
use super::{facts, facts_by, Cursor, Reader, SegmentFacts, Tail, TailState};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::codec::Codec;
use crate::format::declaration::FileHeader;
use crate::format::entries::{Entries, Entry};
use crate::format::index::{Row, Window};
use crate::format::Malformed;
use crate::log::catalog::{follows, Summary};
use crate::log::{chain_break, Slot};
use crate::memory::NoMemory;
use crate::options::{Filter, ReaderMode};
use crate::record::{event, id_after_loss, is_event, Metadata, NamedType};
use crate::segment::{lacks_trailer, Bad, Scanner, Segment};

/// What a log contains, without events.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Each segment, in the order of writing.
    pub segments: Vec<SegmentContents>,
    /// The most frequent type first.
    pub types: Vec<TypeContents>,
    /// The same by number: a name may have several, one for each schema, the first one first.
    pub(crate) numbers: Vec<TypeContents>,
    /// Records that can be read.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Ids of the first and the last of them.
    pub ids: Option<(u64, u64)>,
    /// Smallest and greatest time of a record, in nanoseconds since the Unix epoch.
    pub times: Option<(i64, i64)>,
    /// Where the log ends, or where reading stopped.
    pub tail: Tail,
    /// The damage at which reading stopped; what comes after it is not counted.
    pub damage: Option<Error>,
}

/// What a segment contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentContents {
    /// The facts in its header.
    pub facts: SegmentFacts,
    /// Records in it, without events.
    pub records: u64,
    /// Whether its writer closed it; `None` when that is not known, as for a file that is compressed as a whole.
    pub closed: Option<bool>,
}

/// What a log contains of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeContents {
    /// The type's number; for a named type, the number in the first segment that contains it.
    pub type_id: u32,
    /// The name that the number was given for, if any.
    pub name: Option<String>,
    /// Records of this type.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
}

impl Reader {
    /// What the log contains, as a cursor with [`Filter::headers_only`] shows it, but taken from the index where that
    /// is whole. `progress` is called with how much is done, and of how much.
    ///
    /// # Errors
    /// The errors of opening and reading. Damage is no error: it is in [`Contents::damage`].
    pub fn contents(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Contents> {
        let has_catalog = |slot: &Arc<Slot>| {
            slot.directory().is_far()
                && !slot.directory().names_listed(&format!("{}.catalog-", slot.log.name)).is_empty()
        };
        if self.snapshot.slots.first().is_some_and(has_catalog) {
            if let Some(contents) = self.contents_by_index(progress, true)? {
                return Ok(contents);
            }
        }
        match self.contents_by_index(progress, false)? {
            Some(contents) => Ok(contents),
            None => self.contents_by_reading(progress),
        }
    }

    /// `None` when something is not as it should be. `by_catalog`: the summaries of catalogs are used.
    fn contents_by_index(&self, progress: &mut dyn FnMut(u64, u64), by_catalog: bool) -> Result<Option<Contents>> {
        let slots = &self.snapshot.slots;
        // A cursor reports the findings about files.
        let is_clean = self.snapshot.unreadable.is_empty() && self.snapshot.remarks.is_empty();
        if self.options.mode != ReaderMode::Prefix || !is_clean || slots.is_empty() || self.source.limit().is_some() {
            return Ok(None);
        }
        let mut counting = Counting::default();
        let mut before: Option<Before> = None;
        for at in 0..slots.len() {
            let is_last = at + 1 == slots.len();
            if let Some(summary) = by_catalog.then(|| self.summary(at)).flatten().filter(|_| !is_last) {
                if before.is_some_and(|before| !before.is_followed_plainly_by(&summary.header)) {
                    return Ok(None);
                }
                counting.add_summary(&summary, &slots[at].path());
                before = Some(Before::Summed(summary));
                continue;
            }
            let segment = match self.snapshot.segment(at) {
                Ok(segment) if segment.translated.is_none() && !segment.is_unborn => segment,
                Ok(_) => return Ok(None),
                Err(error) if matches!(error.kind(), Kind::Io | Kind::NoMemory | Kind::Mismatch) => return Err(error),
                Err(_) => return Ok(None),
            };
            let is_ended = match &before {
                Some(Before::Passed(before)) => {
                    before.is_broken_off(&segment)? || self.ends_early(at - 1, before, &segment)?
                }
                Some(before) => !before.is_followed_plainly_by(&segment.header),
                None => false,
            };
            if is_ended {
                return Ok(None);
            }
            let done = match counting
                .pass(&segment, is_last, &mut |share| progress(per_mille(at, share), per_mille(slots.len(), 0.0)))
            {
                Ok(passed) => passed,
                Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
                Err(_) => return Ok(None),
            };
            segment.forget_rows();
            if is_last {
                let mut cursor = self.cursor(&headers())?;
                // Old segments may have been removed since.
                let Some(now_at) = cursor.list.snapshot.place_of(&slots[at]) else { return Ok(None) };
                cursor.go_behind(now_at, &segment, &done)?;
                counting.read_on(&mut cursor, Some(segment), &mut |_| ())?;
                return Ok(Some(counting.finish(&cursor)?));
            }
            counting.end_segment(&segment, Some(done.sealed));
            before = Some(Before::Passed(done));
        }
        Ok(None)
    }

    /// Whether something is missing after segment number `at`, of which all was passed, where `next` belongs to another
    /// log.
    fn ends_early(&self, at: usize, passed: &Passed, next: &Segment) -> Result<bool> {
        let segment = &passed.segment;
        if segment.header.log_id == next.header.log_id || segment.is_live() {
            return Ok(false);
        }
        let gone = || self.snapshot.missing_behind(&self.source, at, passed.successor.as_deref(), 0);
        Ok(lacks_trailer(segment, passed.end)? || gone().is_some())
    }

    fn contents_by_reading(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Contents> {
        let mut cursor = self.cursor(&headers())?;
        let mut counting = Counting::default();
        let of = per_mille(self.snapshot.slots.len(), 0.0);
        counting.read_on(&mut cursor, None, &mut |cursor| {
            let len = cursor.segment().file_len().unwrap_or(0).max(1);
            let share = cursor.offset() as f64 / len as f64;
            progress(per_mille(cursor.list.at, share).min(of), of);
        })?;
        let mut contents = counting.finish(&cursor)?;
        contents.segments = self.all_segments(contents.segments);
        Ok(contents)
    }

    /// Returns the segments of which something was read, and the others that exist, in the order of writing.
    fn all_segments(&self, read: Vec<SegmentContents>) -> Vec<SegmentContents> {
        let mut read: HashMap<_, _> = read.into_iter().map(|one| (one.facts.path.clone(), one)).collect();
        let here: Vec<_> = self.snapshot.segments().filter_map(|segment| segment.ok()).collect::<Vec<_>>();
        let mut all = Vec::with_capacity(here.len());
        for segment in here {
            let closed = || segment.ends_with_trailer().ok().flatten();
            all.push(read.remove(&segment.path).unwrap_or_else(|| SegmentContents {
                facts: facts(&segment),
                records: 0,
                closed: closed(),
            }));
        }
        // Segments that were created meanwhile.
        let mut later: Vec<_> = read.into_values().collect();
        later.sort_by(|a, b| (&a.facts.log_id, a.facts.sequence).cmp(&(&b.facts.log_id, b.facts.sequence)));
        all.extend(later);
        all
    }
}

/// The progress at this share of segment number `at`, and all segments before it.
fn per_mille(at: usize, share: f64) -> u64 {
    1000 * at as u64 + (1000.0 * share.clamp(0.0, 1.0)) as u64
}

/// Includes events, so segments without a record are seen too.
fn headers() -> Filter {
    Filter { headers_only: true, events: true, ..Filter::default() }
}

impl Cursor {
    /// The file that is being read.
    pub fn path(&self) -> &Path {
        &self.segment().path
    }

    /// Offset in it after the block that was shown last.
    pub fn offset(&self) -> u64 {
        self.segment().reported_offset(self.position.scanner.next_offset())
    }

    /// The facts in the header of the segment that is being read.
    pub fn segment_facts(&self) -> SegmentFacts {
        facts(self.segment())
    }

    /// Goes to the end of what was passed of segment number `at`, as if all of it had been shown.
    fn go_behind(&mut self, at: usize, segment: &Arc<Segment>, passed: &Passed) -> Result<()> {
        self.begin_segment(at, segment)?;
        self.position.scanner.jump(passed.end);
        self.position.expected = Some(passed.next_id);
        self.position.acknowledged = passed.acknowledged;
        self.position.successor.clone_from(&passed.successor);
        Ok(())
    }
}

/// The segment before the one that is entered.
enum Before {
    Passed(Passed),
    /// A catalog describes it.
    Summed(Arc<Summary>),
}

impl Before {
    /// Whether the segment with this header follows directly: then nothing between them requires a look at both.
    fn is_followed_plainly_by(&self, next: &FileHeader) -> bool {
        match self {
            Before::Passed(passed) => {
                passed.sealed && follows(&passed.segment.header, passed.end, passed.next_id, next)
            }
            Before::Summed(summary) => summary.is_followed_by(next),
        }
    }
}

/// How far a segment was passed.
struct Passed {
    segment: Arc<Segment>,
    /// Offset after the last block, and the id that comes next.
    end: u64,
    next_id: u64,
    /// As in a cursor.
    acknowledged: Option<u64>,
    successor: Option<String>,
    /// The last block was a TRAILER.
    sealed: bool,
}

impl Passed {
    /// Whether something is missing between this segment, of which all was passed, and the next.
    fn is_broken_off(&self, next: &Segment) -> Result<bool> {
        let is_of_this = self.segment.header.log_id == next.header.log_id;
        Ok(is_of_this && chain_break(&self.segment, self.end, self.next_id, next)?.is_some())
    }

    /// Compares the ids of the next block with those that should come.
    fn go_on(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let is_acknowledged = header.first_id > self.next_id && self.acknowledged == Some(header.first_id);
        if header.first_id != self.next_id && !is_acknowledged {
            return Err(wrong("a block's ids are not those that should come"));
        }
        self.next_id = header.next_id();
        Ok(())
    }

    fn learn(&mut self, type_id: u32, facts: Metadata<'_>) {
        match type_id {
            event::ROTATE_NEXT => self.successor = facts.get("file").map(str::to_owned),
            event::OPENED => self.successor = None,
            event::RECOVERED => self.acknowledged = id_after_loss(facts),
            _ => (),
        }
    }
}

fn wrong(reason: &'static str) -> Bad {
    Bad::Malformed(Malformed::inconsistent(reason))
}

/// The counts so far.
#[derive(Default)]
struct Counting {
    contents: Contents,
    /// Types of the segment that is being passed.
    types_here: ByNumber,
    names_here: BTreeMap<u32, String>,
    records_here: u64,
    types: ByType,
}

impl Counting {
    /// Counts what the segment contains; of the last one only what its index covers.
    fn pass(&mut self, segment: &Arc<Segment>, is_last: bool, progress: &mut dyn FnMut(f64)) -> Result<Passed, Bad> {
        let map = segment.indexed().map_err(Bad::Io)?;
        self.names_here.extend(map.names.iter().map(|named| (named.number, named.name.clone())));
        let (start, first_id) = (segment.start, segment.header.first_id);
        let mut passed = Passed {
            segment: segment.clone(),
            end: start,
            next_id: first_id,
            acknowledged: None,
            successor: None,
            sealed: false,
        };
        let mut scanner = Scanner::new(segment.clone(), start);
        if map.is_contiguous(start) {
            let end = map.end().unwrap_or(start).max(1);
            for part in &map.parts {
                let window = segment.rows(part)?;
                announce(segment, &window);
                for row in &window.rows {
                    scanner.jump(row.offset);
                    let header = scanner.header()?;
                    if (header.kind, header.block_len(), header.first_id, header.count)
                        != (BlockKind::Records, row.len, row.first_id, row.count)
                    {
                        return Err(wrong("the index lists other blocks than the segment has"));
                    }
                    passed.go_on(&header)?;
                    if !self.add_row(&window, row, &header) {
                        self.add_block(&mut scanner, &header, &mut passed)?;
                    }
                    scanner.skip(&header);
                }
                if passed.next_id != part.next_id {
                    return Err(wrong("the index lists other records than the segment has"));
                }
                passed.end = part.to;
                progress(part.to as f64 / end as f64);
            }
        }
        match is_last {
            true => Ok(passed),
            false => self.pass_the_rest(scanner, passed),
        }
    }

    /// Counts what comes after the index, to the end of the file.
    fn pass_the_rest(&mut self, mut scanner: Scanner, mut passed: Passed) -> Result<Passed, Bad> {
        scanner.jump(passed.end);
        loop {
            let header = match scanner.header() {
                Err(Bad::End { left: 0 }) => return Ok(passed),
                header => header?,
            };
            passed.sealed = header.kind == BlockKind::Trailer;
            match header.kind {
                BlockKind::Skippable(_) => (),
                _ => passed.go_on(&header)?,
            }
            match header.kind {
                BlockKind::Records => self.add_block(&mut scanner, &header, &mut passed)?,
                BlockKind::Trailer => {
                    scanner.load_entries(&header)?;
                    passed.segment.check_trailer(&header, scanner.entries())?;
                }
                BlockKind::Index | BlockKind::Skippable(_) => (),
            }
            scanner.check_whole(&header)?;
            scanner.skip(&header);
            passed.end = scanner.next_offset();
        }
    }

    /// Counts a block by its row; false when the row does not describe everything.
    fn add_row(&mut self, window: &Window, row: &Row, header: &BlockHeader) -> bool {
        let Some(types) = window.types_of(row).filter(|_| !needs_entries(row, header)) else { return false };
        let mut left = Sum { records: u64::from(header.count), bytes: u64::from(header.payload_len) };
        let mut rest = None;
        for counted in types {
            let records = u64::from(counted.count);
            let located = window.located_of(counted);
            let bytes = located.map(|all| all.iter().map(|one| u64::from(one.standing.payload_len)).sum::<u64>());
            match bytes {
                Some(bytes) if bytes <= left.bytes && records <= left.records => {
                    left = Sum { records: left.records - records, bytes: left.bytes - bytes };
                }
                // The remaining bytes belong to the only type whose bytes are not known.
                None if rest.is_none() => rest = Some(counted),
                _ => return false,
            }
        }
        if rest.map_or(left.records + left.bytes > 0, |rest| u64::from(rest.count) != left.records) {
            return false;
        }
        for counted in types {
            let located = window.located_of(counted);
            let bytes = located.map(|all| all.iter().map(|one| u64::from(one.standing.payload_len)).sum::<u64>());
            let sum = Sum { records: u64::from(counted.count), bytes: bytes.unwrap_or(left.bytes) };
            self.types_here.add(counted.type_id, sum);
        }
        self.add_records(
            (header.first_id, header.next_id()),
            (header.min_time, header.max_time),
            Sum { records: u64::from(header.count), bytes: u64::from(header.payload_len) },
        );
        true
    }

    /// Counts a block by its entries.
    fn add_block(&mut self, scanner: &mut Scanner, header: &BlockHeader, passed: &mut Passed) -> Result<(), Bad> {
        scanner.load_entries(header)?;
        let (mut all, mut events, mut run) = (Sum::default(), Sum::default(), (0, Sum::default()));
        let mut times = NO_TIMES;
        for placed in Entries::new(header, scanner.entries()) {
            let entry = placed?.entry;
            let one = Sum { records: 1, bytes: u64::from(entry.payload_len) };
            if is_event(entry.type_id) {
                events.add(one);
                self.learn(&entry, passed);
                continue;
            }
            times = (times.0.min(entry.time), times.1.max(entry.time));
            all.add(one);
            if entry.type_id != run.0 {
                let (type_id, sum) = std::mem::replace(&mut run, (entry.type_id, Sum::default()));
                self.types_here.add(type_id, sum);
            }
            run.1.add(one);
        }
        self.types_here.add(run.0, run.1);
        if (all.records, all.bytes + events.bytes) != (u64::from(header.count), u64::from(header.payload_len)) {
            return Err(wrong("a block's entries are others than its header says"));
        }
        if all.records > 0 {
            self.add_records((header.first_id, header.next_id()), times, all);
        }
        Ok(())
    }

    fn learn(&mut self, entry: &Entry<'_>, passed: &mut Passed) {
        let facts = Metadata::from_bytes(entry.metadata);
        if entry.type_id == event::TYPE {
            let named = NamedType::from_event(facts);
            self.names_here.extend(named.map(|named| (named.number, named.name)));
        }
        passed.learn(entry.type_id, facts);
    }

    /// Adds records with these ids (the second is the one after the last) and these times.
    fn add_records(&mut self, ids: (u64, u64), times: (i64, i64), sum: Sum) {
        let all = &mut self.contents;
        all.records = all.records.saturating_add(sum.records);
        all.payload_bytes = all.payload_bytes.saturating_add(sum.bytes);
        self.records_here += sum.records;
        all.ids = Some((all.ids.map_or(ids.0, |(first, _)| first), ids.1 - 1));
        all.times = Some(all.times.map_or(times, |(from, to)| (from.min(times.0), to.max(times.1))));
    }

    /// Counts what the cursor shows from where it is; `here` is the segment whose count has begun, if any.
    fn read_on(
        &mut self,
        cursor: &mut Cursor,
        mut here: Option<Arc<Segment>>,
        progress: &mut dyn FnMut(&Cursor),
    ) -> Result<()> {
        let mut batch = Batch::default();
        let mut looked_again = false;
        loop {
            match cursor.next_batch(usize::MAX, |record| batch.add(record)) {
                Ok(0) => {
                    // A writer may have closed the log between the look at the bytes and the look at the lock.
                    let is_open = matches!(cursor.ending.tail.state, TailState::Torn | TailState::Unclosed);
                    if !is_open || std::mem::replace(&mut looked_again, true) {
                        break;
                    }
                    continue;
                }
                Ok(_) => looked_again = false,
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => {
                    self.contents.damage = Some(error);
                    break;
                }
                // Segments that were removed meanwhile are not counted.
                Err(error) if error.kind() == Kind::Missed => continue,
                Err(error) => return Err(error),
            }
            let segment = cursor.segment();
            if let Some(ended) = here.replace(segment.clone()).filter(|ended| ended.path != segment.path) {
                self.end_segment(&ended, ended.ends_with_trailer().ok().flatten());
            }
            self.add_batch(&mut batch, cursor);
            progress(cursor);
        }
        let last = here.unwrap_or_else(|| cursor.segment().clone());
        self.end_segment(&last, last.ends_with_trailer().ok().flatten());
        Ok(())
    }

    fn add_batch(&mut self, batch: &mut Batch, cursor: &Cursor) {
        for (type_id, sum) in batch.types.drain() {
            if !self.names_here.contains_key(&type_id) {
                self.names_here.extend(cursor.type_name(type_id).map(|name| (type_id, name.to_owned())));
            }
            self.types_here.add(type_id, sum);
        }
        if let Some((first, last)) = batch.ids.take() {
            self.add_records((first, last + 1), batch.times, batch.sum);
        }
        (batch.times, batch.sum) = (NO_TIMES, Sum::default());
    }

    fn end_segment(&mut self, segment: &Segment, closed: Option<bool>) {
        self.close_segment(facts(segment), closed);
    }

    fn close_segment(&mut self, facts: SegmentFacts, closed: Option<bool>) {
        for (type_id, sum) in self.types_here.drain() {
            let name = self.names_here.get(&type_id).cloned();
            self.types.add(name, type_id, sum);
        }
        self.names_here.clear();
        let records = std::mem::take(&mut self.records_here);
        self.contents.segments.push(SegmentContents { facts, records, closed });
    }

    /// Counts a segment that a catalog describes, as [`Self::end_segment`] does for one that was passed.
    fn add_summary(&mut self, summary: &Summary, path: &Path) {
        for counted in &summary.types {
            let sum = Sum { records: counted.records, bytes: counted.payload_bytes };
            self.names_here.extend(counted.name.clone().map(|name| (counted.type_id, name)));
            self.types_here.add(counted.type_id, sum);
        }
        if let Some(((first, last), span)) = summary.ids.zip(summary.span) {
            self.add_records((first, last + 1), span, Sum { records: summary.records, bytes: summary.payload_bytes });
        }
        let facts = facts_by(&summary.header, path, Some(summary.bytes), false);
        self.close_segment(facts, Some(true));
    }

    fn finish(self, cursor: &Cursor) -> Result<Contents, NoMemory> {
        let (types, numbers) = self.types.finish()?;
        Ok(Contents { types, numbers, tail: cursor.tail(), ..self.contents })
    }
}

/// Whether the row's block has to be read: its events must be learnt, and they are included in its times; or this
/// version may be unable to read its entries.
fn needs_entries(row: &Row, header: &BlockHeader) -> bool {
    let is_known = Codec::from_byte(header.codec).is_some();
    row.has_events || header.has_events() || header.count == 0 || !is_known
}

/// Announces to a file on another machine which beginnings of blocks will be read.
fn announce(segment: &Segment, window: &Window) {
    if segment.file.is_far() {
        let head = |row: &Row| {
            let is_short = window.types_of(row).is_some_and(|types| types.len() == 1) && !row.has_events;
            row.offset..row.offset + if is_short { HEADER as u64 } else { u64::from(row.head_len) }
        };
        let heads: Vec<_> = window.rows.iter().map(head).collect();
        segment.file.will_need(&heads);
    }
}
