//! What the files of a log are: the same for a writer and for readers of each mode.

use std::sync::Arc;

use crate::common::*;
use binlog::compression::CompressOptions;
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const PREFIX: ReaderMode = ReaderMode::Prefix;
const MODES: [ReaderMode; 3] = [PREFIX, ReaderMode::Strict, ReaderMode::Salvage];

fn file(number: u64) -> String {
    format!("default.{number:010}.binlog")
}

fn writer(directory: &MemoryDirectory) -> binlog::Result<Writer> {
    Writer::open(Arc::new(directory.clone()), WriterOptions::default())
}

/// A log of so many segments with ten records in each, all of them closed and durable.
fn a_log(segments: u64) -> MemoryDirectory {
    let (writer, directory) = a_durable_log(segments);
    writer.close().unwrap();
    directory
}

/// The same log as its writer leaves it when it is killed after the sync.
fn a_log_whose_writer_was_killed(segments: u64) -> MemoryDirectory {
    let (_writer, directory) = a_durable_log(segments);
    let left = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        left.set_contents(&name, directory.contents(&name).unwrap());
    }
    left
}

fn a_durable_log(segments: u64) -> (Writer, MemoryDirectory) {
    let directory = MemoryDirectory::new();
    let writer = writer(&directory).unwrap();
    for id in 1..=segments * 10 {
        writer.append(1, &payload(20, id)).unwrap();
        if id % 10 == 0 && id < segments * 10 {
            writer.roll().unwrap();
        }
    }
    writer.sync().unwrap();
    (writer, directory)
}

fn contents(directory: &MemoryDirectory) -> Vec<(String, Vec<u8>)> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names.into_iter().map(|name| (name.clone(), directory.contents(&name).unwrap())).collect()
}

/// Appending is refused, for these reasons, and changes no segment.
fn assert_refused(directory: &MemoryDirectory, reasons: &[&str]) {
    let before = contents(directory);
    let Err(error) = writer(directory) else { panic!("appending is not refused: {reasons:?}") };
    let message = error.to_string();
    assert_eq!(error.kind(), Kind::Corrupt, "{message}");
    assert!(reasons.iter().all(|reason| message.contains(reason)) && !message.contains('\n'), "{message}");
    assert!(contents(directory) == before, "something was changed: {message}");
}

/// Appending continues with this id.
fn assert_continues(directory: &MemoryDirectory, id: u64) {
    let writer = writer(directory).unwrap();
    assert_eq!(writer.append(1, b"another").unwrap(), id);
    writer.sync().unwrap();
    writer.close().unwrap();
}

/// What a reader shows, how it ends, the files that it reports without losing a record, and the ids that are lost.
#[derive(Debug)]
struct Read {
    ids: Vec<u64>,
    end: Result<TailState, Kind>,
    reported: Vec<(String, String)>,
    lost: Vec<(u64, u64)>,
}

fn read_by(directory: &MemoryDirectory, mode: ReaderMode, filter: &Filter) -> Read {
    let (options, losses) = hearing(mode);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let seen = drain(&mut reader.cursor(filter).unwrap(), Way::Next);
    let losses = losses.lock().unwrap();
    let name = |loss: &Loss| loss.path.file_name().unwrap().to_string_lossy().into_owned();
    Read {
        ids: seen.rows.iter().map(|row| row.id).collect(),
        end: seen.end.map(|tail| tail.state).map_err(|error| error.kind()),
        reported: losses.iter().filter(|l| l.ids.is_none()).map(|l| (name(l), l.reason.clone())).collect(),
        lost: losses.iter().filter_map(|loss| loss.ids).collect(),
    }
}

fn read_all(directory: &MemoryDirectory, mode: ReaderMode) -> Read {
    read_by(directory, mode, &Filter::default())
}

