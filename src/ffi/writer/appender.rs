//! Appenders' handles.

use std::ffi::c_void;

use super::open::binlog_writer;
use super::records::*;
use crate::error::Result;
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;
use crate::{Appender, AppenderOptions};

/// Appends to a log from one thread at a time, without a lock: see binlog_appender_open.
pub struct binlog_appender(pub(super) Appender);

/// How an appender works. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_appender_options {
    /// sizeof(binlog_appender_options) of the caller.
    pub struct_size: usize,
    /// Payload bytes at which the appender hands over what it has staged: 65,536 to 262,144; 0 = 262,144. Where
    /// binlog_writer_options.block_bytes is more, that is used; where a policy in bytes allows less, that is. Heads and
    /// metadata of 262,144 bytes are handed over, too.
    pub hand_over_bytes: u64,
    /// Must be 0.
    pub reserved: [u64; 4],
}

// SAFETY: a plain C struct of integers whose first field is struct_size.
unsafe impl SelfSized for binlog_appender_options {}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<binlog_appender_options>() == 48);

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_appender_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_options_init(
    options: *mut binlog_appender_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_appender_options")) }
}

/// Opens an appender on a writer. One thread at a time may use it; any number may be open on one writer. `options` may be
/// NULL. Close it with binlog_appender_close, before or after the writer. The writer may be closed while other threads append:
/// each record is then in the log, or its append fails with BINLOG_E_INVALID. Any thread.
///
/// An appender is faster than its writer, and does not slow down when other threads append. It stages records in memory
/// of its own, some 0.4 MiB with default options. A record gets its id when what is staged is handed over: at
/// hand_over_bytes, at binlog_appender_flush and binlog_appender_close, and when the writer is flushed, synced, rolled or
/// closed, by a call or by a policy. Such a call collects from all appenders what was appended before it. The records of
/// one appender keep their order; otherwise records follow in the order in which they are handed over. Ids are the order:
/// times are the clock's, and may run back by as long as records are staged.
///
/// Staged records are not counted by binlog_writer_position, and are lost when the process ends without a close, like
/// those between appended_id and flushed_id. flush_interval_ms bounds how long they are staged; when the appender gets no
/// further record, this requires a background thread or binlog_writer_tick. Bounds of the policies in records and bytes
/// count what was handed over; each appender stages at most one such bound in addition. Nothing is staged, and an append
/// is then the writer's, in a log that rolls by its number of records, with a policy for each record, and for records and
/// batches that are larger than a block.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for options out of range, and in a function that the writer has called, as the other
/// functions of appenders do; BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_open(
    writer: *mut binlog_writer,
    options: *const binlog_appender_options,
    out: *mut *mut binlog_appender,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            Ok(give(out, binlog_appender(open_appender(writer, options)?)))
        })
    }
}

/// # Safety
/// `options` is NULL or valid.
pub(super) unsafe fn open_appender(
    writer: &binlog_writer,
    options: *const binlog_appender_options,
) -> Result<Appender> {
    // SAFETY: the caller's promise.
    let given = unsafe { sized(options, "binlog_appender_options")? };
    check_reserved("binlog_appender_options", &given.reserved)?;
    let mut options = AppenderOptions::default();
    if given.hand_over_bytes != 0 {
        options.hand_over_bytes = usize::try_from(given.hand_over_bytes).unwrap_or(usize::MAX);
    }
    writer.writer.appender_with(options)
}

/// Appends a record with the current time: `len` bytes at `data` (NULL when 0), which are not needed after the call. Type
/// and payload are as with binlog_writer_append. One thread at a time.
///
/// Returns BINLOG_OK; BINLOG_DROPPED where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID for another type,
/// and when the writer is closed; BINLOG_E_TOO_LARGE for a longer payload; BINLOG_E_NO_SPACE, BINLOG_E_IO or
/// BINLOG_E_NO_MEMORY when the log cannot be written: the record was not taken, and may be appended again. If
/// binlog_error_record_id of that error is not 0, the record was taken, and only the flush or sync that a policy requires
/// has failed: do not append it again. BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `appender` is NULL or open and not in use by another thread, `data` points to `len` bytes, `err` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_append(
    appender: *mut binlog_appender,
    r#type: u32,
    data: *const c_void,
    len: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let data = slice(data.cast::<u8>(), len, "data")?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.append(r#type, data)))
        })
    }
}

/// Appends a record with a time or metadata of its own, as binlog_writer_append_record does. One thread at a time.
///
/// Returns BINLOG_OK or BINLOG_DROPPED; BINLOG_E_INVALID or BINLOG_E_TOO_LARGE for what binlog_writer_append_record
/// refuses; otherwise what binlog_appender_append returns.
///
/// # Safety
/// As for binlog_appender_append; `record` is NULL or valid with what it points to.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_append_record(
    appender: *mut binlog_appender,
    record: *const binlog_record,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let record = new_record(by_ref(record, "record")?)?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.append_record(&record)))
        })
    }
}

