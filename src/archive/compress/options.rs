//! How finished segments are compressed.

use std::fmt;

use super::progress::OnProgress;
use crate::error::{Error, Result};
use crate::format::codec::Codec;
use crate::format::limits;
use crate::log::names;

/// Payload bytes of a block of a compressed segment, unless told otherwise.
pub const COMPRESSED_BLOCK_BYTES: u32 = 1 << 20;

/// How finished segments are compressed, and what becomes of them.
#[derive(Clone)]
pub struct CompressOptions {
    /// What blocks are compressed with.
    pub codec: Codec,
    /// zstd's level, 1 to 22, or below 0 for the fast ones. 3 unless told otherwise. LZ4 has none.
    pub level: i32,
    /// Payload bytes at which a block ends: 4 KiB to 16 MiB, 1 MiB unless told otherwise. A block is what is read and
    /// decompressed to show one record.
    pub block_bytes: u32,
    /// Threads that compress and compare, the calling one among them: 1 to 64. With 1, none is started.
    pub threads: u32,
    /// Whether a segment may get a zstd dictionary.
    pub dictionary: Dictionary,
    /// The source stays, beside what was made of it; readers take one of the two.
    pub keep_source: bool,
    /// The source goes also when it is a log of one file, which stays else.
    pub remove_single: bool,
    /// The file's name tells its SHA-256: `<stem>.z.<64 hexadecimal digits>.binlog`. Needs the feature `archive`.
    pub sha256_name: bool,
    /// Nothing is written: what would be done is returned.
    pub dry_run: bool,
    /// Of a directory, only the segments of the log of this name.
    pub log: Option<String>,
    /// Is told how far the work has come.
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

/// What a whole file is compressed with, for the tools of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// gzip (RFC 1952): `<name>.gz`.
    Gzip,
    /// Zstandard, one frame with its content size and a checksum: `<name>.zst`.
    Zstd,
}

impl Whole {
    /// What is appended to the file's name.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Whole::Gzip => names::WHOLE[0],
            Whole::Zstd => names::WHOLE[1],
        }
    }

    pub(super) fn check(self) -> Result<()> {
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
    /// For blocks of 256 KiB and less, if a try with some of them shows that it saves clearly more than it takes; in larger ones
    /// it saves little, and compressing takes two thirds more time. Without the feature `archive`, which
    /// brings what makes dictionaries, none does.
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
    /// Refuses what cannot be.
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
        self.log.as_deref().map_or(Ok(()), crate::log::check_name)
    }
}
