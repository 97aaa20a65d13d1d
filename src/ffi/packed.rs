//! Packed frames, built and walked by C callers.

use std::ffi::c_void;

use super::guard::*;
use super::types::*;
use crate::error::Error;
use crate::format::packed::Frame;

/// Adds a record to packed frames being built: `*len` of the `cap` bytes at `buf` are in use, and `*len` grows.
///
/// A frame is little-endian: u32 size of the frame, u32 type, u64 id, i64 time, u32 metadata length, u32 payload length,
/// u32 flags, u32 zero; then metadata, payload, and zeros up to a multiple of 8. Any thread.
/// Returns BINLOG_OK, BINLOG_E_TOO_LARGE when it does not fit, BINLOG_E_INVALID.
///
/// # Safety
/// `buf` has `cap` writable bytes, `len` is writable, `record` is valid with what it points to.
#[no_mangle]
pub unsafe extern "C" fn binlog_packed_put(
    buf: *mut c_void,
    cap: usize,
    len: *mut usize,
    record: *const binlog_record,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(std::ptr::null_mut(), || {
            let (len, record) = (by_mut(len, "len")?, by_ref(record, "record")?);
            let no_payload = record.flags & BINLOG_RECORD_NO_PAYLOAD != 0;
            let payload = if no_payload { &[] } else { slice(record.data.cast(), record.len, "record.data")? };
            let metadata = slice(record.metadata, record.metadata_len, "record.metadata")?;
            let payload_len = u32::try_from(record.len);
            let (Ok(payload_len), true) =
                (payload_len, record.len.saturating_add(record.metadata_len) < i32::MAX as usize)
            else {
                return Ok(BINLOG_E_TOO_LARGE);
            };
            if buf.is_null() || *len > cap || cap > isize::MAX as usize {
                return Err(Error::invalid("buf is NULL, or more of it is in use than it has"));
            }
            let frame = Frame {
                id: record.id,
                time: record.time_ns,
                type_id: record.r#type,
                flags: record.flags,
                metadata,
                payload,
                payload_len,
            };
            if frame.size() > cap - *len {
                return Ok(BINLOG_E_TOO_LARGE);
            }
            frame.encode(std::slice::from_raw_parts_mut(buf.cast::<u8>().add(*len), frame.size()));
            *len += frame.size();
            Ok(BINLOG_OK)
        })
    }
}

/// Removes the first record of `*len` bytes of packed frames at `*frames`; both are moved behind it. The data of the
/// record are views into the frames. Any thread.
/// Returns BINLOG_OK, BINLOG_END when there is none left, BINLOG_E_INVALID when the bytes are no frames.
///
/// # Safety
/// `*frames` points to `*len` bytes, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_packed_next(
    frames: *mut *const u8,
    len: *mut usize,
    out: *mut binlog_record,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(std::ptr::null_mut(), || {
            let (at, left, out) = (by_mut(frames, "frames")?, by_mut(len, "len")?, by_mut(out, "out")?);
            let mut rest = slice(*at, *left, "frames")?;
            let frame =
                Frame::decode(&mut rest, BINLOG_RECORD_NO_PAYLOAD).map_err(|e| Error::invalid(e.to_string()))?;
            let Some(frame) = frame else { return Ok(BINLOG_END) };
            let no_payload = frame.flags & BINLOG_RECORD_NO_PAYLOAD != 0;
            *out = binlog_record {
                id: frame.id,
                time_ns: frame.time,
                data: if no_payload { std::ptr::null() } else { frame.payload.as_ptr().cast() },
                len: if no_payload { frame.payload_len as usize } else { frame.payload.len() },
                metadata: frame.metadata.as_ptr(),
                metadata_len: frame.metadata.len(),
                r#type: frame.type_id,
                flags: frame.flags,
                reserved: [0; 2],
            };
            (*at, *left) = (rest.as_ptr(), rest.len());
            Ok(BINLOG_OK)
        })
    }
}
