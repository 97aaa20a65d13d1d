//! The end of a writer.

use super::{Shared, Writer};
use crate::error::{Error, Result};
use crate::io::sync::atomic::Ordering;
use crate::io::sync::{current, JoinHandle};

impl Writer {
    /// Writes what is still in memory, closes the last segment with a trailer, makes it durable, and gives the lock
    /// back. The writer is gone afterwards, whatever the result; an error says which records could not be written,
    /// or were lost with their file ([`crate::Kind::NotFound`], as for [`Self::sync`]).
    ///
    /// A hook that closes or drops its own writer does not wait for the thread that it runs in: hooks of segments that are still
    /// to come run after the writer has given the lock back.
    pub fn close(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        if self.is_forked() {
            // The threads and the locks of the parent are not in this process: leave everything alone.
            std::mem::forget(self.shared.clone());
            std::mem::forget(self.background.take());
            std::mem::forget(self.house.take());
            std::mem::forget(self.archive.take());
            return Err(self.shared.unusable());
        }
        let rolled = self.roll_for_the_archive();
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if let Some(thread) = self.background.take() {
            self.shared.stop_background(thread);
        }
        if let Some(thread) = self.house.take() {
            self.shared.stop_house(thread);
            self.shared.has_house.store(false, Ordering::Release);
        }
        let closed = self.shared.close();
        if let Some(archive) = self.archive.take() {
            archive.end();
        }
        closed.and(rolled)
    }

    /// Ends a writer that could not be opened: its threads, and its locks. The segment is left unclosed, as after a kill: no
    /// record of this writer's is in it, and the next one goes on there.
    pub(super) fn give_up(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        if let Some(thread) = self.background.take() {
            self.shared.stop_background(thread);
        }
        // Opening may have closed a segment, whose hooks are called now or never.
        self.shared.post(&mut self.shared.output.lock());
        match self.house.take() {
            Some(thread) => self.shared.stop_house(thread),
            None => self.shared.keep_house(),
        }
        self.shared.output.lock().unlock();
    }

    /// Leaves nothing in the last segment, which is not shipped.
    fn roll_for_the_archive(&self) -> Result<()> {
        let is_wanted = self.shared.options.archive.as_ref().is_some_and(|archive| archive.roll_at_close);
        match is_wanted && !self.shared.closed.load(Ordering::Acquire) {
            true => self.roll_because("close"),
            false => Ok(()),
        }
    }
}

/// Waits for the end of a thread of the library's, unless it is this one: a hook that drops the last handle of its writer must
/// not wait for itself. Such a thread ends when the hook has returned.
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != current().id() {
        let _ = thread.join();
    }
}

impl Drop for Writer {
    /// As [`Writer::close`], but nobody learns of an error.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Writer {
    /// What this writer is known by to [`is_calling`](crate::calling::is_calling).
    pub(crate) fn caller(&self) -> usize {
        self.shared.caller()
    }
}

impl Shared {
    pub(super) fn caller(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Runs a function of the user's.
    pub(super) fn calling<T>(&self, function: impl FnOnce() -> T) -> T {
        crate::calling::calling(self.caller(), function)
    }

    fn close(&self) -> Result<()> {
        let told_then = self.losses_told();
        // After a failed fsync nothing more is written: what is on the disk is unknown, and reopening finds out.
        let closed =
            self.check_usable().and_then(|()| self.patiently(|| self.flush())).map_err(|e| self.name_the_lost(e));
        // Durable before the trailer is written, which then says so: the next opening need not verify anything before it.
        let closed = closed.and_then(|()| self.sync_written());
        // Ids go on in a new segment behind one whose file was taken away.
        let closed = closed.and_then(|()| self.look_for_segment());
        let closed =
            closed.and_then(|()| self.patiently(|| self.output.lock().close())).and_then(|()| self.sync_written());
        if closed.is_ok() {
            self.post(&mut self.output.lock());
            self.leave();
        }
        self.output.lock().unlock();
        self.with_the_lost(told_then, self.appended.load(Ordering::Acquire), closed)
    }

    fn name_the_lost(&self, error: Error) -> Error {
        let (appended, flushed) = (self.appended.load(Ordering::Acquire), self.flushed.load(Ordering::Acquire));
        match flushed < appended {
            true => error.because(&format!("records {} to {appended} were not written", flushed + 1)),
            false => error,
        }
    }
}
