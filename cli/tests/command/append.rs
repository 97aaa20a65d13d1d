//! `binlog append`: the log contains exactly the input.

use std::io::Write;

use crate::common::{binlog, binlog_with, command, finish, kill, piped, run, until};
use tempfile::tempdir;

#[test]
fn lines_keep_their_bytes_and_lose_only_their_newline() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut input = b"one\n\n\xff\xfe\0\r\n".to_vec();
    input.extend(vec![b'x'; 700_000]);
    input.extend(b"\nno newline at the end");
    let ran = binlog_with(home, &["append", "log"], &input).ok();
    assert!(ran.out.is_empty());
    assert_eq!(ran.err, "binlog: 5 records (683.6 KiB) appended to log, ids 1 to 5\n");
    input.push(b'\n');
    assert_eq!(binlog(home, &["cat", "log"]).ok().out, input);
    assert_eq!(binlog(home, &["cat", "log", "--id", "3", "--format", "raw"]).ok().out, b"\xff\xfe\0\r");
}

#[test]
fn records_with_their_length_in_front_hold_any_bytes() {
    let home = tempdir().unwrap();
    let home = home.path();
    let records: [&[u8]; 4] = [b"a\nb", b"", &[0, 255, 10], &[7; 300_000]];
    for (framing, log) in [("u32le", "le"), ("u32be", "be")] {
        let mut input = vec![];
        for record in records {
            let len = record.len() as u32;
            input.extend(if log == "le" { len.to_le_bytes() } else { len.to_be_bytes() });
            input.extend(record);
        }
        binlog_with(home, &["append", "--framing", framing, "--quiet", log], &input).ok();
        for (i, record) in records.iter().enumerate() {
            let id = (i + 1).to_string();
            assert_eq!(binlog(home, &["cat", log, "-F", "raw", "--id", &id]).ok().out, *record);
        }
    }
}

#[test]
fn input_that_ends_within_a_record_is_an_error_and_what_came_before_is_kept() {
    let home = tempdir().unwrap();
    let home = home.path();
    let ran = binlog_with(home, &["append", "--framing", "u32be", "log"], b"\0\0\0\x02ab\0\0\0\x05abc").exits(1);
    assert_eq!(ran.err, "binlog: the input ends within record 2: 7 of its 9 bytes are there; 1 record written\n");
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), "ab\n");
    let ran = binlog_with(home, &["append", "--framing", "u32le", "log"], b"\xff\xff\xff\xff").exits(1);
    assert!(ran.err.contains("record 1 of the input has 4.0 GiB, more than 64.0 MiB"), "{}", ran.err);
    binlog(home, &["verify", "log"]).ok();
}

#[test]
fn a_line_over_the_limit_is_named_by_its_number() {
    let home = tempdir().unwrap();
    let home = home.path();
    let args = ["append", "log", "--record-max", "1K"];
    let at_limit = [vec![b'x'; 1024], vec![b'\n']].concat();
    binlog_with(home, &args, &at_limit).ok();
    let ran = binlog_with(home, &args, &[b"short\n".to_vec(), vec![b'x'; 1025]].concat()).exits(1);
    assert_eq!(ran.err, "binlog: line 2 of the input is longer than 1.0 KiB (--record-max); 1 record written\n");
    let ran = binlog_with(home, &args, &vec![b'x'; 5 << 20]).exits(1);
    assert!(ran.err.contains("line 1 of the input"), "{}", ran.err);
    assert_eq!(binlog(home, &["info", "log", "--json"]).ok().json()["records"], 2);
}

