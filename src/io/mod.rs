//! The only place that calls the system: files and directories behind two traits, the real ones, and two doubles in
//! memory.
//!
//! The layers above use [`File`] and [`Directory`], which lets tests substitute a double that fails at the n-th
//! operation, or loses power there.

mod barrier;
pub(crate) mod biased;
mod bytes;
pub mod clock;
mod direct;
mod facts;
mod fork;
mod group;
mod held;
mod inflate;
mod limit;
mod location;
mod lock;
mod machine;
pub(crate) mod open;
mod real;
mod rename;
mod rights;
pub(crate) mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub(crate) mod thread;
mod until;
pub(crate) mod wake;
#[cfg(target_os = "linux")]
pub(crate) mod watch;

use std::io::{IoSlice, Result};
use std::ops::Range;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{is_no_memory, Error, Kind};

pub(crate) use bytes::OneFile;
pub use fork::ForkMark;
pub use group::group_number;
pub(crate) use inflate::{inflated, inflated_from};
pub use location::Location;
pub use machine::fill_random;
pub(crate) use machine::user;
pub(crate) use machine::{host_name, is_gone};
pub use open::is_no_file;
pub use real::RealDirectory;
pub(crate) use rename::rename_new;
pub use rights::Rights;
#[cfg(any(test, feature = "testing"))]
pub use testing::{Fate, Fault, Image, MemoryDirectory, Operation, PowerDirectory, Survival};
pub(crate) use until::until;
pub use wake::Wake;

/// The error of changing a file that is only read.
pub(crate) fn read_only() -> std::io::Error {
    std::io::Error::from_raw_os_error(libc::EROFS)
}

/// An open file. Every method may be called from any thread. A file that is only read implements just `read_at` and
/// `len`: the methods that change it fail with `EROFS`.
#[allow(clippy::len_without_is_empty)] // asking costs a system call, and nobody asks whether it is 0
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes the parts one after the other at `offset`. May write fewer bytes than given, as pwritev(2) may.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        let _ = (parts, offset);
        Err(read_only())
    }

    /// Length in bytes; `u64::MAX` when it is only known after reading to the end.
    fn len(&self) -> Result<u64>;

    /// Cuts the file to `len` bytes; also releases space that was set aside after them.
    fn set_len(&self, len: u64) -> Result<()> {
        let _ = len;
        Err(read_only())
    }

    /// Sets disk space aside for `len` bytes from `offset` on, without changing the file's length. It is no error if
    /// the file system does not support this.
    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let _ = (offset, len);
        Err(read_only())
    }

    /// Makes the contents durable (fdatasync).
    fn sync_data(&self) -> Result<()> {
        Err(read_only())
    }

    /// Takes the writer's lock on the file; false when another open file holds it. Closing the file handle releases it.
    fn try_lock(&self) -> Result<bool> {
        Err(read_only())
    }

    /// Releases the lock.
    fn unlock(&self) -> Result<()> {
        Ok(())
    }

    /// Whether another open file holds the writer's lock.
    fn is_locked(&self) -> Result<bool> {
        Ok(false)
    }

    /// What distinguishes the file from all others that exist now, whatever its name; `None` = not known.
    fn identity(&self) -> Result<Option<Identity>> {
        Ok(None)
    }

    /// As [`Self::read_at`], but reads from the disk, past the system's page cache; `None` where that is not possible.
    fn read_disk(&self, _buffer: &mut [u8], _offset: u64) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Evicts the whole pages between two offsets from the page cache, except those that wait to be written. The next
    /// write there then begins with the contents of the disk. Only a hint.
    fn forget(&self, _range: Range<u64>) {}

    /// Whether each read is a request to another machine, for which [`Self::will_need`] is worthwhile.
    fn is_far(&self) -> bool {
        false
    }

    /// Announces the ranges that will be read next, in the order of reading: several can then be prefetched at a time.
    /// It is a hint, and nothing is fetched before the first of them is read. An empty list means that nothing of what
    /// was fetched so far is needed any more.
    fn will_need(&self, _ranges: &[Range<u64>]) {}

    /// Reports that bytes were found to be wrong: what was fetched is dropped, and fetched again when it is needed. A
    /// byte may have been changed on the way from another machine although it is right there.
    fn doubt(&self) {}

    /// The end of the bytes of a file that is compressed as a whole, once they were read up to it.
    fn inflated_end(&self) -> Option<InflatedEnd> {
        None
    }
}

