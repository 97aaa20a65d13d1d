//! Rows in columns, in the memory layout of Arrow.

use std::sync::Arc;

use super::nulls::Nulls;
use super::schema::ColumnType;
use super::spare::Owned;
use crate::memory::{self, NoMemory};

/// Rows of a table, in columns. When it is dropped, a later batch of the table uses its memory.
pub struct Batch {
    pub(super) rows: usize,
    pub(super) columns: Vec<Owned>,
}

impl Batch {
    /// The number of rows, at least one.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order of [`Table::schema`](super::Table::schema).
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.columns.iter().map(|column| &**column)
    }

    /// The column at this place.
    pub fn column(&self, at: usize) -> Option<&Column> {
        self.columns.get(at).map(|column| &**column)
    }

    /// The columns alone.
    pub(crate) fn into_columns(self) -> Vec<Owned> {
        self.columns
    }
}

/// The values of a column; [`ColumnType`](super::ColumnType) states which of them a column has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Column {
    /// Numbers.
    U64(Vec<u64>),
    /// Numbers, or times since the Unix epoch.
    I64(Vec<i64>),
    /// Numbers.
    U32(Vec<u32>),
    /// Bytes or texts.
    Bytes(Bytes),
    /// Texts of which most are equal.
    Names(Names),
    /// String pairs.
    Pairs(Pairs),
}

impl Column {
    /// An empty column with room for so many values, of so many bytes together if these have no fixed size.
    pub(super) fn with_room(column_type: ColumnType, values: usize, bytes: usize) -> Result<Self, NoMemory> {
        Ok(match column_type {
            ColumnType::U64 => Column::U64(memory::with_room(values)?),
            ColumnType::I64 | ColumnType::Nanoseconds | ColumnType::Microseconds => {
                Column::I64(memory::with_room(values)?)
            }
            ColumnType::U32 => Column::U32(memory::with_room(values)?),
            ColumnType::Binary | ColumnType::Text => Column::Bytes(Bytes::with_room(values, bytes)?),
            ColumnType::Names => {
                let places = memory::with_room(values)?;
                Column::Names(Names { places, nulls: Nulls::default(), names: Arc::default() })
            }
            ColumnType::Pairs => {
                let mut offsets = memory::with_room(values + 1)?;
                offsets.push(0);
                Column::Pairs(Pairs { offsets, keys: Bytes::default(), values: Bytes::default() })
            }
        })
    }

    /// Values, and their bytes if these have no fixed size.
    pub(super) fn used(&self) -> (usize, usize) {
        match self {
            Column::U64(values) => (values.len(), 0),
            Column::I64(values) => (values.len(), 0),
            Column::U32(values) => (values.len(), 0),
            Column::Bytes(bytes) => (bytes.len(), bytes.bytes.len()),
            Column::Names(names) => (names.places.len(), 0),
            Column::Pairs(pairs) => (pairs.offsets.len() - 1, 0),
        }
    }

    /// Bytes of memory.
    pub(super) fn capacity(&self) -> usize {
        match self {
            Column::U64(values) => values.capacity() * 8,
            Column::I64(values) => values.capacity() * 8,
            Column::U32(values) => values.capacity() * 4,
            Column::Bytes(bytes) => bytes.capacity(),
            Column::Names(names) => names.places.capacity() * 4,
            Column::Pairs(pairs) => pairs.offsets.capacity() * 4 + pairs.keys.capacity() + pairs.values.capacity(),
        }
    }

    /// Forgets the values and keeps the memory.
    pub(super) fn clear(&mut self) {
        match self {
            Column::U64(values) => values.clear(),
            Column::I64(values) => values.clear(),
            Column::U32(values) => values.clear(),
            Column::Bytes(bytes) => bytes.clear(),
            Column::Names(names) => {
                names.places.clear();
                names.nulls.clear();
                names.names = Arc::default();
            }
            Column::Pairs(pairs) => {
                pairs.offsets.truncate(1);
                pairs.keys.clear();
                pairs.values.clear();
            }
        }
    }
}

