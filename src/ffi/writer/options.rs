//! How a log is written.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::guard::*;
use crate::ffi::hooks::{binlog_failure_callback, binlog_hook, failure_listener, hooks_of};
use crate::ffi::required::{binlog_required, parameters, required};
use crate::ffi::rolling::{binlog_retention, binlog_roll_options, retention, roll_options};
use crate::ffi::ship::{binlog_ship_options, ship_by};
use crate::ffi::types::*;
use crate::hooks::Hooks;
use crate::io::group_number;
use crate::{Codec, FullDisk, Lag, WriterOptions};

/// How a log is written. Set it to zeros, or call binlog_writer_options_init, and change what is needed: zero means
/// the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_writer_options {
    /// sizeof(binlog_writer_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_WRITER_*.
    pub flags: u32,
    /// BINLOG_CODEC_*: compression of payloads, block by block.
    pub codec: u32,
    /// zstd's level; 0 = 1.
    pub codec_level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB; 0 = 128 KiB.
    pub block_bytes: u32,
    /// Name of the log, 1 to 128 bytes of UTF-8 without a slash, which begins its files' names; NULL = "default".
    pub name: *const c_char,
    /// The MIME type of the payloads; NULL = "application/octet-stream".
    pub content_type: *const c_char,
    /// The user's own facts: key, value, key, value ...; stored in every segment's header.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    /// Rolls to a new segment before one grows over this many bytes, at least block_bytes (128 KiB by default); 0 = 1
    /// GiB, UINT64_MAX = never. A segment contains at least one block, and can be larger because of it: a block of small
    /// records has up to 256 KiB of entries.
    pub segment_bytes: u64,
    /// The longest payload that is accepted, up to 2 GiB - 1; 0 = 1 GiB.
    pub record_max_bytes: u64,
    /// Flush before an append returns that would leave this many records, or bytes of payload, unflushed; 0 = no rule.
    pub flush_records: u64,
    pub flush_bytes: u64,
    /// Sync likewise: sync_records = 1 makes every append durable before it returns.
    pub sync_records: u64,
    pub sync_bytes: u64,
    /// Flush data of this age, in milliseconds: on time with the background thread, otherwise in the next append or
    /// binlog_writer_tick; 0 = 1000, BINLOG_NEVER.
    pub flush_interval_ms: u32,
    /// Sync likewise; 0 = never.
    pub sync_interval_ms: u32,
    /// Permission bits of new files, whatever the umask is; 0 = 0640.
    pub file_mode: u32,
    /// BINLOG_FULL_DISK_*: the policy for a full disk, quota or file size limit.
    pub full_disk: u32,
    /// With BINLOG_FULL_DISK_WAIT, the longest wait of a call, in milliseconds; 0 = no limit. Otherwise 0.
    pub full_disk_wait_ms: u64,
    /// A part of a segment's index is written after this many bytes of the file: opening after a crash may have to read
    /// that much; 0 = 64 MiB, at least 4096.
    pub index_bytes: u64,
    /// When a log of segments rolls besides its size, and how they are named; NULL = neither age nor period, and the
    /// default names.
    pub roll: *const binlog_roll_options,
    /// Which old segments are removed, after each roll and when the writer is opened; NULL = none.
    pub keep: *const binlog_retention,
    /// Requirements for an existing log; NULL = none.
    pub require: *const binlog_required,
    /// Called when a segment is begun, or an existing one is continued; in their order.
    pub on_open: *const binlog_hook,
    /// Number of hooks in on_open.
    pub on_open_count: usize,
    /// Called when a segment was closed and is durable, including the last one when the writer is closed.
    pub on_close: *const binlog_hook,
    /// Number of hooks in on_close.
    pub on_close_count: usize,
    /// Called for failures of anything but the writing of records; may be NULL. binlog_writer_failures counts them
    /// anyway.
    pub on_failure: binlog_failure_callback,
    /// Passed to on_failure.
    pub on_failure_userdata: *mut c_void,
    /// Called once with on_failure_userdata after the last call of on_failure, as binlog_hook.drop is.
    pub on_failure_drop: binlog_drop_callback,
    /// A BINLOG_EVENT_HEARTBEAT is written when this many milliseconds have passed since the last one, by the
    /// background thread or in binlog_writer_tick: it shows readers that the writer of a quiet log is alive; 0 = never.
    pub heartbeat_ms: u64,
    /// Group that owns new files: its name, or its number in digits; NULL = the system's default.
    pub file_group: *const c_char,
    /// Ships closed segments to a store, in a thread of the library; NULL = no shipping. on_failure is called for each
    /// failure. A log that is one file has no closed segments: BINLOG_E_UNSUPPORTED. It cannot be combined with hooks
    /// that move or remove segments, because those segments could not be shipped.
    pub ship: *const binlog_ship_options,
    /// How many bytes a segment is filled with zeros ahead of its blocks: an fdatasync then commits data alone, which
    /// on ext4 takes two thirds of the time. The file is up to so much longer than its contents until it is closed, and
    /// everything is written twice; where a sync contains much data, nothing is filled. 0 = 1 MiB if sync_records is 1
    /// to 64, sync_bytes 1 to 65,536 or sync_interval_ms 1 to 10, and never otherwise. BINLOG_FILL_NEVER = never; at
    /// most 64 MiB. A segment is filled only if it was begun so.
    pub fill_ahead_bytes: u64,
    /// How many bytes the schemas of the log's types may have together (binlog_writer_type_of): each segment begins with
    /// all of them. 0 = 1 MiB; at most 64 MiB.
    pub schema_bytes: u64,
    /// Must be 0.
    pub reserved: [u64; 3],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_writer_options {}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<binlog_writer_options>() == 280);
    assert!(offset_of!(binlog_writer_options, full_disk_wait_ms) == 120);
};

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

