//! Recovery of logs whose files have other names than their headers state, or with missing files: the recovered log has
//! the right names, and a writer continues in it after all ids that were ever given.

use std::sync::Arc;

use crate::common::{self, listening, rows_of, Row};
use binlog::compression::CompressOptions;
use binlog::io::{Directory, Fault, MemoryDirectory};
use binlog::recovery::{recover, recover_in_place, Recovery};
use binlog::{Filter, Kind, Location, Loss, LossKind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const SEGMENTS: usize = 4;
const RECORDS: u64 = 10;

fn segment(number: usize) -> String {
    format!("default.{number:010}.binlog")
}

/// A log of four segments of ten records each.
fn a_log() -> MemoryDirectory {
    a_log_of(SEGMENTS)
}

fn a_log_of(segments: usize) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = open(&directory);
    for number in 1..=segments {
        for i in 0..RECORDS {
            writer.append(1, format!("record {i} of segment {number}").as_bytes()).unwrap();
        }
        if number < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    directory
}

fn open(directory: &MemoryDirectory) -> Writer {
    Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap()
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

fn rows(directory: &MemoryDirectory, mode: ReaderMode) -> Vec<Row> {
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    rows_of(&Reader::open(Arc::new(directory.clone()), options).unwrap())
}

fn segments(directory: &MemoryDirectory) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names
}

fn in_place(directory: &MemoryDirectory) -> (Recovery, Vec<Loss>) {
    let (on_loss, heard) = listening();
    let recovery = binlog::recovery::recover_in_place(
        Arc::new(directory.clone()),
        ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() },
    )
    .unwrap();
    let heard = heard.lock().unwrap().clone();
    (recovery, heard)
}

fn files_but_the_lock(directory: &MemoryDirectory) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    names
}

