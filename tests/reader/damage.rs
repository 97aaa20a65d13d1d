//! Damaged, cut and foreign files: what is shown is exact, or the loss is reported. Records never change silently, and
//! nothing panics.

use std::sync::Arc;

use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{
    event, Codec, Filter, Kind, NewRecord, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions,
};

const FILE: &str = "default.0000000001.binlog";

fn segment(sequence: u32) -> String {
    format!("default.{sequence:010}.binlog")
}

fn options(codec: Codec) -> WriterOptions {
    WriterOptions { codec: if_available(codec), block_bytes: 4 << 10, ..WriterOptions::default() }
}

fn open_writer(directory: &MemoryDirectory, codec: Codec) -> Writer {
    Writer::open(Arc::new(directory.clone()), options(codec)).unwrap()
}

fn put(writer: &Writer, type_id: u32, time: i64, pairs: &[(&str, &str)], payload: &[u8]) {
    let pairs = pairs.iter().copied().collect::<binlog::MetadataBuf>();
    let record = NewRecord { type_id, time: Some(time), metadata: pairs.as_metadata(), payload };
    writer.append_record(&record).unwrap();
}

/// A closed log with a bit of everything: several blocks, metadata, a named type, a batch, negative times, an empty
/// payload, and (when asked for) a record of several pages.
fn a_closed_log(codec: Codec, large: bool) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory, codec);
    put(&writer, 1, -5, &[("clé", "välue"), ("", "")], b"first");
    put(&writer, 2, i64::MIN, &[], b"");
    put(&writer, 1, i64::MAX, &[], &[b'a'; 90]);
    writer.flush().unwrap();
    let named = writer.type_id("job", "text/plain").unwrap();
    put(&writer, named, 7, &[("request_id", "req-1")], &payload(120, 1));
    writer.sync().unwrap();
    let batch =
        [3u32, 4].map(|type_id| NewRecord { type_id, time: Some(9), payload: b"of a batch", ..NewRecord::default() });
    writer.append_batch(batch).unwrap();
    if large {
        put(&writer, 5, 10, &[], &payload(9000, 2));
        put(&writer, 5, 11, &[], b"behind the large one");
    }
    writer.close().unwrap();
    directory
}

fn with_contents(bytes: Vec<u8>) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, bytes);
    directory
}

fn open(directory: &MemoryDirectory, mode: ReaderMode) -> binlog::Result<Reader> {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() })
}

/// Whether an error is one that damage may cause. A file cut within its file header holds no record yet, so that a
/// directory with nothing else has no segment.
fn is_report(error: &binlog::Error) -> bool {
    matches!(error.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) && !error.reason().is_empty()
}

/// Exact, or a reported loss behind an exact beginning. True when everything was shown and nothing reported.
fn assert_exact_or_reported(directory: &MemoryDirectory, filter: &Filter, expected: &[Row], what: &str) -> bool {
    let reader = match open(directory, ReaderMode::Prefix) {
        Ok(reader) => reader,
        Err(e) => {
            assert!(is_report(&e), "{what}: {e:?}");
            return false;
        }
    };
    let seen = read(&reader, filter, Way::Batch(3));
    let rows = seen.rows.len();
    assert!(rows <= expected.len(), "{what}: more rows than there were");
    assert_rows(&seen.rows, &expected[..rows], what);
    match seen.end {
        Ok(tail) if tail.state == TailState::Closed => {
            assert_eq!(rows, expected.len(), "{what}: a loss without a report");
            true
        }
        Ok(tail) => {
            assert!(matches!(tail.state, TailState::Unclosed | TailState::Torn), "{what}: {tail:?}");
            assert_eq!(
                tail.state == TailState::Torn,
                tail.unread_bytes > 0 && !tail.reason.is_empty(),
                "{what}: {tail:?}"
            );
            false
        }
        Err(e) => {
            assert!(is_report(&e) && e.offset().is_some() && e.path().is_some(), "{what}: {e:?}");
            false
        }
    }
}

fn assert_strict_refuses(directory: &MemoryDirectory, expected: &[Row], what: &str) {
    let Ok(reader) = open(directory, ReaderMode::Strict) else { return };
    let seen = read(&reader, &Filter::default(), Way::Next);
    assert_rows(&seen.rows, &expected[..seen.rows.len()], what);
    assert!(seen.end.as_ref().is_err_and(is_report), "{what}: strict reading says {:?}", seen.end);
}

