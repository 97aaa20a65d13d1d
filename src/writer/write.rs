//! The write stage: a caller's thread or the background thread writes buffers as blocks of the current segment.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use super::buffer::Buffer;
use super::filling::{Filling, Room};
use super::output::Output;
use super::schedule::Due;
use super::stage::Work;
use super::staging::HandedOver;
use super::{Parts, Writer};
use crate::error::{Error, Kind, Result};
use crate::io::sync::{self, JoinHandle, MutexGuard};

impl Writer {
    /// Hands everything appended so far to the system: it survives the end of this process, however it ends.
    pub fn flush(&self) -> Result<()> {
        self.parts.health.check_call()?;
        self.parts.patiently(|| self.parts.flush())
    }
}

impl Parts {
    /// The append lock with a buffer to fill. Waits for the write stage when all buffers are full. A write's error is
    /// returned here, before anything has been taken.
    #[cold]
    pub(super) fn wait_for_room<'a>(&'a self, mut filling: MutexGuard<'a, Filling>) -> Result<Room<'a>> {
        let unhurried = filling.is_unhurried();
        loop {
            filling = match Room::of(filling) {
                Ok(room) => return Ok(room),
                Err(filling) => filling,
            };
            match self.stage.wait_for_free(unhurried, &self.health)? {
                Some(buffer) => self.begin_buffer(&mut filling, buffer),
                None => {
                    drop(filling);
                    self.write_kept_back()?;
                    filling = self.filling.lock();
                }
            }
        }
    }

