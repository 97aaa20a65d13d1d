//! The cursor's handle.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_int, c_void, CString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::described::TypeStrings;
use super::error::{binlog_error, c_string};
use super::filter::{binlog_filter, filter_of};
use super::guard::*;
use super::reader::binlog_reader;
use super::types::*;
use crate::error::{Error, Kind};
use crate::{Cursor, Interrupter, Record, TailState};

/// One turn of a wait without an end.
const A_LONG_TIME: Duration = Duration::from_secs(3600);

/// Records of a log, one after the other. Belongs to one thread at a time, except for binlog_cursor_interrupt.
pub struct binlog_cursor {
    /// Read by any thread while another one uses the rest.
    interrupter: Interrupter,
    pub(super) cursor: Cursor,
    tail: TailStrings,
    pub(super) described: TypeStrings,
}

/// The strings of binlog_tail, which live until the cursor's next call.
#[derive(Default)]
struct TailStrings {
    path: CString,
    reason: CString,
}

/// Where a cursor came to an end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_tail {
    /// BINLOG_TAIL_*.
    pub state: u32,
    pub reserved32: u32,
    /// The id that the next record would have: use it as binlog_filter.from_id to continue reading later. At most the id
    /// after binlog_filter.to_id. With to_time_ns, records of a later time before this id have been passed: to read on
    /// from that time, do not set from_id.
    pub next_id: u64,
    /// Where reading stopped in the file that was read last, and how many bytes follow there.
    pub offset: u64,
    pub unread_bytes: u64,
    /// That file, and what was wrong with the unread bytes; "" if nothing. They live until the cursor's next call.
    pub path: *const c_char,
    pub reason: *const c_char,
    pub reserved: [u64; 2],
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_tail>() == 64);
};

/// Opens a cursor before the first record that matches the filter (NULL = all). It keeps what it needs of the reader,
/// which may be closed before it; `filter` is not needed after the call. Close it with binlog_cursor_close. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID, also for the newest first of a reader that salvages; BINLOG_E_UNSUPPORTED for
/// the last records of several logs, and for the newest first of a file that is compressed as a whole (of several, when
/// the cursor reaches it); BINLOG_E_IO.
///
/// # Safety
/// `reader` is NULL or open, `filter` NULL or valid with what it points to, `out` a place for a pointer, `err` NULL or
/// one.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_open(
    reader: *mut binlog_reader,
    filter: *const binlog_filter,
    out: *mut *mut binlog_cursor,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let out = by_mut(out, "out")?;
            let cursor = handle(reader, "reader")?.reader.cursor(&filter_of(filter)?)?;
            let interrupter = cursor.interrupter();
            Ok(give(
                out,
                binlog_cursor { interrupter, cursor, tail: TailStrings::default(), described: TypeStrings::default() },
            ))
        })
    }
}

/// The next record. Its data lives until the cursor's next call. One thread at a time.
///
/// Returns BINLOG_OK; BINLOG_END when there are no more (the same call continues when more has been appended meanwhile,
/// and binlog_cursor_tail reports why it ended); BINLOG_E_MISSED when the next records were removed with old segments:
/// once, binlog_error_missed returns which, and the next call continues behind them; BINLOG_E_CORRUPT at damage, after
/// everything before it has been shown, including the whole records of a damaged block, and again in every later call
/// (for a strict reader also at a torn tail and at an end without a close, which the state of binlog_cursor_tail
/// distinguishes from damage); BINLOG_E_IO when reading fails, BINLOG_E_NO_MEMORY when there is none for the block:
/// both may be tried again; BINLOG_E_TOO_LARGE when the block takes more than binlog_reader_options.block_max_bytes.
///
/// # Safety
/// `cursor` is NULL or open and used by this thread alone, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_next(
    cursor: *mut binlog_cursor,
    out: *mut binlog_record,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, out) = (handle_mut(cursor, "cursor")?, by_mut(out, "out")?);
            let headers_only = cursor.cursor.headers_only();
            Ok(match cursor.cursor.next()? {
                Some(record) => {
                    *out = shown(&record, headers_only);
                    BINLOG_OK
                }
                None => BINLOG_END,
            })
        })
    }
}

