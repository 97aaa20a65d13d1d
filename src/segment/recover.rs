//! Finds the end and the contents of a segment for a writer that continues it. The cost grows with what was written
//! since the last sync and the last INDEX block, not with the file.

use std::sync::Arc;

use super::indexing::{Indexing, Summary};
use super::tail::{
    behind, block_at, end_before_space, is_space, lacks_trailer, last_block, may_be_lost, next_block, Behind,
};
use super::{Bad, Scanner, Segment};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::declaration::Hole;
use crate::format::entries::{Entry, Progress};
use crate::format::index::{self, Totals};
use crate::format::tally::{Counted, Standing, Tallies};
use crate::format::Malformed;
use crate::memory::{self, NoMemory};
use crate::record::{event, id_after_loss, is_event, Metadata, NamedType};

/// What a segment was found to contain.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The offset after the last good block.
    pub end: u64,
    /// The offset up to which the segment states that it was durable.
    pub durable_end: u64,
    /// The segment's number.
    sequence: u64,
    /// The first id that a record can have.
    pub first_id: u64,
    pub next_id: u64,
    pub types: Vec<NamedType>,
    /// Whether the last block is a TRAILER: the segment was closed.
    pub closed: bool,
    /// The contents of the next INDEX block.
    pub indexing: Indexing,
    /// The id that comes next although it is not `next_id`: the log reports the ids in between as lost.
    acknowledged: Option<u64>,
    /// INDEX blocks are skipped, because rows of all blocks are wanted.
    is_survey: bool,
    tallies: Tallies,
    /// Bytes after `end`: a torn tail.
    pub torn_bytes: u64,
    /// Why the torn bytes, or those of the first hole, are not a block.
    pub torn_reason: String,
    /// Runs of bytes that are not a block, although blocks follow, and that were never durable as far as is recorded: a
    /// power cut left them. The bytes after the last block are then one of these runs, and `end` is after them.
    pub holes: Vec<Hole>,
    pub written: Written,
    /// The last block of records or events, and the last one with records.
    last: Option<Last>,
    last_with_records: Option<Last>,
}

/// A block with records or events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub offset: u64,
    len: u64,
    pub has_events: bool,
}

/// When a segment was last written, according to its last blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// The time of the writer's clock, from the last block that has only events; each opening and each close writes
    /// one.
    pub clock: Option<i64>,
    /// The largest time in the last block with records. They may have times of their own.
    pub records: Option<i64>,
}

impl Written {
    fn note(&mut self, has_records: bool, max_time: i64) {
        match has_records {
            true => self.records = Some(max_time),
            false => self.clock = Some(max_time),
        }
    }
}

impl Recovered {
    /// For a segment without a block.
    pub fn nothing(segment: &Segment) -> Self {
        Recovered {
            end: segment.start,
            durable_end: 0,
            sequence: segment.header.sequence,
            first_id: segment.header.first_id,
            next_id: segment.header.first_id,
            types: vec![],
            closed: false,
            indexing: Indexing::new(segment.start),
            acknowledged: None,
            is_survey: false,
            tallies: Tallies::default(),
            torn_bytes: 0,
            torn_reason: String::new(),
            holes: vec![],
            written: Written::default(),
            last: None,
            last_with_records: None,
        }
    }

    /// The last block of records or events, if the segment has any.
    pub(super) fn last(&self) -> Option<Last> {
        self.last
    }

    fn note_last(&mut self, last: Last, has_records: bool) {
        self.last = Some(last);
        if has_records {
            self.last_with_records = Some(last);
        }
    }
}

/// The first id that a record in the segment can have: its first events may report ids as lost.
fn first_id(segment: &Arc<Segment>) -> Result<u64> {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    let mut found = Recovered::nothing(segment);
    let first = scanner.header().and_then(|header| {
        if header.kind == BlockKind::Records && header.count == 0 && header.has_events() {
            scanner.load_entries(&header)?;
            remember(&scanner, &header, &mut found)?;
        }
        Ok(found.acknowledged.unwrap_or(segment.header.first_id))
    });
    match first {
        Err(Bad::Io(error)) if error.kind() == Kind::NoMemory => Err(error.at(&segment.path)),
        // Damage there is reported when it is read.
        first => Ok(first.unwrap_or(segment.header.first_id).max(segment.header.first_id)),
    }
}

