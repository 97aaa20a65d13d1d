//! What a name in a directory refers to.

use std::ffi::{CStr, CString, OsString};
use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use super::{FileFacts, Identity};

/// The facts of the file at `path`, without following a symlink.
///
/// Each sync asks for them, so they do not include the file's times. A file whose times were asked for gets a new time with
/// the next write (Linux 6.13, multigrain timestamps; else times change with the clock's tick), which the sync then writes
/// to the journal: with each sync of 700 bytes over zeros 127 microseconds instead of 93.
pub(super) fn of(path: OsString) -> Result<FileFacts> {
    let path = CString::new(path.into_vec())?;
    match facts(libc::AT_FDCWD, &path, libc::AT_SYMLINK_NOFOLLOW) {
        Some(facts) => facts,
        None => by_stat(OsString::from_vec(path.into_bytes())),
    }
}

/// What distinguishes the file from all others, without its times as above: a follower asks for it at each look, while
/// another process writes.
pub(super) fn identity(file: &File) -> Result<Identity> {
    match facts(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH) {
        Some(facts) => facts?.identity.ok_or_else(|| ErrorKind::Unsupported.into()),
        None => file.metadata().map(|facts| (facts.dev(), facts.ino())),
    }
}

/// `None` where the system does not know the call, or not all of what is asked for.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn facts(at: RawFd, path: &CStr, flags: libc::c_int) -> Option<Result<FileFacts>> {
    const WANTED: libc::c_uint = libc::STATX_TYPE | libc::STATX_INO | libc::STATX_SIZE;
    // SAFETY: plain data, for which zeros are a valid value.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a C string, and `facts` is writable.
    if unsafe { libc::statx(at, path.as_ptr(), flags, WANTED, &mut facts) } != 0 {
        let error = std::io::Error::last_os_error();
        return match error.raw_os_error() {
            // Filters of containers that are older than the call answer with EPERM.
            Some(libc::ENOSYS | libc::EPERM) => None,
            _ => Some(Err(error)),
        };
    }
    let device = libc::makedev(facts.stx_dev_major, facts.stx_dev_minor);
    let is_plain = libc::mode_t::from(facts.stx_mode) & libc::S_IFMT == libc::S_IFREG;
    let found = FileFacts { len: facts.stx_size, is_plain, identity: Some((device, facts.stx_ino)) };
    (facts.stx_mask & WANTED == WANTED).then_some(Ok(found))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn facts(_at: RawFd, _path: &CStr, _flags: libc::c_int) -> Option<Result<FileFacts>> {
    None
}

fn by_stat(path: OsString) -> Result<FileFacts> {
    let facts = fs::symlink_metadata(path)?;
    Ok(FileFacts { len: facts.len(), is_plain: facts.is_file(), identity: Some((facts.dev(), facts.ino())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_those_of_stat_for_files_links_and_what_is_missing() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name).into_os_string();
        fs::write(path("file"), b"1234567").unwrap();
        fs::create_dir(path("directory")).unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        for name in ["file", "directory", "link"] {
            let (one, other) = (of(path(name)).unwrap(), by_stat(path(name)).unwrap());
            assert_eq!((one.len, one.is_plain, one.identity), (other.len, other.is_plain, other.identity), "{name}");
        }
        assert_eq!(of(path("file")).map(|facts| (facts.len, facts.is_plain)).unwrap(), (7, true));
        let null = by_stat("/dev/null".into()).unwrap().identity;
        assert_eq!(of("/dev/null".into()).unwrap().identity, null);
        assert_eq!(identity(&File::open("/dev/null").unwrap()).ok(), null);
        assert_eq!(of(path("missing")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert_eq!(of(path("file/x")).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
        assert_eq!(of("a\0b".into()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }

    /// The second of two writes within a tick of the clock gets the tick's time, as the first did, unless somebody asked for
    /// the times between them. Another file can bring the tick's time forward, so one of many tries counts.
    #[test]
    fn asking_for_facts_does_not_make_the_next_write_change_the_times_in_the_inode() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let file = File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        let write = |bytes| std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0).unwrap();
        let tick = || {
            // SAFETY: plain data, for which zeros are a valid value.
            let mut now: libc::timespec = unsafe { std::mem::zeroed() };
            // SAFETY: `now` is a valid place.
            unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &mut now) };
            (now.tv_sec, now.tv_nsec)
        };
        let is_of_the_tick = |_| {
            std::thread::sleep(std::time::Duration::from_millis(12));
            let began = tick();
            write(b"one");
            let named = of(path.clone().into_os_string()).unwrap();
            assert_eq!(named.identity, identity(&other).ok());
            write(b"two");
            let facts = file.metadata().unwrap();
            (facts.mtime(), facts.mtime_nsec()) == began && tick() == began
        };
        assert!((0..40).any(is_of_the_tick), "each write got a time of its own");
    }
}
