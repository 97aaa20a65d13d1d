//! The memory that a message of Protocol Buffers will take, from its bytes: a message of a few bytes takes a kilobyte.

use prost_reflect::{Kind, MessageDescriptor};

use crate::bytes::Bytes;
use crate::{too_deep, DEPTH};

/// Bytes of memory for each byte of a payload, and besides.
const FOR_EACH_BYTE: usize = 80;
const BESIDES: usize = 128 << 20;

/// What a value takes in the message that has it, with the room that grows for more of them.
const VALUE: usize = 128;
/// What a message that is not empty takes: a node for its fields.
const FIELDS: usize = 1024;

/// The memory that the value of a payload may take.
pub fn budget(payload: &[u8]) -> usize {
    payload.len().saturating_mul(FOR_EACH_BYTE).saturating_add(BESIDES)
}

/// Takes from `memory` what a message with these bytes will need.
///
/// # Errors
/// There is not so much left, or it nests too deep. Whether the bytes are a message is not checked.
pub fn charge(of: &MessageDescriptor, payload: &[u8], memory: &mut usize) -> Result<(), String> {
    // The bytes are copied from message to message.
    take(memory, payload.len().saturating_mul(4))?;
    message(Some(of), &mut Bytes(payload), DEPTH, memory).map(|_| ())
}

fn take(memory: &mut usize, bytes: usize) -> Result<(), String> {
    let left = memory.checked_sub(bytes).ok_or("its value would take too much memory for its size")?;
    *memory = left;
    Ok(())
}

/// The fields up to the end of the bytes, or of a group; `None` from where they are no message.
fn message(
    of: Option<&MessageDescriptor>,
    left: &mut Bytes<'_>,
    depth: usize,
    memory: &mut usize,
) -> Result<Option<()>, String> {
    let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
    if !left.0.is_empty() {
        take(memory, FIELDS)?;
    }
    while !left.0.is_empty() {
        let Some(tag) = varint(left) else { return Ok(None) };
        let Ok(number) = u32::try_from(tag >> 3) else { return Ok(None) };
        let kind = of.and_then(|of| {
            let field = of.get_field(number).map(|field| field.kind());
            field.or_else(|| of.get_extension(number).map(|extension| extension.kind()))
        });
        take(memory, VALUE)?;
        let skipped = match (tag & 7, &kind) {
            (0, _) => varint(left).map(|_| ()),
            (1, _) => left.take(8).ok().map(|_| ()),
            (5, _) => left.take(4).ok().map(|_| ()),
            (2, kind) => {
                let len = varint(left).and_then(|len| usize::try_from(len).ok());
                match (len.and_then(|len| left.take(len).ok()), kind) {
                    (None, _) => None,
                    (Some(bytes), Some(Kind::Message(inner))) => {
                        message(Some(inner), &mut Bytes(bytes), deeper, memory)?
                    }
                    (Some(bytes), kind) => {
                        take(memory, packed(bytes, kind.as_ref()).saturating_mul(VALUE / 2))?;
                        Some(())
                    }
                }
            }
            (3, Some(Kind::Message(inner))) => message(Some(inner), left, deeper, memory)?,
            (3, _) => message(None, left, deeper, memory)?,
            (4, _) => return Ok(Some(())),
            _ => None,
        };
        if skipped.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// The values that these bytes may be.
fn packed(bytes: &[u8], kind: Option<&Kind>) -> usize {
    match kind {
        None | Some(Kind::String | Kind::Bytes | Kind::Message(_)) => 0,
        Some(Kind::Double | Kind::Fixed64 | Kind::Sfixed64) => bytes.len() / 8,
        Some(Kind::Float | Kind::Fixed32 | Kind::Sfixed32) => bytes.len() / 4,
        Some(_) => bytes.iter().filter(|byte| **byte & 0x80 == 0).count(),
    }
}

fn varint(left: &mut Bytes<'_>) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = left.byte().ok()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
