//! Salvage at the ends of files and across segments: cut, missing, shortened, repeated and foreign ones, and logs that a
//! writer has open.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use binlog::io::{Directory, MemoryDirectory};
use binlog::{Codec, Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, TailState, WriterOptions};
use common::history::*;
use common::layout::{self, Segment};
use common::*;

fn name(sequence: u32) -> String {
    format!("default.{sequence:010}.binlog")
}

/// What a salvaging cursor shows, and the losses that it told of.
struct Saved {
    rows: Vec<Row>,
    losses: Vec<Loss>,
    state: TailState,
}

fn salvage(directory: &MemoryDirectory, way: Way) -> Saved {
    let losses = Arc::new(Mutex::new(vec![]));
    let told = losses.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        on_loss: Some(Arc::new(move |loss: &Loss| told.lock().unwrap().push(loss.clone()))),
        ..ReaderOptions::default()
    };
    let reader = Reader::open_in(Arc::new(directory.clone()), options).unwrap();
    let seen = read(&reader, &Filter::default(), way);
    let state = seen.tail().state;
    let losses = losses.lock().unwrap().clone();
    Saved { rows: seen.rows, losses, state }
}

/// The ids that losses tell of, none of them twice.
fn ids(losses: &[Loss]) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    for id in losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last) {
        assert!(ids.insert(id), "{id} is told twice: {losses:?}");
    }
    ids
}

/// A log of so many segments with 30 records each, of one to two pages a block.
fn a_log(segments: usize, codec: Codec) -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 8 << 10, ..small_blocks(codec) });
    for i in 0..30 * segments {
        if i > 0 && i % 30 == 0 {
            log.writer().roll().unwrap();
        }
        log.put_plain(i as u32 % 3, i as i64, i * 97 % 1300);
        if i % 7 == 0 {
            log.writer().flush().unwrap();
        }
    }
    log.close();
    log
}

/// Asserts that everything but these records is shown, and that those are told as lost.
fn assert_all_but(log: &Log, directory: &MemoryDirectory, lost: impl Fn(u64) -> bool, what: &str) -> Vec<Loss> {
    let left: Vec<Row> = log.rows.iter().filter(|row| !lost(row.id)).cloned().collect();
    for way in [Way::Next, Way::Batch(7), Way::Packed(0)] {
        let saved = salvage(directory, way);
        assert_rows(&saved.rows, &left, what);
        let gone: BTreeSet<u64> = log.rows.iter().map(|row| row.id).filter(|&id| lost(id)).collect();
        assert_eq!(ids(&saved.losses), gone, "{what}: {:?}", saved.losses);
    }
    salvage(directory, Way::Next).losses
}

#[test]
fn a_file_cut_anywhere_shows_the_records_of_its_whole_pages() {
    for codec in codecs() {
        let mut log = a_log(1, codec);
        let whole = log.directory.contents(&name(1)).unwrap();
        let segment = Segment::parse(&whole);
        log.directory = copy_of(&log.directory);
        for len in (segment.start..whole.len()).step_by(if codec == Codec::None { 61 } else { 97 }) {
            let directory = MemoryDirectory::new();
            directory.set_contents(&name(1), whole[..len].to_vec());
            let mut kept = BTreeSet::new();
            let mut cut = None;
            for block in segment.blocks.iter().filter(|block| block.offset < len) {
                if block.end() <= len {
                    kept.extend(block.ids());
                    continue;
                }
                cut = Some(block);
                let is_there = |place: &std::ops::Range<usize>| {
                    let to =
                        (place.end - block.payload.start).div_ceil(layout::PAGE) * layout::PAGE + block.payload.start;
                    block.entries.end <= len && (place.is_empty() || to.min(block.payload.end) <= len)
                };
                let there = block.records.iter().filter(|(place, _)| is_there(place));
                kept.extend(there.filter_map(|(_, id)| *id));
            }
            let left: Vec<Row> = log.rows.iter().filter(|row| kept.contains(&row.id)).cloned().collect();
            let saved = salvage(&directory, Way::Batch(3));
            let what = format!("{codec:?} cut to {len}, in {cut:?}");
            assert_rows(&saved.rows, &left, &what);
            assert_ne!(saved.state, TailState::Closed);
            let told = ids(&saved.losses);
            match cut.filter(|block| block.entries.end <= len) {
                Some(block) => {
                    let lost: BTreeSet<u64> = block.ids().filter(|id| !kept.contains(id)).collect();
                    assert_eq!(told, lost, "{what}: {:?}", saved.losses);
                }
                None => assert!(told.is_empty(), "{what}: {:?}", saved.losses),
            }
            assert_eq!(saved.losses.is_empty(), cut.is_none(), "{what}: {:?}", saved.losses);
        }
    }
}

