//! A log that is read directly from an object store: the same records as from local files, with few requests, and a
//! report when segments are removed or added meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::common::remote::*;
use crate::common::*;
use binlog::io::{Access, Directory, MemoryDirectory};
use binlog::rolling::{prune, Retention};
use binlog::{Codec, Cursor, Filter, Kind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};
use proptest::prelude::*;

fn local(directory: &MemoryDirectory, mode: ReaderMode) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() }).unwrap()
}

fn filters(last_id: u64) -> Vec<Filter> {
    let time = |id: u64| Some(1_000_000 * id as i64);
    let mut filters = vec![
        Filter::default(),
        Filter { types: vec![9], ..Filter::default() },
        Filter { types: vec![1, 9], ..Filter::default() },
        Filter { type_names: vec!["order.placed".into()], ..Filter::default() },
        Filter { types: vec![77], ..Filter::default() },
        Filter { metadata: vec![("host".into(), "host5".into())], ..Filter::default() },
        Filter { from_id: Some(last_id / 3), to_id: Some(last_id / 2), ..Filter::default() },
        Filter { from_time: time(last_id / 2), to_time: time(last_id / 2 + 40), types: vec![0], ..Filter::default() },
        Filter { last: Some(17), ..Filter::default() },
        Filter { events: true, ..Filter::default() },
    ];
    for filter in filters.clone() {
        filters.push(Filter { headers_only: true, ..filter.clone() });
        filters.push(Filter { newest_first: true, ..filter });
    }
    filters
}

#[test]
fn every_filter_order_and_mode_shows_what_it_shows_of_local_files() {
    for codec in codecs() {
        let directory = a_log(3, 700, small(codec));
        let store = Metered::of(&directory);
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let here = local(&directory, mode);
            let options = ReaderOptions { mode, ..ReaderOptions::default() };
            let there = Reader::open(Arc::new(store.directory()), options).unwrap();
            for filter in filters(2100) {
                if filter.newest_first && mode == ReaderMode::Salvage {
                    continue;
                }
                let (seen, expected) = (read(&there, &filter, Way::Next), read(&here, &filter, Way::Next));
                let context = format!("{codec:?} {mode:?} {filter:?}");
                let (tail, local_tail) = (seen.tail().clone(), expected.tail().clone());
                assert_eq!(tail.state, local_tail.state, "{context}");
                // After the last wanted record, an index leads further than headers do.
                assert!(tail.next_id == local_tail.next_id || filter.to_id.is_some(), "{context}");
                assert_rows(&seen.rows, &expected.rows, &context);
            }
            assert_eq!(there.counts().unwrap(), here.counts().unwrap());
            assert_eq!(there.index().unwrap().len(), here.index().unwrap().len());
            let facts = |reader: &Reader| reader.segments().into_iter().map(|it| (it.sequence, it.bytes, it.first_id));
            assert!(facts(&there).eq(facts(&here)));
        }
    }
}

