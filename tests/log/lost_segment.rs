//! The file that is being written is removed, moved or replaced: the next sync or close reports at once which records
//! were lost with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::hooks::Hooks;
use binlog::rolling::RollOptions;
use binlog::{Kind, Lag, Position, ReaderMode, ReaderOptions, Writer, WriterOptions};

/// What happens to a file from outside.
type Deed = fn(&Path);

const DEEDS: [(&str, Deed); 4] = [
    ("removed", |file| fs::remove_file(file).unwrap()),
    ("moved", |file| fs::rename(file, file.with_extension("elsewhere")).unwrap()),
    ("replaced", |file| {
        fs::copy(file, file.with_extension("copy")).unwrap();
        fs::rename(file.with_extension("copy"), file).unwrap();
    }),
    ("a directory has its name", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
];

/// The writer of one file, or of a directory, with or without a background thread.
struct Case {
    _scratch: tempfile::TempDir,
    writer: Writer,
    file: PathBuf,
    what: String,
    reports: Arc<Mutex<Vec<String>>>,
    rolls: bool,
}

fn cases(options: &WriterOptions) -> impl Iterator<Item = (Case, Deed)> + '_ {
    let kinds = [(true, false), (true, true), (false, false), (false, true)];
    kinds.into_iter().flat_map(move |(rolls, background)| {
        DEEDS.into_iter().map(move |(name, deed)| {
            let scratch = tempfile::tempdir().unwrap();
            let reports = Arc::new(Mutex::new(vec![]));
            let failures = reports.clone();
            let hooks = Hooks {
                on_failure: Some(Arc::new(move |error| failures.lock().unwrap().push(error.to_string()))),
                ..Hooks::default()
            };
            let options = WriterOptions { background, hooks, ..options.clone() };
            let (writer, file) = match rolls {
                true => {
                    (Writer::open(scratch.path(), options).unwrap(), scratch.path().join("default.0000000001.binlog"))
                }
                false => {
                    let file = scratch.path().join("log.binlog");
                    (Writer::open_file(&file, options).unwrap(), file)
                }
            };
            let what = format!("{name}, {}, background: {background}", if rolls { "directory" } else { "file" });
            (Case { _scratch: scratch, writer, file, what, reports, rolls }, deed)
        })
    })
}

fn append(writer: &Writer, records: u64) {
    for id in 0..records {
        writer.append(1, &payload(100, id)).unwrap();
    }
}

impl Case {
    fn assert_error(&self, result: binlog::Result<()>, records: &str) {
        let error = result.expect_err(&self.what);
        assert_eq!(error.kind(), Kind::NotFound, "{}: {error}", self.what);
        assert!(error.to_string().contains(records), "{}: {error}", self.what);
        assert_eq!(error.path(), Some(&*self.file), "{}", self.what);
    }

    fn position(&self) -> Position {
        self.writer.position().unwrap()
    }
}

#[test]
fn a_sync_says_which_records_went_with_the_file_and_later_ones_are_in_a_new_segment() {
    for (case, deed) in cases(&WriterOptions::default()) {
        append(&case.writer, 5);
        case.writer.sync().unwrap();
        append(&case.writer, 5);
        deed(&case.file);
        case.assert_error(case.writer.sync(), "the records 1 to 10 in it are lost");
        assert_eq!(case.position().durable, 5, "{}", case.what);
        append(&case.writer, 2);
        if !case.rolls {
            case.assert_error(case.writer.sync(), "the records 1 to 12 in it are lost");
            assert_eq!(case.position().durable, 5, "{}", case.what);
            continue;
        }
        case.writer.sync().unwrap_or_else(|e| panic!("{}: {e}", case.what));
        assert_eq!(case.position().durable, 12, "{}", case.what);
        let new = case.file.with_file_name("default.0000000002.binlog");
        let ids: Vec<u64> = rows_at(&new).iter().map(|row| row.id).collect();
        assert_eq!(ids, [11, 12], "{}", case.what);
        case.writer.close().unwrap();
        assert_eq!(case.reports.lock().unwrap().len(), 1, "{}: {:?}", case.what, case.reports);
    }
}

#[test]
fn a_sync_with_nothing_to_sync_says_it_too() {
    for (case, deed) in cases(&WriterOptions::default()) {
        append(&case.writer, 5);
        case.writer.sync().unwrap();
        deed(&case.file);
        case.assert_error(case.writer.sync(), "the records 1 to 5 in it are lost");
    }
}

#[test]
fn a_close_says_which_records_went_with_the_file_and_no_id_is_given_twice() {
    for (case, deed) in cases(&WriterOptions::default()) {
        append(&case.writer, 10);
        case.writer.flush().unwrap();
        deed(&case.file);
        let Case { writer, file, what, rolls, _scratch, .. } = case;
        let error = writer.close().expect_err(&what);
        assert!(error.kind() == Kind::NotFound && error.reason().contains("the records 1 to 10"), "{what}: {error}");
        if rolls && file.exists() {
            // Otherwise two files claim to be segment 1.
            fs::remove_file(&file).or_else(|_| fs::remove_dir(&file)).unwrap();
        }
        if rolls {
            let again = Writer::open(file.parent().unwrap(), WriterOptions::default()).unwrap();
            assert_eq!(again.append(1, b"next").unwrap(), 11, "{what}");
        }
    }
}

