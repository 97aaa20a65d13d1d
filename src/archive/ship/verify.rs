//! Compares what the store holds with what is here, and with what is known of what was here.

use std::collections::BTreeMap;
use std::fmt;

use super::local::{Files, Local};
use super::{here as failed_here, ShipMonitor, Shipped, Shipper};
use crate::archive::life::Entry;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::format::limits;
use crate::io::Access;
use crate::log::names;
use crate::store::{confirm, Answer, Confirmed, Failure, Sums};

/// What [`Shipper::verify`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments that the store holds as they were shipped, and their bytes.
    pub sound_segments: u64,
    /// See `sound_segments`.
    pub sound_bytes: u64,
    /// Closed segments that wait to be shipped.
    pub waiting_segments: u64,
    /// Numbers of the oldest and the newest segment that are here or there; 0 when there is none.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// What is wrong, in the order of the segments.
    pub problems: Vec<Problem>,
    /// Objects below the store's URL whose names begin with the log's, and that are no segments of it. They are left alone.
    pub foreign: Vec<String>,
    /// Whether it was told to stop before all was looked at.
    pub stopped: bool,
}

/// Something that is wrong with what the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A segment that was shipped is not there.
    Missing {
        /// Its number.
        sequence: u64,
        /// The object's name.
        object: String,
        /// Its file is still here.
        is_here: bool,
    },
    /// The object is another one than was shipped.
    Different {
        /// Its number.
        sequence: u64,
        /// The object's name.
        object: String,
    },
    /// Segments of the log that are neither here nor there.
    Gap {
        /// Number of the first of them.
        first: u64,
        /// And of the last.
        last: u64,
    },
}

impl Problem {
    fn place(&self) -> u64 {
        match self {
            Problem::Missing { sequence, .. } | Problem::Different { sequence, .. } => *sequence,
            Problem::Gap { first, .. } => *first,
        }
    }
}

/// A sentence.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Missing { sequence, object, is_here: true } => {
                write!(f, "segment {sequence} is no longer in the store ({object}); it is still here")
            }
            Problem::Missing { sequence, object, is_here: false } => {
                write!(f, "segment {sequence} is missing from the store ({object}), and is not here")
            }
            Problem::Different { sequence, object } => {
                write!(f, "segment {sequence} is another one in the store ({object}) than was shipped")
            }
            Problem::Gap { first, last } if first == last => {
                write!(f, "segment {first} is neither here nor in the store")
            }
            Problem::Gap { first, last } => write!(f, "segments {first} to {last} are neither here nor in the store"),
        }
    }
}

impl Shipper {
    /// Compares the store with what is here: each segment whose file is here by its contents, each other one that was shipped
    /// by its length and by what the store said of it when it was confirmed, or, with `read_back` or where it said nothing, by
    /// reading all of it. Segments that nobody remembers are known by their headers. Changes nothing, here or there.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a store that cannot be read from; what the store or the system says: nothing is tried again.
    pub fn verify(&self, read_back: bool, monitor: &dyn ShipMonitor) -> Result<VerifyReport> {
        self.compare(read_back, monitor).map_err(|failure| failure.error)
    }

    fn compare(&self, read_back: bool, monitor: &dyn ShipMonitor) -> Answer<VerifyReport> {
        if !self.store.can_read() {
            let reason = "a command only says that it has taken a segment: what it has made of it cannot be looked at";
            let error = Error::new(Kind::Unsupported, reason).at(std::path::Path::new(self.store.url()));
            return Err(failed_here(error));
        }
        let mut work = self.work.lock();
        let here = work.files.look(&*self.directory).map_err(failed_here)?;
        let mut objects: BTreeMap<String, u64> =
            self.store.list(&self.log)?.into_iter().map(|listed| (listed.name, listed.bytes)).collect();
        let mut report = VerifyReport::default();
        // Each segment that is accounted for, with the one before it.
        let mut chain: BTreeMap<u64, Option<u64>> =
            here.segments.iter().map(|segment| (segment.sequence, segment.after)).collect();
        let entries: Vec<Entry> = work.keeper.lock().of_store(self.store.url()).cloned().collect();
        for entry in entries.into_iter().filter(|entry| entry.stage.is_shipped()) {
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            objects.remove(&entry.file);
            let local =
                here.segments.iter().find(|local| (local.sequence, local.marker) == (entry.sequence, entry.marker));
            let path = self.directory.path_of(&entry.file);
            let shown = Shipped { path, sequence: entry.sequence, bytes: entry.bytes, found: true };
            monitor.begins(&shown);
            let confirmed = match local.filter(|local| local.name == entry.file && !read_back) {
                Some(local) => self.confirm_local(&local.name, &entry)?,
                None => self.confirm_noted(&entry, read_back)?,
            };
            chain.entry(entry.sequence).or_insert(entry.after);
            let (sequence, object) = (entry.sequence, entry.file);
            match confirmed {
                Confirmed::Same => {
                    report.sound_segments += 1;
                    report.sound_bytes += entry.bytes;
                    monitor.sent(entry.bytes);
                    monitor.uploaded(&shown);
                }
                Confirmed::Absent => {
                    report.problems.push(Problem::Missing { sequence, object, is_here: local.is_some() })
                }
                Confirmed::Different => report.problems.push(Problem::Different { sequence, object }),
            }
        }
        let keeper = work.keeper.lock();
        let is_waiting = |local: &&Local| !super::pass::is_shipped(&keeper, self.store.url(), local);
        let waiting: Vec<&Local> = here.closed().map(|(local, _)| local).filter(is_waiting).collect();
        drop(keeper);
        for local in waiting {
            report.waiting_segments += 1;
            // What lies under its name already will stop it, unless it is the same.
            if objects.remove(&local.name).is_some() && self.is_other(&local.name)? {
                let (sequence, object) = (local.sequence, local.name.clone());
                report.problems.push(Problem::Different { sequence, object });
            }
        }
        for (name, bytes) in objects {
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            match self.header_of(&name, bytes, &work.files)? {
                Some(header) => {
                    chain.entry(header.sequence).or_insert(header.predecessor.map(|told| told.sequence));
                    report.sound_segments += 1;
                    report.sound_bytes += bytes;
                }
                None => report.foreign.push(name),
            }
        }
        report.problems.extend(gaps(&chain));
        report.problems.sort_by_key(Problem::place);
        report.first = chain.first_key_value().map_or(0, |(sequence, _)| *sequence);
        report.last = chain.last_key_value().map_or(0, |(sequence, _)| *sequence);
        Ok(report)
    }

