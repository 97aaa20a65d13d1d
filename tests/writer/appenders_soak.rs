//! 64 threads with appenders, while the log rolls, the disk is full again and again, another thread flushes, syncs, rolls and
//! opens further appenders, and one closes the writer in the middle of it all. BINLOG_SOAK_SECONDS says for how long.

use std::time::{Duration, Instant};

use crate::appends::{in_memory, options, strict};
use crate::common::*;
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::{Appender, AppenderOptions, FullDisk, Kind, Writer, WriterOptions};

const THREADS: u32 = 64;
/// The type of what short-lived appenders append.
const SHORT: u32 = THREADS;

/// A round keeps its log and what it was given in memory: one of ten minutes would take all of it.
const LONGEST: Duration = Duration::from_secs(4);

/// How long all rounds take together.
fn time() -> Duration {
    let text = std::env::var("BINLOG_SOAK_SECONDS").unwrap_or_else(|_| "2".into());
    Duration::from_secs_f64(text.parse().unwrap())
}

/// Appends a count until the writer is closed. Returns the counts that were taken.
fn append_until_closed(mut appender: Appender, thread: u32) -> Vec<u64> {
    let mut taken = vec![];
    for count in 0u64.. {
        let mut payload = [0x5A; 180];
        payload[..8].copy_from_slice(&count.to_le_bytes());
        let len = 8 + (count * 31 + u64::from(thread) * 7) as usize % 173;
        match appender.append(thread, &payload[..len]) {
            Ok(true) => taken.push(count),
            Ok(false) => (),
            Err(e) if e.record_id().is_some() => taken.push(count),
            Err(e) if e.kind() == Kind::NoSpace => (),
            Err(e) => {
                assert_eq!(e.kind(), Kind::Invalid, "{e}");
                break;
            }
        }
        // The others get their turn, and the log does not grow beyond memory.
        if count % 10 == 9 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    taken
}

/// What another thread does to the log meanwhile. Returns how many records its own appenders have appended.
fn disturb(directory: &MemoryDirectory, writer: &Writer, until: Instant) -> usize {
    let mut appended = 0;
    for step in 0.. {
        if Instant::now() > until {
            break;
        }
        let full = Fault { from: 0, times: 1 + step % 3, errno: libc::ENOSPC, only: Some(Operation::Write) };
        directory.set_fault((step % 3 == 0).then_some(full));
        let mut appender = writer.appender().unwrap();
        appended += usize::from(matches!(appender.append(SHORT, b"short"), Ok(true)));
        let closed = match step % 5 {
            0 => appender.close().map(|_| ()),
            _ => {
                drop(appender);
                Ok(())
            }
        };
        let called = [Writer::flush, Writer::sync, Writer::roll, Writer::tick][step % 4](writer);
        for result in [closed, called] {
            assert!(result.as_ref().err().is_none_or(|e| e.kind() == Kind::NoSpace), "{result:?}");
        }
        let position = writer.position().unwrap();
        assert!(position.durable <= position.flushed && position.flushed <= position.appended, "{position:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    directory.set_fault(None);
    appended
}

fn round(background: bool, full_disk: FullDisk, time: Duration) {
    let (directory, writer) = in_memory(WriterOptions { background, full_disk, segment_bytes: 1 << 20, ..options() });
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let hand_over_bytes = if thread % 2 == 0 { 64 << 10 } else { 256 << 10 };
            let appender = writer.appender_with(AppenderOptions { hand_over_bytes }).unwrap();
            std::thread::spawn(move || append_until_closed(appender, thread))
        })
        .collect();
    let short = disturb(&directory, &writer, Instant::now() + time);
    writer.close().unwrap();
    let taken: Vec<Vec<u64>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut there: Vec<Vec<u64>> = vec![vec![]; THREADS as usize];
    let mut there_short = 0;
    for (row, id) in rows_of(&strict(&directory)).iter().zip(1..) {
        assert_eq!(row.id, id);
        match there.get_mut(row.type_id as usize) {
            Some(there) => there.push(u64::from_le_bytes(row.payload[..8].try_into().unwrap())),
            None => there_short += 1,
        }
    }
    assert_eq!(there_short, short);
    for (thread, (there, taken)) in there.iter().zip(&taken).enumerate() {
        assert!(there == taken, "thread {thread}: {} of {} records, in order", there.len(), taken.len());
        assert!(taken.len() > 50, "thread {thread} had {} turns", taken.len());
    }
}

#[test]
fn nothing_is_lost_repeated_or_out_of_order_with_64_threads_rolls_full_disks_and_a_close() {
    let policies = [FullDisk::Fail, FullDisk::Wait(None), FullDisk::Drop];
    let (begun, whole) = (Instant::now(), time());
    while begun.elapsed() < whole {
        for background in [false, true] {
            for full_disk in policies {
                round(background, full_disk, LONGEST.min(whole / 6));
            }
        }
    }
}
