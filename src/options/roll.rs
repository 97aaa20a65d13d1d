//! When a log rolls to its next segment, how segments are named, and which old ones are removed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};

/// When a log rolls, besides [`crate::WriterOptions::segment_bytes`], and how its segments are named. The rules may be
/// combined in any way: the first one that is met rolls. A roll never splits a batch, and never leaves an empty
/// segment.
#[derive(Clone)]
pub struct RollOptions {
    /// At each multiple of this length of time, by the wall clock of `zone`. `None` = never.
    pub period: Option<Period>,
    /// The time zone of `period` and of the times in names: "" or "UTC", or a name of the IANA time zone database, such
    /// as "Europe/Berlin".
    pub zone: String,
    /// This long after the segment was begun.
    pub age: Option<Duration>,
    /// After so many records: no segment holds more, except for a larger batch.
    pub records: Option<u64>,
    /// When this function returns true; called after each write to the file and in [`crate::Writer::tick`], outside of
    /// all locks.
    pub check: Option<RollCheck>,
    /// The names of segments: `{name}` is the log's name, `{seq}` the segment's number in ten digits, the rest as in
    /// strftime(3): `%Y %m %d %H %M %S` and those that `docs/rolling.md` lists, for the time at which the file is
    /// created. A template without `{seq}` gets `.{seq}` at its end. Spaces, slashes and colons become underscores.
    pub template: String,
}

/// The template by default: its names sort in the order of writing whatever the clock does.
pub const DEFAULT_TEMPLATE: &str = "{name}.{seq}";

impl Default for RollOptions {
    fn default() -> Self {
        RollOptions {
            period: None,
            zone: String::new(),
            age: None,
            records: None,
            check: None,
            template: DEFAULT_TEMPLATE.to_owned(),
        }
    }
}

impl fmt::Debug for RollOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollOptions")
            .field("period", &self.period)
            .field("zone", &self.zone)
            .field("age", &self.age)
            .field("records", &self.records)
            .field("check", &self.check.is_some())
            .field("template", &self.template)
            .finish()
    }
}

impl RollOptions {
    /// Refuses rules of zero. Zone and template are checked where they are used.
    pub(crate) fn check(&self) -> Result<()> {
        if self.age == Some(Duration::ZERO) || self.records == Some(0) {
            return Err(Error::invalid("a rule of zero for rolling; leave the rule out instead"));
        }
        Ok(())
    }
}

/// A length of time at whose multiples a log rolls: a whole number of seconds.
///
/// Periods of a day and less restart with each day of the zone; longer ones are counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period(u64);

impl Period {
    /// Each minute.
    pub const MINUTE: Period = Period(60);
    /// At minutes 0, 5, 10 …
    pub const FIVE_MINUTES: Period = Period(300);
    /// At minutes 0, 10, 20 …
    pub const TEN_MINUTES: Period = Period(600);
    /// At minutes 0, 15, 30, 45.
    pub const QUARTER_HOUR: Period = Period(900);
    /// At minutes 0 and 30.
    pub const HALF_HOUR: Period = Period(1_800);
    /// At each full hour.
    pub const HOUR: Period = Period(3_600);
    /// At midnight.
    pub const DAY: Period = Period(86_400);

    const NAMES: [(&'static str, Period); 7] = [
        ("MINUTE", Period::MINUTE),
        ("FIVE_MINUTES", Period::FIVE_MINUTES),
        ("TEN_MINUTES", Period::TEN_MINUTES),
        ("QUARTER_HOUR", Period::QUARTER_HOUR),
        ("HALF_HOUR", Period::HALF_HOUR),
        ("HOUR", Period::HOUR),
        ("DAY", Period::DAY),
    ];

    /// A period of so many seconds, 1 to 100 years of them; `None` for others.
    pub const fn from_seconds(seconds: u64) -> Option<Self> {
        match seconds {
            1..=3_162_240_000 => Some(Period(seconds)),
            _ => None,
        }
    }

    /// Its length.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

/// Parses `HOUR` and the other names of the constants, in any case, or a number of seconds.
impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Period::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, period)| *period);
        let counted = || text.parse().ok().and_then(Period::from_seconds);
        named.or_else(counted).ok_or_else(|| {
            let names = Period::NAMES.map(|(name, _)| name).join(", ");
            Error::invalid(format!("{text:?} is no period: take one of {names}, or a number of seconds"))
        })
    }
}

/// Writes the constant's name, or the seconds.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Period::NAMES.iter().find(|(_, period)| period == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{} s", self.0),
        }
    }
}

/// Decides whether a log rolls now.
pub type RollCheck = Arc<dyn Fn(&SegmentState) -> bool + Send + Sync>;

/// The segment that is being written, as a [`RollCheck`] sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentState {
    /// Its file.
    pub path: PathBuf,
    /// Its number in the log.
    pub sequence: u64,
    /// When it was begun, and the current time: nanoseconds since the Unix epoch, by the writer's clock.
    pub created: i64,
    /// See `created`.
    pub now: i64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Id of its first record.
    pub first_id: u64,
    /// Records in it.
    pub records: u64,
}

/// Which old segments are removed, after each roll and when a writer is opened. A segment is removed when any of the
/// rules requires it; the segment that is being written always stays. Only files whose header identifies them as
/// segments of this log are removed, and never through a symbolic link. `Retention::default()` keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// A segment is removed when the next one was begun longer ago than this: then its newest record is older.
    pub age: Option<Duration>,
    /// The oldest are removed until no more than so many are left, including the one being written.
    pub segments: Option<u64>,
    /// The oldest are removed until all together take no more than so many bytes, including the one being written.
    pub bytes: Option<u64>,
    /// For a log that is shipped to a store: also remove segments that are in no store yet. Without it such a segment
    /// stays, with the later ones, whatever the rules say.
    pub unshipped: bool,
}

impl Retention {
    /// Whether there is any rule.
    pub fn is_some(&self) -> bool {
        self.age.is_some() || self.segments.is_some() || self.bytes.is_some()
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.age == Some(Duration::ZERO) || self.segments == Some(0) || self.bytes == Some(0) {
            true => Err(Error::invalid("a rule of zero for keeping segments; leave the rule out instead")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_what_it_shows() {
        for (name, period) in Period::NAMES {
            assert_eq!(name.to_lowercase().parse::<Period>().unwrap(), period);
            assert_eq!(period.to_string(), name);
        }
        assert_eq!("90".parse::<Period>().unwrap().to_string(), "90 s");
        for wrong in ["", "0", "-1", "WEEKLY", "4000000000000"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }
}
