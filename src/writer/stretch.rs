//! Which records the current segment is for: the part of rolling that each append asks for.

use std::time::Duration;

use crate::log::{Calendar, Naming};
use crate::options::{Period, RollOptions};

/// A clock that is set back by no more than this, or a quarter of the period, only jitters: it is not followed, or each time
/// that it passed the same boundary would roll.
const JITTER: i64 = 10_000_000_000;

/// When a log rolls, made ready to be asked.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// Only with a period.
    period: Option<(Period, Calendar)>,
    age: Option<i64>,
    records: Option<u64>,
    jitter: i64,
}

/// The time and the ids that the current segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    from: i64,
    /// `u64::MAX` = for ever.
    len: u64,
    /// The first id that is not for it.
    end_id: u64,
}

impl Stretch {
    /// Whether `count` records that begin with id `id` are not for it, at the time `now`. A clock that shows a time before
    /// the stretch counts too: then it has to be computed anew.
    #[inline(always)]
    pub fn is_over(&self, now: i64, id: u64, count: u64) -> bool {
        (now.wrapping_sub(self.from) as u64 >= self.len && self.len != u64::MAX) || count > self.end_id.wrapping_sub(id)
    }

    /// When it ends; `None` = never.
    pub fn end(&self) -> Option<i64> {
        (self.len != u64::MAX).then(|| self.from.saturating_add(i64::try_from(self.len).unwrap_or(i64::MAX)))
    }
}

impl Rules {
    /// For a log with this naming.
    pub fn new(roll: &RollOptions, naming: &Naming) -> Self {
        let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        Rules {
            period: naming.period.map(|period| (period, naming.calendar.clone())),
            age: roll.age.map(nanos),
            records: roll.records,
            jitter: naming.period.map_or(0, |period| nanos(Duration::from_secs(period.seconds())) / 4).min(JITTER),
        }
    }

    /// When a segment that was begun at `begun` counts as begun once the clock has shown `now`: a clock that was put right
    /// since is followed.
    pub fn begun(&self, begun: i64, now: i64) -> i64 {
        if now < begun.saturating_sub(self.jitter) {
            now
        } else {
            begun
        }
    }

    /// What a segment is for that was begun at `created` with the record `first_id`, as it looks `now`. `count` records
    /// with the id `id` are going to be appended: what a batch larger than a segment needs is granted to an empty one.
    pub fn stretch(&self, (created, first_id): (i64, u64), now: i64, id: u64, count: u64) -> Stretch {
        let begun = self.begun(created, now);
        let end = [self.boundary(begun), self.age.map(|age| begun.saturating_add(age))].into_iter().flatten().min();
        let from = begun.saturating_sub(self.jitter);
        let most = match self.records {
            Some(records) if id == first_id => records.max(count),
            Some(records) => records,
            None => u64::MAX,
        };
        Stretch {
            from,
            len: end.map_or(u64::MAX, |end| end.wrapping_sub(from) as u64),
            end_id: first_id.saturating_add(most),
        }
    }

    /// The rule by which a segment that was begun so is not for `count` records that begin with `id`, at the time `now`.
    pub fn why_over(&self, begun: (i64, u64), now: i64, id: u64, count: u64) -> Option<&'static str> {
        let (created, first_id) = begun;
        let from = self.begun(created, now);
        if self.boundary(from).is_some_and(|boundary| now >= boundary) {
            return Some("period");
        }
        if self.age.is_some_and(|age| now >= from.saturating_add(age)) {
            return Some("age");
        }
        let taken = id - first_id;
        let full = self.records.is_some_and(|most| taken > 0 && taken.saturating_add(count.max(1)) > most);
        full.then_some("records")
    }

    fn boundary(&self, after: i64) -> Option<i64> {
        self.period.as_ref().map(|(period, calendar)| calendar.next_boundary(*period, after))
    }

    /// How long before the end of a stretch the next file is prepared, in nanoseconds.
    pub fn lead(&self) -> i64 {
        const MOST: i64 = 1_000_000_000;
        let shortest = [self.period.as_ref().map(|(period, _)| period.seconds() as i64 * MOST), self.age];
        shortest.into_iter().flatten().map(|length| (length / 8).min(MOST)).min().unwrap_or(0)
    }
}
