//! The targets for binlog, in one table.

use crate::works::compress::{COMPRESS, COMPRESS_2, ZSTD};
use crate::works::languages::{C_APPENDER, GO_APPENDER, JAVA_APPENDER, PLAIN_C, PLAIN_GO, PLAIN_JAVA};
use crate::works::latency::{APPENDER, BESIDE};
use crate::works::remote::{COPIED, RARE};
use crate::works::{ALL_OF_IT, APPENDED, BASE, C, FULL_READ, RAW, RCLONE, SCHEDULE, SQLITE, SQLITE_MAPPED};

/// The unit of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    /// The median of another contender in the same work.
    Contender(&'static str),
    /// 10^9 bytes of payload a second.
    GigabytesPerSecond,
    /// Times a second; shown as the longest time that one may take.
    PerSecond,
}

#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub work: &'static str,
    pub contender: &'static str,
    pub at_least: f64,
    pub of: Of,
}

const fn target(work: &'static str, contender: &'static str, at_least: f64, of: &'static str) -> Target {
    Target { work, contender, at_least, of: Of::Contender(of) }
}

const fn speed(work: &'static str, contender: &'static str, at_least: f64) -> Target {
    Target { work, contender, at_least, of: Of::GigabytesPerSecond }
}

const fn within(work: &'static str, contender: &'static str, seconds: f64) -> Target {
    Target { work, contender, at_least: 1.0 / seconds, of: Of::PerSecond }
}

/// The quantile of the latencies that is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantile {
    P50,
    P999,
    Most,
}

/// A limit for the latencies of single records.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub work: &'static str,
    pub contender: &'static str,
    pub quantile: Quantile,
    /// Seconds at the most, added to the quantile of the contender `over`.
    pub at_most: f64,
    pub over: Option<&'static str>,
}

const fn over(contender: &'static str, quantile: Quantile, at_most: f64, other: &'static str) -> Bound {
    Bound { work: "append latency over 50 rolls", contender, quantile, at_most, over: Some(other) }
}

const fn at_a_million(quantile: Quantile, at_most: f64) -> Bound {
    let work = "append latency at 1 million a second";
    Bound { work, contender: APPENDER, quantile, at_most, over: Some(SCHEDULE) }
}

const BOUNDS: &[Bound] = &[
    over("binlog, ticked", Quantile::P999, 1e-3, "binlog, ticked, no rolls"),
    over("binlog, ticked", Quantile::Most, 1e-3, "binlog, ticked, no rolls"),
    over("binlog, background", Quantile::P999, 1e-3, "binlog, background, no rolls"),
    over("binlog, background", Quantile::Most, 1e-3, "binlog, background, no rolls"),
    at_a_million(Quantile::P50, 20e-9),
    at_a_million(Quantile::P999, 2e-6),
    // Within the difference of two runs of the same contender.
    Bound {
        work: "append latency while shipping",
        contender: "binlog, background, shipped",
        quantile: Quantile::P999,
        at_most: 2e-3,
        over: Some(BESIDE),
    },
    Bound {
        work: "a tail sees a flushed record",
        contender: "binlog",
        quantile: Quantile::P50,
        at_most: 2e-3,
        over: None,
    },
    Bound {
        work: "a tail sees a flushed record",
        contender: "binlog, background",
        quantile: Quantile::P50,
        at_most: 2e-3,
        over: None,
    },
];

pub fn bounds(work: &str, contender: &str) -> Vec<Bound> {
    BOUNDS.iter().filter(|bound| bound.work == work && bound.contender == contender).copied().collect()
}

