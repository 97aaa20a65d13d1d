//! Compressing fails, is killed and loses power at each of its operations: at every moment each record is in a whole,
//! durable file that readers show once, and the next run finishes the work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::compression::{compress, decompress, pack, CompressOptions, Compressed, Whole};
use binlog::io::{Directory, Fault, MemoryDirectory, Operation, PowerDirectory, Survival};
use binlog::{Error, Kind, Location, ReaderOptions};
use binlog::{Filter, MetadataBuf, NewRecord, Reader, ReaderMode, Writer, WriterOptions};

const SURVIVALS: [Survival; 11] = [
    Survival::Nothing,
    Survival::Names,
    Survival::Lengths,
    Survival::AllButFirstPage,
    Survival::AllButMiddlePage,
    Survival::AllButLastPage,
    Survival::Everything,
    Survival::Until(1),
    Survival::Any(2),
    Survival::Any(3),
    Survival::Any(4),
];

type Call = fn(Arc<dyn Directory>, &CompressOptions) -> Result<Vec<Compressed>, Error>;

/// Three segments of several blocks each, and a fourth with little in it.
fn write(directory: Arc<dyn Directory>) {
    let options = WriterOptions { block_bytes: 4 << 10, ..WriterOptions::default() };
    let writer = Writer::open(directory, options).unwrap();
    for i in 0..90u64 {
        let metadata = MetadataBuf::from_iter((i % 3 == 0).then(|| ("key", i.to_string())));
        let payload = payload((i * 37 % 900) as usize, i);
        let record =
            NewRecord { type_id: 1, metadata: metadata.as_metadata(), payload: &payload, ..Default::default() };
        writer.append_record(&record).unwrap();
        if i % 30 == 29 {
            writer.roll().unwrap();
        }
    }
    writer.append(2, b"the last").unwrap();
    writer.close().unwrap();
}

fn rows(directory: Arc<dyn Directory>, context: &str) -> Vec<Row> {
    let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let reader = Reader::open(directory, options).unwrap_or_else(|e| panic!("{context}: {e}"));
    read(&reader, &Filter { events: true, ..Filter::default() }, Way::Next).whole()
}

/// Asserts what the log looks like once all is done: the files, and no leftovers.
fn assert_finished(directory: &dyn Directory, ending: &str, context: &str) {
    let mut names = directory.list().unwrap();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    let name = |n: u64| format!("default.{n:010}{}", if n < 4 { ending } else { ".binlog" });
    let expected: Vec<String> = (1..=4).map(name).collect();
    assert_eq!(names, expected, "{context}");
}

