//! How many requests reading a log of many segments in a store takes.

use std::sync::Arc;

use binlog::contents::Contents;
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::{prune, Retention};
use binlog::shipping::{ShipOptions, Shipper};
use binlog::splits::PlanOptions;
use binlog::store::remote::RemoteDirectory;
use binlog::store::{MemoryStore, Store};
use binlog::{Filter, Reader, ReaderOptions, TypeOptions, Writer, WriterOptions};

/// Requests besides those that are counted: a list, and the segments by which the names are checked.
const BESIDES: u64 = 10;

/// A log of so many segments, each with records of two types, one of which has this length.
fn log(segments: u64, len: usize) -> Arc<dyn Directory> {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let options = WriterOptions { name: "orders".to_owned(), ..WriterOptions::default() };
    let writer = Writer::open(directory.clone(), options).unwrap();
    let named = writer.type_id("order.placed", "").unwrap();
    for n in 0..segments {
        writer.append(1, &vec![n as u8; len]).unwrap();
        if n % 3 == 0 {
            writer.append(named, format!("record {n}").as_bytes()).unwrap();
        }
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    directory
}

/// Ships the whole log, and keeps its files here.
fn ship(directory: &Arc<dyn Directory>, store: &MemoryStore) {
    let options =
        ShipOptions { keep: Retention { segments: Some(u64::MAX), ..Retention::default() }, ..ShipOptions::default() };
    let shipper = Shipper::to_store(directory.clone(), Arc::new(store.clone()), None, options).unwrap();
    shipper.run_once(&()).unwrap();
    store.take_asked();
}

fn there(store: &MemoryStore) -> Arc<dyn Directory> {
    Arc::new(RemoteDirectory::new(Arc::new(store.clone())).unwrap())
}

fn asked(store: &MemoryStore) -> u64 {
    store.take_asked().len() as u64
}

fn contents(directory: Arc<dyn Directory>) -> Contents {
    Reader::open(directory, ReaderOptions::default()).unwrap().contents(&mut |_, _| ()).unwrap()
}

/// Number, first id, count of records, and times of the first and the last of them.
type Seen = (u64, u64, u64, Option<(i64, i64)>);

/// What `ls` reads of each segment.
fn look_at_each(directory: Arc<dyn Directory>) -> Vec<Seen> {
    let reader = Reader::open(directory, ReaderOptions::default()).unwrap();
    let each = |path| {
        let facts = reader.facts_of(&path).unwrap();
        let extent = reader.extent_of(&path).unwrap().unwrap();
        (facts.sequence, facts.first_id, extent.records, extent.times)
    };
    reader.paths().into_iter().map(each).collect()
}

/// Asserts that a store gives the same answers as the files here, whose own headers and blocks are read.
fn assert_same(mut store: Contents, mut here: Contents) {
    for contents in [&mut store, &mut here] {
        contents.types.sort_by_key(|counted| counted.type_id);
    }
    // The last segment here is the writer's, which stays.
    here.segments.truncate(store.segments.len());
    let seen = |contents: &Contents| {
        let each = |segment: &binlog::contents::SegmentContents| {
            let facts = binlog::contents::SegmentFacts { path: Default::default(), ..segment.facts.clone() };
            (facts, segment.records, segment.closed)
        };
        (contents.segments.iter().map(each).collect::<Vec<_>>(), contents.types.clone(), contents.ids, contents.times)
    };
    assert_eq!(seen(&store), seen(&here));
    assert_eq!((store.records, store.payload_bytes), (here.records, here.payload_bytes));
    assert_eq!(store.damage.map(|error| error.to_string()), None);
}

#[test]
fn thousands_of_segments_are_listed_and_counted_with_a_request_for_each_thousand() {
    const SEGMENTS: u64 = 1100;
    let (directory, store) = (log(SEGMENTS, 20_000), MemoryStore::new());
    ship(&directory, &store);
    let most = SEGMENTS / 1000 + 1 + BESIDES;
    assert_same(contents(there(&store)), contents(directory.clone()));
    let requests = asked(&store);
    assert!(requests <= most, "info: {requests}");
    let mut here = look_at_each(directory);
    here.truncate(SEGMENTS as usize);
    assert_eq!(look_at_each(there(&store)), here);
    let requests = asked(&store);
    assert!(requests <= most, "ls: {requests}");
    let keep = Retention { segments: Some(SEGMENTS - 20), ..Retention::default() };
    let shown = prune(there(&store), None, &keep, true).unwrap().len() as u64;
    assert_eq!(shown, 20);
    let requests = asked(&store);
    assert!(requests <= shown + BESIDES, "prune --dry-run: {requests}");
}

/// A plan takes segments that are not cut from the catalogs, and its splits show what the log here shows.
#[test]
fn a_plan_of_a_thousand_segments_takes_a_request_for_each_thousand() {
    const SEGMENTS: u64 = 1100;
    let (directory, store) = (log(SEGMENTS, 2_000), MemoryStore::new());
    ship(&directory, &store);
    let here = Reader::open(directory, ReaderOptions::default()).unwrap();
    let rows = |reader: &Reader, filter: &Filter| {
        let (mut cursor, mut rows) = (reader.cursor(filter).unwrap(), vec![]);
        while let Some(record) = cursor.next().unwrap() {
            rows.push((record.id, record.type_id, record.payload.to_vec()));
        }
        rows
    };
    let last = rows(&here, &Filter::default()).last().unwrap().0;
    let filters = [
        Filter::default(),
        Filter { from_id: Some(500), to_id: Some(901), ..Filter::default() },
        Filter { types: vec![1], ..Filter::default() },
        Filter { type_names: vec!["order.placed".to_owned()], from_id: Some(77), ..Filter::default() },
        Filter { events: true, to_id: Some(300), ..Filter::default() },
        Filter { from_id: Some(last + 1), ..Filter::default() },
    ];
    for filter in filters {
        for target_bytes in [400_000, 64 << 20] {
            let reader = Reader::open(there(&store), ReaderOptions::default()).unwrap();
            store.take_asked();
            let plan = reader.plan(&filter, &PlanOptions { target_bytes, ..PlanOptions::default() }).unwrap();
            let asked = asked(&store);
            assert!(asked <= BESIDES, "{asked} requests for a plan of {filter:?}");
            let mut seen = vec![];
            for split in plan.splits() {
                let part = Reader::open_split_at(&split.token, there(&store), ReaderOptions::default()).unwrap();
                let shown = rows(&part, &filter);
                let counted = shown.iter().filter(|(_, type_id, _)| type_id >> 31 == 0).count() as u64;
                assert!(counted <= split.records, "{counted} of {} records, {filter:?}", split.records);
                seen.extend(shown);
            }
            assert_eq!(seen.len(), rows(&here, &filter).len(), "{filter:?}");
            assert!(seen == rows(&here, &filter), "{filter:?}");
        }
    }
}

/// Counts by type take them from the catalogs, too.
#[test]
fn counts_of_a_thousand_segments_take_a_request_for_each_thousand() {
    const SEGMENTS: u64 = 1100;
    let (directory, store) = (log(SEGMENTS, 2_000), MemoryStore::new());
    ship(&directory, &store);
    let here = Reader::open(directory, ReaderOptions::default()).unwrap();
    let reader = Reader::open(there(&store), ReaderOptions::default()).unwrap();
    store.take_asked();
    assert_eq!(reader.counts().unwrap(), here.counts().unwrap());
    let asked = asked(&store);
    assert!(asked <= 2 + BESIDES, "{asked} requests");
}

#[test]
fn a_name_with_several_numbers_in_one_segment_is_found_and_counted_by_each_of_them() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let options = WriterOptions { name: "orders".to_owned(), ..WriterOptions::default() };
    let writer = Writer::open(directory.clone(), options).unwrap();
    let mut numbers = vec![];
    for schema in [&b"1"[..], b"2", b"3"] {
        let order = TypeOptions { name: "order", encoding: "own", schema, ..TypeOptions::default() };
        numbers.push(writer.type_of(&order).unwrap());
        for _ in 0..numbers.len() {
            writer.append(numbers[numbers.len() - 1], schema).unwrap();
        }
    }
    for _ in 0..30 {
        writer.roll().unwrap();
        writer.append(7, b"x").unwrap();
    }
    writer.roll().unwrap();
    writer.close().unwrap();
    let store = MemoryStore::new();
    ship(&directory, &store);
    assert_eq!(store.list("orders.catalog-").unwrap().len(), 1);
    let here = Reader::open(directory, ReaderOptions::default()).unwrap();
    let reader = Reader::open(there(&store), ReaderOptions::default()).unwrap();
    assert_eq!(reader.counts().unwrap(), here.counts().unwrap());
    assert!(reader.counts().unwrap().iter().any(|it| it.has_several_numbers && it.records == 6));
    for (&number, records) in numbers.iter().zip(1..) {
        let filter = Filter { types: vec![number], ..Filter::default() };
        let mut cursor = reader.cursor(&filter).unwrap();
        let shown = std::iter::from_fn(|| cursor.next().unwrap().map(|record| record.id)).count();
        assert_eq!(shown, records, "records of the number {number}");
        let options = PlanOptions { target_bytes: 1 << 30, ..PlanOptions::default() };
        let planned: u64 = reader.plan(&filter, &options).unwrap().splits().iter().map(|split| split.records).sum();
        assert_eq!(planned, records as u64, "planned of the number {number}");
    }
}

