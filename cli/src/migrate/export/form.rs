//! What a form of another library implements, and which losses it may have.

use std::io::{self, Write};

use binlog::contents::SegmentFacts;
use binlog::Record;

use crate::human;

/// What a form may have no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Loss {
    /// Times, or the part of them that is finer than a millisecond
    Times,
    /// Types
    Types,
    /// Metadata
    Metadata,
    /// Ids over 2,147,483,647, the greatest of the Java binlog
    Ids,
    /// With --events, those that the Java binlog does not know
    Events,
    /// Records without a payload, at which the Python logger stops reading
    Empty,
}

/// What the user allows to be lost where a form has no place for it. What the form has a place for is exported all
/// the same.
#[derive(Clone, Debug)]
pub struct Losses(pub Vec<Loss>);

impl Losses {
    /// Refuses the record unless this may be lost.
    pub fn allow(&self, loss: Loss, why: impl FnOnce() -> String) -> Result<(), Stop> {
        if self.0.contains(&loss) {
            return Ok(());
        }
        let word = match loss {
            Loss::Times => "times",
            Loss::Types => "types",
            Loss::Metadata => "metadata",
            Loss::Ids => "ids",
            Loss::Events => "events",
            Loss::Empty => "empty",
        };
        Err(Stop::Refused(format!("{}; `--leave-out {word}` goes on without", why())))
    }

    /// For a form without times.
    pub fn no_time(&self, record: &Record<'_>, form: &str) -> Result<(), Stop> {
        match record.time {
            0 => Ok(()),
            time => self.allow(Loss::Times, || format!("has the time {}, and {form} has no times", human::time(time))),
        }
    }

    /// For a form without types.
    pub fn no_type(&self, record: &Record<'_>, name: Option<&str>, form: &str) -> Result<(), Stop> {
        match (record.type_id, name) {
            (0, _) => Ok(()),
            (_, Some(name)) => self.allow(Loss::Types, || format!("has the type {name:?}, and {form} has no types")),
            (number, None) => self.allow(Loss::Types, || format!("has the type {number}, and {form} has no types")),
        }
    }

    /// For a form without metadata.
    pub fn no_metadata(&self, record: &Record<'_>, form: &str) -> Result<(), Stop> {
        match record.metadata.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => {
                self.allow(Loss::Metadata, || format!("has metadata ({key:?}), and {form} has no place for it"))
            }
        }
    }
}

/// Why a record was not written.
#[derive(Debug)]
pub enum Stop {
    /// The form cannot hold it: the reason.
    Refused(String),
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

/// A file of another library, from its first byte to its last.
pub trait Form {
    /// Writes what precedes the records; `log` is the log's first segment.
    fn begin(&mut self, _out: &mut dyn Write, _log: &SegmentFacts) -> io::Result<()> {
        Ok(())
    }

    /// Writes a record, or an event if those were asked for; `name` is that of a named type.
    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop>;

    /// Number of records that were left out, as the user has allowed.
    fn left_out(&self) -> u64 {
        0
    }

    /// Writes what follows the records.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
