//! When a log rolls: by the wall clock, by age, by records, by a check, by hand, and when its file disappears.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::time::*;
use crate::common::*;
use binlog::hooks::{Hook, Hooks, SegmentFile};
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::rolling::Retention;
use binlog::rolling::{Period, RollOptions};
use binlog::WriterOptions;
use binlog::{event, Filter, Kind, NewRecord, Reader, ReaderMode, ReaderOptions, Writer};

fn open(directory: &MemoryDirectory, options: WriterOptions) -> Writer {
    Writer::open(Arc::new(directory.clone()), options).unwrap()
}

fn with(roll: RollOptions, time: &Time) -> WriterOptions {
    WriterOptions { roll, clock: time.clock(), ..WriterOptions::default() }
}

fn hourly() -> RollOptions {
    RollOptions { period: Some(Period::HOUR), ..RollOptions::default() }
}

fn strict(directory: &MemoryDirectory) -> Reader {
    let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    Reader::open(Arc::new(directory.clone()), options).unwrap()
}

fn read(reader: &Reader, events: bool) -> Vec<Row> {
    let mut cursor = reader.cursor(&Filter { events, ..Filter::default() }).unwrap();
    let mut rows = vec![];
    while let Some(record) = cursor.next().unwrap() {
        rows.push(Row::from(&record));
    }
    rows
}

/// The payloads of each segment, in the order in which the segments are read.
fn segments(directory: &MemoryDirectory) -> Vec<Vec<String>> {
    let reader = strict(directory);
    let starts: Vec<u64> = reader.segments().iter().map(|segment| segment.first_id).collect();
    let mut found = vec![vec![]; starts.len()];
    for row in read(&reader, false) {
        let at = starts.iter().rposition(|&first| first <= row.id).unwrap();
        found[at].push(String::from_utf8(row.payload).unwrap());
    }
    found
}

fn append_many(writer: &Writer, count: u64) {
    for _ in 0..count {
        writer.append(1, b"x").unwrap();
    }
}

/// The reasons for its rolls that the log records.
fn reasons(directory: &MemoryDirectory) -> Vec<String> {
    let rows = read(&strict(directory), true);
    let rolls = rows.iter().filter(|row| row.type_id == event::ROTATE_NEXT);
    rolls.map(|row| row.fact("reason").unwrap().to_owned()).collect()
}

#[test]
fn a_record_is_never_in_the_segment_of_a_period_that_is_over() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 59 * MINUTE));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"10:59").unwrap();
    time.set(TEN + HOUR - 1);
    writer.append(1, b"10:59:59.9").unwrap();
    time.set(TEN + HOUR);
    writer.append(1, b"11:00").unwrap();
    // Three hours without traffic and without a tick.
    time.set(TEN + 4 * HOUR + 7);
    writer.append_batch([NewRecord { payload: b"14:00", ..NewRecord::default() }]).unwrap();
    time.pass(HOUR);
    writer.append(1, &vec![b'x'; 200_000]).unwrap();
    writer.close().unwrap();
    let large = "x".repeat(200_000);
    assert_eq!(segments(&directory), [vec!["10:59", "10:59:59.9"], vec!["11:00"], vec!["14:00"], vec![&large]]);
    assert_eq!(reasons(&directory), ["period"; 3]);
}

/// Each look at the clock finds it later, also the look after a large record has waited for others to be written.
#[test]
fn no_record_however_large_is_later_than_the_end_of_its_segments_period() {
    let time = Time::at(TEN);
    let passing = time.clone();
    let clock = binlog::Clock::from_fn(move || {
        passing.pass(7 * SECOND);
        passing.now()
    });
    let roll = RollOptions { period: Some(Period::MINUTE), ..RollOptions::default() };
    let directory = MemoryDirectory::new();
    let writer = open(&directory, WriterOptions { clock, block_bytes: 4096, ..with(roll, &time) });
    for i in 0..300 {
        writer.append(1, &vec![b'x'; if i % 3 == 0 { 10 } else { 5000 }]).unwrap();
    }
    writer.close().unwrap();
    let reader = strict(&directory);
    let segments = reader.segments();
    assert!(segments.len() > 20);
    for row in read(&reader, false) {
        let own = segments.iter().rfind(|segment| segment.first_id <= row.id).unwrap();
        assert!(row.time / MINUTE <= own.created / MINUTE, "record {} in segment {}", row.id, own.sequence);
    }
}

