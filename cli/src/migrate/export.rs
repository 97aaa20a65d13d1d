//! `binlog export`: a log as a file that another program can read.

mod arrays;
mod arrow;
mod csv;
mod form;
mod java;
mod pickle;
mod python;
mod shoebox;
mod target;
mod work;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::contents::SegmentFacts;
use binlog::{Reader, ReaderOptions, Record};
use clap::error::ErrorKind;
use clap::Args;

use crate::losses::LossQueue;
use crate::output::{complain, Fail};
use crate::remote::{is_url, Remote};
use crate::render::Shown;
use crate::rolling::Require;
use crate::scan::ReadBar;
use crate::select::Select;
use crate::signals::{exit_code, Signals};
use crate::unmatched::Unmatched;
use crate::{advice, human, json, notes, DAMAGED, OK};
use form::{Form, Loss, Losses, Stop};
use target::{Target, Unfinished};
use work::{Ended, Failed, Work};

/// Write records to a file that another library's program reads
///
/// LOG is a directory of segments, a file, a pattern in quotes, or a URL. OUTPUT is written whole or not at all:
/// under another name beside its place, made durable and then renamed. A record that the form cannot hold ends the
/// export, with its id and the reason, unless --leave-out permits the loss.
#[derive(Args)]
#[command(after_help = "\
Forms:
  java-binlog    ids (31 bits), times in milliseconds, types that are numbers, metadata, events; the \
log's name, content type, parameters and time of creation
  python-logger  MapLogger, closed: the type's name, which must be ASCII, is the class
  shoebox        an archive: metadata, each key once
  shoebox-json   a payload a line, always compressed with gzip: JSON objects without line breaks
  jsonl          what `binlog cat --format json` prints
  csv            a line of names, then a line a record: id, time (RFC 3339), type, type_name, metadata (a JSON \
object), length, and text or base64
  arrow          Arrow IPC, a file or on standard output a stream: the columns of the library's table, \
times in nanoseconds

An OUTPUT of java-binlog, jsonl or csv whose name ends in .gz is compressed with gzip.

