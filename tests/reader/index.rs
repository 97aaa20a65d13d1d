//! Reading by the index shows exactly what reading everything and selecting shows, whatever was written and however the
//! log ended.

use crate::common::history::*;
use crate::common::*;
use binlog::{Codec, Cursor, Filter, Reader, ReaderMode, WriterOptions};
use proptest::collection::vec;
use proptest::prelude::*;

/// Both directions by every way of reading, and the last few.
fn assert_found(reader: &Reader, all: &[Row], filter: &Filter, dice: &mut Dice) {
    assert_every_way(reader, filter, &shown_of(all, filter));
    let backwards = Filter { newest_first: true, ..filter.clone() };
    assert_every_way(reader, &backwards, &shown_of(all, &backwards));
    let records = shown_of(all, &Filter { events: false, ..filter.clone() }).len() as u64;
    for last in [0, 1, 2, dice.roll(20) as u64, records, records + 1, u64::MAX] {
        // With events, it is not defined which are the last ones of a filter that shows events of earlier ids.
        let last = Filter { last: Some(last), events: false, ..filter.clone() };
        let way = WAYS[dice.roll(WAYS.len())];
        for newest_first in [false, true] {
            let last = Filter { newest_first, ..last.clone() };
            let seen = read(reader, &last, way).whole();
            assert_rows(&seen, &shown_of(all, &last), &format!("{way:?} {last:?}"));
        }
    }
}

/// Seeking and getting at random, in the middle of reading, with the same cursor all the time.
fn assert_seeks(reader: &Reader, all: &[Row], filter: &Filter, dice: &mut Dice) {
    let mut cursor = reader.cursor(filter).unwrap();
    let shown = shown_of(all, filter);
    let next_id = all.iter().map(|row| row.id + 1).max().unwrap_or(1);
    for _ in 0..12 {
        let context = format!("{filter:?}");
        match dice.roll(4) {
            0 => {
                let id = dice.roll(next_id as usize + 2) as u64;
                cursor.seek(id).unwrap();
                let rest: Vec<Row> = shown.iter().filter(|row| row.id >= id).cloned().collect();
                assert_continues(&mut cursor, &rest, dice, &format!("seek {id} {context}"));
            }
            1 => {
                let time = dice.pick(all).map_or(0, |row| row.time).saturating_add(dice.roll(3) as i64 - 1);
                cursor.seek_time(time).unwrap();
                let rest: Vec<Row> = shown.iter().filter(|row| row.time >= time).cloned().collect();
                assert_continues(&mut cursor, &rest, dice, &format!("seek_time {time} {context}"));
            }
            2 => {
                let id = dice.roll(next_id as usize + 2) as u64;
                let got = cursor.get(id).unwrap().map(|record| Row::from(&record));
                let expected = shown.iter().find(|row| row.id == id && !row.is_event()).cloned();
                assert_eq!(got.as_ref().map(brief), expected.as_ref().map(brief), "get {id} {context}");
                assert_eq!(got, expected);
                let rest: Vec<Row> = shown.iter().filter(|row| row.id > id).cloned().collect();
                assert_continues(&mut cursor, &rest, dice, &format!("get {id} {context}"));
            }
            _ => {
                cursor.seek(0).unwrap();
                assert_continues(&mut cursor, &shown, dice, &format!("from the beginning {context}"));
            }
        }
    }
}

/// The cursor shows these rows next; it is left anywhere among them.
fn assert_continues(cursor: &mut Cursor, rest: &[Row], dice: &mut Dice, context: &str) {
    if dice.one_in(4) {
        let seen = drain(cursor, WAYS[dice.roll(WAYS.len())]).whole();
        return assert_rows(&seen, rest, context);
    }
    for expected in rest.iter().take(dice.roll(5)) {
        let seen = cursor.next().unwrap().map(|record| Row::from(&record));
        assert_eq!(seen.as_ref().map(brief), Some(brief(expected)), "{context}");
    }
}

/// One cursor gets every id, in random order, and ids that do not exist.
fn assert_gets(reader: &Reader, all: &[Row], filter: &Filter) {
    let shown: Vec<Row> = shown_of(all, filter).into_iter().filter(|row| !row.is_event()).collect();
    let mut cursor = reader.cursor(filter).unwrap();
    let next_id = all.iter().map(|row| row.id + 1).max().unwrap_or(1);
    for i in 0..next_id + 2 {
        let id = i * 37 % (next_id + 2);
        let got = cursor.get(id).unwrap().map(|record| Row::from(&record));
        let expected = shown.binary_search_by_key(&id, |row| row.id).ok().map(|at| &shown[at]);
        assert_eq!(got.as_ref(), expected, "get {id} {filter:?}");
    }
    assert!(cursor.get(u64::MAX).unwrap().is_none());
}

