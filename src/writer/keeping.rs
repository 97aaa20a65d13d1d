//! What is done beside the writing: closed segments become durable, the next file is prepared, hooks are called, old
//! segments are removed. In one thread of its own for a writer with a background thread; where the caller's program has a
//! thread that ticks, in that; else in the thread whose call made it necessary. No lock is held meanwhile.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::close::join;
use super::output::Output;
use super::rolling::Step;
use super::Shared;
use crate::archive::life;
use crate::error::{Error, Kind, Result};
use crate::io::sync::atomic::Ordering;
use crate::io::sync::{self, JoinHandle, ThreadId};
use crate::log::{self, retention, Left};
use crate::options::{Hook, SegmentFile};

/// Nanoseconds after which the file of the current segment is looked for again while something is being written.
const LOOK_EVERY: u64 = 1_000_000_000;
/// Nanoseconds for which what follows a roll waits for the next tick, and after which nobody is thought to tick.
const PATIENCE: u64 = 1_000_000_000;
/// Steps that may wait for it, two for each roll: closed files stay open as long.
const PATIENT_STEPS: usize = 32;
/// Steps of others that may wait before those of a thread that rolls while another one keeps house. Behind more it waits: who
/// rolls faster than hooks come back would leave ever more to the others.
const STEPS_BEFORE: u64 = 8;

/// What waits to be done.
#[derive(Default)]
pub(super) struct House {
    steps: VecDeque<Step>,
    /// How many were posted, and how many of them are done, since the writer was opened.
    posted: u64,
    done: u64,
    /// Since when the first of them waits.
    since: i64,
    /// When the caller's program has ticked last.
    ticked: Option<i64>,
    /// The thread that is at it.
    busy: Option<ThreadId>,
    /// There is something else to look after: the next file, the current one.
    look: bool,
    stop: bool,
}

/// Held while a step is taken, and given back also by a panic.
struct Busy<'a>(&'a Shared);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut house = self.0.house.lock();
        house.busy = None;
        house.done += 1;
        drop(house);
        self.0.kept.notify_all();
    }
}

impl Shared {
    /// Leaves to whoever keeps house what a write made necessary. Under the output lock, so that what two threads post
    /// stays in the order of segments; the thread that keeps house is to be woken when that lock is given back.
    pub(super) fn post(&self, output: &mut Output) {
        let mut house = self.house.lock();
        if house.steps.is_empty() {
            house.since = self.options.clock.now_ns();
        }
        house.posted += output.steps.len() as u64;
        house.steps.extend(output.steps.drain(..));
        house.look = true;
    }

    /// Whether whoever has posted something has to see to it: nobody ticks, or not often enough. A power cut may find more
    /// than one segment that is not durable otherwise, and only those who tick gain by that.
    pub(super) fn is_overdue(&self) -> bool {
        let house = self.house.lock();
        if house.steps.is_empty() || house.busy.is_some() {
            return false;
        }
        let now = self.options.clock.now_ns();
        let is_long = |since: i64| now.wrapping_sub(since).unsigned_abs() >= PATIENCE;
        house.steps.len() >= PATIENT_STEPS || is_long(house.since) || house.ticked.is_none_or(is_long)
    }

    /// Takes note that somebody ticks.
    pub(super) fn note_tick(&self) {
        self.house.lock().ticked = Some(self.options.clock.now_ns());
    }

    /// Makes closed segments durable and does the rest that waits, unless a thread of the library does.
    pub(super) fn tidy(&self) -> Result<()> {
        if self.has_house.load(Ordering::Acquire) {
            return Ok(());
        }
        self.sync_closed()?;
        self.keep_house();
        Ok(())
    }

    /// Makes closed segments durable. Before that nobody may take one away: the sync would find its file gone, and say that its
    /// records are lost.
    pub(super) fn sync_closed(&self) -> Result<()> {
        let has_retired = self.output.lock().has_retired();
        match has_retired {
            true => self.sync_written(),
            false => Ok(()),
        }
    }

    /// Whether somebody keeps house, and is so far behind that a thread which has rolled has to wait.
    pub(super) fn is_far_behind(&self) -> bool {
        let house = self.house.lock();
        house.busy.is_some() && house.posted - house.done > STEPS_BEFORE
    }

    /// Whether something waits to be done that nobody is at.
    pub(super) fn has_chores(&self) -> bool {
        self.is_overdue()
    }

