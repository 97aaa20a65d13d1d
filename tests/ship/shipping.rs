//! Logs to ship, and what must hold of store and directory at every moment.
#![allow(dead_code)] // each test file uses its share

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use binlog::io::{read_full, Access, Directory, MemoryDirectory};
use binlog::rolling::Retention;
use binlog::shipping::{ShipOptions, Shipper};
use binlog::store::{MemoryStore, StoreOptions};
use binlog::{Filter, Reader, ReaderOptions, Result, Writer, WriterOptions};

pub const LOG: &str = "orders";

pub fn options() -> ShipOptions {
    ShipOptions {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(2),
        // Each run is one try, which the test follows.
        patience: Duration::ZERO,
        store: StoreOptions { part_bytes: 1000, ..StoreOptions::default() },
        ..ShipOptions::default()
    }
}

pub fn keep(segments: u64) -> Retention {
    Retention { segments: Some(segments), ..Retention::default() }
}

pub fn writer_options() -> WriterOptions {
    WriterOptions { name: LOG.to_owned(), block_bytes: 4096, ..WriterOptions::default() }
}

pub fn open_writer(directory: &Arc<dyn Directory>) -> Writer {
    Writer::open(directory.clone(), writer_options()).unwrap()
}

/// The payload of the record with this id: a few bytes, or enough for several parts.
pub fn payload(id: u64) -> Vec<u8> {
    let len = if id.is_multiple_of(3) { 1500 } else { 20 };
    (0..len).map(|i| (id * 31 + i * 7) as u8).collect()
}

/// Appends records, and rolls after them.
pub fn append_and_roll(writer: &Writer, next_id: &mut u64, records: u64) {
    for _ in 0..records {
        assert_eq!(writer.append(1, &payload(*next_id)).unwrap(), *next_id);
        *next_id += 1;
    }
    writer.roll().unwrap();
}

/// A closed log of so many segments with two records each, and an empty one after them.
pub fn write(directory: &Arc<dyn Directory>, segments: u64) {
    let writer = open_writer(directory);
    let mut next_id = 1;
    (0..segments).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
    writer.close().unwrap();
}

pub fn name(sequence: u64) -> String {
    format!("{LOG}.{sequence:010}.binlog")
}

pub fn memory() -> (MemoryDirectory, Arc<dyn Directory>) {
    let directory = MemoryDirectory::new();
    (directory.clone(), Arc::new(directory))
}

pub fn open_with(directory: &Arc<dyn Directory>, store: &MemoryStore, options: ShipOptions) -> Result<Shipper> {
    Shipper::to_store(directory.clone(), Arc::new(store.clone()), Some(LOG), options)
}

pub fn open(directory: &Arc<dyn Directory>, store: &MemoryStore) -> Shipper {
    open_with(directory, store, options()).unwrap()
}

/// Ships all segments.
pub fn ship(directory: &Arc<dyn Directory>, store: &MemoryStore) {
    open(directory, store).run_once(&()).unwrap();
}

/// Names of the segments that are here.
pub fn here(directory: &Arc<dyn Directory>) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names
}

pub fn bytes_of(directory: &Arc<dyn Directory>, name: &str) -> Option<Vec<u8>> {
    let file = directory.open(name, Access::Read).ok()?;
    let mut bytes = vec![0; file.len().unwrap() as usize];
    let n = read_full(&*file, &mut bytes, 0).unwrap();
    bytes.truncate(n);
    Some(bytes)
}

/// The objects of a store.
pub fn objects(store: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    use binlog::store::Store;
    let mut listed = store.list("").unwrap();
    // Labels are about the segments.
    listed.retain(|listed| !listed.name.contains(".id-") && !listed.name.contains(".catalog-"));
    listed.into_iter().map(|listed| (listed.name.clone(), store.contents(&listed.name).unwrap())).collect()
}

/// The records in these files, whatever log they are of.
pub fn records(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<u64, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".binlog")) {
        let directory = MemoryDirectory::new();
        directory.set_contents(name, bytes.clone());
        let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        while let Some(record) = cursor.next().unwrap() {
            all.insert(record.id, record.payload.to_vec());
        }
    }
    all
}
