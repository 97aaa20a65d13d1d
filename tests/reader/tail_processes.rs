//! Processes that write, follow and contend for one log, on the real file system: whatever happens to the writers, a
//! process that follows reads what the log holds at the end, or learns which records it missed; and one process writes
//! at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::common::*;
use binlog::rolling::{Retention, RollOptions};
use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const DIRECTORY: &str = "BINLOG_PROCESSES_DIRECTORY";
/// The number of a writing process, the type of its records.
const ROUND: &str = "BINLOG_PROCESSES_ROUND";
/// Set for a process that appends up to this id, closes the log and ends.
const END: &str = "BINLOG_PROCESSES_END";
/// The type of the record after which a follower ends.
const LAST: u32 = 999;
/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Records of a segment, at the most.
const EACH: u64 = 4;
/// How often each of the contending processes gets the log.
const WINS: u64 = 20;

/// A test of this file that is run as a process of its own. It reports its progress in lines on its standard error,
/// each written with one system call.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(test: &str, settings: &[(&str, String)], directory: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &full_name(module_path!(), test), "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(DIRECTORY, directory).envs(settings.iter().map(|(key, value)| (key, value)));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Process { child, lines }
    }

    /// The next line; `None` when the process has ended.
    fn hear(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("process {} reports nothing more", self.child.id()),
        }
    }

    fn ends_well(mut self) {
        let rest: Vec<String> = self.lines.iter().collect();
        assert!(self.child.wait().unwrap().success(), "{rest:#?}");
    }

    fn signal(&self, signal: i32) {
        // SAFETY: a plain system call; the process is a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Stops the process, and returns when it has stopped.
    fn stop(&self) {
        self.signal(libc::SIGSTOP);
        let mut status = 0;
        // SAFETY: as above; the status outlives the call.
        let changed = unsafe { libc::waitpid(self.child.id() as i32, &mut status, libc::WUNTRACED) };
        assert!(changed == self.child.id() as i32 && libc::WIFSTOPPED(status), "it ended: {:?}", self.hear());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn report(line: String) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn number(line: &str, word: usize) -> u64 {
    let number = line.split(' ').nth(word).and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("the process fails: {line}"))
}

/// The payload of record `id`, whichever process appends it.
fn expected(id: u64) -> Vec<u8> {
    payload(if id.is_multiple_of(131) { 20_000 } else { (id * 7919 % 300) as usize }, id)
}

/// The line by which one process reports a whole record to another.
fn line_of(row: &Row) -> String {
    let sum = row.payload.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3) // FNV-1a
    });
    format!("read {} {} {} {} {sum:x}", row.id, row.type_id, row.time, row.payload_len)
}

fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// The process that is killed: `opened <next id>`, then `flushed <id>` now and then.
#[test]
#[ignore = "run by the tests of this file, as a process of its own"]
fn writing_process() {
    let Some(directory) = directory() else { return };
    let round: u32 = std::env::var(ROUND).unwrap().parse().unwrap();
    let end: Option<u64> = std::env::var(END).ok().map(|end| end.parse().unwrap());
    let roll = RollOptions { records: Some(EACH), ..RollOptions::default() };
    let background = round % 2 == 1;
    let options = WriterOptions { roll, background, block_bytes: 4096, ..WriterOptions::default() };
    let writer = Writer::open(directory, options).unwrap();
    let mut id = writer.position().unwrap().appended + 1;
    report(format!("opened {id}"));
    loop {
        let is_last = end.is_some_and(|end| id >= end);
        assert_eq!(writer.append(if is_last { LAST } else { round }, &expected(id)).unwrap(), id);
        if id.is_multiple_of(57) {
            writer.roll().unwrap();
            report(format!("flushed {id}"));
        } else if id.is_multiple_of(3) {
            writer.flush().unwrap();
            report(format!("flushed {id}"));
        }
        if is_last {
            break;
        }
        id += 1;
    }
    writer.close().unwrap();
    report(format!("flushed {id}"));
}

