//! A directory in memory that distinguishes what is on the disk from what only the running system remembers: a test can
//! cut the power at any operation and examine what may be left.
//!
//! The rules are those of POSIX, without the stronger ones of any file system: contents and length of a file are
//! durable when its `sync_data` has returned, names when the directory's `sync` has. Everything else may be there or
//! not, page by page and name by name. A sync that fails leaves the pages as the running system shows them, and clean:
//! no later sync writes them, not even when they are written again, as on ext4, until the system has evicted them.

mod disk;
mod survive;

use std::io::{Error, IoSlice, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::Operation;
use crate::io::{Access, Directory, File, Identity, Rights};
use disk::Disk;
pub use survive::{Fate, Image, Survival};

/// A directory of a machine whose power can be cut, as one process sees it.
#[derive(Clone)]
pub struct PowerDirectory {
    machine: Arc<Machine>,
    process: usize,
}

struct Machine {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    disk: Disk,
    /// The live process; the handles of earlier ones are dead.
    process: usize,
    /// Handles opened so far.
    handles: usize,
    /// The operations that changed something or made it durable.
    done: Vec<(Operation, String)>,
    cut_at: usize,
    /// The only operation that fails.
    fail_at: usize,
    /// The operation that failed because the power was cut.
    refused: Option<(Operation, String)>,
}

struct Handle {
    directory: PowerDirectory,
    number: usize,
    inode: usize,
    name: String,
}

impl PowerDirectory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::with(Disk::default())
    }

    fn with(disk: Disk) -> Self {
        let (done, refused) = (vec![], None);
        let state = State { disk, process: 0, handles: 0, done, cut_at: usize::MAX, fail_at: usize::MAX, refused };
        PowerDirectory { machine: Arc::new(Machine { path: "power:".into(), state: Mutex::new(state) }), process: 0 }
    }

    /// Cuts the power at operation number `n`, counted from 0: that one and all later ones fail with EIO. Only
    /// operations that change something or make it durable count: a cut at any other leaves the same behind.
    pub fn cut_at(&self, n: usize) {
        self.machine.state.lock().cut_at = n;
    }

    /// Fails only operation number `n`, counted from 0 as [`Self::cut_at`] counts, with EIO: the disk has failed for a
    /// moment. A sync that fails so has lost what it was to make durable.
    pub fn fail_at(&self, n: usize) {
        self.machine.state.lock().fail_at = n;
    }

    /// The operations that count for [`Self::cut_at`], with the names of their files, in the order in which they were
    /// done.
    pub fn done(&self) -> Vec<(Operation, String)> {
        self.machine.state.lock().done.clone()
    }

    /// The operation that failed when the power was cut; `None` while there is power.
    pub fn refused(&self) -> Option<(Operation, String)> {
        self.machine.state.lock().refused.clone()
    }

    /// The directory as the next process finds it after this one was killed: only the handles and their locks are lost,
    /// and nothing has become durable. There is power again, and operations are counted from 0.
    pub fn after_kill(&self) -> Self {
        let mut state = self.machine.state.lock();
        state.process += 1;
        state.disk.forget_locks();
        state.cut_at = usize::MAX;
        state.fail_at = usize::MAX;
        state.refused = None;
        state.done.clear();
        PowerDirectory { machine: self.machine.clone(), process: state.process }
    }

    /// A separate machine that has done and lost the same so far, for another course of events. No process has a file
    /// open there.
    pub fn fork(&self) -> Self {
        let mut disk = self.machine.state.lock().disk.clone();
        disk.forget_locks();
        Self::with(disk)
    }

    /// What is left after a power cut now. The image is a separate machine, in which everything is durable.
    pub fn image(&self, survival: Survival) -> Image {
        let (disk, fates) = survive::image(&self.machine.state.lock().disk, survival);
        Image { directory: Self::with(disk), fates }
    }

    /// The contents of a file, as the running system sees them.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.machine.state.lock();
        Some(state.disk.inode(state.disk.find(name)?).now.clone())
    }

    /// The state, if the operation may proceed. One that changes nothing may until one that does was refused.
    fn pass(&self, operation: Operation, name: &str) -> Result<MutexGuard<'_, State>> {
        match self.pass_or_fail(operation, name)? {
            (state, false) => Ok(state),
            (_, true) => error(libc::EIO),
        }
    }

    /// As [`Self::pass`]; true when this operation has to fail.
    fn pass_or_fail(&self, operation: Operation, name: &str) -> Result<(MutexGuard<'_, State>, bool)> {
        let mut state = self.machine.state.lock();
        let counts = !matches!(
            operation,
            Operation::Open | Operation::List | Operation::Read | Operation::Len | Operation::Allocate
        );
        if self.process == state.process && counts && state.refused.is_none() && state.done.len() >= state.cut_at {
            state.refused = Some((operation, name.to_owned()));
        }
        if self.process != state.process || state.refused.is_some() {
            return Err(Error::from_raw_os_error(libc::EIO));
        }
        let fails = counts && state.done.len() == state.fail_at;
        if counts {
            state.done.push((operation, name.to_owned()));
            state.disk.tick();
        }
        Ok((state, fails))
    }

    /// The file of this name. An operation that fails because the name is missing, or taken, does not count.
    fn finds(&self, name: &str) -> Result<Option<usize>> {
        Ok(self.pass(Operation::Open, name)?.disk.find(name))
    }

    fn handle(&self, state: &mut State, inode: usize, name: &str) -> Arc<dyn File> {
        state.handles += 1;
        Arc::new(Handle { directory: self.clone(), number: state.handles, inode, name: name.to_owned() })
    }
}

