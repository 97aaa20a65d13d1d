//! The mark of a directory that holds a part of a log: a recovery into it is running, or was stopped.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::io::{self, Directory};

/// The file that is in the target of a recovery while that is running. A directory in which it is left does not hold a
/// whole log.
pub const RECOVERY_AT_WORK: &str = "recovery-at-work";

const TEXT: &str = "A recovery writes to this directory, or was stopped: a part of the log is missing here.\n";

/// As [`check`], for a directory as it is now.
pub(crate) fn check_in(directory: &dyn Directory) -> Result<()> {
    check(directory, &directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?)
}

/// Refuses a directory that contains the mark; `listed` are the names in it.
pub(crate) fn check(directory: &dyn Directory, listed: &[String]) -> Result<()> {
    match listed.iter().any(|name| name == RECOVERY_AT_WORK) {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "a recovery into the directory was stopped, or is at work (the file {RECOVERY_AT_WORK} is there), so that it holds a part \
             of the log only: remove the directory, and recover again"
        ))
        .at(directory.path())),
    }
}

/// The mark, if the directory contains it.
pub(crate) fn find(directory: &dyn Directory) -> Option<PathBuf> {
    directory.facts(RECOVERY_AT_WORK).is_ok().then(|| directory.path_of(RECOVERY_AT_WORK))
}

/// Creates the mark, durably.
pub(crate) fn set(directory: &dyn Directory) -> Result<()> {
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&directory.path_of(RECOVERY_AT_WORK));
    let file = directory.create(RECOVERY_AT_WORK, 0o644).map_err(|e| failed(&e, "create"))?;
    let written = io::write_full(&*file, &[TEXT.as_bytes()], 0).map_err(|(_, e)| failed(&e, "write"));
    let durable = written
        .and_then(|()| file.sync_data().map_err(|e| failed(&e, "sync")))
        .and_then(|()| directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path())));
    // Nothing was written to the directory that the mark would be about.
    durable.inspect_err(|_| drop(directory.remove(RECOVERY_AT_WORK)))
}

/// Removes the mark, durably, when everything else is in the directory.
pub(crate) fn remove(directory: &dyn Directory) -> Result<()> {
    io::remove_if_there(directory, RECOVERY_AT_WORK)?;
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))
}
