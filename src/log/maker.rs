//! Creates the files of segments.

use std::io::ErrorKind;
use std::sync::Arc;

use super::naming::Naming;
use crate::error::{Error, Kind, Result};
use crate::io::{Directory, File};

/// Creates the files of a directory log once, under their final names.
#[derive(Clone)]
pub(crate) struct Maker {
    pub directory: Arc<dyn Directory>,
    pub file_mode: u32,
    pub naming: Naming,
}

/// A file that will become the next segment: it is locked, and its name is durable.
pub(crate) struct Prepared {
    pub name: String,
    pub sequence: u64,
    pub file: Arc<dyn File>,
    /// The time that its name contains, if it contains one.
    pub named_for: i64,
    /// Bytes of disk space that were allocated for it.
    pub set_aside: u64,
}

impl Prepared {
    /// Allocates disk space for what will be written. Otherwise the write stage would have to, and would wait while the
    /// file system's journal is busy with the segment that was closed just before.
    pub fn set_aside(&mut self, bytes: u64) {
        // Only an optimization, as in the write stage.
        if bytes > 0 && self.file.allocate(0, bytes).is_ok() {
            self.set_aside = bytes;
        }
    }

    /// Its number, its name, and the time for which it was named.
    pub fn named_as(&self) -> (u64, &str, i64) {
        (self.sequence, &self.name, self.named_for)
    }

    /// Whether it is empty and can still become a segment.
    pub fn is_untouched(&self) -> bool {
        self.file.len().is_ok_and(|len| len == 0)
    }
}

impl Maker {
    /// Creates the file of the segment after number `after`, named for `time`.
    pub fn next(&self, after: u64, time: i64) -> Result<Prepared> {
        let mut sequence = after;
        loop {
            let most = || Error::new(Kind::TooLarge, "the log has 2^64 segments, and no number for another");
            sequence = sequence.checked_add(1).ok_or_else(most)?;
            let name = self.naming.file(sequence, time);
            match create(&*self.directory, &name, self.file_mode) {
                // A foreign file of that name stays, and its number is skipped.
                Err(e) if e.os_code() == Some(libc::EEXIST) => (),
                other => return other.map(|file| Prepared { name, sequence, file, named_for: time, set_aside: 0 }),
            }
        }
    }

    /// Removes a prepared file that does not become a segment. Readers skip an empty one, so a failure does no harm.
    pub fn discard(&self, prepared: Prepared) {
        if prepared.is_untouched() {
            let _ = self.directory.remove(&prepared.name);
        }
    }
}

/// Creates a file of a segment, locks it and makes its name durable.
pub(super) fn create(directory: &dyn Directory, name: &str, mode: u32) -> Result<Arc<dyn File>> {
    let path = directory.path_of(name);
    let file = directory.create(name, mode).map_err(|e| {
        // The double in memory has no system codes of its own.
        let e = if e.kind() == ErrorKind::AlreadyExists { std::io::Error::from_raw_os_error(libc::EEXIST) } else { e };
        Error::io(&e, "create").at(&path)
    })?;
    if !file.try_lock().map_err(|e| Error::io(&e, "lock").at(&path))? {
        return Err(Error::new(Kind::Locked, "another writer took the new file").at(&path));
    }
    directory.sync().map_err(|e| {
        let error = Error::io(&e, "sync").at(directory.path());
        match e.raw_os_error() {
            // The directory could not even be opened to be synced.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => error,
            // As with the fsync of a file: the system does not report the error again, so a later success cannot be
            // trusted.
            _ => error.with_kind(Kind::Failed),
        }
    })?;
    Ok(file)
}
