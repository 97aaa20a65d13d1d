//! Segments whose beginning was lost in a power cut before anything in them was durable: how that is proven, and which
//! of them a later segment names.

use std::sync::Arc;

use super::slot::Slot;
use crate::error::Result;
use crate::format::declaration::Hole;
use crate::io::Directory;
use crate::log::{names, Left};
use crate::segment::{first_lost, remains, Remains};

/// What remains of the segment of this number, whose file has lost its beginning, unless the lock file or its own
/// blocks state that a part of it was durable. The caller checks whether a later segment states that.
pub(crate) fn never_durable(
    directory: &dyn Directory,
    left: Option<&Left>,
    file: &str,
    number: u64,
) -> Result<Option<Remains>> {
    let is_noted = left.is_some_and(|left| left.synced >= number || left.is_closed(number));
    // Compressing makes the file durable before it gets its name.
    let is_plain = names::plain(file) == file && directory.facts(file).is_ok_and(|facts| facts.is_plain);
    if is_noted || !is_plain {
        return Ok(None);
    }
    Ok(Some(remains(directory, file)?).filter(|remains| !remains.was_durable))
}

/// The hole that a later segment of the log names for the whole segment of this number, and the segment after that.
pub(super) fn named(slots: &[Arc<Slot>], log: &str, sequence: u64) -> Option<(Hole, Arc<Slot>)> {
    let later = || slots.iter().filter(|slot| slot.log.name == log && slot.sequence > sequence);
    let hole = later().flat_map(|slot| slot.lost_segments()).find(|hole| hole.sequence == sequence)?;
    let next = later().min_by_key(|slot| slot.sequence)?;
    Some((hole.clone(), next.clone()))
}

/// Marks the segments after such ones, given in their order: those before them are lost.
pub(super) fn mark(slots: &[Arc<Slot>]) {
    for later in slots {
        let lost = later.lost_segments();
        let first = lost.iter().map(|hole| hole.sequence).min();
        let Some(first) = first else { continue };
        let between = slots
            .iter()
            .filter(|slot| slot.log.id == later.log.id && first < slot.sequence && slot.sequence < later.sequence);
        for slot in between {
            let before = slot.known().and_then(|known| known.predecessor).unwrap_or(0);
            if !lost.iter().any(|hole| hole.sequence == before) {
                continue;
            }
            let here = slots.iter().filter(|other| other.log.id == slot.log.id && other.sequence < slot.sequence);
            let here = here.filter(|other| !lost.iter().any(|hole| hole.sequence == other.sequence));
            let after = here.map(|other| other.sequence).max().unwrap_or(0);
            slot.set_lost_from(first_lost(lost, after, slot.sequence));
        }
    }
}
