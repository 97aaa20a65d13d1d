//! Damage: whoever reads the split that contains its place meets it, and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use binlog::io::{write_full, Access, Directory, MemoryDirectory};
use binlog::splits::Split;
use binlog::{Codec, Filter, Kind, Loss, LossKind, Reader, ReaderMode, Writer, WriterOptions};

use crate::common::history::*;
use crate::common::layout::Segment;
use crate::common::*;
use crate::{check, open, plan};

fn files(directory: &MemoryDirectory) -> Vec<String> {
    let mut files = directory.list().unwrap();
    files.retain(|name| name.ends_with(".binlog"));
    files
}

/// A log of several segments, some of them without an index up to their end.
pub fn a_log(dice: &mut Dice) -> Log {
    let mut log = Log::new(small_blocks(Codec::None));
    for _ in 0..2 + dice.roll(4) {
        for _ in 0..20 + dice.roll(100) {
            let (type_id, len) = (dice.roll(3) as u32, dice.roll(900));
            let id = log.rows.len() as i64 + 1;
            log.put_plain(type_id, 10 * id, len);
        }
        log.writer().sync().unwrap();
        match dice.roll(6) {
            0 => {
                log.crash();
                log.reopen(Codec::None);
            }
            _ => log.writer().roll().unwrap(),
        }
    }
    log.close();
    log
}

/// Damages a file of the log, which had these contents.
pub fn damage(log: &Log, whole: &MemoryDirectory, dice: &mut Dice) -> String {
    let files = files(&log.directory);
    let file = &files[dice.roll(files.len())];
    if dice.one_in(12) && file != &files[0] && Some(file) != files.last() {
        log.directory.remove(file).unwrap();
        return format!("removed {file}");
    }
    let bytes = log.directory.contents(file).unwrap();
    let blocks = Segment::parse(&whole.contents(file).unwrap()).blocks;
    let block = &blocks[dice.roll(blocks.len())];
    let at = match dice.roll(6) {
        0 => dice.roll(bytes.len()),
        1 => block.offset + dice.roll(80),
        2 => block.entries.start + dice.roll(block.entries.len().max(1)),
        _ => block.payload.start + dice.roll(block.payload.len().max(1)),
    };
    if dice.one_in(6) {
        let at = at.min(bytes.len());
        let (removed, added) =
            [(1 + dice.roll(300), 0), (0, 1 + dice.roll(300)), (1 + dice.roll(200), 1 + dice.roll(200))][dice.roll(3)];
        let behind = &bytes[bytes.len().min(at + removed)..];
        log.directory.set_contents(file, [&bytes[..at], &vec![0; added][..], behind].concat());
        return format!("{removed} bytes of {file} from {at} on replaced by {added}");
    }
    let range = at.min(bytes.len() - 1)..bytes.len().min(at + [1, 1, 100, 9000][dice.roll(4)]);
    let bad: Vec<u8> = bytes[range.clone()].iter().map(|byte| byte ^ 0x41).collect();
    let handle = log.directory.open(file, Access::ReadWrite).unwrap();
    write_full(&*handle, &[&bad], range.start as u64).map_err(|(_, e)| e).unwrap();
    format!("damaged {file} {range:?}")
}

fn ids(losses: &[Loss]) -> Vec<u64> {
    let mut ids: Vec<u64> = losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
    ids.sort_unstable();
    ids
}

/// What a salvaging reader shows, and what it reports.
fn salvaged(
    open: impl FnOnce(binlog::ReaderOptions) -> binlog::Result<Reader>,
    filter: &Filter,
) -> (Vec<Row>, Vec<Loss>) {
    let (options, heard) = hearing(ReaderMode::Salvage);
    let rows = match open(options) {
        Ok(reader) => read(&reader, filter, Way::Next).whole(),
        Err(error) => panic!("{error}"),
    };
    let losses = heard.lock().unwrap().clone();
    (rows, losses)
}

fn tries(each: fn(u64)) {
    let cases = std::env::var("BINLOG_SPLITS_CASES").ok().map_or(400, |text| text.parse().unwrap());
    (0..cases).for_each(each);
}

