//! What a writer finds when it reopens a log, and how a log continues from segment to segment.

use std::path::PathBuf;

use crate::common::*;
use std::sync::Arc;

use binlog::io::{Directory, MemoryDirectory};
use binlog::{
    event, Filter, Kind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions, FIRST_NAMED_TYPE,
};

fn strict(path: &std::path::Path) -> Reader {
    Reader::open(path, ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() }).unwrap()
}

fn events_of(reader: &Reader, type_id: u32) -> Vec<Row> {
    read(reader, &Filter { events: true, types: vec![type_id], ..Filter::default() }, Way::Next).whole()
}

fn texts(rows: &[Row]) -> Vec<(u64, &str)> {
    rows.iter().map(|row| (row.id, std::str::from_utf8(&row.payload).unwrap())).collect()
}

fn segments(path: &std::path::Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = all.filter(|path| path.extension().is_some_and(|end| end == "binlog")).collect();
    segments.sort();
    segments
}

#[test]
fn a_log_of_one_file_never_rolls_and_continues_where_it_ended() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("one.binlog");
    for round in 0..3 {
        // Far over the size at which a directory log would roll.
        let options = WriterOptions { segment_bytes: 4096, block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open_file(&path, options).unwrap();
        assert_eq!(writer.roll().unwrap_err().kind(), Kind::Unsupported);
        for i in 0..10 {
            assert_eq!(writer.append(1, &payload(3000, i)).unwrap(), round * 10 + i + 1);
        }
        assert_eq!(writer.roll().unwrap_err().kind(), Kind::Unsupported);
        writer.close().unwrap();
    }
    let rows = rows_of(&strict(&path));
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1, "one file, and no other beside it");
}

#[test]
fn a_torn_tail_is_kept_beside_the_segment_cut_and_recorded_as_an_event() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    writer.append(1, b"synced").unwrap();
    writer.sync().unwrap();
    writer.append(1, b"flushed").unwrap();
    writer.flush().unwrap();
    let path = segments(scratch.path()).remove(0);
    let good = std::fs::read(&path).unwrap();
    writer.append(1, b"half written").unwrap();
    writer.flush().unwrap();
    let more = std::fs::read(&path).unwrap();
    let lock = scratch.path().join("default.lock");
    let noted = std::fs::read(&lock).unwrap();
    drop(writer);
    // As if the process had died in the middle of the last write.
    let torn = &more[..more.len() - 5];
    std::fs::write(&path, torn).unwrap();
    std::fs::write(&lock, noted).unwrap();
    for reopened in 0..2 {
        let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
        assert_eq!(writer.append(1, b"after").unwrap(), 3 + reopened);
        writer.close().unwrap();
    }
    let reader = strict(scratch.path());
    assert_eq!(texts(&rows_of(&reader)), [(1, "synced"), (2, "flushed"), (3, "after"), (4, "after")]);
    let kept = format!("{}.torn-{}", path.display(), good.len());
    assert_eq!(std::fs::read(&kept).unwrap(), torn[good.len()..]);
    let recovered = events_of(&reader, event::RECOVERED);
    assert_eq!(recovered.len(), 1, "recovery is reported once");
    assert_eq!(recovered[0].fact("offset"), Some(&good.len().to_string()[..]));
    assert_eq!(recovered[0].fact("bytes"), Some(&(torn.len() - good.len()).to_string()[..]));
    assert_eq!(recovered[0].fact("kept"), Some(&kept[..]));
    assert_eq!(std::fs::read(&path).unwrap()[..good.len()], good, "what was good is as it was");
}

#[test]
fn corruption_is_refused_with_its_place_and_nothing_is_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    let path = segments(scratch.path()).remove(0);
    let mut block_at = 0;
    for text in ["one", "two", "three"] {
        block_at = std::fs::metadata(&path).unwrap().len();
        writer.append(1, text.as_bytes()).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // In the header of a block with a good one after it: no crash does that.
    bytes[block_at as usize + 20] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let error = Writer::open(scratch.path(), WriterOptions::default()).err().unwrap();
    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(block_at)), "{error}");
    assert_eq!(error.path(), Some(path.as_path()));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2, "the segment and the lock");
    let seen = read(&Reader::open(&path, ReaderOptions::default()).unwrap(), &Filter::default(), Way::Next);
    assert_eq!(texts(&seen.rows), [(1, "one"), (2, "two")]);
    assert_eq!(seen.end.unwrap_err().offset(), Some(block_at));
}

