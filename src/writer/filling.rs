//! The state that the append lock guards, and the room for the next record.
//!
//! What is read under the append lock may change once the lock is released, for example while a thread waits for memory
//! or for the write stage. Therefore a record's id, its time and its type's number come only from a [`Room`], which
//! exists when there is room and does not wait. A function that waits takes the lock and returns another one.

use std::sync::Arc;

use super::buffer::Buffer;
use super::pace::Pace;
use super::span::{Rules, Span};
use super::stage::{Stage, Work};
use super::staging::Appenders;
use super::types::{Names, Types};
use crate::error::{Error, Result};
use crate::format::draft::NewEntry;
use crate::io::clock::{Clock, Stopwatch};
use crate::io::sync::{Mutex, MutexGuard};
use crate::record::{check_metadata, event, is_event, Metadata, NamedType, FIRST_NAMED_TYPE};

/// What the append lock guards.
pub(super) struct Filling {
    /// Taken from the free ones when the first record comes.
    buffer: Option<Buffer>,
    pace: Pace,
    /// The appenders of this writer.
    pub appenders: Appenders,
    /// Only ever grows, by what was pushed: see [`Room`].
    next_id: u64,
    /// Bytes of payload taken since the writer was opened.
    bytes: u64,
    names: Names,
    pub clock: Ticker,
    /// Which records the current segment is for.
    pub span: Span,
    /// The rules that the span follows from.
    pub rules: Rules,
    /// When the segment of the next record was begun, and the id of its first record. The segment may not be created
    /// yet.
    pub begun: (i64, u64),
    /// Something was handed over, and no thread has been assigned to write it yet.
    pub owes_stage: bool,
    /// When the last heartbeat was written, by the writer's clock.
    pub beat: i64,
}

/// The writer's clock, read in each append.
pub(super) enum Ticker {
    System(Stopwatch),
    Given(Clock),
}

impl Ticker {
    pub fn new(clock: &Clock) -> Self {
        match clock.is_system() {
            true => Ticker::System(Stopwatch::default()),
            false => Ticker::Given(clock.clone()),
        }
    }

    /// Now, in nanoseconds since the Unix epoch.
    #[inline(always)]
    pub fn now_ns(&mut self) -> i64 {
        match self {
            Ticker::System(watch) => watch.now_ns(),
            Ticker::Given(clock) => clock.now_ns(),
        }
    }
}

impl Filling {
    pub fn new(next_id: u64, known: Arc<Mutex<Types>>, rules: Rules, begun: (i64, u64), clock: &Clock) -> Self {
        let now = clock.now_ns();
        // The clock may have been corrected since the segment was begun.
        let begun = (rules.begun(begun.0, now), begun.1);
        Filling {
            buffer: None,
            pace: Pace::default(),
            appenders: Appenders::default(),
            next_id,
            bytes: 0,
            names: Names::new(known),
            clock: Ticker::new(clock),
            span: rules.span(begun, now, next_id, 0),
            rules,
            begun,
            owes_stage: false,
            beat: now,
        }
    }

    /// Id of the record that comes next.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Id of the record that was appended last, 0 if none.
    pub fn last_id(&self) -> u64 {
        self.next_id - 1
    }

    /// When the oldest record that has not been handed over was appended, 0 if there is none.
    #[inline]
    pub fn since(&self) -> i64 {
        self.buffer.as_ref().map_or(0, Buffer::since)
    }

    /// Bytes of payload taken since the writer was opened.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The numbers of named types.
    pub fn names(&self) -> &Names {
        &self.names
    }

    #[inline(always)]
    pub fn has_buffer(&self) -> bool {
        self.buffer.is_some()
    }

    fn take_buffer(&mut self) -> Option<Buffer> {
        self.buffer.take_if(|buffer| !buffer.is_empty())
    }

    /// Hands the buffer being filled over to the write stage, unless it is empty; not what appenders have staged. The caller then runs the stage or
    /// makes sure that another thread does.
    pub fn hand_over_own(&mut self, stage: &Stage) {
        if let Some(buffer) = self.take_buffer() {
            stage.give(Work::Write(buffer));
        }
    }

    /// When the current segment's time is over; `None` = never, or the segment has no record and so does not roll.
    pub fn span_end(&self) -> Option<i64> {
        self.span.end().filter(|_| self.next_id > self.begun.1)
    }

    /// Notes that a buffer is wanted, and returns whether it is not urgent.
    pub fn is_unhurried(&mut self) -> bool {
        self.pace.is_unhurried()
    }

    /// Takes over the records of a buffer that an appender has filled: they get their ids, behind those that were
    /// appended before.
    pub fn take_over(&mut self, mut buffer: Buffer, stage: &Stage) {
        self.hand_over_own(stage);
        let (records, payload) = buffer.number_from(self.next_id);
        self.next_id += records;
        self.bytes += payload;
        buffer.set_bytes_end(self.bytes);
        stage.give(Work::Write(buffer));
    }

    /// Continues in an empty buffer.
    pub fn begin_buffer(&mut self, mut buffer: Buffer) {
        // What it held before is counted elsewhere, and it may now get only events.
        buffer.set_bytes_end(self.bytes);
        self.pace.begin();
        self.buffer = Some(buffer);
    }

    /// Puts an event in front of the next record; false when there is no buffer.
    pub fn push_event(
        &mut self,
        type_id: u32,
        (time, now): (i64, i64),
        metadata: Metadata<'_>,
        payload: &[u8],
    ) -> Result<bool> {
        let pairs = metadata.as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        let Some(buffer) = &mut self.buffer else { return Ok(false) };
        buffer.reserve(1, payload.len(), pairs.len())?;
        buffer.make_room(self.next_id, payload.len(), now);
        buffer.push(&NewEntry { type_id, time, metadata, payload_len: payload.len() }, std::iter::once(payload));
        Ok(true)
    }

