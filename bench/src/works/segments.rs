//! Logs of very many segments: the cost of opening must not grow with their number.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use super::{boxed, Amount, Contenders, LISTED};
use crate::binlog_c::{self, BinlogWriter, ByIndex, Codec, Mode};
use crate::contender::{Contender, Sample};
use crate::stats::median;
use crate::task::{Make, Task};
use crate::typed::{mix, AppendTyped, Find, TypedLoad, Wanted};
use crate::Result;

const SIZE: usize = 100;
/// Records of a segment.
const RECORDS: u64 = 3;
/// Openings of a run, each with everything opened anew; the median counts.
const OPENINGS: u64 = 15;

pub fn open(amount: Amount) -> Result<Contenders> {
    let log = Log { segments: amount.segments, load: Rc::new(TypedLoad::of_bytes(SIZE, 0)) };
    let records = log.records();
    let looking_up = |wanted: fn(&TypedLoad, u64) -> Wanted| {
        let load = log.load.clone();
        move |folder: &Path, number| {
            let id = 1 + mix(number) % records;
            let mut found = 0;
            ByIndex::open(folder)?.find(wanted(&load, id), &mut |id, _| found = id)?;
            is_right(found, id)
        }
    };
    Ok(vec![
        log.task(LISTED, |folder, _| list(folder)),
        log.task("binlog", move |folder, _| is_right(binlog_c::last_id(folder)?, records)),
        log.task("binlog, by id", looking_up(|_, id| Wanted::Id(id))),
        log.task("binlog, by time", looking_up(|load, id| Wanted::Time(load.time_before(id)))),
    ])
}

fn is_right(found: u64, id: u64) -> Result<()> {
    match found == id {
        true => Ok(()),
        false => Err(format!("record {found} came instead of {id}").into()),
    }
}

#[derive(Clone)]
struct Log {
    segments: u64,
    load: Rc<TypedLoad>,
}

impl Log {
    fn records(&self) -> u64 {
        self.segments * RECORDS
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let mut writer = BinlogWriter::create(folder, Mode::Caller, Codec::None)?;
        for id in 1..=self.records() {
            writer.append_typed(&self.load.record(id))?;
            if id % RECORDS == 0 && id < self.records() {
                writer.roll()?;
            }
        }
        writer.finish()?;
        match names(folder)?.len() as u64 {
            found if found == self.segments => Ok(()),
            found => Err(format!("{found} segments, where {} were to be written", self.segments).into()),
        }
    }

    /// Opens the log and finds something in it; the second argument is the number of the opening.
    fn task(&self, name: &str, mut find: impl FnMut(&Path, u64) -> Result<()> + 'static) -> Box<dyn Contender> {
        let run = move |folder: &Path, _: bool| {
            let mut seconds = Vec::with_capacity(OPENINGS as usize);
            for number in 0..OPENINGS {
                let start = Instant::now();
                find(folder, number)?;
                seconds.push(start.elapsed().as_secs_f64());
            }
            let seconds = median(&seconds).ok_or("no openings")?;
            Ok(Sample { seconds, records: 1, bytes: SIZE as u64, latency: None })
        };
        let log = self.clone();
        let make: Make = Box::new(move |folder| log.write(folder));
        boxed(Task { name: name.into(), log: "segments", make, run: Box::new(run) })
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().map_err(|name| format!("{name:?} is no text"))?;
        if name.ends_with(".binlog") {
            names.push(name);
        }
    }
    Ok(names)
}

/// The least that any program must do that has only the folder: list it, sort the names, and read the end of the last
/// file.
fn list(folder: &Path) -> Result<()> {
    let mut names = names(folder)?;
    names.sort_unstable();
    let file = File::open(folder.join(names.last().ok_or("a log without a segment")?))?;
    let mut end = [0; 4096];
    let whole = file.metadata()?.len();
    let len = whole.min(end.len() as u64);
    Ok(file.read_exact_at(&mut end[..len as usize], whole - len)?)
}
