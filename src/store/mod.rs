//! Object stores: places for closed segments, behind one trait.
//!
//! A store is named by a URL: S3 and compatible servers, Google, Azure, OpenStack Swift, a directory, or a command. The
//! layers above know no network and no vendor: they use [`Store`], and tests replace it with a double that fails at the
//! n-th request.

mod address;
mod command;
mod confirm;
mod directory;
mod library;
mod limit;
mod open;
mod options;
pub mod remote;
mod sums;
pub mod support;
pub mod table;
#[cfg(any(test, feature = "testing"))]
mod testing;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::io::{File, OneFile};
use crate::memory::{self, NoMemory};

pub(crate) use address::shows_secret;
pub(crate) use confirm::confirm_unless;
pub use confirm::{confirm, Confirmed};
pub use open::{is_url, open};
pub use options::{Opener, StoreOptions};
pub use sums::Sums;
#[cfg(any(test, feature = "testing"))]
pub use testing::{MemoryStore, Request, StoreFault};

/// A place that stores objects under names. Every method may be called from any thread, and blocks until the store
/// answers or a time limit is reached. Each call may be repeated, whatever the result of the previous one.
///
/// Names are file names of segments, without slashes; the store puts the prefix of its URL before them. Objects that
/// are not directly below that prefix are ignored.
pub trait Store: Send + Sync + fmt::Debug {
    /// The URL that the store was opened with, without options and without anything secret.
    fn url(&self) -> &str;

    /// Whether stored objects can be read. A command only confirms that it has taken them.
    fn can_read(&self) -> bool {
        true
    }

    /// The facts of the object; `None` when there is none of this name.
    fn stat(&self, name: &str) -> Answer<Option<Stat>>;

    /// Stores a file as an object that must not exist yet: none is ever overwritten. Large files are sent in parts. On
    /// return the server has confirmed that it holds all of it, but the object was not read again ([`confirm`]).
    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored>;

    /// Sends the parts of an upload in parts, and stops before they become an object: [`Self::upload`] completes it,
    /// with the noted token. Nothing of it is visible before. Does nothing for a file that is sent as one, or for a
    /// store without parts.
    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        let _ = upload;
        Ok(())
    }

    /// The bytes of each range, several of them fetched at a time. A range must be within the object.
    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>>;

    /// As [`Self::read`], with the version of the object that the bytes belong to ([`Stat::version`]). A store whose
    /// answers contain it needs no further request.
    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        let missing = || Failure::when_mended(Error::new(Kind::NotFound, "there is no such object"));
        let version = || Ok(self.stat(name)?.ok_or_else(missing)?.version());
        let before = version().map_err(|failure: Failure| failure.at(&url_of(self.url(), name)))?;
        let bytes = self.read(name, ranges)?;
        match version()? == before {
            true => Ok((before, bytes)),
            false => Err(replaced(&url_of(self.url(), name))),
        }
    }

    /// The facts of the object, and its last `bytes` bytes (all of it, if it has fewer), in one request.
    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)>;

    /// All objects whose names begin with `prefix`, in the order of their names.
    fn list(&self, prefix: &str) -> Answer<Vec<Listed>>;

    /// Removes an object; it is no error if there is none.
    fn remove(&self, name: &str) -> Answer<()>;

    /// Whether the objects are files of this very directory, by any path: a log must not be shipped onto itself.
    fn is_directory(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// Gives up an upload that was begun and noted ([`Monitor::note`]), to stop the cost of its parts. It is no error
    /// if the server no longer knows it.
    fn abort(&self, name: &str, token: &str) -> Answer<()>;

    /// Gives up all uploads below the store's prefix of names that begin with `prefix` and that were begun longer ago
    /// than `age`; returns their number. Uploads that a server does not list are not found, and not counted.
    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64>;
}

/// The result of a request to a store.
pub type Answer<T> = Result<T, Failure>;

/// Why a request failed, and whether a retry may succeed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened, with the object's URL as its path.
    pub error: Error,
    /// Whether the same request may succeed later.
    pub again: Again,
}

impl From<NoMemory> for Failure {
    #[cold]
    fn from(refused: NoMemory) -> Self {
        Failure::later(refused.into())
    }
}

impl Failure {
    /// A failure that may pass by itself.
    pub fn later(error: Error) -> Self {
        Failure { error, again: Again::Later(None) }
    }

    /// A failure that stays until an operator acts.
    pub fn when_mended(error: Error) -> Self {
        Failure { error, again: Again::WhenMended }
    }

