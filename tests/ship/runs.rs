//! Shipping closed segments to a store: order, objects that exist already, what is removed here and when, and what
//! happens when the ledger is lost.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::common::interposed::Interposed;
use crate::shipping::*;
use binlog::compression::{compress, CompressOptions};
use binlog::io::clock::Clock;
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::rolling::{prune, Retention};
use binlog::shipping::{Problem, ShipMonitor, ShipOptions, ShipState, Shipped, Shipper};
use binlog::store::{
    Again, Answer, Failure, Listed, MemoryStore, Request, Stat, Store, StoreFault, StoreOptions, Stored, Upload,
};
use binlog::{Codec, Error, Kind, Location, Reader, ReaderOptions, Writer};
use parking_lot::Mutex;

#[test]
fn closed_segments_are_shipped_in_their_order_and_the_last_one_stays_the_writers() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    let shipper = open(&directory, &store);
    let status = shipper.status();
    assert_eq!((status.waiting_segments, status.shipped_up_to, status.state), (4, 0, ShipState::Idle));
    let bytes: u64 = (1..=4).map(|n| bytes_of(&directory, &name(n)).unwrap().len() as u64).sum();
    assert_eq!(status.waiting_bytes, bytes);
    let report = shipper.run_once(&()).unwrap();
    assert_eq!(
        report.uploaded.iter().map(|it| (it.sequence, it.found)).collect::<Vec<_>>(),
        [1, 2, 3, 4].map(|n| (n, false))
    );
    let is_sent = |(request, name): &(Request, String)| {
        matches!(request, Request::Put | Request::Complete) && !name.contains(".id-")
    };
    let sent = store.take_asked().into_iter().filter(is_sent);
    assert_eq!(sent.map(|(_, name)| name).collect::<Vec<_>>(), [1, 2, 3, 4].map(name));
    for (name, bytes) in objects(&store) {
        assert_eq!(bytes_of(&directory, &name).unwrap(), bytes);
    }
    let status = shipper.status();
    assert_eq!((status.waiting_segments, status.waiting_bytes, status.oldest_waiting), (0, 0, None));
    assert_eq!((status.uploaded_segments, status.uploaded_bytes, status.shipped_up_to), (4, bytes, 4));

    store.take_asked();
    let again = shipper.run_once(&()).unwrap();
    assert_eq!((again.uploaded.len(), again.pruned.len(), store.take_asked()), (0, 0, vec![]));
    // What is appended meanwhile is closed by the next roll.
    let writer = open_writer(&directory);
    writer.append(1, b"more").unwrap();
    assert_eq!(shipper.run_once(&()).unwrap().uploaded.len(), 0);
    writer.roll().unwrap();
    assert_eq!(shipper.run_once(&()).unwrap().uploaded[0].sequence, 5);
    assert_eq!(objects(&store)[&name(5)], bytes_of(&directory, &name(5)).unwrap());
}

#[test]
fn an_object_that_is_the_same_is_a_success_and_is_not_sent_again() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    (1..=3).for_each(|n| store.set_contents(&name(n), bytes_of(&directory, &name(n)).unwrap()));
    store.take_asked();
    let report = open(&directory, &store).run_once(&()).unwrap();
    assert!(report.uploaded.iter().all(|it| it.found) && report.uploaded.len() == 3);
    let asked = store.take_asked();
    let is_sent = |(request, name): &(Request, String)| {
        matches!(request, Request::Put | Request::Begin) && !name.contains(".id-")
    };
    assert!(!asked.iter().any(is_sent), "{asked:?}");
}

#[test]
fn another_object_of_the_name_is_an_error_that_stops_the_order_and_is_never_overwritten() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    store.set_contents(&name(2), b"a foreign file".to_vec());
    let shipper =
        open_with(&directory, &store, ShipOptions { patience: Duration::from_secs(60), ..options() }).unwrap();
    let error = shipper.run_once(&()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    let text = error.to_string();
    let len = bytes_of(&directory, &name(2)).unwrap().len();
    assert!(text.contains("orders.0000000002.binlog") && text.contains("14 bytes"), "{text}");
    assert!(text.contains(&format!("{len} bytes")), "{text}");
    assert_eq!(objects(&store).keys().collect::<Vec<_>>(), [&name(1), &name(2)]);
    assert_eq!(store.contents(&name(2)).unwrap(), b"a foreign file");
    let status = shipper.status();
    assert_eq!((status.state, status.failures, status.waiting_segments), (ShipState::Waiting, 1, 2));
    assert_eq!(status.last_failure.unwrap().0.kind(), Kind::Mismatch);
    // Also if it has the same length.
    store.set_contents(&name(2), vec![7; len]);
    assert_eq!(shipper.run_once(&()).unwrap_err().kind(), Kind::Mismatch);
    store.remove(&name(2)).unwrap();
    assert_eq!(shipper.run_once(&()).unwrap().uploaded.len(), 2);
}

#[test]
fn a_file_is_removed_only_when_the_store_has_confirmed_again_that_it_holds_it() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    ship(&directory, &store);
    store.remove(&name(2)).unwrap();
    let shipper = open_with(&directory, &store, ShipOptions { keep: keep(2), ..options() }).unwrap();
    let error = shipper.run_once(&()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert_eq!(here(&directory), [2, 3, 4, 5].map(name));
    // It is shipped again, and then it may go.
    let report = shipper.run_once(&()).unwrap();
    assert_eq!(report.uploaded.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2]);
    assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(here(&directory), [4, 5].map(name));
    assert_eq!(objects(&store).len(), 4);
    drop(shipper);

    // Another object in its place: the file here stays, and so do later ones.
    let writer = open_writer(&directory);
    let mut next_id = 9;
    (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
    ship(&directory, &store);
    store.set_contents(&name(4), b"another".to_vec());
    assert_eq!(shipper_keeping(&directory, &store, 1).run_once(&()).unwrap_err().kind(), Kind::Mismatch);
    assert_eq!(here(&directory)[0], name(4));
}

#[test]
fn a_copy_that_keeps_old_segments_here_is_reported_and_all_is_shipped_nevertheless() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    let copy = bytes_of(&directory, &name(2)).unwrap();
    let file = directory.create("orders.0000000002-copy.binlog", 0o640).unwrap();
    file.write_at(&[std::io::IoSlice::new(&copy)], 0).unwrap();
    let error = shipper_keeping(&directory, &store, 1).run_once(&()).unwrap_err();
    assert_eq!(error.path().unwrap(), directory.path_of("orders.0000000002-copy.binlog"), "{error}");
    assert_eq!(objects(&store).len(), 4);
    assert_eq!(here(&directory).iter().filter(|file| **file == name(1)).count(), 0);
    assert_eq!(here(&directory).iter().filter(|file| **file == name(2)).count(), 1);
}

