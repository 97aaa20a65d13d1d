//! The system fails at any one operation, or from one on: what was acknowledged stays, what was refused is absent, ids
//! neither repeat nor skip, and once the failure is over writing continues.

use std::sync::Arc;

use crate::common::*;
use binlog::io::{Fault, MemoryDirectory, Operation};
use binlog::{
    event, Error, Filter, Kind, NewRecord, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions,
};

const FILE: &str = "default.0000000001.binlog";

fn options(background: bool) -> WriterOptions {
    WriterOptions { block_bytes: 4096, segment_bytes: 100_000, background, ..WriterOptions::default() }
}

fn open(directory: &MemoryDirectory, options: WriterOptions) -> binlog::Result<Writer> {
    Writer::open(Arc::new(directory.clone()), options)
}

fn fault(from: usize, times: usize, errno: i32, only: Option<Operation>) -> Option<Fault> {
    Some(Fault { from, times, errno, only })
}

/// What a program knows of the log that it writes.
#[derive(Default)]
struct Ledger {
    /// Payloads of the records that were taken; their ids are 1, 2, 3 …
    taken: Vec<Vec<u8>>,
    /// So many records, from the first, were flushed with success.
    acknowledged: usize,
    /// A call failed with [`Kind::Failed`].
    failed: bool,
    errors: Vec<Error>,
}

impl Ledger {
    fn note<T>(&mut self, result: binlog::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                assert!(!self.failed, "nothing succeeds after a failed fsync");
                Some(value)
            }
            Err(e) => {
                assert!(matches!(e.kind(), Kind::NoSpace | Kind::Io | Kind::Failed), "{e:?}");
                assert!(!self.failed || e.kind() == Kind::Failed, "the failure is sticky: {e:?}");
                self.failed |= e.kind() == Kind::Failed;
                self.errors.push(e);
                None
            }
        }
    }

    /// `result` is that of appending these payloads: the first id.
    fn appended(&mut self, payloads: &[Vec<u8>], result: binlog::Result<u64>) {
        // An error with a record's id means that the records were taken; for a batch the id is one of theirs.
        let taken = match &result {
            Ok(id) => {
                assert_eq!(*id, self.taken.len() as u64 + 1, "ids neither repeat nor skip");
                true
            }
            Err(e) => e.record_id().is_some(),
        };
        if taken {
            self.taken.extend_from_slice(payloads);
        }
        self.note(result);
    }

    /// `result` is that of a call that acknowledges everything taken before.
    fn flushed<T>(&mut self, result: binlog::Result<T>) {
        if self.note(result).is_some() {
            self.acknowledged = self.taken.len();
        }
    }

    /// The rows must be the acknowledged records, and possibly some that were taken later, exactly and in order.
    fn compare(&self, rows: &[Row], what: &str) {
        assert!(rows.len() >= self.acknowledged, "{what}: {} of {} acknowledged", rows.len(), self.acknowledged);
        assert!(rows.len() <= self.taken.len(), "{what}: {} rows of {} taken", rows.len(), self.taken.len());
        for ((row, payload), id) in rows.iter().zip(&self.taken).zip(1..) {
            assert!(row.id == id && row.payload == *payload, "{what}: {} is not record {id}", brief(row));
        }
    }
}

/// More records of 4,000 bytes than a writer has memory for, and few enough that the segment rolls on its own.
const MANY: usize = 280;
const SOME: usize = 70;

/// Appends small, large and batched records, flushes, syncs and rolls.
fn session(writer: &Writer, ledger: &mut Ledger, records: usize) {
    let mut seed = ledger.taken.len() as u64;
    let mut bytes = |len: usize| {
        seed += 1;
        // A repeated pattern is as good as other bytes, and quicker to make.
        let mut bytes = noise(64, seed).repeat(len.div_ceil(64));
        bytes.truncate(len);
        bytes
    };
    for len in [5, 0, 900] {
        let bytes = bytes(len);
        ledger.appended(std::slice::from_ref(&bytes), writer.append(1, &bytes));
    }
    ledger.flushed(writer.flush());
    let large = bytes(9000);
    ledger.appended(std::slice::from_ref(&large), writer.gather(2, &[&large[..100], &large[100..]]));
    let batch = [bytes(10), bytes(20), bytes(30)];
    let of_batch = || batch.iter().map(|payload| NewRecord { type_id: 3, payload, ..NewRecord::default() });
    ledger.appended(&batch, writer.append_batch(of_batch()));
    ledger.flushed(writer.sync());
    let named = ledger.note(writer.type_id("named", "")).unwrap_or(4);
    let small = bytes(50);
    ledger.appended(std::slice::from_ref(&small), writer.append(named, &small));
    ledger.flushed(writer.roll());
    for _ in 0..records {
        let bytes = bytes(4000);
        ledger.appended(std::slice::from_ref(&bytes), writer.append(5, &bytes));
    }
    ledger.flushed(writer.flush());
    let large = bytes(5000);
    ledger.appended(std::slice::from_ref(&large), writer.append(6, &large));
    ledger.flushed(writer.roll());
    let small = bytes(7);
    ledger.appended(std::slice::from_ref(&small), writer.append(1, &small));
    ledger.flushed(writer.sync());
}

