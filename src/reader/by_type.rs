//! Records and bytes of each type, while they are counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::TypeContents;
use crate::memory::{self, NoMemory};
use crate::record::Record;

/// Records, and bytes of their payloads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub records: u64,
    pub bytes: u64,
}

impl Sum {
    pub fn add(&mut self, other: Sum) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Counts of types by number. Few types alternate in a block: most are found in the slot that their number points to.
pub(super) struct ByNumber {
    slots: Vec<(u32, Sum)>,
    rest: BTreeMap<u32, Sum>,
}

const SLOTS: usize = 64;

impl Default for ByNumber {
    fn default() -> Self {
        ByNumber { slots: vec![(0, Sum::default()); SLOTS], rest: BTreeMap::new() }
    }
}

impl ByNumber {
    #[inline]
    pub fn add(&mut self, type_id: u32, sum: Sum) {
        let slot = &mut self.slots[(type_id.wrapping_mul(0x9E37_79B9) >> 26) as usize];
        if slot.0 != type_id {
            let (before, counted) = std::mem::replace(slot, (type_id, Sum::default()));
            if counted.records > 0 {
                self.rest.entry(before).or_default().add(counted);
            }
        }
        slot.1.add(sum);
    }

    pub fn drain(&mut self) -> impl Iterator<Item = (u32, Sum)> {
        for (type_id, sum) in &mut self.slots {
            let sum = std::mem::take(sum);
            if sum.records > 0 {
                self.rest.entry(*type_id).or_default().add(sum);
            }
        }
        std::mem::take(&mut self.rest).into_iter()
    }
}

/// The smallest and the greatest of no times.
pub(super) const NO_TIMES: (i64, i64) = (i64::MAX, i64::MIN);

/// Records that a cursor has shown, all from one block.
pub(super) struct Batch {
    pub types: ByNumber,
    pub ids: Option<(u64, u64)>,
    pub times: (i64, i64),
    pub sum: Sum,
}

impl Default for Batch {
    fn default() -> Self {
        Batch { types: ByNumber::default(), ids: None, times: NO_TIMES, sum: Sum::default() }
    }
}

impl Batch {
    #[inline]
    pub fn add(&mut self, record: &Record<'_>) {
        if record.is_event() {
            return;
        }
        let one = Sum { records: 1, bytes: u64::from(record.payload_len) };
        self.types.add(record.type_id, one);
        self.sum.add(one);
        self.ids = Some((self.ids.map_or(record.id, |(first, _)| first), record.id));
        self.times = (self.times.0.min(record.time), self.times.1.max(record.time));
    }
}

/// Types of a log. A name is the same type in every segment, and so is a number without a name.
#[derive(Default)]
pub(super) struct ByType(BTreeMap<(Option<String>, u32), Numbers>);

/// The numbers of a type, in the order in which they were met, and what there is of each.
type Numbers = Vec<(u32, Sum)>;

impl ByType {
    pub fn add(&mut self, name: Option<String>, type_id: u32, sum: Sum) {
        let number = if name.is_some() { 0 } else { type_id };
        let numbers = self.0.entry((name, number)).or_default();
        match numbers.iter_mut().find(|(number, _)| *number == type_id) {
            Some((_, of_number)) => of_number.add(sum),
            None => numbers.push((type_id, sum)),
        }
    }

    /// Each type, the most frequent first, and each number of each type.
    pub fn finish(self) -> Result<(Vec<TypeContents>, Vec<TypeContents>), NoMemory> {
        let (mut types, mut numbers) = (vec![], vec![]);
        for ((name, _), sums) in self.0 {
            let mut all = Sum::default();
            sums.iter().for_each(|&(_, sum)| all.add(sum));
            let type_id = sums.first().map_or(0, |&(number, _)| number);
            memory::push(&mut types, contents(type_id, &name, all))?;
            for (number, sum) in sums {
                memory::push(&mut numbers, contents(number, &name, sum))?;
            }
        }
        types.sort_unstable_by(|a, b| {
            (Reverse(a.records), &a.name, a.type_id).cmp(&(Reverse(b.records), &b.name, b.type_id))
        });
        Ok((types, numbers))
    }
}

fn contents(type_id: u32, name: &Option<String>, sum: Sum) -> TypeContents {
    TypeContents { type_id, name: name.clone(), records: sum.records, payload_bytes: sum.bytes }
}
