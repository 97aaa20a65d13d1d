//! Files that older libraries wrote are read as they are: records, types, times, metadata, order, torn ends, bad input.

#![cfg(feature = "gzip")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use binlog::io::{Directory, MemoryDirectory};
use binlog::{event, Filter, Kind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};
use common::counting::CountingDirectory;
use common::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/legacy").join(name)
}

/// Every sample that has a description beside it.
fn samples() -> Vec<PathBuf> {
    let folders = ["java", "maplogger", "shoebox"].map(data);
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| described(path).exists()).collect();
    files.sort();
    assert_eq!(files.len(), 14);
    files
}

fn described(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn open(path: impl Into<binlog::Location>) -> Reader {
    Reader::open(path, ReaderOptions::default()).unwrap()
}

fn all(events: bool) -> Filter {
    Filter { events, ..Filter::default() }
}

/// Type names of the records, where they have one.
fn named_rows(reader: &Reader) -> Vec<(Row, Option<String>)> {
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut rows = vec![];
    while let Some(row) = cursor.next().unwrap().map(|record| Row::from(&record)) {
        let name = cursor.type_name(row.type_id).map(str::to_owned);
        rows.push((row, name));
    }
    rows
}

fn pairs_of(value: &Value) -> Vec<(String, String)> {
    let pairs = value.as_object().into_iter().flatten();
    let mut pairs: Vec<_> = pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
    pairs.sort();
    pairs
}

#[test]
fn every_sample_holds_what_its_own_library_wrote() {
    for path in samples() {
        let described: Value = serde_json::from_str(&fs::read_to_string(described(&path)).unwrap()).unwrap();
        let reader = open(&path);
        let rows = named_rows(&reader);
        let (records, events): (Vec<&Value>, Vec<&Value>) =
            described["records"].as_array().unwrap().iter().partition(|record| record["event"].is_null());
        let shown = read(&reader, &all(true), Way::Next).whole();
        let mut shown = shown.iter().filter(|row| row.is_event() && row.type_id != event::TYPE);
        for expected in events {
            let seen = shown.next().unwrap();
            assert_eq!((seen.type_id, expected["event"].as_u64()), (event::HEARTBEAT, Some(3)));
            assert_eq!(seen.fact("info"), expected["info"].as_str());
            assert_eq!(Some(seen.time / 1_000_000), expected["time_ms"].as_i64());
        }
        assert_eq!(shown.next(), None);
        assert_eq!(rows.len(), records.len(), "{}", path.display());
        for (i, ((row, name), record)) in rows.iter().zip(records).enumerate() {
            let place = format!("{}: record {}", path.display(), i + 1);
            assert_eq!(row.id, i as u64 + 1, "{place}");
            assert_eq!(Some(row.payload.len() as u64), record["length"].as_u64(), "{place}");
            let sum: String = Sha256::digest(&row.payload).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Some(&*sum), record["sha256"].as_str(), "{place}");
            match record["type"].as_str() {
                Some(class) => assert_eq!(name.as_deref(), Some(class), "{place}"),
                None => assert_eq!(u64::from(row.type_id), record["type"].as_u64().unwrap_or(0), "{place}"),
            }
            assert_eq!(row.time, record["time_ms"].as_i64().unwrap_or(0) * 1_000_000, "{place}");
            let pairs = if record["metadata"].is_null() { &record["parameters"] } else { &record["metadata"] };
            let mut seen = row.metadata.clone();
            seen.sort();
            assert_eq!(seen, pairs_of(pairs), "{place}");
        }
        let facts = &reader.segments()[0];
        let parameters = &described["header"]["parameters"];
        for (key, value) in pairs_of(parameters) {
            assert_eq!(facts.parameters.get(&key), Some(&value), "{}", path.display());
        }
        if let Some(content_type) = described["header"]["content_type"].as_str() {
            assert_eq!(facts.content_type, content_type);
        }
    }
}

