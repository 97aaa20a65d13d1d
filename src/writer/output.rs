//! The write stage: buffers become blocks of the current segment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::buffer::Buffer;
use super::next_file::NextFile;
use super::retired::Retired;
use super::turn::{Mark, Step};
use super::types::{Described, Types};
use crate::error::{Error, Kind, Result};
use crate::format::codec::Compressor;
use crate::format::declaration::Hole;
use crate::format::draft::{Buffers, Draft, Need, NewEntry};
use crate::io::clock::Clock;
use crate::io::sync::Mutex;
use crate::log::{Behind, Prepared, Target};
use crate::memory;
use crate::record::{check_metadata, MetadataBuf};
use crate::segment::{Appender, Block};

/// Bytes of a block besides its payload, an upper bound for what matters to the size of a segment: header, a checksum a
/// page.
const BLOCK_OVERHEAD: u64 = 4 << 10;

/// Closed segments that stay open until they are durable. One write may exceed this.
const MANY_RETIRED: usize = 32;

/// The current segment and what is needed to continue after it.
pub(crate) struct Output {
    pub(super) target: Target,
    pub(super) appender: Appender,
    pub(super) compressor: Compressor,
    pub(super) clock: Clock,
    pub(super) segment_bytes: u64,
    pub(super) index_bytes: u64,
    /// Named types and their schemas, repeated at the start of each segment. Shared with the append stage, which adds to them.
    pub(super) types: Arc<Mutex<Types>>,
    /// The next segment's file, when a roll has created it and failed afterwards.
    pub(super) next: Option<Prepared>,
    /// The name of the next segment's file as the current segment states it, and the reason, when a roll failed after
    /// that. Nothing else may be written to the current segment then.
    pub(super) announced: Option<(String, String)>,
    /// The next segment's file, when it was prepared ahead.
    pub(super) next_file: Arc<Mutex<NextFile>>,
    /// The events that begin the current segment, while they are not written yet.
    pub(super) opening: Option<Vec<(u32, MetadataBuf)>>,
    /// Segments that were closed and may not be durable yet.
    pub(super) retired: Vec<Arc<Retired>>,
    /// What has to be done beside the writing, in order.
    pub(super) steps: Vec<Step>,
    /// The largest time of all records of the log so far; `None` = not known.
    pub(super) latest: Option<i64>,
    /// No record of the current segment is earlier; `None` = not known.
    pub(super) earliest: Option<i64>,
    /// Shows the append stage where the current segment begins.
    pub(super) mark: Arc<Mark>,
    /// The current segment is closed, and its file was removed or replaced.
    pub(super) is_lost: bool,
    /// The log has given more ids than the current segment shows; the next segment accounts for them.
    pub(super) behind: Option<Behind>,
    /// Bytes of the segments so far that are no blocks; the next segment names them.
    pub(super) holes: Vec<Hole>,
    /// The id after the records of segments whose beginning is lost, until the next segment names them.
    pub(super) lost_to: u64,
    /// The id that comes next in the current segment once that states which ids before it are lost.
    pub(super) skip_to: u64,
    /// The file that the current segment named as the next one before it named another.
    pub(super) outdated: Option<Prepared>,
}

/// The files to sync, after which everything written so far is durable.
pub(crate) struct SyncPoint {
    /// Synced in this order, before the current one.
    pub retired: Vec<Arc<Retired>>,
    pub current: Arc<crate::segment::Segment>,
    /// The last record that is durable then.
    pub id: u64,
    durable_end: Arc<AtomicU64>,
    end: u64,
}

impl Output {
    /// Id of the record that will be written next.
    pub fn next_id(&self) -> u64 {
        self.appender.next_id().max(self.skip_to)
    }

    /// The first id that a record in the current segment can have.
    pub fn first_id(&self) -> u64 {
        match self.opening {
            // Which ids are lost is not written yet.
            Some(_) => self.next_id(),
            None => self.appender.first_id(),
        }
    }

    /// Writes an INDEX block if one is due.
    pub fn index_if_due(&mut self) -> Result<()> {
        match self.appender.index_is_due(self.index_bytes) {
            true => self.appender.write_index(self.types.lock().named()),
            false => Ok(()),
        }
    }