/// Walks the end of the segment by its block headers, from the last INDEX block that was durable, and verifies every
/// byte of the blocks that were not yet known to be durable. Bytes that are not a torn tail are an error: corruption is
/// never cut away.
pub(crate) fn recover(segment: &Arc<Segment>) -> Result<Recovered> {
    let found = recover_past_holes(segment, 0)?;
    match found.holes.first() {
        Some(hole) => Err(damaged(segment, hole.offset, &found.torn_reason)),
        None => Ok(found),
    }
}

/// As [`recover`], but continues after bytes that are not a block where nothing proves that they were durable: neither
/// the segment's blocks nor `durable_end`, which is known from elsewhere.
pub(crate) fn recover_past_holes(segment: &Arc<Segment>, durable_end: u64) -> Result<Recovered> {
    let found = recover_end(segment, durable_end)?;
    Ok(Recovered { first_id: first_id(segment)?.min(found.next_id), ..found })
}

fn recover_end(segment: &Arc<Segment>, known: u64) -> Result<Recovered> {
    if let Some((near, is_verified)) = last_sound_index(segment)? {
        let durable_end = durable_end(segment, near.end)?.max(near.durable_end).max(known);
        // The blocks on the way to the file's last one must confirm the durable end that it states.
        if is_verified || durable_end >= near.end {
            return walk(segment, Recovered { durable_end, ..near });
        }
    }
    let durable_end = durable_end(segment, segment.start)?.max(known);
    walk(segment, Recovered { durable_end, ..Recovered::nothing(segment) })
}

/// As [`recover`], for a segment whose blocks will be read and verified anyway: when it was closed, its end is believed
/// and no block is read for this.
pub(crate) fn find_end(segment: &Arc<Segment>) -> Result<Recovered> {
    let Some((_, trailer)) = last_block(segment)?.filter(|(_, last)| last.kind == BlockKind::Trailer) else {
        return recover(segment);
    };
    let at = trailer.last_index;
    let (header, _, totals) = match load_index(&mut Scanner::new(segment.clone(), at)) {
        Ok(index) => index,
        Err(Bad::Io(error)) => return Err(error),
        Err(_) => return recover(segment),
    };
    let end = at + header.block_len();
    let indexing = Indexing::after(at, end, &totals);
    let (next_id, types, believed) = (header.first_id, totals.names, u64::MAX);
    let found = Recovered { end, next_id, types, indexing, durable_end: believed, ..Recovered::nothing(segment) };
    match walk(segment, found) {
        Ok(found) if found.closed => Ok(Recovered { durable_end: trailer.durable_end, ..found }),
        _ => recover(segment),
    }
}

/// Walks the whole segment by its headers and entries, whatever its index contains, for an index of all of it. A torn
/// tail is an error here.
pub(crate) fn survey(segment: &Arc<Segment>) -> Result<Recovered> {
    let end = end_before_space(segment)?;
    let found = walk(segment, Recovered { durable_end: end, is_survey: true, ..Recovered::nothing(segment) })?;
    match found.torn_bytes {
        // The blocks read for this need not be on the disk.
        0 => Ok(Recovered { durable_end: durable_end(segment, segment.start)?, ..found }),
        _ => {
            let reason =
                format!("{}: open the log for writing, which cuts a torn tail, or recover it", found.torn_reason);
            Err(Error::corrupt(reason).at_offset(&segment.path, found.end))
        }
    }
}