#[test]
fn every_cursor_shows_an_older_librarys_file_as_it_shows_a_segment() {
    for path in samples() {
        let reader = open(&path);
        let rows = rows_of(&reader);
        assert_every_way(&reader, &Filter::default(), &rows);
        let newest = read(&reader, &Filter { newest_first: true, ..Filter::default() }, Way::Next).whole();
        let reversed: Vec<Row> = rows.iter().rev().cloned().collect();
        assert_rows(&newest, &reversed, &path.display().to_string());
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        for row in [&rows[rows.len() / 2], &rows[0], &rows[rows.len() - 1]] {
            assert_eq!(Row::from(&cursor.get(row.id).unwrap().unwrap()), *row);
        }
        let last = Filter { last: Some(3), ..Filter::default() };
        assert_every_way(&reader, &last, &rows[rows.len() - 3..]);
        if let Some((key, value)) = rows.iter().find_map(|row| row.metadata.first()) {
            let filter = Filter { metadata: vec![(key.clone(), value.clone())], ..Filter::default() };
            let some: Vec<Row> =
                rows.iter().filter(|row| row.metadata.contains(&(key.clone(), value.clone()))).cloned().collect();
            assert_every_way(&reader, &filter, &some);
        }
    }
}

#[test]
fn a_class_of_the_python_logger_is_found_by_its_name() {
    let reader = open(data("maplogger/closed.log"));
    let rows = named_rows(&reader);
    let notes: Vec<Row> =
        rows.iter().filter(|(_, name)| name.as_deref() == Some("Note")).map(|(row, _)| row.clone()).collect();
    assert!(notes.len() > 1);
    assert_every_way(&reader, &Filter { type_names: vec!["Note".to_owned()], ..Filter::default() }, &notes);
}

#[test]
fn torn_ends_are_reported_with_file_offset_and_reason() {
    for (name, offset, unread) in [
        ("java/torn.binlog", 73_093, 2_695),
        ("java/torn-length.binlog", 75_053, 3),
        ("maplogger/torn.log", 78_370, 2_379),
    ] {
        let reader = open(data(name));
        let seen = read(&reader, &Filter::default(), Way::Next);
        let tail = seen.tail();
        assert_eq!((tail.state, tail.offset, tail.unread_bytes), (TailState::Torn, offset, unread), "{name}");
        assert!(tail.path.ends_with(name) && tail.reason.contains("within a record"), "{name}: {}", tail.reason);
        let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
        let strict = Reader::open(data(name), strict).unwrap();
        let mut cursor = strict.cursor(&Filter::default()).unwrap();
        let error = loop {
            match cursor.next() {
                Ok(record) => assert!(record.is_some(), "{name}: a torn end is an error for the strict"),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(offset)), "{error}");
    }
    for (name, state) in [
        ("maplogger/closed.log", TailState::Closed),
        ("maplogger/reopened.log", TailState::Closed),
        ("maplogger/not-closed.log", TailState::Unclosed),
        ("shoebox/test_2014_02_01_10_11_12.events", TailState::Closed),
        ("java/rolled", TailState::Closed),
    ] {
        assert_eq!(read(&open(data(name)), &Filter::default(), Way::Next).tail().state, state, "{name}");
    }
}

fn notifications() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/notifications-50.jsonl");
    fs::read(path).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_directory_that_the_java_binlog_rolled_is_one_log() {
    let reader = open(data("java/rolled"));
    let rows = rows_of(&reader);
    let lines = notifications();
    assert_eq!(rows.len(), 50);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((row.id, row.type_id, &row.payload), (i as u64 + 1, i as u32 % 3, &lines[i]));
    }
    let segments = reader.segments();
    assert_eq!(
        segments.iter().map(|segment| (segment.sequence, segment.first_id)).collect::<Vec<_>>(),
        [(1, 1), (2, 26)]
    );
    let events = read(&reader, &all(true), Way::Next).whole();
    let events: Vec<_> =
        events.iter().filter(|row| row.is_event()).map(|row| (row.id, row.type_id, row.fact("file"))).collect();
    use event::*;
    let (old, new) = (Some("default.20261121-0239.binlog"), Some("default.20261121-0240.binlog"));
    let first = [OPENED, STARTED, CLOSED, STARTED].map(|event| (1, event, None));
    let roll = [(26, ROTATE_NEXT, new), (26, CLOSED, None), (26, OPENED, None), (26, ROTATE_PREV, old)];
    let last = [STOPPED, CLOSED].map(|event| (51, event, None));
    assert_eq!(events, [&first[..], &roll, &last].concat());
    assert_every_way(&reader, &Filter { from_id: Some(24), to_id: Some(27), ..Filter::default() }, &rows[23..27]);
    assert_every_way(&reader, &Filter { last: Some(2), ..Filter::default() }, &rows[48..]);
    assert_rows(&rows_of(&open(data("java/rolled/*.binlog"))), &rows, "by a pattern");
}

