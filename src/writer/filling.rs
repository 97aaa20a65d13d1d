//! What the append lock guards, and the room behind it for the next record.
//!
//! What is read under the append lock is no longer true once the lock was given back, as whoever waits for memory or for the
//! write stage does. So there is one way to a record's id, its time and its type's number: a [`Room`], which is given when
//! there is room and does not wait. What waits takes the lock and gives another one back.

use std::collections::HashMap;
use std::time::Duration;

use super::piece::Piece;
use super::stretch::{Rules, Stretch};
use crate::error::{Error, Kind, Result};
use crate::format::draft::NewEntry;
use crate::io::clock::{Clock, Stopwatch};
use crate::io::sync::{Instant, MutexGuard};
use crate::record::{check_metadata, event, is_event, Metadata, NamedType, FIRST_NAMED_TYPE};

/// What the append lock guards.
pub(super) struct Filling {
    /// Taken from the free ones when the first record comes.
    piece: Option<Piece>,
    /// When the last one was taken.
    piece_since: Option<Instant>,
    /// How many in a row took their time to be filled.
    unhurried: u32,
    /// Only ever grows, by what was pushed: see [`Room`].
    next_id: u64,
    /// Bytes of payload taken since the writer was opened.
    bytes: u64,
    names: Names,
    pub clock: Ticker,
    /// Which records the current segment is for.
    pub stretch: Stretch,
    /// The rules that the stretch follows from.
    pub rules: Rules,
    /// When the segment that the next record goes to was begun, and its first record; it may still have to be made.
    pub begun: (i64, u64),
    /// Something was handed over, and nobody sees to it yet.
    pub owes_stage: bool,
    /// When the last heartbeat was written, by the writer's clock.
    pub beat: i64,
}

/// Numbers of named types.
struct Names {
    numbers: HashMap<String, u32>,
    /// The number that the next name gets: it and those above have not been given to anybody.
    next: u32,
}

