//! The segments that come next, while one becomes an object: they are read, and their parts are sent.
//!
//! Nothing of that can be seen before its turn has come: an upload in parts is no object until it is finished, and that is
//! left to the one who ships, in order. What fails in sending is tried once more there, and told. What fails in reading is told
//! as it is: a sync that is repeated after it has failed may call durable what is not.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::keeper::{Keeper, Noting};
use super::local::Local;
use super::pass::{entry_of, token_for};
use super::sound::{damage_of, Behind};
use super::{here as failed_here, ShipMonitor, Shipper};
use crate::archive::life::{Entry, Stage};
use crate::error::{Error, Result};
use crate::io::{thread, Access, Directory, File};
use crate::store::{Answer, Monitor, Store, Sums, Upload};

/// How often whoever waits looks how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// A segment that is about to be sent: durable, and what was read of it.
#[derive(Clone)]
pub(super) struct Summed {
    pub file: Arc<dyn File>,
    pub sums: Sums,
    /// What is wrong with it.
    pub damage: Option<Error>,
}

/// What is read of a segment before it is sent.
pub(super) struct Reading {
    pub directory: Arc<dyn Directory>,
    pub name: String,
    pub behind: Behind,
    pub part_bytes: u64,
}

/// Threads for the segments that come next, in their order. Dropped, they stop.
#[derive(Default)]
pub(super) struct Ahead {
    runs: VecDeque<Run>,
}

struct Run {
    sequence: u64,
    name: String,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes of parts that the store has taken, and of those that it had.
    sent: AtomicU64,
    found: AtomicU64,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    read: Option<Result<Summed>>,
    has_ended: bool,
}

impl Ahead {
    /// Begins with these segments, each with what is behind it, unless it has already.
    pub fn begin<'a>(
        &mut self,
        shipper: &Shipper,
        keeper: &Arc<Mutex<Keeper>>,
        next: impl IntoIterator<Item = &'a (Local, Behind)>,
    ) {
        for (segment, behind) in next {
            if !self.runs.iter().any(|run| run.sequence == segment.sequence) {
                self.runs.extend(Run::start(shipper, keeper, segment, behind.clone()));
            }
        }
    }

    /// What was read of this segment, when its thread is done: waits for that, and tells `sent` how many more bytes the store
    /// has taken, and how many it had, until that wants no more. `None` when no thread has read it.
    pub fn finish(&mut self, segment: &Local, mut sent: impl FnMut(u64, u64) -> bool) -> Option<Result<Summed>> {
        // Those before it were shipped in another form.
        self.runs.retain(|run| run.sequence >= segment.sequence);
        if self.runs.front()?.sequence != segment.sequence {
            return None;
        }
        let run = self.runs.pop_front().filter(|run| run.name == segment.name)?;
        let mut told = (0, 0);
        loop {
            let mut state = run.shared.state.lock();
            if !state.has_ended {
                run.shared.changed.wait_for(&mut state, LOOK);
            }
            let (has_ended, read) = (state.has_ended, state.read.clone());
            drop(state);
            let so_far = (run.shared.sent.load(Ordering::Relaxed), run.shared.found.load(Ordering::Relaxed));
            let goes_on = sent(so_far.0 - told.0, so_far.1 - told.1);
            if has_ended || !goes_on {
                return read;
            }
            told = so_far;
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // All of them before one is waited for.
        self.runs.iter().for_each(Run::stop);
    }
}

