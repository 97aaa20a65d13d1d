//! Compares the store with the files here, and with what is known of files that were here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::held::is_accepted;
use super::holes::{gaps, Numbers};
use super::keeper::entry_of;
use super::local::{Files, Here, Local, Unusable};
use super::sound::Behind;
use super::{here as failed_here, ShipMonitor, Shipped, Shipper};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::format::limits;
use crate::ledger::Entry;
use crate::log::labels::{pruned_to, Label};
use crate::log::{is_numbered, names};
use crate::segment::open_closed;
use crate::store::{confirm_unless, Answer, Confirmed, Failure, Sums};

/// What [`Shipper::verify`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments that the store contains as they were shipped, and their bytes.
    pub sound_segments: u64,
    /// See `sound_segments`.
    pub sound_bytes: u64,
    /// Closed segments that wait to be shipped.
    pub waiting_segments: u64,
    /// Segments that are neither here nor there, and whose loss was accepted.
    pub accepted_segments: u64,
    /// Numbers of the oldest and the newest segment that are here or there; 0 when there is none.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// The problems, in the order of the segments.
    pub problems: Vec<Problem>,
    /// Objects below the store's URL whose names begin with the log's name, but which are no segments of it. They are
    /// left alone.
    pub foreign: Vec<String>,
    /// Whether it was stopped before everything was compared.
    pub stopped: bool,
}

/// A problem with the contents of the store.
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
    /// The object differs from what was shipped.
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
        /// A file here that has the name of one of them, and cannot be used.
        file: Option<PathBuf>,
    },
    /// The object is damaged: it is what was shipped, or a file of the segment that was put there by other means. Only
    /// reported when all of it is read back, and unless it was accepted.
    Damaged {
        /// Its number.
        sequence: u64,
        /// The object's name.
        object: String,
        /// What is wrong with it.
        damage: String,
    },
    /// The file here is damaged, or is no longer what was shipped. A problem of the object is reported separately.
    Changed {
        /// Its number.
        sequence: u64,
        /// The file.
        path: PathBuf,
        /// The damage; `None` when it is whole, but differs from what was shipped.
        damage: Option<String>,
        /// It was shipped before.
        is_shipped: bool,
    },
}

impl Problem {
    fn place(&self) -> u64 {
        match self {
            Problem::Missing { sequence, .. }
            | Problem::Different { sequence, .. }
            | Problem::Damaged { sequence, .. }
            | Problem::Changed { sequence, .. } => *sequence,
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
            Problem::Gap { first, last, file } => {
                match first == last {
                    true => write!(f, "segment {first} is neither here nor in the store")?,
                    false => write!(f, "segments {first} to {last} are neither here nor in the store")?,
                }
                match file {
                    Some(file) => write!(f, ": {} cannot be read as a segment, or is called wrongly", file.display()),
                    None => Ok(()),
                }
            }
            Problem::Damaged { sequence, object, damage } => {
                write!(f, "segment {sequence} is damaged in the store ({object}): {damage}")
            }
            Problem::Changed { sequence, path, damage, is_shipped } => {
                let since = if *is_shipped { " since it was shipped" } else { ", and is not shipped" };
                match damage {
                    Some(damage) => write!(f, "the file of segment {sequence} is damaged{since}: {damage}"),
                    None => {
                        write!(f, "the file of segment {sequence} was changed{since}, and is whole: {}", path.display())
                    }
                }
            }
        }
    }
}

impl Shipper {
    /// Compares the store with the segments here: each segment whose file is here by its contents; each other one that
    /// was shipped by its length and by what the store stated when it was confirmed, or, with `read_back` or if the
    /// store stated nothing, by reading all of it. Segments without an entry are recognised by their headers. Changes
    /// nothing, here or there.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a store that cannot be read; errors of the store or the system, without a
    /// retry, except that reading an object back is retried for half a minute.
    pub fn verify(&self, read_back: bool, monitor: &dyn ShipMonitor) -> Result<VerifyReport> {
        match self.look_over(read_back, monitor) {
            // The interrupted comparison has no result.
            Err(_) if monitor.stop() => Ok(VerifyReport { stopped: true, ..VerifyReport::default() }),
            looked => looked.map_err(|failure| failure.error),
        }
    }

