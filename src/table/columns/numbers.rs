//! Columns of numbers: ids, times, types, lengths.

use super::Rows;
use crate::memory::{self, NoMemory};
use crate::record::Hit;

/// Adds a number of each row.
#[inline]
pub(super) fn add<T>(column: &mut Vec<T>, rows: Rows<'_>, of: impl Fn(&Hit) -> T) -> Result<(), NoMemory> {
    memory::reserve(column, rows.len())?;
    column.extend(rows.hits.iter().map(of));
    Ok(())
}
