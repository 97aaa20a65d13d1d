//! A call does its own part of the work, and a bounded share of the work that other threads cause: whatever they do, it
//! returns.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::hooks::{Hooks, SegmentFile};
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::RollOptions;
use binlog::{Codec, Lag, Writer, WriterOptions};

/// No call takes this long, however long the other threads continue.
const LONG: Duration = Duration::from_secs(2);
/// How long the other threads continue.
const LONGER: Duration = Duration::from_secs(5);

/// Several threads append, and one each flushes, syncs and ticks, without threads of the library. Returns the slowest
/// call of each kind.
fn slowest_calls(directory: Arc<dyn Directory>, options: WriterOptions) -> Vec<(&'static str, Duration)> {
    type Call = fn(&Writer);
    let append: Call = |writer| {
        writer.append(1, b"a record").unwrap();
    };
    let calls: [(&str, Call); 5] = [
        ("append", append),
        ("append", append),
        ("flush", |writer| writer.flush().unwrap()),
        ("sync", |writer| writer.sync().unwrap()),
        ("tick", |writer| writer.tick().unwrap()),
    ];
    let writer = Writer::open(directory, options).unwrap();
    let began = Instant::now();
    let slowest = std::thread::scope(|scope| {
        let one = |(name, call): (&'static str, Call)| {
            let mut slowest = Duration::ZERO;
            while began.elapsed() < LONGER {
                let begun = Instant::now();
                call(&writer);
                slowest = slowest.max(begun.elapsed());
                // Two threads append as fast as they can; the others only now and then.
                if name != "append" {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            (name, slowest)
        };
        let threads = calls.map(|call| scope.spawn(move || one(call)));
        threads.map(|thread| thread.join().unwrap()).to_vec()
    });
    writer.close().unwrap();
    slowest
}

fn rolls_at_each_record() -> WriterOptions {
    let roll = RollOptions { records: Some(1), ..RollOptions::default() };
    WriterOptions { roll, flush: Lag::default(), ..WriterOptions::default() }
}

#[test]
fn no_call_is_held_up_by_the_hooks_of_what_others_roll() {
    let (called, counted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = called.clone();
    let hook = move |file: &SegmentFile| {
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(file.sequence, counts.fetch_add(1, Ordering::Relaxed) + 1, "in the order of the segments");
        Ok(None)
    };
    let failures = counted.clone();
    let failed = move |_: &binlog::Error| {
        failures.fetch_add(1, Ordering::Relaxed);
    };
    let hooks = Hooks { on_close: vec![Arc::new(hook)], on_failure: Some(Arc::new(failed)), ..Hooks::default() };
    let slowest = slowest_calls(Arc::new(MemoryDirectory::new()), WriterOptions { hooks, ..rolls_at_each_record() });
    assert!(slowest.iter().all(|(_, slowest)| *slowest < LONG), "{slowest:?}");
    assert!(called.load(Ordering::Relaxed) > 100 && counted.load(Ordering::Relaxed) == 0);
}

#[test]
fn no_call_is_held_up_by_what_others_hand_over() {
    let mut directory = Interposed::around(Arc::new(MemoryDirectory::new()));
    directory.on_write = Some(Arc::new(|_| std::thread::sleep(Duration::from_millis(1))));
    let slowest = slowest_calls(Arc::new(directory), rolls_at_each_record());
    assert!(slowest.iter().all(|(_, slowest)| *slowest < LONG), "{slowest:?}");
}

#[test]
fn what_others_left_is_done_by_the_next_append() {
    let (entered, leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let closed = Arc::new(Mutex::new(vec![]));
    let (inside, wait, seen) = (entered.clone(), leave.clone(), closed.clone());
    let hook = move |file: &binlog::hooks::SegmentFile| {
        inside.store(true, Ordering::Release);
        while !wait.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        seen.lock().unwrap().push(file.sequence);
        Ok(None)
    };
    let options = WriterOptions {
        roll: RollOptions { records: Some(2), ..RollOptions::default() },
        hooks: Hooks { on_close: vec![Arc::new(hook)], ..Hooks::default() },
        ..WriterOptions::default()
    };
    let writer = Writer::open(Arc::new(MemoryDirectory::new()), options).unwrap();
    let append = |id: u64| assert_eq!(writer.append(1, b"a record").unwrap(), id);
    (1..=2).for_each(append);
    std::thread::scope(|scope| {
        let caught = scope.spawn(|| append(3));
        while !entered.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // The first one is in a hook: the others, which roll twice, neither wait for it nor do it again.
        (4..=7).for_each(append);
        assert_eq!(*closed.lock().unwrap(), [0; 0]);
        leave.store(true, Ordering::Release);
        caught.join().unwrap();
    });
    assert_eq!(*closed.lock().unwrap(), [1], "the first one did its own");
    append(8);
    assert_eq!(*closed.lock().unwrap(), [1, 2, 3], "in the order of the segments");
    writer.close().unwrap();
}

#[test]
fn a_large_record_that_does_not_compress_makes_no_call_wait_for_the_compressor() {
    let options = WriterOptions { codec: Codec::Zstd, codec_level: 19, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(MemoryDirectory::new()), options).unwrap();
    let large = noise(3 << 20, 1);
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
    let writer = Writer::open(Arc::new(MemoryDirectory::new()), WriterOptions::default()).unwrap();
    let began = Instant::now();
    let numbers: Vec<u32> = (0..100_000).map(|n| writer.type_id(&format!("type {n}"), "").unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1));
    assert_eq!(writer.type_id("type 5", "").unwrap(), numbers[5]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    writer.close().unwrap();
}