fn ids(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

/// Each record is shown once, in order; prefix and salvage mode report these files, once, and lose nothing; strict mode
/// fails.
fn assert_each_once(directory: &MemoryDirectory, last: u64, files: &[&str]) {
    for mode in [PREFIX, ReaderMode::Salvage] {
        let read = read_all(directory, mode);
        assert_eq!((&read.ids, &read.end), (&ids(last), &Ok(TailState::Closed)), "{mode:?}: {read:?}");
        assert_eq!(read.reported.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(), files, "{mode:?}");
        assert_eq!(read.lost, [], "{mode:?}");
    }
    let strict = read_all(directory, ReaderMode::Strict);
    assert_eq!(strict.end, Err(Kind::Corrupt));
    assert!(ids(last).starts_with(&strict.ids), "{strict:?}");
    let newest = read_by(directory, PREFIX, &Filter { newest_first: true, ..Filter::default() });
    assert_eq!(newest.ids.iter().rev().copied().collect::<Vec<_>>(), ids(last));
    assert_eq!(newest.reported.len(), files.len(), "{newest:?}");
}

/// The log is whole in every mode.
fn assert_whole(directory: &MemoryDirectory, last: u64) {
    for mode in MODES {
        let read = read_all(directory, mode);
        assert_eq!((&read.ids, &read.end), (&ids(last), &Ok(TailState::Closed)), "{mode:?}: {read:?}");
        assert_eq!((&read.reported, &read.lost), (&vec![], &vec![]), "{mode:?}");
    }
}

#[test]
fn a_copy_under_another_number_is_not_appended_to_and_each_record_is_read_once() {
    for (copied, number) in [(1, 9), (2, 9), (3, 4), (1, 4)] {
        let directory = a_log(3);
        directory.set_contents(&file(number), directory.contents(&file(copied)).unwrap());
        let moved = format!("mv -n memory:/{0} memory:/{0}.copy", file(number));
        assert_refused(&directory, &[&file(number), &file(copied), "a copy of segment", &moved]);
        assert_each_once(&directory, 30, &[&file(number)]);
        // As the message advises.
        directory.rename(&file(number), &format!("{}.copy", file(number))).unwrap();
        assert_whole(&directory, 30);
        assert_continues(&directory, 31);
    }
}

#[test]
fn a_copy_beside_its_segment_is_passed_over_and_the_one_that_holds_more_is_read() {
    for copied in 1..=3 {
        for name in [file(copied).replace(".binlog", "-copy.binlog"), file(copied).replace(".binlog", "_2.binlog")] {
            let directory = a_log(3);
            directory.set_contents(&name, directory.contents(&file(copied)).unwrap());
            assert_each_once(&directory, 30, &[&name]);
            match copied {
                3 => assert_refused(&directory, &[&name, &file(3)]),
                _ => assert_continues(&directory, 31),
            }
        }
    }
    // A copy that was made while the segment was written.
    let directory = a_log(3);
    let whole = directory.contents(&file(3)).unwrap();
    directory.set_contents("default.0000000003.old.binlog", whole[..whole.len() - 300].to_vec());
    assert_each_once(&directory, 30, &["default.0000000003.old.binlog"]);
    // The file itself was cut, and the copy was made before.
    directory.set_contents("default.0000000003.old.binlog", whole.clone());
    directory.set_contents(&file(3), whole[..whole.len() - 300].to_vec());
    assert_each_once(&directory, 30, &[&file(3)]);
}

#[test]
fn names_that_were_swapped_are_reported_and_nothing_is_appended_where_ids_would_be_given_twice() {
    for (a, b) in [(2, 3), (1, 3)] {
        let directory = a_log(3);
        let (of_a, of_b) = (directory.contents(&file(a)).unwrap(), directory.contents(&file(b)).unwrap());
        directory.set_contents(&file(a), of_b);
        directory.set_contents(&file(b), of_a);
        assert_refused(&directory, &[&file(a), &file(b), "swapped", "mv memory:/"]);
        assert_each_once(&directory, 30, &[&file(b), &file(a)]);
    }
    // Further back, only readers report it.
    let directory = a_log(4);
    let (first, second) = (directory.contents(&file(1)).unwrap(), directory.contents(&file(2)).unwrap());
    directory.set_contents(&file(1), second);
    directory.set_contents(&file(2), first);
    assert_continues(&directory, 41);
    assert_each_once(&directory, 41, &[&file(2), &file(1)]);
}

#[test]
fn a_file_that_was_renamed_is_read_by_its_header_and_its_right_name_is_reported() {
    let directory = a_log(3);
    directory.rename(&file(3), &file(7)).unwrap();
    assert_refused(&directory, &[&file(7), &format!("mv -n memory:/{} memory:/{}", file(7), file(3))]);
    assert_each_once(&directory, 30, &[&file(7)]);
    directory.rename(&file(7), &file(0)).unwrap();
    assert_refused(&directory, &[&file(2), &file(0), "give it its name back"]);
    directory.rename(&file(0), "default.saved.binlog").unwrap();
    assert_refused(&directory, &[&file(2), "default.saved.binlog"]);
    assert_whole(&directory, 30);
    // The first segment of a log may have a greater number in its name.
    let directory = a_log(1);
    directory.rename(&file(1), &file(4)).unwrap();
    assert_whole(&directory, 10);
}

#[test]
fn among_many_files_a_name_that_lies_has_the_headers_read() {
    let last = 1000;
    for (from, to) in [(50, 101), (1, 101), (100, 1000)] {
        let directory = a_log(100);
        directory.rename(&file(from), &file(to)).unwrap();
        assert_each_once(&directory, last, &[&file(to)]);
        let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
        assert_eq!(reader.segments().len(), 100);
        assert_eq!(reader.counts().unwrap()[0].records, last);
    }
    let directory = a_log(100);
    directory.set_contents(&file(101), directory.contents(&file(1)).unwrap());
    assert_each_once(&directory, last, &[&file(101)]);
    let (a, b) = (directory.contents(&file(30)).unwrap(), directory.contents(&file(60)).unwrap());
    directory.remove(&file(101)).unwrap();
    directory.set_contents(&file(30), b);
    directory.set_contents(&file(60), a);
    assert_each_once(&directory, last, &[&file(60), &file(30)]);
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let numbers: Vec<u64> = reader.segments().iter().map(|facts| facts.sequence).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(reader.counts().unwrap()[0].records, last);
    assert_continues(&directory, last + 1);
}

/// Possible remains of the beginning of a last segment.
fn beginnings(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let damaged = |at: usize| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        bytes
    };
    vec![
        ("empty", vec![]),
        ("cut in the declaration", whole[..5].to_vec()),
        ("cut in the header", whole[..60].to_vec()),
        ("zeros", vec![0; whole.len()]),
        ("zeros from the header on", [&whole[..40], &vec![0; whole.len() - 40][..]].concat()),
        ("magic damaged", damaged(0)),
        ("header damaged", damaged(30)),
        ("header damaged, and no block", damaged(30)[..100].to_vec()),
        ("no segment", b"something else".repeat(40)),
    ]
}

