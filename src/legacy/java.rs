//! The Java binlog (mfz-binlog 2.1), file version 1.0.
//!
//! `"MFIZZ.COM-BINLOG" 0x10 0x01 header_length4 header record*`, a record being `record_length(W) record_header_length(W)
//! record_header data`, all integers big-endian and unsigned; W is 1, 2 or 4, as the file header says. Headers are
//! protobuf. Of the file header: 1 create time in ms (fixed64), 2 name, 3 content type, 4 pairs, 5 W. Of a record's: 1 id,
//! 2 create time in ms (fixed64), 3 the user's type, 4 pairs, 5 event id, 6 event name, 7 event info.

use std::collections::BTreeMap;
use std::io::Result;
use std::sync::Arc;

use byteorder::{BigEndian as BE, ByteOrder};

use super::item::{check_len, text, Item, Step, Type};
use super::protobuf::{self, Broken, Value};
use super::{invalid, Form, Legacy, TIME_MS};
use crate::format::limits;
use crate::io::{self, File};
use crate::memory;
use crate::record::{event, FIRST_NAMED_TYPE};

pub const MAGIC: &[u8] = b"MFIZZ.COM-BINLOG";
/// Magic, version, transcoder and the header's length.
const PREFIX: usize = 22;
const NS_PER_MS: i64 = 1_000_000;

/// Reads the file header.
pub fn open(file: Arc<dyn File>) -> Result<Legacy> {
    let mut prefix = [0; PREFIX];
    if io::read_full(&*file, &mut prefix, 0)? < PREFIX {
        return Err(invalid("a file of the Java binlog ends within its header"));
    }
    let (version, transcoder) = (prefix[16], prefix[17]);
    if version != 0x10 {
        let (major, minor) = (version >> 4, version & 15);
        return Err(invalid(format!("a file of the Java binlog has the version {major}.{minor}; only 1.0 is known")));
    }
    if transcoder != 1 {
        return Err(invalid(format!(
            "a file of the Java binlog has headers of transcoder {transcoder}; only 1 is known"
        )));
    }
    let len = BE::read_u32(&prefix[18..]) as usize;
    if len > limits::FILE_HEADER {
        return Err(invalid(format!("a file of the Java binlog declares a header of {len} bytes")));
    }
    let mut header = memory::zeros(len)?;
    if io::read_full(&*file, &mut header, PREFIX as u64)? < len {
        return Err(invalid("a file of the Java binlog ends within its header"));
    }
    let (mut width, mut created, mut content_type, mut parameters) = (2, None, None, BTreeMap::new());
    let mut rest = &header[..];
    let broken = |_| invalid("the header of a file of the Java binlog is no protobuf message");
    while let Some(field) = protobuf::next(&mut rest).map_err(broken)? {
        match field {
            (1, Value::Fixed64(ms)) => created = Some(ms as i64),
            (3, Value::Bytes(bytes)) => content_type = Some(text(bytes)?.into_owned()),
            (4, Value::Bytes(bytes)) => {
                let (key, value) = protobuf::pair(bytes).map_err(broken)?;
                parameters.insert(text(key)?.into_owned(), text(value)?.into_owned());
            }
            (5, Value::Varint(value)) => width = value,
            _ => (),
        }
    }
    let (created_ns, is_cut) = nanoseconds(created.unwrap_or(0));
    if is_cut {
        parameters.insert("legacy.created_ms".to_owned(), created.unwrap_or(0).to_string());
    }
    if !matches!(width, 1 | 2 | 4) {
        return Err(invalid(format!("a file of the Java binlog has lengths of {width} bytes; 1, 2 and 4 are known")));
    }
    Ok(Legacy {
        form: Form::Java { width: width as usize },
        file,
        start: (PREFIX + len) as u64,
        created_ns,
        content_type,
        parameters,
    })
}

/// Converts milliseconds to nanoseconds, and returns whether these are out of range: then the last or the first
/// possible time.
#[inline(always)]
fn nanoseconds(ms: i64) -> (i64, bool) {
    match ms.checked_mul(NS_PER_MS) {
        Some(ns) => (ns, false),
        None => (ms.saturating_mul(NS_PER_MS), true),
    }
}

