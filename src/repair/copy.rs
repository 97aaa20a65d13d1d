//! Copies records from a damaged segment to a clean one.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::format::block::BlockKind;
use crate::format::codec::{Codec, Compressor};
use crate::format::declaration::FileHeader;
use crate::format::draft::{Buffers, Draft, Need, NewEntry};
use crate::format::types::sha256;
use crate::io::{self, clock, create_like, Directory};
use crate::memory::{self, NoMemory};
use crate::record::{check_metadata, event, is_event, Metadata, MetadataBuf, NamedType, Record};
use crate::segment::{Appender, Bad, Block, Scanner, Schema, Segment};

/// Permission bits of new files, a writer's default, when those of the source are not known.
pub(super) const FILE_MODE: u32 = 0o640;

/// An INDEX block is written after this many bytes, as a writer does by default.
const INDEX_BYTES: u64 = 64 << 20;

/// Records of one block, copied from it.
#[derive(Default)]
pub(super) struct Batch {
    records: Vec<Copied>,
    metadata: Vec<u8>,
    payload: Vec<u8>,
    /// There was no memory for one of them.
    refused: Option<NoMemory>,
}

struct Copied {
    id: u64,
    time: i64,
    type_id: u32,
    metadata: Range<usize>,
    payload_len: usize,
}

impl Batch {
    pub fn push(&mut self, record: &Record<'_>) {
        if let Err(refused) = self.copy(record) {
            self.refused = Some(refused);
        }
    }

    fn copy(&mut self, record: &Record<'_>) -> Result<(), NoMemory> {
        let from = self.metadata.len();
        memory::extend(&mut self.metadata, record.metadata.as_bytes())?;
        memory::extend(&mut self.payload, record.payload)?;
        let copied = Copied {
            id: record.id,
            time: record.time,
            type_id: record.type_id,
            metadata: from..self.metadata.len(),
            payload_len: record.payload.len(),
        };
        memory::push(&mut self.records, copied)
    }

    /// Fails if a record could not be added.
    pub fn check(&self) -> Result<()> {
        self.refused.map_or(Ok(()), |refused| Err(refused.into()))
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The named types in events among them.
    fn names(&self) -> impl Iterator<Item = NamedType> + '_ {
        let events = self.records.iter().filter(|copied| copied.type_id == event::TYPE);
        events.filter_map(|copied| NamedType::from_event(Metadata::from_bytes(&self.metadata[copied.metadata.clone()])))
    }

    /// The hashes of the schemas in events among them.
    fn schemas(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        let events = self.records.iter().filter(|copied| copied.type_id == event::SCHEMA);
        events.filter_map(|copied| hash_in(&self.metadata[copied.metadata.clone()]))
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.metadata.clear();
        self.payload.clear();
    }
}

/// The hash in the metadata of a SCHEMA event.
fn hash_in(pairs: &[u8]) -> Option<[u8; 32]> {
    Metadata::from_bytes(pairs).get("sha256").and_then(sha256)
}

/// The segment being written.
pub(super) struct Output {
    appender: Appender,
    compressor: Compressor,
    names: Vec<NamedType>,
    /// Schemas that are written, by their hashes.
    schemas: BTreeSet<[u8; 32]>,
    records: u64,
    /// No segment follows: the segment must not name a next one.
    is_last: bool,
}

impl Output {
    /// Creates the file, with the permissions of `from` in its directory; blocks are compressed as in `from`.
    pub fn create(
        target: &dyn Directory,
        name: &str,
        header: FileHeader,
        (directory, from): (&dyn Directory, &Arc<Segment>),
        is_last: bool,
    ) -> Result<Self> {
        let file = match create_like(target, name, (directory, &from.name), FILE_MODE) {
            // It was removed since it was opened: nobody gets more rights than it gave.
            Err(error) if error.kind() == Kind::NotFound && error.path() == Some(&*from.path) => {
                target.create(name, 0o600).map_err(|e| Error::io(&e, "create").at(&target.path_of(name)))?
            }
            created => created?,
        };
        let segment = Arc::new(Segment::create(target, name, file, header)?);
        let compressor = Compressor::new(codec_of(from)?, 0).map_err(|e| Error::io(&e, "set up the compressor"))?;
        let (appender, schemas) = (Appender::new(segment, 0), BTreeSet::new());
        Ok(Output { appender, compressor, names: vec![], schemas, records: 0, is_last })
    }

