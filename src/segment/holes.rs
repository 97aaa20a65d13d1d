//! Bytes of a segment that are no blocks although blocks follow them: a power cut left later bytes on the disk, but not
//! these. The writer that found them left them there, and named them in the header of the segment that it began.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use super::Segment;
use crate::format::declaration::{FileHeader, Hole};

/// What is known of a segment besides what its header states.
#[derive(Default)]
pub(super) struct Learned {
    holes: OnceLock<Vec<Hole>>,
    /// A TRAILER was seen among its blocks.
    has_trailer: AtomicBool,
    /// A later segment states that the one before this, according to this header, is lost, with the records from this
    /// id on.
    lost_from: OnceLock<u64>,
}

impl Segment {
    /// Notes the holes in this segment that the header of a later one names; `next` is the header of the segment right
    /// after this. True when they were not known.
    pub fn learn_holes(&self, next: &FileHeader, later: &FileHeader) -> bool {
        // A segment that was written anew since has none of them.
        let is_as_it_was = |stated: &crate::format::declaration::Predecessor| {
            stated.sequence == self.header.sequence && stated.marker == self.header.marker
        };
        // When everything between the two is lost, the segment right after this one does not describe this one.
        let was_made_anew = self.header.recovered.is_some() || self.header.original.is_some();
        let follows_lost = |stated: &crate::format::declaration::Predecessor| {
            let is_it = |hole: &Hole| hole.is_whole() && hole.sequence == stated.sequence;
            stated.sequence > self.header.sequence && !was_made_anew && later.holes.iter().any(is_it)
        };
        let stated = next.predecessor.as_ref();
        if self.is_rescued || !stated.is_some_and(|stated| is_as_it_was(stated) || follows_lost(stated)) {
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

    /// Notes that the segment before it is lost with its beginning and the records from this id on.
    pub fn set_lost_from(&self, id: u64) {
        let _ = self.cache.learned.lost_from.set(id);
    }

    /// Whether the segment before it, according to its header, is known to be lost with its beginning.
    pub fn follows_lost(&self) -> bool {
        self.cache.learned.lost_from.get().is_some()
    }

    /// The first of the records lost before it in segments of which not even the beginning has survived.
    pub fn lost_from(&self) -> Option<u64> {
        let learned = self.cache.learned.lost_from.get().copied();
        learned.or_else(|| first_lost(&self.header.holes, self.before(), self.header.sequence))
    }

    /// Number of the segment before it, 0 for none.
    fn before(&self) -> u64 {
        self.header.predecessor.as_ref().map_or(0, |stated| stated.sequence)
    }

    /// Notes that a TRAILER is among its blocks.
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

/// The first record that is lost with whole segments, given as holes, between two segment numbers.
pub(crate) fn first_lost(holes: &[Hole], after: u64, before: u64) -> Option<u64> {
    let between = holes.iter().filter(|hole| hole.is_whole() && after < hole.sequence && hole.sequence < before);
    between.filter_map(Hole::lost).map(|(first, _)| first).min()
}

/// The reason that readers report for a skipped segment.
pub(crate) const LOST_BEGINNING: &str =
    "a power cut has left the segment without its beginning, and nothing says that any of it \
                                         was durable: it is passed over, as a later segment of the log says";

/// The reason that readers report for a hole.
pub(crate) const HOLE: &str = "a power cut left these bytes, which are no blocks, as a later segment of the log says";
