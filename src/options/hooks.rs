//! Functions that are called when a segment is begun and when it is closed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A function that is called with a segment. When it has moved the file, it may return the new path, which the next
/// hook gets. `Ok(None)` = the file is where it was.
pub type Hook = Arc<dyn Fn(&SegmentFile) -> Result<Option<PathBuf>> + Send + Sync>;

/// Receives failures beside the writing of records: of a hook, of the removal of an old segment, of the `.active` file,
/// or because the active file was removed.
pub type OnFailure = Arc<dyn Fn(&Error) + Send + Sync>;

/// Functions that are called when segments begin and end. Hooks of one kind run one after the other, in their order,
/// outside of the writer's locks. For a writer with a background thread they run in its maintenance thread, or in a
/// thread that opens, rolls by call or closes. Without it they run in the thread whose call made them necessary, in one
/// that appends next when several append at a time, or, where a thread calls [`crate::Writer::tick`] at least once a
/// second, in that. When one fails, that is reported, and the others still run.
///
/// When a hook, in its thread, makes a call of the writer that appends, flushes, syncs, rolls or ticks, that is refused
/// ([`crate::Kind::Invalid`]): it would wait for itself, or be called again for what it writes. A hook must not wait
/// for another thread that makes such a call. Positions, counts and other writers may be used. The same holds for a
/// [`crate::rolling::RollCheck`].
#[derive(Clone, Default)]
pub struct Hooks {
    /// A segment was begun, or an existing one is being written again.
    pub on_open: Vec<Hook>,
    /// A segment was closed and is durable. Includes the log's last one, when the writer is closed.
    pub on_close: Vec<Hook>,
    /// Something failed that no call of the writer returns.
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
    /// The current path of its file.
    pub path: PathBuf,
    /// The log's name.
    pub log: String,
    /// Its number in the log.
    pub sequence: u64,
    /// When it was begun, in nanoseconds since the Unix epoch.
    pub created: i64,
    /// Id of its first record, or of the next one if it holds none.
    pub first_id: u64,
    /// Records in it.
    pub records: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Why it was closed: "bytes", "period", "age", "records", "check", "options", "moved", "close", or the reason
    /// passed to [`crate::Writer::roll_because`]; "" when it is being opened.
    pub reason: String,
}
