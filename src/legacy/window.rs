//! A window over the bytes of a file from an offset on.

use std::io::Result;
use std::sync::Arc;

use crate::io::{is_of_system, File};
use crate::memory;

/// A block contains the records that are whole within this many bytes, or one that is longer. They are read at once,
/// and are still in the processor's cache when they are shown.
pub const BLOCK: usize = 128 << 10;
/// Bytes of a compressed file that are read at a time: if it is damaged, all bytes of the same read are lost.
const INFLATED: usize = 32 << 10;
/// Memory that is kept for the next bytes.
const KEPT: usize = 1 << 20;

pub struct Window {
    file: Arc<dyn File>,
    /// Where the bytes of the file end, as far as they are used.
    end: u64,
    /// The most that is read at a time.
    step: usize,
    from: u64,
    bytes: Vec<u8>,
    have: usize,
    /// No more bytes come after these.
    is_end: bool,
    /// The reason, if the compressed file is damaged there.
    broken: Option<String>,
}

impl Window {
    /// A window over the bytes before `end`; `u64::MAX` is the file's end.
    pub fn new(file: Arc<dyn File>, end: u64) -> Self {
        let step = if file.len().is_ok_and(|len| len == u64::MAX) { INFLATED } else { BLOCK };
        Window { file, end, step, from: 0, bytes: vec![], have: 0, is_end: false, broken: None }
    }

    /// Moves the beginning of the window to `from`.
    pub fn begin_at(&mut self, from: u64) {
        match from.checked_sub(self.from).and_then(|skip| usize::try_from(skip).ok()).filter(|&skip| skip <= self.have)
        {
            Some(0) => (),
            Some(skip) => {
                self.bytes.copy_within(skip..self.have, 0);
                self.have -= skip;
            }
            None => {
                self.have = 0;
                self.is_end = false;
                self.broken = None;
            }
        }
        self.from = from;
        if self.bytes.len() > KEPT && self.have <= BLOCK {
            self.bytes.truncate(KEPT);
            self.bytes.shrink_to_fit();
        }
    }

    /// Reads until the window contains `len` bytes; false when the file ends before that, or is damaged.
    pub fn fill(&mut self, len: usize) -> Result<bool> {
        while self.have < len && !self.is_end {
            let most = usize::try_from(self.end - self.from.min(self.end)).unwrap_or(usize::MAX);
            // Step by step: a wrong length must not cost more than the file contains.
            let room = len.min(self.have + self.step).min(most);
            if self.bytes.len() < room {
                let more = room - self.bytes.len();
                memory::reserve(&mut self.bytes, more)?;
                self.bytes.resize(room, 0);
            }
            match self.file.read_at(&mut self.bytes[self.have..room], self.from + self.have as u64) {
                Ok(0) => self.is_end = true,
                Ok(n) => self.have += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
                Err(e) if is_of_system(&e) => return Err(e),
                Err(e) => (self.is_end, self.broken) = (true, Some(e.to_string())),
            }
        }
        Ok(self.have >= len)
    }

    /// Exchanges the bytes with those in `other`, and begins after the first `len` of them.
    pub fn give(&mut self, len: usize, other: &mut Vec<u8>) -> Result<()> {
        let rest = self.have - len;
        if other.len() < rest {
            memory::resize(other, rest)?;
        }
        other[..rest].copy_from_slice(&self.bytes[len..self.have]);
        std::mem::swap(&mut self.bytes, other);
        (self.have, self.from) = (rest, self.from + len as u64);
        Ok(())
    }

    /// The number of bytes from the beginning of the window to the end, read or not. `None` for a compressed file,
    /// whose length is found only by reading.
    pub fn ahead(&self) -> Result<Option<u64>> {
        let len = self.file.len()?;
        Ok((len != u64::MAX).then(|| len.min(self.end).saturating_sub(self.from)))
    }

    /// The first `most` bytes of the window.
    pub fn bytes(&self, most: usize) -> &[u8] {
        &self.bytes[..self.have.min(most)]
    }

    /// The damage of a compressed file after the bytes in the window.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}
