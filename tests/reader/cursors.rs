//! What a reader and its cursors report when the log has changed since they were opened, or is damaged: no record is
//! left out silently, whatever is asked for and in whichever direction.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::common::history::*;
use crate::common::layout::{self, Segment};
use crate::common::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Codec, Cursor, Error, Filter, Kind, Loss, Reader, ReaderMode, Tail, TailState, WriterOptions};

fn file(number: u64) -> String {
    format!("default.{number:010}.binlog")
}

/// Small records, whose times are ten times their ids; `each` in a segment, 30 in a block.
fn fill(log: &mut Log, ids: RangeInclusive<u64>, each: u64) {
    for id in ids {
        log.put_plain((id % 3) as u32, 10 * id as i64, 100);
        if id % each == 0 {
            log.writer().roll().unwrap();
        } else if id % 30 == 0 {
            log.writer().flush().unwrap();
        }
    }
    log.writer().flush().unwrap();
}

/// Segments of 100 records and an empty one, which is open.
fn a_log(segments: u64) -> Log {
    let mut log = Log::new(WriterOptions { index_bytes: 1 << 20, ..small_blocks(Codec::None) });
    fill(&mut log, 1..=100 * segments, 100);
    log
}

/// A log of one segment, with an INDEX at its end or not.
fn one_segment(records: u64, is_closed: bool) -> Log {
    let mut log = Log::new(WriterOptions { index_bytes: 1 << 20, ..small_blocks(Codec::None) });
    fill(&mut log, 1..=records, u64::MAX);
    match is_closed {
        true => log.close(),
        false => log.crash(),
    }
    log
}

fn remove(log: &Log, files: RangeInclusive<u64>) {
    files.for_each(|number| log.directory.remove(&file(number)).unwrap());
}

fn from(id: u64) -> Filter {
    Filter { from_id: Some(id), ..Filter::default() }
}

fn last(most: u64) -> Filter {
    Filter { last: Some(most), ..Filter::default() }
}

fn newest_first() -> Filter {
    Filter { newest_first: true, ..Filter::default() }
}

/// What a cursor returns until its end: runs of ids in either direction, gaps, and damage.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Ids(u64, u64),
    Missed(u64, u64),
    Corrupt,
}

fn items(cursor: &mut Cursor) -> Vec<Item> {
    let mut all = vec![];
    loop {
        let seen = drain(cursor, Way::Batch(7));
        for row in &seen.rows {
            match all.last_mut() {
                Some(Item::Ids(_, last)) if last.abs_diff(row.id) == 1 => *last = row.id,
                _ => all.push(Item::Ids(row.id, row.id)),
            }
        }
        match seen.end {
            Ok(_) => return all,
            Err(e) => match e.missed() {
                Some((first, last)) => all.push(Item::Missed(first, last)),
                None => {
                    assert_eq!(e.kind(), Kind::Corrupt, "{e}");
                    assert!(e.path().is_some() && e.offset().is_some(), "{e}");
                    all.push(Item::Corrupt);
                    return all;
                }
            },
        }
    }
}

fn items_of(reader: &Reader, filter: &Filter) -> Vec<Item> {
    items(&mut reader.cursor(filter).unwrap())
}

fn got(cursor: &mut Cursor, id: u64) -> Result<Option<u64>, Option<(u64, u64)>> {
    cursor.get(id).map(|record| record.map(|record| record.id)).map_err(|e| e.missed())
}

fn counted(reader: &Reader) -> u64 {
    reader.counts().unwrap().iter().map(|count| count.records).sum()
}

