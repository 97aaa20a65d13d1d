//! The segments that a cursor reads, and in which files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::looks::Looks;
use crate::error::Result;
use crate::log::{Missing, Slot, Snapshot, Source};
use crate::options::ReaderMode;

/// Where the file of a cursor's segment is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// In the directory, by the last list.
    Listed,
    /// It was removed, and so were all before it, as retention does.
    Removed,
    /// It was removed, and earlier ones of its log were not.
    Lost,
}

/// The segments behind a path, and the place of the current one among them.
pub(super) struct SegmentList {
    pub source: Source,
    pub snapshot: Snapshot,
    /// Which findings count as damage.
    pub mode: ReaderMode,
    /// Index of the segment being read.
    pub at: usize,
    pub file_state: FileState,
    /// They were listed once more because some seemed to be missing after the current one.
    pub listed_again: bool,
    /// Files that are read instead of damaged ones.
    pub instead: HashMap<PathBuf, Arc<Slot>>,
    /// When a store is to be listed again.
    looks: Looks,
}

impl SegmentList {
    pub fn new(source: Source, snapshot: Snapshot, mode: ReaderMode) -> Self {
        SegmentList {
            source,
            snapshot,
            mode,
            at: 0,
            file_state: FileState::Listed,
            listed_again: false,
            instead: HashMap::new(),
            looks: Looks::default(),
        }
    }

    /// From here on, segment number `at` is read.
    pub fn enter(&mut self, at: usize) {
        (self.at, self.file_state, self.listed_again) = (at, FileState::Listed, false);
    }

    /// Forgets a segment that contains nothing.
    pub fn forget(&mut self, at: usize) {
        self.snapshot.slots.remove(at);
        self.at -= usize::from(at < self.at);
    }

    /// Whether nothing comes after the current segment.
    pub fn is_at_the_last(&self) -> bool {
        self.at + 1 == self.snapshot.slots.len()
    }

    /// Whether no other segment of the current one's log comes after it.
    pub fn is_at_the_last_of_its_log(&self) -> bool {
        let slots = &self.snapshot.slots;
        slots[self.at + 1..].iter().all(|slot| slot.log.id != slots[self.at].log.id)
    }

    /// Lists the segments as they are now, without those in `repeated`.
    pub fn listed(&self, repeated: &[PathBuf]) -> Result<Snapshot> {
        let mut fresh = self.source.snapshot(&self.snapshot, self.mode)?;
        let current = &self.snapshot.slots[self.at];
        let is_before = |slot: &Arc<Slot>| slot.log.id == current.log.id && slot.sequence < current.sequence;
        let is_lost = fresh.place_of(current).is_none() && fresh.slots.iter().any(is_before);
        if is_lost && !self.source.is_far() {
            // The files before it may be those of another log, under the same names.
            fresh = self.source.snapshot(&self.snapshot.unexamined(), self.mode)?;
        }
        if !repeated.is_empty() {
            fresh.slots.retain(|slot| !repeated.contains(&slot.path()));
        }
        Ok(fresh)
    }

    /// Takes this list of the segments. The current one keeps its place among them, even if its file was removed.
    pub fn take(&mut self, mut fresh: Snapshot) {
        let current = self.snapshot.slots[self.at].clone();
        match fresh.place_of(&current) {
            Some(at) => (self.at, self.file_state) = (at, FileState::Listed),
            None => {
                self.at = fresh.insert(current.clone());
                let before = self.at.checked_sub(1).map(|before| &fresh.slots[before]);
                let before = before.filter(|before| before.log.id == current.log.id);
                self.file_state = if before.is_some() { FileState::Lost } else { FileState::Removed };
            }
        }
        self.snapshot = fresh;
    }

    /// The place after the current one. If everything wanted of a log has been passed (`past`), that is its last
    /// segment, which states how the log ends.
    pub fn next_place(&self, past: bool) -> usize {
        let slots = &self.snapshot.slots;
        if !past || self.at + 1 >= slots.len() {
            return self.at + 1;
        }
        let here = &slots[self.at].log;
        let other = slots[self.at + 1..].iter().position(|slot| slot.log.id != here.id);
        match other {
            Some(behind) => self.at + 1 + behind,
            None => slots.len() - 1,
        }
    }

    /// Whether to look for another segment after the last one now: each look at a store is a request, and requests cost
    /// money.
    pub fn may_look(&mut self) -> bool {
        !self.source.is_far() || self.looks.is_time()
    }

    /// Another segment was found: the next may follow soon.
    pub fn found_another(&mut self) {
        self.looks = Looks::default();
    }

    /// Whether the current segment is in a store that segments are shipped to, where the next arrives after it is
    /// closed.
    pub fn is_archive(&self) -> bool {
        self.snapshot.is_archive(&self.source, self.at)
    }

    /// What is missing after the current segment, which names `successor` as the next one.
    pub fn missing_behind(&self, successor: Option<&str>, shift: i64) -> Option<Missing> {
        self.snapshot.missing_behind(&self.source, self.at, successor, shift)
    }

    /// The offset up to which the current segment was durable, as other segments prove.
    pub fn durable_end_by_others(&self) -> Result<u64> {
        self.snapshot.durable_end_by_others(&self.source, self.at)
    }
}