#[test]
fn a_roll_happens_at_its_time_without_traffic_and_an_empty_segment_waits() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"a").unwrap();
    time.pass(HOUR - 1);
    writer.tick().unwrap();
    assert_eq!(strict(&directory).segments().len(), 1);
    time.pass(1);
    writer.tick().unwrap();
    assert_eq!(strict(&directory).segments().len(), 2);
    for _ in 0..5 {
        time.pass(HOUR);
        writer.tick().unwrap();
    }
    assert_eq!(strict(&directory).segments().len(), 2, "the second is empty");
    writer.append(1, b"b").unwrap();
    writer.close().unwrap();
    assert_eq!(segments(&directory), [vec!["a"], vec![], vec!["b"]], "b is of a later hour than the second segment");
}

#[test]
fn a_clock_that_is_set_back_neither_rolls_at_once_nor_keeps_the_log_from_rolling() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 2 * 365 * DAY));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"two years ahead").unwrap();
    time.set(TEN + 10 * MINUTE);
    writer.append(1, b"put right").unwrap();
    time.set(TEN + HOUR);
    writer.append(1, b"11:00").unwrap();
    // A second of jitter around the boundary.
    time.set(TEN + HOUR - 1);
    writer.append(1, b"10:59:59").unwrap();
    time.set(TEN + HOUR + 1);
    writer.append(1, b"11:00:01").unwrap();
    writer.close().unwrap();
    let found = segments(&directory);
    assert_eq!(found[0], ["two years ahead", "put right"]);
    assert_eq!(found[1][..2], ["11:00", "10:59:59"]);
    assert_eq!(found.concat().last().unwrap(), "11:00:01");
    assert!(found.len() <= 3, "{found:?}");
}

#[test]
fn a_clock_that_jitters_around_a_boundary_rolls_once() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 59 * MINUTE));
    let mut writer = open(&directory, with(hourly(), &time));
    for i in 0..60 {
        time.set(TEN + HOUR + if i % 2 == 0 { i * SECOND / 10 } else { -SECOND });
        writer.append(1, format!("{i}").as_bytes()).unwrap();
        if i % 20 == 19 {
            writer.close().unwrap();
            writer = open(&directory, with(hourly(), &time));
        }
    }
    // This is no jitter any more.
    time.set(TEN + HOUR - 10 * MINUTE);
    writer.append(1, b"set back").unwrap();
    time.set(TEN + HOUR);
    writer.append(1, b"the next boundary").unwrap();
    writer.close().unwrap();
    let counts: Vec<usize> = segments(&directory).iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 61, 1], "the first record came at the boundary");
}

#[test]
fn a_log_that_is_opened_after_the_clock_was_set_back_rolls_at_the_next_boundary_of_the_right_time() {
    for crashes in [false, true] {
        let (mut directory, time) = (MemoryDirectory::new(), Time::at(TEN + 3 * HOUR));
        let writer = open(&directory, with(hourly(), &time));
        writer.append(1, b"ahead").unwrap();
        writer.close().unwrap();
        time.set(TEN + 20 * MINUTE);
        let writer = open(&directory, with(hourly(), &time));
        writer.append(1, b"10:20").unwrap();
        writer.flush().unwrap();
        if crashes {
            directory = crashed_copy(&directory);
            std::mem::forget(writer);
            time.set(TEN + 40 * MINUTE);
            let writer = open(&directory, with(hourly(), &time));
            time.set(TEN + HOUR + 10 * MINUTE);
            writer.append(1, b"11:10").unwrap();
            writer.close().unwrap();
        } else {
            time.set(TEN + HOUR + 10 * MINUTE);
            writer.append(1, b"11:10").unwrap();
            writer.close().unwrap();
        }
        assert_eq!(segments(&directory), [vec!["ahead", "10:20"], vec!["11:10"]], "crashes: {crashes}");
    }
}