#[test]
fn a_seek_to_records_that_were_removed_says_once_which() {
    let log = a_log(5);
    remove(&log, 1..=2);
    let mut cursor = open(&log.directory).cursor(&Filter::default()).unwrap();
    assert_eq!(items(&mut cursor), [Item::Ids(201, 500)]);
    cursor.seek(50).unwrap();
    assert_eq!(items(&mut cursor), [Item::Missed(50, 200), Item::Ids(201, 500)]);
    cursor.seek(200).unwrap();
    assert!(cursor.wait(std::time::Duration::ZERO).unwrap());
    assert_eq!(items(&mut cursor), [Item::Missed(200, 200), Item::Ids(201, 500)]);
    cursor.seek(201).unwrap();
    assert_eq!(items(&mut cursor), [Item::Ids(201, 500)]);
    // A seek that is followed by another reports nothing.
    cursor.seek(7).unwrap();
    cursor.seek(490).unwrap();
    assert_eq!(items(&mut cursor), [Item::Ids(490, 500)]);
    let mut cursor = open(&log.directory).cursor(&Filter { to_id: Some(150), ..Filter::default() }).unwrap();
    cursor.seek(50).unwrap();
    assert_eq!(items(&mut cursor), [Item::Missed(50, 150)]);
}

#[test]
fn a_record_that_was_removed_is_missed_and_not_unknown_and_so_are_those_behind_it() {
    let log = a_log(5);
    remove(&log, 1..=2);
    let mut cursor = open(&log.directory).cursor(&Filter::default()).unwrap();
    assert_eq!(got(&mut cursor, 50), Err(Some((50, 50))));
    assert_eq!(items(&mut cursor), [Item::Missed(51, 200), Item::Ids(201, 500)]);
    assert_eq!(got(&mut cursor, 200), Err(Some((200, 200))));
    assert_eq!(items(&mut cursor), [Item::Ids(201, 500)]);
    assert_eq!(got(&mut cursor, 201), Ok(Some(201)));
    assert_eq!(got(&mut cursor, 501), Ok(None));
    let mut cursor = open(&log.directory).cursor(&from(100)).unwrap();
    assert_eq!(got(&mut cursor, 99), Ok(None), "the filter does not ask for it");
}

#[test]
fn a_seek_to_a_time_says_it_when_records_of_that_time_may_have_been_removed() {
    let log = a_log(5);
    remove(&log, 1..=2);
    let mut cursor = open(&log.directory).cursor(&Filter::default()).unwrap();
    for (time, expected) in [
        (500, vec![Item::Missed(1, 200), Item::Ids(201, 500)]),
        (2000, vec![Item::Missed(1, 200), Item::Ids(201, 500)]),
        (2001, vec![Item::Ids(201, 500)]),
        (4000, vec![Item::Ids(400, 500)]),
    ] {
        cursor.seek_time(time).unwrap();
        assert_eq!(items(&mut cursor), expected, "{time}");
    }
    let before = Filter { to_time: Some(1000), ..Filter::default() };
    let mut cursor = open(&log.directory).cursor(&before).unwrap();
    cursor.seek_time(500).unwrap();
    assert_eq!(items(&mut cursor), [Item::Missed(1, 200)], "there may have been some");
}

#[test]
fn a_strict_reader_distinguishes_a_torn_tail_and_an_unclosed_end_from_damage() {
    let log = one_segment(100, false);
    let whole = log.directory.contents(&file(1)).unwrap();
    let mut flipped = whole.clone();
    flipped[Segment::parse(&whole).blocks[2].offset + 30] ^= 1;
    for (bytes, state, unread) in [
        (whole.clone(), TailState::Unclosed, 0),
        ([&whole[..], &[7; 33]].concat(), TailState::Torn, 33),
        (flipped, TailState::Corrupt, 1),
    ] {
        log.directory.set_contents(&file(1), bytes);
        for filter in [Filter::default(), newest_first(), last(5), Filter { last: Some(5), ..newest_first() }] {
            if state == TailState::Corrupt && filter != Filter::default() {
                continue;
            }
            let mut cursor = open_mode(&log.directory, ReaderMode::Strict).cursor(&filter).unwrap();
            let seen = drain(&mut cursor, Way::Next);
            let error = seen.end.unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "{error}");
            for _ in 0..2 {
                let tail = cursor.tail();
                assert_eq!(tail.state, state, "{filter:?} {tail:?}");
                assert!(tail.unread_bytes >= unread, "{filter:?} {tail:?}");
                assert!(tail.path.ends_with(file(1)) && !tail.reason.is_empty(), "{tail:?}");
                if state != TailState::Corrupt {
                    assert_eq!((tail.offset, tail.unread_bytes), (whole.len() as u64, unread), "{filter:?}");
                }
                assert_eq!(cursor.next().map(drop).unwrap_err().to_string(), error.to_string());
            }
        }
    }
}