#[test]
fn a_cut_in_a_segment_that_others_follow_is_told_to_its_last_record() {
    let log = a_log(3, Codec::None);
    let whole = log.directory.contents(&name(2)).unwrap();
    let segment = Segment::parse(&whole);
    for len in (segment.start..whole.len()).step_by(501) {
        let directory = copy_of(&log.directory);
        directory.set_contents(&name(2), whole[..len].to_vec());
        let saved = salvage(&directory, Way::Next);
        let shown: BTreeSet<u64> = saved.rows.iter().map(|row| row.id).collect();
        let missing: BTreeSet<u64> = (1..=90).filter(|id| !shown.contains(id)).collect();
        assert_eq!(ids(&saved.losses), missing, "cut to {len}: {:?}", saved.losses);
        assert!(missing.iter().all(|id| (31..=60).contains(id)) && !saved.losses.is_empty());
        let whole_blocks = segment.blocks.iter().filter(|block| block.end() <= len);
        assert!(whole_blocks.flat_map(|block| block.ids()).all(|id| shown.contains(&id)));
        assert_eq!(saved.state, TailState::Closed);
    }
}

#[test]
fn a_missing_segment_is_told_with_its_records() {
    let log = a_log(5, Codec::Zstd);
    for missing in [vec![2], vec![3, 4], vec![2, 4]] {
        let directory = copy_of(&log.directory);
        missing.iter().for_each(|&sequence| directory.remove(&name(sequence)).unwrap());
        let lost = |id: u64| missing.contains(&(id.div_ceil(30) as u32));
        let losses = assert_all_but(&log, &directory, lost, &format!("{missing:?} missing"));
        assert!(losses.iter().all(|loss| loss.bytes == 0 && loss.pages.is_none()), "{losses:?}");
    }
    // The first one may have been removed for its age, and of the last one only the log itself tells.
    let directory = copy_of(&log.directory);
    directory.remove(&name(1)).unwrap();
    assert_rows(&salvage(&directory, Way::Next).rows, &log.rows[30..], "the first missing");
    let directory = copy_of(&log.directory);
    directory.remove(&name(5)).unwrap();
    let saved = salvage(&directory, Way::Next);
    assert_rows(&saved.rows, &log.rows[..120], "the last missing");
    assert_eq!(saved.state, TailState::Unclosed);
}

#[test]
fn a_segment_twice_is_shown_once() {
    let log = a_log(3, Codec::None);
    for twice in 1..=3 {
        for copy in ["another.binlog", "zz.binlog"] {
            let directory = copy_of(&log.directory);
            directory.set_contents(copy, directory.contents(&name(twice)).unwrap());
            let losses = assert_all_but(&log, &directory, |_| false, &format!("segment {twice} twice"));
            assert!(!losses.is_empty(), "the second one is told of");
        }
    }
}

