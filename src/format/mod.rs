//! The bytes of a segment, version 2.0, and nothing else: pure functions over slices that know no files.
//! `docs/format.md` and `docs/judging.md` say the same in prose.

pub mod block;
pub mod checksum;
pub mod codec;
pub mod declaration;
pub mod draft;
pub mod entries;
pub mod filter;
pub mod index;
pub mod metadata;
pub mod packed;
pub mod tally;
pub mod trailer;
pub mod varint;

use crate::memory::NoMemory;

/// What is wrong with some bytes. The layers above add the file and the offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("not a binlog file: the first bytes are not BINLOG")]
    Magic,
    #[error("format version {0}.{1} is newer than this library reads (2.x)")]
    Version(u8, u8),
    #[error("the file header is written with transcoder {0}, which this library does not know")]
    Transcoder(u8),
    #[error("the file uses features (bits {0:#x}) that this library does not know")]
    Features(u64),
    #[error("the block has {0}, which this library does not know: a newer version reads it")]
    Newer(String),
    #[error("the block is compressed with {0:?}, which this build of the library does not have")]
    NoCodec(codec::Codec),
    #[error("the segment is compressed with a zstd dictionary, and this build of the library has no zstd")]
    Dictionary,
    #[error("the {0} is cut short")]
    Short(&'static str),
    #[error("the {0} fails its checksum")]
    Checksum(&'static str),
    #[error("page {page} of the payload fails its checksum")]
    Page { page: usize },
    #[error("no block begins here: the marker is missing")]
    Marker,
    #[error("{0}")]
    Inconsistent(String),
    /// Bytes, records or segments that should be here.
    #[error("{0}")]
    Missing(String),
    /// A segment whose records were there before.
    #[error("{0}")]
    Repeated(String),
    /// Bytes that were removed from the file or put into it.
    #[error("{0}")]
    Shifted(String),
    #[error("the beginning of the segment is damaged")]
    Beginning,
    #[error("the name of the type {0} is lost")]
    TypeName(u32),
    /// What is wrong with an INDEX block, which costs no record.
    #[error("{0}")]
    Index(String),
    /// A block that takes more memory than may be used.
    #[error("{0}")]
    TooLarge(String),
    /// Nothing is wrong with the bytes.
    #[error("{0}")]
    NoMemory(NoMemory),
}

impl Malformed {
    pub(crate) fn inconsistent(reason: impl Into<String>) -> Self {
        Malformed::Inconsistent(reason.into())
    }

    #[cold]
    pub(crate) fn miscounted() -> Self {
        Self::inconsistent("the entries of the block do not add up to what its header says")
    }
}

/// The bounds that every reader checks before it allocates.
pub mod limits {
    /// Protobuf file header, in bytes.
    pub const FILE_HEADER: usize = 1 << 20;
    /// Metadata of one record, in bytes and in pairs.
    pub const METADATA: usize = 16 << 20;
    pub const METADATA_PAIRS: u64 = 65_535;
    /// The name of a type and its MIME type, in bytes, that a reader takes note of; a writer gives no longer ones.
    pub const TYPE_NAME: usize = 64 << 10;
    /// Payload of one record unless the writer's options say otherwise, and what an option may say at most.
    pub const RECORD_DEFAULT: u64 = 1 << 30;
    pub const RECORD: u64 = (1 << 31) - 1;
    /// A stored or decoded region of one block.
    pub const REGION: u64 = (1 << 31) - 1;
    /// Holes that a file header names.
    pub const HOLES: usize = 4096;
    /// The zstd dictionary in a file header.
    pub const DICTIONARY: usize = 112 << 10;
    /// Payload bytes at which a block ends: the range that an option may choose from.
    pub const BLOCK_TARGET: std::ops::RangeInclusive<u32> = 4 << 10..=16 << 20;
    #[cfg(feature = "zstd")]
    /// The window of a zstd decoder, as a power of two: 8 MiB.
    pub const ZSTD_WINDOW_LOG: u32 = 23;
}
