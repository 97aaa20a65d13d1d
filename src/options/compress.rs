//! How finished segments are compressed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::codec::Codec;
use crate::format::limits;

/// Default payload bytes of a block of a compressed segment.
pub const COMPRESSED_BLOCK_BYTES: u32 = 1 << 20;

/// How finished segments are compressed, and what happens to their sources.
#[derive(Clone)]
pub struct CompressOptions {
    /// The codec of the blocks.
    pub codec: Codec,
    /// zstd's level, 1 to 22, or below 0 for the fast ones. Default 3. LZ4 has no levels.
    pub level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB, 1 MiB by default. To show one record, its whole block is
    /// read and decompressed.
    pub block_bytes: u32,
    /// Threads that compress and compare, including the calling one: 1 to 64. With 1, none is started.
    pub threads: u32,
    /// Whether a segment may get a zstd dictionary.
    pub dictionary: Dictionary,
    /// The source stays beside the new file; readers use one of the two.
    pub keep_source: bool,
    /// The source is removed even if it is a log of one file, which otherwise stays.
    pub remove_single: bool,
    /// The name of the file contains its SHA-256: `<stem>.z.<64 hexadecimal digits>.binlog`.
    pub sha256_name: bool,
    /// Nothing is written: returns what would be done.
    pub dry_run: bool,
    /// In a directory, only the segments of the log of this name.
    pub log: Option<String>,
    /// Is called with the progress.
    pub progress: Option<OnProgress>,
}

impl fmt::Debug for CompressOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompressOptions")
            .field("codec", &self.codec)
            .field("level", &self.level)
            .field("block_bytes", &self.block_bytes)
            .field("threads", &self.threads)
            .field("dictionary", &self.dictionary)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// The progress of the work on one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressProgress {
    /// The file that is being read.
    pub path: PathBuf,
    /// Bytes of it that were read, to write them and to compare them with what was written: in the end twice `bytes`.
    pub done: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Is called with the progress, about once for each 4 MiB, and when a segment begins, is written and is compared, on
/// the calling thread. When it returns false the work stops: the call fails, and leaves everything as it was before the
/// current segment.
pub type OnProgress = Arc<dyn Fn(&CompressProgress) -> bool + Send + Sync>;

/// The format of a file that is compressed as a whole, for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// gzip (RFC 1952): `<name>.gz`.
    Gzip,
    /// Zstandard, one frame with its content size and a checksum: `<name>.zst`.
    Zstd,
}

impl Whole {
    /// Refuses what this build lacks, and a level that the format lacks.
    pub(crate) fn check(self, level: i32) -> Result<()> {
        if self == Whole::Gzip && !(1..=9).contains(&level) {
            return Err(Error::invalid(format!("gzip has the levels 1 to 9, and not {level}")));
        }
        let is_available = match self {
            Whole::Gzip => cfg!(feature = "gzip"),
            Whole::Zstd => cfg!(feature = "zstd"),
        };
        match is_available {
            true => Ok(()),
            false => Err(Error::new(crate::Kind::Unsupported, format!("this build of the library has no {self:?}"))),
        }
    }
}

/// Whether a segment gets a zstd dictionary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dictionary {
    /// For blocks of 256 KiB and less, if a trial with some of them shows that it saves clearly more than it takes; in
    /// larger ones it saves little, and compressing takes two thirds more time. Without the feature `zstd`, which
    /// contains the trainer, no segment gets a dictionary.
    #[default]
    Auto,
    /// None.
    Never,
}

impl Default for CompressOptions {
    fn default() -> Self {
        CompressOptions {
            codec: Codec::Zstd,
            level: 3,
            block_bytes: COMPRESSED_BLOCK_BYTES,
            threads: 1,
            dictionary: Dictionary::Auto,
            keep_source: false,
            remove_single: false,
            sha256_name: false,
            dry_run: false,
            log: None,
            progress: None,
        }
    }
}

impl CompressOptions {
    /// Refuses invalid options.
    pub(crate) fn check(&self) -> Result<()> {
        if self.codec == Codec::None || !self.codec.is_available() {
            let which = if self.codec == Codec::None { "no codec is" } else { "a codec that this build lacks was" };
            return Err(Error::new(crate::Kind::Unsupported, format!("{which} asked for to compress with")));
        }
        if !(-131_072..=22).contains(&self.level) {
            return Err(Error::invalid(format!("zstd has no level {}", self.level)));
        }
        if !limits::BLOCK_TARGET.contains(&self.block_bytes) {
            return Err(Error::invalid(format!("a block has 4096 bytes to 16 MiB, not {}", self.block_bytes)));
        }
        if !(1..=64).contains(&self.threads) {
            return Err(Error::invalid(format!("1 to 64 threads may compress, not {}", self.threads)));
        }
        self.log.as_deref().map_or(Ok(()), super::check_name)
    }
}
