//! What crashes, bad disks and careless users do to log files, case by case: the cases that other log formats keep in
//! their tests, rebuilt for this one. After each, the log is read, and a writer continues in it.

mod common;

use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use binlog::io::{Access, Directory, MemoryDirectory};
use binlog::{Filter, Kind, Location, NewRecord, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};
use common::*;

const FILE: &str = "default.0000000001.binlog";
const HEADER: usize = 80;
const PAGE: usize = 4096;

/// The bytes of a log that was not closed, in which each record has a block of its own. The first of these blocks
/// follows one with the event that records the opening.
struct Log {
    bytes: Vec<u8>,
    blocks: Vec<Range<usize>>,
    rows: Vec<Row>,
}

fn open_writer(directory: &MemoryDirectory) -> binlog::Result<Writer> {
    let options = WriterOptions { block_bytes: PAGE as u32, ..WriterOptions::default() };
    Writer::open(Arc::new(directory.clone()), options)
}

fn put(writer: &Writer, payload: &[u8]) {
    writer.append_record(&NewRecord { type_id: 1, time: Some(7), payload, ..NewRecord::default() }).unwrap();
    writer.flush().unwrap();
}

fn log_of(payloads: &[Vec<u8>]) -> Log {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory).unwrap();
    let mut log = Log { bytes: vec![], blocks: vec![], rows: vec![] };
    for payload in payloads {
        put(&writer, payload);
        log.bytes = directory.contents(FILE).unwrap();
        let start = log.blocks.last().map_or_else(|| first_record_at(&log.bytes), |block| block.end);
        log.blocks.push(start..log.bytes.len());
        log.rows.push(Row::new(log.rows.len() as u64 + 1, 7, 1, payload.clone()));
    }
    log
}

/// Where the block after the one with the opening begins.
fn first_record_at(bytes: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let opened = 16 + word(8);
    opened + HEADER + 4 * word(opened + 24).div_ceil(PAGE) + word(opened + 20) + word(opened + 24)
}

fn small_log() -> Log {
    log_of(&[0, 1, 300, 7, 4200, 2].map(|len| payload(len, len as u64 + 1)))
}

fn holding(bytes: &[u8]) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, bytes.to_vec());
    directory
}

fn open(directory: &MemoryDirectory, mode: ReaderMode) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() }).unwrap()
}

/// How a read ends that shows the expected rows.
#[derive(Clone, Copy, Debug)]
enum End<'a> {
    /// At a whole block, without a trailer.
    Unclosed,
    /// The rest is the torn tail of a crash, and a writer cuts it.
    Torn,
    /// Bytes that are no block and were never durable, followed by whole blocks that hold these rows: a writer
    /// continues in the next segment, which names them. In a log of one file it refuses.
    Hole(&'a [Row]),
    /// The rest is damage, and a writer refuses the log.
    Corrupt,
}

/// Reads the bytes in every way: these rows, then this end, reported at the place `at`. Then continues with a writer.
fn assert_ends(bytes: &[u8], rows: &[Row], end: End, at: usize, what: &str) {
    let directory = holding(bytes);
    for way in WAYS {
        let what = format!("{what}, {way:?}");
        let seen = read(&open(&directory, ReaderMode::Prefix), &Filter::default(), way);
        assert_rows(&seen.rows, rows, &what);
        match (seen.end, end) {
            (Err(e), End::Corrupt | End::Hole(_)) => {
                assert_eq!((e.kind(), e.offset()), (Kind::Corrupt, Some(at as u64)), "{what}")
            }
            (Ok(tail), End::Torn) => {
                let left = (bytes.len() - at) as u64;
                let expected = (TailState::Torn, at as u64, left);
                assert_eq!((tail.state, tail.offset, tail.unread_bytes), expected, "{what}: {tail:?}");
            }
            (Ok(tail), End::Unclosed) => {
                assert_eq!((tail.state, tail.unread_bytes), (TailState::Unclosed, 0), "{what}: {tail:?}");
                assert_eq!(tail.next_id, rows.len() as u64 + 1, "{what}");
            }
            (other, end) => panic!("{what}: {other:?}, not {end:?}"),
        }
    }
    let strict = read(&open(&directory, ReaderMode::Strict), &Filter::default(), Way::Next);
    assert_rows(&strict.rows, rows, what);
    assert!(strict.end.is_err_and(|e| e.kind() == Kind::Corrupt), "{what}: strict reading is content");
    if let End::Hole(behind) = end {
        assert_one_loss(&directory, ReaderMode::Salvage, (rows, behind, &[]), at, what);
        assert_hole_of_one_file(bytes, at, what);
    }
    assert_continues(bytes, rows, end, at, what);
}

