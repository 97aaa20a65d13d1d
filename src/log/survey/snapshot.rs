//! What a reader can read: the segments at a path, in the order in which they were written.

use std::path::PathBuf;
use std::sync::Arc;

use super::doubles::{extent, Alternatives};
use super::order::{is_one_log, sort};
use super::proof::Proof;
use super::remark::Remark;
use super::slot::{Shared, Slot, SlotState};
use super::source::Source;
use crate::error::{Error, Kind, Result};
use crate::log::labels::Label;
use crate::log::names;
use crate::options::Required;
use crate::segment::{end_before_space, is_unborn, Segment, EXTENSION};

/// The segments of a source at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub slots: Vec<Arc<Slot>>,
    /// Files of these logs that do not begin as a segment; for a salvaging reader, those that contain no block.
    pub unreadable: Vec<Unreadable>,
    pub(super) alternatives: Alternatives,
    /// Reports about files that cost no record, in the order of [`Remark::place`].
    pub remarks: Vec<Remark>,
    /// Files that are named like segments and do not belong to any log.
    pub strays: Vec<PathBuf>,
    /// Files that were meant to become a segment and never held anything.
    pub leftovers: Vec<PathBuf>,
    pub(super) one_log: bool,
    pub(super) shared: Arc<Shared>,
}

/// What is known to be missing at the end of a log.
pub(crate) struct Missing {
    pub reason: String,
    /// The end of the last file is missing, not a segment.
    pub is_end_of_file: bool,
}

/// A file that should be a segment and is not.
#[derive(Clone)]
pub(crate) struct Unreadable {
    pub path: PathBuf,
    pub bytes: u64,
    /// The records that were in it, if nothing else reports them as lost.
    pub ids: Option<(u64, u64)>,
    pub error: Error,
    /// Its log and its place in that, according to its name.
    pub(super) log: String,
    pub(super) sequence: u64,
}

impl Unreadable {
    /// Its number in its log, by its name.
    pub fn number(&self) -> u64 {
        self.sequence
    }

    /// The name of its log, by its name.
    pub fn log(&self) -> &str {
        &self.log
    }
}

impl Snapshot {
    /// An empty one to begin with. Every header that is read must meet the requirements, and no block may take more
    /// memory.
    pub fn empty(require: Required, block_max_bytes: u64) -> Self {
        Self::empty_of(None, require, block_max_bytes)
    }

    /// As [`Self::empty`], for the log of this name only.
    pub fn empty_of(log: Option<String>, require: Required, block_max_bytes: u64) -> Self {
        let shared = Arc::new(Shared::new(log, require, block_max_bytes));
        Snapshot {
            slots: vec![],
            unreadable: vec![],
            alternatives: Alternatives::default(),
            remarks: vec![],
            strays: vec![],
            leftovers: vec![],
            one_log: true,
            shared,
        }
    }

    /// Whether a log of this name is wanted.
    pub fn wants(&self, log: &str) -> bool {
        self.shared.wants(log)
    }

    /// Whether all segments belong to one log; then ids determine the segment of a record.
    pub fn is_one_log(&self) -> bool {
        self.one_log
    }

    /// The state of segment number `at`, which is opened unless it is open.
    pub fn open(&self, at: usize) -> Result<SlotState> {
        self.slots[at].open(&self.shared)
    }

    /// The state of a segment's file, which is opened unless it is open.
    pub fn open_slot(&self, slot: &Slot) -> Result<SlotState> {
        slot.open(&self.shared)
    }

    /// The segment number `at`, for callers that need only this one.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it was removed, and errors of opening it.
    pub fn segment(&self, at: usize) -> Result<Arc<Segment>> {
        match self.open(at)? {
            SlotState::Segment(segment) => Ok(segment),
            SlotState::Unborn | SlotState::Gone => {
                if let Some(segment) = self.slots[at].open_misnamed(&self.shared) {
                    return Ok(segment);
                }
                Err(Error::new(Kind::NotFound, "the segment was removed").at(&self.slots[at].path()))
            }
        }
    }

    /// Whether a name was found to be wrong while other names are still believed here without their headers.
    pub fn is_misled(&self) -> bool {
        self.shared.names_lie() && self.slots.iter().any(|slot| !slot.is_believed(&self.shared))
    }

