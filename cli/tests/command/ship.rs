//! `binlog ship`, to a directory and to a command: once, following, killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::common::{binlog, binlog_with, command, finish, kill, piped, until};
use tempfile::{tempdir, TempDir};

/// A directory with a log of five closed segments of two lines each, and an archive.
fn home() -> TempDir {
    let home = tempdir().unwrap();
    fs::create_dir(home.path().join("archive")).unwrap();
    binlog_with(home.path(), &["append", "-q", "log", "--records", "2"], b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n").ok();
    binlog(home.path(), &["roll", "-q", "log"]).ok();
    home
}

fn url(home: &Path) -> String {
    format!("file://{}", home.join("archive").display())
}

fn segments(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let segments = entries.filter(|path| path.extension().is_some_and(|it| it == "binlog"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    segments.filter(|path| !name(path).starts_with('.')).map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[test]
fn closed_segments_are_shipped_and_removed_here_as_far_as_was_said() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let before = segments(&home.join("log"));
    let ran = binlog(home, &["ship", "--dry-run", "--keep-segments", "2", "log", &url]).ok();
    assert!(ran.text().contains("5 segments would be shipped") && ran.text().contains("4 segments would be removed"));
    assert_eq!(segments(&home.join("archive")).len(), 0);
    let ran = binlog(home, &["ship", "--keep-segments", "2", "--metrics", "figures.prom", "log", &url]).ok();
    assert!(ran.err.contains("5 segments shipped") && ran.err.contains("4 segments removed here"), "{}", ran.err);
    let there = segments(&home.join("archive"));
    assert_eq!(there.len(), 5);
    assert!(there.iter().all(|(name, bytes)| before[name] == *bytes));
    assert_eq!(segments(&home.join("log")).len(), 2);
    let figures = fs::read_to_string(home.join("figures.prom")).unwrap();
    assert!(figures.contains("binlog_ship_uploaded_segments_total{log=\"default\",store=\"file://"), "{figures}");
    assert!(!home.join("figures.prom.part").exists());
    assert!(binlog(home, &["ship", "log", &url]).ok().err.contains("nothing to ship"));
    assert_eq!(binlog(home, &["ship", "--quiet", "log", &url]).ok().err, "");
    assert_eq!(binlog(home, &["cat", "archive"]).text(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
}

#[test]
fn rolling_and_compressing_first_ships_all_that_there_is() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    binlog_with(home, &["append", "-q", "log"], b"11\n").ok();
    binlog(home, &["ship", "--roll", "--compress", "zstd:5", "log", &url]).ok();
    let there = segments(&home.join("archive"));
    assert!(there.len() == 6 && there.keys().all(|name| name.ends_with(".z.binlog")), "{:?}", there.keys());
    assert_eq!(binlog(home, &["cat", "archive"]).text().lines().count(), 11);
    assert_eq!(binlog(home, &["cat", "log"]).ok().text().lines().count(), 11);
}

#[test]
fn a_comparison_says_what_is_wrong_and_exits_with_3() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    binlog(home, &["ship", "log", &url]).ok();
    assert!(binlog(home, &["ship", "--verify", "log", &url]).ok().text().contains("5 segments in the store"));
    fs::remove_file(home.join("archive/default.0000000002.binlog")).unwrap();
    fs::write(home.join("archive/default.0000000003.binlog"), b"another").unwrap();
    fs::write(home.join("archive/default.txt"), b"a letter").unwrap();
    for read_back in [&[][..], &["--read-back"]] {
        let ran = binlog(home, &[&["ship", "--verify"], read_back, &["log", &url]].concat()).exits(3);
        assert!(ran.text().contains("segment 2 is no longer in the store"), "{}", ran.text());
        assert!(ran.text().contains("segment 3 is another one"), "{}", ran.text());
        assert!(ran.text().contains("default.txt is none of the log's"), "{}", ran.text());
    }
    let ran = binlog(home, &["prune", "--keep-segments", "1", "log"]).ok();
    assert!(ran.text().contains("5 segments removed"), "they were shipped: {}", ran.text());
}

#[test]
fn what_was_not_shipped_is_not_pruned_unless_that_is_said() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    fs::write(home.join("archive/default.0000000003.binlog"), b"in the way").unwrap();
    let ran = binlog(home, &["ship", "log", &url]).exits(1);
    assert!(ran.err.contains("another object") && ran.err.contains("3 segments still to be shipped"), "{}", ran.err);
    assert_eq!(fs::read(home.join("archive/default.0000000003.binlog")).unwrap(), b"in the way");
    let ran = binlog(home, &["prune", "--keep-segments", "1", "log"]).ok();
    assert!(ran.text().contains("2 segments removed"), "{}", ran.text());
    let ran = binlog(home, &["prune", "--keep-segments", "1", "--unshipped", "log"]).ok();
    assert!(ran.text().contains("3 segments removed"), "{}", ran.text());
}

#[test]
fn following_waits_for_a_log_that_is_not_there_yet() {
    for arguments in [&["ship", "--follow"][..], &["ship", "--follow", "--roll", "--log", "default"]] {
        let home = home();
        let (home, url) = (home.path(), url(home.path()));
        fs::remove_dir_all(home.join("log")).unwrap();
        let child = piped(&mut command(home, &[arguments, &["log", &url]].concat()));
        thread::sleep(Duration::from_millis(300));
        binlog_with(home, &["append", "-q", "log", "--records", "2"], b"a\nb\nc\n").ok();
        until("the log is shipped", || !segments(&home.join("archive")).is_empty());
        kill(child.id() as libc::pid_t, libc::SIGTERM);
        let ran = finish(child).exits(143);
        assert!(ran.err.contains("log: no log is here yet: waiting for one"), "{}", ran.err);
    }
    // A path that is no directory does not become one.
    let home = home();
    fs::write(home.path().join("file"), b"").unwrap();
    binlog(home.path(), &["ship", "--follow", "file", &url(home.path())]).exits(1);
}

#[test]
fn following_ships_what_is_still_to_come_of_each_log_until_it_is_stopped() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    binlog_with(home, &["append", "-q", "log", "--name", "other", "--records", "2"], b"a\nb\nc\n").ok();
    let child = piped(&mut command(home, &["ship", "--follow", "--metrics", "figures", "log", &url]));
    until("both are shipped", || segments(&home.join("archive")).len() == 6);
    // Another shipper has to wait, and reports for which process.
    let ran = binlog(home, &["ship", "--log", "other", "log", &url]).exits(1);
    assert!(ran.err.contains(&format!("(process {})", child.id())), "{}", ran.err);
    binlog_with(home, &["append", "-q", "log", "--records", "2"], b"11\n12\n13\n").ok();
    until("the new one is shipped", || segments(&home.join("archive")).len() == 7);
    // A stop between storing and confirming it is another case.
    until("the figures count it", || {
        let figures = fs::read_to_string(home.join("figures")).unwrap_or_default();
        let counted = |line: &str| {
            line.starts_with("binlog_ship_uploaded_segments_total{log=\"default\"") && line.ends_with(" 6")
        };
        figures.lines().any(counted)
    });
    kill(child.id() as libc::pid_t, libc::SIGTERM);
    let ran = finish(child).exits(143);
    assert!(ran.err.contains("default.0000000006.binlog is in the store"), "{}", ran.err);
    let figures = fs::read_to_string(home.join("figures")).unwrap();
    assert!(figures.contains("{log=\"default\"") && figures.contains("{log=\"other\""), "{figures}");
    binlog(home, &["ship", "log", &url]).ok();
}

#[test]
fn a_command_gets_each_segment_and_its_exit_status_is_believed() {
    let home = home();
    let home = home.path();
    let failing =
        r#"exec:test "$BINLOG_NAME" != default.0000000002.binlog && cp "$BINLOG_PATH" "archive/$BINLOG_NAME""#;
    let mut failed = command(home, &["ship", "--follow", "log", failing]);
    let child = piped(&mut failed);
    until("the first is shipped", || segments(&home.join("archive")).len() == 1);
    kill(child.id() as libc::pid_t, libc::SIGTERM);
    finish(child).exits(143);
    assert_eq!(segments(&home.join("archive")).len(), 1, "nothing comes before the one that fails");
    let copies = r#"exec:cp "$BINLOG_PATH" "archive/$BINLOG_NAME""#;
    // A shipper that was killed just then may not have recorded what the command has done.
    binlog(home, &["ship", "--patience", "50ms", "log", failing]).exits(1);
    // Another command is another store: what one of them does not have stays here.
    let ran = binlog(home, &["ship", "--keep-segments", "1", "log", copies]).ok();
    assert!(ran.err.contains("does not hold it yet") && ran.err.contains("--forget"), "{}", ran.err);
    assert_eq!(segments(&home.join("log")).len(), 5);
    let ran = binlog(home, &["ship", "--forget", "log", failing]).ok();
    assert!(ran.err.contains("the store is forgotten"), "{}", ran.err);
    assert!(binlog(home, &["ship", "--forget", "log", failing]).ok().err.contains("never shipped"));
    binlog(home, &["ship", "--keep-segments", "1", "log", copies]).ok();
    assert_eq!((segments(&home.join("archive")).len(), segments(&home.join("log")).len()), (5, 1));
    let ran = binlog(home, &["ship", "--verify", "log", copies]).exits(1);
    assert!(ran.err.contains("cannot be looked at"), "{}", ran.err);
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_the_next_run_continues() {
    let home = tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("archive")).unwrap();
    let lines: String = (0..40_000).map(|i| format!("this is line {i} of many, and rather long\n")).collect();
    binlog_with(home, &["append", "-q", "log", "--records", "4000"], lines.as_bytes()).ok();
    binlog(home, &["roll", "-q", "log"]).ok();
    let before = segments(&home.join("log"));
    let url = url(home);
    let args = ["ship", "--quiet", "--part-size", "50000", "--keep-segments", "2", "log", &url];
    let mut seed = 12345u64;
    for round in 0..40 {
        let child = piped(&mut command(home, &args));
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Any moment is possible, the one after the end included.
        thread::sleep(Duration::from_micros((seed >> 33) % 30_000));
        kill(child.id() as libc::pid_t, libc::SIGKILL);
        finish(child);
        let (here, there) = (segments(&home.join("log")), segments(&home.join("archive")));
        for (name, bytes) in &before {
            let whole = [here.get(name), there.get(name)];
            assert!(whole.contains(&Some(bytes)), "{name} is nowhere whole after round {round}");
            assert!(whole.into_iter().flatten().all(|it| it == bytes), "{name} is another one after round {round}");
        }
    }
    binlog(home, &args).ok();
    let there = segments(&home.join("archive"));
    assert_eq!((there.len(), segments(&home.join("log")).len()), (before.len() - 1, 2));
    let files = fs::read_dir(home.join("archive")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    // There are labels beside the segments.
    let leftover: Vec<_> = files.filter(|name| !name.contains(".id-") && !name.contains(".catalog-")).collect();
    assert_eq!(leftover.len(), there.len(), "{leftover:?}");
    assert_eq!(binlog(home, &["ship", "--verify", "log", &url]).ok().code, Some(0));
    assert!(binlog(home, &["cat", "archive"]).text() == lines, "the archive holds all lines");
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_segment_and_a_hole_end_with_3_and_are_named_once() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    flip(&home.join("log/default.0000000002.binlog"));
    fs::remove_file(home.join("log/default.0000000004.binlog")).unwrap();
    let dry = binlog(home, &["ship", "--dry-run", "log", &url]).exits(3);
    assert!(dry.text().contains("3 segments would be shipped"), "{}", dry.text());
    let ran = binlog(home, &["ship", "--keep-segments", "1", "--metrics", "figures", "log", &url]).exits(3);
    for message in ["default.0000000002.binlog", "--accept 2", "segment 4 of the log is neither here nor", "--accept 4"]
    {
        assert_eq!(ran.err.matches(message).count(), 1, "{message}: {}", ran.err);
    }
    assert!(ran.err.contains("1 damaged and 1 missing"), "{}", ran.err);
    assert_eq!(segments(&home.join("archive")).len(), 3);
    assert_eq!(segments(&home.join("log")).len(), 4);
    let figures = fs::read_to_string(home.join("figures")).unwrap();
    for figure in ["damaged_segments", "missing_segments"] {
        let line = figures.lines().find(|line| line.starts_with(&format!("binlog_ship_{figure}{{"))).unwrap();
        assert!(line.ends_with(" 1"), "{line}");
    }
    let json: serde_json::Value =
        serde_json::from_str(binlog(home, &["ship", "--json", "log", &url]).exits(3).text()).unwrap();
    assert_eq!((&json["result"], &json["damaged_segments"]), (&"damaged".into(), &1.into()), "{json}");
    assert_eq!(json["problems"].as_array().unwrap().len(), 2, "{json}");
    let json: serde_json::Value =
        serde_json::from_str(binlog(home, &["ship", "--verify", "--json", "log", &url]).exits(3).text()).unwrap();
    let kinds: Vec<_> = json["problems"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["changed", "gap"], "{json}");
    // An undamaged segment cannot be accepted.
    binlog(home, &["ship", "--accept", "3", "log", &url]).exits(1);
    let args = ["ship", "--keep-segments", "1", "--accept", "2", "--accept", "4", "log", &url];
    binlog(home, &args).ok();
    assert_eq!((segments(&home.join("archive")).len(), segments(&home.join("log")).len()), (4, 1));
    let ran = binlog(home, &["ship", "--verify", "log", &url]).ok();
    assert!(ran.text().contains("1 missing, as was accepted"), "{}", ran.text());
}

#[test]
fn what_need_not_stay_in_the_store_is_removed_there_and_not_missed() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let ran = binlog(home, &["ship", "--keep-segments", "2", "--keep-remote-segments", "3", "log", &url]).ok();
    assert!(ran.err.contains("2 segments removed in the store"), "{}", ran.err);
    assert!(ran.err.contains("4 segments removed here"), "{}", ran.err);
    assert_eq!(segments(&home.join("archive")).len(), 3);
    binlog(home, &["ship", "--verify", "log", &url]).ok();
    assert!(binlog(home, &["ship", "--keep-remote-segments", "3", "log", &url]).ok().err.contains("nothing to ship"));
}

#[test]
fn an_object_is_replaced_by_what_was_mended_here() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let file = home.join("log/default.0000000002.binlog");
    let sound = fs::read(&file).unwrap();
    flip(&file);
    binlog(home, &["ship", "--accept", "2", "log", &url]).ok();
    fs::write(&file, &sound).unwrap();
    let ran = binlog(home, &["ship", "--replace", "2", "log", &url]).ok();
    assert!(ran.err.contains("kept as default.0000000002.binlog.replaced-1"), "{}", ran.err);
    assert_eq!(fs::read(home.join("archive/default.0000000002.binlog")).unwrap(), sound);
    assert!(home.join("archive/default.0000000002.binlog.replaced-1").exists());
    binlog(home, &["verify", "archive"]).ok();
    binlog(home, &["verify", &url]).ok();
}

