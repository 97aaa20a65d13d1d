//! Ships the closed segments of a log to a store, in their order, and removes them here when that is safe.
//!
//! A segment passes through the stages of [`Stage`]; each is noted in `<log>.archive` (`crate::ledger`) before or after
//! its step. When a process dies at any moment and the next one takes over, only repeatable steps are repeated: an
//! upload never overwrites an object, and an existing object is compared.

mod backoff;
mod catalog;
mod companion;
mod held;
mod holes;
mod keeper;
mod local;
mod meet;
mod obstacle;
mod pass;
mod pipeline;
mod prune;
mod put_catalogs;
mod read;
mod replace;
mod sound;
mod status;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::io::{Directory, Location};
use crate::options::ShipOptions;
use crate::retention;
use crate::retention::Pruned;
use crate::store::{self, Again, Failure, Store};
pub(crate) use backoff::Backoff;
use catalog::Catalog;
use keeper::{entry_of, is_shipped, Keeper};
use local::{failed_here as here, Files, Here, Local};
use obstacle::{HeldBack, Obstacle};
use pipeline::Pipeline;
pub use status::{ship_metrics, ShipState, ShipStatus};
pub use verify::{Problem, VerifyReport};

/// How often [`Shipper::run`] looks for new segments.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ships one log to one store. A log has one shipper at a time. Its methods may be called from any thread; those that
/// ship take turns.
pub struct Shipper {
    directory: Arc<dyn Directory>,
    store: Arc<dyn Store>,
    options: ShipOptions,
    log: String,
    work: Mutex<Work>,
    status: Mutex<Status>,
}

/// State of the thread that ships.
struct Work {
    files: Files,
    /// Uploads note their progress here, too.
    keeper: Arc<Mutex<Keeper>>,
    /// Threads for the next segments.
    ahead: Pipeline,
    /// Leftovers were looked for.
    is_swept: bool,
    /// The store was found to belong to this log.
    is_met: bool,
    /// Segments that the store contained then, and their lengths, by the names that they have when they are not
    /// compressed.
    there: BTreeMap<String, Vec<(String, u64)>>,
    /// The catalogs that list and count the segments there.
    catalog: Catalog,
    /// When the store was last searched for segments to remove there.
    looked_there: Option<Instant>,
    /// Segments that this process had shipped by then.
    shipped_then: u64,
    /// Holes that the store was asked about.
    asked: BTreeSet<holes::Numbers>,
    /// Damaged segments that are not sent, by their numbers.
    held: BTreeMap<u64, HeldBack>,
    /// What prevents segments from being sent or removed until an operator acts, in the order of the segments.
    obstacles: BTreeMap<Obstacle, Error>,
    /// The obstacles that were reported.
    reported: BTreeSet<Obstacle>,
}

#[derive(Default)]
struct Status {
    reported: ShipStatus,
    /// When the oldest segment that waits was closed.
    oldest: Option<i64>,
}

/// Receives the events of a [`Shipper`], and may stop it. Called from the thread that ships.
pub trait ShipMonitor: Sync {
    /// A segment of this many bytes is about to be sent.
    fn begins(&self, segment: &Shipped) {
        let _ = segment;
    }

    /// This many more bytes of it were taken by the store, or were found there from an earlier try.
    fn sent(&self, bytes: u64) {
        let _ = bytes;
    }

    /// The store contains it.
    fn uploaded(&self, segment: &Shipped) {
        let _ = segment;
    }

    /// Its file here was removed.
    fn pruned(&self, segment: &Pruned) {
        let _ = segment;
    }

    /// Something has failed; it is tried again after `wait`, if given.
    fn failed(&self, error: &Error, wait: Option<Duration>) {
        let _ = (error, wait);
    }

    /// Something prevents segments from being sent or from being removed here, until an operator acts: a damaged or a
    /// missing segment, or a file. Reported once for each. Without this method, it is reported as a failure.
    fn obstacle(&self, error: &Error) {
        self.failed(error, None);
    }

    /// Whether to stop. The current upload is given up soon, and resumed by the next run.
    fn stop(&self) -> bool {
        false
    }

    /// Whether to end when all current segments have been shipped, or as soon as something fails.
    fn finish(&self) -> bool {
        false
    }

    /// Waits until there may be new segments; by default a second.
    fn idle(&self) {
        self.wait(LOOK_EVERY);
    }

