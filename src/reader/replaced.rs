//! Whether the log that a cursor reads was replaced: its files were removed, and another log with its name was begun in
//! the same directory. The records of that log do not follow those that were shown.

use std::io::ErrorKind;

use super::segments::FileState;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::io::Access;
use crate::log::Slot;
use crate::segment::Segment;

/// What the name of the current segment's file refers to now.
#[derive(PartialEq, Eq)]
enum Named {
    ItsFile,
    AnotherFile,
    Nothing,
}

impl Cursor {
    /// Checks, before the cursor leaves its log for segment number `at`, that the log of that one has not replaced it.
    /// False when the segments were listed again, and the places have changed.
    ///
    /// The directory is asked here and not where the segments are listed: a list keeps the segments that are known
    /// while files of their names exist, so one that is made during the replacement contains both logs.
    pub(super) fn may_go_on_in(&mut self, at: usize) -> Result<bool> {
        if !self.is_rival(&self.list.snapshot.slots[at]) {
            return Ok(true);
        }
        match self.named() {
            Named::AnotherFile => Err(replaced(self.segment())),
            // It may have been compressed, or removed after its log continued in another segment.
            Named::Nothing if self.list.file_state == FileState::Listed => {
                self.relist()?;
                Ok(false)
            }
            Named::Nothing if self.list.is_at_the_last_of_its_log() => Err(replaced(self.segment())),
            Named::Nothing | Named::ItsFile => Ok(true),
        }
    }

    /// Checks that the log of the current segment was not replaced by another one, wherever that is among the segments,
    /// and its file not by another file: nothing more is appended to the one that is read.
    pub(super) fn check_place(&mut self) -> Result<()> {
        let named = self.named();
        self.waiting.is_gone = named == Named::Nothing;
        let is_removed = self.waiting.is_gone && self.list.file_state != FileState::Listed;
        let has_rival = || self.list.snapshot.slots.iter().any(|slot| self.is_rival(slot));
        match named {
            Named::AnotherFile => Err(replaced(self.segment())),
            _ if is_removed && self.list.is_at_the_last_of_its_log() && has_rival() => Err(replaced(self.segment())),
            _ => Ok(()),
        }
    }

    /// Whether the segment belongs to another log that has the name of the one that is read.
    fn is_rival(&self, slot: &Slot) -> bool {
        let here = &self.list.snapshot.slots[self.list.at].log;
        slot.log.name == here.name && slot.log.id != here.id
    }

    fn named(&self) -> Named {
        let (segment, slot) = (self.segment(), &self.list.snapshot.slots[self.list.at]);
        if segment.is_unborn {
            return Named::ItsFile;
        }
        // Each look at a store is a request, and objects in a store are not replaced.
        if segment.file.is_far() {
            return if self.list.file_state == FileState::Listed { Named::ItsFile } else { Named::Nothing };
        }
        let there = match slot.directory().facts(&slot.name) {
            Ok(facts) if facts.is_plain => facts.identity,
            // The file was opened through a symbolic link, and the target of the link counts.
            Ok(_) => {
                slot.directory().open(&slot.name, Access::Read).ok().and_then(|file| file.identity().ok().flatten())
            }
            Err(e) if e.kind() == ErrorKind::NotFound => return Named::Nothing,
            Err(_) => None,
        };
        // The list may name the segment's other form, compressed or not.
        let ours = segment.file.identity().ok().flatten().filter(|_| slot.name == segment.name);
        match (ours, there) {
            (Some(ours), Some(there)) if ours != there => Named::AnotherFile,
            _ => Named::ItsFile,
        }
    }
}

/// Another file, or another log, has replaced the one that is read.
fn replaced(segment: &Segment) -> Error {
    let reason = "another file is in the place of the one that is read, and need not hold what was shown of it: \
                  open a reader anew, and go on behind the last record that was shown";
    Error::new(Kind::Mismatch, reason).at(&segment.path)
}