fn how() -> CompressOptions {
    CompressOptions { block_bytes: 8 << 10, ..CompressOptions::default() }
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

/// Each direction, the log before it, and what its files end with after it.
fn starts() -> [(Call, MemoryDirectory, &'static str); 4] {
    let plain = MemoryDirectory::new();
    write(Arc::new(plain.clone()));
    let compressed = copy(&plain);
    compress(Arc::new(compressed.clone()), &how()).unwrap();
    let packed = copy(&plain);
    to_zstd(Arc::new(packed.clone()), &how()).unwrap();
    [
        (|directory, how| compress(directory, how), plain.clone(), ".z.binlog"),
        (|directory, how| decompress(directory, how), compressed, ".binlog"),
        (to_zstd, plain, ".binlog.zst"),
        (|directory, how| decompress(directory, how), packed, ".binlog"),
    ]
}

fn to_zstd(directory: Arc<dyn Directory>, options: &CompressOptions) -> Result<Vec<Compressed>, Error> {
    pack(directory, Whole::Zstd, options)
}

#[test]
fn a_failure_of_every_operation_leaves_the_log_whole_and_the_next_run_finishes() {
    for (call, start, ending) in starts() {
        let expected = rows(Arc::new(start.clone()), "before");
        let mut failures = 0;
        for (times, errno) in [(1, libc::EIO), (usize::MAX, libc::EIO), (1, libc::ENOSPC)] {
            for from in 0.. {
                let directory = copy(&start);
                directory.set_fault(Some(Fault { from, times, errno, only: None }));
                let done = call(Arc::new(directory.clone()), &how());
                let seen = directory.operations();
                directory.set_fault(None);
                let context = format!("to {ending}, error {errno} at operation {from}, {times} times: {done:?}");
                assert_rows(&rows(Arc::new(directory.clone()), &context), &expected, &context);
                failures += usize::from(done.is_err());
                call(Arc::new(directory.clone()), &how()).unwrap_or_else(|e| panic!("{context}: again {e}"));
                assert_finished(&directory, ending, &context);
                assert_rows(&rows(Arc::new(directory.clone()), &context), &expected, &context);
                if seen <= from {
                    break;
                }
            }
        }
        assert!(failures > 150, "{failures}");
    }
}

#[test]
fn a_full_disk_leaves_the_source_and_nothing_else() {
    for (call, start, ending) in starts() {
        for from in 0..40 {
            let directory = copy(&start);
            let only = Some(Operation::Write);
            directory.set_fault(Some(Fault { from, times: usize::MAX, errno: libc::ENOSPC, only }));
            let done = call(Arc::new(directory.clone()), &how());
            let was_full = directory.operations() > from;
            directory.set_fault(None);
            if !was_full {
                assert!(done.is_ok() && from > 2);
                break;
            }
            assert_eq!(done.unwrap_err().kind(), Kind::NoSpace);
            let names = directory.list().unwrap();
            assert!(names.iter().all(|name| !name.ends_with(".part")), "{names:?}");
            assert_eq!(names.iter().filter(|name| name.starts_with("default.0")).count(), 4, "{names:?}");
            call(Arc::new(directory.clone()), &how()).unwrap();
            assert_finished(&directory, ending, "after a full disk");
        }
    }
}

#[test]
fn the_power_goes_at_every_operation_and_no_record_is_lost() {
    let written = PowerDirectory::new();
    write(Arc::new(written.clone()));
    let plain = written.image(Survival::Everything).directory;
    let compressing = plain.image(Survival::Everything).directory;
    compress(Arc::new(compressing.clone()), &how()).unwrap();
    let compressed = compressing.image(Survival::Everything).directory;
    let packing = plain.image(Survival::Everything).directory;
    to_zstd(Arc::new(packing.clone()), &how()).unwrap();
    let packed = packing.image(Survival::Everything).directory;
    let expected = rows(Arc::new(plain.clone()), "before");
    let directions: [(Call, _, _); 4] = [
        (|directory, how| compress(directory, how), &plain, ".z.binlog"),
        (|directory, how| decompress(directory, how), &compressed, ".binlog"),
        (to_zstd, &plain, ".binlog.zst"),
        (|directory, how| decompress(directory, how), &packed, ".binlog"),
    ];
    for (call, start, ending) in directions {
        for moment in 0.. {
            let machine = start.image(Survival::Everything).directory;
            machine.cut_at(moment);
            let done = call(Arc::new(machine.clone()), &how());
            let Some(refused) = machine.refused() else {
                assert!(done.is_ok() && moment > 20, "{moment}");
                break;
            };
            for survival in SURVIVALS {
                let survival = match survival {
                    Survival::Any(seed) => Survival::Any(seed * 1009 + moment as u64),
                    Survival::Until(seed) => Survival::Until(seed * 1009 + moment as u64),
                    other => other,
                };
                let image = machine.image(survival).directory;
                let context = format!("to {ending}, cut at {moment} {refused:?}, {survival:?}");
                assert_rows(&rows(Arc::new(image.clone()), &context), &expected, &context);
                call(Arc::new(image.clone()), &how()).unwrap_or_else(|e| panic!("{context}: again {e}"));
                assert_finished(&image, ending, &context);
                assert_rows(&rows(Arc::new(image.clone()), &context), &expected, &context);
            }
            // The same when the process is killed, and the system continues.
            let next = machine.after_kill();
            call(Arc::new(next.clone()), &how()).unwrap();
            assert_finished(&next, ending, "after a kill");
            assert_rows(&rows(Arc::new(next), "after a kill"), &expected, "after a kill");
        }
    }
}

#[test]
fn what_is_left_over_is_swept_unless_it_is_in_use_and_foreign_files_stay() {
    let (_, directory, _) = starts().into_iter().next().unwrap();
    let foreign =
        [".part", "x.part", ".default.0000000001.binlog.4711.part", ".default.0000000001.z.binlog", ".a.part"];
    let ours =
        [".default.0000000001.z.binlog.part", ".default.0000000002.binlog.part", ".other.0000000001.z.binlog.part"];
    for name in foreign.iter().chain(&ours) {
        directory.set_contents(name, vec![1; 10]);
    }
    let busy = directory.open(ours[1], binlog::io::Access::ReadWrite).unwrap();
    assert!(busy.try_lock().unwrap());
    assert_eq!(binlog::compression::sweep(Arc::new(directory.clone()), Some("default")).unwrap(), 1);
    assert_eq!(binlog::compression::sweep(Arc::new(directory.clone()), None).unwrap(), 1);
    let there = directory.list().unwrap();
    assert!(foreign.iter().all(|name| there.iter().any(|other| other == name)), "{there:?}");
    assert!(there.iter().any(|name| name == ours[1]) && !there.iter().any(|name| name == ours[0] || name == ours[2]));
    busy.unlock().unwrap();
    assert_eq!(binlog::compression::sweep(Arc::new(directory.clone()), None).unwrap(), 1);
    // A file that another process is writing is reported.
    let busy = directory.create(ours[0], 0o600).unwrap();
    assert!(busy.try_lock().unwrap());
    let error = binlog::compression::compress(
        Location::File(Arc::new(directory.clone()), "default.0000000001.binlog".to_owned()),
        &how(),
    )
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Locked, "{error}");
}

#[test]
fn a_bit_that_flips_on_its_way_to_the_file_is_noticed_before_the_source_goes() {
    let start = MemoryDirectory::new();
    write(Arc::new(start.clone()));
    let expected = rows(Arc::new(start.clone()), "before");
    for threads in [1, 2] {
        let how = CompressOptions { threads, ..how() };
        // In the first byte of each write, in the middle and in the last.
        for place in 0..3 {
            for wrong in 0.. {
                let directory = copy(&start);
                let writes = Arc::new(AtomicUsize::new(0));
                let mut interposed = Interposed::around(Arc::new(directory.clone()));
                let seen = writes.clone();
                interposed.on_bytes = Some(Arc::new(move |name: &str, bytes: &mut [u8]| {
                    if name.starts_with(".default.0000000002") && seen.fetch_add(1, Ordering::SeqCst) == wrong {
                        bytes[place * (bytes.len() - 1) / 2] ^= 16;
                    }
                }));
                let done = compress(Arc::new(interposed), &how);
                let context = format!("byte {place} of write {wrong}, {threads} threads: {done:?}");
                let is_flipped = writes.load(Ordering::SeqCst) > wrong;
                assert_eq!(done.is_err(), is_flipped, "{context}");
                assert_rows(&rows(Arc::new(directory.clone()), &context), &expected, &context);
                if !is_flipped {
                    // The header, blocks, and the index with the end.
                    assert!(wrong > 3, "{wrong}");
                    break;
                }
                let names = directory.list().unwrap();
                assert!(names.contains(&"default.0000000002.binlog".to_owned()), "{context}: {names:?}");
                assert!(!names.iter().any(|name| name.ends_with(".part")), "{context}: {names:?}");
            }
        }
    }
}

#[test]
fn a_compressed_form_that_is_there_already_is_made_durable_before_its_source_goes() {
    for (call, ending) in [((|directory, how| compress(directory, how)) as Call, ".z.binlog"), (to_zstd, ".binlog.zst")]
    {
        let plain = MemoryDirectory::new();
        write(Arc::new(plain.clone()));
        let expected = rows(Arc::new(plain.clone()), "before");
        let made = copy(&plain);
        call(Arc::new(made.clone()), &how()).unwrap();
        let machine = PowerDirectory::new();
        let put = |name: &str, bytes: &[u8], durable: bool| {
            let file = machine.create(name, 0o640).unwrap();
            binlog::io::write_full(&*file, &[bytes], 0).unwrap();
            if durable {
                file.sync_data().unwrap();
            }
        };
        for name in plain.list().unwrap() {
            put(&name, &plain.contents(&name).unwrap(), true);
        }
        // As another program puts them there, which does not wait for the disk.
        for name in made.list().unwrap().iter().filter(|name| name.ends_with(ending)) {
            put(name, &made.contents(name).unwrap(), false);
        }
        machine.sync().unwrap();
        call(Arc::new(machine.clone()), &how()).unwrap();
        assert_finished(&machine, ending, ending);
        for survival in SURVIVALS {
            let left = machine.image(survival).directory;
            assert_rows(&rows(Arc::new(left), ending), &expected, &format!("{ending}, {survival:?}"));
        }
    }
}
