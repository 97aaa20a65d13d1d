//! Counts the records of each type in a block while it is being filled, for the index.

use std::ops::Range;

use crate::memory;

/// A block with more types than this is not counted: in the index it may hold any type.
pub const MOST_TYPES: usize = 255;
/// Records of a type whose places are kept. The index may contain the places if a block has no more of them.
const PLACES: usize = 2;

/// The place of a record in its block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its number among the block's records, from 0.
    pub ordinal: u32,
    pub payload_at: u32,
    pub payload_len: u32,
    pub time: i64,
    pub has_metadata: bool,
}

/// One type of one block.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    pub type_id: u32,
    pub count: u32,
    first: [Standing; PLACES],
    slot: u8,
}

impl Tally {
    /// The places of its records, if they are few enough to be kept.
    pub fn standings(&self) -> Option<&[Standing]> {
        self.first.get(..self.count as usize)
    }
}

/// The tallies of several blocks, one after the other. The records of the block being filled are counted in a separate
/// table, whose slots are found by the type's number: counting one takes a lookup, a comparison and an addition.
#[derive(Debug)]
pub struct Tallies {
    all: Vec<Tally>,
    /// Open addressing, with one slot more than there can be types.
    slots: Box<[Slot; SLOTS]>,
}

/// The count of one type; the slot is free while the count is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    type_id: u32,
    count: u32,
    /// Index of its tally in `all`.
    at: u32,
}

const SLOTS: usize = 256;

/// The slot that is tried first for a type.
#[inline(always)]
fn slot_of(type_id: u32) -> u8 {
    (type_id.wrapping_mul(0x9E37_79B9) >> 24) as u8
}

/// The tallies of one block.
#[derive(Clone, Debug)]
pub struct Counted {
    range: Range<usize>,
    /// There were more types than can be counted.
    pub overflown: bool,
}

impl Default for Tallies {
    fn default() -> Self {
        Tallies { all: vec![], slots: Box::new([Slot::default(); SLOTS]) }
    }
}

impl Tallies {
    /// Begins a block.
    pub fn begin(&mut self) -> Counted {
        self.settle();
        Counted { range: self.all.len()..self.all.len(), overflown: false }
    }

    /// Counts a record of the block that was begun last; `standing` is called only for the first ones of a type.
    #[inline(always)]
    pub fn add(&mut self, counted: &mut Counted, type_id: u32, standing: impl FnOnce() -> Standing) {
        let slot = &mut self.slots[usize::from(slot_of(type_id))];
        if slot.type_id == type_id && slot.count as usize >= PLACES {
            slot.count += 1;
        } else {
            self.add_other(counted, type_id, standing());
        }
    }

    /// Counts so many records of a type, each as [`Self::add`] does; `standing` is called with their numbers, from 0.
    #[inline]
    pub fn add_many(&mut self, counted: &mut Counted, type_id: u32, many: u32, standing: impl Fn(u32) -> Standing) {
        for number in 0..many {
            let slot = &mut self.slots[usize::from(slot_of(type_id))];
            if slot.type_id == type_id && slot.count as usize >= PLACES {
                slot.count += many - number;
                return;
            }
            self.add_other(counted, type_id, standing(number));
        }
    }

    /// Counts one of the first records of its type, or of a type whose slot is used by another.
    #[inline(never)]
    fn add_other(&mut self, counted: &mut Counted, type_id: u32, standing: Standing) {
        let mut number = slot_of(type_id);
        while self.slots[usize::from(number)].count != 0 && self.slots[usize::from(number)].type_id != type_id {
            number = number.wrapping_add(1);
        }
        let slot = &mut self.slots[usize::from(number)];
        if slot.count == 0 {
            // Without memory for a list of them, they are not counted either.
            if counted.range.len() == MOST_TYPES || memory::reserve(&mut self.all, 1).is_err() {
                counted.overflown = true;
                return;
            }
            *slot = Slot { type_id, count: 0, at: self.all.len() as u32 };
            self.all.push(Tally { type_id, count: 0, first: Default::default(), slot: number });
            counted.range.end = self.all.len();
        }
        if let Some(place) = self.all[slot.at as usize].first.get_mut(slot.count as usize) {
            *place = standing;
        }
        slot.count += 1;
    }

    /// Moves the last counts into the tallies. Called before [`Self::of`].
    pub fn settle(&mut self) {
        for tally in self.all.iter_mut().rev() {
            let slot = &mut self.slots[usize::from(tally.slot)];
            // The tallies of earlier blocks are settled, and have no slots any more.
            if tally.count != 0 {
                break;
            }
            tally.count = std::mem::take(&mut slot.count);
        }
    }

    /// The tallies of a block, in the order in which the types occurred.
    pub fn of(&self, counted: &Counted) -> &[Tally] {
        let tallies = &self.all[counted.range.clone()];
        debug_assert!(tallies.iter().all(|tally| tally.count != 0), "settled before");
        tallies
    }

    /// Forgets all blocks and keeps the memory.
    pub fn clear(&mut self) {
        self.settle();
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_whatever_their_order_and_the_first_ones_keep_their_places() {
        let mut tallies = Tallies::default();
        tallies.begin();
        let mut counted = tallies.begin();
        let types: Vec<u32> = (0..1000u32).map(|i| if i == 700 { 9_000_000 } else { i * i % 200 }).collect();
        for (i, &type_id) in types.iter().enumerate() {
            let standing = Standing { ordinal: i as u32, ..Standing::default() };
            tallies.add(&mut counted, type_id, || standing);
        }
        assert!(!counted.overflown);
        tallies.settle();
        let seen = tallies.of(&counted);
        for tally in seen {
            let expected = types.iter().filter(|&&type_id| type_id == tally.type_id).count();
            assert_eq!(tally.count as usize, expected, "type {}", tally.type_id);
        }
        assert_eq!(seen.iter().map(|tally| tally.count).sum::<u32>(), 1000);
        let rare = seen.iter().find(|tally| tally.type_id == 9_000_000).unwrap();
        assert_eq!(rare.standings().unwrap()[0].ordinal, 700);
        assert!(seen[0].standings().is_none(), "a frequent type has no places");
    }

    #[test]
    fn more_types_than_can_be_counted_are_reported_and_the_next_block_counts_again() {
        let mut tallies = Tallies::default();
        let mut counted = tallies.begin();
        for type_id in 0..MOST_TYPES as u32 {
            tallies.add(&mut counted, type_id * 256, Standing::default);
        }
        assert!(!counted.overflown);
        tallies.add(&mut counted, 7, Standing::default);
        tallies.add(&mut counted, 256, Standing::default);
        assert!(counted.overflown);
        let mut next = tallies.begin();
        tallies.add(&mut next, 7, Standing::default);
        tallies.settle();
        assert_eq!(tallies.of(&next).len(), 1);
    }
}
