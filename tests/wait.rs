//! A cursor that waits is woken when there is something to show, and not before.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use binlog::io::MemoryDirectory;
use binlog::{event, Cursor, Filter, Kind, Lag, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};
use common::interposed::Interposed;
use common::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn options() -> WriterOptions {
    WriterOptions { flush: Lag { records: Some(1), ..Lag::default() }, ..WriterOptions::default() }
}

fn cursor_at(path: impl AsRef<Path>) -> Cursor {
    Reader::open(path, ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap()
}

/// How long the cursor waited for something to show, with the longest patience.
fn woken(cursor: &mut Cursor) -> Duration {
    let began = Instant::now();
    assert!(cursor.wait(LONG).unwrap(), "nothing came");
    began.elapsed()
}

fn nothing_comes(cursor: &mut Cursor) {
    let began = Instant::now();
    assert!(!cursor.wait(SHORT).unwrap());
    assert!(began.elapsed() >= SHORT);
    assert!(!cursor.wait(Duration::ZERO).unwrap());
}

fn ids(cursor: &mut Cursor) -> Vec<u64> {
    drain(cursor, Way::Batch(3)).whole().iter().map(|row| row.id).collect()
}

#[test]
fn waiting_ends_when_a_record_is_written_and_takes_none_away() {
    let scratch = tempfile::tempdir().unwrap();
    let single = scratch.path().join("one.binlog");
    let memory = MemoryDirectory::new();
    for case in ["directory", "file", "pattern", "memory"] {
        let path = scratch.path().join("log");
        let writer = match case {
            "file" => Writer::open_file(&single, options()).unwrap(),
            "memory" => Writer::open_in(Arc::new(memory.clone()), options()).unwrap(),
            _ => Writer::open(path.join(case), options()).unwrap(),
        };
        let mut cursor = match case {
            "file" => cursor_at(&single),
            "memory" => {
                let reader = Reader::open_in(Arc::new(memory.clone()), ReaderOptions::default()).unwrap();
                reader.cursor(&Filter::default()).unwrap()
            }
            "pattern" => cursor_at(path.join(case).join("*.binlog")),
            _ => cursor_at(path.join(case)),
        };
        nothing_comes(&mut cursor);
        std::thread::scope(|scope| {
            let written = scope.spawn(|| {
                std::thread::sleep(SHORT);
                writer.append(1, b"first").unwrap();
            });
            let took = woken(&mut cursor);
            written.join().unwrap();
            assert!(took < LONG / 4, "{case}: {took:?}");
        });
        assert!(cursor.wait(Duration::ZERO).unwrap() && cursor.wait(LONG).unwrap());
        assert_eq!(ids(&mut cursor), [1], "{case}");
        nothing_comes(&mut cursor);
        writer.append(1, b"second").unwrap();
        writer.append(1, b"third").unwrap();
        assert!(cursor.wait(Duration::ZERO).unwrap());
        assert_eq!(cursor.next().unwrap().unwrap().id, 2);
        assert!(cursor.wait(Duration::ZERO).unwrap());
        assert_eq!(ids(&mut cursor), [3]);
        writer.close().unwrap();
        nothing_comes(&mut cursor);
        assert_eq!(cursor.tail().state, TailState::Closed);
    }
}

#[test]
fn nothing_written_between_the_look_and_the_waiting_is_missed() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursor = cursor_at(scratch.path());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in 1..=2000u64 {
                writer.append(1, &id.to_le_bytes()).unwrap();
                if id % 100 == 0 {
                    writer.roll().unwrap();
                }
                if id % 7 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        let (mut next, began) = (1, Instant::now());
        while next <= 2000 {
            woken(&mut cursor);
            while let Some(record) = cursor.next().unwrap() {
                assert_eq!(record.id, next);
                next += 1;
            }
        }
        // Were a wake-up missed, the cursor would sleep for a second.
        assert!(began.elapsed() < Duration::from_secs(15));
    });
}

