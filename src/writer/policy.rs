//! When a flush or a sync is due.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::append::Filling;
use super::{Shared, Writer};
use crate::error::Result;
use crate::io::clock;
use crate::options::Lag;

/// What the policies ask for after an append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Flush,
    Sync,
}

impl Writer {
    /// Does what the intervals of the flush and sync policies ask for by now. Only needed by a writer without a
    /// background thread whose log may go quiet, every so often.
    pub fn tick(&self) -> Result<()> {
        self.shared.check_usable()?;
        let (due, _) = self.shared.due_by_time(&self.shared.append.lock());
        let id = self.shared.appended.load(Ordering::Acquire);
        self.shared.carry_out(due, id)
    }
}

impl Shared {
    /// What is due now that `filling` ends with record `id`.
    #[inline]
    pub(super) fn due(&self, filling: &Filling, id: u64, now: i64) -> Due {
        let (flush, sync) = (&self.options.flush, &self.options.sync);
        if sync.records.is_some() || sync.bytes.is_some() || sync.interval.is_some() {
            let since = self.unsynced_since.load(Ordering::Relaxed);
            if over(sync, id, &self.durable, filling.bytes(), &self.durable_bytes) || waited(sync, since, now) {
                return Due::Sync;
            }
        }
        let since = filling.piece.as_ref().map_or(0, |piece| piece.since());
        let counted = flush.records.is_some() || flush.bytes.is_some();
        if (counted && over(flush, id, &self.flushed, filling.bytes(), &self.flushed_bytes))
            || waited(flush, since, now)
        {
            return Due::Flush;
        }
        Due::Nothing
    }

    #[inline]
    pub(super) fn carry_out(&self, due: Due, id: u64) -> Result<()> {
        match due {
            Due::Nothing => Ok(()),
            Due::Flush => self.flush(),
            Due::Sync => self.sync_to(id),
        }
    }

    /// Starts the clock of the sync interval, unless it is running.
    #[inline]
    pub(super) fn note_unsynced(&self, now: i64) {
        if self.options.sync.interval.is_some() && self.unsynced_since.load(Ordering::Relaxed) == 0 {
            self.unsynced_since.store(now, Ordering::Relaxed);
        }
    }

    /// What the intervals ask for now, and how long until they may ask again.
    fn due_by_time(&self, filling: &Filling) -> (Due, Option<Duration>) {
        let now = clock::now_ns();
        let since = filling.piece.as_ref().filter(|piece| !piece.is_empty()).map_or(0, |piece| piece.since());
        let unsynced = self.unsynced_since.load(Ordering::Relaxed);
        let due = if waited(&self.options.sync, unsynced, now) {
            Due::Sync
        } else if waited(&self.options.flush, since, now) {
            Due::Flush
        } else {
            Due::Nothing
        };
        let left = |lag: &Lag, since: i64| {
            let interval = lag.interval?;
            Some(match since {
                0 => interval,
                since => interval.saturating_sub(Duration::from_nanos(now.saturating_sub(since).max(0) as u64)),
            })
        };
        let next = [left(&self.options.flush, since), left(&self.options.sync, unsynced)].into_iter().flatten().min();
        (due, next)
    }

    /// The background thread's part; returns how long it may sleep. Errors show up again in the next call that needs
    /// what failed.
    ///
    /// It never waits for the append lock: whoever holds that may be waiting for this thread to free a piece, and looks
    /// at the intervals by itself.
    pub(super) fn tick_background(&self) -> Option<Duration> {
        const SOON: Duration = Duration::from_millis(1);
        let Some(mut filling) = self.append.try_lock() else { return Some(SOON) };
        let (due, next) = self.due_by_time(&filling);
        if due == Due::Nothing {
            return next.map(|time| time.max(SOON));
        }
        if due == Due::Sync {
            self.unsynced_since.store(0, Ordering::Relaxed);
        }
        self.hand_over(&mut filling);
        drop(filling);
        let done = self.drain().and_then(|()| if due == Due::Sync { self.sync_written() } else { Ok(()) });
        Some(if done.is_ok() { SOON } else { Duration::from_secs(1) })
    }
}

#[inline]
fn over(
    lag: &Lag,
    id: u64,
    reached: &std::sync::atomic::AtomicU64,
    bytes: u64,
    bytes_reached: &std::sync::atomic::AtomicU64,
) -> bool {
    lag.records.is_some_and(|most| id - reached.load(Ordering::Relaxed).min(id) >= most)
        || lag.bytes.is_some_and(|most| bytes - bytes_reached.load(Ordering::Relaxed).min(bytes) >= most)
}

/// Whether the interval has passed since `since`, 0 standing for never. A clock set back counts as passed.
#[inline]
fn waited(lag: &Lag, since: i64, now: i64) -> bool {
    match lag.interval {
        Some(interval) if since != 0 => now.wrapping_sub(since) as u64 >= interval.as_nanos() as u64,
        _ => false,
    }
}
