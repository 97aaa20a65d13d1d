//! Segments that a roll has closed, until they are durable.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::sync::Mutex;
use crate::segment::{Appender, Segment};

/// A closed segment. Giving back the space that was set aside behind its end may have to wait for the file system's
/// journal, for longer than the free pieces last: so that is left to whoever makes it durable.
pub(crate) struct Retired {
    pub segment: Arc<Segment>,
    pub last_id: u64,
    end: u64,
    is_cut: Mutex<bool>,
}

impl Retired {
    /// Of the appender that has closed it.
    pub fn new(closed: Appender) -> Self {
        // One that takes no more was not written to, and ends where it did.
        let is_cut = Mutex::new(!closed.segment.takes_more());
        Retired { end: closed.end(), last_id: closed.next_id() - 1, segment: closed.segment, is_cut }
    }

    /// Gives the space back, once. When this returns nobody else is at it either: hooks may do to the file what they
    /// like from then on.
    pub fn give_back(&self) -> Result<()> {
        let mut is_cut = self.is_cut.lock();
        if std::mem::replace(&mut *is_cut, true) {
            return Ok(());
        }
        let cut = self.segment.file.set_len(self.end);
        cut.map_err(|e| Error::io(&e, "truncate").at_offset(&self.segment.path, self.end))
    }
}
