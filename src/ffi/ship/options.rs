//! Where a log is shipped to, and how.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::types::*;
use crate::compression::CompressOptions;
use crate::error::{Error, Result};
use crate::ffi::compress::{binlog_compress_options, compress_options};
use crate::ffi::guard::*;
use crate::ffi::rolling::{binlog_retention, retention};
use crate::shipping::ShipOptions;
use crate::store::table::binlog_store_open_callback;
use crate::store::Opener;
use crate::WriterOptions;

/// Where a log is shipped to, and how. Zeros are the defaults; only url is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_ship_options {
    /// sizeof(binlog_ship_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_SHIP_NO_ROLL_AT_CLOSE, BINLOG_SHIP_DRY_RUN.
    pub flags: u32,
    /// Concurrent requests for the parts of one segment: 1 to 64; 0 = 4.
    pub in_flight: u32,
    /// The store: `s3://BUCKET/PREFIX?region=...`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX?account=...`,
    /// `swift://CONTAINER/PREFIX?auth=...`, `file:///DIRECTORY` or `exec:COMMAND`, which finds the file's path in the
    /// environment variable BINLOG_PATH and its name in BINLOG_NAME; docs/stores.md lists all of their options. A URL
    /// that contains something secret is refused.
    pub url: *const c_char,
    /// A file of KEY=VALUE lines with the credentials, which other users must not be able to read; NULL = they are in
    /// the environment, or are provided by the machine itself.
    pub credentials: *const c_char,
    /// Which segments stay here after the store contains them; NULL = all. A segment that the store does not contain
    /// stays in any case, and so do those after it. Before a file is removed the store is asked once more.
    pub keep: *const binlog_retention,
    /// Each segment is compressed before it is shipped, and the source removed; NULL = segments are shipped as they
    /// are. whole, on_progress and the flags about sources and dry runs must be 0.
    pub compress: *const binlog_compress_options,
    /// Segments over this many bytes are sent in parts of this size, up to 1 GiB, or of a larger size if there would be
    /// more than 1000; 0 = 8 MiB. An upload holds as many parts in memory as are in flight. S3, Google and Azure
    /// require 5 MiB at least.
    pub part_bytes: u64,
    /// Bytes per second that are sent at most; 0 = no limit.
    pub bandwidth: u64,
    /// After this many milliseconds without any progress a request has failed; 0 = 30000.
    pub timeout_ms: u64,
    /// Longest wait after a first failure, and, doubling, after one of many, in milliseconds; 0 = 1000 and 300000. The
    /// time is chosen at random between nothing and that: many clients that fail at once do not return at once.
    pub first_delay_ms: u64,
    pub longest_delay_ms: u64,
    /// For how many milliseconds binlog_shipper_run retries without any progress before it fails; 0 = 300000.
    pub patience_ms: u64,
    /// At the start, uploads of this log that any process began longer ago than this are given up, to stop the cost of
    /// their leftovers; in milliseconds, 0 = 7 days.
    pub stale_ms: u64,
    /// Within a writer: for how many milliseconds binlog_writer_close continues shipping; 0 = 5000. The rest is shipped
    /// when the log is opened again.
    pub close_wait_ms: u64,
    /// Permission bits of `<log>.archive`, the file in the log's directory that records the stage of each segment; 0 =
    /// 0640.
    pub file_mode: u32,
    /// Threads that ship, 1 to 64; 0 = 1, which is only the calling one. With more, this many compute the checksums of
    /// a segment that is sent in parts, and while one segment is completed, the next ones, one less than this number,
    /// are read already, and their parts are sent. They are still completed in their order.
    pub threads: u32,
    /// Which segments stay in the store: the others are removed there when one was shipped, and once an hour; NULL =
    /// all stay.
    pub keep_remote: *const binlog_retention,
    /// Opens a store that is neither a directory, a command nor one of libbinlog_stores, during the call that received
    /// these options, possibly more than once. Called for each URL except those of directories and commands; if it
    /// returns BINLOG_E_UNSUPPORTED, libbinlog_stores is asked. May be NULL.
    pub open_store: binlog_store_open_callback,
    /// Passed to open_store.
    pub open_store_userdata: *mut c_void,
    /// Must be 0.
    pub reserved: [u64; 3],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_ship_options {}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_ship_options>() == 168);
};

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
        options.url = text(given.url, "the store's URL")?.to_owned();
        options.keep = retention(given.keep)?;
        options.keep_remote = retention(given.keep_remote)?;
        options.store.credentials = path_if_any(given.credentials, "the file of credentials")?;
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
        Some(_) => "a whole file's format",
        None if options.progress.is_some() => "a progress function",
        None if options.keep_source => "the keeping of the source",
        None if options.remove_single => "the removal of a single source",
        None if options.dry_run => "a dry run",
        None => return Ok(options),
    };
    Err(Error::invalid(format!("the compression of what is shipped has {refused} set, which shipping does not do")))
}

/// Adds shipping to a writer's options, if it is requested.
///
/// # Safety
/// `given` is NULL or valid with what it points to.
pub(in crate::ffi) unsafe fn ship_by(writer: &mut WriterOptions, given: *const binlog_ship_options) -> Result<()> {
    if given.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    let options = unsafe { options(given) }?;
    if options.dry_run {
        return Err(Error::invalid("BINLOG_SHIP_DRY_RUN is for shippers: a writer ships what it writes"));
    }
    writer.ship = Some(options);
    Ok(())
}
