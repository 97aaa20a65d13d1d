//! What a block holds of each type, counted while it is being filled, for the index.

use std::ops::Range;

/// A block with more types than this is not counted: the index says that it may hold any.
pub const MOST_TYPES: usize = 255;
/// Records of a type that are remembered by place. An index may tell where the only ones of a block are.
const PLACES: usize = 2;

/// Where a record stands in its block.
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
}

impl Tally {
    #[inline]
    fn add(&mut self, standing: Standing) {
        if let Some(place) = self.first.get_mut(self.count as usize) {
            *place = standing;
        }
        self.count += 1;
    }

    /// Where its records stand, when they are few enough to be remembered.
    pub fn standings(&self) -> Option<&[Standing]> {
        self.first.get(..self.count as usize)
    }
}

/// The tallies of several blocks, one after the other.
#[derive(Debug)]
pub struct Tallies {
    all: Vec<Tally>,
    /// For the block being filled: the place of a type's tally among the block's own, plus 1; 0 = free. Open addressing,
    /// with one slot more than there can be types.
    slots: Box<[u8; SLOTS]>,
    /// Records of one type often stand together: the type of such a run, whose records need no places any more, or
    /// [`NO_RUN`]; how many of them are not in their tally yet, and which that is.
    run_type: u64,
    run: u32,
    last: usize,
}

/// No type's number.
const NO_RUN: u64 = u64::MAX;
const SLOTS: usize = 256;

/// Where a type is looked for first.
#[inline(always)]
fn slot_of(type_id: u32) -> usize {
    (type_id.wrapping_mul(0x9E37_79B9) >> 24) as usize
}

/// The tallies of one block.
#[derive(Clone, Debug)]
pub struct Counted {
    range: Range<usize>,
    /// There were more types than are counted.
    pub overflown: bool,
}

impl Default for Tallies {
    fn default() -> Self {
        Tallies { all: vec![], slots: Box::new([0; SLOTS]), run_type: NO_RUN, run: 0, last: 0 }
    }
}

impl Tallies {
    /// Begins a block.
    pub fn begin(&mut self) -> Counted {
        self.settle();
        self.slots.fill(0);
        Counted { range: self.all.len()..self.all.len(), overflown: false }
    }

    /// Counts a record of the block that was begun last; where it stands is asked only for the first ones of a type.
    #[inline(always)]
    pub fn add(&mut self, counted: &mut Counted, type_id: u32, standing: impl FnOnce() -> Standing) {
        if u64::from(type_id) == self.run_type {
            self.run += 1;
        } else if !self.add_to_known(counted, type_id) {
            self.add_other(counted, type_id, standing());
        }
    }

    /// The quick way for a type that needs no places any more, and is where it is looked for first.
    #[inline(always)]
    fn add_to_known(&mut self, counted: &Counted, type_id: u32) -> bool {
        let place = usize::from(self.slots[slot_of(type_id)]);
        let at = (counted.range.start + place).wrapping_sub(1);
        let known = place != 0
            && self.all.get(at).is_some_and(|tally| tally.type_id == type_id && tally.count as usize >= PLACES);
        if known {
            if let Some(tally) = self.all.get_mut(self.last) {
                tally.count += self.run;
            }
            (self.run, self.run_type, self.last) = (1, u64::from(type_id), at);
        }
        known
    }

    /// Puts what was counted last into its tally. Before [`Self::of`] is asked.
    pub fn settle(&mut self) {
        if let Some(tally) = self.all.get_mut(self.last) {
            tally.count += std::mem::take(&mut self.run);
        }
        self.run_type = NO_RUN;
    }

    fn add_to(&mut self, at: usize, standing: Standing) {
        let tally = &mut self.all[at];
        tally.add(standing);
        self.last = at;
        if tally.count as usize >= PLACES {
            self.run_type = u64::from(tally.type_id);
        }
    }

    #[inline(never)]
    fn add_other(&mut self, counted: &mut Counted, type_id: u32, standing: Standing) {
        self.settle();
        let mut slot = slot_of(type_id);
        loop {
            match self.slots[slot] {
                0 => break,
                place => {
                    let at = counted.range.start + usize::from(place) - 1;
                    if self.all[at].type_id == type_id {
                        return self.add_to(at, standing);
                    }
                }
            }
            slot = (slot + 1) % SLOTS;
        }
        if counted.range.len() == MOST_TYPES {
            counted.overflown = true;
            return;
        }
        self.all.push(Tally { type_id, count: 0, first: Default::default() });
        counted.range.end = self.all.len();
        self.slots[slot] = counted.range.len() as u8;
        self.add_to(self.all.len() - 1, standing);
    }

    /// The tallies of a block, in the order in which the types came.
    pub fn of(&self, counted: &Counted) -> &[Tally] {
        debug_assert_eq!(self.run, 0, "settled before");
        &self.all[counted.range.clone()]
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
    fn more_types_than_are_counted_are_told_and_the_next_block_counts_again() {
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
