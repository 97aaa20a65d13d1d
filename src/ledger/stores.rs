//! The stores that a log is shipped to, recorded in addition to `<log>.archive`: if that is lost or damaged, nothing is
//! removed here that one of these stores lacks.
//!
//! A text of lines, each followed by its checksum: the log's id, and the URL of a store.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::lock_name;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::io::remove_if_there;
use crate::io::{self, Access, Directory};
use crate::memory;

/// Far more than the file ever needs.
const LONGEST: u64 = 1 << 20;

fn name(log: &str) -> String {
    format!("{}.stores", lock_name(log))
}

/// The name of the file while it is rewritten.
pub(crate) fn part_of(log: &str) -> String {
    name(log) + ".part"
}

/// The stores that are recorded for the log with this id. Damaged lines are ignored.
pub(super) fn read(directory: &dyn Directory, log: &str, log_id: &[u8]) -> Result<BTreeSet<String>> {
    let name = name(log);
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&directory.path_of(&name));
    let opened = match directory.open(&name, Access::Read) {
        Ok(opened) => opened,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(failed(e, "open")),
    };
    let len = opened.len().map_err(|e| failed(e, "stat"))?.min(LONGEST);
    let mut bytes = memory::zeros(len as usize)?;
    let n = io::read_full(&*opened, &mut bytes, 0).map_err(|e| failed(e, "read"))?;
    let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
    let mut lines = text.lines().filter_map(verified);
    // Each line contains the log's id: a damaged one does not affect the others.
    let ours = format!("{} ", hex(log_id));
    Ok(lines.by_ref().filter_map(|line| line.strip_prefix(&ours).map(str::to_owned)).collect())
}

/// Replaces the recorded stores, durably.
pub(crate) fn write(
    directory: &dyn Directory,
    (log, log_id): (&str, &[u8]),
    stores: &BTreeSet<String>,
    file_mode: u32,
) -> Result<()> {
    let (name, part, log_id) = (name(log), part_of(log), hex(log_id));
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&directory.path_of(&part));
    let lines = stores.iter().map(|store| {
        let line = format!("{log_id} {store}");
        let sum = crc32fast::hash(line.as_bytes());
        format!("{line} {sum:08x}\n")
    });
    let text: String = lines.collect();
    remove_if_there(directory, &part)?;
    let made = directory.create(&part, file_mode).map_err(|e| failed(e, "create"))?;
    io::write_full(&*made, &[text.as_bytes()], 0).map_err(|(_, e)| failed(e, "write"))?;
    made.sync_data().map_err(|e| failed(e, "sync"))?;
    directory.rename(&part, &name).map_err(|e| failed(e, "rename"))?;
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))
}

fn verified(line: &str) -> Option<&str> {
    let (content, sum) = line.rsplit_once(' ')?;
    (u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(content.as_bytes())).then_some(content)
}
