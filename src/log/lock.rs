//! The writer's lock: a file beside the segments, which also keeps what the log must not forget when its last segment has
//! been taken away.

use std::path::Path;
use std::sync::Arc;

use super::names;
use crate::error::{Error, Kind, Result};
use crate::io::{self, Directory, File};

/// Takes the lock of the log `name`, which its one writer holds.
pub(crate) fn take_lock(directory: &dyn Directory, name: &str, file_mode: u32) -> Result<Lock> {
    take_lock_of(directory, name, file_mode, "another writer has the log open")
}

/// As [`take_lock`], for others than writers; `taken` says what the holder of the lock does.
pub(crate) fn take_lock_of(directory: &dyn Directory, name: &str, file_mode: u32, taken: &str) -> Result<Lock> {
    let name = names::lock(name);
    let path = directory.path_of(&name);
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&path);
    let file = directory.open_or_create(&name, file_mode).map_err(|e| failed(&e, "create"))?;
    let is_ours = file.try_lock().map_err(|e| failed(&e, "lock"))?;
    let mut text = [0; 256];
    let n = io::read_full(&*file, &mut text, 0).map_err(|e| failed(&e, "read"))?;
    let text = String::from_utf8_lossy(&text[..n]);
    let holder = text.lines().next().unwrap_or("").trim_end_matches('\0');
    if !holder.bytes().all(|byte| byte.is_ascii_digit()) {
        let reason = "this is no lock file of a log, and is not written to: the log needs the name";
        return Err(Error::invalid(reason).at(&path));
    }
    if !is_ours {
        return Err(Error::new(Kind::Locked, format!("{taken} ({})", told(holder, &path))).at(&path));
    }
    let lock = Lock { file, left: Left::parse(&text) };
    // Only a help for the message above: a disk that is full does not keep a log from being opened.
    let _ = lock.write(lock.left.as_ref());
    Ok(lock)
}

/// Who holds the lock, as far as can be said. A child that the holder has forked holds it too, unless it was made in a way
/// that the library does not hear of.
fn told(holder: &str, path: &Path) -> String {
    match holder.parse() {
        Err(_) => "process unknown".to_owned(),
        Ok(pid) if io::is_gone(pid) => format!(
            "process {pid} has ended: a child that it forked may still hold the lock, and `fuser {}` names it",
            path.display()
        ),
        Ok(pid) => format!("process {pid}"),
    }
}

/// The lock of a log. It goes with the file handle.
pub(crate) struct Lock {
    file: Arc<dyn File>,
    /// Where the log went on when it was closed last.
    pub left: Option<Left>,
}

/// Where a closed log goes on when none of its segments is there any more, because a hook has moved them away: without it,
/// ids would begin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub log_id: Vec<u8>,
    pub sequence: u64,
    pub next_id: u64,
}

impl Lock {
    /// The file whose handle holds the lock.
    pub fn into_file(self) -> Arc<dyn File> {
        self.file
    }

    /// Gives the lock back. It would go with the file handle, but a forked child may hold that too.
    pub fn unlock(&self) {
        let _ = self.file.unlock();
    }

    /// Remembers where the log goes on, durably.
    pub fn leave(&self, left: &Left) -> std::io::Result<()> {
        self.write(Some(left))?;
        self.file.sync_data()
    }

    fn write(&self, left: Option<&Left>) -> std::io::Result<()> {
        let mut text = format!("{}\n", std::process::id());
        if let Some(left) = left {
            let log_id: String = left.log_id.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("left {log_id} {} {}\n", left.sequence, left.next_id);
        }
        io::write_full(&*self.file, &[text.as_bytes()], 0).map_err(|(_, e)| e)?;
        self.file.set_len(text.len() as u64)
    }
}

impl Left {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.lines().find_map(|line| line.strip_prefix("left "))?.split(' ');
        let log_id = words.next()?;
        if log_id.len() != 32 || !log_id.is_ascii() {
            return None;
        }
        let bytes = (0..16).map(|i| u8::from_str_radix(&log_id[2 * i..2 * i + 2], 16).ok());
        let (sequence, next_id) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Left { log_id: bytes.collect::<Option<_>>()?, sequence, next_id }).filter(|left| left.next_id > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryDirectory;

    #[test]
    fn what_a_log_leaves_behind_is_there_for_the_next_writer_and_garbage_is_not_believed() {
        let directory = MemoryDirectory::new();
        let left = Left { log_id: (0..16).collect(), sequence: 7, next_id: 701 };
        take_lock(&directory, "log", 0o640).unwrap().leave(&left).unwrap();
        assert_eq!(take_lock(&directory, "log", 0o640).unwrap().left, Some(left.clone()));
        assert_eq!(take_lock(&directory, "log", 0o640).unwrap().left, Some(left), "an opening does not forget it");
        for garbage in ["", "left", "left 00 1 1", "left 000102030405060708090a0b0c0d0e0f 7", "left é 1 1"] {
            assert_eq!(Left::parse(garbage), None, "{garbage:?}");
        }
    }
}
