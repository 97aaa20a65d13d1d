//! Reading segments where they lie: a store as a directory whose files are read a few pieces at a time.

mod cache;
mod object;
mod patience;
mod pieces;
mod place;
mod plan;

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Store;
use crate::error::{Error, Kind};
use crate::io::{read_only, Access, Directory, File, FileFacts};
use cache::Cache;
use object::{Object, RemoteFile, END};
use patience::{patiently, told};

pub(crate) use place::Place;

/// Objects of which beginning and end stay in memory after they were closed: 272 KiB each.
const KEPT: usize = 64;
/// Objects that are no longer than their beginning stay until all of them have so many bytes.
const KEPT_SMALL: u64 = 16 << 20;

/// A store of objects as a directory that is read: it lists the objects below the store's prefix, opens them for reading
/// and removes them. It never changes one and creates none: that fails with `EROFS`.
///
/// An object costs one request to be opened when it was listed or is small, two when its index is looked at, and one for each
/// read elsewhere; what a cursor is going to read is fetched several pieces at a time. It takes up to 40 MiB of memory as
/// long as it is read, and 272 KiB for each of the last 64 objects after that; objects of up to 16 KiB stay, 16 MiB of them all
/// together. An object that is another one than
/// it was at the first look is an error of the kind [`Kind::Corrupt`].
///
/// A request that fails for a passing reason is tried again for up to 30 s ([`Self::with_patience`]). Clones share
/// everything; any thread may use any of them.
#[derive(Clone)]
pub struct RemoteDirectory {
    shared: Arc<Shared>,
    /// Only objects whose names begin so are listed.
    prefix: String,
}

/// What all files of a directory use.
struct Shared {
    store: Arc<dyn Store>,
    path: PathBuf,
    /// What tells the store from others in a cache that they share.
    key: String,
    patience: Duration,
    cache: Option<Arc<Cache>>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// Length and time of each object, as they were listed last.
    listed: HashMap<String, (u64, i64)>,
    /// Objects that were opened, the last one first.
    opened: VecDeque<(String, Arc<Object>)>,
    small: Small,
}

/// Small objects that were opened: a log of thousands of them is looked at without asking for each one twice.
#[derive(Default)]
struct Small {
    objects: HashMap<String, Arc<Object>>,
    /// Their names and lengths, the last one at the end; of those that were replaced or forgotten, too.
    order: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Small {
    fn keep(&mut self, object: &Arc<Object>) {
        // So much they take beside their bytes.
        let bytes = object.bytes() + 512;
        self.objects.insert(object.name().to_owned(), object.clone());
        self.order.push_back((object.name().to_owned(), bytes));
        self.bytes += bytes;
        while self.bytes > KEPT_SMALL {
            let Some((name, bytes)) = self.order.pop_front() else { break };
            self.bytes -= bytes;
            self.objects.remove(&name);
        }
    }
}

impl RemoteDirectory {
    /// The log below the prefix that `url` ends with, as [`super::open`] has it.
    ///
    /// # Errors
    /// As [`super::open`] and [`Self::new`]. No request is made.
    pub fn open(url: &str, options: &super::StoreOptions) -> crate::Result<Self> {
        Ok(Self::new(super::open(url, options)?)?.with(|shared| shared.key = url.to_owned()))
    }

    /// Of a store that can be read.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a command, which only takes files.
    pub fn new(store: Arc<dyn Store>) -> crate::Result<Self> {
        let path = PathBuf::from(store.url());
        if !store.can_read() {
            let reason = "what a command has taken cannot be read back: name the place where it puts the segments";
            return Err(Error::new(Kind::Unsupported, reason).at(&path));
        }
        let shared = Shared {
            key: store.url().to_owned(),
            path,
            store,
            patience: patience::PATIENCE,
            cache: None,
            known: Arc::default(),
        };
        Ok(RemoteDirectory { shared: Arc::new(shared), prefix: String::new() })
    }

    /// The same, which tries a request that fails for a passing reason again for up to this time.
    pub fn with_patience(self, patience: Duration) -> Self {
        self.with(|shared| shared.patience = patience)
    }

    /// The same, with a directory of this machine for what was fetched, so that it is not fetched again. It holds at most
    /// `bytes` (0 = 1 GiB), those used last; any number of processes may share it. What is in it is verified when it is used.
    ///
    /// # Errors
    /// [`Kind::Io`] when there is no such directory and it cannot be made; [`Kind::Invalid`] when others may write in it or put
    /// another one in its place: they could put records into the log.
    pub fn with_cache(self, directory: impl AsRef<Path>, bytes: u64) -> crate::Result<Self> {
        let bytes = if bytes == 0 { cache::DEFAULT_BYTES } else { bytes };
        let cache = Cache::open(directory.as_ref(), bytes)?;
        Ok(self.with(|shared| shared.cache = Some(cache)))
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let now = &self.shared;
        let mut shared = Shared {
            store: now.store.clone(),
            path: now.path.clone(),
            key: now.key.clone(),
            patience: now.patience,
            cache: now.cache.clone(),
            // What is known was fetched without the cache.
            known: Arc::default(),
        };
        change(&mut shared);
        RemoteDirectory { shared: Arc::new(shared), ..self }
    }

    /// The same, of which only the objects are listed whose names begin so.
    fn listing(self, prefix: &str) -> Self {
        RemoteDirectory { prefix: prefix.to_owned(), ..self }
    }
}

impl Shared {
    fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn forget(&self, name: &str) {
        let mut known = self.known.lock();
        known.listed.remove(name);
        known.opened.retain(|(opened, _)| opened != name);
        known.small.objects.remove(name);
    }

