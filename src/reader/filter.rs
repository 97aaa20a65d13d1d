//! A filter, prepared for the tests of each block and each record.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::format::block::BlockHeader;
use crate::format::entries::Entry;
use crate::format::filter;
use crate::format::index::{Located, Pairs, Row, Window};
use crate::log::catalog::{Summary, TypeSum};
use crate::log::Limit;
use crate::options::Filter;
use crate::record::{is_event, Metadata, NamedType};
use crate::segment::Part;

/// The filter, and the named types of the segment being read.
pub(super) struct Selection {
    filter: Filter,
    from_id: u64,
    to_id: u64,
    /// The part of the log that is read.
    limit: Option<Limit>,
    /// The id of events behind the last record of that part, if they are wanted.
    behind: Option<u64>,
    from_time: i64,
    to_time: Option<i64>,
    any_type: bool,
    /// Numbers that the filter's names have in this segment: wanted, as those in the filter are.
    wanted: BTreeSet<u32>,
    names: BTreeMap<u32, NamedType>,
    /// Hashes of the wanted metadata pairs, for the filters of an index.
    hashes: Vec<u32>,
}

/// No writer makes an index that gives more places of one block: the block itself is read.
const LOCATED_MOST: usize = 16;

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
            limit: None,
            behind: None,
            from_time: filter.from_time.unwrap_or(i64::MIN),
            to_time: filter.to_time,
            any_type: filter.types.is_empty() && filter.type_names.is_empty(),
            wanted: BTreeSet::new(),
            names: BTreeMap::new(),
            hashes: filter.metadata.iter().map(|(key, value)| filter::hash(key, value)).collect(),
            filter: filter.clone(),
        })
    }

    /// The same of a part of the log, if there is a limit.
    pub fn within(mut self, limit: Option<&Limit>) -> Self {
        let Some(limit) = limit else { return self };
        let is_reached = self.to_id > limit.last_id;
        self.behind = Some(limit.last_event_id()).filter(|_| self.filter.events && limit.to_the_end && is_reached);
        self.from_id = self.from_id.max(limit.first_id);
        self.to_id = self.to_id.min(limit.last_id);
        (self.filter.from_id, self.filter.to_id) = (Some(self.from_id), Some(self.to_id));
        self.limit = Some(limit.clone());
        self
    }

    /// The part of the log that is read, if it is not all of it.
    pub fn limit(&self) -> Option<&Limit> {
        self.limit.as_ref()
    }

    /// Whether everything before the record `next_id` was passed, and nothing else is in the part that is read.
    pub fn is_done(&self, next_id: Option<u64>) -> bool {
        self.limit.as_ref().is_some_and(|limit| next_id.is_some_and(|next_id| next_id > limit.last_event_id()))
    }

    /// Whether the segment of this number is not a part of what is read, and only follows it.
    pub fn is_behind(&self, sequence: u64) -> bool {
        self.limit.as_ref().is_some_and(|limit| sequence > limit.last_sequence)
    }

    pub fn first_id(&self) -> u64 {
        self.from_id
    }

    pub fn is_newest_first(&self) -> bool {
        self.filter.newest_first
    }

    pub fn headers_only(&self) -> bool {
        self.filter.headers_only
    }

    /// From now on, shows only records with this id or a greater one, of those that match the filter.
    pub fn set_first_id(&mut self, id: u64) {
        self.from_id = id.max(self.filter.from_id.unwrap_or(0));
        self.from_time = self.filter.from_time.unwrap_or(i64::MIN);
    }

    /// Continues with this id, within the range that was sought before.
    pub fn go_on_from(&mut self, id: u64) {
        self.from_id = id.max(self.filter.from_id.unwrap_or(0));
    }

    /// Records up to this id have been shown.
    pub fn skip_ids_to(&mut self, id: u64) {
        self.from_id = self.from_id.max(id.saturating_add(1));
    }

    /// From now on, no record with a smaller id matches.
    pub fn limit_to_ids_from(&mut self, id: u64) {
        self.filter.from_id = Some(id);
        self.from_id = id;
    }

    /// Whether events are shown.
    pub fn has_events(&self) -> bool {
        self.filter.events
    }

    /// From now on, shows events or not; returns the previous setting.
    pub fn set_events(&mut self, events: bool) -> bool {
        std::mem::replace(&mut self.filter.events, events)
    }

    /// From now on, shows only records up to this id.
    pub fn set_last_id(&mut self, id: u64) {
        self.to_id = id;
    }

    /// From now on, shows only records of this time or later, of those that match the filter.
    pub fn set_first_time(&mut self, time: i64) {
        self.from_time = time.max(self.filter.from_time.unwrap_or(i64::MIN));
        self.from_id = self.filter.from_id.unwrap_or(0);
    }

    /// The id after the last one of the filter; `u64::MAX` without one.
    pub fn next_after_filter(&self) -> u64 {
        self.filter.to_id.filter(|_| !self.filter.newest_first).map_or(u64::MAX, |last| last.saturating_add(1))
    }

    /// The last id of the filter.
    pub fn last_id(&self) -> u64 {
        self.to_id
    }

    /// The last id that a block may begin with which has to be passed: a part that reaches to the end of a segment ends
    /// behind the events there, even if these are not wanted.
    pub fn end_id(&self) -> u64 {
        let is_whole = |limit: &&Limit| limit.last_id == self.to_id;
        self.limit.as_ref().filter(is_whole).map_or(self.to_id, Limit::last_event_id)
    }

    /// The last id that a wanted record or event may have.
    pub fn last_event_id(&self) -> u64 {
        self.behind.filter(|&behind| self.to_id.checked_add(1) == Some(behind)).unwrap_or(self.to_id)
    }

    /// Whether an index can avoid reading blocks of a segment whose first record is `first_id`.
    pub fn is_selective(&self, first_id: u64) -> bool {
        !self.any_type
            || !self.hashes.is_empty()
            || self.from_id > first_id
            || self.from_time != i64::MIN
            || self.to_time.is_some()
    }

    /// Whether only some of a block's records may be wanted, whatever their ids and times.
    pub fn is_picky(&self) -> bool {
        !self.any_type || !self.hashes.is_empty()
    }

    /// Whether the block comes after everything wanted of its log.
    pub fn is_past(&self, block: &BlockHeader) -> bool {
        block.first_id > self.end_id() || (block.first_id > self.last_event_id() && block.count > 0)
    }

    /// Whether the block may contain something wanted.
    pub fn wants_block(&self, block: &BlockHeader) -> bool {
        self.wants_ids_before(block.next_id(), block.count > 0, block.has_events())
            && block.max_time >= self.from_time
            && self.to_time.is_none_or(|to| block.min_time < to)
    }

    /// Whether every entry of the block except its events is wanted.
    pub fn wants_all(&self, block: &BlockHeader) -> bool {
        self.any_type
            && self.hashes.is_empty()
            && !block.has_events()
            && block.first_id >= self.from_id
            && block.next_id() - 1 <= self.to_id
            && block.min_time >= self.from_time
            && self.to_time.is_none_or(|to| block.max_time < to)
    }

    #[inline]
    pub fn wants(&self, id: u64, entry: &Entry<'_>) -> bool {
        id >= self.from_id
            && (id <= self.to_id || (is_event(entry.type_id) && id <= self.last_event_id()))
            && entry.time >= self.from_time
            && self.to_time.is_none_or(|to| entry.time < to)
            && self.wants_type(entry.type_id)
            && (self.hashes.is_empty() || self.wants_pairs(Metadata::from_bytes(entry.metadata)))
    }

    fn wants_pairs(&self, metadata: Metadata<'_>) -> bool {
        let wanted = &self.filter.metadata;
        wanted.iter().all(|(key, value)| metadata.into_iter().any(|(k, v)| k == key && v == value))
    }

    /// Whether the block of this row may contain something wanted.
    pub fn wants_row(&self, window: &Window, row: &Row) -> bool {
        self.wants_place(row)
            && self.wants_types_of(window, row)
            && match &row.pairs {
                Pairs::None => self.hashes.is_empty(),
                Pairs::Filter(at) => {
                    let filter = &window.filters[at.clone()];
                    self.hashes.iter().all(|&hash| filter::may_hold(filter, hash))
                }
                Pairs::Any => true,
            }
    }

    /// Whether a part of a segment may contain something wanted, by ids and times.
    pub fn wants_part(&self, part: &Part) -> bool {
        self.wants_ids_before(part.next_id, true, true)
            && part.first_id <= self.last_event_id()
            && part.max_time >= self.from_time
            && self.to_time.is_none_or(|to| part.min_time < to)
    }

    /// Whether anything before the record `next_id` may have a wanted id, from the first wanted one on. Events there
    /// may have the id of that record.
    fn wants_ids_before(&self, next_id: u64, records: bool, events: bool) -> bool {
        (records && next_id > self.from_id) || (events && self.filter.events && next_id >= self.from_id)
    }

    /// Whether nothing before the record `first_id` is wanted.
    pub fn begins_at(&self, first_id: u64) -> bool {
        !self.wants_ids_before(first_id, true, true)
    }

    /// Whether everything up to the record `next_id` is wanted, with the events before that.
    pub fn reaches(&self, next_id: u64) -> bool {
        self.to_id >= next_id || self.behind.is_some_and(|behind| behind >= next_id)
    }

    /// Whether nothing before a segment is wanted, whose first record is `first_id` and before which no record is later
    /// than `latest`, if that is known.
    pub fn begins_at_or_behind(&self, first_id: u64, latest: Option<i64>) -> bool {
        self.begins_at(first_id) || latest.is_some_and(|latest| self.begins_behind(latest))
    }

    /// Whether records from the first of these ids to the one before the second, or events among them, have wanted ids.
    pub fn wants_ids(&self, (first_id, next_id): (u64, u64), has_events: bool) -> bool {
        self.wants_ids_before(next_id, next_id > first_id, has_events) && first_id <= self.last_event_id()
    }

    /// Whether a segment may contain something wanted, by what a catalog states about it. Nothing is stated about its
    /// events.
    pub fn wants_summary(&self, summary: &Summary) -> bool {
        let is_of_time = |(from, to): (i64, i64)| to >= self.from_time && self.to_time.is_none_or(|end| from < end);
        self.filter.events
            || (self.wants_ids((summary.header.first_id, summary.next_id), false)
                && summary.span.is_some_and(is_of_time)
                && (self.any_type || summary.types.iter().any(|counted| self.wants_counted(counted))))
    }

    /// How many records of a segment may be wanted, as for a row.
    pub fn records_of_summary(&self, summary: &Summary) -> u64 {
        let ids = (summary.header.first_id.max(self.from_id), (summary.next_id.saturating_sub(1)).min(self.to_id));
        let is_whole = ids == (summary.header.first_id, summary.next_id.saturating_sub(1));
        match is_whole {
            true if self.any_type => summary.records,
            true => summary.types.iter().filter(|counted| self.wants_counted(counted)).map(|it| it.records).sum(),
            false => (ids.1 + 1).saturating_sub(ids.0).min(summary.records),
        }
    }

    fn wants_counted(&self, counted: &TypeSum) -> bool {
        let is_named = |name: &String| self.filter.type_names.contains(name);
        self.filter.types.contains(&counted.type_id) || counted.name.as_ref().is_some_and(is_named)
    }

    /// How many records of a row may be wanted: of the wanted types, if its ids are wanted and it states its types.
    pub fn records_of(&self, window: &Window, row: &Row) -> u64 {
        let ids = (row.first_id.max(self.from_id), (row.next_id() - 1).min(self.to_id));
        let within = (ids.1 + 1).saturating_sub(ids.0);
        match window.types_of(row).filter(|_| !self.any_type && within == u64::from(row.count)) {
            Some(types) => {
                let wanted = types.iter().filter(|it| !is_event(it.type_id) && self.wants_type(it.type_id));
                wanted.map(|it| u64::from(it.count)).sum()
            }
            None => within,
        }
    }

    /// Whether records of early times are skipped.
    pub fn has_first_time(&self) -> bool {
        self.from_time != i64::MIN
    }

    /// Whether records may be wanted if the latest of them has this time, when it is known.
    pub fn may_want_up_to(&self, latest: Option<i64>) -> bool {
        latest.is_none_or(|latest| latest >= self.from_time)
    }

    /// The time from which on no record is wanted, if later records are skipped. Events may have an earlier time than the
    /// records around them.
    pub fn end_time(&self) -> Option<i64> {
        self.to_time.filter(|_| !self.filter.events)
    }

    /// Whether no record of this time or earlier is wanted. Events may have a later time than the records around them.
    pub fn begins_behind(&self, time: i64) -> bool {
        time < self.from_time && !self.filter.events
    }

    /// By ids and times alone.
    fn wants_place(&self, row: &Row) -> bool {
        self.wants_ids_before(row.next_id(), row.count > 0, row.has_events)
            && row.first_id <= self.last_event_id()
            && row.max_time >= self.from_time
            && self.to_time.is_none_or(|to| row.min_time < to)
    }

    fn wants_types_of(&self, window: &Window, row: &Row) -> bool {
        let Some(types) = window.types_of(row) else { return true };
        (self.any_type && !self.filter.events) || types.iter().any(|counted| self.wants_type(counted.type_id))
    }

    /// The wanted records of a row, if the index gives the places of all of them.
    pub fn located(&self, window: &Window, row: &Row) -> Option<Vec<(u32, Located)>> {
        if self.any_type || !self.hashes.is_empty() {
            return None;
        }
        let mut found = vec![];
        for counted in window.types_of(row)?.iter().filter(|counted| self.wants_type(counted.type_id)) {
            let wanted = window.located_of(counted)?.iter().filter(|located| {
                (self.from_id..=self.to_id).contains(&(row.first_id + u64::from(located.standing.ordinal)))
                    && located.standing.time >= self.from_time
                    && self.to_time.is_none_or(|to| located.standing.time < to)
            });
            found.extend(wanted.take(LOCATED_MOST).map(|&located| (counted.type_id, located)));
            if found.len() >= LOCATED_MOST {
                return None;
            }
        }
        found.sort_by_key(|(_, located)| located.standing.ordinal);
        Some(found)
    }

    pub fn wants_type(&self, type_id: u32) -> bool {
        match is_event(type_id) {
            true => self.filter.events && (self.any_type || self.filter.types.contains(&type_id)),
            false => self.any_type || self.filter.types.contains(&type_id) || self.wanted.contains(&type_id),
        }
    }

    /// Forgets the named types: each segment begins with its own.
    pub fn begin_segment(&mut self) {
        self.names.clear();
        self.wanted.clear();
    }

    /// Records a named type.
    pub fn learn_name(&mut self, named: NamedType) {
        if self.filter.type_names.contains(&named.name) {
            self.wanted.insert(named.number);
        }
        self.names.insert(named.number, named);
    }

    /// The name of a type number in the segment being read.
    pub fn name_of(&self, type_id: u32) -> Option<&str> {
        self.type_of(type_id).map(|named| &*named.name)
    }

    /// The named types of the segment being read, as far as they are known.
    pub fn types(&self) -> impl Iterator<Item = &NamedType> {
        self.names.values()
    }

    /// The named type of a number in the segment being read.
    pub fn type_of(&self, type_id: u32) -> Option<&NamedType> {
        self.names.get(&type_id)
    }
}
