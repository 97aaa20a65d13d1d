//! Compresses finished segments, and decompresses them.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::error::{binlog_error, c_string};
use super::guard::*;
use super::types::*;
use crate::compression::{CompressOptions, CompressProgress, Compressed, Dictionary, OnProgress, Whole};
use crate::error::{Error, Result};
use crate::Codec;

/// binlog_compress_options.flags: the source stays beside the new file; readers use one of the two.
pub const BINLOG_COMPRESS_KEEP_SOURCE: u32 = 1;
/// binlog_compress_options.flags: the file's name contains its SHA-256, `<stem>.z.<64 hexadecimal digits>.binlog`.
pub const BINLOG_COMPRESS_SHA256_NAME: u32 = 2;
/// binlog_compress_options.flags: no segment gets a zstd dictionary. Without it, a segment with blocks of 256 KiB or
/// less gets one if a trial with some of them shows that it saves clearly more than it takes.
pub const BINLOG_COMPRESS_NO_DICTIONARY: u32 = 4;
/// binlog_compress_options.flags: nothing is written; the callbacks report what would be done.
pub const BINLOG_COMPRESS_DRY_RUN: u32 = 8;
/// binlog_compress_options.flags: the source is removed even if it is a log of one file, which otherwise stays.
pub const BINLOG_COMPRESS_REMOVE_SINGLE: u32 = 16;

/// binlog_compress_options.whole: a compressed segment is a segment like any other, in which one record can be read
/// alone.
pub const BINLOG_WHOLE_NONE: u32 = 0;
/// binlog_compress_options.whole: the file is compressed as a whole by gzip, for other programs: `<name>.binlog.gz`. To
/// find one record in it, everything before it has to be read.
pub const BINLOG_WHOLE_GZIP: u32 = 1;
/// binlog_compress_options.whole: likewise by zstd: `<name>.binlog.zst`.
pub const BINLOG_WHOLE_ZSTD: u32 = 2;

/// The progress of the work on one segment. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_progress {
    /// The file that is being read.
    pub path: *const c_char,
    /// Bytes of it that were read, to write them and to compare them with what was written: in the end twice bytes.
    pub done: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    pub reserved: [u64; 2],
}

/// Called with the progress, about once for each 4 MiB, and when a segment begins, is written and is compared; in the
/// thread of the call. Returns 0 to continue; anything else stops the work: the call fails with BINLOG_E_IO, and the
/// current segment is unchanged. It must not throw or jump out.
pub type binlog_progress_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, progress: *const binlog_progress) -> i32>;

/// How finished segments are compressed, and what happens to their sources. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_compress_options {
    /// sizeof(binlog_compress_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_COMPRESS_*.
    pub flags: u32,
    /// BINLOG_CODEC_LZ4 or BINLOG_CODEC_ZSTD: the codec of the blocks; 0 = zstd.
    pub codec: u32,
    /// zstd's level, 1 to 22, or below 0 for the fast ones; 0 = 3. LZ4 has no levels; gzip's are 1 to 9, and 3
    /// selects its usual one.
    pub level: i32,
    /// Threads that compress and compare, including the calling one: 1 to 64; 0 = 1, and none is started.
    pub threads: u32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB; 0 = 1 MiB. To show one record, its whole block is read and
    /// decompressed.
    pub block_bytes: u32,
    /// BINLOG_WHOLE_*.
    pub whole: u32,
    /// Called with the progress; may be NULL. Must be NULL in binlog_ship_options.compress.
    pub on_progress: binlog_progress_callback,
    /// Passed to on_progress.
    pub on_progress_userdata: *mut c_void,
    /// Must be 0.
    pub reserved: [u64; 6],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_compress_options {}

/// A segment that was compressed or decompressed. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_compressed {
    /// The file that was made, or that an earlier run had made.
    pub path: *const c_char,
    /// The file that it was made from.
    pub source: *const c_char,
    /// SHA-256 of the new file, in hexadecimal digits, with BINLOG_COMPRESS_SHA256_NAME; otherwise NULL.
    pub sha256: *const c_char,
    /// The segment's number in its log.
    pub sequence: u64,
    /// Records in it, without events; 0 after a dry run.
    pub records: u64,
    /// Length of the source in bytes, and of the new file; the second is 0 after a dry run.
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// 1 when the source is gone; otherwise 0.
    pub source_removed: u32,
    pub reserved32: u32,
    pub reserved: [u64; 2],
}

