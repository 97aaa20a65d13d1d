//! As much of protobuf as the headers of the Java binlog's records need, which are read a million times a second.

use crate::format::varint;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Takes the first field off a message: its number and its value. `None` at the end.
#[inline]
pub fn next<'a>(message: &mut &'a [u8]) -> Result<Option<(u64, Value<'a>)>, String> {
    if message.is_empty() {
        return Ok(None);
    }
    let mut at = 0;
    let short = || "the header of the record is no protobuf message".to_owned();
    let tag = varint::get(message, &mut at).ok_or_else(short)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint::get(message, &mut at).ok_or_else(short)?),
        1 => Value::Fixed64(u64::from_le_bytes(
            *take(message, &mut at, 8).and_then(<[u8]>::first_chunk).ok_or_else(short)?,
        )),
        2 => {
            let len = varint::get(message, &mut at).ok_or_else(short)?;
            Value::Bytes(usize::try_from(len).ok().and_then(|len| take(message, &mut at, len)).ok_or_else(short)?)
        }
        5 => take(message, &mut at, 4).map(|_| Value::Fixed32).ok_or_else(short)?,
        _ => return Err(short()),
    };
    if tag >> 3 == 0 {
        return Err(short());
    }
    *message = &message[at..];
    Ok(Some((tag >> 3, value)))
}

fn take<'a>(message: &'a [u8], at: &mut usize, len: usize) -> Option<&'a [u8]> {
    let taken = message.get(*at..at.checked_add(len)?)?;
    *at += len;
    Some(taken)
}

/// Key and value of a pair, which is a message of its own.
pub fn pair(mut message: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while let Some(field) = next(&mut message)? {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => (),
        }
    }
    Ok((key, value))
}
