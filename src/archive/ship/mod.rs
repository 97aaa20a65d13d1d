//! Ships the closed segments of a log to a store, in their order, and removes them here when that is safe.
//!
//! A segment goes through the stages of [`Stage`]; each is noted in `<log>.archive` (`super::life`) before or after the step
//! that it stands for, so that a process that dies at any moment, and the next one that takes over, repeat at the most what
//! may be repeated: an upload never overwrites an object, and one that is there is compared.

mod ahead;
mod backoff;
mod catalog;
mod held;
mod holes;
mod keeper;
mod local;
mod meet;
mod pass;
mod prune;
mod replace;
mod sound;
mod status;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::archive::Pruned;
use crate::error::{Error, Kind, Result};
use crate::io::{Directory, RealDirectory};
use crate::log::retention;
use crate::options::ShipOptions;
use crate::store::{self, Again, Failure, Store};
use ahead::Ahead;
pub(crate) use backoff::Backoff;
use catalog::Catalog;
use held::{HeldBack, Obstacle};
use keeper::Keeper;
use local::{Files, Here, Local};
pub use status::{archive_metrics, ShipState, ShipStatus};
pub use verify::{Problem, VerifyReport};

/// How often [`Shipper::run`] looks for new segments.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ships one log to one store. A log has one shipper at a time; its methods may be called from any thread, and those that
/// ship take turns.
pub struct Shipper {
    directory: Arc<dyn Directory>,
    store: Arc<dyn Store>,
    options: ShipOptions,
    log: String,
    work: Mutex<Work>,
    status: Mutex<Status>,
}

/// What the one who ships works with.
struct Work {
    files: Files,
    /// Where an upload notes how far it is, too.
    keeper: Arc<Mutex<Keeper>>,
    /// Threads for the segments that come next.
    ahead: Ahead,
    /// Leftovers were looked for.
    is_swept: bool,
    /// The store was found to be this log's.
    is_met: bool,
    /// Segments that it held then, and their lengths, by the names that they have when they are not compressed.
    there: BTreeMap<String, Vec<(String, u64)>>,
    /// What lists and counts the segments there.
    catalog: Catalog,
    /// When the store was looked through for what need not stay there.
    looked_there: Option<Instant>,
    /// Segments that this process had brought there by then.
    came_there: u64,
    /// Holes that the store was asked about.
    asked: BTreeSet<holes::Numbers>,
    /// Damaged segments that are not sent, by their numbers.
    held: BTreeMap<u64, HeldBack>,
    /// What keeps segments from being sent or removed until somebody has seen to it, in the order of the segments.
    obstacles: BTreeMap<Obstacle, Error>,
    /// Those that were told.
    told: BTreeSet<Obstacle>,
}

#[derive(Default)]
struct Status {
    told: ShipStatus,
    /// When the oldest segment that waits was closed.
    oldest: Option<i64>,
}

/// Follows what a [`Shipper`] does, and may end it. Called from the thread that ships.
pub trait ShipMonitor: Sync {
    /// A segment of so many bytes is about to be sent.
    fn begins(&self, segment: &Shipped) {
        let _ = segment;
    }

    /// So many more bytes of it have been taken by the store, or were found there from an earlier try.
    fn sent(&self, bytes: u64) {
        let _ = bytes;
    }

    /// The store holds it.
    fn uploaded(&self, segment: &Shipped) {
        let _ = segment;
    }

    /// Its file here was removed.
    fn pruned(&self, segment: &Pruned) {
        let _ = segment;
    }

    /// Something has failed; it is tried again after the time that is told, if any is.
    fn failed(&self, error: &Error, wait: Option<Duration>) {
        let _ = (error, wait);
    }

    /// Something is in the way of sending segments or of removing them here, until somebody has seen to it: a damaged or a
    /// missing segment, or a file. Told once for each. What is not told of it here passes for a failure.
    fn obstacle(&self, error: &Error) {
        self.failed(error, None);
    }

