//! The end of a writer.

use super::output::Output;
use super::{accompany, Parts, Writer};
use crate::calling::is_calling;
use crate::companion::Accompany;
use crate::error::{Error, Result};
use crate::io::sync::{current, JoinHandle};

impl Writer {
    /// Writes what is still in memory, closes the last segment with a trailer, makes it durable, and releases the lock.
    /// The writer is gone afterwards, whatever the result; an error says which records could not be written, or were
    /// lost with their file ([`crate::Kind::NotFound`], as for [`Self::sync`]).
    ///
    /// A hook that closes or drops its own writer does not wait for the thread that it runs in: the hooks of later
    /// segments run after the writer has released the lock.
    pub fn close(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        let parts = self.parts.clone();
        if parts.health.is_forked() {
            // The threads and the locks of the parent are not in this process: leave everything alone.
            let unusable = parts.health.unusable();
            std::mem::forget(parts);
            std::mem::forget(self.background.take());
            std::mem::forget(self.maintenance.take());
            return Err(unusable);
        }
        let rolled = self.roll_for_companions();
        if !parts.health.close() {
            return Ok(());
        }
        parts.close_appenders();
        if let Some(thread) = self.background.take() {
            parts.stage.stop(thread);
        }
        if let Some(thread) = self.maintenance.take() {
            parts.maintenance.stop(thread);
            parts.maintenance.set_thread(false);
        }
        let closed = parts.close();
        parts.companions.close();
        closed.and(rolled)
    }

    /// Ends the threads and releases the locks of a writer that could not be opened. The segment is left unclosed, as
    /// after a kill: it holds no record of this writer, and the next writer continues it.
    pub(super) fn give_up(&mut self) {
        let parts = &self.parts;
        parts.health.close();
        if let Some(thread) = self.background.take() {
            parts.stage.stop(thread);
        }
        // Opening may have closed a segment, whose hooks are called now or never.
        parts.maintenance.post(&mut parts.output.lock().steps);
        match self.maintenance.take() {
            Some(thread) => parts.maintenance.stop(thread),
            None => parts.take_steps(),
        }
        parts.output.lock().unlock();
    }

    /// Rolls, when a companion ships closed segments: the last segment, which is not shipped, then holds no record.
    fn roll_for_companions(&self) -> Result<()> {
        let is_wanted = accompany(&self.parts.options).is_some_and(Accompany::rolls_at_close);
        match is_wanted && !self.parts.health.is_closed() {
            true => self.roll_because("close"),
            false => Ok(()),
        }
    }
}

/// Waits for the end of a thread of the library, unless it is the calling one: a hook that drops the last handle of its
/// writer must not wait for itself. Such a thread ends when the hook has returned.
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != current().id() {
        let _ = thread.join();
    }
}

impl Drop for Writer {
    /// As [`Writer::close`], but errors are ignored.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Writer {
    /// The identity of this writer for [`is_calling`](crate::calling::is_calling).
    pub(crate) fn caller(&self) -> usize {
        self.parts.health.caller()
    }
}

impl Parts {
    /// Takes over what appenders have staged, and nothing from them afterwards.
    fn close_appenders(&self) {
        // A function that an appender's call has called may close the writer.
        self.gate.close(is_calling(self.health.caller()));
        self.collect(&mut self.filling.lock());
        self.gate.note_collected();
    }

    fn close(&self) -> Result<()> {
        let reported_then = self.losses.reported();
        // After a failed fsync nothing more is written: what is on the disk is unknown, and reopening finds out.
        let flushed = self.health.check().and_then(|()| self.patiently(|| self.flush()));
        let closed = flushed
            .map_err(|e| self.name_the_lost(e))
            // Durable before the trailer is written, which then records that: the next opening need not verify anything
            // before.
            .and_then(|()| self.sync_written())
            // When the file of a segment was removed, ids continue in a new segment.
            .and_then(|()| self.look_for_segment())
            .and_then(|()| self.patiently(|| self.output.lock().with_space(Output::close)))
            .and_then(|()| self.sync_written());
        if closed.is_ok() {
            self.maintenance.post(&mut self.output.lock().steps);
            self.leave();
        }
        let mut output = self.output.lock();
        if closed.is_err() {
            output.release_all_space();
        }
        output.unlock();
        drop(output);
        self.losses.with(reported_then, self.positions.appended(), closed)
    }

    fn name_the_lost(&self, error: Error) -> Error {
        let (appended, flushed) = (self.positions.appended(), self.positions.flushed());
        match flushed < appended {
            true => error.because(&format!("records {} to {appended} were not written", flushed + 1)),
            false => error,
        }
    }
}