    /// Waits for this time, or until there is a reason to look for new segments earlier, or to stop.
    fn wait(&self, time: Duration) {
        let began = Instant::now();
        while !self.stop() {
            let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else { break };
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// Ignores all events.
impl ShipMonitor for () {}

/// A segment that a [`Shipper`] has shipped, or would ship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its file.
    pub path: PathBuf,
    /// Its number in the log.
    pub sequence: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The store contained it already.
    pub found: bool,
}

/// What [`Shipper::run_once`] has done, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShipReport {
    /// Segments that the store contains now.
    pub uploaded: Vec<Shipped>,
    /// Segments that were removed here.
    pub pruned: Vec<Pruned>,
    /// Objects that were removed in the store.
    pub pruned_there: Vec<Pruned>,
    /// The store that does not contain them yet, if segments that the rules would remove here are kept for it.
    pub kept_for: Option<String>,
    /// Whether it was stopped before all was done.
    pub stopped: bool,
}

/// A store in the same directory: the segment would be the object itself, and be removed as if it were safe elsewhere.
fn refuse_itself(directory: &dyn Directory, store: &dyn Store) -> Result<()> {
    match store.is_directory(directory.path()) {
        true => {
            let reason = format!("the store {} is the log's own directory: name another one", store.url());
            Err(Error::invalid(reason).at(directory.path()))
        }
        false => Ok(()),
    }
}

impl Shipper {
    /// Ships the log `log` of a directory; without a name, the only one that is there. Nothing is sent yet.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for an invalid URL or option, or several logs without a name, [`crate::Kind::NotFound`]
    /// when there is no such directory or log, [`crate::Kind::Locked`] when another process, or another `Shipper`,
    /// ships the log (not with [`ShipOptions::dry_run`]), and errors of the system.
    pub fn open(location: impl Into<Location>, log: Option<&str>, options: ShipOptions) -> Result<Self> {
        let directory = location.into().directory()?;
        match store::open(&options.url, &options.store) {
            Ok(store) => Self::to_store(directory, store, log, options),
            Err(error) => {
                // The log is to be shipped, and may be for the first time: nothing is removed here until it was.
                if !options.dry_run && !matches!(error.kind(), Kind::Invalid | Kind::Unsupported) {
                    keeper::mark(&*directory, Files::find(&directory, log)?.log(), options.file_mode)?;
                }
                Err(error)
            }
        }
    }

    /// As [`Self::open`], over a directory and a store that the caller provides.
    pub fn to_store(
        location: impl Into<Location>,
        store: Arc<dyn Store>,
        log: Option<&str>,
        options: ShipOptions,
    ) -> Result<Self> {
        let directory = location.into().directory()?;
        options.check()?;
        crate::log::mark::check_in(&*directory)?;
        log.map_or(Ok(()), crate::options::check_name)?;
        refuse_itself(&*directory, &*store)?;
        let files = Files::find(&directory, log)?;
        let keeper = match options.dry_run {
            true => Keeper::look(directory.clone(), files.log(), files.log_id())?,
            false => Keeper::open(directory.clone(), files.log(), files.log_id(), options.file_mode)?,
        };
        let log = files.log().to_owned();
        let reported = ShipStatus { log: log.clone(), store: store.url().to_owned(), ..ShipStatus::default() };
        let status = Mutex::new(Status { reported, oldest: None });
        let work = Work {
            files,
            keeper: Arc::new(Mutex::new(keeper)),
            ahead: Pipeline::default(),
            is_swept: false,
            is_met: false,
            there: BTreeMap::new(),
            catalog: Catalog::default(),
            looked_there: None,
            shipped_then: 0,
            asked: BTreeSet::new(),
            held: BTreeMap::new(),
            obstacles: BTreeMap::new(),
            reported: BTreeSet::new(),
        };
        let shipper = Shipper { directory, store, options, log, work: Mutex::new(work), status };
        let mut work = shipper.work.lock();
        let here = work.files.look(&shipper.directory)?;
        shipper.count_waiting(&work, &here);
        drop(work);
        Ok(shipper)
    }

    /// The names of the logs in a directory, each of which may be shipped. A segment that this user may not read does
    /// not hide others.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] when there is no such directory, or no segment in it; errors of the system.
    pub fn logs(location: impl Into<Location>) -> Result<Vec<String>> {
        let directory = location.into().directory()?;
        let logs = retention::logs_in(&directory, None)?;
        let names: BTreeSet<String> = logs.into_iter().map(|log| log.name).collect();
        match names.is_empty() {
            true => Err(Error::new(Kind::NotFound, "no segment (*.binlog) is here").at(directory.path())),
            false => Ok(names.into_iter().collect()),
        }
    }