/// One block of 40 records of 1000 bytes, between two others, and its layout.
fn a_large_block(codec: Codec) -> (Log, Segment) {
    let mut log = Log::new(WriterOptions { block_bytes: 64 << 10, ..small_blocks(codec) });
    for id in 1..=60u64 {
        log.put_plain(1, id as i64, 1000);
        if id == 10 || id == 50 {
            log.writer().flush().unwrap();
        }
    }
    log.close();
    let segment = Segment::parse(&log.directory.contents(&file(1)).unwrap());
    (log, segment)
}

#[test]
fn whole_records_of_a_block_are_shown_up_to_a_damaged_page_in_each_direction() {
    let (log, segment) = a_large_block(Codec::None);
    let whole = log.directory.contents(&file(1)).unwrap();
    let block = segment.blocks.iter().find(|block| block.ids() == (11..51)).unwrap();
    for page in 0..block.pages() {
        let mut bytes = whole.clone();
        bytes[block.page(page).start + 5] ^= 1;
        log.directory.set_contents(&file(1), bytes);
        let place = block.page(page);
        let is_before = |at: &&(std::ops::Range<usize>, Option<u64>)| at.0.end <= place.start;
        let before = 10 + block.records.iter().filter(is_before).count() as u64;
        let behind = 51 - block.records.iter().filter(|at| at.0.start >= place.end).count() as u64;
        for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
            let reader = open_mode(&log.directory, mode);
            for filter in [Filter::default(), from(5), Filter { types: vec![1], ..Filter::default() }] {
                for way in WAYS {
                    let mut cursor = reader.cursor(&filter).unwrap();
                    let seen = drain(&mut cursor, way);
                    let from_id = filter.from_id.unwrap_or(1);
                    assert_rows(&seen.rows, &log.rows[from_id as usize - 1..before as usize], &format!("page {page}"));
                    let error = seen.end.unwrap_err();
                    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(block.offset as u64)), "{error}");
                    let tail = cursor.tail();
                    assert_eq!((tail.state, tail.next_id), (TailState::Corrupt, before + 1), "{page} {way:?}");
                }
            }
            let mut backward = vec![Item::Ids(60, behind), Item::Corrupt];
            if behind == 61 {
                backward.remove(0);
            }
            assert_eq!(items_of(&reader, &newest_first()), backward, "page {page}");
        }
        let headers = read(&open(&log.directory), &Filter { headers_only: true, ..Filter::default() }, Way::Next);
        assert_eq!(headers.whole().len(), 60);
    }
}

#[test]
fn nothing_of_a_damaged_compressed_block_is_shown() {
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        let (log, segment) = a_large_block(codec);
        let mut bytes = log.directory.contents(&file(1)).unwrap();
        let block = segment.blocks.iter().find(|block| block.ids() == (11..51)).unwrap();
        bytes[block.payload.end - 1] ^= 1;
        log.directory.set_contents(&file(1), bytes);
        let seen = read(&open(&log.directory), &Filter::default(), Way::Next);
        assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (10, Kind::Corrupt));
    }
}

