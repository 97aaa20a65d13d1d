//! Ships closed segments from within a writer: in one thread of its own, which is started only when that is asked for, wakes
//! when a segment was closed, and never takes a lock of the writing.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Shared, Writer};
use crate::archive::ship::{archive_metrics, Backoff, ShipMonitor, ShipState, ShipStatus, Shipper};
use crate::error::{Error, Kind, Result};
use crate::io::{clock, thread, Directory};
use crate::options::{OnFailure, ShipOptions, WriterOptions};
use crate::store::{self, Again, Store};

/// With nobody to wake it, it looks for new segments so often: others may remove or compress some.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How much longer than it was allowed a thread may take to end before it is left alone.
const GRACE: Duration = Duration::from_millis(200);

/// The thread, and what it shares with the writer.
pub(super) struct Archive {
    shared: Arc<Ship>,
    thread: JoinHandle<()>,
    close_wait: Duration,
}

/// What the thread and the writer share.
pub(super) struct Ship {
    state: Mutex<State>,
    changed: Condvar,
    shipper: OnceLock<Shipper>,
    /// What is told as long as there is no shipper.
    before: Mutex<ShipStatus>,
    /// Dropped when the writer is closed: nobody is told anything afterwards.
    on_failure: Mutex<Option<OnFailure>>,
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    /// A segment was closed.
    woken: bool,
    /// The writer is being closed: what is there is shipped until then.
    until: Option<Instant>,
    /// The thread is at its end.
    ended: bool,
}

/// Refuses a store that cannot be, before anything is created or locked.
pub(super) fn check(options: &WriterOptions) -> Result<()> {
    options.archive.as_ref().map_or(Ok(()), |archive| store::open(&archive.url, &archive.store).map(drop))
}

impl Ship {
    /// Tells the thread that a segment was closed.
    pub fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_all();
    }

    /// What has failed so far.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn status(&self) -> ShipStatus {
        match self.shipper.get() {
            Some(shipper) => shipper.status(),
            None => self.before.lock().clone(),
        }
    }

    /// Nothing is shipped any more.
    fn failed_for_good(&self, error: &Error) {
        let mut before = self.before.lock();
        before.state = ShipState::Waiting;
        before.failures += 1;
        before.last_failure = Some((error.clone(), clock::now_ns()));
        drop(before);
        if let Some(shipper) = self.shipper.get() {
            shipper.note_error(error);
        }
        self.failed(error, None);
    }

    fn run(&self, directory: Arc<dyn Directory>, store: Arc<dyn Store>, log: &str, options: &ShipOptions) {
        let mut backoff = Backoff::new(options.first_delay, options.longest_delay);
        loop {
            let is_last = self.finish();
            match Shipper::open_in(directory.clone(), store.clone(), Some(log), options.clone()) {
                Ok(shipper) => return self.shipper.get_or_init(|| shipper).run(self),
                Err(error) => {
                    // Whoever else ships the log may end at any time.
                    let wait =
                        backoff.next(if error.kind() == Kind::Locked { Again::Later(None) } else { Again::WhenMended });
                    let mut before = self.before.lock();
                    before.state = ShipState::Waiting;
                    before.failures += 1;
                    before.last_failure = Some((error.clone(), clock::now_ns()));
                    drop(before);
                    self.failed(&error, Some(wait));
                    let began = Instant::now();
                    while !is_last && !self.finish() && began.elapsed() < wait {
                        self.wait(wait.saturating_sub(began.elapsed()));
                    }
                    if is_last || self.stop() {
                        return;
                    }
                }
            }
        }
    }
}

/// Says that the thread is at its end.
struct Ended<'a>(&'a Ship);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl ShipMonitor for Ship {
    fn failed(&self, error: &Error, _wait: Option<Duration>) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        // Held meanwhile: whoever closes the writer waits for what is being told.
        if let Some(tell) = &*self.on_failure.lock() {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(error)));
        }
    }

    fn stop(&self) -> bool {
        self.state.lock().until.is_some_and(|until| Instant::now() >= until)
    }

    fn finish(&self) -> bool {
        self.state.lock().until.is_some()
    }

    fn wait(&self, time: Duration) {
        let mut state = self.state.lock();
        if state.until.is_none() && !state.woken {
            self.changed.wait_for(&mut state, time);
        }
        state.woken = false;
    }

    fn idle(&self) {
        self.wait(LOOK_EVERY);
    }
}

