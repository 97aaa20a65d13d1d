//! The segments of a log that are here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::sound::Behind;
use crate::error::{Error, Kind, Result};
use crate::io::Directory;
use crate::log::retention::{self, Ours};
use crate::log::{held, missing_behind, names, read_left};
use crate::options::{Filter, ReaderOptions};
use crate::reader::Reader;
use crate::record::event;
use crate::segment::is_unborn;

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
    pub bytes: u64,
    log_id: Vec<u8>,
}

/// All of them, in their order. The last one is the writer's still, and may change; the others never do.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    pub segments: Vec<Local>,
    /// Files that stand for a segment of the log which is not among these, by its number.
    pub unusable: BTreeMap<u64, Unusable>,
    /// A segment behind all of these that the lock file notes, of which no file is here, and which nobody may have removed.
    pub lost_behind: Option<u64>,
    /// Files of another log that is called the same.
    pub others: Vec<String>,
}

/// A file that is not shipped, and stands for a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is called as the segment is, and no header of it can be read.
    Unreadable(String),
    /// It is the segment, under the name of another one.
    Misnamed(String),
}

/// Looks for them again and again, and reads each header once.
pub(super) struct Files {
    log: String,
    log_id: Vec<u8>,
    known: HashMap<String, Found>,
    /// Damaged files of segments that are here in another form, compressed or not.
    passed_over: HashSet<String>,
}

/// What a file is that is called as a segment of the log.
#[derive(Clone)]
enum Found {
    Segment(Local),
    /// No header can be read. It may be a file that was made ahead, which is a segment later.
    Unreadable,
    /// The segment of this number, under the name of another one.
    Misnamed(u64),
    /// Of a log of another name.
    Foreign,
}

impl Here {
    /// Those that are closed for good, each with the time at which it was.
    pub fn closed(&self) -> impl Iterator<Item = (&Local, i64)> {
        self.segments.windows(2).map(|pair| (&pair[0], pair[1].created_ns))
    }

    /// Whether a segment of which something tells is not among those that are here.
    fn lacks_some(&self) -> bool {
        let is_gap = |pair: &[Local]| pair[1].after.is_some_and(|after| after > pair[0].sequence);
        self.lost_behind.is_some() || !self.unusable.is_empty() || self.segments.windows(2).any(is_gap)
    }

    /// Number of the newest; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.sequence)
    }

    /// What comes behind a closed segment.
    pub fn behind(&self, segment: &Local) -> Behind {
        match self.segments.iter().find(|local| local.sequence > segment.sequence) {
            Some(next) if next.after.is_none_or(|after| after == segment.sequence) => {
                Behind::Segment(next.name.clone())
            }
            _ => Behind::Lost,
        }
    }

    /// The log, as those who remove old segments want it.
    pub fn ours(&self, files: &Files) -> Option<Ours> {
        let active = self.segments.last()?;
        Some(Ours { name: files.log.clone(), log_id: files.log_id.clone(), active_sequence: active.sequence })
    }
}

impl Files {
    /// Of the log `log`; without a name, of the only one that is there.
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
        // Of two logs of one name the one that is being written, which has come last.
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

    /// What is there now.
    pub fn look(&mut self, directory: &Arc<dyn Directory>) -> Result<Here> {
        let here = self.look_once(directory)?;
        // A list of a directory to which files are added meanwhile may have a file and lack one that was there before it; and a
        // file that was read before it was begun may have a successor by now.
        match here.lacks_some() {
            true => self.look_once(directory),
            false => Ok(here),
        }
    }