const TARGETS: &[Target] = &[
    target("append 600 B", "binlog", 1.15, BASE),
    target("append 600 B", "binlog, background", 2.0, BASE),
    target("append 600 B", "binlog, background", 0.85, RAW),
    target("append 100 B", "binlog", 1.6, BASE),
    target("append 100 B", "binlog, background", 1.6, BASE),
    target("append 100 B", "binlog, batches of 100", 2.7, BASE),
    target("append 100 B", "binlog, background, batches of 100", 2.7, BASE),
    target("append 4 KiB", "binlog", 1.0, BASE),
    target("append 600 B", "binlog, appender, background", 2.2, BASE),
    target("append 600 B", "binlog, appender, background", 1.0, RAW),
    target("append 100 B", "binlog, appender, background", 3.0, BASE),
    target("append 4 KiB", "binlog, background", 1.4, BASE),
    target("gather 1 MiB in 3 parts", "binlog", 0.9, RAW),
    target("gather 1 MiB in 3 parts", "binlog, background", 0.9, RAW),
    target("read 600 B", "binlog", 2.0, BASE),
    target("read 100 B", "binlog", 3.5, BASE),
    target("read 4 KiB", "binlog", 1.8, BASE),
    target("headers only, 600 B", "binlog, headers only", 5.0, "binlog"),
    target("threads append 600 B", "binlog, 8 threads", 0.8, "binlog, 1 thread"),
    target("threads append 600 B", "binlog, 64 threads", 0.8, "binlog, 1 thread"),
    target("threads append 600 B", "binlog, background, 8 threads", 0.95, "binlog, background, 1 thread"),
    target("threads append 600 B", "binlog, background, 64 threads", 0.95, "binlog, background, 1 thread"),
    target(
        "threads append 600 B",
        "binlog, appenders, background, 8 threads",
        1.0,
        "binlog, appenders, background, 1 thread",
    ),
    target(
        "threads append 600 B",
        "binlog, appenders, background, 64 threads",
        1.0,
        "binlog, appenders, background, 1 thread",
    ),
    target("durable appends of 600 B", "binlog, 1 thread", 1.4, RAW),
    target("durable appends of 600 B", "binlog, 8 threads", 5.0, RAW),
    target("durable appends of 600 B", "binlog, 64 threads", 18.0, RAW),
    target("durable appends of 600 B", "binlog, 1 thread", 1.0, "raft-engine, 1 thread"),
    target("durable appends of 600 B", "binlog, 8 threads", 1.0, "raft-engine, 8 threads"),
    target("durable appends of 600 B", "binlog, 64 threads", 1.0, "raft-engine, 64 threads"),
    target("durable appends of 600 B", "binlog, 1 thread", 1.0, "okaywal, 1 thread"),
    target("durable appends of 600 B", "binlog, 8 threads", 1.0, "okaywal, 8 threads"),
    target("durable appends of 600 B", "binlog, 64 threads", 1.0, "okaywal, 64 threads"),
    target("durable appends of 600 B beside busy processors", "binlog, 8 threads", 1.0, "raft-engine, 8 threads"),
    target("durable appends of 600 B beside busy processors", "binlog, 8 threads", 1.0, "okaywal, 8 threads"),
    speed("JSON in", "binlog, lz4", 1.2),
    speed("JSON in", "binlog, lz4, background", 1.2),
    speed("JSON in", "binlog, zstd", 1.2),
    speed("JSON in", "binlog, zstd, background", 1.2),
    speed("JSON out", "binlog, lz4", 3.0),
    speed("JSON out", "binlog, zstd", 3.0),
    target("read 1 type in 1,000", "binlog", 1.0, SQLITE),
    target("read 1 type in 1,000", "binlog", 1.0, SQLITE_MAPPED),
    target("find 1 record by id", "binlog", 1.2, SQLITE),
    target("find 1 record by time", "binlog", 1.2, SQLITE),
    within("open after a kill", "binlog", 10e-3),
    within("open after a kill", "binlog, ten times as large", 10e-3),
    // The same, within the precision at which two logs of equal work differ.
    target("open after a kill", "binlog, ten times as large", 0.8, "binlog"),
    target("rebuild a lost index", "binlog, index rebuilt", 20.0, FULL_READ),
    target("read behind 1,000 damaged pages", "binlog, salvage of damaged pages", 0.5, FULL_READ),
    within("open a log of 10,000 segments", "binlog", 20e-3),
    within("ls, info and verify of 10,000 segments", "binlog ls", 1.0),
    within("ls, info and verify of 10,000 segments", "binlog info", 1.0),
    target("ls, info and verify of 10,000 segments", "binlog verify", 1.0 / 1.5, FULL_READ),
    // Four times as many take four times as long, within the precision of the measurement.
    target("ls, info and verify of 10,000 segments", "binlog ls", 0.2, "binlog ls, a quarter"),
    target("ls, info and verify of 10,000 segments", "binlog info", 0.2, "binlog info, a quarter"),
    target("ls, info and verify of 10,000 segments", "binlog verify", 0.2, "binlog verify, a quarter"),
    target("info of 1 GB of records of 100 B", "binlog info", 1.0, FULL_READ),
    // Ten times the rate of its own reader.
    within("read older libraries' files, 600 B", "the Java binlog's file", 1.0 / 11.5e6),
    target("compress a segment of JSON", COMPRESS, 0.8, ZSTD),
    target("compress a segment of JSON", COMPRESS_2, 1.6, ZSTD),
    target("import 600 B", "the Java binlog's file", 0.5, APPENDED),
    target("import 600 B", "the Python logger's file", 0.5, APPENDED),
    target("import 600 B", "shoebox's archive", 0.5, APPENDED),
    target("ship 1 GB to S3, 16 segments", "binlog ship", 0.9, RCLONE),
    target("ship 1 GB to S3, one segment", "binlog ship", 0.9, RCLONE),
    target("read 1 type in 1,000 from S3", RARE, 10.0, ALL_OF_IT),
    target("read 1 type in 1,000 from S3", RARE, 10.0, COPIED),
    target("read 1 type in 1,000 from S3, 1 Gbit/s and 10 ms away", RARE, 10.0, ALL_OF_IT),
    target("read 1 type in 1,000 from S3, bursts of 1,000", RARE, 10.0, ALL_OF_IT),
    target("read 1 type in 1,000 from S3, bursts of 1,000", RARE, 10.0, COPIED),
    target("languages append 600 B", "Java", 0.5, C),
    target("languages append 600 B", "Go", 0.6, C),
    target("languages append 100 B", "Java", 0.5, C),
    target("languages append 100 B", "Go", 0.6, C),
    target("languages append 100 B", C_APPENDER, 2.0, PLAIN_C),
    target("languages append 600 B", JAVA_APPENDER, 1.3, PLAIN_JAVA),
    target("languages append 100 B", JAVA_APPENDER, 1.0, PLAIN_JAVA),
    target("languages append 600 B", GO_APPENDER, 2.0, PLAIN_GO),
    target("languages append 100 B", GO_APPENDER, 1.0, PLAIN_GO),
    target("languages append 600 B, batches of 100", "Java", 0.8, C),
    target("languages append 600 B, batches of 100", "Go", 0.85, C),
    target("languages append 100 B, batches of 100", "Java", 0.8, C),
    target("languages append 100 B, batches of 100", "Go", 0.85, C),
    target("languages read 600 B", "Java", 0.5, C),
    target("languages read 600 B", "Go", 0.7, C),
    target("languages read 100 B", "Java", 0.5, C),
    target("languages read 100 B", "Go", 0.7, C),
];

