//! Whether one segment holds what another does, record by record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::blocks::{Blocks, Mark, Records};
use super::progress::Told;
use crate::error::{Error, Kind, Result};
use crate::io::thread;
use crate::segment::Segment;

/// Where both segments can be split: what is before the one mark in the source is before the other in what was made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub source: Mark,
    pub made: Mark,
}

/// Reads both and compares each record and event: id, time, type, metadata and payload, in order. `made` is the one that was
/// made of the other: it must be closed, and its index must know every block. What is behind each of the splits is compared
/// on a thread of its own. Returns the records, events not counted.
pub(super) fn compare(
    source: &Arc<Segment>,
    made: &Arc<Segment>,
    splits: &[Split],
    told: &mut Told<'_>,
) -> Result<u64> {
    let stretch =
        |from: Option<Split>, until: Option<Split>| Stretch { source: source.clone(), made: made.clone(), from, until };
    let ends = splits.iter().copied().map(Some).skip(1).chain([None]);
    let others = splits.iter().zip(ends).map(|(from, until)| stretch(Some(*from), until));
    let others = Others::start(others)?;
    let mut next_id = stretch(None, splits.first().copied()).compare(|bytes| {
        let elsewhere = others.bytes.load(Ordering::Relaxed);
        told.compared(bytes + elsewhere)
    })?;
    // The last one tells where all of it ends.
    if let Some(last) = others.finish()? {
        next_id = last;
    }
    if !made.is_fully_indexed()? {
        return Err(incomplete(made, source));
    }
    told.all_compared()?;
    Ok(next_id - source.header.first_id)
}

/// What one thread compares.
struct Stretch {
    source: Arc<Segment>,
    made: Arc<Segment>,
    from: Option<Split>,
    until: Option<Split>,
}

impl Stretch {
    /// Compares all of it, and tells `each` now and then how many bytes of the source that were so far. Returns the id that
    /// comes next in both.
    fn compare(&self, mut each: impl FnMut(u64) -> Result<()>) -> Result<u64> {
        let differs = |what: &str| differs(&self.made, &self.source, what);
        let from = (self.from.map(|split| split.source), self.from.map(|split| split.made));
        let until = (self.until.map(|split| split.source), self.until.map(|split| split.made));
        let mut these = Records::of(Blocks::between(&self.source, from.0, until.0));
        let mut those = Records::of(Blocks::between(&self.made, from.1, until.1));
        let begin = from.0.map_or(0, |mark| mark.offset);
        loop {
            match (these.advance()?, those.advance()?) {
                (true, true) if these.shown() == those.shown() => (),
                (true, true) => return Err(differs(&format!("record {} is another", these.shown().id))),
                (true, false) => {
                    return Err(differs(&format!("record {} and those behind are missing", these.shown().id)))
                }
                (false, true) => {
                    return Err(differs(&format!("there is a record {} behind the last", those.shown().id)))
                }
                (false, false) => break,
            }
            each(these.blocks().end() - begin)?;
        }
        let (these, those) = (these.blocks(), those.blocks());
        if these.next_id() != those.next_id() {
            return Err(differs("it ends with another id"));
        }
        match self.until {
            // Where the next stretch begins, in every respect: nothing is left out in between.
            Some(split) if (these.mark(), those.mark()) == (split.source, split.made) => (),
            Some(_) => return Err(differs("its blocks end elsewhere than they were written")),
            None if those.is_closed() => (),
            None => return Err(incomplete(&self.made, &self.source)),
        }
        Ok(these.next_id())
    }
}

fn differs(made: &Segment, source: &Segment, what: &str) -> Error {
    Error::corrupt(format!("what was written is not what {} holds: {what}", source.path.display())).at(&made.path)
}

fn incomplete(made: &Segment, source: &Segment) -> Error {
    differs(made, source, "its index or its end is missing")
}

/// What a thread has found, once it has ended.
type Found = Arc<Mutex<Option<Result<u64>>>>;

/// Threads that compare a stretch each. Dropped, they stop.
struct Others {
    threads: Vec<(JoinHandle<()>, Found)>,
    /// Of the source, compared by all of them.
    bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Others {
    fn start(stretches: impl Iterator<Item = Stretch>) -> Result<Self> {
        let mut others = Others { threads: vec![], bytes: Arc::default(), stop: Arc::default() };
        for stretch in stretches {
            let (bytes, stop) = (others.bytes.clone(), others.stop.clone());
            let result = Found::default();
            let told = result.clone();
            let body = move || {
                let mut before = 0;
                let compared = stretch.compare(|so_far| {
                    bytes.fetch_add(so_far - before, Ordering::Relaxed);
                    before = so_far;
                    match stop.load(Ordering::Relaxed) {
                        true => Err(Error::new(Kind::Io, "the comparison was stopped")),
                        false => Ok(()),
                    }
                });
                *told.lock() = Some(compared);
            };
            let thread = thread::spawn("binlog-compress", body).map_err(|e| Error::io(&e, "start a thread"))?;
            others.threads.push((thread, result));
        }
        Ok(others)
    }

    /// Waits for all of them; what the last one returned.
    fn finish(mut self) -> Result<Option<u64>> {
        let mut last = None;
        while !self.threads.is_empty() {
            let (thread, result) = self.threads.remove(0);
            // One that has panicked has left no result.
            let _ = thread.join();
            let ended = || Err(Error::new(Kind::Io, "a thread that compares has ended before its time"));
            last = Some(result.lock().take().unwrap_or_else(ended)?);
        }
        Ok(last)
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (thread, _) in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, MemoryDirectory};
    use crate::{Clock, MetadataBuf, NewRecord, Writer, WriterOptions};

    /// A closed segment of three records, the one in the middle of which is this one.
    fn segment(second: &NewRecord<'_>) -> Arc<Segment> {
        let directory = MemoryDirectory::new();
        let clock = Clock::from_fn(|| 1_000_000_000);
        let options = WriterOptions { name: "a".to_owned(), clock, ..WriterOptions::default() };
        let writer = Writer::open_in(Arc::new(directory.clone()), options).unwrap();
        writer.append(1, b"first").unwrap();
        writer.append_record(second).unwrap();
        writer.append(3, b"third").unwrap();
        writer.close().unwrap();
        Arc::new(Segment::open(&directory, "a.0000000001.binlog", Access::Read).unwrap())
    }

    #[test]
    fn a_record_that_is_another_in_any_respect_is_noticed() {
        let right = NewRecord { type_id: 2, time: Some(7), payload: b"second", ..NewRecord::default() };
        let source = segment(&right);
        let compared = |made: &Arc<Segment>| {
            compare(&source, made, &[], &mut Told::begin(None, &made.path, 1).unwrap()).map_err(|e| e.to_string())
        };
        assert_eq!(compared(&segment(&right)), Ok(3));
        let mut pairs = MetadataBuf::new();
        pairs.push("key", "value");
        for wrong in [
            NewRecord { type_id: 4, ..right },
            NewRecord { time: Some(8), ..right },
            NewRecord { payload: b"Second", ..right },
            NewRecord { payload: b"secon", ..right },
            NewRecord { metadata: pairs.as_metadata(), ..right },
        ] {
            assert!(compared(&segment(&wrong)).unwrap_err().contains("record 2 is another"));
        }
    }
}
