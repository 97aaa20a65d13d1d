//! Records of many types with times of their own: a log to search in.

use crate::contender::Tally;
use crate::payload::Payloads;
use crate::Result;

/// The type of one record in a thousand.
pub const RARE: u32 = 1_000;
const ONE_IN: u64 = 1_000;

/// The types of the others: 1 to this.
pub const COMMON: u32 = 9;

const FIRST_TIME: i64 = 1_700_000_000_000_000_000;
/// Nanoseconds between two records.
const STEP: i64 = 1_000;

pub struct Typed<'a> {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub payload: &'a [u8],
}

impl Typed<'_> {
    /// The searches rely on ids that count from 1.
    pub fn must_have(&self, id: u64) -> Result<()> {
        match id == self.id {
            true => Ok(()),
            false => Err(format!("record {} was given the id {id}", self.id).into()),
        }
    }
}

/// A writer that takes types and times.
pub trait AppendTyped {
    fn append_typed(&mut self, record: &Typed) -> Result<()>;

    /// Finishes the files.
    fn finish(self) -> Result<()>;
}

/// What a single record is looked up by.
#[derive(Clone, Copy)]
pub enum Wanted {
    Id(u64),
    /// The first record of this time or later.
    Time(i64),
}

/// Finds single records, with everything open that it needs.
pub trait Find {
    /// Shows the record's id and payload.
    fn find(&mut self, wanted: Wanted, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()>;
}

pub struct TypedLoad {
    payloads: Payloads,
    pub records: u64,
    /// Number of consecutive records of the rare type; 0 = each by itself, at random places.
    burst: u64,
}

impl TypedLoad {
    /// Records of `size` bytes, about `bytes` in all, but with at least some of the rare type.
    pub fn of_bytes(size: usize, bytes: u64) -> Self {
        TypedLoad { payloads: Payloads::fixed(size), records: (bytes / size as u64).max(5 * ONE_IN), burst: 0 }
    }

    /// With so many of the rare type in a row, and then none for a thousand times as many.
    pub fn in_bursts(self, burst: u64) -> Self {
        TypedLoad { burst, ..self }
    }

    pub fn is_rare(&self, id: u64) -> bool {
        match self.burst {
            0 => mix(id).is_multiple_of(ONE_IN),
            burst => (id - 1) % (burst * ONE_IN) < burst,
        }
    }

    pub fn record(&self, id: u64) -> Typed<'_> {
        let random = mix(id);
        let type_id = match self.is_rare(id) {
            true => RARE,
            false => 1 + (random >> 32) as u32 % COMMON,
        };
        Typed { id, time: FIRST_TIME + id as i64 * STEP, type_id, payload: self.payloads.at(id - 1) }
    }

    pub fn iter(&self) -> impl Iterator<Item = Typed<'_>> {
        (1..=self.records).map(|id| self.record(id))
    }

    /// What a reader of the rare type must find.
    pub fn rare(&self) -> Tally {
        let mut tally = Tally::default();
        self.iter().filter(|record| record.type_id == RARE).for_each(|record| tally.add_digest(record.payload));
        tally
    }

    pub fn bytes(&self) -> u64 {
        self.payloads.bytes(self.records)
    }

    /// A time for which the record with this id is the first.
    pub fn time_before(&self, id: u64) -> i64 {
        self.record(id).time - (mix(id) % STEP as u64) as i64
    }

    pub fn write<W: AppendTyped>(&self, mut writer: W) -> Result<()> {
        self.iter().try_for_each(|record| writer.append_typed(&record))?;
        writer.finish()
    }
}

/// The finisher of splitmix64: neighbours give unrelated numbers.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_in_a_thousand_is_of_the_rare_type() {
        let load = TypedLoad::of_bytes(600, 600 * 200_000);
        assert!((150..250).contains(&load.rare().records), "{:?}", load.rare());
    }

    #[test]
    fn rare_records_in_bursts_are_as_many_and_stand_together() {
        let load = TypedLoad::of_bytes(600, 600 * 200_000).in_bursts(100);
        assert_eq!(load.rare().records, 200);
        assert!(load.is_rare(1) && load.is_rare(100) && !load.is_rare(101) && load.is_rare(100_001));
    }

    #[test]
    fn the_time_before_a_record_is_after_the_one_before_it() {
        let load = TypedLoad::of_bytes(600, 0);
        for id in 2..1_000 {
            let time = load.time_before(id);
            assert!(load.record(id - 1).time < time && time <= load.record(id).time, "record {id}");
        }
    }
}
