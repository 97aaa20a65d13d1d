//! Which metadata pairs a block may hold: a Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding with
//! allowable errors", CACM 1970) of its distinct pairs, with the bit positions by double hashing (Kirsch and
//! Mitzenmacher, "Less hashing, same performance", 2006).

use crc32fast::Hasher;

/// Bits of a filter for each distinct pair: about 1 in 100 pairs that are not in it passes nevertheless.
const BITS_PER_PAIR: usize = 10;
/// Bits that each pair sets.
const PROBES: u32 = 6;
/// The longest filter in bytes; a block with more pairs has no filter, and may hold any pair.
pub const MOST: usize = 4 << 10;

/// The hash of a pair: the CRC-32 of key, a byte that UTF-8 does not have, and value.
pub fn hash(key: &str, value: &str) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&[0xff]);
    hasher.update(value.as_bytes());
    hasher.finalize()
}

/// The filter of some pairs' hashes, which may repeat; they are sorted in place. `None` when it would be longer than
/// [`MOST`].
pub fn build(hashes: &mut Vec<u32>) -> Option<Vec<u8>> {
    hashes.sort_unstable();
    hashes.dedup();
    let len = (hashes.len() * BITS_PER_PAIR).div_ceil(8);
    if len > MOST {
        return None;
    }
    let mut filter = vec![0; len];
    for &hash in hashes.iter() {
        for bit in bits(hash, len) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    Some(filter)
}

/// Whether a block with this filter may hold the pair with this hash.
pub fn may_hold(filter: &[u8], hash: u32) -> bool {
    !filter.is_empty() && bits(hash, filter.len()).all(|bit| filter[bit / 8] & 1 << (bit % 8) != 0)
}

fn bits(hash: u32, len: usize) -> impl Iterator<Item = usize> {
    // The golden ratio's fraction spreads a checksum over 64 bits, of which the halves are the two hashes.
    let spread = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (first, step) = ((spread >> 32) as u32, spread as u32 | 1);
    let bits = 8 * len as u64;
    (0..PROBES).map(move |i| ((u64::from(first.wrapping_add(i.wrapping_mul(step))) * bits) >> 32) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_holds_all_its_pairs_and_few_others() {
        for count in [1usize, 2, 10, 500, 3000] {
            let number = |i: usize| hash("key", &i.to_string());
            let mut hashes: Vec<u32> = (0..count).map(number).chain((0..count / 2).map(number)).collect();
            let filter = build(&mut hashes).unwrap();
            assert!((0..count).all(|i| may_hold(&filter, number(i))));
            let wrong = (count..count + 10_000).filter(|&i| may_hold(&filter, number(i))).count();
            assert!(wrong < 400, "{wrong} of 10000 others pass a filter of {count}");
        }
    }

    #[test]
    fn too_many_pairs_have_no_filter_and_none_have_an_empty_one() {
        assert_eq!(build(&mut (0..4000).collect()), None);
        let none = build(&mut vec![]).unwrap();
        assert!(none.is_empty() && !may_hold(&none, 7));
    }
}
