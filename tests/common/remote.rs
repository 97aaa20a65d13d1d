//! A store in memory that counts requests and bytes, and logs to be put there.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use binlog::io::{Directory, MemoryDirectory};
use binlog::store::remote::RemoteDirectory;
use binlog::store::*;
use binlog::{Codec, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};

use super::{metadata, noise};

/// Counts requests and the bytes that are transferred.
#[derive(Clone, Debug)]
pub struct Metered {
    pub store: MemoryStore,
    meter: Arc<Meter>,
}

#[derive(Debug, Default)]
struct Meter {
    requests: AtomicU64,
    bytes: AtomicU64,
    lists: AtomicU64,
    waits: AtomicU64,
}

impl Metered {
    pub fn new() -> Self {
        Metered { store: MemoryStore::new(), meter: Arc::default() }
    }

    /// Removes an object, which counts as no request.
    pub fn remove(&self, name: &str) {
        Store::remove(&self.store, name).unwrap();
    }

    /// A store with the files of a directory.
    pub fn of(directory: &MemoryDirectory) -> Self {
        let metered = Self::new();
        for name in directory.list().unwrap() {
            metered.store.set_contents(&name, directory.contents(&name).unwrap());
        }
        metered
    }

    fn count(&self, requests: usize) {
        self.meter.requests.fetch_add(requests as u64, Ordering::Relaxed);
    }

    /// Requests and bytes since the last call.
    pub fn take(&self) -> (u64, u64) {
        (self.meter.requests.swap(0, Ordering::Relaxed), self.meter.bytes.swap(0, Ordering::Relaxed))
    }

    /// Lists since the last call.
    pub fn take_lists(&self) -> u64 {
        self.meter.lists.swap(0, Ordering::Relaxed)
    }

    /// How often a reader has waited for bytes since the last call: requests that are made at the same time are one wait.
    pub fn take_waits(&self) -> u64 {
        self.meter.waits.swap(0, Ordering::Relaxed)
    }

    fn weigh(&self, bytes: &[u8]) {
        self.meter.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    pub fn directory(&self) -> RemoteDirectory {
        RemoteDirectory::new(Arc::new(self.clone())).unwrap()
    }

    pub fn open(&self) -> Reader {
        Reader::open(Arc::new(self.directory()), ReaderOptions::default()).unwrap()
    }
}

impl Store for Metered {
    fn url(&self) -> &str {
        self.store.url()
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.count(1);
        self.store.stat(name)
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        self.store.upload(upload)
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        self.count(ranges.len());
        self.meter.waits.fetch_add(1, Ordering::Relaxed);
        let read = self.store.read_tagged(name, ranges)?;
        read.1.iter().for_each(|bytes| self.weigh(bytes));
        Ok(read)
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.count(1);
        self.meter.waits.fetch_add(1, Ordering::Relaxed);
        let read = self.store.read_end(name, bytes)?;
        self.weigh(&read.1);
        Ok(read)
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.count(1);
        self.meter.lists.fetch_add(1, Ordering::Relaxed);
        self.store.list(prefix)
    }

    fn remove(&self, name: &str) -> Answer<()> {
        self.count(1);
        self.store.remove(name)
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        self.store.abort(name, token)
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.store.abort_stale(prefix, age)
    }
}

/// `segments` segments of `each` records: several types, one of them rare and one with a name, metadata, and payloads of
/// many lengths.
pub fn a_log(segments: u64, each: u64, options: WriterOptions) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    let mut i = 0;
    for segment in 1..=segments {
        // A segment begins with its own names.
        let named = writer.type_id("order.placed", "").unwrap();
        for _ in 0..each {
            i += 1;
            let type_id = match i {
                i if i % 97 == 0 => 9,
                i if i % 11 == 0 => named,
                i => (i % 3) as u32,
            };
            let host = ("host".to_owned(), format!("host{}", i % 50));
            let metadata = metadata(if i % 5 == 0 { std::slice::from_ref(&host) } else { &[] });
            let len = if i % 89 == 0 { 9000 } else { i % 300 };
            let payload = noise(len as usize, i);
            let time = Some(1_000_000 * i as i64);
            let record = NewRecord { type_id, time, metadata: metadata.as_metadata(), payload: &payload };
            assert_eq!(writer.append_record(&record).unwrap(), i);
        }
        if segment < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    directory
}

/// Small blocks and many of them, with an index of many blocks.
pub fn small(codec: Codec) -> WriterOptions {
    let name = "log".to_owned();
    WriterOptions { name, codec, block_bytes: 4096, index_bytes: 32 << 10, ..WriterOptions::default() }
}