#[test]
fn archives_of_shoebox_are_read_over_many_files() {
    let reader = open(data("shoebox/test_*.events"));
    let mut expected = rows_of(&open(data("shoebox/test_2014_02_01_10_11_12.events")));
    let behind = expected.len() as u64;
    let more = rows_of(&open(data("shoebox/test_2014_02_01_10_12_40.events")));
    expected.extend(more.into_iter().map(|row| Row { id: row.id + behind, ..row }));
    assert_rows(&rows_of(&reader), &expected, "both files");
}

/// A file of the Java binlog, built by hand.
struct Java(Vec<u8>);

impl Java {
    fn new(created_ms: u64, width: u8) -> Self {
        let mut header = vec![0x09];
        header.extend_from_slice(&created_ms.to_le_bytes());
        header.extend_from_slice(b"\x12\x01n\x1a\x03t/p\x28");
        header.push(width);
        let mut file = b"MFIZZ.COM-BINLOG\x10\x01".to_vec();
        file.extend_from_slice(&(header.len() as u32).to_be_bytes());
        file.extend_from_slice(&header);
        Java(file)
    }

    fn put(&mut self, width: usize, header: &[u8], payload: &[u8]) {
        let len = (width + header.len() + payload.len()) as u32;
        self.0.extend_from_slice(&len.to_be_bytes()[4 - width..]);
        self.0.extend_from_slice(&(header.len() as u32).to_be_bytes()[4 - width..]);
        self.0.extend_from_slice(header);
        self.0.extend_from_slice(payload);
    }
}

fn payloads(directory: &MemoryDirectory) -> Vec<String> {
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    rows_of(&reader).into_iter().map(|row| String::from_utf8(row.payload).unwrap()).collect()
}

/// The Java binlog's documented trap: after its period was made coarser, names sort against the order of writing.
#[test]
fn files_of_the_java_binlog_come_in_the_order_of_writing_though_their_names_do_not() {
    let directory = MemoryDirectory::new();
    for (name, created, payload) in
        [("default.20110601-0007.binlog", 1_000, "first"), ("default.20110601-0005.binlog", 2_000, "second")]
    {
        let mut file = Java::new(created, 2);
        file.put(2, b"", payload.as_bytes());
        directory.set_contents(name, file.0);
    }
    assert_eq!(payloads(&directory), ["first", "second"]);
}

#[test]
fn a_torn_file_among_others_is_reported_by_an_event_and_reading_continues() {
    let directory = MemoryDirectory::new();
    for (name, created) in [("default.20110601-0001.binlog", 1), ("default.20110601-0002.binlog", 2)] {
        let mut file = Java::new(created, 4);
        file.put(4, b"", name.as_bytes());
        file.put(4, b"", b"cut short");
        file.0.truncate(file.0.len() - 3);
        directory.set_contents(name, file.0);
    }
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let seen = read(&reader, &all(true), Way::Next);
    assert_eq!(seen.tail().state, TailState::Torn);
    let ids: Vec<_> = seen.rows.iter().map(|row| (row.id, row.type_id)).collect();
    assert_eq!(ids, [(1, 0), (2, event::RECOVERED), (2, 0)]);
    assert!(seen.rows[1].fact("reason").unwrap().contains("within a record"));
}

