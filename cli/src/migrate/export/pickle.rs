//! A Python pickle of `{str: [[int, int], …]}`, byte for byte as CPython's own pickler writes it.
//!
//! Protocol 4, which Python 3.4 and newer read and which the logger's own program writes; its opcodes are described in
//! CPython's `Lib/pickletools.py` and its frames in PEP 3154. Nothing but these opcodes is used: they build values and
//! call nothing.

use std::io::{self, Write};

const PROTO: &[u8] = b"\x80\x04";
const FRAME: u8 = 0x95;
const STOP: u8 = b'.';
const MARK: u8 = b'(';
const MEMOIZE: u8 = 0x94;
const EMPTY_DICT: u8 = b'}';
const EMPTY_LIST: u8 = b']';
const APPEND: u8 = b'a';
const APPENDS: u8 = b'e';
const SET_ITEM: u8 = b's';
const SET_ITEMS: u8 = b'u';
const SHORT_BIN_UNICODE: u8 = 0x8c;
const BIN_UNICODE: u8 = b'X';
const BIN_INT: u8 = b'J';
const BIN_INT_1: u8 = b'K';
const BIN_INT_2: u8 = b'M';
const LONG_1: u8 = 0x8a;

/// A frame ends before the first value that begins after so many bytes.
const FRAME_TARGET: usize = 64 << 10;
/// Less than so many bytes are not framed.
const FRAME_LEAST: usize = 4;
/// Elements between a mark and the opcode that collects them.
const BATCH: usize = 1000;

/// A class, and position and length of each of its records.
pub type Class = (String, Vec<(u64, u64)>);

pub fn write_map(out: &mut dyn Write, map: &[Class]) -> io::Result<()> {
    out.write_all(PROTO)?;
    let mut pickle = Pickle { out, frame: Vec::with_capacity(FRAME_TARGET + 64) };
    pickle.begin_value()?;
    pickle.put(&[EMPTY_DICT, MEMOIZE]);
    pickle.in_batches(map, SET_ITEM, SET_ITEMS, |pickle, (name, places)| {
        pickle.string(name)?;
        pickle.begin_value()?;
        pickle.put(&[EMPTY_LIST, MEMOIZE]);
        pickle.in_batches(places, APPEND, APPENDS, |pickle, &(position, len)| {
            pickle.begin_value()?;
            pickle.put(&[EMPTY_LIST, MEMOIZE, MARK]);
            pickle.number(position)?;
            pickle.number(len)?;
            pickle.put(&[APPENDS]);
            Ok(())
        })
    })?;
    pickle.put(&[STOP]);
    pickle.end_frame()
}

struct Pickle<'a> {
    out: &'a mut dyn Write,
    frame: Vec<u8>,
}

impl Pickle<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    fn begin_value(&mut self) -> io::Result<()> {
        match self.frame.len() >= FRAME_TARGET {
            true => self.end_frame(),
            false => Ok(()),
        }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.frame.len() >= FRAME_LEAST {
            self.out.write_all(&[FRAME])?;
            self.out.write_all(&(self.frame.len() as u64).to_le_bytes())?;
        }
        self.out.write_all(&self.frame)?;
        self.frame.clear();
        Ok(())
    }

    /// Adds the elements to the value before them: a single one with `one`, more with `many` after each batch.
    fn in_batches<T>(
        &mut self,
        elements: &[T],
        one: u8,
        many: u8,
        mut each: impl FnMut(&mut Self, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        if let [element] = elements {
            each(self, element)?;
            self.put(&[one]);
            return Ok(());
        }
        for batch in elements.chunks(BATCH) {
            self.put(&[MARK]);
            batch.iter().try_for_each(|element| each(self, element))?;
            self.put(&[many]);
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> io::Result<()> {
        self.begin_value()?;
        match u8::try_from(text.len()) {
            Ok(len) => self.put(&[SHORT_BIN_UNICODE, len]),
            Err(_) => {
                self.put(&[BIN_UNICODE]);
                self.put(&(text.len() as u32).to_le_bytes());
            }
        }
        self.put(text.as_bytes());
        self.put(&[MEMOIZE]);
        Ok(())
    }

    fn number(&mut self, value: u64) -> io::Result<()> {
        self.begin_value()?;
        let bytes = value.to_le_bytes();
        match value {
            0..=0xff => self.put(&[BIN_INT_1, bytes[0]]),
            0x100..=0xffff => self.put(&[BIN_INT_2, bytes[0], bytes[1]]),
            0x1_0000..=0x7fff_ffff => {
                self.put(&[BIN_INT]);
                self.put(&bytes[..4]);
            }
            _ => {
                // The highest bit is the sign, and has to be 0.
                let len = (64 - value.leading_zeros() as usize) / 8 + 1;
                self.put(&[LONG_1, len as u8]);
                self.put(&(u128::from(value)).to_le_bytes()[..len]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pickled(map: &[Class]) -> Vec<u8> {
        let mut out = vec![];
        write_map(&mut out, map).unwrap();
        out
    }

    #[test]
    fn a_map_is_pickled_as_python_does_it() {
        assert_eq!(pickled(&[]), b"\x80\x04}\x94.");
        assert_eq!(
            pickled(&[("A".to_owned(), vec![(39, 2530)])]),
            b"\x80\x04\x95\x14\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01A\x94]\x94]\x94(K'M\xe2\teas."
        );
    }

    /// Numbers of every size, frames, batches: everything that Python's own pickler writes.
    #[test]
    fn python_writes_the_same_bytes() {
        let sizes = [0, 255, 256, 65_535, 65_536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 39, u64::MAX];
        let numbers: Vec<(u64, u64)> = sizes.iter().flat_map(|&a| sizes.map(|b| (a, b))).collect();
        let many = (0..30_000u64).map(|i| (i * i, i)).collect();
        let mut map = vec![("Numbers".to_owned(), numbers), ("Many".to_owned(), many), ("N".repeat(300), vec![(1, 2)])];
        map.extend((0..2100).map(|i| (format!("Class{i}"), vec![(i, i); 1 + (i % 3) as usize])));
        let text: Vec<String> = map
            .iter()
            .map(|(name, places)| {
                let places: Vec<String> = places.iter().map(|(a, b)| format!("[{a},{b}]")).collect();
                format!("{name:?}:[{}]", places.join(","))
            })
            .collect();
        let program = "import sys, json, pickle; sys.stdout.buffer.write(pickle.dumps(json.load(sys.stdin), 4))";
        let mut child = std::process::Command::new("python3")
            .args(["-c", program])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(format!("{{{}}}", text.join(",")).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stdout == pickled(&map));
    }
}
