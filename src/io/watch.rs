//! Waiting for something to happen in a directory, by inotify(7).

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::time::Duration;

use super::Watch;

/// What files a log is made of, what is in them, and the directory itself.
const EVENTS: u32 = libc::IN_MODIFY
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR;

/// An inotify instance with one directory in it.
pub(super) struct Inotify {
    queue: File,
}

impl Inotify {
    /// # Errors
    /// EMFILE, ENFILE and ENOSPC at the limits of `/proc/sys/fs/inotify`, and whatever else the system says.
    pub fn new(directory: &Path) -> Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::CString::new(directory.as_os_str().as_bytes())?;
        // SAFETY: a plain system call; what it returns is a new descriptor that nobody else has, or -1.
        let queue = match unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) } {
            -1 => return Err(Error::last_os_error()),
            // SAFETY: as above.
            descriptor => unsafe { File::from_raw_fd(descriptor) },
        };
        // SAFETY: the descriptor is open, and the path a string that ends with a NUL and outlives the call.
        match unsafe { libc::inotify_add_watch(queue.as_raw_fd(), path.as_ptr(), EVENTS) } {
            -1 => Err(Error::last_os_error()),
            _ => Ok(Inotify { queue }),
        }
    }

    /// Forgets what has happened so far.
    fn drain(&mut self) -> Result<()> {
        let mut events = [0; 4096];
        loop {
            match self.queue.read(&mut events) {
                Ok(0) => return Ok(()),
                Ok(_) => (),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) => return Err(e),
            }
        }
    }
}

impl Watch for Inotify {
    fn wait(&mut self, timeout: Duration) -> Result<()> {
        let mut asked = libc::pollfd { fd: self.queue.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // Rounded up, so that the last part of a millisecond is not waited for in a circle.
        let millis = timeout.as_nanos().div_ceil(1_000_000).min(libc::c_int::MAX as u128) as libc::c_int;
        // SAFETY: one pollfd, which outlives the call.
        match unsafe { libc::poll(&mut asked, 1, millis) } {
            -1 => match Error::last_os_error() {
                // Whoever waits looks, and waits again.
                e if e.kind() == ErrorKind::Interrupted => Ok(()),
                e => Err(e),
            },
            0 => Ok(()),
            _ => self.drain(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::io::{Directory, RealDirectory};

    #[test]
    fn what_happens_in_a_directory_ends_the_waiting_also_when_it_happened_before() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = RealDirectory::open(scratch.path()).unwrap();
        let mut watch = directory.watch().unwrap().expect("there is inotify");
        let long = Duration::from_secs(30);
        let mut happens = |what: &dyn Fn()| {
            what();
            let began = Instant::now();
            watch.wait(long).unwrap();
            assert!(began.elapsed() < long / 2);
            let began = Instant::now();
            watch.wait(Duration::from_millis(20)).unwrap();
            assert!(began.elapsed() >= Duration::from_millis(20), "it is told once");
        };
        happens(&|| drop(directory.create("a", 0o600).unwrap()));
        let file = directory.open("a", crate::io::Access::ReadWrite).unwrap();
        happens(&|| crate::io::write_full(&*file, &[b"more"], 0).map_err(|(_, e)| e).unwrap());
        happens(&|| directory.rename("a", "b").unwrap());
        happens(&|| directory.remove("b").unwrap());
    }

    #[test]
    fn a_directory_that_is_not_there_cannot_be_watched() {
        let scratch = tempfile::tempdir().unwrap();
        let error = Inotify::new(&scratch.path().join("nothing")).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}