/// The result of reading the bytes as a file of this name: the records, and how it ended.
fn outcome(name: &str, bytes: &[u8]) -> (Vec<Row>, Result<TailState, binlog::Error>) {
    let directory = MemoryDirectory::new();
    directory.set_contents(name, bytes.to_vec());
    let reader = match Reader::open(Arc::new(directory), ReaderOptions::default()) {
        Ok(reader) => reader,
        Err(error) => return (vec![], Err(error)),
    };
    let mut cursor = match reader.cursor(&Filter::default()) {
        Ok(cursor) => cursor,
        Err(error) => return (vec![], Err(error)),
    };
    let mut rows = vec![];
    loop {
        match cursor.next() {
            Ok(Some(record)) => rows.push(Row::from(&record)),
            Ok(None) => return (rows, Ok(cursor.tail().state)),
            Err(error) => return (rows, Err(error)),
        }
    }
}

#[test]
fn every_truncation_shows_the_records_before_it_and_nothing_else() {
    let small = |name: &str| fs::read(data(name)).unwrap();
    let cases = [
        ("a.binlog", small("java/small.binlog")[..2_500].to_vec()),
        ("a.log", small("maplogger/closed.log")[..6_000].to_vec()),
        ("a.log", small("maplogger/closed.log")),
        ("a.events", small("shoebox/torn.events")[..6_000].to_vec()),
        ("a.json.gz", small("shoebox/notifications_20140201_a189f71eaa9853083691fe2312d1c8ab2f0eeac1018030f71730a9b315626191.json.gz")),
    ];
    for (name, bytes) in cases {
        let (whole, _) = outcome(name, &bytes);
        assert!(!whole.is_empty());
        let step = if bytes.len() > 8_000 { 97 } else { 1 };
        for len in (0..bytes.len()).step_by(step) {
            let (rows, end) = outcome(name, &bytes[..len]);
            assert!(rows.len() <= whole.len());
            let compressed = name.ends_with(".gz");
            for (row, expected) in rows.iter().zip(&whole) {
                assert!(
                    row == expected || (compressed && row.id == rows.len() as u64),
                    "{name} of {len} bytes: {}",
                    brief(row)
                );
            }
            match end {
                Ok(state) => assert!(
                    matches!(state, TailState::Torn | TailState::Unclosed | TailState::Closed),
                    "{name} of {len} bytes"
                ),
                Err(error) => {
                    assert!(matches!(error.kind(), Kind::Corrupt | Kind::NotFound), "{name} of {len} bytes: {error}")
                }
            }
        }
    }
}

