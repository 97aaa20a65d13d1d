//! A writer that is closed by a function that it calls: refused in C, where its owner continues to use it, and without
//! a wait in Rust, where no owner is left to close it.

use std::ffi::{c_void, CStr, CString};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex, OnceLock};
use std::time::Duration;

use binlog::ffi::*;
use binlog::hooks::{Hooks, SegmentFile};
use binlog::rolling::RollOptions;
use binlog::{Filter, Kind, Reader, ReaderOptions, Writer, WriterOptions};

/// How long anything may take on a machine that is busy. What would hang takes for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Panics of this process, each of which would be printed.
fn panics() -> &'static AtomicUsize {
    static PANICS: OnceLock<&'static AtomicUsize> = OnceLock::new();
    PANICS.get_or_init(|| {
        let counter: &'static AtomicUsize = Box::leak(Box::default());
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            counter.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
        counter
    })
}

/// The userdata of the callbacks in C: the writer, and the results of closing it.
#[derive(Default)]
struct Closing {
    writer: AtomicPtr<binlog_writer>,
    results: Mutex<Vec<(binlog_status, String)>>,
    /// The errors that on_failure received.
    failures: Mutex<Vec<String>>,
}

impl Closing {
    /// Closes the writer, if there is one yet.
    unsafe fn close(userdata: *mut c_void) {
        // SAFETY: the tests give this as userdata, and keep it.
        let closing = unsafe { &*userdata.cast::<Closing>() };
        let writer = closing.writer.load(Ordering::Acquire);
        if writer.is_null() {
            return;
        }
        let mut error = std::ptr::null_mut();
        // SAFETY: the writer is open, and `error` is a place for a pointer.
        let (status, message) = unsafe {
            let status = binlog_writer_close(writer, &mut error);
            let message = CStr::from_ptr(binlog_error_message(error)).to_string_lossy().into_owned();
            binlog_error_free(error);
            (status, message)
        };
        closing.results.lock().unwrap().push((status, message));
    }
}

unsafe extern "C" fn closes_in_hook(
    userdata: *mut c_void,
    _segment: *const binlog_segment_file,
    _result: *mut binlog_hook_result,
) -> binlog_status {
    // SAFETY: see `Closing`.
    unsafe { Closing::close(userdata) };
    // A failure, so that on_failure is called, too.
    BINLOG_E_IO
}

unsafe extern "C" fn closes_in_check(userdata: *mut c_void, _state: *const binlog_segment_state) -> i32 {
    // SAFETY: see `Closing`.
    unsafe { Closing::close(userdata) };
    0
}

unsafe extern "C" fn closes_on_failure(userdata: *mut c_void, error: *const binlog_error) {
    // SAFETY: see `Closing`, and the library gives a valid error.
    unsafe {
        let message = CStr::from_ptr(binlog_error_message(error)).to_str().unwrap();
        (*userdata.cast::<Closing>()).failures.lock().unwrap().push(message.to_owned());
        Closing::close(userdata);
    }
}

fn write_and_close(directory: &std::path::Path, background: bool) -> Closing {
    let closing = Closing::default();
    let userdata: *mut c_void = (&raw const closing).cast_mut().cast();
    let path = CString::new(directory.to_str().unwrap()).unwrap();
    // SAFETY: everything that is given is valid, and outlives the writer.
    unsafe {
        let mut hook: binlog_hook = std::mem::zeroed();
        hook.kind = BINLOG_HOOK_CALL;
        hook.call = Some(closes_in_hook);
        hook.userdata = userdata;
        let mut roll: binlog_roll_options = std::mem::zeroed();
        binlog_roll_options_init(&mut roll, size_of::<binlog_roll_options>());
        roll.check = Some(closes_in_check);
        roll.check_userdata = userdata;
        let mut options: binlog_writer_options = std::mem::zeroed();
        binlog_writer_options_init(&mut options, size_of::<binlog_writer_options>());
        options.flags = if background { BINLOG_WRITER_BACKGROUND } else { 0 };
        (options.on_close, options.on_close_count, options.roll) = (&hook, 1, &roll);
        options.on_failure = Some(closes_on_failure);
        options.on_failure_userdata = userdata;
        let mut writer = std::ptr::null_mut();
        assert_eq!(binlog_writer_open(path.as_ptr(), &options, &mut writer, std::ptr::null_mut()), BINLOG_OK);
        closing.writer.store(writer, Ordering::Release);
        for payload in [b"a", b"b"] {
            let appended =
                binlog_writer_append(writer, 1, payload.as_ptr().cast(), 1, std::ptr::null_mut(), std::ptr::null_mut());
            assert_eq!(appended, BINLOG_OK);
            assert_eq!(binlog_writer_flush(writer, std::ptr::null_mut()), BINLOG_OK);
            assert_eq!(binlog_writer_roll(writer, std::ptr::null_mut()), BINLOG_OK);
            assert_eq!(binlog_writer_tick(writer, std::ptr::null_mut()), BINLOG_OK);
        }
        assert_eq!(binlog_writer_close(writer, std::ptr::null_mut()), BINLOG_OK);
    }
    closing
}

