//! Old segments are removed while consumers read: each consumer gets the exact ids that it missed.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::io::{Access, Directory, Fault, File, MemoryDirectory, Operation, RealDirectory};
use binlog::{Cursor, Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

/// A log of `segments` closed segments with `each` records in each, and an open one.
fn a_log(directory: &Arc<dyn Directory>, segments: u64, each: u64) -> Writer {
    let writer = Writer::open(directory.clone(), WriterOptions::default()).unwrap();
    for id in 1..=segments * each {
        writer.append((id % 3) as u32, &payload(20, id)).unwrap();
        if id % each == 0 {
            writer.roll().unwrap();
        }
    }
    writer.flush().unwrap();
    writer
}

fn file(id: u64) -> String {
    format!("default.{id:010}.binlog")
}

fn remove(directory: &Arc<dyn Directory>, files: std::ops::RangeInclusive<u64>) {
    for number in files {
        directory.remove(&file(number)).unwrap();
    }
}

fn open(directory: &Arc<dyn Directory>) -> Reader {
    Reader::open(directory.clone(), ReaderOptions::default()).unwrap()
}

fn from(id: u64) -> Filter {
    Filter { from_id: Some(id), ..Filter::default() }
}

/// What a cursor returns until its end.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Ids(u64, u64),
    Missed(u64, u64),
}

fn items(cursor: &mut Cursor, way: Way) -> Vec<Item> {
    let mut all = vec![];
    loop {
        let seen = drain(cursor, way);
        for row in &seen.rows {
            match all.last_mut() {
                Some(Item::Ids(_, last)) if *last + 1 == row.id => *last = row.id,
                _ => all.push(Item::Ids(row.id, row.id)),
            }
        }
        match seen.end {
            Ok(_) => return all,
            Err(e) => {
                assert_eq!(e.kind(), Kind::Missed, "{e}");
                let (first, last) = e.missed().unwrap();
                all.push(Item::Missed(first, last));
            }
        }
    }
}

#[test]
fn a_cursor_that_continues_from_an_id_reports_once_what_the_log_no_longer_has() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let _writer = a_log(&directory, 5, 10);
    remove(&directory, 1..=2);
    let reader = open(&directory);
    for way in WAYS {
        let mut cursor = reader.cursor(&from(15)).unwrap();
        assert_eq!(items(&mut cursor, way), [Item::Missed(15, 20), Item::Ids(21, 50)], "{way:?}");
    }
    assert_eq!(items(&mut reader.cursor(&from(0)).unwrap(), Way::Next), [Item::Missed(1, 20), Item::Ids(21, 50)]);
    let to_30 = Filter { to_id: Some(30), ..from(20) };
    assert_eq!(items(&mut reader.cursor(&to_30).unwrap(), Way::Next), [Item::Missed(20, 20), Item::Ids(21, 30)]);
    let before = Filter { to_id: Some(7), ..from(5) };
    assert_eq!(items(&mut reader.cursor(&before).unwrap(), Way::Next), [Item::Missed(5, 7)]);
    // Newest first, the gap is reported at the end, in the place of the removed records.
    let backward = items(&mut reader.cursor(&Filter { newest_first: true, ..from(15) }).unwrap(), Way::Next);
    assert_eq!(backward.last(), Some(&Item::Missed(15, 20)));
    // A filter without a first id, or whose first id exists, misses nothing.
    for filter in [
        Filter::default(),
        from(21),
        from(60),
        Filter { newest_first: true, ..Filter::default() },
        Filter { newest_first: true, ..from(21) },
        Filter { last: Some(100), ..from(15) },
    ] {
        assert!(!items(&mut reader.cursor(&filter).unwrap(), Way::Next).iter().any(|t| matches!(t, Item::Missed(..))));
    }
    let mut cursor = reader.cursor(&from(15)).unwrap();
    cursor.seek(18).unwrap();
    assert_eq!(items(&mut cursor, Way::Next), [Item::Missed(18, 20), Item::Ids(21, 50)]);
    assert!(cursor.get(3).unwrap().is_none());
    assert_eq!(items(&mut cursor, Way::Next), [Item::Missed(15, 20), Item::Ids(21, 50)]);
    assert_eq!(cursor.get(16).map(drop).unwrap_err().missed(), Some((16, 16)));
    assert_eq!(items(&mut cursor, Way::Next), [Item::Missed(17, 20), Item::Ids(21, 50)]);
    assert!(cursor.get(22).unwrap().is_some());
}

