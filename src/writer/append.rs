//! The append stage: records get their ids and are copied into the piece being filled.

use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::MutexGuard;

use super::piece::Piece;
use super::policy::Due;
use super::stretch::{Rules, Stretch};
use super::{next_type_number, Shared, TypeNumbers, Writer};
use crate::error::{Error, Kind, Result};
use crate::format::draft::{Buffers, Draft, NewEntry, Room};
use crate::format::packed::Run;
use crate::format::{limits, metadata};
use crate::io::clock::{Clock, Stopwatch};
use crate::memory;
use crate::record::{check_metadata, event, is_event, Metadata, NamedType, NewRecord, FIRST_NAMED_TYPE};
use crate::segment::Block;

/// Bytes that the facts of a DROPPED event take at the most: two numbers and their names.
const DROPPED_FACTS: usize = 64;

/// What the append lock guards.
pub(super) struct Filling {
    /// Taken from the free ones when the first record comes.
    pub piece: Option<Piece>,
    /// When the last one was taken.
    pub piece_since: Option<Instant>,
    /// How many in a row took their time to be filled.
    pub unhurried: u32,
    next_id: u64,
    /// Bytes of payload taken since the writer was opened.
    bytes: u64,
    /// Types at and above this number have not been given to anybody.
    unknown_type: u32,
    numbers: TypeNumbers,
    pub clock: Ticker,
    /// Which records the current segment is for.
    pub stretch: Stretch,
    /// The rules that the stretch follows from.
    pub rules: Rules,
    /// When the segment that the next record goes to was begun, and its first record; it may still have to be made.
    pub begun: (i64, u64),
    /// A roll was handed over, and nobody sees to it yet.
    pub owes_stage: bool,
    /// When the last heartbeat was written, by the writer's clock.
    pub beat: i64,
}

/// The writer's clock, asked in each append.
pub(super) enum Ticker {
    System(Stopwatch),
    Given(Clock),
}