    /// Does what waits to be done, in order, unless another thread is at it and not far behind. What others post meanwhile waits
    /// for the next call: a thread that rolls would keep this one busy for ever.
    pub(super) fn keep_house(&self) {
        let last = self.house.lock().posted;
        loop {
            let mut house = self.house.lock();
            if let Some(busy) = house.busy {
                // A hook that calls the writer, which it must not, would wait for itself.
                if last.saturating_sub(house.done) <= STEPS_BEFORE || busy == sync::current().id() {
                    return;
                }
                self.kept.wait(&mut house);
                continue;
            }
            if house.done >= last {
                return;
            }
            let Some(step) = house.steps.pop_front() else { return };
            house.busy = Some(sync::current().id());
            drop(house);
            let _busy = Busy(self);
            self.take(step);
        }
    }

    fn take(&self, step: Step) {
        match step {
            Step::Opened(file, left) => {
                self.tell_active(&file);
                self.call(&self.options.hooks.on_open, file, &left);
                self.remove_old(&left);
            }
            Step::Lost(lost) => self.note_lost([lost]),
            Step::Closed(file, left) => {
                if let Err(error) = self.sync_closed() {
                    return self.report(&error.because("the closed segment is not durable, so no hook was called"));
                }
                self.call(&self.options.hooks.on_close, file, &left);
                if let Some(archive) = self.archive.get() {
                    archive.wake();
                }
            }
        }
    }

    /// Calls hooks one after the other; each gets the file where the one before has left it. They may take segments away:
    /// so what the log has given is noted before.
    fn call(&self, hooks: &[Hook], mut file: SegmentFile, left: &Left) {
        if hooks.is_empty() {
            return;
        }
        if let Err(error) = self.note_left(left) {
            return self.report(&error.because("no hook was called, as ids could be given again after it"));
        }
        for hook in hooks {
            match catch_unwind(AssertUnwindSafe(|| self.calling(|| hook(&file)))) {
                Ok(Ok(Some(place))) => file.path = place,
                Ok(Ok(None)) => (),
                Ok(Err(error)) => self.report(&error.at(&file.path).because("a hook failed")),
                Err(_) => self.report(&Error::new(Kind::Failed, "a hook panicked").at(&file.path)),
            }
        }
    }

    /// Counts a failure that no caller is told, and tells who wants to know.
    pub(super) fn report(&self, error: &Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(tell) = &self.options.hooks.on_failure {
            let _ = catch_unwind(AssertUnwindSafe(|| self.calling(|| tell(error))));
        }
    }

    fn tell_active(&self, file: &SegmentFile) {
        let output = self.output.lock();
        let Some(naming) = output.target.naming().cloned() else { return };
        let directory = output.target.directory().clone();
        drop(output);
        let name = file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (_, template, _) = naming.told();
        let active = log::Active {
            file: &name,
            sequence: file.sequence,
            created_ns: file.created,
            first_id: file.first_id,
            period: naming.period,
            template: &template,
            file_mode: self.options.file_mode,
        };
        if let Err(error) = log::active::write(&*directory, &file.log, &active) {
            self.report(&error);
        }
    }

    /// Notes durably what the log has given: before segments may go, which tell it too.
    pub(super) fn note_left(&self, left: &Left) -> Result<()> {
        let note = self.output.lock().target.noting();
        note(left)
    }

    fn remove_old(&self, left: &Left) {
        // What is not known to be durable is no reason to remove what is.
        if !self.options.keep.is_some() || !self.rolls || self.has_failed.load(Ordering::Acquire) {
            return;
        }
        let output = self.output.lock();
        let (directory, name) = (output.target.directory().clone(), output.file("").log);
        drop(output);
        // Later segments may have been begun meanwhile, and those before them be closed and not durable: their turn comes.
        let ours = retention::Ours { name, log_id: left.log_id.clone(), active_sequence: left.sequence };
        let plan = || {
            let plan = retention::plan(&directory, &ours, &self.options.keep, self.options.clock.now_ns())?;
            match self.options.keep.unshipped {
                true => Ok(plan),
                false => life::only_shipped(&*directory, &ours, plan, self.is_shipped()),
            }
        };
        let planned = plan().and_then(|plan| {
            if !plan.doomed.is_empty() {
                self.sync_closed()?;
                self.note_left(left)?;
            }
            Ok(plan)
        });
        match planned {
            Ok(plan) => {
                let failed = retention::remove(&*directory, &plan.doomed);
                failed.iter().chain(&plan.obstacle).for_each(|error| self.report(error));
            }
            Err(error) => self.report(&error.because("old segments were not removed")),
        }
    }

