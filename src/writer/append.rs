//! The append stage: records get their ids and are copied into the buffer being filled.

use super::filling::Room;
use super::schedule::Due;
use super::{Parts, Writer};
use crate::error::{Error, Kind, Result};
use crate::format::draft::NewEntry;
use crate::format::limits;
use crate::format::packed::Run;
use crate::memory;
use crate::record::{check_metadata, event, NewRecord};

impl Writer {
    /// Appends a record with the current time and returns its id. The record is then in the writer's memory; a flush, a
    /// sync or a policy writes it.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a type number that is not the user's, [`Kind::TooLarge`] for a payload over
    /// `record_max_bytes`, [`Kind::NoMemory`]: nothing was taken. When the log cannot be written ([`Kind::NoSpace`],
    /// [`Kind::Io`]), an append fails before it takes the record, and can be tried again without repeating one. Only
    /// when a flush or sync that a policy asked for fails has the record been taken, and [`Error::record_id`] returns
    /// its id. [`Kind::Failed`] after an fsync has failed. [`crate::FullDisk`] selects what a full disk leads to; the
    /// id 0 means that the record was dropped.
    #[inline]
    pub fn append(&self, type_id: u32, payload: &[u8]) -> Result<u64> {
        let parts = &*self.parts;
        let first = parts.append_plain(type_id, payload);
        parts.or_when_full(first, || parts.append_plain(type_id, payload), || 1)
    }

    /// Appends a record with a time or metadata of its own.
    pub fn append_record(&self, record: &NewRecord<'_>) -> Result<u64> {
        self.gather_record(record, &[record.payload])
    }

    /// Appends one record whose payload is the parts, one after the other. A large one is written from where it is,
    /// without a copy.
    pub fn gather(&self, type_id: u32, parts: &[&[u8]]) -> Result<u64> {
        self.gather_record(&NewRecord { type_id, ..NewRecord::default() }, parts)
    }

    /// As [`Self::gather`], with the time and metadata of `record`, whose own payload is ignored.
    pub fn gather_record(&self, record: &NewRecord<'_>, parts: &[&[u8]]) -> Result<u64> {
        let record = Unplaced::of(record, parts)?;
        let first = self.parts.append(record, parts);
        self.parts.or_when_full(first, || self.parts.append(record, parts), || 1)
    }

    /// Appends all records or, on an error, none, and returns the id of the first; the others follow. A crash too keeps
    /// all or none of them. Records without a time of their own get the same one. An empty batch returns the id that
    /// the next record will have. 0 = the batch was dropped ([`crate::FullDisk::Drop`]).
    pub fn append_batch<'a, I>(&self, records: I) -> Result<u64>
    where
        I: IntoIterator<Item = NewRecord<'a>>,
        I::IntoIter: Clone,
    {
        // Iterated once: a second pass may yield other records.
        let records = memory::collect(records.into_iter().map(Ok::<NewRecord<'a>, Error>))?;
        let first = self.parts.append_batch(&records);
        self.parts.or_when_full(first, || self.parts.append_batch(&records), || records.len() as u64)
    }

    /// As [`Self::append_batch`], for runs of records that differ only in their payloads, with the totals of all.
    pub(crate) fn append_runs<'a>(&self, runs: impl Iterator<Item = NewRun<'a>> + Clone, sums: Sums) -> Result<u64> {
        let first = self.parts.append_runs(runs.clone(), sums);
        self.parts.or_when_full(first, || self.parts.append_runs(runs.clone(), sums), || sums.count)
    }

    /// Appends an event that another log contained, before the next record: [`event::STARTED`], [`event::STOPPED`] or
    /// [`event::HEARTBEAT`], for programs that import logs. Events have no id.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for any other type; otherwise as [`Self::append_record`].
    pub fn append_event(&self, event: &NewRecord<'_>) -> Result<()> {
        self.parts.health.check_call()?;
        if !matches!(event.type_id, event::STARTED | event::STOPPED | event::HEARTBEAT) {
            let reason = format!("type {} is not an event that can be appended", event.type_id);
            return Err(Error::invalid(reason));
        }
        self.parts.check_length(event.payload.len() as u64)?;
        self.parts.patiently(|| {
            let mut room = self.parts.room()?;
            let time = event.time.unwrap_or(room.now());
            room.push_event(event.type_id, time, event.metadata, event.payload)
        })
    }
}

/// Consecutive records that differ only in their payloads.
#[derive(Clone, Copy)]
pub(crate) struct NewRun<'a> {
    pub first: NewRecord<'a>,
    /// The run of frames that it was made from, if it has more than one record.
    pub others: Option<Run<'a>>,
}

impl<'a> NewRun<'a> {
    #[inline(always)]
    pub(super) fn of_one(first: NewRecord<'a>) -> Self {
        NewRun { first, others: None }
    }

    /// The entry of its first record, whose metadata was checked before.
    #[inline(always)]
    pub(super) fn entry_at(&self, now: i64) -> NewEntry<'a> {
        let record = &self.first;
        let pairs = record.metadata.as_bytes();
        NewEntry {
            type_id: record.type_id,
            time: record.time.unwrap_or(now),
            metadata: (check_metadata(pairs).unwrap_or_default(), pairs),
            payload_len: record.payload.len(),
        }
    }
}

