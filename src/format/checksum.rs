//! CRC-32/ISO-HDLC with a seed, and the page checksums of a payload.
//!
//! Payloads are checked in pages of 4 KiB rather than record by record: damage stays confined to the records that
//! touch a bad page, one record can be verified without its whole block, and the folding by carry-less
//! multiplication inside crc32fast runs several times as fast on 4 KiB as on a few hundred bytes.

use crc32fast::Hasher;

use super::Malformed;

/// Bytes of stored payload that share one checksum.
pub const PAGE: usize = 4096;

/// CRC-32 of `bytes` started from `seed`.
#[inline]
pub fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// The seed from which `bytes` have the checksum `sum`: there is exactly one, because each step of the checksum is
/// reversible.
pub fn seed_of(sum: u32, bytes: &[u8]) -> u32 {
    let mut register = !sum;
    for &byte in bytes.iter().rev() {
        let entry = usize::from(BY_TOP[(register >> 24) as usize]);
        register = ((register ^ STEPS[entry]) << 8) | (entry as u32 ^ u32::from(byte));
    }
    !register
}

/// The value that a byte adds to the register when it leaves it; the topmost byte differs in all entries.
const STEPS: [u32; 256] = {
    let mut steps = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut step = i as u32;
        let mut bit = 0;
        while bit < 8 {
            step = if step & 1 == 1 { (step >> 1) ^ 0xEDB8_8320 } else { step >> 1 };
            bit += 1;
        }
        steps[i] = step;
        i += 1;
    }
    steps
};

/// The number of the entry of [`STEPS`] that has this topmost byte.
const BY_TOP: [u8; 256] = {
    let mut by_top = [0; 256];
    let mut i = 0;
    while i < 256 {
        by_top[(STEPS[i] >> 24) as usize] = i as u8;
        i += 1;
    }
    by_top
};

/// The number of pages, and so of checksums, of a stored payload of `len` bytes.
#[inline]
pub fn pages(len: usize) -> usize {
    len.div_ceil(PAGE)
}

/// Seed of page number `page`: the segment's marker reveals pages of other files, the number reveals misplaced pages.
#[inline]
fn page_seed(marker: u64, page: usize) -> u32 {
    (marker as u32).wrapping_add(page as u32)
}

/// Appends the little-endian checksums of the pages of a payload given in `parts`, without joining the parts.
pub fn put_pages<'a>(out: &mut Vec<u8>, marker: u64, parts: impl Iterator<Item = &'a [u8]>) {
    let mut page = 0;
    let mut partial: Option<(Hasher, usize)> = None;
    for mut part in parts {
        if let Some((mut hasher, filled)) = partial.take() {
            let (now, rest) = part.split_at(part.len().min(PAGE - filled));
            hasher.update(now);
            part = rest;
            if filled + now.len() < PAGE {
                partial = Some((hasher, filled + now.len()));
                continue;
            }
            out.extend_from_slice(&hasher.finalize().to_le_bytes());
            page += 1;
        }
        let mut whole = part.chunks_exact(PAGE);
        for bytes in &mut whole {
            out.extend_from_slice(&crc(page_seed(marker, page), bytes).to_le_bytes());
            page += 1;
        }
        if !whole.remainder().is_empty() {
            let mut hasher = Hasher::new_with_initial(page_seed(marker, page));
            hasher.update(whole.remainder());
            partial = Some((hasher, whole.remainder().len()));
        }
    }
    if let Some((hasher, _)) = partial {
        out.extend_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// The checksum of page number `page`, which must be among `checksums`, four bytes each.
pub fn of_page(checksums: &[u8], page: usize) -> u32 {
    let mut sum = [0; 4];
    sum.copy_from_slice(&checksums[4 * page..4 * page + 4]);
    u32::from_le_bytes(sum)
}

/// Whether a page of a payload matches its checksum.
#[inline]
pub fn is_page_good(marker: u64, page: usize, bytes: &[u8], sum: u32) -> bool {
    crc(page_seed(marker, page), bytes) == sum
}

/// Checks every page of `payload` against `checksums`, four bytes each.
pub fn verify_pages(marker: u64, checksums: &[u8], payload: &[u8]) -> Result<(), Malformed> {
    if checksums.len() != 4 * pages(payload.len()) {
        return Err(Malformed::Short("list of page checksums"));
    }
    for (page, (bytes, sum)) in payload.chunks(PAGE).zip(checksums.chunks_exact(4)).enumerate() {
        if crc(page_seed(marker, page), bytes).to_le_bytes() != sum {
            return Err(Malformed::Page { page });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_one_everybody_else_computes() {
        assert_eq!(crc(0, b"123456789"), 0xCBF4_3926);
    }

    proptest! {
        #[test]
        fn the_seed_is_found_again(seed: u32, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(seed_of(crc(seed, &bytes), &bytes), seed);
        }

        #[test]
        fn parts_and_the_whole_have_the_same_checksums(lengths in proptest::collection::vec(0usize..9000, 0..6), marker: u64) {
            let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|i| (i * 31 + i / 97) as u8).collect();
            let mut rest = &whole[..];
            let parts: Vec<&[u8]> = lengths.iter().map(|&n| { let (a, b) = rest.split_at(n); rest = b; a }).collect();
            let mut sums = vec![];
            put_pages(&mut sums, marker, parts.into_iter());
            prop_assert_eq!(verify_pages(marker, &sums, &whole), Ok(()));
        }
    }

    #[test]
    fn pages_that_change_places_are_noticed() {
        let mut payload = vec![1u8; PAGE];
        payload.extend_from_slice(&[2u8; PAGE]);
        let mut sums = vec![];
        put_pages(&mut sums, 77, std::iter::once(&payload[..]));
        payload.rotate_left(PAGE);
        sums.rotate_left(4);
        assert_eq!(verify_pages(77, &sums, &payload), Err(Malformed::Page { page: 0 }));
    }
}
