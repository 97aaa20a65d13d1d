//! The named types of a log, their numbers, and their schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Parts, Writer};
use crate::error::{Error, Kind, Result};
use crate::io::sync::Mutex;
use crate::memory::{self, NoMemory};
use crate::options::TypeOptions;
use crate::record::{event, is_event, MetadataBuf, NamedType, FIRST_NAMED_TYPE};
use crate::segment::Schema;

impl Writer {
    /// Returns the number of the type `name` in this log: the newest, if several types have that name. A new name gets a
    /// new number; `content_type` is a MIME type or empty, and is used only when the name is new. Fails as
    /// [`Self::append`] does when there is no room for a new name, also with [`crate::FullDisk::Drop`].
    pub fn type_id(&self, name: &str, content_type: &str) -> Result<u32> {
        let parts = &self.parts;
        parts.health.check_call()?;
        let options = TypeOptions { name, content_type, ..TypeOptions::default() };
        let wanted = wanted(&options);
        parts.patiently(|| parts.number(&options, &wanted, |names| names.newest(name)))
    }

    /// Returns the number of a type in this log. A type that differs in anything from those of the log gets a new
    /// number, also under a name that other types have: filters by that name take the records of all of them. The log
    /// describes the type to its readers ([`crate::Cursor::type_info`], [`crate::Reader::types`]) in each of its segments.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for texts that are too long in all or a name that is empty, and for a schema without an
    /// encoding; [`Kind::TooLarge`] for a schema of more than 1 MiB, or one with which the log's schemas would have more
    /// than [`field@crate::WriterOptions::schema_bytes`]; else as [`Self::type_id`]. The type has no number then.
    pub fn type_of(&self, options: &TypeOptions<'_>) -> Result<u32> {
        let parts = &self.parts;
        parts.health.check_call()?;
        let wanted = wanted(options);
        parts.patiently(|| parts.number(options, &wanted, |names| names.of(&wanted)))
    }
}

/// The type, without a number.
fn wanted(options: &TypeOptions<'_>) -> NamedType {
    NamedType {
        number: 0,
        name: options.name.to_owned(),
        content_type: options.content_type.to_owned(),
        encoding: options.encoding.to_owned(),
        message: options.message.to_owned(),
        schema: (!options.schema.is_empty()).then(|| Schema::sum(options.schema)),
    }
}

impl Parts {
    /// The number that `known` finds, or a new one.
    fn number(
        &self,
        options: &TypeOptions<'_>,
        wanted: &NamedType,
        known: impl Fn(&Names) -> Option<u32>,
    ) -> Result<u32> {
        options.check()?;
        if let Some(number) = known(self.filling.lock().names()) {
            return Ok(number);
        }
        let mut room = self.room()?;
        // Another thread may have named it since.
        match known(room.names()) {
            Some(number) => Ok(number),
            None => room.name(wanted, options.schema),
        }
    }
}

/// Named types and their schemas, which each segment repeats at its beginning.
pub(super) struct Types {
    named: Vec<NamedType>,
    schemas: Vec<Schema>,
    /// Bytes that new schemas may still have.
    left: u64,
}

/// An event with a payload.
pub(super) struct Described {
    pub type_id: u32,
    pub facts: MetadataBuf,
    pub payload: Arc<Vec<u8>>,
}

impl Types {
    /// None, with room for schemas of so many bytes.
    pub fn new(schema_bytes: u64) -> Self {
        Types { named: vec![], schemas: vec![], left: schema_bytes }
    }

    /// Takes over those of a log that is continued.
    pub fn begin(&mut self, named: Vec<NamedType>, schemas: Vec<Schema>) {
        let bytes = schemas.iter().map(|schema| schema.bytes.len() as u64).sum();
        self.left = self.left.saturating_sub(bytes);
        (self.named, self.schemas) = (named, schemas);
    }

    /// In the order in which they were named.
    pub fn named(&self) -> &[NamedType] {
        &self.named
    }

