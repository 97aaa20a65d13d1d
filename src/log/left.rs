//! Where a log goes on, whatever has become of its segments.

use crate::hex::{hex, unhex};

/// What a log has given, as the lock file keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub log_id: Vec<u8>,
    /// The greatest number of a segment.
    pub sequence: u64,
    /// The id behind the last record of all that were in closed segments.
    pub next_id: u64,
    /// The segment that this record was in; `None` = an older writer noted it, or there is none.
    pub last: Option<Last>,
}

/// A closed segment, as the one behind it names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub sequence: u64,
    pub bytes: u64,
    pub marker: u64,
}

impl Left {
    /// Whether it says no more than `other`.
    pub fn is_within(&self, other: &Left) -> bool {
        self.log_id == other.log_id && self.sequence <= other.sequence && self.next_id <= other.next_id
    }

    /// What both say together; of two logs, what this says.
    pub fn and(&self, other: &Left) -> Left {
        if self.log_id != other.log_id {
            return self.clone();
        }
        let later = if other.next_id > self.next_id { other } else { self };
        Left { sequence: self.sequence.max(other.sequence), ..later.clone() }
    }

    /// The line that says so. `count` is greater than in the line before; the last word is the checksum of the others, so
    /// that a line which a crash has torn is told from a whole one.
    pub fn to_line(&self, count: u64) -> String {
        let log_id = hex(&self.log_id);
        let Last { sequence, bytes, marker } = self.last.unwrap_or(Last { sequence: 0, bytes: 0, marker: 0 });
        let line = format!("left {log_id} {} {} {sequence} {bytes} {marker:016x} {count}", self.sequence, self.next_id);
        let sum = crc32fast::hash(line.as_bytes());
        format!("{line} {sum:08x}\n")
    }

    /// What a line says, and its count: 0 for one of an older writer, which ends with the next id.
    pub fn parse(line: &str) -> Option<(Self, u64)> {
        let line = line.trim_end();
        let words: Vec<&str> = line.strip_prefix("left ")?.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        let log_id = unhex::<16>(words.first()?)?.to_vec();
        let (sequence, next_id) = (number(1)?, number(2)?);
        let mut left = Left { log_id, sequence, next_id, last: None };
        let count = match words.len() {
            3 => 0,
            8 => {
                let (told, sum) = line.rsplit_once(' ')?;
                if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(told.as_bytes()) {
                    return None;
                }
                let last =
                    Last { sequence: number(3)?, bytes: number(4)?, marker: u64::from_str_radix(words[5], 16).ok()? };
                left.last = Some(last).filter(|last| last.marker != 0);
                number(6)?
            }
            _ => return None,
        };
        Some((left, count)).filter(|(left, _)| left.next_id > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(sequence: u64, next_id: u64) -> Left {
        let last = Some(Last { sequence, bytes: 4711, marker: u64::MAX });
        Left { log_id: (0..16).collect(), sequence, next_id, last }
    }

    #[test]
    fn a_line_comes_back_and_a_torn_one_is_not_believed() {
        let (whole, before) = (left(100, 1_000_001).to_line(8), left(99, 999_999).to_line(7));
        assert_eq!(Left::parse(&whole), Some((left(100, 1_000_001), 8)));
        let older = "left 000102030405060708090a0b0c0d0e0f 7 701";
        assert_eq!(Left::parse(older), Some((Left { last: None, ..left(7, 701) }, 0)));
        for torn in 0..whole.len() - 1 {
            let mixed = format!("{}{}", &whole[..torn], before.get(torn..).unwrap_or_default());
            for torn in [mixed.as_str(), &whole[..torn]] {
                let believed = Left::parse(torn);
                let is_whole = believed == Some((left(99, 999_999), 7));
                // The beginning of a line looks like an older writer's: those are looked for elsewhere.
                assert!(believed.as_ref().is_none_or(|(_, count)| is_whole || *count == 0), "{torn:?}: {believed:?}");
            }
        }
        let no_digits = format!("left {} 7 701", "+1".repeat(16));
        for garbage in ["", "left", "left 00 1 1", "left 000102030405060708090a0b0c0d0e0f 7", "left é 1 1", &no_digits]
        {
            assert_eq!(Left::parse(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn what_two_say_together_is_the_greater_of_each() {
        let (more_segments, more_records) = (Left { next_id: 50, ..left(9, 0) }, left(7, 70));
        let both = Left { sequence: 9, ..left(7, 70) };
        assert_eq!((more_segments.and(&more_records), more_records.and(&more_segments)), (both.clone(), both.clone()));
        assert!(more_segments.is_within(&both) && more_records.is_within(&both) && !both.is_within(&more_records));
        let other = Left { log_id: vec![1; 16], ..left(1, 1) };
        assert_eq!((other.and(&both), other.is_within(&both)), (other.clone(), false));
    }
}
