//! The policies for a full disk: fail, wait, drop and count. With each, what was taken stays, in order, and the same
//! writer continues once there is space.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::quota::Quota;
use crate::common::*;
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::{
    event, Error, Filter, FullDisk, Kind, Lag, NewRecord, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions,
};

/// How often a full disk is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// Longer than that, so that the next append tries.
const A_WHILE: Duration = Duration::from_millis(130);

fn options(full_disk: FullDisk, background: bool) -> WriterOptions {
    let flush = Lag::default();
    WriterOptions { block_bytes: 4096, flush, full_disk, background, ..WriterOptions::default() }
}

fn in_memory(options: WriterOptions) -> (MemoryDirectory, Writer) {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    (directory, writer)
}

/// No write succeeds any more; [`MemoryDirectory::operations`] counts the attempts.
fn fill(directory: &MemoryDirectory) {
    fill_after(directory, 0, libc::ENOSPC);
}

fn fill_after(directory: &MemoryDirectory, writes: usize, errno: i32) {
    directory.set_fault(Some(Fault { from: writes, times: usize::MAX, errno, only: Some(Operation::Write) }));
}

fn free(directory: &MemoryDirectory) {
    directory.set_fault(None);
}

fn everything(directory: &MemoryDirectory, events: bool) -> Vec<Row> {
    let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    read(&reader, &Filter { events, ..Filter::default() }, Way::Next).whole()
}

/// Runs `call` on a full disk on which there is space again after `full`; returns how long it took.
fn meanwhile_freed<T>(directory: &MemoryDirectory, full: Duration, call: impl FnOnce() -> T) -> (T, Duration) {
    fill(directory);
    // Before the other thread begins to sleep, or a call that begins late would seem to have waited too little.
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(full);
            free(directory);
        });
        (call(), began.elapsed())
    })
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn assert_full(error: &Error) {
    assert_eq!((error.kind(), error.os_code()), (Kind::NoSpace, Some(libc::ENOSPC)), "{error}");
}

/// Appends records of 1,000 bytes until one is not taken; returns the result of that call.
fn until_full(writer: &Writer, taken: &mut u64) -> binlog::Result<u64> {
    loop {
        match writer.append(1, &noise(1000, *taken + 1)) {
            Ok(id) if id > 0 => {
                *taken += 1;
                assert_eq!(id, *taken, "ids neither repeat nor skip");
            }
            other => return other,
        }
        assert!(*taken < 100_000, "memory is bounded");
    }
}

/// The log holds the records of [`until_full`] and no others.
fn assert_taken(directory: &MemoryDirectory, taken: u64) {
    let rows = everything(directory, false);
    assert_eq!(rows.len() as u64, taken);
    for (row, id) in rows.iter().zip(1..) {
        assert!(row.id == id && row.payload == noise(1000, id), "{} is not record {id}", brief(row));
    }
}

#[test]
fn a_full_disk_is_never_answered_by_rolling_or_deleting() {
    for background in [false, true] {
        for policy in [FullDisk::Fail, FullDisk::Wait(Some(Duration::from_millis(1))), FullDisk::Drop] {
            for errno in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
                let (directory, writer) = in_memory(options(policy, background));
                let names = || {
                    let mut names = directory.list().unwrap();
                    // The hint goes and comes with the writer.
                    names.retain(|name| !name.ends_with(".active"));
                    names.sort();
                    names
                };
                let before = names();
                fill_after(&directory, 1, errno);
                let mut taken = 0;
                match until_full(&writer, &mut taken) {
                    Ok(id) => assert_eq!((policy, id), (FullDisk::Drop, 0)),
                    Err(e) => assert_eq!((e.kind(), e.os_code(), e.record_id()), (Kind::NoSpace, Some(errno), None)),
                }
                assert_eq!(writer.flush().unwrap_err().kind(), Kind::NoSpace);
                assert_eq!(writer.sync().unwrap_err().kind(), Kind::NoSpace);
                assert_eq!(names(), before);
                free(&directory);
                writer.flush().unwrap();
                until_taken(&writer, &mut taken);
                writer.close().unwrap();
                assert_taken(&directory, taken);
                assert_eq!(names(), before);
            }
        }
    }
}

