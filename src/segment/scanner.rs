//! Walks the blocks of a segment from one to the next, reading as little of each as is needed.

use std::ops::Range;
use std::sync::Arc;

use super::{reading, Moved, Segment};
use crate::error::{Error, Kind, Result};
use crate::format::block::{self, BlockHeader, BlockKind, ENTRIES_COMPRESSED, HEADER};
use crate::format::checksum::{self, PAGE};
use crate::format::codec::Decompressor;
use crate::format::declaration::Hole;
use crate::format::index::{Located, Row, LOCATED_PAGES};
use crate::format::Malformed;
use crate::io;
use crate::memory::{self, NoMemory};
use crate::record::Hit;

/// Memory that a scanner keeps for the next block; larger buffers are freed.
const KEPT: usize = 1 << 20;
/// A buffer grows by as much as it holds, and at least by this: a wrong length costs no more than the file holds.
const STEP: usize = 1 << 20;

/// Why there is no block at the scanner's offset.
#[derive(Debug)]
pub(crate) enum Bad {
    /// The file ends here, or within the block; so many bytes are left.
    End { left: u64 },
    /// The bytes are not a block.
    Malformed(Malformed),
    /// The system failed to read, or has no memory for the block, or the block takes more than a reader may use.
    Io(Error),
}

impl From<Malformed> for Bad {
    fn from(reason: Malformed) -> Self {
        match reason {
            // This says nothing about the bytes.
            Malformed::NoMemory(refused) => Bad::Io(refused.into()),
            reason => Bad::Malformed(reason),
        }
    }
}

impl From<NoMemory> for Bad {
    fn from(refused: NoMemory) -> Self {
        Bad::Io(refused.into())
    }
}

impl Bad {
    /// How many bytes are not a block (1 when that is not known), and why.
    pub fn describe(&self) -> (u64, String) {
        match self {
            Bad::End { left } => (*left, "the file ends within a block".to_owned()),
            Bad::Malformed(reason) => (1, reason.to_string()),
            Bad::Io(error) => (1, error.to_string()),
        }
    }

    /// The reason alone.
    pub fn into_malformed(self) -> Malformed {
        match self {
            Bad::Malformed(reason) => reason,
            other => Malformed::Inconsistent(other.describe().1),
        }
    }
}

/// Reads the blocks of one segment in order.
pub(crate) struct Scanner {
    segment: Arc<Segment>,
    offset: u64,
    /// The bytes of the file from `offset` on; the first `have` are valid.
    buffer: Vec<u8>,
    have: usize,
    /// Length of the current block. It is passed when the next one is requested, because its views live until then.
    shown: u64,
    /// Bytes worth reading together with a header.
    ahead: usize,
    entries: Region,
    payload: Region,
    decompressor: Decompressor,
    /// The greatest durable end in the blocks seen so far.
    durable_end: u64,
    /// Length of the file when it was last checked.
    known_len: u64,
    /// The distance of the blocks here from where they were written, because bytes before them were removed or
    /// inserted.
    shift: i64,
    /// The block that follows the current one, when it is not where the current one ends.
    moved: Option<Moved>,
    /// Where the payload of the last passed block begins.
    head_end: u64,
    /// The hole that was passed last, until it is taken.
    passed: Option<Hole>,
}

/// The place of a decoded region of the current block.
struct Region {
    decoded: Vec<u8>,
    /// In `buffer`, unless the region was compressed.
    stored: Option<Range<usize>>,
}

impl Region {
    fn none() -> Self {
        Region { decoded: vec![], stored: Some(0..0) }
    }

    fn of<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        match &self.stored {
            Some(range) => &buffer[range.clone()],
            None => &self.decoded,
        }
    }
}

impl Scanner {
    /// A scanner before the block at `offset`.
    pub fn new(segment: Arc<Segment>, offset: u64) -> Self {
        let decompressor = Decompressor::new(&segment.header.dictionary);
        Scanner {
            segment,
            offset,
            buffer: vec![],
            have: 0,
            shown: 0,
            ahead: 0,
            entries: Region::none(),
            payload: Region::none(),
            decompressor,
            durable_end: 0,
            known_len: 0,
            shift: 0,
            moved: None,
            head_end: offset,
            passed: None,
        }
    }

