//! The part of protobuf's wire format that a file header needs: varints, 64-bit numbers, bytes, and nested messages, as
//! <https://protobuf.dev/programming-guides/encoding/> describes them. A writer leaves out fields with their default
//! value; a reader skips fields that it does not know.

use super::{varint, Malformed};

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const END_OF_GROUP: u64 = 4;
const FIXED32: u64 = 5;

/// Nested groups that are skipped, at most.
const DEEPEST: usize = 100;

fn put_key(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    varint::put(out, u64::from(number) << 3 | wire_type);
}

/// Appends a number as a varint, unless it is 0.
pub fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_key(out, number, VARINT);
        varint::put(out, value);
    }
}

/// Appends a number of 8 bytes, also when it is 0.
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends bytes or a string, unless there are none.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    if !value.is_empty() {
        put_key(out, number, BYTES);
        varint::put(out, value.len() as u64);
        out.extend_from_slice(value);
    }
}

/// Appends a message, also when it is empty.
pub fn put_message(out: &mut Vec<u8>, number: u32, put: impl FnOnce(&mut Vec<u8>)) {
    let mut message = vec![];
    put(&mut message);
    put_key(out, number, BYTES);
    varint::put(out, message.len() as u64);
    out.extend_from_slice(&message);
}

/// The value of a field.
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Of a wire type that no field of a file header has.
    Other,
}

impl<'a> Value<'a> {
    pub fn varint(self) -> Result<u64, Malformed> {
        match self {
            Value::Varint(value) => Ok(value),
            _ => Err(malformed("a field is of another kind")),
        }
    }

    pub fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Value::Fixed64(value) => Ok(value),
            _ => Err(malformed("a field is of another kind")),
        }
    }

    pub fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Value::Bytes(value) => Ok(value),
            _ => Err(malformed("a field is of another kind")),
        }
    }

    pub fn text(self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a string is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

/// Calls `each` with each field of a message and its number.
pub fn each_field<'a>(
    message: &'a [u8],
    mut each: impl FnMut(u32, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut at = 0;
    while at < message.len() {
        let (number, wire_type) = take_key(message, &mut at)?;
        let value = match wire_type {
            GROUP => {
                pass_group(message, &mut at, number)?;
                Value::Other
            }
            _ => take_value(message, &mut at, wire_type)?,
        };
        each(number, value)?;
    }
    Ok(())
}

fn take_key(message: &[u8], at: &mut usize) -> Result<(u32, u64), Malformed> {
    let key = take_varint(message, at)?;
    match u32::try_from(key) {
        Ok(small) if small >> 3 > 0 => Ok((small >> 3, key & 7)),
        _ => Err(malformed("a field has a number that cannot be")),
    }
}

fn take_varint(message: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    varint::get(message, at).ok_or_else(|| malformed("a number is cut short or too long"))
}

fn take<'a>(message: &'a [u8], at: &mut usize, len: u64) -> Result<&'a [u8], Malformed> {
    let bytes = usize::try_from(len).ok().and_then(|len| message[*at..].get(..len));
    let bytes = bytes.ok_or_else(|| malformed("a field is cut short"))?;
    *at += bytes.len();
    Ok(bytes)
}

fn take_value<'a>(message: &'a [u8], at: &mut usize, wire_type: u64) -> Result<Value<'a>, Malformed> {
    Ok(match wire_type {
        VARINT => Value::Varint(take_varint(message, at)?),
        FIXED64 => {
            let bytes = take(message, at, 8)?;
            Value::Fixed64(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
        }
        BYTES => {
            let len = take_varint(message, at)?;
            Value::Bytes(take(message, at, len)?)
        }
        FIXED32 => {
            take(message, at, 4)?;
            Value::Other
        }
        _ => return Err(malformed("a field is of a kind that protobuf does not have")),
    })
}

/// Moves after the end of a group, and of the groups in it.
fn pass_group(message: &[u8], at: &mut usize, number: u32) -> Result<(), Malformed> {
    let mut open = vec![number];
    while let Some(&innermost) = open.last() {
        match take_key(message, at)? {
            (number, END_OF_GROUP) if number == innermost => drop(open.pop()),
            (_, END_OF_GROUP) => return Err(malformed("a group ends that did not begin")),
            (_, GROUP) if open.len() == DEEPEST => return Err(malformed("groups are nested too deeply")),
            (number, GROUP) => open.push(number),
            (_, wire_type) => {
                take_value(message, at, wire_type)?;
            }
        }
    }
    Ok(())
}

#[cold]
fn malformed(reason: &str) -> Malformed {
    Malformed::inconsistent(format!("the file header is no valid protobuf: {reason}"))
}
