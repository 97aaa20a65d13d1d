//! Segments that are filled with zeros ahead of their blocks.

use std::sync::Arc;
use std::time::Duration;

use crate::common::quota::Quota;
use crate::common::*;
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::{Filter, Kind, Lag, LossKind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const FIRST: &str = "default.0000000001.binlog";
const SECOND: &str = "default.0000000002.binlog";

fn each_record() -> WriterOptions {
    let sync = Lag { records: Some(1), ..Lag::default() };
    WriterOptions { sync, fill_ahead: Some(1 << 20), ..WriterOptions::default() }
}

fn open(directory: &MemoryDirectory, options: WriterOptions) -> Writer {
    Writer::open(Arc::new(directory.clone()), options).unwrap()
}

/// The log as a kill leaves it now.
fn killed(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

/// Bytes of a segment without the zeros at its end, and those zeros.
fn split(directory: &MemoryDirectory, name: &str) -> (usize, usize) {
    let bytes = directory.contents(name).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    (used, bytes.len() - used)
}

fn ids(directory: &MemoryDirectory, mode: ReaderMode) -> (Vec<u64>, Result<TailState, Kind>) {
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut ids = vec![];
    loop {
        match cursor.next() {
            Ok(Some(record)) => ids.push(record.id),
            Ok(None) => return (ids, Ok(cursor.tail().state)),
            Err(e) => return (ids, Err(e.kind())),
        }
    }
}

#[test]
fn a_segment_is_filled_ahead_when_each_record_is_synced_and_ends_with_its_last_block_when_it_is_closed() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    assert!(has_space(&directory.contents(FIRST).unwrap()));
    let len = directory.contents(FIRST).unwrap().len();
    assert!(len >= 256 << 10);
    for i in 0..100 {
        writer.append(1, &payload(700, i)).unwrap();
    }
    assert_eq!(directory.contents(FIRST).unwrap().len(), len, "an append within the zeros changes no length");
    for i in 0..4000 {
        writer.append(1, &payload(700, i)).unwrap();
    }
    let (used, zeros) = split(&directory, FIRST);
    assert!(used > 2 << 20 && (1..=1 << 20).contains(&zeros), "{used} bytes, {zeros} zeros");
    writer.roll().unwrap();
    let closed = directory.contents(FIRST).unwrap();
    assert_eq!(closed[closed.len() - 8..], closed[..8], "nothing comes after the trailer");
    assert!(split(&directory, SECOND).1 > 0);
    writer.close().unwrap();
    assert_eq!(split(&directory, SECOND).1, 0);
    assert_eq!(ids(&directory, ReaderMode::Strict).0.len(), 4100);
}

#[test]
fn a_segment_is_cut_before_its_trailer_is_written_and_not_closed_if_that_fails() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { fill_ahead: Some(1 << 20), ..WriterOptions::default() };
    let writer = open(&directory, options);
    writer.append(1, b"a record").unwrap();
    writer.flush().unwrap();
    let cuts = Fault { from: 0, times: usize::MAX, errno: libc::EIO, only: Some(Operation::SetLen) };
    directory.set_fault(Some(cuts));
    assert_eq!(writer.roll().unwrap_err().kind(), Kind::Io);
    // Somebody who copies the file now finds no trailer, and no zeros after one.
    let bytes = directory.contents(FIRST).unwrap();
    let used = split(&directory, FIRST).0;
    assert!(used < bytes.len() && bytes[used - 8..used] != bytes[..8]);
    directory.set_fault(None);
    writer.roll().unwrap();
    let bytes = directory.contents(FIRST).unwrap();
    assert_eq!(bytes[bytes.len() - 8..], bytes[..8]);
    writer.close().unwrap();
    assert_eq!(ids(&directory, ReaderMode::Strict), (vec![1], Ok(TailState::Closed)));
}