    /// The segment being scanned.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Offset of the block that [`Self::header`] returns next, or has returned.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset at which that block was written. It differs from `offset` when bytes before it were removed or inserted.
    pub fn written_offset(&self) -> u64 {
        self.offset.wrapping_add_signed(-self.shift)
    }

    /// The distance of the blocks here from where they were written.
    pub fn shift(&self) -> i64 {
        self.shift
    }

    /// Where the payload of the last passed block begins: the bytes after that may be missing.
    pub fn head_end(&self) -> u64 {
        self.head_end.min(self.offset)
    }

    /// Continues with this block after the current one.
    pub fn continue_at(&mut self, moved: Moved) {
        self.moved = Some(moved);
    }

    /// Moves to a block that is not where it was written.
    pub fn jump_moved(&mut self, moved: &Moved) {
        self.jump_by(moved.offset, moved.shift);
    }

    /// Moves to the block at `offset`, which is moved by `shift`.
    pub fn jump_by(&mut self, offset: u64, shift: i64) {
        self.jump(offset);
        self.shift = shift;
    }

    /// Offset of the block that comes next.
    pub fn next_offset(&self) -> u64 {
        self.offset + self.shown
    }

    /// The greatest durable end in the blocks seen so far.
    pub fn durable_end(&self) -> u64 {
        self.durable_end
    }

    /// Moves to the block at `offset`, which need not be the next.
    pub fn jump(&mut self, offset: u64) {
        self.pass();
        if offset != self.offset {
            self.offset = offset;
            self.have = 0;
        }
    }

    /// Moves to a block that an index names, and whose entries will be read together with its header.
    pub fn jump_to(&mut self, row: &Row) {
        self.jump(row.offset);
        self.ahead = (row.head_len as usize).saturating_sub(HEADER).min(64 << 10);
    }

    /// Moves before the block at `offset`, and keeps what is loaded.
    pub fn set_offset(&mut self, offset: u64) {
        (self.shown, self.moved) = (0, None);
        self.offset = offset;
        self.have = 0;
    }

    /// The checksums of the payload's pages of the block whose entries are loaded.
    pub fn checksums(&self, header: &BlockHeader) -> &[u8] {
        &self.buffer[HEADER..HEADER + header.checksums_len()]
    }

    /// Forgets what was read ahead: a file that has changed is read again.
    pub fn reread(&mut self) {
        self.have = 0;
        self.known_len = 0;
    }

    /// Takes this as the length of the file, which the caller has just asked for.
    pub fn set_len(&mut self, len: u64) {
        // Of a file that is compressed as a whole, or translated, it says nothing about the bytes inside.
        if len != u64::MAX && self.segment.translated.is_none() {
            self.known_len = len;
        }
    }

    /// The hole that was passed on the way to the last header or to the end; returned once.
    pub fn take_passed(&mut self) -> Option<Hole> {
        self.passed.take()
    }

    /// The header at the current offset, or after the hole that begins there.
    pub fn header(&mut self) -> Result<BlockHeader, Bad> {
        self.pass();
        if let Some(hole) = self.segment.hole_at(self.offset).cloned() {
            self.set_offset(hole.end());
            self.passed = Some(hole);
        }
        let have = self.fill(HEADER, self.ahead)?;
        if let (Some(translated), 1..) = (&self.segment.translated, have) {
            // The translation knows why there is no block here.
            if let Some(reason) = translated.verdict_at(self.offset) {
                return Err(Bad::Malformed(Malformed::Inconsistent(reason)));
            }
        }
        if have < HEADER {
            return Err(self.ended(have as u64));
        }
        let (marker, written) = (self.segment.header.marker, self.written_offset());
        BlockHeader::decode(&self.buffer[..HEADER], marker, written).map_err(Bad::Malformed)
    }

