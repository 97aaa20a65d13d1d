//! Going through a whole log, for those who count.

use binlog::{Cursor, Record, SegmentFacts, TailState};

use crate::progress::Progress;

/// What is done with each record and at the end of each batch, where the cursor can be asked for the names of types.
pub trait Visit {
    fn record(&mut self, record: &Record<'_>);
    fn batch(&mut self, _cursor: &Cursor) {}
}

/// Shows all records to the visitor. Where the cursor stopped is in its tail, also after an error.
pub fn read_all(cursor: &mut Cursor, visitor: &mut impl Visit) -> binlog::Result<()> {
    let mut seconds_look = false;
    loop {
        let n = cursor.next_batch(usize::MAX, |record| visitor.record(record))?;
        if n > 0 {
            visitor.batch(cursor);
            seconds_look = false;
            continue;
        }
        if seconds_look || !may_have_been_closed_meanwhile(cursor) {
            return Ok(());
        }
        seconds_look = true;
    }
}

/// A cursor looks at the bytes first, and then whether a writer has the file open. One that finishes its block and
/// closes the log between the two makes a whole log look torn or unclosed; looking again tells.
pub fn may_have_been_closed_meanwhile(cursor: &Cursor) -> bool {
    matches!(cursor.tail().state, TailState::Torn | TailState::Unclosed)
}

/// Tells by the ids of records which segment they are in, and so how much of the files has been read.
pub struct Place {
    /// Log, first id and bytes of each.
    segments: Vec<(Vec<u8>, u64, u64)>,
    at: usize,
    last_id: u64,
    /// Bytes of the segments before this one.
    bytes_before: u64,
    /// Bytes of payload seen in this segment.
    bytes_here: u64,
    progress: Progress,
}

impl Place {
    pub fn new(segments: &[SegmentFacts]) -> Self {
        let total = segments.iter().map(|segment| segment.bytes).sum::<Option<u64>>();
        let segments = segments.iter().map(|s| (s.log_id.clone(), s.first_id, s.bytes.unwrap_or(0))).collect();
        Place { segments, at: 0, last_id: 0, bytes_before: 0, bytes_here: 0, progress: Progress::new(total) }
    }

    /// The index of the segment that the record is in; records come in reading order.
    #[inline]
    pub fn of(&mut self, record: &Record<'_>) -> usize {
        while self.is_beyond(record.id) {
            self.bytes_before += self.segments[self.at].2;
            self.bytes_here = 0;
            self.at += 1;
            // A log that begins has no last id.
            if self.segments[self.at].0 != self.segments[self.at - 1].0 {
                self.last_id = 0;
            }
        }
        self.last_id = record.id;
        self.bytes_here += u64::from(record.payload_len);
        self.at
    }

    #[inline]
    fn is_beyond(&self, id: u64) -> bool {
        let Some((log, first_id, _)) = self.segments.get(self.at + 1) else { return false };
        match *log == self.segments[self.at].0 {
            // Ids of one log only grow: a smaller one is of another log, behind segments without a record.
            true => id >= *first_id || id <= self.last_id,
            false => id <= self.last_id || id == *first_id,
        }
    }

    /// Draws the bar. Compressed payload is more than its file's bytes; then the bar waits for the next segment.
    pub fn show(&mut self) {
        let here = self.segments.get(self.at).map_or(0, |segment| segment.2);
        self.progress.at(self.bytes_before + self.bytes_here.min(here));
    }

    /// For lines that go to the same terminal as the bar.
    pub fn hide_while(&self, tell: impl FnOnce()) {
        self.progress.hide_while(tell);
    }
}
