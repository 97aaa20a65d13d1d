//! Threads of a model: the interface of the product's types over those of shuttle. Time passes at random.

use std::io::Result;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use shuttle::rand::{thread_rng, Rng};
pub(crate) use shuttle::sync::atomic;
pub(crate) use shuttle::thread::{current, sleep, yield_now, JoinHandle, ThreadId};

/// As `parking_lot::Mutex`.
#[derive(Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// As `parking_lot::MutexGuard`.
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` while the lock is released for a moment.
    held: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, held: Some(self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())) }
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let held = self.0.try_lock().ok()?;
        Some(MutexGuard { mutex: self, held: Some(held) })
    }
}

impl<T> MutexGuard<'_, T> {
    pub fn unlocked<U>(guard: &mut Self, call: impl FnOnce() -> U) -> U {
        drop(guard.held.take());
        let result = call();
        guard.held = guard.mutex.lock().held.take();
        result
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("the lock is held whenever its value is looked at")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("the lock is held whenever its value is looked at")
    }
}

/// As `parking_lot::Condvar`.
#[derive(Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// As `parking_lot::WaitTimeoutResult`.
pub(crate) struct Waited {
    timed_out: bool,
}

impl Waited {
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }
}

impl Condvar {
    pub fn new() -> Self {
        Condvar::default()
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        if let Some(held) = guard.held.take() {
            guard.held = Some(self.0.wait(held).unwrap_or_else(|poisoned| poisoned.into_inner()));
        }
    }

    /// The time passes at once, or never: either case finds a thread that continues only because of the time.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _time: Duration) -> Waited {
        let timed_out = thread_rng().gen_bool(0.5);
        match timed_out {
            true => MutexGuard::unlocked(guard, yield_now),
            false => self.wait(guard),
        }
        Waited { timed_out }
    }
}

/// As the product's `Epoch`.
#[derive(Default)]
pub(crate) struct Epoch {
    number: Mutex<u32>,
    over: Condvar,
}

impl Epoch {
    pub fn now(&self) -> u32 {
        *self.number.lock()
    }

    pub fn next(&self) {
        *self.number.lock() += 1;
    }

    pub fn wake(&self) {
        self.over.notify_all();
    }

    pub fn wait(&self, number: u32) {
        let mut now = self.number.lock();
        while *now == number {
            self.over.wait(&mut now);
        }
    }
}

/// A moment; the time passed since then is zero or very long.
#[derive(Clone, Copy)]
pub(crate) struct Instant;

impl Instant {
    pub fn now() -> Self {
        Instant
    }

    pub fn elapsed(&self) -> Duration {
        match thread_rng().gen_bool(0.5) {
            true => Duration::from_secs(3600),
            false => Duration::ZERO,
        }
    }
}

pub(crate) fn spawn(_name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    Ok(shuttle::thread::spawn(body))
}

/// The time always passes, since the notification may never come.
pub(crate) fn wait_at_most<T>(_condition: &Condvar, guard: &mut MutexGuard<'_, T>, _time: Duration) {
    MutexGuard::unlocked(guard, yield_now);
}

pub(crate) fn spin_while(waiting: impl Fn() -> bool) {
    if waiting() {
        yield_now();
    }
}