    /// The object as it was known last, if it was opened, or listed.
    fn find(&self, name: &str) -> Option<Arc<Object>> {
        let mut known = self.known.lock();
        if let Some(object) = known.small.objects.get(name) {
            return Some(object.clone());
        }
        if let Some(at) = known.opened.iter().position(|(opened, _)| opened == name) {
            let found = known.opened.remove(at)?;
            let object = found.1.clone();
            known.opened.push_front(found);
            return Some(object);
        }
        let (bytes, modified_ns) = *known.listed.get(name)?;
        drop(known);
        Some(self.take(Object::new(self, name, bytes, modified_ns)))
    }

    fn take(&self, object: Object) -> Arc<Object> {
        let object = Arc::new(object);
        let mut known = self.known.lock();
        if object.bytes() <= object::HEAD {
            known.small.keep(&object);
            return object;
        }
        known.opened.retain(|(opened, _)| *opened != object.name());
        known.opened.push_front((object.name().to_owned(), object.clone()));
        known.opened.truncate(KEPT);
        object
    }

    /// Asks the store for the object. Its end comes along, unless it may be in the cache.
    fn ask(&self, name: &str) -> Result<Arc<Object>> {
        let path = self.path_of(name);
        let failed = |failure| told(failure, &path);
        if self.cache.is_some() {
            let stat = patiently(self.patience, || self.store.stat(name)).map_err(failed)?;
            let stat = stat.ok_or_else(|| missing(&path))?;
            return Ok(self.take(Object::told(self, name, stat, None)));
        }
        let (stat, end) = patiently(self.patience, || self.store.read_end(name, END)).map_err(failed)?;
        let is_whole = end.len() as u64 == stat.bytes.min(END);
        Ok(self.take(Object::told(self, name, stat, Some(end).filter(|_| is_whole))))
    }
}

fn missing(path: &Path) -> std::io::Error {
    std::io::Error::new(ErrorKind::NotFound, Error::new(Kind::NotFound, "there is no such object").at(path))
}

impl Directory for RemoteDirectory {
    fn path(&self) -> &Path {
        &self.shared.path
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        if access == Access::ReadWrite {
            return Err(read_only());
        }
        let known = self.shared.find(name);
        let is_known = known.is_some();
        let object = match known {
            Some(object) => object,
            None => self.shared.ask(name)?,
        };
        let file = RemoteFile::new(&self.shared, object);
        if is_known && !file.is_told() {
            // Whether it is still there, and which one: its beginning is wanted next anyway.
            match file.read_at(&mut [0], 0) {
                Ok(_) => (),
                Err(e) => {
                    self.shared.forget(name);
                    return Err(e);
                }
            }
        }
        Ok(Arc::new(file))
    }

    fn create(&self, _name: &str, _mode: u32) -> Result<Arc<dyn File>> {
        Err(read_only())
    }

    fn open_or_create(&self, _name: &str, _mode: u32) -> Result<Arc<dyn File>> {
        Err(read_only())
    }

    fn list(&self) -> Result<Vec<String>> {
        let shared = &self.shared;
        let listed = patiently(shared.patience, || shared.store.list(&self.prefix));
        let listed = listed.map_err(|failure| told(failure, &shared.path))?;
        let mut known = shared.known.lock();
        known.listed = listed.iter().map(|it| (it.name.clone(), (it.bytes, it.modified_ns))).collect();
        let Known { listed: now, opened, small } = &mut *known;
        // What is no longer there, or another now, is asked for anew.
        let is_as_listed = |name: &String, object: &Arc<Object>| {
            now.get(name).is_some_and(|&(bytes, modified_ns)| object.is_as_listed(bytes, modified_ns))
        };
        opened.retain(|(name, object)| is_as_listed(name, object));
        small.objects.retain(|name, object| is_as_listed(name, object));
        drop(known);
        Ok(listed.into_iter().map(|it| it.name).collect())
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        let path = self.shared.path_of(name);
        let stat = patiently(self.shared.patience, || self.shared.store.stat(name));
        let stat = stat.map_err(|failure| told(failure, &path))?.ok_or_else(|| missing(&path))?;
        let identity = Some(object::identity(&stat.version(), stat.bytes));
        Ok(FileFacts { len: stat.bytes, is_plain: true, identity })
    }

    fn listed(&self, name: &str) -> Option<(u64, i64)> {
        self.shared.known.lock().listed.get(name).copied()
    }

    fn names_listed(&self, prefix: &str) -> Vec<String> {
        let known = self.shared.known.lock();
        known.listed.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    fn remove(&self, name: &str) -> Result<()> {
        let removed = patiently(self.shared.patience, || self.shared.store.remove(name));
        self.shared.forget(name);
        removed.map_err(|failure| told(failure, &self.shared.path_of(name)))
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<()> {
        Err(read_only())
    }

    fn link(&self, _from: &str, _to: &str) -> Result<()> {
        Err(read_only())
    }

    fn put_label(&self, name: &str, text: &str) -> Result<()> {
        let put = patiently(self.shared.patience, || super::put_bytes(&*self.shared.store, name, text.as_bytes()));
        put.map_err(|failure| told(failure, &self.shared.path_of(name)))
    }

    fn sync(&self) -> Result<()> {
        // A store has done what it says it has.
        Ok(())
    }

    fn is_far(&self) -> bool {
        true
    }
}
