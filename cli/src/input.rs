//! Records from standard input: lines, or bytes with their length in front. Takes no more memory than the longest
//! record, whatever the input contains.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::AsFd;

use crate::human;
use crate::signals::{Signals, Woken};

const BUFFER: usize = 256 << 10;

/// How records follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Framing {
    /// Each ends with a newline, which does not belong to it
    Lines,
    /// 4 bytes of length, little-endian, then the record
    U32le,
    /// 4 bytes of length, big-endian, then the record
    U32be,
}

/// What comes next in the input.
pub enum NextInput {
    /// A record, at this place; [`Input::bytes`] returns its bytes.
    Record(Range<usize>),
    End,
    Signal(i32),
}

/// The result of reading more.
enum Filled {
    More,
    End,
    Signal(i32),
}

pub struct Input<'a> {
    file: File,
    signals: &'a Signals,
    framing: Framing,
    /// The longest record.
    most: usize,
    buffer: Vec<u8>,
    /// The bytes of `buffer` that are valid and not yet used.
    have: Range<usize>,
    /// Records found so far.
    records: u64,
    /// Bytes read so far.
    bytes_read: u64,
}

impl<'a> Input<'a> {
    pub fn new(file: File, framing: Framing, most: u64, signals: &'a Signals) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Input { file, signals, framing, most, buffer: vec![0; BUFFER], have: 0..0, records: 0, bytes_read: 0 }
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Bytes that were read after the last whole record.
    pub fn left_over(&self) -> usize {
        self.have.len()
    }

    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.buffer[place]
    }

    /// The next record. The error is a message.
    pub fn next(&mut self) -> Result<NextInput, String> {
        let next = match self.framing {
            Framing::Lines => self.line(),
            Framing::U32le => self.framed(u32::from_le_bytes),
            Framing::U32be => self.framed(u32::from_be_bytes),
        };
        self.records += u64::from(matches!(next, Ok(NextInput::Record(_))));
        next
    }

    fn line(&mut self) -> Result<NextInput, String> {
        let mut searched = 0;
        loop {
            let unused = &self.buffer[self.have.clone()];
            let newline = memchr::memchr(b'\n', &unused[searched..]).map(|at| searched + at);
            if newline.unwrap_or(unused.len()) > self.most {
                let (line, most) = (human::count(self.records + 1), human::bytes(self.most as u64));
                return Err(format!("line {line} of the input is longer than {most} (--record-max)"));
            }
            if let Some(len) = newline {
                return Ok(NextInput::Record(self.take(len, 1)));
            }
            searched = unused.len();
            match self.fill()? {
                Filled::More => (),
                Filled::Signal(signal) => return Ok(NextInput::Signal(signal)),
                Filled::End if self.have.is_empty() => return Ok(NextInput::End),
                Filled::End => return Ok(NextInput::Record(self.take(self.have.len(), 0))),
            }
        }
    }

    fn framed(&mut self, decode: fn([u8; 4]) -> u32) -> Result<NextInput, String> {
        let mut need = 4;
        loop {
            let unused = &self.buffer[self.have.clone()];
            if let Some(head) = unused.first_chunk::<4>() {
                let len = decode(*head) as usize;
                if len > self.most {
                    let (record, len) = (human::count(self.records + 1), human::bytes(len as u64));
                    let most = human::bytes(self.most as u64);
                    return Err(format!("record {record} of the input has {len}, more than {most} (--record-max)"));
                }
                need = 4 + len;
                if unused.len() >= need {
                    self.have.start += 4;
                    return Ok(NextInput::Record(self.take(len, 0)));
                }
            }
            match self.fill()? {
                Filled::More => (),
                Filled::Signal(signal) => return Ok(NextInput::Signal(signal)),
                Filled::End if self.have.is_empty() => return Ok(NextInput::End),
                Filled::End => {
                    let (record, have) = (human::count(self.records + 1), self.have.len());
                    return Err(format!("the input ends within record {record}: {have} of its {need} bytes are there"));
                }
            }
        }
    }

    /// Uses `len` bytes as a record, and so many more after it as its end.
    fn take(&mut self, len: usize, end: usize) -> Range<usize> {
        let place = self.have.start..self.have.start + len;
        self.have.start = place.end + end;
        place
    }

    /// Reads more as soon as there is input.
    fn fill(&mut self) -> Result<Filled, String> {
        self.make_room();
        let failed = |e: io::Error| format!("standard input: {e}");
        loop {
            match self.signals.wait_readable(self.file.as_fd(), None).map_err(failed)? {
                Woken::Ready => (),
                Woken::Timeout => continue,
                Woken::Signal(signal) => return Ok(Filled::Signal(signal)),
            }
            match self.file.read(&mut self.buffer[self.have.end..]) {
                Ok(0) => return Ok(Filled::End),
                Ok(n) => {
                    self.have.end += n;
                    self.bytes_read += n as u64;
                    return Ok(Filled::More);
                }
                // Another process may have made the terminal or pipe non-blocking, and taken the bytes.
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => (),
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// Moves the unused bytes to the front, and doubles the buffer if they fill it. A wrong length therefore costs
    /// no memory: only bytes that have arrived do.
    fn make_room(&mut self) {
        if self.have.start > 0 {
            self.buffer.copy_within(self.have.clone(), 0);
            self.have = 0..self.have.len();
        }
        if self.have.end == self.buffer.len() {
            let wanted = (self.buffer.len() * 2).min(self.most.saturating_add(BUFFER));
            self.buffer.resize(wanted, 0);
        } else if self.have.end < BUFFER / 2 && self.buffer.len() > 16 * BUFFER {
            self.buffer.truncate(BUFFER);
            self.buffer.shrink_to_fit();
        }
    }
}
