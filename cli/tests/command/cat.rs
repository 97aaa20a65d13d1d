//! `binlog cat`: records in each form, chosen and followed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{binlog, binlog_with, command, finish, kill, on_terminal, piped, read_lines, until};
use ::binlog::{Writer, WriterOptions};
use serde_json::Value;
use tempfile::tempdir;

/// Four records: two of type 7 with metadata, one of the named type `order.placed`, one that is not text.
fn make(home: &Path) {
    let meta = ["--meta", "host=a=b", "--meta", "note=\"x\"\ty"];
    binlog_with(home, &[&["append", "-q", "log", "--type", "7"][..], &meta].concat(), b"one\n\xc3\xbc \"two\"\n").ok();
    binlog_with(home, &["append", "-q", "log", "--type", "order.placed"], b"three\n").ok();
    binlog_with(home, &["append", "-q", "log"], b"\xff\x00four and a few bytes more\n").ok();
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn json_contains_everything_about_a_record() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ran = binlog(home, &["cat", "log", "--format", "json"]).ok();
    let times: Vec<String> =
        json_lines(ran.text()).iter().map(|record| record["time"].as_str().unwrap().to_owned()).collect();
    let meta = r#""metadata":{"host":"a=b","note":"\"x\"\ty"}"#;
    let expected = [
        format!(r#"{{"id":1,"time":"{}","type":7,{meta},"length":3,"text":"one"}}"#, times[0]),
        format!(r#"{{"id":2,"time":"{}","type":7,{meta},"length":8,"text":"ü \"two\""}}"#, times[1]),
        format!(
            r#"{{"id":3,"time":"{}","type":1073741824,"type_name":"order.placed","metadata":{{}},"length":5,"text":"three"}}"#,
            times[2]
        ),
        format!(
            r#"{{"id":4,"time":"{}","type":0,"metadata":{{}},"length":27,"base64":"/wBmb3VyIGFuZCBhIGZldyBieXRlcyBtb3Jl"}}"#,
            times[3]
        ),
    ];
    assert_eq!(ran.text().lines().collect::<Vec<_>>(), expected);
    for time in times {
        assert!(time.len() == "2026-03-01T12:30:00.123456789Z".len() && time.ends_with('Z'), "{time}");
    }
}

#[test]
fn hex_shows_a_line_about_each_record_and_its_bytes() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ran = binlog(home, &["cat", "log", "--format", "hex", "--id", "3.."]).ok();
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(lines[0].starts_with("3  20") && lines[0].ends_with("Z  type order.placed  5 bytes"), "{}", lines[0]);
    assert_eq!(lines[1], "00000000  74 68 72 65 65                                    |three|");
    assert!(lines[2].starts_with("4  20") && lines[2].ends_with("Z  type 0  27 bytes"), "{}", lines[2]);
    assert_eq!(lines[3], "00000000  ff 00 66 6f 75 72 20 61  6e 64 20 61 20 66 65 77  |..four and a few|");
    assert_eq!(lines[4], "00000010  20 62 79 74 65 73 20 6d  6f 72 65                 | bytes more|");
    assert_eq!(lines.len(), 5);
}

#[test]
fn types_are_chosen_by_number_and_by_name() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let cat = |args: &[&str]| binlog(home, &[&["cat", "log"], args].concat()).ok().out;
    assert_eq!(cat(&["--type", "order.placed"]), b"three\n");
    assert_eq!(cat(&["--type", "1073741824"]), b"three\n");
    assert_eq!(cat(&["--type", "7"]), "one\nü \"two\"\n".as_bytes());
    assert_eq!(cat(&["--type", "7", "--type", "order.placed", "--id", "2.."]), "ü \"two\"\nthree\n".as_bytes());
    assert_eq!(cat(&["--type", "nothing.of.this.name"]), b"");
}

