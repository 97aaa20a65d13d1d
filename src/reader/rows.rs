//! The records of a block by their places, many at once: what a table is made of.

use super::Cursor;
use crate::error::Result;
use crate::memory;
use crate::record::Hit;

impl Cursor {
    /// Replaces `rows` with the next records: at least one unless the log ends here, at most `most`, all of one block.
    /// Their places are in [`Self::regions`] until the next call.
    ///
    /// # Errors
    /// As [`Self::next`], after the whole records of a damaged block have been given out.
    pub(crate) fn next_rows(&mut self, rows: &mut Vec<Hit>, most: usize) -> Result<()> {
        rows.clear();
        memory::reserve_exact(rows, most)?;
        loop {
            match self.view.list(&self.position.scanner, rows, most) {
                // The next call finds an error behind them again, and returns it.
                _ if !rows.is_empty() => return Ok(()),
                Ok(()) => {
                    if !self.advance()? {
                        return Ok(());
                    }
                }
                Err(reason) => return Err(self.corrupt(&reason)),
            }
        }
    }

    /// The entries and the payload of the block that the last rows are from.
    pub(crate) fn regions(&self) -> (&[u8], &[u8]) {
        (self.position.scanner.entries(), self.position.scanner.payload())
    }
}