#[test]
fn salvage_by_splits_saves_the_same_records_and_reports_the_same_losses_once() {
    tries(|seed| {
        let mut dice = Dice(seed);
        let log = a_log(&mut dice);
        let whole = copy_of(&log.directory);
        let what: Vec<String> = (0..1 + dice.roll(3)).map(|_| damage(&log, &whole, &mut dice)).collect();
        let filter = Filter { events: dice.one_in(2), ..Filter::default() };
        let whole = || Reader::open(Arc::new(log.directory.clone()), hearing(ReaderMode::Salvage).0);
        if whole().is_err() {
            return;
        }
        let target = [1, 4096, 20_000, 1 << 20][dice.roll(4)];
        let (rows, losses) = salvaged(|options| Reader::open(Arc::new(log.directory.clone()), options), &filter);
        let splits = plan(&log.directory, ReaderMode::Salvage, &filter, target);
        let context = format!("seed {seed} {what:?} {target} {splits:#?}");
        check(&splits, &context);
        let (mut seen, mut heard) = (vec![], vec![]);
        for split in &splits {
            let (rows, losses) = salvaged(|options| open(&log.directory, split, options), &filter);
            seen.extend(rows);
            heard.extend(losses);
        }
        assert_rows(&seen, &rows, &format!("{context} {losses:#?}"));
        // What is missing behind the last segment is not in a split.
        let is_within = |loss: &Loss| {
            let behind = loss.ids.map_or(0, |(_, last)| last);
            loss.kind != LossKind::Missing || rows.iter().any(|row| row.id > behind)
        };
        let (mut losses, mut heard) = (losses, heard);
        losses.retain(is_within);
        heard.retain(is_within);
        assert_eq!(ids(&heard), ids(&losses), "{context}\n{losses:#?}\n{heard:#?}");
        let bytes = |losses: &[Loss]| losses.iter().map(|loss| loss.bytes).sum::<u64>();
        assert_eq!(bytes(&heard), bytes(&losses), "{context}\n{losses:#?}\n{heard:#?}");
    });
}

/// 60 records, of which those in the last four blocks are lost.
#[test]
fn what_is_lost_at_the_very_end_is_reported_by_a_split() {
    let mut log = Log::new(small_blocks(Codec::None));
    for id in 0..60 {
        log.put_plain(1, id, 900);
    }
    log.writer().sync().unwrap();
    log.close();
    let file = &files(&log.directory)[0];
    let bytes = log.directory.contents(file).unwrap();
    let blocks = Segment::parse(&bytes).blocks;
    let of_records: Vec<_> = blocks.iter().filter(|block| !block.payload.is_empty()).collect();
    let (from, to) = (of_records[of_records.len() - 4].offset, of_records[of_records.len() - 1].payload.end);
    // Bytes that are too many move the end, so that neither index nor trailer is where it was.
    let damaged = [&bytes[..from], &[0; 192], &vec![0x41; to - from][..], &bytes[to..]].concat();
    log.directory.set_contents(file, damaged);
    let (rows, losses) = salvaged(|options| Reader::open(Arc::new(log.directory.clone()), options), &Filter::default());
    let last_lost = ids(&losses).last().copied().unwrap();
    assert!(last_lost > rows.last().unwrap().id, "{losses:#?}");
    let splits = plan(&log.directory, ReaderMode::Salvage, &Filter::default(), 1 << 20);
    let heard: Vec<Loss> = splits
        .iter()
        .flat_map(|split| salvaged(|options| open(&log.directory, split, options), &Filter::default()).1)
        .collect();
    assert_eq!(ids(&heard), ids(&losses), "{splits:#?}\n{losses:#?}\n{heard:#?}");
}

