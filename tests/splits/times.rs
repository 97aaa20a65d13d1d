//! Plans of a range of times or of ids in logs of many segments. Times may run back.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::compression::compress;
use binlog::io::{Access, Directory, File, MemoryDirectory};
use binlog::splits::{PlanOptions, Split};
use binlog::{Codec, Filter, Reader, ReaderMode, ReaderOptions};

use crate::common::history::*;
use crate::common::*;
use crate::{check, open, plan};

/// Records of a segment, and the time between two of them.
const RECORDS: usize = 4;
const STEP: i64 = 1000;

/// Appends segments of records whose times go up by `STEP`, and one in `late` of them is up to `back` earlier. Now and then
/// the log is closed, crashes, is compressed, and its writer begins anew.
fn a_log(segments: usize, (back, late): (usize, usize), dice: &mut Dice) -> Log {
    let mut log = Log::new(small_blocks(Codec::None));
    for _ in 0..segments {
        for _ in 0..RECORDS {
            let early = if dice.one_in(late) { dice.roll(back + 1) as i64 } else { 0 };
            let time = log.rows.len() as i64 * STEP - early;
            // Some segments have several INDEX blocks.
            let len = if dice.one_in(10) { 3000 } else { 20 };
            log.put_plain(1, time, len);
        }
        match dice.roll(12) {
            0 => {
                log.close();
                log.reopen(Codec::None);
            }
            1 => {
                log.writer().sync().unwrap();
                log.crash();
                log.reopen(Codec::None);
            }
            2 => drop(compress(Arc::new(log.directory.clone()), &Default::default()).unwrap()),
            _ => (),
        }
        log.writer().roll().unwrap();
    }
    log
}

fn of_times(from: i64, to: i64) -> Filter {
    Filter { from_time: Some(from), to_time: Some(to), ..Filter::default() }
}

fn shown(directory: &MemoryDirectory, splits: &[Split], filter: &Filter) -> Vec<Row> {
    let of =
        |split: &Split| read(&open(directory, split, ReaderOptions::default()).unwrap(), filter, Way::Next).whole();
    splits.iter().flat_map(of).collect()
}

#[test]
fn a_range_of_times_is_planned_as_a_whole_however_far_times_run_back() {
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let back = [0, 500, 5_000, 60_000, 1_000_000][dice.roll(5)];
        let late = [1, 40][dice.roll(2)];
        let log = a_log(2 + dice.roll(40), (back, late), &mut dice);
        log.writer().flush().unwrap();
        let end = log.rows.len() * STEP as usize;
        for _ in 0..15 {
            let from = dice.roll(end + 10_000) as i64 - 5_000;
            let filter = of_times(from, from + dice.roll(20_000) as i64);
            let mode = [ReaderMode::Prefix, ReaderMode::Salvage][dice.roll(2)];
            let splits = plan(&log.directory, mode, &filter, [1, 10_000, 64 << 20][dice.roll(3)]);
            let context = format!("seed {seed} back {back} {mode:?} {filter:?} {splits:#?}");
            check(&splits, &context);
            assert_rows(&shown(&log.directory, &splits, &filter), &shown_of(&log.rows, &filter), &context);
        }
    }
}

/// A directory to be read that notes which files are opened.
struct Noting {
    inner: MemoryDirectory,
    noted: Mutex<HashSet<String>>,
}

impl Directory for Noting {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> std::io::Result<Arc<dyn File>> {
        self.noted.lock().unwrap().insert(name.into());
        self.inner.open(name, access)
    }

    fn list(&self) -> std::io::Result<Vec<String>> {
        self.inner.list()
    }
}

/// How many files a plan opens.
fn opened_by_plan(directory: &MemoryDirectory, filter: &Filter) -> usize {
    let noting = Arc::new(Noting { inner: directory.clone(), noted: Mutex::default() });
    let reader = Reader::open(noting.clone(), ReaderOptions::default()).unwrap();
    reader.plan(filter, &PlanOptions::default()).unwrap();
    let noted = noting.noted.lock().unwrap();
    noted.len()
}

/// Steps of two bisections among 600 segments, the first and the last one, and two at the bounds.
const FEW: usize = 2 * 10 + 4;

