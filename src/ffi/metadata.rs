//! String pairs, built and walked by C callers.

use std::ffi::{c_char, c_void};

use super::error::binlog_error;
use super::guard::*;
use super::types::*;
use crate::error::{Error, Kind, Result};
use crate::format::metadata;
use crate::memory;

/// Adds a pair to the metadata of a record being built: `*len` of the `cap` bytes at `buf` are in use, and `*len`
/// grows. Each pair consists of varint key length, key, varint value length, value; a varint takes 1 byte below 128 and
/// 2 below 16,384. Key and value are UTF-8 and not NUL-terminated. If `buf` is NULL, nothing is written and `cap` is
/// not read: `*len` grows by the size of the pair, which is the size that a buffer needs. A record takes at most 65,535
/// pairs and 16 MiB of metadata. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_TOO_LARGE when the pair does not fit: the error states the size it needs, and neither
/// `buf` nor `*len` is changed; BINLOG_E_INVALID for text that is not UTF-8.
///
/// # Safety
/// `buf` is NULL or has `cap` writable bytes, `len` is writable, `key` and `value` point to that many bytes, `err` is
/// NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_metadata_put(
    buf: *mut c_void,
    cap: usize,
    len: *mut usize,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let len = by_mut(len, "len")?;
            put((buf, cap), len, utf8(key, key_len, "key")?, utf8(value, value_len, "value")?)
        })
    }
}

/// As binlog_metadata_put, with a key and a value that end with a NUL, which is no part of them. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_TOO_LARGE when the pair does not fit: the error states the size it needs, and neither
/// `buf` nor `*len` is changed; BINLOG_E_INVALID for text that is not UTF-8.
///
/// # Safety
/// As for binlog_metadata_put; `key` and `value` are NULL or end with a NUL.
#[no_mangle]
pub unsafe extern "C" fn binlog_metadata_put_text(
    buf: *mut c_void,
    cap: usize,
    len: *mut usize,
    key: *const c_char,
    value: *const c_char,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let len = by_mut(len, "len")?;
            put((buf, cap), len, text(key, "key")?, text(value, "value")?)
        })
    }
}

/// # Safety
/// `buf` is NULL or has `cap` writable bytes.
unsafe fn put((buf, cap): (*mut c_void, usize), len: &mut usize, key: &str, value: &str) -> Result<binlog_status> {
    let mut pair = memory::with_room(key.len().saturating_add(value.len()).saturating_add(20))?;
    metadata::put(&mut pair, key, value);
    let used = *len;
    if buf.is_null() {
        *len = used.saturating_add(pair.len());
        return Ok(BINLOG_OK);
    }
    let Some(free) = cap.checked_sub(used) else {
        return Err(Error::invalid(format!("{used} bytes of buf are in use, and it has {cap}")));
    };
    if pair.len() > free {
        let reason = format!("the pair takes {} bytes, and {free} of the {cap} are free", pair.len());
        return Err(Error::new(Kind::TooLarge, reason));
    }
    // SAFETY: that many bytes are free after those in use, as the caller promises.
    unsafe { std::ptr::copy_nonoverlapping(pair.as_ptr(), buf.cast::<u8>().add(used), pair.len()) };
    *len = used + pair.len();
    Ok(BINLOG_OK)
}

/// Removes the first pair of `*metadata_len` bytes at `*metadata`; both are moved behind it. Key and value are views,
/// not NUL-terminated. Any thread.
///
/// Returns BINLOG_OK; BINLOG_END when there is none left; BINLOG_E_CORRUPT when the bytes are no pairs; BINLOG_E_INVALID.
///
/// # Safety
/// `*metadata` points to `*metadata_len` bytes; `key` and `value` are writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_metadata_next(
    metadata: *mut *const u8,
    metadata_len: *mut usize,
    key: *mut binlog_slice,
    value: *mut binlog_slice,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(std::ptr::null_mut(), || {
            let (at, left) = (by_mut(metadata, "metadata")?, by_mut(metadata_len, "metadata_len")?);
            let (key, value) = (by_mut(key, "key")?, by_mut(value, "value")?);
            let mut rest = slice(*at, *left, "metadata")?;
            let pair = crate::format::metadata::next(&mut rest).map_err(Error::corrupt)?;
            let Some((k, v)) = pair else { return Ok(BINLOG_END) };
            (*key, *value) = (view(k), view(v));
            (*at, *left) = (rest.as_ptr(), rest.len());
            Ok(BINLOG_OK)
        })
    }
}

/// The value of the first pair with this key: a view, not NUL-terminated. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_NOT_FOUND when no pair has this key; BINLOG_E_CORRUPT when the bytes are no pairs;
/// BINLOG_E_INVALID.
///
/// # Safety
/// `metadata` points to `metadata_len` bytes, `key` to `key_len`; `value` is writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_metadata_find(
    metadata: *const u8,
    metadata_len: usize,
    key: *const c_char,
    key_len: usize,
    value: *mut binlog_slice,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(std::ptr::null_mut(), || {
            let (wanted, value) = (utf8(key, key_len, "key")?, by_mut(value, "value")?);
            let mut rest = slice(metadata, metadata_len, "metadata")?;
            while let Some((key, found)) = crate::format::metadata::next(&mut rest).map_err(Error::corrupt)? {
                if key == wanted {
                    *value = view(found);
                    return Ok(BINLOG_OK);
                }
            }
            Ok(BINLOG_E_NOT_FOUND)
        })
    }
}

fn view(text: &str) -> binlog_slice {
    binlog_slice { data: text.as_ptr().cast(), len: text.len() }
}

/// # Safety
/// `text` points to `len` bytes.
unsafe fn utf8<'a>(text: *const c_char, len: usize, what: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(text.cast::<u8>(), len, what) }?;
    std::str::from_utf8(bytes).map_err(|_| Error::invalid(format!("{what} is not UTF-8")))
}
