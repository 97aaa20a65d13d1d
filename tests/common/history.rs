//! Random histories of a log, what it must hold after each, and what a filter must show of it.

use std::sync::Arc;

use binlog::io::{Directory, MemoryDirectory};
use binlog::{
    event, is_event, Codec, Filter, Lag, NewRecord, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A record as a history generates it.
#[derive(Clone, Debug)]
pub struct Made {
    pub type_id: u32,
    pub time: i64,
    pub metadata: Vec<(String, String)>,
    pub len: usize,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub enum Op {
    Append(Made),
    /// So many records like this one, of types that count up from its own, each a little later than the one before.
    Many(Made, u32, bool),
    Batch(Vec<Made>),
    Named(String, Made),
    Flush,
    Sync,
    Roll,
    Reopen(Codec),
    /// The process ends without a close, and the log is opened again.
    Crash(Codec),
}

fn made() -> impl Strategy<Value = Made> {
    let type_id = prop_oneof![12 => 0u32..3, 2 => 3u32..40];
    let time = prop_oneof![6 => 0i64..100_000, 1 => -500i64..0, 1 => any::<i64>()];
    let shared = || (Just("user".to_owned()), "[a-e]");
    let metadata = prop_oneof![
        5 => Just(vec![]),
        3 => shared().prop_map(|pair| vec![pair]),
        1 => (shared(), "[0-9]{6}").prop_map(|(pair, unique)| vec![pair, ("request".to_owned(), unique)]),
    ];
    let len =
        prop_oneof![1 => Just(0usize), 4 => 0usize..60, 4 => 100usize..900, 1 => 4000usize..4200, 1 => 0usize..20_000];
    (type_id, time, metadata, len, 0u64..1000).prop_map(|(type_id, time, metadata, len, seed)| Made {
        type_id,
        time,
        metadata,
        len,
        seed,
    })
}

pub fn codec() -> impl Strategy<Value = Codec> {
    let all = codecs().collect::<Vec<_>>();
    prop_oneof![2 => Just(Codec::None), 1 => proptest::sample::select(all)]
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => made().prop_map(Op::Append),
        5 => (made(), 20u32..90, any::<bool>()).prop_map(|(made, n, same)| Op::Many(Made { len: made.len % 400, ..made }, n, same)),
        1 => made().prop_map(|made| Op::Many(Made { len: made.len % 8, ..made }, 300, false)),
        2 => vec(made(), 0..8).prop_map(Op::Batch),
        3 => ("[a-d]", made()).prop_map(|(name, made)| Op::Named(name, made)),
        6 => Just(Op::Flush),
        1 => Just(Op::Sync),
        1 => Just(Op::Roll),
        1 => codec().prop_map(Op::Reopen),
        1 => codec().prop_map(Op::Crash),
    ]
}

/// A log, the writer that has it open, and the records that it must hold.
pub struct Log {
    pub directory: MemoryDirectory,
    pub writer: Option<Writer>,
    pub rows: Vec<Row>,
    pub options: WriterOptions,
}

/// Options that give segments many small blocks and many INDEX blocks.
pub fn small_blocks(codec: Codec) -> WriterOptions {
    WriterOptions { codec, block_bytes: 4096, index_bytes: 4096, flush: Lag::default(), ..WriterOptions::default() }
}

/// A directory with the same files, as a crash leaves them.
pub fn copy_of(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

pub fn open_mode(directory: &MemoryDirectory, mode: ReaderMode) -> Reader {
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    Reader::open(Arc::new(directory.clone()), options).unwrap()
}

pub fn open(directory: &MemoryDirectory) -> Reader {
    open_mode(directory, ReaderMode::Prefix)
}

/// What a salvaging reader shows, and the losses that it reports.
pub fn salvaged(directory: &MemoryDirectory) -> (Vec<Row>, Vec<Loss>) {
    let (options, losses) = hearing(ReaderMode::Salvage);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let rows = read(&reader, &Filter::default(), Way::Next).rows;
    let losses = losses.lock().unwrap().clone();
    (rows, losses)
}

impl Log {
    pub fn new(options: WriterOptions) -> Self {
        let directory = MemoryDirectory::new();
        let writer = Some(Writer::open(Arc::new(directory.clone()), options.clone()).unwrap());
        Log { directory, writer, rows: vec![], options }
    }

    /// A log of so many segments with 30 records each, of one to two pages a block.
    pub fn of_segments(segments: usize, options: WriterOptions) -> Self {
        let mut log = Log::new(WriterOptions { block_bytes: 8 << 10, ..options });
        for i in 0..30 * segments {
            if i > 0 && i % 30 == 0 {
                log.writer().roll().unwrap();
            }
            log.put_plain(i as u32 % 3, i as i64, i * 97 % 1300);
            if i % 7 == 0 {
                log.writer().flush().unwrap();
            }
        }
        log
    }

    pub fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("the log is open")
    }

    /// Appends a record, and returns its id.
    pub fn put(&mut self, made: &Made) -> u64 {
        let (pairs, bytes) = (metadata(&made.metadata), payload(made.len, made.seed));
        let record =
            NewRecord { type_id: made.type_id, time: Some(made.time), metadata: pairs.as_metadata(), payload: &bytes };
        let id = self.writer().append_record(&record).unwrap();
        self.note(made);
        assert_eq!(id, self.rows.len() as u64);
        id
    }

    /// As [`Self::put`], for a record without metadata.
    pub fn put_plain(&mut self, type_id: u32, time: i64, len: usize) -> u64 {
        let seed = self.rows.len() as u64;
        self.put(&Made { type_id, time, metadata: vec![], len, seed })
    }

    fn note(&mut self, made: &Made) {
        let mut row = Row::new(self.rows.len() as u64 + 1, made.time, made.type_id, payload(made.len, made.seed));
        row.metadata.clone_from(&made.metadata);
        self.rows.push(row);
    }

    pub fn perform(&mut self, op: &Op) {
        match op {
            Op::Append(made) => {
                self.put(made);
            }
            Op::Many(made, count, same) => {
                for i in 0..*count {
                    let type_id = if *same { made.type_id } else { made.type_id + i };
                    let time = made.time.saturating_add(i64::from(i));
                    self.put(&Made { type_id, time, seed: made.seed + u64::from(i), ..made.clone() });
                }
            }
            Op::Batch(batch) => {
                let kept: Vec<_> = batch.iter().map(|m| (metadata(&m.metadata), payload(m.len, m.seed))).collect();
                let records = batch.iter().zip(&kept).map(|(made, (pairs, payload))| NewRecord {
                    type_id: made.type_id,
                    time: Some(made.time),
                    metadata: pairs.as_metadata(),
                    payload,
                });
                assert_eq!(self.writer().append_batch(records).unwrap(), self.rows.len() as u64 + 1);
                batch.iter().for_each(|made| self.note(made));
            }
            Op::Named(name, made) => {
                let type_id = self.writer().type_id(name, "").unwrap();
                self.put(&Made { type_id, ..made.clone() });
            }
            Op::Flush => self.writer().flush().unwrap(),
            Op::Sync => self.writer().sync().unwrap(),
            Op::Roll => self.writer().roll().unwrap(),
            Op::Reopen(codec) => {
                self.close();
                self.reopen(*codec);
            }
            Op::Crash(codec) => {
                self.crash();
                self.reopen(*codec);
            }
        }
    }

    pub fn close(&mut self) {
        self.writer.take().expect("the log is open").close().unwrap();
    }

    /// Ends without a close: what was not flushed is lost.
    pub fn crash(&mut self) {
        let flushed = self.writer().position().unwrap().flushed;
        self.directory = copy_of(&self.directory);
        self.rows.truncate(flushed as usize);
        self.writer = None;
    }

    pub fn reopen(&mut self, codec: Codec) {
        self.options.codec = codec;
        self.writer = Some(Writer::open(Arc::new(self.directory.clone()), self.options.clone()).unwrap());
    }

    /// Whether the log was closed cleanly.
    pub fn is_closed(&self) -> bool {
        let seen = read(&open(&self.directory), &Filter::default(), Way::Batch(usize::MAX));
        seen.tail().state == binlog::TailState::Closed
    }

    /// Everything that the log holds, events too, as reading block by block without an index shows it. The records
    /// among it are those that were appended and flushed.
    pub fn everything(&self) -> Vec<Row> {
        let all = read(&open(&self.directory), &Filter { events: true, ..Filter::default() }, Way::Batch(usize::MAX));
        let all = all.whole();
        let records: Vec<Row> = all.iter().filter(|row| !row.is_event()).cloned().collect();
        assert_rows(&records, &self.rows[..records.len()], "the model");
        let flushed = self.writer.as_ref().map_or(self.rows.len(), |w| w.position().unwrap().flushed as usize);
        assert_eq!(records.len(), flushed, "what was flushed is there");
        all
    }
}

/// The numbers of the names, from the TYPE events.
fn numbers(all: &[Row], names: &[String]) -> Vec<u32> {
    let named = all.iter().filter(|row| row.type_id == event::TYPE);
    named.filter(|row| names.iter().any(|name| row.fact("name") == Some(name))).map(number_of).collect()
}

fn number_of(row: &Row) -> u32 {
    row.fact("id").unwrap().parse().unwrap()
}

/// What the filter must show of a log that holds `all`, in the order of writing.
pub fn shown_of(all: &[Row], filter: &Filter) -> Vec<Row> {
    let mut types = numbers(all, &filter.type_names);
    types.extend(&filter.types);
    let any_type = filter.types.is_empty() && filter.type_names.is_empty();
    let matches = |row: &Row| {
        (filter.events || !row.is_event())
            && (any_type || types.contains(&row.type_id))
            && filter.from_id.is_none_or(|from| row.id >= from)
            && filter.to_id.is_none_or(|to| row.id <= to)
            && filter.from_time.is_none_or(|from| row.time >= from)
            && filter.to_time.is_none_or(|to| row.time < to)
            && filter.metadata.iter().all(|pair| row.metadata.contains(pair))
    };
    let mut shown: Vec<Row> = all.iter().filter(|row| matches(row)).cloned().collect();
    if let Some(last) = filter.last {
        let records: Vec<u64> = shown.iter().filter(|row| !row.is_event()).map(|row| row.id).collect();
        let from = match records.len().checked_sub(last as usize) {
            _ if last == 0 => u64::MAX,
            Some(skipped) => records.get(skipped).copied().unwrap_or(0),
            None => records.first().copied().unwrap_or(0),
        };
        // Events before the first of the last records are not requested.
        shown.retain(|row| row.id >= from);
    }
    if filter.headers_only {
        shown = shown.iter().map(Row::without_payload).collect();
    }
    if filter.newest_first {
        shown.reverse();
    }
    shown
}

/// Pseudorandom numbers.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    pub fn pick<'a>(&mut self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.get(self.roll(rows.len()))
    }

    /// A filter that concerns these rows.
    pub fn filter(&mut self, rows: &[Row]) -> Filter {
        let mut filter = Filter::default();
        if self.one_in(3) {
            let times = [0, 1].map(|_| self.pick(rows).map_or(0, |row| row.time));
            filter.from_time = (!self.one_in(3)).then_some(times[0].min(times[1]));
            filter.to_time = (!self.one_in(3)).then_some(times[0].max(times[1]));
        }
        if self.one_in(3) {
            let ids = [0, 1].map(|_| self.pick(rows).map_or(0, |row| row.id + self.roll(2) as u64));
            filter.from_id = (!self.one_in(3)).then_some(ids[0].min(ids[1]));
            filter.to_id = (!self.one_in(3)).then_some(ids[0].max(ids[1]));
        }
        filter.events = self.one_in(5);
        if self.one_in(2) {
            for _ in 0..1 + self.roll(2) {
                let type_id = self.pick(rows).map_or(7, |row| row.type_id);
                filter.types.push(if self.one_in(8) { type_id + 1000 } else { type_id });
            }
        }
        if self.one_in(4) {
            filter.type_names.push(["a", "b", "c", "d", "nobody"][self.roll(5)].to_owned());
        }
        if self.one_in(4) {
            let with = rows.iter().filter(|row| !is_event(row.type_id)).flat_map(|row| row.metadata.first());
            let pairs: Vec<_> = with.cloned().collect();
            filter.metadata.extend(pairs.get(self.roll(pairs.len())).cloned());
            if self.one_in(4) {
                filter.metadata.push(("user".into(), "a".into()));
            }
        }
        filter.headers_only = self.one_in(3);
        filter
    }
}
