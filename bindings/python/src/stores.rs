//! Stores on servers, which are part of the wheel.

use binlog::store::Opener;

/// What opens them; without the feature, the library looks for `libbinlog_stores.so.0`.
#[cfg(feature = "stores")]
pub fn opener() -> Option<Opener> {
    use std::sync::OnceLock;
    static OPENER: OnceLock<Opener> = OnceLock::new();
    Some(OPENER.get_or_init(|| Opener::new(binlog_stores::open)).clone())
}

#[cfg(not(feature = "stores"))]
pub fn opener() -> Option<Opener> {
    None
}
