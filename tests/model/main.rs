//! The writer's own code under a scheduler that tries many orders of its threads, with writes and syncs that fail: ids and
//! type numbers are unique and without gaps, everything acknowledged is in the log or was reported lost, and no thread
//! waits for ever (shuttle reports threads that all wait, and schedules that do not end).
//!
//!     BINLOG_MODEL_SCHEDULES=100000 BINLOG_MODEL_SEED=7 cargo test --features model --test model
//!
//! tries more schedules, and others. A failing schedule is printed, and `shuttle::replay` repeats it.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use binlog::hooks::{Hook, Hooks, SegmentFile};
use binlog::rolling::RollOptions;
use binlog::{
    event, Appender, AppenderOptions, Clock, Filter, FullDisk, Kind, Lag, NewRecord, Reader, ReaderMode, ReaderOptions,
    TypeOptions, Writer, WriterOptions,
};
use disk::{Disk, Faults};
use shuttle::rand::{thread_rng, Rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Types that the threads name; all of them use the same names.
const NAMES: [&str; 4] = ["login", "logout", "order", "payment"];
/// Records of a segment, where there is a rule: as many as a batch has.
const MOST: u64 = 3;
/// The type of records that appenders append. Their ids are not returned: a payload begins with its thread and call.
const STAGED: u32 = 8;
/// The smallest block size, so that few records fill a buffer.
const BLOCK: usize = 4096;

/// What the calls of a run returned.
#[derive(Default)]
struct Returned {
    /// Records by id, with the type and payload that they were given.
    taken: Mutex<BTreeMap<u64, (u32, Vec<u8>)>>,
    numbers: Mutex<BTreeMap<&'static str, BTreeSet<u32>>>,
    /// The greatest id that a sync has reported as durable.
    synced: Mutex<u64>,
    /// The records that appenders have taken, and those of them that a later sync has covered.
    staged: Mutex<Vec<u64>>,
    staged_and_synced: Mutex<Vec<u64>>,
    dropped: Mutex<u64>,
    /// Records of each segment that was closed.
    segments: Mutex<Vec<u64>>,
}

impl Returned {
    fn takes(&self, id: u64, type_id: u32, payload: &[u8]) {
        let before = self.taken.lock().unwrap().insert(id, (type_id, payload.to_vec()));
        assert!(before.is_none(), "id {id} was given twice");
    }
}

/// Which calls the threads make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    All,
    /// Nine of ten append, so that memory runs out.
    Busy,
    /// Threads that name types wait for memory.
    Naming,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    faults: Faults,
    full_disk: FullDisk,
    threads: usize,
    calls: usize,
    calls_of: Calls,
}

fn options(scenario: Scenario, returned: &Arc<Returned>) -> WriterOptions {
    let mut dice = thread_rng();
    let clock = AtomicI64::new(1_700_000_000_000_000_000);
    let rule = [None, Some(MOST)][dice.gen_range(0..2)];
    let counted = |records| Lag { records, ..Lag::default() };
    let returned = returned.clone();
    let closed = move |file: &SegmentFile| {
        returned.segments.lock().unwrap().push(if rule.is_some() { file.records } else { 0 });
        Ok(None)
    };
    let on_close: Hook = Arc::new(closed);
    WriterOptions {
        block_bytes: BLOCK as u32,
        segment_bytes: [u64::MAX, 1 << 16][dice.gen_range(0..2)],
        background: dice.gen_bool(0.5),
        flush: counted([None, Some(1), Some(4)][dice.gen_range(0..3)]),
        sync: counted([None, None, Some(3)][dice.gen_range(0..3)]),
        full_disk: scenario.full_disk,
        heartbeat: [None, Some(Duration::from_nanos(3))][dice.gen_range(0..2)],
        roll: RollOptions { records: rule, ..RollOptions::default() },
        hooks: Hooks { on_close: vec![on_close], ..Hooks::default() },
        clock: Clock::from_fn(move || clock.fetch_add(1, Ordering::Relaxed)),
        ..WriterOptions::default()
    }
}

