//! One object, read as a file: what is known of it, what was fetched of it, and what is fetched next.
//!
//! Its beginning and its end are fetched by one request each and kept: they contain a segment's header and its index.
//! Ranges that a reader announces are fetched many at a time; other reads fetch a little more than requested, and an
//! increasing amount when they follow each other.

use std::collections::VecDeque;
use std::io::Result;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::cache::CachedObject;
use super::patience::{io_error, patiently};
use super::pieces::{copy, Pieces};
use super::plan::{joined, parted, Plan};
use super::Shared;
use crate::error::{Error, Kind};
use crate::io::{File, Identity};
use crate::store::{Failure, Stat};

/// Bytes fetched of the beginning: a header is rarely longer.
pub(super) const HEAD: u64 = 16 << 10;
/// Bytes fetched of the end: trailer and index of most segments.
pub(super) const END: u64 = 256 << 10;
/// A read this near to the end is fetched up to the end: the index is longer than most.
const NEAR_END: u64 = 2 << 20;
/// Least and most bytes fetched by a read that was not announced: most parts of an index are within the first.
const READ: (u64, u64) = (32 << 10, 8 << 20);
/// Memory for announced ranges, and for others such as the index.
const ANNOUNCED: u64 = 24 << 20;
const OTHERS: u64 = 8 << 20;
/// Cursors whose announcements are remembered at the same time.
const PLANS: usize = 8;

/// An object, and what was fetched of it.
pub(super) struct Object {
    name: String,
    pub path: PathBuf,
    pub bytes: u64,
    pub modified_ns: i64,
    /// Its version, once it is known.
    tag: OnceLock<String>,
    cached: Option<CachedObject>,
    state: Mutex<State>,
    /// Open files.
    handles: AtomicUsize,
}

struct State {
    head: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    announced: Pieces,
    others: Pieces,
    plans: VecDeque<Plan>,
    /// Where the last read that was not announced ended, and how much the next one fetches if it begins there.
    last: (u64, u64),
}

/// What a read fetches.
enum Fetch {
    Head(Range<u64>),
    End(Range<u64>),
    Announced(Vec<Range<u64>>),
    Other(Range<u64>),
}

