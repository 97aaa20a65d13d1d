//! Blocks put together to larger ones, and compressed on one thread or on several.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::blocks::{Blocks, Mark};
use super::compare::Split;
use super::progress::Told;
use crate::error::{Error, Result};
use crate::format::codec::{Codec, Compressor};
use crate::format::draft::{Buffers, Draft, NewEntry};
use crate::format::metadata;
use crate::io::thread;
use crate::record::{event, Metadata, NamedType};
use crate::segment::{Appender, Block};

/// An INDEX block is written after so many bytes, as a writer does by default.
const INDEX_BYTES: u64 = 64 << 20;

/// How blocks are written.
pub(super) struct Form<'a> {
    pub codec: Codec,
    pub level: i32,
    pub dictionary: &'a [u8],
    /// Payload and entries at which a block ends.
    pub block_bytes: usize,
    pub threads: usize,
    /// How many bytes the source has.
    pub bytes: u64,
}

/// A block to be: whole blocks of the source, one after the other.
pub(super) struct Group {
    buffers: Buffers,
    draft: Draft,
    pub payload: Vec<u8>,
    /// The payload as it is stored; empty = as it is, or not yet known.
    shorter: Vec<u8>,
    names: Vec<NamedType>,
    /// Where it ends in the source.
    end: Option<Mark>,
}

impl Group {
    /// An empty one, in the memory of another that is no longer needed: what is touched for the first time costs as much as a
    /// tenth of the compressing.
    fn begin(first_id: u64, used: Option<Box<Group>>) -> Box<Self> {
        if let Some(mut group) = used {
            group.payload.clear();
            group.shorter.clear();
            group.names.clear();
            group.buffers.clear(group.draft.entries_len());
            group.draft = Draft::new(first_id, &mut group.buffers, 0);
            group.end = None;
            return group;
        }
        let mut buffers = Buffers::default();
        let draft = Draft::new(first_id, &mut buffers, 0);
        Box::new(Group { buffers, draft, payload: vec![], shorter: vec![], names: vec![], end: None })
    }

    fn len(&self) -> usize {
        self.payload.len() + self.draft.entries_len()
    }

    fn next_id(&self) -> u64 {
        self.draft.last_id() + 1
    }
}

/// Shows the blocks of a segment put together until they hold `target` bytes. None is ever split, as a batch must not be;
/// one that is larger stays alone. `each` gives one back that is no longer needed, if it has any.
pub(super) fn each_group(
    blocks: &mut Blocks,
    target: usize,
    mut each: impl FnMut(Box<Group>) -> Result<Option<Box<Group>>>,
) -> Result<()> {
    let mut group: Option<Box<Group>> = None;
    let mut used = None;
    while let Some(header) = blocks.next()? {
        let len = header.payload_len as usize + header.entries_len as usize;
        // Ids within a block have no gaps.
        let full = |group: &mut Box<Group>| len > target || group.next_id() != header.first_id;
        if let Some(mut full) = group.take_if(full) {
            full.buffers.settle();
            used = each(full)?.or(used);
        }
        let into = group.get_or_insert_with(|| Group::begin(header.first_id, used.take()));
        into.payload.extend_from_slice(blocks.contents().1);
        let Group { buffers, draft, names, .. } = &mut **into;
        let mut failed = None;
        blocks.each(&header, |entry, _| {
            if entry.type_id == event::TYPE {
                names.extend(NamedType::from_event(Metadata::from_bytes(entry.metadata)));
            }
            let pairs = if entry.metadata.is_empty() { Ok(0) } else { metadata::check(entry.metadata) };
            let pairs = pairs.map_err(|reason| failed = Some(reason)).unwrap_or(0);
            let new = NewEntry {
                type_id: entry.type_id,
                time: entry.time,
                metadata: (pairs, entry.metadata),
                payload_len: entry.payload_len as usize,
            };
            draft.push(&new, buffers);
        })?;
        if let Some(reason) = failed {
            return Err(Error::corrupt(reason));
        }
        into.end = Some(blocks.mark());
        if let Some(mut full) = group.take_if(|group| group.len() >= target) {
            full.buffers.settle();
            used = each(full)?.or(used);
        }
    }
    match group {
        Some(mut last) if !last.draft.is_empty() => {
            last.buffers.settle();
            each(last).map(drop)
        }
        _ => Ok(()),
    }
}

/// Writes all of `blocks` to a new segment in this form, and closes it. Not yet durable. Returns where both can be split so
/// that each thread compares about as much.
pub(super) fn regroup(
    blocks: &mut Blocks,
    appender: Appender,
    form: &Form<'_>,
    told: &mut Told<'_>,
) -> Result<Vec<Split>> {
    let mut output = Output::new(appender, form)?;
    each_group(blocks, form.block_bytes, |group| {
        let at = group.end.map_or(0, |mark| mark.offset);
        output.put(group)?;
        told.written(at)?;
        Ok(output.used.pop_front())
    })?;
    output.finish()
}

/// A group on its way to the file.
enum Passing {
    /// Some helper has it.
    Away,
    /// Compressed.
    Ready(Box<Group>),
}

