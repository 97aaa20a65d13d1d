//! Naming types: numbers, limits, and what is written when.

use std::sync::Arc;

use crate::common::*;
use crate::{told, Log};
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::{
    event, is_event, Codec, Filter, FullDisk, Kind, Lag, NewRecord, ReaderMode, TypeOptions, Writer, WriterOptions,
};

const MIB: usize = 1 << 20;

#[test]
fn a_type_is_what_all_of_it_says_and_a_name_may_have_several() {
    let mut log = Log::empty();
    let writer = log.open(WriterOptions::default());
    let plain = writer.type_id("order", "text/plain").unwrap();
    let as_plain = TypeOptions { name: "order", content_type: "text/plain", ..TypeOptions::default() };
    assert_eq!(writer.type_of(&as_plain).unwrap(), plain);
    log.types.insert(plain, told(&as_plain));
    writer.append(plain, b"plain").unwrap();
    let base = TypeOptions { name: "order", content_type: "", encoding: "avro", message: "Order", schema: b"{}" };
    let others = [
        base,
        TypeOptions { content_type: "application/avro", ..base },
        TypeOptions { encoding: "jsonschema", ..base },
        TypeOptions { message: "Order2", ..base },
        TypeOptions { schema: b"{ }", ..base },
        TypeOptions { schema: b"", ..base },
        TypeOptions { name: "order2", ..base },
    ];
    let numbers: Vec<u32> = others.iter().map(|options| log.define(&writer, options)).collect();
    assert_eq!(numbers, (plain + 1..plain + 8).collect::<Vec<_>>());
    assert_eq!(writer.type_id("order", "anything").unwrap(), plain + 6, "the newest of that name");
    writer.close().unwrap();
    log.check();
}

#[test]
fn what_is_too_long_or_has_no_encoding_is_refused_and_takes_no_number() {
    let log = Log::empty();
    let writer = log.open(WriterOptions::default());
    let long = "x".repeat(4090);
    let schema = vec![b'x'; MIB + 1];
    let base = TypeOptions { name: "a", encoding: "json", ..TypeOptions::default() };
    for (options, kind) in [
        (TypeOptions { name: "", ..base }, Kind::Invalid),
        (TypeOptions { message: &long, content_type: "0123", ..base }, Kind::Invalid),
        (TypeOptions { encoding: "", schema: b"x", ..base }, Kind::Invalid),
        (TypeOptions { schema: &schema, ..base }, Kind::TooLarge),
    ] {
        assert_eq!(writer.type_of(&options).unwrap_err().kind(), kind);
    }
    assert_eq!(writer.type_of(&base).unwrap(), binlog::FIRST_NAMED_TYPE);
}

#[test]
fn the_schemas_of_a_log_have_a_bound_in_all_and_one_schema_counts_once() {
    let mut log = Log::empty();
    let options = WriterOptions { schema_bytes: 1000, ..WriterOptions::default() };
    let writer = log.open(options.clone());
    let (a, b) = (noise(600, 1), noise(401, 2));
    let base = TypeOptions { encoding: "avro", ..TypeOptions::default() };
    log.define(&writer, &TypeOptions { name: "a", schema: &a, ..base });
    log.define(&writer, &TypeOptions { name: "b", schema: &a, ..base });
    let refused = TypeOptions { name: "c", schema: &b, ..base };
    let error = writer.type_of(&refused).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(error.reason().contains("401 bytes") && error.reason().contains("400 more"), "{error}");
    log.define(&writer, &TypeOptions { name: "c", schema: &b[..400], ..base });
    writer.close().unwrap();
    // What is there counts, also under a lower bound, and stays.
    let writer = log.open(WriterOptions { schema_bytes: 500, ..options });
    assert_eq!(writer.type_of(&TypeOptions { name: "d", schema: b"x", ..base }).unwrap_err().kind(), Kind::TooLarge);
    log.define(&writer, &TypeOptions { name: "d", schema: &a, ..base });
    writer.roll().unwrap();
    writer.append(1, b"last").unwrap();
    writer.close().unwrap();
    log.check();
}