#[test]
fn damage_is_an_error_of_the_split_that_contains_it_and_others_are_read() {
    tries(|seed| {
        let mut dice = Dice(seed + 1_000_000);
        let log = a_log(&mut dice);
        let what = damage(&log, &copy_of(&log.directory), &mut dice);
        let mode = [ReaderMode::Prefix, ReaderMode::Strict][dice.roll(2)];
        let reader = |mode| Reader::open(Arc::new(log.directory.clone()), hearing(mode).0);
        let Ok(whole) = reader(mode) else { return };
        let filter = Filter::default();
        let is_damaged = read(&whole, &filter, Way::Next).end.is_err();
        let salvaged: Vec<u64> =
            read(&reader(ReaderMode::Salvage).unwrap(), &filter, Way::Next).whole().iter().map(|row| row.id).collect();
        let Ok(plan) = whole.plan(&filter, &binlog::splits::PlanOptions { target_bytes: 20_000, most: 0 }) else {
            return;
        };
        let context = format!("seed {seed} {mode:?} {what} {:#?}", plan.splits());
        let (mut seen, mut failed): (BTreeSet<u64>, Vec<&Split>) = Default::default();
        for split in plan.splits() {
            let cursor = open(&log.directory, split, hearing(mode).0).and_then(|reader| reader.cursor(&filter));
            let shown = cursor.map(|mut cursor| drain(&mut cursor, Way::Next));
            let (rows, end) = shown.map_or_else(|e| (vec![], Err(e)), |seen| (seen.rows, seen.end));
            for row in &rows {
                assert_eq!(row, &log.rows[row.id as usize - 1], "{context}");
                assert!(seen.insert(row.id), "{} twice: {context}", row.id);
            }
            if let Err(error) = end {
                assert_eq!(error.kind(), Kind::Corrupt, "{error}: {context}");
                failed.push(split);
            }
        }
        assert!(is_damaged || failed.is_empty(), "{context}");
        // Damage of INDEX blocks costs no record, and may go unnoticed.
        let is_whole = mode == ReaderMode::Prefix && seen.len() == log.rows.len();
        assert!(!is_damaged || is_whole || !failed.is_empty(), "{context}");
        assert!(failed.len() <= 2, "{failed:#?}: {context}");
        // Others lose nothing.
        let is_in = |id: &u64| failed.iter().any(|split| (split.first_id..=split.last_id).contains(id));
        for id in salvaged.iter().filter(|id| !is_in(id)) {
            assert!(seen.contains(id), "{id} is not shown: {context}");
        }
    });
}

#[test]
fn a_wanted_record_that_no_split_shows_is_an_error_of_one_of_them() {
    tries(|seed| {
        let mut dice = Dice(seed + 2_000_000);
        let log = a_log(&mut dice);
        let what = damage(&log, &copy_of(&log.directory), &mut dice);
        let from = 1 + dice.roll(log.rows.len()) as u64;
        let filter = Filter { from_id: Some(from), to_id: Some(from + dice.roll(60) as u64), ..Filter::default() };
        let wanted = log.rows.iter().filter(|row| (from..=filter.to_id.unwrap()).contains(&row.id)).count();
        let Ok(whole) = Reader::open(Arc::new(log.directory.clone()), hearing(ReaderMode::Prefix).0) else { return };
        let options = binlog::splits::PlanOptions { target_bytes: 1 << dice.roll(20), most: 0 };
        let Ok(plan) = whole.plan(&filter, &options) else { return };
        let (mut seen, mut failed) = (0, false);
        for split in plan.splits() {
            let reader = open(&log.directory, split, hearing(ReaderMode::Prefix).0);
            match reader.and_then(|reader| reader.cursor(&filter)).map(|mut cursor| drain(&mut cursor, Way::Next)) {
                Ok(shown) => (seen, failed) = (seen + shown.rows.len(), failed | shown.end.is_err()),
                Err(_) => failed = true,
            }
        }
        assert!(seen == wanted || failed, "{seen} of {wanted}: seed {seed} {what} {filter:?} {:#?}", plan.splits());
    });
}

#[test]
fn an_end_that_is_cut_off_is_reported_by_a_split_whatever_the_filter() {
    let mut log = Log::new(small_blocks(Codec::None));
    for type_id in [1, 2] {
        (0..10).for_each(|i| _ = log.put_plain(type_id, i, 50));
        log.writer().roll().unwrap();
    }
    log.put_plain(3, 20, 500);
    log.close();
    let last = files(&log.directory).pop().unwrap();
    let bytes = log.directory.contents(&last).unwrap();
    let block = Segment::parse(&bytes).blocks.iter().find(|block| !block.payload.is_empty()).unwrap().payload.start;
    log.directory.set_contents(&last, bytes[..block + 100].to_vec());
    for types in [vec![], vec![1], vec![3], vec![9]] {
        let filter = Filter { types, ..Filter::default() };
        let mut ends = vec![];
        for split in plan(&log.directory, ReaderMode::Prefix, &filter, 1) {
            let reader = open(&log.directory, &split, hearing(ReaderMode::Prefix).0).unwrap();
            let mut cursor = reader.cursor(&filter).unwrap();
            ends.push(drain(&mut cursor, Way::Next).end.map_err(|error| error.kind()));
        }
        assert!(ends.iter().any(|end| matches!(end, Err(Kind::Corrupt))), "{filter:?} {ends:?}");
    }
}

