//! The writer's lock: a file beside the segments, which also stores what the log must not forget when segments are
//! removed.
//!
//! The file has three parts of 512 bytes: the process number of the holder, and two places for the line of [`Left`].
//! The line is written to them in turn, each time durably: one of them is whole whenever the power fails. The other
//! place is not touched before that, and a disk writes no less than such a part.

use std::path::Path;
use std::sync::Arc;

use crate::io::sync::Mutex;

use super::left::{Last, Left};
use super::names;
use super::quoted::quoted;
use crate::error::{Error, Kind, Result};
use crate::io::{self, Access, Directory, File};
use crate::segment::Segment;

/// Bytes of each part.
const PART: usize = 512;
/// Places for the line, after the holder.
const PLACES: usize = 2;

/// Takes the lock of the log `name`, which only its writer holds.
pub(crate) fn take_lock(directory: &dyn Directory, name: &str, file_mode: u32) -> Result<Lock> {
    take_lock_of(directory, name, file_mode, "another writer has the log open")
}

/// As [`take_lock`], for callers other than writers; `taken` is the message for a lock that is held.
pub(crate) fn take_lock_of(directory: &dyn Directory, name: &str, file_mode: u32, taken: &str) -> Result<Lock> {
    let name = names::lock(name);
    let path = directory.path_of(&name);
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&path);
    let file = directory.open_or_create(&name, file_mode).map_err(|e| failed(&e, "create"))?;
    let look = || -> Result<_> {
        let is_ours = file.try_lock().map_err(|e| failed(&e, "lock"))?;
        let mut bytes = [0; PART * (1 + PLACES)];
        let n = io::read_full(&*file, &mut bytes, 0).map_err(|e| failed(&e, "read"))?;
        let text = String::from_utf8_lossy(&bytes[..n.min(PART)]);
        let holder = text.lines().next().unwrap_or_default().trim_matches(['\0', ' ']).to_owned();
        Ok((is_ours, Kept::parse(&bytes[..n]), holder, n))
    };
    let (mut is_ours, mut kept, mut holder, mut n) = look()?;
    if !is_ours && holder.parse().is_ok_and(io::is_gone) {
        // It may have ended since the lock was tried, and then nobody, or somebody else, has it.
        (is_ours, kept, holder, n) = look()?;
    }
    // When a line is whole, only the process number is damaged, and that is written anew.
    if !holder.bytes().all(|byte| byte.is_ascii_digit()) && kept.left.is_none() {
        let (this, aside) = (quoted(directory, &name), quoted(directory, &format!("{name}.aside")));
        let reason = format!(
            "this is no lock file of a log, or a damaged one, and is not written to: `mv -n {this} {aside}` takes it away, and \
             the log is opened without what it notes"
        );
        return Err(Error::invalid(reason).at(&path));
    }
    if !is_ours {
        return Err(Error::new(Kind::Locked, format!("{taken} ({})", describe_holder(&holder, &path))).at(&path));
    }
    let lock = Lock { file, kept: Mutex::new(kept) };
    // Only a help for the message above: a full disk does not keep a log from being opened.
    let _ = lock.write_holder(n);
    Ok(lock)
}

/// The note in the lock file of the log `name`, for callers that do not hold the lock; `None` when there is no such
/// file or it cannot be read.
pub(crate) fn read_left(directory: &dyn Directory, name: &str) -> Option<Left> {
    let file = directory.open(&names::lock(name), Access::Read).ok()?;
    let mut bytes = [0; PART * (1 + PLACES)];
    let n = io::read_full(&*file, &mut bytes, 0).ok()?;
    Kept::parse(&bytes[..n]).left
}

/// Notes durably that the log ends with this segment, even if later ones were noted, which are lost: the ids of their
/// records are not given again. The caller must hold the lock.
pub(crate) fn accept_end(directory: &dyn Directory, last: &Segment) -> Result<()> {
    let header = &last.header;
    let Some(left) = read_left(directory, &header.name) else { return Ok(()) };
    let is_noted = left.last.is_some_and(|noted| noted.sequence > header.sequence) || left.synced > header.sequence;
    if left.log_id != header.log_id || !is_noted {
        return Ok(());
    }
    let bytes = last.file.len().map_err(|e| Error::io(&e, "stat").at(&last.path))?;
    let end = Last { sequence: header.sequence, bytes, marker: header.marker };
    note_over(directory, &header.name, &Left { synced: header.sequence, last: Some(end), ends_there: true, ..left })
}

