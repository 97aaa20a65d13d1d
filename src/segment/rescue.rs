//! Finds the blocks of a segment whose beginning is damaged.

use std::sync::Arc;

use super::headers::each_header;
use super::moved::{confirms_marker, first_moved};
use super::recover::load_index;
use super::tail::{block_at, last_block, next_block};
use super::{map, reading, Bad, Scanner, Segment};
use crate::error::{Error, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::declaration::{FileHeader, Predecessor, DECLARATION, SPACE};
use crate::format::index::Row;
use crate::io::{self, Access, Directory};

/// A segment whose declaration or file header cannot be read, from the first block header in it that verifies. The
/// contents of its own header are taken from its name, and from a segment `beside` it in the same log as far as they
/// share them; the one before is best. `None` when there is no block.
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
    let Some((start, marker, block)) = first_remaining(&*file).map_err(failed)? else { return Ok(None) };
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
        // The segment's own values are lost with its beginning.
        dictionary: vec![],
        incompatible: known.incompatible & SPACE,
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

/// Sets the segment's first id to that of the first row of its index, if blocks before its first remaining one are
/// lost.
pub(crate) fn with_first_id_by_index(segment: Segment) -> Result<Segment> {
    let segment = Arc::new(segment);
    let by_index = first_row(&segment)?.filter(|row| row.offset < segment.start).map(|row| row.first_id);
    let mut segment = Arc::into_inner(segment).ok_or_else(|| Error::corrupt("the segment is read elsewhere"))?;
    segment.header.first_id =
        by_index.map_or(segment.header.first_id, |first_id| first_id.min(segment.header.first_id));
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
        // Each is nearer to the beginning, so this ends.
        if window.previous >= at {
            return Ok(None);
        }
        at = window.previous;
    }
    Ok(first)
}

/// The error for a file that begins with the header of another segment.
pub(crate) const ANOTHERS_HEADER: &str = "the file header is another segment's than the blocks behind it";

/// Whether the segment's header belongs to another one: no block has its marker, and some in the file have another.
pub(crate) fn is_headed_by_another(segment: &Segment) -> Result<bool> {
    let is_own = segment.translated.is_some()
        || segment.is_unborn
        || block_at(segment, segment.start)?.is_some()
        || next_block(segment, segment.start)?.is_some();
    if is_own {
        return Ok(false);
    }
    let failed = |e: std::io::Error| reading(&e).at(&segment.path);
    let found = first_remaining(&*segment.file).map_err(failed)?;
    Ok(found.is_some_and(|(_, marker, _)| marker != segment.header.marker))
}

/// Whether something in the file verifies as a block's header, where it was written or elsewhere. True for a file that
/// cannot be read.
pub(crate) fn has_block(directory: &dyn Directory, name: &str) -> bool {
    match directory.open(name, Access::Read) {
        Err(e) => !io::is_no_file(&e),
        Ok(file) => io::inflated(file)
            .and_then(|file| Ok(first_block(&*file)?.is_some() || first_moved(&*file)?.is_some()))
            .unwrap_or(true),
    }
}

/// Where reading begins, the marker of the segment, and its first block header, in a file of which nothing else is
/// known. The checksum of a header alone does not prove its marker: a byte that is missing in front of it can turn one
/// marker into another, and the offset, which is in the sum too, makes up for that. The marker is that of a block whose
/// entries confirm it, if there is one.
fn first_remaining(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, BlockHeader)>> {
    let mut first = None;
    let whole = each_header(file, |offset, marker, bytes| {
        let Ok(header) = BlockHeader::decode(bytes, marker, offset) else { return Ok(None) };
        let found = (offset, marker, header);
        if confirms_marker(file, offset, marker, &found.2)? {
            return Ok(Some(found));
        }
        first.get_or_insert(found);
        Ok(None)
    })?;
    let confirmed = match whole {
        Some(found) => Some(found),
        // All remaining blocks may be moved, because bytes are missing at the beginning or were inserted there.
        None => first_moved(file)?.map(|(offset, written_at, marker, block)| (offset.min(written_at), marker, block)),
    };
    Ok(match (first, confirmed) {
        (Some(first), Some(confirmed)) if first.1 == confirmed.1 && first.0 < confirmed.0 => Some(first),
        (first, confirmed) => confirmed.or(first),
    })
}

/// Offset and marker of the first bytes that verify as a block header with the marker that they begin with.
pub(super) fn first_block(file: &dyn io::File) -> std::io::Result<Option<(u64, u64, BlockHeader)>> {
    each_header(file, |offset, marker, bytes| {
        let header = BlockHeader::decode(bytes, marker, offset).ok();
        Ok(header.map(|header| (offset, marker, header)))
    })
}
