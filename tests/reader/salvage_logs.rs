//! Salvage at the ends of files and across segments: cut, missing, shortened, repeated and foreign ones, and logs that a
//! writer has open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::history::*;
use crate::common::layout::{self, Segment};
use crate::common::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Codec, Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, TailState, WriterOptions};

fn name(sequence: u32) -> String {
    format!("default.{sequence:010}.binlog")
}

/// What a salvaging cursor shows, and the losses that it reported.
struct Saved {
    rows: Vec<Row>,
    losses: Vec<Loss>,
    state: TailState,
}

fn salvage(directory: &MemoryDirectory, way: Way) -> Saved {
    let (options, losses) = hearing(ReaderMode::Salvage);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let seen = read(&reader, &Filter::default(), way);
    let state = seen.tail().state;
    let losses = losses.lock().unwrap().clone();
    Saved { rows: seen.rows, losses, state }
}

/// The ids of the losses, none of them twice.
fn ids(losses: &[Loss]) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    for id in losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last) {
        assert!(ids.insert(id), "{id} is reported twice: {losses:?}");
    }
    ids
}

/// A closed log of so many segments with 30 records each.
fn a_log(segments: usize, codec: Codec) -> Log {
    let mut log = Log::of_segments(segments, small_blocks(codec));
    log.close();
    log
}

/// Asserts that everything but these records is shown, and that those are reported as lost.
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
            let reported = ids(&saved.losses);
            match cut.filter(|block| block.offset + layout::HEADER <= len) {
                Some(block) => {
                    let lost: BTreeSet<u64> = block.ids().filter(|id| !kept.contains(id)).collect();
                    assert_eq!(reported, lost, "{what}: {:?}", saved.losses);
                }
                None => assert!(reported.is_empty(), "{what}: {:?}", saved.losses),
            }
            assert_eq!(saved.losses.is_empty(), cut.is_none(), "{what}: {:?}", saved.losses);
        }
    }
}

