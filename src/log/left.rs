//! Where a log continues, whatever has become of its segments.

use crate::format::declaration::FileHeader;
use crate::hex::{hex, unhex};

/// A line begins with the first word, or with the second where the log ends with the last closed segment.
const LEFT: &str = "left ";
const ENDS: &str = "ends ";

/// The ids and segment numbers that a log has given, as the lock file stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub log_id: Vec<u8>,
    /// The greatest number of a segment.
    pub sequence: u64,
    /// The id after the last record of all closed segments.
    pub next_id: u64,
    /// The last closed segment; `None` = there is none.
    pub last: Option<Last>,
    /// The greatest number of a segment in which anything was made durable; 0 = none.
    pub synced: u64,
    /// The log was closed with the segment `last`, and no hook and no rule was given that segment to remove.
    pub ends_there: bool,
}

/// A closed segment, as the one after it names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub sequence: u64,
    pub bytes: u64,
    pub marker: u64,
}

impl Left {
    /// The state of a log when the segment with this header is begun, whose first record has the id `first_id`.
    pub fn at_the_beginning_of(header: &FileHeader, first_id: u64) -> Self {
        let before = header.predecessor.as_ref().filter(|before| before.last_id < first_id);
        let last = before.map(|before| Last { sequence: before.sequence, bytes: before.bytes, marker: before.marker });
        let (log_id, sequence) = (header.log_id.clone(), header.sequence);
        Left { log_id, sequence, next_id: first_id, last, synced: 0, ends_there: false }
    }

    /// Whether it adds nothing to `other`.
    pub fn is_within(&self, other: &Left) -> bool {
        self.log_id == other.log_id
            && self.sequence <= other.sequence
            && self.closed() <= other.closed()
            && (!other.ends_there || self.ends_there || self.closed() < other.closed())
            && self.synced <= other.synced
    }

    /// Whether the segment of this number may have been removed. That is so for closed segments, except the one that
    /// the log ends with.
    pub fn may_be_gone(&self, sequence: u64) -> bool {
        self.last.is_some_and(|last| sequence < last.sequence || (sequence == last.sequence && !self.ends_there))
    }

    /// Whether the segment of this number was noted as closed.
    pub fn is_closed(&self, sequence: u64) -> bool {
        self.last.is_some_and(|last| sequence <= last.sequence)
    }

    /// The noted length of the closed segment with this header, if its file is now shorter.
    pub fn shortened(&self, header: &FileHeader, len: u64) -> Option<u64> {
        let last = self.last.filter(|last| (last.sequence, last.marker) == (header.sequence, header.marker))?;
        (len < last.bytes).then_some(last.bytes)
    }

    /// How far closed segments reach: the id after them, and the number of the last one, which may have no record.
    fn closed(&self) -> (u64, u64) {
        (self.next_id, self.last.map_or(0, |last| last.sequence))
    }

    /// Both notes combined; for two different logs, this one.
    pub fn and(&self, other: &Left) -> Left {
        if self.log_id != other.log_id {
            return self.clone();
        }
        let later = if other.closed() > self.closed() { other } else { self };
        // A segment that one of them allowed to be removed may be missing.
        let both_end_there = self.ends_there && other.ends_there;
        let ends_there = later.ends_there && (both_end_there || self.closed() != other.closed());
        let (sequence, synced) = (self.sequence.max(other.sequence), self.synced.max(other.synced));
        Left { sequence, synced, ends_there, ..later.clone() }
    }

    /// The offset up to which the segment with this header, which has `len` bytes, is durable according to this note:
    /// it was closed then, or a part of a later segment was durable, before which it was synced.
    pub fn durable_end(&self, header: &FileHeader, len: u64) -> u64 {
        let last = self.last.as_ref();
        if self.synced > header.sequence || last.is_some_and(|last| last.sequence > header.sequence) {
            return len;
        }
        let is_it = |last: &&Last| last.sequence == header.sequence && last.marker == header.marker;
        last.filter(is_it).map_or(0, |last| last.bytes.min(len))
    }

