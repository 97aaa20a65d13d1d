//! Files written once and read for ever: every file under `tests/golden` says what the JSON beside it says.
//!
//! `cargo test --test golden -- --ignored write_golden` writes them anew; `tests/golden/README.md` says when.

#![cfg(all(feature = "lz4", feature = "zstd", feature = "gzip"))]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::{
    event, Codec, Cursor, Error, Filter, NewRecord, Reader, ReaderOptions, Tail, Writer, WriterOptions,
    FIRST_NAMED_TYPE,
};
use common::*;
use serde_json::{json, Value};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Payloads up to this length stand in the JSON in hex, longer ones as their CRC-32.
const HEX: usize = 64;

fn describe(row: &Row, cursor: &Cursor) -> Value {
    let mut out = json!({
        "id": row.id,
        "time": row.time,
        "type": row.type_id,
        "metadata": row.metadata,
        "length": row.payload_len,
    });
    if row.payload.len() <= HEX {
        out["hex"] = row.payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    } else {
        out["crc32"] = crc32fast::hash(&row.payload).into();
    }
    if let Some(name) = cursor.type_name(row.type_id) {
        out["type_name"] = name.into();
    }
    out
}

fn describe_end(end: &Result<Tail, Error>) -> Value {
    match end {
        Ok(tail) => json!({
            "state": format!("{:?}", tail.state).to_lowercase(),
            "next_id": tail.next_id,
            "offset": tail.offset,
            "unread_bytes": tail.unread_bytes,
        }),
        Err(e) => json!({ "error": format!("{:?}", e.kind()).to_lowercase(), "offset": e.offset() }),
    }
}

/// All that a golden file tells; the events apart from the records.
fn describe_log(path: &Path) -> Value {
    let reader = match Reader::open(path, ReaderOptions::default()) {
        Ok(reader) => reader,
        Err(e) => return json!({ "records": [], "events": [], "segments": [], "end": describe_end(&Err(e)) }),
    };
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
    let (mut records, mut events) = (vec![], vec![]);
    let end = loop {
        // One at a time, so that the names are those that the log has told by then.
        let row = match cursor.next() {
            Ok(Some(record)) => Row::from(&record),
            Ok(None) => break Ok(cursor.tail()),
            Err(e) => break Err(e),
        };
        match event::name(row.type_id).filter(|_| row.is_event()) {
            Some(name) => events.push(json!({
                "before_id": row.id, "event": name, "time": row.time, "metadata": row.metadata,
            })),
            None => records.push(describe(&row, &cursor)),
        }
    };
    let segments: Vec<Value> = reader
        .segments()
        .iter()
        .map(|segment| {
            json!({
                "name": segment.name, "content_type": segment.content_type, "parameters": segment.parameters,
                "sequence": segment.sequence, "first_id": segment.first_id,
            })
        })
        .collect();
    json!({ "records": records, "events": events, "segments": segments, "end": describe_end(&end) })
}

