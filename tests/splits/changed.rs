//! What became of the files between plan and read, and what logs there are.

use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::io::{Access, Directory, File, MemoryDirectory};
use binlog::splits::{PlanOptions, Split};
use binlog::{Codec, Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

use crate::common::history::*;
use crate::common::remote::{a_log as a_typed_log, small, Metered};
use crate::common::*;
use crate::{check, open, plan};

fn of(path: impl AsRef<Path>, target_bytes: u64) -> Vec<Split> {
    let reader = Reader::open(path.as_ref(), ReaderOptions::default()).unwrap();
    let plan = reader.plan(&Filter::default(), &PlanOptions { target_bytes, most: 0 }).unwrap();
    check(plan.splits(), &path.as_ref().display().to_string());
    plan.splits().to_vec()
}

fn rows(splits: &[Split]) -> Vec<Row> {
    let of = |split: &Split| rows_of(&Reader::open_split(&split.token, ReaderOptions::default()).unwrap());
    splits.iter().flat_map(of).collect()
}

fn segments(log: &mut Log, count: usize) {
    for _ in 0..count {
        for _ in 0..30 {
            log.put_plain(1, 7, 300);
        }
        log.writer().roll().unwrap();
    }
}

#[test]
fn records_that_were_removed_are_missed_once_and_a_split_that_is_gone_cannot_be_opened() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 4);
    let all = Filter::default();
    let splits = plan(&log.directory, ReaderMode::Prefix, &all, 1 << 20);
    assert_eq!(splits.len(), 1);
    let cut = plan(&log.directory, ReaderMode::Prefix, &all, 9000);
    for number in 1..=2 {
        log.directory.remove(&format!("default.{number:010}.binlog")).unwrap();
    }
    let mut cursor = open(&log.directory, &splits[0], ReaderOptions::default()).unwrap().cursor(&all).unwrap();
    assert_eq!(cursor.next().unwrap_err().missed(), Some((1, 60)));
    let seen = drain(&mut cursor, Way::Next).whole();
    assert_rows(&seen, &log.rows[60..], "what is left");
    let error = open(&log.directory, &cut[0], ReaderOptions::default()).map(|_| ()).unwrap_err();
    assert_eq!(error.missed(), Some((cut[0].first_id, cut[0].last_id)));
    let last = open(&log.directory, cut.last().unwrap(), ReaderOptions::default()).unwrap();
    assert!(!rows_of(&last).is_empty());
}

#[test]
fn another_log_at_the_place_is_a_mismatch_and_none_is_not_found() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 2);
    let splits = plan(&log.directory, ReaderMode::Prefix, &Filter::default(), 1 << 20);
    let mut other = Log::new(small_blocks(Codec::None));
    segments(&mut other, 2);
    let kind = |directory: &MemoryDirectory| {
        open(directory, &splits[0], ReaderOptions::default()).map(|_| ()).unwrap_err().kind()
    };
    assert_eq!(kind(&other.directory), Kind::Mismatch);
    assert_eq!(kind(&MemoryDirectory::new()), Kind::NotFound);
    // A reader of one log of a directory opens no split of another one, of which nothing was removed.
    let only = |log: &str| ReaderOptions { log: Some(log.into()), ..ReaderOptions::default() };
    assert_eq!(rows_of(&open(&log.directory, &splits[0], only("default")).unwrap()).len(), 60);
    let error = open(&log.directory, &splits[0], only("another")).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
}

#[test]
fn a_split_of_a_live_log_ends_with_the_record_that_was_the_last() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 1);
    log.put_plain(1, 7, 10);
    log.writer().flush().unwrap();
    let splits = plan(&log.directory, ReaderMode::Prefix, &Filter::default(), 1 << 20);
    assert_eq!(splits.last().unwrap().last_id, 31);
    segments(&mut log, 1);
    let reader = open(&log.directory, &splits[0], ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    assert_rows(&drain(&mut cursor, Way::Next).whole(), &log.rows[..31], "the snapshot");
    assert_eq!(cursor.tail().state, binlog::TailState::Closed);
    assert!(!cursor.wait(std::time::Duration::ZERO).unwrap());
    cursor.seek(40).unwrap();
    assert!(cursor.next().unwrap().is_none());
    assert_eq!(cursor.get(31).unwrap().map(|record| record.id), Some(31));
    assert!(cursor.get(32).unwrap().is_none());
    let counts = reader.counts().unwrap();
    assert_eq!(counts.iter().map(|counted| counted.records).sum::<u64>(), 31);
    assert_eq!(reader.contents(&mut |_, _| ()).unwrap().records, 31);
    let last = Filter { last: Some(3), ..Filter::default() };
    assert_rows(&read(&reader, &last, Way::Next).whole(), &log.rows[28..31], "the last three");
    // A split is divided like a log.
    let parts = reader.plan(&Filter::default(), &PlanOptions { target_bytes: 1, most: 0 }).unwrap();
    assert_eq!(parts.splits().last().unwrap().last_id, 31);
    let opened = parts.splits().iter().flat_map(|it| rows_of(&open(&log.directory, it, Default::default()).unwrap()));
    assert_rows(&opened.collect::<Vec<_>>(), &log.rows[..31], "parts");
}

#[test]
fn a_filter_without_parts_is_refused() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 1);
    let reader = open_mode(&log.directory, ReaderMode::Prefix);
    for filter in [Filter { last: Some(1), ..Filter::default() }, Filter { newest_first: true, ..Filter::default() }] {
        assert_eq!(reader.plan(&filter, &PlanOptions::default()).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn no_more_splits_than_asked_for() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 9);
    log.close();
    let reader = open_mode(&log.directory, ReaderMode::Prefix);
    for most in [1, 2, 3, 7] {
        let plan = reader.plan(&Filter::default(), &PlanOptions { target_bytes: 1, most }).unwrap();
        assert!(plan.splits().len() <= most, "{most}: {:#?}", plan.splits());
        assert_eq!(plan.splits().iter().map(|split| split.records).sum::<u64>(), 270);
    }
}