/// Each file is read up to the damage, which is then reported with its place.
#[test]
fn bad_input_is_an_error_that_says_what_is_wrong_after_the_records_before_it() {
    let good = |width: u8| {
        let mut file = Java::new(5, width);
        file.put(usize::from(width), b"\x18\x07", b"good");
        file
    };
    let java = |tail: &[u8]| {
        let mut file = good(4);
        file.0.extend_from_slice(tail);
        file.0
    };
    let shoebox = |metadata: &[u8], raw: &[u8]| {
        let mut file = vec![];
        let record = |file: &mut Vec<u8>, metadata: &[u8], raw: &[u8]| {
            file.extend_from_slice(&0x6986_7884u32.to_le_bytes());
            file.extend_from_slice(&1u16.to_le_bytes());
            file.extend_from_slice(&(metadata.len() as u32).to_le_bytes());
            file.extend_from_slice(&(raw.len() as u32).to_le_bytes());
            file.extend_from_slice(&0u32.to_le_bytes());
            file.extend_from_slice(metadata);
            file.extend_from_slice(raw);
        };
        record(&mut file, &[0; 4], b"\x04\0\0\0good");
        record(&mut file, metadata, raw);
        file
    };
    let python = |tail: &[u8]| {
        let mut file = b"MapLogger_v1.0".to_vec();
        for part in [&b"\0\0\0\0\0\0\0\x01C\0\0\0\0\0\0\0\x04good"[..], tail] {
            file.extend_from_slice(part);
        }
        file
    };
    let mut pairs = 4_000_000u32.to_le_bytes().to_vec();
    pairs.extend(vec![0; 8_000_000]);
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        (
            "a header longer than its record",
            "a.binlog",
            java(&[0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0]),
            "a record of 8 bytes with a header of 9",
        ),
        ("a record shorter than its length field", "a.binlog", java(&[0, 0, 0, 3, 0, 0, 0, 0]), "a record of 3 bytes"),
        ("a length of 4 GiB", "a.binlog", java(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), "a record of 4294967295 bytes"),
        (
            "protobuf garbage",
            "a.binlog",
            java(&[0, 0, 0, 8, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]),
            "no protobuf message",
        ),
        ("a class name of a billion letters", "a.log", python(&[0, 0, 0, 0, 0x40, 0, 0, 0]), "1073741824 characters"),
        ("a class without a name", "a.log", python(&[0; 16]), "0 characters"),
        (
            "a payload of 2^63 bytes",
            "a.log",
            python(b"\0\0\0\0\0\0\0\x01C\x80\0\0\0\0\0\0\0"),
            "longer than the longest",
        ),
        ("a name that is no text", "a.log", python(b"\0\0\0\0\0\0\0\x01\x80\x80\0\0\0\0\0\0\0\0"), "not UTF-8"),
        (
            "a tag that is none",
            "a.events",
            {
                let mut file = shoebox(&[0; 4], b"\0\0\0\0");
                let at = file.len() - 26;
                file[at] ^= 1;
                file
            },
            "the tag is missing",
        ),
        (
            "a version of the future",
            "a.events",
            {
                let mut file = shoebox(&[0; 4], b"\0\0\0\0");
                let at = file.len() - 22;
                file[at] = 2;
                file
            },
            "version 2",
        ),
        (
            "a negative length",
            "a.events",
            {
                let mut file = shoebox(&[0; 4], b"\0\0\0\0");
                let at = file.len() - 17;
                file[at] = 0xff;
                file
            },
            "declares lengths",
        ),
        ("a million pairs", "a.events", shoebox(&pairs, b"\0\0\0\0"), "more than 65535 pairs"),
        (
            "lengths of pairs that lie",
            "a.events",
            shoebox(b"\x04\0\0\0\xff\xff\xff\x7f\x01\0\0\0", b"\0\0\0\0"),
            "longer than its length",
        ),
        ("a negative number of pairs", "a.events", shoebox(b"\xfc\xff\xff\xff", b"\0\0\0\0"), "quarter pairs"),
        ("two lengths that differ", "a.events", shoebox(&[0; 4], b"\x05\0\0\0data"), "lengths of the payload differ"),
    ];
    for (what, name, bytes, reason) in cases {
        let (rows, end) = outcome(name, &bytes);
        assert_eq!(rows.iter().map(|row| &*row.payload).collect::<Vec<_>>(), [b"good"], "{what}: {end:?}");
        let error = end.expect_err(what);
        assert_eq!(error.kind(), Kind::Corrupt, "{what}: {error}");
        assert!(error.to_string().contains(reason), "{what}: {error}");
        assert!(error.offset().is_some_and(|at| at > 0 && at < bytes.len() as u64), "{what}: {error}");
        assert!(error.path().is_some_and(|path| path.ends_with(name)), "{what}: {error}");
    }
    for (what, change, reason) in [
        ("another version", (16, 0x20), "version 2.0"),
        ("another transcoder", (17, 2), "transcoder 2"),
        ("a header of 2 GiB", (18, 0x7f), "header of"),
        ("a width of 3", (good(2).0.len() - 1, 3), "lengths of 3 bytes"),
    ] {
        let mut bytes = Java::new(5, 2).0;
        let at = change.0.min(bytes.len() - 1);
        bytes[at] = change.1;
        let (rows, end) = outcome("a.binlog", &bytes);
        let error = end.expect_err(what);
        assert!(
            rows.is_empty() && error.kind() == Kind::Corrupt && error.to_string().contains(reason),
            "{what}: {error}"
        );
    }
}