/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn writer_options(given: *const binlog_writer_options) -> Result<WriterOptions> {
    // SAFETY: the caller's promises.
    unsafe {
        let (given, unknown) = sized_unchecked(given, "binlog_writer_options")?;
        // First, and all of them, so each drop is called even if something else is wrong.
        let (roll, hooks) = (roll_options(given.roll), hooks(&given));
        unknown?;
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
            roll: roll?,
            keep: retention(given.keep)?,
            hooks: hooks?,
            heartbeat: nonzero(given.heartbeat_ms).map(Duration::from_millis),
            require: required(given.require)?,
            ..WriterOptions::default()
        };
        identity(&given, &mut options)?;
        sizes(&given, &mut options);
        ship_by(&mut options, given.ship)?;
        Ok(options)
    }
}

/// The name of a new log, its header's facts, and the permissions of its files.
///
/// # Safety
/// What `given` points to is valid.
unsafe fn identity(given: &binlog_writer_options, options: &mut WriterOptions) -> Result<()> {
    // SAFETY: the caller's promises.
    unsafe {
        if !given.name.is_null() {
            options.name = text(given.name, "the log's name")?.to_owned();
        }
        if !given.content_type.is_null() {
            options.content_type = text(given.content_type, "the content type")?.to_owned();
        }
        options.parameters = parameters(given.parameters, given.parameter_count, "the parameters")?;
        if !given.file_group.is_null() {
            options.file_group = Some(group(path(given.file_group, "the group of files")?)?);
        }
    }
    if given.file_mode != 0 {
        options.file_mode = given.file_mode;
    }
    Ok(())
}

fn group(group: &Path) -> Result<u32> {
    let number = group_number(group.as_os_str()).map_err(|e| Error::io(&e, "look up the group"))?;
    number.ok_or_else(|| Error::invalid(format!("there is no group {}", group.display())))
}

fn sizes(given: &binlog_writer_options, options: &mut WriterOptions) {
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
    options.fill_ahead = match given.fill_ahead_bytes {
        0 => None,
        BINLOG_FILL_NEVER => Some(0),
        bytes => Some(bytes),
    };
    options.schema_bytes = given.schema_bytes;
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
}

/// # Safety
/// What `given` points to is valid.
unsafe fn hooks(given: &binlog_writer_options) -> Result<Hooks> {
    let userdata = Userdata { pointer: given.on_failure_userdata, drop: given.on_failure_drop };
    let on_failure = failure_listener(given.on_failure, userdata);
    // SAFETY: the caller's promises.
    let (on_open, on_close) = unsafe {
        (
            hooks_of(given.on_open, given.on_open_count, "binlog_writer_options.on_open"),
            hooks_of(given.on_close, given.on_close_count, "binlog_writer_options.on_close"),
        )
    };
    Ok(Hooks { on_open: on_open?, on_close: on_close?, on_failure })
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

fn interval(ms: u32) -> Option<Duration> {
    (ms != BINLOG_NEVER).then(|| Duration::from_millis(u64::from(ms)))
}
