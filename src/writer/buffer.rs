//! Buffers, which appends fill and the write stage writes. Each holds a few blocks, which makes handing over cheap
//! compared to filling (`docs/decisions/0020-what-was-tried-for-speed.md` has the figures).

use crate::error::Result;
use crate::format::draft::{Buffers, Draft, Need, NewEntry};
use crate::memory;

/// Payload bytes at which a buffer is handed over. write(2) is fastest in buffers of 128 to 256 KiB.
const HAND_OVER: usize = if cfg!(feature = "model") { 1 } else { 256 << 10 };
/// A block of tiny records ends when it has this many bytes of entries.
const ENTRIES_TARGET: usize = 256 << 10;

/// Blocks being filled. The last may still grow; the others are complete.
#[derive(Default)]
pub(crate) struct Buffer {
    blocks: Vec<Draft>,
    entries: Buffers,
    payload: Vec<u8>,
    /// Blocks that the write stage has already written.
    written: usize,
    block_bytes: usize,
    /// When the first record came in.
    since: i64,
    /// Bytes of payload that the writer had taken in all, up to the last record in this buffer.
    bytes_end: u64,
}

impl Buffer {
    /// An empty buffer whose blocks end at `block_bytes` of payload. Where there is no memory for them now,
    /// [`Self::reserve`] asks for it again.
    pub fn new(block_bytes: usize) -> Self {
        let payload = memory::with_room(Self::most(block_bytes)).unwrap_or_default();
        Buffer {
            blocks: vec![],
            entries: Buffers::with_room(16 << 10),
            payload,
            written: 0,
            block_bytes,
            since: 0,
            bytes_end: 0,
        }
    }

    fn full_at(block_bytes: usize) -> usize {
        block_bytes.max(HAND_OVER)
    }

    /// The most payload bytes that it holds, except for an extraordinary batch.
    pub fn most(block_bytes: usize) -> usize {
        Self::full_at(block_bytes) + block_bytes + block_bytes / 8
    }

    /// Whether it is time to hand it over.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.payload.len() >= Self::full_at(self.block_bytes) || self.entries.entries_len() >= ENTRIES_TARGET
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether a thread that fills it by itself hands it over at `bytes` of payload.
    #[inline(always)]
    pub fn is_full_at(&self, bytes: usize) -> bool {
        self.payload.len() >= bytes || self.entries.entries_len() >= ENTRIES_TARGET
    }

    /// Gives the records ids from `first_id` on, when it was filled with ids from 0 on. Returns how many there are, and
    /// their bytes of payload.
    pub fn number_from(&mut self, first_id: u64) -> (u64, u64) {
        self.blocks.iter_mut().for_each(|block| block.first_id += first_id);
        let records = self.blocks.iter().map(|block| u64::from(block.count)).sum();
        (records, self.payload.len() as u64)
    }

    /// Bytes of payload in it.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// When the oldest record in it was appended.
    pub fn since(&self) -> i64 {
        self.since
    }

    /// Bytes of payload that the writer had taken in all, up to the last record in this buffer.
    pub fn bytes_end(&self) -> u64 {
        self.bytes_end
    }

    pub fn set_bytes_end(&mut self, bytes: u64) {
        self.bytes_end = bytes;
    }

    /// Reserves memory for so many records with so many bytes of payload and of metadata in all. Called before anything
    /// of them is pushed: without memory nothing is taken, and with it pushing cannot fail.
    #[inline(always)]
    pub fn reserve(&mut self, records: usize, payload: usize, metadata: usize) -> Result<()> {
        if payload > self.payload.capacity() - self.payload.len() {
            self.grow(payload)?;
        }
        Ok(self.entries.reserve(Need::of(records, metadata))?)
    }

    #[cold]
    fn grow(&mut self, payload: usize) -> Result<()> {
        // As much as a new buffer has, or only what is needed when there is no memory for that.
        let usual = Self::most(self.block_bytes).saturating_sub(self.payload.len());
        memory::reserve_exact(&mut self.payload, payload.max(usual))
            .or_else(|_| memory::reserve_exact(&mut self.payload, payload))?;
        Ok(())
    }

    /// Begins a new block unless `payload_len` more bytes belong into the current one. A small record may carry a
    /// block over its target; a large one or a batch begins the next instead.
    #[inline]
    pub fn make_room(&mut self, first_id: u64, payload_len: usize, now: i64) {
        let target = self.block_bytes;
        let fits = |block: &Draft| {
            let filled = block.payload_len();
            filled < target
                && (payload_len <= target / 8 || filled + payload_len <= target)
                && block.entries_len() < ENTRIES_TARGET
        };
        if !self.blocks.last().is_some_and(fits) {
            self.begin_block(first_id, now);
        }
    }

    #[cold]
    fn begin_block(&mut self, first_id: u64, now: i64) {
        if self.blocks.is_empty() {
            self.since = now;
        }
        self.blocks.push(Draft::new(first_id, &mut self.entries, self.payload.len()));
    }

    /// Adds a record to the block that [`Self::make_room`] left current.
    #[inline(always)]
    pub fn push<'a>(&mut self, entry: &NewEntry<'_>, parts: impl Iterator<Item = &'a [u8]>) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.push(entry, &mut self.entries);
        for part in parts {
            self.payload.extend_from_slice(part);
        }
    }

    /// Adds so many more records, which have no metadata and differ from the one pushed last only in their payloads.
    #[inline]
    pub fn push_alike<'a>(&mut self, last: &NewEntry<'_>, many: u32, payloads: impl Iterator<Item = &'a [u8]>) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.push_alike(last, many, &mut self.entries);
        for payload in payloads {
            self.payload.extend_from_slice(payload);
        }
    }

    /// Completes the buffer when no more records are added. Called before it is written.
    pub fn settle(&mut self) {
        self.entries.settle();
    }

    /// The blocks still to be written.
    pub fn blocks(&self) -> &[Draft] {
        &self.blocks[self.written..]
    }

    /// The payload of a block.
    pub fn payload_of(&self, draft: &Draft) -> &[u8] {
        &self.payload[draft.payload()]
    }

    /// What holds the entries of the blocks.
    pub fn entries(&self) -> &Buffers {
        &self.entries
    }

    /// Notes that `n` more blocks are written.
    pub fn wrote(&mut self, n: usize) {
        self.written += n;
    }

    /// Empties it for the next use, and frees the memory that an extraordinary batch needed.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.since = 0;
        self.written = 0;
        self.entries.clear(2 * ENTRIES_TARGET);
        self.payload.clear();
        self.payload.shrink_to(Self::most(self.block_bytes));
    }
}
