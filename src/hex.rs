//! Hexadecimal digits.

/// Two lower-case digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The bytes of hexadecimal digits in either case; `None` when there are other characters, or not two for each byte.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut digits = text.chars().map(|digit| digit.to_digit(16));
    let mut bytes = [0; N];
    for byte in &mut bytes {
        *byte = (digits.next()?? << 4 | digits.next()??) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_digits_and_digits_bytes() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 10, 0x9f, 255]), "000a9fff");
        let all: [u8; 256] = std::array::from_fn(|i| i as u8);
        assert_eq!(unhex(&hex(&all)), Some(all));
        assert_eq!(unhex("0aFf"), Some([10, 255]));
    }

    #[test]
    fn what_is_not_digits_or_not_so_many_is_no_bytes() {
        for bad in ["", "0aF", "0aFff", "0aFg", "+1+1", " 1 1", "é00", "00é"] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
    }
}