/// The process that follows: `read <id> …` for each record, and `missed <first> <last>`.
#[test]
#[ignore = "run by the tests of this file, as a process of its own"]
fn following_process() {
    let Some(directory) = directory() else { return };
    let reader = Reader::open(directory, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter { from_id: Some(1), ..Filter::default() }).unwrap();
    let mut next = 1;
    loop {
        assert!(cursor.wait(PATIENCE).unwrap(), "nothing came behind record {next}");
        let before = next;
        loop {
            match cursor.next() {
                Ok(Some(record)) => {
                    let row = Row::from(&record);
                    assert_eq!(row.id, next, "in order, without a gap");
                    assert!(row.payload == expected(next), "{} is not record {next}", brief(&row));
                    report(line_of(&row));
                    next += 1;
                    if row.type_id == LAST {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let (first, last) = error.missed().unwrap_or_else(|| panic!("behind {next}: {error:?}"));
                    assert_eq!(first, next, "{error}");
                    report(format!("missed {first} {last}"));
                    next = last + 1;
                }
            }
        }
        assert!(next > before, "waiting ended with nothing to show");
    }
}

/// A thousand rolls, and a writer that is killed and started again on the way.
#[test]
fn a_process_that_follows_sees_what_the_log_holds_over_a_thousand_rolls_and_killed_writers() {
    const KILLS: u64 = 10;
    const RECORDS: u64 = 1025 * EACH;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    Writer::open(&directory, WriterOptions::default()).unwrap().close().unwrap();
    let follower = Process::start("following_process", &[], &directory);
    // For each writing process: the first id that it gave, and the last that it has flushed for certain.
    let mut flushed = BTreeMap::new();
    for round in 1..=KILLS + 1 {
        let mut settings = vec![(ROUND, round.to_string())];
        let dice = u64::from_le_bytes(noise(8, round).try_into().unwrap()) >> 8;
        let target = match round <= KILLS {
            true => round * RECORDS / (KILLS + 2) + dice % 200,
            false => u64::MAX,
        };
        if round > KILLS {
            settings.push((END, RECORDS.to_string()));
        }
        let mut writing = Process::start("writing_process", &settings, &directory);
        let mut heard = vec![];
        while let Some(line) = writing.hear() {
            let last = number(&line, 1);
            heard.push(line);
            if last >= target {
                std::thread::sleep(Duration::from_micros(dice % 3000));
                break;
            }
        }
        if round <= KILLS {
            writing.child.kill().unwrap();
            writing.child.wait().unwrap();
        }
        heard.extend(writing.lines.iter());
        assert!(heard[0].starts_with("opened "), "{heard:#?}");
        let first = number(&heard[0], 1);
        assert!(heard[1..].iter().all(|line| line.starts_with("flushed ")), "{:#?}", heard.last());
        flushed.insert(round as u32, (first, heard[1..].iter().map(|line| number(line, 1)).max().unwrap_or(0)));
        if round > KILLS {
            writing.ends_well();
        }
    }
    let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let reader = Reader::open(&directory, strict).unwrap();
    assert!(reader.segments().len() > 1000);
    let rows = rows_of(&reader);
    for (i, row) in rows.iter().enumerate() {
        let seen = follower.hear().unwrap_or_else(|| panic!("it ended before record {}", row.id));
        assert_eq!(seen, line_of(row), "record {}", i + 1);
    }
    assert_eq!(follower.hear(), None, "behind the last record");
    follower.ends_well();
    for (round, (first, last)) in flushed {
        for row in &rows[first as usize - 1..last.max(first - 1) as usize] {
            assert!(row.type_id == round || row.type_id == LAST, "record {} of process {round}", row.id);
        }
    }
}

/// What a process that follows has reported.
struct Account {
    next: u64,
    missed: u64,
}

impl Account {
    /// Listens until each record up to `last` was read or missed, once.
    fn settle(&mut self, follower: &Process, last: u64) {
        while self.next <= last {
            let line = follower.hear().unwrap_or_else(|| panic!("it ended before record {}", self.next));
            assert_eq!(number(&line, 1), self.next, "{line}");
            self.next = match line.starts_with("missed ") {
                true => {
                    let last = number(&line, 2);
                    self.missed += last + 1 - self.next;
                    last + 1
                }
                false => self.next + 1,
            };
        }
        assert_eq!(self.next, last + 1);
    }
}

#[test]
fn a_process_that_was_stopped_while_old_segments_went_accounts_for_each_record_once() {
    for background in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let options = WriterOptions {
            roll: RollOptions { records: Some(EACH), ..RollOptions::default() },
            keep: Retention { segments: Some(3), ..Retention::default() },
            background,
            ..WriterOptions::default()
        };
        let writer = Writer::open(scratch.path(), options).unwrap();
        let append = |count: u64| {
            let mut last = 0;
            for _ in 0..count {
                let id = writer.position().unwrap().appended + 1;
                last = writer.append(1, &expected(id)).unwrap();
                if last.is_multiple_of(3) {
                    writer.flush().unwrap();
                }
            }
            writer.tick().unwrap();
            writer.flush().unwrap();
            last
        };
        let mut last = append(1);
        let follower = Process::start("following_process", &[], scratch.path());
        let mut account = Account { next: 1, missed: 0 };
        for round in 1..=12 {
            account.settle(&follower, last);
            follower.stop();
            let before = account.missed;
            last = append(12 * EACH);
            // With background threads, the writer removes them some time later.
            let segments = || Reader::open(scratch.path(), ReaderOptions::default()).unwrap().segments().len();
            let began = std::time::Instant::now();
            while segments() > 3 && began.elapsed() < std::time::Duration::from_secs(60) {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            follower.signal(libc::SIGCONT);
            if round % 3 > 0 {
                account.settle(&follower, last);
                assert!(account.missed > before, "it came back too late for some");
            }
            // Again, while the follower is running.
            last = append(5 * EACH);
        }
        assert_eq!(writer.append(LAST, &expected(last + 1)).unwrap(), last + 1);
        writer.close().unwrap();
        account.settle(&follower, last + 1);
        follower.ends_well();
        assert!(account.missed > 0 && account.missed < last);
        let left = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
        assert!(left.segments().len() <= 3);
    }
}

/// One of the processes that contend for a log: `appended <id> <payload>` for each record, and, at the end, `refused`
/// with the processes that errors named as holders of the log.
#[test]
#[ignore = "run by the tests of this file, as a process of its own"]
fn contending_process() {
    let Some(directory) = directory() else { return };
    let held = directory.parent().unwrap().join("held");
    let (me, mut holders) = (std::process::id(), BTreeSet::new());
    let options = || WriterOptions {
        roll: RollOptions { records: Some(7), ..RollOptions::default() },
        background: me.is_multiple_of(2),
        ..WriterOptions::default()
    };
    for win in 0..WINS {
        let writer = loop {
            match Writer::open(&directory, options()) {
                Ok(writer) => break writer,
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Locked, "{error:?}");
                    holders.insert(holder(&error));
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        };
        let mark = std::fs::OpenOptions::new().write(true).create_new(true).open(&held);
        mark.expect("no other process has the log");
        for i in 0..=win % 5 {
            let payload = format!("{me}-{win}-{i}");
            let id = writer.append(1, payload.as_bytes()).unwrap();
            report(format!("appended {id} {payload}"));
        }
        if win.is_multiple_of(6) {
            writer.roll().unwrap();
        }
        std::fs::remove_file(&held).unwrap();
        writer.close().unwrap();
    }
    let holders: Vec<String> = holders.iter().map(|pid| format!(" {pid}")).collect();
    report(format!("refused{}", holders.concat()));
}

/// The process that an error names as the holder of the log.
fn holder(error: &binlog::Error) -> u32 {
    let pid = error.reason().split_once("(process ").and_then(|(_, rest)| rest.split_once(')')?.0.parse().ok());
    pid.unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn of_processes_that_open_one_log_at_once_one_has_it_and_the_others_learn_which() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    Writer::open(&directory, WriterOptions::default()).unwrap().close().unwrap();
    let contending: Vec<Process> = (0..4).map(|_| Process::start("contending_process", &[], &directory)).collect();
    let mut known: BTreeSet<u64> = contending.iter().map(|process| u64::from(process.child.id())).collect();
    // This process had the log before them.
    known.insert(u64::from(std::process::id()));
    let mut appended = BTreeMap::new();
    let mut refused = 0;
    for process in contending {
        while let Some(line) = process.hear() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "appended" => {
                    let other = appended.insert(number(&line, 1), words[2].to_owned());
                    assert_eq!(other, None, "{line}: one id, two records");
                }
                "refused" => {
                    for word in 1..words.len() {
                        refused += 1;
                        assert!(known.contains(&number(&line, word)), "{line}, not among {known:?}");
                    }
                }
                // The first line of a panic may be empty.
                _ => panic!("the process fails: {line}{:#?}", process.lines.iter().collect::<Vec<_>>()),
            }
        }
        process.ends_well();
    }
    assert!(refused > 0, "they came one after the other");
    let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let rows = rows_of(&Reader::open(&directory, strict).unwrap());
    assert_eq!(rows.len() as u64, 4 * (0..WINS).map(|win| win % 5 + 1).sum::<u64>());
    let rows: BTreeMap<u64, String> =
        rows.into_iter().map(|row| (row.id, String::from_utf8(row.payload).unwrap())).collect();
    assert!(rows == appended);
}

#[test]
fn the_holder_of_the_log_is_reported_exactly_and_a_killed_process_holds_it_no_more() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 1..=5 {
        let mut writing = Process::start("writing_process", &[(ROUND, round.to_string())], scratch.path());
        while writing.hear().expect("it writes until it is killed").starts_with("opened ") {}
        let error = Writer::open(scratch.path(), WriterOptions::default()).err().unwrap();
        assert_eq!((error.kind(), holder(&error)), (Kind::Locked, writing.child.id()), "{error}");
        writing.child.kill().unwrap();
        writing.child.wait().unwrap();
        Writer::open(scratch.path(), WriterOptions::default()).unwrap().close().unwrap();
    }
}