fn shipper_keeping(directory: &Arc<dyn Directory>, store: &MemoryStore, segments: u64) -> Shipper {
    open_with(directory, store, ShipOptions { keep: keep(segments), ..options() }).unwrap()
}

#[test]
fn nothing_that_is_not_in_a_store_is_removed_by_the_writer_or_by_prune_unless_that_is_said() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    store.set_contents(&name(3), b"in the way".to_vec());
    open(&directory, &store).run_once(&()).unwrap_err();
    let pruned = prune(directory.clone(), Some(LOG), &keep(1), true).unwrap();
    assert_eq!(pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    let options = binlog::WriterOptions { keep: keep(1), ..writer_options() };
    Writer::open(directory.clone(), options).unwrap().close().unwrap();
    assert_eq!(here(&directory), [3, 4, 5].map(name));
    // A damaged ledger says nothing; if the ledger is lost, its lock file proves that there was one.
    let ledger = bytes_of(&directory, "orders.archive").unwrap();
    directory.remove("orders.archive").unwrap();
    assert_eq!(prune(directory.clone(), Some(LOG), &keep(1), true).unwrap(), []);
    directory.create("orders.archive", 0o640).unwrap().write_at(&[std::io::IoSlice::new(&ledger[..100])], 0).unwrap();
    assert_eq!(prune(directory.clone(), Some(LOG), &keep(1), true).unwrap(), []);
    let unshipped = Retention { unshipped: true, ..keep(1) };
    assert_eq!(prune(directory.clone(), Some(LOG), &unshipped, false).unwrap().len(), 2);
    assert_eq!(here(&directory), [name(5)]);
}

#[test]
fn a_log_that_is_not_shipped_is_pruned_as_ever() {
    let (_, directory) = memory();
    write(&directory, 4);
    assert_eq!(prune(directory.clone(), None, &keep(1), false).unwrap().len(), 4);
}

#[test]
fn a_lost_or_damaged_ledger_is_restored_without_sending_anything() {
    for damage in ["lost", "cut", "foreign", "flipped", "empty"] {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 6);
        shipper_keeping(&directory, &store, 4).run_once(&()).unwrap();
        assert_eq!(here(&directory).len(), 4);
        let ledger = memory.contents("orders.archive").unwrap();
        match damage {
            "lost" => directory.remove("orders.archive").unwrap(),
            "cut" => memory.set_contents("orders.archive", ledger[..ledger.len() / 2].to_vec()),
            "foreign" => memory.set_contents("orders.archive", b"my letters to my aunt".to_vec()),
            "empty" => memory.set_contents("orders.archive", vec![]),
            _ => {
                let mut ledger = ledger;
                let at = ledger.len() / 2;
                ledger[at] ^= 0x20;
                memory.set_contents("orders.archive", ledger);
            }
        }
        store.take_asked();
        let shipper = shipper_keeping(&directory, &store, 2);
        let report = shipper.run_once(&()).unwrap();
        assert!(report.uploaded.iter().all(|it| it.found), "{damage}: {report:?}");
        assert_eq!(here(&directory).len(), 2, "{damage}");
        let asked = store.take_asked();
        assert!(
            !asked.iter().any(|(request, _)| matches!(request, Request::Put | Request::Begin)),
            "{damage}: {asked:?}"
        );
        let verified = shipper.verify(false, &()).unwrap();
        assert_eq!((verified.problems, verified.sound_segments), (vec![], 6), "{damage}");
        if damage == "foreign" {
            assert_eq!(memory.contents("orders.archive.damaged-1").unwrap(), b"my letters to my aunt");
        }
    }
}

#[test]
fn a_damaged_ledger_lets_nothing_be_removed() {
    let (memory, directory) = memory();
    write(&directory, 6);
    ship(&directory, &MemoryStore::new());
    let sound = memory.contents("orders.archive").unwrap();
    assert_eq!(prune(directory.clone(), None, &keep(1), true).unwrap().len(), 6);
    let mut noticed = 0;
    for at in (0..sound.len()).step_by(13) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x10;
        memory.set_contents("orders.archive", damaged);
        let would_go = prune(directory.clone(), None, &keep(1), true).unwrap().len();
        noticed += usize::from(would_go == 0);
        // Where only the end of the file is damaged, the part before it counts.
        assert!(would_go == 0 || at > sound.len() / 2, "byte {at}: {would_go}");
    }
    assert!(noticed > sound.len() / 13 / 2, "{noticed}");
}

#[test]
fn the_ledger_is_no_segment_to_any_reader() {
    let (_, directory) = memory();
    write(&directory, 2);
    let paths = || Reader::open(directory.clone(), ReaderOptions::default()).unwrap().paths();
    let before = paths();
    ship(&directory, &MemoryStore::new());
    assert!(directory.list().unwrap().contains(&"orders.archive".to_owned()));
    assert_eq!(paths(), before);
    let reader = Reader::open(directory.clone(), ReaderOptions::default()).unwrap();
    assert_eq!(reader.segments().len(), 3);
}

#[test]
fn a_log_has_one_shipper_at_a_time() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 1);
    let first = open(&directory, &store);
    let error = open_with(&directory, &store, options()).err().unwrap();
    assert_eq!(error.kind(), Kind::Locked);
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    // A dry run is let in.
    let looking = open_with(&directory, &store, ShipOptions { dry_run: true, ..options() }).unwrap();
    assert_eq!(looking.run_once(&()).unwrap().uploaded.len(), 1);
    drop(first);
    ship(&directory, &store);
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    let before = directory.list().unwrap();
    let dry = ShipOptions { dry_run: true, keep: keep(2), ..options() };
    let report = open_with(&directory, &store, dry).unwrap().run_once(&()).unwrap();
    assert_eq!(report.uploaded.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(directory.list().unwrap(), before);
    assert_eq!((store.take_asked(), memory.contents("orders.archive")), (vec![], None));
}

/// Records its calls, and stops after a number of bytes was sent.
#[derive(Default)]
struct Watching {
    sent: AtomicU64,
    stop_after: Option<u64>,
    failed: Mutex<Vec<(Error, Option<Duration>)>>,
    uploaded: Mutex<Vec<u64>>,
}

impl ShipMonitor for Watching {
    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn uploaded(&self, segment: &Shipped) {
        self.uploaded.lock().push(segment.sequence);
    }

