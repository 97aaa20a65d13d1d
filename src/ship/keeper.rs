//! Writes the ledger, `<log>.archive`, under the lock that excludes a second shipper.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use super::local::Local;
use crate::error::{Error, Kind, Result};
use crate::hex::hex;
use crate::io::clock::Clock;
use crate::io::{remove_if_there, Directory, Location};
use crate::ledger::{self, stores, Entry, Kept, Ledger, Stage};
use crate::log::{take_lock_of, Lock};
use crate::record::NewRecord;
use crate::{Writer, WriterOptions};

/// The file is rewritten when it contains so many more outdated records than current ones.
const STALE: u64 = 1000;
/// This many segments that were removed here are remembered.
const REMEMBERED: usize = 10_000;

/// The life of a log's segments, and the file that stores it.
pub(super) struct Keeper {
    directory: Arc<dyn Directory>,
    log: String,
    log_id: Vec<u8>,
    file_mode: u32,
    life: Ledger,
    forgotten_from: Option<u64>,
    /// `None` when nothing is written.
    writer: Option<Writer>,
    /// The right to write.
    lock: Option<Lock>,
}

/// The name of the file while it is rewritten.
fn part_of(log: &str) -> String {
    format!(".{}.part", ledger::file(log))
}

/// Notes the progress of the upload of one segment.
pub(super) struct Noting {
    keeper: Arc<Mutex<Keeper>>,
    /// The entry, except for token and time.
    pub entry: Entry,
    clock: Clock,
    /// A first token was noted durably.
    is_durable: AtomicBool,
}

impl Noting {
    pub fn new(keeper: Arc<Mutex<Keeper>>, entry: Entry, clock: Clock) -> Self {
        Noting { keeper, entry, clock, is_durable: AtomicBool::new(false) }
    }

    pub fn note(&self, token: &str) -> Result<()> {
        let entry = Entry { token: Some(token.to_owned()), when_ns: self.clock.now_ns(), ..self.entry.clone() };
        // Later tokens only state the progress: after a power cut a few parts are sent once more.
        let is_first = !self.is_durable.swap(true, Ordering::Relaxed) && self.entry.token.is_none();
        self.keeper.lock().note(entry, is_first)
    }
}

