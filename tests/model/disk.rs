//! A directory whose operations fail at random, by the scheduler's dice, and at each of which another thread may run.

use std::io::{Error, IoSlice, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use binlog::io::{Access, Directory, File, FileFacts, Identity, MemoryDirectory};
use shuttle::rand::{thread_rng, Rng};

/// How often each operation fails.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Of 100 writes, how many fail for lack of space.
    pub full: u32,
    /// Of 100 syncs, how many fail.
    pub syncs: u32,
    /// After so many failed operations all succeed: space became available, or no process could write the log.
    pub most: usize,
}

struct State {
    faults: Faults,
    failed: AtomicUsize,
    fails: AtomicBool,
}

impl State {
    /// Lets another thread run, and then fails `percent` of 100 operations.
    fn pass(&self, percent: u32, errno: i32) -> Result<()> {
        shuttle::thread::yield_now();
        if !self.fails.load(Ordering::Relaxed) || percent == 0 || !thread_rng().gen_ratio(percent, 100) {
            return Ok(());
        }
        if self.failed.fetch_add(1, Ordering::Relaxed) >= self.faults.most {
            return Ok(());
        }
        Err(Error::from_raw_os_error(errno))
    }
}

#[derive(Clone)]
pub struct Disk {
    pub memory: MemoryDirectory,
    state: Arc<State>,
}

impl Disk {
    pub fn new(faults: Faults) -> Self {
        let state = State { faults, failed: AtomicUsize::new(0), fails: AtomicBool::new(false) };
        Disk { memory: MemoryDirectory::new(), state: Arc::new(state) }
    }

    /// Whether operations fail from now on; none does before the first call.
    pub fn fails(&self, fails: bool) {
        self.state.fails.store(fails, Ordering::Relaxed);
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(Handle { file, state: self.state.clone() })
    }
}

impl Directory for Disk {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.memory.open(name, access)?))
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        shuttle::thread::yield_now();
        Ok(self.wrap(self.memory.create(name, mode)?))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.memory.open_or_create(name, mode)?))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.memory.list()
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        self.memory.facts(name)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.memory.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.memory.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.memory.link(from, to)
    }

    fn sync(&self) -> Result<()> {
        self.state.pass(self.state.faults.syncs, libc::EIO)?;
        self.memory.sync()
    }
}

struct Handle {
    file: Arc<dyn File>,
    state: Arc<State>,
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        self.state.pass(self.state.faults.full, libc::ENOSPC)?;
        // Some writes end early, as on a disk that is nearly full.
        let first = parts.iter().find(|part| part.len() > 1);
        match first {
            Some(first) if self.state.faults.full > 0 && thread_rng().gen_ratio(1, 8) => {
                self.file.write_at(&[IoSlice::new(&first[..first.len() / 2])], offset)
            }
            _ => self.file.write_at(parts, offset),
        }
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.file.allocate(offset, len)
    }

    fn sync_data(&self) -> Result<()> {
        self.state.pass(self.state.faults.syncs, libc::EIO)?;
        self.file.sync_data()
    }

    fn try_lock(&self) -> Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.file.unlock()
    }

    fn is_locked(&self) -> Result<bool> {
        self.file.is_locked()
    }

    fn identity(&self) -> Result<Option<Identity>> {
        self.file.identity()
    }
}