/// Totals of the records of a batch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(super) count: u64,
    /// Bytes of payload in all.
    pub(super) payload: u64,
    /// Bytes of metadata in all.
    pub(super) metadata: u64,
    /// Bytes of the longest payload.
    longest: u64,
    pub(super) greatest_type: u32,
}

impl Sums {
    #[inline(always)]
    pub fn add(&mut self, run: &NewRun<'_>) {
        let len = run.first.payload.len() as u64;
        let many = 1 + run.others.map_or(0, |run| u64::from(run.others()));
        self.count += many;
        self.payload = self.payload.saturating_add(len.saturating_mul(many));
        // A run of several records has no metadata.
        self.metadata = self.metadata.saturating_add(run.first.metadata.as_bytes().len() as u64);
        self.longest = self.longest.max(len);
        self.greatest_type = self.greatest_type.max(run.first.type_id);
    }
}

/// A record that has no id and no place yet.
#[derive(Clone, Copy)]
pub(super) struct Unplaced<'a> {
    pub type_id: u32,
    pub time: Option<i64>,
    pub metadata: (u64, &'a [u8]),
    pub payload_len: usize,
}

impl<'a> Unplaced<'a> {
    /// A record whose payload is the parts.
    pub fn of(record: &NewRecord<'a>, parts: &[&[u8]]) -> Result<Self> {
        let pairs = record.metadata.as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        // Parts may overlap, so their sum can be larger than memory; saturated, it is over every limit.
        let payload_len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        Ok(Unplaced { type_id: record.type_id, time: record.time, metadata, payload_len })
    }
}

/// A record that has no id and no place yet, in a form that its append is compiled for.
pub(super) trait ToPlace: Copy {
    fn as_unplaced(&self) -> Unplaced<'_>;
    fn type_id(&self) -> u32;
    fn payload_len(&self) -> usize;
    fn metadata_len(&self) -> usize;
    fn at(&self, now: i64) -> NewEntry<'_>;
}

impl ToPlace for Unplaced<'_> {
    #[inline]
    fn as_unplaced(&self) -> Unplaced<'_> {
        *self
    }

    #[inline]
    fn type_id(&self) -> u32 {
        self.type_id
    }

    #[inline]
    fn payload_len(&self) -> usize {
        self.payload_len
    }

    #[inline]
    fn metadata_len(&self) -> usize {
        self.metadata.1.len()
    }

    #[inline]
    fn at(&self, now: i64) -> NewEntry<'_> {
        NewEntry {
            type_id: self.type_id,
            time: self.time.unwrap_or(now),
            metadata: self.metadata,
            payload_len: self.payload_len,
        }
    }
}

/// A record without metadata, with the current time. As an [`Unplaced`] it would be stored to memory and loaded again in
/// larger pieces, for which the processor waits until the stores are done: a quarter of a small append.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    pub type_id: u32,
    pub payload_len: usize,
}

impl ToPlace for Plain {
    #[cold]
    fn as_unplaced(&self) -> Unplaced<'_> {
        Unplaced { type_id: self.type_id, time: None, metadata: (0, &[]), payload_len: self.payload_len }
    }

    #[inline(always)]
    fn type_id(&self) -> u32 {
        self.type_id
    }

    #[inline(always)]
    fn payload_len(&self) -> usize {
        self.payload_len
    }

    #[inline(always)]
    fn metadata_len(&self) -> usize {
        0
    }

    #[inline(always)]
    fn at(&self, now: i64) -> NewEntry<'_> {
        NewEntry { type_id: self.type_id, time: now, metadata: (0, &[]), payload_len: self.payload_len }
    }
}

impl Parts {
    /// Appends a record without metadata, with the current time. A function of its own, which saves the cost of the
    /// others.
    fn append_plain(&self, type_id: u32, payload: &[u8]) -> Result<u64> {
        self.append_one(Plain { type_id, payload_len: payload.len() }, &[payload])
    }

    pub(super) fn append(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        self.append_one(record, parts)
    }

    #[inline(always)]
    fn append_one(&self, record: impl ToPlace, parts: &[&[u8]]) -> Result<u64> {
        self.health.check_call()?;
        self.check_length(record.payload_len() as u64)?;
        if record.payload_len() > self.options.block_bytes as usize {
            return self.append_large(record.as_unplaced(), parts);
        }
        let mut room = self.room_for(record.type_id(), 1)?;
        room.make_room(1, record.payload_len(), record.metadata_len())?;
        let now = room.now();
        room.push(&record.at(now), parts.iter().copied());
        self.placed(room)
    }

