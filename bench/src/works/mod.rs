//! The works: what is measured, and the contenders.

mod append;
mod commands;
pub mod compress;
mod find;
mod json;
pub mod languages;
pub mod latency;
mod legacy;
mod read;
pub mod remote;
mod repair;
mod segments;
mod shared;
mod shipping;

use std::time::Duration;

use crate::contender::Contender;
use crate::Result;

pub const RAW: &str = "raw";
pub const RAW_PREALLOCATED: &str = "raw, preallocated";
pub const BASE: &str = "BASE";
pub const SQLITE: &str = "SQLite";
/// A log of as many records, written and closed.
pub const APPENDED: &str = "binlog, appended and closed";
pub const FULL_READ: &str = "binlog, full read";
pub const SQLITE_MAPPED: &str = "SQLite, mapped";
pub const SCHEDULE: &str = "the schedule alone";
/// The program that those of the other languages are compared with.
pub const C: &str = "C";
pub const RCLONE: &str = "rclone";
/// Reading the whole of a remote log, by the reader that elsewhere reads a small part of it.
pub const ALL_OF_IT: &str = "binlog, all of it";
pub const LISTED: &str = "raw, names listed and the last file read";

/// How much each contender does.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Payload bytes of one pass. A run is several passes, each on a new log, of which the median counts. A pass is
    /// small enough that a virtual machine does not return the freed memory to its host in between: a page that has to
    /// come back from there costs ten times the write into it.
    pub append_bytes: u64,
    /// Payload bytes of one log; all the logs of a work stay in the page cache together.
    pub read_bytes: u64,
    /// Payload bytes of one log that is searched.
    pub log_bytes: u64,
    pub durable_time: Duration,
    /// Payload bytes of the log with which an open writer and an open reader are measured.
    pub memory_bytes: u64,
    /// Rolls while latencies are measured, and records that a waiting reader is shown.
    pub rolls: u64,
    pub tailed_records: u64,
    /// Segments of the log with very many.
    pub segments: u64,
}

impl Amount {
    pub fn scaled(scale: f64) -> Self {
        let mebibytes = |count: u32| (scale * f64::from(count) * f64::from(1 << 20)) as u64;
        Amount {
            append_bytes: mebibytes(256),
            read_bytes: mebibytes(512),
            log_bytes: (scale * 1e9) as u64,
            durable_time: Duration::from_secs_f64((1.5 * scale.sqrt()).clamp(0.02, 3.0)),
            memory_bytes: mebibytes(1280),
            rolls: ((scale * 50.0) as u64).max(1),
            tailed_records: ((scale * 600.0) as u64).max(50),
            segments: ((scale * 10_000.0) as u64).max(10),
        }
    }
}

type Contenders = Vec<Box<dyn Contender>>;
type Build = fn(Amount) -> Result<Contenders>;

pub struct Work {
    pub name: &'static str,
    /// Whether it measures the disk; it is left out on a file system in memory.
    pub needs_disk: bool,
    /// Passes a run.
    pub passes: usize,
    pub presentation: Presentation,
    pub contenders: Build,
}

/// How the results of a work are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// As records a second.
    Rates,
    /// As the time of one operation, compared with that of this contender.
    Times { beside: &'static str },
    /// As the latencies of single records.
    Latencies,
    /// As records a second, compared with those of the program in C.
    BesideC,
}

impl Presentation {
    /// The contender that the others are compared with.
    pub fn beside(self) -> Option<&'static str> {
        match self {
            Presentation::Times { beside } => Some(beside),
            Presentation::BesideC => Some(C),
            Presentation::Rates | Presentation::Latencies => None,
        }
    }
}

/// Both make 2 GiB a run.
pub const APPENDING: usize = 8;
pub const READING: usize = 4;

const SEARCHING: usize = 3;

/// Programs warm up themselves after each start.
const STARTING: usize = 3;

