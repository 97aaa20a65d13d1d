//! What a plan has to know of each segment of a log: which ids it holds, which of its blocks may hold something that a
//! filter wants, and whether the next segment follows it without anything to report in between.

use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::filter::Selection;
use super::holes::look_for_holes;
use super::{Cursor, Reader};
use crate::error::{Error, Kind, Result};
use crate::format::block::BlockHeader;
use crate::format::declaration::FileHeader;
use crate::format::index::{Row, Window};
use crate::format::trailer;
use crate::log::catalog::{follows, Summary};
use crate::log::{chain_break, Known, Slot, SlotState, Snapshot};
use crate::options::{Filter, Loss, ReaderMode, ReaderOptions};
use crate::segment::{behind, block_at, end_before_space, last_block, Bad, Behind, Map, Segment};

/// A segment of up to so many grains need not be cut: its index is not read where a catalog says what the segment holds.
const UNCUT: u64 = 4;

/// Blocks that follow each other closely enough to be planned as one.
pub(crate) struct Chunk {
    /// Id of the first record in them.
    pub first_id: u64,
    /// Records in them that may be wanted.
    pub records: u64,
    pub bytes: u64,
    /// Smallest and largest time in them.
    pub times: (i64, i64),
}

impl Chunk {
    /// Bytes that have to be read, with nothing wanted in them.
    fn of_nothing(first_id: u64) -> Self {
        Chunk { first_id, records: 0, bytes: 0, times: (i64::MAX, i64::MIN) }
    }
}

/// What there is in a segment.
pub(crate) struct Stretch {
    pub slot: Arc<Slot>,
    /// Ids of its first record and of the one after its last, without those that the filter excludes.
    pub first_id: u64,
    pub next_id: u64,
    /// Id of the first record in the file, whatever the filter.
    pub begins: u64,
    /// It is wanted up to its end.
    pub to_the_end: bool,
    /// Bytes of the file.
    pub bytes: u64,
    /// The blocks that may hold something wanted.
    pub chunks: Vec<Chunk>,
    /// The segment before it, in the same log, is whole, and this one follows it: no reader would report anything
    /// between them.
    pub follows: bool,
    /// Its beginning is damaged: what is known of it is known by its neighbours.
    pub is_rescued: bool,
    /// There is another file of the segment too, or its name says nothing: the files have to be listed to find them.
    pub must_be_listed: bool,
}

/// A piece of a log, in the order of writing.
pub(crate) enum Piece {
    Stretch(Stretch),
    /// A file that should be the segment of this number of a log, and cannot be read as one, or repeats records.
    Broken(String, u64),
}

/// The segment before the one that is looked at.
enum Before {
    Opened { segment: Arc<Segment>, end: u64, next_id: u64, is_whole: bool },
    Summed(Arc<Summary>),
}

impl Before {
    /// Whether the segment with this header follows without anything that a reader would report.
    fn is_followed_by(&self, next: &FileHeader, segment: Option<&Segment>) -> Result<bool> {
        match self {
            Before::Summed(summary) => Ok(summary.is_followed_by(next)),
            // Legacy files say nothing of each other.
            Before::Opened { segment, .. } if segment.translated.is_some() => Ok(true),
            Before::Opened { is_whole: false, .. } => Ok(false),
            Before::Opened { segment: ended, end, next_id, .. } => match segment {
                _ if follows(&ended.header, *end, *next_id, next) => Ok(true),
                Some(next) => Ok(chain_break(ended, *end, *next_id, next)?.is_none()),
                None => Ok(false),
            },
        }
    }

    fn next_id(&self) -> u64 {
        match self {
            Before::Opened { next_id, .. } => *next_id,
            Before::Summed(summary) => summary.next_id,
        }
    }
}

