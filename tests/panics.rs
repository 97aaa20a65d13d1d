//! A panic of the library, or of what it calls, while it writes: every call says so afterwards, and none waits for ever.

use std::io::{IoSlice, Result};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Duration;

use binlog::io::{Access, Directory, File, MemoryDirectory, Operation};
use binlog::{Kind, Reader, ReaderOptions, Writer, WriterOptions};

/// A directory in memory, one of whose operations can be made to panic.
#[derive(Clone)]
struct Panicking {
    memory: MemoryDirectory,
    operation: Operation,
    armed: Arc<AtomicBool>,
}

impl Panicking {
    fn new(operation: Operation) -> Self {
        Panicking { memory: MemoryDirectory::new(), operation, armed: Arc::default() }
    }

    fn pass(&self, operation: Operation) {
        assert!(operation != self.operation || !self.armed.load(Ordering::Relaxed), "made to panic");
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(Handle { file, directory: self.clone() })
    }
}

impl Directory for Panicking {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.memory.open(name, access)?))
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.memory.create(name, mode)?))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.memory.open_or_create(name, mode)?))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.memory.list()
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.memory.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.memory.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.memory.link(from, to)
    }

    fn sync(&self) -> Result<()> {
        self.memory.sync()
    }
}

struct Handle {
    file: Arc<dyn File>,
    directory: Panicking,
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        self.directory.pass(Operation::Write);
        self.file.write_at(parts, offset)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.file.allocate(offset, len)
    }

    fn sync_data(&self) -> Result<()> {
        self.directory.pass(Operation::Sync);
        self.file.sync_data()
    }

    fn try_lock(&self) -> Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.file.unlock()
    }

    fn is_locked(&self) -> Result<bool> {
        self.file.is_locked()
    }
}

fn open(directory: &Panicking, background: bool) -> Writer {
    let options = WriterOptions { block_bytes: 4096, background, ..WriterOptions::default() };
    Writer::open_in(Arc::new(directory.clone()), options).unwrap()
}

/// Does something that must not wait for ever.
fn promptly(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("somebody waits for ever"),
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
            // Its own thread learns of it by the panic.
            Err(_) => (),
        }
    }
    panic!("it never fails")
}

#[test]
fn after_a_panic_of_the_write_stage_every_call_fails_and_none_waits() {
    for background in [false, true] {
        promptly(move || {
            let directory = Panicking::new(Operation::Write);
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
            let reader = Reader::open_in(Arc::new(directory.memory), ReaderOptions::default()).unwrap();
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
        let directory = Panicking::new(Operation::Sync);
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
