//! What the callers fill and the write stage writes: a few blocks at a time, so that handing over costs little beside
//! the filling (`docs/decisions/0020-what-was-tried-for-speed.md` has the figures).

use crate::error::Result;
use crate::format::draft::{Buffers, Draft, Need, NewEntry};
use crate::memory;

/// Payload bytes at which a piece is handed over. write(2) is fastest in pieces of 128 to 256 KiB.
const HAND_OVER: usize = if cfg!(feature = "model") { 1 } else { 256 << 10 };
/// A block of tiny records ends by its entries.
const ENTRIES_TARGET: usize = 256 << 10;

/// Blocks being filled. The last may still grow; the others are complete.
#[derive(Default)]
pub(crate) struct Piece {
    blocks: Vec<Draft>,
    buffers: Buffers,
    payload: Vec<u8>,
    /// Blocks that the write stage has already written.
    written: usize,
    block_bytes: usize,
    /// When the first record came in.
    since: i64,
    /// Bytes of payload that the writer had taken in all, up to the last record in here.
    bytes_end: u64,
}

impl Piece {
    /// An empty piece whose blocks end at `block_bytes` of payload. Where there is no memory for them now,
    /// [`Self::reserve`] asks for it again.
    pub fn new(block_bytes: usize) -> Self {
        let payload = memory::with_room(Self::most(block_bytes)).unwrap_or_default();
        Piece {
            blocks: vec![],
            buffers: Buffers::with_room(16 << 10),
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

    /// Payload bytes that it holds at the most, an extraordinary batch apart.
    pub fn most(block_bytes: usize) -> usize {
        Self::full_at(block_bytes) + block_bytes + block_bytes / 8
    }

    /// Whether it is time to hand it over.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.payload.len() >= Self::full_at(self.block_bytes) || self.buffers.entries_len() >= ENTRIES_TARGET
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// When the oldest record in it was appended.
    pub fn since(&self) -> i64 {
        self.since
    }

    /// Bytes of payload that the writer had taken in all, up to the last record in here.
    pub fn bytes_end(&self) -> u64 {
        self.bytes_end
    }

    pub fn set_bytes_end(&mut self, bytes: u64) {
        self.bytes_end = bytes;
    }

    /// Has room for so many records with so many bytes of payload and of metadata in all. Before anything of them is
    /// pushed, so that nothing is taken when there is no memory for it; afterwards pushing them cannot fail.
    #[inline(always)]
    pub fn reserve(&mut self, records: usize, payload: usize, metadata: usize) -> Result<()> {
        if payload > self.payload.capacity() - self.payload.len() {
            self.grow(payload)?;
        }
        Ok(self.buffers.reserve(Need::of(records, metadata))?)
    }

    #[cold]
    fn grow(&mut self, payload: usize) -> Result<()> {
        // As a new piece has it, if there is memory; no more than that, if there is none.
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
        self.blocks.push(Draft::new(first_id, &mut self.buffers, self.payload.len()));
    }

    /// Adds a record to the block that [`Self::make_room`] left current.
    #[inline]
    pub fn push<'a>(&mut self, entry: &NewEntry<'_>, parts: impl Iterator<Item = &'a [u8]>) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.push(entry, &mut self.buffers);
        for part in parts {
            self.payload.extend_from_slice(part);
        }
    }

    /// Adds so many records more that are as the one that was pushed last in all but their payloads: one without metadata.
    #[inline]
    pub fn push_alike<'a>(&mut self, last: &NewEntry<'_>, many: u32, payloads: impl Iterator<Item = &'a [u8]>) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.push_alike(last, many, &mut self.buffers);
        for payload in payloads {
            self.payload.extend_from_slice(payload);
        }
    }

    /// Completes it, now that no more records come in. Before it is written.
    pub fn settle(&mut self) {
        self.buffers.settle();
    }

    /// The blocks still to be written.
    pub fn blocks(&self) -> &[Draft] {
        &self.blocks[self.written..]
    }

    /// The payload of a block.
    pub fn payload_of(&self, draft: &Draft) -> &[u8] {
        &self.payload[draft.payload()]
    }

    /// The buffers that the blocks' entries stand in.
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Takes note that `n` more blocks are written.
    pub fn wrote(&mut self, n: usize) {
        self.written += n;
    }

    /// Empties it for the next use; the memory that an extraordinary batch needed goes back.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.since = 0;
        self.written = 0;
        self.buffers.clear(2 * ENTRIES_TARGET);
        self.payload.clear();
        self.payload.shrink_to(Self::most(self.block_bytes));
    }
}
