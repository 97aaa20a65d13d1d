//! A log from its oldest segment on, for removing old ones: which segments are in their places, and which files keep
//! others from being removed.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::heads::Heads;
use super::slot::{Slot, SlotState};
use super::snapshot::{Snapshot, Unreadable};
use crate::error::{Error, Kind, Result};
use crate::io::Directory;
use crate::log::names;
use crate::log::quoted::quoted;
use crate::options::{ReaderMode, Required};
use crate::segment::{is_headed_by_another, Segment};

/// The segments of one log whose headers can be read, the oldest first.
pub(crate) struct Oldest<'a> {
    pub segments: Vec<&'a Arc<Slot>>,
    /// Other files of a segment, by the first one, from which it is read.
    others: HashMap<*const Slot, Vec<&'a Arc<Slot>>>,
    obstacles: Vec<Obstacle>,
}

/// A file that holds or may hold records and is not removed. Nothing newer is removed either, lest records be missing
/// in between.
struct Obstacle {
    /// The smallest number that its segment may have.
    sequence: u64,
    /// The first record that it may hold, if known.
    first_id: Option<u64>,
    error: Error,
}

/// The segments of a directory of which these files were listed. `thoroughly`: by all headers, however many there are,
/// and with the remains of damaged files. Files that this user may not read are skipped unless they belong to a log
/// that is here.
pub(crate) fn look(directory: &Arc<dyn Directory>, mut listed: Vec<String>, thoroughly: bool) -> Result<Snapshot> {
    const LISTINGS: usize = 100;
    let mode = if thoroughly { ReaderMode::Salvage } else { ReaderMode::Prefix };
    let mut known = Snapshot::empty(Required::default(), u64::MAX);
    for _ in 0..LISTINGS {
        let mut heads = Heads::lenient(&known, mode);
        heads.add(directory, listed.into_iter().filter(|name| names::is_segment(name)).collect());
        let (fresh, is_whole) = heads.finish()?;
        known = fresh;
        if is_whole {
            break;
        }
        listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    }
    Ok(known)
}

impl<'a> Oldest<'a> {
    /// For the log with this name and id.
    pub fn of(directory: &dyn Directory, there: &'a Snapshot, (name, id): (&str, &[u8])) -> Result<Self> {
        let is_ours = |slot: &&Arc<Slot>| slot.log.id == id && slot.log.name == name;
        let is_segment = |slot: &&Arc<Slot>| !slot.is_legacy() && !slot.is_unborn && !slot.is_rescued();
        let segments: Vec<_> = there.slots.iter().filter(is_ours).filter(is_segment).collect();
        let mut others: HashMap<_, Vec<_>> = HashMap::new();
        for (kept, other) in there.alternatives.pairs() {
            others.entry(Arc::as_ptr(kept)).or_default().push(other);
        }
        let mut oldest = Oldest { segments, others, obstacles: vec![] };
        let judge = Judge { directory, name };
        let mut found = judge.misplaced(&oldest);
        found.extend(judge.damaged(&oldest, there));
        found.extend(judge.unreadable(&oldest, &there.unreadable));
        // When neither the header nor the name states the log, the blocks may belong to this one.
        let may_be_ours = |slot: &&Arc<Slot>| slot.log.name == name || slot.log.name == slot.name;
        let rescued = there.slots.iter().filter(|slot| slot.is_rescued()).filter(may_be_ours);
        found.extend(rescued.map(|slot| judge.header_lost(slot)));
        for slot in there.slots.iter().filter(|slot| !is_ours(slot)) {
            found.extend(judge.another(there, slot)?);
        }
        oldest.obstacles = found;
        Ok(oldest)
    }

    /// The other files of a segment, compressed or not.
    pub fn others(&self, slot: &Arc<Slot>) -> &[&'a Arc<Slot>] {
        self.others.get(&Arc::as_ptr(slot)).map_or(&[], Vec::as_slice)
    }

