//! The kinds of work as contenders: what is prepared before the clock starts, what is timed, what is removed.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{verify, Append, Contender, Read, Sample, SharedAppend, Tally};
use crate::folder::{abandon, discard, fresh};
use crate::payload::Load;
use crate::Result;

/// The calls by which the records reach an [`Append`].
#[derive(Clone, Copy)]
pub enum How {
    OneByOne,
    Batches(usize),
    ThreeParts,
}

/// One thread appends a load; the clock stops after the flush.
pub struct Appending<Create, R> {
    pub name: String,
    pub load: Rc<Load>,
    pub how: How,
    pub create: Create,
    pub reader: R,
}

impl<W: Append, Create: Fn(&Path) -> Result<W>, R> Appending<Create, R> {
    fn append_all(&self, folder: &Path) -> Result<(Sample, W)> {
        let mut writer = (self.create)(fresh(folder)?)?;
        let start = Instant::now();
        match self.how {
            How::OneByOne => self.load.iter().try_for_each(|payload| writer.append(payload))?,
            How::Batches(size) => {
                let mut payloads = self.load.iter();
                let mut batch = Vec::with_capacity(size);
                loop {
                    batch.clear();
                    batch.extend(payloads.by_ref().take(size));
                    if batch.is_empty() {
                        break;
                    }
                    writer.append_batch(&batch)?;
                }
            }
            How::ThreeParts => self.load.iter().try_for_each(|payload| {
                let (first, rest) = payload.split_at(payload.len() / 3);
                let (second, third) = rest.split_at(payload.len() / 3);
                writer.gather(&[first, second, third])
            })?,
        }
        writer.flush()?;
        let seconds = start.elapsed().as_secs_f64();
        Ok((Sample { seconds, records: self.load.records, bytes: self.load.bytes(), latency: None }, writer))
    }
}

impl<W: Append, Create: Fn(&Path) -> Result<W>, R: Read> Contender for Appending<Create, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join("append");
        self.append_all(&folder)?.1.close()?;
        verify(&self.reader, &folder, self.load.expected())?;
        discard(&folder)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("append");
        let (sample, writer) = self.append_all(&folder)?;
        abandon(&folder, W::CLOSE_SYNCS, || writer.close())?;
        Ok(sample)
    }
}

/// How much each thread appends.
pub enum Share {
    /// This load, each.
    Load(Rc<Load>),
    /// As much of this load's cycle as fits in this time.
    Time(Rc<Load>, Duration),
}

/// Many threads append to one log.
pub struct Sharing<Create, R> {
    pub name: String,
    pub threads: usize,
    pub share: Share,
    pub create: Create,
    pub reader: R,
}

impl<W: SharedAppend, Create: Fn(&Path) -> Result<W>, R> Sharing<Create, R> {
    /// Also returns the number of records of each thread; one more was appended before the clock started.
    fn append_all(&self, folder: &Path) -> Result<(Sample, W, Vec<u64>)> {
        let writer = (self.create)(fresh(folder)?)?;
        let (Share::Load(load) | Share::Time(load, _)) = &self.share;
        let load: &Load = load;
        // The first record pays for what opening defers (a first block, a file full of zeros).
        load.payloads.iter(1).try_for_each(|payload| writer.append(payload))?;

        let limit = match self.share {
            Share::Load(_) => None,
            Share::Time(_, limit) => Some(limit),
        };
        let line = Barrier::new(self.threads);
        let shares = thread::scope(|scope| {
            let append_share = || append_share(&writer, load, limit, &line);
            let workers: Vec<_> = (0..self.threads).map(|_| scope.spawn(append_share)).collect();
            let shares = workers.into_iter().map(|worker| worker.join().expect("no panic while appending"));
            shares.collect::<Result<Vec<(Instant, u64)>>>()
        })?;
        writer.flush()?;
        let start = shares.iter().map(|&(start, _)| start).min().expect("there is a thread");
        let seconds = start.elapsed().as_secs_f64();

        let counts: Vec<u64> = shares.into_iter().map(|(_, count)| count).collect();
        let records = counts.iter().sum();
        let bytes = counts.iter().map(|&count| load.payloads.bytes(count)).sum();
        Ok((Sample { seconds, records, bytes, latency: None }, writer, counts))
    }
}

/// The work of one thread; returns when it began, which only the thread itself knows, and how many records it appended.
fn append_share(
    writer: &impl SharedAppend,
    load: &Load,
    limit: Option<Duration>,
    line: &Barrier,
) -> Result<(Instant, u64)> {
    let mut append = writer.of_thread()?;
    line.wait();
    let start = Instant::now();
    let Some(limit) = limit else {
        load.iter().try_for_each(append)?;
        return Ok((start, load.records));
    };
    let mut count = 0;
    for payload in load.payloads.iter(u64::MAX >> 1) {
        append(payload)?;
        count += 1;
        if start.elapsed() >= limit {
            break;
        }
    }
    Ok((start, count))
}

impl<W: SharedAppend, Create: Fn(&Path) -> Result<W>, R: Read> Contender for Sharing<Create, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join("share");
        let (_, writer, counts) = self.append_all(&folder)?;
        writer.close()?;
        let (Share::Load(load) | Share::Time(load, _)) = &self.share;
        let mut expected = Tally::default();
        for count in counts.into_iter().chain([1]) {
            load.payloads.iter(count).for_each(|payload| expected.add_digest(payload));
        }
        verify(&self.reader, &folder, expected)?;
        discard(&folder)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("share");
        let (sample, writer, _) = self.append_all(&folder)?;
        abandon(&folder, W::CLOSE_SYNCS, || writer.close())?;
        Ok(sample)
    }
}

type Write = Box<dyn Fn(&Path, &Load) -> Result<()>>;
type ReadInto = Box<dyn Fn(&Path, &mut Tally) -> Result<()>>;

/// Reads a log from the page cache that `write` has written once.
pub struct Reading {
    pub name: String,
    pub load: Rc<Load>,
    /// The log's folder inside the place; contenders with the same one share the log.
    pub log: PathBuf,
    pub write: Write,
    pub read: ReadInto,
}

impl Contender for Reading {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join(&self.log);
        if !folder.exists() {
            (self.write)(fresh(&folder)?, &self.load)?;
        }
        self.run(place).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join(&self.log);
        let mut found = Tally::default();
        let start = Instant::now();
        (self.read)(&folder, &mut found)?;
        let seconds = start.elapsed().as_secs_f64();
        let (records, bytes) = (self.load.records, self.load.bytes());
        found.must_be(Tally { records, bytes, digest: 0 })?;
        Ok(Sample { seconds, records, bytes, latency: None })
    }
}
