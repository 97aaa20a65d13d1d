//! Writes the records of a segment in other blocks, which are compressed and compared on one thread or several.

use std::collections::VecDeque;
use std::sync::Arc;

use super::blocks::{Blocks, Mark};
use super::compare::ReadBack;
use super::crew::{Crew, Task, Tools};
use super::group::{each_group, Group};
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::format::codec::{Codec, Compressor};
use crate::memory;
use crate::record::NamedType;
use crate::segment::{Appender, Block, Segment};

/// An INDEX block is written after this many bytes, as a writer does by default.
const INDEX_BYTES: u64 = 64 << 20;

/// How blocks are written.
pub(super) struct Form<'a> {
    pub codec: Codec,
    pub level: i32,
    pub dictionary: &'a [u8],
    /// Payload and entries at which a block ends.
    pub block_bytes: usize,
    pub threads: usize,
}

/// Writes all of `blocks`, those of `source`, to the new segment `made` in this form, and closes it; it is not durable
/// yet. Each block is read back and compared as soon as it was written, while its source is still in memory. Returns
/// the mark after the last of them: the caller has to check what comes after it.
pub(super) fn regroup(
    blocks: &mut Blocks,
    source: &Arc<Segment>,
    made: &Arc<Segment>,
    form: &Form<'_>,
    progress: &mut Progress<'_>,
) -> Result<Mark> {
    let tools = || {
        let compressor = Compressor::with_dictionary(form.codec, form.level, form.dictionary);
        let compressor = compressor.map_err(|e| Error::io(&e, "set up the compressor"))?;
        Ok(Tools { compressor, read_back: ReadBack::new(source, made) })
    };
    let mut output = Output {
        crew: Crew::start(form.threads, tools)?,
        appender: Appender::new(made.clone(), 0),
        names: vec![],
        passing: VecDeque::new(),
        first: 0,
        away: 0,
        read: source.start,
        compared: source.start,
        last: Mark { offset: made.start, next_id: made.header.first_id, acknowledged: None },
        used: vec![],
        progress,
    };
    each_group(blocks, form.block_bytes, |group| {
        output.put(group)?;
        output.settle(2 * form.threads)?;
        Ok(output.used.pop())
    })?;
    output.settle(0)?;
    // The last event may declare the records after it lost.
    output.appender.pass_over(blocks.next_id());
    // A form of the same segment is the same file, whenever it is made.
    let time = made.header.original.as_ref().and_then(|original| original.latest_ns).unwrap_or(made.header.created_ns);
    output.appender.close_at(&output.names, time)?;
    Ok(output.last)
}

struct Output<'a, 'b> {
    crew: Crew,
    appender: Appender,
    names: Vec<NamedType>,
    /// Groups that are not written yet, the oldest first; `None` = not compressed yet.
    passing: VecDeque<Option<Group>>,
    /// Number of the oldest group.
    first: u64,
    /// Groups that were neither written nor compared.
    away: usize,
    /// The offset up to which the source was read, and the bytes of it that were compared.
    read: u64,
    compared: u64,
    /// The place after the last group that was written.
    last: Mark,
    /// Groups that are no longer needed.
    used: Vec<Group>,
    progress: &'a mut Progress<'b>,
}

impl Output<'_, '_> {
    fn put(&mut self, group: Group) -> Result<()> {
        self.read = group.end.offset;
        let number = self.first + self.passing.len() as u64;
        self.passing.push_back(None);
        self.away += 1;
        self.crew.give(Task::Compress(number), group);
        self.progress.written(self.read)
    }

    /// Processes the jobs that are done, and waits until at most `most` groups are in progress.
    fn settle(&mut self, most: usize) -> Result<()> {
        while let Some(done) = self.crew.done(self.away > most) {
            match done? {
                (Task::Compress(number), group) => {
                    if let Some(passing) = self.passing.get_mut((number - self.first) as usize) {
                        *passing = Some(group);
                    }
                    while let Some(group) = self.passing.front_mut().and_then(Option::take) {
                        self.passing.pop_front();
                        self.first += 1;
                        self.append(group)?;
                    }
                }
                (Task::Compare { .. }, group) => {
                    self.away -= 1;
                    self.compared += group.kept.stored_len();
                    self.progress.compared(self.compared)?;
                    self.used.push(group);
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, mut group: Group) -> Result<()> {
        if self.appender.index_is_due(INDEX_BYTES) {
            self.appender.write_index(&self.names)?;
        }
        memory::reserve(&mut self.names, group.names.len())?;
        let Group { draft, buffers, payload, shorter, end, .. } = &group;
        let block = Block { draft, buffers, parts: &[payload], compressed: Some(shorter) };
        self.appender.append(&[block], &mut self.crew.tools.compressor).map_err(|(_, error)| error)?;
        let until = Mark { offset: self.appender.end(), ..*end };
        self.names.append(&mut group.names);
        let from = std::mem::replace(&mut self.last, until);
        self.crew.give(Task::Compare { from, until }, group);
        Ok(())
    }
}
