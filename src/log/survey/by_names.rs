//! Determines the places of many files from their names.

use std::collections::HashSet;
use std::sync::Arc;

use super::alike::are_alike;
use super::doubles::without_other_forms;
use super::heads::{File, Heads};
use super::slot::{Slot, SlotState};
use crate::error::{Kind, Result};
use crate::log::names;

/// Up to this many new files are opened to find their places.
pub(super) const FEW: usize = 64;
/// Kinds of names that may be among many files.
const KINDS: usize = 16;
/// Files of one kind of name that are opened to find one that is a segment.
const TRIED: usize = 8;

/// The slots of the files according to their names; `None` when the names do not determine the order of all of them.
/// The last file of each kind is opened; one to which nothing was ever written is left to be judged.
pub(super) fn place_by_names(heads: &mut Heads<'_>, files: &[File]) -> Result<Option<Vec<Arc<Slot>>>> {
    let mut placed: Vec<Arc<Slot>> = vec![];
    let mut unborn = vec![];
    let mut left: Vec<&File> = files.iter().collect();
    for _ in 0..KINDS {
        let Some((_, like)) = left.first() else { break };
        let mut segment = None;
        for (directory, name) in left.iter().filter(|(_, name)| are_alike(name, like)).take(TRIED) {
            match heads.shared.open(&**directory, name) {
                Ok(SlotState::Segment(found)) => {
                    segment = Some(found);
                    break;
                }
                Ok(SlotState::Unborn | SlotState::Gone) => (),
                // The reader that comes to its place reports it.
                Err(error) if error.kind() == Kind::Corrupt || heads.is_lenient => (),
                Err(error) => return Err(error),
            }
        }
        let Some(segment) = segment else { return Ok(None) };
        if names::sequence(&segment.header.name, &segment.name) != Some(segment.header.sequence) {
            return Ok(None);
        }
        let log = heads.log_of(&segment);
        let log = placed.iter().map(|slot| &slot.log).find(|known| **known == log).cloned().unwrap_or(log);
        let from = placed.len();
        left.retain(|(directory, name)| match names::sequence(&log.name, name) {
            Some(sequence) if are_alike(name, like) => {
                let slot = match *name == segment.name && directory.path_of(name) == segment.path {
                    true => Slot::of(directory, log.clone(), &segment, &heads.shared),
                    false => Slot::by_name(directory.clone(), name.clone(), log.clone(), sequence),
                };
                placed.push(Arc::new(slot));
                false
            }
            _ => true,
        });
        let last = (from..placed.len()).max_by_key(|&at| placed[at].sequence);
        if let Some(last) = last.filter(|&at| matches!(placed[at].open(&heads.shared), Ok(SlotState::Unborn))) {
            unborn.push(placed.swap_remove(last).file());
        }
    }
    let mut places = HashSet::with_capacity(placed.len());
    let once = without_other_forms(heads.slots.iter().chain(&placed).cloned().collect());
    let all_differ = once.iter().all(|slot| places.insert((&slot.log.id, slot.sequence)));
    if !left.is_empty() || !all_differ || heads.shared.names_lie() {
        return Ok(None);
    }
    heads.unborn.extend(unborn);
    Ok(Some(placed))
}
