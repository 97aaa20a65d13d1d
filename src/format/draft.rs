//! A block while it is being filled, and the bytes that it is written as.

use std::ops::Range;

use super::block::{BlockHeader, BlockKind, ENTRIES_COMPRESSED, HAS_EVENTS, HEADER};
use super::metadata::Metadata;
use super::tally::{Counted, Standing, Tallies, Tally};
use super::types::{event, is_event, NamedType};
use super::{checksum, entries, varint};
use crate::memory::{self, NoMemory};

/// The buffers that drafts write to, one after the other: their entries, and the contents of their index rows.
#[derive(Default)]
pub struct Buffers {
    entries: Vec<u8>,
    tallies: Tallies,
    /// The places of the metadata pairs in `entries`, one range for each record that has any.
    pairs: Vec<Range<u32>>,
}

impl Buffers {
    /// Buffers with room for so many bytes of entries, if there is memory for it.
    pub fn with_room(entries: usize) -> Self {
        let mut buffers = Buffers::default();
        let _ = buffers.reserve(Need { entries, pairs: 0 });
        buffers
    }

    /// Reserves room for entries; pushing them then needs no more memory.
    #[inline(always)]
    pub fn reserve(&mut self, room: Need) -> Result<(), NoMemory> {
        let (entries, pairs) = (&self.entries, &self.pairs);
        match room.entries <= entries.capacity() - entries.len() && room.pairs <= pairs.capacity() - pairs.len() {
            true => Ok(()),
            false => self.grow(room),
        }
    }

    #[cold]
    fn grow(&mut self, room: Need) -> Result<(), NoMemory> {
        memory::reserve(&mut self.entries, room.entries)?;
        memory::reserve(&mut self.pairs, room.pairs)
    }

    /// Bytes of entries in all.
    pub fn entries_len(&self) -> usize {
        self.entries.len()
    }

    /// Completes the tallies of the blocks. Called after the last record was pushed and before a block is written.
    pub fn settle(&mut self) {
        self.tallies.settle();
    }

    /// Forgets everything, and keeps memory for `entries` bytes of entries.
    pub fn clear(&mut self, entries: usize) {
        self.entries.clear();
        self.entries.shrink_to(entries);
        self.tallies.clear();
        self.pairs.clear();
        self.pairs.shrink_to(entries / 8);
    }
}

/// The most that entries take of [`Buffers`].
#[derive(Clone, Copy, Debug)]
pub struct Need {
    entries: usize,
    /// Entries with metadata.
    pairs: usize,
}

impl Need {
    /// Bytes of an entry besides its metadata: at most 20, 3 for the number of its pairs, and what is temporarily
    /// written after the last varint.
    const ENTRY: usize = 32;

    /// For the entries of another block, which take so many bytes there.
    pub fn as_in(bytes: usize) -> Self {
        // The times of the first entry and of the next one may take more bytes here. An entry with metadata takes six.
        Need { entries: bytes.saturating_add(2 * Self::ENTRY), pairs: bytes / 6 }
    }

    /// For so many entries with so many bytes of metadata in all.
    #[inline(always)]
    pub fn of(entries: usize, metadata: usize) -> Self {
        // A pair takes two bytes at least.
        let pairs = entries.min(metadata / 2);
        Need { entries: entries.saturating_mul(Self::ENTRY).saturating_add(metadata), pairs }
    }
}

/// A block that is being filled. Its entries and its payload are in buffers of the caller, which several blocks can
/// share; the draft holds their ranges.
#[derive(Clone, Debug)]
pub struct Draft {
    pub first_id: u64,
    pub count: u32,
    pub has_events: bool,
    min_time: i64,
    max_time: i64,
    last_time: i64,
    /// The largest time of its records, without events.
    latest: i64,
    /// The greatest number of a named type that its TYPE events bind, 0 if none.
    named_to: u32,
    /// The first entry up to its time: the time is coded against the smallest of the block, known only at the end.
    first_head: [u8; 16],
    first_head_len: u8,
    first_time: i64,
    entries: Range<usize>,
    payload: Range<usize>,
    pairs: Range<usize>,
    counted: Counted,
}

/// The values of an entry, without its payload.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    pub type_id: u32,
    pub time: i64,
    /// Number of pairs and the pairs.
    pub metadata: (u64, &'a [u8]),
    pub payload_len: usize,
}

impl Draft {
    /// An empty block that begins at the ends of the buffers.
    pub fn new(first_id: u64, buffers: &mut Buffers, payload_at: usize) -> Self {
        let (entries_at, pairs_at) = (buffers.entries.len(), buffers.pairs.len());
        Draft {
            first_id,
            count: 0,
            has_events: false,
            min_time: 0,
            max_time: 0,
            last_time: 0,
            latest: i64::MIN,
            named_to: 0,
            first_head: [0; 16],
            first_head_len: 0,
            first_time: 0,
            entries: entries_at..entries_at,
            payload: payload_at..payload_at,
            pairs: pairs_at..pairs_at,
            counted: buffers.tallies.begin(),
        }
    }

