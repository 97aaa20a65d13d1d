//! Finds out where a segment ends and what it holds, so that a writer can go on in it. What that costs grows with what
//! was written since the last sync and the last INDEX block, not with the file.

use std::sync::Arc;

use super::indexing::{Indexing, Summary};
use super::tail::{last_block, next_block};
use super::{is_torn, Bad, Scanner, Segment};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::{Entry, Progress};
use crate::format::index::{self, Totals};
use crate::format::tally::{Counted, Standing, Tallies};
use crate::format::Malformed;
use crate::memory;
use crate::record::{event, id_after_loss, is_event, Metadata, NamedType};

/// What a segment was found to hold.
#[derive(Debug)]
pub(crate) struct Found {
    /// Behind the last good block.
    pub end: u64,
    /// Up to where the segment says that it was durable.
    pub durable_end: u64,
    /// The first id that a record can have.
    pub first_id: u64,
    pub next_id: u64,
    pub types: Vec<NamedType>,
    /// Whether the last block is a TRAILER: the segment was closed.
    pub closed: bool,
    /// What the next INDEX block will tell.
    pub indexing: Indexing,
    /// The id that comes next although it is not `next_id`: the log tells that those between are lost.
    acknowledged: Option<u64>,
    /// INDEX blocks are passed over, for rows of everything.
    is_survey: bool,
    tallies: Tallies,
    /// Bytes behind `end`: a torn tail.
    pub torn_bytes: u64,
    /// Why the torn bytes are not a block.
    pub torn_reason: String,
    pub written: Written,
}

/// When a segment was written last, as far as its last blocks tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// What the writer's clock showed: the time of the last block of events alone, as each opening and each close leaves one.
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

impl Found {
    /// Of a segment without a block.
    pub fn nothing(segment: &Segment) -> Self {
        Found {
            end: segment.start,
            durable_end: 0,
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
            written: Written::default(),
        }
    }
}

/// The first id that a record in the segment can have: it may begin by saying which ids are lost.
fn first_id(segment: &Arc<Segment>) -> u64 {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    let mut found = Found::nothing(segment);
    let first = scanner.header().and_then(|header| {
        if header.kind == BlockKind::Records && header.count == 0 && header.has_events() {
            scanner.load_entries(&header)?;
            remember(&scanner, &header, &mut found)?;
        }
        Ok(found.acknowledged.unwrap_or(segment.header.first_id))
    });
    // What is wrong there is found by whoever reads it.
    first.unwrap_or(segment.header.first_id).max(segment.header.first_id)
}

/// Walks the end of the segment by its block headers, from the last INDEX block that was durable, and verifies every
/// byte of the blocks that were not yet known to be durable. Bytes that are no torn tail are an error: corruption is
/// never cut away.
pub(crate) fn recover(segment: &Arc<Segment>) -> Result<Found> {
    let found = recover_end(segment)?;
    Ok(Found { first_id: first_id(segment).min(found.next_id), ..found })
}

fn recover_end(segment: &Arc<Segment>) -> Result<Found> {
    if let Some((near, is_verified)) = last_sound_index(segment)? {
        let durable_end = durable_end(segment, near.end)?.max(near.durable_end);
        // What the last block of the file told has to be what the blocks on the way to it tell.
        if is_verified || durable_end >= near.end {
            return walk(segment, Found { durable_end, ..near });
        }
    }
    let durable_end = durable_end(segment, segment.start)?;
    walk(segment, Found { durable_end, ..Found::nothing(segment) })
}

/// As [`recover`], for one whose blocks are going to be read and verified anyway: where it was closed, its end is believed and
/// none of them is read for this.
pub(crate) fn find_end(segment: &Arc<Segment>) -> Result<Found> {
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
    let found = Found { end, next_id, types, indexing, durable_end: believed, ..Found::nothing(segment) };
    match walk(segment, found) {
        Ok(found) if found.closed => Ok(Found { durable_end: trailer.durable_end, ..found }),
        _ => recover(segment),
    }
}

/// Walks the whole segment by its headers and entries, whatever its index says, for an index of all of it. A torn tail
/// is an error here.
pub(crate) fn survey(segment: &Arc<Segment>) -> Result<Found> {
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    let found = walk(segment, Found { durable_end: len, is_survey: true, ..Found::nothing(segment) })?;
    match found.torn_bytes {
        // What was read for this need not be on the disk.
        0 => Ok(Found { durable_end: durable_end(segment, segment.start)?, ..found }),
        _ => {
            let reason =
                format!("{}: open the log for writing, which cuts a torn tail, or recover it", found.torn_reason);
            Err(Error::corrupt(reason).at_offset(&segment.path, found.end))
        }
    }
}

