//! Logs of thousands of segments: queries are answered without opening each segment.

use std::sync::Arc;

use crate::common::history::open;
use crate::common::interposed::Interposed;
use crate::common::time::*;
use crate::common::*;
use binlog::io::{Access, Directory, Fault, MemoryDirectory, Operation};
use binlog::rolling::RollOptions;
use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const SEGMENTS: u64 = 2100;
/// Files that may be opened to find one of so many.
const FEW: usize = 24;

/// A closed log in which each segment holds one record, of the time of its id.
fn a_log() -> MemoryDirectory {
    named("default", SEGMENTS)
}

fn named(name: &str, segments: u64) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    add_log(&directory, name, segments);
    directory
}

fn add_log(directory: &MemoryDirectory, name: &str, segments: u64) {
    let options = WriterOptions { name: name.into(), ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for id in 1..=segments {
        writer.append_record(&binlog::NewRecord { time: Some(id as i64), ..record(id) }).unwrap();
        if id < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn record(id: u64) -> binlog::NewRecord<'static> {
    let payloads: [&[u8]; 3] = [b"one", b"two", b"three"];
    binlog::NewRecord { type_id: (id % 3) as u32, payload: payloads[(id % 3) as usize], ..Default::default() }
}

fn file(id: u64) -> String {
    format!("default.{id:010}.binlog")
}

/// What `ask` returns, and how many files it opened.
fn opened<T>(directory: &MemoryDirectory, ask: impl FnOnce() -> T) -> (T, usize) {
    counted(directory, Operation::Open, ask)
}

/// What `ask` returns, and how many of these operations it took.
fn counted<T>(directory: &MemoryDirectory, only: Operation, ask: impl FnOnce() -> T) -> (T, usize) {
    directory.set_fault(Some(Fault { from: usize::MAX, times: 0, errno: 0, only: Some(only) }));
    let answer = ask();
    let operations = directory.operations();
    directory.set_fault(None);
    (answer, operations)
}

fn ids(cursor: &mut binlog::Cursor) -> Vec<u64> {
    drain(cursor, Way::Next).whole().iter().map(|row| row.id).collect()
}

#[test]
fn opening_and_the_last_record_open_a_few_files() {
    let directory = a_log();
    let (reader, count) = opened(&directory, || open(&directory));
    assert!(count <= 2, "{count} files to open a log");
    for newest_first in [false, true] {
        let filter = Filter { last: Some(1), newest_first, ..Filter::default() };
        let (seen, count) = opened(&directory, || ids(&mut reader.cursor(&filter).unwrap()));
        assert_eq!(seen, [SEGMENTS]);
        assert!(count <= FEW, "{count} files for the last record");
    }
    let newest = Filter { newest_first: true, ..Filter::default() };
    let (first, count) = opened(&directory, || {
        let mut cursor = reader.cursor(&newest).unwrap();
        cursor.next().unwrap().map(|record| record.id)
    });
    assert_eq!(first, Some(SEGMENTS));
    assert!(count <= FEW, "{count} files for the newest record");
    assert_eq!(ids(&mut reader.cursor(&newest).unwrap()), (1..=SEGMENTS).rev().collect::<Vec<_>>());
    assert_eq!(ids(&mut reader.cursor(&Filter::default()).unwrap()), (1..=SEGMENTS).collect::<Vec<_>>());
}

#[test]
fn a_record_is_found_by_its_id_among_thousands_of_segments() {
    let directory = a_log();
    let reader = open(&directory);
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in [1, SEGMENTS, 700, 701, 1500] {
        let (got, count) = opened(&directory, || cursor.get(id).unwrap().map(|record| (record.id, record.time)));
        assert_eq!(got, Some((id, id as i64)));
        assert!(count <= FEW, "{count} files for record {id}");
        let (next, count) = opened(&directory, || {
            cursor.seek(id).unwrap();
            cursor.next().unwrap().map(|record| record.id)
        });
        assert_eq!(next, Some(id));
        assert!(count <= 4, "{count} files for record {id} once more");
    }
    let (got, count) = opened(&directory, || cursor.get(SEGMENTS + 1).unwrap().is_some());
    assert!(!got && count <= FEW, "{count} files for a record that is not there");
    let none = Filter { types: vec![77], to_id: Some(300), from_id: Some(300), ..Filter::default() };
    let (tail, count) = opened(&directory, || drain(&mut reader.cursor(&none).unwrap(), Way::Next).tail().clone());
    assert_eq!(tail.state, TailState::Closed);
    assert!(count <= FEW, "{count} files behind the last wanted record");
    let range = Filter { from_id: Some(1200), to_id: Some(1210), ..Filter::default() };
    assert_every_way(&reader, &range, &rows_of(&reader)[1199..1210]);
}

#[test]
fn a_cursor_at_the_end_notices_a_new_segment_without_opening_the_others_again() {
    let directory = a_log();
    let reader = open(&directory);
    let mut cursor = reader.cursor(&Filter { last: Some(2), ..Filter::default() }).unwrap();
    assert_eq!(ids(&mut cursor), [SEGMENTS - 1, SEGMENTS]);
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for id in SEGMENTS + 1..SEGMENTS + 5 {
        writer.append(1, b"more").unwrap();
        writer.roll().unwrap();
        let (seen, count) = opened(&directory, || ids(&mut cursor));
        assert_eq!(seen, [id]);
        assert!(count <= 4, "{count} files for one more");
    }
}

#[test]
fn what_asks_for_every_segment_sees_every_segment() {
    let directory = named("default", 200);
    let reader = open(&directory);
    let facts = reader.segments();
    assert_eq!(facts.iter().map(|facts| facts.sequence).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    let last_ids: Vec<_> = facts.iter().map(|facts| facts.predecessor_last_id).collect();
    assert_eq!(last_ids, std::iter::once(None).chain((1..200).map(Some)).collect::<Vec<_>>());
    assert_eq!(reader.counts().unwrap().iter().map(|counted| counted.records).sum::<u64>(), 200);
    assert_eq!(reader.index().unwrap().len(), 200);
    assert_eq!(rows_of(&crate::common::history::open_mode(&directory, ReaderMode::Salvage)).len(), 200);
    assert_eq!(binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap(), Vec::<std::path::PathBuf>::new());
    assert_eq!(
        binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap().segments,
        []
    );
}

#[test]
fn a_name_that_contradicts_its_header_never_makes_another_order() {
    let good = named("default", 100);
    let rows = rows_of(&open(&good));
    for (from, to) in [(50, 101), (50, 300), (100, 1000)] {
        let directory = history::copy_of(&good);
        directory.rename(&file(from), &file(to)).unwrap();
        assert_every_way(&open(&directory), &Filter::default(), &rows);
        let from_there = Filter { from_id: Some(from), ..Filter::default() };
        assert_every_way(&open(&directory), &from_there, &rows[from as usize - 1..]);
    }
    // Two that changed places.
    let directory = history::copy_of(&good);
    let (a, b) = (good.contents(&file(30)).unwrap(), good.contents(&file(60)).unwrap());
    directory.set_contents(&file(30), b);
    directory.set_contents(&file(60), a);
    let reader = open(&directory);
    assert_every_way(&reader, &Filter::default(), &rows);
    assert_eq!(read(&reader, &Filter { from_id: Some(61), ..Filter::default() }, Way::Next).whole().len(), 40);
    // A file of another log under a name of this one.
    let other = named("default", 3);
    let directory = history::copy_of(&good);
    directory.set_contents(&file(70), other.contents(&file(2)).unwrap());
    let seen = read(&open(&directory), &Filter::default(), Way::Next);
    assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (69, Kind::Corrupt));
}

/// A list made of names may have the file in which the writer is about to continue, while the segment before it still
/// grows: what a cursor has read of that segment before the next one began may not be all of it.
#[test]
fn a_segment_that_grew_before_the_next_one_began_is_read_to_its_end() {
    const THIS: u64 = 98; // its payload is "three"
    let whole = named("default", THIS + 1);
    let bytes = |id: u64| {
        let file = whole.open(&file(id), Access::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    };
    let fill = |directory: &MemoryDirectory, id: u64, bytes: &[u8]| {
        let file = directory.open(&file(id), Access::ReadWrite).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(file.write_at(&[std::io::IoSlice::new(bytes)], 0).unwrap(), bytes.len());
    };
    let (this, next) = (bytes(THIS), bytes(THIS + 1));
    // From within the segment's first block on.
    let payload = this.windows(5).position(|bytes| bytes == b"three").unwrap();
    for cut in (payload..this.len()).step_by(7).chain([payload + 5]) {
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            fill(&whole, THIS, &this[..cut]);
            fill(&whole, THIS + 1, b"");
            let (writer, this, next) = (whole.clone(), this.clone(), next.clone());
            let goes_on = std::sync::Once::new();
            let on_open = move |name: &str| {
                if name == file(THIS + 1) {
                    goes_on.call_once(|| {
                        fill(&writer, THIS, &this);
                        fill(&writer, THIS + 1, &next);
                    });
                }
            };
            let inner = Arc::new(whole.clone());
            let interposed = Interposed { on_open: Some(Arc::new(on_open)), ..Interposed::around(inner) };
            let reader = Reader::open(Arc::new(interposed), ReaderOptions { mode, ..Default::default() }).unwrap();
            let seen = drain(&mut reader.cursor(&Filter::default()).unwrap(), Way::Next);
            let seen: Vec<u64> = seen.whole().iter().map(|row| row.id).collect();
            assert_eq!(seen, (1..=THIS + 1).collect::<Vec<_>>(), "{mode:?}, cut at {cut}");
        }
    }
}

#[test]
fn where_names_do_not_give_the_order_headers_do() {
    let good = named("default", 100);
    let rows = rows_of(&open(&good));
    // Names that do not belong to a log.
    let directory = MemoryDirectory::new();
    for id in 1..=100 {
        directory.set_contents(&format!("{}.binlog", 1000 - id), good.contents(&file(id)).unwrap());
    }
    assert_rows(&rows_of(&open(&directory)), &rows, "names that the library did not give");
    // A number twice: a copy beside its original is reported as it is among few.
    let directory = history::copy_of(&good);
    directory.set_contents("default.00000000040.binlog", good.contents(&file(40)).unwrap());
    assert_rows(&rows_of(&open(&directory)), &rows, "a copy is passed over");
    let salvaged = crate::common::history::open_mode(&directory, ReaderMode::Salvage);
    assert_rows(&rows_of(&salvaged), &rows, "a copy is passed over");
}

#[test]
fn logs_beside_each_other_are_distinguished_by_names_that_begin_alike() {
    let directory = MemoryDirectory::new();
    for (name, segments) in [("a", 80), ("a.b", 40), ("a1", 30), ("a22", 20)] {
        add_log(&directory, name, segments);
    }
    let (reader, count) = opened(&directory, || open(&directory));
    assert!(count <= 8, "{count} files to open four logs");
    let ids: Vec<u64> = rows_of(&reader).iter().map(|row| row.id).collect();
    assert_eq!(ids, (1..=80).chain(1..=40).chain(1..=30).chain(1..=20).collect::<Vec<_>>());
    let names: Vec<String> = reader.segments().into_iter().map(|facts| facts.name).collect();
    assert!(names.is_sorted());
}

#[test]
fn empty_files_and_damaged_beginnings_among_many_are_as_among_few() {
    let good = named("default", 150);
    let directory = history::copy_of(&good);
    // Writers that were killed before they began a segment, one of them at this moment.
    for id in [151, 152] {
        directory.set_contents(&file(id), vec![]);
    }
    let rows = rows_of(&open(&good));
    assert_every_way(&open(&directory), &Filter::default(), &rows);
    let last = Filter { last: Some(1), ..Filter::default() };
    assert_eq!(read(&open(&directory), &last, Way::Next).whole()[0].id, 150);
    let newest = Filter { newest_first: true, ..Filter::default() };
    assert_eq!(read(&open(&directory), &newest, Way::Next).whole().len(), 150);
    // A file that was an obstacle when the log rolled, where a search looks first, and a first segment with another number
    // than 1.
    let directory = MemoryDirectory::new();
    directory.set_contents(&file(20), vec![]);
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for id in 1..=150 {
        writer.append_record(&binlog::NewRecord { time: Some(id as i64), ..record(id) }).unwrap();
        if id == 75 {
            directory.set_contents(&file(96), vec![]);
        }
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    assert!(directory.contents(&file(21)).unwrap().len() > 100 && directory.contents(&file(96)).unwrap().is_empty());
    for from_id in [1, 75, 76, 77] {
        let filter = Filter { from_id: Some(from_id), ..Filter::default() };
        assert_every_way(&open(&directory), &filter, &rows[from_id as usize - 1..]);
    }
    let newest = Filter { newest_first: true, ..Filter::default() };
    assert_eq!(read(&open(&directory), &newest, Way::Next).whole().len(), 150);

    let directory = history::copy_of(&good);
    let mut damaged = good.contents(&file(75)).unwrap();
    damaged[20] ^= 1;
    directory.set_contents(&file(75), damaged);
    let reader = open(&directory);
    let seen = read(&reader, &Filter::default(), Way::Next);
    assert_eq!(seen.rows.len(), 74);
    let error = seen.end.unwrap_err();
    assert_eq!((error.kind(), error.path()), (Kind::Corrupt, Some(directory.path_of(&file(75)).as_path())));
    for from_id in [76, 100, 149] {
        let filter = Filter { from_id: Some(from_id), ..Filter::default() };
        assert_rows(&read(&reader, &filter, Way::Next).whole(), &rows[from_id as usize - 1..], "behind the damage");
    }
    let seen = read(&reader, &Filter { from_id: Some(75), ..Filter::default() }, Way::Next);
    assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (0, Kind::Corrupt));
    assert_eq!(rows_of(&crate::common::history::open_mode(&directory, ReaderMode::Salvage)).len(), 150);
}

#[test]
fn what_is_required_is_required_of_each_segment_among_many() {
    let directory = a_log();
    let required = |name: &str| ReaderOptions {
        require: binlog::Required { name: Some(name.into()), ..Default::default() },
        ..ReaderOptions::default()
    };
    let open = |name: &str| Reader::open(Arc::new(directory.clone()), required(name));
    assert_eq!(open("other").err().unwrap().kind(), Kind::Mismatch);
    assert_eq!(rows_of(&open("default").unwrap()).len(), SEGMENTS as usize);
    assert!(directory.open(&file(1), Access::Read).is_ok());
}
/// The times are the caller's own and far from those of the log's events; the writer is closed and opened again in
/// between, and continues in a segment that it did not begin.
#[test]
fn a_time_is_found_in_few_files_also_when_events_are_of_another_time_and_the_log_was_reopened() {
    let directory = MemoryDirectory::new();
    // Mostly rising, with steps back.
    let time = |id: u64| id as i64 * 10 - if id.is_multiple_of(7) { 55 } else { 0 };
    let (segments, sessions) = (600u64, 6);
    let mut id = 0;
    for _ in 0..sessions {
        let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
        for _ in 0..segments / sessions {
            for _ in 0..3 {
                id += 1;
                writer.append_record(&binlog::NewRecord { time: Some(time(id)), ..record(id) }).unwrap();
            }
            writer.roll().unwrap();
        }
        writer.type_id(&format!("a type named after record {id}"), "").unwrap();
        writer.close().unwrap();
    }
    let all: Vec<u64> = (1..=id).collect();
    for from in [i64::MIN, -50, 1, time(3), time(900), time(901) + 1, time(id) - 3, time(id), time(id) + 1] {
        let filter = Filter { from_time: Some(from), ..Filter::default() };
        let expected: Vec<u64> = all.iter().copied().filter(|&id| time(id) >= from).collect();
        let (found, cost) = opened(&directory, || {
            let reader = open(&directory);
            let mut cursor = reader.cursor(&filter).unwrap();
            cursor.next().unwrap().map(|record| record.id)
        });
        assert_eq!(found, expected.first().copied(), "from {from}");
        assert!(cost <= FEW + 8, "{cost} files were opened for the time {from}");
        assert_eq!(ids(&mut open(&directory).cursor(&filter).unwrap()), expected, "from {from}");
        let (found, cost) = opened(&directory, || {
            let reader = open(&directory);
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            cursor.seek_time(from).unwrap();
            cursor.next().unwrap().map(|record| record.id)
        });
        assert_eq!(found, expected.first().copied(), "seeking {from}");
        assert!(cost <= FEW + 8, "{cost} files were opened to seek the time {from}");
    }
}

/// Some times are earlier than those before them: the clock jitters and is corrected, and callers give times.
#[test]
fn a_time_is_found_among_segments_that_rolled_as_reading_everything_finds_it() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let roll = RollOptions { records: Some(3), ..RollOptions::default() };
    let options = || WriterOptions { roll: roll.clone(), clock: time.clock(), ..WriterOptions::default() };
    // The writer is closed, or dropped without that, and another one continues.
    let mut segments = directory.clone();
    for writing in 0..3 {
        let writer = Writer::open(Arc::new(segments.clone()), options()).unwrap();
        for id in writing * 500..(writing + 1) * 500 {
            let back = if id % 50 == 49 { 20 } else { 0 } + if writing == 2 { 300 } else { 0 };
            let now = TEN + (id as i64 - back) * SECOND;
            time.set(now);
            let own = (id % 7 == 0).then_some(now + 30 * SECOND);
            writer.append_record(&binlog::NewRecord { time: own, ..record(id) }).unwrap();
        }
        match writing {
            1 => {
                writer.sync().unwrap();
                segments = history::copy_of(&segments);
                std::mem::forget(writer);
            }
            _ => writer.close().unwrap(),
        }
    }
    let reader = open(&segments);
    assert!(reader.segments().len() >= 500);
    let rows = rows_of(&reader);
    assert_eq!(rows.len(), 1500);
    for second in
        [-1, 0, 1, 28, 29, 30, 48, 49, 50, 499, 500, 501, 702, 777, 900, 979, 985, 990, 1000, 1024, 1025, 1150, 1199]
    {
        let filter = Filter { from_time: Some(TEN + second * SECOND), ..Filter::default() };
        let expected: Vec<Row> = rows.iter().filter(|row| row.time >= filter.from_time.unwrap()).cloned().collect();
        assert_rows(&read(&reader, &filter, Way::Next).whole(), &expected, &format!("from second {second}"));
        let (first, count) = opened(&segments, || {
            let mut cursor = open(&segments).cursor(&filter).unwrap();
            cursor.next().unwrap().map(|record| record.id)
        });
        assert_eq!(first, expected.first().map(|row| row.id), "from second {second}");
        assert!(count <= FEW, "{count} files for the first record from second {second}");
    }
}

#[test]
fn a_record_of_a_last_segment_that_is_missing_is_not_just_absent() {
    let directory = named("default", 5);
    directory.remove(&file(5)).unwrap();
    for filter in [
        Filter { from_id: Some(5), to_id: Some(5), ..Filter::default() },
        Filter { from_id: Some(7), ..Filter::default() },
        Filter { from_id: Some(6), types: vec![1], ..Filter::default() },
    ] {
        let seen = read(&open(&directory), &filter, Way::Next);
        let tail = seen.tail();
        assert_eq!((tail.state, seen.rows.len()), (TailState::Unclosed, 0), "{filter:?}");
        assert_eq!(tail.reason, "the log goes on in default.0000000005.binlog, which is not here");
    }
    // A record that the log has is found without a look at its end.
    let there = Filter { from_id: Some(2), to_id: Some(2), ..Filter::default() };
    assert_eq!(read(&open(&directory), &there, Way::Next).rows.len(), 1);
}

#[test]
fn what_lists_every_segment_opens_each_twice_and_reads_it_a_few_times() {
    let cost = |segments: u64, only: Operation| {
        let directory = named("default", segments);
        let ask = || {
            let reader = crate::common::history::open_mode(&directory, ReaderMode::Salvage);
            let paths = reader.paths();
            assert_eq!(paths.len() as u64, segments);
            let extents = paths.iter().map(|path| {
                assert!(!reader.facts_of(path).unwrap().live);
                reader.extent_of(path).unwrap().expect("the segment was closed")
            });
            assert!((1..).zip(extents).all(|(id, extent)| (extent.records, extent.times) == (1, Some((id, id)))));
        };
        counted(&directory, only, ask).1
    };
    // One of the reads is of the first block's header, to check that it has the marker of the header before it.
    for (only, most) in [(Operation::Open, 2), (Operation::Read, 8)] {
        let costs = [200, 400].map(|segments| cost(segments, only));
        assert!(costs[1] - costs[0] <= 200 * most, "{only:?}: {costs:?}");
    }
}

/// A kill at a roll leaves a file without contents, which a search forgets while it goes by the times.
#[test]
fn files_without_contents_shift_no_place_that_a_search_has_found() {
    let directory = MemoryDirectory::new();
    let mut next = 1;
    for segments in [2, 3, 3, 70] {
        let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
        for _ in 0..segments {
            if next > 1 {
                writer.roll().unwrap();
            }
            writer.append_record(&binlog::NewRecord { time: Some(next as i64), ..record(next) }).unwrap();
            next += 1;
        }
        writer.close().unwrap();
        let last = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).max().unwrap();
        let number: u64 = last["default.".len()..][..10].parse().unwrap();
        directory.set_contents(&file(number + 1), vec![]);
    }
    let whole = ids(&mut open(&directory).cursor(&Filter::default()).unwrap());
    let is_empty = |name: &&String| name.ends_with(".binlog") && directory.contents(name).unwrap().is_empty();
    assert_eq!((whole.len(), directory.list().unwrap().iter().filter(is_empty).count()), (78, 4));
    let times: Vec<i64> = {
        let reader = open(&directory);
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        let mut times = vec![];
        while let Some(record) = cursor.next().unwrap() {
            times.push(record.time);
        }
        times
    };
    for at in [1, 3, 6, 40, whole.len() - 2] {
        for from in [2, 7, whole.len() / 2, whole.len() - 3] {
            let filter = Filter { from_time: Some(times[at]), from_id: Some(whole[from]), ..Filter::default() };
            let wanted: Vec<u64> =
                (0..whole.len()).filter(|&i| i >= from && times[i] >= times[at]).map(|i| whole[i]).collect();
            assert_eq!(ids(&mut open(&directory).cursor(&filter).unwrap()), wanted, "since {at}, from {from}");
        }
        for last in [1, 9, 50] {
            let filter = Filter { from_time: Some(times[at]), last: Some(last), ..Filter::default() };
            let wanted = (0..whole.len()).filter(|&i| times[i] >= times[at]).count().min(last as usize);
            assert_eq!(
                ids(&mut open(&directory).cursor(&filter).unwrap()),
                &whole[whole.len() - wanted..],
                "since {at}, last {last}"
            );
        }
    }
}
