//! `binlog recover` and `binlog index`: what can be read is saved, what cannot is reported.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{binlog, binlog_with, command, finish, kill, piped, run, until};
use serde_json::{json, Value};
use tempfile::{tempdir, TempDir};

const RECORDS: usize = 30_000;

fn line(i: usize) -> String {
    format!("line number {i}\n")
}

/// A log of four segments: in the second a page is damaged, and its beginning too; the last one is torn.
fn damaged() -> TempDir {
    let home = tempdir().unwrap();
    let input: String = (1..=RECORDS).map(line).collect();
    binlog_with(home.path(), &["append", "-q", "--segment-size", "128KiB", "log"], input.as_bytes()).ok();
    change(&segment(home.path(), 2), |bytes| {
        bytes[3] ^= 1;
        bytes[60_000] ^= 1;
    });
    change(&segment(home.path(), 4), |bytes| bytes.truncate(bytes.len() - 20));
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

/// Every file of a directory but the lock, with its contents.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.retain(|(name, _)| !name.ends_with(".lock"));
    files.sort();
    files
}

/// Sum of the records in these losses.
fn lost(losses: &Value) -> u64 {
    losses.as_array().unwrap().iter().map(|loss| loss["lost_records"].as_u64().unwrap()).sum()
}

#[test]
fn a_new_log_holds_what_can_be_read_and_the_source_stays() {
    let home = damaged();
    let home = home.path();
    let before = files(&home.join("log"));
    let salvaged = binlog(home, &["cat", "--salvage", "log"]).exits(3).out;
    let report = binlog(home, &["recover", "--json", "log", "saved"]).exits(3).json();
    assert!(files(&home.join("log")) == before);
    assert_eq!((&report["source"], &report["target"]), (&json!("log"), &json!("saved")));
    assert_eq!((&report["in_place"], &report["dry_run"]), (&json!(false), &json!(false)));
    let saved = report["records"].as_u64().unwrap();
    assert_eq!(
        (&report["verified_records"], saved + lost(&report["losses"])),
        (&json!(saved), RECORDS as u64),
        "{report}"
    );
    assert_eq!(report["lost_records"].as_u64().unwrap(), lost(&report["losses"]));
    assert_eq!(report["segments"].as_array().unwrap().len(), 4);
    assert_eq!(report["segments"][0]["target"], "saved/default.0000000001.binlog");
    assert!(binlog(home, &["cat", "saved"]).ok().out == salvaged);
    binlog(home, &["verify", "saved"]).ok();
    // The log itself reports a gap, and a writer continues.
    let events = binlog(home, &["cat", "--events", "-F", "json", "saved"]).ok();
    let gap = events.text().lines().find(|line| line.contains("\"event\":\"RECOVERED\"")).unwrap();
    let gap: Value = serde_json::from_str(gap).unwrap();
    let loss = &report["losses"].as_array().unwrap().iter().find(|loss| loss["lost_records"] != 0).unwrap();
    assert_eq!(gap["metadata"]["first_lost_id"], loss["first_lost_id"].to_string());
    assert_eq!(gap["metadata"]["last_lost_id"], loss["last_lost_id"].to_string());
    binlog_with(home, &["append", "-q", "saved"], b"after\n").ok();
    assert_eq!(binlog(home, &["cat", "--last", "1", "saved"]).ok().text(), "after\n");
}

#[test]
fn in_place_the_damaged_files_are_kept_and_a_second_call_finds_nothing_to_do() {
    let home = damaged();
    let home = home.path();
    let before = files(&home.join("log"));
    let salvaged = binlog(home, &["cat", "--salvage", "log"]).exits(3).out;
    // A writer refuses a log with a damaged beginning or middle only if it reads there; the error says what to do.
    change(&segment(home, 4), |bytes| bytes[3] ^= 1);
    let refused = binlog_with(home, &["append", "-q", "log"], b"after\n").exits(1);
    assert!(refused.err.contains("`binlog verify log`") && refused.err.contains("`binlog recover --in-place log`"));
    change(&segment(home, 4), |bytes| bytes[3] ^= 1);

    let ran = binlog(home, &["recover", "--in-place", "log"]).exits(3);
    assert!(ran.text().contains(" saved in 2 files, ") && ran.text().contains(" is whole: "), "{}", ran.text());
    let after = files(&home.join("log"));
    for name in ["default.0000000002.binlog", "default.0000000004.binlog"] {
        let old = &before.iter().find(|(before, _)| before == name).unwrap().1;
        let kept = &after.iter().find(|(after, _)| *after == format!("{name}.damaged")).unwrap().1;
        assert!(old == kept, "{name}");
    }
    assert!(binlog(home, &["cat", "log"]).ok().out == salvaged);
    binlog(home, &["verify", "log"]).ok();
    let again = binlog(home, &["recover", "--in-place", "log"]).ok();
    assert!(again.text().starts_with("nothing to write anew, nothing lost\n"), "{}", again.text());
    assert!(files(&home.join("log")) == after);
}