#[test]
fn a_segment_is_filled_where_the_policy_syncs_often_or_that_is_asked_for_and_not_where_it_is_switched_off() {
    let never = Lag::default();
    let records = |most| Lag { records: Some(most), ..never };
    let bytes = |most| Lag { bytes: Some(most), ..never };
    let interval = |ms| Lag { interval: Some(Duration::from_millis(ms)), ..never };
    for (sync, fill_ahead, is_filled) in [
        (records(1), None, true),
        (records(64), None, true),
        (records(65), None, false),
        (bytes(64 << 10), None, true),
        (bytes((64 << 10) + 1), None, false),
        (interval(10), None, true),
        (interval(11), None, false),
        (never, None, false),
        (records(1), Some(0), false),
        (never, Some(0), false),
        (records(1000), Some(1 << 20), true),
        (never, Some(4096), true),
    ] {
        let directory = MemoryDirectory::new();
        let writer = open(&directory, WriterOptions { sync, fill_ahead, ..WriterOptions::default() });
        writer.append(1, b"a record").unwrap();
        writer.sync().unwrap();
        assert_eq!(has_space(&directory.contents(FIRST).unwrap()), is_filled, "{sync:?} {fill_ahead:?}");
        assert_eq!(split(&directory, FIRST).1 > 0, is_filled, "{sync:?} {fill_ahead:?}");
    }
    let too_much = WriterOptions { fill_ahead: Some((64 << 20) + 1), ..WriterOptions::default() };
    let refused = Writer::open(Arc::new(MemoryDirectory::new()), too_much).err().unwrap();
    assert_eq!(refused.kind(), Kind::Invalid);
}

#[test]
fn a_killed_writer_leaves_space_and_the_next_one_continues_there_whatever_its_policy() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    for i in 0..10 {
        writer.append(1, &payload(700, i)).unwrap();
    }
    let left = killed(&directory);
    let used = split(&left, FIRST).0;
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        assert_eq!(ids(&left, mode), ((1..=10).collect(), Ok(TailState::Unclosed)), "{mode:?}");
    }
    assert_eq!(ids(&left, ReaderMode::Strict).0.len(), 10);
    for options in [each_record(), WriterOptions::default()] {
        let log = killed(&left);
        let fills = options.sync.records.is_some();
        let writer = open(&log, options);
        // Whether they are on the disk is not known, so nothing is written over them.
        let len = log.contents(FIRST).unwrap().len();
        assert!(fills || len < used + 4096, "the zeros that the killed writer left are cut off: {len} bytes");
        assert_eq!(writer.append(1, b"after the kill").unwrap(), 11);
        writer.sync().unwrap();
        let bytes = log.contents(FIRST).unwrap();
        assert_eq!(bytes[used..used + 8], marker(&bytes)[..], "it goes on right after the last block");
        writer.close().unwrap();
        assert_eq!(ids(&log, ReaderMode::Strict), ((1..=11).collect(), Ok(TailState::Closed)));
        assert!(log.list().unwrap().iter().all(|name| !name.contains(".torn-")));
        assert_eq!(split(&log, FIRST).1, 0);
    }
}

fn marker(segment: &[u8]) -> Vec<u8> {
    let start = 16 + u32::from_le_bytes(segment[8..12].try_into().unwrap()) as usize;
    segment[start..start + 8].to_vec()
}

