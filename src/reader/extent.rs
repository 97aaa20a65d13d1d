//! How many records a closed segment contains, and from when to when, from its index alone: the file is opened once.

use std::path::Path;
use std::sync::Arc;

use super::Reader;
use crate::error::Result;
use crate::format::entries::Entries;
use crate::format::index::Row;
use crate::format::trailer;
use crate::record::is_event;
use crate::segment::{Bad, Part, Scanner, Segment};

/// The records of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentExtent {
    /// How many there are, without events.
    pub records: u64,
    /// Times of the first and the last of them as they were written, in nanoseconds since the Unix epoch.
    pub times: Option<(i64, i64)>,
}

impl Reader {
    /// The records of one segment, which [`Self::paths`] names, if its writer closed it and its index is whole. `None`
    /// otherwise: use [`Self::only`] to read it. Reads the index, and the headers of two blocks; for a shipped segment
    /// in a store its catalog, if there is one.
    ///
    /// # Errors
    /// As [`Self::only`].
    pub fn extent_of(&self, path: impl AsRef<Path>) -> Result<Option<SegmentExtent>> {
        let at = self.place_of(path.as_ref())?;
        if let Some(summary) = self.summary(at) {
            return Ok(Some(SegmentExtent { records: summary.records, times: summary.times }));
        }
        let segment = self.snapshot.segment(at)?;
        let extent = extent(&segment);
        segment.forget_rows();
        match extent {
            Err(Bad::Io(error)) => Err(error),
            extent => Ok(extent.ok().flatten()),
        }
    }
}

fn extent(segment: &Arc<Segment>) -> Result<Option<SegmentExtent>, Bad> {
    let map = segment.indexed().map_err(Bad::Io)?;
    let end = map.end().unwrap_or(0) + trailer::LEN as u64;
    let is_whole = !segment.is_rescued && map.is_contiguous(segment.start) && segment.file_len() == Some(end);
    if !is_whole || segment.ends_with_trailer().map_err(Bad::Io)? != Some(true) {
        return Ok(None);
    }
    let mut records = 0;
    for part in &map.parts {
        records += segment.rows(part)?.rows.iter().map(|row| u64::from(row.count)).sum::<u64>();
    }
    if records == 0 {
        return Ok(Some(SegmentExtent { records, times: None }));
    }
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    let first = time(&mut scanner, segment, map.parts.iter(), false)?;
    let last = time(&mut scanner, segment, map.parts.iter().rev(), true)?;
    Ok(first.zip(last).map(|times| SegmentExtent { records, times: Some(times) }))
}

/// The time of the first record in these parts, or of the last one when they come in reverse order.
fn time<'a>(
    scanner: &mut Scanner,
    segment: &Arc<Segment>,
    parts: impl Iterator<Item = &'a Part>,
    last: bool,
) -> Result<Option<i64>, Bad> {
    let has_records = |row: &&Row| row.count > 0;
    for part in parts {
        let window = segment.rows(part)?;
        let row = match last {
            true => window.rows.iter().rfind(has_records),
            false => window.rows.iter().find(has_records),
        };
        let Some(row) = row else { continue };
        scanner.jump_to(row);
        let header = scanner.header()?;
        if (header.first_id, header.count) != (row.first_id, row.count) {
            return Ok(None);
        }
        scanner.load_entries(&header)?;
        let mut time = None;
        for placed in Entries::new(&header, scanner.entries()) {
            let entry = placed?.entry;
            if !is_event(entry.type_id) {
                time = Some(entry.time);
                if !last {
                    break;
                }
            }
        }
        return Ok(time);
    }
    Ok(None)
}