    /// The events that describe them: each schema before the types that refer to it.
    pub fn described(&self) -> Result<Vec<Described>, NoMemory> {
        let schema = |schema: &Schema| Described {
            type_id: event::SCHEMA,
            facts: schema.to_facts(),
            payload: schema.bytes.clone(),
        };
        let named =
            |named: &NamedType| Described { type_id: event::TYPE, facts: named.to_facts(), payload: Arc::default() };
        memory::list(self.schemas.iter().map(schema).chain(self.named.iter().map(named)))
    }
}

/// The numbers of named types.
pub(super) struct Names {
    /// The newest number of each name.
    newest: BTreeMap<String, u32>,
    /// By all that describes a type, without the number.
    numbers: BTreeMap<NamedType, u32>,
    schemas: BTreeSet<[u8; 32]>,
    /// All of them, which the write stage uses too.
    known: Arc<Mutex<Types>>,
    /// The number of the next name. Neither it nor any above it is in use.
    end: u32,
}

impl Names {
    pub fn new(known: Arc<Mutex<Types>>) -> Self {
        let types = known.lock();
        let end = types.named.iter().map(|named| named.number + 1).max().unwrap_or(FIRST_NAMED_TYPE);
        let newest = memory::map(types.named.iter().map(|named| (named.name.clone(), named.number)));
        let schemas = memory::set(types.schemas.iter().map(|schema| schema.sha256));
        // A type whose schema is lost is not what a caller asks for who has the schema.
        let whole = types.named.iter().filter(|named| named.schema.is_none_or(|sum| schemas.contains(&sum)));
        let numbers = memory::map(whole.map(|named| (NamedType { number: 0, ..named.clone() }, named.number)));
        drop(types);
        Names { newest, numbers, schemas, known, end }
    }

    /// The newest number of a name.
    fn newest(&self, name: &str) -> Option<u32> {
        self.newest.get(name).copied()
    }

    /// The number of exactly this type.
    fn of(&self, wanted: &NamedType) -> Option<u32> {
        self.numbers.get(wanted).copied()
    }

    /// The number above those of all named types.
    #[inline(always)]
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The type with the next number, and its schema, if the log has not got it. Nothing is noted yet, but there is room
    /// for it.
    pub fn next(&self, wanted: &NamedType, schema: &[u8]) -> Result<(NamedType, Option<Schema>)> {
        if is_event(self.end) {
            return Err(Error::new(Kind::TooLarge, "the log has 2^30 named types, and no number for another"));
        }
        let named = NamedType { number: self.end, ..wanted.clone() };
        let mut known = self.known.lock();
        // Room in the lists: once the type is written, noting it must not fail.
        memory::reserve(&mut known.named, 1)?;
        let Some(sha256) = named.schema.filter(|sum| !self.schemas.contains(sum)) else { return Ok((named, None)) };
        memory::reserve(&mut known.schemas, 1)?;
        let left = known.left;
        drop(known);
        if schema.len() as u64 > left {
            let reason = format!(
                "a schema of {} bytes, where the schemas of the log may take {left} more: each segment begins with all of \
                 them; open the log with a greater schema_bytes",
                schema.len()
            );
            return Err(Error::new(Kind::TooLarge, reason));
        }
        let mut bytes = vec![];
        memory::extend(&mut bytes, schema)?;
        let schema = Schema { sha256, encoding: named.encoding.clone(), bytes: Arc::new(bytes) };
        Ok((named, Some(schema)))
    }

    /// Notes a type from [`Self::next`] that was written, and the schema that was written before it; returns its number.
    pub fn add(&mut self, named: NamedType, schema: Option<Schema>) -> u32 {
        let number = named.number;
        self.newest.insert(named.name.clone(), number);
        self.numbers.insert(NamedType { number: 0, ..named.clone() }, number);
        self.end = number + 1;
        let mut known = self.known.lock();
        if let Some(schema) = schema {
            self.schemas.insert(schema.sha256);
            known.left = known.left.saturating_sub(schema.bytes.len() as u64);
            known.schemas.push(schema);
        }
        known.named.push(named);
        number
    }
}