    fn failed(&self, error: &Error, wait: Option<Duration>) {
        self.failed.lock().push((error.clone(), wait));
    }

    fn stop(&self) -> bool {
        self.stop_after.is_some_and(|most| self.sent.load(Ordering::Relaxed) >= most)
    }
}

#[test]
fn an_upload_that_was_stopped_is_continued_by_the_next_process() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    let writer = open_writer(&directory);
    let mut next_id = 1;
    append_and_roll(&writer, &mut next_id, 12);
    let monitor = Watching { stop_after: Some(2000), ..Watching::default() };
    let report = open(&directory, &store).run_once(&monitor).unwrap();
    assert!(report.stopped && report.uploaded.is_empty());
    assert_eq!((objects(&store).len(), store.unfinished()), (0, 1));
    let parts = |asked: Vec<(Request, String)>| asked.iter().filter(|(request, _)| *request == Request::Part).count();
    let first = parts(store.take_asked());
    ship(&directory, &store);
    let len = bytes_of(&directory, &name(1)).unwrap().len();
    assert_eq!(first + parts(store.take_asked()), len.div_ceil(1000), "no part is sent twice");
    assert_eq!((objects(&store).len(), store.unfinished()), (1, 0));
}

#[test]
fn uploads_that_cannot_be_continued_are_given_up() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    let writer = open_writer(&directory);
    let mut next_id = 1;
    append_and_roll(&writer, &mut next_id, 12);
    append_and_roll(&writer, &mut next_id, 1);
    let monitor = Watching { stop_after: Some(2000), ..Watching::default() };
    open(&directory, &store).run_once(&monitor).unwrap();
    assert_eq!(store.unfinished(), 1);
    directory.remove(&name(1)).unwrap();
    let missed = open(&directory, &store).run_once(&()).unwrap_err();
    assert!(missed.reason().starts_with("segment 1 of the log is neither here nor in the store"), "{missed}");
    assert_eq!((objects(&store).len(), store.unfinished()), (1, 0));
}

#[test]
fn a_failure_that_passes_is_tried_again_and_reported_with_the_time_to_wait() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 2);
    let busy = Failure { error: a_failure(), again: Again::Later(Some(Duration::from_millis(5))) };
    store.set_fault(Some(StoreFault { from: 1, times: 4, only: None, failure: busy, done: false }));
    let shipper =
        open_with(&directory, &store, ShipOptions { patience: Duration::from_secs(60), ..options() }).unwrap();
    let monitor = Watching::default();
    assert_eq!(shipper.run_once(&monitor).unwrap().uploaded.len(), 2);
    let failed = monitor.failed.lock();
    assert_eq!(failed.len(), 4);
    assert!(failed.iter().all(|(_, wait)| wait.unwrap() >= Duration::from_millis(5)), "{failed:?}");
    let status = shipper.status();
    assert_eq!((status.failures, status.state, status.waiting_segments), (4, ShipState::Idle, 0));
}

#[test]
fn what_a_user_has_to_mend_ends_a_run_at_once_and_a_run_without_end_continues() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 2);
    let refused = Failure { error: a_failure(), again: Again::WhenMended };
    let fault = |times| Some(StoreFault { from: 0, times, only: None, failure: refused.clone(), done: false });
    store.set_fault(fault(usize::MAX));
    let shipper =
        open_with(&directory, &store, ShipOptions { patience: Duration::from_secs(60), ..options() }).unwrap();
    shipper.run_once(&()).unwrap_err();
    assert_eq!(store.requests(), 1);
    store.set_fault(fault(3));
    /// Stops when all is shipped.
    struct Until<'a>(&'a Shipper);
    impl ShipMonitor for Until<'_> {
        fn stop(&self) -> bool {
            self.0.status().shipped_up_to == 2
        }
    }
    shipper.run(&Until(&shipper));
    assert_eq!((objects(&store).len(), shipper.status().failures), (2, 4));
}

/// Any error will do.
fn a_failure() -> Error {
    Reader::open("/nowhere/at/all.binlog", ReaderOptions::default()).err().unwrap()
}

/// Flips a bit in the middle of a file.
fn flip(memory: &MemoryDirectory, name: &str) {
    let mut bytes = memory.contents(name).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    memory.set_contents(name, bytes);
}

/// A run that ends with an obstacle.
pub fn obstructed(shipper: &Shipper, monitor: &dyn ShipMonitor) -> Error {
    let error = shipper.run_once(monitor).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    error
}

#[test]
fn a_damaged_segment_is_not_sent_and_nothing_from_it_on_is_removed_here() {
    type Damage = fn(&MemoryDirectory);
    let damages: [(&str, Damage); 4] = [
        ("bit", |memory| flip(memory, &name(3))),
        ("cut", |memory| {
            let bytes = memory.contents(&name(3)).unwrap();
            memory.set_contents(&name(3), bytes[..bytes.len() - 700].to_vec());
        }),
        ("trailer", |memory| {
            let bytes = memory.contents(&name(3)).unwrap();
            memory.set_contents(&name(3), bytes[..bytes.len() - 104].to_vec());
        }),
        ("header", |memory| {
            let mut bytes = memory.contents(&name(3)).unwrap();
            bytes[20] ^= 1;
            memory.set_contents(&name(3), bytes);
        }),
    ];
    for (what, damage) in damages {
        for (threads, compress) in [(1, false), (3, false), (1, codecs().is_some())] {
            let (memory, directory) = memory();
            let store = MemoryStore::new();
            write(&directory, 6);
            damage(&memory);
            let compress = codecs().filter(|_| compress).map(|codec| binlog::compression::CompressOptions {
                codec,
                ..binlog::compression::CompressOptions::default()
            });
            let options = ShipOptions { keep: keep(1), threads, compress, ..options() };
            let shipper = open_with(&directory, &store, options).unwrap();
            let watching = Watching::default();
            let error = obstructed(&shipper, &watching);
            let text = error.to_string();
            assert!(text.contains("orders.0000000003.binlog"), "{what}: {text}");
            assert!(text.contains("--accept 3"), "{what}: {text}");
            // The segments before and after it are in the store and it is not; newer ones stay here.
            let sent: Vec<u64> = watching.uploaded.lock().clone();
            assert_eq!(sent, [1, 2, 4, 5, 6], "{what}");
            assert!(!objects(&store).keys().any(|object| object.contains("0000000003")), "{what}");
            let left = here(&directory);
            assert_eq!(left.len(), 5, "{what}: {left:?}");
            assert!(left[0].contains("0000000003"), "{what}: {left:?}");
            let status = shipper.status();
            let missing = u64::from(what == "header");
            assert_eq!((status.damaged_segments, status.missing_segments), (1 - missing, missing), "{what}");
            let metrics = shipper.metrics();
            assert!(metrics.contains("binlog_ship_damaged_segments{"), "{metrics}");
            assert_eq!(watching.failed.lock().len(), 1, "{what}: {:?}", watching.failed.lock());
            // Reported once, and an error each time; nothing else removes it either.
            obstructed(&shipper, &watching);
            assert_eq!(watching.failed.lock().len(), 1, "{what}");
            assert_eq!(prune(directory.clone(), None, &keep(1), true).map_or(0, |pruned| pruned.len()), 0, "{what}");
            let problems = shipper.verify(false, &()).unwrap().problems;
            assert_eq!(problems.len(), 1, "{what}: {problems:?}");
            // On request it is shipped as it is, or its loss is accepted.
            shipper.accept("3").unwrap();
            if missing == 1 {
                // An unreadable file prevents the removal of others as long as it exists.
                obstructed(&shipper, &watching);
                directory.remove(&name(3)).unwrap();
            }
            shipper.run_once(&watching).unwrap();
            assert_eq!(here(&directory), [name(7)], "{what}");
            assert_eq!(objects(&store).contains_key(&name(3)), missing == 0, "{what}");
            assert_eq!(shipper.status().damaged_segments + shipper.status().missing_segments, 0, "{what}");
            assert_eq!(shipper.verify(true, &()).unwrap().problems, [], "{what}");
            drop(shipper);
            // The next process knows it, too.
            assert_eq!(open(&directory, &store).run_once(&()).unwrap().uploaded, [], "{what}");
        }
    }
}