impl Ticker {
    fn new(clock: &Clock) -> Self {
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
    pub fn new(next_id: u64, numbers: TypeNumbers, rules: Rules, begun: (i64, u64), clock: &Clock) -> Self {
        let unknown_type = next_type_number(&numbers).unwrap_or(crate::record::EVENT_BIT);
        let now = clock.now_ns();
        Filling {
            piece: None,
            piece_since: None,
            unhurried: 0,
            next_id,
            bytes: 0,
            unknown_type,
            numbers,
            clock: Ticker::new(clock),
            stretch: rules.stretch(begun, now, next_id, 0),
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

    /// When the oldest record was appended that has not been handed over, 0 if there is none.
    #[inline]
    pub fn since(&self) -> i64 {
        self.piece.as_ref().map_or(0, Piece::since)
    }

    /// Bytes of payload taken since the writer was opened.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[inline]
    fn check_type(&self, type_id: u32) -> Result<()> {
        match type_id < FIRST_NAMED_TYPE || type_id < self.unknown_type {
            true => Ok(()),
            false => Err(refused_type(type_id)),
        }
    }
}

#[cold]
fn refused_type(type_id: u32) -> Error {
    Error::invalid(match is_event(type_id) {
        true => format!("type {type_id:#x} has the top bit set: such types are the library's own events"),
        false => format!("type {type_id:#x} is 2^30 or more and was not given by this writer for a name"),
    })
}

impl Writer {
    /// Appends a record of now, and returns its id. The record is in the writer's memory then; flush, sync or a policy
    /// carries it further.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a type number that is not the user's, [`Kind::TooLarge`] for a payload over
    /// `record_max_bytes`, [`Kind::NoMemory`]: nothing was taken. When the log cannot be written ([`Kind::NoSpace`], [`Kind::Io`]) an append
    /// fails before it takes the record, so trying again repeats nothing; only when a flush or sync that a policy asked
    /// for fails, the record has been taken, and [`Error::record_id`] tells its id. [`Kind::Failed`] after an fsync has
    /// failed. What a full disk leads to is [`crate::FullDisk`]'s to say: the id 0 tells of a record that was dropped.
    #[inline]
    pub fn append(&self, type_id: u32, payload: &[u8]) -> Result<u64> {
        let first = self.shared.append_plain(type_id, payload);
        self.shared.or_when_full(first, || self.shared.append_plain(type_id, payload), || 1)
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

    /// As [`Self::gather`], with the time and metadata of `record`, whose own payload is not looked at.
    pub fn gather_record(&self, record: &NewRecord<'_>, parts: &[&[u8]]) -> Result<u64> {
        let pairs = record.metadata.as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        // Parts may overlap, so their sum can be larger than memory; saturated, it is over every limit.
        let payload_len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let record = Unplaced { type_id: record.type_id, time: record.time, metadata, payload_len };
        let first = self.shared.append(record, parts);
        self.shared.or_when_full(first, || self.shared.append(record, parts), || 1)
    }

    /// Appends all records or, on an error, none, and returns the id of the first; the others follow. A crash too keeps
    /// all or none of them. Records without a time of their own get the same one. An empty batch returns the id that
    /// the next record will have. 0 = the batch was dropped ([`crate::FullDisk::Drop`]).
    pub fn append_batch<'a, I>(&self, records: I) -> Result<u64>
    where
        I: IntoIterator<Item = NewRecord<'a>>,
        I::IntoIter: Clone,
    {
        let records = records.into_iter();
        let first = self.shared.append_batch(records.clone());
        let again = || self.shared.append_batch_again(records.clone());
        self.shared.or_when_full(first, again, || records.clone().count() as u64)
    }

    /// As [`Self::append_batch`], with records of which many are alike, and what they come to.
    pub(crate) fn append_runs<'a>(&self, runs: impl Iterator<Item = NewRun<'a>> + Clone, sums: Sums) -> Result<u64> {
        let first = self.shared.append_runs(runs.clone(), sums);
        self.shared.or_when_full(first, || self.shared.append_runs(runs.clone(), sums), || sums.count)
    }

    /// The number that stands for a type's name in this log; a new name gets one. `content_type` is a MIME type or
    /// empty, and counts only when the name is new. Fails as [`Self::append`] does when a new name finds no room, also
    /// with [`crate::FullDisk::Drop`].
    pub fn type_id(&self, name: &str, content_type: &str) -> Result<u32> {
        self.shared.check_usable()?;
        self.shared.patiently(|| self.shared.type_id(name, content_type))
    }

    /// Puts an event of another log in front of the next record, with its time, its payload, its metadata and the pair
    /// `mark`.
    pub(crate) fn append_event(
        &self,
        type_id: u32,
        time: i64,
        metadata: &Metadata<'_>,
        mark: (&str, &str),
        payload: &[u8],
    ) -> Result<()> {
        self.shared.check_usable()?;
        let mut pairs = memory::with_room(metadata.as_bytes().len() + mark.0.len() + mark.1.len() + 20)?;
        pairs.extend_from_slice(metadata.as_bytes());
        metadata::put(&mut pairs, mark.0, mark.1);
        let facts = Metadata::from_bytes(&pairs);
        let push = || self.shared.push_event_with(&mut self.shared.append.lock(), (type_id, time), facts, payload);
        self.shared.patiently(push)
    }
}

/// Records one after the other that differ in nothing but their payloads.
#[derive(Clone, Copy)]
pub(crate) struct NewRun<'a> {
    pub first: NewRecord<'a>,
    /// The run of frames that it was made from, if there are others than the first.
    pub others: Option<Run<'a>>,
}

impl<'a> NewRun<'a> {
    #[inline(always)]
    fn of_one(first: NewRecord<'a>) -> Self {
        NewRun { first, others: None }
    }
}

/// What the records of a batch come to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    count: u64,
    /// Bytes of payload in all.
    payload: u64,
    /// Bytes of metadata in all.
    metadata: u64,
    /// Bytes of the longest payload.
    longest: u64,
    greatest_type: u32,
}

impl Sums {
    #[inline(always)]
    pub fn add(&mut self, run: &NewRun<'_>) {
        let len = run.first.payload.len() as u64;
        let many = 1 + run.others.map_or(0, |run| u64::from(run.others()));
        self.count += many;
        self.payload = self.payload.saturating_add(len.saturating_mul(many));
        // A run of several has none.
        self.metadata = self.metadata.saturating_add(run.first.metadata.as_bytes().len() as u64);
        self.longest = self.longest.max(len);
        self.greatest_type = self.greatest_type.max(run.first.type_id);
    }
}

/// Where the next record goes.
pub(super) struct Current<'a> {
    blocks: &'a mut Piece,
    next_id: u64,
}

