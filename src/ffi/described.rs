//! Types with encodings and schemas: naming them, and what a log says of them.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;

use super::cursor::binlog_cursor;
use super::error::{binlog_error, c_string};
use super::guard::*;
use super::reader::binlog_reader;
use super::types::*;
use super::writer::binlog_writer;
use crate::error::{Error, Kind, Result};
use crate::{TypeInfo, TypeOptions};

/// A type of records; all of it is the type's identity. Set it to zeros, or call binlog_type_options_init, and fill in
/// what is needed. The strings are NUL-terminated UTF-8, together at most 4,096 bytes; NULL = "".
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_type_options {
    /// sizeof(binlog_type_options) of the caller.
    pub struct_size: usize,
    /// The name, at least one byte. Several types of a log may have the same name: filters take the records of all.
    pub name: *const c_char,
    /// What the payloads are, as a MIME type.
    pub content_type: *const c_char,
    /// How payloads are encoded: "protobuf" (the schema is a FileDescriptorSet), "jsonschema", "avro" or "arrow", which
    /// have a schema; "json", "msgpack" or "cbor", which need none; or any other.
    pub encoding: *const c_char,
    /// The name of the message in the schema that payloads are.
    pub message: *const c_char,
    /// The schema: at most 1 MiB. It needs an encoding; 0 bytes = none.
    pub schema: *const c_void,
    pub schema_len: usize,
    /// Must be 0.
    pub reserved: [u64; 2],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_type_options {}

/// What a log says of a named type. A string is "" where it says nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_type_info {
    /// The number that its records have.
    pub r#type: u32,
    pub reserved32: u32,
    /// As in binlog_type_options.
    pub name: *const c_char,
    pub content_type: *const c_char,
    pub encoding: *const c_char,
    pub message: *const c_char,
    /// The schema; NULL when the type has none, and when the log has lost it.
    pub schema: *const c_void,
    pub schema_len: usize,
    /// The schema's SHA-256, also when the schema is lost; zeros when there is none.
    pub schema_sha256: [u8; 32],
    pub reserved: [u64; 2],
}

/// Receives a named type. It is valid during the call.
pub type binlog_type_info_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, info: *const binlog_type_info)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<binlog_type_options>() == 72);
    assert!(size_of::<binlog_type_info>() == 104);
    assert!(offset_of!(binlog_type_info, schema_sha256) == 56);
};

/// What a [`binlog_type_info`] points to.
#[derive(Default)]
pub(super) struct TypeStrings {
    name: CString,
    content_type: CString,
    encoding: CString,
    message: CString,
    schema: Option<Arc<Vec<u8>>>,
}

impl TypeStrings {
    fn of(info: &TypeInfo) -> Self {
        TypeStrings {
            name: c_string(info.name.as_bytes()),
            content_type: c_string(info.content_type.as_bytes()),
            encoding: c_string(info.encoding.as_bytes()),
            message: c_string(info.message.as_bytes()),
            schema: info.schema.clone(),
        }
    }

    /// Valid as long as these strings.
    fn info(&self, of: &TypeInfo) -> binlog_type_info {
        let schema = self.schema.as_ref().filter(|schema| !schema.is_empty());
        binlog_type_info {
            r#type: of.number,
            reserved32: 0,
            name: self.name.as_ptr(),
            content_type: self.content_type.as_ptr(),
            encoding: self.encoding.as_ptr(),
            message: self.message.as_ptr(),
            schema: schema.map_or(std::ptr::null(), |schema| schema.as_ptr().cast()),
            schema_len: schema.map_or(0, |schema| schema.len()),
            schema_sha256: of.schema_sha256.unwrap_or_default(),
            reserved: [0; 2],
        }
    }
}

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_type_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_type_options_init(
    options: *mut binlog_type_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_type_options")) }
}