#[test]
fn codecs_and_single_files_give_the_same_records() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input: String = (0..20_000).map(|i| format!("the same words again and again, {i}\n")).collect();
    for codec in ["none", "lz4", "zstd", "zstd:9"] {
        let log = format!("{}.binlog", codec.replace(':', "-"));
        binlog_with(home, &["append", "--single-file", "--codec", codec, &log], input.as_bytes()).ok();
        assert!(home.join(&log).is_file());
        assert!(binlog(home, &["cat", &log]).ok().text() == input, "{codec}");
        let size = binlog(home, &["info", "--json", &log]).ok().json()["file_bytes"].as_u64().unwrap();
        assert_eq!(size < input.len() as u64 / 2, codec != "none", "{codec}: {size} bytes");
    }
    let ran = binlog(home, &["append", "none.binlog"]).exits(1);
    assert_eq!(ran.err, "binlog: none.binlog is a file: a log of one takes --single-file\n");
    std::fs::create_dir(home.join("dir")).unwrap();
    let ran = binlog(home, &["append", "--single-file", "dir"]).exits(1);
    assert_eq!(ran.err, "binlog: dir is a directory: leave --single-file out\n");
}

#[test]
fn a_log_rolls_at_the_segment_size_and_continues_where_it_ended() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input: String = (0..40_000).map(|i| format!("line number {i}\n")).collect();
    for _ in 0..2 {
        binlog_with(home, &["append", "--name", "own", "--segment-size", "128KiB", "log"], input.as_bytes()).ok();
    }
    assert!(home.join("log/own.0000000003.binlog").is_file());
    assert!(binlog(home, &["cat", "log"]).ok().text() == input.repeat(2));
    let info = binlog(home, &["info", "log", "--json"]).ok().json();
    assert_eq!((info["records"].as_u64(), info["last_id"].as_u64()), (Some(80_000), Some(80_000)));
    let segments = info["segments"].as_array().unwrap();
    assert!(segments.len() > 8 && segments.iter().all(|segment| segment["state"] == "closed"), "{segments:?}");
    assert_eq!(segments.iter().map(|segment| segment["records"].as_u64().unwrap()).sum::<u64>(), 80_000);
}

#[test]
fn a_second_writer_is_refused() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut first = piped(&mut command(home, &["append", "log"]));
    until("the log is there", || home.join("log/default.0000000001.binlog").is_file());
    let ran = binlog(home, &["append", "log"]).exits(1);
    assert!(ran.err.contains(&format!("process {}", first.id())), "{}", ran.err);
    drop(first.stdin.take());
    finish(first).ok();
}

#[test]
fn ctrl_c_and_sigterm_keep_what_was_read_and_close_the_log() {
    for (signal, code) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        let home = tempdir().unwrap();
        let home = home.path();
        let mut child = piped(&mut command(home, &["append", "--flush-every", "1", "log"]));
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(b"one\ntwo\nunfin").unwrap();
        stdin.flush().unwrap();
        until("both records can be read", || binlog(home, &["cat", "log"]).out == b"one\ntwo\n");
        kill(child.id() as libc::pid_t, signal);
        // The input stays open: it is the signal that ends the command.
        let open = child.stdin.take();
        let ran = finish(child).exits(code);
        drop(open);
        assert_eq!(
            ran.err,
            "binlog: stopped within a record: 5 bytes of it left out\n\
             binlog: 2 records (6 bytes) appended to log, ids 1 to 2\n"
        );
        let info = binlog(home, &["info", "log", "--json"]).ok().json();
        assert_eq!((info["records"].as_u64(), info["state"].as_str()), (Some(2), Some("closed")));
    }
}

#[test]
fn a_live_pipe_reaches_readers_without_a_flush_rule() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut child = piped(&mut command(home, &["append", "log"]));
    child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
    until("the record can be read", || binlog(home, &["cat", "log"]).out == b"hello\n");
    drop(child.stdin.take());
    finish(child).ok();
}

#[test]
fn a_write_that_fails_says_how_much_was_written() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut limited = std::process::Command::new("sh");
    let script = "ulimit -f 600 && exec \"$0\" append log"; // in blocks of 512 or 1024 bytes, depending on the shell
    limited.args(["-c", script, env!("CARGO_BIN_EXE_binlog")]).current_dir(home);
    let line = format!("{}\n", "x".repeat(999));
    let ran = run(limited, line.repeat(5000).as_bytes()).exits(1);
    assert!(ran.err.contains("File too large") && ran.err.lines().count() == 1, "{}", ran.err);
    let summary = ran.err.split("; ").nth(1).unwrap();
    let written: usize = summary.split(' ').next().unwrap().replace(',', "").parse().unwrap();
    assert!((1..5000).contains(&written), "{}", ran.err);
    assert!(binlog(home, &["cat", "log"]).ok().text() == line.repeat(written), "{}", ran.err);
    binlog_with(home, &["append", "log"], b"there is space again\n").ok();
    let id = (written + 1).to_string();
    assert_eq!(binlog(home, &["cat", "log", "--id", &id]).ok().text(), "there is space again\n");
}

