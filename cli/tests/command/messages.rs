//! What is reported for a damaged log: one line, which names a file and a command that can be run as it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{binlog, binlog_with};
use tempfile::{tempdir, TempDir};

const FIRST: &str = "a log/default.0000000001.binlog";
const LAST: &str = "a log/default.0000000003.binlog";

/// Three segments of 200 records in a directory whose name a shell would split.
fn a_log() -> TempDir {
    let home = tempdir().unwrap();
    for segment in 0..3 {
        let input: String = (0..200).map(|i| format!("record {i} of {segment}\n")).collect();
        binlog_with(home.path(), &["append", "-q", "--sync-every", "50", "a log"], input.as_bytes()).ok();
        if segment < 2 {
            binlog(home.path(), &["roll", "-q", "a log"]).ok();
        }
    }
    home
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

type Change = fn(&Path);

/// A change to the log, and the commands that report it.
const SITUATIONS: [(&str, Change, &[&[&str]]); 9] = [
    ("a damaged page", |log| change(&log.join(LAST), |bytes| bytes[600] ^= 1), &[CAT, APPEND]),
    ("a damaged first segment", |log| change(&log.join(FIRST), |bytes| bytes[600] ^= 1), &[CAT]),
    (
        "the beginning of the last",
        |log| change(&log.join(LAST), |bytes| bytes[20] ^= 1),
        &[CAT, APPEND, INFO, LS, INDEX],
    ),
    ("the beginning of the first", |log| change(&log.join(FIRST), |bytes| bytes[20] ^= 1), &[CAT, INFO, LS]),
    ("a removed last segment", |log| fs::remove_file(log.join(LAST)).unwrap(), &[CAT, APPEND]),
    ("a removed segment", |log| fs::remove_file(log.join("a log/default.0000000002.binlog")).unwrap(), &[CAT, INFO]),
    (
        "a copy",
        |log| assert!(fs::copy(log.join(LAST), log.join("a log/default.0000000009.binlog")).unwrap() > 0),
        &[CAT, APPEND],
    ),
    (
        "a wrong name",
        |log| fs::rename(log.join(LAST), log.join("a log/default.0000000007.binlog")).unwrap(),
        &[CAT, APPEND],
    ),
    ("a torn tail", |log| change(&log.join(LAST), |bytes| bytes.truncate(bytes.len() - 300)), &[LS, CAT]),
];

const CAT: &[&str] = &["cat", "a log"];
const APPEND: &[&str] = &["append", "a log"];
const INFO: &[&str] = &["info", "a log"];
const LS: &[&str] = &["ls", "a log"];
const INDEX: &[&str] = &["index", "a log"];

#[test]
fn what_is_said_is_a_line_with_a_file_and_a_command_that_runs() {
    for (situation, change, commands) in SITUATIONS {
        for &asked in commands {
            let home = a_log();
            change(home.path());
            let ran = binlog_with(home.path(), asked, b"new\n");
            let context = format!("{situation}: binlog {}: {}", asked.join(" "), ran.err);
            assert!(matches!(ran.code, Some(1 | 3)), "{context}");
            assert!(ran.err.lines().all(|line| line.starts_with("binlog: ")), "{context}");
            assert!(ran.err.contains("a log/default.000000000"), "{context}");
            let commands: Vec<&str> = ran.err.split('`').skip(1).step_by(2).collect();
            assert!(!commands.is_empty(), "{context}");
            for command in commands {
                let code = run_in_a_shell(home.path(), command);
                assert!(matches!(code, Some(0 | 1 | 3)), "{command:?} ends with {code:?}: {context}");
            }
            // The last command repairs the log, or another call reports what is still wrong.
            assert!(matches!(binlog(home.path(), &["verify", "a log"]).code, Some(0 | 3)), "{context}");
        }
    }
}

fn run_in_a_shell(home: &Path, command: &str) -> Option<i32> {
    let own = Path::new(env!("CARGO_BIN_EXE_binlog")).parent().unwrap();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(home).env("PATH", path);
    crate::common::run(shell, b"").code
}

#[test]
fn a_log_that_is_whole_needs_no_words() {
    let home = a_log();
    for asked in
        [&["cat", "a log"][..], &["info", "a log"], &["ls", "a log"], &["verify", "a log"], &["index", "a log"]]
    {
        let ran = binlog(home.path(), asked).ok();
        assert_eq!(ran.err, "", "{asked:?}");
    }
}
