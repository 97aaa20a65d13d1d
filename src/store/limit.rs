//! Limits bytes per second.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Spreads the sent bytes over time. One for a whole store: its concurrent requests share it.
pub struct Limit {
    /// Bytes per second; 0 = no limit.
    bandwidth: u64,
    /// When everything that was allowed so far will have been sent, at that speed.
    free_at: Mutex<Option<Instant>>,
}

impl Limit {
    /// Allows this many bytes per second; 0 = no limit.
    pub fn new(bandwidth: u64) -> Self {
        Limit { bandwidth, free_at: Mutex::new(None) }
    }

    /// How many bytes should be sent at once: about a tenth of a second's amount.
    pub fn piece(&self, most: usize) -> usize {
        match self.bandwidth {
            0 => most,
            bandwidth => most.min(usize::try_from(bandwidth / 10).unwrap_or(usize::MAX).max(1)),
        }
    }

    /// How long to wait before these bytes may be sent.
    pub fn wait(&self, bytes: usize, now: Instant) -> Duration {
        if self.bandwidth == 0 {
            return Duration::ZERO;
        }
        let cost = Duration::try_from_secs_f64(bytes as f64 / self.bandwidth as f64).unwrap_or(Duration::MAX);
        let mut free_at = self.free_at.lock();
        // Bytes that were not sent during a pause do not raise the speed afterwards.
        let from = free_at.map_or(now, |at| at.max(now));
        *free_at = from.checked_add(cost).or(Some(from));
        from - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time_and_a_pause_is_not_made_up_for() {
        let limit = Limit::new(1000);
        let start = Instant::now();
        assert_eq!(limit.piece(64 << 10), 100);
        assert_eq!(limit.wait(500, start), Duration::ZERO);
        assert_eq!(limit.wait(250, start), Duration::from_millis(500));
        assert_eq!(limit.wait(100, start), Duration::from_millis(750));
        let later = start + Duration::from_secs(60);
        assert_eq!(limit.wait(500, later), Duration::ZERO);
        assert_eq!(limit.wait(500, later), Duration::from_millis(500));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let limit = Limit::new(0);
        assert_eq!(limit.piece(65536), 65536);
        assert_eq!(limit.wait(usize::MAX, Instant::now()), Duration::ZERO);
    }
}
