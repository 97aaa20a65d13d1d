//! What opening a log for writing again costs, and that the index still covers everything.

use std::sync::Arc;

use crate::common::counting::CountingDirectory;
use crate::common::history::*;
use crate::common::layout::{self, Segment, Source};
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{is_event, Codec, Filter, Writer, WriterOptions};
use proptest::collection::vec;
use proptest::prelude::*;

const FILE: &str = "default.0000000001.binlog";

/// A log of one segment with an INDEX block every 64 KiB or so.
fn a_log(records: i64) -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 16 << 10, index_bytes: 64 << 10, ..small_blocks(Codec::None) });
    for i in 0..records {
        log.put_plain((i % 5) as u32, i, 500);
        if i % 100 == 99 {
            log.writer().sync().unwrap();
        }
    }
    log.writer().sync().unwrap();
    log
}

/// Bytes that opening the log reads, and the id that comes next.
fn opening(directory: &MemoryDirectory) -> (u64, u64) {
    let counting = CountingDirectory::new(&copy_of(directory));
    let writer = Writer::open(Arc::new(counting.clone()), small_blocks(Codec::None)).unwrap();
    let bytes = counting.bytes_read();
    (bytes, writer.append(1, b"next").unwrap())
}

#[test]
fn opening_after_a_crash_costs_the_tail_and_not_the_file() {
    let costs = [1, 10].map(|times| {
        let mut log = a_log(1000 * times);
        for i in 0..20 {
            log.put_plain(9, i, 500);
        }
        log.writer().flush().unwrap();
        assert!(
            Segment::parse(&log.directory.contents(FILE).unwrap()).of_kind(layout::INDEX).len() > 4 * times as usize
        );
        let (bytes, next_id) = opening(&log.directory);
        assert_eq!(next_id, log.rows.len() as u64 + 1);
        bytes
    });
    // Looking back for the last block takes one window of 256 KiB.
    assert!(costs.iter().all(|&bytes| bytes < 400_000), "{costs:?}");
    assert!(costs[1] < costs[0] + 20_000, "{costs:?}");
}

#[test]
fn opening_after_a_crash_within_an_index_block_costs_no_more() {
    let log = a_log(8000);
    let whole = log.directory.contents(FILE).unwrap();
    let segment = Segment::parse(&whole);
    let last = *segment.of_kind(layout::INDEX).last().unwrap();
    for len in [last.offset + 20, last.offset + layout::HEADER, last.offset + layout::HEADER + 30, last.end() - 1] {
        let cut = MemoryDirectory::new();
        cut.set_contents(FILE, whole[..len].to_vec());
        let (bytes, _) = opening(&cut);
        assert!(bytes < 400_000, "{bytes} bytes of {} cut within the last INDEX block", whole.len());
    }
}

#[test]
fn opening_a_closed_log_costs_a_few_kilobytes_and_the_headers_since_the_index_before() {
    // With many blocks since the INDEX block before the last one, too.
    for (records, index_bytes) in [(1000, 64 << 10), (10_000, 64 << 10), (10_000, 64 << 20)] {
        let mut log = Log::new(WriterOptions { index_bytes, ..small_blocks(Codec::None) });
        for i in 0..records {
            log.put_plain((i % 5) as u32, i, 500);
        }
        log.close();
        let bytes = log.directory.contents(FILE).unwrap();
        let segment = Segment::parse(&bytes);
        let index = *segment.of_kind(layout::INDEX).last().unwrap();
        let (read, next_id) = opening(&log.directory);
        assert_eq!(next_id, records as u64 + 1);
        let headers = segment.blocks.iter().filter(|block| block.offset as u64 > index.last_index).count();
        // The survey also reads its header, which names the file in which the log continues, and the last block with
        // records is read as a whole.
        let most = 11_000 + 2 * 4096 + (index.end() - index.offset + headers * layout::HEADER) as u64;
        // The smallest time of the segment is in the headers of all INDEX blocks; the first one shows that it is the first.
        let indexes = segment.of_kind(layout::INDEX);
        let most = most + (indexes[0].end() - indexes[0].offset + indexes.len() * layout::HEADER) as u64;
        assert!(read < most, "{read} bytes of {}, with an index of {index:?}", bytes.len());
    }
}

/// The chain and the totals of an INDEX block.
struct Index {
    previous: usize,
    from: usize,
    offsets: Vec<usize>,
    counts: Option<Vec<(u32, u64)>>,
}