/// Reads the log strictly after another writer has opened and closed it, and so has recovered a torn end.
fn reopened(directory: &MemoryDirectory, ledger: &Ledger, what: &str) {
    let before = Reader::open(Arc::new(directory.clone()), ReaderOptions::default());
    if let Ok(before) = before {
        ledger.compare(&read(&before, &Filter::default(), Way::Next).rows, &format!("{what}, before it is reopened"));
    }
    let writer = open(directory, options(false)).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let id = writer.append(9, b"after").unwrap();
    writer.sync().unwrap();
    writer.close().unwrap();
    let reader = Reader::open(
        Arc::new(directory.clone()),
        ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() },
    )
    .unwrap();
    let seen = read(&reader, &Filter::default(), Way::Batch(usize::MAX));
    assert!(seen.end.is_ok(), "{what}: {:?}", seen.end);
    let (last, rows) = seen.rows.split_last().unwrap();
    assert_eq!((last.id, &last.payload[..]), (id, &b"after"[..]), "{what}");
    ledger.compare(rows, what);
}

fn bytes_behind_the_last_block(directory: &MemoryDirectory) -> u64 {
    match Reader::open(Arc::new(directory.clone()), ReaderOptions::default()) {
        Ok(reader) => read(&reader, &Filter::default(), Way::Batch(usize::MAX)).tail().unread_bytes,
        Err(e) => match e.kind() {
            Kind::NotFound => 0,
            _ => panic!("{e:?}"),
        },
    }
}

/// One session per operation: it fails, `times` times, until there is none left to fail.
fn fail_every_operation(background: bool, times: usize, errno: i32, only: Option<Operation>, longest_write: usize) {
    let mut fired = 0;
    loop {
        let what = format!("operation {fired} ({only:?}) failing {times} times with {errno}, background {background}");
        let directory = MemoryDirectory::new();
        directory.set_longest_write(longest_write);
        directory.set_fault(fault(fired, times, errno, only));
        let mut ledger = Ledger::default();
        if let Some(writer) = ledger.note(open(&directory, options(background))) {
            session(&writer, &mut ledger, if only.is_some() { MANY } else { SOME });
            if times == 1 && !ledger.failed && ledger.errors.len() <= 1 {
                // The operation works again: nothing that was taken is lost.
                if writer.flush().is_err() {
                    writer.flush().unwrap_or_else(|e| panic!("{what}: {e:?}"));
                }
                ledger.acknowledged = ledger.taken.len();
            }
            if only == Some(Operation::Write) {
                assert_eq!(bytes_behind_the_last_block(&directory), 0, "{what}, before the close");
            }
            let closed = writer.close();
            if closed.is_ok() {
                ledger.acknowledged = ledger.taken.len();
            }
            ledger.note(closed);
        }
        let done = directory.operations() <= fired;
        directory.set_fault(None);
        if only == Some(Operation::Write) {
            assert_eq!(bytes_behind_the_last_block(&directory), 0, "{what}");
        }
        reopened(&directory, &ledger, &what);
        if done {
            assert!(ledger.errors.is_empty() && fired > 0, "{what}: {:?}", ledger.errors);
            return;
        }
        fired += 1;
    }
}

#[test]
fn one_failed_operation_loses_nothing_that_was_acknowledged() {
    fail_every_operation(false, 1, libc::ENOSPC, None, usize::MAX);
    fail_every_operation(false, 1, libc::EIO, None, usize::MAX);
}

#[test]
fn one_failed_operation_of_the_background_thread_loses_nothing_that_was_acknowledged() {
    fail_every_operation(true, 1, libc::ENOSPC, None, usize::MAX);
}

#[test]
fn a_failure_that_stays_loses_nothing_that_was_acknowledged() {
    fail_every_operation(false, usize::MAX, libc::ENOSPC, None, usize::MAX);
    fail_every_operation(true, usize::MAX, libc::EIO, None, usize::MAX);
}

