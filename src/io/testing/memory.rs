//! A directory in memory, which can fail at a chosen operation.

// The names of operations and of a fault's fields document them.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::io::{Access, Directory, File, FileFacts, Identity};

/// The operations that the layers above request of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Open,
    Create,
    List,
    Stat,
    Remove,
    Rename,
    Link,
    SyncDirectory,
    Read,
    Write,
    Len,
    SetLen,
    Allocate,
    Sync,
}

/// Fails the operations from number `from` on (counted from 0), `times` of them, with `errno`; only those of the kind
/// `only`, if it is set.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub from: usize,
    pub times: usize,
    pub errno: i32,
    pub only: Option<Operation>,
}

/// Files that are dropped with the last handle of the directory.
#[derive(Clone)]
pub struct MemoryDirectory {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    files: Mutex<BTreeMap<String, Arc<Contents>>>,
    faults: Mutex<Faults>,
}

struct Faults {
    fault: Option<Fault>,
    seen: usize,
    longest_write: usize,
}

#[derive(Default)]
struct Contents {
    bytes: Mutex<Vec<u8>>,
    /// Number of the handle that holds the lock, 0 if none.
    holder: AtomicUsize,
}

struct Handle {
    contents: Arc<Contents>,
    shared: Arc<Shared>,
    number: usize,
}

impl MemoryDirectory {
    /// An empty directory.
    pub fn new() -> Self {
        let faults = Faults { fault: None, seen: 0, longest_write: usize::MAX };
        let shared = Shared { path: "memory:".into(), files: Mutex::default(), faults: Mutex::new(faults) };
        MemoryDirectory { shared: Arc::new(shared) }
    }

    /// Counts operations from 0 again, and fails those that `fault` names.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let mut faults = self.shared.faults.lock();
        faults.fault = fault;
        faults.seen = 0;
    }

    /// How many operations there were since [`Self::set_fault`] (only those of the fault's kind, when it has one).
    pub fn operations(&self) -> usize {
        self.shared.faults.lock().seen
    }

    /// Makes every write stop after this many bytes, as a signal or a nearly full disk does.
    pub fn set_longest_write(&self, bytes: usize) {
        self.shared.faults.lock().longest_write = bytes;
    }

    /// The contents of a file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        Some(self.shared.files.lock().get(name)?.bytes.lock().clone())
    }

    /// Stores a file with these contents.
    pub fn set_contents(&self, name: &str, bytes: Vec<u8>) {
        let contents = Contents { bytes: Mutex::new(bytes), holder: AtomicUsize::new(0) };
        self.shared.files.lock().insert(name.to_owned(), Arc::new(contents));
    }

    fn handle(&self, contents: &Arc<Contents>) -> Arc<dyn File> {
        static NUMBERS: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Handle { contents: contents.clone(), shared: self.shared.clone(), number })
    }
}

impl Default for MemoryDirectory {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn pass(&self, operation: Operation) -> Result<()> {
        let mut faults = self.faults.lock();
        let Some(fault) = faults.fault else {
            faults.seen += 1;
            return Ok(());
        };
        if fault.only.is_some_and(|only| only != operation) {
            return Ok(());
        }
        let number = faults.seen;
        faults.seen += 1;
        if number >= fault.from && number - fault.from < fault.times {
            return Err(Error::from_raw_os_error(fault.errno));
        }
        Ok(())
    }
}

impl Directory for MemoryDirectory {
    fn path(&self) -> &Path {
        &self.shared.path
    }

    fn open(&self, name: &str, _access: Access) -> Result<Arc<dyn File>> {
        self.shared.pass(Operation::Open)?;
        let contents = self.shared.files.lock().get(name).cloned();
        Ok(self.handle(&contents.ok_or_else(|| Error::from_raw_os_error(libc::ENOENT))?))
    }

    fn create(&self, name: &str, _mode: u32) -> Result<Arc<dyn File>> {
        self.shared.pass(Operation::Create)?;
        let mut files = self.shared.files.lock();
        if files.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(self.handle(files.entry(name.to_owned()).or_default()))
    }