/// The contents of the segment up to the last INDEX block before which everything was durable when the last block was
/// written, or can be verified with little more reading. The flag is true in the second case.
fn last_sound_index(segment: &Arc<Segment>) -> Result<Option<(Recovered, bool)>> {
    let Some((offset, last)) = last_block(segment)? else { return Ok(None) };
    let mut at = if last.kind == BlockKind::Index { offset } else { last.last_index };
    let mut scanner = Scanner::new(segment.clone(), at);
    while at != 0 {
        scanner.jump(at);
        let (header, window, totals) = match load_index(&mut scanner) {
            Ok(index) => index,
            Err(Bad::Io(error)) => return Err(error),
            // The index is only an aid: a crash may have torn it, or it is damaged, and the one before may be usable.
            Err(_) => match scanner.header() {
                Ok(header) if header.kind == BlockKind::Index => {
                    at = header.last_index;
                    continue;
                }
                Err(Bad::Io(error)) => return Err(error),
                _ => return Ok(None),
            },
        };
        let end = at + header.block_len();
        let is_durable = end <= last.durable_end;
        if is_durable || is_whole(segment, &window, at, last.durable_end)? {
            let indexing = Indexing::after(at, end, &totals);
            let next_id = header.first_id;
            let (types, durable_end) = (totals.names, header.durable_end);
            let mut written = Written::default();
            window.rows.iter().for_each(|row| written.note(row.count > 0, row.max_time));
            let mut found =
                Recovered { end, durable_end, next_id, types, indexing, written, ..Recovered::nothing(segment) };
            find_last(&mut scanner, window, &mut found)?;
            return Ok(Some((found, !is_durable)));
        }
        at = window.previous;
    }
    Ok(None)
}

/// Notes the last blocks that are in this window of the index, or in one before it.
fn find_last(scanner: &mut Scanner, mut window: index::Window, found: &mut Recovered) -> Result<()> {
    // Each opening without an append leaves a window without a row that has records.
    const WINDOWS: usize = 8;
    for _ in 0..WINDOWS {
        let of = |row: &index::Row| Last { offset: row.offset, len: row.len, has_events: row.has_events };
        found.last = found.last.or(window.rows.last().map(of));
        found.last_with_records = window.rows.iter().rfind(|row| row.count > 0).map(of);
        if found.last_with_records.is_some() || window.previous == 0 {
            break;
        }
        scanner.jump(window.previous);
        window = match load_index(scanner) {
            Ok((_, before, _)) => before,
            Err(Bad::Io(error)) => return Err(error),
            // The index is only an aid.
            Err(_) => break,
        };
    }
    Ok(())
}

/// Checks that the last records are whole, even if they are known to have been durable: nothing is appended after
/// damage that reading the last block shows.
///
/// # Errors
/// [`Kind::Corrupt`] when they are not, and errors of the system.
pub(crate) fn check_last_records(segment: &Arc<Segment>, found: &Recovered) -> Result<()> {
    // Opening a log must not cost as much as reading a record larger than this.
    const MOST: u64 = 1 << 20;
    let Some(last) = found.last_with_records.filter(|last| last.len <= MOST) else { return Ok(()) };
    if last.offset >= found.durable_end {
        // The walk has read all of it.
        return Ok(());
    }
    let mut scanner = Scanner::new(segment.clone(), last.offset);
    match scanner.header().and_then(|header| scanner.load(&header)) {
        Ok(()) => Ok(()),
        Err(Bad::Io(error)) => Err(error),
        Err(bad) => Err(damaged(segment, last.offset, &bad.describe().1)),
    }
}

/// Whether the blocks of the window agree with its INDEX block at `to`: by their headers, and those that may not be
/// durable by every byte.
fn is_whole(segment: &Arc<Segment>, window: &index::Window, to: u64, durable_end: u64) -> Result<bool> {
    if window.from > durable_end {
        return Ok(false);
    }
    let mut scanner = Scanner::new(segment.clone(), window.from);
    let mut rows = window.rows.iter();
    while scanner.next_offset() < to {
        let read = scanner.header().and_then(|header| {
            if scanner.offset() + header.block_len() > durable_end {
                scanner.load(&header)?;
            }
            Ok(header)
        });
        let header = match read {
            Ok(header) => header,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return Ok(false),
        };
        let matches = |row: &index::Row| {
            (row.offset, row.len, row.first_id, row.count)
                == (scanner.offset(), header.block_len(), header.first_id, header.count)
        };
        if header.kind == BlockKind::Records && !rows.next().is_some_and(matches) {
            return Ok(false);
        }
        scanner.skip(&header);
    }
    Ok(scanner.next_offset() == to && rows.next().is_none())
}