#[test]
fn what_was_durable_is_never_cut_as_a_torn_tail() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    writer.append(1, b"one").unwrap();
    writer.sync().unwrap();
    let path = segments(scratch.path()).remove(0);
    let durable = std::fs::metadata(&path).unwrap().len();
    writer.append(1, b"two").unwrap();
    writer.flush().unwrap();
    drop(writer);
    let bytes = std::fs::read(&path).unwrap();
    // The block after it states up to where the file was durable; durable bytes cannot be torn.
    let mut bad = bytes[..durable as usize + 200].to_vec();
    bad[durable as usize - 1] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    let reader = Reader::open(&path, ReaderOptions::default()).unwrap();
    let seen = read(&reader, &Filter::default(), Way::Next);
    assert_eq!(seen.end.unwrap_err().kind(), Kind::Corrupt, "the reader says what was lost");
}

#[test]
fn appending_to_a_closed_log_changes_no_byte_that_was_there() {
    let scratch = tempfile::tempdir().unwrap();
    let mut before = vec![];
    for (i, codec) in CODECS.map(if_available).into_iter().enumerate() {
        let writer = Writer::open(scratch.path(), WriterOptions { codec, ..WriterOptions::default() }).unwrap();
        let id = writer.append(1, format!("round {i} {}", "x".repeat(300)).as_bytes()).unwrap();
        assert_eq!(id, i as u64 + 1);
        writer.flush().unwrap();
        let path = segments(scratch.path()).remove(0);
        assert!(std::fs::read(&path).unwrap().starts_with(&before), "the closed file with its trailer stays");
        let seen = read(&Reader::open(&path, ReaderOptions::default()).unwrap(), &Filter::default(), Way::Next);
        assert_eq!(seen.tail().state, TailState::Live, "the trailer in the middle is no end");
        writer.close().unwrap();
        before = std::fs::read(&path).unwrap();
    }
    assert_eq!(rows_of(&strict(scratch.path())).len(), 3);
    assert_eq!(segments(scratch.path()).len(), 1);
}

#[test]
fn named_types_keep_their_numbers_when_the_log_rolls_and_reopens() {
    let scratch = tempfile::tempdir().unwrap();
    let number = |i: u32| FIRST_NAMED_TYPE + i;
    for round in 0..3 {
        let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
        for i in (0..=round).rev() {
            let known = if i < round { i } else { round };
            assert_eq!(writer.type_id(&format!("tÿpe {i}"), "text/plain").unwrap(), number(known));
        }
        for i in 0..=round {
            writer.append(number(i), format!("{round}-{i}").as_bytes()).unwrap();
            writer.roll().unwrap();
        }
        writer.close().unwrap();
    }
    let reader = strict(scratch.path());
    for i in 0..3 {
        let filter = Filter { type_names: vec![format!("tÿpe {i}")], ..Filter::default() };
        let rows = read(&reader, &filter, Way::Next).whole();
        assert_eq!(rows.len() as u32, 3 - i);
        assert!(rows.iter().all(|row| row.type_id == number(i)));
    }
    // Every segment can be read alone: it contains the names that it uses.
    for path in segments(scratch.path()) {
        let mut cursor = strict(&path).cursor(&Filter::default()).unwrap();
        while let Some(type_id) = cursor.next().unwrap().map(|record| record.type_id) {
            let name = format!("tÿpe {}", type_id - FIRST_NAMED_TYPE);
            assert_eq!(cursor.type_name(type_id), Some(&name[..]));
        }
    }
}

