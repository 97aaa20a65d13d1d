//! Records, their types and their metadata.

use std::ops::Range;

use crate::error::{Error, Kind, Result};
use crate::format::entries::Entry;
use crate::format::{limits, metadata};

/// The first number of types that were given by name.
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
    /// The log goes on in the segment `file`.
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
    /// The type number `id` stands for `name`, with payloads of `content_type`. Where these have a schema, also `schema` (the
    /// `sha256` of a SCHEMA event), `message` (which of the schema's) and `encoding`.
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

/// A record as a cursor shows it. The views live until the cursor moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// 1, 2, 3 … across the whole log. An event shows the id of the record that follows it.
    pub id: u64,
    /// Nanoseconds since the Unix epoch, UTC.
    pub time: i64,
    /// The user's number, or one from [`FIRST_NAMED_TYPE`] on for a named type, or an event's.
    pub type_id: u32,
    /// String pairs.
    pub metadata: Metadata<'a>,
    /// The payload; empty when only headers are read.
    pub payload: &'a [u8],
    /// The payload's length, even when only headers are read.
    pub payload_len: u32,
}

impl Record<'_> {
    /// Whether this is one of the library's own records.
    pub fn is_event(&self) -> bool {
        is_event(self.type_id)
    }
}

/// A record by its places in the regions of its block.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub payload_len: u32,
    /// In the entries.
    pub metadata: Range<usize>,
    /// In what was read of the payload.
    pub payload_at: usize,
}

impl Hit {
    pub fn is_event(&self) -> bool {
        is_event(self.type_id)
    }

    /// Where the payload stands.
    pub fn payload(&self) -> Range<usize> {
        self.payload_at..self.payload_at + self.payload_len as usize
    }

    /// Its entry, one of these.
    pub fn entry<'a>(&self, entries: &'a [u8]) -> Entry<'a> {
        let Hit { time, type_id, payload_len, .. } = *self;
        Entry { payload_len, type_id, time, metadata: &entries[self.metadata.clone()] }
    }

    /// The record, in the regions of its block.
    #[inline]
    pub fn record<'a>(&self, entries: &'a [u8], payload: &'a [u8]) -> Record<'a> {
        Record {
            id: self.id,
            time: self.time,
            type_id: self.type_id,
            metadata: Metadata::from_bytes(&entries[self.metadata.clone()]),
            payload: payload.get(self.payload()).unwrap_or(&[]),
            payload_len: self.payload_len,
        }
    }
}

/// A record to append. `NewRecord::default()` with the fields of interest set is the usual way to make one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// The user's number, below [`FIRST_NAMED_TYPE`], or one that [`crate::Writer::type_id`] gave.
    pub type_id: u32,
    /// Nanoseconds since the Unix epoch, UTC; `None` = now.
    pub time: Option<i64>,
    /// String pairs, built with [`MetadataBuf`].
    pub metadata: Metadata<'a>,
    /// The record's bytes.
    pub payload: &'a [u8],
}

/// String pairs of a record: an iterator over `(key, value)`, in the order in which they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    pairs: &'a [u8],
}

impl<'a> Metadata<'a> {
    /// From encoded pairs, as [`Self::as_bytes`] gives them. Pairs that are not well-formed end the iteration; an
    /// append refuses them.
    pub fn from_bytes(pairs: &'a [u8]) -> Self {
        Metadata { pairs }
    }

    /// The encoded pairs: for each `varint key length, key, varint value length, value`.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.pairs
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of the first pair with this key.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.into_iter().find(|&(k, _)| k == key).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for Metadata<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        Pairs { rest: self.pairs }
    }
}

/// Iterator over the pairs of [`Metadata`].
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        metadata::next(&mut self.rest).ok().flatten()
    }
}

/// String pairs being collected for a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataBuf {
    pairs: Vec<u8>,
}

impl MetadataBuf {
    /// No pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair. A key may occur more than once.
    pub fn push(&mut self, key: &str, value: &str) {
        metadata::put(&mut self.pairs, key, value);
    }

    /// Forgets all pairs and keeps the memory.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// The pairs, to put into a [`NewRecord`].
    pub fn as_metadata(&self) -> Metadata<'_> {
        Metadata { pairs: &self.pairs }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for MetadataBuf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut made = Self::new();
        pairs.into_iter().for_each(|(key, value)| made.push(key.as_ref(), value.as_ref()));
        made
    }
}

/// A type that was given by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedType {
    pub number: u32,
    pub name: String,
    pub content_type: String,
}

impl NamedType {
    /// From the facts of a TYPE event; `None` when they are not all there or too long, or the number is not one of a named
    /// type.
    pub fn from_event(facts: Metadata<'_>) -> Option<Self> {
        let number = facts.get("id").and_then(decimal)?;
        let number = u32::try_from(number).ok().filter(|number| (FIRST_NAMED_TYPE..EVENT_BIT).contains(number))?;
        let (name, content_type) = (facts.get("name")?, facts.get("content_type").unwrap_or_default());
        let fits = name.len() + content_type.len() <= limits::TYPE_NAME;
        fits.then(|| NamedType { number, name: name.to_owned(), content_type: content_type.to_owned() })
    }

    /// The facts of its TYPE event.
    pub fn to_facts(&self) -> MetadataBuf {
        MetadataBuf::from_iter([
            ("id", self.number.to_string()),
            ("name", self.name.clone()),
            ("content_type", self.content_type.clone()),
        ])
    }
}

/// The id that comes behind records that were lost, as the facts of a RECOVERED event tell.
pub(crate) fn id_after_loss(facts: Metadata<'_>) -> Option<u64> {
    facts.get("last_lost_id").and_then(decimal)?.checked_add(1)
}

/// A number as events' facts have it: in decimal digits, without a sign.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Counts the pairs of a record that is about to be appended, or says what is wrong with them.
#[inline]
pub(crate) fn check_metadata(pairs: &[u8]) -> Result<u64> {
    if pairs.is_empty() {
        return Ok(0);
    }
    let count = metadata::count(pairs).map_err(|reason| Error::invalid(reason.to_string()))?;
    match metadata::over_limit(pairs, count) {
        Some(reason) => Err(Error::new(Kind::TooLarge, reason)),
        None => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_facts_are_digits_and_a_name_needs_all_of_its_facts() {
        let facts = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<MetadataBuf>();
        let id = |text| id_after_loss(facts(&[("last_lost_id", text)]).as_metadata());
        assert_eq!((id("41"), id("0041"), id("18446744073709551614")), (Some(42), Some(42), Some(u64::MAX)));
        for wrong in ["", "+41", "-1", " 41", "0x29", "18446744073709551615", "18446744073709551616"] {
            assert_eq!(id(wrong), None, "{wrong:?}");
        }
        let named = |pairs: &[(&str, &str)]| NamedType::from_event(facts(pairs).as_metadata()).map(|named| named.name);
        assert_eq!(named(&[("id", "1073741824"), ("name", "")]), Some(String::new()));
        assert_eq!(
            named(&[("id", "1073741824"), ("name", "a"), ("name", "b")]),
            Some("a".to_owned()),
            "the first counts"
        );
        for wrong in [&[("id", "1073741824")][..], &[("name", "a")], &[("id", "+1073741824"), ("name", "a")]] {
            assert_eq!(named(wrong), None);
        }
        for wrong in ["1073741823", "2147483648", "4294967296"] {
            assert_eq!(named(&[("id", wrong), ("name", "a")]), None, "{wrong}");
        }
    }
}