    /// The segments in order, without those that do not exist any more.
    pub fn segments(&self) -> impl Iterator<Item = Result<Arc<Segment>>> + '_ {
        self.slots.iter().filter_map(|slot| match slot.open(&self.shared) {
            Ok(SlotState::Segment(segment)) => Some(Ok(segment)),
            Ok(SlotState::Unborn | SlotState::Gone) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// A file that should be a segment and is not, and whose place in the log is right before the segment number `at`.
    /// Logs of which no segment is here come in the order of their names.
    pub fn unreadable_before(&self, at: usize) -> Option<&Unreadable> {
        if self.slots.first().is_some_and(|only| only.is_unborn) {
            return self.unreadable.first().filter(|_| at > 0);
        }
        let place = |at: usize| self.slots.get(at).map(|slot| (slot.log.name.as_str(), slot.sequence));
        let (before, behind) = (at.checked_sub(1).and_then(place), place(at));
        self.unreadable.iter().find(|file| {
            let (log, sequence) = (file.log.as_str(), file.sequence);
            if self.slots.iter().all(|slot| slot.log.name != log) {
                return before.is_none_or(|(name, _)| name < log) && behind.is_none_or(|(name, _)| log < name);
            }
            let is_behind = |place: Option<(&str, u64)>| place.is_some_and(|(name, at)| name == log && at < sequence);
            let is_before = |place: Option<(&str, u64)>| place.is_some_and(|(name, at)| name == log && at >= sequence);
            (is_behind(before) && !is_behind(behind)) || (is_before(behind) && !is_before(before))
        })
    }

    /// A file that should be a segment of a log of which no other is here.
    pub fn unreadable_log(&self) -> Option<&Unreadable> {
        self.unreadable.iter().find(|file| self.slots.iter().all(|slot| slot.log.name != file.log))
    }

    /// What has to be reported where the segment number `at` is read, although it costs no record.
    pub fn remarks_at(&self, at: usize) -> impl Iterator<Item = &Remark> {
        let here = self.slots.get(at).map(|slot| (slot.log.id.as_slice(), slot.sequence));
        let from = here.map_or(self.remarks.len(), |here| self.remarks.partition_point(|remark| remark.place() < here));
        self.remarks[from..].iter().take_while(move |remark| Some(remark.place()) == here)
    }

    /// The same snapshot without the reports that cost no record.
    pub fn without_remarks(&self) -> Self {
        Snapshot { remarks: vec![], ..self.clone() }
    }

    /// The same source before its files were examined.
    pub fn unexamined(&self) -> Self {
        let shared = self.shared.clone();
        Snapshot { shared, ..Self::empty(Required::default(), 0) }
    }

    /// Another file that also holds the segment number `at`: its other form, compressed or not, or a copy. A copy made
    /// before more was written is excluded: it would hide that.
    pub fn alternative(&self, at: usize) -> Option<&Arc<Slot>> {
        let slot = self.slots.get(at)?;
        let is_plain = |slot: &Slot| !slot.is_compressed() && names::plain(&slot.name) == slot.name;
        let is_earlier = |other: &Slot| is_plain(slot) && is_plain(other) && extent(other) < extent(slot);
        self.alternatives.all_of(slot).iter().find(|other| !is_earlier(other))
    }

    /// All other files that also hold the segment number `at`.
    pub fn others(&self, at: usize) -> &[Arc<Slot>] {
        self.slots.get(at).map_or(&[], |slot| self.alternatives.all_of(slot))
    }

    /// Nothing more can be read from this alternative of segment number `at`.
    pub fn forget_alternative(&mut self, at: usize, other: &Arc<Slot>) {
        if let Some(slot) = self.slots.get(at).cloned() {
            self.alternatives.replace(&slot, &slot, other);
        }
    }

    /// Reads the segment number `at`, which is damaged like this, from its alternative from now on; `None` when it has
    /// none.
    pub fn take_alternative(&mut self, at: usize, damage: &str) -> Option<Remark> {
        let other = self.alternative(at)?.clone();
        let damaged = std::mem::replace(&mut self.slots[at], other.clone());
        self.alternatives.replace(&damaged, &other, &other);
        Some(Remark::damaged(damaged.path(), damaged.len(), &other, damage))
    }

    /// Reads the segment number `at` as that snapshot of the same segments does.
    pub fn read_as_in(&mut self, other: &Snapshot, at: usize) {
        self.slots[at] = other.slots[at].clone();
        self.alternatives.take_from(&other.alternatives, &self.slots[at]);
    }

    /// Why the log of segment number `at`, its last one here, is known to continue in another segment. `successor` is
    /// the file that this segment names as the next, and `shift` is by how much its last blocks were moved. A file that
    /// was created for that and never held anything is no segment.
    pub fn missing_behind(&self, source: &Source, at: usize, successor: Option<&str>, shift: i64) -> Option<Missing> {
        let slot = self.slots.get(at).filter(|_| source.may_go_on())?;
        let gone = |file: &str| format!("the log goes on in {file}, which is not here");
        let segment = |reason: String| Some(Missing { reason, is_end_of_file: false });
        match successor {
            Some(file) if self.is_archive(source, at) => return segment(gone(file) + " yet"),
            Some(file) if !is_unborn(slot.directory(), file) => return segment(gone(file)),
            // It is reported where it should be read.
            Some(file) if self.unreadable.iter().any(|lost| lost.path == slot.directory().path_of(file)) => {
                return segment(format!("the log goes on in {file}, of which nothing can be read"));
            }
            _ => (),
        }
        let proof = self.proof_at(source, at)?;
        if let Some(reason) = self.shortened(at, shift, &proof) {
            return Some(Missing { reason, is_end_of_file: true });
        }
        let number = proof.missing_behind(self.number_at(at))?;
        let is_it = |file: &&Unreadable| file.sequence == number && file.log == slot.log.name;
        if slot.is_unborn && self.unreadable.iter().any(|file| is_it(&file)) {
            // It was reported where it is read.
            return None;
        }
        // A writer may have begun it since the files were listed, or a hook may have removed it since the line was
        // read.
        let is_later =
            |file: &String| names::sequence(&slot.log.name, file).is_some_and(|number| number > slot.sequence);
        let listed = slot.directory().list().is_ok_and(|files| files.iter().any(is_later));
        let is_missing = !listed && self.proof_at(source, at)?.missing_behind(self.number_at(at)).is_some();
        segment(match slot.is_unborn {
            true => format!("segment number {number} is not here, {}", proof.held_up_to(&slot.log.name)),
            false => gone(&format!("segment number {number}")),
        })
        .filter(|_| is_missing)
    }

    /// The number of the segment; 0 when the log has only a file to which nothing was ever written.
    fn number_at(&self, at: usize) -> u64 {
        if self.slots[at].is_unborn {
            0
        } else {
            self.slots[at].sequence
        }
    }

    /// What is missing at the end of segment number `at`, with which the log was closed, and whose last blocks are
    /// `shift` bytes after the place where they were written.
    fn shortened(&self, at: usize, shift: i64, proof: &Proof) -> Option<String> {
        let slot = &self.slots[at];
        let Ok(SlotState::Segment(segment)) = self.open(at) else { return None };
        let here = end_before_space(&segment).ok()?.saturating_add_signed(shift.saturating_neg());
        let noted = proof.shortened(&segment.header, here)?;
        let lock = names::lock(&slot.log.name);
        Some(format!(
            "{} bytes of the file are missing: {lock} notes how many it had when the log was closed",
            noted - here
        ))
    }

    /// Whether segment number `at` is in a store, which the next one reaches when it is closed. A store that is a
    /// directory is recognized by its label, as long as no writer has used the directory.
    pub fn is_archive(&self, source: &Source, at: usize) -> bool {
        let is_labelled = |slot: &Arc<Slot>| {
            let Ok(id) = <[u8; 16]>::try_from(&slot.log.id[..]) else { return false };
            slot.directory().facts(&Label::Log(id).name(&slot.log.name)).is_ok()
                && Proof::of(slot.directory(), &slot.log.name, &self.slots).is_none()
        };
        source.is_far() || self.slots.get(at).is_some_and(is_labelled)
    }

    /// The id of the last record in closed segments of the log of segment number `at`, as noted in its lock file.
    pub fn last_id_proven(&self, source: &Source, at: usize) -> Option<u64> {
        let proof = self.proof_at(source, at)?;
        // When none of its segments is here, the first ones may have been removed before.
        (!self.slots[at].is_unborn || proof.missing_behind(0) == Some(1)).then(|| proof.next_id() - 1)
    }

    /// The number of a segment after segment number `at`, the log's last one here, for which the lock file notes that
    /// it held something, but not how much.
    pub fn unclosed_behind(&self, source: &Source, at: usize) -> Option<u64> {
        let proof = self.proof_at(source, at)?;
        proof.missing_behind(self.number_at(at)).filter(|&number| !proof.is_closed(number))
    }

    fn proof_at(&self, source: &Source, at: usize) -> Option<Proof> {
        let slot = self.slots.get(at).filter(|slot| matches!(source, Source::Directory(_)) && !slot.is_legacy())?;
        let proof = Proof::of(slot.directory(), &slot.log.name, &self.slots);
        proof.filter(|proof| slot.is_unborn || proof.log_id() == slot.log.id)
    }

    /// Appends the file of this name after the last segment, if it is the next one of the only log that is here.
    pub fn take_next(&mut self, source: &Source, name: &str) -> Result<bool> {
        let (Source::Directory(directory), Some(last)) = (source, self.slots.last()) else { return Ok(false) };
        if !self.one_log || !self.unreadable.is_empty() || !name.ends_with(EXTENSION) || name.contains('/') {
            return Ok(false);
        }
        let segment = match self.shared.open(&**directory, name) {
            Ok(SlotState::Segment(segment)) => segment,
            Err(error) if error.kind() != Kind::Corrupt => return Err(error),
            _ => return Ok(false),
        };
        let header = &segment.header;
        let follows = header.predecessor.as_ref().is_some_and(|stated| stated.sequence == last.sequence);
        if !follows || header.name != last.log.name || header.log_id != last.log.id {
            return Ok(false);
        }
        let slot = Slot::of(directory, last.log.clone(), &segment, &self.shared);
        self.slots.push(Arc::new(slot));
        Ok(true)
    }

    /// The position of this segment, or of another file of it, compressed or not.
    pub fn place_of(&self, slot: &Arc<Slot>) -> Option<usize> {
        let itself = self.slots.iter().position(|other| Arc::ptr_eq(other, slot));
        itself.or_else(|| self.slots.iter().position(|other| other.is_same_segment(slot)))
    }

    /// Inserts a segment in its place, and returns the place.
    pub fn insert(&mut self, slot: Arc<Slot>) -> usize {
        self.slots.push(slot.clone());
        sort(&mut self.slots);
        self.one_log = is_one_log(&self.slots);
        self.slots.iter().position(|other| Arc::ptr_eq(other, &slot)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::doubles::once_each;
    use super::super::slot::Log;
    use super::*;
    use crate::io::{Directory, MemoryDirectory};

    #[test]
    fn a_log_of_many_copies_takes_time_in_proportion_to_them() {
        const MANY: u64 = 20_000;
        let log = Arc::new(Log { name: "log".to_owned(), id: vec![1; 16] });
        let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
        let slot = |name: String, number| Arc::new(Slot::by_name(directory.clone(), name, log.clone(), number));
        let both = |number| {
            [slot(format!("log.{number:010}.binlog"), number), slot(format!("log.{number:010}.z.binlog"), number)]
        };
        let once = once_each((1..=MANY).flat_map(both).collect());
        let remarks = once.slots.iter().map(|slot| Remark::of(slot, String::new())).collect();
        let nothing = Snapshot::empty(Required::default(), 0);
        let mut snapshot = Snapshot { slots: once.slots, alternatives: once.alternatives, remarks, ..nothing };
        let begun = Instant::now();
        for at in 0..snapshot.slots.len() {
            assert_eq!(snapshot.remarks_at(at).count(), 1);
            assert!(snapshot.take_alternative(at, "damaged").is_some());
        }
        // Comparing each with all others would take 400 million comparisons.
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
