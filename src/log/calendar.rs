//! The wall clock of a time zone: the boundaries of its periods, and the times that it shows.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::{Error, Result};
use crate::options::Period;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

/// A time zone. Times are nanoseconds since the Unix epoch, any that an `i64` can hold; a boundary outside of that
/// range is replaced by the greatest or the least one.
///
/// A boundary of a period is a moment at which the wall clock shows a multiple of it, or is put forward over one. A
/// multiple that the clock shows twice, because it is put back, is two boundaries.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// "" and "UTC" need no database; other zones are found in the system's, `TZDIR` or /usr/share/zoneinfo.
    pub fn of_zone(zone: &str) -> Result<Self> {
        let unknown = || {
            Error::invalid(format!(
                "the system's time zone database has no zone {zone:?}; take \"UTC\" or a name such as \"Europe/Berlin\""
            ))
        };
        let zone = match zone {
            "" | "UTC" => TimeZone::UTC,
            _ => TimeZone::get(zone).map_err(|_| unknown())?,
        };
        match zone.is_unknown() {
            false => Ok(Calendar { zone }),
            true => Err(unknown()),
        }
    }

    /// The first boundary after a time.
    pub fn next_boundary(&self, period: Period, after_ns: i64) -> i64 {
        let mut at = after_ns.div_euclid(SECOND_NS);
        let mut offset = self.offset(at);
        // The wall clock runs evenly up to the next change of the offset, and there are at most two changes a year: the
        // loop visits only those, never the periods.
        loop {
            let boundary = multiple_after(period, at + offset) - offset;
            match self.zone.following(timestamp(at)).next().map(|change| (change.timestamp(), change.offset())) {
                Some((change, new)) if change.as_second() <= boundary => {
                    let (change, new) = (change.as_second(), i64::from(new.seconds()));
                    if is_boundary(period, change, offset, new) {
                        return nanoseconds(change);
                    }
                    (at, offset) = (change, new);
                }
                _ => return nanoseconds(boundary),
            }
        }
    }

    /// The last boundary that is not after a time. The tests compare the next one with it.
    #[cfg(test)]
    fn period_start(&self, period: Period, at_ns: i64) -> i64 {
        let mut at = at_ns.div_euclid(SECOND_NS);
        loop {
            let offset = self.offset(at);
            let boundary = multiple_until(period, at + offset) - offset;
            match self.zone.preceding(timestamp(at + 1)).next().map(|change| change.timestamp().as_second()) {
                Some(change) if change >= boundary => {
                    if is_boundary(period, change, self.offset(change - 1), offset) {
                        return nanoseconds(change);
                    }
                    at = change - 1;
                }
                _ => return nanoseconds(boundary),
            }
        }
    }

    /// The time that the wall clock shows.
    pub fn civil(&self, at_ns: i64) -> Civil {
        Civil(Zoned::new(Timestamp::from_nanosecond(at_ns.into()).unwrap_or_default(), self.zone.clone()))
    }

    /// Seconds by which the wall clock is ahead of UTC.
    fn offset(&self, at_s: i64) -> i64 {
        self.zone.to_offset(timestamp(at_s)).seconds().into()
    }
}

/// A time as a wall clock shows it.
pub(crate) struct Civil(Zoned);

impl Civil {
    /// One conversion of strftime(3), by its letter, with the names of the C locale.
    pub fn show(&self, conversion: char) -> String {
        strtime::format(format!("%{conversion}"), &self.0).unwrap_or_default()
    }
}

/// The range of the zones is far wider than 64 bits of nanoseconds: no time in these is left out.
fn timestamp(at_s: i64) -> Timestamp {
    Timestamp::from_second(at_s).unwrap_or_default()
}

fn nanoseconds(at_s: i64) -> i64 {
    at_s.saturating_mul(SECOND_NS)
}

