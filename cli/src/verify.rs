//! `binlog verify`: is every byte what was written?

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::{event, Cursor, Error, Filter, Kind, Loss, Reader, Record, SegmentFacts, TailState};
use clap::Args;

use crate::index_check::Read;
use crate::losses::Heard;
use crate::output::{complain, Fail, Out};
use crate::remote::{is_url, Remote};
use crate::scan::{self, Place};
use crate::{human, verdict, DAMAGED, FAILED, OK};

/// Read everything and check it against its checksums
///
/// Verification goes on behind damage, and tells for each what is lost. A log that a writer has open gives no false
/// alarm.
#[derive(Args)]
#[command(after_help = "\
Findings: damage; a torn tail, which a crash leaves behind and the next writer cuts off; missing \
bytes, records or segments; a segment that is there twice; an index that disagrees with the records \
(costs nothing: `binlog index --rebuild`).

Exit status: 0 every log is whole (one that is being written, or was never closed, is too); 1 a log \
could not be verified: it is missing, no log, or may not be read; 3 a log can be read, but something \
in it is damaged, torn or missing.

Examples:
  binlog verify logs/
  binlog verify --json 'archive/*.binlog' | jq 'select(.verdict != \"whole\")'
  binlog verify --json logs/ | jq '[.findings[].lost_records] | add'   records that are lost")]
pub struct Verify {
    /// Logs: directories, files, patterns or URLs
    #[arg(required = true)]
    path: Vec<PathBuf>,
    /// One JSON object a path
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Bytes that are not what was written.
    Damage,
    /// The last bytes of a log, never durable: a crash left them.
    TornTail,
    /// Bytes, records or segments that should be there.
    Missing,
    /// A segment whose records were there before.
    Repeated,
    /// An index that says something else than the records.
    Index,
}

pub struct Finding {
    pub what: What,
    pub loss: Loss,
}

#[derive(Default)]
pub struct Verdict {
    pub records: u64,
    pub payload_bytes: u64,
    pub file_bytes: u64,
    pub files: u64,
    /// How the log ends: `closed`, `live`, `unclosed`, `torn` or `damaged`; `unborn` for one file that nobody has begun.
    pub end: &'static str,
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// `whole`, `torn` when a torn tail is all there is, or `damaged`.
    pub fn word(&self) -> &'static str {
        match (self.findings.is_empty(), self.findings.iter().all(|finding| finding.what == What::TornTail)) {
            (true, _) => "whole",
            (false, true) => "torn",
            (false, false) => "damaged",
        }
    }
}

