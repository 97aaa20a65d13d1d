//! Reading past damage: every record that the damage did not touch is shown once and unchanged, and every loss is
//! reported exactly.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::common::history::*;
use crate::common::layout::{self, Block, Segment};
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{Codec, Filter, Loss, Reader, ReaderMode, TailState, WriterOptions};
use proptest::collection::vec;
use proptest::prelude::*;

const FILE: &str = "default.0000000001.binlog";

/// What a salvaging cursor shows, how it ends, and the losses that it reports.
struct Saved {
    rows: Vec<Row>,
    losses: Vec<Loss>,
    state: TailState,
}

fn salvage(directory: &MemoryDirectory, filter: &Filter, way: Way) -> Saved {
    let (options, losses) = hearing(ReaderMode::Salvage);
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let seen = read(&reader, filter, way);
    let state = seen.tail().state;
    let losses = losses.lock().unwrap().clone();
    Saved { rows: seen.rows, losses, state }
}

/// A closed log of one segment with blocks of one page and of several, records that touch two pages, empty ones, large
/// ones, metadata, a named type, batches, and INDEX blocks in between.
fn a_log(codec: Codec) -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 16 << 10, ..small_blocks(codec) });
    let named = log.writer().type_id("job", "").unwrap();
    for i in 0..160u64 {
        let len = match i % 40 {
            5 => 0,
            17 => 30_000,
            29 => 5000,
            n => (n * 61 % 900) as usize,
        };
        let metadata = if i % 9 == 4 { vec![("user".to_owned(), format!("{}", i % 5))] } else { vec![] };
        let type_id = if i % 11 == 3 { named } else { (i % 3) as u32 };
        log.put(&Made { type_id, time: i as i64, metadata, len, seed: 3 * i + i % 2 });
        match i % 30 {
            9 | 10 | 28 => log.writer().flush().unwrap(),
            20 => log.writer().sync().unwrap(),
            _ => (),
        }
    }
    log.close();
    log
}