    /// Writes the records as one block, or as several if records between them are missing.
    pub fn write(&mut self, batch: &Batch) -> Result<()> {
        if self.appender.index_is_due(INDEX_BYTES) {
            self.appender.write_index(&self.names)?;
        }
        let (mut from, mut at) = (0, 0);
        while from < batch.records.len() {
            let mut next_id = batch.records[from].id;
            self.write_lost(next_id)?;
            let follows = |copied: &&Copied| {
                let fits = copied.id == next_id;
                next_id += u64::from(fits && !is_event(copied.type_id));
                fits
            };
            let run = batch.records[from..].iter().take_while(follows).count();
            let records = &batch.records[from..from + run];
            let len: usize = records.iter().map(|copied| copied.payload_len).sum();
            self.append(records, &batch.metadata, &batch.payload[at..at + len])?;
            (from, at) = (from + run, at + len);
        }
        Ok(())
    }

    /// Names the types among these that the segment has not named yet, before the next record that is written. `find`
    /// is asked for the schemas of these, and of types that the batch names, as far as they were not read.
    pub fn name(
        &mut self,
        types: &[NamedType],
        batch: &Batch,
        find: &mut dyn FnMut(&[u8; 32]) -> Result<Option<Schema>>,
    ) -> Result<()> {
        let named = memory::set(self.names.iter().map(|named| named.number).chain(batch.names().map(|it| it.number)));
        let mut new = memory::list(types.iter().filter(|it| !named.contains(&it.number)).cloned())?;
        let there = memory::set(batch.schemas());
        let by_events = batch.names().filter_map(|named| named.schema).filter(|sum| !there.contains(sum));
        let sums = memory::list(new.iter().filter_map(|named| named.schema).chain(by_events))?;
        for sum in sums {
            if self.schemas.contains(&sum) {
                continue;
            }
            // Without it, the type still says which schema it had.
            if let Some(schema) = find(&sum)? {
                self.write_events(&[(event::SCHEMA, schema.to_facts())], &schema.bytes)?;
                self.schemas.insert(sum);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let facts = memory::list(new.iter().map(|named| (event::TYPE, named.to_facts())))?;
        memory::reserve(&mut self.names, new.len())?;
        self.write_events(&facts, &[])?;
        self.names.append(&mut new);
        Ok(())
    }

    /// Closes the segment and makes it durable; returns it and its number of records. `end` is the first id of the next
    /// segment, if there is one.
    pub fn finish(mut self, end: Option<u64>) -> Result<(Arc<Segment>, u64)> {
        if let Some(end) = end {
            self.write_lost(end)?;
            // Whatever comes next, in this segment or in another, has ids after the lost ones.
            self.appender.pass_over(end);
        }
        self.appender.close(&self.names)?;
        let segment = self.appender.segment.clone();
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        Ok((segment, self.records))
    }

    /// Writes an event that declares the records up to `next_id` lost.
    fn write_lost(&mut self, next_id: u64) -> Result<()> {
        let expected = self.appender.next_id();
        if next_id <= expected {
            return Ok(());
        }
        let facts = [("first_lost_id", expected.to_string()), ("last_lost_id", (next_id - 1).to_string())];
        self.write_events(&[(event::RECOVERED, MetadataBuf::from_iter(facts))], &[])
    }

    /// Writes events of its own as one block; the payload is that of the last.
    fn write_events(&mut self, events: &[(u32, MetadataBuf)], payload: &[u8]) -> Result<()> {
        let mut buffers = Buffers::default();
        let len = events.iter().map(|(_, facts)| facts.as_metadata().as_bytes().len()).sum();
        buffers.reserve(Need::of(events.len(), len))?;
        let mut draft = Draft::new(self.appender.next_id(), &mut buffers, 0);
        for (i, (type_id, facts)) in events.iter().enumerate() {
            let pairs = facts.as_metadata().as_bytes();
            let metadata = (check_metadata(pairs)?, pairs);
            let payload_len = if i + 1 == events.len() { payload.len() } else { 0 };
            let entry = NewEntry { type_id: *type_id, time: clock::now_ns(), metadata, payload_len };
            draft.push(&entry, &mut buffers);
        }
        buffers.settle();
        let parts = [payload];
        self.put(&draft, &buffers, if payload.is_empty() { &[] } else { &parts })
    }

    fn append(&mut self, records: &[Copied], metadata: &[u8], payload: &[u8]) -> Result<()> {
        let mut buffers = Buffers::default();
        buffers.reserve(Need::of(records.len(), metadata.len()))?;
        let mut draft = Draft::new(records[0].id, &mut buffers, 0);
        // The payload, without that of omitted entries.
        let (mut parts, mut from, mut to) = (vec![], 0, 0);
        for copied in records {
            let pairs = &metadata[copied.metadata.clone()];
            let named = (copied.type_id == event::TYPE).then(|| NamedType::from_event(Metadata::from_bytes(pairs)));
            let named = named.flatten();
            let schema = if copied.type_id == event::SCHEMA { hash_in(pairs) } else { None };
            let is_known = named.as_ref().is_some_and(|named| self.names.contains(named))
                || schema.is_some_and(|sum| self.schemas.contains(&sum));
            if is_known || (copied.type_id == event::ROTATE_NEXT && self.is_last) {
                memory::push(&mut parts, &payload[from..to])?;
                to += copied.payload_len;
                from = to;
                continue;
            }
            to += copied.payload_len;
            memory::append(&mut self.names, named)?;
            self.schemas.extend(schema);
            let entry = NewEntry {
                type_id: copied.type_id,
                time: copied.time,
                metadata: (check_metadata(pairs)?, pairs),
                payload_len: copied.payload_len,
            };
            draft.push(&entry, &mut buffers);
        }
        if draft.is_empty() {
            return Ok(());
        }
        buffers.settle();
        self.records += u64::from(draft.count);
        memory::push(&mut parts, &payload[from..to])?;
        parts.retain(|part| !part.is_empty());
        self.put(&draft, &buffers, &parts)
    }

    fn put(&mut self, draft: &Draft, buffers: &Buffers, parts: &[&[u8]]) -> Result<()> {
        let block = Block { draft, buffers, parts, compressed: None };
        self.appender.append(&[block], &mut self.compressor).map_err(|(_, error)| error)
    }
}

/// The codec of a segment's blocks: that of the first block that has one.
fn codec_of(segment: &Arc<Segment>) -> Result<Codec> {
    const LOOKED_AT: usize = 64;
    let mut scanner = Scanner::new(segment.clone(), segment.start);
    for _ in 0..LOOKED_AT {
        match scanner.header() {
            Ok(header) => {
                if header.kind == BlockKind::Records && header.codec != 0 {
                    let codec = Codec::from_byte(header.codec).filter(|codec| codec.is_available());
                    return Ok(codec.unwrap_or_default());
                }
                scanner.skip(&header);
            }
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(Codec::None)
}

/// Copies a file within a directory, durably.
pub(super) fn file(directory: &dyn Directory, from: &str, to: &str) -> Result<()> {
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&directory.path_of(to));
    let source = directory.open(from, io::Access::Read).map_err(|e| failed(e, "open"))?;
    let target = create_like(directory, to, (directory, from), FILE_MODE)?;
    let mut buffer = memory::zeros(1 << 20)?;
    let mut at = 0;
    loop {
        let n = io::read_full(&*source, &mut buffer, at).map_err(|e| failed(e, "read"))?;
        if n == 0 {
            break;
        }
        io::write_full(&*target, &[&buffer[..n]], at).map_err(|(_, e)| failed(e, "write"))?;
        at += n as u64;
    }
    target.sync_data().map_err(|e| failed(e, "sync"))
}
