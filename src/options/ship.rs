//! Where a log is shipped to, and how.

use std::time::Duration;

use super::{CompressOptions, Retention};
use crate::error::{Error, Result};
use crate::io::clock::Clock;
use crate::store::StoreOptions;

/// How closed segments are shipped. `ShipOptions { url, ..ShipOptions::default() }` is the usual way to make one.
#[derive(Clone, Debug)]
pub struct ShipOptions {
    /// The store, such as `s3://bucket/logs?region=eu-central-1`, `swift://container/logs?auth=…` or
    /// `file:///mnt/archive`; `docs/stores.md` describes all of them. It must not contain secrets.
    pub url: String,
    /// Credentials, parts, limits: how the store is accessed.
    pub store: StoreOptions,
    /// Each segment is compressed first, and its source removed: `None` = it is shipped as it is. The options for
    /// sources, dry runs, logs and progress have no effect here.
    pub compress: Option<CompressOptions>,
    /// Which segments stay here once the store holds them. A segment that the store does not hold stays in any case,
    /// and so do the later ones. Before a file is removed the store is asked once more. `Retention::default()` keeps
    /// everything.
    pub keep: Retention,
    /// Which segments stay in the store. The others are removed there after each segment that was shipped, and once an
    /// hour, as [`crate::rolling::prune`] of its URL does. `Retention::default()` keeps everything.
    pub keep_remote: Retention,
    /// Number of threads, 1 to 64; with 1 it is only the one that ships. With more, this many compute the checksums of
    /// a segment that is sent in parts. While one segment becomes an object, up to one less than this many of the next
    /// ones are read already, and their parts are sent. They still become objects in order.
    pub threads: u32,
    /// The longest wait after a first failure; it doubles after each further one, up to `longest_delay`. The time is
    /// chosen at random between zero and that, so that many shippers that fail at once do not retry at once.
    pub first_delay: Duration,
    /// See `first_delay`. A failure that needs the user's action is tried again at about this interval.
    pub longest_delay: Duration,
    /// How long [`crate::shipping::Shipper::run_once`] tries again without any progress before it fails.
    pub patience: Duration,
    /// Uploads of this log that were begun longer ago than this, by any process, are aborted at the start; they cost
    /// nothing any longer.
    pub stale: Duration,
    /// Within a writer: closing it rolls first; then all records are in segments that can be shipped.
    pub roll_at_close: bool,
    /// Within a writer: how long closing it continues to ship. The rest is shipped when the log is opened again.
    pub close_wait: Duration,
    /// Permission bits of `<log>.archive`.
    pub file_mode: u32,
    /// Nothing is written, sent or removed: [`crate::shipping::Shipper::run_once`] only reports what it would do.
    pub dry_run: bool,
    /// The source of the time, for the ages of `keep` and in reports.
    pub clock: Clock,
}

impl Default for ShipOptions {
    fn default() -> Self {
        ShipOptions {
            url: String::new(),
            store: StoreOptions::default(),
            compress: None,
            keep: Retention::default(),
            keep_remote: Retention::default(),
            threads: 1,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(300),
            patience: Duration::from_secs(300),
            stale: Duration::from_secs(7 * 86_400),
            roll_at_close: true,
            close_wait: Duration::from_secs(5),
            file_mode: 0o640,
            dry_run: false,
            clock: Clock::default(),
        }
    }
}

impl ShipOptions {
    pub(crate) fn check(&self) -> Result<()> {
        self.keep.check()?;
        self.keep_remote.check()?;
        self.compress.as_ref().map_or(Ok(()), CompressOptions::check)?;
        if !(1..=64).contains(&self.threads) {
            return Err(Error::invalid(format!("1 to 64 threads may compute checksums, not {}", self.threads)));
        }
        if self.first_delay.is_zero() || self.longest_delay < self.first_delay {
            let reason = "first_delay must be longer than nothing, and longest_delay at least as long";
            return Err(Error::invalid(reason));
        }
        if self.keep.unshipped || self.keep_remote.unshipped {
            return Err(Error::invalid(
                "shipping a log removes nothing that is not in the store: leave `unshipped` out",
            ));
        }
        Ok(())
    }
}