/// A record that has no id and no place yet.
#[derive(Clone, Copy)]
struct Unplaced<'a> {
    type_id: u32,
    time: Option<i64>,
    metadata: (u64, &'a [u8]),
    payload_len: usize,
}

impl Unplaced<'_> {
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

impl Shared {
    /// A record of now without metadata. Apart from the others, so that what they have besides costs it nothing.
    fn append_plain(&self, type_id: u32, payload: &[u8]) -> Result<u64> {
        let record = Unplaced { type_id, time: None, metadata: (0, &[]), payload_len: payload.len() };
        self.append_one(record, &[payload])
    }

    fn append(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        self.append_one(record, parts)
    }

    #[inline(always)]
    fn append_one(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        self.check_usable()?;
        self.check_length(record.payload_len as u64)?;
        if record.payload_len > self.options.block_bytes as usize {
            return self.append_large(record, parts);
        }
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        filling.check_type(record.type_id)?;
        if filling.stretch.is_over(now, filling.next_id, 1) {
            self.turn_if_over(&mut filling, now, 1);
        }
        let piece = self.piece(&mut filling)?;
        let id = piece.next_id;
        piece.blocks.reserve(1, record.payload_len, record.metadata.1.len())?;
        piece.blocks.make_room(id, record.payload_len, now);
        piece.blocks.push(&record.at(now), parts.iter().copied());
        self.placed(filling, id, record.payload_len as u64, now)
    }

