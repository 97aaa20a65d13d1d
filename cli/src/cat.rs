//! `binlog cat`: the records of logs, on standard output.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use binlog::{Cursor, Filter, Kind, Reader, ReaderOptions};
use clap::error::ErrorKind;
use clap::Args;

use crate::damage::{self, Unread};
use crate::notes::warn_of_recovery;
use crate::output::{complain, Fail, Out};
use crate::printer::{Printer, Stop};
use crate::remote::{is_url, Remote};
use crate::render::Format;
use crate::rolling::Require;
use crate::scan::{may_have_been_closed_meanwhile, ReadBar};
use crate::select::Select;
use crate::signals::{exit_code, Signals, Woken};
use crate::unmatched::Unmatched;
use crate::{advice, human, DAMAGED, FAILED, OK};

/// How long the library waits, where nothing can be polled, before the command checks for a signal and for a closed
/// output.
const TURN: Duration = Duration::from_millis(100);

/// Print records
///
/// PATH is a directory of segments, a file (also one compressed with gzip or zstd as a whole), or a pattern in quotes, or the
/// URL of one of these in an object store (s3://, gs://, az://, swift://, file://).
/// Where a log is damaged or ends with the torn tail of a crash, everything before is printed, a note goes to standard
/// error, and the exit status is 3. With --salvage, what follows is printed too.
#[derive(Args)]
#[command(after_help = "\
Times: RFC 3339 (2026-03-01T12:30:00Z), a date with or without a time of day, in UTC (2026-03-01, \
\"2026-03-01 12:30\"), @SECONDS since 1970, now, or relative to now (-1h, -1h30m, \"10m ago\", \
\"2 days ago\").

On a terminal, control characters are shown as \\u001b, and bytes that are no UTF-8 as \\xff; --raw writes \
them as they are. Into a pipe or a file they are always written as they are.

A --type or a key of --where that no record has is reported on standard error, with those that there are; the exit \
status stays 0. It is not reported with --follow, of a damaged log, and for keys of a log in a store.

JSON: id, time (RFC 3339, UTC, nanoseconds), type, type_name of a named type, event of an event, \
metadata (an object; a key that occurs more than once has an array of its values), length, and the \
payload as text when it is UTF-8, else as base64. With --decode, value in place of them; where a payload \
is not what its type says, or its value would be far larger than it is, they stay, and undecoded is the reason.

Examples:
  binlog cat logs/
  binlog cat --type order.placed --since -1h --format json logs/ | jq .text
  binlog cat --decode --type order.placed logs/ | jq .total
  binlog cat --id 1000..1010 --format hex logs/
  binlog cat --headers 'logs/*.binlog'
  binlog cat --where host=example.org --where user=alice logs/
  binlog cat --reverse --last 10 logs/        the newest ten, the newest first
  binlog cat --follow --last 10 logs/         as tail -f does
  binlog cat --require-name orders logs/      fail if it is another log
  binlog cat --split TOKEN                    a part of a log, from `binlog splits`
  binlog cat --salvage logs/ > saved          all that can be read of a damaged log")]
pub struct Cat {
    /// Logs: directories, files, patterns or URLs
    #[arg(required = true)]
    path: Vec<PathBuf>,
    /// Each PATH is the token of a split, from `binlog splits`
    #[arg(long, conflicts_with = "follow")]
    split: bool,
    #[arg(short = 'F', long, value_enum, default_value = "lines")]
    format: Format,
    #[command(flatten)]
    select: Select,
    /// From the newest record to the oldest
    #[arg(short, long, conflicts_with_all = ["follow", "salvage"])]
    reverse: bool,
    /// Continue after damage; each loss is a line on standard error, and the exit status is 3 when there was one
    #[arg(long)]
    salvage: bool,
    /// Show id, time, type, length and metadata, and read no payloads
    #[arg(long)]
    headers: bool,
    /// Show payloads as JSON, by the encodings and schemas of their types; only with lines and json
    #[arg(long, conflicts_with = "headers")]
    decode: bool,
    /// Write control characters of payloads to a terminal as they are; without it they are shown as \u001b
    #[arg(long)]
    raw: bool,
    /// Show the log's own events too
    #[arg(long)]
    events: bool,
    /// Continue with records that are appended from now on, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Stop after so many records
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    require: Require,
    #[command(flatten)]
    remote: Remote,
}

/// Why printing came to an end.
enum Ended {
    /// All was read, or as much as was asked for.
    Well,
    /// Something is left unread.
    Damaged,
    Signal(i32),
}

pub fn run(args: &Cat) -> Result<u8, Fail> {
    check(args);
    let signals = match args.follow {
        true => Some(Signals::catch().map_err(|e| Fail::Message(format!("cannot catch signals: {e}")))?),
        false => None,
    };
    let out = if args.raw { Out::raw() } else { Out::new() };
    let mut printer = Printer::new(out, args.format, args.headers, args.decode, args.limit);
    let mut unmatched = Unmatched::new(&args.select);
    let mut code = OK;
    for path in &args.path {
        match show(args, path, signals.as_ref(), &mut printer, &mut unmatched) {
            Ok(Ended::Well) => (),
            Ok(Ended::Damaged) => code = if code == OK { DAMAGED } else { code },
            Ok(Ended::Signal(signal)) => code = exit_code(signal),
            Err(Fail::Closed) => return Err(Fail::Closed),
            Err(Fail::Message(message)) => {
                printer.out.flush()?;
                complain(&message);
                code = FAILED;
            }
        }
    }
    printer.out.flush()?;
    // Records may still be appended to a log that is followed, and one that was not read to its end may have more.
    if !args.follow && code == OK && args.limit != Some(0) {
        unmatched.report();
    }
    Ok(code)
}

fn check(args: &Cat) {
    let wrong = if args.follow && args.path.len() > 1 {
        "--follow takes one PATH"
    } else if args.format == Format::Raw && (args.headers || args.events) {
        "--format raw shows payloads: --headers and --events take another format"
    } else if args.decode && !matches!(args.format, Format::Lines | Format::Json) {
        "--decode takes --format lines or json"
    } else if let Some(mistake) = args.select.mistake() {
        mistake
    } else {
        return;
    };
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{wrong}\n")).exit();
}

fn filter(args: &Cat) -> Filter {
    Filter { headers_only: args.headers, events: args.events, newest_first: args.reverse, ..args.select.filter() }
}

fn show(
    args: &Cat,
    path: &Path,
    signals: Option<&Signals>,
    printer: &mut Printer,
    unmatched: &mut Unmatched<'_>,
) -> Result<Ended, Fail> {
    let (lost_before, removed_before) = (printer.losses, printer.removed);
    let reader = open(args, path, printer)?;
    // What messages advise is done with the log, not with a part of it.
    let log = if args.split { reader.place() } else { path };
    let ended = show_records(args, &reader, log, signals, printer, unmatched)?;
    printer.report_losses()?;
    let (findings, removed) = (printer.losses - lost_before, printer.removed - removed_before);
    if !matches!(ended, Ended::Well) || findings + removed == 0 {
        return Ok(ended);
    }
    if findings > 0 && !args.salvage {
        printer.out.flush()?;
        complain(&format!("{}: {}; {}", path.display(), human::counted(findings, "finding"), advice::advice(log)));
    }
    Ok(Ended::Damaged)
}

fn open(args: &Cat, path: &Path, printer: &Printer) -> Result<Reader, Fail> {
    let options = if args.salvage { printer.reported.options() } else { printer.reported.up_to_damage() };
    let options = args.remote.options(ReaderOptions { require: args.require.required(), ..options });
    if args.split {
        return Ok(Reader::open_split(&path.to_string_lossy(), options)?);
    }
    Reader::open(path, options).map_err(|e| match args.salvage {
        true => e.into(),
        false => advice::fail(path)(e),
    })
}

fn show_records(
    args: &Cat,
    reader: &Reader,
    path: &Path,
    signals: Option<&Signals>,
    printer: &mut Printer,
    unmatched: &mut Unmatched<'_>,
) -> Result<Ended, Fail> {
    let left = printer.left;
    warn_of_recovery(reader);
    let filter = filter(args);
    let mut cursor = reader.cursor(&filter).map_err(|e| match e.path() {
        None if e.kind() == Kind::Unsupported => Fail::Message(format!("{}: {e}", path.display())),
        _ => e.into(),
    })?;
    // A log that is followed has no known end.
    let mut bar = (!args.follow).then(|| ReadBar::beside_output(reader, args.reverse));
    let mut second_look = false;
    // Records that are appended to a log meanwhile are not the last ones that it had.
    let mut to_print = args.select.last.filter(|_| !args.follow && !args.events).unwrap_or(u64::MAX);
    loop {
        if let Some(bar) = &mut bar {
            bar.show(&cursor);
        }
        if let Some(signal) = signals.and_then(Signals::caught) {
            return Ok(Ended::Signal(signal));
        }
        if printer.left == 0 {
            unmatched.look(reader, true, is_url(path), &|| false);
            return Ok(Ended::Well);
        }
        let next = match to_print {
            0 => printer.pass(&mut cursor, bar.as_ref()),
            _ => printer.next(&mut cursor, bar.as_ref()),
        };
        if next.is_err() {
            // A message that is printed now has a line of its own.
            bar = None;
        }
        match next {
            Ok(true) if to_print == 0 => {
                unmatched.look(reader, printer.left < left, is_url(path), &|| false);
                return Ok(Ended::Well);
            }
            Ok(true) => (to_print, second_look) = (to_print - 1, false),
            Ok(false) => match signals {
                Some(signals) => {
                    if filter.to_id.is_some_and(|to| cursor.tail().next_id > to) {
                        return Ok(Ended::Well);
                    }
                    printer.out.flush()?;
                    check_output(signals)?;
                    wait_for_more(&mut cursor, signals)?;
                }
                None if !second_look && may_have_been_closed_meanwhile(&cursor) => second_look = true,
                None => break,
            },
            Err(Stop::Output(fail)) => return Err(fail),
            Err(Stop::Log(error)) if error.kind() == Kind::Missed => {
                printer.out.flush()?;
                complain(&error.to_string());
                printer.removed += 1;
            }
            Err(Stop::Log(error)) => {
                printer.out.flush()?;
                let unread = Unread::after(&cursor.tail(), reader.segments().iter());
                return match error.kind() {
                    Kind::Corrupt => {
                        complain(&format!("{error}; {unread}; {}", advice::advice(path)));
                        Ok(Ended::Damaged)
                    }
                    Kind::Unsupported => {
                        complain(&format!("{error}; {unread}"));
                        Ok(Ended::Damaged)
                    }
                    _ => Err(Fail::Message(format!("{error}; {unread}"))),
                };
            }
        }
    }
    drop(bar);
    unmatched.look(reader, printer.left < left, is_url(path), &|| false);
    match damage::at_the_end(&cursor.tail(), path) {
        // A salvaging cursor has reported it as a loss.
        Some(trouble) if !args.salvage => {
            printer.out.flush()?;
            complain(&trouble);
            Ok(Ended::Damaged)
        }
        _ => Ok(Ended::Well),
    }
}

/// Waits until the log may have new records, a signal comes, or the reader of the output has closed it.
fn wait_for_more(cursor: &mut Cursor, signals: &Signals) -> Result<(), Fail> {
    match cursor.descriptor() {
        Ok((descriptor, look_after)) => {
            signals.wait_readable_or_closed(descriptor, io::stdout().as_fd(), look_after).map_err(Fail::message)?;
            pending(cursor.wait(Duration::ZERO))
        }
        // The process is out of descriptors, or the system has nothing that can be polled.
        Err(_) => pending(cursor.wait(TURN)),
    }
}

/// The caller handles a signal that ends a wait.
fn pending(waited: binlog::Result<bool>) -> Result<(), Fail> {
    match waited {
        Err(error) if error.kind() != Kind::Interrupted => Err(error.into()),
        _ => Ok(()),
    }
}

/// While there are no records, no write would report a closed pipe.
fn check_output(signals: &Signals) -> Result<(), Fail> {
    match signals.wait_closed(io::stdout().as_fd(), Duration::ZERO).map_err(Fail::message)? {
        Woken::Ready => Err(Fail::Closed),
        Woken::Timeout | Woken::Signal(_) => Ok(()),
    }
}
