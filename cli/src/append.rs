//! `binlog append`: records from standard input into a log.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use binlog::hooks::Hooks;
use binlog::{Codec, Filter, FullDisk, Kind, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

use crate::args::{self, Type};
use crate::input::{Framing, Input, NextInput};
use crate::output::{complain, Fail};
use crate::progress::Progress;
use crate::rolling::{Keep, Require, Rolling};
use crate::signals::{exit_code, Signals};
use crate::{advice, human, OK};

/// Append records from standard input
///
/// Each line is a record, without its newline. Records reach the file after a second at the latest, where `binlog cat
/// --follow` sees them, and the disk when the input ends. Ctrl-C and SIGTERM end the input: what was read is written
/// and the log is closed cleanly.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog append logs/ < access.log
  journalctl -f | binlog append --type journal --meta host=$HOSTNAME logs/
  producer | binlog append --framing u32le --type 7 --codec zstd logs/
  producer | binlog append --period HOUR --zone Europe/Berlin --template '{name}-%Y%m%d-%H.{seq}' logs/
  producer | binlog append --size 100MB --age 1h --keep 30d --keep-bytes 10GB logs/
  echo hello | binlog append --single-file greetings.binlog")]
pub struct Append {
    /// Directory of the log, created when it is not there; a file with --single-file
    log: PathBuf,
    /// How records follow each other in the input
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,
    /// Type of the records: a number, or a name
    #[arg(long = "type", value_name = "N|NAME", default_value = "0", value_parser = args::own_type)]
    type_of: Type,
    /// Metadata of each record; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = args::pair)]
    meta: Vec<(String, String)>,
    /// LOG is one file rather than a directory of segments; it never rolls
    #[arg(long)]
    single_file: bool,
    /// Name of the log; begins the names of its files
    #[arg(long, default_value = "default")]
    name: String,
    /// Compression of new blocks: none, lz4, zstd or zstd:LEVEL
    #[arg(long, default_value = "none", value_parser = args::codec)]
    codec: (Codec, i32),
    /// Flush to the system at the latest after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    flush_every: Option<u64>,
    /// Sync to the disk at the latest after so many records; without it, once at the end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    /// What to do when the disk is full: fail; wait until there is space; or drop the records that do not fit, and
    /// count them
    #[arg(long, value_enum, value_name = "HOW", default_value = "fail")]
    when_full: WhenFull,
    /// The longest record that is accepted; as much memory may be used
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = args::size)]
    record_max: u64,
    /// No summary at the end
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    rolling: Rolling,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    require: Require,
}

/// What to do when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhenFull {
    Fail,
    Wait,
    Drop,
}

/// Why reading ended without an error.
enum Ended {
    Input,
    Signal(i32),
}

pub fn run(args: &Append) -> Result<u8, Fail> {
    crate::remote::refuse(&args.log, "append to")?;
    check(args);
    let signals = Signals::catch().map_err(|e| Fail::Message(format!("cannot catch signals: {e}")))?;
    let writer = open(args)?;
    let before = writer.position()?.appended;
    if io::stdin().is_terminal() && !args.quiet {
        complain("reading records from the terminal; Ctrl-D ends the input");
    }
    let mut bytes = 0;
    let mut full = Full { when: args.when_full, signals: &signals, warned: false };
    let copied = copy(args, &writer, &mut full, &mut bytes);
    let flushed = full.patiently(|| writer.flush());
    let (position, dropped) = (writer.position()?, writer.dropped());
    let closed = writer.close();
    let written = position.flushed - before;
    if dropped > 0 {
        complain(&format!("the disk was full: {} dropped", human::counted(dropped, "record")));
    }
    let ended = copied.and_then(|ended| flushed.and(closed).map(|()| ended).map_err(|e| e.to_string()));
    let ended = ended.map_err(|message| {
        let all = position.appended - before;
        // `close` may have written more.
        let written = last_id(args).map_or(written, |last| last.saturating_sub(before).clamp(written, all));
        let of_all = if written < all { format!(" of {}", human::count(all)) } else { String::new() };
        Fail::Message(format!("{message}; {}{of_all} written", human::counted(written, "record")))
    })?;
    if !args.quiet {
        let log = args.log.display();
        complain(&match written {
            0 => format!("no records appended to {log}"),
            _ => format!(
                "{} ({}) appended to {log}, ids {} to {}",
                human::counted(written, "record"),
                human::bytes(bytes),
                human::count(before + 1),
                human::count(before + written)
            ),
        });
    }
    Ok(match ended {
        Ended::Input => OK,
        Ended::Signal(signal) => exit_code(signal),
    })
}

/// The id of the last record that is in the log now, if it can be read.
fn last_id(args: &Append) -> Option<u64> {
    let log = (!args.single_file).then(|| args.name.clone());
    let reader = Reader::open(&args.log, ReaderOptions { log, ..ReaderOptions::default() }).ok()?;
    let mut last = reader.cursor(&Filter { last: Some(1), headers_only: true, ..Filter::default() }).ok()?;
    Some(last.next().ok()??.id)
}

