//! The protocol of an area, in which a program stages frames by itself: each interleaving of its steps with the writer's calls,
//! one after the other.

use std::ffi::{c_void, CString};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::*;
use binlog::ffi::*;
use binlog::{Filter, Reader, ReaderMode, ReaderOptions};

const FRAMES: usize = 8 << 10;

#[repr(C, align(64))]
struct Memory {
    head: binlog_area,
    frames: [u8; FRAMES],
}

/// A writer, and an appender with an area. Every field of the area is read and written as a program does.
struct Staged {
    writer: *mut binlog_writer,
    appender: *mut binlog_appender,
    memory: Box<Memory>,
}

fn volatile<T: Copy>(field: *const T) -> T {
    // SAFETY: fields of memory that exists. The tests have one thread.
    unsafe { ptr::read_volatile(field) }
}

impl Staged {
    fn new(log: &Path, change: impl FnOnce(&mut binlog_writer_options)) -> Self {
        let log = CString::new(log.to_str().unwrap()).unwrap();
        // SAFETY: plain structs; pointers that are valid during the calls.
        unsafe {
            let mut options = std::mem::zeroed::<binlog_writer_options>();
            assert_eq!(binlog_writer_options_init(&mut options, size_of::<binlog_writer_options>()), BINLOG_OK);
            change(&mut options);
            let mut memory = Box::new(std::mem::zeroed::<Memory>());
            let (mut writer, mut appender) = (ptr::null_mut(), ptr::null_mut());
            let none = ptr::null_mut();
            assert_eq!(binlog_writer_open(log.as_ptr(), &options, &mut writer, none), BINLOG_OK);
            let area = &raw mut memory.head;
            let opened = binlog_appender_open_area(writer, ptr::null(), area, size_of::<Memory>(), &mut appender, none);
            assert_eq!(opened, BINLOG_OK);
            Staged { writer, appender, memory }
        }
    }

    fn head(&self) -> binlog_area {
        volatile(&raw const self.memory.head)
    }

    /// Writes a frame without completing it; returns where it ends.
    fn write(&mut self, type_id: u32, time: i64, payload: &[u8]) -> u64 {
        let record = binlog_record {
            r#type: type_id,
            time_ns: time,
            flags: BINLOG_RECORD_TIME,
            data: payload.as_ptr().cast(),
            len: payload.len(),
            // SAFETY: a plain struct, whose zeros are its defaults.
            ..unsafe { std::mem::zeroed() }
        };
        let mut end = self.head().end as usize;
        // SAFETY: within the frames.
        let put = unsafe { binlog_packed_put((&raw mut self.memory.frames).cast(), FRAMES, &mut end, &record) };
        assert_eq!(put, BINLOG_OK);
        end as u64
    }

    fn complete(&mut self, end: u64) {
        // SAFETY: a field of memory that exists.
        unsafe { ptr::write_volatile(&raw mut self.memory.head.end, end) };
    }

    fn stage(&mut self, payload: &[u8]) {
        assert!(self.head().limit > 0, "the area is closed");
        let end = self.write(1, 7, payload);
        assert!(end <= self.head().limit);
        self.complete(end);
    }

    fn append(&mut self, payload: &[u8]) -> binlog_status {
        // SAFETY: open handles, valid bytes.
        unsafe { binlog_appender_append(self.appender, 1, payload.as_ptr().cast(), payload.len(), ptr::null_mut()) }
    }

    fn settle(&mut self) -> binlog_status {
        // SAFETY: an open handle.
        unsafe { binlog_appender_settle(self.appender, ptr::null_mut()) }
    }

    fn flush(&self) {
        // SAFETY: an open handle.
        assert_eq!(unsafe { binlog_writer_flush(self.writer, ptr::null_mut()) }, BINLOG_OK);
    }

    fn close_writer(&mut self) {
        // SAFETY: an open handle, which is not used again.
        unsafe { assert_eq!(binlog_writer_close(self.writer, ptr::null_mut()), BINLOG_OK) };
        self.writer = ptr::null_mut();
    }