/// The reader shows the rows before the hole at `at`, those after it and those of the next segment, and reports exactly
/// once that the records between the first two are lost.
fn assert_one_loss(
    directory: &MemoryDirectory,
    mode: ReaderMode,
    (before, behind, after): (&[Row], &[Row], &[Row]),
    at: usize,
    what: &str,
) {
    let (options, losses) = hearing(mode);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let seen = read(&reader, &Filter::default(), Way::Next);
    assert_rows(&seen.rows, &[before, behind, after].concat(), &format!("{what}, {mode:?}"));
    assert!(seen.end.is_ok(), "{what}, {mode:?}: {:?}", seen.end);
    let losses = losses.lock().unwrap();
    let reported: Vec<_> = losses.iter().map(|loss| (loss.ids, loss.durable)).collect();
    let lost = (before.len() as u64 + 1, behind[0].id - 1);
    assert_eq!(reported, [(Some(lost), false)], "{what}, {mode:?}: {losses:?}");
    // Salvage reports damaged pages at their own places.
    let place = losses[0].offset as usize;
    assert!(place == at || mode == ReaderMode::Salvage && place > at, "{what}, {mode:?}: {losses:?}");
}

/// A log that is one file has no next segment: there, the writer refuses a hole and changes nothing.
fn assert_hole_of_one_file(bytes: &[u8], at: usize, what: &str) {
    let directory = holding(bytes);
    let refused =
        Writer::open(Location::File(Arc::new(directory.clone()), FILE.to_owned()), WriterOptions::default()).err();
    let reported = refused.map(|e| (e.kind(), e.offset()));
    assert_eq!(reported, Some((Kind::Corrupt, Some(at as u64))), "{what}, as one file");
    assert_eq!(directory.contents(FILE).unwrap(), bytes, "{what}, as one file: refused, but changed");
}

/// A writer appends after the rows, in the next segment after a hole, or refuses the log and leaves it as it is.
fn assert_continues(bytes: &[u8], rows: &[Row], end: End, at: usize, what: &str) {
    let directory = holding(bytes);
    let writer = match open_writer(&directory) {
        Ok(writer) => writer,
        Err(e) => {
            assert!(e.kind() == Kind::Corrupt && matches!(end, End::Corrupt), "{what}: {e}");
            assert_eq!(e.offset(), Some(at as u64), "{what}");
            return assert_eq!(directory.contents(FILE).unwrap(), bytes, "{what}: refused, but changed");
        }
    };
    assert!(!matches!(end, End::Corrupt), "{what}: opened for writing");
    put(&writer, b"after");
    writer.close().unwrap();
    let kept = directory.contents(&format!("{FILE}.torn-{at}"));
    assert_eq!(kept.as_deref(), matches!(end, End::Torn).then_some(&bytes[at..]), "{what}: the cut bytes are kept");
    if let End::Hole(behind) = end {
        assert_eq!(directory.contents(FILE).unwrap(), bytes, "{what}: the segment with the hole stays as it is");
        let after = [Row::new(behind[behind.len() - 1].id + 1, 7, 1, *b"after")];
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            assert_one_loss(&directory, mode, (rows, behind, &after), at, &format!("{what}, continued behind"));
        }
        let all = [rows, behind, &after].concat();
        for way in WAYS {
            let seen = read(&open(&directory, ReaderMode::Prefix), &Filter::default(), way);
            assert_rows(&seen.rows, &all, &format!("{what}, {way:?}, continued behind"));
            assert!(seen.end.is_ok(), "{what}, {way:?}, continued behind: {:?}", seen.end);
        }
        let strict = read(&open(&directory, ReaderMode::Strict), &Filter::default(), Way::Next);
        assert_rows(&strict.rows, rows, what);
        assert_eq!(strict.end.unwrap_err().offset(), Some(at as u64), "{what}: strict, continued behind");
        return;
    }
    let after = [rows, &[Row::new(rows.len() as u64 + 1, 7, 1, *b"after")]].concat();
    assert_every_way(&open(&directory, ReaderMode::Strict), &Filter::default(), &after);
}

#[path = "scenarios/changed.rs"]
mod changed;
#[path = "scenarios/cut.rs"]
mod cut;
#[path = "scenarios/growing.rs"]
mod growing;
