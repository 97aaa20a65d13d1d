//! Stores pieces of objects in a local directory, to avoid fetching them again.
//!
//! Each piece is a file: its object's tag, its bytes, and the SHA-256 of both and of the object's directory. The name
//! of the file states where in the object the piece begins and ends. The pieces of an object are in a directory named
//! by a hash of what distinguishes it from others. A piece is written under another name first, so it is whole or
//! absent for all processes that use the directory. A piece that differs from what was written is removed and fetched
//! again. The cache is optional: if it cannot be written, nothing fails.
//!
//! A checksum beside the bytes proves that they are whole, not where they come from: a user with write access to the
//! directory could put records into a log as it is read. Therefore a directory that other users may write to is
//! refused.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, FileTimes, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::io::{open, user};

/// Default size limit of a cache.
pub(super) const DEFAULT_BYTES: u64 = 1 << 30;
/// The beginning of every piece.
const MAGIC: &[u8; 8] = b"blpiece2";
const EXTENSION: &str = "piece";
/// Extension of a piece that is being written, or was left by a process that was killed.
const UNFINISHED: &str = "part";
const STALE: Duration = Duration::from_secs(3600);
/// The system's number for an owner that has none in a container, such as the root of the host.
const OUTSIDE: u32 = 65534;
/// Marks the directory for backup programs as one that can be made again.
const CACHEDIR_TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Pieces of binlog segments in object stores.\n";

/// A directory with pieces.
pub(super) struct Cache {
    root: PathBuf,
    most: u64,
    /// Bytes that may be written before the directory is searched for pieces to remove.
    room: AtomicU64,
}

/// The pieces of one object.
pub(super) struct CachedObject {
    cache: Arc<Cache>,
    directory: PathBuf,
    /// The begin and the end of each.
    pieces: Mutex<BTreeMap<u64, u64>>,
}

impl Cache {
    /// Opens a directory for pieces of up to `most` bytes in all, and creates it if needed. Refuses one that other
    /// users may write to.
    pub fn open(root: &Path, most: u64) -> Result<Arc<Self>> {
        let failed = |e: std::io::Error| Error::io(&e, "use the directory as a cache").at(root);
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(failed)?;
        // Symbolic links are resolved now and not again: another user may redirect a link that belongs to them.
        let root = &*root.canonicalize().map_err(failed)?;
        check_owner(root)?;
        let tag = root.join("CACHEDIR.TAG");
        match OpenOptions::new().write(true).create_new(true).open(tag) {
            Ok(mut file) => file.write_all(CACHEDIR_TAG.as_bytes()).map_err(failed)?,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => (),
            // Existing pieces can be read anyway.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EROFS | libc::EACCES | libc::EPERM | libc::ENOSPC)) => (),
            Err(e) => return Err(failed(e)),
        }
        let cache = Cache { root: root.to_owned(), most, room: AtomicU64::new(0) };
        cache.make_room();
        Ok(Arc::new(cache))
    }

