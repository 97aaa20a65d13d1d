//! Compares two segments record by record: id, time, type, metadata and payload, in order.

use std::sync::Arc;

use super::blocks::{Blocks, Feed, Mark, Records};
use super::group::Group;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::segment::Segment;

/// Reads both and compares each record and event. `made` was made from the other: it must be closed, and its index must
/// contain every block. Returns the number of records, without events.
pub(super) fn compare(source: &Arc<Segment>, made: &Arc<Segment>, progress: &mut Progress<'_>) -> Result<u64> {
    let (mut these, mut those) = (Blocks::of(source), Blocks::of_made(made));
    let pair = Pair { source, made };
    pair.same(&mut Records::of(&mut these), &mut Records::of(&mut those), |these| progress.compared(these.end()))?;
    if these.next_id() != those.next_id() {
        return Err(pair.differs("it ends with another id"));
    }
    pair.check_end(&those)?;
    progress.all_compared()?;
    Ok(these.records())
}

/// Reads back what is written, group by group.
pub(super) struct ReadBack {
    source: Arc<Segment>,
    made: Arc<Segment>,
    blocks: Blocks,
}

impl ReadBack {
    pub fn new(source: &Arc<Segment>, made: &Arc<Segment>) -> Self {
        ReadBack { source: source.clone(), made: made.clone(), blocks: Blocks::of_made(made) }
    }

    /// Compares the blocks of the source that are in `group` with what was written between two marks.
    pub fn compare(&mut self, group: &Group, from: Mark, until: Mark) -> Result<()> {
        let pair = Pair { source: &self.source, made: &self.made };
        self.blocks.go_to(from, Some(until));
        let mut these = Records::of(group.kept.with(&group.payload));
        pair.same(&mut these, &mut Records::of(&mut self.blocks), |_| Ok(()))?;
        // This compares every property of the place where the next group begins: nothing is left out in between.
        match these.feed().is_used_up() && self.blocks.mark() == until {
            true => Ok(()),
            false => Err(pair.differs("its blocks end elsewhere than they were written")),
        }
    }

    /// The output must end with the group before `last` and with this id, be closed, and have an index that contains
    /// every block.
    pub fn finish(mut self, last: Mark, next_id: u64) -> Result<()> {
        let pair = Pair { source: &self.source, made: &self.made };
        self.blocks.go_to(last, None);
        match Records::of(&mut self.blocks).advance()? {
            true => Err(pair.differs("there are records behind the last")),
            false if self.blocks.next_id() != next_id => Err(pair.differs("it ends with another id")),
            false => pair.check_end(&self.blocks),
        }
    }
}

/// Two segments, for error messages.
struct Pair<'a> {
    source: &'a Arc<Segment>,
    made: &'a Arc<Segment>,
}

