//! Seeking to an id or a time, from any position of the cursor.

use std::sync::Arc;

use crate::common::history::*;
use crate::common::*;
use binlog::{Codec, Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

/// Thirty small records of one block, and further blocks.
fn a_log() -> Log {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..90 {
        log.put_plain(i % 3, i64::from(i), 100);
        if i % 30 == 29 {
            log.writer().flush().unwrap();
        }
    }
    log
}

#[test]
fn a_seek_in_the_middle_of_a_block_shows_nothing_more_of_it() {
    let mut log = a_log();
    log.close();
    for types in [vec![], vec![1]] {
        for headers_only in [false, true] {
            let filter = Filter { types: types.clone(), headers_only, ..Filter::default() };
            let shown = shown_of(&log.rows, &filter);
            let mut cursor = open(&log.directory).cursor(&filter).unwrap();
            for id in [70, 3, 35, 4, 89, 1] {
                cursor.seek(id).unwrap();
                let expected = shown.iter().find(|row| row.id >= id);
                let seen = cursor.next().unwrap().map(|record| Row::from(&record));
                assert_eq!(seen.as_ref(), expected, "seek {id} {filter:?}");
                cursor.next_batch(1, |_| ()).unwrap();
            }
        }
    }
}

#[test]
fn a_seek_widens_no_filter_and_forgets_the_one_before() {
    let mut log = a_log();
    log.close();
    let reader = open(&log.directory);
    let filter = Filter { from_id: Some(20), to_id: Some(80), from_time: Some(30), ..Filter::default() };
    let mut cursor = reader.cursor(&filter).unwrap();
    let ids = |cursor: &mut binlog::Cursor| {
        let seen = drain(cursor, Way::Batch(7)).whole();
        (seen.first().map(|row| row.id), seen.last().map(|row| row.id))
    };
    assert_eq!(ids(&mut cursor), (Some(31), Some(80)));
    for id in [1, 19, 25, 30] {
        assert!(cursor.get(id).unwrap().is_none(), "the filter keeps {id} out");
    }
    cursor.seek_time(50).unwrap();
    assert_eq!(ids(&mut cursor), (Some(51), Some(80)));
    cursor.seek(40).unwrap();
    assert_eq!(ids(&mut cursor), (Some(40), Some(80)));
    cursor.seek_time(0).unwrap();
    assert_eq!(ids(&mut cursor), (Some(31), Some(80)));

    let mut cursor = reader.cursor(&Filter { last: Some(5), ..Filter::default() }).unwrap();
    assert_eq!(ids(&mut cursor), (Some(86), Some(90)));
    assert!(cursor.get(85).unwrap().is_none() && cursor.get(86).unwrap().is_some());
    cursor.seek(1).unwrap();
    assert_eq!(ids(&mut cursor), (Some(86), Some(90)));
}

#[test]
fn a_seek_knows_the_types_that_were_named_before_the_place() {
    for (mode, index_bytes, rolled) in [
        (ReaderMode::Prefix, 1 << 20, false),
        (ReaderMode::Prefix, 1 << 20, true),
        (ReaderMode::Prefix, 4096, true),
        (ReaderMode::Strict, 4096, false),
    ] {
        let mut log = Log::new(WriterOptions { index_bytes, ..small_blocks(Codec::None) });
        log.put_plain(1, 0, 100);
        let named = log.writer().type_id("job", "").unwrap();
        log.writer().flush().unwrap();
        if rolled {
            log.writer().roll().unwrap();
        }
        for i in 1..200 {
            log.put_plain(if i % 50 == 7 { named } else { 2 }, i, 300);
            if i % 5 == 0 {
                log.writer().flush().unwrap();
            }
        }
        log.writer().flush().unwrap();
        for closed in [false, true] {
            if closed {
                log.close();
            }
            let reader = open_mode(&log.directory, mode);
            let filter = Filter { type_names: vec!["job".into()], ..Filter::default() };
            let mut cursor = reader.cursor(&filter).unwrap();
            for id in [150, 3, 200, 101] {
                let what = format!("{id}, {mode:?}, {index_bytes}, rolled {rolled}, closed {closed}");
                cursor.seek(id).unwrap();
                let rest: Vec<Row> = shown_of_named(&log.rows, named).into_iter().filter(|row| row.id >= id).collect();
                let mut seen = vec![];
                while let Some(record) = cursor.next().ok().flatten() {
                    seen.push(Row::from(&record));
                }
                assert_rows(&seen, &rest, &what);
                assert_eq!(cursor.type_name(named), Some("job"), "{what}");
            }
        }
    }
}

fn shown_of_named(rows: &[Row], named: u32) -> Vec<Row> {
    shown_of(rows, &Filter { types: vec![named], ..Filter::default() })
}

#[test]
fn a_cursor_that_sought_reports_the_same_end_as_one_that_read_everything() {
    for index_bytes in [4096, 1 << 20] {
        let mut log = Log::new(WriterOptions { index_bytes, ..small_blocks(Codec::None) });
        for i in 0..100 {
            log.put_plain(1, i, 300);
            if i % 20 == 10 {
                log.writer().flush().unwrap();
            }
            if i == 50 {
                log.writer().roll().unwrap();
            }
        }
        log.writer().flush().unwrap();
        for state in ["live", "closed", "crashed"] {
            match state {
                "closed" => log.close(),
                "crashed" => {
                    log.reopen(Codec::None);
                    log.crash();
                }
                _ => (),
            }
            let reader = open(&log.directory);
            let read_all = read(&reader, &Filter::default(), Way::Batch(5));
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            for id in [1, 40, 60, 99, 100, 101, 5000] {
                cursor.seek(id).unwrap();
                let seen = drain(&mut cursor, Way::Next);
                assert_eq!(seen.tail(), read_all.tail(), "{id} {state} {index_bytes}");
                assert_eq!(cursor.get(id).unwrap().is_some(), id <= 100);
                let seen = drain(&mut cursor, Way::Next);
                assert_eq!(seen.tail(), read_all.tail(), "behind {id} {state} {index_bytes}");
            }
        }
    }
}

#[test]
fn events_have_the_id_of_the_record_behind_them_wherever_they_are() {
    let mut log = Log::new(small_blocks(Codec::None));
    log.put_plain(1, 0, 100);
    // In one block with the record before, and at the end of a segment.
    log.writer().type_id("job", "").unwrap();
    log.writer().flush().unwrap();
    log.put_plain(1, 1, 100);
    log.writer().roll().unwrap();
    log.put_plain(1, 2, 100);
    log.close();
    let all = log.everything();
    for from_id in 1..=4 {
        for newest_first in [false, true] {
            let filter = Filter { from_id: Some(from_id), events: true, newest_first, ..Filter::default() };
            assert_every_way(&open(&log.directory), &filter, &shown_of(&all, &filter));
        }
    }
    let mut cursor = open(&log.directory).cursor(&Filter { events: true, ..Filter::default() }).unwrap();
    for id in [3, 1, 2, 4] {
        let got = cursor.get(id).unwrap().map(|record| Row::from(&record));
        assert_eq!(got.as_ref(), log.rows.get(id as usize - 1), "the record, and not an event before it");
        let behind: Vec<Row> = all.iter().filter(|row| row.id > id).cloned().collect();
        assert_rows(&drain(&mut cursor, Way::Next).whole(), &behind, "behind it");
    }
}

#[test]
fn what_is_shown_behind_the_end_was_appended_later_whatever_the_filter() {
    let directory = binlog::io::MemoryDirectory::new();
    let open = || Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    let writer = open();
    writer.flush().unwrap();
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    // In a log without a record the end is its beginning.
    let (mut all, mut rare) = (
        reader.cursor(&Filter::default()).unwrap(),
        reader.cursor(&Filter { types: vec![7], ..Filter::default() }).unwrap(),
    );
    let mut next_id = 1;
    for round in 0..6 {
        all.seek_end().unwrap();
        rare.seek_end().unwrap();
        assert!(all.next().unwrap().is_none() && rare.next().unwrap().is_none(), "{round}");
        for type_id in [1, 7, 1] {
            writer.append(type_id, b"x").unwrap();
        }
        if round % 2 == 1 {
            writer.roll().unwrap();
        }
        writer.flush().unwrap();
        let ids: Vec<u64> = std::iter::from_fn(|| all.next().unwrap().map(|record| record.id)).collect();
        assert_eq!(ids, [next_id, next_id + 1, next_id + 2], "{round}");
        assert_eq!(rare.next().unwrap().map(|record| record.id), Some(next_id + 1), "{round}");
        next_id += 3;
        // Records in between are passed over.
        writer.append(7, b"unseen").unwrap();
        writer.flush().unwrap();
        next_id += 1;
    }
    let mut salvaging = Reader::open(
        Arc::new(directory.clone()),
        ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() },
    )
    .unwrap()
    .cursor(&Filter::default())
    .unwrap();
    assert_eq!(salvaging.seek_end().unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn a_salvaging_cursor_that_begins_with_records_that_are_gone_says_so() {
    let directory = binlog::io::MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for _ in 0..3 {
        (0..10).for_each(|_| assert!(writer.append(1, b"x").is_ok()));
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    binlog::io::Directory::remove(&directory, "default.0000000001.binlog").unwrap();
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
        for (filter, missed) in [
            (Filter { from_id: Some(4), ..Filter::default() }, Some((4, 10))),
            (Filter { from_time: Some(1), ..Filter::default() }, Some((1, 10))),
            (Filter { from_id: Some(11), ..Filter::default() }, None),
            (Filter::default(), None),
        ] {
            let mut cursor = reader.cursor(&filter).unwrap();
            if let Some(missed) = missed {
                let error = cursor.next().unwrap_err();
                assert_eq!((error.kind(), error.missed()), (Kind::Missed, Some(missed)), "{mode:?} {filter:?}");
            }
            assert_eq!(cursor.next().unwrap().unwrap().id, 11, "{mode:?} {filter:?}");
        }
    }
}
