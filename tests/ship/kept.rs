//! Whatever happens to files, stores and the ledger: nothing is removed here that is not safe elsewhere, and it is
//! reported.

use std::sync::Arc;

use crate::shipping::*;
use binlog::compression::CompressOptions;
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::shipping::{Problem, ShipOptions, Shipper};
use binlog::store::remote::RemoteDirectory;
use binlog::store::{MemoryStore, Store};
use binlog::{Codec, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

fn keeping(directory: &Arc<dyn Directory>, store: &MemoryStore, segments: u64) -> Shipper {
    open_with(directory, store, ShipOptions { keep: keep(segments), ..options() }).unwrap()
}

fn ledger_name() -> String {
    format!("{LOG}.archive")
}

#[test]
fn a_log_is_not_shipped_onto_itself_by_whatever_path() {
    let home = tempfile::tempdir().unwrap();
    let (log, link) = (home.path().join("log"), home.path().join("link"));
    let writer = Writer::open(&log, writer_options()).unwrap();
    let mut next_id = 1;
    (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
    writer.close().unwrap();
    std::os::unix::fs::symlink(&log, &link).unwrap();
    let ship = |place: &std::path::Path| {
        let url = format!("file://{}", place.display());
        Shipper::open(&log, None, ShipOptions { url, keep: keep(1), ..options() }).and_then(|it| it.run_once(&()))
    };
    let before = std::fs::read_dir(&log).unwrap().count();
    for place in [&log, &link] {
        let refused = ship(place).unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid, "{refused}");
        assert!(refused.reason().contains("the log's own directory"), "{refused}");
    }
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), before);
    // An empty variable in a script is no name of the root.
    for url in ["file:", "file://", "file:///", "file:////"] {
        let refused = Shipper::open(&log, None, ShipOptions { url: url.to_owned(), ..options() }).err().unwrap();
        assert_eq!(refused.kind(), Kind::Invalid, "{url}: {refused}");
    }
    let elsewhere = home.path().join("archive");
    std::fs::create_dir(&elsewhere).unwrap();
    assert_eq!(ship(&elsewhere).unwrap().pruned.len(), 3);
}

#[test]
fn no_store_is_forgotten_with_its_ledger() {
    type Damage = dyn Fn(&mut Vec<u8>);
    let damages: [&Damage; 4] =
        [&|bytes| bytes.clear(), &|bytes| bytes.truncate(bytes.len() / 2), &|bytes| bytes[700] ^= 4, &|bytes| {
            bytes[1500] ^= 4
        }];
    for damage in 0..=damages.len() {
        let (memory, directory) = memory();
        let (first, second) = (MemoryStore::at("memory://first"), MemoryStore::at("memory://second"));
        write(&directory, 4);
        ship(&directory, &first);
        ship(&directory, &second);
        let writer = open_writer(&directory);
        let mut next_id = 9;
        append_and_roll(&writer, &mut next_id, 2);
        append_and_roll(&writer, &mut next_id, 2);
        writer.close().unwrap();
        let mut bytes = memory.contents(&ledger_name()).unwrap();
        match damages.get(damage) {
            Some(damage) => {
                damage(&mut bytes);
                memory.set_contents(&ledger_name(), bytes);
            }
            None => memory.remove(&ledger_name()).unwrap(),
        }
        let report = keeping(&directory, &first, 1).run_once(&()).unwrap();
        assert_eq!(report.kept_for.as_deref(), Some("memory://second"), "{damage}");
        for number in [5, 6] {
            assert!(here(&directory).contains(&name(number)), "{damage}: segment {number} is in one store only");
        }
        keeping(&directory, &second, 1).run_once(&()).unwrap();
        assert_eq!(here(&directory), [name(7)], "{damage}");
        assert!(objects(&first).keys().eq(objects(&second).keys()));
    }
}

#[test]
fn what_went_to_a_store_that_nothing_is_known_of_any_more_is_missed_in_another_one() {
    let (memory, directory) = memory();
    let (first, second) = (MemoryStore::at("memory://first"), MemoryStore::at("memory://second"));
    write(&directory, 4);
    keeping(&directory, &first, 1).run_once(&()).unwrap();
    memory.remove(&ledger_name()).unwrap();
    let writer = open_writer(&directory);
    let mut next_id = 9;
    append_and_roll(&writer, &mut next_id, 2);
    writer.close().unwrap();
    let missed = keeping(&directory, &second, 1).run_once(&()).unwrap_err();
    assert!(missed.reason().starts_with("segments 1 to 4 of the log are"), "{missed}");
    assert!(here(&directory).contains(&name(5)));
    // The store that has them is asked.
    assert_eq!(keeping(&directory, &first, 9).run_once(&()).unwrap().uploaded.len(), 1);
}