#[test]
fn a_cursor_whose_place_is_removed_reads_what_is_open_and_reports_the_rest_as_missed() {
    // More segments than a reader keeps open. The one after the cursor's is open, because it may name holes.
    for (removed, expected) in [
        (1..=1, vec![Item::Ids(6, 300)]),
        (1..=2, vec![Item::Ids(6, 300)]),
        (1..=3, vec![Item::Ids(6, 20), Item::Missed(21, 30), Item::Ids(31, 300)]),
        (1..=29, vec![Item::Ids(6, 20), Item::Missed(21, 290), Item::Ids(291, 300)]),
        // All that are closed.
        (1..=30, vec![Item::Ids(6, 20), Item::Missed(21, 300)]),
    ] {
        for way in WAYS {
            let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
            let _writer = a_log(&directory, 30, 10);
            let mut cursor =
                Reader::open(directory.clone(), ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap();
            for id in 1..=5 {
                assert_eq!(cursor.next().unwrap().unwrap().id, id);
            }
            remove(&directory, removed.clone());
            assert_eq!(items(&mut cursor, way), expected, "{removed:?} {way:?}");
        }
    }
}

#[test]
fn a_cursor_at_the_end_reports_what_it_missed_when_it_comes_back_too_late() {
    for newest in [6, 7, 30] {
        let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
        let writer = a_log(&directory, 5, 10);
        let mut cursor = open(&directory).cursor(&Filter::default()).unwrap();
        assert_eq!(items(&mut cursor, Way::Next), [Item::Ids(1, 50)]);
        let mut last = 50;
        for number in 6..=newest {
            for _ in 0..10 {
                last = writer.append(1, b"more").unwrap();
            }
            if number < newest {
                writer.roll().unwrap();
            }
        }
        writer.flush().unwrap();
        remove(&directory, 1..=newest - 1);
        let expected = match newest {
            6 => vec![Item::Ids(51, 60)],
            // It had the segment open.
            7 => vec![Item::Ids(51, 70)],
            _ => vec![Item::Ids(51, 60), Item::Missed(61, last - 10), Item::Ids(last - 9, last)],
        };
        assert_eq!(items(&mut cursor, Way::Batch(7)), expected);
        assert!(cursor.wait(Duration::ZERO).is_ok_and(|any| !any));
        writer.append(1, b"more").unwrap();
        writer.close().unwrap();
        assert_eq!(items(&mut cursor, Way::Next), [Item::Ids(last + 1, last + 1)]);
        assert_eq!(cursor.tail().state, TailState::Closed);
    }
}

#[test]
fn waiting_ends_with_what_was_missed_and_the_next_call_reports_it() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let _writer = a_log(&directory, 5, 10);
    remove(&directory, 1..=2);
    let mut cursor = open(&directory).cursor(&from(1)).unwrap();
    for _ in 0..3 {
        assert!(cursor.wait(Duration::ZERO).unwrap());
    }
    assert_eq!(cursor.next().unwrap_err().missed(), Some((1, 20)));
    assert!(cursor.wait(Duration::ZERO).unwrap());
    assert_eq!(items(&mut cursor, Way::Packed(400)), [Item::Ids(21, 50)]);
}

#[test]
fn segments_missing_behind_one_that_is_there_are_damage() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let _writer = a_log(&directory, 5, 10);
    let mut at_once = open(&directory).cursor(&Filter::default()).unwrap();
    remove(&directory, 3..=3);
    let seen = drain(&mut open(&directory).cursor(&from(1)).unwrap(), Way::Next);
    assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (20, Kind::Corrupt));
    let backward = Filter { newest_first: true, ..Filter::default() };
    let seen = drain(&mut open(&directory).cursor(&backward).unwrap(), Way::Next);
    assert_eq!((seen.rows.len(), seen.end.unwrap_err().kind()), (20, Kind::Corrupt));
    let seen = drain(&mut at_once, Way::Next);
    assert!(seen.rows.len() == 50 || seen.end.unwrap_err().kind() == Kind::Corrupt);
}