/// The effect of changing these bytes of a segment: the ids that are lost, and the ranges that are reported.
#[derive(Default)]
struct Expected {
    lost: BTreeSet<u64>,
    /// The lost ids that no header proves, neither their own nor a later one.
    unknown: BTreeSet<u64>,
    touched: Vec<Range<usize>>,
    /// Bytes of blocks that cannot be read at all.
    whole: Vec<Range<usize>>,
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// From the layout of the segment before it was damaged.
fn expected(segment: &Segment, damage: &[Range<usize>]) -> Expected {
    let mut expected = Expected::default();
    for block in &segment.blocks {
        let head = block.offset..block.entries.end;
        if damage.iter().any(|damage| overlap(damage, &head)) {
            expected.lost.extend(block.ids());
            expected.unknown.extend(block.ids());
            if !damage.iter().any(|damage| overlap(damage, &(block.offset..block.offset + layout::HEADER))) {
                expected.unknown.clear();
            }
            expected.touched.push(block.offset..block.end());
            expected.whole.push(block.offset..block.end());
            continue;
        }
        expected.unknown.clear();
        let is_bad = |page: &usize| damage.iter().any(|damage| overlap(damage, &block.page(*page)));
        let bad: Vec<usize> = (0..block.pages()).filter(is_bad).collect();
        expected.touched.extend(bad.iter().map(|&page| block.page(page)));
        expected.lost.extend(lost_of(block, &bad));
    }
    expected
}

/// Ids of the records that are lost with these pages of a block.
fn lost_of(block: &Block, bad: &[usize]) -> Vec<u64> {
    if block.codec != 0 && !bad.is_empty() {
        return block.ids().collect();
    }
    let is_lost = |place: &Range<usize>| !place.is_empty() && bad.iter().any(|&page| overlap(place, &block.page(page)));
    block.records.iter().filter(|(place, _)| is_lost(place)).filter_map(|(_, id)| *id).collect()
}

/// Asserts that the losses name exactly these ids, each once.
fn assert_lost(losses: &[Loss], lost: &BTreeSet<u64>, what: &str) {
    let mut reported = BTreeSet::new();
    for loss in losses {
        for id in loss.ids.into_iter().flat_map(|(first, last)| first..=last) {
            assert!(reported.insert(id), "{what}: the loss of {id} is reported twice: {losses:?}");
        }
        assert_eq!(loss.records(), loss.ids.map_or(0, |(first, last)| last - first + 1));
        assert!(!loss.reason.is_empty());
    }
    assert!(&reported == lost, "{what}: {:?} {losses:?}", reported.symmetric_difference(lost).collect::<Vec<_>>());
}

/// Damages a log of one segment and asserts that exactly the rest of it is shown, by every way.
fn assert_saved(log: &Log, damage: &[Range<usize>], bytes: Vec<u8>, what: &str) {
    let whole = log.directory.contents(FILE).unwrap();
    let segment = Segment::parse(&whole);
    let damage: Vec<Range<usize>> = damage
        .iter()
        .filter_map(|damage| {
            let from = damage.clone().find(|&at| bytes.get(at) != whole.get(at))?;
            let to = damage.clone().rev().find(|&at| bytes.get(at) != whole.get(at))?;
            Some(from..to + 1)
        })
        .collect();
    let expected = expected(&segment, &damage);
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, bytes);
    let left: Vec<Row> = log.rows.iter().filter(|row| !expected.lost.contains(&row.id)).cloned().collect();
    for way in [Way::Next, Way::Batch(7), Way::Packed(4099)] {
        let saved = salvage(&directory, &Filter::default(), way);
        assert_rows(&saved.rows, &left, what);
        let known: BTreeSet<u64> = expected.lost.difference(&expected.unknown).copied().collect();
        assert_lost(&saved.losses, &known, what);
        assert_places(&segment, &damage, &saved.losses, &expected, what);
        let trailer_is_good = expected.whole.iter().all(|lost| lost.end != segment.blocks.last().unwrap().end());
        assert_eq!(saved.state == TailState::Closed, trailer_is_good, "{what}");
    }
    for filter in [
        Filter { types: vec![1], ..Filter::default() },
        Filter { type_names: vec!["job".into()], from_id: Some(40), ..Filter::default() },
        Filter { metadata: vec![("user".into(), "2".into())], ..Filter::default() },
        Filter { from_time: Some(30), to_time: Some(90), ..Filter::default() },
    ] {
        let saved = salvage(&directory, &filter, Way::Batch(3));
        let names_are_known =
            segment.blocks[..2].iter().all(|block| !expected.whole.contains(&(block.offset..block.end())));
        if filter.type_names.is_empty() || names_are_known {
            let mut shown = left.clone();
            shown.retain(|row| matches(row, &filter));
            assert_rows(&saved.rows, &shown, &format!("{what} {filter:?}"));
        }
        let reported: BTreeSet<u64> =
            saved.losses.iter().filter_map(|loss| loss.ids).flat_map(|(a, b)| a..=b).collect();
        assert!(reported.is_subset(&expected.lost), "{what} {filter:?}: {:?}", saved.losses);
    }
    // Headers need no payload.
    let saved = salvage(&directory, &Filter { headers_only: true, ..Filter::default() }, Way::Batch(3));
    let gone = |id: u64| {
        expected.whole.iter().any(|lost| segment.blocks.iter().any(|b| b.offset == lost.start && b.ids().contains(&id)))
    };
    let headers: Vec<Row> = log.rows.iter().filter(|row| !gone(row.id)).map(Row::without_payload).collect();
    assert_rows(&saved.rows, &headers, &format!("{what}, headers"));
}

fn matches(row: &Row, filter: &Filter) -> bool {
    let named = Filter { types: vec![binlog::FIRST_NAMED_TYPE], type_names: vec![], ..filter.clone() };
    let filter = if filter.type_names.is_empty() { filter } else { &named };
    !shown_of(std::slice::from_ref(row), filter).is_empty()
}

/// Asserts that the losses cover all damaged bytes and nothing far from them, and that they report the pages and what
/// was durable correctly.
fn assert_places(segment: &Segment, damage: &[Range<usize>], losses: &[Loss], expected: &Expected, what: &str) {
    let reported: Vec<Range<usize>> =
        losses.iter().map(|loss| loss.offset as usize..(loss.offset + loss.bytes) as usize).collect();
    for touched in &expected.touched {
        let is_empty_page = |place: &Range<usize>| place.start <= touched.start && touched.end <= place.end;
        let covered = reported.iter().any(is_empty_page)
            || (touched.clone()).all(|at| reported.iter().any(|range| range.contains(&at)));
        assert!(covered, "{what}: {touched:?} is not reported: {losses:?}");
    }
    // The header of a block with damaged entries still proves what was durable.
    let has_header = |block: &&Block| {
        let header = block.offset..block.offset + layout::HEADER;
        !damage.iter().any(|damage| overlap(damage, &header))
    };
    let durable_end = segment.blocks.iter().filter(has_header).map(|block| block.durable_end).max().unwrap_or(0);
    for (loss, range) in losses.iter().zip(&reported) {
        assert_eq!(loss.durable, loss.offset < durable_end, "{what}: {loss:?} {durable_end}");
        assert!(expected.touched.iter().any(|touched| overlap(touched, range)), "{what}: {loss:?} is no loss");
        let Some((first, count)) = loss.pages else { continue };
        let block = segment.blocks.iter().find(|block| (block.payload.clone()).contains(&range.start)).unwrap();
        let bad: Vec<usize> = (0..block.pages()).filter(|&page| expected.touched.contains(&block.page(page))).collect();
        assert!(bad.contains(&(first as usize)), "{what}: {loss:?}");
        let of_loss = bad.iter().filter(|&&page| overlap(&block.page(page), range)).count();
        assert_eq!(count as usize, of_loss, "{what}: {loss:?} {bad:?}");
        if block.codec == 0 {
            assert_eq!(range.start, block.page(first as usize).start, "{what}: {loss:?}");
        }
    }
}

