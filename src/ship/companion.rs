//! Ships closed segments from within a writer: in one thread of its own, which is started only if shipping is
//! requested, wakes when a segment was closed, and never takes a lock that appends use.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{ship_metrics, Backoff, ShipMonitor, ShipState, ShipStatus, Shipper};
use crate::companion::{Accompanied, Accompany, Companion, Removable};
use crate::error::{Error, Kind, Result};
use crate::io::{clock, thread, Directory};
use crate::ledger;
use crate::log::Left;
use crate::options::{OnFailure, SegmentFile, ShipOptions};
use crate::store::{self, Again, Store};
use crate::writer::Writer;

/// Without a wake-up, it looks for new segments this often: other processes may remove or compress some.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How much longer than allowed a thread may take to end before it is detached.
const GRACE: Duration = Duration::from_millis(200);

/// The thread, and what it shares with the writer.
struct Shipping {
    shared: Arc<Ship>,
    directory: Arc<dyn Directory>,
    thread: Mutex<Option<JoinHandle<()>>>,
    close_wait: Duration,
}

/// What the thread and the writer share.
struct Ship {
    state: Mutex<State>,
    changed: Condvar,
    shipper: OnceLock<Shipper>,
    /// The status as long as there is no shipper.
    before: Mutex<ShipStatus>,
    /// Dropped when the writer is closed: it is not called afterwards.
    on_failure: Mutex<Option<OnFailure>>,
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    /// A segment was closed.
    woken: bool,
    /// The writer is being closed: segments are shipped until this time.
    until: Option<Instant>,
    /// The thread has ended.
    ended: bool,
}

impl Ship {
    /// Reports to the thread that a segment was closed.
    pub fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_all();
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
            match Shipper::to_store(directory.clone(), store.clone(), Some(log), options.clone()) {
                Ok(shipper) => return self.shipper.get_or_init(|| shipper).run(self),
                Err(error) => {
                    // Another process that ships the log may end at any time.
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

/// Reports that the thread has ended.
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
        // Locked during the call: the thread that closes the writer waits for its end.
        if let Some(on_failure) = &*self.on_failure.lock() {
            let _ = catch_unwind(AssertUnwindSafe(|| on_failure(error)));
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

impl Accompany for ShipOptions {
    fn check(&self) -> Result<()> {
        store::open(&self.url, &self.store).map(drop)
    }

    /// Starts the thread. No request is sent to the store yet.
    fn start(
        &self,
        log: &str,
        directory: Arc<dyn Directory>,
        on_failure: Option<OnFailure>,
    ) -> Result<Arc<dyn Companion>> {
        super::keeper::mark(&*directory, log, self.file_mode)?;
        let store = store::open(&self.url, &self.store)?;
        let before = ShipStatus { log: log.to_owned(), store: store.url().to_owned(), ..ShipStatus::default() };
        let shared = Arc::new(Ship {
            state: Mutex::default(),
            changed: Condvar::new(),
            shipper: OnceLock::new(),
            before: Mutex::new(before),
            on_failure: Mutex::new(on_failure),
            failures: AtomicU64::new(0),
        });
        let (ours, here, log, options) = (shared.clone(), directory.clone(), log.to_owned(), self.clone());
        let body = move || {
            // However the thread ends, closing does not wait for it.
            let ended = Ended(&ours);
            if catch_unwind(AssertUnwindSafe(|| ours.run(here, store, &log, &options))).is_err() {
                ours.failed_for_good(&crate::error::a_defect("shipping has ended"));
            }
            drop(ended);
        };
        let thread = thread::spawn("binlog-ship", body).map_err(|e| Error::io(&e, "start a thread"))?;
        let thread = Mutex::new(Some(thread));
        Ok(Arc::new(Shipping { shared, directory, thread, close_wait: self.close_wait }))
    }

    fn rolls_at_close(&self) -> bool {
        self.roll_at_close
    }
}

impl Companion for Shipping {
    fn closed(&self, _segment: &mut SegmentFile, _left: &Left, _writer: &dyn Accompanied) {
        self.shared.wake();
    }

    fn may_remove(&self, segments: &[Removable<'_>]) -> Result<usize> {
        let Some((log, log_id)) = segments.first().map(|segment| segment.log) else { return Ok(0) };
        let ledger = ledger::read(&*self.directory, log, log_id)?.unwrap_or_default();
        let may_go = |segment: &&Removable<'_>| ledger.keeps(segment.sequence, segment.known_as).is_none();
        Ok(segments.iter().take_while(may_go).count())
    }

    fn removes_segments(&self) -> bool {
        true
    }

    fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Ships segments until the time is over, and ends the thread. A thread that waits for a server that does not
    /// answer is detached: it ends when its request does, and reports nothing.
    fn close(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        if thread.thread().id() == std::thread::current().id() {
            // Called within the report of a failure: a thread does not wait for itself. It ends when that has returned.
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
            let _ = thread.join();
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Writer {
    /// The progress of shipping closed segments ([`crate::WriterOptions::ship`]); `None` when shipping was not
    /// requested. Never waits for a store.
    ///
    /// # Errors
    /// [`Kind::Forked`] in the child of a fork.
    pub fn ship_status(&self) -> Result<Option<ShipStatus>> {
        Ok(self.companion::<Shipping>()?.map(|shipping| shipping.shared.status()))
    }

    /// The same in the text format of Prometheus; "" when shipping was not requested.
    ///
    /// # Errors
    /// As [`Self::ship_status`].
    pub fn ship_metrics(&self) -> Result<String> {
        Ok(self.ship_status()?.map_or_else(String::new, |status| ship_metrics(&[status])))
    }
}