#[test]
fn ids_times_and_limits_choose_records() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let cat = |args: &[&str]| binlog(home, &[&["cat", "log", "-F", "json"], args].concat()).ok();
    let ids = |args: &[&str]| -> Vec<u64> {
        json_lines(cat(args).text()).iter().map(|record| record["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&["--id", "2"]), [2]);
    assert_eq!(ids(&["--id", "2..3"]), [2, 3]);
    assert_eq!(ids(&["--id", "..2"]), [1, 2]);
    assert_eq!(ids(&["--id", "9.."]), [0; 0]);
    assert_eq!(ids(&["--limit", "3"]), [1, 2, 3]);
    assert_eq!(ids(&["-n", "0"]), [0; 0]);
    let third = json_lines(cat(&["--id", "3"]).text())[0]["time"].as_str().unwrap().to_owned();
    assert_eq!(ids(&["--from", &third]), [3, 4]);
    assert_eq!(ids(&["--to", &third]), [1, 2]);
    assert_eq!(ids(&["--from", "-1h"]), [1, 2, 3, 4]);
    assert_eq!(ids(&["--from", "2 hours ago", "--to", "1h ago"]), [0; 0]);
    assert_eq!(ids(&["--from", "2020-01-01", "--to", "+1h"]), [1, 2, 3, 4]);
}

#[test]
fn metadata_the_last_and_the_newest_first_choose_records() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ids = |args: &[&str]| -> Vec<u64> {
        let ran = binlog(home, &[&["cat", "log", "-F", "json"], args].concat()).ok();
        json_lines(ran.text()).iter().map(|record| record["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&["--where", "host=a=b"]), [1, 2]);
    assert_eq!(ids(&["--where", "host=a=b", "--where", "note=\"x\"\ty"]), [1, 2]);
    assert_eq!(ids(&["--where", "host=a=b", "--where", "note=other"]), [0; 0]);
    assert_eq!(ids(&["--where", "host=a"]), [0; 0]);
    assert_eq!(ids(&["--last", "2"]), [3, 4]);
    assert_eq!(ids(&["--last", "0"]), [0; 0]);
    assert_eq!(ids(&["--last", "9"]), [1, 2, 3, 4]);
    assert_eq!(ids(&["--last", "1", "--where", "host=a=b"]), [2]);
    assert_eq!(ids(&["--last", "2", "--id", "..3"]), [2, 3]);
    assert_eq!(ids(&["--reverse"]), [4, 3, 2, 1]);
    assert_eq!(ids(&["--reverse", "--last", "2"]), [4, 3]);
    assert_eq!(ids(&["--reverse", "--limit", "1", "--type", "7"]), [2]);
    assert_eq!(ids(&["--reverse", "--last", "3", "--limit", "2", "--id", "2.."]), [4, 3]);
    assert_eq!(ids(&["--salvage", "--last", "2"]), [3, 4]);
    assert_eq!(ids(&["--follow", "--last", "2", "--limit", "2"]), [3, 4]);
}

#[test]
fn the_last_records_are_so_many_while_a_writer_appends_as_fast_as_it_can() {
    let home = tempdir().unwrap();
    let log = home.path().join("log");
    let writer = Writer::open(&log, WriterOptions::default()).unwrap();
    writer.append(1, b"the first").unwrap();
    writer.flush().unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                writer.append(1, b"one more").unwrap();
                writer.flush().unwrap();
            }
        });
        let lines = |command: &[&str]| binlog(home.path(), command).out.split(|&byte| byte == b'\n').count() - 1;
        let cat: Vec<usize> = (0..20).map(|_| lines(&["cat", "--last", "1", "log"])).collect();
        let export = ["export", "--to", "jsonl", "--last", "1", "log", "-"];
        let export: Vec<usize> = (0..10).map(|_| lines(&export)).collect();
        is_done.store(true, Ordering::Relaxed);
        assert_eq!((&cat[..], &export[..]), (&[1; 20][..], &[1; 10][..]));
    });
}

#[test]
fn the_last_records_end_with_status_3_when_damage_hides_some_of_them() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let file = home.join("log/default.0000000001.binlog");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|window| window == b"three").unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    for order in [&[][..], &["--reverse"]] {
        let cat = |last| binlog(home, &[&["cat", "log", "--format", "json", "--last", last], order].concat());
        for last in ["2", "3", "100"] {
            let ran = cat(last).exits(3);
            let ids: Vec<u64> = json_lines(ran.text()).iter().map(|record| record["id"].as_u64().unwrap()).collect();
            assert_eq!(ids, [4], "--last {last} {order:?}");
            assert!(ran.err.contains("default.0000000001.binlog: offset "), "{}", ran.err);
        }
        assert_eq!(json_lines(cat("1").ok().text())[0]["id"], 4);
    }
}

