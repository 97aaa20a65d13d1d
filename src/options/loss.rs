//! The losses that readers report.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Kind;
use crate::format::Malformed;

/// Something that a reader could not read, or skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What it is.
    pub kind: LossKind,
    /// The file that it was in, or that shows that it is missing.
    pub path: PathBuf,
    /// Offset of the bytes that were skipped.
    pub offset: u64,
    /// Length of the bytes that were skipped; 0 when bytes that should follow are missing entirely.
    pub bytes: u64,
    /// First and last id of the lost records, if known; `None` when none are lost, or it is not known.
    pub ids: Option<(u64, u64)>,
    /// Number of the first damaged page of 4 KiB of the block's payload, and how many are damaged; `None` when the
    /// damage is not in pages.
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

/// Called with each loss.
pub type OnLoss = Arc<dyn Fn(&Loss) + Send + Sync>;

/// The kind of a [`Loss`]. Later versions may add kinds. The numbers are those of the C interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum LossKind {
    /// Bytes that are not what was written.
    Damage = 1,
    /// The torn end of a log after a crash: its bytes had never been durable.
    TornTail = 2,
    /// Bytes, records or segments that should exist are missing.
    Missing = 3,
    /// The beginning of a segment is damaged, or nothing is left of it.
    HeaderLost = 4,
    /// Bytes were removed from the file, or inserted into it. The following bytes are read where they are now.
    Shifted = 5,
    /// Bytes that a power cut left, which are no blocks, according to a later segment of the log.
    Hole = 6,
    /// A file that holds a segment which is read from another file. No record is lost.
    Double = 7,
    /// A file that has the name of another segment. Its own segment is read in its place; no record is lost.
    Misnamed = 8,
    /// A damaged file whose segment is read from another file, compressed or not, or a copy. No record is lost.
    OtherForm = 9,
    /// Something that only a newer version of the library can read.
    Newer = 10,
    /// The lost name of a type.
    TypeName = 11,
    /// A damaged INDEX block, or an index that contradicts the records. No record is lost.
    Index = 12,
    /// A block that takes more memory than [`field@crate::ReaderOptions::block_max_bytes`].
    TooLarge = 13,
}

impl LossKind {
    /// The name that the command uses.
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

    /// The kind for a file that cannot be read at all because of an error of this kind.
    pub(crate) fn of_file(error: Kind) -> Self {
        match error {
            Kind::Unsupported => LossKind::Newer,
            _ => LossKind::HeaderLost,
        }
    }

    /// The kind for bytes that are malformed in this way.
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