/// Where no catalog covers them, as for those that came last, small segments cost a request each.
#[test]
fn each_segment_that_no_catalog_covers_costs_one_request() {
    const SEGMENTS: u64 = 300;
    let (directory, store) = (log(SEGMENTS, 10), MemoryStore::new());
    ship(&directory, &store);
    for catalog in store.list("orders.catalog-").unwrap() {
        store.remove(&catalog.name).unwrap();
    }
    asked(&store);
    assert_eq!(contents(there(&store)).segments.len() as u64, SEGMENTS);
    let requests = asked(&store);
    assert!(requests <= SEGMENTS + BESIDES, "info: {requests}");
    assert_eq!(look_at_each(there(&store)).len() as u64, SEGMENTS);
    let requests = asked(&store);
    assert!(requests <= SEGMENTS + BESIDES, "ls: {requests}");
}

/// A different shipper that sends a few segments each time leaves one catalog, which grows.
#[test]
fn the_newest_catalog_grows_and_nothing_of_it_is_left_behind() {
    let (directory, store): (Arc<dyn Directory>, _) = (Arc::new(MemoryDirectory::new()), MemoryStore::new());
    let options = || WriterOptions { name: "orders".to_owned(), ..WriterOptions::default() };
    for n in 0..90 {
        let writer = Writer::open(directory.clone(), options()).unwrap();
        writer.append(7, b"x").unwrap();
        writer.roll().unwrap();
        writer.close().unwrap();
        if n % 3 == 2 {
            // Segments that were removed here are known from the store alone.
            let shipper =
                Shipper::to_store(directory.clone(), Arc::new(store.clone()), None, ShipOptions::default()).unwrap();
            shipper.run_once(&()).unwrap();
        }
    }
    let catalogs: Vec<_> = store.list("orders.catalog-").unwrap().into_iter().map(|object| object.name).collect();
    let [only] = &catalogs[..] else { panic!("{catalogs:?}") };
    let segments = store.list("orders.0").unwrap().len();
    let left: usize = segments - only.rsplit('-').next().unwrap().parse::<usize>().unwrap();
    assert!(left < 16, "{only}, {segments} segments");
    asked(&store);
    assert_eq!(contents(there(&store)).records, 90);
    let requests = asked(&store);
    assert!(requests <= left as u64 + 1 + BESIDES, "{requests}, {left} left");
}

