//! Reads the contents of a file on the disk, bypassing the page cache.
//!
//! After a write that the disk refused, the cache still contains the bytes that were to be written. Writing them again
//! does not always help: ext4 records with the cached page that its block is in use, and leaves the block marked as
//! unwritten on the disk, where it reads as zeros once the page has left the cache. Only a read past the cache shows
//! this.

use std::fs::File;
use std::io::Result;

/// Memory, offset and length of a direct read are multiples of this; no disk needs more.
#[cfg(target_os = "linux")]
const ALIGN: usize = 4096;

/// Reads past the page cache; `None` where that is not possible.
#[cfg(target_os = "linux")]
pub fn read(file: &File, buffer: &mut [u8], offset: u64) -> Result<Option<usize>> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};

    if !is_direct(file) {
        return Ok(None);
    }
    // The same file, whatever its name is now.
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(direct) = File::options().read(true).custom_flags(libc::O_DIRECT).open(name) else { return Ok(None) };
    let skip = (offset % ALIGN as u64) as usize;
    let from = offset - skip as u64;
    let len = (skip + buffer.len()).next_multiple_of(ALIGN);
    let mut room = vec![0; len + ALIGN];
    let start = room.as_ptr().align_offset(ALIGN);
    let aligned = &mut room[start..start + len];
    let mut have = 0;
    // A read that ends within a block has reached the end of the file.
    while have < len && have.is_multiple_of(ALIGN) {
        match direct.read_at(&mut aligned[have..], from + have as u64) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    let n = have.saturating_sub(skip).min(buffer.len());
    buffer[..n].copy_from_slice(&aligned[skip..skip + n]);
    Ok(Some(n))
}

#[cfg(not(target_os = "linux"))]
pub fn read(_file: &File, _buffer: &mut [u8], _offset: u64) -> Result<Option<usize>> {
    Ok(None)
}

/// Whether a direct read really bypasses the cache: the system reports the file systems where it does not. If it does
/// not know, or is too old to report it, opening the file decides.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn is_direct(file: &File) -> bool {
    use std::os::fd::AsRawFd;

    // SAFETY: plain data, for which zeros are a valid value.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, the path an empty C string, and `facts` is writable.
    let asked =
        unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, libc::STATX_DIOALIGN, &mut facts) };
    let is_known = asked == 0 && facts.stx_mask & libc::STATX_DIOALIGN != 0;
    !is_known || (1..=ALIGN).contains(&(facts.stx_dio_offset_align as usize))
}

#[cfg(all(target_os = "linux", not(target_env = "gnu")))]
fn is_direct(_file: &File) -> bool {
    true
}

/// Evicts the whole pages between two offsets from the cache, except those that wait to be written.
#[cfg(target_os = "linux")]
pub fn forget(file: &File, range: std::ops::Range<u64>) {
    use std::os::fd::AsRawFd;

    let (from, len) = (range.start as libc::off_t, range.end.saturating_sub(range.start) as libc::off_t);
    // SAFETY: a plain system call on an open descriptor. It is advice: a caller that relies on it has to check.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), from, len, libc::POSIX_FADV_DONTNEED) };
}

#[cfg(not(target_os = "linux"))]
pub fn forget(_file: &File, _range: std::ops::Range<u64>) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_the_disk_has_is_what_was_synced_at_any_offset() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("f");
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        let bytes: Vec<u8> = (0..20_001u32).map(|i| (i * 7 + i / 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        file.sync_data().unwrap();
        for (from, len) in [(0, 20_001), (1, 10), (4095, 2), (8192, 4096), (19_999, 100), (20_001, 5), (50_000, 5)] {
            let mut buffer = vec![0; len];
            // None where the scratch directory is in memory.
            if let Some(n) = read(&file, &mut buffer, from as u64).unwrap() {
                let there = &bytes[from.min(20_001)..(from + len).min(20_001)];
                assert_eq!(buffer[..n], *there, "{len} bytes at {from}");
            }
            forget(&file, from as u64..(from + len) as u64);
        }
        let mut again = vec![0; 20_001];
        file.read_exact_at(&mut again, 0).unwrap();
        assert_eq!(again, bytes, "what was synced is not lost by forgetting it");
    }
}