/// The number of a type in this log. A type that differs in anything from those of the log gets a new number, also under
/// a name that other types have. `options` is not needed after the call. Each segment of the log describes the type to
/// its readers. Any thread.
///
/// Returns BINLOG_OK; BINLOG_E_INVALID for a name that is empty, strings that are too long in all or not UTF-8, and a
/// schema without an encoding; BINLOG_E_TOO_LARGE for a schema over 1 MiB, for one with which the log's schemas would
/// have more than binlog_writer_options.schema_bytes, and when all 2^30 numbers are taken; BINLOG_E_NO_SPACE,
/// BINLOG_E_IO or BINLOG_E_NO_MEMORY when the log cannot be written: the type has no number then; BINLOG_E_FAILED after
/// an fsync has failed; BINLOG_E_FORKED in a child. A type is never dropped.
///
/// # Safety
/// `writer` is NULL or open, `options` is NULL or valid with what it points to, `type_out` is a place for the number,
/// `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_writer_type_of(
    writer: *mut binlog_writer,
    options: *const binlog_type_options,
    type_out: *mut u32,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, type_out) = (handle(writer, "writer")?, by_mut(type_out, "type_out")?);
            by_ref(options, "options")?;
            let given = sized(options, "binlog_type_options")?;
            *type_out = writer.writer.type_of(&type_options(&given)?)?;
            Ok(BINLOG_OK)
        })
    }
}

/// # Safety
/// What `given` points to is valid as long as `'a`.
unsafe fn type_options<'a>(given: &binlog_type_options) -> Result<TypeOptions<'a>> {
    check_reserved("binlog_type_options", &given.reserved)?;
    // SAFETY: the caller's promise.
    let text_or_none = |from: *const c_char, what| if from.is_null() { Ok("") } else { unsafe { text(from, what) } };
    Ok(TypeOptions {
        name: text_or_none(given.name, "the type's name")?,
        content_type: text_or_none(given.content_type, "the content type")?,
        encoding: text_or_none(given.encoding, "the encoding")?,
        message: text_or_none(given.message, "the message")?,
        // SAFETY: the caller's promise.
        schema: unsafe { slice(given.schema.cast(), given.schema_len, "the schema")? },
    })
}

/// What the log says of the type with this number, in the segment of the record that the cursor has shown last. Its
/// strings and its schema live until the cursor's next call. One thread at a time.
///
/// Returns BINLOG_OK; BINLOG_E_NOT_FOUND for a number that has no name there; BINLOG_E_INVALID; BINLOG_E_IO when reading
/// the schema fails and BINLOG_E_NO_MEMORY when there is none for it: both may be tried again.
///
/// # Safety
/// `cursor` is NULL or open and used by this thread alone, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_cursor_type(
    cursor: *mut binlog_cursor,
    r#type: u32,
    out: *mut binlog_type_info,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (cursor, out) = (handle_mut(cursor, "cursor")?, by_mut(out, "out")?);
            let Some(info) = cursor.cursor.type_info(r#type)? else {
                return Err(Error::new(Kind::NotFound, format!("type {:#x} has no name here", r#type)));
            };
            cursor.described = TypeStrings::of(&info);
            *out = cursor.described.info(&info);
            Ok(BINLOG_OK)
        })
    }
}

/// Reports to `each` the named types of the log as it is now, by number; of several logs, those of each. Any thread;
/// `each` is called in it, after everything was read, and may use the reader; it must not throw or jump out. What it
/// gets belongs to the library, and is valid during the call.
///
/// Returns BINLOG_OK, BINLOG_E_INVALID, BINLOG_E_IO or BINLOG_E_NO_MEMORY. What is damaged is left out. `each` is only
/// called with BINLOG_OK.
///
/// # Safety
/// `reader` is NULL or open, `each` NULL or a function, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_types(
    reader: *const binlog_reader,
    each: binlog_type_info_callback,
    userdata: *mut c_void,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let each = each.ok_or_else(|| Error::invalid("each must not be NULL"))?;
            for info in handle(reader, "reader")?.reader.types()? {
                let strings = TypeStrings::of(&info);
                each(userdata, &strings.info(&info));
            }
            Ok(BINLOG_OK)
        })
    }
}
