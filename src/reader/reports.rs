//! Reports bytes and files that a cursor does not show, each once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::log::{Snapshot, Source};
use crate::options::{Loss, LossKind, OnLoss};

/// The callback for losses, and what was reported to it.
pub(super) struct Reports {
    on_loss: Option<OnLoss>,
    /// Files that were reported as skipped, or as replaced by another one.
    files: HashSet<PathBuf>,
    /// Files whose torn ends were reported.
    torn_ends: HashSet<PathBuf>,
    /// Holes that were reported: the segment's marker, and the offset.
    holes: HashSet<(u64, u64)>,
}

impl Reports {
    pub fn new(on_loss: Option<OnLoss>) -> Self {
        Reports { on_loss, files: HashSet::new(), torn_ends: HashSet::new(), holes: HashSet::new() }
    }

    /// Whether a caller listens for losses.
    pub fn has_listener(&self) -> bool {
        self.on_loss.is_some()
    }

    pub fn loss(&self, loss: &Loss) {
        if let Some(on_loss) = &self.on_loss {
            on_loss(loss);
        }
    }

    /// Reports a loss about a file, unless one was reported before.
    pub fn file(&mut self, path: &Path, loss: &Loss) {
        if self.has_listener() && self.files.insert(path.to_owned()) {
            self.loss(loss);
        }
    }

    /// Reports the torn end of a file.
    pub fn torn_end(&mut self, loss: &Loss) {
        if self.has_listener() && self.torn_ends.insert(loss.path.clone()) {
            self.loss(loss);
        }
    }

    /// Reports a hole in the segment with this marker.
    pub fn hole(&mut self, marker: u64, loss: &Loss) {
        if self.holes.insert((marker, loss.offset)) {
            self.loss(loss);
        }
    }

    /// Reports files in which there is nothing to salvage.
    pub fn unreadable(&self, snapshot: &Snapshot, source: &Source) -> Result<()> {
        for file in snapshot.unreadable.iter().filter(|_| self.has_listener()) {
            self.loss(&Loss {
                kind: LossKind::of_file(file.error.kind()),
                path: file.path.clone(),
                offset: 0,
                bytes: file.bytes,
                ids: file.ids,
                pages: None,
                reason: file.error.reason().to_owned(),
                durable: snapshot.was_durable(source, file)?,
            });
        }
        Ok(())
    }
}
