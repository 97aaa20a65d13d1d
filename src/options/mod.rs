//! What writers and readers can be told: defaults and validation, no input or output.

mod archive;
mod hooks;
mod loss;
mod roll;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::codec::Codec;
use crate::format::limits;
use crate::io::clock::Clock;
use crate::store::Opener;

pub use archive::ShipOptions;
pub use hooks::{Hook, Hooks, OnFailure, SegmentFile};
pub use loss::{Loss, LossKind, OnLoss};
pub use roll::{Period, Retention, RollCheck, RollOptions, SegmentState, DEFAULT_TEMPLATE};

/// How a log is written. `WriterOptions::default()` with the fields of interest changed is the usual way to make one.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Name of the log; begins the file names of a directory log. 1 to 128 bytes, no slash, no leading dot.
    pub name: String,
    /// What the payloads are, as a MIME type.
    pub content_type: String,
    /// Facts of the user's own about the log, kept in every segment's file header.
    pub parameters: BTreeMap<String, String>,
    /// Compression of payloads, block by block.
    pub codec: Codec,
    /// zstd's level; 0 = 1.
    pub codec_level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB. A block is the unit of checksumming, compressing and
    /// skipping; a larger one costs fewer bytes a record and compresses better.
    pub block_bytes: u32,
    /// A directory log rolls to a new segment rather than let one grow over this many bytes. `u64::MAX` = never.
    pub segment_bytes: u64,
    /// The index of a segment grows by a piece after so many bytes of the file, 64 MiB by default: it is what an opening
    /// after a crash may have to look through. At least 4 KiB.
    pub index_bytes: u64,
    /// The longest payload that is accepted, up to 2 GiB - 1.
    pub record_max_bytes: u64,
    /// How far the flushed position may lag behind the appended one.
    pub flush: Lag,
    /// How far the durable position may lag behind the appended one.
    pub sync: Lag,
    /// Permission bits of files that are created, whatever the umask is.
    pub file_mode: u32,
    /// Encode and write in one background thread, so that this overlaps with the callers' work. Without it, the
    /// thread whose append fills a block writes it.
    pub background: bool,
    /// What an append does that finds the disk full.
    pub full_disk: FullDisk,
    /// When a directory log rolls besides its size, and what its segments are called.
    pub roll: RollOptions,
    /// Which old segments are removed.
    pub keep: Retention,
    /// What is called when segments begin and end.
    pub hooks: Hooks,
    /// A [`crate::event::HEARTBEAT`] is written when this has passed since the last one, by the background thread or in
    /// [`crate::Writer::tick`]: a reader sees by it that the writer of a quiet log is alive. `None` = never.
    pub heartbeat: Option<Duration>,
    /// Number of the group that owns files that are created; `None` = as the system gives it.
    pub file_group: Option<u32>,
    /// What a log that is there already must be: [`crate::Kind::Mismatch`] otherwise.
    pub require: Required,
    /// Where the time comes from.
    pub clock: Clock,
    /// Closed segments are shipped to a store, by a thread of the library's. Hooks that move or remove segments do not go
    /// together with that: what is gone cannot be shipped. `None` = nothing of the kind.
    pub archive: Option<ShipOptions>,
}

/// What the file headers of a log must say for it to be opened: a program that finds another log than it was made for
/// should not read it, and still less append to it. `Required::default()` takes any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// The log's name.
    pub name: Option<String>,
    /// What the payloads are, as a MIME type.
    pub content_type: Option<String>,
    /// These parameters, with these values; there may be others.
    pub parameters: BTreeMap<String, String>,
}

/// What a writer does when the disk, the quota or the file size limit is full (`ENOSPC`, `EDQUOT`, `EFBIG`). Whatever
/// it is: nothing is rolled or deleted to make room, what was taken stays in memory and in order until it can be
/// written, and writing goes on once there is space.
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
    /// [`crate::Writer::dropped`]. A batch is dropped whole. Whether there is space again is tried after twenty times as
    /// long as the last try took, 100 ms at most, so that a full disk does not slow the callers down. Once there is, a [`crate::event::DROPPED`] comes
    /// before the next record. A type's new name is not dropped: [`crate::Writer::type_id`] fails, as do flush, sync,
    /// roll and close as long as taken records cannot be written.
    Drop,
}

/// How far one position of a writer may lag behind another. An append that would exceed `records` or `bytes` flushes
/// or syncs before it returns. `interval` is kept by the background thread; without one it is looked at in each
/// append and in [`crate::Writer::tick`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Every so many records; 1 = before each append returns.
    pub records: Option<u64>,
    /// Every so many bytes of payload.
    pub bytes: Option<u64>,
    /// At the latest so long after a record was appended.
    pub interval: Option<Duration>,
}

