//! SQLite in WAL mode, its log a table of (id, time, type, payload).

use std::path::Path;

use rusqlite::{params, Connection};

use crate::contender::{Append, Read};
use crate::{clock, Result};

const INSERT: &str = "INSERT INTO log (time, type, payload) VALUES (?1, ?2, ?3)";

pub struct SqliteWriter {
    connection: Connection,
    /// Records a transaction.
    batch: u64,
    in_batch: u64,
}

impl SqliteWriter {
    /// Batches of 1,000; synchronous=OFF, as a work that only flushes does not sync.
    pub fn create(folder: &Path) -> Result<Self> {
        Self::with(folder, "OFF", 1_000)
    }

    /// A transaction for each record, on the disk when it is committed.
    pub fn create_durable(folder: &Path) -> Result<Self> {
        Self::with(folder, "FULL", 1)
    }

    fn with(folder: &Path, synchronous: &str, batch: u64) -> Result<Self> {
        let connection = Connection::open(folder.join("sqlite"))?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
             CREATE TABLE log (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, type INTEGER NOT NULL, payload BLOB NOT NULL);"
        ))?;
        Ok(SqliteWriter { connection, batch, in_batch: 0 })
    }
}

impl Append for SqliteWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        if self.batch > 1 && self.in_batch == 0 {
            self.connection.execute_batch("BEGIN")?;
        }
        self.connection.prepare_cached(INSERT)?.execute(params![clock::now(), 1, payload])?;
        self.in_batch += 1;
        if self.in_batch == self.batch {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch > 1 && self.in_batch > 0 {
            self.connection.execute_batch("COMMIT")?;
        }
        self.in_batch = 0;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

pub struct SqliteReader;

impl Read for SqliteReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let connection = Connection::open(folder.join("sqlite"))?;
        let mut statement = connection.prepare("SELECT id, time, type, payload FROM log ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(3)?.as_blob()?);
        }
        Ok(())
    }
}