/// Waits until the next call has a record to show, or something to report, such as BINLOG_E_MISSED, but for at most
/// `timeout_ns` nanoseconds; BINLOG_FOREVER waits without a limit, 0 and less only look. It waits through rolls, and
/// while a writer ends and another begins. A cursor that shows the newest first sees nothing new. One thread at a time.
///
/// If the files of the log were removed and others are in their place, such as a copy, or a new log of the same name,
/// it returns BINLOG_E_MISMATCH: open a new reader then. While the directory does not exist it returns
/// BINLOG_E_NOT_FOUND, and the same call continues when the directory is back.
///
/// Returns BINLOG_OK when there is something to show or to report; BINLOG_TIMEOUT when the time was up;
/// BINLOG_E_INTERRUPTED after binlog_cursor_interrupt, or when a signal handler has run in this thread while it waited
/// (with SA_RESTART too); BINLOG_E_MISMATCH and BINLOG_E_NOT_FOUND as above; BINLOG_E_CORRUPT, BINLOG_E_IO,
/// BINLOG_E_NO_MEMORY or BINLOG_E_TOO_LARGE as binlog_cursor_next.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_wait(
    cursor: *mut binlog_cursor,
    timeout_ns: i64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let cursor = handle_mut(cursor, "cursor")?;
            let more = match timeout_ns {
                // In turns, to avoid adding a very long time to a clock.
                BINLOG_FOREVER => loop {
                    if cursor.cursor.wait(A_LONG_TIME)? {
                        break true;
                    }
                },
                ns => cursor.cursor.wait(Duration::from_nanos(u64::try_from(ns).unwrap_or(0)))?,
            };
            Ok(if more { BINLOG_OK } else { BINLOG_TIMEOUT })
        })
    }
}

/// Ends the binlog_cursor_wait in progress, or else the next one: it returns BINLOG_E_INTERRUPTED, and the wait after
/// it waits again. Several calls before that count as one. Other functions of the cursor are not affected. May be
/// called by any thread, also while another one uses the cursor, and by a signal handler: it never waits, and keeps
/// errno. The cursor must not be closed meanwhile.
///
/// # Safety
/// `cursor` is NULL or open.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_interrupt(cursor: *mut binlog_cursor) {
    if !cursor.is_null() {
        // SAFETY: the handle is open, and this field of it, which has no data race, is never written to.
        let interrupter = unsafe { &(*cursor).interrupter };
        interrupter.interrupt();
    }
}

/// A descriptor for poll(2), epoll(7), and loops that are built on these. It is readable when there may be something to
/// show or to report, or when the cursor was interrupted. Then, and whenever `*look_after_ns` nanoseconds have passed
/// without that, call binlog_cursor_wait with a time-out of 0: it looks, and makes the descriptor unreadable. It may
/// become readable without a reason. The descriptor belongs to the cursor, is the same in each call, and is closed by
/// binlog_cursor_close; the caller must not read it, write to it or close it. `look_after_ns` may be NULL. One thread
/// at a time.
///
/// `look_after_ns` may change with each look. A caller that asks only once misses nothing: the descriptor becomes
/// readable then, too. All cursors of a process share a few inotify instances; a polled cursor takes two descriptors, a
/// third one where the system does not report every change, and no thread.
///
/// Returns BINLOG_OK, BINLOG_E_INVALID, BINLOG_E_IO at a limit of descriptors, BINLOG_E_UNSUPPORTED on another system than
/// Linux.
///
/// # Safety
/// As for binlog_cursor_next; `descriptor` is writable, `look_after_ns` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_descriptor(
    cursor: *mut binlog_cursor,
    descriptor: *mut c_int,
    look_after_ns: *mut i64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, descriptor) = (handle_mut(cursor, "cursor")?, by_mut(descriptor, "descriptor")?);
            let (made, look_after) = cursor.cursor.descriptor()?;
            *descriptor = made.as_raw_fd();
            if let Some(look_after_ns) = look_after_ns.as_mut() {
                *look_after_ns = i64::try_from(look_after.as_nanos()).unwrap_or(i64::MAX);
            }
            Ok(BINLOG_OK)
        })
    }
}

/// The record with this id, wherever the cursor is; its data lives until the cursor's next call. Reading continues
/// after it, even if there is no such record. Reads the headers of its block and the pages that contain it. One thread
/// at a time.
///
/// Returns BINLOG_OK; BINLOG_E_NOT_FOUND when the log has no such record or it does not match the filter;
/// BINLOG_E_MISSED when it was removed with old segments; BINLOG_E_UNSUPPORTED for a cursor that shows the newest first
/// or salvages; BINLOG_E_CORRUPT, BINLOG_E_IO as binlog_cursor_next.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_get(
    cursor: *mut binlog_cursor,
    id: u64,
    out: *mut binlog_record,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, out) = (handle_mut(cursor, "cursor")?, by_mut(out, "out")?);
            let headers_only = cursor.cursor.headers_only();
            let Some(record) = cursor.cursor.get(id)? else {
                return Err(Error::new(Kind::NotFound, format!("there is no record {id}")));
            };
            *out = shown(&record, headers_only);
            Ok(BINLOG_OK)
        })
    }
}