#[test]
fn what_is_written_while_the_watch_is_being_armed_is_shown_without_waiting() {
    use binlog::io::{Directory, Watch};
    /// Nothing ever comes.
    struct Asleep(Arc<AtomicU64>);
    impl Watch for Asleep {
        fn wait(&mut self, _timeout: Duration) -> std::io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
    let memory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let writer = Writer::open_in(memory.clone(), options()).unwrap();
    let waits = Arc::new(AtomicU64::new(0));
    let counted = waits.clone();
    let on_watch = move || -> Box<dyn Watch> {
        writer.append(1, b"just now").unwrap();
        Box::new(Asleep(counted.clone()))
    };
    let directory = Interposed { on_watch: Some(Arc::new(on_watch)), ..Interposed::around(memory) };
    let reader = Reader::open_in(Arc::new(directory), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    assert!(cursor.wait(LONG).unwrap());
    assert_eq!(cursor.next().unwrap().unwrap().id, 1);
    assert_eq!(waits.load(Ordering::Relaxed), 0);
}

#[test]
fn waiting_goes_on_over_a_roll_a_close_and_a_writer_that_begins_anew() {
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursor = cursor_at(scratch.path());
    for id in 1..=8 {
        match id % 4 {
            0 => {
                writer.close().unwrap();
                nothing_comes(&mut cursor);
                writer = Writer::open(scratch.path(), options()).unwrap();
            }
            2 => writer.roll().unwrap(),
            _ => (),
        }
        nothing_comes(&mut cursor);
        let took = std::thread::scope(|scope| {
            let writer = &writer;
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(5));
                writer.append(1, b"more").unwrap();
            });
            woken(&mut cursor)
        });
        assert!(took < LONG / 4, "{id}: {took:?}");
        assert_eq!(ids(&mut cursor), [id]);
    }
}

#[test]
fn a_filter_is_waited_for_and_events_when_they_are_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), options()).unwrap();
    writer.append(1, b"one").unwrap();
    let reader = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
    let mut twos = reader.cursor(&Filter { types: vec![2], ..Filter::default() }).unwrap();
    let mut events = reader.cursor(&Filter { types: vec![event::TYPE], events: true, ..Filter::default() }).unwrap();
    nothing_comes(&mut twos);
    nothing_comes(&mut events);
    writer.type_id("job", "").unwrap();
    writer.append(1, b"one").unwrap();
    nothing_comes(&mut twos);
    assert!(woken(&mut events) < LONG / 4);
    writer.append(2, b"two").unwrap();
    assert!(woken(&mut twos) < LONG / 4);
    assert_eq!(ids(&mut twos), [3]);
    let newest = Filter { newest_first: true, ..Filter::default() };
    let mut backward = reader.cursor(&newest).unwrap();
    assert!(backward.wait(Duration::ZERO).unwrap());
    assert_eq!(ids(&mut backward), [3, 2, 1]);
    nothing_comes(&mut backward);
}

#[test]
fn a_salvaging_cursor_waits_and_damage_ends_the_waiting() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open_in(Arc::new(directory.clone()), options()).unwrap();
    writer.append(1, b"one").unwrap();
    let open = |mode| {
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        Reader::open_in(Arc::new(directory.clone()), options).unwrap().cursor(&Filter::default()).unwrap()
    };
    let mut salvaging = open(ReaderMode::Salvage);
    assert_eq!(ids(&mut salvaging), [1]);
    nothing_comes(&mut salvaging);
    writer.append(1, b"two").unwrap();
    assert!(salvaging.wait(LONG).unwrap());
    assert_eq!(ids(&mut salvaging), [2]);
    writer.close().unwrap();
    let name = "default.0000000001.binlog";
    let mut bytes = directory.contents(name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].fill(0xee);
    directory.set_contents(name, bytes);
    let mut cursor = open(ReaderMode::Prefix);
    let failed = loop {
        match cursor.wait(Duration::ZERO) {
            Ok(true) => drop(cursor.next().map(|_| ())),
            other => break other,
        }
    };
    assert_eq!(failed.unwrap_err().kind(), Kind::Corrupt);
}

/// Not a test: the writer that another one kills.
#[test]
#[ignore = "is started by the test of a killed writer"]
fn write_until_killed() {
    let Ok(path) = std::env::var("BINLOG_WAIT_PATH") else { return };
    let writer = Writer::open(path, options()).unwrap();
    loop {
        let id = writer.append(1, b"from a child").unwrap();
        if id.is_multiple_of(50) {
            writer.roll().unwrap();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_writer_that_is_killed_and_started_again_in_another_process_is_followed() {
    let scratch = tempfile::tempdir().unwrap();
    Writer::open(scratch.path(), options()).unwrap().close().unwrap();
    let mut cursor = cursor_at(scratch.path());
    let mut next = 1;
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_until_killed", "--ignored"])
            .env("BINLOG_WAIT_PATH", scratch.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let target = round * 120;
        while next < target {
            assert!(woken(&mut cursor) < LONG / 2);
            while let Some(record) = cursor.next().unwrap() {
                assert_eq!(record.id, next);
                next += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while cursor.wait(SHORT).unwrap() {
            let record = cursor.next().unwrap().unwrap();
            assert_eq!(record.id, next);
            next += 1;
        }
    }
}