#[test]
fn a_last_segment_whose_beginning_is_lost_and_that_held_records_is_never_taken_for_one_that_was_not_begun() {
    for a_log in [a_log, a_log_whose_writer_was_killed] {
        for (what, bytes) in beginnings(&a_log(3).contents(&file(3)).unwrap()) {
            let directory = a_log(3);
            directory.set_contents(&file(3), bytes);
            assert_refused(&directory, &[&file(3), "binlog recover --in-place"]);
            let prefix = read_all(&directory, PREFIX);
            assert_eq!((prefix.ids, prefix.end), (ids(20), Err(Kind::Corrupt)), "{what}");
            assert_eq!(read_all(&directory, ReaderMode::Strict).end, Err(Kind::Corrupt), "{what}");
            let salvage = read_all(&directory, ReaderMode::Salvage);
            assert!(salvage.ids == ids(20) || salvage.ids == ids(30), "{what}: {salvage:?}");
            assert!(salvage.reported.iter().any(|(name, _)| *name == file(3)), "{what}: {salvage:?}");
            // Among many files it is the same.
            let directory = a_log(80);
            let whole = directory.contents(&file(80)).unwrap();
            let (_, bytes) = beginnings(&whole).into_iter().find(|(other, _)| *other == what).unwrap();
            directory.set_contents(&file(80), bytes);
            let prefix = read_all(&directory, PREFIX);
            assert_eq!((prefix.ids.len(), prefix.end), (790, Err(Kind::Corrupt)), "{what}");
        }
    }
}

#[test]
fn a_segment_that_was_never_begun_is_passed_over_and_its_place_is_taken() {
    for bytes in [vec![], vec![0; 4096], a_log(1).contents(&file(1)).unwrap()[..50].to_vec()] {
        let directory = a_log(3);
        // As a kill after a roll leaves it.
        directory.remove(&file(3)).unwrap();
        directory.remove("default.lock").unwrap();
        assert_refused(&directory, &[&file(3), &file(2)]);
        directory.set_contents(&file(3), bytes);
        assert_whole(&directory, 20);
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        assert_eq!(reader.leftovers().len(), 1);
        assert_continues(&directory, 21);
        assert_whole(&directory, 21);
    }
}

