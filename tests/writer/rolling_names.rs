//! Names of segments: they sort in the order of writing whatever the period, the zone and the clock do, and the order
//! by header is the same.

use std::sync::Arc;

use crate::common::time::*;
use crate::common::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::{Period, RollOptions};
use binlog::{Kind, Lag, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};

fn options(roll: RollOptions, time: &Time) -> WriterOptions {
    WriterOptions { roll, clock: time.clock(), name: "log".into(), ..WriterOptions::default() }
}

fn open(directory: &MemoryDirectory, roll: RollOptions, time: &Time) -> Writer {
    Writer::open(Arc::new(directory.clone()), options(roll, time)).unwrap()
}

fn rule(period: Option<Period>, template: &str) -> RollOptions {
    RollOptions { period, template: template.into(), ..RollOptions::default() }
}

/// Names of the segments in the order in which a reader shows them.
fn by_header(directory: &MemoryDirectory) -> Vec<String> {
    let reader = Reader::open(Arc::new(directory.clone()), Default::default()).unwrap();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    reader.segments().iter().map(|segment| name(&segment.path)).collect()
}

/// Asserts the records in the order of a reader; the files sorted by name must be in the same order.
fn check_order(directory: &MemoryDirectory, expected: u64, context: &str) {
    let reader = Reader::open(Arc::new(directory.clone()), Default::default()).unwrap();
    let rows = rows_of(&reader);
    let payloads: Vec<u64> = rows.iter().map(|row| u64::from_le_bytes(row.payload[..].try_into().unwrap())).collect();
    assert_eq!(payloads, (1..=expected).collect::<Vec<_>>(), "{context}");
    assert!(rows.iter().zip(1..).all(|(row, id)| row.id == id), "{context}");
    let names = by_header(directory);
    assert!(names.is_sorted(), "{context}: {names:?}");
}

const TIMED: &str = "{name}.{seq}.%Y%m%d-%H%M%S";

const PERIODS: [Option<Period>; 9] = [
    None,
    Some(Period::MINUTE),
    Some(Period::FIVE_MINUTES),
    Some(Period::TEN_MINUTES),
    Some(Period::QUARTER_HOUR),
    Some(Period::HALF_HOUR),
    Some(Period::HOUR),
    Some(Period::DAY),
    Period::from_seconds(7),
];

/// The trap that the Java binlog documents: a log that rolled each minute is at 01:59 and its period becomes five
/// minutes; the new file is named for 01:55 and sorts before the one that it follows.
#[test]
fn a_coarser_period_right_after_a_finer_one_keeps_the_order() {
    for template in [TIMED, "{name}.{seq}"] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN - 8 * HOUR - MINUTE));
        let writer = open(&directory, rule(Some(Period::MINUTE), template), &time);
        writer.append(1, &1u64.to_le_bytes()).unwrap();
        time.pass(20 * SECOND);
        writer.set_roll(rule(Some(Period::FIVE_MINUTES), template)).unwrap();
        writer.append(1, &2u64.to_le_bytes()).unwrap();
        writer.close().unwrap();
        time.pass(5 * SECOND);
        let writer = open(&directory, rule(Some(Period::DAY), template), &time);
        writer.append(1, &3u64.to_le_bytes()).unwrap();
        writer.close().unwrap();
        check_order(&directory, 3, template);
        assert_eq!(by_header(&directory).len(), 3, "each rule begins with a segment of its own");
    }
}

/// Every ordered pair of periods, changed between runs and at run time, with writers before and after, with and without
/// a clock that is set back meanwhile.
#[test]
fn every_change_of_period_keeps_the_order_by_name_and_by_header() {
    for before in PERIODS {
        for after in PERIODS {
            for set_back in [0, 3 * SECOND, 2 * DAY] {
                let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 59 * MINUTE + 55 * SECOND));
                let mut next = 1u64;
                let mut append = |writer: &Writer| {
                    for _ in 0..6 {
                        writer.append(1, &next.to_le_bytes()).unwrap();
                        next += 1;
                        time.pass(13 * SECOND);
                    }
                };
                let writer = open(&directory, rule(before, TIMED), &time);
                append(&writer);
                writer.close().unwrap();
                time.pass(-set_back);
                let writer = open(&directory, rule(after, TIMED), &time);
                append(&writer);
                writer.set_roll(rule(before, TIMED)).unwrap();
                time.pass(-set_back);
                append(&writer);
                writer.close().unwrap();
                check_order(&directory, 18, &format!("{before:?} to {after:?}, back by {set_back}"));
            }
        }
    }
}