#[test]
fn to_a_salvaging_cursor_removed_segments_are_missed_and_a_hole_is_a_loss() {
    for way in WAYS {
        let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
        let writer = a_log(&directory, 40, 1);
        let (options, losses) = hearing(ReaderMode::Salvage);
        let reader = Reader::open(directory.clone(), options).unwrap();
        let [mut removed, mut holed] = [(); 2].map(|()| reader.cursor(&from(1)).unwrap());
        for cursor in [&mut removed, &mut holed] {
            assert_eq!(cursor.next().unwrap().unwrap().id, 1);
        }
        remove(&directory, 10..=30);
        let ids: Vec<u64> = drain(&mut holed, way).whole().iter().map(|row| row.id).collect();
        let lost: u64 = losses.lock().unwrap().iter().map(Loss::records).sum();
        assert!(lost > 0 && ids.len() as u64 + 1 + lost == 40 && ids.last() == Some(&40), "{way:?} {ids:?}");
        losses.lock().unwrap().clear();
        remove(&directory, 1..=9);
        let items = items(&mut removed, way);
        assert_eq!(items, [Item::Missed(2, 30), Item::Ids(31, 40)], "{way:?}");
        assert!(losses.lock().unwrap().is_empty(), "{way:?}");
        drop(writer);
    }
}

/// The segments 1 to 60 of 80 are removed at that read of a file; returns the directory, and how often files were read.
fn removed_at(read: usize) -> (Arc<dyn Directory>, Arc<AtomicUsize>) {
    let inner: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    a_log(&inner, 79, 2).close().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let (counted, removing) = (reads.clone(), inner.clone());
    let on_read = move |_: &str, _| {
        if counted.fetch_add(1, Ordering::Relaxed) == read {
            let is_old = |name: &String| (1..=60).any(|number| name.contains(&format!(".{number:010}.")));
            let listed = removing.list().unwrap();
            let old = listed.into_iter().filter(|name| is_old(name) && name.ends_with(".binlog"));
            old.for_each(|name| removing.remove(&name).unwrap());
        }
    };
    (Arc::new(Interposed { on_read: Some(Arc::new(on_read)), ..Interposed::around(inner) }), reads)
}

/// Whatever a command reads with, segments that are removed beside it at any moment are no damage.
#[test]
fn segments_that_are_removed_at_any_moment_are_damage_to_no_reader() {
    let salvaged = |directory: Arc<dyn Directory>| {
        let (options, losses) = hearing(ReaderMode::Salvage);
        let reader = Reader::open(directory, options).unwrap();
        let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
        let mut ids = vec![];
        loop {
            match cursor.next() {
                Ok(Some(record)) if record.is_event() => (),
                Ok(Some(record)) => ids.push(record.id),
                Ok(None) => break,
                Err(error) => assert_eq!(error.kind(), Kind::Missed, "{error}"),
            }
        }
        assert!(ids.ends_with(&(121..=158).collect::<Vec<_>>()) && ids.is_sorted(), "{ids:?}");
        assert!(losses.lock().unwrap().is_empty(), "{:?}", losses.lock().unwrap());
        assert_eq!(cursor.tail().state, TailState::Closed);
    };
    let contents = |directory| {
        let contents = open(&directory).contents(&mut |_, _| ()).unwrap();
        assert!(contents.damage.is_none(), "{:?}", contents.damage);
    };
    let listed = |directory| assert!(open(&directory).index().unwrap().len() >= 20);
    let counted =
        |directory| assert!(open(&directory).counts().unwrap().iter().map(|of| of.records).sum::<u64>() >= 38);
    let recovered = |directory: Arc<dyn Directory>| {
        let target: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
        let sum = binlog::recovery::recover(directory, target.clone(), ReaderOptions::default()).unwrap();
        assert_eq!(sum.losses, 0);
        let rows = drain(&mut open(&target).cursor(&Filter::default()).unwrap(), Way::Next).whole();
        assert!(rows.len() as u64 == sum.records && rows.last().is_some_and(|row| row.id == 158));
    };
    let compressed = |directory: Arc<dyn Directory>| {
        binlog::compression::compress(directory.clone(), &binlog::compression::CompressOptions::default()).unwrap();
        let items = items(&mut open(&directory).cursor(&Filter::default()).unwrap(), Way::Next);
        assert!(matches!(items.last(), Some(Item::Ids(.., 158))), "{items:?}");
    };
    type Read<'a> = &'a dyn Fn(Arc<dyn Directory>);
    let readers: [(&str, Read<'_>); 6] = [
        ("verify", &salvaged),
        ("info", &contents),
        ("ls", &listed),
        ("index", &counted),
        ("recover", &recovered),
        ("compress", &compressed),
    ];
    for (name, read) in readers {
        let (directory, reads) = removed_at(usize::MAX);
        read(directory);
        let all = reads.load(Ordering::Relaxed);
        assert!(all > 20, "{name}");
        for at in (0..all).step_by(all.div_ceil(60)) {
            let (directory, _) = removed_at(at);
            // Printed when the test fails.
            eprintln!("{name}, removed at read {at} of {all}");
            read(directory);
        }
    }
}

#[test]
fn a_cursor_that_reads_backward_ends_where_the_log_now_begins_and_reports_the_rest_as_missed() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let _writer = a_log(&directory, 100, 1);
    let newest = Filter { newest_first: true, ..Filter::default() };
    let mut cursor = open(&directory).cursor(&newest).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().id, 100);
    remove(&directory, 1..=50);
    let seen = drain(&mut cursor, Way::Next);
    let ids: Vec<u64> = seen.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, (51..100).rev().collect::<Vec<_>>());
    assert_eq!(seen.end.unwrap_err().missed(), Some((1, 50)));
    assert!(cursor.next().unwrap().is_none() && cursor.tail().state == TailState::Live);
}