struct Output {
    appender: Appender,
    compressor: Compressor,
    names: Vec<NamedType>,
    helpers: Option<Helpers>,
    /// The oldest first.
    passing: VecDeque<Passing>,
    /// Number of the oldest.
    first: u64,
    most: usize,
    /// Groups that were written.
    used: VecDeque<Box<Group>>,
    splits: Vec<Split>,
    /// Bytes of the source between two splits, and how many splits there are to be.
    split_each: (u64, usize),
}

impl Output {
    fn new(appender: Appender, form: &Form<'_>) -> Result<Self> {
        let helpers = match form.threads {
            0 | 1 => None,
            more => Some(Helpers::start(more - 1, form)?),
        };
        let (compressor, most) = (compressor(form)?, 2 * form.threads);
        let threads = form.threads.max(1);
        Ok(Output {
            appender,
            compressor,
            names: vec![],
            helpers,
            passing: VecDeque::new(),
            first: 0,
            most,
            used: VecDeque::new(),
            splits: vec![],
            split_each: (form.bytes / threads as u64, threads - 1),
        })
    }

    fn put(&mut self, group: Box<Group>) -> Result<()> {
        if self.helpers.is_none() {
            return self.append(group, false);
        }
        let number = self.first + self.passing.len() as u64;
        let refused = self.helpers.as_ref().and_then(|helpers| helpers.offer(number, group).err());
        self.passing.push_back(match refused {
            None => Passing::Away,
            // They have enough to do.
            Some(mut group) => {
                self.compressor.compress(&group.payload, &mut group.shorter);
                Passing::Ready(group)
            }
        });
        self.settle(self.most)
    }

    /// Writes what is ready, and waits until no more than `most` groups are on their way.
    fn settle(&mut self, most: usize) -> Result<()> {
        loop {
            while let Some(done) = self.helpers.as_ref().and_then(|helpers| helpers.done.try_recv().ok()) {
                self.take_back(done);
            }
            while let Some(Passing::Ready(..)) = self.passing.front() {
                self.first += 1;
                if let Some(Passing::Ready(group)) = self.passing.pop_front() {
                    self.append(group, true)?;
                }
            }
            if self.passing.len() <= most {
                return Ok(());
            }
            let ended = || Error::new(crate::Kind::Io, "a thread that compresses has ended before its time");
            let done = self.helpers.as_ref().and_then(|helpers| helpers.done.recv().ok()).ok_or_else(ended)?;
            self.take_back(done);
        }
    }

    fn take_back(&mut self, (number, group): Numbered) {
        if let Some(passing) = self.passing.get_mut((number - self.first) as usize) {
            *passing = Passing::Ready(group);
        }
    }

    fn append(&mut self, group: Box<Group>, is_compressed: bool) -> Result<()> {
        if self.appender.index_is_due(INDEX_BYTES) {
            self.appender.write_index(&self.names)?;
        }
        let compressed = is_compressed.then_some(&*group.shorter);
        let block = Block { draft: &group.draft, buffers: &group.buffers, parts: &[&group.payload], compressed };
        self.appender.append(&[block], &mut self.compressor).map_err(|(_, error)| error)?;
        self.names.extend(group.names.iter().cloned());
        let (each, most) = self.split_each;
        if let Some(source) = group.end.filter(|end| end.offset >= each * (self.splits.len() as u64 + 1)) {
            if self.splits.len() < most {
                let made = Mark { offset: self.appender.end(), ..source };
                self.splits.push(Split { source, made });
            }
        }
        self.used.push_back(group);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Split>> {
        self.settle(0)?;
        self.appender.close(&self.names)?;
        Ok(self.splits)
    }
}

fn compressor(form: &Form<'_>) -> Result<Compressor> {
    let made = Compressor::with_dictionary(form.codec, form.level, form.dictionary);
    made.map_err(|e| Error::io(&e, "set up the compressor"))
}

type Numbered = (u64, Box<Group>);

/// Threads that compress what they are given.
struct Helpers {
    jobs: Option<SyncSender<Numbered>>,
    done: Receiver<Numbered>,
    threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    fn start(count: usize, form: &Form<'_>) -> Result<Self> {
        // One for each is waiting when it has done another.
        let (jobs, waiting) = mpsc::sync_channel::<Numbered>(count);
        let (tell, done) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut helpers = Helpers { jobs: Some(jobs), done, threads: vec![] };
        for _ in 0..count {
            let (waiting, tell, mut compressor) = (waiting.clone(), tell.clone(), compressor(form)?);
            let body = move || loop {
                let job = waiting.lock().recv();
                let Ok((number, mut group)) = job else { return };
                compressor.compress(&group.payload, &mut group.shorter);
                if tell.send((number, group)).is_err() {
                    return;
                }
            };
            let thread = thread::spawn("binlog-compress", body).map_err(|e| Error::io(&e, "start a thread"))?;
            helpers.threads.push(thread);
        }
        Ok(helpers)
    }

    /// Gives the group to one that is free; hands it back when none is.
    fn offer(&self, number: u64, group: Box<Group>) -> std::result::Result<(), Box<Group>> {
        let Some(jobs) = &self.jobs else { return Err(group) };
        jobs.try_send((number, group)).map_err(|refused| match refused {
            TrySendError::Full((_, group)) | TrySendError::Disconnected((_, group)) => group,
        })
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // One that has panicked has told nothing that could be told on.
            let _ = thread.join();
        }
    }
}