    /// Whether it holds neither a record nor an event.
    pub fn is_empty(&self) -> bool {
        self.first_head_len == 0
    }

    /// Bytes of payload and of entries so far.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    pub fn entries_len(&self) -> usize {
        self.entries.len()
    }

    pub fn payload(&self) -> Range<usize> {
        self.payload.clone()
    }

    pub fn last_id(&self) -> u64 {
        self.first_id + u64::from(self.count) - 1
    }

    /// Adds an entry to the block and to `buffers`; the caller appends the payload to its own buffer.
    #[inline(always)]
    pub fn push(&mut self, entry: &NewEntry<'_>, buffers: &mut Buffers) {
        let (pairs, metadata) = entry.metadata;
        let (ordinal, payload_at) = (self.count, self.payload.len() as u32);
        buffers.tallies.add(&mut self.counted, entry.type_id, || Standing {
            ordinal,
            payload_at,
            payload_len: entry.payload_len as u32,
            time: entry.time,
            has_metadata: pairs != 0,
        });
        let buffer = &mut buffers.entries;
        let tag = u64::from(entry.type_id) << 1 | u64::from(pairs != 0);
        if self.is_empty() {
            self.push_first(entry, tag);
        } else {
            let delta = varint::zigzag(entry.time.wrapping_sub(self.last_time));
            entries::put(buffer, entry.payload_len as u64, tag, delta);
            self.min_time = self.min_time.min(entry.time);
            self.max_time = self.max_time.max(entry.time);
        }
        self.last_time = entry.time;
        if pairs != 0 {
            varint::put(buffer, pairs);
            let from = buffer.len() as u32;
            buffer.extend_from_slice(metadata);
            buffers.pairs.push(from..buffer.len() as u32);
            self.pairs.end = buffers.pairs.len();
        }
        if is_event(entry.type_id) {
            self.note_event(entry.type_id, metadata);
        } else {
            self.count += 1;
            self.latest = self.latest.max(entry.time);
        }
        self.entries.end = buffer.len();
        self.payload.end += entry.payload_len;
    }

    /// Adds so many more entries that equal the one pushed last, which is a record's, not an event's, and has no
    /// metadata.
    pub fn push_alike(&mut self, last: &NewEntry<'_>, many: u32, buffers: &mut Buffers) {
        let (ordinal, payload_at, len) = (self.count, self.payload.len() as u32, last.payload_len as u32);
        buffers.tallies.add_many(&mut self.counted, last.type_id, many, |number| Standing {
            ordinal: ordinal + number,
            payload_at: payload_at + number * len,
            payload_len: len,
            time: last.time,
            has_metadata: false,
        });
        let buffer = &mut buffers.entries;
        if many > 0 {
            // Their times are the same, and so are their bytes.
            let from = buffer.len();
            entries::put(buffer, last.payload_len as u64, u64::from(last.type_id) << 1, 0);
            repeat(buffer, from, many as usize);
        }
        self.count += many;
        self.entries.end = buffer.len();
        self.payload.end += many as usize * last.payload_len;
    }

    #[cold]
    fn note_event(&mut self, type_id: u32, facts: &[u8]) {
        self.has_events = true;
        if type_id == event::TYPE {
            let named = NamedType::from_event(Metadata::from_bytes(facts));
            self.named_to = self.named_to.max(named.map_or(0, |named| named.number));
        }
    }

    #[cold]
    fn push_first(&mut self, entry: &NewEntry<'_>, tag: u64) {
        let mut head = Vec::with_capacity(16);
        entries::put_head(&mut head, entry.payload_len as u64, tag);
        self.first_head[..head.len()].copy_from_slice(&head);
        self.first_head_len = head.len() as u8;
        self.first_time = entry.time;
        self.min_time = entry.time;
        self.max_time = entry.time;
    }

    /// Its contents by type; `None` when there were too many types to count.
    pub fn tallies<'a>(&self, buffers: &'a Buffers) -> Option<&'a [Tally]> {
        (!self.counted.overflown).then(|| buffers.tallies.of(&self.counted))
    }

    /// The metadata of each record that has any.
    pub fn pairs<'a>(&self, buffers: &'a Buffers) -> impl Iterator<Item = &'a [u8]> {
        let ranges = buffers.pairs[self.pairs.clone()].iter();
        ranges.map(|range| &buffers.entries[range.start as usize..range.end as usize])
    }

    /// The smallest and the largest time in it.
    pub fn times(&self) -> (i64, i64) {
        (self.min_time, self.max_time)
    }

    /// The largest time of its records; events, which have times of their own, are left out. `i64::MIN` = there are
    /// none.
    pub fn latest(&self) -> i64 {
        self.latest
    }

    /// The greatest number of a named type that its TYPE events bind, 0 if none.
    pub fn named_to(&self) -> u32 {
        self.named_to
    }

    /// Appends the block's complete entries to `out`; `buffer` is the one that was passed to `push`.
    fn put_entries(&self, buffer: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first_head[..usize::from(self.first_head_len)]);
        varint::put(out, varint::zigzag(self.first_time.wrapping_sub(self.min_time)));
        out.extend_from_slice(&buffer[self.entries.clone()]);
    }
}

