//! The folder of one log: empty before a run, gone after it.

use std::fs;
use std::path::Path;

use crate::Result;

pub fn fresh(folder: &Path) -> Result<&Path> {
    discard(folder)?;
    fs::create_dir_all(folder)?;
    Ok(folder)
}

pub fn discard(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Closes a log that will not be read. Syncing gigabytes that are deleted next would take most of the run: where
/// closing syncs, the files are emptied first, and the result of close is ignored.
pub fn abandon(folder: &Path, close_syncs: bool, close: impl FnOnce() -> Result<()>) -> Result<()> {
    if close_syncs {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_file() {
                fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
            }
        }
        let _ = close();
    } else {
        close()?;
    }
    discard(folder)
}
