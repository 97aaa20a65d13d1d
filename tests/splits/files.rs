//! What happens to the files of a real directory between plan and read.

use std::fs;
use std::path::{Path, PathBuf};

use binlog::compression::{compress, decompress, CompressOptions};
use binlog::recovery::{rebuild_index, recover, recover_in_place};
use binlog::rolling::{prune, Retention};
use binlog::shipping::{ShipOptions, Shipper};
use binlog::splits::{PlanOptions, Split};
use binlog::{Codec, Filter, Kind, NewRecord, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

use crate::check;
use crate::common::history::*;
use crate::common::{layout, *};

const TARGETS: [u64; 4] = [1, 9000, 40_000, 64 << 20];

fn append(writer: &Writer, dice: &mut Dice, count: usize) {
    for _ in 0..count {
        let payload = noise(dice.roll(600), dice.0);
        let (type_id, time) = (dice.roll(3) as u32, Some(dice.roll(1 << 20) as i64));
        writer.append_record(&NewRecord { type_id, time, payload: &payload, ..Default::default() }).unwrap();
    }
}

fn options() -> WriterOptions {
    small_blocks(Codec::None)
}

/// A closed log of so many segments.
fn a_log(path: &Path, segments: usize, dice: &mut Dice) {
    let writer = Writer::open(path, options()).unwrap();
    for number in 1..=segments {
        let count = 20 + dice.roll(60);
        append(&writer, dice, count);
        if number < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn plan(place: impl AsRef<Path>, mode: ReaderMode, target_bytes: u64) -> Vec<Split> {
    let reader = Reader::open(place.as_ref(), ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let options = PlanOptions { target_bytes, most: 0 };
    let splits = reader.plan(&Filter::default(), &options).unwrap().splits().to_vec();
    check(&splits, &format!("{splits:#?}"));
    splits
}

fn opened(split: &Split) -> Reader {
    Reader::open_split(&split.token, ReaderOptions::default()).unwrap_or_else(|error| panic!("{split:?}: {error}"))
}

fn rows(splits: &[Split]) -> Vec<Row> {
    splits.iter().flat_map(|split| rows_of(&opened(split))).collect()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "binlog")).collect();
    files.sort();
    files
}

/// Ships everything that is closed to the directory of a store, and removes it here but for the newest.
fn ship(log: &Path, store: &Path, compress: Option<CompressOptions>) -> String {
    fs::create_dir_all(store).unwrap();
    let url = format!("file://{}", store.display());
    let keep = Retention { segments: Some(1), ..Retention::default() };
    let options = ShipOptions { url: url.clone(), keep, compress, ..ShipOptions::default() };
    Shipper::open(log, None, options).unwrap().run_once(&()).unwrap();
    url
}

#[test]
fn records_are_each_in_one_split_while_files_are_compressed_indexed_anew_recovered_and_appended_to() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let home = tempfile::tempdir().unwrap();
        let log = home.path();
        let count = 2 + dice.roll(5);
        a_log(log, count, &mut dice);
        let mut writer = None;
        let mut done = vec![];
        for _ in 0..4 {
            let expected = rows_at(log);
            let splits = plan(log, ReaderMode::Prefix, TARGETS[dice.roll(TARGETS.len())]);
            let mut seen = vec![];
            for split in &splits {
                let reader = if dice.one_in(2) { Some(opened(split)) } else { None };
                let change = dice.roll(7);
                done.push(change);
                match change {
                    0 => drop(compress(log, &CompressOptions::default()).unwrap()),
                    1 => drop(decompress(log, &CompressOptions::default()).unwrap()),
                    2 if writer.is_none() => drop(rebuild_index(log).unwrap()),
                    3 if writer.is_none() => drop(recover_in_place(log, ReaderOptions::default()).unwrap()),
                    4 => {
                        let writer = writer.get_or_insert_with(|| Writer::open(log, options()).unwrap());
                        append(writer, &mut dice, 20);
                        writer.roll().unwrap();
                    }
                    5 => drop(writer.take()),
                    _ => (),
                }
                seen.extend(rows_of(&reader.unwrap_or_else(|| opened(split))));
            }
            assert_rows(&seen, &expected, &format!("seed {seed} {done:?} {splits:#?}"));
            if let Some(writer) = &writer {
                writer.flush().unwrap();
            }
        }
    }
}

