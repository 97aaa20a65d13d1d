//! What a writer guarantees: positions and policies, limits that leave the log as it was, one writer at a time, and
//! what it finds when it reopens a log.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::{
    event, Codec, Kind, Lag, Metadata, NewRecord, Position, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions,
    EVENT_BIT, FIRST_NAMED_TYPE,
};

/// Without the default flush interval, which a slow machine would reach.
pub fn options() -> WriterOptions {
    WriterOptions { flush: Lag::default(), ..WriterOptions::default() }
}

pub fn in_memory(options: WriterOptions) -> (MemoryDirectory, Writer) {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    (directory, writer)
}

fn read_back(directory: &MemoryDirectory) -> Vec<Row> {
    rows_of(&strict(directory))
}

pub fn strict(directory: &MemoryDirectory) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() })
        .unwrap()
}

fn at(appended: u64, flushed: u64, durable: u64) -> Position {
    Position { appended, flushed, durable }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn positions_follow_appends_flushes_and_syncs() {
    for background in [false, true] {
        let (_, writer) = in_memory(WriterOptions { background, ..options() });
        assert_eq!(writer.position().unwrap(), at(0, 0, 0));
        writer.append(1, b"a").unwrap();
        writer.append(1, b"b").unwrap();
        assert_eq!(writer.position().unwrap(), at(2, 0, 0));
        writer.flush().unwrap();
        assert_eq!(writer.position().unwrap(), at(2, 2, 0));
        writer.append(1, b"c").unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.position().unwrap(), at(3, 3, 3));
        writer.append(1, b"d").unwrap();
        writer.roll().unwrap();
        assert_eq!(writer.position().unwrap(), at(4, 4, 4), "a closed segment is durable");
    }
}

#[test]
fn a_policy_by_records_flushes_or_syncs_before_the_append_returns() {
    let (_, writer) = in_memory(WriterOptions { flush: Lag { records: Some(3), ..Lag::default() }, ..options() });
    for id in 1..=10 {
        writer.append(1, b"x").unwrap();
        assert_eq!(writer.position().unwrap(), at(id, id - id % 3, 0));
    }
    let (directory, writer) =
        in_memory(WriterOptions { sync: Lag { records: Some(4), ..Lag::default() }, ..options() });
    count_syncs(&directory);
    for id in 1..=10 {
        writer.append(1, b"x").unwrap();
        assert_eq!(writer.position().unwrap().durable, id - id % 4);
    }
    assert_eq!(
        directory.operations(),
        2 + 1,
        "one fdatasync for four records, and with the first one of the lock file"
    );
}

#[test]
fn a_policy_by_bytes_flushes_or_syncs_before_the_append_returns() {
    for background in [false, true] {
        let lag = Lag { bytes: Some(100), ..Lag::default() };
        let (_, writer) = in_memory(WriterOptions { flush: lag, background, ..options() });
        for (len, flushed) in [(60, 0), (39, 0), (1, 3), (99, 3), (0, 3), (500, 6)] {
            writer.append(1, &vec![0; len]).unwrap();
            assert_eq!(writer.position().unwrap().flushed, flushed);
        }
        let (directory, writer) = in_memory(WriterOptions { sync: lag, background, ..options() });
        count_syncs(&directory);
        for (len, durable) in [(60, 0), (60, 2), (60, 2), (60, 4)] {
            writer.append_batch([NewRecord { payload: &vec![0; len], ..NewRecord::default() }]).unwrap();
            assert_eq!(writer.position().unwrap().durable, durable);
        }
        assert_eq!(directory.operations(), 2 + 1, "the lock file's with the first");
    }
}

