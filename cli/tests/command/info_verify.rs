//! `binlog info` and `binlog verify`: numbers and verdicts.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::common::{binlog, binlog_with, command, finish, piped, until};
use serde_json::{json, Value};
use tempfile::tempdir;

/// A log of segments of 128 KiB.
fn make_segments(home: &Path) {
    make_segments_with(home, &[]);
}

fn make_segments_with(home: &Path, options: &[&str]) {
    let input: String = (0..40_000).map(|i| format!("line number {i}\n")).collect();
    let arguments = [&["append", "-q", "--segment-size", "128KiB", "log"], options].concat();
    binlog_with(home, &arguments, input.as_bytes()).ok();
}

/// The kinds of the findings, in order.
fn kinds(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

/// Asserts that the records that were read and those that are reported as lost are all that were written.
#[track_caller]
fn assert_all_reported(verdict: &Value, written: u64) {
    let number = |value: &Value| value.as_u64().unwrap();
    let lost: u64 =
        verdict["findings"].as_array().unwrap().iter().map(|finding| number(&finding["lost_records"])).sum();
    assert_eq!((number(&verdict["records"]) + lost, number(&verdict["lost_records"])), (written, lost), "{verdict}");
}

#[test]
fn info_counts_records_types_and_bytes() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log", "--type", "order.placed"], &b"12345\n".repeat(1500)).ok();
    binlog_with(home, &["append", "-q", "log", "--type", "7"], &b"123\n".repeat(500)).ok();
    let info = binlog(home, &["info", "log", "--json"]).ok().json();
    let size = fs::metadata(home.join("log/default.0000000001.binlog")).unwrap().len();
    assert_eq!(info["records"], 2000);
    assert_eq!(info["payload_bytes"], 9000);
    assert_eq!(info["file_bytes"], size);
    assert_eq!(info["overhead_per_record"], (size as f64 - 9000.0) / 2000.0);
    assert_eq!((&info["first_id"], &info["last_id"], &info["state"]), (&json!(1), &json!(2000), &json!("closed")));
    assert_eq!(
        info["types"],
        json!([
            { "name": "order.placed", "records": 1500, "payload_bytes": 7500 },
            { "type": 7, "records": 500, "payload_bytes": 1500 },
        ])
    );
    assert_eq!(info["segments"].as_array().unwrap().len(), 1);
    assert!(info["first_time"].as_str() < info["last_time"].as_str());

    let ran = binlog(home, &["info", "log"]).ok();
    let squeezed: Vec<String> =
        ran.text().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in
        ["records 2,000", "ids 1 to 2,000", "state closed", "order.placed 1,500 75.0% 7.3 KiB", "7 500 25.0% 1.5 KiB"]
    {
        assert!(squeezed.iter().any(|found| found == line), "{line:?} is not in {}", ran.text());
    }
}

#[test]
fn info_of_an_empty_log_and_of_no_log() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog(home, &["append", "-q", "log"]).ok();
    let info = binlog(home, &["info", "log", "--json"]).ok().json();
    assert_eq!((&info["records"], &info["overhead_per_record"]), (&json!(0), &json!(null)));
    binlog(home, &["info", "log"]).ok();
    binlog(home, &["info", "missing"]).exits(1);
    binlog(home, &["info", "."]).exits(1);
}

#[test]
fn a_whole_log_is_verified() {
    let home = tempdir().unwrap();
    let home = home.path();
    make_segments(home);
    let ran = binlog(home, &["verify", "log"]).ok();
    assert!(ran.text().starts_with("log: whole: 40,000 records verified, "), "{}", ran.text());
    assert_eq!((ran.text().lines().count(), ran.err.as_str()), (1, ""));
    let verdict = binlog(home, &["verify", "--json", "log"]).ok().json();
    assert_eq!((&verdict["verdict"], &verdict["records"]), (&json!("whole"), &json!(40_000)));
}

