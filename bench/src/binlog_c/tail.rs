//! A reader that follows a log while it is written: `binlog_cursor_wait`, and `binlog_cursor_next` until there are no
//! more.

use std::path::Path;
use std::ptr;
use std::time::Duration;

use super::read::{payload, Scan};
use super::{abi, call, check};
use crate::Result;

/// A cursor that shows each record once, from the first on.
pub struct Tail(Scan);

impl Tail {
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(Tail(Scan::open_with(folder, |_| (), |_| ())?))
    }

    /// Waits until there is a record to show; false when none came within `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let mut error = ptr::null_mut();
        // SAFETY: the cursor is open, and `error` a valid place.
        match unsafe { abi::binlog_cursor_wait(self.0.cursor, timeout.as_nanos() as i64, &mut error) } {
            abi::TIMEOUT => Ok(false),
            status => check(status, error).map(|_| true),
        }
    }

    /// Shows every record that is available now.
    pub fn show_new(&mut self, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let mut record = abi::Record::EMPTY;
        while !call!(binlog_cursor_next(self.0.cursor, &mut record))? {
            visit(payload(&record));
        }
        Ok(())
    }
}
