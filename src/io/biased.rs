//! A lock that one thread takes all the time, without a locked instruction, and others take seldom.
//!
//! The owner stores that it is inside, and then loads whether another thread wants to be. The other thread stores that it
//! wants to, runs a barrier on all processors ([`super::barrier`]), and then waits until the owner is not inside: this is
//! Dekker's algorithm with the asymmetric barrier of Dice, Moir and Scherer, "Quickly Reacquirable Locks" (2003). While
//! the owner finds that another thread wants to be inside, it takes an ordinary lock.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::barrier;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{spin_while, yield_now, Mutex, MutexGuard};

/// The side of the thread that takes the lock all the time. It can be sent to another thread.
pub(crate) struct Owner<T>(Arc<Lock<T>>);

/// The side of the other threads.
pub(crate) struct Others<T>(Arc<Lock<T>>);

/// On a cache line that only the owner writes, unless another thread wants to be inside.
#[repr(align(128))]
struct Lock<T> {
    /// The owner is inside, or about to find out whether it may be.
    inside: AtomicBool,
    /// Another thread is inside, or waits until the owner is not.
    wanted: AtomicBool,
    asymmetric: bool,
    value: UnsafeCell<T>,
    /// Held by the other thread that is inside, and by the owner while it has found `wanted`.
    ordinary: Mutex<()>,
}

// SAFETY: `value` is accessed by one thread at a time: by the owner while `inside` is set and `wanted` was not, or under
// `ordinary`; by another thread under `ordinary`, after it has set `wanted` and seen `inside` unset.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Both sides of a lock around `value`.
pub(crate) fn biased<T>(value: T) -> (Owner<T>, Others<T>) {
    let lock = Arc::new(Lock {
        inside: AtomicBool::new(false),
        wanted: AtomicBool::new(false),
        asymmetric: barrier::is_asymmetric(),
        value: UnsafeCell::new(value),
        ordinary: Mutex::new(()),
    });
    (Owner(lock.clone()), Others(lock))
}

struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<T> Owner<T> {
    /// Enters the lock, for a short time in which the owner does not wait: other threads wait for it, and may hold other
    /// locks. A value in the head of a `match` is inside until the end of that.
    #[inline(always)]
    pub fn enter(&mut self) -> Owned<'_, T> {
        let lock = &*self.0;
        lock.inside.store(true, Ordering::Relaxed);
        barrier::light(lock.asymmetric);
        match lock.wanted.load(Ordering::Acquire) {
            false => Owned { lock, ordinary: None },
            true => lock.enter_ordinarily(),
        }
    }
}

impl<T> Lock<T> {
    #[cold]
    fn enter_ordinarily(&self) -> Owned<'_, T> {
        self.inside.store(false, Ordering::Release);
        Owned { lock: self, ordinary: Some(self.ordinary.lock()) }
    }
}

/// The value inside a lock, for its owner.
pub(crate) struct Owned<'a, T> {
    lock: &'a Lock<T>,
    ordinary: Option<MutexGuard<'a, ()>>,
}

impl<T> Deref for Owned<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: either `inside` is set, and `wanted` was not after that: another thread that sets it now waits until
        // `inside` is unset. Or `ordinary` is held, under which alone other threads are inside. The owner itself is
        // excluded by its `&mut`.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Owned<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` excludes other references.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Owned<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.ordinary.is_none() {
            self.lock.inside.store(false, Ordering::Release);
        }
    }
}

impl<T> Others<T> {
    /// The first of two steps into several locks: the barrier between them serves all.
    fn want(&self) -> Wanted<'_, T> {
        let ordinary = self.0.ordinary.lock();
        self.0.wanted.store(true, Ordering::Relaxed);
        Wanted { lock: &self.0, _leaving: Leaving(&self.0.wanted), _ordinary: ordinary }
    }
}

struct Wanted<'a, T> {
    lock: &'a Lock<T>,
    // Before the ordinary lock is released.
    _leaving: Leaving<'a>,
    _ordinary: MutexGuard<'a, ()>,
}

/// The value inside a lock, for another thread than the owner.
pub(crate) struct Inside<'a, T>(Wanted<'a, T>);

impl<'a, T> Wanted<'a, T> {
    fn enter(self) -> Inside<'a, T> {
        while self.lock.inside.load(Ordering::Acquire) {
            spin_while(|| self.lock.inside.load(Ordering::Relaxed));
            if self.lock.inside.load(Ordering::Relaxed) {
                yield_now();
            }
        }
        Inside(self)
    }
}

impl<T> Deref for Inside<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: under `ordinary`, and `inside` was unset after `wanted` had been set and a barrier had run on all
        // processors: the owner finds `wanted`.
        unsafe { &*self.0.lock.value.get() }
    }
}

impl<T> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` excludes other references.
        unsafe { &mut *self.0.lock.value.get() }
    }
}

/// Enters all of these locks, which are held until the results are dropped. Threads that enter several at a time must
/// exclude each other.
pub(crate) fn enter_all<'a, T: 'a>(locks: impl Iterator<Item = &'a Others<T>>) -> Vec<Inside<'a, T>> {
    let wanted: Vec<Wanted<'a, T>> = locks.map(Others::want).collect();
    let Some(first) = wanted.first() else { return vec![] };
    barrier::heavy(first.lock.asymmetric);
    wanted.into_iter().map(Wanted::enter).collect()
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    // Long enough for a thread that does not wait to be inside, on a machine that is busy with other things.
    const LONG: Duration = Duration::from_millis(300);

    #[test]
    fn another_thread_waits_until_the_owner_has_left() {
        let (mut owner, others) = biased(());
        let left = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let owned = owner.enter();
            let other = scope.spawn(|| {
                let _inside = enter_all([&others].into_iter());
                assert!(left.load(Ordering::SeqCst), "the owner was still inside");
            });
            while !owned.lock.wanted.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            std::thread::sleep(LONG);
            left.store(true, Ordering::SeqCst);
            drop(owned);
            other.join().unwrap();
        });
    }

    #[test]
    fn the_owner_waits_until_another_thread_has_left() {
        let (mut owner, others) = biased(());
        let (begun, left) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let inside = enter_all([&others].into_iter());
            scope.spawn(|| {
                begun.store(true, Ordering::SeqCst);
                let _owned = owner.enter();
                assert!(left.load(Ordering::SeqCst), "another thread was still inside");
            });
            while !begun.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            std::thread::sleep(LONG);
            left.store(true, Ordering::SeqCst);
            drop(inside);
        });
    }

    #[test]
    fn owner_and_other_threads_exclude_each_other() {
        const ROUNDS: u64 = 2_000_000;
        let (mut owner, others) = biased([0u64; 2]);
        let entered = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let counting = scope.spawn(|| {
                while entered.load(Ordering::Relaxed) < ROUNDS {
                    let mut inside = enter_all([&others].into_iter());
                    let pair = &mut *inside[0];
                    // Each side leaves both values equal, and is the only one that sees them differ.
                    assert_eq!(pair[0], pair[1]);
                    pair[0] += 1;
                    pair[1] += 1;
                }
            });
            for _ in 0..ROUNDS {
                let mut pair = owner.enter();
                assert_eq!(pair[0], pair[1]);
                pair[0] += 1;
                pair[1] += 1;
                drop(pair);
                entered.fetch_add(1, Ordering::Relaxed);
            }
            counting.join().unwrap();
        });
        assert!(owner.enter()[0] > ROUNDS);
    }
}
