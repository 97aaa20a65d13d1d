//! Reads the next segments, and sends their parts, while one is being completed.
//!
//! Nothing of that is visible before its turn: an upload in parts is no object until it is completed, which the thread
//! that ships does, in order. A failure in sending is retried and reported there. A failure in reading is reported
//! without a retry: a sync that is repeated after a failure may report data as durable that is not.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::keeper::Noting;
use super::local::{failed_here, Local};
use super::sound::{damage_of, Behind};
use crate::error::{Error, Result};
use crate::io::{thread, Directory, File};
use crate::ledger::Entry;
use crate::store::{Answer, Monitor, Store, Sums, Upload};

/// How often a waiting thread looks at the progress.
const LOOK: Duration = Duration::from_millis(50);

/// A segment that is ready to be sent: durable, and with its checksums.
#[derive(Clone)]
pub(super) struct Summed {
    pub file: Arc<dyn File>,
    pub sums: Sums,
    /// Damage that was found.
    pub damage: Option<Error>,
}

/// The inputs for reading a segment before it is sent.
pub(super) struct Reading {
    pub directory: Arc<dyn Directory>,
    pub name: String,
    pub behind: Behind,
    pub part_bytes: u64,
}

/// Threads for the next segments, in their order. They are stopped when this is dropped.
#[derive(Default)]
pub(super) struct Pipeline {
    runs: VecDeque<Run>,
}

struct Run {
    sequence: u64,
    name: String,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
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

impl Pipeline {
    /// Starts these segments, each with what comes after it, unless they are started already. `job` returns `None` for
    /// a file that no longer exists.
    pub fn begin<'a>(
        &mut self,
        next: impl IntoIterator<Item = &'a (Local, Behind)>,
        job: impl Fn(&Local, Behind) -> Option<Job>,
    ) {
        for (segment, behind) in next {
            if !self.runs.iter().any(|run| run.sequence == segment.sequence) {
                self.runs.extend(job(segment, behind.clone()).and_then(|job| Run::start(segment, job)));
            }
        }
    }

    /// The result of reading this segment. Waits until its thread is done, and calls `sent` with how many more bytes
    /// the store has taken and how many it had, until `sent` returns false. `None` when no thread has read it.
    pub fn finish(&mut self, segment: &Local, mut sent: impl FnMut(u64, u64) -> bool) -> Option<Result<Summed>> {
        // Segments before it were shipped in another form.
        self.runs.retain(|run| run.sequence >= segment.sequence);
        if self.runs.front()?.sequence != segment.sequence {
            return None;
        }
        let run = self.runs.pop_front().filter(|run| run.name == segment.name)?;
        let mut reported = (0, 0);
        loop {
            let mut state = run.shared.state.lock();
            if !state.has_ended {
                run.shared.changed.wait_for(&mut state, LOOK);
            }
            let (has_ended, read) = (state.has_ended, state.read.clone());
            drop(state);
            let so_far = (run.shared.sent.load(Ordering::Relaxed), run.shared.found.load(Ordering::Relaxed));
            let continues = sent(so_far.0 - reported.0, so_far.1 - reported.1);
            if has_ended || !continues {
                return read;
            }
            reported = so_far;
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // All are stopped before any is waited for.
        self.runs.iter().for_each(Run::stop);
    }
}

impl Run {
    /// `None` when no thread can be started: then the thread that ships handles the segment.
    fn start(segment: &Local, job: Job) -> Option<Self> {
        let shared = job.shared.clone();
        let body = move || {
            // Also after a panic: the thread that ships waits for it, and then does everything itself.
            let _ended = Ended(job.shared.clone());
            // A failure in sending is retried by the thread that ships, and reported.
            let _ = job.run();
        };
        let thread = thread::spawn("binlog-ahead", body).ok()?;
        Some(Run { sequence: segment.sequence, name: segment.name.clone(), thread: Some(thread), shared })
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Reports that a thread is done, even after a panic.
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

/// The work of a thread.
pub(super) struct Job {
    pub reading: Reading,
    pub file: Arc<dyn File>,
    pub path: PathBuf,
    /// It is sent although it is damaged.
    pub accepted: bool,
    pub store: Arc<dyn Store>,
    pub known: Option<Entry>,
    pub noting: Noting,
    pub shared: Arc<Shared>,
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
        // An existing object is compared by the thread that ships.
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

/// The token to resume an earlier upload; an upload of other bytes is given up.
pub(super) fn token_for(store: &dyn Store, known: Option<Entry>, entry: &Entry) -> Answer<Option<String>> {
    let Some(known) = known else { return Ok(None) };
    let Some(token) = known.token else { return Ok(None) };
    if known.file == entry.file && known.sha256 == entry.sha256 {
        return Ok(Some(token));
    }
    store.abort(&known.file, &token)?;
    Ok(None)
}

impl Reading {
    pub fn read(
        &self,
        threads: u32,
        file: Arc<dyn File>,
        stop: &Arc<AtomicBool>,
        ask: &dyn Fn() -> bool,
    ) -> Result<Summed> {
        // The writer may not have synced it yet; the store must not be ahead of what survives a crash here.
        file.sync_data().map_err(|e| Error::io(&e, "sync"))?;
        let sums = Sums::by(threads, &file, self.part_bytes, stop, ask)?;
        let stopped = || stop.load(Ordering::Relaxed) || ask();
        let damage = damage_of(&self.directory, &self.name, &self.behind, &stopped)?;
        Ok(Summed { file, sums, damage })
    }
}