#[test]
fn a_clean_log_has_no_loss() {
    for codec in codecs() {
        let log = a_log(codec);
        for way in WAYS {
            let saved = salvage(&log.directory, &Filter::default(), way);
            assert_rows(&saved.rows, &log.rows, "clean");
            assert!(saved.losses.is_empty() && saved.state == TailState::Closed);
        }
    }
}

#[test]
fn a_damaged_byte_anywhere_costs_the_records_that_touch_it() {
    for codec in codecs() {
        let log = a_log(codec);
        let whole = log.directory.contents(FILE).unwrap();
        let segment = Segment::parse(&whole);
        // In each block: the header, the checksums, the entries, and the first, the last and a middle byte of each page.
        for block in &segment.blocks {
            let mut places = vec![block.offset, block.offset + 21, block.offset + 70, block.entries.start - 1];
            places.extend([block.entries.start, block.entries.end - 1]);
            for page in (0..block.pages()).map(|page| block.page(page)) {
                places.extend([page.start, page.end - 1]);
            }
            for (i, at) in places.into_iter().enumerate().filter(|(i, _)| i % 4 == block.offset % 4) {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (i % 8);
                assert_saved(
                    &log,
                    std::slice::from_ref(&(at..at + 1)),
                    bytes,
                    &format!("{codec:?}, byte {at} in {block:?}"),
                );
            }
        }
    }
}

#[test]
fn records_between_two_damaged_pages_are_saved_and_each_loss_is_reported_separately() {
    let mut log = Log::new(WriterOptions { block_bytes: 64 << 10, ..small_blocks(Codec::None) });
    for i in 0..100 {
        log.put_plain(1, i, 600);
    }
    log.close();
    let whole = log.directory.contents(FILE).unwrap();
    let segment = Segment::parse(&whole);
    let block = segment.blocks.iter().find(|block| block.pages() > 12).unwrap();
    let mut bytes = whole.clone();
    let damage = [2, 5, 6, 11].map(|page| block.page(page).start + 7..block.page(page).start + 8);
    damage.iter().for_each(|damage| bytes[damage.start] ^= 1);
    assert_saved(&log, &damage, bytes.clone(), "pages 2, 5, 6 and 11");
    log.directory.set_contents(FILE, bytes);
    let saved = salvage(&log.directory, &Filter::default(), Way::Next);
    let pages: Vec<_> = saved.losses.iter().map(|loss| loss.pages).collect();
    assert_eq!(pages, [Some((2, 1)), Some((5, 2)), Some((11, 1))]);
}

/// The bytes with some of them removed, or with others put in.
#[derive(Clone, Debug)]
enum Moved {
    Removed(Range<usize>),
    Inserted(usize, usize),
}

impl Moved {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Moved::Removed(range) => drop(bytes.drain(range.clone())),
            Moved::Inserted(at, len) => drop(bytes.splice(at..at, noise(*len, *at as u64))),
        }
    }

    /// Whether it splits these bytes, or removes some of them.
    fn hits(&self, place: &Range<usize>) -> bool {
        match self {
            Moved::Removed(range) => overlap(range, place),
            Moved::Inserted(at, _) => place.start < *at && *at < place.end,
        }
    }

    /// The ids of the records of this segment that are lost.
    fn lost(&self, segment: &Segment) -> BTreeSet<u64> {
        let mut lost = BTreeSet::new();
        for block in &segment.blocks {
            let bad: Vec<usize> = (0..block.pages()).filter(|&page| self.hits(&block.page(page))).collect();
            match self.hits(&(block.offset..block.entries.end)) {
                true => lost.extend(block.ids()),
                false => lost.extend(lost_of(block, &bad)),
            }
        }
        lost
    }
}

