//! Does the index of a segment say what the segment holds?

use std::collections::BTreeMap;

use binlog::{Error, IndexBlockFacts, Kind, Loss, Reader, ReaderMode, SegmentFacts};

use crate::args::Type;

/// What was read of a segment, and what its index says of it.
#[derive(Default)]
pub struct Read {
    types: BTreeMap<Type, u64>,
    last_id: Option<u64>,
    /// The INDEX blocks there were at the beginning.
    index: Vec<IndexBlockFacts>,
    /// The one that the next record should be in.
    at: usize,
    /// The first record that the index tells lies about.
    wrong: Option<(u64, String)>,
}

impl Read {
    pub fn new(log: &Reader, segment: &SegmentFacts) -> Self {
        // What is not indexed, or cannot be opened by itself, is read without the index too.
        let index = open(log, segment).and_then(|reader| reader.index()).unwrap_or_default();
        Read { index: index.into_iter().flat_map(|facts| facts.blocks).collect(), ..Read::default() }
    }

    /// A record was read.
    #[inline]
    pub fn see(&mut self, id: u64, time: i64) {
        self.last_id = Some(id);
        while self.index.get(self.at).is_some_and(|block| id >= block.next_id) {
            self.at += 1;
        }
        let Some(block) = self.index.get(self.at).filter(|block| id >= block.first_id) else { return };
        if (time < block.min_time || time > block.max_time) && self.wrong.is_none() {
            let reason = format!("the index says that record {id} is of another time than it is");
            self.wrong = Some((block.to, reason));
        }
    }

    /// So many records of a type were read.
    pub fn count(&mut self, type_id: u32, name: Option<&str>, records: u64) {
        let key = name.map_or(Type::Number(type_id), |name| Type::Name(name.to_owned()));
        *self.types.entry(key).or_default() += records;
    }

    /// What the index of the segment, of which everything was read, says wrong.
    pub fn compare(&self, log: &Reader, segment: &SegmentFacts) -> Result<Option<Loss>, Error> {
        let Some(bytes) = segment.bytes else { return Ok(None) };
        let reader = match open(log, segment) {
            Ok(reader) => reader,
            // Its beginning is damaged, and that has been told.
            Err(error) if error.kind() == Kind::Corrupt => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = match (&self.wrong, reader.counts()) {
            (Some((offset, reason)), _) => Some((*offset, reason.clone())),
            (None, Err(error)) if error.kind() == Kind::Corrupt => {
                Some((error.offset().unwrap_or(0), format!("the index leads astray: {}", error.reason())))
            }
            (None, Err(error)) => return Err(error),
            (None, Ok(counts)) => {
                let known = |counted: binlog::TypeCount| {
                    (counted.name.map_or(Type::Number(counted.type_id), Type::Name), counted.records)
                };
                let told: BTreeMap<Type, u64> = counts.into_iter().map(known).collect();
                let sum = |counts: &BTreeMap<Type, u64>| counts.values().sum::<u64>();
                let behind = self.index.last().map_or(segment.first_id, |block| block.next_id);
                let end = self.index.last().map_or(bytes, |block| block.to);
                if sum(&told) != sum(&self.types) {
                    Some((end, format!("the index counts {} records, there are {}", sum(&told), sum(&self.types))))
                } else if told != self.types {
                    Some((end, "the index counts other types of records than there are".to_owned()))
                } else if self.last_id.map_or(segment.first_id, |last| last + 1) < behind {
                    Some((end, format!("the index tells of records up to {}, which are not there", behind - 1)))
                } else {
                    None
                }
            }
        };
        // A writer that has come meanwhile has added to the index, and not made it wrong.
        let is_quiet = || open(log, segment).is_ok_and(|reader| reader.segments().first() == Some(segment));
        Ok(wrong.filter(|_| is_quiet()).map(|(offset, reason)| Loss {
            path: segment.path.clone(),
            offset,
            bytes: 0,
            ids: None,
            pages: None,
            reason,
            durable: false,
        }))
    }
}

fn open(log: &Reader, segment: &SegmentFacts) -> Result<Reader, Error> {
    log.only(&segment.path, ReaderMode::Prefix)
}
