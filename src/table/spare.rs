//! Columns of released batches, whose memory the next batch uses: new memory costs more than what is copied to it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::batch::Column;
use super::schema::{ColumnType, Field};
use crate::memory::NoMemory;

/// For each column of a table one that is out of use, and what a new one needs.
pub(super) struct Spares {
    columns: Vec<Mutex<Spare>>,
    /// Larger ones are freed: a single record may be 100 times as large as a batch.
    most_bytes: usize,
}

#[derive(Default)]
struct Spare {
    column: Option<Column>,
    /// Values and bytes of the last batch.
    room: (usize, usize),
}

impl Spares {
    pub fn new(columns: usize, batch_bytes: usize) -> Arc<Self> {
        let most_bytes = batch_bytes.saturating_mul(2);
        Arc::new(Spares { columns: (0..columns).map(|_| Mutex::default()).collect(), most_bytes })
    }

    /// An empty column for each of these fields, which comes back here when it is dropped.
    pub fn take_all(self: &Arc<Self>, fields: &[Field]) -> Result<Vec<Owned>, NoMemory> {
        let take = |(at, field): (usize, &Field)| {
            let column = self.take(at, field.column_type)?;
            Ok(Owned { column, spares: Arc::downgrade(self), at })
        };
        fields.iter().enumerate().map(take).collect()
    }

    fn take(&self, at: usize, column_type: ColumnType) -> Result<Column, NoMemory> {
        let Some(spare) = self.columns.get(at) else { return Column::with_room(column_type, 0, 0) };
        let mut spare = spare.lock();
        match spare.column.take() {
            Some(column) => Ok(column),
            None => {
                // The room is a guess: without memory for it, a smaller batch may still be made.
                let guessed = Column::with_room(column_type, spare.room.0, spare.room.1);
                guessed.or_else(|_| Column::with_room(column_type, 0, 0))
            }
        }
    }

    /// Notes what a column of the next batch will need.
    pub fn expect(&self, at: usize, column: &Column) {
        if let Some(spare) = self.columns.get(at) {
            let (values, bytes) = column.used();
            // The next batch may be a little larger, but will hardly have another huge record.
            spare.lock().room = (values + values / 16, (bytes + bytes / 16).min(self.most_bytes / 2));
        }
    }

    fn give(&self, at: usize, mut column: Column) {
        if column.capacity() > self.most_bytes {
            return;
        }
        column.clear();
        let before = self.columns.get(at).and_then(|spare| spare.lock().column.replace(column));
        drop(before);
    }
}

/// A column of a batch. When it is dropped, its memory goes to the next batch of the table, if there is still one.
pub(crate) struct Owned {
    column: Column,
    spares: Weak<Spares>,
    at: usize,
}

impl Deref for Owned {
    type Target = Column;

    fn deref(&self) -> &Column {
        &self.column
    }
}

impl DerefMut for Owned {
    fn deref_mut(&mut self) -> &mut Column {
        &mut self.column
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(spares) = self.spares.upgrade() {
            let column = std::mem::replace(&mut self.column, Column::U64(vec![]));
            spares.give(self.at, column);
        }
    }
}
