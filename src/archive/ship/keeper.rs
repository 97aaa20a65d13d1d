//! Writes what becomes of the segments into `<log>.archive`, under the lock that keeps a second shipper out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::archive::life::{self, stores, Entry, Kept, Life, Stage};
use crate::error::{Error, Kind, Result};
use crate::hex::hex;
use crate::io::clock::Clock;
use crate::io::{remove_if_there, Directory};
use crate::log::{take_lock_of, Lock};
use crate::record::NewRecord;
use crate::{Writer, WriterOptions};

/// Records that are out of date may be so many more than those that are not, before the file is written anew.
const STALE: u64 = 1000;
/// Segments that were removed here are remembered, so many of them.
const REMEMBERED: usize = 10_000;

/// The life of a log's segments, and the file in which it stands.
pub(super) struct Keeper {
    directory: Arc<dyn Directory>,
    log: String,
    log_id: Vec<u8>,
    file_mode: u32,
    life: Life,
    forgotten_from: Option<u64>,
    /// `None` when nothing is to be written.
    writer: Option<Writer>,
    /// The right to write.
    lock: Option<Lock>,
}

/// What the file is called while it is written anew.
fn part_of(log: &str) -> String {
    format!(".{}.part", life::file(log))
}

/// Notes how far the upload of one segment is.
pub(super) struct Noting {
    keeper: Arc<Mutex<Keeper>>,
    /// What is noted, but for token and time.
    pub entry: Entry,
    clock: Clock,
    /// A first token was noted for good.
    is_durable: AtomicBool,
}

impl Noting {
    pub fn new(keeper: Arc<Mutex<Keeper>>, entry: Entry, clock: Clock) -> Self {
        Noting { keeper, entry, clock, is_durable: AtomicBool::new(false) }
    }

    pub fn note(&self, token: &str) -> Result<()> {
        let entry = Entry { token: Some(token.to_owned()), when_ns: self.clock.now_ns(), ..self.entry.clone() };
        // Others only say how far it has come: after a power cut a few parts are sent once more.
        let is_first = !self.is_durable.swap(true, Ordering::Relaxed) && self.entry.token.is_none();
        self.keeper.lock().note(entry, is_first)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The file is closed before somebody else may open it.
        drop(self.writer.take());
        if let Some(lock) = &self.lock {
            lock.unlock();
        }
    }
}

impl Keeper {
    /// Takes the lock, reads what is there, and writes it anew when it does not end cleanly or most of it is out of date. What
    /// cannot be read is forgotten, and what was damaged is not trusted.
    pub fn open(directory: Arc<dyn Directory>, log: &str, log_id: &[u8], file_mode: u32) -> Result<Self> {
        let lock = take_lock_of(&*directory, &life::lock_name(log), file_mode, "another process ships the log")?;
        let mut keeper = Self::look(directory, log, log_id)?;
        (keeper.lock, keeper.file_mode) = (Some(lock), file_mode);
        // What a process has left that was killed as it wrote one of the files anew.
        for part in [part_of(log), life::stores::part_of(log)] {
            remove_if_there(&*keeper.directory, &part)?;
        }
        let known = &keeper.life;
        let is_sound = known.records > 0 && known.is_closed && !known.is_damaged;
        match is_sound && !keeper.is_stale() {
            true => keeper.writer = Some(keeper.open_writer(&life::file(&keeper.log))?),
            false => keeper.rewrite()?,
        }
        let shipped_to: BTreeSet<String> = keeper.life.stores().into_iter().map(str::to_owned).collect();
        if shipped_to != keeper.life.told_stores {
            keeper.life.told_stores = shipped_to;
            keeper.tell_stores()?;
        }
        Ok(keeper)
    }

