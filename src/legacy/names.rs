//! The log that a legacy file belongs to, from its name.

/// The part of a file's name before the time, the suffix and the compression: `default.20140201-1011.binlog.gz` belongs
/// to the log `default`, `test_2014_02_01_10_11_12.events` to `test`.
pub(crate) fn log_name(file: &str) -> String {
    let stem = ["gz", "zst", "json", "binlog", "log", "events"]
        .iter()
        .fold(file, |name, ending| name.strip_suffix(ending).and_then(|name| name.strip_suffix('.')).unwrap_or(name));
    // A time has at least a year and a month.
    let is_time = |at: usize| {
        let digits =
            stem[at + 1..].bytes().filter(|byte| *byte != b'_' && *byte != b'-').take_while(u8::is_ascii_digit);
        digits.count() >= 6
    };
    let time = stem.char_indices().find(|&(at, letter)| at > 0 && matches!(letter, '.' | '_' | '-') && is_time(at));
    let name = time.map_or(stem, |(at, _)| &stem[..at]);
    match name.char_indices().nth(128) {
        Some((at, _)) => name[..at].to_owned(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_log_is_the_part_before_the_time() {
        for (file, log) in [
            ("default.20140201-1011.binlog", "default"),
            ("default.20140201.binlog", "default"),
            ("gzipped.20140201-1011.binlog.gz", "gzipped"),
            ("small.binlog", "small"),
            ("test_2014_02_01_10_11_12.events", "test"),
            ("notifications_20140201_a189f71e.json.gz", "notifications"),
            ("not-closed.log", "not-closed"),
            ("the_logger.log", "the_logger"),
            ("app-2.log", "app-2"),
            ("20140201.events", "20140201"),
            ("schlüssel_2014-02.events", "schlüssel"),
        ] {
            assert_eq!(log_name(file), log);
        }
    }
}
