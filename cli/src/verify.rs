//! `binlog verify`: is every byte what was written?

use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::{Cursor, Error, Filter, Kind, Reader, ReaderOptions, Record, SegmentFacts, TailState};
use clap::Args;
use serde_json::{json, Value};

use crate::damage;
use crate::output::{complain, Fail, Out};
use crate::scan::{self, Place};
use crate::{human, DAMAGED, FAILED, OK};

/// Read everything and check it against its checksums
///
/// A log that a writer has open gives no false alarm. Behind damage, verification goes on with the next segment.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 every log is whole (one that is being written, or was never closed, is too); 1 a log \
could not be verified: it is missing, no log, or may not be read; 3 a log can be read, but something \
in it is damaged, torn or missing.

Examples:
  binlog verify logs/
  binlog verify --json 'archive/*.binlog' | jq 'select(.verdict != \"whole\")'")]
pub struct Verify {
    /// Logs: directories, files or patterns
    #[arg(required = true)]
    path: Vec<PathBuf>,
    /// One JSON object a path
    #[arg(long)]
    json: bool,
}

/// Something that cannot be read, or is not there.
struct Finding {
    file: PathBuf,
    offset: u64,
    reason: String,
    unread_bytes: u64,
    /// First and last id of the records in there, where it is known.
    lost: Option<(u64, u64)>,
}

#[derive(Default)]
struct Verdict {
    records: u64,
    payload_bytes: u64,
    file_bytes: u64,
    files: u64,
    /// How the log ends: `closed`, `live`, `unclosed`, `torn` or `damaged`.
    end: &'static str,
    findings: Vec<Finding>,
}

pub fn run(args: &Verify) -> Result<u8, Fail> {
    let mut out = Out::new();
    let mut code = OK;
    for path in &args.path {
        let verdict = verify(path);
        match &verdict {
            Ok(verdict) if verdict.findings.is_empty() => (),
            Ok(_) => code = if code == OK { DAMAGED } else { code },
            Err(_) => code = FAILED,
        }
        // Whoever reads the output may stop; the exit status is worth the whole work nevertheless.
        let told = match (&verdict, args.json) {
            (Ok(verdict), false) => tell(&mut out, path, verdict),
            (Ok(verdict), true) => writeln!(out, "{}", to_json(path, verdict)),
            (Err(error), true) => {
                let path = path.to_string_lossy();
                writeln!(out, "{}", json!({ "path": path, "verdict": "unverified", "reason": error.to_string() }))
            }
            (Err(_), false) => Ok(()),
        };
        match told.and_then(|()| Write::flush(&mut out)).map_err(Fail::from) {
            Ok(()) | Err(Fail::Closed) => (),
            Err(other) => return Err(other),
        }
        if let Err(error) = &verdict {
            complain(&format!("not verified: {error}"));
        }
    }
    Ok(code)
}

fn verify(path: &Path) -> Result<Verdict, Error> {
    let reader = match Reader::open(path, ReaderOptions::default()) {
        Ok(reader) => reader,
        Err(error) if path.is_dir() && matches!(error.kind(), Kind::Corrupt) => return file_by_file(path, error),
        Err(error) => return Err(error),
    };
    let segments = reader.segments();
    let mut verdict = Verdict {
        files: segments.len() as u64,
        file_bytes: segments.iter().map(|segment| segment.bytes.unwrap_or(0)).sum(),
        ..Verdict::default()
    };
    let mut count = Count { place: Place::new(&segments), records: 0, payload_bytes: 0 };
    // Events are asked for so that the blocks with nothing else in them are read as well.
    let mut filter = Filter { events: true, ..Filter::default() };
    loop {
        let mut cursor = reader.cursor(&filter)?;
        let read = scan::read_all(&mut cursor, &mut count);
        verdict.end = end(&cursor);
        match read {
            Err(error) if error.kind() != Kind::Corrupt => return Err(error),
            Ok(()) if damage::at_the_end(&cursor.tail()).is_none() => break,
            _ => (),
        }
        let Some(next) = note(&mut verdict, &cursor, &segments) else { break };
        filter.from_id = Some(next);
    }
    (verdict.records, verdict.payload_bytes) = (count.records, count.payload_bytes);
    Ok(verdict)
}