fn until_taken(writer: &Writer, taken: &mut u64) {
    *taken += 1;
    assert_eq!(writer.append(1, &noise(1000, *taken)).unwrap(), *taken, "the same writer continues");
}

#[test]
fn an_append_waits_for_space_without_a_busy_loop_and_without_blocking_other_calls() {
    for background in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Wait(None), background));
        let full = Duration::from_millis(700);
        let slowest = std::sync::Mutex::new(Duration::ZERO);
        let (attempts, done) = (std::sync::atomic::AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(full - Duration::from_millis(50));
                attempts.store(directory.operations(), Ordering::Relaxed);
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    writer.position().unwrap();
                    assert_eq!(writer.dropped(), 0);
                    // This takes the append lock, and so shows that no thread sleeps with it.
                    writer.append_batch([]).unwrap();
                    let mut slowest = slowest.lock().unwrap();
                    *slowest = began.elapsed().max(*slowest);
                    drop(slowest);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let (_, took) = meanwhile_freed(&directory, full, || {
                for id in 1..=3000 {
                    assert_eq!(writer.append(1, &noise(1000, id)).unwrap(), id);
                }
            });
            done.store(true, Ordering::Relaxed);
            assert!(took >= full, "3 MB are more than a writer has memory for");
        });
        // A buffer that is handed over is tried too, four of them at the most.
        let attempts = attempts.load(Ordering::Relaxed);
        assert!((3..30).contains(&attempts), "{attempts} writes were tried in {full:?}");
        assert!(*slowest.lock().unwrap() < Duration::from_millis(80), "{slowest:?}");
        writer.close().unwrap();
        assert_taken(&directory, 3000);
    }
}

#[test]
fn every_call_that_meets_a_full_disk_waits_for_space() {
    let payload = noise(9000, 1);
    let batch = [NewRecord { payload: b"of a batch", ..NewRecord::default() }; 3];
    type Call<'a> = (&'a str, &'a dyn Fn(&Writer) -> binlog::Result<u64>);
    let calls: [Call<'_>; 7] = [
        ("append", &|w| w.append(1, b"small")),
        ("append of a large record", &|w| w.append(1, &payload)),
        ("batch", &|w| w.append_batch(batch)),
        ("named type", &|w| w.type_id("name", "").map(u64::from)),
        ("flush", &|w| w.flush().map(|()| 1)),
        ("sync", &|w| w.sync().map(|()| 1)),
        ("roll", &|w| w.roll().map(|()| 1)),
    ];
    for background in [false, true] {
        for (what, call) in calls {
            let (directory, writer) = in_memory(options(FullDisk::Wait(Some(Duration::from_secs(20))), background));
            let mut id = writer.append(1, b"before").unwrap();
            // Records that cannot be written occupy every buffer, so no append finds room.
            fill(&directory);
            writer.append_batch([NewRecord { payload: &vec![0; 300_000], ..NewRecord::default() }; 5]).unwrap();
            id += 5;
            // Another thread has met the full disk for good when it tries again.
            wait_until("the batch is tried", || directory.operations() > usize::from(background));
            let (done, took) = meanwhile_freed(&directory, 2 * AGAIN, || call(&writer));
            let done = done.unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(took >= 2 * AGAIN && took < Duration::from_secs(10), "{what}: {took:?}");
            if what.contains("append") || what == "batch" {
                assert_eq!(done, id + 1, "{what}");
            }
            writer.close().unwrap();
            let rows = everything(&directory, false);
            assert!(rows.iter().zip(1..).all(|(row, id)| row.id == id), "{what}");
        }
    }
}

#[test]
fn close_waits_for_space_and_loses_nothing() {
    for background in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Wait(Some(Duration::from_secs(20))), background));
        let mut taken = 0;
        (0..50).for_each(|_| until_taken(&writer, &mut taken));
        let (closed, took) = meanwhile_freed(&directory, 2 * AGAIN, || writer.close());
        closed.unwrap();
        assert!(took >= 2 * AGAIN);
        assert_taken(&directory, taken);
    }
}