    /// The append lock, with room for the next record. May wait for the write stage.
    #[inline(always)]
    pub(super) fn room(&self) -> Result<Room<'_>> {
        match Room::of(self.filling.lock()) {
            Ok(room) => Ok(room),
            Err(filling) => self.wait_for_room(filling),
        }
    }

    /// The append lock, with room for the next `count` records in the segment that they belong to. May wait. A type
    /// that may be appended now may always be appended.
    #[inline(always)]
    fn room_for(&self, type_id: u32, count: u64) -> Result<Room<'_>> {
        let filling = self.filling.lock();
        filling.check_type(type_id)?;
        let room = match Room::of(filling) {
            Ok(room) => room,
            Err(filling) => self.wait_for_room(filling)?,
        };
        match room.is_over(count) {
            true => self.room_in_next_segment(room, count),
            false => Ok(room),
        }
    }

    #[cold]
    fn room_in_next_segment<'a>(&'a self, mut room: Room<'a>, count: u64) -> Result<Room<'a>> {
        loop {
            let now = room.now();
            let mut filling = room.into_filling();
            let handed_over = self.hand_over(&mut filling);
            filling.owes_stage = true;
            self.rolling.turn_if_over(&mut filling, &self.stage, now, count, handed_over);
            room = match Room::of(filling) {
                Ok(room) => return Ok(room),
                // The buffer went with the segment. While this thread waits for another one, time passes and others
                // append.
                Err(filling) => self.wait_for_room(filling)?,
            };
            if !room.is_over(count) {
                return Ok(room);
            }
        }
    }

    #[inline]
    fn append_batch(&self, records: &[NewRecord<'_>]) -> Result<u64> {
        self.health.check_call()?;
        let sums = self.sum(records)?;
        self.append_checked(records.iter().copied().map(NewRun::of_one), sums)
    }

    /// Checks records one by one, and returns their totals.
    #[inline]
    pub(super) fn sum(&self, records: &[NewRecord<'_>]) -> Result<Sums> {
        let mut sums = Sums::default();
        for record in records {
            self.check_length(record.payload.len() as u64)?;
            check_metadata(record.metadata.as_bytes())?;
            sums.add(&NewRun::of_one(*record));
        }
        Ok(sums)
    }

    #[inline(never)]
    pub(super) fn append_runs<'a>(&self, runs: impl Iterator<Item = NewRun<'a>> + Clone, sums: Sums) -> Result<u64> {
        self.health.check_call()?;
        self.check_runs(runs.clone(), &sums)?;
        self.append_checked(runs, sums)
    }

    /// Checks runs whose totals are these.
    #[inline]
    pub(super) fn check_runs<'a>(&self, runs: impl Iterator<Item = NewRun<'a>>, sums: &Sums) -> Result<()> {
        if sums.longest > self.options.record_max_bytes || sums.metadata > 0 {
            for run in runs {
                self.check_length(run.first.payload.len() as u64)?;
                check_metadata(run.first.metadata.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Appends records whose payloads and metadata were checked one by one.
    #[inline(always)]
    fn append_checked<'a>(&self, runs: impl Iterator<Item = NewRun<'a>>, sums: Sums) -> Result<u64> {
        let Sums { count, payload, metadata, greatest_type, .. } = sums;
        // An entry takes at most 26 bytes besides its metadata.
        if payload > limits::REGION || metadata.saturating_add(26 * count) > limits::REGION {
            return Err(Error::new(Kind::TooLarge, format!("a batch of {payload} bytes does not fit into one block")));
        }
        if count == 0 {
            return Ok(self.filling.lock().next_id());
        }
        let mut room = self.room_for(greatest_type, count)?;
        room.make_room(count as usize, payload as usize, metadata as usize)?;
        let (first, now) = (room.next_id(), room.now());
        for run in runs {
            let entry = run.entry_at(now);
            room.push(&entry, std::iter::once(run.first.payload));
            if let Some(others) = run.others {
                room.push_alike(&entry, others.others(), others.other_payloads());
            }
        }
        self.placed(room).map(|_| first)
    }

    /// The last steps of an append, from the append lock to the policies. Returns the id of the last record.
    #[inline(always)]
    fn placed(&self, room: Room<'_>) -> Result<u64> {
        let now = room.now();
        let mut filling = room.into_filling();
        let last_id = filling.last_id();
        let full = filling.settle();
        self.positions.appended_to(last_id);
        self.schedule.note_unsynced(now);
        let due = self.schedule.due(&self.positions, &filling, filling.since(), now);
        if full {
            filling.hand_over_own(&self.stage);
        }
        let handed_over = full || filling.owes_stage;
        filling.owes_stage = false;
        drop(filling);
        if handed_over {
            self.run_stage();
        }
        if due != Due::Nothing {
            self.carry_out_taken(due, last_id).map_err(|e| e.although_taken(last_id))?;
        }
        Ok(last_id)
    }

    #[inline]
    pub(super) fn check_length(&self, len: u64) -> Result<()> {
        match len <= self.options.record_max_bytes {
            true => Ok(()),
            false => Err(self.too_long(len)),
        }
    }

    #[cold]
    fn too_long(&self, len: u64) -> Error {
        let most = self.options.record_max_bytes;
        Error::new(Kind::TooLarge, format!("a payload of {len} bytes; this log takes records of up to {most}"))
    }
}