impl Default for PowerDirectory {
    fn default() -> Self {
        Self::new()
    }
}

fn error<T>(code: i32) -> Result<T> {
    Err(Error::from_raw_os_error(code))
}

impl Directory for PowerDirectory {
    fn path(&self) -> &Path {
        &self.machine.path
    }

    fn open(&self, name: &str, _access: Access) -> Result<Arc<dyn File>> {
        let mut state = self.pass(Operation::Open, name)?;
        match state.disk.find(name) {
            Some(inode) => Ok(self.handle(&mut state, inode, name)),
            None => error(libc::ENOENT),
        }
    }

    fn create(&self, name: &str, _mode: u32) -> Result<Arc<dyn File>> {
        if self.finds(name)?.is_some() {
            return error(libc::EEXIST);
        }
        let mut state = self.pass(Operation::Create, name)?;
        let inode = state.disk.create(name);
        Ok(self.handle(&mut state, inode, name))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        match self.open(name, Access::ReadWrite) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => self.create(name, mode),
            other => other,
        }
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.pass(Operation::List, "")?.disk.list())
    }

    fn remove(&self, name: &str) -> Result<()> {
        if self.finds(name)?.is_none() {
            return error(libc::ENOENT);
        }
        self.pass(Operation::Remove, name)?.disk.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        match (self.finds(from)?, self.finds(to)?) {
            (None, _) => return error(libc::ENOENT),
            // Two names of one file stay as they are, as with rename(2).
            (one, other) if one == other => drop(self.pass(Operation::Rename, from)?),
            _ => self.pass(Operation::Rename, from)?.disk.rename(from, to),
        }
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        match (self.finds(from)?, self.finds(to)?) {
            (None, _) => return error(libc::ENOENT),
            (_, Some(_)) => return error(libc::EEXIST),
            (Some(_), None) => self.pass(Operation::Link, from)?.disk.link(from, to),
        }
        Ok(())
    }

    fn rights(&self, _name: &str) -> Result<Option<Rights>> {
        Ok(Some(Rights { mode: 0o640, owner: 0, group: 0 }))
    }

    fn set_rights(&self, name: &str, _rights: &Rights) -> Result<()> {
        self.open(name, Access::ReadWrite)?.sync_data()
    }

    fn sync(&self) -> Result<()> {
        self.pass(Operation::SyncDirectory, "")?.disk.sync_names();
        Ok(())
    }
}

impl Handle {
    fn pass(&self, operation: Operation) -> Result<MutexGuard<'_, State>> {
        self.directory.pass(operation, &self.name)
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let state = self.pass(Operation::Read)?;
        let bytes = &state.disk.inode(self.inode).now;
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let n = buffer.len().min(bytes.len() - from);
        buffer[..n].copy_from_slice(&bytes[from..from + n]);
        Ok(n)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.pass(Operation::Write)?.disk.write(self.inode, &bytes, offset as usize);
        Ok(bytes.len())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.pass(Operation::Len)?.disk.inode(self.inode).now.len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.pass(Operation::SetLen)?.disk.set_len(self.inode, len as usize);
        Ok(())
    }

    fn allocate(&self, _offset: u64, _len: u64) -> Result<()> {
        self.pass(Operation::Allocate).map(drop)
    }

    fn sync_data(&self) -> Result<()> {
        match self.directory.pass_or_fail(Operation::Sync, &self.name)? {
            (mut state, false) => state.disk.sync(self.inode),
            (mut state, true) => {
                state.disk.fail_sync(self.inode);
                return error(libc::EIO);
            }
        }
        Ok(())
    }

    fn try_lock(&self) -> Result<bool> {
        let mut state = self.pass(Operation::Open)?;
        let holder = &mut state.disk.inode_mut(self.inode).holder;
        Ok(*holder.get_or_insert(self.number) == self.number)
    }

    fn unlock(&self) -> Result<()> {
        let mut state = self.directory.machine.state.lock();
        let holder = &mut state.disk.inode_mut(self.inode).holder;
        *holder = holder.filter(|&holder| holder != self.number);
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        let holder = self.pass(Operation::Open)?.disk.inode(self.inode).holder;
        Ok(holder.is_some_and(|holder| holder != self.number))
    }

    fn read_disk(&self, buffer: &mut [u8], offset: u64) -> Result<Option<usize>> {
        let bytes = self.pass(Operation::Read)?.disk.inode(self.inode).on_disk();
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let n = buffer.len().min(bytes.len() - from);
        buffer[..n].copy_from_slice(&bytes[from..from + n]);
        Ok(Some(n))
    }

    fn forget(&self, range: std::ops::Range<u64>) {
        if let Ok(mut state) = self.pass(Operation::Read) {
            state.disk.inode_mut(self.inode).forget(range.start as usize..range.end as usize);
        }
    }

    fn identity(&self) -> Result<Option<Identity>> {
        Ok(Some((0, self.inode as u64)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.unlock();
    }
}

#[cfg(test)]
mod tests;