#[test]
fn a_roll_in_each_second_of_a_busy_minute_and_two_in_one_keep_the_order() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, rule(Period::from_seconds(1), "{name}.{seq}.%H%M"), &time);
    for second in 0..60 {
        writer.append(1, &(2 * second + 1u64).to_le_bytes()).unwrap();
        writer.roll().unwrap();
        writer.append(1, &(2 * second + 2u64).to_le_bytes()).unwrap();
        time.pass(SECOND);
    }
    writer.close().unwrap();
    check_order(&directory, 120, "two a second");
    assert_eq!(by_header(&directory).len(), 120);
}

/// The nights in which the clocks are changed: each hour begins a segment, the one that comes twice too, and the names
/// show the wall clock.
#[test]
fn the_nights_of_daylight_saving_lose_no_boundary() {
    // (zone, midnight UTC before the night, hours, names of hours as the wall clock shows them)
    let hour = |text: &str| -> i64 { text.parse().unwrap() };
    let nights = [
        // 2026-10-25 03:00 CEST = 02:00 CET
        ("Europe/Berlin", 1_792_879_200, 5, vec!["00", "01", "02", "02", "03", "04"]),
        // 2026-03-29 02:00 CET = 03:00 CEST
        ("Europe/Berlin", 1_774_738_800, 3, vec!["00", "01", "03", "04"]),
        // 2026-11-01 02:00 EDT = 01:00 EST
        ("America/New_York", 1_793_505_600, 4, vec!["00", "01", "01", "02", "03"]),
        // 2026-03-08 02:00 EST = 03:00 EDT
        ("America/New_York", 1_772_946_000, 3, vec!["00", "01", "03", "04"]),
    ];
    for (zone, midnight, hours, expected) in nights {
        let (directory, time) = (MemoryDirectory::new(), Time::at(midnight * SECOND));
        let roll = RollOptions { zone: zone.into(), ..rule(Some(Period::HOUR), "{name}.{seq}.%H") };
        let writer = open(&directory, roll, &time);
        let mut next = 1u64;
        while time.now() < midnight * SECOND + hours * HOUR + MINUTE {
            writer.append(1, &next.to_le_bytes()).unwrap();
            next += 1;
            time.pass(MINUTE);
        }
        writer.close().unwrap();
        check_order(&directory, next - 1, zone);
        let hours: Vec<String> = by_header(&directory).iter().map(|name| name[15..17].to_owned()).collect();
        assert_eq!(hours, expected, "{zone}");
        assert!(hours.iter().all(|text| hour(text) < 24));
    }
}

#[test]
fn a_name_contains_the_time_at_which_its_file_was_created_and_no_later_one() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 30 * MINUTE));
    let roll = rule(Some(Period::HOUR), "{name}.{seq}.%Y-%m-%dT%H:%M:%S");
    let writer = open(&directory, roll, &time);
    writer.append(1, &1u64.to_le_bytes()).unwrap();
    // The next file is prepared for 11:00 …
    time.set(TEN + HOUR - SECOND / 2);
    writer.tick().unwrap();
    // … and then the caller rolls before that.
    writer.roll().unwrap();
    writer.append(1, &2u64.to_le_bytes()).unwrap();
    time.set(TEN + HOUR + 10 * MINUTE);
    writer.append(1, &3u64.to_le_bytes()).unwrap();
    time.set(TEN + 2 * HOUR - SECOND / 2);
    writer.tick().unwrap();
    time.set(TEN + 2 * HOUR + 3 * MINUTE);
    writer.append(1, &4u64.to_le_bytes()).unwrap();
    writer.close().unwrap();
    check_order(&directory, 4, "prepared ahead");
    let times: Vec<String> = by_header(&directory).iter().map(|name| name[15..34].to_owned()).collect();
    let expected = ["2026-11-21T10_30_00", "2026-11-21T10_59_59", "2026-11-21T11_10_00", "2026-11-21T12_00_00"];
    assert_eq!(times, expected);
    let left: Vec<String> = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).collect();
    assert_eq!(left.len(), by_header(&directory).len(), "no prepared file is left behind: {left:?}");
}