#[test]
fn waiting_ends_with_the_limit_and_the_call_fails_as_if_it_had_not_waited() {
    for background in [false, true] {
        let limit = Duration::from_millis(250);
        let (directory, writer) = in_memory(options(FullDisk::Wait(Some(limit)), background));
        fill(&directory);
        let mut taken = 0;
        let error = until_full(&writer, &mut taken).unwrap_err();
        assert_full(&error);
        assert_eq!(error.record_id(), None);
        assert!(error.reason().starts_with("no space came within 250ms: "), "{error}");
        for (what, call) in
            [("flush", Writer::flush as fn(&Writer) -> _), ("sync", Writer::sync), ("roll", Writer::roll)]
        {
            let began = Instant::now();
            assert_full(&call(&writer).unwrap_err());
            let took = began.elapsed();
            assert!(took >= limit && took < 8 * limit, "{what} took {took:?}");
        }
        assert_eq!(writer.position().unwrap().appended, taken);
        free(&directory);
        until_taken(&writer, &mut taken);
        writer.close().unwrap();
        assert_taken(&directory, taken);
    }
}

#[test]
fn a_policy_that_waits_in_vain_says_that_the_record_is_taken() {
    let sync = Lag { records: Some(1), ..Lag::default() };
    let rules = WriterOptions { sync, ..options(FullDisk::Wait(Some(Duration::from_millis(150))), false) };
    let (directory, writer) = in_memory(rules);
    let (first, _) = meanwhile_freed(&directory, Duration::from_millis(50), || writer.append(1, &noise(1000, 1)));
    assert_eq!(first.unwrap(), 1);
    assert_eq!(writer.position().unwrap().durable, 1, "it waited, and then the policy was kept");
    fill(&directory);
    assert_eq!(writer.append(1, &noise(1000, 2)).unwrap_err().record_id(), Some(2));
    assert_eq!(writer.append(1, b"finds no room").unwrap_err().record_id(), None);
    free(&directory);
    let mut taken = 2;
    until_taken(&writer, &mut taken);
    assert_eq!(writer.position().unwrap().durable, 3);
    writer.close().unwrap();
    assert_taken(&directory, 3);
}

/// `count` and `total` of the DROPPED events, with the id of the record that follows each.
fn drops(rows: &[Row]) -> Vec<(u64, u64, u64)> {
    let number = |row: &Row, key| row.fact(key).and_then(|text| text.parse().ok()).unwrap();
    let events = rows.iter().filter(|row| row.type_id == event::DROPPED);
    events.map(|row| (row.id, number(row, "count"), number(row, "total"))).collect()
}

#[test]
fn what_is_dropped_takes_no_id_is_counted_and_is_recorded_before_the_next_record() {
    for background in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Drop, background));
        let mut taken = 0;
        let mut expected = vec![];
        for round in 1..=3u64 {
            fill_after(&directory, 1, libc::ENOSPC);
            let before = writer.dropped();
            assert_eq!(until_full(&writer, &mut taken).unwrap(), 0);
            for _ in 0..round {
                assert_eq!(writer.append(1, b"dropped").unwrap(), 0);
                let batch = [NewRecord { payload: b"dropped", ..NewRecord::default() }; 5];
                assert_eq!(writer.append_batch(batch).unwrap(), 0, "a batch is dropped whole");
                assert_eq!(writer.gather(1, &[b"dropped", b"too"]).unwrap(), 0);
                assert_eq!(writer.append(1, &[0; 9000]).unwrap(), 0, "a large record too");
            }
            assert_eq!(writer.dropped() - before, 1 + round * 8);
            assert_eq!(writer.position().unwrap().appended, taken);
            assert_full(&writer.flush().unwrap_err());
            assert_full(&writer.sync().unwrap_err());
            free(&directory);
            std::thread::sleep(A_WHILE);
            until_taken(&writer, &mut taken);
            expected.push((taken, 1 + round * 8, writer.dropped()));
            (0..500).for_each(|_| until_taken(&writer, &mut taken));
        }
        writer.close().unwrap();
        assert_taken(&directory, taken);
        let rows = everything(&directory, true);
        assert_eq!(drops(&rows), expected, "background {background}");
        let at = rows.iter().position(|row| row.type_id == event::DROPPED).unwrap();
        assert_eq!(rows[at + 1].id, rows[at].id, "the record follows the event");
        assert_eq!((rows[at - 1].id, rows[at - 1].is_event()), (rows[at].id - 1, false));
    }
}