/// A catalog counts only for the very object that it describes, with the same length and time.
#[test]
fn a_catalog_is_not_believed_of_an_object_that_is_another_now_nor_when_it_is_damaged() {
    use std::fs::{self, File};
    use std::time::Duration;
    let home = tempfile::tempdir().unwrap();
    let url = format!("file://{}", home.path().display());
    let options = ShipOptions { url: url.clone(), ..ShipOptions::default() };
    let store = binlog::store::open(&url, &Default::default()).unwrap();
    // So many that the names state the order.
    Shipper::to_store(log(80, 10), store, None, options).unwrap().run_once(&()).unwrap();
    let path = home.path().join("orders.0000000007.binlog");
    let (whole, written) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    // The length of the segment as its facts state it, if there are any.
    let length = |bytes: &[u8], later| {
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(written + later).unwrap();
        let there: Arc<dyn Directory> = Arc::new(RemoteDirectory::open(&url, &Default::default()).unwrap());
        let reader = Reader::open(there, ReaderOptions::default()).unwrap();
        let path = reader.paths().into_iter().find(|it| it.ends_with("orders.0000000007.binlog")).unwrap();
        reader.facts_of(path).ok().and_then(|facts| facts.bytes)
    };
    let len = whole.len() as u64;
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    let longer = [whole.clone(), vec![0; 100]].concat();
    let (then, later) = (Duration::ZERO, Duration::from_secs(2));
    assert_eq!(length(&whole, then), Some(len));
    assert_eq!(length(&longer, then), Some(len + 100), "another length");
    assert_eq!(length(&damaged, later), None, "another time");
    assert_eq!(length(&whole, later), Some(len), "the segment itself is read");
    assert_eq!(length(&damaged, then), Some(len), "as it was when it was shipped, which is documented");
    // A damaged catalog is none.
    let (directory, store) = (log(40, 10), MemoryStore::new());
    ship(&directory, &store);
    let catalogs = store.list("orders.catalog-").unwrap();
    for catalog in &catalogs {
        let mut bytes = store.contents(&catalog.name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        store.set_contents(&catalog.name, bytes);
    }
    assert!(!catalogs.is_empty());
    assert_same(contents(there(&store)), contents(directory));
}

/// Where segments are removed from the store, the catalog that covers them is removed too.
#[test]
fn a_catalog_goes_with_the_last_of_its_segments() {
    let (directory, store) = (log(1100, 1), MemoryStore::new());
    ship(&directory, &store);
    let catalogs = || store.list("orders.catalog-").unwrap().len();
    assert_eq!(catalogs(), 2);
    let keep = |segments| Retention { segments: Some(segments), ..Retention::default() };
    prune(there(&store), None, &keep(105), false).unwrap();
    assert_eq!(catalogs(), 2);
    prune(there(&store), None, &keep(95), false).unwrap();
    assert_eq!(catalogs(), 1);
    assert_eq!(contents(there(&store)).segments.len(), 95);
}
