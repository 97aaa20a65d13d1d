//! The column of metadata.

use std::collections::HashSet;

use super::Rows;
use crate::format::metadata::next_checked;
use crate::memory::{self, NoMemory};
use crate::table::batch::{Bytes, Pairs};

/// Keys of a row that are compared with each other one by one.
const FEW: usize = 16;

/// Adds the pairs of each row, or only the first one of each key.
pub(super) fn add(column: &mut Pairs, rows: Rows<'_>, unique: bool) -> Result<(), NoMemory> {
    memory::reserve(&mut column.offsets, rows.len())?;
    for row in rows.hits {
        if !row.metadata.is_empty() {
            add_row(column, rows.metadata(row), unique)?;
        }
        column.offsets.push(column.keys.len() as i32);
    }
    Ok(())
}

fn add_row(column: &mut Pairs, mut pairs: &[u8], unique: bool) -> Result<(), NoMemory> {
    let first = column.keys.len();
    let mut others = HashSet::new();
    while let Some((key, value)) = next_checked(&mut pairs) {
        if unique && is_known(&column.keys, first, &mut others, key)? {
            continue;
        }
        column.keys.push(Some(key))?;
        column.values.push(Some(value))?;
    }
    Ok(())
}

/// Whether the row whose keys begin at `first` has this key already. The first few of them are compared; `others` has
/// those after them.
fn is_known<'a>(keys: &Bytes, first: usize, others: &mut HashSet<&'a [u8]>, key: &'a [u8]) -> Result<bool, NoMemory> {
    let end = keys.len().min(first + FEW);
    if (first..end).any(|at| keys.get(at) == Some(key)) {
        return Ok(true);
    }
    if end - first < FEW {
        return Ok(false);
    }
    let bytes = (others.len() as u64 + 1) * size_of::<&[u8]>() as u64;
    others.try_reserve(1).map_err(|_| NoMemory { bytes })?;
    Ok(!others.insert(key))
}