#[test]
fn a_writer_continues_in_a_log_that_was_recovered() {
    for missing in [false, true] {
        let home = damaged();
        let home = home.path();
        if missing {
            fs::remove_file(segment(home, 2)).unwrap();
        }
        binlog(home, &["recover", "log", "saved"]).exits(3);
        binlog(home, &["recover", "--in-place", "log"]).exits(3);
        for log in ["log", "saved"] {
            binlog_with(home, &["append", "-q", log], b"after\n").ok();
            assert_eq!(binlog(home, &["cat", "--last", "1", log]).ok().text(), "after\n");
            binlog(home, &["verify", log]).ok();
        }
    }
}

#[test]
fn a_dry_run_reports_the_losses_and_writes_nothing() {
    let home = damaged();
    let home = home.path();
    let before = files(&home.join("log"));
    let dry = binlog(home, &["recover", "--dry-run", "--json", "log"]).exits(3).json();
    assert!(files(&home.join("log")) == before && fs::read_dir(home).unwrap().count() == 1);
    for more in [&["--in-place"][..], &["saved"]] {
        let ran = binlog(home, &[&["recover", "--dry-run", "log"], more].concat()).exits(3);
        assert!(ran.text().ends_with("; nothing was written\n"), "{}", ran.text());
        assert!(files(&home.join("log")) == before && fs::read_dir(home).unwrap().count() == 1);
    }
    let wet = binlog(home, &["recover", "--json", "log", "saved"]).exits(3).json();
    for what in ["losses", "records", "lost_records"] {
        assert_eq!(dry[what], wet[what], "{what}");
    }
}

#[test]
fn a_whole_log_is_copied_with_exit_0() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--type", "greeting", "log"], b"one\ntwo\n").ok();
    let ran = binlog(home, &["recover", "log", "saved"]).ok();
    assert!(ran.text().starts_with("2 records saved in 1 file, nothing lost\n"), "{}", ran.text());
    assert_eq!(binlog(home, &["cat", "--type", "greeting", "saved"]).ok().text(), "one\ntwo\n");
    assert_eq!(files(&home.join("saved")).len(), 1);
    binlog(home, &["recover", "--no-verify", "log/*.binlog", "other"]).ok();
    binlog(home, &["recover", "log/default.0000000001.binlog", "third"]).ok();
    let report = binlog(home, &["recover", "--json", "--in-place", "log"]).ok().json();
    assert_eq!((&report["segments"], &report["losses"], &report["target"]), (&json!([]), &json!([]), &json!(null)));
}

#[test]
fn what_cannot_be_done_is_refused_and_leaves_nothing_behind() {
    let home = damaged();
    let home = home.path();
    fs::write(home.join("text"), "no log at all").unwrap();
    for source in ["missing", "text", "."] {
        let ran = binlog(home, &["recover", source, "saved"]).exits(1);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(!home.join("saved").exists(), "{source}");
        binlog(home, &["recover", "--in-place", source]).exits(1);
        binlog(home, &["recover", "--dry-run", source]).exits(1);
    }
    let report = binlog(home, &["recover", "--json", "missing", "saved"]).exits(1).json();
    assert_eq!(report["losses"], json!([]));
    assert!(report["error"].as_str().unwrap().contains("missing"), "{report}");
    for target in ["log", "text"] {
        let before = files(&home.join("log"));
        binlog(home, &["recover", "log", target]).exits(1);
        assert!(files(&home.join("log")) == before);
    }
    let ran = binlog(home, &["recover", "log", "log"]).exits(1);
    assert!(ran.err.contains("holds segments already"), "{}", ran.err);
    binlog(home, &["recover", "--in-place", "log/*.binlog"]).exits(1);
    // A writer has the log open.
    let mut writer = piped(&mut command(home, &["append", "-q", "live"]));
    until("the log is there", || home.join("live/default.0000000001.binlog").is_file());
    until("it is locked", || {
        let ran = binlog(home, &["recover", "--in-place", "live"]);
        ran.code == Some(1) && ran.err.contains("has the log open")
    });
    let ran = binlog(home, &["index", "--rebuild", "live"]).exits(1);
    assert!(ran.err.contains("has the log open"), "{}", ran.err);
    drop(writer.stdin.take());
    finish(writer).ok();
}

