//! What happens to a segment once it is closed.

pub mod hooks;
mod prune;

pub use prune::{prune, prune_in, Pruned};