    fn look_over(&self, read_back: bool, monitor: &dyn ShipMonitor) -> Answer<VerifyReport> {
        if !self.store.can_read() {
            let reason =
                "this store only confirms that it has taken a segment: what it has made of it cannot be looked at";
            let error = Error::new(Kind::Unsupported, reason).at(std::path::Path::new(self.store.url()));
            return Err(failed_here(error));
        }
        let mut work = self.work.lock();
        let here = work.files.look(&self.directory).map_err(failed_here)?;
        let mut objects: BTreeMap<String, u64> =
            self.store.list(&self.log)?.into_iter().map(|listed| (listed.name, listed.bytes)).collect();
        let listed: BTreeSet<String> = objects.keys().cloned().collect();
        self.refuse_another_log(listed.iter().map(String::as_str), work.files.log_id())?;
        // A label beyond everything that was shipped does not belong to this log.
        let pruned_there = pruned_to(&self.log, listed.iter().map(String::as_str));
        let pruned_there = if pruned_there < here.newest() { pruned_there } else { 0 };
        objects.retain(|name, _| Label::parse(&self.log, name).is_none());
        let mut report = VerifyReport::default();
        // Each known segment, with the one before it.
        let mut chain: BTreeMap<u64, Option<u64>> =
            here.segments.iter().map(|segment| (segment.sequence, segment.after)).collect();
        let mut entries: Vec<Entry> = work.keeper.lock().of_store(self.store.url()).cloned().collect();
        entries.retain(|entry| entry.stage.is_shipped());
        let behind = |pair: &[Entry]| match pair[1].after == Some(pair[0].sequence) && listed.contains(&pair[1].file) {
            true => Behind::Segment(pair[1].file.clone()),
            false => Behind::Unknown,
        };
        let behind: Vec<Behind> = entries.windows(2).map(behind).chain([Behind::Unknown]).collect();
        // The names of the files of known segments.
        let known = here.segments.iter().map(|local| &local.name).chain(entries.iter().map(|entry| &entry.file));
        let forms: BTreeSet<String> = known.map(|name| names::plain(name).into_owned()).collect();
        let mut denied = 0;
        for (entry, behind) in entries.into_iter().zip(behind) {
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            objects.remove(&entry.file);
            let local = here.segments.iter().find(|local| entry.is_about(local.sequence, &local.known_as));
            let path = self.directory.path_of(&entry.file);
            let shown = Shipped { path, sequence: entry.sequence, bytes: entry.bytes, found: true };
            monitor.begins(&shown);
            chain.entry(entry.sequence).or_insert(entry.after);
            let looked = self.look_at_shipped(&here, local, &entry, &behind, read_back, monitor);
            let (sequence, object) = (entry.sequence, entry.file);
            let (now, damage) = match looked {
                // One object that may not be read; if that is true for all, it is the error.
                Err(failure) if is_denied(&failure) && (report.sound_segments > 0 || denied < DENIED) => {
                    denied += 1;
                    let damage = failure.error.to_string();
                    report.problems.push(Problem::Damaged { sequence, object, damage });
                    continue;
                }
                looked => looked?,
            };
            if let Some((changed, local)) = now.changed.zip(local) {
                report.problems.push(Problem::Changed {
                    sequence,
                    path: self.directory.path_of(&local.name),
                    damage: changed.damage.map(|damage| damage.to_string()),
                    is_shipped: true,
                });
            }
            match (now.object, damage) {
                (Confirmed::Same, Some(damage)) => {
                    let damage = damage.to_string();
                    report.problems.push(Problem::Damaged { sequence, object, damage });
                }
                (Confirmed::Same, None) => {
                    report.sound_segments += 1;
                    report.sound_bytes += entry.bytes;
                    monitor.sent(entry.bytes);
                    monitor.uploaded(&shown);
                }
                // On purpose.
                (Confirmed::Absent, _) if sequence <= pruned_there => (),
                (Confirmed::Absent, _) => {
                    report.problems.push(Problem::Missing { sequence, object, is_here: local.is_some() })
                }
                (Confirmed::Different, _) => report.problems.push(Problem::Different { sequence, object }),
            }
        }
        let keeper = work.keeper.lock();
        let is_waiting = |local: &&Local| !super::keeper::is_shipped(&keeper, self.store.url(), local);
        let waiting: Vec<&Local> = here.closed().map(|(local, _)| local).filter(is_waiting).collect();
        drop(keeper);
        for local in waiting {
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            report.waiting_segments += 1;
            let is_accepted =
                entry_of(&work.keeper.lock(), self.store.url(), local).is_some_and(|entry| entry.accepted);
            let damage = match self.damage_of(&here, local, monitor) {
                _ if is_accepted => None,
                // It was compressed, or shipped and removed meanwhile.
                Err(failure) if failure.error.kind() == Kind::NotFound => continue,
                damage => damage?,
            };
            if let Some(damage) = damage {
                report.problems.push(Problem::Changed {
                    sequence: local.sequence,
                    path: self.directory.path_of(&local.name),
                    damage: Some(damage.to_string()),
                    is_shipped: false,
                });
            }
            // An object of its name prevents it from being shipped, unless it is the same.
            if objects.remove(&local.name).is_some() && self.is_other(&local.name, monitor)? {
                let (sequence, object) = (local.sequence, local.name.clone());
                report.problems.push(Problem::Different { sequence, object });
            }
        }
        for (name, bytes) in objects {
            if monitor.stop() {
                report.stopped = true;
                return Ok(report);
            }
            // Readers may use another form of a segment that was shipped.
            let named = names::sequence(&self.log, &name);
            let header = match named {
                Some(_) if !names::is_whole(&name) => self.any_header_of(&name, bytes)?,
                _ => None,
            };
            match header.zip(named) {
                // Its name also fits a segment of another log.
                Some((header, _)) if header.name != self.log => report.foreign.push(name),
                Some((header, named)) if header.log_id != work.files.log_id() || !is_numbered(&header, named) => {
                    report.problems.push(Problem::Different { sequence: named, object: name });
                }
                Some((header, _)) => {
                    let damage =
                        if read_back { self.damage_of_object(&name, &Behind::Unknown, monitor)? } else { None };
                    if let Some(damage) = damage {
                        let (sequence, damage) = (header.sequence, damage.to_string());
                        report.problems.push(Problem::Damaged { sequence, object: name, damage });
                        continue;
                    }
                    let after = header.predecessor.map(|before| before.sequence);
                    if chain.insert(header.sequence, after).is_none() {
                        report.sound_segments += 1;
                        report.sound_bytes += bytes;
                    }
                }
                None => match named.filter(|_| forms.contains(&*names::plain(&name)) && !names::is_whole(&name)) {
                    Some(sequence) => {
                        let damage = "the object does not begin as a segment does".to_owned();
                        report.problems.push(Problem::Damaged { sequence, object: name, damage });
                    }
                    None => report.foreign.push(name),
                },
            }
        }
        let keeper = work.keeper.lock();
        let mut holes = gaps(&chain);
        for hole in super::holes::holes(&keeper, self.store.url(), &here) {
            // A segment that the store contains is no hole, no matter which process shipped it.
            if !chain.contains_key(&hole.last) && !holes.iter().any(|known| known.covers(hole.last)) {
                holes.push(hole);
            }
        }
        let (accepted, holes): (Vec<Numbers>, Vec<Numbers>) =
            holes.into_iter().partition(|hole| is_accepted(&keeper, self.store.url(), *hole));
        drop(keeper);
        report.accepted_segments = accepted.iter().map(|hole| hole.last - hole.first + 1).sum();
        report.problems.extend(holes.into_iter().map(|Numbers { first, last }| {
            let file = here.unusable.range(first..=last).next().map(|(_, unusable)| match unusable {
                Unusable::Unreadable(name) | Unusable::Misnamed(name) => self.directory.path_of(name),
            });
            Problem::Gap { first, last, file }
        }));
        report.problems.sort_by_key(Problem::place);
        report.first = chain.first_key_value().map_or(0, |(sequence, _)| *sequence);
        report.last = chain.last_key_value().map_or(0, |(sequence, _)| *sequence);
        Ok(report)
    }

