//! What a log says of its named types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Cursor, Reader};
use crate::error::{Kind, Result};
use crate::format::limits;
use crate::log::SlotState;
use crate::memory;
use crate::record::NamedType;
use crate::segment::{begins_with_names, Schema};

/// A named type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeInfo {
    /// The number that its records have.
    pub number: u32,
    /// The name that it was given.
    pub name: String,
    /// What the payloads are, as a MIME type; may be empty.
    pub content_type: String,
    /// How payloads are encoded; may be empty.
    pub encoding: String,
    /// The message of the schema that payloads are; may be empty.
    pub message: String,
    /// The schema; `None` when it has none, and when the log has lost it.
    pub schema: Option<Arc<Vec<u8>>>,
    /// The schema's SHA-256, also when the schema is lost.
    pub schema_sha256: Option<[u8; 32]>,
}

impl TypeInfo {
    fn of(named: NamedType, schema: Option<Arc<Vec<u8>>>) -> Self {
        let NamedType { number, name, content_type, encoding, message, schema: schema_sha256 } = named;
        TypeInfo { number, name, content_type, encoding, message, schema, schema_sha256 }
    }
}

/// The schemas that a cursor was asked for.
#[derive(Default)]
pub(super) struct Schemas {
    /// By their hashes, whatever the segment: a hash means the same schema in all of them.
    known: BTreeMap<[u8; 32], Schema>,
    bytes: u64,
    /// Those that the segment of this number does not contain.
    missing: (u64, BTreeSet<[u8; 32]>),
}

impl Schemas {
    fn keep(&mut self, schema: &Schema) {
        self.bytes += schema.bytes.len() as u64;
        if self.bytes > limits::SCHEMAS {
            self.known.clear();
            self.bytes = schema.bytes.len() as u64;
        }
        self.known.insert(schema.sha256, schema.clone());
    }
}

impl Cursor {
    /// What the log says of the type with this number, as far as it has been read; `None` for a number without a name.
    /// The schema is read when it is asked for, and kept.
    ///
    /// # Errors
    /// [`Kind::Io`] when reading the schema fails, and [`Kind::NoMemory`] when there is none for it: the same call may be
    /// tried again. A schema that is damaged, or not what its checksum says, is as if it were not there.
    pub fn type_info(&mut self, type_id: u32) -> Result<Option<TypeInfo>> {
        let Some(named) = self.view.selection.type_of(type_id).cloned() else { return Ok(None) };
        let schema = match &named.schema {
            Some(sum) => self.schema_of(sum)?,
            None => None,
        };
        Ok(Some(TypeInfo::of(named, schema.map(|schema| schema.bytes))))
    }

    /// The schema with this hash: of the segment being read or, for a cursor that salvages, of the segments beside it.
    pub(crate) fn schema_of(&mut self, sum: &[u8; 32]) -> Result<Option<Schema>> {
        if let Some(schema) = self.schemas.known.get(sum) {
            return Ok(Some(schema.clone()));
        }
        let segment = self.segment().clone();
        let sequence = segment.header.sequence;
        if self.schemas.missing.0 != sequence {
            self.schemas.missing = (sequence, BTreeSet::new());
        }
        if self.schemas.missing.1.contains(sum) {
            return Ok(None);
        }
        // All that are not known, as they are beside each other.
        let (known, missing) = (&self.schemas.known, &self.schemas.missing.1);
        let types = self.view.selection.types().filter_map(|named| named.schema);
        let mut wanted = memory::set(types.chain([*sum]));
        wanted.retain(|sum| !known.contains_key(sum) && !missing.contains(sum));
        let mut found = segment.schemas(&mut wanted)?;
        if !wanted.is_empty() && self.direction.is_salvage() {
            memory::append(&mut found, self.schemas_beside(&mut wanted)?)?;
        }
        // A segment that grows does not get them: a type comes after its schema.
        self.schemas.missing.1.extend(wanted);
        found.iter().for_each(|schema| self.schemas.keep(schema));
        Ok(found.into_iter().find(|schema| schema.sha256 == *sum))
    }

    /// The wanted schemas in the segments before and after the one being read.
    fn schemas_beside(&self, wanted: &mut BTreeSet<[u8; 32]>) -> Result<Vec<Schema>> {
        let mut found = vec![];
        for at in [self.list.at.checked_add(1), self.list.at.checked_sub(1)].into_iter().flatten() {
            let slots = &self.list.snapshot.slots;
            if slots.get(at).is_none_or(|slot| slot.log.id != self.segment().header.log_id) {
                continue;
            }
            match self.list.snapshot.open(at) {
                Ok(SlotState::Segment(other)) => {
                    memory::append(&mut found, other.schemas(wanted)?)?;
                    other.forget_windows();
                }
                Ok(SlotState::Unborn | SlotState::Gone) => (),
                // The reader that reaches it reports the error.
                Err(error) if error.kind() == Kind::Corrupt => (),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl Reader {
    /// The named types of the log as it is now, by number; of several logs, those of each. As each segment begins with
    /// all types that were named before it, no more than the last segments of a log are read.
    ///
    /// # Errors
    /// Those of reading these segments; damage in them is none: what can be read counts.
    pub fn types(&self) -> Result<Vec<TypeInfo>> {
        let snapshot = self.now(true)?;
        let snapshot = self.by_headers(&snapshot)?.unwrap_or(snapshot);
        let mut types: BTreeMap<NamedType, Option<Arc<Vec<u8>>>> = BTreeMap::new();
        // A log whose types are all known.
        let mut done: Option<Vec<u8>> = None;
        for at in (0..snapshot.slots.len()).rev() {
            if done.as_ref().is_some_and(|log| *log == snapshot.slots[at].log.id) {
                continue;
            }
            let segment = match snapshot.open(at) {
                Ok(SlotState::Segment(segment)) => segment,
                Ok(SlotState::Unborn | SlotState::Gone) => continue,
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Unsupported) => continue,
                Err(error) => return Err(error),
            };
            let (here, is_all) = (segment.mapped()?.names.clone(), begins_with_names(&segment)?);
            let schemas = segment.schemas(&mut memory::set(here.iter().filter_map(|named| named.schema)))?;
            let schemas = memory::map(schemas.into_iter().map(|schema| (schema.sha256, schema.bytes)));
            segment.forget_windows();
            for named in &*here {
                let found = named.schema.and_then(|sum| schemas.get(&sum).cloned());
                let schema = types.entry(named.clone()).or_default();
                *schema = schema.take().or(found);
            }
            // A schema whose bytes are damaged here may be whole in a segment before.
            let has_schemas = here
                .iter()
                .all(|named| named.schema.is_none() || types.get(named).is_none_or(|schema| schema.is_some()));
            // Whether its beginning is whole, which repeats all types that were named before it.
            if is_all && has_schemas {
                done = Some(segment.header.log_id.clone());
            }
        }
        Ok(memory::list(types.into_iter().map(|(named, schema)| TypeInfo::of(named, schema)))?)
    }
}
