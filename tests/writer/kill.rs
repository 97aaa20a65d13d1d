//! A writing process is killed with SIGKILL again and again, on the real file system, and each time the next one
//! continues in the same log: what was flushed is there, in order, once, and as it was appended.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use crate::common::*;
use binlog::{Filter, Lag, NewRecord, Reader, ReaderMode, ReaderOptions, Tail, Writer, WriterOptions};

const DIRECTORY: &str = "BINLOG_KILL_DIRECTORY";
const LEVEL: &str = "BINLOG_KILL_LEVEL";
/// Set for a process that appends this many records, closes the log and ends.
const CLOSES: &str = "BINLOG_KILL_CLOSES";
const ROUNDS: u64 = 80;

/// How far each append goes before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Flushed,
    Synced,
    Background,
    /// In the background, through an appender.
    Staged,
}

impl Level {
    fn options(self) -> WriterOptions {
        let each = Lag { records: Some(1), ..Lag::default() };
        let options = WriterOptions { block_bytes: 4096, segment_bytes: 100_000, ..WriterOptions::default() };
        match self {
            Level::Flushed => WriterOptions { flush: each, ..options },
            Level::Synced => WriterOptions { sync: each, fill_ahead: Some(1 << 20), ..options },
            Level::Background | Level::Staged => {
                let flush = Lag { interval: Some(Duration::from_millis(2)), ..Lag::default() };
                WriterOptions { background: true, flush, segment_bytes: 1 << 20, ..options }
            }
        }
    }
}

/// Everything about record `id` follows from its number.
fn expected(id: u64) -> Row {
    let len = if id.is_multiple_of(97) { 150_000 } else { (id * 7919 % 700) as usize };
    let mut payload = noise(64, id).repeat(len.div_ceil(64));
    payload.truncate(len);
    let metadata = if id.is_multiple_of(4) { vec![("number".to_owned(), id.to_string())] } else { vec![] };
    Row { metadata, ..Row::new(id, id as i64, (id % 5) as u32, payload) }
}

/// How many records are appended together with the one of this number.
fn batch(id: u64) -> u64 {
    if id % 10 == 3 {
        3
    } else {
        1
    }
}

/// The process that is killed. It reports what it is about to do, and what has succeeded, in lines on its standard
/// error, each written with one system call: `opening`, `opened <next id>`, `appending <first> <last>`, `flushed <id>`.
#[test]
#[ignore = "run by the tests of this file, as a process of its own"]
fn writing_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let level = match std::env::var(LEVEL).as_deref() {
        Ok("Flushed") => Level::Flushed,
        Ok("Synced") => Level::Synced,
        Ok("Staged") => Level::Staged,
        _ => Level::Background,
    };
    let closes: Option<u64> = std::env::var(CLOSES).ok().map(|n| n.parse().unwrap());
    let report = |line: String| std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
    report("opening".to_owned());
    let writer = Writer::open(directory, level.options()).unwrap();
    let opened = writer.position().unwrap().appended + 1;
    report(format!("opened {opened}"));
    let mut appender = (level == Level::Staged).then(|| writer.appender().unwrap());
    let mut next = opened;
    while closes.is_none_or(|records| next < opened + records) {
        let last = next + batch(next) - 1;
        let rows: Vec<Row> = (next..=last).map(expected).collect();
        let facts: Vec<_> = rows.iter().map(|row| metadata(&row.metadata)).collect();
        let records = rows.iter().zip(&facts).map(|(row, facts)| NewRecord {
            type_id: row.type_id,
            time: Some(row.time),
            metadata: facts.as_metadata(),
            payload: &row.payload,
        });
        report(format!("appending {next} {last}"));
        match &mut appender {
            Some(appender) => assert!(appender.append_batch(records).unwrap()),
            None => assert_eq!(writer.append_batch(records).unwrap(), next),
        }
        if matches!(level, Level::Background | Level::Staged) {
            if next.is_multiple_of(50) {
                match &mut appender {
                    // All records are this appender's.
                    Some(appender) => assert_eq!(appender.flush().unwrap(), last),
                    None => writer.flush().unwrap(),
                }
                report(format!("flushed {last}"));
            }
            report(format!("flushed {}", writer.position().unwrap().flushed));
        } else {
            report(format!("flushed {last}"));
        }
        if next.is_multiple_of(61) {
            writer.roll().unwrap();
        }
        next = last + 1;
    }
    writer.close().unwrap();
    report(format!("flushed {}", next - 1));
}

