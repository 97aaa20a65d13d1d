//! A directory that counts what is read from its files, and how often their length is asked for.

use std::io::{IoSlice, Result};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use binlog::io::{Access, Directory, File, MemoryDirectory};

/// Reads of all files, in order: offset and number of bytes returned.
type Reads = Arc<Mutex<Vec<Range<u64>>>>;

#[derive(Clone)]
pub struct CountingDirectory {
    inner: MemoryDirectory,
    reads: Reads,
    lengths: Arc<AtomicUsize>,
}

struct Counted {
    inner: Arc<dyn File>,
    reads: Reads,
    lengths: Arc<AtomicUsize>,
}

impl CountingDirectory {
    pub fn new(inner: &MemoryDirectory) -> Self {
        CountingDirectory { inner: inner.clone(), reads: Reads::default(), lengths: Arc::default() }
    }

    /// The reads since the last call.
    pub fn reads(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }

    /// The number of bytes read since the last call.
    pub fn bytes_read(&self) -> u64 {
        self.reads().iter().map(|read| read.end - read.start).sum()
    }

    /// How often the length of a file was asked for since the last call.
    pub fn lengths_asked(&self) -> usize {
        self.lengths.swap(0, Ordering::Relaxed)
    }

    fn wrap(&self, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(Counted { inner, reads: self.reads.clone(), lengths: self.lengths.clone() })
    }
}

impl Directory for CountingDirectory {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open(name, access)?))
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.create(name, mode)?))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open_or_create(name, mode)?))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.inner.list()
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.inner.link(from, to)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }
}

impl File for Counted {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let n = self.inner.read_at(buffer, offset)?;
        // A read at the end of a file returns no bytes.
        if n > 0 {
            self.reads.lock().unwrap().push(offset..offset + n as u64);
        }
        Ok(n)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        self.inner.write_at(parts, offset)
    }

    fn len(&self) -> Result<u64> {
        self.lengths.fetch_add(1, Ordering::Relaxed);
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.inner.allocate(offset, len)
    }

    fn sync_data(&self) -> Result<()> {
        self.inner.sync_data()
    }

    fn try_lock(&self) -> Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.inner.unlock()
    }

    fn is_locked(&self) -> Result<bool> {
        self.inner.is_locked()
    }
}