/// Called for a segment that was compressed or decompressed.
pub type binlog_compressed_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, compressed: *const binlog_compressed)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_progress>() == 40);
    assert!(size_of::<binlog_compress_options>() == 96);
    assert!(size_of::<binlog_compressed>() == 80);
};

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_compress_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_compress_options_init(
    options: *mut binlog_compress_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_compress_options")) }
}

/// Compresses finished segments: those in the directory `path` that have a successor, of each log there, or of the log
/// `log` when that is not NULL; one file; or the files that match a pattern. In a directory the newest segment of each
/// log, in which a writer continues, and segments that are already compressed are skipped. A log of one file is
/// compressed when it is named and was closed, and stays beside its compressed form. No lock is taken, and no writer or
/// reader is disturbed. `options` may be NULL.
///
/// At each moment, even if the power fails, each segment is present and whole in one of its two forms: the new file is
/// made durable, read back and compared record by record before the source is removed. The next run finishes or removes
/// what an interrupted run has left.
///
/// `each` (may be NULL) is called for each segment, log by log, the oldest first, after all were compressed, in this
/// thread; it must not throw or jump out. `count_out` (may be NULL) gets their number. Any thread.
///
/// Returns BINLOG_OK, also when there was nothing to do; BINLOG_E_INVALID for wrong options, a URL, and a file that
/// cannot be compressed because it is the newest of its log, not closed, or already compressed; BINLOG_E_NOT_FOUND when
/// nothing is there; BINLOG_E_LOCKED when a writer or another process uses the segment; BINLOG_E_CORRUPT when it is
/// damaged; BINLOG_E_UNSUPPORTED when this build lacks the codec; BINLOG_E_NO_SPACE, BINLOG_E_IO. The segment that
/// failed is unchanged; the other segments of a directory are still compressed, and the first error is returned.
///
/// # Safety
/// `path` is a NUL-terminated string, `log` NULL or one, `options` NULL or valid, `each` NULL or a function, `count_out` and
/// `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_compress(
    path: *const c_char,
    log: *const c_char,
    options: *const binlog_compress_options,
    each: binlog_compressed_callback,
    userdata: *mut c_void,
    count_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (mut options, whole) = compress_options(options)?;
            options.log = log_of(log)?;
            let place = super::guard::path(path, "path")?;
            let made = match whole {
                None => crate::compression::compress(place, &options),
                Some(whole) => crate::compression::pack(place, whole, &options),
            }?;
            report_compressed(each, userdata, &made, count_out);
            Ok(BINLOG_OK)
        })
    }
}

/// Makes ordinary segments from compressed ones, with the same records under the same ids; a file that was compressed
/// as a whole becomes what it was, byte for byte. The options BINLOG_COMPRESS_KEEP_SOURCE,
/// BINLOG_COMPRESS_REMOVE_SINGLE, BINLOG_COMPRESS_DRY_RUN and on_progress apply. The other arguments are those of
/// binlog_compress. Any thread.
///
/// Returns BINLOG_OK, also when there was nothing to do; BINLOG_E_INVALID for wrong options, a URL, and a file that is
/// not compressed; BINLOG_E_NOT_FOUND when nothing is there; BINLOG_E_LOCKED when another process uses the segment;
/// BINLOG_E_CORRUPT when it is damaged; BINLOG_E_UNSUPPORTED when this build lacks the codec; BINLOG_E_NO_SPACE or
/// BINLOG_E_IO. The segment that failed is unchanged; the other segments of a directory are still decompressed, and the
/// first error is returned.
///
/// # Safety
/// As for binlog_compress.
#[no_mangle]
pub unsafe extern "C" fn binlog_decompress(
    path: *const c_char,
    log: *const c_char,
    options: *const binlog_compress_options,
    each: binlog_compressed_callback,
    userdata: *mut c_void,
    count_out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (mut options, _) = compress_options(options)?;
            options.log = log_of(log)?;
            let made = crate::compression::decompress(super::guard::path(path, "path")?, &options)?;
            report_compressed(each, userdata, &made, count_out);
            Ok(BINLOG_OK)
        })
    }
}

/// # Safety
/// `log` is NULL or a NUL-terminated string.
unsafe fn log_of(log: *const c_char) -> Result<Option<String>> {
    if log.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { text(log, "log") }.map(|log| Some(log.to_owned()))
}

