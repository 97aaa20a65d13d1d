//! A log whose files are removed while it is read, and in whose place another log with its name is begun, at every
//! moment between two calls of the directory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::common::interposed::Interposed;
use binlog::compression::{compress, CompressOptions};
use binlog::io::{Directory, MemoryDirectory};
use binlog::{Cursor, Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

type Files = Vec<(String, Vec<u8>)>;

/// Looks of a follower within which the replacement begins, and those after it within which it must be reported.
const LOOKS: (usize, usize) = (3, 6);

/// The segments of a log with one record in each, without the lock file.
fn log_of(payload: &[u8], segments: u64) -> Files {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for id in 1..=segments {
        writer.append(1, payload).unwrap();
        if id < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    (1..=segments).map(name).map(|name| (name.clone(), directory.contents(&name).unwrap())).collect()
}

fn name(number: u64) -> String {
    format!("default.{number:010}.binlog")
}

/// A directory that contains the files of a log until its call number `at`, nothing from then on, and the files of
/// another log from call number `at + gap` on. Calls are counted from the first one after [`Self::arm`].
struct Replaced {
    calls: Arc<AtomicUsize>,
    end: usize,
}

/// So many calls were counted before that one.
const UNARMED: usize = usize::MAX / 2;

impl Replaced {
    fn new(old: &Files, new: &Files, at: usize, gap: usize) -> (Self, Arc<dyn Directory>) {
        let memory = MemoryDirectory::new();
        for (name, bytes) in old {
            memory.set_contents(name, bytes.clone());
        }
        let calls = Arc::new(AtomicUsize::new(UNARMED));
        let on_call = {
            let (memory, calls) = (memory.clone(), calls.clone());
            let (old, new) = (old.clone(), new.clone());
            move || {
                let number = calls.fetch_add(1, Ordering::Relaxed);
                if number == at {
                    old.iter().for_each(|(name, _)| memory.remove(name).unwrap());
                }
                if number == at + gap {
                    new.iter().for_each(|(name, bytes)| memory.set_contents(name, bytes.clone()));
                }
            }
        };
        let inner: Arc<dyn Directory> = Arc::new(memory.clone());
        let directory = Interposed { on_call: Some(Arc::new(on_call)), ..Interposed::around(inner) };
        (Replaced { calls, end: at + gap }, Arc::new(directory))
    }

    fn arm(&self) {
        self.calls.store(0, Ordering::Relaxed);
    }

    /// Whether the new log is there.
    fn has_begun(&self) -> bool {
        (self.end + 1..UNARMED).contains(&self.calls.load(Ordering::Relaxed))
    }
}

/// Old logs, and those that replace them: of each, how many segments, and which of them are still there.
fn cases() -> Vec<(String, Files, Files)> {
    let mut cases = vec![];
    for is_newer in [true, false] {
        for (before, behind, kept) in [
            (1, 1, &[1][..]),
            (1, 2, &[1, 2]),
            (1, 2, &[2]),
            (2, 3, &[1, 2, 3]),
            (2, 3, &[1, 3]),
            (2, 3, &[3]),
            (3, 1, &[1]),
        ] {
            // Logs of one name are ordered by when they began, and clocks are set back.
            let (old, mut new) = match is_newer {
                true => (log_of(b"old", before), log_of(b"new", behind)),
                false => {
                    let new = log_of(b"new", behind);
                    (log_of(b"old", before), new)
                }
            };
            new.retain(|(file, _)| kept.iter().any(|&number| *file == name(number)));
            cases.push((format!("{before} segments, then {kept:?} of {behind}, newer: {is_newer}"), old, new));
        }
    }
    cases
}

fn cursor_of(directory: Arc<dyn Directory>, mode: ReaderMode, newest_first: bool) -> Cursor {
    let reader = Reader::open(directory, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    reader.cursor(&Filter { newest_first, ..Filter::default() }).unwrap()
}

#[test]
fn a_follower_reports_a_log_that_is_replaced_at_any_call_and_shows_nothing_of_the_new_one() {
    for ((case, old, new), mode) in
        cases().iter().flat_map(|case| [ReaderMode::Prefix, ReaderMode::Salvage].map(|mode| (case, mode)))
    {
        for gap in 0..4 {
            let tried = (0..).take_while(|&at| follow(old, new, mode, (at, gap), case)).count();
            assert!(tried > LOOKS.0, "{case}: the directory was called {tried} times");
        }
    }
}

/// Follows a log that is replaced at these calls; false when the follower has not come so far.
fn follow(old: &Files, new: &Files, mode: ReaderMode, (at, gap): (usize, usize), case: &str) -> bool {
    let case = format!("{case}, {mode:?}, at call {at} and {gap} later");
    let (replaced, directory) = Replaced::new(old, new, at, gap);
    let mut cursor = cursor_of(directory, mode, false);
    while let Some(record) = cursor.next().unwrap() {
        assert_eq!(record.payload, b"old", "{case}");
    }
    replaced.arm();
    let mut looks = 0;
    while looks < LOOKS.0 && !replaced.has_begun() || replaced.has_begun() && looks < LOOKS.0 + LOOKS.1 {
        match cursor.wait(Duration::ZERO) {
            Ok(false) => looks += 1,
            Err(error) if error.kind() == Kind::Mismatch => {
                assert!(replaced.has_begun(), "{case}: reported too early");
                assert_eq!(cursor.next().unwrap_err().kind(), Kind::Mismatch, "{case}");
                return true;
            }
            other => panic!("{case}: {other:?}, then {:?}", cursor.next()),
        }
    }
    assert!(!replaced.has_begun(), "{case}: not reported");
    false
}

#[test]
fn no_cursor_shows_records_of_a_log_and_of_another_that_replaced_it_meanwhile() {
    let ways = [(ReaderMode::Prefix, false), (ReaderMode::Salvage, false), (ReaderMode::Prefix, true)];
    for ((case, old, new), (mode, newest_first)) in cases().iter().flat_map(|case| ways.map(|way| (case, way))) {
        for gap in [0, 2] {
            for at in 0.. {
                let (replaced, directory) = Replaced::new(old, new, at, gap);
                let mut cursor = cursor_of(directory, mode, newest_first);
                replaced.arm();
                let mut shown: Vec<Vec<u8>> = vec![];
                // What the cursor reports does not matter here, nor what is asked after an error.
                for _ in 0..20 {
                    shown.extend(cursor.next().ok().flatten().map(|record| record.payload.to_vec()));
                }
                shown.dedup();
                let way = format!("{case}, {mode:?}, newest first: {newest_first}, at call {at} and {gap} later");
                assert!(shown.len() <= 1, "{way}: {shown:?}");
                if !replaced.has_begun() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_log_that_goes_on_when_its_segment_is_compressed_or_removed_is_not_replaced_by_the_log_of_its_name_beside_it() {
    let [old, new] = [(b"old", 2), (b"new", 3)].map(|(payload, segments)| log_of(payload, segments));
    let whole = MemoryDirectory::new();
    old.iter().for_each(|(name, bytes)| whole.set_contents(name, bytes.clone()));
    let made = compress(Arc::new(whole.clone()), &CompressOptions::default()).unwrap();
    let form = made[0].path.file_name().unwrap().to_str().unwrap();
    for is_compressed in [false, true] {
        let memory = MemoryDirectory::new();
        memory.set_contents(&name(1), old[0].1.clone());
        memory.set_contents(&name(3), new[2].1.clone());
        let mut cursor = cursor_of(Arc::new(memory.clone()), ReaderMode::Prefix, false);
        assert_eq!(cursor.next().unwrap().unwrap().payload, b"old");
        // The log rolls, and its first segment is compressed or removed.
        memory.set_contents(&name(2), old[1].1.clone());
        if is_compressed {
            memory.set_contents(form, whole.contents(form).unwrap());
        }
        memory.remove(&name(1)).unwrap();
        let mut shown = vec![];
        while let Some(record) = cursor.next().unwrap() {
            shown.push((record.id, record.payload.to_vec()));
        }
        assert_eq!(shown, [(2, b"old".to_vec()), (3, b"new".to_vec())], "compressed: {is_compressed}");
    }
}
