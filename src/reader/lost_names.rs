//! Names of types whose TYPE events are lost. The INDEX blocks contain them, and so do the segments before and after,
//! as each begins with all names that were given before it.

use std::collections::BTreeSet;

use super::salvage_state::LostNames;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::block::BlockHeader;
use crate::format::entries::Entries;
use crate::format::Malformed;
use crate::log::SlotState;
use crate::memory::{self, NoMemory};
use crate::record::{is_event, NamedType, FIRST_NAMED_TYPE};
use crate::segment::Bad;

impl Cursor {
    /// Learns the names in the index of the segment that the cursor has entered: it also contains types that were named
    /// in a lost block.
    pub(super) fn begin_naming(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        let by_index = segment.names_by_index()?;
        if let Some(salvage) = self.direction.salvage_mut() {
            let names = &mut salvage.names;
            names.is_looked_for = false;
            if names.log_id != segment.header.log_id {
                *names = LostNames { log_id: segment.header.log_id.clone(), ..LostNames::default() };
            }
            names.known.extend(by_index.iter().map(|named| (named.number, named.clone())));
        }
        by_index.iter().for_each(|named| self.view.selection.learn_name(named.clone()));
        Ok(())
    }

    /// Records a name from an event.
    pub(super) fn note_name(&mut self, named: &NamedType) {
        if let Some(salvage) = self.direction.salvage_mut() {
            salvage.names.known.insert(named.number, named.clone());
        }
    }

    /// Whether something of the current segment was lost so far.
    pub(crate) fn has_lost(&self) -> bool {
        self.direction.salvage().is_some_and(|salvage| salvage.names.is_looked_for)
    }

    /// The names that the log has given, as far as the cursor knows.
    pub(crate) fn names_known(&self) -> Result<Vec<NamedType>, NoMemory> {
        memory::list(self.direction.salvage().into_iter().flat_map(|salvage| salvage.names.known.values()).cloned())
    }

    /// Something of the current segment is lost, and may have contained names.
    pub(super) fn look_for_names(&mut self) -> Result<()> {
        if self.direction.salvage().is_none_or(|salvage| salvage.names.is_looked_for) {
            return Ok(());
        }
        let beside = match self.names_beside() {
            // The next call looks again.
            Err(error) if error.kind() == Kind::NoMemory => return Err(error),
            beside => beside,
        };
        if let Some(salvage) = self.direction.salvage_mut() {
            salvage.names.is_looked_for = true;
            for named in beside? {
                salvage.names.known.entry(named.number).or_insert(named);
            }
            for named in salvage.names.known.values() {
                if self.view.selection.name_of(named.number).is_none() {
                    self.view.selection.learn_name(named.clone());
                }
            }
        }
        Ok(())
    }

    /// The names in the segments before and after the current one.
    fn names_beside(&self) -> Result<Vec<NamedType>> {
        let mut beside = vec![];
        for at in [self.list.at.checked_sub(1), self.list.at.checked_add(1)].into_iter().flatten() {
            let is_of_log = |slot: &&std::sync::Arc<crate::log::Slot>| slot.log.id == self.segment().header.log_id;
            if self.list.snapshot.slots.get(at).filter(is_of_log).is_none() {
                continue;
            }
            match self.list.snapshot.open(at) {
                Ok(SlotState::Segment(other)) => {
                    memory::append(&mut beside, other.names_at_head()?)?;
                    if at < self.list.at {
                        memory::append(&mut beside, other.names_by_index()?.iter().cloned())?;
                    }
                }
                Ok(SlotState::Unborn | SlotState::Gone) => (),
                // The reader that reaches it reports the error.
                Err(error) if error.kind() == Kind::Corrupt => (),
                Err(error) => return Err(error),
            }
        }
        Ok(beside)
    }

    /// Reports the types in the block, whose entries are loaded, that have lost their names: once each.
    pub(super) fn report_nameless(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        if !self.has_lost() {
            return Ok(());
        }
        let mut nameless = BTreeSet::new();
        for placed in Entries::new(header, self.position.scanner.entries()) {
            let type_id = placed?.entry.type_id;
            if type_id >= FIRST_NAMED_TYPE && !is_event(type_id) && self.view.selection.name_of(type_id).is_none() {
                nameless.insert(type_id);
            }
        }
        for type_id in nameless {
            let is_new = self.direction.salvage_mut().is_some_and(|salvage| salvage.names.reported.insert(type_id));
            if is_new {
                let reason = Malformed::TypeName(type_id);
                self.lose((self.position.scanner.offset(), 0), None, &reason).map_err(|e: Error| Bad::Io(e))?;
            }
        }
        Ok(())
    }
}
