//! Whether a writer may still be used: not from a function that it calls, after a fork, or after an fsync has failed.

use crate::calling::{self, is_any_calling, is_calling};
use crate::error::{Error, Kind, Result};
use crate::io::sync::atomic::{AtomicBool, Ordering};
use crate::io::sync::Mutex;
use crate::io::ForkMark;

pub(super) struct Health {
    fork: ForkMark,
    /// An fsync has failed, or the library has panicked while it wrote: nothing is written any more.
    has_failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    closed: AtomicBool,
}

impl Health {
    pub fn new() -> Self {
        Health {
            fork: ForkMark::new(),
            has_failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// Refuses a user's call as [`Self::check`] does, and also a call from a function that the writer has called: that
    /// would wait for itself, or be called again for what it writes.
    #[inline]
    pub fn check_call(&self) -> Result<()> {
        if is_any_calling() {
            self.check_caller()?;
        }
        self.check()
    }

    #[cold]
    fn check_caller(&self) -> Result<()> {
        match is_calling(self.caller()) {
            true => Err(Error::invalid("a writer cannot be used by a function that it has called")),
            false => Ok(()),
        }
    }

    /// Refuses the call in the child of a fork, and after a failure for good.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.fork.is_child() || self.has_failed() {
            return Err(self.unusable());
        }
        Ok(())
    }

    /// Whether nothing is written any more.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Whether this is the child of a fork, where the writer must not be used.
    pub fn is_forked(&self) -> bool {
        self.fork.is_child()
    }

    #[cold]
    pub fn unusable(&self) -> Error {
        if self.is_forked() {
            return Error::new(Kind::Forked, "the writer was opened before a fork, and this is the child");
        }
        let failure = self.failure.lock();
        failure.clone().unwrap_or_else(|| Error::new(Kind::Failed, "the writer has failed and must be reopened"))
    }

    /// Passes on the error of a write. When it comes from the fsync of the directory in which the next segment was
    /// created, the writer has failed.
    pub fn remember_failed(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Failed => self.fail(error),
            _ => error,
        }
    }

    /// Remembers a failed fsync for ever.
    pub fn fail(&self, cause: Error) -> Error {
        let mut failure = self.failure.lock();
        let error = failure.get_or_insert(cause.with_kind(Kind::Failed)).clone();
        self.has_failed.store(true, Ordering::Release);
        error
    }

    /// Marks the writer as closed; false when it was already.
    pub fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The writer's identity for [`is_calling`].
    pub fn caller(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Calls a function of the user.
    pub fn calling<T>(&self, function: impl FnOnce() -> T) -> T {
        calling::calling(self.caller(), function)
    }
}
