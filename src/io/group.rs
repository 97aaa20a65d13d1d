//! The system's table of groups.

use std::ffi::{CString, OsStr};
use std::io::{Error, Result};
use std::os::unix::ffi::OsStrExt;

/// No entry of the table is longer; larger buffers are not tried.
const LONGEST: usize = 1 << 20;

/// The number of a group that is given by its name, or as a number in digits; `None` when there is no such group. A
/// number is returned unchanged, whether the table contains it or not. Queries the system's name services, which may
/// take a while.
pub fn group_number(group: &OsStr) -> Result<Option<u32>> {
    let text = group.to_str().unwrap_or_default();
    // The greatest number means "no change" in chown(2).
    if let Some(number) = text.parse().ok().filter(|&number| number != u32::MAX && !text.starts_with('+')) {
        return Ok(Some(number));
    }
    let Ok(name) = CString::new(group.as_bytes()) else { return Ok(None) };
    let mut buffer = vec![0u8; 4 << 10];
    loop {
        // SAFETY: plain data, for which zeros are a valid value.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: the name is NUL-terminated, the buffer has the length that is given, and the rest is writable.
        let code = unsafe {
            libc::getgrnam_r(name.as_ptr(), &mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &mut found)
        };
        match code {
            0 => return Ok((!found.is_null()).then_some(entry.gr_gid)),
            libc::EINTR => (),
            libc::ERANGE if buffer.len() < LONGEST => buffer.resize(buffer.len() * 4, 0),
            // The answer of some systems when there is no such name.
            libc::ENOENT | libc::ESRCH => return Ok(None),
            code => return Err(Error::from_raw_os_error(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_name_or_a_number() {
        let number = |text: &str| group_number(OsStr::new(text)).unwrap();
        assert_eq!(number("root"), Some(0));
        assert_eq!(number("4711"), Some(4711));
        for none in ["", "no such group", "-1", "+5", "4294967295", "a\0b"] {
            assert_eq!(number(none), None, "{none:?}");
        }
    }
}