    /// Compares a segment that was shipped with its object, and with its file if it is still here. Returns whether the
    /// object is what was shipped, and, with `read_back`, its damage.
    fn look_at_shipped(
        &self,
        here: &Here,
        local: Option<&Local>,
        entry: &Entry,
        behind: &Behind,
        read_back: bool,
        monitor: &dyn ShipMonitor,
    ) -> Answer<(Compared, Option<Error>)> {
        let noted = |read_back| self.confirm_noted(entry, read_back, monitor).or_else(different);
        let now = match local.filter(|local| local.name == entry.file) {
            Some(local) => {
                let now = self.compare(here, &local.name, entry, monitor);
                let now = now.or_else(|failure| different(failure).map(|object| Compared { object, changed: None }))?;
                match now.object {
                    Confirmed::Same if read_back => Compared { object: noted(true)?, ..now },
                    _ => now,
                }
            }
            None => Compared { object: noted(read_back)?, changed: None },
        };
        let damage = match now.object == Confirmed::Same && read_back && !entry.accepted {
            true => self.damage_of_object(&entry.file, behind, monitor)?,
            false => None,
        };
        Ok((now, damage))
    }

    /// Whether the object of a file's name differs from the file.
    fn is_other(&self, name: &str, monitor: &dyn ShipMonitor) -> Answer<bool> {
        let path = self.directory.path_of(name);
        let file = match open_closed(&*self.directory, name) {
            Ok(file) => file,
            // It was compressed or removed meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(failed_here(Error::io(&e, "open").at(&path))),
        };
        let sums = self.sums(&file, &path, monitor)?;
        Ok(confirm_unless(&|| monitor.stop(), &*self.store, name, &sums)? == Confirmed::Different)
    }

