//! A log as a table: its records in columns, in batches of many rows, as engines for tables take them, and divided into
//! splits that are read independently of each other.

mod batch;
mod columns;
mod draft;
mod nulls;
mod options;
mod plan;
mod schema;
mod spare;
mod split;
mod token;
mod type_names;

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::options::Filter;
use crate::reader::{Cursor, Reader};
use crate::record::Hit;

pub use batch::{Batch, Bytes, Column, Names, Pairs};
use columns::Rows;
use draft::Draft;
pub use nulls::Nulls;
pub use options::{Columns, TableOptions};
pub use plan::{Plan, PlanOptions};
pub use schema::{ColumnType, Field};
pub(crate) use spare::Owned;
use spare::Spares;
pub use split::Split;
use type_names::TypeNames;

/// Rows that are taken from a block at once: the processor's cache holds their places.
const AT_ONCE: usize = 1024;

/// The records of a log as columns, batch by batch. It belongs to one thread at a time, and keeps what it needs of its
/// reader alive. A batch is independent of the table.
///
/// The table ends where the log ends when the reading comes there: what is appended later is in a new table.
pub struct Table {
    cursor: Cursor,
    fields: Arc<[Field]>,
    options: TableOptions,
    names: Option<TypeNames>,
    spares: Arc<Spares>,
    /// Rows that were read, and how many of them are in batches.
    rows: Vec<Hit>,
    taken: usize,
    /// Rows that may still come.
    left: u64,
    state: State,
}

enum State {
    Reading,
    Ended,
    /// The error, which every later call returns.
    Failed(Error),
}

impl Reader {
    /// The records that match the filter as columns. Without [`Columns::PAYLOAD`] and [`Columns::TEXT`] no payload is
    /// read.
    ///
    /// # Errors
    /// As [`Self::cursor`], and [`Kind::Invalid`] for options that contradict each other or the
    /// filter.
    pub fn table(&self, filter: &Filter, options: &TableOptions) -> Result<Table> {
        let options = options.checked(filter)?;
        let headers_only = !options.columns.contains(Columns::PAYLOAD) && !options.columns.contains(Columns::TEXT);
        let cursor = self.cursor(&Filter { headers_only, ..filter.clone() })?;
        let fields: Arc<[Field]> = schema::fields(&options).into();
        Ok(Table {
            cursor,
            spares: Spares::new(fields.len(), options.batch_bytes),
            fields,
            names: options.columns.contains(Columns::TYPE_NAME).then(TypeNames::default),
            options,
            rows: vec![],
            taken: 0,
            // Records that are appended to a log meanwhile are not the last ones that it had.
            left: filter.last.filter(|_| !filter.events).unwrap_or(u64::MAX),
            state: State::Reading,
        })
    }
}

impl Table {
    /// The columns of every batch, in their order.
    pub fn schema(&self) -> &[Field] {
        &self.fields
    }

