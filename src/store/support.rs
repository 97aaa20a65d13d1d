//! Helpers for stores that are written in Rust: the same checks, messages and checksums as those of this library.

pub use super::address::Address;
pub use super::directory::changed;
pub use super::limit::Limit;
pub use super::{brief, check_name, check_ranges, of_one_version, replaced, stopped, url_of};
pub use crate::error::a_defect;
pub use crate::hex::{hex, unhex};
pub use crate::io::open::to_read;
pub use crate::io::{fill_random, is_no_file, read_full};
