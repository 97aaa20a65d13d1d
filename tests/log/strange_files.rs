//! What others may put in the place of a log's files: links, FIFOs, sockets, foreign files. Nothing is written through
//! a link or over a foreign file, no call waits for a FIFO, and the message says what is there.
#![cfg(unix)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use binlog::compression::{compress, CompressOptions};
use binlog::recovery::{recover, recover_in_place};
use binlog::{Error, Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

/// Runs `work` in a thread of its own, and fails when it waits for something.
fn without_waiting<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    done.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("{what} waits"))
}

fn fifo(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a NUL-terminated path.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
}

fn segment(sequence: u64) -> String {
    format!("default.{sequence:010}.binlog")
}

/// A log of three segments with one record each.
fn three(log: &Path) {
    let writer = Writer::open(log, WriterOptions::default()).unwrap();
    for id in 1..=3 {
        writer.append(1, &[id; 100]).unwrap();
        if id < 3 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn open(path: &Path) -> Result<(), Error> {
    let path = path.to_owned();
    without_waiting("opening a writer", move || {
        let writer = match path.is_dir() {
            true => Writer::open(&path, WriterOptions::default()),
            false => Writer::open_file(&path, WriterOptions::default()),
        }?;
        writer.append(1, b"x")?;
        writer.close()
    })
}

/// The ids that are shown, and the error that ended the reading, if any.
fn read(path: &Path, mode: ReaderMode) -> (Vec<u64>, Option<Error>) {
    let path = path.to_owned();
    without_waiting("reading", move || {
        let mut ids = vec![];
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        let read = Reader::open(&path, options).and_then(|reader| {
            let mut cursor = reader.cursor(&Filter::default())?;
            while let Some(record) = cursor.next()? {
                ids.push(record.id);
            }
            Ok(())
        });
        (ids, read.err())
    })
}

fn assert_reports(error: Option<Error>, path: &Path, what: &str) {
    let error = error.unwrap_or_else(|| panic!("{what} at {} is refused", path.display()));
    assert!(error.to_string().contains(what), "{what}: {error}");
    assert_eq!(error.path(), Some(path), "{error}");
}

type Put = fn(&Path);

/// Puts something that is no file at a path.
fn no_files() -> [(&'static str, Put); 3] {
    let socket: Put = |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    [("FIFO", fifo), ("socket", socket), ("directory", |path| std::fs::create_dir(path).unwrap())]
}

#[test]
fn a_fifo_in_the_place_of_a_segment_is_reported_without_a_wait() {
    for (what, put) in no_files() {
        let scratch = tempfile::tempdir().unwrap();
        let log = scratch.path();
        three(log);
        let path = log.join(segment(2));
        std::fs::remove_file(&path).unwrap();
        put(&path);
        let (ids, error) = read(log, ReaderMode::Prefix);
        assert_eq!(ids, [1], "{what}: what is before it");
        assert_reports(error, &path, what);
        assert_eq!(read(log, ReaderMode::Salvage).0, [1, 3], "{what}");
        open(log).expect("the last segment is as it was");
        std::fs::remove_file(log.join(segment(3))).unwrap();
        put(&log.join(segment(3)));
        assert_reports(open(log).err(), &log.join(segment(3)), what);
    }
}

#[test]
fn a_fifo_is_no_log_of_one_file() {
    for (what, put) in no_files().into_iter().take(2) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log.binlog");
        put(&path);
        assert_reports(open(&path).err(), &path, what);
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            assert_reports(read(&path, mode).1, &path, what);
        }
        let at = path.clone();
        let error = without_waiting("recover", move || recover_in_place(&at, ReaderOptions::default())).err();
        assert_reports(error, &path, what);
    }
}

#[test]
fn a_lock_file_is_a_file_of_ours_or_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let precious = scratch.path().join("precious");
    let log = scratch.path().join("log");
    std::fs::create_dir(&log).unwrap();
    let lock = log.join("default.lock");
    let link: Put = |path| symlink(path.parent().unwrap().with_file_name("precious"), path).unwrap();
    let hard: Put = |path| std::fs::hard_link(path.parent().unwrap().with_file_name("precious"), path).unwrap();
    for (what, put) in no_files().into_iter().chain([("symbolic link", link), ("no lock file", hard)]) {
        std::fs::write(&precious, "foreign\n").unwrap();
        put(&lock);
        match what {
            "directory" => assert_eq!(open(&log).unwrap_err().path(), Some(lock.as_path())),
            _ => assert_reports(open(&log).err(), &lock, what),
        }
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "foreign\n", "{what}");
        if std::fs::remove_file(&lock).is_err() {
            std::fs::remove_dir(&lock).unwrap();
        }
    }
    for ours in ["", "4711\n", "4711\nleft 000102030405060708090a0b0c0d0e0f 7 701\n", "\0\0\0"] {
        std::fs::write(&lock, ours).unwrap();
        open(&log).unwrap_or_else(|e| panic!("{ours:?}: {e}"));
        std::fs::remove_dir_all(&log).unwrap();
        std::fs::create_dir(&log).unwrap();
    }
}