    /// Whether to stop. What is being sent is given up soon, and gone on with the next time.
    fn stop(&self) -> bool {
        false
    }

    /// Whether to end when what is there now has been shipped, or as soon as something fails.
    fn finish(&self) -> bool {
        false
    }

    /// Waits until there may be new segments: a second, unless somebody knows better.
    fn idle(&self) {
        self.wait(LOOK_EVERY);
    }

    /// Waits so long, or until there is a reason to look for new segments before, or to stop.
    fn wait(&self, time: Duration) {
        let began = Instant::now();
        while !self.stop() {
            let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else { break };
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// For whoever wants to know nothing.
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
    /// The store held it already.
    pub found: bool,
}

/// What [`Shipper::run_once`] has done, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShipReport {
    /// Segments that the store holds now.
    pub uploaded: Vec<Shipped>,
    /// Segments that were removed here.
    pub pruned: Vec<Pruned>,
    /// Objects that were removed in the store.
    pub pruned_there: Vec<Pruned>,
    /// Segments that the rules have removed here stay for this store, which holds others of the log, and not them yet.
    pub kept_for: Option<String>,
    /// Whether it was told to stop before all was done.
    pub stopped: bool,
}

/// A segment that lies in the store already because it is the same file would be removed as one that is safe elsewhere.
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
    /// [`crate::Kind::Invalid`] for a URL or options that are none, or several logs without a name,
    /// [`crate::Kind::NotFound`] when there is no such directory or log, [`crate::Kind::Locked`] when another process, or
    /// another `Shipper`, ships the log (not with [`ShipOptions::dry_run`]), and what the system says.
    pub fn open(path: impl AsRef<Path>, log: Option<&str>, options: ShipOptions) -> Result<Self> {
        let path = path.as_ref();
        let directory = RealDirectory::open(path).map_err(|e| Error::io(&e, "open the directory").at(path))?;
        let store = store::open(&options.url, &options.store)?;
        Self::open_in(Arc::new(directory), store, log, options)
    }

