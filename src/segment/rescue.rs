//! Finds the blocks of a segment whose beginning is damaged.

use std::sync::Arc;

use super::{map, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, HEADER};
use crate::format::declaration::{FileHeader, Predecessor};
use crate::io::{self, Access, Directory};
use crate::memory;

const WINDOW: usize = 1 << 20;

/// A segment of which declaration or file header cannot be read, by the first block header in it that verifies. What its
/// own header said is taken from its name, and from a segment `beside` it in the same log, as far as they share it: best
/// the one before. `None` when there is no block.
pub(crate) fn rescue(
    directory: &dyn Directory,
    name: &str,
    (log, sequence): (&str, u64),
    beside: Option<&Arc<Segment>>,
) -> Result<Option<Segment>> {
    let path = directory.path_of(name);
    let file = match directory.open(name, Access::Read) {
        Err(e) if io::is_no_file(&e) => return Ok(None),
        opened => opened.map_err(|e| Error::io(&e, "open").at(&path))?,
    };
    let file = io::inflated(file).map_err(|e| Error::io(&e, "read").at(&path))?;
    let Some((start, marker, block)) = first_block(&*file).map_err(|e| Error::io(&e, "read").at(&path))? else {
        return Ok(None);
    };
    let known = beside
        .map_or_else(|| FileHeader { name: log.to_owned(), ..FileHeader::default() }, |other| other.header.clone());
    let before = beside.filter(|beside| beside.header.sequence.checked_add(1) == Some(sequence));
    let predecessor = before.map(|before| Predecessor {
        sequence: before.header.sequence,
        marker: before.header.marker,
        ..Predecessor::default()
    });
    let header = FileHeader {
        marker,
        sequence,
        first_id: if sequence == 1 { 1 } else { block.first_id },
        predecessor,
        recovered: None,
        original: None,
        // What the segment had of its own is lost with its beginning.
        dictionary: vec![],
        incompatible: 0,
        log_id: if known.log_id.is_empty() { vec![0; 16] } else { known.log_id.clone() },
        ..known
    };
    let cache = map::Cache::default();
    Ok(Some(Segment {
        file,
        name: name.to_owned(),
        path,
        header,
        start,
        is_rescued: true,
        is_unborn: false,
        translated: None,
        is_ours: false.into(),
        block_max_bytes: u64::MAX,
        cache,
    }))
}

/// Offset and marker of the first bytes that verify as a block header with the marker that they begin with.
pub(super) fn first_block(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, BlockHeader)>> {
    let mut window = memory::zeros(WINDOW)?;
    let mut at = 0;
    loop {
        let n = io::read_full(file, &mut window, at)?;
        for (i, bytes) in window[..n].windows(HEADER).enumerate() {
            // Kind, codec and flags of every block that this version writes: nearly all other bytes fail here.
            if matches!(bytes[12..16], [1..=3, 0..=2, 0..=3, 0]) {
                let mut marker = [0; 8];
                marker.copy_from_slice(&bytes[..8]);
                let (marker, offset) = (u64::from_le_bytes(marker), at + i as u64);
                if let Some(header) = BlockHeader::decode(bytes, marker, offset).ok().filter(|_| marker != 0) {
                    return Ok(Some((offset, marker, header)));
                }
            }
        }
        if n < WINDOW {
            return Ok(None);
        }
        at += (n - (HEADER - 1)) as u64;
    }
}
