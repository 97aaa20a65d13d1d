//! Which values of a column are missing.

use crate::memory::{self, NoMemory};

/// Which values of a column are missing: a bit a row, of which the lowest of a byte is first, 0 for a missing one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nulls {
    /// Empty as long as nothing is missing.
    bits: Vec<u8>,
    len: usize,
    count: usize,
}

impl Nulls {
    /// How many values are missing.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the value of this row is missing.
    pub fn contains(&self, row: usize) -> bool {
        self.bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 0)
    }

    /// The bits; `None` if nothing is missing.
    pub fn bits(&self) -> Option<&[u8]> {
        (self.count > 0).then_some(&self.bits)
    }

    /// Forgets the values and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bits.clear();
        (self.len, self.count) = (0, 0);
    }

    /// Adds so many values that are there.
    pub(super) fn push_present(&mut self, rows: usize) -> Result<(), NoMemory> {
        if self.count == 0 {
            self.len += rows;
            return Ok(());
        }
        (0..rows).try_for_each(|_| self.push(true))
    }

    /// Adds a value that is there or not.
    #[inline]
    pub(super) fn push(&mut self, present: bool) -> Result<(), NoMemory> {
        if self.count == 0 {
            if present {
                self.len += 1;
                return Ok(());
            }
            self.begin()?;
        }
        if self.len.is_multiple_of(8) {
            memory::push(&mut self.bits, 0)?;
        }
        if let Some(byte) = self.bits.last_mut() {
            *byte |= u8::from(present) << (self.len % 8);
        }
        self.len += 1;
        self.count += usize::from(!present);
        Ok(())
    }

    /// Sets the bits of the values so far, all of which are there.
    #[cold]
    fn begin(&mut self) -> Result<(), NoMemory> {
        let (whole, others) = (self.len / 8, self.len % 8);
        memory::reserve(&mut self.bits, whole + 1)?;
        self.bits.resize(whole, 0xff);
        if others > 0 {
            self.bits.push((1 << others) - 1);
        }
        Ok(())
    }
}