#[test]
fn following_begins_with_the_last_records_and_continues() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    for mode in [&[][..], &["--salvage"]] {
        let mut follower =
            piped(&mut command(home, &[&["cat", "-f", "--last", "1", "--type", "7", "log"], mode].concat()));
        let mut output = follower.stdout.take().unwrap();
        assert!(read_lines(&mut output, 1).ends_with("\"two\"\n"), "{mode:?}");
        binlog_with(home, &["append", "-q", "log", "--type", "7"], b"and \"two\"\n").ok();
        assert_eq!(read_lines(&mut output, 1), "and \"two\"\n", "{mode:?}");
        kill(follower.id() as libc::pid_t, libc::SIGINT);
        assert_eq!(finish(follower).exits(130).err, "", "{mode:?}");
    }
}

#[test]
fn salvage_prints_what_is_behind_damage_and_reports_each_loss_in_its_place() {
    let home = tempdir().unwrap();
    let home = home.path();
    let input: String = (1..=20_000).map(|i| format!("line number {i}\n")).collect();
    binlog_with(home, &["append", "-q", "--segment-size", "128KiB", "log"], input.as_bytes()).ok();
    assert_eq!(binlog(home, &["cat", "--salvage", "log"]).ok().text(), input);
    for (segment, at) in [(1, 40_000), (1, 70_000), (2, 90_000)] {
        let path = home.join(format!("log/default.000000000{segment}.binlog"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    let plain = binlog(home, &["cat", "log"]).exits(3);
    assert!(
        plain.err.contains("`binlog cat --salvage log`") && plain.err.contains("`binlog recover --in-place log`"),
        "{}",
        plain.err
    );
    let ran = binlog(home, &["cat", "--salvage", "log"]).exits(3);
    assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
    let lost: usize = ran
        .err
        .lines()
        .map(|line| {
            assert!(line.starts_with("binlog: log/default.") && line.contains(": page "), "{line}");
            let count = line.split_once(" lost (").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
            count.replace(',', "").parse::<usize>().unwrap()
        })
        .sum();
    let saved: Vec<&str> = ran.text().lines().collect();
    assert_eq!((saved.len() + lost, saved[saved.len() - 1]), (20_000, "line number 20000"));
    // Both streams in one: a loss is printed before the records of its block.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$0\" cat --salvage log 2>&1", env!("CARGO_BIN_EXE_binlog")]).current_dir(home);
    let ran = crate::common::run(shell, b"").exits(3);
    let (mut last, mut losses_behind) = (0, vec![]);
    for line in ran.text().lines() {
        match line.strip_prefix("line number ") {
            Some(number) => last = number.parse().unwrap(),
            None => {
                let first_lost = line.split_once("records ").unwrap().1.split_once(' ').unwrap().0;
                assert!(first_lost.replace(',', "").parse::<u64>().unwrap() > last, "{line}");
                losses_behind.push(last);
            }
        }
    }
    assert!(losses_behind[2] > 5_000, "{losses_behind:?}");
    // The output is not read.
    let mut child = piped(&mut command(home, &["cat", "--salvage", "log"]));
    drop(child.stdout.take());
    finish(child).ok();
}

#[test]
fn headers_show_all_but_the_payload() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ran = binlog(home, &["cat", "log", "--headers", "--id", "2..3"]).ok();
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(
        lines[0].starts_with("2  20") && lines[0].ends_with(r#"Z  type 7  8 bytes  host=a=b  note=\"x\"\ty"#),
        "{}",
        lines[0]
    );
    assert!(lines[1].ends_with("Z  type order.placed  5 bytes"), "{}", lines[1]);
    let ran = binlog(home, &["cat", "log", "--headers", "-F", "json", "--id", "3"]).ok();
    let record = &json_lines(ran.text())[0];
    assert_eq!((record["length"].as_u64(), record["type_name"].as_str()), (Some(5), Some("order.placed")));
    assert!(record.get("text").is_none() && record.get("base64").is_none());
}

#[test]
fn events_are_shown_when_asked_for() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let ran = binlog(home, &["cat", "log", "--events", "-F", "json"]).ok();
    let records = json_lines(ran.text());
    let events: Vec<&str> = records.iter().filter_map(|record| record["event"].as_str()).collect();
    assert_eq!(events.iter().filter(|&&event| event == "STARTED").count(), 3);
    assert!(events.contains(&"CLOSED") && events.contains(&"TYPE"), "{events:?}");
    assert_eq!(records.iter().filter(|record| record.get("event").is_none()).count(), 4);
    let ran = binlog(home, &["cat", "log", "--events", "--id", "1"]).ok();
    assert!(ran.text().contains("  event STARTED  ") && ran.text().ends_with("\none\n"), "{}", ran.text());
}

#[test]
fn files_directories_and_patterns_are_read_in_the_order_given() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--single-file", "b.binlog"], b"b\n").ok();
    binlog_with(home, &["append", "-q", "--single-file", "a.binlog"], b"a\n").ok();
    binlog_with(home, &["append", "-q", "dir"], b"c\n").ok();
    assert_eq!(binlog(home, &["cat", "b.binlog", "dir", "a.binlog"]).ok().text(), "b\nc\na\n");
    assert_eq!(binlog(home, &["cat", "[ab].binlog"]).ok().text().len(), 4);
    let ran = binlog(home, &["cat", "missing", "a.binlog"]).exits(1);
    assert_eq!(ran.text(), "a\n");
    assert!(ran.err.starts_with("binlog: missing: ") && ran.err.lines().count() == 1, "{}", ran.err);
}

#[test]
fn following_shows_records_as_they_come_and_survives_rolls() {
    let home = tempdir().unwrap();
    let home = home.path();
    let args = ["append", "-q", "--flush-every", "1", "--segment-size", "128KiB", "log"];
    let mut writer = piped(&mut command(home, &args));
    let mut input = writer.stdin.take().unwrap();
    input.write_all(b"first\n").unwrap();
    until("there is a record", || binlog(home, &["cat", "log"]).out == b"first\n");
    let mut follower = piped(&mut command(home, &["cat", "--follow", "log"]));
    let mut output = follower.stdout.take().unwrap();
    assert_eq!(read_lines(&mut output, 1), "first\n");
    for round in 0..6 {
        // Each round is one segment's worth: the next is only written when this one has been seen.
        let lines: String = (0..60).map(|i| format!("{round} {i} {}\n", "x".repeat(2000))).collect();
        input.write_all(lines.as_bytes()).unwrap();
        assert!(read_lines(&mut output, 60) == lines, "round {round}");
    }
    drop(input);
    finish(writer).ok();
    assert!(home.join("log/default.0000000004.binlog").is_file());
    // A writer that opens the log again is followed too.
    binlog_with(home, &["append", "-q", "log"], b"again\n").ok();
    assert_eq!(read_lines(&mut output, 1), "again\n");
    kill(follower.id() as libc::pid_t, libc::SIGINT);
    let ran = finish(follower).exits(130);
    assert_eq!(ran.err, "");
}

#[test]
fn a_second_ctrl_c_kills_what_the_first_cannot_end() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let home = tempdir().unwrap();
        let home = home.path();
        binlog_with(home, &["append", "-q", "log"], &[&[b'x'; 1_000_000][..], b"\n"].concat()).ok();
        let mut follower = piped(&mut command(home, &["cat", "--follow", "log"]));
        // Signals are caught from here on, and the rest of the record waits for a reader.
        let mut output = follower.stdout.take().unwrap();
        output.read_exact(&mut [0]).unwrap();
        kill(follower.id() as libc::pid_t, signal);
        let other = [libc::SIGINT, libc::SIGTERM].into_iter().find(|other| *other != signal).unwrap();
        kill(follower.id() as libc::pid_t, other);
        until("both have come", || !signals_pend(follower.id()));
        assert_eq!(follower.try_wait().unwrap(), None, "the first of each kind does not kill");
        kill(follower.id() as libc::pid_t, signal);
        until("the second has killed it", || follower.try_wait().unwrap().is_some());
        assert_eq!(follower.wait().unwrap().signal(), Some(signal));
    }
}

