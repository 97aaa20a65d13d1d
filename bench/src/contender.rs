//! What a contender implements: one trait for each kind of work.

use std::hint::black_box;
use std::path::Path;

use crate::latency::Latency;
use crate::payload::Load;
use crate::Result;

/// One thread appends.
pub trait Append {
    fn append(&mut self, payload: &[u8]) -> Result<()>;

    /// Several records in one call, if the contender has such a call.
    fn append_batch(&mut self, payloads: &[&[u8]]) -> Result<()> {
        payloads.iter().try_for_each(|payload| self.append(payload))
    }

    /// One record that lies in several places; without a call for that, the caller must put it together.
    fn gather(&mut self, parts: &[&[u8]]) -> Result<()> {
        self.append(&parts.concat())
    }

    /// Passes everything to the system, where it survives this process.
    fn flush(&mut self) -> Result<()>;

    /// Finishes the files.
    fn close(self) -> Result<()>;

    /// Whether closing makes the log durable: see [`abandon`].
    const CLOSE_SYNCS: bool = false;
}

/// Many threads append to one log.
pub trait SharedAppend: Sync {
    fn append(&self, payload: &[u8]) -> Result<()>;

    /// What a thread appends with.
    fn of_thread(&self) -> Result<impl FnMut(&[u8]) -> Result<()> + '_> {
        Ok(|payload: &[u8]| self.append(payload))
    }

    fn flush(&self) -> Result<()>;
    fn close(self) -> Result<()>;
    const CLOSE_SYNCS: bool = false;
}

/// Anything can be shared behind a lock.
impl<W: Append + Send> SharedAppend for std::sync::Mutex<W> {
    fn append(&self, payload: &[u8]) -> Result<()> {
        self.lock().expect("a thread that appends never panics").append(payload)
    }

    fn flush(&self) -> Result<()> {
        self.lock().expect("a thread that appends never panics").flush()
    }

    fn close(self) -> Result<()> {
        self.into_inner().expect("a thread that appends never panics").close()
    }
}

/// Reads a folder's log from its beginning to its end and shows each payload.
pub trait Read {
    fn read(&self, folder: &Path, visit: impl FnMut(&[u8])) -> Result<()>;
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    pub bytes: u64,
    /// Sum of the payloads' checksums; computed only where the bytes are compared, as a timed run would be too slow.
    pub digest: u64,
}

impl Tally {
    pub fn add(&mut self, payload: &[u8]) {
        self.records += 1;
        self.bytes += payload.len() as u64;
        // Without this the compiler may remove the code that produces the payload.
        black_box(payload.first());
    }

    /// A record of which only the header was read.
    pub fn add_len(&mut self, len: u64) {
        self.records += 1;
        self.bytes += len;
    }

    pub fn add_digest(&mut self, payload: &[u8]) {
        self.add(payload);
        self.digest = self.digest.wrapping_add(u64::from(crc32fast::hash(payload)));
    }

    pub fn must_be(self, expected: Tally) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        Err(format!("read back {self:?}, but written were {expected:?}").into())
    }
}

/// One timed run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub seconds: f64,
    pub records: u64,
    pub bytes: u64,
    /// How long single records took, where that is measured.
    pub latency: Option<Latency>,
}

/// One row of a work's table.
pub trait Contender {
    fn name(&self) -> &str;

    /// Why it cannot take part here.
    fn left_out(&self, _place: &Path) -> Result<Option<String>> {
        Ok(None)
    }

    /// Untimed: makes what the runs need, and reads back what the contender writes.
    fn warm_up(&mut self, place: &Path) -> Result<()>;

    fn run(&mut self, place: &Path) -> Result<Sample>;
}

/// A contender that takes part where nothing is missing.
pub struct Needing {
    pub contender: Box<dyn Contender>,
    /// What is missing, if anything is.
    pub missing: fn() -> Option<String>,
}

impl Contender for Needing {
    fn name(&self) -> &str {
        self.contender.name()
    }

    fn left_out(&self, place: &Path) -> Result<Option<String>> {
        match (self.missing)() {
            None => self.contender.left_out(place),
            missing => Ok(missing),
        }
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        self.contender.warm_up(place)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        self.contender.run(place)
    }
}

/// Writes a whole load and closes the log.
pub fn write_all<W: Append>(mut writer: W, load: &Load) -> Result<()> {
    load.iter().try_for_each(|payload| writer.append(payload))?;
    writer.flush()?;
    writer.close()
}

pub fn verify(reader: &impl Read, folder: &Path, expected: Tally) -> Result<()> {
    let mut found = Tally::default();
    reader.read(folder, |payload| found.add_digest(payload))?;
    found.must_be(expected)
}
