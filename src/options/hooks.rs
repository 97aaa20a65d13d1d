//! What is called when a segment is begun and when it is closed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A step to be taken with a segment. It may return the file's new place, when it has moved it; the next hook gets the
/// segment there. `Ok(None)` = the file is where it was.
pub type Hook = Arc<dyn Fn(&SegmentFile) -> Result<Option<PathBuf>> + Send + Sync>;

/// Is told what went wrong beside the writing of records: a hook, the removal of an old segment, the `.active` file, an
/// active file that somebody removed.
pub type OnFailure = Arc<dyn Fn(&Error) + Send + Sync>;

/// What is called when segments begin and end. Hooks of one kind run one after the other, in their order, outside of the
/// writer's locks: in the thread that keeps house for a writer with a background thread, or in one that opens, rolls by
/// call or closes; without it in the one whose call made it necessary, in one that appends next when several append at a time,
/// or, where a thread calls [`crate::Writer::tick`] at least once a second, in that. One that fails is reported, and the others still run.
///
/// What one of them calls of the writer in its thread that appends, flushes, syncs, rolls or ticks is refused
/// ([`crate::Kind::Invalid`]): it would wait for itself, or be called again for what it writes. It must not wait for another
/// thread that does so. Positions, counts and other writers are free. The same holds for a [`crate::RollCheck`].
#[derive(Clone, Default)]
pub struct Hooks {
    /// A segment was begun, or an existing one is being written again.
    pub on_open: Vec<Hook>,
    /// A segment was closed and is durable; the log's last one, when the writer is closed, among them.
    pub on_close: Vec<Hook>,
    /// Something failed that no call of the writer's user returns.
    pub on_failure: Option<OnFailure>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_open", &self.on_open.len())
            .field("on_close", &self.on_close.len())
            .field("on_failure", &self.on_failure.is_some())
            .finish()
    }
}

/// A segment, as hooks see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Where its file is now.
    pub path: PathBuf,
    /// The log's name.
    pub log: String,
    /// Its number in the log.
    pub sequence: u64,
    /// When it was begun, in nanoseconds since the Unix epoch.
    pub created: i64,
    /// Id of its first record, or of the one that will be the first.
    pub first_id: u64,
    /// Records in it.
    pub records: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Why it was closed: "bytes", "period", "age", "records", "check", "options", "moved", "close", or what the call
    /// of [`crate::Writer::roll_because`] said; "" when it is being opened.
    pub reason: String,
}
