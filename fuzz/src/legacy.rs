//! The targets whose bytes are a file of a legacy library.

use std::collections::BTreeMap;
use std::sync::Arc;

use binlog::io::MemoryDirectory;
use binlog::{Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, TailState};

use crate::reading::{self, assert_report, everything, Row};

/// So many records of the beginning and of the end are looked up by their ids.
const ENOUGH: usize = 16;
/// Inputs of such lengths are read a second time as a file in which the part after the header is repeated until it
/// takes several blocks to show: those are rebuilt whenever a cursor goes back.
const SHORT: usize = 128;
const SHORT_STEP: usize = 16;
const COPIES: usize = 4500;
const MOST: usize = 400_000;

/// A file of the Python binary logger.
pub fn legacy_python(bytes: &[u8]) {
    let header = b"MapLogger_v1.0".len();
    read_as("the_logger.log", bytes, header, <[u8]>::to_vec);
}

/// A file of the Java binlog.
pub fn legacy_java(bytes: &[u8]) {
    let header = bytes.get(18..22).map_or(0, |len| 22 + u32::from_be_bytes(len.try_into().expect("4 bytes")) as usize);
    read_as("default.20140201-1011.binlog", bytes, header, <[u8]>::to_vec);
}

/// An archive of shoebox.
pub fn legacy_shoebox(bytes: &[u8]) {
    read_as("test_2014_02_01.events", bytes, 0, <[u8]>::to_vec);
}

/// Lines in a file that gzip has compressed, or that is no whole compressed file.
pub fn legacy_lines(bytes: &[u8]) {
    read_file("notifications_20140201.json.gz", bytes);
    read_as("notifications_20140201.json.gz", bytes, 0, stored);
}

/// A gzip file with the bytes in stored blocks: the fuzzer's changes are changes of the lines.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let mut blocks = bytes.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        out.extend(b"\x01\0\0\xff\xff");
    }
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        out.extend((block.len() as u16).to_le_bytes());
        out.extend((!(block.len() as u16)).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32fast::hash(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// Reads the file that `make` returns for the bytes, whose header has so many bytes.
fn read_as(name: &str, bytes: &[u8], header: usize, make: fn(&[u8]) -> Vec<u8>) {
    read_file(name, &make(bytes));
    if bytes.len() < SHORT && bytes.len().is_multiple_of(SHORT_STEP) && header < bytes.len() {
        let (header, body) = bytes.split_at(header);
        let copies = COPIES.min(MOST / body.len());
        read_file(name, &make(&[header, &body.repeat(copies)].concat()));
    }
}

fn read_file(name: &str, bytes: &[u8]) {
    let directory = MemoryDirectory::new();
    directory.set_contents(name, bytes.to_vec());
    reading::read_every_way(&directory, false);
    let Some(all) = reading::see(&directory, ReaderMode::Prefix, &everything()) else { return };
    let records: Vec<&Row> = all.rows.iter().filter(|row| !row.is_event()).collect();
    for (i, record) in records.iter().enumerate() {
        assert_eq!(record.id, i as u64 + 1, "an older library's records have the ids 1, 2, 3 …");
    }
    if all.is_whole() {
        assert_newest_first(&directory, &records);
        assert_by_id(&directory, &records);
    }
    assert_salvaged(&directory, &records);
}

fn open(directory: &MemoryDirectory) -> Reader {
    reading::open(directory, ReaderMode::Prefix).expect("it was opened before")
}

/// Reads from the newest to the oldest, and the last records.
fn assert_newest_first(directory: &MemoryDirectory, records: &[&Row]) {
    let newest_first = Filter { newest_first: true, ..Filter::default() };
    let seen = reading::see(directory, ReaderMode::Prefix, &newest_first);
    match seen {
        // A file that is compressed as a whole is only read from its beginning.
        None => assert!(open(directory).cursor(&newest_first).is_err_and(|e| e.kind() == Kind::Unsupported)),
        Some(seen) => assert!(seen.rows.iter().eq(records.iter().rev().copied()), "newest first shows others"),
    }
    let last = Filter { last: Some(3), ..Filter::default() };
    if let Some(seen) = reading::see(directory, ReaderMode::Prefix, &last) {
        assert!(seen.rows.iter().eq(records[records.len().saturating_sub(3)..].iter().copied()), "the last are others");
    }
}

/// Looks each record up by its id, back and forth, and one that does not exist.
fn assert_by_id(directory: &MemoryDirectory, records: &[&Row]) {
    let mut cursor = open(directory).cursor(&Filter::default()).expect("the filter is valid");
    let (first, last) = (records.iter().take(ENOUGH), records.iter().rev().take(ENOUGH));
    for record in first.clone().zip(last).flat_map(|(first, last)| [first, last]).chain(first) {
        match cursor.get(record.id) {
            Ok(found) => assert_eq!(found.as_ref().map(Row::from).as_ref(), Some(*record), "by its id"),
            Err(error) => assert_eq!(error.kind(), Kind::Unsupported, "{error}"),
        }
    }
    match cursor.get(records.len() as u64 + 1) {
        Ok(found) => assert!(found.is_none(), "a record that is not there"),
        Err(error) => assert!(matches!(error.kind(), Kind::Unsupported | Kind::NotFound), "{error}"),
    }
}

/// A salvaging cursor shows what the others do, and reports everything after that as lost.
fn assert_salvaged(directory: &MemoryDirectory, records: &[&Row]) {
    let losses = Arc::new(std::sync::Mutex::new(Vec::<Loss>::new()));
    let reported = losses.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        on_loss: Some(Arc::new(move |loss| reported.lock().expect("nobody panicked").push(loss.clone()))),
        ..ReaderOptions::default()
    };
    let reader = match Reader::open(Arc::new(directory.clone()), options) {
        Ok(reader) => reader,
        Err(error) => return assert_report(&error),
    };
    let mut cursor = match reader.cursor(&Filter::default()) {
        Ok(cursor) => cursor,
        Err(error) => return assert_report(&error),
    };
    let mut by_id: BTreeMap<u64, Row> = BTreeMap::new();
    let mut last = 0;
    loop {
        match cursor.next() {
            Ok(Some(record)) => {
                assert!(record.id > last, "ids grow");
                last = record.id;
                by_id.insert(record.id, Row::from(&record));
            }
            Ok(None) => break,
            Err(error) => return assert_report(&error),
        }
    }
    for record in records {
        assert_eq!(by_id.get(&record.id), Some(*record), "salvage shows what others do");
    }
    let lost = losses.lock().expect("nobody panicked").len();
    if matches!(cursor.tail().state, TailState::Torn) {
        assert!(lost > 0, "what is torn is reported");
    }
}