#[test]
fn a_log_that_is_being_written_is_whole() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "log"]));
    writer.stdin.as_mut().unwrap().write_all(b"one\n").unwrap();
    until("the record can be read", || binlog(home, &["cat", "log"]).out == b"one\n");
    let ran = binlog(home, &["verify", "log"]).ok();
    assert!(ran.text().starts_with("log: whole, still being written: 1 record verified"), "{}", ran.text());
    assert_eq!(binlog(home, &["info", "--json", "log"]).ok().json()["state"], "live");
    drop(writer.stdin.take());
    finish(writer).ok();
}

#[test]
fn a_flipped_bit_is_found_and_the_segments_behind_it_are_verified_too() {
    let home = tempdir().unwrap();
    let home = home.path();
    // Syncs while a segment is being written: otherwise only chance decides what its blocks record as durable.
    make_segments_with(home, &["--sync-every", "1000"]);
    let path = home.join("log/default.0000000002.binlog");
    let mut bytes = fs::read(&path).unwrap();
    // In a payload: how many bytes precede it depends on how long the times between the records were.
    let text = b"line number ";
    let middle = bytes.len() / 2;
    let at = middle + bytes[middle..].windows(text.len()).position(|window| window == text).unwrap();
    bytes[at] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let ran = binlog(home, &["verify", "log"]).exits(3);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(lines[0].starts_with("log: damaged: "), "{}", ran.text());
    assert!(lines[1].starts_with("  log/default.0000000002.binlog: offset "), "{}", ran.text());
    assert!(lines[1].contains(" bytes unread, records "), "{}", ran.text());
    let verdict = binlog(home, &["verify", "--json", "log"]).exits(3).json();
    let finding = &verdict["findings"][0];
    let lost = finding["last_lost_id"].as_u64().unwrap() - finding["first_lost_id"].as_u64().unwrap() + 1;
    assert_eq!(verdict["records"].as_u64().unwrap() + lost, 40_000);
    assert_eq!((&finding["kind"], &finding["durable"], &finding["pages"]), (&json!("damage"), &json!(true), &json!(1)));
    assert_eq!((&finding["lost_records"], &verdict["lost_records"]), (&json!(lost), &json!(lost)));
    // Printing stops at the block, and says what to do.
    let ran = binlog(home, &["cat", "log"]).exits(3);
    assert!((ran.text().lines().count() as u64) < finding["first_lost_id"].as_u64().unwrap());
    assert!(ran.err.contains("later files") && ran.err.contains("binlog cat --salvage"), "{}", ran.err);
    binlog(home, &["info", "log"]).ok();
}

#[test]
fn a_missing_segment_and_a_truncated_one_are_found() {
    let home = tempdir().unwrap();
    let home = home.path();
    make_segments(home);
    fs::remove_file(home.join("log/default.0000000002.binlog")).unwrap();
    let last = home.join("log/default.0000000004.binlog");
    let len = fs::metadata(&last).unwrap().len();
    fs::OpenOptions::new().write(true).open(&last).unwrap().set_len(len - 1000).unwrap();
    let verdict = binlog(home, &["verify", "--json", "log"]).exits(3).json();
    let findings = verdict["findings"].as_array().unwrap();
    assert_eq!(kinds(&verdict), ["missing", "damage", "missing"], "{verdict}");
    assert!(findings[0]["reason"].as_str().unwrap().contains("the segments 2 to 2 are missing"), "{verdict}");
    for shortened in &findings[1..] {
        assert!(shortened["file"].as_str().unwrap().ends_with("default.0000000004.binlog"), "{verdict}");
    }
    assert_all_reported(&verdict, 40_000);
    let ran = binlog(home, &["info", "log"]).exits(3);
    assert!(ran.err.contains("missing") && ran.text().contains("damaged"), "{}{}", ran.err, ran.text());
}

