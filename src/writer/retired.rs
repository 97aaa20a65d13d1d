//! Segments that a roll has closed and that may not be durable yet.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::sync::Mutex;
use crate::segment::{Appender, Segment};

/// A closed segment. Releasing the space that was set aside after its end may have to wait for the file system's
/// journal, longer than the free buffers last; the thread that makes the segment durable does it.
pub(crate) struct Retired {
    pub segment: Arc<Segment>,
    pub last_id: u64,
    end: u64,
    is_cut: Mutex<bool>,
}

impl Retired {
    /// Takes the appender that has closed the segment.
    pub fn new(closed: Appender) -> Self {
        // A segment that takes no more was not written to, and keeps its end.
        let is_cut = Mutex::new(!closed.segment.takes_more());
        Retired { end: closed.end(), last_id: closed.next_id() - 1, segment: closed.segment, is_cut }
    }

    /// Releases the space, once. When this returns, no other thread is still doing it: from then on hooks may do
    /// anything with the file. Returns whether this call did it.
    pub fn give_back(&self) -> Result<bool> {
        let mut is_cut = self.is_cut.lock();
        if std::mem::replace(&mut *is_cut, true) {
            return Ok(false);
        }
        let cut = self.segment.file.set_len(self.end);
        cut.map_err(|e| Error::io(&e, "truncate").at_offset(&self.segment.path, self.end))?;
        Ok(true)
    }
}
