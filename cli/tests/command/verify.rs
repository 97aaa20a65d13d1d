//! `binlog verify`: every finding exactly, also those after damage, and no false alarm.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::common::{binlog, binlog_with, command, finish, kill, piped, until};
use serde_json::{json, Value};
use tempfile::{tempdir, TempDir};

const RECORDS: u64 = 30_000;

fn make(home: &Path) {
    let input: String = (1..=RECORDS).map(|i| format!("line number {i}\n")).collect();
    binlog_with(home, &["append", "-q", "--segment-size", "128KiB", "log"], input.as_bytes()).ok();
}

fn home() -> TempDir {
    let home = tempdir().unwrap();
    make(home.path());
    home
}

fn segment(home: &Path, sequence: u64) -> PathBuf {
    home.join(format!("log/default.{sequence:010}.binlog"))
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn verdict(home: &Path, code: i32) -> Value {
    binlog(home, &["verify", "--json", "log"]).exits(code).json()
}

/// The verdict of each log in the directory, by name.
fn verdicts(home: &Path, code: i32) -> Vec<Value> {
    let ran = binlog(home, &["verify", "--json", "log"]).exits(code);
    let mut verdicts: Vec<Value> = ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    verdicts.sort_by_key(|verdict| verdict["log"].as_str().unwrap().to_owned());
    verdicts
}

fn kinds(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

/// Asserts that the records that were read and those that are reported as lost are all that were written.
#[track_caller]
fn assert_all_reported(verdict: &Value) {
    let number = |value: &Value| value.as_u64().unwrap();
    let lost: u64 =
        verdict["findings"].as_array().unwrap().iter().map(|finding| number(&finding["lost_records"])).sum();
    assert_eq!((number(&verdict["records"]) + lost, number(&verdict["lost_records"])), (RECORDS, lost), "{verdict}");
}

/// Offset of the last INDEX block of a segment that was closed, from its trailer.
fn last_index(bytes: &[u8]) -> usize {
    let trailer = bytes.len() - 104;
    u64::from_le_bytes(bytes[trailer + 64..trailer + 72].try_into().unwrap()) as usize
}

#[test]
fn several_damaged_places_in_one_segment_are_all_reported() {
    let home = home();
    let home = home.path();
    change(&segment(home, 2), |bytes| [50_000, 80_000, 110_000].iter().for_each(|&at| bytes[at] ^= 1));
    let verdict = verdict(home, 3);
    assert_eq!(kinds(&verdict), ["damage"; 3]);
    assert_all_reported(&verdict);
    for finding in verdict["findings"].as_array().unwrap() {
        assert_eq!((&finding["unread_bytes"], &finding["pages"]), (&json!(4096), &json!(1)), "{finding}");
        assert!(finding["reason"].as_str().unwrap().starts_with("page "), "{finding}");
    }
    let ran = binlog(home, &["verify", "log"]).exits(3);
    assert_eq!(ran.text().lines().count(), 4);
    assert!(ran.text().lines().skip(1).all(|line| line.contains(" lost (")));
}

#[test]
fn a_damaged_beginning_costs_no_record() {
    let home = home();
    let home = home.path();
    for sequence in [1, 3] {
        change(&segment(home, sequence), |bytes| bytes[3] ^= 1);
    }
    let verdict = verdict(home, 3);
    assert_eq!((kinds(&verdict), &verdict["records"]), (vec!["header_lost"; 2], &json!(RECORDS)), "{verdict}");
    assert_eq!(verdict["findings"][0]["offset"], 0);
}

#[test]
fn a_damaged_index_and_trailer_cost_no_record() {
    let home = home();
    let home = home.path();
    change(&segment(home, 1), |bytes| {
        let index = last_index(bytes);
        bytes[index + 90] ^= 1;
    });
    change(&segment(home, 2), |bytes| {
        let trailer = bytes.len() - 104;
        bytes[trailer + 40] ^= 1;
    });
    let verdict = verdict(home, 3);
    assert_eq!((kinds(&verdict), &verdict["records"]), (vec!["index", "damage"], &json!(RECORDS)), "{verdict}");
    assert_eq!(verdict["lost_records"], 0);
}

/// CRC-32/ISO-HDLC, continued from `seed`.
fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
    !bytes.iter().fold(!seed, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// Corrects the checksums of the block at `at`, which has no payload.
fn mend(bytes: &mut [u8], at: usize) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (marker, entries) = (word(at), word(at + 20) as usize);
    let meta = crc(marker, &bytes[at + 80..at + 80 + entries]);
    bytes[at + 72..at + 76].copy_from_slice(&meta.to_le_bytes());
    bytes[at + 8..at + 12].fill(0);
    let header = crc(at as u32, &bytes[at..at + 80]);
    bytes[at + 8..at + 12].copy_from_slice(&header.to_le_bytes());
}

/// Changes an INDEX block: its bytes, where it begins, and where the last number 77 in it is.
type Lie = fn(&mut [u8], usize, usize);

#[test]
fn an_index_that_lies_under_good_checksums_is_a_finding_without_loss() {
    let home = tempdir().unwrap();
    let home = home.path();
    for type_of in ["7", "8"] {
        binlog_with(home, &["append", "-q", "--type", type_of, "log"], &b"x\n".repeat(77)).ok();
    }
    let path = segment(home, 1);
    let whole = fs::read(&path).unwrap();
    let index = last_index(&whole);
    let entries = index + 80..whole.len() - 104;
    let totals = whole[entries.clone()].iter().rposition(|&byte| byte == 77).unwrap() + entries.start;
    let lies: [(&str, Lie); 2] = [
        ("the index counts ", |bytes, _, totals| bytes[totals] = 76),
        ("is of another time", |bytes, index, _| bytes.copy_within(index + 40..index + 48, index + 48)),
    ];
    for (reason, lie) in lies {
        let mut bytes = whole.clone();
        lie(&mut bytes, index, totals);
        mend(&mut bytes, index);
        fs::write(&path, &bytes).unwrap();
        let verdict = verdict(home, 3);
        assert_eq!((kinds(&verdict), &verdict["records"]), (vec!["index"], &json!(154)), "{verdict}");
        assert!(verdict["findings"][0]["reason"].as_str().unwrap().contains(reason), "{verdict}");
        assert_eq!((&verdict["lost_records"], &verdict["end"]), (&json!(0), &json!("closed")));
        assert!(binlog(home, &["verify", "log"]).exits(3).text().contains("(no record is lost)"));
    }
    // With checksums as a writer computes them.
    let mut bytes = whole.clone();
    mend(&mut bytes, index);
    assert!(bytes == whole);
}

#[test]
fn missing_doubled_and_foreign_segments_are_reported() {
    let home = home();
    let home = home.path();
    let other = tempdir().unwrap();
    make(other.path());
    fs::copy(segment(home, 2), home.join("log/a copy.binlog")).unwrap();
    let seen = verdict(home, 3);
    assert_eq!((kinds(&seen), &seen["records"]), (vec!["double"], &json!(RECORDS)), "{seen}");
    assert!(seen["findings"][0]["file"].as_str().unwrap().ends_with("a copy.binlog"));
    fs::remove_file(home.join("log/a copy.binlog")).unwrap();

    fs::rename(segment(home, 2), home.join("kept")).unwrap();
    let seen = verdict(home, 3);
    assert_eq!(kinds(&seen), ["missing"]);
    assert_all_reported(&seen);

    // A segment of another log in its place is a log of its own, and does not fill the gap.
    fs::copy(segment(other.path(), 2), segment(home, 2)).unwrap();
    let seen = verdicts(home, 3);
    let with_losses = seen.iter().filter(|one| one["lost_records"].as_u64().unwrap() > 5_000);
    assert_eq!((seen.len(), with_losses.count()), (2, 1), "{seen:?}");
    assert!(seen.iter().all(|one| kinds(one).contains(&"missing")), "{seen:?}");
    fs::rename(home.join("kept"), segment(home, 2)).unwrap();
    verdict(home, 0);
}

#[test]
fn each_log_of_a_directory_must_have_its_end() {
    let home = home();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--name", "other", "log"], b"one\n").ok();
    let seen = verdicts(home, 0);
    let logs: Vec<_> =
        seen.iter().map(|one| (one["log"].clone(), one["records"].clone(), one["files"].clone())).collect();
    assert_eq!(logs, [(json!("default"), json!(RECORDS), json!(4)), (json!("other"), json!(1), json!(1))]);
    fs::remove_file(segment(home, 4)).unwrap();
    let seen = verdicts(home, 3);
    assert_eq!((kinds(&seen[0]), &seen[0]["end"]), (vec!["missing"], &json!("closed")), "{seen:?}");
    assert_eq!(seen[0]["findings"][0]["reason"], "the log goes on in default.0000000004.binlog, which is not here");
    assert_eq!((kinds(&seen[1]), &seen[1]["verdict"], &seen[1]["end"]), (vec![], &json!("whole"), &json!("closed")));
    let ran = binlog(home, &["verify", "log"]).exits(3);
    assert!(
        ran.text().contains("log: log default: damaged") && ran.text().contains("log: log other: whole"),
        "{}",
        ran.text()
    );
}

#[test]
fn a_torn_tail_is_distinguished_from_damage() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "log"]));
    writer.stdin.as_mut().unwrap().write_all(b"one\ntwo\nthree\n").unwrap();
    until("the records can be read", || binlog(home, &["cat", "log"]).out == b"one\ntwo\nthree\n");
    kill(writer.id() as libc::pid_t, libc::SIGKILL);
    finish(writer);
    let ran = binlog(home, &["verify", "log"]).ok();
    assert!(ran.text().starts_with("log: whole, not closed: 3 records"), "{}", ran.text());
    let path = segment(home, 1);
    let whole = fs::read(&path).unwrap();
    for cut in 1..40 {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let seen = verdict(home, 3);
        assert_eq!((kinds(&seen), &seen["verdict"], &seen["end"]), (vec!["torn_tail"], &json!("torn"), &json!("torn")));
        assert_eq!((&seen["records"], &seen["findings"][0]["durable"]), (&json!(2), &json!(false)), "{seen}");
    }
    let ran = binlog(home, &["verify", "log"]).exits(3);
    assert!(ran.text().starts_with("log: torn by a crash, otherwise whole: 2 records"), "{}", ran.text());
    assert!(ran.text().contains("(torn tail)"), "{}", ran.text());
    // The same bytes with something good behind them are damage.
    let second = whole.windows(3).position(|bytes| bytes == b"two").unwrap();
    fs::write(&path, &whole).unwrap();
    change(&path, |bytes| bytes[second] ^= 1);
    let seen = verdict(home, 3);
    assert_eq!((kinds(&seen), &seen["records"], &seen["verdict"]), (vec!["damage"], &json!(2), &json!("damaged")));
    assert_eq!((&seen["findings"][0]["first_lost_id"], &seen["findings"][0]["last_lost_id"]), (&json!(2), &json!(2)));
}