#[test]
fn a_range_of_times_opens_the_segments_of_its_bisection_and_those_that_can_have_such_times() {
    let segment = RECORDS as i64 * STEP;
    for (back, seed) in [(0, 1), (500, 2), (5 * segment, 3)] {
        let mut log = a_log(600, (back as usize, 1), &mut Dice(seed));
        let filter = of_times(300 * segment, 301 * segment);
        // Within the range, in front of it and behind it.
        let near = 2 + 3 * (back / segment) as usize;
        let opened = opened_by_plan(&log.directory, &filter);
        assert!(opened <= FEW + near, "{opened} files for times that run back {back}");
        // A single record that is late by more makes all behind it count, and none before it.
        log.put_plain(1, 0, 20);
        log.writer().roll().unwrap();
        log.put_plain(1, 10_000 * segment, 20);
        log.writer().roll().unwrap();
        log.writer().flush().unwrap();
        let splits = plan(&log.directory, ReaderMode::Prefix, &of_times(0, 1), 64 << 20);
        let rows = shown(&log.directory, &splits, &of_times(0, 1));
        assert!(rows.iter().any(|row| row.id == 600 * RECORDS as u64 + 1), "the late record");
        assert!(opened_by_plan(&log.directory, &filter) > 280, "segments that may have late records");
    }
}

#[test]
fn a_late_record_is_planned_whatever_became_of_its_segment_before_the_next_one() {
    type Fate = fn(&mut Log);
    let fates: [(&str, Fate); 5] = [
        ("rolled", |_| ()),
        ("closed", |log| {
            log.close();
            log.reopen(Codec::None);
        }),
        ("crashed", |log| {
            log.writer().sync().unwrap();
            log.crash();
            log.reopen(Codec::None);
        }),
        ("closed twice", |log| {
            for _ in 0..2 {
                log.put_plain(1, 31_000 * STEP, 20);
                log.close();
                log.reopen(Codec::None);
            }
        }),
        ("compressed", |log| {
            log.writer().roll().unwrap();
            compress(Arc::new(log.directory.clone()), &Default::default()).unwrap();
            log.close();
            log.reopen(Codec::None);
        }),
    ];
    // The late one is in the first block, or in the last, of a segment of several INDEX blocks.
    for late in [1, 19] {
        for (what, fate) in &fates {
            let mut log = Log::new(small_blocks(Codec::None));
            for segment in 0..200 {
                for record in 0..20 {
                    let is_late = segment == 30 && record == late;
                    let time = if is_late { 10_000 } else { segment * 1000 + record } * STEP;
                    log.put_plain(1, time, if segment == 30 { 2000 } else { 20 });
                }
                if segment == 30 {
                    fate(&mut log);
                }
                log.writer().roll().unwrap();
            }
            log.writer().flush().unwrap();
            let filter = of_times(10_000 * STEP, 10_001 * STEP);
            let splits = plan(&log.directory, ReaderMode::Prefix, &filter, 64 << 20);
            let (seen, wanted) = (shown(&log.directory, &splits, &filter), shown_of(&log.rows, &filter));
            assert_eq!(wanted.len(), 2, "one in its place, and the late one");
            assert_rows(&seen, &wanted, &format!("late {late} {what}: {splits:#?}"));
            let opened = opened_by_plan(&log.directory, &of_times(32_000 * STEP, 32_001 * STEP));
            assert!(opened < 80, "{opened} of 201 are opened: late {late} {what}");
        }
    }
}

#[test]
fn a_range_of_ids_is_planned_by_the_segments_of_its_bisection_and_its_own() {
    let log = a_log(600, (0, 1), &mut Dice(4));
    log.writer().flush().unwrap();
    let last = log.rows.len() as u64;
    for (from, to) in [(1, 1), (1, 10), (5, 5), (last / 2, last / 2), (last / 2, last / 2 + 9), (last - 3, last)] {
        let filter = Filter { from_id: Some(from), to_id: Some(to), ..Filter::default() };
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let splits = plan(&log.directory, mode, &filter, 64 << 20);
            let context = format!("{from} to {to} {mode:?} {splits:#?}");
            assert_eq!(splits.len(), 1, "{context}");
            check(&splits, &context);
            assert_rows(&shown(&log.directory, &splits, &filter), &shown_of(&log.rows, &filter), &context);
        }
        let opened = opened_by_plan(&log.directory, &filter);
        assert!(opened <= FEW, "{opened} files for {from} to {to}");
    }
}
