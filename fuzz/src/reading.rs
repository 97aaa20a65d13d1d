//! Reads a log in every way, and compares what they show.

use std::collections::HashSet;
use std::sync::Arc;

use binlog::io::MemoryDirectory;
use binlog::{Cursor, Filter, Kind, Reader, ReaderMode, ReaderOptions, Record, Tail, TailState};

/// A record by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub metadata: Vec<u8>,
    pub payload: Vec<u8>,
    pub payload_len: u32,
}

impl Row {
    pub fn is_event(&self) -> bool {
        binlog::is_event(self.type_id)
    }

    fn without_payload(&self) -> Row {
        Row { payload: vec![], ..self.clone() }
    }
}

impl From<&Record<'_>> for Row {
    fn from(record: &Record<'_>) -> Self {
        Row {
            id: record.id,
            time: record.time,
            type_id: record.type_id,
            metadata: record.metadata.as_bytes().to_vec(),
            payload: record.payload.to_vec(),
            payload_len: record.payload_len,
        }
    }
}

/// How reading ended.
#[derive(Debug)]
pub enum End {
    Tail(Tail),
    Damage(binlog::Error),
    /// Reading stopped: compressed blocks of a few bytes may hold millions of records.
    Enough,
}

/// What a cursor showed.
#[derive(Debug)]
pub struct Seen {
    pub rows: Vec<Row>,
    pub end: End,
}

impl Seen {
    /// Read to an end without an error.
    pub fn is_whole(&self) -> bool {
        matches!(self.end, End::Tail(_))
    }

    /// Read to an end that leaves nothing unread.
    pub fn shows_all(&self) -> bool {
        matches!(&self.end, End::Tail(tail) if tail.state != TailState::Torn)
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Next,
    Batch(usize),
    Packed(usize),
}

const ENOUGH_ROWS: usize = 20_000;
const ENOUGH_BYTES: usize = 32 << 20;

pub fn open(directory: &MemoryDirectory, mode: ReaderMode) -> binlog::Result<Reader> {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() })
}

/// All records and events.
pub fn everything() -> Filter {
    Filter { events: true, ..Filter::default() }
}

/// What the log shows under a filter.
pub fn see(directory: &MemoryDirectory, mode: ReaderMode, filter: &Filter) -> Option<Seen> {
    see_by(&open(directory, mode).map_err(|error| assert_report(&error)).ok()?, filter, Way::Next)
}

/// Reads in every way and under several filters, in both modes. `index_lies` says that the log may contain INDEX blocks
/// with right checksums which no writer has written: these may mislead a search by type or time, but neither a search
/// by id nor reading.
pub fn read_every_way(directory: &MemoryDirectory, index_lies: bool) {
    let Ok(reader) = open(directory, ReaderMode::Prefix).map_err(|error| assert_report(&error)) else { return };
    reader.segments();
    let Some(all) = see_by(&reader, &everything(), Way::Next) else { return };
    assert_ids_follow(&all.rows);
    for way in [Way::Batch(1), Way::Batch(7), Way::Batch(usize::MAX), Way::Packed(0), Way::Packed(4099)] {
        let seen = see_by(&reader, &everything(), way).expect("the filter is valid");
        assert_same(&seen, &all, &format!("{way:?}"));
    }
    assert_strict_agrees(directory, &all);
    assert_types_are_those_of_events(&reader, &all);
    let headers = Filter { headers_only: true, ..everything() };
    for way in [Way::Next, Way::Batch(5), Way::Packed(64)] {
        let seen = see_by(&reader, &headers, way).expect("the filter is valid");
        let bare: Vec<Row> = all.rows.iter().map(Row::without_payload).collect();
        // Reading headers only does not notice damage of a payload.
        assert!(matches!(seen.end, End::Enough) || seen.rows.len() >= bare.len(), "headers only shows less");
        assert!(seen.rows.iter().zip(&bare).all(|(seen, row)| seen == row), "headers only shows others");
    }
    if all.is_whole() {
        assert_filters_agree(&reader, &all.rows, index_lies);
    }
}

