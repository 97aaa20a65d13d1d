//! Doubles of a directory for tests, behind the feature `testing`: in memory, with calls that fail, and with a machine
//! that may lose power. The product contains none of them.

mod memory;
mod power;

pub use memory::{Fault, MemoryDirectory, Operation};
pub use power::{Fate, Image, PowerDirectory, Survival};
