//! How a log ends that others of the same directory come behind: each is judged by itself.

use super::Cursor;
use crate::error::{Error, Result};
use crate::format::Malformed;
use crate::log::{names, Missing};
use crate::options::{Loss, LossKind, ReaderMode};
use crate::segment::{lacks_trailer, NO_TRAILER};

impl Cursor {
    /// Leaves the last segment of a log that others come behind, and reports what is known to be missing there; false when
    /// the end is to be looked at once more.
    pub(super) fn passes_end_of_log(&mut self) -> Result<bool> {
        let successor = self.successor.clone();
        let Some(missing) = self.missing_from_log(self.scanner.offset(), successor.as_deref())? else {
            self.salvage_another_log();
            return Ok(true);
        };
        // The writer may have closed it, or begun the next segment, since the files were listed.
        if !std::mem::replace(&mut self.looked_again, true) {
            return Ok(false);
        }
        if !std::mem::replace(&mut self.listed_again, true) {
            self.look_anew()?;
            return Ok(false);
        }
        if self.salvage.is_some() {
            self.salvage_end(&missing)?;
            self.salvage_another_log();
        } else if !self.reports_missing(self.scanner.offset(), &missing.reason) {
            return Err(self.corrupt(&Malformed::Missing(missing.reason)));
        }
        Ok(true)
    }

    /// As [`Self::passes_end_of_log`], for a cursor that comes from behind: `end` is where the segment's blocks end, and
    /// `successor` the file in which it says that the log goes on. Returns what is to be told once everything before it
    /// has been shown.
    pub(super) fn end_of_log_behind(&mut self, end: u64, successor: Option<&str>) -> Result<Option<Error>> {
        let Some(missing) = self.missing_from_log(end, successor)? else { return Ok(None) };
        let reason = missing.reason;
        // The log may have rolled since the files were listed.
        let fresh = self.source.snapshot(&self.snapshot, self.mode)?;
        let log_id = &self.segment().header.log_id;
        let known = self.snapshot.slots.iter().filter(|slot| slot.log.id == *log_id).count();
        let now = fresh.slots.iter().filter(|slot| slot.log.id == *log_id).count();
        let is_here = |file| fresh.slots.iter().any(|slot| names::plain(&slot.name) == names::plain(file));
        if now > known || successor.is_some_and(is_here) || self.reports_missing(end, &reason) {
            return Ok(None);
        }
        let segment = self.segment();
        Ok(Some(Error::corrupt(reason).at_offset(&segment.path, segment.told_offset(end))))
    }

    /// What is known to be missing behind the current segment, which ends at the offset `end` and is the last of its log.
    fn missing_from_log(&self, end: u64, successor: Option<&str>) -> Result<Option<Missing>> {
        let segment = self.segment();
        // What a store does not have yet is going to come.
        if segment.is_live() || segment.is_unborn || self.snapshot.is_archive(&self.source, self.at) {
            return Ok(None);
        }
        if lacks_trailer(segment, end)? {
            return Ok(Some(Missing { reason: NO_TRAILER.to_owned(), is_end_of_file: false }));
        }
        Ok(self.snapshot.missing_behind(&self.source, self.at, successor, self.scanner.shift()))
    }

    /// Reports it as a loss; false when nobody would hear of it.
    fn reports_missing(&self, end: u64, reason: &str) -> bool {
        let on_loss = self.torn_ends.on_loss().filter(|_| self.mode == ReaderMode::Prefix);
        let Some(on_loss) = on_loss else { return false };
        let segment = self.segment();
        let (path, offset) = (segment.path.clone(), segment.told_offset(end));
        let (kind, reason) = (LossKind::Missing, reason.to_owned());
        on_loss(&Loss { kind, path, offset, bytes: 0, ids: None, pages: None, reason, durable: true });
        true
    }
}
