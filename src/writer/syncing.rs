//! Threads that sync at the same time share one fdatasync. The first sync also writes the inherited segments anew.

use std::time::Duration;

use super::health::Health;
use super::positions::Positions;
use crate::error::Result;
use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::io::sync::{wait_at_most, Condvar, Epoch, Instant, Mutex, MutexGuard};
use crate::segment::Inherited;

pub(super) struct Syncing {
    group: Mutex<Group>,
    /// Wakes the thread that leads, when the last of those that it waits for has come.
    complete: Condvar,
    /// Ends with each round.
    rounds: Epoch,
    /// Held while files are being synced: the segments that the first sync has to write anew before.
    inherited: Mutex<Vec<Inherited>>,
    /// The greatest number of a segment that is noted to hold something durable. Changed only while `inherited` is
    /// held.
    noted: AtomicU64,
}

/// The threads that wait for the same fdatasync.
#[derive(Default)]
struct Group {
    /// A thread is syncing; the others wait for it, and then one of them syncs for all that came meanwhile.
    led: bool,
    /// Threads that have begun to wait since the last round ended.
    waiting: u64,
    /// The thread that leads sleeps until `expected` is reached.
    gathers: bool,
    /// The appended position once all threads that the last round released have appended once more.
    expected: u64,
    /// How long the next round may wait for them.
    patience: Duration,
}

/// A round that this thread leads. A panic ends it too; otherwise the others would wait for ever.
pub(super) struct Round<'a> {
    syncing: &'a Syncing,
    positions: &'a Positions,
    begun: Instant,
    /// Whether the threads that this one has waited for have come; `None` = it has not waited.
    came: Option<bool>,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.syncing.end_round(self.positions, self.begun.elapsed(), self.came);
    }
}

impl Syncing {
    /// For a log whose last segments were left by another writer, perhaps not durable.
    pub fn new(inherited: Vec<Inherited>) -> Self {
        Syncing {
            group: Mutex::default(),
            complete: Condvar::default(),
            rounds: Epoch::default(),
            inherited: Mutex::new(inherited),
            noted: AtomicU64::new(0),
        }
    }

    /// Waits until record `id` is durable, or until this thread has to sync: then it returns the round. The first
    /// thread syncs for all that have appended by then; those that come meanwhile wait, and the first of them to wake
    /// leads the next round (the leader-based group commit of write-ahead logs, as in DeWitt et al., "Implementation
    /// Techniques for Main Memory Database Systems", 1984). The id 0 asks for what is there besides records: a new
    /// segment and its events.
    pub fn lead<'a>(&'a self, id: u64, positions: &'a Positions, health: &Health) -> Result<Option<Round<'a>>> {
        let is_durable = || positions.durable() >= id && id > 0;
        let mut group = loop {
            // Most threads find their record durable when they wake, and do not need the lock.
            if is_durable() {
                return Ok(None);
            }
            health.check()?;
            let mut group = self.group.lock();
            if !group.led {
                // A round may have ended since the look.
                match is_durable() {
                    true => return Ok(None),
                    false => break group,
                }
            }
            group.waiting += 1;
            let round = self.rounds.now();
            let is_last = group.gathers && positions.appended() >= group.expected;
            group.gathers &= !is_last;
            drop(group);
            if is_last {
                self.complete.notify_one();
            }
            self.rounds.wait(round);
        };
        group.led = true;
        drop(group);
        let mut round = Round { syncing: self, positions, begun: Instant::now(), came: None };
        let mut group = self.group.lock();
        if positions.appended() < group.expected {
            // Asleep, not in a loop of yields: on a machine that is busy, each of those costs a time slice.
            while positions.appended() < group.expected {
                let Some(left) = group.patience.checked_sub(round.begun.elapsed()) else { break };
                group.gathers = true;
                wait_at_most(&self.complete, &mut group, left);
            }
            group.gathers = false;
            (round.begun, round.came) = (Instant::now(), Some(positions.appended() >= group.expected));
        }
        drop(group);
        Ok(Some(round))
    }

    /// Releases the threads that waited for this round. Threads that sync each record come back at once, so the next
    /// round waits for them: without that, two halves of the threads take turns, and each fdatasync serves only one of
    /// them. It waits for an eighth of a round at first, and twice as long, up to a whole one, each time they come: a
    /// log whose threads do something else in between loses little.
    fn end_round(&self, positions: &Positions, lasted: Duration, came: Option<bool>) {
        let mut group = self.group.lock();
        let (appended, durable) = (positions.appended(), positions.durable());
        let waiting = std::mem::take(&mut group.waiting);
        // For each record that is not durable yet, a thread continues to wait. The thread that has led is released too.
        group.expected = appended + waiting.saturating_sub(appended.saturating_sub(durable)) + 1;
        group.patience = match came {
            Some(true) => group.patience.saturating_mul(2),
            Some(false) => group.patience / 2,
            None => group.patience,
        };
        group.patience = group.patience.clamp(lasted / 8, lasted);
        group.led = false;
        self.rounds.next();
        drop(group);
        if waiting > 0 {
            self.rounds.wake();
        }
    }

    /// Keeps other threads from syncing, and returns what has to be written anew before. One at a time: a thread that
    /// syncs beside one whose fdatasync fails would report success, and what this one is going to sync may be durable
    /// when the other is done.
    pub fn alone(&self) -> MutexGuard<'_, Vec<Inherited>> {
        self.inherited.lock()
    }

    /// Whether it is noted that segment number `sequence` holds something durable.
    pub fn is_noted(&self, sequence: u64) -> bool {
        self.noted.load(Ordering::Relaxed) >= sequence
    }

    pub fn note(&self, sequence: u64) {
        self.noted.store(sequence, Ordering::Relaxed);
    }
}