#[test]
fn an_interval_is_kept_by_tick_by_the_next_append_and_by_the_background_thread() {
    let interval = Duration::from_millis(150);
    let lag = Lag { interval: Some(interval), ..Lag::default() };
    for sync in [false, true] {
        let rules = match sync {
            false => WriterOptions { flush: lag, ..options() },
            true => WriterOptions { sync: lag, ..options() },
        };
        let reached = |writer: &Writer| {
            let position = writer.position().unwrap();
            if sync {
                position.durable
            } else {
                position.flushed
            }
        };
        let (_, writer) = in_memory(rules.clone());
        let began = Instant::now();
        writer.append(1, b"a").unwrap();
        writer.tick().unwrap();
        assert!(reached(&writer) == 0 || began.elapsed() >= interval, "not before the time");
        std::thread::sleep(interval);
        assert_eq!(reached(&writer), 0, "the clock was not read yet");
        writer.tick().unwrap();
        assert_eq!(reached(&writer), 1);
        writer.append(1, b"b").unwrap();
        std::thread::sleep(interval);
        writer.append(1, b"c").unwrap();
        assert_eq!(reached(&writer), 3);

        let (_, writer) = in_memory(WriterOptions { background: true, ..rules });
        for id in 1..=3 {
            writer.append(1, b"a").unwrap();
            wait_until("the interval of the background thread", || reached(&writer) == id);
        }
    }
}

/// From here on [`MemoryDirectory::operations`] counts fdatasyncs.
fn count_syncs(directory: &MemoryDirectory) {
    directory.set_fault(Some(Fault { from: usize::MAX, times: 0, errno: libc::EIO, only: Some(Operation::Sync) }));
}

/// A directory whose fdatasync takes as long as that of a disk, and the number of these calls.
fn slow_directory(slow: Duration) -> (Interposed, Arc<AtomicUsize>) {
    let syncs = Arc::new(AtomicUsize::new(0));
    let seen = syncs.clone();
    let on_sync = move |_: &str| {
        seen.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(slow);
    };
    let memory = Arc::new(MemoryDirectory::new());
    (Interposed { on_sync: Some(Arc::new(on_sync)), ..Interposed::around(memory) }, syncs)
}

#[test]
fn appends_and_flushes_do_not_wait_for_a_sync() {
    for background in [false, true] {
        let slow = Duration::from_millis(1500);
        let (directory, syncs) = slow_directory(slow);
        let writer = Writer::open(Arc::new(directory), WriterOptions { background, ..options() }).unwrap();
        writer.append(1, b"first").unwrap();
        std::thread::scope(|scope| {
            let syncing = scope.spawn(|| writer.sync().unwrap());
            wait_until("the fdatasync", || syncs.load(Ordering::Relaxed) == 1);
            let began = Instant::now();
            for i in 0..3000 {
                // More than a writer has memory for, and now and then a large record, so that records are written too.
                writer.append(1, &[0; 200_000][..if i % 1000 == 0 { 200_000 } else { 1000 }]).unwrap();
            }
            writer.flush().unwrap();
            assert!(!syncing.is_finished() && began.elapsed() < slow, "{:?}", began.elapsed());
            syncing.join().unwrap();
            assert_eq!(writer.position().unwrap(), at(3001, 3001, 1));
        });
    }
}

