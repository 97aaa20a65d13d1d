//! `binlog ls` and `binlog roll`: the segments of a log, and a new one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{binlog, binlog_with, command, finish, piped, until};
use serde_json::Value;
use tempfile::tempdir;

/// Three records in the first segment, two in the second.
fn make(home: &Path) {
    binlog_with(home, &["append", "-q", "log"], b"one\ntwo\nthree\n").ok();
    binlog(home, &["roll", "-q", "log"]).ok();
    binlog_with(home, &["append", "-q", "log"], b"four\nfive\n").ok();
}

fn segments(home: &Path, path: &str) -> Vec<Value> {
    binlog(home, &["ls", "--json", path]).ok().json()["segments"].as_array().unwrap().clone()
}

fn states(segments: &[Value]) -> Vec<&str> {
    segments.iter().map(|segment| segment["state"].as_str().unwrap()).collect()
}

/// The file in gzip format, its bytes stored uncompressed.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let crc = !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    });
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut chunks = bytes.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        let len = chunk.len() as u16;
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(chunk);
    }
    out.extend(crc.to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

#[test]
fn a_listing_has_a_line_for_each_segment() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ran = binlog(home, &["ls", "log"]).ok();
    let lines: Vec<Vec<&str>> = ran.text().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0].join(" "), "segment state period first time last time records size");
    assert_eq!((lines[1][0], lines[1][1], lines[1][5]), ("default.0000000001.binlog", "closed", "3"));
    assert_eq!((lines[2][0], lines[2][1], lines[2][5]), ("default.0000000002.binlog", "closed", "2"));

    let all = segments(home, "log");
    let shown = binlog(home, &["cat", "--format", "json", "log"]).ok();
    let times: Vec<Value> =
        shown.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["time"].clone()).collect();
    assert_eq!((&all[0]["first_id"], &all[0]["last_id"], &all[0]["records"]), (&1.into(), &3.into(), &3.into()));
    assert_eq!((&all[1]["first_id"], &all[1]["last_id"], &all[1]["sequence"]), (&4.into(), &5.into(), &2.into()));
    let listed = [&all[0]["first_time"], &all[0]["last_time"], &all[1]["first_time"], &all[1]["last_time"]];
    assert_eq!(listed, [&times[0], &times[2], &times[3], &times[4]]);
    let bytes = fs::metadata(home.join("log/default.0000000001.binlog")).unwrap().len();
    assert_eq!((all[0]["bytes"].as_u64(), &all[0]["log"]), (Some(bytes), &"default".into()));
    assert_eq!(segments(home, "log/*2.binlog").len(), 1);
}

#[test]
fn a_segment_is_active_unclosed_torn_damaged_or_compressed() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let (first, second) = (home.join("log/default.0000000001.binlog"), home.join("log/default.0000000002.binlog"));

    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "log"]));
    writer.stdin.as_mut().unwrap().write_all(b"six\n").unwrap();
    until("the record is there", || segments(home, "log")[1]["records"] == 3);
    assert_eq!(states(&segments(home, "log")), ["closed", "active"]);
    finish(writer).ok();
    assert_eq!(states(&segments(home, "log")), ["closed", "closed"]);

    // Without its trailer, as a writer that ended without closing leaves it.
    let whole = fs::read(&second).unwrap();
    let index = binlog(home, &["index", "--json", "log"]).ok().json();
    let blocks = index["segments"][1]["index_blocks"].as_array().unwrap();
    let end = blocks.last().unwrap()["to"].as_u64().unwrap() as usize;
    fs::write(&second, &whole[..end]).unwrap();
    let all = segments(home, "log");
    assert_eq!((states(&all), &all[1]["records"]), (vec!["closed", "unclosed"], &3.into()));

    // A torn tail is reported, also by the exit status; what is before it is listed.
    fs::write(&second, [&whole[..end], &whole[end - 40..end - 10]].concat()).unwrap();
    let ran = binlog(home, &["ls", "--json", "log"]).exits(3);
    assert_eq!(states(ran.json()["segments"].as_array().unwrap()), ["closed", "torn"]);
    assert!(ran.err.contains("torn tail"), "{}", ran.err);
    fs::write(&second, &whole).unwrap();

    // So does a beginning that cannot be read.
    let first_whole = fs::read(&first).unwrap();
    let mut damaged = first_whole.clone();
    damaged[30] ^= 1;
    fs::write(&first, damaged).unwrap();
    let ran = binlog(home, &["ls", "--json", "log"]).exits(3);
    assert_eq!(states(ran.json()["segments"].as_array().unwrap()), ["damaged", "closed"]);
    assert!(ran.err.contains("default.0000000001.binlog"), "{}", ran.err);
    fs::write(&first, first_whole).unwrap();

    let packed = gzip(&fs::read(&first).unwrap());
    fs::write(&first, packed).unwrap();
    let all = segments(home, "log");
    assert_eq!(
        (states(&all), &all[0]["records"], &all[0]["bytes"]),
        (vec!["compressed", "closed"], &3.into(), &Value::Null)
    );
    let ran = binlog(home, &["ls", "log"]).ok();
    let fields: Vec<&str> = ran.text().lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(fields, ["default.0000000001.binlog", "compressed", "-", "-", "-", "3", "-"]);
}

