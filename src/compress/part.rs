//! The file in which a new form of a segment is written, under a name of its own, until it is whole and renamed.

use std::io::{Error as IoError, ErrorKind};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::{is_no_file, remove_if_there, Access, Directory, File};
use crate::log::names;

/// What follows the name of a segment in the name of its lock.
const LOCK: &str = ".lock";

/// Excludes others that make a form of the segment in the file `name`, in whatever direction, until it is dropped. Without
/// this, each of two that have both made sure of the other's source could remove it.
pub(super) fn lock<'a>(directory: &'a dyn Directory, name: &str) -> Result<Part<'a>> {
    Part::begin(directory, &format!("{}{LOCK}", names::plain(name)))
}

/// The end of such a name. It begins with a dot, and the final name of the file is in between.
const ENDING: &str = ".part";

/// The file, which is locked, and removed unless it gets its final name.
pub(super) struct Part<'a> {
    directory: &'a dyn Directory,
    pub name: String,
    pub file: Arc<dyn File>,
    is_published: bool,
}

impl<'a> Part<'a> {
    /// Creates the file whose final name will be `name`. Removes the leftovers of an earlier try.
    pub fn begin(directory: &'a dyn Directory, name: &str) -> Result<Self> {
        // Another process may just be renaming or removing it.
        const TRIES: usize = 20;
        let name = format!(".{name}{ENDING}");
        let path = directory.path_of(&name);
        let failed = |e: IoError, doing: &str| Error::io(&e, doing).at(&path);
        // Held until the new file is locked.
        let mut left = None;
        for _ in 0..TRIES {
            let (file, is_new) = match directory.create(&name, 0o600) {
                Ok(file) => (file, true),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => match directory.open(&name, Access::ReadWrite) {
                    Ok(file) => (file, false),
                    Err(e) if e.kind() == ErrorKind::NotFound => continue,
                    Err(e) => return Err(failed(e, "open")),
                },
                Err(e) => return Err(failed(e, "create")),
            };
            if !file.try_lock().map_err(|e| failed(e, "lock"))? {
                break;
            }
            if !is_this(directory, &name, &*file).map_err(|e| failed(e, "stat"))? {
                continue;
            }
            if is_new {
                return Ok(Part { directory, name, file, is_published: false });
            }
            // Removed instead of overwritten: it may have other names, and any mode.
            remove_if_there(directory, &name)?;
            left = Some(file);
        }
        drop(left);
        Err(Error::new(Kind::Locked, "another process is at work on the segment").at(&path))
    }

    /// Makes the file durable.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&self.directory.path_of(&self.name)))
    }

    /// Renames the file, which is durable, to `name`, which must be free, with permission bits, owner and time of the
    /// file `like`, without which it fails. The name is durable on return.
    pub fn publish(mut self, name: &str, like: &str) -> Result<()> {
        let (directory, path) = (self.directory, self.directory.path_of(name));
        directory.copy_facts(like, &self.name).map_err(|e| Error::io(&e, "set the permissions").at(&path))?;
        directory.rename_new(&self.name, name).map_err(|e| Error::io(&e, "rename").at(&path))?;
        self.is_published = true;
        directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // The next run removes the leftovers.
            let _ = self.directory.remove(&self.name);
        }
        // Another handle that is still open must not keep the lock.
        let _ = self.file.unlock();
    }
}

/// Whether the name refers to this open file.
fn is_this(directory: &dyn Directory, name: &str, file: &dyn File) -> std::io::Result<bool> {
    match directory.facts(name) {
        Ok(facts) => Ok(facts.identity == file.identity()? || facts.identity.is_none()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes the leftovers of interrupted runs in the directory: of the log `log`, or of each one. Files that another
/// process is working on stay. Returns the number of files.
pub(super) fn sweep(directory: &dyn Directory, log: Option<&str>) -> Result<usize> {
    let mut swept = 0;
    for name in directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))? {
        let Some(segment) = name.strip_prefix('.').and_then(|name| name.strip_suffix(ENDING)) else { continue };
        let segment = segment.strip_suffix(LOCK).unwrap_or(segment);
        if !names::is_segment(segment) || log.is_some_and(|log| !is_of(log, segment)) {
            continue;
        }
        let failed = |e: IoError, doing: &str| Error::io(&e, doing).at(&directory.path_of(&name));
        let file = match directory.open(&name, Access::ReadWrite) {
            Err(e) if e.kind() == ErrorKind::NotFound || is_no_file(&e) => continue,
            // It belongs to another user.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => continue,
            opened => opened.map_err(|e| failed(e, "open"))?,
        };
        let is_left = file.try_lock().map_err(|e| failed(e, "lock"))?
            && is_this(directory, &name, &*file).map_err(|e| failed(e, "stat"))?;
        if is_left {
            directory.remove(&name).map_err(|e| failed(e, "remove"))?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn is_of(log: &str, segment: &str) -> bool {
    names::sequence(log, segment).is_some()
        || names::plain(segment).strip_suffix(crate::segment::EXTENSION) == Some(log)
}
