//! The column of payloads that are texts.

use super::payload::add_all;
use super::Rows;
use crate::memory::NoMemory;
use crate::table::batch::Bytes;

/// Adds the payload of each row, if it is UTF-8.
pub(super) fn add(column: &mut Bytes, rows: Rows<'_>) -> Result<(), NoMemory> {
    match rows.payloads() {
        Some(all) if are_texts(rows, all) => add_all(column, rows, all),
        _ => rows.hits.iter().try_for_each(|row| {
            let payload = rows.payload(row);
            column.push(std::str::from_utf8(payload).ok().map(str::as_bytes))
        }),
    }
}

/// Whether each of these payloads, which follow each other in `all`, is UTF-8: all of them together are, and none begins
/// within a character.
fn are_texts(rows: Rows<'_>, all: &[u8]) -> bool {
    if all.is_ascii() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(all) else { return false };
    let mut at = 0;
    rows.hits.iter().all(|row| {
        let begins = text.is_char_boundary(at);
        at += row.payload_len as usize;
        begins
    })
}