/// 40 MB, so that there is time to stop the work.
fn large() -> TempDir {
    let home = tempdir().unwrap();
    let input = format!("{}\n", "some text that fills a line ".repeat(35)).repeat(40_000);
    binlog_with(home.path(), &["append", "-q", "--segment-size", "2MiB", "log"], input.as_bytes()).ok();
    change(&segment(home.path(), 1), |bytes| bytes[500_000] ^= 1);
    home
}

#[test]
fn a_recovery_that_is_stopped_leaves_the_source_and_the_next_one_says_so() {
    let home = large();
    let home = home.path();
    let before = files(&home.join("log"));
    let stopped = || {
        let child = piped(&mut command(home, &["recover", "log", "saved"]));
        until("it is at work", || home.join("saved/default.0000000002.binlog").exists());
        // Not SIGINT, which a shell makes its background commands ignore.
        kill(child.id() as libc::pid_t, libc::SIGTERM);
        finish(child)
    };
    let mut ran = stopped();
    // On a busy machine the recovery may end before this program sees that it is at work.
    for _ in 0..20 {
        if ran.code.is_none() {
            break;
        }
        fs::remove_dir_all(home.join("saved")).unwrap();
        ran = stopped();
    }
    assert_eq!(ran.code, None, "a signal ends it: {} {}", ran.text(), ran.err);
    assert!(files(&home.join("log")) == before);
    let ran = binlog(home, &["recover", "log", "saved"]).exits(1);
    assert!(ran.err.contains("was stopped") && ran.err.contains("rm -r saved"), "{}", ran.err);
    fs::remove_dir_all(home.join("saved")).unwrap();

    // In place, the same command continues.
    let child = piped(&mut command(home, &["recover", "--in-place", "log"]));
    until("it is at work", || {
        fs::read_dir(home.join("log"))
            .unwrap()
            .any(|e| e.unwrap().file_name().to_string_lossy().contains(".recovering"))
    });
    kill(child.id() as libc::pid_t, libc::SIGTERM);
    finish(child);
    binlog(home, &["recover", "--in-place", "log"]);
    binlog(home, &["verify", "log"]).ok();
    let left = files(&home.join("log"));
    assert!(left.iter().all(|(name, _)| !name.contains(".recovering")));
    assert!(left.iter().any(|(name, bytes)| name.contains(".damaged") && *bytes == before[0].1));
}

#[test]
fn a_target_that_is_full_fails_with_the_reason_and_leaves_the_source() {
    let home = large();
    let home = home.path();
    let before = files(&home.join("log"));
    let mut shell = std::process::Command::new("bash");
    shell
        .args(["-c", "ulimit -f 1024 && exec \"$0\" recover log saved", env!("CARGO_BIN_EXE_binlog")])
        .current_dir(home);
    let ran = run(shell, b"").exits(1);
    assert!(ran.err.contains("cannot write") && ran.err.lines().count() == 1, "{}", ran.err);
    assert!(files(&home.join("log")) == before);
    binlog(home, &["recover", "log", "saved"]).exits(1);
}

#[test]
fn a_report_that_is_not_read_does_not_stop_the_work() {
    let home = damaged();
    let home = home.path();
    for format in [&[][..], &["--json"]] {
        let target = format!("saved{}", format.len());
        let mut child = piped(&mut command(home, &[&["recover", "log", &target], format].concat()));
        drop(child.stdout.take());
        assert_eq!(finish(child).exits(3).err, "");
        binlog(home, &["verify", &target]).ok();
        assert_eq!(files(&home.join(&target)).len(), 4);
    }
}

