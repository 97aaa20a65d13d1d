//! Reads segments in a store: a directory whose files are read a few pieces at a time.

mod cache;
mod object;
mod patience;
mod pieces;
mod plan;
mod source;

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
use patience::{io_error, patiently};

pub(crate) use source::{store_url, RemoteSource};

/// The number of closed objects whose beginning and end stay in memory: 272 KiB each.
const KEPT: usize = 64;
/// Objects that are no longer than their beginning stay up to this many bytes in all.
const KEPT_SMALL: u64 = 16 << 20;

/// A store of objects as a directory for reading: it lists the objects below the store's prefix, opens them for reading
/// and removes them. It never changes or creates one: that fails with `EROFS`.
///
/// Opening an object costs one request if it was listed or is small, two when its index is read, and one for each read
/// elsewhere; announced reads are fetched several pieces at a time. An object takes up to 40 MiB of memory while it is
/// read, and 272 KiB afterwards for each of the last 64 objects; objects of up to 16 KiB stay, 16 MiB of them in all.
/// An object that has changed since the first look is an error of the kind [`Kind::Corrupt`].
///
/// A request with a passing failure is retried for up to 30 s ([`Self::with_patience`]). Clones share everything; any
/// thread may use any of them.
#[derive(Clone)]
pub struct RemoteDirectory {
    shared: Arc<Shared>,
    /// Only objects whose names begin with this are listed.
    prefix: String,
}

/// State that all files of a directory share.
struct Shared {
    store: Arc<dyn Store>,
    path: PathBuf,
    /// Distinguishes the store from others in a shared cache.
    key: String,
    patience: Duration,
    cache: Option<Arc<Cache>>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// Length and time of each object in the last list.
    listed: HashMap<String, (u64, i64)>,
    /// Objects that were opened, the last one first.
    opened: VecDeque<(String, Arc<Object>)>,
    small: Small,
}

/// Small objects that were opened: a log of thousands of them is read without a second request for each.
#[derive(Default)]
struct Small {
    objects: HashMap<String, Arc<Object>>,
    /// Their names and lengths, the last one at the end; including those that were replaced or forgotten.
    order: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Small {
    fn keep(&mut self, object: &Arc<Object>) {
        // An estimate of their overhead.
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
    /// The log below the prefix that `url` ends with, as in [`super::open`].
    ///
    /// # Errors
    /// As [`super::open`] and [`Self::new`]. Makes no request.
    pub fn open(url: &str, options: &super::StoreOptions) -> crate::Result<Self> {
        Ok(Self::new(super::open(url, options)?)?.with(|shared| shared.key = url.to_owned()))
    }

    /// A directory over a store that can be read.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a command, which cannot be read.
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

    /// Sets how long a request with a passing failure is retried.
    pub fn with_patience(self, patience: Duration) -> Self {
        self.with(|shared| shared.patience = patience)
    }

    /// Adds a local directory as a cache, so nothing is fetched twice. It holds at most `bytes` (0 = 1 GiB), the most
    /// recently used; any number of processes may share it. Its contents are verified when they are used.
    ///
    /// # Errors
    /// [`Kind::Io`] when there is no such directory and it cannot be made; [`Kind::Invalid`] when other users may write
    /// to it or replace it: they could put records into the log.
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
            // The known objects were fetched without the cache.
            known: Arc::default(),
        };
        change(&mut shared);
        RemoteDirectory { shared: Arc::new(shared), ..self }
    }

    /// The same, but only objects whose names begin with this are listed.
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

    /// The object as it was last known, if it was opened or listed.
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

    /// Requests the object from the store, with its end, unless that may be in the cache.
    fn ask(&self, name: &str) -> Result<Arc<Object>> {
        let path = self.path_of(name);
        let failed = |failure| io_error(failure, &path);
        if self.cache.is_some() {
            let stat = patiently(self.patience, || self.store.stat(name)).map_err(failed)?;
            let stat = stat.ok_or_else(|| missing(&path))?;
            return Ok(self.take(Object::from_stat(self, name, stat, None)));
        }
        let (stat, end) = patiently(self.patience, || self.store.read_end(name, END)).map_err(failed)?;
        let is_whole = end.len() as u64 == stat.bytes.min(END);
        Ok(self.take(Object::from_stat(self, name, stat, Some(end).filter(|_| is_whole))))
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
        if is_known && !file.has_version() {
            // Checks whether it still exists, and which one it is: its beginning is read next anyway.
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

    fn list(&self) -> Result<Vec<String>> {
        let shared = &self.shared;
        let listed = patiently(shared.patience, || shared.store.list(&self.prefix));
        let listed = listed.map_err(|failure| io_error(failure, &shared.path))?;
        let mut known = shared.known.lock();
        known.listed = listed.iter().map(|it| (it.name.clone(), (it.bytes, it.modified_ns))).collect();
        let Known { listed: now, opened, small } = &mut *known;
        // Objects that have been removed or replaced are requested again.
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
        let stat = stat.map_err(|failure| io_error(failure, &path))?.ok_or_else(|| missing(&path))?;
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
        removed.map_err(|failure| io_error(failure, &self.shared.path_of(name)))
    }

    fn put_label(&self, name: &str, text: &str) -> Result<()> {
        let put = patiently(self.shared.patience, || super::put_bytes(&*self.shared.store, name, text.as_bytes()));
        put.map_err(|failure| io_error(failure, &self.shared.path_of(name)))
    }

    fn is_far(&self) -> bool {
        true
    }
}