/// Goes to the record with this id, or to the first one after it that matches the filter: that record is shown next.
/// One thread at a time. Returns BINLOG_OK, BINLOG_E_UNSUPPORTED for a cursor that shows the newest first or salvages,
/// BINLOG_E_IO, BINLOG_E_INVALID; damage is found by the next call that reads, and when records from this id on were
/// removed with old segments, that call returns BINLOG_E_MISSED, once.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_seek(
    cursor: *mut binlog_cursor,
    id: u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle_mut(cursor, "cursor")?.cursor.seek(id).map(|()| BINLOG_OK)) }
}

/// Goes to the first record, in the order of writing, of this time or later (nanoseconds since the Unix epoch); records
/// of an earlier time are not shown from there on. One thread at a time.
///
/// Returns BINLOG_OK; BINLOG_E_UNSUPPORTED for a cursor that shows the newest first or salvages; BINLOG_E_IO. Damage is
/// found by the next call that reads. That call returns BINLOG_E_MISSED, once, when records of this time or later may
/// have been removed with old segments: binlog_error_missed returns the range of ids that contains them.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_seek_time(
    cursor: *mut binlog_cursor,
    time_ns: i64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle_mut(cursor, "cursor")?.cursor.seek_time(time_ns).map(|()| BINLOG_OK)) }
}

/// Goes behind the newest record, even one that does not match the filter: records that are appended later are shown
/// next. A program can use this to follow a log from now on. One thread at a time.
///
/// Returns BINLOG_OK; BINLOG_E_UNSUPPORTED for a cursor that shows the newest first or salvages; BINLOG_E_CORRUPT when the
/// end of the log is damaged; BINLOG_E_IO.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_seek_end(
    cursor: *mut binlog_cursor,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle_mut(cursor, "cursor")?.cursor.seek_end().map(|()| BINLOG_OK)) }
}

/// Up to `cap` records of one block at once; `n_out` gets their number, at least 1 with BINLOG_OK and 0 with
/// BINLOG_END. Their data lives until the cursor's next call. One thread at a time.
///
/// Returns, as binlog_cursor_next does: BINLOG_OK; BINLOG_END when there are no more; BINLOG_E_MISSED, once, when the
/// next records were removed with old segments; BINLOG_E_CORRUPT at damage; BINLOG_E_IO or BINLOG_E_NO_MEMORY, after
/// which the same call may be tried again; BINLOG_E_TOO_LARGE when the block takes more than
/// binlog_reader_options.block_max_bytes.
///
/// # Safety
/// As for binlog_cursor_next; `out` has room for `cap` records, `n_out` is writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_next_batch(
    cursor: *mut binlog_cursor,
    out: *mut binlog_record,
    cap: usize,
    n_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, n_out) = (handle_mut(cursor, "cursor")?, by_mut(n_out, "n_out")?);
            if cap == 0 || out.is_null() {
                return Err(Error::invalid("out is NULL or has room for no record"));
            }
            let headers_only = cursor.cursor.headers_only();
            let mut next = out;
            let n = cursor.cursor.next_batch(cap, |record| {
                // At most `cap` times, so within what the caller promised.
                next.write(shown(record, headers_only));
                next = next.add(1);
            })?;
            *n_out = n;
            Ok(if n == 0 { BINLOG_END } else { BINLOG_OK })
        })
    }
}

