//! An fdatasync fails: the system still shows what it has not written to the disk, and takes it for clean. The writer
//! has failed then; the next one finds everything, and what it calls durable has to be on the disk nevertheless.

use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use crate::common::interposed::Interposed;
use crate::common::*;
use crate::power::*;
use binlog::io::{Access, Directory, Fault, MemoryDirectory, Operation, PowerDirectory, Survival};
use binlog::{Kind, Lag, Location, Reader, ReaderMode, Writer, WriterOptions};

const SURVIVALS: [Survival; 5] =
    [Survival::Nothing, Survival::Lengths, Survival::AllButLastPage, Survival::Any(7), Survival::Everything];

fn options() -> WriterOptions {
    WriterOptions { block_bytes: 4096, segment_bytes: 30_000, index_bytes: 16_000, ..WriterOptions::default() }
}

fn each_record_synced() -> WriterOptions {
    WriterOptions { sync: Lag { records: Some(1), ..Lag::default() }, ..options() }
}

fn open(directory: &PowerDirectory, options: &WriterOptions) -> binlog::Result<Writer> {
    Writer::open(Arc::new(directory.clone()), options.clone())
}

fn next(ledger: &Ledger) -> Given {
    let seed = ledger.taken.len() as u64 + 1;
    Given::of(1, payload(if seed.is_multiple_of(5) { 9000 } else { 700 * (seed as usize % 4) }, seed))
}

/// Appends and syncs over several segments until something fails.
fn session(directory: &PowerDirectory, options: &WriterOptions, ledger: &mut Ledger) -> Option<()> {
    let writer = open(directory, options).ok()?;
    for round in 0..6 {
        for _ in 0..4 {
            ledger.append(&writer, vec![next(ledger)])?;
        }
        ledger.flushed(&writer, writer.flush())?;
        ledger.append(&writer, vec![next(ledger)])?;
        match round % 3 {
            2 => ledger.acknowledged(&writer, writer.roll())?,
            _ => ledger.acknowledged(&writer, writer.sync())?,
        }
    }
    ledger.closed(writer.close())
}

/// Runs a session for each of its fdatasyncs, which fails, and passes on the log as the next process finds it.
fn fail_each_sync(options: &WriterOptions, mut each: impl FnMut(&PowerDirectory, &Ledger, &str)) {
    let mut failed = 0;
    for n in 0.. {
        let directory = PowerDirectory::new();
        directory.fail_at(n);
        let mut ledger = Ledger::default();
        let whole = session(&directory, options, &mut ledger).is_some();
        match directory.done().get(n) {
            // Files beside the log are no part of what a sync promises.
            Some((Operation::Sync, name)) if name.ends_with(".lock") => assert!(whole),
            Some((Operation::Sync, name)) => {
                assert!(!whole);
                failed += 1;
                each(&directory.after_kill(), &ledger, &format!("fdatasync of {name}, operation {n}, has failed"));
            }
            Some(_) => (),
            None => break,
        }
    }
    assert!(failed > 8, "{failed} fdatasyncs");
}

/// What the writer calls durable has to be on the disk, whatever else is.
fn check_all(directory: &PowerDirectory, ledger: &Ledger, what: &str) {
    for survival in SURVIVALS {
        check(&directory.image(survival), ledger, &options(), &format!("{what}, power cut, {survival:?}"));
    }
}

