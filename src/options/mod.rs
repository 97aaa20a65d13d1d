//! The options of writers and readers: defaults and validation, no input or output.

mod appender;
mod compress;
mod hooks;
mod loss;
mod name;
mod roll;
mod ship;
mod types;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::codec::Codec;
use crate::format::limits;
use crate::io::clock::Clock;
use crate::store::{Opener, StoreOptions};

pub use appender::AppenderOptions;
pub use compress::{CompressOptions, CompressProgress, Dictionary, OnProgress, Whole, COMPRESSED_BLOCK_BYTES};
pub use hooks::{Hook, Hooks, OnFailure, SegmentFile};
pub use loss::{Loss, LossKind, OnLoss};
pub(crate) use name::check_name;
pub use roll::{Period, Retention, RollCheck, RollOptions, SegmentState, DEFAULT_TEMPLATE};
pub use ship::ShipOptions;
pub use types::TypeOptions;

/// How a log is written. `WriterOptions::default()` with the fields of interest changed is the usual way to make one.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Name of the log; begins the file names of a directory log. 1 to 128 bytes, no slash, no leading dot.
    pub name: String,
    /// The MIME type of the payloads.
    pub content_type: String,
    /// The user's own parameters of the log, stored in every segment's file header.
    pub parameters: BTreeMap<String, String>,
    /// Compression of payloads, block by block.
    pub codec: Codec,
    /// zstd's level; 0 = 1.
    pub codec_level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB. A block is the unit of checksumming, compressing and
    /// skipping; a larger one costs fewer bytes a record and compresses better.
    pub block_bytes: u32,
    /// A directory log rolls to a new segment rather than let one grow over this many bytes. A segment contains at least
    /// one block, and can be larger because of it: a block of small records has up to 256 KiB of entries. `u64::MAX` =
    /// never.
    pub segment_bytes: u64,
    /// An INDEX block is written after so many bytes of the file, 64 MiB by default. An opening after a crash may have
    /// to read as much. At least 4 KiB.
    pub index_bytes: u64,
    /// The longest payload that is accepted, up to 2 GiB - 1.
    pub record_max_bytes: u64,
    /// How many bytes the schemas of the log's types may have together ([`crate::Writer::type_of`]), up to 64 MiB: each
    /// segment begins with all of them. 0 = 1 MiB.
    pub schema_bytes: u64,
    /// How far the flushed position may lag behind the appended one.
    pub flush: Lag,
    /// How far the durable position may lag behind the appended one.
    pub sync: Lag,
    /// How many bytes a segment is filled with zeros ahead of its blocks: an fdatasync then commits data alone, which on
    /// ext4 takes two thirds of the time. The file is up to so much longer than its contents until it is closed, and
    /// everything is written twice; where a sync contains much data, nothing is filled. `None`, the default, is 1 MiB if
    /// [`Self::sync`] syncs at least each 64 records, each 64 KiB or each 10 ms, and 0 otherwise. 0 is never; 64 MiB is
    /// the most. A segment is filled only if it was begun so.
    pub fill_ahead: Option<u64>,
    /// Permission bits of files that are created, whatever the umask is.
    pub file_mode: u32,
    /// Encode and write in one background thread, in parallel to the callers' work. Without it, the thread whose append
    /// fills a block writes it.
    pub background: bool,
    /// What an append does when the disk is full.
    pub full_disk: FullDisk,
    /// When a directory log rolls besides its size, and how its segments are named.
    pub roll: RollOptions,
    /// Which old segments are removed.
    pub keep: Retention,
    /// Functions that are called when segments begin and end.
    pub hooks: Hooks,
    /// A [`crate::event::HEARTBEAT`] is written when this has passed since the last one, by the background thread or in
    /// [`crate::Writer::tick`]: it shows a reader that the writer of a quiet log is alive. `None` = never.
    pub heartbeat: Option<Duration>,
    /// Number of the group that owns files that are created; `None` = the system's default.
    pub file_group: Option<u32>,
    /// The requirements for an existing log; otherwise opening fails with [`crate::Kind::Mismatch`].
    pub require: Required,
    /// The source of the time.
    pub clock: Clock,
    /// Closed segments are shipped to a store, by a thread of the library. Do not combine this with hooks that move or
    /// remove segments: what is gone cannot be shipped. `None` = the log is not shipped.
    pub ship: Option<ShipOptions>,
}

