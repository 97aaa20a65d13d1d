//! Ends of files that a crash has torn and that others follow, as of older libraries, whose writers began a new file after
//! a crash: nobody cuts them off, so they are passed over and reported.

use std::collections::HashSet;
use std::path::PathBuf;

use super::Cursor;
use crate::format::Malformed;
use crate::options::{Loss, LossKind, OnLoss, ReaderMode};
use crate::segment::Bad;

/// Who hears of such ends, and in which files they were reported.
pub(super) struct TornEnds {
    on_loss: Option<OnLoss>,
    told: HashSet<PathBuf>,
}

impl TornEnds {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        TornEnds { on_loss, told: HashSet::new() }
    }

    /// Who hears of ends that are passed over.
    pub fn on_loss(&self) -> Option<&OnLoss> {
        self.on_loss.as_ref()
    }
}

impl Cursor {
    /// The current segment shows a file of an older library whose torn end others follow.
    pub(super) fn pass_torn_elder(&mut self) -> Result<(), Bad> {
        let segment = self.segment().clone();
        let Some((offset, reason)) = segment.translated.as_ref().and_then(|translated| translated.torn_within()) else {
            return Ok(());
        };
        if self.mode == ReaderMode::Strict {
            return Err(Bad::Malformed(Malformed::Inconsistent(reason)));
        }
        // Of a compressed file nobody knows how much there is.
        let bytes = segment.file_len().map_or(1, |len| len.saturating_sub(offset));
        self.report_torn(offset, bytes, reason);
        Ok(())
    }

    /// Passes the torn tail with which a log ends that others of the same directory come behind; false when nobody would
    /// hear of it.
    pub(super) fn passes_torn_log(&mut self, left: u64, reason: &str) -> bool {
        if self.mode != ReaderMode::Prefix || self.torn_ends.on_loss.is_none() {
            return false;
        }
        let offset = self.segment().told_offset(self.scanner.offset());
        let bytes = self.segment().file_len().map_or(left, |len| len.saturating_sub(offset));
        self.report_torn(offset, bytes, reason.to_owned());
        true
    }

    fn report_torn(&mut self, offset: u64, bytes: u64, reason: String) {
        let path = self.segment().path.clone();
        if let Some(on_loss) = self.torn_ends.on_loss.clone().filter(|_| self.torn_ends.told.insert(path.clone())) {
            let kind = LossKind::TornTail;
            on_loss(&Loss { kind, path, offset, bytes, ids: None, pages: None, reason, durable: false });
        }
    }
}
