//! Ending a wait from outside: from another thread, or from a signal handler.

use std::io::{Error, Result};
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::Duration;

use super::Woken;

/// Wakes one cursor. A thread that rings the bell sets a flag before; the woken one clears the bell, then reads the
/// flags.
#[derive(Default)]
pub struct Wake {
    interrupted: AtomicBool,
    /// Something has happened in the directory that is watched.
    happened: AtomicBool,
    /// An eventfd(2), created when the cursor first waits.
    #[cfg(target_os = "linux")]
    bell: OnceLock<OwnedFd>,
}

impl Wake {
    /// Ends the current wait, or else the next one. Does only what a signal handler may.
    pub fn interrupt(&self) {
        // Before the bell is read: the thread that creates the bell reads this flag afterwards.
        self.interrupted.store(true, Ordering::SeqCst);
        self.ring();
    }

    /// Whether it was interrupted since the interrupt was last taken.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// As [`Self::is_interrupted`], and takes the interrupt. The bell continues to ring only if something else has
    /// happened.
    pub(crate) fn take_interrupt(&self) -> bool {
        let taken = self.is_interrupted() && self.interrupted.swap(false, Ordering::SeqCst);
        if taken {
            self.clear();
            if self.happened.load(Ordering::SeqCst) {
                self.ring();
            }
        }
        taken
    }

    /// Notes that something has happened; false when that was noted already and not taken since.
    pub(crate) fn note_happened(&self) -> bool {
        !self.happened.swap(true, Ordering::SeqCst)
    }

    /// Whether something has happened since that was last taken; takes it.
    pub(crate) fn take_news(&self) -> bool {
        self.happened.swap(false, Ordering::SeqCst)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            let one = 1_u64.to_ne_bytes();
            // SAFETY: eight bytes that outlive the call, and the location of the calling thread's errno, which is
            // restored because this may be a signal handler. A bell that rings already (EAGAIN) continues to ring.
            unsafe {
                let errno = libc::__errno_location();
                let before = *errno;
                libc::write(bell.as_raw_fd(), one.as_ptr().cast(), one.len());
                *errno = before;
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn ring(&self) {}

    /// A descriptor that poll(2) reports as readable while the bell rings.
    #[cfg(target_os = "linux")]
    pub(crate) fn descriptor(&self) -> Result<RawFd> {
        if let Some(bell) = self.bell.get() {
            return Ok(bell.as_raw_fd());
        }
        // SAFETY: a plain system call; it returns a new descriptor that is not shared, or -1.
        let made = match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
            -1 => return Err(Error::last_os_error()),
            // SAFETY: as above.
            descriptor => unsafe { OwnedFd::from_raw_fd(descriptor) },
        };
        Ok(self.bell.get_or_init(|| made).as_raw_fd())
    }

    /// Stops the bell.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn clear(&self) {}

    /// Stops the bell.
    #[cfg(target_os = "linux")]
    pub(crate) fn clear(&self) {
        if let Some(bell) = self.bell.get() {
            let mut count = [0_u8; 8];
            // SAFETY: eight bytes that outlive the call. A bell that does not ring (EAGAIN) is clear.
            unsafe { libc::read(bell.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        }
    }
}

/// Waits only for the bell, where nothing else can be waited for.
pub(crate) struct Bell<'a>(pub &'a Wake);

impl Bell<'_> {
    #[cfg(target_os = "linux")]
    pub fn wait(&self, timeout: Duration) -> Woken {
        let Ok(bell) = self.0.descriptor() else {
            // Without a descriptor an interrupt is noticed only afterwards.
            std::thread::sleep(timeout);
            return self.outcome();
        };
        if self.0.is_interrupted() {
            self.0.clear();
            return Woken::Interrupted;
        }
        match poll(&[bell], timeout) {
            Ok(false) => return Woken::Signal,
            Ok(true) => (),
            Err(_) => std::thread::sleep(timeout),
        }
        self.0.clear();
        self.outcome()
    }

    #[cfg(not(target_os = "linux"))]
    pub fn wait(&self, timeout: Duration) -> Woken {
        std::thread::sleep(timeout);
        self.outcome()
    }

    fn outcome(&self) -> Woken {
        if self.0.is_interrupted() {
            Woken::Interrupted
        } else {
            Woken::TimedOut
        }
    }
}

/// Descriptors that are polled as one: an epoll(7).
pub(crate) struct Set {
    #[cfg(target_os = "linux")]
    descriptor: OwnedFd,
    /// Created when it is needed.
    #[cfg(target_os = "linux")]
    timer: OnceLock<OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Set {
    /// A set with the bell.
    pub fn new(wake: &Wake) -> Result<Self> {
        let bell = wake.descriptor()?;
        // SAFETY: a plain system call; it returns a new descriptor that is not shared, or -1.
        let descriptor = match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => return Err(Error::last_os_error()),
            // SAFETY: as above.
            descriptor => unsafe { OwnedFd::from_raw_fd(descriptor) },
        };
        let set = Set { descriptor, timer: OnceLock::new() };
        set.add(bell)?;
        Ok(set)
    }