    /// As [`Self::wait_for_room`], unless that would have to wait.
    pub(super) fn room_now<'a>(
        &'a self,
        mut filling: MutexGuard<'a, Filling>,
    ) -> std::result::Result<Room<'a>, MutexGuard<'a, Filling>> {
        if !filling.has_buffer() {
            if let Some(buffer) = self.stage.take_free() {
                self.begin_buffer(&mut filling, buffer);
            }
        }
        Room::of(filling)
    }

    /// Puts the DROPPED event that is due, if any, in front of the next record, unless that would have to wait.
    pub(super) fn with_dropped<'a>(&'a self, filling: MutexGuard<'a, Filling>) -> MutexGuard<'a, Filling> {
        if !self.space.is_unreported() {
            return filling;
        }
        let mut filling = match self.room_now(filling) {
            Ok(room) => room.into_filling(),
            Err(filling) => filling,
        };
        self.space.push_dropped(&mut filling);
        filling
    }

    fn begin_buffer(&self, filling: &mut Filling, buffer: Buffer) {
        filling.begin_buffer(buffer);
        self.space.push_dropped(filling);
    }

    /// Lets the background thread write what was handed over, or writes it in this thread: unless another thread is
    /// writing, and a little more if others hand over meanwhile. An error is kept for the next caller that needs room
    /// or flushes.
    pub(super) fn run_stage(&self) {
        if self.stage.wake() {
            return;
        }
        if let Some(last) = self.stage.share() {
            let _ = self.drain_up_to(last).and_then(|()| self.ask_check());
        }
    }

    /// Hands everything over that was appended so far, also what appenders have staged. The caller then runs the stage
    /// or makes sure that another thread does.
    pub(super) fn hand_over(&self, filling: &mut Filling) -> HandedOver {
        self.collect(filling);
        filling.hand_over_own(&self.stage);
        HandedOver::all()
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.hand_over(&mut self.filling.lock());
        self.drain()?;
        self.flush_dropped();
        Ok(())
    }

    /// Writes everything that was handed over before the call.
    pub(super) fn drain(&self) -> Result<()> {
        self.drain_up_to(self.stage.given())?;
        self.ask_check()
    }

    /// Writes what was handed over, up to number `last`: others may keep handing over for ever.
    pub(super) fn drain_up_to(&self, last: u64) -> Result<()> {
        let mut output = self.output.lock();
        self.drain_into(&mut output, last)?;
        // Large records are not written here, but their append flushes first. The queue has been written; an index that
        // finds no room is tried again later.
        let _ = output.index_if_due();
        let done = self.after_write(output);
        self.leave_the_rest();
        done
    }

    /// As [`Self::drain_up_to`], under the output lock.
    pub(super) fn drain_into(&self, output: &mut Output, last: u64) -> Result<()> {
        loop {
            if self.health.has_failed() {
                self.stage.fail();
                return Err(self.health.unusable());
            }
            // A statement of its own: the queue must not be locked while the buffer is written.
            let next = self.stage.take(last);
            let Some(mut work) = next else { return Ok(()) };
            let panicking = OnPanic(self);
            let done = match &mut work {
                Work::Write(buffer) => output.with_space(|output| output.write(buffer)),
                Work::Roll(turn) => output.with_space(|output| output.turn(turn)),
            };
            drop(panicking);
            self.positions.flushed_to(output.next_id() - 1);
            if let Err(error) = done {
                self.stage.put_back(work);
                return Err(self.health.remember_failed(error));
            }
            if let Work::Write(buffer) = &work {
                self.positions.flushed_bytes_to(buffer.bytes_end());
            }
            self.stage.done(work);
        }
    }

    /// Makes the next append continue with what others have handed over meanwhile, and with the work that resulted from
    /// it: no call is held up for ever because others append. With threads of its own the library needs no such help.
    fn leave_the_rest(&self) {
        if self.options.background {
            return;
        }
        if self.stage.is_left() || self.maintenance.is_overdue() {
            self.filling.lock().owes_stage = true;
        }
    }

    /// Tries once more to write what a full disk has held back.
    pub(super) fn write_kept_back(&self) -> Result<()> {
        self.space.now_and_then(|| self.drain())
    }

    /// Writes the DROPPED event, as far as the disk allows: the log may get no further record.
    pub(super) fn flush_dropped(&self) {
        if !self.space.is_unreported() {
            return;
        }
        // Taking a buffer writes the event.
        let Ok(room) = self.room() else { return };
        let mut filling = room.into_filling();
        self.space.push_dropped(&mut filling);
        filling.hand_over_own(&self.stage);
        drop(filling);
        // The flush itself has succeeded; a failure here does not matter, and the event waits for the next chance.
        let _ = self.drain();
    }

    /// As [`super::full_disk::Space::or_when_full`], for so many records.
    #[inline(always)]
    pub(super) fn or_when_full(
        &self,
        first: Result<u64>,
        again: impl FnMut() -> Result<u64>,
        records: impl FnOnce() -> u64,
    ) -> Result<u64> {
        self.space.or_when_full(&self.health, first, again, || {
            let records = records();
            self.space.drop_records(records, &mut self.filling.lock());
            0
        })
    }

    /// As [`super::full_disk::Space::patiently`].
    pub(super) fn patiently<T>(&self, call: impl FnMut() -> Result<T>) -> Result<T> {
        self.space.patiently(&self.health, call)
    }

    #[inline]
    pub(super) fn carry_out(&self, due: Due, id: u64) -> Result<()> {
        match due {
            Due::Nothing => Ok(()),
            Due::Flush => self.flush(),
            Due::Sync => self.sync_to(id).and_then(|()| self.maintain()),
        }
    }

    /// Carries out what a flush or sync policy requires after the append of record `id`.
    pub(super) fn carry_out_taken(&self, due: Due, id: u64) -> Result<()> {
        let done = self.patiently(|| self.carry_out(due, id));
        self.space.excuse(done, &self.schedule, due)
    }

    /// Notes that the library has panicked: the state of the write stage is unknown, so nothing is written any more,
    /// and no thread waits for it.
    pub(super) fn fail_by_panic(&self) {
        self.health.fail(Error::new(
            Kind::Failed,
            "the library has panicked while it wrote: open the log anew, and report this",
        ));
        self.stage.fail_by_panic();
    }
}

/// Starts the background thread.
pub(super) fn start_background(parts: Arc<Parts>) -> Result<JoinHandle<()>> {
    let body = move || {
        let run = || parts.stage.run(|| drop(parts.drain()), || parts.tick_background());
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            parts.fail_by_panic();
        }
    };
    sync::spawn("binlog-writer", body).map_err(|e| Error::io(&e, "start a thread"))
}

/// Held during work whose panic the other threads must learn of.
struct OnPanic<'a>(&'a Parts);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail_by_panic();
        }
    }
}