#[test]
fn a_split_of_segments_that_were_shipped_and_removed_is_missed_here_and_read_in_the_store() {
    for (seed, compress) in [(1, None), (2, Some(CompressOptions::default()))] {
        let home = tempfile::tempdir().unwrap();
        let (log, store) = (home.path().join("log"), home.path().join("store"));
        a_log(&log, 5, &mut Dice(seed));
        let before = rows_at(&log);
        let plans: Vec<_> = TARGETS.map(|target| plan(&log, ReaderMode::Prefix, target)).into();
        let url = ship(&log, &store, compress);
        assert_eq!(segments(&log).len(), 1);
        let kept = rows_at(&log)[0].id;
        for splits in &plans {
            let mut here = vec![];
            for split in splits {
                let mut cursor = match Reader::open_split(&split.token, ReaderOptions::default()) {
                    Ok(reader) => reader.cursor(&Filter::default()).unwrap(),
                    Err(error) => {
                        assert_eq!(error.missed(), Some((split.first_id, split.last_id)), "{split:?}");
                        assert!(split.last_id < kept, "{split:?}");
                        continue;
                    }
                };
                if split.first_id < kept {
                    let missed = (split.first_id, kept - 1);
                    assert_eq!(cursor.next().unwrap_err().missed(), Some(missed), "{split:?}");
                }
                here.extend(drain(&mut cursor, Way::Next).whole());
            }
            assert_rows(&here, &before[kept as usize - 1..], "what is left here");
            // The newest segment is not in the store.
            let mut there = vec![];
            for split in splits.iter().filter(|split| split.first_id < kept) {
                let reader = Reader::open_split_at(&split.token, &*url, ReaderOptions::default()).unwrap();
                let seen = read(&reader, &Filter::default(), Way::Next);
                let ends_here = split.last_id >= kept;
                assert_eq!(seen.end.err().map(|error| error.kind()), ends_here.then_some(Kind::Corrupt), "{split:?}");
                there.extend(seen.rows);
            }
            assert_rows(&there, &before[..kept as usize - 1], "what is in the store");
        }
        // What was not shipped yet was not removed either.
        let newest = plans[0].last().unwrap();
        let error = Reader::open_split_at(&newest.token, &*url, ReaderOptions::default()).err().unwrap();
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        // And a plan of the store survives what is done to the log that it came from.
        let splits = plan(&url, ReaderMode::Prefix, 9000);
        fs::remove_dir_all(&log).unwrap();
        assert_rows(&rows(&splits), &before[..kept as usize - 1], "a plan of the store");
    }
}

#[test]
fn a_split_of_segments_that_were_pruned_reports_their_ids_once_and_shows_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path();
    a_log(log, 6, &mut Dice(3));
    let before = rows_at(log);
    let (one, cut) = (plan(log, ReaderMode::Prefix, 64 << 20), plan(log, ReaderMode::Prefix, 9000));
    let keep = Retention { segments: Some(2), ..Retention::default() };
    assert_eq!(prune(log, None, &keep, false).unwrap().len(), 4);
    let kept = rows_at(log)[0].id;
    let mut cursor = opened(&one[0]).cursor(&Filter::default()).unwrap();
    assert_eq!(cursor.next().unwrap_err().missed(), Some((1, kept - 1)));
    assert_rows(&drain(&mut cursor, Way::Next).whole(), &before[kept as usize - 1..], "the rest");
    let (gone, left): (Vec<_>, Vec<_>) = cut.into_iter().partition(|split| split.last_id < kept);
    for split in &gone {
        let error = Reader::open_split(&split.token, ReaderOptions::default()).err().unwrap();
        assert_eq!((error.kind(), error.missed()), (Kind::Missed, Some((split.first_id, split.last_id))));
    }
    assert!(gone.len() > 3);
    let seen: Vec<Row> =
        left.iter().filter(|split| split.first_id >= kept).flat_map(|it| rows_of(&opened(it))).collect();
    assert_rows(&seen, &before[seen[0].id as usize - 1..], "others");
}

