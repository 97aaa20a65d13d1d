//! Records that went with their file: somebody has removed or moved it, or put another in its place, before a sync or a close
//! could answer for them.

use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::output::Output;
use super::Shared;
use crate::error::{Error, Kind, Result};
use crate::io::{is_no_file, Access, Directory};
use crate::log::names;
use crate::segment::Segment;

/// A segment whose name does not lead to it any more, and its last record.
pub(super) struct Lost {
    segment: Arc<Segment>,
    last_id: u64,
    why: &'static str,
}

impl Lost {
    /// Looks whether the name of a segment still leads to the file that was written.
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

/// The segments that were lost so far, and which of them a caller has heard of.
#[derive(Default)]
pub(super) struct Losses {
    /// The last ones, the newest first.
    known: Vec<Known>,
    /// How often one was found, or more was found in one.
    found: u64,
    /// How many of these a caller was told.
    told: u64,
}

struct Known {
    marker: u64,
    ids: RangeInclusive<u64>,
    /// What [`Losses::found`] was with the last of these ids.
    number: u64,
    error: Error,
}

/// Segments that are remembered: nobody removes that many, and asks for their records afterwards.
const KNOWN: usize = 64;

impl Losses {
    /// Takes note of a lost segment; true when it was not known.
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

    /// Whether no caller has heard of the last one yet.
    pub fn is_untold(&self) -> bool {
        self.told < self.found
    }

    /// What a call has to tell that began when so many were told and answers for record `id`.
    fn tell(&mut self, told_then: u64, id: u64) -> Result<()> {
        let concerns = |known: &&Known| known.ids.contains(&id) || known.number > told_then;
        let errors: Vec<&Error> = self.known.iter().rev().filter(concerns).map(|known| &known.error).collect();
        let told = match errors[..] {
            [] => return Ok(()),
            [one] => one.clone(),
            _ => Error::new(Kind::NotFound, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        };
        self.told = self.found;
        Err(told)
    }
}

impl Output {
    /// The current segment, when its file is not where it was.
    pub fn lost(&self) -> Option<Lost> {
        Lost::look(&**self.target.directory(), &self.appender.segment, self.next_id() - 1)
    }
}

impl Shared {
    /// How many losses callers have been told of.
    pub(super) fn losses_told(&self) -> u64 {
        self.losses.lock().told
    }

    /// Takes note of lost segments, and reports those that nobody knew. No lock is held.
    pub(super) fn note_lost(&self, lost: impl IntoIterator<Item = Lost>) {
        for lost in lost {
            let is_new = self.losses.lock().note(&lost);
            if is_new {
                self.report(&lost.error());
            }
        }
    }

    /// As [`Self::tell_lost`], of a call that may have failed because of what has happened to the log's directory as well.
    pub(super) fn with_the_lost(&self, told_then: u64, id: u64, done: Result<()>) -> Result<()> {
        match (done, self.tell_lost(told_then, id)) {
            (Err(error), Err(lost)) => Err(lost.because(&error.to_string())),
            (done, told) => done.and(told),
        }
    }

    /// The end of a call that answers for record `id`, and began when so many losses had been told.
    pub(super) fn tell_lost(&self, told_then: u64, id: u64) -> Result<()> {
        self.losses.lock().tell(told_then, id)
    }
}

/// Why what was written to a segment is not where everybody looks for it, if it is not.
fn why_lost(directory: &dyn Directory, segment: &Segment) -> Option<&'static str> {
    const GONE: &str = "the segment that was being written was removed or moved away";
    const REPLACED: &str = "another file has taken the place of the segment that was being written";
    let ours = segment.file.identity().ok().flatten()?;
    let there = match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain => Ok(facts.identity),
        // What a link leads to counts. Anything else is no segment.
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
        // It is there, or nobody knows.
        _ => None,
    }
}

/// Whether somebody has compressed the segment, which is closed then.
fn is_in_other_form(directory: &dyn Directory, name: &str) -> bool {
    let is_same = |other: &String| other != name && names::plain(other) == name;
    directory.list().is_ok_and(|files| files.iter().any(is_same))
}
