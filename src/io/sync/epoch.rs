//! Many threads that wait for the same event, and are woken by one system call.

use std::sync::atomic::{AtomicU32, Ordering};

/// A number that changes when something has ended, and the threads that wait for that. The woken threads take no lock:
/// with a condition variable, each of them has to get its mutex before the next one can, and with many threads that
/// takes longer than what they waited for.
#[derive(Default)]
pub(crate) struct Epoch {
    number: AtomicU32,
    #[cfg(not(target_os = "linux"))]
    sleepers: (parking_lot::Mutex<()>, parking_lot::Condvar),
}

impl Epoch {
    /// The number now, for [`Self::wait`].
    pub fn now(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// Begins the next epoch. Those that wait for the end of this one sleep until [`Self::wake`].
    #[cfg(target_os = "linux")]
    pub fn next(&self) {
        self.number.fetch_add(1, Ordering::Release);
    }

    /// Wakes all that wait for the end of an epoch that is over.
    #[cfg(target_os = "linux")]
    pub fn wake(&self) {
        // SAFETY: the number's address is only used to find its sleepers; the call touches no memory.
        unsafe {
            let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            libc::syscall(libc::SYS_futex, self.number.as_ptr(), operation, i32::MAX);
        }
    }

    /// Waits until the epoch `number` is over.
    pub fn wait(&self, number: u32) {
        while self.now() == number {
            self.sleep(number);
        }
    }

    /// Sleeps while the number is this one. May return early, also for a signal.
    #[cfg(target_os = "linux")]
    fn sleep(&self, number: u32) {
        const NO_LIMIT: *const libc::timespec = std::ptr::null();
        // SAFETY: the system reads the number, which outlives the call.
        unsafe {
            let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            libc::syscall(libc::SYS_futex, self.number.as_ptr(), operation, number, NO_LIMIT);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn next(&self) {
        let _lock = self.sleepers.0.lock();
        self.number.fetch_add(1, Ordering::Release);
    }

    #[cfg(not(target_os = "linux"))]
    pub fn wake(&self) {
        self.sleepers.1.notify_all();
    }

    #[cfg(not(target_os = "linux"))]
    fn sleep(&self, number: u32) {
        let mut lock = self.sleepers.0.lock();
        if self.now() == number {
            self.sleepers.1.wait(&mut lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_threads_that_wait_are_woken_and_an_epoch_that_is_over_is_not_waited_for() {
        let epoch = Arc::new(Epoch::default());
        for _ in 0..100 {
            let number = epoch.now();
            let waiters: Vec<_> = (0..8)
                .map(|_| {
                    let epoch = epoch.clone();
                    std::thread::spawn(move || epoch.wait(number))
                })
                .collect();
            std::thread::sleep(Duration::from_micros(200));
            epoch.next();
            epoch.wake();
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
            epoch.wait(number);
        }
    }
}
