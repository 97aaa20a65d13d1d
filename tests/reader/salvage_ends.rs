//! Salvage where a log ends: space, a torn tail, a file that is a log by itself, and one that was recovered before.

use std::sync::Arc;

use crate::common::history::*;
use crate::common::layout::Segment;
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{Codec, Filter, Kind, Location, LossKind, Reader, ReaderOptions, TailState, Writer, WriterOptions};

fn name(sequence: u32) -> String {
    format!("default.{sequence:010}.binlog")
}

/// A log of one segment with 30 records in several blocks.
fn a_log(options: WriterOptions) -> Log {
    let log = Log::of_segments(1, options);
    log.writer().flush().unwrap();
    log
}

/// The blocks of an unclosed segment, whose bytes end with the last one or with space.
fn blocks(bytes: &[u8]) -> Segment {
    let mut end = bytes.len();
    while end > 0 && bytes[end - 1] == 0 {
        end -= 1;
    }
    // The last payload may end with zeros.
    (end..=bytes.len())
        .find_map(|end| std::panic::catch_unwind(|| Segment::parse(&bytes[..end])).ok())
        .expect("whole blocks")
}

/// Zeros at the end of a segment are space that its writer had filled ahead, but not where the compressed file ends in
/// bytes that are no compressed ones: these zeros have taken the place of what was there.
#[cfg(feature = "gzip")]
#[test]
fn a_compressed_file_whose_end_was_overwritten_with_zeros_is_damaged_wherever_they_begin() {
    use std::io::Write;
    let mut log = a_log(WriterOptions { fill_ahead: Some(1 << 20), ..small_blocks(Codec::None) });
    log.close();
    let bytes = log.directory.contents(&name(1)).unwrap();
    // Stored, so that zeros in the file are zeros in the segment.
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::none());
    gzip.write_all(&bytes).unwrap();
    let whole = gzip.finish().unwrap();
    let segment = Segment::parse(&bytes);
    let last = segment.blocks.iter().rfind(|block| !block.ids().is_empty()).unwrap();
    let file = format!("{}.gz", name(1));
    // The framing ends with eight bytes, of which the last two are zeros already.
    let boundaries = segment.blocks.iter().map(|block| bytes.len() - block.offset + 8);
    let lengths = (3..30).chain((30..bytes.len() - last.offset + 40).step_by(29)).chain(boundaries);
    for zeros in lengths {
        let directory = MemoryDirectory::new();
        let mut damaged = whole.clone();
        let from = damaged.len() - zeros;
        damaged[from..].fill(0);
        directory.set_contents(&file, damaged);
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        let seen = read(&reader, &Filter::default(), Way::Next);
        let error = seen.end.expect_err(&format!("{zeros} zeros"));
        assert_eq!(error.kind(), Kind::Corrupt, "{zeros} zeros: {error}");
        assert_rows(&seen.rows, &log.rows[..seen.rows.len()], "prefix");
        let (rows, losses) = salvaged(&directory);
        assert!(!losses.is_empty() && rows.len() >= seen.rows.len(), "{zeros} zeros");
    }
}

#[test]
fn the_last_block_in_front_of_space_is_shown_although_bytes_before_it_are_missing_or_too_many() {
    // Without an INDEX block between the last two.
    let options = WriterOptions { fill_ahead: Some(1 << 20), index_bytes: 1 << 30, ..small_blocks(Codec::None) };
    let mut log = a_log(options);
    log.crash();
    let bytes = log.directory.contents(&name(1)).unwrap();
    assert!(has_space(&bytes) && bytes.ends_with(&[0; 4096]));
    let segment = blocks(&bytes);
    let [.., broken, last] = &segment.blocks[..] else { panic!("two blocks") };
    let at = broken.offset + 40;
    let shorter = [&bytes[..at], &bytes[at + 16..]].concat();
    let longer = [&bytes[..at], &[7; 16], &bytes[at..]].concat();
    for changed in [shorter, longer] {
        let directory = MemoryDirectory::new();
        directory.set_contents(&name(1), changed);
        let (rows, losses) = salvaged(&directory);
        let left: Vec<Row> = log.rows.iter().filter(|row| !broken.ids().contains(&row.id)).cloned().collect();
        assert_rows(&rows, &left, "all but one block");
        assert!(!last.ids().is_empty() && losses.len() == 1, "{losses:?}");
        assert_eq!(losses[0].ids, Some((broken.first_id, broken.next_id() - 1)));
    }
}