/// How many bytes the file has. One that is compressed as a whole is read to its end, once, and has those that
/// decompress.
pub(crate) fn bytes_of(file: &dyn File) -> Result<u64> {
    let len = file.len()?;
    if len != u64::MAX {
        return Ok(len);
    }
    if file.inflated_end().is_none() {
        file.read_at(&mut [0], u64::MAX)?;
    }
    Ok(file.inflated_end().map_or(0, |end| end.at))
}

/// The end of the contents of a file that is compressed as a whole.
#[derive(Clone, Debug)]
pub struct InflatedEnd {
    /// Offset after the last byte.
    pub at: u64,
    /// Why it does not decompress any further; `None` = it is complete.
    pub broken: Option<String>,
}

/// What an error says of a file that is compressed as a whole and broken.
pub(crate) fn does_not_decompress(why: impl std::fmt::Display) -> String {
    format!("the compressed file does not decompress: {why}")
}

/// Held while others are excluded: see [`Directory::exclude_others`].
pub type Exclusive = Box<dyn std::any::Any + Send>;

/// Device and inode, or equivalent values.
pub type Identity = (u64, u64);

/// What a directory reports about a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Length in bytes.
    pub len: u64,
    /// It is a file with contents, not a directory or a symbolic link.
    pub is_plain: bool,
    /// As [`File::identity`].
    pub identity: Option<Identity>,
}

/// The purpose for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A directory of segments. Methods that change it fail with EROFS unless they are implemented.
pub trait Directory: Send + Sync {
    /// Its path, for messages.
    fn path(&self) -> &Path;

    /// Opens an existing file. Anything but a regular file fails, without waiting for it. A symbolic link is followed
    /// for reading, and fails for writing.
    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>>;

