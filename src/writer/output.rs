//! The write stage: pieces become blocks of the current segment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::ahead::Ahead;
use super::piece::Piece;
use super::retired::Retired;
use super::rolling::{Mark, Step};
use crate::error::{Error, Result};
use crate::format::codec::Compressor;
use crate::format::declaration::Hole;
use crate::format::draft::{Buffers, Draft, NewEntry};
use crate::io::clock::Clock;
use crate::io::sync::Mutex;
use crate::log::{Behind, Prepared, Target};
use crate::record::{check_metadata, MetadataBuf, NamedType};
use crate::segment::{Appender, Block};

/// Bytes of a block beside its payload, at the most that matters for the size of a segment: header, a checksum a page.
const BLOCK_OVERHEAD: u64 = 4 << 10;

/// Closed segments that stay open until they are durable, at the most but for one write.
const MANY_RETIRED: usize = 32;

/// The current segment and what it takes to go on.
pub(crate) struct Output {
    pub(super) target: Target,
    pub(super) appender: Appender,
    pub(super) compressor: Compressor,
    pub(super) clock: Clock,
    pub(super) segment_bytes: u64,
    pub(super) index_bytes: u64,
    /// Named types, repeated at the start of each segment. Shared with the append stage, which adds to them.
    pub(super) types: Arc<Mutex<Vec<NamedType>>>,
    /// The next segment's file, when a roll got no further than having it.
    pub(super) next: Option<Prepared>,
    /// The next segment's file as the current one tells it already, and the reason, when a roll got no further than that:
    /// nothing else may be written to it then.
    pub(super) told: Option<(String, String)>,
    /// The next segment's file when it is prepared ahead.
    pub(super) ahead: Arc<Mutex<Ahead>>,
    /// The events that begin the current segment, as long as they could not be written.
    pub(super) opening: Option<Vec<(u32, MetadataBuf)>>,
    /// Segments that were closed and may not be durable yet.
    pub(super) retired: Vec<Arc<Retired>>,
    /// What has to be done beside the writing, in this order.
    pub(super) steps: Vec<Step>,
    /// The largest time of all records of the log so far; `None` = it is not known.
    pub(super) latest: Option<i64>,
    /// Tells the append stage where the current segment begins.
    pub(super) mark: Arc<Mark>,
    /// The current segment is closed, and somebody has removed its file.
    pub(super) is_lost: bool,
    /// The log has given more ids than the current segment shows, which is then the next one's to follow.
    pub(super) behind: Option<Behind>,
    /// Bytes of the segments so far that are no blocks, which the next segment names.
    pub(super) holes: Vec<Hole>,
    /// The id behind the records of segments that are lost with their beginning, until the next segment names them.
    pub(super) lost_to: u64,
    /// The id that comes next in the current segment once it says which ids before that are lost.
    pub(super) skip_to: u64,
    /// The file that the current segment said it goes on in, before it said another one.
    pub(super) outdated: Option<Prepared>,
}

/// What has to be synced so that everything written by now is durable.
pub(crate) struct SyncPoint {
    /// In this order, and then the current one.
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
            // It is still to be said which ids are lost.
            Some(_) => self.next_id(),
            None => self.appender.first_id(),
        }
    }

    /// Writes the next INDEX block if it is time.
    pub fn index_if_due(&mut self) -> Result<()> {
        match self.appender.index_is_due(self.index_bytes) {
            true => self.appender.write_index(&self.types.lock()),
            false => Ok(()),
        }
    }

    /// Writes the rest of a piece. What is written is noted in the piece, also when an error keeps the rest back.
    pub fn write(&mut self, piece: &mut Piece) -> Result<()> {
        piece.settle();
        while let Some(first) = piece.blocks().first() {
            self.index_if_due()?;
            self.make_room(first.payload_len() as u64, piece.since())?;
            let room = self.segment_bytes.saturating_sub(self.appender.end());
            let mut used = 0;
            let fitting = piece.blocks().iter().take_while(|draft| {
                used += draft.payload_len() as u64 + draft.entries_len() as u64 + BLOCK_OVERHEAD;
                used <= room
            });
            let drafts = &piece.blocks()[..fitting.count().max(1)];
            let parts: Vec<[&[u8]; 1]> = drafts.iter().map(|draft| [piece.payload_of(draft)]).collect();
            let blocks: Vec<Block<'_>> = drafts
                .iter()
                .zip(&parts)
                .map(|(draft, parts)| Block { draft, buffers: piece.buffers(), parts, compressed: None })
                .collect();
            let count = blocks.len();
            let latest = drafts.iter().map(Draft::latest).max().unwrap_or(i64::MIN);
            self.latest = self.latest.map(|before| before.max(latest));
            match self.appender.append(&blocks, &mut self.compressor) {
                Ok(()) => piece.wrote(count),
                Err((done, error)) => {
                    piece.wrote(done);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes one block that was appended at `at` straight from the caller's memory: all of it, or nothing and an error.
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

    /// Takes note that everything up to `point` is durable.
    pub fn synced(&mut self, point: &SyncPoint) {
        point.durable_end.fetch_max(point.end, Ordering::AcqRel);
        // The one that was current then may have been closed since: its end came after the sync.
        self.retired.retain(|segment| !point.retired.iter().any(|synced| Arc::ptr_eq(synced, segment)));
    }

    /// Whether segments were closed that nobody has synced yet.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Whether so many closed segments wait to be synced that their open files are a burden for the host.
    pub fn has_many_retired(&self) -> bool {
        self.retired.len() >= MANY_RETIRED
    }

    /// Rolls when a block of so many bytes would carry the segment over its size, or when the segment is closed and
    /// only a roll that failed half-way left it current. Its first records were appended at `at`, perhaps long before they
    /// are written.
    fn make_room(&mut self, payload_len: u64, at: i64) -> Result<()> {
        self.write_opening()?;
        let over = self.appender.end() + payload_len + BLOCK_OVERHEAD > self.segment_bytes;
        if self.is_between_segments() || (over && self.target.can_roll() && self.appender.has_records()) {
            self.roll("bytes", false, at)?;
        }
        Ok(())
    }

    pub(super) fn write_events(&mut self, events: &[(u32, MetadataBuf)]) -> Result<()> {
        let mut buffers = Buffers::default();
        let mut draft = Draft::new(self.appender.next_id(), &mut buffers, 0);
        let time = self.clock.now_ns();
        for (type_id, facts) in events {
            push_event(&mut draft, &mut buffers, *type_id, facts, time)?;
        }
        buffers.settle();
        self.append_one(&Block { draft: &draft, buffers: &buffers, parts: &[], compressed: None })
    }

    fn append_one(&mut self, block: &Block<'_>) -> Result<()> {
        self.latest = self.latest.map(|before| before.max(block.draft.latest()));
        let appended = self.appender.append(std::slice::from_ref(block), &mut self.compressor);
        appended.map_err(|(_, error): (usize, Error)| error)
    }
}

fn push_event(draft: &mut Draft, buffers: &mut Buffers, type_id: u32, facts: &MetadataBuf, time: i64) -> Result<()> {
    let pairs = facts.as_metadata().as_bytes();
    let metadata = (check_metadata(pairs)?, pairs);
    draft.push(&NewEntry { type_id, time, metadata, payload_len: 0 }, buffers);
    Ok(())
}