/// What the last INDEX block tells before which everything was durable when the last block was written, or can be
/// verified with little more reading, as if the segment ended with it; and which of the two it is.
fn last_sound_index(segment: &Arc<Segment>) -> Result<Option<(Found, bool)>> {
    let Some((offset, last)) = last_block(segment)? else { return Ok(None) };
    let mut at = if last.kind == BlockKind::Index { offset } else { last.last_index };
    let mut scanner = Scanner::new(segment.clone(), at);
    while at != 0 {
        scanner.jump(at);
        let (header, window, totals) = match load_index(&mut scanner) {
            Ok(index) => index,
            Err(Bad::Io(error)) => return Err(error),
            // It is only a hint: a crash may have torn it, or it is damaged, and the one before may do.
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
            let found = Found { end, durable_end, next_id, types, indexing, written, ..Found::nothing(segment) };
            return Ok(Some((found, !is_durable)));
        }
        at = window.previous;
    }
    Ok(None)
}

/// Whether the blocks of the window are those that its INDEX block at `to` tells of, by their headers, and those that
/// may not be durable by every byte.
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
        let told = |row: &index::Row| {
            (row.offset, row.len, row.first_id, row.count)
                == (scanner.offset(), header.block_len(), header.first_id, header.count)
        };
        if header.kind == BlockKind::Records && !rows.next().is_some_and(told) {
            return Ok(false);
        }
        scanner.skip(&header);
    }
    Ok(scanner.next_offset() == to && rows.next().is_none())
}

/// The INDEX block that the scanner stands at.
pub(super) fn load_index(scanner: &mut Scanner) -> Result<(BlockHeader, index::Window, Totals), Bad> {
    let header = scanner.header()?;
    if header.kind != BlockKind::Index {
        return Err(Bad::Malformed(Malformed::inconsistent("no index block is here")));
    }
    scanner.load_entries(&header).map_err(unusable)?;
    let (window, totals) = index::decode(scanner.entries(), scanner.offset()).map_err(Bad::from)?;
    Ok((header, window, totals))
}

/// An index that takes more memory than may be used for a block is as good as none.
pub(super) fn unusable(bad: Bad) -> Bad {
    match bad {
        Bad::Io(error) if error.kind() == Kind::TooLarge => Bad::Malformed(Malformed::inconsistent(error.reason())),
        other => other,
    }
}

/// The greatest durable end that the blocks from `from` on tell, as far as their headers can be followed.
fn durable_end(segment: &Arc<Segment>, from: u64) -> Result<u64> {
    let mut scanner = Scanner::new(segment.clone(), from);
    loop {
        match scanner.header() {
            Ok(header) => scanner.skip(&header),
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return Ok(scanner.durable_end()),
        }
    }
}

fn walk(segment: &Arc<Segment>, mut found: Found) -> Result<Found> {
    let mut scanner = Scanner::new(segment.clone(), found.end);
    loop {
        match step(&mut scanner, &mut found) {
            Ok(()) => (),
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => return end(&scanner, found, bad),
        }
    }
}

fn step(scanner: &mut Scanner, found: &mut Found) -> Result<(), Bad> {
    let header = scanner.header()?;
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
    Ok(())
}

/// An index that is damaged is passed over, unless it is the torn end of the file.
fn remember_index(scanner: &mut Scanner, header: &BlockHeader, found: &mut Found) -> Result<(), Bad> {
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

/// Takes note of the types that the block names, and of what the index will say of it.
fn remember(scanner: &Scanner, header: &BlockHeader, found: &mut Found) -> Result<(), Bad> {
    let Found { types, acknowledged, indexing, tallies, .. } = found;
    summarize(scanner, header, tallies, indexing, |type_id, facts| match type_id {
        event::TYPE => types.extend(NamedType::from_event(facts)),
        event::RECOVERED => *acknowledged = id_after_loss(facts),
        _ => (),
    })
}

/// Counts what a block holds, whose entries are loaded, for its row of the index; `event` is shown each event.
fn summarize(
    scanner: &Scanner,
    header: &BlockHeader,
    tallies: &mut Tallies,
    indexing: &mut Indexing,
    mut event: impl FnMut(u32, Metadata<'_>),
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
            event(entry.type_id, Metadata::from_bytes(entry.metadata));
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

/// Counts records for as long as entries have the short form, without metadata, as nearly all have; a loop of its own, so
/// that all it needs stays in registers. It may leave any entry to its caller.
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

fn end(scanner: &Scanner, mut found: Found, bad: Bad) -> Result<Found> {
    let segment = scanner.segment();
    // Ids that are told to be lost are not given again, also when nothing stands behind that yet.
    found.next_id = found.acknowledged.map_or(found.next_id, |next_id| next_id.max(found.next_id));
    let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
    found.torn_bytes = len.saturating_sub(found.end);
    if found.torn_bytes == 0 {
        return Ok(found);
    }
    found.closed = false;
    found.torn_reason = match &bad {
        Bad::Malformed(reason) => reason.to_string(),
        _ => "the file ends within a block".to_owned(),
    };
    if is_torn(segment, found.end, found.durable_end)? {
        return Ok(found);
    }
    Err(Error::corrupt(format!(
        "{}; this is damage, not a torn tail, so nothing is cut: `binlog recover --in-place` keeps a copy and saves what \
         can be saved",
        found.torn_reason
    ))
    .at_offset(&segment.path, found.end))
}
