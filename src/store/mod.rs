//! Object stores: where closed segments are kept, behind one trait.
//!
//! A store is named by a URL: S3 and what speaks it, Google, Azure, OpenStack Swift, a directory, or a command. The layers above
//! know no network and no vendor: they are written against [`Store`], so that tests can put a double in its place that
//! fails at the n-th request.

mod address;
mod command;
mod confirm;
mod directory;
mod library;
mod limit;
mod memory;
mod open;
pub mod remote;
mod sums;
pub mod support;
pub mod table;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory as _, File, MemoryDirectory};

pub(crate) use confirm::confirm_unless;
pub use confirm::{confirm, Confirmed};
pub use memory::{MemoryStore, Request, StoreFault};
use open::unknown;
pub use open::{is_url, open, StoreOptions};
pub use sums::Sums;
pub use table::Opener;

/// A place that keeps objects under names. Every method may be called from any thread, and blocks until its answer is there or
/// its time is over. Each may be repeated, whatever became of the call before.
///
/// Names are file names of segments, without slashes; the store puts the prefix of its URL before them. What does not lie
/// directly below that prefix is nobody's business here.
pub trait Store: Send + Sync + fmt::Debug {
    /// Where it is: the URL that it was opened with, without options and without anything secret.
    fn url(&self) -> &str;

    /// Whether objects can be looked at once they are there. A command only says that it has taken them.
    fn can_read(&self) -> bool {
        true
    }

    /// What the object is; `None` when there is none of this name.
    fn stat(&self, name: &str) -> Answer<Option<Stat>>;

    /// Stores a file as an object that must not be there yet: none is ever overwritten. Large files go in parts.
    /// Returning means that the server has said it holds all of it, not that it was looked at again ([`confirm`]).
    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored>;

    /// Sends the parts of an upload that goes in parts, and stops before they become an object: [`Self::upload`] does that, with
    /// what was noted. Nobody sees anything of it before. What goes in one piece, or into a store without parts, is not sent.
    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        let _ = upload;
        Ok(())
    }

    /// The bytes of each range, several of them fetched at a time. A range must lie in the object.
    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>>;

    /// As [`Self::read`], and the version of the object that the bytes are of ([`Stat::version`]). A store whose answers tell
    /// it needs no further request for that.
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

    /// What the object is, and its last `bytes` bytes (all of it, if it has fewer), in one request.
    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)>;

    /// All objects whose names begin with `prefix`, in the order of their names.
    fn list(&self, prefix: &str) -> Answer<Vec<Listed>>;

    /// Removes an object; one that is not there is removed already.
    fn remove(&self, name: &str) -> Answer<()>;

    /// Whether the objects are files of this very directory, by whatever path: a log must not be shipped onto itself.
    fn is_directory(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// Gives up an upload that was begun and noted ([`Monitor::note`]), so that its parts cost nothing any longer. One that the
    /// server no longer knows is given up already.
    fn abort(&self, name: &str, token: &str) -> Answer<()>;

    /// Gives up all uploads below the store's prefix of names that begin with `prefix` and that were begun longer ago than
    /// `age`; returns how many. What a server keeps no list of cannot be found, and is none.
    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64>;
}

/// What a store answers.
pub type Answer<T> = Result<T, Failure>;

/// Why a request failed, and whether it is worth trying again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What happened, with the object's URL as its path.
    pub error: Error,
    /// Whether the same request may succeed later.
    pub again: Again,
}

impl Failure {
    /// One that may pass by itself.
    pub fn later(error: Error) -> Self {
        Failure { error, again: Again::Later(None) }
    }

    /// One that stays until somebody changes something.
    pub fn when_mended(error: Error) -> Self {
        Failure { error, again: Again::WhenMended }
    }

    /// Says which object it happened to, unless it is known already.
    pub fn at(self, url: &str) -> Self {
        Failure { error: self.error.at(Path::new(url)), ..self }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The server or the way to it is at fault (busy, unreachable, 409, 429, 5xx, a broken connection): after the time that
    /// the server asked for, if it did.
    Later(Option<Duration>),
    /// Somebody has to change something first: credentials, permissions, a name, space in a bucket.
    WhenMended,
}

/// What a store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its length.
    pub bytes: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// What the server computed of its contents (an ETag), without quotes and in lower case; "" when it tells nothing.
    pub tag: String,
    /// SHA-256 of its contents, as whoever stored it said.
    pub sha256: Option<[u8; 32]>,
}

impl Stat {
    /// What another object of the same name would have another of: the tag, or where there is none, the time.
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

/// A file to be stored.
pub struct Upload<'a> {
    /// The object's name.
    pub name: &'a str,
    /// What is read.
    pub source: &'a dyn File,
    /// Its path, for stores that hand it on.
    pub path: &'a Path,
    /// Its length and checksums, computed beforehand: what is stored must be this.
    pub sums: &'a Sums,
    /// What [`Monitor::note`] was told by an earlier try of the same upload; a store that no longer knows it begins anew.
    pub resume: Option<&'a str>,
    /// Whom to tell how far it is.
    pub monitor: &'a dyn Monitor,
}

/// Follows an upload. Called from the thread that uploads.
pub trait Monitor: Sync {
    /// So many more bytes have been taken by the server.
    fn sent(&self, bytes: u64);

    /// So many more bytes need not be sent: the server has them from an earlier try.
    fn found(&self, bytes: u64) {
        let _ = bytes;
    }

    /// With this, the upload can be gone on with after a restart. An upload in parts tells it before its first part, and
    /// after each, when that is needed to go on.
    fn note(&self, token: &str) -> Result<()>;

    /// Whether to stop: the upload then fails with [`Again::Later`], and can be gone on with.
    fn stop(&self) -> bool;
}

/// Watches nothing, and stops nothing.
impl Monitor for () {
    fn sent(&self, _bytes: u64) {}

    fn note(&self, _token: &str) -> Result<()> {
        Ok(())
    }

    fn stop(&self) -> bool {
        false
    }
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The object was stored.
    New,
    /// One of this name is there already: it has to be compared ([`confirm`]), and is left as it is.
    Exists,
}

/// Stores a few bytes as an object. One of that name that is there already stays as it is.
pub(crate) fn put_bytes(store: &dyn Store, name: &str, bytes: &[u8]) -> Answer<()> {
    let directory = MemoryDirectory::new();
    directory.set_contents(name, bytes.to_vec());
    let path = directory.path_of(name);
    let read = directory.open(name, Access::Read).map_err(|e| Error::io(&e, "open"));
    let read = read.and_then(|file| Ok((Sums::of(&file, u64::MAX)?, file)));
    let (sums, file) = read.map_err(Failure::when_mended)?;
    let upload = Upload { name, source: &*file, path: &path, sums: &sums, resume: None, monitor: &() };
    store.upload(&upload).map(drop)
}

/// URL of an object in a store.
pub fn url_of(store: &str, name: &str) -> String {
    let slash = if store.ends_with('/') { "" } else { "/" };
    format!("{store}{slash}{name}")
}

/// Refuses what is no name of an object: a store must never reach outside its prefix.
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

/// Refuses a range that does not lie in an object of this length.
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

/// The version that all answers are of, and their bytes; `None` when they are of more than one.
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

/// Two answers were of two objects.
pub fn replaced(url: &str) -> Failure {
    Failure::later(Error::new(Kind::Io, "the object was replaced while it was read")).at(url)
}

/// An upload whose monitor wants it to stop.
pub fn stopped() -> Failure {
    Failure::later(Error::new(Kind::Io, "the upload was stopped"))
}

/// What somebody else said, as far as a message has room for it: one line without control characters.
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