#[test]
fn the_last_records_come_with_an_error_when_damage_hides_some_of_them() {
    for is_closed in [true, false] {
        let log = one_segment(1000, is_closed);
        let whole = log.directory.contents(&file(1)).unwrap();
        let segment = Segment::parse(&whole);
        let block = segment.blocks.iter().find(|block| block.ids().contains(&440)).unwrap();
        let behind = block.next_id();
        for at in [block.offset + 30, block.entries.start + 2, block.payload.end - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            log.directory.set_contents(&file(1), bytes);
            for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
                let what = format!("closed: {is_closed}, byte {at}, {mode:?}");
                let is_strict = mode == ReaderMode::Strict && !is_closed;
                let reader = open_mode(&log.directory, mode);
                let hidden = 1001 - behind + 1;
                for most in [600, 900, hidden, 2000] {
                    let mut cursor = reader.cursor(&last(most)).unwrap();
                    let seen = drain(&mut cursor, Way::Batch(9));
                    assert_rows(&seen.rows, &log.rows[behind as usize - 1..], &what);
                    let error = seen.end.expect_err(&what);
                    if !is_strict {
                        assert_eq!(error.offset(), Some(block.offset as u64), "{what}: {error}");
                        assert_eq!(
                            (cursor.tail().state, cursor.tail().offset),
                            (TailState::Corrupt, block.offset as u64)
                        );
                    }
                    let backward = Filter { last: Some(most), ..newest_first() };
                    assert_eq!(items_of(&reader, &backward), [Item::Ids(1000, behind), Item::Corrupt], "{what}");
                }
                for most in [1, 2, 500, hidden - 1] {
                    let mut expected = vec![Item::Ids(1001 - most, 1000)];
                    expected.extend(is_strict.then_some(Item::Corrupt));
                    assert_eq!(items_of(&reader, &last(most)), expected, "{what}");
                    let backward = items_of(&reader, &Filter { last: Some(most), ..newest_first() });
                    assert_eq!(backward[0], Item::Ids(1000, 1001 - most), "{what}");
                    assert_eq!(backward.len(), expected.len(), "{what}");
                }
            }
        }
    }
}

#[test]
fn the_last_records_come_with_an_error_when_a_segment_among_them_is_damaged_or_missing() {
    let log = a_log(5);
    let third = log.directory.contents(&file(3)).unwrap();
    for damage in 0..3 {
        match damage {
            0 => log.directory.remove(&file(3)).unwrap(),
            1 => log.directory.set_contents(&file(3), [&third[..20], &vec![1; third.len() - 20]].concat()),
            _ => log.directory.set_contents(&file(3), third[..third.len() / 2].to_vec()),
        }
        let reader = open(&log.directory);
        for most in [201, 250, 400] {
            let expected = [Item::Ids(301, 500), Item::Corrupt];
            assert_eq!(items_of(&reader, &last(most)), expected, "{damage} {most}");
        }
        assert_eq!(items_of(&reader, &last(200)), [Item::Ids(301, 500)], "{damage}");
        assert_eq!(items_of(&reader, &Filter { newest_first: true, ..last(200) }), [Item::Ids(500, 301)], "{damage}");
        assert_eq!(items_of(&reader, &Filter { newest_first: true, ..from(301) }), [Item::Ids(500, 301)], "{damage}");
    }
}

#[test]
fn the_last_none_are_none_also_where_the_last_segment_begins_with_damage() {
    let log = a_log(2);
    let mut bytes = log.directory.contents(&file(3)).unwrap();
    let at = Segment::parse(&bytes).blocks[0].offset + 30;
    bytes[at] ^= 1;
    log.directory.set_contents(&file(3), bytes);
    let reader = open(&log.directory);
    assert_eq!(items_of(&reader, &last(0)), []);
    assert_eq!(items_of(&reader, &last(1)), [Item::Ids(200, 200)]);
}

#[test]
fn a_reader_that_was_opened_before_rolls_shows_the_end_that_is_there() {
    let mut log = a_log(1);
    let reader = open(&log.directory);
    assert_eq!(counted(&reader), 100);
    let mut earlier = reader.cursor(&Filter::default()).unwrap();
    for segments in [3, 4, 90] {
        let next = log.rows.len() as u64 + 1;
        fill(&mut log, next..=100 * segments, 100);
        fill(&mut log, 100 * segments + 1..=100 * segments + 12, 100);
        let end = 100 * segments + 12;
        assert_eq!(items_of(&reader, &last(2)), [Item::Ids(end - 1, end)]);
        assert_eq!(items_of(&reader, &last(30)), [Item::Ids(end - 29, end)]);
        assert_eq!(items_of(&reader, &newest_first()), [Item::Ids(end, 1)]);
        assert_eq!(counted(&reader), end);
        assert_eq!(got(&mut earlier, end - 50), Ok(Some(end - 50)));
        assert_eq!(got(&mut reader.cursor(&Filter::default()).unwrap(), end), Ok(Some(end)));
        fill(&mut log, end + 1..=end + 88, 100);
    }
    log.close();
    let end = log.rows.len() as u64;
    assert_eq!(items_of(&reader, &last(2)), [Item::Ids(end - 1, end)]);
    log.reopen(Codec::None);
    fill(&mut log, end + 1..=end + 5, 100);
    assert_eq!(items_of(&reader, &last(2)), [Item::Ids(end + 4, end + 5)]);
}

