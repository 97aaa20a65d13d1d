//! Cuts the torn tail of a segment, and keeps what it cuts.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::io::{self, create_like, remove_if_there, Access, Directory, File};
use crate::memory;
use crate::segment::Segment;

/// Keeps the torn bytes in `<segment>.torn-<offset>`, durably, before they are cut. A file that an earlier recovery
/// kept from the same offset stays; a number is then added to the name. The file has the permissions of the segment.
pub(crate) fn cut_torn_tail(directory: &dyn Directory, segment: &Segment, offset: u64, bytes: u64) -> Result<PathBuf> {
    let name = keep_torn_tail(directory, segment, offset, bytes)?;
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
    let cut = segment.file.set_len(offset).and_then(|()| segment.file.sync_data());
    cut.map_err(|e| Error::io(&e, "truncate").at_offset(&segment.path, offset))?;
    Ok(directory.path_of(&name))
}

/// The name of the file that keeps the torn bytes. The file is durable, its name is not yet.
fn keep_torn_tail(directory: &dyn Directory, segment: &Segment, offset: u64, bytes: u64) -> Result<String> {
    let first = format!("{}.torn-{offset}", segment.name);
    let mut name = first.clone();
    for number in 2.. {
        let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&directory.path_of(&name));
        match directory.open(&name, Access::Read) {
            Err(e) if e.kind() == ErrorKind::NotFound => break,
            // It is foreign, and stays.
            Err(e) if io::is_no_file(&e) => name = format!("{first}.{number}"),
            Err(e) => return Err(failed(&e, "open")),
            // Another recovery got this far and no further.
            Ok(there) if is_copy(segment, offset, bytes, &*there)? => {
                there.sync_data().map_err(|e| failed(&e, "sync"))?;
                return Ok(name);
            }
            Ok(_) => name = format!("{first}.{number}"),
        }
    }
    // Under another name until it is whole: a half-written file is never mistaken for the kept bytes.
    let part = format!("{first}.part");
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&directory.path_of(&part));
    // A file left by an interrupted recovery is removed rather than written to: it may be anything, and have any mode.
    remove_if_there(directory, &part)?;
    let kept = create_like(directory, &part, (directory, &segment.name), 0o600)?;
    each_buffer(segment, offset, bytes, |done, part_of_tail| {
        io::write_full(&*kept, &[part_of_tail], done).map_err(|(_, e)| failed(&e, "write")).map(|()| true)
    })?;
    kept.sync_data().map_err(|e| failed(&e, "sync"))?;
    directory.rename(&part, &name).map_err(|e| failed(&e, "rename"))?;
    Ok(name)
}

/// Whether `file` holds just these bytes of the segment.
fn is_copy(segment: &Segment, offset: u64, bytes: u64, file: &dyn File) -> Result<bool> {
    let failed = |e: std::io::Error| Error::io(&e, "read").at(&segment.path);
    let mut there = vec![];
    let same_length = file.len().map_err(failed)? == bytes;
    Ok(same_length
        && each_buffer(segment, offset, bytes, |done, part_of_tail| {
            there.resize(part_of_tail.len(), 0);
            let n = io::read_full(file, &mut there, done).map_err(failed)?;
            Ok(there[..n] == *part_of_tail)
        })?)
}

/// Passes these bytes of the segment to `each`, a buffer at a time, with the distance of each from `offset`, until it
/// returns false.
fn each_buffer(
    segment: &Segment,
    offset: u64,
    bytes: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<bool>,
) -> Result<bool> {
    let mut buffer = memory::zeros(256 << 10).map_err(|e| Error::from(e).at(&segment.path))?;
    let mut done = 0;
    while done < bytes {
        let want = buffer.len().min((bytes - done) as usize);
        let n = io::read_full(&*segment.file, &mut buffer[..want], offset + done)
            .map_err(|e| Error::io(&e, "read").at_offset(&segment.path, offset + done))?;
        if n == 0 {
            break;
        }
        if !each(done, &buffer[..n])? {
            return Ok(false);
        }
        done += n as u64;
    }
    Ok(true)
}
