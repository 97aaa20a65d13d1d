//! What is done when the disk is full: fail, wait, or drop and count.

use std::time::Duration;

use super::filling::Filling;
use super::policy::Due;
use super::Shared;
use crate::error::{Error, Kind, Result};
use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::io::sync::{self, Instant, Mutex};
use crate::options::FullDisk;
use crate::record::{event, MetadataBuf};

/// How often a full disk is tried again: seldom enough to cost nothing, often enough that nobody notices.
pub(super) const AGAIN: Duration = Duration::from_millis(100);
/// Where records are dropped meanwhile, it is tried again after so many times as long as the last try took, but not later than
/// that: of a disk that says quickly that it is full, the first record is taken for which there is space.
const TIMES_AS_LONG: u32 = 20;

/// What was dropped, and when the disk was last found full.
#[derive(Default)]
pub(super) struct Drops {
    total: AtomicU64,
    /// Of these, how many a DROPPED event in the log tells of. Behind `total` = there is something to tell. Changed
    /// under the append lock.
    told: AtomicU64,
    last: Mutex<Option<Try>>,
}

/// A try to write to a full disk, which failed.
struct Try {
    ended: Instant,
    lasted: Duration,
    error: Error,
}

impl Try {
    /// Whether it is too early for the next.
    fn is_recent(&self) -> bool {
        self.ended.elapsed() < AGAIN.min(self.lasted * TIMES_AS_LONG)
    }
}

impl Drops {
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Acquire)
    }

    /// Whether the log does not tell yet of everything that was dropped.
    #[inline]
    pub fn untold(&self) -> bool {
        self.told.load(Ordering::Acquire) != self.total()
    }

    /// How much the next DROPPED event tells of, and its metadata. The caller writes it and notes that. Under the append
    /// lock.
    pub fn tell(&self) -> (u64, MetadataBuf) {
        let total = self.total();
        let told = self.told.load(Ordering::Acquire);
        let facts = [("count", (total - told).to_string()), ("total", total.to_string())];
        (total, MetadataBuf::from_iter(facts))
    }
}

/// Whether `error` is what the policies are about: no space, and nothing was taken that a second try would repeat.
fn is_full(error: &Error) -> bool {
    error.kind() == Kind::NoSpace && error.record_id().is_none()
}

impl Shared {
    /// Does what the policy says when the `first` try to append failed for want of space: 0 = so many records were
    /// dropped.
    #[inline(always)]
    pub(super) fn or_when_full(
        &self,
        first: Result<u64>,
        again: impl FnMut() -> Result<u64>,
        records: impl FnOnce() -> u64,
    ) -> Result<u64> {
        match first {
            Err(error) => self.when_full(error, again, records),
            taken => taken,
        }
    }

    #[cold]
    fn when_full(
        &self,
        error: Error,
        again: impl FnMut() -> Result<u64>,
        records: impl FnOnce() -> u64,
    ) -> Result<u64> {
        match self.options.full_disk {
            _ if !is_full(&error) => Err(error),
            FullDisk::Fail => Err(error),
            FullDisk::Wait(most) => self.wait_for_space(error, most, again),
            FullDisk::Drop => Ok(self.drop_records(records())),
        }
    }

    /// Tries a call again for as long as the policy says when it fails for want of space. No lock is held meanwhile.
    pub(super) fn patiently<T>(&self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        match (call(), self.options.full_disk) {
            (Err(error), FullDisk::Wait(most)) if is_full(&error) => self.wait_for_space(error, most, call),
            (other, _) => other,
        }
    }

    #[cold]
    fn wait_for_space<T>(
        &self,
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
            self.check_usable()?;
            match call() {
                Err(again) if is_full(&again) => error = again,
                other => return other,
            }
        }
    }

    #[cold]
    fn drop_records(&self, records: u64) -> u64 {
        let mut filling = self.append.lock();
        // Under the lock, so that the event stands before whatever is appended from now on.
        self.drops.total.fetch_add(records, Ordering::AcqRel);
        // Another thread may have found room meanwhile: then the next record is about to go there.
        self.push_dropped(&mut filling);
        drop(filling);
        0
    }

    /// Tries once more to write what a full disk has kept back. Under [`FullDisk::Drop`] only now and then, with the error of
    /// the last try in between: a failed write costs much more than a dropped record.
    pub(super) fn write_kept_back(&self) -> Result<()> {
        if self.options.full_disk != FullDisk::Drop {
            return self.drain();
        }
        if let Some(last) = self.drops.last.lock().as_ref().filter(|last| last.is_recent()) {
            return Err(last.error.clone());
        }
        let began = Instant::now();
        self.drain().inspect_err(|error| {
            if !is_full(error) {
                return;
            }
            let (ended, lasted, error) = (Instant::now(), began.elapsed(), error.clone());
            *self.drops.last.lock() = Some(Try { ended, lasted, error });
        })
    }

    /// Puts the DROPPED event that is due, if any, into the piece being filled; false when there is no piece.
    pub(super) fn push_dropped(&self, filling: &mut Filling) -> bool {
        if !filling.has_piece() {
            return false;
        }
        if self.drops.untold() {
            let (told, facts) = self.drops.tell();
            let now = self.options.clock.now_ns();
            if filling.push_event(event::DROPPED, (now, now), facts.as_metadata(), &[]).is_ok() {
                self.drops.told.store(told, Ordering::Release);
            }
        }
        true
    }

    /// As far as the disk allows, writes the DROPPED event of a log that may get no further record.
    pub(super) fn flush_dropped(&self) {
        if !self.drops.untold() {
            return;
        }
        // Taking a piece tells.
        let Ok(room) = self.room() else { return };
        let mut filling = room.into_filling();
        self.push_dropped(&mut filling);
        self.hand_over(&mut filling);
        drop(filling);
        // What was to be flushed has been; this is in nobody's way, and waits for the next chance.
        let _ = self.drain();
    }

    /// Carries out what a flush or sync policy asks for after the append of record `id`.
    pub(super) fn carry_out_taken(&self, due: Due, id: u64) -> Result<()> {
        let done = self.patiently(|| self.carry_out(due, id));
        match &done {
            // Who has records dropped is not to hear of an interval that a full disk does not let the writer keep. A
            // bound in records or bytes is a promise about this very record.
            Err(error) if error.kind() == Kind::NoSpace && self.options.full_disk == FullDisk::Drop => {
                let lag = if due == Due::Sync { &self.options.sync } else { &self.options.flush };
                match lag.records.is_some() || lag.bytes.is_some() {
                    true => done,
                    false => Ok(()),
                }
            }
            _ => done,
        }
    }
}