#[test]
fn a_live_segment_is_not_listed_again_for_each_question_about_its_end() {
    let mut log = a_log(1);
    fill(&mut log, 101..=150, 100);
    let reader = open(&log.directory);
    log.directory.set_fault(Some(binlog::io::Fault {
        from: usize::MAX,
        times: 0,
        errno: 0,
        only: Some(binlog::io::Operation::List),
    }));
    assert_eq!(items_of(&reader, &last(2)), [Item::Ids(149, 150)]);
    assert_eq!(items_of(&reader, &newest_first()), [Item::Ids(150, 1)]);
    assert_eq!(log.directory.operations(), 0);
}

/// One query of each kind, and the answers.
fn answers(reader: &Reader) -> Vec<Result<Vec<Item>, String>> {
    let filters = [
        Filter::default(),
        from(900),
        last(10),
        last(600),
        Filter { types: vec![2], ..from(700) },
        Filter { to_id: Some(100), ..Filter::default() },
        Filter { from_time: Some(9000), ..Filter::default() },
    ];
    let mut all: Vec<_> = filters.iter().map(|filter| Ok(items_of(reader, filter))).collect();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in [1, 100, 900, 1000, 1001] {
        let got = cursor.get(id).map(|record| record.iter().map(|record| Item::Ids(record.id, record.id)).collect());
        all.push(got.map_err(|e: Error| e.to_string()));
    }
    cursor.seek(950).unwrap();
    all.push(Ok(items(&mut cursor)));
    let counted = reader.counts().map(|counts| counts.iter().map(|c| Item::Ids(c.records, 0)).collect());
    all.push(counted.map_err(|e| e.to_string()));
    all
}

#[test]
fn damage_that_one_cursor_has_met_changes_no_answer_of_the_reader() {
    for is_closed in [true, false] {
        let log = one_segment(1000, is_closed);
        let whole = log.directory.contents(&file(1)).unwrap();
        let segment = Segment::parse(&whole);
        let of_records: Vec<_> = segment.of_kind(layout::RECORDS).iter().map(|block| block.offset + 30).collect();
        for at in [20, of_records[0], of_records[of_records.len() / 2], *of_records.last().unwrap()] {
            for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
                log.directory.set_contents(&file(1), whole.clone());
                let reader = open_mode(&log.directory, mode);
                // The reader has the file open: its bytes are changed in place.
                let handle = log.directory.open(&file(1), binlog::io::Access::ReadWrite).unwrap();
                let byte = [whole[at] ^ 1];
                binlog::io::write_full(&*handle, &[&byte], at as u64).map_err(|(_, e)| e).unwrap();
                let before = answers(&reader);
                for _ in 0..2 {
                    items_of(&reader, &newest_first());
                    assert_eq!(answers(&reader), before, "closed: {is_closed}, byte {at}, {mode:?}");
                }
            }
        }
    }
}

#[test]
fn damage_hides_nothing_behind_it_from_filters_for_that_alone() {
    for is_closed in [true, false] {
        let log = one_segment(1000, is_closed);
        let whole = log.directory.contents(&file(1)).unwrap();
        let segment = Segment::parse(&whole);
        let block = segment.blocks.iter().find(|block| block.ids().contains(&440)).unwrap();
        let mut bytes = whole.clone();
        bytes[block.offset + 30] ^= 1;
        log.directory.set_contents(&file(1), bytes);
        let reader = open(&log.directory);
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        for id in [block.next_id(), 700, 1000] {
            assert_eq!(got(&mut cursor, id), Ok(Some(id)), "closed: {is_closed}");
        }
        assert_eq!(got(&mut cursor, block.first_id), Err(None), "damaged");
        cursor.seek(block.next_id()).unwrap();
        assert_eq!(items(&mut cursor), [Item::Ids(block.next_id(), 1000)]);
        let behind = Filter { newest_first: true, ..from(block.next_id()) };
        assert_eq!(items_of(&reader, &behind), [Item::Ids(1000, block.next_id())]);
        assert_eq!(items_of(&reader, &newest_first()), [Item::Ids(1000, block.next_id()), Item::Corrupt]);
    }
}