#[test]
fn what_is_dropped_is_recorded_before_a_large_record_too() {
    for background in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Drop, background));
        fill(&directory);
        assert_eq!(writer.append(1, &[0; 9000]).unwrap(), 0);
        assert_eq!(writer.append(1, &[0; 9000]).unwrap(), 0);
        free(&directory);
        std::thread::sleep(A_WHILE);
        assert_eq!(writer.append(1, &[7; 9000]).unwrap(), 1);
        writer.close().unwrap();
        // The second one's try was to write the event of the first one.
        assert_eq!(drops(&everything(&directory, true)), [(1, 1, 1), (1, 1, 2)]);
        assert_eq!(everything(&directory, false).len(), 1);
    }
}

#[test]
fn what_is_dropped_is_recorded_by_flush_and_close_when_no_record_follows() {
    for flush in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Drop, false));
        fill(&directory);
        let mut taken = 0;
        until_full(&writer, &mut taken).unwrap();
        free(&directory);
        if flush {
            writer.flush().unwrap();
        }
        writer.close().unwrap();
        assert_taken(&directory, taken);
        assert_eq!(drops(&everything(&directory, true)), [(taken + 1, 1, 1)]);
    }
}

#[test]
fn a_dropped_record_costs_no_system_call() {
    let (directory, writer) = in_memory(options(FullDisk::Drop, false));
    fill(&directory);
    let mut taken = 0;
    until_full(&writer, &mut taken).unwrap();
    let before = directory.operations();
    const MANY: u64 = 50_000;
    for _ in 0..MANY {
        assert_eq!(writer.append(1, b"dropped").unwrap(), 0);
    }
    // Between two tries, twenty times the duration of a try passes, and a try drops a record too.
    let made = directory.operations() - before;
    assert!(made <= MANY as usize / 20 + 2, "{made} writes");
    assert_eq!(writer.dropped(), MANY + 1);
}

#[test]
fn the_first_record_for_which_there_is_space_is_taken_when_the_disk_says_quickly_that_it_is_full() {
    let (directory, writer) = in_memory(options(FullDisk::Drop, false));
    let mut taken = 0;
    for _ in 0..100 {
        fill(&directory);
        let mut lasted;
        loop {
            let began = Instant::now();
            let id = writer.append(1, &noise(1000, taken + 1)).unwrap();
            lasted = began.elapsed();
            if id == 0 {
                break;
            }
            taken += 1;
        }
        std::thread::sleep(20 * lasted);
        free(&directory);
        taken += 1;
        if 20 * lasted < AGAIN / 2 {
            assert_eq!(writer.append(1, &noise(1000, taken)).unwrap(), taken, "after a try of {lasted:?}");
            break;
        }
        // The machine was busy with something else: this run proves nothing.
        until_taken(&writer, &mut (taken - 1));
    }
    writer.close().unwrap();
    assert_taken(&directory, taken);
}

#[test]
fn a_new_name_is_not_dropped_and_a_known_one_needs_no_room() {
    let (directory, writer) = in_memory(options(FullDisk::Drop, false));
    let known = writer.type_id("known", "").unwrap();
    fill(&directory);
    let mut taken = 0;
    until_full(&writer, &mut taken).unwrap();
    assert_eq!(writer.type_id("known", "").unwrap(), known);
    assert_full(&writer.type_id("new", "").unwrap_err());
    assert_eq!(writer.append(known, b"dropped").unwrap(), 0);
    assert_eq!(writer.append(known + 1, b"x").unwrap_err().kind(), Kind::Invalid, "the number was not given");
    free(&directory);
    writer.flush().unwrap();
    assert_eq!(writer.type_id("new", "").unwrap(), known + 1);
    writer.close().unwrap();
    assert_taken(&directory, taken);
}

