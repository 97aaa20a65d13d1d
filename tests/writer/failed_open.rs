//! An open that fails leaves nothing behind in the process: no thread, no lock, nothing that the caller lent.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use binlog::hooks::{Hooks, SegmentFile};
use binlog::{Kind, Writer, WriterOptions};

type Body = extern "C" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, Body, *mut c_void) -> libc::c_int;

thread_local! {
    /// How many threads this thread can still start; `usize::MAX` = any number.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Replaces the function of the C library in this program.
///
/// # Safety
/// As for pthread_create(3).
#[no_mangle]
pub unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    body: Body,
    argument: *mut c_void,
) -> libc::c_int {
    let left = LEFT.get();
    if left == 0 {
        return libc::EAGAIN;
    }
    if left != usize::MAX {
        LEFT.set(left - 1);
    }
    // SAFETY: the name is a C string; the symbol has this type.
    let real: Create = unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr())) };
    // SAFETY: the caller's promises.
    unsafe { real(thread, attributes, body, argument) }
}

/// One test at a time: threads belong to the process.
static ALONE: Mutex<()> = Mutex::new(());

/// Names of the library's threads in this process, once those that have ended have disappeared.
fn threads_that_stay() -> Vec<String> {
    let began = Instant::now();
    loop {
        let threads = threads();
        // The system lists a thread for a moment after it was joined.
        if threads.is_empty() || began.elapsed() > Duration::from_secs(10) {
            return threads;
        }
        std::thread::yield_now();
    }
}

fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("binlog-")).collect()
}

struct Lent(Arc<AtomicUsize>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The calls of the hooks, and how many of the hooks were given back.
#[derive(Default)]
struct Heard {
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    given_back: Arc<AtomicUsize>,
}

impl Heard {
    fn hooks(&self) -> Hooks {
        let count = |calls: &Arc<AtomicUsize>| -> binlog::hooks::Hook {
            let (lent, calls) = (Lent(self.given_back.clone()), calls.clone());
            Arc::new(move |_: &SegmentFile| {
                let _ = &lent;
                calls.fetch_add(1, Ordering::SeqCst);
                Ok(None)
            })
        };
        let lent = Lent(self.given_back.clone());
        let on_failure: binlog::hooks::OnFailure = Arc::new(move |_| {
            let _ = &lent;
        });
        Hooks { on_open: vec![count(&self.opened)], on_close: vec![count(&self.closed)], on_failure: Some(on_failure) }
    }
}

fn open(log: &Path, is_file: bool, options: WriterOptions) -> binlog::Result<Writer> {
    match is_file {
        true => Writer::open_file(log, options),
        false => Writer::open(log, options),
    }
}

#[test]
fn an_open_that_gets_no_thread_leaves_no_thread_and_no_lock_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    for (name, is_file, most) in [("directory", false, 2), ("file.binlog", true, 1)] {
        let log = scratch.path().join(name);
        for started in 0..most {
            let heard = Heard::default();
            let options = WriterOptions { background: true, hooks: heard.hooks(), ..WriterOptions::default() };
            LEFT.set(started);
            let failed = open(&log, is_file, options);
            LEFT.set(usize::MAX);
            let error = failed.err().expect("there was a thread too few");
            assert_eq!((error.kind(), error.os_code()), (Kind::Io, Some(libc::EAGAIN)), "{name} {started}: {error}");
            assert_eq!(threads_that_stay(), [""; 0], "{name} {started}");
            assert_eq!(heard.given_back.load(Ordering::SeqCst), 3, "{name} {started}: all that was lent came back");
            assert_eq!(heard.closed.load(Ordering::SeqCst), 0, "nothing was closed");
            // In this process, at once, and the old records are there.
            let writer = open(&log, is_file, WriterOptions::default()).unwrap();
            writer.append(1, b"x").unwrap();
            assert_eq!(writer.position().unwrap().appended, started as u64 + 1);
            writer.close().unwrap();
        }
    }
}

#[test]
fn a_segment_that_a_failed_open_closed_is_seen_by_its_hooks() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("log");
    let writer = Writer::open(&log, WriterOptions::default()).unwrap();
    writer.append(1, b"x").unwrap();
    // Left as a kill leaves it, so that the next opening closes it.
    let kept = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "binlog"))
        .unwrap();
    writer.flush().unwrap();
    let lock = log.join("default.lock");
    let (bytes, noted) = (std::fs::read(&kept).unwrap(), std::fs::read(&lock).unwrap());
    writer.close().unwrap();
    std::fs::write(&kept, bytes).unwrap();
    std::fs::write(&lock, noted).unwrap();
    for started in 0..2 {
        let heard = Heard::default();
        let roll =
            binlog::rolling::RollOptions { template: format!("{{name}}-{started}.{{seq}}"), ..Default::default() };
        let options = WriterOptions { background: true, hooks: heard.hooks(), roll, ..WriterOptions::default() };
        LEFT.set(started);
        assert!(Writer::open(&log, options).is_err());
        LEFT.set(usize::MAX);
        assert_eq!(threads_that_stay(), [""; 0]);
        assert_eq!(heard.closed.load(Ordering::SeqCst), 1, "{started}");
    }
}