/// Recovers a copy in place and another elsewhere; checks that both are whole, that nothing is left to recover, and
/// that a writer gives the id `next` next. Returns both as they were before that writer.
fn recovered(directory: &MemoryDirectory, next: u64) -> [MemoryDirectory; 2] {
    let (place, target) = (copy(directory), MemoryDirectory::new());
    in_place(&place);
    binlog::recovery::recover(Arc::new(directory.clone()), Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    for made in [&place, &target] {
        let files = files_but_the_lock(made);
        let again = in_place(made);
        assert_eq!((again.0, files_but_the_lock(made)), (Recovery::default(), files.clone()));
        let behind = copy(made);
        let before = rows(&behind, ReaderMode::Strict).len();
        let writer = open(&behind);
        assert_eq!(writer.append(1, b"behind").unwrap(), next, "{files:?}");
        writer.close().unwrap();
        assert_eq!(rows(&behind, ReaderMode::Strict).len(), before + 1, "{files:?}");
    }
    [place, target]
}

fn rename(directory: &MemoryDirectory, from: &str, to: &str) {
    let bytes = directory.contents(from).unwrap();
    directory.remove(from).unwrap();
    directory.set_contents(to, bytes);
}

#[test]
fn segments_under_wrong_names_get_those_of_their_headers() {
    let whole = a_log();
    let names: Vec<String> = (1..=SEGMENTS).map(segment).collect();
    let expected = rows(&whole, ReaderMode::Strict);
    for (one, other) in [(1, 9), (2, 9), (4, 9), (4, 5)] {
        let directory = copy(&whole);
        rename(&directory, &segment(one), &segment(other));
        for made in recovered(&directory, 41) {
            assert_eq!((segments(&made), rows(&made, ReaderMode::Strict)), (names.clone(), expected.clone()));
        }
    }
    for (one, other) in [(1, 2), (2, 3), (1, 4), (3, 4)] {
        let directory = copy(&whole);
        rename(&directory, &segment(one), "third");
        rename(&directory, &segment(other), &segment(one));
        rename(&directory, "third", &segment(other));
        for made in recovered(&directory, 41) {
            assert_eq!((segments(&made), rows(&made, ReaderMode::Strict)), (names.clone(), expected.clone()));
        }
    }
    // Names that a writer would not recognize as those of the log.
    let directory = copy(&whole);
    rename(&directory, &segment(4), "a copy.binlog");
    rename(&directory, &segment(2), "default.0000000002-old.binlog");
    for made in recovered(&directory, 41) {
        assert_eq!((segments(&made), rows(&made, ReaderMode::Strict)), (names.clone(), expected.clone()));
    }
}

#[test]
fn a_log_of_the_same_name_is_saved_under_a_name_of_its_own() {
    let (directory, other) = (a_log(), a_log_of(3));
    let mine = rows(&directory, ReaderMode::Strict);
    for number in 1..=3 {
        directory.set_contents(&segment(number + 4), other.contents(&segment(number)).unwrap());
    }
    let losses = in_place(&copy(&directory)).1;
    let of_other: Vec<&Loss> = losses.iter().filter(|loss| loss.reason.contains("another log of the name")).collect();
    assert_eq!((of_other.len(), losses.len()), (3, 3), "{losses:?}");
    assert!(of_other.iter().all(|loss| loss.ids.is_none() && loss.reason.contains("saved as the log \"default-")));
    for made in recovered(&directory, 41) {
        let names = segments(&made);
        let (ours, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with("default."));
        assert_eq!((ours.len(), others.len()), (4, 3), "{names:?}");
        let log = others[0].split('.').next().unwrap();
        assert!(
            others.iter().enumerate().all(|(at, name)| **name == format!("{log}.{:010}.binlog", at + 1)),
            "{names:?}"
        );
        let shown = rows(&made, ReaderMode::Strict);
        assert_eq!((&shown[..40], shown.len()), (&mine[..], 70));
        let writer =
            Writer::open(Arc::new(made.clone()), WriterOptions { name: log.to_owned(), ..Default::default() }).unwrap();
        assert_eq!(writer.append(1, b"behind").unwrap(), 31);
        writer.close().unwrap();
    }
}

#[test]
fn the_ids_of_segments_that_are_gone_from_the_end_are_lost_and_not_given_again() {
    for gone in [1, 2, 3] {
        let directory = a_log();
        for number in SEGMENTS - gone + 1..=SEGMENTS {
            directory.remove(&segment(number)).unwrap();
        }
        let left = (SEGMENTS - gone) as u64 * RECORDS;
        let (recovery, heard) = in_place(&copy(&directory));
        // The lock file records what the last segment held when the log was closed.
        let known = SEGMENTS as u64 * RECORDS;
        assert_eq!(recovery.lost_records, known - left, "{heard:?}");
        assert!(heard.iter().all(|loss| loss.ids.is_some()), "{heard:?}");
        for made in recovered(&directory, known + 1) {
            assert_eq!(rows(&made, ReaderMode::Strict).len() as u64, left);
        }
    }
}

#[test]
fn a_log_whose_only_header_is_lost_continues_after_it_was_recovered() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory);
    for _ in 0..RECORDS {
        writer.append(1, b"a record").unwrap();
    }
    writer.close().unwrap();
    for with_lock in [true, false] {
        let damaged = copy(&directory);
        let mut bytes = damaged.contents(&segment(1)).unwrap();
        bytes[20] ^= 1;
        damaged.set_contents(&segment(1), bytes);
        if !with_lock {
            damaged.remove("default.lock").unwrap();
        }
        for made in recovered(&damaged, RECORDS + 1) {
            assert_eq!(rows(&made, ReaderMode::Strict).len() as u64, RECORDS);
        }
    }
}

/// The segment has no log id, and the lock file's facts count for one log id.
#[test]
fn a_segment_that_is_missing_behind_one_without_its_header_is_known_to_have_been_durable() {
    let directory = a_log_of(2);
    let mut bytes = directory.contents(&segment(1)).unwrap();
    bytes[20] ^= 1;
    directory.set_contents(&segment(1), bytes);
    directory.remove(&segment(2)).unwrap();
    let (options, heard) = crate::common::hearing(ReaderMode::Salvage);
    let reader = Reader::open(Arc::new(directory), options).unwrap();
    assert_eq!(rows_of(&reader).len() as u64, RECORDS);
    let last = heard.lock().unwrap().last().cloned().unwrap();
    assert_eq!((last.kind, last.durable), (LossKind::Missing, true), "{last:?}");
}

