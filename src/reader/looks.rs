//! When a store is listed again: each list is a request, and requests cost money.

use std::time::{Duration, Instant};

/// First and longest time between two lists of a store that showed nothing new.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// When a store is to be listed again.
#[derive(Default)]
pub(super) struct Looks {
    next: Option<Instant>,
    pause: Duration,
}

impl Looks {
    /// After a look that has shown something new.
    pub fn just_now() -> Self {
        Looks { next: Some(Instant::now() + PAUSES.0), pause: PAUSES.0 }
    }

    /// Whether it is time for a look; counts as one if it is.
    pub fn is_time(&mut self) -> bool {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.pause = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
        self.next = Some(now + self.pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_looked_at_more_and_more_seldom() {
        let mut looks = Looks::default();
        let mut pauses = vec![];
        for _ in 0..8 {
            assert!(looks.is_time() && !looks.is_time());
            pauses.push(looks.pause.as_secs());
            looks.next = Some(Instant::now());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
