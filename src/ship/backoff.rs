//! How long to wait before the next try: the time doubles after each failure, and a random part of it is used.

use std::time::Duration;

use crate::io::fill_random;
use crate::store::Again;

/// No server is waited for longer than this, whatever it asks for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Failures in a row.
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest, failures: 0 }
    }

    /// Something has worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after another failure.
    pub fn next(&mut self, again: Again) -> Duration {
        let most = self.first.saturating_mul(1 << self.failures.min(30)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        match again {
            Again::Later(asked) => most.mul_f64(fraction()).max(asked.unwrap_or_default().min(LONGEST_ASKED)),
            // No operator resolves anything within seconds, and a try at intervals costs little.
            Again::WhenMended => self.longest.mul_f64(0.5 + fraction() / 2.0),
        }
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    match fill_random(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_success() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 300 * second);
        let longest_of = |backoff: &mut Backoff, failures: u32| {
            let mut longest = Duration::ZERO;
            for _ in 0..200 {
                backoff.failures = failures;
                longest = longest.max(backoff.next(Again::Later(None)));
            }
            longest
        };
        for (failures, most) in [(0, 1), (3, 8), (8, 256), (9, 300), (1000, 300)] {
            let longest = longest_of(&mut backoff, failures);
            assert!(longest <= most * second && longest > most * second / 2, "{failures}: {longest:?}");
        }
        backoff.reset();
        assert!(backoff.next(Again::Later(None)) <= second);
        assert!(backoff.next(Again::WhenMended) >= 150 * second);
        assert!(backoff.next(Again::Later(Some(1000 * second))) >= 1000 * second);
        assert!(backoff.next(Again::Later(Some(Duration::MAX))) <= LONGEST_ASKED);
    }
}
