//! The exit status of each command for what is no log, no whole log, or not there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{binlog, binlog_with};
use tempfile::{tempdir, TempDir};

/// An empty directory, a file that is no log, a directory with two logs, and one that may not be read.
fn home() -> TempDir {
    let home = tempdir().unwrap();
    let at = home.path();
    fs::create_dir(at.join("empty")).unwrap();
    fs::write(at.join("text"), "no log\n").unwrap();
    fs::write(at.join("text.binlog"), "no log\n").unwrap();
    for name in ["one", "other"] {
        binlog_with(at, &["append", "-q", "--name", name, "two"], b"1\n2\n").ok();
    }
    binlog_with(at, &["append", "-q", "closed"], b"1\n").ok();
    fs::set_permissions(at.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    home
}

/// A command up to the path, its arguments after the path, and its exit status for each of [`PATHS`].
type Row = (&'static [&'static str], &'static [&'static str], [i32; 7]);

const PATHS: [&str; 7] = ["empty", "missing", "text", "text.binlog", "two", "closed", "none*.binlog"];

/// Replaced by the URL of a store that exists.
const STORE: &str = "STORE";

const TABLE: [Row; 14] = [
    (&["cat"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["cat", "--salvage"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["cat", "--last", "1"], &[], [1, 1, 1, 1, 1, 1, 1]),
    (&["verify"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["ls"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["info"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["index"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["recover", "--dry-run"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["compress", "--dry-run"], &[], [0, 1, 1, 1, 0, 1, 1]),
    (&["prune", "--dry-run", "--keep", "1d"], &[], [0, 1, 1, 1, 0, 1, 1]),
    (&["splits"], &[], [1, 1, 1, 1, 0, 1, 1]),
    (&["roll"], &[], [1, 1, 1, 1, 1, 1, 1]),
    (&["ship", "--dry-run"], &[STORE], [1, 1, 1, 1, 0, 1, 1]),
    (&["import", "--dry-run"], &[], [1, 1, 1, 1, 0, 1, 1]),
];

#[test]
fn what_is_no_log_gives_each_command_the_status_of_the_table() {
    let home = home();
    let store = format!("file://{}/empty", home.path().display());
    let may_read_all = fs::read_dir(home.path().join("closed")).is_ok();
    let mut wrong = vec![];
    for (before, behind, statuses) in TABLE {
        for (path, status) in PATHS.into_iter().zip(statuses) {
            // Permissions do not keep root out.
            if path == "closed" && may_read_all {
                continue;
            }
            let behind = behind.iter().map(|word| if *word == STORE { store.as_str() } else { word });
            let words: Vec<&str> = before.iter().copied().chain([path]).chain(behind).collect();
            let ran = binlog(home.path(), &words);
            if ran.code != Some(status) {
                wrong.push(format!("{} {path}: {:?} instead of {status}: {}", before.join(" "), ran.code, ran.err));
            }
            let is_reported = ran.err.lines().all(|line| line.starts_with("binlog: ")) && ran.err.contains(path);
            if status != 0 && !is_reported {
                wrong.push(format!("{} {path}: says {:?}", before.join(" "), ran.err));
            }
        }
    }
    fs::set_permissions(home.path().join("closed"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_command_leaves_anything_where_nothing_was() {
    let home = tempdir().unwrap();
    for asked in
        [&["cat", "log"][..], &["prune", "--keep", "1d", "log"], &["compress", "log"], &["recover", "log", "saved"]]
    {
        binlog(home.path(), asked).exits(1);
    }
    assert_eq!(names(home.path()), Vec::<String>::new());
}

fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The lock file states how much the log held; nothing in the file itself shows that its end is missing.
#[test]
fn a_closed_log_that_was_cut_off_where_a_block_ends_is_not_whole_for_any_command() {
    let home = tempdir().unwrap();
    let at = home.path();
    let lines: String = (1..=40).map(|i| format!("{i}\n")).collect();
    binlog_with(at, &["append", "-q", "--flush-every", "10", "log"], lines.as_bytes()).ok();
    let file = at.join("log/default.0000000001.binlog");
    let whole = fs::read(&file).unwrap();
    let start = 16 + u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
    let marker = whole[start..start + 8].to_vec();
    let blocks: Vec<usize> = (start..whole.len() - 8).filter(|&i| whole[i..i + 8] == marker).collect();
    // Behind the records are the events of the close, the index and the trailer.
    for &end in &blocks[..blocks.len() - 3] {
        fs::write(&file, &whole[..end]).unwrap();
        for args in [
            &["cat", "log"][..],
            &["cat", "--reverse", "log"],
            &["cat", "--last", "3", "log"],
            &["cat", "--id", "40", "log"],
            &["cat", "--salvage", "log"],
            &["verify", "log"],
            &["info", "log"],
        ] {
            if end == start && args.contains(&"--last") {
                continue;
            }
            let ran = binlog(at, args).exits(3);
            assert!(ran.err.contains("missing") || ran.text().contains("missing"), "{args:?} at {end}: {}", ran.err);
        }
    }
    fs::write(&file, &whole).unwrap();
    binlog(at, &["verify", "log"]).ok();
}
