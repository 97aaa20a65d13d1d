//! The column of payloads.

use super::Rows;
use crate::memory::{self, NoMemory};
use crate::table::batch::Bytes;

/// Adds the payload of each row.
pub(super) fn add(column: &mut Bytes, rows: Rows<'_>) -> Result<(), NoMemory> {
    match rows.payloads() {
        Some(all) => add_all(column, rows, all),
        None => rows.hits.iter().try_for_each(|row| column.push(Some(rows.payload(row)))),
    }
}

/// Adds the payloads of all of these rows, which follow each other, in one copy.
pub(super) fn add_all(column: &mut Bytes, rows: Rows<'_>, all: &[u8]) -> Result<(), NoMemory> {
    memory::reserve(&mut column.offsets, rows.len())?;
    let mut end = column.bytes.len() as i32;
    column.offsets.extend(rows.hits.iter().map(|row| {
        end += row.payload_len as i32;
        end
    }));
    memory::extend(&mut column.bytes, all)?;
    column.nulls.push_present(rows.len())
}