    /// The cursor that reads the rows: where it is, and after the last batch how the log ends.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The next rows, or `None` at the end of the log.
    ///
    /// # Errors
    /// As [`Cursor::next`], after a batch with the whole rows before; every later call returns the same error.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        match self.fill() {
            Ok(batch) if batch.rows() > 0 => Ok(Some(batch)),
            Ok(_) => match &self.state {
                State::Failed(error) => Err(error.clone()),
                _ => Ok(None),
            },
            // The columns of the batch have different lengths now.
            Err(error) => {
                // Rows that were read are in no batch: those behind them must not come either.
                (self.taken, self.state) = (0, State::Failed(error.clone()));
                self.rows.clear();
                Err(error)
            }
        }
    }

    /// A batch of what comes next, which is empty at an end and at an error.
    fn fill(&mut self) -> Result<Batch> {
        let (fields, spares) = (self.fields.clone(), self.spares.clone());
        let mut draft = Draft::new(&fields, &spares, &self.options)?;
        while self.has_rows() {
            let (entries, payload) = self.cursor.regions();
            let names = self.names.as_ref().map_or(&[][..], TypeNames::of_rows);
            let rows = Rows { hits: &self.rows, entries, payload, names };
            let taken = draft.take(rows.from(self.taken), self.names.as_ref())?;
            if taken == 0 {
                break;
            }
            self.taken += taken;
        }
        Ok(draft.finish(self.names.as_ref()))
    }

    /// Reads on if every row that was read is in a batch; false at an end and at an error.
    fn has_rows(&mut self) -> bool {
        if self.taken < self.rows.len() {
            return true;
        }
        if matches!(self.state, State::Reading) {
            self.taken = 0;
            match self.read() {
                Ok(()) if self.rows.is_empty() => self.state = State::Ended,
                Ok(()) => (),
                Err(error) => {
                    self.rows.clear();
                    self.state = State::Failed(error);
                }
            }
        }
        !self.rows[self.taken..].is_empty()
    }

    fn read(&mut self) -> Result<()> {
        self.cursor.next_rows(&mut self.rows, AT_ONCE)?;
        self.rows.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= self.rows.len() as u64;
        let is_wide = |row: &Hit| i64::try_from(row.id).is_err();
        if let Some(at) = self.rows.iter().position(|row| self.options.plain && is_wide(row)) {
            let reason = format!(
                "the id {} is beyond int64, which a plain table has: read a table that is not plain",
                self.rows[at].id
            );
            let error = Error::new(Kind::TooLarge, reason).at(&self.cursor.segment().path);
            if at == 0 {
                return Err(error);
            }
            // The rows before it come first.
            self.rows.truncate(at);
            self.state = State::Failed(error);
        }
        match &mut self.names {
            Some(names) => names.find(&self.rows, &self.cursor),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::codec::{Codec, Compressor};
    use crate::format::declaration::FileHeader;
    use crate::format::draft::{Buffers, Draft, NewEntry};
    use crate::io::{Directory, MemoryDirectory};
    use crate::segment::{Appender, Block, Segment};
    use crate::ReaderOptions;

    /// A log with two records that have ids of an int64, and two behind them.
    fn a_log() -> Arc<dyn Directory> {
        let directory = MemoryDirectory::new();
        let (name, first_id) = ("log.0000000001.binlog", i64::MAX as u64 - 1);
        let header = FileHeader {
            name: "log".into(),
            log_id: vec![1; 16],
            marker: 1,
            sequence: 1,
            first_id,
            ..FileHeader::default()
        };
        let file = directory.create(name, 0o640).unwrap();
        let mut appender = Appender::new(Arc::new(Segment::create(&directory, name, file, header).unwrap()), 0);
        let mut buffers = Buffers::default();
        let mut draft = Draft::new(first_id, &mut buffers, 0);
        for time in 0..4 {
            draft.push(&NewEntry { type_id: 1, time, metadata: (0, &[]), payload_len: 2 }, &mut buffers);
        }
        buffers.settle();
        let block = Block { draft: &draft, buffers: &buffers, parts: &[b"it is it"], compressed: None };
        appender.append(&[block], &mut Compressor::new(Codec::None, 0).unwrap()).map_err(|(_, e)| e).unwrap();
        appender.close(&[]).unwrap();
        Arc::new(directory)
    }

    #[test]
    fn a_plain_table_has_the_rows_before_an_id_that_it_cannot_express_and_names_the_file() {
        let reader = Reader::open(a_log(), ReaderOptions::default()).unwrap();
        let mut table =
            reader.table(&Filter::default(), &TableOptions { plain: true, ..TableOptions::default() }).unwrap();
        assert_eq!(table.next_batch().unwrap().unwrap().rows(), 2);
        for _ in 0..2 {
            let error = table.next_batch().map(|batch| batch.is_some()).unwrap_err();
            assert_eq!(error.kind(), Kind::TooLarge);
            assert!(error.to_string().contains("log.0000000001.binlog"), "{error}");
            assert!(error.to_string().contains("9223372036854775808"), "{error}");
        }
        let mut table = reader.table(&Filter::default(), &TableOptions::default()).unwrap();
        assert_eq!(table.next_batch().unwrap().unwrap().rows(), 4);
    }
}