/// It is read together with the next one, whose damage is not its own.
#[test]
fn a_whole_segment_in_front_of_one_of_which_little_is_left_is_sent() {
    for len in [170, 200, 300] {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 3);
        let bytes = memory.contents(&name(3)).unwrap();
        memory.set_contents(&name(3), bytes[..len].to_vec());
        let watching = Watching::default();
        obstructed(&open(&directory, &store), &watching);
        assert_eq!(*watching.uploaded.lock(), [1, 2], "{len}");
        assert_eq!(watching.failed.lock().len(), 1, "{len}: {:?}", watching.failed.lock());
    }
}

#[test]
fn a_damaged_segment_is_sent_once_it_was_mended() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    let sound = memory.contents(&name(2)).unwrap();
    flip(&memory, &name(2));
    let shipper = open(&directory, &store);
    obstructed(&shipper, &());
    memory.set_contents(&name(2), sound.clone());
    assert_eq!(shipper.run_once(&()).unwrap().uploaded.len(), 1);
    assert_eq!(objects(&store)[&name(2)], sound);
    assert_eq!(shipper.accept("2").unwrap_err().kind(), Kind::Invalid);
    assert_eq!(shipper.accept("9").unwrap_err().kind(), Kind::Invalid);
    assert_eq!(shipper.accept("nothing").unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn an_object_is_replaced_on_purpose_alone_and_kept_under_another_name() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    let sound = memory.contents(&name(2)).unwrap();
    flip(&memory, &name(2));
    let damaged = memory.contents(&name(2)).unwrap();
    let shipper = open(&directory, &store);
    obstructed(&shipper, &());
    shipper.accept(&name(2)).unwrap();
    shipper.run_once(&()).unwrap();
    assert_eq!(objects(&store)[&name(2)], damaged);
    // Mended here, it neither replaces the object by itself, nor is it removed.
    memory.set_contents(&name(2), sound.clone());
    drop(shipper);
    let shipper = shipper_keeping(&directory, &store, 1);
    let error = shipper.run_once(&()).unwrap_err();
    assert!(error.to_string().contains("--replace 2"), "{error}");
    assert_eq!(here(&directory), [2, 3, 4].map(name));
    assert_eq!(objects(&store)[&name(2)], damaged);
    let changed = |problem: &Problem| matches!(problem, Problem::Changed { sequence: 2, damage: None, .. });
    assert!(shipper.verify(false, &()).unwrap().problems.iter().all(changed));
    assert_eq!(shipper.replace("2").unwrap(), format!("{}.replaced-1", name(2)));
    shipper.run_once(&()).unwrap();
    assert_eq!(here(&directory), [name(4)]);
    let there = objects(&store);
    assert_eq!((&there[&name(2)], &there[&format!("{}.replaced-1", name(2))]), (&sound, &damaged));
    assert_eq!(shipper.verify(true, &()).unwrap().problems, []);
    assert_eq!(shipper.replace("2").unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn what_was_shipped_decides_whether_the_file_or_the_object_is_wrong() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    ship(&directory, &store);
    let sound = objects(&store)[&name(2)].clone();
    flip(&memory, &name(2));
    let problems = open(&directory, &store).verify(false, &()).unwrap().problems;
    let is_here =
        |problem: &Problem| matches!(problem, Problem::Changed { sequence: 2, damage: Some(_), is_shipped: true, .. });
    assert!(problems.len() == 1 && is_here(&problems[0]), "{problems:?}");
    // If the object is removed, the file is not sent in place of what was shipped.
    store.remove(&name(2)).unwrap();
    let shipper = shipper_keeping(&directory, &store, 1);
    assert_eq!(shipper.run_once(&()).unwrap_err().kind(), Kind::NotFound);
    obstructed(&shipper, &());
    assert!(!objects(&store).contains_key(&name(2)));
    assert_eq!(here(&directory), [2, 3, 4, 5].map(name));
    // While the store has it, a rotten file here is not needed.
    store.set_contents(&name(2), sound);
    drop(shipper);
    directory.remove("orders.archive").unwrap();
    let (memory, directory) = memory_with(&directory);
    drop(memory);
    let watching = Watching::default();
    let error = shipper_keeping(&directory, &store, 1).run_once(&watching).unwrap_err();
    assert!(error.to_string().contains("orders.0000000002"), "{error}");
}

/// A copy of a directory.
fn memory_with(other: &Arc<dyn Directory>) -> (MemoryDirectory, Arc<dyn Directory>) {
    let (memory, directory) = memory();
    for name in here(other) {
        memory.set_contents(&name, bytes_of(other, &name).unwrap());
    }
    (memory, directory)
}

#[test]
fn a_file_that_rotted_after_it_was_shipped_is_reported_and_removed_as_the_store_has_it() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    ship(&directory, &store);
    flip(&memory, &name(2));
    let watching = Watching::default();
    let report = shipper_keeping(&directory, &store, 1).run_once(&watching).unwrap();
    assert_eq!(report.pruned.len(), 4);
    let failed = watching.failed.lock();
    assert!(failed.len() == 1 && failed[0].0.to_string().contains("damaged here since it was shipped"), "{failed:?}");
}

