//! Shipping of closed segments to a store, by a writer or beside it.

mod engine;
mod monitor;
mod options;
mod shipper;
mod types;
mod writer;

pub use shipper::*;
pub use types::*;
pub use writer::*;

pub(super) use engine::{ship_by, ShipStrings};
