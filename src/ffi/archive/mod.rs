//! Shipping of closed segments to a store, by a writer or beside it. A library that was built without the feature "upload"
//! has all of it, too, and answers `BINLOG_E_UNSUPPORTED`.

#[cfg(not(feature = "upload"))]
#[path = "absent.rs"]
mod engine;
#[cfg(feature = "upload")]
mod engine;
#[cfg(feature = "upload")]
mod monitor;
#[cfg(feature = "upload")]
mod options;
mod shipper;
mod types;
mod writer;

pub use shipper::*;
pub use types::*;
pub use writer::*;

pub(super) use engine::{ship_by, ArchiveStrings};
