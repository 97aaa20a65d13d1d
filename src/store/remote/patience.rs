//! Retries requests for a bounded time.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Kind;
use crate::io::fill_random;
use crate::store::{Again, Answer, Failure};

/// How long a request with a passing failure is retried by default.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(4));

/// Repeats a request until it succeeds, fails for good, or the time is over.
pub(super) fn patiently<T>(patience: Duration, mut ask: impl FnMut() -> Answer<T>) -> Answer<T> {
    let began = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let failure = match ask() {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Again::Later(after) = failure.again else { return Err(failure) };
        // The time that the server asked for is used; otherwise waits a random time from half the pause to all of it,
        // so that readers that were rejected together do not return together.
        let wait = after.unwrap_or_else(|| pause / 2 + (pause / 2).mul_f64(chance()));
        if began.elapsed() + wait > patience {
            return Err(failure);
        }
        std::thread::sleep(wait);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match fill_random(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// Converts the failure into the error of a file or a directory.
pub(super) fn io_error(failure: Failure, path: &Path) -> io::Error {
    let kind = match failure.error.kind() {
        Kind::NotFound => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure.error.at(path))
}
