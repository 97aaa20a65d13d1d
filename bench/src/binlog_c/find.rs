//! Records of one type, and single records by their id or time.

use std::path::Path;

use super::read::{payload, Scan};
use super::{abi, call};
use crate::typed::{Find, Wanted};
use crate::Result;

/// Shows all records of a type; the library uses its index where there is one.
pub fn read_type(folder: &Path, type_id: u32, mut visit: impl FnMut(u64, &[u8])) -> Result<()> {
    let types = [type_id];
    let set_filter = |filter: &mut abi::Filter| (filter.types, filter.type_count) = (types.as_ptr(), types.len());
    Scan::open_with(folder, |_| (), set_filter)?.batches(|record| visit(record.id, payload(record)))
}

/// Opens a log, and returns the id of its last record.
pub fn last_id(folder: &Path) -> Result<u64> {
    let scan = Scan::open_with(folder, |_| (), |filter| filter.last = 1)?;
    let mut record = abi::Record::EMPTY;
    match call!(binlog_cursor_next(scan.cursor, &mut record))? {
        false => Ok(record.id),
        true => Err("there is no last record".into()),
    }
}

/// `binlog_cursor_get`, or `binlog_cursor_seek_time` with the `binlog_cursor_next` that shows the record.
pub struct ByIndex(Scan);

impl ByIndex {
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(ByIndex(Scan::open_with(folder, |_| (), |_| ())?))
    }
}

impl Find for ByIndex {
    fn find(&mut self, wanted: Wanted, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let mut record = abi::Record::EMPTY;
        match wanted {
            Wanted::Id(id) => {
                call!(binlog_cursor_get(self.0.cursor, id, &mut record))?;
            }
            Wanted::Time(time) => {
                call!(binlog_cursor_seek_time(self.0.cursor, time))?;
                if call!(binlog_cursor_next(self.0.cursor, &mut record))? {
                    return Err(format!("there is no record of the time {time} or later").into());
                }
            }
        }
        visit(record.id, payload(&record));
        Ok(())
    }
}