/// Parses the record that begins with `bytes`, after which the file has `beyond` more bytes, in a file whose lengths
/// have `width` bytes.
#[inline(always)]
pub fn parse(bytes: &[u8], beyond: usize, width: usize, item: &mut Item) -> Step {
    if bytes.len() < 2 * width {
        return Step::Need(2 * width);
    }
    let (len, header_len) = match width {
        4 => (BE::read_u32(bytes) as usize, BE::read_u32(&bytes[4..]) as usize),
        2 => (usize::from(BE::read_u16(bytes)), usize::from(BE::read_u16(&bytes[2..]))),
        _ => (usize::from(bytes[0]), usize::from(bytes[1])),
    };
    if len < width || header_len > len - width {
        return Step::Malformed(format!("a record of {len} bytes with a header of {header_len} bytes"));
    }
    let size = width + len;
    if bytes.len() + beyond < size {
        return match check_len(len as u64) {
            Ok(_) => Step::Need(size),
            Err(reason) => Step::Malformed(reason),
        };
    }
    let payload_at = 2 * width + header_len;
    if bytes.len() < payload_at {
        return Step::Need(payload_at);
    }
    (item.size, item.payload) = (size, payload_at..size);
    match read_header(&bytes[2 * width..payload_at], item) {
        Ok(()) => Step::Record,
        Err(reason) => Step::Malformed(reason),
    }
}

#[inline(always)]
fn read_header(mut header: &[u8], item: &mut Item) -> std::result::Result<(), String> {
    let (mut type_of, mut event_id, mut event_name) = (0i32, None, None);
    while let Some(field) = protobuf::next(&mut header).map_err(no_message)? {
        match field {
            (2, Value::Fixed64(ms)) => {
                let is_cut;
                (item.time, is_cut) = nanoseconds(ms as i64);
                if is_cut {
                    item.put(TIME_MS.as_bytes(), (ms as i64).to_string().as_bytes())?;
                }
            }
            (3, Value::Varint(value)) => type_of = value as i32,
            (4, Value::Bytes(bytes)) => {
                let (key, value) = protobuf::pair(bytes).map_err(no_message)?;
                item.put(key, value)?;
            }
            (5, Value::Varint(value)) => event_id = Some(value as i32),
            (6, Value::Bytes(bytes)) => event_name = Some(bytes),
            (7, Value::Bytes(bytes)) => item.put(b"info", bytes)?,
            _ => (),
        }
    }
    match (event_id, u32::try_from(type_of)) {
        (None, Ok(number)) if number < FIRST_NAMED_TYPE => item.type_of = Type::Number(number),
        _ => set_rare_type(type_of, event_id, event_name, item),
    }
    Ok(())
}

/// The type of an event, or of a number that users of this library cannot use.
#[cold]
fn set_rare_type(type_of: i32, event_id: Option<i32>, event_name: Option<&[u8]>, item: &mut Item) {
    item.type_of = match event_id {
        Some(1) => Type::Number(event::STARTED),
        Some(2) => Type::Number(event::STOPPED),
        Some(3) => Type::Number(event::HEARTBEAT),
        Some(4) => Type::Number(event::ROTATE_NEXT),
        Some(5) => Type::Number(event::ROTATE_PREV),
        Some(6) => Type::Number(event::OPENED),
        Some(7) => Type::Number(event::CLOSED),
        _ => Type::Name,
    };
    if item.type_of == Type::Name {
        item.name = match (event_id, event_name) {
            (None, _) => format!("type {type_of}"),
            (Some(other), Some(name)) => event_name_of(other, name, item),
            (Some(other), None) => format!("event {other}"),
        };
    }
}

/// The name of an event of a later version, which may have any length.
fn event_name_of(event_id: i32, name: &[u8], item: &mut Item) -> String {
    match text(name) {
        Ok(name) if name.len() <= limits::TYPE_NAME => format!("event {event_id} {name}"),
        Ok(_) => format!("event {event_id}"),
        Err(refused) => {
            item.refused = Some(refused);
            String::new()
        }
    }
}

#[cold]
fn no_message(_: Broken) -> String {
    "the header of the record is no protobuf message".to_owned()
}
