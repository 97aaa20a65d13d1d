//! Whether a segment is whole, before it is sent: a store that keeps files for years should not contain damaged ones.

use std::io::{ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory, File, FileFacts};
use crate::options::{Filter, Loss, LossKind, ReaderMode, ReaderOptions};
use crate::reader::Reader;
use crate::segment::open_closed;

/// What comes after a segment in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// The segment in this file, which states where this one ends, and what a power cut took from it.
    Segment(String),
    /// A segment that is not there: this one was closed, unless its writer was killed.
    Lost,
    /// Not known: this one may end anywhere.
    Unknown,
}

/// Reads all of a segment. Returns the first damage with its place; `None` when each byte is what was written. Fails with
/// [`Kind::NotFound`] when the file, or that of the segment behind it, is not there any more: it may have another name now.
pub(super) fn damage_of(
    directory: &Arc<dyn Directory>,
    name: &str,
    behind: &Behind,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Error>> {
    let next = match behind {
        Behind::Segment(next) => Some(next.as_str()),
        Behind::Lost | Behind::Unknown => None,
    };
    let names = [name].into_iter().chain(next).map(str::to_owned).collect();
    let pair = Pair { directory: directory.clone(), names };
    let losses = Arc::<Mutex<Vec<Loss>>>::default();
    let found = losses.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        on_loss: Some(Arc::new(move |loss| found.lock().push(loss.clone()))),
        block_max_bytes: u64::MAX,
        ..ReaderOptions::default()
    };
    let path = directory.path_of(name);
    let len = pair.len_of(name).map_err(|e| Error::io(&e, "stat").at(&path))?;
    let read = read(Arc::new(pair), options, &path, stop);
    let losses = std::mem::take(&mut *losses.lock());
    // Damage in the next segment is found when its turn comes.
    let next_name = next;
    let next = next.map(|next| directory.path_of(next));
    let concerns = |loss: &&Loss| match loss.kind {
        _ if next.as_ref() == Some(&loss.path) => false,
        // Read alone, it seems to be the end of its log, although others should follow.
        LossKind::Missing => next.is_some() || loss.offset < len,
        // A writer that was killed leaves such an end.
        LossKind::TornTail => *behind != Behind::Unknown,
        kind => is_damage(kind),
    };
    let damaged: Vec<&Loss> = losses.iter().filter(concerns).collect();
    if let Some((name, path)) = next_name.zip(next.as_ref()).filter(|_| !damaged.is_empty() || read.is_err()) {
        // Without it, this segment seems to be the end of a log that goes on.
        if directory.facts(name).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            let reason = "the file of the next segment was compressed or removed meanwhile: try again";
            return Err(Error::new(Kind::NotFound, reason).at(path));
        }
    }
    match (&damaged[..], read) {
        ([first, more @ ..], Ok(_)) => Ok(Some(first_damage(first, more))),
        (_, Err(error)) if error.kind() == Kind::Corrupt => Ok(Some(error)),
        // The next segment cannot be read, which is reported for that segment.
        (_, Err(error)) if next.is_some() && error.path() == next.as_deref() => {
            damage_of(directory, name, &Behind::Unknown, stop)
        }
        (_, Err(error)) => Err(error),
        ([], Ok(Some(false))) if *behind == Behind::Lost => {
            let reason = "the segment does not end as a closed one does, and the one behind it is missing";
            Ok(Some(Error::corrupt(reason).at_offset(&path, len)))
        }
        ([], Ok(_)) => Ok(None),
    }
}

/// Reads until the next file is reached. Returns whether the segment ends with a TRAILER, if that can be determined.
fn read(
    pair: Arc<dyn Directory>,
    options: ReaderOptions,
    path: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<Option<bool>> {
    // With its events, so blocks that contain nothing else are read, too.
    let reader = Reader::open(pair, options)?;
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() })?;
    while cursor.next_batch(usize::MAX, |_| ())? > 0 && cursor.path() == path {
        if stop() {
            return Err(Error::new(Kind::Io, "the verifying of the segment was stopped").at(path));
        }
    }
    reader.is_closed(path)
}

/// Whether a loss means that bytes of the file are not what was written. A hole that a later segment names was never
/// durable, and bytes that only a newer version can read are not known to be wrong.
fn is_damage(kind: LossKind) -> bool {
    match kind {
        LossKind::Hole | LossKind::Double | LossKind::Misnamed | LossKind::OtherForm | LossKind::Newer => false,
        LossKind::Damage
        | LossKind::TornTail
        | LossKind::Missing
        | LossKind::HeaderLost
        | LossKind::Shifted
        | LossKind::TypeName
        | LossKind::Index
        | LossKind::TooLarge => true,
    }
}

fn first_damage(first: &Loss, more: &[&Loss]) -> Error {
    let mut reason = first.reason.clone();
    let ids = [first].into_iter().chain(more.iter().copied()).filter_map(|loss| loss.ids);
    let runs: Vec<String> =
        ids.map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") }).collect();
    // The message is noted, and is part of metrics and mails.
    const NAMED: usize = 8;
    let (named, more) = runs.split_at(runs.len().min(NAMED));
    if !named.is_empty() {
        reason += &format!("; lost are the records {}", named.join(", "));
    }
    if !more.is_empty() {
        reason += &format!(", and {} such ranges more", more.len());
    }
    Error::corrupt(reason).at_offset(&first.path, first.offset)
}

/// A directory that shows only one or two of its files.
struct Pair {
    directory: Arc<dyn Directory>,
    names: Vec<String>,
}

impl Pair {
    /// Whether the file is shown as it is shipped: without space after the blocks. Objects of a store have none.
    fn is_closed_here(&self, name: &str) -> bool {
        !self.directory.is_far() && self.names.first().is_some_and(|first| first == name)
    }

    fn len_of(&self, name: &str) -> IoResult<u64> {
        match self.is_closed_here(name) {
            true => open_closed(&*self.directory, name)?.len(),
            false => Ok(self.directory.facts(name)?.len),
        }
    }
}

impl Directory for Pair {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn open(&self, name: &str, access: Access) -> IoResult<Arc<dyn File>> {
        match access == Access::Read && self.is_closed_here(name) {
            true => open_closed(&*self.directory, name),
            false => self.directory.open(name, access),
        }
    }

    fn create(&self, name: &str, mode: u32) -> IoResult<Arc<dyn File>> {
        self.directory.create(name, mode)
    }

    fn open_or_create(&self, name: &str, mode: u32) -> IoResult<Arc<dyn File>> {
        self.directory.open_or_create(name, mode)
    }

    fn list(&self) -> IoResult<Vec<String>> {
        Ok(self.names.clone())
    }

    fn facts(&self, name: &str) -> IoResult<FileFacts> {
        self.directory.facts(name)
    }

    fn remove(&self, name: &str) -> IoResult<()> {
        self.directory.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> IoResult<()> {
        self.directory.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> IoResult<()> {
        self.directory.link(from, to)
    }

    fn sync(&self) -> IoResult<()> {
        self.directory.sync()
    }

    fn is_far(&self) -> bool {
        self.directory.is_far()
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.directory.path_of(name)
    }
}
