//! Reading a log that is still being written, and logs of several files.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::counting::CountingDirectory;
use crate::common::*;
use binlog::io::{Access, Directory, MemoryDirectory};
use binlog::{
    Codec, Filter, Kind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions, FIRST_NAMED_TYPE,
};

fn reader(path: impl Into<binlog::Location>) -> Reader {
    Reader::open(path, ReaderOptions::default()).unwrap()
}

fn append(writer: &Writer, ids: std::ops::RangeInclusive<u64>) {
    for id in ids {
        assert_eq!(writer.append((id % 3) as u32, &content(id)).unwrap(), id);
    }
}

fn content(id: u64) -> Vec<u8> {
    // Some are larger than a block.
    payload(if id.is_multiple_of(97) { 6000 } else { (id % 200) as usize }, id)
}

/// Follows the log until it is closed, and checks that no record is missed or shown twice.
fn follow(path: &Path, mode: ReaderMode, filter: &Filter, way: Way, last: u64, written: &AtomicBool) {
    let mut cursor =
        Reader::open(path, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap().cursor(filter).unwrap();
    let began = Instant::now();
    let (mut next, mut ends) = (1, 0u64);
    loop {
        let over = written.load(Ordering::Acquire);
        let seen = drain(&mut cursor, way);
        let tail = seen.tail().clone();
        for row in &seen.rows {
            while !filter.types.is_empty() && !filter.types.contains(&((next % 3) as u32)) {
                next += 1;
            }
            assert!(row.id == next && row.payload == content(next), "{} where {next} should come", brief(row));
            next += 1;
        }
        ends += 1;
        match tail.state {
            TailState::Closed => break,
            TailState::Live | TailState::Unclosed => assert!(!over, "the log is closed, and not seen so: {tail:?}"),
            _ => panic!("a live log has no {tail:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "stuck behind {next}: {tail:?}");
        std::thread::sleep(Duration::from_micros(300));
    }
    assert!(next > last - 2, "{next} after {ends} ends");
}

#[test]
fn cursors_follow_a_writer_over_200_rolls_and_miss_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let last = 200 * 20;
    for background in [false, true] {
        let path = scratch.path().join(if background { "background" } else { "direct" });
        let options = WriterOptions {
            background,
            block_bytes: 4096,
            codec: if_available(Codec::Lz4),
            ..WriterOptions::default()
        };
        let writer = Writer::open(&path, options).unwrap();
        let written = AtomicBool::new(false);
        let everything = Filter::default();
        let some = Filter { types: vec![2, 0], ..Filter::default() };
        std::thread::scope(|scope| {
            let followers = [
                (ReaderMode::Prefix, &everything, Way::Next),
                (ReaderMode::Strict, &everything, Way::Packed(500)),
                (ReaderMode::Strict, &some, Way::Batch(9)),
            ];
            for (mode, filter, way) in followers {
                let (path, written) = (&path, &written);
                scope.spawn(move || follow(path, mode, filter, way, last, written));
            }
            for round in 0..200 {
                let first = round * 20 + 1;
                append(&writer, first..=first + 9);
                writer.flush().unwrap();
                append(&writer, first + 10..=first + 19);
                writer.roll().unwrap();
            }
            writer.close().unwrap();
            written.store(true, Ordering::Release);
        });
        assert_eq!(reader(&path).segments().len(), 201);
    }
}

#[test]
fn an_end_is_live_while_there_is_a_writer_then_closed_and_continues_after_a_reopening() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("one.binlog");
    let writer = Writer::open_file(&path, WriterOptions::default()).unwrap();
    let mut cursor = reader(&path).cursor(&Filter::default()).unwrap();
    assert_eq!(cursor.tail().state, TailState::More);
    let mut expect = |ids: std::ops::Range<u64>, state: TailState| {
        let seen = drain(&mut cursor, Way::Next);
        assert_eq!(seen.rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids.clone().collect::<Vec<_>>());
        assert_eq!((seen.tail().state, seen.tail().next_id), (state, ids.end));
    };
    expect(1..1, TailState::Live);
    append(&writer, 1..=5);
    expect(1..1, TailState::Live);
    writer.flush().unwrap();
    expect(1..6, TailState::Live);
    expect(6..6, TailState::Live);
    append(&writer, 6..=9);
    writer.close().unwrap();
    expect(6..10, TailState::Closed);
    expect(10..10, TailState::Closed);
    let writer = Writer::open_file(&path, WriterOptions::default()).unwrap();
    append(&writer, 10..=11);
    writer.flush().unwrap();
    expect(10..12, TailState::Live);
    writer.close().unwrap();
    expect(12..12, TailState::Closed);
}

#[test]
fn a_log_whose_writer_is_gone_without_closing_is_unclosed_and_strict_reading_says_so() {
    let live = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(live.clone()), WriterOptions::default()).unwrap();
    append(&writer, 1..=3);
    writer.flush().unwrap();
    let name = "default.0000000001.binlog";
    let crashed = MemoryDirectory::new();
    crashed.set_contents(name, live.contents(name).unwrap());
    let open =
        |mode| Reader::open(Arc::new(crashed.clone()), ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let seen = read(&open(ReaderMode::Prefix), &Filter::default(), Way::Next);
    assert_eq!((seen.rows.len(), seen.tail().state, seen.tail().unread_bytes), (3, TailState::Unclosed, 0));
    let seen = read(&open(ReaderMode::Strict), &Filter::default(), Way::Next);
    assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (3, Kind::Corrupt));
}

