//! What a writer is told and asked besides appending.

use std::ffi::c_char;

use crate::ffi::guard::*;
use crate::ffi::rolling::roll_options;
use crate::ffi::types::*;

/// The number that stands for a type's name in this log; a new name gets one. `name` and `content_type` are
/// NUL-terminated UTF-8; `content_type` (a MIME type) may be NULL and counts only when the name is new. Any thread.
/// Returns BINLOG_OK, BINLOG_E_INVALID, and what binlog_writer_append returns, BINLOG_DROPPED excepted: a name is never
/// dropped.
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
            let (writer, type_out) = (by_ref(writer, "writer")?, by_mut(type_out, "type_out")?);
            let content_type = if content_type.is_null() { "" } else { text(content_type, "content_type")? };
            *type_out = writer.writer.type_id(text(name, "name")?, content_type)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Hands everything appended so far to the system: it survives the end of this process, however it ends. Any thread.
/// Returns BINLOG_OK, BINLOG_E_NO_SPACE or BINLOG_E_IO (what could not be written waits for the next try),
/// BINLOG_E_FAILED, BINLOG_E_FORKED.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_flush(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.flush().map(|()| BINLOG_OK)) }
}

/// Makes everything appended so far durable: it survives the end of the machine. Threads that sync at the same time
/// share one fdatasync. Any thread. Returns as binlog_writer_flush; BINLOG_E_NOT_FOUND when the file of a segment was
/// removed, replaced or moved, with the ids of the records that are lost with it (later ones are in a new segment); when
/// the fsync fails BINLOG_E_FAILED, as will all later calls of the writer until the log is opened anew: what is on the
/// disk is not known then.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_sync(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.sync().map(|()| BINLOG_OK)) }
}

/// Does what time asks for by now: the intervals of flushing and syncing, rolling, heartbeats; and what rolls have left
/// to do: it prepares the next file, makes closed segments durable, calls hooks, removes old segments. Only a writer
/// without a background thread needs it, from a thread of its own: every so often when its log may go quiet; at least once a
/// second when no append is to wait for the disk because of a roll. Any thread. Returns as binlog_writer_sync.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_tick(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.tick().map(|()| BINLOG_OK)) }
}

/// How far the log is appended, flushed and durable. Never waits. Any thread. Returns BINLOG_OK, BINLOG_E_INVALID or
/// BINLOG_E_FORKED.
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
            let (writer, out) = (by_ref(writer, "writer")?, by_mut(out, "out")?);
            let position = writer.writer.position()?;
            *out = binlog_position {
                appended_id: position.appended,
                flushed_id: position.flushed,
                durable_id: position.durable,
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
            let (writer, out) = (by_ref(writer, "writer")?, by_mut(out, "out")?);
            // Refuses in the child of a fork, as every call does.
            writer.writer.position()?;
            *out = writer.writer.dropped();
            Ok(BINLOG_OK)
        })
    }
}

/// Ends the current segment and goes on in a new one; nothing happens while the current one holds no record. Any
/// thread. Returns as binlog_writer_sync; BINLOG_E_UNSUPPORTED for a log that is a single file.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_roll(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.roll().map(|()| BINLOG_OK)) }
}

/// As binlog_writer_roll, and says why: `reason` is 1 to 256 bytes of UTF-8, NUL-terminated, which the event
/// BINLOG_EVENT_ROTATE_NEXT and the hooks get. Any thread. Returns as binlog_writer_roll.
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
            by_ref(writer, "writer")?.writer.roll_because(text(reason, "reason")?)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Gives the log new rules for rolling and new names, in place of all that binlog_writer_options.roll said; they begin
/// with a new segment at once. `roll` is not needed after the call; NULL stands for the defaults. Its check is taken over,
/// and check_drop is called whatever the status is. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for rules, a zone or a template that are not understood: then the old ones stay;
/// otherwise as binlog_writer_roll.
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
            // First, so that check_drop is called whatever else is wrong.
            let roll = roll_options(roll)?;
            by_ref(writer, "writer")?.writer.set_roll(roll)?;
            Ok(BINLOG_OK)
        })
    }
}

/// Writes a BINLOG_EVENT_HEARTBEAT now, and hands it to the system: a reader sees by it that the writer is alive. Any
/// thread. Returns as binlog_writer_flush.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_heartbeat(
    writer: *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.heartbeat().map(|()| BINLOG_OK)) }
}

/// How many times something beside the writing of records has failed since the writer was opened: a hook, the removal of
/// an old segment, the `.active` file, an active file that somebody removed, shipping to a store.
/// binlog_writer_options.on_failure is told of each. Never waits. Any thread.
/// Returns BINLOG_OK, BINLOG_E_INVALID or BINLOG_E_FORKED.
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
            let (writer, out) = (by_ref(writer, "writer")?, by_mut(out, "out")?);
            // Refuses in the child of a fork, as every call does.
            writer.writer.position()?;
            *out = writer.writer.failures();
            Ok(BINLOG_OK)
        })
    }
}