    /// Creates a file that must not exist yet (`O_EXCL`), with these permission bits whatever the umask is.
    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        let _ = (name, mode);
        Err(read_only())
    }

    /// Opens a file for writing and creates it when it does not exist.
    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        let _ = (name, mode);
        Err(read_only())
    }

    /// Names of the files in it, in no particular order.
    fn list(&self) -> Result<Vec<String>>;

    /// The facts about a name; a symbolic link is not followed.
    fn facts(&self, name: &str) -> Result<FileFacts> {
        let file = self.open(name, Access::Read)?;
        Ok(FileFacts { len: file.len()?, is_plain: true, identity: file.identity()? })
    }

    /// Removes a file.
    fn remove(&self, name: &str) -> Result<()> {
        let _ = name;
        Err(read_only())
    }

    /// Gives the file `from` the name `to`, in one step; a file of that name is replaced (rename(2)).
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let _ = (from, to);
        Err(read_only())
    }

    /// Gives the file `from` the name `to`, which must not be taken yet. Where that cannot be done in one step, the
    /// file has both names for a moment.
    fn rename_new(&self, from: &str, to: &str) -> Result<()> {
        self.link(from, to)?;
        self.remove(from)
    }

    /// Gives the file `name` the permission bits, the owner, the group and the time of the last change of the file
    /// `like`, as far as the user may and never wider permissions, and makes that durable. Does nothing where files
    /// have none.
    fn copy_facts(&self, like: &str, name: &str) -> Result<()> {
        let _ = (like, name);
        Ok(())
    }

    /// The permissions of a file; `None` where files have none. A symbolic link is followed.
    fn rights(&self, name: &str) -> Result<Option<Rights>> {
        let _ = name;
        Ok(None)
    }

    /// Gives a file these permissions, as far as the user may and never wider ones, and makes that durable.
    fn set_rights(&self, name: &str, rights: &Rights) -> Result<()> {
        let _ = (name, rights);
        Ok(())
    }

    /// Gives the file `from` the second name `to`, which must not be taken yet (link(2)).
    fn link(&self, from: &str, to: &str) -> Result<()> {
        let _ = (from, to);
        Err(read_only())
    }

    /// Excludes others that give a segment another form or remove segments here, in this process or another one, until
    /// the result is dropped. Waits for them, up to a few seconds; `None` where the file system has no such locks.
    fn exclude_others(&self) -> Result<Option<Exclusive>> {
        Ok(None)
    }

    /// Puts a small object with this text beside the files, if they are stored on another machine ([`Self::is_far`]);
    /// otherwise does nothing. An existing object stays as it is.
    fn put_label(&self, name: &str, text: &str) -> Result<()> {
        let _ = (name, text);
        Ok(())
    }

    /// Makes created, removed, renamed and linked names durable.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    /// Watches the directory and the files in it from now on, and wakes the waiting cursor through `wake`; `None` where
    /// the system does not support this.
    fn watch(&self, wake: &Arc<Wake>) -> Result<Option<Box<dyn Watch>>> {
        let _ = wake;
        Ok(None)
    }

    /// The length of a file, and when it was written in nanoseconds since the Unix epoch, according to the last list of
    /// the directory; `None` where lists do not contain them.
    fn listed(&self, name: &str) -> Option<(u64, i64)> {
        let _ = name;
        None
    }

    /// The names with this prefix among the files that [`Self::listed`] knows.
    fn names_listed(&self, prefix: &str) -> Vec<String> {
        let _ = prefix;
        vec![]
    }

    /// Whether its files are stored on another machine: each look at them is a request, and a removed file cannot be
    /// read any longer.
    fn is_far(&self) -> bool {
        false
    }

    /// Path of a file in it, for messages.
    fn path_of(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

/// Reports that something has happened in a directory. Belongs to one thread at a time.
pub trait Watch: Send {
    /// Waits until something has happened since the last wait (the first time: since the watch was made), or for
    /// `timeout`. [`Duration::ZERO`] only looks. Where not everything is reported, the caller has to look from time to
    /// time.
    ///
    /// # Errors
    /// When it does not report anything any more, as when the directory was removed or renamed.
    fn wait(&mut self, timeout: Duration) -> Result<Woken>;

    /// Whether everything that happens in the directory is reported. Changes by other machines on a network file system
    /// are not.
    fn reports_all(&self) -> bool {
        false
    }

    /// A descriptor that poll(2) reports as readable when something may have happened, besides the cursor's own bell.
    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something has happened in the directory.
    Happened,
    /// Nothing has happened in that time.
    TimedOut,
    /// [`Wake::interrupt`] was called; the caller takes the interrupt.
    Interrupted,
    /// A signal came, and its handler has returned.
    Signal,
}

/// Removes a file; a missing file is no error.
pub(crate) fn remove_if_there(directory: &dyn Directory, name: &str) -> std::result::Result<(), Error> {
    match directory.remove(name) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&e, "remove").at(&directory.path_of(name))),
        _ => Ok(()),
    }
}

/// As [`Directory::exclude_others`].
pub(crate) fn exclude_others(directory: &dyn Directory) -> std::result::Result<Option<Exclusive>, Error> {
    let excluded = directory.exclude_others();
    excluded.map_err(|e| Error::io(&e, "wait for others that make or remove segments").at(directory.path()))
}

/// Creates the file `name`, which will be made from the file `like`, with the permissions of that, before anything is
/// written to it; with `mode` where that has none. See [`Directory::set_rights`].
pub(crate) fn create_like(
    directory: &dyn Directory,
    name: &str,
    like: (&dyn Directory, &str),
    mode: u32,
) -> std::result::Result<Arc<dyn File>, Error> {
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&directory.path_of(name));
    let rights = like.0.rights(like.1).map_err(|e| Error::io(&e, "stat").at(&like.0.path_of(like.1)))?;
    let file = directory.create(name, rights.map_or(mode, |_| 0o600)).map_err(|e| failed(e, "create"))?;
    if let Some(rights) = rights {
        directory.set_rights(name, &rights).map_err(|e| failed(e, "set the permissions"))?;
    }
    Ok(file)
}