#[test]
fn a_filter_whose_range_is_passed_ends_a_live_log() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    append(&writer, 1..=4);
    writer.roll().unwrap();
    append(&writer, 5..=8);
    writer.flush().unwrap();
    let rows = rows_of(&reader(scratch.path()));
    for (from, to) in [(1, 4), (2, 3), (3, 6), (5, 5), (8, 8)] {
        let filter = Filter { from_id: Some(from), to_id: Some(to), ..Filter::default() };
        assert_every_way(&reader(scratch.path()), &filter, &rows[from as usize - 1..to as usize]);
    }
}

#[cfg(all(feature = "gzip", feature = "zstd"))]
/// A rolled log of three segments with 30 records, closed.
fn rolled(path: &Path, name: &str) -> Vec<Row> {
    let writer = Writer::open(path, WriterOptions { name: name.into(), ..WriterOptions::default() }).unwrap();
    for first in [1, 11, 21] {
        append(&writer, first..=first + 9);
        if first < 21 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    rows_at(path.join(format!("{name}.*.binlog")))
}

#[test]
fn a_directory_a_pattern_and_the_files_one_by_one_show_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    // A name that would be a pattern if there were no directory of this name.
    let path = scratch.path().join("lög [x]");
    let writer = Writer::open(&path, WriterOptions::default()).unwrap();
    append(&writer, 1..=10);
    writer.roll().unwrap();
    append(&writer, 11..=30);
    writer.close().unwrap();
    let rows = rows_at(&path);
    assert_eq!(rows.len(), 30);
    for pattern in ["lög ?x?/*.binlog", "l*/default.*", "*/*.000000000[12].binlog"] {
        // The lock beside the segments is no segment.
        let pattern = pattern.replace("default.*", "default.*.binlog");
        assert_every_way(&reader(scratch.path().join(pattern)), &Filter::default(), &rows);
    }
    let files = [1, 2].map(|i| rows_at(path.join(format!("default.{i:010}.binlog"))));
    assert_rows(&files.concat(), &rows, "file by file");
    let none = Reader::open(scratch.path().join("*.nothing"), ReaderOptions::default());
    assert_eq!(none.err().unwrap().kind(), Kind::NotFound);
    assert!(Reader::open("***[", ReaderOptions::default()).is_err());
}

#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn segments_compressed_as_whole_files_are_known_by_their_content() {
    use std::io::Write;
    let scratch = tempfile::tempdir().unwrap();
    let rows = rolled(scratch.path(), "default");
    assert_eq!(rows.len(), 30);
    let path = |i: u32| scratch.path().join(format!("default.{i:010}.binlog"));
    let (first, second) = (std::fs::read(path(1)).unwrap(), std::fs::read(path(2)).unwrap());
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(&first).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&second[..], 3).unwrap();
    std::fs::write(path(1), &gzip).unwrap();
    std::fs::write(path(2), &zstd).unwrap();
    let whole = reader(scratch.path());
    assert_every_way(&whole, &Filter::default(), &rows);
    assert_eq!(whole.segments().iter().map(|s| s.bytes.is_some()).collect::<Vec<_>>(), [false, false, true]);
    let from = Filter { from_id: Some(15), ..Filter::default() };
    assert_every_way(&whole, &from, &rows[14..]);
    let headers: Vec<Row> = rows.iter().map(Row::without_payload).collect();
    assert_every_way(&whole, &Filter { headers_only: true, ..Filter::default() }, &headers);

    // Cut or damaged anywhere: the beginning, and a report.
    for (i, good) in [(1u32, &gzip), (2, &zstd)] {
        let expected = &rows[(i as usize - 1) * 10..i as usize * 10];
        for at in (0..good.len()).step_by(7) {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            for bad in [&good[..at], &flipped] {
                std::fs::write(path(i), bad).unwrap();
                let Ok(reader) = Reader::open(path(i), ReaderOptions::default()) else { continue };
                let seen = read(&reader, &Filter::default(), Way::Batch(100));
                assert_rows(&seen.rows, &expected[..seen.rows.len()], &format!("file {i}, byte {at}"));
                let silent = seen.end.is_ok_and(|tail| tail.state == TailState::Closed);
                assert!(!silent || seen.rows.len() == 10, "file {i}, byte {at}: a loss without a report");
            }
        }
    }
}

