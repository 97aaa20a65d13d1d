//! In which file a closed segment says that its log goes on.

use std::sync::Arc;

use super::{Bad, Found, Scanner, Segment};
use crate::error::Result;
use crate::format::entries::Progress;
use crate::record::{event, Metadata};

/// The file that the last block with records or events names, if it says that the log goes on. What is damaged says nothing:
/// whoever reads it finds that.
pub(crate) fn successor(segment: &Arc<Segment>, found: &Found) -> Result<Option<String>> {
    match last_told(segment, found) {
        Err(Bad::Io(error)) => Err(error),
        told => Ok(told.ok().flatten()),
    }
}

fn last_told(segment: &Arc<Segment>, found: &Found) -> Result<Option<String>, Bad> {
    let Some(last) = found.last().filter(|last| last.has_events) else { return Ok(None) };
    let mut scanner = Scanner::new(segment.clone(), last.offset);
    let header = scanner.header()?;
    scanner.load_entries(&header)?;
    let (mut progress, mut file) = (Progress::new(header.min_time), None);
    while let Some(entry) = progress.next(scanner.entries())? {
        match entry.type_id {
            event::ROTATE_NEXT => file = Metadata::from_bytes(entry.metadata).get("file").map(str::to_owned),
            event::OPENED => file = None,
            _ => (),
        }
    }
    Ok(file)
}