    /// Notes how much was taken up to the last record of the buffer. Returns whether it is worth handing over now.
    #[inline(always)]
    pub fn settle(&mut self) -> bool {
        let bytes = self.bytes;
        self.buffer.as_mut().is_some_and(|buffer| {
            buffer.set_bytes_end(bytes);
            buffer.is_full()
        })
    }

    /// Counts a record that was written without a buffer.
    pub fn wrote_one(&mut self, payload: u64) {
        self.next_id += 1;
        self.bytes += payload;
    }

    /// The number above those of all named types.
    pub fn types_end(&self) -> u32 {
        self.names.end()
    }

    #[inline]
    pub fn check_type(&self, type_id: u32) -> Result<()> {
        match type_id < FIRST_NAMED_TYPE || type_id < self.names.end() {
            true => Ok(()),
            false => Err(refused_type(type_id)),
        }
    }
}

#[cold]
pub(super) fn refused_type(type_id: u32) -> Error {
    Error::invalid(match is_event(type_id) {
        true => format!("type {type_id:#x} has the top bit set: such types are the library's own events"),
        false => format!("type {type_id:#x} is 2^30 or more and was not given by this writer for a name"),
    })
}

/// The append lock when there is a buffer to fill. A record has its id as soon as it is pushed.
pub(super) struct Room<'a> {
    filling: MutexGuard<'a, Filling>,
    /// The time by the writer's clock when the lock was taken.
    now: i64,
}

impl<'a> Room<'a> {
    /// Takes a filling that has a buffer; returns any other as the error.
    #[inline(always)]
    pub fn of(mut filling: MutexGuard<'a, Filling>) -> std::result::Result<Self, MutexGuard<'a, Filling>> {
        match filling.has_buffer() {
            true => {
                let now = filling.clock.now_ns();
                Ok(Room { filling, now })
            }
            false => Err(filling),
        }
    }

    /// Gives up the room, for a caller that is done or is about to wait.
    #[inline(always)]
    pub fn into_filling(self) -> MutexGuard<'a, Filling> {
        self.filling
    }

    /// Now, in nanoseconds since the Unix epoch.
    #[inline(always)]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Id of the record that comes next.
    #[inline(always)]
    pub fn next_id(&self) -> u64 {
        self.filling.next_id
    }

    /// The numbers of named types.
    pub fn names(&self) -> &Names {
        &self.filling.names
    }

    /// Whether the next `count` records belong to a later segment.
    #[inline(always)]
    pub fn is_over(&self, count: u64) -> bool {
        self.filling.span.is_over(self.now, self.filling.next_id, count)
    }

    /// Reserves memory for so many records with so many bytes of payload and of metadata in all, and begins a new block
    /// unless they belong into the current one. Called before anything is pushed, which cannot fail afterwards.
    #[inline(always)]
    pub fn make_room(&mut self, records: usize, payload: usize, metadata: usize) -> Result<()> {
        let (next_id, now) = (self.filling.next_id, self.now);
        let buffer = self.buffer();
        buffer.reserve(records, payload, metadata)?;
        buffer.make_room(next_id, payload, now);
        Ok(())
    }

    /// Adds a record.
    #[inline(always)]
    pub fn push<'b>(&mut self, entry: &NewEntry<'_>, parts: impl Iterator<Item = &'b [u8]>) {
        self.buffer().push(entry, parts);
        self.count(1, entry.payload_len as u64);
    }

    /// Adds so many more records, which have no metadata and differ from the one pushed last only in their payloads.
    #[inline(always)]
    pub fn push_alike<'b>(&mut self, last: &NewEntry<'_>, many: u32, payloads: impl Iterator<Item = &'b [u8]>) {
        self.buffer().push_alike(last, many, payloads);
        self.count(u64::from(many), u64::from(many) * last.payload_len as u64);
    }

    /// Puts an event in front of the next record.
    pub fn push_event(&mut self, type_id: u32, time: i64, metadata: Metadata<'_>, payload: &[u8]) -> Result<()> {
        self.filling.push_event(type_id, (time, self.now), metadata, payload).map(drop)
    }

    /// Gives a type that has no number the next one, and writes it to the log, after its schema if the log has not got
    /// that.
    pub fn name(&mut self, wanted: &NamedType, schema: &[u8]) -> Result<u32> {
        let (named, schema) = self.filling.names.next(wanted, schema)?;
        let facts = named.to_facts();
        let pairs = facts.as_metadata();
        if let Some(schema) = &schema {
            // Room for both: a type is not written without its schema, and a schema in vain is not either.
            let about = schema.to_facts();
            let about = about.as_metadata();
            let metadata = about.as_bytes().len() + pairs.as_bytes().len();
            self.buffer().reserve(2, schema.bytes.len(), metadata)?;
            self.push_event(event::SCHEMA, self.now, about, &schema.bytes)?;
        }
        self.push_event(event::TYPE, self.now, pairs, &[])?;
        Ok(self.filling.names.add(named, schema))
    }

    #[inline(always)]
    fn buffer(&mut self) -> &mut Buffer {
        // It is present: a room is made of a filling that has a buffer, and nothing here takes it away.
        self.filling.buffer.get_or_insert_with(Buffer::default)
    }

    #[inline(always)]
    fn count(&mut self, records: u64, payload: u64) {
        self.filling.next_id += records;
        self.filling.bytes += payload;
    }
}
