//! What people write on a command line: types, sizes, times, durations, id ranges, metadata, codecs.

use std::time::Duration;

use binlog::rolling::Period;
use binlog::{Codec, FIRST_NAMED_TYPE};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A type by its number or by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    Number(u32),
    Name(String),
}

/// Any type that a reader accepts: all digits are a number, everything else is a name.
pub fn any_type(text: &str) -> Result<Type, String> {
    if text.is_empty() {
        return Err("a type is a number or a name".to_owned());
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Type::Name(text.to_owned()));
    }
    text.parse().map(Type::Number).map_err(|_| "a type number has 32 bits".to_owned())
}

/// A type that records can be appended with.
pub fn own_type(text: &str) -> Result<Type, String> {
    match any_type(text)? {
        Type::Number(n) if n >= FIRST_NAMED_TYPE => {
            Err(format!("numbers from {FIRST_NAMED_TYPE} on stand for named types and events; give the name"))
        }
        Type::Name(name) if name.len() > 4096 => Err("a type's name has at most 4,096 bytes".to_owned()),
        valid => Ok(valid),
    }
}

/// A size that is not 0.
pub fn some_size(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("it must be 1 or more".to_owned()),
        size => Ok(size),
    }
}

/// `100MB`, `64KiB`, `2G`: K, M, G and T are powers of 1024, as are KiB and so on; KB and so on are powers of 1000.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as 4096, 64KiB or 100MB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (letter, base) = match unit.as_str() {
        "" | "b" => ("", 1u64),
        unit if unit.len() == 1 => (unit, 1024),
        unit => match (unit.strip_suffix("ib"), unit.strip_suffix('b')) {
            (Some(letter), _) => (letter, 1024),
            (None, Some(letter)) => (letter, 1000),
            (None, None) => return Err(wrong()),
        },
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(base.pow(power)).ok_or_else(|| format!("{text} is more than 64 bits hold"))
}

/// Nanoseconds since the epoch, from RFC 3339, a date with or without a time of day (UTC), `@SECONDS`, `now`, `-1h` or
/// `10m ago`.
pub fn time(text: &str) -> Result<i64, String> {
    time_at(text.trim(), Timestamp::now())
}

fn time_at(text: &str, now: Timestamp) -> Result<i64, String> {
    let wrong = || {
        format!("{text:?} is not a time such as 2026-03-01T12:30:00Z, 2026-03-01, @1772368200, now, -1h or \"10m ago\"")
    };
    let time = if let Some(seconds) = text.strip_prefix('@') {
        Timestamp::from_second(seconds.parse().map_err(|_| wrong())?).map_err(|_| wrong())?
    } else if text == "now" {
        now
    } else if text.starts_with(['-', '+']) || text.ends_with(" ago") {
        // In UTC each day has 24 hours, therefore days and weeks can be counted too.
        let span: Span = text.parse().map_err(|_| wrong())?;
        now.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| wrong())?.timestamp()
    } else if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else {
        let time: DateTime = text.parse().map_err(|_| wrong())?;
        time.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp()
    };
    i64::try_from(time.as_nanosecond()).map_err(|_| "records have times from 1677 to 2262".to_owned())
}

/// A duration above zero: numbers with units, such as `90s`, `1h30m`, `500ms`, `30d`, `8w`. A day has 24 hours.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 90s, 15m, 1h30m, 500ms, 30d or 8w");
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, behind) = unit.split_at(letters);
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(milliseconds).map(Duration::from_millis);
        sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
        rest = behind;
    }
    if sum.is_zero() {
        Err(wrong())
    } else {
        Ok(sum)
    }
}

/// The period at whose multiples a log rolls, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EachPeriod(pub Option<Period>);

/// The name of a period such as `HOUR`, a number of seconds, or `NEVER`, as the Java binlog calls it.
pub fn period(text: &str) -> Result<EachPeriod, String> {
    match text.eq_ignore_ascii_case("NEVER") {
        true => Ok(EachPeriod(None)),
        false => text.parse().map(|period| EachPeriod(Some(period))).map_err(|e: binlog::Error| {
            e.reason().replace(" or a number of seconds", " NEVER, or a number of seconds")
        }),
    }
}

/// First and last id: `N`, `A..B`, `A..` or `..B`, both ends included.
pub type Ids = (Option<u64>, Option<u64>);

pub fn ids(text: &str) -> Result<Ids, String> {
    let one = |text: &str| match text.parse::<u64>() {
        Ok(id) if id > 0 => Ok(Some(id)),
        _ => Err(format!("{text:?} is not an id; ids are 1, 2, 3 …")),
    };
    let some = |text: &str| if text.is_empty() { Ok(None) } else { one(text) };
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (some(from)?, some(to)?),
        None => (one(text)?, one(text)?),
    };
    match (from, to) {
        (Some(from), Some(to)) if from > to => Err(format!("{from}..{to} ends before it begins")),
        range => Ok(range),
    }
}

