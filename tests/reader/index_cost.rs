//! What is read of a file to find something by its index: the index and the records, and hardly anything else.

use std::ops::Range;
use std::sync::Arc;

use crate::common::counting::CountingDirectory;
use crate::common::history::*;
use crate::common::layout::{self, Block, Segment};
use crate::common::*;
use binlog::{Codec, Filter, Reader, ReaderOptions, WriterOptions};

const FILE: &str = "default.0000000001.binlog";
const RARE: u32 = 77;

/// Five thousand records in two dozen blocks of one segment; every 700th is of a rare type, and every 900th has
/// metadata of its own. Times go up.
fn a_log(codec: Codec) -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 64 << 10, index_bytes: 200 << 10, ..small_blocks(codec) });
    for i in 0..5000u64 {
        let metadata = match i % 900 {
            450 => vec![("request".to_owned(), format!("r-{i}"))],
            _ if i % 40 == 3 => vec![("user".to_owned(), format!("u-{}", i % 7))],
            _ => vec![],
        };
        let type_id = if i % 700 == 351 { RARE } else { (i % 4) as u32 };
        log.put(&Made { type_id, time: 1000 + i as i64, metadata, len: 280 + i as usize % 50, seed: i });
        if i % 1000 == 999 {
            log.writer().flush().unwrap();
        }
    }
    log.close();
    log
}

struct Counted {
    log: Log,
    directory: CountingDirectory,
    reader: Reader,
    segment: Segment,
}

impl Counted {
    fn new(log: Log) -> Self {
        let directory = CountingDirectory::new(&log.directory);
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        let segment = Segment::parse(&log.directory.contents(FILE).unwrap());
        Counted { log, directory, reader, segment }
    }

    /// The reads that begin at or in a block of records or events, when everything the filter shows is read.
    fn reads_of(&self, filter: &Filter) -> Vec<Range<usize>> {
        self.directory.reads();
        let seen = read(&self.reader, filter, Way::Batch(64)).whole();
        assert_rows(&seen, &shown_of(&self.log.rows, filter), "the filter");
        assert!(!seen.is_empty());
        let reads = self.directory.reads().into_iter().map(|read| read.start as usize..read.end as usize);
        let of_records = self.segment.of_kind(layout::RECORDS);
        reads.filter(|read| of_records.iter().any(|block| (block.offset..block.end()).contains(&read.start))).collect()
    }

    /// The blocks with a record that satisfies the condition.
    fn blocks_with(&self, wanted: impl Fn(&Row) -> bool) -> Vec<&Block> {
        let holds = |block: &&Block| block.ids().any(|id| wanted(&self.log.rows[id as usize - 1]));
        self.segment.of_kind(layout::RECORDS).into_iter().filter(holds).collect()
    }

    /// Asserts that reading what the filter shows touches the blocks with wanted records, and no other.
    fn assert_touches(&self, filter: &Filter, wanted: impl Fn(&Row) -> bool) {
        let blocks = self.blocks_with(wanted);
        let reads = self.reads_of(filter);
        // The beginning of the last records is found by reading them, as damaged ones do not count.
        let most = if filter.last.is_some() { 6 } else { 3 };
        let mut others = 0;
        for read in &reads {
            match blocks.iter().find(|block| (block.offset..block.end()).contains(&read.start)) {
                // The next block's header may be read with it.
                Some(block) => assert!(read.end <= block.end() + layout::HEADER, "{read:?} {block:?}"),
                None => others += 1,
            }
        }
        // A pair may seem to be in a block in which it is not, once in a hundred times.
        assert!(others <= 2 * filter.metadata.len(), "{others} reads of other blocks: {filter:?}");
        assert!(
            reads.len() - others <= most * blocks.len(),
            "{} reads of {} blocks: {filter:?}",
            reads.len(),
            blocks.len()
        );
        assert!(blocks.len() < self.segment.of_kind(layout::RECORDS).len() / 2, "it is a choice");
    }
}

#[test]
fn a_lookup_costs_two_reads_and_one_question_for_the_length() {
    let counted = Counted::new(a_log(Codec::None));
    let mut cursor = counted.reader.cursor(&Filter::default()).unwrap();
    // The first round reads the index.
    for round in 0..2 {
        for id in (1..5000).step_by(97) {
            counted.directory.reads();
            counted.directory.lengths_asked();
            assert_eq!(cursor.get(id).unwrap().map(|record| record.id), Some(id));
            let (reads, lengths) = (counted.directory.reads(), counted.directory.lengths_asked());
            assert!(round == 0 || (reads.len(), lengths) == (2, 1), "{id} by its id: {reads:?}, {lengths}");
            cursor.seek_time(counted.log.rows[id as usize - 1].time).unwrap();
            assert_eq!(cursor.next().unwrap().map(|record| record.id), Some(id));
            let (reads, lengths) = (counted.directory.reads(), counted.directory.lengths_asked());
            assert!(round == 0 || (reads.len(), lengths) == (2, 1), "{id} by its time: {reads:?}, {lengths}");
        }
    }
}

