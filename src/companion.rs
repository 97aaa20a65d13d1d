//! Companions of a writer, which act on the segments that it begins and closes: hooks, retention, shipping.

use std::any::Any;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::Directory;
use crate::log::Left;
use crate::options::{OnFailure, SegmentFile};

/// Acts on segments. Called by one thread at a time, in the order of segments, while no lock of the writer is held.
pub(crate) trait Companion: Send + Sync {
    /// A segment was begun.
    fn opened(&self, _segment: &SegmentFile, _left: &Left, _writer: &dyn Accompanied) {}

    /// A segment was closed and is durable. A companion that moves its file changes `path`.
    fn closed(&self, _segment: &mut SegmentFile, _left: &Left, _writer: &dyn Accompanied) {}

    /// How many of the segments, the oldest first, this companion permits to remove.
    fn may_remove(&self, segments: &[Removable<'_>]) -> Result<usize> {
        Ok(segments.len())
    }

    /// Whether closed segments may disappear because of this companion, or of another process that does the same.
    fn removes_segments(&self) -> bool {
        false
    }

    /// Failures that were not reported to the writer.
    fn failures(&self) -> u64 {
        0
    }

    /// The writer is closed.
    fn close(&self) {}

    /// For callers that know the type of the companion.
    fn as_any(&self) -> &dyn Any;
}

/// The functions of a writer for its companions.
pub(crate) trait Accompanied {
    /// Whether an fsync has failed: then nothing durable may be removed, as newer data may not be durable.
    fn has_failed(&self) -> bool;
    /// Makes closed segments durable.
    fn sync_closed(&self) -> Result<()>;
    /// Records durably which ids the log has given: before segments that contain this too are removed.
    fn note(&self, left: &Left) -> Result<()>;
    /// Counts a failure that no call returns, and passes it to `on_failure`.
    fn report(&self, error: &Error);
    /// Runs a callback of the user, which must not use the writer.
    fn calling(&self, function: &mut dyn FnMut());
    /// How many of the segments of this log, the oldest first, all companions permit to remove.
    fn may_remove(&self, segments: &[Removable<'_>]) -> Result<usize>;
}

/// A segment that exceeds its rules.
pub(crate) struct Removable<'a> {
    /// The log's name and id.
    pub log: (&'a str, &'a [u8]),
    pub sequence: u64,
    /// See [`crate::format::declaration::FileHeader::known_as`].
    pub known_as: &'a [u64; 3],
}

/// An option of a writer that adds a companion.
pub(crate) trait Accompany {
    /// Refuses invalid options, before anything is created or locked.
    fn check(&self) -> Result<()>;

    /// Starts the companion of the writer of the log `log`. Later failures are reported to `on_failure`.
    fn start(
        &self,
        log: &str,
        directory: Arc<dyn Directory>,
        on_failure: Option<OnFailure>,
    ) -> Result<Arc<dyn Companion>>;

    /// Whether the writer rolls before it is closed, to close its last segment in time.
    fn rolls_at_close(&self) -> bool;
}
