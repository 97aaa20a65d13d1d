//! When a flush or a sync is due.

use std::time::Duration;

use super::filling::{Filling, Room};
use super::{Shared, Writer};
use crate::error::Result;
use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::options::Lag;
use crate::record::{event, Metadata};

/// What the policies ask for after an append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Flush,
    Sync,
}

/// The policies, made ready to be asked in each append.
pub(super) struct Rules {
    flush_interval: Interval,
    sync_interval: Interval,
    /// Whether there is any rule but the flush interval.
    beyond_flush_interval: bool,
}

impl Rules {
    pub fn new(flush: &Lag, sync: &Lag) -> Self {
        let counted = |lag: &Lag| lag.records.is_some() || lag.bytes.is_some();
        Rules {
            flush_interval: Interval::of(flush),
            sync_interval: Interval::of(sync),
            beyond_flush_interval: counted(flush) || counted(sync) || sync.interval.is_some(),
        }
    }
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

    /// Whether it has passed since `since`, 0 standing for never. A clock set back counts as passed.
    #[inline]
    fn has_passed(&self, since: i64, now: i64) -> bool {
        now.wrapping_sub(since) as u64 >= self.0 && since != 0 && self.is_some()
    }
}

impl Writer {
    /// Does what time asks for by now: the intervals of the flush and sync policies, rolling, heartbeats, preparing the
    /// next segment; and what rolls have left to do. Only needed by a writer without a background thread, every so often
    /// in a thread of its own: when its log may go quiet, or when no append may wait for the disk because of a roll.
    pub fn tick(&self) -> Result<()> {
        let shared = &self.shared;
        shared.check_call()?;
        shared.note_tick();
        let turned = shared.turn_if_time(&mut shared.append.lock());
        let beaten = shared.beat_if_time()?;
        let (due, _) = shared.due_by_time(&shared.append.lock());
        let due = if due == Due::Nothing && (turned || beaten) { Due::Flush } else { due };
        let id = shared.appended.load(Ordering::Acquire);
        shared.carry_out(due, id)?;
        shared.ask_check()?;
        shared.look_for_segment()?;
        shared.prepare_next();
        shared.tidy()
    }

    /// Writes a [`crate::event::HEARTBEAT`] and flushes it: readers that ask for events see that the writer is alive.
    pub fn heartbeat(&self) -> Result<()> {
        let shared = &self.shared;
        shared.check_call()?;
        shared.patiently(|| shared.beat(shared.room()?))?;
        shared.patiently(|| shared.flush())
    }
}

impl Shared {
    /// Puts a heartbeat in front of the next record.
    fn beat(&self, mut room: Room<'_>) -> Result<()> {
        let now = room.now();
        room.push_event(event::HEARTBEAT, now, Metadata::default(), &[])?;
        room.into_filling().beat = now;
        Ok(())
    }

    fn beat_if_time(&self) -> Result<bool> {
        if !self.is_time_to_beat(&mut self.append.lock()) {
            return Ok(false);
        }
        self.beat(self.room()?).map(|()| true)
    }

    fn is_time_to_beat(&self, filling: &mut Filling) -> bool {
        let passed = filling.clock.now_ns().wrapping_sub(filling.beat).unsigned_abs();
        self.options.heartbeat.is_some_and(|interval| u128::from(passed) >= interval.as_nanos())
    }

    /// What is due now that `filling` ends with record `id`.
    #[inline]
    pub(super) fn due(&self, filling: &Filling, id: u64, now: i64) -> Due {
        if self.rules.beyond_flush_interval {
            return self.due_by_rules(filling, id, now);
        }
        match self.rules.flush_interval.has_passed(filling.since(), now) {
            true => Due::Flush,
            false => Due::Nothing,
        }
    }

