//! Works that are timed as a whole, on a log that is written once.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use crate::contender::{Contender, Sample, Tally};
use crate::folder::fresh;
use crate::typed::{mix, Find, TypedLoad, Wanted};
use crate::Result;

/// Fills a folder.
pub type Make = Box<dyn Fn(&Path) -> Result<()>>;

/// Works in the folder; the second argument is true in the warm-up, when every byte is compared.
pub type Run = Box<dyn FnMut(&Path, bool) -> Result<Sample>>;

/// Something that is done to a log, or read from it, and undone again.
pub struct Task {
    pub name: String,
    /// The log's folder inside the place; contenders with the same one share the log.
    pub log: &'static str,
    pub make: Make,
    pub run: Run,
}

impl Contender for Task {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join(self.log);
        if !folder.exists() {
            (self.make)(fresh(&folder)?)?;
        }
        (self.run)(&folder, true).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        (self.run)(&place.join(self.log), false)
    }
}

/// Times one operation as a whole, in which `bytes` of payload are read.
pub fn once(bytes: u64, work: impl FnOnce() -> Result<()>) -> Result<Sample> {
    let start = Instant::now();
    work()?;
    Ok(Sample { seconds: start.elapsed().as_secs_f64(), records: 1, bytes, latency: None })
}

/// Reads all records of the rare type, from opening the log to the last of them.
pub fn reading_rare(
    name: &str,
    log: &'static str,
    load: &Rc<TypedLoad>,
    make: Make,
    read: impl Fn(&Path, &mut dyn FnMut(u64, &[u8])) -> Result<()> + 'static,
) -> Box<dyn Contender> {
    let mut expected = None;
    let load = load.clone();
    let run = move |folder: &Path, every_byte: bool| {
        let expected = *expected.get_or_insert_with(|| load.rare());
        let mut found = Tally::default();
        let sample = match every_byte {
            true => once(expected.bytes, || read(folder, &mut |_, payload| found.add_digest(payload))),
            false => once(expected.bytes, || read(folder, &mut |_, payload| found.add(payload))),
        }?;
        found.must_be(Tally { digest: if every_byte { expected.digest } else { 0 }, ..expected })?;
        Ok(sample)
    };
    Box::new(Task { name: name.into(), log, make, run: Box::new(run) })
}

/// What records are looked up by.
#[derive(Clone, Copy)]
pub enum By {
    Id,
    Time,
}

/// Lookups of a run, and lookups before its clock starts, which fill the caches.
const LOOKUPS: u64 = 10_000;
const WARMING: u64 = 1_000;

/// Finds records in random order, one at a time, with everything open.
pub fn finding<F: Find>(
    name: &str,
    log: &'static str,
    load: &Rc<TypedLoad>,
    by: By,
    make: Make,
    open: impl Fn(&Path) -> Result<F> + 'static,
) -> Box<dyn Contender> {
    let load = load.clone();
    let run = move |folder: &Path, every_byte: bool| {
        let mut finder = open(folder)?;
        let mut look_up = |number: u64| -> Result<()> {
            let id = 1 + mix(number) % load.records;
            let wanted = match by {
                By::Id => Wanted::Id(id),
                By::Time => Wanted::Time(load.time_before(id)),
            };
            let mut is_right = false;
            finder.find(wanted, &mut |found, payload| {
                is_right = found == id && payload.len() == load.record(id).payload.len();
                is_right &= !every_byte || payload == load.record(id).payload;
            })?;
            match is_right {
                true => Ok(()),
                false => Err(format!("another record came than {id}").into()),
            }
        };
        // Every run looks up the same records in the same order: contenders have the same work.
        (0..WARMING).try_for_each(&mut look_up)?;
        let start = Instant::now();
        (WARMING..WARMING + LOOKUPS).try_for_each(&mut look_up)?;
        let seconds = start.elapsed().as_secs_f64();
        let bytes = LOOKUPS * load.record(1).payload.len() as u64;
        Ok(Sample { seconds, records: LOOKUPS, bytes, latency: None })
    };
    Box::new(Task { name: name.into(), log, make, run: Box::new(run) })
}
