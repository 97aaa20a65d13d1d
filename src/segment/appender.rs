//! Writes blocks at the end of a segment.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::ahead::{Ahead, FillAhead};
use super::block::Block;
use super::indexing::{Indexing, Summary};
use super::{Recovered, Segment};
use crate::error::{Error, Result};
use crate::format::block::HEADER;
use crate::format::codec::Compressor;
use crate::format::declaration::SPACE;
use crate::format::draft::{self, BlockPlace, Stored};
use crate::format::trailer::{self, Trailer};
use crate::io::{self, clock};
use crate::memory::{self, NoMemory};
use crate::record::NamedType;

/// Disk space is allocated ahead of the writing in steps that double from the first to the last: on ext4 a write into
/// allocated space is faster than one that has to find its own (`docs/decisions/0002-space-set-aside.md`).
const FIRST_STEP: u64 = 1 << 20;
pub(crate) const LAST_STEP: u64 = 64 << 20;
/// Entries of a compressed block are compressed too when they are longer than this. Shorter ones stay readable without
/// the codec, which helps headers-only reading.
const COMPRESS_ENTRIES: usize = 4 << 10;

/// Places of the blocks' heads, ends of the blocks, and their parts.
type Lists<'a> = (Vec<Range<usize>>, Vec<u64>, Vec<&'a [u8]>);

/// Writes blocks at the end of one segment, and tracks exactly how far they are good.
pub(crate) struct Appender {
    pub segment: Arc<Segment>,
    end: u64,
    /// Bytes of a failed write may follow `end` and could not be cut away yet.
    untidy: bool,
    durable_end: Arc<AtomicU64>,
    set_aside: u64,
    ahead: Ahead,
    first_id: u64,
    next_id: u64,
    closed: bool,
    /// The greatest number of a named type whose TYPE event is in the file.
    named_to: u32,
    indexing: Indexing,
    heads: Vec<u8>,
    compressed: Vec<Vec<u8>>,
}

impl Appender {
    /// Begins after the header of a new segment, whose file has `set_aside` bytes of disk space.
    pub fn new(segment: Arc<Segment>, set_aside: u64) -> Self {
        let found = Recovered::nothing(&segment);
        let mut appender = Self::resume(segment, found);
        appender.set_aside = appender.set_aside.max(set_aside);
        appender
    }

    /// Continues at the end that was found of a segment.
    pub fn resume(segment: Arc<Segment>, found: Recovered) -> Self {
        Appender {
            ahead: Ahead::new(FillAhead::default(), found.end, found.end),
            first_id: found.first_id,
            segment,
            end: found.end,
            untidy: false,
            durable_end: Arc::new(AtomicU64::new(found.durable_end)),
            set_aside: found.end,
            next_id: found.next_id,
            closed: found.closed,
            named_to: found.types.iter().map(|named| named.number).max().unwrap_or(0),
            indexing: found.indexing,
            heads: vec![],
            compressed: vec![],
        }
    }

    /// Fills the segment ahead with zeros, if its header says that it may contain them.
    pub fn filling(mut self, how: FillAhead) -> Self {
        if self.segment.header.incompatible & SPACE != 0 {
            // An earlier writer may have filled the file farther.
            let len = self.segment.file.len().unwrap_or(self.end);
            self.ahead = Ahead::new(how, self.end, len.max(self.end));
        }
        self
    }

    /// The offset after the last good block.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Id of the record that will be written next.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// The first id that a record in the segment can have.
    pub fn first_id(&self) -> u64 {
        self.first_id
    }

    /// Continues with the id `next_id`, if that is greater than the next one: the segment states that the ids in
    /// between are lost, and holds no record yet.
    pub fn skip_to(&mut self, next_id: u64) {
        if next_id > self.next_id {
            (self.first_id, self.next_id) = (next_id, next_id);
        }
    }

    /// Continues with the id `next_id`, if that is greater than the next one: the last event reports the ids in between
    /// as lost.
    pub fn pass_over(&mut self, next_id: u64) {
        self.next_id = next_id.max(self.next_id);
    }

    /// Whether the segment holds a user's record.
    pub fn has_records(&self) -> bool {
        self.next_id > self.first_id
    }

    /// Whether a TRAILER is the last block.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The offset up to which the file is known to be on disk. The code that syncs the file raises it.
    pub fn durable_end(&self) -> Arc<AtomicU64> {
        self.durable_end.clone()
    }

