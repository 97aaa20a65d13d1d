//! A legacy file as a segment of a log.

use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use super::{map, reading, Segment};
use crate::error::{Error, Result};
use crate::format::declaration::{FileHeader, Predecessor, DECLARATION};
use crate::io::Directory;
use crate::legacy::{Legacy, Translated, START};

/// What follows from the name of a legacy file and from the files beside it.
#[derive(Clone, Debug)]
pub(crate) struct Ancestry {
    pub log: String,
    pub log_id: Vec<u8>,
    pub sequence: u64,
    /// No other file of the log comes after it.
    pub is_last: bool,
}

impl Ancestry {
    /// The marker of the segment that represents the file number `sequence`.
    fn marker(&self, sequence: u64) -> u64 {
        let bytes = self.log_id.iter().copied().chain(sequence.to_le_bytes());
        // FNV-1a (Fowler, Noll, Vo), odd, as no marker is 0.
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) | 1
    }
}

impl Segment {
    /// Opens a legacy file, whose first record gets the id `first_id`.
    pub fn open_legacy(directory: &dyn Directory, name: &str, ancestry: &Ancestry, first_id: u64) -> Result<Self> {
        let path = directory.path_of(name);
        let failed = |e: std::io::Error| reading(&e).at(&path);
        let legacy = Legacy::find(directory, name).map_err(failed)?;
        let legacy = legacy.ok_or_else(|| Error::corrupt("the file is not what it was when it was found").at(&path))?;
        let mut parameters = legacy.parameters.clone();
        parameters.insert("legacy.format".to_owned(), legacy.form.name().to_owned());
        let before = ancestry.sequence.checked_sub(1).filter(|&before| before > 0);
        let header = FileHeader {
            created_ns: legacy.created_ns,
            name: ancestry.log.clone(),
            content_type: legacy.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            parameters,
            log_id: ancestry.log_id.clone(),
            marker: ancestry.marker(ancestry.sequence),
            sequence: ancestry.sequence,
            first_id,
            predecessor: before.map(|sequence| Predecessor {
                sequence,
                last_id: first_id - 1,
                bytes: 0,
                marker: ancestry.marker(sequence),
                ..Predecessor::default()
            }),
            ..FileHeader::default()
        };
        let translated = Arc::new(Translated::new(&legacy, header.marker, first_id, ancestry.is_last));
        Ok(Segment {
            file: translated.clone(),
            name: name.to_owned(),
            path,
            header,
            declaration: DECLARATION,
            start: START,
            is_rescued: false,
            is_unborn: false,
            translated: Some(translated),
            is_ours: AtomicBool::new(false),
            block_max_bytes: u64::MAX,
            cache: map::Cache::default(),
        })
    }
}