impl Run {
    /// `None` when there is no such file any more, or no thread to be had: then the one who ships sees to it.
    fn start(shipper: &Shipper, keeper: &Arc<Mutex<Keeper>>, segment: &Local, behind: Behind) -> Option<Self> {
        let shared = Arc::<Shared>::default();
        let known = entry_of(&keeper.lock(), shipper.store.url(), segment).cloned();
        let job = Job {
            reading: shipper.reading(segment, behind),
            file: shipper.directory.open(&segment.name, Access::Read).ok()?,
            path: shipper.directory.path_of(&segment.name),
            accepted: known.as_ref().is_some_and(|known| known.accepted),
            store: shipper.store.clone(),
            known,
            noting: Noting::new(
                keeper.clone(),
                shipper.entry(segment, Stage::Uploading, segment.name.clone(), segment.bytes),
                shipper.options.clock.clone(),
            ),
            shared: shared.clone(),
        };
        let body = move || {
            // Also after a panic: the one who ships waits for it, and then does it all by itself.
            let _ended = Ended(job.shared.clone());
            // What has failed in sending is tried once more by the one who ships, and told.
            let _ = job.run();
        };
        let thread = thread::spawn("binlog-ahead", body).ok()?;
        Some(Run { sequence: segment.sequence, name: segment.name.clone(), thread: Some(thread), shared })
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Says that a thread is done, however it was.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.state.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a thread does.
struct Job {
    reading: Reading,
    file: Arc<dyn File>,
    path: PathBuf,
    /// It is sent although it is damaged.
    accepted: bool,
    store: Arc<dyn Store>,
    known: Option<Entry>,
    noting: Noting,
    shared: Arc<Shared>,
}

impl Job {
    fn run(mut self) -> Answer<()> {
        let read = self.reading.read(1, self.file.clone(), &self.shared.stop, &|| false);
        let read = read.map_err(|e| e.at(&self.path));
        self.shared.state.lock().read = Some(read.clone());
        let Summed { file, sums, damage } = read.map_err(failed_here)?;
        if damage.is_some() && !self.accepted {
            return Ok(());
        }
        let entry = &mut self.noting.entry;
        (entry.bytes, entry.sha256) = (sums.bytes, Some(sums.sha256));
        // What is there already is compared by the one who ships.
        if !self.store.can_read() || sums.part_md5.len() < 2 || self.store.stat(&entry.file)?.is_some() {
            return Ok(());
        }
        entry.token = token_for(&*self.store, self.known.take(), entry)?;
        let upload = Upload {
            name: &self.noting.entry.file,
            source: &*file,
            path: &self.path,
            sums: &sums,
            resume: self.noting.entry.token.as_deref(),
            monitor: &self,
        };
        self.store.send_parts(&upload)
    }
}

impl Monitor for Job {
    fn sent(&self, bytes: u64) {
        self.shared.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn found(&self, bytes: u64) {
        self.shared.found.fetch_add(bytes, Ordering::Relaxed);
    }

    fn note(&self, token: &str) -> Result<()> {
        self.noting.note(token)
    }

    fn stop(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }
}

impl Shipper {
    pub(super) fn reading(&self, segment: &Local, behind: Behind) -> Reading {
        Reading {
            directory: self.directory.clone(),
            name: segment.name.clone(),
            behind,
            part_bytes: self.options.store.part_bytes,
        }
    }

    /// Makes a segment durable and reads it.
    pub(super) fn read(
        &self,
        file: Arc<dyn File>,
        segment: &Local,
        behind: Behind,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Summed> {
        let stop = || monitor.stop();
        let read = self.reading(segment, behind).read(self.options.threads, file, &Arc::default(), &stop);
        read.map_err(|e| failed_here(e.at(&self.directory.path_of(&segment.name))))
    }

    /// Checksums of a file that was sent before.
    pub(super) fn sums(&self, file: &Arc<dyn File>, path: &Path, monitor: &dyn ShipMonitor) -> Answer<Sums> {
        let stop = || monitor.stop();
        let sums = Sums::by(self.options.threads, file, self.options.store.part_bytes, &Arc::default(), &stop);
        sums.map_err(|e| failed_here(e.at(path)))
    }
}

impl Reading {
    fn read(
        &self,
        threads: u32,
        file: Arc<dyn File>,
        stop: &Arc<AtomicBool>,
        ask: &dyn Fn() -> bool,
    ) -> Result<Summed> {
        // The writer may not have come to it yet; what is in the store must not be ahead of what survives here.
        file.sync_data().map_err(|e| Error::io(&e, "sync"))?;
        let sums = Sums::by(threads, &file, self.part_bytes, stop, ask)?;
        let stopped = || stop.load(Ordering::Relaxed) || ask();
        let damage = damage_of(&self.directory, &self.name, &self.behind, &stopped)?;
        Ok(Summed { file, sums, damage })
    }
}