#[test]
fn a_clock_that_is_set_back_behind_a_roll_by_hand_rolls_at_the_next_boundary_of_the_right_time() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + MINUTE));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"10:01").unwrap();
    time.set(TEN + HOUR + 5 * SECOND);
    writer.roll().unwrap();
    time.set(TEN + 10 * MINUTE);
    writer.append(1, b"10:10").unwrap();
    time.set(TEN + HOUR);
    writer.append(1, b"11:00").unwrap();
    writer.close().unwrap();
    assert_eq!(segments(&directory), [["10:01"], ["10:10"], ["11:00"]]);
}

#[test]
fn opening_goes_by_when_the_log_was_written_last_also_after_a_clock_that_was_two_years_ahead() {
    for (crashes, own_times) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut directory, time) = (MemoryDirectory::new(), Time::at(TEN + 2 * 365 * DAY));
        let mut session = |at: i64| {
            time.set(at);
            let writer = open(&directory, with(hourly(), &time));
            // The records' own times do not count.
            let time = own_times.then_some(TEN + 100 * 365 * DAY);
            writer.append_record(&NewRecord { time, payload: b"x", ..NewRecord::default() }).unwrap();
            writer.flush().unwrap();
            match crashes {
                true => {
                    directory = crashed_copy(&directory);
                    std::mem::forget(writer);
                }
                false => writer.close().unwrap(),
            }
        };
        session(TEN + 2 * 365 * DAY);
        (0..12).for_each(|i| session(TEN + i * 20 * MINUTE));
        open(&directory, with(hourly(), &time)).close().unwrap();
        let counts: Vec<usize> = segments(&directory).iter().map(Vec::len).collect();
        assert_eq!(counts, [4, 3, 3, 3], "crashes: {crashes}, own times: {own_times}");
    }
}

/// The clock was corrected while the log was written, and after a crash only the records' own times are left.
#[test]
fn opening_uses_the_last_records_where_nothing_else_records_when_the_log_was_written() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN + 2 * 365 * DAY));
    let writer = open(&directory, with(hourly(), &time));
    time.set(TEN + 20 * MINUTE);
    writer.append(1, b"10:20").unwrap();
    writer.flush().unwrap();
    let directory = crashed_copy(&directory);
    std::mem::forget(writer);
    time.set(TEN + HOUR);
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"11:00").unwrap();
    writer.close().unwrap();
    assert_eq!(segments(&directory), [["10:20"], ["11:00"]]);
}

#[test]
fn age_counts_from_the_segments_beginning_whatever_began_it() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let age = RollOptions { age: Some(Duration::from_secs(100)), ..RollOptions::default() };
    let writer = open(&directory, with(age, &time));
    writer.append(1, b"0").unwrap();
    time.pass(60 * SECOND);
    writer.roll().unwrap();
    writer.append(1, b"60").unwrap();
    time.pass(60 * SECOND);
    writer.append(1, b"120").unwrap();
    time.pass(40 * SECOND);
    writer.append(1, b"160").unwrap();
    writer.close().unwrap();
    assert_eq!(segments(&directory), [vec!["0"], vec!["60", "120"], vec!["160"]]);
    assert_eq!(reasons(&directory), ["call", "age"]);
}

#[test]
fn no_segment_holds_more_records_than_the_rule_says_a_larger_batch_excepted() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let ten = RollOptions { records: Some(10), ..RollOptions::default() };
    let writer = open(&directory, with(ten, &time));
    let batch = |n: usize| vec![NewRecord { payload: b"b", ..NewRecord::default() }; n];
    for _ in 0..25 {
        writer.append(1, b"r").unwrap();
    }
    writer.append_batch(batch(4)).unwrap();
    writer.append_batch(batch(3)).unwrap();
    writer.append_batch(batch(30)).unwrap();
    writer.append(1, b"r").unwrap();
    writer.close().unwrap();
    let counts: Vec<usize> = segments(&directory).iter().map(Vec::len).collect();
    assert_eq!(counts, [10, 10, 9, 3, 30, 1], "a batch is not split");
    // The rule holds across a restart too.
    let writer = open(&directory, with(RollOptions { records: Some(2), ..RollOptions::default() }, &time));
    for _ in 0..3 {
        writer.append(1, b"s").unwrap();
    }
    writer.close().unwrap();
    let counts: Vec<usize> = segments(&directory).iter().map(Vec::len).collect();
    assert_eq!(counts, [10, 10, 9, 3, 30, 2, 2]);
}

