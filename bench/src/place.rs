//! The folder of the files, and a description of the machine.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::Result;

/// A run's folder is named after its process.
const PREFIX: &str = "binlog-bench-";

/// A folder of our own inside the requested one; removed when this is dropped.
pub struct Place {
    folder: PathBuf,
    pub file_system: String,
}

impl Place {
    pub fn create(parent: &Path) -> Result<Self> {
        sweep(parent)?;
        let folder = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let file_system = file_system(&mounts, &folder).unwrap_or("unknown").to_owned();
        Ok(Place { folder, file_system })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether files here are in memory, where nothing can be durable.
    pub fn in_memory(&self) -> bool {
        matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }

    /// Removes what a work has left.
    pub fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            fs::remove_dir_all(entry?.path())?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of runs that were killed, which may hold gigabytes.
fn sweep(parent: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(parent) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The type of the file system that `path` is on, from the longest mount point that is a prefix of it.
fn file_system<'a>(mountinfo: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (mount, system) = line.split_once(" - ")?;
        Some((mount.split(' ').nth(4)?, system.split(' ').next()?))
    };
    let leads_here = mountinfo.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    // Of several mounts on one point the last one is visible; max_by_key returns the last.
    leads_here.max_by_key(|(point, _)| point.len()).map(|(_, system)| system)
}

/// Syncs the file system that `path` is on.
pub fn sync(path: &Path) -> Result<()> {
    let folder = File::open(path)?;
    // SAFETY: the descriptor is open.
    match unsafe { libc::syncfs(folder.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// The space that is available on the file system of `path`.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    let mut found = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a NUL, and `found` is a valid place for the result.
    match unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) } {
        // SAFETY: the call has filled it.
        0 => Ok(unsafe { found.assume_init() }).map(|found| found.f_bavail * found.f_frsize),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// A field of a file of `/proc` in bytes, where the file gives it in kB.
pub fn proc_bytes(file: &str, field: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(number.ok_or_else(|| format!("{file} has no {field}"))? * 1024)
}

/// The machine in one line.
pub fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let model =
        cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let memory = proc_bytes("/proc/meminfo", "MemTotal").unwrap_or(0) as f64 / f64::from(1 << 30);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, {cores} cores, {memory:.0} GiB of memory, Linux {}",
        model.unwrap_or("unknown processor"),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_names_the_file_system() {
        let mounts = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      30 22 0:26 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw\n\
                      31 22 0:27 / /dev rw - devtmpfs dev rw\n";
        assert_eq!(file_system(mounts, Path::new("/dev/shm/x")), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/dev/shmx")), Some("devtmpfs"));
        assert_eq!(file_system(mounts, Path::new("/home")), Some("ext4"));
        assert_eq!(file_system("", Path::new("/home")), None);
    }

    #[test]
    fn a_place_is_gone_afterwards_and_so_are_those_of_the_killed() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let killed = parent.path().join(format!("{PREFIX}{}", u32::MAX));
        fs::create_dir(&killed)?;
        let place = Place::create(parent.path())?;
        fs::create_dir(place.folder().join("log"))?;
        place.clear()?;
        assert!(!killed.exists());
        assert_eq!(fs::read_dir(place.folder())?.count(), 0);
        drop(place);
        assert_eq!(fs::read_dir(parent.path())?.count(), 0);
        Ok(())
    }
}