impl Reader {
    /// Passes the pieces of each log that the filter may want to `each`, in the order of writing. Blocks are joined to
    /// chunks of up to `grain` bytes. A reader that has to check every byte gets all blocks of the wanted ids.
    pub(crate) fn pieces(&self, filter: &Filter, grain: u64, each: &mut dyn FnMut(Piece)) -> Result<()> {
        /// Segments may be removed while they are looked at; each time a few more are gone.
        const TRIES: usize = 100;
        let mut found = vec![];
        for _ in 0..TRIES {
            let snapshot = self.now(true)?;
            let snapshot = self.by_headers(&snapshot)?.unwrap_or(snapshot);
            if let Some(file) = snapshot.unreadable_log().filter(|_| self.options.mode != ReaderMode::Salvage) {
                return Err(file.error.clone());
            }
            found.clear();
            if self.pieces_of(&snapshot, filter, grain, &mut found)? {
                if !found.iter().any(|piece| matches!(piece, Piece::Stretch(_))) {
                    if let Some(error) = why_unreadable(&snapshot) {
                        return Err(error);
                    }
                }
                found.into_iter().for_each(each);
                return Ok(());
            }
        }
        Err(Error::new(Kind::NotFound, "segments were removed again and again while the log was planned")
            .at(&self.place))
    }

    /// False when a segment was removed meanwhile.
    fn pieces_of(&self, snapshot: &Snapshot, filter: &Filter, grain: u64, found: &mut Vec<Piece>) -> Result<bool> {
        let slots = &snapshot.slots;
        let mut from = 0;
        while from < slots.len() {
            let same = slots[from..].iter().take_while(|slot| slot.log.id == slots[from].log.id).count();
            let mut looking = Looking {
                reader: self,
                snapshot,
                selection: Selection::new(filter)?.within(self.source.limit()),
                drops: self.options.mode == ReaderMode::Prefix,
                grain,
                end: from + same,
                before: None,
                is_broken_off: false,
            };
            if !looking.look(from, found)? {
                return Ok(false);
            }
            from += same;
        }
        if let Some(file) = snapshot.unreadable_before(slots.len()) {
            found.push(Piece::Broken(file.log().to_owned(), file.number()));
        }
        Ok(true)
    }
}

/// Why no segment can be read: no split could name the log.
fn why_unreadable(snapshot: &Snapshot) -> Option<Error> {
    let file = snapshot.unreadable.first().map(|file| file.error.clone());
    file.or_else(|| (0..snapshot.slots.len()).find_map(|at| snapshot.open(at).err()))
}

/// A look at the segments of one log.
struct Looking<'a> {
    reader: &'a Reader,
    snapshot: &'a Snapshot,
    selection: Selection,
    /// Blocks that hold nothing wanted are left out.
    drops: bool,
    grain: u64,
    /// The number of the segment after the last one of the log.
    end: usize,
    before: Option<Before>,
    /// A file before the next segment cannot be read.
    is_broken_off: bool,
}

/// What a segment's header says of the records in it and before it.
struct Stated {
    first_id: u64,
    /// The largest time before it.
    latest_ns: Option<i64>,
    /// How far times have run back before it.
    disorder_ns: Option<u64>,
}

/// Where a segment begins.
enum Beginning {
    At(Stated),
    /// It cannot be read.
    Unknown,
    /// It was removed.
    Gone,
}

/// What was found of a segment.
struct Looked {
    next_id: u64,
    end: u64,
    is_whole: bool,
    chunks: Vec<Chunk>,
}

impl Looked {
    /// Bytes at the end of the last segment that are neither blocks nor space are in what is planned, whatever the
    /// filter, and so are the ids of the block that is cut off there: readers report them, and salvage shows those of its
    /// records that are whole, within these ids.
    fn with_unclean_end(&mut self, segment: &Segment, map: &Map, saved: Option<RangeInclusive<u64>>) -> Result<()> {
        let Some((stopped, _)) = map.stopped else { return Ok(()) };
        if stopped >= end_before_space(segment)? {
            return Ok(());
        }
        if let Some(cut_off) = block_at(segment, stopped)? {
            self.next_id = self.next_id.max(cut_off.next_id());
            if let Some(ids) = saved {
                let first_id = cut_off.first_id.max(*ids.start());
                let records = cut_off.next_id().min(ids.end().saturating_add(1)).saturating_sub(first_id);
                self.chunks.push(Chunk { first_id, records, bytes: cut_off.block_len(), times: (i64::MIN, i64::MAX) });
            }
        }
        if self.chunks.is_empty() {
            self.chunks.push(Chunk::of_nothing(self.next_id));
        }
        Ok(())
    }
}

