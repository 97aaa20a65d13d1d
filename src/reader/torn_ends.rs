//! Ends of files that a crash has torn and that others follow, as of older libraries, whose writers began a new file
//! after a crash. No writer cuts them off; readers pass over them and report them.

use super::Cursor;
use crate::format::Malformed;
use crate::options::{Loss, LossKind, ReaderMode};
use crate::segment::Bad;

impl Cursor {
    /// Passes and reports the torn end of a file of an older library, if other files follow it.
    pub(super) fn pass_torn_legacy(&mut self) -> Result<(), Bad> {
        let segment = self.segment().clone();
        let Some((offset, reason)) = segment.translated.as_ref().and_then(|translated| translated.torn_within()) else {
            return Ok(());
        };
        if self.list.mode == ReaderMode::Strict {
            return Err(Bad::Malformed(Malformed::Inconsistent(reason)));
        }
        // The size of a compressed file's contents is not known.
        let bytes = segment.file_len().map_or(1, |len| len.saturating_sub(offset));
        self.report_torn(offset, bytes, reason);
        Ok(())
    }

    /// Passes the torn tail at the end of a log that others of the same directory follow; false when no caller listens
    /// for losses.
    pub(super) fn passes_torn_log(&mut self, left: u64, reason: &str) -> bool {
        if self.list.mode != ReaderMode::Prefix || !self.reports.has_listener() {
            return false;
        }
        let offset = self.segment().reported_offset(self.position.scanner.offset());
        let bytes = self.segment().file_len().map_or(left, |len| len.saturating_sub(offset));
        self.report_torn(offset, bytes, reason.to_owned());
        true
    }

    fn report_torn(&mut self, offset: u64, bytes: u64, reason: String) {
        let path = self.segment().path.clone();
        let kind = LossKind::TornTail;
        self.reports.torn_end(&Loss { kind, path, offset, bytes, ids: None, pages: None, reason, durable: false });
    }
}