#[test]
fn a_function_that_the_writer_has_called_cannot_close_it() {
    let before = panics().load(Ordering::Relaxed);
    for background in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || done.send(write_and_close(&path, background).results.into_inner().unwrap()));
        let results = wait.recv_timeout(PATIENCE).expect("closing a writer in its hook hangs");
        // Hook and on_failure of each of three closings, and the check.
        assert!(results.len() >= 6, "{results:?}");
        for (status, message) in results {
            assert_eq!(status, BINLOG_E_INVALID, "{message}");
            assert!(message.contains("stays open"), "{message}");
        }
        let reader = Reader::open(directory.path(), ReaderOptions::default()).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        let mut ids = vec![];
        while let Some(record) = cursor.next().unwrap() {
            ids.push(record.id);
        }
        assert_eq!(ids, [1, 2], "background: {background}");
    }
    assert_eq!(panics().load(Ordering::Relaxed), before, "a panic was printed");
}

#[test]
fn a_hook_that_drops_the_last_handle_of_its_writer_does_not_wait() {
    let before = panics().load(Ordering::Relaxed);
    for explicitly in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let place: Arc<Mutex<Option<Writer>>> = Arc::default();
        let (done, wait) = mpsc::channel();
        let (done, owned) = (Mutex::new(done), place.clone());
        let hook = move |_: &SegmentFile| {
            let Some(writer) = owned.lock().unwrap().take() else { return Ok(None) };
            let closed = match explicitly {
                true => writer.close(),
                false => {
                    drop(writer);
                    Ok(())
                }
            };
            done.lock().unwrap().send(closed).unwrap();
            Ok(None)
        };
        let hooks = Hooks { on_close: vec![Arc::new(hook)], ..Hooks::default() };
        // A rule rolls: a thread of the library does what follows.
        let roll = RollOptions { records: Some(1), ..RollOptions::default() };
        let options = WriterOptions { background: true, hooks, roll, ..WriterOptions::default() };
        let writer = Writer::open(directory.path(), options).unwrap();
        // The hook waits for the writer to be in its place.
        let mut owner = place.lock().unwrap();
        writer.append(1, b"a").unwrap();
        writer.append(1, b"b").unwrap();
        *owner = Some(writer);
        drop(owner);
        wait.recv_timeout(PATIENCE).expect("a hook waits for its own thread").unwrap();
        // It is closed: the lock is free, and nothing is lost.
        let writer = Writer::open(directory.path(), WriterOptions::default()).unwrap();
        assert_eq!(writer.append(1, b"c").unwrap(), 3);
        writer.close().unwrap();
    }
    assert_eq!(panics().load(Ordering::Relaxed), before, "a panic was printed");
}

#[test]
fn what_failed_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    for message in write_and_close(directory.path(), false).failures.into_inner().unwrap() {
        assert_eq!(message.matches("a hook failed").count(), 1, "{message}");
    }
    let failures = Arc::new(Mutex::new(vec![]));
    let listener = failures.clone();
    let directory = tempfile::tempdir().unwrap();
    let hooks = Hooks {
        on_close: vec![binlog::hooks::move_to(directory.path().join("nowhere"))],
        on_failure: Some(Arc::new(move |error| listener.lock().unwrap().push((error.kind(), error.to_string())))),
        ..Hooks::default()
    };
    let log = directory.path().join("log");
    let writer = Writer::open(&log, WriterOptions { hooks, ..WriterOptions::default() }).unwrap();
    writer.append(1, b"a").unwrap();
    writer.close().unwrap();
    let failures = failures.lock().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].0, failures[0].1.matches("a hook failed").count()),
        (Kind::NotFound, 1),
        "{}",
        failures[0].1
    );
}
