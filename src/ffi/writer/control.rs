//! The functions of a writer besides appending.
// Reserved fields need no comment.
#![allow(missing_docs)]

use std::ffi::c_char;

use super::open::binlog_writer;
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::rolling::{binlog_roll_options, roll_options};
use crate::ffi::types::*;

/// Ids of the last record at each stage; 0 if there is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_position {
    /// Taken by the writer.
    pub appended_id: u64,
    /// Passed to the system: survives the process.
    pub flushed_id: u64,
    /// On the disk: survives the machine.
    pub durable_id: u64,
    pub reserved: [u64; 3],
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_position>() == 48);
};

/// The number of a type's name in this log; a new name gets one. `name` and `content_type` are NUL-terminated UTF-8, together
/// at most 4,096 bytes; `content_type` (a MIME type) may be NULL and counts only when the name is new. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for a name that is empty or too long, and for what is not UTF-8; BINLOG_E_TOO_LARGE
/// when all 2^30 numbers are taken; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY when the log cannot be written: the
/// name has no number then; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child. A name is never dropped.
///
/// # Safety
/// `writer` is NULL or open, the strings are valid, `type_out` is a place for the number, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_type(
    writer: *mut binlog_writer,
    name: *const c_char,
    content_type: *const c_char,
    type_out: *mut u32,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, type_out) = (handle(writer, "writer")?, by_mut(type_out, "type_out")?);
            let content_type = if content_type.is_null() { "" } else { text(content_type, "content_type")? };
            *type_out = writer.writer.type_id(text(name, "name")?, content_type)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Passes everything appended so far to the system: it survives the end of this process, however it ends. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in
/// memory for the next try; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_flush(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle(writer, "writer")?.writer.flush().map(|()| BINLOG_OK)) }
}

/// Makes everything appended so far durable: it survives a crash of the machine. Threads that sync at the same time
/// share one fdatasync. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in
/// memory for the next try; BINLOG_E_NOT_FOUND when the file of a segment was removed, replaced or moved: the message
/// names the ids of the records that are lost with it, and later records are in a new segment; BINLOG_E_FAILED when the
/// fsync fails, as do all later calls of the writer until the log is opened anew, because the state of the disk is then
/// unknown; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_sync(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle(writer, "writer")?.writer.sync().map(|()| BINLOG_OK)) }
}

/// Does what is due by now: flushing and syncing by their intervals, rolling, heartbeats; and the work after rolls: it
/// prepares the next file, makes closed segments durable, calls hooks, removes old segments. Only a writer without a
/// background thread needs it, from a thread of its own: at intervals if its log may be quiet for a time; at least once
/// a second if no append should wait for the disk because of a roll. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in
/// memory for the next try; BINLOG_E_NOT_FOUND when the file of a segment was removed, replaced or moved;
/// BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_tick(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle(writer, "writer")?.writer.tick().map(|()| BINLOG_OK)) }
}

/// The ids up to which the log is appended, flushed and durable. Never waits. Any thread. Returns BINLOG_OK,
/// BINLOG_E_INVALID or BINLOG_E_FORKED.
///
/// # Safety
/// `writer` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_position(
    writer: *const binlog_writer,
    out: *mut binlog_position,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            let position = writer.writer.position()?;
            *out = binlog_position {
                appended_id: position.appended,
                flushed_id: position.flushed,
                durable_id: position.durable,
                reserved: [0; 3],
            };
            Ok(BINLOG_OK)
        })
    }
}

/// How many records the writer has dropped since it was opened, by BINLOG_FULL_DISK_DROP. Never waits. Any thread.
/// Returns BINLOG_OK, BINLOG_E_INVALID or BINLOG_E_FORKED.
///
/// # Safety
/// `writer` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_dropped(
    writer: *const binlog_writer,
    out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            // Refuses in the child of a fork, as every call does.
            writer.writer.position()?;
            *out = writer.writer.dropped();
            Ok(BINLOG_OK)
        })
    }
}

/// Ends the current segment and begins a new one; does nothing while the current one contains no record. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in
/// memory for the next try; BINLOG_E_NOT_FOUND when the file of a segment was removed, replaced or moved;
/// BINLOG_E_FAILED after an fsync has failed; BINLOG_E_UNSUPPORTED for a log that is a single file; BINLOG_E_FORKED in
/// a child.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_roll(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle(writer, "writer")?.writer.roll().map(|()| BINLOG_OK)) }
}

/// As binlog_writer_roll, with a reason: `reason` is 1 to 256 bytes of UTF-8, NUL-terminated, which the event
/// BINLOG_EVENT_ROTATE_NEXT and the hooks receive. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for an invalid reason; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY:
/// records that could not be written stay in memory for the next try; BINLOG_E_NOT_FOUND when the file of a segment was
/// removed, replaced or moved; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_UNSUPPORTED for a log that is a
/// single file; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `reason` a NUL-terminated string, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_roll_because(
    writer: *mut binlog_writer,
    reason: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            handle(writer, "writer")?.writer.roll_because(text(reason, "reason")?)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Gives the log new rules for rolling and new names, in place of those of binlog_writer_options.roll; they begin with
/// a new segment at once. `roll` is not needed after the call; NULL selects the defaults. Its check is taken over, and
/// check_drop is called whatever the status is. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for invalid rules, or an invalid zone or template: then the old ones stay;
/// BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in memory for the next
/// try; BINLOG_E_NOT_FOUND when the file of a segment was removed, replaced or moved; BINLOG_E_FAILED after an fsync
/// has failed; BINLOG_E_UNSUPPORTED for a log that is a single file; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `roll` NULL or valid with what it points to, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_set_roll(
    writer: *mut binlog_writer,
    roll: *const binlog_roll_options,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            // First, so check_drop is called even if something else is wrong.
            let roll = roll_options(roll)?;
            handle(writer, "writer")?.writer.set_roll(roll)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Writes a BINLOG_EVENT_HEARTBEAT now, and passes it to the system: it shows readers that the writer is alive. Any
/// thread.
///
/// Returns BINLOG_OK; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY: records that could not be written stay in
/// memory for the next try; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_heartbeat(
    writer: *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || handle(writer, "writer")?.writer.heartbeat().map(|()| BINLOG_OK)) }
}

/// How many times anything but the writing of records has failed since the writer was opened: a hook, the removal of an
/// old segment, the `.active` file, an active file that was removed, shipping to a store.
/// binlog_writer_options.on_failure is called for each. Never waits. Any thread. Returns BINLOG_OK, BINLOG_E_INVALID or
/// BINLOG_E_FORKED.
///
/// # Safety
/// `writer` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_failures(
    writer: *const binlog_writer,
    out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            // Refuses in the child of a fork, as every call does.
            writer.writer.position()?;
            *out = writer.writer.failures();
            Ok(BINLOG_OK)
        })
    }
}
