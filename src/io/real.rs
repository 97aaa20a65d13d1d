//! The real file system.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, IoSlice, Result, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{fchown, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::held::{Held, Opening};
use super::{direct, facts, limit, lock, open, Access, Directory, Exclusive, File, FileFacts, Identity, Rights};

/// A directory of the file system.
pub struct RealDirectory {
    path: PathBuf,
    /// The same path, independent of the working directory.
    absolute: PathBuf,
    group: Option<u32>,
}

impl RealDirectory {
    /// Opens an existing directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        // An empty parent, as of a bare file name, is the working directory.
        let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
        if !fs::metadata(&path)?.is_dir() {
            return Err(std::io::Error::from_raw_os_error(libc::ENOTDIR));
        }
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        Ok(RealDirectory { path, absolute, group: None })
    }

    /// Opens a directory. It is created with its ancestors when it does not exist; what was created is durable on
    /// return.
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let mut missing = vec![];
        let mut at = path.as_path();
        while !at.as_os_str().is_empty() && !at.exists() {
            missing.push(at);
            at = at.parent().unwrap_or(Path::new(""));
        }
        // The last existing one may have been created by a process that was killed before it synced it. A process that
        // may not open its parent did not create it.
        let _ = sync_parent(at);
        for made in missing.into_iter().rev() {
            match fs::create_dir(made) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                _ => (),
            }
            sync_parent(made)?;
        }
        Self::open(path)
    }

    /// The same directory; new files get this group.
    pub fn with_group(self, group: Option<u32>) -> Self {
        RealDirectory { group, ..self }
    }
}

/// Makes the name of a directory durable.
fn sync_parent(directory: &Path) -> Result<()> {
    let parent = directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    open::directory(parent)?.sync_all()
}

/// How long to wait for others that make or remove segments in a directory: each holds the lock for some system calls.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The lock of a directory itself, which needs no file: flock(2). Dropped before a child of fork(2) could keep it.
struct DirectoryLock {
    held: Option<Held>,
    directory: fs::File,
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        self.held = None;
        // SAFETY: the descriptor is open. A copy of it in a child must not keep the lock.
        unsafe { libc::flock(self.directory.as_raw_fd(), libc::LOCK_UN) };
    }
}

