//! What a type of records is.

use crate::error::{Error, Kind, Result};
use crate::format::limits;

/// A type of records, as [`crate::Writer::type_of`] takes it. All of it is the type's identity. The usual way to make
/// one is `TypeOptions::default()` with the fields of interest set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeOptions<'a> {
    /// The name, which filters ask for. Several types of a log may have the same name.
    pub name: &'a str,
    /// What the payloads are, as a MIME type; may be empty.
    pub content_type: &'a str,
    /// How payloads are encoded: `protobuf` (the schema is a FileDescriptorSet), `jsonschema`, `avro` or `arrow`, which
    /// have a schema; `json`, `msgpack` or `cbor`, which need none; or any other. May be empty without a schema.
    pub encoding: &'a str,
    /// The name of the message in the schema that payloads are; may be empty.
    pub message: &'a str,
    /// The schema, up to 1 MiB; empty = none.
    pub schema: &'a [u8],
}

/// Bytes that the texts of a type may have together.
const TEXTS: usize = limits::TYPE_NAME;

impl TypeOptions<'_> {
    pub(crate) fn check(&self) -> Result<()> {
        let texts = [self.name, self.content_type, self.encoding, self.message];
        if self.name.is_empty() || texts.iter().map(|text| text.len()).sum::<usize>() > TEXTS {
            return Err(Error::invalid(
                "a type's name is empty or, with its content type, encoding and message, over 4,096 bytes",
            ));
        }
        if self.schema.len() > limits::SCHEMA {
            let (len, most) = (self.schema.len(), limits::SCHEMA);
            let reason = format!("a schema of {len} bytes; a schema may have up to {most}");
            return Err(Error::new(Kind::TooLarge, reason));
        }
        match self.encoding.is_empty() && !self.schema.is_empty() {
            true => Err(Error::invalid("a type with a schema needs an encoding, by which readers know what it is")),
            false => Ok(()),
        }
    }
}