/// A column of bytes, or of texts: all in one buffer, and where each of them ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// The beginning of the first, and the end of each.
    pub(super) offsets: Vec<i32>,
    pub(super) bytes: Vec<u8>,
    pub(super) nulls: Nulls,
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes { offsets: vec![0], bytes: vec![], nulls: Nulls::default() }
    }
}

impl Bytes {
    /// With room for so many values, of so many bytes together.
    pub(super) fn with_room(values: usize, bytes: usize) -> Result<Self, NoMemory> {
        let mut offsets = memory::with_room(values + 1)?;
        offsets.push(0);
        Ok(Bytes { offsets, bytes: memory::with_room(bytes)?, nulls: Nulls::default() })
    }

    fn capacity(&self) -> usize {
        self.offsets.capacity() * 4 + self.bytes.capacity()
    }

    fn clear(&mut self) {
        self.offsets.truncate(1);
        self.bytes.clear();
        self.nulls.clear();
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of this row; `None` if it is missing, or there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let (from, to) = (*self.offsets.get(row)?, *self.offsets.get(row + 1)?);
        if self.nulls.contains(row) {
            return None;
        }
        self.bytes.get(from as usize..to as usize)
    }

    /// As [`Self::get`], for a column of texts.
    pub fn text(&self, row: usize) -> Option<&str> {
        std::str::from_utf8(self.get(row)?).ok()
    }

    /// The beginning of the first value, and the end of each, in [`Self::bytes`].
    pub fn offsets(&self) -> &[i32] {
        &self.offsets
    }

    /// The values, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which values are missing.
    pub fn nulls(&self) -> &Nulls {
        &self.nulls
    }

    /// Adds a value. The caller has checked that all of them together stay below 2 GiB.
    #[inline]
    pub(super) fn push(&mut self, value: Option<&[u8]>) -> Result<(), NoMemory> {
        memory::extend(&mut self.bytes, value.unwrap_or_default())?;
        memory::push(&mut self.offsets, self.bytes.len() as i32)?;
        self.nulls.push(value.is_some())
    }

    pub(super) fn try_clone(&self) -> Result<Self, NoMemory> {
        // One more is about to be added.
        let mut copy = Self::with_room(self.len() + 1, self.bytes.len() + 64)?;
        copy.offsets.extend_from_slice(&self.offsets[1..]);
        copy.bytes.extend_from_slice(&self.bytes);
        Ok(copy)
    }
}

/// A column of names: for each row the place of its name in a dictionary.
#[derive(Clone, Debug)]
pub struct Names {
    pub(super) places: Vec<i32>,
    pub(super) nulls: Nulls,
    pub(super) names: Arc<Bytes>,
}

impl Names {
    /// The name of this row; `None` if it has none.
    pub fn get(&self, row: usize) -> Option<&str> {
        if self.nulls.contains(row) {
            return None;
        }
        self.names.text(usize::try_from(*self.places.get(row)?).ok()?)
    }

    /// The place of each row's name in [`Self::names`]; 0 where a row has none.
    pub fn places(&self) -> &[i32] {
        &self.places
    }

    /// Which rows have no name.
    pub fn nulls(&self) -> &Nulls {
        &self.nulls
    }

    /// The dictionary. A later batch has the same names in the same places, and may have more.
    pub fn names(&self) -> &Arc<Bytes> {
        &self.names
    }
}

/// A column of string pairs, in the order in which they were written.
#[derive(Clone, Debug)]
pub struct Pairs {
    pub(super) offsets: Vec<i32>,
    pub(super) keys: Bytes,
    pub(super) values: Bytes,
}

impl Pairs {
    /// The pairs of this row.
    pub fn get(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let places = match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => 0..0,
        };
        places.filter_map(|at| self.keys.text(at).zip(self.values.text(at)))
    }

    /// The first pair of the first row, and the end of each row's pairs, in [`Self::keys`] and [`Self::values`].
    pub fn offsets(&self) -> &[i32] {
        &self.offsets
    }

    /// The keys of all rows.
    pub fn keys(&self) -> &Bytes {
        &self.keys
    }

    /// The values of all rows.
    pub fn values(&self) -> &Bytes {
        &self.values
    }
}