/// Payload bytes of a block by default; `docs/decisions/0003-block-target.md` says why.
pub const DEFAULT_BLOCK_BYTES: u32 = 128 << 10;

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
            flush: Lag { interval: Some(Duration::from_secs(1)), ..Lag::default() },
            sync: Lag::default(),
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
            archive: None,
        }
    }
}

impl WriterOptions {
    /// Refuses what does not fit into the header of each segment, beside what the library writes there.
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

    pub(crate) fn check(&self) -> Result<()> {
        self.archive.as_ref().map_or(Ok(()), ShipOptions::check)?;
        crate::log::check_name(&self.name)?;
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
        if self.segment_bytes < u64::from(self.block_bytes) {
            let (given, block) = (self.segment_bytes, self.block_bytes);
            return Err(Error::invalid(format!(
                "segment_bytes is {given}, less than one block (block_bytes, {block})"
            )));
        }
        if self.index_bytes < 4 << 10 {
            return Err(Error::invalid(format!("index_bytes is {}; it may be 4096 or more", self.index_bytes)));
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

/// What a reader does about bytes that are no block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReaderMode {
    /// Reads the good beginning. Damage is an error, once everything before it has been read; a torn tail, which a
    /// crash leaves behind, is an end that [`crate::Cursor::tail`] tells of.
    #[default]
    Prefix,
    /// A torn tail, an end without a clean close and a damaged index are errors too; [`crate::Cursor::tail`] tells the first two
    /// from damage.
    Strict,
    /// Goes on behind damage, and reports each [`Loss`] to [`ReaderOptions::on_loss`].
    Salvage,
}

/// How a log is read.
#[derive(Clone, Default)]
pub struct ReaderOptions {
    /// What to do about bytes that are no block.
    pub mode: ReaderMode,
    /// Is told of each loss, in the mode [`ReaderMode::Salvage`] alone: in the thread that reads, before the records
    /// behind the loss are shown. It must not use the cursor that reads.
    pub on_loss: Option<OnLoss>,
    /// Of the logs of a directory or a pattern, the one of this name alone is read; `None` = all of them.
    pub log: Option<String>,
    /// What the log must be: [`crate::Kind::Mismatch`] otherwise.
    pub require: Required,
    /// For a log in an object store: a directory of this machine that keeps what was fetched, so that it is not fetched
    /// again. It is made unless it is there, and any number of processes of one user may share it. One that others may write is
    /// refused: they could put records into the log. `None` = nothing is kept.
    pub cache: Option<PathBuf>,
    /// How many bytes that directory may hold; what was not used for longest goes first. 0 = 1 GiB.
    pub cache_bytes: u64,
    /// For a log in an object store: a file of `KEY=VALUE` lines with the credentials, which others must not be able to
    /// read. `None` = the environment has them, or the machine itself.
    pub credentials: Option<PathBuf>,
    /// For a log in an object store: opens stores of other kinds than directories ([`crate::store::StoreOptions::opener`]).
    pub opener: Option<Opener>,
    /// The most memory, in bytes, that reading one block may take: its bytes as they are stored, and those they are
    /// decompressed to, payload and entries. A block that takes more is [`crate::Kind::TooLarge`], and a loss for a reader
    /// that salvages. What is not read does not count, such as the payload when only headers are read. 0 =
    /// [`DEFAULT_BLOCK_MAX_BYTES`].
    pub block_max_bytes: u64,
}

/// Memory that reading a block may take by default: 4 GiB. That is every block that a writer makes without compression,
/// and every record with it; a log from somebody else is better read with a lower bound.
pub const DEFAULT_BLOCK_MAX_BYTES: u64 = 4 << 30;

impl ReaderOptions {
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

/// Which records a cursor shows. `Filter::default()` shows all. The index of a segment, where it has one, keeps blocks
/// without a wanted record from being read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this id on.
    pub from_id: Option<u64>,
    /// Up to this id, which is shown too.
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
    /// Only the last so many of those that the rest of the filter lets through, in the same order; more that are
    /// appended later follow. Events do not count. Where damage hides some of them, those behind it are shown, and then
    /// the error; a reader that salvages shows the last that can be saved.
    pub last: Option<u64>,
    /// From the newest record to the oldest. What is appended after the cursor was opened is not shown. What was removed
    /// is told at the end ([`crate::Kind::Missed`]).
    pub newest_first: bool,
    /// Never touch the bytes of payloads: [`crate::Record::payload`] is empty.
    pub headers_only: bool,
    /// Show the library's own events too.
    pub events: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_bound_is_kept() {
        WriterOptions::default().check().unwrap();
        let wrong: [fn(&mut WriterOptions); 12] = [
            |o| o.name = "a/b".into(),
            |o| drop(o.parameters.insert("a parameter".into(), "x".repeat(1 << 20))),
            |o| o.block_bytes = 100,
            |o| o.block_bytes = 17 << 20,
            |o| o.record_max_bytes = 1 << 31,
            |o| o.record_max_bytes = 0,
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