#[test]
fn appends_continue_while_a_write_hangs_until_they_fill_so_much_memory() {
    const KIB: usize = 1024;
    for background in [false, true] {
        let memory = MemoryDirectory::new();
        let hangs = Arc::new(AtomicBool::new(false));
        let hanging = hangs.clone();
        let on_write = move |_: &str| {
            let began = Instant::now();
            while hanging.load(Ordering::Relaxed) {
                if began.elapsed() > Duration::from_secs(20) {
                    hanging.store(false, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let directory =
            Interposed { on_write: Some(Arc::new(on_write)), ..Interposed::around(Arc::new(memory.clone())) };
        let writer = Writer::open(Arc::new(directory), WriterOptions { background, ..options() }).unwrap();
        let payload = [7; KIB];
        // Not at full speed: otherwise they wait.
        let append = |mib: usize| {
            for i in 0..mib * KIB {
                writer.append(1, &payload).unwrap();
                if i % 64 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        };
        hangs.store(true, Ordering::Relaxed);
        std::thread::scope(|scope| {
            // Without a background thread, whichever of the two writes hangs.
            let (one, other) = (scope.spawn(|| append(20)), scope.spawn(|| append(20)));
            let appended = || writer.position().unwrap().appended as usize / KIB;
            wait_until("the eighth MiB", || appended() >= 8);
            // Until they wait, or have appended everything.
            let mut before = 0;
            while std::mem::replace(&mut before, writer.position().unwrap().appended) != before {
                std::thread::sleep(Duration::from_millis(300));
            }
            assert!(appended() < 20, "it takes {} MiB", appended());
            assert_eq!(writer.position().unwrap().flushed, 0, "a write was to hang");
            assert!(!one.is_finished() && !other.is_finished());
            assert!(hangs.swap(false, Ordering::Relaxed), "the appends waited for the write");
        });
        writer.close().unwrap();
        assert_eq!(read_back(&memory).len(), 40 * KIB);
    }
}

#[test]
fn threads_that_sync_at_once_share_fdatasyncs() {
    let (directory, syncs) = slow_directory(Duration::from_millis(3));
    let writer = Writer::open(Arc::new(directory), options()).unwrap();
    const THREADS: usize = 16;
    const EACH: usize = 20;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let id = writer.append(1, b"durable").unwrap();
                    writer.sync().unwrap();
                    assert!(writer.position().unwrap().durable >= id);
                }
            });
        }
    });
    let (callers, syncs) = (THREADS * EACH, syncs.load(Ordering::Relaxed));
    assert!(syncs >= EACH && syncs <= callers / 3, "{syncs} fdatasyncs for {callers} callers");
}

#[test]
fn two_threads_that_sync_each_record_share_their_fdatasyncs() {
    const EACH: usize = 50;
    let (directory, syncs) = slow_directory(Duration::from_millis(3));
    let each_record = Lag { records: Some(1), ..Lag::default() };
    let writer = Writer::open(Arc::new(directory), WriterOptions { sync: each_record, ..options() }).unwrap();
    syncs.store(0, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..EACH).for_each(|_| assert!(writer.append(1, b"a record").unwrap() > 0)));
        }
    });
    // A thread that has led a round comes back for the next one; if that does not wait for it, the two take turns.
    let syncs = syncs.load(Ordering::Relaxed);
    assert!(syncs <= EACH * 3 / 2, "{syncs} fdatasyncs for two threads with {EACH} records each");
}

#[test]
fn a_batch_is_appended_as_a_whole_or_not_at_all() {
    let most = 1000;
    let (directory, writer) = in_memory(WriterOptions { record_max_bytes: most, ..options() });
    let good = NewRecord { type_id: 1, time: Some(5), payload: b"good", ..NewRecord::default() };
    let long = vec![0; most as usize + 1];
    let bad = [
        (NewRecord { type_id: EVENT_BIT | 1, ..good }, Kind::Invalid),
        (NewRecord { type_id: FIRST_NAMED_TYPE, ..good }, Kind::Invalid),
        (NewRecord { payload: &long, ..good }, Kind::TooLarge),
        (NewRecord { metadata: Metadata::from_bytes(&[9, 9]), ..good }, Kind::Invalid),
    ];
    for (bad, kind) in bad {
        for batch in [[bad, good, good], [good, bad, good], [good, good, bad]] {
            assert_eq!(writer.append_batch(batch).unwrap_err().kind(), kind);
        }
    }
    assert_eq!(writer.position().unwrap().appended, 0);
    assert_eq!(writer.append_batch([]).unwrap(), 1, "an empty batch returns the next id");
    assert_eq!(writer.append_batch([good; 5]).unwrap(), 1);
    assert_eq!(writer.append(2, b"next").unwrap(), 6);
    writer.close().unwrap();
    let rows = read_back(&directory);
    assert_rows(&rows[..5], &(1..=5).map(|id| Row::new(id, 5, 1, *b"good")).collect::<Vec<_>>(), "the batch");
    assert_eq!(rows.len(), 6);
}