/// Appends one record whose payload is the `n` parts in their order. One thread at a time. Returns BINLOG_OK, BINLOG_DROPPED
/// or an error, as binlog_appender_append does.
///
/// # Safety
/// As for binlog_appender_append; `parts` points to `n` valid slices.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_gather(
    appender: *mut binlog_appender,
    r#type: u32,
    parts: *const binlog_slice,
    n: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let parts = payload_parts(parts, n)?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.gather(r#type, &parts)))
        })
    }
}

/// As binlog_appender_gather, with type, time and metadata of `record`, whose data and len are not read. One thread at a
/// time. Returns BINLOG_OK, BINLOG_DROPPED or an error, as binlog_appender_append_record does.
///
/// # Safety
/// As for binlog_appender_gather and binlog_appender_append_record.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_gather_record(
    appender: *mut binlog_appender,
    record: *const binlog_record,
    parts: *const binlog_slice,
    n: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let record = new_record_without_payload(by_ref(record, "record")?)?;
            let parts = payload_parts(parts, n)?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.gather_record(&record, &parts)))
        })
    }
}

/// Appends `n` records or, on an error, none. After a crash, too, all or none are in the log. Records without a time of
/// their own get the same one. One thread at a time.
///
/// Returns BINLOG_OK or BINLOG_DROPPED; BINLOG_E_INVALID or BINLOG_E_TOO_LARGE for what binlog_writer_append_batch refuses;
/// otherwise what binlog_appender_append returns.
///
/// # Safety
/// As for binlog_appender_append; `records` points to `n` valid records.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_append_batch(
    appender: *mut binlog_appender,
    records: *const binlog_record,
    n: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let records = new_records(records, n)?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.append_batch(records)))
        })
    }
}

/// As binlog_appender_append_batch, with the records in packed frames (see binlog_packed_put): `len` bytes at `frames`.
/// One thread at a time. Returns BINLOG_OK, BINLOG_DROPPED or an error, as binlog_appender_append_batch does, and
/// BINLOG_E_INVALID when the bytes are no frames.
///
/// # Safety
/// As for binlog_appender_append; `frames` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_append_packed(
    appender: *mut binlog_appender,
    frames: *const c_void,
    len: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (runs, sums) = runs_of(slice(frames.cast::<u8>(), len, "frames")?)?;
            taken(by_mut(appender, "appender")?.0.call(|appender| appender.append_runs(runs, sums)))
        })
    }
}

/// Passes the records of this appender to the system, and all that are before them in the log, as binlog_writer_flush does
/// for all. `last_id_out` (may be NULL) gets the id of the last record of this appender, 0 if it has appended none. One thread at a
/// time. Returns BINLOG_OK or an error, as binlog_writer_flush does, and BINLOG_E_INVALID when the writer is closed.
///
/// # Safety
/// `appender` is NULL or open and not in use by another thread, `last_id_out` and `err` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_flush(
    appender: *mut binlog_appender,
    last_id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let last_id = by_mut(appender, "appender")?.0.call(Appender::flush)?;
            put_last(last_id_out, last_id);
            Ok(BINLOG_OK)
        })
    }
}

/// Flushes as binlog_appender_flush does, and frees the appender, whatever the status: the
/// handle must not be used afterwards. NULL is a no-op. After the writer was closed, which has collected what was staged,
/// this returns BINLOG_OK. `last_id_out` (may be NULL) gets the id of the last record of this appender, 0 if it has
/// appended none. Any thread, while no other uses the appender. Returns BINLOG_OK or an error, as binlog_writer_flush does.
///
/// # Safety
/// `appender` is NULL or open and not in use by another thread, `last_id_out` and `err` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_close(
    appender: *mut binlog_appender,
    last_id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises; every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(err, || {
            if appender.is_null() {
                return Ok(BINLOG_OK);
            }
            let last_id = Box::from_raw(appender).0.close()?;
            put_last(last_id_out, last_id);
            Ok(BINLOG_OK)
        })
    }
}

#[inline(always)]
fn taken(appended: Result<bool>) -> Result<binlog_status> {
    appended.map(|taken| if taken { BINLOG_OK } else { BINLOG_DROPPED })
}

/// # Safety
/// `out` is NULL or writable.
unsafe fn put_last(out: *mut u64, id: u64) {
    if !out.is_null() {
        // SAFETY: not NULL, and so writable.
        unsafe { out.write(id) };
    }
}
