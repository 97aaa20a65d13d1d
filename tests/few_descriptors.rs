//! Few descriptors: a log of more segments than a process may have files open, and none left at all. The limit is that
//! of the whole process, so this is a program of its own, with one test.

mod common;

use std::time::Duration;

use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};
use common::*;

const DESCRIPTORS: u64 = 64;
const SEGMENTS: u64 = 300;

fn limit_descriptors() {
    let limit = libc::rlimit { rlim_cur: DESCRIPTORS, rlim_max: DESCRIPTORS };
    // SAFETY: a plain system call with a valid struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

/// A process that cannot have a watch checks periodically.
fn waiting_needs_no_descriptor(path: &std::path::Path) {
    let writer = Writer::open(path, WriterOptions::default()).unwrap();
    let mut cursor = Reader::open(path, ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap();
    let mut taken = vec![];
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    assert!(!cursor.wait(Duration::from_millis(30)).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            writer.append(1, b"one").unwrap();
            writer.flush().unwrap();
        });
        assert!(cursor.wait(Duration::from_secs(20)).unwrap());
    });
    assert_eq!(cursor.next().unwrap().unwrap().id, 1);
}

#[test]
fn a_log_of_more_segments_than_descriptors_is_read_followed_checked_and_recovered() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("log");
    let writer = Writer::open(&path, WriterOptions::default()).unwrap();
    for id in 1..=SEGMENTS {
        writer.append(1, &payload(50, id)).unwrap();
        if id < SEGMENTS {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    limit_descriptors();
    waiting_needs_no_descriptor(&scratch.path().join("other"));

    let open = |mode| Reader::open(&path, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let mut cursors = vec![];
    for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
        let reader = open(mode);
        assert_eq!(rows_of(&reader).len(), SEGMENTS as usize);
        assert_eq!(reader.segments().len(), SEGMENTS as usize);
        cursors.push(reader.cursor(&Filter::default()).unwrap());
    }
    let reader = open(ReaderMode::Prefix);
    assert_eq!(reader.counts().unwrap()[0].records, SEGMENTS);
    assert_eq!(reader.index().unwrap().len(), SEGMENTS as usize);
    let newest = Filter { newest_first: true, ..Filter::default() };
    assert_eq!(read(&reader, &newest, Way::Next).whole().len(), SEGMENTS as usize);
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in (1..=SEGMENTS).step_by(7) {
        assert_eq!(cursor.get(id).unwrap().unwrap().payload, payload(50, id));
    }
    let pattern = Reader::open(path.join("*.binlog"), ReaderOptions::default()).unwrap();
    assert_eq!(rows_of(&pattern).len(), SEGMENTS as usize);
    drop((cursors, cursor, reader, pattern));

    // One segment whose index is lost, and one that is damaged.
    let file = |id: u64| path.join(format!("default.{id:010}.binlog"));
    assert_eq!(binlog::recovery::rebuild_index(&path).unwrap(), Vec::<std::path::PathBuf>::new());
    let mut bytes = std::fs::read(file(100)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0xee);
    std::fs::write(file(100), bytes).unwrap();
    assert_eq!(read(&open(ReaderMode::Strict), &Filter::default(), Way::Next).end.unwrap_err().kind(), Kind::Corrupt);
    let recovery = binlog::recovery::recover_in_place(&path, ReaderOptions::default()).unwrap();
    assert_eq!(recovery.segments.len(), 1);
    let elsewhere = scratch.path().join("elsewhere");
    let recovery = binlog::recovery::recover(&path, &elsewhere, ReaderOptions::default()).unwrap();
    assert_eq!(recovery.segments.len(), SEGMENTS as usize);
    assert_rows(&rows_at(&elsewhere), &rows_at(&path), "what was recovered");
}