#[test]
fn a_cut_in_a_segment_that_others_follow_is_reported_to_its_last_record() {
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
fn a_missing_segment_is_reported_with_its_records() {
    let log = a_log(5, Codec::Zstd);
    for missing in [vec![2], vec![3, 4], vec![2, 4]] {
        let directory = copy_of(&log.directory);
        missing.iter().for_each(|&sequence| directory.remove(&name(sequence)).unwrap());
        let lost = |id: u64| missing.contains(&(id.div_ceil(30) as u32));
        let losses = assert_all_but(&log, &directory, lost, &format!("{missing:?} missing"));
        assert!(losses.iter().all(|loss| loss.bytes == 0 && loss.pages.is_none()), "{losses:?}");
    }
    // The first one may have been removed for its age, and only the log itself records that the last one was there.
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
            assert!(!losses.is_empty(), "the second one is reported");
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
fn damage_in_several_segments_is_reported_with_the_file_it_is_in() {
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
    // As while the writer is writing its last block.
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
fn what_was_never_durable_is_reported_as_that() {
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

/// A log of three segments, the last of them synced.
fn a_synced_log() -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 8 << 10, ..small_blocks(Codec::None) });
    for i in 1..=90 {
        log.put_plain(1, i, 300);
        match i {
            30 | 60 => log.writer().roll().unwrap(),
            75 => log.writer().sync().unwrap(),
            _ => (),
        }
    }
    log.close();
    log
}

#[test]
fn what_a_later_segment_was_synced_behind_was_durable_and_what_came_into_the_file_since_was_not() {
    let log = a_synced_log();
    let whole = log.directory.contents(&name(1)).unwrap();
    for has_lock in [true, false] {
        let directory = copy_of(&log.directory);
        if !has_lock {
            directory.remove("default.lock").unwrap();
        }
        directory.set_contents(&name(1), whole[..whole.len() - 50].to_vec());
        let losses = salvage(&directory, Way::Next).losses;
        assert!(losses[0].bytes > 0 && losses[0].durable, "lock file: {has_lock}, {losses:?}");
        directory.set_contents(&name(1), [&whole[..], &[0; 300]].concat());
        let losses = salvage(&directory, Way::Next).losses;
        assert!(losses[0].bytes == 300 && !losses[0].durable, "lock file: {has_lock}, {losses:?}");
    }
    // A segment of which nothing is left.
    let directory = copy_of(&log.directory);
    directory.set_contents(&name(3), vec![0; 100]);
    let lost = |losses: Vec<Loss>| losses.into_iter().find(|loss| loss.path.ends_with(name(3))).unwrap();
    assert!(lost(salvage(&directory, Way::Next).losses).durable);
}

#[test]
fn a_recovered_segment_was_durable_up_to_its_trailer() {
    let log = a_log(2, Codec::None);
    let damaged = copy_of(&log.directory);
    let mut bytes = damaged.contents(&name(2)).unwrap();
    let block = Segment::parse(&bytes).of_kind(layout::RECORDS)[2].clone();
    bytes[block.payload.start] ^= 1;
    damaged.set_contents(&name(2), bytes);
    let recovered = MemoryDirectory::new();
    binlog::recovery::recover(Arc::new(damaged), Arc::new(recovered.clone()), ReaderOptions::default()).unwrap();
    let mut bytes = recovered.contents(&name(2)).unwrap();
    let end = bytes.len() - 104;
    bytes[end..].fill(0);
    recovered.set_contents(&name(2), bytes);
    let losses = salvage(&recovered, Way::Next).losses;
    assert!(losses[0].offset == end as u64 && losses[0].durable, "{losses:?}");
}

#[test]
fn events_are_shown_once_where_another_file_of_a_segment_is_read_on() {
    let log = a_log(3, Codec::None);
    binlog::compression::compress(
        Arc::new(log.directory.clone()),
        &binlog::compression::CompressOptions { keep_source: true, ..Default::default() },
    )
    .unwrap();
    let compressed = "default.0000000001.z.binlog";
    let mut bytes = log.directory.contents(compressed).unwrap();
    let end = bytes.len() - 104;
    bytes[end + 4] ^= 1;
    let events = Filter { events: true, ..Filter::default() };
    let whole = read(&open(&log.directory), &events, Way::Next).whole();
    log.directory.set_contents(compressed, bytes);
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        for way in [Way::Next, Way::Batch(7)] {
            let (options, losses) = hearing(mode);
            let reader = Reader::open(Arc::new(log.directory.clone()), options).unwrap();
            assert_rows(&read(&reader, &events, way).rows, &whole, "with events");
            assert_eq!(losses.lock().unwrap().len(), 1);
        }
    }
}

#[test]
fn a_trailer_is_not_compared_with_a_first_id_that_is_guessed() {
    let log = a_log(3, Codec::None);
    let mut bytes = log.directory.contents(&name(3)).unwrap();
    let second =
        Segment::parse(&bytes).of_kind(layout::RECORDS).into_iter().filter(|block| block.count > 0).nth(1).cloned();
    let second = second.unwrap();
    bytes[32..second.offset].fill(0);
    log.directory.set_contents(&name(3), bytes);
    let losses =
        assert_all_but(&log, &log.directory, |id| (61..second.first_id).contains(&id), "the beginning is lost");
    assert!(losses.iter().all(|loss| !loss.reason.contains("trailer")), "{losses:?}");
}

#[test]
fn behind_the_header_of_another_segment_the_blocks_are_found_and_nothing_is_appended() {
    for sequence in 1..=3 {
        let log = a_log(3, Codec::None);
        let another = a_log(1, Codec::None).directory.contents(&name(1)).unwrap();
        let bytes = log.directory.contents(&name(sequence)).unwrap();
        let (to, from) = (Segment::parse(&bytes).start, Segment::parse(&another).start);
        log.directory.set_contents(&name(sequence), [&another[..from], &bytes[to..]].concat());
        let losses = assert_all_but(&log, &log.directory, |_| false, &format!("header of segment {sequence}"));
        assert!(!losses.is_empty());
        if sequence == 3 {
            let opened = binlog::Writer::open(Arc::new(log.directory.clone()), WriterOptions::default());
            assert_eq!(opened.err().map(|e| e.kind()), Some(Kind::Corrupt));
        }
    }
    // The only segment, and no lock file: nothing else says that it is not the header's.
    let [log, another] = [a_log(1, Codec::None), a_log(1, Codec::None)].map(|log| log.directory);
    let [bytes, header] = [&log, &another].map(|directory| directory.contents(&name(1)).unwrap());
    let (to, from) = (Segment::parse(&bytes).start, Segment::parse(&header).start);
    let directory = MemoryDirectory::new();
    directory.set_contents(&name(1), [&header[..from], &bytes[to..]].concat());
    let opened = binlog::Writer::open(Arc::new(directory), WriterOptions::default());
    assert_eq!(opened.err().map(|e| e.kind()), Some(Kind::Corrupt));
}

