//! File names of a log: they begin with its name and contain the segment's number. Both are known without opening the
//! file. `super::Template` makes the names of segments.

use std::borrow::Cow;

pub(crate) use crate::segment::SEQUENCE_DIGITS;

use crate::segment::EXTENSION;

/// The file of segment number `sequence`, by the template that a log has by default.
pub(crate) fn segment(name: &str, sequence: u64) -> String {
    format!("{name}.{sequence:010}{EXTENSION}")
}

/// The file whose lock the log's one writer holds, and which contains its process number.
pub(crate) fn lock(name: &str) -> String {
    format!("{name}.lock")
}

/// The log that has this lock file.
pub(crate) fn of_lock(file: &str) -> Option<&str> {
    file.strip_suffix(".lock").filter(|log| !log.is_empty())
}

/// The file that names the segment that is being written.
pub(crate) fn active(name: &str) -> String {
    format!("{name}.active")
}

/// The endings after that of a segment that is compressed as a whole, with gzip or zstd.
pub(crate) const WHOLE: [&str; 2] = [".gz", ".zst"];

/// Whether the file is named like a segment, as such or compressed as a whole.
pub(crate) fn is_segment(file: &str) -> bool {
    stem(file).is_some()
}

/// Whether the file is named like a segment that is compressed as a whole.
pub(crate) fn is_whole(file: &str) -> bool {
    is_segment(file) && !file.ends_with(EXTENSION)
}

/// The name without the ending; `None` when the file is not named like a segment.
fn stem(file: &str) -> Option<&str> {
    let inside = WHOLE.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    inside.strip_suffix(EXTENSION)
}

/// The end of a compressed segment's name before the ending. Its SHA-256 may follow.
const COMPRESSED: &str = ".z";

/// The file of the segment `file` after compression; with its SHA-256 in hexadecimal digits, if one is given.
pub(crate) fn compressed(file: &str, sha256: Option<&str>) -> String {
    let stem = file.strip_suffix(EXTENSION).unwrap_or(file);
    let sum = sha256.map_or_else(String::new, |sum| format!(".{sum}"));
    format!("{stem}{COMPRESSED}{sum}{EXTENSION}")
}

/// The name of a segment's file without compression: the same for a segment and its compressed form.
pub(crate) fn plain(file: &str) -> Cow<'_, str> {
    match plain_stem(file) {
        Some(stem) if stem.len() + EXTENSION.len() < file.len() => format!("{stem}{EXTENSION}").into(),
        _ => file.into(),
    }
}

/// The names that a segment's file may have had before it was compressed: its own name, and the shorter ones down to
/// [`plain`]'s. A template may end as the names of compressed segments do.
pub(crate) fn forms(file: &str) -> impl Iterator<Item = String> + '_ {
    std::iter::successors(stem(file), |stem| shorter(stem)).map(|stem| format!("{stem}{EXTENSION}"))
}

/// The result of [`plain`] without its ending; `None` when the file is not named like a segment.
fn plain_stem(file: &str) -> Option<&str> {
    let mut stem = stem(file)?;
    while let Some(shorter) = shorter(stem) {
        stem = shorter;
    }
    Some(stem)
}

/// The name that a compressed segment's name was made from, without the endings.
fn shorter(stem: &str) -> Option<&str> {
    stem.strip_suffix(COMPRESSED).or_else(|| without_sum(stem))
}

/// The part before `.z.<SHA-256>`.
fn without_sum(stem: &str) -> Option<&str> {
    let (rest, sum) = stem.rsplit_once('.')?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    rest.strip_suffix(COMPRESSED).filter(|_| is_sum)
}

/// The number of a segment of the log `name`, if `file` is named like one. It may belong to another log with a longer
/// name: only its header shows that.
pub(crate) fn sequence(name: &str, file: &str) -> Option<u64> {
    let rest = rest(name, file)?;
    let mut runs = rest.split(|c: char| !c.is_ascii_digit());
    runs.find(|run| run.len() >= SEQUENCE_DIGITS)?.parse().ok()
}

/// The part between the log's name and the ending.
fn rest<'a>(name: &str, file: &'a str) -> Option<&'a str> {
    let rest = stem(file)?.strip_prefix(name)?;
    rest.chars().next().is_some_and(|c| !c.is_alphanumeric()).then_some(rest)
}

