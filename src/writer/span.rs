//! Which records belong to the current segment: the part of rolling that each append checks.

use std::time::Duration;

use crate::log::{Calendar, Naming};
use crate::options::{Period, RollOptions};

/// A clock that is set back by no more than this, or a quarter of the period, only jitters. Such a step is ignored:
/// otherwise the log would roll each time the clock passed the same boundary.
const JITTER: i64 = 10_000_000_000;

/// The rules by which a log rolls, in a form that each append can check.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// Present only with a period.
    period: Option<(Period, Calendar)>,
    age: Option<i64>,
    records: Option<u64>,
    jitter: i64,
}

/// The time and the ids that belong to the current segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    from: i64,
    /// `u64::MAX` = for ever.
    len: u64,
    /// The first id after it.
    end_id: u64,
}

impl Span {
    /// Whether `count` records from id `id` are outside the span at the time `now`. This is also so when the clock
    /// shows a time before the span: the span then has to be computed again.
    #[inline(always)]
    pub fn is_over(&self, now: i64, id: u64, count: u64) -> bool {
        (now.wrapping_sub(self.from) as u64 >= self.len && self.len != u64::MAX) || count > self.end_id.wrapping_sub(id)
    }

    /// The first time that is in it; `i64::MIN` = all are.
    pub fn begin(&self) -> i64 {
        if self.len == u64::MAX {
            i64::MIN
        } else {
            self.from
        }
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

    /// When a segment that was begun at `begun` counts as begun once the clock has shown `now`. A clock that was
    /// corrected meanwhile is followed.
    pub fn begun(&self, begun: i64, now: i64) -> i64 {
        if now < begun.saturating_sub(self.jitter) {
            now
        } else {
            begun
        }
    }

    /// The span at the time `now` of a segment that was begun at `created` with the record `first_id`. `count` records
    /// from id `id` are about to be appended; an empty segment accepts a batch that is larger than a segment.
    pub fn span(&self, (created, first_id): (i64, u64), now: i64, id: u64, count: u64) -> Span {
        let begun = self.begun(created, now);
        let end = [self.boundary(begun), self.age.map(|age| begun.saturating_add(age))].into_iter().flatten().min();
        let from = begun.saturating_sub(self.jitter);
        let most = match self.records {
            Some(records) if id == first_id => records.max(count),
            Some(records) => records,
            None => u64::MAX,
        };
        Span {
            from,
            len: end.map_or(u64::MAX, |end| end.wrapping_sub(from) as u64),
            end_id: first_id.saturating_add(most),
        }
    }

    /// The rule by which `count` records from id `id` are outside a segment that was begun so, at the time `now`.
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

    /// Whether segments roll by their number of records.
    pub fn count_records(&self) -> bool {
        self.records.is_some()
    }

    /// How long before the end of a span the next file is prepared, in nanoseconds.
    pub fn lead(&self) -> i64 {
        const MOST: i64 = 1_000_000_000;
        let shortest = [self.period.as_ref().map(|(period, _)| period.seconds() as i64 * MOST), self.age];
        shortest.into_iter().flatten().map(|length| (length / 8).min(MOST)).min().unwrap_or(0)
    }
}
