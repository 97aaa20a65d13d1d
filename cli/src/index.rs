//! `binlog index`: shows the index of a log, and rebuilds a lost one.

use std::io::Write;
use std::path::PathBuf;

use binlog::contents::{IndexBlockFacts, IndexFacts, TypeCount};
use binlog::{Kind, Reader, ReaderOptions};
use clap::Args;
use serde_json::{json, Value};

use crate::human::{self, bytes, count, counted, plain, time};
use crate::output::{complain, Fail, Out};
use crate::progress::Progress;
use crate::remote::{self, Remote};
use crate::{advice, DAMAGED, OK};

/// Show the index, or rebuild a lost one
///
/// The index of a segment is the INDEX blocks in it: where blocks, ids, times and types are. It makes reading a part of
/// a log fast; without it, results are the same.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog index logs/
  binlog index --json logs/ | jq '.segments[] | select(.unindexed_bytes > 0).file'
  binlog index --rebuild logs/")]
pub struct Index {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    /// Write the index of segments whose index is missing or incomplete; no writer may have the log open
    #[arg(long)]
    rebuild: bool,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Index) -> Result<u8, Fail> {
    match args.rebuild {
        true => {
            remote::refuse(&args.path, "write the index of")?;
            rebuild(args)
        }
        false => show(args),
    }
}

fn rebuild(args: &Index) -> Result<u8, Fail> {
    let (path, shown) = (args.path.display(), advice::quoted(&args.path));
    let written = binlog::recovery::rebuild_index(&args.path).map_err(|e| match e.kind() {
        Kind::Corrupt => Fail::Message(format!(
            "{e}; the index of a damaged log is not written anew: `binlog verify {shown}` reports all that is wrong, and \
             `binlog recover --in-place {shown}` makes a whole log of the rest, with an index"
        )),
        Kind::Locked => Fail::Message(format!("{e}: a writer writes the index itself")),
        _ => e.into(),
    })?;
    let mut out = Out::new();
    if args.json {
        let files: Vec<Value> = written.iter().map(|path| path.to_string_lossy().into()).collect();
        writeln!(out, "{}", json!({ "path": args.path.to_string_lossy(), "rebuilt": files }))?;
    } else if written.is_empty() {
        writeln!(out, "{path}: the index is whole; nothing was written")?;
    } else {
        for file in &written {
            writeln!(out, "{}: index written", file.display())?;
        }
    }
    out.flush()?;
    Ok(OK)
}

fn show(args: &Index) -> Result<u8, Fail> {
    let options = args.remote.options(ReaderOptions::default());
    let reader = Reader::open(&args.path, options).map_err(advice::fail(&args.path))?;
    let mut progress = Progress::of_files(reader.paths().len());
    // The bar's first half is showing the index, its second half counting.
    let segments = reader.index_with_progress(&mut |done, of| progress.part(done, 2 * of))?;
    let counted = reader.counts_with_progress(&mut |done, of| progress.part(of + done, 2 * of));
    drop(progress);
    let (counts, trouble) = match counted {
        Ok(counts) => (Some(counts), None),
        Err(e) if e.kind() == Kind::Corrupt => (None, Some(e)),
        Err(e) => return Err(e.into()),
    };
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", to_json(args, &segments, counts.as_deref()))?,
        false => out.put(text(&segments, counts.as_deref()).as_bytes())?,
    }
    out.flush()?;
    Ok(match trouble {
        Some(error) => {
            complain(&format!("types not counted: {}", advice::advised(&error, &args.path)));
            DAMAGED
        }
        None => OK,
    })
}

fn text(segments: &[IndexFacts], counts: Option<&[TypeCount]>) -> String {
    let mut rows = vec![];
    let mut unindexed = vec![];
    for segment in segments {
        let file = segment.path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()));
        rows.extend(segment.blocks.iter().map(|block| row(&file, block)));
        if segment.unindexed_bytes > 0 {
            unindexed.push(format!("{file}: {} not indexed", counted(segment.unindexed_bytes, "byte")));
        }
    }
    let mut out = String::new();
    if !rows.is_empty() {
        let heading = [
            "segment",
            ">from",
            ">to",
            ">size",
            ">blocks",
            ">records",
            ">first id",
            ">last id",
            "from time",
            "to time",
        ];
        human::table(&mut out, &heading, &rows);
    }
    for line in unindexed {
        out.push_str(&line);
        out.push('\n');
    }
    let rows: Vec<_> = counts.unwrap_or_default().iter().map(|c| vec![name(c), count(c.records)]).collect();
    if !rows.is_empty() {
        out.push('\n');
        human::table(&mut out, &["type", ">records"], &rows);
    }
    out
}

fn name(counted: &TypeCount) -> String {
    counted.name.as_deref().map_or_else(|| counted.type_id.to_string(), plain)
}

fn row(file: &str, block: &IndexBlockFacts) -> Vec<String> {
    let records = block.next_id - block.first_id;
    let last_id = if records > 0 { count(block.next_id - 1) } else { "-".to_owned() };
    vec![
        file.to_owned(),
        block.from.to_string(),
        block.to.to_string(),
        bytes(block.to - block.from),
        count(block.blocks),
        count(records),
        count(block.first_id),
        last_id,
        time(block.min_time),
        time(block.max_time),
    ]
}

fn to_json(args: &Index, segments: &[IndexFacts], counts: Option<&[TypeCount]>) -> Value {
    let segments: Vec<Value> = segments
        .iter()
        .map(|segment| {
            let blocks: Vec<Value> = segment.blocks.iter().map(block_to_json).collect();
            json!({
                "file": segment.path.to_string_lossy(),
                "index_blocks": blocks,
                "unindexed_bytes": segment.unindexed_bytes,
            })
        })
        .collect();
    let types = counts.map(|counts| counts.iter().map(type_to_json).collect::<Vec<Value>>());
    json!({ "path": args.path.to_string_lossy(), "segments": segments, "types": types })
}

fn block_to_json(block: &IndexBlockFacts) -> Value {
    json!({
        "from": block.from,
        "to": block.to,
        "blocks": block.blocks,
        "records": block.next_id - block.first_id,
        "first_id": block.first_id,
        "next_id": block.next_id,
        "first_time": time(block.min_time),
        "last_time": time(block.max_time),
    })
}

fn type_to_json(counted: &TypeCount) -> Value {
    match &counted.name {
        Some(name) => json!({ "name": name, "records": counted.records }),
        None => json!({ "type": counted.type_id, "records": counted.records }),
    }
}
