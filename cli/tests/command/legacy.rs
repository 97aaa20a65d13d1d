//! Directories of legacy files whose writers were killed: every command reports the same about them.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::common::{binlog, command, run, Ran};
use serde_json::{json, Value};
use tempfile::tempdir;

/// A record of the Java binlog in a file whose lengths have two bytes.
fn record(header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    for len in [2 + header.len() + data.len(), header.len()] {
        out.extend_from_slice(&(len as u16).to_be_bytes());
    }
    [&out, header, data].concat()
}

fn text(field: u8, text: &str) -> Vec<u8> {
    [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat()
}

/// An event, which may name a file.
fn event(id: u8, file: Option<&str>) -> Vec<u8> {
    let mut header = vec![5 << 3, id];
    if let Some(file) = file {
        let pair = [text(1, "file"), text(2, file)].concat();
        header.extend_from_slice(&[4 << 3 | 2, pair.len() as u8]);
        header.extend_from_slice(&pair);
    }
    record(&header, b"")
}

const ROTATE_NEXT: u8 = 4;
const CLOSED: u8 = 7;

/// A file of the Java binlog that was created in this millisecond, with so many records and these events behind them.
fn file(created: u64, records: usize, behind: &[Vec<u8>]) -> Vec<u8> {
    let mut header = vec![1 << 3 | 1];
    header.extend_from_slice(&created.to_le_bytes());
    header.extend([text(2, "name"), text(3, "text/plain"), vec![5 << 3, 2]].concat());
    let mut out = [b"MFIZZ.COM-BINLOG".as_slice(), &[0x10, 1], &(header.len() as u32).to_be_bytes(), &header].concat();
    (0..records).for_each(|i| out.extend(record(&[3 << 3, 1], format!("record {i}").as_bytes())));
    behind.iter().for_each(|event| out.extend_from_slice(event));
    out
}

fn torn(created: u64, records: usize) -> Vec<u8> {
    let mut file = file(created, records + 1, &[]);
    file.truncate(file.len() - 3);
    file
}

fn put(home: &Path, files: &[(&str, Vec<u8>)]) {
    fs::create_dir(home.join("old")).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(home.join("old").join(name), bytes).unwrap());
}