fn flip_every_bit(codec: Codec) {
    let directory = a_closed_log(codec, false);
    let expected = rows_of(&open(&directory, ReaderMode::Strict).unwrap());
    assert_eq!(expected.len(), 6);
    let whole = directory.contents(FILE).unwrap();
    assert!(whole.len() < 3000, "{} bytes are too many for a quick test", whole.len());
    for bit in 0..whole.len() * 8 {
        let what = format!("{codec:?}, byte {} bit {}", bit / 8, bit % 8);
        let mut bad = whole.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let bad = with_contents(bad);
        assert_exact_or_reported(&bad, &Filter::default(), &expected, &what);
        assert_strict_refuses(&bad, &expected, &what);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    flip_every_bit(Codec::None);
}

#[test]
fn every_flipped_bit_is_noticed_in_lz4() {
    flip_every_bit(Codec::Lz4);
}

#[test]
fn every_flipped_bit_is_noticed_in_zstd() {
    flip_every_bit(Codec::Zstd);
}

#[test]
fn every_damaged_byte_of_a_log_with_large_records_is_noticed_under_every_filter() {
    let directory = a_closed_log(Codec::None, true);
    let reader = open(&directory, ReaderMode::Strict).unwrap();
    let filters = [
        Filter::default(),
        Filter { headers_only: true, ..Filter::default() },
        Filter { from_id: Some(5), ..Filter::default() },
        Filter { types: vec![3, 5], ..Filter::default() },
        Filter { type_names: vec!["job".into()], ..Filter::default() },
    ];
    let expected: Vec<_> = filters.iter().map(|filter| read(&reader, filter, Way::Next).whole()).collect();
    let whole = directory.contents(FILE).unwrap();
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 1 << (at % 8);
        let bad = with_contents(bad);
        // The payload of a large record is the same everywhere: a sample is enough for the rarer filters.
        let some = if at % 23 == 0 || at < 2000 { filters.len() } else { 1 };
        for (filter, expected) in filters.iter().zip(&expected).take(some) {
            assert_exact_or_reported(&bad, filter, expected, &format!("byte {at}, {filter:?}"));
        }
        assert_strict_refuses(&bad, &expected[0], &format!("byte {at}"));
    }
}

/// A part of a file header looks like a log that was never begun: strict reading shows it as one without records.
fn assert_is_unborn(directory: &MemoryDirectory, what: &str) {
    let seen = read(&open(directory, ReaderMode::Strict).unwrap(), &Filter::default(), Way::Next);
    let tail = seen.end.unwrap();
    assert!(seen.rows.is_empty() && tail.state == TailState::Unclosed, "{what}: {tail:?}");
    assert!(tail.reason.contains("was not begun"), "{what}: {tail:?}");
}

#[test]
fn every_truncation_is_noticed() {
    for codec in codecs() {
        let directory = a_closed_log(codec, true);
        let expected = rows_of(&open(&directory, ReaderMode::Strict).unwrap());
        let whole = directory.contents(FILE).unwrap();
        let start = layout::Segment::parse(&whole).start;
        for len in 0..whole.len() {
            let what = format!("{codec:?} cut to {len}");
            let cut = with_contents(whole[..len].to_vec());
            assert!(!assert_exact_or_reported(&cut, &Filter::default(), &expected, &what), "{what}: nothing was said");
            match len < start {
                true => assert_is_unborn(&cut, &what),
                false => assert_strict_refuses(&cut, &expected, &what),
            }
        }
    }
}

#[test]
fn a_writer_that_reopens_after_damage_repeats_no_id_and_changes_no_record() {
    let directory = a_closed_log(Codec::Lz4, false);
    let expected = rows_of(&open(&directory, ReaderMode::Strict).unwrap());
    let whole = directory.contents(FILE).unwrap();
    let cut = (0..whole.len()).map(|len| (format!("cut to {len}"), whole[..len].to_vec()));
    let flipped = (0..whole.len()).map(|at| {
        let mut bad = whole.clone();
        bad[at] ^= 1 << (at % 8);
        (format!("byte {at} flipped"), bad)
    });
    for (what, bad) in cut.chain(flipped) {
        let directory = with_contents(bad.clone());
        let writer = match Writer::open(Arc::new(directory.clone()), options(Codec::None)) {
            Ok(writer) => writer,
            Err(e) => {
                assert!(matches!(e.kind(), Kind::Corrupt | Kind::Unsupported), "{what}: {e:?}");
                assert_eq!(directory.contents(FILE).unwrap(), bad, "{what}: refused, but changed");
                continue;
            }
        };
        let id = writer.append(1, b"after").unwrap();
        writer.close().unwrap();
        let kept =
            (0..bad.len()).find_map(|at| directory.contents(&format!("{FILE}.torn-{at}")).map(|kept| (at, kept)));
        let keeps = kept.is_some();
        if let Some((at, kept)) = kept {
            assert_eq!(kept, bad[at..], "{what}: the cut bytes are kept");
        }
        let seen = read(&open(&directory, ReaderMode::Strict).unwrap(), &Filter::default(), Way::Next);
        if let Err(e) = seen.end {
            // The writer does not read durable records again: a reader finds the damage, and the ids continue.
            assert!(e.kind() == Kind::Corrupt && e.offset() < Some(bad.len() as u64), "{what}: {e:?}");
            assert_rows(&seen.rows, &expected[..seen.rows.len()], &what);
            assert_eq!(id as usize, expected.len() + 1, "{what}");
            continue;
        }
        let (last, before) = seen.rows.split_last().expect("the new record");
        assert_eq!((last.id, &last.payload[..]), (id, &b"after"[..]), "{what}");
        assert_rows(before, &expected[..before.len()], &what);
        assert_eq!(id as usize, before.len() + 1, "{what}");
        // A cut at the end of a block looks like a crash at that point; any other cut leaves a trace.
        let cut = bad.len() < whole.len();
        assert!(before.len() == expected.len() || keeps || cut, "{what}: records are gone without a trace");
    }
}

