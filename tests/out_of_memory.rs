//! Out of memory: each large allocation of the library is refused in turn, alone or with all that follow. No refusal
//! ends the process, the error gives the reason, and the same call succeeds when there is memory again: no record is
//! lost, none is there twice.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use binlog::columns::{Column, TableOptions};
use binlog::compression::{compress, decompress, pack, CompressOptions, Whole};
use binlog::recovery::{rebuild_index, recover, recover_in_place};
use binlog::splits::PlanOptions;
use binlog::{
    Codec, Filter, Kind, MetadataBuf, NewRecord, Reader, ReaderMode, ReaderOptions, TypeOptions, Writer, WriterOptions,
};

/// Allocations from this size on can be refused. Smaller ones are of a fixed size, or belong to more records than there
/// are here.
const LARGE: usize = (64 << 10) + 1;

/// Refuses some of the large allocations while it is armed.
struct Refusing;

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicUsize = AtomicUsize::new(0);
/// Allocations from the first number on and before the second are refused.
static FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
static TO: AtomicUsize = AtomicUsize::new(usize::MAX);

fn refuses(size: usize) -> bool {
    if size < LARGE || !IS_ARMED.load(Ordering::Relaxed) {
        return false;
    }
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    (FROM.load(Ordering::Relaxed)..TO.load(Ordering::Relaxed)).contains(&number)
}

// SAFETY: every call is passed on to the system's allocator, or refused.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match refuses(layout.size()) {
            true => std::ptr::null_mut(),
            false => unsafe { System.alloc(layout) },
        }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match refuses(layout.size()) {
            true => std::ptr::null_mut(),
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match size > layout.size() && refuses(size) {
            true => std::ptr::null_mut(),
            false => unsafe { System.realloc(at, layout, size) },
        }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Refuses memory as long as it lives.
struct Armed;

impl Armed {
    fn pause<T>(&self, call: impl FnOnce() -> T) -> T {
        IS_ARMED.store(false, Ordering::Relaxed);
        let done = call();
        IS_ARMED.store(true, Ordering::Relaxed);
        done
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        IS_ARMED.store(false, Ordering::Relaxed);
    }
}

fn arm(from: usize, to: usize) -> Armed {
    ASKED.store(0, Ordering::Relaxed);
    FROM.store(from, Ordering::Relaxed);
    TO.store(to, Ordering::Relaxed);
    IS_ARMED.store(true, Ordering::Relaxed);
    Armed
}

/// Runs `scenario` with nothing refused, then with each of its allocations refused, alone or with all that follow. The
/// scenario is called with whether memory comes back, and returns whether it met a refusal.
fn sweep(what: &str, scenario: impl FnMut(&Armed, bool) -> bool) {
    sweep_some(what, usize::MAX, scenario);
}

/// As [`sweep`], with about `most` of the allocations, which are spread evenly.
fn sweep_some(what: &str, most: usize, mut scenario: impl FnMut(&Armed, bool) -> bool) {
    let met = scenario(&arm(usize::MAX, usize::MAX), true);
    IS_ARMED.store(false, Ordering::Relaxed);
    let asked = ASKED.load(Ordering::Relaxed);
    assert!(!met, "{what}");
    let mut refusals = 0;
    for number in (0..asked).step_by(asked.div_ceil(most).max(1)) {
        refusals += usize::from(scenario(&arm(number, number + 1), true));
        // Not of each, which would take twice the time.
        if number % 3 == 0 {
            refusals += usize::from(scenario(&arm(number, usize::MAX), false));
        }
    }
    eprintln!("{what}: {asked} allocations, {refusals} refusals came out");
    assert!(refusals > 0 || asked == 0, "{what}: no refusal was reported");
}

/// Whether the call met a refusal. Asserts that there is no other error.
fn is_refused<T>(result: &Result<T, binlog::Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), Kind::NoMemory, "{error}");
            assert_eq!(error.record_id(), None, "{error}");
            true
        }
    }
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let next = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), next).map(|x| (x >> 24) as u8).take(len).collect()
}

/// What is appended, call by call.
struct Calls {
    large: Vec<u8>,
    pairs: MetadataBuf,
    small: Vec<u8>,
    /// Records of the batch of tiny ones.
    tiny: usize,
}

