//! A batch that is being made: it ends before its columns grow too large.

use std::sync::Arc;

use super::batch::{Batch, Column};
use super::columns::{add, Rows};
use super::options::{Columns, TableOptions};
use super::schema::Field;
use super::spare::{Owned, Spares};
use super::type_names::TypeNames;
use crate::error::{Error, Kind, Result};
use crate::record::Hit;

/// Offsets are int32.
const LONGEST: u64 = i32::MAX as u64;

/// A batch that is being made.
pub(super) struct Draft<'t> {
    fields: &'t [Field],
    spares: &'t Arc<Spares>,
    columns: Vec<Owned>,
    rows: usize,
    used: Usage,
    costs: Costs,
    most_rows: usize,
    most_bytes: u64,
}

/// Bytes of rows that have no fixed size.
#[derive(Clone, Copy, Default)]
struct Usage {
    payloads: u64,
    pairs: u64,
    names: u64,
}

/// How many columns repeat what a row has.
struct Costs {
    /// Bytes of a row that depend on nothing.
    fixed: u64,
    payloads: u64,
    pairs: u64,
    names: u64,
}

impl Costs {
    fn of(options: &TableOptions) -> Self {
        let has = |column| u64::from(options.columns.contains(column));
        let fixed = 8 * (has(Columns::ID) + has(Columns::TIME) + has(Columns::LENGTH));
        let offsets = has(Columns::METADATA) + has(Columns::PAYLOAD) + has(Columns::TEXT) + has(Columns::TYPE_NAME);
        let wide = if options.plain { 2 } else { 1 };
        Costs {
            fixed: fixed + 4 * (offsets + wide * has(Columns::TYPE) + options.metadata.len() as u64),
            payloads: has(Columns::PAYLOAD) + has(Columns::TEXT),
            // The values of different keys are no more than all pairs.
            pairs: has(Columns::METADATA) + u64::from(!options.metadata.is_empty()),
            names: if options.plain { has(Columns::TYPE_NAME) } else { 0 },
        }
    }
}

impl Usage {
    /// With these rows in addition.
    fn with(mut self, rows: Rows<'_>, costs: &Costs, names: Option<&TypeNames>) -> Usage {
        for Hit { payload_len, metadata, .. } in rows.hits {
            self.payloads += u64::from(*payload_len);
            self.pairs += metadata.len() as u64;
        }
        if let Some(names) = names.filter(|_| costs.names > 0) {
            self.names += rows.names.iter().filter_map(|&place| names.name(place)).map(|n| n.len() as u64).sum::<u64>();
        }
        self
    }

    /// Bytes of so many rows in all columns.
    fn bytes(&self, rows: usize, costs: &Costs) -> u64 {
        rows as u64 * costs.fixed + self.payloads * costs.payloads + self.pairs * costs.pairs + self.names * costs.names
    }

    /// Whether the offsets of each column can express it.
    fn is_possible(&self, costs: &Costs) -> bool {
        (self.payloads <= LONGEST || costs.payloads == 0)
            && (self.pairs <= LONGEST || costs.pairs == 0)
            && self.names <= LONGEST
    }
}

impl<'t> Draft<'t> {
    pub fn new(fields: &'t [Field], spares: &'t Arc<Spares>, options: &TableOptions) -> Result<Self> {
        Ok(Draft {
            fields,
            spares,
            columns: spares.take_all(fields)?,
            rows: 0,
            used: Usage::default(),
            costs: Costs::of(options),
            most_rows: options.batch_rows,
            most_bytes: options.batch_bytes as u64,
        })
    }

    /// Takes as many of these rows as have room, and returns how many; 0 when the batch is full.
    pub fn take(&mut self, rows: Rows<'_>, names: Option<&TypeNames>) -> Result<usize> {
        let mut fitting = rows.first(self.most_rows - self.rows);
        let mut used = self.used.with(fitting, &self.costs, names);
        if !self.has_room_for(fitting.len(), &used) {
            (fitting, used) = self.as_many_as_fit(fitting, names);
        }
        if fitting.len() == 0 && self.rows == 0 {
            return Err(self.too_large(rows));
        }
        for (column, field) in self.columns.iter_mut().zip(self.fields) {
            add(column, field, fitting, names)?;
        }
        (self.rows, self.used) = (self.rows + fitting.len(), used);
        Ok(fitting.len())
    }

    fn has_room_for(&self, rows: usize, used: &Usage) -> bool {
        used.is_possible(&self.costs) && used.bytes(self.rows + rows, &self.costs) <= self.most_bytes
    }

    #[cold]
    fn as_many_as_fit<'a>(&self, rows: Rows<'a>, names: Option<&TypeNames>) -> (Rows<'a>, Usage) {
        let (mut used, mut fitting) = (self.used, 0);
        while fitting < rows.len() {
            let more = used.with(rows.from(fitting).first(1), &self.costs, names);
            // A row that is larger than a batch is a batch.
            let alone = self.rows + fitting == 0 && more.is_possible(&self.costs);
            if !alone && !self.has_room_for(fitting + 1, &more) {
                break;
            }
            (used, fitting) = (more, fitting + 1);
        }
        (rows.first(fitting), used)
    }

    #[cold]
    fn too_large(&self, rows: Rows<'_>) -> Error {
        let id = rows.hits.first().map_or(0, |row| row.id);
        Error::new(Kind::TooLarge, format!("record {id} has more than 2 GiB of text, which a column cannot express"))
    }

    /// The batch.
    pub fn finish(mut self, names: Option<&TypeNames>) -> Batch {
        for (at, column) in self.columns.iter_mut().enumerate() {
            if let (Column::Names(column), Some(names)) = (&mut **column, names) {
                column.names = names.names().clone();
            }
            self.spares.expect(at, column);
        }
        Batch { rows: self.rows, columns: self.columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::fields;

    /// How many rows with payloads of these lengths, which are not there, a batch takes.
    fn taken(columns: Columns, lengths: &[u32]) -> usize {
        let options = TableOptions { columns, batch_bytes: usize::MAX, ..TableOptions::default() };
        let fields = fields(&options);
        let spares = Spares::new(fields.len(), options.batch_bytes);
        let hit = |&payload_len| Hit { id: 1, time: 0, type_id: 1, payload_len, metadata: 0..0, payload_at: 0 };
        let hits: Vec<Hit> = lengths.iter().map(hit).collect();
        let rows = Rows { hits: &hits, entries: &[], payload: &[], names: &[] };
        Draft::new(&fields, &spares, &options).unwrap().take(rows, None).unwrap()
    }

    #[test]
    fn a_batch_ends_before_a_column_passes_2_gib_whatever_its_bytes_may_be() {
        let half = 1 << 30;
        assert_eq!(taken(Columns::PAYLOAD, &[half, half, half]), 1);
        assert_eq!(taken(Columns::TEXT, &[half, half - 1, 1]), 2);
        assert_eq!(taken(Columns::PAYLOAD, &[i32::MAX as u32, 0, 1]), 2);
        assert_eq!(taken(Columns::LENGTH | Columns::ID, &[half, half, half]), 3, "no payload is in the batch");
    }

    #[test]
    fn pairs_and_plain_names_count_for_the_limit_too() {
        let costs = Costs { fixed: 0, payloads: 0, pairs: 1, names: 1 };
        let usage = |pairs, names| Usage { payloads: 1 << 40, pairs, names };
        assert!(usage(LONGEST, LONGEST).is_possible(&costs));
        assert!(!usage(LONGEST + 1, 0).is_possible(&costs) && !usage(0, LONGEST + 1).is_possible(&costs));
    }
}