#[test]
fn what_is_left_of_a_shipped_file_goes_and_what_is_foreign_stays() {
    type Rot = fn(&MemoryDirectory);
    let rots: [(&str, Rot, bool); 4] = [
        (
            "header",
            |memory| {
                let mut bytes = memory.contents(&name(2)).unwrap();
                bytes[20] ^= 1;
                memory.set_contents(&name(2), bytes);
            },
            true,
        ),
        (
            "cut header",
            |memory| {
                let bytes = memory.contents(&name(2)).unwrap();
                memory.set_contents(&name(2), bytes[100..].to_vec());
            },
            true,
        ),
        ("empty", |memory| memory.set_contents(&name(2), vec![]), true),
        ("foreign", |memory| memory.set_contents(&name(2), b"my letters to my aunt".to_vec()), false),
    ];
    for (what, rot, goes) in rots {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 4);
        ship(&directory, &store);
        rot(&memory);
        let watching = Watching::default();
        let ran = shipper_keeping(&directory, &store, 1).run_once(&watching);
        assert_eq!(ran.is_ok(), goes, "{what}: {ran:?}");
        assert_eq!(here(&directory).contains(&name(2)), !goes, "{what}: {:?}", here(&directory));
        assert_eq!(watching.failed.lock().len(), 1, "{what}");
        assert_eq!(objects(&store).len(), 4, "{what}");
    }
}

#[test]
fn a_hole_is_named_with_its_cause_and_keeps_what_is_newer_here_until_it_is_accepted() {
    type Cause = fn(&MemoryDirectory, &Arc<dyn Directory>);
    let causes: [(&str, Cause, &str); 3] = [
        ("removed", |_, directory| directory.remove(&name(3)).unwrap(), "neither here nor in the store"),
        ("empty", |memory, _| memory.set_contents(&name(3), vec![]), "has 0 bytes"),
        ("other", |memory, _| memory.set_contents(&name(3), b"my letters to my aunt".to_vec()), "cannot be read"),
    ];
    for (what, make, message) in causes {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 5);
        make(&memory, &directory);
        let shipper = shipper_keeping(&directory, &store, 1);
        let watching = Watching::default();
        let error = obstructed(&shipper, &watching).to_string();
        assert!(error.contains(message) && error.contains("segment 3 "), "{what}: {error}");
        assert_eq!(*watching.uploaded.lock(), [1, 2, 4, 5], "{what}");
        let left: Vec<String> = here(&directory).into_iter().filter(|file| *file > name(3)).collect();
        assert_eq!(left, [4, 5, 6].map(name), "{what}");
        assert_eq!(shipper.status().missing_segments, 1);
        let verified = shipper.verify(false, &()).unwrap();
        let [Problem::Gap { first: 3, last: 3, file }] = &verified.problems[..] else { panic!("{what}: {verified:?}") };
        assert_eq!(file.is_some(), what != "removed", "{what}: {file:?}");
        obstructed(&shipper, &watching);
        assert_eq!(watching.failed.lock().len(), 1, "{what}");
        // The writer's own removal obeys it, too.
        let writer =
            Writer::open(directory.clone(), binlog::WriterOptions { keep: keep(1), ..writer_options() }).unwrap();
        writer.append(1, b"more").unwrap();
        writer.roll().unwrap();
        writer.close().unwrap();
        assert!(here(&directory).contains(&name(4)), "{what}");
        shipper.accept("3").unwrap();
        if what != "removed" {
            obstructed(&shipper, &watching);
            directory.remove(&name(3)).unwrap();
        }
        shipper.run_once(&watching).unwrap();
        assert_eq!(here(&directory), [name(7)], "{what}");
        let verified = shipper.verify(false, &()).unwrap();
        assert_eq!((verified.problems, verified.accepted_segments), (vec![], 1), "{what}");
    }
}

#[test]
fn what_several_stores_are_to_hold_goes_when_all_of_them_do() {
    let (_, directory) = memory();
    let (first, second) = (MemoryStore::at("memory://first"), MemoryStore::at("memory://second"));
    write(&directory, 2);
    ship(&directory, &second);
    let writer = open_writer(&directory);
    let mut next_id = 5;
    append_and_roll(&writer, &mut next_id, 2);
    append_and_roll(&writer, &mut next_id, 2);
    writer.close().unwrap();
    let report = shipper_keeping(&directory, &first, 1).run_once(&()).unwrap();
    assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(report.kept_for.as_deref(), Some("memory://second"));
    let report = shipper_keeping(&directory, &second, 1).run_once(&()).unwrap();
    assert_eq!((report.uploaded.len(), report.pruned.len(), report.kept_for), (2, 2, None));
    assert_eq!(objects(&first).keys().collect::<Vec<_>>(), objects(&second).keys().collect::<Vec<_>>());

    // A store that comes too late has a hole, and the error names where the segments are.
    let third = MemoryStore::at("memory://third");
    let writer = open_writer(&directory);
    append_and_roll(&writer, &mut next_id, 2);
    writer.close().unwrap();
    let shipper = shipper_keeping(&directory, &third, 1);
    let error = obstructed(&shipper, &()).to_string();
    assert!(error.contains("segments 1 to 4") && error.contains("memory://"), "{error}");
    assert_eq!(here(&directory), [name(5), name(6)]);
    shipper.accept("1-4").unwrap();
    shipper.run_once(&()).unwrap();
    drop(shipper);
    // A store that is forgotten keeps nothing here.
    assert_eq!(here(&directory), [name(5), name(6)], "the others do not hold segment 5");
    for store in [&first, &second] {
        assert!(open(&directory, store).forget().unwrap());
    }
    shipper_keeping(&directory, &third, 1).run_once(&()).unwrap();
    assert_eq!(here(&directory), [name(6)]);
}