#[test]
fn the_first_segments_of_a_log_are_not_forgotten_with_their_files() {
    for damage in [(|bytes: &mut Vec<u8>| bytes.clear()) as fn(&mut Vec<u8>), |bytes| bytes[600] ^= 4] {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 4);
        let mut bytes = memory.contents(&name(1)).unwrap();
        damage(&mut bytes);
        memory.set_contents(&name(1), bytes);
        assert!(keeping(&directory, &store, 1).run_once(&()).is_err());
        memory.remove(&name(1)).unwrap();
        let shipper = keeping(&directory, &store, 1);
        let missed = shipper.run_once(&()).unwrap_err();
        assert!(missed.reason().starts_with("segment 1 of the log is neither here nor in the store"), "{missed}");
        assert_eq!(here(&directory), [2, 3, 4, 5].map(name));
        let problems = shipper.verify(false, &()).unwrap().problems;
        assert_eq!(problems, [Problem::Gap { first: 1, last: 1, file: None }]);
        shipper.accept("1").unwrap();
        shipper.run_once(&()).unwrap();
        assert_eq!(here(&directory), [name(5)]);
    }
}

#[test]
fn a_damaged_file_is_shipped_from_the_whole_other_form_of_its_segment() {
    let Some(codec) = [Codec::Lz4, Codec::Zstd].into_iter().find(|codec| codec.is_available()) else { return };
    for accepted in [false, true] {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        write(&directory, 3);
        let options = CompressOptions { codec, keep_source: true, ..CompressOptions::default() };
        binlog::compression::compress(Arc::new(memory.clone()), &options).unwrap();
        let source = name(2);
        let mut bytes = memory.contents(&source).unwrap();
        let at = bytes.len() - 300;
        bytes[at] ^= 4;
        memory.set_contents(&source, bytes);
        let shipper = keeping(&directory, &store, 1);
        if accepted {
            assert!(shipper.accept("2").is_err(), "nothing of it is lost");
        }
        shipper.run_once(&()).unwrap();
        drop(shipper);
        // What a store holds in one form is recorded for the other one by the next run, which then removes both.
        keeping(&directory, &store, 1).run_once(&()).unwrap();
        let there = objects(&store);
        assert_eq!(records(&there).len() as u64, records(&whole(3)).len() as u64, "{:?}", there.keys());
        assert_eq!(here(&directory), [name(4)]);
    }
}

/// The files of an undamaged log of so many segments.
fn whole(segments: u64) -> std::collections::BTreeMap<String, Vec<u8>> {
    let (_, directory) = memory();
    write(&directory, segments);
    here(&directory).into_iter().map(|name| (name.clone(), bytes_of(&directory, &name).unwrap())).collect()
}

#[test]
fn a_label_of_removal_is_believed_only_where_nothing_older_is_left() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 5);
    ship(&directory, &store);
    store.set_contents(&format!("{LOG}.pruned-0000000004"), b"a label that was copied".to_vec());
    store.remove(&name(3)).unwrap();
    let shipper = keeping(&directory, &store, 1);
    // It is shipped again before its file is removed, at once or by the next run.
    let _ = shipper.run_once(&());
    shipper.run_once(&()).unwrap();
    assert!(objects(&store).contains_key(&name(3)));
    assert_eq!(here(&directory), [name(6)]);
}

#[test]
fn an_object_of_which_nothing_is_left_is_damage_also_at_the_end() {
    use binlog::store::remote::RemoteDirectory;
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    ship(&directory, &store);
    for left in [vec![], vec![0; 2000]] {
        store.set_contents(&name(3), left);
        let there: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(Arc::new(store.clone())).unwrap());
        let heard = Arc::new(parking_lot::Mutex::new(vec![]));
        let reported = heard.clone();
        let options = ReaderOptions {
            mode: ReaderMode::Salvage,
            on_loss: Some(Arc::new(move |loss| reported.lock().push(loss.clone()))),
            ..ReaderOptions::default()
        };
        let reader = Reader::open(there, options).unwrap();
        let mut cursor = reader.cursor(&binlog::Filter::default()).unwrap();
        while cursor.next().unwrap().is_some() {}
        let heard = heard.lock();
        assert!(heard.iter().any(|loss| loss.path.to_string_lossy().ends_with(&name(3))), "{heard:?}");
    }
}

