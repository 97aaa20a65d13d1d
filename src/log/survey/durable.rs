//! What proves, besides a segment's own blocks, that bytes of it were on the disk.

use std::sync::Arc;

use super::proof::Proof;
use super::slot::SlotState;
use super::snapshot::{Snapshot, Unreadable};
use super::source::Source;
use crate::error::{Kind, Result};
use crate::io::Directory;
use crate::segment::{last_block, Bad, Scanner, Segment};

impl Snapshot {
    /// The offset up to which segment number `at` was durable, as proven by other files. Everything before a segment is
    /// synced with it, so a durable end in a later one proves it; so does the lock file. Zero when there is no proof. A
    /// file that is read alone is judged only by itself.
    pub fn durable_end_by_others(&self, source: &Source, at: usize) -> Result<u64> {
        let slot = &self.slots[at];
        let SlotState::Segment(segment) = self.open(at)? else { return Ok(0) };
        if matches!(source, Source::File(..)) || slot.is_legacy() || segment.is_unborn {
            return Ok(0);
        }
        let proof = self.proof(source, slot.directory(), &slot.log.name);
        // When anything of it was durable, its beginning was.
        let noted = |proof: Proof| match proof.durable_end(&segment.header) {
            0 if proof.was_durable(slot.sequence) => segment.start,
            end => end,
        };
        let noted = proof.map_or(0, noted);
        if noted < u64::MAX && !self.is_synced_behind(&slot.log.name, slot.sequence)? {
            return Ok(noted);
        }
        let stated = self.stated_length(at, &segment);
        Ok(stated.unwrap_or(u64::MAX))
    }

    /// Whether a part of an unreadable segment was durable.
    pub fn was_durable(&self, source: &Source, file: &Unreadable) -> Result<bool> {
        let slot = self.slots.iter().find(|slot| slot.log.name == file.log);
        let proof = slot.and_then(|slot| self.proof(source, slot.directory(), &file.log));
        match proof.is_some_and(|proof| proof.was_durable(file.sequence)) {
            true => Ok(true),
            false => self.is_synced_behind(&file.log, file.sequence),
        }
    }

    fn proof(&self, source: &Source, directory: &dyn Directory, log: &str) -> Option<Proof> {
        source.is_directory().then(|| Proof::of(directory, log, &self.slots)).flatten()
    }

    /// Whether a block of a later segment of this log states that a part of that is durable. Most often the last
    /// segment does.
    fn is_synced_behind(&self, log: &str, sequence: u64) -> Result<bool> {
        let later = self.slots.iter().rev().filter(|slot| slot.log.name == log && slot.sequence > sequence);
        for slot in later {
            let segment = match self.open_slot(slot) {
                Ok(SlotState::Segment(segment)) => segment,
                Ok(SlotState::Unborn | SlotState::Gone) => continue,
                // What cannot be read proves nothing.
                Err(error) if error.kind() == Kind::Corrupt => continue,
                Err(error) => return Err(error),
            };
            let is_stated = match segment.is_compressed_whole() {
                // It cannot be read from the end: most often the first blocks state it.
                true => some_block_was_durable(&segment)?,
                false => last_block(&segment)?.is_some_and(|(_, last)| last.durable_end > 0),
            };
            if is_stated {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The length of segment number `at` that the next segment states, if it means this very file.
    fn stated_length(&self, at: usize, segment: &Segment) -> Option<u64> {
        let Ok(SlotState::Segment(next)) = self.open(self.slots.get(at + 1).map(|_| at + 1)?) else { return None };
        let stated = next.header.predecessor.as_ref();
        stated.filter(|stated| stated.marker == segment.header.marker && stated.bytes > 0).map(|stated| stated.bytes)
    }
}

/// Whether a block that can be reached from the beginning states that something was durable when it was written.
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
