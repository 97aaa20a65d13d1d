//! Reads a whole log, for commands that count.

use std::collections::HashMap;
use std::path::PathBuf;

use binlog::{Cursor, Error, Kind, Reader, Record, Tail, TailState};

use crate::progress::Progress;
use crate::remote::is_url;

/// Called with each record and at the end of each batch, when the cursor can be asked for the names of types.
pub trait Visit {
    fn record(&mut self, record: &Record<'_>);
    fn batch(&mut self, _cursor: &Cursor) {}
    /// The next records were removed with old segments, as the error says.
    fn removed(&mut self, _error: &Error) {}
}

/// Shows all records to the visitor. The cursor's tail says where it stopped, also after an error.
pub fn read_all(cursor: &mut Cursor, visitor: &mut impl Visit) -> binlog::Result<()> {
    let mut second_look = false;
    loop {
        let n = match cursor.next_batch(usize::MAX, |record| visitor.record(record)) {
            Err(error) if error.kind() == Kind::Missed => {
                visitor.removed(&error);
                continue;
            }
            shown => shown?,
        };
        if n > 0 {
            visitor.batch(cursor);
            second_look = false;
            continue;
        }
        if second_look || !may_have_been_closed_meanwhile(cursor) {
            return Ok(());
        }
        second_look = true;
    }
}

/// A cursor first reads the bytes, and then checks whether a writer has the file open. A writer that finishes its
/// block and closes the log between the two makes a whole log look torn or unclosed; reading again shows the
/// difference.
pub fn may_have_been_closed_meanwhile(cursor: &Cursor) -> bool {
    matches!(cursor.tail().state, TailState::Torn | TailState::Unclosed)
}

/// Whether the files end with a closed segment that names a next one, which is not here yet.
pub fn is_continued(tail: &Tail) -> bool {
    tail.state == TailState::Live && tail.unread_bytes == 0 && !tail.reason.is_empty()
}

/// A bar that shows how much of the files of a log a cursor has read.
pub struct ReadBar {
    /// Where each file begins among all files, in the bar's units.
    begins: HashMap<PathBuf, u64>,
    total: u64,
    /// The file that was read last; where it begins, its length in units, and its length in bytes.
    path: PathBuf,
    here: (u64, u64, u64),
    newest_first: bool,
    calls: u32,
    progress: Progress,
}

impl ReadBar {
    /// A bar over all segments of the reader. Asks for the lengths of the files only if the bar is visible.
    pub fn new(reader: &Reader, newest_first: bool) -> Self {
        Self::seen(reader, newest_first, Progress::is_seen())
    }

    /// The same for commands that print records meanwhile.
    pub fn beside_output(reader: &Reader, newest_first: bool) -> Self {
        Self::seen(reader, newest_first, Progress::is_seen_beside_output())
    }

    fn seen(reader: &Reader, newest_first: bool, is_seen: bool) -> Self {
        let mut bar = ReadBar {
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
            // The length of an object in a store would take a request each.
            let is_far = paths.first().is_some_and(|path| is_url(path));
            let count = paths.len();
            for path in paths {
                let units = if is_far { PER_FILE } else { path.metadata().map_or(0, |facts| facts.len()) };
                bar.begins.insert(path, bar.total);
                bar.total += units;
            }
            bar.progress = if is_far { Progress::of_files(count) } else { Progress::new(Some(bar.total)) };
        }
        bar
    }

    /// Draws the bar. The caller calls it for each record, or each block of records.
    #[inline]
    pub fn show(&mut self, cursor: &Cursor) {
        self.calls = self.calls.wrapping_add(1);
        if self.total > 0 && self.calls % 64 == 1 {
            self.draw(cursor);
        }
    }

    /// Draws the bar at once, for callers that take many blocks at a time.
    pub fn show_now(&mut self, cursor: &Cursor) {
        if self.total > 0 {
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

    /// Hides the bar while lines are printed to the same terminal.
    pub fn hide_while(&self, print: impl FnOnce()) {
        self.progress.hide_while(print);
    }
}

/// Units of a file whose length is not asked for.
const PER_FILE: u64 = 1000;