    /// Whether this writer ships the log, whatever stands in the directory.
    pub(super) fn is_shipped(&self) -> bool {
        self.options.archive.is_some()
    }

    /// Creates the file of the next segment when the current one is nearly full, or its time nearly over.
    pub(super) fn prepare_next(&self) {
        let now = self.options.clock.now_ns();
        let deadline = self.deadline.load(Ordering::Relaxed);
        let lead = self.lead.load(Ordering::Relaxed);
        let time_is_near = deadline != i64::MAX && now < deadline && deadline.saturating_sub(now) <= lead;
        let output = self.output.lock();
        let (wanted, ahead) =
            (output.wants_next(time_is_near, !self.has_house.load(Ordering::Acquire)), output.ahead.clone());
        drop(output);
        let Some(order) = wanted else { return };
        let mut ahead = ahead.lock();
        // Remembered before anybody else can try: after a failed fsync of the directory nobody may.
        if let Err(error) = ahead.prepare(&order, if time_is_near { deadline } else { now }) {
            // The roll will try by itself, and tell.
            self.remember_failed(error);
        }
    }

    /// Whether the file of the current segment was not looked for within the last second.
    pub(super) fn is_time_to_look(&self) -> bool {
        let passed = crate::io::clock::now_ns().wrapping_sub(self.looked.load(Ordering::Relaxed));
        passed.unsigned_abs() >= LOOK_EVERY
    }

    /// Looks for the file of the current segment, once a second at the most.
    pub(super) fn look_now_and_then(&self) {
        if self.is_time_to_look() {
            self.looked.store(crate::io::clock::now_ns(), Ordering::Relaxed);
            // What cannot be written is told to the next who flushes.
            let _ = self.look_for_segment();
        }
    }

    fn run_house(&self) {
        loop {
            self.keep_house();
            // A writer that is closed has no next file. It may have been closed by a hook in this thread.
            if !self.has_failed.load(Ordering::Acquire) && !self.closed.load(Ordering::Acquire) {
                self.prepare_next();
                self.look_now_and_then();
            }
            let mut house = self.house.lock();
            if !house.steps.is_empty() && house.busy.is_none() {
                continue;
            }
            if house.stop {
                return;
            }
            if !std::mem::take(&mut house.look) {
                match self.until_prepared() {
                    Some(time) => drop(self.chores.wait_for(&mut house, time)),
                    None => self.chores.wait(&mut house),
                }
                house.look = false;
            }
        }
    }

    /// How long until the next file has to be prepared for the end of the current segment's time.
    fn until_prepared(&self) -> Option<Duration> {
        const LONG: Duration = Duration::from_secs(60);
        let deadline = self.deadline.load(Ordering::Relaxed);
        if deadline == i64::MAX || !self.options.clock.is_system() {
            return None;
        }
        let left =
            deadline.saturating_sub(self.lead.load(Ordering::Relaxed)).saturating_sub(self.options.clock.now_ns());
        // Not far ahead, as the clock may be set; and not at once, when the file is there or was not to be had.
        Some(Duration::from_nanos(left.max(0) as u64).clamp(Duration::from_millis(100), LONG))
    }

    /// Ends the thread that keeps house when it has done what waits.
    pub(super) fn stop_house(&self, thread: JoinHandle<()>) {
        self.house.lock().stop = true;
        self.chores.notify_all();
        join(thread);
    }

    /// What is left to do when the last segment is closed and durable.
    pub(super) fn leave(&self) {
        let output = self.output.lock();
        let (last, left) = (output.file(""), output.left_at_the_end());
        let (directory, is_directory) = (output.target.directory().clone(), output.target.can_roll());
        drop(output);
        self.keep_house();
        if is_directory {
            // Whoever opens the log anew sees then whether its end is still there. A close promises no more than that it is durable.
            if let Err(error) = self.note_left(&left) {
                self.report(&error.because("it is not noted how the log ends"));
            }
            if let Err(error) = log::active::remove(&*directory, &last.log) {
                self.report(&error);
            }
        }
    }
}

pub(super) fn start_house(shared: Arc<Shared>) -> Result<JoinHandle<()>> {
    let body = move || {
        if catch_unwind(AssertUnwindSafe(|| shared.run_house())).is_err() {
            // From now on the callers do what has to be done.
            shared.has_house.store(false, Ordering::Release);
            shared.report(&Error::new(Kind::Failed, "the library has panicked beside the writing: report this"));
        }
    };
    sync::spawn("binlog-house", body).map_err(|e| Error::io(&e, "start a thread"))
}