#[test]
fn a_damaged_compressed_form_is_put_aside_and_its_source_kept() {
    let directory = a_log();
    let sources: Vec<(String, Vec<u8>)> =
        (1..=2).map(|number| (segment(number), directory.contents(&segment(number)).unwrap())).collect();
    binlog::compression::compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    for (name, bytes) in &sources {
        directory.set_contents(name, bytes.clone());
    }
    let expected = rows(&directory, ReaderMode::Prefix);
    let made = "default.0000000001.z.binlog";
    let bytes = directory.contents(made).unwrap();
    for change in [(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>), |bytes| bytes[20] ^= 1]
    {
        let mut damaged = bytes.clone();
        change(&mut damaged);
        directory.set_contents(made, damaged.clone());
        let place = copy(&directory);
        let (recovery, heard) = in_place(&place);
        assert_eq!((recovery.segments.len(), heard.len()), (0, 1), "{heard:?} {:?} {}", place.list(), bytes.len());
        assert_eq!(place.contents(&format!("{made}.damaged")), Some(damaged));
        assert_eq!(place.contents(&sources[0].0).as_ref(), Some(&sources[0].1));
        for made in recovered(&directory, 41) {
            assert_eq!(rows(&made, ReaderMode::Strict), expected);
        }
    }
}

#[test]
fn records_that_are_lost_at_the_end_are_no_gap_for_the_segment_that_comes_next() {
    let directory = a_log();
    directory.remove(&segment(4)).unwrap();
    directory.remove(&segment(3)).unwrap();
    in_place(&directory);
    let writer = open(&directory);
    writer.roll().unwrap();
    let id = writer.append(1, b"in the next one").unwrap();
    writer.close().unwrap();
    assert_eq!(rows(&directory, ReaderMode::Strict).last().map(|row| row.id), Some(id));
}

#[test]
fn a_log_of_which_nothing_is_left_is_an_empty_one_that_continues_behind_what_was_given() {
    let directory = a_log();
    (1..SEGMENTS).for_each(|number| directory.remove(&segment(number)).unwrap());
    directory.set_contents(&segment(SEGMENTS), vec![0x11; 5000]);
    let (place, target) = (copy(&directory), MemoryDirectory::new());
    let (recovery, heard) = in_place(&place);
    assert_eq!((recovery.records, recovery.losses, heard.len()), (0, 1, 1), "{heard:?}");
    assert_eq!(place.contents(&format!("{}.damaged", segment(SEGMENTS))), Some(vec![0x11; 5000]));
    let recovery =
        binlog::recovery::recover(Arc::new(directory), Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((recovery.records, recovery.losses), (0, 1));
    for made in [place, target] {
        assert!(rows(&made, ReaderMode::Strict).is_empty());
        assert_eq!(in_place(&made).0, Recovery::default());
        let writer = open(&made);
        assert_eq!(writer.append(1, b"behind").unwrap(), SEGMENTS as u64 * RECORDS + 1);
        writer.close().unwrap();
        assert_eq!(rows(&made, ReaderMode::Strict).len(), 1);
    }
}

/// The situations that a recovery has to handle, with their descriptions.
fn situations() -> Vec<(&'static str, MemoryDirectory)> {
    let whole = a_log();
    let compressed = copy(&whole);
    binlog::compression::compress(Arc::new(compressed.clone()), &CompressOptions::default()).unwrap();
    let mut made = vec![];
    let mut add = |what: &'static str, change: &dyn Fn(&MemoryDirectory)| {
        let directory = copy(&whole);
        change(&directory);
        made.push((what, directory));
    };
    let flip = |directory: &MemoryDirectory, name: &str, at: usize| {
        let mut bytes = directory.contents(name).unwrap();
        bytes[at] ^= 1;
        directory.set_contents(name, bytes);
    };
    add("swapped", &|directory| {
        rename(directory, &segment(1), "third");
        rename(directory, &segment(3), &segment(1));
        rename(directory, "third", &segment(3));
    });
    add("copied and renamed", &|directory| {
        directory.set_contents(&segment(9), directory.contents(&segment(2)).unwrap());
        rename(directory, &segment(4), "a copy.binlog");
    });
    add("a log of the same name", &|directory| {
        let other = a_log_of(2);
        (1..=2)
            .for_each(|number| directory.set_contents(&segment(number + 4), other.contents(&segment(number)).unwrap()));
    });
    add("compressed and damaged", &|directory| {
        let (one, two) = ("default.0000000001.z.binlog", "default.0000000002.z.binlog");
        let bytes = compressed.contents(one).unwrap();
        directory.set_contents(one, bytes[..bytes.len() - 200].to_vec());
        directory.set_contents(two, compressed.contents(two).unwrap());
        flip(directory, two, 20);
    });
    add("removed from the end", &|directory| (3..=4).for_each(|number| directory.remove(&segment(number)).unwrap()));
    add("headers and records damaged", &|directory| {
        flip(directory, &segment(1), 20);
        flip(directory, &segment(4), 20);
        let len = directory.contents(&segment(2)).unwrap().len();
        flip(directory, &segment(2), len / 2);
    });
    made
}