    /// The line for the lock file. `count` is greater than in the line before. The last word is the checksum of the
    /// others, which distinguishes a whole line from one that a crash has torn.
    pub fn to_line(&self, count: u64) -> String {
        let log_id = hex(&self.log_id);
        let Last { sequence, bytes, marker } = self.last.unwrap_or(Last { sequence: 0, bytes: 0, marker: 0 });
        let (greatest, next_id, synced) = (self.sequence, self.next_id, self.synced);
        let word = if self.ends_there { ENDS } else { LEFT };
        let line = format!("{word}{log_id} {greatest} {next_id} {sequence} {bytes} {marker:016x} {synced} {count}");
        let sum = crc32fast::hash(line.as_bytes());
        format!("{line} {sum:08x}\n")
    }

    /// Parses a line; returns its contents and its count.
    pub fn parse(line: &str) -> Option<(Self, u64)> {
        let line = line.trim_end();
        let (content, sum) = line.rsplit_once(' ')?;
        if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(content.as_bytes()) {
            return None;
        }
        let (words, ends_there) = match content.strip_prefix(LEFT) {
            Some(words) => (words, false),
            None => (content.strip_prefix(ENDS)?, true),
        };
        let words: Vec<&str> = words.split(' ').collect();
        let [log_id, greatest, next_id, sequence, bytes, marker, synced, count] = words[..] else { return None };
        let number = |word: &str| word.parse::<u64>().ok();
        let last =
            Last { sequence: number(sequence)?, bytes: number(bytes)?, marker: u64::from_str_radix(marker, 16).ok()? };
        let left = Left {
            log_id: unhex::<16>(log_id)?.to_vec(),
            sequence: number(greatest)?,
            next_id: number(next_id)?,
            last: Some(last).filter(|last| last.marker != 0),
            synced: number(synced)?,
            ends_there,
        };
        Some((left, number(count)?)).filter(|(left, _)| left.next_id > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(sequence: u64, next_id: u64) -> Left {
        let last = Some(Last { sequence, bytes: 4711, marker: u64::MAX });
        Left { log_id: (0..16).collect(), sequence, next_id, last, synced: 5, ends_there: false }
    }

    #[test]
    fn a_line_comes_back_and_a_torn_one_is_not_believed() {
        let (whole, before) = (left(100, 1_000_001).to_line(8), left(99, 999_999).to_line(7));
        assert_eq!(Left::parse(&whole), Some((left(100, 1_000_001), 8)));
        for torn in 0..whole.len() - 1 {
            let mixed = format!("{}{}", &whole[..torn], before.get(torn..).unwrap_or_default());
            for torn in [mixed.as_str(), &whole[..torn]] {
                let believed = Left::parse(torn);
                let is_whole = believed == Some((left(99, 999_999), 7));
                assert!(believed.is_none() || is_whole, "{torn:?}: {believed:?}");
            }
        }
        let summed = |line: String| format!("{line} {:08x}", crc32fast::hash(line.as_bytes()));
        let no_digits = summed(format!("left {} 7 701 6 4711 1 5 8", "+1".repeat(16)));
        let older = summed(format!("left {} 7 701 6 4711 1 8", "00".repeat(16)));
        let shorter = format!("left {} 7 701", "00".repeat(16));
        for garbage in ["", "left", "left 00 1 1", "left é 1 1", &no_digits, &older, &shorter] {
            assert_eq!(Left::parse(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_segment_without_a_record_is_noted_as_closed() {
        let closed = |sequence| Some(Last { sequence, bytes: 4711, marker: 1 });
        let (before, after) = (Left { last: closed(6), ..left(7, 70) }, Left { last: closed(7), ..left(8, 70) });
        assert!(!after.is_within(&before) && before.is_within(&after));
        assert!(before.and(&after).is_closed(7) && after.and(&before).is_closed(7));
    }

    #[test]
    fn what_two_say_together_is_the_greater_of_each() {
        let (more_segments, more_records) = (Left { next_id: 50, ..left(9, 0) }, left(7, 70));
        let more_segments = Left { synced: 8, ..more_segments };
        let both = Left { sequence: 9, synced: 8, ..left(7, 70) };
        assert_eq!((more_segments.and(&more_records), more_records.and(&more_segments)), (both.clone(), both.clone()));
        assert!(more_segments.is_within(&both) && more_records.is_within(&both) && !both.is_within(&more_records));
        let other = Left { log_id: vec![1; 16], ..left(1, 1) };
        assert_eq!((other.and(&both), other.is_within(&both)), (other.clone(), false));
    }
}