    /// Only reads what is there.
    pub fn look(directory: Arc<dyn Directory>, log: &str, log_id: &[u8]) -> Result<Self> {
        let mut life = life::read(&*directory, log, log_id)?.unwrap_or_default();
        if life.is_damaged {
            // Something that was noted later may be lost: whatever can be, is found out again.
            for entry in life.entries.values_mut().filter(|entry| entry.stage == Stage::Uploaded) {
                entry.stage = Stage::Uploading;
            }
        }
        let is_unknown = |store: &String| !life.entries.keys().any(|(known, _)| known == store);
        let forgotten_from = (life.is_damaged || life.told_stores.iter().any(is_unknown)).then_some(1);
        let (log, log_id) = (log.to_owned(), log_id.to_vec());
        Ok(Keeper { directory, log, log_id, file_mode: 0o640, life, forgotten_from, writer: None, lock: None })
    }

    /// What is known of the segments with respect to a store, in their order.
    pub fn of_store<'a>(&'a self, store: &'a str) -> impl Iterator<Item = &'a Entry> + 'a {
        self.life.entries.values().filter(move |entry| entry.store == store)
    }

    /// What is known of the segments with respect to any store.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.life.entries.values()
    }

    /// From which segment on more was noted than is known now, if the file was lost or damaged since.
    pub fn forgotten_from(&self) -> Option<u64> {
        self.forgotten_from
    }

    /// The segments before this one need not be anywhere.
    pub fn has_forgotten_from(&mut self, sequence: u64) {
        self.forgotten_from = self.forgotten_from.map(|from| from.max(sequence));
    }

    /// Why a segment must not be removed here, if it must not.
    pub fn keeps(&self, sequence: u64, known_as: &[u64]) -> Option<Kept<'_>> {
        self.life.keeps(sequence, known_as)
    }

    /// Forgets all that is known of a store. False when nothing was.
    pub fn forget_store(&mut self, store: &str) -> Result<bool> {
        let before = self.life.entries.len();
        self.life.entries.retain(|_, entry| entry.store != store);
        let was_told = self.life.told_stores.remove(store);
        if was_told {
            self.tell_stores()?;
        }
        match self.life.entries.len() == before {
            true => Ok(was_told),
            false => self.rewrite().map(|()| true),
        }
    }

    /// What is known of one segment.
    pub fn get(&self, store: &str, sequence: u64) -> Option<&Entry> {
        self.life.entries.get(&(store.to_owned(), sequence))
    }

    /// Notes what has become of a segment; with `durable`, for good when this returns.
    pub fn note(&mut self, entry: Entry, durable: bool) -> Result<()> {
        if self.writer.is_none() {
            // A rewriting has failed.
            self.rewrite()?;
        }
        if entry.stage.is_shipped() && !self.life.told_stores.contains(&entry.store) {
            // Before others rely on it.
            self.life.told_stores.insert(entry.store.clone());
            self.tell_stores()?;
        }
        if let Some(writer) = &self.writer {
            let appended = append(writer, &entry);
            let kept = appended.and_then(|()| if durable { writer.sync() } else { writer.flush() });
            if let Err(error) = kept {
                // Nobody knows what stands in the file: the next note writes it anew.
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

    /// Writes anew to which stores the log is shipped.
    fn tell_stores(&self) -> Result<()> {
        stores::write(&*self.directory, (&self.log, &self.log_id), &self.life.told_stores, self.file_mode)
    }

    fn is_stale(&self) -> bool {
        self.life.records > 2 * self.life.entries.len() as u64 + STALE
    }

    /// Writes the file anew: beside it first, until all of it is durable, and then in its place.
    fn rewrite(&mut self) -> Result<()> {
        let name = life::file(&self.log);
        self.forget_the_oldest();
        // Whatever fails from here on, the next note tries again.
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

    /// Keeps the file from growing for ever. Who asks for what is forgotten finds it in the store.
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
        // Of each segment all or nothing, lest one store seem to lack what another one got.
        let up_to = pruned[excess - 1];
        self.life.entries.retain(|_, entry| entry.stage != Stage::Pruned || entry.sequence > up_to);
    }

    /// A file of that name that is not ours, or in which nothing can be read, is kept under another name.
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
            content_type: life::CONTENT_TYPE.to_owned(),
            parameters: BTreeMap::from([(life::LOG_ID.to_owned(), hex(&self.log_id))]),
            file_mode: self.file_mode,
            ..WriterOptions::default()
        };
        Writer::open_file_in(self.directory.clone(), name, options)
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