/// What the parent knows of the log.
#[derive(Default)]
struct Known {
    /// Records up to this one were flushed.
    flushed: u64,
    /// Records up to this one were given to the writer that was killed last.
    attempted: u64,
    last_batch: (u64, u64),
    /// Bytes behind the last whole block, the file they were in, and where.
    torn: Option<(PathBuf, u64, Vec<u8>)>,
    /// Processes that were killed while they opened the log, and torn tails that a later one kept.
    killed_opening: u64,
    kept: u64,
}

fn start(directory: &Path, level: Level, closes: Option<u64>) -> (Child, Receiver<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &full_name(module_path!(), "writing_process"),
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env(DIRECTORY, directory).env(LEVEL, format!("{level:?}")).stdout(Stdio::null()).stderr(Stdio::piped());
    command.envs(closes.map(|records| (CLOSES, records.to_string())));
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stderr.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, receiver)
}

impl Known {
    /// Records what a process reported until its end; returns true if the process opened the log.
    fn listen(&mut self, lines: Vec<String>, shown: u64) -> bool {
        let mut opened = false;
        for (i, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |i: usize| words[i].parse::<u64>().unwrap_or_else(|e| panic!("{line}: {e}"));
            match words[0] {
                "opening" => (),
                "opened" => {
                    opened = true;
                    assert_eq!(number(1), shown + 1, "the next writer continues after what readers are shown");
                }
                "appending" => (self.last_batch, self.attempted) = ((number(1), number(2)), number(2)),
                "flushed" => self.flushed = self.flushed.max(number(1)),
                _ => panic!("the writing process fails: {}", lines[i..].join(" ")),
            }
        }
        opened
    }

    /// Reads the log from record `from` on, compares it, and returns the last record's id.
    fn verify(&mut self, directory: &Path, from: u64, mode: ReaderMode, what: &str) -> (u64, Option<Tail>) {
        let reader = match Reader::open(directory, ReaderOptions { mode, ..ReaderOptions::default() }) {
            Ok(reader) => reader,
            // Killed before it had created anything.
            Err(e) if self.flushed == 0 && e.kind() == binlog::Kind::NotFound => return (0, None),
            Err(e) => panic!("{what}: {e:?}"),
        };
        let mut cursor = reader.cursor(&Filter { from_id: Some(from), ..Filter::default() }).unwrap();
        let mut last = from - 1;
        while let Some(record) = cursor.next().unwrap_or_else(|e| panic!("{what}: behind record {last}: {e:?}")) {
            last += 1;
            let (seen, expected) = (Row::from(&record), expected(last));
            assert!(seen == expected, "{what}: {} is not {}", brief(&seen), brief(&expected));
        }
        assert!(last >= self.flushed, "{what}: {last} records, and {} were flushed", self.flushed);
        assert!(last <= self.attempted, "{what}: {last} records of {}", self.attempted);
        let (first, end) = self.last_batch;
        assert!(last < first || last >= end, "{what}: {last} is in the middle of the batch {first} to {end}");
        // Killed before it had begun its file: there is no end that could be torn.
        let tail = cursor.tail();
        (last, (last > 0 || tail.offset > 0).then_some(tail))
    }