#[test]
fn a_log_without_a_writer_is_rolled() {
    let home = tempdir().unwrap();
    let home = home.path();
    let append = ["append", "-q", "log", "--name", "orders"];
    binlog_with(home, &append, b"one\n").ok();
    let file = home.join("log/orders.0000000001.binlog");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    let ran = binlog(home, &["roll", "--reason", "before the upgrade", "log"]).ok();
    assert!(ran.err.contains("orders.0000000001.binlog is closed; the log goes on in"), "{}", ran.err);
    assert!(ran.err.contains("orders.0000000002.binlog"), "{}", ran.err);
    // The new one is what the old one was.
    let mode = fs::metadata(home.join("log/orders.0000000002.binlog")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o664);

    let ran = binlog(home, &["roll", "log"]).ok();
    assert!(ran.err.contains("nothing to roll"), "{}", ran.err);
    assert_eq!(segments(home, "log").len(), 2);

    binlog_with(home, &append, b"two\n").ok();
    binlog_with(home, &["append", "-q", "log", "--name", "other"], b"x\n").ok();
    let ran = binlog(home, &["roll", "log"]).exits(1);
    assert!(ran.err.contains("several logs") && ran.err.contains("orders, other"), "{}", ran.err);
    binlog(home, &["roll", "log", "--name", "orders"]).ok();
    assert_eq!(binlog(home, &["roll", "log", "--name", "none"]).exits(1).err.matches("no log called").count(), 1);
    binlog(home, &["verify", "log"]).ok();
    assert_eq!(binlog(home, &["cat", "log/orders*.binlog"]).ok().text(), "one\ntwo\n");
}

#[test]
fn a_log_that_is_being_written_is_not_rolled_by_another() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "log"]));
    writer.stdin.as_mut().unwrap().write_all(b"one\n").unwrap();
    until("the record is there", || binlog(home, &["cat", "log"]).out == b"one\n");
    let ran = binlog(home, &["roll", "log"]).exits(1);
    assert!(ran.err.contains("a writer that has the log open rolls it itself"), "{}", ran.err);
    finish(writer).ok();
    assert_eq!(segments(home, "log").len(), 1);
}

#[test]
fn what_is_no_log_of_segments_is_not_rolled() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--single-file", "one.binlog"], b"one\n").ok();
    assert!(binlog(home, &["roll", "one.binlog"]).exits(1).err.contains("is no directory"));
    assert!(binlog(home, &["roll", "missing"]).exits(1).err.contains("no such directory"));
    assert!(!home.join("missing").exists());
    binlog(home, &["roll", "--reason", "", "one.binlog"]).exits(2);
    let both = ["append", "--single-file", "one.binlog", "--period", "HOUR"];
    assert!(binlog(home, &both).exits(2).err.contains("does not roll"));
    for wrong in
        [["--period", "WEEKLY"], ["--age", "10"], ["--keep", "1y"], ["--keep-segments", "0"], ["--require", "x"]]
    {
        binlog(home, &["append", "log", wrong[0], wrong[1]]).exits(2);
    }
    assert!(binlog(home, &["prune", "log"]).exits(2).err.contains("--keep"));
    assert!(!home.join("log").exists());
}

#[test]
fn stray_files_are_noted_and_are_nothing_wrong() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let whole = binlog(home, &["ls", "log"]).ok();
    assert!(!whole.text().contains("note: "), "{}", whole.text());
    fs::write(home.join("log/README.binlog"), "about this log\n").unwrap();
    fs::write(home.join("log/default.0000000003.binlog"), "").unwrap();
    binlog_with(home, &["append", "-q", "--name", "orders", "log"], b"one\n").ok();
    let (stray, leftover) = ("log/README.binlog", "log/default.0000000003.binlog");
    for asked in ["ls", "verify"] {
        let ran = binlog(home, &[asked, "log"]).ok();
        for path in [stray, leftover] {
            assert_eq!(ran.text().matches(&format!("note: {path}: ")).count(), 1, "{asked}: {}", ran.text());
        }
        assert!(ran.err.is_empty(), "{asked}: {}", ran.err);
        let json = binlog(home, &[asked, "--json", "log"]).ok();
        let first: Value = serde_json::from_str(json.text().lines().next().unwrap()).unwrap();
        assert_eq!((&first["strays"][0], &first["leftovers"][0]), (&stray.into(), &leftover.into()), "{first}");
    }
    assert!(binlog(home, &["ls", "log"]).ok().text().contains("note: 2 logs are here: default, orders\n"));
}

#[test]
fn a_segment_of_which_nothing_is_left_is_reported() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let first = home.join("log/default.0000000001.binlog");
    fs::write(&first, vec![7; fs::metadata(&first).unwrap().len() as usize]).unwrap();
    let ran = binlog(home, &["ls", "log"]).exits(3);
    assert!(ran.err.contains("default.0000000001.binlog") && ran.text().contains("0000000002"), "{}", ran.err);
}