#[test]
fn a_bound_that_a_full_disk_breaks_is_an_error_and_an_interval_is_not_when_records_may_be_dropped() {
    let interval = Lag { interval: Some(Duration::from_millis(20)), ..Lag::default() };
    let bound = Lag { records: Some(2), ..Lag::default() };
    for sync in [false, true] {
        for (lag, fails) in [(interval, false), (bound, true)] {
            let mut rules = options(FullDisk::Drop, false);
            *(if sync { &mut rules.sync } else { &mut rules.flush }) = lag;
            let (directory, writer) = in_memory(rules);
            fill(&directory);
            assert_eq!(writer.append(1, &noise(1000, 1)).unwrap(), 1);
            std::thread::sleep(Duration::from_millis(30));
            let second = writer.append(1, &noise(1000, 2));
            match fails {
                true => assert_eq!(second.unwrap_err().record_id(), Some(2)),
                false => assert_eq!(second.unwrap(), 2),
            }
            assert_eq!(writer.append(1, b"dropped").unwrap(), 0);
            free(&directory);
            writer.close().unwrap();
            assert_taken(&directory, 2);
        }
    }
}

#[test]
fn many_threads_drop_and_take_and_the_log_records_how_many_are_missing() {
    for background in [false, true] {
        let (directory, writer) = in_memory(options(FullDisk::Drop, background));
        const THREADS: u64 = 6;
        const EACH: u64 = 30_000;
        let ids = std::sync::Mutex::new(vec![]);
        let working = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while working.load(Ordering::Relaxed) {
                    fill_after(&directory, 1, libc::ENOSPC);
                    std::thread::sleep(Duration::from_millis(5));
                    free(&directory);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let threads = (0..THREADS).map(|thread| {
                let (writer, ids) = (&writer, &ids);
                scope.spawn(move || {
                    let mut own = vec![];
                    for i in 0..EACH {
                        let mut payload = (thread * EACH + i).to_le_bytes().to_vec();
                        payload.resize(if i % 1000 == 0 { 9000 } else { 100 }, 0);
                        match writer.append(1, &payload).unwrap() {
                            0 => (),
                            id => own.push((id, thread * EACH + i)),
                        }
                    }
                    ids.lock().unwrap().extend(own);
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            working.store(false, Ordering::Relaxed);
        });
        free(&directory);
        let dropped = writer.dropped();
        writer.close().unwrap();
        let mut ids = ids.into_inner().unwrap();
        ids.sort_unstable();
        assert_eq!(ids.len() as u64 + dropped, THREADS * EACH);
        assert!(dropped > 0, "the test meets a full disk");
        let rows = everything(&directory, true);
        let records: Vec<&Row> = rows.iter().filter(|row| !row.is_event()).collect();
        assert_eq!(records.len(), ids.len());
        for (row, (expected, (id, number))) in records.iter().zip((1..).zip(&ids)) {
            assert!(
                row.id == expected && *id == expected && row.payload[..8] == number.to_le_bytes(),
                "{}",
                brief(row)
            );
        }
        let drops = drops(&rows);
        assert_eq!(drops.iter().map(|(_, count, _)| count).sum::<u64>(), dropped);
        assert_eq!(drops.last().unwrap().2, dropped);
    }
}

#[test]
fn a_log_that_goes_quiet_on_a_full_disk_is_written_once_there_is_space() {
    let interval = Lag { interval: Some(Duration::from_millis(20)), ..Lag::default() };
    for policy in [FullDisk::Fail, FullDisk::Wait(None), FullDisk::Drop] {
        for sync in [false, true] {
            let rules = |background| {
                let mut rules = options(policy, background);
                *(if sync { &mut rules.sync } else { &mut rules.flush }) = interval;
                rules
            };
            let reached = |writer: &Writer| match writer.position().unwrap() {
                position if sync => position.durable,
                position => position.flushed,
            };
            // The background thread writes it without a call.
            let (directory, writer) = in_memory(rules(true));
            fill(&directory);
            writer.append(1, b"quiet").unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let attempts = directory.operations();
            assert!((1..=3).contains(&attempts), "{attempts} writes in 300 ms");
            free(&directory);
            wait_until("the record is written", || reached(&writer) == 1);
            // And without it each tick, which never waits.
            let (directory, writer) = in_memory(rules(false));
            writer.append(1, b"quiet").unwrap();
            std::thread::sleep(Duration::from_millis(30));
            fill(&directory);
            for _ in 0..3 {
                assert_full(&writer.tick().unwrap_err());
            }
            free(&directory);
            writer.tick().unwrap();
            assert_eq!(reached(&writer), 1, "{policy:?} {sync}");
        }
    }
}

#[test]
fn a_roll_that_a_full_disk_stops_leaves_one_file_however_often_it_is_tried() {
    for background in [false, true] {
        for policy in [FullDisk::Fail, FullDisk::Drop] {
            // Every write within the roll is the first to fail once.
            for good in 0..6 {
                let (directory, writer) = in_memory(options(policy, background));
                let first = writer.type_id("first", "").unwrap();
                let second = writer.type_id("second", "").unwrap();
                writer.append(second, b"before").unwrap();
                writer.flush().unwrap();
                fill_after(&directory, good, libc::ENOSPC);
                for _ in 0..20 {
                    if writer.roll().is_ok() {
                        break;
                    }
                }
                let mut files = directory.list().unwrap();
                // The background thread may be replacing the hint: its new text is beside it meanwhile.
                files.retain(|name| !name.contains(".active"));
                assert!(files.len() <= 3, "the lock and two segments at the most: {files:?}");
                free(&directory);
                writer.roll().unwrap();
                writer.append(second, b"after").unwrap();
                writer.close().unwrap();
                assert!(!directory.list().unwrap().iter().any(|name| name.contains(".active")));
                let rows = everything(&directory, true);
                assert_eq!(rows.iter().filter(|row| !row.is_event()).count(), 2);
                let next = rows.iter().rev().find(|row| row.type_id == event::ROTATE_NEXT).unwrap();
                assert_eq!(next.fact("file"), Some("default.0000000002.binlog"), "a segment that is there");
                // Only the last segment contains the names: the next writer knows them.
                let writer = Writer::open(Arc::new(directory.clone()), options(policy, background)).unwrap();
                assert_eq!(writer.type_id("third", "").unwrap(), second + 1, "after {good} good writes");
                assert_eq!(
                    (writer.type_id("first", "").unwrap(), writer.type_id("second", "").unwrap()),
                    (first, second)
                );
            }
        }
    }
}

/// Space that the writer has set aside for itself is no reason to refuse records.
#[test]
fn a_full_disk_is_full_of_records_and_not_of_space_set_aside_after_closed_segments() {
    for (background, ticks) in [(false, false), (true, false), (false, true)] {
        let disk = Quota::new(2 << 20);
        let options = WriterOptions { segment_bytes: 300_000, ..options(FullDisk::Fail, background) };
        let writer = Writer::open(Arc::new(disk.clone()), options.clone()).unwrap();
        if ticks {
            // What rolls leave to do is then left to the next tick.
            writer.tick().unwrap();
        }
        let mut taken = 0u64;
        let error = loop {
            match writer.append(1, &noise(1000, taken)) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::NoSpace, "{error}");
        let (used, held) = disk.used();
        assert!(
            held > (2 << 20) - (64 << 10),
            "{held} bytes of records fit on 2 MiB, {used} are taken; background: {background}, ticks: {ticks}"
        );
        let flushed = writer.position().unwrap().flushed;
        assert!(writer.close().is_err(), "some records were not written");
        let (used, held) = disk.used();
        assert!(used - held < 64 << 10, "{used} bytes are taken by files of {held}");
        let reader = Reader::open(Arc::new(disk.clone()), ReaderOptions::default()).unwrap();
        let rows = read(&reader, &Filter::default(), Way::Next).whole();
        assert!(rows.len() as u64 >= flushed, "{} of {flushed}", rows.len());
        rows.iter().for_each(|row| assert_eq!(row.payload, noise(1000, row.id - 1), "{}", row.id));
    }
}