#[test]
fn several_logs_patterns_and_names_with_times_are_planned() {
    let home = tempfile::tempdir().unwrap();
    let mut expected = vec![];
    for (name, template) in [("a", "{name}.{seq}"), ("b:% c", "{name}.%Y-%m-%d_%H.{seq}")] {
        let mut options = WriterOptions { name: name.into(), ..small_blocks(Codec::None) };
        options.roll.template = template.into();
        let writer = Writer::open(home.path(), options).unwrap();
        for i in 0..200 {
            writer.append(1, format!("{name} {i}").repeat(30).as_bytes()).unwrap();
            if i % 20 == 0 {
                writer.roll().unwrap();
            }
        }
        writer.close().unwrap();
        let options = ReaderOptions { log: Some(name.into()), ..ReaderOptions::default() };
        expected.extend(rows_of(&Reader::open(home.path(), options).unwrap()));
    }
    for target in [1, 30_000, 1 << 30] {
        let splits = {
            let reader = Reader::open(home.path(), ReaderOptions::default()).unwrap();
            reader.plan(&Filter::default(), &PlanOptions { target_bytes: target, most: 0 }).unwrap()
        };
        assert_rows(&rows(splits.splits()), &expected, "two logs");
    }
    let pattern = home.path().join("a.000000000[3-5].binlog");
    let whole = rows_at(&pattern);
    assert_rows(&rows(&of(&pattern, 1)), &whole, "a pattern");
    assert_rows(&rows(&of(&pattern, 1 << 30)), &whole, "a pattern");
    let one = home.path().join("a.0000000002.binlog");
    assert_rows(&rows(&of(&one, 1 << 30)), &rows_at(&one), "one segment");
    let store = format!("file://{}", home.path().display());
    assert_rows(&rows(&of(&store, 30_000)), &expected, "a store");
}

#[test]
fn legacy_files_and_files_that_are_compressed_as_a_whole_are_a_split_each() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/legacy");
    let mut seen = 0;
    for entry in std::fs::read_dir(root).unwrap().flat_map(|kind| std::fs::read_dir(kind.unwrap().path()).unwrap()) {
        let path = entry.unwrap().path();
        let Ok(reader) = Reader::open(&path, ReaderOptions::default()) else { continue };
        let whole = read(&reader, &Filter::default(), Way::Next);
        let (Ok(_), false) = (&whole.end, whole.rows.is_empty()) else { continue };
        assert_rows(&rows(&of(&path, 1)), &whole.rows, &path.display().to_string());
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path(), small_blocks(Codec::None)).unwrap();
    for i in 0..90 {
        writer.append(1, &noise(200, i)).unwrap();
        if i % 30 == 29 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    let before = rows_at(home.path());
    if binlog::compression::pack(home.path(), binlog::compression::Whole::Gzip, &Default::default()).is_ok() {
        for target in [1, 1 << 30] {
            assert_rows(&rows(&of(home.path(), target)), &before, "compressed as a whole");
        }
    }
}

#[test]
fn a_split_in_a_store_is_opened_without_a_list_and_reads_its_segments_alone() {
    let directory = a_typed_log(8, 300, small(Codec::None));
    let metered = Metered::of(&directory);
    let reader = metered.open();
    let filter = Filter { types: vec![9], ..Filter::default() };
    let plan = reader.plan(&filter, &PlanOptions { target_bytes: 8192, most: 0 }).unwrap();
    let mut seen = vec![];
    for split in plan.splits() {
        let remote = Arc::new(metered.directory());
        metered.take_lists();
        let reader = Reader::open_split_at(&split.token, remote, ReaderOptions::default()).unwrap();
        seen.extend(read(&reader, &filter, Way::Next).whole());
        assert_eq!(metered.take_lists(), 0, "{split:?}");
    }
    assert_rows(&seen, &read(&reader, &filter, Way::Next).whole(), "a store");
}

/// A directory to be read that notes which files are opened, and "" for a list.
struct Noting {
    inner: MemoryDirectory,
    noted: Mutex<Vec<String>>,
}

impl Directory for Noting {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> std::io::Result<Arc<dyn File>> {
        self.noted.lock().unwrap().push(name.into());
        self.inner.open(name, access)
    }

    fn list(&self) -> std::io::Result<Vec<String>> {
        self.noted.lock().unwrap().push(String::new());
        self.inner.list()
    }
}

#[test]
fn a_split_in_a_directory_opens_the_files_of_its_segments_and_lists_nothing() {
    let mut log = Log::new(small_blocks(Codec::None));
    segments(&mut log, 6);
    log.close();
    let splits = plan(&log.directory, ReaderMode::Prefix, &Filter::default(), 1);
    assert!(splits.len() > 6);
    for split in &splits {
        let noting = Arc::new(Noting { inner: log.directory.clone(), noted: Mutex::default() });
        let reader = Reader::open_split_at(&split.token, noting.clone(), ReaderOptions::default()).unwrap();
        let seen = rows_of(&reader);
        assert_eq!(seen.len() as u64, split.last_id + 1 - split.first_id, "{split:?}");
        let mut noted = noting.noted.lock().unwrap().clone();
        noted.sort();
        noted.dedup();
        let segment = split.first_id.div_ceil(30);
        assert_eq!(noted, [format!("default.{segment:010}.binlog")], "{split:?}");
    }
}
