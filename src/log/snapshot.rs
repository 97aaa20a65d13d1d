//! What there is to read: the segments behind a path, in the order in which they were written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names;
use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory, RealDirectory};
use crate::options::ReaderMode;
use crate::segment::{is_unborn, rescue, Segment, EXTENSION};

/// Where a reader reads from.
#[derive(Clone)]
pub(crate) enum Source {
    /// All segments of a directory.
    Directory(Arc<dyn Directory>),
    /// One file.
    File(Arc<dyn Directory>, String),
    /// The files that match a pattern.
    Glob(String),
}

/// The segments of a source at one moment.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub segments: Vec<Arc<Segment>>,
    /// Files of their logs that do not begin as a segment; for a salvaging reader, those in which there is no block.
    pub unreadable: Vec<Unreadable>,
}

/// A file that should be a segment and is none.
#[derive(Clone)]
pub(crate) struct Unreadable {
    pub path: PathBuf,
    pub bytes: u64,
    pub error: Error,
    /// Its log and its place in it, by its name.
    log: String,
    sequence: u64,
}

impl Snapshot {
    /// Whether all segments are of one log, so that ids tell which of them a record is in.
    pub fn is_one_log(&self) -> bool {
        self.segments.windows(2).all(|pair| pair[0].header.log_id == pair[1].header.log_id)
    }

    /// A file that should be a segment and is none, and whose place in the log is before the segment number `at`, behind
    /// the one before that.
    pub fn unreadable_before(&self, at: usize) -> Option<&Unreadable> {
        let place = |at: usize| self.segments.get(at).map(|s| (&s.header.name, s.header.sequence));
        let (before, behind) = (at.checked_sub(1).and_then(place), place(at));
        self.unreadable.iter().find(|file| {
            let is_behind = |place: Option<(&String, u64)>| {
                place.is_some_and(|(log, sequence)| *log == file.log && sequence < file.sequence)
            };
            let is_before = |place: Option<(&String, u64)>| {
                place.is_some_and(|(log, sequence)| *log == file.log && sequence >= file.sequence)
            };
            (is_behind(before) && !is_behind(behind)) || (is_before(behind) && !is_before(before))
        })
    }
}

impl Source {
    /// A directory, a file, or a glob pattern: whichever `path` turns out to be.
    pub fn of(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| Error::io(&e, "open").at(path);
        match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => Ok(Source::Directory(Arc::new(RealDirectory::open(path).map_err(failed)?))),
            Ok(_) => {
                let (directory, name) = parent_and_name(path)?;
                Ok(Source::File(Arc::new(RealDirectory::open(directory).map_err(failed)?), name))
            }
            Err(e) => match path.to_str() {
                Some(pattern) if pattern.contains(['*', '?', '[']) => Ok(Source::Glob(pattern.to_owned())),
                _ => Err(failed(e)),
            },
        }
    }

    /// The segments that are there now. Those in `known` are not opened again. A file that does not begin as a segment is
    /// an error, unless its name tells its place in a log: then it is one for whoever comes to that place.
    pub fn snapshot(&self, known: &Snapshot, mode: ReaderMode) -> Result<Snapshot> {
        let mut found = Finding { known, mode, segments: vec![], broken: vec![] };
        match self {
            Source::File(directory, name) => match (known.segments.first(), mode) {
                (Some(segment), _) => found.segments.push(segment.clone()),
                (None, ReaderMode::Salvage) => found.add(directory, vec![name.clone()])?,
                (None, _) => found.segments.push(Arc::new(Segment::open(&**directory, name, Access::Read)?)),
            },
            Source::Directory(directory) => {
                let mut names = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
                names.retain(|name| name.ends_with(EXTENSION));
                found.add(directory, names)?;
            }
            Source::Glob(pattern) => {
                let mut by_directory: HashMap<PathBuf, Vec<String>> = HashMap::new();
                let paths = glob::glob(pattern)
                    .map_err(|e| Error::invalid(format!("the pattern {pattern:?} is not understood: {e}")))?;
                for path in paths.filter_map(|path| path.ok()).filter(|path| path.is_file()) {
                    let (directory, name) = parent_and_name(&path)?;
                    by_directory.entry(directory).or_default().push(name);
                }
                for (path, names) in by_directory {
                    let directory = RealDirectory::open(&path).map_err(|e| Error::io(&e, "open").at(&path))?;
                    found.add(&(Arc::new(directory) as Arc<dyn Directory>), names)?;
                }
                if found.segments.is_empty() && known.segments.is_empty() {
                    return Err(Error::new(Kind::NotFound, "no file matches the pattern").at(Path::new(pattern)));
                }
            }
        }
        found.finish()
    }
}

