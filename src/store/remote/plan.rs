//! Which ranges of an object are fetched together.

use std::ops::Range;

/// Ranges with this many bytes or fewer between them are fetched as one: a request costs more than these bytes.
const GAP: u64 = 64 << 10;
/// Longer ranges are fetched in parts of this length, several at a time.
const PART: u64 = 1 << 20;
/// Bytes and number of ranges that are fetched at a time: at first, and at most.
const FIRST: (u64, usize) = (1 << 20, 32);
const MOST: (u64, usize) = (8 << 20, 512);

/// Announced ranges in the order of reading, and how much of them is fetched next.
pub(super) struct Plan {
    ranges: Vec<Range<u64>>,
    /// The ranges before this one have been fetched.
    at: usize,
    bytes: u64,
    count: usize,
}

impl Plan {
    pub fn new(ranges: &[Range<u64>]) -> Self {
        let ranges: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        Plan { ranges, at: 0, bytes: FIRST.0, count: FIRST.1 }
    }

    /// Continues at the rate of `before`, which this plan follows.
    pub fn following(self, before: &Plan) -> Self {
        Plan { bytes: before.bytes, count: before.count, ..self }
    }

    pub fn is_done(&self) -> bool {
        self.at == self.ranges.len()
    }

    /// Whether the byte at `offset` is still to be fetched.
    pub fn covers(&self, offset: u64) -> bool {
        self.ranges[self.at..].iter().any(|range| range.contains(&offset))
    }

    /// The ranges to fetch when the byte at `offset` is wanted, including some that come after it; `None` when it is
    /// not in the plan. The amount grows with each call: a reader that reads a little fetches little, and one that
    /// reads everything rarely waits.
    pub fn take(&mut self, offset: u64) -> Option<Vec<Range<u64>>> {
        let found = self.ranges[self.at..].iter().position(|range| range.contains(&offset))?;
        self.at += found;
        let mut taken = vec![];
        let mut left = self.bytes;
        self.ranges[self.at].start = offset;
        while left > 0 && taken.len() < self.count {
            let Some(range) = self.ranges.get_mut(self.at) else { break };
            let end = range.end.min(range.start.saturating_add(left));
            taken.push(range.start..end);
            left -= end - range.start;
            range.start = end;
            self.at += usize::from(range.is_empty());
        }
        self.bytes = (self.bytes * 2).min(MOST.0);
        self.count = (self.count * 2).min(MOST.1);
        Some(taken)
    }
}

/// The same bytes in the least costly number of requests, in order.
pub(super) fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = vec![];
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Divides long ranges into parts that can be fetched concurrently.
pub(super) fn parted(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = vec![];
    for range in ranges {
        // Avoids a tiny last part.
        let count = ((range.end - range.start) / PART).max(1);
        let each = (range.end - range.start).div_ceil(count);
        let mut at = range.start;
        while at < range.end {
            let end = at.saturating_add(each).min(range.end);
            parts.push(at..end);
            at = end;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_fetched_in_growing_steps_and_nothing_twice() {
        let whole = 100..40 << 20;
        let mut plan = Plan::new(std::slice::from_ref(&whole));
        let mut at = whole.start;
        let mut steps = vec![];
        while at < whole.end {
            let taken = plan.take(at).unwrap();
            assert_eq!((taken.len(), taken[0].start), (1, at));
            steps.push(taken[0].end - at);
            at = taken[0].end;
        }
        assert_eq!(&steps[..5], &[1 << 20, 2 << 20, 4 << 20, 8 << 20, 8 << 20]);
        assert!(plan.is_done() && plan.take(whole.start).is_none());
    }

    #[test]
    fn what_is_behind_the_wanted_byte_comes_along_in_the_order_of_reading() {
        let mut plan = Plan::new(&[900..1000, 500..600, 0..10]);
        assert_eq!(plan.take(100), None);
        assert_eq!(plan.take(900), Some(vec![900..1000, 500..600, 0..10]));
        let mut plan = Plan::new(&[0..10, 500..600, 900..1000]);
        assert_eq!(plan.take(550), Some(vec![550..600, 900..1000]));
        assert!(plan.is_done());
    }

    #[test]
    fn near_ranges_are_joined_and_far_ones_are_not() {
        assert_eq!(
            joined(vec![GAP + 10..GAP + 20, 0..10, 5..7, 3 * GAP..3 * GAP + 1]),
            [0..GAP + 20, 3 * GAP..3 * GAP + 1]
        );
        assert_eq!(joined(vec![0..1, GAP + 2..GAP + 3]), [0..1, GAP + 2..GAP + 3]);
        assert_eq!(joined(vec![7..7, 9..9]), []);
    }

    #[test]
    fn parts_are_of_nearly_one_length_and_leave_nothing_out() {
        let short = [0..PART + 1, 2 * PART..2 * PART + 1];
        assert_eq!(parted(&short), short);
        let parts = parted(&[5..8, 10..10 + 3 * PART + 5]);
        assert_eq!(parts[0], 5..8);
        assert_eq!(parts.len(), 4);
        assert!(parts[1..].windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!((parts[1].start, parts[3].end), (10, 10 + 3 * PART + 5));
    }
}
