//! A segment written anew in other blocks, which are compressed and compared on one thread or on several.

use std::collections::VecDeque;
use std::sync::Arc;

use super::blocks::{Blocks, Mark};
use super::compare::ReadBack;
use super::crew::{Crew, Task, Tools};
use super::group::{each_group, Group};
use super::progress::Told;
use crate::error::{Error, Result};
use crate::format::codec::{Codec, Compressor};
use crate::record::NamedType;
use crate::segment::{Appender, Block, Segment};

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
}

/// Writes all of `blocks`, those of `source`, to the new segment `made` in this form, and closes it; not yet durable. Each
/// block is read back and compared as soon as it was written, while what it was made of is still in memory. Returns the mark
/// behind the last of them: what stands there is left to be looked at.
pub(super) fn regroup(
    blocks: &mut Blocks,
    source: &Arc<Segment>,
    made: &Arc<Segment>,
    form: &Form<'_>,
    told: &mut Told<'_>,
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
        told,
    };
    each_group(blocks, form.block_bytes, |group| {
        output.put(group)?;
        output.settle(2 * form.threads)?;
        Ok(output.used.pop())
    })?;
    output.settle(0)?;
    // The last event may say that records behind it are lost.
    output.appender.pass_over(blocks.next_id());
    output.appender.close(&output.names)?;
    Ok(output.last)
}

struct Output<'a, 'b> {
    crew: Crew,
    appender: Appender,
    names: Vec<NamedType>,
    /// Groups that are not written yet, the oldest first; `None` = not compressed yet.
    passing: VecDeque<Option<Group>>,
    /// Number of the oldest.
    first: u64,
    /// Groups that were neither written nor compared.
    away: usize,
    /// Up to where the source was read, and how much of it was compared.
    read: u64,
    compared: u64,
    /// Behind the last group that was written.
    last: Mark,
    /// Groups that are no longer needed.
    used: Vec<Group>,
    told: &'a mut Told<'b>,
}

impl Output<'_, '_> {
    fn put(&mut self, group: Group) -> Result<()> {
        self.read = group.end.offset;
        let number = self.first + self.passing.len() as u64;
        self.passing.push_back(None);
        self.away += 1;
        self.crew.give(Task::Compress(number), group);
        self.told.written(self.read)
    }

    /// Goes on with what is done, and waits until no more than `most` groups are on their way.
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
                    self.told.compared(self.compared)?;
                    self.used.push(group);
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, group: Group) -> Result<()> {
        if self.appender.index_is_due(INDEX_BYTES) {
            self.appender.write_index(&self.names)?;
        }
        let Group { draft, buffers, payload, shorter, names, end, .. } = &group;
        let block = Block { draft, buffers, parts: &[payload], compressed: Some(shorter) };
        self.appender.append(&[block], &mut self.crew.tools.compressor).map_err(|(_, error)| error)?;
        self.names.extend(names.iter().cloned());
        let until = Mark { offset: self.appender.end(), ..*end };
        let from = std::mem::replace(&mut self.last, until);
        self.crew.give(Task::Compare { from, until }, group);
        Ok(())
    }
}
