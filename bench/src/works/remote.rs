//! Records of a rare type, in a log of one segment on an S3 server.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::{boxed, Amount, Contenders, ALL_OF_IT};
use crate::binlog_c::{self, BatchReader, BinlogWriter, Codec, Mode};
use crate::contender::{Contender, Needing, Read, Sample, Tally};
use crate::crash::ONE_SEGMENT;
use crate::folder::fresh;
use crate::relay::{relayed, Line, Relay};
use crate::shipping::{missing, rclone, succeed, Prefix};
use crate::task::once;
use crate::typed::{self, TypedLoad};
use crate::Result;

const SIZE: usize = 600;
pub const BURST: u64 = 1_000;

pub const RARE: &str = "binlog, the rare type";
/// With a client that fetches whole files, to a file.
pub const COPIED: &str = "rclone, the file";

pub fn evenly(amount: Amount) -> Result<Contenders> {
    Ok(contenders(TypedLoad::of_bytes(SIZE, amount.log_bytes)))
}

/// Over a line of 1 Gbit/s, with 10 ms to each answer: from another place, rather than from this machine.
pub fn far_away(amount: Amount) -> Result<Contenders> {
    let line = || Line::new(125e6, Duration::from_millis(10));
    let log = RemoteLog::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let log = Rc::new(RemoteLog { line: Some(line), ..log });
    Ok(vec![reading(&log, ALL_OF_IT, How::AllOfIt), reading(&log, RARE, How::Rare)])
}

pub fn in_bursts(amount: Amount) -> Result<Contenders> {
    Ok(contenders(TypedLoad::of_bytes(SIZE, amount.log_bytes).in_bursts(BURST)))
}

fn contenders(load: TypedLoad) -> Contenders {
    let log = Rc::new(RemoteLog::new(load));
    let by = |name, how| reading(&log, name, how);
    vec![by(COPIED, How::Copied), by(ALL_OF_IT, How::AllOfIt), by(RARE, How::Rare)]
}

fn reading(log: &Rc<RemoteLog>, name: &'static str, reading: How) -> Box<dyn Contender> {
    boxed(Needing { contender: boxed(Reading { name, reading, log: log.clone() }), missing })
}

/// A log that is written here, and stored there until this is dropped.
pub struct RemoteLog {
    pub load: TypedLoad,
    stored: Stored,
    line: Option<fn() -> Line>,
    relay: OnceCell<(String, Relay)>,
}

/// Removed from the store at the end.
struct Stored(Prefix);

impl Drop for Stored {
    fn drop(&mut self) {
        if missing().is_none() {
            let _ = self.0.discard();
        }
    }
}

impl RemoteLog {
    pub fn new(load: TypedLoad) -> Self {
        RemoteLog { load, stored: Stored(Prefix::new()), line: None, relay: OnceCell::new() }
    }

    /// Writes and stores it, unless that was done before; returns the local folder.
    pub fn make(&self, place: &Path) -> Result<PathBuf> {
        let folder = place.join("remote");
        if !folder.exists() {
            self.load.write(BinlogWriter::open(fresh(&folder)?, Mode::Caller, Codec::None, ONE_SEGMENT)?)?;
            succeed(rclone()?.args(["copy", "--include", "*.binlog"]).arg(&folder).arg(self.stored.0.remote()?))?;
        }
        Ok(folder)
    }

    pub fn url(&self) -> Result<String> {
        let Some(line) = self.line else { return self.stored.0.url() };
        if self.relay.get().is_none() {
            let relayed = relayed(&self.stored.0.url()?, |server| Relay::over(server, line()))?;
            let _ = self.relay.set(relayed);
        }
        self.relay.get().map(|(url, _)| url.clone()).ok_or_else(|| "there is no relay".into())
    }

    /// Reads the records of the rare type.
    pub fn read_rare(url: &str, visit: impl FnMut(u64, &[u8])) -> Result<()> {
        binlog_c::read_type(Path::new(url), typed::RARE, visit)
    }
}

#[derive(Clone, Copy)]
enum How {
    Copied,
    AllOfIt,
    Rare,
}

struct Reading {
    name: &'static str,
    reading: How,
    log: Rc<RemoteLog>,
}

impl Reading {
    fn read(&self, place: &Path, every_byte: bool) -> Result<Sample> {
        let (load, url) = (&self.log.load, self.log.url()?);
        let all = || Tally { records: load.records, bytes: load.bytes(), digest: 0 };
        let mut found = Tally::default();
        match self.reading {
            How::Copied => {
                let copy = fresh(&place.join("copied"))?.to_owned();
                let sample =
                    once(load.bytes(), || succeed(rclone()?.arg("copy").arg(self.log.stored.0.remote()?).arg(&copy)))?;
                fs::remove_dir_all(&copy)?;
                Ok(sample)
            }
            How::AllOfIt => {
                let read = || BatchReader.read(Path::new(&url), |payload| found.add(payload));
                let sample = once(load.bytes(), read)?;
                found.must_be(all())?;
                Ok(sample)
            }
            How::Rare if every_byte => {
                let sample = once(0, || RemoteLog::read_rare(&url, |_, payload| found.add_digest(payload)))?;
                found.must_be(load.rare())?;
                Ok(sample)
            }
            How::Rare => {
                let sample = once(0, || RemoteLog::read_rare(&url, |_, payload| found.add(payload)))?;
                found.must_be(Tally { digest: 0, ..load.rare() })?;
                Ok(sample)
            }
        }
    }
}

impl Contender for Reading {
    fn name(&self) -> &str {
        self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        self.log.make(place)?;
        self.read(place, true).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        self.read(place, false)
    }
}