/// The INDEX block at the scanner's offset.
pub(super) fn load_index(scanner: &mut Scanner) -> Result<(BlockHeader, index::Window, Totals), Bad> {
    let header = scanner.header()?;
    if header.kind != BlockKind::Index {
        return Err(Bad::Malformed(Malformed::inconsistent("no index block is here")));
    }
    scanner.load_entries(&header).map_err(unusable)?;
    let (window, totals) = index::decode(scanner.entries(), scanner.written_offset()).map_err(Bad::from)?;
    Ok((header, window, totals))
}

/// Treats an index that takes more memory than may be used for a block as missing.
pub(super) fn unusable(bad: Bad) -> Bad {
    match bad {
        Bad::Io(error) if error.kind() == Kind::TooLarge => Bad::Malformed(Malformed::inconsistent(error.reason())),
        other => other,
    }
}

/// The greatest durable end in the blocks from `from` on, including those after bytes that are not a block.
fn durable_end(segment: &Arc<Segment>, from: u64) -> Result<u64> {
    let mut scanner = Scanner::new(segment.clone(), from);
    loop {
        let bad = match scanner.header() {
            Ok(header) => {
                scanner.skip(&header);
                continue;
            }
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => bad,
        };
        let offset = scanner.offset();
        if matches!(bad, Bad::End { left: 0 }) || segment.translated.is_some() || is_space(segment, offset)? {
            return Ok(scanner.durable_end());
        }
        match next_block(segment, offset + 1)? {
            Some(next) => scanner.jump(next),
            None => return Ok(scanner.durable_end()),
        }
    }
}

fn walk(segment: &Arc<Segment>, mut found: Recovered) -> Result<Recovered> {
    let mut scanner = Scanner::new(segment.clone(), found.end);
    loop {
        match step(&mut scanner, &mut found) {
            Ok(()) => (),
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => match no_block(&mut scanner, &mut found, &bad)? {
                true => (),
                false => break,
            },
        }
    }
    // Ids that were reported as lost are not given again, even if nothing follows the report yet.
    found.next_id = found.acknowledged.map_or(found.next_id, |next_id| next_id.max(found.next_id));
    Ok(found)
}

fn step(scanner: &mut Scanner, found: &mut Recovered) -> Result<(), Bad> {
    let header = scanner.header();
    if let Some(hole) = scanner.take_passed() {
        (found.end, found.next_id, found.closed) = (hole.end(), hole.next_id(found.next_id), false);
    }
    let header = header?;
    let in_order = header.first_id == found.next_id || found.acknowledged == Some(header.first_id);
    if !in_order && !matches!(header.kind, BlockKind::Skippable(_)) {
        let (first_id, expected) = (header.first_id, found.next_id);
        let reason = format!("the block begins with record {first_id}, where {expected} should come");
        return Err(Bad::Malformed(Malformed::Inconsistent(reason)));
    }
    match header.kind {
        BlockKind::Records => {
            match scanner.offset() >= found.durable_end {
                true => scanner.load(&header)?,
                false => scanner.load_entries(&header)?,
            }
            remember(scanner, &header, found)?;
            found.written.note(header.count > 0, header.max_time);
            let (offset, len) = (scanner.offset(), header.block_len());
            let last = Last { offset, len, has_events: header.has_events() };
            found.note_last(last, header.count > 0);
        }
        BlockKind::Index if found.is_survey => (),
        BlockKind::Index => remember_index(scanner, &header, found)?,
        BlockKind::Trailer => scanner.load_entries(&header)?,
        BlockKind::Skippable(_) => (),
    }
    scanner.check_whole(&header)?;
    scanner.skip(&header);
    found.end = scanner.offset() + header.block_len();
    if !matches!(header.kind, BlockKind::Skippable(_)) {
        found.next_id = header.next_id();
    }
    found.closed = header.kind == BlockKind::Trailer;
    if found.closed {
        scanner.segment().saw_trailer();
    }
    Ok(())
}

