//! State of a cursor that continues after damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::record::NamedType;

/// State of a salvaging cursor.
#[derive(Default)]
pub(super) struct Salvage {
    /// Losses before this id are not reported.
    pub from_id: u64,
    /// The offset up to which the current segment was durable, once that has been determined.
    pub durable_end: Option<u64>,
    /// It was reported that segments are missing at the end of the current log.
    pub reported_end: bool,
    /// Where the last reported loss in the current segment ends.
    pub reported_to: u64,
    /// Nothing more can be read from the current segment.
    pub gave_up: bool,
    /// The current segment was entered, but its index was not looked at yet.
    pub is_to_begin: bool,
    /// Segments that were skipped because their records had been shown before.
    pub repeated: Vec<PathBuf>,
    pub names: LostNames,
}

/// What a salvaging cursor knows of names.
#[derive(Default)]
pub(super) struct LostNames {
    pub log_id: Vec<u8>,
    /// The names of the log, as far as it was read.
    pub known: BTreeMap<u32, NamedType>,
    /// Something of the current segment was lost, and the names in the segments before and after it have been read
    /// since.
    pub is_looked_for: bool,
    /// Types whose names were reported lost.
    pub reported: BTreeSet<u32>,
}