#[test]
fn a_rare_record_costs_one_read_of_its_pages_beside_the_index() {
    let counted = Counted::new(a_log(Codec::None));
    assert!(counted.segment.of_kind(layout::INDEX).len() > 3);
    for newest_first in [false, true] {
        for filter in [
            Filter { types: vec![RARE], newest_first, ..Filter::default() },
            Filter { types: vec![RARE], newest_first, from_time: Some(2000), to_time: Some(5000), ..Filter::default() },
            Filter { types: vec![RARE, 9999], newest_first, from_id: Some(1000), ..Filter::default() },
        ] {
            let mut shown = shown_of(&counted.log.rows, &filter);
            let mut reads = counted.reads_of(&filter);
            if newest_first {
                shown.reverse();
                reads.reverse();
            }
            assert_eq!(reads.len(), shown.len(), "one read for each record: {filter:?}");
            for (row, read) in shown.iter().zip(reads) {
                let block = counted.blocks_with(|other| other.id == row.id)[0];
                let (place, _) = block.records.iter().find(|(_, id)| *id == Some(row.id)).unwrap();
                let within = place.start - block.payload.start..place.end - block.payload.start;
                let pages = within.start / layout::PAGE..within.end.div_ceil(layout::PAGE);
                assert_eq!(read, block.page(pages.start).start..block.page(pages.end - 1).end, "#{}", row.id);
            }
        }
    }
}

#[test]
fn headers_of_rare_records_come_from_the_index_alone() {
    let counted = Counted::new(a_log(Codec::None));
    let filter = Filter { types: vec![RARE], headers_only: true, ..Filter::default() };
    assert_eq!(counted.reads_of(&filter), []);
}

#[test]
fn a_filter_reads_only_blocks_that_hold_something() {
    for codec in codecs() {
        let counted = Counted::new(a_log(codec));
        for newest_first in [false, true] {
            let newest = Filter { newest_first, ..Filter::default() };
            counted.assert_touches(&Filter { types: vec![RARE], ..newest.clone() }, |row| row.type_id == RARE);
            let times = 2500i64..3100;
            let filter = Filter { from_time: Some(times.start), to_time: Some(times.end), ..newest.clone() };
            counted.assert_touches(&filter, |row| times.contains(&row.time));
            let filter = Filter { from_id: Some(4400), to_id: Some(4500), ..newest.clone() };
            counted.assert_touches(&filter, |row| (4400..=4500).contains(&row.id));
            for i in [450, 1350, 3150] {
                let pair = ("request".to_owned(), format!("r-{i}"));
                let filter = Filter { metadata: vec![pair.clone()], ..newest.clone() };
                counted.assert_touches(&filter, |row| row.metadata.contains(&pair));
            }
            let filter = Filter { last: Some(30), ..newest };
            counted.assert_touches(&filter, |row| row.id > 4970);
        }
    }
}

#[test]
fn a_get_costs_two_reads_once_the_index_is_known() {
    let counted = Counted::new(a_log(Codec::None));
    let mut cursor = counted.reader.cursor(&Filter::default()).unwrap();
    cursor.get(1).unwrap();
    let all: Vec<u64> = (0..5000).map(|i| i * 1237 % 5000 + 1).step_by(9).collect();
    // The blocks of the index are read once.
    for &id in &all {
        assert!(cursor.get(id).unwrap().is_some());
    }
    for id in all {
        counted.directory.reads();
        assert_eq!(cursor.get(id).unwrap().map(|record| record.id), Some(id));
        let reads = counted.directory.reads();
        assert!(reads.len() <= 2, "{id}: {reads:?}");
        let bytes: u64 = reads.iter().map(|read| read.end - read.start).sum();
        assert!(bytes < 3 * 4096 + 1000, "{id}: {reads:?}");
    }
    counted.directory.reads();
    assert!(cursor.get(5001).unwrap().is_none() && cursor.get(u64::MAX).unwrap().is_none());
    // One look at the directory and at the lock file for each: the log may have rolled since the reader was opened.
    assert!(counted.directory.bytes_read() < 2 * 2000, "what is not there costs a look, and no block");
}

#[test]
fn headers_are_read_without_the_payloads() {
    let mut log = Log::new(WriterOptions { block_bytes: 128 << 10, ..small_blocks(Codec::None) });
    for i in 0..200 {
        log.put_plain(1, i, 20_000);
    }
    log.close();
    let counted = Counted::new(log);
    let filter = Filter { headers_only: true, ..Filter::default() };
    counted.directory.reads();
    for newest_first in [false, true] {
        let filter = Filter { newest_first, ..filter.clone() };
        let seen = read(&counted.reader, &filter, Way::Batch(5)).whole();
        assert_rows(&seen, &shown_of(&counted.log.rows, &filter), "headers");
        let bytes = counted.directory.bytes_read();
        assert!(bytes < 40_000, "{bytes} bytes of 4 MB");
    }
}

#[test]
fn a_get_in_one_of_many_segments_touches_no_other() {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..400 {
        log.put_plain((i % 2) as u32, i, 200);
        if i % 10 == 9 {
            log.writer().roll().unwrap();
        }
    }
    log.close();
    let directory = CountingDirectory::new(&log.directory);
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter { types: vec![1], ..Filter::default() }).unwrap();
    for id in [31, 32, 300, 299] {
        directory.reads();
        // 31 is of the other type: that is known without reading the segments after it, but with one look at the
        // directory.
        let got = cursor.get(id).unwrap().is_some();
        let reads = directory.reads();
        assert_eq!(got, id % 2 == 0);
        assert!(reads.len() <= 10, "{id}: {} reads", reads.len());
    }
}
