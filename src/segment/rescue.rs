//! Finds the blocks of a segment whose beginning is damaged.

use std::sync::Arc;

use super::moved::first_moved;
use super::recover::load_index;
use super::tail::{block_at, last_block, next_block};
use super::{map, reading, Bad, Scanner, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind, HEADER};
use crate::format::declaration::{FileHeader, Predecessor, DECLARATION};
use crate::format::index::Row;
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
    let failed = |e: std::io::Error| reading(&e).at(&path);
    let file = io::inflated(file).map_err(failed)?;
    let (start, marker, block) = match first_block(&*file).map_err(failed)? {
        Some(found) => found,
        // All that is left is moved, by bytes that are missing at the beginning or that were put there.
        None => match first_moved(&*file).map_err(failed)? {
            Some((offset, written_at, marker, block)) => (offset.min(written_at), marker, block),
            None => return Ok(None),
        },
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
        declaration: DECLARATION,
        start,
        is_rescued: true,
        is_unborn: false,
        translated: None,
        is_ours: false.into(),
        block_max_bytes: u64::MAX,
        cache,
    }))
}

/// The segment, whose first id is the one that the first row of its index tells, if blocks before its first one are lost.
pub(crate) fn with_first_id_by_index(segment: Segment) -> Result<Segment> {
    let segment = Arc::new(segment);
    let told = first_row(&segment)?.filter(|row| row.offset < segment.start).map(|row| row.first_id);
    let mut segment = Arc::into_inner(segment).ok_or_else(|| Error::corrupt("the segment is read elsewhere"))?;
    segment.header.first_id = told.map_or(segment.header.first_id, |first_id| first_id.min(segment.header.first_id));
    Ok(segment)
}

/// The first row of the oldest INDEX block, if the chain of them can be followed.
fn first_row(segment: &Arc<Segment>) -> Result<Option<Row>> {
    let Some((offset, last)) = last_block(segment)? else { return Ok(None) };
    let mut at = if last.kind == BlockKind::Index { offset } else { last.last_index };
    let mut first = None;
    while at != 0 {
        let window = match load_index(&mut Scanner::new(segment.clone(), at)) {
            Ok((_, window, _)) => window,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        first = window.rows.into_iter().next().or(first);
        // Ever nearer to the beginning, so this ends.
        if window.previous >= at {
            return Ok(None);
        }
        at = window.previous;
    }
    Ok(first)
}

/// What is said of a file that begins with the header of another segment.
pub(crate) const ANOTHERS_HEADER: &str = "the file header is another segment's than the blocks behind it";

/// Whether the segment's header is another one's: no block has its marker, and some in the file have another.
pub(crate) fn is_headed_by_another(segment: &Segment) -> Result<bool> {
    let is_own = segment.translated.is_some()
        || segment.is_unborn
        || block_at(segment, segment.start)?.is_some()
        || next_block(segment, segment.start)?.is_some();
    if is_own {
        return Ok(false);
    }
    let failed = |e: std::io::Error| reading(&e).at(&segment.path);
    let marker = match first_block(&*segment.file).map_err(failed)? {
        Some((_, marker, _)) => Some(marker),
        None => first_moved(&*segment.file).map_err(failed)?.map(|(_, _, marker, _)| marker),
    };
    Ok(marker.is_some_and(|marker| marker != segment.header.marker))
}

/// Whether anything in the file verifies as a block's header, where it was written or elsewhere. A file that cannot be read may hold some.
pub(crate) fn has_block(directory: &dyn Directory, name: &str) -> bool {
    match directory.open(name, Access::Read) {
        Err(e) => !io::is_no_file(&e),
        Ok(file) => io::inflated(file)
            .and_then(|file| Ok(first_block(&*file)?.is_some() || first_moved(&*file)?.is_some()))
            .unwrap_or(true),
    }
}

/// Offset and marker of the first bytes that verify as a block header with the marker that they begin with.
pub(super) fn first_block(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, BlockHeader)>> {
    each_header(file, |offset, marker, bytes| {
        let header = BlockHeader::decode(bytes, marker, offset).ok();
        Ok(header.map(|header| (offset, marker, header)))
    })
}

/// Shows what may be the header of a block, with its offset and its marker, until `each` takes it for one.
pub(super) fn each_header<T>(
    file: &dyn io::File,
    mut each: impl FnMut(u64, u64, &[u8]) -> std::io::Result<Option<T>>,
) -> std::io::Result<Option<T>> {
    let mut window = memory::zeros(WINDOW)?;
    let mut at = 0;
    loop {
        let n = io::read_full(file, &mut window, at)?;
        for (i, bytes) in window[..n].windows(HEADER).enumerate() {
            // Kind, codec and flags of every block that this version writes: nearly all other bytes fail here.
            if matches!(bytes[12..16], [1..=3, 0..=2, 0..=3, 0]) {
                let mut marker = [0; 8];
                marker.copy_from_slice(&bytes[..8]);
                let marker = u64::from_le_bytes(marker);
                let found = if marker == 0 { None } else { each(at + i as u64, marker, bytes)? };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        if n < WINDOW {
            return Ok(None);
        }
        at += (n - (HEADER - 1)) as u64;
    }
}