/// Notes durably that nothing of a log without segments is missing: it continues after the records that it has given.
/// The caller must hold the lock.
pub(crate) fn accept_loss_of_all(directory: &dyn Directory, name: &str) -> Result<()> {
    let Some(left) = read_left(directory, name) else { return Ok(()) };
    note_over(directory, name, &Left { synced: 0, last: None, ends_there: false, ..left })
}

/// Notes durably the new length of the segment with which a log was closed, if it has all of its records: those before
/// `next_id`. The caller must hold the lock.
pub(crate) fn note_new_end(directory: &dyn Directory, last: &Segment, next_id: u64) -> Result<()> {
    let header = &last.header;
    let Some(left) = read_left(directory, &header.name) else { return Ok(()) };
    let Some(end) = left.last.filter(|end| (end.sequence, end.marker) == (header.sequence, header.marker)) else {
        return Ok(());
    };
    let bytes = last.file.len().map_err(|e| Error::io(&e, "stat").at(&last.path))?;
    if left.log_id != header.log_id || next_id < left.next_id || bytes == end.bytes {
        return Ok(());
    }
    note_over(directory, &header.name, &Left { last: Some(Last { bytes, ..end }), ..left })
}

/// Replaces the note, whatever it was.
fn note_over(directory: &dyn Directory, log: &str, left: &Left) -> Result<()> {
    let name = names::lock(log);
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&directory.path_of(&name));
    let file = directory.open(&name, Access::ReadWrite).map_err(|e| failed(e, "open"))?;
    let mut bytes = [0; PART * (1 + PLACES)];
    let n = io::read_full(&*file, &mut bytes, 0).map_err(|e| failed(e, "read"))?;
    let lock = Lock { file, kept: Mutex::new(Kept::parse(&bytes[..n])) };
    let kept = lock.kept.lock();
    lock.write_line(left, kept.count + 1, kept.place).map_err(|e| failed(e, "write"))
}

/// Describes the holder of the lock, as far as it is known. A child that the holder has forked holds the lock too,
/// unless it was created in a way that the library does not notice.
fn describe_holder(holder: &str, path: &Path) -> String {
    match holder.parse() {
        Err(_) => "process unknown".to_owned(),
        Ok(pid) if io::is_gone(pid) => format!(
            "process {pid} has ended: a child that it forked may still hold the lock, and `fuser {}` names it",
            path.display()
        ),
        Ok(pid) => format!("process {pid}"),
    }
}

/// The lock of a log. Closing the file handle releases it.
pub(crate) struct Lock {
    file: Arc<dyn File>,
    kept: Mutex<Kept>,
}

/// The contents of the file.
#[derive(Default)]
struct Kept {
    left: Option<Left>,
    /// Of the last line.
    count: u64,
    /// Where the next line goes.
    place: usize,
    /// The file's name is durable too.
    is_named: bool,
}

impl Kept {
    fn parse(bytes: &[u8]) -> Self {
        let text = |part: usize| {
            let end = bytes.len().min(PART * (part + 1));
            String::from_utf8_lossy(bytes.get(PART * part..end).unwrap_or_default()).into_owned()
        };
        let of_place = |place: usize| {
            let (left, count) = text(1 + place).lines().next().and_then(Left::parse)?;
            Some((count, place, left))
        };
        match (0..PLACES).filter_map(of_place).max_by_key(|(count, ..)| *count) {
            Some((count, place, left)) => {
                Kept { left: Some(left), count, place: (place + 1) % PLACES, is_named: false }
            }
            None => Kept::default(),
        }
    }
}

impl Lock {
    /// The file whose handle holds the lock.
    pub fn into_file(self) -> Arc<dyn File> {
        self.file
    }

    /// Releases the lock. Closing the file handle would do so, but a forked child may hold that too.
    pub fn unlock(&self) {
        let _ = self.file.unlock();
    }

    /// The note, if there is one.
    pub fn left(&self) -> Option<Left> {
        self.kept.lock().left.clone()
    }