#[test]
fn a_block_that_is_there_twice_in_part_is_read_where_it_is_whole() {
    let mut log = a_log(1, Codec::None);
    log.directory = copy_of(&log.directory);
    let whole = log.directory.contents(&name(1)).unwrap();
    for block in Segment::parse(&whole).of_kind(layout::RECORDS).into_iter().filter(|block| block.count > 0) {
        let mut bytes = whole.clone();
        bytes.splice(block.offset..block.offset, whole[block.offset..block.entries.end].to_vec());
        log.directory.set_contents(&name(1), bytes);
        let losses = assert_all_but(&log, &log.directory, |_| false, &format!("twice {block:?}"));
        assert_eq!(losses.len(), 1, "{losses:?}");
        // Nothing follows the whole one: the writer was killed.
        let mut bytes = whole[..block.end()].to_vec();
        bytes.splice(block.offset..block.offset, whole[block.offset..block.entries.end + 50].to_vec());
        log.directory.set_contents(&name(1), bytes);
        let (last, saved) = (block.next_id(), salvage(&log.directory, Way::Next));
        let left: Vec<Row> = log.rows.iter().filter(|row| row.id < last).cloned().collect();
        assert_rows(&saved.rows, &left, &format!("twice at the end {block:?}"));
    }
}

#[test]
fn a_moved_block_is_found_where_the_next_one_is_damaged() {
    let log = a_log(1, Codec::None);
    let directory = copy_of(&log.directory);
    let mut bytes = directory.contents(&name(1)).unwrap();
    let segment = Segment::parse(&bytes);
    let blocks: Vec<_> = segment.of_kind(layout::RECORDS).into_iter().filter(|block| block.count > 0).collect();
    bytes[blocks[2].offset..][..layout::HEADER].fill(0);
    bytes.splice(blocks[0].offset + 30..blocks[0].offset + 30, noise(80, 3));
    directory.set_contents(&name(1), bytes);
    let lost = |id| blocks[0].ids().contains(&id) || blocks[2].ids().contains(&id);
    assert_all_but(&log, &directory, lost, "80 bytes too many in the first block, the third damaged");
}

#[cfg(feature = "gzip")]
#[test]
fn a_file_whose_compression_breaks_off_is_read_up_to_there_and_those_behind_it_as_well() {
    use std::io::Write;
    let log = a_log(3, Codec::None);
    let bytes = log.directory.contents(&name(2)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::none());
    gzip.write_all(&bytes).unwrap();
    let gzip = gzip.finish().unwrap();
    log.directory.remove(&name(2)).unwrap();
    let segment = Segment::parse(&bytes);
    for len in [200, gzip.len() / 3, gzip.len() / 2, gzip.len() - 300, gzip.len() - 4] {
        log.directory.set_contents(&format!("{}.gz", name(2)), gzip[..len].to_vec());
        // Nothing is compressed: what is there is there but for 23 bytes of framing.
        let there = segment.blocks.iter().filter(|block| block.end() + 23 <= len);
        let kept: BTreeSet<u64> = there.flat_map(|block| block.ids()).collect();
        let saved = salvage(&log.directory, Way::Next);
        let shown: BTreeSet<u64> = saved.rows.iter().map(|row| row.id).collect();
        assert!(shown.is_superset(&kept) && shown.is_superset(&(1..=30).chain(61..=90).collect()), "{len}");
        assert_eq!(
            ids(&saved.losses),
            (31..=60).filter(|id| !shown.contains(id)).collect(),
            "{len}: {:?}",
            saved.losses
        );
        let is_reported = saved.losses.iter().any(|loss| loss.reason.contains("does not decompress"));
        assert!(is_reported, "{len}: {:?}", saved.losses);
    }
}

