//! When a flush, a sync or a heartbeat is due.

use std::time::Duration;

use super::filling::Filling;
use super::positions::Positions;
use crate::error::Result;
use crate::io::clock::Clock;
use crate::io::sync::atomic::{AtomicI64, Ordering};
use crate::options::{Lag, WriterOptions};

/// What the policies ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Flush,
    Sync,
}

/// The policies, in a form that each append can check.
pub(super) struct Schedule {
    flush: Lag,
    sync: Lag,
    flush_interval: Interval,
    sync_interval: Interval,
    /// Whether there is any rule but the flush interval.
    beyond_flush_interval: bool,
    heartbeat: Option<Duration>,
    clock: Clock,
    /// When the oldest record that is not durable was appended, for the sync interval; 0 = everything is.
    unsynced_since: AtomicI64,
}

/// A length of time in nanoseconds; `u64::MAX` = for ever.
struct Interval(u64);

impl Interval {
    fn of(lag: &Lag) -> Self {
        let nanos = lag.interval.map(|interval| u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX));
        Interval(nanos.unwrap_or(u64::MAX))
    }

    fn is_some(&self) -> bool {
        self.0 != u64::MAX
    }

    /// Whether it has passed since `since`; 0 means that nothing has begun. A clock that was set back counts as passed.
    #[inline]
    fn has_passed(&self, since: i64, now: i64) -> bool {
        now.wrapping_sub(since) as u64 >= self.0 && since != 0 && self.is_some()
    }
}

impl Schedule {
    pub fn new(options: &WriterOptions) -> Self {
        let counted = |lag: &Lag| lag.records.is_some() || lag.bytes.is_some();
        let (flush, sync) = (options.flush, options.sync);
        Schedule {
            flush,
            sync,
            flush_interval: Interval::of(&flush),
            sync_interval: Interval::of(&sync),
            beyond_flush_interval: counted(&flush) || counted(&sync) || sync.interval.is_some(),
            heartbeat: options.heartbeat,
            clock: options.clock.clone(),
            unsynced_since: AtomicI64::new(0),
        }
    }

    /// What is due after the last record of `filling`, when the oldest record that is not flushed was appended at `since`.
    #[inline]
    pub fn due(&self, positions: &Positions, filling: &Filling, since: i64, now: i64) -> Due {
        if self.beyond_flush_interval {
            return self.due_by_policies(positions, filling, since, now);
        }
        match self.flush_interval.has_passed(since, now) {
            true => Due::Flush,
            false => Due::Nothing,
        }
    }

    fn due_by_policies(&self, positions: &Positions, filling: &Filling, since: i64, now: i64) -> Due {
        let id = filling.last_id();
        if positions.is_sync_due(&self.sync, id, filling.bytes())
            || self.sync_interval.has_passed(self.unsynced_since(), now)
        {
            return Due::Sync;
        }
        if positions.is_flush_due(&self.flush, id, filling.bytes()) || self.flush_interval.has_passed(since, now) {
            return Due::Flush;
        }
        Due::Nothing
    }

    /// Whether a record that was appended at `since` has to be flushed or synced by an interval.
    #[inline(always)]
    pub fn is_overdue(&self, since: i64, now: i64) -> bool {
        self.flush_interval.has_passed(since, now) || self.sync_interval.has_passed(since, now)
    }

    /// When a record that was appended at `since` has to be flushed or synced by an interval.
    pub fn overdue_at(&self, since: i64) -> i64 {
        let nanos = self.flush_interval.0.min(self.sync_interval.0);
        since.saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// How many records and bytes of payload may wait for a flush or a sync; `u64::MAX` = as many as there is memory for.
    pub fn most_waiting(&self) -> (u64, u64) {
        let least = |bounds: [Option<u64>; 2]| bounds.into_iter().flatten().min().unwrap_or(u64::MAX);
        (least([self.flush.records, self.sync.records]), least([self.flush.bytes, self.sync.bytes]))
    }

    /// Whether what is due was promised for each record, by a bound in records or bytes, and not only for a time.
    pub fn is_promised(&self, due: Due) -> bool {
        let lag = if due == Due::Sync { &self.sync } else { &self.flush };
        lag.records.is_some() || lag.bytes.is_some()
    }

    /// What the intervals require now, and how long until they may require something again.
    pub fn due_by_time(&self, filling: &Filling, is_stuck: bool) -> (Due, Option<Duration>) {
        let now = self.clock.now_ns();
        let (staged, earlier) = (filling.appenders.since(), |one: i64, other: i64| match (one, other) {
            (0, other) => other,
            (one, 0) => one,
            (one, other) => one.min(other),
        });
        let (since, unsynced) = (earlier(filling.since(), staged), earlier(self.unsynced_since(), staged));
        let due = if self.sync_interval.has_passed(unsynced, now) {
            Due::Sync
        } else if self.flush_interval.has_passed(since, now) || is_stuck {
            // What could not be written is overdue, even when no record followed.
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
        let until = |moment: i64| Duration::from_nanos(moment.saturating_sub(now).max(0) as u64);
        let beat = self
            .heartbeat
            .map(|every| until(filling.beat.saturating_add(i64::try_from(every.as_nanos()).unwrap_or(i64::MAX))));
        let lags = [left(&self.flush, since), left(&self.sync, unsynced)];
        let next = lags.into_iter().chain([filling.span_end().map(until), beat]).flatten().min();
        (due, next)
    }

    pub fn is_time_to_beat(&self, filling: &mut Filling) -> bool {
        let passed = filling.clock.now_ns().wrapping_sub(filling.beat).unsigned_abs();
        self.heartbeat.is_some_and(|interval| u128::from(passed) >= interval.as_nanos())
    }

    /// Starts the clock of the sync interval, unless it is running.
    #[inline]
    pub fn note_unsynced(&self, now: i64) {
        if self.sync_interval.is_some() && self.unsynced_since() == 0 {
            self.unsynced_since.store(now, Ordering::Relaxed);
        }
    }

    /// As [`Self::note_unsynced`], for a record that was appended a while ago.
    pub fn note_unsynced_since(&self, since: i64) {
        let running = self.unsynced_since();
        if self.sync_interval.is_some() && since != 0 && (running == 0 || since < running) {
            self.unsynced_since.store(since, Ordering::Relaxed);
        }
    }

    /// Syncs, and restarts the clock of the sync interval before the records are collected: for a record appended in
    /// between it starts too early rather than too late. A sync that fails stays due.
    pub fn within_interval(&self, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        let since = self.unsynced_since.swap(0, Ordering::Relaxed);
        let done = sync();
        if done.is_err() && since != 0 {
            self.unsynced_since.store(since, Ordering::Relaxed);
        }
        done
    }

    #[inline]
    fn unsynced_since(&self) -> i64 {
        self.unsynced_since.load(Ordering::Relaxed)
    }
}
