//! The JSON variant of shoebox: one payload per line.

use super::item::{check_len, Item, Step};

/// Whether text that begins like this consists of lines of JSON objects.
pub fn is_one(first: &[u8]) -> bool {
    first.starts_with(b"{")
}

/// Parses the line that begins with `bytes`; `looked` of them were searched before, and contain no end of a line.
pub fn parse(bytes: &[u8], looked: usize, is_end: bool, item: &mut Item) -> Step {
    let found = memchr::memchr(b'\n', &bytes[looked..]).map(|at| looked + at);
    let (payload, size) = match found {
        Some(at) => (at, at + 1),
        // The last line may have no end.
        None if is_end && !bytes.is_empty() => (bytes.len(), bytes.len()),
        None => {
            return match check_len(bytes.len() as u64) {
                Ok(len) => Step::Need((len * 2).max(4096)),
                Err(reason) => Step::Malformed(reason),
            }
        }
    };
    (item.size, item.payload) = (size, 0..payload);
    Step::Record
}
