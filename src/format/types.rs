//! Type numbers: the user's, those of named types, and the events of the library.

use super::limits;
use super::metadata::{Metadata, MetadataBuf};
use crate::hex::{hex, unhex};

/// The first number of named types.
pub const FIRST_NAMED_TYPE: u32 = 1 << 30;
/// The bit that marks the library's own records.
pub const EVENT_BIT: u32 = 1 << 31;

/// The library's own records: what happened to the log. Readers hide them unless asked.
pub mod event {
    use super::EVENT_BIT;

    /// A writer began.
    pub const STARTED: u32 = EVENT_BIT | 1;
    /// A writer ended.
    pub const STOPPED: u32 = EVENT_BIT | 2;
    /// A writer is alive.
    pub const HEARTBEAT: u32 = EVENT_BIT | 3;
    /// The log continues in the segment `file`.
    pub const ROTATE_NEXT: u32 = EVENT_BIT | 4;
    /// The log comes from the segment `file`.
    pub const ROTATE_PREV: u32 = EVENT_BIT | 5;
    /// The segment was opened for writing.
    pub const OPENED: u32 = EVENT_BIT | 6;
    /// The segment was closed.
    pub const CLOSED: u32 = EVENT_BIT | 7;
    /// A torn tail was cut: `offset`, `bytes`, and the file that `kept` them.
    pub const RECOVERED: u32 = EVENT_BIT | 8;
    /// `count` records were dropped by the policy for a full disk since the last such event, `total` since the writer
    /// was opened.
    pub const DROPPED: u32 = EVENT_BIT | 9;
    /// The type number `id` has the name `name`, and payloads of `content_type`; as far as they are set, also `encoding`,
    /// `message` (of the schema) and `schema` (the `sha256` of a SCHEMA event).
    pub const TYPE: u32 = EVENT_BIT | 10;
    /// A schema of types: `sha256`, `encoding`; the payload is the schema.
    pub const SCHEMA: u32 = EVENT_BIT | 11;

    /// The event's name, as above.
    pub fn name(type_id: u32) -> Option<&'static str> {
        Some(match type_id {
            STARTED => "STARTED",
            STOPPED => "STOPPED",
            HEARTBEAT => "HEARTBEAT",
            ROTATE_NEXT => "ROTATE_NEXT",
            ROTATE_PREV => "ROTATE_PREV",
            OPENED => "OPENED",
            CLOSED => "CLOSED",
            RECOVERED => "RECOVERED",
            DROPPED => "DROPPED",
            TYPE => "TYPE",
            SCHEMA => "SCHEMA",
            _ => return None,
        })
    }
}

/// Whether a type number is one of the library's own events.
#[inline]
pub fn is_event(type_id: u32) -> bool {
    type_id & EVENT_BIT != 0
}

/// A named type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct NamedType {
    /// The number that records of this type have in the log.
    pub number: u32,
    /// The name.
    pub name: String,
    /// What the payloads are, as a MIME type; may be empty.
    pub content_type: String,
    /// How payloads are encoded, by one of MCAP's names or another one; may be empty.
    pub encoding: String,
    /// The message of the schema that payloads are; may be empty.
    pub message: String,
    /// The SHA-256 of the schema, if there is one.
    pub schema: Option<[u8; 32]>,
}

impl NamedType {
    /// From the metadata of a TYPE event; `None` when some is missing or too long, or the number is not one of a named
    /// type.
    pub fn from_event(facts: Metadata<'_>) -> Option<Self> {
        let number = facts.get("id").and_then(decimal)?;
        let number = u32::try_from(number).ok().filter(|number| (FIRST_NAMED_TYPE..EVENT_BIT).contains(number))?;
        let text = |key| facts.get(key).unwrap_or_default();
        let (name, content_type) = (facts.get("name")?, text("content_type"));
        let (encoding, message) = (text("encoding"), text("message"));
        let fits = name.len() + content_type.len() + encoding.len() + message.len() <= limits::TYPE_NAME;
        fits.then(|| NamedType {
            number,
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            encoding: encoding.to_owned(),
            message: message.to_owned(),
            schema: facts.get("schema").and_then(sha256),
        })
    }

    /// The metadata of its TYPE event.
    pub(crate) fn to_facts(&self) -> MetadataBuf {
        let mut facts = MetadataBuf::from_iter([
            ("id", self.number.to_string()),
            ("name", self.name.clone()),
            ("content_type", self.content_type.clone()),
        ]);
        for (key, text) in [("encoding", &self.encoding), ("message", &self.message)] {
            if !text.is_empty() {
                facts.push(key, text);
            }
        }
        if let Some(schema) = &self.schema {
            facts.push("schema", &hex(schema));
        }
        facts
    }

    /// Whether it has more than a name and a content type.
    pub(crate) fn has_details(&self) -> bool {
        self.schema.is_some() || !self.encoding.is_empty() || !self.message.is_empty()
    }
}

/// Parses a checksum from the metadata of an event: 64 hexadecimal digits, in lower case as they are written.
pub(crate) fn sha256(text: &str) -> Option<[u8; 32]> {
    unhex(text).filter(|sum| hex(sum) == text)
}

/// Parses a number from the metadata of an event: decimal digits without a sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
