//! The system calls alone: write(2) and read(2) of the same payload bytes in pieces of 1 MiB, and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use crate::contender::{Append, Contender, Read, Sample, Tally};
use crate::folder::{abandon, fresh};
use crate::payload::Load;
use crate::Result;

const PIECE: usize = 1 << 20;
/// How far ahead the preallocating contenders allocate space.
const AHEAD: u64 = 64 << 20;

/// A file that is only ever appended to.
pub struct RawFile {
    file: File,
    written: u64,
    /// The end of the allocated space; `None` without preallocation.
    allocated: Option<u64>,
}

impl RawFile {
    pub fn create(folder: &Path, preallocate: bool) -> Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(folder.join("raw"))?;
        Ok(RawFile { file, written: 0, allocated: preallocate.then_some(0) })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(allocated) = self.allocated.as_mut() {
            while self.written + bytes.len() as u64 > *allocated {
                allocate(&self.file, *allocated, AHEAD)?;
                *allocated += AHEAD;
            }
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call touches no memory of ours.
    let status = unsafe {
        libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, offset as libc::off_t, len as libc::off_t)
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Syncs each append to the disk.
pub struct RawDurable(pub RawFile);

impl Append for RawDurable {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.0.write(payload)?;
        Ok(self.0.file.sync_data()?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

/// The payload bytes of a load, in pieces.
pub struct RawWrite {
    pub name: String,
    pub load: Rc<Load>,
    pub preallocate: bool,
}

impl Contender for RawWrite {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        self.run(place).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("raw");
        let mut file = RawFile::create(fresh(&folder)?, self.preallocate)?;
        let start = Instant::now();
        write_pieces(&mut file, &self.load)?;
        let seconds = start.elapsed().as_secs_f64();
        abandon(&folder, false, || Ok(()))?;
        Ok(Sample { seconds, records: self.load.records, bytes: self.load.bytes(), latency: None })
    }
}

fn write_pieces(file: &mut RawFile, load: &Load) -> Result<()> {
    let mut left = load.bytes();
    while left > 0 {
        let piece = left.min(PIECE as u64);
        file.write(&load.payloads.pool()[..piece as usize])?;
        left -= piece;
    }
    Ok(())
}

/// Creates the file that [`read_pieces`] reads.
pub fn write_load(folder: &Path, load: &Load) -> Result<()> {
    write_pieces(&mut RawFile::create(folder, false)?, load)
}

/// Reads the file without looking at its bytes; the caller knows the number of records.
pub fn read_pieces(folder: &Path, records: u64, tally: &mut Tally) -> Result<()> {
    let mut file = File::open(folder.join("raw"))?;
    let mut piece = vec![0; PIECE];
    loop {
        let len = file.read(&mut piece)?;
        if len == 0 {
            break;
        }
        tally.bytes += len as u64;
    }
    tally.records = records;
    Ok(())
}

/// A raw file has no records: the caller gives the reader their lengths.
pub struct RawReader {
    pub size: usize,
}

impl Read for RawReader {
    fn read(&self, folder: &Path, visit: impl FnMut(&[u8])) -> Result<()> {
        std::fs::read(folder.join("raw"))?.chunks(self.size).for_each(visit);
        Ok(())
    }
}
