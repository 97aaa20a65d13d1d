//! Several logs of one name whose segments are in one directory: their files have the same names, and a writer can
//! continue only one of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::proof::Proof;
use super::slot::Slot;
use super::snapshot::Snapshot;
use crate::hex::hex;
use crate::log::names;

/// Digits of a log's id that are shown.
const DIGITS: usize = 8;
/// The longest log name that gets a suffix.
const LONGEST: usize = 100;

impl Snapshot {
    /// The ids of logs that have the name of another one here, and names that distinguish them from it. The name itself
    /// belongs to the log that the lock file notes, or else to the one with the most segments.
    pub fn of_the_same_name(&self) -> HashMap<Vec<u8>, String> {
        let mut others = HashMap::new();
        if self.is_one_log() {
            return others;
        }
        let mut logs: Vec<(&Arc<Slot>, usize)> = vec![];
        // A log of one file may have any file name.
        let is_numbered =
            |slot: &&Arc<Slot>| names::sequence(&slot.log.name, &slot.name).is_some() && !slot.is_legacy();
        for slot in self.slots.iter().filter(is_numbered) {
            match logs.iter_mut().find(|(known, _)| known.log.id == slot.log.id && known.log.name == slot.log.name) {
                Some((_, segments)) => *segments += 1,
                None => logs.push((slot, 1)),
            }
        }
        for (slot, segments) in &logs {
            let rivals =
                logs.iter().filter(|(rival, _)| rival.log.name == slot.log.name && rival.is_in(slot.directory()));
            let rank = |slot: &Slot, segments: usize| {
                let is_noted = Proof::of(slot.directory(), &slot.log.name, &self.slots)
                    .is_some_and(|proof| proof.log_id() == slot.log.id);
                (is_noted, segments, slot.log.id.clone())
            };
            let mine = rank(slot, *segments);
            if rivals.map(|(rival, segments)| rank(rival, *segments)).any(|rival| rival > mine) {
                let base = match slot.log.name.len() {
                    ..=LONGEST => slot.log.name.clone(),
                    _ => slot.log.name.chars().take(LONGEST / 4).collect(),
                };
                let id = hex(&slot.log.id);
                others.insert(slot.log.id.clone(), format!("{base}-{}", &id[..DIGITS.min(id.len())]));
            }
        }
        others
    }
}