/// Marks the log as one that is shipped, if it is not yet: the lock file stays.
pub(super) fn mark(directory: &dyn Directory, log: &str, file_mode: u32) -> Result<()> {
    if ledger::is_shipped(directory, log)? {
        return Ok(());
    }
    match take_lock(directory, log, file_mode) {
        Ok(lock) => lock.unlock(),
        // Another process has just marked it.
        Err(error) if error.kind() == Kind::Locked => (),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn take_lock(directory: &dyn Directory, log: &str, file_mode: u32) -> Result<Lock> {
    take_lock_of(directory, &ledger::lock_name(log), file_mode, "another process ships the log")
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The file is closed before another process may open it.
        drop(self.writer.take());
        if let Some(lock) = &self.lock {
            lock.unlock();
        }
    }
}

impl Keeper {
    /// Takes the lock, reads the file, and rewrites it if it does not end cleanly or most of it is outdated. Entries
    /// that cannot be read are forgotten, and damaged ones are not trusted.
    pub fn open(directory: Arc<dyn Directory>, log: &str, log_id: &[u8], file_mode: u32) -> Result<Self> {
        let lock = take_lock(&*directory, log, file_mode)?;
        let mut keeper = Self::look(directory, log, log_id)?;
        (keeper.lock, keeper.file_mode) = (Some(lock), file_mode);
        // Leftovers of a process that was killed while it rewrote one of the files.
        for part in [part_of(log), ledger::stores::part_of(log)] {
            remove_if_there(&*keeper.directory, &part)?;
        }
        let known = &keeper.life;
        let is_sound = known.records > 0 && known.is_closed && !known.is_damaged;
        match is_sound && !keeper.is_stale() {
            true => keeper.writer = Some(keeper.open_writer(&ledger::file(&keeper.log))?),
            false => keeper.rewrite()?,
        }
        let shipped_to: BTreeSet<String> = keeper.life.stores().into_iter().map(str::to_owned).collect();
        if shipped_to != keeper.life.recorded_stores {
            keeper.life.recorded_stores = shipped_to;
            keeper.write_stores()?;
        }
        Ok(keeper)
    }

    /// Only reads the file.
    pub fn look(directory: Arc<dyn Directory>, log: &str, log_id: &[u8]) -> Result<Self> {
        let mut life = ledger::read(&*directory, log, log_id)?.unwrap_or_default();
        if life.is_damaged {
            // Later notes may be lost: everything that can be checked is checked again.
            for entry in life.entries.values_mut().filter(|entry| entry.stage == Stage::Uploaded) {
                entry.stage = Stage::Uploading;
            }
        }
        let is_unknown = |store: &String| !life.entries.keys().any(|(known, _)| known == store);
        let forgotten_from = (life.is_damaged || life.recorded_stores.iter().any(is_unknown)).then_some(1);
        let (log, log_id) = (log.to_owned(), log_id.to_vec());
        Ok(Keeper { directory, log, log_id, file_mode: 0o640, life, forgotten_from, writer: None, lock: None })
    }

    /// The entries of the segments for a store, in their order.
    pub fn of_store<'a>(&'a self, store: &'a str) -> impl Iterator<Item = &'a Entry> + 'a {
        self.life.entries.values().filter(move |entry| entry.store == store)
    }

    /// The entries of the segments for all stores.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.life.entries.values()
    }

    /// From which segment on entries were lost, if the file was lost or damaged.
    pub fn forgotten_from(&self) -> Option<u64> {
        self.forgotten_from
    }

    /// The segments before this one are not expected to exist.
    pub fn has_forgotten_from(&mut self, sequence: u64) {
        self.forgotten_from = self.forgotten_from.map(|from| from.max(sequence));
    }

    /// Why a segment must not be removed here; `None` if it may be.
    pub fn keeps(&self, sequence: u64, known_as: &[u64]) -> Option<Kept<'_>> {
        self.life.keeps(sequence, known_as)
    }

    /// Forgets all entries of a store. Returns false when there were none.
    pub fn forget_store(&mut self, store: &str) -> Result<bool> {
        let before = self.life.entries.len();
        self.life.entries.retain(|_, entry| entry.store != store);
        let was_recorded = self.life.recorded_stores.remove(store);
        if was_recorded {
            self.write_stores()?;
        }
        match self.life.entries.len() == before {
            true => Ok(was_recorded),
            false => self.rewrite().map(|()| true),
        }
    }

    /// The entry of one segment.
    pub fn get(&self, store: &str, sequence: u64) -> Option<&Entry> {
        self.life.entries.get(&(store.to_owned(), sequence))
    }

    /// Notes the new stage of a segment; with `durable`, it is durable on return.
    pub fn note(&mut self, entry: Entry, durable: bool) -> Result<()> {
        if self.writer.is_none() {
            // An earlier rewrite has failed.
            self.rewrite()?;
        }
        if entry.stage.is_shipped() && !self.life.recorded_stores.contains(&entry.store) {
            // Before other processes rely on it.
            self.life.recorded_stores.insert(entry.store.clone());
            self.write_stores()?;
        }
        if let Some(writer) = &self.writer {
            let appended = append(writer, &entry);
            let kept = appended.and_then(|()| if durable { writer.sync() } else { writer.flush() });
            if let Err(error) = kept {
                // The contents of the file are not known: the next note rewrites it.
                self.writer = None;
                return Err(error);
            }
        }
        self.life.records += 1;
        self.life.entries.insert((entry.store.clone(), entry.sequence), entry);
        match self.is_stale() {
            true => self.rewrite(),
            false => Ok(()),
        }
    }

    /// Rewrites the list of the stores that the log is shipped to.
    fn write_stores(&self) -> Result<()> {
        stores::write(&*self.directory, (&self.log, &self.log_id), &self.life.recorded_stores, self.file_mode)
    }

    fn is_stale(&self) -> bool {
        self.life.records > 2 * self.life.entries.len() as u64 + STALE
    }

    /// Rewrites the file: beside it first, until all of it is durable, and then in its place.
    fn rewrite(&mut self) -> Result<()> {
        let name = ledger::file(&self.log);
        self.forget_the_oldest();
        // If anything fails from here on, the next note tries again.
        drop(self.writer.take());
        self.put_foreign_aside(&name)?;
        let part = part_of(&self.log);
        remove_if_there(&*self.directory, &part)?;
        let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&self.directory.path_of(&part));
        let writer = self.open_writer(&part)?;
        let written = self.life.entries.values().try_for_each(|entry| append(&writer, entry));
        let written = written.and_then(|()| writer.close());
        let written = written.and_then(|()| {
            self.directory.rename(&part, &name).map_err(|e| failed(&e, "rename"))?;
            self.directory.sync().map_err(|e| Error::io(&e, "sync").at(self.directory.path()))
        });
        if let Err(error) = written {
            let _ = self.directory.remove(&part);
            return Err(error);
        }
        self.life.records = self.life.entries.len() as u64;
        self.life.is_damaged = false;
        self.writer = Some(self.open_writer(&name)?);
        Ok(())
    }

    /// Limits the size of the file. Forgotten segments are found in the store when they are needed.
    fn forget_the_oldest(&mut self) {
        let mut pruned: Vec<u64> = self
            .life
            .entries
            .values()
            .filter(|entry| entry.stage == Stage::Pruned)
            .map(|entry| entry.sequence)
            .collect();
        let Some(excess) = pruned.len().checked_sub(REMEMBERED).filter(|excess| *excess > 0) else { return };
        pruned.sort_unstable();
        // All entries of a segment or none: otherwise one store would seem to lack what another one got.
        let up_to = pruned[excess - 1];
        self.life.entries.retain(|_, entry| entry.stage != Stage::Pruned || entry.sequence > up_to);
    }

    /// Keeps a foreign file of that name, or one in which nothing can be read, under another name.
    fn put_foreign_aside(&self, name: &str) -> Result<()> {
        if !self.life.is_damaged || self.life.records > 0 {
            return Ok(());
        }
        for n in 1..=100 {
            let aside = format!("{name}.damaged-{n}");
            match self.directory.link(name, &aside) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => (),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
                Err(e) => {
                    return Err(
                        Error::io(&e, &format!("keep under the name {aside}")).at(&self.directory.path_of(name))
                    );
                }
                Ok(()) => return Ok(()),
            }
        }
        let reason = "this is no file about the segments of a log, and a hundred such were kept already";
        Err(Error::new(Kind::Corrupt, reason).at(&self.directory.path_of(name)))
    }

    fn open_writer(&self, name: &str) -> Result<Writer> {
        let options = WriterOptions {
            name: self.log.clone(),
            content_type: ledger::CONTENT_TYPE.to_owned(),
            parameters: BTreeMap::from([(ledger::LOG_ID.to_owned(), hex(&self.log_id))]),
            file_mode: self.file_mode,
            ..WriterOptions::default()
        };
        Writer::open(Location::File(self.directory.clone(), name.to_owned()), options)
    }
}

fn append(writer: &Writer, entry: &Entry) -> Result<()> {
    let facts = entry.facts();
    let record = NewRecord {
        type_id: writer.type_id(entry.stage.name(), "")?,
        time: Some(entry.when_ns),
        metadata: facts.as_metadata(),
        payload: &[],
    };
    writer.append_record(&record).map(drop)
}

/// Whether the store was found to contain the segment.
pub(super) fn is_shipped(keeper: &Keeper, store: &str, segment: &Local) -> bool {
    entry_of(keeper, store, segment).is_some_and(|entry| entry.stage.is_shipped())
}

/// The entry of a segment, unless it is about a segment of another log with the same number.
pub(super) fn entry_of<'a>(keeper: &'a Keeper, store: &str, segment: &Local) -> Option<&'a Entry> {
    keeper.get(store, segment.sequence).filter(|entry| entry.is_about(segment.sequence, &segment.known_as))
}