/// Whether reading failed, as opposed to an invalid gzip or zstd stream.
pub(crate) fn is_of_system(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some()
        || is_no_memory(error)
        || Error::within(error).is_some_and(|own| own.kind() != Kind::Corrupt)
}

/// Reads until `buffer` is full or the file ends; returns the number of bytes read.
pub fn read_full(file: &dyn File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some(file, &mut buffer[done..], offset + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Reads once at `offset`, up to the length of the buffer.
pub(crate) fn read_some(file: &dyn File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
            read => return read,
        }
    }
}

/// Writes all parts at `offset`. On failure also returns how many bytes had been written by then.
pub fn write_full(file: &dyn File, parts: &[&[u8]], offset: u64) -> std::result::Result<(), (u64, std::io::Error)> {
    /// Parts passed to one system call: far below IOV_MAX, and more than a buffer of four blocks needs.
    const PARTS: usize = 64;
    let total: u64 = parts.iter().map(|part| part.len() as u64).sum();
    let mut done = 0u64;
    let (mut first, mut skip) = (0, 0);
    while done < total {
        let mut slices = [IoSlice::new(&[]); PARTS];
        let mut used = 0;
        for (i, part) in parts[first..].iter().take(PARTS).enumerate() {
            slices[used] = IoSlice::new(if i == 0 { &part[skip..] } else { part });
            used += 1;
        }
        let wrote = match file.write_at(&slices[..used], offset + done) {
            Ok(0) => return Err((done, std::io::ErrorKind::WriteZero.into())),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err((done, e)),
        };
        done += wrote as u64;
        skip += wrote;
        while first < parts.len() && skip >= parts[first].len() {
            skip -= parts[first].len();
            first += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The behaviour that every directory must have: its tests call this.
    pub fn rename_and_link(directory: &dyn Directory) {
        let read = |name: &str| {
            let file = directory.open(name, Access::Read)?;
            let mut bytes = [0; 8];
            let n = read_full(&*file, &mut bytes, 0)?;
            Result::Ok(bytes[..n].to_vec())
        };
        let write = |name: &str, bytes: &[u8]| {
            write_full(&*directory.create(name, 0o640).unwrap(), &[bytes], 0).unwrap();
        };
        write("a", b"first");
        write("b", b"second");
        assert_eq!(directory.link("a", "b").unwrap_err().raw_os_error(), Some(libc::EEXIST));
        assert_eq!(read("b").unwrap(), b"second", "a link replaces nothing");
        directory.rename("a", "b").unwrap();
        assert_eq!(read("b").unwrap(), b"first");
        for gone in [directory.link("a", "c"), directory.rename("a", "c"), read("a").map(|_| ())] {
            assert_eq!(gone.unwrap_err().raw_os_error(), Some(libc::ENOENT));
        }
        directory.link("b", "c").unwrap();
        directory.rename("b", "c").unwrap();
        directory.remove("b").unwrap();
        assert_eq!(read("c").unwrap(), b"first", "a file lives as long as one of its names");
        assert_eq!(directory.list().unwrap(), ["c"]);
    }

    #[test]
    fn parts_beyond_one_system_call_and_short_writes_are_written_whole() {
        let directory = MemoryDirectory::new();
        directory.set_longest_write(7);
        let file = directory.create("f", 0o640).unwrap();
        let parts: Vec<Vec<u8>> = (0..200u8).map(|i| vec![i; usize::from(i % 5)]).collect();
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        write_full(&*file, &slices, 3).unwrap();
        let mut back = vec![9; 500];
        let n = read_full(&*file, &mut back, 0).unwrap();
        assert_eq!(back[..3], [0; 3]);
        assert_eq!(back[3..n], parts.concat());
    }
}