#[test]
fn a_recovery_that_is_killed_at_any_operation_is_finished_by_the_next_one() {
    for (what, directory) in situations() {
        let salvaged = rows(&directory, ReaderMode::Salvage);
        let whole = copy(&directory);
        in_place(&whole);
        let operations = whole.operations();
        let shown = rows(&whole, ReaderMode::Strict);
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&shown), ids(&salvaged), "{what}");
        // Each moment at the end, where files change their names, and some before.
        for from in (0..operations).filter(|from| from + 30 > operations || from % 13 == 0) {
            let place = copy(&directory);
            place.set_fault(Some(Fault { from, times: usize::MAX / 2, errno: libc::EIO, only: None }));
            let killed = binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default());
            place.set_fault(None);
            let context = format!("{what}, killed at operation {from}: {killed:?}");
            in_place(&place);
            assert_eq!(ids(&rows(&place, ReaderMode::Strict)), ids(&shown), "{context}");
            let files = files_but_the_lock(&place);
            assert!(files.iter().all(|name| !name.ends_with(".recovering")), "{context}: {files:?}");
            let again = in_place(&place);
            assert_eq!((again.0, files_but_the_lock(&place)), (Recovery::default(), files), "{context}");
            let names = |directory: &MemoryDirectory| segments(directory);
            assert_eq!(names(&place), names(&whole), "{context}");
            let writer = open(&place);
            assert!(writer.append(1, b"behind").is_ok(), "{context}");
            writer.close().unwrap();
        }
    }
}

/// A log of three segments, with the numbers 1, 2, 3, under each other's names, one of which has lost its header as
/// well.
#[test]
fn a_damaged_segment_under_another_ones_name_is_put_where_its_ids_belong() {
    for compressed in [false, true] {
        for (one, other) in [(1, 3), (2, 4), (3, 4), (1, 2)] {
            for damaged in [one, other] {
                let whole = a_log();
                if compressed {
                    binlog::compression::compress(Arc::new(whole.clone()), &CompressOptions::default()).unwrap();
                }
                let expected = rows(&whole, ReaderMode::Strict);
                let names: Vec<String> = segments(&whole);
                let (one_name, other_name) = (&names[one - 1], &names[other - 1]);
                let (mut a, mut b) = (whole.contents(one_name).unwrap(), whole.contents(other_name).unwrap());
                let header = if damaged == one { &mut a } else { &mut b };
                header[20] ^= 1;
                whole.set_contents(other_name, a);
                whole.set_contents(one_name, b);
                let what = format!("{one} and {other}, {damaged} damaged, compressed: {compressed}");
                assert_eq!(rows(&whole, ReaderMode::Salvage), expected, "{what}");
                for made in recovered(&whole, SEGMENTS as u64 * RECORDS + 1) {
                    assert_eq!(rows(&made, ReaderMode::Strict), expected, "{what}");
                }
            }
        }
    }
}

