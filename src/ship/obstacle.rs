//! What prevents segments from being shipped or removed until an operator acts.

use std::path::PathBuf;
use std::time::Instant;

use super::holes::Numbers;
use super::local::Local;
use crate::error::Error;
use crate::io::FileFacts;

/// The subject of an obstacle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// Segments that are damaged, changed or missing.
    Segments(Numbers),
    /// A file that keeps older ones from being removed.
    File(PathBuf),
}

/// A damaged segment that is not sent.
pub(super) struct HeldBack {
    pub local: Local,
    pub facts: Option<FileFacts>,
    pub at: Instant,
    pub damage: Error,
}
