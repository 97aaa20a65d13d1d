//! The part of protobuf that the headers of the Java binlog's records need. They are read millions of times per second.

use crate::format::varint;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The bytes are no valid message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Removes the first field of a message, and returns its number and its value. `None` at the end.
#[inline(always)]
pub fn next<'a>(message: &mut &'a [u8]) -> Result<Option<(u64, Value<'a>)>, Broken> {
    if message.is_empty() {
        return Ok(None);
    }
    let mut at = 0;
    let tag = number(message, &mut at)?;
    let value = match tag & 7 {
        0 => Value::Varint(number(message, &mut at)?),
        1 => {
            Value::Fixed64(u64::from_le_bytes(*take(message, &mut at, 8).and_then(<[u8]>::first_chunk).ok_or(Broken)?))
        }
        2 => {
            let len = number(message, &mut at)?;
            Value::Bytes(usize::try_from(len).ok().and_then(|len| take(message, &mut at, len)).ok_or(Broken)?)
        }
        5 => take(message, &mut at, 4).map(|_| Value::Fixed32).ok_or(Broken)?,
        _ => return Err(Broken),
    };
    if tag >> 3 == 0 {
        return Err(Broken);
    }
    *message = &message[at..];
    Ok(Some((tag >> 3, value)))
}

/// A varint. Most have one byte; those of up to eight bytes, such as the ids of records, are read without a loop.
#[inline(always)]
fn number(message: &[u8], at: &mut usize) -> Result<u64, Broken> {
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let first = *message.get(*at).ok_or(Broken)?;
    if first < 0x80 {
        *at += 1;
        return Ok(u64::from(first));
    }
    let word = message[*at..].first_chunk().map_or(u64::MAX, |&word| u64::from_le_bytes(word));
    let ends = !word & TOPS;
    if ends == 0 {
        return varint::get(message, at).ok_or(Broken);
    }
    let bits = ends.trailing_zeros() + 1;
    *at += (bits / 8) as usize;
    // Joins seven bits of each byte: of two bytes, then of four, then of all.
    let word = word & (u64::MAX >> (64 - bits)) & !TOPS;
    let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
    Ok(word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4)
}

#[inline(always)]
fn take<'a>(message: &'a [u8], at: &mut usize, len: usize) -> Option<&'a [u8]> {
    let taken = message.get(*at..at.checked_add(len)?)?;
    *at += len;
    Some(taken)
}

/// Key and value of a pair, which is a message of its own.
pub fn pair(mut message: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_the_same_whatever_follows_it(shift in 0u32..64, raw: u64, behind: [u8; 9], cut in 0usize..10) {
            let mut bytes = vec![];
            varint::put(&mut bytes, raw >> shift);
            let len = bytes.len();
            bytes.extend_from_slice(&behind[..cut.min(9)]);
            let mut at = 0;
            prop_assert_eq!(number(&bytes, &mut at), Ok(raw >> shift));
            prop_assert_eq!(at, len);
            prop_assert_eq!(number(&bytes[..len - 1], &mut 0), Err(Broken));
        }

        #[test]
        fn any_bytes_are_the_number_that_they_are_elsewhere(bytes: Vec<u8>) {
            let (mut here, mut there) = (0, 0);
            prop_assert_eq!(number(&bytes, &mut here).ok(), varint::get(&bytes, &mut there));
            prop_assert_eq!(here, there);
        }
    }
}