/// The file compressed as a whole, by gzip or zstd.
#[cfg(all(feature = "gzip", feature = "zstd"))]
fn packed(bytes: &[u8], by_gzip: bool) -> Vec<u8> {
    use std::io::Write;
    if !by_gzip {
        return zstd::encode_all(bytes, 3).unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A wrong byte in compressed data is copied to the headers of later blocks, whose checksums then all yield the same
/// wrong offset.
#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn headers_of_a_compressed_file_that_are_damaged_alike_hide_no_record_of_later_segments() {
    let log = a_log(4, Codec::None);
    // No later segment shows which ids the last one had.
    for number in [2, 4] {
        let whole = log.directory.contents(&name(number)).unwrap();
        let segment = Segment::parse(&whole);
        for (top, from, by_gzip) in [(0x91, 1, true), (0x91, 2, false), (0x40, 3, true), (1, 1, false), (0x80, 0, true)]
        {
            let mut bytes = whole.clone();
            segment.blocks[from..].iter().for_each(|block| bytes[block.offset + 39] ^= top);
            let directory = copy_of(&log.directory);
            directory.remove(&name(number)).unwrap();
            let ending = if by_gzip { "gz" } else { "zst" };
            directory.set_contents(&format!("{}.{ending}", name(number)), packed(&bytes, by_gzip));
            let (first, last) = (30 * u64::from(number) - 29, 30 * u64::from(number));
            let kept = segment.blocks[..from].iter().map(|block| block.next_id()).max().unwrap_or(first);
            let what = format!("{top:#x} in block {from} of segment {number} and those behind");
            let saved = salvage(&directory, Way::Next);
            let left: Vec<Row> = log.rows.iter().filter(|row| !(kept..=last).contains(&row.id)).cloned().collect();
            assert_rows(&saved.rows, &left, &what);
            let lost = if number == 4 { BTreeSet::new() } else { (kept..=last).collect() };
            let losses = saved.losses;
            assert_eq!(ids(&losses), lost, "{what}: {losses:?}");
            assert!(!losses.is_empty(), "{what}");
            assert!(losses.iter().all(|loss| loss.bytes <= whole.len() as u64), "{losses:?}");
        }
    }
}

#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn a_flipped_bit_of_a_compressed_file_hides_no_record_of_other_segments() {
    const CASES: usize = 600;
    let mut log = Log::new(WriterOptions::default());
    for (segment, records) in [300, 60, 300, 10].into_iter().enumerate() {
        if segment > 0 {
            log.close();
            log.reopen(Codec::None);
            log.writer().roll().unwrap();
        }
        for i in 0..records {
            log.put_plain(1, i, 20);
        }
    }
    log.close();
    let whole = log.directory.contents(&name(2)).unwrap();
    let ids: BTreeSet<u64> = Segment::parse(&whole).blocks.iter().flat_map(|block| block.ids()).collect();
    log.directory.remove(&name(2)).unwrap();
    for by_gzip in [true, false] {
        let (directory, good) = (copy_of(&log.directory), packed(&whole, by_gzip));
        let file = format!("{}.{}", name(2), if by_gzip { "gz" } else { "zst" });
        for case in 0..CASES {
            let bit = case * good.len() * 8 / CASES;
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            directory.set_contents(&file, bytes);
            let saved = salvage(&directory, Way::Batch(usize::MAX));
            let others = saved.rows.iter().filter(|row| !ids.contains(&row.id));
            let expected = log.rows.iter().filter(|row| !ids.contains(&row.id));
            assert!(others.eq(expected), "{file}, bit {bit}: {:?}", saved.losses);
            let (mut shown, mut last) = (BTreeSet::new(), 0);
            for row in &saved.rows {
                assert!(row.id > last && shown.insert(row.id), "{file}, bit {bit}: {} follows {last}", row.id);
                last = row.id;
            }
            let missing: BTreeSet<u64> = ids.difference(&shown).copied().collect();
            let lost = self::ids(&saved.losses);
            assert_eq!(lost, missing, "{file}, bit {bit}: {:?}", saved.losses);
            assert!(saved.losses.iter().all(|loss| loss.bytes <= 1 << 20), "{file}, bit {bit}: {:?}", saved.losses);
        }
    }
}