/// Three segments of two records each.
fn three_segments(marker: &str) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory, Codec::None);
    for i in 0..6 {
        if i == 2 || i == 4 {
            writer.roll().unwrap();
        }
        put(&writer, 1, i, &[], format!("{marker} {i}").as_bytes());
    }
    writer.close().unwrap();
    directory
}

fn of_segments(files: &[(&str, Vec<u8>)]) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    files.iter().for_each(|(name, bytes)| directory.set_contents(name, bytes.clone()));
    directory
}

#[test]
fn a_missing_or_shortened_segment_is_an_error_behind_an_exact_beginning() {
    let log = three_segments("log");
    let expected = rows_of(&open(&log, ReaderMode::Strict).unwrap());
    let [one, two, three] = [1, 2, 3].map(|i| log.contents(&segment(i)).unwrap());
    let names = [1, 2, 3].map(segment);

    let missing = of_segments(&[(&names[0], one.clone()), (&names[2], three.clone())]);
    let seen = read(&open(&missing, ReaderMode::Prefix).unwrap(), &Filter::default(), Way::Next);
    assert_rows(&seen.rows, &expected[..2], "the middle one missing");
    let error = seen.end.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.reason().contains("3 to 4"), "the lost ids are reported: {error}");

    for len in 0..two.len() {
        let short =
            of_segments(&[(&names[0], one.clone()), (&names[1], two[..len].to_vec()), (&names[2], three.clone())]);
        let Ok(reader) = open(&short, ReaderMode::Prefix) else { continue };
        let seen = read(&reader, &Filter::default(), Way::Next);
        assert_rows(&seen.rows, &expected[..seen.rows.len()], &format!("the middle one cut to {len}"));
        assert_eq!(seen.end.expect_err("a loss").kind(), Kind::Corrupt);
    }
    // Without its beginning a log is still read: retention removes segments there.
    let rest = of_segments(&[(&names[1], two), (&names[2], three)]);
    assert_every_way(&open(&rest, ReaderMode::Strict).unwrap(), &Filter::default(), &expected[2..]);
}

#[test]
fn a_last_segment_cut_or_damaged_anywhere_is_not_a_clean_end() {
    let log = three_segments("log");
    let expected = rows_of(&open(&log, ReaderMode::Strict).unwrap());
    let last = log.contents(&segment(3)).unwrap();
    let bits = (0..8 * last.len()).map(|bit| {
        let mut bad = last.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} of the last segment"), bad)
    });
    let cuts = (0..last.len()).map(|len| (format!("the last segment cut to {len}"), last[..len].to_vec()));
    for (what, bad) in bits.chain(cuts) {
        log.set_contents(&segment(3), bad);
        assert_exact_or_reported(&log, &Filter::default(), &expected, &what);
    }
}

#[test]
fn a_foreign_segment_in_place_of_one_changes_no_record_silently() {
    let (log, other) = (three_segments("log"), three_segments("other"));
    let ours = rows_of(&open(&log, ReaderMode::Strict).unwrap());
    let theirs = rows_of(&open(&other, ReaderMode::Strict).unwrap());
    log.set_contents(&segment(2), other.contents(&segment(2)).unwrap());
    let seen = read(&open(&log, ReaderMode::Prefix).unwrap(), &Filter::default(), Way::Next);
    assert!(seen.end.is_err(), "our records 3 and 4 are missing, and that is reported");
    for row in &seen.rows {
        assert!(ours.contains(row) || theirs[2..4].contains(row), "{}", brief(row));
    }
}

