//! A directory in which a test chooses what happens at certain moments.

use std::io::{IoSlice, Result};
use std::path::Path;
use std::sync::Arc;

use binlog::io::{Access, Directory, Exclusive, File, FileFacts, Identity, Rights, Wake, Watch};

type OnCall = dyn Fn() + Send + Sync;
type OnFile = dyn Fn(&str) + Send + Sync;
type OnRead = dyn Fn(&str, usize) + Send + Sync;
type OnBytes = dyn Fn(&str, &mut [u8]) + Send + Sync;
type OnList = dyn Fn(&mut Vec<String>) + Send + Sync;
type OnWatch = dyn Fn() -> Box<dyn Watch> + Send + Sync;

/// The files of another directory.
#[derive(Clone)]
pub struct Interposed {
    pub inner: Arc<dyn Directory>,
    /// Called before each look at the directory: a list, the facts of a file, the opening of one.
    pub on_call: Option<Arc<OnCall>>,
    /// Called with the name of a file before it is opened.
    pub on_open: Option<Arc<OnFile>>,
    /// Called with the name of a file when its bytes are durable, before the caller of the sync learns that.
    pub on_sync: Option<Arc<OnFile>>,
    /// Called with the name of a file before something is written to it.
    pub on_write: Option<Arc<OnFile>>,
    /// Called with the name of a file and the number of bytes that were read from it.
    pub on_read: Option<Arc<OnRead>>,
    /// Called with the name of a file and what is about to be written to it, which it may change.
    pub on_bytes: Option<Arc<OnBytes>>,
    /// Called with the names of a list of the directory, which it may change.
    pub on_list: Option<Arc<OnList>>,
    /// Called with the new name before a file gets it.
    pub on_link: Option<Arc<OnFile>>,
    /// Provides the watch of the directory.
    pub on_watch: Option<Arc<OnWatch>>,
}

struct Wrapped {
    inner: Arc<dyn File>,
    name: String,
    on_sync: Option<Arc<OnFile>>,
    on_write: Option<Arc<OnFile>>,
    on_read: Option<Arc<OnRead>>,
    on_bytes: Option<Arc<OnBytes>>,
}

impl Interposed {
    /// Without any callbacks.
    pub fn around(inner: Arc<dyn Directory>) -> Self {
        Interposed {
            inner,
            on_call: None,
            on_open: None,
            on_sync: None,
            on_write: None,
            on_read: None,
            on_bytes: None,
            on_list: None,
            on_link: None,
            on_watch: None,
        }
    }

    fn called(&self) {
        if let Some(on_call) = &self.on_call {
            on_call();
        }
    }

    fn wrap(&self, inner: Arc<dyn File>, name: &str) -> Arc<dyn File> {
        Arc::new(Wrapped {
            inner,
            name: name.to_owned(),
            on_sync: self.on_sync.clone(),
            on_write: self.on_write.clone(),
            on_read: self.on_read.clone(),
            on_bytes: self.on_bytes.clone(),
        })
    }
}

impl Directory for Interposed {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.called();
        if let Some(on_open) = &self.on_open {
            on_open(name);
        }
        Ok(self.wrap(self.inner.open(name, access)?, name))
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.create(name, mode)?, name))
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open_or_create(name, mode)?, name))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.called();
        let mut listed = self.inner.list()?;
        if let Some(on_list) = &self.on_list {
            on_list(&mut listed);
        }
        Ok(listed)
    }

    fn exclude_others(&self) -> Result<Option<Exclusive>> {
        self.inner.exclude_others()
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        self.called();
        self.inner.facts(name)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        if let Some(on_link) = &self.on_link {
            on_link(to);
        }
        self.inner.link(from, to)
    }

    fn copy_facts(&self, like: &str, name: &str) -> Result<()> {
        self.inner.copy_facts(like, name)
    }

    fn rights(&self, name: &str) -> Result<Option<Rights>> {
        self.inner.rights(name)
    }

    fn set_rights(&self, name: &str, rights: &Rights) -> Result<()> {
        self.inner.set_rights(name, rights)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn watch(&self, wake: &Arc<Wake>) -> Result<Option<Box<dyn Watch>>> {
        match &self.on_watch {
            Some(watch) => Ok(Some(watch())),
            None => self.inner.watch(wake),
        }
    }
}

impl File for Wrapped {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let n = self.inner.read_at(buffer, offset)?;
        if let Some(on_read) = &self.on_read {
            on_read(&self.name, n);
        }
        Ok(n)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        if let Some(on_write) = &self.on_write {
            on_write(&self.name);
        }
        if let Some(on_bytes) = &self.on_bytes {
            let mut bytes = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
            on_bytes(&self.name, &mut bytes);
            return self.inner.write_at(&[IoSlice::new(&bytes)], offset);
        }
        self.inner.write_at(parts, offset)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.inner.allocate(offset, len)
    }

    fn sync_data(&self) -> Result<()> {
        self.inner.sync_data()?;
        if let Some(on_sync) = &self.on_sync {
            on_sync(&self.name);
        }
        Ok(())
    }

    fn try_lock(&self) -> Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.inner.unlock()
    }

    fn is_locked(&self) -> Result<bool> {
        self.inner.is_locked()
    }

    fn identity(&self) -> Result<Option<Identity>> {
        self.inner.identity()
    }
}
