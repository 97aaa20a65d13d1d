//! String pairs of a record: for each pair `varint key length, key, varint value length, value`, in UTF-8. In a block
//! the number of a record's pairs comes before them; in memory and in the C interface there is no number.

use super::{limits, varint, Malformed};
use crate::memory::{self, NoMemory};

/// Appends one pair.
pub fn put(out: &mut Vec<u8>, key: &str, value: &str) {
    for text in [key, value] {
        varint::put(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Takes the first pair from `pairs`. `Ok(None)` at the end.
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

/// Takes the first pair from `pairs`, which were checked before: the bytes of two texts. `None` at the end.
#[inline]
pub fn next_checked<'a>(pairs: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut at = 0;
    let mut take = || {
        let len = usize::try_from(varint::get(pairs, &mut at)?).ok()?;
        let text = pairs.get(at..)?.get(..len)?;
        at += len;
        Some(text)
    };
    let pair = (take()?, take()?);
    *pairs = &pairs[at..];
    Some(pair)
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

/// The reason when these `count` pairs are more than a record may have.
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

/// Reads `count` pairs at `*at` of `bytes`, moves `*at` after them and returns them.
pub fn take<'a>(bytes: &'a [u8], at: &mut usize, count: u64) -> Result<&'a [u8], Malformed> {
    if count > limits::METADATA_PAIRS {
        return Err(Malformed::inconsistent(format!("a record claims {count} pairs of metadata")));
    }
    let start = *at;
    if let Some(end) = end_of_ascii(bytes, start, count) {
        *at = end;
        return Ok(&bytes[start..end]);
    }
    for _ in 0..2 * count {
        text(bytes, at)?;
    }
    if *at - start > limits::METADATA {
        return Err(Malformed::inconsistent("the metadata of a record is over its limit"));
    }
    Ok(&bytes[start..*at])
}

/// Where `count` pairs at `at` end, if they are as most are: few and short, and in ASCII. Then their lengths are ASCII too,
/// and one look at all of them shows it.
#[inline]
fn end_of_ascii(bytes: &[u8], at: usize, count: u64) -> Option<usize> {
    if count > 16 {
        return None;
    }
    let mut end = at;
    for _ in 0..2 * count {
        let len = *bytes.get(end)?;
        end += 1 + usize::from(len);
    }
    bytes.get(at..end).filter(|pairs| pairs.is_ascii()).map(|_| end)
}

/// String pairs of a record: an iterator over `(key, value)`, in the order in which they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    pairs: &'a [u8],
}

impl<'a> Metadata<'a> {
    /// From encoded pairs, as [`Self::as_bytes`] returns them. Malformed pairs end the iteration; an append refuses
    /// them.
    pub fn from_bytes(pairs: &'a [u8]) -> Self {
        Metadata { pairs }
    }

    /// The encoded pairs: for each `varint key length, key, varint value length, value`.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.pairs
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of the first pair with this key.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.into_iter().find(|&(k, _)| k == key).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for Metadata<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        Pairs { rest: self.pairs }
    }
}

/// Iterator over the pairs of [`Metadata`].
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        next(&mut self.rest).ok().flatten()
    }
}

/// String pairs being collected for a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataBuf {
    pairs: Vec<u8>,
}

impl MetadataBuf {
    /// No pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair. A key may occur more than once.
    pub fn push(&mut self, key: &str, value: &str) {
        put(&mut self.pairs, key, value);
    }

    /// Reserves room for so many bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), NoMemory> {
        memory::reserve(&mut self.pairs, bytes)
    }

    /// Forgets all pairs and keeps the memory.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// The pairs, to put into a [`NewRecord`](crate::NewRecord).
    pub fn as_metadata(&self) -> Metadata<'_> {
        Metadata { pairs: &self.pairs }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for MetadataBuf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut made = Self::new();
        pairs.into_iter().for_each(|(key, value)| made.push(key.as_ref(), value.as_ref()));
        made
    }
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
