//! Reads the blocks of a segment, verifies each of them, and reads the records in them.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::{Entry, Progress};
use crate::format::Malformed;
use crate::memory::{self, NoMemory};
use crate::record::{event, id_after_loss, is_event, Metadata};
use crate::segment::{Bad, Scanner, Segment};

/// A place between two blocks from which reading can start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub offset: u64,
    pub next_id: u64,
    /// See [`Blocks`].
    pub acknowledged: Option<u64>,
}

/// Reads the RECORDS blocks of a segment that no writer appends to any more. Anything that a writer does not leave that
/// way is an error, including a torn tail.
pub(super) struct Blocks {
    scanner: Scanner,
    next_id: u64,
    /// The id that may come next as well: the log declares the records between lost.
    acknowledged: Option<u64>,
    /// Records so far.
    records: u64,
    /// The last block was a TRAILER.
    closed: bool,
    /// Where to stop.
    until: u64,
    /// Blocks without records are verified to their last byte as well.
    checks_all: bool,
}

impl Blocks {
    pub fn of(segment: &Arc<Segment>) -> Self {
        let scanner = Scanner::new(segment.clone(), segment.start);
        let next_id = segment.header.first_id;
        Blocks { scanner, next_id, acknowledged: None, records: 0, closed: false, until: u64::MAX, checks_all: false }
    }

    /// The blocks of a segment that was just made, of which every byte is verified. For other segments the index is not
    /// verified: it is made anew, so damage there loses nothing.
    pub fn of_made(segment: &Arc<Segment>) -> Self {
        Blocks { checks_all: true, ..Self::of(segment) }
    }

    /// Goes to one mark, and stops at another, or at the end of the segment; sees what has been written there
    /// meanwhile.
    pub fn go_to(&mut self, from: Mark, until: Option<Mark>) {
        self.scanner.jump(from.offset);
        self.scanner.reread();
        (self.next_id, self.acknowledged) = (from.next_id, from.acknowledged);
        self.closed = false;
        self.until = until.map_or(u64::MAX, |mark| mark.offset);
    }

    /// The place after the last block so far, whose entries were shown.
    pub fn mark(&self) -> Mark {
        Mark { offset: self.end(), next_id: self.next_id, acknowledged: self.acknowledged }
    }

    /// Id after the last record so far, and after those that the end of the segment declares lost.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Records in the blocks so far, from any start.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Offset after the last block so far.
    pub fn end(&self) -> u64 {
        self.scanner.next_offset()
    }

    /// Whether the last block so far is a TRAILER.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads the next block with records or events; `None` at the end of the segment.
    pub fn next(&mut self) -> Result<Option<BlockHeader>> {
        loop {
            if self.end() >= self.until {
                return Ok(None);
            }
            let header = match self.scanner.header() {
                Ok(header) => header,
                Err(Bad::End { left: 0 }) => return Ok(None),
                Err(bad) => return Err(self.failed(bad)),
            };
            self.closed = header.kind == BlockKind::Trailer;
            match header.kind {
                BlockKind::Records => {
                    self.scanner.load(&header).map_err(|bad| self.failed(bad))?;
                    self.check_id(&header)?;
                    self.scanner.skip(&header);
                    self.records += u64::from(header.count);
                    return Ok(Some(header));
                }
                BlockKind::Index | BlockKind::Trailer => {
                    let checked = match self.checks_all {
                        true => self.scanner.load(&header),
                        false => self.scanner.check_whole(&header),
                    };
                    checked.map_err(|bad| self.failed(bad))?;
                    self.check_id(&header)?;
                    self.scanner.skip(&header);
                }
                BlockKind::Skippable(kind) => {
                    let reason = format!("the segment has blocks of the kind {kind}, which this library does not know");
                    let segment = self.scanner.segment();
                    return Err(Error::new(Kind::Unsupported, reason).at_offset(&segment.path, self.scanner.offset()));
                }
            }
        }
    }

    /// The decoded entries and payload of the block that was read last.
    pub fn contents(&self) -> (&[u8], &[u8]) {
        (self.scanner.entries(), self.scanner.payload())
    }