#[test]
fn size_time_and_records_combine_and_the_first_that_is_met_rolls() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let roll = RollOptions { records: Some(50), ..hourly() };
    let options = WriterOptions { segment_bytes: 64 << 10, block_bytes: 4096, ..with(roll, &time) };
    let writer = open(&directory, options);
    let append = |n: usize, len: usize| {
        for _ in 0..n {
            writer.append(1, &vec![b'x'; len]).unwrap();
        }
    };
    append(60, 10);
    append(40, 4000);
    time.pass(HOUR);
    append(1, 10);
    writer.close().unwrap();
    assert_eq!(reasons(&directory), ["records", "bytes", "bytes", "period"]);
    assert_eq!(segments(&directory).concat().len(), 101);
}

#[test]
fn a_check_sees_the_segment_and_decides_outside_of_all_locks() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let asked = Arc::new(Mutex::new(vec![]));
    let states = asked.clone();
    let check = move |state: &binlog::rolling::SegmentState| {
        states.lock().unwrap().push(state.clone());
        state.records >= 3
    };
    let roll = RollOptions { check: Some(Arc::new(check)), ..RollOptions::default() };
    let writer = open(&directory, with(roll, &time));
    for i in 0..8 {
        time.pass(SECOND);
        writer.append(1, format!("{i}").as_bytes()).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    assert_eq!(segments(&directory), [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6", "7"]]);
    assert_eq!(reasons(&directory), ["check"; 2]);
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|state| state.records > 0 && state.created <= state.now && state.bytes > 100));
    assert_eq!(asked[2].first_id, 1);
}

#[test]
fn a_roll_by_hand_records_its_reason_and_an_empty_segment_is_not_rolled() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, with(RollOptions::default(), &time));
    writer.roll_because("nothing to roll").unwrap();
    writer.append(1, b"a").unwrap();
    writer.roll_because("end of the shift").unwrap();
    writer.roll().unwrap();
    for wrong in ["", &"x".repeat(257)] {
        assert_eq!(writer.roll_because(wrong).unwrap_err().kind(), Kind::Invalid);
    }
    writer.close().unwrap();
    assert_eq!(reasons(&directory), ["end of the shift"]);
}

#[test]
fn a_new_rule_takes_effect_at_once_with_a_new_segment_and_a_wrong_one_changes_nothing() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"hourly").unwrap();
    let minutely = RollOptions { period: Some(Period::MINUTE), ..RollOptions::default() };
    for wrong in [
        RollOptions { zone: "Europe/Atlantis".into(), ..minutely.clone() },
        RollOptions { template: "{name}.%Q".into(), ..minutely.clone() },
        RollOptions { records: Some(0), ..minutely.clone() },
    ] {
        assert_eq!(writer.set_roll(wrong).unwrap_err().kind(), Kind::Invalid);
    }
    writer.append(1, b"still hourly").unwrap();
    writer.set_roll(minutely).unwrap();
    writer.append(1, b"10:00").unwrap();
    time.pass(MINUTE);
    writer.append(1, b"10:01").unwrap();
    writer.close().unwrap();
    assert_eq!(segments(&directory), [vec!["hourly", "still hourly"], vec!["10:00"], vec!["10:01"]]);
    assert_eq!(reasons(&directory), ["options", "period"]);
    let periods: Vec<Option<Period>> = strict(&directory).segments().iter().map(|segment| segment.period).collect();
    assert_eq!(periods, [Some(Period::HOUR), Some(Period::MINUTE), Some(Period::MINUTE)]);
}