fn verdicts(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of each file and its state, as `ls` has them.
fn listed(home: &Path, code: i32) -> Vec<(u64, String)> {
    let segments = binlog(home, &["ls", "--json", "old"]).exits(code).json()["segments"].clone();
    let row = |one: &Value| (one["records"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned());
    segments.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_file_that_was_torn_in_the_middle_of_a_log_is_passed_over_and_reported_by_every_command() {
    let home = tempdir().unwrap();
    let home = home.path();
    let last = file(3, 4, &[event(CLOSED, None)]);
    put(
        home,
        &[
            ("a.20140101-0001.binlog", torn(1, 5)),
            ("a.20140101-0002.binlog", torn(2, 6)),
            ("a.20140101-0003.binlog", last),
        ],
    );
    for command in [&["cat", "old"][..], &["cat", "--salvage", "old"], &["cat", "--reverse", "old"], &["info", "old"]] {
        let ran = binlog(home, command).exits(3);
        let reported: Vec<&str> =
            ran.err.lines().filter(|line| line.contains("the file ends within a record")).collect();
        assert_eq!(reported.len(), 2, "{command:?}: {}", ran.err);
        for file in ["0001", "0002"] {
            let named = reported.iter().filter(|line| line.contains(&format!("a.20140101-{file}.binlog: offset ")));
            assert_eq!(named.count(), 1, "{command:?}: {}", ran.err);
        }
        if command[0] == "cat" {
            assert_eq!(ran.text().lines().count(), 15, "{command:?}");
        }
    }
    assert_eq!(binlog(home, &["info", "--json", "old"]).exits(3).json()["records"], 15);
    let ran = binlog(home, &["verify", "--json", "old"]).exits(3);
    let verdict = &verdicts(&ran)[0];
    let kinds: Vec<_> = verdict["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].clone()).collect();
    assert_eq!(
        (&verdict["verdict"], &verdict["records"], kinds),
        (&json!("torn"), &json!(15), vec![json!("torn_tail"); 2])
    );
    assert_eq!(listed(home, 3), [(5, "torn".to_owned()), (6, "torn".to_owned()), (4, "closed".to_owned())]);
    let ran = binlog(home, &["import", "old", "log"]).exits(3);
    assert!(ran.text().contains("records   15"), "{}", ran.text());
    assert_eq!(ran.err.lines().filter(|line| line.contains("torn tail of ")).count(), 2, "{}", ran.err);
    assert_eq!(binlog(home, &["cat", "log"]).ok().text().lines().count(), 15);
    binlog(home, &["verify", "log"]).ok();
    // Again, it imports nothing, and reports the same.
    assert!(binlog(home, &["import", "old", "log"]).exits(3).text().contains("15 were there before"));
}

#[test]
fn several_logs_in_one_directory_are_each_judged_and_imported() {
    let home = tempdir().unwrap();
    let home = home.path();
    let closed = |created, records| file(created, records, &[event(CLOSED, None)]);
    put(home, &[("a.binlog", torn(1, 5)), ("b.binlog", closed(2, 7)), ("c.binlog", torn(3, 9))]);
    let seen = verdicts(&binlog(home, &["verify", "--json", "old"]).exits(3));
    let verdict_of_each: Vec<_> =
        seen.iter().map(|one| (one["log"].clone(), one["verdict"].clone(), one["records"].clone())).collect();
    let expected = [("a", "torn", 5), ("b", "whole", 7), ("c", "torn", 9)];
    assert_eq!(verdict_of_each, expected.map(|(log, verdict, records)| (json!(log), json!(verdict), json!(records))));
    let ran = binlog(home, &["cat", "old"]).exits(3);
    assert_eq!((ran.text().lines().count(), ran.err.lines().count()), (21, 2), "{}", ran.err);
    let ran = binlog(home, &["import", "old", "log"]).exits(3);
    assert!(ran.text().contains("records   21"), "{}", ran.text());
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    assert_eq!(listed(home, 3), [(5, "torn".to_owned()), (7, "closed".to_owned()), (9, "torn".to_owned())]);
    assert_eq!(binlog(home, &["info", "--json", "old"]).exits(3).json()["records"], 21);
}

#[test]
fn a_torn_log_does_not_hide_the_others_of_its_directory() {
    let home = tempdir().unwrap();
    let home = home.path();
    for log in ["first", "second"] {
        crate::common::binlog_with(home, &["append", "-q", "--name", log, "log"], b"one\ntwo\n").ok();
    }
    let path = home.join("log/first.0000000001.binlog");
    let mut bytes = fs::read(&path).unwrap();
    // After the close, as a writer that was killed after it continued leaves them.
    bytes.extend_from_slice(&[7; 99]);
    fs::write(&path, bytes).unwrap();
    let ran = binlog(home, &["cat", "log"]).exits(3);
    assert_eq!((ran.text(), ran.err.lines().count()), ("one\ntwo\none\ntwo\n", 2), "{}", ran.err);
    assert!(ran.err.contains("first.0000000001.binlog: offset ") && ran.err.contains("99 bytes unread"), "{}", ran.err);
    assert!(ran.err.contains("`binlog verify log` reports"), "{}", ran.err);
    let seen = verdicts(&binlog(home, &["verify", "--json", "log"]).exits(3));
    assert_eq!((&seen[0]["verdict"], &seen[1]["verdict"]), (&json!("torn"), &json!("whole")), "{seen:?}");
}

#[test]
fn a_file_that_names_the_next_and_was_not_closed_is_whole_where_the_next_is() {
    let home = tempdir().unwrap();
    let home = home.path();
    let (one, two) = ("a.20140101-0001.binlog", "a.20140101-0002.binlog");
    put(home, &[(one, file(1, 5, &[event(ROTATE_NEXT, Some(two))])), (two, file(2, 4, &[event(CLOSED, None)]))]);
    for path in ["old", "old/a.20140101-0001.binlog", "old/a.20140101-0002.binlog"] {
        let seen = verdicts(&binlog(home, &["verify", "--json", path]).ok());
        assert_eq!((seen.len(), &seen[0]["verdict"]), (1, &json!("whole")), "{path}");
        binlog(home, &["cat", path]).ok();
        binlog(home, &["info", path]).ok();
    }
    assert_eq!(listed(home, 0), [(5, "closed".to_owned()), (4, "closed".to_owned())]);
    binlog(home, &["import", "old", "log"]).ok();
    fs::remove_file(home.join("old").join(two)).unwrap();
    assert_eq!(listed(home, 0), [(5, "unclosed".to_owned())]);
    for command in ["cat", "info", "verify"] {
        let ran = binlog(home, &[command, "old"]).exits(3);
        assert!(format!("{}{}", ran.text(), ran.err).contains("which is not here"), "{command}: {}", ran.err);
    }
}

/// A record with this time in milliseconds.
fn timed(ms: i64, payload: &[u8]) -> Vec<u8> {
    record(&[&[2 << 3 | 1][..], &ms.to_le_bytes()].concat(), payload)
}

#[test]
fn a_time_that_a_log_does_not_hold_is_kept_in_the_metadata_and_reported() {
    let home = tempdir().unwrap();
    let home = home.path();
    // The last millisecond that fits, the next one, and both on the other side.
    let (last, first) = (i64::MAX / 1_000_000, i64::MIN / 1_000_000);
    let times = [0, last, last + 1, first, first - 1, i64::MAX];
    let records: Vec<_> = times.iter().map(|&ms| timed(ms, b"x")).chain([event(CLOSED, None)]).collect();
    put(home, &[("a.binlog", file(1, 0, &records)), ("b.binlog", file(u64::MAX / 2, 1, &[event(CLOSED, None)]))]);
    let remark = "3 records have a time before 1677 or after 2262, which a log does not hold; the first is record 3. \
                It is in the metadata, as legacy.time_ms";
    for args in [&["import", "--dry-run", "old/a.binlog"][..], &["import", "old/a.binlog", "log"]] {
        let ran = binlog(home, args).ok();
        assert!(ran.err.contains(remark), "{}", ran.err);
    }
    for path in ["old/a.binlog", "log"] {
        let ran = binlog(home, &["cat", "--headers", "--format", "json", path]).ok();
        let kept: Vec<Value> = verdicts(&ran).iter().map(|one| one["metadata"]["legacy.time_ms"].clone()).collect();
        let expected = times.map(|ms| match (first..=last).contains(&ms) {
            true => Value::Null,
            false => json!(ms.to_string()),
        });
        assert_eq!(kept, expected, "{path}");
    }
    let info = binlog(home, &["import", "old/b.binlog", "created"]).ok();
    assert_eq!(info.err, "");
    let info = binlog(home, &["info", "--json", "created"]).ok().json();
    assert_eq!(info["segments"][0]["parameters"]["legacy.created_ms"], json!((u64::MAX / 2).to_string()), "{info}");
}

#[test]
fn rolled_files_are_listed_with_what_they_are() {
    let home = tempdir().unwrap();
    let home = home.path();
    let next = |name: &str| event(ROTATE_NEXT, Some(name));
    let timed_file = |created, times: &[i64], end: Vec<u8>| {
        let records: Vec<_> = times.iter().map(|&ms| timed(ms, b"x")).chain([end]).collect();
        file(created, 0, &records)
    };
    put(
        home,
        &[
            ("a.20140101-0001.binlog", timed_file(1, &[1000, 2000], next("a.20140101-0002.binlog"))),
            ("a.20140101-0002.binlog", file(2, 3, &[event(CLOSED, None)])),
            ("a.20140101-0003.binlog", file(3, 4, &[])),
            ("a.20140101-0004.binlog", torn(4, 5)),
            ("a.active", b"a.20140101-0004.binlog".to_vec()),
        ],
    );
    let ran = binlog(home, &["ls", "old"]).exits(3);
    let rows: Vec<Vec<&str>> = ran.text().lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let of = |row: &[&str]| row[..6].join(" ");
    let seconds = "1970-01-01T00:00:01.000000000Z 1970-01-01T00:00:02.000000000Z";
    assert_eq!(of(&rows[0]), format!("a.20140101-0001.binlog closed - {seconds} 2"));
    // Records that give no time.
    assert_eq!(of(&rows[1]), "a.20140101-0002.binlog closed - - - 3");
    assert_eq!(of(&rows[2]), "a.20140101-0003.binlog unclosed - - - 4");
    assert_eq!(of(&rows[3]), "a.20140101-0004.binlog torn - - - 5");
    let listed = binlog(home, &["ls", "--json", "old"]).exits(3).json();
    let ids: Vec<_> = listed["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["first_id"].clone(), one["last_id"].clone()))
        .collect();
    assert_eq!(ids, [(1, 2), (3, 5), (6, 9), (10, 14)].map(|(first, last)| (json!(first), json!(last))));
    assert_eq!((&listed["segments"][1]["first_time"], &listed["strays"]), (&Value::Null, &json!([])));
}

/// Four records of 300 MiB each, which are holes on the disk, with less memory than one of them takes.
#[test]
fn large_old_files_are_looked_at_in_little_memory() {
    const PAYLOAD: u64 = 300 << 20;
    let home = tempdir().unwrap();
    let home = home.path();
    let header = [3 << 3, 9];
    let java = [
        &((4 + header.len() as u64 + PAYLOAD) as u32).to_be_bytes()[..],
        &(header.len() as u32).to_be_bytes(),
        &header,
    ]
    .concat();
    let start = [b"MFIZZ.COM-BINLOG".as_slice(), &[0x10, 1], &2u32.to_be_bytes(), &[5 << 3, 4]].concat();
    let python = [&4u64.to_be_bytes()[..], b"Long", &PAYLOAD.to_be_bytes()].concat();
    let mut shoebox = [&0x6986_7884u32.to_le_bytes()[..], &1u16.to_le_bytes()].concat();
    for number in [4, PAYLOAD as u32 + 4, 0, 0, PAYLOAD as u32] {
        shoebox.extend_from_slice(&number.to_le_bytes());
    }
    for (name, start, head) in
        [("a.binlog", &start[..], java), ("b.log", b"MapLogger_v1.0", python), ("c.events", b"", shoebox)]
    {
        let mut out = fs::File::create(home.join(name)).unwrap();
        out.write_all(start).unwrap();
        for _ in 0..4 {
            out.write_all(&head).unwrap();
            out.seek(SeekFrom::Current(PAYLOAD as i64)).unwrap();
        }
        let len = out.stream_position().unwrap();
        out.set_len(len).unwrap();
        drop(out);
        for args in [&["info"][..], &["ls"], &["cat", "--headers"], &["cat", "--type", "77"]] {
            let mut command = command(home, &[args, &[name]].concat());
            let limit = libc::rlimit { rlim_cur: PAYLOAD / 2, rlim_max: PAYLOAD / 2 };
            // SAFETY: a plain system call, with a struct that outlives it.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_DATA, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                })
            };
            let ran = run(command, b"").ok();
            let shows = if args.last() == Some(&"77") { "" } else { "4" };
            assert!(ran.text().contains(shows), "{name} {args:?}: {}", ran.text());
        }
    }
}