#[test]
fn a_block_of_which_only_the_beginning_was_written_is_torn_although_zeros_follow() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    writer.append(1, &payload(700, 1)).unwrap();
    let before = split(&directory, FIRST).0;
    writer.append(1, &noise(9000, 2)).unwrap();
    let after = split(&directory, FIRST).0;
    for cut in [before + 1, before + 79, before + 80, before + 100, (before + 4096) / 4096 * 4096, after - 1] {
        let log = killed(&directory);
        let mut bytes = log.contents(FIRST).unwrap();
        bytes[cut..].fill(0);
        let torn = bytes[before..].to_vec();
        log.set_contents(FIRST, bytes);
        assert_eq!(ids(&log, ReaderMode::Prefix), (vec![1], Ok(TailState::Torn)), "cut at {cut}");
        let (options, losses) = hearing(ReaderMode::Salvage);
        rows_of(&Reader::open(Arc::new(log.clone()), options).unwrap());
        let losses = losses.lock().unwrap();
        assert!(!losses.is_empty() && losses.iter().all(|loss| loss.kind == LossKind::TornTail), "{losses:?}");
        let writer = open(&log, each_record());
        assert_eq!(writer.append(1, b"after the crash").unwrap(), 2);
        writer.close().unwrap();
        assert_eq!(log.contents(&format!("{FIRST}.torn-{before}")), Some(torn), "cut at {cut}");
        assert_eq!(ids(&log, ReaderMode::Strict), (vec![1, 2], Ok(TailState::Closed)), "cut at {cut}");
    }
}

#[test]
fn zeros_in_place_of_what_was_durable_are_damage() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    writer.append(1, &payload(700, 1)).unwrap();
    let first = split(&directory, FIRST).0;
    for i in 2..5 {
        writer.append(1, &payload(700, i)).unwrap();
    }
    let log = killed(&directory);
    let mut bytes = log.contents(FIRST).unwrap();
    // The last block states that those before it were durable.
    let last = bytes.windows(8).rposition(|window| window == marker(&bytes)).unwrap();
    bytes[first..last].fill(0);
    log.set_contents(FIRST, bytes);
    let (seen, end) = ids(&log, ReaderMode::Prefix);
    assert_eq!((seen, end), (vec![1], Err(Kind::Corrupt)));
    let refused = Writer::open(Arc::new(log), each_record()).err().unwrap();
    assert_eq!(refused.kind(), Kind::Corrupt);
}

#[test]
fn a_trailer_before_zeros_is_the_end_and_the_first_sync_cuts_them_off() {
    // The power went when a segment was closed: its trailer had reached the disk, and its new length had not.
    let directory = MemoryDirectory::new();
    let writer = open(&directory, WriterOptions { fill_ahead: Some(1 << 20), ..WriterOptions::default() });
    writer.append(1, b"the first segment").unwrap();
    let all = Fault { from: 0, times: usize::MAX, errno: libc::EIO, only: Some(Operation::Sync) };
    directory.set_fault(Some(all));
    writer.roll().unwrap_err();
    let log = killed(&directory);
    let mut bytes = log.contents(FIRST).unwrap();
    let len = bytes.len();
    bytes.resize(len + 10_000, 0);
    log.set_contents(FIRST, bytes);
    log.remove("default.lock").unwrap();
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage, ReaderMode::Strict] {
        assert_eq!(ids(&log, mode).0, [1], "{mode:?}");
    }
    let writer = open(&log, WriterOptions::default());
    assert_eq!(writer.append(1, b"in the second segment").unwrap(), 2);
    writer.sync().unwrap();
    assert_eq!(log.contents(FIRST).unwrap().len(), len);
    writer.close().unwrap();
    assert_eq!(ids(&log, ReaderMode::Strict), (vec![1, 2], Ok(TailState::Closed)));
}

#[test]
fn a_reader_sees_the_records_that_are_written_over_zeros() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    writer.append(1, b"before").unwrap();
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let mut following = reader.cursor(&Filter::default()).unwrap();
    assert_eq!(following.next().unwrap().unwrap().id, 1);
    for id in 2..20 {
        assert!(following.next().unwrap().is_none());
        assert_eq!(writer.append(1, &payload(500, id)).unwrap(), id);
        assert_eq!(following.next().unwrap().unwrap().id, id);
        let last = |filter: Filter| reader.cursor(&filter).unwrap().next().unwrap().map(|record| record.id);
        assert_eq!(last(Filter { last: Some(1), ..Filter::default() }), Some(id));
        assert_eq!(last(Filter { newest_first: true, ..Filter::default() }), Some(id));
        assert_eq!(last(Filter { from_id: Some(id), ..Filter::default() }), Some(id));
    }
}

