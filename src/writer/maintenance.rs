//! Work beside the writing: closed segments are made durable, the next file is prepared, companions are notified of
//! segments. A writer with a background thread does it in a thread of its own; where the caller's program has a thread
//! that ticks, it is done there; otherwise in the thread whose call made it necessary. No lock is held meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use super::close::join;
use super::turn::Step;
use crate::io::clock::{self, Clock};
use crate::io::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use crate::io::sync::{self, Condvar, JoinHandle, Mutex, ThreadId};

/// Nanoseconds after which the file of the current segment is checked again while something is being written.
const LOOK_EVERY: u64 = 1_000_000_000;
/// Nanoseconds that the work after a roll waits for the next tick, and after which the program counts as not ticking.
const PATIENCE: u64 = 1_000_000_000;
/// Steps that may wait for a tick, two for each roll: closed files stay open that long.
const PATIENT_STEPS: usize = 32;
/// Steps of other threads that may wait ahead of those of a thread that rolls while another one takes steps. Behind
/// more of them it waits: a thread that rolls faster than hooks return would leave ever more to the others.
const STEPS_BEFORE: u64 = 8;

pub(super) struct Maintenance {
    queue: Mutex<Queue>,
    /// Whether a thread of the library takes the steps.
    has_thread: AtomicBool,
    /// There is work for that thread.
    work: Condvar,
    /// A step has been taken.
    taken: Condvar,
    /// When the file of the current segment was last checked, by the system's clock.
    looked: AtomicI64,
    clock: Clock,
}

#[derive(Default)]
struct Queue {
    steps: VecDeque<Step>,
    /// How many were posted, and how many of these were taken, since the writer was opened.
    posted: u64,
    taken: u64,
    /// Since when the first of them has been waiting.
    since: i64,
    /// When the caller's program last ticked.
    ticked: Option<i64>,
    /// The thread that is taking a step.
    busy: Option<ThreadId>,
    /// There is something else to do: prepare the next file, check the current one.
    look: bool,
    stop: bool,
}

/// Held while a step is taken, and released also by a panic.
struct Busy<'a>(&'a Maintenance);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.busy = None;
        queue.taken += 1;
        drop(queue);
        self.0.taken.notify_all();
    }
}

impl Maintenance {
    pub fn new(clock: Clock) -> Self {
        Maintenance {
            queue: Mutex::default(),
            has_thread: AtomicBool::new(false),
            work: Condvar::new(),
            taken: Condvar::new(),
            looked: AtomicI64::new(clock::now_ns()),
            clock,
        }
    }

    /// Whether a thread of the library takes the steps.
    pub fn has_thread(&self) -> bool {
        self.has_thread.load(Ordering::Acquire)
    }

    pub fn set_thread(&self, has_thread: bool) {
        self.has_thread.store(has_thread, Ordering::Release);
    }

    /// Adds the steps that a write made necessary. Called under the output lock, which keeps the steps of several
    /// threads in the order of segments; [`Self::wake`] follows when that lock is released.
    pub fn post(&self, steps: &mut Vec<Step>) {
        let mut queue = self.queue.lock();
        if queue.steps.is_empty() {
            queue.since = self.clock.now_ns();
        }
        queue.posted += steps.len() as u64;
        queue.steps.extend(steps.drain(..));
        queue.look = true;
    }

    /// Wakes the thread, if there is one.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    /// Whether the thread that posted something has to do it, because no tick comes, or not often enough. Otherwise a
    /// power cut could find more than one segment that is not durable; only programs that tick gain from that.
    pub fn is_overdue(&self) -> bool {
        let queue = self.queue.lock();
        if queue.steps.is_empty() || queue.busy.is_some() {
            return false;
        }
        let now = self.clock.now_ns();
        let is_long = |since: i64| now.wrapping_sub(since).unsigned_abs() >= PATIENCE;
        queue.steps.len() >= PATIENT_STEPS || is_long(queue.since) || queue.ticked.is_none_or(is_long)
    }

    /// Notes that the program ticks.
    pub fn note_tick(&self) {
        self.queue.lock().ticked = Some(self.clock.now_ns());
    }

    /// Whether another thread takes steps and is so far behind that a thread which has rolled has to wait.
    pub fn is_far_behind(&self) -> bool {
        let queue = self.queue.lock();
        queue.busy.is_some() && queue.posted - queue.taken > STEPS_BEFORE
    }

    /// Takes the waiting steps in order by calling `take`, unless another thread does so and is not far behind. Steps
    /// that other threads post meanwhile wait for the next call: a thread that rolls could keep this one busy for ever.
    pub fn run(&self, take: impl Fn(Step)) {
        let last = self.queue.lock().posted;
        loop {
            let mut queue = self.queue.lock();
            if let Some(busy) = queue.busy {
                // A hook that calls the writer, which it must not do, would wait for itself.
                if last.saturating_sub(queue.taken) <= STEPS_BEFORE || busy == sync::current().id() {
                    return;
                }
                self.taken.wait(&mut queue);
                continue;
            }
            if queue.taken >= last {
                return;
            }
            let Some(step) = queue.steps.pop_front() else { return };
            queue.busy = Some(sync::current().id());
            drop(queue);
            let _busy = Busy(self);
            take(step);
        }
    }

    /// The body of the thread: calls `work` until it is stopped. `until_next` returns how long it may sleep.
    pub fn run_thread(&self, work: impl Fn(), until_next: impl Fn() -> Option<Duration>) {
        loop {
            work();
            let mut queue = self.queue.lock();
            if !queue.steps.is_empty() && queue.busy.is_none() {
                continue;
            }
            if queue.stop {
                return;
            }
            if !std::mem::take(&mut queue.look) {
                match until_next() {
                    Some(time) => drop(self.work.wait_for(&mut queue, time)),
                    None => self.work.wait(&mut queue),
                }
                queue.look = false;
            }
        }
    }

    /// Ends the thread once it has taken the waiting steps.
    pub fn stop(&self, thread: JoinHandle<()>) {
        self.queue.lock().stop = true;
        self.work.notify_all();
        join(thread);
    }

    /// Whether the file of the current segment was not checked within the last second.
    pub fn is_time_to_look(&self) -> bool {
        let passed = clock::now_ns().wrapping_sub(self.looked.load(Ordering::Relaxed));
        passed.unsigned_abs() >= LOOK_EVERY
    }

    /// Notes that it was checked.
    pub fn looked(&self) {
        self.looked.store(clock::now_ns(), Ordering::Relaxed);
    }

    /// Makes the next opportunity check it.
    pub fn look_soon(&self) {
        self.looked.store(0, Ordering::Relaxed);
    }
}
