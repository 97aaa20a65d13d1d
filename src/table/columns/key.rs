//! A column with the values of one metadata key.

use super::Rows;
use crate::format::metadata::next_checked;
use crate::memory::NoMemory;
use crate::table::batch::Bytes;

/// Adds the value of each row's first pair with this key.
pub(super) fn add(column: &mut Bytes, rows: Rows<'_>, wanted: &str) -> Result<(), NoMemory> {
    for row in rows.hits {
        let mut pairs = rows.metadata(row);
        let value = std::iter::from_fn(|| next_checked(&mut pairs)).find(|(key, _)| *key == wanted.as_bytes());
        column.push(value.map(|(_, value)| value))?;
    }
    Ok(())
}