impl Looking<'_> {
    fn look(&mut self, from: usize, found: &mut Vec<Piece>) -> Result<bool> {
        let Some(begin) = self.begin(from)? else { return Ok(false) };
        let Some(behind) = self.behind_times(begin)? else { return Ok(false) };
        let mut next = begin;
        while next < self.end {
            let at = next;
            next += 1;
            // The first one shows whether wanted ids in front of it are missing; a reader goes past a file that cannot be read
            // to the one behind it.
            if behind.contains(&at) && at > behind.start && !self.is_broken_off {
                (next, self.before) = (behind.end, None);
                continue;
            }
            if let Some(file) = self.snapshot.unreadable_before(at) {
                found.push(Piece::Broken(file.log().to_owned(), file.number()));
                self.is_broken_off = true;
            }
            match self.piece(at)? {
                Some(Some(piece)) => found.push(piece),
                Some(None) => (),
                None => return Ok(false),
            }
            if at > from && self.is_past(at) {
                // It shows whether the wanted ids in front of it are missing.
                break;
            }
        }
        Ok(true)
    }

    /// The first segment that can hold something wanted; `None` when one was removed.
    fn begin(&self, first: usize) -> Result<Option<usize>> {
        if self.selection.first_id() <= 1 && !self.selection.has_first_time() {
            return Ok(Some(first));
        }
        let is_before = |stated: &Stated| self.selection.begins_at_or_behind(stated.first_id, stated.latest_ns);
        Ok(self.bisect(first..self.end, &is_before)?.map(|behind| behind.saturating_sub(1).max(first)))
    }

    /// The segments, after the one that comes first, whose records are all behind the wanted times; `None` when one was
    /// removed. That of the last one whose header can be read is not among them: it states how far times have run back
    /// before it.
    fn behind_times(&self, first: usize) -> Result<Option<Range<usize>>> {
        const NONE: Range<usize> = 0..0;
        let Some(to) = self.selection.end_time().filter(|_| self.drops) else { return Ok(Some(NONE)) };
        for last in (first + 1..self.end).rev() {
            let disorder_ns = match self.beginning(last)? {
                Beginning::At(stated) => stated.disorder_ns,
                Beginning::Unknown => continue,
                Beginning::Gone => return Ok(None),
            };
            let to = disorder_ns.and_then(|disorder_ns| to.checked_add_unsigned(disorder_ns));
            let Some(to) = to else { break };
            let may_hold = |stated: &Stated| stated.latest_ns.is_none_or(|latest_ns| latest_ns < to);
            return Ok(self.bisect(first + 1..last, &may_hold)?.map(|behind| behind..last));
        }
        Ok(Some(NONE))
    }

    /// The first of these segments for which `holds` is false, when it is true for all before; `None` when one was
    /// removed. One whose beginning cannot be read is passed over.
    fn bisect(&self, among: Range<usize>, holds: &dyn Fn(&Stated) -> bool) -> Result<Option<usize>> {
        let (mut from, mut to) = (among.start, among.end);
        while from < to {
            let middle = from + (to - from) / 2;
            let mut is_before = false;
            let mut asked = middle;
            while asked < to {
                match self.beginning(asked)? {
                    Beginning::At(stated) => {
                        is_before = holds(&stated);
                        break;
                    }
                    Beginning::Unknown => asked += 1,
                    Beginning::Gone => return Ok(None),
                }
            }
            match is_before && asked < to {
                true => from = asked + 1,
                false => to = middle,
            }
        }
        Ok(Some(from))
    }

    /// What a segment's header says of where it begins. A catalog has the headers of many: far away, that is one request
    /// in place of one for each step of the bisection.
    fn beginning(&self, at: usize) -> Result<Beginning> {
        let slot = &self.snapshot.slots[at];
        if slot.known().is_none() {
            if let Some(summary) = self.reader.summary_in(slot).filter(|_| self.drops) {
                let header = &summary.header;
                let (latest_ns, disorder_ns) = (header.latest_before_ns(), header.disorder_before_ns());
                return Ok(Beginning::At(Stated { first_id: header.first_id, latest_ns, disorder_ns }));
            }
            match self.snapshot.open(at) {
                Ok(SlotState::Gone) => return Ok(Beginning::Gone),
                Ok(_) => (),
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(slot.known().map_or(Beginning::Unknown, |Known { first_id, latest_ns, disorder_ns, .. }| {
            Beginning::At(Stated { first_id, latest_ns, disorder_ns })
        }))
    }

    /// Whether everything from this segment on is past the wanted ids.
    fn is_past(&self, at: usize) -> bool {
        let slot = &self.snapshot.slots[at];
        let first_id = slot.known().map(|known| known.first_id);
        let summed = || self.reader.summary_in(slot).filter(|_| self.drops).map(|summary| summary.header.first_id);
        first_id.or_else(summed).is_some_and(|first_id| first_id > self.selection.last_event_id())
    }

    /// The piece of segment number `at`, if there is something in it; `None` when it was removed.
    fn piece(&mut self, at: usize) -> Result<Option<Option<Piece>>> {
        let slot = self.snapshot.slots[at].clone();
        if let Some(summary) = self.reader.summary_in(&slot).filter(|_| self.drops && at + 1 < self.end) {
            let follows = self.follows(&summary.header, None)?;
            if follows && !self.selection.wants_summary(&summary) {
                self.before = Some(Before::Summed(summary));
                return Ok(Some(None));
            }
            if follows && summary.bytes / UNCUT <= self.grain {
                let stretch = self.summed(at, &summary);
                self.before = Some(Before::Summed(summary));
                return Ok(Some(Some(Piece::Stretch(stretch))));
            }
        }
        let segment = match self.snapshot.open(at) {
            Ok(SlotState::Segment(segment)) if segment.is_unborn => return Ok(Some(None)),
            Ok(SlotState::Segment(segment)) => segment,
            Ok(SlotState::Unborn) => return Ok(Some(None)),
            Ok(SlotState::Gone) => return Ok(None),
            Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => {
                self.is_broken_off = true;
                return Ok(Some(Some(Piece::Broken(slot.log.name.clone(), slot.sequence))));
            }
            Err(error) => return Err(error),
        };
        let repeats = |before: &Before| segment.header.first_id < before.next_id();
        if !segment.is_rescued && self.before.as_ref().is_some_and(repeats) {
            // It repeats records: readers report it where the segment before it ends, and salvage skips it.
            self.is_broken_off = true;
            return Ok(Some(Some(Piece::Broken(slot.log.name.clone(), slot.sequence))));
        }
        let follows = self.follows(&segment.header, Some(&segment))?;
        if follows && self.is_past(at) && self.before.is_some() {
            return Ok(Some(None));
        }
        let looked = match self.is_past(at) && self.before.is_some() {
            true => Looked { next_id: segment.header.first_id, end: segment.start, is_whole: true, chunks: vec![] },
            false => self.look_at(at, &segment)?,
        };
        segment.forget_rows();
        let first_id = segment.header.first_id;
        let is_legacy = segment.translated.is_some();
        let from_id = if is_legacy { first_id } else { first_id.max(self.selection.first_id()) };
        let wanted_to = self.selection.last_id().saturating_add(1);
        let stretch = Stretch {
            is_rescued: segment.is_rescued,
            must_be_listed: is_legacy
                || segment.is_rescued
                || self.snapshot.alternative(at).is_some()
                || !slot.is_rightly_named(),
            slot,
            first_id: from_id,
            next_id: looked.next_id.min(wanted_to),
            begins: first_id,
            to_the_end: looked.next_id < wanted_to || self.selection.reaches(looked.next_id),
            bytes: segment.file_len().unwrap_or(0),
            chunks: looked.chunks,
            follows,
        };
        self.is_broken_off = false;
        let Looked { next_id, end, is_whole, .. } = looked;
        self.before = Some(Before::Opened { segment, end, next_id, is_whole });
        Ok(Some(Some(Piece::Stretch(stretch))))
    }

    /// What the catalog says of a segment that is not cut, in place of its index.
    fn summed(&self, at: usize, summary: &Summary) -> Stretch {
        let slot = self.snapshot.slots[at].clone();
        let begins = summary.header.first_id;
        let first_id = begins.max(self.selection.first_id());
        let wanted_to = self.selection.last_id().saturating_add(1);
        let chunk = Chunk {
            first_id: begins,
            records: self.selection.records_of_summary(summary),
            bytes: summary.bytes,
            times: summary.span.unwrap_or((i64::MAX, i64::MIN)),
        };
        Stretch {
            must_be_listed: self.snapshot.alternative(at).is_some() || !slot.is_rightly_named(),
            slot,
            first_id,
            next_id: summary.next_id.min(wanted_to),
            begins,
            to_the_end: summary.next_id < wanted_to || self.selection.reaches(summary.next_id),
            bytes: summary.bytes,
            chunks: vec![chunk],
            follows: true,
            is_rescued: false,
        }
    }

    /// Whether the segment with this header follows the one before it, if there is one.
    fn follows(&self, header: &FileHeader, segment: Option<&Segment>) -> Result<bool> {
        match &self.before {
            _ if self.is_broken_off => Ok(false),
            Some(before) => before.is_followed_by(header, segment),
            None => Ok(true),
        }
    }

    fn look_at(&mut self, at: usize, segment: &Arc<Segment>) -> Result<Looked> {
        self.selection.begin_segment();
        if segment.translated.is_some() || segment.is_compressed_whole() || segment.is_rescued {
            return self.as_one(at, segment);
        }
        let mut map = segment.indexed()?;
        let end = map.end().unwrap_or(segment.start);
        let is_indexed = map.is_contiguous(segment.start) && map.trailer == Some(end);
        if !is_indexed {
            if segment.file.is_far() {
                return self.as_one(at, segment);
            }
            look_for_holes(self.snapshot, at, segment)?;
            if !segment.holes().is_empty() {
                // Only with the segment that names them are they known to who reads the split.
                return self.as_one(at, segment);
            }
            map = segment.mapped()?;
        }
        let is_last = at + 1 == self.end;
        if let Some((stopped, _)) = map.stopped.as_ref().filter(|_| is_last) {
            // More than a torn tail: the ids end behind the damage.
            if !matches!(behind(segment, *stopped, 0)?, Behind::Nothing) {
                return self.as_one(at, segment);
            }
        }
        match self.chunks(segment, &map) {
            Ok(Some(chunks)) => {
                let mut end = map.end().unwrap_or(segment.start);
                if is_indexed {
                    end += trailer::LEN as u64;
                }
                let is_whole = is_last || map.stopped.is_none();
                let next_id = map.parts.last().map_or(segment.header.first_id, |part| part.next_id);
                let mut looked = Looked { next_id, end, is_whole, chunks };
                if is_last && !segment.is_live() {
                    let ids = self.selection.first_id()..=self.selection.last_id();
                    let saves = self.reader.options.mode == ReaderMode::Salvage;
                    looked.with_unclean_end(segment, &map, saves.then_some(ids))?;
                }
                Ok(looked)
            }
            Ok(None) => self.as_one(at, segment),
            Err(Bad::Io(error)) => Err(error),
            Err(_) => self.as_one(at, segment),
        }
    }

    /// The chunks of a segment; `None` when something is wrong in it.
    fn chunks(&mut self, segment: &Arc<Segment>, map: &Map) -> Result<Option<Vec<Chunk>>, Bad> {
        if !map.is_contiguous(segment.start) || !map.holes.is_empty() {
            return Ok(None);
        }
        for named in &*map.names {
            self.selection.learn_name(named.clone());
        }
        let mut chunks: Vec<Chunk> = vec![];
        // As a cursor, which reads every block unless the filter is selective.
        let drops = self.drops && self.selection.is_selective(segment.header.first_id);
        for part in &map.parts {
            let is_wanted = match drops {
                true => self.selection.wants_part(part),
                false => self.selection.wants_ids((part.first_id, part.next_id), true),
            };
            if !is_wanted {
                continue;
            }
            let window = segment.rows(part)?;
            for row in &window.rows {
                let is_wanted = match drops {
                    true => self.selection.wants_row(&window, row),
                    false => self.selection.wants_ids((row.first_id, row.next_id()), row.has_events),
                };
                if is_wanted {
                    self.add(&mut chunks, &window, row);
                }
            }
        }
        if chunks.is_empty() && !drops {
            // Its bytes have to be checked all the same.
            chunks.push(Chunk::of_nothing(segment.header.first_id));
        }
        Ok(Some(chunks))
    }

    fn add(&self, chunks: &mut Vec<Chunk>, window: &Window, row: &Row) {
        let records = self.selection.records_of(window, row);
        match chunks.last_mut().filter(|last| last.bytes.saturating_add(row.len) <= self.grain) {
            Some(last) => {
                last.records += records;
                last.bytes += row.len;
                last.times = (last.times.0.min(row.min_time), last.times.1.max(row.max_time));
            }
            None => chunks.push(Chunk {
                first_id: row.first_id,
                records,
                bytes: row.len,
                times: (row.min_time, row.max_time),
            }),
        }
    }

    /// A segment that cannot be cut, because nothing shows where its blocks are, or not all of them are sound.
    fn as_one(&self, at: usize, segment: &Arc<Segment>) -> Result<Looked> {
        let first_id = segment.header.first_id;
        let is_whole = segment.translated.is_some() || segment.is_compressed_whole();
        let following = self.snapshot.slots[..self.end].get(at + 1);
        let next_id = match following {
            Some(next) if segment.translated.is_none() => match self.snapshot.open_slot(next) {
                Ok(SlotState::Segment(next)) => Some(next.header.first_id),
                _ => None,
            },
            _ => None,
        };
        let next_id = match next_id {
            Some(next_id) => next_id,
            None => self.counted(segment)?,
        };
        let first = first_id.max(self.selection.first_id());
        let records = next_id.min(self.selection.last_id().saturating_add(1)).saturating_sub(first);
        let bytes = segment.file_len().unwrap_or_else(|| self.snapshot.slots[at].len());
        let chunk = Chunk { first_id, records, bytes, times: (i64::MIN, i64::MAX) };
        let is_wanted = next_id >= self.selection.first_id();
        let end = if is_whole { segment.bytes()? } else { end_before_space(segment)? };
        Ok(Looked { next_id, end, is_whole: false, chunks: if is_wanted { vec![chunk] } else { vec![] } })
    }

    /// The id after the last record of a segment, found without its index.
    fn counted(&self, segment: &Arc<Segment>) -> Result<u64> {
        if let Some(translated) = &segment.translated {
            let records = translated.records().map_err(|e| Error::io(&e, "read").at(&segment.path))?;
            return Ok(segment.header.first_id + records);
        }
        if !segment.is_compressed_whole() && segment.ends_with_trailer()? == Some(true) {
            let len = segment.file_len().unwrap_or(0);
            let ends_there =
                |(at, last): &(u64, BlockHeader)| at.saturating_add(last.block_len() + trailer::LEN as u64) == len;
            if let Some((_, last)) = last_block(segment)?.filter(ends_there) {
                return Ok(last.next_id().max(segment.header.first_id));
            }
        }
        let map = segment.mapped()?;
        let mapped = map.parts.iter().map(|part| part.next_id).max().unwrap_or(segment.header.first_id);
        let is_sound = map.is_contiguous(segment.start) && map.holes.is_empty() && map.stopped.is_none();
        let must_be_read = !segment.file.is_far() || self.reader.options.mode == ReaderMode::Salvage;
        match !is_sound && must_be_read && !segment.is_compressed_whole() {
            true => Ok(mapped.max(self.salvaged(segment)?)),
            false => Ok(mapped),
        }
    }

    /// As [`Self::counted`], with the blocks behind damage that are not where they were written: the map ends in front of
    /// them, and a reader that salvages finds them.
    fn salvaged(&self, segment: &Arc<Segment>) -> Result<u64> {
        let first_id = segment.header.first_id;
        let filter = Filter { from_id: Some(first_id), headers_only: true, ..Filter::default() };
        // Losses are reported by who reads the split, also those behind the last record.
        let lost_to = Arc::new(AtomicU64::new(0));
        let (heard, path) = (lost_to.clone(), segment.path.clone());
        let on_loss = Arc::new(move |loss: &Loss| {
            if let Some((_, last)) = loss.ids.filter(|_| loss.path == path) {
                heard.fetch_max(last, Ordering::Relaxed);
            }
        });
        let options =
            ReaderOptions { mode: ReaderMode::Salvage, on_loss: Some(on_loss), ..self.reader.options.clone() };
        let mut snapshot = self.snapshot.clone();
        snapshot.slots.truncate(self.end);
        let mut cursor = Cursor::new(self.reader.source.clone(), snapshot, &options, &filter)?;
        let mut next_id = first_id;
        loop {
            let mut last = None;
            match cursor.next_batch(usize::MAX, |record| last = Some(record.id)) {
                Ok(0) => return Ok(next_id.max(lost_to.load(Ordering::Relaxed) + 1)),
                Ok(_) => (),
                Err(error) if error.kind() == Kind::Missed => continue,
                Err(error) => return Err(error),
            }
            let here = &cursor.segment().header;
            if (&here.log_id, here.sequence) == (&segment.header.log_id, segment.header.sequence) {
                next_id = next_id.max(last.map_or(0, |last| last + 1));
            }
        }
    }
}
