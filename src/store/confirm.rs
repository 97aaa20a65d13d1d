//! Whether an object in a store is the same as the file here. A local file is removed only after this has confirmed it.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::{stopped, Answer, Store, Sums};

/// The result of comparing the object of a name with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// There is no object.
    Absent,
    /// The same bytes.
    Same,
    /// Other bytes.
    Different,
}

/// Compares an object with the checksums of a file.
///
/// [`Confirmed::Same`] relies on a checksum of the stored bytes: one that the server computed, if the file has a
/// checksum of the same kind, or otherwise one that is computed by reading the whole object back. Metadata that a
/// client stored with the object is never used. Fails for a store that cannot be read ([`Store::can_read`]).
pub fn confirm(store: &dyn Store, name: &str, sums: &Sums) -> Answer<Confirmed> {
    confirm_unless(&|| false, store, name, sums)
}

/// As [`confirm`]; fails soon when `stop` returns true while the object is read back.
pub(crate) fn confirm_unless(stop: &dyn Fn() -> bool, store: &dyn Store, name: &str, sums: &Sums) -> Answer<Confirmed> {
    let Some(stat) = store.stat(name)? else { return Ok(Confirmed::Absent) };
    if stat.bytes != sums.bytes {
        return Ok(Confirmed::Different);
    }
    // A different tag proves nothing: encrypted objects have tags of another kind, and other clients may have used
    // other parts.
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
    /// Bytes of one request, and the number of requests that are given to the store at a time.
    const RANGE: u64 = 4 << 20;
    const RANGES: u64 = 4;
    let mut sha256 = Sha256::new();
    let mut at = 0;
    while at < bytes {
        if stop() {
            return Err(stopped());
        }
        let ranges: Vec<Range<u64>> = (0..RANGES)
            .map(|i| at.saturating_add(i * RANGE).min(bytes)..at.saturating_add((i + 1) * RANGE).min(bytes))
            .filter(|range| !range.is_empty())
            .collect();
        for bytes_read in store.read(name, &ranges)? {
            sha256.update(&bytes_read);
        }
        at = at.saturating_add(RANGES * RANGE).min(bytes);
    }
    Ok(sha256.finalize().into())
}