#[test]
fn what_was_removed_since_a_reader_was_opened_is_reported_in_each_direction_and_for_requests_of_it() {
    for segments in [10, 100] {
        let log = a_log(segments);
        let reader = open(&log.directory);
        let begun = reader.cursor(&newest_first());
        let (gone, end) = (100 * (segments - 4), 100 * segments);
        remove(&log, 1..=segments - 4);
        for _ in 0..2 {
            let missed = Item::Missed(1, gone);
            assert_eq!(items_of(&reader, &Filter::default()), [missed.clone(), Item::Ids(gone + 1, end)]);
            assert_eq!(items_of(&reader, &newest_first()), [Item::Ids(end, gone + 1), missed]);
            let some = Filter { newest_first: true, to_id: Some(gone + 7), ..from(50) };
            assert_eq!(items_of(&reader, &some), [Item::Ids(gone + 7, gone + 1), Item::Missed(50, gone)]);
            let recent = Filter { newest_first: true, ..from(gone + 1) };
            assert_eq!(items_of(&reader, &recent), [Item::Ids(end, gone + 1)]);
            for newest_first in [false, true] {
                let (first, last) = if newest_first { (end, gone + 1) } else { (gone + 1, end) };
                let recent = Filter { newest_first, from_time: Some(10 * gone as i64 + 1), ..Filter::default() };
                assert_eq!(items_of(&reader, &recent), [Item::Ids(first, last)], "those that are gone are older");
            }
            assert_eq!(items_of(&reader, &last(700)), [Item::Ids(gone + 1, end)], "the last of those that are there");
            let mut cursor = reader.cursor(&from(end)).unwrap();
            assert_eq!(got(&mut cursor, 50), Ok(None));
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            assert_eq!(got(&mut cursor, 50), Err(Some((50, 50))));
            assert_eq!(got(&mut cursor, gone + 50), Ok(Some(gone + 50)));
        }
        assert_eq!(counted(&reader), 400);
        assert_eq!(items(&mut begun.unwrap()), [Item::Ids(end, gone + 1), Item::Missed(1, gone)]);
    }
}

#[test]
fn a_time_from_which_records_may_have_been_removed_is_reported_as_missed() {
    let log = a_log(6);
    remove(&log, 1..=3);
    let reader = open(&log.directory);
    let from_time = |time: i64| Filter { from_time: Some(time), ..Filter::default() };
    // Record 300, the last that was removed, has the time 3000.
    for (time, missed) in [(5, true), (2990, true), (3000, true), (3001, false), (3500, false)] {
        let first = (time as u64).div_ceil(10).max(301);
        let expected = [Item::Missed(1, 300), Item::Ids(first, 600)];
        let expected = if missed { &expected[..] } else { &expected[1..] };
        assert_eq!(items_of(&reader, &from_time(time)), expected, "from {time}");
        let mut sought = reader.cursor(&Filter::default()).unwrap();
        sought.seek_time(time).unwrap();
        assert_eq!(items(&mut sought), expected, "sought {time}");
        let newest = Filter { newest_first: true, ..from_time(time) };
        let mut expected: Vec<Item> = vec![Item::Ids(600, first)];
        expected.extend(missed.then_some(Item::Missed(1, 300)));
        assert_eq!(items_of(&reader, &newest), expected, "back to {time}");
    }
    let within = Filter { to_time: Some(2500), ..from_time(2000) };
    assert_eq!(items_of(&reader, &within), [Item::Missed(1, 300)], "nothing of that time is left");
    let last = Filter { last: Some(5), ..from_time(5) };
    assert_eq!(items_of(&reader, &last), [Item::Ids(596, 600)]);
}