pub fn run(args: &Verify) -> Result<u8, Fail> {
    let mut out = Out::new();
    let mut code = OK;
    for path in &args.path {
        let verdict = verify(path, &args.remote);
        match &verdict {
            Ok(verdict) if verdict.findings.is_empty() => (),
            Ok(_) => code = if code == OK { DAMAGED } else { code },
            Err(_) => code = FAILED,
        }
        // Whoever reads the output may stop; the exit status is worth the whole work nevertheless.
        let told = match (&verdict, args.json) {
            (Ok(verdict), false) => verdict::tell(&mut out, path, verdict),
            (Ok(verdict), true) => writeln!(out, "{}", verdict::json(path, verdict)),
            (Err(error), true) => writeln!(out, "{}", verdict::unverified(path, error)),
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

/// Reads everything that can be read.
pub fn verify(path: &Path, remote: &Remote) -> Result<Verdict, Error> {
    let heard = Heard::default();
    let reader = Reader::open(path, remote.options(heard.options()))?;
    let before = reader.segments();
    // Events are asked for so that the blocks with nothing else in them are read as well.
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() })?;
    let segments = once_each(&before);
    let mut reading = Reading::new(&reader, &segments);
    let stopped = match scan::read_all(&mut cursor, &mut reading) {
        Err(error) if error.kind() == Kind::Corrupt => Some(error),
        Err(error) => return Err(error),
        Ok(()) => None,
    };
    let tail = cursor.tail();
    // A writer may have been at work meanwhile: what is told of the files is how they are now.
    let after = Reader::open(path, remote.options(Heard::default().options()))
        .map_or_else(|_| before.clone(), |r| r.segments());
    let mut losses = heard.take();
    losses.extend(stopped.map(|error| unread(&error, &tail)));
    let mut findings: Vec<Finding> =
        losses.into_iter().map(|loss| Finding { what: what(&loss, &before, tail.state), loss }).collect();
    findings.extend(reading.without_an_end(&segments).map(|loss| Finding { what: What::Missing, loss }));
    let end = match tail.state {
        TailState::Live => "live",
        _ => match findings.last().filter(|finding| reaches_the_end(&finding.loss, &before)).map(|last| last.what) {
            Some(What::TornTail) => "torn",
            Some(What::Damage) => "damaged",
            _ if tail.state == TailState::Corrupt => "damaged",
            _ if tail.reason.starts_with("the log was not begun") => "unborn",
            _ if tail.state == TailState::Unclosed => "unclosed",
            _ => "closed",
        },
    };
    // Which segment a record is in is told by its id; where logs of several kinds have gaps, it cannot be told for sure.
    let placed = findings.is_empty() || segments.iter().all(|segment| segment.log_id == segments[0].log_id);
    let has_grown = after.len() != before.len();
    for (at, (segment, read)) in segments.iter().zip(&reading.segments).enumerate().filter(|_| placed) {
        // Only of files that nobody changes can the index be compared with what was read a moment ago. The records of
        // segments that were begun meanwhile were taken for the last one's.
        let is_last = segments.get(at + 1).is_none_or(|next| next.log_id != segment.log_id);
        let quiet = !segment.live && after.contains(segment) && !(is_last && has_grown);
        if quiet && findings.iter().all(|finding| finding.loss.path != segment.path) {
            findings.extend(read.compare(&reader, segment)?.map(|loss| Finding { what: What::Index, loss }));
        }
    }
    let unreadable = findings.iter().filter(|finding| before.iter().all(|s| s.path != finding.loss.path));
    let unreadable: Vec<u64> = unreadable.map(|finding| finding.loss.bytes).collect();
    Ok(Verdict {
        records: reading.records,
        payload_bytes: reading.payload_bytes,
        file_bytes: after.iter().map(|s| s.bytes.unwrap_or(0)).chain(unreadable.iter().copied()).sum(),
        files: (after.len() + unreadable.len()) as u64,
        end,
        findings,
    })
}

/// Without the segments that are there for the second time.
fn once_each(segments: &[SegmentFacts]) -> Vec<SegmentFacts> {
    let mut seen = HashSet::new();
    segments.iter().filter(|segment| seen.insert((&segment.log_id, segment.sequence))).cloned().collect()
}

fn unread(error: &Error, tail: &binlog::Tail) -> Loss {
    Loss {
        path: error.path().unwrap_or(&tail.path).to_owned(),
        offset: error.offset().unwrap_or(tail.offset),
        bytes: tail.unread_bytes,
        ids: None,
        pages: None,
        reason: error.reason().to_owned(),
        durable: false,
    }
}

fn what(loss: &Loss, segments: &[SegmentFacts], end: TailState) -> What {
    if loss.bytes == 0 {
        What::Missing
    } else if loss.offset == 0 && loss.reason.contains(" of the log is here twice") {
        What::Repeated
    } else if !loss.durable && end != TailState::Corrupt && reaches_the_end(loss, segments) {
        What::TornTail
    } else {
        What::Damage
    }
}

/// Whether what is lost are the last bytes of a log.
fn reaches_the_end(loss: &Loss, segments: &[SegmentFacts]) -> bool {
    let Some(at) = segments.iter().position(|segment| segment.path == loss.path) else { return false };
    let is_last = segments.get(at + 1).is_none_or(|next| next.log_id != segments[at].log_id);
    is_last && segments[at].bytes.is_some_and(|bytes| loss.offset + loss.bytes >= bytes)
}

/// Counts records, events left out.
struct Reading {
    place: Place,
    records: u64,
    payload_bytes: u64,
    /// What was read of each segment.
    segments: Vec<Read>,
    /// Where segments say that their log goes on, and which.
    goes_on: Vec<(usize, String)>,
    /// Records of each type, read since names were last asked for, of this segment.
    batch: HashMap<u32, u64>,
    batch_at: usize,
    /// Records of one type often stand together; these are not in `batch` yet.
    run: (u32, u64),
}

impl Reading {
    fn new(log: &Reader, segments: &[SegmentFacts]) -> Self {
        Reading {
            place: Place::new(segments),
            records: 0,
            payload_bytes: 0,
            segments: segments.iter().map(|segment| Read::new(log, segment)).collect(),
            goes_on: vec![],
            batch: HashMap::new(),
            batch_at: 0,
            run: (0, 0),
        }
    }
}

impl Reading {
    /// Logs before the last one that go on in a segment which is not here. Of the last, the cursor tells.
    fn without_an_end<'a>(&'a self, segments: &'a [SegmentFacts]) -> impl Iterator<Item = Loss> + 'a {
        let is_missing = |at: usize| {
            let (here, last) = (&segments[at], &segments[segments.len() - 1]);
            let later = |other: &SegmentFacts| other.log_id == here.log_id && other.sequence > here.sequence;
            here.log_id != last.log_id && !segments.iter().any(later)
        };
        // A writer may have begun it meanwhile.
        let is_new = |at: usize, file: &str| {
            let path = segments[at].path.with_file_name(file);
            // It comes to a store when it is closed.
            if is_url(&path) {
                return true;
            }
            path.exists() && segments.iter().all(|segment| segment.path != path)
        };
        let missing = move |(at, file): &&(usize, String)| is_missing(*at) && !is_new(*at, file);
        self.goes_on.iter().filter(missing).map(|(at, file)| Loss {
            path: segments[*at].path.clone(),
            offset: segments[*at].bytes.unwrap_or(0),
            bytes: 0,
            ids: None,
            pages: None,
            reason: format!("the log goes on in {}, which is not here", human::plain(file)),
            durable: false,
        })
    }
}

impl scan::Visit for Reading {
    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        if record.is_event() {
            if record.type_id == event::ROTATE_NEXT {
                let named = record.metadata.into_iter().find(|(key, _)| *key == "file");
                self.goes_on.extend(named.map(|(_, file)| (self.batch_at, file.to_owned())));
            }
            return;
        }
        // A batch is of one block, and so of one segment.
        self.batch_at = self.place.of(record);
        self.records += 1;
        self.payload_bytes += u64::from(record.payload_len);
        if record.type_id != self.run.0 {
            let (type_id, records) = std::mem::replace(&mut self.run, (record.type_id, 0));
            *self.batch.entry(type_id).or_default() += records;
        }
        self.run.1 += 1;
        self.segments[self.batch_at].see(record.id, record.time);
    }

    fn batch(&mut self, cursor: &Cursor) {
        let (type_id, records) = std::mem::take(&mut self.run);
        *self.batch.entry(type_id).or_default() += records;
        let read = &mut self.segments[self.batch_at];
        for (type_id, records) in self.batch.drain().filter(|&(_, records)| records > 0) {
            read.count(type_id, cursor.type_name(type_id), records);
        }
        self.place.show();
    }
}
