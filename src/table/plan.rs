//! Divides a log into splits, from the headers and the index of its segments alone.

use std::sync::Arc;

use super::split::{check_place, Split};
use super::token::{absolute, log_in_token, Files, Form, Token, MOST_SEGMENTS};
use crate::error::{Error, Result};
use crate::log::{Limit, Slot};
use crate::options::Filter;
use crate::reader::{Chunk, Piece, Reader, Stretch};

/// Bytes of a split by default.
const TARGET: u64 = 64 << 20;
/// Chunks of a split: its length is this near to what was asked for.
const GRAINS: u64 = 8;
/// A token contains the names of so many files; with more, they are listed when the split is opened.
const NAMED: usize = 4;

/// How a log is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Bytes of the blocks in a split, as they are stored. A split is shorter where a log ends or blocks between the
    /// wanted ones are not wanted, and longer where a segment cannot be cut. 0 = the default, 64 MiB.
    pub target_bytes: u64,
    /// No more splits than this, as far as possible: each log has at least one, and two where something is wrong in it.
    /// 0 = no limit.
    pub most: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions { target_bytes: TARGET, most: 0 }
    }
}

/// A log, or logs, divided into splits at one moment.
#[derive(Clone, Debug)]
pub struct Plan {
    splits: Vec<Split>,
}

impl Plan {
    /// The splits, in the order of writing.
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }
}

impl Reader {
    /// Divides what the filter selects into splits, which can be read independently of each other, also by other
    /// processes. Every record that the filter selects, of those that are in the log at the time of the call, is in
    /// exactly one split, and so is every event. Records that are appended later are in none.
    ///
    /// Segments and blocks that contain nothing wanted are left out, by their headers and their index; no payload is
    /// read. A reader in the mode [`crate::ReaderMode::Strict`] or [`crate::ReaderMode::Salvage`] leaves out nothing
    /// within the filter's ids, because a reader that has to check every byte does not rely on the index.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for a filter with [`Filter::last`] or [`Filter::newest_first`], which have no parts, and
    /// for a URL with a secret in it; and errors of opening segments. Damage in a log is no error here: readers
    /// of the split that contains its place report it.
    pub fn plan(&self, filter: &Filter, options: &PlanOptions) -> Result<Plan> {
        if filter.last.is_some() || filter.newest_first {
            let reason =
                "the last records, and the newest first, are no parts of a log: plan without them, and use them \
                          when a split is read";
            return Err(Error::invalid(reason));
        }
        check_place(self.place())?;
        let mut target = if options.target_bytes == 0 { TARGET } else { options.target_bytes };
        let mut pieces = vec![];
        self.pieces(filter, (target / GRAINS).max(1), &mut |piece| pieces.push(piece))?;
        let mut splits = cut(&pieces, target, filter);
        let bytes: u64 = splits.iter().map(|split| split.bytes).sum();
        while options.most > 0 && splits.len() > options.most && target < u64::MAX / 4 {
            target = (target * 2).max(bytes / options.most as u64);
            splits = cut(&pieces, target, filter);
        }
        let splits = splits.into_iter().map(|split| split.finish(self)).collect::<Result<_>>()?;
        Ok(Plan { splits })
    }
}

/// A split that is being put together.
struct Draft {
    slot: Arc<Slot>,
    limit: Limit,
    first_sequence: u64,
    /// Number of the last segment whose file is needed.
    last_needed: u64,
    /// Files of the segments in it, in order, and whether they have to be listed.
    files: Vec<(u64, String)>,
    is_listed: bool,
    records: u64,
    bytes: u64,
    /// Bytes of segments in it that hold nothing wanted.
    skipped: u64,
    times: (i64, i64),
}

impl Draft {
    fn new(stretch: &Stretch, first_id: u64) -> Self {
        let mut draft = Draft {
            slot: stretch.slot.clone(),
            limit: Limit { first_id, last_id: 0, to_the_end: false, last_sequence: stretch.slot.sequence },
            first_sequence: stretch.slot.sequence,
            last_needed: stretch.slot.sequence,
            files: vec![],
            is_listed: false,
            records: 0,
            bytes: 0,
            skipped: 0,
            times: (i64::MAX, i64::MIN),
        };
        draft.need(stretch);
        draft
    }

    /// The segment is opened with the split.
    fn need(&mut self, stretch: &Stretch) {
        let slot = &stretch.slot;
        self.last_needed = slot.sequence;
        self.is_listed |= stretch.must_be_listed;
        if self.files.last().is_none_or(|(sequence, _)| *sequence != slot.sequence) {
            self.files.push((slot.sequence, slot.name.clone()));
        }
    }

