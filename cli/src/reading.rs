//! Everything that `verify` reads, by segments and logs.

use std::path::PathBuf;

use binlog::contents::SegmentFacts;
use binlog::{Cursor, Error, Filter, Loss, Reader, Record, Tail};

use crate::batch::Batch;
use crate::index_check::Read;
use crate::scan::{self, ReadBar};

/// What was read of one log.
pub struct OfLog {
    pub records: u64,
    pub payload_bytes: u64,
    /// Its files, and their lengths when they were read.
    pub files: Vec<(PathBuf, Option<u64>)>,
    /// The last segment that was read.
    pub last: SegmentFacts,
    /// Where an index differs from the records.
    pub index: Vec<Loss>,
}

impl OfLog {
    pub fn begin(first: SegmentFacts) -> Self {
        OfLog { records: 0, payload_bytes: 0, files: vec![], last: first, index: vec![] }
    }
}

/// What was read so far.
pub struct Reading<'a> {
    reader: &'a Reader,
    logs: Vec<OfLog>,
    bar: ReadBar,
    /// What was read of the current segment.
    read: Read,
    path: PathBuf,
    batch: Batch,
    /// Why an index could not be read.
    failed: Option<Error>,
    /// First and last ids of records that were removed with old segments before they were read.
    removed: Vec<(u64, u64)>,
}

impl<'a> Reading<'a> {
    pub fn new(reader: &'a Reader) -> Self {
        Reading {
            reader,
            logs: vec![],
            bar: ReadBar::new(reader, false),
            read: Read::default(),
            path: PathBuf::new(),
            batch: Batch::default(),
            failed: None,
            removed: vec![],
        }
    }

    /// Reads all that can be read. Returns where that ended, with an error too.
    pub fn read_all(&mut self) -> Result<Tail, (Error, Tail)> {
        // With events, blocks that contain nothing else are read as well.
        let filter = Filter { events: true, ..Filter::default() };
        let mut cursor = self.reader.cursor(&filter).map_err(|error| (error, Tail::default()))?;
        let read = scan::read_all(&mut cursor, self);
        self.end_segment();
        let tail = cursor.tail();
        match read.err().or(self.failed.take()) {
            None => Ok(tail),
            Some(error) => Err((error, tail)),
        }
    }

    /// First and last ids of records that were removed with old segments before they were read.
    pub fn removed(&self) -> &[(u64, u64)] {
        &self.removed
    }

    /// What was read of each log.
    pub fn finish(self) -> Vec<OfLog> {
        self.logs
    }

    fn begin_segment(&mut self, cursor: &Cursor) {
        self.end_segment();
        let facts = cursor.segment_facts();
        self.path.clone_from(&facts.path);
        self.read = Read::new(self.reader, &facts);
        match self.logs.last_mut().filter(|log| log.last.log_id == facts.log_id) {
            Some(log) => log.last = facts.clone(),
            None => self.logs.push(OfLog::begin(facts.clone())),
        }
        if let Some(log) = self.logs.last_mut() {
            log.files.push((facts.path, facts.bytes));
        }
    }

    fn end_segment(&mut self) {
        let read = std::mem::take(&mut self.read);
        let Some(log) = self.logs.last_mut() else { return };
        match read.compare(self.reader, &log.last) {
            Ok(wrong) => log.index.extend(wrong),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

impl scan::Visit for Reading<'_> {
    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        self.batch.add(record);
    }

    fn removed(&mut self, error: &Error) {
        self.removed.extend(error.missed());
    }

    fn batch(&mut self, cursor: &Cursor) {
        if self.path != cursor.path() {
            self.begin_segment(cursor);
        }
        self.batch.end_run();
        let batch = std::mem::take(&mut self.batch);
        self.read.see(&batch, cursor);
        if let Some(log) = self.logs.last_mut() {
            log.records += batch.records;
            log.payload_bytes += batch.bytes;
        }
        self.bar.show(cursor);
    }
}