/// The most bytes on disk that a record may take in addition to its payload.
pub const OVERHEAD_600: f64 = 6.0;
pub const OVERHEAD_100: f64 = 4.0;

/// The most bytes of index for 1 GB of records of 100 B, in MB.
pub const INDEX: f64 = 1.0;

/// The most bytes fetched for records of a rare type, as a multiple of the blocks that contain them.
pub const FETCHED: f64 = 2.0;

/// The most memory of an open writer or reader, in MiB.
pub const MEMORY: f64 = 4.0;

pub fn of(work: &str, contender: &str) -> Vec<Target> {
    TARGETS.iter().filter(|target| target.work == work && target.contender == contender).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::works::{Amount, WORKS};

    /// A target whose names no longer match would never be checked.
    #[test]
    fn every_target_names_a_work_and_contenders_that_exist() {
        let must_exist = |work: &str, contender: &str, other: Option<&str>| {
            let work = WORKS.iter().find(|known| known.name == work).expect(work);
            let contenders = (work.contenders)(Amount::scaled(0.001)).expect(work.name);
            let exists = |name: &str| contenders.iter().any(|contender| contender.name() == name);
            assert!(exists(contender), "{}: {contender}", work.name);
            assert!(other.is_none_or(exists), "{}: {other:?}", work.name);
        };
        for target in TARGETS {
            let other = match target.of {
                Of::Contender(other) => Some(other),
                _ => None,
            };
            must_exist(target.work, target.contender, other);
        }
        BOUNDS.iter().for_each(|bound| must_exist(bound.work, bound.contender, bound.over));
    }
}