/// One thread's calls, some of them on an appender of its own. The appender is left to whoever ends the writer, or
/// closed before.
fn work(writer: &Writer, returned: &Returned, thread: u64, scenario: Scenario) -> Option<Appender> {
    let hand_over_bytes = [1, BLOCK, 2 * BLOCK][thread_rng().gen_range(0..3)];
    let mut appender = Some(writer.appender_with(AppenderOptions { hand_over_bytes }).unwrap());
    let mut mine = vec![];
    for call in 0..scenario.calls as u64 {
        let mut dice = thread_rng();
        let mark = thread << 32 | call;
        let payload = |len: usize| -> Vec<u8> { mark.to_le_bytes().into_iter().cycle().take(len).collect() };
        let kind = match scenario.calls_of {
            Calls::All => dice.gen_range(0..17),
            Calls::Busy => [0, 0, 0, 0, 0, 12, 12, 12, 12, 10][dice.gen_range(0..10)],
            Calls::Naming => [0, 6][dice.gen_range(0..2)],
        };
        let is_busy = scenario.calls_of != Calls::All;
        match kind {
            0..=3 => {
                let len = if is_busy { BLOCK } else { [9, BLOCK / 3, BLOCK / 2][dice.gen_range(0..3)] };
                let payload = payload(len);
                one(returned, writer.append(7, &payload), 7, &payload);
            }
            4..=5 => {
                let payloads = [payload(9), payload(BLOCK / 3), payload(10)];
                let records = payloads.iter().map(|payload| NewRecord { type_id: 7, payload, ..NewRecord::default() });
                match writer.append_batch(records) {
                    Ok(0) => *returned.dropped.lock().unwrap() += 3,
                    Ok(first) => (first..).zip(&payloads).for_each(|(id, payload)| returned.takes(id, 7, payload)),
                    Err(error) => {
                        let first = error.record_id().map(|last| last - 2);
                        (first.into_iter().flat_map(|id| id..id + 3).zip(&payloads))
                            .for_each(|(id, payload)| returned.takes(id, 7, payload));
                    }
                }
            }
            6..=7 => {
                let name = NAMES[dice.gen_range(0..NAMES.len())];
                // Of some names by all that they say, of the others by the name alone.
                let schema = name.as_bytes();
                let number = match name.len() % 2 {
                    0 => writer.type_id(name, ""),
                    _ => writer.type_of(&TypeOptions { name, encoding: "x", schema, ..TypeOptions::default() }),
                };
                if let Ok(number) = number {
                    returned.numbers.lock().unwrap().entry(name).or_default().insert(number);
                    let payload = payload(11);
                    one(returned, writer.append(number, &payload), number, &payload);
                }
            }
            8 => {
                let payload = payload(2 * BLOCK);
                one(returned, writer.append(7, &payload), 7, &payload);
            }
            9 => drop(writer.flush()),
            10 => {
                let before = writer.position().unwrap().appended;
                if writer.sync().is_ok() {
                    returned.staged_and_synced.lock().unwrap().extend(&mine);
                    let position = writer.position().unwrap();
                    assert!(position.durable >= before, "a sync came back before {before}, and left {position:?}");
                    let mut synced = returned.synced.lock().unwrap();
                    *synced = before.max(*synced);
                }
            }
            12..=15 => {
                let Some(open) = &mut appender else { continue };
                let len = if is_busy { BLOCK } else { [9, BLOCK / 2, 2 * BLOCK][dice.gen_range(0..3)] };
                let payload = payload(len);
                match open.append(STAGED, &payload) {
                    Ok(true) => mine.push(mark),
                    Ok(false) => *returned.dropped.lock().unwrap() += 1,
                    Err(error) => mine.extend(error.record_id().map(|_| mark)),
                }
            }
            16 => match dice.gen_range(0..3) {
                0 => drop(appender.take().map(Appender::close)),
                _ => drop(appender.as_mut().map(Appender::flush)),
            },
            _ => match dice.gen_range(0..3) {
                0 => drop(writer.roll()),
                1 => drop(writer.tick()),
                _ => drop(writer.heartbeat()),
            },
        }
        let position = writer.position().unwrap();
        assert!(position.durable <= position.flushed && position.flushed <= position.appended, "{position:?}");
    }
    returned.staged.lock().unwrap().extend(&mine);
    appender
}

fn one(returned: &Returned, appended: binlog::Result<u64>, type_id: u32, payload: &[u8]) {
    match appended {
        Ok(0) => *returned.dropped.lock().unwrap() += 1,
        Ok(id) => returned.takes(id, type_id, payload),
        Err(error) => {
            if let Some(id) = error.record_id() {
                returned.takes(id, type_id, payload);
            }
        }
    }
}