/// Prepared because the segment is nearly full, or for a boundary that the clock then jumps over, in either direction.
#[test]
fn a_file_that_was_prepared_for_a_period_that_is_over_or_never_came_is_not_used() {
    let hours = |directory: &MemoryDirectory| -> Vec<String> {
        let names: Vec<String> =
            directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).collect();
        assert_eq!(names.len(), by_header(directory).len(), "no prepared file is left behind: {names:?}");
        by_header(directory).iter().map(|name| name[15..18].to_owned()).collect()
    };
    for period in [Some(Period::HOUR), None] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 50 * MINUTE));
        let roll = rule(period, "{name}.{seq}.T%H");
        let options = WriterOptions { segment_bytes: 64 << 10, block_bytes: 4096, ..options(roll, &time) };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        writer.append_batch([NewRecord { payload: &[7; 40 << 10], ..NewRecord::default() }]).unwrap();
        writer.flush().unwrap();
        writer.append_batch([NewRecord { payload: &[7; 33 << 9], ..NewRecord::default() }]).unwrap();
        writer.flush().unwrap();
        // An eighth of it is left, so the next one is prepared.
        writer.tick().unwrap();
        let prepared = directory.list().unwrap().iter().filter(|name| name.contains("0000000002.T10")).count();
        assert_eq!(prepared, 1, "{:?}", directory.list());
        time.set(TEN + HOUR + SECOND);
        writer.append(1, &[7; 20 << 10]).unwrap();
        writer.close().unwrap();
        assert_eq!(hours(&directory), ["T10", "T11"], "{period:?}");
    }
    for (jump, expected) in [(5 * HOUR, "T15"), (-2 * HOUR, "T08")] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + HOUR - SECOND / 2));
        let writer = open(&directory, rule(Some(Period::HOUR), "{name}.{seq}.T%H"), &time);
        writer.append(1, b"a").unwrap();
        writer.flush().unwrap();
        writer.tick().unwrap();
        assert!(directory.list().unwrap().contains(&"log.0000000002.T11.binlog".to_owned()), "{:?}", directory.list());
        time.set(TEN + jump);
        writer.roll().unwrap();
        writer.append(1, b"b").unwrap();
        writer.close().unwrap();
        assert_eq!(hours(&directory), ["T10", expected]);
    }
}

/// Records that were appended before the boundary and waited in memory are written after it, and have the time at which
/// they were appended.
#[test]
fn a_segment_that_is_made_late_is_named_for_the_time_of_its_records() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 59 * MINUTE));
    let roll = rule(Some(Period::HOUR), "{name}.{seq}.T%H");
    let options = WriterOptions { segment_bytes: 64 << 10, block_bytes: 4096, ..options(roll, &time) };
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions { flush: Lag::default(), ..options }).unwrap();
    for _ in 0..2 {
        // Together they are no more than may wait in memory, and more than one segment takes.
        writer.append_batch([NewRecord { payload: &[7; 50 << 10], ..NewRecord::default() }]).unwrap();
    }
    time.set(TEN + HOUR);
    writer.append(1, b"of the next hour").unwrap();
    writer.close().unwrap();
    let hours: Vec<String> = by_header(&directory).iter().map(|name| name[15..18].to_owned()).collect();
    assert_eq!(hours, ["T10", "T10", "T11"]);
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let created: Vec<i64> = reader.segments().iter().map(|segment| segment.created).collect();
    assert_eq!(created, [TEN + 59 * MINUTE, TEN + 59 * MINUTE, TEN + HOUR]);
}