#[test]
fn following_waits_for_another_shipper_of_the_log() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let first = piped(&mut command(home, &["ship", "--follow", "log", &url]));
    until("it is shipped", || segments(&home.join("archive")).len() == 5);
    let second = piped(&mut command(home, &["ship", "--follow", "log", &url]));
    thread::sleep(Duration::from_millis(500));
    kill(first.id() as libc::pid_t, libc::SIGTERM);
    finish(first).exits(143);
    binlog_with(home, &["append", "-q", "log", "--records", "2"], b"11\n12\n13\n").ok();
    until("the second has taken over", || segments(&home.join("archive")).len() == 6);
    kill(second.id() as libc::pid_t, libc::SIGTERM);
    let ran = finish(second).exits(143);
    assert!(ran.err.contains("waiting until that ends"), "{}", ran.err);
}

#[test]
fn what_still_waits_is_reported_when_a_signal_ends_it() {
    let home = home();
    let home = home.path();
    let slow = "exec:sleep 30";
    for follow in [true, false] {
        let mut args = vec!["ship", "log", slow];
        args.extend(follow.then_some("--follow"));
        let child = piped(&mut command(home, &args));
        thread::sleep(Duration::from_millis(500));
        kill(child.id() as libc::pid_t, libc::SIGTERM);
        let ran = finish(child).exits(143);
        assert!(ran.err.contains("5 segments still to be shipped"), "{}", ran.err);
    }
}

