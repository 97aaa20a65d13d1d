//! The writer's handle.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::guard::*;
use super::types::*;
use crate::error::{Error, Result};
use crate::format::packed::Frame;
use crate::{Codec, FullDisk, Lag, Metadata, NewRecord, Writer, WriterOptions};

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_writer_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_options_init(
    options: *mut binlog_writer_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_writer_options")) }
}

/// Opens the log in a directory for writing; both are created when they are not there, and appends go on after the
/// last record. `options` may be NULL, and is not needed after the call. Close the writer with binlog_writer_close.
/// Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_LOCKED when another writer has the log open, BINLOG_E_CORRUPT when its end is damaged (a
/// torn tail, as a crash leaves it, is cut instead, after its bytes have been kept in `SEGMENT.torn-OFFSET`),
/// BINLOG_E_INVALID, BINLOG_E_UNSUPPORTED, BINLOG_E_NO_SPACE, BINLOG_E_NOT_FOUND or BINLOG_E_IO.
///
/// # Safety
/// `directory` is a NUL-terminated string, `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_open(
    directory: *const c_char,
    options: *const binlog_writer_options,
    out: *mut *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let out = by_mut(out, "out")?;
            let writer = Writer::open(path(directory, "directory")?, writer_options(options)?)?;
            Ok(give(out, binlog_writer { writer }))
        })
    }
}

/// Opens a log that is the single file `path`; it is created, in a directory that is there, when it is not there. Such
/// a log never rolls. Otherwise as binlog_writer_open.
///
/// # Safety
/// As for binlog_writer_open.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_open_file(
    path: *const c_char,
    options: *const binlog_writer_options,
    out: *mut *mut binlog_writer,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let out = by_mut(out, "out")?;
            let writer = Writer::open_file(super::guard::path(path, "path")?, writer_options(options)?)?;
            Ok(give(out, binlog_writer { writer }))
        })
    }
}

/// Appends a record of now: `len` bytes at `data` (NULL when 0), which are not needed after the call. Its id goes to
/// `id_out`, which may be NULL. The record is in the writer's memory then: binlog_writer_flush, binlog_writer_sync or a
/// policy carries it further. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for a type that is not the user's, BINLOG_E_TOO_LARGE over record_max_bytes;
/// BINLOG_E_NO_SPACE or BINLOG_E_IO when the log cannot be written, before the record is taken, so that appending it
/// again repeats nothing (if binlog_error_record_id is not 0, it was taken, and only the flush or sync that a policy
/// asked for failed); BINLOG_DROPPED, with an id of 0, instead of BINLOG_E_NO_SPACE under BINLOG_FULL_DISK_DROP;
/// BINLOG_E_FAILED after an fsync has failed; BINLOG_E_FORKED in a child.
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
            let id = by_ref(writer, "writer")?.writer.append(r#type, slice(data.cast::<u8>(), len, "data")?)?;
            Ok(put_id(id_out, id))
        })
    }
}

/// Appends a record with a time or metadata of its own. Otherwise as binlog_writer_append.
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
            let writer = by_ref(writer, "writer")?;
            let record = new_record(by_ref(record, "record")?)?;
            Ok(put_id(id_out, writer.writer.append_record(&record)?))
        })
    }
}

/// Appends one record whose payload is the `n` parts, one after the other. A large one is written from where it is,
/// without a copy. Otherwise as binlog_writer_append.
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
            let writer = by_ref(writer, "writer")?;
            let record = NewRecord { type_id: r#type, ..NewRecord::default() };
            gather(writer, &record, parts, n, id_out)
        })
    }
}

/// As binlog_writer_gather, with type, time and metadata of `record`, whose data and len are not looked at.
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
            let writer = by_ref(writer, "writer")?;
            let facts = binlog_record { data: std::ptr::null(), len: 0, ..*by_ref(record, "record")? };
            gather(writer, &new_record(&facts)?, parts, n, id_out)
        })
    }
}

/// Appends `n` records or, on an error, none; the id of the first goes to `first_id_out`, and the others follow it. A
/// crash too keeps all or none. Records without a time of their own get the same one. Otherwise as
/// binlog_writer_append; BINLOG_E_TOO_LARGE when the batch is over 2 GiB.
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
            let writer = by_ref(writer, "writer")?;
            let records = slice(records, n, "records")?;
            records.iter().try_for_each(|record| new_record(record).map(drop))?;
            // Each was converted once above, so none fails now.
            let batch = records.iter().map(|record| new_record(record).unwrap_or_default());
            Ok(put_id(first_id_out, writer.writer.append_batch(batch)?))
        })
    }
}

/// As binlog_writer_append_batch, with the records in packed frames (see binlog_packed_put): `len` bytes at `frames`.
/// Ids in the frames are not looked at.
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
            let writer = by_ref(writer, "writer")?;
            let frames = slice(frames.cast::<u8>(), len, "frames")?;
            check_frames(frames)?;
            let mut rest = frames;
            let each = std::iter::from_fn(move || next_frame(&mut rest).ok().flatten());
            Ok(put_id(first_id_out, writer.writer.append_batch(each)?))
        })
    }
}

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
/// share one fdatasync. Any thread. Returns as binlog_writer_flush; when the fsync fails BINLOG_E_FAILED, as will all
/// later calls of the writer until the log is opened anew: what is on the disk is not known then.
///
/// # Safety
/// `writer` is NULL or open, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_sync(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_ref(writer, "writer")?.writer.sync().map(|()| BINLOG_OK)) }
}

/// Does what flush_interval_ms and sync_interval_ms ask for by now. Only a writer without a background thread whose log
/// may go quiet needs it, every so often. Any thread. Returns as binlog_writer_sync.
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

