//! The writer's handle.

mod append;
mod control;
mod open;
mod options;

pub use append::*;
pub use control::*;
pub use open::*;
pub use options::*;
