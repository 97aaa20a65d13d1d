//! What an appender has taken and not handed over yet: its side, which fills a buffer without any lock, and the writer's,
//! which takes the buffer away.

use std::sync::Arc;

use super::append::{NewRun, Sums};
use super::area::{Area, Rules};
use super::buffer::Buffer;
use super::filling::Filling;
use super::schedule::Schedule;
use super::span::Span;
use super::Parts;
use crate::error::Error;
use crate::format::draft::NewEntry;
use crate::format::packed::HEADER;
use crate::io::biased::{biased, enter_all, Others, Owner};
use crate::io::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use crate::record::FIRST_NAMED_TYPE;

/// Says that everything appended so far was handed over, which a roll requires: no record that was appended before it
/// goes to the next segment.
pub(super) struct HandedOver(());

impl HandedOver {
    /// For [`Parts::hand_over`] alone.
    pub fn all() -> Self {
        HandedOver(())
    }
}

/// Records without ids. The appender's thread owns them; the writer takes them away under the append lock.
#[derive(Default)]
pub(super) struct Staging {
    buffer: Option<Buffer>,
    /// Whether records may be added. False until the buffer was begun, and from when the writer has looked at it, because
    /// the rules may be others then.
    ready: bool,
    records: u64,
    /// Which times belong to the current segment.
    span: Span,
    /// The number above those of all named types that were known when the buffer was begun.
    types_end: u32,
    /// Where the program stages by itself, if it does.
    outside: Option<Box<Outside>>,
}

/// Memory of the program's own, and what is needed to take frames out of it at any time.
struct Outside {
    area: Area,
    /// For a frame that is completed while the buffer is taken away.
    spare: Option<Buffer>,
    /// When the area was opened last.
    since: i64,
    /// The named types that its frames may have end before this number.
    types_end: u32,
    block_bytes: usize,
}

/// When an appender hands its records over.
pub(super) struct Limits {
    pub bytes: usize,
    pub records: u64,
}

/// What became of records that were to be staged.
pub(super) enum Pushed {
    Taken,
    /// They were taken, and it is time to hand the buffer over.
    Full,
    /// They were not: there is no buffer, or it is not known whether they belong into it.
    NoRoom,
    /// They were not: there is no memory for them.
    NoMemory,
}

impl Staging {
    /// Whether records with types below `types_end` and the time `now` may be added.
    #[inline(always)]
    pub fn takes(&self, type_id: u32, now: i64) -> bool {
        let is_known = type_id < FIRST_NAMED_TYPE || type_id < self.types_end;
        self.ready && is_known && !self.span.is_over(now, 0, 1)
    }

    /// The buffer with room for so many records with so many bytes of payload and of metadata in all, in one block.
    #[inline(always)]
    pub fn make_room(&mut self, records: usize, payload: usize, metadata: usize, now: i64) -> Option<&mut Buffer> {
        let first = self.records;
        // It is present while `ready` is set.
        let buffer = self.buffer.as_mut()?;
        // The error is made later, by a caller that is not in a hurry.
        buffer.reserve(records, payload, metadata).ok()?;
        buffer.make_room(first, payload, now);
        Some(buffer)
    }

    /// Counts records that were pushed to the buffer.
    #[inline(always)]
    pub fn count(&mut self, records: u64, limits: &Limits, schedule: &Schedule, now: i64) -> Pushed {
        self.records += records;
        let Some(buffer) = &self.buffer else { return Pushed::Full };
        let is_full = buffer.is_full_at(limits.bytes) || self.records >= limits.records;
        match is_full || schedule.is_overdue(buffer.since(), now) {
            true => Pushed::Full,
            false => Pushed::Taken,
        }
    }

    /// Adds a record whose payload is the parts.
    #[inline(always)]
    pub fn push(
        &mut self,
        entry: &NewEntry<'_>,
        parts: &[&[u8]],
        now: i64,
        (limits, schedule): (&Limits, &Schedule),
    ) -> Pushed {
        if !self.takes(entry.type_id, now) {
            return Pushed::NoRoom;
        }
        let Some(buffer) = self.make_room(1, entry.payload_len, entry.metadata.1.len(), now) else {
            return Pushed::NoMemory;
        };
        buffer.push(entry, parts.iter().copied());
        self.count(1, limits, schedule, now)
    }