/// Segments being collected.
struct Finding<'a> {
    known: &'a Snapshot,
    mode: ReaderMode,
    segments: Vec<Arc<Segment>>,
    /// Those that do not begin as a segment.
    broken: Vec<(Arc<dyn Directory>, String, Error)>,
}

impl Finding<'_> {
    fn add(&mut self, directory: &Arc<dyn Directory>, names: Vec<String>) -> Result<()> {
        for name in names {
            let path = directory.path_of(&name);
            if let Some(segment) = self.known.segments.iter().find(|segment| segment.path == path) {
                self.segments.push(segment.clone());
                continue;
            }
            match open(&**directory, &name) {
                Ok(segment) => self.segments.extend(segment.map(Arc::new)),
                Err(error) if error.kind() == Kind::Corrupt => self.broken.push((directory.clone(), name, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Snapshot> {
        let mut unreadable = vec![];
        // In order, so that each finds the one before it.
        self.broken.sort_by(|(_, a, _), (_, b, _)| names::parse(a).cmp(&names::parse(b)));
        for (directory, name, error) in self.broken {
            let known = names::parse(&name);
            let (log, sequence) = known.unwrap_or((&name, 1));
            let same_log = |segment: &&Arc<Segment>| segment.header.name == log;
            let others: Vec<_> = self.segments.iter().filter(same_log).cloned().collect();
            let rescued = match self.mode {
                ReaderMode::Salvage => rescue(&*directory, &name, (log, sequence), &others)?,
                // Nobody knows where it belongs.
                _ if known.is_none() || others.is_empty() => return Err(error),
                _ => None,
            };
            if let Some(segment) = rescued {
                self.segments.push(Arc::new(segment));
                continue;
            }
            let bytes = directory.open(&name, Access::Read).and_then(|file| file.len()).unwrap_or(0);
            let (path, log) = (directory.path_of(&name), log.to_owned());
            unreadable.push(Unreadable { path, bytes, error, log, sequence });
        }
        match (self.segments.is_empty(), unreadable.first()) {
            (true, Some(first)) => return Err(first.error.clone()),
            _ => sort(&mut self.segments),
        }
        Ok(Snapshot { segments: self.segments, unreadable })
    }
}

fn parent_and_name(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::invalid("the file's name is not UTF-8").at(path))?;
    Ok((path.parent().unwrap_or(Path::new("")).to_owned(), name.to_owned()))
}

/// Opens a segment; `None` when there is nothing to read in it yet, or no more.
fn open(directory: &dyn Directory, name: &str) -> Result<Option<Segment>> {
    // A writer may complete the header just after it was found wanting: then another look finds it.
    const LOOKS: usize = 5;
    let mut looks = 0;
    loop {
        looks += 1;
        match Segment::open(directory, name, Access::Read) {
            Ok(segment) => return Ok(Some(segment)),
            // A file that a writer has just created, or was about to begin when it was killed, holds no record yet.
            Err(_) if is_unborn(directory, name) => return Ok(None),
            // Removed since the directory was listed.
            Err(e) if e.kind() == Kind::NotFound => return Ok(None),
            Err(e) if looks == LOOKS => return Err(e),
            Err(_) => (),
        }
    }
}

/// Segments of one log stand together, by sequence number: names, times and inodes may lie, headers do not. Logs are
/// ordered by name, then by when they began.
fn sort(segments: &mut [Arc<Segment>]) {
    let mut began: HashMap<Vec<u8>, i64> = HashMap::new();
    for segment in segments.iter() {
        let created = segment.header.created_ns;
        began.entry(segment.header.log_id.clone()).and_modify(|at| *at = created.min(*at)).or_insert(created);
    }
    segments.sort_by(|a, b| {
        let key =
            |s: &Segment| (s.header.name.clone(), began[&s.header.log_id], s.header.log_id.clone(), s.header.sequence);
        // Of two copies the one comes first that is named as a writer names it.
        let is_copy = |s: &Segment| names::sequence(&s.header.name, &s.name) != Some(s.header.sequence);
        key(a).cmp(&key(b)).then_with(|| (is_copy(a), &a.path).cmp(&(is_copy(b), &b.path)))
    });
}
