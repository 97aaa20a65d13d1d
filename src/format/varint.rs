//! LEB128 integers of at most 10 bytes, and the zigzag mapping of signed ones.

/// The longest encoding of a `u64`.
pub const MAX_LEN: usize = 10;

/// Appends `value` to `out`.
pub fn put(out: &mut Vec<u8>, value: u64) {
    let mut buffer = [0; MAX_LEN];
    let end = out.len() + encode(value, &mut buffer);
    // Copying a fixed length takes a few instructions; copying any other length takes a call.
    out.extend_from_slice(&buffer);
    out.truncate(end);
}

/// Writes `value` to the beginning of `out` and returns its length.
#[inline]
pub fn encode(mut value: u64, out: &mut [u8; MAX_LEN]) -> usize {
    let mut len = 0;
    while value >= 0x80 {
        out[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    out[len] = value as u8;
    len + 1
}

/// Reads one integer at `*at` and moves `*at` after it. `None` when the bytes end first or the value exceeds 64 bits.
#[inline]
pub fn get(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(u64::from(first));
    }
    let second = *bytes.get(*at + 1)?;
    if second < 0x80 {
        *at += 2;
        return Some(u64::from(first & 0x7f) | u64::from(second) << 7);
    }
    get_long(bytes, at)
}

#[cold]
fn get_long(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.get(*at..)?.iter().take(MAX_LEN).enumerate() {
        if i == MAX_LEN - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *at += i + 1;
            return Some(value);
        }
    }
    None
}

/// Small magnitudes of either sign become small numbers: 0, -1, 1, -2 … map to 0, 1, 2, 3 …
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_back(shift in 0u32..64, raw: u64) {
            let value = raw >> shift;
            let mut bytes = vec![];
            put(&mut bytes, value);
            let mut at = 0;
            prop_assert_eq!(get(&bytes, &mut at), Some(value));
            prop_assert_eq!(at, bytes.len());
        }

        #[test]
        fn a_cut_number_is_none_and_moves_nothing(value: u64) {
            let mut bytes = vec![];
            put(&mut bytes, value);
            bytes.pop();
            let mut at = 0;
            prop_assert_eq!(get(&bytes, &mut at), None);
            prop_assert_eq!(at, 0);
        }

        #[test]
        fn zigzag_is_its_own_way_back(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_longer_form_than_necessary_is_read_up_to_ten_bytes() {
        for len in 1..=MAX_LEN {
            let mut bytes = vec![0x80; len - 1];
            bytes.push(0);
            let mut at = 0;
            assert_eq!((get(&bytes, &mut at), at), (Some(0), len));
        }
        assert_eq!(get(&[0x85, 0x80, 0], &mut 0), Some(5));
        assert_eq!(get(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], &mut 0), None);
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        let mut at = 0;
        assert_eq!(get(&[0xff; 11], &mut at), None);
        assert_eq!(get(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], &mut at), None);
    }
}