#[test]
fn opening_rolls_when_the_period_has_passed_and_leaves_a_closed_segment_as_it_is() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"a").unwrap();
    writer.close().unwrap();
    let before = directory.contents("default.0000000001.binlog").unwrap();
    time.pass(30 * MINUTE);
    let writer = open(&directory, with(hourly(), &time));
    assert_eq!(strict(&directory).segments().len(), 1, "the same hour continues in the same segment");
    writer.close().unwrap();
    let reopened = directory.contents("default.0000000001.binlog").unwrap();
    assert!(reopened.len() > before.len());
    time.pass(30 * MINUTE);
    let writer = open(&directory, with(hourly(), &time));
    writer.append(1, b"b").unwrap();
    // A crash: the segment is not closed.
    std::mem::forget(writer);
    let crashed = crashed_copy(&directory);
    time.pass(HOUR);
    let writer = open(&crashed, with(hourly(), &time));
    writer.append(1, b"c").unwrap();
    writer.close().unwrap();
    assert_eq!(directory.contents("default.0000000001.binlog").unwrap(), reopened);
    let found = segments(&crashed).concat();
    assert!(found == ["a", "c"] || found == ["a", "b", "c"], "{found:?}");
    assert_eq!(strict(&crashed).segments().len(), 3);
}

/// What a killed process leaves behind: its locks are released.
fn crashed_copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in binlog::io::Directory::list(directory).unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

#[test]
fn a_heartbeat_comes_on_request_and_at_its_interval_and_readers_do_not_see_it_unless_asked() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let options = WriterOptions { heartbeat: Some(Duration::from_secs(10)), ..with(RollOptions::default(), &time) };
    let writer = open(&directory, options);
    writer.append(1, b"a").unwrap();
    writer.heartbeat().unwrap();
    for _ in 0..25 {
        time.pass(SECOND);
        writer.tick().unwrap();
    }
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let rows = read(&reader, true);
    let beats: Vec<i64> = rows.iter().filter(|r| r.type_id == event::HEARTBEAT).map(|r| r.time).collect();
    assert_eq!(beats, [TEN, TEN + 10 * SECOND, TEN + 20 * SECOND], "also what no other call has flushed");
    assert_eq!(read(&reader, false).len(), 1);
    writer.close().unwrap();
}

#[test]
fn a_segment_whose_file_was_removed_or_replaced_is_reported_and_the_log_continues_in_a_new_one() {
    for replaced in [false, true] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
        let reports = Arc::new(Mutex::new(vec![]));
        let failures = reports.clone();
        let hooks = Hooks {
            on_failure: Some(Arc::new(move |error| failures.lock().unwrap().push(error.to_string()))),
            ..Hooks::default()
        };
        let writer = open(&directory, WriterOptions { hooks, ..with(RollOptions::default(), &time) });
        writer.append(1, b"lost").unwrap();
        writer.flush().unwrap();
        binlog::io::Directory::remove(&directory, "default.0000000001.binlog").unwrap();
        if replaced {
            directory.set_contents("default.0000000001.binlog", b"a foreign file".to_vec());
        }
        writer.tick().unwrap();
        writer.tick().unwrap();
        writer.append(1, b"kept").unwrap();
        let error = writer.close().unwrap_err();
        assert!(error.kind() == Kind::NotFound && error.reason().contains("record 1 in it is lost"), "{error}");
        let reports = reports.lock().unwrap();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].contains("default.0000000001.binlog"), "{reports:?}");
        if replaced {
            assert_eq!(directory.contents("default.0000000001.binlog").unwrap(), b"a foreign file");
            binlog::io::Directory::remove(&directory, "default.0000000001.binlog").unwrap();
        }
        let rows = read(&strict(&directory), false);
        assert_eq!((rows.len(), rows[0].id, &rows[0].payload[..]), (1, 2, &b"kept"[..]));
    }
}

