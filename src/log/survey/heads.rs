//! Which of the files found are segments, and their order.
//!
//! Headers determine this for certain, and are read when the files are few. When they are many, names determine it: a
//! file whose name begins with the name of a log, which is known from the header of a similar file, and contains a
//! number that no other has. The name is compared with the header when the file is opened; once one was wrong, all
//! headers are read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::broken::Broken;
use super::by_names::{place_by_names, FEW};
use super::doubles::{self, Once};
use super::legacy;
use super::lost;
use super::order::{is_one_log, sort};
use super::slot::{Found, Log, Shared, Slot};
use super::snapshot::{Snapshot, Unreadable};
use crate::error::{Error, Kind, Result};
use crate::io::{self, Access, Directory};
use crate::options::ReaderMode;
use crate::segment::{is_headed_by_another, is_left_over, Segment, ANOTHERS_HEADER};

/// A file of a directory.
pub(super) type File = (Arc<dyn Directory>, String);

/// Segments being collected.
pub(super) struct Heads<'a> {
    known: &'a Snapshot,
    /// Known segments by file name: several have the same name only in different directories.
    by_name: HashMap<&'a str, &'a Arc<Slot>>,
    pub mode: ReaderMode,
    pub shared: Arc<Shared>,
    pub slots: Vec<Arc<Slot>>,
    fresh: Vec<File>,
    /// Files that do not begin as a segment.
    pub broken: Vec<(File, Error)>,
    /// Files to which nothing was ever written, as far as has survived.
    pub unborn: Vec<File>,
    /// Legacy files.
    legacy: Vec<legacy::Found>,
    /// Files of a directory that are not named like segments.
    others: Vec<File>,
    /// The caller judges what cannot be read: neither a directory without a segment nor a file that this user may not
    /// read is an error.
    pub is_lenient: bool,
    /// The user gave the names, and they prove nothing.
    is_named: bool,
    /// Every listed file still existed when it was opened.
    is_whole: bool,
}

impl<'a> Heads<'a> {
    pub fn new(known: &'a Snapshot, mode: ReaderMode) -> Self {
        Heads {
            known,
            by_name: known
                .slots
                .iter()
                .chain(known.alternatives.iter())
                .map(|slot| (slot.name.as_str(), slot))
                .collect(),
            mode,
            shared: known.shared.clone(),
            slots: vec![],
            fresh: vec![],
            broken: vec![],
            unborn: vec![],
            legacy: vec![],
            others: vec![],
            is_lenient: false,
            is_named: false,
            is_whole: true,
        }
    }

    /// For callers that remove segments.
    pub fn lenient(known: &'a Snapshot, mode: ReaderMode) -> Self {
        Heads { is_lenient: true, ..Heads::new(known, mode) }
    }

    /// Adds files.
    pub fn add(&mut self, directory: &Arc<dyn Directory>, names: Vec<String>) {
        for name in names {
            let known = match self.by_name.get(name.as_str()) {
                Some(slot) if slot.is_at(&**directory, &name) => Some(*slot),
                Some(_) => self.known.slots.iter().find(|slot| slot.is_at(&**directory, &name)),
                None => None,
            };
            match known.filter(|slot| slot.is_believed(&self.shared) && !slot.is_unborn) {
                Some(slot) => self.slots.push(slot.clone()),
                None => self.fresh.push((directory.clone(), name)),
            }
        }
    }

    /// Adds files that are not named like segments: legacy files among them are used where there is no segment.
    pub fn add_others(&mut self, directory: &Arc<dyn Directory>, names: Vec<String>) {
        let others = names.into_iter().filter(|name| !name.starts_with('.'));
        self.others.extend(others.map(|name| (directory.clone(), name)));
    }

    /// Adds one file, whatever its name.
    pub fn add_alone(&mut self, directory: &Arc<dyn Directory>, name: &str) -> Result<()> {
        self.is_named = true;
        let file = (directory.clone(), name.to_owned());
        let opened = match self.shared.open(&**directory, name) {
            Ok(Found::Unborn) if is_left_over(&**directory, name) => {
                self.unborn.push(file);
                return Ok(());
            }
            Ok(Found::Segment(segment)) => Ok(segment),
            // Returns the error that says why not.
            Ok(Found::Unborn | Found::Gone) => {
                Segment::open(&**directory, name, Access::Read).map(|segment| self.shared.bounded(segment))
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(segment) => self.take(directory, &segment),
            Err(error) => self.add_broken(file, error)?,
        }
        Ok(())
    }

    /// Adds a file that cannot be opened as a segment because of `error`.
    fn add_broken(&mut self, file: File, error: Error) -> Result<()> {
        match error.kind() {
            Kind::Corrupt => match legacy::look(&file.0, &file.1)? {
                Some(found) => self.legacy.push(found),
                None => self.broken.push((file, error)),
            },
            // Of a newer version: what is before it is read.
            Kind::Unsupported => self.broken.push((file, error)),
            _ => return Err(error),
        }
        Ok(())
    }

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
                Ok(Found::Segment(segment)) if self.mode == ReaderMode::Salvage && is_headed_by_another(&segment)? => {
                    let error = Error::corrupt(ANOTHERS_HEADER).at_offset(&segment.path, 0);
                    self.broken.push(((directory, name), error));
                }
                Ok(Found::Segment(segment)) => self.take(&directory, &segment),
                Ok(Found::Unborn) => self.unborn.push((directory, name)),
                Ok(Found::Gone) => self.is_whole = false,
                Err(_) if self.is_lenient && is_no_file(&*directory, &name) => (),
                Err(error) if self.is_lenient && matches!(error.os_code(), Some(libc::EACCES | libc::EPERM)) => {
                    self.broken.push(((directory, name), error));
                }
                Err(error) => self.add_broken((directory, name), error)?,
            }
        }
        Ok(())
    }

    pub fn take(&mut self, directory: &Arc<dyn Directory>, segment: &Arc<Segment>) {
        let log = self.log_of(segment);
        self.slots.push(Arc::new(Slot::of(directory, log, segment, &self.shared)));
    }

    /// The log of a segment; all segments of a log share it.
    pub fn log_of(&self, segment: &Segment) -> Arc<Log> {
        let log = Log { name: segment.header.name.clone(), id: segment.header.log_id.clone() };
        // Most often it is that of the previous segment.
        let known = self.slots.iter().rev().map(|slot| &slot.log).find(|known| ***known == log);
        known.cloned().unwrap_or_else(|| Arc::new(log))
    }
}

/// Whether this name belongs to a directory, or to something else that is not a file.
fn is_no_file(directory: &dyn Directory, name: &str) -> bool {
    directory.open(name, Access::Read).is_err_and(|e| io::is_no_file(&e))
}
