//! The records of a loaded block, one after the other.

use super::filter::Selection;
use crate::format::block::BlockHeader;
use crate::format::entries::{Entry, Progress};
use crate::format::Malformed;
use crate::memory;
use crate::record::{is_event, Hit, Metadata, Record};
use crate::segment::Bad;

/// How far a block is read.
#[derive(Clone)]
pub(super) struct Walk {
    progress: Progress,
    next_id: u64,
    end_id: u64,
    payload_at: usize,
    payload_len: usize,
    /// Every record is wanted and none is an event.
    all: bool,
}

impl Walk {
    pub fn new(header: &BlockHeader, selection: &Selection) -> Self {
        Walk {
            progress: Progress::new(header.min_time),
            next_id: header.first_id,
            end_id: header.next_id(),
            payload_at: 0,
            payload_len: header.payload_len as usize,
            all: selection.wants_all(header),
        }
    }

    /// The next wanted record of the block with these entries. `payload` is empty when only headers are read.
    #[inline(always)]
    pub fn next<'a>(
        &mut self,
        selection: &Selection,
        entries: &'a [u8],
        payload: &'a [u8],
    ) -> Result<Option<Record<'a>>, Malformed> {
        loop {
            let Some(entry) = self.progress.next(entries)? else {
                return match self.next_id == self.end_id && self.payload_at == self.payload_len {
                    true => Ok(None),
                    false => Err(Malformed::miscounted()),
                };
            };
            let id = self.next_id;
            let from = self.payload_at;
            let len = entry.payload_len as usize;
            if len > self.payload_len - from {
                return Err(Malformed::miscounted());
            }
            self.payload_at += len;
            if !is_event(entry.type_id) {
                if id == self.end_id {
                    return Err(Malformed::miscounted());
                }
                self.next_id += 1;
            }
            if self.all || selection.wants(id, &entry) {
                return Ok(Some(Record {
                    id,
                    time: entry.time,
                    type_id: entry.type_id,
                    metadata: Metadata::from_bytes(entry.metadata),
                    payload: payload.get(from..from + len).unwrap_or(&[]),
                    payload_len: entry.payload_len,
                }));
            }
        }
    }

    /// Shows the wanted records for as long as `each` takes them; returns how many it took, and whether the block has
    /// come to its end. A record that was not taken is shown again.
    #[inline]
    pub fn for_each<'a>(
        &mut self,
        selection: &Selection,
        entries: &'a [u8],
        payload: &'a [u8],
        mut each: impl FnMut(&Record<'a>) -> bool,
    ) -> (usize, Result<bool, Malformed>) {
        let count = if self.all { self.for_each_short(entries, payload, &mut each) } else { 0 };
        let (others, ended) = self.for_each_long(selection, entries, payload, &mut each);
        (count + others, ended)
    }

    /// The slow half of [`Self::for_each`]. It calls `each` through a reference, which leaves the compiler to inline
    /// the fast half.
    #[inline(never)]
    fn for_each_long<'a>(
        &mut self,
        selection: &Selection,
        entries: &'a [u8],
        payload: &'a [u8],
        each: &mut dyn FnMut(&Record<'a>) -> bool,
    ) -> (usize, Result<bool, Malformed>) {
        let mut count = 0;
        let mut walk = self.clone();
        let ended = loop {
            match walk.next(selection, entries, payload) {
                Ok(Some(record)) if each(&record) => count += 1,
                Ok(Some(_)) => break Ok(false),
                Ok(None) => {
                    *self = walk;
                    return (count, Ok(true));
                }
                Err(reason) => break Err(reason),
            }
            self.clone_from(&walk);
        };
        (count, ended)
    }

    /// The fast half of [`Self::for_each`], for blocks of which every record is wanted. It continues for as long as
    /// entries have the short form and `each` takes the records, and leaves everything else to the slow half.
    #[inline(always)]
    fn for_each_short<'a>(
        &mut self,
        entries: &'a [u8],
        payload: &'a [u8],
        each: &mut impl FnMut(&Record<'a>) -> bool,
    ) -> usize {
        let (mut progress, mut id, mut from) = (self.progress, self.next_id, self.payload_at);
        while let Some((entry, behind)) = progress.short(entries) {
            let len = entry.payload_len as usize;
            if len > self.payload_len - from || id == self.end_id {
                break;
            }
            let record = Record {
                id,
                time: entry.time,
                type_id: entry.type_id,
                metadata: Metadata::default(),
                payload: payload.get(from..from + len).unwrap_or(&[]),
                payload_len: entry.payload_len,
            };
            if is_event(entry.type_id) || !each(&record) {
                break;
            }
            (progress, id, from) = (behind, id + 1, from + len);
        }
        let count = (id - self.next_id) as usize;
        (self.progress, self.next_id, self.payload_at) = (progress, id, from);
        count
    }

    /// The next record, if it is one that [`Self::for_each_short`] would show: the fast path of a cursor that is asked
    /// for one record at a time. `None` leaves everything to [`Self::next_hit`].
    #[inline(always)]
    pub fn next_short(&mut self, entries: &[u8]) -> Option<Hit> {
        let (entry, behind) = self.progress.short(entries)?;
        let (id, from, len) = (self.next_id, self.payload_at, entry.payload_len as usize);
        if !self.all || len > self.payload_len - from || id == self.end_id || is_event(entry.type_id) {
            return None;
        }
        (self.progress, self.next_id, self.payload_at) = (behind, id + 1, from + len);
        let Entry { time, type_id, payload_len, .. } = entry;
        Some(Hit { id, time, type_id, metadata: 0..0, payload_at: from, payload_len })
    }

    /// Adds the next wanted records to `rows`, which has room for `most`, until there are as many. A record with which
    /// something is wrong is met again by the next call.
    pub fn list(
        &mut self,
        selection: &Selection,
        entries: &[u8],
        rows: &mut Vec<Hit>,
        most: usize,
    ) -> Result<(), Malformed> {
        loop {
            if self.all {
                self.list_short(entries, rows, most);
            }
            if rows.len() >= most {
                return Ok(());
            }
            let mut walk = self.clone();
            let Some(hit) = walk.find(selection, entries)? else { return Ok(()) };
            rows.push(hit);
            *self = walk;
        }
    }

    /// The fast half of [`Self::list`], as [`Self::for_each_short`] is of [`Self::for_each`]. It continues for as long as
    /// entries have the usual forms, with metadata or without.
    fn list_short(&mut self, entries: &[u8], rows: &mut Vec<Hit>, most: usize) {
        let (mut progress, mut id, mut from) = (self.progress, self.next_id, self.payload_at);
        while rows.len() < most {
            let Some((entry, has_metadata, mut behind)) = progress.head(entries) else { break };
            let Entry { time, type_id, payload_len, .. } = entry;
            let len = payload_len as usize;
            if len > self.payload_len - from || id == self.end_id || is_event(type_id) {
                break;
            }
            let metadata = match has_metadata {
                false => 0..0,
                true => match behind.metadata(entries) {
                    Ok(pairs) => pairs,
                    Err(_) => break,
                },
            };
            rows.push(Hit { id, time, type_id, metadata, payload_at: from, payload_len });
            (progress, id, from) = (behind, id + 1, from + len);
        }
        (self.progress, self.next_id, self.payload_at) = (progress, id, from);
    }

    /// Checks all entries that are left, and returns what is wrong with them.
    pub fn check(&self, selection: &Selection, entries: &[u8]) -> Result<(), Malformed> {
        let mut walk = self.clone();
        loop {
            walk.pass_short(entries, |_, _| false);
            if walk.next(selection, entries, &[])?.is_none() {
                return Ok(());
            }
        }
    }

    /// Every record that is left; `None` when there are more than `most`.
    pub fn rest(&self, selection: &Selection, entries: &[u8], most: usize) -> Result<Option<Vec<Hit>>, Bad> {
        let (mut walk, mut hits) = (self.clone(), vec![]);
        while let Some(hit) = walk.find(selection, entries)? {
            if hits.len() == most {
                return Ok(None);
            }
            memory::push(&mut hits, hit)?;
        }
        Ok(Some(hits))
    }

    /// The first record that is left, and whether there is another; all entries are checked.
    pub fn first(&self, selection: &Selection, entries: &[u8]) -> Result<(Option<Hit>, bool), Malformed> {
        let mut walk = self.clone();
        let first = walk.find(selection, entries)?;
        let is_followed = first.is_some() && walk.find(selection, entries)?.is_some();
        walk.check(selection, entries)?;
        Ok((first, is_followed))
    }

    /// As [`Self::next_hit`], for a caller that expects to pass many records which are not wanted.
    fn find(&mut self, selection: &Selection, entries: &[u8]) -> Result<Option<Hit>, Malformed> {
        if !self.all {
            self.pass_short(entries, |id, entry| selection.wants(id, entry));
        }
        self.next_hit(selection, entries)
    }

    /// Passes records up to the first that is wanted, an event, or anything else that [`Self::for_each_short`] would
    /// not show.
    #[inline(always)]
    fn pass_short(&mut self, entries: &[u8], wants: impl Fn(u64, &Entry<'_>) -> bool) {
        let (mut progress, mut id, mut from) = (self.progress, self.next_id, self.payload_at);
        while let Some((entry, behind)) = progress.short(entries) {
            let len = entry.payload_len as usize;
            if len > self.payload_len - from || id == self.end_id || is_event(entry.type_id) || wants(id, &entry) {
                break;
            }
            (progress, id, from) = (behind, id + 1, from + len);
        }
        (self.progress, self.next_id, self.payload_at) = (progress, id, from);
    }

    /// As [`Self::next`], but returns places instead of views.
    pub fn next_hit(&mut self, selection: &Selection, entries: &[u8]) -> Result<Option<Hit>, Malformed> {
        let Some(record) = self.next(selection, entries, &[])? else { return Ok(None) };
        let metadata = record.metadata.as_bytes();
        let metadata = match metadata {
            [] => 0..0,
            pairs => {
                let from = pairs.as_ptr() as usize - entries.as_ptr() as usize;
                from..from + pairs.len()
            }
        };
        Ok(Some(Hit {
            id: record.id,
            time: record.time,
            type_id: record.type_id,
            metadata,
            payload_at: self.payload_at - record.payload_len as usize,
            payload_len: record.payload_len,
        }))
    }
}
