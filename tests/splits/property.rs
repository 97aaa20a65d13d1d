//! Random logs, filters and targets, and what happens between plan and read: together, the splits show what the filter
//! selects of the log as it was planned, each record and each event once, and in order.

use std::sync::Arc;

use binlog::compression::compress;
use binlog::{Codec, Filter, ReaderMode, ReaderOptions};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::history::*;
use crate::common::*;
use crate::{check, open, plan};

/// What happens between the plan and the reading of a split.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Write(Op),
    Compress,
    Close,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        4 => op().prop_map(Change::Write),
        2 => Just(Change::Compress),
        1 => Just(Change::Close),
    ]
}

fn happen(log: &mut Log, change: &Change) {
    match change {
        Change::Nothing => (),
        Change::Write(op) if log.writer.is_some() => log.perform(op),
        Change::Write(_) => log.reopen(log.options.codec),
        Change::Compress => {
            compress(Arc::new(log.directory.clone()), &Default::default()).map(|_| ()).unwrap();
        }
        Change::Close => {
            if log.writer.is_some() {
                log.close();
            }
        }
    }
}

fn target(dice: &mut Dice) -> u64 {
    [1, 4096, 20_000, 100_000, 64 << 20][dice.roll(5)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_splits_of_a_plan_show_what_the_filter_selects_each_record_once(
        ops in vec(op(), 1..30),
        seed in any::<u64>(),
        changes in vec(change(), 8),
        is_closed in any::<bool>(),
    ) {
        let mut log = Log::new(small_blocks(Codec::None));
        ops.iter().for_each(|op| log.perform(op));
        log.writer().flush().unwrap();
        if is_closed {
            log.close();
        }
        let mut dice = Dice(seed);
        let mut changes = changes.iter();
        for _ in 0..4 {
            let all = log.everything();
            let filter = Filter { headers_only: false, ..dice.filter(&all) };
            let wanted = shown_of(&all, &filter);
            let (mode, target) = ([ReaderMode::Prefix, ReaderMode::Salvage][dice.roll(2)], target(&mut dice));
            let splits = plan(&log.directory, mode, &filter, target);
            let context = format!("{mode:?} {target} {filter:?} {splits:#?}");
            check(&splits, &context);
            let records = splits.iter().map(|split| split.records).sum::<u64>() as usize;
            let matched = wanted.iter().filter(|row| !row.is_event()).count();
            prop_assert!(records >= matched, "{records} records for {matched}: {context}");
            let last_id = all.iter().filter(|row| !row.is_event()).map(|row| row.id).max().unwrap_or(0);
            let mut seen = vec![];
            for split in &splits {
                if dice.one_in(2) {
                    changes.next().into_iter().for_each(|change| happen(&mut log, change));
                }
                let options = ReaderOptions { mode, ..ReaderOptions::default() };
                let reader = open(&log.directory, split, options).unwrap();
                let rows = read(&reader, &filter, WAYS[dice.roll(WAYS.len())]).whole();
                for row in rows.iter().filter(|row| !row.is_event()) {
                    prop_assert!((split.first_id..=split.last_id).contains(&row.id), "{}: {context}", row.id);
                    prop_assert!(row.time >= split.first_time && row.time <= split.last_time, "{}: {context}", row.id);
                }
                if mode == ReaderMode::Prefix {
                    let newest = Filter { newest_first: true, ..filter.clone() };
                    let mut newest = read(&reader, &newest, Way::Next).whole();
                    newest.reverse();
                    newest.retain(|row| row.id <= last_id);
                    let rows: Vec<Row> = rows.iter().filter(|row| row.id <= last_id).cloned().collect();
                    assert_rows(&newest, &rows, &format!("newest first: {split:?} {context}"));
                }
                seen.extend(rows);
            }
            // Events after the last record may have been added since.
            let end = wanted.iter().filter(|row| row.id > last_id).count();
            let added = seen.iter().filter(|row| row.id > last_id).count();
            prop_assert!(seen.iter().all(|row| row.id <= last_id || row.is_event()) && added >= end, "{context}");
            seen.retain(|row| row.id <= last_id);
            let wanted: Vec<Row> = wanted.into_iter().filter(|row| row.id <= last_id).collect();
            assert_rows(&seen, &wanted, &context);
        }
    }

    #[test]
    fn a_filter_of_types_is_counted_exactly(
        ops in vec(op(), 1..30),
        seed in any::<u64>(),
    ) {
        let mut log = Log::new(small_blocks(Codec::None));
        // The index states the types of a block only if they are few.
        let ops = ops.iter().map(|op| match op {
            Op::Many(made, count, _) => Op::Many(made.clone(), *count, true),
            op => op.clone(),
        });
        ops.for_each(|op| log.perform(&op));
        log.close();
        let all = log.everything();
        let mut dice = Dice(seed);
        let types = (0..dice.roll(3)).map(|_| dice.roll(5) as u32).collect();
        let filter = Filter { types, ..Filter::default() };
        let splits = plan(&log.directory, ReaderMode::Prefix, &filter, target(&mut dice));
        let records: u64 = splits.iter().map(|split| split.records).sum();
        prop_assert_eq!(records as usize, shown_of(&all, &filter).len());
    }
}
