//! Files in the formats of three legacy libraries: the Java binlog, the Python binary logger, shoebox.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::contender::Append;
use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    Java,
    Python,
    Shoebox,
}

impl Legacy {
    pub fn file(self) -> &'static str {
        match self {
            Legacy::Java => "legacy.20140201-1011.binlog",
            Legacy::Python => "legacy.log",
            Legacy::Shoebox => "elder_2014_02_01_10_11_12.events",
        }
    }
}

/// Writes whole chunks of 1 MiB, as the raw contender does. Writes at odd offsets leave smaller parts in the page
/// cache than reading from the disk does, and copying from those takes up to twice as long.
struct Pieces {
    file: File,
    bytes: Vec<u8>,
}

const PIECE: usize = 1 << 20;

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE {
            let whole = self.bytes.len() / PIECE * PIECE;
            self.file.write_all(&self.bytes[..whole])?;
            self.bytes.drain(..whole);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

pub struct LegacyWriter {
    legacy: Legacy,
    file: Pieces,
    records: u64,
}

/// A class of the Python logger.
const CLASS: &[u8] = b"StringLog";
/// What surrounds the Python logger's records.
const PYTHON: &[u8] = b"MapLogger_v1.0";
/// 2014-02-01, 10:11:12 UTC.
const BEGAN_MS: u64 = 1_391_249_472_000;

impl LegacyWriter {
    pub fn create(folder: &Path, legacy: Legacy) -> Result<Self> {
        let file = File::create(folder.join(legacy.file()))?;
        let mut file = Pieces { file, bytes: Vec::with_capacity(2 * PIECE) };
        match legacy {
            Legacy::Java => {
                let mut header = vec![0x09];
                header.extend_from_slice(&BEGAN_MS.to_le_bytes());
                // Name, content type, and lengths of 4 bytes.
                header.extend_from_slice(b"\x12\x05elder\x1a\x18application/octet-stream\x28\x04");
                file.write_all(b"MFIZZ.COM-BINLOG\x10\x01")?;
                file.write_all(&(header.len() as u32).to_be_bytes())?;
                file.write_all(&header)?;
            }
            Legacy::Python => file.write_all(PYTHON)?,
            Legacy::Shoebox => (),
        }
        Ok(LegacyWriter { legacy, file, records: 0 })
    }
}

impl Append for LegacyWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.records += 1;
        let len = payload.len();
        match self.legacy {
            Legacy::Java => {
                // Id, time and type, as its logger writes them by default.
                let mut header = vec![0x08];
                let mut id = self.records;
                while id >= 0x80 {
                    header.push(id as u8 | 0x80);
                    id >>= 7;
                }
                header.extend_from_slice(&[id as u8, 0x11]);
                header.extend_from_slice(&(BEGAN_MS + self.records).to_le_bytes());
                header.extend_from_slice(&[0x18, 1]);
                self.file.write_all(&((4 + header.len() + len) as u32).to_be_bytes())?;
                self.file.write_all(&(header.len() as u32).to_be_bytes())?;
                self.file.write_all(&header)?;
            }
            Legacy::Python => {
                self.file.write_all(&(CLASS.len() as u64).to_be_bytes())?;
                self.file.write_all(CLASS)?;
                self.file.write_all(&(len as u64).to_be_bytes())?;
            }
            Legacy::Shoebox => {
                let metadata = b"\x04\0\0\0\x05\0\0\0\x06\0\0\0eventupdate";
                self.file.write_all(&0x6986_7884u32.to_le_bytes())?;
                self.file.write_all(&1u16.to_le_bytes())?;
                self.file.write_all(&(metadata.len() as u32).to_le_bytes())?;
                self.file.write_all(&(4 + len as u32).to_le_bytes())?;
                self.file.write_all(&[0; 4])?;
                self.file.write_all(metadata)?;
                self.file.write_all(&(len as u32).to_le_bytes())?;
            }
        }
        Ok(self.file.write_all(payload)?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }

    fn close(mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }
}
