//! SQLite with indexes on the type and the time.

use std::path::Path;

use rusqlite::{params, CachedStatement, Connection};

use crate::typed::{AppendTyped, Find, Typed, Wanted};
use crate::Result;

const FILE: &str = "sqlite";
const BATCH: u64 = 1_000;

/// How much of the file SQLite caches or maps.
#[derive(Clone, Copy)]
pub enum Cache {
    /// 64 MiB of pages.
    Pages,
    /// All of the file.
    Mapped,
}

pub struct IndexedWriter {
    connection: Connection,
    in_batch: u64,
}

impl IndexedWriter {
    pub fn create(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join(FILE))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE log (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, type INTEGER NOT NULL, payload BLOB NOT NULL);
             CREATE INDEX by_type ON log (type);
             CREATE INDEX by_time ON log (time);",
        )?;
        Ok(IndexedWriter { connection, in_batch: 0 })
    }
}

impl AppendTyped for IndexedWriter {
    fn append_typed(&mut self, record: &Typed) -> Result<()> {
        if self.in_batch == 0 {
            self.connection.execute_batch("BEGIN")?;
        }
        let mut insert = self.connection.prepare_cached("INSERT INTO log (time, type, payload) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![record.time, record.type_id, record.payload])?;
        record.must_have(self.connection.last_insert_rowid() as u64)?;
        self.in_batch = (self.in_batch + 1) % BATCH;
        if self.in_batch == 0 {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if self.in_batch > 0 {
            self.connection.execute_batch("COMMIT")?;
        }
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

fn open(folder: &Path, cache: Cache) -> Result<Connection> {
    let connection = Connection::open(folder.join(FILE))?;
    connection.execute_batch(match cache {
        Cache::Pages => "PRAGMA cache_size = -65536",
        Cache::Mapped => "PRAGMA mmap_size = 1099511627776",
    })?;
    Ok(connection)
}

pub fn read_type(folder: &Path, cache: Cache, type_id: u32, mut visit: impl FnMut(u64, &[u8])) -> Result<()> {
    let connection = open(folder, cache)?;
    let mut statement = connection.prepare("SELECT id, time, payload FROM log WHERE type = ?1 ORDER BY id")?;
    let mut rows = statement.query([type_id])?;
    while let Some(row) = rows.next()? {
        visit(row.get::<_, i64>(0)? as u64, row.get_ref(2)?.as_blob()?);
    }
    Ok(())
}

/// The bytes of the index on the type.
pub fn type_index_bytes(folder: &Path) -> Result<u64> {
    let connection = open(folder, Cache::Pages)?;
    let size = "SELECT SUM(pgsize) FROM dbstat WHERE name = 'by_type'";
    Ok(connection.query_row(size, [], |row| row.get::<_, i64>(0))? as u64)
}

/// Looks up within one transaction: no lookup takes a lock.
pub struct ByRow {
    connection: Connection,
}

impl ByRow {
    pub fn open(folder: &Path, cache: Cache) -> Result<Self> {
        let connection = open(folder, cache)?;
        connection.execute_batch("BEGIN")?;
        Ok(ByRow { connection })
    }

    fn statement(&self, wanted: Wanted) -> Result<CachedStatement<'_>> {
        Ok(self.connection.prepare_cached(match wanted {
            Wanted::Id(_) => "SELECT id, time, type, payload FROM log WHERE id = ?1",
            Wanted::Time(_) => "SELECT id, time, type, payload FROM log WHERE time >= ?1 ORDER BY time LIMIT 1",
        })?)
    }
}

impl Find for ByRow {
    fn find(&mut self, wanted: Wanted, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let key = match wanted {
            Wanted::Id(id) => id as i64,
            Wanted::Time(time) => time,
        };
        let mut statement = self.statement(wanted)?;
        let mut rows = statement.query([key])?;
        let row = rows.next()?.ok_or("there is no such record")?;
        visit(row.get::<_, i64>(0)? as u64, row.get_ref(3)?.as_blob()?);
        Ok(())
    }
}
