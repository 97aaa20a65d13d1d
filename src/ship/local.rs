//! The segments of a log that are here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::sound::Behind;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::SPACE;
use crate::io::{Directory, Location};
use crate::log::{held, is_numbered, missing_behind, names, read_left};
use crate::options::{Filter, ReaderOptions};
use crate::reader::Reader;
use crate::record::event;
use crate::retention::{self, Ours};
use crate::segment::{is_unborn, open_closed};
use crate::store::{Again, Failure};

/// A segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub name: String,
    /// Number in the header.
    pub sequence: u64,
    /// Number of the segment before it.
    pub after: Option<u64>,
    pub marker: u64,
    /// All markers that it was ever known by.
    pub known_as: [u64; 3],
    pub created_ns: i64,
    /// Length of its file, which may have space after its blocks while it is the last.
    pub bytes: u64,
    /// Whether the file may have space that `bytes` counts.
    has_space: bool,
    log_id: Vec<u8>,
}

/// All of them, in their order. The last one still belongs to the writer and may change; the others never do.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    pub segments: Vec<Local>,
    /// Files in the place of a segment of the log which is not among these, by its number.
    pub unusable: BTreeMap<u64, Unusable>,
    /// A segment after all of these that the lock file notes, whose file is missing, and which no retention can have
    /// removed.
    pub lost_behind: Option<u64>,
    /// Files of another log of the same name.
    pub others: Vec<String>,
    /// A file that could not be read when the others were looked at is a segment.
    is_outdated: bool,
}

/// A file that is not shipped, in the place of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It has the name of the segment, and no header of it can be read.
    Unreadable(String),
    /// It is the segment, under the name of another one.
    Misnamed(String),
}

/// Looks for them repeatedly, and reads each header once.
pub(super) struct Files {
    log: String,
    log_id: Vec<u8>,
    known: HashMap<String, Candidate>,
    /// Damaged files of segments that are here in another form, compressed or not.
    passed_over: HashSet<String>,
}

/// A file with the name of a segment of the log, by what it contains.
#[derive(Clone)]
enum Candidate {
    Segment(Local),
    /// No header can be read. It may be a preallocated file, which will be a segment later.
    Unreadable,
    /// The segment of this number, under the name of another one.
    Misnamed(u64),
    /// A segment of a log of another name.
    Foreign,
}

impl Here {
    /// Those that are closed for good, each with the time at which it was closed.
    pub fn closed(&self) -> impl Iterator<Item = (&Local, i64)> {
        self.segments.windows(2).map(|pair| (&pair[0], pair[1].created_ns))
    }

    /// Whether a segment that others name is not among those that are here.
    fn lacks_some(&self) -> bool {
        let is_gap = |pair: &[Local]| pair[1].after.is_some_and(|after| after > pair[0].sequence);
        self.is_outdated
            || self.lost_behind.is_some()
            || !self.unusable.is_empty()
            || self.segments.windows(2).any(is_gap)
    }

    /// Whether it has the same files.
    fn has_files_of(&self, other: &Here) -> bool {
        let names = |here: &Here| here.segments.iter().map(|local| local.name.clone()).collect::<Vec<_>>();
        names(self) == names(other) && self.unusable == other.unusable && self.lost_behind == other.lost_behind
    }

    /// Number of the newest; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.sequence)
    }

    /// The segments with this number and greater ones; each but the last is closed.
    pub fn from(&self, sequence: u64) -> &[Local] {
        &self.segments[self.segments.partition_point(|local| local.sequence < sequence)..]
    }

    /// What comes after a closed segment.
    pub fn behind(&self, segment: &Local) -> Behind {
        match self.from(segment.sequence + 1).first() {
            Some(next) if next.after.is_none_or(|after| after == segment.sequence) => {
                Behind::Segment(next.name.clone())
            }
            _ => Behind::Lost,
        }
    }

    /// The log, in the form that retention uses.
    pub fn ours(&self, files: &Files) -> Option<Ours> {
        let active = self.segments.last()?;
        Some(Ours { name: files.log.clone(), log_id: files.log_id.clone(), active_sequence: active.sequence })
    }
}

