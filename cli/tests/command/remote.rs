//! Commands that read take the URL of a log in an object store, which is a directory here.

use std::fs;
use std::path::Path;

use crate::common::*;

/// A log of three segments, and its URL.
fn a_log(home: &Path) -> String {
    for i in 0..3 {
        let lines: String = (0..1000).map(|line| format!("line {}\n", i * 1000 + line)).collect();
        binlog_with(home, &["append", "-q", "logs", "--name", "log"], lines.as_bytes()).ok();
        if i < 2 {
            binlog(home, &["roll", "-q", "logs"]).ok();
        }
    }
    format!("file://{}/logs", home.display())
}

#[test]
fn every_command_that_reads_takes_a_url() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = a_log(home);
    for args in [
        &["cat"][..],
        &["cat", "--format", "json", "--id", "990..1010"],
        &["cat", "--reverse", "--last", "10"],
        &["cat", "--headers"],
        &["cat", "--salvage"],
        &["export", "--to", "jsonl"],
    ] {
        let with = |log: &str| {
            let mut args = args.to_vec();
            args.push(log);
            if args[0] == "export" {
                args.push("-");
            }
            binlog(home, &args).ok().out
        };
        assert!(with(&url) == with("logs"), "{args:?}");
        assert!(with(&format!("{url}/*.binlog")) == with("logs"), "{args:?} with a pattern");
    }
    for command in ["info", "ls", "index", "verify"] {
        let there = binlog(home, &[command, "--json", &url]).ok();
        let here = binlog(home, &[command, "--json", "logs"]).ok();
        let output = |ran: &Ran| ran.text().replace(&url, "LOG").replace("logs", "LOG");
        assert_eq!(output(&there), output(&here), "{command}");
    }
    let one = format!("{url}/log.0000000002.binlog");
    assert_eq!(binlog(home, &["cat", &one]).ok().text().lines().next(), Some("line 1000"));
    binlog(home, &["recover", &url, "saved"]).ok();
    assert!(binlog(home, &["cat", "saved"]).ok().out == binlog(home, &["cat", "logs"]).ok().out);
}

#[test]
fn what_writes_into_a_log_refuses_a_url() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = a_log(home);
    for args in [
        &["append", &url][..],
        &["roll", &url],
        &["index", "--rebuild", &url],
        &["recover", "--in-place", &url],
        &["recover", "logs", &url],
        &["append", "s3://bucket/logs"],
    ] {
        let ran = binlog_with(home, args, b"more\n").exits(1);
        assert!(
            ran.err.contains("what lies there is never changed") || ran.err.contains("is never changed"),
            "{}",
            ran.err
        );
    }
    assert_eq!(binlog(home, &["cat", "logs"]).ok().text().lines().count(), 3000);
    assert!(!home.join("s3:").exists());
}

#[test]
fn old_segments_are_pruned_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = a_log(home);
    fs::write(home.join("logs/foreign.binlog"), "no segment").unwrap();
    fs::write(home.join("logs/log.0000000001.txt"), "mine").unwrap();
    let dry = binlog(home, &["prune", "--keep-segments", "1", "--dry-run", "--json", &url]).ok().json();
    assert_eq!(dry["would_remove"].as_array().unwrap().len(), 2);
    assert!(home.join("logs/log.0000000001.binlog").exists());
    binlog(home, &["prune", "--keep", "365d", &url]).ok();
    assert!(home.join("logs/log.0000000001.binlog").exists());
    binlog(home, &["prune", "--keep-segments", "1", &url]).ok();
    let mut left: Vec<_> = fs::read_dir(home.join("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.retain(|name| !name.starts_with('.') && !name.ends_with(".lock"));
    left.sort();
    assert_eq!(left, ["foreign.binlog", "log.0000000001.txt", "log.0000000003.binlog", "log.pruned-0000000002"]);
}

#[test]
fn a_url_that_cannot_be_read_is_reported_in_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = a_log(home);
    for (url, said) in [
        (format!("{url}/nothing*.binlog"), "no object matches the pattern"),
        (format!("{url}/missing.binlog"), "no such"),
        ("file:///*/x.binlog".to_owned(), "only the last part of a url may be a pattern"),
        (format!("{url}?colour=red"), "colour"),
        ("s3://me:sesame@bucket/logs".to_owned(), "credentials"),
    ] {
        let ran = binlog(home, &["cat", &url]).exits(1);
        assert!(ran.err.to_lowercase().contains(said), "{url}: {}", ran.err);
        assert!(!ran.err.contains("sesame"), "{}", ran.err);
    }
}

#[test]
fn a_cache_is_made_where_it_is_wanted_and_used() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = a_log(home);
    let first = binlog(home, &["cat", "--cache", "cache", &url]).ok().out;
    assert!(home.join("cache/CACHEDIR.TAG").exists());
    assert!(binlog(home, &["cat", "--cache", "cache", "--cache-size", "10MB", &url]).ok().out == first);
    let mut named = command(home, &["cat", &url]);
    named.env("BINLOG_CACHE", "other");
    assert!(run(named, b"").ok().out == first);
    assert!(home.join("other/CACHEDIR.TAG").exists());
}