    /// Checks that a block lies within the file even if it is not read to its end.
    pub fn check_whole(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let end = self.offset.saturating_add(header.block_len());
        if end > self.known_len {
            if let Some(translated) = &self.segment.translated {
                let reaches = translated.reaches(end).map_err(|e| Bad::Io(reading(&e).at(&self.segment.path)))?;
                return if reaches { Ok(()) } else { Err(Bad::End { left: 0 }) };
            }
            let len = self.segment.file.len();
            self.known_len = len.map_err(|e| Bad::Io(Error::io(&e, "stat").at(&self.segment.path)))?;
            if let (u64::MAX, Some(end)) = (self.known_len, self.segment.file.inflated_end()) {
                self.known_len = end.at;
            }
        }
        match end <= self.known_len {
            true => Ok(()),
            false => Err(Bad::End { left: self.known_len.saturating_sub(self.offset) }),
        }
    }

    /// Accepts the block with this header, the current one, without reading more of it.
    pub fn skip(&mut self, header: &BlockHeader) {
        self.shown = match &self.moved {
            Some(moved) => moved.offset - self.offset,
            None => header.block_len(),
        };
        self.head_end = self.offset + header.head_len() as u64;
        // Only a later version knows the meaning of the fields in its blocks.
        if !matches!(header.kind, BlockKind::Skippable(_)) {
            self.durable_end = self.durable_end.max(header.durable_end.saturating_add_signed(self.shift));
        }
    }

    /// Reads and verifies the entries of the block; [`Self::entries`] returns them until the next header is requested.
    pub fn load_entries(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let head = header.head_len();
        self.check_memory(header, self.memory_of_entries(header))?;
        // The next one may be a little longer.
        self.ahead = (head + head / 8).min(64 << 10);
        self.need(head, 0)?;
        self.check_entries(header)
    }

    /// Reads and verifies the payload too.
    pub fn load_payload(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let (head, total) = (header.head_len(), header.block_len() as usize);
        self.check_memory(header, self.memory_of(header))?;
        // Includes the next header in the same read.
        self.need(total, HEADER)?;
        let checksums = &self.buffer[HEADER..HEADER + header.checksums_len()];
        let stored = &self.buffer[head..total];
        // Legacy files have no checksums.
        if self.segment.translated.is_none() {
            checksum::verify_pages(self.segment.header.marker, checksums, stored).map_err(Bad::Malformed)?;
        }
        self.payload.stored = match header.codec {
            0 => Some(head..total),
            codec => {
                let (len, out) = (header.payload_len as usize, &mut self.payload.decoded);
                self.decompressor.decompress(codec, stored, len, out).map_err(|reason| self.bad(reason))?;
                None
            }
        };
        Ok(())
    }

    /// Bytes of memory needed for the contents of the block with this header.
    pub fn memory_of(&self, header: &BlockHeader) -> u64 {
        let decoded = if header.codec == 0 { 0 } else { u64::from(header.payload_len) };
        self.memory_of_entries(header) + u64::from(header.payload_stored) + decoded
    }

    fn memory_of_entries(&self, header: &BlockHeader) -> u64 {
        let compressed = header.flags & ENTRIES_COMPRESSED != 0;
        header.head_len() as u64 + if compressed { u64::from(header.entries_len) } else { 0 }
    }

    /// Refuses the block with this header if it would take more memory than may be used for one.
    #[inline]
    fn check_memory(&mut self, header: &BlockHeader, bytes: u64) -> Result<(), Bad> {
        match bytes <= self.segment.block_max_bytes {
            true => Ok(()),
            // The lengths in a torn tail prove nothing.
            false => self.check_whole(header).and_then(|()| Err(self.takes_too_much(bytes))),
        }
    }

    /// How many records of the block with this header may be listed besides all of its contents.
    pub fn most_hits(&self, header: &BlockHeader) -> usize {
        let left = self.segment.block_max_bytes.saturating_sub(self.memory_of(header));
        usize::try_from(left).unwrap_or(usize::MAX) / size_of::<Hit>()
    }

    /// The error when a list of the records of the block with this header would take more memory than may be used for a
    /// block.
    pub fn too_many(&self, header: &BlockHeader) -> Bad {
        self.takes_too_much(self.segment.block_max_bytes.max(self.memory_of(header)).saturating_add(1))
    }