#[test]
fn a_write_that_fails_half_way_leaves_a_whole_block_behind() {
    for times in [1, 2, usize::MAX] {
        fail_every_operation(false, times, libc::ENOSPC, Some(Operation::Write), 30_000);
    }
}

#[test]
fn a_segment_whose_beginning_was_half_written_is_no_obstacle() {
    for times in [1, 2, 3, usize::MAX] {
        for fired in 0..60 {
            let directory = MemoryDirectory::new();
            directory.set_longest_write(120);
            directory.set_fault(fault(fired, times, libc::ENOSPC, Some(Operation::Write)));
            let mut ledger = Ledger::default();
            if let Some(writer) = ledger.note(open(&directory, options(false))) {
                for i in 0..3 {
                    ledger.appended(&[vec![i; 9]], writer.append(1, &[i; 9]));
                    ledger.flushed(writer.roll());
                }
                let closed = writer.close();
                ledger.flushed(closed);
            }
            directory.set_fault(None);
            reopened(&directory, &ledger, &format!("write {fired} of 120 bytes failing {times} times"));
        }
    }
}

#[test]
fn two_failures_in_a_row_lose_nothing_that_was_acknowledged() {
    fail_every_operation(false, 2, libc::ENOSPC, None, usize::MAX);
}

#[test]
fn short_writes_change_nothing() {
    for longest in [1, 7, 4096, 100_000] {
        let directory = MemoryDirectory::new();
        directory.set_longest_write(longest);
        let writer = open(&directory, options(false)).unwrap();
        let mut ledger = Ledger::default();
        match longest {
            // A byte at a time is only for a few.
            1 | 7 => (1..50).for_each(|i| {
                let bytes = noise(100 * i, i as u64);
                ledger.appended(std::slice::from_ref(&bytes), writer.append(1, &bytes));
            }),
            _ => session(&writer, &mut ledger, MANY),
        }
        ledger.flushed(writer.close());
        assert_eq!(ledger.acknowledged, ledger.taken.len());
        reopened(&directory, &ledger, &format!("writes of at most {longest} bytes"));
    }
}

#[test]
fn after_a_full_disk_the_same_writer_continues_and_nothing_taken_is_lost() {
    for background in [false, true] {
        for longest_write in [usize::MAX, 10_000] {
            let directory = MemoryDirectory::new();
            directory.set_longest_write(longest_write);
            let writer = open(&directory, options(background)).unwrap();
            let mut ledger = Ledger::default();
            for round in 0..3 {
                session(&writer, &mut ledger, SOME);
                assert_eq!(ledger.errors.len(), 0, "round {round}: {:?}", ledger.errors);
                // The first write still succeeds, or a part of it.
                directory.set_fault(fault(1, usize::MAX, libc::ENOSPC, Some(Operation::Write)));
                let before = ledger.taken.len();
                // As many as memory takes: more on a slow machine, on which the write seems to hang.
                for i in 0..40_000 {
                    let bytes = noise(1000, i);
                    ledger.appended(std::slice::from_ref(&bytes), writer.append(7, &bytes));
                    if ledger.errors.len() > 900 {
                        break;
                    }
                }
                let errors = std::mem::take(&mut ledger.errors);
                assert!(errors.len() > 500 && ledger.taken.len() > before, "memory is bounded, and is used");
                assert!(errors.iter().all(|e| e.kind() == Kind::NoSpace && e.os_code() == Some(libc::ENOSPC)));
                assert!(errors.iter().all(|e| e.record_id().is_none() && e.path().is_some()));
                assert_eq!(writer.flush().unwrap_err().kind(), Kind::NoSpace);
                assert_eq!(writer.append(1, &[0; 9000]).unwrap_err().record_id(), None);
                assert_eq!(writer.roll().unwrap_err().kind(), Kind::NoSpace);
                // The file ends with a whole block meanwhile.
                let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
                let seen = read(&reader, &Filter::default(), Way::Batch(usize::MAX));
                assert_eq!((seen.tail().state, seen.tail().unread_bytes), (TailState::Live, 0));
                ledger.compare(&seen.rows, "while the disk is full");
                directory.set_fault(None);
                ledger.flushed(writer.flush());
                assert_eq!(ledger.acknowledged, ledger.taken.len());
            }
            ledger.flushed(writer.close());
            reopened(&directory, &ledger, "after three times without space");
        }
    }
}

