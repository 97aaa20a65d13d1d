//! Counts of a split: those of the records that it shows, taken from the index of the segments that it contains as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use binlog::io::Directory;
use binlog::{Codec, Filter, Reader, ReaderMode, ReaderOptions};

use super::damage::{a_log, damage};
use crate::common::counting::CountingDirectory;
use crate::common::history::*;
use crate::common::layout::Segment;
use crate::common::*;
use crate::{open, plan};

type Counted = BTreeMap<u32, u64>;

fn counts(reader: &Reader) -> binlog::Result<Counted> {
    Ok(reader.counts()?.into_iter().map(|counted| (counted.type_id, counted.records)).collect())
}

fn counted(rows: &[Row]) -> Counted {
    rows.iter().filter(|row| !row.is_event()).fold(Counted::new(), |mut all, row| {
        *all.entry(row.type_id).or_default() += 1;
        all
    })
}

fn options(mode: ReaderMode) -> ReaderOptions {
    ReaderOptions { mode, ..ReaderOptions::default() }
}

#[test]
fn a_split_counts_what_it_shows_whatever_is_appended_meanwhile() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut log = a_log(&mut dice);
        if dice.one_in(2) {
            log.reopen(Codec::None);
            log.put_plain(1, 7, 10);
            log.writer().sync().unwrap();
        }
        let mode = [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage][dice.roll(3)];
        let ids = (0..2).map(|_| 1 + dice.roll(log.rows.len()) as u64).collect::<Vec<_>>();
        let filter = Filter {
            from_id: dice.one_in(2).then(|| ids[0].min(ids[1])),
            to_id: dice.one_in(2).then(|| ids[0].max(ids[1])),
            ..Filter::default()
        };
        let target = [1, 4096, 20_000, 1 << 20][dice.roll(4)];
        let splits = plan(&log.directory, mode, &filter, target);
        if log.writer.is_some() {
            log.put_plain(2, 8, 10);
            log.writer().roll().unwrap();
        }
        for split in &splits {
            let reader = open(&log.directory, split, options(mode)).unwrap();
            assert_eq!(counts(&reader).unwrap(), counted(&rows_of(&reader)), "seed {seed} {mode:?} {split:?}");
        }
    }
}

#[test]
fn a_split_of_a_damaged_log_counts_what_was_there_or_fails() {
    for seed in 0..300 {
        let mut dice = Dice(seed + 5_000);
        let log = a_log(&mut dice);
        let mode = [ReaderMode::Prefix, ReaderMode::Strict][dice.roll(2)];
        let splits = plan(&log.directory, mode, &Filter::default(), [4096, 20_000, 1 << 20][dice.roll(3)]);
        let rows = |split| counted(&rows_of(&open(&log.directory, split, options(mode)).unwrap()));
        let before: Vec<Counted> = splits.iter().map(rows).collect();
        let what = damage(&log, &copy_of(&log.directory), &mut dice);
        for (split, before) in splits.iter().zip(before) {
            let Ok(reader) = open(&log.directory, split, options(mode)) else { continue };
            if let Ok(now) = counts(&reader) {
                assert_eq!(now, before, "seed {seed} {what} {split:?}");
            }
        }
    }
}

#[test]
fn counting_a_split_of_whole_segments_reads_their_index_alone() {
    let mut log = Log::new(small_blocks(Codec::None));
    for _ in 0..2 {
        for number in 0..20_000 {
            log.put_plain(number % 3, 10, 20);
        }
        log.writer().roll().unwrap();
    }
    log.close();
    let [split] = &plan(&log.directory, ReaderMode::Prefix, &Filter::default(), 1 << 30)[..] else { panic!() };
    let directory = CountingDirectory::new(&log.directory);
    let reader = Reader::open_split_at(&split.token, Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let by_index = counts(&reader).unwrap();
    let bytes = directory.bytes_read();
    let headers = Filter { headers_only: true, ..Filter::default() };
    assert_eq!(by_index, counted(&read(&reader, &headers, Way::Next).whole()));
    let of_headers = directory.bytes_read();
    assert!(4 * bytes < of_headers, "{bytes} bytes for the counts, {of_headers} for all headers");
}

#[test]
fn counts_of_a_log_fail_where_a_cursor_fails_at_an_end_that_was_durable() {
    for headers_left in [true, false] {
        let mut log = Log::new(small_blocks(Codec::None));
        for number in 0..300 {
            log.put_plain(number % 3, 10, 200);
        }
        log.writer().sync().unwrap();
        log.crash();
        log.reopen(Codec::None);
        log.put_plain(9, 10, 10);
        log.close();
        let file = log.directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).min().unwrap();
        let bytes = log.directory.contents(&file).unwrap();
        let block = Segment::parse(&bytes).blocks.into_iter().rfind(|block| !block.payload.is_empty()).unwrap();
        let end = if headers_left { block.payload.start + 1 } else { block.offset + 3 };
        log.directory.set_contents(&file, bytes[..end].to_vec());
        let reader = Reader::open(Arc::new(log.directory.clone()), ReaderOptions::default()).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        let error = loop {
            match cursor.next() {
                Ok(Some(_)) => (),
                Ok(None) => panic!("{end}: the cursor sees no damage"),
                Err(error) => break error,
            }
        };
        assert_eq!(counts(&reader).unwrap_err().to_string(), error.to_string(), "{end}");
    }
}