    fn add(&mut self, chunk: &Chunk) {
        self.records += chunk.records;
        self.bytes += chunk.bytes;
        self.times = (self.times.0.min(chunk.times.0), self.times.1.max(chunk.times.1));
    }

    /// Ends before the record `next_id`.
    fn end_before(&mut self, next_id: u64, to_the_end: bool) {
        self.limit.last_id = next_id.max(self.limit.first_id) - 1;
        self.limit.to_the_end = to_the_end;
    }

    fn files(&self) -> Files {
        let (log, files) = (&self.slot.log.name, &self.files);
        let are_all = files.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0);
        let are_many = files.len() as u64 > MOST_SEGMENTS;
        if self.is_listed || !are_all || are_many {
            return Files::Listed;
        }
        let form = files.first().and_then(|(number, file)| Form::of(log, *number, file));
        match form.filter(|form| files.iter().all(|(number, file)| form.file(log, *number) == *file)) {
            Some(form) if log_in_token(log).is_some() => Files::ByNumber(form),
            _ if files.len() <= NAMED => Files::Named(files.iter().map(|(_, file)| file.clone()).collect()),
            _ => Files::Listed,
        }
    }

    fn finish(self, reader: &Reader) -> Result<Split> {
        let files = self.files();
        let place = absolute(&reader.place_of_split(&self.slot, matches!(files, Files::Listed)))?;
        let token = Token {
            log_id: <[u8; 16]>::try_from(&self.slot.log.id[..])
                .map_err(|_| Error::corrupt("the id of the log does not have 16 bytes").at(&self.slot.path()))?,
            log: log_in_token(&self.slot.log.name).filter(|_| !matches!(files, Files::Named(_))),
            limit: self.limit,
            sequences: self.first_sequence..=self.last_needed,
            files,
            place,
        };
        let times = if self.times.0 > self.times.1 { (i64::MIN, i64::MAX) } else { self.times };
        Ok(Split {
            token: token.encode(),
            location: token.place.to_string_lossy().into_owned(),
            first_id: token.limit.first_id,
            last_id: token.limit.last_id,
            records: self.records,
            bytes: self.bytes,
            first_time: times.0,
            last_time: times.1,
        })
    }
}

/// Cuts the pieces of logs into splits of about `target` bytes.
fn cut(pieces: &[Piece], target: u64, filter: &Filter) -> Vec<Draft> {
    let from_id = filter.from_id.unwrap_or(1).max(1);
    let mut cutter = Cutter { target, from_id, done: vec![], open: None, last: None, broken: None };
    for piece in pieces {
        match piece {
            Piece::Broken(log, sequence) => cutter.break_off(log, *sequence),
            Piece::Stretch(stretch) => cutter.take(stretch),
        }
    }
    cutter.finish()
}

struct Cutter<'a> {
    target: u64,
    /// The smallest id that is wanted.
    from_id: u64,
    done: Vec<Draft>,
    /// The split that the next chunk may be added to.
    open: Option<Draft>,
    /// The last stretch.
    last: Option<&'a Stretch>,
    /// The log, and the numbers of the first and the last file since then that cannot be read.
    broken: Option<(&'a str, (u64, u64))>,
}

impl<'a> Cutter<'a> {
    fn break_off(&mut self, log: &'a str, sequence: u64) {
        let before = self.broken.filter(|(other, _)| *other == log);
        let (first, last) = before.map_or((sequence, sequence), |(_, numbers)| numbers);
        self.broken = Some((log, (first.min(sequence), last.max(sequence))));
    }

    /// The numbers of files of this log that cannot be read.
    fn take_broken(&mut self, log: &str) -> Option<(u64, u64)> {
        self.broken.take_if(|(broken, _)| *broken == log).map(|(_, numbers)| numbers)
    }

    fn take(&mut self, stretch: &'a Stretch) {
        let is_of_log = self.last.is_some_and(|last| last.slot.log.id == stretch.slot.log.id);
        if !is_of_log {
            self.end_of_log();
        } else if stretch.is_rescued {
            self.extend(stretch);
            return;
        } else if !stretch.follows {
            self.join(stretch);
        }
        if let Some((first, _)) = self.take_broken(&stretch.slot.log.name) {
            self.before_all(stretch, first);
        }
        if stretch.chunks.is_empty() {
            self.skip(stretch);
        } else {
            self.add(stretch);
        }
        self.last = Some(stretch);
    }

    /// A segment that holds nothing wanted.
    fn skip(&mut self, stretch: &Stretch) {
        let is_next = self.last.is_some_and(|last| last.slot.sequence + 1 == stretch.slot.sequence);
        match &mut self.open {
            // It may lie within a split, if it is read past quickly.
            Some(open) if is_next && open.skipped.saturating_add(stretch.bytes) <= self.target => {
                open.skipped += stretch.bytes;
                open.files.push((stretch.slot.sequence, stretch.slot.name.clone()));
            }
            _ => self.close(),
        }
    }

