//! Threads that sync at the same time share one fdatasync. The first sync also writes the inherited segments anew.

use std::time::Duration;

use super::health::Health;
use super::positions::Positions;
use crate::error::Result;
use crate::io::sync::atomic::{AtomicU64, Ordering};
use crate::io::sync::{yield_now, Condvar, Instant, Mutex, MutexGuard};
use crate::segment::Inherited;

pub(super) struct Syncing {
    group: Mutex<Group>,
    /// A round has ended.
    ended: Condvar,
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
    /// Threads that wait.
    waiting: u64,
    /// The appended position once all threads that the last round released have appended once more.
    expected: u64,
    /// How long the last round took.
    lasted: Duration,
}

/// A round that this thread leads. A panic ends it too; otherwise the others would wait for ever.
pub(super) struct Round<'a> {
    syncing: &'a Syncing,
    positions: &'a Positions,
    begun: Instant,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.syncing.end_round(self.positions, self.begun.elapsed());
    }
}

impl Syncing {
    /// For a log whose last segments were left by another writer, perhaps not durable.
    pub fn new(inherited: Vec<Inherited>) -> Self {
        Syncing {
            group: Mutex::default(),
            ended: Condvar::new(),
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
        let mut group = self.group.lock();
        loop {
            if positions.durable() >= id && id > 0 {
                return Ok(None);
            }
            health.check()?;
            if !group.led {
                break;
            }
            group.waiting += 1;
            self.ended.wait(&mut group);
            group.waiting -= 1;
        }
        group.led = true;
        let (expected, patience) = (group.expected, group.lasted / 4);
        drop(group);
        let round = Round { syncing: self, positions, begun: Instant::now() };
        while positions.appended() < expected && round.begun.elapsed() < patience {
            yield_now();
        }
        Ok(Some(round))
    }

    /// Releases the threads that waited for this round. Threads that sync each record come back at once, so the next
    /// round waits for them a little, at most a quarter of its length: without that, two halves of the threads take
    /// turns, and each fdatasync serves only one of them.
    fn end_round(&self, positions: &Positions, lasted: Duration) {
        let mut group = self.group.lock();
        let (appended, durable) = (positions.appended(), positions.durable());
        // For each record that is not durable yet, a thread continues to wait.
        let let_go = group.waiting.saturating_sub(appended.saturating_sub(durable));
        group.expected = appended + let_go;
        group.lasted = lasted;
        group.led = false;
        drop(group);
        self.ended.notify_all();
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