#[test]
fn a_dry_run_reports_what_rolling_would_ship_and_rolls_nothing() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    binlog_with(home, &["append", "-q", "log"], b"more\n").ok();
    let before = segments(&home.join("log"));
    let ran = binlog(home, &["ship", "--dry-run", "--roll", "log", &url]).ok();
    let newest = before.keys().next_back().unwrap();
    assert!(ran.text().contains(newest.as_str()), "{}", ran.text());
    assert_eq!(segments(&home.join("log")), before);
}

#[test]
fn what_cannot_be_is_refused() {
    let home = home();
    let (home, good) = (home.path(), url(home.path()));
    for url in ["", "ftp://a/b", "file:relative", "s3://user:password@bucket/x"] {
        let ran = binlog(home, &["ship", "log", url]).exits(2);
        assert!(!ran.err.contains("password@"), "{}", ran.err);
    }
    binlog(home, &["ship", "nowhere", &good]).exits(1);
    binlog(home, &["ship", "--log", "nobody", "log", &good]).exits(1);
    binlog(home, &["ship", "--follow", "--dry-run", "log", &good]).exits(2);
    binlog(home, &["ship", "--read-back", "log", &good]).exits(2);
}

#[test]
fn wrong_values_are_wrong_usage() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let wrong: [&[&str]; 8] = [
        &["--threads", "0"],
        &["--threads", "65"],
        &["--part-size", "0"],
        &["--keep-bytes", "0"],
        &["--keep-remote-bytes", "0"],
        &["--accept", "0"],
        &["--replace", "abc"],
        &["--log", ""],
    ];
    for options in wrong {
        let ran = binlog(home, &[&["ship"], options, &["log", &url]].concat()).exits(2);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{options:?}: {}", ran.err);
    }
    for url in ["", "s3:", "http://x/y", "file:", "file://", "file:///tmp?mode=abc", "file:///tmp?foo=1"] {
        binlog(home, &["ship", "log", url]).exits(2);
    }
    assert_eq!(segments(&home.join("archive")).len(), 0);
}

