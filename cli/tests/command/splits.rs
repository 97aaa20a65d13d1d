//! `binlog splits`, and `binlog cat --split` with its tokens.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use binlog::{NewRecord, Writer, WriterOptions};
use serde_json::Value;
use tempfile::tempdir;

use crate::common::{binlog, command, run, Ran};

const SECOND: i64 = 1_000_000_000;

/// Four segments of 250 records, every other one of type 1.
fn make(log: &Path) {
    let writer = Writer::open(log, WriterOptions::default()).unwrap();
    for i in 1..=1000 {
        let payload = format!("record {i}");
        let record = NewRecord {
            type_id: i % 2,
            time: Some(i64::from(i) * SECOND),
            payload: payload.as_bytes(),
            ..Default::default()
        };
        writer.append_record(&record).unwrap();
        if i % 250 == 0 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn tokens(home: &Path, arguments: &[&str]) -> Vec<String> {
    binlog(home, &[&["splits"], arguments].concat()).ok().text().lines().map(str::to_owned).collect()
}

fn cat(home: &Path, token: &str, arguments: &[&str]) -> Ran {
    binlog(home, &[&["cat", "--split", token], arguments].concat())
}

#[test]
fn the_splits_of_a_log_print_what_the_log_prints() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("a log"));
    for selection in [&[][..], &["--type", "1"], &["--id", "240..510"], &["--since", "@100", "--until", "@600"]] {
        let whole = binlog(home, &[&["cat", "a log"], selection].concat()).ok();
        for target in ["1", "4KiB", "64MiB"] {
            let tokens = tokens(home, &[&["a log", "--target", target], selection].concat());
            let words: Vec<&str> = tokens.iter().flat_map(|token| token.split_whitespace()).collect();
            assert_eq!(words, tokens, "a token is a word, for xargs");
            let parts: Vec<u8> = tokens.iter().flat_map(|token| cat(home, token, selection).ok().out).collect();
            assert_eq!(parts, whole.out, "{selection:?} {target}");
            // All in one call, and from another directory.
            let all: Vec<&str> = ["cat", "--split"].into_iter().chain(tokens.iter().map(String::as_str)).collect();
            assert_eq!(binlog(Path::new("/"), &[&all, selection].concat()).ok().out, whole.out);
        }
    }
    assert_eq!(tokens(home, &["a log", "--target", "1", "--most", "1"]).len(), 1);
    assert!(tokens(home, &["a log", "--type", "9"]).is_empty());
}

#[test]
fn the_facts_of_splits_are_objects() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    let shown = binlog(home, &["splits", "log", "--target", "1", "--type", "1", "--format", "json"]).ok();
    let splits: Vec<Value> = shown.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(splits.len(), 4);
    assert_eq!(splits.iter().map(|split| split["records"].as_u64().unwrap()).sum::<u64>(), 500);
    let second = &splits[1];
    assert_eq!((second["first_id"].as_u64(), second["last_id"].as_u64()), (Some(251), Some(500)));
    assert_eq!(second["first_time"], "1970-01-01T00:04:11.000000000Z");
    assert_eq!(second["last_time"], "1970-01-01T00:08:20.000000000Z");
    assert!(second["bytes"].as_u64().unwrap() > 0);
    assert_eq!(second["location"], fs::canonicalize(home.join("log")).unwrap().to_str().unwrap());
    assert_eq!(second["token"], tokens(home, &["log", "--target", "1", "--type", "1"])[1]);
}

#[test]
fn the_last_records_of_a_split_and_the_newest_first_are_shown_but_not_planned() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    let ran = binlog(home, &["splits", "log", "--last", "3"]).exits(1);
    assert!(ran.err.contains("no parts of a log") && ran.out.is_empty(), "{}", ran.err);
    let first = &tokens(home, &["log", "--target", "1"])[0];
    assert_eq!(cat(home, first, &["--last", "2"]).ok().text(), "record 249\nrecord 250\n");
    assert_eq!(cat(home, first, &["--reverse", "-n", "2"]).ok().text(), "record 250\nrecord 249\n");
}

