//! One thread appends at a steady rate, and each append's latency counts.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::contender::{verify, Append, Contender, Read, Sample};
use crate::folder::{abandon, discard, fresh};
use crate::latency::Latency;
use crate::payload::{Load, Payloads};
use crate::Result;

/// 100,000 appends a second.
pub const PACE: Duration = Duration::from_micros(10);

/// Appends a load by a schedule that never waits: each record is due at its time, and its latency counts from then on.
/// A stall therefore counts for each record that it delays, not only for the first one ("coordinated omission").
pub struct Paced<Create, R> {
    pub name: String,
    pub load: Rc<Load>,
    /// The time from one append to the next.
    pub pace: Duration,
    /// The minimum number of files of the log after a run.
    pub files: usize,
    pub create: Create,
    pub reader: R,
}

impl<W: Append, Create: Fn(&Path) -> Result<W>, R> Paced<Create, R> {
    fn append_all(&self, folder: &Path, load: &Load, files: usize) -> Result<(Sample, W)> {
        let mut writer = (self.create)(fresh(folder)?)?;
        // Touched, so that the memory is mapped before the clock starts.
        let mut nanos = vec![1_u64; load.records as usize];
        let start = Instant::now();
        let mut due = start;
        for (payload, nanos) in load.iter().zip(&mut nanos) {
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            writer.append(payload)?;
            *nanos = due.elapsed().as_nanos() as u64;
            due += self.pace;
        }
        writer.flush()?;
        let seconds = start.elapsed().as_secs_f64();
        match fs::read_dir(folder)?.count() {
            found if found < files => return Err(format!("{found} files, where {files} were to be written").into()),
            _ => (),
        }
        Ok((Sample { seconds, records: load.records, bytes: load.bytes(), latency: Latency::of(&mut nanos) }, writer))
    }
}

impl<W: Append, Create: Fn(&Path) -> Result<W>, R: Read> Contender for Paced<Create, R> {
    fn name(&self) -> &str {
        &self.name
    }

    /// Reads back a load that causes a few rolls.
    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join("paced");
        let records = self.load.records.min(Duration::from_secs(1).div_duration_f64(self.pace) as u64);
        let few = Load { payloads: Payloads::fixed(self.load.payloads.at(0).len()), records };
        self.append_all(&folder, &few, 0)?.1.close()?;
        verify(&self.reader, &folder, few.expected())?;
        discard(&folder)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("paced");
        let (sample, writer) = self.append_all(&folder, &self.load, self.files)?;
        abandon(&folder, W::CLOSE_SYNCS, || writer.close())?;
        Ok(sample)
    }
}

/// Appends nothing.
pub struct Nothing;

impl Append for Nothing {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        std::hint::black_box(payload);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

/// The schedule without a log: the latencies of the machine itself.
pub struct Idle<Create> {
    name: &'static str,
    load: Rc<Load>,
    pace: Duration,
    create: Create,
}

impl<W: Append, Create: Fn(&Path) -> Result<W>> Idle<Create> {
    pub fn new(name: &'static str, load: &Rc<Load>, pace: Duration, create: Create) -> Self {
        Idle { name, load: load.clone(), pace, create }
    }
}

impl<W: Append, Create: Fn(&Path) -> Result<W>> Contender for Idle<Create> {
    fn name(&self) -> &str {
        self.name
    }

    fn warm_up(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let (load, pace) = (self.load.clone(), self.pace);
        let paced = Paced { name: String::new(), load, pace, files: 0, create: &self.create, reader: () };
        let folder = place.join("paced");
        let (sample, writer) = paced.append_all(&folder, &self.load, 0)?;
        abandon(&folder, W::CLOSE_SYNCS, || writer.close())?;
        Ok(sample)
    }
}