/// Adds what the cursor met, and returns the first id of the segment to go on with.
fn note(verdict: &mut Verdict, cursor: &Cursor, segments: &[SegmentFacts]) -> Option<u64> {
    let tail = cursor.tail();
    let rest = segments.iter().position(|segment| segment.path == tail.path).map_or(&[][..], |at| &segments[at + 1..]);
    // Only in one log do ids say which segment is meant.
    let one_log = segments.iter().all(|segment| segment.log_id == segments[0].log_id);
    let next = rest.first().filter(|segment| one_log && segment.first_id >= tail.next_id);
    let passed_over = if next.is_none() { rest } else { &[] };
    let later: u64 = passed_over.iter().map(|segment| segment.bytes.unwrap_or(0)).sum();
    let lost = next.filter(|next| next.first_id > tail.next_id).map(|next| (tail.next_id, next.first_id - 1));
    verdict.findings.push(Finding {
        file: tail.path,
        offset: tail.offset,
        reason: if tail.state == TailState::Torn { format!("torn tail: {}", tail.reason) } else { tail.reason },
        unread_bytes: tail.unread_bytes + later,
        lost,
    });
    next.map(|next| next.first_id)
}

/// A directory in which a segment does not even begin as one: each file by itself, so that the others are not given up
/// with it.
fn file_by_file(directory: &Path, error: Error) -> Result<Verdict, Error> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Err(error) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "binlog"));
    paths.sort();
    let mut sum = Verdict { end: "damaged", ..Verdict::default() };
    let mut any = false;
    for file in paths {
        match verify(&file) {
            Ok(one) => {
                any = true;
                sum.records += one.records;
                sum.payload_bytes += one.payload_bytes;
                sum.file_bytes += one.file_bytes;
                sum.findings.extend(one.findings);
            }
            Err(e) => {
                let bytes = std::fs::metadata(&file).map_or(0, |facts| facts.len());
                sum.file_bytes += bytes;
                sum.findings.push(Finding {
                    offset: e.offset().unwrap_or(0),
                    reason: e.reason().to_owned(),
                    unread_bytes: bytes,
                    lost: None,
                    file,
                });
            }
        }
        sum.files += 1;
    }
    // Where nothing is a log there is nothing to verify.
    if any {
        Ok(sum)
    } else {
        Err(error)
    }
}

fn end(cursor: &Cursor) -> &'static str {
    match cursor.tail().state {
        TailState::Live => "live",
        TailState::Unclosed => "unclosed",
        TailState::Torn => "torn",
        TailState::Corrupt => "damaged",
        TailState::Closed | TailState::More => "closed",
    }
}

/// Counts records, events left out.
struct Count {
    place: Place,
    records: u64,
    payload_bytes: u64,
}

impl scan::Visit for Count {
    fn record(&mut self, record: &Record<'_>) {
        if !record.is_event() {
            self.place.of(record);
            self.records += 1;
            self.payload_bytes += u64::from(record.payload_len);
        }
    }

    fn batch(&mut self, _: &Cursor) {
        self.place.show();
    }
}

fn tell(out: &mut Out, path: &Path, verdict: &Verdict) -> std::io::Result<()> {
    let (word, note) = match (verdict.findings.is_empty(), verdict.end) {
        (true, "live") => ("whole", ", still being written"),
        (true, "unclosed") => ("whole", ", not closed"),
        (true, _) => ("whole", ""),
        (false, _) => ("damaged", ""),
    };
    let records = human::counted(verdict.records, "record");
    let (bytes, files) = (human::counted(verdict.file_bytes, "byte"), human::counted(verdict.files, "file"));
    writeln!(out, "{}: {word}{note}: {records} verified, {bytes} in {files}", path.display())?;
    for finding in &verdict.findings {
        let (file, offset) = (finding.file.display(), finding.offset);
        let unread = human::counted(finding.unread_bytes, "byte");
        write!(out, "  {file}: offset {offset}: {}; {unread} unread", human::plain(&finding.reason))?;
        match finding.lost {
            Some((from, to)) => writeln!(out, ", records {} to {}", human::count(from), human::count(to))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn to_json(path: &Path, verdict: &Verdict) -> Value {
    let findings: Vec<Value> = verdict.findings.iter().map(finding_to_json).collect();
    json!({
        "path": path.to_string_lossy(),
        "verdict": if findings.is_empty() { "whole" } else { "damaged" },
        "end": verdict.end,
        "records": verdict.records,
        "payload_bytes": verdict.payload_bytes,
        "file_bytes": verdict.file_bytes,
        "files": verdict.files,
        "findings": findings,
    })
}

fn finding_to_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file.to_string_lossy(),
        "offset": finding.offset,
        "reason": finding.reason,
        "unread_bytes": finding.unread_bytes,
        "first_lost_id": finding.lost.map(|(from, _)| from),
        "last_lost_id": finding.lost.map(|(_, to)| to),
    })
}
