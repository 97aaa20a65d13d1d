//! A disk of a fixed size in memory: what files hold, and what is set aside for them, takes space.

use std::collections::BTreeMap;
use std::io::{Error, IoSlice, Result};
use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::io::{Access, Directory, File, FileFacts, Identity, MemoryDirectory};

#[derive(Clone)]
pub struct Quota {
    inner: MemoryDirectory,
    space: Arc<Space>,
}

struct Space {
    bytes: u64,
    /// The space that each file takes.
    taken: Mutex<BTreeMap<String, u64>>,
}

impl Space {
    /// Lets a file take so much in all.
    fn take(&self, name: &str, bytes: u64) -> Result<()> {
        let mut taken = self.taken.lock().unwrap();
        let others: u64 = taken.iter().filter(|(other, _)| *other != name).map(|(_, bytes)| bytes).sum();
        let now = taken.get(name).copied().unwrap_or(0).max(bytes);
        if others + now > self.bytes {
            return Err(Error::from_raw_os_error(libc::ENOSPC));
        }
        taken.insert(name.to_owned(), now);
        Ok(())
    }
}

impl Quota {
    pub fn new(bytes: u64) -> Self {
        let space = Space { bytes, taken: Mutex::default() };
        Quota { inner: MemoryDirectory::new(), space: Arc::new(space) }
    }

    /// The space that is taken by files, and the bytes in them.
    pub fn used(&self) -> (u64, u64) {
        let taken = self.space.taken.lock().unwrap().values().sum();
        let held = self.inner.list().unwrap();
        let held = held.iter().map(|name| self.inner.contents(name).map_or(0, |bytes| bytes.len() as u64));
        (taken, held.sum())
    }

    fn wrap(&self, file: Arc<dyn File>, name: &str) -> Arc<dyn File> {
        Arc::new(Limited { file, name: name.to_owned(), space: self.space.clone() })
    }
}

impl Directory for Quota {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open(name, access)?, name))
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.create(name, mode)?, name))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open_or_create(name, mode)?, name))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.inner.list()
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        self.inner.facts(name)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)?;
        self.space.taken.lock().unwrap().remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)?;
        let mut taken = self.space.taken.lock().unwrap();
        let bytes = taken.remove(from).unwrap_or(0);
        taken.insert(to.to_owned(), bytes);
        Ok(())
    }
}

struct Limited {
    file: Arc<dyn File>,
    name: String,
    space: Arc<Space>,
}

impl File for Limited {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        self.space.take(&self.name, offset + parts.iter().map(|part| part.len() as u64).sum::<u64>())?;
        self.file.write_at(parts, offset)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)?;
        self.space.taken.lock().unwrap().insert(self.name.clone(), len);
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.space.take(&self.name, offset + len)
    }

    fn sync_data(&self) -> Result<()> {
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