#[test]
fn two_logs_in_one_directory_are_read_one_after_the_other_each_with_its_own_ids_and_names() {
    let scratch = tempfile::tempdir().unwrap();
    let open =
        |name: &str| Writer::open(scratch.path(), WriterOptions { name: name.into(), ..WriterOptions::default() });
    let (b, a) = (open("b").unwrap(), open("a").unwrap());
    for (writer, name) in [(&a, "of a"), (&b, "of b"), (&a, "of a"), (&b, "of b")] {
        assert_eq!(writer.type_id(name, "").unwrap(), FIRST_NAMED_TYPE);
        writer.append(FIRST_NAMED_TYPE, name.as_bytes()).unwrap();
        writer.roll().unwrap();
    }
    a.close().unwrap();
    b.close().unwrap();
    let both =
        Reader::open(scratch.path(), ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() }).unwrap();
    let rows = rows_of(&both);
    let shown: Vec<_> = rows.iter().map(|row| (row.id, &row.payload[..])).collect();
    assert_eq!(shown, [(1, &b"of a"[..]), (2, b"of a"), (1, b"of b"), (2, b"of b")]);
    assert_every_way(&both, &Filter::default(), &rows);
    // The same number has another name in each.
    for (name, rows) in [("of a", &rows[..2]), ("of b", &rows[2..])] {
        let named = Filter { type_names: vec![name.into()], ..Filter::default() };
        assert_every_way(&both, &named, rows);
    }
    let second = Filter { from_id: Some(2), to_id: Some(2), ..Filter::default() };
    assert_every_way(&both, &second, &[rows[1].clone(), rows[3].clone()]);
    let one = reader(scratch.path().join("b.*.binlog"));
    assert_every_way(&one, &Filter::default(), &rows[2..]);
}

#[test]
fn a_log_that_is_being_written_does_not_keep_a_cursor_from_the_log_behind_it() {
    let directory = MemoryDirectory::new();
    let open = |name: &str| {
        let options = WriterOptions { name: name.into(), ..WriterOptions::default() };
        Writer::open(Arc::new(directory.clone()), options).unwrap()
    };
    let (a, b) = (open("a"), open("b"));
    for (writer, payload) in [(&a, "first"), (&a, "second"), (&b, "third")] {
        writer.append(1, payload.as_bytes()).unwrap();
        writer.flush().unwrap();
    }
    b.close().unwrap();
    // As if the writer were in the middle of its second block.
    let file = directory.open("a.0000000001.binlog", Access::ReadWrite).unwrap();
    file.set_len(file.len().unwrap() - 3).unwrap();
    let cursor = |mode| {
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..Default::default() });
        reader.unwrap().cursor(&Filter::default()).unwrap()
    };
    for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
        let rows = drain(&mut cursor(mode), Way::Next);
        let seen: Vec<_> = rows.whole().iter().map(|row| row.payload.clone()).collect();
        assert_eq!(seen, [&b"first"[..], b"third"], "{mode:?}");
    }
    // What a killed writer left is never completed.
    let left = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        let from = directory.open(&name, Access::Read).unwrap();
        let mut bytes = vec![0; from.len().unwrap() as usize];
        from.read_at(&mut bytes, 0).unwrap();
        left.create(&name, 0o640).unwrap().write_at(&[std::io::IoSlice::new(&bytes)], 0).unwrap();
    }
    let reader = Reader::open(Arc::new(left), ReaderOptions::default()).unwrap();
    let end = drain(&mut reader.cursor(&Filter::default()).unwrap(), Way::Next).end;
    assert_eq!(end.unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn a_reader_that_follows_a_crashed_log_reads_the_space_after_its_blocks_once() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { fill_ahead: Some(1 << 20), ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
    append(&writer, 1..=200);
    writer.flush().unwrap();
    // Without the lock of its writer.
    let left = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        left.set_contents(&name, directory.contents(&name).unwrap());
    }
    let counting = CountingDirectory::new(&left);
    let reader = reader(Arc::new(counting.clone()) as Arc<dyn Directory>);
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut last = 0;
    while let Some(record) = cursor.next().unwrap() {
        last = record.id;
    }
    assert!(last == 200 && counting.bytes_read() > 256 << 10, "all of the space is read before it is believed");
    for _ in 0..10 {
        assert!(cursor.next().unwrap().is_none());
        let read = counting.bytes_read();
        assert!(read <= 16 << 10, "{read} bytes to see that there is nothing new");
    }
    // Nothing of it is believed any more once the next writer has been there.
    let writer = Writer::open(Arc::new(left.clone()), options).unwrap();
    append(&writer, 201..=201);
    writer.flush().unwrap();
    assert_eq!(cursor.next().unwrap().map(|record| record.id), Some(201));
    assert!(cursor.next().unwrap().is_none());
    drop(writer);
    assert!(cursor.next().unwrap().is_none());
}