#[test]
fn a_large_log_in_blocks_of_the_usual_length_is_the_same_too() {
    let options = WriterOptions { name: "log".into(), index_bytes: 4 << 20, ..WriterOptions::default() };
    let directory = a_log(2, 60_000, options);
    let store = Metered::of(&directory);
    let (here, there) = (local(&directory, ReaderMode::Prefix), store.open());
    for filter in filters(120_000) {
        let expected = read(&here, &filter, Way::Batch(usize::MAX)).whole();
        assert_rows(&read(&there, &filter, Way::Batch(usize::MAX)).whole(), &expected, &format!("{filter:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_log_and_any_walk_through_it_are_the_same(
        segments in 1u64..5,
        each in 1u64..400,
        block_bytes in 4096u32..40_000,
        index_bytes in 4096u64..200_000,
        steps in prop::collection::vec((0u8..4, 1u64..2000), 1..12),
        types in prop::sample::select(vec![vec![], vec![9u32], vec![0, 1]]),
        headers_only: bool,
    ) {
        let directory = a_log(segments, each, WriterOptions { block_bytes, index_bytes, ..small(Codec::None) });
        let store = Metered::of(&directory);
        let filter = Filter { types, headers_only, ..Filter::default() };
        let mut here = local(&directory, ReaderMode::Prefix).cursor(&filter).unwrap();
        let mut there = store.open().cursor(&filter).unwrap();
        for (what, number) in steps {
            let walk = |cursor: &mut Cursor| -> Vec<Row> {
                match what {
                    0 => cursor.seek(number).unwrap(),
                    1 => cursor.seek_time(1_000_000 * number as i64).unwrap(),
                    2 => return cursor.get(number).unwrap().iter().map(Row::from).collect(),
                    _ => (),
                }
                let next = |_| cursor.next().unwrap().map(|record| Row::from(&record));
                (0..number % 50).map_while(next).collect()
            };
            prop_assert_eq!(walk(&mut there), walk(&mut here));
        }
    }
}

#[test]
fn an_opening_costs_at_most_two_requests_a_segment_and_one_list() {
    let store = Metered::of(&a_log(20, 400, small(Codec::None)));
    let directory = Arc::new(store.directory());
    store.take();
    let reader = Reader::open(directory, ReaderOptions::default()).unwrap();
    let (requests, _) = store.take();
    assert!(requests <= 1 + 20, "{requests} requests to open 20 segments");
    assert_eq!(reader.counts().unwrap().iter().map(|it| it.records).sum::<u64>(), 8000);
    let (more, _) = store.take();
    assert!(requests + more <= 1 + 40, "{requests} and {more} requests for the counts of 20 segments");
    // A segment that is in no list.
    let directory = store.directory();
    directory.open("log.0000000007.binlog", Access::Read).unwrap();
    let name = "log.0000000007.binlog";
    let reader = Reader::open(Arc::new(store.directory()), ReaderOptions::default()).unwrap();
    store.take();
    let one = reader.only(std::path::Path::new("memory://store").join(name), ReaderMode::Prefix).unwrap();
    assert_eq!(one.counts().unwrap().iter().map(|it| it.records).sum::<u64>(), 400);
    assert!(store.take().0 <= 2);
}

#[test]
fn a_log_of_thousands_of_segments_opens_without_a_request_for_each() {
    let store = Metered::of(&a_log(3000, 1, small(Codec::None)));
    let reader = store.open();
    let (opening, _) = store.take();
    assert!(opening <= 5, "{opening} requests");
    let mut cursor = reader.cursor(&Filter { from_id: Some(2900), ..Filter::default() }).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().id, 2900);
    let (finding, _) = store.take();
    assert!(finding <= 30, "{finding} requests to find one of 3,000 segments");
}

#[test]
fn a_rare_type_costs_at_most_twice_the_bytes_of_its_blocks() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { name: "log".into(), index_bytes: 4 << 20, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    // One in a thousand, in bursts of 30.
    let is_rare = |i: u64| i % 30_000 < 30;
    for i in 0..150_000u64 {
        writer.append(if is_rare(i) { 7 } else { 1 }, &noise(200, i)).unwrap();
    }
    writer.close().unwrap();
    let store = Metered::of(&directory);
    let reader = store.open();
    let of_blocks = 5 * 2 * (128 << 10) as u64;
    let whole =
        directory.list().unwrap().iter().map(|name| directory.contents(name).unwrap().len() as u64).sum::<u64>();
    for headers_only in [false, true] {
        store.take();
        let filter = Filter { types: vec![7], headers_only, ..Filter::default() };
        assert_eq!(read(&reader, &filter, Way::Next).whole().len(), 150);
        let (requests, bytes) = store.take();
        assert!(bytes <= 2 * of_blocks, "{bytes} of {whole} bytes with {requests} requests");
        assert!(requests <= 40, "{requests} requests");
    }
}

#[test]
fn rare_records_that_are_far_from_each_other_are_waited_for_a_few_times() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { name: "log".into(), index_bytes: 1 << 20, ..WriterOptions::default() };
    let open = || Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
    let mut writer = open();
    for i in 0..100_000u64 {
        if i % 30_000 == 29_999 {
            // What the index covers continues in a segment that is opened again.
            writer.close().unwrap();
            writer = open();
        }
        writer.append(if i % 1000 == 0 { 7 } else { 1 }, &noise(200, i)).unwrap();
    }
    writer.close().unwrap();
    let store = Metered::of(&directory);
    for newest_first in [false, true] {
        let reader = store.open();
        store.take_waits();
        let filter = Filter { types: vec![7], newest_first, ..Filter::default() };
        assert_eq!(read(&reader, &filter, Way::Next).whole().len(), 100);
        let waits = store.take_waits();
        assert!(waits <= 6, "{waits} waits for 100 records that 20 windows cover, newest first: {newest_first}");
    }
}

