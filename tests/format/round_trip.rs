//! What is written is read back exactly, whatever the sizes, the options and the way of reading.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{event, Codec, Filter, NewRecord, Reader, ReaderOptions, TailState, Writer, WriterOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// A record as the property test generates it.
#[derive(Clone, Debug)]
struct Made {
    type_id: u32,
    time: Option<i64>,
    metadata: Vec<(String, String)>,
    len: usize,
    seed: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Append(Made),
    Record(Made),
    /// In parts, split at these places.
    Gather(Made, Vec<usize>),
    Batch(Vec<Made>),
    Named(String, Made),
    Flush,
    Sync,
    Roll,
    /// With another codec.
    Reopen(Codec),
}

fn len() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..50, 6 => 0usize..700, 2 => 4090usize..4100, 1 => 0usize..20_000, 1 => 65_530usize..65_540]
}

fn made(len: impl Strategy<Value = usize>) -> impl Strategy<Value = Made> {
    let type_id = prop_oneof![4 => 0u32..5, 1 => 0u32..binlog::FIRST_NAMED_TYPE];
    let time = prop_oneof![2 => Just(None), 2 => (-1000i64..1000).prop_map(Some), 1 => any::<i64>().prop_map(Some)];
    let metadata = prop_oneof![3 => Just(vec![]), 2 => vec((any::<String>(), any::<String>()), 0..4)];
    (type_id, time, metadata, len, 0u64..1000).prop_map(|(type_id, time, metadata, len, seed)| Made {
        type_id,
        time,
        metadata,
        len,
        seed,
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(codecs().collect::<Vec<_>>())
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => made(len()).prop_map(Op::Append),
        6 => made(len()).prop_map(Op::Record),
        3 => (made(len()), vec(0usize..70_000, 0..5)).prop_map(|(made, cuts)| Op::Gather(made, cuts)),
        3 => vec(made(0usize..900), 0..12).prop_map(Op::Batch),
        3 => ("[a-cü]{1,2}", made(len())).prop_map(|(name, made)| Op::Named(name, made)),
        2 => Just(Op::Flush),
        1 => Just(Op::Sync),
        1 => Just(Op::Roll),
        1 => codec().prop_map(Op::Reopen),
    ]
}

fn options() -> impl Strategy<Value = WriterOptions> {
    let block = prop_oneof![Just(4 << 10), Just(5003), Just(64 << 10), Just(1 << 20)];
    let segment = prop_oneof![1 => Just(u64::MAX), 2 => 0u64..100_000];
    (block, segment, codec(), any::<bool>()).prop_map(|(block_bytes, segment, codec, background)| WriterOptions {
        block_bytes,
        segment_bytes: segment.max(u64::from(block_bytes)),
        codec,
        background,
        ..WriterOptions::default()
    })
}

/// How far a record's time may be from the system's clock, according to the documentation.
const CLOCK_ERROR_NS: i64 = 2_000;

/// What the log must hold: rows with their times, where these were given, or the bounds that the clock set.
#[derive(Default)]
struct Model {
    rows: Vec<(Row, RangeInclusive<i64>)>,
    names: BTreeMap<String, u32>,
}

impl Model {
    fn add(&mut self, id: u64, made: &Made, since: i64) {
        let mut row = Row::new(id, 0, made.type_id, payload(made.len, made.seed));
        row.metadata.clone_from(&made.metadata);
        let now = since - CLOCK_ERROR_NS..=now_ns() + CLOCK_ERROR_NS;
        let time = made.time.map_or(now, |time| time..=time);
        self.rows.push((row, time));
    }

    /// The model's rows with the times that were read, after all has been compared.
    fn compare(&self, seen: &[Row]) -> Vec<Row> {
        let expected: Vec<Row> = self
            .rows
            .iter()
            .zip(seen)
            .map(|((row, time), seen)| {
                assert!(time.contains(&seen.time), "time {} of #{} is not in {time:?}", seen.time, row.id);
                Row { time: seen.time, ..row.clone() }
            })
            .collect();
        assert_eq!(seen.len(), self.rows.len(), "number of rows");
        assert_rows(seen, &expected, "the model");
        expected
    }
}

fn open(directory: &MemoryDirectory) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap()
}

