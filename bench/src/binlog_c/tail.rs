//! A reader that follows a log while it is written.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::read::{payload, Scan};
use super::{abi, call};
use crate::Result;

/// A cursor that shows each record once, from the first on.
pub struct Tail {
    scan: Scan,
    /// A record that [`Tail::wait`] found and nobody was shown yet.
    found: Option<abi::Record>,
}

impl Tail {
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(Tail { scan: Scan::open_with(folder, |_| (), |_| ())?, found: None })
    }

    /// Waits until there is a record to show; false when none came within `timeout`. Stands in for a call of the library
    /// that waits: it looks again and again.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        const PAUSE: Duration = Duration::from_micros(500);
        let began = Instant::now();
        while self.found.is_none() {
            self.found = self.next()?;
            if self.found.is_none() {
                if began.elapsed() >= timeout {
                    return Ok(false);
                }
                thread::sleep(PAUSE);
            }
        }
        Ok(true)
    }

    /// Shows every record that is there by now.
    pub fn show_new(&mut self, mut visit: impl FnMut(&[u8])) -> Result<()> {
        while let Some(record) = self.found.take().map_or_else(|| self.next(), |found| Ok(Some(found)))? {
            visit(payload(&record));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<abi::Record>> {
        let mut record = abi::Record::EMPTY;
        let ended = call!(binlog_cursor_next(self.scan.cursor, &mut record))?;
        Ok((!ended).then_some(record))
    }
}