fn run(scenario: Scenario) {
    let disk = Disk::new(scenario.faults);
    let returned = Arc::new(Returned::default());
    let writer = Writer::open(Arc::new(disk.clone()), options(scenario, &returned)).expect("nothing fails yet");
    let writer = Arc::new(writer);
    disk.fails(true);
    let threads: Vec<_> = (1..=scenario.threads as u64)
        .map(|thread| {
            let (writer, returned) = (writer.clone(), returned.clone());
            shuttle::thread::spawn(move || work(&writer, &returned, thread, scenario))
        })
        .collect();
    let mut appenders: Vec<Appender> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(writer.dropped(), *returned.dropped.lock().unwrap(), "dropped records are counted");
    // Space becomes available before the end, or not.
    if thread_rng().gen_bool(0.7) {
        disk.fails(false);
    }
    let writer = Arc::into_inner(writer).expect("the threads have ended");
    // Appenders go on while the writer is closed.
    let late: Vec<_> = (appenders.drain(..).zip(1u64 << 40..))
        .map(|(mut appender, mark)| {
            let returned = returned.clone();
            shuttle::thread::spawn(move || {
                for call in 0..3 {
                    let mark = mark << 8 | call;
                    match appender.append(STAGED, &mark.to_le_bytes()) {
                        Ok(true) => returned.staged.lock().unwrap().push(mark),
                        Ok(false) => (),
                        Err(error) if error.record_id().is_some() => returned.staged.lock().unwrap().push(mark),
                        Err(_) => break,
                    }
                }
            })
        })
        .collect();
    let closed = writer.close();
    late.into_iter().for_each(|thread| thread.join().unwrap());
    check(&disk, &returned, closed.map_err(|error| (error.kind(), error.to_string())));
}