#[test]
fn what_a_reopened_log_calls_durable_is_on_the_disk_although_an_fsync_of_it_has_failed() {
    fail_each_sync(&options(), |machine, ledger, what| {
        let writer = open(machine, &options()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let mut ledger = ledger.clone();
        ledger.continues_behind(writer.position().unwrap().appended);
        assert_eq!(writer.position().unwrap().durable, 0, "{what}: nothing is promised before the first sync");
        ledger.append(&writer, vec![next(&ledger)]).unwrap();
        ledger.acknowledged(&writer, writer.sync()).unwrap();
        ledger.note(&writer);
        assert_eq!(ledger.durable, ledger.taken.len() as u64);
        check_all(machine, &ledger, what);
    });
}

#[test]
fn so_it_is_when_the_first_sync_is_that_of_a_policy_a_roll_or_a_close() {
    type End = fn(Writer, &mut Ledger) -> Option<()>;
    let ends: [(&str, WriterOptions, End); 3] = [
        ("policy", each_record_synced(), |writer, ledger| {
            ledger.append(&writer, vec![next(ledger)])?;
            ledger.durable = ledger.taken.len() as u64;
            std::mem::forget(writer);
            Some(())
        }),
        ("roll", options(), |writer, ledger| {
            ledger.append(&writer, vec![next(ledger)])?;
            let rolled = ledger.acknowledged(&writer, writer.roll());
            std::mem::forget(writer);
            rolled
        }),
        ("close", options(), |writer, ledger| ledger.closed(writer.close())),
    ];
    for (name, options, end) in ends {
        fail_each_sync(&options, |machine, ledger, what| {
            let what = format!("{name}, {what}");
            let writer = open(machine, &options).unwrap_or_else(|e| panic!("{what}: {e:?}"));
            let mut ledger = ledger.clone();
            ledger.continues_behind(writer.position().unwrap().appended);
            end(writer, &mut ledger).unwrap_or_else(|| panic!("{what}: it fails"));
            check_all(&machine.after_kill(), &ledger, &what);
        });
    }
}

#[test]
fn so_it_is_when_the_power_goes_at_any_operation_of_the_next_writer_or_it_is_killed_there() {
    let (mut moments, mut given_up) = (0, 0);
    fail_each_sync(&options(), |machine, before, what| {
        // Everything that was written is there, and the machine continues with it.
        for moment in (0..).step_by(3) {
            let machine = &machine.fork();
            machine.cut_at(moment);
            let mut ledger = before.clone();
            if let Ok(writer) = open(machine, &options()) {
                ledger.continues_behind(writer.position().unwrap().appended);
                let done = ledger.append(&writer, vec![next(&ledger)]);
                let done = done.and_then(|()| ledger.acknowledged(&writer, writer.sync()));
                let done = done.and_then(|()| ledger.append(&writer, vec![next(&ledger)]));
                done.and_then(|()| ledger.acknowledged(&writer, writer.roll()));
            }
            let what = format!("{what}, and the next writer at operation {moment} {:?}", machine.refused());
            for survival in [Survival::Nothing, Survival::Any(moment as u64)] {
                check(&machine.image(survival), &ledger, &options(), &format!("{what}, power cut, {survival:?}"));
            }
            if machine.refused().is_none() {
                break;
            }
            moments += 1;
            // Killed there, and another one continues.
            let refused = machine.refused();
            let third = machine.after_kill();
            let shown =
                reader(&third, ReaderMode::Prefix).map_or(0, |reader| rows(&reader).last().copied().unwrap_or(0));
            let writer = open(&third, &options()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
            let last = writer.position().unwrap().appended;
            if last > shown {
                // Killed after it has dropped what the cache shows and before it has written that again, as described
                // in docs/durability.md: what was never durable may be lost then, and is a hole where something follows
                // it.
                assert!(matches!(refused, Some((Operation::Write, _))), "{what}: {shown} of {last} are shown");
                given_up += 1;
            }
            ledger.continues_behind_holes(shown, last);
            ledger.append(&writer, vec![next(&ledger)]).unwrap();
            ledger.acknowledged(&writer, writer.sync()).unwrap();
            let what = format!("{what}, killed");
            let image = third.image(Survival::Nothing);
            // A hole that was named stays in the log.
            let orderly = is_orderly(&image.fates) && last <= shown;
            Case { ledger: &ledger, orderly, before: vec![], what }.reopen(&image.directory, &options());
        }
    });
    assert!(moments > 100 && given_up * 20 < moments, "{moments} moments, {given_up} of them between the two");
}

#[test]
fn so_it_is_behind_a_torn_tail_that_was_cut() {
    fail_each_sync(&options(), |machine, ledger, what| {
        let names = machine.list().unwrap();
        let last = names.iter().filter(|name| name.ends_with(".binlog")).max().unwrap();
        let file = machine.open(last, Access::ReadWrite).unwrap();
        let end = file.len().unwrap();
        if end == 0 {
            return;
        }
        file.write_at(&[IoSlice::new(&[0xAA; 5000])], end).unwrap();
        drop(file);
        let writer = open(machine, &options()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let mut ledger = ledger.clone();
        ledger.continues_behind(writer.position().unwrap().appended);
        ledger.append(&writer, vec![next(&ledger)]).unwrap();
        ledger.acknowledged(&writer, writer.sync()).unwrap();
        check_all(machine, &ledger, what);
    });
}

#[test]
fn so_it_is_in_a_log_that_is_one_file() {
    let open = |machine: &PowerDirectory| {
        Writer::open(Location::File(Arc::new(machine.clone()), "log.binlog".to_owned()), options()).unwrap()
    };
    for n in 0.. {
        let machine = PowerDirectory::new();
        let writer = open(&machine);
        machine.fail_at(n);
        let mut ledger = Ledger::default();
        for round in 0..6 {
            for _ in 0..3 {
                let _ = ledger.append(&writer, vec![next(&ledger)]);
            }
            let _ = if round % 2 == 0 { ledger.acknowledged(&writer, writer.sync()) } else { Some(()) };
        }
        let failed = matches!(machine.done().get(n), Some((Operation::Sync, _)));
        drop(writer);
        if machine.done().len() <= n {
            break;
        }
        if !failed {
            continue;
        }
        let machine = machine.after_kill();
        let writer = open(&machine);
        ledger.continues_behind(writer.position().unwrap().appended);
        ledger.append(&writer, vec![next(&ledger)]).unwrap();
        ledger.acknowledged(&writer, writer.sync()).unwrap();
        for survival in SURVIVALS {
            let image = machine.image(survival).directory;
            let shown = rows(&reader(&image, ReaderMode::Prefix).unwrap()).len() as u64;
            assert!(shown >= ledger.durable, "operation {n}, {survival:?}: {shown} of {} records", ledger.durable);
        }
    }
}

fn rows(reader: &Reader) -> Vec<u64> {
    let mut cursor = reader.cursor(&binlog::Filter::default()).unwrap();
    std::iter::from_fn(|| cursor.next().ok().flatten().map(|record| record.id)).collect()
}

#[test]
fn an_index_that_is_built_anew_says_durable_of_nothing_that_is_not_on_the_disk() {
    fail_each_sync(&options(), |machine, ledger, what| {
        let built = binlog::recovery::rebuild_index(Arc::new(machine.clone()));
        if let Err(e) = &built {
            assert!(e.kind() == Kind::Corrupt || e.kind() == Kind::NotFound, "{what}: {e:?}");
            return;
        }
        // A writer relies on what the new blocks state.
        let writer = open(machine, &options()).unwrap();
        let mut ledger = ledger.clone();
        ledger.continues_behind(writer.position().unwrap().appended);
        ledger.append(&writer, vec![next(&ledger)]).unwrap();
        ledger.acknowledged(&writer, writer.sync()).unwrap();
        check_all(machine, &ledger, what);
    });
}

#[test]
fn the_first_sync_writes_the_tail_of_an_earlier_writer_anew_and_the_next_one_does_not() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options()).unwrap();
    (0..20).for_each(|id| assert!(writer.append(1, &payload(900, id)).is_ok()));
    writer.flush().unwrap();
    let name = "default.0000000001.binlog";
    let left = directory.contents(name).unwrap();
    std::mem::forget(writer);
    // The next process does not know the locks of the first one.
    let next = MemoryDirectory::new();
    next.set_contents(name, left.clone());
    let (mut interposed, writes) = (Interposed::around(Arc::new(next)), Arc::new(Mutex::new(vec![])));
    let seen = writes.clone();
    interposed.on_bytes = Some(Arc::new(move |file: &str, bytes: &mut [u8]| {
        if file == name {
            seen.lock().unwrap().push(bytes.to_vec());
        }
    }));
    let writer = Writer::open(Arc::new(interposed), options()).unwrap();
    let anew = || std::mem::take(&mut *writes.lock().unwrap()).iter().any(|bytes| bytes[..] == left[..]);
    writer.append(1, b"behind").unwrap();
    writer.flush().unwrap();
    assert!(!anew(), "opening and flushing are as quick as they were");
    writer.sync().unwrap();
    assert!(anew());
    writer.append(1, b"more").unwrap();
    writer.sync().unwrap();
    assert!(!anew());
}

#[test]
fn a_closed_segment_that_may_not_be_on_the_disk_and_is_read_only_fails_the_opening_unless_the_log_says_it_was_durable()
{
    let first = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(first.clone()), options()).unwrap();
    writer.append(1, b"one").unwrap();
    // Nothing is written after the roll that could record that the first segment is durable.
    writer.roll().unwrap();
    std::mem::forget(writer);
    let reader = Reader::open(Arc::new(first.clone()), binlog::ReaderOptions::default()).unwrap();
    let log_id: String = reader.segments()[0].log_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = |log_id: &str, next_id: u64| {
        let line = format!("left {log_id} 1 {next_id} 1 100 00000000000000ff 1 1");
        format!("{line} {:08x}\n", crc32fast::hash(line.as_bytes()))
    };
    let lefts = [(String::new(), true), (line(&log_id, 2), false), (line(&log_id, 1), true)];
    for (left, refused) in lefts {
        let mut messages = vec![];
        for n in 0.. {
            let directory = MemoryDirectory::new();
            for name in ["default.0000000001.binlog", "default.0000000002.binlog"] {
                directory.set_contents(name, first.contents(name).unwrap());
            }
            directory.set_contents("default.lock", format!("{:512}{left}", "1\n").into_bytes());
            let fault = Fault { from: n, times: 1, errno: 13, only: Some(Operation::Open) };
            directory.set_fault(Some(fault));
            let opened = Writer::open(Arc::new(directory.clone()), options());
            if directory.operations() <= n {
                assert!(opened.is_ok());
                break;
            }
            messages.extend(opened.err().map(|e| e.to_string()));
        }
        let is_reported = messages.iter().any(|message| message.contains("written anew"));
        assert_eq!(is_reported, refused, "{left:?}: {messages:?}");
    }
}

#[test]
fn bytes_that_the_system_has_dropped_before_they_were_written_anew_fail_the_sync() {
    let machine = PowerDirectory::new();
    let writer = open(&machine, &options()).unwrap();
    let mut ledger = Ledger::default();
    (0..20).for_each(|_| ledger.append(&writer, vec![next(&ledger)]).unwrap());
    ledger.flushed(&writer, writer.flush()).unwrap();
    let machine = machine.after_kill();
    let writer = open(&machine, &options()).unwrap();
    writer.append(1, b"behind").unwrap();
    // As if the page had been read again from a disk that never received it.
    let last = machine.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).max().unwrap();
    machine.open(&last, Access::ReadWrite).unwrap().write_at(&[IoSlice::new(&[0; 4096])], 4096).unwrap();
    let error = writer.sync().unwrap_err();
    assert_eq!(error.kind(), Kind::Failed, "{error:?}");
    assert_eq!(writer.position().unwrap().durable, 0);
    assert_eq!(writer.append(1, b"more").unwrap_err().kind(), Kind::Failed);
}
