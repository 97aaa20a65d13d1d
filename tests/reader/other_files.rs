//! Two files of one segment: copies, and a compressed form beside its source. Damage to one of them hides nothing that
//! the other one holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::history::*;
use crate::common::layout::Segment;
use crate::common::*;
use binlog::compression::{compress, CompressOptions};
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Codec, Filter, WriterOptions};

fn name(sequence: u32) -> String {
    format!("default.{sequence:010}.binlog")
}

/// Three segments of 30 records each. Without their lock file, each is judged by its files alone.
fn a_log() -> Log {
    let mut log = Log::of_segments(3, small_blocks(Codec::None));
    log.close();
    log.directory.remove("default.lock").unwrap();
    log
}

/// Asserts that all records of the log are shown, in either direction, and that no record is reported lost.
fn assert_all(log: &Log, directory: &MemoryDirectory, what: &str) {
    let seen = read(&open(directory), &Filter::default(), Way::Next);
    assert_rows(&seen.rows, &log.rows, what);
    assert!(seen.end.is_ok(), "{what}: {:?}", seen.end);
    let (rows, losses) = salvaged(directory);
    assert_rows(&rows, &log.rows, what);
    assert!(losses.iter().all(|loss| loss.ids.is_none()), "{what}: {losses:?}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::none());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A file damaged in some way, and how.
fn damaged(whole: &[u8]) -> Vec<(Vec<u8>, String)> {
    let mut all = vec![];
    for at in [300, whole.len() / 3, whole.len() / 2, whole.len() - 300] {
        let (before, after) = whole.split_at(at);
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1;
        all.push((flipped, format!("a flipped bit at {at}")));
        all.push(([before, &[7; 16], after].concat(), format!("16 bytes too many at {at}")));
        all.push(([before, &after[16..]].concat(), format!("16 bytes too few at {at}")));
        all.push((before.to_vec(), format!("cut at {at}")));
        all.push(([before, &vec![0; after.len()]].concat(), format!("zeros from {at} on")));
    }
    all.push(([whole, &[7; 900]].concat(), "bytes behind the end".to_owned()));
    all
}

#[cfg(feature = "gzip")]
#[test]
fn damage_to_one_of_two_copies_hides_no_record_of_the_other_whichever_is_longer() {
    let log = a_log();
    for sequence in 1..=3 {
        for packed in [false, true] {
            let ending = if packed { ".gz" } else { "" };
            let whole = log.directory.contents(&name(sequence)).unwrap();
            let whole = if packed { gzip(&whole) } else { whole };
            let (right, wrong) = (name(sequence) + ending, name(7) + ending);
            for (bad, how) in damaged(&whole) {
                for (healthy, broken) in [(&right, &wrong), (&wrong, &right)] {
                    let directory = copy_of(&log.directory);
                    directory.remove(&name(sequence)).unwrap();
                    directory.set_contents(healthy, whole.clone());
                    directory.set_contents(broken, bad.clone());
                    assert_all(&log, &directory, &format!("{broken} has {how}"));
                }
            }
        }
    }
}

#[test]
fn a_form_that_was_cut_off_where_a_block_ends_is_replaced_by_the_other_one() {
    let log = a_log();
    let keep = CompressOptions { keep_source: true, ..CompressOptions::default() };
    assert_eq!(compress(Arc::new(log.directory.clone()), &keep).unwrap().len(), 2);
    for sequence in [1, 2] {
        for file in [name(sequence), name(sequence).replace(".binlog", ".z.binlog")] {
            let whole = log.directory.contents(&file).unwrap();
            let segment = Segment::parse(&whole);
            for end in segment.blocks.iter().map(|block| block.offset) {
                let directory = copy_of(&log.directory);
                directory.set_contents(&file, whole[..end].to_vec());
                assert_all(&log, &directory, &format!("{file} cut at {end}"));
            }
        }
    }
}

#[test]
fn records_that_one_form_has_shown_are_not_lost_with_the_other() {
    let log = a_log();
    let keep = CompressOptions { keep_source: true, block_bytes: 4 << 10, ..CompressOptions::default() };
    compress(Arc::new(log.directory.clone()), &keep).unwrap();
    let compressed = name(2).replace(".binlog", ".z.binlog");
    let [source, made] = [&name(2), &compressed].map(|file| log.directory.contents(file).unwrap());
    let blocks =
        |bytes: &[u8]| Segment::parse(bytes).blocks.into_iter().filter(|block| block.count > 0).collect::<Vec<_>>();
    assert!(blocks(&made).len() > 2);
    for of_source in blocks(&source) {
        for of_made in blocks(&made) {
            let directory = copy_of(&log.directory);
            for (file, bytes, block) in [(&name(2), &source, &of_source), (&compressed, &made, &of_made)] {
                let mut bytes = bytes.clone();
                bytes[block.offset + 30] ^= 1;
                directory.set_contents(file, bytes);
            }
            let what = format!("damage at {} and {}", of_source.offset, of_made.offset);
            let (rows, losses) = salvaged(&directory);
            let shown: BTreeSet<u64> = rows.iter().map(|row| row.id).collect();
            let lost: BTreeSet<u64> =
                losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
            assert_eq!(rows.len(), shown.len(), "{what}");
            let gone: BTreeSet<u64> = (1..=90).filter(|id| !shown.contains(id)).collect();
            assert_eq!(lost, gone, "{what}: {losses:?}");
            // The compressed one is read first, and not again.
            assert!(gone.iter().all(|&id| of_source.ids().contains(&id)), "{what}: {gone:?}");
        }
    }
}

/// A source that breaks off at a block's end or in zeros, of a segment that has a whole copy.
#[cfg(feature = "gzip")]
#[test]
fn a_source_that_ends_too_early_is_replaced_by_any_whole_file_of_its_segment() {
    let mut log = Log::new(WriterOptions { fill_ahead: Some(1 << 20), ..small_blocks(Codec::None) });
    for i in 0..20 {
        log.put_plain(1, i, 500);
        if i % 5 == 4 {
            log.writer().flush().unwrap();
        }
    }
    // A TRAILER in the middle of the segment.
    log.close();
    log.reopen(Codec::None);
    for i in 20..40 {
        log.put_plain(1, i, 500);
        if i % 5 == 4 {
            log.writer().flush().unwrap();
        }
    }
    log.writer().roll().unwrap();
    log.put_plain(1, 40, 500);
    log.close();
    let log = Log { directory: copy_of(&log.directory), ..log };
    log.directory.remove("default.lock").unwrap();
    let whole = log.directory.contents(&name(1)).unwrap();
    let ends: Vec<usize> = Segment::parse(&whole).blocks.iter().map(|block| block.offset).collect();
    let copies =
        [(name(1) + ".gz", gzip(&whole)), (name(7), whole.clone()), ("default.old.binlog".into(), whole.clone())];
    for &end in &ends {
        for (copy, bytes) in &copies {
            let zeros = [&whole[..end], &vec![0; whole.len() - end]].concat();
            for (what, source) in [("cut", whole[..end].to_vec()), ("zeros from", zeros)] {
                let directory = copy_of(&log.directory);
                directory.set_contents(&name(1), source);
                directory.set_contents(copy, bytes.clone());
                assert_all(&log, &directory, &format!("{what} {end}, whole in {copy}"));
            }
        }
    }
}

#[test]
fn each_other_file_of_a_segment_is_tried_in_turn() {
    let log = a_log();
    let whole = log.directory.contents(&name(2)).unwrap();
    let blocks: Vec<usize> =
        Segment::parse(&whole).blocks.iter().filter(|block| block.count > 0).map(|block| block.offset).collect();
    let flipped = |block: usize| {
        let mut bytes = whole.clone();
        bytes[blocks[block] + 30] ^= 1;
        bytes
    };
    let earlier = whole[..blocks[2]].to_vec();
    let files = [name(2), name(7), "default.old.binlog".to_owned()];
    for [good, bad, third] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for (what, other) in [("damaged later", flipped(3)), ("an earlier copy", earlier.clone())] {
            let directory = copy_of(&log.directory);
            for (file, bytes) in [(good, &whole), (bad, &flipped(1)), (third, &other)] {
                directory.set_contents(&files[file], bytes.clone());
            }
            assert_all(&log, &directory, &format!("whole in {}, {what} in {}", files[good], files[third]));
        }
    }
}

#[test]
fn a_file_of_which_nothing_can_be_read_hides_no_segment_of_its_number() {
    let log = a_log();
    for number in 1..=3 {
        for file in [format!("default!{number:010}.binlog"), format!("default.{number:010}.copy.binlog")] {
            for contents in [vec![], vec![0; 5000], payload(5000, 3)] {
                let directory = copy_of(&log.directory);
                let what = format!("{file}, {} bytes", contents.len());
                directory.set_contents(&file, contents);
                assert_all(&log, &directory, &what);
                let newest = read(&open(&directory), &Filter { newest_first: true, ..Filter::default() }, Way::Next);
                assert!(newest.end.is_ok() && newest.rows.iter().rev().eq(&log.rows), "{what}");
            }
        }
    }
}

/// A cursor that seeks shows the first record from the damaged file, page by page, before it meets the damage.
#[cfg(feature = "gzip")]
#[test]
fn a_cursor_that_seeks_into_a_damaged_file_shows_each_record_once() {
    let mut log = Log::new(WriterOptions { block_bytes: 1 << 20, ..small_blocks(Codec::None) });
    for i in 0..18 {
        log.put_plain(1, i, 3000);
        if i % 6 == 5 {
            log.writer().roll().unwrap();
        }
    }
    log.close();
    let whole = log.directory.contents(&name(2)).unwrap();
    let mut flipped = whole.clone();
    flipped[13_000] ^= 1;
    for (copy, bytes) in [(name(2) + ".gz", gzip(&whole)), (name(9), whole.clone())] {
        for bad in [whole[..13_000].to_vec(), flipped.clone()] {
            let directory = copy_of(&log.directory);
            directory.set_contents(&name(2), bad);
            directory.set_contents(&copy, bytes.clone());
            for from in 5..14 {
                for by_get in [false, true] {
                    let mut cursor = open(&directory).cursor(&Filter::default()).unwrap();
                    let mut ids = vec![];
                    match by_get {
                        true => ids.push(cursor.get(from).unwrap().unwrap().id),
                        false => cursor.seek(from).unwrap(),
                    }
                    while let Some(record) = cursor.next().unwrap() {
                        ids.push(record.id);
                    }
                    assert!(ids.iter().copied().eq(from..=18), "{copy}, from {from}: {ids:?}");
                }
            }
        }
    }
}