/// The bytes compressed in pieces of 1,000, and for each piece the place where the compressed bytes of the next one begin.
#[cfg(all(feature = "gzip", feature = "zstd"))]
fn packed_in_pieces(bytes: &[u8], by_gzip: bool) -> (Vec<u8>, Vec<usize>) {
    use std::io::Write;
    fn pieces<W: Write>(mut encoder: W, bytes: &[u8], so_far: impl Fn(&W) -> usize) -> (W, Vec<usize>) {
        let mut ends = vec![];
        for piece in bytes.chunks(1000) {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
            ends.push(so_far(&encoder));
        }
        (encoder, ends)
    }
    if by_gzip {
        let encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        let (encoder, ends) = pieces(encoder, bytes, |encoder| encoder.get_ref().len());
        return (encoder.finish().unwrap(), ends);
    }
    let encoder = zstd::stream::write::Encoder::new(vec![], 3).unwrap();
    let (encoder, ends) = pieces(encoder, bytes, |encoder| encoder.get_ref().len());
    (encoder.finish().unwrap(), ends)
}

/// Decoders fail with a call that has decompressed a part: bytes that make them fail at once stand behind each piece.
#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn all_that_a_broken_compression_completes_before_it_breaks_is_read() {
    let log = a_log(3, Codec::None);
    let whole = log.directory.contents(&name(2)).unwrap();
    let segment = Segment::parse(&whole);
    for by_gzip in [true, false] {
        let (good, ends) = packed_in_pieces(&whole, by_gzip);
        let directory = copy_of(&log.directory);
        directory.remove(&name(2)).unwrap();
        for (i, end) in ends.into_iter().enumerate() {
            let mut bytes = good.clone();
            // A block of a type that is reserved, in both.
            bytes[end..].fill(0xff);
            directory.set_contents(&format!("{}.{}", name(2), if by_gzip { "gz" } else { "zst" }), bytes);
            let there = whole.len().min(1000 * (i + 1));
            // Zeros fill the last page of a block; it is whole without them.
            let ids = |whole: &dyn Fn(&layout::Block) -> bool| -> BTreeSet<u64> {
                segment.blocks.iter().filter(|block| whole(block)).flat_map(|block| block.ids()).collect()
            };
            let (kept, begun) = (ids(&|block| block.end() <= there), ids(&|block| block.offset < there));
            let shown = salvage(&directory, Way::Next).rows.into_iter().map(|row| row.id);
            let shown: BTreeSet<u64> = shown.filter(|id| (31..=60).contains(id)).collect();
            let what = format!("gzip {by_gzip}: {there} of {} bytes are whole", whole.len());
            assert!(shown.is_superset(&kept) && shown.is_subset(&begun), "{what}: {shown:?} of {kept:?} and {begun:?}");
        }
    }
}

#[test]
fn records_that_are_only_claimed_lost_hide_no_segment() {
    let log = a_log(3, Codec::None);
    let whole = log.directory.contents(&name(2)).unwrap();
    let segment = Segment::parse(&whole);
    // An INDEX block with a right checksum that states a record id far behind the segment.
    let mut bytes = whole.clone();
    let index = segment.of_kind(layout::INDEX).last().unwrap().offset;
    bytes[index + 32..index + 40].copy_from_slice(&5000u64.to_le_bytes());
    layout::seal_header(&mut bytes, index);
    let directory = copy_of(&log.directory);
    directory.set_contents(&name(2), bytes);
    let losses = assert_all_but(&log, &directory, |_| false, "an INDEX block of other ids");
    assert!(!losses.is_empty());
    // A block with a right checksum that claims to hold the records of later segments, with nothing good after it.
    let mut bytes = whole.clone();
    let last = segment.blocks.iter().rposition(|block| block.count > 0).unwrap();
    let at = segment.blocks[last].offset;
    bytes[at + 16..at + 20].copy_from_slice(&1000u32.to_le_bytes());
    layout::seal_header(&mut bytes, at);
    segment.blocks[last + 1..].iter().for_each(|block| bytes[block.offset + 20] ^= 1);
    directory.set_contents(&name(2), bytes);
    let lost = segment.blocks[last].ids();
    assert_all_but(&log, &directory, |id| lost.contains(&id), "a block of too many records");
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
