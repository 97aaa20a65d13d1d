//! String pairs of a record: for each pair `varint key length, key, varint value length, value`, in UTF-8.
//! In a block the pairs of a record follow their number; in memory and across the C interface they stand alone.

use super::{limits, varint, Malformed};

/// Appends one pair.
pub fn put(out: &mut Vec<u8>, key: &str, value: &str) {
    for text in [key, value] {
        varint::put(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Takes the first pair off `pairs`. `Ok(None)` at the end.
pub fn next<'a>(pairs: &mut &'a [u8]) -> Result<Option<(&'a str, &'a str)>, Malformed> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut at = 0;
    let key = text(pairs, &mut at)?;
    let value = text(pairs, &mut at)?;
    *pairs = &pairs[at..];
    Ok(Some((key, value)))
}

fn text<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a str, Malformed> {
    let short = Malformed::Short("metadata");
    let Some(len) = varint::get(bytes, at) else { return Err(short) };
    if len > (bytes.len() - *at) as u64 {
        return Err(short);
    }
    let (start, end) = (*at, *at + len as usize);
    *at = end;
    std::str::from_utf8(&bytes[start..end]).map_err(|_| Malformed::inconsistent("metadata is not UTF-8"))
}

/// Counts the pairs and checks them against the limits.
pub fn check(pairs: &[u8]) -> Result<u64, Malformed> {
    let count = count(pairs)?;
    match over_limit(pairs, count) {
        Some(reason) => Err(Malformed::inconsistent(reason)),
        None => Ok(count),
    }
}

/// Counts the pairs.
pub fn count(pairs: &[u8]) -> Result<u64, Malformed> {
    let mut count = 0;
    let mut rest = pairs;
    while next(&mut rest)?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Says so when these pairs, of which there are so many, are more than a record may have.
pub fn over_limit(pairs: &[u8], count: u64) -> Option<String> {
    (count > limits::METADATA_PAIRS || pairs.len() > limits::METADATA).then(|| {
        format!(
            "metadata of {count} pairs and {} bytes; a record may have {} pairs and {} bytes",
            pairs.len(),
            limits::METADATA_PAIRS,
            limits::METADATA
        )
    })
}

/// Reads `count` pairs at `*at` of `bytes`, moves `*at` behind them and returns them.
pub fn take<'a>(bytes: &'a [u8], at: &mut usize, count: u64) -> Result<&'a [u8], Malformed> {
    if count > limits::METADATA_PAIRS {
        return Err(Malformed::inconsistent(format!("a record claims {count} pairs of metadata")));
    }
    let start = *at;
    for _ in 0..2 * count {
        text(bytes, at)?;
    }
    if *at - start > limits::METADATA {
        return Err(Malformed::inconsistent("the metadata of a record is over its limit"));
    }
    Ok(&bytes[start..*at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_of_any_utf_8_come_back_in_order(pairs: Vec<(String, String)>) {
            let mut bytes = vec![];
            pairs.iter().for_each(|(k, v)| put(&mut bytes, k, v));
            prop_assert_eq!(check(&bytes), Ok(pairs.len() as u64));
            let mut rest = &bytes[..];
            for (k, v) in &pairs {
                prop_assert_eq!(next(&mut rest), Ok(Some((&k[..], &v[..]))));
            }
            prop_assert_eq!(next(&mut rest), Ok(None));
            let mut at = 0;
            prop_assert_eq!(take(&bytes, &mut at, pairs.len() as u64), Ok(&bytes[..]));
        }

        #[test]
        fn any_bytes_are_pairs_or_refused(bytes: Vec<u8>) {
            let _ = check(&bytes);
        }
    }

    #[test]
    fn lengths_that_lie_and_other_encodings_are_refused() {
        assert!(check(&[200, 200, 200, 200, 200, 200, 200, 200, 200, 1]).is_err());
        assert!(check(&[1, b'k', 1, 0xff]).is_err());
        assert!(check(&[1, b'k']).is_err());
        assert!(take(&[0, 0], &mut 0, 1 << 40).is_err());
    }
}
