//! The files found in a source, and the logs that their headers name.

use std::collections::HashMap;
use std::sync::Arc;

use super::legacy;
use super::slot::{Log, Shared, Slot, SlotState};
use super::snapshot::Snapshot;
use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory};
use crate::options::ReaderMode;
use crate::segment::{is_left_over, Segment};

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
    /// Files that are not known yet.
    pub fresh: Vec<File>,
    /// Files that do not begin as a segment.
    pub broken: Vec<(File, Error)>,
    /// Files to which nothing was ever written, as far as has survived.
    pub unborn: Vec<File>,
    /// Legacy files.
    pub legacy: Vec<legacy::LegacyHead>,
    /// Files of a directory that are not named like segments.
    pub others: Vec<File>,
    /// The caller judges what cannot be read: neither a directory without a segment nor a file that this user may not
    /// read is an error.
    pub is_lenient: bool,
    /// The user gave the names, and they prove nothing.
    pub is_named: bool,
    /// Every listed file still existed when it was opened.
    pub is_whole: bool,
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
            Ok(SlotState::Unborn) if is_left_over(&**directory, name) => {
                self.unborn.push(file);
                return Ok(());
            }
            Ok(SlotState::Segment(segment)) => Ok(segment),
            // Returns the error that says why not.
            Ok(SlotState::Unborn | SlotState::Gone) => {
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
    pub fn add_broken(&mut self, file: File, error: Error) -> Result<()> {
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
