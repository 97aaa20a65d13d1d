//! The names that logs can have.

use crate::error::{Error, Result};

/// The names of a log's files begin with the log's name, so that must be valid in a file name.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a\nb", "a\0b"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        check_name("orders-2026 ünï").unwrap();
    }
}