#[test]
fn a_log_without_a_segment_that_can_be_read_is_an_error_of_the_plan() {
    let mut log = Log::new(small_blocks(Codec::None));
    (0..10).for_each(|i| _ = log.put_plain(1, i, 50));
    log.close();
    let only = files(&log.directory).pop().unwrap();
    let mut bytes = log.directory.contents(&only).unwrap();
    bytes[20] ^= 0xff;
    log.directory.set_contents(&only, bytes);
    let reader = Reader::open(Arc::new(log.directory.clone()), hearing(ReaderMode::Prefix).0).unwrap();
    let refused = reader.plan(&Filter::default(), &Default::default()).unwrap_err();
    assert!(refused.kind() == Kind::Corrupt && refused.to_string().contains(&only), "{refused}");
}

#[test]
fn names_of_types_are_known_in_every_split_whatever_the_mode() {
    for is_closed in [true, false] {
        let directory = MemoryDirectory::new();
        let writer = binlog::Writer::open(Arc::new(directory.clone()), small_blocks(Codec::None)).unwrap();
        (0..3).for_each(|_| _ = writer.append(0, &[7; 3000]).unwrap());
        let named = writer.type_id("named late", "text/plain").unwrap();
        (0..20).for_each(|i| _ = writer.append(if i % 3 == 0 { 0 } else { named }, &[8; 3000]).unwrap());
        writer.sync().unwrap();
        let log = copy_of(&directory);
        if is_closed {
            writer.close().unwrap();
        }
        let log = if is_closed { directory } else { log };
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            for filter in [
                Filter { type_names: vec!["named late".to_owned()], ..Filter::default() },
                Filter { from_id: Some(10), ..Filter::default() },
            ] {
                let reader = Reader::open(Arc::new(log.clone()), hearing(mode).0).unwrap();
                let wanted = read(&reader, &filter, Way::Next).rows;
                assert!(!wanted.is_empty());
                let splits = plan(&log, mode, &filter, 1);
                let rows = splits.iter().flat_map(|split| {
                    let reader = open(&log, split, hearing(mode).0).unwrap();
                    read(&reader, &filter, Way::Next).rows
                });
                assert_rows(&rows.collect::<Vec<_>>(), &wanted, &format!("{mode:?} {is_closed} {filter:?}"));
            }
        }
    }
}

#[test]
fn a_torn_end_is_no_error_of_the_split_that_reads_up_to_it() {
    let mut log = Log::new(small_blocks(Codec::None));
    (0..5).for_each(|i| _ = log.put_plain(1, i, 50));
    log.writer().sync().unwrap();
    (0..2).for_each(|i| _ = log.put_plain(1, i, 900));
    log.writer().flush().unwrap();
    let crashed = copy_of(&log.directory);
    let only = files(&crashed).pop().unwrap();
    let mut bytes = crashed.contents(&only).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    bytes[end - 100..].fill(0);
    crashed.set_contents(&only, bytes);
    let whole = Reader::open(Arc::new(crashed.clone()), hearing(ReaderMode::Prefix).0).unwrap();
    let seen = read(&whole, &Filter::default(), Way::Next);
    let tail = seen.end.unwrap();
    assert_eq!((seen.rows.len(), tail.state), (5, binlog::TailState::Torn));
    for target in [1, 1 << 20] {
        let mut rows = 0;
        for split in plan(&crashed, ReaderMode::Prefix, &Filter::default(), target) {
            let seen =
                read(&open(&crashed, &split, hearing(ReaderMode::Prefix).0).unwrap(), &Filter::default(), Way::Next);
            assert!(seen.end.is_ok(), "{:?} {split:?}", seen.end);
            rows += seen.rows.len();
        }
        assert_eq!(rows, 5);
    }
}

