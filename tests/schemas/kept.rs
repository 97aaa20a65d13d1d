//! What becomes of a log keeps its schemas: damage and recovery, compression, a new index, many parts of an index.

use std::sync::Arc;

use crate::common::layout;
use crate::common::*;
use crate::{told, Log};
use binlog::compression::{compress, decompress, CompressOptions};
use binlog::io::{Directory, MemoryDirectory};
use binlog::recovery::{rebuild_index, recover, recover_in_place};
use binlog::{event, Codec, Filter, Location, ReaderMode, ReaderOptions, TypeOptions, Writer, WriterOptions};

fn location(log: &Log) -> Location {
    Location::Directory(Arc::new(log.directory.clone()))
}

fn append_many(writer: &Writer, many: u64) {
    for i in 0..many {
        writer.append(1, &noise(500, i)).unwrap();
    }
}

/// A log of three segments; types are named in the first and in the second.
fn a_log(options: WriterOptions) -> Log {
    let mut log = Log::empty();
    let writer = log.open(options);
    log.define_three(&writer);
    writer.roll().unwrap();
    append_many(&writer, 50);
    let schema = noise(700, 77);
    let late = TypeOptions { name: "late", encoding: "jsonschema", schema: &schema, ..TypeOptions::default() };
    log.define(&writer, &late);
    append_many(&writer, 50);
    writer.roll().unwrap();
    log.define_three(&writer);
    log.define(&writer, &late);
    writer.close().unwrap();
    log
}

