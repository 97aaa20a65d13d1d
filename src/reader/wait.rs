//! Waiting for a writer to go on.

use std::time::{Duration, Instant};

use super::cursor::Shown;
use super::Cursor;
use crate::error::{Kind, Result};

/// A watched directory is looked at this often all the same: what another machine does on a network file system is not
/// told.
const LOOK: Duration = Duration::from_secs(1);
/// Where nothing can be watched, first and longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

impl Cursor {
    /// Waits until there is a record to be shown by the next call (or an event, for a filter that shows them); false
    /// when `timeout` has passed without one. [`Duration::ZERO`] just looks. It goes on over rolls, the removal of old
    /// segments, and a writer that ends and begins anew; no writer at all is no error either. What a call that goes on
    /// would tell of, such as [`Kind::Missed`], ends the waiting too: true, and the next call tells it.
    ///
    /// On Linux the system wakes the cursor when a file of the directory changes (inotify), and it looks once a second
    /// besides; a pattern, another system, or one that is out of such watches is looked at every 10 to 100 ms. Takes no
    /// thread and no signal; the first waiting takes one file descriptor for as long as the cursor lives. A cursor that
    /// shows the newest first sees nothing new.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        if self.can_show()? {
            return Ok(true);
        }
        if timeout.is_zero() {
            return Ok(false);
        }
        let began = Instant::now();
        // Armed before the look that finds nothing, so that nothing comes up unnoticed between that and the waiting.
        let mut watch = self.watch.take().or_else(|| self.source.watch());
        let mut pause = PAUSES.0;
        let shown = loop {
            match self.can_show() {
                Ok(false) => (),
                other => break other,
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                break Ok(false);
            }
            match &mut watch {
                Some(armed) => {
                    if armed.wait(left.min(LOOK)).is_err() {
                        watch = None;
                    }
                }
                None => {
                    std::thread::sleep(left.min(pause));
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        };
        self.watch = watch;
        shown
    }

    /// Whether the next call shows or tells something; loads it when it does.
    fn can_show(&mut self) -> Result<bool> {
        loop {
            if self.missed.is_some() {
                return Ok(true);
            }
            match &self.shown {
                Shown::Walk(walk) => match walk.clone().next_hit(&self.selection, self.scanner.entries()) {
                    Ok(Some(_)) => return Ok(true),
                    Ok(None) => (),
                    Err(reason) => return Err(self.corrupt(&reason)),
                },
                Shown::Hits(hits, at) if *at < hits.len() => return Ok(true),
                Shown::Hits(..) | Shown::Nothing => (),
            }
            match self.advance() {
                Ok(true) => (),
                Err(error) if error.kind() == Kind::Missed => self.missed = Some(error),
                other => return other,
            }
        }
    }
}