    /// Remembers the torn tail, after making one in some rounds: a kill seldom hits the middle of a write.
    fn note_torn(&mut self, tail: Option<Tail>, garbage: Option<Vec<u8>>) {
        let Some(tail) = tail else { return };
        if let Some(garbage) = garbage {
            std::fs::OpenOptions::new().append(true).open(&tail.path).unwrap().write_all(&garbage).unwrap();
        }
        let torn = std::fs::read(&tail.path).unwrap().split_off(tail.offset as usize);
        // Zeros are space, where the writer syncs each record.
        let is_space = torn.iter().all(|&byte| byte == 0);
        self.torn = (!is_space).then_some((tail.path, tail.offset, torn));
    }

    /// A writer has opened the log: what was torn must be beside the segment now.
    fn check_kept(&mut self, what: &str) {
        let Some((path, offset, torn)) = self.torn.take() else { return };
        let name = format!("{}.torn-{offset}", path.file_name().unwrap().to_str().unwrap());
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
        let mut named = files.filter(|file| file.file_name().to_str().unwrap().starts_with(&name));
        let kept = named.any(|file| std::fs::read(file.path()).unwrap() == torn);
        assert!(kept, "{what}: {} torn bytes are not kept in {name}", torn.len());
        self.kept += 1;
    }
}

/// Lets processes append to one log, kills each at a random moment, and checks the log in between.
fn kill_again_and_again(level: Level) {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let mut known = Known::default();
    let mut shown = 0;
    for round in 0..ROUNDS {
        let what = format!("{level:?}, round {round}");
        let dice = u64::from_le_bytes(noise(8, round + 1).try_into().unwrap()) >> 8;
        let (mut child, lines) = start(&directory, level, None);
        let mut heard = vec![];
        if round % 3 == 0 {
            // In the middle of opening, and of the recovery, or soon after.
            heard.extend(lines.recv());
            std::thread::sleep(Duration::from_micros(dice % 1500));
        } else {
            // Anywhere in the writing, or before it.
            heard.extend((round % 3 == 1).then(|| lines.iter().find(|line| line.starts_with("opened"))).flatten());
            std::thread::sleep(Duration::from_micros(dice % 30_000));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        heard.extend(lines.iter());
        let begun = !heard.is_empty();
        let opened = known.listen(heard, shown);
        known.killed_opening += u64::from(begun && !opened);
        if opened {
            known.check_kept(&what);
        }
        // The whole log now and then, otherwise only what is new.
        let from = if round % 20 == 19 { 1 } else { shown + 1 };
        let (last, tail) = known.verify(&directory, from, ReaderMode::Prefix, &what);
        assert!(last >= shown, "{what}: {last} records, where there were {shown}");
        shown = last;
        if known.torn.is_none() {
            known.note_torn(tail, (round % 4 == 0).then(|| noise(dice as usize % 6000 + 1, round)));
        }
        (known.flushed, known.attempted) = (shown, shown);
    }
    let (mut child, lines) = start(&directory, level, Some(20));
    let what = format!("{level:?}, the last round");
    known.listen(lines.iter().collect(), shown);
    assert!(child.wait().unwrap().success(), "{what}");
    known.check_kept(&what);
    let (last, _) = known.verify(&directory, 1, ReaderMode::Strict, &what);
    assert!(last == known.flushed && last > ROUNDS, "{what}: {last} records");
    let segments = std::fs::read_dir(&directory).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".binlog")
    });
    let segments = segments.count();
    assert!(segments > 5, "{what}: {segments} segments");
    assert!(
        known.kept >= ROUNDS / 10 && known.killed_opening > 0,
        "{} kept, {} while opening",
        known.kept,
        known.killed_opening
    );
}

#[test]
fn what_was_flushed_with_each_append_survives_kill_9() {
    kill_again_and_again(Level::Flushed);
}

#[test]
fn what_was_synced_with_each_append_survives_kill_9() {
    kill_again_and_again(Level::Synced);
}

#[test]
fn what_the_background_thread_reported_as_flushed_survives_kill_9() {
    kill_again_and_again(Level::Background);
}

#[test]
fn what_an_appender_flushed_survives_kill_9() {
    kill_again_and_again(Level::Staged);
}
