//! How far a log is appended, flushed and durable.

use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::options::Lag;

/// How far a log is appended, flushed and durable: the id of the last record, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Taken by the writer: survives nothing yet.
    pub appended: u64,
    /// Handed to the system: survives the process.
    pub flushed: u64,
    /// On the disk: survives the machine.
    pub durable: u64,
}

pub(super) struct Positions {
    appended: AtomicU64,
    flushed: AtomicU64,
    durable: AtomicU64,
    /// The same positions in bytes of payload since the writer was opened; the append lock guards the appended one.
    flushed_bytes: AtomicU64,
    durable_bytes: AtomicU64,
}

impl Positions {
    /// For a log that ends with record `last`, of which nothing is known to be durable.
    pub fn new(last: u64) -> Self {
        Positions {
            appended: AtomicU64::new(last),
            flushed: AtomicU64::new(last),
            durable: AtomicU64::new(0),
            flushed_bytes: AtomicU64::new(0),
            durable_bytes: AtomicU64::new(0),
        }
    }

    /// All three.
    pub fn get(&self) -> Position {
        // In this order: no position is ever seen ahead of one that it follows.
        let (durable, flushed) = (self.durable(), self.flushed());
        Position { appended: self.appended(), flushed, durable }
    }

    #[inline]
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    pub fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Bytes of payload that were flushed.
    pub fn flushed_bytes(&self) -> u64 {
        self.flushed_bytes.load(Ordering::Acquire)
    }

    /// Record `id` was appended. Called under the append lock.
    #[inline(always)]
    pub fn appended_to(&self, id: u64) {
        self.appended.store(id, Ordering::Release);
    }

    /// Record `id` was written. Called under the output lock.
    pub fn flushed_to(&self, id: u64) {
        self.flushed.store(id, Ordering::Release);
    }

    /// So many bytes of payload were written. Called under the output lock.
    pub fn flushed_bytes_to(&self, bytes: u64) {
        self.flushed_bytes.store(bytes, Ordering::Release);
    }

    /// Everything up to record `id` is durable, with so many bytes of payload.
    pub fn durable_to(&self, id: u64, bytes: u64) {
        self.durable.fetch_max(id, Ordering::AcqRel);
        self.durable_bytes.fetch_max(bytes, Ordering::AcqRel);
    }

    /// Whether the flushed position lags further behind record `id`, with which `bytes` were appended, than `most`
    /// allows.
    #[inline]
    pub fn is_flush_due(&self, most: &Lag, id: u64, bytes: u64) -> bool {
        exceeds(most, (id, &self.flushed), (bytes, &self.flushed_bytes))
    }

    /// As [`Self::is_flush_due`], for the durable position.
    #[inline]
    pub fn is_sync_due(&self, most: &Lag, id: u64, bytes: u64) -> bool {
        exceeds(most, (id, &self.durable), (bytes, &self.durable_bytes))
    }
}

#[inline]
fn exceeds(most: &Lag, (id, reached): (u64, &AtomicU64), (bytes, bytes_reached): (u64, &AtomicU64)) -> bool {
    most.records.is_some_and(|most| id - reached.load(Ordering::Relaxed).min(id) >= most)
        || most.bytes.is_some_and(|most| bytes - bytes_reached.load(Ordering::Relaxed).min(bytes) >= most)
}
