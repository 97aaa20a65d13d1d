//! raft-engine: each record is one entry of one Raft group, written as a batch of its own.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::contender::{Read, SharedAppend};
use crate::{clock, Result};

/// A Raft group's entries must be appended in the order of their indexes, which threads without a common lock cannot
/// guarantee: each thread has a group of its own.
static NEXT_GROUP: AtomicU64 = AtomicU64::new(1);

/// index u64, time i64, type u32, reserved u32: these precede the payload in an entry.
const HEADER: usize = 24;

struct Indexed;

impl MessageExt for Indexed {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        u64::from_le_bytes(entry.value[0..8].try_into().expect("eight bytes"))
    }
}

/// What a thread keeps between its appends.
struct Thread {
    /// The writer that the rest belongs to.
    log: u64,
    group: u64,
    next_index: u64,
    entry: [BytesValue; 1],
    batch: LogBatch,
}

thread_local! {
    static THREAD: RefCell<Option<Thread>> = const { RefCell::new(None) };
}

static NEXT_LOG: AtomicU64 = AtomicU64::new(1);

pub struct RaftEngineWriter {
    engine: Engine,
    log: u64,
    sync: bool,
}

impl RaftEngineWriter {
    /// With `sync`, each append is on the disk when it returns; the engine lets threads share an fdatasync.
    pub fn create(folder: &Path, sync: bool) -> Result<Self> {
        Ok(RaftEngineWriter { engine: open(folder)?, log: NEXT_LOG.fetch_add(1, Ordering::Relaxed), sync })
    }

    /// On return, everything so far is on the disk.
    pub fn sync(&self) -> Result<()> {
        Ok(self.engine.sync()?)
    }
}

fn open(folder: &Path) -> Result<Engine> {
    let dir = folder.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
    // No other contender compresses here.
    Ok(Engine::open(Config { dir, batch_compression_threshold: ReadableSize(0), ..Config::default() })?)
}

impl SharedAppend for RaftEngineWriter {
    fn append(&self, payload: &[u8]) -> Result<()> {
        THREAD.with_borrow_mut(|thread| {
            let thread = thread.get_or_insert_with(|| Thread::new(self.log));
            if thread.log != self.log {
                *thread = Thread::new(self.log);
            }
            let value = &mut thread.entry[0].value;
            value.clear();
            value.extend_from_slice(&thread.next_index.to_le_bytes());
            value.extend_from_slice(&clock::now().to_le_bytes());
            value.extend_from_slice(&1_u64.to_le_bytes());
            value.extend_from_slice(payload);
            thread.batch.add_entries::<Indexed>(thread.group, &thread.entry)?;
            self.engine.write(&mut thread.batch, self.sync)?;
            thread.next_index += 1;
            Ok(())
        })
    }

    fn flush(&self) -> Result<()> {
        Ok(()) // every write is a write(2) of its own
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

impl Thread {
    fn new(log: u64) -> Self {
        let group = NEXT_GROUP.fetch_add(1, Ordering::Relaxed);
        Thread { log, group, next_index: 1, entry: Default::default(), batch: LogBatch::default() }
    }
}

pub struct RaftEngineReader;

impl Read for RaftEngineReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let engine = open(folder)?;
        let mut entries = Vec::new();
        for group in engine.raft_groups() {
            let last = engine.last_index(group).ok_or("a group without entries")?;
            for first in (1..=last).step_by(1_000) {
                entries.clear();
                engine.fetch_entries_to::<Indexed>(group, first, (first + 1_000).min(last + 1), None, &mut entries)?;
                entries.iter().for_each(|entry| visit(&entry.value[HEADER..]));
            }
        }
        Ok(())
    }
}