impl Calls {
    fn new(tiny: usize) -> Self {
        let mut pairs = MetadataBuf::new();
        pairs.push("key", &"value ".repeat(15_000));
        Calls { large: noise(200_000, 7), pairs, small: b"a small one, ".repeat(20), tiny }
    }

    const COUNT: usize = 7;

    /// Makes call number `call`; returns the id of the first record.
    fn make(&self, call: usize, writer: &Writer) -> Result<u64, binlog::Error> {
        let record = NewRecord { type_id: 1, time: Some(5), payload: &self.small, ..NewRecord::default() };
        match call {
            0 => writer.append_record(&record),
            1 => writer.append_record(&NewRecord { payload: &self.large, ..record }),
            2 => writer.gather_record(&record, &[&self.large[..100_000], &self.small, &self.large[..80_000]]),
            3 => writer.append_batch(std::iter::repeat_n(NewRecord { payload: b"tiny", ..record }, self.tiny)),
            4 => {
                let pairs = self.pairs.as_metadata();
                writer.append_batch(std::iter::repeat_n(NewRecord { metadata: pairs, ..record }, 3))
            }
            6 => writer.append_batch(std::iter::repeat_n(NewRecord { payload: &self.large, ..record }, 3)),
            _ => {
                writer.append_record(&NewRecord { metadata: self.pairs.as_metadata(), payload: &self.large, ..record })
            }
        }
    }

    /// Payload lengths of the records of a call.
    fn payloads(&self, call: usize) -> Vec<usize> {
        match call {
            0 => vec![self.small.len()],
            2 => vec![180_000 + self.small.len()],
            3 => vec![4; self.tiny],
            4 => vec![self.small.len(); 3],
            6 => vec![self.large.len(); 3],
            _ => vec![self.large.len()],
        }
    }
}

