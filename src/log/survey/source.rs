//! Where a reader reads from: a directory, a file, a pattern, or the URL of one of these.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::part::{Limit, Part};
use crate::error::{Error, Kind, Result};
use crate::io::{Directory, Location, RealDirectory, Wake, Watch};
use crate::options::ReaderOptions;

/// Where a reader reads from.
#[derive(Clone)]
pub(crate) enum Source {
    /// All segments of a directory.
    Directory(Arc<dyn Directory>),
    /// One file.
    File(Arc<dyn Directory>, String),
    /// The files that match a pattern.
    Glob(String),
    /// The files of one directory whose names match a pattern.
    Matching(Arc<dyn Directory>, glob::Pattern),
    /// A part of the log at another source.
    Part(Arc<Part>),
}

impl Source {
    /// What is at the location. A path is a directory, a file, a glob pattern, or a URL of one of these.
    pub fn of(location: Location, options: &ReaderOptions) -> Result<Self> {
        match location {
            Location::Path(path) => Self::of_path(&path, options),
            Location::Directory(directory) => Ok(Source::Directory(directory)),
            Location::File(directory, name) => Ok(Source::File(directory, name)),
        }
    }

    fn of_path(path: &Path, options: &ReaderOptions) -> Result<Self> {
        if let Some(url) = url(path) {
            return Self::of_url(url, options);
        }
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

    fn of_url(url: &str, options: &ReaderOptions) -> Result<Self> {
        use crate::store::remote::RemoteSource;
        let cache = options.cache.as_deref().map(|directory| (directory, options.cache_bytes));
        Ok(match RemoteSource::of(url, options.store(), cache)? {
            RemoteSource::Log(directory) => Source::Directory(directory),
            RemoteSource::Segment(directory, name) => Source::File(directory, name),
            RemoteSource::Pattern(directory, pattern) => Source::Matching(directory, pattern),
        })
    }

    /// Whether looking for new segments sends a request to another machine.
    pub fn is_far(&self) -> bool {
        match self {
            Source::Directory(directory) | Source::File(directory, _) | Source::Matching(directory, _) => {
                directory.is_far()
            }
            Source::Glob(_) => false,
            Source::Part(part) => part.source.is_far(),
        }
    }

    /// What is read of the segments, if it is not all of them.
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Source::Part(part) => Some(&part.limit),
            _ => None,
        }
    }

    /// Whether its segments may be followed by others of their log.
    pub fn may_go_on(&self) -> bool {
        !matches!(self, Source::File(..) | Source::Part(_))
    }

    /// Whether it is a directory, or a part of the log in one: a lock file there is that of the log.
    pub fn is_directory(&self) -> bool {
        match self {
            Source::Part(part) => part.source.is_directory(),
            source => matches!(source, Source::Directory(_)),
        }
    }

    /// The path that error messages show.
    pub fn path(&self) -> PathBuf {
        match self {
            Source::Directory(directory) | Source::Matching(directory, _) => directory.path().to_owned(),
            Source::File(directory, name) => directory.path_of(name),
            Source::Glob(pattern) => PathBuf::from(pattern),
            Source::Part(part) => part.source.path(),
        }
    }

    /// Whether the pattern, if there is one, matches the name of a file.
    pub(super) fn matches(&self, file: &str) -> bool {
        match self {
            Source::Matching(_, pattern) => pattern.matches(file),
            _ => true,
        }
    }

    /// Whether it is a link to a file elsewhere.
    pub fn is_link(&self) -> bool {
        match self {
            Source::File(directory, name) => directory.facts(name).is_ok_and(|facts| !facts.is_plain),
            Source::Part(part) => part.source.is_link(),
            _ => false,
        }
    }

    /// Watches for changes there, where the system can, and reports them through `wake`.
    pub fn watch(&self, wake: &Arc<Wake>) -> Option<Box<dyn Watch>> {
        match self {
            Source::Directory(directory) | Source::File(directory, _) => directory.watch(wake).ok().flatten(),
            Source::Part(part) => part.source.watch(wake),
            Source::Glob(_) | Source::Matching(..) => None,
        }
    }
}

/// The path, if it is the URL of an object store.
fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|path| crate::store::is_url(path))
}

/// The part of an unparsed URL that messages may show: no options, and nothing that may be a password.
fn shown(url: &str) -> &str {
    let place = url.split('?').next().unwrap_or(url);
    match place.contains('@') {
        true => place.split_inclusive("://").next().unwrap_or_default(),
        false => place,
    }
}

/// Whether the path is the URL of an object store.
pub(crate) fn is_url(path: &Path) -> bool {
    url(path).is_some()
}

/// Refuses the URL of an object store where a directory of this machine is required; `doing` describes the operation.
pub(crate) fn refuse_url(location: &Location, doing: &str) -> Result<()> {
    let Location::Path(path) = location else { return Ok(()) };
    match url(path) {
        Some(url) => {
            let reason = format!("cannot {doing} there: what lies in an object store is never changed");
            Err(Error::new(Kind::Unsupported, reason).at(Path::new(shown(url))))
        }
        None => Ok(()),
    }
}

/// The directory of a file, and its name there.
pub(super) fn parent_and_name(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::invalid("the file's name is not UTF-8").at(path))?;
    Ok((path.parent().unwrap_or(Path::new("")).to_owned(), name.to_owned()))
}
