//! Ctrl-C and SIGTERM as events to wait for beside input: the log is closed and output is flushed.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level::pipe};

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor has something to report: bytes, an end, an error.
    Ready,
    Signal(i32),
    Timeout,
}

/// SIGINT and SIGTERM are caught from here to the end of the process. The second one of a kind kills.
pub struct Signals {
    caught: Arc<AtomicUsize>,
    /// Never read: a signal that comes between looking at `caught` and waiting still ends the wait.
    wake: UnixStream,
}

impl Signals {
    pub fn catch() -> io::Result<Self> {
        let caught = Arc::new(AtomicUsize::new(0));
        let (wake, waker) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            let came = Arc::new(AtomicBool::new(false));
            // They run in this order: the first signal finds `came` unset, and a wait that is woken finds `caught` set.
            flag::register_conditional_default(signal, Arc::clone(&came))?;
            flag::register(signal, came)?;
            flag::register_usize(signal, Arc::clone(&caught), signal as usize)?;
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Signals { caught, wake })
    }

    /// The signal that has come, if any.
    pub fn caught(&self) -> Option<i32> {
        i32::try_from(self.caught.load(Ordering::Acquire)).ok().filter(|&signal| signal != 0)
    }

    /// Waits until `fd` can be read, or for ever when there is no timeout.
    pub fn wait_readable(&self, fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<Woken> {
        self.wait(fd, PollFlags::IN, timeout)
    }

    /// Waits until the reader of the pipe `fd` has closed it, or the timeout.
    pub fn wait_closed(&self, fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<Woken> {
        self.wait(fd, PollFlags::empty(), Some(timeout))
    }

    /// Waits until `fd` can be read, the reader of the pipe `output` has closed it, or the timeout.
    pub fn wait_readable_or_closed(
        &self,
        fd: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
        timeout: Duration,
    ) -> io::Result<Woken> {
        let output = PollFd::from_borrowed_fd(output, PollFlags::empty());
        self.wait_for([PollFd::from_borrowed_fd(fd, PollFlags::IN), output], Some(timeout))
    }

    fn wait(&self, fd: BorrowedFd<'_>, events: PollFlags, timeout: Option<Duration>) -> io::Result<Woken> {
        self.wait_for([PollFd::from_borrowed_fd(fd, events)], timeout)
    }

    fn wait_for<const N: usize>(&self, fds: [PollFd<'_>; N], timeout: Option<Duration>) -> io::Result<Woken> {
        let mut polled = vec![PollFd::new(&self.wake, PollFlags::IN)];
        polled.extend(fds);
        // A timeout that is too long to be represented is no timeout.
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let ready = poll(&mut polled, timeout.as_ref());
        if let Some(signal) = self.caught() {
            return Ok(Woken::Signal(signal));
        }
        match ready {
            Ok(0) | Err(Errno::INTR) => Ok(Woken::Timeout),
            Ok(_) => Ok(Woken::Ready),
            Err(e) => Err(e.into()),
        }
    }
}

/// The exit status that a shell gives to a process that a signal ended.
pub fn exit_code(signal: i32) -> u8 {
    128u8.saturating_add(u8::try_from(signal).unwrap_or(0))
}

/// Makes a write beyond the limit for files (`ulimit -f`) fail, to be reported, instead of killing the process.
pub fn let_oversized_writes_fail() {
    // Caught rather than ignored: in the commands that this one runs a caught signal kills as usual. Registering
    // fails only for signals that cannot be caught.
    let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}