#[test]
fn what_is_no_usage_of_splits_is_refused() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    let token = &tokens(home, &["log"])[0];
    cat(home, token, &["--follow"]).exits(2);
    for wrong in [
        &["splits"][..],
        &["splits", "log", "log"],
        &["splits", "log", "--target", "many"],
        &["splits", "log", "--most", "-1"],
        &["splits", "log", "--format", "lines"],
        &["splits", "log", "--since", "@2", "--until", "@1"],
        &["cat", "--split"],
    ] {
        let ran = binlog(home, wrong).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{wrong:?}");
    }
    let ran = binlog(home, &["splits", "s3://user:secret@bucket/log"]).exits(1);
    assert!(!ran.err.contains("secret@"), "{}", ran.err);
}

#[test]
fn what_is_no_token_is_not_taken_for_a_path() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    let token = &tokens(home, &["log"])[0];
    let cut = token.split_at(token.len() / 2).0;
    for wrong in ["log", cut, &format!("{token}\n"), &format!(" {token}"), &format!("{token}\n{token}")] {
        let ran = cat(home, wrong, &[]).exits(1);
        assert!(ran.err.contains("not the token of a split") && ran.out.is_empty(), "{wrong:?}: {}", ran.err);
    }
    let mut with_bytes = command(home, &["cat", "--split"]);
    fs::rename(home.join("log"), home.join(OsStr::from_bytes(b"log\xff"))).unwrap();
    with_bytes.arg(OsStr::from_bytes(b"log\xff"));
    let ran = run(with_bytes, b"").exits(1);
    assert!(ran.err.contains("not the token of a split") && ran.out.is_empty(), "{}", ran.err);
    let newer = token.replacen(":1:", ":2:", 1);
    let ran = cat(home, &newer, &[]).exits(1);
    assert!(ran.err.contains("the token has the version 2") && ran.out.is_empty(), "{}", ran.err);
}

#[test]
fn another_log_and_removed_segments_are_reported() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    make(&home.join("other"));
    let parts = tokens(home, &["log", "--target", "1"]);
    let whole = &tokens(home, &["log"])[0];
    let other = home.join("other");
    let elsewhere =
        whole.replace(fs::canonicalize(home.join("log")).unwrap().to_str().unwrap(), other.to_str().unwrap());
    let ran = cat(home, &elsewhere, &[]).exits(1);
    assert!(ran.err.contains("another log is here") && ran.out.is_empty(), "{}", ran.err);
    fs::remove_file(home.join("log/default.0000000001.binlog")).unwrap();
    let ran = cat(home, &parts[0], &[]).exits(1);
    assert!(ran.err.contains("the records 1 to 250 are no longer here") && ran.out.is_empty(), "{}", ran.err);
    let ran = cat(home, whole, &[]).exits(3);
    assert!(ran.err.contains("the records 1 to 250 are no longer here"), "{}", ran.err);
    assert_eq!(ran.text().lines().count(), 750);
    assert_eq!(cat(home, &parts[1], &[]).ok().text().lines().count(), 250);
}

#[test]
fn what_is_advised_of_a_damaged_split_is_done_with_its_log() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(&home.join("log"));
    let parts = tokens(home, &["log", "--target", "1"]);
    let file = home.join("log/default.0000000002.binlog");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(10).position(|window| window == b"record 300").unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let ran = cat(home, &parts[1], &[]).exits(3);
    let commands: Vec<&str> = ran.err.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 3, "{}", ran.err);
    for advised in commands {
        let arguments: Vec<&str> = advised.split(' ').skip(1).collect();
        assert!(binlog(home, &arguments).code.is_some_and(|code| code == 0 || code == 3), "{advised}");
    }
    let whole = binlog(home, &["verify", "log"]).ok();
    assert!(whole.err.is_empty(), "recovered: {}", whole.err);
}