/// A rule rolls before the missing file is noticed.
#[test]
fn a_removed_segment_is_reported_also_when_a_rule_rolls_first_and_readers_continue_behind_the_gap() {
    for (hooked, replaced) in [(false, false), (true, true)] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
        let reports = Arc::new(Mutex::new(vec![]));
        let (failures, closed) = (reports.clone(), Arc::new(Mutex::new(vec![])));
        let mut hooks = Hooks {
            on_failure: Some(Arc::new(move |error| failures.lock().unwrap().push(error.to_string()))),
            ..Hooks::default()
        };
        if hooked {
            let closed = closed.clone();
            let hook: Hook = Arc::new(move |file: &SegmentFile| {
                closed.lock().unwrap().push((file.sequence, file.first_id, file.records));
                Ok(None)
            });
            hooks.on_close.push(hook);
        }
        let roll = RollOptions { records: Some(5), ..RollOptions::default() };
        let writer = open(&directory, WriterOptions { hooks, ..with(roll, &time) });
        append_many(&writer, 7);
        writer.flush().unwrap();
        // One reader is in the segment that is removed, another is before it.
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        let mut inside = reader.cursor(&Filter::default()).unwrap();
        let mut before = reader.cursor(&Filter::default()).unwrap();
        let shown = |cursor: &mut binlog::Cursor| {
            let mut ids = vec![];
            while let Some(record) = cursor.next().unwrap() {
                ids.push(record.id);
            }
            ids
        };
        assert_eq!(shown(&mut inside), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((0..5).map(|_| before.next().unwrap().unwrap().id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        binlog::io::Directory::remove(&directory, "default.0000000002.binlog").unwrap();
        if replaced {
            directory.set_contents("default.0000000002.binlog", b"a foreign file".to_vec());
        }
        append_many(&writer, 5);
        writer.flush().unwrap();
        {
            let reports = reports.lock().unwrap();
            assert_eq!(reports.len(), 1, "{reports:?}");
            assert!(reports[0].contains("default.0000000002.binlog"), "{reports:?}");
        }
        if replaced {
            binlog::io::Directory::remove(&directory, "default.0000000002.binlog").unwrap();
        }
        // A reader that has the file open reads it to its end, although the file has no name any more.
        assert_eq!(shown(&mut inside), [8, 9, 10, 11, 12]);
        assert_eq!(shown(&mut before).into_iter().filter(|id| *id > 10).collect::<Vec<_>>(), [11, 12]);
        // The third segment takes three more: what was lost does not count.
        assert_eq!((1..=4).map(|_| writer.append(1, b"x").unwrap()).collect::<Vec<_>>(), [13, 14, 15, 16]);
        // The first call that has to report the lost records does so, and closes the log all the same.
        let error = writer.close().unwrap_err();
        assert!(error.kind() == Kind::NotFound && error.to_string().contains("6 to 10"), "{error}");
        let expected = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16];
        let rows = read(&strict(&directory), true);
        assert_eq!(rows.iter().filter(|row| !row.is_event()).map(|row| row.id).collect::<Vec<_>>(), expected);
        let lost = rows.iter().find(|row| row.type_id == event::RECOVERED).unwrap();
        assert_eq!((lost.fact("first_lost_id"), lost.fact("last_lost_id")), (Some("6"), Some("10")));
        let salvage = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
        let salvaging = Reader::open(Arc::new(directory.clone()), salvage).unwrap();
        assert_eq!(read(&salvaging, false).iter().map(|row| row.id).collect::<Vec<_>>(), expected);
        let newest = Filter { newest_first: true, ..Filter::default() };
        let ids: Vec<u64> = rows_of_cursor(strict(&directory).cursor(&newest).unwrap());
        assert_eq!(ids, expected.iter().rev().copied().collect::<Vec<_>>());
        let closed = closed.lock().unwrap().clone();
        assert_eq!(closed, if hooked { vec![(1, 1, 5), (3, 11, 5), (4, 16, 1)] } else { vec![] });
    }
}

fn rows_of_cursor(mut cursor: binlog::Cursor) -> Vec<u64> {
    let mut ids = vec![];
    while let Some(record) = cursor.next().unwrap() {
        ids.push(record.id);
    }
    ids
}

/// A crash right after the opening of the segment that names the loss: nothing else records it.
#[test]
fn ids_that_were_lost_with_a_removed_segment_are_not_given_again() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let writer = open(&directory, with(RollOptions::default(), &time));
    append_many(&writer, 3);
    writer.flush().unwrap();
    binlog::io::Directory::remove(&directory, "default.0000000001.binlog").unwrap();
    writer.tick().unwrap();
    let directory = crashed_copy(&directory);
    std::mem::forget(writer);
    let writer = open(&directory, with(RollOptions::default(), &time));
    assert_eq!(writer.append(1, b"x").unwrap(), 4);
    writer.close().unwrap();
    assert_eq!(read(&strict(&directory), false).len(), 1);
}

