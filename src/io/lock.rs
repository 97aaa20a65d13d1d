//! The writer's lock: an open file description lock. It belongs to the open file rather than to the process; unlike a
//! POSIX lock, it is not lost when another handle of the same file is closed. Unlike with flock(2), a reader can test
//! for it without taking it.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;

#[cfg(target_os = "linux")]
const COMMANDS: (libc::c_int, libc::c_int) = (libc::F_OFD_SETLK, libc::F_OFD_GETLK);
#[cfg(not(target_os = "linux"))]
const COMMANDS: (libc::c_int, libc::c_int) = (libc::F_SETLK, libc::F_GETLK);

fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: flock is a plain C struct for which all zeros is a valid value: from the file's start to its end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

fn set(file: &File, kind: libc::c_int) -> Result<()> {
    let lock = whole_file(kind);
    // SAFETY: the descriptor is open and `lock` is a valid flock.
    match unsafe { libc::fcntl(file.as_raw_fd(), COMMANDS.0, &lock) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Takes the lock; false when another open file holds it.
pub fn try_lock(file: &File) -> Result<bool> {
    match set(file, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::WouldBlock || e.raw_os_error() == Some(libc::EACCES) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Releases the lock.
pub fn unlock(file: &File) -> Result<()> {
    set(file, libc::F_UNLCK)
}

/// Whether another open file holds the lock.
pub fn is_locked(file: &File) -> Result<bool> {
    let mut lock = whole_file(libc::F_RDLCK);
    // SAFETY: the descriptor is open and `lock` is a valid flock to read and write.
    match unsafe { libc::fcntl(file.as_raw_fd(), COMMANDS.1, &mut lock) } {
        0 => Ok(lock.l_type != libc::F_UNLCK as libc::c_short),
        _ => Err(Error::last_os_error()),
    }
}