    /// Apart from the first try, which is to be inlined where it is called.
    #[cold]
    fn append_batch_again<'a>(&self, records: impl Iterator<Item = NewRecord<'a>> + Clone) -> Result<u64> {
        self.append_batch(records)
    }

    /// A record larger than a block gets a block of its own, written from the caller's memory. The append lock is held
    /// meanwhile, so that no later record can get an id and be written before it, or be left behind a gap if it fails;
    /// so everything slow is done before: compressing it, and writing what came earlier.
    #[cold]
    fn append_large(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        if self.is_stuck() {
            self.check_full_just_now()?;
        }
        let compressed = self.compress_large(parts);
        let mut buffers = Buffers::default();
        buffers.reserve(Room::of(1, record.metadata.1.len()))?;
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        if filling.stretch.is_over(now, filling.next_id, 1) {
            self.turn_if_over(&mut filling, now, 1);
        }
        drop(filling);
        self.flush()?;
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        filling.check_type(record.type_id)?;
        self.tell_dropped(&mut filling)?;
        // Meanwhile time has passed, and others have appended.
        if filling.stretch.is_over(now, filling.next_id, 1) {
            self.turn_if_over(&mut filling, now, 1);
        }
        self.hand_over(&mut filling);
        let mut output = self.output.lock();
        self.drain_into(&mut output)?;
        let id = filling.next_id;
        let mut draft = Draft::new(id, &mut buffers, 0);
        draft.push(&record.at(now), &mut buffers);
        buffers.settle();
        let compressed = compressed.as_deref();
        let block = Block { draft: &draft, buffers: &buffers, parts, compressed };
        output.write_direct(&block).map_err(|e| self.remember_failed(e))?;
        filling.next_id += 1;
        filling.bytes += record.payload_len as u64;
        // In this order, so that no position is ever seen ahead of the one that it follows.
        self.appended.store(id, Ordering::Release);
        self.flushed.store(id, Ordering::Release);
        self.flushed_bytes.store(filling.bytes, Ordering::Release);
        self.note_unsynced(now);
        let due = self.due(&filling, id, now);
        drop(filling);
        let retired = self.after_write(output);
        retired.and_then(|()| self.carry_out_taken(due, id)).map_err(|e| e.although_taken(id))?;
        Ok(id)
    }

    fn compress_large(&self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let mut compressor = self.compressor.lock();
        if compressor.codec() == crate::format::codec::Codec::None {
            return None;
        }
        let mut shorter = vec![];
        let mut joined = vec![];
        let whole = match parts {
            [whole] => whole,
            parts => {
                // Without memory to compress it in, it is written as it is.
                memory::reserve_exact(&mut joined, parts.iter().map(|part| part.len()).sum()).ok()?;
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                &joined[..]
            }
        };
        compressor.compress(whole, &mut shorter).then_some(shorter)
    }

    #[inline]
    fn append_batch<'a>(&self, records: impl Iterator<Item = NewRecord<'a>> + Clone) -> Result<u64> {
        self.check_usable()?;
        let mut sums = Sums::default();
        for record in records.clone() {
            self.check_length(record.payload.len() as u64)?;
            check_metadata(record.metadata.as_bytes())?;
            sums.add(&NewRun::of_one(record));
        }
        self.append_checked(records.map(NewRun::of_one), sums)
    }

    #[inline(never)]
    fn append_runs<'a>(&self, runs: impl Iterator<Item = NewRun<'a>> + Clone, sums: Sums) -> Result<u64> {
        self.check_usable()?;
        if sums.longest > self.options.record_max_bytes || sums.metadata > 0 {
            for run in runs.clone() {
                self.check_length(run.first.payload.len() as u64)?;
                check_metadata(run.first.metadata.as_bytes())?;
            }
        }
        self.append_checked(runs, sums)
    }

    /// Appends records whose payloads and metadata were checked one by one.
    #[inline(always)]
    fn append_checked<'a>(&self, runs: impl Iterator<Item = NewRun<'a>>, sums: Sums) -> Result<u64> {
        let Sums { count, payload, metadata, greatest_type, .. } = sums;
        // An entry takes at most 26 bytes besides its metadata.
        if payload > limits::REGION || metadata.saturating_add(26 * count) > limits::REGION {
            return Err(Error::new(Kind::TooLarge, format!("a batch of {payload} bytes does not fit into one block")));
        }
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        filling.check_type(greatest_type)?;
        let first = filling.next_id;
        if count == 0 {
            return Ok(first);
        }
        if filling.stretch.is_over(now, first, count) {
            self.turn_if_over(&mut filling, now, count);
        }
        let piece = self.piece(&mut filling)?.blocks;
        piece.reserve(count as usize, payload as usize, metadata as usize)?;
        piece.make_room(first, payload as usize, now);
        for run in runs {
            let record = run.first;
            let pairs = record.metadata.as_bytes();
            let entry = NewEntry {
                type_id: record.type_id,
                time: record.time.unwrap_or(now),
                // Checked before.
                metadata: (check_metadata(pairs)?, pairs),
                payload_len: record.payload.len(),
            };
            piece.push(&entry, std::iter::once(record.payload));
            if let Some(others) = run.others {
                piece.push_alike(&entry, others.others(), others.other_payloads());
            }
        }
        self.placed(filling, first + count - 1, payload, now).map(|_| first)
    }

    /// The last steps of an append, from the append lock to the policies.
    #[inline(always)]
    fn placed(&self, mut filling: MutexGuard<'_, Filling>, last_id: u64, payload: u64, now: i64) -> Result<u64> {
        filling.next_id = last_id + 1;
        filling.bytes += payload;
        let bytes = filling.bytes;
        let full = filling.piece.as_mut().is_some_and(|piece| {
            piece.set_bytes_end(bytes);
            piece.is_full()
        });
        self.appended.store(last_id, Ordering::Release);
        self.note_unsynced(now);
        let due = self.due(&filling, last_id, now);
        if full {
            self.hand_over(&mut filling);
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

    /// The piece being filled, and the id that comes next.
    #[inline]
    pub(super) fn piece<'a>(&self, filling: &'a mut MutexGuard<'_, Filling>) -> Result<Current<'a>> {
        if filling.piece.is_none() {
            let mut piece = self.free_piece(filling)?;
            // What it held before was counted up to elsewhere, and it may now get events alone.
            piece.set_bytes_end(filling.bytes);
            filling.piece = Some(piece);
            self.push_dropped(filling);
        }
        match &mut **filling {
            Filling { piece: Some(blocks), next_id, .. } => Ok(Current { blocks, next_id: *next_id }),
            Filling { piece: None, .. } => Err(Error::new(Kind::Failed, "the writer has no memory to append to")),
        }
    }

    /// Puts an event in front of the next record.
    pub(super) fn push_event(
        &self,
        filling: &mut MutexGuard<'_, Filling>,
        type_id: u32,
        time: i64,
        metadata: Metadata<'_>,
    ) -> Result<()> {
        self.push_event_with(filling, (type_id, time), metadata, &[])
    }

    fn push_event_with(
        &self,
        filling: &mut MutexGuard<'_, Filling>,
        (type_id, time): (u32, i64),
        metadata: Metadata<'_>,
        payload: &[u8],
    ) -> Result<()> {
        let pairs = metadata.as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        let Current { blocks, next_id } = self.piece(filling)?;
        blocks.reserve(1, payload.len(), pairs.len())?;
        blocks.make_room(next_id, payload.len(), time);
        blocks.push(&NewEntry { type_id, time, metadata, payload_len: payload.len() }, std::iter::once(payload));
        Ok(())
    }

    /// Puts the DROPPED event that is due, if any, into the piece being filled; false when there is no piece.
    pub(super) fn push_dropped(&self, filling: &mut Filling) -> bool {
        let Filling { piece: Some(piece), next_id, .. } = &mut *filling else { return false };
        // For want of memory it is told later.
        if self.drops.untold() && piece.reserve(1, 0, DROPPED_FACTS).is_ok() {
            let facts = self.drops.tell();
            let pairs = facts.as_metadata().as_bytes();
            let now = self.options.clock.now_ns();
            piece.make_room(*next_id, 0, now);
            // The library's own pairs are well-formed.
            let metadata = (check_metadata(pairs).unwrap_or(0), pairs);
            piece.push(&NewEntry { type_id: event::DROPPED, time: now, metadata, payload_len: 0 }, std::iter::empty());
        }
        true
    }

    #[inline]
    fn check_length(&self, len: u64) -> Result<()> {
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

    fn type_id(&self, name: &str, content_type: &str) -> Result<u32> {
        if name.is_empty() || name.len() + content_type.len() > 4096 {
            return Err(Error::invalid("a type's name is empty or, with its content type, over 4,096 bytes"));
        }
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        if let Some(&number) = filling.numbers.get(name) {
            return Ok(number);
        }
        let Some(number) = next_type_number(&filling.numbers) else {
            return Err(Error::new(Kind::TooLarge, "the log has 2^30 named types, and no number for another"));
        };
        let piece = self.piece(&mut filling)?;
        let named = NamedType { number, name: name.to_owned(), content_type: content_type.to_owned() };
        let facts = named.to_facts();
        let pairs = facts.as_metadata().as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        piece.blocks.reserve(1, 0, pairs.len())?;
        piece.blocks.make_room(piece.next_id, 0, now);
        piece.blocks.push(&NewEntry { type_id: event::TYPE, time: now, metadata, payload_len: 0 }, std::iter::empty());
        filling.numbers.insert(name.to_owned(), number);
        filling.unknown_type = number + 1;
        self.types.lock().push(named);
        Ok(number)
    }
}