#[test]
fn what_is_missing_at_the_end_is_reported_as_far_as_a_neighbour_or_the_lock_file_proves_it() {
    let whole = a_log(3);
    let lock = whole.contents("default.lock").unwrap();
    // Both prove it, the segment before, the lock file.
    for (with_lock, unclosed) in [(true, false), (false, false), (true, true)] {
        let directory = MemoryDirectory::new();
        (1..=2).for_each(|number| directory.set_contents(&file(number), whole.contents(&file(number)).unwrap()));
        if with_lock {
            directory.set_contents("default.lock", lock.clone());
        }
        if unclosed {
            let bytes = directory.contents(&file(2)).unwrap();
            directory.set_contents(&file(2), bytes[..bytes.len() - 1].to_vec());
        }
        assert_refused(&directory, &["3", "is not here", "binlog recover --in-place"]);
        if !unclosed {
            for mode in [PREFIX, ReaderMode::Salvage] {
                let read = read_all(&directory, mode);
                assert_eq!((read.ids, read.end), (ids(20), Ok(TailState::Unclosed)));
            }
            assert_eq!(read_all(&directory, ReaderMode::Strict).end, Err(Kind::Corrupt));
        }
    }
    // Requests for records that do not exist.
    let directory = a_log(3);
    directory.remove(&file(3)).unwrap();
    let one = read_by(&directory, PREFIX, &Filter { from_id: Some(25), to_id: Some(25), ..Filter::default() });
    assert_eq!((one.ids, one.end), (vec![], Ok(TailState::Unclosed)));
    // Of all of it only the lock file is left.
    let directory = MemoryDirectory::new();
    directory.set_contents("default.lock", lock);
    assert_refused(&directory, &["number 3", "default.lock"]);
}

#[test]
fn the_first_segments_of_which_nothing_is_left_are_lost_and_reported_with_their_records() {
    for destroyed in 1..=2 {
        let directory = a_log(4);
        for number in 1..=destroyed {
            directory.set_contents(&file(number), vec![b'x'; 3000]);
        }
        let salvage = read_all(&directory, ReaderMode::Salvage);
        assert_eq!((salvage.ids.first(), salvage.ids.len() as u64), (Some(&(destroyed * 10 + 1)), 40 - destroyed * 10));
        assert_eq!(salvage.lost, [(1, destroyed * 10)]);
        for mode in [PREFIX, ReaderMode::Strict] {
            assert_eq!(read_all(&directory, mode).end, Err(Kind::Corrupt));
        }
        assert_continues(&directory, 41);
    }
}

#[test]
fn a_stray_file_or_another_log_has_no_effect() {
    let other = |name: &str, directory: &MemoryDirectory| {
        let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        for _ in 0..3 {
            writer.append(1, b"of another log").unwrap();
            writer.roll().unwrap();
        }
        writer.close().unwrap();
    };
    let directory = a_log(3);
    directory.set_contents("README.binlog", b"this is no log".to_vec());
    directory.set_contents("orders.0000000001.binlog", vec![7; 5000]);
    directory.set_contents("empty.binlog", vec![]);
    assert_whole(&directory, 30);
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let mut strays: Vec<_> = reader.strays().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    strays.sort();
    assert_eq!(strays, ["README.binlog", "orders.0000000001.binlog"]);
    assert_continues(&directory, 31);
    // A directory in which there is nothing else is no log.
    let alone = MemoryDirectory::new();
    alone.set_contents("README.binlog", b"this is no log".to_vec());
    let refused = Reader::open(Arc::new(alone), ReaderOptions::default()).map(drop).unwrap_err();
    assert_eq!(refused.kind(), Kind::Corrupt);
    // Two logs, of which one is damaged: the other is written to nevertheless, also where its name begins the other's.
    for name in ["another", "default.old", "zz"] {
        let directory = a_log(3);
        other(name, &directory);
        for mode in MODES {
            let read = read_all(&directory, mode);
            assert_eq!((read.ids.len(), read.end), (33, Ok(TailState::Closed)), "{name} {mode:?}");
        }
        let last = format!("{name}.0000000003.binlog");
        for bytes in [vec![], vec![b'x'; 700]] {
            directory.set_contents(&last, bytes);
            let before = directory.contents(&last).unwrap();
            assert!(directory.contents("default.lock").is_some());
            let writer = writer(&directory).unwrap();
            writer.append(1, b"more").unwrap();
            writer.close().unwrap();
            assert_eq!(directory.contents(&last).unwrap(), before);
        }
    }
}

