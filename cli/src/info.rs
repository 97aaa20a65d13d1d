//! `binlog info`: what is in a log.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;

use binlog::{Cursor, Filter, Kind, Reader, ReaderOptions, Record, SegmentFacts, Tail, TailState};
use clap::Args;

use crate::args::Type;
use crate::damage::{self, Unread};
use crate::losses;
use crate::output::{complain, Fail, Out};
use crate::remote::Remote;
use crate::scan::{self, Place};
use crate::{summary, DAMAGED, OK};

/// Show records, types, times, sizes and segments
///
/// Reads headers only, so it is fast and says nothing about payloads: `binlog verify` does.
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

impl Count {
    fn add(&mut self, other: Count) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
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
    /// Bytes of the files beside the payload for each record; negative for a log that is compressed.
    pub fn overhead(&self) -> Option<f64> {
        let files = self.file_bytes? as f64;
        (self.total.records > 0).then(|| (files - self.total.bytes as f64) / self.total.records as f64)
    }
}

pub fn run(args: &Info) -> Result<u8, Fail> {
    let options = args.remote.options(ReaderOptions::default());
    let reader = Reader::open(&args.path, options.clone()).map_err(|e| Fail::Told(losses::advised(&e)))?;
    let mut cursor = reader.cursor(&Filter { headers_only: true, ..Filter::default() })?;
    let segments = reader.segments();
    let mut counting = Counting::new(&segments);
    let read = scan::read_all(&mut cursor, &mut counting);
    let tail = cursor.tail();
    let trouble = match read {
        Err(error) if !matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => return Err(error.into()),
        Err(error) => {
            let advice = if error.kind() == Kind::Corrupt { losses::ADVICE } else { "a newer version reads on" };
            Some(format!("{error}; {}; {advice}", Unread::behind(&tail, &segments)))
        }
        Ok(()) => damage::at_the_end(&tail),
    };
    // The files as they are now: a writer may have been at work meanwhile.
    let (reader, segments) = match Reader::open(&args.path, options) {
        Ok(reader) => {
            let segments = reader.segments();
            (reader, segments)
        }
        Err(_) => (reader, segments),
    };
    let summary = counting.finish(args.path.clone(), segments, &tail, &reader);
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", summary::json(&summary))?,
        false => out.put(summary::text(&summary).as_bytes())?,
    }
    out.flush()?;
    Ok(match trouble {
        Some(message) => {
            complain(&message);
            DAMAGED
        }
        None => OK,
    })
}

struct Counting {
    place: Place,
    per_segment: Vec<u64>,
    total: Count,
    types: BTreeMap<Type, Count>,
    /// The types of the batch by number: what they are called, the cursor tells at its end.
    batch: HashMap<u32, Count>,
    /// Records of one type often stand together; these are not in `batch` yet.
    run: (u32, Count),
    ids: Option<(u64, u64)>,
    times: Option<(i64, i64)>,
}

impl Counting {
    fn new(segments: &[SegmentFacts]) -> Self {
        Counting {
            place: Place::new(segments),
            per_segment: vec![0; segments.len()],
            total: Count::default(),
            types: BTreeMap::new(),
            batch: HashMap::new(),
            run: (0, Count::default()),
            ids: None,
            times: None,
        }
    }

    fn end_run(&mut self) {
        let (type_id, count) = std::mem::take(&mut self.run);
        if count.records > 0 {
            self.batch.entry(type_id).or_default().add(count);
        }
    }

    fn finish(self, path: PathBuf, segments: Vec<SegmentFacts>, tail: &Tail, reader: &Reader) -> Summary {
        let mut types: Vec<_> = self.types.into_iter().collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(count.records));
        let file_bytes = segments.iter().map(|segment| segment.bytes).sum();
        let records = self.per_segment.into_iter().chain(std::iter::repeat(0));
        let segments = segments
            .into_iter()
            .zip(records)
            .map(|(facts, records)| SegmentSummary { state: state(&facts, tail, reader), facts, records })
            .collect();
        let state = word(tail.state).unwrap_or("closed");
        Summary { path, total: self.total, types, ids: self.ids, times: self.times, segments, file_bytes, state }
    }
}

impl scan::Visit for Counting {
    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        let count = Count { records: 1, bytes: u64::from(record.payload_len) };
        if record.type_id != self.run.0 {
            self.end_run();
            self.run.0 = record.type_id;
        }
        self.run.1.add(count);
        self.total.add(count);
        let at = self.place.of(record);
        self.per_segment[at] += 1;
        let (id, time) = (record.id, record.time);
        self.ids = Some(self.ids.map_or((id, id), |(first, _)| (first, id)));
        self.times = Some(self.times.map_or((time, time), |(from, to)| (from.min(time), to.max(time))));
    }

    fn batch(&mut self, cursor: &Cursor) {
        self.end_run();
        for (type_id, count) in self.batch.drain() {
            let known = match cursor.type_name(type_id) {
                Some(name) => Type::Name(name.to_owned()),
                None => Type::Number(type_id),
            };
            self.types.entry(known).or_default().add(count);
        }
        self.place.show();
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

/// The last segment is as the cursor found it; those before are closed when they end with a trailer.
fn state(facts: &SegmentFacts, tail: &Tail, reader: &Reader) -> &'static str {
    match word(tail.state).filter(|_| facts.path == tail.path) {
        Some(word) => word,
        None if facts.live => "live",
        None => match reader.is_closed(&facts.path).ok().flatten() {
            Some(true) => "closed",
            Some(false) => "unclosed",
            None => "-",
        },
    }
}