/// The options for a segment, and the format of the whole file, if it is compressed as one.
///
/// # Safety
/// `given` is NULL or valid, and its callback may be called with its userdata as long as the options are there.
pub(super) unsafe fn compress_options(
    given: *const binlog_compress_options,
) -> Result<(CompressOptions, Option<Whole>)> {
    const FLAGS: u32 = BINLOG_COMPRESS_KEEP_SOURCE
        | BINLOG_COMPRESS_SHA256_NAME
        | BINLOG_COMPRESS_NO_DICTIONARY
        | BINLOG_COMPRESS_DRY_RUN
        | BINLOG_COMPRESS_REMOVE_SINGLE;
    // SAFETY: the caller's promise.
    let given = unsafe { sized(given, "binlog_compress_options") }?;
    check_reserved("binlog_compress_options", &given.reserved)?;
    if given.flags & !FLAGS != 0 {
        return Err(Error::invalid(format!("binlog_compress_options.flags has unknown bits: {:#x}", given.flags)));
    }
    let has = |flag| given.flags & flag != 0;
    let mut options = CompressOptions {
        dictionary: if has(BINLOG_COMPRESS_NO_DICTIONARY) { Dictionary::Never } else { Dictionary::Auto },
        keep_source: has(BINLOG_COMPRESS_KEEP_SOURCE),
        remove_single: has(BINLOG_COMPRESS_REMOVE_SINGLE),
        sha256_name: has(BINLOG_COMPRESS_SHA256_NAME),
        dry_run: has(BINLOG_COMPRESS_DRY_RUN),
        progress: given.on_progress.map(|call| listener(call, given.on_progress_userdata)),
        ..CompressOptions::default()
    };
    if given.codec != 0 {
        let codec = u8::try_from(given.codec).ok().and_then(Codec::from_byte);
        options.codec = codec.ok_or_else(|| Error::invalid(format!("there is no codec {}", given.codec)))?;
    }
    for (to, value) in [(&mut options.threads, given.threads), (&mut options.block_bytes, given.block_bytes)] {
        if value != 0 {
            *to = value;
        }
    }
    if given.level != 0 {
        options.level = given.level;
    }
    let whole = match given.whole {
        BINLOG_WHOLE_NONE => None,
        BINLOG_WHOLE_GZIP => Some(Whole::Gzip),
        BINLOG_WHOLE_ZSTD => Some(Whole::Zstd),
        whole => {
            return Err(Error::invalid(format!("there is no format {whole} of files that are compressed as a whole")))
        }
    };
    Ok((options, whole))
}

fn listener(
    call: unsafe extern "C" fn(*mut c_void, *const binlog_progress) -> i32,
    userdata: *mut c_void,
) -> OnProgress {
    let userdata = Userdata { pointer: userdata, drop: None };
    Arc::new(move |progress: &CompressProgress| {
        // The whole struct, so the closure can be sent to another thread.
        let userdata: &Userdata = &userdata;
        let path = c_string(progress.path.as_os_str().as_bytes());
        let (done, bytes) = (progress.done, progress.bytes);
        let progress = binlog_progress { path: path.as_ptr(), done, bytes, reserved: [0; 2] };
        // SAFETY: the data behind `progress` outlives the call, and the userdata is the caller's own.
        unsafe { call(userdata.pointer, &progress) == 0 }
    })
}

/// # Safety
/// `each` may be called with `userdata`, and `count_out` is NULL or writable.
unsafe fn report_compressed(
    each: binlog_compressed_callback,
    userdata: *mut c_void,
    made: &[Compressed],
    count_out: *mut usize,
) {
    for one in made {
        let Some(each) = each else { break };
        let (path, source) = (c_string(one.path.as_os_str().as_bytes()), c_string(one.source.as_os_str().as_bytes()));
        let sha256 = one.sha256.as_ref().map(|sha256| c_string(sha256.as_bytes()));
        let compressed = binlog_compressed {
            path: path.as_ptr(),
            source: source.as_ptr(),
            sha256: sha256.as_ref().map_or(std::ptr::null(), |sha256| sha256.as_ptr()),
            sequence: one.sequence,
            records: one.records,
            bytes_before: one.bytes_before,
            bytes_after: one.bytes_after,
            source_removed: u32::from(one.source_removed),
            reserved32: 0,
            reserved: [0; 2],
        };
        // SAFETY: the data behind `compressed` outlives the call, and the caller promises the rest.
        unsafe { each(userdata, &compressed) };
    }
    // SAFETY: the caller's promise.
    if let Some(out) = unsafe { count_out.as_mut() } {
        *out = made.len();
    }
}
