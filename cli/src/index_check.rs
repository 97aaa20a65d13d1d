//! Compares the index of a segment with what the segment holds.

use std::collections::BTreeMap;

use binlog::contents::{IndexBlockFacts, SegmentFacts, TypeCount};
use binlog::{Cursor, Error, Kind, Loss, LossKind, Reader};

use crate::args::Type;
use crate::batch::Batch;

/// What was read of a segment, and what its index states about it.
#[derive(Default)]
pub struct Read {
    types: BTreeMap<Type, u64>,
    /// Id of the last record that was read, or that the log reports as lost.
    last_id: Option<u64>,
    /// The segment's INDEX blocks when reading began.
    index: Vec<IndexBlockFacts>,
    /// Position in `index` of the block that should cover the next record.
    at: usize,
    /// The first record about which the index is wrong.
    wrong: Option<(u64, String)>,
    /// Reading of the segment has begun.
    is_begun: bool,
}

impl Read {
    pub fn new(log: &Reader, segment: &SegmentFacts) -> Self {
        // What has no index, or cannot be opened by itself, is read without the index too.
        let index = log.index_of(&segment.path).map_or_else(|_| vec![], |facts| facts.blocks);
        Read { index, is_begun: true, ..Read::default() }
    }

    /// Takes the records of a block, all of which one INDEX block covers.
    pub fn see(&mut self, batch: &Batch, cursor: &Cursor) {
        for (&type_id, records) in &batch.types {
            let key = cursor.type_name(type_id).map_or(Type::Number(type_id), |name| Type::Name(name.to_owned()));
            *self.types.entry(key).or_default() += records;
        }
        self.last_id = self.last_id.max(batch.lost_to);
        let Some(times) = batch.times else { return };
        self.last_id = self.last_id.max(Some(batch.ids.1));
        while self.index.get(self.at).is_some_and(|block| batch.ids.0 >= block.next_id) {
            self.at += 1;
        }
        let Some(block) = self.index.get(self.at).filter(|block| batch.ids.0 >= block.first_id) else { return };
        let wrong = times.iter().find(|(_, time)| *time < block.min_time || *time > block.max_time);
        if let (Some((id, _)), None) = (wrong, &self.wrong) {
            let reason = format!("the index says that record {id} is of another time than it is");
            self.wrong = Some((block.to, reason));
        }
    }

    /// Where the index of a segment that was read whole is wrong.
    pub fn compare(&self, log: &Reader, segment: &SegmentFacts) -> Result<Option<Loss>, Error> {
        let Some(bytes) = segment.bytes.filter(|_| self.is_begun && !segment.live) else { return Ok(None) };
        let wrong = match (&self.wrong, log.counts_of(&segment.path)) {
            (Some(wrong), _) => Some(wrong.clone()),
            (None, Ok(counts)) => self.compare_counts(counts, segment.first_id, bytes),
            (None, Err(error)) if error.kind() == Kind::Corrupt => {
                Some((error.offset().unwrap_or(0), format!("the index leads astray: {}", error.reason())))
            }
            // The file was removed, or begun, after the reader was opened.
            (None, Err(error)) if error.kind() == Kind::NotFound => None,
            (None, Err(error)) => return Err(error),
        };
        let path = segment.path.clone();
        Ok(wrong.map(|(offset, reason)| Loss {
            kind: LossKind::Index,
            path,
            offset,
            bytes: 0,
            ids: None,
            pages: None,
            reason,
            durable: false,
        }))
    }

    fn compare_counts(&self, counts: Vec<TypeCount>, first_id: u64, bytes: u64) -> Option<(u64, String)> {
        let known =
            |counted: TypeCount| (counted.name.map_or(Type::Number(counted.type_id), Type::Name), counted.records);
        let indexed: BTreeMap<Type, u64> = counts.into_iter().map(known).collect();
        let sum = |counts: &BTreeMap<Type, u64>| counts.values().sum::<u64>();
        let behind = self.index.last().map_or(first_id, |block| block.next_id);
        let end = self.index.last().map_or(bytes, |block| block.to);
        let reason = if sum(&indexed) != sum(&self.types) {
            format!("the index counts {} records, there are {}", sum(&indexed), sum(&self.types))
        } else if indexed != self.types {
            "the index counts other types of records than there are".to_owned()
        } else if self.last_id.map_or(first_id, |last| first_id.max(last.saturating_add(1))) < behind {
            format!("the index lists records up to {}, which the segment does not have", behind - 1)
        } else {
            return None;
        };
        Some((end, reason))
    }
}
