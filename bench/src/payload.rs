//! The payloads that every contender of a work is given.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contender::Tally;

/// Small enough to stay in the processor's caches: all contenders copy from equally warm memory.
const POOL_BYTES: usize = 1 << 20;

/// A cycle of payloads inside one pool of bytes.
pub struct Payloads {
    pool: Vec<u8>,
    /// Start and length of each payload of the cycle.
    ranges: Vec<(usize, usize)>,
}

impl Payloads {
    /// Payloads of one size, of bytes that do not compress.
    pub fn fixed(size: usize) -> Self {
        let pool = noise(POOL_BYTES.max(4 * size));
        let ranges = (0..pool.len() / size).map(|i| (i * size, size)).collect();
        Payloads { pool, ranges }
    }

    /// Payloads of one size, of 64 printable characters: what a logger of text accepts.
    pub fn text(size: usize) -> Self {
        let mut payloads = Payloads::fixed(size);
        // From 0 to o.
        payloads.pool.iter_mut().for_each(|byte| *byte = b'0' + (*byte & 63));
        payloads
    }

    /// One payload for each line of `text`.
    fn lines(text: Vec<u8>) -> Self {
        let mut ranges = Vec::new();
        let mut start = 0;
        for line in text.split(|&byte| byte == b'\n') {
            if !line.is_empty() {
                ranges.push((start, line.len()));
            }
            start += line.len() + 1;
        }
        Payloads { pool: text, ranges }
    }

    /// The notifications in `$BINLOG_NOTIFICATIONS`, in the shared data folder, or made up; and the name of the source.
    pub fn notifications() -> (Self, String) {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/notifications.jsonl");
        let path = std::env::var_os("BINLOG_NOTIFICATIONS").map_or(beside, PathBuf::from);
        match fs::read(&path) {
            Ok(text) if text.iter().any(|&byte| byte != b'\n') => {
                (Self::lines(text), "the OpenStack notifications".into())
            }
            _ => (Self::lines(synthetic_json()), "made-up notifications, as the real ones are absent".into()),
        }
    }

    /// The first `count` payloads; the cycle repeats as often as necessary.
    pub fn iter(&self, count: u64) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().cycle().take(count as usize).map(|&(start, len)| &self.pool[start..start + len])
    }

    /// After how many payloads the cycle repeats.
    pub fn cycle(&self) -> u64 {
        self.ranges.len() as u64
    }

    /// The payload at an index, modulo the cycle.
    pub fn at(&self, index: u64) -> &[u8] {
        let (start, len) = self.ranges[(index % self.ranges.len() as u64) as usize];
        &self.pool[start..start + len]
    }

    /// Bytes to write where only the number of bytes matters.
    pub fn pool(&self) -> &[u8] {
        &self.pool
    }

    pub fn mean_len(&self) -> f64 {
        self.cycle_bytes() as f64 / self.ranges.len() as f64
    }

    /// The bytes of the first `count` payloads.
    pub fn bytes(&self, count: u64) -> u64 {
        let cycle = self.cycle();
        let rest = self.iter(count % cycle).map(|payload| payload.len() as u64).sum::<u64>();
        count / cycle * self.cycle_bytes() + rest
    }

    fn cycle_bytes(&self) -> u64 {
        self.ranges.iter().map(|&(_, len)| len as u64).sum()
    }
}

/// How much one run of a work appends or reads.
pub struct Load {
    pub payloads: Payloads,
    pub records: u64,
}

impl Load {
    /// As many payloads as make up about `bytes`, at least a thousand (or 16 large ones).
    pub fn of_bytes(payloads: Payloads, bytes: u64) -> Self {
        let least = if payloads.mean_len() > 65_536.0 { 16 } else { 1_000 };
        let records = ((bytes as f64 / payloads.mean_len()) as u64).max(least);
        Load { payloads, records }
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter(self.records)
    }

    pub fn bytes(&self) -> u64 {
        self.payloads.bytes(self.records)
    }

    /// What a reader must find.
    pub fn expected(&self) -> Tally {
        let mut tally = Tally::default();
        self.iter().for_each(|payload| tally.add_digest(payload));
        tally
    }
}

/// Bytes of a fixed pseudo-random sequence (xorshift64*): two runs write the same.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Lines that resemble the notifications in length and in how well they compress.
fn synthetic_json() -> Vec<u8> {
    let unique = noise(3_000 * 512);
    let mut text = String::new();
    for (index, bytes) in unique.chunks(512).enumerate() {
        text += &format!(r#"{{"event_type":"compute.instance.update","sequence":{index},"payload":{{"#);
        for (field, part) in bytes.chunks(16).enumerate() {
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!(r#""instance_property_with_a_long_name_{field}":"{hex}","#);
        }
        text += "\"state\":\"active\"}}\n";
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_goes_round_the_cycle_and_knows_its_bytes() {
        let load = Load { payloads: Payloads::lines(b"a\nbcd\n\nef\n".to_vec()), records: 5 };
        let all: Vec<&[u8]> = load.iter().collect();
        assert_eq!(all, [&b"a"[..], b"bcd", b"ef", b"a", b"bcd"]);
        assert_eq!(load.bytes(), 10);
        assert_eq!(load.expected().bytes, 10);
        assert_eq!(load.expected().records, 5);
    }

    #[test]
    fn made_up_notifications_are_about_as_long_as_the_real_ones() {
        let payloads = Payloads::lines(synthetic_json());
        assert_eq!(payloads.ranges.len(), 3_000);
        assert!((1_500.0..4_500.0).contains(&payloads.mean_len()), "{}", payloads.mean_len());
    }
}
