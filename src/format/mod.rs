//! The bytes of a segment, version 2.0, and nothing else: pure functions over slices, independent of files.
//! `docs/format.md` and `docs/judging.md` describe the same in prose.

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
mod protobuf;
pub mod tally;
pub mod trailer;
pub mod types;
pub mod varint;

use std::fmt;

use crate::memory::NoMemory;

/// What is wrong with some bytes. The layers above add the file and the offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    Magic,
    Version(u8, u8),
    Transcoder(u8),
    Features(u64),
    Newer(String),
    NoCodec(codec::Codec),
    Dictionary,
    Short(&'static str),
    Checksum(&'static str),
    Page {
        page: usize,
    },
    Marker,
    Inconsistent(String),
    /// Missing bytes, records or segments.
    Missing(String),
    /// A segment whose records occurred before.
    Repeated(String),
    /// Bytes that were removed from the file or inserted into it.
    Shifted(String),
    Beginning,
    TypeName(u32),
    /// Damage of an INDEX block, which costs no record.
    Index(String),
    /// A block that takes more memory than may be used.
    TooLarge(String),
    /// Nothing is wrong with the bytes.
    NoMemory(NoMemory),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Magic => write!(f, "not a binlog file: the first bytes are not BINLOG"),
            Malformed::Version(major, minor) => {
                write!(f, "format version {major}.{minor} is newer than this library reads (2.x)")
            }
            Malformed::Transcoder(what) => {
                write!(f, "the file header is written with transcoder {what}, which this library does not know")
            }
            Malformed::Features(what) => {
                write!(f, "the file uses features (bits {what:#x}) that this library does not know")
            }
            Malformed::Newer(what) => {
                write!(f, "the block has {what}, which this library does not know: a newer version reads it")
            }
            Malformed::NoCodec(what) => {
                write!(f, "the block is compressed with {what:?}, which this build of the library does not have")
            }
            Malformed::Dictionary => {
                write!(f, "the segment is compressed with a zstd dictionary, and this build of the library has no zstd")
            }
            Malformed::Short(what) => write!(f, "the {what} is cut short"),
            Malformed::Checksum(what) => write!(f, "the {what} fails its checksum"),
            Malformed::Page { page } => write!(f, "page {page} of the payload fails its checksum"),
            Malformed::Marker => write!(f, "no block begins here: the marker is missing"),
            Malformed::Beginning => write!(f, "the beginning of the segment is damaged"),
            Malformed::TypeName(what) => write!(f, "the name of the type {what} is lost"),
            Malformed::Inconsistent(what)
            | Malformed::Missing(what)
            | Malformed::Repeated(what)
            | Malformed::Shifted(what)
            | Malformed::Index(what)
            | Malformed::TooLarge(what) => f.write_str(what),
            Malformed::NoMemory(what) => what.fmt(f),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<NoMemory> for Malformed {
    #[cold]
    fn from(refused: NoMemory) -> Self {
        Malformed::NoMemory(refused)
    }
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

/// The limits that every reader checks before it allocates.
pub mod limits {
    /// Protobuf file header, in bytes.
    pub const FILE_HEADER: usize = 1 << 20;
    /// Metadata of one record, in bytes and in pairs.
    pub const METADATA: usize = 16 << 20;
    pub const METADATA_PAIRS: u64 = 65_535;
    /// The texts of a type (name, MIME type, encoding, message), in bytes, that a reader stores; a writer accepts no
    /// longer ones.
    pub const TYPE_NAME: usize = 4096;
    /// A schema of types, and all schemas that a writer repeats in each segment, in bytes.
    pub const SCHEMA: usize = 1 << 20;
    pub const SCHEMAS: u64 = 64 << 20;
    /// Payload of one record unless the writer's options set another limit, and the greatest limit.
    pub const RECORD_DEFAULT: u64 = 1 << 30;
    pub const RECORD: u64 = (1 << 31) - 1;
    /// A stored or decoded region of one block.
    pub const REGION: u64 = (1 << 31) - 1;
    /// Holes that a file header names.
    pub const HOLES: usize = 4096;
    /// The zstd dictionary in a file header.
    pub const DICTIONARY: usize = 112 << 10;
    /// Payload bytes at which a block ends: the range of the option.
    pub const BLOCK_TARGET: std::ops::RangeInclusive<u32> = 4 << 10..=16 << 20;
    #[cfg(feature = "zstd")]
    /// The window of a zstd decoder, as a power of two: 8 MiB.
    pub const ZSTD_WINDOW_LOG: u32 = 23;
}