    #[cold]
    fn takes_too_much(&self, bytes: u64) -> Bad {
        let most = self.segment.block_max_bytes;
        let reason = format!(
            "the block takes {bytes} bytes of memory to be read, and {most} may be used for one: raise block_max_bytes to \
             read it"
        );
        Bad::Io(self.here(Error::new(Kind::TooLarge, reason)))
    }

    /// Adds the place of the block to the error.
    fn here(&self, error: Error) -> Error {
        error.at_offset(&self.segment.path, self.segment.reported_offset(self.offset))
    }

    fn bad(&self, reason: Malformed) -> Bad {
        self.placed(Bad::from(reason))
    }

    fn no_memory(&self, refused: NoMemory) -> Bad {
        Bad::Io(self.here(refused.into()))
    }

    fn placed(&self, bad: Bad) -> Bad {
        match bad {
            Bad::Io(error) => Bad::Io(self.here(error)),
            other => other,
        }
    }

    /// Reads as much of the stored payload as the file has, and returns the numbers of the pages that are damaged or
    /// missing. [`Self::payload`] returns everything that was read. When the blocks that follow are moved relative to
    /// this block, its last pages are too.
    pub fn load_damaged(&mut self, header: &BlockHeader) -> Result<Vec<usize>, Bad> {
        let at = self.offset + header.head_len() as u64;
        let len = match at.saturating_add(header.payload_stored.into()) > self.known_len {
            true => self.segment.file.len().map_err(|e| Bad::Io(Error::io(&e, "stat").at(&self.segment.path)))?,
            false => self.known_len,
        };
        let there = u64::from(header.payload_stored).min(len.saturating_sub(at)) as usize;
        let most = if self.moved.is_some() { header.payload_stored as usize } else { there };
        self.check_memory(header, (header.head_len() + most) as u64)?;
        self.payload.decoded.clear();
        memory::resize(&mut self.payload.decoded, there).map_err(|e| self.no_memory(e))?;
        let out = &mut self.payload.decoded;
        let n = read(&self.segment, out, at)?;
        out.truncate(n);
        let checksums = &self.buffer[HEADER..HEADER + header.checksums_len()];
        let end_of = |page: usize| (header.payload_stored as usize).min((page + 1) * PAGE);
        let is_good = |page: usize, bytes: Option<&[u8]>| match bytes {
            Some(_) if self.segment.translated.is_some() => true,
            Some(bytes) => {
                let sum = checksum::of_page(checksums, page);
                checksum::is_page_good(self.segment.header.marker, page, bytes, sum)
            }
            None => false,
        };
        let pages = 0..checksum::pages(header.payload_stored as usize);
        let is_bad = |&page: &usize| !is_good(page, out.get(page * PAGE..end_of(page)));
        let mut bad = memory::collect(pages.filter(is_bad).map(Ok::<_, Bad>))?;
        if let (Some(moved), false) = (&self.moved, bad.is_empty()) {
            let by = moved.shift - self.shift;
            memory::resize(out, header.payload_stored as usize).map_err(|e| Bad::Io(e.into()))?;
            let mut buffer = [0; PAGE];
            let mut still_bad = vec![];
            for page in bad {
                let bytes = &mut buffer[..end_of(page) - page * PAGE];
                let there = (at + (page * PAGE) as u64).checked_add_signed(by);
                let n = there.map_or(Ok(0), |there| read(&self.segment, bytes, there))?;
                match n == bytes.len() && is_good(page, Some(bytes)) {
                    true => out[page * PAGE..end_of(page)].copy_from_slice(bytes),
                    false => memory::push(&mut still_bad, page).map_err(|e| Bad::Io(e.into()))?,
                }
            }
            bad = still_bad;
        }
        self.payload.stored = None;
        Ok(bad)
    }