/// What the file headers of a log must contain for it to be opened: a program that finds another log than it was made
/// for should not read it, and must not append to it. `Required::default()` accepts any log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// The log's name.
    pub name: Option<String>,
    /// The MIME type of the payloads.
    pub content_type: Option<String>,
    /// These parameters, with these values; there may be others.
    pub parameters: BTreeMap<String, String>,
}

/// What a writer does when the disk, the quota or the file size limit is full (`ENOSPC`, `EDQUOT`, `EFBIG`). In every
/// case nothing is rolled or deleted to make room, records that were taken stay in memory and in order until they can
/// be written, and writing continues once there is space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FullDisk {
    /// The call fails with [`crate::Kind::NoSpace`]; an append fails before it takes its record.
    #[default]
    Fail,
    /// Append, flush, sync, roll and close try again ten times a second until there is space, or until this time has
    /// passed (`None` = no limit), and then fail as with [`FullDisk::Fail`]. Opening a log,
    /// [`crate::Writer::tick`] and the background thread do not wait.
    Wait(Option<Duration>),
    /// An append that finds no room drops its record, which takes no id: it returns `Ok(0)` and counts in
    /// [`crate::Writer::dropped`]. A batch is dropped as a whole. The writer tries again after twenty times as long as
    /// the last try took, at most 100 ms, so a full disk does not slow the callers down. Once there is space, a
    /// [`crate::event::DROPPED`] comes before the next record. A type's new name is not dropped:
    /// [`crate::Writer::type_id`] fails, as do flush, sync, roll and close as long as taken records cannot be written.
    Drop,
}

/// How far one position of a writer may lag behind another. An append that would exceed `records` or `bytes` flushes or
/// syncs before it returns. The background thread keeps `interval`; without one it is checked in each append and in
/// [`crate::Writer::tick`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Every so many records; 1 = before each append returns.
    pub records: Option<u64>,
    /// Every so many bytes of payload.
    pub bytes: Option<u64>,
    /// At the latest after this time since a record was appended.
    pub interval: Option<Duration>,
}

/// Payload bytes of a block by default; see `docs/decisions/0003-block-target.md` for the reasons.
pub const DEFAULT_BLOCK_BYTES: u32 = 128 << 10;

/// Bytes that the schemas of a log may have together by default.
const DEFAULT_SCHEMA_BYTES: u64 = 1 << 20;

/// The most that a segment may be filled ahead.
const FILL_MOST: u64 = 64 << 20;

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions {
            name: "default".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            parameters: BTreeMap::new(),
            codec: Codec::None,
            codec_level: 0,
            block_bytes: DEFAULT_BLOCK_BYTES,
            segment_bytes: 1 << 30,
            index_bytes: 64 << 20,
            record_max_bytes: limits::RECORD_DEFAULT,
            schema_bytes: 0,
            flush: Lag { interval: Some(Duration::from_secs(1)), ..Lag::default() },
            sync: Lag::default(),
            fill_ahead: None,
            file_mode: 0o640,
            background: false,
            full_disk: FullDisk::Fail,
            roll: RollOptions::default(),
            keep: Retention::default(),
            hooks: Hooks::default(),
            heartbeat: None,
            file_group: None,
            require: Required::default(),
            clock: Clock::default(),
            ship: None,
        }
    }
}

impl WriterOptions {
    /// How far segments are filled ahead.
    pub(crate) fn filled_ahead(&self) -> u64 {
        let is_at_most = |limit: Option<u64>, most: u64| limit.is_some_and(|limit| limit <= most);
        let Lag { records, bytes, interval } = self.sync;
        let is_often = is_at_most(records, 64)
            || is_at_most(bytes, 64 << 10)
            || interval.is_some_and(|interval| interval <= Duration::from_millis(10));
        self.fill_ahead.unwrap_or(if is_often { 1 << 20 } else { 0 })
    }

