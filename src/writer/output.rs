//! The write stage: pieces become blocks of the current segment, and the log rolls to the next one when it is time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use super::piece::Piece;
use crate::error::Result;
use crate::format::codec::Compressor;
use crate::format::declaration::Predecessor;
use crate::format::draft::{Buffers, Draft, NewEntry};
use crate::io::clock;
use crate::log::{Opened, Prepared, Target};
use crate::options::WriterOptions;
use crate::record::{check_metadata, event, MetadataBuf, NamedType};
use crate::segment::{Appender, Block};

/// Bytes of a block beside its payload, at the most that matters for the size of a segment: header, a checksum a page.
const BLOCK_OVERHEAD: u64 = 4 << 10;

/// The current segment and what it takes to go on.
pub(crate) struct Output {
    target: Target,
    appender: Appender,
    compressor: Compressor,
    segment_bytes: u64,
    index_bytes: u64,
    /// Named types, repeated at the start of each segment. Shared with the append stage, which adds to them.
    types: Arc<Mutex<Vec<NamedType>>>,
    /// The next segment's file, when a roll got no further than that.
    prepared: Option<Prepared>,
    /// The file before the current one, as long as the events that begin a segment could not be written.
    unopened: Option<String>,
    /// Segments that were closed and may not be durable yet.
    retired: Vec<Arc<crate::segment::Segment>>,
}

/// What has to be synced so that everything written by now is durable.
pub(crate) struct SyncPoint {
    /// In this order.
    pub segments: Vec<Arc<crate::segment::Segment>>,
    /// The last record that is durable then.
    pub id: u64,
    durable_end: Arc<AtomicU64>,
    end: u64,
}

impl Output {
    /// Goes on where a log was found to end, and says so in the log.
    pub fn begin(
        opened: Opened,
        compressor: Compressor,
        options: &WriterOptions,
        types: Arc<Mutex<Vec<NamedType>>>,
    ) -> Result<Self> {
        let Opened { target, appender, types: known, cut } = opened;
        types.lock().extend(known);
        let (prepared, unopened, retired) = (None, None, vec![]);
        let (segment_bytes, index_bytes) = (options.segment_bytes, options.index_bytes);
        let mut output =
            Output { target, appender, compressor, segment_bytes, index_bytes, types, prepared, unopened, retired };
        let mut events = vec![(event::STARTED, MetadataBuf::from_iter(started_facts()))];
        if let Some(cut) = cut {
            let kept = cut.kept.display().to_string();
            let facts = [
                ("offset", cut.offset.to_string()),
                ("bytes", cut.bytes.to_string()),
                ("kept", kept),
                ("reason", cut.reason),
            ];
            events.push((event::RECOVERED, MetadataBuf::from_iter(facts)));
        }
        events.push((event::OPENED, MetadataBuf::new()));
        output.write_events(&events)?;
        Ok(output)
    }