#[test]
fn rolling_by_size_keeps_every_segment_under_the_limit() {
    let limit = 50_000;
    for background in [false, true] {
        for codec in codecs() {
            let scratch = tempfile::tempdir().unwrap();
            let options = WriterOptions {
                segment_bytes: limit,
                block_bytes: 4096,
                codec,
                background,
                ..WriterOptions::default()
            };
            let writer = Writer::open(scratch.path(), options).unwrap();
            for i in 0..300u64 {
                let len = if i % 40 == 0 { 20_000 } else { i as usize * 7 % 1500 };
                writer.append(1, &noise(len, i)).unwrap();
            }
            // Larger than a segment: it has one of its own, which alone is over the limit.
            writer.append(2, &noise(70_000, 1)).unwrap();
            writer.append(1, b"last").unwrap();
            writer.close().unwrap();
            let reader = strict(scratch.path());
            assert_eq!(rows_of(&reader).len(), 302);
            let facts = reader.segments();
            assert!(facts.len() > 5, "{} segments", facts.len());
            let over: Vec<_> = facts.iter().filter(|segment| segment.bytes > Some(limit)).collect();
            assert_eq!(over.len(), 1, "{over:?}");
            assert_eq!(over[0].first_id, 301);
            let numbers: Vec<u64> = facts.iter().map(|segment| segment.sequence).collect();
            assert_eq!(numbers, (1..=facts.len() as u64).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_roll_links_the_segments_and_does_nothing_without_records() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    for _ in 0..3 {
        writer.roll().unwrap();
    }
    assert_eq!(segments(scratch.path()).len(), 1);
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    writer.roll().unwrap();
    writer.append(1, b"b").unwrap();
    writer.close().unwrap();
    let names: Vec<String> =
        segments(scratch.path()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["default.0000000001.binlog", "default.0000000002.binlog"]);
    let reader = strict(scratch.path());
    assert_eq!(events_of(&reader, event::ROTATE_NEXT)[0].fact("file"), Some(&names[1][..]));
    assert_eq!(events_of(&reader, event::ROTATE_PREV)[0].fact("file"), Some(&names[0][..]));
    let facts = reader.segments();
    assert_eq!(facts[0].log_id, facts[1].log_id);
    assert_eq!((facts[1].first_id, facts[1].sequence, facts[1].live), (2, 2, false));
}

#[test]
fn a_file_in_the_way_of_the_next_segment_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    let taken = scratch.path().join("default.0000000002.binlog");
    std::fs::write(&taken, b"a foreign file").unwrap();
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    writer.append(1, b"b").unwrap();
    writer.close().unwrap();
    assert_eq!(std::fs::read(&taken).unwrap(), b"a foreign file");
    std::fs::remove_file(&taken).unwrap();
    assert_eq!(texts(&rows_of(&strict(&segments(scratch.path())[1]))), [(2, "b")]);
}

#[test]
fn a_roll_that_died_before_the_next_file_was_begun_loses_nothing() {
    for begun in [&b""[..], &[0; 1], &[0; 300]] {
        let scratch = tempfile::tempdir().unwrap();
        let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
        writer.append(1, b"a").unwrap();
        writer.close().unwrap();
        std::fs::write(scratch.path().join("default.0000000002.binlog"), begun).unwrap();
        assert_eq!(texts(&rows_at(scratch.path())), [(1, "a")]);
        let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
        assert_eq!(writer.append(1, b"b").unwrap(), 2);
        writer.roll().unwrap();
        assert_eq!(writer.append(1, b"c").unwrap(), 3);
        writer.close().unwrap();
        assert_eq!(texts(&rows_of(&strict(scratch.path()))), [(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(std::fs::read(scratch.path().join("default.0000000002.binlog")).unwrap(), begun, "left alone");
    }
}

#[test]
fn types_are_known_to_the_writer_after_a_crash_that_left_only_the_header_of_the_last_segment() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    let mut options = binlog::TypeOptions::default();
    (options.name, options.encoding, options.schema) = ("order.placed", "jsonschema", b"{}");
    let numbers = [writer.type_of(&options).unwrap(), writer.type_id("login", "text/plain").unwrap()];
    numbers.iter().for_each(|&number| _ = writer.append(number, b"a record").unwrap());
    writer.roll().unwrap();
    writer.flush().unwrap();
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    let last = names.last().unwrap();
    let bytes = directory.contents(last).unwrap();
    let start = 16 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    for len in [start, start + 40] {
        let log = MemoryDirectory::new();
        names.iter().for_each(|name| log.set_contents(name, directory.contents(name).unwrap()));
        log.set_contents(last, bytes[..len].to_vec());
        let writer = Writer::open(Arc::new(log.clone()), WriterOptions::default()).unwrap();
        let other = writer.type_id("another", "text/plain").unwrap();
        assert!(!numbers.contains(&other), "{other} is the number of another type");
        assert_eq!([writer.type_of(&options).unwrap(), writer.type_id("login", "text/plain").unwrap()], numbers);
        writer.append(numbers[0], b"a later record").unwrap();
        writer.close().unwrap();
        // The segment has them itself.
        let alone = MemoryDirectory::new();
        alone.set_contents(last, log.contents(last).unwrap());
        let types = Reader::open(Arc::new(alone), ReaderOptions::default()).unwrap().types().unwrap();
        let named: Vec<_> = types
            .iter()
            .map(|info| (info.number, &*info.name, info.schema.as_deref().map(|schema| &schema[..])))
            .collect();
        let expected =
            [(numbers[0], "order.placed", Some(&b"{}"[..])), (numbers[1], "login", None), (other, "another", None)];
        assert_eq!(named, expected);
    }
}