/// Compares the log with what the calls returned.
fn check(disk: &Disk, returned: &Returned, closed: Result<(), (Kind, String)>) {
    // A log that could not be closed ends without a trailer, which only strict readers mind.
    let mode = if closed.is_ok() { ReaderMode::Strict } else { ReaderMode::default() };
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(disk.memory.clone()), options).unwrap();
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
    let taken = returned.taken.lock().unwrap();
    let mut staged: BTreeSet<u64> = returned.staged.lock().unwrap().iter().copied().collect();
    let all_staged = staged.len() as u64;
    let (mut last, mut names, mut last_of) = (0, BTreeMap::new(), BTreeMap::new());
    // Those that the segment has so far.
    let mut schemas: BTreeSet<Vec<u8>> = BTreeSet::new();
    loop {
        let record = match cursor.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => panic!("the log is damaged behind record {last}: {error}; close: {closed:?}"),
        };
        if record.type_id == event::TYPE {
            let number: u32 = record.metadata.get("id").unwrap().parse().unwrap();
            let name = record.metadata.get("name").unwrap().to_owned();
            if name.len() % 2 == 1 {
                assert!(schemas.contains(name.as_bytes()), "the segment has no schema of {name} before the type");
            }
            let before = names.insert(number, name.clone());
            assert!(before.is_none() || before.as_ref() == Some(&name), "{number} is both {before:?} and {name:?}");
        } else if record.type_id == event::ROTATE_PREV {
            schemas.clear();
        } else if record.type_id == event::SCHEMA {
            schemas.insert(record.payload.to_vec());
        } else if !record.is_event() {
            last += 1;
            assert_eq!(record.id, last, "ids neither repeat nor skip");
            if record.type_id == STAGED {
                let mark = u64::from_le_bytes(record.payload[..8].try_into().unwrap());
                assert!(staged.remove(&mark), "an appender's record is there twice, or was never taken: {mark:#x}");
                let thread = if mark >> 48 != 0 { mark >> 8 } else { mark >> 32 };
                assert!(last_of.insert(thread, mark).is_none_or(|before| before < mark), "out of order: {mark:#x}");
                assert!(!taken.contains_key(&record.id), "id {last} was returned for another record");
                continue;
            }
            let (type_id, payload) = taken.get(&record.id).expect("no call has returned this record's id");
            assert_eq!((record.type_id, record.payload), (*type_id, &payload[..]), "record {last} is another's");
        }
    }
    let most = taken.len() as u64 + all_staged;
    let greatest = taken.keys().next_back().copied().unwrap_or(0);
    assert!(greatest <= most, "ids are given without gaps: {:?}", taken.keys());
    let synced = returned.staged_and_synced.lock().unwrap();
    assert!(synced.iter().all(|mark| !staged.contains(mark)), "a synced record of an appender is not there");
    match &closed {
        Ok(()) => assert_eq!(last, most, "close has said that all is well"),
        Err((kind, text)) => {
            let lost = format!("records {} to {most} were not written", last + 1);
            assert!(
                last == most || *kind == Kind::Failed || text.contains(&lost),
                "{last} of {most} are there: {text}"
            );
        }
    }
    let segments = returned.segments.lock().unwrap();
    assert!(segments.iter().all(|records| *records <= MOST), "a segment has more records than it may: {segments:?}");
    assert!(last >= *returned.synced.lock().unwrap(), "a synced record is not there");
    let mut given = BTreeMap::new();
    for (name, numbers) in &*returned.numbers.lock().unwrap() {
        assert_eq!(numbers.len(), 1, "{name} has several numbers");
        for number in numbers {
            assert_eq!(given.insert(*number, *name), None, "two names have the number {number}");
            let is_used = taken.iter().any(|(id, (type_id, _))| *id <= last && type_id == number);
            assert!(!is_used || names.get(number).map(String::as_str) == Some(*name), "the log does not name {name}");
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

fn explore(scenario: Scenario) {
    let (schedules, seed) = (number("BINLOG_MODEL_SCHEDULES", 100) as usize, number("BINLOG_MODEL_SEED", 1));
    let config = || {
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        config.max_steps = MaxSteps::FailAfter(1_000_000);
        config.silence_warnings = true;
        config
    };
    let schedulers: [Box<dyn Scheduler + Send>; 2] = [
        Box::new(RandomScheduler::new_from_seed(seed, schedules)),
        Box::new(PctScheduler::new_from_seed(seed, 3, schedules)),
    ];
    for scheduler in schedulers {
        Runner::new(scheduler, config()).run(move || run(scenario));
    }
}

const NO_FAULTS: Faults = Faults { full: 0, syncs: 0, most: 0 };
const FULL: Faults = Faults { full: 30, syncs: 0, most: 6 };

#[test]
fn nothing_is_lost_or_repeated_when_nothing_fails() {
    explore(Scenario { faults: NO_FAULTS, full_disk: FullDisk::Fail, threads: 3, calls: 5, calls_of: Calls::All });
}

#[test]
fn ids_and_type_numbers_are_unique_and_what_was_acknowledged_is_there_when_writes_fail() {
    explore(Scenario { faults: FULL, full_disk: FullDisk::Fail, threads: 3, calls: 8, calls_of: Calls::All });
}

#[test]
fn a_name_that_threads_wait_to_give_gets_one_number() {
    explore(Scenario { faults: NO_FAULTS, full_disk: FullDisk::Fail, threads: 3, calls: 6, calls_of: Calls::Naming });
}

#[test]
fn a_full_disk_that_is_waited_for_blocks_no_call_for_ever() {
    explore(Scenario { faults: FULL, full_disk: FullDisk::Wait(None), threads: 3, calls: 6, calls_of: Calls::All });
}

#[test]
fn what_a_full_disk_drops_is_counted_and_takes_no_id() {
    explore(Scenario { faults: FULL, full_disk: FullDisk::Drop, threads: 3, calls: 8, calls_of: Calls::All });
}

#[test]
fn no_call_waits_for_ever_after_a_failed_sync_and_what_was_durable_before_is_there() {
    let faults = Faults { full: 5, syncs: 15, most: 3 };
    explore(Scenario { faults, full_disk: FullDisk::Fail, threads: 3, calls: 6, calls_of: Calls::All });
}

#[test]
fn no_call_waits_for_memory_for_ever_whatever_fails() {
    let failing_syncs = Faults { full: 0, syncs: 50, most: 1 };
    for faults in [NO_FAULTS, FULL, failing_syncs] {
        explore(Scenario { faults, full_disk: FullDisk::Fail, threads: 3, calls: 10, calls_of: Calls::Busy });
    }
}