    /// Id of the record that will be written next.
    pub fn next_id(&self) -> u64 {
        self.appender.next_id()
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
            self.make_room(first.payload_len() as u64)?;
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

    /// Writes one block straight from the caller's memory: all of it, or nothing and an error.
    pub fn write_direct(&mut self, block: &Block<'_>) -> Result<()> {
        self.make_room(block.draft.payload_len() as u64)?;
        self.appender.append(std::slice::from_ref(block), &mut self.compressor).map_err(|(_, error)| error)
    }

    /// Closes the current segment and begins the next, unless the current one holds no record. False when there was
    /// nothing to do.
    pub fn roll(&mut self) -> Result<bool> {
        self.target.check_rolls().map_err(|e| e.at(&self.appender.segment.path))?;
        if !self.appender.has_records() && !self.appender.is_closed() {
            return Ok(false);
        }
        if self.prepared.is_none() {
            self.prepared = Some(self.target.prepare(self.appender.segment.header.sequence)?);
        }
        if !self.appender.is_closed() {
            let next = self.prepared.as_ref().map_or("", |prepared| &prepared.name);
            let facts = MetadataBuf::from_iter([("file", next)]);
            self.write_events(&[(event::ROTATE_NEXT, facts), (event::CLOSED, MetadataBuf::new())])?;
            self.close_segment()?;
        }
        let Some(prepared) = self.prepared.take() else { return Ok(false) };
        let last = &self.appender.segment;
        let predecessor = Predecessor {
            sequence: last.header.sequence,
            last_id: self.appender.next_id() - 1,
            bytes: self.appender.end(),
            marker: last.header.marker,
            latest_ns: None,
        };
        let previous = last.name.clone();
        let sequence = prepared.sequence;
        let next = match self.target.start(&prepared, sequence, self.appender.next_id(), Some(predecessor)) {
            Ok(next) => next,
            Err(error) => {
                // The next try takes the same file, whose name the log has told, rather than leave one more behind.
                self.prepared = prepared.is_untouched().then_some(prepared);
                return Err(error);
            }
        };
        let closed = std::mem::replace(&mut self.appender, next);
        // Readers of other processes may now know that no more comes in the old one.
        let _ = closed.segment.file.unlock();
        self.retired.push(closed.segment);
        self.unopened = Some(previous);
        self.write_opening()?;
        Ok(true)
    }

    /// Writes the events that begin a segment. The types among them are what the next writer learns of them, so that no
    /// record may come before.
    fn write_opening(&mut self) -> Result<()> {
        if let Some(previous) = &self.unopened {
            let facts = MetadataBuf::from_iter([("file", previous)]);
            let mut events = vec![(event::OPENED, MetadataBuf::new()), (event::ROTATE_PREV, facts)];
            events.extend(self.types.lock().iter().map(|named| (event::TYPE, named.to_facts())));
            self.write_events(&events)?;
            self.unopened = None;
        }
        Ok(())
    }

    /// What a sync now would make durable.
    pub fn sync_point(&mut self) -> SyncPoint {
        let mut segments = self.retired.clone();
        segments.push(self.appender.segment.clone());
        SyncPoint {
            segments,
            id: self.appender.next_id() - 1,
            durable_end: self.appender.durable_end(),
            end: self.appender.end(),
        }
    }

    /// Takes note that everything up to `point` is durable.
    pub fn synced(&mut self, point: &SyncPoint) {
        point.durable_end.fetch_max(point.end, Ordering::AcqRel);
        self.retired.retain(|segment| !point.segments.iter().any(|synced| Arc::ptr_eq(synced, segment)));
    }

    /// Whether segments were closed that nobody has synced yet.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Ends the log cleanly. Not yet durable.
    pub fn close(&mut self) -> Result<()> {
        self.write_opening()?;
        if self.appender.is_closed() {
            return Ok(());
        }
        self.write_events(&[(event::STOPPED, MetadataBuf::new()), (event::CLOSED, MetadataBuf::new())])?;
        self.close_segment()
    }

    fn close_segment(&mut self) -> Result<()> {
        self.appender.close(&self.types.lock())
    }

    /// Gives the locks back, so that another writer may open the log.
    pub fn unlock(&self) {
        let _ = self.appender.segment.file.unlock();
        self.target.unlock();
    }

    /// Rolls when a block of so many bytes would carry the segment over its size, or when the segment is closed and
    /// only a roll that failed half-way left it current.
    fn make_room(&mut self, payload_len: u64) -> Result<()> {
        self.write_opening()?;
        let over = self.appender.end() + payload_len + BLOCK_OVERHEAD > self.segment_bytes;
        let unfinished = self.prepared.is_some() && self.appender.is_closed();
        if unfinished || (over && self.target.can_roll() && self.appender.has_records()) {
            self.roll()?;
        }
        Ok(())
    }

    fn write_events(&mut self, events: &[(u32, MetadataBuf)]) -> Result<()> {
        let mut buffers = Buffers::default();
        let mut draft = Draft::new(self.appender.next_id(), &mut buffers, 0);
        let time = clock::now_ns();
        for (type_id, facts) in events {
            push_event(&mut draft, &mut buffers, *type_id, facts, time)?;
        }
        buffers.settle();
        let block = Block { draft: &draft, buffers: &buffers, parts: &[], compressed: None };
        self.appender.append(&[block], &mut self.compressor).map_err(|(_, error)| error)
    }
}

fn push_event(draft: &mut Draft, buffers: &mut Buffers, type_id: u32, facts: &MetadataBuf, time: i64) -> Result<()> {
    let pairs = facts.as_metadata().as_bytes();
    let metadata = (check_metadata(pairs)?, pairs);
    draft.push(&NewEntry { type_id, time, metadata, payload_len: 0 }, buffers);
    Ok(())
}

fn started_facts() -> [(&'static str, String); 3] {
    [
        ("library", concat!("binlog ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("pid", std::process::id().to_string()),
        ("host", crate::io::host_name()),
    ]
}