#[test]
fn an_index_that_is_lost_and_one_that_is_written_anew_change_no_split() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path();
    a_log(log, 3, &mut Dice(5));
    let before = rows_at(log);
    let planned = plan(log, ReaderMode::Prefix, 9000);
    // As after a crash: the last segment ends behind a block of records.
    let last = segments(log).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    let blocks = layout::Segment::parse(&bytes).blocks;
    let end = blocks.iter().filter(|block| block.kind == layout::RECORDS).map(layout::Block::end).max().unwrap();
    fs::write(&last, &bytes[..end]).unwrap();
    assert_rows(&rows(&planned), &before, "without an index");
    let without = plan(log, ReaderMode::Prefix, 9000);
    assert_rows(&rows(&without), &before, "planned without an index");
    assert!(!rebuild_index(log).unwrap().is_empty());
    for splits in [planned, without, plan(log, ReaderMode::Prefix, 9000)] {
        assert_rows(&rows(&splits), &before, "with a new index");
    }
}

#[test]
fn a_log_that_is_recovered_after_the_plan_is_read_by_its_splits() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let home = tempfile::tempdir().unwrap();
        let (log, target) = (home.path().join("log"), home.path().join("recovered"));
        a_log(&log, 4, &mut dice);
        let files = segments(&log);
        let file = &files[dice.roll(files.len())];
        let mut bytes = fs::read(file).unwrap();
        let at = 400 + dice.roll(bytes.len() - 400);
        let before = plan(&log, ReaderMode::Prefix, TARGETS[dice.roll(4)]);
        bytes[at] ^= 0x41;
        fs::write(file, bytes).unwrap();
        let damaged = plan(&log, ReaderMode::Salvage, TARGETS[dice.roll(4)]);
        let context = format!("seed {seed} {} {at} {damaged:#?}", file.display());
        recover(&*log, &*target, ReaderOptions::default()).unwrap();
        recover_in_place(&*log, ReaderOptions::default()).unwrap();
        let (whole, copied) = (rows_at(&*log), rows_at(&*target));
        assert!(!whole.is_empty());
        for splits in [&before, &damaged] {
            assert_rows(&rows(splits), &whole, &format!("in place: {context}"));
            let open = |split: &Split| Reader::open_split_at(&split.token, &*target, ReaderOptions::default()).unwrap();
            let seen: Vec<Row> = splits.iter().flat_map(|split| rows_of(&open(split))).collect();
            assert_rows(&seen, &copied, &format!("to another directory: {context}"));
        }
    }
}

#[test]
fn a_segment_that_has_another_name_by_now_is_found_by_every_way_of_reading() {
    for number in 0..4 {
        let home = tempfile::tempdir().unwrap();
        let log = home.path();
        a_log(log, 5, &mut Dice(number));
        // The first four, so that the last of them can be compressed too.
        let to_id = Some(rows_at(&segments(log)[4])[0].id - 1);
        let four = Filter { to_id, ..Filter::default() };
        let before = read(&Reader::open(log, ReaderOptions::default()).unwrap(), &four, Way::Next).whole();
        let planned =
            Reader::open(log, ReaderOptions::default()).unwrap().plan(&four, &PlanOptions::default()).unwrap();
        let split = &planned.splits()[0];
        assert_eq!((planned.splits().len(), Some(split.last_id)), (1, to_id));
        let file = &segments(log)[number as usize];
        compress(file, &CompressOptions { remove_single: true, ..CompressOptions::default() }).unwrap();
        assert!(!file.exists());
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let open = || Reader::open_split(&split.token, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
            let context = format!("{mode:?} {}", file.display());
            assert_rows(&read(&open(), &Filter::default(), Way::Next).whole(), &before, &context);
            assert_eq!(
                open().counts().unwrap().iter().map(|it| it.records).sum::<u64>(),
                before.len() as u64,
                "{context}"
            );
            let parts = open().plan(&Filter::default(), &PlanOptions { target_bytes: 9000, most: 0 }).unwrap();
            assert_rows(&rows(parts.splits()), &before, &context);
            if mode != ReaderMode::Salvage {
                let newest = Filter { newest_first: true, ..Filter::default() };
                let mut seen = read(&open(), &newest, Way::Next).whole();
                seen.reverse();
                assert_rows(&seen, &before, &context);
                let last = Filter { last: Some(before.len() as u64), ..Filter::default() };
                assert_rows(&read(&open(), &last, Way::Next).whole(), &before, &context);
                for row in before.iter().step_by(7) {
                    let mut cursor = open().cursor(&Filter::default()).unwrap();
                    assert_eq!(cursor.get(row.id).unwrap().map(|record| record.id), Some(row.id), "{context}");
                }
            }
        }
    }
}