/// A damaged index is skipped, unless it is the torn end of the file.
fn remember_index(scanner: &mut Scanner, header: &BlockHeader, found: &mut Recovered) -> Result<(), Bad> {
    let (offset, end) = (scanner.offset(), scanner.offset() + header.block_len());
    let read = scanner.load_entries(header);
    let read = read.and_then(|()| index::decode(scanner.entries(), offset).map_err(Bad::from));
    match read {
        Ok((_, totals)) => {
            found.indexing = Indexing::after(offset, end, &totals);
            found.types = totals.names;
            Ok(())
        }
        Err(Bad::Malformed(reason)) => {
            let kept = offset < found.durable_end || next_block(scanner.segment(), end).map_err(Bad::Io)?.is_some();
            if kept {
                Ok(())
            } else {
                Err(Bad::Malformed(reason))
            }
        }
        Err(bad) => Err(bad),
    }
}

/// Notes the types that the block names, and its row for the index.
fn remember(scanner: &Scanner, header: &BlockHeader, found: &mut Recovered) -> Result<(), Bad> {
    let Recovered { types, acknowledged, indexing, tallies, .. } = found;
    summarize(scanner, header, tallies, indexing, |type_id, facts| match type_id {
        event::TYPE => memory::append(types, NamedType::from_event(facts)),
        event::RECOVERED => {
            *acknowledged = id_after_loss(facts);
            Ok(())
        }
        _ => Ok(()),
    })
}

