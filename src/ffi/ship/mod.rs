//! Shipping of closed segments to a store, by a writer or beside it.

mod engine;
mod monitor;
mod options;
mod shipper;
mod status;
mod types;
mod writer;

pub use options::*;
pub use shipper::*;
pub use types::*;
pub use writer::*;

pub(super) use options::ship_by;
pub(super) use status::ShipStrings;