impl Files {
    /// The files of the log `log`; without a name, of the only one that is there.
    pub fn find(directory: &Arc<dyn Directory>, log: Option<&str>) -> Result<Self> {
        let logs = retention::logs_in(directory, log)?;
        let mut names: Vec<&str> = logs.iter().map(|log| log.name.as_str()).collect();
        names.dedup();
        let not_found = |reason: String| Err(Error::new(Kind::NotFound, reason).at(directory.path()));
        match (&names[..], log) {
            ([_], _) => (),
            ([], Some(log)) => return not_found(format!("the directory holds no segment of a log {log:?}")),
            ([], None) => return not_found("no segment (*.binlog) is here".to_owned()),
            _ => {
                let reason = format!("the directory holds several logs: say which ({})", names.join(", "));
                return Err(Error::invalid(reason).at(directory.path()));
            }
        }
        // Of two logs with one name, the one that is being written, which was begun last.
        let mut newest = None;
        for ours in logs {
            let (known, passed_over) = (HashMap::new(), HashSet::new());
            let mut files = Files { log: ours.name, log_id: ours.log_id, known, passed_over };
            let begun = files.look(directory)?.segments.last().map(|last| last.created_ns);
            if newest.as_ref().is_none_or(|(time, _)| begun > *time) {
                newest = Some((begun, files));
            }
        }
        match newest {
            Some((_, files)) => Ok(files),
            None => not_found("no segment (*.binlog) is here".to_owned()),
        }
    }

    pub fn log(&self) -> &str {
        &self.log
    }

    pub fn log_id(&self) -> &[u8] {
        &self.log_id
    }

    /// The current files.
    pub fn look(&mut self, directory: &Arc<dyn Directory>) -> Result<Here> {
        /// Each time another file was compressed, removed or begun meanwhile.
        const TRIES: usize = 100;
        let mut here = self.look_once(directory)?;
        for _ in 0..TRIES {
            if !here.lacks_some() {
                break;
            }
            // A list of a directory to which files are added meanwhile may contain a new file and lack an older one; a
            // file that was listed may be gone when it is opened; and one that was read before it was begun may have a
            // successor by now. What is lacking twice is not there.
            let before = std::mem::replace(&mut here, self.look_once(directory)?);
            if here.has_files_of(&before) {
                break;
            }
        }
        Ok(here)
    }

    fn look_once(&mut self, directory: &Arc<dyn Directory>) -> Result<Here> {
        let files = directory;
        let directory = &**directory;
        // Read first, so the segments that it notes are among the files.
        let left = read_left(directory, &self.log).filter(|left| left.log_id == self.log_id);
        let names = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        let mut known = HashMap::with_capacity(names.len());
        let mut places: BTreeMap<u64, Local> = BTreeMap::new();
        let (mut unusable, mut others) = (BTreeMap::new(), vec![]);
        for name in names {
            let Some(named) = names::sequence(&self.log, &name) else { continue };
            let candidate = match self.known.remove(&name) {
                Some(Candidate::Segment(local)) => Candidate::Segment(local),
                Some(_) | None => self.read(directory, &name, named)?,
            };
            match &candidate {
                Candidate::Segment(local) if local.log_id == self.log_id => match places.get(&local.sequence) {
                    // Two files of one segment, as an interrupted compression leaves them: either is whole, unless it
                    // was found to be damaged. The original has the shorter name.
                    Some(there) if self.rank(&there.name) <= self.rank(&local.name) => (),
                    _ => drop(places.insert(local.sequence, local.clone())),
                },
                Candidate::Segment(_) => others.push(name.clone()),
                Candidate::Unreadable => drop(unusable.insert(named, Unusable::Unreadable(name.clone()))),
                Candidate::Misnamed(sequence) => {
                    unusable.entry(*sequence).or_insert(Unusable::Misnamed(name.clone()));
                }
                Candidate::Foreign => (),
            }
            known.insert(name, candidate);
        }
        self.known = known;
        let mut segments: Vec<Local> = places.into_values().collect();
        if let Some((last, closed)) = segments.split_last_mut() {
            // It may grow for as long as it is the last.
            self.known.remove(&last.name);
            for segment in closed.iter_mut().filter(|segment| segment.has_space) {
                // A file that cannot be read is reported when its turn comes.
                if let Ok(len) = open_closed(directory, &segment.name).and_then(|file| file.len()) {
                    (segment.bytes, segment.has_space) = (len, false);
                    self.known.insert(segment.name.clone(), Candidate::Segment(segment.clone()));
                }
            }
        }
        let newest = segments.last().map_or(0, |last| last.sequence);
        let (mut begun, mut is_outdated) = (vec![], false);
        for (number, unusable) in unusable.range(newest + 1..) {
            // A file after the newest segment is one that a writer has preallocated, unless there was more; and the
            // writer may have begun it by now.
            let Unusable::Unreadable(name) = unusable else { continue };
            let is_ahead = is_unborn(directory, name) && !left.as_ref().is_some_and(|left| held(left, *number));
            // Or the system could not read it, for a moment: what was the newest before may be closed.
            let is_segment = !is_ahead && retention::look(directory, name)?.is_some();
            is_outdated |= is_segment;
            if is_ahead || is_segment {
                begun.push(*number);
            }
        }
        unusable.retain(|number, _| {
            let is_here = segments.binary_search_by_key(number, |segment| segment.sequence).is_ok();
            !is_here && !begun.contains(number)
        });
        let last = unusable.keys().chain(&begun).fold(newest, |last, number| last.max(*number));
        let lost_behind = match (&left, segments.last()) {
            (Some(left), _) => missing_behind(left, last),
            // If the lock file is gone too, the newest segment may state that it was closed, and which one was begun.
            (None, Some(newest)) => successor(files, &newest.name)
                .and_then(|file| names::sequence(&self.log, &file))
                .filter(|number| *number > last),
            (None, None) => None,
        };
        Ok(Here { segments, unusable, lost_behind, others, is_outdated })
    }

