//! Finds out where a segment ends and what it holds, so that a writer can go on in it.

use std::sync::Arc;

use super::{is_torn, Bad, Scanner, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Progress;
use crate::record::{event, Metadata};

/// A type that was given by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedType {
    pub number: u32,
    pub name: String,
    pub content_type: String,
}

impl NamedType {
    /// From the facts of a TYPE event; `None` when they are not all there.
    pub fn from_event(facts: Metadata<'_>) -> Option<Self> {
        Some(NamedType {
            number: facts.get("id")?.parse().ok()?,
            name: facts.get("name")?.to_owned(),
            content_type: facts.get("content_type").unwrap_or_default().to_owned(),
        })
    }
}

/// What a segment was found to hold.
#[derive(Debug)]
pub(crate) struct Found {
    /// Behind the last good block.
    pub end: u64,
    /// Up to where the segment says that it was durable.
    pub durable_end: u64,
    pub next_id: u64,
    pub types: Vec<NamedType>,
    /// Whether the last block is a TRAILER: the segment was closed.
    pub closed: bool,
    /// Bytes behind `end`: a torn tail.
    pub torn_bytes: u64,
    /// Why the torn bytes are not a block.
    pub torn_reason: String,
}

/// Walks the segment by its block headers, and verifies every byte of the blocks that were not yet known to be
/// durable. Bytes that are no torn tail are an error: corruption is never cut away.
pub(crate) fn recover(segment: &Arc<Segment>) -> Result<Found> {
    let durable_end = last_durable_end(segment)?;
    let mut found = Found {
        end: segment.start,
        durable_end,
        next_id: segment.header.first_id,
        types: vec![],
        closed: false,
        torn_bytes: 0,
        torn_reason: String::new(),
    };
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    loop {
        match step(&mut scanner, &mut found) {
            Ok(()) => (),
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => return end(&scanner, found, bad),
        }
    }
}

/// The greatest durable end that the blocks tell, as far as their headers can be followed.
fn last_durable_end(segment: &Arc<Segment>) -> Result<u64> {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    loop {
        match scanner.header() {
            Ok(header) => scanner.skip(&header),
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return Ok(scanner.durable_end()),
        }
    }
}

fn step(scanner: &mut Scanner, found: &mut Found) -> Result<(), Bad> {
    let header = scanner.header()?;
    if scanner.offset() >= found.durable_end {
        scanner.load(&header)?;
    } else if header.has_events() {
        scanner.load_entries(&header)?;
    }
    scanner.check_whole(&header)?;
    if header.has_events() {
        remember_types(scanner, &header, found)?;
    }
    scanner.skip(&header);
    found.end = scanner.offset() + header.block_len();
    found.next_id = header.next_id();
    found.closed = header.kind == BlockKind::Trailer;
    Ok(())
}

fn remember_types(scanner: &Scanner, header: &BlockHeader, found: &mut Found) -> Result<(), Bad> {
    let mut progress = Progress::new(header.min_time);
    while let Some(entry) = progress.next(scanner.entries()).map_err(Bad::Malformed)? {
        if entry.type_id == event::TYPE {
            found.types.extend(NamedType::from_event(Metadata::from_bytes(entry.metadata)));
        }
    }
    Ok(())
}

fn end(scanner: &Scanner, mut found: Found, bad: Bad) -> Result<Found> {
    let segment = scanner.segment();
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
        "{}; this is damage, not a torn tail, so nothing is cut: read what is there with `binlog cat`, and append to a \
         new log",
        found.torn_reason
    ))
    .at_offset(&segment.path, found.end))
}