/// Whether signals were sent to the process that it has not received yet.
fn signals_pend(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let pending = |line: &str| line.starts_with("ShdPnd:") || line.starts_with("SigPnd:");
    status.lines().any(|line| pending(line) && line.bytes().any(|c| (b'1'..=b'9').contains(&c)))
}

#[test]
fn following_ends_at_a_limit_at_the_last_id_and_when_its_output_is_closed() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    assert_eq!(binlog(home, &["cat", "-f", "log", "--limit", "1"]).ok().text(), "one\n");
    assert_eq!(binlog(home, &["cat", "-f", "log", "--id", "3..4", "--type", "order.placed"]).ok().text(), "three\n");
    let mut follower = piped(&mut command(home, &["cat", "-f", "log", "--id", "1"]));
    drop(follower.stdout.take());
    assert_eq!(finish(follower).ok().err, "");
    // No write is left that would report the closed pipe.
    let mut follower = piped(&mut command(home, &["cat", "-f", "log"]));
    let mut output = follower.stdout.take().unwrap();
    read_lines(&mut output, 3);
    drop(output);
    assert_eq!(finish(follower).ok().err, "");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "log"], "a line of some length\n".repeat(100_000).as_bytes()).ok();
    for format in ["lines", "json", "hex", "raw"] {
        let mut child = piped(&mut command(home, &["cat", "log", "--format", format]));
        let mut output = child.stdout.take().unwrap();
        let mut some = [0; 10];
        std::io::Read::read_exact(&mut output, &mut some).unwrap();
        drop(output);
        assert_eq!(finish(child).ok().err, "", "{format}");
    }
}

