//! Whether what lies in a store is the file that is here. A local file goes only after this has said so.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::{stopped, Answer, Store, Sums};

/// What lies under a name in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Nothing.
    Absent,
    /// The same bytes.
    Same,
    /// Other bytes.
    Different,
}

/// Compares an object with the checksums of a file.
///
/// [`Confirmed::Same`] rests on a checksum of the bytes that lie there: on one that the server computed, when it is one that
/// the file has too, or else on reading the whole object back. What somebody wrote beside the object is never taken for it.
/// A store that cannot be read from ([`Store::can_read`]) cannot answer, and fails.
pub fn confirm(store: &dyn Store, name: &str, sums: &Sums) -> Answer<Confirmed> {
    confirm_unless(&|| false, store, name, sums)
}

/// As [`confirm`]; fails soon when `stop` says so while the object is read back.
pub(crate) fn confirm_unless(stop: &dyn Fn() -> bool, store: &dyn Store, name: &str, sums: &Sums) -> Answer<Confirmed> {
    let Some(stat) = store.stat(name)? else { return Ok(Confirmed::Absent) };
    if stat.bytes != sums.bytes {
        return Ok(Confirmed::Different);
    }
    // Another tag proves nothing: encrypted objects have tags of another kind, and others may have chosen other parts.
    let tags = [sums.plain_tag(), Some(sums.s3_parts_tag()), Some(sums.swift_parts_tag())];
    if tags.contains(&Some(stat.tag)) {
        return Ok(Confirmed::Same);
    }
    match read_back(stop, store, name, sums.bytes)? == sums.sha256 {
        true => Ok(Confirmed::Same),
        false => Ok(Confirmed::Different),
    }
}

/// SHA-256 of an object, from all its bytes.
fn read_back(stop: &dyn Fn() -> bool, store: &dyn Store, name: &str, bytes: u64) -> Answer<[u8; 32]> {
    /// Fetched by one request, and how many requests at a time are handed to the store.
    const PIECE: u64 = 4 << 20;
    const PIECES: u64 = 4;
    let mut sha256 = Sha256::new();
    let mut at = 0;
    while at < bytes {
        if stop() {
            return Err(stopped());
        }
        let ranges: Vec<Range<u64>> = (0..PIECES)
            .map(|i| at.saturating_add(i * PIECE).min(bytes)..at.saturating_add((i + 1) * PIECE).min(bytes))
            .filter(|range| !range.is_empty())
            .collect();
        for piece in store.read(name, &ranges)? {
            sha256.update(&piece);
        }
        at = at.saturating_add(PIECES * PIECE).min(bytes);
    }
    Ok(sha256.finalize().into())
}