impl Archive {
    /// Starts the thread. Nothing is asked of the store yet.
    pub fn start(
        directory: Arc<dyn Directory>,
        log: &str,
        options: &ShipOptions,
        on_failure: Option<OnFailure>,
    ) -> Result<Self> {
        let store = store::open(&options.url, &options.store)?;
        let before = ShipStatus { log: log.to_owned(), store: store.url().to_owned(), ..ShipStatus::default() };
        let shared = Arc::new(Ship {
            state: Mutex::default(),
            changed: Condvar::new(),
            shipper: OnceLock::new(),
            before: Mutex::new(before),
            on_failure: Mutex::new(on_failure),
            failures: AtomicU64::new(0),
        });
        let (ours, log, options) = (shared.clone(), log.to_owned(), options.clone());
        let close_wait = options.close_wait;
        let body = move || {
            // However it ends, the one who closes does not wait for it.
            let ended = Ended(&ours);
            if catch_unwind(AssertUnwindSafe(|| ours.run(directory, store, &log, &options))).is_err() {
                ours.failed_for_good(&crate::error::a_defect("shipping has ended"));
            }
            drop(ended);
        };
        let thread = thread::spawn("binlog-archive", body).map_err(|e| Error::io(&e, "start a thread"))?;
        Ok(Archive { shared, thread, close_wait })
    }

    pub fn shared(&self) -> Arc<Ship> {
        self.shared.clone()
    }

    /// Ships what is there for as long as it may, and ends the thread. One that waits for a server that does not answer is
    /// left behind: it ends by itself when its request does, and tells nobody.
    pub fn end(self) {
        if self.thread.thread().id() == std::thread::current().id() {
            // Within what is told of a failure: nobody waits for himself. It ends when that has returned.
            self.shared.state.lock().until = Some(Instant::now());
            return;
        }
        let until = Instant::now() + self.close_wait;
        let mut state = self.shared.state.lock();
        state.until = Some(until);
        self.shared.changed.notify_all();
        while !state.ended && !self.shared.changed.wait_until(&mut state, until + GRACE).timed_out() {}
        let has_ended = state.ended;
        drop(state);
        drop(self.shared.on_failure.lock().take());
        if has_ended {
            let _ = self.thread.join();
        }
    }
}

impl Shared {
    /// Starts the thread that ships closed segments, if that was asked for.
    pub(super) fn start_archive(&self) -> Result<Option<Archive>> {
        let Some(options) = &self.options.archive else { return Ok(None) };
        let directory = self.output.lock().target.directory().clone();
        let caller = self.caller();
        let on_failure = self.options.hooks.on_failure.clone().map(|tell| -> OnFailure {
            Arc::new(move |error: &Error| crate::calling::calling(caller, || tell(error)))
        });
        let archive = Archive::start(directory, &self.options.name, options, on_failure)?;
        let _ = self.archive.set(archive.shared());
        Ok(Some(archive))
    }
}

impl Writer {
    /// How far the shipping of closed segments is ([`crate::WriterOptions::archive`]); `None` when that was not asked for. Never
    /// waits for a store.
    ///
    /// # Errors
    /// [`Kind::Forked`] in the child of a fork.
    pub fn archive_status(&self) -> Result<Option<ShipStatus>> {
        if self.is_forked() {
            return Err(self.shared.unusable());
        }
        Ok(self.shared.archive.get().map(|archive| archive.status()))
    }

    /// The same in the text format of Prometheus; "" when shipping was not asked for.
    ///
    /// # Errors
    /// As [`Self::archive_status`].
    pub fn archive_metrics(&self) -> Result<String> {
        Ok(self.archive_status()?.map_or_else(String::new, |status| archive_metrics(&[status])))
    }
}