pub const WORKS: &[Work] = &[
    appending("append 600 B", |amount| append::beside_loggers(600, amount)),
    appending("append 100 B", append::small),
    appending("append 4 KiB", |amount| append::one_by_one(4096, amount)),
    appending("gather 1 MiB in 3 parts", append::gather),
    reading("read 600 B", |amount| read::everything(600, amount)),
    reading("read 100 B", |amount| read::everything(100, amount)),
    reading("read 4 KiB", |amount| read::everything(4096, amount)),
    reading("headers only, 600 B", |amount| read::headers(600, amount)),
    appending("threads append 600 B", shared::threads),
    Work {
        name: "durable appends of 600 B",
        needs_disk: true,
        passes: 1,
        presentation: Presentation::Rates,
        contenders: shared::durable,
    },
    Work {
        name: "durable appends of 600 B beside busy processors",
        needs_disk: true,
        passes: 1,
        presentation: Presentation::Rates,
        contenders: shared::durable_beside_busy,
    },
    appending("JSON in", json::write),
    reading("JSON out", json::read),
    searching("read 1 type in 1,000", SQLITE, find::one_type),
    searching("find 1 record by id", SQLITE, find::by_id),
    searching("find 1 record by time", SQLITE, find::by_time),
    searching("open after a kill", BASE, repair::open),
    searching("rebuild a lost index", FULL_READ, repair::rebuild),
    searching("read behind 1,000 damaged pages", FULL_READ, repair::salvage),
    searching("open a log of 10,000 segments", LISTED, segments::open),
    searching("ls, info and verify of 10,000 segments", FULL_READ, commands::segments),
    searching("info of 1 GB of records of 100 B", FULL_READ, commands::info),
    reading("read older libraries' files, 600 B", legacy::read),
    Work {
        name: "import 600 B",
        needs_disk: false,
        passes: 1,
        presentation: Presentation::Rates,
        contenders: legacy::import,
    },
    shipping("ship 1 GB to S3, 16 segments", shipping::segments),
    shipping("ship 1 GB to S3, one segment", shipping::one_segment),
    searching("read 1 type in 1,000 from S3", ALL_OF_IT, remote::evenly),
    searching("read 1 type in 1,000 from S3, bursts of 1,000", ALL_OF_IT, remote::in_bursts),
    searching("read 1 type in 1,000 from S3, 1 Gbit/s and 10 ms away", ALL_OF_IT, remote::far_away),
    Work {
        name: "compress a segment of JSON",
        needs_disk: false,
        passes: 3,
        presentation: Presentation::Rates,
        contenders: compress::segment,
    },
    waiting("append latency over 50 rolls", latency::rolls),
    waiting("append latency at 1 million a second", latency::fast),
    waiting("append latency while shipping", latency::shipping),
    waiting("a tail sees a flushed record", latency::tail),
    in_languages("languages append 600 B", |amount| languages::append(600, amount)),
    in_languages("languages append 100 B", |amount| languages::append(100, amount)),
    in_languages("languages append 600 B, batches of 100", |amount| languages::append_batch(600, amount)),
    in_languages("languages append 100 B, batches of 100", |amount| languages::append_batch(100, amount)),
    in_languages("languages read 600 B", |amount| languages::read(600, amount)),
    in_languages("languages read 100 B", |amount| languages::read(100, amount)),
];

pub fn presentation_of(work: &str) -> Presentation {
    WORKS.iter().find(|known| known.name == work).map_or(Presentation::Rates, |work| work.presentation)
}

const fn appending(name: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: APPENDING, presentation: Presentation::Rates, contenders }
}

const fn reading(name: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: READING, presentation: Presentation::Rates, contenders }
}

const fn searching(name: &'static str, beside: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: SEARCHING, presentation: Presentation::Times { beside }, contenders }
}

const fn waiting(name: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: 1, presentation: Presentation::Latencies, contenders }
}

const fn shipping(name: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: 1, presentation: Presentation::Times { beside: RCLONE }, contenders }
}

const fn in_languages(name: &'static str, contenders: Build) -> Work {
    Work { name, needs_disk: false, passes: STARTING, presentation: Presentation::BesideC, contenders }
}

fn boxed(contender: impl Contender + 'static) -> Box<dyn Contender> {
    Box::new(contender)
}
