//! Appending, record by record and many at once.

use std::ffi::c_void;

use super::open::binlog_writer;
use super::records::*;
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;

/// Appends a record with the current time: `len` bytes at `data` (NULL when 0), which are not needed after the call.
/// `id_out`, which may be NULL, gets its id. The record is then in the writer's memory: binlog_writer_flush,
/// binlog_writer_sync or a policy carries it further. Any thread.
///
/// `type` is 0 to 1,073,741,823, or a number that binlog_writer_type has returned. `len` is at most
/// binlog_writer_options.record_max_bytes, 1 GiB by default.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP;
/// BINLOG_E_INVALID for another type; BINLOG_E_TOO_LARGE for a longer payload; BINLOG_E_NO_SPACE, BINLOG_E_IO or
/// BINLOG_E_NO_MEMORY when the log cannot be written: the record was not taken, and may be appended again. If
/// binlog_error_record_id of that error is not 0, the record was taken, and only the flush or sync that a policy
/// requires has failed: do not append it again. BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `writer` is NULL or open, `data` points to `len` bytes, `id_out` and `err` are NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_append(
    writer: *mut binlog_writer,
    r#type: u32,
    data: *const c_void,
    len: usize,
    id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let id = handle(writer, "writer")?.writer.append(r#type, slice(data.cast::<u8>(), len, "data")?)?;
            Ok(put_id(id_out, id))
        })
    }
}

/// Appends a record with a time or metadata of its own: at most 65,535 pairs, which take at most 16 MiB. Type, payload and id
/// are as with binlog_writer_append. Any thread.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID
/// for a type that is not the user's, for an unknown flag, and for metadata that is malformed; BINLOG_E_TOO_LARGE for a
/// payload over record_max_bytes and for more metadata; BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY when the log
/// cannot be written: the record was not taken, unless binlog_error_record_id is not 0 (see binlog_writer_append);
/// BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// As for binlog_writer_append; `record` is NULL or valid with what it points to.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_append_record(
    writer: *mut binlog_writer,
    record: *const binlog_record,
    id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let writer = handle(writer, "writer")?;
            let record = new_record(by_ref(record, "record")?)?;
            Ok(put_id(id_out, writer.writer.append_record(&record)?))
        })
    }
}

/// Appends one record whose payload is the `n` parts in their order. A large one is written without a copy. Together
/// the parts are at most binlog_writer_options.record_max_bytes long. Any thread.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID
/// for a type that is not the user's; BINLOG_E_TOO_LARGE for a payload over record_max_bytes; BINLOG_E_NO_SPACE, BINLOG_E_IO
/// or BINLOG_E_NO_MEMORY when the log cannot be written: the record was not taken, unless binlog_error_record_id is not 0
/// (see binlog_writer_append); BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// As for binlog_writer_append; `parts` points to `n` valid slices.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_gather(
    writer: *mut binlog_writer,
    r#type: u32,
    parts: *const binlog_slice,
    n: usize,
    id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let writer = handle(writer, "writer")?;
            Ok(put_id(id_out, writer.writer.gather(r#type, &payload_parts(parts, n)?)?))
        })
    }
}

/// As binlog_writer_gather, with type, time and metadata of `record`, whose data and len are not read. Any thread.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID
/// for a type that is not the user's, for an unknown flag, and for metadata that is malformed; BINLOG_E_TOO_LARGE for a
/// payload over record_max_bytes and for more than 65,535 pairs or 16 MiB of metadata; BINLOG_E_NO_SPACE, BINLOG_E_IO or
/// BINLOG_E_NO_MEMORY when the log cannot be written: the record was not taken, unless binlog_error_record_id is not 0 (see
/// binlog_writer_append); BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// As for binlog_writer_gather and binlog_writer_append_record.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_gather_record(
    writer: *mut binlog_writer,
    record: *const binlog_record,
    parts: *const binlog_slice,
    n: usize,
    id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let writer = handle(writer, "writer")?;
            let record = new_record_without_payload(by_ref(record, "record")?)?;
            Ok(put_id(id_out, writer.writer.gather_record(&record, &payload_parts(parts, n)?)?))
        })
    }
}

/// Appends `n` records or, on an error, none; `first_id_out` gets the id of the first, and the others follow it. After
/// a crash, too, all or none are in the log. Records without a time of their own get the same one. With an `n` of 0
/// nothing is appended, and `first_id_out` gets the id that the next record will have. Any thread.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID
/// for a type, a flag or metadata that binlog_writer_append_record refuses; BINLOG_E_TOO_LARGE for a record over
/// record_max_bytes, for a batch over 2 GiB and for more than 65,535 pairs or 16 MiB of metadata in a record;
/// BINLOG_E_NO_SPACE, BINLOG_E_IO or BINLOG_E_NO_MEMORY when the log cannot be written: none of the records was taken, unless
/// binlog_error_record_id is not 0 (see binlog_writer_append); BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in
/// a child.
///
/// # Safety
/// As for binlog_writer_append; `records` points to `n` valid records.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_append_batch(
    writer: *mut binlog_writer,
    records: *const binlog_record,
    n: usize,
    first_id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let writer = handle(writer, "writer")?;
            Ok(put_id(first_id_out, writer.writer.append_batch(new_records(records, n)?)?))
        })
    }
}

/// As binlog_writer_append_batch, with the records in packed frames (see binlog_packed_put): `len` bytes at `frames`.
/// Ids in the frames are not read. Any thread.
///
/// Returns BINLOG_OK; BINLOG_DROPPED, with an id of 0, where the disk is full under BINLOG_FULL_DISK_DROP; BINLOG_E_INVALID
/// when the bytes are no frames, and for a type, a flag or metadata that binlog_writer_append_record refuses;
/// BINLOG_E_TOO_LARGE for a record over record_max_bytes and for a batch over 2 GiB; BINLOG_E_NO_SPACE, BINLOG_E_IO or
/// BINLOG_E_NO_MEMORY when the log cannot be written: none of the records was taken, unless binlog_error_record_id is not 0
/// (see binlog_writer_append); BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// As for binlog_writer_append; `frames` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_append_packed(
    writer: *mut binlog_writer,
    frames: *const c_void,
    len: usize,
    first_id_out: *mut u64,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let writer = handle(writer, "writer")?;
            let (runs, sums) = runs_of(slice(frames.cast::<u8>(), len, "frames")?)?;
            Ok(put_id(first_id_out, writer.writer.append_runs(runs, sums)?))
        })
    }
}

/// The status for an id.
///
/// # Safety
/// `id_out` is NULL or writable.
#[inline]
unsafe fn put_id(id_out: *mut u64, id: u64) -> binlog_status {
    if !id_out.is_null() {
        // SAFETY: not NULL, and so writable.
        unsafe { id_out.write(id) };
    }
    match id {
        0 => BINLOG_DROPPED,
        _ => BINLOG_OK,
    }
}
