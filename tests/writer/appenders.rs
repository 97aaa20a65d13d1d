//! Appenders: what they stage is the log's at the moments that `Appender` promises, in order, each record once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::appends::{in_memory, options, strict};
use crate::common::*;
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::rolling::{Period, RollOptions};
use binlog::{AppenderOptions, Clock, FullDisk, Kind, Lag, MetadataBuf, NewRecord, Writer, WriterOptions};

fn full(directory: &MemoryDirectory) {
    let fault = Fault { from: 0, times: usize::MAX, errno: libc::ENOSPC, only: Some(Operation::Write) };
    directory.set_fault(Some(fault));
}

fn payloads(directory: &MemoryDirectory) -> Vec<Vec<u8>> {
    rows_of(&strict(directory)).into_iter().map(|row| row.payload).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn number(n: u64) -> [u8; 8] {
    n.to_le_bytes()
}

#[test]
fn each_call_of_the_writer_collects_what_was_appended_before() {
    type Call = fn(&Writer) -> binlog::Result<()>;
    let calls: [(&str, Call); 3] = [("flush", Writer::flush), ("sync", Writer::sync), ("roll", Writer::roll)];
    for background in [false, true] {
        for (name, call) in calls {
            let (directory, writer) = in_memory(WriterOptions { background, ..options() });
            let mut appenders = [writer.appender().unwrap(), writer.appender().unwrap()];
            let mut appended = 0;
            for is_alone in [false, true, true] {
                for appender in &mut appenders {
                    appender.append(1, b"staged").unwrap();
                }
                // Without it, everything that has an id is durable already.
                if !is_alone {
                    writer.append(1, b"the writer's").unwrap();
                }
                appended += if is_alone { 2 } else { 3 };
                call(&writer).unwrap();
                let position = writer.position().unwrap();
                assert_eq!((position.appended, position.flushed), (appended, appended), "{name}");
                if name != "flush" {
                    assert_eq!(position.durable, appended, "{name}");
                }
            }
            drop(appenders);
            writer.close().unwrap();
            assert_eq!(payloads(&directory).len(), 7);
        }
    }
}

#[test]
fn closing_the_writer_collects_and_later_appends_fail() {
    for background in [false, true] {
        let (directory, writer) = in_memory(WriterOptions { background, ..options() });
        let (mut staged, mut idle) = (writer.appender().unwrap(), writer.appender().unwrap());
        staged.append(1, b"one").unwrap();
        staged.append(1, b"two").unwrap();
        writer.close().unwrap();
        assert_eq!(payloads(&directory), [b"one", b"two"]);
        for appender in [&mut staged, &mut idle] {
            let large = vec![0; 1 << 20];
            for error in [
                appender.append(1, b"late").unwrap_err(),
                appender.append(1, &large).unwrap_err(),
                appender.append_batch([NewRecord { payload: b"late", ..NewRecord::default() }]).unwrap_err(),
                appender.append_batch([]).unwrap_err(),
                appender.flush().unwrap_err(),
            ] {
                assert_eq!(error.kind(), Kind::Invalid, "{error}");
                assert_eq!(error.record_id(), None);
            }
        }
        assert_eq!(staged.close().unwrap(), 2, "the id of its last record");
        assert_eq!(idle.close().unwrap(), 0);
        assert_eq!(payloads(&directory), [b"one", b"two"]);
    }
}

#[test]
fn a_dropped_appender_and_one_whose_thread_has_ended_lose_nothing() {
    let (directory, writer) = in_memory(options());
    let mut dropped = writer.appender().unwrap();
    dropped.append(1, b"dropped").unwrap();
    drop(dropped);
    let mut left = writer.appender().unwrap();
    let left = std::thread::spawn(move || {
        left.append(1, b"left").unwrap();
        left
    });
    let left = left.join().unwrap();
    // Its thread is gone, and nothing drops it.
    std::mem::forget(left);
    writer.close().unwrap();
    assert_eq!(payloads(&directory), [&b"dropped"[..], b"left"]);
}

/// Appends the next numbers of a thread, in one of the ways that an appender has.
fn append_next(appender: &mut binlog::Appender, thread: u64, next: &mut u64) {
    let mark = |n: u64| number(thread << 32 | n);
    let n = *next;
    *next += 1;
    match n % 1000 {
        500 => {
            let pair = [mark(n), mark(n + 1)];
            *next += 1;
            let records = pair.iter().map(|payload| NewRecord { type_id: 1, payload, ..NewRecord::default() });
            appender.append_batch(records).unwrap();
        }
        // Larger than a block.
        700 => drop(appender.append(1, &mark(n).repeat(40_000)).unwrap()),
        800 => {
            let pairs = MetadataBuf::from_iter([("host", "example.org")]);
            let (payload, metadata) = (mark(n), pairs.as_metadata());
            appender
                .append_record(&NewRecord { type_id: 1, payload: &payload, metadata, time: Some(n as i64) })
                .unwrap();
        }
        _ => drop(appender.gather(1, &[&mark(n)[..4], &mark(n)[4..]]).unwrap()),
    }
}

#[test]
fn the_records_of_an_appender_keep_their_order_among_those_of_others() {
    const EACH: u64 = 30_000;
    for background in [false, true] {
        let (directory, writer) = in_memory(WriterOptions { background, segment_bytes: 1 << 20, ..options() });
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let mut appender = writer.appender().unwrap();
                let writer = &writer;
                scope.spawn(move || {
                    let (mut next, mut last) = (0, 0);
                    while next < EACH {
                        append_next(&mut appender, thread, &mut next);
                        if next % 10_000 == 0 {
                            let id = appender.flush().unwrap();
                            assert!(id > last, "an id for what was appended since");
                            last = id;
                            assert!(writer.position().unwrap().flushed >= id);
                        }
                    }
                    assert!(appender.close().unwrap() >= last);
                });
            }
            scope.spawn(|| {
                for _ in 0..20 {
                    writer.sync().unwrap();
                    writer.roll().unwrap();
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        });
        writer.close().unwrap();
        let mut next = [0; 4];
        for (place, row) in rows_of(&strict(&directory)).into_iter().enumerate() {
            assert_eq!(row.id, place as u64 + 1, "ids neither repeat nor skip");
            let mark = u64::from_le_bytes(row.payload[..8].try_into().unwrap());
            let (thread, n) = ((mark >> 32) as usize, mark & 0xFFFF_FFFF);
            assert_eq!(n, next[thread], "thread {thread}");
            next[thread] += 1;
        }
        assert_eq!(next, [EACH; 4]);
    }
}

#[test]
fn records_of_a_period_are_in_its_segment_whoever_appends_them() {
    // An hour in nanoseconds; the clock is the test's.
    const HOUR: i64 = 3_600_000_000_000;
    let now = Arc::new(AtomicI64::new(1_700_000_000_000_000_000 / HOUR * HOUR));
    let clock = now.clone();
    let (directory, writer) = in_memory(WriterOptions {
        roll: RollOptions { period: Some(Period::HOUR), ..RollOptions::default() },
        clock: Clock::from_fn(move || clock.load(Ordering::Relaxed)),
        ..options()
    });
    let mut appenders: Vec<_> = (0..3).map(|_| writer.appender().unwrap()).collect();
    for hour in 0..4u64 {
        // Each hour another one notices first that it has begun: an appender, the writer, or a tick.
        for turn in 0..5 {
            match (hour as usize + turn) % 5 {
                3 => drop(writer.append(1, &number(hour)).unwrap()),
                4 => writer.tick().unwrap(),
                which => drop(appenders[which].append(1, &number(hour)).unwrap()),
            }
        }
        now.fetch_add(HOUR, Ordering::Relaxed);
    }
    drop(appenders);
    writer.close().unwrap();
    let contents = strict(&directory).contents(&mut |_, _| ()).unwrap();
    assert_eq!(contents.segments.len(), 4);
    let rows = rows_of(&strict(&directory));
    for (hour, segment) in contents.segments.iter().enumerate() {
        let first = segment.facts.first_id as usize - 1;
        let in_it: Vec<u64> =
            rows[first..first + 4].iter().map(|row| u64::from_le_bytes(row.payload[..].try_into().unwrap())).collect();
        assert_eq!(in_it, [hour as u64; 4], "segment {hour}");
    }
    assert_eq!(rows.len(), 16);
}

#[test]
fn an_interval_flushes_what_is_staged_in_a_quiet_appender() {
    let interval = Lag { interval: Some(Duration::from_millis(20)), ..Lag::default() };
    for (background, flush, sync) in [
        (true, interval, Lag::default()),
        (true, Lag::default(), interval),
        (false, interval, Lag::default()),
        (false, Lag::default(), interval),
    ] {
        let (_, writer) = in_memory(WriterOptions { background, flush, sync, ..options() });
        let mut appender = writer.appender().unwrap();
        for id in 1..=3 {
            appender.append(1, b"quiet").unwrap();
            wait_until("what was staged", || {
                if !background {
                    writer.tick().unwrap();
                }
                let position = writer.position().unwrap();
                if sync.interval.is_some() {
                    position.durable == id
                } else {
                    position.flushed == id
                }
            });
        }
    }
}

#[test]
fn an_interval_is_kept_in_the_next_append_without_any_other_thread() {
    let now = Arc::new(AtomicI64::new(1_700_000_000_000_000_000));
    let clock = now.clone();
    let flush = Lag { interval: Some(Duration::from_secs(1)), ..Lag::default() };
    let clock = Clock::from_fn(move || clock.load(Ordering::Relaxed));
    let (_, writer) = in_memory(WriterOptions { flush, clock, ..options() });
    let mut appender = writer.appender().unwrap();
    appender.append(1, b"one").unwrap();
    appender.append(1, b"two").unwrap();
    assert_eq!(writer.position().unwrap().appended, 0, "staged records have no ids");
    now.fetch_add(1_000_000_000, Ordering::Relaxed);
    appender.append(1, b"three").unwrap();
    assert_eq!(writer.position().unwrap().flushed, 3);
}

#[test]
fn bounds_in_records_and_bytes_hold_for_what_is_staged() {
    let counted = |records, bytes| Lag { records, bytes, ..Lag::default() };
    for (flush, sync) in [
        (counted(Some(3), None), Lag::default()),
        (Lag::default(), counted(Some(3), None)),
        (counted(None, Some(30)), Lag::default()),
        (Lag::default(), counted(None, Some(30))),
    ] {
        let (_, writer) = in_memory(WriterOptions { flush, sync, block_bytes: 4096, ..options() });
        let mut appender = writer.appender().unwrap();
        for n in 1..=9u64 {
            appender.append(1, &[0; 10]).unwrap();
            let position = writer.position().unwrap();
            let reached = if sync == Lag::default() { position.flushed } else { position.durable };
            assert!(n - reached <= 3, "{n} appended, {position:?}");
        }
    }
    // One record: as an append of the writer, also for a batch.
    let (_, writer) = in_memory(WriterOptions { sync: counted(Some(1), None), ..options() });
    let mut appender = writer.appender().unwrap();
    for id in 1..=3 {
        appender.append(1, b"x").unwrap();
        assert_eq!(writer.position().unwrap().durable, id);
    }
    appender.append_batch([NewRecord { payload: b"x", ..NewRecord::default() }; 3]).unwrap();
    assert_eq!(writer.position().unwrap().durable, 6);
    assert_eq!(appender.close().unwrap(), 6, "the id of the last record");
}

#[test]
fn segments_that_roll_by_records_get_no_more_of_them() {
    let roll = RollOptions { records: Some(5), ..RollOptions::default() };
    let (directory, writer) = in_memory(WriterOptions { roll, ..options() });
    let mut appenders = [writer.appender().unwrap(), writer.appender().unwrap()];
    for n in 0..12 {
        appenders[n % 2].append(1, b"x").unwrap();
    }
    // The rule may also come later.
    writer.set_roll(RollOptions::default()).unwrap();
    for n in 0..12 {
        appenders[n % 2].append(1, b"x").unwrap();
    }
    writer.set_roll(RollOptions { records: Some(4), ..RollOptions::default() }).unwrap();
    for n in 0..12 {
        appenders[n % 2].append(1, b"x").unwrap();
    }
    writer.close().unwrap();
    let contents = strict(&directory).contents(&mut |_, _| ()).unwrap();
    let records: Vec<u64> = contents.segments.iter().map(|segment| segment.records).collect();
    assert_eq!(records, [5, 5, 2, 12, 4, 4, 4]);
}

#[test]
fn a_named_type_is_in_the_log_before_its_records() {
    let (directory, writer) = in_memory(options());
    let mut appender = writer.appender().unwrap();
    appender.append(1, b"first").unwrap();
    let login = writer.type_id("login", "").unwrap();
    appender.append(login, b"alice").unwrap();
    let refused = appender.append(login + 1, b"no such type").unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
    appender.append(login, b"bob").unwrap();
    writer.close().unwrap();
    let reader = strict(&directory);
    let filter = binlog::Filter { type_names: vec!["login".into()], ..binlog::Filter::default() };
    let mut logins = reader.cursor(&filter).unwrap();
    let mut seen = vec![];
    while let Some(record) = logins.next().unwrap() {
        seen.push(record.payload.to_vec());
    }
    assert_eq!(seen, [&b"alice"[..], b"bob"]);
}

#[test]
fn a_full_disk_keeps_what_was_staged_and_an_append_that_finds_no_room_takes_nothing() {
    for background in [false, true] {
        let (directory, writer) = in_memory(WriterOptions { background, block_bytes: 4096, ..options() });
        let mut appender = writer.appender().unwrap();
        full(&directory);
        let payload = [7; 3000];
        let mut taken = 0u64;
        let error = loop {
            match appender.append(1, &payload) {
                Ok(true) => taken += 1,
                Ok(false) => panic!("nothing is dropped"),
                Err(error) => break error,
            }
            assert!(taken < 100_000, "memory is bounded");
        };
        assert_eq!((error.kind(), error.record_id()), (Kind::NoSpace, None), "{error}");
        assert_eq!(appender.append(1, &payload).unwrap_err().kind(), Kind::NoSpace);
        assert_eq!(appender.flush().unwrap_err().kind(), Kind::NoSpace);
        directory.set_fault(None);
        appender.append(1, &payload).unwrap();
        assert_eq!(appender.flush().unwrap(), taken + 1);
        writer.close().unwrap();
        assert_eq!(rows_of(&strict(&directory)).len() as u64, taken + 1);
    }
}

#[test]
fn records_that_a_full_disk_drops_are_counted_in_the_log() {
    let full_disk = FullDisk::Drop;
    let (directory, writer) = in_memory(WriterOptions { full_disk, block_bytes: 4096, ..options() });
    let mut appender = writer.appender().unwrap();
    full(&directory);
    let payload = [7; 3000];
    let (mut taken, mut dropped) = (0, 0);
    while dropped < 10 {
        match appender.append(1, &payload).unwrap() {
            true => taken += 1,
            false => dropped += 1,
        }
    }
    assert_eq!(writer.dropped(), dropped);
    directory.set_fault(None);
    wait_until("room", || appender.append(1, b"room again").unwrap());
    let dropped = writer.dropped();
    writer.close().unwrap();
    let reader = strict(&directory);
    let mut cursor = reader.cursor(&binlog::Filter { events: true, ..binlog::Filter::default() }).unwrap();
    let (mut records, mut counted) = (0, 0);
    while let Some(record) = cursor.next().unwrap() {
        match record.type_id {
            binlog::event::DROPPED => counted += record.metadata.get("count").unwrap().parse::<u64>().unwrap(),
            1 => records += 1,
            _ => (),
        }
    }
    assert_eq!((records, counted), (taken + 1, dropped));
}

#[test]
fn options_out_of_range_are_refused() {
    let (_, writer) = in_memory(options());
    for hand_over_bytes in [0, (64 << 10) - 1, (256 << 10) + 1, usize::MAX] {
        let refused = writer.appender_with(AppenderOptions { hand_over_bytes });
        assert_eq!(refused.err().map(|e| e.kind()), Some(Kind::Invalid), "{hand_over_bytes}");
    }
}