#[test]
fn bytes_that_are_missing_or_too_many_cost_what_they_touch_and_nothing_behind_them() {
    for codec in codecs() {
        let log = a_log(codec);
        let whole = log.directory.contents(FILE).unwrap();
        let segment = Segment::parse(&whole);
        let mut moved = vec![];
        for (i, block) in segment.blocks.iter().enumerate() {
            let places =
                [block.offset, block.offset + 20, block.entries.start, block.entries.end, block.payload.end - 1];
            let at = places[i % places.len()].min(block.end() - 1);
            for len in [1, 2 + i, 4096, 9000] {
                moved.push(Moved::Removed(at..whole.len().min(at + len)));
                moved.push(Moved::Inserted(at, len));
            }
            moved.push(Moved::Removed(block.offset..block.end()));
        }
        for moved in moved {
            let what = format!("{codec:?}, {moved:?}");
            let mut bytes = whole.clone();
            moved.apply(&mut bytes);
            // The byte behind a removed one may be the same: then the block is whole.
            if matches!(&moved, Moved::Removed(range) if bytes.get(range.clone()) == whole.get(range.clone())) {
                continue;
            }
            log.directory.set_contents(FILE, bytes);
            let saved = salvage(&log.directory, &Filter::default(), Way::Next);
            let lost = moved.lost(&segment);
            let left: Vec<Row> = log.rows.iter().filter(|row| !lost.contains(&row.id)).cloned().collect();
            assert_rows(&saved.rows, &left, &what);
            let reported =
                saved.losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
            match moved {
                // Nothing records what followed the last block that is left.
                Moved::Removed(range) if range.end == whole.len() => assert!(lost.is_superset(&reported), "{what}"),
                _ => {
                    assert_lost(&saved.losses, &lost, &what);
                    assert!(!saved.losses.is_empty(), "{what}");
                }
            }
            // An empty record touches no page, and may lie between others that are lost with one.
            let places: BTreeSet<u64> = saved.losses.iter().map(|loss| loss.offset).collect();
            let reported: Vec<&Loss> = saved.losses.iter().filter(|loss| loss.reason.contains("of the file")).collect();
            assert!(places.len() <= 2 || reported.is_empty(), "{what}: {:?}", saved.losses);
            // Without payloads, no page is read.
            let headers = salvage(&log.directory, &Filter { headers_only: true, ..Filter::default() }, Way::Batch(9));
            let shown: BTreeSet<u64> = headers.rows.iter().map(|row| row.id).collect();
            assert!(left.iter().all(|row| shown.contains(&row.id)), "{what}");
        }
        log.directory.set_contents(FILE, whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_damaged_the_rest_is_shown(
        codec in codec(),
        damage in vec((any::<prop::sample::Index>(), 1usize..9000, 0..3), 1..5),
    ) {
        let log = a_log(codec);
        let whole = log.directory.contents(FILE).unwrap();
        let start = Segment::parse(&whole).start;
        let mut bytes = whole.clone();
        let mut ranges = vec![];
        for (at, len, how) in &damage {
            let at = start + at.index(whole.len() - start);
            let range = at..whole.len().min(at + if *how == 2 { 1 } else { *len });
            match how {
                0 => bytes[range.clone()].fill(0),
                1 => bytes[range.clone()].copy_from_slice(&noise(range.len(), *len as u64)),
                _ => bytes[at] ^= 0x10,
            }
            ranges.push(range);
        }
        // Ranges that follow each other are one.
        ranges.sort_by_key(|range| range.start);
        assert_saved(&log, &ranges, bytes, &format!("{codec:?} {ranges:?}"));
    }
}

/// The byte in front of the missing one takes its place in the marker, and the offset of the block makes up for that in
/// the checksum of its header: one log of 256 is such a one.
#[test]
fn a_byte_that_is_missing_from_the_first_marker_turns_it_into_no_other_one() {
    let (whole, start) = (0..100_000)
        .find_map(|_| {
            let directory = MemoryDirectory::new();
            let writer = binlog::Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
            (0..3u8).for_each(|i| {
                writer.append(1, &[i; 20]).unwrap();
                writer.flush().unwrap();
            });
            writer.close().unwrap();
            let whole = directory.contents(FILE).unwrap();
            let start = Segment::parse(&whole).start;
            (usize::from(whole[start - 1] ^ whole[start]) == (start ^ (start - 1)) & 0xff).then_some((whole, start))
        })
        .expect("the first byte of a marker is random");
    let directory = MemoryDirectory::new();
    let mut bytes = whole.clone();
    bytes.remove(start);
    directory.set_contents(FILE, bytes);
    let saved = salvage(&directory, &Filter::default(), Way::Next);
    assert!(saved.rows.iter().any(|row| row.id == 3 && row.payload == [2; 20]), "{:?}, {:?}", saved.rows, saved.losses);
}