/// A reader that stops there and one that salvages judge the same bytes.
#[test]
fn the_end_of_a_log_is_torn_for_a_salvaging_reader_where_it_is_torn_for_any_other() {
    let mut log = a_log(small_blocks(Codec::None));
    log.crash();
    let whole = log.directory.contents(&name(1)).unwrap();
    let segment = blocks(&whole);
    let [.., before, last] = &segment.blocks[..] else { panic!("two blocks") };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    // A block that was moved proves that bytes are missing or too many, which no crash causes.
    let moved = [&whole[..before.offset + 20], &[7; 16], &whole[before.offset + 20..]].concat();
    let cases = [
        (flipped(last.offset + 30), true),
        (flipped(last.payload.start), true),
        (whole[..whole.len() - 3].to_vec(), true),
        ([&whole[..], &[7; 100]].concat(), true),
        (flipped(before.offset + 30), false),
        (moved, false),
        (before_and_part_of(&whole, before.offset, last.offset), false),
    ];
    for (at, (bytes, is_torn)) in cases.into_iter().enumerate() {
        let directory = MemoryDirectory::new();
        directory.set_contents(&name(1), bytes);
        let seen = read(&open(&directory), &Filter::default(), Way::Next);
        assert_eq!(seen.end.is_ok_and(|tail| tail.state == TailState::Torn), is_torn, "case {at}");
        let (_, losses) = salvaged(&directory);
        assert!(!losses.is_empty(), "case {at}");
        assert_eq!(losses.iter().all(|loss| loss.kind == LossKind::TornTail), is_torn, "case {at}: {losses:?}");
    }
}

/// Bytes are too many before a block of which only the header and the entries are left.
fn before_and_part_of(whole: &[u8], at: usize, last: usize) -> Vec<u8> {
    let head = Segment::parse(whole).blocks.into_iter().find(|block| block.offset == last).unwrap().payload.start;
    [&whole[..at + 20], &[7; 16], &whole[at + 20..head + 1]].concat()
}

#[test]
fn a_file_that_is_a_log_by_itself_is_unborn_only_without_anything_behind_its_beginning() {
    let directory = MemoryDirectory::new();
    let file = Location::File(Arc::new(directory.clone()), "one.binlog".to_owned());
    let writer = Writer::open(file.clone(), WriterOptions::default()).unwrap();
    writer.append(1, &payload(3000, 1)).unwrap();
    writer.close().unwrap();
    let whole = directory.contents("one.binlog").unwrap();
    let start = Segment::parse(&whole).start;
    // Nothing is left of the block but bytes of its payload.
    let rest = [&whole[..start - 20], &whole[start + 500..start + 2500]].concat();
    for (bytes, is_unborn) in [(whole[..start - 20].to_vec(), true), (rest, false)] {
        directory.set_contents("one.binlog", bytes);
        for location in [file.clone(), Location::Directory(Arc::new(directory.clone()))] {
            let opened = Reader::open(location, ReaderOptions::default());
            let shown = opened.map(|reader| read(&reader, &Filter::default(), Way::Next).end);
            let is_clean = matches!(shown, Ok(Ok(_)));
            assert_eq!(is_clean, is_unborn, "{shown:?}");
        }
    }
}