#[test]
fn each_segment_begins_with_the_schemas_of_the_log_before_the_types_that_refer_to_them() {
    let mut log = Log::empty();
    let writer = log.open(WriterOptions { codec: Codec::Zstd, ..WriterOptions::default() });
    log.define_three(&writer);
    writer.roll().unwrap();
    writer.append(3, b"in the second").unwrap();
    writer.close().unwrap();
    let writer = log.open(WriterOptions::default());
    let [order, ..] = log.define_three(&writer);
    assert_eq!(order, binlog::FIRST_NAMED_TYPE, "the same numbers after a reopening");
    writer.roll().unwrap();
    writer.append(order, b"in the third").unwrap();
    writer.close().unwrap();
    log.check();
    for name in log.segments() {
        let reader = log.reader(ReaderMode::Strict);
        let path = binlog::io::Directory::path_of(&log.directory, &name);
        let rows = rows_with_events(&reader.only(&path, ReaderMode::Strict).unwrap());
        let mut seen = vec![];
        for row in rows.iter().filter(|row| row.is_event()) {
            if row.type_id == event::SCHEMA {
                seen.push(row.fact("sha256").unwrap().to_owned());
            } else if let (event::TYPE, Some(sum)) = (row.type_id, row.fact("schema")) {
                assert!(seen.iter().any(|seen| seen == sum), "{name}: a type before its schema");
            }
        }
        assert_eq!(seen.len(), 2, "{name}: each schema once");
        if name != log.segments()[0] {
            let first = rows.iter().position(|row| !row.is_event()).unwrap();
            assert_eq!(rows[..first].iter().filter(|row| row.type_id == event::SCHEMA).count(), 2);
        }
    }
}

fn rows_with_events(reader: &binlog::Reader) -> Vec<Row> {
    read(reader, &Filter { events: true, ..Filter::default() }, Way::Next).whole()
}

#[test]
fn a_segment_smaller_than_the_schemas_holds_a_block_and_rolling_goes_on() {
    let mut log = Log::empty();
    let options = WriterOptions {
        segment_bytes: 128 << 10,
        schema_bytes: 3 << 20,
        flush: Lag::default(),
        ..WriterOptions::default()
    };
    let writer = log.open(options.clone());
    for (name, seed) in [("a", 1), ("b", 2)] {
        let schema = noise(MIB, seed);
        log.define(&writer, &TypeOptions { name, encoding: "x", schema: &schema, ..TypeOptions::default() });
    }
    for i in 0..20u64 {
        writer.append(1, &noise(50_000, i)).unwrap();
    }
    writer.close().unwrap();
    let segments = log.segments();
    assert!((5..=20).contains(&segments.len()), "{} segments", segments.len());
    log.check();
    let writer = log.open(options);
    writer.append(1, b"more").unwrap();
    writer.close().unwrap();
    log.check();
    assert_eq!(rows_of(&log.reader(ReaderMode::Strict)).len(), 23);
}

#[test]
fn batches_and_appenders_take_the_numbers() {
    let mut log = Log::empty();
    let writer = log.open(WriterOptions::default());
    let [order, user, _] = log.define_three(&writer);
    writer
        .append_batch([order, user].map(|type_id| NewRecord { type_id, payload: b"x", ..NewRecord::default() }))
        .unwrap();
    let mut appender = writer.appender().unwrap();
    appender.append(user, b"by an appender").unwrap();
    appender.close().unwrap();
    writer.close().unwrap();
    log.check();
    let users = Filter { type_names: vec!["user".into()], ..Filter::default() };
    assert_eq!(read(&log.reader(ReaderMode::Strict), &users, Way::Next).whole().len(), 3);
}

