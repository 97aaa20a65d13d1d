//! Numbers, times and tables for people.

use std::fmt::Write;

/// With a comma between each three digits: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things, in the singular for one of them.
pub fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// In the binary unit that leaves one to four digits: `8.1 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return counted(n, "byte");
    }
    let (mut value, mut unit) = (n as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// RFC 3339 in UTC, with all nine digits of the nanoseconds.
pub fn time(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(time) => format!("{time:.9}"),
        // No 64-bit number of nanoseconds is out of range; if one were, the number itself is shown.
        Err(_) => ns.to_string(),
    }
}

/// A duration in its two greatest units: `3h 12m`.
pub fn span(ns: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let seconds = ns / SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (1.., ..) => format!("{}d {hours}h", count(days)),
        (0, 1.., _) => format!("{hours}h {minutes}m"),
        (0, 0, 1..) => format!("{minutes}m {}s", seconds % 60),
        _ if seconds > 0 => format!("{:.1}s", ns as f64 / SECOND as f64),
        _ => format!("{:.1}ms", ns as f64 / 1e6),
    }
}

/// `part` of `whole` in percent.
pub fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{:.1}%", part as f64 * 100.0 / whole as f64),
    }
}

/// Text of a log without control characters, which a terminal would obey.
pub fn plain(text: &str) -> String {
    match text.chars().any(char::is_control) {
        true => text.escape_debug().to_string(),
        false => text.to_owned(),
    }
}

/// The smallest and the greatest time of records of this log. Files of older libraries may contain none.
pub fn recorded_times(times: Option<(i64, i64)>, facts: &binlog::contents::SegmentFacts) -> Option<(i64, i64)> {
    times.filter(|&times| times != (0, 0) || !facts.parameters.contains_key("legacy.format"))
}

/// Text of a log or a user in quotes, without control characters.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", plain(text))
}

/// Rows under a heading, with each column as wide as its widest cell. Columns whose heading begins with `>` are
/// flush right, as numbers are. A cell that is longer than 120 characters does not widen its column.
pub fn table(out: &mut String, heading: &[&str], rows: &[Vec<String>]) {
    const WIDEST: usize = 120;
    let first: Vec<String> = heading.iter().map(|cell| cell.trim_start_matches('>').to_owned()).collect();
    let width = |i: usize| {
        let widths = std::iter::once(&first).chain(rows).map(|row| row[i].chars().count());
        widths.filter(|&width| width <= WIDEST).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    for row in std::iter::once(&first).chain(rows) {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            let gap = if i == 0 { "" } else { "  " };
            let width = widths[i];
            let _ = match heading[i].starts_with('>') {
                true => write!(line, "{gap}{cell:>width$}"),
                false => write!(line, "{gap}{cell:<width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        assert_eq!([0, 999, 1000, 1234567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1023), "1,023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(span(90_061_000_000_000), "1d 1h");
        assert_eq!(span(1_500_000), "1.5ms");
        assert_eq!(share(1, 3), "33.3%");
    }

    #[test]
    fn a_time_has_all_digits_and_is_utc() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(time(1_700_000_000_000_000_001), "2023-11-14T22:13:20.000000001Z");
        assert_eq!(time(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(time(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn a_cell_that_is_longer_than_any_line_widens_no_other() {
        let mut out = String::new();
        let long = "x".repeat(70_000);
        table(&mut out, &["name", ">n"], &[vec![long.clone(), "1".into()], vec!["b".into(), "2".into()]]);
        assert_eq!(out, format!("name  n\n{long}  1\nb     2\n"));
    }

    #[test]
    fn a_table_aligns_its_columns() {
        let mut out = String::new();
        table(&mut out, &["name", ">n"], &[vec!["a".into(), "1,000".into()], vec!["long name".into(), "7".into()]]);
        assert_eq!(out, "name           n\na          1,000\nlong name      7\n");
    }
}
