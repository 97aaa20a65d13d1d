//! Which of the files found are segments, and their order.
//!
//! Headers determine this for certain, and are read when the files are few. When they are many, names determine it: a
//! file whose name begins with the name of a log, which is known from the header of a similar file, and contains a
//! number that no other has. The name is compared with the header when the file is opened; once one was wrong, all
//! headers are read.

use std::path::PathBuf;
use std::sync::Arc;

use super::broken::Broken;
use super::by_names::{place_by_names, FEW};
use super::doubles::{self, Once};
use super::heads::{File, Heads};
use super::order::{is_one_log, sort};
use super::slot::{Slot, SlotState};
use super::snapshot::{Snapshot, Unreadable};
use super::{legacy, lost};
use crate::error::{Error, Kind, Result};
use crate::io::{self, Access, Directory};
use crate::options::ReaderMode;
use crate::segment::{is_headed_by_another, ANOTHERS_HEADER};

impl Heads<'_> {
    /// The snapshot, and whether every listed file still existed when it was opened.
    pub fn finish(mut self) -> Result<(Snapshot, bool)> {
        let fresh = std::mem::take(&mut self.fresh);
        let many = fresh.len() > FEW && self.mode != ReaderMode::Salvage && !self.shared.names_lie();
        match if many { place_by_names(&mut self, &fresh)? } else { None } {
            Some(slots) => self.slots.extend(slots),
            None => self.by_headers(fresh)?,
        }
        if self.slots.is_empty() && self.broken.is_empty() {
            for (directory, name) in std::mem::take(&mut self.others) {
                self.legacy.extend(legacy::look(&directory, &name).ok().flatten());
            }
        }
        let mut broken = Broken::judge(&mut self)?;
        self.slots.extend(legacy::slots(std::mem::take(&mut self.legacy)));
        self.leave_out_the_unwanted(&mut broken);
        let Broken { unreadable, strays, damaged, leftovers, place_of_void } = broken;
        if self.slots.is_empty() && !self.is_lenient {
            let is_newer = |file: &&Unreadable| file.error.kind() == Kind::Unsupported;
            let newer = unreadable.iter().find(is_newer).filter(|_| unreadable.iter().all(|file| is_newer(&file)));
            let stray = strays.first().filter(|_| place_of_void.is_none()).map(|(_, error)| error);
            if let Some(error) = newer.map(|file| &file.error).or(stray) {
                return Err(error.clone());
            }
        }
        let Once { mut slots, alternatives, mut remarks } = doubles::once_each(std::mem::take(&mut self.slots));
        sort(&mut slots);
        lost::mark(&slots);
        if !self.is_named {
            remarks.extend(doubles::misnamed(&slots));
        }
        remarks.extend(damaged);
        remarks.sort_by(|a, b| a.place().cmp(&b.place()));
        if let (true, Some(((directory, name), place))) = (slots.is_empty() && !self.is_lenient, place_of_void) {
            slots.push(Arc::new(Slot::void(directory, name, place)));
        }
        let one_log = is_one_log(&slots);
        self.shared.keep_only(&slots);
        let paths = |files: Vec<File>| files.iter().map(|(directory, name)| directory.path_of(name)).collect();
        let strays: Vec<PathBuf> = strays.into_iter().map(|(path, _)| path).collect();
        let shared = self.shared;
        let snapshot =
            Snapshot { slots, unreadable, alternatives, remarks, strays, leftovers: paths(leftovers), one_log, shared };
        Ok((snapshot, self.is_whole))
    }

    /// Removes the logs that are not wanted. They are judged with the others first, because they may determine a file's
    /// place.
    fn leave_out_the_unwanted(&mut self, broken: &mut Broken) {
        let shared = &self.shared;
        self.slots.retain(|slot| shared.wants(&slot.log.name));
        broken.unreadable.retain(|file| shared.wants(&file.log));
        broken.damaged.retain(|remark| shared.wants(remark.log()));
        broken.place_of_void.take_if(|(_, (log, _))| !shared.wants(log));
    }

    fn by_headers(&mut self, files: Vec<File>) -> Result<()> {
        for (directory, name) in files {
            match self.shared.open(&*directory, &name) {
                // A salvaging reader reads its blocks without the header.
                Ok(SlotState::Segment(segment))
                    if self.mode == ReaderMode::Salvage && is_headed_by_another(&segment)? =>
                {
                    let error = Error::corrupt(ANOTHERS_HEADER).at_offset(&segment.path, 0);
                    self.broken.push(((directory, name), error));
                }
                Ok(SlotState::Segment(segment)) => self.take(&directory, &segment),
                Ok(SlotState::Unborn) => self.unborn.push((directory, name)),
                Ok(SlotState::Gone) => self.is_whole = false,
                Err(_) if self.is_lenient && is_no_file(&*directory, &name) => (),
                Err(error) if self.is_lenient && matches!(error.os_code(), Some(libc::EACCES | libc::EPERM)) => {
                    self.broken.push(((directory, name), error));
                }
                Err(error) => self.add_broken((directory, name), error)?,
            }
        }
        Ok(())
    }
}

/// Whether this name belongs to a directory, or to something else that is not a file.
fn is_no_file(directory: &dyn Directory, name: &str) -> bool {
    directory.open(name, Access::Read).is_err_and(|e| io::is_no_file(&e))
}
