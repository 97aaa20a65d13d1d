//! The order of the segments of a source.

use std::collections::HashMap;
use std::sync::Arc;

use super::slot::Slot;
use crate::log::names;

pub(super) fn is_one_log(slots: &[Arc<Slot>]) -> bool {
    slots.windows(2).all(|pair| Arc::ptr_eq(&pair[0].log, &pair[1].log) || pair[0].log.id == pair[1].log.id)
}

/// Puts the segments of one log together, by sequence number: names, times and inodes may be wrong, headers are not.
/// Logs are ordered by name, then by when they began.
pub(super) fn sort(slots: &mut [Arc<Slot>]) {
    let mut began: HashMap<Vec<u8>, i64> = HashMap::new();
    if !is_one_log(slots) {
        for slot in slots.iter() {
            let created = slot.known().map_or(i64::MAX, |known| known.created_ns);
            began.entry(slot.log.id.clone()).and_modify(|at| *at = created.min(*at)).or_insert(created);
        }
    }
    // Of two copies, the one with the name that a writer gives it comes first.
    let is_copy = |slot: &Slot| names::sequence(&slot.log.name, &slot.name) != Some(slot.sequence);
    slots.sort_by(|a, b| {
        let by_log = match Arc::ptr_eq(&a.log, &b.log) {
            true => std::cmp::Ordering::Equal,
            false => {
                let key =
                    |slot: &'_ Slot| (slot.log.name.clone(), began.get(&slot.log.id).copied(), slot.log.id.clone());
                key(a).cmp(&key(b))
            }
        };
        by_log
            .then_with(|| a.sequence.cmp(&b.sequence))
            // What another segment of the number repeats is not shown: the whole one comes first.
            .then_with(|| (a.is_rescued(), is_copy(a), a.path()).cmp(&(b.is_rescued(), is_copy(b), b.path())))
    });
}