/// Repeats the bytes from `from` on until they are there `times` times.
fn repeat(buffer: &mut Vec<u8>, from: usize, times: usize) {
    let end = from + (buffer.len() - from) * times;
    // The room was reserved.
    while buffer.len() < end {
        let more = (buffer.len() - from).min(end - buffer.len());
        buffer.extend_from_within(from..from + more);
    }
}

/// Where a block will be written, and the state of the segment at that time.
#[derive(Clone, Copy, Debug)]
pub struct BlockPlace {
    pub marker: u64,
    pub offset: u64,
    pub durable_end: u64,
    pub last_index: u64,
}

/// A payload in the form in which it will be stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    pub codec: u8,
    /// The payload's bytes, one part after the other.
    pub parts: &'a [&'a [u8]],
    pub decoded_len: usize,
}

impl Stored<'_> {
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

/// Appends everything before the payload to `out`: header, page checksums and entries. `compress` may shorten the
/// entries: it appends the compressed form to its second argument and returns whether it did. Returns the block's
/// length.
///
/// On a lack of memory nothing is appended.
pub fn seal(
    draft: &Draft,
    buffers: &Buffers,
    stored: Stored<'_>,
    place: BlockPlace,
    compress: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
    out: &mut Vec<u8>,
) -> Result<u64, NoMemory> {
    let start = out.len();
    let checksums = 4 * checksum::pages(stored.len());
    // The first entry is not in the buffer.
    memory::reserve(out, HEADER + checksums + draft.entries_len() + Need::ENTRY)?;
    out.resize(start + HEADER, 0);
    checksum::put_pages(out, place.marker, stored.parts.iter().copied());
    let entries_at = out.len();
    draft.put_entries(&buffers.entries, out);
    let entries_len = out.len() - entries_at;
    let mut shorter = vec![];
    let compressed = compress(&out[entries_at..], &mut shorter);
    if compressed {
        out.truncate(entries_at);
        out.extend_from_slice(&shorter);
    }
    let payload_stored = stored.len();
    let header = BlockHeader {
        kind: BlockKind::Records,
        codec: stored.codec,
        flags: (u16::from(compressed) * ENTRIES_COMPRESSED) | (u16::from(draft.has_events) * HAS_EVENTS),
        count: draft.count,
        entries_stored: (out.len() - entries_at) as u32,
        entries_len: entries_len as u32,
        payload_stored: payload_stored as u32,
        payload_len: stored.decoded_len as u32,
        first_id: draft.first_id,
        min_time: draft.min_time,
        max_time: draft.max_time,
        durable_end: place.durable_end,
        last_index: place.last_index,
        meta_crc: checksum::crc(place.marker as u32, &out[start + HEADER..]),
    };
    header.encode(place.marker, place.offset, &mut out[start..]);
    Ok(header.block_len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(draft: &Draft, buffers: &mut Buffers) -> (Vec<u8>, String) {
        buffers.settle();
        let stored = Stored { codec: 0, parts: &[], decoded_len: draft.payload_len() };
        let place = BlockPlace { marker: 1, offset: 2, durable_end: 3, last_index: 4 };
        let mut out = vec![];
        seal(draft, buffers, stored, place, |_, _| false, &mut out).unwrap();
        (out, format!("{:?}", draft.tallies(buffers)))
    }

    proptest! {
        #[test]
        fn records_that_are_alike_become_the_block_that_they_become_one_by_one(
            runs in proptest::collection::vec((0u32..20_000, 0usize..20_000, 0i64..3, 1u32..40), 1..300),
        ) {
            let (mut singly, mut together) = (Buffers::default(), Buffers::default());
            let mut one = Draft::new(7, &mut singly, 0);
            let mut other = Draft::new(7, &mut together, 0);
            for (type_id, payload_len, time, many) in runs {
                let entry = NewEntry { type_id, time, metadata: (0, &[]), payload_len };
                (0..many).for_each(|_| one.push(&entry, &mut singly));
                other.push(&entry, &mut together);
                other.push_alike(&entry, many - 1, &mut together);
            }
            prop_assert_eq!(one.last_id(), other.last_id());
            prop_assert_eq!(sealed(&one, &mut singly), sealed(&other, &mut together));
        }
    }
}
