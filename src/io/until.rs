//! The beginning of a file, as a file.

use std::io::Result;
use std::ops::Range;
use std::sync::Arc;

use super::{File, Identity};

/// Shows only the bytes of `file` before the offset `end`. It is read only, and can be locked and synced.
pub(crate) fn until(file: Arc<dyn File>, end: u64) -> Arc<dyn File> {
    Arc::new(Until { file, end })
}

struct Until {
    file: Arc<dyn File>,
    end: u64,
}

impl File for Until {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        self.file.read_at(&mut buffer[..most], offset)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.len()?.min(self.end))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn try_lock(&self) -> Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.file.unlock()
    }

    fn is_locked(&self) -> Result<bool> {
        self.file.is_locked()
    }

    fn identity(&self) -> Result<Option<Identity>> {
        self.file.identity()
    }

    fn is_far(&self) -> bool {
        self.file.is_far()
    }

    fn will_need(&self, ranges: &[Range<u64>]) {
        self.file.will_need(ranges);
    }

    fn doubt(&self) {
        self.file.doubt();
    }
}