#[test]
fn names_that_are_taken_are_passed_over_and_nothing_is_overwritten() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, RollOptions::default(), &time);
    writer.append(1, &1u64.to_le_bytes()).unwrap();
    directory.set_contents("log.0000000002.binlog", b"not a segment at all".to_vec());
    writer.roll().unwrap();
    writer.append(1, &2u64.to_le_bytes()).unwrap();
    writer.close().unwrap();
    assert_eq!(directory.contents("log.0000000002.binlog").unwrap(), b"not a segment at all");
    Directory::remove(&directory, "log.0000000002.binlog").unwrap();
    check_order(&directory, 2, "a name was taken");
}

#[test]
fn a_name_that_is_taken_on_a_real_file_system_keeps_what_it_has() {
    let (scratch, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = |number: u64| scratch.path().join(format!("log.{number:010}.binlog"));
    let options = WriterOptions { name: "log".into(), ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options).unwrap();
    std::fs::write(path(2), "not a segment at all").unwrap();
    // A link to a path that does not exist.
    std::os::unix::fs::symlink(elsewhere.path().join("target"), path(3)).unwrap();
    for id in 1..=2 {
        assert_eq!(writer.append(1, b"it").unwrap(), id);
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    assert_eq!(std::fs::read(path(2)).unwrap(), b"not a segment at all");
    assert!(std::fs::symlink_metadata(path(3)).unwrap().is_symlink() && !elsewhere.path().join("target").exists());
    assert!(path(4).exists() && path(5).exists());
}

#[test]
fn a_template_that_would_not_be_a_file_name_is_an_error_when_the_log_is_opened() {
    let wrong = [
        "",
        "log",
        "{seq}",
        "{name}{seq}",
        "{name}.{seq}%Y",
        "{name}.%Q",
        "{name}.%",
        "{name}.{id}",
        "{name}.%s.{seq}",
        "{name}.%Y%m%d%H.{seq}",
    ];
    for template in wrong {
        let options = WriterOptions { roll: rule(None, template), ..WriterOptions::default() };
        let directory = MemoryDirectory::new();
        let error = Writer::open(Arc::new(directory.clone()), options).err().unwrap_or_else(|| panic!("{template}"));
        assert_eq!(error.kind(), Kind::Invalid, "{template}: {error}");
        assert!(directory.list().unwrap().is_empty(), "{template}: nothing was created");
    }
    let zone = WriterOptions {
        roll: RollOptions { zone: "Mars/Olympus".into(), ..RollOptions::default() },
        ..WriterOptions::default()
    };
    let error = Writer::open(Arc::new(MemoryDirectory::new()), zone).err().unwrap();
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("Mars/Olympus"), "{error}");
}

/// Logs whose names begin alike share a directory; each finds its own end.
#[test]
fn logs_in_one_directory_do_not_take_each_others_segments() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let named = |name: &str, template: &str| WriterOptions {
        roll: rule(None, template),
        name: name.into(),
        clock: time.clock(),
        ..WriterOptions::default()
    };
    for round in 1..=3u64 {
        for (name, template) in [("a", "{name}.{seq}"), ("a-b", "{name}.%H.{seq}"), ("a.b", "{name}-{seq}")] {
            let writer = Writer::open(Arc::new(directory.clone()), named(name, template)).unwrap();
            assert_eq!(writer.append(1, name.as_bytes()).unwrap(), round, "{name}");
            writer.roll().unwrap();
            writer.close().unwrap();
        }
    }
    let reader = Reader::open(Arc::new(directory.clone()), Default::default()).unwrap();
    let rows = rows_of(&reader);
    assert_eq!(rows.len(), 9);
    assert!(reader.segments().iter().all(|segment| segment.sequence <= 7), "no numbers were left out");
}
