//! Converts the caller's options to the library's own.

use std::time::Duration;

use super::types::*;
use crate::compression::CompressOptions;
use crate::error::{Error, Result};
use crate::ffi::compress::compress_options;
use crate::ffi::guard::*;
use crate::ffi::rolling::retention;
use crate::ffi::types::*;
use crate::shipping::ShipOptions;
use crate::store::Opener;

/// Longer times have no limit: 100 years, which can still be added to any time of day.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn options(given: *const binlog_ship_options) -> Result<ShipOptions> {
    // SAFETY: the caller's promise.
    let given = unsafe { sized(given, "binlog_ship_options") }?;
    check_reserved("binlog_ship_options", &given.reserved)?;
    if given.flags & !(BINLOG_SHIP_NO_ROLL_AT_CLOSE | BINLOG_SHIP_DRY_RUN) != 0 {
        return Err(Error::invalid(format!("binlog_ship_options.flags has unknown bits: {:#x}", given.flags)));
    }
    let mut options = ShipOptions {
        roll_at_close: given.flags & BINLOG_SHIP_NO_ROLL_AT_CLOSE == 0,
        dry_run: given.flags & BINLOG_SHIP_DRY_RUN != 0,
        ..ShipOptions::default()
    };
    // SAFETY: the caller's promises.
    unsafe {
        options.url = text(given.url, "binlog_ship_options.url")?.to_owned();
        options.keep = retention(given.keep)?;
        options.keep_remote = retention(given.keep_remote)?;
        options.store.credentials = path_if_any(given.credentials, "binlog_ship_options.credentials")?;
        if !given.compress.is_null() {
            options.compress = Some(compression(given.compress)?);
        }
    }
    if given.in_flight != 0 {
        options.store.in_flight = given.in_flight;
    }
    if given.part_bytes != 0 {
        options.store.part_bytes = given.part_bytes;
    }
    options.store.bandwidth = given.bandwidth;
    // SAFETY: the caller's promise.
    options.store.opener = unsafe { Opener::of_c(given.open_store, given.open_store_userdata) };
    if given.threads != 0 {
        options.threads = given.threads;
    }
    if given.file_mode != 0 {
        options.file_mode = given.file_mode;
    }
    for (to, ms) in [
        (&mut options.store.timeout, given.timeout_ms),
        (&mut options.first_delay, given.first_delay_ms),
        (&mut options.longest_delay, given.longest_delay_ms),
        (&mut options.patience, given.patience_ms),
        (&mut options.stale, given.stale_ms),
        (&mut options.close_wait, given.close_wait_ms),
    ] {
        if ms != 0 {
            *to = Duration::from_millis(ms).min(FOR_EVER);
        }
    }
    // A first delay that is longer than the default of the longest one is valid.
    if given.longest_delay_ms == 0 {
        options.longest_delay = options.longest_delay.max(options.first_delay);
    }
    Ok(options)
}

/// # Safety
/// `given` is valid.
unsafe fn compression(given: *const binlog_compress_options) -> Result<CompressOptions> {
    // SAFETY: the caller's promise.
    let (options, whole) = unsafe { compress_options(given) }?;
    let refused = match whole {
        Some(_) => "whole",
        None if options.progress.is_some() => "on_progress",
        None if options.keep_source => "BINLOG_COMPRESS_KEEP_SOURCE",
        None if options.remove_single => "BINLOG_COMPRESS_REMOVE_SINGLE",
        None if options.dry_run => "BINLOG_COMPRESS_DRY_RUN",
        None => return Ok(options),
    };
    Err(Error::invalid(format!("binlog_ship_options.compress has {refused} set, which shipping does not do")))
}