#[test]
fn of_two_logs_of_one_name_none_is_taken_for_the_other() {
    let (directory, other) = (a_log(3), a_log(9));
    directory.set_contents(&file(9), other.contents(&file(9)).unwrap());
    // Whether the lock file records which was here first, or nothing does.
    assert_refused(&directory, &[&file(9), &file(3), "two logs"]);
    directory.remove("default.lock").unwrap();
    assert_refused(&directory, &[&file(9), &file(3), "two logs"]);
    // Several of the other one: only the lock file shows that there are two.
    let directory = a_log(3);
    for number in [8, 9] {
        directory.set_contents(&file(number), other.contents(&file(number)).unwrap());
    }
    assert_refused(&directory, &[&file(9), &file(1), "two logs"]);
}

#[test]
fn behind_a_compressed_segment_the_next_one_is_begun() {
    for keeps_source in [false, true] {
        let directory = a_log(3);
        let source = compress(&directory);
        let compressed = format!("default.{:010}.z.binlog", 3);
        let bytes = directory.contents(&compressed).unwrap();
        if keeps_source {
            directory.set_contents(&file(3), source.clone());
        }
        assert_continues(&directory, 31);
        assert_eq!(directory.contents(&compressed).unwrap(), bytes, "nothing is written to it");
        assert_whole(&directory, 31);
        // Whichever form is left.
        directory.set_contents(&file(3), source);
        assert_whole(&directory, 31);
        directory.remove(&compressed).unwrap();
        assert_whole(&directory, 31);
    }
}

/// Compresses all segments of the log, after which the next one was created and never begun; returns the third as it
/// was.
fn compress(directory: &MemoryDirectory) -> Vec<u8> {
    let writer = writer(directory).unwrap();
    writer.roll().unwrap();
    writer.close().unwrap();
    let third = directory.contents(&file(3)).unwrap();
    binlog::compression::compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    directory.set_contents(&file(4), vec![]);
    directory.remove("default.lock").unwrap();
    third
}

#[test]
fn a_damaged_compressed_segment_is_read_from_its_source_when_that_is_there() {
    let directory = a_log(3);
    let writer = writer(&directory).unwrap();
    writer.roll().unwrap();
    writer.close().unwrap();
    let options = CompressOptions { keep_source: true, block_bytes: 4096, ..CompressOptions::default() };
    binlog::compression::compress(Arc::new(directory.clone()), &options).unwrap();
    assert_whole(&directory, 30);
    let compressed = format!("default.{:010}.z.binlog", 2);
    let whole = directory.contents(&compressed).unwrap();
    for at in (0..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        directory.set_contents(&compressed, bytes);
        for mode in [PREFIX, ReaderMode::Salvage] {
            let read = read_all(&directory, mode);
            assert_eq!((read.ids, read.end), (ids(30), Ok(TailState::Closed)), "{mode:?} at {at}");
            assert!(
                read.lost.is_empty() && read.reported.iter().all(|(name, _)| *name == compressed),
                "{:?}",
                read.reported
            );
            assert!(read.reported.len() <= 1, "{:?}", read.reported);
        }
        assert_eq!(read_all(&directory, ReaderMode::Strict).end, Err(Kind::Corrupt), "at {at}");
        let newest = read_by(&directory, PREFIX, &Filter { newest_first: true, ..Filter::default() });
        assert_eq!(newest.ids.iter().rev().copied().collect::<Vec<_>>(), ids(30), "at {at}: {newest:?}");
    }
    for cut in [0, 5, 50, whole.len() / 2, whole.len() - 1] {
        directory.set_contents(&compressed, whole[..cut].to_vec());
        let read = read_all(&directory, PREFIX);
        assert_eq!((read.ids, read.end), (ids(30), Ok(TailState::Closed)), "cut at {cut}");
    }
}