    /// Why the segment, whose first record has the id `first_id`, must stay.
    pub fn obstacle(&self, slot: &Slot, first_id: u64) -> Option<&Error> {
        let keeps = |obstacle: &&Obstacle| {
            obstacle.sequence <= slot.sequence || obstacle.first_id.is_some_and(|first| first <= first_id)
        };
        self.obstacles.iter().filter(keeps).min_by_key(|obstacle| obstacle.sequence).map(|obstacle| &obstacle.error)
    }

    /// Whether only reading all headers, and the remains of damaged files, can show the order of age: names that no
    /// header confirms leave room for a segment to be elsewhere, or the contents of a file are unknown.
    pub fn is_doubtful(&self) -> bool {
        let is_believed = |slot: &Slot| slot.known().is_none();
        let has_gap = || self.segments.windows(2).any(|pair| pair[0].sequence.checked_add(1) != Some(pair[1].sequence));
        self.obstacles.iter().any(|obstacle| obstacle.first_id.is_none())
            || (self.segments.iter().any(|slot| is_believed(slot)) && has_gap())
    }
}

/// Decides which files of a log are obstacles.
struct Judge<'a> {
    directory: &'a dyn Directory,
    /// The log's name.
    name: &'a str,
}

impl Judge<'_> {
    /// Segments in files with other names than their writer would give them, and segments that are here twice.
    fn misplaced(&self, oldest: &Oldest<'_>) -> Vec<Obstacle> {
        let mut found = vec![];
        for (at, slot) in oldest.segments.iter().enumerate() {
            let next = oldest.segments.get(at + 1);
            let others = oldest.others(slot);
            // Of several copies, the one whose name its writer may have given it stays.
            let is_right =
                |slot: &Slot| slot.is_as_written() || self.is_first(slot, at, next.map(|next| next.sequence));
            let right = std::iter::once(slot).chain(others).find(|slot| is_right(slot));
            for file in std::iter::once(slot).chain(others) {
                match right {
                    Some(right) if Arc::ptr_eq(file, right) => (),
                    Some(right) if is_right(file) && file.is_same_segment(right) => (),
                    Some(right) => found.push(self.copy(file, right)),
                    None => found.push(self.misnamed(file)),
                }
            }
            if let Some(next) = next.filter(|next| next.sequence == slot.sequence) {
                let reason = format!("segment {} of the log is here twice, also as {}", slot.sequence, next.name);
                found.push(self.obstacle(slot, reason, self.recovering()));
            }
        }
        found
    }

    /// Whether it is the first segment of a log. That has the number 1 even when its name had to take a greater one.
    fn is_first(&self, slot: &Slot, at: usize, next: Option<u64>) -> bool {
        let named = names::sequence(self.name, &slot.name);
        at == 0
            && slot.is_first()
            && slot.is_named()
            && named.is_some_and(|named| named > 1 && next.is_none_or(|next| next > named))
    }

    fn copy(&self, file: &Slot, right: &Slot) -> Obstacle {
        let reason = format!("the file is a copy of segment {} of the log, which {} holds", file.sequence, right.name);
        let (this, aside) = (self.quoted(&file.name), self.quoted(&format!("{}.copy", file.name)));
        self.obstacle(file, reason, format!("`mv -n {this} {aside}` takes it out of the log"))
    }

    fn misnamed(&self, file: &Slot) -> Obstacle {
        let sequence = file.sequence;
        let reason = match names::sequence(self.name, &file.name).filter(|named| *named != sequence) {
            Some(named) => format!("the file is named as number {named} of the log and holds number {sequence}"),
            None => format!("the file holds segment {sequence} of the log under a name that no writer gave it"),
        };
        self.obstacle(file, reason, format!("give it its name back, or take it out of the log; {}", self.verifying()))
    }

    /// Damaged files of segments that are read from another form of them.
    fn damaged(&self, oldest: &Oldest<'_>, there: &Snapshot) -> Vec<Obstacle> {
        let mut found = vec![];
        for slot in oldest.segments.iter().filter(|_| !there.remarks.is_empty()) {
            let known: Vec<PathBuf> =
                std::iter::once(*slot).chain(oldest.others(slot).iter().copied()).map(|slot| slot.path()).collect();
            for remark in there.remarks.iter().filter(|remark| remark.concerns(slot) && !known.contains(&remark.path)) {
                let error = self.error(slot.sequence, &remark.reason, &self.recovering()).at(&remark.path);
                found.push(Obstacle { sequence: slot.sequence, first_id: None, error });
            }
        }
        found
    }

    /// Files that should be segments of the log and cannot be read at all. One that is not named like any of them
    /// proves nothing, and no segment has the number 0.
    fn unreadable(&self, oldest: &Oldest<'_>, files: &[Unreadable]) -> Vec<Obstacle> {
        let has_no_log = |file: &Unreadable| file.path.file_name().is_some_and(|name| name == file.log.as_str());
        let is_ours = |file: &&Unreadable| (file.log == self.name && file.sequence > 0) || has_no_log(file);
        let mut ours = files.iter().filter(is_ours).peekable();
        if ours.peek().is_none() {
            return vec![];
        }
        let shapes: HashSet<_> = oldest.segments.iter().map(|slot| names::shape(self.name, &slot.name)).collect();
        let is_alike = |file: &Unreadable| {
            let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            !has_no_log(file) && shapes.contains(&names::shape(self.name, name))
        };
        let obstacle = |file: &Unreadable| {
            let mend = match file.error.kind() {
                Kind::Corrupt => self.recovering(),
                Kind::Unsupported => "a newer version of this program removes it".to_owned(),
                _ => "make it readable, or take it out of the log".to_owned(),
            };
            let error = self.error(file.sequence, file.error.reason(), &mend).with_kind(file.error.kind());
            let first_id = file.ids.map(|(first, _)| first);
            // For a file that is not named like the log's files, only its blocks show whether it keeps anything here.
            let (sequence, first_id) = if is_alike(file) { (file.sequence, first_id) } else { (u64::MAX, None) };
            Obstacle { sequence, first_id, error: error.at(&file.path) }
        };
        ours.map(obstacle).collect()
    }

    fn header_lost(&self, slot: &Slot) -> Obstacle {
        self.obstacle(slot, "the beginning of the segment is damaged".to_owned(), self.recovering())
    }

    /// A file with the header of another log and a name of this log: the blocks after the header may belong to this
    /// log.
    fn another(&self, there: &Snapshot, slot: &Slot) -> Result<Option<Obstacle>> {
        let is_at_home = slot.log.name != self.name && slot.is_rightly_named();
        let Some(named) = names::sequence(self.name, &slot.name).filter(|_| !is_at_home && !slot.is_legacy()) else {
            return Ok(None);
        };
        let SlotState::Segment(segment) = there.open_slot(slot)? else { return Ok(None) };
        Ok(self.is_alien(&segment)?.then(|| {
            let reason = "the header of another segment is in front of the blocks of this one";
            let error = self.error(named, reason, &self.recovering()).at(&slot.path());
            Obstacle { sequence: named, first_id: None, error }
        }))
    }

    fn is_alien(&self, segment: &Segment) -> Result<bool> {
        Ok(!segment.is_rescued && is_headed_by_another(segment)?)
    }

    fn obstacle(&self, file: &Slot, reason: String, mend: String) -> Obstacle {
        let named = names::sequence(self.name, &file.name).unwrap_or(u64::MAX);
        let sequence = file.sequence.min(named);
        let first_id = file.known().map(|known| known.first_id);
        Obstacle { sequence, first_id, error: self.error(sequence, &reason, &mend).at(&file.path()) }
    }

    fn error(&self, sequence: u64, reason: &str, mend: &str) -> Error {
        // No command changes the contents of a store.
        let mend = if self.directory.is_far() { "take it out of the store, or put the right one there" } else { mend };
        Error::corrupt(format!("{reason}, so that segments from number {sequence} on are not removed: {mend}"))
    }

    fn recovering(&self) -> String {
        format!("`binlog recover --in-place {}` keeps a copy and mends it", self.quoted(""))
    }

    fn verifying(&self) -> String {
        format!("`binlog verify {}` says more", self.quoted(""))
    }

    fn quoted(&self, file: &str) -> String {
        quoted(self.directory, file)
    }
}
