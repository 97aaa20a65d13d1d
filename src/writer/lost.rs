//! Records lost with their file: it was removed, moved or replaced before a sync or a close had confirmed them.

use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::sync::Mutex;
use crate::io::{is_no_file, Access, Directory};
use crate::log::names;
use crate::segment::Segment;

/// A segment whose name no longer refers to it, and its last record.
pub(super) struct Lost {
    segment: Arc<Segment>,
    last_id: u64,
    why: &'static str,
}

impl Lost {
    /// Checks whether the name of a segment still refers to the file that was written.
    pub fn look(directory: &dyn Directory, segment: &Arc<Segment>, last_id: u64) -> Option<Self> {
        let why = why_lost(directory, segment)?;
        Some(Lost { segment: segment.clone(), last_id, why })
    }

    fn error(&self) -> Error {
        let first = self.segment.header.first_id;
        let records = match self.last_id.checked_sub(first) {
            None => "it held no record".to_owned(),
            Some(0) => format!("record {first} in it is lost"),
            Some(_) => format!("the records {first} to {} in it are lost", self.last_id),
        };
        Error::new(Kind::NotFound, format!("{}: {records}", self.why)).at(&self.segment.path)
    }
}

/// The segments that were lost so far, and which of them a call has reported.
#[derive(Default)]
pub(super) struct Losses(Mutex<Record>);

#[derive(Default)]
struct Record {
    /// The last ones, the newest first.
    known: Vec<Known>,
    /// How often a lost segment was found, or more lost records in a known one.
    found: u64,
    /// How many of these a call has reported.
    reported: u64,
}

struct Known {
    marker: u64,
    ids: RangeInclusive<u64>,
    /// The value of [`Record::found`] when the last of these ids was noted.
    number: u64,
    error: Error,
}

/// How many segments are remembered; records of older ones are not asked for in practice.
const KNOWN: usize = 64;

impl Losses {
    /// How many losses calls have reported.
    pub fn reported(&self) -> u64 {
        self.0.lock().reported
    }

    /// Whether no call has reported the last one yet.
    pub fn is_unreported(&self) -> bool {
        let losses = self.0.lock();
        losses.reported < losses.found
    }

    /// Notes lost segments, and calls `report` for those that were not known. No lock is held meanwhile.
    pub fn note(&self, lost: impl IntoIterator<Item = Lost>, report: impl Fn(&Error)) {
        for lost in lost {
            let is_new = self.0.lock().note(&lost);
            if is_new {
                report(&lost.error());
            }
        }
    }

    /// Ends a call that answers for record `id` and began when `reported_then` losses had been reported.
    pub fn report(&self, reported_then: u64, id: u64) -> Result<()> {
        self.0.lock().report(reported_then, id)
    }

    /// As [`Self::report`], for a call that may also have failed because of what happened to the log's directory.
    pub fn with(&self, reported_then: u64, id: u64, done: Result<()>) -> Result<()> {
        match (done, self.report(reported_then, id)) {
            (Err(error), Err(lost)) => Err(lost.because(&error.to_string())),
            (done, reported) => done.and(reported),
        }
    }
}

impl Record {
    /// Notes a lost segment; true when it was not known.
    fn note(&mut self, lost: &Lost) -> bool {
        let (marker, ids) = (lost.segment.header.marker, lost.segment.header.first_id..=lost.last_id);
        let at = self.known.iter().position(|known| known.marker == marker);
        let before = at.map(|at| self.known.remove(at));
        let has_grown = before.as_ref().is_none_or(|known| known.ids.end() < ids.end()) && !ids.is_empty();
        self.found += u64::from(has_grown);
        let number = if has_grown { self.found } else { before.as_ref().map_or(0, |known| known.number) };
        self.known.truncate(KNOWN - 1);
        self.known.insert(0, Known { marker, ids, number, error: lost.error() });
        before.is_none()
    }

    fn report(&mut self, reported_then: u64, id: u64) -> Result<()> {
        let concerns = |known: &&Known| known.ids.contains(&id) || known.number > reported_then;
        let errors: Vec<&Error> = self.known.iter().rev().filter(concerns).map(|known| &known.error).collect();
        let error = match errors[..] {
            [] => return Ok(()),
            [one] => one.clone(),
            _ => Error::new(Kind::NotFound, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        };
        self.reported = self.found;
        Err(error)
    }
}

/// Why the name of a segment does not refer to the file that was written, or `None`.
fn why_lost(directory: &dyn Directory, segment: &Segment) -> Option<&'static str> {
    const GONE: &str = "the segment that was being written was removed or moved away";
    const REPLACED: &str = "another file has taken the place of the segment that was being written";
    let ours = segment.file.identity().ok().flatten()?;
    let there = match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain => Ok(facts.identity),
        // The target of a link counts. Anything else is no segment.
        Ok(_) => match directory.open(&segment.name, Access::Read) {
            Ok(file) => file.identity(),
            Err(e) if is_no_file(&e) => return Some(REPLACED),
            Err(e) => Err(e),
        },
        Err(e) => Err(e),
    };
    match there {
        Ok(Some(there)) if there != ours => Some(REPLACED),
        Err(e) if e.kind() == ErrorKind::NotFound && !is_in_other_form(directory, &segment.name) => Some(GONE),
        // It is there, or this cannot be determined.
        _ => None,
    }
}

/// Whether the segment has been compressed meanwhile, and so is closed.
fn is_in_other_form(directory: &dyn Directory, name: &str) -> bool {
    let is_same = |other: &String| other != name && names::plain(other) == name;
    directory.list().is_ok_and(|files| files.iter().any(is_same))
}