#[test]
fn missing_last_segments_are_noticed_by_every_command() {
    let home = tempdir().unwrap();
    let home = home.path();
    make_segments(home);
    let mut files: Vec<_> = fs::read_dir(home.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "binlog"));
    files.sort();
    fs::remove_file(files.last().unwrap()).unwrap();
    for command in ["cat", "info", "verify"] {
        let ran = binlog(home, &[command, "log"]).exits(3);
        let output = if command == "verify" { ran.text() } else { &ran.err };
        assert!(output.contains("goes on in default.0000000"), "{command}: {output}");
    }
    assert_eq!(binlog(home, &["verify", "--json", "log"]).json()["findings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_segment_that_does_not_begin_as_one_does_not_hide_the_others() {
    let home = tempdir().unwrap();
    let home = home.path();
    make_segments(home);
    fs::write(home.join("log/default.0000000003.binlog"), vec![b'x'; 5000]).unwrap();
    let verdict = binlog(home, &["verify", "--json", "log"]).exits(3).json();
    assert_eq!(kinds(&verdict), ["header_lost", "missing"], "{verdict}");
    assert_eq!(verdict["findings"][0]["unread_bytes"], 5000);
    assert_all_reported(&verdict, 40_000);
    let ran = binlog(home, &["cat", "log"]).exits(3);
    assert!(ran.text().lines().count() > 10_000 && ran.err.contains("default.0000000003.binlog"), "{}", ran.err);
}

#[test]
fn what_cannot_be_verified_is_distinguished_from_damage() {
    let home = tempdir().unwrap();
    let home = home.path();
    make_segments(home);
    fs::write(home.join("text"), "no log at all").unwrap();
    for path in ["missing", "text", ".", "*.nothing"] {
        let ran = binlog(home, &["verify", path]).exits(1);
        assert!(ran.out.is_empty() && ran.err.starts_with("binlog: not verified: "), "{path}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 1);
    }
    let ran = binlog(home, &["verify", "missing", "log"]).exits(1);
    assert!(ran.text().starts_with("log: whole"), "{}", ran.text());
    let verdict = binlog(home, &["verify", "--json", "text"]).exits(1).json();
    assert_eq!((&verdict["verdict"], &verdict["path"]), (&json!("unverified"), &json!("text")));
}

#[test]
fn a_log_of_one_file_that_was_never_begun_is_whole_without_a_record() {
    let home = tempdir().unwrap();
    let home = home.path();
    for left in [&b""[..], b"BINLOG", &[0; 300]] {
        fs::write(home.join("a.binlog"), left).unwrap();
        assert_eq!(
            binlog(home, &["verify", "a.binlog"]).ok().text(),
            "a.binlog: whole, nothing was ever written: 0 records verified, 0 bytes in 1 file\n  \
             note: a.binlog: a segment that was never begun, without a record\n"
        );
        let verdict = binlog(home, &["verify", "--json", "a.binlog"]).ok().json();
        assert_eq!((&verdict["verdict"], &verdict["end"]), (&json!("whole"), &json!("unborn")));
        for command in
            [&["cat", "a.binlog"][..], &["cat", "--salvage", "a.binlog"], &["cat", "--last", "3", "a.binlog"]]
        {
            assert_eq!(binlog(home, command).ok().text(), "", "{command:?}");
        }
        binlog(home, &["info", "a.binlog"]).ok();
        binlog(home, &["ls", "a.binlog"]).ok();
        binlog(home, &["recover", "a.binlog", "saved"]).ok();
        assert!(binlog(home, &["verify", "saved"]).ok().text().starts_with("saved: whole"));
        fs::remove_dir_all(home.join("saved")).unwrap();
        binlog_with(home, &["append", "-q", "--single-file", "a.binlog"], b"one\n").ok();
        assert_eq!(binlog(home, &["cat", "a.binlog"]).ok().text(), "one\n");
    }
}

#[test]
fn every_truncation_of_a_small_log_gets_a_verdict() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--single-file", "a.binlog"], b"one\ntwo\nthree\n").ok();
    let whole = fs::read(home.join("a.binlog")).unwrap();
    for len in (0..whole.len()).step_by(7) {
        fs::write(home.join("cut.binlog"), &whole[..len]).unwrap();
        let ran = binlog(home, &["verify", "cut.binlog"]);
        assert!(matches!(ran.code, Some(0 | 1 | 3)), "{len}: {:?} {}", ran.code, ran.err);
        assert!(!ran.text().contains("closed:") || ran.text().contains("not closed:"), "{len}: {}", ran.text());
    }
}