    fn rank<'a>(&self, name: &'a str) -> (bool, usize, &'a str) {
        (self.passed_over.contains(name), name.len(), name)
    }

    /// From the next look on, takes the damaged segment from another form of it. Returns false when there is none.
    pub fn pass_over(&mut self, damaged: &Local) -> bool {
        let is_other = |name: &String| {
            *name != damaged.name
                && names::plain(name) == names::plain(&damaged.name)
                && !self.passed_over.contains(name)
                && matches!(self.known.get(name), Some(Candidate::Segment(other)) if other.sequence == damaged.sequence)
        };
        self.known.keys().any(is_other) && self.passed_over.insert(damaged.name.clone())
    }

    /// Forgets a file.
    pub fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    fn read(&self, directory: &dyn Directory, name: &str, named: u64) -> Result<Candidate> {
        let looked = match retention::look(directory, name) {
            // One file that cannot be read is no reason to keep the others.
            Err(e) if e.os_code() == Some(libc::EIO) => None,
            looked => looked?,
        };
        let Some((facts, header)) = looked else { return Ok(Candidate::Unreadable) };
        if header.name != self.log {
            return Ok(Candidate::Foreign);
        }
        if !is_numbered(&header, named) {
            return Ok(if header.log_id == self.log_id {
                Candidate::Misnamed(header.sequence)
            } else {
                Candidate::Foreign
            });
        }
        Ok(Candidate::Segment(Local {
            name: name.to_owned(),
            sequence: header.sequence,
            after: header.predecessor.as_ref().map(|before| before.sequence),
            marker: header.marker,
            known_as: header.known_as(),
            created_ns: header.created_ns,
            bytes: facts.len,
            has_space: header.incompatible & SPACE != 0 && !names::is_whole(name),
            log_id: header.log_id,
        }))
    }
}

/// The file that a segment names at its end as the next.
fn successor(directory: &Arc<dyn Directory>, name: &str) -> Option<String> {
    let reader = Reader::open(Location::File(directory.clone(), name.to_owned()), ReaderOptions::default()).ok()?;
    let newest = Filter { events: true, headers_only: true, newest_first: true, ..Filter::default() };
    let mut cursor = reader.cursor(&newest).ok()?;
    while let Some(last) = cursor.next().ok()?.filter(|last| last.is_event()) {
        match last.type_id {
            event::ROTATE_NEXT => return last.metadata.get("file").map(str::to_owned),
            event::OPENED => return None,
            _ => (),
        }
    }
    None
}

/// A failure here, not in the store: an operator has to act.
pub(super) fn failed_here(error: Error) -> Failure {
    Failure { error, again: Again::WhenMended }
}