    fn open_or_create(&self, name: &str, _mode: u32) -> Result<Arc<dyn File>> {
        self.shared.pass(Operation::Create)?;
        Ok(self.handle(self.shared.files.lock().entry(name.to_owned()).or_default()))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.shared.pass(Operation::List)?;
        Ok(self.shared.files.lock().keys().cloned().collect())
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        self.shared.pass(Operation::Stat)?;
        let contents = self.shared.files.lock().get(name).cloned();
        let contents = contents.ok_or_else(|| Error::from_raw_os_error(libc::ENOENT))?;
        let len = contents.bytes.lock().len() as u64;
        Ok(FileFacts { len, is_plain: true, identity: Some(identity_of(&contents)) })
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.shared.pass(Operation::Remove)?;
        self.shared.files.lock().remove(name).map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.shared.pass(Operation::Rename)?;
        let mut files = self.shared.files.lock();
        let contents = files.get(from).cloned().ok_or_else(|| Error::from_raw_os_error(libc::ENOENT))?;
        // Two names of one file stay as they are, as with rename(2).
        if !files.get(to).is_some_and(|there| Arc::ptr_eq(there, &contents)) {
            files.remove(from);
            files.insert(to.to_owned(), contents);
        }
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.shared.pass(Operation::Link)?;
        let mut files = self.shared.files.lock();
        let contents = files.get(from).cloned().ok_or_else(|| Error::from_raw_os_error(libc::ENOENT))?;
        if files.contains_key(to) {
            return Err(Error::from_raw_os_error(libc::EEXIST));
        }
        files.insert(to.to_owned(), contents);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.shared.pass(Operation::SyncDirectory)
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.shared.pass(Operation::Read)?;
        let bytes = self.contents.bytes.lock();
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let n = buffer.len().min(bytes.len() - from);
        buffer[..n].copy_from_slice(&bytes[from..from + n]);
        Ok(n)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        self.shared.pass(Operation::Write)?;
        let longest = self.shared.faults.lock().longest_write;
        let mut bytes = self.contents.bytes.lock();
        let mut at = offset as usize;
        for part in parts {
            let n = part.len().min(longest - (at - offset as usize));
            if bytes.len() < at + n {
                bytes.resize(at + n, 0);
            }
            bytes[at..at + n].copy_from_slice(&part[..n]);
            at += n;
        }
        Ok(at - offset as usize)
    }

    fn len(&self) -> Result<u64> {
        self.shared.pass(Operation::Len)?;
        Ok(self.contents.bytes.lock().len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.shared.pass(Operation::SetLen)?;
        self.contents.bytes.lock().resize(len as usize, 0);
        Ok(())
    }

    fn allocate(&self, _offset: u64, _len: u64) -> Result<()> {
        self.shared.pass(Operation::Allocate)
    }

    fn sync_data(&self) -> Result<()> {
        self.shared.pass(Operation::Sync)
    }

    fn try_lock(&self) -> Result<bool> {
        let swapped = self.contents.holder.compare_exchange(0, self.number, Ordering::AcqRel, Ordering::Acquire);
        Ok(swapped.is_ok() || swapped == Err(self.number))
    }

    fn unlock(&self) -> Result<()> {
        let _ = self.contents.holder.compare_exchange(self.number, 0, Ordering::AcqRel, Ordering::Acquire);
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        let holder = self.contents.holder.load(Ordering::Acquire);
        Ok(holder != 0 && holder != self.number)
    }

    fn identity(&self) -> Result<Option<Identity>> {
        Ok(Some(identity_of(&self.contents)))
    }
}

fn identity_of(contents: &Arc<Contents>) -> Identity {
    (0, Arc::as_ptr(contents) as u64)
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_replaces_and_a_link_does_not() {
        crate::io::tests::rename_and_link(&MemoryDirectory::new());
    }

    #[test]
    fn faults_reach_a_rename_and_a_link_and_leave_the_names_as_they_were() {
        let directory = MemoryDirectory::new();
        directory.set_contents("a", vec![1]);
        for operation in [Operation::Rename, Operation::Link] {
            let fault = Fault { from: 0, times: 1, errno: libc::EIO, only: Some(operation) };
            directory.set_fault(Some(fault));
            let failed = match operation {
                Operation::Rename => directory.rename("a", "b"),
                _ => directory.link("a", "b"),
            };
            assert_eq!(failed.unwrap_err().raw_os_error(), Some(libc::EIO));
            assert_eq!(directory.list().unwrap(), ["a"]);
        }
    }
}
