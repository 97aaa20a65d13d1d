//! The records of a log as columns.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::c_char;

use super::arrow::{stream_of, ArrowArrayStream};
use super::error::binlog_error;
use super::filter::{binlog_filter, filter_of};
use super::guard::*;
use super::reader::binlog_reader;
use super::types::*;
use crate::error::{Error, Result};
use crate::table::{Columns, TableOptions};

/// binlog_table_options.columns: `id`, uint64.
pub const BINLOG_COLUMN_ID: u32 = 1;
/// binlog_table_options.columns: `time`, timestamp[ns, UTC].
pub const BINLOG_COLUMN_TIME: u32 = 2;
/// binlog_table_options.columns: `type`, uint32: the number.
pub const BINLOG_COLUMN_TYPE: u32 = 4;
/// binlog_table_options.columns: `type_name`, dictionary(int32, utf8): null where a type has no name.
pub const BINLOG_COLUMN_TYPE_NAME: u32 = 8;
/// binlog_table_options.columns: `metadata`, map(utf8, utf8): all pairs, in the order in which they were written. A key
/// that was written twice is in the map twice.
pub const BINLOG_COLUMN_METADATA: u32 = 16;
/// binlog_table_options.columns: `length`, uint64: bytes of the payload.
pub const BINLOG_COLUMN_LENGTH: u32 = 32;
/// binlog_table_options.columns: `payload`, binary.
pub const BINLOG_COLUMN_PAYLOAD: u32 = 64;
/// binlog_table_options.columns: `text`, utf8: the payload; null where it is not UTF-8.
pub const BINLOG_COLUMN_TEXT: u32 = 128;
/// binlog_table_options.flags: only types that every engine knows: int64 instead of unsigned numbers, timestamp[us, UTC]
/// instead of nanoseconds, utf8 instead of a dictionary, and maps in which no key occurs twice: the first pair counts.
pub const BINLOG_TABLE_PLAIN: u32 = 1;

/// The form of a table. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_table_options {
    /// sizeof(binlog_table_options) of the caller.
    pub struct_size: usize,
    /// BINLOG_COLUMN_*: these columns, in the order of their numbers. 0 = all that the filter reads: without payload
    /// and text if it has BINLOG_FILTER_HEADERS.
    pub columns: u32,
    /// BINLOG_TABLE_*.
    pub flags: u32,
    /// Keys of metadata, NUL-terminated UTF-8: for each a column `metadata.KEY`, utf8, behind the others, with the
    /// value of the first such pair; null where there is none.
    pub metadata: *const *const c_char,
    /// Number of keys in metadata.
    pub metadata_count: usize,
    /// The most rows of a batch; 0 = 65,536.
    pub batch_rows: usize,
    /// A batch ends before its columns take more bytes, but has one row at least; 0 = 16 MiB. Whatever this is, a batch
    /// ends before a column of it has more than 2^31 - 1 bytes of payloads or texts. The dictionary of type_name, which
    /// all batches share, does not count.
    pub batch_bytes: usize,
    /// Must be 0.
    pub reserved: [u64; 4],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_table_options {}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_table_options>() == 80);
};

/// Sets options to their defaults: all columns. `struct_size` is the caller's sizeof(binlog_table_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_table_options_init(
    options: *mut binlog_table_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_table_options")) }
}

/// The records that match the filter (NULL = all) as columns: fills `out` with a stream of Arrow's C stream interface,
/// which pyarrow, DuckDB, Polars, DataFusion, nanoarrow and others import without a copy. Without the columns payload
/// and text only headers are read. `options` may be NULL. Any thread; a reader may have several streams, each of which
/// belongs to one thread at a time.
///
/// The caller owns the stream, and releases it once by `out->release(out)`, in any thread. It keeps what it needs of the
/// reader, which may be closed before it; `filter` and `options` are not needed after the call. Each batch belongs to
/// the caller that gets it, independent of the stream: the stream holds no batch, and has one in memory while get_next makes it.
///
/// The stream ends where the log ends when the reading comes there. If the log is damaged, get_next returns the whole
/// rows before that first, and then an errno, in every later call too: EBADMSG for damage, ESTALE for records that were
/// removed with old segments, ENOMEM, EOVERFLOW for BINLOG_E_TOO_LARGE, ENOTSUP, or the system's. get_last_error returns
/// the line with file, offset and reason. A reader that salvages continues behind damage, and its on_loss is called
/// inside of get_next.
///
/// Returns BINLOG_OK; as binlog_cursor_open BINLOG_E_INVALID, also for unknown bits, a key twice, and payload or text
/// with BINLOG_FILTER_HEADERS; BINLOG_E_UNSUPPORTED; BINLOG_E_MISSED; BINLOG_E_IO. `out` is only written with BINLOG_OK.
///
/// # Safety
/// `reader` is NULL or open, `filter` and `options` are NULL or valid with what they point to, `out` is a place for a
/// stream, `err` NULL or a place for a pointer.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_table(
    reader: *mut binlog_reader,
    filter: *const binlog_filter,
    options: *const binlog_table_options,
    out: *mut ArrowArrayStream,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            if out.is_null() {
                return Err(Error::invalid("out must not be NULL"));
            }
            let options = table_options(options)?;
            let table = handle(reader, "reader")?.reader.table(&filter_of(filter)?, &options)?;
            // What was there before has no meaning, and is not read.
            out.write(stream_of(table));
            Ok(BINLOG_OK)
        })
    }
}

/// # Safety
/// `given` is NULL or valid with what it points to.
unsafe fn table_options(given: *const binlog_table_options) -> Result<TableOptions> {
    // SAFETY: the caller's promises.
    let (given, keys) = unsafe {
        let given = sized(given, "binlog_table_options")?;
        let keys = slice(given.metadata, given.metadata_count, "binlog_table_options.metadata")?;
        let keys = keys.iter().map(|&key| text(key, "a metadata key").map(str::to_owned));
        (given, keys.collect::<Result<_>>()?)
    };
    check_reserved("binlog_table_options", &given.reserved)?;
    let Some(columns) = Columns::from_bits(given.columns) else {
        return Err(Error::invalid(format!("binlog_table_options.columns has unknown bits: {:#x}", given.columns)));
    };
    if given.flags & !BINLOG_TABLE_PLAIN != 0 {
        return Err(Error::invalid(format!("binlog_table_options.flags has unknown bits: {:#x}", given.flags)));
    }
    let defaults = TableOptions::default();
    let or = |given, default| if given == 0 { default } else { given };
    Ok(TableOptions {
        columns,
        metadata: keys,
        plain: given.flags & BINLOG_TABLE_PLAIN != 0,
        batch_rows: or(given.batch_rows, defaults.batch_rows),
        batch_bytes: or(given.batch_bytes, defaults.batch_bytes),
    })
}