    fn due_by_rules(&self, filling: &Filling, id: u64, now: i64) -> Due {
        let (flush, sync) = (&self.options.flush, &self.options.sync);
        let unsynced = self.unsynced_since.load(Ordering::Relaxed);
        if over(sync, id, &self.durable, filling.bytes(), &self.durable_bytes)
            || self.rules.sync_interval.has_passed(unsynced, now)
        {
            return Due::Sync;
        }
        if over(flush, id, &self.flushed, filling.bytes(), &self.flushed_bytes)
            || self.rules.flush_interval.has_passed(filling.since(), now)
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
            Due::Sync => self.sync_to(id).and_then(|()| self.tidy()),
        }
    }

    /// Starts the clock of the sync interval, unless it is running.
    #[inline]
    pub(super) fn note_unsynced(&self, now: i64) {
        if self.rules.sync_interval.is_some() && self.unsynced_since.load(Ordering::Relaxed) == 0 {
            self.unsynced_since.store(now, Ordering::Relaxed);
        }
    }

    /// What the intervals ask for now, and how long until they may ask again.
    fn due_by_time(&self, filling: &Filling) -> (Due, Option<Duration>) {
        let now = self.options.clock.now_ns();
        let since = filling.since();
        let unsynced = self.unsynced_since.load(Ordering::Relaxed);
        let due = if self.rules.sync_interval.has_passed(unsynced, now) {
            Due::Sync
        } else if self.rules.flush_interval.has_passed(since, now) || self.is_stuck() {
            // What could not be written is overdue, also when nothing came after it.
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
        // A segment without a record does not roll.
        let has_records = filling.next_id() > filling.begun.1;
        let roll = filling.stretch.end().filter(|_| self.rolls && has_records).map(until);
        let beat = self
            .options
            .heartbeat
            .map(|every| until(filling.beat.saturating_add(i64::try_from(every.as_nanos()).unwrap_or(i64::MAX))));
        let lags = [left(&self.options.flush, since), left(&self.options.sync, unsynced)];
        let next = lags.into_iter().chain([roll, beat]).flatten().min();
        (due, next)
    }

    /// Syncs, and starts the clock of the sync interval anew: before the records are collected, so that one that comes in
    /// between starts it too early rather than too late. A sync that fails stays due.
    pub(super) fn within_interval(&self, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        let since = self.unsynced_since.swap(0, Ordering::Relaxed);
        let done = sync();
        if done.is_err() && since != 0 {
            self.unsynced_since.store(since, Ordering::Relaxed);
        }
        done
    }

    /// The background thread's part; returns how long it may sleep. Errors show up again in the next call that needs
    /// what failed.
    ///
    /// It never waits for the append lock: whoever holds that may be waiting for this thread to free a piece, and looks
    /// at the intervals by itself.
    pub(super) fn tick_background(&self) -> Option<Duration> {
        const SOON: Duration = Duration::from_millis(1);
        if self.has_failed.load(Ordering::Acquire) {
            // Nothing is written any more.
            return None;
        }
        let Some(mut filling) = self.append.try_lock() else { return Some(SOON) };
        let turned = self.turn_if_time(&mut filling);
        let mut beaten = false;
        if self.is_time_to_beat(&mut filling) {
            // Only where there is room: waiting for it could be waiting for this thread.
            filling = match self.room_now(filling) {
                Ok(mut room) => {
                    let now = room.now();
                    beaten = room.push_event(event::HEARTBEAT, now, Metadata::default(), &[]).is_ok();
                    let mut filling = room.into_filling();
                    filling.beat = now;
                    filling
                }
                Err(filling) => filling,
            };
        }
        let (due, next) = self.due_by_time(&filling);
        if due == Due::Nothing && !turned && !beaten {
            return next.map(|time| time.max(SOON));
        }
        self.hand_over(&mut filling);
        drop(filling);
        let done = match due {
            Due::Sync => self.within_interval(|| self.drain().and_then(|()| self.sync_written())),
            _ => self.drain(),
        };
        Some(if done.is_ok() { SOON } else { Duration::from_secs(1) })
    }
}

#[inline]
fn over(lag: &Lag, id: u64, reached: &AtomicU64, bytes: u64, bytes_reached: &AtomicU64) -> bool {
    lag.records.is_some_and(|most| id - reached.load(Ordering::Relaxed).min(id) >= most)
        || lag.bytes.is_some_and(|most| bytes - bytes_reached.load(Ordering::Relaxed).min(bytes) >= most)
}
