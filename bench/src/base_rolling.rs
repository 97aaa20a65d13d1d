//! BASE with one file after the other: at a size, the file is closed and the next one created.

use std::path::Path;

use crate::base::{read_file, BaseWriter};
use crate::contender::{Append, Read};
use crate::Result;

pub struct RollingBase {
    writer: BaseWriter,
    folder: std::path::PathBuf,
    /// Payload bytes at which a file is closed, and those in the current one.
    limit: u64,
    filled: u64,
    rolls: u32,
}

impl RollingBase {
    pub fn create(folder: &Path, limit: u64) -> Result<Self> {
        let writer = BaseWriter::create(folder)?;
        Ok(RollingBase { writer, folder: folder.to_owned(), limit, filled: 0, rolls: 0 })
    }
}

/// The file after so many rolls: their names sort in the order of writing.
fn name(rolls: u32) -> String {
    match rolls {
        0 => "base".into(),
        rolls => format!("base.{rolls:06}"),
    }
}

impl Append for RollingBase {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        if self.filled + payload.len() as u64 > self.limit {
            self.rolls += 1;
            self.writer.go_on_in(&self.folder.join(name(self.rolls)))?;
            self.filled = 0;
        }
        self.filled += payload.len() as u64;
        self.writer.append(payload)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }

    fn close(self) -> Result<()> {
        self.writer.close()
    }
}

pub struct RollingBaseReader;

impl Read for RollingBaseReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let files = (0..).map(|rolls| folder.join(name(rolls))).take_while(|path| path.exists());
        let mut next_id = 1;
        for path in files {
            next_id = read_file(&path, next_id, &mut visit)?;
        }
        Ok(())
    }
}
