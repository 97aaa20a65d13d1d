//! How a log ends that other logs of the same directory follow: each is judged by itself.

use super::Cursor;
use crate::error::{Error, Result};
use crate::format::Malformed;
use crate::log::{names, Missing};
use crate::options::{Loss, LossKind, ReaderMode};
use crate::segment::{lacks_trailer, NO_TRAILER};

impl Cursor {
    /// Leaves the last segment of a log that other logs follow, and reports what is known to be missing there; false
    /// when the end has to be read once more.
    pub(super) fn passes_end_of_log(&mut self) -> Result<bool> {
        let successor = self.position.successor.clone();
        let Some(missing) = self.missing_from_log(self.position.scanner.offset(), successor.as_deref())? else {
            self.salvage_another_log();
            return Ok(true);
        };
        // The writer may have closed it, or begun the next segment, since the files were listed.
        if !std::mem::replace(&mut self.position.looked_again, true) {
            return Ok(false);
        }
        if !std::mem::replace(&mut self.list.listed_again, true) {
            self.relist()?;
            return Ok(false);
        }
        if self.direction.is_salvage() {
            self.salvage_end(&missing)?;
            self.salvage_another_log();
        } else if !self.reports_missing(self.position.scanner.offset(), &missing.reason) {
            return Err(self.corrupt(&Malformed::Missing(missing.reason)));
        }
        Ok(true)
    }

    /// As [`Self::passes_end_of_log`], for a cursor that reads backward: `end` is where the segment's blocks end, and
    /// `successor` is the file that it names as the next. Returns an error to report after everything before it has
    /// been shown.
    pub(super) fn end_of_log_behind(&mut self, end: u64, successor: Option<&str>) -> Result<Option<Error>> {
        let Some(missing) = self.missing_from_log(end, successor)? else { return Ok(None) };
        let reason = missing.reason;
        // The log may have rolled since the files were listed.
        let fresh = self.list.source.snapshot(&self.list.snapshot, self.list.mode)?;
        let log_id = &self.segment().header.log_id;
        let known = self.list.snapshot.slots.iter().filter(|slot| slot.log.id == *log_id).count();
        let now = fresh.slots.iter().filter(|slot| slot.log.id == *log_id).count();
        let is_here = |file| fresh.slots.iter().any(|slot| names::plain(&slot.name) == names::plain(file));
        if now > known || successor.is_some_and(is_here) || self.reports_missing(end, &reason) {
            return Ok(None);
        }
        let segment = self.segment();
        Ok(Some(Error::corrupt(reason).at_offset(&segment.path, segment.reported_offset(end))))
    }

    /// What is known to be missing after the current segment, which ends at the offset `end` and is the last of its
    /// log.
    fn missing_from_log(&self, end: u64, successor: Option<&str>) -> Result<Option<Missing>> {
        let segment = self.segment();
        // A segment that a store does not contain yet may still arrive.
        if segment.is_live() || segment.is_unborn || self.list.is_archive() {
            return Ok(None);
        }
        if lacks_trailer(segment, end)? {
            return Ok(Some(Missing { reason: NO_TRAILER.to_owned(), is_end_of_file: false }));
        }
        Ok(self.list.missing_behind(successor, self.position.scanner.shift()))
    }

    /// Reports it as a loss; false when no caller listens for losses.
    fn reports_missing(&self, end: u64, reason: &str) -> bool {
        if self.list.mode != ReaderMode::Prefix || !self.reports.has_listener() {
            return false;
        }
        let segment = self.segment();
        let (path, offset) = (segment.path.clone(), segment.reported_offset(end));
        let (kind, reason) = (LossKind::Missing, reason.to_owned());
        self.reports.loss(&Loss { kind, path, offset, bytes: 0, ids: None, pages: None, reason, durable: true });
        true
    }
}
