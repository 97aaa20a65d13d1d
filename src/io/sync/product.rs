//! The system's own threads.

pub(crate) use std::sync::atomic;
pub(crate) use std::thread::{current, sleep, yield_now, JoinHandle, ThreadId};
use std::time::Duration;
pub(crate) use std::time::Instant;

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

pub(crate) use super::epoch::Epoch;
pub(crate) use crate::io::thread::spawn;

/// Waits until the condition is notified, at most for `time`. For a notification that may never come.
pub(crate) fn wait_at_most<T>(condition: &Condvar, guard: &mut MutexGuard<'_, T>, time: Duration) {
    condition.wait_for(guard, time);
}

/// Waits for another thread without yielding the processor, for about as long as writing a buffer takes. Sleeping and
/// being woken costs more than that where the other processor has to be woken, as in most virtual machines.
pub(crate) fn spin_while(waiting: impl Fn() -> bool) {
    const ROUNDS: usize = 1000;
    for _ in 0..ROUNDS {
        if !waiting() {
            return;
        }
        std::hint::spin_loop();
    }
}