    fn add(&mut self, stretch: &Stretch) {
        let is_next = self.last.is_some_and(|last| last.slot.sequence + 1 == stretch.slot.sequence);
        let is_near = |open: &Draft| is_next && open.slot.is_in(stretch.slot.directory());
        let first = &stretch.chunks[0];
        let takes = |open: &Draft| open.bytes == 0 || open.bytes + first.bytes / 2 <= self.target;
        if !self.open.as_ref().is_some_and(|open| is_near(open) && takes(open)) {
            self.close();
        }
        let mut open = self.open.take().unwrap_or_else(|| Draft::new(stretch, stretch.first_id));
        open.need(stretch);
        open.limit.last_sequence = stretch.slot.sequence;
        for (at, chunk) in stretch.chunks.iter().enumerate() {
            let is_full = open.bytes > 0 && open.bytes + chunk.bytes / 2 > self.target;
            // Events before the first record of the segment have the id of those at the end of the one before.
            if at > 0 && is_full && chunk.first_id > open.limit.first_id.max(stretch.begins) {
                open.end_before(chunk.first_id, false);
                self.done.push(std::mem::replace(&mut open, Draft::new(stretch, chunk.first_id)));
            }
            open.add(chunk);
        }
        open.end_before(stretch.next_id, stretch.to_the_end);
        self.open = Some(open);
    }

    fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            // Segments after the last wanted one are not opened.
            let last = open.limit.last_sequence;
            open.files.retain(|(sequence, _)| *sequence <= open.last_needed.max(last));
            self.done.push(open);
        }
    }

    /// Something may be wrong between the last stretch and this one: a split reads up to this one, and reports it.
    fn join(&mut self, stretch: &Stretch) {
        let Some(last) = self.last else { return };
        let broken = self.take_broken(&last.slot.log.name);
        let is_open = self.open.as_ref().is_some_and(|open| open.limit.last_sequence == last.slot.sequence);
        if !is_open {
            self.close();
        }
        let mut open = self.open.take().unwrap_or_else(|| Draft::new(last, last.next_id.max(1)));
        open.end_before(stretch.begins.max(last.next_id), true);
        open.limit.last_sequence = broken.map_or(last.slot.sequence, |(_, last)| last);
        open.need(stretch);
        open.is_listed |= broken.is_some();
        self.done.push(open);
    }

    /// Adds a segment whose beginning is lost to the split of the one before it.
    fn extend(&mut self, stretch: &'a Stretch) {
        let Some(last) = self.last.replace(stretch) else { return };
        let is_open = self.open.as_ref().is_some_and(|open| open.limit.last_sequence == last.slot.sequence);
        if !is_open {
            self.close();
        }
        let mut open = self.open.take().unwrap_or_else(|| Draft::new(last, last.next_id.max(1)));
        open.need(stretch);
        open.limit.last_sequence = stretch.slot.sequence;
        stretch.chunks.iter().for_each(|chunk| open.add(chunk));
        open.end_before(stretch.next_id.max(last.next_id), true);
        self.open = Some(open);
    }

    /// Files before the first segment that can be read cannot be read themselves.
    fn before_all(&mut self, stretch: &Stretch, first: u64) {
        if stretch.begins <= self.from_id && stretch.begins > 1 {
            return;
        }
        let mut draft = Draft::new(stretch, self.from_id.min(stretch.begins).max(1));
        draft.end_before(stretch.begins, true);
        (draft.first_sequence, draft.is_listed) = (first.min(stretch.slot.sequence), true);
        draft.limit.last_sequence = stretch.slot.sequence.saturating_sub(1).max(draft.first_sequence);
        self.done.push(draft);
    }

    /// Nothing of the log follows; but there may be a file that cannot be read.
    fn end_of_log(&mut self) {
        let broken = self.last.and_then(|last| self.take_broken(&last.slot.log.name));
        if let (Some((_, number)), Some(last)) = (broken, self.last) {
            let mut open = self.open.take().unwrap_or_else(|| Draft::new(last, last.next_id.max(1)));
            open.end_before(last.next_id, true);
            open.limit.last_sequence = last.slot.sequence;
            (open.last_needed, open.is_listed) = (number.max(last.slot.sequence), true);
            self.done.push(open);
        }
        self.close();
        self.last = None;
    }

    fn finish(mut self) -> Vec<Draft> {
        self.end_of_log();
        self.done
    }
}
