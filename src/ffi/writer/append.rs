//! Appending, record by record and many at once.

use std::ffi::c_void;

use super::open::binlog_writer;
use crate::error::{Error, Result};
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;
use crate::format::packed::Run;
use crate::memory;
use crate::writer::{NewRun, Sums};
use crate::{Metadata, NewRecord};

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
            let record = NewRecord { type_id: r#type, ..NewRecord::default() };
            gather(writer, &record, parts, n, id_out)
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
            let facts = binlog_record { data: std::ptr::null(), len: 0, ..*by_ref(record, "record")? };
            gather(writer, &new_record(&facts)?, parts, n, id_out)
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
            let records = slice(records, n, "records")?;
            records.iter().try_for_each(|record| new_record(record).map(drop))?;
            // Each was converted once above, so none fails now.
            let batch = records.iter().map(|record| new_record(record).unwrap_or_default());
            Ok(put_id(first_id_out, writer.writer.append_batch(batch)?))
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
            let frames = slice(frames.cast::<u8>(), len, "frames")?;
            let sums = check_frames(frames)?;
            let mut rest = frames;
            let runs = std::iter::from_fn(move || next_run(&mut rest).ok().flatten());
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

/// # Safety
/// `parts` points to `n` valid slices.
unsafe fn gather(
    writer: &binlog_writer,
    record: &NewRecord<'_>,
    parts: *const binlog_slice,
    n: usize,
    id_out: *mut u64,
) -> Result<binlog_status> {
    // SAFETY: the caller's promises.
    unsafe {
        let parts = slice(parts, n, "parts")?;
        let parts: Vec<&[u8]> =
            memory::collect(parts.iter().map(|part| slice(part.data.cast(), part.len, "the data of a part")))?;
        Ok(put_id(id_out, writer.writer.gather_record(record, &parts)?))
    }
}

/// # Safety
/// What the record points to is valid as long as `'a`.
#[inline(always)]
unsafe fn new_record<'a>(record: &binlog_record) -> Result<NewRecord<'a>> {
    check_reserved("binlog_record", &record.reserved)?;
    let known = BINLOG_RECORD_TIME | BINLOG_RECORD_EVENT | BINLOG_RECORD_NO_PAYLOAD;
    if record.flags & !known != 0 {
        return Err(Error::invalid(format!("binlog_record.flags has unknown bits: {:#x}", record.flags)));
    }
    let timed = record.time_ns != 0 || record.flags & BINLOG_RECORD_TIME != 0;
    if record.flags & BINLOG_RECORD_NO_PAYLOAD != 0 {
        return Err(Error::invalid("the record was read without its payload, and so cannot be appended"));
    }
    // SAFETY: the caller's promise.
    let (payload, metadata) = unsafe {
        (
            slice(record.data.cast(), record.len, "record.data")?,
            slice(record.metadata, record.metadata_len, "record.metadata")?,
        )
    };
    Ok(NewRecord {
        type_id: record.r#type,
        time: timed.then_some(record.time_ns),
        metadata: Metadata::from_bytes(metadata),
        payload,
    })
}

/// The records in the first run of frames.
#[inline(always)]
fn next_run<'a>(frames: &mut &'a [u8]) -> Result<Option<NewRun<'a>>> {
    let run = Run::decode(frames, BINLOG_RECORD_NO_PAYLOAD).map_err(|e| Error::invalid(e.to_string()))?;
    let Some(run) = run else { return Ok(None) };
    if run.first.flags & BINLOG_RECORD_NO_PAYLOAD != 0 {
        return Err(Error::invalid("a packed record was read without its payload, and so cannot be appended"));
    }
    let timed = run.first.time != 0 || run.first.flags & BINLOG_RECORD_TIME != 0;
    let first = NewRecord {
        type_id: run.first.type_id,
        time: timed.then_some(run.first.time),
        metadata: Metadata::from_bytes(run.first.metadata),
        payload: run.first.payload,
    };
    Ok(Some(NewRun { first, others: Some(run) }))
}

/// Checks all frames before any is appended, and returns their sums.
fn check_frames(frames: &[u8]) -> Result<Sums> {
    let (mut rest, mut sums) = (frames, Sums::default());
    while let Some(run) = next_run(&mut rest)? {
        sums.add(&run);
    }
    Ok(sums)
}
