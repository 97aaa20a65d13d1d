//! What the lock file of a log proves about its segments.

use std::sync::Arc;

use super::slot::Slot;
use crate::format::declaration::FileHeader;
use crate::io::Directory;
use crate::log::lock::read_left;
use crate::log::{names, Left};

/// The lock file's line, if it belongs to the log that is here. A missing or unreadable line proves nothing.
pub(super) struct Proof(Left);

impl Proof {
    /// For the log of this name, of which these segments are here.
    pub fn of(directory: &dyn Directory, log: &str, slots: &[Arc<Slot>]) -> Option<Self> {
        let left = read(directory, log)?;
        let mut ours = slots.iter().filter(|slot| slot.log.name == log && !slot.is_unborn).peekable();
        (ours.peek().is_none() || ours.any(|slot| slot.log.id == left.log_id)).then_some(Proof(left))
    }

    /// Whether the directory contains the line of such a log.
    pub fn is_kept(directory: &dyn Directory, log: &str) -> bool {
        read(directory, log).is_some()
    }

    /// The number of the last closed segment, if its blocks have this marker.
    pub fn number_by(&self, marker: u64) -> Option<u64> {
        self.0.last.filter(|last| last.marker == marker).map(|last| last.sequence)
    }

    /// Whether the segment of this number held something, when there is none after it. A smaller number may belong to a
    /// file that was never begun and was replaced by another one.
    pub fn held(&self, sequence: u64) -> bool {
        held(&self.0, sequence)
    }

    /// The ids of all segments, if the one of this number is the last closed one.
    pub fn ids_up_to(&self, sequence: u64) -> Option<(u64, u64)> {
        let is_last = self.0.last.is_some_and(|last| last.sequence == sequence);
        (is_last && self.0.next_id > 1).then(|| (1, self.0.next_id - 1))
    }

    /// The noted records of a log of which no segment is here.
    pub fn held_up_to(&self, log: &str) -> String {
        let lock = names::lock(log);
        match self.next_id() {
            1 => format!("of which {lock} notes that it held something"),
            next_id => format!("and {lock} notes that the log had records up to {}", next_id - 1),
        }
    }

    /// The log's id.
    pub fn log_id(&self) -> &[u8] {
        &self.0.log_id
    }

    /// The id after all records that the line covers.
    pub fn next_id(&self) -> u64 {
        self.0.next_id
    }

    /// The offset up to which the segment with this header was durable.
    pub fn durable_end(&self, header: &FileHeader) -> u64 {
        self.0.durable_end(header, u64::MAX)
    }

    /// See [`Left::shortened`].
    pub fn shortened(&self, header: &FileHeader, len: u64) -> Option<u64> {
        self.0.shortened(header, len)
    }

    /// Whether the segment of this number was noted as closed; then it is known what it held.
    pub fn is_closed(&self, sequence: u64) -> bool {
        self.0.is_closed(sequence)
    }

    /// Whether anything in the segment of this number was durable.
    pub fn was_durable(&self, sequence: u64) -> bool {
        self.0.synced >= sequence || self.0.is_closed(sequence)
    }

    /// The number of a segment after `last`, the last one here, that held something and cannot have been removed: it
    /// was not noted as closed, or the log was closed with it.
    pub fn missing_behind(&self, last: u64) -> Option<u64> {
        missing_behind(&self.0, last)
    }
}

/// See [`Proof::held`].
pub(crate) fn held(left: &Left, sequence: u64) -> bool {
    left.synced == sequence || left.last.is_some_and(|last| last.sequence == sequence)
}

/// See [`Proof::missing_behind`].
pub(crate) fn missing_behind(left: &Left, last: u64) -> Option<u64> {
    (left.synced > last && !left.may_be_gone(left.synced)).then_some(left.synced)
}

/// A log of which no file is here, although its last segment cannot have been removed.
pub(crate) struct Vanished {
    pub log: String,
    /// The number of that segment.
    pub sequence: u64,
    /// The last record of all closed segments; 0 = none.
    pub last_id: u64,
}

impl Vanished {
    /// The proof, and what it proves.
    pub fn reason(&self) -> String {
        let (lock, sequence, last_id) = (names::lock(&self.log), self.sequence, self.last_id);
        match last_id {
            0 => format!("{lock} notes that segment number {sequence} of the log held something"),
            _ => format!("{lock} notes that the log had segments up to number {sequence}, and records up to {last_id}"),
        }
    }
}

/// The logs of a directory of which no file is here, although their lock files note segments.
pub(crate) fn vanished(directory: &dyn Directory) -> Vec<Vanished> {
    let listed = directory.list().unwrap_or_default();
    let of_lock = |file: &String| {
        let log = names::of_lock(file)?;
        let left = read(directory, log)?;
        let sequence = missing_behind(&left, 0)?;
        if listed.iter().any(|file| names::sequence(log, file).is_some()) {
            return None;
        }
        Some(Vanished { log: log.to_owned(), sequence, last_id: left.next_id - 1 })
    };
    listed.iter().filter_map(of_lock).collect()
}

fn read(directory: &dyn Directory, log: &str) -> Option<Left> {
    if directory.is_far() || crate::options::check_name(log).is_err() {
        return None;
    }
    read_left(directory, log)
}
