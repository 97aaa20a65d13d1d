//! The fuzz targets. They need no fuzzer: `cargo fuzz` calls these functions with bytes that it generates, and `replay`
//! calls them with the files of `corpus/`.
//!
//! A target panics when the library breaks a promise: it crashes, it does not end, two ways of reading disagree, or a
//! record that was acknowledged is not there.

mod blocks;
mod calls;
mod entries;
mod input;
mod legacy;
mod packed;
mod reading;
mod recovery;
mod scratch;
mod segments;
mod splits;

pub use calls::calls;
pub use legacy::{legacy_java, legacy_lines, legacy_python, legacy_shoebox};
pub use packed::packed;
pub use segments::{block, entries, mended, read, recover};
pub use splits::splits;

/// A function of bytes that panics when it finds a defect.
pub type Target = fn(&[u8]);

/// Every target, under the name of its corpus.
pub const TARGETS: [(&str, Target); 12] = [
    ("read", read),
    ("recover", recover),
    ("entries", entries),
    ("block", block),
    ("mended", mended),
    ("packed", packed),
    ("calls", calls),
    ("splits", splits),
    ("legacy_python", legacy_python),
    ("legacy_java", legacy_java),
    ("legacy_shoebox", legacy_shoebox),
    ("legacy_lines", legacy_lines),
];