#[test]
fn a_whole_log_is_fetched_once_in_large_requests() {
    let options = WriterOptions { name: "log".into(), ..WriterOptions::default() };
    let directory = a_log(1, 150_000, options);
    let store = Metered::of(&directory);
    let reader = store.open();
    assert_eq!(rows_of(&reader).len(), 150_000);
    let (requests, bytes) = store.take();
    let whole = directory.contents("log.0000000001.binlog").unwrap().len() as u64;
    assert!(bytes < whole + whole / 10, "{bytes} of {whole} bytes");
    assert!(requests <= 6 + whole / (1 << 20), "{requests} requests for {whole} bytes");
}

#[test]
fn headers_alone_leave_large_payloads_where_they_are() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { block_bytes: 1 << 20, ..small(Codec::None) };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for i in 0..300 {
        writer.append(1, &noise(100_000, i)).unwrap();
    }
    writer.close().unwrap();
    let store = Metered::of(&directory);
    let reader = store.open();
    store.take();
    let filter = Filter { headers_only: true, ..Filter::default() };
    assert_eq!(read(&reader, &filter, Way::Next).whole().len(), 300);
    let (_, bytes) = store.take();
    assert!(bytes < 2 << 20, "{bytes} bytes for the headers of 30 MB");
}

#[test]
fn nothing_can_be_written_there() {
    let store = Metered::of(&a_log(1, 10, small(Codec::None)));
    let directory = store.directory();
    let name = "log.0000000001.binlog";
    let errno = |error: std::io::Error| error.raw_os_error();
    assert_eq!(directory.open(name, Access::ReadWrite).map(drop).map_err(errno), Err(Some(libc::EROFS)));
    assert_eq!(directory.create("new", 0o640).map(drop).map_err(errno), Err(Some(libc::EROFS)));
    assert_eq!(directory.open_or_create("new", 0o640).map(drop).map_err(errno), Err(Some(libc::EROFS)));
    assert_eq!(directory.rename(name, "b").map_err(errno), Err(Some(libc::EROFS)));
    assert_eq!(directory.link(name, "b").map_err(errno), Err(Some(libc::EROFS)));
    let file = directory.open(name, Access::Read).unwrap();
    assert_eq!(file.set_len(0).map_err(errno), Err(Some(libc::EROFS)));
    assert_eq!(file.try_lock().map_err(errno), Err(Some(libc::EROFS)));
    let error = Writer::open(Arc::new(directory), small(Codec::None)).map(drop).unwrap_err();
    assert_eq!(error.os_code(), Some(libc::EROFS));
    for path in ["s3://bucket/logs", "file:///tmp/x"] {
        let error = Writer::open(path, small(Codec::None)).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported, "{error}");
        assert!(!std::path::Path::new("s3:").exists());
    }
}

#[test]
fn a_log_whose_next_segment_is_still_to_come_is_live() {
    let directory = a_log(3, 50, small(Codec::None));
    let store = Metered::of(&directory);
    store.remove("log.0000000003.binlog");
    let reader = store.open();
    for newest_first in [false, true] {
        let seen = read(&reader, &Filter { newest_first, ..Filter::default() }, Way::Next);
        assert_eq!((seen.rows.len(), seen.tail().state), (100, TailState::Live));
        assert_eq!(seen.tail().reason, "the log goes on in log.0000000003.binlog, which is not here yet");
    }
}

#[test]
fn a_cursor_continues_in_segments_that_are_shipped_later_and_lists_seldom() {
    let directory = a_log(3, 50, small(Codec::None));
    let third = directory.contents("log.0000000003.binlog").unwrap();
    let store = Metered::of(&directory);
    store.remove("log.0000000003.binlog");
    let mut cursor = store.open().cursor(&Filter::default()).unwrap();
    assert_eq!(drain(&mut cursor, Way::Next).whole().len(), 100);
    store.take_lists();
    for _ in 0..100 {
        assert!(cursor.next().unwrap().is_none());
    }
    assert!(!cursor.wait(Duration::from_millis(300)).unwrap());
    assert!(store.take_lists() <= 1, "a store is not asked all the time");
    store.store.set_contents("log.0000000003.binlog", third);
    assert!(cursor.wait(Duration::from_secs(60)).unwrap());
    assert_eq!(drain(&mut cursor, Way::Next).whole().len(), 50);
}

