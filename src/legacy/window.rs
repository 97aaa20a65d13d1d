//! The bytes of a file from some place on, as many as are asked for.

use std::io::Result;
use std::sync::Arc;

use crate::io::File;

/// Bytes that are read at a time: what was read beyond a block is copied when the block is given away.
const STEP: usize = 32 << 10;
/// Memory that is kept for what comes next.
const KEPT: usize = 1 << 20;

pub struct Window {
    file: Arc<dyn File>,
    /// Where the bytes of the file end that count.
    end: u64,
    from: u64,
    bytes: Vec<u8>,
    have: usize,
    /// No more bytes come behind these.
    is_end: bool,
}

impl Window {
    /// Over the bytes before `end`, `u64::MAX` standing for the file's end.
    pub fn new(file: Arc<dyn File>, end: u64) -> Self {
        Window { file, end, from: 0, bytes: vec![], have: 0, is_end: false }
    }

    /// Has the window begin at `from`.
    pub fn begin_at(&mut self, from: u64) {
        match from.checked_sub(self.from).and_then(|skip| usize::try_from(skip).ok()).filter(|&skip| skip <= self.have)
        {
            Some(skip) => {
                self.bytes.copy_within(skip..self.have, 0);
                self.have -= skip;
            }
            None => {
                self.have = 0;
                self.is_end = false;
            }
        }
        self.from = from;
        if self.bytes.len() > KEPT && self.have <= STEP {
            self.bytes.truncate(KEPT);
            self.bytes.shrink_to_fit();
        }
    }

    /// Reads until the window has `len` bytes; false when the file ends before.
    pub fn fill(&mut self, len: usize) -> Result<bool> {
        while self.have < len && !self.is_end {
            let most = usize::try_from(self.end - self.from.min(self.end)).unwrap_or(usize::MAX);
            // Grows with what is there, so that a length that lies costs no more than the file holds.
            let room = len.max(self.have + STEP).min(self.have + STEP.max(self.have)).min(most);
            if self.bytes.len() < room {
                self.bytes.resize(room, 0);
            }
            match self.file.read_at(&mut self.bytes[self.have..room], self.from + self.have as u64) {
                Ok(0) => self.is_end = true,
                Ok(n) => self.have += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
                Err(e) => return Err(e),
            }
        }
        Ok(self.have >= len)
    }

    /// Gives the bytes away, in place of those in `other`, and begins behind the first `len` of them.
    pub fn give(&mut self, len: usize, other: &mut Vec<u8>) {
        let rest = self.have - len;
        if other.len() < rest {
            other.resize(rest, 0);
        }
        other[..rest].copy_from_slice(&self.bytes[len..self.have]);
        std::mem::swap(&mut self.bytes, other);
        (self.have, self.from) = (rest, self.from + len as u64);
    }

    /// What is there.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.have]
    }

    pub fn is_end(&self) -> bool {
        self.is_end
    }
}