/// Copies as many records of one block as fit into the `cap` bytes at `buf`, as packed frames (see binlog_packed_next):
/// `len_out` gets the bytes, `n_out` the records. One thread at a time.
///
/// Returns, as binlog_cursor_next does: BINLOG_OK; BINLOG_END when there are no more; BINLOG_E_MISSED, once, when the
/// next records were removed with old segments; BINLOG_E_CORRUPT at damage; BINLOG_E_IO or BINLOG_E_NO_MEMORY, after
/// which the same call may be tried again; BINLOG_E_TOO_LARGE when not even the next record fits, which is not lost:
/// the message states how many bytes it takes; and when the block takes more than
/// binlog_reader_options.block_max_bytes: then binlog_cursor_next fails with this status too.
///
/// # Safety
/// As for binlog_cursor_next; `buf` has `cap` writable bytes, `len_out` and `n_out` are writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_read_packed(
    cursor: *mut binlog_cursor,
    buf: *mut c_void,
    cap: usize,
    len_out: *mut usize,
    n_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let cursor = handle_mut(cursor, "cursor")?;
            let (len_out, n_out) = (by_mut(len_out, "len_out")?, by_mut(n_out, "n_out")?);
            if buf.is_null() || cap > isize::MAX as usize {
                return Err(Error::invalid("buf is NULL or cap is larger than memory"));
            }
            let (len, n) = cursor.cursor.read_packed(std::slice::from_raw_parts_mut(buf.cast::<u8>(), cap))?;
            (*len_out, *n_out) = (len, n);
            Ok(if n == 0 { BINLOG_END } else { BINLOG_OK })
        })
    }
}

/// Where the cursor came to an end and why; state BINLOG_TAIL_MORE while it has not. One thread at a time. Returns
/// BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_tail(
    cursor: *mut binlog_cursor,
    out: *mut binlog_tail,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, out) = (handle_mut(cursor, "cursor")?, by_mut(out, "out")?);
            let tail = cursor.cursor.tail();
            cursor.tail.path = c_string(tail.path.as_os_str().as_bytes());
            cursor.tail.reason = c_string(tail.reason.as_bytes());
            *out = binlog_tail {
                state: tail_state(tail.state),
                reserved32: 0,
                next_id: tail.next_id,
                offset: tail.offset,
                unread_bytes: tail.unread_bytes,
                path: cursor.tail.path.as_ptr(),
                reason: cursor.tail.reason.as_ptr(),
                reserved: [0; 2],
            };
            Ok(BINLOG_OK)
        })
    }
}

/// The name that a type number was given for, as far as the log has been read. It lives until the cursor's next call
/// and is not NUL-terminated. One thread at a time. Returns BINLOG_OK, BINLOG_E_NOT_FOUND, BINLOG_E_INVALID.
///
/// # Safety
/// As for binlog_cursor_next.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_type_name(
    cursor: *const binlog_cursor,
    r#type: u32,
    name_out: *mut binlog_slice,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, name_out) = (handle(cursor, "cursor")?, by_mut(name_out, "name_out")?);
            let Some(name) = cursor.cursor.type_name(r#type) else {
                return Err(Error::new(Kind::NotFound, format!("type {:#x} has no name here", r#type)));
            };
            *name_out = binlog_slice { data: name.as_ptr().cast(), len: name.len() };
            Ok(BINLOG_OK)
        })
    }
}

/// Frees the cursor. NULL is a no-op. One thread at a time.
///
/// # Safety
/// `cursor` is NULL or open and not in use elsewhere; it must not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_close(cursor: *mut binlog_cursor) {
    // SAFETY: every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(std::ptr::null_mut(), || {
            if !cursor.is_null() {
                drop(Box::from_raw(cursor));
            }
            Ok(BINLOG_OK)
        });
    }
}

#[inline]
fn shown(record: &Record<'_>, headers_only: bool) -> binlog_record {
    let metadata = record.metadata.as_bytes();
    binlog_record {
        id: record.id,
        time_ns: record.time,
        data: if headers_only { std::ptr::null() } else { record.payload.as_ptr().cast() },
        // If there is a pointer, the number of bytes behind it.
        len: if headers_only { record.payload_len as usize } else { record.payload.len() },
        metadata: metadata.as_ptr(),
        metadata_len: metadata.len(),
        r#type: record.type_id,
        flags: BINLOG_RECORD_TIME
            | if record.is_event() { BINLOG_RECORD_EVENT } else { 0 }
            | if headers_only { BINLOG_RECORD_NO_PAYLOAD } else { 0 },
        reserved: [0; 2],
    }
}

fn tail_state(state: TailState) -> u32 {
    match state {
        TailState::More => BINLOG_TAIL_MORE,
        TailState::Closed => BINLOG_TAIL_CLOSED,
        TailState::Live => BINLOG_TAIL_LIVE,
        TailState::Unclosed => BINLOG_TAIL_UNCLOSED,
        TailState::Torn => BINLOG_TAIL_TORN,
        TailState::Corrupt => BINLOG_TAIL_CORRUPT,
    }
}