fn perform(writer: &Writer, op: &Op, model: &mut Model, directory: &MemoryDirectory) -> TestCaseResult {
    let next = model.rows.len() as u64 + 1;
    let since = now_ns();
    match op {
        Op::Append(made) => {
            prop_assert_eq!(writer.append(made.type_id, &payload(made.len, made.seed)).unwrap(), next);
            model.add(next, &Made { time: None, metadata: vec![], ..made.clone() }, since);
        }
        Op::Record(made) => {
            let (pairs, bytes) = (metadata(&made.metadata), payload(made.len, made.seed));
            let (type_id, time) = (made.type_id, made.time);
            let record = NewRecord { type_id, time, metadata: pairs.as_metadata(), payload: &bytes };
            prop_assert_eq!(writer.append_record(&record).unwrap(), next);
            model.add(next, made, since);
        }
        Op::Gather(made, cuts) => {
            let (pairs, bytes) = (metadata(&made.metadata), payload(made.len, made.seed));
            let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            let (type_id, time) = (made.type_id, made.time);
            // The payload of the record itself is ignored.
            let record = NewRecord { type_id, time, metadata: pairs.as_metadata(), payload: b"not this" };
            prop_assert_eq!(writer.gather_record(&record, &parts).unwrap(), next);
            model.add(next, made, since);
        }
        Op::Batch(batch) => {
            let kept: Vec<_> = batch.iter().map(|m| (metadata(&m.metadata), payload(m.len, m.seed))).collect();
            let records = batch.iter().zip(&kept).map(|(made, (pairs, payload))| NewRecord {
                type_id: made.type_id,
                time: made.time,
                metadata: pairs.as_metadata(),
                payload,
            });
            prop_assert_eq!(writer.append_batch(records).unwrap(), next);
            batch.iter().zip(next..).for_each(|(made, id)| model.add(id, made, since));
        }
        Op::Named(name, made) => {
            let number = writer.type_id(name, "text/plain").unwrap();
            let known = model.names.len() as u32;
            let expected = *model.names.entry(name.clone()).or_insert(binlog::FIRST_NAMED_TYPE + known);
            prop_assert_eq!(number, expected);
            let made = Made { type_id: number, time: None, metadata: vec![], ..made.clone() };
            prop_assert_eq!(writer.append(number, &payload(made.len, made.seed)).unwrap(), next);
            model.add(next, &made, since);
        }
        Op::Flush => {
            writer.flush().unwrap();
            prop_assert_eq!(writer.position().unwrap().flushed, next - 1);
            let seen = read(&open(directory), &Filter::default(), Way::Batch(5));
            prop_assert_eq!(seen.tail().state, TailState::Live);
            model.compare(&seen.rows);
        }
        Op::Sync => {
            writer.sync().unwrap();
            prop_assert_eq!(writer.position().unwrap().durable, next - 1);
        }
        Op::Roll => writer.roll().unwrap(),
        Op::Reopen(_) => unreachable!("done by the caller"),
    }
    Ok(())
}

/// Reads the closed log in every way and under many filters.
fn check_reading(directory: &MemoryDirectory, model: &Model, picks: &[usize]) {
    let reader = open(directory);
    let everything = Filter::default();
    let seen = read(&reader, &everything, Way::Next);
    assert_eq!(seen.tail().state, TailState::Closed);
    assert_eq!(seen.tail().next_id, model.rows.len() as u64 + 1);
    let rows = model.compare(&seen.rows);
    assert_every_way(&reader, &everything, &rows);
    let kept = |wanted: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).cloned().collect::<Vec<_>>();

    let headers: Vec<Row> = rows.iter().map(Row::without_payload).collect();
    assert_every_way(&reader, &Filter { headers_only: true, ..Filter::default() }, &headers);

    let pick = |i: usize| rows.get(picks[i] % rows.len().max(1));
    if let (Some(a), Some(b)) = (pick(0), pick(1)) {
        let (from, to) = (a.id.min(b.id), a.id.max(b.id));
        let ids = Filter { from_id: Some(from), to_id: Some(to), ..Filter::default() };
        assert_every_way(&reader, &ids, &kept(&|row| (from..=to).contains(&row.id)));
        let open_end = Filter { from_id: Some(to), headers_only: true, ..Filter::default() };
        assert_every_way(&reader, &open_end, &headers[to as usize - 1..]);

        let (early, late) = (a.time.min(b.time), a.time.max(b.time));
        let times = Filter { from_time: Some(early), to_time: Some(late), ..Filter::default() };
        assert_every_way(&reader, &times, &kept(&|row| (early..late).contains(&row.time)));

        let types = Filter { types: vec![a.type_id, 3], ..Filter::default() };
        assert_every_way(&reader, &types, &kept(&|row| row.type_id == a.type_id || row.type_id == 3));
        let narrow = Filter { types: vec![b.type_id], headers_only: true, from_id: Some(from), ..Filter::default() };
        let expected = kept(&|row| row.type_id == b.type_id && row.id >= from);
        assert_every_way(&reader, &narrow, &expected.iter().map(Row::without_payload).collect::<Vec<_>>());
    }
    let beyond = Filter { from_id: Some(rows.len() as u64 + 1), ..Filter::default() };
    assert_every_way(&reader, &beyond, &[]);
    if let Some((name, number)) = model.names.iter().next() {
        let named = Filter { type_names: vec![name.clone(), "nobody".into()], types: vec![2], ..Filter::default() };
        assert_every_way(&reader, &named, &kept(&|row| row.type_id == *number || row.type_id == 2));
        let mut cursor = reader.cursor(&everything).unwrap();
        drain(&mut cursor, Way::Next);
        assert_eq!(cursor.type_name(*number), Some(&name[..]));
    }
    check_events(&reader, model, &rows);
}