/// Only the lock file records what followed the newest readable segment.
#[test]
fn a_newest_segment_that_is_lost_is_named_and_nothing_newer_goes() {
    type Loss = dyn Fn(&MemoryDirectory);
    let losses: [(&str, &Loss); 4] = [
        ("removed", &|memory| memory.remove(&name(5)).unwrap()),
        ("removed with the lock file", &|memory| {
            memory.remove(&name(5)).unwrap();
            memory.remove(&format!("{LOG}.lock")).unwrap();
        }),
        ("empty", &|memory| memory.set_contents(&name(5), vec![])),
        ("zeros", &|memory| {
            let len = memory.contents(&name(5)).unwrap().len();
            memory.set_contents(&name(5), vec![0; len]);
        }),
    ];
    for (how, lose) in losses {
        let (memory, directory) = memory();
        let store = MemoryStore::new();
        let writer = open_writer(&directory);
        let mut next_id = 1;
        (0..4).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
        writer.append(1, &payload(next_id)).unwrap();
        writer.close().unwrap();
        lose(&memory);
        let error = open(&directory, &store).run_once(&()).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{how}: {error}");
        assert!(error.to_string().contains("segment 5"), "{how}: {error}");
        assert_eq!(error.to_string().contains(&name(5)), !how.starts_with("removed"), "{error}");
        assert_eq!(objects(&store).len(), 3, "{how}: those before the last one are sent");
        let shipper = open(&directory, &store);
        assert_eq!(shipper.run_once(&()).unwrap_err().kind(), Kind::Corrupt, "{how}");
        assert_eq!(shipper.status().missing_segments, 1, "{how}");
        shipper.accept("5").unwrap();
        shipper.run_once(&()).unwrap();
    }
}

/// An entry of a store that is no object, or a foreign object, is named, and the check continues with the others.
#[test]
fn what_is_wrong_with_one_object_does_not_hide_the_others() {
    let home = tempfile::tempdir().unwrap();
    let (log, archive, other) = (home.path().join("log"), home.path().join("archive"), home.path().join("other"));
    for place in [&archive, &other] {
        std::fs::create_dir(place).unwrap();
    }
    let writer = Writer::open(&log, writer_options()).unwrap();
    let mut next_id = 1;
    (0..5).for_each(|_| append_and_roll(&writer, &mut next_id, 50));
    writer.close().unwrap();
    let options = || ShipOptions { url: format!("file://{}", archive.display()), ..options() };
    Shipper::open(&log, None, options()).unwrap().run_once(&()).unwrap();
    let problems = |read_back| {
        let shipper = Shipper::open(&log, None, ShipOptions { dry_run: true, ..options() }).unwrap();
        shipper.verify(read_back, &()).unwrap().problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems(true), Vec::<String>::new());
    // A second form of a segment, which readers take for it.
    for name in (1..=5).map(name) {
        std::fs::copy(log.join(&name), other.join(&name)).unwrap();
    }
    binlog::compression::compress(&other, &CompressOptions { codec: Codec::Lz4, ..CompressOptions::default() })
        .unwrap();
    let form = name(2).replace(".binlog", ".z.binlog");
    let mut bytes = std::fs::read(other.join(&form)).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(archive.join(&form), bytes).unwrap();
    let found = problems(true);
    assert!(found.len() == 1 && found[0].contains(&form), "{found:?}");
    // An unreadable one, one of another segment, and the segment of another log.
    std::fs::write(archive.join(&form), vec![7; 1000]).unwrap();
    assert!(problems(false)[0].contains(&form));
    std::fs::copy(other.join(name(4).replace(".binlog", ".z.binlog")), archive.join(&form)).unwrap();
    assert!(problems(false)[0].contains(&form));
    let foreign = home.path().join("foreign");
    let writer = Writer::open(&foreign, writer_options()).unwrap();
    let mut next_id = 1;
    (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 50));
    writer.close().unwrap();
    std::fs::copy(foreign.join(name(2)), archive.join(&form)).unwrap();
    assert!(problems(false)[0].contains(&form));
    std::fs::remove_file(archive.join(&form)).unwrap();
    // A circular link, and a broken one.
    std::fs::remove_file(archive.join(name(3))).unwrap();
    std::os::unix::fs::symlink(archive.join(name(3)), archive.join(name(3))).unwrap();
    std::fs::remove_file(archive.join(name(4))).unwrap();
    for read_back in [false, true] {
        let found = problems(read_back);
        assert!(found.len() == 2 && found[0].contains("segment 3") && found[1].contains("segment 4"), "{found:?}");
    }
    // Another log of the name.
    let label = archive.join(format!("{LOG}.id-{:032}", 0));
    std::fs::write(&label, "").unwrap();
    let shipper = Shipper::open(&log, None, ShipOptions { dry_run: true, ..options() }).unwrap();
    assert_eq!(shipper.verify(false, &()).unwrap_err().kind(), Kind::Mismatch);
}

