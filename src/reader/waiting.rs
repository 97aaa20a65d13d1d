//! How a cursor waits: what wakes it, and when it looks without that.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::io::wake::{Bell, Set};
use crate::io::{Wake, Watch, Woken};

/// A directory is also looked at this often: where the system reports every change, and where it does not report the
/// changes of other machines.
const LOOKS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1));
/// Where nothing can be watched, first and longest pause between two looks.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Ends the waiting of a cursor, from any thread and from a signal handler; it may outlive the cursor.
#[derive(Clone)]
pub struct Interrupter(pub(super) Arc<Wake>);

impl Interrupter {
    /// Ends the [`crate::Cursor::wait`] in progress, or else the next one, with [`Kind::Interrupted`]. Several calls
    /// before that count as one. Is async-signal-safe, and never waits.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// State of a waiting cursor.
#[derive(Default)]
pub(super) struct Waiting {
    pub wake: Arc<Wake>,
    pub watch: Option<Box<dyn Watch>>,
    /// The watch reports every change.
    pub reports_all: bool,
    /// The file that is read is no longer in its directory. The directory may be removed too, which the system does not
    /// report while removed files of it are open.
    pub is_gone: bool,
    /// The descriptor that the host polls.
    pub set: Option<Set>,
}

impl Waiting {
    /// Fails if the cursor was interrupted, and clears the interrupt.
    pub fn check(&self) -> Result<()> {
        match self.wake.take_interrupt() {
            true => Err(interrupted("the waiting was interrupted")),
            false => Ok(()),
        }
    }

    /// Waits for a change, or for `left` at most.
    pub fn sleep(&mut self, left: Duration, pause: &mut Duration) -> Result<()> {
        let most = self.look_after();
        let Some(watch) = &mut self.watch else {
            let woken = Bell(&self.wake).wait(left.min(*pause));
            *pause = (*pause * 2).min(PAUSES.1);
            return self.check_woken(woken);
        };
        match watch.wait(left.min(most)) {
            Ok(woken) => self.check_woken(woken),
            Err(_) => {
                self.watch = None;
                Ok(())
            }
        }
    }

    /// The longest time until the cursor looks for changes that were not reported.
    pub fn look_after(&self) -> Duration {
        match &self.watch {
            Some(_) if self.reports_all && !self.is_gone => LOOKS.0,
            Some(_) => LOOKS.1,
            None => PAUSES.1,
        }
    }

    /// Makes the polled descriptor readable when it is time to look: the host may have asked earlier for how long it
    /// may wait.
    pub fn set_timer(&self) {
        if let Some(set) = &self.set {
            let look_after = self.look_after();
            set.ring_after((look_after < LOOKS.0).then_some(look_after));
        }
    }

    fn check_woken(&self, woken: Woken) -> Result<()> {
        match woken {
            Woken::Signal => Err(interrupted("a signal came while the cursor waited")),
            Woken::Interrupted => self.check(),
            Woken::Happened | Woken::TimedOut => Ok(()),
        }
    }
}

fn interrupted(reason: &str) -> Error {
    Error::new(Kind::Interrupted, reason)
}