#[test]
fn a_policy_that_cannot_flush_says_that_the_record_is_taken_nevertheless() {
    let directory = MemoryDirectory::new();
    let flush = binlog::Lag { records: Some(1), ..binlog::Lag::default() };
    let writer = open(&directory, WriterOptions { flush, ..options(false) }).unwrap();
    let mut ledger = Ledger::default();
    directory.set_fault(fault(0, usize::MAX, libc::ENOSPC, Some(Operation::Write)));
    let first = writer.append(1, b"first");
    assert_eq!(first.as_ref().unwrap_err().record_id(), Some(1));
    ledger.appended(&[b"first".to_vec()], first);
    directory.set_fault(None);
    ledger.appended(&[b"second".to_vec()], writer.append(1, b"second"));
    ledger.flushed(writer.flush());
    writer.close().unwrap();
    reopened(&directory, &ledger, "after the policy's failure");
}

#[test]
fn a_failed_fsync_is_remembered_and_never_tried_again() {
    for (background, at_roll) in [(false, false), (true, false), (false, true)] {
        let directory = MemoryDirectory::new();
        let writer = open(&directory, options(background)).unwrap();
        let mut ledger = Ledger::default();
        ledger.appended(&[b"durable".to_vec()], writer.append(1, b"durable"));
        ledger.flushed(writer.sync());
        ledger.appended(&[b"flushed".to_vec()], writer.append(1, b"flushed"));
        ledger.flushed(writer.flush());
        // Once only: a second fdatasync would lie and succeed.
        directory.set_fault(fault(0, 1, libc::EIO, Some(Operation::Sync)));
        let error = if at_roll { writer.roll() } else { writer.sync() }.unwrap_err();
        assert_eq!((error.kind(), error.os_code()), (Kind::Failed, Some(libc::EIO)), "{error}");
        assert_eq!(writer.position().unwrap().durable, 1);
        directory.set_fault(fault(usize::MAX, 0, libc::EIO, Some(Operation::Sync)));
        let calls: [(&str, &dyn Fn() -> binlog::Result<()>); 8] = [
            ("append", &|| writer.append(1, b"x").map(drop)),
            ("append of a large record", &|| writer.append(1, &[0; 9000]).map(drop)),
            ("batch", &|| writer.append_batch([NewRecord::default()]).map(drop)),
            ("flush", &|| writer.flush()),
            ("sync", &|| writer.sync()),
            ("roll", &|| writer.roll()),
            ("tick", &|| writer.tick()),
            ("named type", &|| writer.type_id("n", "").map(drop)),
        ];
        for (what, call) in calls {
            assert_eq!(call().unwrap_err().kind(), Kind::Failed, "{what}");
        }
        assert_eq!(writer.close().unwrap_err().kind(), Kind::Failed);
        assert_eq!(directory.operations(), 0, "no fdatasync after one has failed");
        directory.set_fault(None);
        reopened(&directory, &ledger, "after a failed fsync");
    }
}

#[test]
fn a_failed_fsync_of_the_directory_is_remembered_and_never_tried_again() {
    for (background, by_size) in [(false, false), (true, false), (false, true), (true, true)] {
        let directory = MemoryDirectory::new();
        let writer = open(&directory, options(background)).unwrap();
        let mut ledger = Ledger::default();
        ledger.appended(&[b"durable".to_vec()], writer.append(1, b"durable"));
        ledger.flushed(writer.sync());
        directory.set_fault(fault(0, 1, libc::EIO, Some(Operation::SyncDirectory)));
        let error = match by_size {
            false => writer.roll().unwrap_err(),
            true => loop {
                let bytes = noise(4000, ledger.taken.len() as u64);
                ledger.appended(std::slice::from_ref(&bytes), writer.append(1, &bytes));
                ledger.flushed(writer.flush());
                if let Some(error) = ledger.errors.pop() {
                    break error;
                }
            },
        };
        assert_eq!((error.kind(), error.os_code()), (Kind::Failed, Some(libc::EIO)), "{error}");
        assert_eq!(writer.append(1, b"x").unwrap_err().kind(), Kind::Failed);
        assert_eq!(writer.sync().unwrap_err().kind(), Kind::Failed);
        assert_eq!(writer.roll().unwrap_err().kind(), Kind::Failed);
        assert_eq!(writer.close().unwrap_err().kind(), Kind::Failed);
        assert_eq!(directory.operations(), 1, "no fsync of the directory after one has failed");
        directory.set_fault(None);
        reopened(&directory, &ledger, "after a failed fsync of the directory");
    }
    // Nothing is open yet when the first file's name cannot be made durable, so nothing stays failed.
    let directory = MemoryDirectory::new();
    directory.set_fault(fault(0, 1, libc::EIO, Some(Operation::SyncDirectory)));
    assert_eq!(open(&directory, options(false)).err().unwrap().kind(), Kind::Io);
    let writer = open(&directory, options(false)).unwrap();
    assert_eq!(directory.operations(), 2, "the new file's name is made durable");
    writer.append(1, b"x").unwrap();
    // A process that has no descriptor left has not failed to sync.
    directory.set_fault(fault(0, 1, libc::EMFILE, Some(Operation::SyncDirectory)));
    assert_eq!(writer.roll().unwrap_err().kind(), Kind::Io);
    writer.roll().unwrap();
    writer.close().unwrap();
}