    /// Shows the entries of that block with their payloads.
    pub fn each(&mut self, header: &BlockHeader, mut each: impl FnMut(&Entry<'_>, &[u8])) -> Result<()> {
        let (entries, payload) = (self.scanner.entries(), self.scanner.payload());
        let mut walk = Walk::new(header);
        loop {
            match walk.next(header, entries, payload) {
                Ok(Some((_, entry, payload))) => {
                    if entry.type_id == event::RECOVERED {
                        self.acknowledged = id_after_loss(Metadata::from_bytes(entry.metadata));
                    }
                    each(&entry, payload);
                }
                Ok(None) => return Ok(()),
                Err(reason) => return Err(self.failed(Bad::Malformed(reason))),
            }
        }
    }

    fn check_id(&mut self, header: &BlockHeader) -> Result<()> {
        let (expected, there) = (self.next_id, header.first_id);
        if there != expected && (there < expected || self.acknowledged != Some(there)) {
            let reason = format!("the block begins with record {there}, where {expected} should come");
            return Err(self.failed(Bad::Malformed(Malformed::Inconsistent(reason))));
        }
        self.next_id = header.next_id();
        Ok(())
    }

    fn failed(&self, bad: Bad) -> Error {
        match bad {
            Bad::Io(error) => error,
            bad => self.scanner.segment().corrupt(self.scanner.offset(), &bad.into_malformed()),
        }
    }
}

/// Records in a verified segment, by the headers of its blocks: ids that it declares lost are not counted.
pub(super) fn records(segment: &Arc<Segment>) -> Result<u64> {
    let mut blocks = Blocks::of(segment);
    let mut records = 0;
    loop {
        match blocks.scanner.header() {
            Ok(header) => {
                records += u64::from(header.count);
                blocks.scanner.skip(&header);
            }
            Err(Bad::End { left: 0 }) => return Ok(records),
            Err(bad) => return Err(blocks.failed(bad)),
        }
    }
}

/// An entry with its id and its payload.
type WalkedEntry<'a> = (u64, Entry<'a>, &'a [u8]);

/// How far the entries of a block have been shown.
struct Walk {
    progress: Progress,
    id: u64,
    payload_at: usize,
}

impl Walk {
    fn new(header: &BlockHeader) -> Self {
        Walk { progress: Progress::new(header.min_time), id: header.first_id, payload_at: 0 }
    }

    /// The next entry with its id and its payload. At the end the counts must be those of the header.
    #[inline(always)]
    fn next<'a>(
        &mut self,
        header: &BlockHeader,
        entries: &'a [u8],
        payload: &'a [u8],
    ) -> Result<Option<WalkedEntry<'a>>, Malformed> {
        let Some(entry) = self.progress.next(entries)? else {
            return match self.id == header.next_id() && self.payload_at == payload.len() {
                true => Ok(None),
                false => Err(Malformed::miscounted()),
            };
        };
        let from = self.payload_at;
        self.payload_at += entry.payload_len as usize;
        let payload = payload.get(from..self.payload_at).ok_or_else(Malformed::miscounted)?;
        let id = self.id;
        self.id += u64::from(!is_event(entry.type_id));
        Ok(Some((id, entry, payload)))
    }
}

/// Where records come from, block by block.
pub(super) trait Feed {
    /// The next block with records or events; `None` when there is no other.
    fn next(&mut self) -> Result<Option<BlockHeader>>;

    /// The decoded entries and payload of that block.
    fn contents(&self) -> (&[u8], &[u8]);

    /// That block is malformed.
    fn malformed(&self, reason: Malformed) -> Error;
}

impl Feed for &mut Blocks {
    fn next(&mut self) -> Result<Option<BlockHeader>> {
        let header = Blocks::next(self)?;
        // The events contain facts about ids.
        if let Some(header) = header.as_ref().filter(|header| header.has_events()) {
            self.each(header, |_, _| ())?;
        }
        Ok(header)
    }

    fn contents(&self) -> (&[u8], &[u8]) {
        Blocks::contents(self)
    }

    fn malformed(&self, reason: Malformed) -> Error {
        self.failed(Bad::Malformed(reason))
    }
}

/// Blocks as they were read, without their payloads, which the caller keeps in order.
#[derive(Default)]
pub(super) struct Kept {
    headers: Vec<BlockHeader>,
    entries: Vec<u8>,
}

impl Kept {
    pub fn clear(&mut self) {
        self.headers.clear();
        self.entries.clear();
    }

