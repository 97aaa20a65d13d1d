//! Records, their types and their metadata.

use std::ops::Range;

use crate::error::{Error, Kind, Result};
use crate::format::entries::Entry;
use crate::format::metadata;

pub use crate::format::metadata::{Metadata, MetadataBuf, Pairs};
pub(crate) use crate::format::types::decimal;
pub use crate::format::types::NamedType;
pub use crate::format::types::{event, is_event, EVENT_BIT, FIRST_NAMED_TYPE};

/// A record as a cursor shows it. The views live until the cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// 1, 2, 3 … across the whole log. An event has the id of the record that follows it.
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
    /// In the bytes that were read of the payload.
    pub payload_at: usize,
}

impl Hit {
    pub fn is_event(&self) -> bool {
        is_event(self.type_id)
    }

    /// The place of the payload.
    pub fn payload(&self) -> Range<usize> {
        self.payload_at..self.payload_at + self.payload_len as usize
    }

    /// Its entry, in these entries.
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

/// A record to append. The usual way to make one is `NewRecord::default()` with the fields of interest set.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// The user's number, below [`FIRST_NAMED_TYPE`], or one that [`crate::Writer::type_id`] returned.
    pub type_id: u32,
    /// Nanoseconds since the Unix epoch, UTC; `None` = now, by the writer's clock. The system's is read to within 2
    /// microseconds.
    pub time: Option<i64>,
    /// String pairs, built with [`MetadataBuf`].
    pub metadata: Metadata<'a>,
    /// The record's bytes.
    pub payload: &'a [u8],
}

/// The id after lost records, from the facts of a RECOVERED event.
pub(crate) fn id_after_loss(facts: Metadata<'_>) -> Option<u64> {
    facts.get("last_lost_id").and_then(decimal)?.checked_add(1)
}

/// Counts the pairs of a record that is about to be appended, or returns what is wrong with them.
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