#[test]
fn a_crash_keeps_all_of_a_batch_or_none() {
    let (directory, writer) = in_memory(WriterOptions { block_bytes: 4096, ..options() });
    for round in 0..4 {
        writer.append(1, &payload(1500, round)).unwrap();
        let payload = payload(700, round);
        writer
            .append_batch((0..20).map(|_| NewRecord { type_id: 2, payload: &payload, ..NewRecord::default() }))
            .unwrap();
    }
    writer.flush().unwrap();
    let bytes = directory.contents("default.0000000001.binlog").unwrap();
    for len in (400..bytes.len()).step_by(61) {
        let crashed = MemoryDirectory::new();
        crashed.set_contents("default.0000000001.binlog", bytes[..len].to_vec());
        let reader = Reader::open(Arc::new(crashed), ReaderOptions::default()).unwrap();
        let of_batches = rows_of(&reader).iter().filter(|row| row.type_id == 2).count();
        assert_eq!(of_batches % 20, 0, "cut to {len}");
    }
}

#[test]
fn what_is_over_a_limit_is_refused_and_leaves_the_log_as_it_was() {
    let (directory, writer) = in_memory(WriterOptions { record_max_bytes: 5000, block_bytes: 4096, ..options() });
    let refused = |result: binlog::Result<u64>, kind: Kind| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.record_id()), (kind, None), "{error}");
    };
    refused(writer.append(1, &[0; 5001]), Kind::TooLarge);
    refused(writer.gather(1, &[&[0; 2500], &[0; 2501]]), Kind::TooLarge);
    for type_id in [EVENT_BIT, event::OPENED, u32::MAX, FIRST_NAMED_TYPE, FIRST_NAMED_TYPE + 7] {
        refused(writer.append(type_id, b"x"), Kind::Invalid);
        refused(writer.gather(type_id, &[&[0; 4500]]), Kind::Invalid);
    }
    let mut many = binlog::MetadataBuf::new();
    (0..65_536).for_each(|_| many.push("", ""));
    let mut large = binlog::MetadataBuf::new();
    large.push("k", &"v".repeat(16 << 20));
    let over = [many.as_metadata().as_bytes(), large.as_metadata().as_bytes()].map(|pairs| (pairs, Kind::TooLarge));
    let wrong = [&[1, 0xff, 0][..], &[200], &[1, b'k']].map(|pairs| (pairs, Kind::Invalid));
    for (pairs, kind) in wrong.into_iter().chain(over) {
        let record = NewRecord { metadata: Metadata::from_bytes(pairs), ..NewRecord::default() };
        refused(writer.append_record(&record), kind);
    }
    for name in ["", &"n".repeat(5000)] {
        assert_eq!(writer.type_id(name, "").unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(writer.position().unwrap(), at(0, 0, 0));
    // Exactly at the limits.
    assert_eq!(writer.append(FIRST_NAMED_TYPE - 1, &[7; 5000]).unwrap(), 1);
    let mut most = binlog::MetadataBuf::new();
    (0..65_535).for_each(|_| most.push("", ""));
    let record = NewRecord { metadata: most.as_metadata(), ..NewRecord::default() };
    assert_eq!(writer.append_record(&record).unwrap(), 2);
    writer.close().unwrap();
    let rows = read_back(&directory);
    assert_eq!((rows.len(), rows[0].payload_len, rows[1].metadata.len()), (2, 5000, 65_535));
}

#[test]
fn wrong_options_are_refused_before_anything_is_created() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("log");
    let wrong = [
        WriterOptions { block_bytes: 1, ..options() },
        WriterOptions { name: "../up".into(), ..options() },
        WriterOptions { sync: Lag { bytes: Some(0), ..Lag::default() }, ..options() },
    ];
    for wrong in wrong {
        assert_eq!(Writer::open(&path, wrong.clone()).err().unwrap().kind(), Kind::Invalid);
        assert_eq!(Writer::open_file(&path, wrong).err().unwrap().kind(), Kind::Invalid);
    }
    assert!(!path.exists());
}