#[test]
fn threads_that_name_the_same_type_at_once_get_one_number() {
    for _ in 0..20 {
        let log = Log::empty();
        let writer = log.open(WriterOptions { block_bytes: 4096, ..WriterOptions::default() });
        let schemas: Vec<Vec<u8>> = (0..10).map(|seed| noise(3000, seed)).collect();
        let numbers: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let name_all = || -> Vec<u32> {
                let one = |schema: &Vec<u8>| {
                    let options = TypeOptions { name: "same", encoding: "x", schema, ..TypeOptions::default() };
                    let number = writer.type_of(&options).unwrap();
                    writer.append(number, schema).unwrap();
                    number
                };
                schemas.iter().map(one).collect()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(name_all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(numbers.iter().all(|other| *other == numbers[0]));
        writer.close().unwrap();
        let rows = rows_with_events(&log.reader(ReaderMode::Strict));
        assert_eq!(rows.iter().filter(|row| row.type_id == event::SCHEMA).count(), 10, "each schema is written once");
        let mut cursor = log.reader(ReaderMode::Strict).cursor(&Filter::default()).unwrap();
        while let Some((number, payload)) = cursor.next().unwrap().map(|it| (it.type_id, it.payload.to_vec())) {
            assert_eq!(*cursor.type_info(number).unwrap().unwrap().schema.unwrap(), payload);
        }
    }
}

/// No write succeeds after so many more.
fn fill(directory: &MemoryDirectory, after: usize) {
    let (times, errno) = (usize::MAX, libc::ENOSPC);
    directory.set_fault(Some(Fault { from: after, times, errno, only: Some(Operation::Write) }));
}

#[test]
fn on_a_full_disk_a_type_is_refused_and_not_dropped_and_none_is_half_there() {
    for full_disk in [FullDisk::Fail, FullDisk::Drop] {
        for after in 0..6 {
            let mut log = Log::empty();
            let writer = log.open(WriterOptions { block_bytes: 4096, full_disk, ..WriterOptions::default() });
            log.define(&writer, &TypeOptions { name: "before", encoding: "json", ..TypeOptions::default() });
            writer.flush().unwrap();
            fill(&log.directory, after);
            let schema = |i: u64| noise(6000, i);
            let mut refused = 0;
            for i in 0..400 {
                let schema = schema(i);
                let options = TypeOptions { name: "many", encoding: "x", schema: &schema, ..TypeOptions::default() };
                match writer.type_of(&options) {
                    Ok(number) => drop(log.types.insert(number, told(&options))),
                    Err(error) => {
                        assert!(matches!(error.kind(), Kind::NoSpace | Kind::TooLarge), "{error}");
                        refused += u64::from(error.kind() == Kind::NoSpace);
                    }
                }
                let _ = writer.append(1, &noise(4000, i));
            }
            assert!(refused > 0);
            log.directory.set_fault(None);
            std::thread::sleep(std::time::Duration::from_millis(130));
            let numbers: Vec<u32> = log.types.keys().copied().collect();
            for number in numbers {
                writer.append(number, b"after").unwrap();
            }
            writer.roll().unwrap();
            writer.append(1, b"last").unwrap();
            writer.close().unwrap();
            log.check();
        }
    }
}

#[test]
fn whatever_write_fails_no_type_is_there_without_its_schema() {
    for from in 0..40 {
        let log = Log::empty();
        let directory = Arc::new(log.directory.clone());
        let options = WriterOptions { block_bytes: 4096, segment_bytes: 16 << 10, ..WriterOptions::default() };
        let Ok(writer) = Writer::open(directory, options) else { continue };
        log.directory.set_fault(Some(Fault { from, times: usize::MAX, errno: libc::EIO, only: None }));
        for i in 0..12u64 {
            let schema = noise(3000, i);
            let options = TypeOptions { name: "many", encoding: "x", schema: &schema, ..TypeOptions::default() };
            if let Ok(number) = writer.type_of(&options) {
                let _ = writer.append(number, &noise(4000, i));
            }
        }
        let _ = writer.flush();
        drop(writer);
        log.directory.set_fault(None);
        let reader = log.reader(ReaderMode::Salvage);
        for info in reader.types().unwrap() {
            assert!(info.schema.is_some(), "from {from}: {info:?}");
        }
        for name in log.segments() {
            let path = binlog::io::Directory::path_of(&log.directory, &name);
            let Ok(reader) = reader.only(&path, ReaderMode::Salvage) else { continue };
            let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
            let mut seen = vec![];
            while let Some(record) = cursor.next().unwrap() {
                assert!(is_event(record.type_id) || record.id > 0);
                let sum = record.metadata.get(if record.type_id == event::SCHEMA { "sha256" } else { "schema" });
                match record.type_id {
                    event::SCHEMA => seen.push(sum.unwrap().to_owned()),
                    event::TYPE => assert!(seen.iter().any(|seen| Some(&**seen) == sum), "from {from}, {name}"),
                    _ => (),
                }
            }
        }
    }
}