#[test]
fn segments_with_wrong_names_are_read_in_their_place() {
    let mut log = Log::new(small_blocks(Codec::None));
    for _ in 0..6 {
        (0..5).for_each(|i| _ = log.put_plain(1, i, 900));
        log.writer().roll().unwrap();
    }
    log.close();
    let renamed = |pairs: &[(usize, &str)]| {
        let directory = copy_of(&log.directory);
        let names = files(&directory);
        let contents: Vec<_> = pairs.iter().map(|(at, _)| directory.contents(&names[*at]).unwrap()).collect();
        pairs.iter().for_each(|(at, _)| directory.remove(&names[*at]).unwrap());
        pairs.iter().zip(contents).for_each(|((_, name), bytes)| directory.set_contents(name, bytes));
        directory
    };
    let (third, fourth) = ("default.0000000003.binlog", "default.0000000004.binlog");
    for directory in [
        renamed(&[(3, "old.binlog")]),
        renamed(&[(3, "default.0000000099.binlog")]),
        renamed(&[(2, fourth), (3, third)]),
    ] {
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            for target in [1, 3000, 1 << 30] {
                let mut ids = vec![];
                for split in plan(&directory, mode, &Filter::default(), target) {
                    let reader = open(&directory, &split, hearing(mode).0).unwrap();
                    ids.extend(read(&reader, &Filter::default(), Way::Next).whole().iter().map(|row| row.id));
                }
                assert_eq!(ids, (1..=30).collect::<Vec<_>>(), "{mode:?} {target} {:?}", files(&directory));
            }
        }
    }
}

#[test]
fn a_damaged_byte_at_the_end_of_a_segment_is_an_error_of_a_split_or_costs_no_record() {
    let mut log = Log::new(small_blocks(Codec::None));
    for _ in 0..2 {
        for id in 0..30 {
            log.put_plain(1, id, 500);
        }
        log.writer().roll().unwrap();
    }
    for id in 0..30 {
        log.put_plain(1, id, 500);
    }
    log.close();
    let whole = copy_of(&log.directory);
    for file in files(&whole) {
        let bytes = whole.contents(&file).unwrap();
        let of_records: Vec<_> =
            Segment::parse(&bytes).blocks.into_iter().filter(|it| !it.payload.is_empty()).collect();
        for at in (of_records.last().unwrap().payload.end..bytes.len()).step_by(5) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            log.directory.set_contents(&file, damaged);
            for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
                let reader = Reader::open(Arc::new(log.directory.clone()), hearing(mode).0).unwrap();
                let by_log = read(&reader, &Filter::default(), Way::Next).end.err();
                let splits = plan(&log.directory, mode, &Filter::default(), 10_000);
                let mut failed = 0;
                let mut seen = vec![];
                for split in &splits {
                    let cursor =
                        open(&log.directory, split, hearing(mode).0).and_then(|it| it.cursor(&Filter::default()));
                    let shown = cursor.map(|mut cursor| drain(&mut cursor, Way::Next));
                    let (rows, end) = shown.map_or_else(|e| (vec![], Err(e)), |shown| (shown.rows, shown.end));
                    failed += usize::from(end.is_err());
                    seen.extend(rows);
                }
                let context = format!("{file} {at} {mode:?}: {by_log:?} {failed} splits failed");
                // Of a log without a filter, every block is read. A split is read by the index.
                match mode {
                    ReaderMode::Prefix if failed == 0 => assert_rows(&seen, &log.rows, &context),
                    _ => assert_eq!(failed, usize::from(by_log.is_some()), "{context}"),
                }
            }
        }
        log.directory.set_contents(&file, bytes);
    }
}

#[test]
fn a_split_has_at_least_the_records_that_salvage_shows_of_a_torn_tail() {
    let mut log = Log::new(WriterOptions { block_bytes: 256 << 10, ..small_blocks(Codec::None) });
    for records in [10, 400] {
        for _ in 0..records {
            log.put_plain(1, 10, 300);
        }
        log.writer().flush().unwrap();
    }
    log.crash();
    let file = files(&log.directory).pop().unwrap();
    let bytes = log.directory.contents(&file).unwrap();
    let block = Segment::parse(&bytes).blocks.into_iter().max_by_key(|block| block.payload.len()).unwrap();
    // Its last pages were not written.
    log.directory.set_contents(&file, bytes[..block.payload.end - 9000].to_vec());
    for (from_id, to_id) in [(None, None), (Some(5), Some(50)), (Some(200), None)] {
        let filter = Filter { from_id, to_id, ..Filter::default() };
        let mut all = 0;
        for target in [1, 1 << 26] {
            for split in plan(&log.directory, ReaderMode::Salvage, &filter, target) {
                let reader = open(&log.directory, &split, hearing(ReaderMode::Salvage).0).unwrap();
                let shown = read(&reader, &filter, Way::Next).whole().len() as u64;
                assert!(shown <= split.records, "{shown} records of {split:?}");
                all += shown;
            }
        }
        let whole = Reader::open(Arc::new(log.directory.clone()), hearing(ReaderMode::Salvage).0).unwrap();
        assert_eq!(all, 2 * read(&whole, &filter, Way::Next).whole().len() as u64);
    }
}

