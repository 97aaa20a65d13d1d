//! Stores that fail, answer wrongly, or hold another object than a moment ago: a reader waits, reports what is wrong,
//! and shows nothing that was not verified. The same for a cache directory.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::common::remote::*;
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::store::remote::RemoteDirectory;
use binlog::store::{Again, Answer, Failure, Listed, MemoryStore, Stat, Store, StoreFault, Stored, Upload};
use binlog::{Codec, Error, Filter, Kind, Reader, ReaderMode, ReaderOptions, WriterOptions};

const FIRST: &str = "log.0000000001.binlog";

/// Whole segments of this log do not fit into what is kept of their ends.
fn large() -> MemoryDirectory {
    a_log(2, 6000, WriterOptions { name: "log".into(), index_bytes: 256 << 10, ..WriterOptions::default() })
}

fn failure(again: Again) -> Failure {
    Failure { error: an_error(), again }
}

/// An error as a store returns it.
fn an_error() -> Error {
    let nowhere = Path::new("/nowhere/at/all");
    Reader::open(nowhere, ReaderOptions::default()).map(drop).unwrap_err()
}

fn open(store: &Metered, patience: Duration) -> Result<Reader, Error> {
    let directory = store.directory().with_patience(patience);
    Reader::open(Arc::new(directory), ReaderOptions::default())
}

fn filters() -> [Filter; 3] {
    [
        Filter::default(),
        Filter { types: vec![9], ..Filter::default() },
        Filter { newest_first: true, headers_only: true, ..Filter::default() },
    ]
}

#[test]
fn a_passing_failure_of_any_request_changes_nothing() {
    let directory = large();
    let here = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    for filter in filters() {
        let expected = read(&here, &filter, Way::Batch(usize::MAX)).whole();
        let store = Metered::of(&directory);
        for from in 0.. {
            let again = Again::Later(Some(Duration::from_millis(1)));
            store.store.set_fault(Some(StoreFault {
                from,
                times: 2,
                only: None,
                failure: failure(again),
                done: false,
            }));
            let reader = open(&store, Duration::from_secs(60)).unwrap();
            let seen = read(&reader, &filter, Way::Batch(usize::MAX)).whole();
            assert_rows(&seen, &expected, &format!("request {from} {filter:?}"));
            if store.store.requests() <= from {
                assert!(from > 5, "{from} requests");
                break;
            }
        }
    }
}

#[test]
fn a_failure_that_stays_is_reported_and_what_was_shown_is_right_and_reading_continues_after_it() {
    let directory = large();
    let here = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    for filter in filters() {
        let expected = read(&here, &filter, Way::Next).whole();
        let store = Metered::of(&directory);
        for from in 0.. {
            let stays = |from| StoreFault {
                from,
                times: usize::MAX / 2,
                only: None,
                failure: failure(Again::WhenMended),
                done: false,
            };
            store.store.set_fault(Some(stays(from)));
            let opened = open(&store, Duration::from_secs(60)).and_then(|reader| reader.cursor(&filter));
            let mut cursor = match opened {
                Ok(cursor) => cursor,
                Err(error) => {
                    assert!(error.path().is_some(), "{error}");
                    continue;
                }
            };
            let mut seen = drain(&mut cursor, Way::Next);
            let failed = seen.end.is_err();
            store.store.set_fault(None);
            if failed {
                seen.rows.extend(drain(&mut cursor, Way::Next).whole());
            }
            assert_rows(&seen.rows, &expected, &format!("request {from} {filter:?}"));
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn patience_ends_and_the_error_names_the_object() {
    let store = Metered::of(&large());
    let reader = open(&store, Duration::from_millis(200)).unwrap();
    store.store.set_fault(Some(StoreFault {
        from: 0,
        times: usize::MAX / 2,
        only: None,
        failure: failure(Again::Later(None)),
        done: false,
    }));
    let error = drain(&mut reader.cursor(&Filter::default()).unwrap(), Way::Next).end.unwrap_err();
    assert!(store.store.requests() > 1, "it was tried again");
    assert!(error.path().is_some(), "{error}");
}

#[test]
fn an_object_that_is_another_now_is_reported_and_never_mixed_with_the_first() {
    let directory = large();
    let other = a_log(2, 9000, WriterOptions { name: "log".into(), ..WriterOptions::default() });
    for replaced in [other.contents(FIRST).unwrap(), b"short".to_vec()] {
        let store = Metered::of(&directory);
        let reader = open(&store, Duration::from_secs(60)).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().id, 1);
        store.store.set_contents(FIRST, replaced);
        let seen = drain(&mut cursor, Way::Next);
        let error = seen.end.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.to_string().contains("the object changed while it was read"), "{error}");
        assert_eq!(error.path(), Some(Path::new("memory://store/log.0000000001.binlog")));
        let expected = rows_of(&Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap());
        assert_rows(&seen.rows, &expected[1..=seen.rows.len()], "what was shown before is of the first object");
    }
}

#[test]
fn damage_in_a_store_is_reported_as_in_a_file() {
    let directory = large();
    let mut bytes = directory.contents(FIRST).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    directory.set_contents(FIRST, bytes);
    let store = Metered::of(&directory);
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        let options = || ReaderOptions { mode, ..ReaderOptions::default() };
        let here = Reader::open(Arc::new(directory.clone()), options()).unwrap();
        let there = Reader::open(Arc::new(store.directory()), options()).unwrap();
        let (seen, expected) =
            (read(&there, &Filter::default(), Way::Next), read(&here, &Filter::default(), Way::Next));
        assert_rows(&seen.rows, &expected.rows, &format!("{mode:?}"));
        match (seen.end, expected.end) {
            (Ok(_), Ok(_)) => (),
            (Err(seen), Err(expected)) => {
                assert_eq!((seen.kind(), seen.offset()), (Kind::Corrupt, expected.offset()));
                assert_eq!(seen.path(), Some(Path::new("memory://store/log.0000000001.binlog")));
            }
            (seen, _) => panic!("{mode:?}: {seen:?}"),
        }
    }
}

