//! The entries of a RECORDS block: for each record its payload length, type, time and metadata, as varints.

use std::ops::Range;

use super::block::BlockHeader;
use super::types::is_event;
use super::{metadata, varint, Malformed};

/// The contents of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub payload_len: u32,
    pub type_id: u32,
    pub time: i64,
    /// The pairs, without their number.
    pub metadata: &'a [u8],
}

/// How far the entries of a block have been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    at: usize,
    time: i64,
}

impl Progress {
    /// Before the first entry of a block whose smallest time is `min_time`.
    pub fn new(min_time: i64) -> Self {
        Progress { at: 0, time: min_time }
    }

    /// Reads the next of the decoded `entries`; `Ok(None)` at their end.
    #[inline]
    pub fn next<'a>(&mut self, entries: &'a [u8]) -> Result<Option<Entry<'a>>, Malformed> {
        match self.short(entries) {
            Some((entry, behind)) => {
                *self = behind;
                Ok(Some(entry))
            }
            None => self.next_long(entries),
        }
    }

    /// The next entry, and where it ends, if it has the form that nearly all have: three varints in 8 bytes, of which
    /// the first two have one or two bytes and the time up to four (134 milliseconds), and no metadata. One load
    /// contains them. The ends of all three come from the bytes' top bits; the next entry's place, on which everything
    /// waits, is therefore known after a few instructions.
    #[inline(always)]
    pub fn short<'a>(&self, entries: &'a [u8]) -> Option<(Entry<'a>, Progress)> {
        let word = u64::from_le_bytes(entries.get(self.at..)?.first_chunk().copied()?);
        let ends = !word & 0x8080_8080_8080_8080;
        let ends_2 = ends & ends.wrapping_sub(1);
        let ends_3 = ends_2 & ends_2.wrapping_sub(1);
        if ends_3 == 0 {
            return None;
        }
        let (end_1, end_2, end_3) = (ends.trailing_zeros(), ends_2.trailing_zeros(), ends_3.trailing_zeros());
        let tag = two_bytes(word >> (end_1 + 1), end_2 - end_1);
        if end_1 > 15 || end_2 - end_1 > 16 || end_3 - end_2 > 32 || tag & 1 != 0 {
            return None;
        }
        let delta = four_bytes((word >> (end_2 + 1)) & ((1 << (end_3 - end_2)) - 1));
        let time = self.time.wrapping_add(varint::unzigzag(delta));
        let payload_len = two_bytes(word, end_1 + 1) as u32;
        let entry = Entry { payload_len, type_id: (tag >> 1) as u32, time, metadata: &[] };
        Some((entry, Progress { at: self.at + (end_3 / 8) as usize + 1, time }))
    }

    /// The part of the next entry before its metadata, and where it ends, if it has the form of [`Self::short`] or that
    /// of a named type, whose number has five bytes; `true` if metadata follows. Two loads contain it.
    #[inline(always)]
    pub fn head<'a>(&self, entries: &'a [u8]) -> Option<(Entry<'a>, bool, Progress)> {
        /// The upper bytes of the tags of the first 8,192 named types.
        const NAMED: u64 = 0x08_8080 << 16 | 0x8080;
        let bytes: &[u8; 16] = entries.get(self.at..)?.first_chunk()?;
        let word = u64::from_le_bytes(*bytes.first_chunk()?);
        let two = word >> 7 & 1;
        if two == 1 && word & 0x8000 != 0 {
            return None;
        }
        let payload_len = two_bytes(word, 8 + 8 * two as u32) as u32;
        let tag_at = 1 + two as usize;
        let word = u64::from_le_bytes(*bytes[tag_at..].first_chunk()?);
        let two = word >> 7 & 1;
        let (tag, delta_at) = if word & 0xff_ffff_8080 == NAMED {
            (1 << 31 | two_bytes(word, 16), tag_at + 5)
        } else if two == 0 || word & 0x8000 == 0 {
            (two_bytes(word, 8 + 8 * two as u32), tag_at + 1 + two as usize)
        } else {
            return None;
        };
        let word = u64::from_le_bytes(*bytes[delta_at..].first_chunk()?);
        let bits = (!word & 0x8080_8080).trailing_zeros() + 1;
        if bits > 32 {
            return None;
        }
        let time = self.time.wrapping_add(varint::unzigzag(four_bytes(word & ((1 << bits) - 1))));
        let entry = Entry { payload_len, type_id: (tag >> 1) as u32, time, metadata: &[] };
        Some((entry, tag & 1 != 0, Progress { at: self.at + delta_at + (bits / 8) as usize, time }))
    }

    /// Takes the metadata of an entry whose head ends here: the place of its pairs.
    pub fn metadata(&mut self, entries: &[u8]) -> Result<Range<usize>, Malformed> {
        let mut at = self.at;
        let count = varint::get(entries, &mut at).ok_or(Malformed::Short("list of entries"))?;
        let from = at;
        metadata::take(entries, &mut at, count)?;
        self.at = at;
        Ok(from..at)
    }

    #[inline(never)]
    fn next_long<'a>(&mut self, entries: &'a [u8]) -> Result<Option<Entry<'a>>, Malformed> {
        let mut at = self.at;
        if at >= entries.len() {
            return Ok(None);
        }
        let short = || Malformed::Short("list of entries");
        let payload_len = varint::get(entries, &mut at).ok_or_else(short)?;
        let tag = varint::get(entries, &mut at).ok_or_else(short)?;
        let delta = varint::get(entries, &mut at).ok_or_else(short)?;
        let (Ok(payload_len), Ok(type_id)) = (u32::try_from(payload_len), u32::try_from(tag >> 1)) else {
            return Err(Malformed::inconsistent("an entry's payload length or type is out of range"));
        };
        let mut pairs = &entries[..0];
        if tag & 1 != 0 {
            let count = varint::get(entries, &mut at).ok_or_else(short)?;
            pairs = metadata::take(entries, &mut at, count)?;
        }
        self.at = at;
        self.time = self.time.wrapping_add(varint::unzigzag(delta));
        Ok(Some(Entry { payload_len, type_id, time: self.time, metadata: pairs }))
    }
}