#[test]
fn the_index_is_shown_and_a_lost_one_written_anew() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input: String = (1..=RECORDS).map(line).collect();
    binlog_with(home, &["append", "-q", "--type", "number", "--segment-size", "128KiB", "log"], input.as_bytes()).ok();
    binlog_with(home, &["append", "-q", "--type", "7", "log"], b"x\n").ok();
    let shown = binlog(home, &["index", "--json", "log"]).ok().json();
    assert_eq!(shown["types"], json!([{ "name": "number", "records": RECORDS }, { "type": 7, "records": 1 }]));
    let segments = shown["segments"].as_array().unwrap();
    assert!(segments.iter().all(|segment| segment["unindexed_bytes"] == 0), "{shown}");
    let blocks = || segments.iter().flat_map(|segment| segment["index_blocks"].as_array().unwrap());
    assert_eq!(blocks().map(|block| block["records"].as_u64().unwrap()).sum::<u64>(), RECORDS as u64 + 1);
    assert!(blocks().all(|block| block["first_time"].as_str() <= block["last_time"].as_str()));
    assert_eq!(
        (&segments[0]["index_blocks"][0]["first_id"], &segments[0]["file"]),
        (&json!(1), &json!("log/default.0000000001.binlog"))
    );
    let ran = binlog(home, &["index", "log"]).ok();
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(lines[0].starts_with("segment ") && lines[1].starts_with("default.0000000001.binlog "), "{}", ran.text());
    assert!(ran.text().contains("number   30,000\n"), "{}", ran.text());

    let ran = binlog(home, &["index", "--rebuild", "log"]).ok();
    assert_eq!(ran.text(), "log: the index is whole; nothing was written\n");
    change(&segment(home, 4), |bytes| {
        let trailer = bytes.len() - 104;
        let index = u64::from_le_bytes(bytes[trailer + 64..trailer + 72].try_into().unwrap());
        bytes.truncate(index as usize);
    });
    let shown = binlog(home, &["index", "log"]).ok();
    assert!(
        shown.text().contains("default.0000000004.binlog: ") && shown.text().contains(" not indexed\n"),
        "{}",
        shown.text()
    );
    let rebuilt = binlog(home, &["index", "--rebuild", "--json", "log"]).ok().json();
    assert_eq!(rebuilt["rebuilt"], json!(["log/default.0000000004.binlog"]));
    binlog(home, &["verify", "log"]).ok();
    let shown = binlog(home, &["index", "--json", "log"]).ok().json();
    assert!(shown["segments"].as_array().unwrap().iter().all(|segment| segment["unindexed_bytes"] == 0), "{shown}");

    // A damaged segment is not indexed as if it were whole.
    change(&segment(home, 4), |bytes| {
        bytes.truncate(bytes.len() - 300);
        bytes[500] ^= 1;
    });
    let ran = binlog(home, &["index", "--rebuild", "log"]).exits(1);
    assert!(
        ran.err.contains("`binlog verify log`") && ran.err.contains("`binlog recover --in-place log`"),
        "{}",
        ran.err
    );
    change(&segment(home, 3), |bytes| bytes[3] ^= 1);
    for command in ["index", "info"] {
        let ran = binlog(home, &[command, "log"]).exits(3);
        assert!(
            ran.err.contains("`binlog verify log`") && ran.err.contains("`binlog recover --in-place log`"),
            "{command}: {}",
            ran.err
        );
    }
    binlog(home, &["index", "missing"]).exits(1);
}

#[test]
fn the_target_of_an_unfinished_recovery_is_not_called_whole() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log"], b"one\ntwo\n").ok();
    binlog(home, &["verify", "log"]).ok();
    fs::write(home.join("log/recovery-at-work"), "").unwrap();
    for refused in [&["verify", "log"][..], &["prune", "--keep-segments", "1", "log"], &["ship", "log", "exec:true"]] {
        let ran = binlog(home, refused).exits(1);
        assert!(ran.err.contains("recovery-at-work"), "{refused:?}: {}", ran.err);
    }
    for shown in [&["cat", "log"][..], &["info", "log"], &["ls", "log"]] {
        let ran = binlog(home, shown).exits(0);
        assert!(ran.err.contains("recovery-at-work"), "{shown:?}: {}", ran.err);
    }
}