/// `tick` is not called: the writing itself notices.
#[test]
fn a_file_that_was_removed_is_noticed_while_records_are_written() {
    for background in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let options = WriterOptions { background, ..WriterOptions::default() };
        let writer = Writer::open(scratch.path(), options).unwrap();
        writer.append(1, b"lost").unwrap();
        writer.flush().unwrap();
        std::fs::remove_file(scratch.path().join("default.0000000001.binlog")).unwrap();
        let began = std::time::Instant::now();
        while !scratch.path().join("default.0000000002.binlog").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "background: {background}");
            writer.append(1, b"record").unwrap();
            writer.flush().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        writer.append(1, b"kept").unwrap();
        assert_eq!(writer.close().unwrap_err().kind(), Kind::NotFound);
        assert_eq!(rows_at(scratch.path()).last().unwrap().payload, b"kept");
    }
}

/// The real clock and the real threads: no function is called between the append and the roll.
#[test]
fn the_background_thread_rolls_at_its_time_without_traffic() {
    let scratch = tempfile::tempdir().unwrap();
    let roll = RollOptions { period: Period::from_seconds(1), ..RollOptions::default() };
    let options = WriterOptions { roll, background: true, ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options).unwrap();
    writer.append(1, b"a").unwrap();
    let closed = scratch.path().join("default.0000000001.binlog");
    let began = std::time::Instant::now();
    let is_closed = || {
        let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
        Reader::open(&closed, options).is_ok_and(|reader| {
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            while let Ok(Some(_)) = cursor.next() {}
            cursor.tail().state == binlog::TailState::Closed
        })
    };
    while !is_closed() {
        assert!(began.elapsed() < Duration::from_secs(20), "no roll came");
        std::thread::sleep(Duration::from_millis(10));
    }
    writer.close().unwrap();
}

/// In the caller's thread, with a thread that ticks: here by turns, so that each operation has an owner.
#[test]
fn an_append_that_rolls_waits_for_no_disk_when_the_caller_ticks() {
    for only in [Operation::Sync, Operation::SyncDirectory, Operation::Create, Operation::SetLen, Operation::Remove] {
        let directory = MemoryDirectory::new();
        let time = Time::at(TEN);
        let options = WriterOptions {
            segment_bytes: 2 << 20,
            keep: Retention { segments: Some(3), ..Retention::default() },
            ..with(RollOptions::default(), &time)
        };
        let writer = open(&directory, options);
        let mut waited = 0;
        for i in 0..30_000u64 {
            directory.set_fault(Some(Fault { from: usize::MAX, times: 0, errno: 0, only: Some(only) }));
            writer.append(1, &payload(1_000, i)).unwrap();
            waited += directory.operations();
            if i % 100 == 0 {
                writer.tick().unwrap();
            }
        }
        writer.close().unwrap();
        assert_eq!(waited, 0, "{only:?}");
        assert_eq!(strict(&directory).segments().len(), 3);
        assert!(strict(&directory).segments()[0].sequence > 12);
    }
}

#[test]
fn without_ticks_a_closed_segment_is_durable_and_its_hooks_were_called_when_the_append_returns() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let closed = Arc::new(AtomicU64::new(0));
    let counted = closed.clone();
    let hook: Hook = Arc::new(move |_: &SegmentFile| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    });
    let hooks = Hooks { on_close: vec![hook], ..Hooks::default() };
    let options = with(RollOptions { records: Some(1), ..RollOptions::default() }, &time);
    let writer = open(&directory, WriterOptions { hooks, ..options });
    for id in 1..5 {
        writer.append(1, b"one").unwrap();
        writer.flush().unwrap();
        assert_eq!((closed.load(Ordering::SeqCst), writer.position().unwrap().durable), (id - 1, id - 1));
    }
    // Ticks that have ended no longer count.
    writer.tick().unwrap();
    time.pass(2 * SECOND);
    writer.append(1, b"one").unwrap();
    writer.flush().unwrap();
    assert_eq!(closed.load(Ordering::SeqCst), 4);
}