/// A circular link is a damaged segment like any other: the records around it are shown, saved and counted.
#[test]
fn a_link_in_a_circle_among_the_segments_hides_no_other() {
    let home = home();
    let home = home.path();
    let name = home.join("log/default.0000000003.binlog");
    fs::remove_file(&name).unwrap();
    std::os::unix::fs::symlink(&name, &name).unwrap();
    let verified = binlog(home, &["verify", "log"]).exits(3);
    assert!(verified.text().contains("records 5 to 6 lost"), "{}", verified.text());
    let shown = binlog(home, &["cat", "--salvage", "log"]).exits(3);
    assert_eq!(shown.text(), "1\n2\n3\n4\n7\n8\n9\n10\n");
    assert!(binlog(home, &["ls", "log"]).exits(3).text().contains("default.0000000005.binlog"));
    binlog(home, &["recover", "log", "saved"]).exits(3);
    assert_eq!(binlog(home, &["cat", "saved"]).text(), "1\n2\n3\n4\n7\n8\n9\n10\n");
}

/// Figures take the place of figures, or of nothing.
#[test]
fn figures_are_written_over_no_other_file() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    let other = home.join("log/default.0000000001.binlog.gz");
    for (file, text) in
        [("log/default.0000000001.binlog.gz", "a copy"), ("notes.txt", "mine"), ("figures.part", "mine")]
    {
        fs::write(home.join(file), text).unwrap();
    }
    for file in ["log/default.0000000001.binlog.gz", "notes.txt", "figures"] {
        let ran = binlog(home, &["ship", "--metrics", file, "log", &url]).exits(1);
        assert!(ran.err.contains("holds something else"), "{}", ran.err);
    }
    assert_eq!(fs::read(&other).unwrap(), b"a copy");
    assert_eq!(fs::read(home.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(home.join("figures.part")).unwrap(), b"mine");
    fs::write(home.join("empty.prom"), "").unwrap();
    for _ in 0..2 {
        binlog(home, &["ship", "--metrics", "empty.prom", "log", &url]).ok();
    }
    assert!(fs::read_to_string(home.join("empty.prom")).unwrap().starts_with("# HELP binlog_ship_"));
}