fn parse_index(bytes: &[u8], block: &layout::Block) -> Index {
    let mut source = Source { bytes: &bytes[block.entries.clone()], at: 0 };
    let (previous, from, rows) = (source.number() as usize, source.number() as usize, source.number());
    let (mut at, mut offsets) = (from, vec![]);
    for _ in 0..rows {
        let offset = at + source.number() as usize;
        offsets.push(offset);
        at = offset + source.number() as usize;
        for _ in 0..5 {
            source.number();
        }
        let contents = source.number();
        for _ in 0..contents >> 3 {
            let (_, count) = (source.number(), source.number());
            for _ in 0..if count & 1 == 1 { count >> 1 } else { 0 } {
                let (_, from, len, _) = (source.number(), source.number(), source.number(), source.number());
                let pages = if len == 0 { 0 } else { (from + len).div_ceil(4096) - from / 4096 };
                source.take(4 * pages as usize);
            }
        }
        if contents & 3 == 1 {
            let len = source.number() as usize;
            source.take(len);
        }
    }
    let counts = match source.number() {
        0 => None,
        n => Some((1..n).map(|_| (source.number() as u32, source.number())).collect()),
    };
    Index { previous, from, offsets, counts }
}

/// Asserts that the chain of INDEX blocks of each segment covers every block from the last INDEX block back to the
/// beginning, once, and that the last one counts what there is.
fn assert_complete(log: &Log, name: &str) {
    let bytes = log.directory.contents(name).unwrap();
    let segment = Segment::parse(&bytes);
    let mut blocks = segment.blocks.iter().rev().skip_while(|block| block.kind != layout::INDEX).peekable();
    let Some(&last) = blocks.peek() else { return };
    let mut at = last.offset;
    let mut covered: Vec<usize> = vec![];
    while at != 0 {
        let block = segment.blocks.iter().find(|block| block.offset == at).expect("the chain leads to blocks");
        assert_eq!((block.kind, block.last_index as usize), (layout::INDEX, parse_index(&bytes, block).previous));
        let index = parse_index(&bytes, block);
        covered.extend(index.offsets.iter().rev());
        let before = segment.blocks.iter().find(|before| before.offset == index.previous);
        assert_eq!(index.from, before.map_or(segment.start, |before| before.end()), "without a gap");
        at = index.previous;
    }
    covered.reverse();
    let of_records: Vec<usize> = segment
        .of_kind(layout::RECORDS)
        .iter()
        .map(|block| block.offset)
        .filter(|&offset| offset < last.offset)
        .collect();
    assert_eq!(covered, of_records);

    let mut counts = std::collections::BTreeMap::<u32, u64>::new();
    let all = log.everything();
    for block in segment.of_kind(layout::RECORDS).iter().filter(|block| block.offset < last.offset) {
        for id in block.ids() {
            *counts.entry(log.rows[id as usize - 1].type_id).or_default() += 1;
        }
    }
    let Some(stored) = parse_index(&bytes, last).counts else { return };
    let (events, records): (Vec<_>, Vec<_>) = stored.into_iter().partition(|(type_id, _)| is_event(*type_id));
    assert_eq!(records, counts.into_iter().collect::<Vec<_>>());
    if name == FILE && segment.blocks.iter().all(|block| block.offset <= last.offset || block.kind != layout::RECORDS) {
        let events: u64 = events.iter().map(|(_, count)| count).sum();
        let segments = open(&log.directory).segments();
        let next = segments.get(1).map_or(u64::MAX, |next| next.first_id);
        let of_events = all.iter().filter(|row| row.is_event() && row.id < next).count() as u64;
        assert!(events >= of_events, "{events} events are counted of {of_events}");
    }
}

#[test]
fn a_log_that_is_opened_fifty_times_is_indexed_as_if_it_had_been_once() {
    for crash in [false, true] {
        let mut log = a_log(100);
        for round in 0..50 {
            match crash {
                true => log.crash(),
                false => log.close(),
            }
            log.reopen([Codec::None, Codec::Zstd][round % 2]);
            for i in 0..20 {
                log.put_plain(i % 4, i64::from(i), 300);
            }
            log.writer().flush().unwrap();
        }
        log.close();
        assert_complete(&log, FILE);
        let all = log.everything();
        assert_eq!(log.rows.len(), 1100);
        for type_id in [3, 4] {
            let filter = Filter { types: vec![type_id], ..Filter::default() };
            assert_every_way(&open(&log.directory), &filter, &shown_of(&all, &filter));
        }
    }
}

