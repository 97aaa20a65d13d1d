//! Records that C callers pass to be appended.

use crate::error::{Error, Result};
use crate::ffi::guard::*;
use crate::ffi::types::*;
use crate::format::packed::Run;
use crate::memory;
use crate::writer::{NewRun, Sums};
use crate::{Metadata, NewRecord};

/// # Safety
/// What the record points to is valid as long as `'a`.
#[inline(always)]
pub(super) unsafe fn new_record<'a>(record: &binlog_record) -> Result<NewRecord<'a>> {
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

/// The runs of packed frames, all of which are checked before any is appended, and their sums.
pub(super) fn runs_of(frames: &[u8]) -> Result<(impl Iterator<Item = NewRun<'_>> + Clone, Sums)> {
    let sums = check_frames(frames)?;
    let mut rest = frames;
    Ok((std::iter::from_fn(move || next_run(&mut rest).ok().flatten()), sums))
}

/// As [`new_record`], for a record whose payload is passed otherwise.
///
/// # Safety
/// The metadata that the record points to is valid as long as `'a`.
pub(super) unsafe fn new_record_without_payload<'a>(record: &binlog_record) -> Result<NewRecord<'a>> {
    // SAFETY: no payload is pointed to; the rest is the caller's promise.
    unsafe { new_record(&binlog_record { data: std::ptr::null(), len: 0, ..*record }) }
}

/// # Safety
/// `records` points to `n` valid records, valid as long as `'a` with what they point to.
pub(super) unsafe fn new_records<'a>(
    records: *const binlog_record,
    n: usize,
) -> Result<impl Iterator<Item = NewRecord<'a>> + Clone> {
    // SAFETY: the caller's promises.
    unsafe {
        let records: &'a [binlog_record] = slice(records, n, "records")?;
        records.iter().try_for_each(|record| new_record(record).map(drop))?;
        // Each was converted once above, so none fails now.
        Ok(records.iter().map(|record| new_record(record).unwrap_or_default()))
    }
}

/// The parts of a payload.
///
/// # Safety
/// `parts` points to `n` valid slices, valid as long as `'a` with what they point to.
pub(super) unsafe fn payload_parts<'a>(parts: *const binlog_slice, n: usize) -> Result<Vec<&'a [u8]>> {
    // SAFETY: the caller's promises.
    unsafe {
        let parts: &'a [binlog_slice] = slice(parts, n, "parts")?;
        memory::collect(parts.iter().map(|part| slice(part.data.cast(), part.len, "the data of a part")))
    }
}
