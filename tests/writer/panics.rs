//! A panic of the library, or of what it calls, while it writes: every later call reports it, and none waits for ever.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Duration;

use crate::common::interposed::Interposed;
use binlog::io::MemoryDirectory;
use binlog::{Kind, Reader, ReaderOptions, Writer, WriterOptions};

/// A directory in memory in which writes or syncs can be made to panic.
struct Panicking {
    memory: MemoryDirectory,
    directory: Interposed,
    armed: Arc<AtomicBool>,
}

impl Panicking {
    fn new(at_write: bool) -> Self {
        let (memory, armed) = (MemoryDirectory::new(), Arc::new(AtomicBool::new(false)));
        let is_armed = armed.clone();
        let panic: Arc<dyn Fn(&str) + Send + Sync> =
            Arc::new(move |_| assert!(!is_armed.load(Ordering::Relaxed), "made to panic"));
        let mut directory = Interposed::around(Arc::new(memory.clone()));
        *(if at_write { &mut directory.on_write } else { &mut directory.on_sync }) = Some(panic);
        Panicking { memory, directory, armed }
    }
}

fn open(directory: &Panicking, background: bool) -> Writer {
    let options = WriterOptions { block_bytes: 4096, background, ..WriterOptions::default() };
    Writer::open(Arc::new(directory.directory.clone()), options).unwrap()
}

/// Runs something that must not wait for ever.
fn promptly(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a call waits for ever"),
        _ => thread.join().unwrap(),
    }
}

/// Appends until that fails, and returns how many records were taken.
fn until_failed(writer: &Writer) -> u64 {
    for n in 0..1_000_000 {
        match catch_unwind(AssertUnwindSafe(|| writer.append(1, &[7; 1000]))) {
            Ok(Ok(_)) => (),
            Ok(Err(error)) => {
                assert_eq!(error.kind(), Kind::Failed, "{error}");
                return n;
            }
            // The thread itself panics.
            Err(_) => (),
        }
    }
    panic!("it never fails")
}

#[test]
fn after_a_panic_of_the_write_stage_every_call_fails_and_none_waits() {
    for background in [false, true] {
        promptly(move || {
            let directory = Panicking::new(true);
            let writer = open(&directory, background);
            writer.append(1, b"before").unwrap();
            writer.flush().unwrap();
            directory.armed.store(true, Ordering::Relaxed);
            let threads = 3;
            std::thread::scope(|scope| {
                (0..threads).for_each(|_| drop(scope.spawn(|| until_failed(&writer))));
            });
            directory.armed.store(false, Ordering::Relaxed);
            for failed in
                [writer.flush(), writer.sync(), writer.roll(), writer.tick(), writer.append(1, b"x").map(drop)]
            {
                assert_eq!(failed.unwrap_err().kind(), Kind::Failed);
            }
            let error = writer.close().unwrap_err();
            assert!(
                error.to_string().contains("panicked") && error.to_string().contains("were not written"),
                "{error}"
            );
            let reader = Reader::open(Arc::new(directory.memory), ReaderOptions::default()).unwrap();
            let mut cursor = reader.cursor(&Default::default()).unwrap();
            let mut ids = vec![];
            while let Some(record) = cursor.next().unwrap() {
                ids.push(record.id);
            }
            assert!(!ids.is_empty() && ids.iter().copied().eq(1..=ids.len() as u64), "{ids:?}");
        });
    }
}

#[test]
fn after_a_panic_of_the_thread_that_syncs_for_all_another_one_syncs() {
    promptly(|| {
        let directory = Panicking::new(false);
        let writer = open(&directory, false);
        writer.append(1, b"1").unwrap();
        directory.armed.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| writer.sync())).is_err());
        directory.armed.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| writer.sync().unwrap())));
        });
        assert_eq!(writer.position().unwrap().durable, 1);
        writer.close().unwrap();
    });
}