#[test]
fn a_segment_that_is_there_in_another_form_is_not_sent_again() {
    let Some(codec) = codecs() else { return };
    let compressing = || {
        let compress =
            Some(binlog::compression::CompressOptions { codec, ..binlog::compression::CompressOptions::default() });
        ShipOptions { compress, ..options() }
    };
    for (first, second) in [(options(), compressing()), (compressing(), options())] {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 3);
        let plain: Vec<_> = (1..=3).map(|n| memory.contents(&name(n)).unwrap()).collect();
        open_with(&directory, &store, first.clone()).unwrap().run_once(&()).unwrap();
        let there = objects(&store);
        // The ledger is lost, and the files are unchanged.
        directory.remove("orders.archive").unwrap();
        if first.compress.is_some() {
            for (n, bytes) in (1..=3).zip(&plain) {
                let compressed = there.keys().find(|object| object.contains(&format!("{n:010}"))).unwrap();
                directory.remove(compressed).unwrap();
                memory.set_contents(&name(n), bytes.clone());
            }
        }
        let shipper = open_with(&directory, &store, ShipOptions { keep: keep(1), ..second }).unwrap();
        let report = shipper.run_once(&()).unwrap();
        assert!(report.uploaded.len() == 3 && report.uploaded.iter().all(|it| it.found), "{report:?}");
        assert_eq!(objects(&store), there);
        assert_eq!(here(&directory), [name(4)]);
        assert_eq!(shipper.verify(true, &()).unwrap().problems, []);
    }
}

#[test]
fn a_clock_before_1970_ships_and_removes_as_any_other() {
    for now in [-1, -86_400_000_000_000 * 365 * 200, i64::MIN / 2] {
        let (_, directory) = memory();
        let store = MemoryStore::new();
        let clock = Clock::from_fn(move || now);
        let writer_options = binlog::WriterOptions { clock: clock.clone(), ..writer_options() };
        let writer = Writer::open(directory.clone(), writer_options).unwrap();
        let mut next_id = 1;
        (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
        writer.close().unwrap();
        let keep = Retention { age: Some(Duration::from_secs(3600)), segments: Some(2), ..Retention::default() };
        let shipper = open_with(&directory, &store, ShipOptions { keep, clock, ..options() }).unwrap();
        let report = shipper.run_once(&()).unwrap();
        assert_eq!((report.uploaded.len(), report.pruned.len()), (3, 2), "{now}");
        assert!(shipper.metrics().contains("last_upload_timestamp_seconds{"), "{now}");
        assert_eq!(shipper.verify(true, &()).unwrap().problems, [], "{now}");
        drop(shipper);
        assert_eq!(open(&directory, &store).run_once(&()).unwrap().uploaded, [], "{now}");
    }
}

#[test]
fn foreign_files_that_end_as_segments_do_have_no_effect() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    for foreign in ["letters.binlog", "orders.txt.binlog", "ordersx.0000000002.binlog", "0.binlog", ".binlog"] {
        memory.set_contents(foreign, b"my letters to my aunt".to_vec());
    }
    store.set_contents("letters.binlog", b"theirs".to_vec());
    let report = shipper_keeping(&directory, &store, 1).run_once(&()).unwrap();
    assert_eq!((report.uploaded.len(), report.pruned.len()), (3, 3));
    assert_eq!(shipper_keeping(&directory, &store, 1).verify(true, &()).unwrap().problems, []);
}

#[test]
fn another_log_of_the_same_name_is_refused_and_nothing_of_it_is_mixed_in() {
    let (_, first) = memory();
    let store = MemoryStore::new();
    write(&first, 3);
    ship(&first, &store);
    let (_, second) = memory();
    // More segments than the first has: the last of them would find no object in their way.
    write(&second, 5);
    let before = objects(&store);
    for label in ["there", "gone"] {
        if label == "gone" {
            // A store that was filled by an earlier version.
            let listed = store.list("orders.id-").unwrap();
            listed.iter().for_each(|object| store.remove(&object.name).unwrap());
        }
        let error = open(&second, &store).run_once(&()).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch, "{label}: {error}");
        assert!(error.to_string().contains("another log that is called \"orders\""), "{label}: {error}");
        assert_eq!(objects(&store), before, "{label}");
    }
    let writer = open_writer(&first);
    append_and_roll(&writer, &mut 7, 2);
    writer.close().unwrap();
    assert_eq!(open(&first, &store).run_once(&()).unwrap().uploaded.len(), 1);
}

#[test]
fn what_was_removed_from_the_store_on_purpose_is_not_missed() {
    use binlog::store::remote::RemoteDirectory;
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 6);
    shipper_keeping(&directory, &store, 5).run_once(&()).unwrap();
    let there: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(Arc::new(store.clone())).unwrap());
    assert_eq!(prune(there.clone(), None, &keep(4), false).unwrap().len(), 2);
    assert_eq!(prune(there, None, &keep(3), false).unwrap().len(), 1);
    assert_eq!(store.list("orders.pruned-").unwrap().len(), 1, "the older label is gone");
    let verified = open(&directory, &store).verify(false, &()).unwrap();
    assert_eq!((verified.problems, verified.foreign), (vec![], vec![]));
    // The file here may be removed, and is not sent again; other missing objects are reported.
    store.remove(&name(5)).unwrap();
    let problems = open(&directory, &store).verify(false, &()).unwrap().problems;
    assert_eq!(problems, [Problem::Missing { sequence: 5, object: name(5), is_here: true }]);
    let report = shipper_keeping(&directory, &store, 3).run_once(&()).unwrap();
    assert_eq!((report.uploaded.len(), here(&directory)), (0, [5, 6, 7].map(name).to_vec()));
}

#[test]
fn an_archive_that_is_a_directory_is_whole_when_it_is_read_by_its_path() {
    let (memory, directory) = memory();
    let place = tempfile::tempdir().unwrap();
    write(&directory, 3);
    let options = ShipOptions { url: format!("file://{}", place.path().display()), ..options() };
    let store = binlog::store::open(&options.url, &StoreOptions::default()).unwrap();
    Shipper::to_store(directory.clone(), store, Some(LOG), options).unwrap().run_once(&()).unwrap();
    let state = |path: &std::path::Path, newest_first: bool| {
        let reader = Reader::open(path, ReaderOptions::default()).unwrap();
        let mut cursor = reader.cursor(&binlog::Filter { newest_first, ..binlog::Filter::default() }).unwrap();
        while cursor.next().unwrap().is_some() {}
        cursor.tail()
    };
    for newest_first in [false, true] {
        let tail = state(place.path(), newest_first);
        assert_eq!(tail.state, binlog::TailState::Live, "{tail:?}");
        assert!(tail.reason.contains("which is not here yet"), "{tail:?}");
    }
    // A copy of the files alone does not contain that.
    let copy = tempfile::tempdir().unwrap();
    (1..=3).for_each(|n| std::fs::write(copy.path().join(name(n)), memory.contents(&name(n)).unwrap()).unwrap());
    assert_eq!(state(copy.path(), false).state, binlog::TailState::Unclosed);
}

