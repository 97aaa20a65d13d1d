//! What the lock file records when a log is closed: a cut end or a lost last segment is reported, and no id is given
//! again.

use std::sync::Arc;

use crate::common::layout::Segment;
use crate::common::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::recovery::Recovery;
use binlog::rolling::RollOptions;
use binlog::{Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const SEGMENTS: u64 = 3;
const RECORDS: u64 = 40;
const LOCK: &str = "default.lock";

fn segment(number: u64) -> String {
    format!("default.{number:010}.binlog")
}

fn open(directory: &MemoryDirectory) -> binlog::Result<Writer> {
    let options = WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
    Writer::open(Arc::new(directory.clone()), options)
}

/// Closed, with records in several blocks of each segment.
fn a_log() -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = open(&directory).unwrap();
    for number in 1..=SEGMENTS {
        (0..RECORDS).for_each(|i| assert!(writer.append(1, &noise(500, number * 100 + i)).is_ok()));
        if number < SEGMENTS {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    directory
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

/// The ids that a salvaging reader shows, and those that it reports as lost.
fn salvaged(directory: &MemoryDirectory) -> (Vec<u64>, Vec<u64>, Vec<Loss>) {
    let (options, heard) = hearing(ReaderMode::Salvage);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let shown = rows_of(&reader).iter().map(|row| row.id).collect();
    let heard = heard.lock().unwrap().clone();
    let lost = heard.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
    (shown, lost, heard)
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

#[test]
fn the_end_cut_off_a_closed_log_is_damage_wherever_it_is_cut_and_its_ids_are_not_given_again() {
    let whole = a_log();
    let last = segment(SEGMENTS);
    let bytes = whole.contents(&last).unwrap();
    // Each way to end, among them exactly between two blocks.
    let ends: Vec<usize> = Segment::parse(&bytes).blocks.iter().map(|block| block.end()).collect();
    assert!(ends.len() > 4, "{ends:?}");
    let cuts = (1..bytes.len()).step_by(331).chain(ends.iter().copied()).chain([bytes.len() - 1]);
    for cut in cuts.filter(|cut| *cut < bytes.len()) {
        let directory = copy(&whole);
        directory.set_contents(&last, bytes[..cut].to_vec());
        let (shown, lost, heard) = salvaged(&directory);
        let mut all = [shown.clone(), lost].concat();
        all.sort_unstable();
        assert_eq!(all, (1..=SEGMENTS * RECORDS).collect::<Vec<_>>(), "cut at {cut}: {heard:?}");
        assert!(!heard.is_empty(), "cut at {cut}");
        let refused = open(&directory).err().unwrap();
        assert_eq!(refused.kind(), Kind::Corrupt, "cut at {cut}: {refused}");
        assert_eq!(directory.contents(&last).unwrap().len(), cut, "what was refused is as it was");
        let (recovery, _) = in_place(&directory);
        assert_eq!(recovery.lost_records, SEGMENTS * RECORDS - shown.len() as u64, "cut at {cut}");
        let writer = open(&directory).unwrap();
        assert_eq!(writer.append(1, b"behind").unwrap(), SEGMENTS * RECORDS + 1, "cut at {cut}");
        writer.close().unwrap();
        assert_eq!(in_place(&directory).0, Recovery::default(), "cut at {cut}");
    }
}

#[test]
fn a_last_segment_that_is_missing_after_a_close_is_reported_with_its_ids() {
    let empty = |directory: &MemoryDirectory, name: &str| directory.set_contents(name, vec![]);
    let removed = |directory: &MemoryDirectory, name: &str| directory.remove(name).unwrap();
    for gone in [&empty as &dyn Fn(&MemoryDirectory, &str), &removed] {
        let directory = a_log();
        gone(&directory, &segment(SEGMENTS));
        let (shown, lost, _) = salvaged(&directory);
        assert_eq!(shown.len() as u64, (SEGMENTS - 1) * RECORDS);
        assert_eq!(lost, ((SEGMENTS - 1) * RECORDS + 1..=SEGMENTS * RECORDS).collect::<Vec<_>>());
        assert_eq!(open(&directory).err().map(|error| error.kind()), Some(Kind::Corrupt));
        in_place(&directory);
        let writer = open(&directory).unwrap();
        assert_eq!(writer.append(1, b"behind").unwrap(), SEGMENTS * RECORDS + 1);
    }
}

#[test]
fn a_log_of_which_no_segment_is_left_is_reported_and_continues_behind_all_ids_once_that_is_accepted() {
    // The file that would have been the next segment is there, or nothing is.
    for next in [Some(segment(SEGMENTS + 1)), None] {
        let log = a_log();
        let directory = copy(&log);
        (1..=SEGMENTS).for_each(|number| directory.remove(&segment(number)).unwrap());
        if let Some(next) = &next {
            directory.set_contents(next, vec![]);
            let (_, lost, heard) = salvaged(&directory);
            // Older ones may have been removed before, and are not reported as lost.
            assert_eq!((lost, heard.len()), (vec![], 1), "{heard:?}");
            assert!(heard[0].reason.contains("records up to 120"), "{heard:?}");
        } else {
            let nothing = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).err().unwrap();
            assert_eq!(nothing.kind(), Kind::NotFound);
            assert!(nothing.reason().contains("segments up to number 3, and records up to 120"), "{nothing}");
        }
        assert_eq!(open(&directory).err().map(|error| error.kind()), Some(Kind::Corrupt), "{next:?}");
        let (recovery, heard) = in_place(&directory);
        assert_eq!((recovery.losses, heard.len()), (1, 1), "{heard:?}");
        let writer = open(&directory).unwrap();
        assert_eq!(writer.append(1, b"behind").unwrap(), SEGMENTS * RECORDS + 1, "{next:?}");
        writer.close().unwrap();
        assert_eq!(in_place(&directory).0, Recovery::default());
        if next.is_none() {
            // They come back: the log continues after them.
            for name in (1..=SEGMENTS).map(segment) {
                directory.set_contents(&name, log.contents(&name).unwrap());
            }
            let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
            let rows = rows_of(&Reader::open(Arc::new(directory.clone()), strict).unwrap());
            assert!(rows.iter().map(|row| row.id).eq(1..=SEGMENTS * RECORDS + 1));
        }
    }
}

#[test]
fn what_a_hook_may_have_taken_away_at_the_close_is_not_missed() {
    let directory = MemoryDirectory::new();
    let taken = directory.clone();
    let mut options = WriterOptions { roll: RollOptions::default(), ..WriterOptions::default() };
    options.hooks.on_close.push(Arc::new(move |file| {
        let name = file.path.file_name().unwrap().to_str().unwrap().to_owned();
        taken.remove(&name).unwrap();
        Ok(None)
    }));
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    (1..=5).for_each(|id| assert_eq!(writer.append(1, b"x").unwrap(), id));
    writer.close().unwrap();
    assert!(!directory.list().unwrap().contains(&segment(1)));
    assert_eq!(open(&directory).unwrap().append(1, b"behind").unwrap(), 6);
}

#[test]
fn a_lock_file_whose_process_number_is_damaged_keeps_no_writer_away() {
    let directory = a_log();
    let mut bytes = directory.contents(LOCK).unwrap();
    bytes[1] ^= 0x40;
    directory.set_contents(LOCK, bytes.clone());
    let writer = open(&directory).unwrap();
    assert_eq!(writer.append(1, b"x").unwrap(), SEGMENTS * RECORDS + 1);
    writer.close().unwrap();
    // An unreadable lock file may be a foreign file: the error says what to do.
    directory.set_contents(LOCK, b"foreign notes".to_vec());
    let refused = open(&directory).err().unwrap();
    assert!(refused.reason().contains("`mv -n"), "{refused}");
    assert_eq!(directory.contents(LOCK).unwrap(), b"foreign notes");
}

/// A reader sees nothing missing at any moment, while a writer opens, appends and closes again and again.
#[test]
fn a_log_that_is_closed_and_opened_again_is_whole_at_every_moment() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("log");
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (path, ended) = (log.clone(), done.clone());
    Writer::open(&log, WriterOptions::default()).unwrap().close().unwrap();
    let reading = std::thread::spawn(move || {
        let mut looks = 0;
        while !ended.load(std::sync::atomic::Ordering::Acquire) {
            let (options, heard) = hearing(ReaderMode::Salvage);
            let reader = Reader::open(&path, options).unwrap();
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            while cursor.next().unwrap().is_some() {}
            // A block that is just being written may look torn, and was never durable.
            let heard: Vec<Loss> = heard.lock().unwrap().iter().filter(|loss| loss.durable).cloned().collect();
            assert_eq!(heard, []);
            looks += 1;
        }
        looks
    });
    for round in 0..60 {
        let writer = Writer::open(&log, WriterOptions::default()).unwrap();
        assert_eq!(writer.append(1, b"x").unwrap(), round + 1);
        if round % 7 == 3 {
            writer.roll().unwrap();
        }
        writer.close().unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Release);
    assert!(reading.join().unwrap() > 0);
}

/// The records are all there, and an INDEX and a TRAILER are written for those that were cut off, at another length.
#[test]
fn a_log_whose_index_was_cut_off_is_whole_when_that_is_written_anew_and_not_if_records_are_missing() {
    for lost_blocks in [0, 1] {
        let directory = a_log();
        let last = segment(SEGMENTS);
        let bytes = directory.contents(&last).unwrap();
        let blocks = Segment::parse(&bytes).blocks;
        let records: Vec<_> = blocks.iter().filter(|block| block.count > 0).collect();
        directory.set_contents(&last, bytes[..records[records.len() - 1 - lost_blocks].end()].to_vec());
        assert!(!salvaged(&directory).2.is_empty());
        assert_eq!(binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap().len(), 1);
        let (_, lost, heard) = salvaged(&directory);
        assert_eq!(heard.is_empty(), lost_blocks == 0, "{heard:?}");
        assert_eq!(open(&directory).is_ok(), lost_blocks == 0, "{lost:?}");
    }
}