    /// Closes what is open; the appender first.
    fn close(mut self) {
        // SAFETY: open handles, which are not used again.
        unsafe { assert_eq!(binlog_appender_close(self.appender, ptr::null_mut(), ptr::null_mut()), BINLOG_OK) };
        self.close_writer();
    }
}

fn texts_in(log: &Path, mode: ReaderMode) -> Vec<String> {
    let reader = Reader::open(log, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let rows = read(&reader, &Filter::default(), Way::Next).rows;
    rows.into_iter().map(|row| String::from_utf8(row.payload).unwrap()).collect()
}

/// What is in a closed log.
fn texts(log: &Path) -> Vec<String> {
    texts_in(log, ReaderMode::Strict)
}

/// What is in a log that is being written.
fn texts_live(log: &Path) -> Vec<String> {
    texts_in(log, ReaderMode::default())
}

/// The place of a log, which is removed at the end.
struct Scratch(PathBuf);

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scratch() -> Scratch {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let log = std::env::temp_dir().join(format!("binlog-area-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&log);
    Scratch(log)
}

#[test]
fn what_is_staged_keeps_its_order_with_what_is_appended_by_calls() {
    let log = scratch();
    let mut staged = Staged::new(&log, |_| ());
    assert_eq!(staged.head().limit, 0, "nobody has begun a buffer yet");
    assert_eq!(staged.append(b"1"), BINLOG_OK);
    staged.stage(b"2");
    staged.stage(b"3");
    assert_eq!(staged.append(b"4"), BINLOG_OK);
    staged.stage(b"5");
    staged.flush();
    assert_eq!((staged.head().limit, staged.head().taken), (0, staged.head().end));
    assert_eq!(texts_live(&log), ["1", "2", "3", "4", "5"]);
    assert_eq!(staged.append(b"6"), BINLOG_OK);
    assert_eq!(staged.head().end, 0, "the area begins anew");
    staged.stage(b"7");
    staged.close();
    assert_eq!(texts(&log), ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_frame_that_is_completed_while_the_writer_collects_is_taken_once() {
    for settles in [true, false] {
        let log = scratch();
        let mut staged = Staged::new(&log, |_| ());
        assert_eq!(staged.append(b"1"), BINLOG_OK);
        staged.stage(b"2");
        let limit = staged.head().limit;
        let end = staged.write(1, 7, b"3");
        assert!(end <= limit);
        staged.flush();
        staged.complete(end);
        assert_eq!(staged.head().limit, 0, "the program sees that it has to call");
        // Another call collects it as well, into the spare buffer.
        if settles {
            assert_eq!(staged.settle(), BINLOG_OK);
        }
        staged.flush();
        assert_eq!(texts_live(&log), ["1", "2", "3"]);
        staged.flush();
        assert_eq!(staged.settle(), BINLOG_OK);
        assert_eq!(staged.append(b"4"), BINLOG_OK);
        staged.close();
        assert_eq!(texts(&log), ["1", "2", "3", "4"]);
    }
}

#[test]
fn a_frame_that_is_completed_after_the_writer_has_closed_is_reported_and_not_there() {
    let log = scratch();
    let mut staged = Staged::new(&log, |_| ());
    assert_eq!(staged.append(b"1"), BINLOG_OK);
    staged.stage(b"2");
    let end = staged.write(1, 7, b"3");
    staged.close_writer();
    staged.complete(end);
    assert_eq!(staged.head().limit, 0);
    assert!(staged.head().taken < end);
    assert_eq!(staged.settle(), BINLOG_E_INVALID);
    assert_eq!(staged.settle(), BINLOG_OK, "it is said once");
    assert_eq!(staged.append(b"4"), BINLOG_E_INVALID);
    staged.close();
    assert_eq!(texts(&log), ["1", "2"]);
}

#[test]
fn the_area_shows_the_rules_of_the_log() {
    let log = scratch();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
    let mut staged = Staged::new(&log, |options| {
        options.flush_records = 10;
        options.flush_interval_ms = 50;
        options.record_max_bytes = 500;
    });
    assert_eq!(staged.append(b"1"), BINLOG_OK);
    let head = staged.head();
    assert!(head.limit > 0 && head.limit <= 9 * 40, "at most nine more records: {}", head.limit);
    assert!(head.until_ns <= now + 60_000_000_000 && head.until_ns > now, "the interval ends");
    assert!(head.until_ns <= now + 1_050_000_000);
    assert_eq!((head.payload_max, head.types_end), (500, 1 << 30));
    staged.close();

    let log = scratch();
    let mut staged = Staged::new(&log, |options| options.flush_records = 1);
    assert_eq!(staged.append(b"1"), BINLOG_OK);
    assert_eq!(staged.head().limit, 0, "each record is flushed");
    staged.close();
}

#[test]
fn frames_of_unknown_types_and_too_long_ones_are_refused_by_the_next_call_with_what_follows() {
    for (type_id, len, status) in
        [(1 << 30, 1, BINLOG_E_INVALID), (1 << 31, 1, BINLOG_E_INVALID), (1, 600, BINLOG_E_TOO_LARGE)]
    {
        let log = scratch();
        let mut staged = Staged::new(&log, |options| options.record_max_bytes = 500);
        assert_eq!(staged.append(b"1"), BINLOG_OK);
        staged.stage(b"2");
        let end = staged.write(type_id, 7, &vec![b'x'; len]);
        staged.complete(end);
        staged.stage(b"behind");
        staged.flush();
        assert_eq!(staged.append(b"3"), status, "{type_id:#x}");
        assert_eq!(staged.append(b"3"), BINLOG_OK, "{type_id:#x}");
        staged.close();
        assert_eq!(texts(&log), ["1", "2", "3"]);
    }
}

/// A frame that is complete when its appender is closed by a hook, where calls are refused.
struct Late {
    appender: *mut binlog_appender,
    end: *mut u64,
    new_end: u64,
    closed: Option<binlog_status>,
}

unsafe extern "C" fn completes_and_closes(
    userdata: *mut c_void,
    _segment: *const binlog_segment_file,
    _result: *mut binlog_hook_result,
) -> binlog_status {
    // SAFETY: the test gives this, and keeps it; there is one thread.
    let late = unsafe { &mut *userdata.cast::<Late>() };
    if late.closed.is_none() && !late.appender.is_null() {
        // SAFETY: the memory and the appender exist until here.
        unsafe {
            ptr::write_volatile(late.end, late.new_end);
            late.closed = Some(binlog_appender_close(late.appender, ptr::null_mut(), ptr::null_mut()));
        }
    }
    BINLOG_OK
}

#[test]
fn what_is_staged_is_taken_when_a_hook_closes_the_appender() {
    let log = scratch();
    let late =
        Box::into_raw(Box::new(Late { appender: ptr::null_mut(), end: ptr::null_mut(), new_end: 0, closed: None }));
    // SAFETY: a plain struct, whose zeros are its defaults.
    let mut hook = unsafe { std::mem::zeroed::<binlog_hook>() };
    hook.call = Some(completes_and_closes);
    (hook.kind, hook.userdata) = (BINLOG_HOOK_CALL, late.cast());
    let mut staged = Staged::new(&log, |options| {
        options.on_close = &hook;
        options.on_close_count = 1;
    });
    assert_eq!(staged.append(b"1"), BINLOG_OK);
    let end = staged.write(1, 7, b"2");
    // SAFETY: no hook runs now.
    unsafe {
        (*late).appender = staged.appender;
        (*late).end = &raw mut staged.memory.head.end;
        (*late).new_end = end;
        assert_eq!(binlog_writer_roll(staged.writer, ptr::null_mut()), BINLOG_OK);
    }
    staged.close_writer();
    // SAFETY: it was made by Box::into_raw, and the writer is closed.
    let late = unsafe { Box::from_raw(late) };
    assert_eq!(late.closed, Some(BINLOG_E_INVALID), "the hook has closed it, which says that nothing was flushed");
    assert_eq!(texts(&log), ["1", "2"]);
}