    /// Notes durably what the log has given, unless it is noted already. `directory` is the one that contains the lock.
    pub fn leave(&self, directory: &dyn Directory, left: &Left) -> std::io::Result<()> {
        let mut kept = self.kept.lock();
        if kept.left.as_ref().is_some_and(|kept| left.is_within(kept)) {
            return Ok(());
        }
        let left = kept.left.as_ref().map_or_else(|| left.clone(), |kept| left.and(kept));
        self.write_line(&left, kept.count + 1, kept.place)?;
        if !kept.is_named {
            directory.sync()?;
        }
        // After a failure the next line goes to the same place: the other one is whole.
        let place = (kept.place + 1) % PLACES;
        *kept = Kept { left: Some(left), count: kept.count + 1, place, is_named: true };
        Ok(())
    }

    fn write_line(&self, left: &Left, count: u64, place: usize) -> std::io::Result<()> {
        self.write_part(1 + place, &left.to_line(count))?;
        self.file.sync_data()
    }

    /// Writes the holder of the lock to a file of `len` bytes.
    fn write_holder(&self, len: usize) -> std::io::Result<()> {
        if len < PART * (1 + PLACES) {
            (1..=PLACES).try_for_each(|part| self.write_part(part, ""))?;
        }
        self.write_part(0, &format!("{}\n", std::process::id()))
    }

    fn write_part(&self, part: usize, text: &str) -> std::io::Result<()> {
        let mut bytes = [b' '; PART];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes[PART - 1] = b'\n';
        io::write_full(&*self.file, &[&bytes], (PART * part) as u64).map_err(|(_, e)| e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Fault, MemoryDirectory, Operation};

    fn left(next_id: u64) -> Left {
        let last = Some(Last { sequence: 7, bytes: 1, marker: 2 });
        Left { log_id: (0..16).collect(), sequence: 8, next_id, last, synced: 8, ends_there: false }
    }

    fn take(directory: &MemoryDirectory) -> Lock {
        take_lock(directory, "log", 0o640).unwrap()
    }

    #[test]
    fn what_a_log_leaves_behind_is_there_for_the_next_writer_and_for_readers() {
        let directory = MemoryDirectory::new();
        take(&directory).leave(&directory, &left(701)).unwrap();
        for _ in 0..3 {
            assert_eq!(take(&directory).left(), Some(left(701)), "an opening does not forget it");
        }
        take(&directory).leave(&directory, &left(600)).unwrap();
        assert_eq!(take(&directory).left(), Some(left(701)), "nor does it decrease");
        assert_eq!(read_left(&directory, "log"), Some(left(701)));
        assert_eq!(read_left(&directory, "another"), None);
        let text = String::from_utf8(directory.contents("log.lock").unwrap()).unwrap();
        assert_eq!(text.lines().next().unwrap(), std::process::id().to_string(), "{text}");
    }

    #[test]
    fn a_line_that_was_torn_anywhere_leaves_the_one_before_it() {
        let (directory, crashed) = (MemoryDirectory::new(), MemoryDirectory::new());
        let lock = take(&directory);
        for next_id in [10, 100, 1000, 10_000] {
            let before = directory.contents("log.lock").unwrap();
            let kept = lock.left();
            lock.leave(&directory, &left(next_id)).unwrap();
            let after = directory.contents("log.lock").unwrap();
            for torn in 0..after.len() {
                crashed.set_contents("log.lock", [&after[..torn], &before[torn..]].concat());
                let found = take(&crashed).left();
                assert!(found == kept || found == Some(left(next_id)), "{torn}: {found:?}");
            }
        }
    }

    #[test]
    fn a_line_that_could_not_be_written_harms_none_and_one_that_is_noted_costs_nothing() {
        let directory = MemoryDirectory::new();
        let lock = take(&directory);
        lock.leave(&directory, &left(10)).unwrap();
        for only in [Operation::Write, Operation::Sync, Operation::Write] {
            directory.set_fault(Some(Fault { from: 0, times: 1, errno: libc::EIO, only: Some(only) }));
            lock.leave(&directory, &left(20)).unwrap_err();
            directory.set_fault(None);
            assert_eq!(lock.left(), Some(left(10)));
        }
        lock.leave(&directory, &left(20)).unwrap();
        directory.set_fault(Some(Fault { from: 0, times: 9, errno: libc::EIO, only: None }));
        lock.leave(&directory, &left(20)).unwrap();
        directory.set_fault(None);
        drop(lock);
        assert_eq!(take(&directory).left(), Some(left(20)));
    }
}
