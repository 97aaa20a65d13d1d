//! The file in which a log continues, according to a closed segment.

use std::sync::Arc;

use super::{Bad, Recovered, Scanner, Segment};
use crate::error::Result;
use crate::format::entries::Entries;
use crate::record::{event, Metadata};

/// The file that the last block with records or events names, if it states that the log continues. A damaged block
/// states nothing; the damage is reported when it is read.
pub(crate) fn successor(segment: &Arc<Segment>, found: &Recovered) -> Result<Option<String>> {
    match last_named(segment, found) {
        Err(Bad::Io(error)) => Err(error),
        named => Ok(named.ok().flatten()),
    }
}

fn last_named(segment: &Arc<Segment>, found: &Recovered) -> Result<Option<String>, Bad> {
    let Some(last) = found.last().filter(|last| last.has_events) else { return Ok(None) };
    let mut scanner = Scanner::new(segment.clone(), last.offset);
    let header = scanner.header()?;
    scanner.load_entries(&header)?;
    let mut file = None;
    for placed in Entries::new(&header, scanner.entries()) {
        let entry = placed?.entry;
        match entry.type_id {
            event::ROTATE_NEXT => file = Metadata::from_bytes(entry.metadata).get("file").map(str::to_owned),
            event::OPENED => file = None,
            _ => (),
        }
    }
    Ok(file)
}