#[test]
fn what_a_roll_leaves_to_do_waits_for_a_call_that_waits_anyway_but_not_for_long() {
    type Leave = fn(&Writer, &Time);
    let rolls = |writer: &Writer, count: u64| {
        for i in 0..count {
            writer.append(1, &i.to_le_bytes()).unwrap();
        }
        writer.flush().unwrap();
    };
    let ways: [(&str, u64, Leave); 6] = [
        ("sync", 3, |writer, _| writer.sync().unwrap()),
        ("tick", 3, |writer, _| writer.tick().unwrap()),
        ("roll", 3, |writer, _| writer.roll().unwrap()),
        ("set_roll", 3, |writer, _| writer.set_roll(RollOptions::default()).unwrap()),
        ("a second", 3, |writer, time| {
            time.pass(SECOND);
            writer.flush().unwrap();
        }),
        ("16 segments", 16, |writer, _| {
            writer.append(1, b"one more").unwrap();
            writer.flush().unwrap();
        }),
    ];
    for (way, count, leave) in ways {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
        let closed = Arc::new(AtomicU64::new(0));
        let counted = closed.clone();
        let hook: Hook = Arc::new(move |_: &SegmentFile| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(None)
        });
        let hooks = Hooks { on_close: vec![hook], ..Hooks::default() };
        let options = with(RollOptions { records: Some(1), ..RollOptions::default() }, &time);
        let writer = open(&directory, WriterOptions { hooks, ..options });
        writer.tick().unwrap();
        rolls(&writer, count);
        assert_eq!(closed.load(Ordering::SeqCst), 0, "{way}");
        leave(&writer, &time);
        assert!(closed.load(Ordering::SeqCst) >= count - 1, "{way}: {closed:?}");
        writer.close().unwrap();
        assert_eq!(closed.load(Ordering::SeqCst), strict(&directory).segments().len() as u64, "{way}");
    }
}

/// Threads append while others roll, change the rules and tick: every record is there once, in the order of its id, and
/// each segment keeps to the rule for records.
#[test]
fn rolling_under_many_threads_loses_and_repeats_nothing() {
    for background in [false, true] {
        let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
        let roll = RollOptions { records: Some(37), period: Some(Period::MINUTE), ..RollOptions::default() };
        let options = WriterOptions { background, block_bytes: 4096, ..with(roll.clone(), &time) };
        let writer = open(&directory, options);
        let appended = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..1_500u64 {
                        // Some are larger than a block.
                        let payload = i.to_le_bytes().repeat(if i % 5 == 4 { 600 } else { 1 });
                        let id = writer.append(1, &payload).unwrap();
                        appended.fetch_max(id, Ordering::Relaxed);
                    }
                });
            }
            scope.spawn(|| {
                for i in 0..40 {
                    time.pass(7 * SECOND);
                    match i % 4 {
                        0 => writer.roll().unwrap(),
                        1 => writer.tick().unwrap(),
                        2 => writer.set_roll(roll.clone()).unwrap(),
                        _ => writer.heartbeat().unwrap(),
                    }
                }
            });
        });
        writer.close().unwrap();
        let rows = read(&strict(&directory), false);
        assert_eq!(rows.len(), 6_000);
        assert!(rows.iter().zip(1..).all(|(row, id)| row.id == id));
        let most = segments_by_count(&directory).into_iter().max().unwrap();
        assert!(most <= 37, "a segment has {most} records");
    }
}

fn segments_by_count(directory: &MemoryDirectory) -> Vec<u64> {
    let reader = strict(directory);
    let starts: Vec<u64> = reader.segments().iter().map(|segment| segment.first_id).collect();
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
