//! BASE: the log that a programmer writes in an afternoon. A `BufWriter` of 64 KiB, a header of 32 bytes, crc32fast and
//! the clock; its reader is a `BufReader` that verifies each checksum.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::contender::{Append, Read};
use crate::{clock, Result};

pub const FILE: &str = "base";
pub const BUFFER: usize = 64 << 10;
const HEADER: usize = 32;

/// length u32, type u32, id u64, time i64, checksum of the payload u32, reserved u32
pub fn header(payload: &[u8], id: u64, crc: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..8].copy_from_slice(&1_u32.to_le_bytes());
    header[8..16].copy_from_slice(&id.to_le_bytes());
    header[16..24].copy_from_slice(&clock::now().to_le_bytes());
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    header
}

pub struct BaseWriter {
    file: BufWriter<File>,
    next_id: u64,
}

impl BaseWriter {
    pub fn create(folder: &Path) -> Result<Self> {
        let file = BufWriter::with_capacity(BUFFER, File::create_new(folder.join(FILE))?);
        Ok(BaseWriter { file, next_id: 1 })
    }

    /// Continues after the last whole record, which only reading all records can find.
    pub fn reopen(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut reader = BufReader::with_capacity(BUFFER, File::open(&path)?);
        let (mut payload, mut end, mut next_id) = (Vec::new(), 0, 1_u64);
        while let Some((header, len)) = next_header(&mut reader)? {
            payload.resize(len, 0);
            let is_whole = reader.read_exact(&mut payload).is_ok();
            if !is_whole || crc32fast::hash(&payload).to_le_bytes() != header[24..28] {
                break;
            }
            end += (HEADER + len) as u64;
            next_id += 1;
        }
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        Ok(BaseWriter { file: BufWriter::with_capacity(BUFFER, file), next_id })
    }

    /// On return, everything so far is on the disk.
    pub fn sync(&mut self) -> Result<()> {
        self.file.flush()?;
        Ok(self.file.get_ref().sync_data()?)
    }

    /// Continues in a new file, with the next id.
    pub fn go_on_in(&mut self, path: &Path) -> Result<()> {
        self.file.flush()?;
        self.file = BufWriter::with_capacity(BUFFER, File::create_new(path)?);
        Ok(())
    }

    fn header(&mut self, payload: &[u8], crc: u32) -> [u8; HEADER] {
        self.next_id += 1;
        header(payload, self.next_id - 1, crc)
    }
}

impl Append for BaseWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        let header = self.header(payload, crc32fast::hash(payload));
        self.file.write_all(&header)?;
        Ok(self.file.write_all(payload)?)
    }

    fn gather(&mut self, parts: &[&[u8]]) -> Result<()> {
        let mut crc = crc32fast::Hasher::new();
        parts.iter().for_each(|part| crc.update(part));
        let mut header = self.header(&[], crc.finalize());
        let len: usize = parts.iter().map(|part| part.len()).sum();
        header[0..4].copy_from_slice(&(len as u32).to_le_bytes());
        self.file.write_all(&header)?;
        Ok(parts.iter().try_for_each(|part| self.file.write_all(part))?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }

    fn close(mut self) -> Result<()> {
        self.flush()
    }
}

pub struct BaseReader;

impl Read for BaseReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        read_file(&folder.join(FILE), 1, &mut visit).map(|_| ())
    }
}

/// Shows the records of one file, the first of which has the id `expected_id`, and returns the next id.
pub fn read_file(path: &Path, mut expected_id: u64, visit: &mut dyn FnMut(&[u8])) -> Result<u64> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let mut payload = Vec::new();
    while let Some((header, len)) = next_header(&mut file)? {
        payload.resize(len, 0);
        file.read_exact(&mut payload)?;
        let (id, crc) = (&header[8..16], &header[24..28]);
        if crc32fast::hash(&payload).to_le_bytes() != crc || expected_id.to_le_bytes() != id {
            return Err(format!("record {expected_id} is damaged").into());
        }
        expected_id += 1;
        visit(&payload);
    }
    Ok(expected_id)
}

/// Steps over the payloads, and shows the length of each.
pub fn read_headers(folder: &Path, mut visit: impl FnMut(u64)) -> Result<()> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(folder.join(FILE))?);
    while let Some((_, len)) = next_header(&mut file)? {
        file.seek_relative(len as i64)?;
        visit(len as u64);
    }
    Ok(())
}

fn next_header(file: &mut BufReader<File>) -> Result<Option<([u8; HEADER], usize)>> {
    let mut header = [0; HEADER];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let len = u32::from_le_bytes(header[0..4].try_into().expect("four bytes"));
    Ok(Some((header, len as usize)))
}