impl Names {
    fn new(known: &[NamedType]) -> Self {
        let next = known.iter().map(|named| named.number + 1).max().unwrap_or(FIRST_NAMED_TYPE);
        Names { numbers: known.iter().map(|named| (named.name.clone(), named.number)).collect(), next }
    }
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
    pub fn new(next_id: u64, known: &[NamedType], rules: Rules, begun: (i64, u64), clock: &Clock) -> Self {
        let now = clock.now_ns();
        // The clock may have been put right since the segment was begun.
        let begun = (rules.begun(begun.0, now), begun.1);
        Filling {
            piece: None,
            piece_since: None,
            unhurried: 0,
            next_id,
            bytes: 0,
            names: Names::new(known),
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

    /// The number of a named type.
    pub fn number_of(&self, name: &str) -> Option<u32> {
        self.names.numbers.get(name).copied()
    }

    #[inline(always)]
    pub fn has_piece(&self) -> bool {
        self.piece.is_some()
    }

    /// The piece being filled, for the write stage, unless nothing is in it.
    pub fn take_piece(&mut self) -> Option<Piece> {
        self.piece.take_if(|piece| !piece.is_empty())
    }

    /// Takes note that a piece is wanted; how many in a row took at least `long` to be filled.
    pub fn wants_piece(&mut self, long: Duration) -> u32 {
        self.unhurried = match self.piece_since {
            Some(since) if since.elapsed() >= long => self.unhurried.saturating_add(1),
            _ => 0,
        };
        self.unhurried
    }

    /// Goes on in an empty piece.
    pub fn begin_piece(&mut self, mut piece: Piece) {
        // What it held before was counted up to elsewhere, and it may now get events alone.
        piece.set_bytes_end(self.bytes);
        self.piece_since = Some(Instant::now());
        self.piece = Some(piece);
    }

    /// Puts an event in front of the next record; false when there is no piece.
    pub fn push_event(
        &mut self,
        type_id: u32,
        (time, now): (i64, i64),
        metadata: Metadata<'_>,
        payload: &[u8],
    ) -> Result<bool> {
        let pairs = metadata.as_bytes();
        let metadata = (check_metadata(pairs)?, pairs);
        let Some(piece) = &mut self.piece else { return Ok(false) };
        piece.reserve(1, payload.len(), pairs.len())?;
        piece.make_room(self.next_id, payload.len(), now);
        piece.push(&NewEntry { type_id, time, metadata, payload_len: payload.len() }, std::iter::once(payload));
        Ok(true)
    }

    /// Takes note of how much was taken up to the last record of the piece; whether that is worth handing over now.
    #[inline(always)]
    pub fn settle(&mut self) -> bool {
        let bytes = self.bytes;
        self.piece.as_mut().is_some_and(|piece| {
            piece.set_bytes_end(bytes);
            piece.is_full()
        })
    }

    /// Counts a record that was written without passing through a piece.
    pub fn wrote_one(&mut self, payload: u64) {
        self.next_id += 1;
        self.bytes += payload;
    }

    #[inline]
    pub fn check_type(&self, type_id: u32) -> Result<()> {
        match type_id < FIRST_NAMED_TYPE || type_id < self.names.next {
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

/// The append lock with room behind it: a piece to fill is there. A record has its id as soon as it is pushed.
pub(super) struct Room<'a> {
    filling: MutexGuard<'a, Filling>,
    /// The writer's clock since the lock was taken.
    now: i64,
}

impl<'a> Room<'a> {
    /// Of a filling that has a piece; else gives it back.
    #[inline(always)]
    pub fn of(mut filling: MutexGuard<'a, Filling>) -> std::result::Result<Self, MutexGuard<'a, Filling>> {
        match filling.has_piece() {
            true => {
                let now = filling.clock.now_ns();
                Ok(Room { filling, now })
            }
            false => Err(filling),
        }
    }

    /// Without the promise of room, for who is done or is going to wait.
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

    /// The number of a named type.
    pub fn number_of(&self, name: &str) -> Option<u32> {
        self.filling.number_of(name)
    }

    /// Whether the next `count` records are not for the current segment.
    #[inline(always)]
    pub fn is_over(&self, count: u64) -> bool {
        self.filling.stretch.is_over(self.now, self.filling.next_id, count)
    }

    /// Has memory for so many records with so many bytes of payload and of metadata in all, and begins a new block unless
    /// they belong into the current one. Before anything is pushed, which cannot fail afterwards.
    #[inline(always)]
    pub fn make_room(&mut self, records: usize, payload: usize, metadata: usize) -> Result<()> {
        let (next_id, now) = (self.filling.next_id, self.now);
        let piece = self.piece();
        piece.reserve(records, payload, metadata)?;
        piece.make_room(next_id, payload, now);
        Ok(())
    }

    /// Adds a record.
    #[inline(always)]
    pub fn push<'b>(&mut self, entry: &NewEntry<'_>, parts: impl Iterator<Item = &'b [u8]>) {
        self.piece().push(entry, parts);
        self.count(1, entry.payload_len as u64);
    }

    /// Adds so many records more that are as the one that was pushed last in all but their payloads: one without metadata.
    #[inline(always)]
    pub fn push_alike<'b>(&mut self, last: &NewEntry<'_>, many: u32, payloads: impl Iterator<Item = &'b [u8]>) {
        self.piece().push_alike(last, many, payloads);
        self.count(u64::from(many), u64::from(many) * last.payload_len as u64);
    }

    /// Puts an event in front of the next record.
    pub fn push_event(&mut self, type_id: u32, time: i64, metadata: Metadata<'_>, payload: &[u8]) -> Result<()> {
        self.filling.push_event(type_id, (time, self.now), metadata, payload).map(drop)
    }

    /// Gives a type that has no number yet the next one, and names it in the log.
    pub fn name(&mut self, name: &str, content_type: &str) -> Result<NamedType> {
        let number = self.filling.names.next;
        if is_event(number) {
            return Err(Error::new(Kind::TooLarge, "the log has 2^30 named types, and no number for another"));
        }
        let named = NamedType { number, name: name.to_owned(), content_type: content_type.to_owned() };
        self.push_event(event::TYPE, self.now, named.to_facts().as_metadata(), &[])?;
        let names = &mut self.filling.names;
        names.numbers.insert(name.to_owned(), number);
        names.next = number + 1;
        Ok(named)
    }

    #[inline(always)]
    fn piece(&mut self) -> &mut Piece {
        // It is there: a room is made of a filling that has one, and nothing here takes it away.
        self.filling.piece.get_or_insert_with(Piece::default)
    }

    #[inline(always)]
    fn count(&mut self, records: u64, payload: u64) {
        self.filling.next_id += records;
        self.filling.bytes += payload;
    }
}
