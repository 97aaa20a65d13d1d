//! A call does its own part of the work, and a bounded share of what others make necessary: whatever other threads do, it comes
//! back.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use binlog::io::MemoryDirectory;
use binlog::{Codec, Hooks, Lag, RollOptions, Writer, WriterOptions};
use common::*;

/// No call may take this long because others keep the writer busy.
const LONG: Duration = Duration::from_secs(10);

/// Rolls at each record, and calls a hook that takes its time. No thread of the library.
fn rolls_at_each_record(hook: Duration, calls: Arc<AtomicU64>) -> WriterOptions {
    let call = move |_: &_| {
        std::thread::sleep(hook);
        calls.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    };
    WriterOptions {
        roll: RollOptions { records: Some(1), ..RollOptions::default() },
        hooks: Hooks { on_close: vec![Arc::new(call)], ..Hooks::default() },
        flush: Lag::default(),
        ..WriterOptions::default()
    }
}

/// Makes `call` while two other threads append, and returns how long it took; they stop when it is done, or after a while.
fn beside_appends(writer: &Writer, call: impl FnOnce()) -> Duration {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let began = Instant::now();
                while !done.load(Ordering::Relaxed) && began.elapsed() < 2 * LONG {
                    writer.append(1, b"another").unwrap();
                }
            });
        }
        std::thread::sleep(Duration::from_millis(50));
        let began = Instant::now();
        call();
        done.store(true, Ordering::Relaxed);
        began.elapsed()
    })
}

#[test]
fn a_call_comes_back_while_others_append_and_roll() {
    type Call = fn(&Writer);
    let calls: [(&str, Call); 6] = [
        ("flush", |writer| writer.flush().unwrap()),
        ("sync", |writer| writer.sync().unwrap()),
        ("tick", |writer| writer.tick().unwrap()),
        ("roll", |writer| writer.roll().unwrap()),
        ("heartbeat", |writer| writer.heartbeat().unwrap()),
        ("append", |writer| drop(writer.append(1, b"mine").unwrap())),
    ];
    for (name, call) in calls {
        let hooked = Arc::new(AtomicU64::new(0));
        let options = rolls_at_each_record(Duration::from_millis(2), hooked.clone());
        let writer = Writer::open_in(Arc::new(MemoryDirectory::new()), options).unwrap();
        let took = beside_appends(&writer, || call(&writer));
        assert!(took < LONG, "{name} took {took:?}");
        let appended = writer.position().unwrap().appended;
        writer.close().unwrap();
        assert!(hooked.load(Ordering::Relaxed) >= appended, "each segment had its hook, at the latest at the end");
    }
}

#[test]
fn what_others_left_is_done_by_the_next_append() {
    let (entered, leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let closed = Arc::new(Mutex::new(vec![]));
    let (inside, wait, seen) = (entered.clone(), leave.clone(), closed.clone());
    let hook = move |file: &binlog::SegmentFile| {
        inside.store(true, Ordering::Release);
        while !wait.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        seen.lock().unwrap().push(file.sequence);
        Ok(None)
    };
    let options = WriterOptions {
        roll: RollOptions { records: Some(1), ..RollOptions::default() },
        hooks: Hooks { on_close: vec![Arc::new(hook)], ..Hooks::default() },
        ..WriterOptions::default()
    };
    let writer = Writer::open_in(Arc::new(MemoryDirectory::new()), options).unwrap();
    writer.append(1, b"1").unwrap();
    std::thread::scope(|scope| {
        let caught = scope.spawn(|| writer.append(1, b"2").unwrap());
        while !entered.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // The first one is in a hook: the others neither wait for it nor do it again.
        (3..=5).for_each(|_| drop(writer.append(1, b"more").unwrap()));
        assert_eq!(*closed.lock().unwrap(), [0; 0]);
        leave.store(true, Ordering::Release);
        caught.join().unwrap();
    });
    assert_eq!(*closed.lock().unwrap(), [1], "the first one did its own");
    writer.append(1, b"6").unwrap();
    assert_eq!(*closed.lock().unwrap(), [1, 2, 3, 4, 5], "in the order of the segments");
    writer.close().unwrap();
}

#[test]
fn a_large_record_that_does_not_compress_keeps_nobody_waiting_for_the_compressor() {
    let options = WriterOptions { codec: Codec::Zstd, codec_level: 19, ..WriterOptions::default() };
    let writer = Writer::open_in(Arc::new(MemoryDirectory::new()), options).unwrap();
    let large = noise(12 << 20, 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let slowest = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                writer.append(1, b"small").unwrap();
                slowest = slowest.max(began.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            slowest
        });
        let began = Instant::now();
        writer.append(2, &large).unwrap();
        let took = began.elapsed();
        done.store(true, Ordering::Relaxed);
        let slowest = slowest.join().unwrap();
        assert!(slowest < took / 3, "an append took {slowest:?} beside a large one of {took:?}");
    });
    writer.close().unwrap();
}

#[test]
fn naming_a_type_takes_no_longer_when_there_are_many() {
    let writer = Writer::open_in(Arc::new(MemoryDirectory::new()), WriterOptions::default()).unwrap();
    let began = Instant::now();
    let numbers: Vec<u32> = (0..100_000).map(|n| writer.type_id(&format!("type {n}"), "").unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1));
    assert_eq!(writer.type_id("type 5", "").unwrap(), numbers[5]);
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    writer.close().unwrap();
}