#[test]
fn a_hole_that_an_opening_alone_names_is_the_only_finding_and_is_recovered() {
    let home = tempdir().unwrap();
    let home = home.path();
    let lines: String = (1..=6).map(|i| format!("record {i} of six\n")).collect();
    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "log"]));
    writer.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    until("the records can be read", || binlog(home, &["cat", "log"]).out == lines.as_bytes());
    kill(writer.id() as libc::pid_t, libc::SIGKILL);
    finish(writer);
    change(&segment(home, 1), |bytes| {
        let third = bytes.windows(8).position(|at| at == b"record 3").unwrap();
        bytes[third] ^= 1;
    });
    binlog(home, &["append", "-q", "log"]).ok();
    let found = verdict(home, 3);
    assert_eq!(
        (kinds(&found), &found["records"], &found["lost_records"]),
        (vec!["hole"], &json!(5), &json!(1)),
        "{found}"
    );
    binlog(home, &["recover", "log", "saved"]).exits(3);
    binlog(home, &["verify", "saved"]).ok();
    binlog(home, &["recover", "--in-place", "log"]).exits(3);
    assert_eq!(verdict(home, 0)["records"], json!(5));
}

#[test]
fn a_log_gives_no_false_alarm_while_a_writer_appends_rolls_and_closes() {
    let home = tempdir().unwrap();
    let home = home.path();
    let (mut rounds, mut live) = (0, 0);
    for codec in ["none", "lz4", "none", "zstd"] {
        let args = ["append", "-q", "--codec", codec, "--flush-every", "100", "--segment-size", "256KiB", "log"];
        let mut writer = piped(&mut command(home, &args));
        let mut stdin = writer.stdin.take().unwrap();
        let feeding = std::thread::spawn(move || {
            for i in 0..12_000u32 {
                let noise: String = (0..40).map(|k| char::from(b'a' + (i.wrapping_mul(k + 7) % 26) as u8)).collect();
                writeln!(stdin, "{i} {noise}").unwrap();
            }
        });
        until("the log is there", || home.join("log/default.0000000001.binlog").is_file());
        let mut ended = false;
        while !ended {
            ended = feeding.is_finished() && writer.try_wait().unwrap().is_some();
            let ran = binlog(home, &["verify", "log", "--json"]);
            // Before its first segment is begun there is no log yet.
            if ran.code == Some(1) && rounds == 0 {
                continue;
            }
            assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.err);
            let verdict = ran.json();
            live += u64::from(verdict["end"] == "live");
            rounds += 1;
        }
        feeding.join().unwrap();
        finish(writer).ok();
    }
    let verdict = verdict(home, 0);
    assert_eq!((&verdict["records"], &verdict["end"]), (&json!(48_000), &json!("closed")));
    assert!(rounds > 4 && live > 0, "{rounds} rounds, {live} of them beside a writer");
}

