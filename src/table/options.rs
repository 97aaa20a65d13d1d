//! Which columns a table has, and how large its batches are.

use std::ops::BitOr;

use crate::error::{Error, Result};
use crate::options::Filter;

/// A set of columns. The empty set, the default, stands for all that the filter reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns(u32);

impl Columns {
    /// `id`.
    pub const ID: Columns = Columns(1);
    /// `time`.
    pub const TIME: Columns = Columns(2);
    /// `type`: the number.
    pub const TYPE: Columns = Columns(4);
    /// `type_name`: null where a type has no name.
    pub const TYPE_NAME: Columns = Columns(8);
    /// `metadata`: all pairs.
    pub const METADATA: Columns = Columns(16);
    /// `length`: of the payload, in bytes.
    pub const LENGTH: Columns = Columns(32);
    /// `payload`.
    pub const PAYLOAD: Columns = Columns(64);
    /// `text`: the payload, null where it is not UTF-8.
    pub const TEXT: Columns = Columns(128);
    /// Each of them.
    pub const ALL: Columns = Columns(255);

    /// The set of these bits; `None` if there are unknown ones.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Columns(bits))
    }

    /// Whether each of `others` is in the set.
    pub fn contains(self, others: Columns) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOr for Columns {
    type Output = Columns;

    fn bitor(self, other: Columns) -> Columns {
        Columns(self.0 | other.0)
    }
}

/// The form of a table. `TableOptions::default()` has every column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// The columns.
    pub columns: Columns,
    /// For each of these keys a column `metadata.KEY` with the value of the first such pair; null where there is none.
    pub metadata: Vec<String>,
    /// Only types that every engine knows: int64 instead of unsigned numbers, microseconds instead of nanoseconds, texts
    /// instead of a dictionary, and maps in which no key occurs twice (the first pair counts).
    pub plain: bool,
    /// The most rows of a batch.
    pub batch_rows: usize,
    /// A batch ends before it takes more bytes, but has one row at least. The dictionary of the types' names, which all
    /// batches share, does not count.
    pub batch_bytes: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        TableOptions {
            columns: Columns::default(),
            metadata: vec![],
            plain: false,
            batch_rows: 65_536,
            batch_bytes: 16 << 20,
        }
    }
}

impl TableOptions {
    /// The options for this filter, with the columns that are meant.
    pub(super) fn checked(&self, filter: &Filter) -> Result<TableOptions> {
        if self.batch_rows == 0 || self.batch_bytes == 0 {
            return Err(Error::invalid("batch_rows and batch_bytes must not be 0"));
        }
        let mut keys: Vec<&str> = self.metadata.iter().map(String::as_str).collect();
        keys.sort_unstable();
        if let Some(twice) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid(format!("the column metadata.{} is requested twice", twice[0])));
        }
        let payloads = Columns::PAYLOAD.0 | Columns::TEXT.0;
        let columns = match (self.columns.0, filter.headers_only) {
            (0, false) => Columns::ALL,
            (0, true) => Columns(Columns::ALL.0 & !payloads),
            (some, true) if some & payloads != 0 => {
                return Err(Error::invalid(
                    "the columns payload and text need payloads, which the filter leaves unread",
                ));
            }
            _ => self.columns,
        };
        Ok(TableOptions { columns, ..self.clone() })
    }
}