    /// Refuses parameters that do not fit into the header of each segment, besides what the library writes there.
    fn check_header(&self) -> Result<()> {
        const OTHERS: usize = 16 << 10;
        let pairs = self.parameters.iter().map(|(key, value)| key.len() + value.len() + 16);
        let bytes = pairs.sum::<usize>() + self.content_type.len();
        match bytes <= limits::FILE_HEADER - OTHERS {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "parameters and content type take {bytes} bytes; the header of a segment has room for {}",
                limits::FILE_HEADER - OTHERS
            ))),
        }
    }

    pub(crate) fn schema_bytes(&self) -> u64 {
        match self.schema_bytes {
            0 => DEFAULT_SCHEMA_BYTES,
            most => most,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.ship.as_ref().map_or(Ok(()), ShipOptions::check)?;
        check_name(&self.name)?;
        self.check_header()?;
        self.roll.check()?;
        self.keep.check()?;
        if self.heartbeat == Some(Duration::ZERO) {
            return Err(Error::invalid("a heartbeat every 0 seconds; leave it out instead"));
        }
        if !limits::BLOCK_TARGET.contains(&self.block_bytes) {
            return Err(Error::invalid(format!(
                "block_bytes is {}; it may be {} to {}",
                self.block_bytes,
                limits::BLOCK_TARGET.start(),
                limits::BLOCK_TARGET.end()
            )));
        }
        if self.record_max_bytes == 0 || self.record_max_bytes > limits::RECORD {
            let reason = format!("record_max_bytes is {}; it may be 1 to {}", self.record_max_bytes, limits::RECORD);
            return Err(Error::invalid(reason));
        }
        if self.schema_bytes > limits::SCHEMAS {
            let (given, most) = (self.schema_bytes, limits::SCHEMAS);
            return Err(Error::invalid(format!("schema_bytes is {given}; it may be up to {most}")));
        }
        if self.segment_bytes < u64::from(self.block_bytes) {
            let (given, block) = (self.segment_bytes, self.block_bytes);
            return Err(Error::invalid(format!(
                "segment_bytes is {given}, less than one block (block_bytes, {block})"
            )));
        }
        if self.index_bytes < 4 << 10 {
            return Err(Error::invalid(format!("index_bytes is {}; it may be 4096 or more", self.index_bytes)));
        }
        if let Some(fill_ahead) = self.fill_ahead.filter(|&bytes| bytes > FILL_MOST) {
            return Err(Error::invalid(format!("fill_ahead is {fill_ahead}; it may be 0 to {FILL_MOST}")));
        }
        if self.file_mode & !0o777 != 0 || self.file_mode & 0o600 != 0o600 {
            let reason = format!("file_mode is {:#o}; it must let the owner read and write", self.file_mode);
            return Err(Error::invalid(reason));
        }
        if !self.codec.is_available() {
            return Err(Error::new(
                crate::error::Kind::Unsupported,
                format!("this build of the library has no codec {:?}", self.codec),
            ));
        }
        if !(-100..=22).contains(&self.codec_level) {
            return Err(Error::invalid(format!("codec_level is {}; it may be -100 to 22", self.codec_level)));
        }
        for (what, lag) in [("flush", self.flush), ("sync", self.sync)] {
            if lag.records == Some(0) || lag.bytes == Some(0) || lag.interval == Some(Duration::ZERO) {
                return Err(Error::invalid(format!("a {what} rule of zero; leave the rule out instead")));
            }
        }
        Ok(())
    }
}

/// What a reader does about bytes that are not a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReaderMode {
    /// Reads the good beginning. Damage is an error, once everything before it has been read. A torn tail, which a
    /// crash leaves, is an end that [`crate::Cursor::tail`] reports.
    #[default]
    Prefix,
    /// A torn tail, an end without a clean close and a damaged index are errors too; [`crate::Cursor::tail`]
    /// distinguishes the first two from damage.
    Strict,
    /// Continues after damage, and reports each [`Loss`] to [`ReaderOptions::on_loss`].
    Salvage,
}

