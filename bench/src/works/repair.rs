//! After a crash or damage: opening, rebuilding an index, reading past damage.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use super::find::unindexed_binlog;
use super::{boxed, Amount, Contenders, BASE, FULL_READ};
use crate::base::{BaseReader, BaseWriter};
use crate::binlog_c::{self, BatchReader, BinlogWriter, Codec, Mode};
use crate::blocks::{self, Kind};
use crate::contender::{Append, Contender, Read, Sample, SharedAppend, Tally};
use crate::crash::{kill_writer, Kept, ONE_SEGMENT, SIZE};
use crate::folder::fresh;
use crate::raft_engine_peer::RaftEngineWriter;
use crate::task::{once, Make, Task};
use crate::typed::TypedLoad;
use crate::{place, Result};

type Close = Box<dyn FnOnce() -> Result<()>>;

/// Opens a log for appending after its writer was killed.
struct Opening {
    name: &'static str,
    /// The argument for the child that is killed.
    writer: &'static str,
    bytes: u64,
    /// Free space that the disk must have.
    room: u64,
    /// Changes the log to that of the worst possible crash.
    worsen: fn(&Path) -> Result<()>,
    /// The file whose end has to be restored after each opening.
    changed: fn(&Path) -> Result<Option<std::path::PathBuf>>,
    open: fn(&Path) -> Result<Close>,
    /// Bytes of payload that can be read.
    read: fn(&Path) -> Result<u64>,
    kept: Option<Kept>,
}

impl Opening {
    fn open(&mut self, folder: &Path) -> Result<Sample> {
        let start = Instant::now();
        let close = (self.open)(folder)?;
        let seconds = start.elapsed().as_secs_f64();
        close()?;
        Ok(Sample { seconds, records: 1, bytes: self.bytes, latency: None })
    }
}

impl Contender for Opening {
    fn name(&self) -> &str {
        self.name
    }

    fn left_out(&self, place: &Path) -> Result<Option<String>> {
        let free = place::free_bytes(place)?;
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        Ok((free < self.room)
            .then(|| format!("{:.1} GB are free, and {:.1} GB are asked for", gigabytes(free), gigabytes(self.room))))
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join(self.name);
        kill_writer(self.writer, fresh(&folder)?, self.bytes)?;
        (self.worsen)(&folder)?;
        self.kept = (self.changed)(&folder)?.map(|path| Kept::of(&path)).transpose()?;
        self.open(&folder)?;
        // What was on the disk before the kill must be there; the worst crash loses less than this from the end.
        let found = (self.read)(&folder)?;
        if found + WORST_LOSS < self.bytes {
            return Err(format!("{found} bytes of {} are there", self.bytes).into());
        }
        self.kept.as_ref().map_or(Ok(()), Kept::restore)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let sample = self.open(&place.join(self.name))?;
        self.kept.as_ref().map_or(Ok(()), Kept::restore)?;
        Ok(sample)
    }
}

/// Bytes after an INDEX block at which the next one is nearly due: where a crash costs the most.
const FAR: u64 = 60 << 20;
const WORST_LOSS: u64 = 192 << 20;

/// Large logs stay in the page cache together only if they are few: those of binlog.
const LARGE: u64 = 10;
const LARGE_ROOM: u64 = 25;

pub fn open(amount: Amount) -> Result<Contenders> {
    let bytes = amount.log_bytes;
    let binlog = |name, bytes, room| Opening {
        name,
        writer: "binlog",
        bytes,
        room,
        worsen: cut_far_from_index,
        changed: |folder| Ok(Some(blocks::only_segment(folder)?)),
        open: |folder| {
            let writer = BinlogWriter::open(folder, Mode::Caller, Codec::None, ONE_SEGMENT)?;
            Ok(Box::new(|| Append::close(writer)))
        },
        read: |folder| sum(&BatchReader, folder),
        kept: None,
    };
    let base = Opening {
        name: BASE,
        writer: BASE,
        bytes,
        room: 0,
        worsen: |_| Ok(()),
        changed: |folder| Ok(Some(folder.join("base"))),
        open: |folder| {
            let writer = BaseWriter::reopen(folder)?;
            Ok(Box::new(|| writer.close()))
        },
        read: |folder| sum(&BaseReader, folder),
        kept: None,
    };
    // It searches its files at every opening, whether they were closed or not.
    let raft_engine = Opening {
        name: "raft-engine",
        writer: "raft-engine",
        bytes,
        room: 0,
        worsen: |_| Ok(()),
        changed: |_| Ok(None),
        open: |folder| {
            let engine = RaftEngineWriter::create(folder, false)?;
            Ok(Box::new(|| engine.close()))
        },
        read: |folder| sum(&crate::raft_engine_peer::RaftEngineReader, folder),
        kept: None,
    };
    Ok(vec![
        boxed(base),
        boxed(raft_engine),
        boxed(binlog("binlog", bytes, 0)),
        boxed(binlog("binlog, ten times as large", LARGE * bytes, LARGE_ROOM * bytes)),
    ])
}

fn sum(reader: &impl Read, folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    reader.read(folder, |payload| bytes += payload.len() as u64)?;
    Ok(bytes)
}

/// Cuts the log in the middle of a block, as late as possible after an INDEX block.
fn cut_far_from_index(folder: &Path) -> Result<()> {
    let segment = blocks::only_segment(folder)?;
    let blocks = blocks::of(&segment)?;
    let end = blocks.last().ok_or("a log without a block")?.end;
    let mut far = blocks.iter().filter(|block| block.kind == Kind::Index).map(|index| index.end + FAR);
    let wanted = far.rfind(|&far| far <= end).unwrap_or(end);
    let torn = blocks.iter().rfind(|block| block.kind == Kind::Records && block.offset < wanted);
    let torn = torn.ok_or("a log without records")?;
    let file = OpenOptions::new().write(true).open(&segment)?;
    file.set_len(torn.payload.midpoint(torn.end))?;
    file.sync_all()?;
    // As a kill leaves it: without the close, which records the log's length.
    Ok(fs::remove_file(folder.join("default.lock"))?)
}