    /// Adds the records of runs with these totals, in one block.
    pub fn push_runs<'a>(
        &mut self,
        runs: impl Iterator<Item = NewRun<'a>>,
        sums: &Sums,
        now: i64,
        (limits, schedule): (&Limits, &Schedule),
    ) -> Pushed {
        let (records, payload, metadata) = (sums.count as usize, sums.payload as usize, sums.metadata as usize);
        let Some(buffer) = self.make_room(records, payload, metadata, now) else { return Pushed::NoMemory };
        for run in runs {
            let entry = run.entry_at(now);
            buffer.push(&entry, std::iter::once(run.first.payload));
            if let Some(others) = run.others {
                buffer.push_alike(&entry, others.others(), others.other_payloads());
            }
        }
        self.count(sums.count, limits, schedule, now)
    }

    /// Lets the program stage in memory of its own.
    pub fn set_area(&mut self, area: Area, block_bytes: usize) {
        self.outside = Some(Box::new(Outside { area, spare: None, since: 0, types_end: 0, block_bytes }));
    }

    /// Ends that: the memory is not used any more.
    pub fn remove_area(&mut self) -> Option<Buffer> {
        self.outside.take().and_then(|outside| outside.spare)
    }

    /// Moves the records that the program has staged by itself to the buffer. It has to call before it stages others.
    pub fn take_area(&mut self) {
        let Some(outside) = &mut self.outside else { return };
        outside.area.close();
        if !outside.area.has_frames() {
            return;
        }
        if self.buffer.is_none() {
            self.buffer = outside.spare.take();
        }
        let buffer = self.buffer.get_or_insert_with(|| Buffer::new(outside.block_bytes));
        self.records += outside.area.move_to(buffer, self.records, outside.since, outside.types_end);
    }

    /// Why records that the program has staged by itself are not in the log, once.
    pub fn area_error(&mut self) -> Option<Error> {
        self.outside.as_mut().and_then(|outside| outside.area.take_broken())
    }

    /// Whether the program has staged records that nobody has taken yet.
    pub fn has_in_area(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| outside.area.has_frames())
    }

    /// Removes these records. Called in the program's own thread.
    pub fn discard_area(&mut self) {
        if let Some(outside) = &mut self.outside {
            outside.area.reset();
        }
    }

    /// Whether another spare buffer is needed before the area can be opened.
    pub fn lacks_spare(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| outside.spare.is_none())
    }

    pub fn set_spare(&mut self, spare: Buffer) {
        if let Some(outside) = &mut self.outside {
            outside.spare = Some(spare);
        }
    }

    /// Lets the program stage by itself, by the rules of this buffer. Returns since when records may be staged, `None`
    /// when none can be. Everything in the area was taken before.
    pub fn open_area(&mut self, limits: &Limits, schedule: &Schedule, now: i64) -> Option<i64> {
        let (records, types_end, span) = (self.records, self.types_end, self.span);
        let outside = self.outside.as_mut().filter(|outside| !outside.area.has_frames())?;
        outside.area.reset();
        let (buffer, spare) = match (&mut self.buffer, &mut outside.spare) {
            (Some(buffer), Some(spare)) if self.ready => (buffer, spare),
            _ => return None,
        };
        let room = outside.area.room();
        for buffer in [&mut *buffer, spare] {
            // Taking them must not fail.
            buffer.reserve(room / HEADER, room, room).ok()?;
        }
        let since = if buffer.is_empty() { now } else { buffer.since() };
        let bytes = limits.bytes.saturating_sub(buffer.payload_len());
        let many = usize::try_from(limits.records - records.min(limits.records)).unwrap_or(usize::MAX);
        outside.area.open(&Rules {
            bytes: bytes.min(many.saturating_mul(HEADER)),
            from_ns: span.begin(),
            until_ns: span.end().unwrap_or(i64::MAX).min(schedule.overdue_at(since)),
            types_end,
        });
        (outside.since, outside.types_end) = (since, types_end);
        Some(since)
    }

    pub fn has_buffer(&self) -> bool {
        self.buffer.is_some()
    }

    /// When the oldest record was appended, 0 if there is none.
    pub fn since(&self) -> i64 {
        self.buffer.as_ref().map_or(0, Buffer::since)
    }

    /// Lets records be added under the rules of `filling`, to this buffer unless there is one. Returns the one that is
    /// not needed.
    pub fn begin(&mut self, buffer: Option<Buffer>, filling: &Filling) -> Option<Buffer> {
        let unneeded = match &self.buffer {
            Some(_) => buffer,
            None => {
                self.buffer = buffer;
                None
            }
        };
        (self.span, self.types_end) = (filling.span, filling.types_end());
        self.ready = self.buffer.is_some();
        unneeded
    }

    /// Takes the buffer away, unless it is empty. No record is added before [`Self::begin`] is called again.
    pub fn take(&mut self) -> Option<Buffer> {
        self.ready = false;
        self.take_area();
        self.records = 0;
        self.buffer.take_if(|buffer| !buffer.is_empty())
    }

    /// Takes the buffer away for good.
    pub fn end(&mut self) -> Option<Buffer> {
        self.ready = false;
        self.buffer.take()
    }
}