#[test]
fn what_is_salvaged_ends_where_an_older_librarys_records_do() {
    let mut bytes = b"MapLogger_v1.0".to_vec();
    bytes.extend_from_slice(b"\0\0\0\0\0\0\0\x01C\0\0\0\0\0\0\0\x04good");
    let end = bytes.len() as u64;
    bytes.extend_from_slice(&[0xff; 100]);
    let directory = MemoryDirectory::new();
    directory.set_contents("a.log", bytes);
    let losses: Arc<std::sync::Mutex<Vec<(u64, u64)>>> = Arc::default();
    let reported = losses.clone();
    let on_loss: binlog::OnLoss =
        Arc::new(move |loss: &binlog::Loss| reported.lock().unwrap().push((loss.offset, loss.bytes)));
    let options = ReaderOptions { mode: ReaderMode::Salvage, on_loss: Some(on_loss), ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory), options).unwrap();
    assert_eq!(rows_of(&reader).len(), 1);
    assert_eq!(*losses.lock().unwrap(), [(end, 100)]);
}

#[test]
fn types_that_are_not_the_users_own_here_get_names() {
    let mut file = Java::new(5, 2);
    // Type -1, type 2^30, an event that only a later version knew.
    file.put(2, b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"");
    file.put(2, b"\x18\x80\x80\x80\x80\x04", b"");
    file.put(2, b"\x28\x63\x32\x03new", b"");
    let directory = MemoryDirectory::new();
    directory.set_contents("a.binlog", file.0);
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let names: Vec<_> = named_rows(&reader).into_iter().map(|(_, name)| name.unwrap()).collect();
    assert_eq!(names, ["type -1", "type 1073741824", "event 99 new"]);
}

/// Its writer counts the letters of a class name where it should count bytes, so that its own reader loses such a file.
#[test]
fn a_class_name_with_letters_of_several_bytes_is_read_as_it_was_meant() {
    let mut file = b"MapLogger_v1.0".to_vec();
    for (class, payload) in [("Größe", "1"), ("日誌", "2"), ("Größe", "3"), ("🗝", "4")] {
        file.extend_from_slice(&(class.chars().count() as u64).to_be_bytes());
        file.extend_from_slice(class.as_bytes());
        file.extend_from_slice(&1u64.to_be_bytes());
        file.extend_from_slice(payload.as_bytes());
    }
    let directory = MemoryDirectory::new();
    directory.set_contents("a.log", file);
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let rows = named_rows(&reader);
    let seen: Vec<_> = rows.iter().map(|(row, name)| (name.as_deref().unwrap(), &*row.payload)).collect();
    assert_eq!(seen, [("Größe", &b"1"[..]), ("日誌", b"2"), ("Größe", b"3"), ("🗝", b"4")]);
}

#[test]
fn a_record_larger_than_many_blocks_is_read_whole() {
    let mut file = Java::new(5, 4);
    let large = noise(5_000_000, 7);
    for payload in [&b"small"[..], &large, b"small again"] {
        file.put(4, b"", payload);
    }
    let (rows, _) = outcome("a.binlog", &file.0);
    assert_eq!(rows.iter().map(|row| row.payload.len()).collect::<Vec<_>>(), [5, 5_000_000, 11]);
    assert!(rows[1].payload == large);
}