    /// Writes the blocks with one system call, or as many as a short write takes. On failure the file is cut back to
    /// the last whole block, and the error comes with the number of blocks that were written nevertheless.
    pub fn append(&mut self, blocks: &[Block<'_>], compressor: &mut Compressor) -> Result<(), (usize, Error)> {
        self.tidy().map_err(|e| (0, e))?;
        self.compress(blocks, compressor);
        let base = self.place();
        self.heads.clear();
        let lists = self.room_for(blocks).map_err(|e| (0, Error::from(e).at(&self.segment.path)))?;
        let (mut heads, mut ends, mut parts) = lists;
        let mut offset = self.end;
        for (block, compressed) in blocks.iter().zip(&self.compressed) {
            let shorter = block.compressed.unwrap_or(compressed);
            let single = [shorter];
            let (codec, parts) = match shorter.is_empty() {
                true => (0, block.parts),
                false => (compressor.codec().to_byte(), &single[..]),
            };
            let decoded_len = block.parts.iter().map(|part| part.len()).sum();
            let shorten = |entries: &[u8], out: &mut Vec<u8>| {
                codec != 0 && entries.len() > COMPRESS_ENTRIES && compressor.compress(entries, out)
            };
            let (stored, place) = (Stored { codec, parts, decoded_len }, BlockPlace { offset, ..base });
            let from = self.heads.len();
            let sealed = draft::seal(block.draft, block.buffers, stored, place, shorten, &mut self.heads);
            offset += sealed.map_err(|e| (0, Error::from(e).at(&self.segment.path)))?;
            heads.push(from..self.heads.len());
            ends.push(offset);
        }
        for ((block, compressed), head) in blocks.iter().zip(&self.compressed).zip(&heads) {
            parts.push(&self.heads[head.clone()]);
            match block.compressed.unwrap_or(compressed) {
                [] => parts.extend_from_slice(block.parts),
                shorter => parts.push(shorter),
            }
        }
        let wrote = write(&self.segment, &parts, self.end, offset, &mut self.set_aside);
        if wrote.is_ok() {
            self.ahead.wrote(&*self.segment.file, offset);
        }
        let good = match &wrote {
            Ok(()) => blocks.len(),
            Err((done, _)) => ends.iter().take_while(|&&end| end <= self.end + done).count(),
        };
        for (i, block) in blocks[..good].iter().enumerate() {
            let offset = if i == 0 { self.end } else { ends[i - 1] };
            let plain = block.compressed.unwrap_or(&self.compressed[i]).is_empty();
            let checksums = &self.heads[heads[i].start + HEADER..heads[i].end];
            let row = Summary::of(block, (offset, ends[i]), heads[i].len(), plain.then_some(checksums));
            self.indexing.add(&row, block.draft.pairs(block.buffers));
        }
        if good > 0 {
            self.end = ends[good - 1];
            self.next_id = blocks[good - 1].draft.last_id() + 1;
            self.named_to = blocks[..good].iter().map(|block| block.draft.named_to()).fold(self.named_to, u32::max);
            self.closed = false;
        }
        wrote.map_err(|(_, error)| {
            self.untidy = true;
            let _ = self.tidy();
            (good, error)
        })
    }

    /// Whether an INDEX block is due, because `every` bytes or very many blocks were written since the last one.
    pub fn index_is_due(&self, every: u64) -> bool {
        self.indexing.is_due(self.end, every)
    }

    /// Writes an INDEX block. `names` are the known named types in the order in which they were named. The block
    /// contains those whose TYPE events come before it; the events of the others are still to be written, and may never
    /// be.
    pub fn write_index(&mut self, names: &[NamedType]) -> Result<()> {
        self.tidy()?;
        let bytes = self.index(names, self.place())?;
        self.write_own(&[&bytes])?;
        self.indexing.wrote(self.end - bytes.len() as u64, self.end);
        self.closed = false;
        Ok(())
    }

    /// Closes the segment as [`Self::finish`] does, and releases the space set aside.
    pub fn close(&mut self, names: &[NamedType]) -> Result<()> {
        self.close_at(names, clock::now_ns())
    }

    /// As [`Self::close`], at this time.
    pub fn close_at(&mut self, names: &[NamedType], time: i64) -> Result<()> {
        self.finish_at(names, time)?;
        self.cut()
    }

    /// Closes the segment by writing the rest of the index and the TRAILER. It is not durable yet, and the space set
    /// aside is not released.
    pub fn finish(&mut self, names: &[NamedType]) -> Result<()> {
        self.finish_at(names, clock::now_ns())
    }

    fn finish_at(&mut self, names: &[NamedType], time: i64) -> Result<()> {
        self.tidy()?;
        if !self.closed {
            let place = self.place();
            let index = self.index(names, place)?;
            let index_end = place.offset + index.len() as u64;
            let trailer = Trailer { records: self.next_id - self.segment.header.first_id, last_index: place.offset };
            let place = BlockPlace { offset: index_end, last_index: place.offset, ..place };
            let trailer = trailer::encode(trailer, self.next_id, time, place);
            self.end_at(index_end + trailer.len() as u64)?;
            self.write_own(&[&index, &trailer])?;
            self.indexing.wrote(index_end - index.len() as u64, index_end);
            self.closed = true;
        }
        Ok(())
    }

    /// Cuts what was filled ahead to the end of the segment, before its TRAILER is there: who copies a closed segment
    /// finds no zeros after it. The space for the rest is kept, for a full disk.
    fn end_at(&mut self, end: u64) -> Result<()> {
        match self.ahead.is_behind(end) {
            true => self.cut_to(end),
            false => Ok(()),
        }
    }

    /// Forgets that a TRAILER is the last block; another one will follow.
    pub fn reopen(&mut self) {
        self.closed = false;
    }

    /// Writes blocks of the segment itself: all, or nothing.
    fn write_own(&mut self, parts: &[&[u8]]) -> Result<()> {
        let end = self.end + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if let Err((_, error)) = write(&self.segment, parts, self.end, end, &mut self.set_aside) {
            self.untidy = true;
            let _ = self.tidy();
            return Err(error);
        }
        self.end = end;
        Ok(())
    }

    /// The INDEX block at this place.
    fn index(&self, names: &[NamedType], place: BlockPlace) -> Result<Vec<u8>> {
        let bound = names.iter().rposition(|named| named.number <= self.named_to).map_or(0, |last| last + 1);
        let index = self.indexing.encode(&names[..bound], self.next_id, place);
        index.map_err(|e| Error::from(e).because("cannot write the index").at(&self.segment.path))
    }

    /// Empty lists with room for the places of the blocks' heads, the ends of the blocks, and the parts of all. The
    /// index reserves room for their rows, because nothing may fail once they are written.
    fn room_for<'a>(&mut self, blocks: &[Block<'_>]) -> Result<Lists<'a>, NoMemory> {
        self.indexing.reserve(blocks.len())?;
        let parts = blocks.iter().map(|block| 1 + block.parts.len().max(1)).sum();
        Ok((memory::with_room(blocks.len())?, memory::with_room(blocks.len())?, memory::with_room(parts)?))
    }

    fn place(&self) -> BlockPlace {
        BlockPlace {
            marker: self.segment.header.marker,
            offset: self.end,
            durable_end: self.durable_end.load(Ordering::Acquire),
            last_index: self.indexing.last_index(),
        }
    }

    fn compress(&mut self, blocks: &[Block<'_>], compressor: &mut Compressor) {
        if self.compressed.len() < blocks.len() {
            self.compressed.resize_with(blocks.len(), Vec::new);
        }
        for (block, out) in blocks.iter().zip(&mut self.compressed) {
            out.clear();
            if let ([whole], None) = (block.parts, block.compressed) {
                compressor.compress(whole, out);
            }
        }
    }

    /// Cuts away what a failed write left after the last good block. The next write would not necessarily overwrite all
    /// of it.
    fn tidy(&mut self) -> Result<()> {
        if self.untidy {
            self.cut()?;
            self.untidy = false;
        }
        Ok(())
    }

    /// Releases the space that was set aside after the last block.
    pub fn release_space(&mut self) -> Result<()> {
        match (self.set_aside > self.end || self.ahead.is_behind(self.end)) && self.segment.takes_more() {
            true => self.cut(),
            false => Ok(()),
        }
    }

    fn cut(&mut self) -> Result<()> {
        self.cut_to(self.end)
    }

    fn cut_to(&mut self, end: u64) -> Result<()> {
        let cut = self.segment.file.set_len(end);
        cut.map_err(|e| Error::io(&e, "truncate").at_offset(&self.segment.path, end))?;
        self.set_aside = end;
        self.ahead.cut(end);
        Ok(())
    }
}

/// Writes `parts` from `start` to `end`, after setting space aside when that is due.
fn write(segment: &Segment, parts: &[&[u8]], start: u64, end: u64, set_aside: &mut u64) -> Result<(), (u64, Error)> {
    if end > *set_aside {
        let from = *set_aside;
        let step = from.clamp(FIRST_STEP, LAST_STEP);
        *set_aside = (from + step).max(end);
        // Only an optimization: a disk too full for the step may still have room for the blocks; otherwise the write
        // fails.
        let _ = segment.file.allocate(from, *set_aside - from);
    }
    io::write_full(&*segment.file, parts, start)
        .map_err(|(done, e)| (done, Error::io(&e, "write").at_offset(&segment.path, start + done)))
}
