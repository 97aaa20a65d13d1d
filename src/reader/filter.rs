//! A filter made ready to be asked for each block and each record.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::format::block::BlockHeader;
use crate::format::entries::Entry;
use crate::options::Filter;
use crate::record::{is_event, Metadata};
use crate::segment::NamedType;

/// The filter, and the named types of the segment being read.
pub(super) struct Selection {
    filter: Filter,
    from_id: u64,
    to_id: u64,
    from_time: i64,
    to_time: Option<i64>,
    any_type: bool,
    /// Numbers of the wanted types: those the filter gives, and those that its names stand for in this segment.
    wanted: Vec<u32>,
    names: HashMap<u32, String>,
}

impl Selection {
    pub fn new(filter: &Filter) -> Result<Self> {
        if filter.from_id > filter.to_id && filter.to_id.is_some() {
            return Err(Error::invalid("the filter's id range ends before it begins"));
        }
        if filter.to_time.is_some_and(|to| filter.from_time.is_some_and(|from| from > to)) {
            return Err(Error::invalid("the filter's time range ends before it begins"));
        }
        Ok(Selection {
            from_id: filter.from_id.unwrap_or(0),
            to_id: filter.to_id.unwrap_or(u64::MAX),
            from_time: filter.from_time.unwrap_or(i64::MIN),
            to_time: filter.to_time,
            any_type: filter.types.is_empty() && filter.type_names.is_empty(),
            wanted: filter.types.clone(),
            names: HashMap::new(),
            filter: filter.clone(),
        })
    }

    pub fn first_id(&self) -> u64 {
        self.from_id
    }

    pub fn headers_only(&self) -> bool {
        self.filter.headers_only
    }

    /// Whether entries must be looked at before it is known if the block's payload is needed.
    pub fn by_type(&self) -> bool {
        !self.any_type
    }

    /// Whether the block is behind everything wanted of its log.
    pub fn is_past(&self, block: &BlockHeader) -> bool {
        block.first_id > self.to_id
    }

    /// Whether the block may hold something wanted.
    pub fn wants_block(&self, block: &BlockHeader) -> bool {
        let records = block.count > 0;
        (records || (self.filter.events && block.has_events()))
            && (block.next_id() > self.from_id || (!records && block.first_id >= self.from_id))
            && block.max_time >= self.from_time
            && self.to_time.is_none_or(|to| block.min_time < to)
    }

    /// Whether every entry of the block but its events is wanted.
    pub fn wants_all(&self, block: &BlockHeader) -> bool {
        self.any_type
            && !block.has_events()
            && block.first_id >= self.from_id
            && block.next_id() - 1 <= self.to_id
            && block.min_time >= self.from_time
            && self.to_time.is_none_or(|to| block.max_time < to)
    }

    pub fn wants(&self, id: u64, entry: &Entry<'_>) -> bool {
        (self.from_id..=self.to_id).contains(&id)
            && entry.time >= self.from_time
            && self.to_time.is_none_or(|to| entry.time < to)
            && self.wants_type(entry.type_id)
    }

    pub fn wants_type(&self, type_id: u32) -> bool {
        match is_event(type_id) {
            true => self.filter.events && (self.any_type || self.wanted.contains(&type_id)),
            false => self.any_type || self.wanted.contains(&type_id),
        }
    }

    /// Forgets the named types: a segment begins with its own.
    pub fn begin_segment(&mut self) {
        self.names.clear();
        self.wanted.clear();
        self.wanted.extend_from_slice(&self.filter.types);
    }

    /// Takes note of a TYPE event.
    pub fn learn(&mut self, facts: Metadata<'_>) {
        if let Some(named) = NamedType::from_event(facts) {
            if self.filter.type_names.contains(&named.name) && !self.wanted.contains(&named.number) {
                self.wanted.push(named.number);
            }
            self.names.insert(named.number, named.name);
        }
    }

    /// The name that a type number stands for in the segment being read.
    pub fn name_of(&self, type_id: u32) -> Option<&str> {
        self.names.get(&type_id).map(String::as_str)
    }
}