#[test]
fn what_is_before_damage_is_printed_and_the_exit_status_is_3() {
    let home = tempdir().unwrap();
    let home = home.path();
    for _ in 0..2 {
        binlog_with(home, &["append", "-q", "--single-file", "a.binlog"], &b"0123456789\n".repeat(100)).ok();
    }
    let path = home.join("a.binlog");
    let whole = fs::read(&path).unwrap();
    let second = whole.windows(10).rposition(|bytes| bytes == b"0123456789").unwrap();
    let mut bad = whole.clone();
    bad[second] ^= 1;
    fs::write(&path, &bad).unwrap();
    let ran = binlog(home, &["cat", "a.binlog"]).exits(3);
    assert_eq!(ran.out, b"0123456789\n".repeat(100));
    assert!(ran.err.contains("a.binlog: offset ") && ran.err.lines().count() == 1, "{}", ran.err);
    assert!(ran.err.contains(" left unread"), "{}", ran.err);
    assert_eq!(binlog(home, &["cat", "a.binlog", "--limit", "50"]).ok().out, b"0123456789\n".repeat(50));
}

#[test]
fn a_torn_tail_is_reported_with_file_and_bytes() {
    let home = tempdir().unwrap();
    let home = home.path();
    let mut writer = piped(&mut command(home, &["append", "-q", "--flush-every", "1", "--single-file", "a.binlog"]));
    writer.stdin.as_mut().unwrap().write_all(b"one\ntwo\n").unwrap();
    until("both records can be read", || binlog(home, &["cat", "a.binlog"]).out == b"one\ntwo\n");
    // A crash: nothing is closed, and the last block is not whole.
    kill(writer.id() as libc::pid_t, libc::SIGKILL);
    finish(writer);
    let path = home.join("a.binlog");
    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(binlog(home, &["cat", "a.binlog"]).ok().err, "", "an unclosed log is no damage");
    bytes.pop();
    fs::write(&path, &bytes).unwrap();
    let ran = binlog(home, &["cat", "a.binlog"]).exits(3);
    assert_eq!(ran.text(), "one\n");
    assert!(ran.err.contains("a.binlog: offset ") && ran.err.contains("torn tail of "), "{}", ran.err);
    binlog(home, &["info", "a.binlog"]).exits(3);
    binlog(home, &["verify", "a.binlog"]).exits(3);
}

#[test]
fn an_id_that_was_in_a_last_segment_which_is_missing_is_reported_as_missing() {
    let home = tempdir().unwrap();
    let home = home.path();
    binlog_with(home, &["append", "-q", "--records", "2", "log"], b"1\n2\n3\n4\n5\n").ok();
    fs::remove_file(home.join("log/default.0000000003.binlog")).unwrap();
    for ids in ["5", "5..9", "7.."] {
        let ran = binlog(home, &["cat", "--id", ids, "log"]).exits(3);
        assert!(ran.out.is_empty() && ran.err.contains("the log goes on in default.0000000003.binlog"), "{}", ran.err);
    }
    assert_eq!(binlog(home, &["cat", "--id", "2", "log"]).ok().text(), "2\n");
}

