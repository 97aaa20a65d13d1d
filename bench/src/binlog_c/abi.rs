//! The part of `binlog.h` that the benchmark calls, copied by hand: it measures what a C program gets.

use std::ffi::{c_char, c_void};

pub type Status = i32;
pub const OK: Status = 0;
pub const END: Status = 1;
pub const TIMEOUT: Status = 2;

pub const CODEC_NONE: u32 = 0;
pub const CODEC_LZ4: u32 = 1;
pub const CODEC_ZSTD: u32 = 2;
pub const WRITER_BACKGROUND: u32 = 1;
pub const READER_SALVAGE: u32 = 2;
pub const FILTER_HEADERS: u32 = 1;

#[repr(C)]
pub struct Error {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Writer {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Appender {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Reader {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Cursor {
    _opaque: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    pub data: *const u8,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    pub id: u64,
    pub time_ns: i64,
    pub data: *const u8,
    pub len: usize,
    pub metadata: *const u8,
    pub metadata_len: usize,
    pub record_type: u32,
    pub flags: u32,
    pub reserved: [u64; 2],
}

#[repr(C)]
pub struct WriterOptions {
    pub struct_size: usize,
    pub flags: u32,
    pub codec: u32,
    pub codec_level: i32,
    pub block_bytes: u32,
    pub name: *const c_char,
    pub content_type: *const c_char,
    pub parameters: *const *const c_char,
    pub parameter_count: usize,
    pub segment_bytes: u64,
    pub record_max_bytes: u64,
    pub flush_records: u64,
    pub flush_bytes: u64,
    pub sync_records: u64,
    pub sync_bytes: u64,
    pub flush_interval_ms: u32,
    pub sync_interval_ms: u32,
    pub file_mode: u32,
    pub full_disk: u32,
    pub full_disk_wait_ms: u64,
    pub index_bytes: u64,
    pub roll: *const c_void,
    pub keep: *const c_void,
    pub require: *const c_void,
    pub on_open: *const c_void,
    pub on_open_count: usize,
    pub on_close: *const c_void,
    pub on_close_count: usize,
    pub on_failure: *const c_void,
    pub on_failure_userdata: *mut c_void,
    pub on_failure_drop: Option<DropCallback>,
    pub heartbeat_ms: u64,
    pub file_group: *const c_char,
    pub ship: *const c_void,
    pub fill_ahead_bytes: u64,
    pub reserved: [u64; 4],
}

#[repr(C)]
pub struct Loss {
    pub path: *const c_char,
    pub reason: *const c_char,
    pub offset: u64,
    pub bytes: u64,
    pub first_id: u64,
    pub last_id: u64,
    pub first_page: u64,
    pub page_count: u64,
    pub durable: u32,
    pub reserved32: u32,
    pub reserved: [u64; 2],
}

pub type LossCallback = extern "C" fn(userdata: *mut c_void, loss: *const Loss);
pub type DropCallback = extern "C" fn(userdata: *mut c_void);

#[repr(C)]
pub struct ReaderOptions {
    pub struct_size: usize,
    pub flags: u32,
    pub mode: u32,
    pub on_loss: Option<LossCallback>,
    pub on_loss_userdata: *mut c_void,
    pub on_loss_drop: Option<DropCallback>,
    pub require: *const c_void,
    pub cache: *const c_char,
    pub cache_bytes: u64,
    pub credentials: *const c_char,
    pub block_max_bytes: u64,
    pub log: *const c_char,
    pub open_store: *const c_void,
    pub open_store_userdata: *mut c_void,
    pub reserved: [u64; 2],
}

#[repr(C)]
pub struct Filter {
    pub struct_size: usize,
    pub flags: u32,
    pub reserved32: u32,
    pub from_id: u64,
    pub to_id: u64,
    pub from_time_ns: i64,
    pub to_time_ns: i64,
    pub types: *const u32,
    pub type_count: usize,
    pub type_names: *const *const c_char,
    pub type_name_count: usize,
    pub metadata: *const *const c_char,
    pub metadata_count: usize,
    pub last: u64,
    pub reserved: [u64; 5],
}

// The same size as in the header on a 64-bit machine.
const _: () = {
    assert!(size_of::<Slice>() == 16);
    assert!(size_of::<Record>() == 72);
    assert!(size_of::<WriterOptions>() == 280);
    assert!(size_of::<Loss>() == 88);
    assert!(size_of::<ReaderOptions>() == 120);
    assert!(size_of::<Filter>() == 144);
};

extern "C" {
    pub fn binlog_version() -> *const c_char;

    pub fn binlog_error_message(error: *const Error) -> *const c_char;
    pub fn binlog_error_free(error: *mut Error);

    pub fn binlog_writer_options_init(options: *mut WriterOptions, struct_size: usize) -> Status;
    pub fn binlog_writer_open(
        directory: *const c_char,
        options: *const WriterOptions,
        out: *mut *mut Writer,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_appender_open(
        writer: *mut Writer,
        options: *const c_void,
        out: *mut *mut Appender,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_appender_append(
        appender: *mut Appender,
        record_type: u32,
        data: *const c_void,
        len: usize,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_appender_flush(appender: *mut Appender, last_id_out: *mut u64, error: *mut *mut Error) -> Status;
    pub fn binlog_appender_close(appender: *mut Appender, last_id_out: *mut u64, error: *mut *mut Error) -> Status;
    pub fn binlog_writer_append(
        writer: *mut Writer,
        record_type: u32,
        data: *const c_void,
        len: usize,
        id_out: *mut u64,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_writer_append_record(
        writer: *mut Writer,
        record: *const Record,
        id_out: *mut u64,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_writer_gather(
        writer: *mut Writer,
        record_type: u32,
        parts: *const Slice,
        n: usize,
        id_out: *mut u64,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_writer_append_batch(
        writer: *mut Writer,
        records: *const Record,
        n: usize,
        first_id_out: *mut u64,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_writer_flush(writer: *mut Writer, error: *mut *mut Error) -> Status;
    pub fn binlog_writer_sync(writer: *mut Writer, error: *mut *mut Error) -> Status;
    pub fn binlog_writer_tick(writer: *mut Writer, error: *mut *mut Error) -> Status;
    pub fn binlog_writer_roll(writer: *mut Writer, error: *mut *mut Error) -> Status;
    pub fn binlog_writer_close(writer: *mut Writer, error: *mut *mut Error) -> Status;

    pub fn binlog_reader_options_init(options: *mut ReaderOptions, struct_size: usize) -> Status;
    pub fn binlog_reader_open(
        path_or_glob: *const c_char,
        options: *const ReaderOptions,
        out: *mut *mut Reader,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_reader_close(reader: *mut Reader);

    pub fn binlog_filter_init(filter: *mut Filter, struct_size: usize) -> Status;
    pub fn binlog_cursor_open(
        reader: *mut Reader,
        filter: *const Filter,
        out: *mut *mut Cursor,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_cursor_next(cursor: *mut Cursor, out: *mut Record, error: *mut *mut Error) -> Status;
    pub fn binlog_cursor_next_batch(
        cursor: *mut Cursor,
        out: *mut Record,
        cap: usize,
        n_out: *mut usize,
        error: *mut *mut Error,
    ) -> Status;
    pub fn binlog_cursor_get(cursor: *mut Cursor, id: u64, out: *mut Record, error: *mut *mut Error) -> Status;
    pub fn binlog_cursor_seek_time(cursor: *mut Cursor, time_ns: i64, error: *mut *mut Error) -> Status;
    pub fn binlog_cursor_wait(cursor: *mut Cursor, timeout_ns: i64, error: *mut *mut Error) -> Status;
    pub fn binlog_cursor_close(cursor: *mut Cursor);

    pub fn binlog_rebuild_index(path: *const c_char, written_out: *mut usize, error: *mut *mut Error) -> Status;
}