impl Directory for RealDirectory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn exclude_others(&self) -> Result<Option<Exclusive>> {
        let opening = Opening::begin();
        let directory = open::directory(&self.path)?;
        let held = Some(Held::new(directory.as_raw_fd(), &directory.metadata()?));
        drop(opening);
        let lock = DirectoryLock { held, directory };
        let began = Instant::now();
        loop {
            // SAFETY: the descriptor is open.
            if unsafe { libc::flock(lock.directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return Ok(Some(Box::new(lock)));
            }
            let error = std::io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => (),
                Some(libc::EWOULDBLOCK) if began.elapsed() < PATIENCE => std::thread::sleep(LOOK_EVERY),
                // Some network file systems lock only files that are open for writing, or nothing.
                Some(libc::EBADF | libc::EOPNOTSUPP | libc::ENOLCK | libc::ENOSYS | libc::EINVAL) => return Ok(None),
                _ => return Err(error),
            }
        }
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let path = self.path.join(name);
        match access {
            Access::Read => Ok(Arc::new(RealFile { held: None, file: open::to_read(&path)?.0, identity: None })),
            Access::ReadWrite => {
                let _opening = Opening::begin();
                let (file, facts) = open::to_write(&path)?;
                Ok(Arc::new(RealFile::written(file, &facts)))
            }
        }
    }

    fn create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        let path = self.path.join(name);
        let _opening = Opening::begin();
        let file = open::new(&path, mode)?;
        let rights = match self.group {
            Some(_) => fchown(&file, None, self.group),
            None => Ok(()),
        };
        // After the change of group, which may clear bits.
        let rights = rights.and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)));
        match rights.and_then(|()| file.metadata()) {
            Ok(facts) => Ok(Arc::new(RealFile::written(file, &facts))),
            Err(e) => {
                let _ = fs::remove_file(path);
                Err(e)
            }
        }
    }

    fn open_or_create(&self, name: &str, mode: u32) -> Result<Arc<dyn File>> {
        match self.create(name, mode) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => self.open(name, Access::ReadWrite),
            other => other,
        }
    }

    fn list(&self) -> Result<Vec<String>> {
        let mut names = vec![];
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn facts(&self, name: &str) -> Result<FileFacts> {
        // Built at once: each sync checks where its file is, and joining paths takes as long as the system's answer.
        let mut path = OsString::with_capacity(self.absolute.as_os_str().len() + 1 + name.len());
        path.push(&self.absolute);
        path.push("/");
        path.push(name);
        facts::of(path)
    }

    fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn rename_new(&self, from: &str, to: &str) -> Result<()> {
        super::rename_new(&self.path.join(from), &self.path.join(to))
    }

    fn copy_facts(&self, like: &str, name: &str) -> Result<()> {
        let facts = fs::symlink_metadata(self.path.join(like))?;
        let (file, _) = open::to_write(&self.path.join(name))?;
        Rights::of(&facts).give_to(&file)?;
        file.set_times(fs::FileTimes::new().set_modified(facts.modified()?))?;
        file.sync_all()
    }

    fn rights(&self, name: &str) -> Result<Option<Rights>> {
        Ok(Some(Rights::of(&fs::metadata(self.path.join(name))?)))
    }

    fn set_rights(&self, name: &str, rights: &Rights) -> Result<()> {
        let (file, _) = open::to_write(&self.path.join(name))?;
        rights.give_to(&file)?;
        file.sync_all()
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> Result<()> {
        open::directory(&self.path)?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn watch(&self, wake: &Arc<super::Wake>) -> Result<Option<Box<dyn super::Watch>>> {
        Ok(Some(Box::new(super::watch::Inotify::new(&self.path, wake)?)))
    }
}

struct RealFile {
    /// For a file that is written to, and so may hold a lock. Dropped before the descriptor is closed.
    held: Option<Held>,
    file: fs::File,
    /// From when the file was opened: each sync needs it, and it never changes.
    identity: Option<Identity>,
}

impl RealFile {
    fn written(file: fs::File, facts: &fs::Metadata) -> Self {
        RealFile { held: Some(Held::new(file.as_raw_fd(), facts)), file, identity: Some((facts.dev(), facts.ino())) }
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        limit::check_write(offset)?;
        // SAFETY: IoSlice has the layout of iovec, the slices outlive the call, and the descriptor is open.
        let n = unsafe {
            libc::pwritev(
                self.file.as_raw_fd(),
                parts.as_ptr().cast(),
                parts.len() as libc::c_int,
                offset as libc::off_t,
            )
        };
        match n {
            0.. => Ok(n as usize),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    fn len(&self) -> Result<u64> {
        // A third of the time of fstat(2), and a lookup needs nothing else of the file's facts. The position that it
        // moves is used by nobody: all reads and writes name their offset.
        (&self.file).seek(SeekFrom::End(0))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        limit::check_length(len, || self.len())?;
        self.file.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        // Some file systems (tmpfs) apply the limit also to space that leaves the length as it is.
        limit::check_length(offset.saturating_add(len), || Ok(0))?;
        // SAFETY: a plain system call on an open descriptor.
        let done = unsafe {
            libc::fallocate(self.file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, offset as libc::off_t, len as libc::off_t)
        };
        match done {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, _offset: u64, _len: u64) -> Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn try_lock(&self) -> Result<bool> {
        debug_assert!(self.held.is_some(), "a child of a fork would keep the lock");
        lock::try_lock(&self.file)
    }

    fn unlock(&self) -> Result<()> {
        lock::unlock(&self.file)
    }

    fn is_locked(&self) -> Result<bool> {
        lock::is_locked(&self.file)
    }

    fn read_disk(&self, buffer: &mut [u8], offset: u64) -> Result<Option<usize>> {
        direct::read(&self.file, buffer, offset)
    }

    fn forget(&self, range: std::ops::Range<u64>) {
        direct::forget(&self.file, range);
    }

    fn identity(&self) -> Result<Option<Identity>> {
        if self.identity.is_some() {
            return Ok(self.identity);
        }
        facts::identity(&self.file).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_by_others_and_goes_with_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = RealDirectory::open(scratch.path()).unwrap();
        let writer = directory.create("f", 0o600).unwrap();
        let other = directory.open("f", Access::ReadWrite).unwrap();
        assert!(!other.is_locked().unwrap());
        assert!(writer.try_lock().unwrap());
        assert!(!writer.is_locked().unwrap(), "its own lock is no obstacle");
        assert!(other.is_locked().unwrap());
        assert!(!other.try_lock().unwrap());
        drop(writer);
        assert!(other.try_lock().unwrap());
    }

    #[test]
    fn a_file_is_created_once_with_the_mode_asked_for_whatever_the_umask() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = RealDirectory::open_or_create(scratch.path().join("a/b")).unwrap();
        directory.create("f", 0o666).unwrap();
        let mode = fs::metadata(scratch.path().join("a/b/f")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        assert_eq!(directory.create("f", 0o600).err().unwrap().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_rename_replaces_and_a_link_does_not() {
        let scratch = tempfile::tempdir().unwrap();
        crate::io::tests::rename_and_link(&RealDirectory::open(scratch.path()).unwrap());
    }
}