#[test]
fn sync_and_flush_rules_change_nothing_about_the_records() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "log", "--sync-every", "2", "--flush-every", "1"], b"a\nb\nc\n").ok();
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), "a\nb\nc\n");
    let ran = binlog(home, &["append", "log"]).ok();
    assert_eq!(ran.err, "binlog: no records appended to log\n");
    assert_eq!(binlog_with(home, &["append", "-q", "log"], b"d\n").ok().err, "");
}

/// A command whose files must not grow over 300 or 600 KiB, depending on the shell, until [`free`].
fn on_a_full_disk(home: &std::path::Path, when_full: &str) -> std::process::Child {
    let mut limited = std::process::Command::new("sh");
    let script = "ulimit -S -f 600 && exec \"$0\" append --when-full \"$1\" log";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_binlog"), when_full]).current_dir(home);
    piped(&mut limited)
}

fn free(child: &std::process::Child) {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a valid rlimit to read, and the child was not waited for yet, so the number is its own.
    let done = unsafe { libc::prlimit(child.id() as libc::pid_t, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

fn numbered_lines(count: usize) -> String {
    (1..=count).map(|i| format!("{i} {}\n", "x".repeat(990))).collect()
}

#[test]
fn on_a_full_disk_append_waits_for_space_with_that_option() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input = numbered_lines(5000);
    let mut child = on_a_full_disk(home, "wait");
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn({
        let input = input.clone();
        move || stdin.write_all(input.as_bytes()).unwrap()
    });
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    free(&child);
    feeding.join().unwrap();
    let ran = finish(child).ok();
    assert!(ran.err.contains("File too large") && ran.err.contains("waiting for space"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 2, "reported once: {}", ran.err);
    assert!(binlog(home, &["cat", "log"]).ok().text() == input);
}

#[test]
fn ctrl_c_ends_an_append_that_waits_for_space() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut child = on_a_full_disk(home, "wait");
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || stdin.write_all(numbered_lines(5000).as_bytes()));
    std::thread::sleep(std::time::Duration::from_millis(800));
    let began = std::time::Instant::now();
    kill(child.id() as libc::pid_t, libc::SIGINT);
    let ran = finish(child).exits(1);
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
    assert!(feeding.join().unwrap().is_err(), "the input was not read to its end");
    assert!(ran.err.contains("File too large"), "{}", ran.err);
    let kept = binlog(home, &["cat", "log"]).ok().text().to_owned();
    assert!(!kept.is_empty() && numbered_lines(5000).starts_with(&kept));
}

#[test]
fn on_a_full_disk_append_drops_records_and_reports_how_many_with_that_option() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input = numbered_lines(5000);
    let mut child = on_a_full_disk(home, "drop");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    free(&child);
    std::thread::sleep(std::time::Duration::from_millis(300));
    stdin.write_all(b"there is space again\n").unwrap();
    drop(stdin);
    let ran = finish(child).ok();
    let log = binlog(home, &["cat", "log"]).ok().text().to_owned();
    let kept = log.strip_suffix("there is space again\n").expect("the last record");
    assert!(input.starts_with(kept) && kept.len() < input.len());
    let dropped = 5000 - kept.lines().count();
    let grouped = match dropped {
        0..=999 => format!("{dropped}"),
        _ => format!("{},{:03}", dropped / 1000, dropped % 1000),
    };
    assert!(ran.err.contains("the disk is full: dropping records\n"), "{}", ran.err);
    assert!(ran.err.contains(&format!("the disk was full: {grouped} records dropped\n")), "{dropped}: {}", ran.err);
}