/// The last multiple of a period that is not after a time of the wall clock, in seconds since its 1970-01-01.
fn multiple_until(period: Period, wall_s: i64) -> i64 {
    let length = period.seconds() as i64;
    // Periods of a day and less begin anew at midnight.
    let from = if length <= DAY_S { wall_s.div_euclid(DAY_S) * DAY_S } else { 0 };
    from + (wall_s - from).div_euclid(length) * length
}

/// The first multiple after a time of the wall clock.
fn multiple_after(period: Period, wall_s: i64) -> i64 {
    let length = period.seconds() as i64;
    let next = multiple_until(period, wall_s) + length;
    match length <= DAY_S {
        true => next.min((wall_s.div_euclid(DAY_S) + 1) * DAY_S),
        false => next,
    }
}

/// Whether the moment of a change is a boundary: the clock shows a multiple then, or was put forward over one.
fn is_boundary(period: Period, change_s: i64, offset: i64, new: i64) -> bool {
    multiple_until(period, change_s + new) >= change_s + offset.min(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    const ZONES: [&str; 7] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        // Put forward at midnight, put back at a minute past midnight, and without the 30th of December 2011.
        "America/Sao_Paulo",
        "America/St_Johns",
        "Pacific/Apia",
    ];
    const NAMED: [Period; 7] = [
        Period::MINUTE,
        Period::FIVE_MINUTES,
        Period::TEN_MINUTES,
        Period::QUARTER_HOUR,
        Period::HALF_HOUR,
        Period::HOUR,
        Period::DAY,
    ];

    fn seconds(seconds: u64) -> Period {
        Period::from_seconds(seconds).unwrap()
    }

    fn ns(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_nanosecond() as i64
    }

    fn calendar(zone: &str) -> Calendar {
        Calendar::of_zone(zone).unwrap()
    }

    /// The boundaries after `time`, up to `last`.
    fn boundaries(zone: &str, period: Period, time: &str, last: &str) -> Vec<String> {
        let (calendar, mut at, last) = (calendar(zone), ns(time), ns(last));
        let mut found = vec![];
        loop {
            let next = calendar.next_boundary(period, at);
            assert!(next > at);
            assert_eq!(calendar.period_start(period, next), next);
            assert_eq!(calendar.period_start(period, next - 1), calendar.period_start(period, at));
            if next > last {
                return found;
            }
            found.push(Timestamp::from_nanosecond(next.into()).unwrap().to_string());
            at = next;
        }
    }

    /// The definition, second by second.
    fn is_boundary_by_stepping(calendar: &Calendar, period: Period, at_s: i64) -> bool {
        let of_day = |wall: i64| if period.seconds() <= 86_400 { wall.rem_euclid(86_400) } else { wall };
        let is_multiple = |wall: i64| of_day(wall) % period.seconds() as i64 == 0;
        let (before, wall) = (at_s - 1 + calendar.offset(at_s - 1), at_s + calendar.offset(at_s));
        is_multiple(wall) || (before + 1..wall).any(is_multiple)
    }

    fn agree(calendar: &Calendar, period: Period, from_s: i64, seconds: i64) {
        let mut last = calendar.period_start(period, from_s * SECOND_NS) / SECOND_NS;
        let mut next = calendar.next_boundary(period, from_s * SECOND_NS) / SECOND_NS;
        assert!(last <= from_s && next > from_s);
        for at in from_s + 1..from_s + seconds {
            if is_boundary_by_stepping(calendar, period, at) {
                assert_eq!(next, at, "{period} {:?}", calendar.zone);
                last = at;
                next = calendar.next_boundary(period, at * SECOND_NS) / SECOND_NS;
            }
            assert!(next > at, "{next} {at} {period} {:?}", calendar.zone);
            if at % 61 == 0 || at == last {
                assert_eq!(calendar.period_start(period, at * SECOND_NS + 7), last * SECOND_NS);
            }
        }
    }

    #[test]
    fn each_named_period_in_utc_begins_at_its_multiples() {
        for (period, next, start) in [
            (Period::MINUTE, "2026-07-14T13:38:00Z", "2026-07-14T13:37:00Z"),
            (Period::FIVE_MINUTES, "2026-07-14T13:40:00Z", "2026-07-14T13:35:00Z"),
            (Period::TEN_MINUTES, "2026-07-14T13:40:00Z", "2026-07-14T13:30:00Z"),
            (Period::QUARTER_HOUR, "2026-07-14T13:45:00Z", "2026-07-14T13:30:00Z"),
            (Period::HALF_HOUR, "2026-07-14T14:00:00Z", "2026-07-14T13:30:00Z"),
            (Period::HOUR, "2026-07-14T14:00:00Z", "2026-07-14T13:00:00Z"),
            (Period::DAY, "2026-07-15T00:00:00Z", "2026-07-14T00:00:00Z"),
        ] {
            let at = ns("2026-07-14T13:37:42.123456789Z");
            for utc in ["", "UTC"] {
                assert_eq!(calendar(utc).next_boundary(period, at), ns(next), "{period}");
                assert_eq!(calendar(utc).period_start(period, at), ns(start), "{period}");
            }
        }
    }

    #[test]
    fn the_leap_day_is_a_day() {
        let found = boundaries("UTC", Period::DAY, "2028-02-28T12:00:00Z", "2028-03-01T12:00:00Z");
        assert_eq!(found, ["2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"]);
    }

    #[test]
    fn the_days_of_a_zone_begin_at_its_midnights_also_when_they_have_23_or_25_hours() {
        let found = boundaries("Europe/Berlin", Period::DAY, "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z");
        assert_eq!(found, ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
        let found = boundaries("America/New_York", Period::DAY, "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
        assert_eq!(found, ["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"]);
    }

    #[test]
    fn an_hour_that_the_clock_shows_twice_begins_twice() {
        let found = boundaries("Europe/Berlin", Period::HOUR, "2026-10-24T23:30:00Z", "2026-10-25T02:00:00Z");
        assert_eq!(found, ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);
        // Put back from 2:00 to 1:30: the hour begins at 1:00 and at the second 2:00.
        let found = boundaries("Australia/Lord_Howe", Period::HOUR, "2026-04-04T13:30:00Z", "2026-04-04T16:00:00Z");
        assert_eq!(found, ["2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"]);
    }

    #[test]
    fn a_multiple_that_the_clock_is_put_forward_over_counts_when_that_happens() {
        // From 2:00 to 2:30.
        let found = boundaries("Australia/Lord_Howe", Period::HOUR, "2026-10-03T15:00:00Z", "2026-10-03T16:40:00Z");
        assert_eq!(found, ["2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"]);
        // From 2:00 to 3:00: the multiples beside that are 1:59 and 3:02.
        let found = boundaries("Europe/Berlin", seconds(420), "2026-03-29T00:55:00Z", "2026-03-29T01:05:00Z");
        assert_eq!(found, ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:02:00Z"]);
        // From the end of the 29th to the beginning of the 31st.
        let found = boundaries("Pacific/Apia", Period::DAY, "2011-12-29T11:00:00Z", "2011-12-31T11:00:00Z");
        assert_eq!(found, ["2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]);
    }

    #[test]
    fn a_period_that_does_not_divide_a_day_begins_anew_at_midnight() {
        let found = boundaries("UTC", seconds(420), "2026-07-14T23:50:00Z", "2026-07-15T00:08:00Z");
        assert_eq!(found, ["2026-07-14T23:55:00Z", "2026-07-15T00:00:00Z", "2026-07-15T00:07:00Z"]);
    }

    #[test]
    fn a_period_of_several_days_is_counted_from_1970_by_the_wall_clock() {
        let three_days = seconds(3 * 86_400);
        let found = boundaries("Europe/Berlin", three_days, "1969-12-28T00:00:00Z", "1970-01-04T00:00:00Z");
        assert_eq!(found, ["1969-12-28T23:00:00Z", "1969-12-31T23:00:00Z", "1970-01-03T23:00:00Z"]);
        let found = boundaries("Europe/Berlin", three_days, "2026-03-26T00:00:00Z", "2026-04-01T00:00:00Z");
        assert_eq!(found, ["2026-03-28T23:00:00Z", "2026-03-31T22:00:00Z"]);
    }

    #[test]
    fn around_each_change_of_the_clock_it_agrees_with_going_second_by_second() {
        for zone in &ZONES[1..] {
            let calendar = calendar(zone);
            let years = ns("2009-12-01T00:00:00Z")..ns("2012-02-01T00:00:00Z");
            let mut seen = 0;
            for change in calendar.zone.following(timestamp(years.start / SECOND_NS)) {
                let at = change.timestamp().as_second();
                if at > years.end / SECOND_NS {
                    break;
                }
                seen += 1;
                for period in NAMED.into_iter().chain([7 * 60, 90, 3 * 86_400, 5_400].map(seconds)) {
                    agree(&calendar, period, at - 3_000, 7_500);
                }
            }
            assert!(seen >= 3, "{zone}");
        }
    }

    #[test]
    fn a_boundary_a_century_away_is_computed_and_not_stepped_to() {
        let century = seconds(100 * 366 * 86_400);
        for zone in ZONES {
            let calendar = calendar(zone);
            let mut at = i64::MIN;
            let mut count = 0;
            while at < i64::MAX {
                at = calendar.next_boundary(century, at);
                count += 1;
            }
            assert_eq!(count, 6, "{zone}");
        }
    }

    #[test]
    fn the_ends_of_time_neither_panic_nor_overflow() {
        for zone in ZONES {
            let calendar = calendar(zone);
            for period in NAMED.into_iter().chain([seconds(1), seconds(100 * 366 * 86_400)]) {
                for at in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
                    let (start, next) = (calendar.period_start(period, at), calendar.next_boundary(period, at));
                    assert!(start <= at && (next > at || next == i64::MAX), "{start} {at} {next}");
                    assert!(!calendar.civil(at).show('c').is_empty());
                }
            }
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        for wrong in ["Europe/Atlantis", "../etc/passwd", "/etc/localtime", " ", "Etc/Unknown"] {
            let error = Calendar::of_zone(wrong).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::Invalid);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    proptest! {
        #![proptest_config(Config { cases: 512, failure_persistence: None, ..Config::default() })]

        #[test]
        fn no_boundary_is_passed_over_and_none_invented(
            zone in prop::sample::select(&ZONES[..]),
            length in prop_oneof![1u64..100_000, prop::sample::select(vec![60, 3_600, 86_400]), 1u64..1_000_000_000],
            at in prop_oneof![any::<i64>(), 0..2_000_000_000_000_000_000i64],
        ) {
            let (calendar, period) = (calendar(zone), seconds(length));
            let (start, next) = (calendar.period_start(period, at), calendar.next_boundary(period, at));
            prop_assert!(start <= at && (next > at || next == i64::MAX));
            if next < i64::MAX {
                prop_assert_eq!(calendar.period_start(period, next), next);
                prop_assert_eq!(calendar.period_start(period, next - 1), start);
                prop_assert!(is_boundary_by_stepping(&calendar, period, next / SECOND_NS));
            }
            if start > i64::MIN {
                prop_assert_eq!(calendar.period_start(period, start), start);
                prop_assert_eq!(calendar.next_boundary(period, start), next);
                prop_assert_eq!(calendar.next_boundary(period, start - 1), start);
            }
            let from = at.div_euclid(SECOND_NS).clamp(i64::MIN / SECOND_NS + 2_000, i64::MAX / SECOND_NS - 2_000);
            if length < 1_000 {
                agree(&calendar, period, from, 600);
            }
        }
    }
}