/// For many segments in a store the names state the order; one of which nothing is left is missed nevertheless.
#[test]
fn an_emptied_object_among_many_is_listed_as_missing() {
    let home = tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("archive")).unwrap();
    let lines: String = (0..90).map(|n| format!("{n}\n")).collect();
    binlog_with(home, &["append", "-q", "log", "--records", "1"], lines.as_bytes()).ok();
    binlog(home, &["ship", "-q", "log", &url(home)]).ok();
    binlog(home, &["ls", &url(home)]).ok();
    let object = home.join("archive/default.0000000040.binlog");
    fs::remove_file(&object).unwrap();
    fs::write(&object, "").unwrap();
    for command in ["ls", "info", "verify"] {
        let ran = binlog(home, &[command, &url(home)]).exits(3);
        assert!((ran.err + &String::from_utf8_lossy(&ran.out)).contains("default.0000000040.binlog"), "{command}");
    }
}

/// One log that cannot be compared hides nothing of the others.
#[test]
fn each_log_of_a_directory_is_verified_whatever_is_wrong_with_another() {
    let home = home();
    let (home, url) = (home.path(), url(home.path()));
    binlog_with(home, &["append", "-q", "log", "--name", "zzz", "--records", "1"], b"1\n2\n3\n").ok();
    binlog(home, &["ship", "-q", "log", &url]).ok();
    fs::remove_file(home.join("archive/zzz.0000000002.binlog")).unwrap();
    fs::write(home.join(format!("archive/default.id-{:032}", 0)), "").unwrap();
    let ran = binlog(home, &["ship", "--verify", "log", &url]).exits(1);
    assert!(ran.text().contains("zzz: segment 2") && ran.err.contains("another log"), "{} {}", ran.text(), ran.err);
    let ran = binlog(home, &["ship", "--verify", "--json", "log", &url]).exits(1);
    assert_eq!(ran.text().lines().count(), 2, "{}", ran.text());
    assert!(ran.text().contains("\"verdict\":\"failed\"") && ran.text().contains("\"verdict\":\"damaged\""));
}
