//! A part of one log: some of its segments, and the range of ids that is read of them.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};

use super::heads::Heads;
use super::order::is_one_log;
use super::snapshot::Snapshot;
use super::source::Source;
use crate::error::{Error, Kind, Result};
use crate::log::names;
use crate::options::{ReaderMode, Required};

/// The segments of a part, where they are, and what is read of them.
pub(crate) struct Part {
    /// Where the log is.
    pub source: Source,
    pub log_id: [u8; 16],
    /// The log's name; `None` = it is not known, and headers are read to find the segments.
    pub log: Option<String>,
    /// The numbers of the segments. The last one may only be there to show how the one before it ends.
    pub sequences: RangeInclusive<u64>,
    /// The names that their files had; empty if they are not known.
    pub files: Vec<String>,
    pub limit: Limit,
    /// The names were tried: from then on the files are listed.
    tried: AtomicBool,
}

/// What is read of the segments of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Ids of the first and the last record. The last may be the one before the first, if there are only events.
    pub first_id: u64,
    pub last_id: u64,
    /// The part reaches to the end of its last own segment: also the events after its last record, and damage there,
    /// are in it.
    pub to_the_end: bool,
    /// Number of the last segment that it is a part of. One behind that only shows how this one ends.
    pub last_sequence: u64,
}

impl Limit {
    /// Id of the last event that can be in the part: events have the id of the record that follows.
    pub fn last_event_id(&self) -> u64 {
        self.last_id.saturating_add(u64::from(self.to_the_end))
    }

    /// Whether something that no record's id shows, before the record `next_id`, is in the part.
    pub fn owns(&self, next_id: u64) -> bool {
        (self.first_id..=self.last_event_id()).contains(&next_id)
    }

    /// The ids that are in the part.
    pub fn clip(&self, (first, last): (u64, u64)) -> Option<(u64, u64)> {
        let ids = (first.max(self.first_id), last.min(self.last_id));
        (ids.0 <= ids.1).then_some(ids)
    }
}

impl Part {
    pub fn new(
        source: Source,
        (log, log_id): (Option<String>, [u8; 16]),
        sequences: RangeInclusive<u64>,
        files: Vec<String>,
        limit: Limit,
    ) -> Self {
        Part { source, log_id, log, sequences, files, limit, tried: AtomicBool::new(false) }
    }

    /// As [`Source::snapshot`] of the part's segments alone. The first time, files whose names are known are not
    /// listed; later they may have other names.
    pub(super) fn look(&self, known: &Snapshot, mode: ReaderMode) -> Result<(Snapshot, bool)> {
        let is_first = !self.tried.swap(true, Ordering::Relaxed);
        let directory = match &self.source {
            Source::Directory(directory) | Source::Matching(directory, _) => directory,
            Source::File(..) | Source::Glob(_) | Source::Part(_) => {
                let (snapshot, is_whole) = self.source.look(known, mode)?;
                return Ok((self.of(snapshot), is_whole));
            }
        };
        if is_first && !self.files.is_empty() {
            let mut found = Heads::new(known, mode);
            found.add(directory, self.files.clone());
            let (snapshot, is_whole) = found.finish()?;
            if snapshot.slots.iter().all(|slot| slot.is_rightly_named()) {
                return Ok((self.of(snapshot), is_whole));
            }
        }
        let mut found = Heads::new(known, mode);
        let all = {
            let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
            let listed = listed.into_iter().filter(|file| self.source.matches(file));
            let (segments, others): (Vec<_>, Vec<_>) = listed.partition(|name| names::is_segment(name));
            let ours: Vec<_> = segments.iter().filter(|file| self.may_have(file)).cloned().collect();
            if ours.is_empty() {
                // The names of legacy files need not be those of segments, and contain no numbers.
                found.add_others(directory, others);
            }
            found.add(directory, if ours.is_empty() { segments.clone() } else { ours });
            segments
        };
        let (snapshot, is_whole) = found.finish()?;
        let here = self.of(snapshot);
        if self.is_complete(&here) {
            return Ok((here, is_whole));
        }
        // They may be in files whose names state something else.
        let mut found = Heads::new(known, mode);
        found.add(directory, all);
        let (snapshot, is_whole) = found.finish()?;
        Ok((self.of(snapshot), is_whole))
    }

    /// Whether all segments of the part are there.
    fn is_complete(&self, here: &Snapshot) -> bool {
        let numbers: HashSet<u64> = here.slots.iter().map(|slot| slot.sequence).collect();
        self.sequences.clone().all(|number| numbers.contains(&number))
    }

    /// Whether a file of this name may be one of the segments.
    fn may_have(&self, file: &str) -> bool {
        let Some(log) = &self.log else { return true };
        names::sequence(log, file).is_some_and(|sequence| self.sequences.contains(&sequence))
            || self.files.iter().any(|name| names::plain(name) == names::plain(file))
    }

    /// The part of this snapshot.
    fn of(&self, mut snapshot: Snapshot) -> Snapshot {
        snapshot.slots.retain(|slot| slot.log.id == self.log_id && self.sequences.contains(&slot.sequence));
        let is_ours = |log: &str| self.log.as_ref().is_none_or(|ours| ours == log);
        snapshot.unreadable.retain(|file| is_ours(&file.log) && self.sequences.contains(&file.sequence));
        snapshot.one_log = is_one_log(&snapshot.slots);
        snapshot
    }

    /// Why none of the segments is there: they were removed, or the log is another one, or not the `only` one that is
    /// read.
    pub fn why_nothing(&self, only: Option<&str>, block_max_bytes: u64) -> Result<Error> {
        let nothing = Snapshot::empty(Required::default(), block_max_bytes);
        let all = self.source.snapshot(&nothing, ReaderMode::Prefix);
        let all = match all {
            Err(error) if error.kind() == Kind::NotFound => return Ok(error),
            all => all?,
        };
        let path = self.source.path();
        let Limit { first_id, last_id, .. } = self.limit;
        let ours = || all.slots.iter().filter(|slot| slot.log.id == self.log_id);
        if let (Some(slot), Some(only)) = (ours().next(), only) {
            if slot.log.name != only {
                let reason = format!("the split is of the log {:?}, and not of {only:?}", slot.log.name);
                return Ok(Error::new(Kind::Mismatch, reason).at(&path));
            }
        }
        if ours().any(|slot| slot.sequence >= *self.sequences.start()) {
            return Ok(Error::of_missed(first_id, last_id.max(first_id)).at(&path));
        }
        if let Some(last) = ours().map(|slot| slot.sequence).max() {
            let (from, to) = (self.sequences.start(), self.sequences.end());
            let reason = format!("the segments {from} to {to} of the split are not here: the last one here is {last}");
            return Ok(Error::new(Kind::NotFound, reason).at(&path));
        }
        if all.slots.iter().any(|slot| self.log.as_ref().is_none_or(|log| *log == slot.log.name)) {
            let reason = "another log is here than the one that the split is of: plan it anew";
            return Ok(Error::new(Kind::Mismatch, reason).at(&path));
        }
        Ok(Error::new(Kind::NotFound, "the log that the split is of is not here").at(&path))
    }
}