/// A type has no schema but one that an event contains, and none that is too long.
fn assert_types_are_those_of_events(reader: &Reader, all: &Seen) {
    let is_schema = |row: &&Row| row.type_id == binlog::event::SCHEMA;
    let schemas: HashSet<&[u8]> = all.rows.iter().filter(is_schema).map(|row| &row.payload[..]).collect();
    let check = |info: &binlog::TypeInfo| {
        let Some(schema) = &info.schema else { return };
        assert!(info.schema_sha256.is_some() && (1..=1 << 20).contains(&schema.len()));
        assert!(!all.is_whole() || schemas.contains(&schema[..]), "a schema that no event contains: {info:?}");
    };
    if let Ok(mut cursor) = reader.cursor(&Filter::default()).map_err(|error| assert_report(&error)) {
        let mut left = 1000;
        while let (Ok(Some(record)), 1..) = (cursor.next(), left) {
            let type_id = record.type_id;
            left -= 1;
            match cursor.type_info(type_id) {
                Ok(info) => {
                    assert_eq!(info.as_ref().map(|info| &*info.name), cursor.type_name(type_id));
                    info.iter().for_each(check);
                }
                Err(error) => assert_report(&error),
            }
        }
    }
    match reader.types() {
        // The segments that are read last may be behind damage.
        Ok(types) => types.iter().for_each(check),
        Err(error) => assert_report(&error),
    }
}

/// Each filter shows what a program would select from all records by hand.
fn assert_filters_agree(reader: &Reader, all: &[Row], index_lies: bool) {
    let of = |i: usize| all.get(i * all.len() / 4).or(all.last());
    for row in [of(0), of(1), of(2), of(3), all.last()].into_iter().flatten() {
        let (id, time) = (row.id, row.time);
        // Records only: an event after the last record of its block has the id of the next block's first record, and is
        // skipped with its own block.
        let by_id = Filter { from_id: Some(id), ..Filter::default() };
        assert_picks(reader, &by_id, all, |row| row.id >= id && !row.is_event());
        let one = Filter { from_id: Some(id), to_id: Some(id), ..Filter::default() };
        assert_picks(reader, &one, all, |row| row.id == id && !row.is_event());
        if !index_lies {
            let by_type = Filter { types: vec![row.type_id], ..everything() };
            assert_picks(reader, &by_type, all, |other| other.type_id == row.type_id);
            // The times in a block's header, which a filter by time trusts, may be anything here: the result only has
            // to be a part of all records.
            let by_time = Filter { from_time: Some(time), ..everything() };
            let seen = see_by(reader, &by_time, Way::Batch(9)).expect("the filter is valid");
            assert!(seen.is_whole() && seen.rows.iter().all(|row| all.contains(row)), "a filter by time shows others");
        }
    }
}

fn assert_picks(reader: &Reader, filter: &Filter, all: &[Row], picked: impl Fn(&Row) -> bool) {
    let expected: Vec<&Row> = all.iter().filter(|row| picked(row)).collect();
    for way in [Way::Next, Way::Batch(3)] {
        let seen = see_by(reader, filter, way).expect("the filter is valid");
        assert!(seen.is_whole(), "{filter:?} {way:?}: {:?}", seen.end);
        assert!(seen.rows.iter().eq(expected.iter().copied()), "{filter:?} {way:?} shows other records");
    }
}

fn assert_strict_agrees(directory: &MemoryDirectory, all: &Seen) {
    let strict = see(directory, ReaderMode::Strict, &everything()).expect("it was opened before");
    // Strict reading stops at a damaged index, which the default mode ignores.
    if matches!(&strict.end, End::Damage(error) if error.reason().contains("index block")) {
        assert!(all.rows.starts_with(&strict.rows), "strict reading shows other records before a damaged index");
        return;
    }
    assert_eq!(strict.rows, all.rows, "strict reading shows other records");
    // A log that was never begun has nothing that could be missing, in strict mode too.
    let clean = matches!(&all.end, End::Tail(tail) if tail.state == TailState::Closed || is_unborn(tail));
    assert!(all.rows.is_empty() || !matches!(&all.end, End::Tail(tail) if is_unborn(tail)), "{:?}", all.rows);
    assert!(clean == strict.is_whole() || matches!(all.end, End::Enough), "{:?}, {:?}", strict.end, all.end);
}

