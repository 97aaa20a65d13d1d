//! The process's limit for the size of files (`RLIMIT_FSIZE`, `ulimit -f`). The kernel answers a write that begins at
//! or beyond it, and every call that would make a file longer than it, with the signal SIGXFSZ, which ends a process
//! that does not handle it. A library must not do that to its host: calls that would raise the signal fail with EFBIG
//! here instead. A write that begins below the limit is cut short at it without a signal.

use std::io::{Error, Result};

/// The greatest size of a file in bytes; `None` = there is no limit.
fn limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a valid rlimit to write to. The call takes a tenth of the time of the smallest write, and the
    // host may change the limit at any time; therefore it is made each time.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        // The type differs between systems.
        #[allow(clippy::unnecessary_cast)]
        0 if limit.rlim_cur != libc::RLIM_INFINITY => Some(limit.rlim_cur as u64),
        _ => None,
    }
}

/// Refuses a write that begins at or beyond the limit.
pub fn check_write(offset: u64) -> Result<()> {
    match limit() {
        Some(most) if offset >= most => Err(Error::from_raw_os_error(libc::EFBIG)),
        _ => Ok(()),
    }
}

/// Refuses to make a file `len` bytes long when that exceeds the limit, unless `now` returns that it is already as
/// long.
pub fn check_length(len: u64, now: impl FnOnce() -> Result<u64>) -> Result<()> {
    match limit() {
        Some(most) if len > most && len > now()? => Err(Error::from_raw_os_error(libc::EFBIG)),
        _ => Ok(()),
    }
}