/// How a log is read.
#[derive(Clone, Default)]
pub struct ReaderOptions {
    /// What to do about bytes that are not a block.
    pub mode: ReaderMode,
    /// Called with each loss, only in the mode [`ReaderMode::Salvage`]: in the thread that reads, before the records
    /// after the loss are returned. It must not use the cursor that reads.
    pub on_loss: Option<OnLoss>,
    /// Read only the log of this name, of several in a directory or a pattern; `None` = all of them.
    pub log: Option<String>,
    /// The requirements for the log; otherwise opening fails with [`crate::Kind::Mismatch`].
    pub require: Required,
    /// For a log in an object store: a directory of this machine that caches what was fetched. It is created when it
    /// does not exist, and any number of processes of one user may share it. A directory that others may write is
    /// refused: they could put records into the log. `None` = nothing is cached.
    pub cache: Option<PathBuf>,
    /// How many bytes that directory may hold; the least recently used files are removed first. 0 = 1 GiB.
    pub cache_bytes: u64,
    /// For a log in an object store: a file of `KEY=VALUE` lines with the credentials, which others must not be able to
    /// read. `None` = the credentials come from the environment, or from the machine itself.
    pub credentials: Option<PathBuf>,
    /// For a log in an object store: opens stores of other kinds than directories
    /// ([`crate::store::StoreOptions::opener`]).
    pub opener: Option<Opener>,
    /// The most memory, in bytes, that reading one block may take: its bytes as they are stored, and those they are
    /// decompressed to, payload and entries. A block that takes more is [`crate::Kind::TooLarge`], and a loss for a
    /// reader that salvages. Parts that are not read do not count, such as the payload when only headers are read. 0 =
    /// [`DEFAULT_BLOCK_MAX_BYTES`].
    pub block_max_bytes: u64,
}

/// Memory that reading a block may take by default: 4 GiB. That is enough for every block that a writer makes without
/// compression, and for every record with it; use a lower limit for a log from an untrusted source.
pub const DEFAULT_BLOCK_MAX_BYTES: u64 = 4 << 30;

impl ReaderOptions {
    /// How the stores of URLs are accessed.
    pub(crate) fn store(&self) -> StoreOptions {
        StoreOptions { credentials: self.credentials.clone(), opener: self.opener.clone(), ..StoreOptions::default() }
    }

    pub(crate) fn block_max_bytes(&self) -> u64 {
        match self.block_max_bytes {
            0 => DEFAULT_BLOCK_MAX_BYTES,
            most => most,
        }
    }
}

impl fmt::Debug for ReaderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderOptions").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Which records a cursor returns. `Filter::default()` returns all. The index of a segment, if it has one, avoids
/// reading blocks without a wanted record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this id on.
    pub from_id: Option<u64>,
    /// Up to and including this id.
    pub to_id: Option<u64>,
    /// From this time on, in nanoseconds since the Unix epoch.
    pub from_time: Option<i64>,
    /// Before this time.
    pub to_time: Option<i64>,
    /// Of these types, or of those named below; of all when both are empty.
    pub types: Vec<u32>,
    /// Of types with these names.
    pub type_names: Vec<String>,
    /// With each of these metadata pairs.
    pub metadata: Vec<(String, String)>,
    /// Only the last so many of those that the rest of the filter accepts, in the same order; more that are appended
    /// later follow. Events do not count. If damage hides some of them, those after it are returned, and then the
    /// error; a reader that salvages returns the last ones that can be saved.
    pub last: Option<u64>,
    /// From the newest record to the oldest. Records appended after the cursor was opened are not returned. If records
    /// were removed, this is reported at the end ([`crate::Kind::Missed`]).
    pub newest_first: bool,
    /// Never read the bytes of payloads: [`crate::Record::payload`] is empty.
    pub headers_only: bool,
    /// Return the library's own events too.
    pub events: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_bound_is_kept() {
        WriterOptions::default().check().unwrap();
        let wrong: [fn(&mut WriterOptions); 13] = [
            |o| o.name = "a/b".into(),
            |o| drop(o.parameters.insert("a parameter".into(), "x".repeat(1 << 20))),
            |o| o.block_bytes = 100,
            |o| o.block_bytes = 17 << 20,
            |o| o.record_max_bytes = 1 << 31,
            |o| o.record_max_bytes = 0,
            |o| o.schema_bytes = (64 << 20) + 1,
            |o| o.segment_bytes = 10,
            |o| o.index_bytes = 10,
            |o| o.file_mode = 0o444,
            |o| o.codec_level = 23,
            |o| o.flush.records = Some(0),
            |o| o.sync.interval = Some(Duration::ZERO),
        ];
        for (i, change) in wrong.iter().enumerate() {
            let mut options = WriterOptions::default();
            change(&mut options);
            assert!(options.check().is_err(), "change {i}");
        }
    }
}
