//! `binlog ls`: the segments of a log.

use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::contents::SegmentFacts;
use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, Record, TailState};
use clap::Args;
use serde_json::{json, Value};

use crate::human::{self, bytes, count, plain, time};
use crate::notes::{warn_of_recovery, Notes};
use crate::output::{complain, Fail, Out};
use crate::progress::Progress;
use crate::remote::{is_url, Remote};
use crate::{advice, damage, scan, DAMAGED, OK};

/// List segments
///
/// States: active while a writer has the segment open, closed, unclosed when its writer ended without closing it, torn or
/// damaged at its end, and compressed for a file that gzip or zstd has compressed as a whole. Times are those of
/// the first and the last record, as they were written. The index contains all this; of what it does not cover only the
/// headers are read. `-` marks what neither contains.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog ls logs/
  binlog ls 'logs/orders*.binlog'
  binlog ls --json logs/ | jq -r '.segments[] | select(.state == \"closed\").file'")]
pub struct Ls {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// The state of a file that gzip or zstd has compressed as a whole.
const COMPRESSED: &str = "compressed";

/// A segment and what is in it.
struct Listed {
    facts: SegmentFacts,
    state: &'static str,
    records: Option<u64>,
    /// Of the first and of the last record, as they were written.
    times: Option<(i64, i64)>,
    /// What is wrong with its end.
    trouble: Option<String>,
}

pub fn run(args: &Ls) -> Result<u8, Fail> {
    let (reader, mut all) = open_and_list(args).map_err(advice::fail(&args.path))?;
    count_compressed(&mut all);
    warn_of_recovery(&reader);
    let notes = Notes::of(&reader, all.iter().map(|listed| &listed.facts));
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", to_json(&args.path, &all, &notes))?,
        false => out.put((text(&all) + &notes.text()).as_bytes())?,
    }
    out.flush()?;
    let unreadable = reader.unreadable().map(|(_, error)| advice::advised(error, &args.path));
    let troubles: Vec<String> = all.into_iter().filter_map(|listed| listed.trouble).chain(unreadable).collect();
    troubles.iter().for_each(|trouble| complain(trouble));
    Ok(if troubles.is_empty() { OK } else { DAMAGED })
}

fn open_and_list(args: &Ls) -> binlog::Result<(Reader, Vec<Listed>)> {
    let open_and_list = |mode| -> binlog::Result<_> {
        let options = args.remote.options(ReaderOptions { mode, ..ReaderOptions::default() });
        let reader = Reader::open(&args.path, options)?;
        let (listed, is_whole) = list_all(&reader, &args.path)?;
        Ok((reader, listed, is_whole))
    };
    if is_url(&args.path) {
        // Where all is well, the names are enough: reading each beginning would take a request each.
        match open_and_list(ReaderMode::Prefix) {
            Ok((reader, listed, true)) if reader.unreadable().next().is_none() => return Ok((reader, listed)),
            Err(error) if error.kind() != Kind::Corrupt => return Err(error),
            Ok(_) | Err(_) => (),
        }
    }
    // A segment whose beginning is damaged still belongs to the log.
    open_and_list(ReaderMode::Salvage).map(|(reader, listed, _)| (reader, listed))
}

/// The segments, and whether every file was found.
fn list_all(reader: &Reader, path: &Path) -> binlog::Result<(Vec<Listed>, bool)> {
    let files = reader.paths();
    let mut all = Vec::with_capacity(files.len());
    let mut progress = Progress::of_files(files.len());
    for (done, file) in (1..).zip(&files) {
        match reader.facts_of(file).and_then(|facts| list(reader, facts, path)) {
            Ok(listed) => all.push(listed),
            // The file was removed after the directory was listed, or nothing was ever written into it.
            Err(e) if e.kind() == Kind::NotFound => (),
            Err(e) => return Err(e),
        }
        progress.at(done);
    }
    let is_whole = all.len() == files.len();
    Ok((all, is_whole))
}

/// Counts the records of files that are compressed as a whole without reading them: the first id of the next
/// segment says where such a file ends.
fn count_compressed(all: &mut [Listed]) {
    for at in 1..all.len() {
        let next = all[at].facts.clone();
        let listed = &mut all[at - 1];
        let is_next = next.log_id == listed.facts.log_id && next.sequence == listed.facts.sequence + 1;
        if listed.state == COMPRESSED && is_next {
            listed.records = Some(next.first_id - listed.facts.first_id);
        }
    }
}

fn list(log: &Reader, facts: SegmentFacts, path: &Path) -> binlog::Result<Listed> {
    let mut listed = look_into(log, facts, path)?;
    listed.times = human::recorded_times(listed.times, &listed.facts);
    Ok(listed)
}