#[test]
fn records_that_an_earlier_recovery_has_reported_are_not_lost_once_more() {
    let mut log = a_log(small_blocks(Codec::None));
    log.close();
    let damaged = copy_of(&log.directory);
    let mut bytes = damaged.contents(&name(1)).unwrap();
    let segment = Segment::parse(&bytes);
    let gone = segment.blocks.iter().filter(|block| block.count > 0).nth(1).unwrap();
    bytes[gone.offset + 30] ^= 1;
    damaged.set_contents(&name(1), bytes);
    let target = MemoryDirectory::new();
    binlog::recovery::recover(Arc::new(damaged), Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    let recovered = target.contents(&name(1)).unwrap();
    // The block behind the event that states the loss.
    let segment = Segment::parse(&recovered);
    let next = segment.blocks.iter().find(|block| block.count > 0 && block.first_id >= gone.next_id()).unwrap();
    for change in [
        &(|bytes: &mut Vec<u8>| bytes[next.offset + 30] ^= 1) as &dyn Fn(&mut Vec<u8>),
        &|bytes| bytes[next.payload.start] ^= 1,
        &|bytes| drop(bytes.drain(next.offset + 20..next.offset + 36)),
    ] {
        let mut bytes = recovered.clone();
        change(&mut bytes);
        let directory = copy_of(&target);
        directory.set_contents(&name(1), bytes);
        let (rows, losses) = salvaged(&directory);
        let reported: Vec<u64> =
            losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
        let left: Vec<u64> = rows.iter().map(|row| row.id).collect();
        let lost: Vec<u64> = (1..=30).filter(|id| !left.contains(id) && !gone.ids().contains(id)).collect();
        assert!(!lost.is_empty(), "{losses:?}");
        assert_eq!(reported, lost, "{losses:?}");
    }
}

/// A backup that was taken while the log was written is put back: the lock file states how much the log held.
#[test]
fn an_earlier_copy_of_the_last_segment_with_space_behind_it_lacks_what_was_written_since() {
    let mut log = a_log(WriterOptions { fill_ahead: Some(1 << 20), ..small_blocks(Codec::None) });
    let earlier = log.directory.contents(&name(1)).unwrap();
    log.put_plain(1, 31, 500);
    log.close();
    let closed = log.directory.contents(&name(1)).unwrap();
    let at_a_block = Segment::parse(&closed).blocks.iter().rfind(|block| block.count > 0).unwrap().offset;
    for (what, bytes) in [("a live copy", earlier.clone()), ("cut at a block", closed[..at_a_block].to_vec())] {
        let directory = copy_of(&log.directory);
        directory.set_contents(&name(1), bytes);
        for newest_first in [false, true] {
            let seen = read(&open(&directory), &Filter { newest_first, ..Filter::default() }, Way::Next);
            assert_eq!((seen.rows.len(), seen.tail().state), (30, TailState::Unclosed), "{what}");
            assert!(seen.tail().lacks_records && seen.tail().reason.contains("missing"), "{what}: {:?}", seen.tail());
        }
        let (_, losses) = salvaged(&directory);
        assert!(losses.iter().any(|loss| loss.kind == LossKind::Missing), "{what}: {losses:?}");
    }
    let whole = read(&open(&log.directory), &Filter::default(), Way::Next);
    assert!(!whole.tail().lacks_records && whole.rows.len() == 31);
    // Nothing states how much an unclosed log held.
    let directory = MemoryDirectory::new();
    directory.set_contents(&name(1), earlier);
    assert!(!read(&open(&directory), &Filter::default(), Way::Next).tail().lacks_records);
}

/// A crash, or a writer at work, leaves the head of a block and not all of its payload.
#[test]
fn a_block_of_which_only_the_head_is_there_counts_for_no_reader() {
    for fill_ahead in [None, Some(1 << 20)] {
        let mut log = Log::new(WriterOptions { fill_ahead, index_bytes: 1 << 30, ..small_blocks(Codec::None) });
        for i in 0..12 {
            log.put_plain(1 + i as u32 % 2, i, 3000);
            if i % 3 == 2 {
                log.writer().flush().unwrap();
            }
        }
        log.crash();
        let mut bytes = log.directory.contents(&name(1)).unwrap();
        let last = blocks(&bytes).blocks.pop().unwrap();
        bytes[last.payload.end - 1000..last.payload.end].fill(0);
        let directory = MemoryDirectory::new();
        directory.set_contents(&name(1), bytes);
        let reader = open(&directory);
        let left = &log.rows[..last.first_id as usize - 1];
        let count = left.len();
        assert!(count > 5);
        let shown = |filter: Filter| read(&reader, &filter, Way::Next).rows;
        assert_rows(&shown(Filter::default()), left, "all");
        let newest: Vec<Row> = left.iter().rev().cloned().collect();
        assert_rows(&shown(Filter { newest_first: true, ..Filter::default() }), &newest, "newest first");
        assert_rows(&shown(Filter { last: Some(3), ..Filter::default() }), &left[count - 3..], "the last three");
        let of_type: Vec<Row> = left.iter().filter(|row| row.type_id == 2).cloned().collect();
        assert_rows(&shown(Filter { types: vec![2], ..Filter::default() }), &of_type, "of a type");
        let headers = shown(Filter { headers_only: true, ..Filter::default() });
        assert_eq!(
            headers.iter().map(|row| row.id).collect::<Vec<_>>(),
            (1..=count as u64).collect::<Vec<_>>(),
            "headers"
        );
        let counted: u64 = reader.counts().unwrap().iter().map(|counted| counted.records).sum();
        assert_eq!(counted, count as u64, "counts");
        for id in 1..=12 {
            let got = reader.cursor(&Filter::default()).unwrap().get(id).ok().flatten().map(|record| record.id);
            assert_eq!(got, (id <= count as u64).then_some(id), "get {id}");
        }
    }
}
