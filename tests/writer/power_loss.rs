//! The power fails at every operation of a writer, and of the writer that finds what is left: what was acknowledged as
//! durable is there, in every image that a file system may leave; nothing is there that was not appended.
//!
//! `BINLOG_POWER_SEEDS=n` checks n random images of each moment instead of a few.

use std::sync::Arc;
use std::time::Duration;

use crate::common::*;
use crate::power::*;
use binlog::io::{PowerDirectory, Survival};
use binlog::rolling::{Period, RollOptions};
use binlog::{Codec, Lag, Writer, WriterOptions, FIRST_NAMED_TYPE};

/// Bytes of a step in which a log is filled ahead, where it is.
const FILLED: u64 = 1 << 20;
/// The parameter of a log whose records come through an appender.
const APPENDER: &str = "appender";

const EXTREMES: [Survival; 7] = [
    Survival::Nothing,
    Survival::Names,
    Survival::Lengths,
    Survival::AllButFirstPage,
    Survival::AllButMiddlePage,
    Survival::AllButLastPage,
    Survival::Everything,
];

/// The most different ones, for use with many moments.
const SOME: [Survival; 4] = [Survival::Nothing, Survival::Everything, Survival::Lengths, Survival::AllButFirstPage];

fn seeds(few: u64) -> u64 {
    std::env::var("BINLOG_POWER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// These images of a moment, and some random ones, which differ from moment to moment.
fn survivals(extremes: &[Survival], moment: usize, few: u64) -> impl Iterator<Item = Survival> + '_ {
    let random = (0..seeds(few)).map(move |seed| seed * 1009 + moment as u64);
    extremes.iter().copied().chain(random.flat_map(|seed| [Survival::Until(seed), Survival::Any(seed)]))
}

fn options() -> WriterOptions {
    let mut options = WriterOptions { block_bytes: 4096, segment_bytes: 30_000, ..WriterOptions::default() };
    // With these parameters, the beginning of a segment is longer than a sector.
    options.parameters = (0..12).map(|i| (format!("parameter {i}"), format!("{i}").repeat(40))).collect();
    options
}

/// The ways in which a log is written; the last ones have a background thread.
fn policies() -> [(&'static str, WriterOptions); 9] {
    let every = |records| Lag { records: Some(records), ..Lag::default() };
    let bytes = |bytes| Lag { bytes: Some(bytes), ..Lag::default() };
    let often = Lag { interval: Some(Duration::from_micros(1)), ..Lag::default() };
    // Segments of few records, whose names contain the time before the number.
    let roll = RollOptions {
        records: Some(4),
        period: Some(Period::HOUR),
        template: "{name}-%Y%m%dT%H%M%S.{seq}".into(),
        ..RollOptions::default()
    };
    [
        ("no policy", options()),
        (
            "each record synced",
            WriterOptions { sync: every(1), fill_ahead: Some(FILLED), codec: if_available(Codec::Lz4), ..options() },
        ),
        (
            "each record flushed, every third synced",
            WriterOptions { flush: every(1), sync: every(3), fill_ahead: Some(FILLED), ..options() },
        ),
        (
            "by bytes, compressed",
            WriterOptions {
                flush: bytes(5000),
                sync: bytes(20_000),
                fill_ahead: Some(FILLED),
                codec: if_available(Codec::Zstd),
                ..options()
            },
        ),
        ("rolling by records", WriterOptions { roll: roll.clone(), ..options() }),
        ("rolling in the background", WriterOptions { roll, background: true, flush: often, ..options() }),
        (
            "in the background",
            WriterOptions { background: true, flush: often, sync: often, fill_ahead: Some(FILLED), ..options() },
        ),
        ("through an appender", WriterOptions { sync: bytes(9000), ..through_an_appender() }),
        ("through an appender, in the background", WriterOptions { background: true, ..through_an_appender() }),
    ]
}

/// Options with which a session appends all records through one appender.
fn through_an_appender() -> WriterOptions {
    let mut options = options();
    options.parameters.insert(APPENDER.to_owned(), "yes".to_owned());
    options
}

fn open(directory: &PowerDirectory, options: &WriterOptions) -> Option<Writer> {
    Writer::open(Arc::new(directory.clone()), options.clone()).ok()
}

fn small(ledger: &Ledger, len: usize) -> Given {
    let seed = ledger.taken.len() as u64 + 1;
    Given::of(seed as u32 % 5, payload(len, seed))
}

/// A bit of everything that a program does with a log; `None` when the power failed meanwhile.
fn session(directory: &PowerDirectory, options: &WriterOptions, ledger: &mut Ledger) -> Option<()> {
    let open = || Some(Through::new(open(directory, options)?, options.parameters.contains_key(APPENDER)));
    let writer = open()?;
    ledger.append(&writer, vec![small(ledger, 10)])?;
    ledger.append(&writer, vec![small(ledger, 0)])?;
    let facts = vec![("key".to_owned(), "värde".to_owned()), ("empty".to_owned(), String::new())];
    ledger.append(&writer, vec![Given { time: Some(-5), metadata: facts, ..small(ledger, 700) }])?;
    ledger.flushed(&writer, writer.flush())?;
    // Larger than a block: written from the caller's memory, over several pages.
    ledger.append(&writer, vec![Given::of(3, noise(13_000, 13))])?;
    let named = writer.type_id("an order", "text/plain").ok()?;
    assert_eq!(named, FIRST_NAMED_TYPE);
    let order = |given: Given| Given { type_id: named, type_name: Some("an order"), ..given };
    ledger.append(&writer, vec![order(small(ledger, 100))])?;
    ledger.append(&writer, (1..4).map(|i| Given::of(i, payload(900, i.into()))).collect())?;
    ledger.acknowledged(&writer, writer.sync())?;
    ledger.append(&writer, vec![small(ledger, 2000)])?;
    writer.roll().ok()?;
    ledger.note(&writer);
    for _ in 0..12 {
        ledger.append(&writer, vec![small(ledger, 3000)])?;
    }
    // Over the size of a segment: rolls by itself.
    ledger.flushed(&writer, writer.flush())?;
    ledger.append(&writer, vec![order(small(ledger, 4000))])?;
    ledger.append(&writer, (0..5).map(|i| Given::of(i, payload(2000, i.into()))).collect())?;
    ledger.flushed(&writer, writer.flush())?;
    ledger.append(&writer, vec![small(ledger, 5)])?;
    ledger.closed(writer.close())?;
    let writer = open()?;
    ledger.append(&writer, vec![order(small(ledger, 20))])?;
    ledger.flushed(&writer, writer.flush())?;
    ledger.append(&writer, vec![small(ledger, 6000)])?;
    ledger.acknowledged(&writer, writer.sync())?;
    ledger.append(&writer, vec![small(ledger, 4100)])?;
    ledger.append(&writer, vec![small(ledger, 1)])?;
    ledger.closed(writer.close())
}

/// Runs a session for each of its operations, in which the power fails there, and passes on what was known then.
fn cut_everywhere(options: &WriterOptions, mut each: impl FnMut(usize, &PowerDirectory, &Ledger, &str)) {
    for moment in 0.. {
        let directory = PowerDirectory::new();
        directory.cut_at(moment);
        let mut ledger = Ledger::default();
        let whole = session(&directory, options, &mut ledger).is_some();
        let what = format!("power cut at operation {moment} {:?}", directory.refused());
        each(moment, &directory, &ledger, &what);
        if directory.refused().is_none() {
            assert!(whole && ledger.durable == ledger.taken.len() as u64 && moment > 40);
            return;
        }
    }
}

#[test]
fn what_was_acknowledged_durable_survives_a_power_cut_at_every_operation() {
    for (policy, options) in policies() {
        let (mut images, mut refused) = (0, 0);
        cut_everywhere(&options, |moment, directory, ledger, what| {
            for survival in survivals(&EXTREMES, moment, 2) {
                let image = directory.image(survival);
                images += 1;
                refused += usize::from(!check(&image, ledger, &options, &format!("{policy}, {what}, {survival:?}")));
            }
        });
        assert!(refused * 4 < images, "{policy}: {refused} of {images} images are refused");
    }
}

#[test]
fn a_power_cut_during_recovery_loses_nothing_either_and_keeps_what_was_cut() {
    let options = options();
    let mut cuts = 0;
    cut_everywhere(&options, |moment, directory, ledger, what| {
        // One image of each moment, and every operation of its recovery.
        let survival = [Survival::Any(moment as u64), Survival::AllButLastPage, Survival::Until(moment as u64)];
        let survival = survival[moment % 3];
        let image = directory.image(survival);
        let first = Case { ledger, orderly: is_orderly(&image.fates), before: vec![], what: what.to_owned() };
        let shown = first.shown(&image.directory).last().map_or(0, |row| row.id);
        for operation in 0.. {
            let machine = copy(&image.directory);
            machine.cut_at(operation);
            let mut ledger = ledger.clone();
            ledger.durable = ledger.durable.max(shown);
            if let Some(writer) = open(&machine, &options) {
                ledger.continues_behind_holes(shown, writer.position().unwrap().appended);
                let _ = ledger.append(&writer, vec![Given::of(7, noise(3000, 7))]);
                let flushed = writer.flush();
                ledger.flushed(&writer, flushed);
            }
            let Some(refused) = machine.refused() else { break };
            cuts += 1;
            for survival in survivals(&SOME, moment + operation, 1) {
                let again = machine.image(survival);
                let what = format!("{what}, {survival:?}, again at operation {operation} {refused:?} of the recovery");
                let orderly = first.orderly && is_orderly(&again.fates);
                let case = Case { ledger: &ledger, orderly, before: vec![files(&image.directory)], what };
                case.reopen(&again.directory, &options);
            }
        }
    });
    assert!(cuts > 300, "{cuts} cuts");
}

#[test]
fn what_the_next_writer_syncs_after_a_kill_survives_a_power_cut_with_all_that_came_before() {
    for (policy, options) in policies() {
        for moment in 0.. {
            let directory = PowerDirectory::new();
            directory.cut_at(moment);
            let mut ledger = Ledger::default();
            let whole = session(&directory, &options, &mut ledger).is_some();
            let what = format!("{policy}, killed at operation {moment} {:?}", directory.refused());
            let next = directory.after_kill();
            let writer = open(&next, &options).unwrap_or_else(|| panic!("{what}: not opened"));
            let found = writer.position().unwrap().appended;
            assert!(found >= ledger.flushed, "{what}: {found} records, and {} were flushed", ledger.flushed);
            ledger.continues_behind(found);
            let done = ledger.append(&writer, vec![Given::of(8, b"behind".to_vec())]);
            done.and_then(|()| ledger.acknowledged(&writer, writer.sync())).expect("there is power");
            let _ = ledger.append(&writer, vec![Given::of(8, b"unsynced".to_vec())]);
            let _ = ledger.flushed(&writer, writer.flush());
            for survival in survivals(&SOME[..2], moment, 1) {
                check(&next.image(survival), &ledger, &options, &format!("{what}, then power cut, {survival:?}"));
            }
            if whole {
                break;
            }
        }
    }
}

#[test]
fn a_sync_beside_appends_acknowledges_only_what_it_has_written() {
    let options = WriterOptions { segment_bytes: 1 << 20, ..options() };
    for moment in (10..100).step_by(6) {
        let directory = PowerDirectory::new();
        directory.cut_at(moment);
        let Some(writer) = open(&directory, &options) else { panic!("opening takes fewer than {moment} operations") };
        let mut ledger = Ledger::default();
        let durable = std::thread::scope(|scope| {
            let syncs = scope.spawn(|| {
                while writer.sync().is_ok() {}
                writer.position().unwrap().durable
            });
            // Both continue until the power fails.
            while ledger.append(&writer, vec![small(&ledger, 50)]).is_some() {
                std::thread::sleep(Duration::from_micros(20));
            }
            syncs.join().unwrap()
        });
        ledger.durable = ledger.durable.max(durable);
        drop(writer);
        for survival in survivals(&SOME[..2], moment, 1) {
            let image = directory.image(survival);
            check(&image, &ledger, &options, &format!("power cut at operation {moment}, {survival:?}"));
        }
    }
}

#[test]
fn a_torn_beginning_of_a_segment_that_was_never_durable_is_no_obstacle() {
    let (mut images, mut refused) = (0, 0);
    cut_everywhere(&options(), |moment, directory, ledger, what| {
        for seed in 0..20 {
            let survival = Survival::Any(seed * 1009 + moment as u64);
            let image = directory.image(survival);
            if has_torn_beginning(directory, &image.fates) {
                images += 1;
                refused += usize::from(!check(&image, ledger, &options(), &format!("{what}, {survival:?}")));
            }
        }
    });
    assert!(images > 30 && refused * 2 < images, "{refused} of {images} images are refused");
}

#[test]
fn a_long_segment_of_which_only_the_length_survived_is_no_obstacle() {
    let directory = PowerDirectory::new();
    let writer = open(&directory, &WriterOptions::default()).unwrap();
    let mut ledger = Ledger::default();
    for seed in 0..4 {
        ledger.append(&writer, vec![Given::of(1, noise(500_000, seed))]).unwrap();
    }
    assert_eq!(ledger.durable, 0);
    let image = directory.image(Survival::Lengths);
    assert!(check(&image, &ledger, &WriterOptions::default(), "two million zeros"));
}