    /// Writes the rest of a buffer. The buffer notes what is written, also when an error holds back the rest.
    pub fn write(&mut self, buffer: &mut Buffer) -> Result<()> {
        buffer.settle();
        while let Some(first) = buffer.blocks().first() {
            self.index_if_due()?;
            self.make_room(first.payload_len() as u64, buffer.since())?;
            let room = self.segment_bytes.saturating_sub(self.appender.end());
            let mut used = 0;
            let fitting = buffer.blocks().iter().take_while(|draft| {
                used += draft.payload_len() as u64 + draft.entries_len() as u64 + BLOCK_OVERHEAD;
                used <= room
            });
            let drafts = &buffer.blocks()[..fitting.count().max(1)];
            let parts: Vec<[&[u8]; 1]> = drafts.iter().map(|draft| [buffer.payload_of(draft)]).collect();
            let blocks: Vec<Block<'_>> = drafts
                .iter()
                .zip(&parts)
                .map(|(draft, parts)| Block { draft, buffers: buffer.entries(), parts, compressed: None })
                .collect();
            let count = blocks.len();
            drafts.iter().for_each(|draft| self.note_times(draft));
            match self.appender.append(&blocks, &mut self.compressor) {
                Ok(()) => buffer.wrote(count),
                Err((done, error)) => {
                    buffer.wrote(done);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Carries out `write`. When the disk is full, the space that was set aside after closed segments is released, and it
    /// is tried once more: the writer itself must not keep the space that it lacks.
    pub fn with_space(&mut self, mut write: impl FnMut(&mut Output) -> Result<()>) -> Result<()> {
        match write(self) {
            Err(error) if error.kind() == Kind::NoSpace && self.release_space() => write(self),
            done => done,
        }
    }

    /// Releases the space after closed segments. Returns whether there was any.
    fn release_space(&self) -> bool {
        // One that fails is tried again when the segment is made durable.
        self.retired.iter().fold(false, |released, retired| retired.give_back().unwrap_or(false) | released)
    }

    /// Releases all space that was set aside, when the writer ends without having closed its segment.
    pub fn release_all_space(&mut self) {
        self.release_space();
        let _ = self.appender.release_space();
    }

    /// Writes one block that was appended at `at` straight from the caller's memory: all of it, or nothing and an
    /// error.
    pub fn write_direct(&mut self, block: &Block<'_>, at: i64) -> Result<()> {
        self.make_room(block.draft.payload_len() as u64, at)?;
        self.append_one(block)
    }

    /// What a sync now would make durable.
    pub fn sync_point(&mut self) -> SyncPoint {
        SyncPoint {
            retired: self.retired.clone(),
            current: self.appender.segment.clone(),
            id: self.next_id() - 1,
            durable_end: self.appender.durable_end(),
            end: self.appender.end(),
        }
    }

    /// Notes that everything up to `point` is durable.
    pub fn synced(&mut self, point: &SyncPoint) {
        point.durable_end.fetch_max(point.end, Ordering::AcqRel);
        // The segment that was current then may have been closed since; its end was written after the sync.
        self.retired.retain(|segment| !point.retired.iter().any(|synced| Arc::ptr_eq(synced, segment)));
    }

    /// Whether there are closed segments that are not synced yet.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Whether so many closed segments wait for a sync that their open files burden the host.
    pub fn has_many_retired(&self) -> bool {
        self.retired.len() >= MANY_RETIRED
    }

    /// Rolls when a block of so many bytes would exceed the size of the segment, or when the segment is closed and is
    /// still current because a roll failed half-way. The first records of the block were appended at `at`, perhaps long
    /// before they are written.
    fn make_room(&mut self, payload_len: u64, at: i64) -> Result<()> {
        self.write_opening()?;
        let over = self.appender.end() + payload_len + BLOCK_OVERHEAD > self.segment_bytes;
        if self.is_between_segments() || (over && self.target.can_roll() && self.appender.has_records()) {
            self.roll("bytes", false, at)?;
        }
        Ok(())
    }

    pub(super) fn write_events(&mut self, events: &[(u32, MetadataBuf)]) -> Result<()> {
        self.write_events_with(events, &[])
    }

    /// Writes events, and after them some with payloads: all of them, or nothing and an error.
    pub(super) fn write_events_with(&mut self, events: &[(u32, MetadataBuf)], others: &[Described]) -> Result<()> {
        let mut buffers = Buffers::default();
        let facts = || events.iter().map(|(_, facts)| facts).chain(others.iter().map(|other| &other.facts));
        let metadata = facts().map(|facts| facts.as_metadata().as_bytes().len()).sum();
        buffers.reserve(Need::of(events.len() + others.len(), metadata))?;
        let mut draft = Draft::new(self.appender.next_id(), &mut buffers, 0);
        let time = self.clock.now_ns();
        for (type_id, facts) in events {
            push_event(&mut draft, &mut buffers, (*type_id, facts, 0), time)?;
        }
        let mut parts: Vec<&[u8]> = vec![];
        for Described { type_id, facts, payload } in others {
            push_event(&mut draft, &mut buffers, (*type_id, facts, payload.len()), time)?;
            if !payload.is_empty() {
                memory::push(&mut parts, payload)?;
            }
        }
        buffers.settle();
        self.append_one(&Block { draft: &draft, buffers: &buffers, parts: &parts, compressed: None })
    }

    fn note_times(&mut self, draft: &Draft) {
        self.latest = self.latest.map(|before| before.max(draft.latest()));
        self.earliest = self.earliest.map(|before| before.min(draft.times().0));
    }

    fn append_one(&mut self, block: &Block<'_>) -> Result<()> {
        self.note_times(block.draft);
        let appended = self.appender.append(std::slice::from_ref(block), &mut self.compressor);
        appended.map_err(|(_, error): (usize, Error)| error)
    }
}

fn push_event(
    draft: &mut Draft,
    buffers: &mut Buffers,
    (type_id, facts, payload_len): (u32, &MetadataBuf, usize),
    time: i64,
) -> Result<()> {
    let pairs = facts.as_metadata().as_bytes();
    let metadata = (check_metadata(pairs)?, pairs);
    draft.push(&NewEntry { type_id, time, metadata, payload_len }, buffers);
    Ok(())
}
