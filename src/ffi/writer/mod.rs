//! The writer's handle.

mod append;
mod appender;
mod control;
mod open;
mod options;
mod records;

pub use append::*;
pub use appender::*;
pub use control::*;
pub use open::*;
pub use options::*;
