//! Bytes of a segment that are no blocks although blocks follow them: a power cut that brought later bytes to the disk and
//! not those. The writer that found them left them there, and named them in the header of the segment that it began.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use super::Segment;
use crate::format::declaration::{FileHeader, Hole};

/// What is learned of a segment besides what its header says.
#[derive(Default)]
pub(super) struct Learned {
    holes: OnceLock<Vec<Hole>>,
    /// A TRAILER was seen among its blocks.
    has_trailer: AtomicBool,
    /// The segment that its header names as the one before is lost, as a later one says, with the records from this id on.
    lost_from: OnceLock<u64>,
}

impl Segment {
    /// Takes note of the holes in this segment that the header of a later one names; `next` is the header of the one right
    /// behind this. True when it did not know them.
    pub fn learn_holes(&self, next: &FileHeader, later: &FileHeader) -> bool {
        // One that was written anew since has none of them.
        let is_as_it_was = |told: &crate::format::declaration::Predecessor| {
            told.sequence == self.header.sequence && told.marker == self.header.marker
        };
        // Where all between the two is lost, what is right behind this says nothing of it.
        let was_made_anew = self.header.recovered.is_some() || self.header.original.is_some();
        let follows_lost = |told: &crate::format::declaration::Predecessor| {
            let is_it = |hole: &Hole| hole.is_whole() && hole.sequence == told.sequence;
            told.sequence > self.header.sequence && !was_made_anew && later.holes.iter().any(is_it)
        };
        let told = next.predecessor.as_ref();
        if self.is_rescued || !told.is_some_and(|told| is_as_it_was(told) || follows_lost(told)) {
            return false;
        }
        let mut holes: Vec<Hole> =
            later.holes.iter().filter(|hole| hole.sequence == self.header.sequence).cloned().collect();
        holes.sort_unstable_by_key(|hole| hole.offset);
        let is_new = !holes.is_empty() && self.cache.learned.holes.set(holes).is_ok();
        if is_new {
            self.forget_map();
        }
        is_new
    }

    /// Takes note that the segment before it is lost with its beginning and the records from this id on.
    pub fn set_lost_from(&self, id: u64) {
        let _ = self.cache.learned.lost_from.set(id);
    }

    /// Whether the segment that its header names as the one before is known to be lost with its beginning.
    pub fn follows_lost(&self) -> bool {
        self.cache.learned.lost_from.get().is_some()
    }

    /// The first of the records that are lost before it, with segments of which not even the beginning has survived.
    pub fn lost_from(&self) -> Option<u64> {
        let learned = self.cache.learned.lost_from.get().copied();
        learned.or_else(|| first_lost(&self.header.holes, self.before(), self.header.sequence))
    }

    /// Number of the segment before it, 0 for none.
    fn before(&self) -> u64 {
        self.header.predecessor.as_ref().map_or(0, |told| told.sequence)
    }

    /// Takes note that a TRAILER is among its blocks.
    pub fn saw_trailer(&self) {
        self.cache.learned.has_trailer.store(true, Ordering::Relaxed);
    }

    /// Whether a TRAILER is known to be among its blocks.
    pub fn has_trailer(&self) -> bool {
        self.cache.learned.has_trailer.load(Ordering::Relaxed)
    }

    /// The holes that later segments are known to name.
    pub fn holes(&self) -> &[Hole] {
        self.cache.learned.holes.get().map_or(&[], |holes| holes)
    }

    /// The hole that this offset is in.
    pub fn hole_at(&self, offset: u64) -> Option<&Hole> {
        self.holes().iter().find(|hole| (hole.offset..hole.end()).contains(&offset))
    }
}

/// The first record that is lost with the whole segments that these holes are, between two numbers.
pub(crate) fn first_lost(holes: &[Hole], after: u64, before: u64) -> Option<u64> {
    let between = holes.iter().filter(|hole| hole.is_whole() && after < hole.sequence && hole.sequence < before);
    between.filter_map(Hole::lost).map(|(first, _)| first).min()
}

/// What readers say of a segment that is passed over.
pub(crate) const LOST_BEGINNING: &str =
    "a power cut has left the segment without its beginning, and nothing says that any of it \
                                         was durable: it is passed over, as a later segment of the log says";

/// What readers say of a hole.
pub(crate) const HOLE: &str = "a power cut left these bytes, which are no blocks, as a later segment of the log says";