/// A golden file's JSON stands beside it, under its name with `.json` added.
fn json_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn goldens() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|end| end != "json" && end != "md"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_golden_file_is_read_as_its_json_says() {
    let goldens = goldens();
    assert!(goldens.len() >= 15, "{} golden files", goldens.len());
    for path in goldens {
        let expected = fs::read_to_string(json_of(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let seen = describe_log(&path);
        for part in ["segments", "events", "end"] {
            assert_eq!(seen[part], expected[part], "{}: {part}", path.display());
        }
        let (seen, expected) = (seen["records"].as_array().unwrap(), expected["records"].as_array().unwrap());
        for (seen, expected) in seen.iter().zip(expected) {
            assert_eq!(seen, expected, "{}", path.display());
        }
        assert_eq!(seen.len(), expected.len(), "{}: number of records", path.display());
    }
}

#[test]
fn the_same_records_are_the_same_in_every_form() {
    let records = |name: &str| describe_log(&golden().join(name))["records"].clone();
    let plain = records("plain.binlog");
    for name in ["lz4.binlog", "zstd.binlog", "plain.binlog.gz", "plain.binlog.zst", "minor_version.binlog"] {
        assert_eq!(records(name), plain, "{name}");
    }
    assert_eq!(records("many_lz4.binlog"), records("many_zstd.binlog"));
    // By hand, so that a writer and a reader that are wrong in the same way do not agree with each other here.
    let third = json!({
        "id": 3, "time": -1, "type": 1_073_741_823, "length": 4, "hex": "00ff800a",
        "metadata": [["", ""], ["", "twice"], ["ключ", "значение 🗝"]],
    });
    let seventh = json!({
        "id": 7, "time": 4, "type": 1_073_741_825, "type_name": "note", "length": 1000, "metadata": [],
        "crc32": crc32fast::hash("long ".repeat(200).as_bytes()),
    });
    assert_eq!((&plain[2], &plain[6]), (&third, &seventh));
    assert_eq!(plain[3]["time"], i64::MIN);
    assert_eq!(plain.as_array().unwrap().len(), 13);
}

#[test]
fn every_golden_file_is_the_same_by_every_way_of_reading() {
    for path in goldens() {
        let Ok(reader) = Reader::open(&path, ReaderOptions::default()) else { continue };
        for filter in [Filter::default(), Filter { headers_only: true, events: true, ..Filter::default() }] {
            let first = read(&reader, &filter, Way::Next);
            for way in WAYS {
                let seen = read(&reader, &filter, way);
                assert_rows(&seen.rows, &first.rows, &format!("{} {way:?}", path.display()));
                assert_eq!(describe_end(&seen.end), describe_end(&first.end), "{} {way:?}", path.display());
            }
        }
    }
}

fn options(codec: Codec) -> WriterOptions {
    WriterOptions {
        name: "gölden".into(),
        content_type: "text/plain".into(),
        parameters: [("host", "a"), ("schlüssel", "wért")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        codec,
        block_bytes: 4096,
        flush: binlog::Lag::default(),
        ..WriterOptions::default()
    }
}

fn put(writer: &Writer, type_id: u32, time: i64, pairs: &[(&str, &str)], payload: &[u8]) {
    let pairs = pairs.iter().copied().collect::<binlog::MetadataBuf>();
    let record = NewRecord { type_id, time: Some(time), metadata: pairs.as_metadata(), payload };
    writer.append_record(&record).unwrap();
}

/// A bit of everything that an entry can say.
fn put_some(writer: &Writer) {
    put(writer, 0, 0, &[], b"");
    put(writer, 1, 1_700_000_000_000_000_000, &[("key", "value")], b"hello");
    put(writer, FIRST_NAMED_TYPE - 1, -1, &[("", ""), ("", "twice"), ("ключ", "значение 🗝")], &[0, 0xff, 0x80, b'\n']);
    put(writer, 2, i64::MIN, &[], b"the earliest");
    put(writer, 2, i64::MAX, &[], b"the latest");
    writer.flush().unwrap();
    let job = writer.type_id("com.example.Jöb", "application/json").unwrap();
    put(writer, job, 5, &[("request_id", "req-1")], br#"{"a":1}"#);
    let note = writer.type_id("note", "").unwrap();
    put(writer, note, 4, &[], "long ".repeat(200).as_bytes());
    let batch =
        (0..5).map(|i| NewRecord { type_id: 3, time: Some(100 - i), payload: b"of a batch", ..NewRecord::default() });
    writer.append_batch(batch).unwrap();
    writer.sync().unwrap();
    writer
        .gather_record(&NewRecord { type_id: 4, time: Some(6), ..NewRecord::default() }, &[b"in ", b"", b"parts"])
        .unwrap();
}

fn segment(name: &str, codec: Codec, fill: impl Fn(&Writer)) -> PathBuf {
    let path = golden().join(name);
    let writer = Writer::open_file(&path, options(codec)).unwrap();
    fill(&writer);
    writer.close().unwrap();
    path
}

/// A copy of a segment with some bytes changed.
fn changed(from: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(from).unwrap();
    change(&mut bytes);
    fs::write(golden().join(name), bytes).unwrap();
}

/// Changes the format version in a segment's declaration, and the file header's checksum with it.
fn with_version(bytes: &mut [u8], version: u8) {
    bytes[6] = version;
    let end = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
}

#[test]
#[ignore = "writes the golden files anew"]
fn write_golden() {
    for path in goldens() {
        let _ = fs::remove_file(json_of(&path));
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.unwrap();
    }
    let plain = segment("plain.binlog", Codec::None, put_some);
    segment("lz4.binlog", Codec::Lz4, put_some);
    segment("zstd.binlog", Codec::Zstd, put_some);
    segment("no_records.binlog", Codec::None, |_| ());
    for (name, codec) in
        [("large_none.binlog", Codec::None), ("large_lz4.binlog", Codec::Lz4), ("large_zstd.binlog", Codec::Zstd)]
    {
        segment(name, codec, |writer| {
            put(writer, 1, 1, &[], b"before");
            put(writer, 1, 2, &[("pages", "3")], &payload(9001, 2));
            put(writer, 1, 3, &[], b"after");
        });
    }
    // So many in one block that the entries are compressed too.
    for (name, codec) in [("many_lz4.binlog", Codec::Lz4), ("many_zstd.binlog", Codec::Zstd)] {
        let path = golden().join(name);
        let writer = Writer::open_file(&path, WriterOptions { block_bytes: 1 << 20, ..options(codec) }).unwrap();
        for i in 0..220i64 {
            let key = format!("{:024}", i % 3);
            put(
                &writer,
                (i % 5) as u32,
                i * i * 1_000_000,
                &[("request_id", &key)],
                format!("{i} {}", i % 7).as_bytes(),
            );
        }
        writer.close().unwrap();
    }
    write_rolled();
    let reopened = segment("reopened.binlog", Codec::Zstd, put_some);
    let writer = Writer::open_file(&reopened, options(Codec::None)).unwrap();
    put(&writer, FIRST_NAMED_TYPE, 7, &[], b"behind the first trailer");
    writer.close().unwrap();

    let bytes = fs::read(&plain).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    gzip.write_all(&bytes).unwrap();
    fs::write(golden().join("plain.binlog.gz"), gzip.finish().unwrap()).unwrap();
    fs::write(golden().join("plain.binlog.zst"), zstd::encode_all(&bytes[..], 19).unwrap()).unwrap();

    // The trailer takes 104 bytes; before it stands the block with the last events.
    changed(&plain, "torn.binlog", |bytes| bytes.truncate(bytes.len() - 104 - 20));
    changed(&plain, "no_trailer.binlog", |bytes| bytes.truncate(bytes.len() - 104));
    changed(&plain, "zeros_behind.binlog", |bytes| bytes.resize(bytes.len() + 5000, 0));
    changed(&golden().join("large_none.binlog"), "corrupt_page.binlog", |bytes| {
        let at = bytes.windows(64).position(|window| window.iter().all(|&byte| byte == b'x')).unwrap();
        bytes[at] = b'X';
    });
    changed(&plain, "corrupt_header.binlog", |bytes| bytes[20] ^= 0x10);
    changed(&plain, "minor_version.binlog", |bytes| with_version(bytes, 0x2f));
    changed(&plain, "major_version.binlog", |bytes| with_version(bytes, 0x30));
    fs::write(golden().join("foreign.binlog"), "no log, but a text\n").unwrap();
    write_indexed();

    for path in goldens() {
        fs::write(json_of(&path), one_line_each(&describe_log(&path))).unwrap();
    }
}

/// A segment with several INDEX blocks, in which rare records are located and pairs are filtered; and what a recovery
/// made of it after a page was damaged.
fn write_indexed() {
    let path = golden().join("indexed.binlog");
    let small = WriterOptions { block_bytes: 4096, index_bytes: 4096, ..options(Codec::None) };
    let writer = Writer::open_file(&path, small).unwrap();
    let rare = writer.type_id("rare", "text/plain").unwrap();
    for i in 0..600u64 {
        let (type_id, pairs): (u32, &[(&str, &str)]) = match i % 100 {
            42 => (rare, &[]),
            7 => (3, &[("key", "value"), ("other", "thing")]),
            _ => (1, &[]),
        };
        put(&writer, type_id, i as i64 * 1000, pairs, format!("record number {}", i + 1).as_bytes());
        if i % 100 == 99 {
            writer.flush().unwrap();
        }
    }
    writer.close().unwrap();
    let damaged = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(17).position(|window| window == b"record number 300").unwrap();
    bytes[at] = b'R';
    fs::write(damaged.path().join("recovered.binlog"), bytes).unwrap();
    binlog::recover(damaged.path(), golden().join("recovered"), None).unwrap();
}

#[test]
#[ignore = "writes the golden files of the index anew, and no others"]
fn write_indexed_golden_files() {
    for (name, path) in [("indexed.binlog", golden().join("indexed.binlog")), ("recovered", golden().join("recovered"))]
    {
        let _ = fs::remove_file(json_of(&path));
        let _ = if name == "recovered" { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
    write_indexed();
    for path in [golden().join("indexed.binlog"), golden().join("recovered")] {
        fs::write(json_of(&path), one_line_each(&describe_log(&path))).unwrap();
    }
}

#[test]
fn the_index_of_an_old_file_leads_to_its_records() {
    for name in ["indexed.binlog", "recovered"] {
        let reader = Reader::open(golden().join(name), ReaderOptions::default()).unwrap();
        let facts = reader.index().unwrap();
        assert_eq!(facts[0].unindexed_bytes, 0);
        assert!(name == "recovered" || facts[0].blocks.len() > 2, "{facts:?}");
        let all = rows_of(&reader);
        let rare = FIRST_NAMED_TYPE;
        for (filter, wanted) in [
            (
                Filter { type_names: vec!["rare".into()], ..Filter::default() },
                Box::new(|row: &Row| row.type_id == rare) as Box<dyn Fn(&Row) -> bool>,
            ),
            (Filter { types: vec![3], ..Filter::default() }, Box::new(|row: &Row| row.type_id == 3)),
            (
                Filter { metadata: vec![("key".into(), "value".into())], ..Filter::default() },
                Box::new(|row: &Row| !row.metadata.is_empty()),
            ),
            (Filter { from_time: Some(500_000), ..Filter::default() }, Box::new(|row: &Row| row.time >= 500_000)),
        ] {
            let expected: Vec<Row> = all.iter().filter(|row| wanted(row)).cloned().collect();
            assert!(!expected.is_empty());
            assert_every_way(&reader, &filter, &expected);
        }
        let counted: u64 = reader.counts().unwrap().iter().map(|counted| counted.records).sum();
        assert_eq!(counted, all.len() as u64);
    }
}

/// The JSON with a line for each record and event.
fn one_line_each(log: &Value) -> String {
    let part = |(key, value): (&String, &Value)| match value {
        Value::Array(rows) => {
            let rows: Vec<String> = rows.iter().map(|row| format!("\n    {row}")).collect();
            format!("  \"{key}\": [{}]", rows.join(","))
        }
        other => format!("  \"{key}\": {other}"),
    };
    let parts: Vec<String> = log.as_object().unwrap().iter().map(part).collect();
    format!("{{\n{}\n}}\n", parts.join(",\n"))
}

fn write_rolled() {
    let path = golden().join("rolled");
    // The name begins the files' names: plain ASCII travels best.
    let writer = Writer::open(&path, WriterOptions { name: "rolled".into(), ..options(Codec::Lz4) }).unwrap();
    let named = writer.type_id("named", "").unwrap();
    for i in 0..9 {
        put(&writer, named, i, &[], format!("record {}", i + 1).as_bytes());
        if i % 3 == 2 && i < 8 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    fs::remove_file(path.join("rolled.lock")).unwrap();
}
