//! What happens to closed segments.

mod prune;

pub use prune::{prune, prune_in, Pruned};