#[test]
fn a_policy_that_syncs_says_it_with_the_id_of_the_record() {
    let sync = Lag { records: Some(1), ..Lag::default() };
    for (case, deed) in cases(&WriterOptions { sync, ..WriterOptions::default() }) {
        append(&case.writer, 2);
        deed(&case.file);
        let error = case.writer.append(1, b"third").expect_err(&case.what);
        assert_eq!((error.kind(), error.record_id()), (Kind::NotFound, Some(3)), "{}: {error}", case.what);
        assert_eq!(case.writer.append(1, b"fourth").is_ok(), case.rolls, "{}", case.what);
    }
}

#[test]
fn each_thread_that_waited_for_the_sync_gets_the_error() {
    for _ in 0..20 {
        let scratch = tempfile::tempdir().unwrap();
        let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
        append(&writer, 1);
        writer.sync().unwrap();
        fs::remove_file(scratch.path().join("default.0000000001.binlog")).unwrap();
        let all_appended = std::sync::Barrier::new(4);
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let id = writer.append(1, b"lost").unwrap();
                        writer.flush().unwrap();
                        all_appended.wait();
                        (id, writer.sync())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(results.iter().all(|(_, result)| result.is_err()), "{results:?}");
    }
}

#[test]
fn a_segment_that_was_rolled_away_from_and_removed_before_its_sync_is_reported_too() {
    let scratch = tempfile::tempdir().unwrap();
    let roll = RollOptions { records: Some(3), ..RollOptions::default() };
    let directory = Arc::new(binlog::io::RealDirectory::open(scratch.path()).unwrap());
    let mut interposed = Interposed::around(directory);
    let (path, fired) = (scratch.path().to_owned(), Arc::new(Mutex::new(0)));
    // While the first segment is being synced, which has been closed before.
    interposed.on_sync = Some(Arc::new(move |name| {
        if name == "default.0000000001.binlog" && path.join("default.0000000002.binlog").exists() {
            *fired.lock().unwrap() += 1;
            let _ = fs::remove_file(path.join(name));
        }
    }));
    let writer = Writer::open(Arc::new(interposed), WriterOptions { roll, ..WriterOptions::default() }).unwrap();
    append(&writer, 5);
    let error = writer.sync().unwrap_err();
    assert!(error.kind() == Kind::NotFound && error.reason().contains("the records 1 to 3"), "{error}");
    append(&writer, 1);
    writer.sync().unwrap();
    assert_eq!(writer.position().unwrap().durable, 6);
}

#[test]
fn a_segment_that_a_hook_moves_away_is_no_loss() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("moved");
    fs::create_dir(&place).unwrap();
    let to = place.clone();
    let mover: binlog::hooks::Hook = Arc::new(move |file: &binlog::hooks::SegmentFile| {
        let target = to.join(file.path.file_name().unwrap());
        fs::rename(&file.path, &target).unwrap();
        Ok(Some(target))
    });
    for background in [false, true] {
        let hooks = Hooks { on_close: vec![mover.clone()], ..Hooks::default() };
        let roll = RollOptions { records: Some(10), ..RollOptions::default() };
        let options = WriterOptions { background, hooks, roll, ..WriterOptions::default() };
        let writer = Writer::open(scratch.path().join("log"), options).unwrap();
        for _ in 0..10 {
            append(&writer, 7);
            writer.sync().unwrap();
        }
        writer.close().unwrap();
    }
    let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    assert!(binlog::Reader::open(&place, options).is_ok());
}

#[test]
fn a_log_behind_a_symbolic_link_is_where_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let (real, link) = (scratch.path().join("real"), scratch.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let writer = Writer::open(&link, WriterOptions::default()).unwrap();
    append(&writer, 1);
    writer.sync().unwrap();
    writer.close().unwrap();
}

/// No new segment can be begun either, and a call that waits for the records reports both.
#[test]
fn a_call_that_waits_for_records_in_a_directory_that_was_moved_reports_which_are_lost() {
    type Wait = fn(binlog::Writer) -> binlog::Result<()>;
    let waits: [(&str, Wait); 3] =
        [("sync", |writer| writer.sync()), ("roll", |writer| writer.roll()), ("close", |writer| writer.close())];
    for (what, wait) in waits {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("log");
        let writer = binlog::Writer::open(&log, binlog::WriterOptions::default()).unwrap();
        writer.append(1, b"flushed").unwrap();
        writer.flush().unwrap();
        writer.append(1, b"in memory").unwrap();
        std::fs::rename(&log, home.path().join("moved")).unwrap();
        writer.append(1, b"behind").unwrap();
        let error = wait(writer).unwrap_err();
        assert_eq!(error.kind(), binlog::Kind::NotFound, "{what}: {error}");
        assert!(error.reason().contains("the records 1 to 3 in it are lost"), "{what}: {error}");
    }
}