#[test]
fn a_segment_twice_under_two_names_is_reported_or_read_once() {
    for i in 1..=3 {
        let log = three_segments("log");
        let expected = rows_of(&open(&log, ReaderMode::Strict).unwrap());
        log.set_contents("copy.binlog", log.contents(&segment(i)).unwrap());
        assert_exact_or_reported(&log, &Filter::default(), &expected, &format!("segment {i} twice"));
    }
}

#[test]
fn foreign_and_unreadable_files_are_refused_with_their_path_and_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("x.binlog");
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    for foreign in
        [&b"b"[..], b"BINLOG\n", b"a plain text, long enough to be taken for something else\n", &program[..8192]]
    {
        std::fs::write(&path, foreign).unwrap();
        for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
            let error =
                Reader::open(&path, ReaderOptions { mode, ..ReaderOptions::default() }).err().expect("no segment");
            assert_eq!((error.kind(), error.path()), (Kind::Corrupt, Some(path.as_path())), "{error}");
            assert_eq!(error.offset(), Some(0));
        }
        let error = Writer::open_file(&path, WriterOptions::default()).err().expect("no segment");
        assert!(matches!(error.kind(), Kind::Corrupt | Kind::Invalid) && error.path().is_some(), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), foreign, "left as it was");
    }
    std::fs::remove_file(&path).unwrap();
    // Permissions do not keep root out; a directory cannot be read as a file by any user.
    std::fs::create_dir(&path).unwrap();
    assert!(Reader::open(&path, ReaderOptions::default()).is_err());
    assert!(Reader::open(scratch.path(), ReaderOptions::default()).is_err());
    assert!(Writer::open_file(&path, WriterOptions::default()).is_err());
    let error = Reader::open(scratch.path().join("nothing"), ReaderOptions::default()).err().expect("nothing there");
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn a_tail_of_zeros_or_garbage_is_torn_and_the_writer_keeps_what_it_cuts() {
    for (what, tail) in [("zeros", vec![0; 700_000]), ("garbage", noise(5000, 3)), ("one byte", vec![7])] {
        let directory = a_closed_log(Codec::Zstd, true);
        let expected = rows_of(&open(&directory, ReaderMode::Strict).unwrap());
        let good = directory.contents(FILE).unwrap();
        directory.set_contents(FILE, [&good[..], &tail].concat());
        let seen = read(&open(&directory, ReaderMode::Prefix).unwrap(), &Filter::default(), Way::Next);
        assert_rows(&seen.rows, &expected, what);
        let end = seen.tail();
        assert_eq!((end.state, end.offset, end.unread_bytes), (TailState::Torn, good.len() as u64, tail.len() as u64));
        assert_strict_refuses(&directory, &expected, what);
        open_writer(&directory, Codec::None).close().unwrap();
        assert_eq!(directory.contents(&format!("{FILE}.torn-{}", good.len())), Some(tail), "{what}");
        let reader = open(&directory, ReaderMode::Strict).unwrap();
        assert_rows(&rows_of(&reader), &expected, what);
        let events =
            read(&reader, &Filter { events: true, types: vec![event::RECOVERED], ..Filter::default() }, Way::Next);
        assert_eq!(events.whole()[0].fact("offset"), Some(&good.len().to_string()[..]));
    }
}

#[test]
fn a_log_inside_a_payload_is_a_payload_even_where_the_outer_log_is_torn() {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory, Codec::None);
    put(&writer, 1, 1, &[], b"first");
    writer.sync().unwrap();
    let inner = a_closed_log(Codec::Lz4, true).contents(FILE).unwrap();
    // Also its own bytes: blocks with the same marker, at another place.
    let own = directory.contents(FILE).unwrap();
    for payload in [&inner, &own] {
        put(&writer, 1, 2, &[], payload);
        writer.flush().unwrap();
    }
    let unfinished = directory.contents(FILE).unwrap();
    let (start, end) = (unfinished.len() - own.len(), unfinished.len());
    writer.close().unwrap();
    let expected = rows_of(&open(&directory, ReaderMode::Strict).unwrap());
    assert_eq!((&expected[1].payload, &expected[2].payload), (&inner, &own));
    for len in (start..end).step_by(3) {
        let torn = with_contents(unfinished[..len].to_vec());
        let seen = read(&open(&torn, ReaderMode::Prefix).unwrap(), &Filter::default(), Way::Next);
        assert_rows(&seen.rows, &expected[..2], "before the torn block");
        assert_eq!(seen.tail().state, TailState::Torn, "cut to {len}");
    }
}