#[test]
fn findings_do_not_depend_on_whether_they_are_read() {
    let home = home();
    let home = home.path();
    change(&segment(home, 1), |bytes| bytes[50_000] ^= 1);
    let mut child = piped(&mut command(home, &["verify", "log"]));
    drop(child.stdout.take());
    assert_eq!(finish(child).exits(3).err, "");
}

#[test]
fn segments_that_are_removed_while_verify_reads_are_no_damage() {
    let home = tempdir().unwrap();
    let input: String = (1..=400_000u64).map(|i| format!("{i}\n")).collect();
    binlog_with(home.path(), &["append", "-q", "--records", "2000", "log"], input.as_bytes()).ok();
    // Depending on how far it has come, it has read all, or sees a log that begins later: one of the attempts meets it
    // in the middle.
    let _ = (0..30).any(|attempt| {
        let log = format!("copy{attempt}");
        fs::create_dir(home.path().join(&log)).unwrap();
        for entry in fs::read_dir(home.path().join("log")).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, home.path().join(&log).join(from.file_name().unwrap())).unwrap();
        }
        verified_beside_prune(home.path(), &log, 5 * attempt).contains(" were removed with old segments meanwhile")
    });
}

/// What `verify` reports of a whole log whose old segments are removed so many milliseconds after it has seen the
/// beginnings of most of them.
fn verified_beside_prune(home: &Path, log: &str, millis: u64) -> String {
    let mut child = piped(&mut command(home, &["verify", log]));
    let pid = child.id() as libc::pid_t;
    let has_open = |numbers: std::ops::Range<u64>| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let names = open.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.file_name()?.to_owned()));
        let is_among =
            |name: &std::ffi::OsString| numbers.clone().any(|number| *name == *format!("default.{number:010}.binlog"));
        names.filter(is_among).count() > 0
    };
    let began = std::time::Instant::now();
    while !has_open(120..180) && child.try_wait().unwrap().is_none() && began.elapsed().as_secs() < 20 {}
    std::thread::sleep(std::time::Duration::from_millis(millis));
    kill(pid, libc::SIGSTOP);
    let pruned = binlog(home, &["prune", "--keep-segments", "2", log]);
    kill(pid, libc::SIGCONT);
    let verified = finish(child);
    pruned.ok();
    let text = verified.exits(0);
    assert!(text.text().starts_with(&format!("{log}: whole: ")), "{}", text.text());
    binlog(home, &["verify", log]).ok();
    text.text().to_owned()
}
