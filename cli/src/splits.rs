//! `binlog splits`: a log divided into parts that are read independently of each other.

use std::io::Write;
use std::path::PathBuf;

use binlog::splits::{PlanOptions, Split};
use binlog::{Filter, Reader, ReaderMode, ReaderOptions};
use clap::Args;
use serde_json::{json, Value};

use crate::output::{Fail, Out};
use crate::remote::Remote;
use crate::rolling::Require;
use crate::select::Select;
use crate::{advice, args, human, OK};

/// Divide a log into splits, to read it in several processes or on several machines
///
/// Prints a token a line. `binlog cat --split TOKEN` prints the records of a split: give it the same selection again. Each
/// record that is selected now is in one split; records that are appended later are in none.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog splits logs/ | xargs -P 4 -n 1 binlog cat --split | wc -l
  binlog splits --type order.placed --since -1h --target 16MiB logs/
  binlog splits --format json s3://bucket/logs/ | jq .records")]
pub struct Splits {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    #[command(flatten)]
    select: Select,
    /// Include the log's own events
    #[arg(long)]
    events: bool,
    /// For readers that salvage: leave out nothing within the ids
    #[arg(long)]
    salvage: bool,
    /// Bytes of a split, as they are stored
    #[arg(long, value_name = "SIZE", value_parser = args::size, default_value = "64MiB")]
    target: u64,
    /// No more splits than this, as far as possible
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    /// How splits are shown
    #[arg(short = 'F', long, value_enum, default_value = "tokens")]
    format: Format,
    #[command(flatten)]
    require: Require,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One token a line
    Tokens,
    /// One JSON object a line
    Json,
}

pub fn run(args: &Splits) -> Result<u8, Fail> {
    if let Some(mistake) = args.select.mistake() {
        clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{mistake}\n")).exit();
    }
    let mode = if args.salvage { ReaderMode::Salvage } else { ReaderMode::Prefix };
    let options = ReaderOptions { mode, require: args.require.required(), ..ReaderOptions::default() };
    let reader = Reader::open(&args.path, args.remote.options(options)).map_err(advice::fail(&args.path))?;
    let filter = Filter { events: args.events, ..args.select.filter() };
    let options = PlanOptions { target_bytes: args.target, most: args.most.unwrap_or(0) };
    let plan = reader.plan(&filter, &options).map_err(advice::fail(&args.path))?;
    let mut out = Out::new();
    for split in plan.splits() {
        match args.format {
            Format::Tokens => writeln!(out, "{}", split.token)?,
            Format::Json => writeln!(out, "{}", to_json(split))?,
        }
    }
    out.flush()?;
    Ok(OK)
}

fn to_json(split: &Split) -> Value {
    let time = |ns: i64, unknown: i64| (ns != unknown).then(|| human::time(ns));
    json!({
        "token": split.token,
        "location": split.location,
        "first_id": split.first_id,
        "last_id": split.last_id,
        "records": split.records,
        "bytes": split.bytes,
        "first_time": time(split.first_time, i64::MIN),
        "last_time": time(split.last_time, i64::MAX),
    })
}
