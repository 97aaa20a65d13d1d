//! Ctrl-C and SIGTERM as something to wait for beside input, so that a log is closed and output is flushed.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// Writing end of a pipe: a signal that comes between looking at `CAUGHT` and waiting still ends the wait.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor has something to tell: bytes, an end, an error.
    Ready,
    Signal(i32),
    Timeout,
}

/// SIGINT and SIGTERM are caught from here to the end of the process. A second one kills.
pub struct Signals {
    wake: OwnedFd,
}

impl Signals {
    pub fn catch() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            // SAFETY: fcntl with F_SETFD and F_SETFL takes an int and touches no memory of ours.
            unsafe {
                libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        WAKE.store(ends[1], Ordering::Release);
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: the structure is plain data, for which zeros are a valid value; the handler only does what is
            // allowed in one.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
                action.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
                if libc::sigaction(signal, &action, std::ptr::null_mut()) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
        }
        // SAFETY: pipe(2) made the descriptor, and nobody else owns it.
        Ok(Signals { wake: unsafe { OwnedFd::from_raw_fd(ends[0]) } })
    }

    /// The signal that has come, if any.
    pub fn caught(&self) -> Option<i32> {
        Some(CAUGHT.load(Ordering::Acquire)).filter(|&signal| signal != 0)
    }

    /// Waits until `fd` can be read, or for ever when there is no timeout.
    pub fn wait_readable(&self, fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<Woken> {
        self.wait(fd.as_raw_fd(), libc::POLLIN, timeout)
    }

    /// Waits until nobody reads the pipe `fd` any more, or the timeout.
    pub fn wait_closed(&self, fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<Woken> {
        self.wait(fd.as_raw_fd(), 0, Some(timeout))
    }

    fn wait(&self, fd: RawFd, events: libc::c_short, timeout: Option<Duration>) -> io::Result<Woken> {
        let mut polled = [
            libc::pollfd { fd: self.wake.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd, events, revents: 0 },
        ];
        let timeout = timeout.map_or(-1, |time| time.as_millis().min(i32::MAX as u128) as libc::c_int);
        // SAFETY: the pointer and the length are those of `polled`.
        let n = unsafe { libc::poll(polled.as_mut_ptr(), 2, timeout) };
        if let Some(signal) = self.caught() {
            return Ok(Woken::Signal(signal));
        }
        match n {
            0 => Ok(Woken::Timeout),
            1.. => Ok(Woken::Ready),
            _ => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => Ok(Woken::Timeout),
                e => Err(e),
            },
        }
    }
}

/// The exit status that a shell gives to a process which a signal ended.
pub fn exit_code(signal: i32) -> u8 {
    128u8.saturating_add(u8::try_from(signal).unwrap_or(0))
}

/// A write beyond the limit for files (`ulimit -f`) fails then, and can be told of, rather than kill the process.
pub fn let_oversized_writes_fail() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

extern "C" fn on_signal(signal: libc::c_int) {
    CAUGHT.store(signal, Ordering::Release);
    // SAFETY: write(2) may be called in a handler, and the buffer is one byte long. It does not wait, so `errno` is all
    // that it could disturb: a full pipe wakes as well.
    unsafe {
        let errno = errno();
        let before = *errno;
        libc::write(WAKE.load(Ordering::Acquire), b"!".as_ptr().cast(), 1);
        *errno = before;
    }
}

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: returns the calling thread's own.
    unsafe { libc::__error() }
}

#[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "freebsd")))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: returns the calling thread's own.
    unsafe { libc::__errno_location() }
}