    /// The pieces of the object with these facts.
    pub fn object(self: &Arc<Self>, url: &str, name: &str, bytes: u64, modified_ns: i64) -> CachedObject {
        // A list and an answer about one object may contain the time with and without fractions.
        let second = modified_ns.div_euclid(1_000_000_000);
        let mut key = Sha256::new();
        for fact in [url, name, &bytes.to_string(), &second.to_string()] {
            key.update(fact.as_bytes());
            key.update([0]);
        }
        let directory = self.root.join(hex(&key.finalize()[..16]));
        let mut pieces = BTreeMap::new();
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if let Some(range) = range_of(&entry.path()) {
                let end = pieces.entry(range.start).or_insert(range.end);
                *end = range.end.max(*end);
            }
        }
        CachedObject { cache: self.clone(), directory, pieces: Mutex::new(pieces) }
    }

    /// Removes the least recently used pieces until a tenth of the room is free.
    fn make_room(&self) {
        let mut pieces = vec![];
        let mut total = 0;
        for directory in fs::read_dir(&self.root).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if !is_ours(&directory) {
                continue;
            }
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let (path, facts) = (entry.path(), entry.metadata());
                let Ok(facts) = facts else { continue };
                let used = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                    if used.elapsed().is_ok_and(|age| age > STALE) {
                        let _ = fs::remove_file(path);
                    }
                } else if range_of(&path).is_some() {
                    total += facts.len();
                    pieces.push((used, facts.len(), path));
                }
            }
        }
        let goal = self.most - self.most / 10;
        if total > goal {
            pieces.sort();
            for (_, bytes, path) in pieces {
                if total <= goal {
                    break;
                }
                if fs::remove_file(&path).is_ok() {
                    // Removes the directory if it is empty now.
                    let _ = path.parent().map(fs::remove_dir);
                }
                total -= bytes;
            }
        }
        self.room.store(self.most.saturating_sub(total), Ordering::Relaxed);
    }

    /// Whether a piece of this length may be written now.
    fn takes(&self, bytes: u64) -> bool {
        // Other processes write here, too: the total is counted again at intervals.
        let step = self.most / 4;
        if bytes > step {
            return false;
        }
        if self.room.load(Ordering::Relaxed) < bytes {
            self.make_room();
        }
        let take = |room: u64| room.checked_sub(bytes).map(|room| room.min(step));
        self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// Refuses a directory that others may write to, or may replace.
fn check_owner(root: &Path) -> Result<()> {
    let facts =
        |path: &Path| fs::metadata(path).map_err(|e| Error::io(&e, "look at the directory of the cache").at(path));
    let refused = |path: &Path, what: String| {
        let reason = format!(
            "{what}, who could put records into what is read from it: a cache is a directory that nobody else writes"
        );
        Err(Error::invalid(reason).at(path))
    };
    let own = facts(root)?;
    if own.uid() != 0 && own.uid() != user() {
        return refused(root, format!("the directory of the cache belongs to another user ({})", own.uid()));
    }
    if own.mode() & 0o022 != 0 {
        return refused(
            root,
            format!("the directory of the cache may be written by others (mode {:04o})", own.mode() & 0o7777),
        );
    }
    for above in root.ancestors().skip(1) {
        let facts = facts(above)?;
        if facts.uid() != 0 && facts.uid() != user() && facts.uid() != OUTSIDE {
            return refused(above, format!("the directory above the cache belongs to another user ({})", facts.uid()));
        }
        // In a directory like /tmp only the owner of a file renames or removes it.
        if facts.mode() & 0o1002 == 0o002 {
            return refused(above, "the directory above the cache may be changed by everybody".to_owned());
        }
    }
    Ok(())
}

impl CachedObject {
    /// The piece that contains the byte at `offset`.
    pub fn find(&self, offset: u64) -> Option<Range<u64>> {
        let pieces = self.pieces.lock();
        let (&from, &to) = pieces.range(..=offset).next_back()?;
        (offset < to).then_some(from..to)
    }

    /// Whether one piece contains all of it.
    pub fn has(&self, range: &Range<u64>) -> bool {
        self.find(range.start).is_some_and(|piece| piece.end >= range.end)
    }

    /// The tag of the object and the bytes of a piece; `None` when it is gone, or differs from what was written.
    pub fn load(&self, range: &Range<u64>) -> Option<(String, Vec<u8>)> {
        let path = self.path_of(range);
        let loaded = read(&path, range);
        if loaded.is_none() {
            let _ = fs::remove_file(&path);
            self.pieces.lock().remove(&range.start);
        }
        loaded
    }

    /// Stores the bytes that begin at `at`.
    pub fn put(&self, tag: &str, at: u64, bytes: &[u8]) {
        let range = at..at + bytes.len() as u64;
        if range.is_empty() || self.has(&range) || !self.cache.takes(bytes.len() as u64) {
            return;
        }
        if self.write(tag, &range, bytes).is_ok() {
            self.pieces.lock().insert(range.start, range.end);
        }
    }

    fn write(&self, tag: &str, range: &Range<u64>, bytes: &[u8]) -> std::io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.directory.join(format!("{}-{number}.{UNFINISHED}", std::process::id()));
        let head = head(tag, range);
        let mut sum = Sha256::new();
        sum.update(key_of(&self.directory.join("piece")));
        sum.update(&head);
        sum.update(bytes);
        fs::create_dir_all(&self.directory)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(&head)?;
            file.write_all(bytes)?;
            file.write_all(&sum.finalize())?;
            fs::rename(&unfinished, self.path_of(range))
        };
        write().inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    /// Removes every piece: they belong to an earlier object, or are wrong.
    pub fn purge(&self) {
        let pieces = std::mem::take(&mut *self.pieces.lock());
        for (from, to) in pieces {
            let _ = fs::remove_file(self.path_of(&(from..to)));
        }
    }

    fn path_of(&self, range: &Range<u64>) -> PathBuf {
        self.directory.join(format!("{:x}-{:x}.{EXTENSION}", range.start, range.end))
    }
}

