//! Several logs in one directory: each is judged by itself.

use std::fs;
use std::path::Path;

use crate::common::{binlog, binlog_with};
use binlog::{Filter, Kind, ReaderMode, ReaderOptions};
use tempfile::{tempdir, TempDir};

/// Two logs of three segments, with 20 records in each.
fn two_logs() -> TempDir {
    let home = tempdir().unwrap();
    let input: String = (1..=60).map(|i| format!("{i}\n")).collect();
    for name in ["one", "two"] {
        binlog_with(home.path(), &["append", "-q", "--records", "20", "--name", name, "log"], input.as_bytes()).ok();
    }
    home
}

const LAST_OF_THE_FIRST: &str = "log/one.0000000003.binlog";

/// How many records the command prints, and what it reports; it must exit with this status.
fn printed(home: &Path, args: &[&str], code: i32) -> (usize, String) {
    let ran = binlog(home, args).exits(code);
    (ran.text().lines().count(), ran.err.clone())
}

/// What a reader that reports only errors shows, and the error.
fn read(home: &Path, mode: ReaderMode, newest_first: bool) -> (u64, Option<Kind>) {
    let reader = binlog::Reader::open(home.join("log"), ReaderOptions { mode, ..Default::default() }).unwrap();
    let mut cursor = reader.cursor(&Filter { newest_first, ..Filter::default() }).unwrap();
    let mut shown = 0;
    loop {
        match cursor.next() {
            Ok(Some(_)) => shown += 1,
            Ok(None) => return (shown, None),
            Err(error) => return (shown, Some(error.kind())),
        }
    }
}

fn assert_recovers(home: &Path) {
    binlog(home, &["verify", "log"]).exits(3);
    binlog(home, &["recover", "log", "saved"]).exits(3);
    binlog(home, &["recover", "--in-place", "log"]).exits(3);
    for log in ["log", "saved"] {
        binlog(home, &["verify", log]).ok();
        assert_eq!(printed(home, &["cat", log], 0), (100, String::new()), "{log}");
        binlog_with(home, &["append", "-q", "--name", "one", log], b"more\n").ok();
        assert_eq!(printed(home, &["cat", log], 0), (101, String::new()), "{log}");
        binlog(home, &["verify", log]).ok();
    }
}

#[test]
fn a_last_segment_that_is_missing_is_reported_of_each_log() {
    let home = two_logs();
    let home = home.path();
    assert_eq!(printed(home, &["cat", "log"], 0), (120, String::new()));
    fs::remove_file(home.join(LAST_OF_THE_FIRST)).unwrap();
    let missing = "the log goes on in one.0000000003.binlog, which is not here";
    for args in [&["cat", "log"][..], &["cat", "--salvage", "log"], &["cat", "--reverse", "log"]] {
        let (records, err) = printed(home, args, 3);
        assert!(records == 100 && err.contains(missing), "{args:?}: {records}, {err}");
    }
    assert!(printed(home, &["info", "log"], 3).1.contains(missing));
    assert_eq!(read(home, ReaderMode::Strict, false), (40, Some(Kind::Corrupt)));
    assert_eq!(read(home, ReaderMode::Prefix, false), (40, Some(Kind::Corrupt)));
    assert_eq!(read(home, ReaderMode::Prefix, true), (100, Some(Kind::Corrupt)));
    assert_recovers(home);
}

#[test]
fn a_last_segment_that_was_emptied_is_reported_of_each_log() {
    let home = two_logs();
    let home = home.path();
    fs::write(home.join(LAST_OF_THE_FIRST), "").unwrap();
    for (args, least) in [(&["cat", "log"][..], 40), (&["cat", "--salvage", "log"], 100)] {
        let (records, err) = printed(home, args, 3);
        assert!(records == least && err.contains("nothing of the segment has survived"), "{args:?}: {records}, {err}");
    }
    assert_recovers(home);
}

#[test]
fn what_is_missing_at_the_ends_of_two_logs_is_reported_of_both() {
    let home = two_logs();
    let home = home.path();
    for name in ["one", "two"] {
        fs::remove_file(home.join(format!("log/{name}.0000000003.binlog"))).unwrap();
    }
    let (records, err) = printed(home, &["cat", "--salvage", "log"], 3);
    let is_reported = |name| err.contains(&format!("the log goes on in {name}.0000000003.binlog, which is not here"));
    assert!(records == 80 && is_reported("one") && is_reported("two"), "{records}, {err}");
}

#[test]
fn a_second_log_of_the_same_name_is_saved_under_its_own_and_both_continue() {
    let home = tempdir().unwrap();
    let home = home.path();
    let lines = |count: u64| (1..=count).map(|i| format!("{i}\n")).collect::<String>();
    binlog_with(home, &["append", "-q", "--records", "20", "log"], lines(60).as_bytes()).ok();
    binlog_with(home, &["append", "-q", "other"], lines(30).as_bytes()).ok();
    fs::copy(home.join("other/default.0000000001.binlog"), home.join("log/default.0000000001.binlog")).unwrap();
    binlog(home, &["recover", "log", "saved"]).exits(3);
    binlog(home, &["recover", "--in-place", "log"]).exits(3);
    for log in ["saved", "log"] {
        let files = fs::read_dir(home.join(log)).unwrap();
        let mut files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let renamed = files.find(|file| file.starts_with("default-") && file.ends_with(".0000000001.binlog"));
        let renamed = renamed.expect("a name of its own").replace(".0000000001.binlog", "");
        for name in ["default", &renamed] {
            for _ in 0..2 {
                binlog_with(home, &["append", "-q", "--name", name, log], b"more\n").ok();
            }
        }
        assert_eq!(printed(home, &["cat", log], 0), (74, String::new()), "{log}");
        binlog(home, &["verify", log]).ok();
    }
}