pub fn rebuild(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let bytes = load.bytes();
    let mut kept = None;
    let rebuild = move |folder: &Path, _: bool| {
        if kept.is_none() {
            kept = Some(Kept::of(&blocks::only_segment(folder)?)?);
        }
        let sample = once(bytes, || match binlog_c::rebuild_index(folder)? {
            1 => Ok(()),
            written => Err(format!("{written} segments got an index").into()),
        })?;
        kept.as_ref().map_or(Ok(()), Kept::restore)?;
        Ok(sample)
    };
    Ok(vec![
        full_read(FULL_READ, "binlog-unindexed", unindexed_binlog(&load), &load),
        boxed(Task {
            name: "binlog, index rebuilt".into(),
            log: "binlog-unindexed",
            make: unindexed_binlog(&load),
            run: Box::new(rebuild),
        }),
        boxed(Task {
            name: "raw, reads of the blocks' heads".into(),
            log: "binlog-unindexed",
            make: unindexed_binlog(&load),
            run: Box::new(heads_alone(bytes)),
        }),
    ])
}

/// What every rebuild of an index has to read: header, checksums and entries of each block, at places that are known in
/// advance, with a call each, and without looking at the bytes.
fn heads_alone(bytes: u64) -> impl FnMut(&Path, bool) -> Result<Sample> {
    let mut heads = None;
    move |folder, _| {
        let segment = blocks::only_segment(folder)?;
        if heads.is_none() {
            let blocks = blocks::of(&segment)?;
            heads = Some(blocks.iter().map(|block| (block.offset, block.payload - block.offset)).collect::<Vec<_>>());
        }
        let heads = heads.as_deref().unwrap_or_default();
        let mut buffer = vec![0; heads.iter().map(|head| head.1 as usize).max().unwrap_or(0)];
        once(bytes, || {
            let file = File::open(&segment)?;
            for &(offset, len) in heads {
                file.read_exact_at(&mut buffer[..len as usize], offset)?;
            }
            Ok(())
        })
    }
}

pub fn salvage(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let pages = ((DAMAGED_PAGES * amount.log_bytes as f64 / 1e9) as usize).max(1);
    let whole = move |load: &Rc<TypedLoad>| -> Make {
        let load = load.clone();
        Box::new(move |folder| load.write(BinlogWriter::create(folder, Mode::Caller, Codec::None)?))
    };
    let (make, load_of_damaged) = (whole(&load), load.clone());
    let damaged = Task {
        name: "binlog, salvage of damaged pages".into(),
        log: "binlog-damaged",
        make: Box::new(move |folder| {
            make(folder)?;
            damage(folder, pages)
        }),
        run: Box::new(move |folder, _| salvaging(folder, &load_of_damaged, pages as u64)),
    };
    let load_of_whole = load.clone();
    let undamaged = Task {
        name: "binlog, salvage of nothing".into(),
        log: "binlog",
        make: whole(&load),
        run: Box::new(move |folder, _| salvaging(folder, &load_of_whole, 0)),
    };
    Ok(vec![full_read(FULL_READ, "binlog", whole(&load), &load), boxed(undamaged), boxed(damaged)])
}

const DAMAGED_PAGES: f64 = 1_000.0;

/// Everything with the default options, every byte verified.
fn full_read(name: &str, log: &'static str, make: Make, load: &Rc<TypedLoad>) -> Box<dyn Contender> {
    let expected = Tally { records: load.records, bytes: load.bytes(), digest: 0 };
    let read = move |folder: &Path, _: bool| {
        let mut found = Tally::default();
        let sample = once(expected.bytes, || BatchReader.read(folder, |payload| found.add(payload)))?;
        found.must_be(expected)?;
        Ok(sample)
    };
    boxed(Task { name: name.into(), log, make, run: Box::new(read) })
}

/// Every record is shown or reported as lost, and each damaged page is reported.
fn salvaging(folder: &Path, load: &TypedLoad, damaged_pages: u64) -> Result<Sample> {
    let (mut found, mut lost) = (Tally::default(), binlog_c::Lost::default());
    let sample = once(load.bytes(), || {
        lost = binlog_c::salvage(folder, |payload| found.add(payload))?;
        Ok(())
    })?;
    match found.records + lost.records == load.records && lost.losses == damaged_pages {
        true => Ok(sample),
        false => Err(format!("{} records and {lost:?} of {} records", found.records, load.records).into()),
    }
}

/// Flips a bit in so many pages of payload, spread over the whole log.
fn damage(folder: &Path, pages: usize) -> Result<()> {
    let segments = blocks::segments(folder)?;
    let share = pages.div_ceil(segments.len());
    let mut left = pages;
    for segment in segments {
        let file = OpenOptions::new().read(true).write(true).open(&segment)?;
        let blocks = blocks::of(&segment)?;
        let records = blocks.iter().filter(|block| block.kind == Kind::Records);
        let all: Vec<u64> = records.flat_map(blocks::Block::pages).collect();
        for number in 0..share.min(left) {
            let offset = all[number * all.len() / share];
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset)?;
            file.write_all_at(&[byte[0] ^ 1], offset)?;
        }
        left = left.saturating_sub(share);
    }
    Ok(())
}