#[test]
fn on_a_disk_with_no_space_for_zeros_records_are_appended_as_long_as_they_fit() {
    let filled = |fill_ahead| {
        let fill_ahead = Some(fill_ahead);
        let disk = Quota::new(200 << 10);
        let writer = Writer::open(Arc::new(disk), WriterOptions { fill_ahead, ..each_record() }).unwrap();
        let mut id = 0;
        let error = loop {
            match writer.append(1, &payload(700, id)) {
                Ok(given) => id = given,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::NoSpace, "{error}");
        assert_eq!(writer.position().unwrap().durable, id);
        id
    };
    let (with, without) = (filled(1 << 20), filled(0));
    assert!(with > 200 && with.abs_diff(without) <= 2, "{with} records with filling, {without} without");
}

#[test]
fn a_segment_that_was_begun_without_zeros_is_never_filled() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, WriterOptions::default());
    writer.append(1, b"a record").unwrap();
    writer.close().unwrap();
    let writer = open(&directory, each_record());
    for i in 0..10 {
        writer.append(1, &payload(700, i)).unwrap();
        assert_eq!(split(&directory, FIRST).1, 0);
    }
    let left = killed(&directory);
    assert_eq!(ids(&left, ReaderMode::Prefix), ((1..=11).collect(), Ok(TailState::Unclosed)));
    writer.roll().unwrap();
    writer.append(1, b"in the next segment").unwrap();
    assert!(split(&directory, SECOND).1 > 0);
}

#[test]
fn nothing_is_filled_while_each_write_contains_much() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    for i in 0..40 {
        writer.append(1, &payload(100_000, i)).unwrap();
    }
    assert_eq!(split(&directory, FIRST).1, 0);
    for i in 0..1000 {
        writer.append(1, &payload(2000, i)).unwrap();
    }
    assert!(split(&directory, FIRST).1 > 0, "once the writes are short again, it is filled");
}

#[test]
fn zeros_are_space_too_where_the_header_is_lost_and_another_segment_says_so() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    writer.append(1, b"the first segment").unwrap();
    writer.roll().unwrap();
    writer.append(1, b"the second").unwrap();
    let log = killed(&directory);
    let mut bytes = log.contents(SECOND).unwrap();
    bytes[40] ^= 1;
    log.set_contents(SECOND, bytes);
    let (options, losses) = hearing(ReaderMode::Salvage);
    let rows = rows_of(&Reader::open(Arc::new(log), options).unwrap());
    assert_eq!(rows.iter().filter(|row| !row.is_event()).count(), 2);
    let kinds: Vec<LossKind> = losses.lock().unwrap().iter().map(|loss| loss.kind).collect();
    assert_eq!(kinds, [LossKind::HeaderLost]);
}

#[test]
fn no_index_is_written_in_front_of_a_torn_block_that_zeros_follow() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, each_record());
    writer.append(1, &payload(700, 1)).unwrap();
    writer.append(1, &noise(9000, 2)).unwrap();
    let log = killed(&directory);
    let (used, zeros) = split(&log, FIRST);
    assert!(zeros > 0);
    let mut bytes = log.contents(FIRST).unwrap();
    bytes[used - 5000..].fill(0);
    log.set_contents(FIRST, bytes.clone());
    // What the writer knew to be durable is stated by no block behind the torn one.
    let refused = binlog::recovery::rebuild_index(Arc::new(log.clone())).unwrap_err();
    assert!(refused.kind() == Kind::Corrupt && refused.to_string().contains(FIRST), "{refused}");
    assert_eq!(log.contents(FIRST).unwrap(), bytes, "nothing was written");
}
