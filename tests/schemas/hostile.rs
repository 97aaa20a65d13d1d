//! Files that no writer of ours makes: schemas that are not what they say, types without theirs, very many types.

use std::sync::Arc;

use crate::common::layout::{self, sign};
use crate::common::*;
use crate::Log;
use binlog::{Filter, Reader, ReaderMode, ReaderOptions, TypeOptions, Writer, WriterOptions};

fn a_log() -> Log {
    let mut log = Log::empty();
    let writer = log.open(WriterOptions::default());
    log.define_three(&writer);
    writer.close().unwrap();
    log
}

/// Changes the entries of the segment's blocks of records, and makes their checksums right.
fn change(log: &Log, from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let name = &log.segments()[0];
    let mut bytes = log.directory.contents(name).unwrap();
    let parsed = layout::Segment::parse(&bytes);
    let mut changed = 0;
    for block in parsed.blocks.iter().filter(|block| block.kind == layout::RECORDS) {
        let entries = block.entries.clone();
        let found: Vec<usize> = (entries.start..entries.end.saturating_sub(from.len()))
            .filter(|&at| bytes[at..at + from.len()] == *from)
            .collect();
        found.iter().for_each(|&at| bytes[at..at + from.len()].copy_from_slice(to));
        changed += found.len();
        let (head, len) = (block.offset, block.entries.end - block.offset);
        let mut copy = bytes[head..head + len].to_vec();
        sign(&mut copy, parsed.marker, head);
        bytes[head..head + len].copy_from_slice(&copy);
    }
    log.directory.set_contents(name, bytes);
    changed
}

#[test]
fn a_schema_that_is_not_what_its_sum_says_and_a_type_without_its_schema_have_none() {
    let sums: Vec<String> = a_log()
        .reader(ReaderMode::Strict)
        .types()
        .unwrap()
        .iter()
        .map(|info| info.schema_sha256.unwrap().iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    // In the SCHEMA event alone, in the TYPE events alone, and in both.
    let others = [
        (
            [b"\x06sha256\x40", sums[0].as_bytes()].concat(),
            [b"\x06sha256\x40", "0".repeat(64).as_bytes()].concat(),
            false,
        ),
        (
            [b"\x06schema\x40", sums[0].as_bytes()].concat(),
            [b"\x06schema\x40", "0".repeat(64).as_bytes()].concat(),
            true,
        ),
        (sums[0].clone().into_bytes(), "0".repeat(64).into_bytes(), true),
        // No sum at all: upper case.
        (sums[0].clone().into_bytes(), sums[0].to_uppercase().into_bytes(), true),
    ];
    for (i, (from, to, of_another)) in others.iter().enumerate() {
        let log = a_log();
        assert!(change(&log, from, to) > 0, "{i}");
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            let mut cursor = log.reader(mode).cursor(&Filter::default()).unwrap();
            let number = cursor.next().unwrap().unwrap().type_id;
            let info = cursor.type_info(number).unwrap().unwrap();
            assert_eq!(info.schema, None, "{i} {mode:?}");
            assert!(*of_another || info.schema_sha256.is_some());
            cursor.next().unwrap().unwrap();
            assert!(cursor.type_info(number + 1).unwrap().unwrap().schema.is_some());
        }
        // A writer that continues takes what is whole.
        let writer = Writer::open(Arc::new(log.directory.clone()), WriterOptions::default());
        let writer = writer.unwrap();
        let schema = noise(300, 2);
        let user = TypeOptions { name: "user", encoding: "avro", schema: &schema, ..TypeOptions::default() };
        assert_eq!(writer.type_of(&user).unwrap(), binlog::FIRST_NAMED_TYPE + 1);
        writer.close().unwrap();
    }
}

#[test]
fn fifty_thousand_types_are_read_and_continued_in_a_short_time() {
    let log = Log::empty();
    let writer = log.open(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
    const MANY: u32 = 50_000;
    for i in 0..MANY {
        let (name, schema) = (format!("type {i}"), i.to_le_bytes());
        let options = TypeOptions { name: &name, encoding: "x", schema: &schema, ..TypeOptions::default() };
        let number = writer.type_of(&options).unwrap();
        writer.append(number, &schema).unwrap();
    }
    writer.flush().unwrap();
    let began = std::time::Instant::now();
    let options = ReaderOptions::default();
    let reader = Reader::open(Arc::new(log.directory.clone()), options).unwrap();
    assert_eq!(reader.types().unwrap().len(), MANY as usize);
    writer.close().unwrap();
    let reader = Reader::open(Arc::new(log.directory.clone()), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter { last: Some(100), ..Filter::default() }).unwrap();
    while let Some(number) = cursor.next().unwrap().map(|record| record.type_id) {
        assert!(cursor.type_info(number).unwrap().unwrap().schema.is_some());
    }
    let writer = log.open(WriterOptions::default());
    writer.roll().unwrap();
    writer.append(1, b"x").unwrap();
    writer.close().unwrap();
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(60), "{took:?}");
}