/// The entries of a block in order, each with its id and the place of its payload. The iteration ends after a malformed
/// entry.
pub struct Entries<'a> {
    bytes: &'a [u8],
    progress: Progress,
    id: u64,
    payload_at: usize,
}

/// An entry at its place in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    pub entry: Entry<'a>,
    /// Its id; of an event, the id of the record that comes next.
    pub id: u64,
    /// Its bytes in the block's payload.
    pub payload: Range<usize>,
}

impl<'a> Entries<'a> {
    /// The entries of the block with this header; `bytes` are decoded.
    pub fn new(header: &BlockHeader, bytes: &'a [u8]) -> Self {
        Entries { bytes, progress: Progress::new(header.min_time), id: header.first_id, payload_at: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Placed<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.progress.next(self.bytes) {
            Ok(entry) => entry?,
            Err(reason) => {
                self.bytes = &[];
                return Some(Err(reason));
            }
        };
        let (id, from) = (self.id, self.payload_at);
        // The sum of the payload lengths that a block's entries can contain stays far below the limit, even if they
        // contradict its header.
        self.payload_at = from.saturating_add(entry.payload_len as usize);
        self.id += u64::from(!is_event(entry.type_id));
        Some(Ok(Placed { entry, id, payload: from..self.payload_at }))
    }
}

/// The varint at the low end of `word`, which takes 8 or 16 bits.
#[inline]
fn two_bytes(word: u64, bits: u32) -> u64 {
    let second = if bits > 8 { (word >> 1) & 0x3f80 } else { 0 };
    (word & 0x7f) | second
}

/// The varint in `bits`, which has up to four bytes and nothing behind it.
#[inline]
fn four_bytes(bits: u64) -> u64 {
    (bits & 0x7f) | (bits >> 1 & 0x3f80) | (bits >> 2 & 0x1f_c000) | (bits >> 3 & 0xfe0_0000)
}

/// Appends an entry without its metadata. `tag` is `type << 1 | has_metadata`, `delta` is already in zigzag form.
#[inline]
pub fn put(out: &mut Vec<u8>, payload_len: u64, tag: u64, delta: u64) {
    const TWO_BYTES: u64 = 1 << 14;
    const FOUR_BYTES: u64 = 1 << 28;
    if payload_len < TWO_BYTES && tag < TWO_BYTES && delta < FOUR_BYTES {
        let (word_1, bits_1) = pack(payload_len);
        let (word_2, bits_2) = pack(tag);
        let (word_3, bits_3) = if delta < TWO_BYTES { pack(delta) } else { pack_4(delta) };
        let word = word_1 | word_2 << bits_1 | word_3 << (bits_1 + bits_2);
        let end = out.len() + ((bits_1 + bits_2 + bits_3) / 8) as usize;
        out.extend_from_slice(&word.to_le_bytes());
        out.truncate(end);
    } else {
        put_head(out, payload_len, tag);
        varint::put(out, delta);
    }
}

/// Appends the part of an entry before its time.
pub fn put_head(out: &mut Vec<u8>, payload_len: u64, tag: u64) {
    varint::put(out, payload_len);
    varint::put(out, tag);
}

/// `value`, below 2^14, as a varint in a word, and its length in bits.
#[inline]
fn pack(value: u64) -> (u64, u32) {
    let two = u64::from(value >= 0x80);
    ((value & 0x7f) | two << 7 | (value >> 7) << 8, 8 + 8 * two as u32)
}

/// As [`pack`], for values of three or four bytes: a difference of 8 microseconds to 134 milliseconds.
#[inline]
fn pack_4(value: u64) -> (u64, u32) {
    let four = u64::from(value >= 1 << 21);
    let low = (value & 0x7f) | (value << 1 & 0x7f00) | (value << 2 & 0x7f_0000);
    (low | 0x8080 | four << 23 | (value >> 21) << 24, 24 + 8 * four as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_width() -> impl Strategy<Value = u64> {
        (0u32..64, any::<u64>()).prop_map(|(shift, raw)| raw >> shift)
    }

    #[test]
    fn no_pairs_are_no_metadata_times_are_modulo_2_64_and_long_forms_are_read() {
        let entry = |payload_len, type_id, time| Entry { payload_len, type_id, time, metadata: &[] };
        fn read(bytes: &[u8], start: i64) -> Result<Option<Entry<'_>>, Malformed> {
            Progress::new(start).next(bytes)
        }
        // Has metadata, of no pairs.
        assert_eq!(read(&[7, 3, 2, 0], 10), Ok(Some(entry(7, 1, 11))));
        assert_eq!(read(&[7, 2, 2, 0, 0, 0, 0, 0], i64::MAX), Ok(Some(entry(7, 1, i64::MIN))));
        let (long, longer) = ([0x87, 0, 0x82, 0, 0x82, 0, 9, 9], [0x87, 0x80, 0, 0x82, 0x80, 0, 0x82, 0x80, 0, 9]);
        assert_eq!((read(&long, 10), read(&longer, 10)), (Ok(Some(entry(7, 1, 11))), Ok(Some(entry(7, 1, 11)))));
        let (slow, slower) = ([7, 2, 0x82, 0x80, 0x80, 0, 9, 9], [7, 2, 0x82, 0x80, 0x80, 0x80, 0, 9]);
        assert_eq!((read(&slow, 10), read(&slower, 10)), (Ok(Some(entry(7, 1, 11))), Ok(Some(entry(7, 1, 11)))));
        // A type of more than 32 bits, and a payload length of more.
        assert!(read(&[1, 0x80, 0x80, 0x80, 0x80, 0x20, 0], 0).is_err());
        assert!(read(&[0x80, 0x80, 0x80, 0x80, 0x10, 2, 0], 0).is_err());
        assert!(read(&[0x80; 12], 0).is_err());
    }

    #[test]
    fn heads_are_read_of_numbers_below_8192_plain_or_named_and_left_alone_otherwise() {
        let head = |payload_len: u64, type_id: u64, delta: u64, with: u64| {
            let mut bytes = vec![];
            put(&mut bytes, payload_len, type_id << 1 | with, delta);
            bytes.resize(bytes.len() + 16, 0x55);
            Progress::new(0).head(&bytes).map(|(entry, with, _)| (entry.payload_len, entry.type_id, entry.time, with))
        };
        for type_id in [0, 63, 64, 8191, 1 << 30, (1 << 30) + 63, (1 << 30) + 64, (1 << 30) + 8191] {
            for (payload_len, delta) in [(0, 0), (127, 127), (128, 128), (16_383, (1 << 28) - 1)] {
                let expected = (payload_len as u32, type_id as u32, varint::unzigzag(delta));
                for with in [0, 1] {
                    let (len, type_id, time) = expected;
                    assert_eq!(
                        head(payload_len, u64::from(type_id), delta, with),
                        Some((len, type_id, time, with == 1))
                    );
                }
            }
        }
        for type_id in [8192, (1 << 30) - 1, (1 << 30) + 8192, 1 << 31, (1 << 31) + 1] {
            assert_eq!(head(1, type_id, 1, 0), None, "{type_id:#x}");
        }
        assert_eq!((head(16_384, 1, 1, 0), head(1, 1, 1 << 28, 0)), (None, None));
    }

    proptest! {
        #[test]
        fn entries_of_any_width_come_back(
            rows in proptest::collection::vec((any_width(), any_width(), any_width(), any::<bool>()), 0..40),
            start: i64,
        ) {
            let mut bytes = vec![];
            let mut pairs = vec![];
            metadata::put(&mut pairs, "key", "wärt");
            for &(len, type_id, delta, with) in &rows {
                put(&mut bytes, len as u32 as u64, u64::from(type_id as u32) << 1 | u64::from(with), delta);
                if with {
                    bytes.push(1);
                    bytes.extend_from_slice(&pairs);
                }
            }
            let mut progress = Progress::new(start);
            let mut time = start;
            for &(len, type_id, delta, with) in &rows {
                time = time.wrapping_add(varint::unzigzag(delta));
                let metadata = if with { &pairs[..] } else { &[] };
                let expected = Entry { payload_len: len as u32, type_id: type_id as u32, time, metadata };
                if let Some((head, has_metadata, mut behind)) = progress.head(&bytes) {
                    prop_assert_eq!((head, has_metadata), (Entry { metadata: &[], ..expected }, with));
                    if with {
                        let place = behind.metadata(&bytes).unwrap();
                        prop_assert_eq!(&bytes[place], metadata);
                    }
                    let mut after = progress;
                    after.next(&bytes).unwrap();
                    prop_assert_eq!((behind.at, behind.time), (after.at, after.time));
                }
                prop_assert_eq!(progress.next(&bytes), Ok(Some(expected)));
            }
            prop_assert_eq!(progress.next(&bytes), Ok(None));
        }

        #[test]
        fn any_bytes_end_or_are_refused(bytes: Vec<u8>) {
            let mut progress = Progress::new(0);
            for _ in 0..=bytes.len() {
                match progress.next(&bytes) {
                    Ok(Some(_)) => (),
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
            prop_assert!(false, "no progress");
        }
    }
}
