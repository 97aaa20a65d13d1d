//! `binlog info`: what is in a log.

use std::io::Write;
use std::path::PathBuf;

use binlog::{Contents, Kind, Reader, SegmentContents, SegmentFacts, Tail, TailState, TypeContents};
use clap::Args;

use crate::args::Type;
use crate::damage::{self, Unread};
use crate::losses::{self, Heard};
use crate::output::{complain, Fail, Out};
use crate::progress::Progress;
use crate::remote::Remote;
use crate::scan::is_continued;
use crate::{advice, human, summary, DAMAGED, OK};

/// Show records, types, times, sizes and segments
///
/// Answers from the index, and reads the headers of what that does not cover: it is fast, and says nothing about payloads.
/// `binlog verify` does.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog info logs/
  binlog info --json logs/ | jq '.types[] | select(.name == \"order.placed\").records'")]
pub struct Info {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Records and bytes of payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub records: u64,
    pub bytes: u64,
}

/// What was counted in a log.
pub struct Summary {
    pub path: PathBuf,
    pub total: Count,
    /// The most frequent first.
    pub types: Vec<(Type, Count)>,
    /// Ids of the first and the last record.
    pub ids: Option<(u64, u64)>,
    /// Smallest and greatest time of a record.
    pub times: Option<(i64, i64)>,
    pub segments: Vec<SegmentSummary>,
    /// Of all files; unknown when one is compressed as a whole.
    pub file_bytes: Option<u64>,
    pub state: &'static str,
}

pub struct SegmentSummary {
    pub facts: SegmentFacts,
    pub records: u64,
    pub state: &'static str,
}

impl Summary {
    fn of(path: PathBuf, contents: Contents) -> Self {
        let known = |counted: TypeContents| {
            let kind = counted.name.map_or(Type::Number(counted.type_id), Type::Name);
            (kind, Count { records: counted.records, bytes: counted.payload_bytes })
        };
        let tail = contents.tail;
        let file_bytes = contents.segments.iter().map(|segment| segment.facts.bytes).sum();
        let summary = |segment: SegmentContents| SegmentSummary {
            state: state(&segment, &tail),
            records: segment.records,
            facts: segment.facts,
        };
        Summary {
            path,
            total: Count { records: contents.records, bytes: contents.payload_bytes },
            types: contents.types.into_iter().map(known).collect(),
            ids: contents.ids,
            times: contents.segments.first().and_then(|first| human::told_times(contents.times, &first.facts)),
            segments: contents.segments.into_iter().map(summary).collect(),
            file_bytes,
            state: if is_continued(&tail) { "continued" } else { word(tail.state).unwrap_or("closed") },
        }
    }

    /// Bytes of the files beside the payload for each record; negative for a log that is compressed.
    pub fn overhead(&self) -> Option<f64> {
        let files = self.file_bytes? as f64;
        (self.total.records > 0).then(|| (files - self.total.bytes as f64) / self.total.records as f64)
    }
}

pub fn run(args: &Info) -> Result<u8, Fail> {
    let heard = Heard::default();
    let options = args.remote.options(heard.up_to_damage());
    let reader = Reader::open(&args.path, options).map_err(advice::fail(&args.path))?;
    let mut progress = Progress::of_files(reader.paths().len());
    let contents = reader.contents(&mut |done, of| progress.part(done, of))?;
    drop(progress);
    let trouble = match &contents.damage {
        Some(error) => {
            let advice = match error.kind() {
                Kind::Corrupt => advice::advice(&args.path),
                _ => "a newer version reads on".to_owned(),
            };
            let unread = Unread::behind(&contents.tail, contents.segments.iter().map(|segment| &segment.facts));
            Some(format!("{error}; {unread}; {advice}"))
        }
        None => damage::at_the_end(&contents.tail, &args.path),
    };
    let summary = Summary::of(args.path.clone(), contents);
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", summary::json(&summary))?,
        false => out.put(summary::text(&summary).as_bytes())?,
    }
    out.flush()?;
    let passed = heard.take();
    passed.iter().map(losses::line).chain(trouble.clone()).for_each(|line| complain(&line));
    Ok(if passed.is_empty() && trouble.is_none() { OK } else { DAMAGED })
}

fn word(state: TailState) -> Option<&'static str> {
    Some(match state {
        TailState::Closed => "closed",
        TailState::Live => "live",
        TailState::Unclosed => "unclosed",
        TailState::Torn => "torn",
        TailState::Corrupt => "damaged",
        TailState::More => return None,
    })
}

/// The last segment is as the reading of it ended; those before are closed when they end with a trailer.
fn state(segment: &SegmentContents, tail: &Tail) -> &'static str {
    match word(tail.state).filter(|_| segment.facts.path == tail.path && !is_continued(tail)) {
        Some(word) => word,
        None if segment.facts.live => "live",
        None => match segment.closed {
            Some(true) => "closed",
            Some(false) => "unclosed",
            None => "-",
        },
    }
}
