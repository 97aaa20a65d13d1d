//! What readers report to those who want to hear of it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Kind;
use crate::format::Malformed;

/// Something that a reader could not read, or passes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What it is.
    pub kind: LossKind,
    /// The file it was in, or that shows that it is missing.
    pub path: PathBuf,
    /// The bytes that were passed over: where they begin, and how many.
    pub offset: u64,
    /// 0 when bytes that should follow are not there at all.
    pub bytes: u64,
    /// First and last id of the records that are lost, where it can be told; `None` when none are, or nobody knows.
    pub ids: Option<(u64, u64)>,
    /// Number of the first page of 4 KiB of the block's payload that is damaged, and of how many; `None` when it is not
    /// pages that are.
    pub pages: Option<(u64, u64)>,
    /// What is wrong with the bytes.
    pub reason: String,
    /// Whether they had been made durable: then a disk or a person damaged them, and not a crash.
    pub durable: bool,
}

impl Loss {
    /// How many records are known to be lost.
    pub fn records(&self) -> u64 {
        self.ids.map_or(0, |(first, last)| last - first + 1)
    }
}

/// Takes note of a loss.
pub type OnLoss = Arc<dyn Fn(&Loss) + Send + Sync>;

/// What a [`Loss`] is. Later versions may add kinds. The numbers are those of the C interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum LossKind {
    /// Bytes that are not what was written.
    Damage = 1,
    /// The end of a log that a crash tore: its bytes had never been durable.
    TornTail = 2,
    /// Bytes, records or segments that should be there are not.
    Missing = 3,
    /// The beginning of a segment is damaged, or nothing is left of it.
    HeaderLost = 4,
    /// Bytes were removed from the file, or put into it. What follows is read where it is now.
    Shifted = 5,
    /// Bytes that a power cut left, which are no blocks, as a later segment of the log says.
    Hole = 6,
    /// A file that holds a segment which is read from another one. No record is lost.
    Double = 7,
    /// A file that has the name of another segment. It is read in its place; no record is lost.
    Misnamed = 8,
    /// A damaged file whose segment is read from another one, compressed or not, or a copy. No record is lost.
    OtherForm = 9,
    /// Something that only a newer version of the library can read.
    Newer = 10,
    /// The name of a type.
    TypeName = 11,
    /// A damaged INDEX block, or an index that contradicts the records. No record is lost.
    Index = 12,
    /// A block that takes more memory than [`field@crate::ReaderOptions::block_max_bytes`].
    TooLarge = 13,
}

impl LossKind {
    /// The word for it that the command uses.
    pub fn name(self) -> &'static str {
        match self {
            LossKind::Damage => "damage",
            LossKind::TornTail => "torn_tail",
            LossKind::Missing => "missing",
            LossKind::HeaderLost => "header_lost",
            LossKind::Shifted => "shifted",
            LossKind::Hole => "hole",
            LossKind::Double => "double",
            LossKind::Misnamed => "misnamed",
            LossKind::OtherForm => "other_form",
            LossKind::Newer => "newer",
            LossKind::TypeName => "type_name",
            LossKind::Index => "index",
            LossKind::TooLarge => "too_large",
        }
    }

    /// Of a file of which nothing can be read because of an error of this kind.
    pub(crate) fn of_file(error: Kind) -> Self {
        match error {
            Kind::Unsupported => LossKind::Newer,
            _ => LossKind::HeaderLost,
        }
    }

    /// Of bytes with which this is wrong.
    pub(crate) fn of(reason: &Malformed) -> Self {
        match reason {
            Malformed::Missing(_) => LossKind::Missing,
            Malformed::Repeated(_) => LossKind::Double,
            Malformed::Shifted(_) => LossKind::Shifted,
            Malformed::Beginning => LossKind::HeaderLost,
            Malformed::TypeName(_) => LossKind::TypeName,
            Malformed::Index(_) => LossKind::Index,
            Malformed::TooLarge(_) => LossKind::TooLarge,
            Malformed::Version(..)
            | Malformed::Transcoder(_)
            | Malformed::Features(_)
            | Malformed::Newer(_)
            | Malformed::NoCodec(_)
            | Malformed::Dictionary => LossKind::Newer,
            Malformed::Magic
            | Malformed::Short(_)
            | Malformed::Checksum(_)
            | Malformed::Page { .. }
            | Malformed::Marker
            | Malformed::Inconsistent(_)
            | Malformed::NoMemory(_) => LossKind::Damage,
        }
    }
}
