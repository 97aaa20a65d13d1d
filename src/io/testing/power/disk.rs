//! The files of a machine: as the running system sees them, as they are durable, and what was done in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub const PAGE: usize = 4096;

#[derive(Clone, Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    pub names: BTreeMap<String, usize>,
    pub durable_names: BTreeMap<String, usize>,
    pub name_changes: Vec<(usize, NameChange)>,
    /// Counts operations, and so orders changes of different files.
    time: usize,
}

/// A change of names that was not synced.
#[derive(Clone)]
pub enum NameChange {
    Add(String, usize),
    Remove(String),
    Rename { from: String, to: String },
}

#[derive(Clone, Default)]
pub struct Inode {
    /// Contents as the running system sees them.
    pub now: Vec<u8>,
    pub durable: Vec<u8>,
    /// All changes since the last sync that may not be on the disk, in order.
    pub changes: Vec<Change>,
    /// Pages that were written since the last sync, whether it failed or not.
    dirty: BTreeSet<usize>,
    /// Pages that a failed sync has marked clean: the running system shows them, and no later sync writes them to the
    /// disk, until they are evicted and written again.
    lost: BTreeSet<usize>,
    /// The length differs from the durable one, and the next sync makes it durable.
    new_len: bool,
    /// Number of the handle that holds the lock.
    pub holder: Option<usize>,
}

/// The effect of one operation on the system's page cache. Any part of it may have been written back.
#[derive(Clone)]
pub struct Change {
    pub time: usize,
    /// Length of the file afterwards.
    pub len: usize,
    /// The pages that it touched, as they were afterwards; bytes after the length are 0.
    pub pages: Vec<(usize, Vec<u8>)>,
}

impl Disk {
    /// A disk on which everything is durable.
    pub fn of(names: BTreeMap<String, usize>, contents: Vec<Vec<u8>>) -> Self {
        let inode = |bytes: Vec<u8>| Inode { now: bytes.clone(), durable: bytes, ..Inode::default() };
        let inodes = contents.into_iter().map(inode).collect();
        Disk { inodes, names: names.clone(), durable_names: names, ..Disk::default() }
    }

    pub fn tick(&mut self) {
        self.time += 1;
    }

    pub fn inode(&self, inode: usize) -> &Inode {
        &self.inodes[inode]
    }

    pub fn inode_mut(&mut self, inode: usize) -> &mut Inode {
        &mut self.inodes[inode]
    }

    pub fn inodes(&self) -> impl Iterator<Item = &Inode> {
        self.inodes.iter()
    }

    pub fn forget_locks(&mut self) {
        self.inodes.iter_mut().for_each(|inode| inode.holder = None);
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub fn list(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub fn create(&mut self, name: &str) -> usize {
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.change_names(NameChange::Add(name.to_owned(), inode));
        inode
    }

    pub fn remove(&mut self, name: &str) {
        self.change_names(NameChange::Remove(name.to_owned()));
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        self.change_names(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
    }

    pub fn link(&mut self, from: &str, to: &str) {
        if let Some(inode) = self.find(from) {
            self.change_names(NameChange::Add(to.to_owned(), inode));
        }
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push((self.time, change));
    }

    pub fn sync_names(&mut self) {
        self.durable_names = self.names.clone();
        self.name_changes.clear();
    }

    pub fn write(&mut self, inode: usize, bytes: &[u8], offset: usize) {
        let (time, inode) = (self.time, &mut self.inodes[inode]);
        let end = offset + bytes.len();
        if inode.now.len() < end {
            inode.now.resize(end, 0);
        }
        inode.now[offset..end].copy_from_slice(bytes);
        inode.new_len |= end == inode.now.len();
        inode.note(time, offset, end);
    }

    pub fn set_len(&mut self, inode: usize, len: usize) {
        let (time, inode) = (self.time, &mut self.inodes[inode]);
        let before = inode.now.len();
        inode.now.resize(len, 0);
        inode.new_len = true;
        // Cut off bytes read as zeros if the file grows over them again.
        inode.note(time, len, before.max(len));
    }

    /// Makes dirty pages durable. What an earlier sync has failed to write stays as uncertain as it was.
    pub fn sync(&mut self, inode: usize) {
        let mut synced = self.inodes[inode].on_disk();
        let Inode { now, durable, changes, lost, new_len, dirty, .. } = &mut self.inodes[inode];
        dirty.clear();
        let len = if std::mem::take(new_len) { now.len() } else { durable.len().min(now.len()) };
        let written = (0..now.len().div_ceil(PAGE)).rev().find(|page| !lost.contains(page));
        synced.resize(len.max(written.map_or(0, |page| now.len().min((page + 1) * PAGE))), 0);
        *durable = synced;
        changes.iter_mut().for_each(|change| change.pages.retain(|(page, _)| lost.contains(page)));
        changes.retain(|change| !change.pages.is_empty());
    }

    /// A sync that fails: the system marks its pages as clean and continues to show them, and it is not known which of
    /// them have reached the disk.
    pub fn fail_sync(&mut self, inode: usize) {
        let inode = &mut self.inodes[inode];
        inode.lost.append(&mut inode.dirty);
        inode.new_len = false;
    }
}

impl NameChange {
    /// Applies to `names` the change that was applied to the running system's; does nothing if a name that it needs is
    /// missing.
    pub fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Add(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
            NameChange::Rename { from, to } => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Inode {
    /// The bytes that a read past the page cache returns: it waits for pages that are being written.
    pub fn on_disk(&self) -> Vec<u8> {
        let mut bytes = self.now.clone();
        for &page in &self.lost {
            put(&mut bytes, page, &page_of(&self.durable, page));
        }
        bytes.truncate(self.now.len());
        bytes
    }

    /// The system evicts the pages in a part of the file that it considers written.
    pub fn forget(&mut self, part: Range<usize>) {
        let disk = self.on_disk();
        let pages = part.start.div_ceil(PAGE)..part.end / PAGE;
        for page in pages.filter(|page| !self.dirty.contains(page)) {
            if self.lost.remove(&page) {
                put(&mut self.now, page, &page_of(&disk, page));
            }
        }
        self.now.truncate(disk.len());
    }

    fn note(&mut self, time: usize, from: usize, to: usize) {
        let pages = from / PAGE..to.div_ceil(PAGE);
        self.dirty.extend(pages.clone());
        let pages = pages.map(|page| (page, page_of(&self.now, page))).collect();
        self.changes.push(Change { time, len: self.now.len(), pages });
    }
}

/// Puts a page of a file in its place.
pub fn put(out: &mut Vec<u8>, page: usize, bytes: &[u8]) {
    let (from, to) = (page * PAGE, (page + 1) * PAGE);
    if out.len() < to {
        out.resize(to, 0);
    }
    out[from..to].copy_from_slice(bytes);
}

/// A page of a file; zeros after its end.
pub fn page_of(bytes: &[u8], page: usize) -> Vec<u8> {
    let from = bytes.len().min(page * PAGE);
    let to = bytes.len().min(from + PAGE);
    let mut out = bytes[from..to].to_vec();
    out.resize(PAGE, 0);
    out
}