/// The common form of most names that one template gives: the part after the log's name without the ending of
/// compressed segments, with a single digit for each run of digits. `None` when `file` is not named like a segment of
/// the log.
pub(crate) fn shape(log: &str, file: &str) -> Option<String> {
    let mut shape = String::new();
    for c in rest(log, &plain(file))?.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !shape.ends_with('0') {
            shape.push(c);
        }
    }
    Some(shape)
}

/// The log and the sequence number in a segment's file name, if its log has the default template.
pub(crate) fn parse(file: &str) -> Option<(&str, u64)> {
    let (name, digits) = plain_stem(file)?.rsplit_once('.')?;
    let is_number = digits.len() >= SEQUENCE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    Some((name, digits.parse().ok().filter(|_| is_number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_name_gives_its_sequence_back_and_foreign_names_none() {
        assert_eq!(segment("a.b", 12), "a.b.0000000012.binlog");
        assert_eq!(sequence("a.b", "a.b.0000000012.binlog"), Some(12));
        assert_eq!(parse("a.b.0000000012.binlog"), Some(("a.b", 12)));
        for foreign in [
            "a.0000000012.binlog",
            "a.b.12.binlog",
            "a.b.0000000012.binlog.xz",
            "a.b.x000000012.binlog",
            "a.b",
            "a.b.binlog",
            "a.bc.0000000012.binlog",
            "a.b0000000012.binlog",
            "a.bü0000000012.binlog",
            "a.b.18446744073709551616.binlog",
        ] {
            assert_eq!(sequence("a.b", foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_number_is_found_behind_a_time_and_before_one() {
        for (file, number) in [
            ("7777777777-2026-07-14_13_37.0000000012.binlog", 12),
            ("7777777777 202607141.0000000012x1234567890123.binlog", 12),
            ("7777777777.0000000012.1784035020.binlog", 12),
            ("7777777777.18446744073709551615.binlog", u64::MAX),
        ] {
            assert_eq!(sequence("7777777777", file), Some(number), "{file}");
        }
        assert_eq!(parse("a.b.0000000012_x.binlog"), None);
        assert_eq!(parse("a.+000000012.binlog"), None);
    }

    #[test]
    fn a_compressed_segment_has_the_number_and_the_plain_name_of_the_one_it_was() {
        let sum = "0123456789abcdef".repeat(4);
        for plain_name in ["a.b.0000000012.binlog", "a.b.0000000012.2026-11-21T10.binlog", "single.binlog"] {
            let whole = WHOLE.map(|ending| format!("{plain_name}{ending}"));
            for name in whole.into_iter().chain([compressed(plain_name, None), compressed(plain_name, Some(&sum))]) {
                assert!(is_segment(&name) && is_whole(&name) != name.ends_with(EXTENSION));
                assert_eq!(plain(&name), plain_name);
                assert_eq!(sequence("a.b", &name), sequence("a.b", plain_name));
                assert_eq!(shape("a.b", &name), shape("a.b", plain_name));
                assert_eq!(parse(&name), parse(plain_name));
                assert_eq!(plain(&format!("{name}{}", if is_whole(&name) { "" } else { ".gz" })), plain_name);
            }
            assert_eq!(plain(plain_name), plain_name);
        }
        assert_eq!(compressed("a.0000000012.binlog", None), "a.0000000012.z.binlog");
        for other in [format!("a.{sum}.binlog"), "a.z".to_owned(), format!("a.z.{}.binlog", sum.to_uppercase())] {
            assert_eq!(plain(&other), other);
        }
    }

    #[test]
    fn names_of_one_template_look_alike() {
        let of_a = |file| shape("a", file);
        assert_eq!(of_a("a.2026-07-14.0000000001.binlog"), of_a("a.2027-12-01.12345678901.binlog"));
        assert_eq!(of_a("a.0000000001.binlog").unwrap(), ".0");
        assert_ne!(of_a("a.b.0000000001.binlog"), of_a("a.0000000001.binlog"));
        assert_eq!(of_a("b.0000000001.binlog"), None);
    }
}