/// Counts the contents of a block, whose entries are loaded, for its row of the index; calls `event` with each event.
fn summarize(
    scanner: &Scanner,
    header: &BlockHeader,
    tallies: &mut Tallies,
    indexing: &mut Indexing,
    mut event: impl FnMut(u32, Metadata<'_>) -> Result<(), NoMemory>,
) -> Result<(), Bad> {
    tallies.clear();
    let mut counted = tallies.begin();
    let mut pairs: Vec<&[u8]> = vec![];
    let mut progress = Progress::new(header.min_time);
    let (mut ordinal, mut payload_at, mut latest) = (0u32, 0u64, i64::MIN);
    loop {
        let place = (&mut ordinal, &mut payload_at, &mut latest);
        count_short(scanner.entries(), &mut progress, place, (tallies, &mut counted));
        let Some(entry) = progress.next(scanner.entries()).map_err(Bad::from)? else { break };
        let standing = || Standing {
            ordinal,
            payload_at: payload_at as u32,
            payload_len: entry.payload_len,
            time: entry.time,
            has_metadata: !entry.metadata.is_empty(),
        };
        tallies.add(&mut counted, entry.type_id, standing);
        payload_at += u64::from(entry.payload_len);
        if !entry.metadata.is_empty() {
            memory::push(&mut pairs, entry.metadata)?;
        }
        if is_event(entry.type_id) {
            event(entry.type_id, Metadata::from_bytes(entry.metadata))?;
        } else {
            ordinal = ordinal.saturating_add(1);
            latest = latest.max(entry.time);
        }
    }
    if (ordinal, payload_at) != (header.count, u64::from(header.payload_len)) {
        return Err(Bad::Malformed(Malformed::miscounted()));
    }
    tallies.settle();
    let summary = Summary {
        offset: scanner.offset(),
        len: header.block_len(),
        head_len: header.head_len() as u32,
        first_id: header.first_id,
        count: header.count,
        times: (header.min_time, header.max_time),
        latest,
        tallies: (!counted.overflown).then(|| tallies.of(&counted)),
        checksums: (header.codec == 0).then(|| scanner.checksums(header)),
        entries_len: header.entries_len as usize,
    };
    indexing.reserve(1)?;
    indexing.add(&summary, pairs.into_iter());
    Ok(())
}

/// Counts records for as long as entries have the short form, without metadata, as nearly all have. A loop of its own
/// keeps its variables in registers. It may leave any entry to its caller.
#[inline(never)]
fn count_short(
    entries: &[u8],
    progress: &mut Progress,
    (ordinal, payload_at, latest): (&mut u32, &mut u64, &mut i64),
    (tallies, counted): (&mut Tallies, &mut Counted),
) {
    let (mut at, mut number, mut place, mut last) = (*progress, *ordinal, *payload_at, *latest);
    while let Some((entry, behind)) = at.short(entries) {
        if is_event(entry.type_id) {
            break;
        }
        let Entry { type_id, payload_len, time, .. } = entry;
        let payload_at = place as u32;
        let standing = || Standing { ordinal: number, payload_at, payload_len, time, has_metadata: false };
        tallies.add(counted, type_id, standing);
        (at, number, place) = (behind, number.saturating_add(1), place + u64::from(payload_len));
        last = last.max(time);
    }
    (*progress, *ordinal, *payload_at, *latest) = (at, number, place, last);
}

/// Decides what the bytes after the last block are, where there is no block. Moves to the next block, after a hole, if
/// there is one; returns false at the end of the segment.
fn no_block(scanner: &mut Scanner, found: &mut Recovered, bad: &Bad) -> Result<bool> {
    let segment = scanner.segment().clone();
    let offset = found.end;
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    let bytes = len.saturating_sub(offset);
    // Zeros before a durable end are damage.
    if bytes == 0 || (offset >= found.durable_end && is_space(&segment, offset)?) {
        return match lacks_trailer(&segment, offset)? {
            true => Err(damaged(&segment, offset, NO_TRAILER)),
            false => Ok(false),
        };
    }
    found.closed = false;
    let reason = match bad {
        Bad::Malformed(reason) => reason.to_string(),
        _ => "the file ends within a block".to_owned(),
    };
    if !may_be_lost(&segment, offset, 0, found.durable_end)? {
        return Err(damaged(&segment, offset, &reason));
    }
    if found.holes.is_empty() {
        found.torn_reason.clone_from(&reason);
    }
    match behind(&segment, offset, 0)? {
        Behind::Nothing if found.holes.is_empty() => {
            found.torn_bytes = bytes;
            Ok(false)
        }
        Behind::Nothing => {
            found.add_hole(len, found.next_id);
            Ok(false)
        }
        Behind::Block(next) => match block_at(&segment, next)?.filter(|header| header.first_id >= found.next_id) {
            Some(header) => {
                found.add_hole(next, header.first_id);
                scanner.jump(next);
                Ok(true)
            }
            None => Err(damaged(&segment, offset, &reason)),
        },
        Behind::Moved(place) => {
            let reason =
                format!("{reason}, and what was written behind it is not where it was written (offset {place})");
            Err(damaged(&segment, offset, &reason))
        }
    }
}

impl Recovered {
    /// Treats the torn tail as another run of bytes that are not a block, up to the end of the file; the bytes stay
    /// there.
    pub fn leave_torn_tail(&mut self, len: u64) {
        self.add_hole(len, self.next_id);
        self.torn_bytes = 0;
    }

    /// Treats everything up to the offset `end` as such a run: the next segment begins with the record `next_id`. False
    /// when there are no such bytes, or the segment holds more than that.
    pub fn lose_the_rest(&mut self, end: u64, next_id: u64) -> bool {
        let is_behind = end > self.end || (end == self.end && self.ends_with_hole());
        if !is_behind || next_id < self.next_id {
            return false;
        }
        self.add_hole(end, next_id);
        self.torn_bytes = 0;
        true
    }

    /// Whether the last bytes are not a block: only the next segment can show what they held.
    pub fn ends_with_hole(&self) -> bool {
        self.holes.last().is_some_and(|hole| hole.end() == self.end)
    }

    /// Continues after a hole, at the offset `end` and with the record `next_id`.
    fn add_hole(&mut self, end: u64, next_id: u64) {
        let extended = self.holes.pop_if(|hole| hole.end() == self.end);
        let before = extended.as_ref().and_then(|hole| hole.lost()).map_or(self.next_id, |(first, _)| first);
        let offset = extended.map_or(self.end, |hole| hole.offset);
        self.holes.push(Hole::new(self.sequence, (offset, end), (before, next_id)));
        (self.end, self.next_id) = (end, next_id);
    }
}

/// The error for a recovered or compressed segment that ends without its TRAILER.
pub(crate) const NO_TRAILER: &str =
    "a recovered or compressed segment ends with a trailer, and this one has none: its end is missing";

fn damaged(segment: &Segment, offset: u64, reason: &str) -> Error {
    let reason = format!(
        "{reason}; this is damage, not a torn tail, so nothing is cut: recovery in place keeps a copy and saves what can be saved"
    );
    Error::corrupt(reason).at_offset(&segment.path, offset)
}