    /// As [`Self::open`], over a directory and a store of the caller's making.
    pub fn open_in(
        directory: Arc<dyn Directory>,
        store: Arc<dyn Store>,
        log: Option<&str>,
        options: ShipOptions,
    ) -> Result<Self> {
        options.check()?;
        log.map_or(Ok(()), crate::log::check_name)?;
        refuse_itself(&*directory, &*store)?;
        let files = Files::find(&directory, log)?;
        let keeper = match options.dry_run {
            true => Keeper::look(directory.clone(), files.log(), files.log_id())?,
            false => Keeper::open(directory.clone(), files.log(), files.log_id(), options.file_mode)?,
        };
        let log = files.log().to_owned();
        let told = ShipStatus { log: log.clone(), store: store.url().to_owned(), ..ShipStatus::default() };
        let status = Mutex::new(Status { told, oldest: None });
        let work = Work {
            files,
            keeper: Arc::new(Mutex::new(keeper)),
            ahead: Ahead::default(),
            is_swept: false,
            is_met: false,
            there: BTreeMap::new(),
            catalog: Catalog::default(),
            looked_there: None,
            came_there: 0,
            asked: BTreeSet::new(),
            held: BTreeMap::new(),
            obstacles: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        let shipper = Shipper { directory, store, options, log, work: Mutex::new(work), status };
        let mut work = shipper.work.lock();
        let here = work.files.look(&shipper.directory)?;
        shipper.count_waiting(&work, &here);
        drop(work);
        Ok(shipper)
    }

    /// The names of the logs in a directory, each of which may be shipped. A segment that this user may not read hides no other.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] when there is no such directory, or no segment in it; what the system says.
    pub fn logs(path: impl AsRef<Path>) -> Result<Vec<String>> {
        let path = path.as_ref();
        let directory = RealDirectory::open(path).map_err(|e| Error::io(&e, "open the directory").at(path))?;
        let logs = retention::logs_in(&(Arc::new(directory) as Arc<dyn Directory>), None)?;
        let names: BTreeSet<String> = logs.into_iter().map(|log| log.name).collect();
        match names.is_empty() {
            true => Err(Error::new(Kind::NotFound, "no segment (*.binlog) is here").at(path)),
            false => Ok(names.into_iter().collect()),
        }
    }

    /// The log's name.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Ships all segments that are closed, and removes those that need not stay. What fails and may work later is tried again
    /// for as long as [`ShipOptions::patience`] says.
    ///
    /// Each segment is read and verified before it is sent. A damaged one is not sent: those behind it are, but nothing from it
    /// on is removed here, until it is recovered or [`Self::accept`]ed. Segments that are neither here nor in the store hold
    /// back the removal in the same way.
    ///
    /// # Errors
    /// The first failure that somebody has to mend, or that did not pass in that time: no later segment is shipped before it.
    /// [`crate::Kind::Mismatch`] when the store holds another object of the segment's name, which is left as it is.
    /// [`crate::Kind::Corrupt`], once all else is done, when segments are damaged or missing, and [`crate::Kind::Mismatch`]
    /// when a whole file is another one here than was shipped; `monitor` was told of each.
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

    /// Ships what there is and what is still to come, until it is told to stop or to finish. What fails is tried again for ever.
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
                    // A new segment is no reason to try again before.
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

    /// How far it is. Never waits for the one who ships.
    pub fn status(&self) -> ShipStatus {
        let status = self.status.lock();
        let mut told = status.told.clone();
        told.oldest_waiting = status.oldest.map(|closed| {
            let ago = self.options.clock.now_ns().saturating_sub(closed);
            Duration::from_nanos(u64::try_from(ago).unwrap_or(0))
        });
        told
    }

    /// The same in the text format of Prometheus ([`archive_metrics`]).
    pub fn metrics(&self) -> String {
        archive_metrics(&[self.status()])
    }

    /// Counts what the store does not hold yet.
    fn count_waiting(&self, work: &Work, here: &Here) {
        let keeper = work.keeper.lock();
        // It is shipped, or goes as it is.
        let is_going = |keeper: &Keeper, segment: &Local| {
            let known = pass::entry_of(keeper, self.store.url(), segment);
            known.is_some_and(|known| known.accepted || known.stage.is_shipped())
        };
        let mut waiting = here.closed().filter(|(segment, _)| !pass::is_shipped(&keeper, self.store.url(), segment));
        let mut status = self.status.lock();
        let first = waiting.next();
        let shipped = match first {
            Some((segment, _)) => here.closed().take_while(|(one, _)| one.sequence < segment.sequence).last(),
            None => here.closed().last(),
        };
        status.told.shipped_up_to = shipped.map_or(0, |(segment, _)| segment.sequence);
        status.oldest = first.map(|(_, closed)| closed);
        let is_held = |segment: &&Local| work.held.contains_key(&segment.sequence) && !is_going(&keeper, segment);
        status.told.damaged_segments = here.closed().map(|(segment, _)| segment).filter(is_held).count() as u64;
        (status.told.waiting_segments, status.told.waiting_bytes) = first
            .into_iter()
            .chain(waiting)
            .fold((0, 0), |(segments, bytes), (segment, _)| (segments + 1, bytes + segment.bytes));
    }

    /// Takes note of a failure for [`Self::status`].
    pub(crate) fn note_error(&self, error: &Error) {
        let mut status = self.status.lock();
        status.told.failures += 1;
        status.told.last_failure = Some((error.clone(), self.options.clock.now_ns()));
        status.told.state = ShipState::Waiting;
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

/// Something has failed here, not in the store: somebody has to see to it.
fn here(error: Error) -> Failure {
    Failure { error, again: Again::WhenMended }
}