#[test]
fn recovery_that_is_interrupted_anywhere_converges_and_keeps_the_cut_bytes() {
    let good = MemoryDirectory::new();
    let writer = open(&good, options(false)).unwrap();
    let mut ledger = Ledger::default();
    for i in 0..5 {
        let bytes = noise(300, i);
        ledger.appended(std::slice::from_ref(&bytes), writer.append(1, &bytes));
        ledger.flushed(writer.flush());
    }
    let mut torn = good.contents(FILE).unwrap();
    drop(writer);
    let end = torn.len();
    torn.extend(noise(5000, 77));
    for times in [1, usize::MAX] {
        let mut fired = 0;
        loop {
            let what = format!("operation {fired} of reopening failing {times} times");
            let directory = MemoryDirectory::new();
            directory.set_contents(FILE, torn.clone());
            directory.set_fault(fault(fired, times, libc::EIO, None));
            let first = open(&directory, options(false)).map(drop);
            let done = directory.operations() <= fired;
            directory.set_fault(None);
            reopened(&directory, &ledger, &what);
            assert_eq!(directory.contents(&format!("{FILE}.torn-{end}")).as_deref(), Some(&torn[end..]), "{what}");
            if done {
                first.unwrap();
                break;
            }
            fired += 1;
        }
    }
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, torn);
    open(&directory, options(false)).unwrap().close().unwrap();
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let filter = Filter { events: true, types: vec![event::RECOVERED], ..Filter::default() };
    assert_eq!(read(&reader, &filter, Way::Next).rows.len(), 1);
}

#[test]
fn a_reading_that_failed_may_be_tried_again_and_shows_every_record_once() {
    let directory = MemoryDirectory::new();
    let writer = open(&directory, options(false)).unwrap();
    let mut ledger = Ledger::default();
    session(&writer, &mut ledger, SOME);
    writer.close().unwrap();
    let open = || Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let expected = rows_of(&open());
    for way in [Way::Next, Way::Batch(usize::MAX), Way::Packed(0)] {
        let mut fired = 0;
        loop {
            let reader = open();
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            directory.set_fault(fault(fired, 1, libc::EIO, None));
            let first = drain(&mut cursor, way);
            let done = directory.operations() <= fired;
            directory.set_fault(None);
            let mut rows = first.rows;
            if let Err(e) = first.end {
                assert_eq!((e.kind(), e.os_code()), (Kind::Io, Some(libc::EIO)), "{e:?}");
                rows.extend(drain(&mut cursor, way).whole());
            }
            assert_rows(&rows, &expected, &format!("operation {fired} of reading fails, {way:?}"));
            if done {
                break;
            }
            fired += 1;
        }
    }
}

/// A segment that names its successor is right about it once the log is closed, wherever the roll between them failed.
#[test]
fn a_log_that_is_closed_after_a_roll_that_failed_continues_where_it_says() {
    let mut failed = 0;
    for from in 0..60 {
        for (times, errno) in [(1, libc::ENOSPC), (1, libc::EIO), (1000, libc::ENOSPC), (1000, libc::EIO)] {
            let directory = MemoryDirectory::new();
            let writer = open(&directory, options(false)).unwrap();
            for id in 1..=10u64 {
                assert_eq!(writer.append(1, &id.to_le_bytes().repeat(100)).unwrap(), id);
            }
            writer.flush().unwrap();
            directory.set_fault(fault(from, times, errno, None));
            let rolled = writer.roll();
            directory.set_fault(None);
            failed += usize::from(rolled.is_err());
            if writer.close().is_err() {
                continue;
            }
            let reader_options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
            let reader = Reader::open(Arc::new(directory.clone()), reader_options).unwrap();
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            let mut shown = 0;
            while let Some(record) = cursor.next().unwrap_or_else(|e| panic!("operation {from}: {e}")) {
                shown += 1;
                assert_eq!(record.id, shown, "operation {from}");
            }
            assert_eq!((shown, cursor.tail().state), (10, TailState::Closed), "operation {from}: {:?}", cursor.tail());
        }
    }
    assert!(failed > 4, "{failed}");
}
