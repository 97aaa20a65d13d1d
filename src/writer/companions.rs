//! The companions of a writer, and the reports of failures that no call returns.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::companion::{Accompanied, Companion, Removable};
use crate::error::{Error, Kind, Result};
use crate::log::Left;
use crate::options::{Hook, Hooks, OnFailure, SegmentFile};

pub(super) struct Companions {
    /// Those that every writer has, in the order in which they are notified of a segment.
    own: Vec<Arc<dyn Companion>>,
    /// The one from an option of the writer, which starts last.
    given: OnceLock<Arc<dyn Companion>>,
    on_failure: Option<OnFailure>,
    failures: AtomicU64,
}

impl Companions {
    pub fn new(own: Vec<Arc<dyn Companion>>, on_failure: Option<OnFailure>) -> Self {
        Companions { own, given: OnceLock::new(), on_failure, failures: AtomicU64::new(0) }
    }

    pub fn add(&self, companion: Arc<dyn Companion>) {
        let _ = self.given.set(companion);
    }

    fn all(&self) -> impl Iterator<Item = &dyn Companion> {
        self.own.iter().chain(self.given.get()).map(|companion| &**companion)
    }

    /// The companion of this type.
    pub fn find<T: Any>(&self) -> Option<&T> {
        self.all().find_map(|companion| companion.as_any().downcast_ref())
    }

    pub fn opened(&self, segment: &SegmentFile, left: &Left, writer: &dyn Accompanied) {
        self.all().for_each(|companion| companion.opened(segment, left, writer));
    }

    pub fn closed(&self, mut segment: SegmentFile, left: &Left, writer: &dyn Accompanied) {
        self.all().for_each(|companion| companion.closed(&mut segment, left, writer));
    }

    /// See [`Companion::may_remove`].
    pub fn may_remove(&self, segments: &[Removable<'_>]) -> Result<usize> {
        self.all().try_fold(segments.len(), |most, companion| companion.may_remove(&segments[..most]))
    }

    /// See [`Companion::removes_segments`].
    pub fn remove_segments(&self) -> bool {
        self.all().any(Companion::removes_segments)
    }

    /// How often something has failed that no call has returned.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed) + self.all().map(Companion::failures).sum::<u64>()
    }

    /// Counts a failure, and passes it to `on_failure` by `calling`.
    pub fn report(&self, error: &Error, calling: impl FnOnce(&mut dyn FnMut())) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(on_failure) = &self.on_failure {
            let _ = catch_unwind(AssertUnwindSafe(|| calling(&mut || on_failure(error))));
        }
    }

    /// The writer is closed.
    pub fn close(&self) {
        self.all().for_each(Companion::close);
    }
}

/// The hooks of [`Hooks`] as a companion.
pub(super) struct Hooked(pub Hooks);

impl Hooked {
    /// Calls hooks one after the other; each gets the path at which the previous one left the file. Hooks may remove
    /// segments, so the position of the log is noted before.
    fn call(hooks: &[Hook], segment: &mut SegmentFile, left: &Left, writer: &dyn Accompanied) {
        if hooks.is_empty() {
            return;
        }
        if let Err(error) = writer.note(left) {
            return writer.report(&error.because("no hook was called, as ids could be given again after it"));
        }
        for hook in hooks {
            let mut done = Ok(None);
            match catch_unwind(AssertUnwindSafe(|| writer.calling(&mut || done = hook(segment)))) {
                Ok(()) => match done {
                    Ok(Some(path)) => segment.path = path,
                    Ok(None) => (),
                    Err(error) => writer.report(&error.at(&segment.path).because("a hook failed")),
                },
                Err(_) => writer.report(&Error::new(Kind::Failed, "a hook panicked").at(&segment.path)),
            }
        }
    }
}

impl Companion for Hooked {
    fn opened(&self, segment: &SegmentFile, left: &Left, writer: &dyn Accompanied) {
        Hooked::call(&self.0.on_open, &mut segment.clone(), left, writer);
    }

    fn closed(&self, segment: &mut SegmentFile, left: &Left, writer: &dyn Accompanied) {
        Hooked::call(&self.0.on_close, segment, left, writer);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
