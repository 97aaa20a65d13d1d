//! `binlog import`: legacy files become a log, also when the import is stopped, and nothing else is touched.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{binlog, command, piped, PATIENCE};
use serde_json::Value;
use tempfile::tempdir;

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/legacy").join(name);
    path.to_str().unwrap().to_owned()
}

/// What `cat` shows of each record, without ids and with names for types.
fn records(home: &Path, path: &str) -> Vec<Value> {
    let ran = binlog(home, &["cat", "--format", "json", path]);
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.err);
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn samples() -> Vec<String> {
    let folders = ["java", "maplogger", "shoebox"].map(|folder| fs::read_dir(data(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<String> =
        files.filter(|path| is_sample(path.as_path())).map(|path| path.to_str().unwrap().to_owned()).collect();
    files.sort();
    files
}

fn is_sample(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|end| end != "json")
}

#[test]
fn each_sample_becomes_a_log_with_the_same_records() {
    let home = tempdir().unwrap();
    let home = home.path();
    let samples = samples();
    assert_eq!(samples.len(), 14);
    for (i, sample) in samples.iter().enumerate() {
        let log = format!("log{i}");
        let ran = binlog(home, &["import", sample, &log]);
        let torn = sample.contains("torn");
        let ran = ran.exits(if torn { 3 } else { 0 });
        assert_eq!(ran.err.contains("torn tail of"), torn, "{sample}: {}", ran.err);
        assert!(ran.text().contains("the log holds what the files do"), "{}", ran.text());
        assert_eq!(records(home, &log), records(home, sample), "{sample}");
        binlog(home, &["verify", &log]).ok();
    }
}

#[test]
fn several_sources_follow_one_another_and_name_their_origin() {
    let home = tempdir().unwrap();
    let home = home.path();
    let sources = ["java/rolled", "maplogger/closed.log", "shoebox/test_*.events"].map(data);
    let args: Vec<&str> = ["import", "--name", "all", "--codec", "zstd"]
        .into_iter()
        .chain(sources.iter().map(String::as_str))
        .chain(["log"])
        .collect();
    binlog(home, &args).ok();
    let mut expected: Vec<Value> = sources.iter().flat_map(|source| records(home, source)).collect();
    for (record, id) in expected.iter_mut().zip(1u64..) {
        record["id"] = id.into();
    }
    assert_eq!(records(home, "log"), expected);
    let info = binlog(home, &["info", "--json", "log"]).ok().json().to_string();
    assert!(info.contains("legacy.format") && info.contains("import.id"), "{info}");
    // Old events are kept if they are true of the new log, too.
    let events = binlog(home, &["cat", "--events", "--format", "json", "log"]).ok();
    let imported = events.text().lines().filter(|line| line.contains("\"imported\"")).count();
    assert_eq!(imported, 3);
}

#[test]
fn a_dry_run_reports_what_is_there_and_writes_nothing() {
    let home = tempdir().unwrap();
    let home = home.path();
    let ran = binlog(home, &["import", "--dry-run", &data("maplogger/closed.log")]).ok();
    assert!(ran.text().contains("records   60") && !ran.text().contains("verified"), "{}", ran.text());
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
    binlog(home, &["import", &data("maplogger/closed.log")]).exits(1);
    binlog(home, &["import", "nothing-here", "log"]).exits(1);
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
}

#[test]
fn a_log_that_no_import_of_these_files_began_is_left_alone() {
    let home = tempdir().unwrap();
    let home = home.path();
    crate::common::binlog_with(home, &["append", "-q", "--name", "closed", "native"], b"one\n").ok();
    binlog(home, &["import", &data("maplogger/closed.log"), "imported"]).ok();
    for (source, log) in [("maplogger/closed.log", "native"), ("maplogger/reopened.log", "imported")] {
        let before = records(home, log);
        let ran = binlog(home, &["import", &data(source), log]).exits(1);
        assert!(ran.err.contains("was not begun by an import of these files"), "{}", ran.err);
        assert_eq!(records(home, log), before);
    }
}

/// A file of the Python logger with so many records.
fn large(path: &Path, records: u64, closed: bool) {
    let mut file = b"MapLogger_v1.0".to_vec();
    for i in 0..records {
        let (class, payload) = (format!("Class{}", i % 7), format!("{i} ").repeat(40));
        for part in [class.as_bytes(), payload.as_bytes()] {
            file.extend_from_slice(&(part.len() as u64).to_be_bytes());
            file.extend_from_slice(part);
        }
    }
    if closed {
        let map = file.len() as u64;
        file.extend_from_slice(b"}.");
        file.extend_from_slice(&map.to_be_bytes());
        file.extend_from_slice(b"MapLogger_v1.0");
    }
    fs::write(path, file).unwrap();
}

#[test]
fn an_import_that_was_killed_continues_where_it_was_and_one_that_is_done_takes_what_came_since() {
    let home = tempdir().unwrap();
    let home = home.path();
    large(&home.join("old.log"), 200_000, false);
    let segment = home.join("log/old.0000000001.binlog");
    for round in 1..=4u64 {
        let mut child = piped(&mut command(home, &["import", "old.log", "log"]));
        let begun = Instant::now();
        let len = || fs::metadata(&segment).map_or(0, |facts| facts.len());
        while len() < round * 5_000_000 && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the log does not grow");
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    let ran = binlog(home, &["import", "old.log", "log"]).ok();
    assert!(ran.text().contains("records   200,000") && ran.text().contains("were there before"), "{}", ran.text());
    binlog(home, &["verify", "log"]).ok();
    large(&home.join("old.log"), 200_100, true);
    let ran = binlog(home, &["import", "old.log", "log"]).ok();
    assert!(
        ran.text().contains("records   200,100") && ran.text().contains("200,000 were there before"),
        "{}",
        ran.text()
    );
    // A changed source is noticed.
    let mut bytes = fs::read(home.join("old.log")).unwrap();
    bytes[100] ^= 1;
    fs::write(home.join("old.log"), bytes).unwrap();
    let ran = binlog(home, &["import", "old.log", "log"]).exits(1);
    assert!(ran.err.contains("its sources"), "{}", ran.err);
}

#[test]
fn an_import_whose_log_was_cut_within_its_last_block_continues() {
    let home = tempdir().unwrap();
    let home = home.path();
    large(&home.join("old.log"), 22, false);
    for cut in [1, 100, 1000] {
        binlog(home, &["import", "old.log", "log"]).ok();
        let segment = home.join("log/old.0000000001.binlog");
        let len = fs::metadata(&segment).unwrap().len();
        // As a crash leaves it: nothing after the beginning of the records' block is whole.
        let shorter = fs::read(&segment).unwrap()[..(len / 2 - cut) as usize].to_vec();
        fs::write(&segment, shorter).unwrap();
        // Nor was the log closed, which its lock file would record.
        fs::remove_file(home.join("log/old.lock")).unwrap();
        let ran = binlog(home, &["import", "old.log", "log"]).ok();
        assert!(ran.text().contains("records   22"), "{}", ran.text());
        // The ids of what was lost are not given again.
        assert_eq!(records(home, "log").len(), 22);
        binlog(home, &["import", "old.log", "log"]).ok();
        fs::remove_dir_all(home.join("log")).unwrap();
    }
}

#[test]
fn what_precedes_damage_is_imported_and_the_damage_reported() {
    let home = tempdir().unwrap();
    let home = home.path();
    large(&home.join("old.log"), 1_000, false);
    let mut bytes = fs::read(home.join("old.log")).unwrap();
    let at = bytes.len() / 2;
    bytes[at..].fill(0xff);
    fs::write(home.join("old.log"), bytes).unwrap();
    let ran = binlog(home, &["import", "old.log", "log"]).exits(1);
    assert!(ran.err.contains("old.log: offset"), "{}", ran.err);
    let kept = records(home, "log").len();
    assert!((400..600).contains(&kept), "{kept}");
}

#[test]
fn payloads_of_events_are_imported() {
    let home = tempdir().unwrap();
    let home = home.path();
    // A file of the Java binlog: a heartbeat with a payload, and a record.
    let mut bytes = b"MFIZZ.COM-BINLOG\x10\x01\x00\x00\x00\x02\x28\x04".to_vec();
    for (id, end, data) in [(1, [0x28, 3], "beat"), (2, [0x18, 7], "record")] {
        let mut header = vec![0x08, id, 0x11];
        header.extend_from_slice(&1_600_000_000_000u64.to_le_bytes());
        header.extend_from_slice(&end);
        bytes.extend_from_slice(&((4 + header.len() + data.len()) as u32).to_be_bytes());
        bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(data.as_bytes());
    }
    fs::write(home.join("old.binlog"), bytes).unwrap();
    binlog(home, &["import", "old.binlog", "log"]).ok();
    let ran = binlog(home, &["cat", "--events", "--format", "json", "log"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let rows: Vec<Value> = ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let beat = rows.iter().find(|row| row["event"] == "HEARTBEAT").unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!((beat["metadata"]["imported"].as_str(), beat["length"].as_u64()), (Some("1"), Some(4)));
    assert!(rows.iter().any(|row| row["text"] == "record"), "{rows:?}");
}