/// A file here that cannot be opened does not hold up the others.
#[test]
fn a_link_in_a_circle_is_a_hole_and_the_others_are_sent() {
    let home = tempfile::tempdir().unwrap();
    let (log, archive) = (home.path().join("log"), home.path().join("archive"));
    std::fs::create_dir(&archive).unwrap();
    let writer = Writer::open(&log, writer_options()).unwrap();
    let mut next_id = 1;
    (0..5).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
    writer.close().unwrap();
    std::fs::remove_file(log.join(name(3))).unwrap();
    std::os::unix::fs::symlink(log.join(name(3)), log.join(name(3))).unwrap();
    let url = format!("file://{}", archive.display());
    let error = Shipper::open(&log, None, ShipOptions { url: url.clone(), keep: keep(1), ..options() })
        .and_then(|shipper| shipper.run_once(&()))
        .unwrap_err();
    assert!(error.kind() == Kind::Corrupt && error.to_string().contains(&name(3)), "{error}");
    let there = |number| archive.join(name(number)).exists();
    assert_eq!((1..=5).map(there).collect::<Vec<_>>(), [true, true, false, true, true]);
    let here = |number| log.join(name(number)).exists();
    assert_eq!((1..=6).map(here).collect::<Vec<_>>(), [false, false, false, true, true, true]);
}

/// A file that is whole and another one than was shipped, as a recovery in place leaves it.
#[test]
fn verify_names_a_segment_that_was_written_anew_here_since_it_was_shipped() {
    let home = tempfile::tempdir().unwrap();
    let (log, archive) = (home.path().join("log"), home.path().join("archive"));
    std::fs::create_dir(&archive).unwrap();
    let writer = Writer::open(&log, writer_options()).unwrap();
    let mut next_id = 1;
    (0..5).for_each(|_| append_and_roll(&writer, &mut next_id, 50));
    writer.close().unwrap();
    let options = || ShipOptions { url: format!("file://{}", archive.display()), ..options() };
    Shipper::open(&log, None, options()).unwrap().run_once(&()).unwrap();
    let path = log.join(name(4));
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    binlog::recovery::recover_in_place(&log, ReaderOptions::default()).unwrap();
    let shipper = Shipper::open(&log, None, ShipOptions { dry_run: true, ..options() }).unwrap();
    let problems = shipper.verify(false, &()).unwrap().problems;
    assert!(matches!(problems[..], [Problem::Changed { sequence: 4, damage: None, .. }]), "{problems:?}");
}

/// If the name of one log begins with the name of another, a label counts for its own log only.
#[test]
fn what_was_removed_on_purpose_is_not_sent_again_beside_a_log_whose_name_begins_so() {
    let (_, directory) = memory();
    let (_, other) = memory();
    let store = MemoryStore::new();
    let mut next_id = 1;
    let named = WriterOptions { name: format!("{LOG}.0000000001"), ..writer_options() };
    let writer = Writer::open(other.clone(), named).unwrap();
    (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
    writer.close().unwrap();
    let shipper = Shipper::to_store(other, Arc::new(store.clone()), None, options()).unwrap();
    shipper.run_once(&()).unwrap();
    write(&directory, 5);
    ship(&directory, &store);
    let there = Arc::new(RemoteDirectory::new(Arc::new(store.clone())).unwrap());
    let pruned = binlog::rolling::prune(there, Some(LOG), &keep(2), false).unwrap();
    assert!(!pruned.is_empty());
    let before = objects(&store).len();
    let report = keeping(&directory, &store, 1).run_once(&()).unwrap();
    assert_eq!((report.uploaded.len(), objects(&store).len()), (0, before));
    assert!(!report.pruned.is_empty());
}

/// After a kill behind the removal of the object, the same call continues.
#[test]
fn a_replacement_that_was_cut_short_is_continued() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    ship(&directory, &store);
    store.set_contents(&name(2), b"another one".to_vec());
    let kept = open(&directory, &store).replace("2").unwrap();
    assert_eq!((kept.as_str(), store.contents(&name(2))), ("orders.0000000002.binlog.replaced-1", None));
    assert_eq!(open(&directory, &store).replace("2").unwrap(), kept);
    ship(&directory, &store);
    assert_eq!(store.contents(&name(2)), memory.contents(&name(2)));
}