    /// Adds the object, unless it is known already.
    pub fn at(self, url: &str) -> Self {
        Failure { error: self.error.at(Path::new(url)), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The server or the connection is at fault (busy, unreachable, 409, 429, 5xx, a broken connection): retry after
    /// the time that the server asked for, if any.
    Later(Option<Duration>),
    /// An operator has to change something first: credentials, permissions, a name, space in a bucket.
    WhenMended,
}

/// A store's facts of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its length.
    pub bytes: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// The checksum that the server computed of its contents (an ETag), without quotes and in lower case; "" if there
    /// is none.
    pub tag: String,
    /// SHA-256 of its contents, as the client that stored it stated.
    pub sha256: Option<[u8; 32]>,
}

impl Stat {
    /// A value that differs for another object of the same name: the tag, or if there is none, the time.
    pub fn version(&self) -> String {
        match self.tag.as_str() {
            "" => self.modified_ns.to_string(),
            tag => tag.to_owned(),
        }
    }
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the store's prefix.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
}

/// A file to store.
pub struct Upload<'a> {
    /// The object's name.
    pub name: &'a str,
    /// Where the bytes are read.
    pub source: &'a dyn File,
    /// Its path, for stores that pass it on.
    pub path: &'a Path,
    /// Its length and checksums, computed beforehand: the stored object must match them.
    pub sums: &'a Sums,
    /// The token that [`Monitor::note`] received in an earlier try of the same upload; a store that no longer knows it
    /// begins again.
    pub resume: Option<&'a str>,
    /// Receives the progress.
    pub monitor: &'a dyn Monitor,
}

/// Receives the progress of an upload. Called from the thread that uploads.
pub trait Monitor: Sync {
    /// This many more bytes were taken by the server.
    fn sent(&self, bytes: u64);

    /// This many more bytes need not be sent: the server has them from an earlier try.
    fn found(&self, bytes: u64) {
        let _ = bytes;
    }

    /// A token to resume the upload after a restart. An upload in parts reports it before its first part, and after
    /// each part if that is needed to resume.
    fn note(&self, token: &str) -> Result<()>;

    /// Whether to stop: the upload then fails with [`Again::Later`], and can be resumed.
    fn stop(&self) -> bool;
}

/// Ignores the progress, and never stops.
impl Monitor for () {
    fn sent(&self, _bytes: u64) {}

    fn note(&self, _token: &str) -> Result<()> {
        Ok(())
    }

    fn stop(&self) -> bool {
        false
    }
}

/// The result of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The object was stored.
    New,
    /// An object of this name exists already: it has to be compared ([`confirm`]), and is left as it is.
    Exists,
}

/// Stores a few bytes as an object. An existing object of that name stays as it is.
pub(crate) fn put_bytes(store: &dyn Store, name: &str, bytes: &[u8]) -> Answer<()> {
    let file = OneFile::new(name, memory::copied(bytes)?).file();
    let sums = Sums::of(&file, u64::MAX).map_err(Failure::when_mended)?;
    let upload = Upload { name, source: &*file, path: Path::new(name), sums: &sums, resume: None, monitor: &() };
    store.upload(&upload).map(drop)
}

/// URL of an object in a store.
pub fn url_of(store: &str, name: &str) -> String {
    let slash = if store.ends_with('/') { "" } else { "/" };
    format!("{store}{slash}{name}")
}

/// Refuses an invalid object name: a store must never access anything outside its prefix.
pub fn check_name(store: &str, name: &str) -> Answer<()> {
    let bad = name.is_empty()
        || name.len() > 255
        || name.starts_with('.')
        || name.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    if bad {
        let reason = format!("{name:?} is no name of an object: it must have 1 to 255 bytes, no slash or control character, and not begin with a dot");
        return Err(Failure::when_mended(Error::invalid(reason)).at(store));
    }
    Ok(())
}

/// Refuses a range that is not within an object of this length.
pub fn check_ranges(ranges: &[Range<u64>], bytes: u64) -> Answer<()> {
    match ranges.iter().find(|range| range.start > range.end || range.end > bytes) {
        Some(range) => {
            let reason =
                format!("the bytes {} to {} were asked for, but the object has only {bytes}", range.start, range.end);
            Err(Failure::when_mended(Error::invalid(reason)))
        }
        None => Ok(()),
    }
}

/// The version that all answers belong to, and their bytes; `None` if they belong to more than one.
pub fn of_one_version(answers: Vec<(Option<String>, Vec<u8>)>) -> Option<(String, Vec<Vec<u8>>)> {
    let mut version = None;
    let mut read = vec![];
    for (of, bytes) in answers {
        if let Some(of) = of {
            if *version.get_or_insert_with(|| of.clone()) != of {
                return None;
            }
        }
        read.push(bytes);
    }
    Some((version.unwrap_or_default(), read))
}

/// The error for two answers from two objects.
pub fn replaced(url: &str) -> Failure {
    Failure::later(Error::new(Kind::Io, "the object was replaced while it was read")).at(url)
}

/// The error for an upload whose monitor stops it.
pub fn stopped() -> Failure {
    Failure::later(Error::new(Kind::Io, "the upload was stopped"))
}

/// A shortened foreign text for a message: one line without control characters.
pub fn brief(text: &str) -> String {
    const MOST: usize = 300;
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