/// How often each id was read, or reported as missed.
#[derive(Default)]
struct Account {
    read: BTreeMap<u64, u64>,
    missed: BTreeMap<u64, u64>,
}

/// Follows the log up to `last`; opens it anew after it has reached the end `again` times, and pauses at each end.
fn follow(open: &dyn Fn() -> Reader, way: Way, (again, pause): (usize, Duration), seek: bool, last: u64) -> Account {
    let mut account = Account::default();
    let mut next = 1;
    let began = Instant::now();
    while next <= last {
        let mut cursor = open().cursor(&from(next)).unwrap();
        for _ in 0..again {
            let seen = match seek {
                false => drain(&mut cursor, way),
                true => {
                    // From one record to the next, by the way that reads no more than one.
                    let mut rows = vec![];
                    let end = loop {
                        match cursor.next() {
                            Ok(Some(record)) => rows.push(Row::from(&record)),
                            Ok(None) => break Ok(cursor.tail()),
                            Err(e) => break Err(e),
                        }
                        if rows.len() % 50 == 49 {
                            let id = rows[rows.len() - 1].id;
                            // It may have been removed by now; then reading continues after it.
                            match cursor.get(id) {
                                Ok(record) => assert_eq!(record.map(|record| record.id), Some(id)),
                                Err(e) => assert_eq!(e.missed(), Some((id, id)), "{e}"),
                            }
                        }
                    };
                    Seen { rows, end }
                }
            };
            for row in &seen.rows {
                assert_eq!(row.payload, payload(20, row.id));
                assert_eq!(row.id, next, "in order");
                *account.read.entry(row.id).or_default() += 1;
                next = row.id + 1;
            }
            match seen.end {
                Ok(tail) => {
                    assert!(tail.state != TailState::Corrupt && tail.state != TailState::Torn, "{tail:?}");
                    std::thread::sleep(pause);
                    let _ = cursor.wait(Duration::from_millis(2)).unwrap();
                }
                Err(e) => {
                    let (first, last) = e.missed().unwrap_or_else(|| panic!("{e:?}"));
                    assert_eq!(first, next, "{e}");
                    for id in first..=last {
                        *account.missed.entry(id).or_default() += 1;
                    }
                    next = last + 1;
                }
            }
            if next > last {
                break;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(100), "stuck before {next}");
    }
    account
}

/// Rolls every few records and removes the oldest segments all the time, while others follow.
fn churn(directory: Arc<dyn Directory>, open: impl Fn() -> Reader + Sync, rounds: u64, kept: usize) {
    let each = 5;
    let last = rounds * each;
    let writer = Writer::open(directory.clone(), WriterOptions::default()).unwrap();
    writer.append(1, &payload(20, 1)).unwrap();
    writer.flush().unwrap();
    std::thread::scope(|scope| {
        let followers: Vec<_> = [
            (Way::Next, (usize::MAX, 0), false),
            (Way::Batch(3), (40, 7), false),
            (Way::Packed(300), (3, 0), false),
            (Way::Next, (100, 3), true),
        ]
        .into_iter()
        .map(|(way, (again, pause), seek)| {
            let (open, pause) = (&open, Duration::from_millis(pause));
            scope.spawn(move || follow(open, way, (again, pause), seek, last))
        })
        .collect();
        for id in 2..=last {
            writer.append((id % 3) as u32, &payload(20, id)).unwrap();
            if id % each == 0 {
                writer.roll().unwrap();
            }
            if id % (each * 3) == 0 {
                let mut names = directory.list().unwrap();
                names.retain(|name| name.ends_with(".binlog"));
                names.sort();
                for name in &names[..names.len().saturating_sub(kept)] {
                    directory.remove(name).unwrap();
                }
            }
        }
        writer.flush().unwrap();
        for follower in followers {
            let account = follower.join().unwrap();
            for id in 1..=last {
                let times = account.read.get(&id).unwrap_or(&0) + account.missed.get(&id).unwrap_or(&0);
                assert_eq!(times, 1, "record {id}");
            }
        }
    });
}

#[test]
fn every_follower_accounts_for_each_id_once_while_segments_are_rolled_and_removed() {
    for kept in [1, 3, 100] {
        let scratch = tempfile::tempdir().unwrap();
        let directory: Arc<dyn Directory> = Arc::new(RealDirectory::open(scratch.path()).unwrap());
        let path: &Path = scratch.path();
        churn(directory, || Reader::open(path, ReaderOptions::default()).unwrap(), 300, kept);
        let memory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
        let reader = memory.clone();
        churn(memory, move || Reader::open(reader.clone(), ReaderOptions::default()).unwrap(), 600, kept);
    }
}

/// A directory that changes while it is listed, once for each change.
struct Changing {
    inner: MemoryDirectory,
    next: Mutex<VecDeque<Change>>,
}

/// Files that are listed but removed when the list is returned, and files that are missing in the list.
struct Change {
    removed: Vec<u64>,
    left_out: Vec<u64>,
}

impl Changing {
    fn then(&self, removed: impl IntoIterator<Item = u64>, left_out: &[u64]) {
        let change = Change { removed: removed.into_iter().collect(), left_out: left_out.to_vec() };
        self.next.lock().unwrap().push_back(change);
    }
}

impl Directory for Changing {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> std::io::Result<Arc<dyn File>> {
        self.inner.open(name, access)
    }

    fn create(&self, name: &str, mode: u32) -> std::io::Result<Arc<dyn File>> {
        self.inner.create(name, mode)
    }

    fn open_or_create(&self, name: &str, mode: u32) -> std::io::Result<Arc<dyn File>> {
        self.inner.open_or_create(name, mode)
    }

    fn list(&self) -> std::io::Result<Vec<String>> {
        let mut names = self.inner.list()?;
        if let Some(change) = self.next.lock().unwrap().pop_front() {
            for number in change.removed {
                self.inner.remove(&file(number))?;
            }
            names.retain(|name| !change.left_out.iter().any(|&number| *name == file(number)));
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.inner.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.inner.link(from, to)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.inner.sync()
    }
}

#[test]
fn a_list_that_was_made_while_files_came_and_went_costs_no_record_and_is_no_damage() {
    // Few segments, whose headers are read, and many, whose names are.
    for segments in [8, 90] {
        let last = segments * 10;
        let a_log = || {
            let inner = MemoryDirectory::new();
            let plain: Arc<dyn Directory> = Arc::new(inner.clone());
            let writer = a_log(&plain, segments, 10);
            (writer, plain, Arc::new(Changing { inner, next: Mutex::default() }))
        };
        let after = |missed: u64| match missed {
            0 => vec![Item::Ids(1, last)],
            _ => vec![Item::Missed(1, missed), Item::Ids(missed + 1, last)],
        };
        for (removed, left_out, missed) in [
            // Created during the listing and missing in it, though a later file is in it.
            (0, vec![3], 0),
            (0, vec![2, 5, 6], 0),
            // Removed after they were listed: all, only the earlier ones, or everything in the list.
            (3, vec![], 30),
            (3, vec![2, 3], 30),
            (7, (8..=segments + 1).collect(), 70),
        ] {
            let (_writer, _, changing) = a_log();
            let directory: Arc<dyn Directory> = changing.clone();
            let what = format!("{segments} segments, removed 1 to {removed}, left out {left_out:?}");
            changing.then(1..=removed, &left_out);
            let reader = open(&directory);
            assert_eq!(items(&mut reader.cursor(&from(1)).unwrap(), Way::Next), after(missed), "{what}");
            let newest = Filter { newest_first: true, ..Filter::default() };
            // Never the first, which existed before.
            changing.then([], &[if removed == 7 { 9 } else { 6 }]);
            let seen = drain(&mut open(&directory).cursor(&newest).unwrap(), Way::Next).whole();
            let ids: Vec<u64> = seen.iter().map(|row| row.id).collect();
            assert_eq!(ids, (missed + 1..=last).rev().collect::<Vec<_>>(), "{what}");
        }
        // The same under a cursor that reads the second segment, has the third open, and finds the fourth removed.
        let gap = [Item::Ids(12, 30), Item::Missed(31, 50), Item::Ids(51, last)];
        for changes in [
            vec![(vec![1, 2, 3, 5], vec![])],
            vec![(vec![1, 2, 3, 5], vec![5])],
            vec![(vec![1, 2, 3, 5], vec![2, 3, 5])],
            vec![(vec![1, 2, 3, 5], vec![6, 7])],
            vec![(vec![], vec![]), (vec![1, 2, 3, 5], vec![5])],
            vec![(vec![1, 2], vec![]), (vec![3, 5], vec![5, 6])],
        ] {
            let (_writer, plain, changing) = a_log();
            let directory: Arc<dyn Directory> = changing.clone();
            let mut cursor = open(&directory).cursor(&Filter::default()).unwrap();
            (1..=11).for_each(|id| assert_eq!(cursor.next().unwrap().unwrap().id, id));
            remove(&plain, 4..=4);
            for (removed, left_out) in &changes {
                changing.then(removed.iter().copied(), left_out);
            }
            let seen = items(&mut cursor, Way::Next);
            // With few segments, the next ones are still open.
            let fine = seen == gap || (segments == 8 && seen == [Item::Ids(12, last)]);
            assert!(fine, "{segments} segments, {changes:?}: {seen:?}");
        }
    }
}

#[test]
fn a_segment_that_is_removed_under_a_cursor_with_those_behind_it_is_damage_while_earlier_ones_are_there() {
    let directory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let _writer = a_log(&directory, 90, 10);
    let mut cursor = open(&directory).cursor(&Filter::default()).unwrap();
    (1..=11).for_each(|id| assert_eq!(cursor.next().unwrap().unwrap().id, id));
    remove(&directory, 2..=4);
    let seen = drain(&mut cursor, Way::Next);
    // The third one was open.
    assert_eq!((seen.rows.last().unwrap().id, seen.end.unwrap_err().kind()), (30, Kind::Corrupt));
}

/// A cursor asks the next segment what it records about the current one; records do not wait for the answer.
#[test]
fn a_next_segment_that_cannot_be_opened_keeps_back_nothing_that_is_before_it() {
    let memory = MemoryDirectory::new();
    let directory: Arc<dyn Directory> = Arc::new(memory.clone());
    let _writer = a_log(&directory, 90, 10);
    let reader = open(&directory);
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().id, 1);
    let refused = Fault { from: 0, times: usize::MAX, errno: libc::EACCES, only: Some(Operation::Open) };
    memory.set_fault(Some(refused));
    let seen = drain(&mut cursor, Way::Next);
    assert_eq!((seen.rows.last().unwrap().id, seen.end.unwrap_err().os_code()), (20, Some(libc::EACCES)));
    // Then the files that the cursor has not reached are removed.
    memory.set_fault(None);
    remove(&directory, 1..=4);
    assert_eq!(items(&mut cursor, Way::Next), [Item::Missed(21, 40), Item::Ids(41, 900)]);
}

/// A power cut may leave the names of two segments but only the contents of the second.
#[test]
fn a_first_segment_of_which_nothing_has_survived_is_reported_and_one_that_was_removed_is_not() {
    for contents in [vec![], vec![0; 5000]] {
        let memory = MemoryDirectory::new();
        let directory: Arc<dyn Directory> = Arc::new(memory.clone());
        a_log(&directory, 3, 4).close().unwrap();
        let losses: Arc<Mutex<Vec<Loss>>> = Arc::default();
        memory.set_contents(&file(1), contents);
        let error = open(&directory).cursor(&Filter::default()).unwrap().next().map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.path().unwrap().ends_with(file(1)), "{error}");
        assert!(error.to_string().contains("nothing of the segment has survived"), "{error}");
        let reported = losses.clone();
        let on_loss: binlog::OnLoss = Arc::new(move |loss: &Loss| reported.lock().unwrap().push(loss.clone()));
        let options = ReaderOptions { mode: ReaderMode::Salvage, on_loss: Some(on_loss), ..ReaderOptions::default() };
        let rows = rows_of(&Reader::open(directory.clone(), options).unwrap());
        assert_eq!((rows[0].id, rows.len(), losses.lock().unwrap().len()), (5, 8, 1));
        remove(&directory, 1..=1);
        assert_eq!(rows_of(&open(&directory))[0].id, 5);
    }
}
