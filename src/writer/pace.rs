//! How fast a thread fills its buffers.

use std::time::Duration;

use crate::io::sync::Instant;

/// A thread that fills a buffer faster than this waits nevertheless: at such a pace no amount of memory lasts, and much
/// of it is slower than what the caches hold.
const UNHURRIED: Duration = Duration::from_millis(1);
/// So many buffers in a row have to be filled that slowly: a single one may come from a thread that waited for a
/// processor.
const IN_A_ROW: u32 = 3;

/// How fast the last buffers were filled.
#[derive(Default)]
pub(super) struct Pace {
    /// When the last buffer was taken.
    since: Option<Instant>,
    /// How many buffers in a row were filled slowly.
    unhurried: u32,
}

impl Pace {
    /// A buffer was taken.
    pub fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Notes that another buffer is wanted. Returns whether the thread is so slow that it gets more memory while a write
    /// hangs.
    pub fn is_unhurried(&mut self) -> bool {
        self.unhurried = match self.since {
            Some(since) if since.elapsed() >= UNHURRIED => self.unhurried.saturating_add(1),
            _ => 0,
        };
        self.unhurried >= IN_A_ROW
    }
}