fn salvaged(directory: &MemoryDirectory, filter: &Filter) -> (Vec<u64>, Vec<Loss>, Tail) {
    let (options, losses) = hearing(ReaderMode::Salvage);
    let seen = read(&Reader::open(Arc::new(directory.clone()), options).unwrap(), filter, Way::Batch(7));
    let losses = losses.lock().unwrap().clone();
    (seen.rows.iter().map(|row| row.id).collect(), losses, seen.end.unwrap())
}

#[test]
fn a_trailer_with_a_flipped_bit_does_not_cost_the_segments_behind_it() {
    let log = a_log(3);
    let whole = log.directory.contents(&file(1)).unwrap();
    let trailer = Segment::parse(&whole).of_kind(layout::TRAILER)[0].offset;
    for at in (0..4 * 8).map(|bit| (trailer + 16 + bit / 8, 1 << (bit % 8))) {
        let mut bytes = whole.clone();
        bytes[at.0] ^= at.1;
        log.directory.set_contents(&file(1), bytes);
        let (ids, losses, _) = salvaged(&log.directory, &Filter::default());
        assert_eq!(ids.len(), 300, "{at:?}: {losses:?}");
        assert!(losses.iter().all(|loss| loss.ids.is_none()), "{at:?}: {losses:?}");
    }
}

#[test]
fn the_last_records_of_a_damaged_log_are_the_last_that_can_be_saved_and_losses_among_them_are_reported_once() {
    let log = one_segment(1000, true);
    let mut bytes = log.directory.contents(&file(1)).unwrap();
    let segment = Segment::parse(&bytes);
    let blocks = segment.of_kind(layout::RECORDS);
    // Damage in pages, entries and a header, all over the segment.
    for (i, block) in blocks.iter().enumerate().filter(|(i, block)| i % 4 == 2 && block.count > 0) {
        let at = match i % 3 {
            0 => block.payload.start + 3,
            1 => block.entries.start + 1,
            _ => block.offset + 30,
        };
        bytes[at] ^= 1;
    }
    log.directory.set_contents(&file(1), bytes);
    let (all, losses, _) = salvaged(&log.directory, &Filter::default());
    let lost: BTreeSet<u64> = losses.iter().filter_map(|loss| loss.ids).flat_map(|(a, b)| a..=b).collect();
    assert_eq!(all.len() + lost.len(), 1000);
    for most in [1, 10, 300, 700, all.len() - 1, all.len(), 2000] {
        for types in [vec![], vec![1]] {
            let filter = Filter { last: Some(most as u64), types: types.clone(), ..Filter::default() };
            let wanted: Vec<u64> = all.iter().filter(|&&id| types.is_empty() || id % 3 == 1).copied().collect();
            let (ids, losses, _) = salvaged(&log.directory, &filter);
            assert_eq!(ids, wanted[wanted.len().saturating_sub(most)..], "last {most} {types:?}");
            let first = if most >= wanted.len() { 0 } else { ids[0] };
            let reported: Vec<u64> = losses.iter().filter_map(|loss| loss.ids).flat_map(|(a, b)| a..=b).collect();
            let expected: Vec<u64> = lost.iter().filter(|&&id| id >= first).copied().collect();
            assert_eq!(reported, expected, "last {most} {types:?}: {losses:?}");
        }
    }
}

#[test]
fn a_reader_of_pages_continues_at_the_next_id() {
    let log = a_log(3);
    let reader = Reader::open(Arc::new(log.directory.clone()), Default::default()).unwrap();
    for size in [1, 7, 10, 33, 100, 1000] {
        let (mut next, mut seen) = (1, vec![]);
        while next <= 300 {
            let page = Filter { from_id: Some(next), to_id: Some(next + size - 1), ..Filter::default() };
            let mut cursor = reader.cursor(&page).unwrap();
            while let Some(record) = cursor.next().unwrap() {
                seen.push(record.id);
            }
            assert!(cursor.tail().next_id > next, "{:?}", cursor.tail());
            next = cursor.tail().next_id;
        }
        assert_eq!(seen, (1..=300).collect::<Vec<u64>>(), "pages of {size}");
        assert_eq!(next, 301);
    }
}
