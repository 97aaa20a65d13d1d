//! How many requests it costs to look at a log of many segments in a store.
#![cfg(feature = "upload")]

use std::sync::Arc;

use binlog::io::{Directory, MemoryDirectory};
use binlog::store::remote::RemoteDirectory;
use binlog::store::MemoryStore;
use binlog::{prune_in, Reader, ReaderMode, ReaderOptions, Retention, ShipOptions, Shipper, Writer, WriterOptions};

fn shipped(segments: u64) -> MemoryStore {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let options = WriterOptions { name: "orders".to_owned(), ..WriterOptions::default() };
    let writer = Writer::open_in(directory.clone(), options).unwrap();
    for n in 0..segments {
        writer.append(1, format!("record {n}").as_bytes()).unwrap();
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    let store = MemoryStore::new();
    let shipper = Shipper::open_in(directory, Arc::new(store.clone()), None, ShipOptions::default()).unwrap();
    shipper.run_once(&()).unwrap();
    store.take_asked();
    store
}

/// A list takes one request; what is shown of a segment takes one more at the most, as these are small.
#[test]
fn each_segment_that_is_shown_costs_one_request() {
    const SEGMENTS: u64 = 300;
    const BESIDES: u64 = 10;
    let store = shipped(SEGMENTS);
    let there = || -> Arc<dyn Directory> { Arc::new(RemoteDirectory::new(Arc::new(store.clone())).unwrap()) };
    let asked = || store.take_asked().len() as u64;
    let keep = Retention { segments: Some(280), ..Retention::default() };
    let shown = prune_in(there(), None, &keep, true).unwrap().len() as u64;
    assert_eq!(shown, 20);
    let requests = asked();
    assert!(requests <= shown + BESIDES, "prune --dry-run: {requests}");
    let reader = Reader::open_in(there(), ReaderOptions::default()).unwrap();
    assert_eq!(reader.contents(&mut |_, _| ()).unwrap().records, SEGMENTS);
    let requests = asked();
    assert!(requests <= SEGMENTS + BESIDES, "info: {requests}");
    let options = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
    let reader = Reader::open_in(there(), options).unwrap();
    for path in reader.paths() {
        reader.facts_of(&path).unwrap();
        assert_eq!(reader.extent_of(&path).unwrap().unwrap().records, 1);
    }
    let requests = asked();
    assert!(requests <= SEGMENTS + BESIDES, "ls: {requests}");
}
