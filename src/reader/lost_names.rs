//! Names of types whose TYPE events are lost: the INDEX blocks tell them, and the segments beside, as each begins with all
//! that were given before it.

use std::collections::{BTreeMap, BTreeSet};

use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::BlockHeader;
use crate::format::entries::Progress;
use crate::format::Malformed;
use crate::log::Found;
use crate::record::{is_event, NamedType, FIRST_NAMED_TYPE};
use crate::segment::Bad;

/// What a salvaging cursor knows of names.
#[derive(Default)]
pub(super) struct LostNames {
    log_id: Vec<u8>,
    /// Those of the log, as far as it was read.
    known: BTreeMap<u32, NamedType>,
    /// Something of the current segment was lost, and what the segments beside it tell is known since.
    is_looked_for: bool,
    /// Types that were told to have lost their names.
    told: BTreeSet<u32>,
}

impl Cursor {
    /// Learns what the index of the segment tells that the cursor has come to: types that were named in a block that is lost
    /// stand there still.
    pub(super) fn begin_naming(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        let by_index = segment.names_by_index()?;
        if let Some(salvage) = &mut self.salvage {
            let names = &mut salvage.names;
            names.is_looked_for = false;
            if names.log_id != segment.header.log_id {
                *names = LostNames { log_id: segment.header.log_id.clone(), ..LostNames::default() };
            }
            names.known.extend(by_index.iter().map(|named| (named.number, named.clone())));
        }
        by_index.into_iter().for_each(|named| self.selection.learn_name(named));
        Ok(())
    }

    /// Takes note of a name that an event tells.
    pub(super) fn note_name(&mut self, named: &NamedType) {
        if let Some(salvage) = &mut self.salvage {
            salvage.names.known.insert(named.number, named.clone());
        }
    }

    /// Whether something of the current segment was lost so far.
    pub(crate) fn has_lost(&self) -> bool {
        self.salvage.as_ref().is_some_and(|salvage| salvage.names.is_looked_for)
    }

    /// The names that the log has given, as far as the cursor knows.
    pub(crate) fn names_known(&self) -> Vec<NamedType> {
        self.salvage.as_ref().map_or(vec![], |salvage| salvage.names.known.values().cloned().collect())
    }

    /// Something of the current segment is lost, and may have told names.
    pub(super) fn look_for_names(&mut self) -> Result<()> {
        let Some(salvage) = self.salvage.as_mut().filter(|salvage| !salvage.names.is_looked_for) else { return Ok(()) };
        salvage.names.is_looked_for = true;
        let mut beside = vec![];
        for at in [self.at.checked_sub(1), self.at.checked_add(1)].into_iter().flatten() {
            let is_of_log = |slot: &&std::sync::Arc<crate::log::Slot>| slot.log.id == self.segment().header.log_id;
            if self.snapshot.slots.get(at).filter(is_of_log).is_none() {
                continue;
            }
            match self.snapshot.open(at) {
                Ok(Found::Segment(other)) => {
                    beside.extend(other.names_at_head()?);
                    if at < self.at {
                        beside.extend(other.names_by_index()?);
                    }
                }
                Ok(Found::Unborn | Found::Gone) => (),
                // Whoever comes to its place will be told.
                Err(error) if error.kind() == Kind::Corrupt => (),
                Err(error) => return Err(error),
            }
        }
        if let Some(salvage) = &mut self.salvage {
            for named in beside {
                salvage.names.known.entry(named.number).or_insert(named);
            }
            for named in salvage.names.known.values() {
                if self.selection.name_of(named.number).is_none() {
                    self.selection.learn_name(named.clone());
                }
            }
        }
        Ok(())
    }

    /// Tells of the types in the block, whose entries are loaded, that have lost their names: once each.
    pub(super) fn tell_nameless(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        if !self.has_lost() {
            return Ok(());
        }
        let mut nameless = BTreeSet::new();
        let mut progress = Progress::new(header.min_time);
        while let Some(entry) = progress.next(self.scanner.entries()).map_err(Bad::from)? {
            let type_id = entry.type_id;
            if type_id >= FIRST_NAMED_TYPE && !is_event(type_id) && self.selection.name_of(type_id).is_none() {
                nameless.insert(type_id);
            }
        }
        for type_id in nameless {
            let is_new = self.salvage.as_mut().is_some_and(|salvage| salvage.names.told.insert(type_id));
            if is_new {
                let reason = Malformed::TypeName(type_id);
                self.lose((self.scanner.offset(), 0), None, &reason).map_err(|e: Error| Bad::Io(e))?;
            }
        }
        Ok(())
    }
}