/// A log whose first segment a power cut left with a damaged block, behind which a writer has continued in the next one.
fn with_a_named_hole(seed: u64) -> Log {
    let mut dice = Dice(seed);
    let mut log = Log::new(small_blocks(Codec::None));
    // With more of them, an index describes the first ones.
    let (blocks, len) = if seed.is_multiple_of(4) { (40, 190) } else { (2 + dice.roll(4), 60) };
    for _ in 0..blocks {
        for number in 0..20 {
            log.put_plain(number % 2 + 1, 10, len);
        }
        log.writer().flush().unwrap();
    }
    log.crash();
    let file = files(&log.directory).pop().unwrap();
    let bytes = log.directory.contents(&file).unwrap();
    let blocks = Segment::parse(&bytes).blocks;
    let at = blocks[dice.roll(blocks.len() - 1)].payload.start as u64 + 5;
    let handle = log.directory.open(&file, Access::ReadWrite).unwrap();
    write_full(&*handle, &[&[bytes[at as usize] ^ 1]], at).map_err(|(_, e)| e).unwrap();
    let writer = Writer::open(Arc::new(log.directory.clone()), small_blocks(Codec::None)).unwrap();
    for _ in 0..10 {
        writer.append(3, b"behind it").unwrap();
    }
    writer.close().unwrap();
    log
}

#[test]
fn a_hole_that_the_next_segment_names_is_in_no_split_and_no_count() {
    for seed in 0..20 {
        let log = with_a_named_hole(seed);
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            for headers_only in [false, true] {
                let filter = Filter { headers_only, ..Filter::default() };
                let (options, heard) = hearing(mode);
                let whole = Reader::open(Arc::new(log.directory.clone()), options).unwrap();
                let rows = read(&whole, &filter, Way::Next).whole();
                let lost = ids(&heard.lock().unwrap());
                assert!(!lost.is_empty() && rows.len() + lost.len() == rows.last().unwrap().id as usize, "{lost:?}");
                let other = Reader::open(Arc::new(log.directory.clone()), hearing(mode).0).unwrap();
                let counted: u64 = other.counts().unwrap().iter().map(|counted| counted.records).sum();
                assert_eq!(counted, rows.len() as u64, "seed {seed} {mode:?}: counts");
                for types in [vec![], vec![1], vec![3]] {
                    let filter = Filter { types: types.clone(), ..filter.clone() };
                    let wanted = |row: &&Row| types.is_empty() || types.contains(&row.type_id);
                    let expected: Vec<Row> = rows.iter().filter(wanted).cloned().collect();
                    for target in [1, 1 << 26] {
                        let (mut seen, mut lost_here, mut counted) = (vec![], vec![], 0);
                        for split in plan(&log.directory, mode, &filter, target) {
                            let (options, heard) = hearing(mode);
                            let reader = open(&log.directory, &split, options).unwrap();
                            let these = read(&reader, &filter, Way::Next).whole();
                            assert!(these.len() as u64 <= split.records, "{split:?}");
                            counted += reader.counts().unwrap().iter().map(|it| it.records).sum::<u64>();
                            lost_here.extend(ids(&heard.lock().unwrap()));
                            seen.extend(these);
                        }
                        assert_rows(&seen, &expected, &format!("seed {seed} {mode:?} {filter:?} {target}"));
                        if types.is_empty() {
                            assert_eq!((lost_here, counted), (lost.clone(), rows.len() as u64), "seed {seed} {mode:?}");
                        }
                    }
                }
            }
        }
    }
}