impl Object {
    pub fn new(shared: &Shared, name: &str, bytes: u64, modified_ns: i64) -> Self {
        let cached = shared.cache.as_ref().map(|cache| cache.object(&shared.key, name, bytes, modified_ns));
        let state = State {
            head: None,
            end: None,
            announced: Pieces::new(ANNOUNCED),
            others: Pieces::new(OTHERS),
            plans: VecDeque::new(),
            last: (u64::MAX, READ.0),
        };
        Object {
            name: name.to_owned(),
            path: shared.path_of(name),
            bytes,
            modified_ns,
            tag: OnceLock::new(),
            cached,
            state: Mutex::new(state),
            handles: AtomicUsize::new(0),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a list contains this object. A list and an answer about one object may contain the time with and without
    /// fractions of a second.
    pub fn is_as_listed(&self, bytes: u64, modified_ns: i64) -> bool {
        let second = |ns: i64| ns.div_euclid(1_000_000_000);
        self.bytes == bytes && second(self.modified_ns) == second(modified_ns)
    }

    /// An object from a store's answer, with its last bytes if the answer contained them.
    pub fn from_stat(shared: &Shared, name: &str, stat: Stat, end: Option<Vec<u8>>) -> Self {
        let object = Self::new(shared, name, stat.bytes, stat.modified_ns);
        let _ = object.tag.set(stat.version());
        if let Some(end) = end {
            object.keep(stat.bytes - end.len() as u64, &end);
            object.state.lock().end = Some(end);
        }
        object
    }

    /// The part of a read that is in memory; 0 when its first byte is not.
    fn copy(&self, state: &mut State, buffer: &mut [u8], offset: u64) -> usize {
        let head = state.head.as_ref().map_or(0, |head| copy(buffer, offset, 0, head));
        if head > 0 {
            return head;
        }
        let end = state.end.as_ref().map_or(0, |end| copy(buffer, offset, self.bytes - end.len() as u64, end));
        if end > 0 {
            return end;
        }
        match state.announced.copy(buffer, offset) {
            0 => state.others.copy(buffer, offset),
            n => n,
        }
    }

    fn end_from(&self) -> u64 {
        self.bytes.saturating_sub(END)
    }

    /// The ranges to fetch for a read of `len` bytes at `offset`, of which nothing is in memory.
    fn choose(&self, state: &mut State, offset: u64, len: u64) -> Fetch {
        if let Some(at) = state.plans.iter().position(|plan| plan.covers(offset)) {
            let plan = &mut state.plans[at];
            let taken = plan.take(offset).unwrap_or_default();
            let taken = taken.into_iter().map(|range| self.without_ends(state, range));
            let taken: Vec<_> = taken
                .filter(|range| {
                    let is_there = state.announced.has(range) || state.others.has(range);
                    range.contains(&offset) || !(is_there || self.cached.as_ref().is_some_and(|it| it.has(range)))
                })
                .collect();
            if taken.iter().any(|range| range.contains(&offset)) {
                return Fetch::Announced(joined(taken));
            }
        }
        // A small object is fetched as a whole.
        if offset < HEAD && state.head.is_none() && self.bytes > END {
            return Fetch::Head(0..HEAD);
        }
        if offset >= self.end_from() && state.end.is_none() {
            return Fetch::End(self.end_from()..self.bytes);
        }
        // A reader that continues once may be done; one that continues again reads all of it.
        let (window, next) = match state.last.0 == offset {
            true => (state.last.1, (state.last.1 * 2).min(READ.1)),
            false => (READ.0, READ.0),
        };
        let mut end = offset.saturating_add(window.max(len)).min(self.bytes);
        if state.end.is_some() && offset < self.end_from() {
            let is_near = self.end_from() - offset <= NEAR_END && state.last.0 == offset;
            end = if is_near { self.end_from() } else { end.min(self.end_from()) };
        }
        end = end.min(state.others.next_behind(offset).unwrap_or(u64::MAX));
        state.last = (end, next);
        Fetch::Other(offset..end)
    }

    /// The range without the parts of the beginning and the end that are in memory.
    fn without_ends(&self, state: &State, range: Range<u64>) -> Range<u64> {
        let head = state.head.as_ref().map_or(0, |head| head.len() as u64);
        let end = state.end.as_ref().map_or(self.bytes, |end| self.bytes - end.len() as u64);
        range.start.max(head.min(range.end))..range.end.min(end.max(range.start))
    }

    fn read_at(&self, shared: &Shared, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if buffer.is_empty() || offset >= self.bytes {
            return Ok(0);
        }
        let fetch = {
            let mut state = self.state.lock();
            let n = self.copy(&mut state, buffer, offset);
            if n > 0 {
                return Ok(n);
            }
            if let Some(n) = self.copy_cached(&mut state, buffer, offset)? {
                return Ok(n);
            }
            self.choose(&mut state, offset, buffer.len() as u64)
        };
        // Other readers of the object need not wait for this.
        let ranges = match &fetch {
            Fetch::Head(range) | Fetch::End(range) => vec![range.clone()],
            Fetch::Announced(ranges) => parted(ranges),
            Fetch::Other(range) => parted(std::slice::from_ref(range)),
        };
        let fetched = self.fetch(shared, &ranges)?;
        let mut state = self.state.lock();
        let mut n = 0;
        for (range, bytes) in ranges.into_iter().zip(fetched) {
            self.keep(range.start, &bytes);
            n = n.max(copy(buffer, offset, range.start, &bytes));
            match &fetch {
                Fetch::Head(_) => state.head = Some(bytes),
                Fetch::End(_) => state.end = Some(bytes),
                Fetch::Announced(_) => state.announced.put(range.start, bytes),
                Fetch::Other(_) => state.others.put(range.start, bytes),
            }
        }
        match n {
            0 => Err(std::io::Error::other(self.unexpected("the store sent other bytes than it was asked for"))),
            n => Ok(n),
        }
    }

    /// The part of a read that is in the cache, from an earlier process or an earlier read of this one.
    fn copy_cached(&self, state: &mut State, buffer: &mut [u8], offset: u64) -> Result<Option<usize>> {
        let Some(cached) = &self.cached else { return Ok(None) };
        while let Some(range) = cached.find(offset) {
            let Some((tag, bytes)) = cached.load(&range) else { continue };
            if range.end > self.bytes || *self.tag.get_or_init(|| tag.clone()) != tag {
                // They belong to an earlier object.
                cached.purge();
                return Ok(None);
            }
            let n = copy(buffer, offset, range.start, &bytes);
            if range == (self.end_from()..self.bytes) {
                state.end = Some(bytes);
            } else if range == (0..HEAD) {
                state.head = Some(bytes);
            } else {
                state.announced.put(range.start, bytes);
            }
            return Ok(Some(n).filter(|&n| n > 0));
        }
        Ok(None)
    }

    fn fetch(&self, shared: &Shared, ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>> {
        let fetched = patiently(shared.patience, || {
            let (tag, fetched) = shared.store.read_tagged(&self.name, ranges)?;
            let is_whole = |(range, bytes): (&Range<u64>, &Vec<u8>)| bytes.len() as u64 == range.end - range.start;
            match fetched.len() == ranges.len() && ranges.iter().zip(&fetched).all(is_whole) {
                true => Ok((tag, fetched)),
                false => Err(Failure {
                    error: self.unexpected("the store sent other bytes than it was asked for"),
                    again: crate::store::Again::Later(None),
                }),
            }
        });
        let (tag, fetched) = fetched.map_err(|failure| self.diagnose(shared, failure))?;
        if *self.tag.get_or_init(|| tag.clone()) != tag {
            return Err(self.changed(shared));
        }
        Ok(fetched)
    }

    /// A range outside the object is requested if the object was replaced by a shorter one.
    fn diagnose(&self, shared: &Shared, failure: Failure) -> std::io::Error {
        let may_have_changed = matches!(failure.again, crate::store::Again::WhenMended)
            && !matches!(failure.error.kind(), Kind::NotFound | Kind::Unsupported);
        if may_have_changed {
            if let Ok(Some(stat)) = shared.store.stat(&self.name) {
                if stat.bytes != self.bytes || self.tag.get().is_some_and(|tag| *tag != stat.version()) {
                    return self.changed(shared);
                }
            }
        }
        io_error(failure, &self.path)
    }

    fn changed(&self, shared: &Shared) -> std::io::Error {
        if let Some(cached) = &self.cached {
            cached.purge();
        }
        // The next open finds the new object.
        shared.forget(&self.name);
        std::io::Error::other(Error::corrupt("the object changed while it was read").at(&self.path))
    }

    fn unexpected(&self, reason: &str) -> Error {
        Error::new(Kind::Io, reason).at(&self.path)
    }

    fn keep(&self, at: u64, bytes: &[u8]) {
        if let (Some(cached), Some(tag)) = (&self.cached, self.tag.get()) {
            cached.put(tag, at, bytes);
        }
    }

    /// Forgets what was fetched, except its beginning and its end.
    fn forget(&self) {
        let mut state = self.state.lock();
        state.plans.clear();
        state.announced.clear();
        state.others.clear();
    }

    fn doubt(&self) {
        self.forget();
        let mut state = self.state.lock();
        (state.head, state.end) = (None, None);
        if let Some(cached) = &self.cached {
            cached.purge();
        }
    }

    fn announce(&self, ranges: &[Range<u64>]) {
        let Some(first) = ranges.first() else { return self.forget() };
        let mut state = self.state.lock();
        // Most often the reader whose last plan is done continues.
        let before = state.plans.iter().position(|plan| plan.covers(first.start) || plan.is_done());
        let plan = match before.and_then(|at| state.plans.remove(at)) {
            Some(before) => Plan::new(ranges).following(&before),
            None => Plan::new(ranges),
        };
        state.plans.push_front(plan);
        state.plans.truncate(PLANS);
    }
}

/// An object that is open.
pub(super) struct RemoteFile {
    shared: Arc<Shared>,
    object: Arc<Object>,
}

impl RemoteFile {
    pub fn new(shared: &Arc<Shared>, object: Arc<Object>) -> Self {
        object.handles.fetch_add(1, Ordering::Relaxed);
        RemoteFile { shared: shared.clone(), object }
    }

    /// Whether the object's version is known, and not only that one of this name was listed.
    pub fn has_version(&self) -> bool {
        self.object.tag.get().is_some()
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        if self.object.handles.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.object.forget();
        }
    }
}

impl File for RemoteFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.object.read_at(&self.shared, buffer, offset)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.object.bytes)
    }

    fn identity(&self) -> Result<Option<Identity>> {
        Ok(self.object.tag.get().map(|tag| identity(tag, self.object.bytes)))
    }

    fn is_far(&self) -> bool {
        true
    }

    fn will_need(&self, ranges: &[Range<u64>]) {
        self.object.announce(ranges);
    }

    fn doubt(&self) {
        self.object.doubt();
    }
}

/// The identity of an object: another one of the same name has another.
pub(super) fn identity(tag: &str, bytes: u64) -> Identity {
    let mut sum = Sha256::new();
    sum.update(bytes.to_le_bytes());
    sum.update(tag.as_bytes());
    let sum = sum.finalize();
    let word = |at: usize| sum[at..at + 8].iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    (word(0), word(8))
}