/// A legacy file is shown as blocks of 128 KiB, counted from its first record. For each form: what precedes a payload
/// of this many bytes in a record, and what precedes the records.
fn long_records(payload: usize) -> [(&'static str, Vec<u8>, Vec<u8>); 3] {
    let java_header: &[u8] = &[3 << 3, 9];
    let mut java = ((4 + java_header.len() + payload) as u32).to_be_bytes().to_vec();
    java.extend_from_slice(&(java_header.len() as u32).to_be_bytes());
    java.extend_from_slice(java_header);
    let java_start = [b"MFIZZ.COM-BINLOG".as_slice(), &[0x10, 1], &2u32.to_be_bytes(), &[5 << 3, 4]].concat();
    let python = [&4u64.to_be_bytes()[..], b"Long", &(payload as u64).to_be_bytes()].concat();
    let mut shoebox = 0x6986_7884u32.to_le_bytes().to_vec();
    shoebox.extend_from_slice(&1u16.to_le_bytes());
    for number in [4, payload as u32 + 4, 0, 0, payload as u32] {
        shoebox.extend_from_slice(&number.to_le_bytes());
    }
    [("old.binlog", java_start, java), ("old.log", b"MapLogger_v1.0".to_vec(), python), ("old.events", vec![], shoebox)]
}

#[test]
fn heads_of_long_records_are_read_without_their_payloads() {
    const PAYLOAD: usize = 3 << 20;
    const RECORDS: usize = 5;
    for (name, start, head) in long_records(PAYLOAD) {
        let mut bytes = start;
        for record in 0..RECORDS {
            bytes.extend_from_slice(&head);
            bytes.extend(std::iter::repeat_n(record as u8, PAYLOAD));
        }
        let memory = MemoryDirectory::new();
        memory.set_contents(name, bytes.clone());
        let directory = CountingDirectory::new(&memory);
        let open = || Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        let few = |what: &str| {
            let read = directory.bytes_read();
            assert!(read < (2 * RECORDS as u64 + 4) * (128 << 10), "{name}: {what} reads {read} bytes");
        };
        let whole = rows_of(&open());
        assert_eq!(whole.len(), RECORDS);
        for (at, row) in whole.iter().enumerate() {
            assert!(row.payload.len() == PAYLOAD && row.payload.iter().all(|&byte| byte == at as u8), "{name}");
        }
        // Each byte once, except for blocks that were read before it was clear that the record is long.
        let read = directory.bytes_read();
        assert!(read < bytes.len() as u64 * 11 / 10, "{name}: {read}");
        let heads = Filter { headers_only: true, ..Filter::default() };
        let mut cursor = open().cursor(&heads).unwrap();
        let mut lens = vec![];
        while let Some(record) = cursor.next().unwrap() {
            lens.push((record.id, record.payload_len as usize));
        }
        assert_eq!(lens, (1..=RECORDS as u64).map(|id| (id, PAYLOAD)).collect::<Vec<_>>(), "{name}");
        assert!(matches!(cursor.tail().state, TailState::Unclosed | TailState::Closed), "{name}");
        few("headers only");
        let none = Filter { types: vec![7], ..Filter::default() };
        assert!(open().cursor(&none).unwrap().next().unwrap().is_none());
        few("another type");
        let contents = open().contents(&mut |_, _| ()).unwrap();
        assert_eq!((contents.records, contents.payload_bytes), (RECORDS as u64, (RECORDS * PAYLOAD) as u64), "{name}");
        few("counting");
        let third = Filter { from_id: Some(3), to_id: Some(3), ..Filter::default() };
        assert!(open().cursor(&third).unwrap().next().unwrap().unwrap().payload.iter().all(|&byte| byte == 2));
        assert!(directory.bytes_read() < 2 * PAYLOAD as u64, "{name}: one record is asked for");
        // A cut within a payload is found without reading it.
        for cut in [1, PAYLOAD / 2, PAYLOAD - 1] {
            memory.set_contents(name, bytes[..bytes.len() - cut].to_vec());
            let mut cursor = open().cursor(&heads).unwrap();
            let mut records = 0;
            while cursor.next().unwrap().is_some() {
                records += 1;
            }
            assert_eq!((records, cursor.tail().state), (RECORDS - 1, TailState::Torn), "{name}");
            few("a torn end");
            assert_eq!(rows_of(&open()).len(), RECORDS - 1);
            directory.bytes_read();
        }
    }
}

#[test]
fn a_record_that_ends_where_a_block_does_is_shown_once_and_in_its_place() {
    const BLOCK: usize = 128 << 10;
    // Every third record has metadata.
    let header_of = |i: usize| if i.is_multiple_of(3) { &b"\x22\x06\x0a\x01k\x12\x01v"[..] } else { b"\x18\x07" };
    let frame_of = |i: usize| 8 + header_of(i).len();
    for end in [BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 8, 2 * BLOCK] {
        let bytes = noise(end, end as u64);
        let few = [1000, end - 1000 - frame_of(0) - frame_of(1)];
        let many = vec![3; end / 15];
        for lens in [&few[..], &[end - frame_of(0)], &many] {
            let mut file = Java::new(5, 4);
            let mut expected = vec![];
            for (i, len) in lens.iter().copied().chain([0, 7, 2 * BLOCK, 1, BLOCK, 700]).enumerate() {
                let payload = &bytes[..len.min(end)];
                file.put(4, header_of(i), payload);
                let metadata = i.is_multiple_of(3).then(|| ("k".to_owned(), "v".to_owned()));
                expected.push((i as u64 + 1, metadata.into_iter().collect::<Vec<_>>(), payload.to_vec()));
            }
            let what = format!("{} records up to {end}", lens.len());
            let directory = MemoryDirectory::new();
            directory.set_contents("a.binlog", file.0.clone());
            let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
            let rows = rows_of(&reader);
            assert_eq!(rows.len(), expected.len(), "{what}");
            for (row, (id, metadata, payload)) in rows.iter().zip(&expected) {
                assert!(
                    row.id == *id && row.metadata == *metadata && row.payload == *payload,
                    "{what}: {}",
                    brief(row)
                );
            }
            assert_every_way(&reader, &Filter::default(), &rows);
            let newest = read(&reader, &Filter { newest_first: true, ..Filter::default() }, Way::Next).whole();
            let reversed: Vec<Row> = rows.iter().rev().cloned().collect();
            assert_rows(&newest, &reversed, &what);
            let some = Filter { metadata: vec![("k".to_owned(), "v".to_owned())], ..Filter::default() };
            let with: Vec<Row> = rows.iter().filter(|row| !row.metadata.is_empty()).cloned().collect();
            assert_every_way(&reader, &some, &with);
            // A file that ends there, and one that lacks a byte.
            let records: usize = lens.iter().enumerate().map(|(i, len)| frame_of(i) + len).sum();
            let cut = Java::new(5, 4).0.len() + records;
            let (whole, state) = outcome("a.binlog", &file.0[..cut]);
            assert!(whole[..] == rows[..lens.len()] && matches!(state, Ok(TailState::Unclosed)), "{what}: {state:?}");
            let (whole, state) = outcome("a.binlog", &file.0[..cut - 1]);
            assert!(whole[..] == rows[..lens.len() - 1] && matches!(state, Ok(TailState::Torn)), "{what}: {state:?}");
        }
    }
}

#[test]
fn a_writer_leaves_an_older_librarys_file_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("small.binlog");
    fs::copy(data("java/small.binlog"), &path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Writer::open_file(&path, WriterOptions::default()).map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_torn_end_that_others_follow_is_passed_over_and_reported_once() {
    let directory = MemoryDirectory::new();
    let torn = fs::read(data("java/torn.binlog")).unwrap();
    for name in ["a.20140101-0001.binlog", "a.20140101-0002.binlog", "b.binlog"] {
        directory.set_contents(name, torn.clone());
    }
    let alone = rows_of(&open(data("java/torn.binlog"))).len();
    let heard = Arc::new(std::sync::Mutex::new(vec![]));
    let reported = heard.clone();
    let on_loss: binlog::OnLoss = Arc::new(move |loss| reported.lock().unwrap().push(loss.clone()));
    let options = ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let seen = read(&reader, &Filter::default(), Way::Next);
    assert_eq!((seen.tail().state, seen.rows.len()), (TailState::Torn, 3 * alone));
    let places: Vec<_> =
        heard.lock().unwrap().iter().map(|loss| (loss.path.clone(), loss.offset, loss.bytes, loss.ids)).collect();
    let place = |name: &str| (directory.path().join(name), 73_093, 2_695, None);
    assert_eq!(places, ["a.20140101-0001.binlog", "a.20140101-0002.binlog"].map(place));
    // Without a callback for losses, reading ends with an error after the first log; a strict reader's after the first
    // file.
    let error = read(&history::open(&directory), &Filter::default(), Way::Next);
    assert_eq!((error.rows.len(), error.end.unwrap_err().kind()), (2 * alone, Kind::Corrupt));
    let error = read(&history::open_mode(&directory, ReaderMode::Strict), &Filter::default(), Way::Next);
    assert_eq!((error.rows.len(), error.end.unwrap_err().kind()), (alone, Kind::Corrupt));
}