#[test]
fn a_second_writer_gets_an_error_that_names_the_holder_of_the_log() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, file) = (scratch.path().join("log"), scratch.path().join("one.binlog"));
    let first = Writer::open(&directory, options()).unwrap();
    let error = Writer::open(&directory, options()).err().unwrap();
    assert_eq!(error.kind(), Kind::Locked);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    // Another log in the same directory has no influence.
    Writer::open(&directory, WriterOptions { name: "other".into(), ..options() }).unwrap().close().unwrap();
    first.append(1, b"still mine").unwrap();
    first.close().unwrap();
    Writer::open(&directory, options()).unwrap().close().unwrap();

    let first = Writer::open_file(&file, options()).unwrap();
    assert_eq!(Writer::open_file(&file, options()).err().unwrap().kind(), Kind::Locked);
    drop(first);
    Writer::open_file(&file, options()).unwrap().close().unwrap();
}

#[test]
fn files_get_the_mode_asked_for_on_every_roll() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions { file_mode: 0o664, ..options() }).unwrap();
    for _ in 0..3 {
        writer.append(1, b"x").unwrap();
        writer.roll().unwrap();
    }
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o664, "{:?}", entry.file_name());
    }
}

#[test]
fn many_threads_get_dense_ids_in_their_own_order() {
    const THREADS: u32 = 8;
    const EACH: u64 = 4000;
    for background in [false, true] {
        let (directory, writer) = in_memory(WriterOptions {
            background,
            block_bytes: 4096,
            segment_bytes: 200_000,
            codec: if_available(Codec::Lz4),
            ..options()
        });
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let writer = &writer;
                scope.spawn(move || {
                    let mut last = 0;
                    for i in 0..EACH {
                        let mut bytes = i.to_le_bytes().to_vec();
                        // Now and then a record larger than a block, which is written in another way.
                        bytes.resize(if i % 500 == 0 { 6000 } else { 8 + (i % 90) as usize }, 0);
                        let id = writer.append(thread, &bytes).unwrap();
                        assert!(id > last);
                        last = id;
                        if i % 1000 == 999 {
                            writer.roll().unwrap();
                        }
                    }
                });
            }
        });
        writer.close().unwrap();
        let rows = read_back(&directory);
        assert_eq!(rows.len() as u64, u64::from(THREADS) * EACH);
        let mut next = [0u64; THREADS as usize];
        for (row, id) in rows.iter().zip(1..) {
            let i = u64::from_le_bytes(row.payload[..8].try_into().unwrap());
            assert_eq!((row.id, i), (id, next[row.type_id as usize]), "thread {}", row.type_id);
            next[row.type_id as usize] += 1;
        }
    }
}

#[test]
fn a_position_is_never_seen_ahead_of_one_that_it_follows() {
    for background in [false, true] {
        let (_, writer) = in_memory(WriterOptions { background, block_bytes: 4096, ..options() });
        let writing = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while writing.load(Ordering::Relaxed) {
                        let seen = writer.position().unwrap();
                        assert!(seen.durable <= seen.flushed && seen.flushed <= seen.appended, "{seen:?}");
                    }
                });
            }
            for i in 0..3000 {
                writer.append(1, &[0; 5000][..if i % 2 == 0 { 5000 } else { 10 }]).unwrap();
                if i % 10 == 0 {
                    writer.sync().unwrap();
                }
            }
            writing.store(false, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_writer_that_is_dropped_loses_nothing() {
    for background in [false, true] {
        let (directory, writer) = in_memory(WriterOptions { background, ..options() });
        (0..1000u64).for_each(|i| assert_eq!(writer.append(1, &i.to_le_bytes()).unwrap(), i + 1));
        drop(writer);
        assert_eq!(read_back(&directory).len(), 1000, "and the log is closed");
    }
}