/// Each record is whole in one of two files of its segment.
#[test]
fn a_segment_of_which_two_files_are_damaged_is_recovered_in_place_from_both() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    (0..100).for_each(|i| assert!(writer.append(1, &crate::common::noise(500, i)).is_ok()));
    writer.close().unwrap();
    let whole = directory.contents(&segment(1)).unwrap();
    let blocks: Vec<_> =
        crate::common::layout::Segment::parse(&whole).blocks.iter().map(|block| block.payload.clone()).collect();
    assert!(blocks.len() > 8);
    let damaged = |block: usize| {
        let mut bytes = whole.clone();
        bytes[blocks[block].start + 10] ^= 1;
        bytes
    };
    let expected = rows(&directory, ReaderMode::Strict);
    directory.set_contents(&segment(1), damaged(6));
    directory.set_contents(&segment(0), damaged(3));
    assert_eq!(rows(&directory, ReaderMode::Salvage), expected);
    for made in recovered(&directory, 101) {
        assert_eq!(rows(&made, ReaderMode::Strict), expected);
    }
}

#[test]
fn records_that_are_lost_with_the_beginning_of_the_oldest_segment_left_are_reported() {
    for pruned in [false, true] {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        for _ in 0..2 {
            (0..100).for_each(|i| assert!(writer.append(1, &crate::common::noise(500, i)).is_ok()));
            writer.roll().unwrap();
        }
        writer.close().unwrap();
        let mut bytes = directory.contents(&segment(2)).unwrap();
        let first = crate::common::layout::Segment::parse(&bytes)
            .blocks
            .iter()
            .find(|block| !block.payload.is_empty())
            .unwrap()
            .end();
        bytes[..first].fill(0);
        directory.set_contents(&segment(2), bytes);
        if pruned {
            directory.remove(&segment(1)).unwrap();
        }
        let (options, heard) = crate::common::hearing(ReaderMode::Salvage);
        let shown = rows_of(&Reader::open(Arc::new(directory.clone()), options).unwrap());
        let heard = heard.lock().unwrap();
        let lost: u64 = heard.iter().map(|loss| loss.ids.map_or(0, |(first, last)| last - first + 1)).sum();
        let there = if pruned { 100 } else { 200 };
        assert_eq!((shown.len() as u64 + lost, lost > 0), (there, true), "{heard:?}");
    }
}

/// The file that was emptied keeps no segment from its name.
#[test]
fn a_segment_gets_the_name_back_that_an_emptied_file_has() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for id in 1..=6u64 {
        writer.append(1, &id.to_le_bytes()).unwrap();
        if id % 2 == 0 && id < 6 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    let name = |number: u64| format!("default.{number:010}.binlog");
    directory.set_contents(&name(3), directory.contents(&name(2)).unwrap());
    directory.set_contents(&name(2), vec![]);
    recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let mut files = directory.list().unwrap();
    files.retain(|name| name.ends_with(".binlog"));
    assert_eq!(files, [name(1), name(2)]);
    let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), strict).unwrap();
    let rows = common::read(&reader, &Filter::default(), common::Way::Next).whole();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

/// A log of one file may have any name; in a directory it is found by its ending.
#[test]
fn a_log_of_one_file_without_the_ending_of_segments_is_recovered_to_a_directory_that_can_be_read() {
    let source = MemoryDirectory::new();
    let file = || Location::File(Arc::new(source.clone()), "log.dat".to_owned());
    let writer = Writer::open(file(), WriterOptions::default()).unwrap();
    (0..1000u64).for_each(|i| assert!(writer.append(1, &i.to_le_bytes()).is_ok()));
    writer.close().unwrap();
    let target = MemoryDirectory::new();
    let recovery = recover(file(), Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((recovery.records, recovery.losses), (1000, 0));
    let reader = Reader::open(Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(common::read(&reader, &Filter::default(), common::Way::Next).whole().len(), 1000);
    let again = recover(file(), Arc::new(target.clone()), ReaderOptions::default()).unwrap_err();
    assert_eq!(again.kind(), Kind::Invalid, "{again}");
}