/// The bytes before the contents of a piece.
fn head(tag: &str, range: &Range<u64>) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&range.start.to_le_bytes());
    head.extend_from_slice(&range.end.to_le_bytes());
    head.extend_from_slice(&(tag.len() as u32).to_le_bytes());
    head.extend_from_slice(tag.as_bytes());
    head
}

fn read(path: &Path, range: &Range<u64>) -> Option<(String, Vec<u8>)> {
    const FIXED: usize = 28;
    const SUM: usize = 32;
    let (mut file, facts) = open::to_read_itself(path).ok()?;
    // A wrong length must cost no memory.
    let len = range.end.checked_sub(range.start)?;
    if facts.len() < len + (FIXED + SUM) as u64 || facts.len() > len + (FIXED + SUM + 4096) as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(facts.len() as usize);
    file.read_to_end(&mut bytes).ok()?;
    let tag_len = u32::from_le_bytes(bytes.get(FIXED - 4..FIXED)?.try_into().ok()?) as usize;
    let tag = std::str::from_utf8(bytes.get(FIXED..FIXED.checked_add(tag_len)?)?).ok()?.to_owned();
    let body = bytes.len().checked_sub(SUM)?;
    let is_whole = bytes.starts_with(&head(&tag, range)) && body.checked_sub(FIXED + tag_len)? as u64 == len;
    let mut sum = Sha256::new();
    sum.update(key_of(path));
    sum.update(&bytes[..body]);
    if !is_whole || sum.finalize()[..] != bytes[body..] {
        return None;
    }
    // The time of its last use.
    let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
    bytes.truncate(body);
    bytes.drain(..FIXED + tag_len);
    Some((tag, bytes))
}

/// The name of a piece's directory, which identifies its object: a piece that was moved elsewhere is not valid.
fn key_of(path: &Path) -> &[u8] {
    path.parent().and_then(Path::file_name).unwrap_or_default().as_bytes()
}

/// The begin and the end of the piece in a file, from its name.
fn range_of(path: &Path) -> Option<Range<u64>> {
    let name = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let (from, to) = name.split_once('-')?;
    let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
    (from < to).then_some(from..to)
}