/// Payload lengths of the whole log, whose ids must follow each other.
fn lengths(path: &Path) -> Vec<usize> {
    let mut cursor = Reader::open(path, ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap();
    let mut lengths = vec![];
    while let Some(record) = cursor.next().unwrap() {
        lengths.push(record.payload.len());
        assert_eq!(record.id, lengths.len() as u64);
    }
    lengths
}

fn appends_are_refused_before_anything_is_taken(codec: Codec, background: bool) {
    let calls = Calls::new(24_000);
    sweep(&format!("appending with {codec:?}, background {background}"), |armed, comes_back| {
        let home = armed.pause(|| tempfile::tempdir().unwrap());
        let mut expected = vec![];
        let mut refused = false;
        let options = WriterOptions { codec, background, ..WriterOptions::default() };
        let opened = Writer::open(home.path(), options.clone());
        refused |= is_refused(&opened);
        let writer = opened.unwrap_or_else(|_| armed.pause(|| Writer::open(home.path(), options).unwrap()));
        for call in 0..Calls::COUNT {
            let mut done = calls.make(call, &writer);
            refused |= is_refused(&done);
            if done.is_err() {
                done = match comes_back {
                    true => calls.make(call, &writer),
                    false => armed.pause(|| calls.make(call, &writer)),
                };
            }
            armed.pause(|| {
                assert_eq!(done.unwrap(), expected.len() as u64 + 1);
                expected.extend(calls.payloads(call));
            });
            if call == 2 {
                refused |= is_refused(&writer.flush());
            }
            if call == 4 {
                let rolled = writer.roll();
                refused |= is_refused(&rolled);
            }
        }
        let synced = writer.sync();
        refused |= is_refused(&synced);
        armed.pause(|| {
            writer.sync().unwrap();
            writer.close().unwrap();
            assert_eq!(lengths(home.path()), expected);
        });
        refused
    });
}

/// A log of two closed segments, with large records and batches, named types and metadata.
fn a_log(path: &Path, codec: Codec) {
    // A list of them is large, though their entries are not.
    let calls = Calls::new(4_000);
    let writer = Writer::open(path, WriterOptions { codec, ..WriterOptions::default() }).unwrap();
    for round in 0..2 {
        let named = writer.type_id(&format!("named {round}"), "text/plain").unwrap();
        for call in 0..Calls::COUNT {
            calls.make(call, &writer).unwrap();
        }
        writer.append(named, &calls.small).unwrap();
        if round == 0 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

/// Ids and lengths of what a cursor shows. Where memory is refused, the same call is made again once there is some.
fn shown(armed: &Armed, path: &Path, options: &ReaderOptions, filter: &Filter) -> (Vec<(u64, u32)>, bool) {
    let mut refused = false;
    let mut seen = armed.pause(|| Vec::with_capacity(1 << 18));
    let open = || Reader::open(path, options.clone());
    let opened = open();
    refused |= is_refused(&opened);
    let reader = opened.unwrap_or_else(|_| armed.pause(|| open().unwrap()));
    let cursor = reader.cursor(filter);
    refused |= is_refused(&cursor);
    let mut cursor = cursor.unwrap_or_else(|_| armed.pause(|| reader.cursor(filter).unwrap()));
    loop {
        let next = cursor.next_batch(usize::MAX, |record| seen.push((record.id, record.payload_len)));
        refused |= is_refused(&next);
        assert!(seen.len() < 100_000, "the same records come again and again");
        let count = match next {
            Ok(count) => count,
            Err(_) => armed
                .pause(|| cursor.next_batch(usize::MAX, |record| seen.push((record.id, record.payload_len))).unwrap()),
        };
        if count == 0 {
            return (seen, refused);
        }
    }
}

fn reading_continues_where_it_was_refused(what: &str, path: &Path, mode: ReaderMode, ways: &[&str]) {
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    let filters = [
        ("all", Filter::default()),
        ("events too", Filter { events: true, ..Filter::default() }),
        ("headers", Filter { headers_only: true, ..Filter::default() }),
        ("by time", Filter { from_time: Some(5), to_time: Some(6), types: vec![1], ..Filter::default() }),
        ("by name", Filter { type_names: vec!["named 1".into()], ..Filter::default() }),
        ("newest first", Filter { newest_first: true, ..Filter::default() }),
        ("the last", Filter { last: Some(6_000), ..Filter::default() }),
    ];
    for (name, filter) in filters {
        if !ways.contains(&name) {
            continue;
        }
        let (expected, _) = shown(&arm(usize::MAX, usize::MAX), path, &options, &filter);
        IS_ARMED.store(false, Ordering::Relaxed);
        assert!(!expected.is_empty(), "{what}, {name}");
        sweep(&format!("{what}, {name}"), |armed, _| {
            let (seen, refused) = shown(armed, path, &options, &filter);
            armed.pause(|| assert!(seen == expected, "{what}, {name}: {} and {}", seen.len(), expected.len()));
            refused
        });
    }
}

/// A table's rows come without a gap up to its first error, which every later call returns, with memory or without.
fn a_table_has_no_row_behind_a_refusal(what: &str, path: &Path) {
    let expected = lengths(path).len() as u64;
    let table = |reader: &Reader| reader.table(&Filter::default(), &TableOptions::default());
    sweep(&format!("{what} as a table"), |armed, comes_back| {
        let reader = armed.pause(|| Reader::open(path, ReaderOptions::default()).unwrap());
        let opened = table(&reader);
        let mut refused = is_refused(&opened);
        let mut table = opened.unwrap_or_else(|_| armed.pause(|| table(&reader).unwrap()));
        let mut rows = 0;
        let failed = loop {
            match table.next_batch() {
                Ok(Some(batch)) => armed.pause(|| {
                    let Some(Column::U64(ids)) = batch.column(0) else { panic!("the first column has the ids") };
                    assert!(ids.iter().copied().eq(rows + 1..=rows + ids.len() as u64), "after {rows} rows");
                    rows += ids.len() as u64;
                }),
                Ok(None) => break false,
                Err(error) => {
                    refused |= is_refused::<()>(&Err(error));
                    break true;
                }
            }
        };
        for _ in 0..2 {
            let again = if comes_back { armed.pause(|| table.next_batch()) } else { table.next_batch() };
            armed.pause(|| {
                assert!(if failed { again.is_err() } else { matches!(again, Ok(None)) }, "after {rows} rows")
            });
        }
        armed.pause(|| assert!(failed || rows == expected, "{rows} of {expected} rows"));
        refused
    });
}

/// Two records with much metadata, which is not UTF-8, and large payloads, as shoebox wrote them.
fn a_shoebox_archive() -> Vec<u8> {
    let mut bytes = vec![];
    for _ in 0..2 {
        let (key, value, data) = (b"key", [0xff; 70_000], noise(150_000, 3));
        let metadata = 12 + key.len() + value.len();
        bytes.extend_from_slice(&0x6986_7884u32.to_le_bytes());
        bytes.extend_from_slice(&1u16.to_le_bytes());
        for number in [metadata, 4 + data.len(), 0, 4, key.len(), value.len()] {
            bytes.extend_from_slice(&(number as u32).to_le_bytes());
        }
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(&(data.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&data);
    }
    bytes
}

fn copy_of(log: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(log).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

fn segments(path: &Path) -> Vec<PathBuf> {
    Reader::open(path, ReaderOptions::default()).unwrap().paths()
}

/// `work` on a copy of the log. When it is refused, it is called again with memory; the log must hold `expected` then.
fn upkeep_is_done_when_there_is_memory(
    what: &str,
    most: usize,
    log: &Path,
    expected: &[usize],
    mut work: impl FnMut(&Path) -> Result<(), binlog::Error>,
) {
    sweep_some(what, most, |armed, _| {
        let copy = armed.pause(|| copy_of(log));
        let done = work(copy.path());
        let refused = is_refused(&done);
        armed.pause(|| {
            if refused {
                work(copy.path()).unwrap();
            }
            assert!(lengths(copy.path()) == expected, "{what}");
        });
        refused
    });
}

/// Recovers a damaged log, elsewhere and in place; `rest` are the lengths of the payloads that are left.
fn what_is_left_is_saved_when_there_is_memory(what: &str, most: usize, damaged: &Path, rest: &[usize]) {
    sweep_some(&format!("recovering{what}"), most, |armed, _| {
        let target = armed.pause(|| tempfile::tempdir().unwrap());
        let done = recover(damaged, target.path().join("a"), ReaderOptions::default());
        let refused = is_refused(&done);
        armed.pause(|| {
            if refused {
                recover(damaged, target.path().join("b"), ReaderOptions::default()).unwrap();
            }
            assert!(saved(&target.path().join(if refused { "b" } else { "a" })) == rest);
        });
        refused
    });
    sweep_some(&format!("recovering in place{what}"), most, |armed, _| {
        let copy = armed.pause(|| copy_of(damaged));
        let done = recover_in_place(copy.path(), ReaderOptions::default());
        let refused = is_refused(&done);
        armed.pause(|| {
            if refused {
                recover_in_place(copy.path(), ReaderOptions::default()).unwrap();
            }
            assert!(saved(copy.path()) == rest);
        });
        refused
    });
}

/// The lengths of the payloads of a log in which ids may be missing.
fn saved(log: &Path) -> Vec<usize> {
    let mut cursor = Reader::open(log, ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap();
    let mut lengths = vec![];
    while let Some(record) = cursor.next().unwrap() {
        lengths.push(record.payload.len());
    }
    lengths
}

/// The refusals are those of the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Reporting a failure takes memory itself.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        IS_ARMED.store(false, Ordering::Relaxed);
        print(what);
    }));
    alone
}

#[test]
fn no_allocation_that_is_refused_ends_the_process_or_costs_a_record() {
    let _alone = alone();
    for (codec, background) in [(Codec::None, false), (Codec::Lz4, false), (Codec::Zstd, true)] {
        appends_are_refused_before_anything_is_taken(codec, background);
    }
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    for (name, codec) in [("plain", Codec::None), ("lz4", Codec::Lz4), ("zstd", Codec::Zstd)] {
        a_log(&path(name), codec);
        let ways: &[&str] = match codec {
            Codec::None => &["all", "events too", "headers", "by time", "newest first", "the last"],
            _ => &["all", "by time", "newest first"],
        };
        reading_continues_where_it_was_refused(name, &path(name), ReaderMode::Prefix, ways);
    }
    a_table_has_no_row_behind_a_refusal("plain", &path("plain"));
    let ways = &["all", "by time", "by name"];
    reading_continues_where_it_was_refused("salvaging", &path("zstd"), ReaderMode::Salvage, ways);
    std::fs::write(path("an archive"), a_shoebox_archive()).unwrap();
    let ways = &["all", "headers", "newest first"];
    reading_continues_where_it_was_refused("an older library's", &path("an archive"), ReaderMode::Prefix, ways);
    let log = path("plain");
    let expected = lengths(&log);
    let options = CompressOptions { codec: Codec::Zstd, block_bytes: 1 << 20, ..CompressOptions::default() };
    let compressed = copy_of(&log);
    compress(compressed.path(), &options).unwrap();
    upkeep_is_done_when_there_is_memory("compressing", 20, &log, &expected, |log| compress(log, &options).map(drop));
    upkeep_is_done_when_there_is_memory("decompressing", 20, compressed.path(), &expected, |log| {
        decompress(log, &CompressOptions::default()).map(drop)
    });
    let packed = CompressOptions { keep_source: false, ..CompressOptions::default() };
    upkeep_is_done_when_there_is_memory("packing", 20, &log, &expected, |log| {
        pack(log, Whole::Zstd, &packed).map(drop)
    });
    let whole = copy_of(&log);
    pack(whole.path(), Whole::Gzip, &packed).unwrap();
    let ways = &["all", "by name"];
    reading_continues_where_it_was_refused("a log compressed as a whole", whole.path(), ReaderMode::Prefix, ways);

    // A byte in the large record of the first segment costs that one.
    let damaged = copy_of(&log);
    let file = &segments(damaged.path())[0];
    let mut bytes = std::fs::read(file).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(file, &bytes).unwrap();
    let mut rest = expected;
    rest.remove(1);
    what_is_left_is_saved_when_there_is_memory("", 7, damaged.path(), &rest);
}

/// So many types that each list of them is large.
const TYPES: usize = 2_000;
/// The length of the block with which a closed segment ends.
const TRAILER: usize = 104;

fn name_of(number: usize) -> String {
    format!("named {number}")
}

/// A log of three segments, each with many named types, one of which has a schema. Each type has a record in the first
/// and in the last. Behind those of the first is a large record of the type that is named 1.
fn a_log_of_many_types(path: &Path) {
    let writer = Writer::open(path, WriterOptions::default()).unwrap();
    let options = TypeOptions { name: "with a schema", encoding: "avro", schema: b"\"int\"", ..TypeOptions::default() };
    let first = writer.type_of(&options).unwrap();
    let append_all = || {
        for number in 0..TYPES {
            let named = writer.type_id(&name_of(number), "text/plain").unwrap();
            let record = NewRecord { type_id: named, time: Some(5), payload: b"x", ..NewRecord::default() };
            assert_eq!((named, writer.append_record(&record).is_ok()), (first + 1 + number as u32, true));
        }
    };
    append_all();
    writer.flush().unwrap();
    writer.append(first + 2, &noise(200_000, 7)).unwrap();
    writer.roll().unwrap();
    writer.append(first, b"in the middle").unwrap();
    writer.roll().unwrap();
    append_all();
    writer.close().unwrap();
}

/// A type has one number, whatever was refused while it was named, and while the log was closed and opened anew.
fn each_type_gets_one_number(log: &Path) {
    const NEW: usize = 30;
    let numbers = |reader: &Reader| {
        let types = reader.types().unwrap();
        types.iter().map(|info| (info.name.clone(), info.number)).collect::<Vec<_>>()
    };
    let before = numbers(&Reader::open(log, ReaderOptions::default()).unwrap());
    let expected = lengths(log).len();
    sweep_some("naming types", 13, |armed, comes_back| {
        let copy = armed.pause(|| copy_of(log));
        let mut refused = false;
        let mut named = vec![];
        for round in 0..2 {
            let opened = Writer::open(copy.path(), WriterOptions::default());
            refused |= is_refused(&opened);
            let open_again = || Writer::open(copy.path(), WriterOptions::default()).unwrap();
            let writer = opened.unwrap_or_else(|_| armed.pause(open_again));
            // A new list grows once more behind the first one of them.
            for number in TYPES + round * NEW..TYPES + (round + 1) * NEW {
                let name = name_of(number);
                let mut done = writer.type_id(&name, "");
                refused |= is_refused(&done);
                if done.is_err() {
                    done = match comes_back {
                        true => writer.type_id(&name, ""),
                        false => armed.pause(|| writer.type_id(&name, "")),
                    };
                }
                armed.pause(|| {
                    let number = done.unwrap();
                    writer.append(number, b"new").unwrap();
                    named.push((name, number));
                });
            }
            refused |= is_refused(&writer.roll());
            let known = writer.type_id(&name_of(7), "");
            refused |= is_refused(&known);
            armed.pause(|| assert_eq!(known.unwrap_or(before[8].1), before[8].1));
            armed.pause(|| writer.sync().unwrap());
            refused |= is_refused(&writer.close());
        }
        armed.pause(|| {
            let types = numbers(&Reader::open(copy.path(), ReaderOptions::default()).unwrap());
            assert!(types == [&before[..], &named[..]].concat(), "{} types", types.len());
            assert_eq!(lengths(copy.path()).len(), expected + 2 * NEW);
        });
        refused
    });
}

/// What a reader says of a log; where it is refused, the same call is made again with memory.
fn what_a_log_contains_is_told_when_there_is_memory<T: PartialEq>(
    what: &str,
    log: &Path,
    ask: impl Fn(&Reader) -> Result<T, binlog::Error>,
) {
    let open = || Reader::open(log, ReaderOptions::default()).unwrap();
    let expected = ask(&open()).unwrap();
    sweep(what, |armed, comes_back| {
        let reader = armed.pause(open);
        let told = ask(&reader);
        let refused = is_refused(&told);
        let told = told.or_else(|_| if comes_back { ask(&reader) } else { armed.pause(|| ask(&reader)) });
        armed.pause(|| assert!(told.unwrap() == expected, "{what}"));
        refused
    });
}

/// Changes the file where these bytes are for the first and for the last time.
fn damage(file: &Path, bytes: &[u8]) {
    let mut all = std::fs::read(file).unwrap();
    let is_there = |here: &[u8]| here == bytes;
    let places = [all.windows(bytes.len()).position(is_there), all.windows(bytes.len()).rposition(is_there)];
    places.into_iter().flatten().for_each(|at| all[at] = !bytes[0]);
    std::fs::write(file, all).unwrap();
}

/// A file of the Python binary logger with a record of each of these classes.
fn a_map_logger_file(classes: usize) -> Vec<u8> {
    let mut bytes = b"MapLogger_v1.0".to_vec();
    for number in 0..classes {
        let name = format!("{:100}", name_of(number));
        for part in [name.as_bytes(), b"payload"] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

#[test]
fn no_list_of_named_types_that_is_refused_ends_the_process_or_costs_a_record_or_a_number() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("many types");
    a_log_of_many_types(&log);
    each_type_gets_one_number(&log);
    let ways = &["all", "events too", "by name", "newest first"];
    reading_continues_where_it_was_refused("many types", &log, ReaderMode::Prefix, ways);
    what_a_log_contains_is_told_when_there_is_memory("types", &log, Reader::types);
    what_a_log_contains_is_told_when_there_is_memory("counts", &log, Reader::counts);
    what_a_log_contains_is_told_when_there_is_memory("contents", &log, |reader| {
        Ok(reader.contents(&mut |_, _| ())?.types)
    });
    let by_name = Filter { type_names: vec![name_of(1)], ..Filter::default() };
    what_a_log_contains_is_told_when_there_is_memory("a plan", &log, |reader| {
        Ok(reader.plan(&by_name, &PlanOptions::default())?.splits().len())
    });
    a_table_has_no_row_behind_a_refusal("many types", &log);
    let expected = lengths(&log);
    upkeep_is_done_when_there_is_memory("compressing many types", 10, &log, &expected, |log| {
        compress(log, &CompressOptions { codec: Codec::Lz4, ..CompressOptions::default() }).map(drop)
    });
    let unfinished = copy_of(&log);
    let last = segments(unfinished.path()).pop().unwrap();
    let bytes = std::fs::read(&last).unwrap();
    std::fs::write(&last, &bytes[..bytes.len() - TRAILER]).unwrap();
    upkeep_is_done_when_there_is_memory("an index of many types", 7, unfinished.path(), &expected, |log| {
        rebuild_index(log).map(drop)
    });

    // A page of the large record is lost.
    let damaged = copy_of(&log);
    damage(&segments(damaged.path())[0], &noise(100_000, 7)[90_000..90_016]);
    let mut rest = expected;
    rest.remove(TYPES);
    what_is_left_is_saved_when_there_is_memory(" many types", 5, damaged.path(), &rest);
    // The first types are lost, with their records, and with the index, which repeats their names: the next segment
    // knows of which type the large record is.
    let nameless = copy_of(&log);
    damage(&segments(nameless.path())[0], name_of(1).as_bytes());
    reading_continues_where_it_was_refused("salvaging many types", nameless.path(), ReaderMode::Salvage, &["by name"]);
    let old = home.path().join("old.events");
    std::fs::write(&old, a_map_logger_file(TYPES)).unwrap();
    reading_continues_where_it_was_refused("an older library's many types", &old, ReaderMode::Prefix, &["events too"]);
}
