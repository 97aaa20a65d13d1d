//! Adds the rows of blocks to columns.

mod key;
mod numbers;
mod pairs;
mod payload;
mod text;
mod type_name;

use super::batch::Column;
use super::schema::{ColumnType, Field, Source};
use super::type_names::TypeNames;
use crate::error::{a_defect, Result};
use crate::record::Hit;

/// Rows of one block.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub hits: &'a [Hit],
    pub entries: &'a [u8],
    pub payload: &'a [u8],
    /// The places of their types' names; empty if nobody wants them.
    pub names: &'a [i32],
}

impl<'a> Rows<'a> {
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Without the first `n` of them.
    pub fn from(self, n: usize) -> Self {
        Rows { hits: &self.hits[n..], names: self.names.get(n..).unwrap_or_default(), ..self }
    }

    /// At most `n` of them.
    pub fn first(self, n: usize) -> Self {
        let n = n.min(self.len());
        Rows { hits: &self.hits[..n], names: self.names.get(..n).unwrap_or_default(), ..self }
    }

    /// The pairs of a row.
    #[inline]
    fn metadata(&self, row: &Hit) -> &'a [u8] {
        &self.entries[row.metadata.clone()]
    }

    /// The payload of a row.
    #[inline]
    fn payload(&self, row: &Hit) -> &'a [u8] {
        self.payload.get(row.payload()).unwrap_or_default()
    }

    /// The payloads of all rows, if they follow each other in the block, as those of successive records do.
    fn payloads(&self) -> Option<&'a [u8]> {
        let from = self.hits.first().map_or(0, |row| row.payload_at);
        let (mut at, mut is_one) = (from, true);
        for row in self.hits {
            is_one &= row.payload_at == at;
            at += row.payload_len as usize;
        }
        self.payload.get(from..at).filter(|_| is_one)
    }
}

/// Adds what these rows have for a field to its column.
pub(super) fn add(column: &mut Column, field: &Field, rows: Rows<'_>, names: Option<&TypeNames>) -> Result<()> {
    use ColumnType::Microseconds;
    Ok(match (&field.source, column) {
        (Source::Id, Column::U64(ids)) => numbers::add(ids, rows, |row| row.id),
        (Source::Id, Column::I64(ids)) => numbers::add(ids, rows, |row| row.id as i64),
        // Times before the epoch are rounded down too.
        (Source::Time, Column::I64(times)) if field.column_type == Microseconds => {
            numbers::add(times, rows, |row| row.time.div_euclid(1000))
        }
        (Source::Time, Column::I64(times)) => numbers::add(times, rows, |row| row.time),
        (Source::Type, Column::U32(types)) => numbers::add(types, rows, |row| row.type_id),
        (Source::Type, Column::I64(types)) => numbers::add(types, rows, |row| i64::from(row.type_id)),
        (Source::Length, Column::U64(lengths)) => numbers::add(lengths, rows, |row| u64::from(row.payload_len)),
        (Source::Length, Column::I64(lengths)) => numbers::add(lengths, rows, |row| i64::from(row.payload_len)),
        (Source::TypeName, Column::Names(places)) => type_name::add_places(places, rows),
        (Source::TypeName, Column::Bytes(texts)) => type_name::add_texts(texts, rows, names),
        (Source::Metadata { unique }, Column::Pairs(pairs)) => pairs::add(pairs, rows, *unique),
        (Source::Payload, Column::Bytes(payloads)) => payload::add(payloads, rows),
        (Source::Text, Column::Bytes(texts)) => text::add(texts, rows),
        (Source::Key(key), Column::Bytes(values)) => key::add(values, rows, key),
        _ => return Err(a_defect("a column has another type than its field")),
    }?)
}
