//! Names from the same template.

use crate::log::names;

/// Whether two names differ only in the digits of their numbers, and in whether they are compressed.
pub(super) fn are_alike(a: &str, b: &str) -> bool {
    let (a, b) = (names::plain(a), names::plain(b));
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        match (digits(a), digits(b)) {
            (0, 0) => (),
            (0, _) | (_, 0) => return false,
            (of_a, of_b) => (a, b) = (&a[of_a..], &b[of_b..]),
        }
        match (a.split_first(), b.split_first()) {
            (None, None) => return true,
            (Some((x, rest_a)), Some((y, rest_b))) if x == y => (a, b) = (rest_a, rest_b),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_when_only_numbers_differ() {
        for (a, b, alike) in [
            ("a.0000000001.binlog", "a.0000000012.binlog", true),
            ("a.2026-11-21.0000000001.binlog", "a.2026-1-2.00000000001.binlog", true),
            ("a.0000000001.binlog", "a.0000000012.z.binlog", true),
            ("a1.0000000001.binlog", "a22.0000000001.binlog", true),
            ("a.0000000001.binlog", "b.0000000001.binlog", false),
            ("a.0000000001.binlog", "a.b.0000000001.binlog", false),
            ("a.0000000001.binlog", "a.binlog", false),
            ("a.0000000001.binlog", "a.0000000001.binlog2", false),
            ("", "", true),
        ] {
            assert_eq!((are_alike(a, b), are_alike(b, a)), (alike, alike), "{a} {b}");
        }
    }
}