    /// Compares the file here and the object with what was shipped: its SHA-256 shows which of the two differs.
    pub(super) fn compare(
        &self,
        here: &Here,
        name: &str,
        entry: &Entry,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Compared> {
        let path = self.directory.path_of(name);
        let file = match open_closed(&*self.directory, name) {
            Ok(file) => file,
            // It was removed meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Compared { object: self.confirm_noted(entry, false, monitor)?, changed: None });
            }
            Err(e) => return Err(failed_here(Error::io(&e, "open").at(&path))),
        };
        let sums = self.sums(&file, &path, monitor)?;
        if entry.sha256.is_none_or(|shipped| shipped == sums.sha256) {
            return Ok(Compared {
                object: confirm_unless(&|| monitor.stop(), &*self.store, name, &sums)?,
                changed: None,
            });
        }
        let damage = match here.segments.iter().find(|local| local.name == name) {
            Some(local) => match self.damage_of(here, local, monitor) {
                // It was removed meanwhile.
                Err(failure) if failure.error.kind() == Kind::NotFound => {
                    return Ok(Compared { object: self.confirm_noted(entry, false, monitor)?, changed: None });
                }
                damage => damage?,
            },
            None => None,
        };
        Ok(Compared { object: self.confirm_noted(entry, false, monitor)?, changed: Some(Changed { damage }) })
    }

    /// Whether the object is the one that was confirmed, as far as that was noted.
    pub(super) fn confirm_noted(&self, entry: &Entry, read_back: bool, monitor: &dyn ShipMonitor) -> Answer<Confirmed> {
        let Some(stat) = self.store.stat(&entry.file)? else { return Ok(Confirmed::Absent) };
        if stat.bytes != entry.bytes {
            return Ok(Confirmed::Different);
        }
        if !read_back && !entry.tag.is_empty() && stat.tag == entry.tag {
            return Ok(Confirmed::Same);
        }
        // Only the length is known of an object that was found there.
        let Some(sha256) = entry.sha256 else { return Ok(Confirmed::Same) };
        // Only the SHA-256 is known of it, so all of it is read.
        let sums = Sums { bytes: entry.bytes, sha256, part_bytes: u64::MAX, part_md5: vec![] };
        confirm_unless(&|| monitor.stop(), &*self.store, &entry.file, &sums)
    }

    /// The header of an object that is a segment of this log.
    pub(super) fn header_of(&self, name: &str, bytes: u64, files: &Files) -> Answer<Option<FileHeader>> {
        if names::sequence(&self.log, name).is_none() {
            return Ok(None);
        }
        Ok(self.any_header_of(name, bytes)?.filter(|header| header.log_id == files.log_id()))
    }

    /// The header of an object of any log.
    pub(super) fn any_header_of(&self, name: &str, bytes: u64) -> Answer<Option<FileHeader>> {
        let longest = limits::FILE_HEADER as u64 + 64;
        let range = 0..bytes.min(longest);
        let beginning = match self.store.read(name, std::slice::from_ref(&range)) {
            Ok(mut pieces) => pieces.pop().unwrap_or_default(),
            // It was removed meanwhile.
            Err(Failure { error, .. }) if error.kind() == Kind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Ok(FileHeader::decode_segment_start(&beginning).ok().map(|(header, _)| header))
    }
}

/// When this many objects may not be read, and none could be read, all of them are assumed to be unreadable.
const DENIED: usize = 3;

fn is_denied(failure: &Failure) -> bool {
    failure.error.os_code() == Some(libc::EACCES)
}

/// There is something other than an object in its place, such as a pipe in a directory: the comparison of the others
/// continues.
fn different(failure: Failure) -> Answer<Confirmed> {
    match failure.error.kind() {
        Kind::Mismatch => Ok(Confirmed::Different),
        _ => Err(failure),
    }
}

/// The current state of a segment that was shipped.
pub(super) struct Compared {
    pub object: Confirmed,
    /// The file here is no longer what was shipped.
    pub changed: Option<Changed>,
}

/// A file that was changed since it was shipped.
pub(super) struct Changed {
    /// The damage; `None` when it is whole.
    pub damage: Option<Error>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_a_sentence() {
        let gap = |first, last| Problem::Gap { first, last, file: None }.to_string();
        assert_eq!(gap(2, 8), "segments 2 to 8 are neither here nor in the store");
        assert_eq!(gap(2, 2), "segment 2 is neither here nor in the store");
    }
}
