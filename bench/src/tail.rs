//! One thread appends a record now and then and flushes it; another waits for it. Measures the delay.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::binlog_c::{BinlogWriter, Codec, Mode, Tail};
use crate::contender::{Append, Contender, Sample};
use crate::folder::{abandon, fresh};
use crate::latency::Latency;
use crate::Result;

/// From one record to the next: long enough for the reader to sleep.
const EVERY: Duration = Duration::from_millis(5);
/// A reader that has seen nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each record contains the time before its append. Its latency ends when the reader, which has opened the log
/// separately, shows it.
pub struct Tailing {
    pub name: String,
    pub mode: Mode,
    pub records: u64,
}

impl Tailing {
    fn tail(&self, folder: &Path, records: u64) -> Result<Sample> {
        let mut writer = BinlogWriter::create(fresh(folder)?, self.mode, Codec::None)?;
        let start = Instant::now();
        let mut nanos = thread::scope(|scope| {
            let reader = scope.spawn(|| watch(folder, records, start));
            for _ in 0..records {
                thread::sleep(EVERY);
                let now = start.elapsed().as_nanos() as u64;
                writer.append(&now.to_le_bytes())?;
                Append::flush(&mut writer)?;
            }
            reader.join().expect("no panic while reading")
        })?;
        let seconds = start.elapsed().as_secs_f64();
        abandon(folder, <BinlogWriter as Append>::CLOSE_SYNCS, || Append::close(writer))?;
        Ok(Sample { seconds, records, bytes: 8 * records, latency: Latency::of(&mut nanos) })
    }
}

/// The age of each record when it was shown.
fn watch(folder: &Path, records: u64, start: Instant) -> Result<Vec<u64>> {
    let mut tail = Tail::open(folder)?;
    let mut nanos = Vec::with_capacity(records as usize);
    while (nanos.len() as u64) < records {
        if !tail.wait(PATIENCE)? {
            return Err(format!("{} of {records} records were shown", nanos.len()).into());
        }
        tail.show_new(|payload| {
            let now = start.elapsed().as_nanos() as u64;
            let then = payload.try_into().map_or(0, u64::from_le_bytes);
            nanos.push(now.saturating_sub(then));
        })?;
    }
    Ok(nanos)
}

impl Contender for Tailing {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        self.tail(&place.join("tail"), self.records.min(20)).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        self.tail(&place.join("tail"), self.records)
    }
}
