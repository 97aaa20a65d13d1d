//! What proves that bytes of a segment were on the disk, besides its own blocks.

use std::sync::Arc;

use super::proof::Proof;
use super::slot::Found;
use super::snapshot::{Snapshot, Source, Unreadable};
use crate::error::{Kind, Result};
use crate::io::Directory;
use crate::segment::{last_block, Bad, Scanner, Segment};

impl Snapshot {
    /// Up to which offset segment number `at` was durable as others prove. All before a segment is synced with it, so that a
    /// durable end in a later one does; so does the lock file. Zero when there is no proof. A file that is read alone is
    /// judged by itself.
    pub fn durable_end_by_others(&self, source: &Source, at: usize) -> Result<u64> {
        let slot = &self.slots[at];
        let Found::Segment(segment) = self.open(at)? else { return Ok(0) };
        if matches!(source, Source::File(..)) || slot.is_legacy() || segment.is_unborn {
            return Ok(0);
        }
        let proof = self.proof(source, slot.directory(), &slot.log.name);
        // Where anything of it was, its beginning was.
        let noted = |proof: Proof| match proof.durable_end(&segment.header) {
            0 if proof.was_durable(slot.sequence) => segment.start,
            end => end,
        };
        let noted = proof.map_or(0, noted);
        if noted < u64::MAX && !self.is_synced_behind(&slot.log.name, slot.sequence)? {
            return Ok(noted);
        }
        let told = self.told_length(at, &segment);
        Ok(told.unwrap_or(u64::MAX))
    }

    /// Whether anything of a segment was durable of which nothing can be read.
    pub fn was_durable(&self, source: &Source, file: &Unreadable) -> Result<bool> {
        let slot = self.slots.iter().find(|slot| slot.log.name == file.log);
        let proof = slot.and_then(|slot| self.proof(source, slot.directory(), &file.log));
        match proof.is_some_and(|proof| proof.was_durable(file.sequence)) {
            true => Ok(true),
            false => self.is_synced_behind(&file.log, file.sequence),
        }
    }

    fn proof(&self, source: &Source, directory: &dyn Directory, log: &str) -> Option<Proof> {
        matches!(source, Source::Directory(_)).then(|| Proof::of(directory, log, &self.slots)).flatten()
    }

    /// Whether a block of a later segment of this log says that anything of it is durable. The last one tells most often.
    fn is_synced_behind(&self, log: &str, sequence: u64) -> Result<bool> {
        let later = self.slots.iter().rev().filter(|slot| slot.log.name == log && slot.sequence > sequence);
        for slot in later {
            let segment = match self.open_slot(slot) {
                Ok(Found::Segment(segment)) => segment,
                Ok(Found::Unborn | Found::Gone) => continue,
                // What cannot be read proves nothing.
                Err(error) if error.kind() == Kind::Corrupt => continue,
                Err(error) => return Err(error),
            };
            let says = match segment.is_compressed_whole() {
                // It has no end to begin with: the first blocks tell most often.
                true => some_block_was_durable(&segment)?,
                false => last_block(&segment)?.is_some_and(|(_, last)| last.durable_end > 0),
            };
            if says {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How long the next segment says that segment number `at` is, if it means this very file.
    fn told_length(&self, at: usize, segment: &Segment) -> Option<u64> {
        let Ok(Found::Segment(next)) = self.open(self.slots.get(at + 1).map(|_| at + 1)?) else { return None };
        let told = next.header.predecessor.as_ref();
        told.filter(|told| told.marker == segment.header.marker && told.bytes > 0).map(|told| told.bytes)
    }
}

/// Whether a block that can be come to from the beginning says that anything was durable when it was written.
fn some_block_was_durable(segment: &Arc<Segment>) -> Result<bool> {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    loop {
        match scanner.header() {
            Ok(header) if header.durable_end > 0 => return Ok(true),
            Ok(header) => scanner.skip(&header),
            Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
            Err(_) => return Ok(false),
        }
    }
}