impl Pair<'_> {
    /// Compares all of both, and calls `each` for each record of the source.
    #[inline(always)]
    fn same<A: Feed, B: Feed>(
        &self,
        these: &mut Records<A>,
        those: &mut Records<B>,
        mut each: impl FnMut(&A) -> Result<()>,
    ) -> Result<()> {
        loop {
            match (these.advance()?, those.advance()?) {
                (true, true) if these.shown() == those.shown() => (),
                (true, true) => return Err(self.differs(&format!("record {} is another", these.shown().id))),
                (true, false) => {
                    return Err(self.differs(&format!("record {} and those behind are missing", these.shown().id)))
                }
                (false, true) => {
                    return Err(self.differs(&format!("there is a record {} behind the last", those.shown().id)))
                }
                (false, false) => return Ok(()),
            }
            each(these.feed())?;
        }
    }

    /// The output was read to its end.
    fn check_end(&self, made: &Blocks) -> Result<()> {
        match made.is_closed() && self.made.is_fully_indexed()? {
            true => Ok(()),
            false => Err(self.differs("its index or its end is missing")),
        }
    }

    fn differs(&self, what: &str) -> Error {
        let reason = format!("what was written is not what {} holds: {what}", self.source.path.display());
        Error::corrupt(reason).at(&self.made.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::group::each_group;
    use crate::io::{Access, MemoryDirectory};
    use crate::{Clock, MetadataBuf, NewRecord, Writer, WriterOptions};

    /// A closed segment of three records; this one is the second.
    fn segment(second: &NewRecord<'_>) -> Arc<Segment> {
        let directory = MemoryDirectory::new();
        let clock = Clock::from_fn(|| 1_000_000_000);
        let options = WriterOptions { name: "a".to_owned(), clock, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        writer.append(1, b"first").unwrap();
        writer.append_record(second).unwrap();
        writer.append(3, b"third").unwrap();
        writer.close().unwrap();
        Arc::new(Segment::open(&directory, "a.0000000001.binlog", Access::Read).unwrap())
    }

    fn whole(source: &Arc<Segment>, made: &Arc<Segment>) -> Result<u64> {
        compare(source, made, &mut Progress::begin(None, &made.path, 1).unwrap())
    }

    /// Compares all blocks of the source with all of the output, or with more or less of it.
    fn in_groups(source: &Arc<Segment>, made: &Arc<Segment>, until: impl Fn(&mut Mark)) -> Result<u64> {
        let mut read_back = ReadBack::new(source, made);
        let from = Mark { offset: made.start, next_id: made.header.first_id, acknowledged: None };
        let mut blocks = Blocks::of(made);
        let mut end = from;
        while blocks.next()?.is_some() {
            end = blocks.mark();
        }
        until(&mut end);
        each_group(&mut Blocks::of(source), 1 << 20, |group| read_back.compare(&group, from, end).map(|()| None))?;
        read_back.finish(end, end.next_id).map(|()| end.next_id - from.next_id)
    }

    #[test]
    fn a_record_that_is_another_in_any_respect_is_noticed() {
        let right = NewRecord { type_id: 2, time: Some(7), payload: b"second", ..NewRecord::default() };
        let source = segment(&right);
        let in_groups = |source: &Arc<Segment>, made: &Arc<Segment>| in_groups(source, made, |_| ());
        assert_eq!(whole(&source, &segment(&right)).unwrap(), 3);
        assert_eq!(in_groups(&source, &segment(&right)).unwrap(), 3);
        let mut pairs = MetadataBuf::new();
        pairs.push("key", "value");
        for wrong in [
            NewRecord { type_id: 4, ..right },
            NewRecord { time: Some(8), ..right },
            NewRecord { payload: b"Second", ..right },
            NewRecord { payload: b"secon", ..right },
            NewRecord { metadata: pairs.as_metadata(), ..right },
        ] {
            let wrong = segment(&wrong);
            for error in [whole(&source, &wrong).unwrap_err(), in_groups(&source, &wrong).unwrap_err()] {
                assert!(error.to_string().contains("record 2 is another"), "{error}");
            }
        }
    }

    #[test]
    fn a_block_that_ends_elsewhere_or_with_another_id_than_it_was_written_is_noticed() {
        let right = NewRecord { type_id: 2, ..NewRecord::default() };
        let (source, made) = (segment(&right), segment(&right));
        type Wrong = fn(&mut Mark);
        let wrong: [Wrong; 4] = [
            |mark| mark.offset += 1,
            |mark| mark.next_id += 1,
            |mark| mark.acknowledged = Some(9),
            // Including the TRAILER.
            |mark| mark.offset = u64::MAX,
        ];
        for until in wrong {
            let error = in_groups(&source, &made, until).unwrap_err().to_string();
            assert!(error.contains("its blocks end elsewhere than they were written"), "{error}");
        }
        // None at all.
        let start = made.start;
        let error = in_groups(&source, &made, move |mark| mark.offset = start).unwrap_err().to_string();
        assert!(error.contains("record 1 and those behind are missing"), "{error}");
    }
}