#[test]
fn a_type_or_a_key_that_occurs_nowhere_is_reported_with_what_there_is() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    binlog_with(home, &["append", "-q", "other", "--type", "login", "--meta", "user=alice"], b"five\n").ok();
    let remarks = |args: &[&str]| binlog(home, &[&["cat"][..], args].concat()).ok().err;
    let types = "the types that there are: 0, 7, order.placed\n";
    assert_eq!(
        remarks(&["log", "--type", "order.placd"]),
        format!("binlog: no record has the type \"order.placd\"; {types}")
    );
    assert_eq!(remarks(&["log", "--type", "7", "--type", "8"]), format!("binlog: no record has the type 8; {types}"));
    assert_eq!(
        remarks(&["log", "--where", "hst=a"]),
        "binlog: no metadata has the key \"hst\" (4 records read); the keys that there are: host, note\n"
    );
    // One log that has it is enough; so is a key with another value, or on a record that another condition excludes.
    for well in [
        &["log", "other", "--type", "login"][..],
        &["log", "other", "--where", "user=alice"],
        &["log", "--type", "7", "--type", "order.placed"],
        &["log", "--where", "host=b"],
        &["log", "--type", "7", "--since", "+1h"],
        &["log", "--where", "hst=a", "--since", "+1h"],
        &["log", "--type", "8", "--limit", "0"],
    ] {
        assert_eq!(remarks(well), "", "{well:?}");
    }
    // For a log that is not read to its end this is not known.
    let path = home.join("log/default.0000000001.binlog");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let ran = binlog(home, &["cat", "log", "--type", "8"]).exits(3);
    assert!(!ran.err.contains("no record has"), "{}", ran.err);
}

#[test]
fn times_have_two_names() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let all = binlog(home, &["cat", "log"]).ok().out;
    for (from, to) in [("--since", "--until"), ("--from", "--to"), ("--since", "--to")] {
        assert_eq!(binlog(home, &["cat", "log", from, "-1h", to, "+1h"]).ok().out, all);
        assert_eq!(binlog(home, &["cat", "log", from, "-2h", to, "-1h"]).ok().out, b"");
        assert!(binlog(home, &["cat", "log", from, "-1h", to, "-2h"])
            .exits(2)
            .err
            .contains("--since is later than --until"));
    }
    binlog(home, &["cat", "log", "--from", "-1h", "--since", "-1h"]).exits(2);
}

#[test]
fn a_terminal_gets_no_control_characters_unless_it_is_asked_for_them() {
    let home = tempdir().unwrap();
    let home = home.path();
    let payload = b"\x1b]0;title\x07 \xc2\x9b31m\r over\ttab \xff \xe2\x82\xac\n";
    binlog_with(home, &["append", "-q", "log", "--type", "a", "--meta", "key=\x1b[2J"], payload).ok();
    let shown = on_terminal(command(home, &["cat", "log"]));
    assert_eq!(String::from_utf8(shown).unwrap(), "\\u001b]0;title\\u0007 \\u009b31m\\u000d over\ttab \\xff €\r\n");
    // The terminal itself makes CR LF of LF.
    let raw = [&payload[..payload.len() - 1], b"\r\n"].concat();
    assert_eq!(on_terminal(command(home, &["cat", "--raw", "log"])), raw);
    for format in ["lines", "raw", "hex", "json"] {
        for headers in [&[][..], &["--headers"]] {
            let args = [&["cat", "log", "--format", format][..], headers].concat();
            if format == "raw" && !headers.is_empty() {
                continue;
            }
            let shown = String::from_utf8(on_terminal(command(home, &args))).unwrap();
            let plain = shown.replace("\r\n", "\n");
            assert!(
                !plain.chars().any(|char| char.is_control() && char != '\n' && char != '\t'),
                "{args:?}: {plain:?}"
            );
        }
    }
    // A pipe gets the bytes unchanged.
    assert_eq!(binlog(home, &["cat", "log"]).ok().out, payload);
}
