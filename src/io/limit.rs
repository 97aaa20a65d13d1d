//! The process's limit for the size of files (`RLIMIT_FSIZE`, `ulimit -f`). The kernel answers a write that begins at or
//! beyond it, and whatever would make a file longer than it, with the signal SIGXFSZ, which ends a process that is not
//! prepared. A library has no right to do that to its host: what would raise the signal fails with EFBIG here instead.
//! A write that begins below the limit is cut short at it without a signal.

use std::io::{Error, Result};

/// Bytes that a file may have; `None` = there is no limit.
fn limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a valid rlimit to write to. It costs a tenth of the smallest write, and the host may change
    // the limit at any time, so it is asked for each time.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        // The type differs between systems.
        #[allow(clippy::unnecessary_cast)]
        0 if limit.rlim_cur != libc::RLIM_INFINITY => Some(limit.rlim_cur as u64),
        _ => None,
    }
}

/// Refuses a write that begins where none may.
pub fn check_write(offset: u64) -> Result<()> {
    match limit() {
        Some(most) if offset >= most => Err(Error::from_raw_os_error(libc::EFBIG)),
        _ => Ok(()),
    }
}

/// Refuses to make a file `len` bytes long when none may be; a file that is `now` as long may keep its length.
pub fn check_length(len: u64, now: impl FnOnce() -> Result<u64>) -> Result<()> {
    match limit() {
        Some(most) if len > most && len > now()? => Err(Error::from_raw_os_error(libc::EFBIG)),
        _ => Ok(()),
    }
}