#[test]
fn a_comparison_names_what_is_missing_different_foreign_and_gaps() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 9);
    let shipper = shipper_keeping(&directory, &store, 4);
    shipper.run_once(&()).unwrap();
    assert_eq!(shipper.verify(false, &()).unwrap().problems, []);
    store.remove(&name(2)).unwrap();
    store.remove(&name(8)).unwrap();
    store.set_contents(&name(3), b"short".to_vec());
    let mut flipped = store.contents(&name(4)).unwrap();
    flipped[200] ^= 1;
    store.set_contents(&name(4), flipped);
    store.set_contents("orders.txt", b"a letter".to_vec());
    store.set_contents("orders.eu.0000000001.binlog", b"no segment".to_vec());
    store.set_contents("other", b"another's".to_vec());
    for read_back in [false, true] {
        let report = shipper.verify(read_back, &()).unwrap();
        let missing = |sequence, is_here| Problem::Missing { sequence, object: name(sequence), is_here };
        let different = |sequence| Problem::Different { sequence, object: name(sequence) };
        assert_eq!(report.problems, [missing(2, false), different(3), different(4), missing(8, true)]);
        assert_eq!(report.foreign, ["orders.eu.0000000001.binlog", "orders.txt"]);
        assert_eq!((report.sound_segments, report.first, report.last), (5, 1, 10));
    }
    // Without the ledger, a hole is recognized by what the next segment records.
    drop(shipper);
    directory.remove("orders.archive").unwrap();
    let report = open(&directory, &store).verify(false, &()).unwrap();
    assert_eq!(report.problems, [Problem::Gap { first: 2, last: 3, file: None }]);
    // An object under the name of a waiting segment will stop the run.
    store.set_contents(&name(9), b"another".to_vec());
    let report = open(&directory, &store).verify(false, &()).unwrap();
    let different = Problem::Different { sequence: 9, object: name(9) };
    assert_eq!(report.problems, [Problem::Gap { first: 2, last: 3, file: None }, different]);
    assert_eq!(store.contents("other").unwrap(), b"another's");
}

#[test]
fn a_failing_disk_here_is_reported_and_nothing_is_forgotten() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    for (operation, from) in [(Operation::Sync, 0), (Operation::Write, 0), (Operation::Open, 2), (Operation::Read, 40)]
    {
        let shipper = shipper_keeping(&directory, &store, 3);
        memory.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: Some(operation) }));
        let failed = shipper.run_once(&());
        memory.set_fault(None);
        drop(shipper);
        drop(failed);
        let all = records(&objects(&store));
        let local: std::collections::BTreeMap<_, _> =
            here(&directory).into_iter().map(|name| (name.clone(), bytes_of(&directory, &name).unwrap())).collect();
        let here = records(&local);
        assert!((1..=6).all(|id| all.contains_key(&id) || here.contains_key(&id)), "{operation:?}");
    }
    shipper_keeping(&directory, &store, 2).run_once(&()).unwrap();
    assert_eq!((records(&objects(&store)).len(), here(&directory).len()), (6, 2));
}

#[test]
fn a_sync_that_fails_is_reported_whichever_thread_has_requested_it() {
    for from in 0..9 {
        let (memory, directory) = memory();
        write(&directory, 3);
        // In one part, so that the only work ahead is to make the next segment durable and to read it.
        let store = StoreOptions { part_bytes: 1 << 20, ..StoreOptions::default() };
        let options = ShipOptions { threads: 2, store, ..options() };
        let shipper = open_with(&directory, &MemoryStore::new(), options).unwrap();
        memory.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: Some(Operation::Sync) }));
        let kind = shipper.run_once(&()).map_err(|e| e.kind());
        assert!(matches!(kind, Err(Kind::Io | Kind::Failed)), "sync {from}: {kind:?}");
    }
}

#[test]
fn the_age_of_what_waits_counts_from_its_close() {
    let now = Arc::new(AtomicU64::new(1_000_000_000_000));
    let current = now.clone();
    let clock = Clock::from_fn(move || current.load(Ordering::Relaxed) as i64);
    let (_, directory) = memory();
    let options_of_writer = binlog::WriterOptions { clock: clock.clone(), ..writer_options() };
    let writer = Writer::open(directory.clone(), options_of_writer).unwrap();
    writer.append(1, b"x").unwrap();
    now.fetch_add(5_000_000_000, Ordering::Relaxed);
    writer.roll().unwrap();
    now.fetch_add(90_000_000_000, Ordering::Relaxed);
    let shipper = open_with(&directory, &MemoryStore::new(), ShipOptions { clock, ..options() }).unwrap();
    assert_eq!(shipper.status().oldest_waiting, Some(Duration::from_secs(90)));
    assert!(shipper.metrics().contains("oldest_waiting_seconds{log=\"orders\",store=\"memory://store\"} 90.000\n"));
}

#[test]
fn a_log_that_was_begun_anew_under_the_same_name_does_not_inherit_what_the_old_one_had_shipped() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 2);
    ship(&directory, &store);
    // The lock file proves what the log has held: to begin the log anew, that file is removed too.
    for file in
        directory.list().unwrap().into_iter().filter(|file| file.ends_with(".binlog") || file.ends_with(".lock"))
    {
        directory.remove(&file).unwrap();
    }
    write(&directory, 2);
    assert_eq!(prune(directory.clone(), None, &keep(1), true).unwrap(), [], "the new ones are in no store");
    let error = open(&directory, &store).run_once(&()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert_eq!(here(&directory).len(), 3);
}

#[test]
fn a_log_is_named_when_there_are_several_and_must_be_there() {
    let (_, directory) = memory();
    let open = |log| Shipper::to_store(directory.clone(), Arc::new(MemoryStore::new()), log, options());
    assert_eq!(open(None).err().unwrap().kind(), Kind::NotFound);
    write(&directory, 1);
    assert_eq!(open(None).unwrap().log(), LOG);
    let other = binlog::WriterOptions { name: "others".to_owned(), ..writer_options() };
    Writer::open(directory.clone(), other).unwrap().close().unwrap();
    let error = open(None).err().unwrap();
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("orders, others"), "{error}");
    assert_eq!(open(Some("nobody")).err().unwrap().kind(), Kind::NotFound);
    assert_eq!(open(Some("others")).unwrap().log(), "others");
}