/// `KEY=VALUE`; the value may contain further equal signs.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("metadata is given as KEY=VALUE".to_owned()),
    }
}

/// `KEY=VALUE` of a log's parameters.
pub fn parameter(text: &str) -> Result<(String, String), String> {
    pair(text).map_err(|_| "a parameter is given as KEY=VALUE".to_owned())
}

/// `none`, `lz4`, `zstd` or `zstd:LEVEL`; the level 0 is the default one.
pub fn codec(text: &str) -> Result<(Codec, i32), String> {
    let wrong = || "a codec is none, lz4, zstd or zstd:LEVEL, with a level of -100 to 22".to_owned();
    Ok(match text.split_once(':') {
        None if text == "none" => (Codec::None, 0),
        None if text == "lz4" => (Codec::Lz4, 0),
        None if text == "zstd" => (Codec::Zstd, 0),
        Some(("zstd", level)) => {
            let level = level.parse().ok().filter(|level| (-100..=22).contains(level)).ok_or_else(wrong)?;
            (Codec::Zstd, level)
        }
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        let good =
            [("0", 0), ("4096", 4096), ("64KiB", 65536), ("64k", 65536), ("100MB", 100_000_000), ("2G", 2 << 30)];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MB", "-1", "1.5M", "1XB", "1KBB", "1kbit", "99999999999T", "1 é"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_numbers_with_units() {
        let seconds = |text: &str| duration(text).map(|time| time.as_millis());
        let good = [("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("30d", 2_592_000_000), ("1w", 604_800_000)];
        for (text, ms) in good {
            assert_eq!(seconds(text), Ok(ms), "{text}");
        }
        for bad in ["", "0s", "10", "s", "-1h", "1.5h", "1y", "1h 30m", "99999999999999999999s", "9999999999999999w"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(period("hour"), Ok(EachPeriod(Some(Period::HOUR))));
        assert!(period("WEEKLY").is_err());
    }

    #[test]
    fn times_are_absolute_or_relative_to_now() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let ns = |text: &str| i64::try_from(text.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap();
        let same = [
            ("2026-03-01T12:30:00.5Z", "2026-03-01T12:30:00.5Z"),
            ("2026-03-01T12:30:00+02:00", "2026-03-01T10:30:00Z"),
            ("2026-03-01T12:30:00", "2026-03-01T12:30:00Z"),
            ("2026-03-01 12:30", "2026-03-01T12:30:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("@1", "1970-01-01T00:00:01Z"),
            ("now", "2026-03-01T12:00:00Z"),
            ("-1h", "2026-03-01T11:00:00Z"),
            ("-1h30m", "2026-03-01T10:30:00Z"),
            ("10m ago", "2026-03-01T11:50:00Z"),
            ("2 days ago", "2026-02-27T12:00:00Z"),
            ("-1w", "2026-02-22T12:00:00Z"),
        ];
        for (text, same) in same {
            assert_eq!(time_at(text, now), Ok(ns(same)), "{text}");
        }
        for bad in ["", "yesterday", "1h", "2026-13-01", "@x", "-1000000000y", "-", "9999-01-01", "@99999999999999999"]
        {
            assert!(time_at(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn id_ranges_include_both_ends_and_may_be_open() {
        assert_eq!(ids("5"), Ok((Some(5), Some(5))));
        assert_eq!(ids("5..7"), Ok((Some(5), Some(7))));
        assert_eq!(ids("5.."), Ok((Some(5), None)));
        assert_eq!(ids("..7"), Ok((None, Some(7))));
        for bad in ["", "0", "7..5", "a", "1...3", "-1"] {
            assert!(ids(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn types_are_numbers_or_names() {
        assert_eq!(any_type("7"), Ok(Type::Number(7)));
        assert_eq!(any_type("7up"), Ok(Type::Name("7up".to_owned())));
        assert!(any_type("99999999999").is_err());
        assert!(own_type("1073741824").is_err());
        assert!(any_type("2147483649").is_ok());
    }

    #[test]
    fn codecs_may_have_a_level() {
        assert_eq!(codec("zstd:19"), Ok((Codec::Zstd, 19)));
        assert_eq!(codec("lz4"), Ok((Codec::Lz4, 0)));
        assert!(codec("zstd:23").is_err() && codec("lz4:1").is_err() && codec("gzip").is_err());
    }
}