    /// Whether the object of a file's name is another one.
    fn is_other(&self, name: &str) -> Answer<bool> {
        let path = self.directory.path_of(name);
        let file = match self.directory.open(name, Access::Read) {
            Ok(file) => file,
            // It was compressed or removed meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(failed_here(Error::io(&e, "open").at(&path))),
        };
        let sums = self.sums(&file, &path)?;
        Ok(confirm(&*self.store, name, &sums)? == Confirmed::Different)
    }

    fn confirm_local(&self, name: &str, entry: &Entry) -> Answer<Confirmed> {
        let path = self.directory.path_of(name);
        let file = match self.directory.open(name, Access::Read) {
            Ok(file) => file,
            // It was removed meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return self.confirm_noted(entry, false),
            Err(e) => return Err(failed_here(Error::io(&e, "open").at(&path))),
        };
        let sums = self.sums(&file, &path)?;
        confirm(&*self.store, name, &sums)
    }

    /// Whether the object is the one that was confirmed, as far as that was noted.
    pub(super) fn confirm_noted(&self, entry: &Entry, read_back: bool) -> Answer<Confirmed> {
        let Some(stat) = self.store.stat(&entry.file)? else { return Ok(Confirmed::Absent) };
        if stat.bytes != entry.bytes {
            return Ok(Confirmed::Different);
        }
        if !read_back && !entry.tag.is_empty() && stat.tag == entry.tag {
            return Ok(Confirmed::Same);
        }
        // Nothing but the SHA-256 is known of it, so that all of it is read.
        let Some(sha256) = entry.sha256 else { return Ok(Confirmed::Different) };
        let sums = Sums { bytes: entry.bytes, sha256, part_bytes: u64::MAX, part_md5: vec![] };
        confirm(&*self.store, &entry.file, &sums)
    }

    /// The header of an object that is a segment of this log.
    fn header_of(&self, name: &str, bytes: u64, files: &Files) -> Answer<Option<FileHeader>> {
        if names::sequence(&self.log, name).is_none() {
            return Ok(None);
        }
        let longest = limits::FILE_HEADER as u64 + 64;
        let range = 0..bytes.min(longest);
        let beginning = match self.store.read(name, std::slice::from_ref(&range)) {
            Ok(mut pieces) => pieces.pop().unwrap_or_default(),
            // It was removed meanwhile.
            Err(Failure { error, .. }) if error.kind() == Kind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let header = FileHeader::decode_segment_start(&beginning).ok().map(|(header, _)| header);
        Ok(header.filter(|header| header.log_id == files.log_id()))
    }
}

/// Segments that others tell of, and that are nowhere. What was removed before the oldest one is none of them.
fn gaps(chain: &BTreeMap<u64, Option<u64>>) -> Vec<Problem> {
    let mut gaps = vec![];
    let mut before = None;
    for (sequence, after) in chain {
        if let (Some(before), Some(after)) = (before, *after) {
            if after > before {
                gaps.push(Problem::Gap { first: before + 1, last: after });
            }
        }
        before = Some(*sequence);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_others_tell_of_and_not_numbers_that_were_passed_over() {
        let of = |chain: &[(u64, Option<u64>)]| gaps(&chain.iter().copied().collect());
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(1, None), (2, Some(1)), (5, Some(2))]), [], "3 and 4 were taken by others");
        assert_eq!(of(&[(7, Some(6)), (8, Some(7))]), [], "the older ones were removed before");
        assert_eq!(of(&[(1, None), (3, Some(2))]), [Problem::Gap { first: 2, last: 2 }]);
        assert_eq!(of(&[(1, None), (9, Some(8)), (12, Some(11))]).len(), 2);
        assert_eq!(of(&[(1, None), (9, Some(8))])[0].to_string(), "segments 2 to 8 are neither here nor in the store");
    }
}