/// While many segments wait, old ones are removed from a store that would be full.
#[test]
fn what_need_not_stay_in_the_store_goes_while_others_come() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 200);
    let options = ShipOptions { keep_remote: keep(5), ..options() };
    struct Most(MemoryStore, std::sync::atomic::AtomicUsize);
    impl binlog::shipping::ShipMonitor for Most {
        fn uploaded(&self, _: &binlog::shipping::Shipped) {
            self.1.fetch_max(objects(&self.0).len(), std::sync::atomic::Ordering::Relaxed);
        }
    }
    let most = Most(store.clone(), Default::default());
    open_with(&directory, &store, options).unwrap().run_once(&most).unwrap();
    assert_eq!(objects(&store).keys().filter(|name| name.ends_with(".binlog")).count(), 5);
    assert!(most.1.into_inner() <= 15, "a few more than stay");
}

/// Two copies of a log that were continued separately are not mixed, whatever the form of their segments in the store.
#[test]
fn another_segment_of_the_number_in_the_other_form_is_refused() {
    let (memory, directory) = memory();
    write(&directory, 3);
    let copy = Arc::new(MemoryDirectory::new());
    for name in here(&directory).iter().chain([&format!("{LOG}.lock")]) {
        copy.set_contents(name, memory.contents(name).unwrap());
    }
    let copy: Arc<dyn Directory> = copy;
    let store = MemoryStore::new();
    for directory in [&directory, &copy] {
        let writer = open_writer(directory);
        let mut next_id = 7;
        append_and_roll(&writer, &mut next_id, 2);
        writer.close().unwrap();
    }
    let compress = Some(CompressOptions { codec: Codec::Lz4, ..CompressOptions::default() });
    open_with(&copy, &store, ShipOptions { compress, ..options() }).unwrap().run_once(&()).unwrap();
    let before = objects(&store);
    let refused = open(&directory, &store).run_once(&()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Mismatch, "{refused}");
    assert_eq!(objects(&store), before);
}

/// `prune` keeps the newest segment: a label with a greater number is foreign.
#[test]
fn a_label_of_removal_beyond_the_newest_segment_is_not_believed() {
    let (_, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 5);
    ship(&directory, &store);
    for number in 1..=5 {
        store.remove(&name(number)).unwrap();
    }
    store.set_contents(&format!("{LOG}.pruned-9999999999"), vec![]);
    let verified = keeping(&directory, &store, 1).verify(false, &()).unwrap();
    assert_eq!(verified.problems.len(), 5, "{verified:?}");
    let shipper = keeping(&directory, &store, 1);
    // Each is sent again when its turn to be removed has come.
    while shipper.run_once(&()).is_err() {}
    let there = objects(&store);
    assert!((1..=5).all(|number| there.contains_key(&name(number))), "{:?}", there.keys());
}

/// While files are added to a directory, a list of it may have one and lack another that was there before.
#[test]
fn a_list_that_lacks_a_segment_for_a_moment_is_no_hole() {
    use std::sync::atomic::{AtomicU64, Ordering};
    // Each list of the directory that opening and one run make, in turn.
    for (lacking, nth) in (2..=5).flat_map(|lacking| (0..12).map(move |nth| (lacking, nth))) {
        let (_, directory) = memory();
        write(&directory, 5);
        let lists = AtomicU64::new(0);
        let on_list = move |listed: &mut Vec<String>| {
            if lists.fetch_add(1, Ordering::Relaxed) == nth {
                listed.retain(|file| *file != name(lacking));
            }
        };
        let changing = crate::common::interposed::Interposed {
            on_list: Some(Arc::new(on_list)),
            ..crate::common::interposed::Interposed::around(directory)
        };
        let directory: Arc<dyn Directory> = Arc::new(changing);
        let store = MemoryStore::new();
        let report = open(&directory, &store).run_once(&()).unwrap();
        assert_eq!(objects(&store).len(), 5, "segment {lacking}, list {nth}: {report:?}");
    }
}