    /// Decompresses what [`Self::load_damaged`] has read, when none of its pages is bad.
    pub fn decompress_loaded(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        self.check_memory(header, self.memory_of(header))?;
        let stored = std::mem::take(&mut self.payload.decoded);
        let (len, out) = (header.payload_len as usize, &mut self.payload.decoded);
        let done = self.decompressor.decompress(header.codec, &stored, len, out);
        done.map_err(|reason| self.bad(reason))
    }

    /// Reads and verifies only the pages of the payload that hold its bytes `wanted`; the payload must be stored
    /// uncompressed. [`Self::payload`] returns only those pages; the result is the offset in the whole payload at which
    /// they begin.
    pub fn load_pages(&mut self, header: &BlockHeader, wanted: Range<usize>) -> Result<usize, Bad> {
        let len = header.payload_stored as usize;
        let pages = wanted.start / PAGE..wanted.end.div_ceil(PAGE);
        let (from, to) = (pages.start * PAGE, len.min(pages.end * PAGE));
        self.check_memory(header, self.memory_of_entries(header) + (to - from) as u64)?;
        memory::resize(&mut self.payload.decoded, to - from).map_err(|e| self.no_memory(e))?;
        let out = &mut self.payload.decoded;
        let at = self.offset + (header.head_len() + from) as u64;
        let n = read(&self.segment, out, at)?;
        if n < out.len() {
            return Err(Bad::End { left: at + n as u64 - self.offset });
        }
        let checksums = &self.buffer[HEADER..HEADER + header.checksums_len()];
        for (page, bytes) in pages.zip(out.chunks(PAGE)) {
            let is_good = |sum| checksum::is_page_good(self.segment.header.marker, page, bytes, sum);
            if self.segment.translated.is_none() && !is_good(checksum::of_page(checksums, page)) {
                return Err(Bad::Malformed(Malformed::Page { page }));
            }
        }
        self.payload.stored = None;
        Ok(from)
    }