/// Writes what is still in memory, closes the last segment, makes it durable and frees the writer, whatever the status:
/// the handle must not be used afterwards. NULL is a no-op. No other thread may be using the writer. Returns as
/// binlog_writer_sync; the message of an error says which records could not be written.
///
/// # Safety
/// `writer` is NULL or open and used by nobody else, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_close(writer: *mut binlog_writer, err: *mut *mut binlog_error) -> binlog_status {
    // SAFETY: the caller's promises; every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(err, || match writer.is_null() {
            true => Ok(BINLOG_OK),
            false => Box::from_raw(writer).writer.close().map(|()| BINLOG_OK),
        })
    }
}

/// The status that goes with an id.
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
            parts.iter().map(|part| slice(part.data, part.len, "the data of a part")).collect::<Result<_>>()?;
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
            slice(record.data, record.len, "record.data")?,
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

fn next_frame<'a>(frames: &mut &'a [u8]) -> Result<Option<NewRecord<'a>>> {
    let frame = Frame::decode(frames, BINLOG_RECORD_NO_PAYLOAD).map_err(|e| Error::invalid(e.to_string()))?;
    let Some(frame) = frame else { return Ok(None) };
    if frame.flags & BINLOG_RECORD_NO_PAYLOAD != 0 {
        return Err(Error::invalid("a packed record was read without its payload, and so cannot be appended"));
    }
    let timed = frame.time != 0 || frame.flags & BINLOG_RECORD_TIME != 0;
    Ok(Some(NewRecord {
        type_id: frame.type_id,
        time: timed.then_some(frame.time),
        metadata: Metadata::from_bytes(frame.metadata),
        payload: frame.payload,
    }))
}

fn check_frames(frames: &[u8]) -> Result<()> {
    let mut rest = frames;
    while next_frame(&mut rest)?.is_some() {}
    Ok(())
}

/// # Safety
/// `given` is NULL or valid with what it points to.
unsafe fn writer_options(given: *const binlog_writer_options) -> Result<WriterOptions> {
    // SAFETY: the caller's promises.
    unsafe {
        let given = sized(given, "binlog_writer_options")?;
        check_reserved("binlog_writer_options", &given.reserved)?;
        if given.flags & !BINLOG_WRITER_BACKGROUND != 0 {
            return Err(Error::invalid(format!("binlog_writer_options.flags has unknown bits: {:#x}", given.flags)));
        }
        let codec = u8::try_from(given.codec).ok().and_then(Codec::from_byte);
        let mut options = WriterOptions {
            codec: codec.ok_or_else(|| Error::invalid(format!("there is no codec {}", given.codec)))?,
            codec_level: given.codec_level,
            background: given.flags & BINLOG_WRITER_BACKGROUND != 0,
            full_disk: full_disk(&given)?,
            ..WriterOptions::default()
        };
        if !given.name.is_null() {
            options.name = text(given.name, "binlog_writer_options.name")?.to_owned();
        }
        if !given.content_type.is_null() {
            options.content_type = text(given.content_type, "binlog_writer_options.content_type")?.to_owned();
        }
        let strings = given.parameter_count.saturating_mul(2);
        for pair in slice(given.parameters, strings, "binlog_writer_options.parameters")?.chunks_exact(2) {
            let (key, value) = (text(pair[0], "a parameter's key")?, text(pair[1], "a parameter's value")?);
            options.parameters.insert(key.to_owned(), value.to_owned());
        }
        if given.block_bytes != 0 {
            options.block_bytes = given.block_bytes;
        }
        if given.segment_bytes != 0 {
            options.segment_bytes = given.segment_bytes;
        }
        if given.index_bytes != 0 {
            options.index_bytes = given.index_bytes;
        }
        if given.record_max_bytes != 0 {
            options.record_max_bytes = given.record_max_bytes;
        }
        if given.file_mode != 0 {
            options.file_mode = given.file_mode;
        }
        options.flush = Lag {
            records: nonzero(given.flush_records),
            bytes: nonzero(given.flush_bytes),
            interval: match given.flush_interval_ms {
                0 => options.flush.interval,
                ms => interval(ms),
            },
        };
        options.sync = Lag {
            records: nonzero(given.sync_records),
            bytes: nonzero(given.sync_bytes),
            interval: if given.sync_interval_ms == 0 { None } else { interval(given.sync_interval_ms) },
        };
        Ok(options)
    }
}

fn full_disk(given: &binlog_writer_options) -> Result<FullDisk> {
    match (given.full_disk, given.full_disk_wait_ms) {
        (BINLOG_FULL_DISK_FAIL, 0) => Ok(FullDisk::Fail),
        (BINLOG_FULL_DISK_WAIT, ms) => Ok(FullDisk::Wait(nonzero(ms).map(Duration::from_millis))),
        (BINLOG_FULL_DISK_DROP, 0) => Ok(FullDisk::Drop),
        (BINLOG_FULL_DISK_FAIL | BINLOG_FULL_DISK_DROP, _) => {
            Err(Error::invalid("binlog_writer_options.full_disk_wait_ms is set without BINLOG_FULL_DISK_WAIT"))
        }
        (policy, _) => Err(Error::invalid(format!("binlog_writer_options.full_disk has no policy {policy}"))),
    }
}

fn nonzero(rule: u64) -> Option<u64> {
    (rule != 0).then_some(rule)
}

fn interval(ms: u32) -> Option<Duration> {
    (ms != BINLOG_NEVER).then(|| Duration::from_millis(u64::from(ms)))
}