/// Changes a byte of every third answer.
#[derive(Debug)]
struct Flipping {
    store: MemoryStore,
    answers: AtomicU64,
}

impl Store for Flipping {
    fn url(&self) -> &str {
        self.store.url()
    }
    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.store.stat(name)
    }
    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        self.store.upload(upload)
    }
    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }
    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        let (tag, mut read) = self.store.read_tagged(name, ranges)?;
        // Not in the beginning: what is wrong there is another test.
        let far = ranges.iter().zip(&mut read).filter(|(range, _)| range.start >= 100_000);
        if self.answers.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            far.for_each(|(_, bytes)| *bytes.last_mut().unwrap() ^= 1);
        }
        Ok((tag, read))
    }
    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.store.read_end(name, bytes)
    }
    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.store.list(prefix)
    }
    fn remove(&self, name: &str) -> Answer<()> {
        self.store.remove(name)
    }
    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        self.store.abort(name, token)
    }
    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.store.abort_stale(prefix, age)
    }
}

#[test]
fn a_byte_that_was_changed_on_the_way_is_fetched_again_and_no_damage() {
    let directory = large();
    let expected = rows_of(&Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap());
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        for with_cache in [false, true] {
            let home = tempfile::tempdir().unwrap();
            let store = Flipping { store: Metered::of(&directory).store, answers: AtomicU64::new(0) };
            let mut remote = RemoteDirectory::new(Arc::new(store)).unwrap();
            if with_cache {
                remote = remote.with_cache(home.path(), 0).unwrap();
            }
            let options = ReaderOptions { mode, ..ReaderOptions::default() };
            let reader = Reader::open(Arc::new(remote), options).unwrap();
            let seen = read(&reader, &Filter::default(), Way::Next).whole();
            assert_rows(&seen, &expected, &format!("{mode:?}, cache {with_cache}"));
        }
    }
}

fn cached_files(root: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut files: Vec<_> =
        directories.flat_map(|path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())).collect();
    files.sort();
    files
}

fn cached(store: &Metered, home: &Path) -> Reader {
    let directory = store.directory().with_cache(home, 0).unwrap();
    Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap()
}

#[test]
fn what_is_in_the_cache_is_not_fetched_again() {
    let home = tempfile::tempdir().unwrap();
    let store = Metered::of(&large());
    for filter in filters() {
        let expected = read(&cached(&store, home.path()), &filter, Way::Next).whole();
        store.take();
        store.take_lists();
        let seen = read(&cached(&store, home.path()), &filter, Way::Next).whole();
        assert_rows(&seen, &expected, &format!("{filter:?}"));
        assert_eq!(store.take(), (store.take_lists(), 0), "the list alone is asked for: {filter:?}");
    }
}

#[test]
fn a_damaged_file_in_the_cache_is_not_believed() {
    let home = tempfile::tempdir().unwrap();
    let store = Metered::of(&large());
    let expected = rows_of(&cached(&store, home.path()));
    let count = cached_files(home.path()).len();
    assert!(count > 3, "{count} files");
    for at in 0..count {
        let path = &cached_files(home.path())[at];
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        fs::write(path, bytes).unwrap();
        assert_rows(&rows_of(&cached(&store, home.path())), &expected, &format!("file {at}"));
    }
    // All of them at once, and cut short.
    for path in cached_files(home.path()) {
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_rows(&rows_of(&cached(&store, home.path())), &expected, "all cut short");
}

#[test]
fn cached_bytes_of_an_object_are_not_taken_for_those_of_the_one_that_took_its_place() {
    let home = tempfile::tempdir().unwrap();
    let one = Metered::of(&a_log(1, 9000, small(Codec::None)));
    let rows = rows_of(&cached(&one, home.path()));
    assert_eq!(rows.len(), 9000);
    let other = a_log(1, 4000, small(Codec::None));
    one.store.set_contents(FIRST, other.contents(FIRST).unwrap());
    assert_eq!(rows_of(&cached(&one, home.path())).len(), 4000);
}

#[test]
fn a_cache_that_cannot_be_made_is_an_error_and_one_that_cannot_be_written_is_none() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let store = Metered::of(&a_log(1, 100, small(Codec::None)));
    let error = store.directory().with_cache(&file, 0).map(drop).unwrap_err();
    assert!(error.to_string().contains("use the directory as a cache"), "{error}");
    let gone = home.path().join("cache");
    let reader = cached(&store, &gone);
    fs::remove_dir_all(&gone).unwrap();
    fs::write(&gone, b"in the way").unwrap();
    assert_eq!(rows_of(&reader).len(), 100);
}