    /// Reads and verifies records whose places are in the index, and nothing else of their block. [`Self::payload`]
    /// then returns their payloads, one after the other.
    pub fn load_located<'a>(&mut self, row: &Row, records: impl Iterator<Item = &'a Located>) -> Result<(), Bad> {
        self.pass();
        let (payload_at, payload_end) = (row.offset + u64::from(row.head_len), row.end());
        let out = &mut self.payload.decoded;
        out.clear();
        for located in records {
            let pages = located.pages();
            if pages.is_empty() {
                continue;
            }
            let start = payload_at + (pages.start * PAGE) as u64;
            let end = payload_end.min(payload_at + (pages.end * PAGE) as u64);
            let mut bytes = [0; LOCATED_PAGES * PAGE];
            let bytes = &mut bytes[..end.saturating_sub(start) as usize];
            if read(&self.segment, bytes, start)? < bytes.len() {
                return Err(Bad::End { left: 0 });
            }
            for ((page, bytes), &sum) in pages.clone().zip(bytes.chunks(PAGE)).zip(&located.sums) {
                if !checksum::is_page_good(self.segment.header.marker, page, bytes, sum) {
                    return Err(Bad::Malformed(Malformed::Page { page }));
                }
            }
            let from = located.standing.payload_at as usize - pages.start * PAGE;
            memory::extend(out, &bytes[from..from + located.standing.payload_len as usize])?;
        }
        self.payload.stored = None;
        Ok(())
    }

    /// Takes the wanted records of the current block, whose entries are loaded, in the form that they have in a legacy
    /// file: [`Self::payload`] then returns a part of that file, which contains them among other bytes, unless
    /// `headers_only` is set. False when they have to be read like those of any other segment.
    pub fn borrow(
        &mut self,
        hits: &mut Vec<Hit>,
        headers_only: bool,
        wants: impl Fn(&Hit, &[u8]) -> bool,
    ) -> Result<bool, Bad> {
        let Some(translated) = &self.segment.translated else { return Ok(false) };
        let buffer = (!headers_only).then_some(&mut self.payload.decoded);
        let entries = self.entries.of(&self.buffer);
        let lent = translated.lend(self.offset, hits, buffer, |hit| wants(hit, entries));
        let lent = lent.map_err(|e| Bad::Io(reading(&e).at(&self.segment.path)))?;
        if lent && !headers_only {
            self.payload.stored = None;
        }
        Ok(lent)
    }

    /// Reads and verifies entries and payload with one read.
    pub fn load(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        self.ahead = 0;
        self.check_memory(header, self.memory_of(header))?;
        self.need(header.block_len() as usize, HEADER)?;
        self.check_entries(header)?;
        self.load_payload(header)
    }

    /// The decoded entries of the loaded block.
    pub fn entries(&self) -> &[u8] {
        self.entries.of(&self.buffer)
    }

    /// The decoded payload of the loaded block.
    pub fn payload(&self) -> &[u8] {
        self.payload.of(&self.buffer)
    }

    fn check_entries(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let head = header.head_len();
        let meta = &self.buffer[HEADER..head];
        block::verify_meta(header, self.segment.header.marker, meta).map_err(Bad::Malformed)?;
        let stored = HEADER + header.checksums_len()..head;
        self.entries.stored = if header.flags & ENTRIES_COMPRESSED == 0 {
            Some(stored)
        } else if header.kind != BlockKind::Records {
            return Err(Bad::Malformed(Malformed::inconsistent(
                "the entries are compressed, of a block of another kind",
            )));
        } else {
            let (len, out) = (header.entries_len as usize, &mut self.entries.decoded);
            let stored = &self.buffer[stored];
            self.decompressor.decompress(header.codec, stored, len, out).map_err(|reason| self.bad(reason))?;
            None
        };
        Ok(())
    }

    /// Moves after the current block.
    fn pass(&mut self) {
        let (shown, moved) = (std::mem::take(&mut self.shown), self.moved.take());
        if shown == 0 {
            return;
        }
        if let Some(moved) = moved {
            self.shift = moved.shift;
        }
        self.offset += shown;
        match usize::try_from(shown) {
            Ok(shown) if shown < self.have => {
                self.buffer.copy_within(shown..self.have, 0);
                self.have -= shown;
            }
            _ => self.have = 0,
        }
        self.payload.stored = Some(0..0);
        self.entries.stored = Some(0..0);
        if self.buffer.len() > KEPT && self.have <= HEADER {
            self.buffer.truncate(KEPT);
            self.buffer.shrink_to_fit();
        }
        for region in [&mut self.entries, &mut self.payload] {
            if region.decoded.capacity() > KEPT {
                region.decoded = vec![];
            }
        }
    }

    /// Ensures that `len` bytes are in the buffer, or fails because the file ends before.
    fn need(&mut self, len: usize, extra: usize) -> Result<(), Bad> {
        match self.fill(len, extra)? {
            have if have < len => Err(self.ended(have as u64)),
            _ => Ok(()),
        }
    }

    /// The error for the end of the file, with so many bytes left.
    fn ended(&self, left: u64) -> Bad {
        match self.segment.file.inflated_end().and_then(|end| end.broken) {
            Some(why) => Bad::Malformed(Malformed::Inconsistent(io::does_not_decompress(why))),
            None => Bad::End { left },
        }
    }

    /// Reads until `len` bytes from the offset on are in the buffer or the file ends; `extra` more are read if
    /// possible.
    fn fill(&mut self, len: usize, extra: usize) -> Result<usize, Bad> {
        while self.have < len {
            let room = (len + extra).min(self.have + STEP.max(self.have));
            if self.buffer.len() < room {
                memory::resize(&mut self.buffer, room).map_err(|e| self.no_memory(e))?;
            }
            let at = self.offset + self.have as u64;
            match self.segment.file.read_at(&mut self.buffer[self.have..room], at) {
                Ok(0) => break,
                Ok(n) => self.have += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
                Err(e) => return Err(Bad::Io(reading(&e).at_offset(&self.segment.path, at))),
            }
        }
        Ok(self.have)
    }
}

/// Reads until `out` is full or the file ends.
fn read(segment: &Segment, out: &mut [u8], at: u64) -> Result<usize, Bad> {
    io::read_full(&*segment.file, out, at).map_err(|e| Bad::Io(reading(&e).at_offset(&segment.path, at)))
}