#[test]
fn records_that_were_pruned_under_a_cursor_are_missed_and_reported_once() {
    const EACH: u64 = 8000;
    let directory = a_log(6, EACH, small(Codec::None));
    for read_before in [1, EACH - 10, EACH, EACH + 3000] {
        let store = Metered::of(&directory);
        let mut cursor = store.open().cursor(&Filter::default()).unwrap();
        for _ in 0..read_before {
            cursor.next().unwrap().unwrap();
        }
        // Everything that is still in memory may be shown; nothing of it is wrong.
        for sequence in 1..=4 {
            store.remove(&format!("log.{sequence:010}.binlog"));
        }
        let mut ids = vec![];
        let missed = loop {
            match cursor.next() {
                Ok(Some(record)) => ids.push(record.id),
                Ok(None) => panic!("{read_before}: the end came before the missing records were reported"),
                Err(error) => break error,
            }
        };
        let next = read_before + 1 + ids.len() as u64;
        assert!(ids.iter().copied().eq(read_before + 1..next));
        assert_eq!((missed.kind(), missed.missed()), (Kind::Missed, Some((next, 4 * EACH))), "{missed}");
        let rest = drain(&mut cursor, Way::Next).whole();
        assert_eq!((rest[0].id, rest.len() as u64), (4 * EACH + 1, 2 * EACH));
    }
}

#[test]
fn what_is_pruned_is_ours_old_and_nothing_else() {
    let directory = a_log(5, 20, small(Codec::None));
    let store = Metered::of(&directory);
    let other = a_log(1, 5, WriterOptions { name: "other".into(), ..small(Codec::None) });
    store.store.set_contents("other.0000000001.binlog", other.contents("other.0000000001.binlog").unwrap());
    store.store.set_contents("log.0000000000.binlog", b"no segment".to_vec());
    store.store.set_contents("log.0000000001.txt", b"foreign".to_vec());
    store.store.set_contents("log.0000000099.binlog", other.contents("other.0000000001.binlog").unwrap());
    let there = || {
        let mut names = store.directory().list().unwrap();
        names.sort();
        names
    };
    let before = there();
    let keep = Retention { segments: Some(2), ..Retention::default() };
    let planned = prune(Arc::new(store.directory()), None, &keep, true).unwrap();
    assert_eq!((planned.len(), there()), (3, before.clone()), "a dry run removes nothing");
    assert_eq!(planned[0].path.to_str(), Some("memory://store/log.0000000001.binlog"));
    assert_eq!(prune(Arc::new(store.directory()), None, &keep, false).unwrap(), planned);
    let mut left: Vec<_> =
        before.into_iter().filter(|name| !planned.iter().any(|it| it.path.ends_with(name))).collect();
    // This label records that they were removed on purpose.
    left.push("log.pruned-0000000003".to_owned());
    left.sort();
    assert_eq!(there(), left);
    let keep = Retention { age: Some(Duration::from_secs(3600)), ..Retention::default() };
    assert_eq!(prune(Arc::new(store.directory()), None, &keep, false).unwrap(), []);
}

#[test]
fn nothing_is_pruned_in_a_store_that_is_newer_than_a_copy_or_a_damaged_segment() {
    let directory = a_log(5, 20, small(Codec::None));
    let second = directory.contents("log.0000000002.binlog").unwrap();
    let damaged = [vec![0; 100], second[100..].to_vec()].concat();
    for (file, bytes) in [("log.0000000002.binlog", damaged), ("log.0000000009.binlog", second)] {
        let store = Metered::of(&directory);
        store.store.set_contents(file, bytes);
        let keep = Retention { segments: Some(1), ..Retention::default() };
        let error = prune(Arc::new(store.directory()), None, &keep, false).unwrap_err();
        assert!(error.path().unwrap().ends_with(file), "{error}");
        assert!(error.reason().contains("take it out of the store"), "{error}");
        let left = store.directory().list().unwrap();
        assert!(!left.contains(&"log.0000000001.binlog".to_owned()), "{left:?}");
        assert!((2..=5).all(|number| left.contains(&format!("log.{number:010}.binlog"))), "{left:?}");
    }
}
