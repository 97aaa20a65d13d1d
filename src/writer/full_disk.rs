//! The policies for a full disk: fail, wait, or drop and count.

use std::time::Duration;

use super::filling::Filling;
use super::health::Health;
use super::schedule::{Due, Schedule};
use crate::error::{Error, Kind, Result};
use crate::io::clock::Clock;
use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::io::sync::{self, Instant, Mutex};
use crate::options::{FullDisk, WriterOptions};
use crate::record::{event, MetadataBuf};

/// How often a write to a full disk is tried again: seldom enough to cost nothing, often enough not to be noticed.
const AGAIN: Duration = Duration::from_millis(100);
/// Where records are dropped meanwhile, the pause is this many times the length of the last try, and at most [`AGAIN`].
/// When the system reports quickly that the disk is full, the first record for which there is space again is taken.
const TIMES_AS_LONG: u32 = 20;

/// The policy for a full disk, how many records it dropped, and when the disk was last found full.
pub(super) struct Space {
    policy: FullDisk,
    clock: Clock,
    /// Records that were dropped since the writer was opened.
    dropped: AtomicU64,
    /// How many of these the DROPPED events in the log count. Changed under the append lock.
    reported: AtomicU64,
    last: Mutex<Option<Try>>,
}

/// A failed try to write to a full disk.
struct Try {
    ended: Instant,
    lasted: Duration,
    error: Error,
}

impl Try {
    /// Whether it is too early for the next try.
    fn is_recent(&self) -> bool {
        self.ended.elapsed() < AGAIN.min(self.lasted * TIMES_AS_LONG)
    }
}

/// Whether the policies apply to `error`: there was no space, and nothing was taken that a second try would repeat.
fn is_full(error: &Error) -> bool {
    error.kind() == Kind::NoSpace && error.record_id().is_none()
}

impl Space {
    pub fn new(options: &WriterOptions) -> Self {
        Space {
            policy: options.full_disk,
            clock: options.clock.clone(),
            dropped: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }

    /// How many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Acquire)
    }

    /// Whether some dropped records are not reported in the log yet.
    #[inline]
    pub fn is_unreported(&self) -> bool {
        self.reported.load(Ordering::Acquire) != self.dropped()
    }

    /// Applies the policy when the `first` try to append failed because there was no space: `drop` counts the records
    /// as dropped and returns 0.
    #[inline(always)]
    pub fn or_when_full(
        &self,
        health: &Health,
        first: Result<u64>,
        again: impl FnMut() -> Result<u64>,
        drop: impl FnOnce() -> u64,
    ) -> Result<u64> {
        match first {
            Ok(id) => Ok(id),
            Err(error) => self.when_full(health, error, again, drop),
        }
    }

    #[cold]
    fn when_full(
        &self,
        health: &Health,
        error: Error,
        again: impl FnMut() -> Result<u64>,
        drop: impl FnOnce() -> u64,
    ) -> Result<u64> {
        match self.policy {
            _ if !is_full(&error) => Err(error),
            FullDisk::Fail => Err(error),
            FullDisk::Wait(most) => wait_for_space(health, error, most, again),
            FullDisk::Drop => Ok(drop()),
        }
    }

    /// Repeats a call that fails because there is no space, for as long as the policy says. No lock is held meanwhile.
    pub fn patiently<T>(&self, health: &Health, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        match (call(), self.policy) {
            (Err(error), FullDisk::Wait(most)) if is_full(&error) => wait_for_space(health, error, most, call),
            (other, _) => other,
        }
    }

    /// Counts dropped records. Called under the append lock: the event comes before everything that is appended later.
    #[cold]
    pub fn drop_records(&self, records: u64, filling: &mut Filling) {
        self.dropped.fetch_add(records, Ordering::AcqRel);
        // Another thread may have found room meanwhile; the next record then goes there.
        self.push_dropped(filling);
    }

    /// Calls `write` to write once more what a full disk has held back. Where records are dropped, it does so only now
    /// and then, and returns the error of the last try in between: a failed write costs much more than a dropped
    /// record.
    pub fn now_and_then(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.policy != FullDisk::Drop {
            return write();
        }
        if let Some(last) = self.last.lock().as_ref().filter(|last| last.is_recent()) {
            return Err(last.error.clone());
        }
        let began = Instant::now();
        write().inspect_err(|error| {
            if !is_full(error) {
                return;
            }
            let (ended, lasted, error) = (Instant::now(), began.elapsed(), error.clone());
            *self.last.lock() = Some(Try { ended, lasted, error });
        })
    }

    /// Puts the DROPPED event that is due, if any, into the buffer being filled; false when there is no buffer.
    pub fn push_dropped(&self, filling: &mut Filling) -> bool {
        if !filling.has_buffer() {
            return false;
        }
        if self.is_unreported() {
            let total = self.dropped();
            let count = total - self.reported.load(Ordering::Acquire);
            let facts = MetadataBuf::from_iter([("count", count.to_string()), ("total", total.to_string())]);
            let now = self.clock.now_ns();
            if filling.push_event(event::DROPPED, (now, now), facts.as_metadata(), &[]).is_ok() {
                self.reported.store(total, Ordering::Release);
            }
        }
        true
    }

    /// The result of a flush or sync that a policy asked for. Where records are dropped, an interval that a full disk
    /// keeps the writer from observing is not reported. A bound in records or bytes is a promise about this record, and
    /// is.
    pub fn excuse(&self, done: Result<()>, schedule: &Schedule, due: Due) -> Result<()> {
        match &done {
            Err(error) if error.kind() == Kind::NoSpace && self.policy == FullDisk::Drop => {
                match schedule.is_promised(due) {
                    true => done,
                    false => Ok(()),
                }
            }
            _ => done,
        }
    }
}

#[cold]
fn wait_for_space<T>(
    health: &Health,
    mut error: Error,
    most: Option<Duration>,
    mut call: impl FnMut() -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        let left = most.map_or(AGAIN, |most| most.saturating_sub(began.elapsed()));
        if left.is_zero() {
            return Err(error.because(&format!("no space came within {:?}", most.unwrap_or_default())));
        }
        sync::sleep(AGAIN.min(left));
        health.check()?;
        match call() {
            Err(again) if is_full(&again) => error = again,
            other => return other,
        }
    }
}