/// Events have the id of the record after them, take none of their own, and define each name before it is used.
fn check_events(reader: &Reader, model: &Model, rows: &[Row]) {
    let filter = Filter { events: true, ..Filter::default() };
    let all = read(reader, &filter, Way::Next).whole();
    assert_every_way(reader, &filter, &all);
    let (mut next, mut named) = (1, BTreeMap::new());
    for row in &all {
        assert_eq!(row.id, next);
        match row.is_event() {
            true => assert!(event::name(row.type_id).is_some() && row.payload_len == 0),
            false => next += 1,
        }
        // A new segment, which defines the names again.
        if row.type_id == event::ROTATE_PREV {
            named.clear();
        }
        if row.type_id == event::TYPE {
            let number: u32 = row.fact("id").unwrap().parse().unwrap();
            assert_eq!(model.names.get(row.fact("name").unwrap()), Some(&number));
            named.insert(number, ());
        }
        if row.type_id >= binlog::FIRST_NAMED_TYPE && !row.is_event() {
            assert!(named.contains_key(&row.type_id), "#{} comes before its type's name", row.id);
        }
    }
    let users: Vec<Row> = all.into_iter().filter(|row| !row.is_event()).collect();
    assert_rows(&users, rows, "records among events");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_appended_is_read_back_by_every_path(
        options in options(),
        ops in vec(op(), 1..40),
        picks in vec(0usize..1000, 2),
    ) {
        let directory = MemoryDirectory::new();
        let open = |options: &WriterOptions| Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
        let (mut options, mut model) = (options, Model::default());
        let mut writer = open(&options);
        for op in &ops {
            if let Op::Reopen(codec) = op {
                writer.close().unwrap();
                options.codec = *codec;
                writer = open(&options);
                prop_assert_eq!(writer.position().unwrap().appended, model.rows.len() as u64);
            } else {
                perform(&writer, op, &mut model, &directory)?;
            }
        }
        writer.close().unwrap();
        check_reading(&directory, &model, &picks);
    }
}

const BLOCK: usize = 64 << 10;

fn at_every_size(codec: Codec, background: bool, sizes: &[usize]) {
    let scratch = tempfile::tempdir().unwrap();
    let options = WriterOptions { codec, background, block_bytes: BLOCK as u32, ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options).unwrap();
    let mut expected = vec![];
    for (&size, seed) in sizes.iter().zip(0..) {
        let bytes = payload(size, seed);
        let id = writer.append(1, &bytes).unwrap();
        expected.push(Row::new(id, 0, 1, &bytes[..]));
        let (a, b) = (size / 3, size / 2);
        let id = writer.gather(2, &[&bytes[..a], &[], &bytes[a..b], &bytes[b..]]).unwrap();
        expected.push(Row::new(id, 0, 2, bytes));
    }
    writer.close().unwrap();
    let reader = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
    for way in [Way::Next, Way::Batch(2), Way::Packed(64)] {
        let mut seen = read(&reader, &Filter::default(), way).whole();
        seen.iter_mut().for_each(|row| row.time = 0);
        assert_rows(&seen, &expected, &format!("{codec:?} {way:?}"));
    }
}

#[test]
fn sizes_around_every_boundary_come_back_in_every_codec() {
    let sizes = [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 65535, 65536, 1 << 20, (1 << 20) + 1];
    for codec in codecs() {
        for background in [false, true] {
            at_every_size(codec, background, &sizes);
        }
    }
}

fn of_64_mib(codec: Codec) {
    let codec = if_available(codec);
    let scratch = tempfile::tempdir().unwrap();
    let options = WriterOptions { codec, ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options).unwrap();
    let size = 64 << 20;
    let mut bytes = payload(1 << 20, 2).repeat(64);
    bytes[size / 2] ^= 1;
    writer.append(1, b"before").unwrap();
    writer.append(1, &bytes).unwrap();
    writer.gather(2, &[&bytes[..1], &bytes[1..size / 2], &bytes[size / 2..]]).unwrap();
    writer.append(1, b"after").unwrap();
    writer.close().unwrap();
    let reader = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for (id, payload) in [(1, &b"before"[..]), (2, &bytes), (3, &bytes), (4, b"after")] {
        let record = cursor.next().unwrap().unwrap();
        assert!(record.id == id && record.payload == payload, "#{id} in {codec:?}");
    }
    assert!(cursor.next().unwrap().is_none());
    assert_eq!(cursor.tail().state, TailState::Closed);
}

#[test]
fn a_record_of_64_mib_comes_back() {
    of_64_mib(Codec::None);
}

#[test]
fn a_record_of_64_mib_comes_back_from_lz4() {
    of_64_mib(Codec::Lz4);
}

#[test]
fn a_record_of_64_mib_comes_back_from_zstd() {
    of_64_mib(Codec::Zstd);
}