/// An appender as its writer sees it.
pub(super) struct Slot {
    staging: Others<Staging>,
    /// When the oldest staged record was appended, 0 if there is none. Written by the appender with the first record of a
    /// buffer; what reads it uses it as a hint of when to look.
    since: AtomicI64,
    /// The id of the last record that was handed over, 0 if none.
    last_id: AtomicU64,
}

impl Slot {
    /// A slot, and the appender's side of what it stages.
    pub fn new() -> (Arc<Self>, Owner<Staging>) {
        let (owner, staging) = biased(Staging::default());
        (Arc::new(Slot { staging, since: AtomicI64::new(0), last_id: AtomicU64::new(0) }), owner)
    }

    pub fn note_since(&self, since: i64) {
        self.since.store(since, Ordering::Relaxed);
    }

    pub fn since(&self) -> i64 {
        self.since.load(Ordering::Relaxed)
    }

    pub fn last_id(&self) -> u64 {
        self.last_id.load(Ordering::Relaxed)
    }

    /// A record of the appender was appended with this id.
    pub fn note_last(&self, id: u64) {
        self.last_id.store(id, Ordering::Relaxed);
    }
}

/// The appenders of a writer. The append lock guards them.
#[derive(Default)]
pub(super) struct Appenders(Vec<Arc<Slot>>);

impl Appenders {
    pub fn add(&mut self, slot: Arc<Slot>) {
        self.0.push(slot);
    }

    pub fn remove(&mut self, slot: &Arc<Slot>) {
        self.0.retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// When the oldest staged record was appended, 0 if there is none.
    pub fn since(&self) -> i64 {
        self.0.iter().map(|slot| slot.since()).filter(|since| *since != 0).min().unwrap_or(0)
    }
}

impl Parts {
    /// Takes over what all appenders have staged. The caller makes sure that it is written.
    #[inline]
    pub(super) fn collect(&self, filling: &mut Filling) {
        if !filling.appenders.0.is_empty() {
            self.collect_from_all(filling);
        }
    }

    #[cold]
    fn collect_from_all(&self, filling: &mut Filling) {
        let slots = std::mem::take(&mut filling.appenders.0);
        let entered = enter_all(slots.iter().map(|slot| &slot.staging));
        for (slot, mut staging) in slots.iter().zip(entered) {
            let buffer = staging.take();
            slot.note_since(0);
            drop(staging);
            self.take_over(filling, slot, buffer);
        }
        filling.appenders.0 = slots;
    }

    /// Takes over what an appender has staged.
    pub(super) fn take_over(&self, filling: &mut Filling, slot: &Slot, buffer: Option<Buffer>) {
        let Some(buffer) = buffer else { return };
        let since = buffer.since();
        filling.take_over(buffer, &self.stage);
        slot.note_last(filling.last_id());
        self.positions.appended_to(filling.last_id());
        self.schedule.note_unsynced_since(since);
    }
}