/// Puts a link to a foreign file where a file is about to be made.
fn tempt(precious: &Path, at: &Path) {
    std::fs::write(precious, "foreign\n").unwrap();
    symlink(precious, at).unwrap();
}

fn assert_kept(precious: &Path) {
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "foreign\n");
}

#[test]
fn what_a_crash_has_torn_is_never_kept_through_a_link() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, precious) = (scratch.path().join("log"), scratch.path().join("precious"));
    let writer = Writer::open(&log, WriterOptions::default()).unwrap();
    writer.append(1, b"x").unwrap();
    writer.flush().unwrap();
    let path = log.join(segment(1));
    let mut torn = std::fs::read(&path).unwrap();
    let end = torn.len();
    let noted = std::fs::read(log.join("default.lock")).unwrap();
    writer.close().unwrap();
    // As a kill leaves it.
    torn.extend([7; 100]);
    std::fs::write(&path, &torn).unwrap();
    std::fs::write(log.join("default.lock"), noted).unwrap();
    let named = |ending: &str| PathBuf::from(format!("{}.torn-{end}{ending}", path.display()));
    tempt(&precious, &named(".part"));
    // An existing entry with that name that is no file stays.
    fifo(&named(""));
    open(&log).unwrap();
    assert_kept(&precious);
    assert_eq!(std::fs::read(named(".2")).unwrap(), [7; 100]);
    assert!(!named(".part").exists());
}

#[test]
fn a_compressed_segment_is_never_written_through_a_link_or_over_another_s_file() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, precious) = (scratch.path().join("log"), scratch.path().join("precious"));
    three(&log);
    let part = log.join(format!(".{}.part", "default.0000000001.z.binlog"));
    std::fs::write(&precious, "foreign\n").unwrap();
    std::fs::hard_link(&precious, &part).unwrap();
    // A single segment is named: for a directory, leftovers are swept first.
    let options = CompressOptions { keep_source: true, ..CompressOptions::default() };
    compress(log.join(segment(1)), &options).unwrap();
    assert_kept(&precious);
    std::fs::hard_link(&precious, &part).unwrap();
    let other = log.join(format!(".{}.part", "default.0000000002.z.binlog"));
    fifo(&other);
    let at = log.clone();
    let made = without_waiting("compressing", move || compress(&at, &CompressOptions::default()));
    assert_kept(&precious);
    assert!(made.is_err_and(|e| e.to_string().contains("FIFO")), "what is in the way is named");
    std::fs::remove_file(&other).unwrap();
    tempt(&precious, &other);
    let error = compress(&log, &CompressOptions::default()).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_kept(&precious);
    std::fs::remove_file(&other).unwrap();
    compress(&log, &CompressOptions::default()).unwrap();
    assert_eq!(read(&log, ReaderMode::Strict).0, [1, 2, 3]);
}

