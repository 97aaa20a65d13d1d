//! Readers: a call for each record, a call for many, and headers without payloads.

use std::mem::{size_of, MaybeUninit};
use std::path::Path;
use std::{ptr, slice};

use super::{abi, c_path, call, check};
use crate::contender::Read;
use crate::Result;

/// Records asked for at a time.
const BATCH: usize = 256;

/// A reader and its one cursor.
pub(super) struct Scan {
    reader: *mut abi::Reader,
    pub(super) cursor: *mut abi::Cursor,
}

impl Scan {
    fn open(folder: &Path, filter_flags: u32) -> Result<Self> {
        Self::open_with(folder, |_| (), |filter| filter.flags |= filter_flags)
    }

    pub(super) fn open_with(
        folder: &Path,
        set_options: impl FnOnce(&mut abi::ReaderOptions),
        set_filter: impl FnOnce(&mut abi::Filter),
    ) -> Result<Self> {
        let mut options = MaybeUninit::<abi::ReaderOptions>::zeroed();
        // SAFETY: the library fills as many bytes as the size says; the same below.
        let status = unsafe { abi::binlog_reader_options_init(options.as_mut_ptr(), size_of::<abi::ReaderOptions>()) };
        check(status, ptr::null_mut())?;
        let mut filter = MaybeUninit::<abi::Filter>::zeroed();
        // SAFETY: see above.
        let status = unsafe { abi::binlog_filter_init(filter.as_mut_ptr(), size_of::<abi::Filter>()) };
        check(status, ptr::null_mut())?;
        // SAFETY: zeroed and then initialised; any bytes are valid for integers, raw pointers and optional functions.
        let (mut options, mut filter) = unsafe { (options.assume_init(), filter.assume_init()) };
        set_options(&mut options);
        set_filter(&mut filter);

        let folder = c_path(folder)?;
        let mut scan = Scan { reader: ptr::null_mut(), cursor: ptr::null_mut() };
        call!(binlog_reader_open(folder.as_ptr(), &options, &mut scan.reader))?;
        call!(binlog_cursor_open(scan.reader, &filter, &mut scan.cursor))?;
        Ok(scan)
    }

    /// Shows all records, [`BATCH`] a call.
    pub(super) fn batches(&mut self, mut visit: impl FnMut(&abi::Record)) -> Result<()> {
        let mut records = vec![abi::Record::EMPTY; BATCH];
        loop {
            let mut count = 0;
            let ended = call!(binlog_cursor_next_batch(self.cursor, records.as_mut_ptr(), records.len(), &mut count))?;
            records[..count].iter().for_each(&mut visit);
            if ended {
                return Ok(());
            }
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // SAFETY: both come from the library or are NULL, and are closed once.
        unsafe {
            abi::binlog_cursor_close(self.cursor);
            abi::binlog_reader_close(self.reader);
        }
    }
}

/// The payload of a record that was just read.
pub(super) fn payload(record: &abi::Record) -> &[u8] {
    if record.len == 0 {
        return &[];
    }
    // SAFETY: the library's view is valid until the cursor's next call; the record is not kept that long.
    unsafe { slice::from_raw_parts(record.data, record.len) }
}

/// `binlog_cursor_next_batch`
pub struct BatchReader;

impl Read for BatchReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        Scan::open(folder, 0)?.batches(|record| visit(payload(record)))
    }
}

/// `binlog_cursor_next`
pub struct NextReader;

impl Read for NextReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let scan = Scan::open(folder, 0)?;
        let mut record = abi::Record::EMPTY;
        while !call!(binlog_cursor_next(scan.cursor, &mut record))? {
            visit(payload(&record));
        }
        Ok(())
    }
}

/// Headers only; shows how long each payload is.
pub fn read_headers(folder: &Path, mut visit: impl FnMut(u64)) -> Result<()> {
    Scan::open(folder, abi::FILTER_HEADERS)?.batches(|record| visit(record.len as u64))
}
