//! Everything that `verify` reads, sorted by segments and logs.

use std::collections::HashMap;
use std::path::PathBuf;

use binlog::{event, Cursor, Error, Filter, Loss, Reader, Record, SegmentFacts, Tail};

use crate::index_check::Read;
use crate::scan::{self, Going};

/// What was read of one log.
pub struct OfLog {
    pub records: u64,
    pub payload_bytes: u64,
    /// Its files, and their lengths when they were read.
    pub files: Vec<(PathBuf, Option<u64>)>,
    /// The last segment that was read.
    pub last: SegmentFacts,
    /// Where indexes say something else than the records.
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
    going: Going,
    /// What was read of the current segment.
    read: Read,
    path: PathBuf,
    batch: Batch,
    /// Why an index could not be looked at.
    failed: Option<Error>,
}

/// Records of one block.
#[derive(Default)]
pub struct Batch {
    pub records: u64,
    pub bytes: u64,
    /// Ids of the first and the last of them.
    pub ids: (u64, u64),
    /// Ids and times of those with the smallest and the greatest time.
    pub times: Option<[(u64, i64); 2]>,
    pub types: HashMap<u32, u64>,
    /// Records of one type often stand together; these are not among the types yet.
    run: (u32, u64),
    /// Id of the last record that its events say is lost.
    pub lost_to: Option<u64>,
}

impl<'a> Reading<'a> {
    pub fn new(reader: &'a Reader) -> Self {
        Reading {
            reader,
            logs: vec![],
            going: Going::new(reader, false),
            read: Read::default(),
            path: PathBuf::new(),
            batch: Batch::default(),
            failed: None,
        }
    }

    /// Reads all that can be read. Where that ended comes along with an error, too.
    pub fn read_all(&mut self) -> Result<Tail, (Error, Tail)> {
        // Events are asked for so that the blocks with nothing else in them are read as well.
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
        let batch = &mut self.batch;
        if record.is_event() {
            if record.type_id == event::RECOVERED {
                let lost_to = record.metadata.get("last_lost_id").and_then(|id| id.parse().ok());
                batch.lost_to = batch.lost_to.max(lost_to);
            }
            return;
        }
        batch.ids = (if batch.records == 0 { record.id } else { batch.ids.0 }, record.id);
        batch.records += 1;
        batch.bytes += u64::from(record.payload_len);
        if record.type_id != batch.run.0 {
            batch.end_run();
            batch.run.0 = record.type_id;
        }
        batch.run.1 += 1;
        let here = (record.id, record.time);
        match &mut batch.times {
            None => batch.times = Some([here; 2]),
            Some([min, _]) if here.1 < min.1 => *min = here,
            Some([_, max]) if here.1 > max.1 => *max = here,
            Some(_) => (),
        }
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
        self.going.show(cursor);
    }
}

impl Batch {
    fn end_run(&mut self) {
        let (type_id, records) = std::mem::take(&mut self.run);
        if records > 0 {
            *self.types.entry(type_id).or_default() += records;
        }
    }
}
