//! What the lock file of a log proves of its segments.

use std::sync::Arc;

use super::slot::Slot;
use crate::format::declaration::FileHeader;
use crate::io::Directory;
use crate::log::lock::read_left;
use crate::log::Left;

/// The lock file's line, as far as it is of the log that is here. That it is absent or cannot be read proves nothing.
pub(super) struct Proof(Left);

impl Proof {
    /// Of the log of this name of which these segments are here.
    pub fn of(directory: &dyn Directory, log: &str, slots: &[Arc<Slot>]) -> Option<Self> {
        let left = read(directory, log)?;
        let mut ours = slots.iter().filter(|slot| slot.log.name == log && !slot.is_unborn).peekable();
        (ours.peek().is_none() || ours.any(|slot| slot.log.id == left.log_id)).then_some(Proof(left))
    }

    /// Whether the directory keeps the line of such a log.
    pub fn is_kept(directory: &dyn Directory, log: &str) -> bool {
        read(directory, log).is_some()
    }

    /// Whether the segment of this number held something, when none behind it is here. A smaller number may be that of a file
    /// that was never begun, whose place another one took.
    pub fn held(&self, sequence: u64) -> bool {
        held(&self.0, sequence)
    }

    /// The log's id.
    pub fn log_id(&self) -> &[u8] {
        &self.0.log_id
    }

    /// The id behind all records of which the line knows.
    pub fn next_id(&self) -> u64 {
        self.0.next_id
    }

    /// Up to where the segment with this header was durable.
    pub fn durable_end(&self, header: &FileHeader) -> u64 {
        self.0.durable_end(header, u64::MAX)
    }

    /// Whether anything in the segment of this number was durable.
    pub fn was_durable(&self, sequence: u64) -> bool {
        self.0.synced >= sequence || self.0.is_closed(sequence)
    }

    /// The number of a segment behind `last`, which is the last one here, that held something and was not noted as closed:
    /// what was closed may have been taken away.
    pub fn missing_behind(&self, last: u64) -> Option<u64> {
        missing_behind(&self.0, last)
    }
}

/// See [`Proof::held`].
pub(super) fn held(left: &Left, sequence: u64) -> bool {
    left.synced == sequence || left.last.is_some_and(|last| last.sequence == sequence)
}

/// See [`Proof::missing_behind`].
pub(super) fn missing_behind(left: &Left, last: u64) -> Option<u64> {
    (left.synced > last && !left.is_closed(left.synced)).then_some(left.synced)
}

fn read(directory: &dyn Directory, log: &str) -> Option<Left> {
    if directory.is_far() || crate::log::check_name(log).is_err() {
        return None;
    }
    read_left(directory, log)
}
