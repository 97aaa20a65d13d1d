//! The catalog's summary of a segment.

use super::Reader;
use crate::error::Result;
use crate::log::catalog::{second, Summary, TypeSum};
use crate::memory;

impl Reader {
    /// The summary of the only segment of this reader, an object stored at that time. `None` if it is not closed, or if
    /// anything in it is not as it should be.
    pub(crate) fn summarize(&self, stored_ns: i64) -> Result<Option<Summary>> {
        let contents = self.contents(&mut |_, _| ())?;
        let segment = self.snapshot.segment(0)?;
        let is_plain = contents.damage.is_none() && segment.translated.is_none() && !segment.is_live();
        let [only] = &contents.segments[..] else { return Ok(None) };
        let (Some(bytes), Some(true), true) = (only.facts.bytes, only.closed, is_plain) else { return Ok(None) };
        let extent = self.extent_of(&segment.path)?.filter(|extent| extent.records == contents.records);
        let Some(extent) = extent else { return Ok(None) };
        let sum = |counted: super::TypeContents| TypeSum {
            type_id: counted.type_id,
            name: counted.name,
            records: counted.records,
            payload_bytes: counted.payload_bytes,
        };
        Ok(Some(Summary {
            file: segment.name.clone(),
            bytes,
            stored_s: second(stored_ns),
            header: segment.header.without_dictionary(),
            next_id: contents.tail.next_id,
            ids: contents.ids,
            records: contents.records,
            payload_bytes: contents.payload_bytes,
            times: extent.times,
            span: contents.times,
            types: memory::list(contents.numbers.into_iter().map(sum))?,
        }))
    }
}
