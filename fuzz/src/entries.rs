//! A second decoder of a block's entries, written from `docs/format.md` alone, slow and simple, to compare the
//! library's with.

/// The contents of one entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub payload_len: u32,
    pub type_id: u32,
    pub time: i64,
    /// The pairs, without their number.
    pub metadata: Vec<u8>,
}

impl Entry {
    pub fn is_event(&self) -> bool {
        self.type_id >> 31 != 0
    }
}

/// The entries up to the first invalid one, and whether they end cleanly.
pub fn decode(bytes: &[u8], min_time: i64) -> (Vec<Entry>, bool) {
    let (mut rest, mut time, mut out) = (bytes, min_time, vec![]);
    while !rest.is_empty() {
        match one(&mut rest, &mut time) {
            Some(entry) => out.push(entry),
            None => return (out, false),
        }
    }
    (out, true)
}

/// Payload bytes that the entries refer to.
pub fn payload_len(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| u64::from(entry.payload_len)).sum()
}

/// Records among the entries.
pub fn records(entries: &[Entry]) -> u32 {
    entries.iter().filter(|entry| !entry.is_event()).count() as u32
}

fn one(rest: &mut &[u8], time: &mut i64) -> Option<Entry> {
    let payload_len = u32::try_from(varint(rest)?).ok()?;
    let tag = varint(rest)?;
    let type_id = u32::try_from(tag >> 1).ok()?;
    let delta = varint(rest)?;
    let delta = (delta >> 1) as i64 ^ -((delta & 1) as i64);
    let mut metadata = vec![];
    if tag & 1 == 1 {
        let pairs = varint(rest)?;
        if pairs > 65_535 {
            return None;
        }
        let all = *rest;
        for _ in 0..2 * pairs {
            let len = usize::try_from(varint(rest)?).ok()?;
            let text = rest.get(..len)?;
            std::str::from_utf8(text).ok()?;
            *rest = &rest[len..];
        }
        metadata = all[..all.len() - rest.len()].to_vec();
        if metadata.len() > 16 << 20 {
            return None;
        }
    }
    *time = time.wrapping_add(delta);
    Some(Entry { payload_len, type_id, time: *time, metadata })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u128;
    for i in 0..10 {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u128::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return u64::try_from(value).ok();
        }
    }
    None
}