#[test]
fn a_recovery_writes_to_files_that_it_has_made_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, precious) = (scratch.path().join("log"), scratch.path().join("precious"));
    three(&log);
    let path = log.join(segment(2));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    tempt(&precious, &log.join(format!("{}.recovering", segment(2))));
    symlink("nothing", log.join(format!("{}.damaged", segment(2)))).unwrap();
    recover_in_place(&log, ReaderOptions::default()).unwrap();
    assert_kept(&precious);
    let target = scratch.path().join("target");
    std::fs::create_dir(&target).unwrap();
    symlink(&precious, target.join(binlog::recovery::RECOVERY_AT_WORK)).unwrap();
    assert_eq!(recover(&log, &target, ReaderOptions::default()).unwrap_err().kind(), Kind::Invalid);
    assert_kept(&precious);
}

#[test]
fn a_segment_behind_a_link_is_read_and_never_written() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, moved) = (scratch.path().join("log"), scratch.path().join("moved"));
    three(&log);
    std::fs::rename(log.join(segment(3)), &moved).unwrap();
    symlink(&moved, log.join(segment(3))).unwrap();
    let before = std::fs::read(&moved).unwrap();
    assert_eq!(read(&log, ReaderMode::Strict).0, [1, 2, 3]);
    assert_reports(open(&log).err(), &log.join(segment(3)), "symbolic link");
    assert_reports(binlog::recovery::rebuild_index(&log).err(), &log.join(segment(3)), "symbolic link");
    assert_reports(recover_in_place(&log, ReaderOptions::default()).err(), &log.join(segment(3)), "symbolic link");
    assert_eq!(std::fs::read(&moved).unwrap(), before);
}

/// A symbolic link to a segment is read as the segment that it leads to, the last one too.
#[test]
fn a_log_whose_segments_are_links_is_read_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let (log, far) = (home.path().join("log"), home.path().join("far"));
    three(&log);
    std::fs::create_dir(&far).unwrap();
    for sequence in 1..=3 {
        std::fs::rename(log.join(segment(sequence)), far.join(segment(sequence))).unwrap();
        symlink(far.join(segment(sequence)), log.join(segment(sequence))).unwrap();
    }
    for path in [log.clone(), log.join(segment(3))] {
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let reader = Reader::open(&path, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            let mut shown = 0;
            while cursor.next().unwrap().is_some() {
                shown += 1;
            }
            assert_eq!(shown, if path == log { 3 } else { 1 }, "{mode:?}");
        }
    }
    // Another file in its place is noticed through the link, too.
    let reader = Reader::open(&log, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    while cursor.next().unwrap().is_some() {}
    std::fs::copy(far.join(segment(3)), far.join("other")).unwrap();
    std::fs::remove_file(log.join(segment(3))).unwrap();
    symlink(far.join("other"), log.join(segment(3))).unwrap();
    assert_eq!(cursor.next().unwrap_err().kind(), Kind::Mismatch);
}

/// What was appended to a damaged segment after it was copied is only in the segment, not in the copy.
#[test]
fn a_record_behind_damage_is_shown_although_an_earlier_copy_is_whole() {
    for name in ["xdefault.0000000001.binlog", "backup.binlog", "default.0000000001 (copy).binlog"] {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("log");
        let options = || WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open(&log, options()).unwrap();
        for id in 1..=200u64 {
            writer.append(1, &id.to_le_bytes().repeat(20)).unwrap();
            if id.is_multiple_of(10) {
                writer.flush().unwrap();
            }
        }
        writer.close().unwrap();
        let file = log.join(segment(1));
        std::fs::copy(&file, log.join(name)).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(8).position(|eight| eight == 55u64.to_le_bytes()).unwrap();
        bytes[at + 20] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let Ok(writer) = Writer::open(&log, options()) else { continue };
        let new = writer.append(1, b"new").unwrap();
        writer.close().unwrap();
        let options = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
        let reader = Reader::open(&log, options).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        let mut shown = vec![];
        while let Some(record) = cursor.next().unwrap() {
            shown.push(record.id);
        }
        assert!(shown.contains(&new), "{name}: {shown:?}");
        let target = home.path().join("recovered");
        recover(&log, &target, ReaderOptions::default()).unwrap();
        let reader = Reader::open(&target, ReaderOptions::default()).unwrap();
        let mut cursor = reader.cursor(&Filter { from_id: Some(new), ..Filter::default() }).unwrap();
        assert_eq!(cursor.next().unwrap().map(|record| record.id), Some(new), "{name}");
    }
}
