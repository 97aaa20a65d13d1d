//! Lists the segments of a source.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::heads::Heads;
use super::snapshot::Snapshot;
use super::source::{parent_and_name, Source};
use crate::error::{Error, Kind, Result};
use crate::io::{Directory, RealDirectory};
use crate::log::names;
use crate::options::ReaderMode;

impl Source {
    /// The segments that exist now. Those in `known` are not examined again. A file that does not begin as a segment is
    /// an error, unless its name states its place in a log: then the error is reported at that place.
    pub fn snapshot(&self, known: &Snapshot, mode: ReaderMode) -> Result<Snapshot> {
        // When a listed file is gone, those before it are too: old segments are being removed. The rest of such a list
        // is not the state of the directory at any one moment.
        const LISTINGS: usize = 100;
        let (mut fresh, mut is_whole) = self.look(known, mode)?;
        for _ in 1..LISTINGS {
            if is_whole {
                break;
            }
            (fresh, is_whole) = self.look(&fresh, mode)?;
        }
        match self {
            Source::Glob(pattern) if fresh.slots.is_empty() && known.slots.is_empty() => {
                Err(Error::new(Kind::NotFound, "no file matches the pattern").at(Path::new(pattern)))
            }
            Source::Matching(directory, pattern) if fresh.slots.is_empty() && known.slots.is_empty() => {
                Err(Error::new(Kind::NotFound, "no object matches the pattern")
                    .at(&directory.path_of(pattern.as_str())))
            }
            _ => Ok(fresh),
        }
    }

    /// As [`Self::snapshot`], and whether every listed file still existed when it was opened.
    pub(super) fn look(&self, known: &Snapshot, mode: ReaderMode) -> Result<(Snapshot, bool)> {
        // Legacy files are read as they were when the reader was opened.
        if known.slots.iter().any(|slot| slot.is_legacy()) {
            return Ok((known.clone(), true));
        }
        if let Source::Part(part) = self {
            return part.look(known, mode);
        }
        let mut found = Heads::new(known, mode);
        match self {
            Source::File(directory, name) => match known.slots.first().filter(|slot| !slot.is_unborn) {
                Some(_) => return Ok((known.clone(), true)),
                None => found.add_alone(directory, name)?,
            },
            Source::Directory(directory) => {
                let names = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
                let (names, others) = names.into_iter().partition(|name| names::is_segment(name));
                found.add(directory, names);
                found.add_others(directory, others);
            }
            Source::Matching(directory, pattern) => {
                let names = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
                found.add(directory, names.into_iter().filter(|name| pattern.matches(name)).collect());
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
                    found.add(&(Arc::new(directory) as Arc<dyn Directory>), names);
                }
            }
            Source::Part(_) => (),
        }
        found.finish()
    }
}
