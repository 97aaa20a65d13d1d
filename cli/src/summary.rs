//! The results of `info`, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use binlog::contents::{Contents, SegmentContents, SegmentFacts, TypeContents};
use binlog::{Tail, TailState};
use serde_json::{json, Value};

use crate::args::Type;
use crate::human::{self, bytes, count, counted, plain, share, span, time};
use crate::scan::is_continued;

/// A longer list of types helps no one; the JSON form contains them all.
const TYPES_SHOWN: usize = 40;

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
    /// Of all files; `None` when one is compressed as a whole.
    pub file_bytes: Option<u64>,
    pub state: &'static str,
}

pub struct SegmentSummary {
    pub facts: SegmentFacts,
    pub records: u64,
    pub state: &'static str,
}

impl Summary {
    pub fn of(path: PathBuf, contents: Contents) -> Self {
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
            times: contents.segments.first().and_then(|first| human::recorded_times(contents.times, &first.facts)),
            segments: contents.segments.into_iter().map(summary).collect(),
            file_bytes,
            state: if is_continued(&tail) { "continued" } else { word(tail.state).unwrap_or("closed") },
        }
    }

    /// Bytes of the files without the payload, for each record; negative for a log that is compressed.
    pub fn overhead(&self) -> Option<f64> {
        let files = self.file_bytes? as f64;
        (self.total.records > 0).then(|| (files - self.total.bytes as f64) / self.total.records as f64)
    }
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

/// The state of the last segment is that in which reading ended; those before are closed when they end with a
/// trailer.
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

/// Properties, types and segments as tables.
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    facts(&mut out, summary);
    types(&mut out, summary);
    segments(&mut out, summary);
    out
}

fn facts(out: &mut String, summary: &Summary) {
    let total = summary.total;
    let names: BTreeSet<&str> = summary.segments.iter().map(|segment| segment.facts.name.as_str()).collect();
    let contents: BTreeSet<&str> = summary.segments.iter().map(|s| s.facts.content_type.as_str()).collect();
    let all = |set: BTreeSet<&str>| set.into_iter().map(plain).collect::<Vec<_>>().join(", ");
    let mut fact = |what: &str, value: String| {
        let _ = writeln!(out, "{what:<9} {value}");
    };
    fact("log", all(names));
    fact("content", all(contents));
    fact("state", summary.state.to_owned());
    fact("records", count(total.records));
    if let Some((from, to)) = summary.ids {
        fact("ids", format!("{} to {}", count(from), count(to)));
    }
    if let Some((from, to)) = summary.times {
        let length = span(to.abs_diff(from));
        fact("time", format!("{} to {} ({length})", time(from), time(to)));
    }
    let average = match total.records {
        0 => String::new(),
        n => format!(", {} a record", bytes(total.bytes / n)),
    };
    fact("payload", format!("{}{average}", exactly(total.bytes)));
    let files = counted(summary.segments.len() as u64, "file");
    match summary.file_bytes {
        None => fact("on disk", format!("{files}, compressed as a whole")),
        Some(size) if size < total.bytes => {
            fact("on disk", format!("{} in {files}, {} of the payload", exactly(size), share(size, total.bytes)));
        }
        Some(size) => fact("on disk", format!("{} in {files}", exactly(size))),
    }
    if let Some(overhead) = summary.overhead().filter(|&bytes| bytes >= 0.0) {
        fact("overhead", format!("{overhead:.1} bytes a record"));
    }
}

fn exactly(n: u64) -> String {
    match n {
        0..1024 => bytes(n),
        _ => format!("{} ({})", bytes(n), counted(n, "byte")),
    }
}

fn types(out: &mut String, summary: &Summary) {
    if summary.types.is_empty() {
        return;
    }
    out.push('\n');
    let total = summary.total.records;
    let row = |(kind, sum): &(Type, Count)| {
        let name = match kind {
            Type::Number(number) => number.to_string(),
            Type::Name(name) => plain(name),
        };
        vec![name, count(sum.records), share(sum.records, total), bytes(sum.bytes)]
    };
    let rows: Vec<_> = summary.types.iter().take(TYPES_SHOWN).map(row).collect();
    human::table(out, &["type", ">records", ">share", ">payload"], &rows);
    let more = summary.types.len().saturating_sub(TYPES_SHOWN);
    if more > 0 {
        let _ = writeln!(out, "and {} (--json has all)", counted(more as u64, "more type"));
    }
}

fn segments(out: &mut String, summary: &Summary) {
    out.push('\n');
    let row = |segment: &SegmentSummary| {
        let facts = &segment.facts;
        let file = facts.path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()));
        let size = facts.bytes.map_or("-".to_owned(), bytes);
        let (sequence, first_id) = (count(facts.sequence), count(facts.first_id));
        vec![file, sequence, first_id, count(segment.records), size, segment.state.to_owned()]
    };
    let rows: Vec<_> = summary.segments.iter().map(row).collect();
    human::table(out, &["segment", ">sequence", ">first id", ">records", ">size", "state"], &rows);
}

/// The same facts, exact.
pub fn json(summary: &Summary) -> Value {
    let types: Vec<Value> = summary
        .types
        .iter()
        .map(|(kind, sum)| match kind {
            Type::Number(number) => json!({ "type": number, "records": sum.records, "payload_bytes": sum.bytes }),
            Type::Name(name) => json!({ "name": name, "records": sum.records, "payload_bytes": sum.bytes }),
        })
        .collect();
    let segments: Vec<Value> = summary.segments.iter().map(segment_to_json).collect();
    json!({
        "path": summary.path.to_string_lossy(),
        "state": summary.state,
        "records": summary.total.records,
        "payload_bytes": summary.total.bytes,
        "file_bytes": summary.file_bytes,
        "overhead_per_record": summary.overhead(),
        "first_id": summary.ids.map(|(from, _)| from),
        "last_id": summary.ids.map(|(_, to)| to),
        "first_time": summary.times.map(|(from, _)| time(from)),
        "last_time": summary.times.map(|(_, to)| time(to)),
        "types": types,
        "segments": segments,
    })
}

fn segment_to_json(segment: &SegmentSummary) -> Value {
    let facts = &segment.facts;
    json!({
        "file": facts.path.to_string_lossy(),
        "log": facts.name,
        "content_type": facts.content_type,
        "parameters": facts.parameters,
        "sequence": facts.sequence,
        "first_id": facts.first_id,
        "records": segment.records,
        "bytes": facts.bytes,
        "created": time(facts.created),
        "writer": facts.writer,
        "state": segment.state,
    })
}