/// Whether a directory has the name of one for pieces.
fn is_ours(directory: &Path) -> bool {
    let name = directory.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn object(cache: &Arc<Cache>, name: &str) -> CachedObject {
        cache.object("s3://bucket/logs", name, 1000, 1_500_000_000)
    }

    fn files(root: &Path) -> Vec<PathBuf> {
        let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        directories.flat_map(|path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())).collect()
    }

    #[test]
    fn a_piece_comes_back_for_the_same_object_alone() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), 1 << 20).unwrap();
        object(&cache, "a").put("tag", 100, b"bytes");
        let other = Cache::open(home.path(), 1 << 20).unwrap();
        let again = object(&other, "a");
        assert_eq!((again.find(99), again.find(104), again.find(105)), (None, Some(100..105), None));
        assert_eq!(again.load(&(100..105)), Some(("tag".to_owned(), b"bytes".to_vec())));
        // Fractions of a second make no difference, seconds do.
        assert!(other.object("s3://bucket/logs", "a", 1000, 1_000_000_000).has(&(101..104)));
        for another in [
            object(&other, "b"),
            other.object("s3://bucket/other", "a", 1000, 1_500_000_000),
            other.object("s3://bucket/logs", "a", 1001, 1_500_000_000),
            other.object("s3://bucket/logs", "a", 1000, 2_500_000_000),
        ] {
            assert_eq!(another.find(100), None);
        }
    }

    #[test]
    fn a_directory_that_others_may_write_is_no_cache() {
        use std::os::unix::fs::{chown, symlink, PermissionsExt};
        let home = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let open = |path: &Path| Cache::open(path, 1 << 20).map(drop).map_err(|e| (e.kind(), e.to_string()));
        // The new directory is private, whatever the umask is.
        let made = home.path().join("a/cache");
        open(&made).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
        for (mode, good) in [(0o755, true), (0o750, true), (0o770, false), (0o702, false), (0o1777, false)] {
            set(&made, mode);
            assert_eq!(open(&made).is_ok(), good, "{mode:o}");
        }
        let (kind, reason) = open(&made).unwrap_err();
        assert!(kind == crate::Kind::Invalid && reason.contains("mode 1777") && reason.contains("a/cache"), "{reason}");
        set(&made, 0o700);
        // The target of a symbolic link is checked.
        let link = home.path().join("link");
        symlink(&made, &link).unwrap();
        open(&link).unwrap();
        set(&made, 0o777);
        assert!(open(&link).is_err());
        set(&made, 0o700);
        // Other users could replace it with a directory of their own; not in one like /tmp.
        set(&home.path().join("a"), 0o777);
        let (_, reason) = open(&made).unwrap_err();
        assert!(reason.contains("above the cache"), "{reason}");
        set(&home.path().join("a"), 0o1777);
        open(&made).unwrap();
        // Only root can give a directory away.
        for given in [home.path().join("a"), made.clone()] {
            if chown(&given, Some(4242), None).is_ok() {
                let (_, reason) = open(&made).unwrap_err();
                assert!(reason.contains("another user (4242)"), "{reason}");
            }
        }
    }

    #[test]
    fn no_changed_byte_is_believed() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), 1 << 20).unwrap();
        let put = || object(&cache, "a").put("tag", 7, b"the bytes");
        put();
        let path = files(home.path()).remove(0);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_eq!(object(&cache, "a").load(&(7..16)), None, "byte {at}");
            assert!(!path.exists(), "what is wrong is removed");
            put();
        }
        for len in 0..good.len() {
            fs::write(&path, &good[..len]).unwrap();
            assert_eq!(object(&cache, "a").load(&(7..16)), None, "{len} bytes");
            put();
        }
        assert_eq!(object(&cache, "a").load(&(7..16)).unwrap().1, b"the bytes");
        // A piece that was swapped with one of another object that has the same place and tag.
        object(&cache, "b").put("tag", 7, b"their own");
        let theirs = files(home.path()).into_iter().find(|file| *file != path).unwrap();
        fs::copy(&theirs, &path).unwrap();
        assert_eq!(object(&cache, "a").load(&(7..16)), None);
        // A pipe in its place: the reader must not wait for a writer.
        let c_path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is a NUL-terminated string.
        assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0);
        assert_eq!(object(&cache, "a").load(&(7..16)), None);
        put();
        // A piece under the name of another.
        fs::rename(&path, path.with_file_name("8-11.piece")).unwrap();
        assert_eq!(object(&cache, "a").load(&(8..17)), None);
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_read_and_passed_over_otherwise() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("cache");
        object(&Cache::open(&place, 1 << 20).unwrap(), "a").put("tag", 0, b"bytes");
        let directory = files(&place).remove(0).parent().unwrap().to_owned();
        // For root nothing is read-only: a directory that cannot be made has the same effect.
        fs::remove_file(place.join("CACHEDIR.TAG")).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o500)).unwrap();
        let cache = Cache::open(&place, 1 << 20).unwrap();
        assert_eq!(object(&cache, "a").load(&(0..5)).unwrap().1, b"bytes");
        object(&cache, "b").put("tag", 0, b"more");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn the_cache_stays_below_its_bound_and_the_oldest_go_and_nothing_foreign() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("mine.piece"), b"not the cache's").unwrap();
        let cache = Cache::open(home.path(), 100_000).unwrap();
        let object = object(&cache, "a");
        let old = SystemTime::now() - Duration::from_secs(600);
        for i in 0..50u64 {
            object.put("tag", i * 5000, &[i as u8; 5000]);
            let path = object.path_of(&(i * 5000..(i + 1) * 5000));
            if let Ok(file) = fs::File::options().write(true).open(path) {
                let _ = file.set_times(FileTimes::new().set_modified(old + Duration::from_secs(i)));
            }
        }
        let total: u64 = files(home.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(total <= 100_000, "{total}");
        assert!(object.load(&(49 * 5000..50 * 5000)).is_some() && object.load(&(0..5000)).is_none());
        assert!(home.path().join("mine.piece").exists());
        object.put("tag", 1 << 30, &[1; 50_000]);
        assert!(object.find(1 << 30).is_none(), "one piece does not push all others out");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_writes_is_not() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), 100_000).unwrap();
        object(&cache, "a").put("tag", 0, b"x");
        let directory = files(home.path()).remove(0).parent().unwrap().to_owned();
        let (left, fresh) = (directory.join("1-1.part"), directory.join("2-1.part"));
        for path in [&left, &fresh] {
            fs::write(path, b"half").unwrap();
        }
        let old = SystemTime::now() - 2 * STALE;
        fs::File::options().write(true).open(&left).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
        drop(Cache::open(home.path(), 100_000).unwrap());
        assert!(!left.exists() && fresh.exists());
    }
}