/// A stop does not wait until a long segment has been read.
#[test]
fn a_run_that_is_stopped_reads_no_long_segment_to_its_end() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    const LONG: usize = 16 << 20;
    struct Stop(Arc<AtomicUsize>, usize);
    impl binlog::shipping::ShipMonitor for Stop {
        fn stop(&self) -> bool {
            self.0.load(Ordering::Relaxed) > self.1
        }
    }
    let (_, inner) = memory();
    let writer = open_writer(&inner);
    for _ in 0..LONG >> 20 {
        writer.append(1, &vec![7; 1 << 20]).unwrap();
    }
    writer.roll().unwrap();
    writer.close().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let counted = read.clone();
    let on_read = move |_: &str, n: usize| {
        counted.fetch_add(n, Ordering::Relaxed);
    };
    let counting = crate::common::interposed::Interposed {
        on_read: Some(Arc::new(on_read)),
        ..crate::common::interposed::Interposed::around(inner)
    };
    let directory: Arc<dyn Directory> = Arc::new(counting);
    let store = MemoryStore::new();
    let options = || ShipOptions { threads: 1, ..options() };
    // In the middle of the checksums, and in the middle of the verification after them.
    for most in [2 << 20, LONG + (2 << 20)] {
        let shipper = open_with(&directory, &store, options()).unwrap();
        read.store(0, Ordering::Relaxed);
        let report = shipper.run_once(&Stop(read.clone(), most)).unwrap();
        assert!(report.stopped && report.uploaded.is_empty(), "{report:?}");
        let read = read.load(Ordering::Relaxed);
        assert!(read < most + (4 << 20), "{read} bytes, stopped at {most}");
    }
    open_with(&directory, &store, options()).unwrap().run_once(&()).unwrap();
    let shipper = open_with(&directory, &store, ShipOptions { dry_run: true, ..options() }).unwrap();
    read.store(0, Ordering::Relaxed);
    assert!(shipper.verify(true, &Stop(read.clone(), 2 << 20)).unwrap().stopped);
    assert!(read.load(Ordering::Relaxed) < 6 << 20);
}

#[test]
fn what_a_killed_process_has_left_of_its_files_is_removed() {
    let (memory, directory) = memory();
    let store = MemoryStore::new();
    write(&directory, 3);
    ship(&directory, &store);
    for name in [format!(".{LOG}.archive.part"), format!(".{LOG}.archive.stores.part")] {
        memory.set_contents(&name, b"a part of it".to_vec());
    }
    ship(&directory, &store);
    assert!(!directory.list().unwrap().iter().any(|name| name.ends_with(".part")), "{:?}", directory.list());
}

/// The directory in which a store is mounted is there when the store is not.
#[test]
fn a_store_that_was_emptied_is_refused_and_nothing_is_removed_here() {
    let (_, directory) = memory();
    write(&directory, 5);
    ship(&directory, &MemoryStore::new());
    let emptied = MemoryStore::new();
    let shipper = open_with(&directory, &emptied, ShipOptions { keep: keep(1), ..options() }).unwrap();
    let error = shipper.run_once(&()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    assert!(error.to_string().contains("is it mounted?") && error.to_string().contains("ship --forget"), "{error}");
    assert_eq!((here(&directory).len(), objects(&emptied).len()), (6, 0));
    assert!(shipper.forget().unwrap());
    drop(shipper);
    let shipper = open_with(&directory, &emptied, ShipOptions { keep: keep(1), ..options() }).unwrap();
    shipper.run_once(&()).unwrap();
    assert_eq!((here(&directory).len(), objects(&emptied).len()), (1, 5));
}

/// A segment cannot be read for a moment, whichever it is: the run fails, or ships it.
#[test]
fn a_run_that_succeeds_has_shipped_each_closed_segment_whatever_read_failed() {
    for only in [Operation::Open, Operation::Read, Operation::List, Operation::Stat, Operation::Len] {
        let mut reached = 0;
        for from in 0.. {
            let (files, directory) = memory();
            let writer = open_writer(&directory);
            let mut next_id = 1;
            (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 2));
            writer.append(1, &payload(next_id)).unwrap();
            writer.close().unwrap();
            let store = MemoryStore::new();
            let shipper = open(&directory, &store);
            files.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: Some(only) }));
            let ran = shipper.run_once(&());
            let has_failed = files.operations() > from;
            files.set_fault(None);
            if ran.is_ok() {
                assert_eq!(objects(&store).len(), 3, "{only:?} number {from}");
            }
            if !has_failed {
                break;
            }
            reached += 1;
        }
        assert!(reached > 0 || matches!(only, Operation::Stat | Operation::Len), "{only:?}");
    }
}
