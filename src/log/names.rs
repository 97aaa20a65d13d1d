//! File names of a log: `<name>.<sequence>.binlog`, the sequence in ten digits, so that names sort in writing order
//! whatever the clock does.

use crate::error::{Error, Result};
use crate::segment::EXTENSION;

/// The template that a file header tells.
pub(crate) const TEMPLATE: &str = "{name}.{seq}.binlog";

/// A log's name begins its files' names, so it must be one.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fine = (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    match fine {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "a log's name has 1 to 128 bytes, does not begin with a dot and holds no slash or control character: {name:?}"
        ))),
    }
}

/// The file of segment number `sequence`.
pub(crate) fn segment(name: &str, sequence: u64) -> String {
    format!("{name}.{sequence:010}{EXTENSION}")
}

/// The file whose lock the log's one writer holds, and which tells its process number.
pub(crate) fn lock(name: &str) -> String {
    format!("{name}.lock")
}

/// The number of a segment of the log `name`, if `file` is named like one.
pub(crate) fn sequence(name: &str, file: &str) -> Option<u64> {
    let digits = file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(EXTENSION)?;
    (digits.len() >= 10 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The log and the sequence number that a segment's file name tells.
pub(crate) fn parse(file: &str) -> Option<(&str, u64)> {
    let (name, digits) = file.strip_suffix(EXTENSION)?.rsplit_once('.')?;
    Some((name, sequence(name, file)?)).filter(|_| digits.len() >= 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_name_gives_its_sequence_back_and_foreign_names_none() {
        assert_eq!(segment("a.b", 12), "a.b.0000000012.binlog");
        assert_eq!(sequence("a.b", "a.b.0000000012.binlog"), Some(12));
        assert_eq!(parse("a.b.0000000012.binlog"), Some(("a.b", 12)));
        for foreign in
            ["a.0000000012.binlog", "a.b.12.binlog", "a.b.0000000012.binlog.gz", "a.b.x000000012.binlog", "a.b"]
        {
            assert_eq!(sequence("a.b", foreign), None, "{foreign}");
        }
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a\nb", "a\0b"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        check_name("orders-2026 ünï").unwrap();
    }
}
