//! Blocks on their way to a segment.

use crate::format::draft::{Buffers, Draft};

/// A block that is ready to be written.
pub(crate) struct Block<'a> {
    pub draft: &'a Draft,
    /// The buffers that contain the draft's entries.
    pub buffers: &'a Buffers,
    /// The payload's bytes, one part after the other.
    pub parts: &'a [&'a [u8]],
    /// The payload if it was compressed beforehand, empty when that did not make it shorter; `None` = compress it now,
    /// if there is a codec.
    pub compressed: Option<&'a [u8]>,
}