    /// The log's name.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Ships all segments that are closed, and removes those that need not stay. Failures that may pass are retried for
    /// [`ShipOptions::patience`].
    ///
    /// Each segment is read and verified before it is sent. A damaged one is not sent: those after it are, but nothing
    /// from it on is removed here, until it is recovered or [`Self::accept`]ed. Segments that are neither here nor in
    /// the store hold back the removal in the same way.
    ///
    /// # Errors
    /// The first failure that an operator has to resolve, or that did not pass in that time: no later segment is
    /// shipped before it. [`crate::Kind::Mismatch`] when the store contains another object of the segment's name, which
    /// is left as it is. [`crate::Kind::Corrupt`], after everything else is done, when segments are damaged or missing,
    /// and [`crate::Kind::Mismatch`] when a whole file here differs from what was shipped; each was reported to
    /// `monitor`.
    pub fn run_once(&self, monitor: &dyn ShipMonitor) -> Result<ShipReport> {
        let mut work = self.work.lock();
        let mut report = ShipReport::default();
        let mut backoff = Backoff::new(self.options.first_delay, self.options.longest_delay);
        let mut since = Instant::now();
        let mut done = 0;
        loop {
            let Err(failure) = self.pass(&mut work, monitor, &mut report) else {
                return match work.obstacles.values().next() {
                    Some(first) if !self.options.dry_run && !report.stopped => {
                        Err(and_more(first, work.obstacles.len() - 1))
                    }
                    _ => Ok(report),
                };
            };
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            if report.uploaded.len() + report.pruned.len() > done {
                done = report.uploaded.len() + report.pruned.len();
                since = Instant::now();
                backoff.reset();
            }
            let left = self.options.patience.saturating_sub(since.elapsed());
            let is_over = failure.again == Again::WhenMended || left.is_zero();
            let wait = (!is_over).then(|| backoff.next(failure.again).min(left));
            self.note_failure(&failure, monitor, wait);
            let Some(wait) = wait else { return Err(failure.error) };
            monitor.wait(wait);
        }
    }

    /// Ships existing and new segments, until it is asked to stop or to finish. Failures are retried without limit.
    pub fn run(&self, monitor: &dyn ShipMonitor) {
        let mut backoff = Backoff::new(self.options.first_delay, self.options.longest_delay);
        while !monitor.stop() {
            let is_last = monitor.finish();
            let mut report = ShipReport::default();
            let passed = self.pass(&mut self.work.lock(), monitor, &mut report);
            if monitor.stop() {
                break;
            }
            if passed.is_ok() || !report.uploaded.is_empty() || !report.pruned.is_empty() {
                backoff.reset();
            }
            match passed {
                Ok(()) if is_last => break,
                Ok(()) => monitor.idle(),
                Err(failure) => {
                    let wait = backoff.next(failure.again);
                    self.note_failure(&failure, monitor, (!is_last).then_some(wait));
                    if is_last {
                        break;
                    }
                    // A new segment is no reason to try again earlier.
                    let began = Instant::now();
                    while let Some(left) = wait.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
                        if monitor.stop() || monitor.finish() {
                            break;
                        }
                        monitor.wait(left);
                    }
                }
            }
        }
    }

    /// The current status. Never waits for the thread that ships.
    pub fn status(&self) -> ShipStatus {
        let status = self.status.lock();
        let mut reported = status.reported.clone();
        reported.oldest_waiting = status.oldest.map(|closed| {
            let ago = self.options.clock.now_ns().saturating_sub(closed);
            Duration::from_nanos(u64::try_from(ago).unwrap_or(0))
        });
        reported
    }

    /// The same in the text format of Prometheus ([`ship_metrics`]).
    pub fn metrics(&self) -> String {
        ship_metrics(&[self.status()])
    }

    /// Counts the segments that the store does not contain yet.
    fn count_waiting(&self, work: &Work, here: &Here) {
        let keeper = work.keeper.lock();
        // It is shipped, or will be as it is.
        let is_going = |keeper: &Keeper, segment: &Local| {
            let known = entry_of(keeper, self.store.url(), segment);
            known.is_some_and(|known| known.accepted || known.stage.is_shipped())
        };
        let mut waiting = here.closed().filter(|(segment, _)| !is_shipped(&keeper, self.store.url(), segment));
        let mut status = self.status.lock();
        let first = waiting.next();
        let shipped = match first {
            Some((segment, _)) => here.closed().take_while(|(one, _)| one.sequence < segment.sequence).last(),
            None => here.closed().last(),
        };
        status.reported.shipped_up_to = shipped.map_or(0, |(segment, _)| segment.sequence);
        status.oldest = first.map(|(_, closed)| closed);
        let is_held = |segment: &&Local| work.held.contains_key(&segment.sequence) && !is_going(&keeper, segment);
        status.reported.damaged_segments = here.closed().map(|(segment, _)| segment).filter(is_held).count() as u64;
        (status.reported.waiting_segments, status.reported.waiting_bytes) = first
            .into_iter()
            .chain(waiting)
            .fold((0, 0), |(segments, bytes), (segment, _)| (segments + 1, bytes + segment.bytes));
    }

    /// Counts a failure for [`Self::status`].
    pub(crate) fn note_error(&self, error: &Error) {
        let mut status = self.status.lock();
        status.reported.failures += 1;
        status.reported.last_failure = Some((error.clone(), self.options.clock.now_ns()));
        status.reported.state = ShipState::Waiting;
    }

    fn note_failure(&self, failure: &Failure, monitor: &dyn ShipMonitor, wait: Option<Duration>) {
        self.note_error(&failure.error);
        monitor.failed(&failure.error, wait);
    }
}

/// The first of several obstacles.
fn and_more(first: &Error, more: usize) -> Error {
    match more {
        0 => first.clone(),
        more => first.clone().because(&format!("this and {more} more are in the way")),
    }
}