fn check(args: &Append) {
    if args.single_file && (args.rolling.is_some() || args.keep.rules().is_some()) {
        let wrong = "a log of one file does not roll: leave out --single-file, or the rules for rolling and keeping\n";
        clap::Error::raw(ErrorKind::ArgumentConflict, wrong).exit();
    }
}

fn open(args: &Append) -> Result<Writer, Fail> {
    let mut options = WriterOptions {
        name: args.name.clone(),
        codec: args.codec.0,
        codec_level: args.codec.1,
        record_max_bytes: args.record_max,
        background: true,
        full_disk: match args.when_full {
            WhenFull::Fail => FullDisk::Fail,
            WhenFull::Wait => FullDisk::Wait(Some(PATIENCE)),
            WhenFull::Drop => FullDisk::Drop,
        },
        roll: args.rolling.options(),
        keep: args.keep.rules(),
        heartbeat: args.rolling.heartbeat,
        require: args.require.required(),
        hooks: Hooks { on_failure: Some(Arc::new(|e| complain(&e.to_string()))), ..Hooks::default() },
        ..WriterOptions::default()
    };
    options.segment_bytes = args.rolling.segment_size.unwrap_or(options.segment_bytes);
    options.flush.records = args.flush_every;
    options.sync.records = args.sync_every;
    let log = &args.log;
    let (opened, hint) = match args.single_file {
        true => (Writer::open_file(log, options), log.is_dir().then_some("is a directory: leave --single-file out")),
        false => (Writer::open(log, options), log.is_file().then_some("is a file: a log of one takes --single-file")),
    };
    let opened = opened.inspect_err(advice::end_if_usage);
    opened.map_err(|e| match hint {
        Some(hint) if e.kind() != Kind::Invalid => Fail::Message(format!("{} {hint}", log.display())),
        _ => advice::fail(log)(e),
    })
}

/// How long the library waits for space before the command looks for a signal.
const PATIENCE: Duration = Duration::from_millis(300);

/// What happens when the disk is full.
struct Full<'a> {
    when: WhenFull,
    signals: &'a Signals,
    warned: bool,
}

impl Full<'_> {
    /// Repeats a call while the disk is full and no signal has come, if the user asked to wait.
    fn patiently<T>(&mut self, mut call: impl FnMut() -> binlog::Result<T>) -> binlog::Result<T> {
        loop {
            match call() {
                Err(e) if e.kind() == Kind::NoSpace && self.when == WhenFull::Wait && e.record_id().is_none() => {
                    if self.signals.caught().is_some() {
                        return Err(e);
                    }
                    self.warn_once(&format!("{e}; waiting for space"));
                }
                other => return other,
            }
        }
    }

    /// Appends a record; false when it was dropped. A record that was accepted is not appended again when the flush
    /// or sync that --flush-every or --sync-every asks for failed: the writer repeats that as soon as there is space.
    fn append(&mut self, writer: &Writer, record: &NewRecord<'_>) -> binlog::Result<bool> {
        match self.patiently(|| writer.append_record(record)) {
            Err(e) if e.kind() == Kind::NoSpace && self.when != WhenFull::Fail && e.record_id().is_some() => {
                self.warn_once(&e.to_string());
                Ok(true)
            }
            Ok(0) => {
                self.warn_once("the disk is full: dropping records");
                Ok(false)
            }
            other => other.map(|_| true),
        }
    }

    fn warn_once(&mut self, message: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            complain(message);
        }
    }
}

/// Appends records until the input ends; an error is a message. `bytes` counts the payload.
fn copy(args: &Append, writer: &Writer, full: &mut Full<'_>, bytes: &mut u64) -> Result<Ended, String> {
    let message = |e: binlog::Error| e.to_string();
    let type_id = match &args.type_of {
        Type::Number(number) => *number,
        Type::Name(name) => full.patiently(|| writer.type_id(name, "")).map_err(message)?,
    };
    let metadata: MetadataBuf = args.meta.iter().map(|(key, value)| (key, value)).collect();
    let metadata = metadata.as_metadata();
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(|e| format!("standard input: {e}"))?;
    let stdin = File::from(stdin);
    let whole = stdin.metadata().ok().filter(|facts| facts.is_file() && !args.quiet);
    let mut progress = Progress::new(whole.map(|facts| facts.len()));
    let mut input = Input::new(stdin, args.framing, args.record_max, full.signals);
    loop {
        match input.next()? {
            NextInput::Record(place) => {
                let payload = input.bytes(place);
                let record = NewRecord { type_id, metadata, payload, time: None };
                if full.append(writer, &record).map_err(message)? {
                    *bytes += payload.len() as u64;
                }
                progress.at(input.bytes_read());
            }
            NextInput::End => return Ok(Ended::Input),
            NextInput::Signal(signal) => {
                drop(progress);
                if input.left_over() > 0 {
                    let left = human::counted(input.left_over() as u64, "byte");
                    complain(&format!("stopped within a record: {left} of it left out"));
                }
                return Ok(Ended::Signal(signal));
            }
        }
    }
}