fn is_unborn(tail: &Tail) -> bool {
    tail.state == TailState::Unclosed && tail.next_id == 1 && tail.reason.contains("was not begun")
}

fn see_by(reader: &Reader, filter: &Filter, way: Way) -> Option<Seen> {
    let mut cursor = reader.cursor(filter).map_err(|error| assert_report(&error)).ok()?;
    let (mut rows, mut bytes) = (vec![], 0);
    loop {
        let before = rows.len();
        match step(&mut cursor, way, &mut rows) {
            Ok(0) => {
                let tail = cursor.tail();
                assert_ne!(tail.state, TailState::Corrupt);
                assert_ne!(tail.state, TailState::More, "an end, but the tail says that there is more");
                assert!(step(&mut cursor, way, &mut rows).is_ok_and(|n| n == 0), "the end stays where it is");
                return Some(Seen { rows, end: End::Tail(tail) });
            }
            Ok(n) => assert_eq!(rows.len(), before + n, "{way:?} shows as many records as it says"),
            Err(error) => {
                assert_report(&error);
                let again = step(&mut cursor, way, &mut rows).expect_err("damage stays damage");
                assert_eq!((again.kind(), again.offset()), (error.kind(), error.offset()));
                // In strict mode an end that is torn or not closed is an error, too, and the tail says that it is no
                // damage.
                let state = cursor.tail().state;
                assert!(matches!(state, TailState::Corrupt | TailState::Torn | TailState::Unclosed), "{state:?}");
                return Some(Seen { rows, end: End::Damage(error) });
            }
        }
        for row in &rows[before..] {
            let headers_only = cursor.headers_only() && row.payload.is_empty();
            assert!(headers_only || row.payload.len() == row.payload_len as usize, "a payload of another length");
            let _ = cursor.type_name(row.type_id);
            bytes += row.payload.len() + row.metadata.len();
        }
        if rows.len() > ENOUGH_ROWS || bytes > ENOUGH_BYTES {
            return Some(Seen { rows, end: End::Enough });
        }
    }
}

fn step(cursor: &mut Cursor, way: Way, rows: &mut Vec<Row>) -> binlog::Result<usize> {
    match way {
        Way::Next => Ok(cursor.next()?.map(|record| rows.push(Row::from(&record))).iter().count()),
        Way::Batch(most) => cursor.next_batch(most.min(ENOUGH_ROWS), |record| rows.push(Row::from(record))),
        Way::Packed(bytes) => {
            let mut buffer = vec![0xA5; bytes];
            loop {
                match cursor.read_packed(&mut buffer) {
                    Ok((len, count)) => {
                        crate::packed::unpack(&buffer[..len], rows);
                        return Ok(count);
                    }
                    Err(error) if error.kind() == Kind::TooLarge => {
                        let mut words = error.reason().split(' ').filter_map(|word| word.parse::<usize>().ok());
                        let needed = words.next().expect("the reason says how many bytes are needed");
                        assert!(needed > buffer.len(), "{error}");
                        buffer.resize(needed, 0xA5);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Records follow each other without a gap, and an event has the id of the record after it.
fn assert_ids_follow(rows: &[Row]) {
    for pair in rows.windows(2) {
        let expected = pair[0].id + u64::from(!pair[0].is_event());
        assert_eq!(pair[1].id, expected, "a gap, and nothing was said");
    }
}

fn assert_same(seen: &Seen, expected: &Seen, way: &str) {
    if matches!(seen.end, End::Enough) || matches!(expected.end, End::Enough) {
        return assert!(seen.rows.iter().zip(&expected.rows).all(|(a, b)| a == b), "{way} shows others");
    }
    assert!(seen.rows == expected.rows, "{way} shows {} rows, not {}", seen.rows.len(), expected.rows.len());
    assert_eq!(format!("{:?}", seen.end), format!("{:?}", expected.end), "{way} ends otherwise");
}

/// Errors that bytes may cause; any other is a defect of the library.
pub fn assert_report(error: &binlog::Error) {
    assert!(matches!(error.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound), "{error:?}");
    assert!(!error.reason().is_empty() && !error.to_string().contains('\n'), "{error:?}");
}
