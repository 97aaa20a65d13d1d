//! Rules for rolling and retention, `binlog prune`, and required facts of a log.

use std::fs;
use std::path::Path;

use crate::common::{binlog, binlog_with, command, finish, kill, piped, read_lines, until};
use tempfile::tempdir;

fn files(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home.join("log")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names
}

#[test]
fn append_rolls_and_keeps_according_to_its_options() {
    let home = tempdir().unwrap();
    let home = home.path();
    let template = ["--template", "{name}-%Y.{seq}"];
    binlog_with(home, &[&["append", "-q", "log", "--records", "2"][..], &template].concat(), b"1\n2\n3\n4\n5\n").ok();
    assert_eq!(files(home).len(), 3);
    assert!(files(home)[0].starts_with("default-2") && files(home)[0].ends_with(".0000000001.binlog"));
    let keep = ["append", "-q", "log", "--records", "1", "--keep-segments", "2"];
    binlog_with(home, &[&keep[..], &template].concat(), b"6\n7\n8\n").ok();
    assert!(files(home).len() <= 2, "{:?}", files(home));
    let listed = binlog(home, &["ls", "--json", "log"]).ok().json();
    assert_eq!(listed["segments"][0]["template"], "{name}-%Y.{seq}");
    assert_eq!(listed["segments"].as_array().unwrap().last().unwrap()["last_id"], 8);

    for wrong in [["--template", "%Q"], ["--template", "../{name}"], ["--zone", "Nowhere/At_All"]] {
        binlog_with(home, &["append", "-q", "refused", wrong[0], wrong[1]], b"x\n").exits(2);
    }
}

#[test]
fn a_roll_keeps_period_and_template() {
    let home = tempdir().unwrap();
    let home = home.path();
    let append = ["append", "-q", "log", "--period", "DAY", "--template", "{name}-%Y.{seq}"];
    binlog_with(home, &append, b"1\n").ok();
    binlog(home, &["roll", "log"]).ok();
    let listed = binlog(home, &["ls", "--json", "log"]).ok().json();
    assert_eq!(listed["segments"].as_array().unwrap().len(), 2);
    for segment in listed["segments"].as_array().unwrap() {
        assert_eq!((&segment["period_seconds"], &segment["template"]), (&86_400.into(), &"{name}-%Y.{seq}".into()));
    }
    binlog_with(home, &append, b"2\n").ok();
    assert_eq!(files(home).len(), 2);
}

#[test]
fn prune_removes_what_a_dry_run_has_shown() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log", "--records", "2"], b"1\n2\n3\n4\n5\n").ok();
    let ran = binlog(home, &["prune", "--keep-segments", "1", "--dry-run", "log"]).ok();
    assert!(ran.text().contains("2 segments would be removed"), "{}", ran.text());
    assert!(ran.text().contains("default.0000000001.binlog"), "{}", ran.text());
    assert_eq!(files(home).len(), 3);
    let json = binlog(home, &["prune", "--keep-segments", "1", "--dry-run", "--json", "log"]).ok().json();
    assert_eq!((json["would_remove"].as_array().unwrap().len(), &json["dry_run"]), (2, &true.into()));
    assert_eq!(json["would_remove"][0]["records"], 2);
    let ran = binlog(home, &["prune", "--keep-segments", "1", "log"]).ok();
    assert!(ran.text().contains("2 segments removed"), "{}", ran.text());
    assert_eq!(files(home), ["default.0000000003.binlog"]);
    assert_eq!(binlog(home, &["prune", "--keep", "30d", "log"]).ok().text(), "nothing to remove\n");
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), "5\n");

    // A request for removed records is answered with a report.
    let ran = binlog(home, &["cat", "--id", "2..", "log"]).exits(3);
    assert_eq!((ran.text(), ran.err.lines().count()), ("5\n", 1));
    assert!(ran.err.contains("records 2 to 4 are no longer here"), "{}", ran.err);
}

#[test]
fn a_log_must_be_what_is_required() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log", "--name", "orders"], b"1\n").ok();
    let fine = ["--require-name", "orders", "--require-content-type", "application/octet-stream"];
    binlog(home, &[&["cat", "log"][..], &fine].concat()).ok();
    binlog_with(home, &[&["append", "-q", "log", "--name", "orders"][..], &fine].concat(), b"2\n").ok();
    for wrong in [["--require-name", "other"], ["--require-content-type", "text/plain"], ["--require", "region=eu"]] {
        assert_eq!(binlog(home, &["cat", "log", wrong[0], wrong[1]]).exits(1).text(), "");
        binlog_with(home, &["append", "-q", "log", "--name", "orders", wrong[0], wrong[1]], b"3\n").exits(1);
    }
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), "1\n2\n");
}

#[test]
fn following_continues_behind_segments_that_were_removed() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log"], b"1\n").ok();
    let mut reader = piped(&mut command(home, &["cat", "--follow", "log"]));
    assert_eq!(read_lines(reader.stdout.as_mut().unwrap(), 1), "1\n");
    kill(reader.id() as libc::pid_t, libc::SIGSTOP);
    binlog_with(home, &["append", "-q", "log", "--records", "1", "--keep-segments", "1"], b"2\n3\n4\n5\n").ok();
    until("old segments are gone", || files(home).len() == 1);
    kill(reader.id() as libc::pid_t, libc::SIGCONT);
    let shown = read_lines(reader.stdout.as_mut().unwrap(), 1);
    kill(reader.id() as libc::pid_t, libc::SIGTERM);
    let ran = finish(reader).exits(143);
    assert_eq!(shown, "5\n");
    assert!(ran.err.contains("are no longer here"), "{}", ran.err);
}

#[test]
fn a_period_of_never_is_none() {
    let home = tempdir().unwrap();
    let home = home.path();
    for word in ["NEVER", "never"] {
        binlog_with(home, &["append", "-q", word, "--period", word], b"one\n").ok();
        assert_eq!(
            binlog(home, &["ls", "--json", word]).ok().json()["segments"][0]["period_seconds"],
            serde_json::Value::Null
        );
    }
    let message = binlog(home, &["append", "log", "--period", "SOMETIMES"]).exits(2).err;
    assert!(message.contains("DAY, NEVER, or a number of seconds"), "{message}");
}