    fn look_once(&mut self, directory: &Arc<dyn Directory>) -> Result<Here> {
        let files = directory;
        let directory = &**directory;
        // First, so that what it notes is among the files.
        let left = read_left(directory, &self.log).filter(|left| left.log_id == self.log_id);
        let names = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        let mut known = HashMap::with_capacity(names.len());
        let mut places: BTreeMap<u64, Local> = BTreeMap::new();
        let (mut unusable, mut others) = (BTreeMap::new(), vec![]);
        for name in names {
            let Some(named) = names::sequence(&self.log, &name) else { continue };
            let found = match self.known.remove(&name) {
                Some(Found::Segment(local)) => Found::Segment(local),
                Some(_) | None => self.read(directory, &name, named)?,
            };
            match &found {
                Found::Segment(local) if local.log_id == self.log_id => match places.get(&local.sequence) {
                    // Two files of one segment, as an interrupted compression leaves them: either is whole, unless it was found
                    // to be damaged. The original has the shorter name.
                    Some(there) if self.rank(&there.name) <= self.rank(&local.name) => (),
                    _ => drop(places.insert(local.sequence, local.clone())),
                },
                Found::Segment(_) => others.push(name.clone()),
                Found::Unreadable => drop(unusable.insert(named, Unusable::Unreadable(name.clone()))),
                Found::Misnamed(sequence) => {
                    unusable.entry(*sequence).or_insert(Unusable::Misnamed(name.clone()));
                }
                Found::Foreign => (),
            }
            known.insert(name, found);
        }
        self.known = known;
        let segments: Vec<Local> = places.into_values().collect();
        if let Some(last) = segments.last() {
            // It may grow, until it is the last no more.
            self.known.remove(&last.name);
        }
        let newest = segments.last().map_or(0, |last| last.sequence);
        let mut begun = vec![];
        for (number, unusable) in unusable.range(newest + 1..) {
            // Behind the newest one stands what a writer has made ahead, unless it was more than that; and it may have begun it by now.
            let Unusable::Unreadable(name) = unusable else { continue };
            let is_ahead = is_unborn(directory, name) && !left.as_ref().is_some_and(|left| held(left, *number));
            if is_ahead || retention::look(directory, name)?.is_some() {
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
            // Where the lock file is gone too, the newest segment may tell that it was closed, and which one was begun.
            (None, Some(newest)) => successor(files, &newest.name)
                .and_then(|file| names::sequence(&self.log, &file))
                .filter(|number| *number > last),
            (None, None) => None,
        };
        Ok(Here { segments, unusable, lost_behind, others })
    }

    fn rank<'a>(&self, name: &'a str) -> (bool, usize, &'a str) {
        (self.passed_over.contains(name), name.len(), name)
    }

    /// Has the damaged segment taken from another form of it from the next look on. False when there is none.
    pub fn pass_over(&mut self, damaged: &Local) -> bool {
        let is_other = |name: &String| {
            *name != damaged.name
                && names::plain(name) == names::plain(&damaged.name)
                && !self.passed_over.contains(name)
                && matches!(self.known.get(name), Some(Found::Segment(other)) if other.sequence == damaged.sequence)
        };
        self.known.keys().any(is_other) && self.passed_over.insert(damaged.name.clone())
    }

    /// Forgets what is known of a file.
    pub fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    fn read(&self, directory: &dyn Directory, name: &str, named: u64) -> Result<Found> {
        let looked = match retention::look(directory, name) {
            // One file that cannot be read is no reason to leave the others where they are.
            Err(e) if e.os_code() == Some(libc::EIO) => None,
            looked => looked?,
        };
        let Some((facts, header)) = looked else { return Ok(Found::Unreadable) };
        if header.name != self.log {
            return Ok(Found::Foreign);
        }
        if !retention::is_numbered(&header, named) {
            return Ok(if header.log_id == self.log_id { Found::Misnamed(header.sequence) } else { Found::Foreign });
        }
        Ok(Found::Segment(Local {
            name: name.to_owned(),
            sequence: header.sequence,
            after: header.predecessor.as_ref().map(|told| told.sequence),
            marker: header.marker,
            known_as: header.known_as(),
            created_ns: header.created_ns,
            bytes: facts.len,
            log_id: header.log_id,
        }))
    }
}

/// In which file a segment says at its end that its log goes on.
fn successor(directory: &Arc<dyn Directory>, name: &str) -> Option<String> {
    let reader = Reader::open_file_in(directory.clone(), name, ReaderOptions::default()).ok()?;
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
