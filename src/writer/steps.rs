//! The steps of maintenance, and the other things it looks after: the next file, the current one, `.active`.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use super::output::Output;
use super::turn::Step;
use super::Parts;
use crate::companion::{Accompanied, Removable};
use crate::error::{Error, Kind, Result};
use crate::io::sync::{self, JoinHandle, MutexGuard};
use crate::log::{self, Left};
use crate::options::SegmentFile;

impl Parts {
    /// Makes closed segments durable and takes the waiting steps, unless a thread of the library does.
    pub(super) fn maintain(&self) -> Result<()> {
        if self.maintenance.has_thread() {
            return Ok(());
        }
        self.sync_closed()?;
        self.take_steps();
        Ok(())
    }

    /// Takes the waiting steps.
    pub(super) fn take_steps(&self) {
        self.maintenance.run(|step| self.take(step));
    }

    fn take(&self, step: Step) {
        match step {
            Step::Opened(segment, left) => {
                self.write_active(&segment);
                self.companions.opened(&segment, &left, self);
            }
            Step::Lost(lost) => self.losses.note([lost], |error| self.report(error)),
            Step::Closed(segment, left) => match self.sync_closed() {
                Ok(()) => self.companions.closed(segment, &left, self),
                Err(error) => self.report(&error.because("the closed segment is not durable, so no hook was called")),
            },
        }
    }

    /// Posts what a write made necessary, or does it.
    pub(super) fn after_write(&self, mut output: MutexGuard<'_, Output>) -> Result<()> {
        let rolled = !output.steps.is_empty();
        let (retired, ends) = (output.has_retired(), output.wants_next(false, false).is_some());
        let look = self.maintenance.is_time_to_look();
        let has_thread = self.maintenance.has_thread();
        let many = output.has_many_retired();
        let posts = rolled || (has_thread && (retired || ends || look));
        if posts {
            self.maintenance.post(&mut output.steps);
        }
        drop(output);
        if posts {
            self.maintenance.wake();
        }
        if has_thread {
            // Slow hooks hold up the thread that would do that.
            return if many { self.sync_closed() } else { Ok(()) };
        }
        if look {
            self.look_now_and_then();
        }
        match self.maintenance.is_overdue() || (rolled && self.maintenance.is_far_behind()) {
            true => self.maintain(),
            false => Ok(()),
        }
    }

    /// Notes durably what the log has given, before the segments that contain it too may be removed.
    pub(super) fn note_left(&self, left: &Left) -> Result<()> {
        let note = self.output.lock().target.noting();
        note(left)
    }

    /// Counts a failure that no call returns, and passes it to `on_failure`.
    pub(super) fn report(&self, error: &Error) {
        self.companions.report(error, |call| self.health.calling(call));
    }

    fn write_active(&self, segment: &SegmentFile) {
        let output = self.output.lock();
        let Some(naming) = output.target.naming().cloned() else { return };
        let directory = output.target.directory().clone();
        drop(output);
        let name = segment.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (_, template, _) = naming.stated();
        let active = log::Active {
            file: &name,
            sequence: segment.sequence,
            created_ns: segment.created,
            first_id: segment.first_id,
            period: naming.period,
            template: &template,
            file_mode: self.options.file_mode,
        };
        if let Err(error) = log::active::write(&*directory, &segment.log, &active) {
            self.report(&error);
        }
    }

    /// Creates the file of the next segment when the current one is nearly full, or its time nearly over.
    pub(super) fn prepare_next(&self) {
        let now = self.options.clock.now_ns();
        let near_end = self.rolling.near_end(now);
        let output = self.output.lock();
        let wanted = output.wants_next(near_end.is_some(), !self.maintenance.has_thread());
        let next_file = output.next_file.clone();
        drop(output);
        let Some(order) = wanted else { return };
        let mut next_file = next_file.lock();
        // Remembered before another thread can try: after a failed fsync of the directory none may.
        if let Err(error) = next_file.prepare(&order, near_end.unwrap_or(now)) {
            // The roll tries it again and returns the error.
            self.health.remember_failed(error);
        }
    }

    /// Checks the file of the current segment, at most once a second.
    fn look_now_and_then(&self) {
        if self.maintenance.is_time_to_look() {
            self.maintenance.looked();
            // What cannot be written is reported by the next flush.
            let _ = self.look_for_segment();
        }
    }

    /// One pass of the maintenance thread.
    fn look_after(&self) {
        self.take_steps();
        // A closed writer has no next file. A hook in this thread may have closed it.
        if !self.health.has_failed() && !self.health.is_closed() {
            self.prepare_next();
            self.look_now_and_then();
        }
    }

    /// The work that remains when the last segment is closed and durable.
    pub(super) fn leave(&self) {
        let output = self.output.lock();
        let (last, left) = (output.file(""), output.left_at_the_end());
        let (directory, is_directory) = (output.target.directory().clone(), output.target.can_roll());
        drop(output);
        self.take_steps();
        if is_directory {
            // The next writer then sees whether the log's end is still present. A close promises only that it is
            // durable.
            if let Err(error) = self.note_left(&left) {
                self.report(&error.because("it is not noted how the log ends"));
            }
            if let Err(error) = log::active::remove(&*directory, &last.log) {
                self.report(&error);
            }
        }
    }
}

impl Accompanied for Parts {
    fn has_failed(&self) -> bool {
        self.health.has_failed()
    }

    fn sync_closed(&self) -> Result<()> {
        self.sync_closed()
    }

    fn note(&self, left: &Left) -> Result<()> {
        self.note_left(left)
    }

    fn report(&self, error: &Error) {
        self.report(error);
    }

    fn calling(&self, function: &mut dyn FnMut()) {
        self.health.calling(function);
    }

    fn may_remove(&self, segments: &[Removable<'_>]) -> Result<usize> {
        self.companions.may_remove(segments)
    }
}

/// Starts the maintenance thread.
pub(super) fn start_maintenance(parts: Arc<Parts>) -> Result<JoinHandle<()>> {
    let body = move || {
        let run = || parts.maintenance.run_thread(|| parts.look_after(), || parts.rolling.until_prepared());
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            // From now on the callers do this work.
            parts.maintenance.set_thread(false);
            parts.report(&Error::new(Kind::Failed, "the library has panicked beside the writing: report this"));
        }
    };
    sync::spawn("binlog-maintain", body).map_err(|e| Error::io(&e, "start a thread"))
}