    pub fn push(&mut self, header: &BlockHeader, entries: &[u8]) -> Result<(), NoMemory> {
        memory::extend(&mut self.entries, entries)?;
        memory::push(&mut self.headers, header.clone())
    }

    /// Bytes that they take in the file.
    pub fn stored_len(&self) -> u64 {
        self.headers.iter().map(BlockHeader::block_len).sum()
    }

    /// The blocks, with their payloads.
    pub fn with<'a>(&'a self, payload: &'a [u8]) -> KeptFeed<'a> {
        KeptFeed { headers: self.headers.iter(), entries: &self.entries, payload, current: (&[], &[]) }
    }
}

/// Kept blocks, one after the other.
pub(super) struct KeptFeed<'a> {
    headers: std::slice::Iter<'a, BlockHeader>,
    /// The entries of the remaining blocks.
    entries: &'a [u8],
    payload: &'a [u8],
    current: (&'a [u8], &'a [u8]),
}

impl KeptFeed<'_> {
    /// Whether no bytes are left; there should be none after the last block.
    pub fn is_used_up(&self) -> bool {
        self.entries.is_empty() && self.payload.is_empty()
    }
}

impl Feed for KeptFeed<'_> {
    fn next(&mut self) -> Result<Option<BlockHeader>> {
        let Some(header) = self.headers.next() else { return Ok(None) };
        let entries = self.entries.split_at_checked(header.entries_len as usize);
        let payload = self.payload.split_at_checked(header.payload_len as usize);
        let (Some((entries, entries_left)), Some((payload, payload_left))) = (entries, payload) else {
            return Err(self.malformed(Malformed::miscounted()));
        };
        (self.entries, self.payload, self.current) = (entries_left, payload_left, (entries, payload));
        Ok(Some(header.clone()))
    }

    fn contents(&self) -> (&[u8], &[u8]) {
        self.current
    }

    fn malformed(&self, reason: Malformed) -> Error {
        Error::corrupt(reason)
    }
}

/// The records and events of blocks, one after the other.
pub(super) struct Records<F> {
    feed: F,
    block: Option<(BlockHeader, Walk)>,
    at: CurrentEntry,
}

/// The current one, by where its parts are in its block.
#[derive(Default)]
struct CurrentEntry {
    id: u64,
    time: i64,
    type_id: u32,
    metadata: Range<usize>,
    payload: Range<usize>,
}

/// A record or an event.
#[derive(PartialEq, Eq)]
pub(super) struct Shown<'a> {
    pub id: u64,
    time: i64,
    type_id: u32,
    metadata: &'a [u8],
    payload: &'a [u8],
}

impl<F: Feed> Records<F> {
    pub fn of(feed: F) -> Self {
        Records { feed, block: None, at: CurrentEntry::default() }
    }

    /// Where they come from.
    pub fn feed(&self) -> &F {
        &self.feed
    }

    /// Goes to the next one; false at the end.
    #[inline]
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            if let Some((header, walk)) = &mut self.block {
                let (entries, payload) = self.feed.contents();
                let from = walk.payload_at;
                match walk.next(header, entries, payload) {
                    Ok(Some((id, entry, _))) => {
                        let metadata = match entry.metadata {
                            [] => 0..0,
                            pairs => {
                                let at = pairs.as_ptr() as usize - entries.as_ptr() as usize;
                                at..at + pairs.len()
                            }
                        };
                        let Entry { time, type_id, .. } = entry;
                        self.at = CurrentEntry { id, time, type_id, metadata, payload: from..walk.payload_at };
                        return Ok(true);
                    }
                    Ok(None) => (),
                    Err(reason) => return Err(self.feed.malformed(reason)),
                }
            }
            let Some(header) = self.feed.next()? else { return Ok(false) };
            let walk = Walk::new(&header);
            self.block = Some((header, walk));
        }
    }

    /// The current one.
    #[inline]
    pub fn shown(&self) -> Shown<'_> {
        let (entries, payload) = self.feed.contents();
        let CurrentEntry { id, time, type_id, metadata, payload: range } = &self.at;
        let (id, time, type_id) = (*id, *time, *type_id);
        Shown { id, time, type_id, metadata: &entries[metadata.clone()], payload: &payload[range.clone()] }
    }
}