#[test]
fn a_segment_without_an_index_has_one_from_the_next_opening_on() {
    let mut log = a_log(90);
    let whole = log.directory.contents(FILE).unwrap();
    let first = Segment::parse(&whole).of_kind(layout::INDEX).first().map_or(whole.len(), |block| block.offset);
    let kept = Segment::parse(&whole[..first]);
    assert!(kept.of_kind(layout::INDEX).is_empty());
    log.crash();
    log.directory.set_contents(FILE, whole[..first].to_vec());
    log.rows.truncate(kept.blocks.last().unwrap().next_id() as usize - 1);
    assert!(log.rows.len() > 20);
    log.reopen(Codec::None);
    for i in 0..400 {
        log.put_plain(3, i, 500);
        if i % 50 == 0 {
            log.writer().flush().unwrap();
        }
    }
    log.writer().flush().unwrap();
    assert_complete(&log, FILE);
    let segment = Segment::parse(&log.directory.contents(FILE).unwrap());
    assert!(segment.of_kind(layout::INDEX).len() > 1);
    log.close();
    assert_complete(&log, FILE);
}

#[test]
fn large_records_alone_are_indexed_too() {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..50 {
        log.put_plain(1, i, 6000);
    }
    let segment = Segment::parse(&log.directory.contents(FILE).unwrap());
    assert!(segment.of_kind(layout::INDEX).len() > 10, "{} INDEX blocks", segment.of_kind(layout::INDEX).len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_index_covers_everything_whatever_was_done(ops in vec(op(), 1..60), ending in 0..2) {
        let mut log = Log::new(small_blocks(Codec::None));
        ops.iter().for_each(|op| log.perform(op));
        match ending {
            0 => log.close(),
            _ => log.crash(),
        }
        for segment in open(&log.directory).segments() {
            assert_complete(&log, segment.path.file_name().unwrap().to_str().unwrap());
        }
    }
}

/// Whether some block of this kind before `end` holds the name.
fn holds(bytes: &[u8], segment: &Segment, kind: u8, name: &[u8], end: usize) -> bool {
    let mut blocks = segment.blocks.iter().filter(|block| block.kind == kind && block.end() <= end);
    blocks.any(|block| bytes[block.entries.clone()].windows(name.len()).any(|part| part == name))
}

#[test]
fn wherever_a_file_ends_its_index_has_no_name_that_its_events_do_not() {
    let options = || WriterOptions { index_bytes: 4096, ..small_blocks(Codec::None) };
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options()).unwrap();
    let names: Vec<String> = (0..5).map(|i| format!("a name given late, {i}")).collect();
    for name in &names {
        // A large record is written at once. So the INDEX block is due when the next block is written, which has the name.
        writer.append(1, &noise(5000, 1)).unwrap();
        let number = writer.type_id(name, "text/plain").unwrap();
        writer.append(number, b"of that type").unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let whole = directory.contents(FILE).unwrap();
    let segment = Segment::parse(&whole);
    assert!(segment.of_kind(layout::INDEX).len() >= names.len());
    for cut in segment.blocks.iter().map(|block| block.end()) {
        for name in &names {
            let has = |kind| holds(&whole, &segment, kind, name.as_bytes(), cut);
            assert!(has(layout::RECORDS) || !has(layout::INDEX), "{name:?} at {cut}");
        }
        // So a writer that continues there names the type, for readers that read the blocks alone.
        let again = MemoryDirectory::new();
        again.set_contents(FILE, whole[..cut].to_vec());
        let writer = Writer::open(Arc::new(again.clone()), options()).unwrap();
        let number = writer.type_id(&names[2], "text/plain").unwrap();
        writer.append(number, b"of that type").unwrap();
        writer.close().unwrap();
        let bytes = again.contents(FILE).unwrap();
        let (segment, name) = (Segment::parse(&bytes), names[2].as_bytes());
        assert!(holds(&bytes, &segment, layout::RECORDS, name, bytes.len()), "cut at {cut}");
        assert!(holds(&bytes, &segment, layout::INDEX, name, bytes.len()), "cut at {cut}: the index has it too");
    }
}
