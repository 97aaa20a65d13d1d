//! Trying again what may succeed later, for a bounded time.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Kind;
use crate::io::fill_random;
use crate::store::{Again, Answer, Failure};

/// How long a request that fails for a passing reason is tried again, unless told otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(4));

/// Asks until there is an answer, a failure that stays, or no time left.
pub(super) fn patiently<T>(patience: Duration, mut ask: impl FnMut() -> Answer<T>) -> Answer<T> {
    let began = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let failure = match ask() {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Again::Later(after) = failure.again else { return Err(failure) };
        // What the server asks for is kept; else somewhere between half and all of the pause, so that readers that were
        // turned away together do not come back together.
        let wait = after.unwrap_or_else(|| pause / 2 + (pause / 2).mul_f64(chance()));
        if began.elapsed() + wait > patience {
            return Err(failure);
        }
        std::thread::sleep(wait);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Something between 0 and 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match fill_random(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// The failure as what a file or a directory returns.
pub(super) fn told(failure: Failure, path: &Path) -> io::Error {
    let kind = match failure.error.kind() {
        Kind::NotFound => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure.error.at(path))
}