#[test]
fn a_segment_of_another_log_hides_nothing_of_either() {
    let (ours, theirs) = (a_log(3, Codec::None), a_log(2, Codec::None));
    let directory = copy_of(&ours.directory);
    directory.set_contents(&name(2), theirs.directory.contents(&name(2)).unwrap());
    let saved = salvage(&directory, Way::Next);
    let mut expected: Vec<u64> = (1..=30).chain(61..=90).collect();
    let at = if saved.rows[0].id == 31 { 0 } else { expected.len() };
    expected.splice(at..at, 31..=60);
    assert_eq!(saved.rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
    assert_eq!(ids(&saved.losses), (31..=60).collect(), "ours are lost: {:?}", saved.losses);
}

#[test]
fn damage_in_several_segments_is_told_with_the_file_it_is_in() {
    let log = a_log(4, Codec::None);
    let directory = copy_of(&log.directory);
    let mut lost = BTreeSet::new();
    for sequence in 1..=4 {
        let mut bytes = directory.contents(&name(sequence)).unwrap();
        let segment = Segment::parse(&bytes);
        let block = segment.blocks.iter().filter(|block| block.count > 2).nth(sequence as usize % 3).unwrap();
        bytes[block.offset + 30] ^= 1;
        lost.extend(block.ids());
        directory.set_contents(&name(sequence), bytes);
    }
    let losses = assert_all_but(&log, &directory, |id| lost.contains(&id), "a block of each segment");
    let paths: BTreeSet<_> = losses.iter().map(|loss| loss.path.clone()).collect();
    assert_eq!((losses.len(), paths.len()), (4, 4), "{losses:?}");
}

#[test]
fn a_log_that_a_writer_has_open_has_no_loss() {
    let mut log = a_log(1, Codec::None);
    log.reopen(Codec::None);
    for i in 0..40 {
        log.put_plain(1, i, 700);
    }
    log.writer().flush().unwrap();
    let whole = log.directory.contents(&name(1)).unwrap();
    let saved = salvage(&log.directory, Way::Next);
    assert_rows(&saved.rows, &log.rows, "live");
    assert!(saved.losses.is_empty() && saved.state == TailState::Live, "{:?}", saved.losses);
    // As while the writer is in the middle of its last block.
    let last = Segment::parse(&whole).blocks.last().unwrap().clone();
    let file = log.directory.open(&name(1), binlog::io::Access::ReadWrite).unwrap();
    for len in [last.offset + 1, last.offset + 79, last.entries.start, last.payload.start + 5, last.end() - 1] {
        file.set_len(len as u64).unwrap();
        let saved = salvage(&log.directory, Way::Batch(5));
        assert_rows(&saved.rows, &log.rows[..last.first_id as usize - 1], "before the last block");
        assert!(saved.losses.is_empty() && saved.state == TailState::Live, "{len}: {:?}", saved.losses);
    }
}

#[test]
fn what_was_never_durable_is_told_so() {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..60 {
        log.put_plain(1, i, 500);
        match i {
            29 => log.writer().sync().unwrap(),
            i if i % 5 == 4 => log.writer().flush().unwrap(),
            _ => (),
        }
    }
    log.crash();
    let whole = log.directory.contents(&name(1)).unwrap();
    let segment = Segment::parse(&whole);
    let durable_end = segment.blocks.last().unwrap().durable_end as usize;
    assert!(segment.blocks.iter().any(|block| block.offset == durable_end));
    for block in segment.blocks.iter().filter(|block| block.count > 0) {
        let mut bytes = whole.clone();
        bytes[block.offset + 9] ^= 1;
        log.directory.set_contents(&name(1), bytes);
        let is_last = block.offset == segment.blocks.last().unwrap().offset;
        let losses = salvage(&log.directory, Way::Next).losses;
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!(losses[0].durable, block.offset < durable_end, "{losses:?}");
        assert_eq!(losses[0].ids.is_none(), is_last, "{losses:?}");
    }
}

#[test]
fn a_million_bytes_of_garbage_are_passed_over_at_once() {
    let log = a_log(1, Codec::None);
    let whole = log.directory.contents(&name(1)).unwrap();
    let marker = Segment::parse(&whole).marker.to_le_bytes();
    let garbage = [
        ("zeros", vec![0; 1_000_000]),
        ("noise", noise(1_000_000, 5)),
        ("the marker again and again", marker.into_iter().cycle().take(1_000_000).collect()),
        ("the log itself", whole.iter().copied().cycle().take(1_000_000).collect::<Vec<u8>>()),
    ];
    for (what, garbage) in garbage {
        let directory = MemoryDirectory::new();
        directory.set_contents(&name(1), [&whole[..], &garbage].concat());
        let begun = Instant::now();
        let saved = salvage(&directory, Way::Batch(100));
        assert!(begun.elapsed() < Duration::from_secs(3), "{what}: {:?}", begun.elapsed());
        assert_rows(&saved.rows, &log.rows, what);
        assert_eq!(saved.losses.len(), 1, "{what}: {:?}", saved.losses);
        let loss = &saved.losses[0];
        assert_eq!((loss.offset, loss.bytes, loss.ids), (whole.len() as u64, 1_000_000, None), "{what}");
    }
}

#[test]
fn a_salvaging_cursor_neither_seeks_nor_reads_backwards() {
    let log = a_log(1, Codec::None);
    let reader = open_mode(&log.directory, ReaderMode::Salvage);
    let newest = reader.cursor(&Filter { newest_first: true, ..Filter::default() });
    assert_eq!(newest.err().map(|e| e.kind()), Some(Kind::Invalid));
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    assert_eq!(cursor.seek(3).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(cursor.seek_time(3).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(cursor.get(3).unwrap_err().kind(), Kind::Unsupported);
    assert_rows(&drain(&mut cursor, Way::Next).whole(), &log.rows, "after all that");
    let last = Filter { last: Some(7), ..Filter::default() };
    assert_rows(&read(&reader, &last, Way::Next).whole(), &log.rows[23..], "the last seven");
}
