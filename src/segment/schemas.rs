//! The schemas of a segment: SCHEMA events, whose payloads are the schemas of its types.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::recover::unusable;
use super::{Bad, Scanner, Segment};
use crate::error::Result;
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Entries;
use crate::format::limits;
use crate::format::types::sha256;
use crate::hex::hex;
use crate::memory;
use crate::record::{event, Metadata, MetadataBuf};

/// A schema of types.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub sha256: [u8; 32],
    pub encoding: String,
    pub bytes: Arc<Vec<u8>>,
}

impl Schema {
    /// The SHA-256 by which types refer to a schema.
    pub fn sum(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// The metadata of its SCHEMA event.
    pub fn to_facts(&self) -> MetadataBuf {
        MetadataBuf::from_iter([("sha256", hex(&self.sha256)), ("encoding", self.encoding.clone())])
    }
}

/// Schemas that are looked for, and those that were found.
struct Search<'a> {
    wanted: &'a mut BTreeSet<[u8; 32]>,
    found: Vec<Schema>,
    /// Bytes of schemas that may still be found.
    left: u64,
}

impl Segment {
    /// The schemas with these hashes, in the order in which the segment contains them; those that were found are no
    /// longer wanted. Together they take at most [`limits::SCHEMAS`]. What is damaged, or has another hash than it
    /// states, is as good as missing.
    ///
    /// A writer repeats the schemas at the beginning, so this reads little, unless some were defined later.
    pub fn schemas(self: &Arc<Self>, wanted: &mut BTreeSet<[u8; 32]>) -> Result<Vec<Schema>> {
        let mut search = Search { wanted, found: vec![], left: limits::SCHEMAS };
        if !search.is_over() && self.translated.is_none() {
            let behind = search.look_at_head(self)?;
            if !search.is_over() {
                search.look_at_the_rest(self, behind)?;
            }
        }
        Ok(search.found)
    }
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Looks at the blocks up to the first record; returns the offset after them.
    fn look_at_head(&mut self, segment: &Arc<Segment>) -> Result<u64> {
        let mut scanner = Scanner::new(segment.clone(), segment.start);
        loop {
            let header = match scanner.header() {
                Ok(header) if header.kind == BlockKind::Records && header.has_events() => header,
                Err(Bad::Io(error)) => return Err(error),
                _ => return Ok(scanner.offset()),
            };
            self.look_at(&mut scanner, &header)?;
            let end = scanner.offset() + header.block_len();
            if header.count > 0 || self.is_over() {
                return Ok(end);
            }
            scanner.skip(&header);
        }
    }

    /// Looks at the other blocks that may contain schemas, from this offset on.
    fn look_at_the_rest(&mut self, segment: &Arc<Segment>, from: u64) -> Result<()> {
        let map = segment.mapped()?;
        let mut scanner = Scanner::new(segment.clone(), from);
        for part in map.parts.iter().filter(|part| part.to > from) {
            let window = match segment.rows(part) {
                Ok(window) => window,
                Err(Bad::Io(error)) => return Err(error),
                // The index is only an aid, but what it described is not looked for in another way.
                Err(_) => continue,
            };
            for row in window.rows.iter().filter(|row| row.offset >= from && row.has_events) {
                let may_contain = |types: &[_]| types.iter().any(is_schema);
                if !window.types_of(row).is_none_or(may_contain) {
                    continue;
                }
                scanner.jump_to(row);
                match scanner.header() {
                    Ok(header) => self.look_at(&mut scanner, &header)?,
                    Err(Bad::Io(error)) => return Err(error),
                    Err(_) => (),
                }
                if self.is_over() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the wanted schemas of the block with this header, at the scanner's offset.
    fn look_at(&mut self, scanner: &mut Scanner, header: &BlockHeader) -> Result<()> {
        match self.take(scanner, header).map_err(unusable) {
            Err(Bad::Io(error)) => Err(error),
            // Whoever reads the block reports the damage.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn take(&mut self, scanner: &mut Scanner, header: &BlockHeader) -> Result<(), Bad> {
        scanner.load_entries(header)?;
        let mut places: Vec<([u8; 32], String, Range<usize>)> = vec![];
        for placed in Entries::new(header, scanner.entries()) {
            let placed = placed?;
            let len = placed.entry.payload_len as usize;
            if placed.entry.type_id != event::SCHEMA || !(1..=limits::SCHEMA).contains(&len) {
                continue;
            }
            let facts = Metadata::from_bytes(placed.entry.metadata);
            let Some(sum) = facts.get("sha256").and_then(sha256).filter(|sum| self.wanted.contains(sum)) else {
                continue;
            };
            let encoding = facts.get("encoding").filter(|it| it.len() <= limits::TYPE_NAME).unwrap_or_default();
            memory::push(&mut places, (sum, memory::copied_text(encoding)?, placed.payload))?;
        }
        if header.codec != 0 && !places.is_empty() {
            scanner.load_payload(header)?;
        }
        for (sha256, encoding, place) in places {
            let len = place.len() as u64;
            if len > self.left || !self.wanted.contains(&sha256) {
                continue;
            }
            let from = if header.codec == 0 { scanner.load_pages(header, place.clone())? } else { 0 };
            let Some(bytes) = scanner.payload().get(place.start - from..place.end - from) else { continue };
            if Schema::sum(bytes) != sha256 {
                continue;
            }
            let mut copy = vec![];
            memory::extend(&mut copy, bytes)?;
            memory::push(&mut self.found, Schema { sha256, encoding, bytes: Arc::new(copy) })?;
            self.left -= len;
            self.wanted.remove(&sha256);
        }
        Ok(())
    }
}

fn is_schema(counted: &crate::format::index::TypeCount) -> bool {
    counted.type_id == event::SCHEMA
}

/// Whether the beginning of a segment is whole, which repeats all types that were named before it.
pub(crate) fn begins_with_names(segment: &Arc<Segment>) -> Result<bool> {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    match scanner.header().and_then(|header| scanner.load_entries(&header).map(|()| header)) {
        Ok(first) => Ok(first.kind == BlockKind::Records && first.has_events() && segment.translated.is_none()),
        Err(Bad::Io(error)) => Err(error),
        Err(_) => Ok(false),
    }
}