fn assert_all_queries(log: &Log, seed: u64) {
    let all = log.everything();
    let mut dice = Dice(seed);
    for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
        if mode == ReaderMode::Strict && log.writer.is_none() && !log.is_closed() {
            continue;
        }
        let reader = open_mode(&log.directory, mode);
        for _ in 0..4 {
            let filter = dice.filter(&all);
            assert_found(&reader, &all, &filter, &mut dice);
            assert_seeks(&reader, &all, &filter, &mut dice);
        }
        assert_gets(&reader, &all, &Filter::default());
        let filter = Filter { events: false, ..dice.filter(&all) };
        assert_gets(&reader, &all, &filter);
    }
}

fn options() -> impl Strategy<Value = WriterOptions> {
    let block = prop_oneof![3 => Just(4 << 10), 1 => Just(16 << 10)];
    let segment = prop_oneof![2 => Just(u64::MAX), 1 => 40_000u64..200_000];
    (block, segment, codec(), 4096u64..40_000).prop_map(|(block_bytes, segment_bytes, codec, index_bytes)| {
        WriterOptions { block_bytes, segment_bytes, index_bytes, ..small_blocks(codec) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_reading_everything_finds(
        options in options(),
        ops in vec(op(), 1..50),
        ending in 0..3,
        seed: u64,
    ) {
        let mut log = Log::new(options);
        ops.iter().for_each(|op| log.perform(op));
        match ending {
            0 => log.close(),
            1 => log.crash(),
            _ => log.writer().flush().unwrap(),
        }
        assert_all_queries(&log, seed);
    }

    #[test]
    fn a_log_that_grows_between_calls_shows_what_came_in_order(
        options in options(),
        rounds in vec(vec(op(), 1..12), 2..4),
        seed: u64,
    ) {
        let mut log = Log::new(options);
        let mut dice = Dice(seed);
        let mut open_cursors: Vec<(Filter, Cursor, Vec<Row>)> = vec![];
        for (i, ops) in rounds.iter().enumerate() {
            for op in ops {
                // The cursors follow the directory they were opened in.
                match op {
                    Op::Crash(codec) => log.perform(&Op::Reopen(*codec)),
                    op => log.perform(op),
                }
            }
            log.writer().flush().unwrap();
            let all = log.everything();
            for (filter, cursor, seen) in &mut open_cursors {
                seen.extend(drain(cursor, WAYS[dice.roll(WAYS.len())]).whole());
                assert_rows(seen, &shown_of(&all, filter), &format!("round {i} {filter:?}"));
            }
            let reader = open(&log.directory);
            for _ in 0..3 {
                let filter = dice.filter(&all);
                let cursor = reader.cursor(&filter).unwrap();
                open_cursors.push((filter, cursor, vec![]));
            }
        }
        log.close();
        let all = log.everything();
        for (filter, mut cursor, mut seen) in open_cursors {
            seen.extend(drain(&mut cursor, Way::Next).whole());
            assert_rows(&seen, &shown_of(&all, &filter), &format!("closed {filter:?}"));
        }
    }
}

#[test]
fn a_cursor_on_a_growing_log_seeks_and_gets_what_has_come_since() {
    let mut log = Log::new(small_blocks(Codec::None));
    let mut cursor = None;
    for round in 0..60u64 {
        for i in 0..round % 7 + 1 {
            log.put_plain((i % 3) as u32, round as i64, (i * 300) as usize);
        }
        log.writer().flush().unwrap();
        let cursor = cursor.get_or_insert_with(|| open(&log.directory).cursor(&Filter::default()).unwrap());
        let newest = log.rows.last().unwrap();
        let got = cursor.get(newest.id).unwrap().map(|record| Row::from(&record));
        assert_eq!(got.as_ref(), Some(newest));
        assert!(cursor.next().unwrap().is_none() && cursor.get(newest.id + 1).unwrap().is_none());
        cursor.seek_time(round as i64).unwrap();
        let seen = drain(cursor, Way::Batch(3)).whole();
        let since: Vec<Row> = log.rows.iter().filter(|row| row.time >= round as i64).cloned().collect();
        assert_rows(&seen, &since, "since this round");
    }
}

#[test]
fn a_filter_learns_where_the_log_continues_from_blocks_that_it_does_not_show() {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..200 {
        log.put_plain((i % 100 == 7) as u32, i, 300);
        if i == 99 {
            log.writer().roll().unwrap();
        }
    }
    log.close();
    binlog::io::Directory::remove(&log.directory, "default.0000000002.binlog").unwrap();
    let reader = open(&log.directory);
    let whole = read(&reader, &Filter::default(), Way::Next);
    assert_eq!(whole.tail().state, binlog::TailState::Unclosed);
    for newest_first in [false, true] {
        for types in [vec![1], vec![5]] {
            let seen = read(&reader, &Filter { types: types.clone(), newest_first, ..Filter::default() }, Way::Next);
            let what = format!("{types:?} {newest_first}");
            assert_eq!(seen.tail().reason, whole.tail().reason, "{what}");
            assert_eq!(seen.tail().state, whole.tail().state, "{what}");
        }
    }
}