fn look_into(log: &Reader, facts: SegmentFacts, path: &Path) -> binlog::Result<Listed> {
    let mut listed = Listed { facts, state: COMPRESSED, records: None, times: None, trouble: None };
    let facts = &listed.facts;
    if facts.bytes.is_none() {
        return Ok(listed);
    }
    if !facts.live {
        if let Some(extent) = log.extent_of(&facts.path)? {
            (listed.state, listed.records, listed.times) = ("closed", Some(extent.records), extent.times);
            return Ok(listed);
        }
    }
    let reader = match log.only(&facts.path, ReaderMode::Prefix) {
        Err(error) if error.kind() == Kind::Corrupt => {
            (listed.state, listed.trouble) = ("damaged", Some(advice::advised(&error, path)));
            return Ok(listed);
        }
        opened => opened?,
    };
    if let Some(error) = lost_beginning(&reader) {
        (listed.state, listed.trouble) = ("damaged", Some(advice::advised(&error, path)));
        return Ok(listed);
    }
    let index = reader.index()?.pop();
    let (blocks, unindexed) = index.map_or((vec![], u64::MAX), |index| (index.blocks, index.unindexed_bytes));
    // A file of an older library that is read alone has ids from 1.
    let first_id = reader.facts_of(&facts.path)?.first_id;
    let mut seen = Seen { next_id: first_id, records: 0, last_time: None };
    for block in &blocks {
        // The index has a gap: the missing blocks and those after them are read.
        if block.first_id != seen.next_id {
            break;
        }
        seen.records += block.next_id - block.first_id;
        seen.next_id = block.next_id;
    }
    listed.state = if facts.live { "active" } else { "closed" };
    if unindexed > 0 {
        read_on(&reader, &mut seen, &mut listed, path)?;
    }
    if listed.state == "closed" && log.is_closed(&listed.facts.path)? == Some(false) {
        listed.state = "unclosed";
    }
    listed.records = Some(seen.records);
    if seen.records > 0 {
        // The times in the index include events; these are of records only.
        let last = seen.last_time.or_else(|| time_of_next(&reader, true));
        listed.times = time_of_next(&reader, false).zip(last);
    }
    Ok(listed)
}

/// The error of a segment whose beginning is damaged. Its blocks can be found without it, and its index may be
/// whole.
fn lost_beginning(reader: &Reader) -> Option<binlog::Error> {
    let filter = Filter { headers_only: true, ..Filter::default() };
    let error = reader.cursor(&filter).ok()?.next().err()?;
    (error.kind() == Kind::Corrupt && error.offset() == Some(0)).then_some(error)
}

/// Counts what the index does not cover.
fn read_on(reader: &Reader, seen: &mut Seen, listed: &mut Listed, path: &Path) -> binlog::Result<()> {
    let filter = Filter { from_id: Some(seen.next_id), headers_only: true, ..Filter::default() };
    let mut cursor = reader.cursor(&filter)?;
    let read = scan::read_all(&mut cursor, seen);
    let tail = cursor.tail();
    match (read, tail.state) {
        (Err(error), _) if matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => {
            listed.state = "damaged";
            listed.trouble = Some(advice::advised(&error, path));
        }
        (Err(error), _) => return Err(error),
        (Ok(()), TailState::Torn) => {
            listed.state = "torn";
            listed.trouble = damage::at_the_end(&tail, path);
        }
        (Ok(()), TailState::Live) => listed.state = "active",
        (Ok(()), _) => (),
    }
    Ok(())
}

/// The time of the first record, or of the last one; `None` where it cannot be read.
fn time_of_next(reader: &Reader, newest_first: bool) -> Option<i64> {
    let filter = Filter { newest_first, headers_only: true, ..Filter::default() };
    reader.cursor(&filter).ok()?.next().ok()?.map(|record| record.time)
}

struct Seen {
    next_id: u64,
    records: u64,
    /// The time of the last record that was read.
    last_time: Option<i64>,
}

impl scan::Visit for Seen {
    fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.last_time = Some(record.time);
    }
}

fn text(all: &[Listed]) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let row = |listed: &Listed| {
        let facts = &listed.facts;
        vec![
            facts.path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy())),
            listed.state.to_owned(),
            or_dash(facts.period.map(|period| period.to_string())),
            or_dash(listed.times.map(|(from, _)| time(from))),
            or_dash(listed.times.map(|(_, to)| time(to))),
            or_dash(listed.records.map(count)),
            or_dash(facts.bytes.map(bytes)),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let mut out = String::new();
    let heading = ["segment", "state", "period", "first time", "last time", ">records", ">size"];
    human::table(&mut out, &heading, &rows);
    out
}

fn to_json(path: &Path, all: &[Listed], notes: &Notes) -> Value {
    let each = |listed: &Listed| {
        let facts = &listed.facts;
        let last_id = listed.records.filter(|&records| records > 0).map(|records| facts.first_id + records - 1);
        json!({
            "file": facts.path.to_string_lossy(),
            "log": facts.name,
            "sequence": facts.sequence,
            "state": listed.state,
            "period_seconds": facts.period.map(|period| period.seconds()),
            "template": facts.template,
            "created": time(facts.created),
            "first_time": listed.times.map(|(from, _)| time(from)),
            "last_time": listed.times.map(|(_, to)| time(to)),
            "first_id": facts.first_id,
            "last_id": last_id,
            "records": listed.records,
            "bytes": facts.bytes,
        })
    };
    let segments: Vec<Value> = all.iter().map(each).collect();
    json!({
        "path": path.to_string_lossy(),
        "segments": segments,
        "strays": notes.strays(),
        "leftovers": notes.leftovers(),
    })
}
