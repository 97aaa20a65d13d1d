//! Files written once and read for ever: every file under `tests/golden` has the contents of the JSON beside it.
//!
//! `cargo test --test format -- --ignored write_missing_golden` adds new ones, `write_golden` writes all of them anew;
//! `tests/golden/README.md` says when to use them.

#![cfg(all(feature = "lz4", feature = "zstd", feature = "gzip"))]

#[path = "../conformance/describe.rs"]
mod describe;
#[path = "../conformance/golden_files.rs"]
mod golden_files;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::*;
use binlog::{event, Filter, Reader, ReaderOptions, FIRST_NAMED_TYPE};
use describe::{describe_end, describe_log, describe_salvaged, one_line_each};
use serde_json::{json, Value};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A golden file's JSON is beside it, under its name with `.json` added.
fn json_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// The contents that salvage reads from the damaged ones.
fn salvaged() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/salvaged")
}

fn logs_in(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|end| end != "json" && end != "md"))
        .collect();
    found.sort();
    found
}

fn goldens() -> Vec<PathBuf> {
    logs_in(&golden())
}

/// The golden files of which a salvaging reader shows or reports more.
const SALVAGED: [&str; 11] = [
    "corrupt_header.binlog",
    "corrupt_page.binlog",
    "damaged",
    "first_removed",
    "flipped_version.binlog",
    "foreign.binlog",
    "major_version.binlog",
    "newer_block.binlog",
    "second_removed",
    "torn.binlog",
    "zeros_behind.binlog",
];

/// Names the first line that differs: whole files are too long to look through.
fn assert_text(seen: &str, expected: &str, context: &str) {
    for (number, (seen, expected)) in seen.lines().zip(expected.lines()).enumerate() {
        assert_eq!(seen, expected, "{context}, line {}", number + 1);
    }
    assert_eq!(seen.lines().count(), expected.lines().count(), "{context}: number of lines");
    assert!(seen == expected, "{context}: ends of lines");
}

#[test]
fn every_golden_file_is_read_as_its_json_says() {
    let goldens = goldens();
    assert!(goldens.len() >= 31, "{} golden files", goldens.len());
    for path in goldens {
        let expected = fs::read_to_string(json_of(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_text(&one_line_each(&describe_log(&path)), &expected, &path.display().to_string());
    }
}

#[test]
fn every_damaged_golden_file_is_salvaged_as_its_json_says() {
    for name in SALVAGED {
        let path = json_of(&salvaged().join(name));
        let expected = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_text(&one_line_each(&describe_salvaged(&golden().join(name))), &expected, name);
    }
}

/// Without a golden file, the readers of the other languages would never see what a new version adds.
#[test]
fn the_golden_files_hold_every_event_codec_and_end() {
    let (mut events, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for path in goldens() {
        let log = describe_log(&path);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        events.extend(log["events"].as_array().unwrap().iter().map(|event| word(&event["event"])));
        ends.insert(word(if log["end"]["error"].is_null() { &log["end"]["state"] } else { &log["end"]["error"] }));
    }
    let known = (1..1000).filter_map(|number| event::name(binlog::EVENT_BIT | number));
    assert_eq!(events, known.map(str::to_owned).collect());
    let expected = ["closed", "corrupt", "torn", "unclosed", "unsupported"];
    assert_eq!(ends, expected.map(str::to_owned).into());
}

#[test]
fn the_golden_types_have_their_schemas_in_each_segment_of_the_log() {
    let log = golden().join("schemas");
    let told = |reader: &Reader| -> Vec<String> {
        let one = |info: &binlog::TypeInfo| {
            let schema = info.schema.as_ref().map(|schema| String::from_utf8(schema.to_vec()).unwrap());
            format!("{} {} {} {}", info.name, info.encoding, info.message, schema.unwrap_or_default())
        };
        reader.types().unwrap().iter().map(one).collect()
    };
    let x = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"int"}]}"#;
    let x_s = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"int"},{"name":"s","type":"string"}]}"#;
    let all = [
        format!("point avro Point {x}"),
        format!("point avro Point {x_s}"),
        "pack msgpack  ".to_owned(),
        format!("späte avro späte {x}"),
    ];
    let reader = Reader::open(&log, ReaderOptions::default()).unwrap();
    assert_eq!(told(&reader), all);
    for (path, many) in reader.paths().iter().zip([3, 4, 4]) {
        let alone = reader.only(path, binlog::ReaderMode::Strict).unwrap();
        assert_eq!(told(&alone), all[..many], "{}", path.display());
    }
    // The one that was put together by hand.
    let by_hand = Reader::open(golden().join("schema.binlog"), ReaderOptions::default()).unwrap();
    assert_eq!(told(&by_hand), [r#"order json Order {"type":"object"}"#]);
}

/// Lines of offset, bytes and what they are.
#[test]
fn the_example_of_the_page_is_a_golden_file_byte_for_byte() {
    let page = include_str!("../../docs/format.md");
    let example = page.split("## An example").nth(1).unwrap();
    let mut bytes = vec![];
    for line in example.lines().filter_map(|line| line.strip_prefix("    ")) {
        let (offset, rest) = line.split_once("  ").unwrap();
        assert_eq!(usize::from_str_radix(offset, 16).unwrap(), bytes.len(), "{line}");
        let hex = rest.split("  ").next().unwrap();
        bytes.extend(hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    assert!(bytes == fs::read(golden().join("example.binlog")).unwrap());
}

#[test]
fn the_same_records_are_the_same_in_every_form() {
    let records = |name: &str| describe_log(&golden().join(name))["records"].clone();
    let plain = records("plain.binlog");
    for name in ["lz4.binlog", "zstd.binlog", "plain.binlog.gz", "plain.binlog.zst", "minor_version.binlog"] {
        assert_eq!(records(name), plain, "{name}");
    }
    assert_eq!(records("many_lz4.binlog"), records("many_zstd.binlog"));
    // Written by hand, so that a writer and a reader with the same fault do not agree with each other here.
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

/// Makes all golden files and puts them in their place, with their JSON; all of them, or only those that are not there yet.
fn write(only_missing: bool) {
    let made = tempfile::tempdir().unwrap();
    golden_files::write_all(made.path());
    let leave = |path: &Path| only_missing && path.exists();
    for made in logs_in(made.path()) {
        let path = golden().join(made.file_name().unwrap());
        if !leave(&path) {
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            copy(&made, &path);
            fs::write(json_of(&path), one_line_each(&describe_log(&path))).unwrap();
        }
    }
    for name in SALVAGED {
        let json = json_of(&salvaged().join(name));
        if !leave(&json) {
            fs::write(json, one_line_each(&describe_salvaged(&golden().join(name)))).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
#[ignore = "writes the golden files anew"]
fn write_golden() {
    write(false);
}

#[test]
#[ignore = "writes the golden files that are not there, and no others"]
fn write_missing_golden() {
    write(true);
}
