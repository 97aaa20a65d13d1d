//! Going through a whole log, for those who count.

use std::collections::HashMap;
use std::path::PathBuf;

use binlog::{Cursor, Reader, Record, Tail, TailState};

use crate::progress::Progress;
use crate::remote::is_url;

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

/// Whether all that is here ends with a closed segment, behind which the log goes on in one that an archive does not have yet.
pub fn is_continued(tail: &Tail) -> bool {
    tail.state == TailState::Live && tail.unread_bytes == 0 && !tail.reason.is_empty()
}

/// How much of the files of a log a cursor has read, as a bar.
pub struct Going {
    /// Where each file begins among all, in the bar's units.
    begins: HashMap<PathBuf, u64>,
    total: u64,
    /// The file that was read last, where it begins, how many units it is, and how many bytes.
    path: PathBuf,
    here: (u64, u64, u64),
    newest_first: bool,
    calls: u32,
    progress: Progress,
}

impl Going {
    /// Of all segments of the reader. Asks for the lengths of the files, if somebody sees the bar.
    pub fn new(reader: &Reader, newest_first: bool) -> Self {
        Self::seen(reader, newest_first, Progress::is_seen())
    }

    /// The same while records are printed.
    pub fn beside_output(reader: &Reader, newest_first: bool) -> Self {
        Self::seen(reader, newest_first, Progress::is_seen_beside_output())
    }

    fn seen(reader: &Reader, newest_first: bool, is_seen: bool) -> Self {
        let mut going = Going {
            begins: HashMap::new(),
            total: 0,
            path: PathBuf::new(),
            here: (0, 0, 1),
            newest_first,
            calls: 0,
            progress: Progress::new(None),
        };
        if is_seen {
            let paths = reader.paths();
            // To ask a store for the length of each object would be a request each.
            let is_far = paths.first().is_some_and(|path| is_url(path));
            let count = paths.len();
            for path in paths {
                let units = if is_far { PER_FILE } else { path.metadata().map_or(0, |facts| facts.len()) };
                going.begins.insert(path, going.total);
                going.total += units;
            }
            going.progress = if is_far { Progress::of_files(count) } else { Progress::new(Some(going.total)) };
        }
        going
    }

    /// Draws the bar. To be called for each record, or each block of them.
    #[inline]
    pub fn show(&mut self, cursor: &Cursor) {
        self.calls = self.calls.wrapping_add(1);
        if self.total > 0 && self.calls % 64 == 1 {
            self.draw(cursor);
        }
    }

    fn draw(&mut self, cursor: &Cursor) {
        if cursor.path() != self.path {
            self.path = cursor.path().to_owned();
            let begins = self.begins.get(&self.path).copied().unwrap_or(self.total);
            let bytes = cursor.segment_facts().bytes;
            let is_far = is_url(&self.path);
            let units = if is_far { PER_FILE } else { bytes.unwrap_or(0) };
            self.here = (begins, units, bytes.unwrap_or(u64::MAX).max(1));
        }
        let (begins, units, bytes) = self.here;
        let share = cursor.offset().min(bytes) as f64 / bytes as f64;
        let done = (begins + (units as f64 * share) as u64).min(self.total);
        let done = if self.newest_first { self.total - done } else { done };
        self.progress.part(done, self.total);
    }

    /// For lines that go to the same terminal as the bar.
    pub fn hide_while(&self, tell: impl FnOnce()) {
        self.progress.hide_while(tell);
    }
}

/// Units of a bar that a file is whose length is not asked for.
const PER_FILE: u64 = 1000;
