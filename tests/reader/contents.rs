//! The contents of a log, taken from its index: the same as by reading it, and with work that grows as its segments do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::counting::CountingDirectory;
use crate::common::history::*;
use crate::common::layout::{self, INDEX};
use crate::common::*;
use binlog::contents::Contents;
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Codec, Filter, Kind, NewRecord, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};
use proptest::prelude::*;

/// Records and bytes of each type, by name or number.
type Types = BTreeMap<(Option<String>, u32), (u64, u64)>;

/// The contents of a log, as a cursor shows them.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    types: Types,
    records: u64,
    bytes: u64,
    ids: Option<(u64, u64)>,
    times: Option<(i64, i64)>,
    /// File and records of each segment.
    segments: Vec<(std::path::PathBuf, u64)>,
    state: TailState,
    damage: Option<(String, Option<u64>)>,
}

fn by_reading(reader: &Reader) -> Counted {
    let mut cursor = reader.cursor(&Filter { headers_only: true, ..Filter::default() }).unwrap();
    let mut counted = Counted::default();
    let mut segments: Vec<_> = reader.paths().into_iter().map(|path| (path, 0)).collect();
    loop {
        let row = match cursor.next() {
            Ok(None) => break,
            Ok(Some(record)) => Row::from(&record),
            Err(error) => {
                counted.damage = Some((error.reason().to_owned(), error.offset()));
                break;
            }
        };
        let name = cursor.type_name(row.type_id).map(str::to_owned);
        let key = (name.clone(), if name.is_some() { 0 } else { row.type_id });
        let of_type = counted.types.entry(key).or_default();
        (of_type.0, of_type.1) = (of_type.0 + 1, of_type.1 + u64::from(row.payload_len));
        counted.records += 1;
        counted.bytes += u64::from(row.payload_len);
        counted.ids = Some((counted.ids.map_or(row.id, |(first, _)| first), row.id));
        let times = counted.times.unwrap_or((row.time, row.time));
        counted.times = Some((times.0.min(row.time), times.1.max(row.time)));
        segments.iter_mut().find(|(path, _)| path == cursor.path()).unwrap().1 += 1;
    }
    counted.state = cursor.tail().state;
    counted.segments = segments;
    counted
}

fn from_index(contents: Contents) -> Counted {
    let key = |name: &Option<String>, type_id| (name.clone(), if name.is_some() { 0 } else { type_id });
    Counted {
        types: contents
            .types
            .iter()
            .map(|of_type| (key(&of_type.name, of_type.type_id), (of_type.records, of_type.payload_bytes)))
            .collect(),
        records: contents.records,
        bytes: contents.payload_bytes,
        ids: contents.ids,
        times: contents.times,
        segments: contents.segments.iter().map(|segment| (segment.facts.path.clone(), segment.records)).collect(),
        state: contents.tail.state,
        damage: contents.damage.map(|error| (error.reason().to_owned(), error.offset())),
    }
}

#[track_caller]
fn assert_same(directory: &MemoryDirectory) {
    let reader = open(directory);
    assert_eq!(from_index(reader.contents(&mut |_, _| ()).unwrap()), by_reading(&reader));
}

/// Cuts the last file, and damages an INDEX block of another.
fn harm(directory: &MemoryDirectory, cut: usize, place: usize) {
    let names = directory.list().unwrap();
    let names: Vec<_> = names.iter().filter(|name| name.ends_with(".binlog")).collect();
    let of = names[place % names.len()];
    let mut bytes = directory.contents(of).unwrap();
    let blocks = layout::Segment::parse(&bytes).blocks;
    let indexes: Vec<_> = blocks.iter().filter(|block| block.kind == INDEX).collect();
    if let Some(index) = indexes.get(place % indexes.len().max(1)) {
        let at = index.offset + place % (index.end() - index.offset);
        // A damaged header ends a segment; damaged entries cost only the index.
        bytes[at.max(index.entries.start)] ^= 0x55;
        directory.set_contents(of, bytes);
    }
    let last = names[names.len() - 1];
    let mut bytes = directory.contents(last).unwrap();
    let start = layout::Segment::parse(&bytes).start;
    bytes.truncate(start.max(bytes.len().saturating_sub(cut)));
    directory.set_contents(last, bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_index_gives_the_same_as_reading(
        ops in prop::collection::vec(op(), 1..40),
        codec in codec(),
        cut in 0usize..400,
        place in 0usize..10_000,
        other in any::<bool>(),
    ) {
        let mut log = Log::new(small_blocks(codec));
        ops.iter().for_each(|op| log.perform(op));
        log.writer().flush().unwrap();
        assert_same(&log.directory);
        if other {
            let options = WriterOptions { name: "another".into(), ..small_blocks(Codec::None) };
            let writer = Writer::open(Arc::new(log.directory.clone()), options).unwrap();
            let named = writer.type_id("a", "").unwrap();
            writer.append(named, b"of another log").unwrap();
            writer.close().unwrap();
            assert_same(&log.directory);
        }
        log.close();
        assert_same(&log.directory);
        harm(&log.directory, cut, place);
        assert_same(&log.directory);
    }
}

#[test]
fn the_times_of_a_log_are_those_of_its_records_and_not_of_events_among_them() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    let append = |type_id, time| {
        writer
            .append_record(&NewRecord { type_id, time: Some(time), payload: b"something", ..Default::default() })
            .unwrap()
    };
    append(7, 5);
    // An event of now, between two records of long ago. The segment that follows uses the index of this one.
    append(writer.type_id("orders", "").unwrap(), 9);
    writer.roll().unwrap();
    append(7, 7);
    writer.close().unwrap();
    assert_eq!(open(&directory).contents(&mut |_, _| ()).unwrap().times, Some((5, 9)));
    assert_same(&directory);
}