#[test]
fn segments_are_compressed_before_they_are_shipped_and_go_when_the_store_holds_what_was_made_of_them() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 4);
    // One was shipped as it was, and is compressed later.
    let first = name(1);
    store.set_contents(&first, bytes_of(&directory, &first).unwrap());
    let before = records(
        &here(&directory).into_iter().map(|name| (name.clone(), bytes_of(&directory, &name).unwrap())).collect(),
    );
    store.set_contents(&name(2), b"in the way".to_vec());
    open(&directory, &store).run_once(&()).unwrap_err();
    store.remove(&name(2)).unwrap();
    let compress = binlog::compression::CompressOptions {
        codec: binlog::Codec::None,
        ..binlog::compression::CompressOptions::default()
    };
    let compress =
        codecs().map_or(compress.clone(), |codec| binlog::compression::CompressOptions { codec, ..compress });
    binlog::compression::compress(Location::File(directory.clone(), first.clone()), &compress).unwrap();
    let options = ShipOptions { compress: Some(compress), keep: keep(2), ..options() };
    let shipper = open_with(&directory, &store, options).unwrap();
    let report = shipper.run_once(&()).unwrap();
    let z = |sequence: u64| format!("{LOG}.{sequence:010}.z.binlog");
    assert_eq!(objects(&store).keys().cloned().collect::<Vec<_>>(), [first, z(2), z(3), z(4)]);
    assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(here(&directory), [z(4), name(5)]);
    assert_eq!(records(&objects(&store)), before);
    assert_eq!(shipper.verify(true, &()).unwrap().problems, []);
}

/// Compresses a segment as soon as the one before it is shipped, when its checksums are being read already.
struct Compressing(Arc<dyn Directory>);

impl ShipMonitor for Compressing {
    fn uploaded(&self, segment: &binlog::shipping::Shipped) {
        if segment.sequence == 1 {
            let options = CompressOptions { codec: codecs().unwrap_or(Codec::None), ..Default::default() };
            compress(Location::File(self.0.clone(), name(2).clone()), &options).unwrap();
        }
    }
}

#[test]
fn several_threads_ship_the_same_in_the_same_order_whatever_fails_or_changes_meanwhile() {
    for (threads, from) in [(2, 0), (2, 3), (3, 7), (8, 12)] {
        let (_, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 5);
        let before = records(
            &here(&directory).into_iter().map(|name| (name.clone(), bytes_of(&directory, &name).unwrap())).collect(),
        );
        if from > 0 {
            let busy = Failure { error: a_failure(), again: Again::Later(None) };
            store.set_fault(Some(StoreFault { from, times: 2, only: None, failure: busy, done: from == 7 }));
        }
        let options = ShipOptions { threads, patience: Duration::from_secs(60), keep: keep(1), ..options() };
        let shipper = open_with(&directory, &store, options).unwrap();
        let report = shipper.run_once(&Compressing(directory.clone())).unwrap();
        assert_eq!(report.uploaded.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let compressed = format!("{LOG}.{:010}.z.binlog", 2);
        let expected = [name(1), compressed, name(3), name(4), name(5)];
        assert_eq!(objects(&store).keys().cloned().collect::<Vec<_>>(), expected, "{threads} {from}");
        assert_eq!(records(&objects(&store)), before);
        assert_eq!(here(&directory), [name(6)]);
        assert_eq!(shipper.verify(true, &()).unwrap().problems, []);
    }
}

/// Notes what failed.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl ShipMonitor for Noting {
    fn failed(&self, error: &Error, _: Option<Duration>) {
        self.0.lock().push(error.to_string());
    }
}

#[test]
fn a_log_that_is_compressed_while_it_is_shipped_is_not_damaged_at_whatever_moment() {
    for threads in [1, 2] {
        for moment in 0.. {
            let (_, directory) = memory();
            write(&directory, 5);
            let calls = Arc::new(AtomicU64::new(0));
            let (counted, log) = (calls.clone(), directory.clone());
            let mut interposed = Interposed::around(directory.clone());
            interposed.on_call = Some(Arc::new(move || {
                if counted.fetch_add(1, Ordering::Relaxed) == moment {
                    let options = CompressOptions { codec: codecs().unwrap_or(Codec::None), ..Default::default() };
                    compress(log.clone(), &options).unwrap();
                }
            }));
            let store = MemoryStore::new();
            let interposed: Arc<dyn Directory> = Arc::new(interposed);
            let shipper = open_with(&interposed, &store, ShipOptions { threads, ..options() }).unwrap();
            let monitor = Noting::default();
            let context = format!("threads {threads} moment {moment}");
            let report = shipper.run_once(&monitor).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(*monitor.0.lock(), Vec::<String>::new(), "{context}");
            assert_eq!(report.uploaded.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5], "{context}");
            if calls.load(Ordering::Relaxed) <= moment {
                assert!(moment > 30, "{context}");
                break;
            }
        }
    }
}

/// A codec that this build has.
pub fn codecs() -> Option<Codec> {
    [Codec::Zstd, Codec::Lz4].into_iter().find(|codec| codec.is_available())
}

/// A store that can only confirm that it has taken an object.
#[derive(Debug)]
struct Taking(MemoryStore);

impl Store for Taking {
    fn url(&self) -> &str {
        "exec:take"
    }

    fn can_read(&self) -> bool {
        false
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        self.0.upload(upload)
    }

    fn stat(&self, _: &str) -> Answer<Option<Stat>> {
        panic!("must not be called")
    }

    fn read(&self, _: &str, _: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        panic!("must not be called")
    }

    fn read_end(&self, _: &str, _: u64) -> Answer<(Stat, Vec<u8>)> {
        panic!("must not be called")
    }

    fn list(&self, _: &str) -> Answer<Vec<Listed>> {
        panic!("must not be called")
    }

    fn remove(&self, _: &str) -> Answer<()> {
        panic!("must not be called")
    }

    fn abort(&self, _: &str, _: &str) -> Answer<()> {
        Ok(())
    }

    fn abort_stale(&self, _: &str, _: Duration) -> Answer<u64> {
        Ok(0)
    }
}

#[test]
fn a_store_that_cannot_be_asked_is_believed_and_not_compared() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    let options = ShipOptions { keep: keep(1), ..options() };
    let shipper = Shipper::to_store(directory.clone(), Arc::new(Taking(store.clone())), None, options).unwrap();
    let report = shipper.run_once(&()).unwrap();
    assert_eq!((report.uploaded.len(), report.pruned.len(), here(&directory)), (3, 3, vec![name(4)]));
    assert_eq!(objects(&store).len(), 3);
    assert_eq!(shipper.verify(false, &()).unwrap_err().kind(), Kind::Unsupported);
}
