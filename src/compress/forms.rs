//! The other files of a segment, compressed or not, beside the one that is processed. Readers show from one file what
//! another has lost, so none is removed before all are known to contain the same records.

use std::sync::Arc;

use super::closed::Direction;
use crate::error::{Error, Kind, Result};
use crate::format::block::BlockKind;
use crate::io::{Access, Directory};
use crate::log::names;
use crate::segment::{is_space, lacks_trailer, Bad, Scanner, Segment, NO_TRAILER};

/// Refuses a segment if one of several forms is damaged or ends with another record. The form that will be made, if it
/// exists already, is compared elsewhere.
pub(super) fn check(directory: &dyn Directory, segment: &Arc<Segment>, direction: Direction) -> Result<()> {
    let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    let plain = names::plain(&segment.name);
    let mut next_id = None;
    for name in listed.iter().filter(|name| names::is_segment(name) && names::plain(name) == plain) {
        let is_made = match direction {
            Direction::Compress => names::plain(name) != *name && !names::is_whole(name),
            other => *name == other.name(&segment.name, None),
        };
        if *name == segment.name || is_made {
            continue;
        }
        let other = match Segment::open(directory, name, Access::Read) {
            Ok(other) => Arc::new(other),
            Err(e) if e.kind() == Kind::NotFound => continue,
            Err(e) if e.kind() == Kind::Corrupt => return Err(left_alone(&e, segment, name)),
            Err(e) => return Err(e),
        };
        let (this, that) = (&segment.header, &other.header);
        if this.log_id != that.log_id || this.sequence != that.sequence {
            continue;
        }
        let end = |of: &Arc<Segment>| id_behind(of).map_err(|e| left_alone(&e, segment, name));
        let expected = match next_id {
            Some(expected) => expected,
            None => *next_id.insert(end(segment)?),
        };
        let found = end(&other)?;
        if found != expected {
            let reason = format!(
                "the file ends before record {found}, and {}, another form of the segment, before record {expected}: both stay \
                 as they are; move the one with fewer records out of the directory",
                segment.name
            );
            return Err(Error::invalid(reason).at(&other.path));
        }
    }
    Ok(())
}

/// The error for damage in one of two forms of the segment.
fn left_alone(damage: &Error, segment: &Segment, other: &str) -> Error {
    if damage.kind() != Kind::Corrupt {
        return damage.clone();
    }
    let reason = format!(
        "{}: {} and {other} are forms of one segment, and what is lost in one may be in the other, so both stay as they are",
        damage.reason(),
        segment.name
    );
    Error::corrupt(reason).at_offset(damage.path().unwrap_or(&segment.path), damage.offset().unwrap_or(0))
}

/// Reads all of the segment, and returns the id after its last record.
fn id_behind(segment: &Arc<Segment>) -> Result<u64> {
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    let mut next_id = segment.header.first_id;
    loop {
        match next_block(&mut scanner) {
            Ok(stated) => next_id = stated.unwrap_or(next_id),
            Err(Bad::Io(error)) => return Err(error),
            Err(bad) => {
                let offset = scanner.offset();
                let is_end = matches!(bad, Bad::End { left: 0 }) || is_space(segment, offset)?;
                let reason = match (is_end, lacks_trailer(segment, offset)?) {
                    (true, false) => return Ok(next_id),
                    (true, true) => NO_TRAILER.to_owned(),
                    (false, _) => bad.describe().1,
                };
                return Err(Error::corrupt(reason).at_offset(&segment.path, segment.reported_offset(offset)));
            }
        }
    }
}

/// Reads the next block, and returns the id after it, if it has one.
fn next_block(scanner: &mut Scanner) -> Result<Option<u64>, Bad> {
    let header = scanner.header()?;
    match header.kind {
        BlockKind::Records => scanner.load(&header)?,
        BlockKind::Trailer | BlockKind::Index => scanner.load_entries(&header)?,
        BlockKind::Skippable(_) => (),
    }
    scanner.check_whole(&header)?;
    scanner.skip(&header);
    Ok((!matches!(header.kind, BlockKind::Skippable(_))).then(|| header.next_id()))
}