/// A closed log of so many segments, each with some records.
fn segments(segments: u64) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    let named = writer.type_id("orders", "").unwrap();
    for segment in 0..segments {
        for i in 0..20u32 {
            let record =
                NewRecord { type_id: if i % 3 == 0 { named } else { 7 }, payload: b"something", ..Default::default() };
            writer.append_record(&record).unwrap();
        }
        if segment + 1 < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    directory
}

/// How many system operations `ask` takes.
fn operations(directory: &MemoryDirectory, ask: impl Fn(&MemoryDirectory)) -> usize {
    directory.set_fault(None);
    ask(directory);
    directory.operations()
}

#[test]
fn what_asks_each_segment_asks_twice_as_much_of_twice_as_many() {
    type Ask = fn(&MemoryDirectory);
    let asks: [(&str, Ask); 4] = [
        ("contents", |directory| {
            assert!(open(directory).contents(&mut |_, _| ()).unwrap().damage.is_none());
        }),
        ("segments one by one", |directory| {
            let reader = open_mode(directory, ReaderMode::Salvage);
            for path in reader.paths() {
                assert_eq!(reader.facts_of(&path).unwrap().path, path);
                assert_eq!(reader.is_closed(&path).unwrap(), Some(true));
                assert!(!reader.index_of(&path).unwrap().blocks.is_empty());
                assert_eq!(reader.counts_of(&path).unwrap().iter().map(|counted| counted.records).sum::<u64>(), 20);
                let alone = reader.only(&path, ReaderMode::Prefix).unwrap();
                assert_eq!(alone.segments().len(), 1);
            }
        }),
        ("reading", |directory| {
            let reader = open_mode(directory, ReaderMode::Salvage);
            assert!(!rows_of(&reader).is_empty());
        }),
        ("reading, the newest first", |directory| {
            let newest = Filter { newest_first: true, ..Filter::default() };
            assert!(!read(&open(directory), &newest, Way::Batch(usize::MAX)).whole().is_empty());
        }),
    ];
    let (few, many) = (segments(200), segments(400));
    for (name, ask) in asks {
        let (of_few, of_many) = (operations(&few, ask), operations(&many, ask));
        assert!(of_many * 10 <= of_few * 21, "{name}: {of_few} for 200 segments, {of_many} for 400");
        assert!(of_many <= 60 * 400, "{name}: {of_many} for 400 segments");
    }
}

#[test]
fn what_the_index_covers_is_not_read() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { block_bytes: 64 << 10, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for i in 0..20_000u32 {
        writer.append(7, format!("{i} and a little more").as_bytes()).unwrap();
    }
    writer.close().unwrap();
    let counting = CountingDirectory::new(&directory);
    let reader = Reader::open(Arc::new(counting.clone()), ReaderOptions::default()).unwrap();
    counting.reads();
    assert_eq!(reader.contents(&mut |_, _| ()).unwrap().records, 20_000);
    let by_index = counting.bytes_read();
    assert_eq!(by_reading(&reader).records, 20_000);
    let by_reading = counting.bytes_read();
    assert!(by_index * 4 < by_reading, "{by_index} bytes by the index, {by_reading} by reading");
}

#[test]
fn a_file_that_is_none_of_the_logs_segments_is_not_found() {
    let reader = open(&segments(3));
    for asked in [
        reader.facts_of("nowhere").map(|_| ()),
        reader.index_of("nowhere").map(|_| ()),
        reader.counts_of("nowhere").map(|_| ()),
    ] {
        assert_eq!(asked.unwrap_err().kind(), Kind::NotFound);
    }
}