    /// Adds a descriptor; no error if it was added before.
    pub fn add(&self, descriptor: RawFd) -> Result<()> {
        let mut asked = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: the struct outlives the call.
        match unsafe { libc::epoll_ctl(self.descriptor.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &mut asked) } {
            -1 => match Error::last_os_error() {
                e if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
                e => Err(e),
            },
            _ => Ok(()),
        }
    }

    /// Makes the set readable after this time, and not earlier because of it; `None` for never. At the limit of
    /// descriptors this has no effect: the host then uses the time that it was given.
    pub fn ring_after(&self, after: Option<Duration>) {
        if after.is_none() && self.timer.get().is_none() {
            return;
        }
        let timer = match self.timer.get() {
            Some(timer) => timer,
            None => match self.make_timer() {
                Ok(made) => self.timer.get_or_init(|| made),
                Err(_) => return,
            },
        };
        // Zero disarms.
        let after = after.unwrap_or_default();
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::timespec { tv_sec: after.as_secs() as _, tv_nsec: after.subsec_nanos() as _ };
        let time = libc::itimerspec { it_interval: none, it_value: value };
        // SAFETY: the struct outlives the call; the previous time is not requested. A timer that has rung stops
        // ringing.
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &time, std::ptr::null_mut()) };
    }

    fn make_timer(&self) -> Result<OwnedFd> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: a plain system call; it returns a new descriptor that is not shared, or -1.
        let timer = match unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) } {
            -1 => return Err(Error::last_os_error()),
            // SAFETY: as above.
            descriptor => unsafe { OwnedFd::from_raw_fd(descriptor) },
        };
        self.add(timer.as_raw_fd())?;
        Ok(timer)
    }

    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }
}

#[cfg(not(target_os = "linux"))]
impl Set {
    pub fn new(_wake: &Wake) -> Result<Self> {
        Err(Error::from(std::io::ErrorKind::Unsupported))
    }

    pub fn add(&self, _descriptor: RawFd) -> Result<()> {
        Ok(())
    }

    pub fn ring_after(&self, _after: Option<Duration>) {}

    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Waits until one of these is readable, or the time has passed; false when a signal came.
#[cfg(target_os = "linux")]
pub(super) fn poll(descriptors: &[RawFd], timeout: Duration) -> Result<bool> {
    let mut asked: Vec<_> =
        descriptors.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // Rounded up: otherwise the last part of a millisecond would be waited for in a busy loop.
    let millis = timeout.as_nanos().div_ceil(1_000_000).min(libc::c_int::MAX as u128) as libc::c_int;
    // SAFETY: an array of this many pollfds, which outlives the call.
    match unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, millis) } {
        -1 => match Error::last_os_error() {
            e if e.kind() == std::io::ErrorKind::Interrupted => Ok(false),
            e => Err(e),
        },
        _ => Ok(true),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn is_ringing(wake: &Wake) -> bool {
        let mut asked = libc::pollfd { fd: wake.descriptor().unwrap(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which outlives the call.
        unsafe { libc::poll(&mut asked, 1, 0) == 1 }
    }

    #[test]
    fn an_interrupt_is_reported_once_and_rings_until_it_is_cleared() {
        let wake = Wake::default();
        wake.interrupt();
        assert!(!is_ringing(&wake), "no thread waited, so there was no bell");
        assert!(wake.take_interrupt() && !wake.take_interrupt(), "but it is reported, once");
        wake.interrupt();
        assert!(is_ringing(&wake) && is_ringing(&wake));
        wake.clear();
        assert!(!is_ringing(&wake) && wake.take_interrupt());
    }

    #[test]
    fn an_interrupt_keeps_errno() {
        let wake = Wake::default();
        wake.descriptor().unwrap();
        // SAFETY: the location of this thread's errno; writing to no descriptor sets it.
        unsafe {
            libc::write(-1, std::ptr::null(), 0);
            wake.interrupt();
            assert_eq!(*libc::__errno_location(), libc::EBADF);
        }
    }
}
