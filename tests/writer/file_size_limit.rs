//! The process's limit for the size of files (`ulimit -f`): a full disk like any other, never a signal.

use std::io::IoSlice;
use std::path::Path;
use std::process::Command;

use crate::common::full_name;
use binlog::io::{Access, Directory, RealDirectory};
use binlog::{FullDisk, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const LIMIT: u64 = 300 << 10;
/// Makes the program the child: the path of its log.
const LOG: &str = "BINLOG_TEST_LIMITED_LOG";

/// Runs the test `name` of this program in a child with that limit and with default signal handlers.
fn in_child(name: &str, limit: u64, log: &Path) {
    let program = std::env::current_exe().unwrap();
    // POSIX counts blocks of 512 bytes.
    let script = format!("ulimit -c 0; ulimit -f {}; exec \"$0\" \"$@\"", limit / 512);
    let mut child = Command::new("sh");
    child
        .args(["-c", &script])
        .arg(program)
        .args(["--exact", &full_name(module_path!(), name), "--nocapture"])
        .env(LOG, log);
    let ran = child.output().unwrap();
    let is_run = String::from_utf8_lossy(&ran.stdout).contains("1 passed");
    assert!(ran.status.success() && is_run, "{}:\n{}", ran.status, String::from_utf8_lossy(&ran.stderr));
}

/// File systems differ in what raises the signal: tmpfs does it for preallocation, too.
fn scratches() -> Vec<tempfile::TempDir> {
    let mut scratches = vec![tempfile::tempdir().unwrap()];
    scratches.extend(tempfile::tempdir_in("/dev/shm").ok());
    scratches
}

fn ids(log: &Path, mode: ReaderMode) -> Vec<u64> {
    let reader = Reader::open(log, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let mut cursor = reader.cursor(&Default::default()).unwrap();
    let mut ids = vec![];
    while cursor.next_batch(usize::MAX, |record| ids.push(record.id)).unwrap() > 0 {}
    assert_eq!(cursor.tail().unread_bytes, 0, "the file ends with a whole block");
    ids
}

#[test]
fn a_file_at_the_size_limit_is_a_full_disk_and_raises_no_signal() {
    if let Some(log) = std::env::var_os(LOG) {
        return write_to_the_limit(Path::new(&log));
    }
    for scratch in scratches() {
        for policy in ["fail", "drop", "wait"] {
            for background in ["own", "background"] {
                let log = scratch.path().join(format!("{policy}-{background}"));
                in_child("a_file_at_the_size_limit_is_a_full_disk_and_raises_no_signal", LIMIT, &log);
                let size = std::fs::metadata(log.join("default.0000000001.binlog")).unwrap().len();
                assert!(size > LIMIT / 2 && size <= LIMIT, "{size} bytes");
                // Without the limit the log continues.
                let before = ids(&log, ReaderMode::Prefix);
                assert_eq!(before, (1..=before.len() as u64).collect::<Vec<_>>());
                let writer = Writer::open(&log, WriterOptions::default()).unwrap();
                writer.append(1, &[1; 100_000]).unwrap();
                writer.append(1, &[1; 400_000]).unwrap();
                writer.close().unwrap();
                assert_eq!(ids(&log, ReaderMode::Strict).len(), before.len() + 2);
            }
        }
    }
}

fn write_to_the_limit(log: &Path) {
    let name = log.file_name().unwrap().to_str().unwrap();
    let full_disk = match name {
        name if name.starts_with("fail") => FullDisk::Fail,
        name if name.starts_with("drop") => FullDisk::Drop,
        _ => FullDisk::Wait(Some(std::time::Duration::from_millis(150))),
    };
    let background = name.ends_with("background");
    let options = WriterOptions { full_disk, background, block_bytes: 64 << 10, ..WriterOptions::default() };
    let writer = Writer::open(log, options).unwrap();
    let mut taken = 0;
    let met = loop {
        match writer.append(1, &[7; 1000]) {
            Ok(id) if id > 0 => taken = id,
            met => break met,
        }
        assert!(taken < 100_000, "the limit holds");
    };
    match (full_disk, met) {
        (FullDisk::Drop, met) => assert_eq!((met.unwrap(), writer.dropped()), (0, 1)),
        (_, met) => assert_eq!(met.unwrap_err().os_code(), Some(libc::EFBIG)),
    }
    let error = writer.flush().unwrap_err();
    assert_eq!((error.kind(), error.os_code()), (Kind::NoSpace, Some(libc::EFBIG)), "{error}");
    assert_eq!(writer.sync().unwrap_err().kind(), Kind::NoSpace);
    assert_eq!(writer.close().unwrap_err().kind(), Kind::NoSpace);
    assert!(taken > 0);
}

#[test]
fn a_limit_of_nothing_is_an_error_of_the_open() {
    if let Some(log) = std::env::var_os(LOG) {
        assert_eq!(Writer::open(Path::new(&log), WriterOptions::default()).err().unwrap().kind(), Kind::NoSpace);
        return;
    }
    for scratch in scratches() {
        in_child("a_limit_of_nothing_is_an_error_of_the_open", 0, &scratch.path().join("log"));
    }
}

#[test]
fn a_file_is_not_made_longer_than_the_limit_and_may_be_cut() {
    const NAME: &str = "a_file_is_not_made_longer_than_the_limit_and_may_be_cut";
    if let Some(log) = std::env::var_os(LOG) {
        let directory = RealDirectory::open_or_create(Path::new(&log)).unwrap();
        let file = directory.open("longer", Access::ReadWrite).unwrap();
        let refused = |result: std::io::Result<()>| assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EFBIG));
        refused(file.set_len(3 * LIMIT));
        refused(file.allocate(LIMIT - 10, 11));
        refused(file.write_at(&[IoSlice::new(b"x")], LIMIT).map(drop));
        // It was longer before, and remains so.
        file.set_len(2 * LIMIT).unwrap();
        file.set_len(LIMIT + 1).unwrap();
        file.set_len(5).unwrap();
        file.set_len(LIMIT).unwrap();
        assert_eq!(file.write_at(&[IoSlice::new(&[1; 100])], LIMIT - 10).unwrap(), 10, "cut short at the limit");
        return;
    }
    for scratch in scratches() {
        std::fs::write(scratch.path().join("longer"), vec![0; 2 * LIMIT as usize]).unwrap();
        in_child(NAME, LIMIT, scratch.path());
    }
}