#[test]
fn compressing_and_decompressing_keep_them() {
    for codec in [Codec::Lz4, Codec::Zstd] {
        let log = a_log(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
        compress(location(&log), &CompressOptions { codec, ..CompressOptions::default() }).unwrap();
        assert!(log.directory.list().unwrap().iter().any(|name| name.contains(".z")), "{:?}", log.segments());
        log.check();
        let writer = log.open(WriterOptions::default());
        writer.append(1, b"behind the compressed ones").unwrap();
        writer.close().unwrap();
        log.check();
        decompress(location(&log), &CompressOptions::default()).unwrap();
        log.check();
    }
}

#[test]
fn an_index_written_anew_describes_them_too() {
    let log = a_log(WriterOptions { index_bytes: 4096, block_bytes: 4096, ..WriterOptions::default() });
    log.check();
    for name in log.segments() {
        // Without the TRAILER and the INDEX before it.
        let bytes = log.directory.contents(&name).unwrap();
        let parsed = layout::Segment::parse(&bytes);
        let index = parsed.blocks.iter().rfind(|block| block.kind == layout::INDEX).unwrap();
        log.directory.set_contents(&name, bytes[..index.offset].to_vec());
    }
    rebuild_index(location(&log)).unwrap();
    log.check();
    // A writer that continues learns them from there.
    let writer = log.open(WriterOptions::default());
    let schema = noise(700, 77);
    let late = TypeOptions { name: "late", encoding: "jsonschema", schema: &schema, ..TypeOptions::default() };
    assert_eq!(log.types[&writer.type_of(&late).unwrap()], told(&late));
}

#[test]
fn a_writer_that_continues_after_a_kill_learns_them_from_events_and_from_the_index() {
    for index_bytes in [4096, 64 << 20] {
        let mut log = Log::empty();
        let options = WriterOptions { index_bytes, block_bytes: 4096, ..WriterOptions::default() };
        let writer = log.open(options.clone());
        append_many(&writer, 30);
        let numbers = log.define_three(&writer);
        append_many(&writer, 30);
        writer.flush().unwrap();
        std::mem::forget(writer);
        let copy = MemoryDirectory::new();
        for name in log.segments() {
            copy.set_contents(&name, log.directory.contents(&name).unwrap());
        }
        log.directory = copy;
        let writer = log.open(options);
        assert_eq!(log.define_three(&writer), numbers);
        writer.roll().unwrap();
        writer.append(numbers[0], b"x").unwrap();
        writer.close().unwrap();
        log.check();
    }
}

/// Damages the entries of blocks of `name` in which there is such an event; returns how many there were.
fn damage(log: &Log, name: &str, wanted: u32) -> usize {
    let mut bytes = log.directory.contents(name).unwrap();
    let parsed = layout::Segment::parse(&bytes);
    let mut damaged = 0;
    for block in parsed.blocks.iter().filter(|block| block.kind == layout::RECORDS) {
        let entries = &bytes[block.entries.clone()];
        let number = format!("{}", wanted);
        let key: &[u8] = if number == event::SCHEMA.to_string() { b"\x06sha256" } else { b"\x0ccontent_type" };
        if entries.windows(key.len()).any(|window| window == key) {
            bytes[block.entries.start + 3] ^= 0x55;
            damaged += 1;
        }
    }
    log.directory.set_contents(name, bytes);
    damaged
}

#[test]
fn a_recovery_finds_the_schemas_of_types_whose_events_are_lost() {
    for in_place in [false, true] {
        for at in 0..3 {
            let log = a_log(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
            let name = log.segments()[at].clone();
            assert!(damage(&log, &name, event::TYPE) > 0);
            // All names of the log, from the INDEX, and from the segments beside it.
            let target = MemoryDirectory::new();
            let recovered = match in_place {
                true => recover_in_place(location(&log), ReaderOptions::default()).unwrap(),
                false => {
                    recover(location(&log), Location::Directory(Arc::new(target.clone())), ReaderOptions::default())
                        .unwrap()
                }
            };
            assert!(recovered.losses > 0);
            let directory = if in_place { log.directory.clone() } else { target };
            let log = Log { directory, types: log.types };
            let reader = log.reader(ReaderMode::Strict);
            let types = reader.types().unwrap();
            assert_eq!(types.len(), log.types.len());
            for info in types {
                let (.., schema) = &log.types[&info.number];
                assert_eq!(info.schema.as_ref().map(|it| &it[..]), Some(&schema[..]), "{in_place} {at} {}", info.name);
            }
            for name in log.segments().into_iter().skip(1) {
                // Each segment is complete by itself, as far as it could know them.
                let reader = reader.only(log.directory.path_of(&name), ReaderMode::Strict).unwrap();
                for info in reader.types().unwrap() {
                    assert_eq!(info.schema.is_some(), info.schema_sha256.is_some(), "{name}: {info:?}");
                }
            }
        }
    }
}

#[test]
fn the_bytes_of_a_schema_are_damaged_and_a_reader_that_salvages_finds_them_in_the_next_segment() {
    let log = a_log(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
    let name = log.segments()[1].clone();
    let mut bytes = log.directory.contents(&name).unwrap();
    let schema = noise(9000, 1);
    let at = bytes.windows(100).position(|window| window == &schema[..100]).unwrap();
    bytes[at + 50] ^= 1;
    log.directory.set_contents(&name, bytes);
    let path = log.directory.path_of(&name);
    let number = *log.types.iter().find(|(_, told)| told.4 == schema).unwrap().0;
    let mut alone =
        log.reader(ReaderMode::Salvage).only(&path, ReaderMode::Salvage).unwrap().cursor(&Filter::default()).unwrap();
    alone.next().unwrap().unwrap();
    let info = alone.type_info(number).unwrap().unwrap();
    assert!(info.schema.is_none() && info.schema_sha256.is_some(), "alone, it says which one it was");
    let mut cursor =
        log.reader(ReaderMode::Salvage).cursor(&Filter { from_id: Some(10), ..Filter::default() }).unwrap();
    cursor.next().unwrap().unwrap();
    assert_eq!(cursor.type_info(number).unwrap().unwrap().schema.as_deref(), Some(&schema));
    recover_in_place(location(&log), ReaderOptions::default()).unwrap();
    log.check();
    let reader = log.reader(ReaderMode::Strict).only(&path, ReaderMode::Strict).unwrap();
    assert!(reader.types().unwrap().iter().all(|info| info.schema.is_some()));
}

#[test]
fn a_schema_that_is_damaged_in_the_newest_segment_is_shown_from_one_before() {
    let log = a_log(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
    let schema = noise(9000, 1);
    let newest = log.segments().into_iter().rev().find_map(|name| {
        let bytes = log.directory.contents(&name).unwrap();
        let at = bytes.windows(100).position(|window| window == &schema[..100])?;
        Some((name, bytes, at))
    });
    let (name, mut bytes, at) = newest.unwrap();
    bytes[at + 50] ^= 1;
    log.directory.set_contents(&name, bytes);
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        let types = log.reader(mode).types().unwrap();
        assert!(types.iter().all(|info| info.schema.is_some() == info.schema_sha256.is_some()), "{mode:?}");
        assert!(types.iter().any(|info| info.schema.as_deref() == Some(&schema)), "{mode:?}");
    }
}

#[test]
fn a_log_whose_schema_is_lost_names_the_type_anew() {
    let mut log = Log::empty();
    let writer = log.open(WriterOptions::default());
    let numbers = log.define_three(&writer);
    writer.close().unwrap();
    let name = log.segments()[0].clone();
    let mut bytes = log.directory.contents(&name).unwrap();
    let schema = noise(9000, 1);
    let at = bytes.windows(100).position(|window| window == &schema[..100]).unwrap();
    bytes[at + 50] ^= 1;
    log.directory.set_contents(&name, bytes);
    let target = MemoryDirectory::new();
    recover(location(&log), Location::Directory(Arc::new(target.clone())), ReaderOptions::default()).unwrap();
    log.directory = target;
    let writer = log.open(WriterOptions::default());
    let again = log.define_three(&writer);
    assert_eq!((again[1], again[2]), (numbers[1], numbers[2]));
    assert_eq!(again[0], numbers[2] + 1);
    writer.roll().unwrap();
    writer.append(again[0], b"x").unwrap();
    writer.close().unwrap();
    let types = log.reader(ReaderMode::Strict).types().unwrap();
    for number in [numbers[0], again[0]] {
        // With the schema, the older type has its own back.
        let there = types.iter().find(|info| info.number == number).unwrap();
        assert_eq!(there.schema.as_deref(), Some(&schema), "{number}");
    }
    assert_eq!(log.open(WriterOptions::default()).type_id("order", "").unwrap(), again[0]);
}
