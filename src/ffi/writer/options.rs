//! Converts the C options of a writer.

use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::guard::*;
use crate::ffi::hooks::{failure_listener, hooks_of};
use crate::ffi::required::{parameters, required};
use crate::ffi::rolling::{retention, roll_options};
use crate::ffi::ship::ship_by;
use crate::ffi::types::*;
use crate::hooks::Hooks;
use crate::io::group_number;
use crate::{Codec, FullDisk, Lag, WriterOptions};

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
            options.name = text(given.name, "binlog_writer_options.name")?.to_owned();
        }
        if !given.content_type.is_null() {
            options.content_type = text(given.content_type, "binlog_writer_options.content_type")?.to_owned();
        }
        options.parameters = parameters(given.parameters, given.parameter_count, "binlog_writer_options.parameters")?;
        if !given.file_group.is_null() {
            options.file_group = Some(group(path(given.file_group, "binlog_writer_options.file_group")?)?);
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