Times: as `binlog cat` takes them (2026-03-01T12:30:00Z, 2026-03-01, @SECONDS, now, -1h, \"10m ago\").

Exit status: 0 all was exported, 1 the export failed and there is no OUTPUT, 3 something of the log was \
left unread (a torn tail; with --salvage, damage) and the rest is in OUTPUT, 130 stopped by Ctrl-C.

Examples:
  binlog export --to jsonl logs/ - | jq .text
  binlog export --to csv --type order.placed --since -1d logs/ orders.csv
  binlog export --to arrow --columns id,time,type_name,text logs/ orders.arrow
  binlog export --to java-binlog --leave-out times logs/ orders.binlog
  binlog export --to python-logger --leave-out times,metadata --type Reading logs/ the_logger.log
  binlog export --to shoebox --leave-out times,types --since 2026-03-01 logs/ test_2026_03_01.events")]
pub struct Export {
    /// The log: a directory, a file, a pattern, or a URL
    log: PathBuf,
    /// The file to write; - is standard output, for jsonl, csv and arrow
    output: PathBuf,
    /// The form of the file
    #[arg(long, value_enum, value_name = "FORM")]
    to: To,
    /// What may be lost where the form has no place for it; more than one with commas
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    leave_out: Vec<Loss>,
    /// Bytes of a length in a file of the Java binlog: 1, 2 or 4 (the default)
    #[arg(long, value_name = "N", value_parser = length_bytes)]
    length_bytes: Option<u8>,
    /// What csv writes of a payload
    #[arg(long, value_enum, value_name = "AS")]
    payload: Option<csv::Payload>,
    /// Only these columns, for arrow; more than one with commas
    #[arg(long, value_enum, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<arrow::Chosen>,
    /// The log's own events too, for java-binlog and jsonl
    #[arg(long)]
    events: bool,
    /// Replace OUTPUT if it is there
    #[arg(long)]
    force: bool,
    /// Continue after damage; each loss is a line on standard error, and the exit status is 3 when there was one
    #[arg(long)]
    salvage: bool,
    /// Say nothing when all went well
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    require: Require,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum To {
    JavaBinlog,
    PythonLogger,
    Shoebox,
    ShoeboxJson,
    Jsonl,
    Csv,
    Arrow,
}

fn length_bytes(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "2" => Ok(2),
        "4" => Ok(4),
        _ => Err("a length has 1, 2 or 4 bytes".to_owned()),
    }
}

/// Records as `binlog cat --format json` prints them.
struct Json;

impl Form for Json {
    fn record(&mut self, mut out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        Ok(json::record(&mut out, record, Shown { name, value: None }, false)?)
    }
}

pub fn run(args: &Export) -> Result<u8, Fail> {
    check(args);
    let signals = Signals::catch().map_err(|e| Fail::Message(format!("cannot catch signals: {e}")))?;
    let reported = LossQueue::default();
    let options = if args.salvage { reported.options() } else { reported.up_to_damage() };
    let options = args.remote.options(ReaderOptions { require: args.require.required(), ..options });
    let reader = Reader::open(&args.log, options).map_err(advice::fail(&args.log))?;
    notes::warn_of_recovery(&reader);
    let segments = reader.segments();
    let first = one_log(args, &segments)?;
    let mut target = open_target(args, &segments)?;
    let losses = Losses(args.leave_out.clone());
    let mut form: Option<Box<dyn Form>> = match args.to {
        To::JavaBinlog => Some(Box::new(java::Java::new(args.length_bytes.unwrap_or(4), losses))),
        To::PythonLogger => Some(Box::new(python::Python::new(losses))),
        To::Shoebox => Some(Box::new(shoebox::Archive::new(losses))),
        To::ShoeboxJson => Some(Box::new(shoebox::Lines::new(losses))),
        To::Jsonl => Some(Box::new(Json)),
        To::Csv => Some(Box::new(csv::Csv::new(args.payload.unwrap_or_default()))),
        To::Arrow => None,
    };
    let to_file = matches!(target, Target::File(_));
    let bar = match to_file {
        true => ReadBar::new(&reader, false),
        false => ReadBar::beside_output(&reader, false),
    };
    let mut work = Work { args, signals, reported, bar, to_file, records: 0, bytes: 0 };
    let copied = match &mut form {
        Some(form) => work.records(&reader, &mut **form, first, target.out()),
        None => work.table(&reader, target.out()),
    };
    let ended = copied.map_err(|failed| match failed {
        Failed::Output(e) => target.failed(e),
        Failed::Otherwise(fail) => fail,
    })?;
    let (records, bytes) = (work.records, work.bytes);
    if let Ended::Well = ended {
        let mut unmatched = Unmatched::new(&args.select);
        unmatched.look(&reader, records > 0, is_url(&args.log), &|| work.signals.caught().is_some());
        unmatched.report();
    }
    let damaged = match ended {
        Ended::Signal(signal) => return Ok(exit_code(signal)),
        Ended::Damaged => true,
        Ended::Well => false,
    };
    let left_out = form.map_or(0, |form| form.left_out());
    target.finish()?;
    if to_file && !args.quiet {
        complain(&format!(
            "{} ({}) exported to {}{}{}",
            human::counted(records - left_out, "record"),
            human::bytes(bytes),
            args.output.display(),
            match left_out {
                0 => String::new(),
                n => format!("; {} without a payload left out", human::counted(n, "record")),
            },
            left_out_of_the_log(args.to, first)
        ));
    }
    Ok(if damaged { DAMAGED } else { OK })
}

fn check(args: &Export) {
    let is_gz = args.output.extension().is_some_and(|extension| extension == "gz");
    let wrong = if args.output.as_os_str() == "-" && !matches!(args.to, To::Jsonl | To::Csv | To::Arrow) {
        "only jsonl, csv and arrow go to standard output"
    } else if args.length_bytes.is_some() && args.to != To::JavaBinlog {
        "--length-bytes is of the Java binlog's form"
    } else if args.events && !matches!(args.to, To::JavaBinlog | To::Jsonl) {
        "--events takes java-binlog or jsonl: the other forms have no events"
    } else if args.payload.is_some() && args.to != To::Csv {
        "--payload is of csv"
    } else if !args.columns.is_empty() && args.to != To::Arrow {
        "--columns is of arrow"
    } else if is_gz && matches!(args.to, To::PythonLogger | To::Shoebox | To::Arrow) {
        "this form is not compressed: leave .gz out of the name"
    } else if let Some(mistake) = args.select.mistake() {
        mistake
    } else {
        return;
    };
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{wrong}\n")).exit();
}

/// The first segment of the log. LOG must be one log: ids of several would repeat, and their facts contradict each
/// other.
fn one_log<'a>(args: &Export, segments: &'a [SegmentFacts]) -> Result<&'a SegmentFacts, Fail> {
    let log = args.log.display();
    let first = segments.first().ok_or_else(|| Fail::Message(format!("{log} holds no log")))?;
    match segments.iter().find(|segment| segment.log_id != first.log_id) {
        None => Ok(first),
        Some(other) => Err(Fail::Message(format!(
            "{log} holds several logs, of which one at a time is exported ({}, {}): name its files with a pattern",
            human::plain(&first.name),
            human::plain(&other.name)
        ))),
    }
}

fn open_target(args: &Export, segments: &[SegmentFacts]) -> Result<Target, Fail> {
    let output = &args.output;
    if output.as_os_str() == "-" {
        return Ok(Target::Standard(crate::output::Out::new()));
    }
    let shown = output.display();
    let place = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let canonical = |path: &Path| fs::canonicalize(path).ok();
    if args.log.is_dir() && canonical(place).is_some_and(|place| canonical(&args.log) == Some(place)) {
        return Err(Fail::Message(format!("{shown} would be in the log's own directory, and read as a part of it")));
    }
    if let Some(there) = canonical(output) {
        if segments.iter().any(|segment| canonical(&segment.path).as_ref() == Some(&there)) {
            return Err(Fail::Message(format!("{shown} is a file of the log itself")));
        }
    }
    let is_gz = output.extension().is_some_and(|extension| extension == "gz");
    Ok(Target::File(Unfinished::create(output, is_gz || args.to == To::ShoeboxJson, args.force)?))
}

/// What of the log's own facts the form has no place for.
fn left_out_of_the_log(to: To, log: &SegmentFacts) -> &'static str {
    let says = !log.parameters.keys().all(|key| key == "legacy.format");
    match to {
        To::JavaBinlog => "",
        _ if says => "; the form has no place for the log's parameters",
        _ => "",
    }
}
